//! Reading an ONNX file: its nodes with functions written out, its weights, and what its ends are.

use std::collections::{HashMap, HashSet};

use onnx_ir::{AttributeProto, GraphProto, Message, ModelProto, NodeProto, TensorProto, ValueInfoProto};

use super::{
    ValueInfo, bodies,
    element::{self, Element, External},
    node,
};
use crate::{Error, Result};

/// An ONNX file, and a way to the files beside it.
#[derive(Clone, Copy)]
pub struct ModelFile<'a> {
    /// The contents of the `.onnx` file.
    pub bytes: &'a [u8],
    /// Fetches `length` bytes (all the rest where it is `None`) from `offset` on of the file at a location that the
    /// model names; needed only where weights lie outside of the model.
    pub external: Option<&'a External<'a>>,
}

impl<'a> From<&'a [u8]> for ModelFile<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self { bytes, external: None }
    }
}

/// A file that could be read; nothing of it has been checked for sense.
pub(super) struct Parsed {
    pub proto: ModelProto,
    pub opset: i64,
    /// The nodes, with calls of the file's own functions replaced by their bodies, and the graphs inside of nodes
    /// brought to the form of [`bodies`].
    pub nodes: Vec<NodeProto>,
}

/// What whoever looks for something in a file needs of it.
pub(crate) trait FileParts {
    /// Its nodes, in the order in which they run.
    fn nodes(&self) -> &[NodeProto];
    /// The names of all values that nodes make, and of the inputs.
    fn value_names(&self) -> HashSet<String>;
    /// A name that no value has, near this one.
    fn unused_name(&self, wanted: &str) -> String;
    /// Adds nodes behind all others.
    fn append(&mut self, nodes: Vec<NodeProto>);
}

impl FileParts for Parsed {
    fn nodes(&self) -> &[NodeProto] {
        &self.nodes
    }

    fn value_names(&self) -> HashSet<String> {
        self.nodes.iter().flat_map(|node| &node.output).cloned().collect()
    }

    fn unused_name(&self, wanted: &str) -> String {
        self.free_name(wanted)
    }

    fn append(&mut self, nodes: Vec<NodeProto>) {
        self.nodes.extend(nodes);
    }
}

/// More nodes than any known network has; functions that call functions could make more.
const MAX_NODES: usize = 200_000;

impl Parsed {
    pub fn read(bytes: &[u8]) -> Result<Self> {
        let malformed = |reason: &str| Error::ModelMalformed(reason.to_owned());
        if bytes.is_empty() {
            return Err(malformed("the file is empty"));
        }
        let mut proto = ModelProto::parse_from_bytes(bytes).map_err(|error| {
            Error::ModelMalformed(format!("it is damaged or cut off, or not an ONNX file at all ({error})"))
        })?;
        if proto.graph.node.is_empty() {
            return Err(malformed("it holds no graph"));
        }
        if proto.opset_import.is_empty() {
            return Err(malformed(
                "it names no operator set, so it is cut off, or older than any known exporter",
            ));
        }
        let opset = super::opset(&proto);
        let mut nodes = written_out(&proto, proto.graph.node.clone(), 0, &mut 0)?;
        bodies::lift(&mut nodes, &mut proto.graph.mut_or_insert_default().initializer);
        let nodes = in_order(nodes, &proto.graph);
        Ok(Self { proto, opset, nodes })
    }

    pub fn graph(&self) -> &GraphProto {
        &self.proto.graph
    }

    /// The inputs that have no value in the file.
    pub fn inputs(&self) -> impl Iterator<Item = &ValueInfoProto> {
        let weights: HashSet<&str> =
            self.graph().initializer.iter().map(|tensor| tensor.name.as_str()).collect();
        self.graph().input.iter().filter(move |input| !weights.contains(input.name.as_str()))
    }

    /// The nodes that the outputs `wanted` follow from, in their order, and whether a value is read by one of them; all where
    /// none are named. What lies beside, a branch that looks up labels, is not read.
    pub fn needed(&self, wanted: Option<&[String]>) -> (Vec<NodeProto>, impl Fn(&str) -> bool) {
        let mut needed: HashSet<String> = wanted.unwrap_or_default().iter().cloned().collect();
        let mut nodes = Vec::new();
        for node in self.nodes.iter().rev() {
            if wanted.is_none() || node.output.iter().any(|output| needed.contains(output)) {
                needed.extend(node.input.iter().cloned());
                nodes.push(node.clone());
            }
        }
        nodes.reverse();
        let all = wanted.is_none();
        (nodes, move |name: &str| all || needed.contains(name))
    }

    /// Checks that every value is defined before it is read; a cycle is a value that comes only after.
    pub fn check_order(&self) -> Result<()> {
        let weights = self.graph().initializer.iter().map(|tensor| tensor.name.as_str());
        check_order(self.graph(), &self.nodes, weights)
    }

    /// Says which weight is at fault, and at which node.
    pub fn weight_error(&self, tensor: &TensorProto, reason: impl std::fmt::Display) -> Error {
        let user = self.nodes.iter().find(|node| node.input.contains(&tensor.name)).map(node::name_of);
        Error::ModelInvalid { node: user, reason: format!("its weight \"{}\" {reason}", tensor.name) }
    }

    /// The element types that the file declares, by the name of the value.
    pub fn types(&self) -> HashMap<String, Element> {
        declared_types(self.graph())
    }

    /// Number of weights, and the bytes that they take on a device.
    pub fn weights(&self) -> (usize, usize) {
        let counts = self.graph().initializer.iter().filter_map(|tensor| element::count(tensor).ok());
        let parameters = counts.fold(0usize, usize::saturating_add);
        (parameters, parameters.saturating_mul(size_of::<f32>()))
    }

    /// A name that no value of the file has: the wanted one, or one near it.
    pub fn free_name(&self, wanted: &str) -> String {
        let graph = self.graph();
        let mut taken: HashSet<&str> = graph.input.iter().map(|input| input.name.as_str()).collect();
        taken.extend(graph.initializer.iter().map(|tensor| tensor.name.as_str()));
        taken.extend(self.nodes.iter().flat_map(|node| &node.output).map(String::as_str));
        let mut name = wanted.to_owned();
        while taken.contains(name.as_str()) {
            name.push('\'');
        }
        name
    }

    /// The files that weights lie in.
    pub fn locations(&self) -> Vec<String> {
        let mut locations: Vec<String> = self
            .graph()
            .initializer
            .iter()
            .filter_map(|tensor| element::elsewhere(tensor).ok().flatten())
            .map(|place| place.location)
            .collect();
        locations.sort_unstable();
        locations.dedup();
        locations
    }
}

/// The element types that a graph declares, by the name of the value.
pub(super) fn declared_types(graph: &GraphProto) -> HashMap<String, Element> {
    let infos = graph.input.iter().chain(&graph.value_info).chain(&graph.output);
    let declared = infos.map(|info| (&info.name, info.type_.tensor_type().elem_type));
    let held = graph.initializer.iter().map(|tensor| (&tensor.name, tensor.data_type));
    let known = |(name, number): (&String, i32)| Some((name.clone(), Element::from_onnx(number).ok()?));
    declared.chain(held).filter_map(known).collect()
}

/// Checks that every value of a graph is defined before it is read. Its inputs are there from the start, and what is
/// `given`.
pub(super) fn check_order<'a>(
    graph: &'a GraphProto,
    nodes: &'a [NodeProto],
    given: impl Iterator<Item = &'a str>,
) -> Result<()> {
    let mut defined: HashSet<&str> = graph.input.iter().map(|input| input.name.as_str()).collect();
    defined.insert("");
    defined.extend(given);
    for node in nodes {
        let name = node::name_of(node);
        if let Some(missing) = node.input.iter().find(|input| !defined.contains(input.as_str())) {
            let later = nodes.iter().any(|other| other.output.contains(missing));
            let why = if later { "comes only after it" } else { "is nowhere defined" };
            return Err(Error::invalid_node(&name, format!("its input \"{missing}\" {why}")));
        }
        for output in &node.output {
            if !output.is_empty() && !defined.insert(output) {
                return Err(Error::invalid_node(
                    &name,
                    format!("its output \"{output}\" has that name already"),
                ));
            }
        }
    }
    match graph.output.iter().find(|output| !defined.contains(output.name.as_str())) {
        Some(output) => Err(Error::invalid_model(format!("no node computes its output \"{}\"", output.name))),
        None if graph.output.is_empty() => Err(Error::invalid_model("it has no output")),
        None => Ok(()),
    }
}

/// What the file says of an input or output.
pub(super) fn value_info(info: &ValueInfoProto) -> ValueInfo {
    let tensor = info.type_.tensor_type();
    let dims = &tensor.shape.dim;
    let shape =
        dims.iter().map(|dim| usize::try_from(dim.dim_value()).ok().filter(|&size| size > 0)).collect();
    let symbol = |name: &str| (!name.is_empty()).then(|| name.to_owned());
    let symbols = dims.iter().map(|dim| symbol(dim.dim_param())).collect();
    let element_type = match Element::from_onnx(tensor.elem_type) {
        Ok(element) => element.name().to_owned(),
        Err(name) => name,
    };
    ValueInfo { name: info.name.clone(), shape, symbols, element_type }
}

/// The nodes so that each comes after those that it reads from, otherwise in the file's order. Nodes of a cycle keep
/// their places, for [`Parsed::check_order`] to find.
pub(super) fn in_order(nodes: Vec<NodeProto>, graph: &GraphProto) -> Vec<NodeProto> {
    let mut made_by: HashMap<&str, usize> = HashMap::new();
    for (index, node) in nodes.iter().enumerate() {
        made_by.extend(node.output.iter().filter(|name| !name.is_empty()).map(|name| (name.as_str(), index)));
    }
    // Weights and inputs are there from the start, whoever else claims their names.
    for name in
        graph.initializer.iter().map(|tensor| &tensor.name).chain(graph.input.iter().map(|input| &input.name))
    {
        made_by.remove(name.as_str());
    }
    let before = |index: usize| -> HashSet<usize> {
        nodes[index].input.iter().filter_map(|name| made_by.get(name.as_str()).copied()).collect()
    };
    let mut waits: Vec<usize> = Vec::with_capacity(nodes.len());
    let mut readers: Vec<Vec<usize>> = vec![Vec::new(); nodes.len()];
    let mut sorted = true;
    for index in 0..nodes.len() {
        let before = before(index);
        sorted &= before.iter().all(|&other| other < index);
        waits.push(before.len());
        for other in before {
            readers[other].push(index);
        }
    }
    if sorted {
        return nodes;
    }
    let mut ready: std::collections::BTreeSet<usize> =
        (0..nodes.len()).filter(|&index| waits[index] == 0).collect();
    let mut order = Vec::with_capacity(nodes.len());
    while let Some(index) = ready.pop_first() {
        order.push(index);
        for &reader in &readers[index] {
            waits[reader] -= 1;
            if waits[reader] == 0 {
                ready.insert(reader);
            }
        }
    }
    if order.len() < nodes.len() {
        return nodes;
    }
    let mut nodes: Vec<Option<NodeProto>> = nodes.into_iter().map(Some).collect();
    order.into_iter().filter_map(|index| nodes[index].take()).collect()
}

/// The nodes, each call of a function of the file replaced by the function's body, also in the graphs inside of nodes.
/// `depth` is how many calls the nodes lie in, `count` that of all nodes so far.
fn written_out(
    model: &ModelProto,
    nodes: Vec<NodeProto>,
    depth: usize,
    count: &mut usize,
) -> Result<Vec<NodeProto>> {
    if model.functions.is_empty() {
        return Ok(nodes);
    }
    let mut written = Vec::new();
    let mut pending: Vec<(NodeProto, usize)> = nodes.into_iter().rev().map(|node| (node, depth)).collect();
    let mut calls = 0;
    while let Some((mut call, depth)) = pending.pop() {
        let function = model
            .functions
            .iter()
            .find(|function| function.name == call.op_type && function.domain == call.domain);
        let Some(function) = function else {
            for graph in bodies::graphs_of(&mut call) {
                graph.node = written_out(model, std::mem::take(&mut graph.node), depth, count)?;
            }
            written.push(call);
            *count += 1;
            if *count > MAX_NODES {
                return Err(Error::invalid_model(format!("it has more than {MAX_NODES} nodes")));
            }
            continue;
        };
        let name = node::name_of(&call);
        if depth > 32 {
            return Err(Error::invalid_node(&name, "its function calls itself"));
        }
        calls += 1;
        // Values inside of the body get names of their own; its ends take the caller's.
        let mut names: HashMap<&str, String> = HashMap::from([("", String::new())]);
        for (inner, outer) in
            function.input.iter().zip(call.input.iter().map(String::as_str).chain(std::iter::repeat("")))
        {
            names.insert(inner, outer.to_owned());
        }
        for (inner, outer) in function.output.iter().zip(&call.output) {
            names.insert(inner, outer.clone());
        }
        let renamed = |inner: &str| names.get(inner).cloned().unwrap_or_else(|| format!("{inner}/{calls}"));
        let mut body = Vec::with_capacity(function.node.len());
        for inner in &function.node {
            let mut node = inner.clone();
            bodies::rename(&mut node, &renamed);
            if !inner.name.is_empty() {
                node.name = format!("{name}/{}", inner.name);
            }
            bind(&mut node, &call, &function.attribute_proto);
            body.push((node, depth + 1));
        }
        pending.extend(body.into_iter().rev());
    }
    Ok(written)
}

/// Gives the attributes that a function's node takes from its call their values, or the function's own.
fn bind(node: &mut NodeProto, call: &NodeProto, defaults: &[AttributeProto]) {
    node.attribute.retain_mut(|attribute| {
        if attribute.ref_attr_name.is_empty() {
            return true;
        }
        match call.attribute.iter().chain(defaults).find(|given| given.name == attribute.ref_attr_name) {
            Some(given) => {
                let own = attribute.name.clone();
                *attribute = given.clone();
                attribute.name = own;
                true
            }
            None => false,
        }
    });
    for graph in bodies::graphs_of(node) {
        graph.node.iter_mut().for_each(|node| bind(node, call, defaults));
    }
}
