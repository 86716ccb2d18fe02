//! Detectors: the boxes against onnxruntime, numpy and torchvision, explanations of a box against PyTorch, and the other targets than classes.

use adversight::{
    BoxScore, BoxTarget, DetectOptions, Detections, DetectorOptions, ExplainOptions, Explainer, Explanation,
    Follow, HostTensor, Input, ModelOptions, RegionTarget, Score, Target,
    attack::{self, AttackOptions},
    metric,
};
use serde::Deserialize;
use serde_json::json;

use crate::common::{cpu, npy, read, root};

#[derive(Deserialize)]
struct Index {
    classes: usize,
    heads: Vec<HeadCase>,
    explained: Explained,
    dense: Dense,
}

#[derive(Deserialize, Clone)]
struct HeadCase {
    name: String,
    detector: DetectorOptions,
    overlap: f32,
    rows: usize,
    boxes: Vec<Found>,
}

#[derive(Deserialize, Clone)]
struct Found {
    row: usize,
    #[serde(rename = "box")]
    edges: [f64; 4],
    class: usize,
    score: f64,
}

#[derive(Deserialize)]
struct Explained {
    #[serde(rename = "box")]
    number: usize,
    gradient: String,
    left: String,
    odam: String,
    odam_smooth: String,
    masks: String,
    d_rise: String,
}

/// A dense map of classes, and an embedding.
#[derive(Deserialize)]
struct Dense {
    class: usize,
    area: usize,
    region: String,
    score: f64,
    at: [f64; 2],
    connected: usize,
    against: String,
    difference: f64,
    like: Vec<f32>,
    cosine: f64,
    like_gradient: String,
}

fn index() -> Index {
    serde_json::from_slice(&read("tests/fixtures/detectors/index.json")).unwrap()
}

fn stored(file: &str) -> HostTensor {
    npy(&format!("tests/fixtures/detectors/{file}"))
}

fn input() -> HostTensor {
    stored("input.npy")
}

fn load_with(name: &str, detector: Option<DetectorOptions>) -> Explainer {
    let file = read(&format!("tests/fixtures/detectors/{name}.onnx"));
    let options = ModelOptions { detector, ..ModelOptions::default() };
    Explainer::load_with(&file.as_slice().into(), &options, &cpu()).unwrap()
}

fn told(case: &HeadCase) -> Option<DetectorOptions> {
    Some(case.detector.clone())
}

fn detect(explainer: &Explainer, options: &DetectOptions) -> Detections {
    pollster::block_on(explainer.detect(&Input::Tensor(&input()), options)).unwrap()
}

fn explain(explainer: &Explainer, options: &ExplainOptions) -> adversight::Result<Explanation> {
    pollster::block_on(explainer.explain(&Input::Tensor(&input()), options, &Default::default()))
        .map(|found| found.0)
}

fn of(method: &str, target: Target) -> ExplainOptions {
    ExplainOptions { method: method.into(), target: Some(target), ..ExplainOptions::default() }
}

fn box_target(number: usize, explain: BoxScore) -> Target {
    Target::Box(BoxTarget { number: Some(number), explain, ..BoxTarget::default() })
}

/// The largest difference as a part of the largest value.
fn apart(ours: &[f32], theirs: &[f32]) -> f32 {
    assert_eq!(ours.len(), theirs.len());
    let most = theirs.iter().fold(0.0f32, |most, value| most.max(value.abs()));
    assert!(most > 0.0);
    ours.iter().zip(theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max) / most
}

#[test]
fn boxes_of_every_head_are_those_of_torchvision() {
    let index = index();
    for case in &index.heads {
        let explainer = load_with(&case.name, told(case));
        let found = detect(&explainer, &DetectOptions::default());
        assert_eq!(
            (found.detector.rows, found.detector.classes),
            (case.rows, index.classes),
            "{}",
            case.name
        );
        let rows = |boxes: &mut dyn Iterator<Item = usize>| boxes.collect::<Vec<_>>();
        let (ours, theirs) = (
            rows(&mut found.boxes.iter().map(|one| one.row)),
            rows(&mut case.boxes.iter().map(|one| one.row)),
        );
        assert_eq!(ours, theirs, "{}", case.name);
        assert!(!ours.is_empty(), "{}", case.name);
        for (ours, theirs) in found.boxes.iter().zip(&case.boxes) {
            assert_eq!(ours.class.index, theirs.class, "{}", case.name);
            assert!((f64::from(ours.class.probability) - theirs.score).abs() < 1e-4, "{}", case.name);
            for (a, b) in ours.edges.iter().zip(theirs.edges) {
                assert!((f64::from(*a) - b).abs() < 1e-2, "{}: {a} and {b}", case.name);
            }
        }
        assert_eq!(explainer.model().info().detector.as_ref().unwrap().rows, case.rows);
    }
    // Some boxes were left out because they overlap a better one.
    let kept_all = DetectOptions { overlap: Some(1.0), ..DetectOptions::default() };
    let all = detect(&load_with("yolov8", None), &kept_all).boxes.len();
    assert!(
        all > index
            .heads
            .iter()
            .find(|case| case.name == "yolov8" && case.overlap < 1.0)
            .unwrap()
            .boxes
            .len()
    );
}

#[test]
fn what_is_guessed_is_told_and_can_be_changed() {
    let asked = || load_with("ssd", Some(DetectorOptions::default()));
    let notes = detect(&asked(), &DetectOptions::default()).notes.join(" ");
    for option in ["`box`", "`background`"] {
        assert!(notes.contains(option), "{option}: {notes}");
    }
    let told: DetectorOptions =
        serde_json::from_value(json!({ "style": "boxes", "outputs": ["boxes", "scores"], "box": "xyxy", "unit": "share", "scores": "shares", "background": "first" })).unwrap();
    let found = detect(&load_with("ssd", Some(told)), &DetectOptions::default());
    assert_eq!(found.notes, Vec::<String>::new());
    assert_eq!(found.boxes, detect(&asked(), &DetectOptions::default()).boxes);
    // Another reading of the same numbers finds another box.
    let last: DetectorOptions = serde_json::from_value(
        json!({ "background": "last", "style": "boxes", "outputs": ["boxes", "scores"] }),
    )
    .unwrap();
    let other = detect(&load_with("ssd", Some(last)), &DetectOptions::default());
    assert_ne!(other.boxes, found.boxes);
}

#[test]
fn what_is_no_detector_says_what_to_give() {
    let explainer = load_with("yolov3", None);
    let error = pollster::block_on(explainer.detect(&Input::Tensor(&input()), &DetectOptions::default()))
        .unwrap_err();
    assert_eq!(error.code(), "detector_unknown");
    assert!(error.to_string().contains("anchors"), "{error}");
    // Several outputs are read together only where that is asked for; unasked, the first is what it was.
    let apart = load_with("ssd", None);
    let error =
        pollster::block_on(apart.detect(&Input::Tensor(&input()), &DetectOptions::default())).unwrap_err();
    assert!(error.to_string().contains("`detector`"), "{error}");
    assert_eq!(apart.model().info().output.name, "boxes");
    let file = read("tests/fixtures/detectors/yolov3.onnx");
    for wrong in [
        json!({ "style": "yolov3" }),
        json!({ "style": "yolov3", "anchors": [[[8, 10]]] }),
        json!({ "style": "yolov8", "outputs": ["nothing"] }),
        json!({ "style": "detr" }),
    ] {
        let options = ModelOptions {
            detector: serde_json::from_value(wrong.clone()).unwrap(),
            ..ModelOptions::default()
        };
        let error = Explainer::load_with(&file.as_slice().into(), &options, &cpu()).err().unwrap();
        assert_eq!(error.code(), "detector_unknown", "{wrong}");
    }
    assert!(DetectorOptions::from_json("{\"stile\": \"yolov8\"}").is_err());

    let detector = load_with("yolov8", None);
    let target = |number| of("saliency", box_target(number, BoxScore::Class));
    assert_eq!(explain(&detector, &target(1000)).unwrap_err().code(), "target_invalid");
    let objectness = of("saliency", box_target(0, BoxScore::Objectness));
    assert_eq!(explain(&detector, &objectness).unwrap_err().code(), "target_invalid");
    let outside = Target::Box(BoxTarget { at: Some([-50.0, -50.0, -40.0, -40.0]), ..BoxTarget::default() });
    assert_eq!(explain(&detector, &of("saliency", outside)).unwrap_err().code(), "target_invalid");
    let class = of("d_rise", Target::Class(0));
    assert_eq!(explain(&detector, &class).unwrap_err().code(), "method_unsuited");
}

#[test]
fn gradients_of_a_box_are_those_of_pytorch() {
    let (index, detector) = (index(), load_with("yolov8", None));
    let number = index.explained.number;
    let saliency = explain(&detector, &of("saliency", box_target(number, BoxScore::Class))).unwrap();
    let sizes: Vec<f32> = stored(&index.explained.gradient).data.iter().map(|value| value.abs()).collect();
    let ours: Vec<f32> = saliency.attribution.data.iter().map(|value| value.abs()).collect();
    assert!(apart(&ours, &sizes) < 1e-3);
    let aimed = |score| {
        let target = box_target(number, score);
        pollster::block_on(detector.aimed(&target, &input(), None, Follow::Place)).unwrap()
    };
    for (score, file) in
        [(BoxScore::Class, &index.explained.gradient), (BoxScore::Left, &index.explained.left)]
    {
        let aimed = aimed(score);
        let gradient =
            pollster::block_on(aimed.explainer.input_gradient(&input(), aimed.class.unwrap(), Score::Logit))
                .unwrap();
        assert!(apart(&gradient.data, &stored(file).data) < 1e-3, "{score:?}");
    }
}

/// A gradient is the slope of the score along any direction.
#[test]
fn gradients_of_every_head_are_slopes() {
    for case in index().heads {
        let explainer = load_with(&case.name, told(&case));
        let mut scores = vec![BoxScore::Class, BoxScore::Width];
        if ["yolov5", "yolov3", "ssd", "detr"].contains(&case.name.as_str()) {
            scores.push(BoxScore::Objectness);
        }
        for score in scores {
            let target = box_target(0, score);
            let aimed = pollster::block_on(explainer.aimed(&target, &input(), None, Follow::Place)).unwrap();
            let class = aimed.class.unwrap();
            let gradient =
                pollster::block_on(aimed.explainer.input_gradient(&input(), class, Score::Logit)).unwrap();
            let norm = gradient.data.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>().sqrt();
            assert!(norm > 0.0, "{} {score:?}", case.name);
            let at = |step: f64| {
                let moved: Vec<f32> = input()
                    .data
                    .iter()
                    .zip(&gradient.data)
                    .map(|(&x, &g)| (f64::from(x) + step * f64::from(g) / norm) as f32)
                    .collect();
                let moved = HostTensor::new(moved, input().shape).unwrap();
                f64::from(pollster::block_on(aimed.explainer.logits(&moved)).unwrap().data[class])
            };
            let slope = (at(0.02) - at(-0.02)) / 0.04;
            assert!((slope - norm).abs() < 0.02 * norm, "{} {score:?}: {slope} and {norm}", case.name);
        }
    }
}

#[test]
fn odam_is_that_of_pytorch() {
    let (index, detector) = (index(), load_with("yolov8", None));
    for (smoothing, file) in [(0.0, &index.explained.odam), (1.0, &index.explained.odam_smooth)] {
        let mut options = of("odam", box_target(index.explained.number, BoxScore::Class));
        options.params = json!({ "smoothing": smoothing }).as_object().unwrap().clone();
        let found = explain(&detector, &options).unwrap();
        let difference = apart(&found.attribution.data, &stored(file).data);
        assert!(difference < 1e-3, "smoothing {smoothing}: {difference}");
    }
}

#[test]
fn d_rise_is_that_of_pytorch() {
    let (index, detector) = (index(), load_with("yolov8", None));
    let mut options = of("d_rise", box_target(index.explained.number, BoxScore::Class));
    options.given = [("masks".to_owned(), stored(&index.explained.masks))].into();
    let found = explain(&detector, &options).unwrap();
    let difference = apart(&found.attribution.data, &stored(&index.explained.d_rise).data);
    assert!(difference < 1e-3, "{difference}");
}

#[test]
fn methods_of_all_kinds_explain_a_box_and_words_name_it() {
    let detector =
        load_with("yolov8", None).with_labels(vec!["cat".into(), "dog".into(), "hat".into()]).unwrap();
    let first = detect(&detector, &DetectOptions::default()).boxes.remove(0);
    for (method, params) in [
        ("integrated_gradients", json!({ "steps": 200 })),
        ("agi", json!({ "samples": 2, "steps": 3 })),
        ("grad_cam", json!({})),
        ("relex", json!({ "iterations": 5, "samples": 4 })),
        ("axai", json!({})),
        ("occlusion", json!({})),
        ("rise", json!({ "samples": 20 })),
    ] {
        let mut options = of(method, box_target(0, BoxScore::Class));
        options.params = params.as_object().unwrap().clone();
        let found = explain(&detector, &options).unwrap_or_else(|error| panic!("{method}: {error}"));
        assert_eq!(found.info.target.index, first.class.index, "{method}");
        assert!((found.info.target.probability - first.class.probability).abs() < 1e-4, "{method}");
        let aim = found.info.aim.as_ref().unwrap();
        assert_eq!(aim.object.as_ref(), Some(&first), "{method}");
        let words = found.words.join(" ");
        for part in [&first.class.label, &first.place, &format!("{:.2}", first.class.probability)] {
            assert!(words.contains(part.as_str()), "{method}: {words}");
        }
        assert!(found.attribution.data.iter().any(|&value| value != 0.0), "{method}");
    }
    // Without a target the best box is explained.
    let unasked = ExplainOptions { method: "saliency".into(), ..ExplainOptions::default() };
    let asked = of("saliency", box_target(0, BoxScore::Class));
    let (unasked, asked) = (explain(&detector, &unasked).unwrap(), explain(&detector, &asked).unwrap());
    assert_eq!(unasked.attribution, asked.attribution);
    // The same box by its place.
    let at = Target::Box(BoxTarget { at: Some(first.edges.map(f64::from)), ..BoxTarget::default() });
    assert_eq!(explain(&detector, &of("saliency", at)).unwrap().attribution, asked.attribution);
}

/// Where the input changes, the box is followed by its overlap: the score is that of the best row that overlaps.
#[test]
fn a_box_is_followed_by_its_overlap() {
    let detector = load_with("yolov8", None);
    let target = box_target(0, BoxScore::Class);
    let aimed = |follow| pollster::block_on(detector.aimed(&target, &input(), None, follow)).unwrap();
    let (place, overlap) = (aimed(Follow::Place), aimed(Follow::Overlap));
    let class = place.class.unwrap();
    let score = |aimed: &adversight::Aimed, x: &HostTensor| {
        pollster::block_on(aimed.explainer.logits(x)).unwrap().data[class]
    };
    // At the input itself both are the box's own.
    assert!((score(&place, &input()) - score(&overlap, &input())).abs() < 1e-5);
    let edges = place.aim.as_ref().unwrap().object.as_ref().unwrap().edges;
    let mut differs = false;
    for shift in [3usize, 8, 12, 16] {
        let mut moved = input();
        let side = moved.shape[3];
        for row in moved.data.chunks_exact_mut(side) {
            row.rotate_right(shift);
        }
        let kept_all = DetectOptions { threshold: Some(0.0), overlap: Some(1.0), most: Some(1000) };
        let rows = pollster::block_on(detector.detect(&Input::Tensor(&moved), &kept_all)).unwrap().boxes;
        let best = rows
            .iter()
            .filter(|one| {
                one.class.index == class && adversight::model::detect::boxes::overlap(one.edges, edges) >= 0.5
            })
            .map(|one| one.class.probability)
            .fold(0.0f32, f32::max);
        let p = |logit: f32| 1.0 / (1.0 + (-logit).exp());
        let own = p(score(&place, &moved));
        assert!((p(score(&overlap, &moved)) - best.max(own)).abs() < 1e-4, "shifted by {shift}");
        differs |= (best - own).abs() > 1e-3;
    }
    assert!(differs, "the box never moved to another row");
}

#[test]
fn metrics_and_attacks_take_a_box() {
    let detector = load_with("yolov8", None);
    let target = box_target(0, BoxScore::Class);
    let map = explain(&detector, &of("integrated_gradients", target.clone())).unwrap().attribution;
    let x = input();
    let aimed = pollster::block_on(detector.aimed(&target, &x, None, Follow::Overlap)).unwrap();
    let control = adversight::Control::default();
    let assessment =
        metric::Assessment::new(&aimed.explainer, &x, &map, aimed.class.unwrap(), &control).unwrap();
    let found = pollster::block_on(metric::measure(&assessment, "deletion", &Default::default())).unwrap();
    assert!(found.forward_passes > 0 && found.finding.value.is_finite());

    let steady = pollster::block_on(detector.aimed(&target, &x, None, Follow::Place)).unwrap();
    let options = AttackOptions { epsilon: 0.3, ..AttackOptions::default() };
    let attacked = pollster::block_on(attack::attack(&steady.explainer, &x, &options, 3, &control)).unwrap();
    let class = steady.class.unwrap();
    let share =
        |scores: &[adversight::ClassScore]| scores.iter().find(|one| one.index == class).unwrap().probability;
    assert!(share(&attacked.after) < share(&attacked.before));
}

#[test]
fn regions_comparisons_and_likenesses_are_those_of_pytorch() {
    let dense = index().dense;
    let explainer = load_with("dense", None);
    let region = |region: RegionTarget| Target::Region(region);
    let own = region(RegionTarget { class: Some(dense.class), ..RegionTarget::default() });
    let aimed = |explainer: &Explainer, target: &Target| {
        pollster::block_on(explainer.aimed(target, &input(), None, Follow::Place))
    };
    let check = |explainer: &Explainer, target: &Target, score: f64, file: &str| {
        let aimed = aimed(explainer, target).unwrap();
        let class = aimed.class.unwrap();
        let logits = pollster::block_on(aimed.explainer.logits(&input())).unwrap().data;
        assert!((f64::from(logits[class]) - score).abs() < 1e-4, "{target:?}: {} and {score}", logits[class]);
        let gradient =
            pollster::block_on(aimed.explainer.input_gradient(&input(), class, Score::Logit)).unwrap();
        assert!(apart(&gradient.data, &stored(file).data) < 1e-3, "{target:?}");
        aimed
    };
    let found = check(&explainer, &own, dense.score, &dense.region);
    assert_eq!(found.aim.unwrap().region.unwrap()[0], dense.area);
    // The same area as a mask.
    let clicked = region(RegionTarget { at: Some(dense.at), ..RegionTarget::default() });
    let found = aimed(&explainer, &clicked).unwrap();
    assert_eq!(found.class, Some(dense.class));
    assert_eq!(found.aim.unwrap().region.unwrap()[0], dense.connected);

    let classifier = load_with("embedding", None);
    check(&classifier, &Target::Against { class: 1, against: 4 }, dense.difference, &dense.against);
    check(&classifier, &Target::Like(dense.like.clone()), dense.cosine, &dense.like_gradient);
    let words =
        explain(&classifier, &of("saliency", Target::Like(dense.like.clone()))).unwrap().words.join(" ");
    assert!(words.contains("cosine"), "{words}");

    for wrong in [
        region(RegionTarget::default()),
        region(RegionTarget { at: Some([1000.0, 0.0]), ..RegionTarget::default() }),
        Target::Like(vec![1.0; 3]),
    ] {
        assert_eq!(aimed(&explainer, &wrong).err().unwrap().code(), "target_invalid", "{wrong:?}");
    }
    assert_eq!(aimed(&classifier, &own).err().unwrap().code(), "target_invalid");
    assert_eq!(
        aimed(&explainer, &region(RegionTarget { class: Some(99), ..RegionTarget::default() }))
            .err()
            .unwrap()
            .code(),
        "target_out_of_range"
    );
}

/// The program on the detector `name`.
fn program(what: &str, name: &str, more: &[&str]) -> (bool, String, String) {
    let file = |name: &str| root().join("tests/fixtures/detectors").join(name);
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_adversight"))
        .arg(what)
        .arg("--model")
        .arg(file(&format!("{name}.onnx")))
        .arg("--input")
        .arg(file("input.npy"))
        .args(more)
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.success(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn the_command_line_finds_and_explains_boxes() {
    // Of several outputs, too, without being told.
    for name in ["yolov8", "ssd", "suppressed"] {
        let case = index().heads.into_iter().find(|case| case.name == name).unwrap();
        let (well, found, error) = program("detect", name, &["--json", "-"]);
        assert!(well, "{name}: {error}");
        let found: serde_json::Value = serde_json::from_str(&found).unwrap();
        let boxes = found["boxes"].as_array().unwrap();
        assert_eq!(boxes.len(), case.boxes.len(), "{name}");
        assert_eq!(boxes[0]["row"], case.boxes[0].row, "{name}");
        let (well, words, error) = program("explain", name, &["--method", "saliency", "--box", "0"]);
        assert!(well, "{name}: {error}");
        assert!(words.contains(boxes[0]["place"].as_str().unwrap()), "{name}: {words}");
    }
    let (well, words, _) = program("explain", "yolov8", &["--method", "odam", "--target", "box:1:width"]);
    assert!(well && words.contains("the width of"), "{words}");
    let (well, _, error) = program("explain", "yolov8", &["--method", "odam", "--target", "box:one"]);
    assert!(!well && error.contains("no number"), "{error}");
    let (well, _, error) = program("detect", "dense", &[]);
    assert!(!well && error.contains("detector_unknown"), "{error}");
    let region = format!("region:{}", index().dense.class);
    let (well, words, error) = program("explain", "dense", &["--method", "grad_cam", "--target", &region]);
    assert!(well && words.contains("mean score"), "{words}{error}");
}
