//! Arithmetic, comparison and logic of several tensors, with ONNX's broadcasting.

use burn::tensor::{Bool, Float, Int, kind::Basic};

use super::{Described, Form, Inputs, Kind, Lowering, Node, Operator, Plan, one};
use crate::model::{
    element::Element,
    value::{Ranked, Value, with_ranked},
};

/// Two values brought to one rank; their sizes broadcast.
pub(super) fn broadcast<K: Basic + 'static>(
    left: Ranked<K>,
    right: Ranked<K>,
) -> Result<(Ranked<K>, Ranked<K>), String> {
    let rank = left.rank().max(right.rank());
    let (left_dims, right_dims) = (left.dims(), right.dims());
    let mismatch = || format!("its inputs of shapes {left_dims:?} and {right_dims:?} do not broadcast");
    let left = left.with_rank(rank).ok_or_else(mismatch)?;
    let right = right.with_rank(rank).ok_or_else(mismatch)?;
    if left.dims().iter().zip(right.dims()).any(|(&l, r)| l != r && l != 1 && r != 1) {
        return Err(mismatch());
    }
    Ok((left, right))
}

/// The shape that several shapes broadcast to.
pub(super) fn common_shape(shapes: &[Vec<usize>]) -> Result<Vec<usize>, String> {
    let rank = shapes.iter().map(Vec::len).max().unwrap_or(0);
    let mut common = vec![1; rank];
    for shape in shapes {
        for (&size, common) in shape.iter().rev().zip(common.iter_mut().rev()) {
            match (*common, size) {
                (_, 1) => {}
                (1, size) => *common = size,
                (common, size) if common == size => {}
                _ => return Err(format!("its inputs of shapes {shapes:?} do not broadcast")),
            }
        }
    }
    Ok(common)
}

fn mismatch(inputs: &Inputs) -> String {
    let kinds: Vec<&str> = (0..inputs.len())
        .map(|index| match inputs.raw(index) {
            Ok(Value::Float(_)) => "real",
            Ok(Value::Int(_)) => "whole",
            Ok(Value::Bool(_)) => "truth",
            Err(_) => "no",
        })
        .collect();
    format!("its inputs hold {} values, which do not go together", kinds.join(" and "))
}

/// An old file's explicit broadcast: `axis` says where the second shape begins within the first.
fn old_broadcast(node: &Node) -> Result<Option<i64>, String> {
    if node.opset >= 7 || !node.flag("broadcast", false)? || !node.has("axis") {
        return Ok(None);
    }
    node.int("axis", 0).map(Some)
}

fn aligned(value: Value, other_rank: usize, axis: Option<i64>) -> Result<Value, String> {
    let Some(axis) = axis else { return Ok(value) };
    let axis = super::axis(axis, other_rank)?;
    let mut dims = value.dims();
    let trailing =
        other_rank.checked_sub(axis + dims.len()).ok_or("its second input has too many dimensions")?;
    dims.extend(std::iter::repeat_n(1, trailing));
    value.reshape(&dims)
}

/// An operator on two inputs of one kind, real or whole.
macro_rules! arithmetic {
    ($($kind:ident $name:ident: ($a:ident, $b:ident) => $float:expr, $int:expr;)*) => {
        $(pub(super) fn $name(node: &Node) -> Described {
            let old = old_broadcast(node)?;
            Ok(Operator::new(Kind::$kind, move |inputs| {
                let left = inputs.value(0)?;
                let right = aligned(inputs.value(1)?, left.rank(), old)?;
                match (left, right) {
                    (Value::Float(left), Value::Float(right)) => {
                        let ($a, $b) = broadcast(left, right)?;
                        one($float)
                    }
                    (Value::Int(left), Value::Int(right)) => {
                        let ($a, $b) = broadcast(left, right)?;
                        one($int)
                    }
                    _ => Err(mismatch(inputs)),
                }
            }))
        })*
    };
}

arithmetic! {
    Sum plus: (a, b) => a + b, a + b;
    Difference sub: (a, b) => a - b, a - b;
    Product mul: (a, b) => a * b, a * b;
    Quotient quotient: (a, b) => a / b, a / b;
}

/// `Add`. The kernels know the sum of values of one shape.
pub(super) fn add(node: &Node) -> Described {
    Ok(plus(node)?.lowers(Lowering::Add))
}

/// Whole numbers that are divided by: 0 has no quotient, and -1 has none of the smallest number.
fn check_divisors(inputs: &Inputs) -> Result<(), String> {
    if !matches!(inputs.raw(1)?, Value::Int(_)) || inputs.raw(1)?.device() != burn::tensor::Device::flex() {
        return Ok(());
    }
    let divisors = inputs.ints(1)?;
    if divisors.contains(&0) {
        return Err("it divides by 0".into());
    }
    if divisors.contains(&-1) && inputs.ints(0)?.contains(&i64::MIN) {
        return Err("its quotient overflows".into());
    }
    Ok(())
}

/// `Div`; whole numbers are cut to whole numbers.
pub(super) fn div(node: &Node) -> Described {
    let quotient = quotient(node)?;
    Ok(Operator::new(Kind::Quotient, move |inputs| {
        check_divisors(inputs)?;
        quotient.forward(inputs)
    }))
}

/// An operator that compares two inputs of one kind.
macro_rules! comparison {
    ($($form:ident $name:ident: $method:ident;)*) => {
        $(pub(super) fn $name(node: &Node) -> Described {
            let old = old_broadcast(node)?;
            let comparison = Operator::new(Kind::Stop, move |inputs| {
                let left = inputs.value(0)?;
                let right = aligned(inputs.value(1)?, left.rank(), old)?;
                one(match (left, right) {
                    (Value::Float(left), Value::Float(right)) => {
                        let (left, right) = broadcast(left, right)?;
                        left.$method(right)
                    }
                    (Value::Int(left), Value::Int(right)) => {
                        let (left, right) = broadcast(left, right)?;
                        left.$method(right)
                    }
                    _ => return Err(mismatch(inputs)),
                })
            });
            Ok(comparison.gives(Some(Element::Bool)).formed(Form::$form))
        })*
    };
}

comparison! {
    Above greater: greater;
    Above greater_or_equal: greater_equal;
    Below less: lower;
    Below less_or_equal: lower_equal;
}

pub(super) fn equal(_: &Node) -> Described {
    Ok(Operator::new(Kind::Stop, |inputs| {
        one(match (inputs.value(0)?, inputs.value(1)?) {
            (Value::Float(left), Value::Float(right)) => {
                let (left, right) = broadcast(left, right)?;
                left.equal(right)
            }
            (Value::Int(left), Value::Int(right)) => {
                let (left, right) = broadcast(left, right)?;
                left.equal(right)
            }
            (Value::Bool(left), Value::Bool(right)) => {
                let (left, right) = same_shape(left, right)?;
                left.equal(right)
            }
            _ => return Err(mismatch(inputs)),
        })
    })
    .gives(Some(Element::Bool)))
}

/// Two values expanded to one shape.
fn same_shape<K: Basic + 'static>(
    left: Ranked<K>,
    right: Ranked<K>,
) -> Result<(Ranked<K>, Ranked<K>), String> {
    let dims = common_shape(&[left.dims(), right.dims()])?;
    let wide = |value: Ranked<K>| value.expand(&dims).ok_or_else(|| super::too_many(&dims));
    Ok((wide(left)?, wide(right)?))
}

macro_rules! logic {
    ($($name:ident: ($a:ident, $b:ident) => $body:expr;)*) => {
        $(pub(super) fn $name(_: &Node) -> Described {
            let logic = Operator::new(Kind::Stop, |inputs| {
                let ($a, $b) = same_shape(inputs.bool(0)?, inputs.bool(1)?)?;
                one($body)
            });
            Ok(logic.gives(Some(Element::Bool)))
        })*
    };
}

logic! {
    and: (a, b) => a.bool_and(b);
    or: (a, b) => a.bool_or(b);
    xor: (a, b) => a.not_equal(b);
}

pub(super) fn not(_: &Node) -> Described {
    Ok(Operator::new(Kind::Stop, |inputs| one(inputs.bool(0)?.bool_not())).gives(Some(Element::Bool)))
}

/// Whole numbers wrapped to the range of a narrow type, as overflow leaves them.
fn wrap(value: Ranked<Int>, element: Option<Element>) -> Ranked<Int> {
    match element.and_then(Element::range) {
        None => value,
        Some((low, high)) => {
            let span = high - low + 1;
            (value - low).remainder_scalar(span) + low
        }
    }
}

macro_rules! bitwise {
    ($($name:ident: ($a:ident, $b:ident) => $body:expr;)*) => {
        $(pub(super) fn $name(node: &Node) -> Plan {
            let element = node.element(0);
            Ok(Box::new(move |inputs| {
                let ($a, $b) = same_shape(inputs.int(0)?, inputs.int(1)?)?;
                one(wrap($body, element))
            }))
        })*
    };
}

bitwise! {
    bitwise_and: (a, b) => a.bitwise_and(b);
    bitwise_or: (a, b) => a.bitwise_or(b);
    bitwise_xor: (a, b) => a.bitwise_xor(b);
}

pub(super) fn bitwise_not(node: &Node) -> Plan {
    let element = node.element(0);
    Ok(Box::new(move |inputs| one(wrap(inputs.int(0)?.neg() - 1, element))))
}

/// `BitShift`. By less than nothing or by the whole width, only the sign stays.
pub(super) fn bit_shift(node: &Node) -> Plan {
    let element = node.element(0);
    let width = element.map_or(64, Element::bits) as i64;
    let left = match node.text("direction", "")?.as_str() {
        "LEFT" => true,
        "RIGHT" => false,
        other => return Err(format!("its direction \"{other}\" is neither LEFT nor RIGHT")),
    };
    Ok(Box::new(move |inputs| {
        let (value, by) = same_shape(inputs.int(0)?, inputs.int(1)?)?;
        let beyond = by.clone().lower_elem(0).bool_or(by.clone().greater_equal_elem(width));
        let by = by.mask_fill(beyond.clone(), 0);
        let shifted = match left {
            true => value.bitwise_left_shift(by).mask_fill(beyond, 0),
            false => {
                let sign = value.clone().lower_elem(0).int().neg();
                value.bitwise_right_shift(by).mask_where(beyond, sign)
            }
        };
        one(wrap(shifted, element))
    }))
}

/// The remainder by an infinity, where devices make a NaN of 0 times infinity: the dividend itself, or the infinity where
/// the remainder takes the divisor's sign and the dividend has the other.
fn endless(remainder: Ranked<Float>, a: Ranked<Float>, b: Ranked<Float>, fmod: bool) -> Ranked<Float> {
    let endless = b.clone().is_inf().bool_and(a.clone().is_inf().bool_or(a.clone().is_nan()).bool_not());
    let turned = (a.clone().sign() * b.clone().sign()).lower_elem(0.0);
    let whole = if fmod { a } else { a.mask_where(turned, b) };
    remainder.mask_where(endless, whole)
}

/// `Mod`: the remainder with the sign of the divisor, or with `fmod` that of the dividend.
pub(super) fn modulo(node: &Node) -> Plan {
    let fmod = node.flag("fmod", false)?;
    Ok(Box::new(move |inputs| match (inputs.value(0)?, inputs.value(1)?) {
        (Value::Float(left), Value::Float(right)) => {
            let (left, right) = same_shape(left, right)?;
            if left.is_empty() {
                return one(left);
            }
            {
                let remainder = match fmod {
                    true => left.clone().fmod(right.clone()),
                    false => left.clone().remainder(right.clone()),
                };
                one(endless(remainder, left, right, fmod))
            }
        }
        (Value::Int(left), Value::Int(right)) => {
            check_divisors(inputs)?;
            let (left, right) = same_shape(left, right)?;
            one(match fmod {
                true => left.clone() - left / right.clone() * right,
                false => left.remainder(right),
            })
        }
        _ => Err(mismatch(inputs)),
    }))
}

/// `Pow`. The exponent may be of another kind; a small whole exponent known on the host is a product, whose
/// gradient is finite at zero.
pub(super) fn pow(_: &Node) -> Described {
    Ok(Operator::new(Kind::Function, |inputs| {
        // An exponent that a gradient is taken of is no constant.
        let device = inputs.raw(1)?.device();
        let host =
            inputs.raw(1)?.len() == 1 && device == burn::tensor::Device::flex() && !device.is_autodiff();
        let exponent =
            if host && !matches!(inputs.raw(1)?, Value::Bool(_)) { inputs.scalar(1).ok() } else { None };
        match inputs.value(0)? {
            Value::Float(base) => {
                let dims = common_shape(&[base.dims(), inputs.raw(1)?.dims()])?;
                let base = base.expand(&dims).ok_or_else(|| super::too_many(&dims))?;
                match exponent {
                    Some(0.5) => return one(base.sqrt()),
                    Some(exponent) if exponent.fract() == 0.0 && (1.0..=8.0).contains(&exponent) => {
                        return one(base.powi_scalar(exponent as i32));
                    }
                    // Burn takes no whole number beyond 64 bits here.
                    Some(exponent) if exponent.abs() < 1e9 => {
                        return one(base.powf_scalar(exponent));
                    }
                    _ => {}
                }
                let exponent = as_float(inputs.value(1)?)?;
                let (base, exponent) = same_shape(base, exponent)?;
                one(base.powf(exponent))
            }
            Value::Int(base) => {
                // Whole powers through f32 are exact up to 2^24, more than any file was seen to need.
                let (base, exponent) = same_shape(base.float(), as_float(inputs.value(1)?)?)?;
                one(base.powf(exponent).round().int())
            }
            Value::Bool(_) => Err(mismatch(inputs)),
        }
    }))
}

fn as_float(value: Value) -> Result<Ranked<Float>, String> {
    match value {
        Value::Float(value) => Ok(value),
        Value::Int(value) => Ok(value.float()),
        Value::Bool(_) => Err("its inputs must be numbers".into()),
    }
}

pub(super) fn prelu(_: &Node) -> Described {
    Ok(Operator::new(Kind::Activation, |inputs| {
        let (x, slope) = (inputs.float(0)?, inputs.float(1)?);
        // One slope a channel, written without the spatial dimensions.
        let (dims, slopes) = (x.dims(), slope.dims());
        let slope = match *slopes.as_slice() {
            [count] if dims.len() > 2 && dims[1] == count && dims.last() != Some(&count) => {
                let mut wide = vec![1; dims.len() - 1];
                wide[0] = count;
                slope.reshape(&wide).ok_or("its slopes do not fit the input")?
            }
            _ => slope,
        };
        let (x, slope) = broadcast(x, slope)?;
        let (x, slope) = same_shape(x, slope)?;
        // At zero the gradient is the slope, as PyTorch has it; two clamps would add one to it.
        let below = x.clone().lower_equal_elem(0.0);
        one(x.clone().mask_where(below, x * slope))
    })
    .learns(1..3)
    .formed(Form::Slope)
    .bends())
}

/// An operator on any number of inputs.
macro_rules! variadic {
    ($($kind:ident $name:ident: ($a:ident, $b:ident) => $float:expr, $int:expr;)*) => {
        $(pub(super) fn $name(_: &Node) -> Described {
            Ok(Operator::new(Kind::$kind, |inputs| {
                let mut result = inputs.value(0)?;
                for index in 1..inputs.len() {
                    result = match (result, inputs.value(index)?) {
                        (Value::Float(left), Value::Float(right)) => {
                            let ($a, $b) = same_shape(left, right)?;
                            Value::Float($float)
                        }
                        (Value::Int(left), Value::Int(right)) => {
                            let ($a, $b) = same_shape(left, right)?;
                            Value::Int($int)
                        }
                        _ => return Err(mismatch(inputs)),
                    };
                }
                one(result)
            }))
        })*
    };
}

variadic! {
    Sum sum: (a, b) => a + b, a + b;
    Other larger: (a, b) => a.max_pair(b), a.max_pair(b);
    Other smaller: (a, b) => a.min_pair(b), a.min_pair(b);
}

pub(super) fn max(node: &Node) -> Described {
    Ok(larger(node)?.formed(Form::Max))
}

pub(super) fn min(node: &Node) -> Described {
    Ok(smaller(node)?.formed(Form::Min))
}

pub(super) fn mean(node: &Node) -> Described {
    let sum = sum(node)?;
    Ok(Operator::new(Kind::Mean, move |inputs| {
        let count = inputs.len() as f32;
        match sum.forward(inputs)?.pop() {
            Some(Value::Float(total)) => one(total / count),
            _ => Err(mismatch(inputs)),
        }
    }))
}

/// Functions of one number, real or whole.
macro_rules! unary {
    ($($kind:ident $name:ident: $x:ident => $float:expr, $int:expr;)*) => {
        $(pub(super) fn $name(_: &Node) -> Described {
            Ok(Operator::new(Kind::$kind, |inputs| match inputs.value(0)? {
                Value::Float($x) => one($float),
                Value::Int($x) => one($int),
                Value::Bool(_) => Err(mismatch(inputs)),
            }))
        })*
    };
}

unary! {
    Function magnitude: x => x.abs(), x.abs();
    Linear minus: x => x.neg(), x.neg();
    Stop sign: x => x.sign(), x.sign();
}

pub(super) fn abs(node: &Node) -> Described {
    Ok(magnitude(node)?.bends())
}

pub(super) fn neg(node: &Node) -> Described {
    Ok(minus(node)?.formed(Form::Neg))
}

/// `Clip` between bounds that are attributes before opset 11 and inputs since.
pub(super) fn clip(node: &Node) -> Described {
    let attribute = |name: &str| match node.has(name) {
        true => node.float(name, 0.0).map(Some),
        false => Ok(None),
    };
    let (low, high) = (attribute("min")?, attribute("max")?);
    // Bounds that are inputs are seen by the pass that writes rectifiers alike.
    let computed = (1..3).any(|index| node.proto.input.get(index).is_some_and(|name| !name.is_empty()));
    let clip = Operator::new(Kind::Activation, move |inputs| {
        let host = |index: usize, fixed: Option<f32>| match inputs.has(index) {
            false => Ok(Bound::Known(fixed)),
            true if inputs.raw(index)?.device() == burn::tensor::Device::flex()
                && !inputs.raw(index)?.device().is_autodiff() =>
            {
                inputs.scalar(index).map(|value| Bound::Known(Some(value)))
            }
            true => inputs.value(index).map(|bound| Bound::Computed(Box::new(bound))),
        };
        let mut value = inputs.value(0)?;
        let (low, high) = (host(1, low)?, host(2, high)?);
        if [&low, &high].iter().any(|bound| matches!(bound, Bound::Known(Some(bound)) if bound.is_nan())) {
            return Err("one of its bounds is not a number".into());
        }
        if let (Value::Float(x), Bound::Known(low), Bound::Known(high)) = (&value, &low, &high) {
            // The usual case by one operation.
            let high = high.unwrap_or(f32::INFINITY);
            return one(between(x.clone(), low.unwrap_or(f32::NEG_INFINITY).min(high), high));
        }
        value = low.apply(value, true)?;
        one(high.apply(value, false)?)
    });
    let bounds = (low.unwrap_or(f32::NEG_INFINITY), high.unwrap_or(f32::INFINITY));
    let known = !computed && bounds.0 <= bounds.1;
    Ok(if known { clip.clamps(bounds.0, bounds.1) } else { clip.formed(Form::Clip) })
}

/// A value kept between bounds that are known, repeated to `shape` where it is smaller.
pub(in crate::model) fn clamp((low, high): (f32, f32), shape: Vec<usize>) -> Operator {
    let one_number = shape.is_empty() || shape == [1];
    let clamp = Operator::new(Kind::Activation, move |inputs| {
        let x = inputs.float(0)?;
        let dims = common_shape(&[x.dims(), shape.clone()])?;
        let x = x.expand(&dims).ok_or_else(|| super::too_many(&dims))?;
        one(between(x, low, high))
    });
    let mut clamp = clamp.clamps(low, high);
    clamp.lowering = clamp.lowering.filter(|_| one_number);
    clamp
}

/// A value kept between two bounds. A gradient passes between them and not on them, as PyTorch has it for ReLU, ReLU6 and
/// Hardtanh, and as it is where a kernel bounds what it writes and knows the result alone.
fn between(x: Ranked<Float>, low: f32, high: f32) -> Ranked<Float> {
    let (is_low, is_high) = (low > f32::NEG_INFINITY, high < f32::INFINITY);
    if with_ranked!(&x, x => x.is_tracked()) {
        let below = is_low.then(|| x.clone().lower_equal_elem(low));
        let above = is_high.then(|| x.clone().greater_equal_elem(high));
        let x = below.into_iter().fold(x, |x, below| x.mask_fill(below, low));
        return above.into_iter().fold(x, |x, above| x.mask_fill(above, high));
    }
    match (is_low, is_high) {
        (true, true) => x.clamp(low, high),
        (true, false) => x.clamp_min(low),
        (false, true) => x.clamp_max(high),
        (false, false) => x,
    }
}

/// A bound of `Clip`.
enum Bound {
    Known(Option<f32>),
    Computed(Box<Value>),
}

impl Bound {
    fn apply(self, value: Value, lower: bool) -> Result<Value, String> {
        Ok(match (value, self) {
            (value, Self::Known(None)) => value,
            (Value::Float(x), Self::Known(Some(bound))) => Value::Float(match lower {
                true => x.clamp_min(bound),
                false => x.clamp_max(bound),
            }),
            (Value::Int(x), Self::Known(Some(bound))) => Value::Int(match lower {
                true => x.clamp_min(bound as i64),
                false => x.clamp_max(bound as i64),
            }),
            (Value::Float(x), Self::Computed(bound)) => {
                let Value::Float(bound) = *bound else {
                    return Err("its input and its bounds are of different kinds".into());
                };
                let (x, bound) = same_shape(x, bound)?;
                Value::Float(match lower {
                    true => x.max_pair(bound),
                    false => x.min_pair(bound),
                })
            }
            _ => return Err("its input and its bounds are of different kinds".into()),
        })
    }
}

/// `Where`: the second input where the condition holds, else the third.
pub(super) fn select(node: &Node) -> Described {
    Ok(Operator::new(Kind::Other, |inputs| {
        let (condition, yes, no) = (inputs.bool(0)?, inputs.value(1)?, inputs.value(2)?);
        let dims = common_shape(&[condition.dims(), yes.dims(), no.dims()])?;
        let wide = || super::too_many(&dims);
        let condition = condition.expand(&dims).ok_or_else(wide)?;
        one(match (yes, no) {
            (Value::Float(yes), Value::Float(no)) => Value::Float(masked(condition, yes, no, &dims)?),
            (Value::Int(yes), Value::Int(no)) => Value::Int(masked(condition, yes, no, &dims)?),
            (Value::Bool(yes), Value::Bool(no)) => Value::Bool(masked(condition, yes, no, &dims)?),
            _ => return Err(mismatch(inputs)),
        })
    })
    .gives(node.element(1))
    .formed(Form::Where))
}

/// `yes` where the condition holds, else `no`, each repeated to `dims`.
pub(super) fn masked<K: Basic + 'static>(
    condition: Ranked<Bool>,
    yes: Ranked<K>,
    no: Ranked<K>,
    dims: &[usize],
) -> Result<Ranked<K>, String> {
    let wide = || super::too_many(dims);
    let (yes, no) = (yes.expand(dims).ok_or_else(wide)?, no.expand(dims).ok_or_else(wide)?);
    Ok(no.mask_where(condition, yes))
}
