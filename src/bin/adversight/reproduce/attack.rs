//! Attacks on one picture, several at once, read back to the host.

use adversight::{
    Control, HostTensor,
    attack::{Attack, Goal, Rows, SaliencyMapAttack, Within},
};
use burn::tensor::Tensor;

use crate::{CliResult, evaluate::Network, say};

/// The mean standard deviation of ImageNet's channels: the papers measure changes in units of it.
const IMAGENET_STD: f32 = 0.226;

/// ImageNet's standard deviation in this network's space.
pub fn unit(network: &Network) -> CliResult<f32> {
    Ok(IMAGENET_STD * network.pixel_range()?)
}

/// What an attack came to.
pub struct Change {
    /// The change of each feature, in model space.
    pub delta: Vec<f32>,
    /// The class that the network predicts then.
    pub predicted: usize,
}

/// What each row of an attack may change and where it starts; everything and nowhere by default.
#[derive(Default)]
pub struct Terms {
    /// 1 at the features that may change, a list for each row.
    pub masks: Vec<Vec<f32>>,
    /// The change to begin with, for one row.
    pub start: Option<Vec<f32>>,
    /// Whether the picture stays between black and white.
    pub valid: bool,
}

/// Attacks the input once, or once for each mask.
pub async fn changes(
    network: &Network,
    x: &HostTensor,
    class: usize,
    attack: Attack,
    terms: Terms,
) -> CliResult<Vec<Change>> {
    let control = Control::default();
    let inside = Rows::new(network.explainer.model(), &control).map_err(say)?;
    let count = terms.masks.len().max(1);
    let rows = |values: Vec<f32>| inside.rows(values).map_err(say);
    let mut within = Within::default();
    if !terms.masks.is_empty() {
        within.mask = Some(rows(terms.masks.concat())?);
    }
    if let Some(start) = terms.start {
        within.start = Some(rows(start)?);
    }
    if terms.valid {
        within.range = Some(inside.valid_range(network.preprocessing()?).map_err(say)?);
    }
    let repeated = rows(x.data.repeat(count))?;
    let deltas = attack.run(&inside, repeated, &vec![class; count], &within).await.map_err(say)?;
    let deltas = read(deltas).await?;
    let mut changes = Vec::with_capacity(count);
    for delta in deltas.chunks_exact(x.data.len()) {
        let predicted = network.predicted(&moved(x, delta)).await?;
        changes.push(Change { delta: delta.to_vec(), predicted });
    }
    Ok(changes)
}

async fn read(values: Tensor<2>) -> CliResult<Vec<f32>> {
    let data = values.into_data_async().await.map_err(|error| format!("{error:?}"))?;
    data.try_into_vec().map_err(|error| format!("{error:?}"))
}

/// The input with a change.
pub fn moved(x: &HostTensor, delta: &[f32]) -> HostTensor {
    let data = x.data.iter().zip(delta).map(|(x, delta)| x + delta).collect();
    HostTensor { data, shape: x.shape.clone() }
}

/// Where an attack leads the gradient's map.
pub enum MapGoal {
    /// This many of the most important features lose their weight.
    Away(usize),
    /// The map becomes that of this gradient.
    Towards(HostTensor),
}

/// The input whose gradient's map is another while the network still decides for `class`.
pub async fn map_attacked(
    network: &Network,
    x: &HostTensor,
    class: usize,
    attack: SaliencyMapAttack,
    goal: MapGoal,
) -> CliResult<HostTensor> {
    let control = Control::default();
    let inside = Rows::new(network.explainer.model(), &control).map_err(say)?;
    let goal = match goal {
        MapGoal::Away(k) => Goal::Away { k },
        MapGoal::Towards(gradient) => {
            let sum: f64 = gradient.data.iter().map(|value| f64::from(value.abs())).sum();
            let map = gradient
                .data
                .iter()
                .map(|value| (f64::from(value.abs()) / sum.max(f64::MIN_POSITIVE)) as f32);
            Goal::Towards(inside.rows(map.collect()).map_err(say)?)
        }
    };
    let rows = inside.rows(x.data.clone()).map_err(say)?;
    let delta = attack.run(&inside, rows, &[class], &goal).await.map_err(say)?;
    Ok(moved(x, &read(delta).await?))
}
