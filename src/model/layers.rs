//! The maps inside of a network that class activation mappings look at, and the one that they take where none is named.
//!
//! Grad-CAM (Selvaraju et al. 2017) wants the last layer that still knows where things are. Here that is the last map that
//! every path to the score passes, from which all positions still count: not the tokens behind the last attention, of which
//! only the class token is read, and not the heads of a detector, which see one position each. Where nothing but attention
//! follows on attention, it is what the last one reads, the first normalisation of its block, as pytorch-grad-cam has it.

use std::collections::HashMap;

use super::{
    Layer,
    axes::{Axes, MapView},
    backward::Site,
    graph::{Graph, Slot},
    operators::{Kind, Lowering},
    passes::{self, Attention},
};

/// A layer with the way in which its value holds a map.
#[derive(Debug, Clone)]
pub(super) struct MapLayer {
    pub layer: Layer,
    pub view: MapView,
}

/// The maps on the way to the scores, and the number of the one that is looked at where none is named.
pub(super) fn map_layers(
    graph: &Graph,
    axes: &Axes<'_>,
    way: &[Option<Site>],
    (source, output): (Slot, Slot),
    [batch, height, width]: [usize; 3],
    attention: &[Attention],
) -> (Vec<MapLayer>, Option<usize>) {
    let mut layers = Vec::new();
    let mut steps = Vec::new();
    let mut slots = Vec::new();
    for (index, (step, site)) in graph.steps.iter().zip(way).enumerate() {
        let (Some(site), Some(&Some(slot))) = (site, step.outputs.first()) else { continue };
        if let Some(view) = axes.map(slot, batch, height, width) {
            let layer = Layer { name: site.name.clone(), operator: site.op_type.clone(), shape: view.shape };
            layers.push(MapLayer { layer, view });
            steps.push(index);
            slots.push(slot);
        }
    }
    let shared = on_every_path(graph, way, source, output);
    let (spread, head) =
        (spread(graph, axes, way, output, &[height, width]), behind_head(graph, way, output));
    let is_stage = |index: usize| {
        let operator = &graph.steps[index].operator;
        let stage = operator.properties.keeps_places()
            || matches!(operator.properties.kind, Kind::Convolution | Kind::Matmul | Kind::Other)
            || matches!(operator.lowering, Some(Lowering::Concat { .. }));
        stage && shared[index]
    };
    let last = |fits: &dyn Fn(usize) -> bool| (0..steps.len()).rev().find(|&at| fits(steps[at]));
    let counts = |index: usize| {
        graph.steps[index].outputs[0].is_some_and(|slot| spread.get(&slot).copied().unwrap_or(false))
    };
    let tokens =
        read_last(graph, way, attention).and_then(|read| slots.iter().position(|&slot| slot == read));
    let default = tokens
        .or_else(|| last(&|index| is_stage(index) && counts(index)))
        .or_else(|| last(&|index| is_stage(index) && !head[index]))
        .or_else(|| last(&|index| is_stage(index)))
        .or_else(|| last(&|index| shared[index]));
    (layers, default)
}

/// The last of the layers called `names` that every path of `way` passes, with weights behind it: where a part of an output is asked about, the
/// way holds what that part depends on.
pub(super) fn last_shared(
    graph: &Graph,
    way: &[Option<Site>],
    source: Slot,
    output: Slot,
    names: &[&str],
) -> Option<String> {
    let (shared, head) = (on_every_path(graph, way, source, output), behind_head(graph, way, output));
    let fits = |index: usize| {
        let properties = &graph.steps[index].operator.properties;
        let stage = properties.keeps_places()
            || matches!(properties.kind, Kind::Convolution | Kind::Matmul | Kind::Other)
            || matches!(graph.steps[index].operator.lowering, Some(Lowering::Concat { .. }));
        stage && shared[index] && !head[index]
    };
    let named = |index: usize| way[index].as_ref().filter(|site| names.contains(&site.name.as_str()));
    (0..graph.steps.len())
        .rev()
        .filter(|&index| fits(index))
        .find_map(|index| named(index))
        .map(|site| site.name.clone())
}

/// What the last attention of tokens to themselves reads, before it was cut into windows, where no convolution follows.
fn read_last(graph: &Graph, way: &[Option<Site>], attention: &[Attention]) -> Option<Slot> {
    let last = attention.iter().rev().find(|one| one.queries == one.keys && one.keys > 1)?;
    let mut behind = graph.steps.iter().zip(way).skip(last.softmax).filter(|(_, site)| site.is_some());
    if behind.any(|(step, _)| step.operator.properties.kind == Kind::Convolution) {
        return None;
    }
    let makers = passes::makers(graph);
    let mut slot = last.reads?;
    while let Some(&index) = makers.get(&slot) {
        let step = &graph.steps[index];
        let moves = matches!(step.operator.properties.kind, Kind::Reshape | Kind::Move);
        let mut followers = way[index].as_ref()?.followers().into_iter();
        match (followers.next().and_then(|place| step.inputs[place]), followers.next()) {
            (Some(before), None) if moves => slot = before,
            _ => break,
        }
    }
    Some(slot)
}

/// Whether every path along which a gradient flows passes each step. Paths are counted, by a prime: a step is on all of them
/// where as many pass it as there are.
pub(super) fn on_every_path(graph: &Graph, way: &[Option<Site>], source: Slot, output: Slot) -> Vec<bool> {
    const PRIME: u128 = (1 << 61) - 1;
    let mut to: HashMap<Slot, u128> = HashMap::from([(source, 1)]);
    let mut arriving = vec![0; graph.steps.len()];
    for (index, (step, site)) in graph.steps.iter().zip(way).enumerate() {
        if site.is_none() {
            continue;
        }
        let paths = step.inputs.iter().flatten().filter_map(|slot| to.get(slot));
        arriving[index] = paths.fold(0, |sum, paths| (sum + paths) % PRIME);
        for slot in step.outputs.iter().flatten() {
            to.entry(*slot).or_insert(arriving[index]);
        }
    }
    let mut from: HashMap<Slot, u128> = HashMap::from([(output, 1)]);
    let mut leaving = vec![0; graph.steps.len()];
    for (index, (step, site)) in graph.steps.iter().zip(way).enumerate().rev() {
        if site.is_none() {
            continue;
        }
        let paths = step.outputs.iter().flatten().filter_map(|slot| from.get(slot));
        leaving[index] = paths.fold(0, |sum, paths| (sum + paths) % PRIME);
        for slot in step.inputs.iter().flatten() {
            let sum = from.entry(*slot).or_insert(0);
            *sum = (*sum + leaving[index]) % PRIME;
        }
    }
    let all = to.get(&output).copied().unwrap_or(0);
    arriving.iter().zip(&leaving).map(|(to, from)| to * from % PRIME == all).collect()
}

/// From which values all positions count: those between which and the score positions are added up, compared or laid side by
/// side, and not only picked.
fn spread(
    graph: &Graph,
    axes: &Axes<'_>,
    way: &[Option<Site>],
    output: Slot,
    positions: &[usize],
) -> HashMap<Slot, bool> {
    let mut counts: HashMap<Slot, bool> = HashMap::from([(output, false)]);
    for (step, site) in graph.steps.iter().zip(way).rev() {
        if site.is_none() {
            continue;
        }
        let Some(&Some(made)) = step.outputs.first() else { continue };
        let already = step.outputs.iter().flatten().any(|slot| counts.get(slot) == Some(&true));
        let picks = step.operator.properties.kind == Kind::Move;
        let loses = !axes.has_positions(made, positions) && !picks;
        let mixes = loses || axes.contracts(step, positions);
        for slot in step.inputs.iter().flatten() {
            let here = already || (mixes && axes.has_positions(*slot, positions));
            let known = counts.entry(*slot).or_insert(false);
            *known |= here;
        }
    }
    counts
}

/// Whether nothing with weights follows on a step: what is left are the scores, of every position its own.
fn behind_head(graph: &Graph, way: &[Option<Site>], output: Slot) -> Vec<bool> {
    let mut weighs: HashMap<Slot, bool> = HashMap::from([(output, false)]);
    let mut behind = vec![false; graph.steps.len()];
    for (index, (step, site)) in graph.steps.iter().zip(way).enumerate().rev() {
        if site.is_none() {
            continue;
        }
        let after = step.outputs.iter().flatten().any(|slot| weighs.get(slot) == Some(&true));
        behind[index] = !after;
        let here = after || step.operator.properties.is_heavy();
        for slot in step.inputs.iter().flatten() {
            *weighs.entry(*slot).or_insert(false) |= here;
        }
    }
    behind
}
