//! Rows of tables and series against SHAP and Captum (tests/reference/tables.py), and what the command line says of them.

use std::{collections::BTreeMap, fs, path::PathBuf, process::Command};

use crate::common::{
    operators::{self, FLOAT, declared, initializer, reals},
    root,
};
use adversight::{
    Columns, Control, Device, DeviceChoice, ExplainOptions, Explainer, Explanation, HostTensor, Input,
    ModelFile, ModelOptions, Table, TableKind, TableRow,
};
use onnx_ir::NodeProto;
use serde_json::{Value, json};

const FOLDER: &str = "tests/fixtures/tables";
const WINE: &str = "www/public/models/wine";
const MACHINE: &str = "www/public/models/machine";

fn bytes(path: &str) -> Vec<u8> {
    fs::read(root().join(path)).unwrap()
}

fn table(path: &str) -> Table {
    Table::from_csv(&bytes(path)).unwrap()
}

fn columns(path: &str) -> Columns {
    Columns::from_json(&String::from_utf8(bytes(path)).unwrap()).unwrap()
}

fn answers() -> Value {
    serde_json::from_slice(&bytes(&format!("{FOLDER}/index.json"))).unwrap()
}

fn load(model: &str, row: &TableRow) -> Explainer {
    let device = pollster::block_on(Device::open(DeviceChoice::Cpu)).unwrap();
    let onnx = bytes(model);
    Explainer::load_for_table(&ModelFile::from(&onnx[..]), &ModelOptions::default(), row, &device).unwrap()
}

fn explain(
    explainer: &Explainer,
    row: &TableRow,
    method: &str,
    params: Value,
    target: usize,
    given: BTreeMap<String, HostTensor>,
) -> Explanation {
    let Value::Object(params) = params else { panic!("no object") };
    let options = ExplainOptions {
        method: method.into(),
        params,
        target: Some(target.into()),
        given,
        ..ExplainOptions::default()
    };
    pollster::block_on(explainer.explain(&Input::Table(row), &options, &Control::default())).unwrap().0
}

/// What each column counted for, by its name.
fn scores(found: &Explanation) -> BTreeMap<String, f32> {
    found.parts.iter().map(|part| (part.name.clone(), part.score)).collect()
}

fn numbers(value: &Value) -> Vec<f32> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap() as f32).collect()
}

/// Checks the scores of the columns called `names` within a thousandth.
fn near(found: &Explanation, names: &[String], expected: &Value, what: &str) {
    let scores = scores(found);
    assert_eq!(scores.len(), names.len(), "{what}: {scores:?}");
    let expected = numbers(expected);
    let size = expected.iter().map(|value| value.abs()).fold(0.0, f32::max);
    assert!(size > 1e-3, "{what}: {expected:?} tells nothing");
    for (name, value) in names.iter().zip(expected) {
        assert!(
            (scores[name] - value).abs() < 1e-3 * size.max(1.0),
            "{what}, {name}: {} for {value}",
            scores[name]
        );
    }
}

/// The orders in which SHAP has shown columns, by the segments' numbers.
fn orders(expected: &Value, segment: impl Fn(usize) -> usize) -> BTreeMap<String, HostTensor> {
    let rows: Vec<Vec<f32>> = expected["orders"].as_array().unwrap().iter().map(numbers).collect();
    let (count, width) = (rows.len(), rows[0].len());
    let data = rows.iter().flatten().map(|&column| segment(column as usize) as f32).collect();
    BTreeMap::from([("orders".into(), HostTensor::new(data, vec![count, width]).unwrap())])
}

#[test]
fn a_row_of_numbers_is_as_shap_and_captum_have_it() {
    for expected in answers()["wine"].as_array().unwrap() {
        let target = expected["target"].as_u64().unwrap() as usize;
        let mut row =
            TableRow::new(table(&format!("{WINE}/rows.csv")), expected["row"].as_u64().unwrap() as usize);
        row.background = Some(table(&format!("{WINE}/background.csv")));
        row.columns = Some(columns(&format!("{WINE}/columns.json")));
        let explainer = load(&format!("{WINE}/model.onnx"), &row);
        let names: Vec<String> = row.table.names()[..13].to_vec();
        let asked =
            |method: &str, params: Value, given| explain(&explainer, &row, method, params, target, given);
        let kernel = asked("kernel_shap", json!({"samples": 8192}), BTreeMap::new());
        near(&kernel, &names, &expected["kernel"], "KernelSHAP");
        assert!(kernel.info.baseline.as_ref().unwrap().contains("each of 100 of the 142 background rows"));
        let mean = asked("kernel_shap", json!({"samples": 8192, "hidden": "training_mean"}), BTreeMap::new());
        near(&mean, &names, &expected["kernel_mean"], "KernelSHAP with the mean row");
        let permutation = asked("permutation_shap", json!({}), orders(expected, |column| column));
        near(&permutation, &names, &expected["permutation"], "permutation SHAP");
        let paths = asked("integrated_gradients", json!({"steps": 300}), BTreeMap::new());
        near(&paths, &names, &expected["integrated_gradients"], "integrated gradients");
        let view = kernel.table.unwrap();
        assert_eq!((view.row, view.background, view.columns.len()), (row.row, 142, 13));
        assert_eq!(view.columns[0].value, row.table.cell(row.row, 0));
        assert!(view.columns[0].low < view.columns[0].mean && view.columns[0].mean < view.columns[0].high);
    }
}

#[test]
fn groups_and_labels_are_columns_and_decimal_commas_are_read() {
    for name in ["mixed", "labels"] {
        let expected = &answers()[name];
        let mut row =
            TableRow::new(table(&format!("{FOLDER}/mixed.csv")), expected["row"].as_u64().unwrap() as usize);
        row.columns = Some(columns(&format!("{FOLDER}/{name}.json")));
        let explainer = load(&format!("{FOLDER}/{name}.onnx"), &row);
        let (tensor, _) = explainer.prepare(&Input::Table(&row)).unwrap();
        let logits = pollster::block_on(explainer.logits(&tensor)).unwrap().data;
        for (found, expected) in logits.iter().zip(numbers(&expected["logits"])) {
            assert!((found - expected).abs() < 1e-4, "{name}: {logits:?}");
        }
        let names: Vec<String> = serde_json::from_value(expected["columns"].clone()).unwrap();
        let asked = |method: &str, params: Value, given| explain(&explainer, &row, method, params, 1, given);
        let kernel = asked("kernel_shap", json!({}), BTreeMap::new());
        near(&kernel, &names, &expected["kernel"], &format!("{name}, KernelSHAP"));
        assert!(kernel.words.join(" ").contains("decimal points"), "{:?}", kernel.words);
        let cut = kernel.segments.unwrap();
        assert_eq!(cut.values.len(), 3, "{name}: a group is one part");
        let segment = |column: usize| {
            let part = kernel.parts.iter().find(|part| part.name == names[column]).unwrap();
            cut.labels[part.places[0]] as usize
        };
        let permutation = asked("permutation_shap", json!({}), orders(expected, segment));
        near(&permutation, &names, &expected["permutation"], &format!("{name}, permutation SHAP"));
        let paths = scores(&asked("integrated_gradients", json!({"steps": 300}), BTreeMap::new()));
        for (column, value) in expected["integrated_gradients"].as_object().unwrap() {
            let value = value.as_f64().unwrap() as f32;
            assert!((paths[column] - value).abs() < 1e-3, "{name}, {column}: {} for {value}", paths[column]);
        }
        for method in ["lime", "occlusion", "rise"] {
            let found = asked(method, json!({}), BTreeMap::new());
            let colours: Vec<f32> = found
                .parts
                .iter()
                .find(|part| part.name == "colour")
                .unwrap()
                .places
                .iter()
                .map(|&at| found.attribution.data[at])
                .collect();
            assert!(
                colours.iter().all(|&value| value == colours[0]),
                "{name}, {method}: a group is hidden at once"
            );
        }
    }
}

#[test]
fn an_input_for_each_column_goes_by_its_name() {
    let expected = &answers()["inputs"];
    let row =
        TableRow::new(table(&format!("{FOLDER}/inputs.csv")), expected["row"].as_u64().unwrap() as usize);
    let explainer = load(&format!("{FOLDER}/inputs.onnx"), &row);
    let names: Vec<String> = serde_json::from_value(expected["columns"].clone()).unwrap();
    let kernel = explain(&explainer, &row, "kernel_shap", json!({}), 1, BTreeMap::new());
    near(&kernel, &names, &expected["kernel"], "KernelSHAP");
    let probability = expected["probability"].as_f64().unwrap() as f32;
    assert!((kernel.info.target.probability - probability).abs() < 1e-4, "{:?}", kernel.info.target);
    assert_eq!(kernel.inputs.len(), 3);
    assert!(kernel.words.join(" ").contains("input of its name"), "{:?}", kernel.words);
}

#[test]
fn what_a_cell_is_changed_to_is_what_is_asked_about() {
    let mut row = TableRow::new(table(&format!("{WINE}/rows.csv")), 3);
    row.background = Some(table(&format!("{WINE}/background.csv")));
    let explainer = load(&format!("{WINE}/model.onnx"), &row);
    let before = explainer.prepare(&Input::Table(&row)).unwrap().0;
    row.changes = BTreeMap::from([("proline".into(), "300".into())]);
    let after = explainer.prepare(&Input::Table(&row)).unwrap().0;
    let changed: Vec<usize> = (0..13).filter(|&at| before.data[at] != after.data[at]).collect();
    assert_eq!((changed, after.data[12]), (vec![12], 300.0));
    let found = explain(&explainer, &row, "saliency", json!({}), 0, BTreeMap::new());
    assert_eq!(found.parts[12].value.as_deref(), Some("300"));
}

#[test]
fn a_series_is_told_by_channel_and_rows() {
    let row = TableRow::new(table(&format!("{MACHINE}/series/knocking-1201.csv")), 0);
    let explainer = load(&format!("{MACHINE}/model.onnx"), &row);
    let found = explain(&explainer, &row, "integrated_gradients", json!({}), 1, BTreeMap::new());
    assert_eq!(found.attribution.shape, [1, 3, 96]);
    let series = found.series.unwrap();
    assert_eq!(series.channels, ["vibration", "temperature", "load"]);
    assert_eq!((series.values.len(), series.values[0].len(), series.map.len()), (3, 96, 3));
    // The parts of each channel add up to its map.
    for (channel, map) in series.map.iter().enumerate() {
        let parts: f32 =
            found.parts.iter().filter(|part| part.source == channel).map(|part| part.score).sum();
        assert!((parts - map.iter().sum::<f32>()).abs() < 1e-3, "{channel}");
    }
    assert!(found.words.join(" ").contains("channel vibration, rows "), "{:?}", found.words);
    assert_eq!(found.info.baseline.as_deref(), Some("each channel\u{2019}s own mean over the series"));
    let hidden = explain(&explainer, &row, "occlusion", json!({}), 1, BTreeMap::new());
    assert_eq!(hidden.parts.len(), 20);
    assert!(hidden.parts[0].name.starts_with("rows 0 to "), "{:?}", hidden.parts[0]);
    assert_eq!(hidden.series.unwrap().map.len(), 1);
}

/// Two scores of `[N, 4, 2]`: the sum of the second of each pair, and nothing.
fn sums() -> Vec<u8> {
    let node = |operator: &str, inputs: &[&str], output: &str| NodeProto {
        name: output.into(),
        op_type: operator.into(),
        input: inputs.iter().map(|&input| input.into()).collect(),
        output: vec![output.into()],
        ..Default::default()
    };
    let weights = (0..16).map(|at| f32::from(u8::from(at % 4 == 2))).collect();
    operators::model(
        13,
        vec![node("Flatten", &["x"], "flat"), node("MatMul", &["flat", "weights"], "scores")],
        vec![initializer("weights", &reals(weights, &[8, 2]))],
        vec![declared("x", FLOAT, Some(&[1, 4, 2]))],
        vec![declared("scores", FLOAT, None)],
    )
}

/// The largest stretch of the largest channel is where the machine was made to knock.
#[test]
fn a_knock_is_found_where_it_is() {
    let table = table(&format!("{MACHINE}/series/knocking-1204.csv"));
    let vibration: Vec<f64> = (0..96).map(|row| table.cell(row, 1).parse().unwrap()).collect();
    let swing = |at: usize| {
        (at.saturating_sub(2)..(at + 3).min(96)).map(|at| vibration[at]).fold(f64::NEG_INFINITY, f64::max)
    };
    let loudest = (0..96).max_by(|&a, &b| vibration[a].total_cmp(&vibration[b])).unwrap();
    let row = TableRow::new(table.clone(), 0);
    let explainer = load(&format!("{MACHINE}/model.onnx"), &row);
    let found = explain(&explainer, &row, "integrated_gradients", json!({}), 1, BTreeMap::new());
    let best = found.parts.iter().max_by(|a, b| a.score.total_cmp(&b.score)).unwrap();
    assert_eq!(best.source, 0, "{best:?}");
    let near = best.places.iter().any(|&at| swing(at) > 0.5 * vibration[loudest]);
    assert!(near, "{best:?}, loudest at {loudest}");
}

#[test]
fn both_orders_of_a_series_axes_are_found() {
    // [N, time, channels] by a network that sums the steps of the second channel.
    let model = sums();
    let text = "t,a,b\n0,1,2\n1,3,4\n2,5,6\n3,7,8\n";
    let row = TableRow::new(Table::from_csv(text.as_bytes()).unwrap(), 0);
    let device = pollster::block_on(Device::open(DeviceChoice::Cpu)).unwrap();
    let mut asked = row.clone();
    asked.columns = Some(Columns::from_json(r#"{"columns": [{"name": "a"}, {"name": "b"}]}"#).unwrap());
    let explainer =
        Explainer::load_for_table(&ModelFile::from(&model[..]), &ModelOptions::default(), &asked, &device)
            .unwrap();
    let (tensor, _) = explainer.prepare(&Input::Table(&asked)).unwrap();
    assert_eq!(tensor.shape, [1, 4, 2]);
    assert_eq!(tensor.data, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
    let found = explain(&explainer, &asked, "saliency", json!({}), 0, BTreeMap::new());
    let series = found.series.unwrap();
    assert_eq!(series.values[1], [2.0, 4.0, 6.0, 8.0]);
    assert_eq!((series.map[0].as_slice(), series.map[1].as_slice()), (&[0.0; 4][..], &[1.0; 4][..]));
}

#[test]
fn faults_say_what_to_do() {
    let wine = |change: &dyn Fn(&mut TableRow)| {
        let mut row = TableRow::new(table(&format!("{WINE}/rows.csv")), 3);
        let explainer = load(&format!("{WINE}/model.onnx"), &row);
        change(&mut row);
        let error = explainer.prepare(&Input::Table(&row)).unwrap_err();
        (error.code(), error.to_string())
    };
    let (code, message) = wine(&|row| row.row = 36);
    assert_eq!(code, "input_invalid");
    assert!(message.contains("the rows 0 to 35"), "{message}");
    let (_, message) = wine(&|row| row.changes = BTreeMap::from([("ash".into(), String::new())]));
    assert!(message.contains("\"missing\": 0"), "{message}");
    let (_, message) = wine(&|row| row.changes = BTreeMap::from([("ash".into(), "much".into())]));
    assert!(message.contains("no number") && message.contains("categories"), "{message}");
    let (_, message) = wine(&|row| row.background = Some(Table::from_csv(b"a,b\n1,2\n").unwrap()));
    assert!(message.contains("have no column \u{201c}alcohol\u{201d}"), "{message}");
    let (code, message) = wine(&|row| row.columns = Some(columns(&format!("{FOLDER}/mixed.json"))));
    assert_eq!(code, "preprocessing_invalid");
    assert!(message.contains("no such column"), "{message}");
    let (_, message) = wine(&|row| row.kind = Some(TableKind::Series));
    assert!(message.contains("1 channels"), "{message}");
}

fn run(arguments: &[&str]) -> (bool, String, String) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_adversight")).args(arguments).current_dir(root()).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

#[test]
fn the_command_line_takes_rows() {
    let model = format!("{WINE}/model.onnx");
    let rows = format!("{WINE}/rows.csv");
    let labels = format!("{WINE}/labels.json");
    let scratch = |name: &str| PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let (html, svg, json) = (scratch("row.html"), scratch("row.svg"), scratch("row.json"));
    let path = |path: &PathBuf| path.to_str().unwrap().to_owned();
    let (html_path, svg_path, json_path) = (path(&html), path(&svg), path(&json));
    let asked = ["--model", &model, "--input", &rows, "--row", "3", "--labels", &labels];
    let files = ["--html", &html_path, "--svg", &svg_path, "--json", &json_path];
    let (well, out, err) = run(&[&["explain", "--method", "kernel_shap"], &asked[..], &files[..]].concat());
    assert!(well, "{err}");
    assert!(out.contains("proline = 1015") && out.contains("of 13 columns"), "{out}");
    assert!(out.contains("35 other rows of the table") && out.contains("a guess"), "{out}");
    let page = fs::read_to_string(html).unwrap();
    assert!(page.contains("<svg") && page.contains("<td>proline</td><td>1015</td>"), "{page}");
    assert!(fs::read_to_string(svg).unwrap().contains("proline = 1015"));
    let written: Value = serde_json::from_slice(&fs::read(json).unwrap()).unwrap();
    assert_eq!(written["table"]["row"], 3);
    assert_eq!(written["parts"][12]["value"], "1015");

    let (well, out, _) =
        run(&[&["classify", "--set", "proline=300", "--set", "flavanoids=0.5"], &asked[..]].concat());
    assert!(well && !out.lines().next().unwrap().contains("99.25"), "{out}");
    let (well, _, err) = run(&["classify", "--model", &model, "--input", &rows, "--row", "99"]);
    assert!(!well && err.contains("the rows 0 to 35"), "{err}");
}
