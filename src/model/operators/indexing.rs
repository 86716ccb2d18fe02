//! Operators that read or write elements at computed places.

use burn::tensor::{Bool, IndexingUpdateOp, Int, Tensor};

use super::{
    Described, Inputs, Kind, Node, Operator, Plan, axis, check_size, float_tensor, host_ints, int_tensor,
    one,
    shape::{narrowed, picked},
};
use crate::model::element::Element;
use crate::model::value::{Ranked, Value, move_elements};

/// Places that may count from the end, brought to 0..size; checked where they lie on the host.
pub(super) fn places(inputs: &Inputs, index: usize, size: usize) -> Result<Ranked<Int>, String> {
    let raw = inputs.raw(index)?;
    let dims = raw.dims();
    if raw.device() == burn::tensor::Device::flex() {
        let counted = inputs
            .ints(index)?
            .into_iter()
            .map(|place| {
                let counted = if place < 0 { place + size as i64 } else { place };
                match (0..size as i64).contains(&counted) {
                    true => Ok(counted),
                    false => Err(format!("its index {place} is beyond a size of {size}")),
                }
            })
            .collect::<Result<Vec<_>, _>>()?;
        return int_tensor(counted, &dims, inputs.device());
    }
    let place = inputs.int(index)?;
    let negative = place.clone().lower_elem(0).int();
    Ok(place + negative * size as i64)
}

/// Ranks that have no scalar: a scalar as a row of one.
fn row(value: Value) -> Result<Value, String> {
    if value.rank() == 0 { value.reshape(&[1]) } else { Ok(value) }
}

/// `Gather`: whole slices along an axis.
pub(super) fn gather(node: &Node) -> Described {
    let given = node.int("axis", 0)?;
    Ok(Operator::new(Kind::Move, move |inputs| {
        let value = inputs.value(0)?;
        let dims = value.dims();
        let axis = axis(given, dims.len())?;
        let indices = places(inputs, 1, dims[axis])?;
        let index_dims = indices.dims();
        let mut shape = dims[..axis].to_vec();
        shape.extend(&index_dims);
        shape.extend(&dims[axis + 1..]);
        check_size(&shape)?;
        if indices.is_empty() || value.is_empty() {
            return Err("one of its inputs is empty".into());
        }
        let flat = indices.flat();
        let picked = move_elements!(value, x => x.select(axis, flat.clone()));
        one(picked.reshape(&shape)?)
    })
    .learns(0..1))
}

pub(super) fn gather_elements(node: &Node) -> Plan {
    let given = node.int("axis", 0)?;
    Ok(Box::new(move |inputs| {
        let mut value = inputs.value(0)?;
        let dims = value.dims();
        let axis = axis(given, dims.len())?;
        let indices = places(inputs, 1, dims[axis])?;
        let wanted = indices.dims();
        if wanted.len() != dims.len() || (0..dims.len()).any(|at| at != axis && wanted[at] > dims[at]) {
            return Err(format!("its indices of shape {wanted:?} do not fit an input of shape {dims:?}"));
        }
        if indices.is_empty() {
            return Err("its indices are empty".into());
        }
        for at in (0..dims.len()).filter(|&at| at != axis) {
            value = narrowed(value, at, 0, wanted[at]);
        }
        one(match value {
            Value::Float(x) => Value::Float(x.gather(axis, indices)),
            Value::Int(x) => Value::Int(x.gather(axis, indices)),
            Value::Bool(x) => Value::Bool(x.int().gather(axis, indices).not_equal_elem(0)),
        })
    }))
}

/// Rows of indices `[…, q]` into the first `q` dimensions as places in those dimensions flattened.
fn flat_places(
    inputs: &Inputs,
    index: usize,
    dims: &[usize],
) -> Result<(Tensor<1, Int>, Vec<usize>), String> {
    let raw = inputs.raw(index)?;
    let mut lead = raw.dims();
    let depth = lead.pop().filter(|&depth| depth > 0 && depth <= dims.len()).ok_or_else(|| {
        format!("its indices of shape {:?} do not fit an input of shape {dims:?}", raw.dims())
    })?;
    let rows: usize = lead.iter().product();
    if rows == 0 || dims.contains(&0) {
        return Err("one of its inputs is empty".into());
    }
    if raw.device() == burn::tensor::Device::flex() {
        let mut flat = Vec::with_capacity(rows);
        for row in inputs.ints(index)?.chunks_exact(depth) {
            let mut place = 0;
            for (&at, &size) in row.iter().zip(dims) {
                let counted = if at < 0 { at + size as i64 } else { at };
                if !(0..size as i64).contains(&counted) {
                    return Err(format!("its index {at} is beyond a size of {size}"));
                }
                place = place * size as i64 + counted;
            }
            flat.push(place);
        }
        return Ok((Tensor::from_data(flat.as_slice(), inputs.device()), lead));
    }
    let table: Tensor<2, Int> = inputs
        .int(index)?
        .reshape(&[rows, depth])
        .and_then(|table| table.get())
        .ok_or("its indices are empty")?;
    let mut flat = Tensor::<2, Int>::zeros([rows, 1], inputs.device());
    for (column, &size) in dims.iter().take(depth).enumerate() {
        let at = table.clone().slice_dim(1, column as i64..column as i64 + 1);
        let negative = at.clone().lower_elem(0).int() * size as i64;
        flat = flat * size as i64 + at + negative;
    }
    Ok((flat.reshape([rows]), lead))
}

/// `GatherND`: slices named by rows of indices.
pub(super) fn gather_nd(node: &Node) -> Plan {
    let batch = usize::try_from(node.int("batch_dims", 0)?).map_err(|_| "its batch_dims is negative")?;
    Ok(Box::new(move |inputs| {
        let value = row(inputs.value(0)?)?;
        let dims = value.dims();
        let index_dims = inputs.raw(1)?.dims();
        let depth = *index_dims.last().ok_or("its indices have no dimension")?;
        if batch + depth > dims.len() || batch >= index_dims.len() || index_dims[..batch] != dims[..batch] {
            return Err(format!("its indices of shape {index_dims:?} do not fit an input of shape {dims:?}"));
        }
        let rest = &dims[batch + depth..];
        let (flat, lead) = flat_places(inputs, 1, &dims[batch..])?;
        let flat = if batch == 0 {
            flat
        } else {
            // Each batch has its own stretch of the flattened input.
            let batches: usize = dims[..batch].iter().product();
            let stretch: usize = dims[batch..batch + depth].iter().product();
            let rows: usize = lead.iter().product();
            let each = rows / batches.max(1);
            let starts: Vec<i64> = (0..rows).map(|row| (row / each.max(1) * stretch) as i64).collect();
            flat + Tensor::<1, Int>::from_data(starts.as_slice(), inputs.device())
        };
        let slices: usize = dims[..batch + depth].iter().product();
        let inner: usize = rest.iter().product();
        let table = value.reshape(&[slices, inner])?;
        let mut shape = lead;
        shape.extend(rest);
        check_size(&shape)?;
        let found = move_elements!(table, x => x.select(0, flat.clone()));
        one(found.reshape(&shape)?)
    }))
}

/// How scattered values meet what is there.
fn update(node: &Node) -> Result<IndexingUpdateOp, String> {
    Ok(match node.text("reduction", "none")?.as_str() {
        "none" => IndexingUpdateOp::Assign,
        "add" => IndexingUpdateOp::Add,
        "mul" => IndexingUpdateOp::Mul,
        "max" => IndexingUpdateOp::Max,
        "min" => IndexingUpdateOp::Min,
        other => return Err(format!("its reduction \"{other}\" is unknown")),
    })
}

/// Writes `updates` at `places` of a row. Burn adds where a gradient passes; the rest is made of that: what is
/// overwritten is masked out first, and other reductions meet what is there in rounds that name no place twice.
fn written(
    flat: Value,
    places: Tensor<1, Int>,
    updates: Value,
    update: IndexingUpdateOp,
) -> Result<Value, String> {
    match (flat, updates) {
        (Value::Float(flat), Value::Float(updates)) => {
            let (flat, updates) = (flat.flat(), updates.flat());
            let written = match update {
                IndexingUpdateOp::Add => flat.scatter(0, places, updates, IndexingUpdateOp::Add),
                IndexingUpdateOp::Assign => assigned(flat, places, updates),
                _ => {
                    let mut flat = flat;
                    for round in rounds(&on_host_ints(places.clone())?) {
                        let chosen = Tensor::<1, Int>::from_data(round.as_slice(), &places.device());
                        let (at, new) =
                            (places.clone().select(0, chosen.clone()), updates.clone().select(0, chosen));
                        flat = match update {
                            IndexingUpdateOp::Mul => {
                                let ones = flat.clone().detach().ones_like();
                                flat * assigned(ones, at, new)
                            }
                            IndexingUpdateOp::Max => flat.clone().max_pair(assigned(flat, at, new)),
                            _ => flat.clone().min_pair(assigned(flat, at, new)),
                        };
                    }
                    flat
                }
            };
            Ok(Value::Float(written.into()))
        }
        (Value::Int(flat), Value::Int(updates)) => {
            let mut values = on_host_ints(flat.flat())?;
            for (place, new) in on_host_ints(places)?.into_iter().zip(on_host_ints(updates.flat())?) {
                let old = &mut values[place as usize];
                *old = match update {
                    IndexingUpdateOp::Assign => new,
                    IndexingUpdateOp::Add => old.wrapping_add(new),
                    IndexingUpdateOp::Mul => old.wrapping_mul(new),
                    IndexingUpdateOp::Max => (*old).max(new),
                    IndexingUpdateOp::Min => (*old).min(new),
                };
            }
            let count = values.len();
            host_ints(values, &[count])
        }
        (Value::Bool(flat), Value::Bool(updates)) => {
            let number = |value: Ranked<Bool>| Value::Int(value.int());
            match written(number(flat), places, number(updates), update)? {
                Value::Int(value) => Ok(Value::Bool(value.not_equal_elem(0))),
                other => Ok(other),
            }
        }
        _ => Err("its input and its updates are of different kinds".into()),
    }
}

/// The row with `updates` in place of what is at `places`.
fn assigned(flat: Tensor<1>, places: Tensor<1, Int>, updates: Tensor<1>) -> Tensor<1> {
    let ones = updates.clone().detach().ones_like();
    let hit = flat.clone().detach().zeros_like().scatter(0, places.clone(), ones, IndexingUpdateOp::Add);
    let kept = flat.mask_fill(hit.not_equal_elem(0.0), 0.0);
    kept.scatter(0, places, updates, IndexingUpdateOp::Add)
}

/// The updates in rounds, none of which names a place twice.
fn rounds(places: &[i64]) -> Vec<Vec<i64>> {
    let mut seen = std::collections::HashMap::new();
    let mut rounds: Vec<Vec<i64>> = Vec::new();
    for (at, place) in places.iter().enumerate() {
        let round = seen.entry(place).and_modify(|round| *round += 1).or_insert(0usize);
        if rounds.len() == *round {
            rounds.push(Vec::new());
        }
        rounds[*round].push(at as i64);
    }
    rounds
}

fn on_host_ints(values: Tensor<1, Int>) -> Result<Vec<i64>, String> {
    if values.device() != burn::tensor::Device::flex() {
        return Err("it scatters whole numbers, or with another reduction than a sum, on the CPU only".into());
    }
    values.into_data().convert::<i64>().try_into_vec().map_err(|_| "its values cannot be read".into())
}

pub(super) fn scatter_nd(node: &Node) -> Plan {
    let update = update(node)?;
    Ok(Box::new(move |inputs| {
        let value = row(inputs.value(0)?)?;
        let dims = value.dims();
        let depth = *inputs.raw(1)?.dims().last().ok_or("its indices have no dimension")?;
        let (rows, lead) = flat_places(inputs, 1, &dims)?;
        let updates = inputs.value(2)?;
        let inner: usize = dims[depth..].iter().product();
        let mut expected = lead;
        expected.extend(&dims[depth..]);
        if updates.dims() != expected {
            return Err(format!("its updates have shape {:?}, and {expected:?} is needed", updates.dims()));
        }
        // Every element of a slice has its own place.
        let count = rows.dims()[0];
        let inside: Vec<i64> = (0..inner as i64).collect();
        let inside = Tensor::<1, Int>::from_data(inside.as_slice(), inputs.device());
        let wide = (rows * inner as i64).reshape([count, 1]).expand([count, inner]);
        let flat = (wide + inside.reshape([1, inner]).expand([count, inner])).reshape([count * inner]);
        one(written(value, flat, updates, update)?.reshape(&dims)?)
    }))
}

pub(super) fn scatter_elements(node: &Node) -> Plan {
    let update = update(node)?;
    let given = node.int("axis", 0)?;
    Ok(Box::new(move |inputs| {
        let value = inputs.value(0)?;
        let dims = value.dims();
        let axis = axis(given, dims.len())?;
        let (indices, updates) = (places(inputs, 1, dims[axis])?, inputs.value(2)?);
        let shape = indices.dims();
        let fits = shape.len() == dims.len() && (0..dims.len()).all(|at| at == axis || shape[at] <= dims[at]);
        if !fits || updates.dims() != shape {
            return Err(format!(
                "its indices of shape {shape:?} and updates of shape {:?} do not fit {dims:?}",
                updates.dims()
            ));
        }
        if indices.is_empty() {
            return one(value);
        }
        let strides: Vec<i64> =
            (0..dims.len()).map(|at| dims[at + 1..].iter().product::<usize>() as i64).collect();
        let elsewhere: Vec<i64> = (0..indices.len())
            .map(|flat| {
                let mut rest = flat;
                let mut place = 0;
                for at in (0..dims.len()).rev() {
                    let coordinate = (rest % shape[at]) as i64;
                    rest /= shape[at];
                    if at != axis {
                        place += coordinate * strides[at];
                    }
                }
                place
            })
            .collect();
        let elsewhere = Tensor::<1, Int>::from_data(elsewhere.as_slice(), inputs.device());
        let flat = indices.flat() * strides[axis] + elsewhere;
        one(written(value, flat, updates, update)?.reshape(&dims)?)
    }))
}

/// `OneHot` with the depth known on the host.
pub(super) fn one_hot(node: &Node) -> Described {
    let given = node.int("axis", -1)?;
    Ok(Operator::new(Kind::Stop, move |inputs| {
        let depth = inputs.floats(1)?.first().copied().ok_or("its depth is missing")? as usize;
        check_size(&[depth])?;
        let [off, on] = *inputs.floats(2)? else { return Err("its values must be two".into()) };
        let places: Vec<i64> = inputs.floats(0)?.into_iter().map(|place| place as i64).collect();
        let mut dims = inputs.raw(0)?.dims();
        let axis = super::axis(given, dims.len() + 1)?;
        let inner: usize = dims[axis..].iter().product();
        dims.insert(axis, depth);
        check_size(&dims)?;
        let mut values = vec![off; places.len() * depth];
        for (flat, &place) in places.iter().enumerate() {
            let counted = if place < 0 { place + depth as i64 } else { place };
            if (0..depth as i64).contains(&counted) {
                let (outer, column) = (flat / inner.max(1), flat % inner.max(1));
                values[(outer * depth + counted as usize) * inner + column] = on;
            }
        }
        if let Value::Int(_) = inputs.raw(2)? {
            return host_ints(values.into_iter().map(|value| value as i64).collect(), &dims)
                .map(|value| vec![value]);
        }
        one(float_tensor(values, &dims, inputs.device())?)
    })
    .gives(node.element(2)))
}

/// The truth of every element, on the host.
fn truths(inputs: &Inputs, index: usize) -> Result<Vec<bool>, String> {
    match inputs.raw(index)? {
        Value::Bool(_) => inputs.bools(index),
        _ => Ok(inputs.floats(index)?.into_iter().map(|value| value != 0.0).collect()),
    }
}

/// `NonZero`: the coordinates of what is not zero, one row a dimension.
pub(super) fn non_zero(_: &Node) -> Described {
    Ok(Operator::new(Kind::Stop, |inputs| {
        let dims = row(inputs.raw(0)?.clone())?.dims();
        let found: Vec<usize> = truths(inputs, 0)?
            .into_iter()
            .enumerate()
            .filter(|(_, truth)| *truth)
            .map(|(at, _)| at)
            .collect();
        let mut rows = Vec::with_capacity(dims.len() * found.len());
        for axis in 0..dims.len() {
            let stride: usize = dims[axis + 1..].iter().product();
            rows.extend(found.iter().map(|at| (at / stride % dims[axis]) as i64));
        }
        host_ints(rows, &[dims.len(), found.len()]).map(|value| vec![value])
    })
    .gives(Some(Element::I64)))
}

/// `Compress`: the slices whose condition holds.
pub(super) fn compress(node: &Node) -> Plan {
    let given = match node.has("axis") {
        true => Some(node.int("axis", 0)?),
        false => None,
    };
    Ok(Box::new(move |inputs| {
        let mut value = inputs.value(0)?;
        let axis = match given {
            Some(given) => axis(given, value.rank())?,
            None => {
                let count = value.len();
                value = value.reshape(&[count])?;
                0
            }
        };
        super::check_filled(&value)?;
        let size = value.dims()[axis] as i64;
        let kept: Vec<i64> = inputs
            .bools(1)?
            .into_iter()
            .enumerate()
            .filter(|(_, keep)| *keep)
            .map(|(at, _)| at as i64)
            .filter(|&at| at < size)
            .collect();
        if kept.is_empty() {
            return Err("nothing is kept".into());
        }
        one(picked(value, axis, &kept))
    }))
}

/// `ReverseSequence`: the first elements of each sequence in the opposite order.
pub(super) fn reverse_sequence(node: &Node) -> Plan {
    let (batch, time) = (node.int("batch_axis", 1)?, node.int("time_axis", 0)?);
    Ok(Box::new(move |inputs| {
        let value = inputs.value(0)?;
        let dims = value.dims();
        let (batch, time) = (axis(batch, dims.len())?, axis(time, dims.len())?);
        let lengths = inputs.ints(1)?;
        if batch == time || lengths.len() != dims[batch] {
            return Err(format!("its {} lengths do not fit an input of shape {dims:?}", lengths.len()));
        }
        super::check_filled(&value)?;
        let parts = lengths
            .iter()
            .enumerate()
            .map(|(at, &length)| {
                let length = length.clamp(0, dims[time] as i64);
                let order: Vec<i64> = (0..length).rev().chain(length..dims[time] as i64).collect();
                picked(narrowed(value.clone(), batch, at, at + 1), time, &order)
            })
            .collect();
        one(super::shape::joined(parts, batch)?)
    }))
}

/// `Unique` of all elements, or of the slices along an axis; computed on the host.
pub(super) fn unique(node: &Node) -> Described {
    let sorted = node.flag("sorted", true)?;
    let given = match node.has("axis") {
        true => Some(node.int("axis", 0)?),
        false => None,
    };
    Ok(Operator::new(Kind::Stop, move |inputs| {
        let value = inputs.value(0)?;
        let (value, axis) = match given {
            Some(given) => {
                let axis = axis(given, value.rank())?;
                (value, axis)
            }
            None => {
                let count = value.len();
                (value.reshape(&[count])?, 0)
            }
        };
        super::check_filled(&value)?;
        let dims = value.dims();
        let numbers = inputs.floats(0)?;
        let inner: usize = dims[axis + 1..].iter().product();
        let slice = |at: usize| -> Vec<f32> {
            (0..numbers.len())
                .filter(|flat| flat / inner % dims[axis] == at)
                .map(|flat| numbers[flat])
                .collect()
        };
        let slices: Vec<Vec<f32>> = (0..dims[axis]).map(slice).collect();
        let compare = |a: &[f32], b: &[f32]| {
            a.iter()
                .zip(b)
                .map(|(a, b)| a.total_cmp(b))
                .find(|order| order.is_ne())
                .unwrap_or(std::cmp::Ordering::Equal)
        };
        let mut first: Vec<usize> = Vec::new();
        for at in 0..slices.len() {
            if !first.iter().any(|&known| slices[known] == slices[at]) {
                first.push(at);
            }
        }
        if sorted {
            first.sort_by(|&a, &b| compare(&slices[a], &slices[b]));
        }
        let inverse: Vec<i64> = slices
            .iter()
            .map(|slice| first.iter().position(|&known| slices[known] == *slice).unwrap_or(0) as i64)
            .collect();
        let counts: Vec<i64> = (0..first.len())
            .map(|group| inverse.iter().filter(|&&of| of == group as i64).count() as i64)
            .collect();
        let places: Vec<i64> = first.iter().map(|&at| at as i64).collect();
        let count = places.len();
        let all = inverse.len();
        Ok(vec![
            picked(value, axis, &places),
            host_ints(places, &[count])?,
            host_ints(inverse, &[all])?,
            host_ints(counts, &[count])?,
        ])
    }))
}
