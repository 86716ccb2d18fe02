//! The names that nodes have in the file: onnx-ir renames them, and a user knows only the file's.

use std::collections::VecDeque;

use onnx_ir::{GraphProto, Node, NodeProto};

/// A node's name, or that of its first output where it has none.
pub(super) fn of_node(node: &NodeProto) -> String {
    if !node.name.is_empty() {
        return node.name.clone();
    }
    node.output.first().cloned().unwrap_or_else(|| node.op_type.clone())
}

/// Operator and name of every node of the file, in order.
pub(super) fn of_nodes(graph: &GraphProto) -> VecDeque<(String, String)> {
    graph.node.iter().map(|node| (node.op_type.clone(), of_node(node))).collect()
}

/// Walks the file's nodes beside onnx-ir's, which keep their order though some are merged.
pub(super) struct Aligner(VecDeque<(String, String)>);

impl Aligner {
    pub fn new(nodes: VecDeque<(String, String)>) -> Self {
        Self(nodes)
    }

    /// The file's name of the next of onnx-ir's nodes.
    pub fn next(&mut self, node: &Node) -> String {
        let kind = node.node_type().to_string();
        let matching = self.0.iter().position(|(operator, _)| same_operator(operator, &kind));
        match matching.and_then(|index| self.0.drain(..=index).next_back()) {
            Some((_, name)) => name,
            None => node.name().to_owned(),
        }
    }
}

/// Whether onnx-ir makes a node of type `kind` of the ONNX operator `operator`.
fn same_operator(operator: &str, kind: &str) -> bool {
    match kind {
        "Linear" => matches!(operator, "Gemm" | "MatMul"),
        _ => kind == operator || kind.strip_suffix("1d").or(kind.strip_suffix("2d")) == Some(operator),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn onnx_ir_types_are_matched_to_the_files_operators() {
        assert!(same_operator("Conv", "Conv2d"));
        assert!(same_operator("Gemm", "Linear"));
        assert!(same_operator("MatMul", "Linear"));
        assert!(same_operator("Relu", "Relu"));
        assert!(!same_operator("Conv", "ConvTranspose2d"));
    }
}
