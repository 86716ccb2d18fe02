//! Normalisation by means and variances.

use burn::tensor::{Float, Tensor};

use super::{Described, Inputs, Kind, Node, Operator, Plan, axis, one, reduction::root};
use crate::model::value::{Ranked, Value};

/// One value a channel, shaped so that it broadcasts over an input of rank `rank`.
fn per_channel(values: Ranked<Float>, channels: usize, rank: usize) -> Result<Ranked<Float>, String> {
    if values.len() != channels {
        return Err(format!("it has {} values for {channels} channels", values.len()));
    }
    let mut dims = vec![1; rank];
    dims[1] = channels;
    values.reshape(&dims).ok_or_else(|| "its input has too many dimensions".into())
}

fn channels(dims: &[usize]) -> Result<usize, String> {
    match dims {
        [_, channels, ..] if !dims.contains(&0) => Ok(*channels),
        _ => Err(format!("its input of shape {dims:?} has no channels")),
    }
}

/// `x * scale + shift` with one scale and shift a channel.
fn affine(x: Ranked<Float>, scale: Ranked<Float>, shift: Ranked<Float>) -> Result<Ranked<Float>, String> {
    let dims = x.dims();
    let count = channels(&dims)?;
    let scale = per_channel(scale, count, dims.len())?;
    let shift = per_channel(shift, count, dims.len())?;
    Ok(x * scale + shift)
}

/// Whether a `BatchNormalization` takes the statistics of the batch at hand instead of those that training has left. Each
/// operator set says it in another way: by `is_test`, by the outputs for the new statistics, by `training_mode`.
pub(in crate::model) fn is_training(node: &Node) -> Result<bool, String> {
    match node.opset {
        ..7 => Ok(!node.flag("is_test", false)?),
        7..14 => Ok((1..node.proto.output.len()).any(|index| node.writes(index))),
        _ => node.flag("training_mode", false),
    }
}

/// `BatchNormalization` with the statistics that training has left, or in training mode with those of the batch at hand.
pub(super) fn batch(node: &Node) -> Described {
    let epsilon = node.float("epsilon", 1e-5)?;
    let momentum = node.float("momentum", 0.9)?;
    let training = is_training(node)?;
    // With statistics of its own it is no fixed scale and shift, and its samples depend on each other.
    let kind = if training { Kind::Other } else { Kind::BatchNormalization };
    // Statistics of each place instead of each channel: until operator set 9.
    let placewise = node.opset < 9 && !node.flag("spatial", true)?;
    let (outputs, newer) = (node.proto.output.len(), node.opset >= 14);
    let mut normalization = Operator::new(kind, move |inputs| {
        let x = inputs.float(0)?;
        let dims = x.dims();
        // Samples without channels have one.
        let x = match dims[..] {
            [samples] => x.reshape(&[samples, 1]).ok_or("its input is empty")?,
            _ => x,
        };
        let shape = x.dims();
        let count = channels(&shape)?;
        let wide = match placewise {
            true => [&[1], &shape[1..]].concat(),
            false => {
                let mut wide = vec![1; shape.len()];
                wide[1] = count;
                wide
            }
        };
        let given = |index: usize| {
            let values = inputs.float(index)?;
            let have = values.dims();
            values.reshape(&wide).ok_or_else(|| {
                format!("its input {index} of shape {have:?} does not fit an input of shape {shape:?}")
            })
        };
        let (scale, shift) = (given(1)?, given(2)?);
        if !training {
            let (mean, variance) = (given(3)?, given(4)?);
            let factor = scale / (variance + epsilon).sqrt();
            let shift = shift - mean * factor.clone();
            return one((x * factor + shift).reshape(&dims).ok_or("its input is empty")?);
        }
        let across: Vec<usize> =
            (0..shape.len()).filter(|&axis| axis == 0 || (!placewise && axis > 1)).collect();
        let average = |x: Ranked<Float>| across.iter().fold(x, |x, &axis| x.mean_dim(axis));
        let mean = average(x.clone());
        let centred = x - mean.clone();
        let variance = average(centred.clone() * centred.clone());
        let normal = centred / (variance.clone() + epsilon).sqrt();
        let y = (normal * scale + shift).reshape(&dims).ok_or("its input is empty")?;
        let mut results: Vec<Value> = vec![y.into()];
        let small: Vec<usize> = if placewise { shape[1..].to_vec() } else { vec![count] };
        let statistic = |x: Ranked<Float>| x.reshape(&small).ok_or("its input is empty");
        let news = [statistic(mean)?, statistic(variance)?];
        for (index, now) in news.iter().enumerate().take(outputs.saturating_sub(1)) {
            let before = inputs.float(3 + index)?;
            let before = before.reshape(&small).ok_or("its mean and variance do not fit its input")?;
            results.push((before * momentum + now.clone() * (1.0 - momentum)).into());
        }
        // Older operator sets give those of the batch, too.
        if !newer {
            results.extend(news.into_iter().take(outputs.saturating_sub(3)).map(Value::from));
        }
        Ok(results)
    });
    normalization.properties.mixes_samples = training;
    Ok(normalization.learns(1..3))
}

/// What is divided by, cut off from the gradient where it is held.
pub(super) fn kept(inverse: Tensor<2>, held: bool) -> Tensor<2> {
    if held { inverse.detach() } else { inverse }
}

/// Both kernels of a normalisation: as it is, and with the deviation held on the way back.
pub(super) fn holding(kind: Kind, kernel: impl Fn(bool) -> super::Kernel) -> Operator {
    Operator::of(kind, kernel(false)).holding(kernel(true))
}

/// Rows brought to mean zero and variance one; also the means and the inverse deviations, `[rows, 1]`.
pub(super) fn standardized(rows: Tensor<2>, epsilon: f32, held: bool) -> (Tensor<2>, Tensor<2>, Tensor<2>) {
    let mean = rows.clone().mean_dim(1);
    let centred = rows - mean.clone();
    let variance = (centred.clone() * centred.clone()).mean_dim(1);
    let inverse = kept((variance + epsilon).sqrt().recip(), held);
    (centred * inverse.clone(), mean, inverse)
}

pub(super) fn rows_of(x: Ranked<Float>, rows: usize) -> Result<Tensor<2>, String> {
    let count = x.len();
    let columns = count.checked_div(rows).filter(|&columns| columns > 0 && columns * rows == count);
    columns
        .and_then(|columns| x.reshape(&[rows, columns]))
        .and_then(|x| x.get())
        .ok_or_else(|| "its input does not divide into groups".into())
}

pub(super) fn back(rows: Tensor<2>, dims: &[usize]) -> Result<Ranked<Float>, String> {
    Ranked::from(rows).reshape(dims).ok_or_else(|| super::too_many(dims))
}

pub(super) fn instance(node: &Node) -> Described {
    let epsilon = node.float("epsilon", 1e-5)?;
    Ok(holding(Kind::Other, |held| {
        Box::new(move |inputs| {
            let x = inputs.float(0)?;
            let dims = x.dims();
            let count = channels(&dims)?;
            let (normal, ..) = standardized(rows_of(x, dims[0] * count)?, epsilon, held);
            one(affine(back(normal, &dims)?, inputs.float(1)?, inputs.float(2)?)?)
        })
    }))
}

/// `GroupNormalization`; scale and bias are one a group before opset 21, one a channel since.
pub(super) fn group(node: &Node) -> Described {
    let epsilon = node.float("epsilon", 1e-5)?;
    let groups = node.positive("num_groups", 1)?;
    Ok(holding(Kind::Other, |held| {
        Box::new(move |inputs| {
            let x = inputs.float(0)?;
            let dims = x.dims();
            let count = channels(&dims)?;
            if count % groups != 0 {
                return Err(format!("{groups} groups do not divide {count} channels"));
            }
            let (normal, ..) = standardized(rows_of(x, dims[0] * groups)?, epsilon, held);
            let normal = back(normal, &dims)?;
            let wide = |values: Ranked<Float>| -> Result<Ranked<Float>, String> {
                if values.len() == count {
                    return Ok(values);
                }
                let grouped: Tensor<2> =
                values.reshape(&[groups, 1]).and_then(|values| values.get()).ok_or_else(|| {
                    format!(
                        "its scale and bias are neither one a group ({groups}) nor one a channel ({count})"
                    )
                })?;
                Ok(Ranked::from(grouped.expand([groups, count / groups]).reshape([count])))
            };
            one(affine(normal, wide(inputs.float(1)?)?, wide(inputs.float(2)?)?)?)
        })
    }))
}

/// Scale and optional bias of the last dimensions.
fn scaled(normal: Ranked<Float>, inputs: &Inputs) -> Result<Ranked<Float>, String> {
    let rank = normal.rank();
    let wide = |index: usize| -> Result<Ranked<Float>, String> {
        let values = inputs.float(index)?;
        let dims = values.dims();
        let fits = values.clone().with_rank(rank).is_some_and(|values| {
            values.dims().iter().zip(normal.dims()).all(|(&have, want)| have == want || have == 1)
        });
        match values.with_rank(rank) {
            Some(values) if fits => Ok(values),
            _ => Err(format!("its scale or bias of shape {dims:?} does not fit its input")),
        }
    };
    let scale = wide(1)?;
    let bias = if inputs.has(2) { Some(wide(2)?) } else { None };
    let scaled = normal * scale;
    match bias {
        Some(bias) => Ok(scaled + bias),
        None => Ok(scaled),
    }
}

/// `LayerNormalization` over the dimensions from `axis` on, with mean and inverse deviation where they are asked for.
pub(super) fn layer(node: &Node) -> Described {
    let epsilon = node.float("epsilon", 1e-5)?;
    let given = node.int("axis", -1)?;
    let outputs = node.proto.output.len();
    Ok(holding(Kind::Other, |held| {
        Box::new(move |inputs| {
            let x = inputs.float(0)?;
            let dims = x.dims();
            let axis = axis(given, dims.len())?;
            let rows: usize = dims[..axis].iter().product();
            let (normal, mean, inverse) = standardized(rows_of(x, rows)?, epsilon, held);
            let mut small = dims.clone();
            small[axis..].fill(1);
            let mut results = one(scaled(back(normal, &dims)?, inputs)?)?;
            for extra in [mean, inverse].into_iter().take(outputs.saturating_sub(1)) {
                results.push(back(extra, &small)?.into());
            }
            Ok(results)
        })
    })
    .learns(1..3))
}

/// `RMSNormalization` over the dimensions from `axis` on.
pub(super) fn root_mean_square(node: &Node) -> Described {
    let epsilon = node.float("epsilon", 1e-5)?;
    let given = node.int("axis", -1)?;
    Ok(holding(Kind::Other, |held| {
        Box::new(move |inputs| {
            let x = inputs.float(0)?;
            let dims = x.dims();
            let rows: usize = dims[..axis(given, dims.len())?].iter().product();
            let x = rows_of(x, rows)?;
            let inverse = kept(((x.clone() * x.clone()).mean_dim(1) + epsilon).sqrt().recip(), held);
            one(scaled(back(x * inverse, &dims)?, inputs)?)
        })
    }))
}

/// `LRN`: each value over a power of the squares of its neighbours among the channels.
pub(super) fn local_response(node: &Node) -> Plan {
    if !node.has("size") {
        return Err("its size is missing".into());
    }
    let size = node.positive("size", 1)?;
    let (alpha, beta, bias) =
        (node.float("alpha", 1e-4)?, node.float("beta", 0.75)?, node.float("bias", 1.0)?);
    // Burn takes no larger exponent.
    if beta.is_nan() || beta.abs() >= 1e9 {
        return Err(format!("its beta is {beta}"));
    }
    Ok(Box::new(move |inputs| {
        let x = inputs.float(0)?;
        let dims = x.dims();
        let count = channels(&dims)?;
        let plane: usize = dims[2..].iter().product();
        let flat: Tensor<3> =
            x.reshape(&[dims[0], count, plane]).and_then(|x| x.get()).ok_or("its input is empty")?;
        // What lies beyond the channels adds nothing.
        let before = ((size - 1) / 2).min(count - 1);
        let after = (size - 1 - (size - 1) / 2).min(count - 1);
        let squares = (flat.clone() * flat.clone())
            .pad([(0, 0), (before, after), (0, 0)], burn::tensor::ops::PadMode::Constant(0.0));
        let mut sum = flat.zeros_like();
        for shift in 0..=before + after {
            sum = sum + squares.clone().slice_dim(1, shift as i64..(shift + count) as i64);
        }
        let scale = (sum * (alpha / size as f32) + bias).powf_scalar(-beta);
        one(Ranked::from(flat * scale).reshape(&dims).ok_or_else(|| super::too_many(&dims))?)
    }))
}

/// `LpNormalization`: divided by the 1- or 2-norm along an axis.
pub(super) fn lp(node: &Node) -> Plan {
    let given = node.int("axis", -1)?;
    let p = node.int("p", 2)?;
    if ![1, 2].contains(&p) {
        return Err(format!("its p is {p}, and ONNX has 1 and 2"));
    }
    Ok(Box::new(move |inputs| {
        let x = inputs.float(0)?;
        let axis = axis(given, x.rank())?;
        let norm = match p {
            1 => x.clone().abs().sum_dim(axis),
            _ => root((x.clone() * x.clone()).sum_dim(axis), 2.0),
        };
        // A row of zeros stays one.
        let empty = norm.clone().equal_elem(0.0).float();
        one(x / (norm + empty))
    }))
}

/// `MeanVarianceNormalization`; by its default, and wherever axis 0 is among the axes, over all samples together.
pub(super) fn mean_variance(node: &Node) -> Described {
    let given = node.ints("axes")?.unwrap_or_else(|| vec![0, 2, 3]);
    let over_samples = given.contains(&0);
    let mut normalization = Operator::new(Kind::Other, move |inputs| {
        let mut mean = inputs.float(0)?;
        let x = mean.clone();
        let axes = super::axes(&given, x.rank())?;
        for &axis in &axes {
            mean = mean.mean_dim(axis);
        }
        let centred = x - mean;
        let mut variance = centred.clone() * centred.clone();
        for &axis in &axes {
            variance = variance.mean_dim(axis);
        }
        one(centred / (root(variance, 2.0) + 1e-9))
    });
    normalization.properties.mixes_samples = over_samples;
    Ok(normalization)
}
