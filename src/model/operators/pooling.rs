//! Pooling over any number of spatial dimensions.
//!
//! Maximum and sum over a box are maxima and sums along each side in turn, so that one- and three-dimensional pooling
//! are made of the two-dimensional kernels.

use burn::tensor::{
    Float, Tensor, module,
    ops::{AvgPoolOptions, MaxPoolOptions},
};

use super::{
    Described, Inputs, Kind, Lowering, Node, Operator, Plan, check_size,
    convolution::{Placed, Window},
    float_tensor, host_ints, one,
    reduction::root,
    shape::{padded, picked},
};
use crate::model::value::{Ranked, Value};

/// Batch and channels in one, and the spatial sizes.
fn parts(dims: &[usize]) -> Result<(usize, &[usize]), String> {
    match dims {
        [batch, channels, spatial @ ..] if !spatial.is_empty() && !dims.contains(&0) => {
            Ok((batch * channels, spatial))
        }
        _ => Err(format!("its input of shape {dims:?} has no batch, channels and spatial dimensions")),
    }
}

/// The padding of every dimension, batch and channels included, that lets each window lie inside.
fn room(placed: &Placed) -> Vec<(i64, i64)> {
    let mut amounts = vec![(0, 0); 2];
    for (&(before, after), &beyond) in placed.pads.iter().zip(&placed.beyond) {
        amounts.push((before as i64, (after + beyond) as i64));
    }
    amounts
}

/// Applies a two-dimensional pooling along the last two spatial dimensions, then along each one before.
fn separately(
    x: Ranked<Float>,
    placed: &Placed,
    pool: impl Fn(Tensor<4>, [usize; 2], [usize; 2], [usize; 2]) -> Tensor<4>,
) -> Result<Ranked<Float>, String> {
    let dims = x.dims();
    let rank = dims.len() - 2;
    let failed = || "its input cannot be pooled".to_owned();
    let mut sizes = dims.clone();
    let mut x = x;
    let mut axis = rank;
    while axis > 0 {
        // Two axes at once where there are two left, else one.
        let pair = axis >= 2 && axis == rank;
        let first = if pair { axis - 2 } else { axis - 1 };
        let before: usize = sizes[..first + 2].iter().product();
        let (height, width) = if pair {
            (sizes[axis], sizes[axis + 1])
        } else {
            (sizes[axis + 1], sizes[axis + 2..].iter().product())
        };
        let side = |values: &[usize], neutral: usize| {
            if pair { [values[axis - 2], values[axis - 1]] } else { [values[axis - 1], neutral] }
        };
        let flat: Tensor<4> =
            x.reshape(&[before, 1, height, width]).and_then(|x| x.get()).ok_or_else(failed)?;
        let pooled =
            pool(flat, side(&placed.kernel, 1), side(&placed.strides, 1), side(&placed.dilations, 1));
        let [.., height, width] = pooled.dims();
        if pair {
            (sizes[axis], sizes[axis + 1]) = (height, width);
            axis -= 2;
        } else {
            sizes[axis + 1] = height;
            axis -= 1;
        }
        x = Ranked::from(pooled).reshape(&sizes).ok_or_else(failed)?;
    }
    Ok(x)
}

/// The sum over each window of an input that is padded already.
fn window_sums(x: Ranked<Float>, placed: &Placed) -> Result<Ranked<Float>, String> {
    separately(x, placed, |x, kernel, strides, dilations| {
        let area = (kernel[0] * kernel[1]) as f32;
        if dilations == [1, 1] {
            let mut options = AvgPoolOptions::new(kernel);
            options.stride = strides;
            return module::avg_pool2d(x, options) * area;
        }
        let ones = Tensor::ones([1, 1, kernel[0], kernel[1]], &x.device().inner());
        module::conv2d(x, ones, None, burn::tensor::ops::ConvOptions::new(strides, [0, 0], dilations, 1))
    })
}

/// How many elements of the input (and of its padding, where that counts) each window holds.
fn window_counts(input: &[usize], placed: &Placed, with_padding: bool) -> Vec<f32> {
    let rank = input.len();
    let along = |i: usize| -> Vec<f32> {
        (0..placed.output[i])
            .map(|at| {
                let start = at * placed.strides[i];
                let (low, high) = if with_padding {
                    (0, input[i] + placed.pads[i].0 + placed.pads[i].1)
                } else {
                    (placed.pads[i].0, input[i] + placed.pads[i].0)
                };
                // The window's elements before a place.
                let before = |place: usize| {
                    place.saturating_sub(start).div_ceil(placed.dilations[i]).min(placed.kernel[i])
                };
                (before(high) - before(low)).max(1) as f32
            })
            .collect()
    };
    let mut counts = vec![1.0];
    for i in 0..rank {
        let side = along(i);
        counts = counts.iter().flat_map(|count| side.iter().map(move |here| count * here)).collect();
    }
    counts
}

/// `AveragePool`.
pub(super) fn average(node: &Node) -> Described {
    let window = Window::of(node)?;
    let with_padding = node.flag("count_include_pad", false)?;
    let lowering = Lowering::AveragePool { window: window.clone(), with_padding };
    let average = Operator::new(Kind::Average, move |inputs| {
        one(averaged(inputs.float(0)?, &window, with_padding, inputs)?)
    });
    Ok(average.pools().lowers(lowering))
}

/// The mean of each window.
pub(super) fn averaged(
    x: Ranked<Float>,
    window: &Window,
    with_padding: bool,
    inputs: &Inputs,
) -> Result<Ranked<Float>, String> {
    let dims = x.dims();
    let (_, spatial) = parts(&dims)?;
    let placed = window.on(spatial, None)?;
    let amounts = room(&placed);
    let counts = window_counts(spatial, &placed, with_padding);
    let Value::Float(x) = padded(Value::Float(x), &amounts, 0.0)? else {
        return Err("its input is not real".into());
    };
    let sums = window_sums(x, &placed)?;
    // Every window full: the usual case needs no map of counts.
    if counts.iter().all(|&count| count == counts[0]) {
        return Ok(sums / counts[0]);
    }
    let mut wide = vec![1, 1];
    wide.extend(&placed.output);
    Ok(sums / float_tensor(counts, &wide, inputs.device())?)
}

/// `LpPool`: the p-norm of each window.
pub(super) fn lp(node: &Node) -> Described {
    let window = Window::of(node)?;
    let p = node.positive("p", 2)? as f32;
    Ok(Operator::new(Kind::Other, move |inputs| {
        let x = inputs.float(0)?;
        let dims = x.dims();
        let placed = window.on(parts(&dims)?.1, None)?;
        let powers = x.abs().powf_scalar(p);
        let Value::Float(powers) = padded(Value::Float(powers), &room(&placed), 0.0)? else {
            return Err("its input is not real".into());
        };
        one(root(window_sums(powers, &placed)?, p))
    }))
}

/// `MaxPool`, and the places of the maxima where they are asked for.
pub(super) fn max(node: &Node) -> Described {
    let window = Window::of(node)?;
    let with_indices = node.writes(1);
    let column_first = node.int("storage_order", 0)? == 1;
    let lowering = Lowering::MaxPool(window.clone());
    Ok(Operator::new(Kind::Maximum, move |inputs| {
        let x = match inputs.value(0)? {
            Value::Float(x) => x,
            Value::Int(x) => x.float(),
            Value::Bool(_) => return Err("its input must hold numbers".into()),
        };
        let whole = matches!(inputs.raw(0)?, Value::Int(_));
        let dims = x.dims();
        let (_, spatial) = parts(&dims)?;
        let placed = window.on(spatial, None)?;
        if with_indices {
            let mut results = with_places(x, &placed, spatial, column_first)?;
            if let (true, Value::Float(maxima)) = (whole, results[0].clone()) {
                results[0] = Value::Int(maxima.int());
            }
            return Ok(results);
        }
        let amounts = room(&placed);
        // Burn's own padding of a maximum is that by minus infinity, and evenly on both sides it costs nothing.
        let even = placed.pads.len() == 2
            && placed.beyond == [0, 0]
            && placed.pads.iter().all(|(before, after)| before == after);
        let pooled = if even {
            let flat = |x: Ranked<Float>| x.get::<4>().ok_or("its input cannot be pooled");
            let options = MaxPoolOptions {
                kernel_size: [placed.kernel[0], placed.kernel[1]],
                stride: [placed.strides[0], placed.strides[1]],
                padding: [placed.pads[0], placed.pads[1]],
                dilation: [placed.dilations[0], placed.dilations[1]],
                ceil_mode: false,
            };
            Ranked::from(module::max_pool2d(flat(x)?, options))
        } else {
            let Value::Float(x) = padded(Value::Float(x), &amounts, f32::MIN)? else {
                return Err("its input is not real".into());
            };
            separately(x, &placed, |x, kernel_size, stride, dilation| {
                let padding = [(0, 0); 2];
                module::max_pool2d(
                    x,
                    MaxPoolOptions { kernel_size, stride, padding, dilation, ceil_mode: false },
                )
            })?
        };
        match whole {
            true => one(pooled.int()),
            false => one(pooled),
        }
    })
    .pools()
    .lowers(lowering))
}

/// Maxima with their places in the flattened input, which are found on the host, for the few graphs that ask; the values
/// are picked there by tensors, so that a gradient passes.
fn with_places(
    x: Ranked<Float>,
    placed: &Placed,
    spatial: &[usize],
    column_first: bool,
) -> Result<Vec<Value>, String> {
    if x.device() != burn::tensor::Device::flex() {
        return Err("its second output, the places of the maxima, is computed on the CPU only".into());
    }
    let dims = x.dims();
    let values: Vec<f32> =
        x.clone().inner().into_data().try_into_vec().map_err(|_| "its input cannot be read")?;
    let plane: usize = spatial.iter().product();
    let outputs: usize = placed.output.iter().product();
    let mut output_dims = dims[..2].to_vec();
    output_dims.extend(&placed.output);
    check_size(&output_dims)?;
    let rank = spatial.len();
    let coordinates = |mut flat: usize, sizes: &[usize]| {
        let mut place = vec![0; sizes.len()];
        for i in (0..sizes.len()).rev() {
            (place[i], flat) = (flat % sizes[i], flat / sizes[i]);
        }
        place
    };
    let window: usize = placed.kernel.iter().product();
    let (mut maxima, mut places): (Vec<i64>, Vec<i64>) = (Vec::new(), Vec::new());
    for channel in 0..dims[0] * dims[1] {
        for output in 0..outputs {
            let corner = coordinates(output, &placed.output);
            let mut best: Option<(f32, usize, usize)> = None;
            for step in 0..window {
                let step = coordinates(step, &placed.kernel);
                let place: Option<Vec<usize>> = (0..rank)
                    .map(|i| {
                        let place = corner[i] * placed.strides[i] + step[i] * placed.dilations[i];
                        place.checked_sub(placed.pads[i].0).filter(|&place| place < spatial[i])
                    })
                    .collect();
                let Some(place) = place else { continue };
                let flat = place.iter().zip(spatial).fold(0, |flat, (place, size)| flat * size + place);
                let value = values[channel * plane + flat];
                if best.is_none_or(|(best, ..)| value > best) {
                    let named = match column_first {
                        false => flat,
                        true => {
                            place.iter().zip(spatial).rev().fold(0, |flat, (place, size)| flat * size + place)
                        }
                    };
                    best = Some((value, flat, named));
                }
            }
            let (_, flat, named) = best.ok_or("one of its windows lies in its padding alone")?;
            maxima.push((channel * plane + flat) as i64);
            places.push((channel * plane + named) as i64);
        }
    }
    let maxima = picked(Value::from(x.flat()), 0, &maxima).reshape(&output_dims)?;
    Ok(vec![maxima, host_ints(places, &output_dims)?])
}

/// Reduces every spatial dimension to size 1.
pub(super) fn global(
    x: Ranked<Float>,
    reduce: impl Fn(Ranked<Float>) -> Ranked<Float>,
) -> Result<Ranked<Float>, String> {
    let dims = x.dims();
    let (_, spatial) = parts(&dims)?;
    let flat = [dims[0], dims[1], spatial.iter().product()];
    let flat = x.reshape(&flat).ok_or("its input cannot be pooled")?;
    let mut small = dims.clone();
    small[2..].fill(1);
    reduce(flat).reshape(&small).ok_or_else(|| "its input cannot be pooled".into())
}

pub(super) fn global_average(_: &Node) -> Described {
    Ok(Operator::new(Kind::Average, |inputs| one(global(inputs.float(0)?, |x| x.mean_dim(2))?))
        .pools()
        .lowers(Lowering::GlobalAverage))
}

pub(super) fn global_max(_: &Node) -> Described {
    Ok(Operator::new(Kind::Maximum, |inputs| one(global(inputs.float(0)?, |x| x.max_dim(2))?)).pools())
}

pub(super) fn global_lp(node: &Node) -> Plan {
    let p = node.positive("p", 2)? as f32;
    Ok(Box::new(move |inputs| one(global(inputs.float(0)?, |x| root(x.abs().powf_scalar(p).sum_dim(2), p))?)))
}

/// `MaxUnpool`: what `MaxPool` found, back at its places, zeros around it. The places are those in the whole result.
pub(super) fn max_unpool(node: &Node) -> Plan {
    let kernel = node.positives("kernel_shape")?.ok_or("its kernel_shape is missing")?;
    let strides = node.positives("strides")?.unwrap_or_else(|| vec![1; kernel.len()]);
    let pads = node.ints("pads")?.unwrap_or_else(|| vec![0; 2 * kernel.len()]);
    if strides.len() != kernel.len() || pads.len() != 2 * kernel.len() {
        return Err("its kernel_shape, strides and pads do not go together".into());
    }
    Ok(Box::new(move |inputs| {
        let x = inputs.float(0)?;
        let dims = x.dims();
        let (_, spatial) = parts(&dims)?;
        if spatial.len() != kernel.len() {
            return Err(format!("its kernel {kernel:?} does not fit an input of shape {dims:?}"));
        }
        let mut whole = dims[..2].to_vec();
        for (at, &size) in spatial.iter().enumerate() {
            let reach = (size - 1).checked_mul(strides[at]).and_then(|reach| reach.checked_add(kernel[at]));
            let reach =
                reach.and_then(|reach| i64::try_from(reach).ok()).ok_or("its strides are too large")?;
            let padding = pads[at].saturating_add(pads[at + spatial.len()]);
            let size = usize::try_from(reach.saturating_sub(padding)).ok().filter(|&size| size > 0);
            whole.push(size.ok_or("its pads remove everything")?);
        }
        check_size(&whole)?;
        if inputs.raw(1)?.dims() != dims {
            return Err(format!("its places of shape {:?} are not those of {dims:?}", inputs.raw(1)?.dims()));
        }
        let count: usize = whole.iter().product();
        // Where windows overlap, one maximum may lie in several: it is written once.
        let mut last = std::collections::BTreeMap::new();
        for (index, place) in inputs.ints(1)?.into_iter().enumerate() {
            if !(0..count as i64).contains(&place) {
                return Err(format!("its place {place} is beyond a size of {count}"));
            }
            last.insert(place, index as i64);
        }
        let (places, from): (Vec<i64>, Vec<i64>) = last.into_iter().unzip();
        let device = x.device();
        let indices = |values: &[i64]| Tensor::<1, burn::tensor::Int>::from_data(values, &device);
        let flat = x.flat().select(0, indices(&from));
        let blank = float_tensor(vec![0.0; count], &[count], inputs.device())?.flat();
        let written = blank.scatter(0, indices(&places), flat, burn::tensor::IndexingUpdateOp::Add);
        let y = Value::from(written).reshape(&whole)?;
        if !inputs.has(2) {
            return one(y);
        }
        let wanted = super::shape::sizes(&inputs.ints(2)?)?;
        if wanted.len() != whole.len() || wanted.iter().zip(&whole).any(|(wanted, size)| wanted < size) {
            return Err(format!("its result of shape {whole:?} does not lie in one of {wanted:?}"));
        }
        let more: Vec<(i64, i64)> =
            wanted.iter().zip(&whole).map(|(wanted, size)| (0, (wanted - size) as i64)).collect();
        one(padded(y, &more, 0.0)?)
    }))
}
