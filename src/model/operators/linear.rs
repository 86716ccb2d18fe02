//! Fully connected layers: Gemm, and the `Linear` that onnx-ir makes of a Gemm or MatMul with constant weights.

use burn::tensor::{Float, Tensor};
use onnx_ir::node::{gemm::GemmNode, linear::LinearNode};

use super::{Plan, one};
use crate::model::value::Ranked;

/// `y = x W + b`, weights stored `[in, out]`, or `[out, in]` where `transpose_weight` says so.
pub(super) fn linear(node: &LinearNode) -> Plan {
    let transpose = node.config.transpose_weight;
    Ok(Box::new(move |inputs| {
        let (x, weight) = (inputs.float(0)?, inputs.tensor::<2>(1)?);
        let weight = if transpose { weight.transpose() } else { weight };
        let mut dims = x.dims();
        let [features, outputs] = weight.dims();
        if dims.last() != Some(&features) {
            return Err(format!("its weights take {features} features, but the input has shape {dims:?}"));
        }
        let rows = dims.iter().product::<usize>() / features.max(1);
        let x = x.reshape(&[rows, features]).and_then(|x| x.get::<2>()).ok_or("its input is empty")?;
        let mut y = x.matmul(weight);
        if let Some(bias) = inputs.optional::<1>(2)? {
            if bias.dims() != [outputs] {
                return Err(format!("its bias has {:?} values for {outputs} outputs", bias.dims()));
            }
            y = y + bias.unsqueeze();
        }
        *dims.last_mut().ok_or("its input has no dimension")? = outputs;
        one(Ranked::<Float>::D2(y).reshape(&dims).ok_or("its output has too many dimensions")?)
    }))
}

/// `Y = alpha A' B' + beta C`, `C` broadcast to the product.
pub(super) fn gemm(node: &GemmNode) -> Plan {
    let config = node.config.clone();
    Ok(Box::new(move |inputs| {
        let turned = |matrix: Tensor<2>, turn: i64| if turn == 0 { matrix } else { matrix.transpose() };
        let a = turned(inputs.tensor::<2>(0)?, config.trans_a);
        let b = turned(inputs.tensor::<2>(1)?, config.trans_b);
        if a.dims()[1] != b.dims()[0] {
            return Err(format!("its matrices {:?} and {:?} do not multiply", a.dims(), b.dims()));
        }
        let scaled = |matrix: Tensor<2>, by: f32| if by == 1.0 { matrix } else { matrix * by };
        let mut y = scaled(a.matmul(b), config.alpha);
        if inputs.len() > 2 && inputs.0[2].is_some() {
            let c = inputs.float(2)?;
            let shape = c.dims();
            let c = c.with_rank(2).and_then(|c| c.get::<2>()).ok_or("its third input is not a matrix")?;
            let fits = c.dims().iter().zip(y.dims()).all(|(&c, y)| c == y || c == 1);
            if !fits {
                return Err(format!("its third input {shape:?} does not broadcast to {:?}", y.dims()));
            }
            y = y + scaled(c, config.beta);
        }
        one(y)
    }))
}
