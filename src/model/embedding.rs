//! Networks that read text: the table that their tokens are looked up in, found by itself, and the same weights for texts of any
//! length.
//!
//! What is explained is the row of the table that each token gets, as Captum's `LayerIntegratedGradients` has it at an embedding: the
//! first real numbers that there are. Everything else that a network of tokens takes (which of them are padding, which sentence each
//! is of, the numbers of the places) follows from the text and is filled in by the inputs' names.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use onnx_ir::{GraphProto, NodeProto};
use serde::{Deserialize, Serialize};

use super::{
    Batch, HostValue, Layout, Model, ModelOptions, ValueInfo,
    file::{self, Parsed},
    graph::Slot,
    inputs,
    node::{self, Node},
    passes::{FinalActivation, Found, Groups},
};
use crate::{Error, HostTensor, Result, input::text::Tokens};

/// What a network that reads text does with tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
#[cfg_attr(target_family = "wasm", tsify(missing_as_null))]
pub struct TokensInfo {
    /// The input that takes their numbers.
    pub input: String,
    /// The value that is explained: what they are looked up as.
    pub embedding: String,
    /// How many different tokens there are; `null` where the file does not say.
    pub rows: Option<usize>,
    /// How many tokens a text has, where the file takes no other number.
    pub length: Option<usize>,
    /// The most tokens of a text.
    pub longest: usize,
    /// The axis of the file's tokens that holds the texts: 1 where it has them as `[tokens, texts]`.
    pub batch_axis: usize,
    /// Whether each token has scores of its own: which token is asked about is a text's `token`.
    pub labels_tokens: bool,
}

/// The most tokens where neither the file nor the caller says how many there may be: as many as BERT's.
const LONGEST: usize = 512;
/// Tokens of the text that stands for all while a file is read.
const REHEARSED: usize = 8;
/// Rows that a table of places has at least; the types of tokens are fewer.
const FEWEST_PLACES: usize = 16;
/// Rows that are looked up at once for their mean.
const ROWS_AT_ONCE: usize = 4096;

/// What is kept to take texts of other lengths.
pub(super) struct TextNetwork {
    pub info: TokensInfo,
    /// The inputs with the sizes that the file and the caller give them.
    pub inputs: Vec<(Slot, ValueInfo)>,
    pub found: Found,
    pub last: Option<FinalActivation>,
    pub options: ModelOptions,
    /// What was told before any input was filled.
    pub notes: Vec<String>,
}

/// What an input of a network of tokens is by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Mask,
    Types,
    Positions,
}

impl Role {
    fn of(name: &str) -> Option<Self> {
        let name = name.to_lowercase();
        let has = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
        if has(&["attention_mask", "input_mask", "padding_mask"]) || name == "mask" {
            Some(Self::Mask)
        } else if has(&["token_type", "segment_id"]) {
            Some(Self::Types)
        } else if has(&["position_id"]) {
            Some(Self::Positions)
        } else {
            None
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Mask => "the text\u{2019}s own mask: 1 for a token, 0 for padding",
            Self::Types => "the number of the text that each token is of",
            Self::Positions => "the numbers of the positions, from 0",
        }
    }
}

/// Where tokens are looked up.
pub(super) struct Embedding {
    input: ValueInfo,
    /// The value that holds what they are looked up as.
    at: String,
    rows: Option<usize>,
    longest: Option<usize>,
    /// Other tables that the same tokens are looked up in.
    others: usize,
}

impl Embedding {
    /// Finds the input of the tokens and the table.
    ///
    /// # Errors
    /// [`Error::ModelInvalid`] where there is none, or where several inputs could be it.
    pub fn find(parsed: &Parsed, options: &ModelOptions) -> Result<Self> {
        let graph = Tables::new(parsed);
        let inputs: Vec<ValueInfo> = parsed.inputs().map(file::value_info).collect();
        let names = || inputs.iter().map(|info| info.name.as_str()).collect::<Vec<_>>().join(", ");
        let may_be = |info: &&ValueInfo| match &options.input {
            Some(name) => *name == info.name,
            None => Role::of(&info.name).is_none() && !options.values.contains_key(&info.name),
        };
        if let Some(name) =
            options.input.as_ref().filter(|name| !inputs.iter().any(|info| info.name == **name))
        {
            return Err(Error::invalid_model(format!("it has no input \"{name}\", but {}", names())));
        }
        let looked_up = |info: &ValueInfo| Some((info.clone(), graph.looked_up(&info.name)?));
        let found: Vec<(ValueInfo, Lookup)> = inputs.iter().filter(may_be).filter_map(looked_up).collect();
        let input = match (found.len(), &options.at) {
            (1, _) => found.into_iter().next(),
            // Whoever names the node that is explained knows where the tokens go.
            (0, Some(_)) => {
                let known = inputs.iter().find(may_be).cloned();
                known.map(|info| (info, Lookup { at: String::new(), rows: None, width: None, others: 0 }))
            }
            (0, None) => None,
            _ => {
                let names: Vec<&str> = found.iter().map(|(info, _)| info.name.as_str()).collect();
                return Err(Error::invalid_model(format!(
                    "several of its inputs are looked up in tables ({}); name the one that takes the tokens (`input`, on the command \
                     line `--input-name`) and give the others values",
                    names.join(", ")
                )));
            }
        };
        let Some((input, lookup)) = input else {
            return Err(Error::invalid_model(format!(
                "none of its inputs ({}) takes the numbers of tokens that are looked up in a table, so it reads no text as it is: a \
                 network that takes vectors of words needs its table inside, or give a tensor",
                names()
            )));
        };
        if input.shape.len() != 2 {
            return Err(Error::invalid_model(format!(
                "its input \"{}\" of {} dimension(s) does not take the tokens of a text as [texts, tokens]",
                input.name,
                input.shape.len()
            )));
        }
        let longest = lookup.width.and_then(|width| graph.places(width, lookup.rows));
        let at = options.at.clone().unwrap_or(lookup.at);
        Ok(Self { input, at, rows: lookup.rows, longest, others: lookup.others })
    }

    /// The same, with the rows at another value, where that is named.
    pub fn found_at(self, at: Option<String>) -> Self {
        Self { at: at.unwrap_or(self.at), ..self }
    }

    /// The name of the input that takes the tokens.
    pub fn input_name(&self) -> &str {
        &self.input.name
    }

    /// The value that holds what they are looked up as.
    pub fn at(&self) -> &str {
        &self.at
    }

    /// The options with which the embedding is explained, for a text that stands for all.
    pub fn options(&self, parsed: &Parsed, options: &ModelOptions) -> ModelOptions {
        let infos: Vec<ValueInfo> = parsed.inputs().map(file::value_info).collect();
        let info = self.info(&infos, options);
        let length = info.length.unwrap_or(REHEARSED.min(info.longest));
        let rehearsed = Tokens {
            ids: vec![0; length],
            type_ids: vec![0; length],
            attention_mask: vec![1; length],
            ..Tokens::default()
        };
        let mut values = values(&infos, &info.input, &rehearsed);
        values.extend(options.values.clone());
        ModelOptions {
            input: None,
            at: Some(self.at.clone()),
            values,
            layout: options.layout.or(Some(Layout::Sequence)),
            explained_shape: None,
            ..options.clone()
        }
    }

    /// What is told of it.
    pub fn info(&self, inputs: &[ValueInfo], options: &ModelOptions) -> TokensInfo {
        let input = inputs.iter().find(|info| info.name == self.input.name).unwrap_or(&self.input);
        let symbol = input.symbols.get(1).and_then(Option::as_ref);
        let named = symbol.and_then(|symbol| options.sizes.get(symbol));
        let sized = options.sizes.get(&format!("{}:1", input.name)).or(named).copied();
        let length = input.shape.get(1).copied().flatten().or(sized);
        let most = length.or(self.longest).unwrap_or(LONGEST);
        TokensInfo {
            input: input.name.clone(),
            embedding: self.at.clone(),
            rows: self.rows,
            length,
            longest: options.longest.filter(|_| length.is_none()).map_or(most, |wanted| wanted.max(1)),
            batch_axis: 0,
            labels_tokens: false,
        }
    }

    /// What was guessed.
    pub fn notes(&self, options: &ModelOptions) -> Vec<String> {
        let mut notes = Vec::new();
        if options.at.is_none() {
            let rows = self.rows.map(|rows| format!(" of {rows} rows")).unwrap_or_default();
            notes.push(format!(
                "It reads text: the tokens of \"{}\" are looked up in a table{rows}, and what they are looked up as is explained; the \
                 option `at` names another value.",
                self.input.name
            ));
        }
        if self.others > 0 {
            notes.push(format!(
                "The tokens are looked up in {} tables; the first is explained, with the others as they are.",
                self.others + 1
            ));
        }
        notes
    }
}

/// Where one input's numbers are looked up.
struct Lookup {
    at: String,
    rows: Option<usize>,
    width: Option<usize>,
    others: usize,
}

/// The nodes of a file by what they read, and the shapes of its constants.
struct Tables<'p> {
    nodes: &'p [NodeProto],
    opset: i64,
    shapes: HashMap<&'p str, Vec<usize>>,
}

/// Operators that only move whole numbers, or clip and shift them.
const CARRIERS: [&str; 14] = [
    "Cast",
    "Identity",
    "Reshape",
    "Squeeze",
    "Unsqueeze",
    "Flatten",
    "Transpose",
    "Expand",
    "Slice",
    "Clip",
    "Add",
    "Sub",
    "Where",
    "Dropout",
];

impl<'p> Tables<'p> {
    fn new(parsed: &'p Parsed) -> Self {
        let graph: &GraphProto = parsed.graph();
        let sizes = |dims: &[i64]| dims.iter().map(|&size| usize::try_from(size).unwrap_or(0)).collect();
        let mut shapes: HashMap<&str, Vec<usize>> =
            graph.initializer.iter().map(|tensor| (tensor.name.as_str(), sizes(&tensor.dims))).collect();
        for proto in &parsed.nodes {
            let Some(output) = proto.output.first() else { continue };
            let first = proto.input.first().and_then(|input| shapes.get(input.as_str())).cloned();
            let node = Node { proto, opset: parsed.opset, types: vec![None; proto.input.len()] };
            let made = match (proto.op_type.as_str(), first) {
                ("Constant", _) => node.tensor("value").ok().flatten().map(|value| value.shape().to_vec()),
                ("Cast" | "Identity" | "DequantizeLinear", shape) => shape,
                ("Transpose", Some(mut shape)) if shape.len() == 2 => {
                    if node.ints("perm").ok().flatten().is_none_or(|order| order == [1, 0]) {
                        shape.reverse();
                    }
                    Some(shape)
                }
                _ => None,
            };
            if let Some(shape) = made {
                shapes.insert(output, shape);
            }
        }
        Self { nodes: &parsed.nodes, opset: parsed.opset, shapes }
    }

    /// The first real numbers that the tokens of an input become, and the table that they come from.
    fn looked_up(&self, input: &str) -> Option<Lookup> {
        let mut carried: HashSet<&str> = HashSet::from([input]);
        let mut chosen: HashSet<&str> = HashSet::new();
        let mut found: Vec<Lookup> = Vec::new();
        for proto in self.nodes {
            let reads = |at: usize, set: &HashSet<&str>| {
                proto.input.get(at).is_some_and(|name| set.contains(name.as_str()))
            };
            let shape = |at: usize| proto.input.get(at).and_then(|name| self.shapes.get(name.as_str()));
            let several = |shape: &Vec<usize>| shape.last().is_some_and(|&size| size > 1);
            let Some(output) = proto.output.first() else { continue };
            let lookup = |table: Option<&Vec<usize>>, at: &str| Lookup {
                at: at.to_owned(),
                rows: table.and_then(|shape| shape.first()).copied(),
                width: table.and_then(|shape| shape.last()).copied(),
                others: 0,
            };
            match node::operator_of(proto).as_str() {
                "Gather"
                    if reads(1, &carried)
                        && shape(0).is_some_and(|shape| shape.len() == 2)
                        && self.axis(proto) == Some(0) =>
                {
                    found.push(lookup(shape(0), self.real(output)));
                }
                "com.microsoft::EmbedLayerNormalization" if reads(0, &carried) => {
                    found.push(lookup(shape(2), output));
                }
                // One number of many, and then a product with the table.
                "OneHot" if reads(0, &carried) => {
                    chosen.insert(output);
                }
                "Equal" if (0..2).any(|at| reads(at, &carried) && shape(1 - at).is_some_and(several)) => {
                    chosen.insert(output);
                }
                "MatMul" | "Gemm" | "Einsum"
                    if reads(0, &chosen) && shape(1).is_some_and(|shape| shape.len() == 2) =>
                {
                    found.push(lookup(shape(1), output));
                }
                name if CARRIERS.contains(&name) => {
                    for set in [&mut carried, &mut chosen] {
                        let first = usize::from(name == "Where");
                        if (first..proto.input.len().min(first + 2)).any(|at| reads(at, set)) {
                            set.insert(output);
                        }
                    }
                }
                _ => (),
            }
        }
        let others = found.len().saturating_sub(1);
        found.into_iter().next().map(|lookup| Lookup { others, ..lookup })
    }

    fn axis(&self, proto: &NodeProto) -> Option<i64> {
        Node { proto, opset: self.opset, types: vec![None; proto.input.len()] }.int("axis", 0).ok()
    }

    /// The real numbers that rows of a table of integers become.
    fn real<'n>(&'n self, rows: &'n str) -> &'n str {
        let next = self.nodes.iter().find(|proto| {
            proto.input.first().is_some_and(|name| name == rows)
                && matches!(proto.op_type.as_str(), "DequantizeLinear" | "Cast")
        });
        next.and_then(|proto| proto.output.first()).map_or(rows, String::as_str)
    }

    /// How many places there are vectors for: a second table as wide, that is sliced, looked up or added.
    fn places(&self, width: usize, words: Option<usize>) -> Option<usize> {
        let tables = self.nodes.iter().filter(|proto| {
            matches!(proto.op_type.as_str(), "Gather" | "Slice" | "Add")
                || node::operator_of(proto) == "com.microsoft::EmbedLayerNormalization"
        });
        let rows = tables.flat_map(|proto| &proto.input).filter_map(|name| {
            let shape = self.shapes.get(name.as_str())?;
            let (rows, columns) = match shape[..] {
                [rows, columns] | [1, rows, columns] => (rows, columns),
                _ => return None,
            };
            (columns == width && rows >= FEWEST_PLACES && Some(rows) != words).then_some(rows)
        });
        // RoBERTa's count from 2 on.
        rows.min().map(|rows| if rows % 64 == 2 { rows - 2 } else { rows })
    }
}

/// Whether a text fills an input of this name beside its tokens.
pub(super) fn is_filled(name: &str) -> bool {
    Role::of(name).is_some()
}

/// Whether an input of this name takes the numbers of the positions.
pub(super) fn counts_places(name: &str) -> bool {
    Role::of(name) == Some(Role::Positions)
}

/// Whether a text fills other inputs beside that of the tokens.
pub(super) fn has_others(parsed: &Parsed, options: &ModelOptions) -> bool {
    parsed.inputs().any(|input| {
        is_filled(&input.name)
            && !options.values.contains_key(&input.name)
            && options.input.as_ref() != Some(&input.name)
    })
}

/// What a text gives each input, by the inputs' names.
pub(super) fn values(inputs: &[ValueInfo], tokens: &str, text: &Tokens) -> BTreeMap<String, HostValue> {
    let shape = vec![1, text.len()];
    let value = |info: &ValueInfo| {
        let data = match Role::of(&info.name) {
            _ if info.name == tokens => text.ids.clone(),
            Some(Role::Mask) => text.attention_mask.clone(),
            Some(Role::Types) => text.type_ids.clone(),
            Some(Role::Positions) => (0..text.len() as i64).collect(),
            None => return None,
        };
        (info.shape.len() == 2).then(|| (info.name.clone(), HostValue::Int { data, shape: shape.clone() }))
    };
    inputs.iter().filter_map(value).collect()
}

/// What is told of the inputs that a text fills.
pub(super) fn filled(inputs: &[ValueInfo], tokens: &str, options: &ModelOptions) -> Vec<String> {
    let told = |info: &ValueInfo| {
        let role = Role::of(&info.name).filter(|_| info.name != tokens && info.shape.len() == 2)?;
        (!options.values.contains_key(&info.name))
            .then(|| format!("Its input \"{}\" is filled with {}.", info.name, role.words()))
    };
    inputs.iter().filter_map(told).collect()
}

impl Model {
    /// What it does with tokens, where it was loaded as a network of text.
    pub fn tokens(&self) -> Option<&TokensInfo> {
        self.text.as_ref().map(|text| &text.info)
    }

    fn text(&self) -> Result<&Arc<TextNetwork>> {
        self.text.as_ref().ok_or_else(|| {
            Error::InputInvalid(
                "The model was loaded as one that takes numbers, and a text was given: load it with a tokenizer.".into(),
            )
        })
    }

    /// A text cut and filled up as the network takes it.
    ///
    /// # Errors
    /// [`Error::InputInvalid`] for what is no text, for tokens that the table does not have, and where no token fills up.
    pub(crate) fn fitted(&self, text: &Tokens) -> Result<Tokens> {
        let info = &self.text()?.info;
        text.check()?;
        let by_tokenizer = text.longest.filter(|&longest| longest < info.longest);
        let option = match (info.length, by_tokenizer) {
            (Some(_), _) => " (its input has that length)",
            (None, Some(_)) => " (as the tokenizer\u{2019}s file has it)",
            (None, None) => " (the option `longest` changes it)",
        };
        let fitted = text.clone().cut_to(by_tokenizer.unwrap_or(info.longest), option);
        let fitted = match info.length {
            Some(length) => fitted.filled_to(length)?,
            None => fitted,
        };
        if fitted.len() > info.longest {
            return Err(Error::InputInvalid(format!(
                "The network takes {} tokens, fewer than the tokenizer adds by itself.",
                info.longest
            )));
        }
        if let (Some(rows), Some((at, &id))) = (
            info.rows,
            fitted
                .ids
                .iter()
                .enumerate()
                .find(|&(_, &id)| id < 0 || info.rows.is_some_and(|rows| id >= rows as i64)),
        ) {
            return Err(Error::InputInvalid(format!(
                "The token \"{}\" has the number {id}, and the network\u{2019}s table has the rows 0 to {}: this tokenizer is another \
                 network\u{2019}s.",
                fitted.tokens.get(at).map_or("", |token| token.piece.as_str()),
                rows - 1
            )));
        }
        Ok(fitted)
    }

    /// A text as the network takes it, and the model with it in its inputs.
    ///
    /// # Errors
    /// Those of [`Model::fitted`] and [`Model::with_tokens`].
    pub(crate) fn with_text(&self, text: &Tokens) -> Result<(Tokens, Self)> {
        let tokens = self.fitted(text)?;
        let failed = match self.with_tokens(&tokens) {
            Ok(model) => return Ok((tokens, model)),
            Err(error) => error,
        };
        // A convolution over five words finds no place in a text of three.
        for length in tokens.len() + 1..=REHEARSED {
            let Ok(mut filled) = tokens.clone().filled_to(length) else { break };
            if let Ok(model) = self.with_tokens(&filled) {
                filled.notes.push(format!(
                    "The network takes no text of {} tokens, and this one is filled up with padding to {length}.",
                    tokens.len()
                ));
                return Ok((filled, model));
            }
        }
        Err(failed)
    }

    /// The model with a text in its inputs, as [`Model::fitted`] gives it: the same weights, for as many tokens.
    ///
    /// # Errors
    /// [`Error::InputInvalid`] where it was not loaded as a network of text, and those of loading.
    pub(crate) fn with_tokens(&self, text: &Tokens) -> Result<Self> {
        let network = self.text()?.clone();
        let infos: Vec<ValueInfo> = network.inputs.iter().map(|(_, info)| info.clone()).collect();
        let mut given = values(&infos, &network.info.input, text);
        given.extend(network.options.values.clone());
        let length = self.inputs.iter().find(|(_, info)| info.name == network.info.input);
        match length.is_some_and(|(_, info)| info.shape.get(1) == Some(&Some(text.len()))) {
            true => self.with_inputs(given),
            false => self.for_length(given),
        }
    }

    /// The same weights for a text of another length, which is in `given`.
    fn for_length(&self, given: BTreeMap<String, HostValue>) -> Result<Self> {
        let network = self.text()?.clone();
        let mut model = self.clone();
        model.inputs = inputs::sized(network.inputs.clone(), &given);
        model.fed = Vec::new();
        model.maps = Vec::new();
        model.batch = Batch { axis: Some(0), fixed: None, largest: usize::MAX, mixes: false };
        model.groups = Groups { outer: 1, classes: 1, inner: 1 };
        model.info.notes = network.notes.clone();
        let slot = model.before.as_ref().and_then(|before| before.output_of(&network.info.embedding));
        let slot = slot.ok_or_else(|| Error::Internal("the embedding was lost".into()))?;
        let options = ModelOptions { values: given, ..network.options.clone() };
        model.find_source_shape(slot)?;
        model.feed(&options)?;
        model.finish(&network.found, network.last.clone(), &options)?;
        Ok(model)
    }

    /// Finds out whether each token has scores of its own: an output that is as long as the text, whatever the text's length.
    pub(super) fn find_labels(&mut self) -> Result<()> {
        let (Some(network), Some(length)) = (self.text.clone(), self.text_length()) else { return Ok(()) };
        let of_each = |output: &[usize], length: usize| matches!(*output, [1, tokens, _] if tokens == length);
        if length < 2 || !of_each(&self.rehearsed_output, length) {
            return Ok(());
        }
        let infos: Vec<ValueInfo> = network.inputs.iter().map(|(_, info)| info.clone()).collect();
        let blank = |length: usize| {
            let (ids, type_ids, attention_mask) = (vec![0; length], vec![0; length], vec![1; length]);
            let text = Tokens { ids, type_ids, attention_mask, ..Tokens::default() };
            let mut given = values(&infos, &network.info.input, &text);
            given.extend(network.options.values.clone());
            given
        };
        if network.info.length.is_none() {
            let shorter = self.for_length(blank(length - 1));
            if !shorter.is_ok_and(|shorter| of_each(&shorter.rehearsed_output, length - 1)) {
                return Ok(());
            }
        }
        let TextNetwork { info, inputs, found, last, options, notes } = &*network;
        let info = TokensInfo { labels_tokens: true, ..info.clone() };
        self.info.tokens = Some(info.clone());
        self.text = Some(Arc::new(TextNetwork {
            info,
            inputs: inputs.clone(),
            found: found.clone(),
            last: last.clone(),
            options: options.clone(),
            notes: notes.clone(),
        }));
        *self = self.for_length(blank(length))?;
        Ok(())
    }

    /// The same model, asked about the scores of the token at `place` of the text that is in its inputs.
    ///
    /// # Errors
    /// [`Error::InputInvalid`] where the text has no such token, or the network does not give scores to each.
    pub(crate) fn about_token(mut self, place: usize) -> Result<Self> {
        match &mut self.labelled {
            Some(labelled) if place < labelled.tokens => labelled.at = place,
            Some(labelled) => {
                return Err(Error::InputInvalid(format!(
                    "The text has the tokens 0 to {}, and {place} is asked about (`token`).",
                    labelled.tokens - 1
                )));
            }
            None => {
                return Err(Error::InputInvalid(
                    "The network gives one answer for the whole text, and none for a token: leave `token` out.".into(),
                ));
            }
        }
        Ok(self)
    }

    /// The same model with the scores of all tokens in a row.
    pub(crate) fn about_all_tokens(&self) -> Self {
        Self { labelled: None, ..self.clone() }
    }

    /// Whether each token of the text in the inputs has scores of its own.
    pub(crate) fn labels_tokens(&self) -> bool {
        self.labelled.is_some()
    }

    /// How many tokens the text has that is in the inputs.
    pub(super) fn text_length(&self) -> Option<usize> {
        let info = self.tokens()?;
        let (_, input) = self.inputs.iter().find(|(_, input)| input.name == info.input)?;
        input.shape.get(1).copied().flatten()
    }

    /// What other tokens are looked up as, in the place of those of [`Model::with_tokens`].
    ///
    /// # Errors
    /// Those of [`Model::with_inputs`] and [`Model::source`].
    pub(crate) async fn looked_up(&self, ids: Vec<i64>) -> Result<HostTensor> {
        let name = self.text()?.info.input.clone();
        let shape = vec![1, ids.len()];
        self.with_inputs(BTreeMap::from([(name, HostValue::Int { data: ids, shape })]))?.source().await
    }

    /// For each point, how far it is from the row of its `own` number, and the nearest of all other rows, with its number and distance
    /// (Euclid's); `barred` rows are left aside. Nothing where the file does not say how many rows there are, or what tokens are looked up
    /// as depends on their place.
    ///
    /// # Errors
    /// [`Error::DeviceLost`].
    pub(crate) async fn nearest_rows(
        &self,
        points: &[Vec<f32>],
        own: &[i64],
        barred: &[i64],
    ) -> Result<Option<Vec<(f32, (i64, f32))>>> {
        let Some(rows) = self.text()?.info.rows else { return Ok(None) };
        let width = points.first().map_or(0, Vec::len);
        let mut found = vec![(f32::INFINITY, (-1i64, f32::INFINITY)); points.len()];
        for start in (0..rows).step_by(ROWS_AT_ONCE) {
            let ids: Vec<i64> = (start as i64..(start + ROWS_AT_ONCE).min(rows) as i64).collect();
            // The first row once more behind the others shows whether places matter.
            let asked: Vec<i64> = ids.iter().copied().chain(ids.first().copied()).collect();
            let Some(table) = self.rows_of(asked).await? else { return Ok(None) };
            let row = |at: usize| table.get(at * width..(at + 1) * width);
            if table.len() != (ids.len() + 1) * width || row(0) != row(ids.len()) {
                return Ok(None);
            }
            for ((point, &own), (to_own, nearest)) in points.iter().zip(own).zip(&mut found) {
                for (&id, row) in ids.iter().zip(table.chunks_exact(width.max(1))) {
                    let square: f64 = row.iter().zip(point).map(|(a, b)| f64::from(a - b).powi(2)).sum();
                    let distance = square.sqrt() as f32;
                    if id == own {
                        *to_own = distance;
                    } else if distance < nearest.1 && !barred.contains(&id) {
                        *nearest = (id, distance);
                    }
                }
            }
        }
        Ok(found.iter().all(|(_, (id, _))| *id >= 0).then_some(found))
    }

    /// The rows of tokens, one after the other.
    async fn rows_of(&self, ids: Vec<i64>) -> Result<Option<Vec<f32>>> {
        let network = self.text()?;
        let input = self.inputs.iter().find(|(_, info)| info.name == network.info.input);
        let before = self.before.as_ref();
        let Some(((slot, info), (before, at))) =
            input.zip(before.and_then(|before| Some((before, before.output_of(&network.info.embedding)?))))
        else {
            return Ok(None);
        };
        let shape = vec![1, ids.len()];
        let value = HostValue::Int { data: ids, shape }.for_input(info)?;
        let given = [(*slot, value.upload(&info.name, self.device.burn())?)];
        let Ok(mut found) = before.run(given, &[at]) else { return Ok(None) };
        match HostValue::read(found.remove(0)).await? {
            HostValue::Float { data, .. } => Ok(Some(data)),
            _ => Ok(None),
        }
    }

    /// The mean of all rows of the table; nothing where the file does not say how many there are.
    ///
    /// # Errors
    /// [`Error::DeviceLost`].
    pub(crate) async fn mean_embedding(&self) -> Result<Option<Vec<f32>>> {
        let network = self.text()?;
        let (Some(rows), Some(before)) = (network.info.rows, &self.before) else { return Ok(None) };
        let input = self.inputs.iter().find(|(_, info)| info.name == network.info.input);
        let Some(((slot, info), at)) = input.zip(before.output_of(&network.info.embedding)) else {
            return Ok(None);
        };
        let mut sums: Vec<f64> = Vec::new();
        for start in (0..rows).step_by(ROWS_AT_ONCE) {
            let ids: Vec<i64> = (start as i64..(start + ROWS_AT_ONCE).min(rows) as i64).collect();
            let shape = vec![1, ids.len()];
            let value = HostValue::Int { data: ids, shape }.for_input(info)?;
            let given = [(*slot, value.upload(&info.name, self.device.burn())?)];
            let Ok(mut found) = before.run(given, &[at]) else { return Ok(None) };
            let HostValue::Float { data, shape } = HostValue::read(found.remove(0)).await? else {
                return Ok(None);
            };
            let width = shape.last().copied().unwrap_or(0).max(1);
            sums.resize(width, 0.0);
            for row in data.chunks_exact(width) {
                sums.iter_mut().zip(row).for_each(|(sum, &value)| *sum += f64::from(value));
            }
        }
        Ok(Some(sums.into_iter().map(|sum| (sum / rows as f64) as f32).collect()))
    }
}
