//! Operators that move elements or change their type without computing with them.

use burn::tensor::Tensor;
use onnx_ir::node::{cast::CastNode, concat::ConcatNode, flatten::FlattenNode};

use super::{Inputs, Plan, one};
use crate::model::value::{Ranked, Value};

/// Identity, and what is identity when a network is not being trained.
pub(super) fn identity<N>(_: &N) -> Plan {
    Ok(Box::new(|inputs| one(inputs.value(0)?.clone())))
}

impl From<&Value> for Value {
    fn from(value: &Value) -> Self {
        value.clone()
    }
}

/// `Cast` between floating-point types: all of them are 32 bits wide here.
pub(super) fn cast(node: &CastNode) -> Plan {
    let to = node.config.to;
    if !to.is_float() {
        return Err(format!("it casts to {to:?}, and only casts between floating-point types are supported"));
    }
    Ok(Box::new(|inputs| one(inputs.float(0)?)))
}

/// `Flatten` to two dimensions: those before `axis`, and the rest.
pub(super) fn flatten(node: &FlattenNode) -> Plan {
    let axis = node.config.axis;
    Ok(Box::new(move |inputs| {
        let x = inputs.float(0)?;
        let dims = x.dims();
        if axis > dims.len() {
            return Err(format!("its axis {axis} is beyond the input's {} dimensions", dims.len()));
        }
        let flat = [dims[..axis].iter().product(), dims[axis..].iter().product()];
        one(x.reshape(&flat).ok_or("its input cannot be flattened")?)
    }))
}

/// `Concat` along one axis.
pub(super) fn concat(node: &ConcatNode) -> Plan {
    let axis = node.config.axis;
    Ok(Box::new(move |inputs| {
        fn cat<const D: usize>(inputs: &Inputs, axis: usize) -> Result<Vec<Value>, String>
        where
            Value: From<Tensor<D>>,
        {
            let tensors =
                (0..inputs.len()).map(|i| inputs.tensor::<D>(i)).collect::<Result<Vec<_>, String>>()?;
            let first = tensors[0].dims();
            let fits = |dims: [usize; D]| (0..D).all(|i| i == axis || dims[i] == first[i]);
            match tensors.iter().find(|tensor| !fits(tensor.dims())) {
                Some(odd) => {
                    Err(format!("its inputs {first:?} and {:?} differ off the axis {axis}", odd.dims()))
                }
                None => one(Tensor::cat(tensors, axis)),
            }
        }
        let rank = inputs.float(0)?.rank();
        if axis >= rank {
            return Err(format!("its axis {axis} is not one of the inputs' {rank} dimensions"));
        }
        match inputs.float(0)? {
            Ranked::D1(_) => cat::<1>(inputs, axis),
            Ranked::D2(_) => cat::<2>(inputs, axis),
            Ranked::D3(_) => cat::<3>(inputs, axis),
            Ranked::D4(_) => cat::<4>(inputs, axis),
            Ranked::D5(_) => cat::<5>(inputs, axis),
            Ranked::D6(_) => cat::<6>(inputs, axis),
        }
    }))
}
