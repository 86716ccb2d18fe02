//! Nodes that are wrong in every way that a file can make them: wrong ranks, sizes, kinds, indices and attributes. Each
//! must run or be refused by a typed error. A panic would end a wasm module, and a size that a file only claims must not
//! take memory.

// A program of its own: it watches the whole process.
#[path = "it/common/mod.rs"]
mod common;
mod counting;

use std::{
    collections::{BTreeMap, BTreeSet},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Mutex,
    time::{Duration, Instant},
};

use adversight::{
    Device, Score,
    model::{HostValue, Model, ModelFile, Runner, supported_operators},
};
use burn::tensor::{Tensor, TensorData};
use common::operators::{Case, Draw, cases, declared, element, ints, model, node, reals, scores, whole};
use onnx_ir::AttributeProto;

/// The longest that all operators together may take; what is not done by then is not tried.
const TIME: Duration = Duration::from_secs(15);
/// What a node with inputs of some thousand elements may hold at once: the engine's largest result, which it refuses to go
/// beyond, and two copies of it on the way.
const MEMORY: usize = 3 << 30;

/// Where the last panic was; burn computes on threads of its own, too.
static PANIC: Mutex<Option<String>> = Mutex::new(None);

const NUMBERS: [i64; 16] =
    [0, 1, 2, 3, 5, 7, -1, -2, -3, -7, 100, 1 << 20, 0x7fff_ffff, 1 << 40, i64::MAX, i64::MIN];

/// Changes one thing.
fn broken(case: &mut Case, draw: &mut Draw) {
    if case.inputs.is_empty() || draw.size(0, 2) == 0 {
        attribute(&mut case.attributes, draw);
        return;
    }
    let at = draw.size(0, case.inputs.len() - 1);
    match draw.size(0, 6) {
        0 => case.inputs[at] = None,
        1 => case.inputs.truncate(at),
        2 => case.inputs.push(Some(anything(draw))),
        3 => case.inputs[at] = Some(anything(draw)),
        4 => {
            let other = draw.size(0, case.inputs.len() - 1);
            case.inputs.swap(at, other);
        }
        _ => {
            if let Some(input) = &mut case.inputs[at] {
                misshapen(input, draw);
            }
        }
    }
}

/// A value of any kind, rank and size.
fn anything(draw: &mut Draw) -> HostValue {
    let rank = draw.size(0, 6);
    let shape: Vec<usize> = (0..rank).map(|_| draw.of(&[0, 1, 1, 2, 3, 5])).collect();
    let count = shape.iter().product::<usize>();
    match draw.size(0, 3) {
        0 => HostValue::Bool { data: (0..count).map(|_| draw.coin()).collect(), shape },
        1 => whole(&(0..count).map(|_| draw.of(&NUMBERS)).collect::<Vec<_>>(), &shape),
        _ => {
            let numbers = [0.0, 1.0, -1.5, 0.3, 1e30, f32::INFINITY, f32::NAN];
            reals((0..count).map(|_| draw.of(&numbers)).collect(), &shape)
        }
    }
}

/// Another number, another size of one dimension, or another rank, with values of the same kind.
fn misshapen(input: &mut HostValue, draw: &mut Draw) {
    if let HostValue::Int { data, .. } = input
        && draw.coin()
        && !data.is_empty()
    {
        let at = draw.size(0, data.len() - 1);
        data[at] = draw.of(&NUMBERS);
        return;
    }
    let mut shape = input.shape().to_vec();
    match draw.size(0, 3) {
        0 => shape.insert(draw.size(0, shape.len()), draw.size(0, 2)),
        1 if !shape.is_empty() => drop(shape.remove(draw.size(0, shape.len() - 1))),
        _ if !shape.is_empty() => {
            let at = draw.size(0, shape.len() - 1);
            shape[at] = draw.of(&[0, 1, shape[at] + 1, shape[at].saturating_sub(1), 7]);
        }
        _ => {}
    }
    shape.truncate(6);
    let count = shape.iter().product::<usize>();
    *input = match input {
        HostValue::Float { data, .. } => reals(repeated(data, 0.5, count), &shape),
        HostValue::Int { data, .. } => whole(&repeated(data, 1, count), &shape),
        HostValue::Bool { data, .. } => HostValue::Bool { data: repeated(data, true, count), shape },
    };
}

fn repeated<T: Copy>(values: &[T], other: T, count: usize) -> Vec<T> {
    (0..count).map(|at| values.get(at % values.len().max(1)).copied().unwrap_or(other)).collect()
}

/// Every attribute that some operator reads as a number or a list of numbers.
const LISTS: [&str; 11] = [
    "axes",
    "pads",
    "strides",
    "dilations",
    "kernel_shape",
    "output_padding",
    "output_shape",
    "perm",
    "split",
    "starts",
    "shape",
];

const WORDS: [&str; 14] = [
    "",
    "SAME_UPPER",
    "SAME_LOWER",
    "VALID",
    "nearest",
    "linear",
    "cubic",
    "tf_crop_and_resize",
    "half_pixel_symmetric",
    "reflect",
    "bidirectional",
    "mul",
    "ij...,...k->ki",
    "\u{e9}",
];

fn attribute(attributes: &mut Vec<AttributeProto>, draw: &mut Draw) {
    if attributes.is_empty() || draw.size(0, 3) == 0 {
        let length = draw.size(0, 6);
        let values: Vec<i64> = (0..length).map(|_| draw.of(&NUMBERS)).collect();
        let name = draw.of(&LISTS);
        attributes.retain(|attribute| attribute.name != name);
        attributes.push(ints(name, &values));
        return;
    }
    let at = draw.size(0, attributes.len() - 1);
    let attribute = &mut attributes[at];
    match draw.size(0, 5) {
        0 => drop(attributes.remove(at)),
        1 => attribute.ints.push(draw.of(&NUMBERS)),
        2 if !attribute.s.is_empty() => attribute.s = draw.of(&WORDS).as_bytes().to_vec().into(),
        2 => drop(attribute.ints.pop()),
        _ => {
            attribute.i = draw.of(&NUMBERS);
            attribute.f = draw.of(&[0.0, -1.0, 1e30, f32::NAN, f32::NEG_INFINITY, 0.5]);
            let length = attribute.ints.len();
            if length > 0 {
                attribute.ints[draw.size(0, length - 1)] = draw.of(&NUMBERS);
            }
        }
    }
}

/// Loads and runs a case, its first `fixed` inputs given at run time and the others in the file.
fn run(case: &Case, open: &[usize], kind: i32, device: &Device) -> Result<(), adversight::Error> {
    let given = open.iter().filter_map(|&index| Some((index, case.inputs.get(index)?.clone()?)));
    let given: Vec<(usize, HostValue)> = given.collect();
    let inputs = given
        .iter()
        .map(|(index, value)| {
            let element = if matches!(value, HostValue::Int { .. }) { kind } else { element(value) };
            declared(&format!("in{index}"), element, None)
        })
        .collect();
    let outputs = (0..case.outputs).map(|index| declared(&format!("out{index}"), 1, None)).collect();
    let bytes = model(case.opset, vec![case.node()], case.weights(open), inputs, outputs);
    let runner = Runner::load(&ModelFile::from(&bytes[..]), device)?;
    let values: BTreeMap<String, HostValue> =
        given.into_iter().map(|(index, value)| (format!("in{index}"), value)).collect();
    let found = pollster::block_on(runner.run(values))?;
    // The way back, where there may be one.
    let outputs =
        found.get(case.read).map(|(_, output)| output.len()).filter(|count| (1..10_000).contains(count));
    let inputs = case.inputs.iter().enumerate();
    let mut real =
        inputs.filter(|(_, input)| matches!(input, Some(HostValue::Float { data, .. }) if !data.is_empty()));
    if let (Some(outputs), Some((wrt, Some(HostValue::Float { data, .. })))) = (outputs, real.next()) {
        backward(&scores(case, wrt, &vec![1.0; outputs]), data, device)?;
    }
    Ok(())
}

fn backward(bytes: &[u8], x: &[f32], device: &Device) -> Result<(), adversight::Error> {
    let model = Model::load(bytes, device)?;
    let input = Tensor::<2>::from_data(TensorData::new(x.to_vec(), [1, x.len()]), device.burn());
    model.gradient(input.into(), &[0], Score::Logit).map(drop)
}

/// Runs one node on numbers, with what else it takes.
fn computed(node: onnx_ir::NodeProto, x: HostValue, rest: Vec<onnx_ir::TensorProto>) -> HostValue {
    let (inputs, outputs) = (vec![declared("x", 1, None)], vec![declared("y", 1, None)]);
    let bytes = model(17, vec![node], rest, inputs, outputs);
    let runner = Runner::load(&ModelFile::from(&bytes[..]), &common::cpu()).unwrap();
    pollster::block_on(runner.run(BTreeMap::from([("x".to_owned(), x)]))).unwrap().remove(0).1
}

/// The mask of attention is a triangle of minus infinity, whose other half is zero and not a number times infinity.
#[test]
fn infinities_beside_zeros_are_kept() {
    let low = f32::NEG_INFINITY;
    let mut trilu = node("Trilu", ["x", "k"], "y");
    trilu.attribute = vec![common::operators::int("upper", 1)];
    let one = common::operators::initializer("k", &whole(&[1], &[]));
    let mask = computed(trilu, reals(vec![low; 4], &[2, 2]), vec![one]);
    assert_eq!(mask, reals(vec![0.0, low, 0.0, 0.0], &[2, 2]));
    let mut sum = node("ReduceLogSumExp", ["x", ""], "y");
    sum.input.truncate(1);
    assert_eq!(computed(sum, reals(vec![low; 2], &[2]), Vec::new()), reals(vec![low], &[1]));
}

#[test]
fn wrong_nodes_are_refused_without_a_panic() {
    let known: BTreeSet<&str> = cases(&mut Draw::seeded(0)).iter().map(|case| case.operator).collect();
    let missing: Vec<_> = supported_operators().iter().filter(|name| !known.contains(*name)).collect();
    assert!(missing.is_empty(), "operators without a case: {missing:?}");

    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(|info| {
        *PANIC.lock().unwrap_or_else(|lock| lock.into_inner()) = Some(info.to_string());
    }));
    let device = common::cpu();
    let start = Instant::now();
    let mut faults: BTreeMap<String, String> = BTreeMap::new();
    let (mut tried, mut accepted, mut rounds) = (0, 0, 0);
    let mut slowest = (Duration::ZERO, String::new());
    // Another seed, where a search is wanted.
    let first: u64 = std::env::var("ADVERSIGHT_FUZZ_SEED").map_or(0, |seed| seed.parse().unwrap());
    'all: for seed in first..first + 100 {
        let mut draw = Draw::seeded(seed);
        for sound in cases(&mut draw) {
            if start.elapsed() > TIME {
                break 'all;
            }
            let mut case = sound;
            for _ in 0..draw.size(1, 2) {
                broken(&mut case, &mut draw);
            }
            let open: Vec<usize> = (0..case.inputs.len()).filter(|_| draw.coin()).collect();
            let kind = draw.of(&[2, 3, 6, 7, 7]);
            let began = Instant::now();
            let (grown, found) =
                counting::most_of(|| catch_unwind(AssertUnwindSafe(|| run(&case, &open, kind, &device))));
            let took = began.elapsed();
            tried += 1;
            let said = PANIC.lock().unwrap_or_else(|lock| lock.into_inner()).take();
            let shapes: Vec<Option<&[usize]>> =
                case.inputs.iter().map(|input| input.as_ref().map(HostValue::shape)).collect();
            let attributes: Vec<_> =
                case.attributes.iter().map(|a| (a.name.as_str(), a.i, a.f, &a.ints)).collect();
            let what = || format!("{} of {shapes:?} with {attributes:?}", case.operator);
            if took > slowest.0 {
                slowest = (took, what());
            }
            // Burn adds and multiplies whole numbers without a check: they wrap in a release build, and only a debug
            // build makes a panic of it.
            let wrapped = |said: &str| {
                let sum =
                    ["attempt to add", "attempt to subtract", "attempt to multiply", "attempt to negate"];
                said.contains("/burn-") && sum.iter().any(|what| said.contains(what))
            };
            if said.as_deref().is_some_and(wrapped) {
                continue;
            }
            let fault = match (found, said) {
                (Err(_), said) => Some(format!("a panic: {}", said.unwrap_or_default())),
                (Ok(_), Some(said)) => Some(format!("a panic on another thread: {said}")),
                // Numbers that the declared type cannot hold are the input's fault.
                (Ok(Err(error)), _)
                    if !matches!(error.code(), "model_invalid" | "model_unsupported" | "input_invalid") =>
                {
                    Some(format!("[{}] {error}", error.code()))
                }
                _ if grown > MEMORY => Some(format!("{} MiB", grown >> 20)),
                (Ok(found), _) => {
                    accepted += usize::from(found.is_ok());
                    None
                }
            };
            if let Some(fault) = fault {
                // One of a kind: the operator and the place.
                let kind = format!("{} {}", case.operator, fault.lines().next().unwrap_or_default());
                faults.entry(kind).or_insert_with(|| format!("{}: {fault}", what()));
            }
        }
        rounds = seed + 1 - first;
    }
    std::panic::set_hook(usual);
    println!("{tried} nodes in {rounds} rounds, {accepted} of them run; the slowest took {slowest:?}");
    let faults: Vec<String> = faults.into_values().collect();
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
    assert!(rounds >= 3, "only {rounds} rounds in {TIME:?}; the slowest took {slowest:?}");
    assert!(accepted > tried / 20 && accepted < tried, "{accepted} of {tried} ran");
}
