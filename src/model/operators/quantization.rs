//! Whole numbers with a scale, and back.
//!
//! Quantised values are kept as real numbers without a fraction, and the gradient passes rounding as if it were not
//! there (the straight-through estimator), so that quantised networks can be explained by gradients too.

use burn::tensor::{Float, Int, Tensor};

use super::{Described, Inputs, Kind, Node, Operator, axis, one};
use crate::model::{
    element::Element,
    value::{Ranked, Value},
};

pub(super) fn real(value: Ranked<Int>) -> Ranked<Float> {
    value.float()
}

/// Rounded to even; the gradient passes. The sum is exact, because a number and its rounding are so near that their
/// difference is.
pub(super) fn rounded(value: Ranked<Float>) -> Ranked<Float> {
    let step = (value.clone().round() - value.clone()).detach();
    value + step
}

/// Which inputs make up a quantised value.
pub(super) struct Quantized {
    pub value: usize,
    pub scale: Option<usize>,
    pub zero: Option<usize>,
    /// The axis that several scales or zero points are spread along.
    pub axis: Option<usize>,
}

/// A scale or zero point shaped so that it broadcasts: one number, one an index of an axis, or one a block.
fn spread(
    values: Ranked<Float>,
    dims: &[usize],
    along: Option<usize>,
    block: usize,
) -> Result<Ranked<Float>, String> {
    let shape = values.dims();
    let misfit =
        || format!("its scale or zero point of shape {shape:?} does not fit a value of shape {dims:?}");
    if values.len() == 1 {
        return values.reshape(&vec![1; dims.len()]).ok_or_else(misfit);
    }
    let axis = along.filter(|&axis| axis < dims.len()).ok_or_else(misfit)?;
    if values.is_empty() || dims.contains(&0) {
        return Err(misfit());
    }
    if block > 0 {
        // Each scale holds for a block of neighbours along the axis.
        if shape.len() != dims.len() {
            return Err(misfit());
        }
        let indices: Vec<i64> = (0..dims[axis]).map(|at| (at / block) as i64).collect();
        if indices.last().is_some_and(|&last| last as usize >= shape[axis]) {
            return Err(misfit());
        }
        return match super::shape::picked(Value::Float(values), axis, &indices) {
            Value::Float(values) if values.dims() == dims => Ok(values),
            _ => Err(misfit()),
        };
    }
    if shape.len() == dims.len() && shape.iter().zip(dims).all(|(have, want)| have == want || *have == 1) {
        return Ok(values);
    }
    if values.len() != dims[axis] {
        return Err(misfit());
    }
    let mut wide = vec![1; dims.len()];
    wide[axis] = dims[axis];
    values.reshape(&wide).ok_or_else(misfit)
}

/// Input `index` as real numbers, of whichever kind it is.
pub(super) fn number(inputs: &Inputs, index: usize) -> Result<Ranked<Float>, String> {
    match inputs.value(index)? {
        Value::Float(value) => Ok(value),
        Value::Int(value) => Ok(real(value)),
        Value::Bool(_) => Err(format!("its input {index} must hold numbers")),
    }
}

/// `(value - zero) * scale`.
pub(super) fn dequantized(inputs: &Inputs, parts: Quantized) -> Result<Ranked<Float>, String> {
    blocks(inputs, parts, 0)
}

fn blocks(inputs: &Inputs, parts: Quantized, block: usize) -> Result<Ranked<Float>, String> {
    let mut value = number(inputs, parts.value)?;
    let dims = value.dims();
    if let Some(zero) = parts.zero.filter(|&zero| inputs.has(zero)) {
        let zero = spread(number(inputs, zero)?, &dims, parts.axis, block)?;
        value = value - zero;
    }
    if let Some(scale) = parts.scale {
        let scale = spread(number(inputs, scale)?, &dims, parts.axis, block)?;
        value = value * scale;
    }
    Ok(value)
}

fn block_size(node: &Node) -> Result<usize, String> {
    usize::try_from(node.int("block_size", 0)?).map_err(|_| "its block_size is negative".into())
}

pub(super) fn dequantize(node: &Node) -> Described {
    let given = node.int("axis", 1)?;
    let block = block_size(node)?;
    Ok(Operator::new(Kind::Quantization, move |inputs| {
        let along = axis(given, inputs.raw(0)?.rank()).ok();
        one(blocks(inputs, Quantized { value: 0, scale: Some(1), zero: Some(2), axis: along }, block)?)
    })
    .gives(Some(Element::F32)))
}

/// Divided by the scale, rounded to even, moved by the zero point, and kept in the range of the type.
pub(super) fn quantized(
    value: Ranked<Float>,
    scale: Ranked<Float>,
    zero: Option<Ranked<Float>>,
    element: Element,
) -> Result<Value, String> {
    let (low, high) = element.range().ok_or_else(|| format!("it quantises to {}", element.name()))?;
    let whole = rounded(value / scale);
    let moved = match zero {
        Some(zero) => whole + zero,
        None => whole,
    };
    Ok(Value::Float(moved.clamp(low as f32, high as f32)))
}

/// Quantises with the scale and zero point at these inputs.
pub(super) fn requantized(
    inputs: &Inputs,
    value: Ranked<Float>,
    scale: usize,
    zero: usize,
    element: Option<Element>,
) -> Result<Value, String> {
    let dims = value.dims();
    let scale = spread(number(inputs, scale)?, &dims, None, 0)?;
    let zero = match inputs.has(zero) {
        true => Some(spread(number(inputs, zero)?, &dims, None, 0)?),
        false => None,
    };
    quantized(value, scale, zero, element.unwrap_or(Element::U8))
}

pub(super) fn quantize(node: &Node) -> Described {
    let given = node.int("axis", 1)?;
    let block = block_size(node)?;
    let element = match (node.int("output_dtype", 0)?, node.element(2)) {
        (0, Some(element)) => element,
        (0, None) => Element::U8,
        (number, _) => Element::from_onnx(i32::try_from(number).unwrap_or(0))
            .map_err(|name| format!("it quantises to {name}"))?,
    };
    if element.range().is_none() {
        return Err(format!("it quantises to {}", element.name()));
    }
    Ok(Operator::new(Kind::Quantization, move |inputs| {
        let value = number(inputs, 0)?;
        let dims = value.dims();
        let along = axis(given, dims.len()).ok();
        let scale = spread(number(inputs, 1)?, &dims, along, block)?;
        let zero = match inputs.has(2) {
            true => Some(spread(number(inputs, 2)?, &dims, along, block)?),
            false => None,
        };
        one(quantized(value, scale, zero, element)?)
    })
    .gives(Some(element)))
}

/// The scale and the zero point of bytes for a value's own range, which always holds zero. The range is a setting, not a
/// function to differentiate: its gradient would fall on the extreme values.
fn own_range(value: &Ranked<Float>) -> Result<(Tensor<1>, Tensor<1>), String> {
    if value.is_empty() {
        return Err("its input is empty".into());
    }
    let flat = value.clone().flat().detach();
    let low = flat.clone().min().clamp_max(0.0);
    let high = flat.max().clamp_min(0.0);
    let scale = (high - low.clone()) / 255.0;
    let zero = (low.neg() / divisor(&scale)).round().clamp(0.0, 255.0);
    Ok((scale, zero))
}

/// A value of zeros alone has no range.
fn divisor(scale: &Tensor<1>) -> Tensor<1> {
    scale.clone() + scale.clone().equal_elem(0.0).float()
}

/// Bytes by the value's own range.
fn as_bytes(value: Ranked<Float>, scale: &Tensor<1>, zero: &Tensor<1>) -> Result<Value, String> {
    let ones = vec![1; value.rank()];
    let wide = |one: Tensor<1>| Ranked::D1(one).reshape(&ones).ok_or("its input is empty");
    quantized(value, wide(divisor(scale))?, Some(wide(zero.clone())?), Element::U8)
}

/// `DynamicQuantizeLinear`: scale and zero point from the value's own range.
pub(super) fn dynamic_quantize(_: &Node) -> Described {
    Ok(Operator::new(Kind::Quantization, |inputs| {
        let value = inputs.float(0)?;
        let (scale, zero) = own_range(&value)?;
        let result = as_bytes(value, &scale, &zero)?;
        Ok(vec![result, Ranked::<Float>::D0(scale).into(), Ranked::<Float>::D0(zero).into()])
    })
    .gives(Some(Element::U8))
    .mixes_samples(true))
}

/// A value as it is after `DynamicQuantizeLinear` and back.
pub(super) fn through_bytes(value: Tensor<2>) -> Result<Tensor<2>, String> {
    let value = Ranked::from(value);
    let (scale, zero) = own_range(&value)?;
    match as_bytes(value, &scale, &zero)? {
        Value::Float(bytes) => {
            let bytes: Tensor<2> = bytes.get().ok_or("its input is no matrix")?;
            Ok((bytes - zero.reshape([1, 1])) * scale.reshape([1, 1]))
        }
        _ => Err("its input is not real".into()),
    }
}
