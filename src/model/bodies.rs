//! Graphs inside of nodes: the branches of `If`, the bodies of `Loop` and `Scan`.
//!
//! They read the values around them by name. [`lift`] writes those names down as further inputs of the node and moves
//! the weights out, so that order, folding, memory and gradients know nothing of graphs inside of nodes; only
//! the operators themselves do (`operators/control.rs`).

use std::collections::{HashMap, HashSet};

use onnx_ir::{GraphProto, NodeProto, TensorProto};

use super::{element, node};

/// The graphs inside of a node.
pub(super) fn graphs_of(node: &mut NodeProto) -> impl Iterator<Item = &mut GraphProto> {
    node.attribute.iter_mut().filter_map(|attribute| attribute.g.as_mut())
}

/// The graph that a node holds as an attribute.
pub(super) fn graph<'n>(node: &'n NodeProto, name: &str) -> Option<&'n GraphProto> {
    node.attribute.iter().find(|attribute| attribute.name == name).and_then(|attribute| attribute.g.as_ref())
}

/// Renames every value that a node reads or makes, those in its graphs too.
pub(super) fn rename(node: &mut NodeProto, new: &impl Fn(&str) -> String) {
    let rename_all = |names: &mut Vec<String>| {
        names.iter_mut().filter(|name| !name.is_empty()).for_each(|name| *name = new(name));
    };
    rename_all(&mut node.input);
    rename_all(&mut node.output);
    graphs_of(node).for_each(|graph| rename_graph(graph, new));
}

fn rename_graph(graph: &mut GraphProto, new: &impl Fn(&str) -> String) {
    let infos = graph.input.iter_mut().chain(&mut graph.output).chain(&mut graph.value_info);
    infos.for_each(|info| info.name = new(&info.name));
    graph.initializer.iter_mut().for_each(|tensor| tensor.name = new(&tensor.name));
    graph.node.iter_mut().for_each(|node| rename(node, new));
}

/// Brings the graphs inside of nodes to the form that the runtime reads: their weights among `weights`, the values
/// around them that they read among the node's inputs, after its own. An `If` whose condition the file fixes is
/// replaced by the branch that it takes.
pub(super) fn lift(nodes: &mut Vec<NodeProto>, weights: &mut Vec<TensorProto>) {
    let fixed = weights.iter().filter_map(truth).collect();
    Lift { weights, fixed, count: 0 }.nodes(nodes);
}

struct Lift<'w> {
    weights: &'w mut Vec<TensorProto>,
    /// Truth values of the file, by name.
    fixed: HashMap<String, bool>,
    /// Makes names that no file has.
    count: usize,
}

impl Lift<'_> {
    fn nodes(&mut self, nodes: &mut Vec<NodeProto>) {
        let mut pending: Vec<NodeProto> = std::mem::take(nodes).into_iter().rev().collect();
        while let Some(mut node) = pending.pop() {
            if node.op_type == "Constant"
                && let (Some(name), Some(tensor)) = (node.output.first(), value(&node))
            {
                self.fixed.extend(truth(tensor).map(|(_, truth)| (name.clone(), truth)));
            }
            match self.branch_taken(&node) {
                Some(branch) => pending.extend(self.written_out(&node, branch).into_iter().rev()),
                None => {
                    graphs_of(&mut node).for_each(|graph| self.graph(graph));
                    capture(&mut node);
                    nodes.push(node);
                }
            }
        }
    }

    fn graph(&mut self, graph: &mut GraphProto) {
        self.count += 1;
        let count = self.count;
        let own: HashSet<String> = graph.initializer.iter().map(|tensor| tensor.name.clone()).collect();
        if !own.is_empty() {
            rename_graph(graph, &|name| match own.contains(name) {
                true => format!("{name}/inside {count}"),
                false => name.to_owned(),
            });
        }
        // The names of this graph are its own; what is fixed in it is unknown outside.
        let outside = self.fixed.clone();
        for name in defined(graph) {
            self.fixed.remove(name);
        }
        self.move_weights(graph);
        self.nodes(&mut graph.node);
        self.fixed = outside;
    }

    fn move_weights(&mut self, graph: &mut GraphProto) {
        self.fixed.extend(graph.initializer.iter().filter_map(truth));
        self.weights.append(&mut graph.initializer);
    }

    fn branch_taken(&self, node: &NodeProto) -> Option<GraphProto> {
        if node::operator_of(node) != "If" {
            return None;
        }
        let branch = if *self.fixed.get(node.input.first()?)? { "then_branch" } else { "else_branch" };
        graph(node, branch).filter(|branch| branch.output.len() == node.output.len()).cloned()
    }

    /// The nodes of a branch in place of its `If`, whose outputs they make.
    fn written_out(&mut self, node: &NodeProto, mut branch: GraphProto) -> Vec<NodeProto> {
        self.count += 1;
        let count = self.count;
        let own: HashSet<String> = defined(&branch).map(str::to_owned).collect();
        rename_graph(&mut branch, &|name| match own.contains(name) {
            true => format!("{name}/inside {count}"),
            false => name.to_owned(),
        });
        self.move_weights(&mut branch);
        let ends = branch.output.iter().zip(&node.output).filter(|(_, outer)| !outer.is_empty());
        let ends = ends.map(|(inner, outer)| NodeProto {
            name: format!("{}/{outer}", node::name_of(node)),
            op_type: "Identity".into(),
            input: vec![inner.name.clone()],
            output: vec![outer.clone()],
            ..Default::default()
        });
        branch.node.into_iter().chain(ends).collect()
    }
}

/// The names that a graph gives to values of its own.
fn defined(graph: &GraphProto) -> impl Iterator<Item = &str> {
    let made = graph.node.iter().flat_map(|node| &node.output).map(String::as_str);
    let given = graph.input.iter().map(|input| input.name.as_str());
    made.chain(given).chain(graph.initializer.iter().map(|tensor| tensor.name.as_str()))
}

/// The values around a lifted graph that it reads, in the order in which it does.
pub(super) fn captured(graph: &GraphProto) -> Vec<String> {
    let own: HashSet<&str> = defined(graph).chain([""]).collect();
    let read = graph.node.iter().flat_map(|node| &node.input);
    let mut seen = HashSet::new();
    read.chain(graph.output.iter().map(|output| &output.name))
        .filter(|name| !own.contains(name.as_str()) && seen.insert(name.as_str()))
        .cloned()
        .collect()
}

/// Adds the values that a node's graphs capture to its inputs, after all that the operator may have of its own.
fn capture(node: &mut NodeProto) {
    let graphs = node.attribute.iter().filter_map(|attribute| attribute.g.as_ref());
    let names: Vec<String> = graphs.flat_map(captured).collect();
    if names.is_empty() {
        return;
    }
    let own =
        node.attribute.iter().filter_map(|attribute| attribute.g.as_ref()).map(|graph| graph.input.len());
    let own = own.max().unwrap_or(0).max(node.input.len()).max(1);
    node.input.resize(own, String::new());
    for name in names {
        if !node.input.contains(&name) {
            node.input.push(name);
        }
    }
}

/// The tensor of a `Constant` or `ConstantOfShape`.
pub(super) fn value(node: &NodeProto) -> Option<&TensorProto> {
    node.attribute.iter().find(|attribute| attribute.name == "value")?.t.as_ref()
}

/// The one truth value that a tensor holds.
fn truth(tensor: &TensorProto) -> Option<(String, bool)> {
    const BOOL: i32 = 9;
    if tensor.data_type != BOOL || element::count(tensor) != Ok(1) {
        return None;
    }
    let data = element::read(tensor, None).ok()?;
    Some((tensor.name.clone(), data.iter::<bool>().next()?))
}
