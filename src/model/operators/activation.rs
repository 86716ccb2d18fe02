//! Functions of one real number, and the softmax family along an axis.

use burn::tensor::Float;

use super::{Described, Form, Inputs, Kind, Node, Operator, axis, one};
use crate::model::element::Element;
use crate::model::value::{MAX_RANK, Ranked, Value, map_ranked};

/// Operators without attributes.
macro_rules! functions {
    ($($(#[$doc:meta])* $kind:ident $name:ident: $x:ident => $body:expr;)*) => {
        $($(#[$doc])*
        pub(super) fn $name(_: &Node) -> Described {
            Ok(Operator::new(Kind::$kind, |inputs| {
                let $x = inputs.float(0)?;
                one($body)
            }))
        })*
    };
}

functions! {
    Function acos: x => x.acos();
    Function acosh: x => x.acosh();
    Function asin: x => x.asin();
    Function asinh: x => x.asinh();
    Function atan: x => x.atan();
    Function atanh: x => x.atanh();
    Stop ceil: x => x.ceil();
    Function cosh: x => x.cosh();
    Stop floor: x => x.floor();
    Activation hard_swish: x => x.clone() * (x / 6.0 + 0.5).clamp(0.0, 1.0);
    Activation mish: x => x.mish();
    Stop round: x => x.round();
    Function sinh: x => x.sinh();
    Activation softplus: x => x.softplus(1.0);
    Function sqrt: x => x.sqrt();
    Function tan: x => x.tan();
}

/// Functions of one number whose values lie between -1 and 1.
macro_rules! bounded {
    ($($kind:ident $name:ident;)*) => {
        $(pub(super) fn $name(_: &Node) -> Described {
            Ok(Operator::new(Kind::$kind, |inputs| one(inputs.float(0)?.$name())).within(Some((-1.0, 1.0))))
        })*
    };
}

bounded! {
    Function cos;
    Function erf;
    Function sin;
    Activation softsign;
    Activation tanh;
}

pub(super) fn exp(_: &Node) -> Described {
    Ok(Operator::new(Kind::Function, |inputs| one(inputs.float(0)?.exp())).formed(Form::Exp))
}

pub(super) fn log(_: &Node) -> Described {
    Ok(Operator::new(Kind::Function, |inputs| one(inputs.float(0)?.log())).formed(Form::Log))
}

pub(super) fn reciprocal(_: &Node) -> Described {
    Ok(Operator::new(Kind::Function, |inputs| one(inputs.float(0)?.recip())).formed(Form::Reciprocal))
}

pub(super) fn relu(_: &Node) -> Described {
    let relu = Operator::new(Kind::Activation, |inputs| one(inputs.float(0)?.relu()));
    Ok(relu.clamps(0.0, f32::INFINITY))
}

pub(super) fn sigmoid(_: &Node) -> Described {
    let mut sigmoid = Operator::new(Kind::Activation, |inputs| one(inputs.float(0)?.sigmoid())).gates();
    sigmoid.properties.sigmoid = true;
    Ok(sigmoid)
}

/// The value at the end of [`floating`]'s closure.
type Function = fn(Ranked<Float>, &[f32]) -> Ranked<Float>;

/// An operator whose attributes are numbers with defaults.
fn floating(node: &Node, attributes: &[(&str, f32)], function: Function) -> Described {
    let values =
        attributes.iter().map(|(name, default)| node.float(name, *default)).collect::<Result<Vec<_>, _>>()?;
    Ok(Operator::new(Kind::Activation, move |inputs| one(function(inputs.float(0)?, &values))))
}

/// A function of which nothing is left below zero where `alpha` is zero: a rectifier.
fn rectifying(function: Operator, alpha: f32) -> Operator {
    if alpha == 0.0 { function.clamps(0.0, f32::INFINITY) } else { function }
}

pub(super) fn leaky_relu(node: &Node) -> Described {
    let leaky = floating(node, &[("alpha", 0.01)], |x, values| x.leaky_relu(f64::from(values[0])))?;
    Ok(rectifying(leaky.bends(), node.float("alpha", 0.01)?))
}

pub(super) fn elu(node: &Node) -> Described {
    let elu = floating(node, &[("alpha", 1.0)], |x, values| x.elu(f64::from(values[0])))?;
    Ok(rectifying(elu, node.float("alpha", 1.0)?))
}

pub(super) fn celu(node: &Node) -> Described {
    floating(node, &[("alpha", 1.0)], |x, values| x.celu(f64::from(values[0])))
}

pub(super) fn selu(node: &Node) -> Described {
    let defaults = [("alpha", 1.673_263_2), ("gamma", 1.050_701)];
    floating(node, &defaults, |x, values| x.elu(f64::from(values[0])) * values[1])
}

pub(super) fn hard_sigmoid(node: &Node) -> Described {
    let defaults = [("alpha", 0.2), ("beta", 0.5)];
    Ok(floating(node, &defaults, |x, values| (x * values[0] + values[1]).clamp(0.0, 1.0))?.gates().bends())
}

/// `x sigmoid(alpha x)`.
pub(super) fn swish(node: &Node) -> Described {
    floating(node, &[("alpha", 1.0)], |x, values| (x.clone() * values[0]).sigmoid() * x)
}

/// `SwiGLU`: `a sigmoid(alpha a) b` (Shazeer 2020).
pub(super) fn swiglu(node: &Node) -> Described {
    let alpha = node.float("alpha", 1.0)?;
    Ok(Operator::new(Kind::Other, move |inputs| {
        let (a, b) = (inputs.float(0)?, inputs.float(1)?);
        if a.dims() != b.dims() {
            return Err(format!("its inputs of shapes {:?} and {:?} differ", a.dims(), b.dims()));
        }
        one((a.clone() * alpha).sigmoid() * a * b)
    }))
}

pub(super) fn thresholded_relu(node: &Node) -> Described {
    let thresholded = floating(node, &[("alpha", 1.0)], |x, values| {
        let stopped = x.clone().lower_equal_elem(values[0]);
        x.mask_fill(stopped, 0.0)
    })?;
    Ok(rectifying(thresholded.bends(), node.float("alpha", 1.0)?))
}

pub(super) fn shrink(node: &Node) -> Described {
    let mut shrink = floating(node, &[("bias", 0.0), ("lambd", 0.5)], |x, values| {
        let (bias, lambda) = (values[0], values[1]);
        let below = x.clone().lower_elem(-lambda);
        let above = x.clone().greater_elem(lambda);
        let between = below.clone().bool_or(above).bool_not();
        (x.clone() - bias).mask_where(below, x + bias).mask_fill(between, 0.0)
    })?;
    // Networks have it for their inputs, not as the activation of a neuron.
    shrink.properties.kind = Kind::Function;
    Ok(shrink.bends())
}

/// `Gelu`, exact or by the tanh approximation.
pub(super) fn gelu(node: &Node) -> Described {
    match node.text("approximate", "none")?.as_str() {
        "none" => Ok(Operator::new(Kind::Activation, |inputs| one(inputs.float(0)?.gelu()))),
        "tanh" => Ok(Operator::new(Kind::Activation, |inputs| {
            let x = inputs.float(0)?;
            let inner = (x.clone().powi_scalar(3) * 0.044_715 + x.clone()) * 0.797_884_6;
            one(x * 0.5 * (inner.tanh() + 1.0))
        })),
        other => Err(format!("its approximation \"{other}\" is unknown")),
    }
}

pub(super) fn is_nan(_: &Node) -> Described {
    Ok(Operator::new(Kind::Stop, |inputs| one(inputs.float(0)?.is_nan())).gives(Some(Element::Bool)))
}

pub(super) fn is_inf(node: &Node) -> Described {
    let (negative, positive) = (node.flag("detect_negative", true)?, node.flag("detect_positive", true)?);
    let found = Operator::new(Kind::Stop, move |inputs| {
        let x = inputs.float(0)?;
        one(match (negative, positive) {
            (true, true) => x.is_inf(),
            (true, false) => x.equal_elem(f32::NEG_INFINITY),
            (false, true) => x.equal_elem(f32::INFINITY),
            (false, false) => x.clone().not_equal(x.clone()).bool_and(x.clone().equal(x)),
        })
    });
    Ok(found.gives(Some(Element::Bool)))
}

/// Calls `function` with the value and the axis along which it works. Before opset 13 the family works on a matrix:
/// the dimensions before the axis, and the rest.
fn along(kind: Kind, node: &Node, function: fn(Ranked<Float>, usize) -> Ranked<Float>) -> Described {
    let flattens = node.opset < 13;
    let given = node.int("axis", if flattens { 1 } else { -1 })?;
    let along = Operator::new(kind, move |inputs: &Inputs| {
        let Value::Float(x) = inputs.wide(0)? else {
            return Err("its input 0 must hold floating-point numbers".into());
        };
        let dims = x.dims();
        if x.is_empty() {
            return one(x);
        }
        if dims.is_empty() {
            let row = x.reshape(&[1]).ok_or("its input is empty")?;
            return one(function(row, 0).reshape(&[]).ok_or("its input is empty")?);
        }
        let axis = axis(given, dims.len())?;
        // Over the last axis, both definitions agree.
        if !flattens || axis + 1 == dims.len() {
            if dims.len() <= MAX_RANK {
                return one(function(x, axis));
            }
            let cut = [dims[..axis].iter().product(), dims[axis], dims[axis + 1..].iter().product()];
            let cut = x.reshape(&cut).ok_or("its input cannot be flattened")?;
            return one(function(cut, 1).reshape(&dims).ok_or("its input cannot be flattened")?);
        }
        let flat = [dims[..axis].iter().product(), dims[axis..].iter().product()];
        let flat = x.reshape(&flat).ok_or("its input cannot be flattened")?;
        one(function(flat, 1).reshape(&dims).ok_or("its input cannot be flattened")?)
    });
    Ok(along.along(given, flattens))
}

pub(super) fn softmax(node: &Node) -> Described {
    along(Kind::Softmax, node, |x, axis| x.softmax(axis))
}

pub(super) fn log_softmax(node: &Node) -> Described {
    along(Kind::LogSoftmax, node, |x, axis| x.log_softmax(axis))
}

/// One at the first of the largest values along the axis, zero elsewhere.
pub(super) fn hardmax(node: &Node) -> Described {
    along(Kind::Stop, node, |x, axis| {
        map_ranked!(x, x => {
            let winner = x.clone().argmax(axis);
            let size = x.dims()[axis];
            let mut dims = x.dims();
            dims.fill(1);
            dims[axis] = size;
            let device = winner.device();
            let places = burn::tensor::Tensor::<1, burn::tensor::Int>::arange(0..size as i64, &device);
            let places = places.reshape(dims);
            winner.expand(x.dims()).equal(places.expand(x.dims())).float()
        })
    })
}
