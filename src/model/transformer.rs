//! Transformers: their blocks of attention with the tokens that these look at, and what passes through the network leave at the
//! probabilities.

use std::{cell::RefCell, collections::HashMap};

use burn::tensor::{Float, Tensor};

use super::{
    Model, Seed,
    axes::{Axes, Shapes},
    backward::{self, Site, Visit},
    exec::{ByBurn, Keep},
    graph::{self, Graph, Slot},
    layers,
    passes::Attention,
    value::{Ranked, Value},
};
use crate::{Error, Result};

/// Where the tokens that attention looks at come from: the axes of the explained value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TokenAxis {
    /// Tokens before and after those of the input: class tokens, registers.
    pub before: usize,
    pub after: usize,
    /// The axes of the explained value that they are made of, the outermost first, with how many tokens there are along each.
    pub parts: Vec<(usize, usize)>,
}

impl TokenAxis {
    /// All tokens.
    pub fn count(&self) -> usize {
        self.before + self.after + self.parts.iter().map(|(_, size)| size).product::<usize>()
    }
}

/// A network whose attention looks at the same tokens in every block.
#[derive(Debug, Clone)]
pub(crate) struct Transformer {
    blocks: Vec<Attention>,
    /// The attention of one query that gathers the tokens behind the blocks, where there is one.
    pool: Option<Attention>,
    /// What the tokens are.
    pub tokens: TokenAxis,
    /// What each block leaves, or why that is not known, as the end of a sentence.
    ends: std::result::Result<Vec<Slot>, String>,
}

impl Transformer {
    /// Finds the blocks; where something lacks, what, as the end of a sentence.
    pub(super) fn find(
        graph: &Graph,
        axes: &Axes<'_>,
        way: &[Option<Site>],
        (source, output): (Slot, Slot),
        shapes: &Shapes,
        found: Vec<Attention>,
    ) -> std::result::Result<Self, String> {
        let name = |one: &Attention| &graph.steps[one.softmax].names[0];
        if found.is_empty() {
            return Err(
                "this network has no attention: nowhere does the softmax of a product of two values weigh a \
                        third"
                    .into(),
            );
        }
        if let Some(one) = found.iter().find(|one| !one.whole) {
            return Err(format!(
                "this network has no attention that looks at all tokens: that of \"{}\" looks at windows of them, each by \
                 itself",
                name(one)
            ));
        }
        let (blocks, others): (Vec<Attention>, Vec<Attention>) =
            found.into_iter().partition(|one| one.queries == one.keys && one.keys > 1);
        let Some(first) = blocks.first() else {
            return Err("this network has no attention of tokens to themselves".into());
        };
        if let Some(other) = blocks.iter().find(|other| other.keys != first.keys) {
            return Err(format!(
                "this network has no attention that looks at the same tokens in every block: \"{}\" looks at {}, \"{}\" at \
                 {}",
                name(first),
                first.keys,
                name(other),
                other.keys
            ));
        }
        let last = blocks.last().map_or(0, |block| block.softmax);
        let pool = match others.as_slice() {
            [] => None,
            [one] if one.queries == 1 && one.keys == first.keys && one.softmax > last => Some(one.clone()),
            [one, ..] => {
                return Err(format!(
                    "this network has no attention of tokens to themselves alone: that of \"{}\" has {} queries of other \
                     tokens than its {} keys",
                    name(one),
                    one.queries,
                    one.keys
                ));
            }
        };
        let unknown = |one: &Attention| {
            format!(
                "this network has no attention whose tokens are seen to be of the input: those of \"{}\" come out of nodes \
                 that mix their places",
                name(one)
            )
        };
        let tokens = axes.tokens(first.probabilities).ok_or_else(|| unknown(first))?;
        if tokens.count() != first.keys {
            return Err(unknown(first));
        }
        if let Some(other) =
            blocks.iter().chain(&pool).find(|one| axes.tokens(one.probabilities).as_ref() != Some(&tokens))
        {
            return Err(unknown(other));
        }
        let ends = ends(graph, &blocks, &layers::on_every_path(graph, way, source, output), shapes);
        Ok(Self { blocks, pool, tokens, ends })
    }

    /// Every attention, the blocks' first.
    fn all(&self) -> impl Iterator<Item = &Attention> {
        self.blocks.iter().chain(&self.pool)
    }
}

/// What each block leaves for the next: the last value before the next block's attention that every path to the scores passes.
/// What the last block leaves lies as many such values behind its attention as with those before it; what follows is the head.
fn ends(
    graph: &Graph,
    blocks: &[Attention],
    shared: &[bool],
    shapes: &Shapes,
) -> std::result::Result<Vec<Slot>, String> {
    let passed = |from: usize, to: usize| (from..to).filter(|&index| shared[index]).collect::<Vec<usize>>();
    let made = |index: usize| graph.steps[index].outputs.first().copied().flatten();
    let unknown = || "where each of its blocks ends is not to be seen: they are not built alike".to_owned();
    let mut found = Vec::with_capacity(blocks.len());
    let mut count = None;
    for pair in blocks.windows(2) {
        let between = passed(pair[0].softmax, pair[1].softmax);
        let last = *between.last().ok_or_else(unknown)?;
        if count.is_some_and(|count| count != between.len()) {
            return Err(unknown());
        }
        count = Some(between.len());
        found.push(made(last).ok_or_else(unknown)?);
    }
    let Some(count) = count else {
        return Err(
            "it has one block alone, and where that ends and the head begins is not to be seen".into()
        );
    };
    let behind = passed(blocks[blocks.len() - 1].softmax, graph.steps.len());
    found.push(behind.get(count - 1).and_then(|&index| made(index)).ok_or_else(unknown)?);
    let shape = |slot: &Slot| shapes.get(slot);
    let alike = found.windows(2).all(|pair| shape(&pair[0]).is_some() && shape(&pair[0]) == shape(&pair[1]));
    if alike { Ok(found) } else { Err(unknown()) }
}

/// Attention's probabilities and the gradient of the score with respect to them, `[heads, queries, keys]`.
#[derive(Clone)]
pub(crate) struct Weighing {
    pub probabilities: Tensor<3>,
    pub gradient: Tensor<3>,
}

/// The attention of one pass.
pub(crate) struct Attended {
    /// The blocks', from the input to the scores.
    pub blocks: Vec<Weighing>,
    /// That of the one query behind them, where there is one.
    pub pool: Option<Weighing>,
}

impl Model {
    /// The blocks of a transformer; where there are none, why, as the end of a sentence.
    pub(crate) fn transformer(&self) -> std::result::Result<&Transformer, &str> {
        self.transformer.as_ref().as_ref().map_err(String::as_str)
    }

    /// Why the blocks of a transformer cannot be told apart, as the end of a sentence.
    pub(crate) fn without_blocks(&self) -> Option<&str> {
        match self.transformer() {
            Ok(transformer) => transformer.ends.as_ref().err().map(String::as_str),
            Err(reason) => Some(reason),
        }
    }

    fn known_transformer(&self) -> Result<&Transformer> {
        self.transformer().map_err(|reason| Error::invalid_model(reason.to_owned()))
    }

    /// The probabilities of all attention and the gradients of the logit of `target` with respect to them, of one sample in one
    /// pass forward and one back.
    ///
    /// # Errors
    /// [`Error::ModelInvalid`] where there is no [`Model::transformer`], those of [`Model::walk`].
    pub(crate) fn attended(&self, input: Ranked<Float>, target: usize) -> Result<Attended> {
        let transformer = self.known_transformer()?;
        let all: Vec<&Attention> = transformer.all().collect();
        let found: RefCell<Vec<Option<Weighing>>> = RefCell::new(vec![None; all.len()]);
        let watch = |visit: &Visit<'_>| {
            if let Some(at) = all.iter().position(|one| visit.makes(one.probabilities)) {
                let heads = |value: Ranked<Float>| all[at].heads_of(value);
                let (probabilities, gradient) = (heads(visit.here.output()?)?, heads(visit.gradient()?)?);
                found.borrow_mut()[at] = Some(Weighing { probabilities, gradient });
            }
            Ok(None)
        };
        self.walk(input, None, &[target], Seed::One, &watch)?;
        let found: Option<Vec<Weighing>> = found.into_inner().into_iter().collect();
        let mut blocks = found.ok_or_else(|| Error::Internal("no gradient reached an attention".into()))?;
        let pool = transformer.pool.as_ref().and_then(|_| blocks.pop());
        Ok(Attended { blocks, pool })
    }

    /// For each block the gradient of its own score with respect to its own attention, `[heads, queries, keys]`: the score of
    /// `target` that the network's head gives to what this block leaves. Where one query gathers the tokens behind the blocks,
    /// its attention stands for the block's. One pass forward; what follows from a block is computed again.
    ///
    /// # Errors
    /// [`Error::ModelInvalid`] where there is no [`Model::transformer`] or its blocks are not told apart.
    pub(crate) fn attended_by_block(&self, input: Ranked<Float>, target: usize) -> Result<Vec<Tensor<3>>> {
        self.check_shape(&input.dims())?;
        let transformer = self.known_transformer()?;
        let ends = transformer.ends.as_ref().map_err(|reason| Error::invalid_model(reason.clone()))?;
        let last = ends[ends.len() - 1];
        let way = backward::way(&self.graph, self.source, self.output);
        let input = self.filled_up(input);
        let rows = input.dims()[0];
        let given = self.given(input)?;
        let passed = ByBurn::by_burn().forward(&self.graph, given, &[self.output], Keep::Values(&way))?;
        let again = Again { graph: &self.graph, values: passed.tape.values() };
        let mut found = Vec::with_capacity(ends.len());
        for (block, &end) in transformer.blocks.iter().zip(ends) {
            let (watched, leaf, score) = match &transformer.pool {
                None => {
                    let leaf = graph::leaf(again.real(block.probabilities)?);
                    let left = again.until(block.probabilities, leaf.clone(), end, None)?;
                    let (_, score) = again.scores(last, left, self.output, None)?;
                    (block, leaf, score)
                }
                Some(pool) => {
                    let watched = Some(pool.probabilities);
                    let (leaf, score) = again.scores(last, again.real(end)?, self.output, watched)?;
                    (pool, leaf.ok_or_else(|| Error::Internal("an attention was lost".into()))?, score)
                }
            };
            let seed =
                self.as_output(self.one_hot(&vec![target; rows], rows)?, &score.clone().into(), rows)?;
            let gradient =
                backward::pulled_back(std::iter::once((score, Some(seed))), vec![Some(leaf)]).pop();
            let gradient = gradient.flatten().ok_or_else(|| {
                Error::invalid_model("the scores of a block do not depend on its own attention")
            })?;
            found.push(watched.heads_of(gradient)?);
        }
        Ok(found)
    }
}

impl Attention {
    /// The first sample's heads, `[heads, queries, keys]`.
    fn heads_of(&self, value: Ranked<Float>) -> Result<Tensor<3>> {
        let lost = || Error::Internal("attention has another shape than before".into());
        let each = self.queries * self.keys;
        let count = value.len() / each.max(1);
        let all = value.reshape(&[count, self.queries, self.keys]).and_then(|all| all.get::<3>());
        Ok(all.ok_or_else(lost)?.slice_dim(0, 0..self.heads as i64))
    }
}

/// A pass of which parts are computed again with other values.
struct Again<'a> {
    graph: &'a Graph,
    values: &'a [Option<Value>],
}

impl Again<'_> {
    fn real(&self, slot: Slot) -> Result<Ranked<Float>> {
        match &self.values[slot] {
            Some(Value::Float(value)) => Ok(value.clone()),
            _ => Err(Error::Internal("a value of the pass was not kept".into())),
        }
    }

    /// The value at `end` where another one stands at `start`.
    fn until(
        &self,
        start: Slot,
        value: Ranked<Float>,
        end: Slot,
        watched: Option<Slot>,
    ) -> Result<Ranked<Float>> {
        Ok(self.scores(start, value, end, watched)?.1)
    }

    /// The value at `end` where another one stands at `start`, and the leaf that was made of the one at `watched` on the way.
    fn scores(
        &self,
        start: Slot,
        value: Ranked<Float>,
        end: Slot,
        watched: Option<Slot>,
    ) -> Result<(Option<Ranked<Float>>, Ranked<Float>)> {
        let mut changed: HashMap<Slot, Value> = HashMap::from([(start, value.into())]);
        let mut leaf = None;
        for step in &self.graph.steps {
            if changed.contains_key(&end) {
                break;
            }
            if !step.inputs.iter().flatten().any(|slot| changed.contains_key(slot)) {
                continue;
            }
            let input = |slot: &Option<Slot>| {
                let Some(slot) = *slot else { return Ok(None) };
                let known = changed.get(&slot).or(self.values[slot].as_ref());
                match known.or_else(|| self.graph.constant(slot)) {
                    Some(value) => Ok(Some(value.clone())),
                    None => Err(Error::Internal("a value of the pass was not kept".into())),
                }
            };
            let inputs = step.inputs.iter().map(input).collect::<Result<Vec<_>>>()?;
            let outputs = self.graph.advance(&self.graph.device, step, &inputs)?;
            for (slot, value) in step.outputs.iter().zip(outputs) {
                let Some(slot) = *slot else { continue };
                let value = match value {
                    Value::Float(value) if watched == Some(slot) => {
                        let value = graph::leaf(value);
                        leaf = Some(value.clone());
                        value.into()
                    }
                    value => value,
                };
                changed.entry(slot).or_insert(value);
            }
        }
        match changed.remove(&end) {
            Some(Value::Float(value)) => Ok((leaf, value)),
            _ => Err(Error::invalid_model("what a block leaves does not depend on its attention")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::{Device, ModelOptions, model::ModelFile};

    fn load(name: &str, text: bool) -> Model {
        let path = format!("tests/fixtures/transformers/{name}.onnx");
        let bytes = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(&path)).unwrap();
        let options = ModelOptions { text, ..ModelOptions::default() };
        Model::load_with(&ModelFile::from(&bytes[..]), &options, &Device::cpu("test")).unwrap()
    }

    /// Blocks, heads, tokens before those of the input, and how these lie along which axes of it.
    #[test]
    fn blocks_heads_and_tokens_are_found() {
        let grid = vec![(2, 4), (3, 4)];
        for (name, text, blocks, heads, before, parts) in [
            ("vit_script", false, 3, 2, 1, grid.clone()),
            ("vit_dynamo", false, 3, 2, 1, grid.clone()),
            ("vit_attention", false, 3, 2, 1, grid.clone()),
            ("vit_microsoft", false, 3, 2, 1, grid.clone()),
            ("deit_dynamo", false, 2, 2, 2, grid.clone()),
            ("siglip_dynamo", false, 2, 2, 0, grid),
            ("bert_script", true, 3, 2, 0, vec![(1, 8)]),
            ("llama_dynamo", true, 2, 4, 0, vec![(1, 10)]),
            ("ast_script", false, 2, 2, 2, vec![(2, 4), (1, 7)]),
            ("whisper_dynamo", false, 2, 2, 0, vec![(2, 20)]),
        ] {
            let model = load(name, text);
            let found = model.transformer().unwrap();
            assert_eq!(found.blocks.len(), blocks, "{name}");
            assert!(found.blocks.iter().all(|block| block.heads == heads && block.reads.is_some()), "{name}");
            assert_eq!(found.pool.is_some(), name.starts_with("siglip"), "{name}");
            // A text has as many tokens as it is loaded for.
            let parts = if text { vec![(1, found.tokens.count())] } else { parts };
            assert_eq!(found.tokens, TokenAxis { before, after: 0, parts }, "{name}");
            assert_eq!(found.ends.as_ref().unwrap().len(), blocks, "{name}");
            assert!(model.without_blocks().is_none() && model.shares().is_ok(), "{name}");
        }
        assert!(load("swin_dynamo", false).transformer().unwrap_err().contains("windows"));
    }
}
