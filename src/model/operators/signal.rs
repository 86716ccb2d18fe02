//! Windows and Fourier transforms, by their definition as products with matrices of cosines and sines.

use std::f64::consts::TAU;

use burn::tensor::{Float, Tensor};

use super::{
    Inputs, Node, Plan, axis, check_size, float_tensor, one,
    shape::{narrowed, padded, permuted},
};
use crate::model::value::{Ranked, Value};

/// A window of cosines: the sum of `coefficients[k] cos(k x)` with alternating signs.
fn window(node: &Node, coefficients: &'static [f64]) -> Plan {
    let periodic = node.flag("periodic", true)?;
    Ok(Box::new(move |inputs| {
        let size = *inputs.ints(0)?.first().ok_or("its size is missing")?;
        let size = usize::try_from(size).map_err(|_| format!("its size {size} is negative"))?;
        check_size(&[size])?;
        let period = if periodic { size } else { size.saturating_sub(1) }.max(1) as f64;
        let value = |at: usize| -> f32 {
            let x = TAU * at as f64 / period;
            let terms = coefficients.iter().enumerate();
            terms
                .map(|(k, c)| if k % 2 == 0 { c * (k as f64 * x).cos() } else { -c * (k as f64 * x).cos() })
                .sum::<f64>() as f32
        };
        one(float_tensor((0..size).map(value).collect(), &[size], inputs.device())?)
    }))
}

pub(super) fn hann_window(node: &Node) -> Plan {
    window(node, &[0.5, 0.5])
}

pub(super) fn hamming_window(node: &Node) -> Plan {
    window(node, &[25.0 / 46.0, 21.0 / 46.0])
}

pub(super) fn blackman_window(node: &Node) -> Plan {
    window(node, &[0.42, 0.5, 0.08])
}

/// Rows `[rows, length, 1 or 2]` of real or complex numbers transformed to `[rows, bins, 2]`.
fn transformed(rows: Tensor<3>, bins: usize, inverse: bool) -> Result<Tensor<3>, String> {
    let [count, length, parts] = rows.dims();
    check_size(&[length, bins])?;
    let device = rows.device().inner();
    let table = |function: fn(f64) -> f64| -> Result<Tensor<2>, String> {
        let values = (0..length * bins)
            .map(|at| function(TAU * ((at / bins) * (at % bins) % length) as f64 / length as f64) as f32)
            .collect();
        float_tensor(values, &[length, bins], &device)?.get().ok_or_else(|| "its input is empty".to_owned())
    };
    let (cos, sin) = (table(f64::cos)?, table(f64::sin)?);
    let sin = if inverse { sin } else { sin.neg() };
    let part =
        |which: i64| -> Tensor<2> { rows.clone().slice_dim(2, which..which + 1).reshape([count, length]) };
    let real = part(0);
    let (mut re, mut im) = (real.clone().matmul(cos.clone()), real.matmul(sin.clone()));
    if parts == 2 {
        let imaginary = part(1);
        re = re - imaginary.clone().matmul(sin);
        im = im + imaginary.matmul(cos);
    }
    let both = Tensor::cat(vec![re.reshape([count, bins, 1]), im.reshape([count, bins, 1])], 2);
    Ok(if inverse { both / length as f32 } else { both })
}

/// `DFT` along one axis of `[…, 1]` real or `[…, 2]` complex numbers.
pub(super) fn dft(node: &Node) -> Plan {
    let attribute = match node.opset < 20 {
        true => Some(node.int("axis", 1)?),
        false => None,
    };
    let (inverse, half) = (node.flag("inverse", false)?, node.flag("onesided", false)?);
    Ok(Box::new(move |inputs| {
        let x = inputs.value(0)?;
        let dims = x.dims();
        let rank = dims.len();
        if rank < 2 || !(1..=2).contains(&dims[rank - 1]) {
            return Err(format!("its input of shape {dims:?} holds no real or complex numbers"));
        }
        let given = match attribute {
            Some(axis) => axis,
            None if inputs.has(2) => *inputs.ints(2)?.first().ok_or("its axis is missing")?,
            None => -2,
        };
        super::check_filled(&x)?;
        let at = axis(given, rank)?;
        if at == rank - 1 {
            return Err("its axis is that of the real and imaginary parts".into());
        }
        let length = match inputs.has(1) {
            true => usize::try_from(*inputs.ints(1)?.first().ok_or("its length is missing")?)
                .ok()
                .filter(|&length| length > 0)
                .ok_or("its length is not positive")?,
            false => dims[at],
        };
        if inverse && half {
            return Err("a one-sided inverse transform is not supported".into());
        }
        let mut amounts = vec![(0, 0); rank];
        amounts[at] = (0, length as i64 - dims[at] as i64);
        let x = padded(x, &amounts, 0.0)?;
        // The axis before the parts, so that rows are contiguous.
        let mut order: Vec<usize> = (0..rank).filter(|&other| other != at && other != rank - 1).collect();
        order.extend([at, rank - 1]);
        let moved = permuted(x, &order)?;
        let mut shape = moved.dims();
        let rows: usize = shape[..rank - 2].iter().product();
        let Value::Float(moved) = moved.reshape(&[rows, length, dims[rank - 1]])? else {
            return Err("its input must be real".into());
        };
        let bins = if half { length / 2 + 1 } else { length };
        let y = transformed(moved.get().ok_or("its input is empty")?, bins, inverse)?;
        (shape[rank - 2], shape[rank - 1]) = (bins, 2);
        let mut back = vec![0; rank];
        for (to, &from) in order.iter().enumerate() {
            back[from] = to;
        }
        one(permuted(Value::from(y).reshape(&shape)?, &back)?)
    }))
}

/// `STFT`: the transform of overlapping frames, `[batch, frames, bins, 2]`.
pub(super) fn stft(node: &Node) -> Plan {
    let half = node.flag("onesided", true)?;
    Ok(Box::new(move |inputs: &Inputs| {
        let signal = inputs.float(0)?;
        let dims = signal.dims();
        let (batch, length, parts) = match *dims {
            [batch, length] => (batch, length, 1),
            [batch, length, parts @ 1..=2] => (batch, length, parts),
            _ => return Err(format!("its signal of shape {dims:?} has the wrong shape")),
        };
        let number = |index: usize| -> Result<usize, String> {
            let value = *inputs.ints(index)?.first().ok_or("a number is missing")?;
            usize::try_from(value)
                .ok()
                .filter(|&value| value > 0)
                .ok_or_else(|| "a length is not positive".into())
        };
        let step = number(1)?;
        let window = if inputs.has(2) { Some(inputs.float(2)?.flat()) } else { None };
        let frame = match (&window, inputs.has(3)) {
            (_, true) => number(3)?,
            (Some(window), false) => window.dims()[0],
            (None, false) => return Err("it has neither a window nor a frame length".into()),
        };
        if frame == 0 || signal.is_empty() {
            return Err("its signal or its frames are empty".into());
        }
        if frame > length || window.as_ref().is_some_and(|window| window.dims() != [frame]) {
            return Err(format!("frames of {frame} do not fit a signal of {length}"));
        }
        let frames = (length - frame) / step + 1;
        let signal = signal.reshape(&[batch, length, parts]).ok_or("its signal is empty")?;
        let mut cut: Vec<Value> = Vec::with_capacity(frames);
        for at in 0..frames {
            let part = narrowed(Value::Float(signal.clone()), 1, at * step, at * step + frame);
            cut.push(part.reshape(&[batch, 1, frame, parts])?);
        }
        let Value::Float(cut) = super::shape::joined(cut, 1)? else {
            return Err("its signal must be real".into());
        };
        let rows = cut.reshape(&[batch * frames, frame, parts]).and_then(|cut: Ranked<Float>| cut.get::<3>());
        let mut rows = rows.ok_or("its signal is empty")?;
        if let Some(window) = window {
            rows = rows * window.reshape([1, frame, 1]);
        }
        let bins = if half { frame / 2 + 1 } else { frame };
        one(Value::from(transformed(rows, bins, false)?).reshape(&[batch, frames, bins, 2])?)
    }))
}

/// `MelWeightMatrix`: what each frequency of a spectrum adds to each band of the mel scale.
pub(super) fn mel_weight_matrix(_: &Node) -> Plan {
    Ok(Box::new(|inputs| {
        let whole = |index: usize| match *inputs.ints(index)? {
            [value] if (1..=1 << 24).contains(&value) => Ok(value as usize),
            ref other => Err(format!("its input {index} is {other:?} in place of a number above 0")),
        };
        let (bands, length, rate) = (whole(0)?, whole(1)?, whole(2)?);
        let (low, high) = (f64::from(inputs.scalar(3)?), f64::from(inputs.scalar(4)?));
        let rows = length / 2 + 1;
        check_size(&[rows, bands])?;
        if !(low >= 0.0 && high.is_finite() && low <= high) {
            return Err(format!("its bands reach from {low} to {high} Hz"));
        }
        let mel = |hertz: f64| 2595.0 * (hertz / 700.0).ln_1p() / std::f64::consts::LN_10;
        let step = (mel(high) - mel(low)) / (bands + 2) as f64;
        // Where each band begins, in steps of the spectrum.
        let place = |at: usize| -> Result<usize, String> {
            let hertz = 700.0 * ((at as f64 * step + mel(low)) / 2595.0 * std::f64::consts::LN_10).exp_m1();
            let place = ((length + 1) as f64 * hertz / rate as f64).floor() as usize;
            match place < rows {
                true => Ok(place),
                false => Err(format!("its bands reach beyond half of its sample rate of {rate}")),
            }
        };
        let mut matrix = vec![0.0; rows * bands];
        for band in 0..bands {
            let (first, middle, last) = (place(band)?, place(band + 1)?, place(band + 2)?);
            if middle == first {
                matrix[middle * bands + band] = 1.0;
            } else {
                for at in first..=middle {
                    matrix[at * bands + band] = (at - first) as f32 / (middle - first) as f32;
                }
            }
            for at in middle..last {
                matrix[at * bands + band] = (last - at) as f32 / (last - middle) as f32;
            }
        }
        one(float_tensor(matrix, &[rows, bands], inputs.device())?)
    }))
}
