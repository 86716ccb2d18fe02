//! What the page's proofs rest on: games that can be watched, attacks from start to end, and class retrieval.

use crate::common;

use adversight::{
    Control, ExplainOptions, Explainer, HostTensor, Input,
    attack::{self, AttackOptions, Norm, Space},
    metric::{self, Assessment, Game, GameKind, GameOptions, Mask, Order, randomise},
};
use serde_json::{Map, Value, json};

fn saliency(explainer: &Explainer, input: &HostTensor) -> (HostTensor, usize) {
    let options = ExplainOptions { method: "saliency".into(), ..Default::default() };
    let explanation = common::explain(explainer, input, &options);
    (explanation.attribution, explanation.info.target.index)
}

fn probability(explainer: &Explainer, input: &HostTensor, class: usize) -> f64 {
    let classes = explainer.model().classes();
    let found = pollster::block_on(explainer.classify(&Input::Tensor(input), classes)).unwrap().top;
    found.iter().find(|score| score.index == class).unwrap().probability.into()
}

fn attacked(explainer: &Explainer, input: &HostTensor, options: &AttackOptions) -> attack::Attacked {
    pollster::block_on(attack::attack(explainer, input, options, 3, &Control::default())).unwrap()
}

#[test]
fn a_game_is_the_metric_with_all_its_pictures() {
    let explainer = common::tiny(&common::cpu());
    let input = common::npy("tests/fixtures/tiny/a.model.npy");
    let (map, target) = saliency(&explainer, &input);
    let control = Control::default();
    let assessment = Assessment::new(&explainer, &input, &map, target, &control).unwrap();
    let play =
        |options: GameOptions| -> Game { pollster::block_on(metric::game(&assessment, &options)).unwrap() };
    for (kind, name) in [(GameKind::Deletion, "deletion"), (GameKind::Insertion, "insertion")] {
        let game = play(GameOptions { kind, step: Some(100), ..Default::default() });
        let params: Map<_, _> = json!({ "step": 100 }).as_object().unwrap().clone();
        let measured = pollster::block_on(metric::measure(&assessment, name, &params)).unwrap().finding;
        assert_eq!(game.area, measured.value, "{name}");
        assert_eq!(Some(&game.curve), measured.curve.as_ref(), "{name}");

        // Any step's picture follows from the ranks, and the network gives it the curve's probability.
        let pixels = game.ranks.len();
        let mut places = game.ranks.clone();
        places.sort_unstable();
        assert!(places.iter().enumerate().all(|(place, &rank)| place as u32 == rank));
        for (done, &expected) in game.curve.y.iter().enumerate().step_by(3) {
            let changed = |i: usize| (game.ranks[i % pixels] as usize) < done * game.step;
            let pick = |i: usize| if changed(i) { game.to.data[i] } else { game.from.data[i] };
            let data = (0..input.data.len()).map(pick).collect();
            let found = probability(&explainer, &HostTensor { data, shape: input.shape.clone() }, target);
            assert!((found - expected).abs() < 1e-6, "{name} {done}: {found}, not {expected}");
        }
    }
}

#[test]
fn a_random_game_follows_from_its_seed_and_knows_nothing_of_the_map() {
    let explainer = common::tiny(&common::cpu());
    let input = common::npy("tests/fixtures/tiny/a.model.npy");
    let (map, target) = saliency(&explainer, &input);
    let control = Control::default();
    let ranks = |map: &HostTensor, seed: u32| {
        let judged = Assessment::new(&explainer, &input, map, target, &control).unwrap().with_seed(seed);
        let options = GameOptions { order: Order::Random, step: Some(512), ..Default::default() };
        pollster::block_on(metric::game(&judged, &options)).unwrap().ranks
    };
    let other = HostTensor { data: map.data.iter().map(|value| 1.0 - value).collect(), ..map.clone() };
    assert_eq!(ranks(&map, 3), ranks(&other, 3));
    assert_ne!(ranks(&map, 3), ranks(&map, 4));
    let judged = Assessment::new(&explainer, &input, &map, target, &control).unwrap();
    let none = GameOptions { step: Some(0), ..Default::default() };
    assert_eq!(pollster::block_on(metric::game(&judged, &none)).unwrap_err().code(), "parameter_invalid");
}

#[test]
fn an_attack_is_captums() {
    let explainer = common::tiny(&common::cpu());
    let fixtures = common::Fixtures::read("perturbation");
    // The cases with a valid range have black and white of this preprocessing, -2 and 2: they are attacks on pixels.
    let (factor, _) = explainer.preprocessing().unwrap().to_pixel(0);
    assert_eq!([0.0, 255.0].map(|pixel| explainer.preprocessing().unwrap().to_model(0, pixel)), [-2.0, 2.0]);
    let cases =
        fixtures.cases.iter().filter(|case| case.method == "attack" && !case.params.contains_key("half"));
    let mut compared = 0;
    for case in cases {
        let (space, unit) =
            if case.params.contains_key("range") { (Space::Pixel, factor) } else { (Space::Model, 1.0) };
        let number = |name: &str| case.params[name].as_f64().unwrap() as f32;
        let input = common::npy("tests/fixtures/tiny/a.model.npy");
        let options = AttackOptions {
            norm: if case.params.contains_key("l2") { Norm::L2 } else { Norm::Linf },
            epsilon: number("epsilon") * unit,
            step: Some(number("step") * unit),
            steps: number("steps") as usize,
            towards: case.target.filter(|_| case.params.contains_key("targeted")),
            space: Some(space),
            ..Default::default()
        };
        let found = attacked(&explainer, &input, &options);
        let away = options.towards.is_none();
        assert!(
            !away || case.target == Some(found.before[0].index),
            "the oracle attacks the predicted class"
        );
        let change: Vec<f32> = found.change.data.iter().map(|value| value / unit).collect();
        let agreement = common::compare(&change, &fixtures.expected(case));
        println!("{} in {space:?}: relative l2 {:.1e}", case.file, agreement.relative_l2);
        assert!(agreement.relative_l2 < 1e-3, "{}: {agreement:?}", case.file);
        compared += 1;
    }
    assert_eq!(compared, 4);
}

#[test]
fn in_pixels_an_attack_keeps_to_its_bound_and_to_black_and_white() {
    let explainer = common::tiny(&common::cpu());
    let input = common::npy("tests/fixtures/tiny/b.model.npy");
    let (factor, offset) = explainer.preprocessing().unwrap().to_pixel(0);
    let pixels = |tensor: &HostTensor| -> Vec<f32> {
        tensor.data.iter().map(|value| value * factor + offset).collect()
    };
    for (norm, epsilon) in [(Norm::Linf, 0.1), (Norm::L2, 2.0)] {
        let options = AttackOptions { norm, epsilon, random_start: true, seed: 5, ..Default::default() };
        let found = attacked(&explainer, &input, &options);
        assert_eq!(found.space, Space::Pixel);
        let size = if norm == Norm::Linf { found.linf } else { found.l2 };
        assert!(size <= f64::from(epsilon) * 1.0001 && size > 0.5 * f64::from(epsilon), "{norm:?}: {size}");
        assert!((found.step - 0.25 * epsilon).abs() < 1e-6);
        let (before, after) = (pixels(&input), pixels(&found.input));
        for ((before, after), change) in before.iter().zip(&after).zip(&found.change.data) {
            assert!((after - before - change).abs() < 1e-5);
            assert!((-1e-5..=1.00001).contains(after), "{after}");
        }
        assert_eq!(
            found,
            attack::Attacked { milliseconds: found.milliseconds, ..attacked(&explainer, &input, &options) }
        );
        let other = attacked(&explainer, &input, &AttackOptions { seed: 6, ..options });
        assert_ne!(other.change, found.change);
    }
}

#[test]
fn an_attack_lowers_the_answer_or_raises_another() {
    let explainer = common::tiny(&common::cpu());
    let input = common::npy("tests/fixtures/tiny/a.model.npy");
    let strong = AttackOptions { epsilon: 0.1, ..Default::default() };
    let away = attacked(&explainer, &input, &strong);
    let [before, after] = [&away.before[0], &away.after[0]];
    assert_ne!(before.index, after.index, "it flips");
    assert_eq!(away.original.index, before.index);
    let found = probability(&explainer, &away.input, before.index);
    assert!(
        (f64::from(away.original.probability) - found).abs() < 1e-6
            && away.original.probability < before.probability
    );
    assert_eq!((away.before.len(), away.after.len(), away.backward_passes), (3, 3, 10));

    let towards = (before.index + 3) % 10;
    let led = attacked(&explainer, &input, &AttackOptions { towards: Some(towards), ..strong });
    let [was, is] = [&input, &led.input].map(|input| probability(&explainer, input, towards));
    assert!(is > 2.0 * was, "{was} became {is}");
}

#[test]
fn an_attack_that_cannot_be_is_refused() {
    let explainer = common::tiny(&common::cpu());
    let input = common::npy("tests/fixtures/tiny/a.model.npy");
    let refused = |explainer: &Explainer, options: AttackOptions| {
        pollster::block_on(attack::attack(explainer, &input, &options, 3, &Control::default()))
            .unwrap_err()
            .code()
    };
    let default = AttackOptions::default;
    for options in [
        AttackOptions { epsilon: 0.0, ..default() },
        AttackOptions { epsilon: f32::NAN, ..default() },
        AttackOptions { step: Some(-1.0), ..default() },
        AttackOptions { steps: 0, ..default() },
    ] {
        assert_eq!(refused(&explainer, options), "parameter_invalid");
    }
    assert_eq!(refused(&explainer, AttackOptions { towards: Some(10), ..default() }), "target_out_of_range");
    let bare = Explainer::load(&common::read("tests/fixtures/tiny.onnx"), &common::cpu()).unwrap();
    let pixel = AttackOptions { space: Some(Space::Pixel), ..default() };
    assert_eq!(refused(&bare, pixel), "preprocessing_invalid");
    assert_eq!(attacked(&bare, &input, &default()).space, Space::Model);
    let stop = Control { is_cancelled: Box::new(|| true), ..Control::default() };
    let stopped = pollster::block_on(attack::attack(&explainer, &input, &default(), 3, &stop));
    assert_eq!(stopped.unwrap_err().code(), "cancelled");
}

#[test]
fn a_whole_mask_leaves_the_class_and_an_empty_one_nothing() {
    let explainer = common::tiny(&common::cpu());
    let input = common::npy("tests/fixtures/tiny/a.model.npy");
    let control = Control::default();
    let retrieve = |value: f32| {
        let map = HostTensor { data: vec![value; input.data.len()], shape: input.shape.clone() };
        let judged = Assessment::new(&explainer, &input, &map, 0, &control).unwrap();
        pollster::block_on(metric::retrieve(&judged, Mask::Raw)).unwrap()
    };
    let [whole, none] = [1.0, 0.0].map(retrieve);
    assert_eq!(whole.masked, input);
    assert_eq!(whole.logits, pollster::block_on(explainer.logits(&input)).unwrap().data);
    assert!(none.masked.data.iter().all(|&value| value == 0.0));
    assert_ne!(none.logits, whole.logits);
}

/// What the browser's tests expect of the same engine there; `UPDATE_FIXTURES=1` writes it.
#[test]
fn the_browsers_figures_are_this_engines() {
    let explainer = common::tiny(&common::cpu());
    let input = common::npy("tests/fixtures/tiny/a.model.npy");
    let (map, target) = saliency(&explainer, &input);
    let control = Control::default();
    let made = ExplainOptions { method: "saliency".into(), ..Default::default() };
    let judged = Assessment::new(&explainer, &input, &map, target, &control).unwrap();
    let judged = judged.with_method(&made).unwrap().with_seed(3);
    let area = |kind, order| {
        let options = GameOptions { kind, order, step: Some(64), ..Default::default() };
        pollster::block_on(metric::game(&judged, &options)).unwrap().area
    };
    let options =
        AttackOptions { epsilon: 8.0 / 255.0, random_start: true, seed: 11, ..AttackOptions::default() };
    let found = pollster::block_on(attack::attack(&explainer, &input, &options, 10, &control)).unwrap();
    let onnx = common::read("tests/fixtures/tiny.onnx");
    let layers = randomise::layers(&onnx).unwrap();
    let forgetful = randomise::randomise(&onnx, &layers[..2], 5).unwrap();
    let forgetful = Explainer::load(&forgetful, &common::cpu()).unwrap();
    let ours = json!({
        "deletion": area(GameKind::Deletion, Order::Map),
        "insertion": area(GameKind::Insertion, Order::Map),
        "deletion_at_random": area(GameKind::Deletion, Order::Random),
        "attack": {
            "classes": found.after.iter().map(|class| class.index).collect::<Vec<_>>(),
            "probabilities": found.after.iter().map(|class| class.probability).collect::<Vec<_>>(),
            "l2": found.l2,
        },
        "layers": layers.len(),
        "forgetful_logits": pollster::block_on(forgetful.logits(&input)).unwrap().data,
    });
    let path = "tests/fixtures/tiny/proof.json";
    if std::env::var_os("UPDATE_FIXTURES").is_some() {
        std::fs::write(common::root().join(path), format!("{ours:#}\n")).unwrap();
    }
    assert!(near(&ours, &common::json(path)), "{ours:#}");
}

/// Whether two trees hold the same, numbers up to rounding.
fn near(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| near(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| near(a, b)))
        }
        _ => match (a.as_f64(), b.as_f64()) {
            (Some(a), Some(b)) => (a - b).abs() <= 1e-5 * a.abs().max(1.0),
            _ => a == b,
        },
    }
}

/// The oracle's twenty inputs: the two pictures, moved around their edge by three columns at a time.
fn moved_around(i: usize) -> HostTensor {
    let pixels = common::npy(&format!("tests/fixtures/tiny/{}.pixels.npy", ["a", "b"][i % 2]));
    let by = 3 * (i / 2);
    let at = |k: usize| pixels.data[k / 32 * 32 + (k % 32 + 32 - by) % 32];
    let data = (0..pixels.data.len()).map(|k| (at(k) - 0.5) / 0.25).collect();
    HostTensor::new(data, pixels.shape).unwrap()
}

/// The oracle's numbers from -1 to 1.
fn numbers(count: usize) -> Vec<f32> {
    (0..count as i64).map(|k| (((17 * k + 7919 * k * k) % 2003 - 1001) as f64 / 1001.0) as f32).collect()
}

#[test]
fn twenty_attacks_succeed_as_often_as_foolboxs_and_torchattacks_do() {
    let explainer = common::tiny(&common::cpu());
    let fixtures = common::json("tests/fixtures/metrics/attacks.json");
    let list = |data: Vec<f32>| HostTensor { shape: vec![data.len()], data };
    for (name, oracle) in fixtures["attacks"].as_object().unwrap() {
        let cases = oracle["cases"].as_array().unwrap();
        let number = |what: &str| oracle["params"][what].as_f64();
        let norm = if name.ends_with("l2") { Norm::L2 } else { Norm::Linf };
        let attack = name.trim_end_matches("_l2").trim_end_matches("_linf");
        let mut options = AttackOptions { attack: attack.into(), norm, ..Default::default() };
        let bounded = number("epsilon").map(|epsilon| (epsilon / 255.0) as f32);
        options.epsilon = bounded.unwrap_or(options.epsilon);
        match attack {
            "square" => {
                let part = |k: i64| (((17 * k + 7919 * k * k) % 2003) as f64 + 0.25) / 2003.0;
                options.given.insert("draws".into(), list((0..2003).map(|k| part(k) as f32).collect()));
                options.params.insert("queries".into(), oracle["params"]["queries"].clone());
            }
            "carlini_wagner" => options.params = oracle["params"].as_object().unwrap().clone(),
            "deep_fool" => (),
            _ => {
                options.steps = number("steps").unwrap() as usize;
                options.step = number("step").map(|step| (step / 255.0) as f32);
            }
        }
        if attack == "apgd" {
            let drawn = numbers(3072);
            let size = match norm {
                Norm::Linf => drawn.iter().fold(0.0f32, |most, value| most.max(value.abs())),
                Norm::L2 => drawn.iter().map(|value| value * value).sum::<f32>().sqrt(),
            };
            let start = drawn.iter().map(|value| value * options.epsilon / size).collect();
            options.given.insert("start".into(), list(start));
        }
        let (mut ours, mut theirs, mut lengths) = (0, 0, [0.0, 0.0]);
        let mut worst = 0.0f64;
        for (i, case) in cases.iter().enumerate() {
            let found = attacked(&explainer, &moved_around(i), &options);
            assert!(found.linf > 0.0 || !found.turned);
            let turned = case["turned"].as_bool().unwrap();
            (ours, theirs) = (ours + usize::from(found.turned), theirs + usize::from(turned));
            if let Some(epsilon) = bounded {
                let size = if norm == Norm::L2 { found.l2 } else { found.linf };
                assert!(size <= f64::from(epsilon) * 1.001, "{name}: {size}");
            }
            if found.turned && turned {
                let length = if norm == Norm::L2 || attack == "carlini_wagner" { "l2" } else { "linf" };
                let length_of = if length == "l2" { found.l2 } else { found.linf };
                let expected = case[length].as_f64().unwrap();
                lengths = [lengths[0] + length_of, lengths[1] + expected];
                worst = worst.max((length_of / expected - 1.0).abs());
            }
        }
        let difference = (lengths[0] / lengths[1] - 1.0).abs();
        println!(
            "{name}: {ours} of {}, theirs {theirs}; lengths {difference:.1e} apart on average, {worst:.1e} at most",
            cases.len()
        );
        assert!(ours.abs_diff(theirs) as f64 <= 0.02 * cases.len() as f64, "{name}: {ours}, not {theirs}");
        assert!(difference < 0.01, "{name}: {lengths:?}");
    }
}

#[test]
fn an_explanation_turns_while_the_answer_stays() {
    let explainer = common::tiny(&common::cpu());
    let input = common::npy("tests/fixtures/tiny/a.model.npy");
    let options = AttackOptions { attack: "explanation".into(), epsilon: 0.1, ..Default::default() };
    let found = attacked(&explainer, &input, &options);
    assert!(!found.turned && found.after[0].index == found.before[0].index);
    assert!(found.linf > 0.0 && found.linf <= 0.1001, "{}", found.linf);
    let class = found.before[0].index;
    let top = |input: &HostTensor| -> Vec<usize> {
        let gradient =
            pollster::block_on(explainer.input_gradient(input, class, adversight::Score::Logit)).unwrap();
        let mut order: Vec<usize> = (0..gradient.data.len()).collect();
        order.sort_by(|&a, &b| gradient.data[b].abs().total_cmp(&gradient.data[a].abs()));
        order[..307].to_vec()
    };
    let (was, is) = (top(&input), top(&found.input));
    let kept = was.iter().filter(|at| is.contains(at)).count();
    assert!(kept <= 154, "{kept} of 307 are kept");
    // Half the bound would not have been enough, or the search would have gone there.
    let less = AttackOptions { epsilon: (found.linf * 0.4) as f32, ..options };
    assert!(attacked(&explainer, &input, &less).linf < found.linf);
}

#[test]
fn an_attack_says_which_options_it_does_not_read() {
    let explainer = common::tiny(&common::cpu());
    let input = common::npy("tests/fixtures/tiny/a.model.npy");
    let refused = |options: AttackOptions| {
        pollster::block_on(attack::attack(&explainer, &input, &options, 3, &Control::default()))
            .unwrap_err()
            .to_string()
    };
    let of = |attack: &str| AttackOptions { attack: attack.into(), ..Default::default() };
    for (options, name) in [
        (AttackOptions { epsilon: 0.1, ..of("deep_fool") }, "epsilon"),
        (AttackOptions { towards: Some(3), ..of("deep_fool") }, "towards"),
        (AttackOptions { norm: Norm::L2, ..of("mi_fgsm") }, "norm"),
        (AttackOptions { steps: 7, ..of("square") }, "steps"),
        (AttackOptions { random_start: true, ..of("carlini_wagner") }, "randomStart"),
    ] {
        let error = refused(options);
        assert!(error.contains(name), "{error}");
    }
    assert!(refused(of("kindness")).contains("deep_fool"), "the known ones are listed");
    let mut wrong = of("square");
    wrong.params.insert("queries".into(), 0.into());
    assert!(refused(wrong).contains("queries"));
    // The known ones lead to a class, too.
    let class = 4;
    for attack in ["mi_fgsm", "apgd", "carlini_wagner", "square"] {
        let mut options = AttackOptions { towards: Some(class), ..of(attack) };
        if attack != "carlini_wagner" {
            options.epsilon = 0.1;
        } else {
            options.params = json!({ "steps": 40 }).as_object().unwrap().clone();
        }
        let found = attacked(&explainer, &input, &options);
        assert_eq!(found.turned, found.after[0].index == class, "{attack}");
        assert!(found.turned || attack == "square", "{attack}: {:?}", found.after);
    }
}
