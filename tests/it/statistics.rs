//! AXAI's statistics against scipy (tests/reference/axai_statistics.py).

use crate::common;

use adversight::statistics::{
    Interval, TestResult, anova, fit_beta, mann_whitney, mean, mean_interval, pairwise, pearson, qq_normal,
    quantile, quantile_interval, skewness, spearman, t_test, variance,
};
use serde_json::Value;

const TOLERANCE: f64 = 1e-6;

fn fixtures() -> Value {
    common::json("tests/fixtures/statistics/index.json")
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

/// Within the tolerance, relative to the figure; p-values and means may be tiny.
#[track_caller]
fn same(ours: f64, theirs: &Value, what: &str) {
    let theirs = theirs.as_f64().unwrap();
    assert!((ours - theirs).abs() <= TOLERANCE * theirs.abs() + 1e-15, "{what}: {ours}, not {theirs}");
}

#[track_caller]
fn same_interval(ours: Option<Interval>, theirs: &Value, what: &str) {
    match (ours, theirs) {
        (None, Value::Null) => (),
        (Some(ours), theirs) => {
            same(ours.low, &theirs[0], what);
            same(ours.high, &theirs[1], what);
        }
        _ => panic!("{what}: {ours:?}, not {theirs}"),
    }
}

#[test]
fn descriptions_are_scipys() {
    let fixtures = fixtures();
    let probabilities = numbers(&fixtures["quantiles"]);
    for (name, sample) in fixtures["samples"].as_object().unwrap() {
        let sample = numbers(sample);
        let theirs = &fixtures["described"][name];
        same(mean(&sample).unwrap(), &theirs["mean"], name);
        same(variance(&sample).unwrap(), &theirs["variance"], name);
        same(skewness(&sample).unwrap(), &theirs["skewness"], name);
        same_interval(mean_interval(&sample, 0.95), &theirs["mean_interval"], name);
        for (i, &p) in probabilities.iter().enumerate() {
            same(quantile(&sample, p).unwrap(), &theirs["quantiles"][i], name);
            same_interval(quantile_interval(&sample, p, 0.95), &theirs["quantile_intervals"][i], name);
        }
        let low = sample.iter().copied().fold(f64::INFINITY, f64::min);
        let high = sample.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let beta = fit_beta(&sample, low, high).unwrap();
        same(beta.p, &theirs["beta"][0], name);
        same(beta.q, &theirs["beta"][1], name);
        let every = theirs["qq_every"].as_u64().unwrap() as usize;
        let points = qq_normal(&sample);
        for (ours, theirs) in points.iter().step_by(every).zip(theirs["qq"].as_array().unwrap()) {
            same(ours.theoretical, &theirs[0], name);
            same(ours.sample, &theirs[1], name);
        }
    }
}

#[test]
fn tests_are_scipys() {
    let fixtures = fixtures();
    let sample = |name: &Value| numbers(&fixtures["samples"][name.as_str().unwrap()]);
    let same_test = |ours: Option<TestResult>, statistic: &Value, p: &Value, what: &str| {
        let ours = ours.unwrap();
        same(ours.statistic, statistic, what);
        same(ours.p_value, p, what);
    };
    let pairs = fixtures["pairs"].as_array().unwrap();
    assert_eq!(pairs.len(), 21);
    for pair in pairs {
        let (a, b) = (sample(&pair["first"]), sample(&pair["second"]));
        let what = format!("{} and {}", pair["first"], pair["second"]);
        same_test(t_test(&a, &b), &pair["t"][0], &pair["t"][1], &what);
        same_test(mann_whitney(&a, &b), &pair["u"][0], &pair["u"][1], &what);
        let shared = a.len().min(b.len());
        same(pearson(&a[..shared], &b[..shared]).unwrap(), &pair["pearson"], &what);
        same(spearman(&a[..shared], &b[..shared]).unwrap(), &pair["spearman"], &what);
    }
    for case in fixtures["anova"].as_array().unwrap() {
        let groups: Vec<Vec<f64>> = case["groups"].as_array().unwrap().iter().map(sample).collect();
        let groups: Vec<&[f64]> = groups.iter().map(Vec::as_slice).collect();
        same_test(anova(&groups), &case["f"], &case["p"], &case["groups"].to_string());
        let found = pairwise(&groups, t_test);
        assert_eq!(found.len(), groups.len() * (groups.len() - 1) / 2);
        assert_eq!(found[0].result, t_test(groups[0], groups[1]).unwrap());
    }
}
