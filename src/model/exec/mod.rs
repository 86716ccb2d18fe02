//! The executor: one loop forward over the nodes of a graph, and one walk back.
//!
//! A [`Program`] is a graph lowered for a device: each node to a kernel of the engine's own, or to Burn. There are two sets of
//! kernels, each an [`Operation`]: the processor's and the GPU's.
//!
//! - [`forward`] runs a program. What it keeps besides the values that are asked for, on a [`Tape`], is for the walk back:
//!   nothing, what gradients need, or every value for rules. It also passes shapes alone, to rehearse.
//! - [`walk`] goes back, by the vector-Jacobian products of the nodes or by rules of one's own ([`super::backward`]).

#![cfg_attr(
    not(feature = "webgpu"),
    allow(dead_code, unused_imports, reason = "some parts are the GPU's alone")
)]

mod forward;
mod lowering;
mod tape;
mod walk;

use std::collections::HashMap;

use burn::tensor::Float;

pub(in crate::model) use forward::{Keep, Passed};
pub(crate) use lowering::joined_dims;
pub(in crate::model) use lowering::{Bias, Node, placed, placed_average};
pub(in crate::model) use tape::{Held, Tape};
pub(in crate::model) use walk::Rules;

use super::{
    cpu,
    graph::{Graph, Step},
    operators::Lowering,
    passes,
    value::Ranked,
};
use crate::Result;

/// Real numbers where a set of kernels has them.
pub(in crate::model) trait Array: Clone {
    /// The numbers of a tensor, or the tensor where they cannot be had. Nothing is copied where no one else holds it.
    #[allow(clippy::result_large_err, reason = "what is handed back is what came")]
    fn of(value: Ranked<Float>) -> std::result::Result<Self, Ranked<Float>>;

    /// As a tensor.
    fn into_ranked(self) -> Option<Ranked<Float>>;

    /// The sizes of all dimensions.
    fn dims(&self) -> Vec<usize>;
}

/// A node whose constants are laid out for a set of kernels.
pub(in crate::model) trait Operation: Sized {
    /// What the kernels work on.
    type Array: Array;
    /// Memory that values leave for the next ones.
    type Pool: Default;

    /// The operation of a node, or nothing where the kernels do not know it.
    fn of(node: Node, device: &burn::tensor::Device) -> Option<Self>;

    /// Whether bounds can be applied by this node itself.
    fn takes_bounds(&self) -> bool;

    /// Whether a graph with this node gains by the kernels.
    fn gains(node: &Node) -> bool;

    /// Whether the node is run here; the others are run by Burn and only differentiated here.
    fn runs(&self) -> bool;

    /// Whether the walk back finishes what it hands to the inputs ([`Finish`]).
    fn finishes(&self) -> bool;

    /// The output of the inputs, or nothing where their shapes are not for these kernels. `bounds` are those of the
    /// node after it. An input that no one else holds may be used up.
    fn forward(
        &self,
        inputs: &mut Vec<Self::Array>,
        bounds: Option<(f32, f32)>,
        pool: &Self::Pool,
    ) -> Option<Self::Array>;

    /// The shape of the output of inputs of these shapes, or nothing where it is found by running the node.
    fn shape(&self, _inputs: &[Vec<usize>]) -> Option<Vec<usize>> {
        None
    }

    /// What the inputs of the shapes `dims` get of the output's gradient. `kept` is the input of a maximum, and the output of
    /// a node that keeps its input between bounds.
    fn backward(
        &self,
        kept: Option<&Self::Array>,
        dims: &[Vec<usize>],
        gradient: Held<Self::Array>,
        finish: &[Finish<Self::Array>],
        pool: &Self::Pool,
    ) -> Result<Vec<Held<Self::Array>>>;

    /// The sum of two arrays of one shape.
    fn sum(before: Self::Array, arrived: Self::Array, pool: &Self::Pool) -> Self::Array;

    /// Tells that a run begins.
    fn begin(_pool: &Self::Pool) {}

    /// Takes back what no one else holds.
    fn give(_numbers: Self::Array, _pool: &Self::Pool) {}
}

/// What is done to a gradient as it is written.
#[derive(Clone)]
pub(crate) struct Finish<A> {
    /// What other readers of the value have handed back already, which adds up.
    pub plus: Option<A>,
    /// The value, where it was bounded: the gradient passes where it lies between the bounds.
    pub between: Option<(A, (f32, f32))>,
}

impl<A> Default for Finish<A> {
    fn default() -> Self {
        Self { plus: None, between: None }
    }
}

/// A node that a set of kernels knows, with what holds of it whatever the kernels are.
struct Known<O> {
    operation: O,
    /// The bounds of a rectifier or a clip.
    bounds: Option<(f32, f32)>,
    /// Whether all inputs are computed; else the first alone is.
    joins: bool,
    /// Whether the walk back needs the input.
    keeps_input: bool,
    /// Which of the step's outputs it gives.
    output: usize,
    /// Whether the output is the input in another shape, which costs nothing by Burn either.
    reshapes: bool,
}

impl<O: Operation> Known<O> {
    fn of(node: Node, device: &burn::tensor::Device) -> Option<Self> {
        let (bounds, joins, keeps_input, output) =
            (node.bounds, node.joins(), node.keeps_input(), node.output);
        let reshapes = matches!(node.operator, Lowering::Reshape);
        Some(Self { operation: O::of(node, device)?, bounds, joins, keeps_input, output, reshapes })
    }
}

/// A graph's nodes, lowered for a device.
pub(in crate::model) struct Program<O: Operation> {
    /// A place for every step, or none at all where Burn runs them all.
    nodes: Vec<Option<Known<O>>>,
    /// The step that bounds the output of a step that can do so itself, by that step.
    fused: HashMap<usize, usize>,
    pool: O::Pool,
}

/// A program of no kernels of the engine's own, for graphs on any device.
pub(in crate::model) type ByBurn = Program<cpu::Operation>;

impl<O: Operation> Program<O> {
    /// A program for any graph on any device, every node of which Burn runs.
    pub fn by_burn() -> Self {
        Self { nodes: Vec::new(), fused: HashMap::new(), pool: O::Pool::default() }
    }

    /// Lowers the nodes of a graph. Where the kernels gain nothing, Burn runs them all.
    pub fn new(graph: &Graph) -> Self {
        // A network of many products that only Burn can run (Swin-T's attention) takes 2.5 times as long where the others are run
        // by kernels, each of which ends a stretch.
        let leaves_out = |known: &mut dyn Iterator<Item = bool>| {
            let heavy = |step: &Step| step.operator.properties.is_heavy();
            graph.steps.iter().zip(known).any(|(step, is_known)| !is_known && heavy(step))
        };
        let lowered: Vec<Option<Node>> = graph.steps.iter().map(|step| Node::of(graph, step)).collect();
        if leaves_out(&mut lowered.iter().map(Option::is_some)) || !lowered.iter().flatten().any(O::gains) {
            return Self::by_burn();
        }
        let known = |node: Option<Node>| Known::of(node?, &graph.device);
        let nodes: Vec<Option<Known<O>>> = lowered.into_iter().map(known).collect();
        if leaves_out(&mut nodes.iter().map(Option::is_some)) {
            return Self::by_burn();
        }
        let takes_bounds =
            |step: usize| nodes[step].as_ref().is_some_and(|node: &Known<O>| node.operation.takes_bounds());
        let is_bound = |step: usize| nodes[step].as_ref().is_some_and(|node| node.bounds.is_some());
        let fused = passes::fuse_bounds(graph, takes_bounds, is_bound);
        Self { nodes, fused, pool: O::Pool::default() }
    }

    /// Whether any node is run by a kernel of the engine's own.
    pub fn has_kernels(&self) -> bool {
        !self.nodes.is_empty()
    }

    fn node(&self, step: usize) -> Option<&Known<O>> {
        self.nodes.get(step)?.as_ref()
    }

    /// The bounds of a step that is a rectifier or a clip.
    fn bounds(&self, step: usize) -> Option<(f32, f32)> {
        self.node(step)?.bounds
    }

    /// Takes back the memory of what a pass has kept.
    pub fn take_back(&self, tape: &mut Tape<O::Array>) {
        for kept in tape.drain() {
            O::give(kept, &self.pool);
        }
    }
}
