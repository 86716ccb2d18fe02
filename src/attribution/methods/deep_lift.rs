//! DeepLIFT with the rescale rule (Shrikumar et al. 2017, section 3.5.2): how each value's difference from a reference
//! input carries on to the difference of the logit.

use burn::tensor::Float;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Attribution, Subject,
    baseline::{BACKGROUND, BASELINE, Baseline, STARTS},
    display::{Channels, Display},
    method::{Cost, Given, Method, Need},
};
use crate::{
    Error, Result,
    model::{
        Seed,
        backward::{Flow, Site, Visit},
        operators::Kind,
        value::{Ranked, Value},
    },
};

/// DeepLIFT (rescale).
pub struct DeepLift;

/// Parameters of DeepLIFT.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The reference input.
    #[schemars(extend("choices" = STARTS))]
    pub baseline: Baseline,
}

/// Differences below this are taken for none.
const NO_DIFFERENCE: f32 = 1e-10;

enum Rule {
    /// Each output is a function of one input.
    Function,
    /// Each output is the largest of some inputs.
    Maximum,
    /// The outputs are linear in each of several inputs, of which two or more are computed.
    Product,
    /// Linear, or none of these: the plain vector-Jacobian product.
    Other,
}

fn rule_of(site: &Site) -> Rule {
    let followers = site.followers();
    match site.properties.kind {
        Kind::Function | Kind::Activation if followers == [0] => Rule::Function,
        Kind::Maximum => Rule::Maximum,
        Kind::Product | Kind::Matmul | Kind::Convolution | Kind::Einsum if followers.len() > 1 => {
            Rule::Product
        }
        _ => Rule::Other,
    }
}

pub(super) fn rule(node: &Visit<'_>) -> Result<Option<Flow>> {
    match rule_of(node.site) {
        Rule::Function => rescale(node),
        Rule::Maximum => cross_maximum(node),
        Rule::Product => midpoint(node),
        Rule::Other => Ok(None),
    }
}

/// Whether the plain gradient is what DeepLIFT's linear rule gives at a node.
fn is_linear(site: &Site) -> bool {
    use Kind::{
        Average, AxisSum, BatchNormalization, Convolution, Difference, Einsum, Linear, Matmul, Mean, Move,
        Product, Quotient, Reshape, Sum,
    };
    match site.properties.kind {
        Average | AxisSum | BatchNormalization | Difference | Linear | Mean | Move | Reshape | Sum => true,
        Convolution | Einsum | Matmul | Product => site.followers().len() == 1,
        Quotient => site.followers() == [0],
        _ => false,
    }
}

/// Says through which operators the plain gradient passed, because there is no rule for them.
pub(super) fn tell_without_rule(subject: &Subject<'_>) {
    let mut names: Vec<String> = subject
        .model()
        .way()
        .filter(|site| matches!(rule_of(site), Rule::Other) && !is_linear(site))
        .map(|site| site.op_type)
        .collect();
    names.sort_unstable();
    names.dedup();
    if !names.is_empty() {
        subject.note(format!(
            "DeepLIFT has no rule for {}: there the plain gradient passed, and the parts may miss their sum.",
            names.join(", ")
        ));
    }
}

/// DeepLIFT rescale (section 3.5.2): m = g (y - y0) / (x - x0).
fn rescale(node: &Visit<'_>) -> Result<Option<Flow>> {
    let (here, there) = (&node.here, node.there()?);
    let dx = here.input(0)? - there.input(0)?;
    let dy = here.output()? - there.output()?;
    if dx.dims() != dy.dims() {
        return Ok(None);
    }
    multiplier(node, node.gradient()? * dy, dx).map(Some)
}

/// m = (J_x^T g (max(y, y0) - y0) + J_x0^T g (y - max(y, y0))) / (x - x0): what the input won over the reference goes to
/// the input's winners, and what it lost to the reference's.
fn cross_maximum(node: &Visit<'_>) -> Result<Option<Flow>> {
    let (here, there) = (&node.here, node.there()?);
    let (g, y, y0) = (node.gradient()?, here.output()?, there.output()?);
    let peak = y.clone().max_pair(y0.clone());
    let won = node.product(&here.inputs, g.clone() * (peak.clone() - y0))?;
    let lost = node.product(&there.inputs, g * (y - peak))?;
    let difference = first(won)? + first(lost)?;
    multiplier(node, difference, here.input(0)? - there.input(0)?).map(Some)
}

/// What is linear in each factor changes from the reference to the input by its slope in the middle.
fn midpoint(node: &Visit<'_>) -> Result<Option<Flow>> {
    let there = node.there()?;
    let mut middle = node.here.inputs.clone();
    for index in node.site.followers() {
        let sum = node.here.input(index)? + there.input(index)?;
        middle[index] = Some(Value::Float(sum * 0.5));
    }
    node.product(&middle, node.gradient()?).map(Some)
}

/// The quotient, and the plain gradient where nothing is there to divide by.
fn multiplier(node: &Visit<'_>, change: Ranked<Float>, dx: Ranked<Float>) -> Result<Flow> {
    let none = dx.clone().abs().lower_elem(NO_DIFFERENCE).float();
    let some = none.clone() * -1.0 + 1.0;
    let quotient = change / (dx + none.clone());
    let plain = first(node.plain()?)?;
    Ok(node.only(0, quotient * some + plain * none))
}

fn first(flow: Flow) -> Result<Ranked<Float>> {
    let first = flow.into_iter().next().flatten();
    first.ok_or_else(|| Error::Internal("no gradient passes through a node".into()))
}

impl Method for DeepLift {
    type Config = Config;
    const NAME: &'static str = "deep_lift";
    const TITLE: &'static str = "DeepLIFT (rescale)";
    const SUMMARY: &'static str = "Follows the difference from an empty input (black for pictures, zero for all else) through every layer, by slopes between the two instead of gradients; the parts sum to the change of the score.";
    const PAPER: &'static str = "Shrikumar, Greenside, Kundaje: Learning Important Features Through Propagating Activation Differences (2017)";
    const NEEDS: &'static [Need] = &[Need::BackwardRule, Need::PixelSpace];
    const DISPLAY: Display = Display { channels: Channels::SumAbs, low: 0.0, high: 99.0 };

    const GIVEN: &'static [Given] = &[BASELINE, BACKGROUND];
    const SHORTFALL: &'static str = "Layers for which the rescale rule has no multipliers (normalisation by the input's own statistics, a softmax inside) \
                                     pass the plain gradient.";

    fn cost(_: &Config) -> Cost {
        Cost { forward: 2, backward: 1 }
    }

    async fn attribute(subject: &Subject<'_>, config: &Config) -> Result<Attribution> {
        subject.checkpoint(0, 1, "backward pass").await?;
        let baseline = config.baseline.start(subject)?;
        let difference = subject.input() - baseline.clone();
        tell_without_rule(subject);
        let found = subject.walk(Some(baseline), Seed::One, &rule)?;
        let map = found.arrived * difference;
        let reference =
            found.reference_score.ok_or_else(|| Error::Internal("a reference without a score".into()))?;
        Ok(Attribution::complete(map, 1, found.score - reference))
    }
}
