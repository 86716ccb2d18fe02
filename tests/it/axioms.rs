//! What must hold of the methods on every network, tried on random ones (tests/it/common/networks.rs).

use crate::common::{self, compare, networks};
use adversight::{ExplainOptions, Explainer, Explanation, HostTensor};
use serde_json::{Value, json};

const NETWORKS: std::ops::Range<u64> = 0..8;

fn explain(explainer: &Explainer, network: u64, method: &str, params: Value, seed: u32) -> Explanation {
    let options = ExplainOptions {
        method: method.into(),
        params: params.as_object().unwrap().clone(),
        seed,
        ..ExplainOptions::default()
    };
    common::explain(explainer, &networks::picture(network), &options)
}

/// Runs `check` on every network, of which it is given the number too.
fn on_each(check: impl Fn(&Explainer, u64)) {
    for network in NETWORKS {
        check(&networks::random(network, &common::cpu()), network);
    }
}

/// All that was attributed, whatever its sign.
fn magnitude(explanation: &Explanation) -> f64 {
    explanation.attribution.data.iter().map(|&value| f64::from(value.abs())).sum()
}

fn sum(explanation: &Explanation) -> f64 {
    explanation.attribution.data.iter().map(|&value| f64::from(value)).sum()
}

/// The explained class's logit for the picture, less that for the black one.
fn rise_from_black(explainer: &Explainer, network: u64, target: usize) -> f64 {
    let mut picture = networks::picture(network);
    let logit = |at: &HostTensor| f64::from(pollster::block_on(explainer.logits(at)).unwrap().data[target]);
    let above = logit(&picture);
    picture.data.fill(-2.0);
    above - logit(&picture)
}

#[test]
fn integrated_gradients_and_deep_lift_add_up_to_the_logits_rise() {
    on_each(|explainer, network| {
        for (method, params, limit) in [
            ("integrated_gradients", json!({ "steps": 500, "score": "logit" }), 1e-3),
            ("deep_lift", json!({ "baseline": "black" }), 1e-5),
        ] {
            let found = explain(explainer, network, method, params, 0);
            let rise = rise_from_black(explainer, network, found.info.target.index);
            let (gap, all) = (sum(&found) - rise, magnitude(&found));
            println!("{method}, network {network}: gap {gap:.1e}, in all {all:.1e}, rise {rise:.1e}");
            assert!(gap.abs() < limit * all, "{method}, network {network}: gap {gap} of {all}");
            let told = f64::from(found.info.completeness_gap.unwrap());
            assert!((told.abs() - gap.abs()).abs() < 1e-5 * all, "{method}: {told} is told, {gap} it is");
        }
    });
}

/// The gaps of many draws are independent numbers whose expectation is 0.
#[test]
fn expected_gradients_add_up_on_average() {
    on_each(|explainer, network| {
        let draws = 12;
        let found: Vec<Explanation> = (0..draws)
            .map(|seed| explain(explainer, network, "expected_gradients", json!({ "samples": 200 }), seed))
            .collect();
        let gaps: Vec<f64> =
            found.iter().map(|found| f64::from(found.info.completeness_gap.unwrap())).collect();
        let n = f64::from(draws);
        let mean = gaps.iter().sum::<f64>() / n;
        let error = (gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / (n - 1.0) / n).sqrt();
        let all = magnitude(&found[0]);
        println!("network {network}: gap {mean:.1e} give or take {error:.1e}, in all {all:.1e}");
        assert!(error < 0.05 * all, "network {network}: {error} of {all} tells nothing");
        assert!(mean.abs() < 4.0 * error, "network {network}: gap {mean}, error {error}");
    });
}

#[test]
fn axais_densities_are_parts_of_segments_and_do_not_depend_on_how_many_are_shown() {
    on_each(|explainer, network| {
        let found: Vec<_> = [1, 4, 1000]
            .map(|k| {
                explain(explainer, network, "axai", common::small(json!({ "k": k })), 0).segments.unwrap()
            })
            .into();
        let densities = &found[2].values;
        assert!(densities.len() > 4, "network {network} has {} segments", densities.len());
        assert!(densities.iter().all(|density| (0.0..=1.0).contains(density)), "network {network}");
        assert!(densities.iter().any(|&density| density != densities[0]), "network {network}");
        for fewer in &found[..2] {
            assert_eq!((&fewer.values, &fewer.labels), (densities, &found[2].labels), "network {network}");
            assert!(fewer.chosen.len() < densities.len(), "network {network}");
        }
    });
}

#[test]
fn relexs_mask_stays_between_0_and_1() {
    on_each(|explainer, network| {
        let params = json!({ "iterations": 30, "samples": 4 });
        let mask = explain(explainer, network, "relex", params, 0).attribution.data;
        assert!(mask.iter().all(|value| (0.0..=1.0).contains(value)), "network {network}");
        // Some of it has come to either end, so that something was held back.
        let held = |end: f32| mask.iter().filter(|&&value| value == end).count();
        assert!(held(0.0) > 0 && held(1.0) > 0, "network {network}: {} and {}", held(0.0), held(1.0));
    });
}

/// Parameters that make a method quick here.
fn quick(method: &str) -> Value {
    match method {
        "agi" => json!({ "samples": 3, "steps": 4 }),
        "axai" => common::small(json!({ "steps": 4 })),
        "blur_ig" => json!({ "steps": 5, "max_sigma": 4.0 }),
        "expected_gradients" => json!({ "samples": 7 }),
        "guided_ig" => json!({ "steps": 6 }),
        "integrated_gradients" | "idgi" => json!({ "steps": 7 }),
        "hsic" => json!({ "samples": 40, "grid": 3 }),
        "sobol" => json!({ "designs": 4, "grid": 3 }),
        "kernel_shap" | "partition_shap" | "permutation_shap" => {
            json!({ "samples": 60, "segmentation": "grid", "segments": 9 })
        }
        "lime" => common::small(json!({ "samples": 60 })),
        "mask" => json!({ "setting": "own", "iterations": 3, "mask_size": 6 }),
        "occlusion" => json!({ "window": 6, "stride": 4 }),
        "relex" => json!({ "iterations": 3, "samples": 5 }),
        "rise" => json!({ "samples": 20, "grid": 4 }),
        "smoothgrad" | "vargrad" => json!({ "samples": 5 }),
        "xrai" => json!({ "steps": 5, "dilation": 1, "min_pixels": 5 }),
        _ => json!({}),
    }
}

/// All methods that need no second network.
fn names(explainer: &Explainer) -> Vec<String> {
    let names = common::methods_for(explainer);
    assert!(names.len() > 20);
    names
}

/// Every method, those to come included.
#[test]
fn the_size_of_a_chunk_changes_no_method() {
    on_each(|explainer, network| {
        let single = networks::random(network, &common::cpu().with_batch_budget(1));
        assert_eq!(single.model().batch_limit(), 1);
        assert!(explainer.model().batch_limit() > 60);
        for method in names(explainer) {
            let run = |explainer| explain(explainer, network, &method, quick(&method), 3);
            let (one, many) = (run(&single), run(explainer));
            let agreement = compare(&one.attribution.data, &many.attribution.data);
            assert!(agreement.relative_max < 1e-4, "{method}, network {network}: {agreement:?}");
            let passes = |found: &Explanation| (found.info.forward_passes, found.info.backward_passes);
            assert_eq!(passes(&one), passes(&many), "{method}");
        }
    });
}

/// What these draw shows in their maps.
const DRAWING: [&str; 11] = [
    "agi",
    "expected_gradients",
    "hsic",
    "kernel_shap",
    "lime",
    "permutation_shap",
    "relex",
    "rise",
    "smoothgrad",
    "sobol",
    "vargrad",
];

#[test]
fn the_same_seed_gives_the_same_bits_and_another_only_where_something_is_drawn() {
    on_each(|explainer, network| {
        for method in names(explainer) {
            let run = |seed| {
                let found = explain(explainer, network, &method, quick(&method), seed);
                let bits: Vec<u32> = found.attribution.data.iter().map(|value| value.to_bits()).collect();
                (bits, found.segments, found.info.against)
            };
            let first = run(1);
            assert!(first == run(1), "{method}, network {network}");
            // What AXAI's cutting draws against ties may show or not.
            if method != "axai" {
                let other = first.0 != run(2).0;
                assert_eq!(other, DRAWING.contains(&method.as_str()), "{method}, network {network}");
            }
        }
    });
}
