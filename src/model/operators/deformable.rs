//! Convolutions whose windows are bent: each tap is taken where the network says.

use burn::tensor::{Int, Tensor};

use super::{Inputs, Node, Plan, check_size, convolution::Window, float_tensor, one};
use crate::model::value::Ranked;

/// The pixels of `[G, C, H * W]` at places `[G, P]` in rows and columns, bilinear, zero beyond the border.
fn sampled(x: &Tensor<3>, [height, width]: [usize; 2], [row, column]: [Tensor<2>; 2]) -> Tensor<3> {
    let [groups, channels, _] = x.dims();
    let [_, count] = row.dims();
    let (top, left) = (row.clone().detach().floor(), column.clone().detach().floor());
    let (down, right) = (row - top.clone(), column - left.clone());
    let mut sum: Option<Tensor<3>> = None;
    for (below, beside) in [(0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0)] {
        let share = |part: &Tensor<2>, second: f32| match second == 1.0 {
            true => part.clone(),
            false => part.clone().neg() + 1.0,
        };
        let (at_row, at_column) = (top.clone() + below, left.clone() + beside);
        let last = |size: usize| (size - 1) as f32;
        let inside = at_row
            .clone()
            .greater_equal_elem(0.0)
            .bool_and(at_row.clone().lower_equal_elem(last(height)))
            .bool_and(at_column.clone().greater_equal_elem(0.0))
            .bool_and(at_column.clone().lower_equal_elem(last(width)));
        // A place that is no number has no pixel.
        let whole = |at: Tensor<2>, size: usize| {
            let at = at.mask_fill(inside.clone().bool_not(), 0.0);
            at.clamp(0.0, last(size)).int()
        };
        let place: Tensor<2, Int> = whole(at_row, height) * width as i64 + whole(at_column, width);
        let place: Tensor<3, Int> = place.reshape([groups, 1, count]);
        let weight = (share(&down, below) * share(&right, beside)).mask_fill(inside.clone().bool_not(), 0.0);
        let pixel = x.clone().gather(2, place.expand([groups, channels, count]));
        let part = pixel * weight.reshape([groups, 1, count]);
        sum = Some(match sum {
            Some(sum) => sum + part,
            None => part,
        });
    }
    sum.unwrap_or_else(|| x.clone())
}

/// `DeformConv` of pictures (Dai et al. 2017), with the weights of its second version (Zhu et al. 2019) where they are
/// given.
pub(super) fn deform_conv(node: &Node) -> Plan {
    let window = Window::of(node)?;
    let (groups, parts) = (node.positive("group", 1)?, node.positive("offset_group", 1)?);
    Ok(Box::new(move |inputs: &Inputs| {
        let (x, weights) = (inputs.tensor::<4>(0)?, inputs.tensor::<4>(1)?);
        let ([batch, channels, height, width], [filters, inside, tall, wide]) = (x.dims(), weights.dims());
        if x.dims().contains(&0)
            || weights.dims().contains(&0)
            || inside.checked_mul(groups) != Some(channels)
            || filters % groups != 0
            || channels % parts != 0
        {
            return Err(format!(
                "its weights {:?} in {groups} group(s) and {parts} of offsets do not fit an input of {:?}",
                weights.dims(),
                x.dims()
            ));
        }
        let placed = window.on(&[height, width], Some(&[tall, wide]))?;
        let (rows, columns) = (placed.output[0], placed.output[1]);
        let (taps, count) = (tall * wide, rows * columns);
        check_size(&[batch, channels, taps, count])?;
        check_size(&[batch, filters, count])?;
        let fitting = |index: usize, each: usize| -> Result<Tensor<4>, String> {
            let value = inputs.tensor::<4>(index)?;
            let wanted = [batch, parts * taps * each, rows, columns];
            match value.dims() == wanted {
                true => Ok(value),
                false => Err(format!("its input {index} of shape {:?} is not {wanted:?}", value.dims())),
            }
        };
        let offsets = fitting(2, 2)?.reshape([batch * parts, taps, 2, count]);
        let shares = match inputs.has(4) {
            true => Some(fitting(4, 1)?.reshape([batch * parts, taps, count])),
            false => None,
        };
        let flat = x.reshape([batch * parts, channels / parts, height * width]);
        let mut samples = Vec::with_capacity(taps);
        for tap in 0..taps {
            let (down, right) = (tap / wide * placed.dilations[0], tap % wide * placed.dilations[1]);
            let start = |at: usize, axis: usize, by: usize| {
                (at * placed.strides[axis] + by) as f32 - placed.pads[axis].0 as f32
            };
            let straight = |place: &dyn Fn(usize) -> f32| -> Result<Tensor<2>, String> {
                let places = (0..count).map(place).collect();
                float_tensor(places, &[1, count], inputs.device())?
                    .get()
                    .ok_or_else(|| "it has no place".into())
            };
            let moved = |which: i64| -> Tensor<2> {
                offsets
                    .clone()
                    .slice_dim(1, tap as i64..tap as i64 + 1)
                    .slice_dim(2, which..which + 1)
                    .reshape([batch * parts, count])
            };
            let row = straight(&|at| start(at / columns, 0, down))? + moved(0);
            let column = straight(&|at| start(at % columns, 1, right))? + moved(1);
            let mut sample = sampled(&flat, [height, width], [row, column]);
            if let Some(shares) = &shares {
                sample = sample * shares.clone().slice_dim(1, tap as i64..tap as i64 + 1);
            }
            samples.push(sample.reshape([batch, channels, 1, count]));
        }
        let samples = Tensor::cat(samples, 2).reshape([batch, groups, inside * taps, count]);
        let weights = weights.reshape([1, groups, filters / groups, inside * taps]);
        let weights = weights.expand([batch, groups, filters / groups, inside * taps]);
        let mut y = weights.matmul(samples).reshape([batch, filters, rows, columns]);
        if let Some(bias) = inputs.optional::<1>(3)? {
            if bias.dims() != [filters] {
                return Err(format!("its bias has {:?} values for {filters} filters", bias.dims()));
            }
            y = y + bias.reshape([1, filters, 1, 1]);
        }
        one(Ranked::from(y))
    }))
}
