//! Metrics against Quantus, Captum, scikit-image, scipy and RISE's game written out (tests/reference/metrics.py).

use crate::common;

use adversight::{
    Control, Error, ExplainOptions, Explainer, HostTensor,
    attribution::{Segmentation, display::Channels},
    metric::{self, Assessment, Measurement, randomise, registry},
};
use serde_json::{Map, Value, json};

const SIDE: usize = 32;

fn measure(assessment: &Assessment<'_>, name: &str, params: Value) -> Result<Measurement, Error> {
    let params: Map<String, Value> = params.as_object().unwrap().clone();
    pollster::block_on(metric::measure(assessment, name, &params))
}

/// A stored map, or a degenerate one.
fn named_map(name: &str, shape: &[usize]) -> HostTensor {
    let size: usize = shape.iter().product();
    let data = match name {
        "zeros" => vec![0.0; size],
        "ones" => vec![1.0; size],
        "one_pixel" => (0..size).map(|i| f32::from(u8::from(i % (SIDE * SIDE) == 12 * SIDE + 20))).collect(),
        stored => return common::npy(&format!("tests/fixtures/tiny/{stored}.npy")),
    };
    HostTensor::new(data, shape.to_vec()).unwrap()
}

fn channels(name: &Value) -> Channels {
    match name.as_str().unwrap() {
        "max_abs" => Channels::MaxAbs,
        "sum_abs" => Channels::SumAbs,
        _ => Channels::Mean,
    }
}

/// The oracle's noise, from its formula.
fn noise(samples: usize, shape: &[usize], scale: f64) -> HostTensor {
    let size = samples * shape[1..].iter().product::<usize>();
    let at = |k: i64| ((17 * k + 7919 * k * k) % 2003 - 1001) as f64 / 1001.0;
    let data = (0..size as i64).map(|k| (at(k) * scale) as f32).collect();
    HostTensor::new(data, [&[samples], &shape[1..]].concat()).unwrap()
}

/// The largest difference from the oracles so far, by metric.
#[derive(Default)]
struct Worst(std::collections::BTreeMap<String, f64>);

impl Worst {
    /// Absolute up to 1, relative above.
    #[track_caller]
    fn check(&mut self, ours: f64, theirs: &Value, tolerance: f64, what: &str) {
        let theirs = theirs.as_f64().unwrap();
        let difference = (ours - theirs).abs() / theirs.abs().max(1.0);
        assert!(difference <= tolerance, "{what}: {ours}, not {theirs}");
        let worst = self.0.entry(what.to_owned()).or_default();
        *worst = worst.max(difference);
    }
}

fn check_games(worst: &mut Worst, assessment: &Assessment<'_>, games: &Value) {
    let step = &games["step"];
    for name in ["insertion", "deletion", "preservation"] {
        for substrate in ["blank", "blur"] {
            let found = measure(assessment, name, json!({ "step": step, "substrate": substrate })).unwrap();
            let key = format!("{name}_{substrate}");
            worst.check(found.finding.value, &games[&key], 1e-4, name);
            let curve = found.finding.curve.unwrap();
            if let Some(theirs) = games[format!("{key}_curve")].as_array() {
                assert_eq!(curve.y.len(), theirs.len());
                for (ours, theirs) in curve.y.iter().zip(theirs) {
                    worst.check(*ours, theirs, 1e-4, "a curve");
                }
            }
            assert_eq!((curve.x[0], *curve.x.last().unwrap()), (0.0, 1.0));
        }
    }
    let found = measure(assessment, "feature_relevance", json!({ "step": step })).unwrap();
    worst.check(found.finding.value, &games["feature_relevance"], 1e-4, "feature_relevance");
}

#[test]
fn ten_maps_are_judged_as_the_oracles_do() {
    let fixtures = common::json("tests/fixtures/metrics/index.json");
    let explainer = common::tiny(&common::cpu());
    let control = Control::default();
    let samples = fixtures["samples"].as_u64().unwrap() as usize;
    let saliency = ExplainOptions { method: "saliency".into(), ..Default::default() };
    let integrated = ExplainOptions {
        method: "integrated_gradients".into(),
        params: json!({ "steps": 16 }).as_object().unwrap().clone(),
        ..Default::default()
    };
    let object: Vec<bool> =
        (0..SIDE * SIDE).map(|i| (8..20).contains(&(i / SIDE)) && (12..28).contains(&(i % SIDE))).collect();
    let mut worst = Worst::default();
    let cases = fixtures["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 10);
    for case in cases {
        let input =
            common::npy(&format!("tests/fixtures/tiny/{}.model.npy", case["input"].as_str().unwrap()));
        let map = named_map(case["map"].as_str().unwrap(), &input.shape);
        let reference = named_map(case["reference"].as_str().unwrap(), &input.shape);
        let target = case["target"].as_u64().unwrap() as usize;
        let chosen: Vec<u32> = case["ablation"]["chosen"]
            .as_array()
            .unwrap()
            .iter()
            .map(|s| s.as_u64().unwrap() as u32)
            .collect();
        let labels = (0..SIDE * SIDE).map(|i| (i / SIDE / 4 * 8 + i % SIDE / 4) as u32).collect();
        let segments = Segmentation { labels, values: vec![0.0; 64], chosen };
        let new = || Assessment::new(&explainer, &input, &map, target, &control).unwrap();
        let assessment = new()
            .with_channels(channels(&case["channels"]))
            .with_reference(&reference)
            .unwrap()
            .with_object(&object)
            .unwrap()
            .with_segments(&segments)
            .with_given("perturbations", noise(samples, &input.shape, 0.1));
        let mut check = |name: &str, params: Value, theirs: &Value, tolerance: f64| {
            let found = measure(&assessment, name, params).unwrap_or_else(|error| panic!("{name}: {error}"));
            worst.check(found.finding.value, theirs, tolerance, name);
            found.finding
        };
        for kind in ["scaled", "raw"] {
            let theirs = &case["retrieval"][kind];
            let found = check("class_retrieval", json!({ "mask": kind }), &theirs[0], 0.0);
            let p = theirs[1].as_f64().unwrap();
            assert!((found.parts["probability"] - p).abs() < 1e-4, "{kind}: {found:?}, not {p}");
        }
        let found = check("infidelity", json!({}), &case["infidelity"], 1e-4);
        assert_eq!(found.parts["scale"], 1.0);
        if !case["infidelity_normalised"].is_null() {
            check("infidelity", json!({ "normalise": true }), &case["infidelity_normalised"], 1e-4);
        }
        let found = check("ablation", json!({ "sigma": 3.0 }), &case["ablation"]["first"][0], 1e-4);
        let second = case["ablation"]["second"][0].as_f64().unwrap();
        assert!((found.parts["drop_second"] - second).abs() < 1e-4);
        assert_eq!(found.parts["kept_first"], case["ablation"]["first"][1]);
        assert_eq!(found.parts["kept_second"], case["ablation"]["second"][1]);
        let found = check("completeness", json!({}), &case["completeness"]["gap"], 1e-4);
        assert!((found.parts["change"] - case["completeness"]["change"].as_f64().unwrap()).abs() < 1e-4);
        check("spearman", json!({}), &case["compare"]["spearman"], 1e-6);
        check("pearson", json!({}), &case["compare"]["pearson"], 1e-6);
        check("ssim", json!({}), &case["compare"]["ssim"], 1e-6);
        check("top_k_intersection", json!({ "k": 100 }), &case["compare"]["top_100"], 0.0);
        check("sparseness", json!({}), &case["simple"]["sparseness"], 1e-4);
        check("complexity", json!({}), &case["simple"]["complexity"], 1e-6);
        check("pointing_game", json!({ "tolerance": 0 }), &case["localised"]["pointing_game"], 0.0);
        let found = check("mask_overlap", json!({}), &case["localised"]["iou"], 1e-9);
        assert!((found.parts["rank_accuracy"] - case["localised"]["rank"].as_f64().unwrap()).abs() < 1e-9);
        assert!((found.parts["mass_accuracy"] - case["localised"]["mass"].as_f64().unwrap()).abs() < 1e-6);
        let found = measure(&assessment, "road", json!({ "steps": 4, "noise_level": 0.0 })).unwrap();
        for (ours, theirs) in found.finding.curve.unwrap().y.iter().zip(case["road"].as_array().unwrap()) {
            worst.check(*ours, theirs, 1e-4, "road");
        }
        for games in case["games"].as_array().unwrap() {
            check_games(&mut worst, &assessment, games);
        }
        if !case["max_sensitivity"].is_null() {
            let radius = fixtures["radius"].as_f64().unwrap();
            let again = new()
                .with_method(&saliency)
                .unwrap()
                .with_given("noise", noise(samples, &input.shape, radius));
            let found = measure(&again, "max_sensitivity", json!({})).unwrap().finding;
            worst.check(found.value, &case["max_sensitivity"], 1e-3, "max_sensitivity");
            let again = new().with_method(&integrated).unwrap();
            let curve = measure(&again, "convergence", json!({})).unwrap().finding.curve.unwrap();
            assert_eq!(curve.x, [2.0, 4.0, 8.0, 16.0]);
            for (ours, theirs) in curve.y.iter().zip(case["convergence"].as_array().unwrap()) {
                worst.check(*ours, theirs, 1e-4, "convergence");
            }
        }
    }
    for (name, difference) in worst.0 {
        println!("{name}: {difference:.1e}");
    }
}

/// The oracle's choices: those of `parts` with the smallest ((k + 1) (2 s + 3) 7919) mod 10007 are 1.
fn choices(samples: usize, size: impl Fn(usize) -> usize, parts: usize) -> HostTensor {
    let mut data = vec![0.0; samples * parts];
    for (sample, row) in data.chunks_mut(parts).enumerate() {
        let key = |k: usize| (k as u64 + 1) * (2 * sample as u64 + 3) * 7919 % 10007;
        let mut order: Vec<usize> = (0..parts).collect();
        order.sort_by_key(|&k| key(k));
        order[..size(sample)].iter().for_each(|&k| row[k] = 1.0);
    }
    HostTensor::new(data, vec![samples, parts]).unwrap()
}

#[test]
fn ten_maps_are_judged_as_quantus_and_xplique_do() {
    let fixtures = common::json("tests/fixtures/metrics/judged.json");
    let explainer = common::tiny(&common::cpu());
    let control = Control::default();
    let samples = fixtures["samples"].as_u64().unwrap() as usize;
    let object: Vec<bool> =
        (0..SIDE * SIDE).map(|i| (8..20).contains(&(i / SIDE)) && (12..28).contains(&(i % SIDE))).collect();
    let mut worst = Worst::default();
    let cases = fixtures["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 10);
    for case in cases {
        let input =
            common::npy(&format!("tests/fixtures/tiny/{}.model.npy", case["input"].as_str().unwrap()));
        let map = named_map(case["map"].as_str().unwrap(), &input.shape);
        let target = case["target"].as_u64().unwrap() as usize;
        let new = || {
            Assessment::new(&explainer, &input, &map, target, &control)
                .unwrap()
                .with_channels(channels(&case["channels"]))
                .with_object(&object)
                .unwrap()
        };
        let mut check = |assessment: &Assessment<'_>, name: &str, params: Value, theirs: &Value| {
            let found = measure(assessment, name, params).unwrap_or_else(|error| panic!("{name}: {error}"));
            worst.check(found.finding.value, theirs, 1e-3, name);
            found.finding
        };
        let subsets = |samples, size: &dyn Fn(usize) -> usize, parts| {
            new().with_given("subsets", choices(samples, size, parts))
        };
        let shown = |more: Value| {
            let mut params = json!({ "ranking": "as_shown" });
            more.as_object().unwrap().iter().for_each(|(name, value)| params[name] = value.clone());
            params
        };
        let pixels = SIDE * SIDE;
        let hundred = subsets(samples, &|_| 100, pixels);
        check(&hundred, "faithfulness_correlation", shown(json!({})), &case["faithfulness_correlation"]);
        let theirs: Vec<f64> =
            case["sensitivity_n"].as_array().unwrap().iter().map(|r| r.as_f64().unwrap()).collect();
        let sizes = subsets(3 * samples, &|sample| [1, 29, 819][sample / samples], pixels);
        let found = check(
            &sizes,
            "sensitivity_n",
            shown(json!({ "sizes": 3, "samples": samples })),
            &(theirs.iter().sum::<f64>() / 3.0).into(),
        );
        let curve = found.curve.unwrap();
        assert_eq!(curve.x, [1.0, 29.0, 819.0]);
        for (ours, theirs) in curve.y.iter().zip(&theirs) {
            assert!((ours - theirs).abs() < 1e-3, "sensitivity_n: {ours}, not {theirs}");
        }
        let grid = fixtures["grid"].as_u64().unwrap() as usize;
        let cells = subsets(samples, &|_| 16, grid * grid);
        check(&cells, "mu_fidelity", shown(json!({ "grid": grid })), &case["mu_fidelity"]);
        let groups = &fixtures["groups"];
        let bare = new();
        check(
            &bare,
            "faithfulness_estimate",
            shown(json!({ "groups": groups })),
            &case["faithfulness_estimate"],
        );
        let found =
            check(&bare, "monotonicity", shown(json!({ "groups": groups })), &case["monotonicity"]["all"]);
        assert!((found.parts["kept"] - case["monotonicity"]["kept"].as_f64().unwrap()).abs() < 1e-9);
        let fills = new().with_given("fills", noise(4, &input.shape, 2.0));
        check(
            &fills,
            "monotonicity_correlation",
            shown(json!({ "groups": 20 })),
            &case["monotonicity_correlation"],
        );
        for name in ["region_perturbation", "selectivity"] {
            let regions = if name == "selectivity" { 100 } else { 10 };
            let found = measure(&bare, name, json!({ "regions": regions })).unwrap().finding;
            let y = found.curve.unwrap().y;
            let theirs = case[name].as_array().unwrap();
            // Quantus leaves out the untouched picture.
            assert_eq!(y.len(), theirs.len() + 1);
            for (ours, theirs) in y[1..].iter().zip(theirs) {
                worst.check(*ours, theirs, 1e-3, name);
            }
            let value = match name {
                "selectivity" => {
                    (y.iter().sum::<f64>() - (y[0] + y[y.len() - 1]) / 2.0) / (y.len() - 1) as f64
                }
                _ => y.iter().sum::<f64>() / y.len() as f64,
            };
            assert!((found.value - value).abs() < 1e-12);
        }
        let found = measure(&bare, "irof", json!({})).unwrap().finding;
        assert_eq!(found.parts["segments"], case["segments"]);
        let kept = &found.curve.unwrap().y[1..];
        // Quantus takes the trapezoids between the removals from their number, where the paper takes each removal's loss.
        let ends = (kept[0] + kept[kept.len() - 1]) / 2.0;
        worst.check(kept.len() as f64 - (kept.iter().sum::<f64>() - ends), &case["irof"], 1e-3, "irof");
        let lost = kept.iter().map(|kept| 1.0 - kept).sum::<f64>() / kept.len() as f64;
        assert!((found.value - lost).abs() < 1e-12);
        worst.check(measure(&bare, "saco", json!({})).unwrap().finding.value, &case["saco"], 1e-3, "saco");
        let found = measure(&bare, "average_drop", json!({})).unwrap().finding;
        worst.check(found.value, &case["average_drop"]["drop"], 1e-3, "average_drop");
        worst.check(found.parts["increase"], &case["average_drop"]["increase"], 0.0, "average increase");
        worst.check(found.parts["gain"], &case["average_drop"]["gain"], 1e-3, "average gain");
        let mut check = |name: &str, params: Value| {
            let found = measure(&bare, name, params).unwrap().finding.value;
            worst.check(found, &case[name], 1e-3, name);
        };
        check("diff_id", json!({ "step": 100 }));
        check("non_sensitivity", json!({ "groups": pixels, "least": 0.01 }));
        check("effective_complexity", json!({ "least": 0.1 }));
        check("object_auc", json!({}));
    }
    for (name, difference) in worst.0 {
        println!("{name}: {difference:.1e}");
    }
}

#[test]
fn ten_explanations_are_made_again_as_quantus_does() {
    let fixtures = common::json("tests/fixtures/metrics/judged.json");
    let device = common::cpu();
    let explainer = common::tiny(&device);
    let forgotten = Explainer::load(&common::read("tests/fixtures/metrics/forgotten.onnx"), &device).unwrap();
    let control = Control::default();
    let samples = fixtures["samples"].as_u64().unwrap() as usize;
    let radius = fixtures["radius"].as_f64().unwrap();
    let mut worst = Worst::default();
    let cases = fixtures["again"].as_array().unwrap();
    assert_eq!(cases.len(), 10);
    for case in cases {
        let input =
            common::npy(&format!("tests/fixtures/tiny/{}.model.npy", case["input"].as_str().unwrap()));
        let target = case["target"].as_u64().map(|target| target as usize);
        let saliency = ExplainOptions {
            method: "saliency".into(),
            target: target.map(Into::into),
            ..Default::default()
        };
        let explained =
            pollster::block_on(explainer.explain(&adversight::Input::Tensor(&input), &saliency, &control))
                .unwrap()
                .0;
        let assessment =
            Assessment::new(&explainer, &input, &explained.attribution, target.unwrap(), &control)
                .unwrap()
                .with_method(&saliency)
                .unwrap()
                .with_channels(Channels::SumAbs)
                .with_randomised(&forgotten)
                .with_given("noise", noise(samples, &input.shape, radius));
        let mut check = |name: &str, params: Value| {
            let found = measure(&assessment, name, params).unwrap_or_else(|error| panic!("{name}: {error}"));
            worst.check(found.finding.value, &case[name], 1e-3, name);
        };
        for name in [
            "max_sensitivity",
            "average_sensitivity",
            "local_lipschitz",
            "relative_input_stability",
            "relative_output_stability",
            "randomisation",
            "smooth_randomisation",
            "efficient_randomisation",
        ] {
            check(name, json!({}));
        }
        check("relative_representation_stability", json!({ "layer": fixtures["layer"] }));
        check("random_logit", json!({ "other": case["other"] }));
    }
    for (name, difference) in worst.0 {
        println!("{name}: {difference:.1e}");
    }
}

#[test]
fn a_value_stands_beside_what_noise_reaches() {
    let (explainer, input, gradient) = example();
    let control = Control::default();
    let saliency = ExplainOptions { method: "saliency".into(), ..Default::default() };
    let integrated = common::npy("tests/fixtures/tiny/a_integrated_gradients_black.npy");
    let judge = |map: &HostTensor, name: &str, params: Value, chance: usize| {
        let assessment = Assessment::new(&explainer, &input, map, 6, &control)?;
        let assessment = assessment.with_method(&saliency)?.with_reference(&integrated)?;
        measure(&assessment.with_chance(chance)?, name, params)
    };
    let beside = |map: &HostTensor, name: &str, params: Value| judge(map, name, params, 20).unwrap();
    assert_eq!(judge(&gradient, "deletion", json!({}), 0).unwrap().chance, None);
    assert_eq!(judge(&gradient, "deletion", json!({}), 19).unwrap_err().code(), "parameter_invalid");
    // Integrated gradients know more of the network than noise does; a constant map knows nothing.
    let found = beside(&integrated, "infidelity", json!({})).chance.unwrap();
    assert_eq!((found.standing, found.values.len()), (metric::Standing::Better, 20));
    assert!(found.low <= found.mean && found.mean <= found.high && found.low < found.high, "{found:?}");
    let ones = named_map("ones", &input.shape);
    let found = beside(&ones, "deletion", json!({}));
    assert_eq!(found.chance.as_ref().unwrap().standing, metric::Standing::NoBetter);
    assert!(found.chance.unwrap().words.starts_with("no better than chance"));
    // Simplicity does not ask where the values stand.
    let found = beside(&gradient, "sparseness", json!({}));
    assert_eq!(found.chance.unwrap().standing, metric::Standing::NoBetter);
    // A random map that is made again is another one each time: far from itself, where the gradient is near.
    let found = beside(&gradient, "max_sensitivity", json!({ "samples": 3 })).chance.unwrap();
    assert_eq!(found.standing, metric::Standing::Better);
    assert!(found.mean > 1.0, "{found:?}");
    // The same seed draws the same maps.
    let again = || beside(&gradient, "spearman", json!({})).chance;
    assert_eq!(again(), again());
    // The judged map's own value does not change.
    let alone = judge(&gradient, "infidelity", json!({ "samples": 4 }), 0).unwrap().finding;
    assert_eq!(alone, beside(&gradient, "infidelity", json!({ "samples": 4 })).finding);
}

#[test]
fn the_game_is_the_same_on_imagenet_networks() {
    let fixtures = common::json("tests/fixtures/metrics/index.json");
    let control = Control::default();
    let mut worst = Worst::default();
    for case in fixtures["photographs"].as_array().unwrap() {
        let network = format!("www/public/models/{}.onnx", case["network"].as_str().unwrap());
        let explainer = common::load(&network, &case["preprocessing"], &common::cpu());
        let input = common::prepared(&explainer, case["image"].as_str().unwrap());
        let side = input.shape[2];
        let map = (0..side * side).map(|i| {
            let (row, column) = ((i / side) as f64, (i % side) as f64);
            -((row - 90.25).powi(2) + (column - 120.5).powi(2) * 1.001) as f32
        });
        let map = HostTensor::new(map.collect(), vec![1, 1, side, side]).unwrap();
        let target = case["target"].as_u64().unwrap() as usize;
        let assessment = Assessment::new(&explainer, &input, &map, target, &control)
            .unwrap()
            .with_channels(Channels::Mean);
        check_games(&mut worst, &assessment, &case["games"]);
    }
    println!("{:?}", worst.0);
}

#[test]
fn the_game_is_the_same_on_the_gpu() {
    let Some(gpu) = common::gpu() else { return };
    let fixtures = common::json("tests/fixtures/metrics/index.json");
    let explainer = common::tiny(&gpu);
    let control = Control::default();
    let mut worst = Worst::default();
    for case in &fixtures["cases"].as_array().unwrap()[..3] {
        let input =
            common::npy(&format!("tests/fixtures/tiny/{}.model.npy", case["input"].as_str().unwrap()));
        let map = named_map(case["map"].as_str().unwrap(), &input.shape);
        let target = case["target"].as_u64().unwrap() as usize;
        let assessment = Assessment::new(&explainer, &input, &map, target, &control)
            .unwrap()
            .with_channels(channels(&case["channels"]));
        for games in case["games"].as_array().unwrap() {
            check_games(&mut worst, &assessment, games);
        }
    }
    println!("{:?}", worst.0);
}

/// An input and its gradient on the tiny network.
fn example() -> (Explainer, HostTensor, HostTensor) {
    let explainer = common::tiny(&common::cpu());
    let input = common::npy("tests/fixtures/tiny/a.model.npy");
    (explainer, input, common::npy("tests/fixtures/tiny/a_gradient_top.npy"))
}

#[test]
fn seeds_matter_to_methods_with_chance_alone() {
    let (explainer, input, map) = example();
    let control = Control::default();
    let stability = |method: &str| {
        let options = ExplainOptions { method: method.into(), ..Default::default() };
        let assessment = Assessment::new(&explainer, &input, &map, 6, &control).unwrap();
        measure(&assessment.with_method(&options).unwrap(), "stability", json!({ "seeds": 3 }))
            .unwrap()
            .finding
    };
    assert_eq!(stability("saliency").value, 1.0);
    let smoothgrad = stability("smoothgrad");
    assert!(smoothgrad.value > 0.2 && smoothgrad.value < 0.99, "{smoothgrad:?}");
    assert!(smoothgrad.parts["least"] <= smoothgrad.value);
}

#[test]
fn what_is_drawn_follows_from_the_seed() {
    let (explainer, input, gradient) = example();
    let empty = named_map("zeros", &input.shape);
    let control = Control::default();
    let saliency = ExplainOptions { method: "saliency".into(), ..Default::default() };
    let judge = |map: &HostTensor, seed: u32, name: &str, params: Value| {
        let assessment = Assessment::new(&explainer, &input, map, 6, &control).unwrap();
        let assessment = assessment.with_method(&saliency).unwrap().with_seed(seed);
        measure(&assessment, name, params).unwrap().finding
    };
    for perturbation in ["noise", "noisy_baseline", "square"] {
        let params = || json!({ "perturbation": perturbation, "samples": 8 });
        let found = judge(&gradient, 1, "infidelity", params());
        assert_eq!(found, judge(&gradient, 1, "infidelity", params()));
        assert_ne!(found, judge(&gradient, 2, "infidelity", params()));
        // An empty map predicts no fall at all.
        let none = judge(&empty, 1, "infidelity", params());
        assert_eq!(none.value, none.parts["mean_squared_fall"]);
    }
    // The gradient predicts what little noise does, and better the less there is of it.
    let relative = |level: f64| {
        let found = judge(&gradient, 1, "infidelity", json!({ "noise_level": level, "samples": 20 }));
        found.value / found.parts["mean_squared_fall"]
    };
    assert!(
        relative(0.0005) < 0.05 && relative(0.0005) < relative(0.2),
        "{}, {}",
        relative(0.0005),
        relative(0.2)
    );
    let sensitivity = |radius: f64, seed| {
        judge(&gradient, seed, "max_sensitivity", json!({ "radius": radius, "samples": 4 }))
    };
    assert!(sensitivity(0.0, 1).value < 1e-5);
    assert_eq!(sensitivity(0.02, 1), sensitivity(0.02, 1));
    assert!(sensitivity(0.02, 1).value > sensitivity(0.0, 1).value);
    let road =
        |noise: f64, seed| judge(&gradient, seed, "road", json!({ "noise_level": noise, "steps": 3 })).value;
    assert_eq!(road(0.1, 1), road(0.1, 1));
    assert_ne!(road(0.1, 1), road(0.1, 2));
    assert_eq!(road(0.0, 1), road(0.0, 2));
}

#[test]
fn pixels_are_ranked_by_the_rule_that_is_asked_for() {
    let (explainer, input, map) = example();
    let control = Control::default();
    let judged = |channels: Option<Channels>| {
        let assessment = Assessment::new(&explainer, &input, &map, 6, &control).unwrap();
        match channels {
            Some(channels) => assessment.with_channels(channels),
            None => assessment,
        }
    };
    for name in ["deletion", "insertion", "preservation", "feature_relevance"] {
        let value =
            |assessment: &Assessment<'_>, params| measure(assessment, name, params).unwrap().finding.value;
        let shown = value(&judged(None), json!({}));
        let asked = value(&judged(None), json!({ "ranking": "mean" }));
        assert_eq!(asked, value(&judged(Some(Channels::Mean)), json!({})), "{name}");
        assert_ne!(asked, shown, "{name}");
    }
}

#[test]
fn a_randomised_network_forgets_layer_by_layer() {
    let (original, input, map) = example();
    let file = common::read("tests/fixtures/tiny.onnx");
    let layers = randomise::layers(&file).unwrap();
    assert_eq!(layers[0].operator, "Gemm");
    assert_eq!(layers.iter().filter(|layer| layer.operator == "Conv").count(), layers.len() - 1);
    let control = Control::default();
    let options = ExplainOptions { method: "saliency".into(), ..Default::default() };
    let device = common::cpu();
    let similarity = |chosen: &[randomise::Layer]| {
        let bytes = randomise::randomise(&file, chosen, 3).unwrap();
        let randomised = Explainer::load(&bytes, &device).unwrap();
        let assessment = Assessment::new(&original, &input, &map, 6, &control).unwrap();
        let assessment = assessment.with_method(&options).unwrap().with_randomised(&randomised);
        measure(&assessment, "randomisation", json!({})).unwrap().finding.value
    };
    let (none, last, all) = (similarity(&[]), similarity(&layers[..1]), similarity(&layers));
    assert!(none > 0.999, "{none}");
    assert!(last < 0.999 && all < 0.6, "{last}, {all}");
    // The same seed gives a layer the same weights, with others or alone.
    let bytes = |chosen: &[randomise::Layer], seed| randomise::randomise(&file, chosen, seed).unwrap();
    assert_eq!(bytes(&layers[..2], 3), bytes(&layers[..2], 3));
    assert_ne!(bytes(&layers[..2], 3), bytes(&layers[..2], 4));
    let twice = randomise::randomise(&bytes(&layers[..1], 3), &layers[1..2], 3).unwrap();
    assert_eq!(twice, bytes(&layers[..2], 3));
    // Weights of 16 bits are weights too.
    let narrow = common::read("tests/fixtures/tiny_f16.onnx");
    let named =
        |layers: &[randomise::Layer]| layers.iter().map(|layer| layer.name.clone()).collect::<Vec<_>>();
    let narrow_layers = randomise::layers(&narrow).unwrap();
    assert_eq!(named(&narrow_layers), named(&layers));
    Explainer::load(&randomise::randomise(&narrow, &narrow_layers, 0).unwrap(), &device).unwrap();
    assert_eq!(randomise::layers(b"no model").unwrap_err().code(), "model_malformed");
}

#[test]
fn what_a_metric_lacks_is_said() {
    let (explainer, input, map) = example();
    let control = Control::default();
    let bare = Assessment::new(&explainer, &input, &map, 6, &control).unwrap();
    for described in registry::metrics() {
        let needs = described.needs.iter().map(|need| format!("{need:?}")).collect::<Vec<_>>();
        let lacking = needs.iter().any(|need| !matches!(need.as_str(), "Predictions" | "Image"));
        // Few samples: whether it works is the question here.
        let params = match described.name.as_str() {
            "infidelity" => json!({ "samples": 2, "perturbation": "square" }),
            _ => json!({}),
        };
        match measure(&bare, &described.name, params) {
            Ok(found) => {
                assert!(!lacking, "{} needs {needs:?} and did without", described.name);
                assert_eq!(found.metric, described.name);
            }
            Err(error) => {
                assert!(lacking, "{}: {error}", described.name);
                assert_eq!(error.code(), "metric_unsuited", "{error}");
            }
        }
    }
    assert_eq!(measure(&bare, "beauty", json!({})).unwrap_err().code(), "metric_unknown");
    assert_eq!(measure(&bare, "insertion", json!({ "step": 0 })).unwrap_err().code(), "parameter_invalid");
}

#[test]
fn maps_that_are_none_are_refused() {
    let (explainer, input, mut map) = example();
    let control = Control::default();
    let fault = |map: &HostTensor| {
        Assessment::new(&explainer, &input, map, 6, &control).err().expect("it was accepted")
    };
    let small = HostTensor::new(vec![0.0; 4], vec![1, 1, 2, 2]).unwrap();
    assert_eq!(fault(&small).code(), "map_shape");
    map.data[7] = f32::NAN;
    map.data[9] = f32::INFINITY;
    assert_eq!(fault(&map), Error::MapNotFinite { count: 2, index: 7 });
    let (_, _, sound) = example();
    let assessment = || Assessment::new(&explainer, &input, &sound, 6, &control).unwrap();
    assert_eq!(assessment().with_reference(&map).err().unwrap().code(), "map_not_finite");
    assert_eq!(assessment().with_object(&[true]).err().unwrap().code(), "input_invalid");
    let outside = Assessment::new(&explainer, &input, &sound, 10, &control).err().unwrap();
    assert_eq!(outside.code(), "target_out_of_range");
}

#[test]
fn a_curve_is_the_same_in_chunks_and_can_be_stopped() {
    let (explainer, input, map) = example();
    let chunked = common::tiny(&common::cpu().with_batch_budget(1));
    let deletion = |explainer: &Explainer, control: &Control<'_>| {
        let assessment = Assessment::new(explainer, &input, &map, 6, control).unwrap();
        measure(&assessment, "deletion", json!({ "step": 100 }))
    };
    let whole = deletion(&explainer, &Control::default()).unwrap();
    let seen = std::cell::RefCell::new(Vec::new());
    let control = Control {
        on_progress: Box::new(|progress| seen.borrow_mut().push((progress.done, progress.total))),
        ..Control::default()
    };
    let parts = deletion(&chunked, &control).unwrap();
    assert_eq!((whole.forward_passes, parts.forward_passes), (12, 12));
    assert!((whole.finding.value - parts.finding.value).abs() < 1e-6);
    assert_eq!(*seen.borrow(), (0..12).map(|done| (done, 12)).collect::<Vec<_>>());
    let asked = std::cell::Cell::new(0);
    let control = Control {
        is_cancelled: Box::new(|| {
            asked.set(asked.get() + 1);
            asked.get() == 3
        }),
        ..Control::default()
    };
    assert_eq!(deletion(&chunked, &control).unwrap_err(), Error::Cancelled);
    assert_eq!(asked.get(), 3);
}
