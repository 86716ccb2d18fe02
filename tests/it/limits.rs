//! What is drawn from a seed tends to what the oracle has with all there is to draw (tests/reference/limits.py), by the square
//! root of how much is drawn. (SmoothGrad's plain mean: tests/it/accuracy.rs.)

use crate::common::{self, Case, Fixtures, compare, draws};
use adversight::{ExplainOptions, Explainer};
use serde_json::json;

/// The root mean square over seeds of how far a map, or the values of segments, are off, relative to the oracle's.
fn error(explainer: &Explainer, case: &Case, expected: &[f32], samples: usize, seeds: u32) -> f64 {
    let input = common::prepared(explainer, &case.image);
    let squares = (0..seeds).map(|seed| {
        let mut options = ExplainOptions { seed, ..case.options() };
        options.params.insert("samples".into(), samples.into());
        if case.method == "relex" {
            options.given = draws::first_mask(0.5, &input.shape);
        }
        let found = common::explain(explainer, &input, &options);
        let values = found.segments.map_or(found.attribution.data, |segments| segments.values);
        compare(&values, expected).relative_l2.powi(2)
    });
    (squares.sum::<f64>() / f64::from(seeds)).sqrt()
}

#[test]
fn sixteen_times_the_samples_leave_a_quarter_of_the_error() {
    let fixtures = Fixtures::read("limits");
    let explainer = fixtures.explainer("tiny", &common::cpu());
    assert_eq!(fixtures.cases.len(), 7);
    for case in &fixtures.cases {
        let expected = fixtures.expected(case);
        let (few, seeds) = match case.method.as_str() {
            "lime" | "kernel_shap" => (200, 8),
            "rise" => (50, 24),
            _ => (40, 4),
        };
        let [few, many] = [few, 16 * few].map(|samples| error(&explainer, case, &expected, samples, seeds));
        println!("{}: {few:.3} with few, {many:.4} with many, {:.2} times", case.method, few / many);
        assert!((3.0..5.3).contains(&(few / many)), "{}: {few} and {many}", case.method);
    }
}

/// AGI's false classes are drawn without being put back, from nine here: the mean over `n` of them is off the mean over all, the
/// oracle's, by `sqrt((1 - n / 9) / n)` times the classes' own deviation, whichever that is, and by what the engine's mean over
/// all is off the oracle's.
#[test]
fn agis_classes_are_a_fair_sample() {
    let fixtures = Fixtures::read("tiny");
    let explainer = common::tiny(&common::cpu());
    let case = fixtures.cases.iter().find(|case| case.file == "a_agi_path.npy").unwrap();
    let all: Vec<f32> = fixtures.expected(case).into_iter().map(|value| value / 9.0).collect();
    let input = common::prepared(&explainer, &case.image);
    let explain = |params, seed| {
        let params = serde_json::Value::as_object(&params).unwrap().clone();
        common::explain(&explainer, &input, &ExplainOptions { params, seed, ..case.options() })
    };
    let each = explain(json!({ "classes": case.params["classes"], "individual": true }), 0).individual;
    assert_eq!(each.len(), 9);
    let distance = |map: &[f32]| compare(map, &all).relative_l2.powi(2);
    let deviation = (each.iter().map(|map| distance(&map.data)).sum::<f64>() / 8.0).sqrt();
    let whole = explain(json!({ "classes": case.params["classes"] }), 0).attribution.data;
    let own = distance(&whole.into_iter().map(|value| value / 9.0).collect::<Vec<_>>());
    for n in [1, 3, 6, 9] {
        let seeds = 80;
        let squares = (0..seeds).map(|seed| {
            let map = explain(json!({ "samples": n, "sampling": "random" }), seed).attribution.data;
            distance(&map.into_iter().map(|value| value / n as f32).collect::<Vec<_>>())
        });
        let error = (squares.sum::<f64>() / f64::from(seeds)).sqrt();
        let expected = (deviation.powi(2) * (1.0 - f64::from(n) / 9.0) / f64::from(n) + own).sqrt();
        println!("{n} classes: {error:.4}, expected {expected:.4}");
        assert!((error - expected).abs() < 0.15 * expected + 1e-6, "{n} classes: {error}, not {expected}");
    }
}
