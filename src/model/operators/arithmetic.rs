//! Arithmetic of two tensors, with ONNX's broadcasting.

use burn::tensor::{Float, Tensor};
use onnx_ir::node::arithmetic::{AddNode, DivNode, MulNode, SubNode};

use super::{Inputs, Plan, one};
use crate::model::value::{Ranked, Value};

/// An elementwise operation at every rank that a value may have.
trait Elementwise {
    fn apply<const D: usize>(left: Tensor<D>, right: Tensor<D>) -> Tensor<D>;
}

macro_rules! elementwise {
    ($($function:ident($node:ty) = $method:ident;)*) => {
        $(pub(super) fn $function(_: &$node) -> Plan {
            struct Operation;
            impl Elementwise for Operation {
                fn apply<const D: usize>(left: Tensor<D>, right: Tensor<D>) -> Tensor<D> {
                    left.$method(right)
                }
            }
            Ok(Box::new(broadcast::<Operation>))
        })*
    };
}

elementwise! {
    add(AddNode) = add;
    div(DivNode) = div;
    mul(MulNode) = mul;
    sub(SubNode) = sub;
}

fn broadcast<E: Elementwise>(inputs: &Inputs) -> Result<Vec<Value>, String> {
    let (left, right) = (inputs.float(0)?, inputs.float(1)?);
    let rank = left.rank().max(right.rank());
    let (left_dims, right_dims) = (left.dims(), right.dims());
    let mismatch = || format!("its inputs of shapes {left_dims:?} and {right_dims:?} do not broadcast");
    let left = left.with_rank(rank).ok_or_else(mismatch)?;
    let right = right.with_rank(rank).ok_or_else(mismatch)?;
    if left.dims().iter().zip(right.dims()).any(|(&l, r)| l != r && l != 1 && r != 1) {
        return Err(mismatch());
    }
    one(match (left, right) {
        (Ranked::D1(l), Ranked::D1(r)) => Ranked::<Float>::D1(E::apply(l, r)),
        (Ranked::D2(l), Ranked::D2(r)) => Ranked::D2(E::apply(l, r)),
        (Ranked::D3(l), Ranked::D3(r)) => Ranked::D3(E::apply(l, r)),
        (Ranked::D4(l), Ranked::D4(r)) => Ranked::D4(E::apply(l, r)),
        (Ranked::D5(l), Ranked::D5(r)) => Ranked::D5(E::apply(l, r)),
        (Ranked::D6(l), Ranked::D6(r)) => Ranked::D6(E::apply(l, r)),
        _ => return Err(mismatch()),
    })
}
