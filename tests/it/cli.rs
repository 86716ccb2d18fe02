//! The command line, as a user types it.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Output},
};

use crate::common::{compare, npy, root};
use serde_json::Value;

const TINY: &str = "tests/fixtures/tiny.onnx";
const DECLARED: &str = "tests/fixtures/tiny.json";
const TENSOR: &str = "tests/fixtures/tiny/a.model.npy";

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_adversight")).args(arguments).current_dir(root()).output().unwrap()
}

fn succeed(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn fail(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert!(!output.status.success(), "{arguments:?} succeeded");
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(!message.contains("panicked"), "{message}");
    message
}

/// A file of this test run's own.
fn scratch(name: &str) -> (PathBuf, String) {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let text = path.to_str().unwrap().to_owned();
    (path, text)
}

fn written(path: &PathBuf) -> Vec<f32> {
    npyz::NpyFile::new(&fs::read(path).unwrap()[..]).unwrap().into_vec::<f32>().unwrap()
}

#[test]
fn logits_and_gradients_are_written() {
    let (file, out) = scratch("logits.npy");
    succeed(&["logits", "--model", TINY, "--input", TENSOR, "--out", &out]);
    assert!(compare(&written(&file), &npy("tests/fixtures/tiny/a_logits.npy").data).relative_max < 1e-5);

    let (file, out) = scratch("gradient.npy");
    succeed(&["gradient", "--model", TINY, "--input", TENSOR, "--target", "6", "--out", &out]);
    assert!(
        compare(&written(&file), &npy("tests/fixtures/tiny/a_gradient_top.npy").data).relative_max < 1e-4
    );
    let target = ["--target", "6", "--score", "probability"];
    succeed(&[&["gradient", "--model", TINY, "--input", TENSOR, "--out", &out], &target[..]].concat());
    let expected = npy("tests/fixtures/tiny/a_gradient_probability.npy").data;
    assert!(compare(&written(&file), &expected).relative_max < 1e-4);
}

#[test]
fn parameters_reach_the_method() {
    let explained = |method: &str, params: &[&str], fixture: &str| {
        let (file, out) = scratch(&format!("{fixture}.out.npy"));
        let mut arguments = vec![
            "explain",
            "--model",
            TINY,
            "--input",
            TENSOR,
            "--preprocessing",
            DECLARED,
            "--method",
            method,
        ];
        for param in params {
            arguments.extend(["--param", param]);
        }
        arguments.extend(["--target", "6", "--out", &out]);
        succeed(&arguments);
        let agreement = compare(&written(&file), &npy(&format!("tests/fixtures/tiny/{fixture}.npy")).data);
        assert!(agreement.cosine > 0.9999, "{fixture}: {agreement:?}");
    };
    explained("integrated_gradients", &["steps=50", "baseline=black"], "a_integrated_gradients_black");
    explained("integrated_gradients", &["steps=50", "baseline=white"], "a_integrated_gradients_white");
    let agi = ["mode=reference", "classes=0,1,2,3,4,5,7,8,9", "steps=20", "step_size=0.05"];
    explained("agi", &agi, "a_agi_reference");
    explained("saliency", &["score=probability"], "a_gradient_probability");
}

#[test]
fn a_photograph_becomes_an_overlay_and_a_report() {
    let ((png, png_text), (json, json_text)) = (scratch("overlay.png"), scratch("report.json"));
    let said = succeed(&[
        "explain",
        "--model",
        "www/public/models/squeezenet1_1.onnx",
        "--preprocessing",
        "www/public/models/squeezenet1_1.json",
        "--labels",
        "www/public/models/imagenet.json",
        "--input",
        "www/public/photos/chelsea.jpg",
        "--method",
        "saliency",
        "--png",
        &png_text,
        "--json",
        &json_text,
    ]);
    assert!(said.contains("Egyptian Mau"), "{said}");
    let (overlay, photograph) = (
        image::open(&png).unwrap().into_rgb8(),
        image::open(root().join("www/public/photos/chelsea.jpg")).unwrap(),
    );
    assert_eq!(overlay.dimensions(), (photograph.width(), photograph.height()));
    assert_ne!(overlay.as_raw(), photograph.into_rgb8().as_raw());
    let report: Value = serde_json::from_slice(&fs::read(json).unwrap()).unwrap();
    assert_eq!(report["info"]["method"], "saliency");
    assert_eq!(report["info"]["target"]["index"], 285);
    assert_eq!(report["model"]["name"], "squeezenet1_1");
}

#[test]
fn the_registry_is_printed_as_json() {
    let methods: Vec<Value> = serde_json::from_str(&succeed(&["methods"])).unwrap();
    let names: Vec<&str> = methods.iter().map(|method| method["name"].as_str().unwrap()).collect();
    for name in ["saliency", "smoothgrad", "integrated_gradients", "agi"] {
        assert!(names.contains(&name), "{names:?}");
    }
    let metrics: Vec<Value> = serde_json::from_str(&succeed(&["metrics"])).unwrap();
    assert!(metrics.iter().any(|metric| metric["name"] == "insertion" && metric["better"] == "higher"));
}

#[test]
fn an_evaluation_goes_on_where_it_stopped() {
    let (folder, images) = scratch("evaluated");
    let (table, out) = scratch("evaluated.csv");
    let (json, json_text) = scratch("evaluated.json");
    fs::create_dir_all(&folder).unwrap();
    let _ = fs::remove_file(&table);
    for name in ["a.png", "b.png"] {
        fs::copy(root().join("tests/fixtures/tiny").join(name), folder.join(name)).unwrap();
    }
    fs::write(
        folder.join("labels.csv"),
        "file,class_index,class_name\na.png,6,\"six, or so\"\nb.png,6,six\n",
    )
    .unwrap();
    fs::write(folder.join("boxes.csv"), "file,x,y,width,height\na.png,0,0,16,16\nb.png,0,0,32,32\n").unwrap();
    let boxes = folder.join("boxes.csv").to_str().unwrap().to_owned();
    let evaluate = |metrics: &[&str]| {
        let mut arguments = vec!["evaluate", "--images", &images, "--model", TINY, "--objects", &boxes];
        arguments.extend(["--method", "saliency", "--method", "agi:classes=1,2,steps=3"]);
        for metric in metrics {
            arguments.extend(["--metric", metric]);
        }
        arguments.extend(["--out", &out, "--json", &json_text]);
        let output = run(&arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        said
    };
    let metrics = ["insertion:step=100", "sparseness", "mask_overlap", "ablation", "randomisation"];
    evaluate(&metrics);
    let whole = fs::read_to_string(&table).unwrap();
    assert_eq!(whole.lines().count(), 1 + 2 * 2 * 5);
    let report: Value = serde_json::from_slice(&fs::read(&json).unwrap()).unwrap();
    let groups = report["results"].as_array().unwrap();
    assert_eq!(groups.len(), 10);
    for group in groups {
        // One of the two photographs shows class 6, and neither method makes segments.
        assert_eq!(group["accuracy"], 0.5);
        let unsuited = group["metric"] == "ablation";
        assert_eq!(group["n"], if unsuited { 0 } else { 2 });
        assert_eq!(group["errors"].as_str().unwrap().contains("[metric_unsuited]"), unsuited);
    }
    // The run is ended in the middle of a line: the rest comes to the same values.
    // Up to the figures beside the value and the times.
    let values =
        |text: &str| text.lines().map(|line| line.split('{').next().unwrap().to_owned()).collect::<Vec<_>>();
    fs::write(&table, &whole[..whole.len() / 2]).unwrap();
    assert!(evaluate(&metrics).contains("of 20 are in"));
    assert_eq!(values(&fs::read_to_string(&table).unwrap()), values(&whole));
    // A further metric is added to what is there.
    assert!(evaluate(&["sparseness", "complexity"]).contains("4 of 8 are in"));
    assert_eq!(fs::read_to_string(&table).unwrap().lines().count(), 1 + 2 * 2 * 6);
    let refused = |rest: &[&str]| {
        let common =
            ["evaluate", "--images", &images, "--model", TINY, "--method", "saliency", "--out", &out];
        fail(&[&common, rest].concat())
    };
    assert!(refused(&["--metric", "spearman"]).contains("--reference"));
    assert!(refused(&["--metric", "mask_overlap"]).contains("--objects"));
    assert!(refused(&["--metric", "beauty"]).contains("[metric_unknown]"));
    assert!(refused(&["--metric", "insertion:step=0"]).contains("[parameter_invalid]"));
    fs::write(&table, "another,table\n").unwrap();
    assert!(refused(&["--metric", "sparseness"]).contains("Choose another --out"));
}

#[test]
fn papers_are_reproduced_with_their_own_numbers_beside() {
    let (folder, images) = scratch("reproduced_images");
    fs::create_dir_all(&folder).unwrap();
    for name in ["a.png", "b.png"] {
        fs::copy(root().join("tests/fixtures/tiny").join(name), folder.join(name)).unwrap();
    }
    // A number of the paper, and a part of each report that only a measurement leads to.
    let sentences = "tests/fixtures/sentences";
    let sentence_network = format!("{sentences}/cnn.onnx");
    for (paper, images, model, theirs, ours) in [
        ("agi", &images[..], TINY, "0.561", "cascade_tiny.svg"),
        ("relex", &images, TINY, "0.94", "rank_correlation_tiny.svg"),
        ("axai", &images, TINY, "-1.785e-3 to -1.777e-3", "qq_tiny.svg"),
        ("axai", sentences, &sentence_network, "-2.753e-1 to -2.673e-1", "qq_cnn.svg"),
    ] {
        let (out, out_text) = scratch(&format!("reproduced_{paper}_{ours}"));
        // Tables of earlier runs would be taken as they are.
        let _ = fs::remove_dir_all(&out);
        succeed(&[
            "reproduce",
            paper,
            "--images",
            images,
            "--limit",
            "1",
            "--model",
            model,
            "--out",
            &out_text,
        ]);
        let text = fs::read_to_string(out.join("report.md")).unwrap();
        assert!(text.contains(theirs) && text.contains(ours), "{text}");
        assert!(fs::read_to_string(out.join(ours)).unwrap().contains("<svg"));
        assert!(fs::read_to_string(out.join("report.html")).unwrap().contains("<svg"));
        let rows = text.lines().filter(|line| line.starts_with("| "));
        let measured =
            |row: &str| row.rsplit('|').nth(1).is_some_and(|cell| cell.trim().starts_with(char::is_numeric));
        assert!(rows.filter(|row| measured(row)).count() >= 3, "{text}");
    }
}

#[test]
fn layers_are_randomised_from_the_output_on() {
    let logits = |model: &str| {
        let (file, out) = scratch("randomised_logits.npy");
        succeed(&["logits", "--model", model, "--input", TENSOR, "--out", &out]);
        written(&file)
    };
    let (file, randomised) = scratch("randomised.onnx");
    let randomise = |rest: &[&str]| {
        let said = succeed(&[&["randomise", "--model", TINY, "--out", &randomised], rest].concat());
        (said.lines().map(str::to_owned).collect::<Vec<_>>(), fs::read(&file).unwrap())
    };
    let (all, whole) = randomise(&["--seed", "3"]);
    assert!(all.len() > 3 && logits(&randomised) != logits(TINY));
    assert_eq!(randomise(&["--seed", "3", "--layers", "all"]).1, whole);
    assert_ne!(randomise(&["--seed", "4"]).1, whole);
    let (first, last_layer) = randomise(&["--seed", "3", "--layers", "1"]);
    assert_eq!(first, all[..1]);
    let (second, _) = randomise(&["--seed", "3", "--layers", "2"]);
    assert_eq!(second, all[..2]);
    let (alone, second_alone) = randomise(&["--seed", "3", "--layers", "2", "--alone"]);
    assert_eq!(alone, all[1..2]);
    assert_ne!(second_alone, last_layer);
    let refused =
        |layers: &str| fail(&["randomise", "--model", TINY, "--out", &randomised, "--layers", layers]);
    assert!(refused("0").contains("from 1 on"));
    assert!(refused("1000").contains("layers with weights"));
}

#[test]
fn a_masker_is_named_or_lies_beside_the_model() {
    let fixture = |name: &str| format!("tests/fixtures/fashion_mnist/{name}");
    let (model, boot) = (fixture("natural.onnx"), fixture("9.png"));
    let (masker, preprocessing) = (fixture("masker.onnx"), fixture("preprocessing.json"));
    let (map, map_text) = scratch("masked.npy");
    let explain = ["explain", "--model", &model, "--preprocessing", &preprocessing, "--input", &boot];
    let by_masker = ["--method", "rt_sal", "--masker", &masker, "--out", &map_text];
    succeed(&[&explain[..], &by_masker].concat());
    let masks = npy(&fixture("masker.masks.npy")).data;
    assert!(compare(&written(&map), &masks[9 * 784..]).relative_max < 1e-5);
    assert!(fail(&[&explain[..], &["--method", "rt_sal"]].concat()).contains("[method_unsuited]"));

    let (folder, images) = scratch("masked");
    fs::create_dir_all(&folder).unwrap();
    for (from, to) in
        [(&model, "a.onnx"), (&masker, "a.masker.onnx"), (&preprocessing, "a.json"), (&boot, "boot.png")]
    {
        fs::copy(root().join(from), folder.join(to)).unwrap();
    }
    let (table, out) = scratch("masked.csv");
    let _ = fs::remove_file(&table);
    let beside = folder.join("a.onnx").to_str().unwrap().to_owned();
    let evaluate = ["evaluate", "--images", &images, "--model", &beside, "--method", "rt_sal"];
    succeed(&[&evaluate[..], &["--metric", "sparseness", "--out", &out]].concat());
    let row = fs::read_to_string(&table).unwrap();
    assert!(row.lines().count() == 2 && !row.contains("method_unsuited"), "{row}");
}

#[test]
fn mistakes_are_said_in_a_sentence() {
    let explain = |rest: &[&str]| fail(&[&["explain", "--model", TINY, "--input", TENSOR], rest].concat());
    assert!(explain(&["--method", "magic"]).contains("[method_unknown]"));
    assert!(explain(&["--method", "agi", "--param", "steps=-1"]).contains("[parameter_invalid]"));
    assert!(explain(&["--method", "agi", "--param", "speed=9"]).contains("there are mode, classes"));
    assert!(explain(&["--method", "saliency", "--target", "10"]).contains("[target_out_of_range]"));
    assert!(explain(&["--method", "saliency", "--png", "x.png"]).contains("the input is a tensor"));
    let (_, out) = scratch("never.npy");
    let logits =
        |model: &str, input: &str| fail(&["logits", "--model", model, "--input", input, "--out", &out]);
    assert!(logits("no/such.onnx", TENSOR).contains("cannot be read"));
    assert!(logits("README.md", TENSOR).contains("[model_malformed]"));
    assert!(logits(TINY, "README.md").contains("[input_invalid]"));
    assert!(logits(TINY, "tests/fixtures/tiny/a_logits.npy").contains("[input_shape]"));
    assert!(logits(TINY, "www/public/photos/chelsea.jpg").contains("[preprocessing_invalid]"));
}
