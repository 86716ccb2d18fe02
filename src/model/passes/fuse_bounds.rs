//! Rectifiers and clips as a part of the step before them.

use std::collections::HashMap;

use crate::model::graph::{Graph, Slot};

/// The steps that bound the output of a step that can do so itself (`takes_bounds`), by that step; nothing else reads that
/// output. Whether its output lies between bounds says as much as whether its input does, so that gradients are the same.
pub(in crate::model) fn fuse_bounds(
    graph: &Graph,
    takes_bounds: impl Fn(usize) -> bool,
    is_bound: impl Fn(usize) -> bool,
) -> HashMap<usize, usize> {
    let mut readers: HashMap<Slot, Vec<usize>> = HashMap::new();
    for (index, step) in graph.steps.iter().enumerate() {
        for slot in step.inputs.iter().flatten() {
            readers.entry(*slot).or_default().push(index);
        }
    }
    (0..graph.steps.len())
        .filter(|&index| takes_bounds(index))
        .filter_map(|index| match readers.get(&graph.steps[index].outputs[0]?)?[..] {
            [reader] if is_bound(reader) => Some((index, reader)),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use onnx_ir::NodeProto;

    use super::*;

    #[test]
    fn a_bound_is_fused_where_nothing_else_reads_what_it_bounds() {
        let node = |operator: &str, inputs: &[&str], output: &str| NodeProto {
            op_type: operator.into(),
            input: inputs.iter().map(|&name| name.to_owned()).collect(),
            output: vec![output.into()],
            ..Default::default()
        };
        let mut graph = Graph::empty(&burn::tensor::Device::flex());
        let nodes = [
            node("Conv", &["x", "w"], "a"),
            node("Relu", &["a"], "b"),
            node("Conv", &["b", "w"], "c"),
            node("Relu", &["c"], "d"),
            node("Conv", &["d", "w"], "e"),
            node("Sigmoid", &["e"], "f"),
            node("Add", &["f", "c"], "y"),
        ];
        graph.add(&nodes, 17, HashMap::new()).unwrap();
        let named = |index: usize, operator: &str| graph.steps[index].op_type == operator;
        let fused = fuse_bounds(&graph, |index| named(index, "Conv"), |index| named(index, "Relu"));
        assert_eq!(fused, HashMap::from([(0, 1)]));
    }
}
