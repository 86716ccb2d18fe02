//! Convolutions over one to three spatial dimensions.

use burn::tensor::{
    Float, Tensor, module,
    ops::{ConvOptions, ConvTransposeOptions},
};

use super::{
    Described, Inputs, Kind, Lowering, Node, Operator, Plan, check_size, one,
    quantization::{Quantized, dequantized, requantized},
    shape::{padded, sizes},
};
use crate::model::value::{Ranked, Value};

/// The window of a convolution or a pooling: one entry a spatial dimension.
#[derive(Debug, Clone)]
pub(in crate::model) struct Window {
    /// From the attributes, or else from the weights.
    pub kernel: Option<Vec<usize>>,
    pub strides: Option<Vec<usize>>,
    pub dilations: Option<Vec<usize>>,
    padding: Padding,
    ceil: bool,
    /// Whether it is one of one dimension, written as one of two whose first is 1.
    pub line: bool,
}

#[derive(Debug, Clone)]
enum Padding {
    Explicit(Option<Vec<i64>>),
    /// The output has the input's size divided by the stride; the odd pixel goes to the end, or to the beginning.
    Same {
        odd_at_end: bool,
    },
}

/// A window on an input whose size is known.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::model) struct Placed {
    pub kernel: Vec<usize>,
    pub strides: Vec<usize>,
    pub dilations: Vec<usize>,
    /// Before and after each dimension.
    pub pads: Vec<(usize, usize)>,
    pub output: Vec<usize>,
    /// How far the last window reaches beyond the padded input (`ceil_mode`).
    pub beyond: Vec<usize>,
}

/// Padding beyond this is a fault of the file.
const MOST_PADDING: i64 = 1 << 16;

/// How far a dilated kernel reaches.
fn reach(kernel: usize, dilation: usize) -> Result<usize, String> {
    let reach = (kernel - 1).checked_mul(dilation).and_then(|reach| reach.checked_add(1));
    reach.ok_or_else(|| format!("its kernel of {kernel} with dilation {dilation} is too large"))
}

impl Window {
    pub fn of(node: &Node) -> Result<Self, String> {
        let padding = match node.text("auto_pad", "NOTSET")?.as_str() {
            "NOTSET" | "" => Padding::Explicit(node.ints("pads")?),
            "VALID" => Padding::Explicit(None),
            "SAME_UPPER" => Padding::Same { odd_at_end: true },
            "SAME_LOWER" => Padding::Same { odd_at_end: false },
            other => return Err(format!("its auto_pad \"{other}\" is unknown")),
        };
        Ok(Self {
            kernel: node.positives("kernel_shape")?,
            strides: node.positives("strides")?,
            dilations: node.positives("dilations")?,
            padding,
            ceil: node.flag("ceil_mode", false)?,
            line: false,
        })
    }

    /// A window of one dimension as one of two, for inputs `[N, C, 1, L]`.
    pub fn as_line(&self) -> Self {
        let wide = |sizes: &Option<Vec<usize>>| sizes.as_ref().map(|sizes| [&[1], &sizes[..]].concat());
        let padding = match &self.padding {
            Padding::Explicit(Some(pads)) => {
                let (before, after) = pads.split_at(pads.len() / 2);
                Padding::Explicit(Some([&[0], before, &[0], after].concat()))
            }
            other => other.clone(),
        };
        Self {
            kernel: wide(&self.kernel),
            strides: wide(&self.strides),
            dilations: wide(&self.dilations),
            padding,
            ceil: self.ceil,
            line: true,
        }
    }

    fn filled(given: &Option<Vec<usize>>, rank: usize, what: &str) -> Result<Vec<usize>, String> {
        match given {
            None => Ok(vec![1; rank]),
            Some(values) if values.len() == rank => Ok(values.clone()),
            Some(values) => Err(format!("its {what} {values:?} do not fit {rank} spatial dimensions")),
        }
    }

    /// Places the window on an input of these spatial sizes; the kernel is the attribute's, or `weights`.
    pub fn on(&self, input: &[usize], weights: Option<&[usize]>) -> Result<Placed, String> {
        let rank = input.len();
        let kernel = match (&self.kernel, weights) {
            (Some(kernel), Some(weights)) if kernel != weights => {
                return Err(format!("its kernel_shape {kernel:?} is not that of its weights, {weights:?}"));
            }
            (Some(kernel), _) => kernel.clone(),
            (None, Some(weights)) => weights.to_vec(),
            (None, None) => return Err("its kernel_shape is missing".into()),
        };
        if kernel.len() != rank || kernel.contains(&0) {
            return Err(format!("its kernel {kernel:?} does not fit {rank} spatial dimensions"));
        }
        let strides = Self::filled(&self.strides, rank, "strides")?;
        let dilations = Self::filled(&self.dilations, rank, "dilations")?;
        let window: Vec<usize> =
            (0..rank).map(|i| reach(kernel[i], dilations[i])).collect::<Result<_, _>>()?;
        let pads: Vec<(usize, usize)> = match &self.padding {
            Padding::Explicit(None) => vec![(0, 0); rank],
            Padding::Explicit(Some(pads)) => {
                if pads.len() != 2 * rank || pads.iter().any(|pad| !(0..MOST_PADDING).contains(pad)) {
                    return Err(format!("its pads {pads:?} do not fit {rank} spatial dimensions"));
                }
                (0..rank).map(|i| (pads[i] as usize, pads[i + rank] as usize)).collect()
            }
            Padding::Same { odd_at_end } => (0..rank)
                .map(|i| {
                    let output = input[i].div_ceil(strides[i]).max(1);
                    let total =
                        ((output - 1) * strides[i]).saturating_add(window[i]).saturating_sub(input[i]);
                    let less = total / 2;
                    if *odd_at_end { (less, total - less) } else { (total - less, less) }
                })
                .collect(),
        };
        let padded: Vec<usize> =
            (0..rank).map(|i| input[i].saturating_add(pads[i].0).saturating_add(pads[i].1)).collect();
        check_size(&padded)?;
        let (mut output, mut beyond) = (Vec::with_capacity(rank), Vec::with_capacity(rank));
        for i in 0..rank {
            let padded = padded[i];
            if padded < window[i] || input[i] == 0 {
                return Err(format!("its window of {} does not fit the padded input of {padded}", window[i]));
            }
            let room = padded - window[i];
            let mut count = room / strides[i] + 1;
            if self.ceil {
                count = room.div_ceil(strides[i]) + 1;
                // No window starts in the padding at the end.
                if (count - 1) * strides[i] >= input[i] + pads[i].0 {
                    count -= 1;
                }
            }
            output.push(count);
            beyond.push(((count - 1) * strides[i] + window[i]).saturating_sub(padded));
        }
        Ok(Placed { kernel, strides, dilations, pads, output, beyond })
    }
}

/// The first `N` dimensions of a list as an array.
fn fixed<const N: usize>(values: &[usize]) -> [usize; N] {
    std::array::from_fn(|i| values[i])
}

/// Checks weights and bias against the input's channels.
fn check_weights(
    input: &[usize],
    weight: &[usize],
    bias: Option<&Tensor<1>>,
    groups: usize,
) -> Result<(), String> {
    let (channels, filters) = (input[1], weight[0]);
    if input.contains(&0) || weight.contains(&0) {
        return Err(format!("its input {input:?} or its weights {weight:?} are empty"));
    }
    if weight[1].checked_mul(groups) != Some(channels) || filters % groups != 0 {
        return Err(format!(
            "its weights {weight:?} in {groups} group(s) do not fit an input of {channels} channels"
        ));
    }
    match bias {
        Some(bias) if bias.dims() != [filters] => {
            Err(format!("its bias has {:?} values for {filters} filters", bias.dims()))
        }
        _ => Ok(()),
    }
}

/// A convolution of `[N, C, …]` with weights `[O, C / groups, …]`.
pub(super) fn convolve(
    window: &Window,
    groups: usize,
    x: Ranked<Float>,
    weight: Ranked<Float>,
    bias: Option<Tensor<1>>,
) -> Result<Ranked<Float>, String> {
    let (dims, weights) = (x.dims(), weight.dims());
    if dims.len() != weights.len() || !(3..=5).contains(&dims.len()) {
        return Err(format!("its weights {weights:?} do not fit an input of shape {dims:?}"));
    }
    check_weights(&dims, &weights, bias.as_ref(), groups)?;
    let placed = window.on(&dims[2..], Some(&weights[2..]))?;
    let mut whole = vec![dims[0], weights[0]];
    whole.extend(&placed.output);
    check_size(&whole)?;
    let wrong = || format!("its weights {weights:?} do not fit an input of shape {dims:?}");
    match dims.len() {
        3 => {
            let options = ConvOptions::new_with_padding(
                fixed::<1>(&placed.strides),
                [placed.pads[0]],
                fixed(&placed.dilations),
                groups,
            );
            let (x, weight) = (x.get().ok_or_else(wrong)?, weight.get().ok_or_else(wrong)?);
            Ok(module::conv1d(x, weight, bias, options).into())
        }
        4 => {
            let options = ConvOptions::new_with_padding(
                fixed::<2>(&placed.strides),
                [placed.pads[0], placed.pads[1]],
                fixed(&placed.dilations),
                groups,
            );
            let (x, weight) = (x.get().ok_or_else(wrong)?, weight.get().ok_or_else(wrong)?);
            Ok(module::conv2d(x, weight, bias, options).into())
        }
        _ => {
            // Burn pads three dimensions only evenly.
            let mut amounts = vec![(0, 0); 2];
            amounts.extend(placed.pads.iter().map(|&(before, after)| (before as i64, after as i64)));
            let Value::Float(x) = padded(Value::Float(x), &amounts, 0.0)? else { return Err(wrong()) };
            let options =
                ConvOptions::new(fixed::<3>(&placed.strides), [0; 3], fixed(&placed.dilations), groups);
            let (x, weight) = (x.get().ok_or_else(wrong)?, weight.get().ok_or_else(wrong)?);
            Ok(module::conv3d(x, weight, bias, options).into())
        }
    }
}

/// `Conv`: input `[N, C, …]`, weights `[O, C / groups, …]`, bias `[O]`.
pub(super) fn conv(node: &Node) -> Described {
    let window = Window::of(node)?;
    let groups = node.positive("group", 1)?;
    let lowering = Lowering::Convolution { groups, window: window.clone() };
    let conv = Operator::new(Kind::Convolution, move |inputs| {
        one(convolve(&window, groups, inputs.float(0)?, inputs.float(1)?, inputs.optional::<1>(2)?)?)
    });
    Ok(conv.learns(1..3).lowers(lowering))
}

/// `ConvInteger`: whole numbers, minus their zero points. Products of 8-bit numbers are exact in f32 up to some
/// hundred terms of the largest kind, and rounded beyond.
pub(super) fn conv_integer(node: &Node) -> Described {
    let window = Window::of(node)?;
    let groups = node.positive("group", 1)?;
    Ok(Operator::new(Kind::Convolution, move |inputs| {
        let x = dequantized(inputs, Quantized { value: 0, scale: None, zero: Some(2), axis: None })?;
        let weight = dequantized(inputs, Quantized { value: 1, scale: None, zero: Some(3), axis: Some(0) })?;
        one(convolve(&window, groups, x, weight, None)?)
    }))
}

/// `QLinearConv`: dequantised, convolved, quantised again.
pub(super) fn qlinear_conv(node: &Node) -> Described {
    let window = Window::of(node)?;
    let groups = node.positive("group", 1)?;
    let element = node.element(7);
    Ok(Operator::new(Kind::Convolution, move |inputs| {
        let x = dequantized(inputs, Quantized { value: 0, scale: Some(1), zero: Some(2), axis: None })?;
        let weight =
            dequantized(inputs, Quantized { value: 3, scale: Some(4), zero: Some(5), axis: Some(0) })?;
        let y = convolve(&window, groups, x, weight, None)?;
        let y = match inputs.has(8) {
            false => y,
            true => {
                // The bias is a whole number in units of both scales; these fit the filters already.
                let scale = inputs.float(1)?.flat() * inputs.float(4)?.flat();
                let bias = match inputs.value(8)? {
                    Value::Int(bias) => super::quantization::real(bias).flat(),
                    Value::Float(bias) => bias.flat(),
                    Value::Bool(_) => return Err("its bias holds truth values".into()),
                };
                let mut dims = vec![1; y.rank()];
                dims[1] = bias.dims()[0];
                if y.dims().get(1) != Some(&dims[1]) {
                    return Err("its bias does not fit its filters".into());
                }
                let bias = Ranked::D1(bias * scale).reshape(&dims).ok_or("its bias does not fit")?;
                y + bias
            }
        };
        one(requantized(inputs, y, 6, 7, element)?)
    })
    .gives(element))
}

/// `ConvTranspose`: input `[N, C, …]`, weights `[C, O / groups, …]`, bias `[O]`.
pub(super) fn conv_transpose(node: &Node) -> Described {
    let kernel = node.positives("kernel_shape")?;
    let strides = node.positives("strides")?;
    let dilations = node.positives("dilations")?;
    let groups = node.positive("group", 1)?;
    let pads = node.ints("pads")?;
    let more = node.ints("output_padding")?;
    let wanted = node.ints("output_shape")?;
    let auto = node.text("auto_pad", "NOTSET")?;
    Ok(Operator::new(Kind::Convolution, move |inputs| {
        let (x, weight) = (inputs.float(0)?, inputs.float(1)?);
        let bias = inputs.optional::<1>(2)?;
        let (dims, weights) = (x.dims(), weight.dims());
        if dims.len() != weights.len() || !(3..=5).contains(&dims.len()) {
            return Err(format!("its weights {weights:?} do not fit an input of shape {dims:?}"));
        }
        let rank = dims.len() - 2;
        let filters = weights[1].checked_mul(groups).ok_or("its groups are too many")?;
        if weights[0] != dims[1] || dims[1] % groups != 0 || weights.contains(&0) || dims.contains(&0) {
            return Err(format!(
                "its weights {weights:?} in {groups} group(s) do not fit an input of {dims:?}"
            ));
        }
        if bias.as_ref().is_some_and(|bias| bias.dims() != [filters]) {
            return Err(format!("its bias does not fit {filters} filters"));
        }
        if kernel.as_ref().is_some_and(|kernel| kernel[..] != weights[2..]) {
            return Err("its kernel_shape is not that of its weights".into());
        }
        let strides = Window::filled(&strides, rank, "strides")?;
        let dilations = Window::filled(&dilations, rank, "dilations")?;
        let more = match &more {
            None => vec![0; rank],
            Some(more) => sizes(more)?,
        };
        if more.len() != rank {
            return Err(format!("its output_padding {more:?} does not fit {rank} spatial dimensions"));
        }
        // Everything that the input reaches; then what is too much is cut off.
        let full: Vec<usize> = (0..rank)
            .map(|i| {
                let starts = (dims[i + 2] - 1).checked_mul(strides[i]).ok_or("its strides are too large")?;
                Ok(starts.saturating_add(reach(weights[i + 2], dilations[i])?))
            })
            .collect::<Result<_, String>>()?;
        check_size(&[&[dims[0], filters], &full[..]].concat())?;
        let given = [&pads, &wanted].into_iter().flatten().flatten();
        if let Some(absurd) = given.copied().find(|given| given.unsigned_abs() > super::MOST as u64) {
            return Err(format!("its pads or its output_shape hold {absurd}"));
        }
        let mut cut = vec![(0i64, 0i64); 2];
        for i in 0..rank {
            let whole = (full[i] + more[i]) as i64;
            let split = |total: i64| match auto.as_str() {
                // A result that is larger than the whole is filled up: the half is rounded down then, too.
                "SAME_UPPER" => (total.div_euclid(2), total - total.div_euclid(2)),
                _ => (total - total.div_euclid(2), total.div_euclid(2)),
            };
            let wanted = match &wanted {
                Some(wanted) if wanted.len() >= rank => Some(wanted[wanted.len() - rank + i]),
                Some(_) => return Err("its output_shape does not fit its input".into()),
                None if auto.starts_with("SAME") => Some((dims[i + 2] * strides[i]) as i64),
                None => None,
            };
            let (before, after) = match (wanted, &pads) {
                (Some(wanted), _) => split(whole - wanted),
                (None, Some(pads)) if pads.len() == 2 * rank => (pads[i], pads[i + rank]),
                (None, Some(pads)) => return Err(format!("its pads {pads:?} do not fit {rank} dimensions")),
                (None, None) => (0, 0),
            };
            cut.push((-before, more[i] as i64 - after));
        }
        let mut result = vec![dims[0], filters];
        for i in 0..rank {
            let size = full[i] as i64 + cut[i + 2].0 + cut[i + 2].1;
            result.push(
                usize::try_from(size).ok().filter(|&size| size > 0).ok_or("its pads remove everything")?,
            );
        }
        check_size(&result)?;
        let wrong = || "its input and weights do not go together".to_owned();
        macro_rules! transposed {
            ($function:path, $n:literal) => {{
                let options = ConvTransposeOptions::<$n>::new(
                    fixed(&strides),
                    [0; $n],
                    [0; $n],
                    fixed(&dilations),
                    groups,
                );
                Ranked::from($function(
                    x.get().ok_or_else(wrong)?,
                    weight.get().ok_or_else(wrong)?,
                    None,
                    options,
                ))
            }};
        }
        let y = match rank {
            1 => transposed!(module::conv_transpose1d, 1),
            2 => transposed!(module::conv_transpose2d, 2),
            _ => transposed!(module::conv_transpose3d, 3),
        };
        let Value::Float(mut y) = padded(Value::Float(y), &cut, 0.0)? else { return Err(wrong()) };
        if let Some(bias) = bias {
            let mut shape = vec![1; y.rank()];
            shape[1] = filters;
            let bias = Ranked::D1(bias).reshape(&shape).ok_or_else(wrong)?;
            y = y + bias;
        }
        one(y)
    })
    .learns(1..3))
}

/// `Col2Im`: sums overlapping blocks, the inverse of cutting a picture into windows. It is the transposed
/// convolution of the columns with weights that put each value at its place in the block.
pub(super) fn col2im(node: &Node) -> Plan {
    let strides = node.positives("strides")?;
    let dilations = node.positives("dilations")?;
    let pads = node.ints("pads")?;
    Ok(Box::new(move |inputs: &Inputs| {
        let columns = inputs.tensor::<3>(0)?;
        let (image, block) = (sizes(&inputs.ints(1)?)?, sizes(&inputs.ints(2)?)?);
        let rank = image.len();
        if block.len() != rank || !(1..=3).contains(&rank) {
            return Err(format!("its image {image:?} and its block {block:?} do not go together"));
        }
        let window = Window {
            kernel: Some(block.clone()),
            strides: strides.clone(),
            dilations: dilations.clone(),
            padding: Padding::Explicit(pads.clone()),
            ceil: false,
            line: false,
        };
        let placed = window.on(&image, None)?;
        let [n, values, count] = columns.dims();
        let area: usize = block.iter().product();
        if columns.dims().contains(&0) {
            return Err("its columns are empty".into());
        }
        if count != placed.output.iter().product::<usize>() || values % area != 0 {
            return Err(format!("its columns {:?} do not fit blocks of {block:?}", [n, values, count]));
        }
        check_size(&[area, area])?;
        let channels = values / area;
        let mut weights = vec![0.0; area * area];
        for at in 0..area {
            weights[at * area + at] = 1.0;
        }
        let shaped = |lead: [usize; 2], rest: &[usize]| [&lead[..], rest].concat();
        let weights = super::float_tensor(weights, &shaped([area, 1], &block), inputs.device())?;
        let x = Ranked::D3(columns)
            .reshape(&shaped([n * channels, area], &placed.output))
            .ok_or("its columns are empty")?;
        let wrong = || "its columns are empty".to_owned();
        macro_rules! transposed {
            ($function:path, $n:literal) => {{
                let (strides, dilations) = (fixed(&placed.strides), fixed(&placed.dilations));
                let options = ConvTransposeOptions::<$n>::new(strides, [0; $n], [0; $n], dilations, 1);
                let weights = weights.get().ok_or_else(wrong)?;
                Ranked::from($function(x.get().ok_or_else(wrong)?, weights, None, options))
            }};
        }
        let full = match rank {
            1 => transposed!(module::conv_transpose1d, 1),
            2 => transposed!(module::conv_transpose2d, 2),
            _ => transposed!(module::conv_transpose3d, 3),
        };
        let mut cut = vec![(0, 0); 2];
        for (i, size) in full.dims().into_iter().skip(2).enumerate() {
            let before = placed.pads[i].0;
            cut.push((-(before as i64), (image[i] + before) as i64 - size as i64));
        }
        one(padded(full.into(), &cut, 0.0)?.reshape(&shaped([n, channels], &image))?)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(padding: Padding, kernel: usize, stride: usize, ceil: bool) -> Window {
        Window {
            kernel: Some(vec![kernel; 2]),
            strides: Some(vec![stride; 2]),
            dilations: None,
            padding,
            ceil,
            line: false,
        }
    }

    #[test]
    fn same_padding_puts_the_odd_pixel_where_onnx_says() {
        let pads = |odd_at_end| {
            window(Padding::Same { odd_at_end }, 3, 2, false).on(&[227, 224], None).unwrap().pads
        };
        // 227 needs a total of 2, 224 of 1.
        assert_eq!(pads(true), [(1, 1), (0, 1)]);
        assert_eq!(pads(false), [(1, 1), (1, 0)]);
    }

    #[test]
    fn a_window_larger_than_its_input_is_refused() {
        let none = || Padding::Explicit(None);
        assert!(window(none(), 3, 1, false).on(&[2, 8], None).is_err());
        assert!(window(none(), 3, 1, false).on(&[3, 8], None).is_ok());
    }

    #[test]
    fn in_ceil_mode_no_window_starts_in_the_end_padding() {
        let placed = window(Padding::Explicit(None), 3, 2, true).on(&[112, 6], None).unwrap();
        assert_eq!((placed.output, placed.beyond), (vec![56, 3], vec![1, 1]));
        let padded = window(Padding::Explicit(Some(vec![1; 4])), 2, 2, true).on(&[3, 4], None).unwrap();
        assert_eq!(padded.output, [2, 3]);
    }
}
