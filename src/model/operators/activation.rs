//! Functions of one element: Relu, Clip, Sigmoid, and Softmax along an axis.

use burn::tensor::activation;
use onnx_ir::node::{
    clip::{ClipInput, ClipNode},
    relu::ReluNode,
    sigmoid::SigmoidNode,
    softmax::SoftmaxNode,
};

use super::{Plan, one};
use crate::model::value::map_ranked;

pub(super) fn relu(_: &ReluNode) -> Plan {
    Ok(Box::new(|inputs| one(map_ranked!(inputs.float(0)?, x => activation::relu(x)))))
}

pub(super) fn sigmoid(_: &SigmoidNode) -> Plan {
    Ok(Box::new(|inputs| one(map_ranked!(inputs.float(0)?, x => activation::sigmoid(x)))))
}

pub(super) fn softmax(node: &SoftmaxNode) -> Plan {
    let axis = node.config.axis;
    Ok(Box::new(move |inputs| {
        let x = inputs.float(0)?;
        if axis >= x.rank() {
            return Err(format!("its axis {axis} is not one of the input's {} dimensions", x.rank()));
        }
        one(map_ranked!(x, x => activation::softmax(x, axis)))
    }))
}

pub(super) fn clip(node: &ClipNode) -> Plan {
    let bound = |input: &Option<ClipInput>| match input {
        Some(ClipInput::Static(value)) => Ok(Some(*value as f32)),
        Some(ClipInput::Runtime(_)) => Err("its bounds are computed while the model runs".to_owned()),
        None => Ok(None),
    };
    let (low, high) = (bound(&node.config.min)?, bound(&node.config.max)?);
    Ok(Box::new(move |inputs| {
        let x = inputs.float(0)?;
        one(match (low, high) {
            (Some(low), Some(high)) => map_ranked!(x, x => x.clamp(low, high)),
            (Some(low), None) => map_ranked!(x, x => x.clamp_min(low)),
            (None, Some(high)) => map_ranked!(x, x => x.clamp_max(high)),
            (None, None) => x,
        })
    }))
}
