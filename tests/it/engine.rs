//! Properties of the engine: what it refuses, what it counts, what must not change a result.

use crate::common;

use adversight::{
    Control, Error, ExplainOptions, Explainer, HostTensor, Input, Model, ModelFile, ModelOptions, Photograph,
    Preprocessing, Score, model::Activation,
};
use serde_json::json;

fn options(method: &str, params: serde_json::Value) -> ExplainOptions {
    ExplainOptions {
        method: method.into(),
        params: params.as_object().unwrap().clone(),
        ..ExplainOptions::default()
    }
}

fn input() -> HostTensor {
    common::npy("tests/fixtures/tiny/a.model.npy")
}

#[test]
fn a_batch_gives_what_its_samples_give() {
    let explainer = common::tiny(&common::cpu());
    let (a, b) = (input(), common::npy("tests/fixtures/tiny/b.model.npy"));
    let both = HostTensor::new([a.data.clone(), b.data.clone()].concat(), vec![2, 3, 32, 32]).unwrap();
    let logits = |x: &HostTensor| pollster::block_on(explainer.logits(x)).unwrap().data;
    let gradient =
        |x: &HostTensor| pollster::block_on(explainer.input_gradient(x, 3, Score::Logit)).unwrap().data;
    let close = |a: &[f32], b: &[f32]| assert!(common::compare(a, b).relative_max < 1e-5);
    close(&logits(&both), &[logits(&a), logits(&b)].concat());
    close(&gradient(&both), &[gradient(&a), gradient(&b)].concat());
}

#[test]
fn the_size_of_a_chunk_changes_nothing() {
    let whole = common::tiny(&common::cpu());
    let single = common::tiny(&common::cpu().with_batch_budget(1));
    assert_eq!(single.model().batch_limit(), 1);
    assert!(whole.model().batch_limit() > 50);
    for (method, params) in [
        ("integrated_gradients", json!({ "steps": 7 })),
        ("smoothgrad", json!({ "samples": 5 })),
        ("agi", json!({ "classes": [0, 1, 2, 3] })),
        ("agi", json!({ "classes": [0, 1, 2, 3], "mode": "reference" })),
        ("agi", json!({ "classes": [0, 1, 2, 3], "mode": "straight" })),
    ] {
        let run = |explainer| common::explain(explainer, &input(), &options(method, params.clone()));
        let (one, many) = (run(&single), run(&whole));
        let agreement = common::compare(&one.attribution.data, &many.attribution.data);
        assert!(agreement.relative_max < 1e-4, "{method} {params}: {agreement:?}");
        assert_eq!(one.info.forward_passes, many.info.forward_passes, "{method} {params}");
    }
}

#[test]
fn the_same_seed_gives_the_same_bits_and_another_seed_others() {
    let explainer = common::tiny(&common::cpu());
    for (method, params) in [("smoothgrad", json!({ "samples": 5 })), ("agi", json!({ "samples": 3 }))] {
        let run = |seed| {
            let options = ExplainOptions { seed, ..options(method, params.clone()) };
            common::explain(&explainer, &input(), &options).attribution.data
        };
        assert_eq!(run(1), run(1), "{method}");
        assert_ne!(run(1), run(2), "{method}");
    }
}

#[test]
fn gradients_can_be_taken_at_any_node() {
    let device = common::cpu();
    let model = Model::load(&common::read("tests/fixtures/tiny.onnx"), &device).unwrap();
    let at = |node: &str, file: &str| {
        let data = burn::tensor::TensorData::new(common::npy(file).data, [1, 3, 32, 32]);
        let x = burn::tensor::Tensor::<4>::from_data(data, device.burn());
        let found = model.gradient_at(node, x.into(), &[3], Score::Logit)?;
        let dims = found.gradient.dims();
        let count = dims.iter().product();
        let flat = found.gradient.reshape(&[count]).unwrap().get::<1>().unwrap();
        Ok::<_, Error>((dims, flat.into_data().try_into_vec::<f32>().unwrap()))
    };
    // The logits are linear in the features, so the gradient there is a row of weights, whatever the input.
    let (dims, features) = at("flatten_23", "tests/fixtures/tiny/a.model.npy").unwrap();
    assert_eq!(dims, [1, 24]);
    assert!(features.iter().any(|&weight| weight != 0.0));
    assert_eq!(at("flatten_23", "tests/fixtures/tiny/b.model.npy").unwrap().1, features);
    // The average before it spreads each weight evenly.
    let (dims, spread) = at("relu_21", "tests/fixtures/tiny/a.model.npy").unwrap();
    let area = dims[2] * dims[3];
    let expected: Vec<f32> =
        features.iter().flat_map(|w| std::iter::repeat_n(w / area as f32, area)).collect();
    assert!(common::compare(&spread, &expected).relative_max < 1e-6);

    let error = at("no such node", "tests/fixtures/tiny/a.model.npy").unwrap_err();
    assert_eq!(error.code(), "model_invalid");
}

#[test]
fn broken_models_get_their_own_errors() {
    for case in common::json("tests/fixtures/broken/index.json")["cases"].as_array().unwrap() {
        let file = case["file"].as_str().unwrap();
        let bytes = common::read(&format!("tests/fixtures/broken/{file}"));
        let error =
            Explainer::load(&bytes, &common::cpu()).err().unwrap_or_else(|| panic!("{file} was accepted"));
        println!("{file}: [{}] {error}", error.code());
        assert_eq!(error.node(), case["node"].as_str(), "{file}: {error}");
        assert!(
            matches!(error.code(), "model_malformed" | "model_unsupported" | "model_invalid"),
            "{file}: {error}"
        );
    }
    let unknown = common::read("tests/fixtures/broken/unknown_operator.onnx");
    let error = Explainer::load(&unknown, &common::cpu()).err().unwrap();
    assert_eq!((error.code(), error.node()), ("model_unsupported", Some("odd_one")));
}

#[test]
fn a_truncated_model_is_refused_wherever_it_is_cut() {
    let whole = common::read("tests/fixtures/tiny.onnx");
    for part in 0..200 {
        let cut = whole.len() * part / 200;
        let error = Explainer::load(&whole[..cut], &common::cpu()).err();
        let error = error.unwrap_or_else(|| panic!("{cut} of {} bytes were accepted", whole.len()));
        assert!(error.code().starts_with("model_"), "{cut}: {error}");
    }
}

#[test]
fn bad_inputs_get_their_own_errors() {
    let explainer = common::tiny(&common::cpu());
    let fault = |input: Input<'_>, options: &ExplainOptions| -> Error {
        pollster::block_on(explainer.explain(&input, options, &Control::default())).unwrap_err()
    };
    let saliency = options("saliency", json!({}));
    let good = input();

    let short = HostTensor::new(vec![0.0; 3 * 31 * 32], vec![1, 3, 31, 32]).unwrap();
    assert_eq!(fault(Input::Tensor(&short), &saliency).code(), "input_shape");
    assert_eq!(HostTensor::new(vec![f32::NAN], vec![1]).unwrap_err().code(), "input_not_finite");
    let mut poisoned = good.clone();
    poisoned.data[5] = f32::NAN;
    assert_eq!(fault(Input::Tensor(&poisoned), &saliency).code(), "input_not_finite");
    assert_eq!(fault(Input::Pixels { rgba: &[], width: 0, height: 0 }, &saliency).code(), "input_invalid");
    assert_eq!(
        fault(Input::Pixels { rgba: &[0; 4], width: 10_000, height: 10_000 }, &saliency).code(),
        "input_too_large"
    );
    assert_eq!(Photograph::decode(b"just a text").unwrap_err().code(), "input_invalid");

    let out_of_range = ExplainOptions { target: Some(10.into()), ..saliency.clone() };
    assert_eq!(fault(Input::Tensor(&good), &out_of_range).code(), "target_out_of_range");
    let classes = options("agi", json!({ "classes": [3, 99] }));
    assert_eq!(fault(Input::Tensor(&good), &classes).code(), "target_out_of_range");
    assert_eq!(fault(Input::Tensor(&good), &options("astrology", json!({}))).code(), "method_unknown");
    let negative = options("agi", json!({ "step_size": -0.1 }));
    assert_eq!(fault(Input::Tensor(&good), &negative).code(), "parameter_invalid");

    // After all that, the engine still works.
    common::explain(&explainer, &good, &saliency);
}

#[test]
fn cancelling_ends_a_method_between_steps() {
    let explainer = common::tiny(&common::cpu());
    let steps = std::cell::Cell::new(0);
    let control = Control {
        on_progress: Box::new(|_| steps.set(steps.get() + 1)),
        is_cancelled: Box::new(|| steps.get() == 3),
        ..Control::default()
    };
    let options = options("agi", json!({ "samples": 2, "steps": 20, "step_size": 0.0001 }));
    let ended = pollster::block_on(explainer.explain(&Input::Tensor(&input()), &options, &control));
    assert_eq!(ended.unwrap_err(), Error::Cancelled);
    assert_eq!(steps.get(), 3);
}

#[test]
fn without_a_preprocessing_the_inputs_range_stands_for_black_and_white() {
    let onnx = common::read("tests/fixtures/tiny.onnx");
    let bare = Explainer::load(&onnx, &common::cpu()).unwrap();
    let input = input();
    let (low, high) = input.data.iter().fold((f32::MAX, f32::MIN), |(l, h), &x| (l.min(x), h.max(x)));
    // Mean and deviation that map the same range to pixels from 0 to 1.
    let declared = json!({
        "image_mean": vec![-low / (high - low); 3],
        "image_std": vec![1.0 / (high - low); 3],
    });
    let declared = Preprocessing::from_json(&declared.to_string()).unwrap();
    let told = Explainer::load(&onnx, &common::cpu()).unwrap().with_preprocessing(declared).unwrap();
    for (method, params) in [("integrated_gradients", json!({})), ("agi", json!({ "classes": [1, 2] }))] {
        let run =
            |explainer| common::explain(explainer, &input, &options(method, params.clone())).attribution.data;
        let agreement = common::compare(&run(&bare), &run(&told));
        assert!(agreement.cosine > 0.9999, "{method}: {agreement:?}");
    }
}

#[test]
fn a_black_picture_has_no_integrated_gradients_from_black() {
    let explainer = common::tiny(&common::cpu());
    let black = Input::Pixels { rgba: &[0, 0, 0, 255].repeat(32 * 32), width: 32, height: 32 };
    let integrated = options("integrated_gradients", json!({ "steps": 5 }));
    let explained = pollster::block_on(explainer.explain(&black, &integrated, &Control::default()));
    let (explanation, _) = explained.unwrap();
    assert!(explanation.attribution.data.iter().all(|&value| value == 0.0));
    assert!(explanation.heatmap.data.iter().all(|&value| value == 0.0));
    assert!(explanation.words[1].starts_with("This method finds no part"));
}

#[test]
fn preprocessing_agrees_with_pil() {
    let index = common::json("tests/fixtures/preprocessing/index.json");
    for case in index["cases"].as_array().unwrap() {
        let picture = |key: &str| {
            let path = format!("tests/fixtures/preprocessing/{}", case[key].as_str().unwrap());
            Photograph::decode(&common::read(&path)).unwrap()
        };
        let mut declared = Preprocessing::from_json(&case["preprocessing"].to_string()).unwrap();
        (declared.scale, declared.mean, declared.std) = (1.0, vec![0.0; 3], vec![1.0; 3]);
        let ours = picture("source").prepare(&declared, None).unwrap().0;
        let pil = picture("file");
        let plain = Preprocessing { resize: None, crop: None, ..declared };
        let pil = pil.prepare(&plain, None).unwrap().0;
        assert_eq!(ours.shape, pil.shape);
        let differences = ours.data.iter().zip(&pil.data).map(|(a, b)| f64::from((a - b).abs()));
        let mean = differences.sum::<f64>() / ours.data.len() as f64;
        println!("{}: mean difference {mean:.3} of 255", case["file"]);
        assert!(mean <= 1.0, "{case}: {mean}");
    }
}

/// Gradients and predictions must mean the same score: of a network with a sigmoid for each class, too.
#[test]
fn completeness_holds_for_the_probabilities_of_a_sigmoid() {
    let device = common::cpu();
    let bytes = common::read("tests/fixtures/tiny.onnx");
    let known = ModelOptions { activation: Some(Activation::Sigmoid), ..Default::default() };
    let explainer = Explainer::load_with(&ModelFile::from(&bytes[..]), &known, &device).unwrap();
    let input = input();
    let logits = pollster::block_on(explainer.logits(&input)).unwrap().data;
    let params = json!({ "score": "probability", "steps": 500 });
    let options = ExplainOptions { target: Some(6.into()), ..options("integrated_gradients", params) };
    let info = common::explain(&explainer, &input, &options).info;
    assert!((info.target.probability - 1.0 / (1.0 + (-logits[6]).exp())).abs() < 1e-6);
    assert!(info.completeness_gap.unwrap().abs() < 5e-3, "{:?}", info.completeness_gap);
}
