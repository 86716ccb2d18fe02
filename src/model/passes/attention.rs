//! Attention, found by what a graph computes.
//!
//! Attention (Vaswani et al. 2017, equation 1) is `softmax(Q K^T) V`: probabilities over keys, made of the product of what is
//! computed for queries and for keys, that weigh what is computed for the same keys. Exporters write it in many ways: with the
//! scale on either side, masks added or selected, a test for rows without any key, the softmax as one operator or as a quotient
//! of exponentials. What is looked for here are the products alone, through whatever only scales, masks or reshapes between
//! them.

use std::collections::HashMap;

use super::final_activation::{Axes, Search};
use crate::model::{
    backward::Site,
    graph::{Graph, Slot, Step},
    operators::{Form, Kind, Lowering},
};

/// Attention in a graph.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::model) struct Attention {
    /// The step that makes the probabilities, and where they lie.
    pub softmax: usize,
    pub probabilities: Slot,
    /// The step that weighs the values by them.
    pub product: usize,
    /// The value that queries, keys and values are all computed from, where there is one: the block's first normalisation, or
    /// the tokens themselves.
    pub reads: Option<Slot>,
    pub heads: usize,
    pub queries: usize,
    pub keys: usize,
    /// Whether it looks at all tokens of a sample together: not at windows of them, each by itself.
    pub whole: bool,
}

/// The attention on the way from the explained value to the scores, in its order. `shapes` are those of a batch of `rows`.
pub(in crate::model) fn attention(
    graph: &Graph,
    way: &[Option<Site>],
    shapes: &HashMap<Slot, Vec<usize>>,
    rows: usize,
) -> Vec<Attention> {
    let search = Finder { search: Search::new(graph), graph, way, shapes, rows, readers: readers(graph) };
    (0..graph.steps.len()).filter_map(|index| search.at(index)).collect()
}

fn readers(graph: &Graph) -> HashMap<Slot, Vec<usize>> {
    let mut readers: HashMap<Slot, Vec<usize>> = HashMap::new();
    for (index, step) in graph.steps.iter().enumerate() {
        step.inputs.iter().flatten().for_each(|&slot| readers.entry(slot).or_default().push(index));
    }
    readers
}

struct Finder<'g> {
    search: Search<'g>,
    graph: &'g Graph,
    way: &'g [Option<Site>],
    shapes: &'g HashMap<Slot, Vec<usize>>,
    rows: usize,
    readers: HashMap<Slot, Vec<usize>>,
}

/// Steps between a product and a softmax, or a softmax and a product, at most.
const FAR: usize = 24;

impl Finder<'_> {
    /// The attention whose probabilities a step makes.
    fn at(&self, softmax: usize) -> Option<Attention> {
        self.way[softmax].as_ref()?;
        let (scores, axes) = self.search.softmax(softmax)?;
        let probabilities = self.graph.steps[softmax].outputs.first().copied().flatten()?;
        let dims = self.shapes.get(&probabilities)?;
        let rank = dims.len();
        // Over the last axis alone: the keys'.
        let last = match axes {
            Axes::From(axis) => axis,
            Axes::Each(axes) => *axes.first().filter(|_| axes.len() == 1)?,
        };
        if rank < 2 || ![-1, rank as i64 - 1].contains(&last) {
            return None;
        }
        let (queries, keys) = (dims[rank - 2], dims[rank - 1]);
        let product = self.weighs(probabilities, keys, FAR)?;
        let compares = self.compares(scores, FAR)?;
        // One axis of heads; an axis before it is that of the samples, or of windows too.
        let (outer, heads) = match dims[..rank - 2] {
            [] => (self.rows, 1),
            // Samples and heads in one axis.
            [joined] if joined % self.rows == 0 => (self.rows, joined / self.rows),
            [ref outer @ .., heads] => (outer.iter().product(), heads),
        };
        let reads = self.common(product, probabilities, compares);
        let whole = outer == self.rows;
        Some(Attention { softmax, probabilities, product, reads, heads, queries, keys, whole })
    }

    fn follows(&self, index: usize, place: usize) -> bool {
        self.way[index].as_ref().is_some_and(|site| matches!(site.computed.get(place), Some(Some(_))))
    }

    /// The product in which probabilities weigh values that follow from the explained one too.
    fn weighs(&self, slot: Slot, keys: usize, far: usize) -> Option<usize> {
        let far = far.checked_sub(1)?;
        for &index in self.readers.get(&slot).map(Vec::as_slice).unwrap_or_default() {
            let step = &self.graph.steps[index];
            let Some(place) = step.inputs.iter().position(|&input| input == Some(slot)) else { continue };
            if self.way[index].is_none() {
                continue;
            }
            match step.operator.properties.kind {
                Kind::Matmul if place == 0 && self.follows(index, 1) => return Some(index),
                Kind::Einsum if step.inputs.len() == 2 && self.follows(index, 1 - place) => {
                    return Some(index);
                }
                // As they are, in another shape with the same last axis, or 0 where no key may be looked at.
                Kind::Reshape | Kind::Other if self.passes(step, place) => {
                    let after = step.outputs.first().copied().flatten()?;
                    let same = self.shapes.get(&after).and_then(|dims| dims.last()) == Some(&keys);
                    if let Some(found) = same.then(|| self.weighs(after, keys, far)).flatten() {
                        return Some(found);
                    }
                }
                _ => {}
            }
        }
        None
    }

    /// Whether a step hands on what it reads at `place`.
    fn passes(&self, step: &Step, place: usize) -> bool {
        let properties = &step.operator.properties;
        match (properties.kind, properties.form) {
            (Kind::Reshape, _) => place == 0,
            (_, Some(Form::Where)) => place > 0,
            _ => false,
        }
    }

    /// The product of queries and keys of which a softmax's scores are made.
    fn compares(&self, slot: Slot, far: usize) -> Option<usize> {
        let far = far.checked_sub(1)?;
        let (index, step) = self.search.maker(slot)?;
        self.way[index].as_ref()?;
        let properties = &step.operator.properties;
        let followers = || (0..step.inputs.len()).filter(|&place| self.follows(index, place));
        match (properties.kind, properties.form) {
            // A query that is learned compares with keys all the same, its weights being no matrix of features.
            (Kind::Matmul | Kind::Einsum, _) if self.follows(index, 0) || self.follows(index, 1) => {
                let is_projection = followers().count() < 2 && followers().next() == Some(0);
                (!is_projection || self.is_of_heads(step)).then_some(index)
            }
            (Kind::Sum | Kind::Difference | Kind::Product | Kind::Quotient, _)
            | (Kind::Reshape | Kind::Activation, _)
            | (_, Some(Form::Where)) => {
                let before: Vec<Slot> = followers().filter_map(|place| step.inputs[place]).collect();
                before.into_iter().find_map(|slot| self.compares(slot, far))
            }
            _ => None,
        }
    }

    /// Whether the constant factor of a product has an axis before its matrices: learned queries of several heads.
    fn is_of_heads(&self, step: &Step) -> bool {
        let constant = |slot: &Slot| self.graph.constant(*slot).map(|value| value.rank());
        step.inputs.iter().flatten().filter_map(constant).any(|rank| rank > 2)
    }

    /// The last value that queries, keys and values are all computed from.
    fn common(&self, product: usize, probabilities: Slot, compares: usize) -> Option<Slot> {
        let factors = |index: usize| {
            let step = &self.graph.steps[index];
            (0..step.inputs.len())
                .filter(move |&place| self.follows(index, place))
                .filter_map(|place| step.inputs[place])
                .collect::<Vec<Slot>>()
        };
        // The values are what is weighed: not what follows from the probabilities.
        let behind = |slot: Slot| self.before(slot).contains_key(&probabilities);
        let starts: Vec<Slot> = factors(product)
            .into_iter()
            .filter(|&slot| slot != probabilities && !behind(slot))
            .chain(factors(compares))
            .collect();
        let mut sets = starts.iter().map(|&slot| self.before(slot));
        let first = sets.next()?;
        let others: Vec<HashMap<Slot, usize>> = sets.collect();
        let shared = first.into_iter().filter(|(slot, _)| others.iter().all(|set| set.contains_key(slot)));
        shared.max_by_key(|&(_, index)| index).map(|(slot, _)| slot)
    }

    /// What a value is computed from by the nodes on the way, with itself; each with the step that makes it.
    fn before(&self, slot: Slot) -> HashMap<Slot, usize> {
        let mut found = HashMap::new();
        let mut open = vec![slot];
        while let Some(slot) = open.pop() {
            let maker = self.search.maker(slot);
            // The explained value is made by none.
            if found.insert(slot, maker.map_or(0, |(index, _)| index + 1)).is_some() {
                continue;
            }
            if let Some((index, step)) = maker {
                // What moves values moves those of its first input, unless it joins several.
                let joins = matches!(step.operator.lowering, Some(Lowering::Concat { .. }));
                let moves = step.operator.properties.kind == Kind::Move && !joins;
                let places = if moves { 1 } else { step.inputs.len() };
                let inputs = (0..places).filter(|&place| self.follows(index, place));
                open.extend(inputs.filter_map(|place| step.inputs[place]));
            }
        }
        found
    }
}
