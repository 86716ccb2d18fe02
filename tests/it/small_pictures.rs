//! Pictures from 4 x 4 up: segments, windows and masks shrink with them, and what finds nothing says so. The network's score is
//! twice the value of one pixel, so that the right map is known.

use crate::common::{self, compare, draws::Given, linear::Linear};
use std::collections::BTreeMap;

use adversight::{Control, ExplainOptions, Explainer, Explanation, HostTensor, Input, ModelOptions};
use serde_json::{Value, json};

/// A picture of even noise, with the pixel that counts at `at`, of as many channels.
struct OnePixel {
    linear: Linear,
    at: usize,
    pixels: usize,
}

impl OnePixel {
    fn new(channels: usize, height: usize, width: usize) -> Self {
        let pixels = height * width;
        let at = (2 * height / 3) * width + width / 3;
        let mut weights = vec![0.0; 2 * channels * pixels];
        weights[2 * at + 1] = 2.0;
        let mut linear = Linear::of(&[1, channels, height, width], false, weights, [0.0; 2]);
        // From 0.2 to 1: no pixel is nothing already.
        linear.input.data.iter_mut().for_each(|value| *value = 0.6 + 0.4 * *value);
        linear.input.data[at] = 0.9;
        Self { linear, at, pixels }
    }

    fn explain(&self, method: &str, params: Value) -> Explanation {
        self.linear.explain(method, params, Given::new()).unwrap()
    }

    /// The map with one value a pixel.
    fn map(&self, found: &Explanation) -> Vec<f32> {
        let channels = found.attribution.data.chunks(self.pixels);
        channels
            .fold(vec![0.0; self.pixels], |sum, plane| sum.iter().zip(plane).map(|(a, b)| a + b).collect())
    }

    /// Checks that the map is highest at the pixel that counts, and there alone where it is `alone`.
    fn peaks(&self, found: &Explanation, alone: bool, what: &str) {
        let map = self.map(found);
        let most = map.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        assert!(map[self.at] == most && most > 0.01, "{what}: {} of {most} in {map:?}", map[self.at]);
        let as_high = map.iter().filter(|&&value| value == most).count();
        assert!(as_high < self.pixels / 2 && (!alone || as_high == 1), "{what}: {as_high} pixels in {map:?}");
    }
}

const SIZES: [(usize, usize, usize); 8] =
    [(1, 4, 4), (3, 4, 4), (1, 5, 7), (3, 6, 6), (1, 8, 8), (3, 8, 8), (1, 10, 10), (3, 12, 16)];

#[test]
fn default_segments_and_windows_find_the_pixel() {
    for (channels, height, width) in SIZES {
        let picture = OnePixel::new(channels, height, width);
        let size = format!("{channels} x {height} x {width}");
        for method in ["kernel_shap", "lime", "occlusion", "xrai"] {
            let found = picture.explain(method, json!({}));
            // Cells of a grid of 100 are pixels here, but for the largest.
            let alone = height * width <= 100 || method == "xrai";
            picture.peaks(&found, alone, &format!("{method} {size}"));
        }
        // Hidden behind zero, the pixel takes all of its score with it.
        if height * width <= 100 {
            for (method, params) in [
                ("kernel_shap", json!({ "score": "logit" })),
                ("occlusion", json!({ "score": "logit" })),
                ("lime", json!({ "score": "logit", "ridge": 1e-5, "kernel_width": 50 })),
            ] {
                let found = picture.explain(method, params);
                let mut right = vec![0.0; picture.pixels];
                right[picture.at] = 1.8;
                let agreement = compare(&picture.map(&found), &right);
                assert!(agreement.relative_max < 2e-3, "{method} {size}: {agreement:?}");
                assert_eq!(found.info.params["hidden"], "zero", "{method}");
            }
        }
        picture.peaks(&picture.explain("rise", json!({ "samples": 3000 })), false, &format!("rise {size}"));
        let axai = picture.explain("axai", json!({ "steps": 3, "k": 1 }));
        assert!(picture.map(&axai)[picture.at] > 0.0, "axai {size}");
        // The mask that is kept holds the pixel; it ends where it has nothing left to gain.
        let relex = picture.explain("relex", json!({ "iterations": 30, "samples": 1, "sparsity": 0.01 }));
        picture.peaks(&relex, false, &format!("relex {size}"));
    }
}

/// MASK blurs the pixel away: its mask is as fine as the picture.
#[test]
fn mask_finds_the_pixel_of_a_small_picture() {
    for (channels, height, width) in SIZES {
        let mut picture = OnePixel::new(channels, height, width);
        // Among darker ones, so that a blur takes it away.
        picture.linear.input.data.fill(0.1);
        picture.linear.input.data[picture.at] = 3.0;
        let found =
            picture.explain("mask", json!({ "setting": "own", "iterations": 60, "l1": 0.01, "tv": 0.001 }));
        picture.peaks(&found, false, &format!("mask {channels} x {height} x {width}"));
    }
}

#[test]
fn the_numbers_in_force_are_told_and_the_papers_hold_at_224() {
    let told = |side: usize, method: &str, params: Value| {
        let picture = OnePixel::new(1, side, side);
        picture.explain(method, params).info.params
    };
    let small = told(8, "occlusion", json!({}));
    assert_eq!((&small["window"], &small["stride"]), (&json!(1), &json!(1)));
    let small = told(32, "occlusion", json!({}));
    assert_eq!((&small["window"], &small["stride"]), (&json!(2), &json!(2)));
    let large = told(224, "occlusion", json!({}));
    assert_eq!((&large["window"], &large["stride"]), (&json!(15), &json!(8)));
    let large = told(224, "xrai", json!({ "steps": 2 }));
    assert_eq!((&large["dilation"], &large["min_pixels"]), (&json!(5), &json!(50)));
    let small = told(32, "xrai", json!({ "steps": 2 }));
    assert_eq!((&small["dilation"], &small["min_pixels"]), (&json!(1), &json!(1)));
    let once = json!({ "setting": "own", "iterations": 1 });
    assert_eq!(told(224, "mask", once.clone())["mask_size"], 28);
    assert_eq!(told(32, "mask", once.clone())["mask_size"], 8);
    assert_eq!(told(4, "mask", once)["mask_size"], 4);
    // What is said is kept.
    let own = told(32, "occlusion", json!({ "window": 6, "stride": 5 }));
    assert_eq!((&own["window"], &own["stride"]), (&json!(6), &json!(5)));
    let own = told(32, "xrai", json!({ "steps": 2, "dilation": 0, "min_pixels": 7 }));
    assert_eq!((&own["dilation"], &own["min_pixels"]), (&json!(0), &json!(7)));
    let error = OnePixel::new(1, 10, 10).linear.explain("occlusion", json!({ "window": 15 }), Given::new());
    assert!(error.unwrap_err().to_string().contains("larger than the picture of 10 x 10"));
}

fn notes(found: &Explanation) -> String {
    found.info.notes.join(" ")
}

#[test]
fn a_single_segment_gives_way_or_is_told() {
    // An even picture, just large enough for QuickShift: one segment.
    let mut picture = OnePixel::new(3, 34, 34);
    picture.linear.input.data.fill(0.5);
    let found = picture.explain("kernel_shap", json!({ "samples": 400, "score": "logit" }));
    assert!(notes(&found).contains("QuickShift finds a single segment"), "{:?}", found.info.notes);
    assert_eq!(found.segments.as_ref().unwrap().values.len(), 100);
    assert_eq!(found.info.params["segmentation"], "grid");
    picture.peaks(&found, false, "an even picture");
    let found = picture.explain("xrai", json!({ "steps": 2 }));
    assert!(
        notes(&found).contains("Felzenszwalb's algorithm finds a single region"),
        "{:?}",
        found.info.notes
    );
    // Whoever asks for an algorithm or for one segment gets it, and is told.
    for params in [
        json!({ "segmentation": "quickshift", "kernel_size": 4, "max_dist": 200 }),
        json!({ "segmentation": "grid", "segments": 1 }),
    ] {
        let found = picture.explain("lime", params.clone());
        assert_eq!(found.segments.as_ref().unwrap().values.len(), 1, "{params}");
        assert!(
            notes(&found).contains("The whole input is one segment")
                || notes(&found).contains("The whole picture is one segment"),
            "{:?}",
            found.info.notes
        );
        assert_eq!(found.info.params["segmentation"], params["segmentation"]);
    }
    let whole = HostTensor::new(vec![0.0; 34 * 34], vec![1, 1, 34, 34]).unwrap();
    let given = Given::from([("segments".into(), whole)]);
    let found = picture.linear.explain("kernel_shap", json!({}), given).unwrap();
    assert!(notes(&found).contains("is one segment"), "{:?}", found.info.notes);
    // Segments as usual need no word.
    let found = OnePixel::new(3, 72, 72).explain("kernel_shap", json!({ "samples": 300 }));
    assert!(!notes(&found).contains("segment"), "{:?}", found.info.notes);
}

/// A drawing of even areas: each area is its own mean, and is hidden behind zero instead.
#[test]
fn areas_of_one_colour_are_hidden() {
    let mut picture = OnePixel::new(3, 72, 72);
    let square = |i: usize| (24..48).contains(&(i / 72 % 72)) && (20..44).contains(&(i % 72));
    for (i, value) in picture.linear.input.data.iter_mut().enumerate() {
        *value = if square(i) { 0.9 } else { 0.2 };
    }
    picture.at = 40 * 72 + 30;
    let mut weights = vec![0.0; 2 * 3 * 72 * 72];
    weights[2 * picture.at + 1] = 2.0;
    let input = picture.linear.input.clone();
    picture.linear = Linear::of(&[1, 3, 72, 72], false, weights, [0.0; 2]);
    picture.linear.input = input;
    for method in ["kernel_shap", "lime"] {
        let found = picture.explain(method, json!({ "samples": 300 }));
        assert_eq!(found.info.params["hidden"], "zero", "{method}");
        picture.peaks(&found, false, method);
    }
}

#[test]
fn a_segments_mean_that_hides_nothing_is_refused_by_name() {
    let picture = OnePixel::new(1, 8, 8);
    let error =
        picture.linear.explain("kernel_shap", json!({ "hidden": "segment_mean" }), Given::new()).unwrap_err();
    assert_eq!(error.code(), "parameter_invalid");
    assert!(error.to_string().contains("a single pixel, which is its own mean"), "{error}");
    // Of cells of four pixels the mean hides something.
    let found = picture.explain("kernel_shap", json!({ "hidden": "segment_mean", "segments": 16 }));
    assert_eq!(found.info.params["hidden"], "segment_mean");
    picture.peaks(&found, false, "means of cells");
}

/// A photograph of the usual size is cut and hidden as the papers do.
#[test]
fn photographs_keep_the_papers_ways() {
    let explainer = common::tiny(&common::cpu());
    let input = common::npy("tests/fixtures/tiny/a.model.npy");
    let options = |params: Value| ExplainOptions {
        method: "lime".into(),
        params: params.as_object().unwrap().clone(),
        ..Default::default()
    };
    let found = common::explain(&explainer, &input, &options(common::small(json!({ "samples": 40 }))));
    assert_eq!(
        (&found.info.params["segmentation"], &found.info.params["hidden"]),
        (&json!("quickshift"), &json!("segment_mean"))
    );
    let found = common::explain(&explainer, &input, &options(json!({ "samples": 40, "segments": 16 })));
    assert_eq!(
        (&found.info.params["segmentation"], &found.info.params["hidden"]),
        (&json!("grid"), &json!("segment_mean"))
    );
}

/// SHAP's exact explainer on a network with a hidden layer: a picture of 4 x 3 pixels and a row, hidden behind zero and behind a
/// baseline of one's own; and the drop of the score as each value is hidden (tests/reference/small_inputs.py).
#[test]
fn default_segments_give_shaps_exact_values() {
    let index = common::json("tests/fixtures/small_inputs/index.json");
    let floats = |value: &Value| -> Vec<f32> { serde_json::from_value(value.clone()).unwrap() };
    for case in index["cases"].as_array().unwrap() {
        let name = case["model"].as_str().unwrap();
        let bytes = common::read(&format!("tests/fixtures/small_inputs/{name}"));
        let explainer = Explainer::load(&bytes, &common::cpu()).unwrap();
        let shape: Vec<usize> = serde_json::from_value(case["shape"].clone()).unwrap();
        let input = HostTensor::new(floats(&case["input"]), shape.clone()).unwrap();
        let mut given = Given::new();
        if case["baseline"].is_array() {
            given.insert("baseline".into(), HostTensor::new(floats(&case["baseline"]), shape).unwrap());
        }
        for (method, params, right) in [
            ("kernel_shap", json!({ "samples": 5000, "score": "logit" }), &case["shapley"]),
            ("occlusion", json!({ "score": "logit" }), &case["drops"]),
        ] {
            let options = ExplainOptions {
                method: method.into(),
                target: Some(1.into()),
                params: params.as_object().unwrap().clone(),
                given: given.clone(),
                ..ExplainOptions::default()
            };
            let found = common::explain(&explainer, &input, &options);
            let agreement = compare(&found.attribution.data, &floats(right));
            assert!(agreement.relative_max < 1e-4, "{method} {name}: {agreement:?}");
        }
    }
}

/// A picture and a row, explained at once: SHAP's exact values of all of their numbers, slopes of ONNX Runtime's scores by
/// differences, and integrated gradients from those (tests/reference/small_inputs.py).
#[test]
fn several_inputs_are_explained_at_once() {
    let index = common::json("tests/fixtures/small_inputs/index.json");
    let two = &index["two"];
    let bytes = common::read("tests/fixtures/small_inputs/two.onnx");
    let floats = |value: &Value| -> Vec<f32> { serde_json::from_value(value.clone()).unwrap() };
    let names = ["row", "picture"];
    let values: BTreeMap<String, HostTensor> = names
        .map(|name| {
            let shape = serde_json::from_value(two["shapes"][name].clone()).unwrap();
            (name.to_owned(), HostTensor::new(floats(&two["input"][name]), shape).unwrap())
        })
        .into();
    let options = ModelOptions { joint: names.map(str::to_owned).into(), ..ModelOptions::default() };
    let explainer = Explainer::load_with(&bytes.as_slice().into(), &options, &common::cpu()).unwrap();
    assert_eq!(explainer.model().info().input.name, "row + picture");
    for (method, params, right) in [
        ("saliency", json!({ "score": "logit" }), "gradient"),
        ("integrated_gradients", json!({ "steps": two["steps"], "score": "logit" }), "integrated_gradients"),
        ("kernel_shap", json!({ "samples": 20_000, "score": "logit" }), "shapley"),
    ] {
        let options = ExplainOptions {
            method: method.into(),
            target: Some(1.into()),
            params: params.as_object().unwrap().clone(),
            ..ExplainOptions::default()
        };
        let found =
            pollster::block_on(explainer.explain(&Input::Named(&values), &options, &Control::default()));
        let (found, _) = found.unwrap();
        assert_eq!(found.inputs.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), names);
        for (name, map) in &found.inputs {
            let agreement = compare(&map.data, &floats(&two[right][name]));
            assert!(agreement.relative_max < 2e-3, "{method} {name}: {agreement:?}");
            assert_eq!(map.shape, values[name].shape);
        }
        let said = found.words.last().unwrap();
        assert!(said.contains("\u{201c}picture\u{201d}") && said.contains("\u{201c}row\u{201d}"), "{said}");
    }

    let refused = |values: &BTreeMap<String, HostTensor>| {
        pollster::block_on(explainer.classify(&Input::Named(values), 1)).unwrap_err().to_string()
    };
    let mut missing = values.clone();
    missing.remove("row");
    assert!(refused(&missing).contains("\"row\" has no value"));
    let mut more = values.clone();
    more.insert("sound".into(), values["row"].clone());
    assert!(refused(&more).contains("\"sound\" is none"));
    more = values.clone();
    more.insert("row".into(), values["picture"].clone());
    assert!(refused(&more).contains("row"));
}
