//! ONNX's own tests of its operators, on the CPU, and a part of them on a GPU. They are fetched by `cargo xtask test engine`, which names their
//! folders in `ADVERSIGHT_ONNX_TESTS` (operator sets up to 21) and `ADVERSIGHT_ONNX_NEWEST_TESTS` (those after them);
//! docs/operators.md holds the tables that they give.

use crate::common;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    ops::RangeInclusive,
    path::{Path, PathBuf},
};

use adversight::{
    Device,
    model::{HostValue, ModelFile, Runner},
};
use onnx_ir::{Message, ModelProto, TensorProto};

/// Tests whose figures contradict the operator's own text, which asks for saturation: -235.7 quantised to int8 is
/// expected to be 20, the remainder of an overflow.
const DISPUTED: [&str; 4] = [
    "test_qlinearmatmul_2D_int8_float16",
    "test_qlinearmatmul_2D_int8_float32",
    "test_qlinearmatmul_3D_int8_float16",
    "test_qlinearmatmul_3D_int8_float32",
];

/// What a test says of the engine.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Passed,
    Unsupported(String),
    Failed(String),
}

/// Operators whose tests are outside of the table: training, sequences, chance and strings.
const OUTSIDE: [&str; 11] = [
    "Bernoulli",
    "RandomUniformLike",
    "Optional",
    "OptionalGetElement",
    "OptionalHasElement",
    "StringNormalizer",
    "StringConcat",
    "StringSplit",
    "RegexFullMatch",
    "ImageDecoder",
    "TfIdfVectorizer",
];

/// A collection of tests: the variable that names its folder, and the operator sets that are taken from it.
struct Suite {
    variable: &'static str,
    opsets: RangeInclusive<i64>,
}

/// The package whose files are the tests of the operator sets that networks are written for today.
const OLDER: Suite = Suite { variable: "ADVERSIGHT_ONNX_TESTS", opsets: 1..=21 };
/// The newest package, for what has changed since.
const NEWEST: Suite = Suite { variable: "ADVERSIGHT_ONNX_NEWEST_TESTS", opsets: 22..=i64::MAX };

fn folders(variable: &str) -> Option<Vec<PathBuf>> {
    let Some(root) = std::env::var_os(variable) else {
        eprintln!("skipped: {variable} does not name the folder of ONNX's node tests");
        return None;
    };
    let mut folders: Vec<PathBuf> = fs::read_dir(&root)
        .unwrap_or_else(|error| panic!("{}: {error}", root.display()))
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("model.onnx").exists())
        .collect();
    folders.sort();
    assert!(folders.len() > 1000, "only {} tests in {}", folders.len(), root.display());
    Some(folders)
}

/// The operator that a test is about: that of its only node, or of the test that it is the expansion of.
fn subject(model: &ModelProto) -> BTreeSet<String> {
    model.graph.node.iter().map(|node| node.op_type.clone()).collect()
}

fn in_scope(model: &ModelProto, opsets: &RangeInclusive<i64>) -> bool {
    let opset = model.opset_import.iter().filter(|set| set.domain.is_empty() || set.domain == "ai.onnx");
    let training = model.opset_import.iter().any(|set| set.domain.contains("training"));
    let plain = |info: &onnx_ir::ValueInfoProto| {
        info.type_.has_tensor_type() && info.type_.tensor_type().elem_type != 8
    };
    opsets.contains(&opset.map(|set| set.version).max().unwrap_or(1))
        && !training
        && !subject(model).iter().any(|name| OUTSIDE.contains(&name.as_str()) || name.starts_with("Sequence"))
        && model.graph.input.iter().chain(&model.graph.output).all(plain)
}

/// Reads a tensor that the model declares to be of a type; older files keep bfloat16 as the bits of an uint16.
fn value(tensor: &TensorProto, declared: i32) -> Result<HostValue, String> {
    let mut tensor = tensor.clone();
    if declared == 16 && tensor.data_type == 4 {
        tensor.data_type = 16;
    }
    let tensor = &tensor;
    let shape: Vec<usize> = tensor.dims.iter().map(|&size| size as usize).collect();
    let count = shape.iter().product::<usize>();
    let raw = &tensor.raw_data;
    let size = raw.len().checked_div(count).unwrap_or(0);
    let bytes = |at: usize| &raw[at * size..(at + 1) * size];
    let float = |data: Vec<f32>| Ok(HostValue::Float { data, shape: shape.clone() });
    let int = |data: Vec<i64>| Ok(HostValue::Int { data, shape: shape.clone() });
    let empty = raw.is_empty();
    macro_rules! each {
        ($type:ty, $to:ty) => {
            (0..count).map(|at| <$type>::from_le_bytes(bytes(at).try_into().unwrap()) as $to).collect()
        };
    }
    match tensor.data_type {
        1 if empty => float(tensor.float_data.clone()),
        11 if empty => float(tensor.double_data.iter().map(|&value| value as f32).collect()),
        10 if empty => {
            float(tensor.int32_data.iter().map(|&bits| half::f16::from_bits(bits as u16).to_f32()).collect())
        }
        16 if empty => {
            float(tensor.int32_data.iter().map(|&bits| half::bf16::from_bits(bits as u16).to_f32()).collect())
        }
        7 if empty => int(tensor.int64_data.clone()),
        12 | 13 if empty => int(tensor.uint64_data.iter().map(|&value| value as i64).collect()),
        9 => Ok(HostValue::Bool {
            data: match empty {
                true => tensor.int32_data.iter().map(|&value| value != 0).collect(),
                false => raw.iter().map(|&byte| byte != 0).collect(),
            },
            shape,
        }),
        2..=6 if empty => int(tensor.int32_data.iter().map(|&value| i64::from(value)).collect()),
        21 | 22 => {
            let packed: Vec<u8> = match empty {
                true => tensor.int32_data.iter().map(|&value| value as u8).collect(),
                false => raw.to_vec(),
            };
            let nibbles = packed.iter().flat_map(|byte| [byte & 15, byte >> 4]).take(count);
            let signed = tensor.data_type == 22;
            int(nibbles.map(|n| if signed && n > 7 { i64::from(n) - 16 } else { i64::from(n) }).collect())
        }
        1 => float(each!(f32, f32)),
        11 => float(each!(f64, f32)),
        10 => float(
            (0..count).map(|at| half::f16::from_le_bytes(bytes(at).try_into().unwrap()).to_f32()).collect(),
        ),
        16 => float(
            (0..count).map(|at| half::bf16::from_le_bytes(bytes(at).try_into().unwrap()).to_f32()).collect(),
        ),
        2 => int(each!(u8, i64)),
        3 => int(each!(i8, i64)),
        4 => int(each!(u16, i64)),
        5 => int(each!(i16, i64)),
        6 => int(each!(i32, i64)),
        7 => int(each!(i64, i64)),
        12 => int(each!(u32, i64)),
        13 => int(each!(u64, i64)),
        other => Err(format!("element type {other}")),
    }
}

fn numbers(value: &HostValue) -> Vec<f64> {
    match value {
        HostValue::Float { data, .. } => data.iter().map(|&value| f64::from(value)).collect(),
        HostValue::Int { data, .. } => data.iter().map(|&value| value as f64).collect(),
        HostValue::Bool { data, .. } => data.iter().map(|&value| f64::from(u8::from(value))).collect(),
    }
}

/// The tolerance of ONNX's own runner (1e-3 of the value and 1e-7), with the precision of 16-bit types for those, and
/// with the rounding of a 32-bit sum of numbers as large as the largest: the expected figures carry it themselves.
fn compare(ours: &HostValue, expected: &HostValue, data_type: i32) -> Result<(), String> {
    if ours.shape() != expected.shape() {
        return Err(format!("shape {:?} instead of {:?}", ours.shape(), expected.shape()));
    }
    let kind = |value: &HostValue| matches!(value, HostValue::Bool { .. });
    if kind(ours) != kind(expected) {
        return Err("another kind of value".into());
    }
    let relative = match data_type {
        10 => 2e-3,
        16 => 1e-2,
        _ => 1e-3,
    };
    let largest =
        numbers(expected).into_iter().filter(|value| value.is_finite()).fold(0.0, |m: f64, v| m.max(v.abs()));
    let absolute = 1e-7 + largest * f64::from(f32::EPSILON);
    for (at, (a, b)) in numbers(ours).into_iter().zip(numbers(expected)).enumerate() {
        let same = a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= absolute + relative * b.abs();
        if !same {
            return Err(format!("value {at} is {a} instead of {b}"));
        }
    }
    Ok(())
}

fn run(folder: &Path, bytes: &[u8], model: &ModelProto, device: &Device) -> Outcome {
    let runner = match Runner::load(&ModelFile::from(bytes), device) {
        Ok(runner) => runner,
        Err(error) if error.code() == "model_unsupported" => return Outcome::Unsupported(error.to_string()),
        Err(error) => return Outcome::Failed(error.to_string()),
    };
    let read = |path: PathBuf| {
        TensorProto::parse_from_bytes(
            &fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())),
        )
        .unwrap()
    };
    for set in 0.. {
        let set = folder.join(format!("test_data_set_{set}"));
        if !set.exists() {
            break;
        }
        let mut inputs = BTreeMap::new();
        for (index, input) in model.graph.input.iter().enumerate() {
            let path = set.join(format!("input_{index}.pb"));
            if !path.exists() {
                continue;
            }
            match value(&read(path), input.type_.tensor_type().elem_type) {
                Ok(value) => inputs.insert(input.name.clone(), value),
                Err(reason) => return Outcome::Unsupported(reason),
            };
        }
        let outputs = match pollster::block_on(runner.run(inputs)) {
            Ok(outputs) => outputs,
            // The engine's own limit, said as such.
            Err(error) if error.to_string().contains("too many dimensions") => {
                return Outcome::Unsupported("more than 6 dimensions".into());
            }
            // On a GPU only: nothing is read back from there.
            Err(error)
                if ["is computed on the GPU and decides", "on the CPU only"]
                    .iter()
                    .any(|limit| error.to_string().contains(limit)) =>
            {
                return Outcome::Unsupported("values on the GPU that are needed on the host".into());
            }
            Err(error) if error.to_string().contains("its result would be random") => {
                return Outcome::Unsupported("training".into());
            }
            Err(error) => return Outcome::Failed(error.to_string()),
        };
        for (index, (name, ours)) in outputs.iter().enumerate() {
            let tensor = read(set.join(format!("output_{index}.pb")));
            let declared = model.graph.output[index].type_.tensor_type().elem_type;
            let expected = match value(&tensor, declared) {
                Ok(expected) => expected,
                Err(reason) => return Outcome::Unsupported(reason),
            };
            if let Err(reason) = compare(ours, &expected, declared) {
                return Outcome::Failed(format!("{name}: {reason}"));
            }
        }
    }
    Outcome::Passed
}

/// What the tests of each operator gave.
#[derive(Default)]
struct Table {
    /// Passed, unsupported, failed.
    rows: BTreeMap<String, [usize; 3]>,
    failures: Vec<String>,
    lacking: BTreeMap<String, usize>,
}

impl Table {
    fn add(&mut self, operator: String, name: &str, outcome: Outcome) {
        let row = self.rows.entry(operator).or_default();
        match outcome {
            Outcome::Passed => row[0] += 1,
            Outcome::Unsupported(reason) => {
                row[1] += 1;
                let reason = reason.split(", which").next().unwrap_or_default().to_owned();
                *self.lacking.entry(reason).or_default() += 1;
            }
            Outcome::Failed(reason) => {
                row[2] += 1;
                self.failures.push(format!("{name}: {reason}"));
            }
        }
    }

    fn sum(&self) -> [usize; 3] {
        self.rows.values().fold([0; 3], |sum, row| std::array::from_fn(|i| sum[i] + row[i]))
    }

    /// Prints and publishes the table, and returns the share that passed, in per cent.
    fn told(&self, heading: &str) -> f64 {
        let sum @ [passed, unsupported, failed] = self.sum();
        let all = sum.iter().sum::<usize>();
        let share = 100.0 * passed as f64 / all as f64;
        eprintln!("{heading}: {passed} of {all} passed ({share:.1} %)");
        for (reason, count) in &self.lacking {
            eprintln!("unsupported {count}: {reason}");
        }
        let line = |name: &str, row: [String; 3]| format!("| {name} | {} |", row.join(" | "));
        let mut rows: Vec<String> =
            self.rows.iter().map(|(name, row)| line(name, row.map(|count| count.to_string()))).collect();
        rows.push(line("**all**", [passed, unsupported, failed].map(|count| format!("**{count}**"))));
        let columns = ["operator", "passed", "unsupported", "failed"];
        common::publish_table("docs/operators.md", heading, &columns, &rows);
        share
    }
}

/// Runs the tests that `chosen` takes, by the operator that each is about and its number among that operator's.
fn conformance(suite: &Suite, device: &Device, chosen: impl Fn(&ModelProto, usize) -> bool) -> Option<Table> {
    let mut table = Table::default();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for folder in folders(suite.variable)? {
        let bytes = fs::read(folder.join("model.onnx")).unwrap();
        let model = ModelProto::parse_from_bytes(&bytes).unwrap();
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        if !in_scope(&model, &suite.opsets) || DISPUTED.contains(&name.as_str()) {
            continue;
        }
        let operators = subject(&model);
        let operator = match operators.len() {
            1 => operators.into_iter().next().unwrap(),
            _ => "(functions written out)".into(),
        };
        let number = seen.entry(operator.clone()).or_default();
        *number += 1;
        if !chosen(&model, *number - 1) {
            continue;
        }
        let outcome =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(&folder, &bytes, &model, device)));
        let outcome = outcome.unwrap_or_else(|_| Outcome::Failed("it panicked".into()));
        table.add(operator, &name, outcome);
    }
    Some(table)
}

#[test]
fn onnx_conformance() {
    let Some(table) = conformance(&OLDER, &common::cpu(), |_, _| true) else { return };
    let share = table.told("conformance");
    assert!(table.failures.is_empty(), "{} failed:\n{}", table.failures.len(), table.failures.join("\n"));
    assert!(share >= 90.0, "only {share:.1} % passed");
}

/// What has changed since opset 21.
#[test]
fn onnx_conformance_of_the_newest_operators() {
    let Some(table) = conformance(&NEWEST, &common::cpu(), |_, _| true) else { return };
    let share = table.told("conformance-newest");
    assert!(table.failures.is_empty(), "{} failed:\n{}", table.failures.len(), table.failures.join("\n"));
    assert!(share >= 75.0, "only {share:.1} % passed");
}

/// The first few tests of each operator that computes with real numbers. Whole numbers stay on the host, so that the
/// others' tests would not touch the GPU.
#[test]
fn onnx_conformance_on_the_gpu() {
    let Some(device) = common::gpu() else { return };
    let real = |model: &ModelProto| {
        let float =
            |info: &onnx_ir::ValueInfoProto| [1, 10, 11, 16].contains(&info.type_.tensor_type().elem_type);
        model.graph.input.iter().any(float)
    };
    let Some(table) = conformance(&OLDER, &device, |model, number| number < 3 && real(model)) else { return };
    let share = table.told("conformance-gpu");
    assert!(table.failures.is_empty(), "{} failed:\n{}", table.failures.len(), table.failures.join("\n"));
    assert!(share >= 85.0, "only {share:.1} % passed");
}
