//! Attacks on one picture, several at once, read back to the host.

use adversight::{
    Control, Explainer, HostTensor,
    attack::{Attack, Goal, Rows, SaliencyMapAttack, Within},
};

use crate::{CliResult, say};

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
    explainer: &Explainer,
    x: &HostTensor,
    class: usize,
    attack: Attack,
    terms: Terms,
) -> CliResult<Vec<Change>> {
    let control = Control::default();
    let network = Rows::new(explainer.model(), &control).map_err(say)?;
    let count = terms.masks.len().max(1);
    let rows = |values: Vec<f32>| network.rows(values).map_err(say);
    let mut within = Within::default();
    if !terms.masks.is_empty() {
        within.mask = Some(rows(terms.masks.concat())?);
    }
    if let Some(start) = terms.start {
        within.start = Some(rows(start)?);
    }
    if terms.valid {
        let preprocessing = explainer.preprocessing().ok_or("The model's preprocessing is not declared.")?;
        within.range = Some(network.valid_range(preprocessing).map_err(say)?);
    }
    let repeated = rows(x.data.repeat(count))?;
    let deltas = attack.run(&network, repeated, &vec![class; count], &within).await.map_err(say)?;
    let deltas = deltas.into_data_async().await.map_err(|error| format!("{error:?}"))?;
    let deltas = deltas.try_into_vec::<f32>().map_err(|error| format!("{error:?}"))?;
    let mut changes = Vec::with_capacity(count);
    for delta in deltas.chunks_exact(x.data.len()) {
        let logits = explainer.logits(&moved(x, delta)).await.map_err(say)?.data;
        let predicted = logits.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).map_or(0, |(i, _)| i);
        changes.push(Change { delta: delta.to_vec(), predicted });
    }
    Ok(changes)
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
    explainer: &Explainer,
    x: &HostTensor,
    class: usize,
    attack: SaliencyMapAttack,
    goal: MapGoal,
) -> CliResult<HostTensor> {
    let control = Control::default();
    let network = Rows::new(explainer.model(), &control).map_err(say)?;
    let goal = match goal {
        MapGoal::Away(k) => Goal::Away { k },
        MapGoal::Towards(gradient) => {
            let sum: f64 = gradient.data.iter().map(|value| f64::from(value.abs())).sum();
            let map = gradient
                .data
                .iter()
                .map(|value| (f64::from(value.abs()) / sum.max(f64::MIN_POSITIVE)) as f32);
            Goal::Towards(network.rows(map.collect()).map_err(say)?)
        }
    };
    let rows = network.rows(x.data.clone()).map_err(say)?;
    let delta = attack.run(&network, rows, &[class], &goal).await.map_err(say)?;
    let delta = delta.into_data_async().await.map_err(|error| format!("{error:?}"))?;
    Ok(moved(x, &delta.try_into_vec::<f32>().map_err(|error| format!("{error:?}"))?))
}
