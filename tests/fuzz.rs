//! Inputs of strangers, changed at random: files and JSON of every kind that the engine reads. Each must be taken or refused by a typed
//! error, within seconds and with little memory; a panic would end a wasm module.
//!
//! `cargo test` tries a few thousand, always the same ones, and all that ever failed (tests/fixtures/fuzz). `cargo xtask fuzz --minutes N`
//! goes on for as long as it is told, with other draws each time. It needs no nightly compiler and so sees no coverage: in its stead an
//! input is kept, and changed further, where it is refused for a reason that was not seen before.

// A program of its own: it watches the whole process.
#[path = "it/common/mod.rs"]
mod common;
mod counting;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::Mutex,
    time::{Duration, Instant, SystemTime},
};

use adversight::{
    Control, ExplainOptions, Explainer, HostTensor, Input, ModelFile, ModelOptions, Photograph,
    Preprocessing, SoundPreparation,
    attack::{self, AttackOptions},
    input::labels::Labels,
    metric::{self, Assessment},
    model::{inspect, supported_operators},
};
use adversight_text::{Options, Tokenizer};
use onnx_ir::{Message, ModelProto, TensorProto};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The longest that one input may take in this build, which is not optimised.
const LIMIT: Duration = Duration::from_secs(20);
/// What one input may hold at once.
const MEMORY: usize = 3 << 30;
/// Seeds are no longer than this, so that changes hit something.
const LONGEST: u64 = 48 << 10;
/// Inputs of each kind that `cargo test` tries.
const USUAL: usize = 300;

/// Where the last panic was; burn computes on threads of its own, too.
static PANIC: Mutex<Option<String>> = Mutex::new(None);

/// What is fuzzed: where its seeds come from, how they are changed, and what reads them.
struct Target {
    name: &'static str,
    seeds: fn() -> Vec<Vec<u8>>,
    change: fn(&mut Vec<u8>, &[Vec<u8>], &mut ChaCha8Rng),
    /// `None` where it was taken, else the error's code and message.
    read: fn(&[u8]) -> Option<String>,
}

const TARGETS: [Target; 10] = [
    Target { name: "onnx", seeds: || files("", &["onnx"]), change: bytes, read: onnx },
    Target { name: "onnx_structure", seeds: || files("", &["onnx"]), change: structure, read: onnx },
    Target { name: "external_data", seeds: outside, change: bytes, read: external },
    Target { name: "tokenizer", seeds: tokenizers, change: text, read: tokenizer },
    Target { name: "preprocessing", seeds: preprocessings, change: text, read: preprocessing },
    Target {
        name: "sound_preparation",
        seeds: || files("sound", &["json"]),
        change: text,
        read: preparation,
    },
    Target { name: "labels", seeds: label_files, change: text, read: labels },
    Target {
        name: "image",
        seeds: || files("pictures", &["png", "jpg", "gif", "bmp", "tif", "webp"]),
        change: bytes,
        read: image,
    },
    Target {
        name: "sound",
        seeds: || files("sound", &["wav", "flac", "mp3", "ogg"]),
        change: bytes,
        read: sound,
    },
    Target { name: "options", seeds: option_texts, change: text, read: options },
];

// --- seeds -----------------------------------------------------------------------------------------

/// The files of tests/fixtures, or of a folder of it, that end so and are not long.
fn files(folder: &str, endings: &[&str]) -> Vec<Vec<u8>> {
    fn walk(folder: &Path, endings: &[&str], found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
            if path.ends_with("zoo") {
                // Whole networks, which take minutes in this build and for good reason.
            } else if path.is_dir() {
                walk(&path, endings, found);
            } else if endings.contains(&ending) && entry.metadata().is_ok_and(|file| file.len() <= LONGEST) {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&common::root().join("tests/fixtures").join(folder), endings, &mut found);
    found.sort();
    found.into_iter().filter_map(|path| fs::read(path).ok()).collect()
}

fn outside() -> Vec<Vec<u8>> {
    // The first four bytes say offset and length; the rest is the file beside the model.
    let weights = first_weights(&mut tiny()).raw_data.to_vec();
    vec![[vec![0, 0, 255, 255], weights].concat(), vec![0, 0, 0, 0], vec![1, 2, 3, 4, 5], vec![255; 64]]
}

fn tiny() -> ModelProto {
    ModelProto::parse_from_bytes(&common::read("tests/fixtures/tiny.onnx")).unwrap()
}

fn first_weights(model: &mut ModelProto) -> &mut TensorProto {
    let graph = model.graph.mut_or_insert_default();
    graph.initializer.iter_mut().find(|tensor| tensor.raw_data.len() > 64).unwrap()
}

fn tokenizers() -> Vec<Vec<u8>> {
    let small = |kind: &str, vocabulary: &str, rest: &str| {
        format!(
            "{{\"version\":\"1.0\",\"truncation\":null,\"padding\":null,\"added_tokens\":[{{\"id\":0,\"content\":\"[UNK]\",\
             \"single_word\":false,\"lstrip\":false,\"rstrip\":false,\"normalized\":false,\"special\":true}}],\
             \"normalizer\":{{\"type\":\"BertNormalizer\",\"clean_text\":true,\"handle_chinese_chars\":true,\"strip_accents\":null,\
             \"lowercase\":true}},\"pre_tokenizer\":{{\"type\":\"BertPreTokenizer\"}},\"post_processor\":null,\"decoder\":null,\
             \"model\":{{\"type\":\"{kind}\",\"vocab\":{vocabulary}{rest}}}}}"
        )
        .into_bytes()
    };
    let mut seeds = vec![
        small(
            "WordPiece",
            "{\"[UNK]\":0,\"a\":1,\"##b\":2,\"good\":3}",
            ",\"unk_token\":\"[UNK]\",\"continuing_subword_prefix\":\"##\",\"max_input_chars_per_word\":100",
        ),
        small(
            "BPE",
            "{\"[UNK]\":0,\"a\":1,\"b\":2,\"ab\":3}",
            ",\"merges\":[\"a b\"],\"unk_token\":\"[UNK]\",\"dropout\":null,\"byte_fallback\":false",
        ),
        small("Unigram", "[[\"[UNK]\",0.0],[\"a\",-1.0],[\"b\",-2.5]]", ",\"unk_id\":0"),
        small("WordLevel", "{\"[UNK]\":0,\"good\":1}", ",\"unk_token\":\"[UNK]\""),
        b"[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\ngood\n##s\nfilm\n".to_vec(),
        b"good\nbad\nfilm\n".to_vec(),
    ];
    seeds.extend(files("", &["txt"]));
    seeds.extend(files("tokenizers", &["json"]));
    seeds
}

fn preprocessings() -> Vec<Vec<u8>> {
    let mut seeds = vec![common::read("tests/fixtures/tiny.json")];
    let others = ["imagenet.json", "squeezenet1_1.json", "efficientnet_lite0.json"];
    seeds.extend(others.map(|name| common::read(&format!("www/public/models/{name}"))));
    seeds.push(
        br#"{"size":{"shortest_edge":256},"crop_size":{"height":224,"width":224},"do_center_crop":true,"resample":3,"crop_pct":0.875,"mean":[0.5,0.5,0.5],"std":[0.5,0.5,0.5],"input_size":[3,224,224],"interpolation":"bicubic","channel_order":"BGR","do_pad":true,"pad_size":{"height":8,"width":9}}"#
            .to_vec(),
    );
    seeds
}

fn label_files() -> Vec<Vec<u8>> {
    let known: [&[u8]; 6] = [
        b"[\"cat\",\"dog\"]",
        b"{\"0\":\"cat\",\"1\":\"dog\"}",
        b"{\"id2label\":{\"0\":\"cat\",\"1\":\"dog\"},\"label2id\":{\"cat\":0,\"dog\":1}}",
        b"cat\ndog\n",
        b"0 cat\n1 dog\n",
        b"n01440764 tench, Tinca tinca\nn01443537 goldfish\n",
    ];
    known.map(<[u8]>::to_vec).to_vec()
}

fn option_texts() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for method in adversight::attribution::registry::methods() {
        let params: serde_json::Map<_, _> =
            method.params.iter().map(|param| (param.name.clone(), param.default.clone())).collect();
        seeds.push(serde_json::json!({ "method": method.name, "target": 3, "params": params, "seed": 1, "stop": null }));
    }
    for attack in attack::registry::attacks() {
        let params: serde_json::Map<_, _> =
            attack.params.iter().map(|param| (param.name.clone(), param.default.clone())).collect();
        seeds.push(serde_json::json!({ "attack": attack.name, "params": params, "epsilon": 0.01, "steps": 2, "norm": "l2", "space": "pixel" }));
    }
    for metric in metric::registry::metrics() {
        let params: serde_json::Map<_, _> =
            metric.params.iter().map(|param| (param.name.clone(), param.default.clone())).collect();
        seeds.push(serde_json::json!({ "metric": metric.name, "params": params }));
    }
    seeds.iter().map(|seed| seed.to_string().into_bytes()).collect()
}

// --- changes ---------------------------------------------------------------------------------------

fn below(random: &mut ChaCha8Rng, bound: usize) -> usize {
    if bound == 0 { 0 } else { random.random_range(0..bound) }
}

/// Bytes are turned, put in, taken out, repeated, and mixed with those of others.
fn bytes(input: &mut Vec<u8>, others: &[Vec<u8>], random: &mut ChaCha8Rng) {
    for _ in 0..1 + below(random, 4) {
        let at = below(random, input.len());
        match below(random, 9) {
            0 if !input.is_empty() => input[at] ^= 1 << below(random, 8),
            1 if !input.is_empty() => input[at] = [0, 1, 127, 128, 255][below(random, 5)],
            2 => input.insert(at, random.random_range(0..=255)),
            3 if !input.is_empty() => drop(input.remove(at)),
            4 => input.truncate(at),
            5 => {
                let end = (at + 1 + below(random, 64)).min(input.len());
                let part = input[at.min(end)..end].to_vec();
                let to = below(random, input.len());
                input.splice(to..to, part);
            }
            6 if !others.is_empty() => {
                let other = &others[below(random, others.len())];
                let from = below(random, other.len());
                input.truncate(at);
                input.extend_from_slice(&other[from..]);
            }
            _ => {
                let number: [u32; 6] = [0, 1, 0x7fff_ffff, 0x8000_0000, u32::MAX, 0x0001_0000];
                let mut number = number[below(random, 6)].to_le_bytes();
                if random.random_bool(0.5) {
                    number.reverse();
                }
                for (offset, byte) in number.into_iter().enumerate() {
                    if let Some(there) = input.get_mut(at + offset) {
                        *there = byte;
                    }
                }
            }
        }
    }
    input.truncate(4 * LONGEST as usize);
}

/// Numbers, words and brackets of a text become others; now and then bytes do.
fn text(input: &mut Vec<u8>, others: &[Vec<u8>], random: &mut ChaCha8Rng) {
    const WORDS: [&str; 24] = [
        "0",
        "-1",
        "1e999",
        "1e-320",
        "-0.0",
        "18446744073709551616",
        "4294967295",
        "2147483648",
        "1000000000",
        "0.5",
        "null",
        "true",
        "[]",
        "{}",
        "\"\"",
        "[[[[]]]]",
        "\"\u{feff}\u{10ffff}\"",
        "\"\\ud800\"",
        "[0]",
        "[-1,1e30]",
        "{\"type\":\"Sequence\"}",
        "\"a\"",
        "NaN",
        "\"1\"",
    ];
    if random.random_bool(0.2) {
        return bytes(input, others, random);
    }
    for _ in 0..1 + below(random, 3) {
        // A token of JSON: what lies between two marks.
        let ends: Vec<usize> = input
            .iter()
            .enumerate()
            .filter(|(_, byte)| b"[]{},:\n ".contains(byte))
            .map(|(at, _)| at)
            .collect();
        if ends.len() < 2 {
            return bytes(input, others, random);
        }
        let first = below(random, ends.len() - 1);
        let last = (first + 1 + below(random, 2)).min(ends.len() - 1);
        let range = ends[first] + 1..ends[last].max(ends[first] + 1);
        match below(random, 4) {
            0 => drop(input.splice(range, [])),
            1 => {
                let part = input[range.clone()].to_vec();
                input.splice(range.start..range.start, part);
            }
            _ => {
                let word = WORDS[below(random, WORDS.len())].as_bytes().to_vec();
                input.splice(range, word);
            }
        }
    }
    input.truncate(4 * LONGEST as usize);
}

/// The parts of a graph are changed: operators, connections, attributes, sizes, types, versions.
fn structure(input: &mut Vec<u8>, others: &[Vec<u8>], random: &mut ChaCha8Rng) {
    const NUMBERS: [i64; 14] =
        [0, 1, 2, 3, -1, -2, 7, 64, 1 << 20, 0x7fff_ffff, 1 << 40, i64::MAX, i64::MIN, -(1 << 31)];
    let Ok(mut model) = ModelProto::parse_from_bytes(input) else { return bytes(input, others, random) };
    for _ in 0..1 + below(random, 3) {
        let number = NUMBERS[below(random, NUMBERS.len())];
        let graph = model.graph.mut_or_insert_default();
        let node_count = graph.node.len();
        match below(random, 12) {
            0 if node_count > 0 => {
                let known = supported_operators();
                graph.node[below(random, node_count)].op_type = known[below(random, known.len())].to_owned();
            }
            1 if node_count > 1 => {
                let other = graph.node[below(random, node_count)].output.first().cloned().unwrap_or_default();
                let inputs = &mut graph.node[below(random, node_count)].input;
                if !inputs.is_empty() {
                    let at = below(random, inputs.len());
                    inputs[at] = other;
                }
            }
            2 if node_count > 0 => {
                let inputs = &mut graph.node[below(random, node_count)].input;
                if random.random_bool(0.5) {
                    inputs.pop();
                } else if let Some(first) = inputs.first().cloned() {
                    inputs.push(first);
                }
            }
            3 | 4 if node_count > 0 => {
                let attributes = &mut graph.node[below(random, node_count)].attribute;
                if !attributes.is_empty() {
                    let at = below(random, attributes.len());
                    let attribute = &mut attributes[at];
                    attribute.i = number;
                    attribute.f = [0.0, -1.0, f32::NAN, f32::INFINITY, 1e30][below(random, 5)];
                    if !attribute.ints.is_empty() {
                        let at = below(random, attribute.ints.len());
                        match below(random, 3) {
                            0 => drop(attribute.ints.pop()),
                            1 => attribute.ints.push(number),
                            _ => attribute.ints[at] = number,
                        }
                    }
                }
            }
            5 if node_count > 0 => {
                let attributes = &mut graph.node[below(random, node_count)].attribute;
                attributes.pop();
            }
            6 | 7 if !graph.initializer.is_empty() => {
                let at = below(random, graph.initializer.len());
                let tensor = &mut graph.initializer[at];
                match below(random, 4) {
                    0 if !tensor.dims.is_empty() => {
                        let at = below(random, tensor.dims.len());
                        tensor.dims[at] = number;
                    }
                    1 => tensor.dims.push([1, number][below(random, 2)]),
                    2 => tensor.data_type = below(random, 26) as i32,
                    _ => drop(tensor.dims.pop()),
                }
            }
            8 if node_count > 1 => {
                let (one, two) = (below(random, node_count), below(random, node_count));
                graph.node.swap(one, two);
            }
            9 if node_count > 0 => drop(graph.node.remove(below(random, node_count))),
            10 => {
                for opset in &mut model.opset_import {
                    opset.version = [1, 6, 7, 9, 11, 13, 17, 18, 21, 23, 25, number][below(random, 12)];
                }
            }
            _ => {
                let at = below(random, graph.input.len());
                if let Some(value) = graph.input.get_mut(at) {
                    let kind = value.type_.mut_or_insert_default().mut_tensor_type();
                    let dims = &mut kind.shape.mut_or_insert_default().dim;
                    match below(random, 3) {
                        0 => drop(dims.pop()),
                        1 if !dims.is_empty() => {
                            let at = below(random, dims.len());
                            dims[at].set_dim_value(number);
                        }
                        _ => kind.elem_type = below(random, 26) as i32,
                    }
                }
            }
        }
    }
    if let Ok(changed) = model.write_to_bytes() {
        *input = changed;
    }
}

// --- readers ---------------------------------------------------------------------------------------

fn said(error: impl std::fmt::Display, code: &str) -> Option<String> {
    Some(format!("[{code}] {error}"))
}

/// Watches nothing, and stops after some steps.
fn few_steps() -> Control<'static> {
    let left = std::cell::Cell::new(6);
    Control {
        is_cancelled: Box::new(move || {
            left.set(left.get() - 1);
            left.get() < 0
        }),
        ..Control::default()
    }
}

fn run(explainer: &Explainer) -> adversight::Result<()> {
    let shape = [vec![1], explainer.model().sample_shape()?].concat();
    let size = shape.iter().try_fold(1usize, |size, &dim| size.checked_mul(dim)).unwrap_or(usize::MAX);
    if size > 50_000 {
        return Ok(());
    }
    let input = HostTensor::new((0..size).map(|i| (i % 7) as f32 / 7.0).collect(), shape)?;
    pollster::block_on(explainer.classify(&Input::Tensor(&input), 3))?;
    let options = ExplainOptions { method: "saliency".into(), ..Default::default() };
    pollster::block_on(explainer.explain(&Input::Tensor(&input), &options, &few_steps()))?;
    Ok(())
}

fn onnx(bytes: &[u8]) -> Option<String> {
    let _ = inspect(bytes);
    let loaded = Explainer::load(bytes, &common::cpu());
    match loaded.and_then(|explainer| run(&explainer)) {
        Ok(()) => None,
        Err(error) => said(&error, error.code()),
    }
}

/// The tiny network with its first weights outside.
fn external(bytes: &[u8]) -> Option<String> {
    let mut model = tiny();
    let number = |at: usize| u64::from(bytes.get(at).copied().unwrap_or_default());
    let tensor = first_weights(&mut model);
    let offset = number(0) << (number(1) % 56);
    let length = if number(3) == 255 { tensor.raw_data.len() as u64 } else { number(2) << (number(3) % 56) };
    tensor.raw_data = Vec::new().into();
    // data_location: EXTERNAL; the enum itself is not public.
    tensor.data_location = TensorProto::parse_from_bytes(&[0x70, 0x01]).unwrap().data_location;
    for (key, value) in
        [("location", "weights".to_owned()), ("offset", offset.to_string()), ("length", length.to_string())]
    {
        tensor.external_data.push(Default::default());
        let entry = tensor.external_data.last_mut().unwrap();
        (entry.key, entry.value) = (key.into(), value);
    }
    let file = model.write_to_bytes().unwrap();
    // What a host gives may be as long as was asked for, or not.
    let beside = |_: &str, _: u64, _: Option<u64>| Ok(bytes.get(4..).unwrap_or_default().to_vec());
    let file = ModelFile { bytes: &file, external: Some(&beside) };
    match Explainer::load_with(&file, &ModelOptions::default(), &common::cpu()) {
        Ok(explainer) => run(&explainer).err().and_then(|error| said(&error, error.code())),
        Err(error) => said(&error, error.code()),
    }
}

fn tokenizer(bytes: &[u8]) -> Option<String> {
    let tokenizer = match Tokenizer::read(bytes, &Options::default()) {
        Ok(tokenizer) => tokenizer,
        Err(error) => return said(&error, error.code()),
    };
    for text in [
        "",
        "a good film",
        "\u{1f600} a\u{301}\u{0}\u{200d} \u{5b57}b",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n\t",
    ] {
        match tokenizer.encode(text, None) {
            Ok(tokens) => drop(tokens),
            // No text is no fault of the tokenizer.
            Err(_) if text.is_empty() => {}
            Err(error) => return said(&error, error.code()),
        }
        let _ = tokenizer.encode(text, Some("b"));
    }
    let _ = tokenizer.piece(-1);
    None
}

fn preprocessing(bytes: &[u8]) -> Option<String> {
    let found = Preprocessing::from_json(&String::from_utf8_lossy(bytes));
    let photograph = Photograph::from_rgba(&[200; 4 * 7 * 5], 7, 5).unwrap();
    match found.and_then(|found| photograph.prepare(&found, None)) {
        Ok(_) => None,
        Err(error) => said(&error, error.code()),
    }
}

fn preparation(bytes: &[u8]) -> Option<String> {
    match SoundPreparation::from_json(&String::from_utf8_lossy(bytes)) {
        Ok(_) => None,
        Err(error) => said(&error, error.code()),
    }
}

fn labels(bytes: &[u8]) -> Option<String> {
    match Labels::from_text(&String::from_utf8_lossy(bytes)).and_then(|labels| labels.fit(2)) {
        Ok(_) => None,
        Err(error) => said(&error, error.code()),
    }
}

fn image(bytes: &[u8]) -> Option<String> {
    match Photograph::decode(bytes) {
        Ok(photograph) => {
            let size = Preprocessing::imagenet(16);
            photograph.prepare(&size, None).err().and_then(|error| said(&error, error.code()))
        }
        Err(error) => said(&error, error.code()),
    }
}

fn sound(bytes: &[u8]) -> Option<String> {
    match adversight_sound::decode(bytes) {
        Ok(sound) => {
            assert!(sound.mixed().len() == sound.length(), "a sound has another length than it says");
            None
        }
        Err(error) => said(&error, error.code()),
    }
}

/// The options of a method, of an attack or of a metric, tried on the tiny network for some steps.
fn options(bytes: &[u8]) -> Option<String> {
    thread_local! {
        static TINY: (Explainer, HostTensor, HostTensor) = (
            common::tiny(&common::cpu()),
            common::npy("tests/fixtures/tiny/a.model.npy"),
            common::npy("tests/fixtures/tiny/a_gradient_top.npy"),
        );
    }
    let json: serde_json::Value = match serde_json::from_slice(bytes) {
        Ok(json) => json,
        Err(_) => return Some("no JSON".into()),
    };
    TINY.with(|(explainer, input, map)| {
        let control = few_steps();
        let tensor = Input::Tensor(input);
        let found = if json.get("attack").is_some() {
            let options: AttackOptions = match serde_json::from_value(json) {
                Ok(options) => options,
                Err(error) => return said(error, "json"),
            };
            pollster::block_on(attack::attack(explainer, input, &options, 3, &control)).map(|_| ())
        } else if let Some(name) = json.get("metric") {
            let params =
                json.get("params").and_then(|params| params.as_object()).cloned().unwrap_or_default();
            let saliency = ExplainOptions { method: "saliency".into(), ..Default::default() };
            Assessment::new(explainer, input, map, 6, &control)
                .and_then(|assessment| assessment.with_method(&saliency))
                .and_then(|assessment| {
                    let name = name.as_str().unwrap_or_default();
                    pollster::block_on(metric::measure(&assessment, name, &params)).map(|_| ())
                })
        } else {
            let options: ExplainOptions = match serde_json::from_value(json) {
                Ok(options) => options,
                Err(error) => return said(error, "json"),
            };
            pollster::block_on(explainer.explain(&tensor, &options, &control)).map(|_| ())
        };
        found.err().and_then(|error| said(&error, error.code()))
    })
}

// --- the loop --------------------------------------------------------------------------------------

/// What was wrong with an input; nothing where it was taken or refused as it should be.
fn fault(target: &Target, input: &[u8]) -> (Option<String>, Option<String>) {
    *PANIC.lock().unwrap() = None;
    let started = Instant::now();
    let (most, found) = counting::most_of(|| catch_unwind(AssertUnwindSafe(|| (target.read)(input))));
    let took = started.elapsed();
    let panicked = PANIC.lock().unwrap().take();
    let fault = match (&found, panicked) {
        (_, Some(place)) => Some(place),
        (Err(_), None) => Some("a panic".into()),
        _ if took > LIMIT => Some(format!("it took {took:?}")),
        _ if most > MEMORY => Some(format!("it held {} MiB", most >> 20)),
        (Ok(Some(error)), _) if error.starts_with("[internal]") => Some(error.clone()),
        _ => None,
    };
    (fault, found.ok().flatten())
}

/// An error without its numbers and names: the reason alone.
fn reason(error: &str) -> String {
    let mut quoted = false;
    let kept = error.chars().filter(|&char| {
        if char == '"' {
            quoted = !quoted;
        }
        !quoted && !char.is_ascii_digit()
    });
    kept.take(120).collect()
}

#[derive(Default)]
struct Tried {
    executions: usize,
    taken: usize,
    reasons: BTreeSet<String>,
    /// The first input of each fault.
    faults: BTreeMap<String, PathBuf>,
}

fn fuzz(target: &Target, seed: u64, go_on: impl Fn(usize) -> bool, kept_at: &Path) -> Tried {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut corpus = (target.seeds)();
    assert!(!corpus.is_empty(), "{} has no seeds", target.name);
    let known = common::root().join("tests/fixtures/fuzz").join(target.name);
    let again: Vec<Vec<u8>> = fs::read_dir(known)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| fs::read(entry.path()).ok())
        .collect();
    let given = corpus.len();
    let mut tried = Tried::default();
    fs::create_dir_all(kept_at).unwrap();
    let current = kept_at.join(format!("{}.current", target.name));
    while tried.executions < again.len() || go_on(tried.executions) {
        let input = match again.get(tried.executions) {
            Some(known) => known.clone(),
            None => {
                let mut input = corpus[below(&mut random, corpus.len())].clone();
                (target.change)(&mut input, &corpus, &mut random);
                input
            }
        };
        // What ends the whole process is found here afterwards.
        fs::write(&current, &input).unwrap();
        let (fault, error) = fault(target, &input);
        tried.executions += 1;
        if let Some(fault) = fault {
            let path =
                kept_at.join(format!("{}-{:x}", target.name, common::generated::crc32(&reason(&fault))));
            tried.faults.entry(reason(&fault)).or_insert_with(|| {
                fs::write(&path, &input).unwrap();
                eprintln!("{}: {fault} ({})", target.name, path.display());
                path
            });
        }
        match error {
            None => tried.taken += 1,
            Some(error) => {
                if tried.reasons.insert(reason(&error)) && input.len() as u64 <= LONGEST {
                    // A new reason: a new part of the code.
                    if corpus.len() >= given + 400 {
                        corpus.swap_remove(given + below(&mut random, 400));
                    }
                    corpus.push(input);
                }
            }
        }
    }
    let _ = fs::remove_file(current);
    if std::env::var_os("ADVERSIGHT_FUZZ_REASONS").is_some() {
        tried.reasons.iter().for_each(|reason| println!("    {reason}"));
    }
    tried
}

#[test]
fn what_strangers_send_is_taken_or_refused() {
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map(|at| format!("panicked at {}:{}", at.file(), at.line()));
        *PANIC.lock().unwrap() = Some(place.unwrap_or_else(|| "panicked".into()));
    }));
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<f64>().ok());
    let minutes = number("ADVERSIGHT_FUZZ_MINUTES");
    let only = std::env::var("ADVERSIGHT_FUZZ_TARGET").ok();
    let chosen: Vec<&Target> =
        TARGETS.iter().filter(|target| only.as_deref().is_none_or(|only| only == target.name)).collect();
    assert!(!chosen.is_empty(), "there is no such target: {only:?}");
    let now =
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64);
    let seed = match minutes {
        None => 0,
        Some(_) => number("ADVERSIGHT_FUZZ_SEED").map_or(now % 1_000_000_000, |seed| seed as u64),
    };
    let kept_at =
        option_env!("CARGO_TARGET_TMPDIR").map_or_else(std::env::temp_dir, PathBuf::from).join("fuzz");
    let mut faults = Vec::new();
    println!("seed {seed}");
    for target in &chosen {
        let started = Instant::now();
        let time = minutes.map(|minutes| Duration::from_secs_f64(60.0 * minutes / chosen.len() as f64));
        let go_on = |done: usize| match time {
            Some(time) => started.elapsed() < time,
            None => done < USUAL && started.elapsed() < Duration::from_secs(20),
        };
        let tried = fuzz(target, seed, go_on, &kept_at);
        println!(
            "{:18} {:>9} executions in {:>6.1} s, {} taken, {} reasons to refuse, {} faults",
            target.name,
            tried.executions,
            started.elapsed().as_secs_f64(),
            tried.taken,
            tried.reasons.len(),
            tried.faults.len()
        );
        faults.extend(
            tried
                .faults
                .into_iter()
                .map(|(fault, path)| format!("{}: {fault}: {}", target.name, path.display())),
        );
    }
    let _ = std::panic::take_hook();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
