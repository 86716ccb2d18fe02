//! Operators that reduce or order the elements along axes.

use burn::tensor::{Float, Int, Tensor, kind::Numeric};

use super::{
    Described, Form, Inputs, Kind, Node, Operator, Plan, axes, axis, host_ints, one,
    shape::{axes_of, permuted},
};
use crate::model::element::Element;
use crate::model::value::{MAX_RANK, Ranked, Value, map_ranked};

/// Where a reduction's axes come from, and whether they stay with size 1.
struct Along {
    attribute: Option<Vec<i64>>,
    keep: bool,
    none_means_nothing: bool,
}

impl Along {
    fn of(node: &Node) -> Result<Self, String> {
        Ok(Self {
            attribute: node.ints("axes")?,
            keep: node.flag("keepdims", true)?,
            none_means_nothing: node.flag("noop_with_empty_axes", false)?,
        })
    }

    fn axes(&self, inputs: &Inputs, rank: usize) -> Result<Vec<usize>, String> {
        match axes_of(&self.attribute, inputs, 1)? {
            Some(given) if !given.is_empty() => axes(&given, rank),
            _ if self.none_means_nothing => Ok(Vec::new()),
            _ => Ok((0..rank).collect()),
        }
    }

    fn shape(&self, dims: &[usize], axes: &[usize]) -> Vec<usize> {
        let size = |(axis, &size): (usize, &usize)| match (axes.contains(&axis), self.keep) {
            (false, _) => Some(size),
            (true, true) => Some(1),
            (true, false) => None,
        };
        dims.iter().enumerate().filter_map(size).collect()
    }
}

/// A reduction along several axes, which keep size 1.
type Reduction<K> = fn(Ranked<K>, &[usize]) -> Ranked<K>;

/// A reduction of real numbers by `float` and of whole ones by `int`, each along several axes.
fn reduce(
    kind: Kind,
    node: &Node,
    float: Reduction<Float>,
    int: Option<Reduction<Int>>,
    of_nothing: Option<f32>,
) -> Described {
    let along = Along::of(node)?;
    let axes = along.attribute.clone();
    let reduction = Operator::new(kind, move |inputs| {
        let value = inputs.wide(0)?;
        let dims = value.dims();
        let axes = along.axes(inputs, dims.len())?;
        let shape = along.shape(&dims, &axes);
        if value.is_empty() {
            let count = shape.iter().product();
            return match of_nothing {
                Some(neutral) => one(super::float_tensor(vec![neutral; count], &shape, inputs.device())?),
                None => Err("its input is empty".into()),
            };
        }
        // A scalar is reduced as a row of one.
        let (value, axes) = match dims.len() {
            0 => (value.reshape(&[1])?, vec![0]),
            // What is reduced comes last, and is one axis.
            rank if rank > MAX_RANK => {
                let kept = (0..rank).filter(|axis| !axes.contains(axis));
                let order: Vec<usize> = kept.chain(axes.iter().copied()).collect();
                let columns: usize = axes.iter().map(|&axis| dims[axis]).product();
                let rows = value.len() / columns;
                (permuted(value, &order)?.reshape(&[rows, columns])?, vec![1])
            }
            _ => (value, axes),
        };
        let reduced = match (value, int) {
            (Value::Float(x), _) => Value::Float(float(x, &axes)),
            (Value::Int(x), Some(int)) => Value::Int(int(x, &axes)),
            (Value::Int(x), None) => {
                let x = float(x.float(), &axes);
                Value::Int(x.round().int())
            }
            (Value::Bool(x), Some(int)) => {
                let x = int(x.int(), &axes);
                Value::Bool(x.not_equal_elem(0))
            }
            (Value::Bool(_), None) => return Err("its input must hold numbers".into()),
        };
        one(reduced.reshape(&shape)?)
    });
    Ok(reduction.reduces(axes))
}

/// A function along one axis, applied along each.
macro_rules! each_axis {
    ($name:ident, $kind:ident: $function:ident) => {
        fn $name(value: Ranked<$kind>, axes: &[usize]) -> Ranked<$kind> {
            axes.iter().fold(value, |value, &axis| value.$function(axis))
        }
    };
}

each_axis!(sum_float, Float: sum_dim);
each_axis!(sum_int, Int: sum_dim);
each_axis!(max_float, Float: max_dim);
each_axis!(max_int, Int: max_dim);
each_axis!(min_float, Float: min_dim);
each_axis!(min_int, Int: min_dim);
each_axis!(product_float, Float: prod_dim);
each_axis!(product_int, Int: prod_dim);
each_axis!(mean_float, Float: mean_dim);

pub(super) fn sum(node: &Node) -> Described {
    reduce(Kind::AxisSum, node, sum_float, Some(sum_int), Some(0.0))
}

pub(super) fn mean(node: &Node) -> Described {
    reduce(Kind::Average, node, mean_float, None, None)
}

pub(super) fn max(node: &Node) -> Described {
    reduce(Kind::Maximum, node, max_float, Some(max_int), Some(f32::NEG_INFINITY))
}

pub(super) fn min(node: &Node) -> Described {
    reduce(Kind::Other, node, min_float, Some(min_int), Some(f32::INFINITY))
}

pub(super) fn product(node: &Node) -> Described {
    reduce(Kind::Other, node, product_float, Some(product_int), Some(1.0))
}

/// The p-th root of what is not negative. A norm has a kink at zero, where the root's own derivative is infinite: the
/// gradient there is 0, the subgradient that PyTorch takes too.
pub(super) fn root(x: Ranked<Float>, p: f32) -> Ranked<Float> {
    let zero = x.clone().equal_elem(0.0);
    let x = x.mask_fill(zero.clone(), 1.0);
    (if p == 2.0 { x.sqrt() } else { x.powf_scalar(1.0 / p) }).mask_fill(zero, 0.0)
}

pub(super) fn l1(node: &Node) -> Described {
    reduce(Kind::Other, node, |x, axes| sum_float(x.abs(), axes), None, Some(0.0))
}

pub(super) fn l2(node: &Node) -> Described {
    let norm = |x: Ranked<Float>, axes: &[usize]| {
        let sum = sum_float(x.clone() * x, axes);
        root(sum, 2.0)
    };
    reduce(Kind::Other, node, norm, None, Some(0.0))
}

pub(super) fn sum_square(node: &Node) -> Described {
    reduce(Kind::Other, node, |x, axes| sum_float(x.clone() * x, axes), None, Some(0.0))
}

pub(super) fn log_sum(node: &Node) -> Described {
    let logarithm = |x: Ranked<Float>, axes: &[usize]| sum_float(x, axes).log();
    reduce(Kind::Other, node, logarithm, None, Some(f32::NEG_INFINITY))
}

/// The largest value is taken out first, so that no exponential overflows; an infinite one leaves nothing to subtract.
pub(super) fn log_sum_exp(node: &Node) -> Described {
    let stable = |x: Ranked<Float>, axes: &[usize]| {
        let highest = max_float(x.clone(), axes);
        let infinite = highest.clone().is_inf();
        let highest = highest.mask_fill(infinite, 0.0).detach();
        sum_float((x - highest.clone()).exp(), axes).log() + highest
    };
    Ok(reduce(Kind::Other, node, stable, None, Some(f32::NEG_INFINITY))?.formed(Form::LogSumExp))
}

/// The place of the largest or smallest value along an axis, the first or the last of several.
fn arg(node: &Node, largest: bool) -> Described {
    let given = node.int("axis", 0)?;
    let keep = node.flag("keepdims", true)?;
    let last = node.flag("select_last_index", false)?;
    Ok(Operator::new(Kind::Stop, move |inputs| {
        let x = match inputs.value(0)? {
            Value::Float(x) => x,
            Value::Int(x) => x.float(),
            Value::Bool(_) => return Err("its input must hold numbers".into()),
        };
        let mut dims = x.dims();
        let axis = axis(given, dims.len())?;
        if x.is_empty() {
            return Err("its input is empty".into());
        }
        let size = dims[axis] as i64;
        let x = if last { x.flip(axis) } else { x };
        let place = if largest { x.argmax(axis) } else { x.argmin(axis) };
        let place = if last { place.neg() + (size - 1) } else { place };
        if keep {
            return one(place);
        }
        dims.remove(axis);
        one(Value::Int(place).reshape(&dims)?)
    })
    .gives(Some(Element::I64)))
}

pub(super) fn arg_max(node: &Node) -> Described {
    arg(node, true)
}

pub(super) fn arg_min(node: &Node) -> Described {
    arg(node, false)
}

/// The product of the elements before each along an axis; before the first there is none.
fn before<const D: usize, K: Numeric>(x: Tensor<D, K>, axis: usize) -> Tensor<D, K> {
    let ones = x.clone().slice_dim(axis, 0..1).ones_like();
    match x.dims()[axis] as i64 {
        1 => ones,
        size => Tensor::cat(vec![ones, x.slice_dim(axis, 0..size - 1)], axis),
    }
}

/// Operators that accumulate along an axis, the element itself left out where `exclusive`, from the end where `reverse`.
macro_rules! cumulative {
    ($($(#[$doc:meta])* $name:ident: ($x:ident, $axis:ident, $exclusive:ident) => $body:expr;)*) => {
        $($(#[$doc])*
        pub(super) fn $name(node: &Node) -> Plan {
            let ($exclusive, reverse) = (node.flag("exclusive", false)?, node.flag("reverse", false)?);
            Ok(Box::new(move |inputs| {
                let value = inputs.value(0)?;
                let given = *inputs.ints(1)?.first().ok_or("its axis is missing")?;
                let $axis = axis(given, value.rank())?;
                if value.is_empty() {
                    return one(value);
                }
                macro_rules! accumulated {
                    ($value:expr) => {{
                        let $x = if reverse { $value.flip($axis) } else { $value };
                        let accumulated = $body;
                        one(if reverse { accumulated.flip($axis) } else { accumulated })
                    }};
                }
                match value {
                    Value::Float(x) => accumulated!(x),
                    Value::Int(x) => accumulated!(x),
                    Value::Bool(_) => Err("its input must hold numbers".into()),
                }
            }))
        })*
    };
}

cumulative! {
    /// `CumSum`.
    cumulative_sum: (x, axis, exclusive) => {
        let sum = x.clone().cumsum(axis);
        if exclusive { sum - x } else { sum }
    };
    /// `CumProd`.
    cumulative_product: (x, axis, exclusive) => {
        let factors = if exclusive { map_ranked!(x, x => before(x, axis)) } else { x };
        factors.cumprod(axis)
    };
}

/// `TopK`: the largest or smallest values along an axis and their places. Of equal values the first comes first.
pub(super) fn top_k(node: &Node) -> Plan {
    let given = node.int("axis", -1)?;
    let largest = node.flag("largest", true)?;
    let attribute = match node.has("k") {
        true => Some(node.int("k", 1)?),
        false => None,
    };
    Ok(Box::new(move |inputs| {
        let value = inputs.value(0)?;
        let axis = axis(given, value.rank())?;
        let k = match attribute {
            Some(k) => k,
            None => *inputs.ints(1)?.first().ok_or("its k is missing")?,
        };
        super::check_filled(&value)?;
        let size = value.dims()[axis];
        let k = usize::try_from(k)
            .ok()
            .filter(|&k| k <= size)
            .ok_or_else(|| format!("its k of {k} exceeds {size}"))?;
        if k == 0 {
            return Err("its k is 0".into());
        }
        if value.device() == burn::tensor::Device::flex() {
            return stable_top_k(value, axis, k, largest);
        }
        let Value::Float(x) = value else { return Err("on a GPU its input must be real".into()) };
        if k > MOST_ROUNDS {
            return Err(format!("its k of {k} is found on the CPU only"));
        }
        let places: Ranked<Int> = map_ranked!(x.clone(), x => found_in_rounds(x.detach(), axis, k, largest));
        let values: Ranked<Float> = x.gather(axis, places.clone());
        Ok(vec![values.into(), places.into()])
    }))
}

/// The most places that are looked for on a GPU, one after the other.
const MOST_ROUNDS: usize = 1024;

/// The places of the `k` largest or smallest values along an axis. A sort would read its values back from a GPU; here the
/// winner of each round is taken out for the next.
fn found_in_rounds<const D: usize>(x: Tensor<D>, axis: usize, k: usize, largest: bool) -> Tensor<D, Int> {
    // Infinities stay ahead of what is taken out.
    let mut rest = (if largest { x } else { x.neg() }).clamp_min(-3e38);
    let mut shape = [1; D];
    shape[axis] = rest.dims()[axis];
    let all =
        Tensor::<1, Int>::arange(0..shape[axis] as i64, &rest.device()).reshape(shape).expand(rest.dims());
    let mut found = Vec::with_capacity(k);
    for _ in 0..k {
        let winner = rest.clone().argmax(axis);
        rest = rest.mask_fill(all.clone().equal(winner.clone().expand(all.dims())), f32::MIN);
        found.push(winner);
    }
    Tensor::cat(found, axis)
}

/// The order is found on the host; the values are gathered by tensors, so that a gradient passes.
fn stable_top_k(value: Value, axis: usize, k: usize, largest: bool) -> Result<Vec<Value>, String> {
    let dims = value.dims();
    let numbers: Vec<f64> = match &value {
        Value::Float(x) => x.clone().inner().into_data().iter::<f64>().collect(),
        Value::Int(x) => x.clone().into_data().iter::<f64>().collect(),
        Value::Bool(_) => return Err("its input must hold numbers".into()),
    };
    let inner: usize = dims[axis + 1..].iter().product();
    let outer: usize = dims[..axis].iter().product();
    let size = dims[axis];
    let mut shape = dims.clone();
    shape[axis] = k;
    let mut places = vec![0i64; outer * k * inner];
    for row in 0..outer {
        for column in 0..inner {
            let at = |index: usize| numbers[(row * size + index) * inner + column];
            let mut order: Vec<usize> = (0..size).collect();
            order.sort_by(|&a, &b| {
                let forward = at(a).total_cmp(&at(b));
                if largest { forward.reverse() } else { forward }
            });
            for (rank, &index) in order.iter().take(k).enumerate() {
                places[(row * k + rank) * inner + column] = index as i64;
            }
        }
    }
    let indices = match host_ints(places, &shape)? {
        Value::Int(indices) => indices,
        _ => return Err("its places are no whole numbers".into()),
    };
    let values = match value {
        Value::Float(x) => Value::Float(x.gather(axis, indices.clone())),
        Value::Int(x) => Value::Int(x.gather(axis, indices.clone())),
        Value::Bool(_) => return Err("its input must hold numbers".into()),
    };
    Ok(vec![values, indices.into()])
}
