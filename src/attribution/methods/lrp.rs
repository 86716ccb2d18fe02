//! Layer-wise relevance propagation (Bach et al. 2015, equations 58 and 60; Montavon et al. 2019, section 10.2): the logit
//! is distributed from layer to layer in proportion to what each value added.

use burn::tensor::Float;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Attribution, Subject,
    display::{Channels, Display},
    method::{Cost, Method, Need},
};
use crate::{
    Error, Model, Result,
    model::{
        Seed,
        backward::{Flow, Site, Visit},
        operators::Kind,
        value::{Ranked, Value},
    },
};

/// Layer-wise relevance propagation.
pub struct Lrp;

/// How layers with weights distribute relevance.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// z+ at convolutions, epsilon at dense layers.
    #[default]
    EpsilonPlus,
    /// By all contributions.
    Epsilon,
    /// By all contributions, those of the output's sign raised by gamma.
    Gamma,
    /// By positive contributions alone (alpha 1, beta 0).
    ZPlus,
}

/// Parameters of layer-wise relevance propagation.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How layers with weights distribute relevance; sums, pooling and normalisation always do by epsilon.
    pub rule: Rule,
    /// What is added to the size of a denominator.
    #[schemars(range(min = 1e-12, max = 1000.0))]
    pub epsilon: f32,
    /// How much more contributions of the output's sign count under gamma.
    #[schemars(range(min = 0.0, max = 1000.0))]
    pub gamma: f32,
}

impl Default for Config {
    fn default() -> Self {
        Self { rule: Rule::EpsilonPlus, epsilon: 1e-6, gamma: 0.25 }
    }
}

/// What relevance does at a node.
#[derive(Clone, Copy)]
enum Role {
    Convolution,
    Dense,
    /// Linear in what is computed, or a selection of the largest: shared by the contributions.
    Linear,
    /// A function of one number: relevance passes unchanged.
    Function,
    /// Values change their places only.
    Move,
    /// The product with a gate: the signal, input 0 or 1, takes all.
    Gated(usize),
}

fn role(site: &Site) -> Option<Role> {
    let followers = site.followers();
    let gates = |index: usize| site.computed[index].is_some_and(|input| input.gates);
    // Quantised ones have their weights in other places.
    let learns = !site.properties.weights.is_empty();
    Some(match (site.properties.kind, followers.as_slice()) {
        (Kind::Convolution, [0]) if learns => Role::Convolution,
        (Kind::Matmul, [_]) if learns => Role::Dense,
        (Kind::Product, &[a, b]) => match (gates(a), gates(b)) {
            (false, true) => Role::Gated(a),
            (true, false) => Role::Gated(b),
            _ => return None,
        },
        (Kind::Sum | Kind::Difference | Kind::Mean, _)
        | (Kind::Product, [_])
        | (
            Kind::Average
            | Kind::AxisSum
            | Kind::BatchNormalization
            | Kind::Linear
            | Kind::Maximum
            | Kind::Quotient,
            [0],
        ) => Role::Linear,
        (Kind::Activation, [0]) => Role::Function,
        (Kind::Move, _) | (Kind::Reshape, [0]) => Role::Move,
        _ => return None,
    })
}

/// A node's inputs with its weights, changed.
type Part = Vec<Option<Value>>;

impl Config {
    fn at(&self, node: &Visit<'_>) -> Result<Option<Flow>> {
        let relevance = || node.gradient();
        let whole = || self.shared(node, relevance()?, vec![node.here.inputs.clone()]);
        let flow = match (role(node.site), self.rule) {
            (None, _) => {
                return Err(Error::MethodUnsuited { method: Lrp::NAME.into(), reason: no_rule(node.site) });
            }
            (Some(Role::Move), _) => return Ok(None),
            (Some(Role::Function), _) => node.only(0, relevance()?),
            (Some(Role::Gated(signal)), _) => {
                node.only(signal, whole()?.swap_remove(signal).ok_or_else(lost)?)
            }
            (Some(Role::Linear), _)
            | (Some(Role::Convolution | Role::Dense), Rule::Epsilon)
            | (Some(Role::Dense), Rule::EpsilonPlus) => whole()?,
            (Some(Role::Convolution | Role::Dense), Rule::Gamma) => self.favoured(node)?,
            (Some(Role::Convolution), Rule::EpsilonPlus)
            | (Some(Role::Convolution | Role::Dense), Rule::ZPlus) => {
                let parts = vec![part(node, above, above, above), part(node, below, below, none)];
                self.shared(node, relevance()?, parts)?
            }
        };
        Ok(Some(flow))
    }

    /// LRP gamma (Montavon et al. 2019, section 10.2), for inputs of either sign (Andéol et al. 2021): what agrees with the output's sign counts 1 + gamma times.
    fn favoured(&self, node: &Visit<'_>) -> Result<Flow> {
        let raise =
            |w: Ranked<Float>, part: fn(Ranked<Float>) -> Ranked<Float>| w.clone() + part(w) * self.gamma;
        let side = |agrees: fn(Ranked<Float>) -> Ranked<Float>, opposes, sign: f32| {
            let signed = (node.here.output()? * sign).greater_elem(0.0).float();
            let parts = vec![
                part(node, above, |w| raise(w, agrees), |b| raise(b, agrees)),
                part(node, below, |w| raise(w, opposes), none),
            ];
            self.shared(node, node.gradient()? * signed, parts)
        };
        let (positive, negative) = (side(above, below, 1.0)?, side(below, above, -1.0)?);
        Ok(positive.into_iter().zip(negative).map(|(a, b)| add(a, b)).collect())
    }

    /// LRP epsilon (Bach et al. 2015, eq. 58), and z+ (eq. 60) by parts: R_i = sum over the parts k of x_ik (J_k^T s)_i with s = R / (z + epsilon sign(z)) and z = sum over k of f_k(x_k).
    fn shared(&self, node: &Visit<'_>, relevance: Ranked<Float>, parts: Vec<Part>) -> Result<Flow> {
        let mut z = None;
        for part in &parts {
            z = add(z, Some(node.forward(part)?));
        }
        let z = z.ok_or_else(lost)?;
        let sign = z.clone().greater_equal_elem(0.0).float() * 2.0 - 1.0;
        let s = relevance / (z + sign * self.epsilon);
        let mut shares: Flow = vec![None; node.here.inputs.len()];
        for part in &parts {
            for (index, slope) in node.product(part, s.clone())?.into_iter().enumerate() {
                if let (Some(slope), Some(Value::Float(x))) = (slope, &part[index]) {
                    shares[index] = add(shares[index].take(), Some(x.clone() * slope));
                }
            }
        }
        Ok(shares)
    }
}

fn add(a: Option<Ranked<Float>>, b: Option<Ranked<Float>>) -> Option<Ranked<Float>> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a + b),
        (a, b) => a.or(b),
    }
}

/// The inputs with what is computed, the weights and the bias each changed.
fn part(
    node: &Visit<'_>,
    computed: impl Fn(Ranked<Float>) -> Ranked<Float>,
    weights: impl Fn(Ranked<Float>) -> Ranked<Float>,
    bias: impl Fn(Ranked<Float>) -> Ranked<Float>,
) -> Part {
    let change = |(index, input): (usize, &Option<Value>)| match input {
        Some(Value::Float(x)) if node.site.computed[index].is_some() => Some(computed(x.clone()).into()),
        Some(Value::Float(b)) if index == 2 => Some(bias(b.clone()).into()),
        Some(Value::Float(w)) => Some(weights(w.clone()).into()),
        other => other.clone(),
    };
    node.here.inputs.iter().enumerate().map(change).collect()
}

fn above(x: Ranked<Float>) -> Ranked<Float> {
    x.clamp_min(0.0)
}

fn below(x: Ranked<Float>) -> Ranked<Float> {
    x.clamp_max(0.0)
}

fn none(x: Ranked<Float>) -> Ranked<Float> {
    x.zeros_like()
}

fn lost() -> Error {
    Error::Internal("relevance was lost at a node".into())
}

fn no_rule(site: &Site) -> String {
    format!("it has no rule for node \"{}\" ({})", site.name, site.op_type)
}

impl Method for Lrp {
    type Config = Config;
    const NAME: &'static str = "lrp";
    const TITLE: &'static str = "Layer-wise relevance propagation";
    const SUMMARY: &'static str = "Distributes the score from layer to layer down to the pixels, in proportion to what each value added to the next layer. LRP is patented; its authors let it be used freely for personal and scientific purposes.";
    const PAPER: &'static str = "Bach et al.: On Pixel-Wise Explanations for Non-Linear Classifier Decisions by Layer-Wise Relevance Propagation (2015)";
    const NEEDS: &'static [Need] = &[Need::BackwardRule];
    const DISPLAY: Display = Display { channels: Channels::SumAbs, low: 0.0, high: 99.0 };

    const SHORTFALL: &'static str = "Biases and epsilon take their share.";

    fn cost(_: &Config) -> Cost {
        Cost { forward: 1, backward: 1 }
    }

    fn unsuited(model: &Model) -> Option<String> {
        model.way().find(|site| role(site).is_none()).map(|site| no_rule(&site))
    }

    async fn attribute(subject: &Subject<'_>, config: &Config) -> Result<Attribution> {
        subject.checkpoint(0, 1, "backward pass").await?;
        let found = subject.walk(None, Seed::Score, &|node: &Visit<'_>| config.at(node))?;
        // Conservation: all relevance together should be the logit.
        Ok(Attribution::complete(found.arrived, 1, found.score))
    }
}
