//! Which steps are needed, and for how long each value.

use std::collections::HashSet;

use crate::model::graph::{Constant, Graph, Slot};

/// Drops steps that nothing in `wanted` follows from, and notes after which step each value dies. The values in
/// `given` are there from the start.
pub(in crate::model) fn keep_only(graph: &mut Graph, wanted: &[Slot], given: &[Slot]) {
    let mut needed: HashSet<Slot> = wanted.iter().copied().collect();
    let mut kept = Vec::with_capacity(graph.steps.len());
    for mut step in std::mem::take(&mut graph.steps).into_iter().rev() {
        let wanted =
            |slot: &Option<Slot>| slot.is_some_and(|slot| needed.contains(&slot) && !given.contains(&slot));
        if !step.outputs.iter().any(wanted) {
            continue;
        }
        let mut reads: Vec<Slot> = step.inputs.iter().flatten().copied().collect();
        reads.sort_unstable();
        reads.dedup();
        step.dead_after = reads.into_iter().filter(|&slot| needed.insert(slot)).collect();
        let unread = |slot: &Option<Slot>| slot.filter(|slot| !needed.contains(slot));
        step.dead_after.extend(step.outputs.iter().filter_map(unread));
        kept.push(step);
    }
    kept.reverse();
    graph.steps = kept;
    for (slot, constant) in graph.constants.iter_mut().enumerate() {
        if !needed.contains(&slot) {
            *constant = Constant::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Device, model::file::Parsed};

    const TINY: &[u8] = include_bytes!("../../../tests/fixtures/tiny.onnx");

    #[test]
    fn values_die_after_their_last_use() {
        let parsed = Parsed::read(TINY).unwrap();
        let mut graph = Graph::read(&TINY.into(), &parsed, None, &Device::cpu("test")).unwrap();
        let input = graph.slot(&parsed.graph().input[0].name);
        let output = graph.slot(&parsed.graph().output[0].name);
        keep_only(&mut graph, &[output], &[input]);
        let mut alive = HashSet::from([input]);
        let mut most = 0;
        for step in &graph.steps {
            alive.extend(step.outputs.iter().flatten().copied());
            most = most.max(alive.iter().filter(|&&slot| graph.constants[slot].value.is_none()).count());
            for slot in &step.dead_after {
                alive.remove(slot);
            }
        }
        // A branch keeps one value besides the input and output of the node that runs.
        assert!(most <= 4, "{most} values alive at once");
        assert!(alive.contains(&output));
    }

    #[test]
    fn what_nothing_follows_from_is_dropped() {
        let parsed = Parsed::read(TINY).unwrap();
        let mut graph = Graph::read(&TINY.into(), &parsed, None, &Device::cpu("test")).unwrap();
        let input = graph.slot(&parsed.graph().input[0].name);
        let features = graph.output_of("flatten_23").unwrap();
        keep_only(&mut graph, &[features], &[input]);
        // The last of 25 nodes is gone, and its weights with it.
        assert_eq!(graph.steps.len(), 24);
        let needed: HashSet<Slot> =
            graph.steps.iter().flat_map(|step| step.inputs.iter().flatten().copied()).collect();
        let held = (0..graph.constants.len()).filter(|&slot| graph.constants[slot].value.is_some());
        assert!(held.clone().count() > 0 && held.into_iter().all(|slot| needed.contains(&slot)));
    }
}
