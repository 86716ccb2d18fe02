//! Files that must be refused: damaged, contradictory, absurd. Each gets a typed error that names the node at
//! fault, soon, and with little memory; a panic, even a caught one, would end a wasm module and fails the test.

// A program of its own: it watches the whole process.
#[path = "it/common/mod.rs"]
mod common;

use std::{
    panic,
    sync::{
        Mutex, Once, PoisonError,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use adversight::{
    Error, Explainer,
    model::{ModelFile, ModelOptions, inspect},
};
use common::generated;
use onnx_ir::{AttributeProto, AttributeType, GraphProto, Message, ModelProto, NodeProto, TensorProto};

/// A file may take this long; each is tiny.
const LIMIT: Duration = Duration::from_secs(20);
/// Address space that a whole test may add: threads' stacks and arenas, and no tensor of gigabytes.
const MEMORY: usize = 3 << 30;

// --- building models -------------------------------------------------------------------------------

fn attribute(name: &str, kind: AttributeType) -> AttributeProto {
    AttributeProto { name: name.into(), type_: kind.into(), ..Default::default() }
}

fn int(name: &str, i: i64) -> AttributeProto {
    AttributeProto { i, ..attribute(name, AttributeType::INT) }
}

fn ints(name: &str, ints: &[i64]) -> AttributeProto {
    AttributeProto { ints: ints.to_vec(), ..attribute(name, AttributeType::INTS) }
}

fn float(name: &str, f: f32) -> AttributeProto {
    AttributeProto { f, ..attribute(name, AttributeType::FLOAT) }
}

fn floats(name: &str, floats: &[f32]) -> AttributeProto {
    AttributeProto { floats: floats.to_vec(), ..attribute(name, AttributeType::FLOATS) }
}

fn text(name: &str, s: &str) -> AttributeProto {
    AttributeProto { s: s.as_bytes().to_vec().into(), ..attribute(name, AttributeType::STRING) }
}

fn graph_of(name: &str, graph: GraphProto) -> AttributeProto {
    AttributeProto { g: Some(graph).into(), ..attribute(name, AttributeType::GRAPH) }
}

/// A node whose inputs are named in one string, parted by spaces; "_" leaves one out.
fn node(operator: &str, inputs: &str, output: &str, attributes: &[AttributeProto]) -> NodeProto {
    NodeProto {
        name: if output == "output" { "odd_one".into() } else { format!("before_{output}") },
        op_type: operator.into(),
        input: inputs.split_whitespace().map(|name| name.trim_matches('_').to_owned()).collect(),
        output: output.split_whitespace().map(str::to_owned).collect(),
        attribute: attributes.to_vec(),
        ..Default::default()
    }
}

/// The node at fault, whose output is the model's.
fn odd(operator: &str, inputs: &str, attributes: &[AttributeProto]) -> NodeProto {
    node(operator, inputs, "output", attributes)
}

const FLOAT: i32 = 1;
const INT64: i32 = 7;

/// Weights all 0.1.
fn weight(name: &str, dims: &[i64]) -> TensorProto {
    let count = dims.iter().product::<i64>().max(0) as usize;
    TensorProto {
        name: name.into(),
        dims: dims.to_vec(),
        data_type: FLOAT,
        raw_data: 0.1f32.to_le_bytes().repeat(count).into(),
        ..Default::default()
    }
}

fn numbers(name: &str, values: &[f32]) -> TensorProto {
    TensorProto {
        raw_data: values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>().into(),
        ..weight(name, &[values.len() as i64])
    }
}

fn integers(name: &str, values: &[i64]) -> TensorProto {
    TensorProto {
        name: name.into(),
        dims: vec![values.len() as i64],
        data_type: INT64,
        int64_data: values.to_vec(),
        ..Default::default()
    }
}

fn integer(name: &str, value: i64) -> TensorProto {
    TensorProto { dims: Vec::new(), ..integers(name, &[value]) }
}

/// A model from "input", float32 [batch, 3, 8, 8], to "output".
fn model(nodes: impl Into<Vec<NodeProto>>, weights: impl Into<Vec<TensorProto>>) -> ModelProto {
    let mut model = ModelProto { ir_version: 8, ..Default::default() };
    model.opset_import.push(Default::default());
    model.opset_import[0].version = 17;
    let graph = model.graph.mut_or_insert_default();
    graph.name = "broken".into();
    graph.node = nodes.into();
    graph.initializer = weights.into();
    graph.output.push(Default::default());
    graph.output[0].name = "output".into();
    graph.output[0].type_.mut_or_insert_default().mut_tensor_type().elem_type = FLOAT;
    with_input(model, &[-1, 3, 8, 8])
}

/// The same with another input shape; -1 stands for the batch.
fn with_input(mut model: ModelProto, dims: &[i64]) -> ModelProto {
    let graph = model.graph.mut_or_insert_default();
    graph.input = vec![Default::default()];
    graph.input[0].name = "input".into();
    let tensor = graph.input[0].type_.mut_or_insert_default().mut_tensor_type();
    tensor.elem_type = FLOAT;
    let shape = tensor.shape.mut_or_insert_default();
    for &size in dims {
        shape.dim.push(Default::default());
        let dim = shape.dim.last_mut().unwrap();
        if size == -1 {
            dim.set_dim_param("batch".into());
        } else {
            dim.set_dim_value(size);
        }
    }
    model
}

fn with_opset(mut model: ModelProto, version: i64) -> ModelProto {
    model.opset_import[0].version = version;
    model
}

/// A sound model, to be broken.
fn sound() -> ModelProto {
    model([node("Conv", "input w", "c", &[]), odd("Relu", "c", &[])], [weight("w", &[4, 3, 3, 3])])
}

fn changed(change: impl FnOnce(&mut GraphProto)) -> ModelProto {
    let mut model = sound();
    change(model.graph.mut_or_insert_default());
    model
}

fn changed_weight(change: impl FnOnce(&mut TensorProto)) -> ModelProto {
    changed(|graph| change(&mut graph.initializer[0]))
}

/// The data of the sound model's weight lies elsewhere.
fn outside(entries: &[(&str, &str)]) -> ModelProto {
    changed_weight(|weight| {
        // data_location: EXTERNAL; the enum itself is not public.
        let external = TensorProto::parse_from_bytes(&[0x70, 0x01]).unwrap();
        weight.raw_data.clear();
        weight.data_location = external.data_location;
        for (key, value) in entries {
            weight.external_data.push(Default::default());
            let entry = weight.external_data.last_mut().unwrap();
            (entry.key, entry.value) = ((*key).into(), (*value).into());
        }
    })
}

// --- loading them ----------------------------------------------------------------------------------

static PANICS: AtomicUsize = AtomicUsize::new(0);

fn count_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            // The tests' own failures are panics too.
            if info.location().is_none_or(|location| !location.file().starts_with("tests")) {
                PANICS.fetch_add(1, Ordering::SeqCst);
            }
            usual(info);
        }));
    });
}

/// What became of a file: an error, or `None` where it was accepted.
fn load(what: &str, bytes: Vec<u8>) -> Option<Error> {
    count_panics();
    // The hook sees every thread's panics, so one file is loaded at a time.
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let before = PANICS.load(Ordering::SeqCst);
    let (send, receive) = mpsc::channel();
    let worker = thread::spawn(move || {
        let external = |location: &str, offset: u64, length: Option<u64>| match location {
            "short" => Ok(vec![0; 8]),
            "absent" => Err("there is no such file".to_owned()),
            _ => generated::external(location, offset, length),
        };
        let file = ModelFile { bytes: &bytes, external: Some(&external) };
        let _ = inspect(&bytes);
        let loaded = Explainer::load_with(&file, &ModelOptions::default(), &common::cpu());
        let _ = send.send(loaded.err());
    });
    let found = receive.recv_timeout(LIMIT);
    match found {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("{what}: no answer after {LIMIT:?}"),
        Err(mpsc::RecvTimeoutError::Disconnected) => panic!("{what}: a panic"),
        Ok(error) => {
            worker.join().unwrap();
            assert_eq!(PANICS.load(Ordering::SeqCst), before, "{what}: a panic was caught: {error:?}");
            if let Some(error) = &error {
                assert!(
                    matches!(error.code(), "model_malformed" | "model_unsupported" | "model_invalid"),
                    "{what}: [{}] {error}",
                    error.code()
                );
            }
            error
        }
    }
}

/// The most address space that this process has had, where the system tells.
fn peak_memory() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmPeak:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).map_or(0, |kib: usize| kib << 10)
}

/// Loads every model of a list; all must be refused, at the node at fault where there is one.
fn refused(cases: Vec<(&str, Option<&str>, ModelProto)>) {
    let before = peak_memory();
    let mut faults = Vec::new();
    for (what, node, model) in cases {
        let loaded = panic::catch_unwind(|| load(what, model.write_to_bytes().unwrap()));
        match loaded {
            Ok(Some(error)) => {
                println!("{what}: [{}] {error}", error.code());
                if node.is_some() && error.node() != node {
                    faults.push(format!("{what}: names {:?}: {error}", error.node()));
                }
            }
            Ok(None) => faults.push(format!("{what}: accepted")),
            Err(payload) => {
                let said = payload.downcast_ref::<String>().cloned().unwrap_or_default();
                faults.push(format!("{what}: {said}"));
            }
        }
    }
    let grown = peak_memory().saturating_sub(before);
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
    assert!(grown < MEMORY, "{} MiB", grown >> 20);
}

/// Node-level cases: a name, the nodes and the weights.
fn refused_at_the_node(cases: Vec<(&str, NodeProto, Vec<TensorProto>)>) {
    let whole = |(what, node, weights)| (what, Some("odd_one"), model([node], weights));
    refused(cases.into_iter().map(whole).collect());
}

// --- the cases -------------------------------------------------------------------------------------

#[test]
fn the_sound_model_is_accepted() {
    assert_eq!(load("the sound model", sound().write_to_bytes().unwrap()), None);
    let other = outside(&[("location", "generated:1:0.1:0.0"), ("length", "432")]);
    assert_eq!(load("with its weight elsewhere", other.write_to_bytes().unwrap()), None);
}

#[test]
fn graphs_that_are_none() {
    let relu = |input: &str, output: &str, name: &str| NodeProto {
        name: name.into(),
        ..node("Relu", input, output, &[])
    };
    refused(vec![
        ("nothing but a version", None, ModelProto { ir_version: 8, ..Default::default() }),
        ("no nodes", None, changed(|graph| graph.node.clear())),
        ("no opset", None, {
            let mut model = sound();
            model.opset_import.clear();
            model
        }),
        ("no input", Some("before_c"), changed(|graph| graph.input.clear())),
        ("no output", None, changed(|graph| graph.output.clear())),
        ("an output that nobody computes", None, changed(|graph| graph.output[0].name = "elsewhere".into())),
        ("a node that feeds itself", Some("odd_one"), model([relu("output", "output", "odd_one")], [])),
        (
            "a cycle of three",
            Some("odd_one"),
            model([relu("b", "a", "odd_one"), relu("a", "b", "two"), relu("b", "output", "three")], []),
        ),
        ("a missing initialiser", Some("before_c"), changed(|graph| graph.initializer.clear())),
        (
            "two nodes that compute one value",
            None,
            model([relu("input", "output", "odd_one"), relu("input", "output", "odd_two")], []),
        ),
        ("a node without an operator", Some("odd_one"), model([odd("", "input", &[])], [])),
        ("an operator that is none", Some("odd_one"), model([odd("Twirl", "input", &[])], [])),
        ("an operator of another domain", Some("odd_one"), {
            let mut node = odd("Relu", "input", &[]);
            node.domain = "com.example".into();
            model([node], [])
        }),
        ("a node without inputs", Some("odd_one"), model([odd("Conv", "", &[])], [])),
        ("a node with one input too few", Some("odd_one"), model([odd("Conv", "input", &[])], [])),
        ("a node whose input is left out", Some("odd_one"), model([odd("Add", "input _", &[])], [])),
        ("an input without a type", None, changed(|graph| graph.input[0].type_ = None.into())),
        (
            "an input of strings",
            None,
            changed(|graph| graph.input[0].type_.mut_or_insert_default().mut_tensor_type().elem_type = 8),
        ),
        (
            "an input that is a sequence",
            None,
            changed(|graph| {
                graph.input[0].type_.mut_or_insert_default().mut_sequence_type();
            }),
        ),
        (
            "an output that does not depend on the input",
            None,
            model([odd("Relu", "w", &[])], [weight("w", &[1, 5])]),
        ),
        ("an output of integers", None, model([odd("Shape", "input", &[])], [])),
        ("a node without outputs", None, changed(|graph| graph.node[1].output.clear())),
    ]);
}

#[test]
fn absurd_sizes() {
    let relu = || model([odd("Relu", "input", &[])], []);
    let claim = |dims: &[i64]| {
        changed_weight(|weight| {
            weight.dims = dims.to_vec();
            weight.raw_data.clear();
        })
    };
    refused(vec![
        ("an input of 120 GB", None, with_input(relu(), &[-1, 3, 100_000, 100_000])),
        ("an input whose size overflows", None, with_input(relu(), &[-1, 1 << 40, 1 << 40])),
        ("an input of the greatest size", None, with_input(relu(), &[-1, i64::MAX, i64::MAX, i64::MAX])),
        ("an input of negative size", None, with_input(relu(), &[-1, 3, -8, 8])),
        ("a weight of negative size", Some("before_c"), claim(&[4, -3, 3, 3])),
        ("a weight whose size overflows", Some("before_c"), claim(&[1 << 40, 1 << 40, 3, 3])),
        ("a weight of 10 GB without data", Some("before_c"), claim(&[833_333_333, 3, 1, 1])),
        ("a weight with too little data", Some("before_c"), changed_weight(|w| w.dims[0] = 5)),
        ("a weight with too much data", Some("before_c"), changed_weight(|w| w.dims[0] = 3)),
        (
            "a weight with half a number",
            Some("before_c"),
            changed_weight(|w| w.raw_data = w.raw_data[..w.raw_data.len() - 2].to_vec().into()),
        ),
        ("a weight of no type", Some("before_c"), changed_weight(|w| w.data_type = 0)),
        ("a weight of strings", Some("before_c"), changed_weight(|w| w.data_type = 8)),
        ("a weight of an unknown type", Some("before_c"), changed_weight(|w| w.data_type = 99)),
        ("a weight of a negative type", Some("before_c"), changed_weight(|w| w.data_type = -1)),
        ("a weight of integers", Some("before_c"), changed_weight(|w| w.data_type = 6)),
        (
            "a float weight whose data are integers",
            Some("before_c"),
            changed_weight(|w| {
                w.raw_data.clear();
                w.int64_data = vec![1; 108];
            }),
        ),
        ("a weight elsewhere, nobody says where", Some("before_c"), outside(&[])),
        ("a weight in a file that is not there", Some("before_c"), outside(&[("location", "absent")])),
        ("a weight in a file that is too short", Some("before_c"), outside(&[("location", "short")])),
        (
            "a weight in a file at an offset that is no number",
            Some("before_c"),
            outside(&[("location", "generated:1:1.0:0.0"), ("offset", "far"), ("length", "432")]),
        ),
        (
            "a weight in a file with a length that is not its own",
            Some("before_c"),
            outside(&[("location", "generated:1:1.0:0.0"), ("length", "400")]),
        ),
        (
            "a weight in a file, 2^64 - 1 bytes of it",
            Some("before_c"),
            outside(&[("location", "short"), ("length", "18446744073709551615")]),
        ),
    ]);
}

/// Nodes that ask for more memory than there is.
#[test]
fn nodes_that_would_fill_the_memory() {
    let many = integers("many", &[1, 100_000, 100_000, 8]);
    refused_at_the_node(vec![
        ("Expand", odd("Expand", "input many", &[]), vec![integers("many", &[100_000, 100_000, 3, 8, 8])]),
        ("Tile", odd("Tile", "input many", &[]), vec![many.clone()]),
        ("ConstantOfShape", odd("ConstantOfShape", "many", &[]), vec![many]),
        (
            "Range",
            odd("Range", "from to by", &[]),
            vec![integer("from", 0), integer("to", i64::MAX), integer("by", 1)],
        ),
        ("Resize", odd("Resize", "input _ scales", &[]), vec![numbers("scales", &[1.0, 1.0, 1e6, 1e6])]),
        (
            "Pad",
            odd("Pad", "input pads", &[]),
            vec![integers("pads", &[0, 0, 1 << 20, 1 << 20, 0, 0, 1 << 20, 1 << 20])],
        ),
        ("Pad beyond all numbers", odd("Pad", "input pads", &[]), vec![integers("pads", &[i64::MAX; 8])]),
        (
            "Conv by its padding",
            odd("Conv", "input w", &[ints("pads", &[1 << 20; 4])]),
            vec![weight("w", &[1, 3, 1, 1])],
        ),
        (
            "ConvTranspose by its stride",
            odd("ConvTranspose", "input w", &[ints("strides", &[1 << 20, 1 << 20])]),
            vec![weight("w", &[3, 4, 1, 1])],
        ),
        (
            "OneHot",
            odd("OneHot", "many depth values", &[]),
            vec![integers("many", &[0; 4]), integer("depth", 1 << 40), numbers("values", &[0.0, 1.0])],
        ),
    ]);
}

#[test]
fn convolutions_with_nonsense() {
    let w = || weight("w", &[4, 3, 3, 3]);
    let conv = |what, attributes: &[AttributeProto]| (what, odd("Conv", "input w", attributes), vec![w()]);
    refused_at_the_node(vec![
        conv("stride 0", &[ints("strides", &[0, 1])]),
        conv("a negative stride", &[ints("strides", &[-1, 1])]),
        conv("the greatest negative stride", &[ints("strides", &[i64::MIN, 1])]),
        conv("one stride", &[ints("strides", &[1])]),
        conv("three strides", &[ints("strides", &[1, 1, 1])]),
        conv("a stride that is no list", &[int("strides", 2)]),
        conv("strides in floats", &[floats("strides", &[1.0, 1.0])]),
        conv("strides in words", &[text("strides", "one by one")]),
        conv("dilation 0", &[ints("dilations", &[0, 0])]),
        conv("a dilation beyond all numbers", &[ints("dilations", &[i64::MAX, i64::MAX])]),
        conv("three pads", &[ints("pads", &[1, 1, 1])]),
        conv("negative pads", &[ints("pads", &[-9, -9, -9, -9])]),
        conv("pads beyond all numbers", &[ints("pads", &[i64::MAX; 4])]),
        conv("auto_pad of no kind", &[text("auto_pad", "SAME_SIDEWAYS")]),
        conv("auto_pad in numbers", &[int("auto_pad", 1)]),
        conv("a kernel of nothing", &[ints("kernel_shape", &[0, 0])]),
        conv("a kernel that is not its weight's", &[ints("kernel_shape", &[5, 5])]),
        conv("group 0", &[int("group", 0)]),
        conv("a negative group", &[int("group", -1)]),
        conv("groups that do not divide the channels", &[int("group", 2)]),
        conv("a group in words", &[text("group", "one")]),
        ("channels that do not fit", odd("Conv", "input w", &[]), vec![weight("w", &[4, 5, 3, 3])]),
        ("a kernel larger than the picture", odd("Conv", "input w", &[]), vec![weight("w", &[4, 3, 9, 9])]),
        ("an empty kernel", odd("Conv", "input w", &[]), vec![weight("w", &[4, 3, 0, 0])]),
        ("no filters", odd("Conv", "input w", &[]), vec![weight("w", &[0, 3, 3, 3])]),
        ("a weight of rank 2", odd("Conv", "input w", &[]), vec![weight("w", &[4, 3])]),
        ("a weight of rank 3", odd("Conv", "input w", &[]), vec![weight("w", &[4, 3, 3])]),
        ("a bias of the wrong length", odd("Conv", "input w b", &[]), vec![w(), weight("b", &[5])]),
        ("a bias of rank 2", odd("Conv", "input w b", &[]), vec![w(), weight("b", &[4, 1])]),
        (
            "transposed, stride 0",
            odd("ConvTranspose", "input w", &[ints("strides", &[0, 0])]),
            vec![weight("w", &[3, 4, 2, 2])],
        ),
        (
            "transposed, channels that do not fit",
            odd("ConvTranspose", "input w", &[]),
            vec![weight("w", &[5, 4, 2, 2])],
        ),
        (
            "transposed, cropped to nothing",
            odd("ConvTranspose", "input w", &[ints("pads", &[9, 9, 9, 9])]),
            vec![weight("w", &[3, 4, 2, 2])],
        ),
        (
            "transposed, groups that do not divide the channels",
            odd("ConvTranspose", "input w", &[int("group", 2)]),
            vec![weight("w", &[3, 4, 2, 2])],
        ),
    ]);
}

#[test]
fn pools_and_norms_with_nonsense() {
    let case =
        |what, operator, attributes: &[AttributeProto]| (what, odd(operator, "input", attributes), vec![]);
    let kernel = |sizes: &[i64]| ints("kernel_shape", sizes);
    let vectors = |lengths: [i64; 4]| {
        ["s", "b", "m", "v"].iter().zip(lengths).map(|(name, length)| weight(name, &[length])).collect()
    };
    refused_at_the_node(vec![
        case("max: no kernel", "MaxPool", &[]),
        case("max: kernel 0", "MaxPool", &[kernel(&[0, 0])]),
        case("max: a negative kernel", "MaxPool", &[kernel(&[-2, 2])]),
        case("max: a kernel of one size", "MaxPool", &[kernel(&[2])]),
        case("max: a kernel larger than the picture", "MaxPool", &[kernel(&[9, 9])]),
        case("max: stride 0", "MaxPool", &[kernel(&[2, 2]), ints("strides", &[0, 0])]),
        case("max: dilation 0", "MaxPool", &[kernel(&[2, 2]), ints("dilations", &[0, 0])]),
        case("max: pads in words", "MaxPool", &[kernel(&[2, 2]), text("pads", "none")]),
        case("average: no kernel", "AveragePool", &[]),
        case("average: kernel 0", "AveragePool", &[kernel(&[0, 3])]),
        case("average: stride 0", "AveragePool", &[kernel(&[2, 2]), ints("strides", &[0, 0])]),
        case("average: a kernel larger than the picture", "AveragePool", &[kernel(&[9, 9])]),
        ("batch: a scale too long", odd("BatchNormalization", "input s b m v", &[]), vectors([4, 3, 3, 3])),
        (
            "batch: a variance too short",
            odd("BatchNormalization", "input s b m v", &[]),
            vectors([3, 3, 3, 2]),
        ),
        ("batch: without a variance", odd("BatchNormalization", "input s b m", &[]), vectors([3, 3, 3, 3])),
        ("instance: a scale too long", odd("InstanceNormalization", "input s b", &[]), vectors([4, 3, 3, 3])),
        ("layer: a scale too long", odd("LayerNormalization", "input s b", &[]), vectors([9, 8, 3, 3])),
        ("layer: axis 99", odd("LayerNormalization", "input s b", &[int("axis", 99)]), vectors([8, 8, 3, 3])),
        case("response: size 0", "LRN", &[int("size", 0)]),
        case("response: no size", "LRN", &[]),
    ]);
}

#[test]
fn shapes_with_nonsense() {
    let case =
        |what, operator, attributes: &[AttributeProto]| (what, odd(operator, "input", attributes), vec![]);
    let with = |what, operator, attributes: &[AttributeProto], values: &[i64]| {
        (what, odd(operator, "input k", attributes), vec![integers("k", values)])
    };
    let slice = |what, starts: &[i64], ends: &[i64], axes: &[i64], steps: &[i64]| {
        let weights = [("s", starts), ("e", ends), ("a", axes), ("t", steps)];
        (
            what,
            odd("Slice", "input s e a t", &[]),
            weights.map(|(name, values)| integers(name, values)).to_vec(),
        )
    };
    refused_at_the_node(vec![
        case("Transpose: repeats", "Transpose", &[ints("perm", &[0, 1, 1, 2])]),
        case("Transpose: too short", "Transpose", &[ints("perm", &[0, 1, 2])]),
        case("Transpose: too long", "Transpose", &[ints("perm", &[0, 1, 2, 3, 4])]),
        case("Transpose: out of range", "Transpose", &[ints("perm", &[0, 1, 2, 99])]),
        case("Transpose: negative", "Transpose", &[ints("perm", &[0, 1, 2, i64::MIN])]),
        case("Flatten: axis 99", "Flatten", &[int("axis", 99)]),
        case("Flatten: axis -99", "Flatten", &[int("axis", -99)]),
        case("Flatten: axis in floats", "Flatten", &[float("axis", 1.0)]),
        case("Softmax: axis 99", "Softmax", &[int("axis", 99)]),
        case("LogSoftmax: the least axis", "LogSoftmax", &[int("axis", i64::MIN)]),
        ("Concat: no axis", odd("Concat", "input input", &[]), vec![]),
        ("Concat: axis 99", odd("Concat", "input input", &[int("axis", 99)]), vec![]),
        ("Concat: sizes", odd("Concat", "input w", &[int("axis", 1)]), vec![weight("w", &[1, 3, 7, 8])]),
        ("Concat: ranks", odd("Concat", "input w", &[int("axis", 1)]), vec![weight("w", &[1, 3])]),
        (
            "Concat: types",
            odd("Concat", "k j input", &[int("axis", 0)]),
            vec![integers("k", &[1]), integers("j", &[1])],
        ),
        with("Reshape: does not fill", "Reshape", &[], &[0, 5, -1]),
        with("Reshape: two to be found", "Reshape", &[], &[-1, -1]),
        with("Reshape: -2", "Reshape", &[], &[-2, 3]),
        with("Reshape: overflows", "Reshape", &[], &[1 << 32, 1 << 32, 1 << 32]),
        with("Reshape: keeps a size that is not there", "Reshape", &[], &[1, 3, 8, 8, 0]),
        ("Reshape: to floats", odd("Reshape", "input k", &[]), vec![numbers("k", &[1.0, 192.0])]),
        with("Squeeze: a size that is not 1", "Squeeze", &[], &[1]),
        with("Squeeze: axis 99", "Squeeze", &[], &[99]),
        with("Unsqueeze: axis 99", "Unsqueeze", &[], &[99]),
        with("Unsqueeze: twice the same", "Unsqueeze", &[], &[1, 1]),
        with("Expand: does not fit", "Expand", &[], &[1, 5, 8, 8]),
        with("Expand: negative", "Expand", &[], &[1, 3, 8, -8]),
        with("Tile: too few", "Tile", &[], &[1, 1]),
        with("Tile: negative", "Tile", &[], &[1, 1, 1, -1]),
        with("Split: does not add up", "Split", &[int("axis", 1)], &[1, 1]),
        with("Split: negative", "Split", &[int("axis", 1)], &[4, -1]),
        case("Split: axis 99", "Split", &[int("axis", 99), int("num_outputs", 1)]),
        slice("Slice: step 0", &[0], &[4], &[2], &[0]),
        slice("Slice: axis 99", &[0], &[4], &[99], &[1]),
        slice("Slice: lengths", &[0, 0], &[4], &[2], &[1]),
        with("Pad: too few", "Pad", &[], &[1, 1]),
        with("Pad: crops away more than there is", "Pad", &[], &[0, 0, -9, 0, 0, 0, -9, 0]),
        with("Pad: no such mode", "Pad", &[text("mode", "sideways")], &[0; 8]),
        with(
            "Pad: reflects more than there is",
            "Pad",
            &[text("mode", "reflect")],
            &[0, 0, 9, 9, 0, 0, 9, 9],
        ),
        with("Gather: out of range", "Gather", &[int("axis", 1)], &[3]),
        with("Gather: far below zero", "Gather", &[int("axis", 1)], &[-4]),
        with("Gather: axis 99", "Gather", &[int("axis", 99)], &[0]),
        with("GatherElements: rank", "GatherElements", &[int("axis", 1)], &[0]),
        case("DepthToSpace: block 0", "DepthToSpace", &[int("blocksize", 0)]),
        case("DepthToSpace: does not divide", "DepthToSpace", &[int("blocksize", 2)]),
        case("SpaceToDepth: block 0", "SpaceToDepth", &[int("blocksize", 0)]),
        case("ReduceMean: axis 99", "ReduceMean", &[ints("axes", &[99])]),
        case("ArgMax: axis 99", "ArgMax", &[int("axis", 99)]),
        with("TopK: more than there are", "TopK", &[int("axis", 1)], &[4]),
    ]);
}

#[test]
fn arithmetic_with_nonsense() {
    let case =
        |what, operator, attributes: &[AttributeProto]| (what, odd(operator, "input", attributes), vec![]);
    let w = |dims: &[i64]| vec![weight("w", dims)];
    refused_at_the_node(vec![
        ("Add: shapes", odd("Add", "input w", &[]), w(&[5])),
        ("Mul: ranks", odd("Mul", "input w", &[]), w(&[1, 2, 3, 8, 8, 3])),
        ("Add: types", odd("Add", "input k", &[]), vec![integers("k", &[1])]),
        ("Sub: one input", odd("Sub", "input", &[]), vec![]),
        ("MatMul: shapes", odd("MatMul", "input w", &[]), w(&[5, 4])),
        ("MatMul: a number", odd("MatMul", "input w", &[]), w(&[])),
        ("Gemm: rank 4", odd("Gemm", "input w", &[]), w(&[8, 4])),
        ("Where: of numbers", odd("Where", "input input input", &[]), vec![]),
        ("And: of numbers", odd("And", "input input", &[]), vec![]),
        case("Not: of numbers", "Not", &[]),
        case("Cast: to nothing", "Cast", &[]),
        case("Cast: to no type", "Cast", &[int("to", 99)]),
        case("Cast: to strings", "Cast", &[int("to", 8)]),
        ("PRelu: slopes", odd("PRelu", "input w", &[]), w(&[5])),
        ("Clip: bounds that are lists", odd("Clip", "input w", &[]), w(&[7])),
        ("Resize: nothing to go by", odd("Resize", "input", &[]), vec![]),
        ("Resize: scale 0", odd("Resize", "input _ k", &[]), vec![numbers("k", &[1.0, 1.0, 0.0, 2.0])]),
        (
            "Resize: a scale that is no number",
            odd("Resize", "input _ k", &[]),
            vec![numbers("k", &[1.0, 1.0, f32::NAN, 2.0])],
        ),
        (
            "Resize: a negative scale",
            odd("Resize", "input _ k", &[]),
            vec![numbers("k", &[1.0, 1.0, -2.0, 2.0])],
        ),
        ("Resize: too few scales", odd("Resize", "input _ k", &[]), vec![numbers("k", &[2.0, 2.0])]),
        (
            "Resize: no such mode",
            odd("Resize", "input _ k", &[text("mode", "sideways")]),
            vec![numbers("k", &[1.0, 1.0, 2.0, 2.0])],
        ),
        ("Resize: sizes below zero", odd("Resize", "input _ _ k", &[]), vec![integers("k", &[1, 3, -8, 8])]),
        ("Einsum: no equation", odd("Einsum", "input w", &[]), w(&[8, 8])),
        ("Einsum: nonsense", odd("Einsum", "input w", &[text("equation", "..ij->,,->")]), w(&[8, 8])),
        ("Einsum: ranks", odd("Einsum", "input w", &[text("equation", "ij,jk->ik")]), w(&[8, 8])),
        ("Constant: nothing", odd("Constant", "", &[]), vec![]),
        (
            "If: no branches",
            odd("If", "c", &[]),
            vec![TensorProto { data_type: 9, raw_data: vec![1].into(), ..integer("c", 1) }],
        ),
        (
            "If: a number decides",
            odd(
                "If",
                "input",
                &[
                    graph_of("then_branch", GraphProto::default()),
                    graph_of("else_branch", GraphProto::default()),
                ],
            ),
            vec![],
        ),
        (
            "DequantizeLinear: scales",
            odd("DequantizeLinear", "k w", &[]),
            vec![
                TensorProto {
                    data_type: 3,
                    raw_data: vec![1, 2, 3].into(),
                    dims: vec![1, 3],
                    ..Default::default()
                },
                weight("w", &[5]),
            ]
            .into_iter()
            .zip(["k", "w"])
            .map(|(tensor, name)| TensorProto { name: name.into(), ..tensor })
            .collect(),
        ),
        (
            "LSTM: weights that do not fit",
            odd("LSTM", "input w r", &[int("hidden_size", 4)]),
            vec![weight("w", &[1, 16, 3]), weight("r", &[1, 16, 5])],
        ),
        ("GRU: no weights", odd("GRU", "input", &[int("hidden_size", 4)]), vec![]),
    ]);
}

/// Operators of older opsets, where axes and sizes are attributes.
#[test]
fn old_opsets_with_nonsense() {
    let case = |what, opset, operator, attributes: &[AttributeProto]| {
        (what, Some("odd_one"), with_opset(model([odd(operator, "input", attributes)], []), opset))
    };
    refused(vec![
        case("Reshape without a shape", 4, "Reshape", &[]),
        case("Squeeze: axis 99", 11, "Squeeze", &[ints("axes", &[99])]),
        case("Unsqueeze: no axes", 11, "Unsqueeze", &[]),
        case("Slice: lengths", 9, "Slice", &[ints("starts", &[0, 0]), ints("ends", &[1])]),
        case("Slice: nothing", 9, "Slice", &[]),
        case("Pad: too few", 9, "Pad", &[ints("pads", &[1, 1])]),
        case("Upsample: scale 0", 7, "Upsample", &[floats("scales", &[1.0, 1.0, 0.0, 0.0])]),
        case("Upsample: too few", 7, "Upsample", &[floats("scales", &[2.0])]),
        case("Split: does not add up", 11, "Split", &[int("axis", 1), ints("split", &[1, 1])]),
        case("Softmax: axis 99", 9, "Softmax", &[int("axis", 99)]),
        case("ReduceSum: axis 99", 11, "ReduceSum", &[ints("axes", &[99])]),
    ]);
}

/// What each operator makes of a list of twelve numbers a sample, or of a picture where it wants a sequence.
#[test]
fn ranks_that_do_not_fit() {
    let flat = |what, operator, inputs: &str, attributes: &[AttributeProto], weights: Vec<TensorProto>| {
        (what, Some("odd_one"), with_input(model([odd(operator, inputs, attributes)], weights), &[-1, 12]))
    };
    let kernel = || ints("kernel_shape", &[2, 2]);
    let w = |dims: &[i64]| vec![weight("w", dims)];
    refused(vec![
        flat("Conv", "Conv", "input w", &[], w(&[4, 12, 3, 3])),
        flat("ConvTranspose", "ConvTranspose", "input w", &[], w(&[12, 4, 2, 2])),
        flat("MaxPool", "MaxPool", "input", &[kernel()], vec![]),
        flat("AveragePool", "AveragePool", "input", &[kernel()], vec![]),
        flat("Transpose", "Transpose", "input", &[ints("perm", &[0, 2, 3, 1])], vec![]),
        flat("Concat", "Concat", "input input", &[int("axis", 2)], vec![]),
        flat("Split", "Split", "input k", &[int("axis", 3)], vec![integers("k", &[12])]),
        flat("ReduceMean", "ReduceMean", "input", &[ints("axes", &[2, 3])], vec![]),
        flat("Softmax", "Softmax", "input", &[int("axis", 2)], vec![]),
        flat("Pad", "Pad", "input k", &[], vec![integers("k", &[0; 8])]),
        flat("Resize", "Resize", "input _ k", &[], vec![numbers("k", &[1.0, 1.0, 2.0, 2.0])]),
        flat("DepthToSpace", "DepthToSpace", "input", &[int("blocksize", 2)], vec![]),
        flat("MatMul", "MatMul", "input w", &[], w(&[4, 4, 5])),
        flat("Gemm", "Gemm", "input w", &[], w(&[12])),
        flat("Gather", "Gather", "input k", &[int("axis", 2)], vec![integers("k", &[0])]),
        (
            "LSTM of pictures",
            Some("odd_one"),
            model(
                [odd("LSTM", "input w r", &[int("hidden_size", 4)])],
                [weight("w", &[1, 16, 8]), weight("r", &[1, 16, 4])],
            ),
        ),
        ("an input without dimensions", None, with_input(model([odd("Relu", "input", &[])], []), &[])),
        ("an empty input", None, with_input(model([odd("Relu", "input", &[])], []), &[-1, 0])),
    ]);
}

/// A message of protobuf: its field's number and its contents.
fn message(field: u8, contents: &[u8]) -> Vec<u8> {
    claimed(field, contents.len() as u64, contents)
}

/// The same, with a length of its own.
fn claimed(field: u8, mut length: u64, contents: &[u8]) -> Vec<u8> {
    let mut bytes = vec![field << 3 | 2];
    while length > 127 {
        bytes.push(length as u8 & 127 | 128);
        length >>= 7;
    }
    bytes.push(length as u8);
    bytes.extend_from_slice(contents);
    bytes
}

#[test]
fn headers_that_lie() {
    const GRAPH: u8 = 7;
    const INITIALIZER: u8 = 5;
    const RAW_DATA: u8 = 9;
    let before = peak_memory();
    let gigabytes = 10 << 30;
    // A graph in an attribute of a node of a graph, and so on.
    let mut deep = Vec::new();
    for _ in 0..20_000 {
        deep = message(1, &message(5, &message(6, &deep)));
    }
    for (what, bytes) in [
        ("a graph of 10 GB", claimed(GRAPH, gigabytes, b"little")),
        ("a weight of 10 GB", message(GRAPH, &claimed(INITIALIZER, gigabytes, b"little"))),
        ("data of 10 GB", message(GRAPH, &message(INITIALIZER, &claimed(RAW_DATA, gigabytes, b"little")))),
        (
            "data of 2^64 - 1 bytes",
            message(GRAPH, &message(INITIALIZER, &claimed(RAW_DATA, u64::MAX, b"little"))),
        ),
        ("a name of 10 GB", message(GRAPH, &claimed(2, gigabytes, b"little"))),
        ("graphs in graphs in graphs", message(GRAPH, &deep)),
        ("nothing but zeros", vec![0; 4096]),
        ("nothing but ones", vec![0xFF; 4096]),
        ("another kind of file", b"\x89PNG\r\n\x1a\n".repeat(50)),
    ] {
        let error = load(what, bytes).unwrap_or_else(|| panic!("{what}: accepted"));
        println!("{what}: [{}] {error}", error.code());
    }
    let grown = peak_memory().saturating_sub(before);
    assert!(grown < MEMORY, "{} MiB", grown >> 20);
}

/// Functions of the file's own, whose calls are written out.
#[test]
fn functions_without_end() {
    let call = |function: String, input: &str, output: &str| NodeProto {
        domain: "own".into(),
        ..node(&function, input, output, &[])
    };
    let with_functions = |calls: &dyn Fn(usize) -> Vec<NodeProto>, count: usize| {
        let mut model = model([NodeProto { domain: "own".into(), ..odd("f0", "input", &[]) }], []);
        model.opset_import.push(Default::default());
        model.opset_import[1].domain = "own".into();
        model.opset_import[1].version = 1;
        for index in 0..count {
            model.functions.push(Default::default());
            let function = &mut model.functions[index];
            function.name = format!("f{index}");
            function.domain = "own".into();
            function.input = vec!["x".into()];
            function.output = vec!["y".into()];
            function.node = calls(index);
        }
        model
    };
    refused(vec![
        ("a function that calls itself", None, with_functions(&|_| vec![call("f0".into(), "x", "y")], 1)),
        (
            "two functions that call each other",
            None,
            with_functions(&|index| vec![call(format!("f{}", 1 - index), "x", "y")], 2),
        ),
        (
            "forty functions, each calling the next twice",
            None,
            with_functions(
                &|index| match index {
                    39 => vec![node("Relu", "x", "y", &[])],
                    _ => ["x", "h"]
                        .into_iter()
                        .zip(["h", "y"])
                        .map(|(input, output)| call(format!("f{}", index + 1), input, output))
                        .collect(),
                },
                40,
            ),
        ),
        (
            "a function that is nowhere defined",
            None,
            with_functions(&|_| vec![call("f7".into(), "x", "y")], 1),
        ),
    ]);
}

#[test]
fn files_that_are_cut_off() {
    for file in ["bert_dynamo", "yolo", "lstm", "int8_qdq"] {
        let whole = common::read(&format!("tests/fixtures/families/{file}.onnx"));
        for part in 0..200 {
            let cut = whole.len() * part / 200;
            let what = format!("{file}, {cut} of {} bytes", whole.len());
            assert!(load(&what, whole[..cut].to_vec()).is_some(), "{what}: accepted");
        }
    }
}

/// Structure is most of these files, so most flips hit it. A flip may leave a sound model; nothing else may happen.
#[test]
fn files_with_flipped_bytes() {
    let before = peak_memory();
    let (mut accepted, mut refused) = (0, 0);
    for (seed, file) in ["yolo", "gru", "keras", "any_size_bilinear_13", "sentence_cnn"].iter().enumerate() {
        let whole = common::read(&format!("tests/fixtures/families/{file}.onnx"));
        let mut random =
            generated::noise(seed as u64, 0.5, 0.5).map(|unit| (f64::from(unit) * (1 << 24) as f64) as usize);
        let mut next = move || random.next().unwrap();
        for round in 0..400 {
            let mut bytes = whole.clone();
            for _ in 0..1 + round % 3 {
                let at = next() % bytes.len();
                bytes[at] ^= 1 + (next() % 255) as u8;
            }
            match load(&format!("{file}, flips {round}"), bytes) {
                Some(_) => refused += 1,
                None => accepted += 1,
            }
        }
    }
    println!("{refused} refused, {accepted} accepted");
    assert!(refused > 100, "flips hit nothing: {refused} refused, {accepted} accepted");
    let grown = peak_memory().saturating_sub(before);
    assert!(grown < MEMORY, "{} MiB", grown >> 20);
}
