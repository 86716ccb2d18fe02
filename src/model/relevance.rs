//! What the rules of AttnLRP make of each node: found in the graph, since files write normalisations, activations and softmaxes in
//! many nodes each.
//!
//! A rule is told as what it does to a gradient: relevance is the value times what is handed back (LRP epsilon with a vanishing
//! epsilon is the gradient times the input at whatever is linear).

use std::collections::{HashMap, HashSet};

use burn::tensor::Float;

use super::{
    Model, backward,
    backward::Site,
    graph::{Graph, Slot, Step},
    operators::{Form, Kind},
    passes::Search,
    value::{Ranked, Value},
};

/// What a node hands back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Share {
    /// Its gradient: what is linear, and a softmax.
    Gradient,
    /// Its gradient with the deviation held: a normalisation in one node.
    Held,
    /// The output over the input, of a function of one number.
    Unchanged,
    /// Half of its gradient to either factor.
    Halves,
    /// Its gradient at one input, and nothing to the others: the signal beside what normalises or gates it.
    Only(usize),
}

impl Model {
    /// The share of each node on the way, by the slot of its first output.
    ///
    /// # Errors
    /// The end of a sentence for a node that no rule is known for.
    pub(crate) fn shares(&self) -> Result<HashMap<usize, Share>, String> {
        let way = backward::way(&self.graph, self.source, self.output);
        let rules = Rules::new(&self.graph, &way);
        let mut shares = HashMap::new();
        // What a share leaves out is never asked.
        let mut asked: HashSet<Slot> = HashSet::from([self.output]);
        for (index, step) in self.graph.steps.iter().enumerate().rev() {
            let (Some(site), Some(&Some(slot))) = (&way[index], step.outputs.first()) else { continue };
            if !step.outputs.iter().flatten().any(|slot| asked.contains(slot)) {
                continue;
            }
            let Some(share) = rules.share(index, step, site) else {
                return Err(format!("it has no rule for node \"{}\" ({})", site.name, site.op_type));
            };
            let reached = site.followers().into_iter().filter(|&place| match share {
                Share::Only(only) => only == place,
                _ => true,
            });
            asked.extend(reached.filter_map(|place| step.inputs[place]));
            shares.insert(slot, share);
        }
        Ok(shares)
    }
}

struct Rules<'g> {
    graph: &'g Graph,
    way: &'g [Option<Site>],
    search: Search<'g>,
    /// The steps of softmaxes that are written out.
    written: HashSet<usize>,
}

/// Steps that a search goes back, at most.
const FAR: usize = 32;

impl<'g> Rules<'g> {
    fn new(graph: &'g Graph, way: &'g [Option<Site>]) -> Self {
        let search = Search::new(graph);
        let mut written = HashSet::new();
        for index in 0..graph.steps.len() {
            if graph.steps[index].operator.properties.kind == Kind::Softmax {
                continue;
            }
            let Some((logits, _)) = search.softmax(index) else { continue };
            let mut open = vec![index];
            while let Some(index) = open.pop() {
                written.insert(index);
                let inputs = graph.steps[index].inputs.iter().flatten().filter(|slot| **slot != logits);
                open.extend(inputs.filter_map(|slot| Some(search.maker(*slot)?.0)));
            }
        }
        Self { graph, way, search, written }
    }

    fn follows(&self, index: usize, place: usize) -> bool {
        self.way[index].as_ref().is_some_and(|site| matches!(site.computed.get(place), Some(Some(_))))
    }

    fn share(&self, index: usize, step: &Step, site: &Site) -> Option<Share> {
        let followers = site.followers();
        if self.written.contains(&index) {
            return Some(Share::Gradient);
        }
        if step.operator.is_held() {
            return Some(Share::Held);
        }
        let properties = &step.operator.properties;
        Some(match (properties.kind, followers.as_slice()) {
            (Kind::Matmul | Kind::Einsum, &[_, _]) if followers == [0, 1] => Share::Halves,
            (Kind::Matmul | Kind::Einsum | Kind::Convolution, [_]) => Share::Gradient,
            (
                Kind::Sum
                | Kind::Difference
                | Kind::Mean
                | Kind::Reshape
                | Kind::Move
                | Kind::Average
                | Kind::AxisSum
                | Kind::Linear
                | Kind::BatchNormalization
                | Kind::Maximum
                | Kind::Softmax,
                _,
            ) => Share::Gradient,
            (Kind::Other, _) if properties.form == Some(Form::Where) => Share::Gradient,
            (Kind::Activation | Kind::Function, [0]) if self.is_zero_at_zero(step) => Share::Unchanged,
            (Kind::Product, [_]) | (Kind::Quotient, [0]) => Share::Gradient,
            (Kind::Product, &[a, b]) => {
                let (Some(at_a), Some(at_b)) = (step.inputs[a], step.inputs[b]) else { return None };
                if self.normalises(at_b, false, FAR) || self.is_gate(at_b, at_a) {
                    Share::Only(a)
                } else if self.normalises(at_a, false, FAR) || self.is_gate(at_a, at_b) {
                    Share::Only(b)
                } else {
                    Share::Halves
                }
            }
            (Kind::Quotient, &[0, 1]) if self.normalises(step.inputs[1]?, true, FAR) => Share::Only(0),
            _ => return None,
        })
    }

    /// Whether a function of one number is 0 at 0: relevance that passes it unchanged is otherwise made out of nothing.
    fn is_zero_at_zero(&self, step: &Step) -> bool {
        let zero = || {
            let data = burn::tensor::TensorData::new(vec![0.0f32], vec![1]);
            Ranked::<Float>::from_data(data, &self.graph.device)
        };
        let input = |(place, slot): (usize, &Option<Slot>)| match place {
            0 => zero().map(Value::from),
            _ => slot.and_then(|slot| self.graph.constant(slot).cloned()),
        };
        let inputs: Vec<Option<Value>> = step.inputs.iter().enumerate().map(input).collect();
        let Ok(mut found) = self.graph.apply(step, &inputs) else { return false };
        match found.pop() {
            Some(Value::Float(value)) if value.device() == burn::tensor::Device::flex() => {
                let values: Result<Vec<f32>, _> = value.flat().into_data().try_into_vec();
                values.is_ok_and(|values| values.iter().all(|value| value.abs() < 1e-6))
            }
            // What a GPU has computed is not waited for: activations are 0 there but for those that gate.
            Some(Value::Float(_)) => {
                !step.operator.properties.gates && step.operator.properties.kind == Kind::Activation
            }
            _ => false,
        }
    }

    /// Whether a value is the deviation of others, or one over it: a mean of squares, its root, its inverse. `shaped` says
    /// whether a root or an inverse has been met.
    fn normalises(&self, slot: Slot, shaped: bool, far: usize) -> bool {
        let (Some(far), Some((index, step))) = (far.checked_sub(1), self.search.maker(slot)) else {
            return false;
        };
        let properties = &step.operator.properties;
        let followers: Vec<usize> =
            (0..step.inputs.len()).filter(|&place| self.follows(index, place)).collect();
        let on = |place: usize, shaped: bool| {
            step.inputs[place].is_some_and(|slot| self.normalises(slot, shaped, far))
        };
        match (properties.kind, followers.as_slice()) {
            (Kind::Average | Kind::AxisSum, [0]) => shaped,
            // A norm.
            (Kind::Other, [0]) if self.graph.reduced_axes(step).is_some() => true,
            (Kind::Function, &[place]) => on(place, true),
            (Kind::Quotient, [1]) => on(1, true),
            (Kind::Sum | Kind::Difference | Kind::Product | Kind::Activation | Kind::Reshape, &[place]) => {
                on(place, shaped)
            }
            (Kind::Quotient, [0]) => on(0, shaped),
            (Kind::Move, &[place]) if properties.form == Some(Form::Expand) => on(place, shaped),
            // The root of a variance that another mean is taken off.
            _ => false,
        }
    }

    /// Whether `gate` is computed, value by value, of the same number as `signal`, which is that number itself or a multiple.
    fn is_gate(&self, gate: Slot, signal: Slot) -> bool {
        let mut root = signal;
        for _ in 0..FAR {
            if self.is_function_of(gate, root, FAR) {
                return true;
            }
            let Some((index, step)) = self.search.maker(root) else { return false };
            let followers: Vec<usize> =
                (0..step.inputs.len()).filter(|&place| self.follows(index, place)).collect();
            let scales = matches!(
                (step.operator.properties.kind, followers.as_slice()),
                (Kind::Product, [_]) | (Kind::Quotient, [0])
            );
            match followers.first().and_then(|&place| step.inputs[place]) {
                Some(before) if scales => root = before,
                _ => return false,
            }
        }
        false
    }

    fn is_function_of(&self, slot: Slot, root: Slot, far: usize) -> bool {
        if slot == root {
            return true;
        }
        let (Some(far), Some((index, step))) = (far.checked_sub(1), self.search.maker(slot)) else {
            return false;
        };
        let properties = &step.operator.properties;
        let pointwise = properties.keeps_places() && properties.kind != Kind::BatchNormalization
            || properties.form == Some(Form::Where);
        let mut followers = (0..step.inputs.len()).filter(|&place| self.follows(index, place)).peekable();
        pointwise
            && followers.peek().is_some()
            && followers
                .all(|place| step.inputs[place].is_some_and(|slot| self.is_function_of(slot, root, far)))
    }
}

/// The output over the input of a function of one number, and 1 where both are 0.
pub(crate) fn ratio(input: Ranked<Float>, output: Ranked<Float>) -> Ranked<Float> {
    // As small as not to count beside any activation.
    const STEADY: f32 = 1e-10;
    let sign = input.clone().greater_equal_elem(0.0).float() * 2.0 - 1.0;
    output / (input + sign * STEADY)
}
