//! Segments, attacks, and the methods that attack, hide or mask, against scikit-image, Captum, lime, shap, saliency and
//! PyTorch (tests/reference/segments.py and perturbation.py), and what must hold of them whatever the figures.

use std::collections::BTreeMap;

use crate::common::{
    self, Agreement, Fixtures, compare,
    draws::{self, Given},
};
use adversight::{
    Control, ExplainOptions, Explainer, Explanation, HostTensor, Input, Photograph, Preprocessing, Score,
    attack::{Attack, Goal, Network, Norm, Rows, SaliencyMapAttack, Within},
    attribution::registry::find,
    segment::{self, Felzenszwalb, Picture, Segments, Slic},
};
use burn::tensor::Tensor;
use rand::SeedableRng;
use serde_json::{Value, json};

/// A PNG's bytes, channel after channel.
fn bytes(path: &str) -> HostTensor {
    let photograph = Photograph::decode(&common::read(&format!("tests/fixtures/{path}"))).unwrap();
    let plain = json!({ "do_rescale": false, "do_resize": false, "do_center_crop": false });
    photograph.prepare(&Preprocessing::from_json(&plain.to_string()).unwrap(), None).unwrap().0
}

fn picture(path: &str) -> Picture {
    let HostTensor { data, shape } = bytes(path);
    let pixels = shape[2] * shape[3];
    let data = (0..3 * pixels).map(|i| f64::from(data[i % 3 * pixels + i / 3]) / 255.0).collect();
    Picture { data, height: shape[2], width: shape[3], channels: 3 }
}

/// How often two partitions agree on whether two pixels belong together.
fn rand_index(a: &Segments, b: &Segments) -> f64 {
    let mut both = vec![0.0f64; a.count * b.count];
    for (&a, &label) in a.labels.iter().zip(&b.labels) {
        both[a as usize * b.count + label as usize] += 1.0;
    }
    let pairs = |counts: &mut dyn Iterator<Item = f64>| counts.map(|n| n * n).sum::<f64>();
    let (alone, other) = (a.sizes(), b.sizes());
    let n = a.labels.len() as f64;
    let apart = pairs(&mut alone.iter().map(|&n| n as f64)) + pairs(&mut other.iter().map(|&n| n as f64))
        - 2.0 * pairs(&mut both.into_iter());
    1.0 - apart / (n * (n - 1.0))
}

#[test]
fn segments_are_scikit_images() {
    let index = common::json("tests/fixtures/segments/index.json");
    let cases = index["cases"].as_array().unwrap();
    assert!(cases.len() > 20);
    for case in cases {
        let picture = picture(case["image"].as_str().unwrap());
        let param = |name: &str| case["params"][name].as_f64().unwrap();
        let started = std::time::Instant::now();
        let ours = match case["algorithm"].as_str().unwrap() {
            "quickshift" => {
                let (settings, noise) = draws::quickshift(&case["params"], picture.height * picture.width);
                segment::quickshift(&picture, settings, Some(&noise))
            }
            "slic" => {
                let settings = Slic {
                    segments: param("segments") as usize,
                    compactness: param("compactness"),
                    sigma: param("sigma"),
                    ..Slic::default()
                };
                segment::slic(&picture, settings)
            }
            _ => {
                let settings = Felzenszwalb {
                    scale: param("scale"),
                    sigma: param("sigma"),
                    min_size: param("min_size") as usize,
                };
                segment::felzenszwalb(&picture, settings)
            }
        };
        let milliseconds = started.elapsed().as_secs_f64() * 1e3;
        let labels = bytes(&format!("segments/{}", case["file"].as_str().unwrap())).data;
        let pixels = picture.height * picture.width;
        let theirs = Segments::new(&labels[..pixels].iter().map(|&label| label as usize).collect::<Vec<_>>());
        let equal = ours.labels.iter().zip(&theirs.labels).filter(|(a, b)| a == b).count();
        let rand = rand_index(&ours, &theirs);
        println!(
            "{}: {} segments, {equal} of {pixels} pixels equal, Rand {rand:.7}, {milliseconds:.0} ms",
            case["file"], ours.count
        );
        // Other mathematical libraries may round a power otherwise, and turn a tie.
        assert!(ours.count == theirs.count && rand > 0.9999, "{case}");
    }
}

fn options(method: &str, params: Value) -> ExplainOptions {
    ExplainOptions {
        method: method.into(),
        params: params.as_object().unwrap().clone(),
        ..ExplainOptions::default()
    }
}

/// What the oracle drew.
fn given(case: &Value, params: &Value, input: &HostTensor) -> Given {
    let [height, width] = [input.shape[2], input.shape[3]];
    let count = |value: &Value| value.as_u64().unwrap() as usize;
    let mut given = draws::ties(height, width);
    // The oracle drew ties for all; a method that does not cut by QuickShift refuses them.
    let known = find(case["method"].as_str().unwrap()).unwrap().describe().given;
    given.retain(|name, _| known.iter().any(|given| given.name == *name));
    given.extend(match case["method"].as_str().unwrap() {
        "lime" => draws::lime(count(&case["samples"]), count(&case["segments"])),
        "kernel_shap" => {
            let files = case["given"].as_object().into_iter().flatten();
            let path = |file: &Value| format!("tests/fixtures/perturbation/{}", file.as_str().unwrap());
            files.map(|(name, file)| (name.clone(), common::npy(&path(file)))).collect()
        }
        "rise" => {
            let probability = params["probability"].as_f64().unwrap();
            draws::rise(count(&params["samples"]), count(&params["grid"]), probability, height, width)
        }
        _ => Given::new(),
    });
    given
}

/// Each segment's value, where the oracle has these, or the values of the map that it kept.
fn values(case: &common::Case, entry: &Value, found: &Explanation) -> Vec<f32> {
    let Some(count) = entry["segments"].as_u64() else { return case.sample(&found.attribution) };
    let segments = found.segments.as_ref().unwrap();
    assert_eq!(segments.values.len() as u64, count, "{}", case.file);
    for (&label, &shown) in segments.labels.iter().zip(&found.attribution.data) {
        let value = segments.values[label as usize];
        let hidden = case.method == "axai" && !segments.chosen.contains(&label);
        assert_eq!(shown, if hidden { 0.0 } else { value }, "{}", case.file);
    }
    if let Some(chosen) = entry["chosen"].as_array() {
        let mut ours: Vec<u64> = segments.chosen.iter().map(|&segment| segment.into()).collect();
        ours.sort_unstable();
        assert_eq!(
            ours,
            chosen.iter().map(|segment| segment.as_u64().unwrap()).collect::<Vec<_>>(),
            "{}",
            case.file
        );
    }
    segments.values.clone()
}

fn check(network: &str) -> usize {
    let fixtures = Fixtures::read("perturbation");
    let entries = common::json("tests/fixtures/perturbation/index.json");
    let explainer = fixtures.explainer(network, &common::cpu());
    let mut rows = Vec::new();
    for (case, entry) in fixtures.cases.iter().zip(entries["cases"].as_array().unwrap()) {
        if case.model.as_deref() != Some(network) {
            continue;
        }
        let input = common::prepared(&explainer, &case.image);
        let options = ExplainOptions { given: given(entry, &entry["params"], &input), ..case.options() };
        let found = common::explain(&explainer, &input, &options);
        let agreement = compare(&values(case, entry, &found), &fixtures.expected(case));
        let row = format!(
            "| {network} | {} | CPU | {:.6} | {:.5} | {:.1e} |",
            case.file.trim_end_matches(".npy"),
            agreement.cosine,
            agreement.rank_correlation,
            agreement.relative_l2
        );
        println!("{row} {:.0} ms", found.info.milliseconds);
        rows.push((row, agreement, case.float32));
    }
    let lines: Vec<String> = rows.iter().map(|(row, ..)| row.clone()).collect();
    common::publish("docs/accuracy.md", &format!("perturbation, {network}, CPU"), &lines);
    for (row, agreement, float32) in &rows {
        // What repeats a step many times multiplies rounding, as PyTorch in 32 bits does (tests/reference/README.md).
        let limit = float32.map_or(1e-3, |own: Agreement| f64::max(1e-3, 3.0 * own.relative_l2));
        assert!(agreement.relative_l2 < limit, "{row}, limit {limit:.1e}");
    }
    rows.len()
}

#[test]
fn squeezenet_agrees_with_the_oracles() {
    assert!(check("squeezenet1_1") > 15);
}

#[test]
fn efficientnet_agrees_with_the_oracles() {
    assert!(check("efficientnet_lite0") > 15);
}

#[test]
fn all_ways_to_hide_nine_cells_give_shaps_exact_values() {
    assert_eq!(check("tiny"), 1);
}

/// A model's input as rows, on the CPU.
struct Tiny {
    explainer: Explainer,
    input: HostTensor,
}

impl Tiny {
    fn new() -> Self {
        let explainer = common::tiny(&common::cpu());
        Self { explainer, input: common::npy("tests/fixtures/tiny/a.model.npy") }
    }

    fn explain(&self, method: &str, params: Value) -> Explanation {
        common::explain(&self.explainer, &self.input, &options(method, params))
    }

    fn predicted(&self) -> usize {
        let logits = pollster::block_on(self.explainer.logits(&self.input)).unwrap().data;
        (0..logits.len()).max_by(|&a, &b| logits[a].total_cmp(&logits[b])).unwrap()
    }
}

fn host(tensor: Tensor<2>) -> Vec<f32> {
    tensor.into_data().try_into_vec::<f32>().unwrap()
}

#[test]
fn attacks_agree_with_captum() {
    let tiny = Tiny::new();
    let control = Control::default();
    let rows = Rows::new(tiny.explainer.model(), &control).unwrap();
    let fixtures = Fixtures::read("perturbation");
    let cases: Vec<_> = fixtures.cases.iter().filter(|case| case.method == "attack").collect();
    assert!(cases.len() >= 5);
    for case in cases {
        let number = |name: &str| case.params[name].as_f64().unwrap() as f32;
        let norm = if case.params.contains_key("l2") { Norm::L2 } else { Norm::Linf };
        let attack = Attack {
            targeted: case.params.contains_key("targeted"),
            ..Attack::pgd(norm, number("step"), number("epsilon"), number("steps") as usize)
        };
        let x = rows.rows(tiny.input.data.clone()).unwrap();
        let half = (0..x.dims()[1]).map(|i| if i % 32 < 16 { 1.0 } else { 0.0 }).collect();
        let within = Within {
            range: case.params.get("range").map(|range| {
                let side = |end: usize| x.zeros_like() + range[end].as_f64().unwrap();
                (side(0), side(1))
            }),
            mask: case.params.contains_key("half").then(|| rows.rows(half).unwrap()),
            start: None,
        };
        let classes = [case.target.unwrap()];
        let delta = host(pollster::block_on(attack.run(&rows, x, &classes, &within)).unwrap());
        let agreement = compare(&delta, &fixtures.expected(case));
        println!("{}: relative l2 {:.1e}", case.file, agreement.relative_l2);
        assert!(agreement.relative_l2 < 1e-3, "{}: {agreement:?}", case.file);
    }
}

#[test]
fn a_batch_of_attacks_is_each_of_them_and_stays_within_the_ball() {
    let tiny = Tiny::new();
    let control = Control::default();
    let rows = Rows::new(tiny.explainer.model(), &control).unwrap();
    let other = common::npy("tests/fixtures/tiny/b.model.npy").data;
    let features = other.len();
    let both = [tiny.input.data.clone(), other.clone()].concat();
    for norm in [Norm::L2, Norm::Linf] {
        let epsilon = if norm == Norm::L2 { 0.5 } else { 0.02 };
        let attack = Attack::pgd(norm, epsilon / 3.0, epsilon, 5);
        let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(1);
        let start = attack.random_start(2, features, &mut random);
        let run = |values: Vec<f32>, start: Vec<f32>, classes: &[usize]| {
            let within = Within { start: Some(rows.rows(start).unwrap()), ..Within::default() };
            host(pollster::block_on(attack.run(&rows, rows.rows(values).unwrap(), classes, &within)).unwrap())
        };
        let together = run(both.clone(), start.clone(), &[3, 4]);
        let alone = run(other.clone(), start[features..].to_vec(), &[4]);
        assert!(compare(&together[features..], &alone).relative_l2 < 1e-3);
        for delta in start.chunks_exact(features).chain(together.chunks_exact(features)) {
            let size = match norm {
                Norm::L2 => delta.iter().map(|value| value * value).sum::<f32>().sqrt(),
                Norm::Linf => delta.iter().fold(0.0, |most, value| value.abs().max(most)),
            };
            assert!(size > 0.9 * epsilon && size < 1.0001 * epsilon, "{norm:?}: {size}");
        }
    }
}

#[test]
fn an_attacked_picture_stays_a_picture() {
    let tiny = Tiny::new();
    let control = Control::default();
    let rows = Rows::new(tiny.explainer.model(), &control).unwrap();
    let preprocessing = tiny.explainer.preprocessing().unwrap();
    let range = rows.valid_range(preprocessing).unwrap();
    let (black, white) = (host(range.0.clone()), host(range.1.clone()));
    let x = rows.rows(tiny.input.data.clone()).unwrap();
    let within = Within { range: Some(range), ..Within::default() };
    for norm in [Norm::L2, Norm::Linf] {
        let attack = Attack::pgd(norm, 2.0, 20.0, 3);
        let delta = pollster::block_on(attack.run(&rows, x.clone(), &[tiny.predicted()], &within)).unwrap();
        let attacked = host(x.clone() + delta);
        let inside = |i: usize| (black[i] - 1e-5..=white[i] + 1e-5).contains(&attacked[i]);
        assert!((0..attacked.len()).all(inside), "{norm:?}");
        let at_edge = |i: usize| attacked[i] <= black[i] + 1e-5 || attacked[i] >= white[i] - 1e-5;
        let held = (0..attacked.len()).filter(|&i| at_edge(i)).count();
        assert!(norm == Norm::L2 || held > attacked.len() / 3, "{held} values at the edge");
    }
    let grey = json!({ "image_mean": [0.5], "image_std": [0.5] });
    let grey = Preprocessing::from_json(&grey.to_string()).unwrap();
    assert_eq!(rows.valid_range(&grey).unwrap_err().code(), "preprocessing_invalid");
}

#[test]
fn an_attack_leads_away_or_towards() {
    let tiny = Tiny::new();
    let control = Control::default();
    let rows = Rows::new(tiny.explainer.model(), &control).unwrap();
    let from = tiny.predicted();
    let towards = (from + 3) % 10;
    let x = rows.rows(tiny.input.data.clone()).unwrap();
    let score = |delta: Tensor<2>, class: usize| {
        let logits = host(rows.gradients(x.clone() + delta, &[class], Score::Logit).unwrap().logits);
        let total: f32 = logits.iter().map(|logit| logit.exp()).sum();
        logits[class].exp() / total
    };
    let attack = Attack::pgd(Norm::Linf, 0.02, 0.2, 20);
    let run = |attack: Attack, class: usize| {
        pollster::block_on(attack.run(&rows, x.clone(), &[class], &Within::default())).unwrap()
    };
    let still = x.zeros_like();
    assert!(score(run(attack, from), from) < 0.5 * score(still.clone(), from));
    assert!(score(run(attack.targeted(), towards), towards) > 2.0 * score(still, towards));
}

#[test]
fn a_saliency_map_is_led_astray_and_the_class_stays() {
    let tiny = Tiny::new();
    let control = Control::default();
    let rows = Rows::new(tiny.explainer.model(), &control).unwrap();
    let class = tiny.predicted();
    let x = rows.rows(tiny.input.data.clone()).unwrap();
    let look = |at: Tensor<2>| {
        let found = rows.gradients(at, &[class], Score::Logit).unwrap();
        let map: Vec<f64> = host(found.gradient).into_iter().map(|value| f64::from(value.abs())).collect();
        let total: f64 = map.iter().sum();
        let logits = host(found.logits);
        assert!(logits.iter().all(|&logit| logit <= logits[class]), "the class stays");
        map.into_iter().map(|value| value / total).collect::<Vec<f64>>()
    };
    let before = look(x.clone());
    let attack = SaliencyMapAttack { epsilon: 0.3, step: 0.03, steps: 20, reach: 0.05, score: Score::Logit };
    let run = |goal: &Goal| {
        let delta = pollster::block_on(attack.run(&rows, x.clone(), &[class], goal)).unwrap();
        assert!(host(delta.clone()).iter().all(|change| change.abs() <= 0.3001));
        look(x.clone() + delta)
    };

    let k = before.len() / 20;
    let mut order: Vec<usize> = (0..before.len()).collect();
    order.sort_by(|&a, &b| before[b].total_cmp(&before[a]));
    let weight = |map: &[f64]| order[..k].iter().map(|&i| map[i]).sum::<f64>();
    let after = run(&Goal::Away { k });
    println!("weight on the top: {:.3} before, {:.3} after", weight(&before), weight(&after));
    assert!(weight(&after) < 0.9 * weight(&before));

    let other = rows.rows(common::npy("tests/fixtures/tiny/b.model.npy").data).unwrap();
    let found = rows.gradients(other, &[class], Score::Logit).unwrap().gradient.abs();
    let target = found.clone() / found.sum_dim(1);
    let wanted: Vec<f64> = host(target.clone()).into_iter().map(f64::from).collect();
    let distance = |map: &[f64]| map.iter().zip(&wanted).map(|(a, b)| (a - b).powi(2)).sum::<f64>();
    let after = run(&Goal::Towards(target));
    println!("distance: {:.3e} before, {:.3e} after", distance(&before), distance(&after));
    assert!(distance(&after) < 0.9 * distance(&before));
}

#[test]
fn axai_densities_do_not_depend_on_the_length_of_the_explanation() {
    let tiny = Tiny::new();
    let found: Vec<_> = [1, 5, 1000].map(|k| tiny.explain("axai", common::small(json!({ "k": k })))).into();
    let all = found[2].segments.as_ref().unwrap();
    assert!(all.values.len() > 5);
    assert!(all.values.iter().all(|density| (0.0..=1.0).contains(density)));
    assert_eq!(all.chosen.len(), all.values.len());
    for (explanation, k) in found.iter().zip([1, 5]) {
        let segments = explanation.segments.as_ref().unwrap();
        assert_eq!((&segments.values, &segments.labels), (&all.values, &all.labels));
        assert!(segments.chosen.len() >= k, "ties with the last are kept");
        assert_eq!(segments.chosen, all.chosen[..segments.chosen.len()]);
        let least = segments.values[*segments.chosen.last().unwrap() as usize];
        assert!(all.chosen[segments.chosen.len()..].iter().all(|&other| all.values[other as usize] < least));
    }
    // 15 % of a channel's pixels at either end: of three channels at most 90 % of the pixels, at least 30 %.
    let sizes = all.labels.iter().fold(vec![0.0; all.values.len()], |mut sizes, &label| {
        sizes[label as usize] += 1.0;
        sizes
    });
    let attacked: f32 = sizes.iter().zip(&all.values).map(|(size, density)| size * density).sum();
    assert!((0.29..0.91).contains(&(attacked / 1024.0)), "{attacked} pixels");
}

const METHODS: [&str; 7] = ["axai", "xrai", "lime", "kernel_shap", "occlusion", "rise", "mask"];

/// Parameters that make a method quick on the tiny network.
fn quick(method: &str) -> Value {
    match method {
        "axai" => common::small(json!({ "steps": 4 })),
        "xrai" => json!({ "steps": 5, "dilation": 1, "min_pixels": 5 }),
        "lime" => common::small(json!({ "samples": 60 })),
        "kernel_shap" => json!({ "samples": 60, "segmentation": "slic", "segments": 12 }),
        "occlusion" => json!({ "window": 8, "stride": 6 }),
        "rise" => json!({ "samples": 20, "grid": 4 }),
        _ => json!({ "setting": "own", "iterations": 4, "mask_size": 8 }),
    }
}

#[test]
fn the_size_of_a_chunk_changes_nothing() {
    let tiny = Tiny::new();
    let single = common::tiny(&common::cpu().with_batch_budget(1));
    assert_eq!(single.model().batch_limit(), 1);
    for method in METHODS {
        let many = tiny.explain(method, quick(method));
        let one = common::explain(&single, &tiny.input, &options(method, quick(method)));
        let agreement = compare(&one.attribution.data, &many.attribution.data);
        assert!(agreement.relative_max < 1e-3, "{method}: {agreement:?}");
        assert_eq!(one.info.forward_passes, many.info.forward_passes, "{method}");
        assert_eq!(one.info.backward_passes, many.info.backward_passes, "{method}");
    }
}

#[test]
fn the_gpu_agrees_with_the_cpu() {
    let Some(gpu) = common::gpu() else { return };
    let (tiny, other) = (Tiny::new(), common::tiny(&gpu));
    for method in METHODS {
        let cpu = tiny.explain(method, quick(method));
        let gpu = common::explain(&other, &tiny.input, &options(method, quick(method)));
        let agreement = compare(&gpu.attribution.data, &cpu.attribution.data);
        println!("{method}: relative l2 {:.1e}", agreement.relative_l2);
        assert!(agreement.relative_l2 < 1e-3, "{method}: {agreement:?}");
    }
    // A step of Linf goes as far for a gradient of rounding's size as for any other, so that l2 is compared.
    let attacked = |explainer: &Explainer| {
        let control = Control::default();
        let rows = Rows::new(explainer.model(), &control).unwrap();
        let x = rows.rows(tiny.input.data.clone()).unwrap();
        let pgd = Attack::pgd(Norm::L2, 0.05, 0.12, 6);
        let network = pollster::block_on(pgd.run(&rows, x.clone(), &[3], &Within::default())).unwrap();
        let attack = SaliencyMapAttack { steps: 1, ..SaliencyMapAttack::default() };
        let class = tiny.predicted();
        let map = pollster::block_on(attack.run(&rows, x, &[class], &Goal::Away { k: 100 })).unwrap();
        [host(network), host(map)]
    };
    let ([network, map], [network_gpu, map_gpu]) = (attacked(&tiny.explainer), attacked(&other));
    assert!(compare(&network_gpu, &network).relative_l2 < 1e-3);
    let same = map.iter().zip(&map_gpu).filter(|(a, b)| a == b).count();
    assert!(
        map.iter().any(|&change| change != 0.0) && same as f64 > 0.99 * map.len() as f64,
        "{same} features"
    );
}

#[test]
fn the_same_seed_gives_the_same_bits() {
    let tiny = Tiny::new();
    for method in METHODS {
        let run = |seed| {
            let options = ExplainOptions { seed, ..options(method, quick(method)) };
            common::explain(&tiny.explainer, &tiny.input, &options)
        };
        let (first, again) = (run(1), run(1));
        assert_eq!(first.attribution.data, again.attribution.data, "{method}");
        assert_eq!(first.segments, again.segments, "{method}");
        if matches!(method, "lime" | "kernel_shap" | "rise") {
            assert_ne!(first.attribution.data, run(2).attribution.data, "{method}");
        }
    }
}

#[test]
fn no_method_costs_more_than_it_says() {
    let tiny = Tiny::new();
    for method in METHODS {
        let found = tiny.explain(method, quick(method)).info;
        let most = match method {
            "axai" => (4, 4),
            "xrai" => (10, 10),
            "lime" => (60, 0),
            "kernel_shap" => (62, 0),
            "occlusion" => (25, 0),
            "rise" => (20, 0),
            _ => (4, 4),
        };
        // The input itself passes once.
        let most = (1 + most.0, most.1);
        assert_eq!((found.forward_passes, found.backward_passes), most, "{method}");
    }
}

/// KernelSHAP's values are shares: they add up to what hiding everything costs, whatever was drawn.
#[test]
fn shares_add_up() {
    let tiny = Tiny::new();
    for samples in [40, 100] {
        let found =
            tiny.explain("kernel_shap", json!({ "samples": samples, "segmentation": "grid", "segments": 9 }));
        assert!(found.info.completeness_gap.unwrap().abs() < 1e-6);
    }
}

/// With enough samples that were drawn, the values approach those of all ways to hide.
#[test]
fn drawn_shapley_values_approach_the_exact_ones() {
    let tiny = Tiny::new();
    let run = |samples: usize, seed| {
        let params = json!({ "samples": samples, "segmentation": "grid", "segments": 9, "score": "logit" });
        let options = ExplainOptions { seed, ..options("kernel_shap", params) };
        common::explain(&tiny.explainer, &tiny.input, &options).segments.unwrap().values
    };
    let exact = run(510, 0);
    let error =
        |samples| (0..6).map(|seed| compare(&run(samples, seed), &exact).relative_l2).sum::<f64>() / 6.0;
    let (few, many) = (error(30), error(480));
    println!("mean error {few:.3} with 30 samples, {many:.3} with 480");
    assert!(many < 0.15 && few > 2.0 * many);
}

#[test]
fn every_method_can_be_cancelled_between_steps() {
    let tiny = Tiny::new();
    for method in METHODS {
        let steps = std::cell::Cell::new(0);
        let control = Control {
            on_progress: Box::new(|_| steps.set(steps.get() + 1)),
            is_cancelled: Box::new(|| steps.get() == 2),
            ..Control::default()
        };
        let options = options(method, quick(method));
        // One sample at a time, so that there are steps between which to stop.
        let single = common::tiny(&common::cpu().with_batch_budget(1));
        let ended = pollster::block_on(single.explain(&Input::Tensor(&tiny.input), &options, &control));
        assert_eq!(ended.unwrap_err().code(), "cancelled", "{method}");
        assert_eq!(steps.get(), 2, "{method}");
    }
}

#[test]
fn given_segments_are_used_and_bad_ones_are_refused() {
    let tiny = Tiny::new();
    let halves: Vec<f32> = (0..1024).map(|i| if i % 32 < 16 { 7.0 } else { 3.0 }).collect();
    let run = |method: &str, name: &str, tensor: HostTensor| {
        let given = BTreeMap::from([(name.to_owned(), tensor)]);
        let options = ExplainOptions { given, ..options(method, quick(method)) };
        pollster::block_on(tiny.explainer.explain(&Input::Tensor(&tiny.input), &options, &Control::default()))
    };
    let tensor = |data: Vec<f32>, shape: Vec<usize>| HostTensor::new(data, shape).unwrap();
    for method in ["axai", "lime", "kernel_shap"] {
        let (found, _) = run(method, "segments", tensor(halves.clone(), vec![1, 1, 32, 32])).unwrap();
        let segments = found.segments.unwrap();
        assert_eq!(segments.values.len(), 2);
        assert!(segments.labels.iter().enumerate().all(|(i, &label)| (label == 0) == (i % 32 >= 16)));
        for bad in [tensor(vec![0.0; 9], vec![1, 1, 3, 3]), tensor(vec![0.5; 1024], vec![1, 1, 32, 32])] {
            assert_eq!(run(method, "segments", bad).unwrap_err().code(), "input_invalid");
        }
    }
    for (method, name) in [("lime", "samples"), ("rise", "masks"), ("axai", "density_noise")] {
        let error = run(method, name, tensor(vec![0.3; 7], vec![1, 7])).unwrap_err();
        assert_eq!(error.code(), "input_invalid", "{method}");
        assert!(error.to_string().contains(name), "{error}");
    }
    let wide = options("occlusion", json!({ "window": 4, "stride": 5 }));
    let error =
        pollster::block_on(tiny.explainer.explain(&Input::Tensor(&tiny.input), &wide, &Control::default()));
    assert_eq!(error.unwrap_err().code(), "parameter_invalid");
}
