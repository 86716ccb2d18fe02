//! What is done to a graph once, before its first run: each pass a file.

mod attention;
mod clamps;
mod final_activation;
mod fold_batch_normalization;
mod fold_constants;
mod fuse_bounds;
mod liveness;
mod split_weights;
mod write_out;

use std::collections::{HashMap, HashSet};

pub(super) use attention::{Attention, attention};
pub(super) use clamps::write_clamps_alike;
pub(super) use final_activation::{FinalActivation, Found, Groups, Search, final_activation};
pub(super) use fold_batch_normalization::fold_batch_normalization;
pub(super) use fold_constants::fold_constants;
pub(super) use fuse_bounds::fuse_bounds;
pub(super) use liveness::keep_only;
pub(super) use split_weights::split_weights;
pub(super) use write_out::write_out;

use super::graph::{Graph, Slot};

/// How often each value is read, the graph's ends counted as a reader.
fn readers(graph: &Graph, ends: &HashSet<Slot>) -> HashMap<Slot, usize> {
    let mut readers: HashMap<Slot, usize> = ends.iter().map(|&slot| (slot, 1)).collect();
    for slot in graph.steps.iter().flat_map(|step| step.inputs.iter().flatten()) {
        *readers.entry(*slot).or_default() += 1;
    }
    readers
}

/// The step that makes each value.
pub(in crate::model) fn makers(graph: &Graph) -> HashMap<Slot, usize> {
    let made = |(index, step): (usize, &super::graph::Step)| {
        step.outputs.iter().flatten().map(move |&slot| (slot, index)).collect::<Vec<_>>()
    };
    graph.steps.iter().enumerate().flat_map(made).collect()
}
