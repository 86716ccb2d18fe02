//! Operators that make, move or repeat elements, or change their type, without computing with them.

use burn::tensor::{
    Bool, Int, Tensor, TensorData,
    kind::{Basic, Numeric},
    ops::PadMode,
};

use super::{
    Described, Form, Inputs, Kind, Lowering, Node, Operator, Plan, array, axes, axis, check_size,
    float_tensor, host_ints, one, too_many,
};
use crate::model::{
    bodies,
    element::Element,
    value::{MAX_RANK, Ranked, Value, map_ranked, map_value, move_elements},
};

/// Identity, and what is identity when a network is not being trained.
pub(super) fn identity(_: &Node) -> Described {
    Ok(Operator::new(Kind::Reshape, |inputs| one(inputs.any(0)?.clone())).lowers(Lowering::Reshape))
}

/// `Dropout` outside training, or of nothing: the input, and a mask that keeps everything.
pub(super) fn dropout(node: &Node) -> Described {
    let masked = node.writes(1);
    Ok(Operator::new(Kind::Reshape, move |inputs| {
        let training = inputs.has(2) && inputs.bools(2)?.contains(&true);
        if training && !(inputs.has(1) && inputs.scalar(1)? == 0.0) {
            return Err("it is in training mode, and its result would be random".into());
        }
        let value = inputs.raw(0)?.clone();
        if !masked {
            return one(value);
        }
        let dims = value.dims();
        let kept = TensorData::new(vec![true; value.len()], dims.clone());
        let mask = Ranked::<Bool>::from_data(kept, inputs.device()).ok_or_else(|| too_many(&dims))?;
        Ok(vec![value, mask.into()])
    })
    .lowers(Lowering::Reshape))
}

/// The type of the tensor that a node holds as its `value`; that of real numbers where it holds none.
fn held(node: &Node) -> Option<Element> {
    Element::from_onnx(bodies::value(node.proto).map_or(1, |tensor| tensor.data_type)).ok()
}

/// `Constant`, in each of the forms that ONNX has for it.
pub(super) fn constant(node: &Node) -> Described {
    let data = if let Some(data) = node.tensor("value")? {
        data
    } else if node.has("value_float") {
        TensorData::new(vec![node.float("value_float", 0.0)?], Vec::<usize>::new())
    } else if node.has("value_int") {
        TensorData::new(vec![node.int("value_int", 0)?], Vec::<usize>::new())
    } else if let Some(values) = node.floats("value_floats")? {
        let count = values.len();
        TensorData::new(values, [count])
    } else if let Some(values) = node.ints("value_ints")? {
        let count = values.len();
        TensorData::new(values, [count])
    } else {
        return Err("it holds a string or a sparse tensor".into());
    };
    let element = held(node);
    Ok(Operator::new(Kind::Other, move |inputs| {
        one(Value::from_data(data.clone(), inputs.device()).ok_or("its value has too many dimensions")?)
    })
    .gives(element))
}

/// How a value becomes one of another type.
#[derive(Debug, Clone, Copy)]
enum Target {
    Float,
    /// What lies outside of the type's range overflows, as it does in C, or goes to the range's end.
    Int(Element, Beyond),
    Bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Beyond {
    Overflows,
    Saturates,
}

/// Where a real number lies outside of a type of four bits, ONNX leaves the result open; its tests up to opset 21
/// saturate, and those since overflow.
fn target(element: Element, opset: i64) -> Target {
    match element {
        Element::Bool => Target::Bool,
        element if element.is_float() => Target::Float,
        Element::I4 | Element::U4 if opset < 22 => Target::Int(element, Beyond::Saturates),
        element => Target::Int(element, Beyond::Overflows),
    }
}

fn convert(value: Value, to: Target) -> Value {
    fn wrapped(value: Ranked<Int>, element: Element, beyond: Beyond) -> Ranked<Int> {
        let Some((low, high)) = element.range() else { return value };
        match beyond {
            Beyond::Saturates => value.clamp(low, high),
            Beyond::Overflows => (value - low).remainder_scalar(high - low + 1) + low,
        }
    }
    match (value, to) {
        (Value::Float(x), Target::Float) => Value::Float(x),
        (Value::Float(x), Target::Int(element, beyond)) => Value::Int(wrapped(x.int(), element, beyond)),
        (Value::Float(x), Target::Bool) => Value::Bool(x.not_equal_elem(0.0)),
        (Value::Int(x), Target::Float) => Value::Float(x.float()),
        (Value::Int(x), Target::Int(element, beyond)) => Value::Int(wrapped(x, element, beyond)),
        (Value::Int(x), Target::Bool) => Value::Bool(x.not_equal_elem(0)),
        (Value::Bool(x), Target::Float) => Value::Float(x.float()),
        (Value::Bool(x), Target::Int(..)) => Value::Int(x.int()),
        (Value::Bool(x), Target::Bool) => Value::Bool(x),
    }
}

/// `Cast`. Every floating-point type is computed in 32 bits, so that between them nothing happens.
pub(super) fn cast(node: &Node) -> Described {
    let number = i32::try_from(node.int("to", 0)?).unwrap_or(0);
    let element = Element::from_onnx(number).map_err(|name| format!("it casts to {name}"))?;
    if node.types.first().is_some_and(Option::is_none) && node.proto.input.is_empty() {
        return Err("it has no input".into());
    }
    let to = target(element, node.opset);
    Ok(Operator::new(Kind::Reshape, move |inputs| one(convert(inputs.any(0)?.clone(), to)))
        .gives(Some(element)))
}

pub(super) fn cast_like(node: &Node) -> Described {
    let known = node.element(1).map(|element| target(element, node.opset));
    Ok(Operator::new(Kind::Reshape, move |inputs| {
        let to = match (known, inputs.raw(1)?) {
            (Some(known), _) => known,
            (None, Value::Float(_)) => Target::Float,
            (None, Value::Int(_)) => Target::Int(Element::I64, Beyond::Overflows),
            (None, Value::Bool(_)) => Target::Bool,
        };
        one(convert(inputs.raw(0)?.clone(), to))
    })
    .gives(node.element(1)))
}

pub(super) fn shape(node: &Node) -> Described {
    let (start, end) = (node.int("start", 0)?, node.int("end", i64::MAX)?);
    Ok(Operator::new(Kind::Stop, move |inputs| {
        let dims = inputs.any(0)?.dims();
        let rank = dims.len() as i64;
        let place = |at: i64| (if at < 0 { at.saturating_add(rank) } else { at }).clamp(0, rank) as usize;
        let (start, end) = (place(start), place(end));
        let part: Vec<i64> = dims.get(start..end).unwrap_or_default().iter().map(|&dim| dim as i64).collect();
        let count = part.len();
        host_ints(part, &[count]).map(|value| vec![value])
    })
    .gives(Some(Element::I64)))
}

pub(super) fn size(_: &Node) -> Described {
    Ok(Operator::new(Kind::Stop, |inputs| {
        host_ints(vec![inputs.any(0)?.len() as i64], &[]).map(|value| vec![value])
    })
    .gives(Some(Element::I64)))
}

/// Sizes from whole numbers that must not be negative.
pub(super) fn sizes(values: &[i64]) -> Result<Vec<usize>, String> {
    let sizes: Vec<usize> = values
        .iter()
        .map(|&value| usize::try_from(value).map_err(|_| format!("the shape {values:?} is impossible")))
        .collect::<Result<_, _>>()?;
    check_size(&sizes)?;
    Ok(sizes)
}

/// `Reshape`; 0 keeps a size, -1 is whatever is left.
pub(super) fn reshape(node: &Node) -> Described {
    let attribute = node.ints("shape")?;
    let zero_is_zero = node.flag("allowzero", false)?;
    Ok(Operator::new(Kind::Reshape, move |inputs| {
        let value = inputs.any(0)?.clone();
        let wanted = match &attribute {
            Some(wanted) => wanted.clone(),
            None => inputs.ints(1)?,
        };
        let before = value.dims();
        let mut dims = Vec::with_capacity(wanted.len());
        let mut open = None;
        for (index, &size) in wanted.iter().enumerate() {
            dims.push(match size {
                0 if !zero_is_zero => *before.get(index).ok_or_else(|| {
                    format!("its shape {wanted:?} keeps a size that {before:?} does not have")
                })?,
                -1 if open.is_none() => {
                    open = Some(index);
                    1
                }
                size => usize::try_from(size).map_err(|_| format!("its shape {wanted:?} is impossible"))?,
            });
        }
        if let Some(open) = open {
            let rest = dims.iter().try_fold(1usize, |product, &dim| product.checked_mul(dim)).unwrap_or(0);
            dims[open] = value.len().checked_div(rest).unwrap_or(0);
        }
        check_size(&dims)?;
        one(value.reshape(&dims)?)
    })
    .lowers(Lowering::Reshape))
}

/// `Flatten` to two dimensions: those before `axis`, and the rest.
pub(super) fn flatten(node: &Node) -> Described {
    let given = node.int("axis", 1)?;
    Ok(Operator::new(Kind::Reshape, move |inputs| {
        let value = inputs.any(0)?.clone();
        let dims = value.dims();
        let at = if given < 0 { given + dims.len() as i64 } else { given };
        let at = usize::try_from(at)
            .ok()
            .filter(|&at| at <= dims.len())
            .ok_or_else(|| format!("its axis {given} is beyond the input's {} dimensions", dims.len()))?;
        one(value.reshape(&[dims[..at].iter().product(), dims[at..].iter().product()])?)
    })
    .lowers(Lowering::Reshape))
}

/// Axes that are an attribute before opset 13 and input `index` since.
pub(super) fn axes_of(
    attribute: &Option<Vec<i64>>,
    inputs: &Inputs,
    index: usize,
) -> Result<Option<Vec<i64>>, String> {
    match attribute {
        Some(axes) => Ok(Some(axes.clone())),
        None if inputs.has(index) => inputs.ints(index).map(Some),
        None => Ok(None),
    }
}

pub(super) fn squeeze(node: &Node) -> Described {
    let attribute = node.ints("axes")?;
    Ok(Operator::new(Kind::Reshape, move |inputs| {
        let value = inputs.any(0)?.clone();
        let dims = value.dims();
        let dropped: Vec<usize> = match axes_of(&attribute, inputs, 1)? {
            Some(given) => axes(&given, dims.len())?,
            None => (0..dims.len()).filter(|&axis| dims[axis] == 1).collect(),
        };
        if let Some(&wide) = dropped.iter().find(|&&axis| dims[axis] != 1) {
            return Err(format!("its axis {wide} of size {} cannot be squeezed", dims[wide]));
        }
        let kept: Vec<usize> = dims
            .iter()
            .enumerate()
            .filter(|(axis, _)| !dropped.contains(axis))
            .map(|(_, &size)| size)
            .collect();
        one(value.reshape(&kept)?)
    })
    .lowers(Lowering::Reshape))
}

pub(super) fn unsqueeze(node: &Node) -> Described {
    let attribute = node.ints("axes")?;
    Ok(Operator::new(Kind::Reshape, move |inputs| {
        let value = inputs.any(0)?.clone();
        let given = axes_of(&attribute, inputs, 1)?.ok_or("its axes are missing")?;
        let dims = value.dims();
        let added = axes(&given, dims.len() + given.len())?;
        let mut old = dims.iter();
        let wide: Vec<usize> = (0..dims.len() + added.len())
            .map(|axis| if added.contains(&axis) { 1 } else { old.next().copied().unwrap_or(1) })
            .collect();
        one(value.reshape(&wide)?)
    })
    .lowers(Lowering::Reshape))
}

/// The dimensions in another order.
pub(super) fn permuted(value: Value, order: &[usize]) -> Result<Value, String> {
    if order.len() < 2 || order.is_sorted() {
        return Ok(value);
    }
    if order.len() > MAX_RANK {
        return regrouped(value, order);
    }
    Ok(map_value!(value, ranked => map_ranked!(ranked, x => x.permute(array(order)?))))
}

/// The dimensions of a value of many in another order: those that stay neighbours are moved as one.
fn regrouped(value: Value, order: &[usize]) -> Result<Value, String> {
    let dims = value.dims();
    let wanted: Vec<usize> = order.iter().map(|&axis| dims[axis]).collect();
    if value.is_empty() {
        return value.reshape(&wanted);
    }
    // The groups in their new order, each with its first axis and its number of elements. An axis of size 1 is nowhere.
    let mut groups: Vec<(usize, usize)> = Vec::new();
    let mut next = None;
    for &axis in order.iter().filter(|&&axis| dims[axis] != 1) {
        match groups.last_mut() {
            Some((_, size)) if next == Some(axis) => *size *= dims[axis],
            _ => groups.push((axis, dims[axis])),
        }
        next = (axis + 1..dims.len()).find(|&axis| dims[axis] != 1);
    }
    let mut before = groups.clone();
    before.sort_unstable();
    let sizes = |groups: &[(usize, usize)]| groups.iter().map(|&(_, size)| size).collect::<Vec<_>>();
    if groups.len() <= MAX_RANK {
        let place = |group: &(usize, usize)| before.iter().position(|other| other == group);
        let order: Vec<usize> = groups.iter().filter_map(place).collect();
        return permuted(value.reshape(&sizes(&before))?, &order)?.reshape(&wanted);
    }
    // One group after the other to its place.
    let mut value = value;
    for (at, group) in groups.iter().enumerate() {
        let from = before.iter().position(|other| other == group).ok_or("its order names an axis twice")?;
        let count = |groups: &[(usize, usize)]| groups.iter().map(|&(_, size)| size).product::<usize>();
        let cut = [count(&before[..at]), count(&before[at..from]), group.1, count(&before[from + 1..])];
        value = permuted(value.reshape(&cut)?, &[0, 2, 1, 3])?;
        before.remove(from);
        before.insert(at, *group);
    }
    value.reshape(&wanted)
}

pub(super) fn transpose(node: &Node) -> Described {
    let attribute = node.ints("perm")?;
    let order = attribute.clone().unwrap_or_default();
    let transpose = Operator::new(Kind::Move, move |inputs| {
        let value = inputs.any(0)?.clone();
        let rank = value.rank();
        let order: Vec<usize> = match &attribute {
            None => (0..rank).rev().collect(),
            Some(given) => {
                let order = given.iter().map(|&each| axis(each, rank)).collect::<Result<Vec<_>, String>>()?;
                if order.len() != rank || axes(given, rank)?.len() != rank {
                    return Err(format!("its order {given:?} is not one of {rank} dimensions"));
                }
                order
            }
        };
        one(permuted(value, &order)?)
    });
    Ok(transpose.permutes(order))
}

/// Values joined along one axis.
pub(super) fn joined(values: Vec<Value>, axis: usize) -> Result<Value, String> {
    fn cat<K: Basic + 'static>(parts: Vec<Ranked<K>>, axis: usize) -> Result<Ranked<K>, String> {
        macro_rules! cat {
            ($($variant:ident = $rank:literal),*) => {
                match parts[0] {
                    $(Ranked::$variant(_) => {
                        let parts: Option<Vec<Tensor<$rank, K>>> = parts.iter().map(Ranked::get).collect();
                        let parts = parts.ok_or("its inputs differ in their number of dimensions")?;
                        Ok(Ranked::$variant(Tensor::cat(parts, axis)))
                    })*
                    Ranked::D0(_) => Err("scalars have no axis to be joined along".to_owned()),
                    Ranked::Wide(..) => Err("its inputs have too many dimensions".to_owned()),
                }
            };
        }
        cat!(D1 = 1, D2 = 2, D3 = 3, D4 = 4, D5 = 5, D6 = 6)
    }
    let first = values.first().ok_or("it has no input")?.dims();
    for value in &values {
        let dims = value.dims();
        let fits = dims.len() == first.len() && (0..dims.len()).all(|at| at == axis || dims[at] == first[at]);
        if !fits {
            return Err(format!("its inputs {first:?} and {dims:?} differ off the axis {axis}"));
        }
    }
    if first.len() > MAX_RANK {
        let mut dims = first;
        let size: usize = values.iter().map(|value| value.dims()[axis]).sum();
        let cut = |value: Value| {
            let dims = value.dims();
            value.reshape(&[dims[..axis].iter().product(), dims[axis], dims[axis + 1..].iter().product()])
        };
        let parts = values.into_iter().map(cut).collect::<Result<Vec<_>, _>>()?;
        dims[axis] = size;
        return joined(parts, 1)?.reshape(&dims);
    }
    // What is empty adds no element, though it may add to the shape.
    let mut full: Vec<Value> = values.iter().filter(|value| !value.is_empty()).cloned().collect();
    if full.is_empty() {
        let mut dims = first;
        dims[axis] = values.iter().map(|value| value.dims()[axis]).sum();
        return values[0].clone().reshape(&dims);
    }
    if full.len() == 1 {
        return full.pop().ok_or_else(|| "it has no input".into());
    }
    macro_rules! of_kind {
        ($kind:ident) => {{
            let parts = full.into_iter().map(|value| match value {
                Value::$kind(ranked) => Ok(ranked),
                _ => Err("its inputs are of different kinds".to_owned()),
            });
            cat(parts.collect::<Result<Vec<_>, String>>()?, axis).map(Value::$kind)
        }};
    }
    match full[0] {
        Value::Float(_) => of_kind!(Float),
        Value::Int(_) => of_kind!(Int),
        Value::Bool(_) => of_kind!(Bool),
    }
}

pub(super) fn concat(node: &Node) -> Described {
    if node.opset >= 4 && !node.has("axis") {
        return Err("its axis is missing".into());
    }
    let given = node.int("axis", 1)?;
    let concat = Operator::new(Kind::Move, move |inputs| {
        let values = (0..inputs.len()).map(|index| inputs.wide(index)).collect::<Result<Vec<_>, _>>()?;
        let rank = values.first().ok_or("it has no input")?.rank();
        one(joined(values, axis(given, rank)?)?)
    });
    Ok(concat.lowers(Lowering::Concat { axis: given }))
}

/// Changes a value of many dimensions along one axis, as one of three: before the axis, the axis, and after it.
fn around(value: Value, axis: usize, change: impl FnOnce(Value) -> Value) -> Value {
    let mut dims = value.dims();
    let cut = [dims[..axis].iter().product(), dims[axis], dims[axis + 1..].iter().product()];
    let Ok(flat) = value.clone().reshape(&cut) else { return value };
    let changed = change(flat);
    dims[axis] = changed.dims()[1];
    changed.clone().reshape(&dims).unwrap_or(changed)
}

/// The elements from `start` to before `end` along an axis.
pub(super) fn narrowed(value: Value, axis: usize, start: usize, end: usize) -> Value {
    if start == 0 && value.dims().get(axis) == Some(&end) {
        return value;
    }
    if value.rank() > MAX_RANK {
        return around(value, axis, |value| narrowed(value, 1, start, end));
    }
    map_value!(value, ranked => map_ranked!(ranked, x => x.slice_dim(axis, start as i64..end as i64)))
}

/// The elements at `indices` along an axis; the indices are in range.
pub(super) fn picked(value: Value, axis: usize, indices: &[i64]) -> Value {
    if value.rank() > MAX_RANK {
        return around(value, axis, |value| picked(value, 1, indices));
    }
    let indices = Tensor::<1, Int>::from_data(indices, &value.device());
    move_elements!(value, x => x.select(axis, indices.clone()))
}

pub(super) fn split(node: &Node) -> Described {
    let given = node.int("axis", 0)?;
    let attribute = node.ints("split")?.filter(|lengths| !lengths.is_empty());
    let outputs = node.proto.output.len();
    // Outputs at the end that nobody reads may be left out.
    let parts = node.positive("num_outputs", outputs)?;
    if parts < outputs {
        return Err(format!("its num_outputs is {parts}, and it has {outputs} outputs"));
    }
    Ok(Operator::new(Kind::Move, move |inputs| {
        let value = inputs.any(0)?.clone();
        let dims = value.dims();
        let axis = axis(given, dims.len())?;
        let lengths = match axes_of(&attribute, inputs, 1)? {
            // Lengths beside each other, not the sizes of one value.
            Some(lengths) => lengths
                .iter()
                .map(|&length| {
                    usize::try_from(length).map_err(|_| format!("its part of {length} is impossible"))
                })
                .collect::<Result<Vec<_>, _>>()?,
            None => {
                let each = dims[axis].div_ceil(parts.max(1));
                check_size(&[parts])?;
                let rest = |part: usize| dims[axis].saturating_sub(part.saturating_mul(each));
                (0..parts).map(|part| each.min(rest(part))).collect()
            }
        };
        if lengths.len() < outputs {
            return Err(format!("it has {} parts and {outputs} outputs", lengths.len()));
        }
        let sum = lengths.iter().try_fold(0usize, |sum, &length| sum.checked_add(length));
        if sum != Some(dims[axis]) {
            return Err(format!("its parts {lengths:?} do not make up the size {}", dims[axis]));
        }
        let mut start = 0;
        lengths
            .into_iter()
            .take(outputs)
            .map(|length| {
                start += length;
                match length {
                    0 => empty_like(&value, axis),
                    _ => Ok(narrowed(value.clone(), axis, start - length, start)),
                }
            })
            .collect()
    }))
}

/// A value of the same kind without elements along an axis.
pub(super) fn empty_like(value: &Value, axis: usize) -> Result<Value, String> {
    let mut dims = value.dims();
    dims[axis] = 0;
    let device = value.device();
    let data = match value {
        Value::Float(_) => TensorData::new(Vec::<f32>::new(), dims.clone()),
        Value::Int(_) => TensorData::new(Vec::<i64>::new(), dims.clone()),
        Value::Bool(_) => TensorData::new(Vec::<bool>::new(), dims.clone()),
    };
    Value::from_data(data, &device).ok_or_else(|| too_many(&dims))
}

/// `Slice`: starts, ends, axes and steps are attributes before opset 10 and inputs since.
pub(super) fn slice(node: &Node) -> Described {
    let attributes = match (node.ints("starts")?, node.ints("ends")?) {
        (Some(starts), Some(ends)) => Some((starts, ends, node.ints("axes")?)),
        _ => None,
    };
    Ok(Operator::new(Kind::Move, move |inputs| {
        let mut value = inputs.any(0)?.clone();
        let (starts, ends, given, steps) = match &attributes {
            Some((starts, ends, axes)) => (starts.clone(), ends.clone(), axes.clone(), None),
            None => {
                let optional = |index: usize| inputs.has(index).then(|| inputs.ints(index)).transpose();
                (inputs.ints(1)?, inputs.ints(2)?, optional(3)?, optional(4)?)
            }
        };
        let rank = value.rank();
        let given = given.unwrap_or_else(|| (0..starts.len() as i64).collect());
        let steps = steps.unwrap_or_else(|| vec![1; starts.len()]);
        if ends.len() != starts.len() || given.len() != starts.len() || steps.len() != starts.len() {
            return Err("its starts, ends, axes and steps are not equally many".into());
        }
        axes(&given, rank)?;
        for (((start, end), step), each) in starts.into_iter().zip(ends).zip(steps).zip(given) {
            let axis = axis(each, rank)?;
            let size = value.dims()[axis] as i64;
            let place = |at: i64| if at < 0 { at.saturating_add(size) } else { at };
            if step == 0 {
                return Err("its step is 0".into());
            }
            let (low, high) = if step > 0 { (0, size) } else { (-1, size - 1) };
            let (start, end) = (place(start).clamp(low.max(0), high.max(0)), place(end).clamp(low, size));
            value = if step == 1 && start < end {
                narrowed(value, axis, start as usize, end as usize)
            } else {
                let mut indices = Vec::new();
                let mut at = start;
                while size > 0 && ((step > 0 && at < end) || (step < 0 && at > end)) {
                    indices.push(at);
                    at = at.saturating_add(step);
                }
                if indices.is_empty() { empty_like(&value, axis)? } else { picked(value, axis, &indices) }
            };
        }
        one(value)
    }))
}

/// Where each element of a padded axis comes from, for the modes that repeat the input.
fn mirrored(size: usize, before: usize, after: usize, mode: &str) -> Vec<i64> {
    let size = size as i64;
    let place = |at: i64| match mode {
        "edge" => at.clamp(0, size - 1),
        "wrap" => at.rem_euclid(size),
        // "reflect": the edge itself is not repeated.
        _ if size == 1 => 0,
        _ => {
            let at = at.rem_euclid(2 * (size - 1));
            if at < size { at } else { 2 * (size - 1) - at }
        }
    };
    (-(before as i64)..size + after as i64).map(place).collect()
}

/// The value with `amount` more elements (fewer where it is negative) before and after each axis.
pub(super) fn padded(mut value: Value, amounts: &[(i64, i64)], fill: f32) -> Result<Value, String> {
    for (axis, &(before, after)) in amounts.iter().enumerate() {
        let size = value.dims()[axis] as i64;
        if before < 0 || after < 0 {
            let (start, end) = ((-before).max(0), size - (-after).max(0));
            if start >= end {
                return Err("its padding removes everything".into());
            }
            value = narrowed(value, axis, start as usize, end as usize);
        }
    }
    let pairs: Vec<(usize, usize)> =
        amounts.iter().map(|&(before, after)| (before.max(0) as usize, after.max(0) as usize)).collect();
    if pairs.iter().all(|&pair| pair == (0, 0)) {
        return Ok(value);
    }
    let dims: Vec<usize> =
        value.dims().iter().zip(&pairs).map(|(size, (before, after))| size + before + after).collect();
    check_size(&dims)?;
    // Burn panics where a fill is none of its whole numbers.
    if !matches!(value, Value::Float(_)) && (fill.is_nan() || fill.abs() >= i32::MAX as f32) {
        return Err(format!("its whole numbers cannot be filled up with {fill}"));
    }
    Ok(match value {
        Value::Float(ranked) => Value::Float(map_ranked!(ranked, x => filled_around(x, &pairs, fill)?)),
        Value::Int(ranked) => Value::Int(map_ranked!(ranked, x => filled_around(x, &pairs, fill)?)),
        Value::Bool(ranked) => {
            let wide = map_ranked!(ranked.int(), x => filled_around(x, &pairs, fill)?);
            Value::Bool(wide.not_equal_elem(0))
        }
    })
}

fn filled_around<const D: usize, K: Numeric>(
    x: Tensor<D, K>,
    pairs: &[(usize, usize)],
    fill: f32,
) -> Result<Tensor<D, K>, String> {
    let pairs: [(usize, usize); D] = array(pairs)?;
    Ok(x.pad(pairs, PadMode::Constant(fill)))
}

/// `Pad`: amounts and fill are attributes before opset 11 and inputs since.
pub(super) fn pad(node: &Node) -> Described {
    let mode = node.text("mode", "constant")?;
    if !["constant", "reflect", "edge", "wrap"].contains(&mode.as_str()) {
        return Err(format!("its mode \"{mode}\" is unknown"));
    }
    let attribute = match node.ints("pads")? {
        Some(pads) => Some(pads),
        None => node.ints("paddings")?,
    };
    let fixed = node.float("value", 0.0)?;
    Ok(Operator::new(Kind::Move, move |inputs| {
        let mut value = inputs.raw(0)?.clone();
        let rank = value.rank();
        let pads = match &attribute {
            Some(pads) => pads.clone(),
            None => inputs.ints(1)?,
        };
        let fill = match inputs.has(2) && !inputs.raw(2)?.is_empty() {
            true => match inputs.raw(2)? {
                Value::Bool(_) => f32::from(u8::from(inputs.bools(2)?[0])),
                _ => inputs.scalar(2)?,
            },
            false => fixed,
        };
        let given = if inputs.has(3) { inputs.ints(3)? } else { (0..rank as i64).collect() };
        axes(&given, rank)?;
        if pads.len() != 2 * given.len() {
            return Err(format!("its {} pads do not fit {} dimensions", pads.len(), given.len()));
        }
        let mut amounts = vec![(0, 0); rank];
        for (index, &each) in given.iter().enumerate() {
            let pair = (pads[index], pads[index + given.len()]);
            if pair.0.unsigned_abs() > 1 << 24 || pair.1.unsigned_abs() > 1 << 24 {
                return Err(format!("its pads {pads:?} are absurd"));
            }
            amounts[axis(each, rank)?] = pair;
        }
        if mode == "constant" {
            return one(padded(value, &amounts, fill)?);
        }
        for (axis, &(before, after)) in amounts.iter().enumerate() {
            let size = value.dims()[axis];
            if size == 0 {
                return Err("its input is empty".into());
            }
            if mode == "reflect" && before.max(after) >= (size as i64).max(2) {
                return Err(format!("a size of {size} cannot be reflected by {}", before.max(after)));
            }
            if before > 0 || after > 0 {
                let indices = mirrored(size, before.max(0) as usize, after.max(0) as usize, &mode);
                value = picked(value, axis, &indices);
            }
            let removed = (before.min(0), after.min(0));
            if removed != (0, 0) {
                let mut only = vec![(0, 0); rank];
                only[axis] = removed;
                value = padded(value, &only, fill)?;
            }
        }
        one(value)
    }))
}

pub(super) fn expand(_: &Node) -> Described {
    Ok(Operator::new(Kind::Move, |inputs| {
        let value = inputs.raw(0)?.clone();
        let wanted = sizes(&inputs.ints(1)?)?;
        let before = value.dims();
        let rank = before.len().max(wanted.len());
        let at = |dims: &[usize], index: usize| match (index + dims.len()).checked_sub(rank) {
            Some(index) => dims[index],
            None => 1,
        };
        let mut dims = Vec::with_capacity(rank);
        for index in 0..rank {
            dims.push(match (at(&before, index), at(&wanted, index)) {
                (1, size) | (size, 1) => size,
                (have, want) if have == want => have,
                _ => return Err(format!("its input of shape {before:?} does not broadcast to {wanted:?}")),
            });
        }
        check_size(&dims)?;
        one(map_value!(value, ranked => ranked.expand(&dims).ok_or_else(|| too_many(&dims))?))
    })
    .formed(Form::Expand))
}

pub(super) fn tile(_: &Node) -> Described {
    Ok(Operator::new(Kind::Move, |inputs| {
        let value = inputs.raw(0)?.clone();
        let repeats = sizes(&inputs.ints(1)?)?;
        let dims = value.dims();
        if repeats.len() != dims.len() {
            return Err(format!("its {} repeats do not fit {} dimensions", repeats.len(), dims.len()));
        }
        check_size(&dims.iter().zip(&repeats).map(|(dim, times)| dim * times).collect::<Vec<_>>())?;
        if dims.is_empty() {
            return one(value);
        }
        one(move_elements!(value, x => x.repeat(&repeats)))
    }))
}

pub(super) fn constant_of_shape(node: &Node) -> Described {
    let fill = node.tensor("value")?.unwrap_or_else(|| TensorData::new(vec![0.0f32], [1]));
    if fill.num_elements() != 1 {
        return Err("its value must be one element".into());
    }
    let element = held(node);
    let value = fill
        .clone()
        .convert::<f32>()
        .try_into_vec()
        .ok()
        .and_then(|values: Vec<f32>| values.first().copied());
    Ok(Operator::new(Kind::Other, move |inputs| {
        let dims = sizes(&inputs.ints(0)?)?;
        let value = Value::from_data(fill.clone(), inputs.device()).ok_or("its value is no number")?;
        let count: usize = dims.iter().product();
        if count == 0 {
            let empty = value.reshape(&[1])?;
            return one(empty_like(&empty, 0)?.reshape(&dims)?);
        }
        let ones = vec![1; dims.len()];
        let scalar = value.reshape(&ones)?;
        one(map_value!(scalar, ranked => ranked.expand(&dims).ok_or_else(|| too_many(&dims))?))
    })
    .within(value.map(|value| (value, value)))
    .gives(element))
}

pub(super) fn range(_: &Node) -> Described {
    Ok(Operator::new(Kind::Stop, |inputs| {
        if let Value::Int(_) = inputs.raw(0)? {
            let bound = |index: usize| match *inputs.ints(index)? {
                [value] => Ok(value),
                _ => Err(format!("its input {index} must be one number")),
            };
            let (start, limit, step) = (bound(0)?, bound(1)?, bound(2)?);
            if step == 0 {
                return Err("its step is 0".to_owned());
            }
            let count = ((limit as f64 - start as f64) / step as f64).ceil().max(0.0) as usize;
            check_size(&[count])?;
            return host_ints((0..count as i64).map(|index| start + index * step).collect(), &[count])
                .map(|value| vec![value]);
        }
        let (start, limit, step) = (inputs.scalar(0)?, inputs.scalar(1)?, inputs.scalar(2)?);
        let count = ((limit - start) / step).ceil().max(0.0);
        if !count.is_finite() {
            return Err("its step is 0".into());
        }
        check_size(&[count as usize])?;
        let values = (0..count as usize).map(|index| start + index as f32 * step).collect();
        one(float_tensor(values, &[count as usize], inputs.device())?)
    }))
}

pub(super) fn eye_like(node: &Node) -> Described {
    let offset = node.int("k", 0)?;
    let element = match node.has("dtype") {
        true => Some(
            Element::from_onnx(i32::try_from(node.int("dtype", 1)?).unwrap_or(0))
                .map_err(|name| format!("it makes {name}"))?,
        ),
        false => node.element(0),
    };
    let to = element.map(|element| target(element, node.opset));
    Ok(Operator::new(Kind::Stop, move |inputs| {
        let dims = inputs.raw(0)?.dims();
        let [rows, columns] = *dims else { return Err("its input is no matrix".into()) };
        let ones = (0..rows * columns)
            .map(|at| {
                f32::from(u8::from((at % columns) as i64 == ((at / columns) as i64).saturating_add(offset)))
            })
            .collect();
        let value = Value::Float(float_tensor(ones, &dims, inputs.device())?);
        one(match to {
            Some(to) => convert(value, to),
            None => value,
        })
    }))
}

/// `Trilu`: one triangle of each matrix, the rest zero.
pub(super) fn trilu(node: &Node) -> Plan {
    let upper = node.flag("upper", true)?;
    Ok(Box::new(move |inputs| {
        let value = inputs.value(0)?;
        let dims = value.dims();
        let [.., rows, columns] = *dims else { return Err("its input is no matrix".into()) };
        let offset = match inputs.has(1) {
            true => *inputs.ints(1)?.first().ok_or("its second input is empty")?,
            false => 0,
        };
        if value.is_empty() {
            return one(value);
        }
        let kept = |at: usize| {
            let (row, column) = ((at / columns) as i64, (at % columns) as i64);
            if upper { column - row >= offset } else { column - row <= offset }
        };
        let mut wide = vec![1; dims.len()];
        (wide[dims.len() - 2], wide[dims.len() - 1]) = (rows, columns);
        let mask = (0..rows * columns).map(|at| i64::from(kept(at))).collect();
        let mask =
            super::int_tensor(mask, &wide, inputs.device())?.expand(&dims).ok_or_else(|| too_many(&dims))?;
        one(match value {
            // A product would make a NaN of an infinity that is cut off, as in the masks of attention.
            Value::Float(x) => {
                let none = x.clone().detach().zeros_like();
                Value::Float(super::arithmetic::masked(mask.not_equal_elem(0), x, none, &dims)?)
            }
            Value::Int(x) => Value::Int(x * mask),
            Value::Bool(x) => Value::Bool(x.bool_and(mask.not_equal_elem(0))),
        })
    }))
}

/// Whether a block's elements lie inside of each channel ("CRD"), or the channels inside of each element ("DCR").
fn column_first(node: &Node) -> Result<bool, String> {
    match node.text("mode", "DCR")?.as_str() {
        "DCR" => Ok(false),
        "CRD" => Ok(true),
        other => Err(format!("its mode \"{other}\" is unknown")),
    }
}

/// Height and width cut into blocks whose elements become channels, or back.
pub(super) fn space_to_depth(node: &Node) -> Described {
    let block = node.positive("blocksize", 1)?;
    let order = match column_first(node)? {
        true => [0, 1, 3, 5, 2, 4],
        false => [0, 3, 5, 1, 2, 4],
    };
    Ok(Operator::new(Kind::Move, move |inputs| {
        let value = inputs.raw(0)?.clone();
        let [n, c, h, w] = *value.dims() else { return Err("its input must have 4 dimensions".into()) };
        super::check_filled(&value)?;
        if h % block != 0 || w % block != 0 {
            return Err(format!("blocks of {block} do not fill {h} x {w}"));
        }
        let cut = value.reshape(&[n, c, h / block, block, w / block, block])?;
        let moved = permuted(cut, &order)?;
        one(moved.reshape(&[n, c * block * block, h / block, w / block])?)
    }))
}

pub(super) fn depth_to_space(node: &Node) -> Described {
    let block = node.positive("blocksize", 1)?;
    let column_first = column_first(node)?;
    Ok(Operator::new(Kind::Move, move |inputs| {
        let value = inputs.raw(0)?.clone();
        let [n, c, h, w] = *value.dims() else { return Err("its input must have 4 dimensions".into()) };
        super::check_filled(&value)?;
        let depth = c / block / block;
        if depth * block * block != c {
            return Err(format!("blocks of {block} do not divide {c} channels"));
        }
        let (dims, order) = match column_first {
            true => ([n, depth, block, block, h, w], [0, 1, 4, 2, 5, 3]),
            false => ([n, block, block, depth, h, w], [0, 3, 4, 1, 5, 2]),
        };
        one(permuted(value.reshape(&dims)?, &order)?.reshape(&[n, depth, h * block, w * block])?)
    }))
}

/// `CenterCropPad`: the middle of the input, or the input in the middle of zeros.
pub(super) fn center_crop_pad(node: &Node) -> Plan {
    let attribute = node.ints("axes")?;
    Ok(Box::new(move |inputs| {
        let value = inputs.raw(0)?.clone();
        let wanted = sizes(&inputs.ints(1)?)?;
        let dims = value.dims();
        let given = attribute.clone().unwrap_or_else(|| (0..dims.len() as i64).collect());
        if given.len() != wanted.len() {
            return Err("its sizes and its axes are not equally many".into());
        }
        let mut amounts = vec![(0, 0); dims.len()];
        for (&each, &want) in given.iter().zip(&wanted) {
            let axis = axis(each, dims.len())?;
            let more = want as i64 - dims[axis] as i64;
            let before = if more >= 0 { more / 2 } else { -((-more) / 2) };
            amounts[axis] = (before, more - before);
        }
        one(padded(value, &amounts, 0.0)?)
    }))
}
