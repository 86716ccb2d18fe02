//! Which axis of a network's tokens holds the texts.
//!
//! PyTorch's recurrent layers and transformers take `[tokens, texts]` where nothing else is said, everything else `[texts, tokens]`, and the
//! sizes of a file tell neither. What tells is what the network does: texts of one batch do not touch each other, the tokens of a text do. So
//! two texts are run together and each by itself, in one order and in the other. A file of the other order is then read as one of `[texts,
//! tokens]`, with a transposition after each input and round the rows that the tokens are looked up as.

use onnx_ir::{AttributeProto, AttributeType, NodeProto, ValueInfoProto};

use super::{
    HostValue, Model, ModelFile, ModelOptions, Prepared, TokensInfo, ValueInfo, bodies,
    embedding::{self, Embedding},
    exec::Keep,
    file::{self, Parsed},
    inputs, node,
    value::{Ranked, Value},
    with_program,
};
use crate::{Device, Error, Result, device::DeviceKind, input::text::Tokens};

/// How a file's tokens are arranged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Arrangement {
    /// The axis of the input of the tokens that holds the texts, 0 or 1.
    pub texts: usize,
    /// Whether the masks, types and positions beside them have their axes as the tokens have them. PyTorch's masks of padding are
    /// `[texts, tokens]` always.
    pub beside: bool,
    /// Whether the rows that the tokens are looked up as are `[tokens, texts, width]`.
    pub rows_turned: bool,
}

impl Arrangement {
    /// What is told of it where nobody has named it.
    pub fn note(self, info: &TokensInfo, options: &ModelOptions) -> Option<String> {
        (self.texts == 1 && options.batch_axis.is_none()).then(|| {
            format!(
                "Its tokens \"{}\" are read as [tokens, texts]: in that order the texts of a batch do not change each other\u{2019}s results. \
                 The option `batchAxis` (`--batch-axis`) says otherwise.",
                info.input
            )
        })
    }
}

/// The results of a text may differ by this part of what they differ by between texts, where another is beside it: by 8-bit numbers
/// whose scale is that of the whole batch.
const APART: f32 = 0.3;
/// The results of a text by itself and beside another are the same up to rounding.
const SAME: f32 = 1e-3;

/// Loads a network of text in the order of axes in which texts of a batch do not touch each other.
///
/// # Errors
/// Those of loading, and [`Error::ModelInvalid`] where texts touch each other in either order.
pub(super) fn load(file: &ModelFile<'_>, options: &ModelOptions, device: &Device) -> Result<Model> {
    let arranged = |texts: usize, beside: bool| Arrangement { texts, beside, rows_turned: false };
    if let Some(axis) = options.batch_axis {
        if axis > 1 {
            return Err(Error::invalid_model(format!(
                "its tokens have two axes, 0 and 1, and {axis} is none of them (`batchAxis`, on the command line `--batch-axis`)"
            )));
        }
        if axis == 0 {
            return load_as(file, options, device, arranged(0, true));
        }
    }
    // Numbers are read back at once, which only the host can.
    let host =
        (device.kind() != DeviceKind::Cpu).then(|| Device::cpu("the order of the tokens\u{2019} axes"));
    let tried = host.as_ref().unwrap_or(device);
    let here = |model: Model, arrangement: Arrangement| match host {
        None => Ok(model),
        Some(_) => load_as(file, options, device, arrangement),
    };
    let beside_tokens = embedding::has_others(&Parsed::read(file.bytes)?, options);
    let others = [true, false].into_iter().take(1 + usize::from(beside_tokens));
    let second = others.filter_map(|beside| {
        let model = load_as(file, options, tried, arranged(1, beside)).ok()?;
        let mixture = model.mixture();
        Some((model, mixture, arranged(1, beside)))
    });
    let rank = |mixture: &Option<f32>| mixture.unwrap_or(APART);
    let turned = || second.min_by(|a, b| rank(&a.1).total_cmp(&rank(&b.1)));
    if options.batch_axis == Some(1) {
        return match turned() {
            Some((model, _, arrangement)) => here(model, arrangement),
            // What is in the way.
            None => load_as(file, options, device, arranged(1, true)),
        };
    }
    let first = load_as(file, options, tried, arranged(0, true));
    let apart = first.as_ref().map_or(Some(f32::INFINITY), Model::mixture);
    let first = match (first, apart) {
        (Ok(model), Some(apart)) if apart < SAME => return here(model, arranged(0, true)),
        (first, _) => first,
    };
    match (first, turned()) {
        // The order of which is shown that it keeps texts apart, or the only one that runs at all.
        (Err(_), Some((model, mixture, arrangement))) if mixture.is_none_or(|mixture| mixture < APART) => {
            here(model, arrangement)
        }
        (Ok(_), Some((model, Some(mixture), arrangement)))
            if mixture < APART && apart.is_none_or(|apart| mixture < apart) =>
        {
            here(model, arrangement)
        }
        (Ok(_), Some((model, None, arrangement))) if apart.is_some_and(|apart| apart > APART) => {
            here(model, arrangement)
        }
        (Ok(model), second) => match apart {
            Some(apart) if apart <= APART => here(model, arranged(0, true)),
            // Neither can be tried with two texts: the sizes of the file decide.
            None => match second {
                Some((turned, None, arrangement)) if model.is_one_token_long() => here(turned, arrangement),
                _ => here(model, arranged(0, true)),
            },
            Some(_) => Err(Error::invalid_model(format!(
                "its tokens \"{}\" have two axes, and whichever of them is taken for the texts of a batch, texts change each other\u{2019}s \
                 results: name the axis that holds the texts (`batchAxis`, on the command line `--batch-axis`): 0 for [texts, tokens], 1 \
                 for [tokens, texts]",
                model.tokens().map_or("", |info| info.input.as_str())
            ))),
        },
        (Err(error), _) => Err(error),
    }
}

fn load_as(
    file: &ModelFile<'_>,
    options: &ModelOptions,
    device: &Device,
    arrangement: Arrangement,
) -> Result<Model> {
    let model = Model::load_as(file, options, arrangement, device)?;
    match model.rows_are_turned() {
        true => Model::load_as(file, options, Arrangement { rows_turned: true, ..arrangement }, device),
        false => Ok(model),
    }
}

impl Model {
    /// Whether the tokens of one text are looked up as `[tokens, 1, width]`.
    fn rows_are_turned(&self) -> bool {
        let length = self.text_length().filter(|&length| length > 1);
        let rows = self.before.as_ref().and(self.rehearsed_rows.as_deref());
        matches!((length, rows), (Some(length), Some(&[first, 1, _])) if first == length)
    }

    fn is_one_token_long(&self) -> bool {
        self.text_length() == Some(1)
    }

    /// How far a text's results change when another is beside it, as a part of how much they differ between the two; infinite where the
    /// results are not those of two texts at all. Nothing where two texts cannot be run at once, or nothing depends on them.
    fn mixture(&self) -> Option<f32> {
        let length = self.text_length()?;
        let most = self.tokens()?.rows.unwrap_or(4).saturating_sub(1).clamp(1, 97) as i64;
        let texts = [3i64, 5].map(|step| -> Vec<i64> {
            (0..length as i64).map(|place| (1 + (step * step * place + 2 * step) % most).min(most)).collect()
        });
        let alone: Vec<(Vec<usize>, Vec<f32>)> =
            texts.iter().map(|ids| self.answers(&[ids]).ok()).collect::<Option<_>>()?;
        let (dims, both) = self.answers(&[&texts[0], &texts[1]]).ok()?;
        let count = alone[0].1.len();
        if alone[1].1.len() != count || both.len() != 2 * count {
            return Some(f32::INFINITY);
        }
        let axis = match (dims.as_slice(), alone[0].0.as_slice()) {
            // Scores of which the samples do not come first.
            ([first, second, ..], [own, 1, ..]) if first == own && *second == 2 => 1,
            _ => 0,
        };
        let outer: usize = dims[..axis].iter().product();
        let inner = count / outer.max(1);
        let (mut changed, mut differ, mut size) = (0.0f32, 0.0f32, 0.0f32);
        for (at, (&a, &b)) in alone[0].1.iter().zip(&alone[1].1).enumerate() {
            let place = at / inner * 2 * inner + at % inner;
            changed = changed.max((both[place] - a).abs()).max((both[place + inner] - b).abs());
            differ = differ.max((a - b).abs());
            size = size.max(a.abs()).max(b.abs());
        }
        (differ > 1e-6 * size).then(|| changed / differ)
    }

    /// What the network computes of texts that are run together, as it lies.
    fn answers(&self, texts: &[&[i64]]) -> Result<(Vec<usize>, Vec<f32>)> {
        let lost = || Error::Internal("the embedding was lost".into());
        let text = self.text.as_ref().ok_or_else(lost)?;
        let length = texts.first().map_or(0, |ids| ids.len());
        let all = Tokens {
            ids: texts.concat(),
            type_ids: vec![0; texts.len() * length],
            attention_mask: vec![1; texts.len() * length],
            ..Tokens::default()
        };
        let infos = inputs::infos(&self.inputs);
        let mut values = embedding::values(&infos, &text.info.input, &all);
        for (name, value) in &mut values {
            let HostValue::Int { data, shape } = value else { continue };
            *shape = vec![texts.len(), length];
            if infos.iter().any(|info| info.name == *name && embedding::counts_places(&info.name)) {
                data.iter_mut().enumerate().for_each(|(at, place)| *place = (at % length.max(1)) as i64);
            }
        }
        values.retain(|name, _| *name == text.info.input || !text.options.values.contains_key(name));
        let model = self.with_inputs(values)?;
        let before = model.before.as_ref().ok_or_else(lost)?;
        let slot = before.output_of(&text.info.embedding).ok_or_else(lost)?;
        let fed = model.fed.iter().map(|fed| (fed.slot, fed.value.clone()));
        let Value::Float(rows) = before.run(fed, &[slot])?.remove(0) else { return Err(lost()) };
        let given = model.given_rows(rows, texts.len())?;
        let output = with_program!(model.program(), program => {
            program.forward(&model.graph, given, &[model.output], Keep::Nothing)?.wanted.remove(0)
        });
        let dims = output.dims();
        let Value::Float(output) = output else { return Err(lost()) };
        Ok((dims, host_numbers(output)?))
    }
}

fn host_numbers(value: Ranked<burn::tensor::Float>) -> Result<Vec<f32>> {
    value.flat().into_data().try_into_vec().map_err(|error| Error::Internal(format!("{error:?}")))
}

/// Makes a file's tokens `[texts, tokens]` and the rows that they are looked up as `[texts, tokens, width]`; the name of those, where they had
/// another order.
///
/// # Errors
/// Those of [`Embedding::find`].
pub(super) fn arrange(
    parsed: &mut Parsed,
    options: &ModelOptions,
    arrangement: Arrangement,
) -> Result<Option<String>> {
    if arrangement.texts == 1 {
        let tokens = Embedding::find(parsed, options)?.input_name().to_owned();
        let infos: Vec<ValueInfo> = parsed.inputs().map(file::value_info).collect();
        for info in infos.iter().filter(|info| info.shape.len() == 2) {
            let beside = arrangement.beside
                && embedding::is_filled(&info.name)
                && !options.values.contains_key(&info.name);
            if info.name == tokens || beside {
                turn_input(parsed, &info.name);
            }
        }
    }
    if !arrangement.rows_turned {
        return Ok(None);
    }
    let at = Embedding::find(parsed, options)?.at().to_owned();
    turn_rows(parsed, &at);
    Ok(Some(at))
}

/// A node that exchanges the first two axes of a value of `rank`.
fn exchange(name: &str, from: &str, to: &str, rank: i64) -> NodeProto {
    let mut order = AttributeProto {
        name: "perm".into(),
        type_: AttributeType::INTS.into(),
        ints: (0..rank).collect(),
        ..Default::default()
    };
    order.ints.swap(0, 1);
    NodeProto {
        name: name.into(),
        op_type: "Transpose".into(),
        input: vec![from.into()],
        output: vec![to.into()],
        attribute: vec![order],
        ..Default::default()
    }
}

/// Gives an input of two axes the other order; what reads it finds it as before.
fn turn_input(parsed: &mut Parsed, name: &str) {
    let inner = parsed.free_name(&format!("{name}, tokens first"));
    let renamed = |old: &str| if old == name { inner.clone() } else { old.to_owned() };
    parsed.nodes.iter_mut().for_each(|node| bodies::rename(node, &renamed));
    parsed.nodes.insert(0, exchange(&inner, name, &inner, 2));
    let graph = parsed.proto.graph.mut_or_insert_default();
    let Some(info) = graph.input.iter_mut().find(|info| info.name == name) else { return };
    let before = ValueInfoProto { name: inner, ..info.clone() };
    info.type_.mut_or_insert_default().mut_tensor_type().shape.mut_or_insert_default().dim.swap(0, 1);
    graph.value_info.push(before);
}

/// Puts a value of three axes into the other order under its own name; what reads it finds it as before.
fn turn_rows(parsed: &mut Parsed, at: &str) {
    let made = |node: &NodeProto| node.output.first().is_some_and(|output| output == at);
    let by_name = |node: &NodeProto| node::name_of(node) == at;
    let nodes = &parsed.nodes;
    let Some(maker) = nodes.iter().position(made).or_else(|| nodes.iter().position(by_name)) else { return };
    let Some(value) = parsed.nodes[maker].output.first().cloned() else { return };
    let first = parsed.free_name(&format!("{value}, tokens first"));
    let again = parsed.free_name(&format!("{value}, tokens first again"));
    let renamed = |old: &str| if old == value { again.clone() } else { old.to_owned() };
    parsed.nodes.iter_mut().skip(maker + 1).for_each(|node| bodies::rename(node, &renamed));
    if parsed.nodes[maker].name == at {
        // The name stands for what is explained.
        parsed.nodes[maker].name = first.clone();
    }
    if let Some(output) = parsed.nodes[maker].output.first_mut() {
        output.clone_from(&first);
    }
    let turned = [exchange(at, &first, &value, 3), exchange(&again, &value, &again, 3)];
    parsed.nodes.splice(maker + 1..maker + 1, turned);
}
