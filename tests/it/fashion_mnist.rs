//! The networks that examples/train_fashion_mnist trained, on ten test pictures, one of each class.

use crate::common;

use adversight::{
    Error, ExplainOptions, Explainer, HostTensor, Input,
    attack::{Attack, Norm, Rows, Within},
};
use serde_json::Value;

const CLASSES: usize = 10;
const FOLDER: &str = "tests/fixtures/fashion_mnist";
const CLASSIFIERS: [&str; 3] = ["natural", "robust", "random_labels"];

fn explainer(name: &str) -> Explainer {
    let preprocessing = common::json(&format!("{FOLDER}/preprocessing.json"));
    let labels = common::json(&format!("{FOLDER}/labels.json"));
    let explainer = common::load(&format!("{FOLDER}/{name}.onnx"), &preprocessing, &common::cpu());
    explainer.with_labels(serde_json::from_value(labels).unwrap()).unwrap()
}

/// The natural classifier with its masker.
fn masked() -> Explainer {
    let masker = common::read(&format!("{FOLDER}/masker.onnx"));
    explainer("natural").with_masker(&masker.as_slice().into()).unwrap()
}

/// The ten pictures; number `i` shows class `i`.
fn pictures(explainer: &Explainer) -> Vec<HostTensor> {
    (0..CLASSES).map(|class| common::prepared(explainer, &format!("fashion_mnist/{class}.png"))).collect()
}

fn batch(pictures: &[HostTensor]) -> HostTensor {
    let data = pictures.iter().flat_map(|picture| picture.data.iter().copied()).collect();
    HostTensor::new(data, vec![pictures.len(), 1, 28, 28]).unwrap()
}

fn logits(explainer: &Explainer, input: &HostTensor) -> Vec<f32> {
    pollster::block_on(explainer.logits(input)).unwrap().data
}

fn classes(logits: &[f32]) -> Vec<usize> {
    let best = |row: &[f32]| (0..CLASSES).max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap();
    logits.chunks_exact(CLASSES).map(best).collect()
}

/// How many of the ten pictures are classified as what they show.
fn right(classes: &[usize]) -> usize {
    classes.iter().enumerate().filter(|(shown, class)| shown == *class).count()
}

#[test]
fn the_classifiers_compute_what_onnx_runtime_computes() {
    for name in CLASSIFIERS {
        let explainer = explainer(name);
        let ours = logits(&explainer, &batch(&pictures(&explainer)));
        let theirs = common::npy(&format!("{FOLDER}/{name}.logits.npy")).data;
        assert!(common::compare(&ours, &theirs).relative_max < 1e-5, "{name}");
        assert_eq!(classes(&ours), classes(&theirs), "{name}");
    }
}

#[test]
fn the_natural_and_the_robust_network_know_the_pictures_and_the_one_of_random_labels_does_not() {
    let of = |name: &str| {
        let explainer = explainer(name);
        right(&classes(&logits(&explainer, &batch(&pictures(&explainer)))))
    };
    assert!(of("natural") >= 9, "{}", of("natural"));
    assert!(of("robust") >= 8, "{}", of("robust"));
    assert!(of("random_labels") <= 4, "{}", of("random_labels"));
}

#[test]
fn an_attack_fools_the_natural_network_and_not_the_robust_one() {
    let under_attack = |name: &str| {
        let explainer = explainer(name);
        let control = Default::default();
        let rows = Rows::new(explainer.model(), &control).unwrap();
        let x = rows.rows(batch(&pictures(&explainer)).data).unwrap();
        let within = Within {
            range: Some((x.zeros_like().slice([0..1, 0..784]), x.ones_like().slice([0..1, 0..784]))),
            ..Default::default()
        };
        let shown: Vec<usize> = (0..CLASSES).collect();
        let attack = Attack::pgd(Norm::Linf, 0.01, 0.1, 20);
        let delta = pollster::block_on(attack.run(&rows, x.clone(), &shown, &within)).unwrap();
        let data = (x + delta).into_data().try_into_vec::<f32>().unwrap();
        assert!(data.iter().all(|pixel| (0.0..=1.0).contains(pixel)));
        right(&classes(&logits(&explainer, &HostTensor::new(data, vec![CLASSES, 1, 28, 28]).unwrap())))
    };
    let (natural, robust) = (under_attack("natural"), under_attack("robust"));
    assert!(natural <= 2 && robust >= 6, "natural {natural}, robust {robust}");
}

fn mask(explainer: &Explainer, picture: &HostTensor, target: Option<usize>) -> HostTensor {
    let options =
        ExplainOptions { method: "rt_sal".into(), target: target.map(Into::into), ..Default::default() };
    common::explain(explainer, picture, &options).attribution
}

#[test]
fn rt_sal_gives_the_maskers_mask_of_the_explained_class() {
    let explainer = masked();
    let theirs = common::npy(&format!("{FOLDER}/masker.masks.npy")).data;
    for (picture, theirs) in pictures(&explainer).iter().zip(theirs.chunks_exact(28 * 28)) {
        let ours = mask(&explainer, picture, None);
        assert_eq!(ours.shape, [1, 1, 28, 28]);
        assert!(ours.data.iter().all(|value| (0.0..=1.0).contains(value)));
        assert!(common::compare(&ours.data, theirs).relative_max < 1e-5);
    }
}

#[test]
fn the_mask_keeps_the_class_and_what_it_hides_does_not() {
    let explainer = masked();
    let (mut kept, mut lost) = (0, 0);
    for picture in pictures(&explainer) {
        let class = classes(&logits(&explainer, &picture))[0];
        let mask = mask(&explainer, &picture, None).data;
        let seen = |through: fn(f32) -> f32| {
            let data = picture.data.iter().zip(&mask).map(|(x, &m)| x * through(m)).collect();
            classes(&logits(&explainer, &HostTensor::new(data, picture.shape.clone()).unwrap()))[0]
        };
        kept += usize::from(seen(|m| m) == class);
        lost += usize::from(seen(|m| 1.0 - m) != class);
    }
    assert!(kept >= 9 && lost >= 8, "kept {kept}, lost {lost}");
}

#[test]
fn a_class_that_is_not_in_the_picture_gets_a_smaller_mask() {
    let explainer = masked();
    let sum = |mask: HostTensor| mask.data.iter().sum::<f32>();
    let (mut shown, mut absent) = (0.0, 0.0);
    for (class, picture) in pictures(&explainer).iter().enumerate() {
        shown += sum(mask(&explainer, picture, Some(class)));
        absent += sum(mask(&explainer, picture, Some((class + 5) % CLASSES)));
    }
    assert!(absent < 0.5 * shown, "{absent} against {shown}");
}

#[test]
fn without_a_masker_rt_sal_says_what_it_needs() {
    let explainer = explainer("natural");
    let support = |explainer: &Explainer| {
        explainer.info().methods.into_iter().find(|method| method.name == "rt_sal").unwrap()
    };
    assert!(!support(&explainer).applies && support(&explainer).reason.unwrap().contains("masking network"));
    assert!(support(&masked()).applies);
    let options = ExplainOptions { method: "rt_sal".into(), ..Default::default() };
    let picture = &pictures(&explainer)[0];
    let error = pollster::block_on(explainer.explain(&Input::Tensor(picture), &options, &Default::default()));
    assert!(matches!(error, Err(Error::MethodUnsuited { reason, .. }) if reason.contains("--masker")));
    // A classifier is no masker.
    let natural = common::read(&format!("{FOLDER}/natural.onnx"));
    let error = explainer.with_masker(&natural.as_slice().into()).err().unwrap();
    assert!(error.to_string().contains("28 x 28 pixels"), "{error}");
}

/// A share as a percentage.
fn percent(value: &Value) -> String {
    format!("{:.1} %", value.as_f64().unwrap() * 100.0)
}

#[test]
fn the_page_of_models_shows_what_was_measured() {
    let report = common::json(&format!("{FOLDER}/models.json"));
    let classifier = |name: &str| {
        let entry = &report[name];
        format!(
            "| {name} | {} x {} | {} | {} | {} | {} |",
            entry["images"],
            entry["training"]["epochs"],
            percent(&entry["accuracy_on_training_labels"]),
            percent(&entry["accuracy"]),
            percent(&entry["accuracy_first_1000"]),
            percent(&entry["accuracy_first_1000_under_pgd"]),
        )
    };
    let columns =
        ["network", "pictures x epochs", "training labels", "test", "first 1,000", "the same under PGD"];
    let rows = CLASSIFIERS.map(classifier);
    common::publish_table("docs/models.md", "classifiers", &columns, &rows);
    let masker = &report["masker"];
    let masker = format!(
        "| {} x {} | {} | {} | {} | {} |",
        masker["images"],
        masker["epochs"],
        percent(&masker["class_kept_by_mask"]),
        percent(&masker["class_lost_without_mask"]),
        percent(&masker["mean_mask"]),
        percent(&masker["mean_mask_of_an_absent_class"]),
    );
    let columns = ["pictures x epochs", "class kept", "class lost", "mean mask", "of an absent class"];
    common::publish_table("docs/models.md", "masker", &columns, std::slice::from_ref(&masker));
    let page = String::from_utf8(common::read("docs/models.md")).unwrap();
    for row in rows.iter().chain([&masker]) {
        assert!(
            page.contains(row),
            "docs/models.md lacks {row}: run UPDATE_DOCS=1 cargo test --test it fashion_mnist::"
        );
    }
    assert!(report["natural"]["accuracy"].as_f64().unwrap() >= 0.88);
}
