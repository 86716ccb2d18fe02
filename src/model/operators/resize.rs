//! Changing the size of pictures, and sampling them at computed places.
//!
//! Interpolation along one axis is a matrix that depends on the two sizes alone; a picture is resized by one such
//! product an axis. So every mode of ONNX is exact, runs on every device, and has a gradient.

use burn::tensor::{Float, Tensor};

use super::{
    Described, Inputs, Kind, Node, Operator, Plan, axes, check_size, float_tensor, one,
    shape::{permuted, picked},
};
use crate::model::value::{Ranked, Value};

#[derive(Debug, Clone, Copy, PartialEq)]
enum Mode {
    Nearest,
    Linear,
    Cubic,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Place {
    HalfPixel,
    HalfPixelSymmetric,
    PytorchHalfPixel,
    AlignCorners,
    Asymmetric,
    TfHalfPixelForNearest,
    CropAndResize,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Rounding {
    PreferFloor,
    PreferCeil,
    Floor,
    Ceil,
}

#[derive(Debug, Clone)]
struct Interpolation {
    mode: Mode,
    place: Place,
    rounding: Rounding,
    cubic: f32,
    exclude_outside: bool,
    antialias: bool,
    extrapolation: f32,
}

/// One axis: its sizes, its scale and its region of interest.
#[derive(Debug, Clone, Copy)]
struct Axis {
    input: usize,
    output: usize,
    scale: f32,
    region: (f32, f32),
}

impl Interpolation {
    fn of(node: &Node) -> Result<Self, String> {
        let mode = match node.text("mode", "nearest")?.as_str() {
            "nearest" => Mode::Nearest,
            "linear" | "bilinear" | "trilinear" => Mode::Linear,
            "cubic" => Mode::Cubic,
            other => return Err(format!("its mode \"{other}\" is unknown")),
        };
        // Opset 10 and Upsample have no choice: output pixel i lies at i / scale.
        let old = node.opset < 11 || node.proto.op_type == "Upsample";
        let default = if old { "asymmetric" } else { "half_pixel" };
        let place = match node.text("coordinate_transformation_mode", default)?.as_str() {
            "half_pixel" => Place::HalfPixel,
            "half_pixel_symmetric" => Place::HalfPixelSymmetric,
            "pytorch_half_pixel" => Place::PytorchHalfPixel,
            "align_corners" => Place::AlignCorners,
            "asymmetric" => Place::Asymmetric,
            "tf_half_pixel_for_nn" => Place::TfHalfPixelForNearest,
            "tf_crop_and_resize" => Place::CropAndResize,
            other => return Err(format!("its coordinate_transformation_mode \"{other}\" is unknown")),
        };
        let default = if old { "floor" } else { "round_prefer_floor" };
        let rounding = match node.text("nearest_mode", default)?.as_str() {
            "round_prefer_floor" | "simple" | "" => Rounding::PreferFloor,
            "round_prefer_ceil" => Rounding::PreferCeil,
            "floor" => Rounding::Floor,
            "ceil" => Rounding::Ceil,
            other => return Err(format!("its nearest_mode \"{other}\" is unknown")),
        };
        Ok(Self {
            mode,
            place,
            rounding,
            cubic: node.float("cubic_coeff_a", -0.75)?,
            exclude_outside: node.flag("exclude_outside", false)?,
            antialias: node.flag("antialias", false)?,
            extrapolation: node.float("extrapolation_value", 0.0)?,
        })
    }

    /// Where output pixel `at` lies among the input's.
    fn source(&self, at: usize, axis: Axis) -> f32 {
        let (x, scale) = (at as f32, axis.scale);
        let (input, output) = (axis.input as f32, axis.output as f32);
        match self.place {
            Place::HalfPixel => (x + 0.5) / scale - 0.5,
            Place::HalfPixelSymmetric => {
                // The output that the scale asks for may be no whole number of pixels.
                let adjustment = output / (scale * input);
                let offset = input / 2.0 * (1.0 - adjustment);
                offset + (x + 0.5) / scale - 0.5
            }
            Place::PytorchHalfPixel if axis.output == 1 => 0.0,
            Place::PytorchHalfPixel => (x + 0.5) / scale - 0.5,
            Place::AlignCorners if axis.output == 1 => 0.0,
            // The size that the scale asks for, before it was cut to whole pixels.
            Place::AlignCorners => x * (input - 1.0) / (scale * input - 1.0),
            Place::Asymmetric => x / scale,
            Place::TfHalfPixelForNearest => (x + 0.5) / scale,
            Place::CropAndResize => {
                let (start, end) = axis.region;
                if axis.output > 1 {
                    start * (input - 1.0) + x * (end - start) * (input - 1.0) / (output - 1.0)
                } else {
                    0.5 * (start + end) * (input - 1.0)
                }
            }
        }
    }

    fn nearest(&self, source: f32) -> i64 {
        (match self.rounding {
            Rounding::PreferFloor => (source - 0.5).ceil(),
            Rounding::PreferCeil => (source + 0.5).floor(),
            Rounding::Floor => source.floor(),
            Rounding::Ceil => source.ceil(),
        }) as i64
    }

    /// The weight of an input pixel at a distance.
    fn kernel(&self, distance: f32) -> f32 {
        let x = distance.abs();
        match self.mode {
            Mode::Nearest | Mode::Linear => (1.0 - x).max(0.0),
            Mode::Cubic => {
                let a = self.cubic;
                if x <= 1.0 {
                    ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0
                } else if x < 2.0 {
                    ((a * x - 5.0 * a) * x + 8.0 * a) * x - 4.0 * a
                } else {
                    0.0
                }
            }
        }
    }

    /// The derivative of [`Self::kernel`] by the distance, which has a sign.
    fn kernel_slope(&self, distance: f32) -> f32 {
        let x = distance.abs();
        let slope = match self.mode {
            Mode::Nearest => 0.0,
            Mode::Linear if x < 1.0 => -1.0,
            Mode::Linear => 0.0,
            Mode::Cubic => {
                let a = self.cubic;
                if x <= 1.0 {
                    (3.0 * (a + 2.0) * x - 2.0 * (a + 3.0)) * x
                } else if x < 2.0 {
                    (3.0 * a * x - 10.0 * a) * x + 8.0 * a
                } else {
                    0.0
                }
            }
        };
        if distance < 0.0 { -slope } else { slope }
    }

    /// The weights `[output, input]`, and which outputs lie outside of the input.
    fn matrix(&self, axis: Axis) -> (Vec<f32>, Vec<bool>) {
        let mut weights = vec![0.0; axis.output * axis.input];
        let mut outside = vec![false; axis.output];
        let last = axis.input as i64 - 1;
        // Shrinking with antialias widens the kernel by the factor of shrinking.
        let stretch = if self.antialias { axis.scale.min(1.0) } else { 1.0 };
        let reach = (if self.mode == Mode::Cubic { 2.0 } else { 1.0 }) / stretch;
        for at in 0..axis.output {
            let source = self.source(at, axis);
            outside[at] = self.place == Place::CropAndResize && (source < 0.0 || source > last as f32);
            let row = &mut weights[at * axis.input..(at + 1) * axis.input];
            let mut total = 0.0;
            let (low, high) = ((source - reach).floor() as i64, (source + reach).ceil() as i64);
            let mut taken = Vec::new();
            for pixel in low..=high {
                let weight = self.kernel((pixel as f32 - source) * stretch);
                let inside = (0..=last).contains(&pixel);
                if weight == 0.0 || (self.exclude_outside && !inside) {
                    continue;
                }
                total += weight;
                taken.push((pixel.clamp(0, last) as usize, weight));
            }
            // Without antialias the weights sum to one as they are, but for what was left out.
            let norm = if self.exclude_outside || self.antialias { total } else { 1.0 };
            for (pixel, weight) in taken {
                row[pixel] += weight / norm;
            }
        }
        (weights, outside)
    }

    fn apply(&self, mut x: Ranked<Float>, axes: &[(usize, Axis)], inputs: &Inputs) -> Result<Value, String> {
        let mut dims = x.dims();
        let mut cut = vec![None; dims.len()];
        for &(at, axis) in axes {
            if axis.input == axis.output && axis.scale == 1.0 && self.place != Place::CropAndResize {
                continue;
            }
            let failed = || "its input cannot be resized".to_owned();
            if self.mode == Mode::Nearest {
                let last = axis.input as i64 - 1;
                let sources: Vec<f32> = (0..axis.output).map(|to| self.source(to, axis)).collect();
                let places: Vec<i64> =
                    sources.iter().map(|&source| self.nearest(source).clamp(0, last)).collect();
                if self.place == Place::CropAndResize {
                    cut[at] =
                        Some(sources.iter().map(|&source| source < 0.0 || source > last as f32).collect());
                }
                let Value::Float(resized) = picked(Value::Float(x), at, &places) else {
                    return Err(failed());
                };
                x = resized;
                dims[at] = axis.output;
                continue;
            }
            check_size(&[axis.output, axis.input])?;
            let (weights, outside) = self.matrix(axis);
            if outside.contains(&true) {
                cut[at] = Some(outside);
            }
            let weights =
                float_tensor(weights, &[axis.output, axis.input], &inputs.device().clone().inner())?;
            let weights: Tensor<2> = weights.get().ok_or_else(failed)?;
            let (before, after): (usize, usize) =
                (dims[..at].iter().product(), dims[at + 1..].iter().product());
            let resized = if after == 1 {
                let rows: Tensor<2> =
                    x.reshape(&[before, axis.input]).and_then(|x| x.get()).ok_or_else(failed)?;
                Ranked::from(rows.matmul(weights.transpose()))
            } else {
                let stack: Tensor<3> =
                    x.reshape(&[before, axis.input, after]).and_then(|x| x.get()).ok_or_else(failed)?;
                let weights =
                    weights.reshape([1, axis.output, axis.input]).expand([before, axis.output, axis.input]);
                Ranked::from(weights.matmul(stack))
            };
            dims[at] = axis.output;
            x = resized.reshape(&dims).ok_or_else(failed)?;
        }
        // What lies outside of a cropped picture has a value of its own.
        for (at, outside) in cut.into_iter().enumerate() {
            let Some(outside): Option<Vec<bool>> = outside else { continue };
            let mut wide = vec![1; dims.len()];
            wide[at] = outside.len();
            let inside = outside.iter().map(|&outside| f32::from(u8::from(!outside))).collect();
            let inside = float_tensor(inside, &wide, &inputs.device().clone().inner())?;
            let fill = self.extrapolation;
            x = x * inside.clone() + (inside.neg() + 1.0) * fill;
        }
        Ok(x.into())
    }
}

/// `Resize` by scales or to sizes.
pub(super) fn resize(node: &Node) -> Described {
    let interpolation = Interpolation::of(node)?;
    let attribute = node.ints("axes")?;
    let policy = node.text("keep_aspect_ratio_policy", "stretch")?;
    let scales_at = if node.opset < 11 { 1 } else { 2 };
    Ok(Operator::new(Kind::Linear, move |inputs| {
        let x = match inputs.value(0)? {
            Value::Float(x) => x,
            _ => return Err("its input must be real".into()),
        };
        let dims = x.dims();
        if x.is_empty() {
            return Err("its input is empty".into());
        }
        let given = attribute.clone().unwrap_or_else(|| (0..dims.len() as i64).collect());
        axes(&given, dims.len())?;
        let order = given.iter().map(|&each| super::axis(each, dims.len())).collect::<Result<Vec<_>, _>>()?;
        let filled =
            |index: usize| inputs.has(index) && inputs.raw(index).is_ok_and(|value| !value.is_empty());
        let mut resized = Vec::new();
        if filled(scales_at) {
            let scales = inputs.floats(scales_at)?;
            if scales.len() != order.len() || scales.iter().any(|scale| !(*scale > 0.0 && *scale < 1e6)) {
                return Err(format!("its scales {scales:?} do not fit its input"));
            }
            for (&at, scale) in order.iter().zip(scales) {
                let output = (dims[at] as f32 * scale).floor() as usize;
                resized.push((at, Axis { input: dims[at], output, scale, region: (0.0, 1.0) }));
            }
        } else if filled(3) {
            let mut sizes = super::shape::sizes(&inputs.ints(3)?)?;
            if sizes.len() != order.len() {
                return Err(format!("its sizes {sizes:?} do not fit its input"));
            }
            let mut scales: Vec<f32> =
                order.iter().zip(&sizes).map(|(&at, &size)| size as f32 / dims[at] as f32).collect();
            if policy != "stretch" {
                let pick = if policy == "not_larger" { f32::min } else { f32::max };
                let scale = scales.iter().copied().reduce(pick).unwrap_or(1.0);
                scales = vec![scale; scales.len()];
                sizes = order.iter().map(|&at| (scale * dims[at] as f32).round() as usize).collect();
            }
            for ((&at, output), scale) in order.iter().zip(sizes).zip(scales) {
                resized.push((at, Axis { input: dims[at], output, scale, region: (0.0, 1.0) }));
            }
        } else {
            return Err("it has neither scales nor sizes".into());
        }
        if interpolation.place == Place::CropAndResize {
            let regions = inputs.floats(1)?;
            if regions.len() != 2 * resized.len() {
                return Err("its region of interest does not fit its input".into());
            }
            let count = resized.len();
            for (index, (_, axis)) in resized.iter_mut().enumerate() {
                axis.region = (regions[index], regions[index + count]);
            }
        }
        let mut whole = dims.clone();
        for (at, axis) in &resized {
            whole[*at] = axis.output;
        }
        check_size(&whole)?;
        if whole.contains(&0) {
            return Err("its result is empty".into());
        }
        one(interpolation.apply(x, &resized, inputs)?)
    }))
}

/// `Upsample`, the forerunner of `Resize`.
pub(super) fn upsample(node: &Node) -> Described {
    let interpolation = Interpolation::of(node)?;
    let attribute = node.floats("scales")?;
    Ok(Operator::new(Kind::Linear, move |inputs| {
        let x = inputs.float(0)?;
        let dims = x.dims();
        let scales = match &attribute {
            Some(scales) => scales.clone(),
            None => inputs.floats(1)?,
        };
        if scales.len() != dims.len()
            || x.is_empty()
            || scales.iter().any(|scale| !(*scale >= 1.0 && *scale < 1e6))
        {
            return Err(format!("its scales {scales:?} do not fit its input"));
        }
        let resized: Vec<(usize, Axis)> = scales
            .into_iter()
            .enumerate()
            .map(|(at, scale)| {
                let output = (dims[at] as f32 * scale).floor() as usize;
                (at, Axis { input: dims[at], output, scale, region: (0.0, 1.0) })
            })
            .collect();
        let whole: Vec<usize> = resized.iter().map(|(_, axis)| axis.output).collect();
        check_size(&whole)?;
        one(interpolation.apply(x, &resized, inputs)?)
    }))
}

/// Places from -1 to 1 among `size` pixels, at their corners or their centres.
fn grid(size: usize, corners: bool) -> Vec<f32> {
    (0..size)
        .map(|at| match corners {
            true if size == 1 => -1.0,
            true => -1.0 + 2.0 * at as f32 / (size - 1) as f32,
            false => (2.0 * at as f32 + 1.0) / size as f32 - 1.0,
        })
        .collect()
}

/// `AffineGrid`: the places that a linear map takes a regular grid to.
pub(super) fn affine_grid(node: &Node) -> Plan {
    let corners = node.flag("align_corners", false)?;
    Ok(Box::new(move |inputs| {
        let theta = inputs.tensor::<3>(0)?;
        let size = super::shape::sizes(&inputs.ints(1)?)?;
        let [batch, _, spatial @ ..] = size.as_slice() else {
            return Err("its size has no spatial dimension".into());
        };
        let rank = spatial.len();
        if size.contains(&0) {
            return Err(format!("its size {size:?} is empty"));
        }
        if theta.dims() != [*batch, rank, rank + 1] || !(2..=3).contains(&rank) {
            return Err(format!("its map of shape {:?} does not fit the size {size:?}", theta.dims()));
        }
        let sides: Vec<Vec<f32>> = spatial.iter().map(|&size| grid(size, corners)).collect();
        let count: usize = spatial.iter().product();
        let mut points = Vec::with_capacity(count * (rank + 1));
        for flat in 0..count {
            let mut rest = flat;
            let mut point = Vec::with_capacity(rank + 1);
            // The last dimension is x and comes first.
            for at in (0..rank).rev() {
                point.push(sides[at][rest % spatial[at]]);
                rest /= spatial[at];
            }
            points.extend(point);
            points.push(1.0);
        }
        let points = float_tensor(points, &[1, count, rank + 1], &inputs.device().clone().inner())?;
        let points: Tensor<3> = points.get().ok_or("its size is empty")?;
        let places = points.expand([*batch, count, rank + 1]).matmul(theta.transpose());
        let mut shape = vec![*batch];
        shape.extend(spatial);
        shape.push(rank);
        one(Ranked::from(places).reshape(&shape).ok_or("its size is empty")?)
    }))
}

/// `GridSample` of pictures: bilinear, nearest or bicubic, with each of the three paddings.
pub(super) fn grid_sample(node: &Node) -> Plan {
    let mode = match node.text("mode", "linear")?.as_str() {
        "linear" | "bilinear" => Mode::Linear,
        "nearest" => Mode::Nearest,
        "cubic" | "bicubic" => Mode::Cubic,
        other => return Err(format!("its mode \"{other}\" is unknown")),
    };
    let padding = node.text("padding_mode", "zeros")?;
    if !["zeros", "border", "reflection"].contains(&padding.as_str()) {
        return Err(format!("its padding_mode \"{padding}\" is unknown"));
    }
    let corners = node.flag("align_corners", false)?;
    Ok(Box::new(move |inputs| {
        // The places are read on the host; the samples are gathered by tensors, so that a gradient passes to the
        // picture. Where one passes to the places too, the weights follow them by their derivatives.
        let x = inputs.float(0)?;
        let (dims, places) = (x.dims(), inputs.floats(1)?);
        let grid_dims = inputs.raw(1)?.dims();
        let rank = dims
            .len()
            .checked_sub(2)
            .filter(|rank| (1..=3).contains(rank))
            .ok_or("its input is no picture")?;
        if grid_dims.len() != rank + 2
            || grid_dims[0] != dims[0]
            || grid_dims[rank + 1] != rank
            || grid_dims.contains(&0)
            || x.is_empty()
        {
            return Err(format!("its grid of shape {grid_dims:?} does not fit an input of shape {dims:?}"));
        }
        let spatial = &dims[2..];
        let plane: usize = spatial.iter().product();
        let count: usize = grid_dims[1..=rank].iter().product();
        let interpolation = Interpolation {
            mode,
            place: Place::HalfPixel,
            rounding: Rounding::PreferFloor,
            cubic: -0.75,
            exclude_outside: false,
            antialias: false,
            extrapolation: 0.0,
        };
        // For each sample, the pixels that it is made of with their weights.
        let taps = match mode {
            Mode::Nearest => 1,
            Mode::Linear => 2usize,
            Mode::Cubic => 4,
        };
        let total = taps.pow(rank as u32);
        let (mut indices, mut weights) = (Vec::new(), Vec::new());
        // The derivatives of the weights by each axis of the place.
        let mut slopes = vec![Vec::new(); rank];
        for sample in 0..dims[0] * count {
            let mut corners_of = vec![(0usize, 1.0f32, [0.0f32; 3])];
            for axis in 0..rank {
                let size = spatial[axis] as f32;
                // x comes first in the grid.
                let place = places[sample * rank + (rank - 1 - axis)];
                let mut at = match corners {
                    true => (place + 1.0) / 2.0 * (size - 1.0),
                    false => ((place + 1.0) * size - 1.0) / 2.0,
                };
                // How fast the pixel's coordinate follows the place.
                let mut pace = if corners { (size - 1.0) / 2.0 } else { size / 2.0 };
                // The place mirrored at the borders, and the direction in which it moves.
                let reflect = |at: f32| {
                    let (low, high) = if corners { (0.0, size - 1.0) } else { (-0.5, size - 0.5) };
                    let span = high - low;
                    if span <= 0.0 {
                        return (0.0, 0.0);
                    }
                    let within = (at - low).rem_euclid(2.0 * span);
                    if within > span { (2.0 * span - within + low, -1.0) } else { (within + low, 1.0) }
                };
                if mode == Mode::Nearest {
                    // Halves go to the even pixel.
                    at = at.round_ties_even();
                } else if mode == Mode::Linear {
                    let (moved, direction) = if padding == "reflection" { reflect(at) } else { (at, 1.0) };
                    at = if padding == "zeros" { moved } else { moved.clamp(0.0, size - 1.0) };
                    pace *= if at == moved { direction } else { 0.0 };
                }
                let first = match mode {
                    Mode::Nearest => at as i64,
                    Mode::Linear => at.floor() as i64,
                    Mode::Cubic => at.floor() as i64 - 1,
                };
                let mut next = Vec::with_capacity(corners_of.len() * taps);
                for &(flat, weight, slope) in &corners_of {
                    for tap in 0..taps as i64 {
                        let pixel = first.saturating_add(tap);
                        let share = match mode {
                            Mode::Nearest => 1.0,
                            _ => interpolation.kernel(pixel as f32 - at),
                        };
                        let change = -pace * interpolation.kernel_slope(pixel as f32 - at);
                        let inside = (0..spatial[axis] as i64).contains(&pixel);
                        let (pixel, share, change) = match padding.as_str() {
                            _ if inside => (pixel, share, change),
                            "border" => (pixel.clamp(0, size as i64 - 1), share, change),
                            "reflection" => {
                                ((reflect(pixel as f32).0 as i64).clamp(0, size as i64 - 1), share, change)
                            }
                            _ => (0, 0.0, 0.0),
                        };
                        let mut slope = slope.map(|slope| slope * share);
                        slope[axis] = weight * change;
                        next.push((flat * spatial[axis] + pixel as usize, weight * share, slope));
                    }
                }
                corners_of = next;
            }
            for (flat, weight, slope) in corners_of {
                indices.push(((sample / count) * plane + flat) as i64);
                weights.push(weight);
                slopes.iter_mut().zip(slope).for_each(|(slopes, slope)| slopes.push(slope));
            }
        }
        // Channels last, so that one index takes a pixel with all of them.
        let mut order: Vec<usize> = (0..dims.len()).collect();
        order.remove(1);
        order.push(1);
        let pixels = permuted(Value::Float(x), &order)?.reshape(&[dims[0] * plane, dims[1]])?;
        let Value::Float(taken) = picked(pixels, 0, &indices) else {
            return Err("its input is not real".into());
        };
        let taken: Tensor<3> = taken
            .reshape(&[dims[0] * count, total, dims[1]])
            .and_then(|taken| taken.get())
            .ok_or("its grid is empty")?;
        let weights = float_tensor(weights, &[dims[0] * count, total, 1], &inputs.device().clone().inner())?;
        let mut weights: Tensor<3> = weights.get().ok_or("its grid is empty")?;
        if inputs.raw(1)?.device().is_autodiff() {
            let grid = inputs.float(1)?.reshape(&[dims[0] * count, 1, rank]).and_then(|grid| grid.get::<3>());
            let grid = grid.ok_or("its grid is empty")?;
            // Zero, with the gradient of the grid.
            let moved = grid.clone() - grid.detach();
            for (axis, slopes) in slopes.into_iter().enumerate() {
                let slopes =
                    float_tensor(slopes, &[dims[0] * count, total, 1], &inputs.device().clone().inner())?;
                let slopes: Tensor<3> = slopes.get().ok_or("its grid is empty")?;
                let at = (rank - 1 - axis) as i64;
                weights = weights + slopes * moved.clone().slice_dim(2, at..at + 1);
            }
        }
        let sampled = Value::from((taken * weights).sum_dim(1));
        let mut shape = vec![dims[0]];
        shape.extend(&grid_dims[1..=rank]);
        shape.push(dims[1]);
        let mut order: Vec<usize> = (0..dims.len()).collect();
        order.insert(1, dims.len() - 1);
        order.pop();
        one(permuted(sampled.reshape(&shape)?, &order)?)
    }))
}
