//! RelEx, the CAM family, expected gradients, VarGrad and the paths of blur and guided IG against their oracles
//! (tests/reference), and what must hold of them whatever the numbers.

use crate::common::{self, Case, Fixtures, compare, draws};
use adversight::{
    Control, Device, Error, ExplainOptions, Explainer, Explanation, HostTensor, Input,
    attribution::registry::methods,
};
use serde_json::{Value, json};

fn options(method: &str, params: Value) -> ExplainOptions {
    ExplainOptions {
        method: method.into(),
        params: params.as_object().unwrap().clone(),
        ..ExplainOptions::default()
    }
}

fn input() -> HostTensor {
    common::npy("tests/fixtures/tiny/a.model.npy")
}

fn given(options: &mut ExplainOptions, name: &str, data: Vec<f32>, shape: Vec<usize>) {
    options.given.insert(name.into(), HostTensor::new(data, shape).unwrap());
}

/// Runs the cases of a folder that `wanted` picks and publishes `table`, whose name ends with the device's;
/// `prepare` gives the method what the oracle drew.
fn check(
    folder: &str,
    device: &Device,
    table: &str,
    wanted: impl Fn(&Case) -> bool,
    prepare: impl Fn(&Case, &HostTensor, &mut ExplainOptions),
) -> usize {
    let name = table.rsplit(", ").next().unwrap();
    let fixtures = Fixtures::read(folder);
    let mut lines = Vec::new();
    for network in fixtures.networks.keys() {
        let explainer = fixtures.explainer(network, device);
        let cases = fixtures.cases.iter().filter(|case| case.model.as_deref() == Some(network));
        for case in cases.filter(|case| wanted(case)) {
            let input = common::prepared(&explainer, &case.image);
            let mut options = case.options();
            prepare(case, &input, &mut options);
            let explanation = common::explain(&explainer, &input, &options);
            if let (Some(change), Some(gap)) = (case.logit_difference, explanation.info.completeness_gap) {
                let sum: f64 = explanation.attribution.data.iter().map(|&value| f64::from(value)).sum();
                assert!(
                    (sum - f64::from(gap) - change).abs() < 1e-3 * change.abs(),
                    "{}: gap {gap}",
                    case.file
                );
            }
            let agreement = compare(&case.sample(&explanation.attribution), &fixtures.expected(case));
            lines.push(common::judge(case, name, agreement));
        }
    }
    common::publish("docs/accuracy.md", table, &lines);
    lines.len()
}

/// The noise and the first mask that the oracle used.
fn relex_draws(case: &Case, input: &HostTensor, options: &mut ExplainOptions) {
    let count = |name: &str| case.params[name].as_u64().unwrap() as usize;
    options.given = draws::relex(case.start.unwrap(), count("iterations") * count("samples"), &input.shape);
}

#[test]
fn relex_agrees_on_the_tiny_network() {
    let tiny = |case: &Case| case.model.as_deref() == Some("tiny");
    assert!(check("relex", &common::cpu(), "relex, tiny, CPU", tiny, relex_draws) >= 12);
}

#[test]
fn relex_agrees_on_imagenet_networks() {
    let short = |case: &Case| case.model.as_deref() != Some("tiny") && case.params["iterations"] != 50;
    assert!(check("relex", &common::cpu(), "relex, ImageNet, CPU", short, relex_draws) >= 10);
}

#[test]
fn relex_agrees_on_the_gpu() {
    let Some(gpu) = common::gpu() else { return };
    let short = |case: &Case| case.model.as_deref() == Some("tiny") && case.params["iterations"] != 50;
    assert!(check("relex", &gpu, "relex, tiny, GPU", short, relex_draws) >= 6);
}

/// Fifty free steps on an ImageNet network end elsewhere for every rounding, in PyTorch too. What must come out
/// is a mask that does what the loss asks for.
#[test]
fn relexs_mask_keeps_the_class_and_its_rest_loses_it() {
    let fixtures = Fixtures::read("relex");
    let explainer = fixtures.explainer("squeezenet1_1", &common::cpu());
    let long = |case: &&Case| {
        case.model.as_deref() == Some("squeezenet1_1") && case.file.contains("full") && case.float32.is_some()
    };
    let case = fixtures.cases.iter().find(long).unwrap();
    let input = common::prepared(&explainer, &case.image);
    let mut options = case.options();
    relex_draws(case, &input, &mut options);
    let mask = common::explain(&explainer, &input, &options).attribution;
    assert!(mask.data.iter().all(|value| (0.0..=1.0).contains(value)));

    let probability = |part: &dyn Fn(f32) -> f32| {
        let data = input.data.iter().zip(&mask.data).map(|(x, &m)| x * part(m)).collect();
        let masked = HostTensor::new(data, input.shape.clone()).unwrap();
        let all = pollster::block_on(explainer.classify(&Input::Tensor(&masked), 1000)).unwrap().top;
        all.iter().find(|score| Some(score.index) == case.target).unwrap().probability
    };
    let (whole, kept, left) = (probability(&|_| 1.0), probability(&|m| m), probability(&|m| 1.0 - m));
    println!("p(x) {whole}, p(m x) {kept}, p((1 - m) x) {left}");
    assert!(kept > 0.9 && left < 0.1, "p(x) {whole}, p(m x) {kept}, p((1 - m) x) {left}");
}

#[test]
fn relex_stops_where_the_mask_does_its_work() {
    let explainer = common::tiny(&common::cpu());
    let run = |explainer: &Explainer, stop_at: f64| {
        let params = json!({ "iterations": 60, "samples": 4, "stop_at": stop_at });
        common::explain(explainer, &input(), &options("relex", params))
    };
    let (early, late) = (run(&explainer, 0.6), run(&explainer, 1.0));
    assert!(early.info.steps < 60 && late.info.steps == 60, "{} and {}", early.info.steps, late.info.steps);
    assert!(early.info.backward_passes < late.info.backward_passes);
    // A GPU makes all the steps and leaves the mask as it is.
    let Some(gpu) = common::gpu() else { return };
    let there = run(&common::tiny(&gpu), 0.6);
    assert!(compare(&there.attribution.data, &early.attribution.data).relative_l2 < 1e-3);
}

/// The noise and the draws that the oracle used.
fn path_draws(case: &Case, input: &HostTensor, options: &mut ExplainOptions) {
    match case.method.as_str() {
        "vargrad" | "smoothgrad" => {
            let samples = case.params["samples"].as_u64().unwrap() as usize;
            options.given = draws::noise(samples, input.data.len());
        }
        "expected_gradients" => options.given = draws::positions(&case.draws),
        _ => (),
    }
}

#[test]
fn paths_and_samples_agree_on_the_cpu() {
    assert!(check("paths", &common::cpu(), "paths, CPU", |_| true, path_draws) >= 40);
}

#[test]
fn paths_and_samples_agree_on_the_gpu() {
    let Some(gpu) = common::gpu() else { return };
    let tiny = |case: &Case| case.model.as_deref() == Some("tiny");
    assert!(check("paths", &gpu, "paths, GPU", tiny, path_draws) >= 14);
}

#[test]
fn the_partition_explainer_agrees_with_shaps_on_the_cpu() {
    assert!(check("partition_shap", &common::cpu(), "partition_shap, CPU", |_| true, |_, _, _| ()) >= 9);
}

#[test]
fn class_activation_mappings_agree_on_the_cpu() {
    assert!(check("cam", &common::cpu(), "cam, CPU", |_| true, |_, _, _| ()) >= 48);
}

#[test]
fn the_family_of_class_activation_mappings_agrees_on_the_cpu() {
    assert!(check("cam_family", &common::cpu(), "cam_family, CPU", |_| true, |_, _, _| ()) >= 55);
}

#[test]
fn the_family_of_class_activation_mappings_agrees_on_the_gpu() {
    let Some(gpu) = common::gpu() else { return };
    let small = |case: &Case| matches!(case.model.as_deref(), Some("tiny" | "smooth"));
    assert!(check("cam_family", &gpu, "cam_family, GPU", small, |_, _, _| ()) >= 40);
}

/// What the oracles of the later methods drew.
fn later_draws(case: &Case, _: &HostTensor, options: &mut ExplainOptions) {
    let count = |name: &str| case.params[name].as_u64().unwrap() as usize;
    match case.method.as_str() {
        "hsic" => options.given = draws::hsic(count("samples"), count("grid").pow(2)),
        "sobol" => options.given = draws::sobol(count("designs"), count("grid").pow(2)),
        _ => (),
    }
}

#[test]
fn methods_after_the_papers_agree_on_the_cpu() {
    assert!(check("after", &common::cpu(), "after, CPU", |_| true, later_draws) >= 17);
}

#[test]
fn methods_after_the_papers_agree_on_the_gpu() {
    let Some(gpu) = common::gpu() else { return };
    let tiny = |case: &Case| case.model.as_deref() == Some("tiny");
    assert!(check("after", &gpu, "after, GPU", tiny, later_draws) >= 10);
}

/// Two orders and their ways back, by hand: a linear game has its values whatever the orders are.
#[test]
fn orders_of_segments_are_checked_and_their_shares_add_up() {
    let explainer = common::tiny(&common::cpu());
    let params = json!({ "segmentation": "grid", "segments": 9, "hidden": "zero" });
    let run = |orders: Vec<f32>, shape: Vec<usize>| {
        let mut options = options("permutation_shap", params.clone());
        given(&mut options, "orders", orders, shape);
        pollster::block_on(explainer.explain(&Input::Tensor(&input()), &options, &Control::default()))
    };
    let n = common::explain(&explainer, &input(), &options("permutation_shap", params.clone()));
    let n = n.segments.unwrap().values.len();
    let there: Vec<f32> = (0..n).map(|at| at as f32).collect();
    let back: Vec<f32> = there.iter().rev().copied().collect();
    let one = run(there.clone(), vec![1, n]).unwrap().0;
    let two = run(back, vec![1, n]).unwrap().0;
    // An order's way back hides what the reversed order shows.
    assert!(compare(&one.attribution.data, &two.attribution.data).relative_max < 1e-5);
    let gap = one.info.completeness_gap.unwrap();
    assert!(gap.abs() < 1e-5, "{gap}");
    assert_eq!(one.info.forward_passes, 1 + 2 + 2 * (n - 1));
    assert_eq!(run(vec![0.0; n], vec![1, n]).unwrap_err().code(), "input_invalid");
    assert_eq!(run(there[1..].to_vec(), vec![1, n - 1]).unwrap_err().code(), "input_invalid");
    let few = options("permutation_shap", json!({ "segmentation": "grid", "segments": 9, "samples": 5 }));
    let fault = pollster::block_on(explainer.explain(&Input::Tensor(&input()), &few, &Control::default()));
    assert_eq!(fault.unwrap_err().code(), "parameter_invalid");
}

#[test]
fn class_activation_mappings_agree_on_the_gpu() {
    let Some(gpu) = common::gpu() else { return };
    let tiny = |case: &Case| case.model.as_deref() == Some("tiny");
    assert!(check("cam", &gpu, "cam, GPU", tiny, |_, _, _| ()) >= 16);
}

#[test]
fn the_size_of_a_chunk_changes_nothing() {
    let whole = common::tiny(&common::cpu());
    let single = common::tiny(&common::cpu().with_batch_budget(1));
    for (method, params) in [
        ("relex", json!({ "iterations": 3, "samples": 5 })),
        ("vargrad", json!({ "samples": 5 })),
        ("expected_gradients", json!({ "samples": 7 })),
        ("blur_ig", json!({ "steps": 5 })),
        ("score_cam", json!({})),
        ("agi", json!({ "samples": 4, "individual": true })),
    ] {
        let run = |explainer| common::explain(explainer, &input(), &options(method, params.clone()));
        let (one, many) = (run(&single), run(&whole));
        let agreement = compare(&one.attribution.data, &many.attribution.data);
        assert!(agreement.relative_max < 1e-5, "{method}: {agreement:?}");
        assert_eq!(one.info.forward_passes, many.info.forward_passes, "{method}");
        for (one, many) in one.individual.iter().zip(&many.individual) {
            assert!(compare(&one.data, &many.data).relative_max < 1e-5, "{method}");
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_bits_and_another_seed_others() {
    let explainer = common::tiny(&common::cpu());
    for (method, params) in [
        ("relex", json!({ "iterations": 3, "samples": 5 })),
        ("vargrad", json!({ "samples": 5 })),
        ("expected_gradients", json!({ "samples": 7 })),
    ] {
        let run = |seed| {
            let options = ExplainOptions { seed, ..options(method, params.clone()) };
            common::explain(&explainer, &input(), &options).attribution.data
        };
        assert_eq!(run(1), run(1), "{method}");
        assert_ne!(run(1), run(2), "{method}");
    }
}

#[test]
fn no_method_costs_more_than_it_says() {
    let explainer = common::tiny(&common::cpu());
    let apply = common::methods_for(&explainer);
    for method in methods().into_iter().filter(|method| apply.contains(&method.name)) {
        let info = common::explain(&explainer, &input(), &options(&method.name, json!({}))).info;
        assert!(info.forward_passes <= method.cost.forward, "{}: {}", method.name, info.forward_passes);
        assert!(info.backward_passes <= method.cost.backward, "{}: {}", method.name, info.backward_passes);
    }
}

/// The gap of one draw is a mean of independent numbers whose expectation is 0.
#[test]
fn expected_gradients_are_complete_within_their_sampling_error() {
    let explainer = common::tiny(&common::cpu());
    let gaps: Vec<f64> = (0..16)
        .map(|seed| {
            let options = ExplainOptions { seed, ..options("expected_gradients", json!({ "samples": 100 })) };
            f64::from(common::explain(&explainer, &input(), &options).info.completeness_gap.unwrap())
        })
        .collect();
    let mean = gaps.iter().sum::<f64>() / 16.0;
    let deviation = (gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / 15.0).sqrt();
    println!("gaps {gaps:?}");
    assert!(mean.abs() < 4.0 * deviation / 4.0, "mean {mean}, deviation {deviation}");
    let many = options("expected_gradients", json!({ "samples": 5000 }));
    let gap = f64::from(common::explain(&explainer, &input(), &many).info.completeness_gap.unwrap());
    assert!(gap.abs() < 4.0 * deviation / 50.0_f64.sqrt(), "gap {gap}, deviation {deviation}");
}

#[test]
fn paths_end_at_the_input() {
    let explainer = common::tiny(&common::cpu());
    let run = |method, params| common::explain(&explainer, &input(), &options(method, params));
    // The gap as a part of all that was attributed.
    let gap = |explanation: &Explanation| {
        let all: f32 = explanation.attribution.data.iter().map(|value| value.abs()).sum();
        explanation.info.completeness_gap.unwrap().abs() / all
    };
    let blurred = |steps: usize| gap(&run("blur_ig", json!({ "steps": steps, "max_sigma": 8.0 })));
    let (few, many) = (blurred(20), blurred(1000));
    assert!(many < 0.001 && many < few / 3.0, "gap {few} and {many} of all that was attributed");
    let guided = gap(&run("guided_ig", json!({ "steps": 40 })));
    assert!(guided < 0.005, "gap {guided} of all that was attributed");
    // Without room beside it, the guided path is the straight line.
    let straight = run("integrated_gradients", json!({ "steps": 400 })).attribution.data;
    let guided = run("guided_ig", json!({ "steps": 400, "max_dist": 0.0 })).attribution.data;
    assert!(compare(&guided, &straight).cosine > 0.999);
    let black = Input::Pixels { rgba: &[0, 0, 0, 255].repeat(32 * 32), width: 32, height: 32 };
    let guided = options("guided_ig", json!({ "steps": 5 }));
    let explained = pollster::block_on(explainer.explain(&black, &guided, &Control::default())).unwrap().0;
    assert!(explained.attribution.data.iter().all(|&value| value == 0.0));
}

#[test]
fn without_noise_there_is_no_variance() {
    let explainer = common::tiny(&common::cpu());
    let still = options("vargrad", json!({ "samples": 2, "noise_level": 0.0 }));
    let plain = common::explain(&explainer, &input(), &options("saliency", json!({}))).attribution.data;
    let largest = plain.iter().fold(0.0f32, |largest, value| largest.max(value * value));
    let variance = common::explain(&explainer, &input(), &still).attribution.data;
    assert!(variance.iter().all(|&value| (0.0..1e-6 * largest).contains(&value)));
}

#[test]
fn individual_maps_add_up_and_are_those_of_single_classes() {
    let explainer = common::tiny(&common::cpu());
    let run = |params| common::explain(&explainer, &input(), &options("agi", params));
    for mode in ["path", "reference", "straight"] {
        let all = run(json!({ "mode": mode, "samples": 9, "individual": true }));
        assert_eq!(all.individual.len(), all.info.against.len());
        let features = all.attribution.data.len();
        let sum: Vec<f32> =
            (0..features).map(|i| all.individual.iter().map(|map| map.data[i]).sum()).collect();
        assert!(compare(&sum, &all.attribution.data).relative_max < 1e-5, "{mode}");
        let (mut forward, mut backward) = (0, 0);
        for (against, map) in all.info.against.iter().zip(&all.individual) {
            let alone = run(json!({ "mode": mode, "classes": [against.index] }));
            (forward, backward) =
                (forward + alone.info.forward_passes, backward + alone.info.backward_passes);
            assert!(alone.individual.is_empty());
            let agreement = compare(&map.data, &alone.attribution.data);
            assert!(agreement.relative_max < 1e-5, "{mode}, class {}: {agreement:?}", against.index);
        }
        // All set out from the same point: its pass, and the explained class's gradient there, are had once; and so is the pass
        // that every explanation begins with.
        assert_eq!(all.info.forward_passes, forward - 8 - 8, "{mode}");
        let shared = if mode == "straight" { 0 } else { 8 };
        assert_eq!(all.info.backward_passes, backward - shared, "{mode}");
    }
}

#[test]
fn false_classes_are_chosen_as_asked() {
    let explainer = common::tiny(&common::cpu());
    let against = |sampling: &str, samples: usize| {
        let params = json!({ "sampling": sampling, "samples": samples, "steps": 1 });
        let info = common::explain(&explainer, &input(), &options("agi", params)).info;
        (info.target.index, info.against)
    };
    let (target, probable) = against("probable", 4);
    assert!(probable.windows(2).all(|pair| pair[0].logit >= pair[1].logit));
    let all = pollster::block_on(explainer.classify(&Input::Tensor(&input()), 10)).unwrap().top;
    let best: Vec<usize> = all[1..5].iter().map(|score| score.index).collect();
    assert_eq!(probable.iter().map(|score| score.index).collect::<Vec<_>>(), best);

    let numbers =
        |scores: Vec<adversight::ClassScore>| scores.iter().map(|score| score.index).collect::<Vec<_>>();
    let expected: Vec<usize> = [0, 3, 6].into_iter().filter(|&class| class != target).collect();
    assert_eq!(numbers(against("spread", 3).1), expected);
    let mut drawn = numbers(against("random", 20).1);
    drawn.sort_unstable();
    assert_eq!(drawn, (0..10).filter(|&class| class != target).collect::<Vec<_>>());
}

#[test]
fn layers_are_found_by_name_and_faults_are_named() {
    let explainer = common::tiny(&common::cpu());
    let run = |options: &ExplainOptions| {
        pollster::block_on(explainer.explain(&Input::Tensor(&input()), options, &Control::default()))
            .map(|(explanation, _)| explanation)
    };
    let default = run(&options("grad_cam", json!({}))).unwrap();
    assert_eq!(default.attribution.shape, [1, 1, 32, 32]);
    assert_eq!(
        default.attribution.data,
        run(&options("grad_cam", json!({ "layer": "relu_21" }))).unwrap().attribution.data
    );
    let fault = |options: &ExplainOptions| -> Error { run(options).unwrap_err() };
    assert_eq!(fault(&options("grad_cam", json!({ "layer": "nowhere" }))).code(), "model_invalid");
    assert_eq!(fault(&options("layer_cam", json!({ "layer": "flatten_23" }))).code(), "method_unsuited");

    let some = run(&options("score_cam", json!({ "channels": 5 }))).unwrap();
    assert_eq!(some.info.forward_passes, 1 + 5);
    let some = run(&options("ablation_cam", json!({ "channels": 5 }))).unwrap();
    assert_eq!((some.info.forward_passes, some.info.backward_passes), (1 + 5, 1));

    // The pass that finds the class serves the first gradient.
    for method in ["saliency", "input_x_gradient", "grad_cam", "layer_cam"] {
        let found = run(&options(method, json!({}))).unwrap();
        assert_eq!((found.info.forward_passes, found.info.backward_passes), (1, 1), "{method}");
    }

    // Several layers: as many gradients, and a fault by name for one that is not there.
    let two = run(&options("grad_cam", json!({ "layer": "relu_21, clip_12" }))).unwrap();
    assert_eq!((two.info.forward_passes, two.info.backward_passes), (2, 2));
    let fault_of_one = fault(&options("hires_cam", json!({ "layer": "relu_21,nowhere" })));
    assert!(fault_of_one.to_string().contains("\"nowhere\""), "{fault_of_one}");

    // Finer-CAM tells the classes that it took, and not the explained one.
    let finer = run(&options("finer_cam", json!({ "comparisons": 2 }))).unwrap();
    assert_eq!(finer.info.against.len(), 2);
    let target = finer.info.target.index;
    assert!(finer.info.against.iter().all(|class| class.index != target));
    assert_eq!(fault(&options("finer_cam", json!({ "classes": [target] }))).code(), "parameter_invalid");
    assert_eq!(fault(&options("finer_cam", json!({ "classes": [99] }))).code(), "target_out_of_range");
    let plain = run(&options("finer_cam", json!({ "alpha": 0.0 }))).unwrap().attribution.data;
    assert!(compare(&plain, &default.attribution.data).relative_max < 1e-6);

    // Eigen-CAM knows no class.
    let of =
        |target: usize| ExplainOptions { target: Some(target.into()), ..options("eigen_cam", json!({})) };
    assert_eq!(run(&of(0)).unwrap().attribution.data, run(&of(3)).unwrap().attribution.data);

    let with = |method: &str, params: Value, name: &str, data: Vec<f32>| {
        let mut options = options(method, params);
        let count = data.len();
        given(&mut options, name, data, vec![count]);
        fault(&options).code()
    };
    assert_eq!(with("relex", json!({}), "mask", vec![0.0; 7]), "input_invalid");
    assert_eq!(with("relex", json!({ "iterations": 2 }), "noise", vec![0.0; 3072]), "input_invalid");
    assert_eq!(with("expected_gradients", json!({}), "background", vec![0.0; 3073]), "input_invalid");
    let one = json!({ "samples": 1 });
    assert_eq!(with("expected_gradients", one.clone(), "draws", vec![3.0, 0.5]), "input_invalid");
    assert_eq!(with("expected_gradients", one, "draws", vec![0.5, 0.5]), "input_invalid");
}
