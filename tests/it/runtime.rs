//! Networks whose results onnxruntime gives: its own operators, and what scikit-learn's converters write. The files and the
//! numbers are made by `tests/reference/microsoft.py` and `classical.py`.

use crate::common;

use std::{collections::BTreeMap, fs, path::Path};

use adversight::model::{HostValue, ModelFile, Runner};
use serde::Deserialize;

#[derive(Deserialize)]
struct Index {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    file: String,
    /// How many steps of its scale a quantised output may be off: onnxruntime computes some by tables.
    steps: f64,
    /// Of the largest value.
    relative: f64,
    inputs: BTreeMap<String, Array>,
    outputs: Vec<Expected>,
}

#[derive(Deserialize)]
struct Expected {
    /// Its place among the file's outputs.
    output: usize,
    #[serde(flatten)]
    value: Array,
}

#[derive(Deserialize)]
struct Array {
    kind: String,
    shape: Vec<usize>,
    /// Nothing for what is no number.
    data: Vec<Option<f64>>,
}

impl From<&Array> for HostValue {
    fn from(array: &Array) -> Self {
        let shape = array.shape.clone();
        let data = array.data.iter().map(|value| value.unwrap_or(f64::NAN));
        match array.kind.as_str() {
            "float" => Self::Float { data: data.map(|value| value as f32).collect(), shape },
            "bool" => Self::Bool { data: data.map(|value| value != 0.0).collect(), shape },
            _ => Self::Int { data: data.map(|value| value as i64).collect(), shape },
        }
    }
}

fn numbers(value: &HostValue) -> Vec<f64> {
    match value {
        HostValue::Float { data, .. } => data.iter().map(|&value| f64::from(value)).collect(),
        HostValue::Int { data, .. } => data.iter().map(|&value| value as f64).collect(),
        HostValue::Bool { data, .. } => data.iter().map(|&value| f64::from(u8::from(value))).collect(),
    }
}

fn checked(case: &Case, folder: &Path) -> Result<(), String> {
    let bytes = fs::read(folder.join(&case.file)).map_err(|error| error.to_string())?;
    let runner =
        Runner::load(&ModelFile::from(&bytes[..]), &common::cpu()).map_err(|error| error.to_string())?;
    let inputs = case.inputs.iter().map(|(name, array)| (name.clone(), array.into())).collect();
    let found = pollster::block_on(runner.run(inputs)).map_err(|error| error.to_string())?;
    for Expected { output, value } in &case.outputs {
        let (name, ours) = found.get(*output).ok_or("an output is missing")?;
        if ours.shape() != value.shape {
            return Err(format!("{name}: shape {:?} instead of {:?}", ours.shape(), value.shape));
        }
        let expected = numbers(&value.into());
        let largest = expected.iter().fold(0.0, |most: f64, value| most.max(value.abs()));
        for (at, (a, b)) in numbers(ours).into_iter().zip(expected).enumerate() {
            let apart = (a - b).abs();
            // A NaN must not pass.
            if !(apart <= case.relative * largest || apart <= case.steps) {
                return Err(format!("{name}: value {at} is {a} instead of {b}"));
            }
        }
    }
    Ok(())
}

fn all_of(suite: &str, least: usize) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(suite);
    let index: Index = serde_json::from_slice(&fs::read(folder.join("index.json")).unwrap()).unwrap();
    let faults: Vec<String> = index
        .cases
        .iter()
        .filter_map(|case| checked(case, &folder).err().map(|reason| format!("{}: {reason}", case.name)))
        .collect();
    assert!(faults.is_empty(), "{} of {}:\n{}", faults.len(), index.cases.len(), faults.join("\n"));
    assert!(index.cases.len() >= least, "{}", index.cases.len());
}

#[test]
fn the_operators_of_onnxruntime() {
    all_of("microsoft", 65);
}

#[test]
fn the_models_of_scikit_learn() {
    all_of("classical", 40);
}
