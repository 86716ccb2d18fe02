//! Methods that show their map while they run, and end when it no longer changes.

use std::{cell::RefCell, time::Duration};

use crate::common::{self, compare};
use adversight::{
    Anytime, Control, Error, ExplainOptions, Explainer, Explanation, HostTensor, Input, Partial, Score, Stop,
    attribution::registry::methods,
};
use serde_json::{Value, json};

/// Few samples at a time, so that there are maps on the way.
fn tiny() -> Explainer {
    common::tiny(&common::cpu().with_batch_budget(1))
}

fn input() -> HostTensor {
    common::npy("tests/fixtures/tiny/a.model.npy")
}

fn options(method: &str, params: Value, stop: Option<Stop>) -> ExplainOptions {
    let params = params.as_object().unwrap().clone();
    ExplainOptions { method: method.into(), params, stop, seed: 3, ..ExplainOptions::default() }
}

/// An explanation, and every map on the way to it.
fn watched(explainer: &Explainer, options: &ExplainOptions) -> (Explanation, Vec<Partial>) {
    let seen = RefCell::new(Vec::new());
    let control = Control {
        on_partial: Some(Box::new(|partial| seen.borrow_mut().push(partial))),
        between_partials: Duration::ZERO,
        ..Control::default()
    };
    let explained = pollster::block_on(explainer.explain(&Input::Tensor(&input()), options, &control));
    drop(control);
    (explained.unwrap().0, seen.into_inner())
}

/// Parameters that make a method take a dozen steps or so.
fn quick(method: &str) -> Value {
    match method {
        "smoothgrad" | "vargrad" | "expected_gradients" | "rise" => json!({ "samples": 12 }),
        "relex" => json!({ "iterations": 12, "samples": 2 }),
        "mask" => json!({ "setting": "own", "iterations": 12 }),
        "integrated_gradients" | "idgi" | "blur_ig" | "guided_ig" => json!({ "steps": 12 }),
        "mfaba" => json!({ "steps": 12, "step_length": 0.001 }),
        "hsic" => json!({ "samples": 20, "grid": 3 }),
        "sobol" => json!({ "designs": 4, "grid": 3 }),
        "agi" => json!({ "samples": 3, "steps": 4, "step_size": 0.001 }),
        "occlusion" => json!({ "window": 8, "stride": 8 }),
        "lime" | "kernel_shap" | "partition_shap" | "permutation_shap" => {
            json!({ "samples": 20, "segmentation": "grid", "segments": 9 })
        }
        "xrai" => json!({ "steps": 3 }),
        "axai" => json!({ "segmentation": "grid" }),
        "score_cam" => json!({ "channels": 3 }),
        _ => json!({}),
    }
}

#[test]
fn the_maps_on_the_way_lead_to_the_result() {
    let explainer = tiny();
    let apply = common::methods_for(&explainer);
    for method in methods().iter().filter(|method| apply.contains(&method.name)) {
        let name = &method.name;
        let options = options(name, quick(name), None);
        let (explanation, partials) = watched(&explainer, &options);
        assert_eq!(explanation.info.stopped, None, "{name}");
        // Whoever looks on changes nothing.
        let unwatched = common::explain(&explainer, &input(), &options);
        assert_eq!(unwatched.attribution, explanation.attribution, "{name}");
        if method.anytime == Anytime::No {
            assert!(partials.is_empty(), "{name} shows {} maps", partials.len());
            continue;
        }
        let result = &explanation.attribution;
        assert!(partials.len() >= 4, "{name} shows {} maps", partials.len());
        assert!(partials.windows(2).all(|pair| pair[0].done < pair[1].done), "{name}");
        let apart: Vec<f64> = partials
            .iter()
            .map(|partial| {
                assert_eq!(partial.attribution.shape, result.shape, "{name}");
                assert_eq!(partial.heatmap.shape, explanation.heatmap.shape, "{name}");
                compare(&partial.attribution.data, &result.data).relative_l2
            })
            .collect();
        let (first, last) = (&partials[0], &partials[partials.len() - 1]);
        assert_eq!(last.done, last.total, "{name}");
        // AGI adds its rows up in another order on the way.
        let rounding = if name == "agi" { 1e-6 } else { 0.0 };
        assert!(apart[apart.len() - 1] <= rounding, "{name}: the last map is {apart:?} from the result");
        assert!(apart[0] > 1e-3 && first.done < first.total, "{name}: {apart:?}");
        assert!(apart[apart.len() / 2] < apart[0], "{name} does not approach its result: {apart:?}");
    }
}

/// The rule by its own words: compared after every `every` steps, `patience` times in a row at most `change`.
#[test]
fn a_method_ends_when_its_map_no_longer_changes() {
    let explainer = tiny();
    let stop = Stop { change: 0.1, patience: 2, every: Some(5) };
    for (method, params) in [
        ("smoothgrad", json!({ "samples": 400 })),
        ("vargrad", json!({ "samples": 1000 })),
        ("expected_gradients", json!({ "samples": 1000 })),
        ("rise", json!({ "samples": 1000, "probability": 0.5 })),
        ("relex", json!({ "iterations": 400, "samples": 10 })),
        ("mask", json!({ "setting": "own", "iterations": 400 })),
    ] {
        let (explanation, partials) = watched(&explainer, &options(method, params.clone(), Some(stop)));
        let stopped = explanation.info.stopped.unwrap_or_else(|| panic!("{method} did not end early"));
        println!("{method}: {stopped:?}");
        assert!(stopped.after < stopped.of && stopped.after % 5 == 0, "{method}: {stopped:?}");
        assert_eq!(explanation.info.steps, stopped.after, "{method}");
        assert!(stopped.change <= stop.change, "{method}: {stopped:?}");
        let last = partials.last().unwrap();
        assert_eq!((last.done, &last.attribution), (stopped.after, &explanation.attribution), "{method}");
        let words = explanation.words.join(" ");
        assert!(words.contains(&format!("{} of {} steps", stopped.after, stopped.of)), "{words}");

        let at =
            |done: usize| &partials.iter().find(|partial| partial.done == done).unwrap().attribution.data;
        let quiet = |done: usize| compare(at(done - 5), at(done)).relative_l2 <= f64::from(stop.change);
        let ends = (10..).step_by(5).find(|&done| quiet(done) && done > 10 && quiet(done - 5));
        assert_eq!(ends, Some(stopped.after), "{method}");
        // What was made is the whole count's beginning.
        let (whole, on_the_way) = watched(&explainer, &options(method, params, None));
        assert!(whole.info.steps > stopped.after, "{method}");
        let then = on_the_way.iter().find(|partial| partial.done == stopped.after).unwrap();
        assert_eq!(then.attribution, explanation.attribution, "{method}");
    }
}

#[test]
fn a_rule_that_is_never_met_changes_nothing() {
    let explainer = tiny();
    let stop = Stop { change: 1e-12, ..Stop::default() };
    let (explanation, _) = watched(&explainer, &options("smoothgrad", json!({ "samples": 30 }), Some(stop)));
    let (whole, _) = watched(&explainer, &options("smoothgrad", json!({ "samples": 30 }), None));
    assert_eq!(explanation.attribution, whole.attribution);
    assert_eq!((explanation.info.stopped, explanation.info.steps), (None, 30));
}

#[test]
fn rules_that_make_no_sense_are_refused() {
    let explainer = tiny();
    let refused = |method: &str, stop: Stop| {
        let options = options(method, json!({}), Some(stop));
        let control = Control::default();
        match pollster::block_on(explainer.explain(&Input::Tensor(&input()), &options, &control)) {
            Err(Error::ParameterInvalid { name, reason, .. }) if name == "stop" => reason,
            other => panic!("{method}: {other:?}"),
        }
    };
    assert!(refused("saliency", Stop::default()).contains("no map before its end"));
    assert!(refused("occlusion", Stop::default()).contains("no map before its end"));
    assert!(refused("rise", Stop { change: 0.0, ..Stop::default() }).contains("change"));
    assert!(refused("rise", Stop { change: f32::NAN, ..Stop::default() }).contains("change"));
    assert!(refused("rise", Stop { patience: 0, ..Stop::default() }).contains("patience"));
    assert!(refused("rise", Stop { every: Some(0), ..Stop::default() }).contains("every"));
}

/// Methods and direct calls alike.
#[test]
fn a_batch_is_computed_in_parts_that_fit_the_budget() {
    let whole = common::tiny(&common::cpu());
    let sample = whole.model().info().bytes_per_sample;
    let parts = common::tiny(&common::cpu().with_batch_budget(3 * sample));
    let one = input();
    let batch = HostTensor {
        data: (0..7)
            .flat_map(|row| one.data.iter().map(move |value| value * (1.0 - row as f32 / 10.0)))
            .collect(),
        shape: [&[7], &one.shape[1..]].concat(),
    };
    for (in_parts, at_once) in [
        (pollster::block_on(parts.logits(&batch)), pollster::block_on(whole.logits(&batch))),
        (
            pollster::block_on(parts.input_gradient(&batch, 1, Score::Logit)),
            pollster::block_on(whole.input_gradient(&batch, 1, Score::Logit)),
        ),
    ] {
        let (in_parts, at_once) = (in_parts.unwrap(), at_once.unwrap());
        assert_eq!(in_parts.shape, at_once.shape);
        assert!(compare(&in_parts.data, &at_once.data).relative_l2 < 1e-5);
    }
    let found = common::explain(&parts, &one, &options("smoothgrad", json!({ "samples": 10 }), None));
    let memory = found.info.memory;
    assert_eq!(memory.budget, 3 * sample);
    assert_eq!(memory.peak, whole.model().info().weight_bytes + 3 * sample);
    assert!(!memory.measured);
}
