//! What the papers say of their methods, on photographs of ImageNet.
//!
//! The photographs are not the project's: they are read from `../shared/images/imagenet-sample`, and where that folder is
//! missing the tests say so and end. Two of them are looked at, ten where `ADVERSIGHT_THOROUGH` is set; `adversight reproduce`
//! measures more and writes docs/reproduction.

use crate::common;

use std::{fs, path::PathBuf};

use adversight::{
    ExplainOptions, Explainer, HostTensor, Input, Photograph,
    attack::{AttackOptions, Space, attack},
    metric::{self, Assessment, Mask, randomise},
};
use serde_json::{Value, json};

const FOLDER: &str = "../shared/images/imagenet-sample";
/// One unit of ImageNet's standard deviation, in pixels from 0 to 1: the mean of its channels'.
const UNIT: f32 = 0.226;

/// Photographs from all over the folder.
fn photographs() -> Vec<PathBuf> {
    let Ok(folder) = fs::read_dir(common::root().join(FOLDER)) else {
        eprintln!("skipped: there are no photographs in {FOLDER}");
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = folder.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|end| end == "jpg"));
    paths.sort();
    let count = if std::env::var_os("ADVERSIGHT_THOROUGH").is_some() { 10 } else { 2 };
    (0..count).map(|i| paths[i * paths.len() / count].clone()).collect()
}

/// The page's network.
fn network(name: &str) -> Explainer {
    let declared = common::json(&format!("www/public/models/{name}.json"));
    common::load(&file(name), &declared["preprocessing"], &common::cpu())
}

fn file(name: &str) -> String {
    format!("www/public/models/{name}.onnx")
}

fn prepare(explainer: &Explainer, path: &PathBuf) -> HostTensor {
    let photograph = Photograph::decode(&fs::read(path).unwrap()).unwrap();
    explainer.prepare(&Input::Photograph(&photograph)).unwrap().0
}

fn options(method: &str, params: &Value, target: usize) -> ExplainOptions {
    let params = params.as_object().unwrap().clone();
    ExplainOptions { method: method.into(), params, target: Some(target.into()), ..ExplainOptions::default() }
}

/// RelEx, figure 3: where the attacked photograph is multiplied with its own map, the network finds the clean photograph's class
/// again if RelEx made the map, and does not if others did.
#[test]
fn relex_finds_the_class_of_attacked_photographs_again() {
    let photographs = photographs();
    if photographs.is_empty() {
        return;
    }
    let explainer = network("squeezenet1_1");
    let others = ["saliency", "integrated_gradients", "smoothgrad", "grad_cam"];
    let methods = others.map(|name| (name, json!({}), Mask::Scaled));
    let methods = [("relex", json!({ "samples": 10 }), Mask::Raw)].into_iter().chain(methods);
    let mut found = std::collections::BTreeMap::<&str, Vec<bool>>::new();
    for (method, params, mask) in methods {
        for path in &photographs {
            let clean = prepare(&explainer, path);
            let control = Default::default();
            let strength = AttackOptions {
                epsilon: UNIT,
                step: Some(0.01 * UNIT),
                steps: 40,
                random_start: true,
                space: Some(Space::Pixel),
                ..AttackOptions::default()
            };
            let attacked = pollster::block_on(attack(&explainer, &clean, &strength, 1, &control)).unwrap();
            let class = attacked.before[0].index;
            assert_ne!(attacked.after[0].index, class, "the attack fools the network");
            let map =
                common::explain(&explainer, &attacked.input, &options(method, &params, class)).attribution;
            let judged = Assessment::new(&explainer, &attacked.input, &map, class, &control).unwrap();
            let logits = pollster::block_on(metric::retrieve(&judged, mask)).unwrap().logits;
            let again = logits.iter().all(|logit| *logit <= logits[class]);
            println!("{method}, {}: {again}", path.file_name().unwrap().display());
            found.entry(method).or_default().push(again);
        }
    }
    let rate = |method: &str| {
        let found = &found[method];
        found.iter().filter(|&&again| again).count() as f64 / found.len() as f64
    };
    assert!(rate("relex") >= 0.9, "{found:?}");
    for other in others {
        assert!(rate(other) < 0.5, "{found:?}");
    }
}

/// Adebayo et al. 2018, and AGI's figure 8: with random weights AGI's map is another one; guided backpropagation's stays much as it
/// was, because it draws the photograph's edges.
#[test]
fn agi_passes_the_sanity_check_and_guided_backpropagation_fails_it() {
    let photographs = photographs();
    if photographs.is_empty() {
        return;
    }
    let trained = network("squeezenet1_1");
    let onnx = common::read(&file("squeezenet1_1"));
    let layers = randomise::layers(&onnx).unwrap();
    let random = Explainer::load(&randomise::randomise(&onnx, &layers, 0).unwrap(), &common::cpu()).unwrap();
    let random = random.with_preprocessing(trained.preprocessing().unwrap().clone()).unwrap();
    let similarity = |method: &str, params: Value| {
        let of = photographs.iter().map(|path| {
            let input = prepare(&trained, path);
            let target =
                pollster::block_on(trained.classify(&Input::Tensor(&input), 1)).unwrap().top[0].index;
            let options = options(method, &params, target);
            let explanation = common::explain(&trained, &input, &options);
            let control = Default::default();
            let judged = Assessment::of(&trained, &input, &explanation, &options, &control).unwrap();
            let judged = judged.with_randomised(&random);
            let found = pollster::block_on(metric::measure(&judged, "randomisation", &Default::default()));
            found.unwrap().finding.value
        });
        of.sum::<f64>() / photographs.len() as f64
    };
    let agi = similarity("agi", json!({ "samples": 5, "steps": 10 }));
    let guided = similarity("guided_backprop", json!({}));
    println!("rank correlation with random weights' maps: AGI {agi:.2}, guided backpropagation {guided:.2}");
    assert!(agi < 0.3 && guided > 0.5, "{agi} and {guided}");
}
