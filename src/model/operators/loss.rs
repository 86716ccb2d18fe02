//! Losses, which a few exported graphs end with.

use burn::tensor::{Float, Int, Tensor};

use super::{Inputs, Node, Plan, float_tensor};
use crate::model::value::{Ranked, Value};

/// How the losses of the samples become one.
#[derive(Clone, Copy)]
enum Reduction {
    None,
    Sum,
    Mean,
}

struct Loss {
    reduction: Reduction,
    ignored: Option<i64>,
}

impl Loss {
    fn of(node: &Node) -> Result<Self, String> {
        let reduction = match node.text("reduction", "mean")?.as_str() {
            "none" => Reduction::None,
            "sum" => Reduction::Sum,
            "mean" => Reduction::Mean,
            other => return Err(format!("its reduction \"{other}\" is unknown")),
        };
        let ignored = if node.has("ignore_index") { Some(node.int("ignore_index", 0)?) } else { None };
        Ok(Self { reduction, ignored })
    }

    /// Minus the weighted log probabilities `[N, C, …]` of the classes at inputs 1, with the weights at inputs 2.
    fn of_log_probabilities(&self, x: Ranked<Float>, inputs: &Inputs) -> Result<Ranked<Float>, String> {
        let dims = x.dims();
        let [batch, classes, rest @ ..] = dims.as_slice() else {
            return Err(format!("its input of shape {dims:?} has no classes"));
        };
        if x.is_empty() {
            return Err(format!("its input of shape {dims:?} is empty"));
        }
        let mut shape = vec![*batch];
        shape.extend(rest);
        if inputs.raw(1)?.dims() != shape {
            return Err(format!("its classes of shape {:?} do not fit {dims:?}", inputs.raw(1)?.dims()));
        }
        let weights = if inputs.has(2) { inputs.floats(2)? } else { vec![1.0; *classes] };
        if weights.len() != *classes {
            return Err(format!("its {} weights are not one for each of {classes} classes", weights.len()));
        }
        let (mut chosen, mut counted) = (Vec::new(), Vec::new());
        for class in inputs.ints(1)? {
            if Some(class) == self.ignored {
                chosen.push(0);
                counted.push(0.0);
                continue;
            }
            let weight = usize::try_from(class).ok().and_then(|class| weights.get(class));
            counted.push(*weight.ok_or_else(|| format!("its class {class} is not one of {classes}"))?);
            chosen.push(class);
        }
        let plane: usize = rest.iter().product();
        let total: f32 = counted.iter().sum();
        let flat: Tensor<3> =
            x.reshape(&[*batch, *classes, plane]).and_then(|x| x.get()).ok_or("its input is empty")?;
        let chosen =
            Tensor::<1, Int>::from_data(chosen.as_slice(), inputs.device()).reshape([*batch, 1, plane]);
        let counted = float_tensor(counted, &[*batch, 1, plane], inputs.device())?;
        let counted: Tensor<3> = counted.get().ok_or("its input is empty")?;
        let losses = flat.gather(1, chosen).neg() * counted;
        Ok(match self.reduction {
            Reduction::None => {
                Ranked::D3(losses).reshape(&shape).ok_or("its input has too many dimensions")?
            }
            Reduction::Sum => Ranked::D0(losses.sum()),
            Reduction::Mean => Ranked::D0(losses.sum() / total),
        })
    }
}

pub(super) fn negative_log_likelihood(node: &Node) -> Plan {
    let loss = Loss::of(node)?;
    Ok(Box::new(move |inputs| Ok(vec![loss.of_log_probabilities(inputs.float(0)?, inputs)?.into()])))
}

/// The loss, and the log probabilities where they are asked for.
pub(super) fn softmax_cross_entropy(node: &Node) -> Plan {
    let loss = Loss::of(node)?;
    let both = node.writes(1);
    Ok(Box::new(move |inputs| {
        let x = inputs.float(0)?;
        if x.rank() < 2 || x.is_empty() {
            return Err(format!("its input of shape {:?} has no classes", x.dims()));
        }
        let logarithms = x.log_softmax(1);
        let mut results: Vec<Value> = vec![loss.of_log_probabilities(logarithms.clone(), inputs)?.into()];
        if both {
            results.push(logarithms.into());
        }
        Ok(results)
    }))
}
