//! Networks that others have made and shipped in packages, beside onnxruntime: silero-vad (is this speech? one probability, an `If`, a recurrent
//! state), magika (what kind of file is this? bytes, made one-hot inside) and nudenet (a detector of open height and width). They are fetched by
//! `cargo xtask test engine`, which names their folder in `ADVERSIGHT_REAL_NETWORKS`; tests/reference/real_networks.py makes the figures.

use std::{collections::BTreeMap, fs, path::PathBuf};

use crate::common::{self, compare, npy, uniform};
use adversight::{
    ExplainOptions, Explainer, Explanation, HostTensor, Input, Score,
    input::layout::Layout,
    model::{Activation, HostValue, ModelFile, ModelOptions, Runner},
};
use serde::Deserialize;
use serde_json::{Value, json};

const FOLDER: &str = "tests/fixtures/real_networks";

#[derive(Debug, Deserialize)]
struct Index {
    /// The streams of the directions along which slopes are known.
    directions: Vec<u32>,
    /// Points of integrated gradients.
    points: usize,
    networks: BTreeMap<String, Network>,
    cases: Vec<Case>,
}

#[derive(Debug, Deserialize)]
struct Network {
    file: String,
    /// The name of the input that is explained, or that what is explained follows from.
    explained: String,
    input: Option<String>,
    state: Option<String>,
    at: Option<String>,
    /// What magika reads.
    text: Option<String>,
    #[serde(default)]
    target: usize,
}

#[derive(Debug, Deserialize)]
struct Case {
    network: String,
    what: String,
    file: String,
    /// Equal windows of places.
    windows: Option<usize>,
    /// Height and width of the cells of a grid.
    cell: Option<[usize; 2]>,
    baseline: Option<Noise>,
    /// How far slopes of two step sizes part.
    steps_agree: Option<f64>,
}

/// Uniform noise around zero.
#[derive(Debug, Deserialize)]
struct Noise {
    stream: u32,
    width: f32,
}

/// A network as it is explained.
struct Loaded {
    index: Index,
    name: &'static str,
    bytes: Vec<u8>,
    explainer: Explainer,
    x: HostTensor,
    score: Score,
}

fn index() -> Index {
    serde_json::from_value(common::json(&format!("{FOLDER}/index.json"))).unwrap()
}

fn fetched() -> Option<PathBuf> {
    let folder = std::env::var_os("ADVERSIGHT_REAL_NETWORKS");
    if folder.is_none() {
        eprintln!("skipped: ADVERSIGHT_REAL_NETWORKS does not name the folder of others' networks");
    }
    folder.map(PathBuf::from)
}

fn float(tensor: HostTensor) -> HostValue {
    HostValue::Float { data: tensor.data, shape: tensor.shape }
}

/// The first and last 1,024 bytes, as the package reads a file.
fn tokens(text: &str) -> HostValue {
    let bytes = text.as_bytes();
    let ends = bytes[..1024].iter().chain(&bytes[bytes.len() - 1024..]);
    HostValue::Int { data: ends.map(|&byte| i64::from(byte)).collect(), shape: vec![1, 2048] }
}

/// [1, 3, height, width] from 0 to 1.
fn picture(file: &str) -> HostTensor {
    let image = image::load_from_memory(&common::read(&format!("{FOLDER}/{file}"))).unwrap().into_rgb8();
    let (width, height) = (image.width() as usize, image.height() as usize);
    let planes =
        (0..3).flat_map(|channel| image.pixels().map(move |pixel| f32::from(pixel[channel]) / 255.0));
    HostTensor::new(planes.collect(), vec![1, 3, height, width]).unwrap()
}

impl Network {
    /// Every input of the file, by name.
    fn inputs(&self, declared: &[String]) -> BTreeMap<String, HostValue> {
        let explained = match (&self.text, self.input.as_deref()) {
            (Some(text), _) => tokens(text),
            (None, Some(file)) if file.ends_with(".png") => float(picture(file)),
            (None, Some(file)) => float(npy(&format!("{FOLDER}/{file}"))),
            (None, None) => panic!("an input is missing"),
        };
        let mut inputs = BTreeMap::from([(self.explained.clone(), explained)]);
        if let Some(state) = &self.state {
            inputs.insert("state".into(), float(npy(&format!("{FOLDER}/{state}"))));
        }
        if declared.iter().any(|name| name == "sr") {
            inputs.insert("sr".into(), HostValue::Int { data: vec![16_000], shape: Vec::new() });
        }
        inputs
    }
}

/// The outputs of a file.
fn outputs(network: &Network, bytes: &[u8]) -> BTreeMap<String, HostValue> {
    let runner = Runner::load(&ModelFile::from(bytes), &common::cpu()).unwrap();
    let declared: Vec<String> = runner.inputs().into_iter().map(|input| input.name).collect();
    pollster::block_on(runner.run(network.inputs(&declared))).unwrap().into_iter().collect()
}

impl Loaded {
    fn new(name: &'static str) -> Option<Self> {
        let folder = fetched()?;
        let index = index();
        let network = &index.networks[name];
        let bytes = fs::read(folder.join(&network.file)).unwrap();
        let runner = Runner::load(&ModelFile::from(&bytes[..]), &common::cpu()).unwrap();
        let declared: Vec<String> = runner.inputs().into_iter().map(|input| input.name).collect();
        let mut others = network.inputs(&declared);
        let explained = match network.at {
            Some(_) => None,
            None => others.remove(&network.explained),
        };
        let options = ModelOptions {
            input: network.at.is_none().then(|| network.explained.clone()),
            at: network.at.clone(),
            explained_shape: explained.as_ref().map(|value| value.shape().to_vec()),
            values: others,
            layout: network.at.as_ref().map(|_| Layout::Sequence),
            // One of a detector's numbers is explained as it is.
            activation: (name == "nudenet").then_some(Activation::None),
            ..Default::default()
        };
        let explainer = Explainer::load_with(&ModelFile::from(&bytes[..]), &options, &common::cpu()).unwrap();
        let x = match explained {
            Some(HostValue::Float { data, shape }) => HostTensor::new(data, shape).unwrap(),
            Some(_) => panic!("whole numbers have no slopes"),
            None => pollster::block_on(explainer.model().source()).unwrap(),
        };
        let score = if name == "nudenet" { Score::Logit } else { Score::Probability };
        Some(Self { index, name, bytes, explainer, x, score })
    }

    fn network(&self) -> &Network {
        &self.index.networks[self.name]
    }

    fn case(&self, what: &str) -> &Case {
        self.index
            .cases
            .iter()
            .find(|case| case.network == self.name && case.what == what)
            .unwrap_or_else(|| panic!("no {what} of {}", self.name))
    }

    fn expected(&self, what: &str) -> Vec<f32> {
        npy(&format!("{FOLDER}/{}", self.case(what).file)).data
    }

    fn explain(&self, method: &str, more: Value, given: BTreeMap<String, HostTensor>) -> Explanation {
        let mut params = json!({ "score": self.score });
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let Value::Object(params) = params else { unreachable!("an object") };
        let target = Some(self.network().target);
        let options = ExplainOptions {
            method: method.into(),
            target: target.map(Into::into),
            params,
            given,
            ..Default::default()
        };
        pollster::block_on(self.explainer.explain(&Input::Tensor(&self.x), &options, &Default::default()))
            .unwrap()
            .0
    }

    /// A map's products with the directions of the oracle, the last of which may be that of ones alone.
    fn along(&self, map: &HostTensor, count: usize, ones: bool) -> Vec<f32> {
        let product = |signs: &dyn Fn(usize) -> f64| -> f32 {
            map.data.iter().enumerate().map(|(at, &value)| f64::from(value) * signs(at)).sum::<f64>() as f32
        };
        let drawn = self.index.directions[..count].iter().map(|&stream| {
            let drawn = uniform(map.data.len(), stream);
            product(&|at| if drawn[at] < 0.5 { -1.0 } else { 1.0 })
        });
        let mut products: Vec<f32> = drawn.collect();
        products.extend(ones.then(|| product(&|_| 1.0)));
        products
    }

    /// The probabilities that classifying tells are the network's own.
    fn probabilities_are_told(&self) {
        let expected = self.expected("probability");
        let found =
            pollster::block_on(self.explainer.classify(&Input::Tensor(&self.x), expected.len())).unwrap();
        assert_eq!(found.top.len(), expected.len());
        for class in &found.top {
            let right = expected[class.index];
            assert!((class.probability - right).abs() < 1e-5, "{class:?} in place of {right}");
        }
        assert!(found.top.is_sorted_by(|a, b| a.probability >= b.probability));
    }

    /// Gradient and saliency, value by value or along directions.
    fn gradients_agree(&self) {
        let expected = self.expected("gradient");
        assert!(self.case("gradient").steps_agree.unwrap() < 1e-4);
        let target = self.network().target;
        let gradient =
            pollster::block_on(self.explainer.input_gradient(&self.x, target, self.score)).unwrap();
        let saliency = self.explain("saliency", json!({}), BTreeMap::new());
        for (what, map) in [("gradient", gradient), ("saliency", saliency.attribution)] {
            assert_eq!(map.shape, self.x.shape, "{what}");
            let ours = if expected.len() == map.data.len() {
                map.data
            } else {
                self.along(&map, expected.len(), false)
            };
            let agreement = compare(&ours, &expected);
            assert!(agreement.relative_l2 < 1e-3, "{} {what}: {agreement:?}", self.name);
        }
    }

    fn integrated_gradients_agree(&self) {
        let expected = self.expected("integrated_gradients");
        let noise = self.case("integrated_gradients").baseline.as_ref().unwrap();
        let start = uniform(self.x.data.len(), noise.stream).into_iter().map(|u| (u - 0.5) * noise.width);
        let start = HostTensor::new(start.collect(), self.x.shape.clone()).unwrap();
        let given = BTreeMap::from([("baseline".to_owned(), start)]);
        let steps = json!({ "steps": self.index.points });
        let map = self.explain("integrated_gradients", steps, given).attribution;
        let ours = self.along(&map, expected.len() - 1, true);
        let agreement = compare(&ours, &expected);
        assert!(agreement.relative_l2 < 1e-3, "{}: {agreement:?}", self.name);
    }

    /// Occlusion and KernelSHAP of the oracle's segments, zero where they are hidden.
    fn segments_agree(&self) {
        for (method, more) in [("occlusion", json!({})), ("kernel_shap", json!({ "samples": 1000 }))] {
            let case = self.case(method);
            let labels: Vec<f32> = match (case.windows, case.cell) {
                (Some(count), _) => {
                    let places = self.x.shape[1];
                    (0..places).map(|place| (place * count / places) as f32).collect()
                }
                (None, Some([height, width])) => {
                    let [rows, columns] = [self.x.shape[2], self.x.shape[3]];
                    let label =
                        |place: usize| place / columns / height * (columns / width) + place % columns / width;
                    (0..rows * columns).map(|place| label(place) as f32).collect()
                }
                (None, None) => panic!("no segments"),
            };
            let shape = vec![labels.len()];
            let given = BTreeMap::from([("segments".to_owned(), HostTensor::new(labels, shape).unwrap())]);
            let mut params = json!({ "hidden": "zero" });
            params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let found = self.explain(method, params, given);
            let agreement = compare(&found.segments.unwrap().values, &self.expected(method));
            assert!(agreement.relative_max < 1e-3, "{} {method}: {agreement:?}", self.name);
        }
    }

    /// The file's own output, whatever is explained of it.
    fn outputs_agree(&self) {
        let outputs = outputs(self.network(), &self.bytes);
        assert_eq!(outputs.len(), 1);
        let what = if self.name == "nudenet" { "output" } else { "probability" };
        for (name, value) in outputs {
            let HostValue::Float { data, .. } = value else { panic!("{name} holds no numbers") };
            let agreement = compare(&data, &self.expected(what));
            assert!(agreement.relative_max < 1e-4, "{}: {agreement:?}", self.name);
        }
    }
}

#[test]
fn silero_vad_in_every_form_is_as_sure_as_onnxruntime_has_it() {
    let Some(folder) = fetched() else { return };
    let index = index();
    let mut forms = 0;
    for case in
        index.cases.iter().filter(|case| case.network.starts_with("silero") && case.what == "probability")
    {
        let network = &index.networks[&case.network];
        let outputs = outputs(network, &fs::read(folder.join(&network.file)).unwrap());
        let HostValue::Float { data, .. } = &outputs["output"] else { panic!("no numbers") };
        let right = npy(&format!("{FOLDER}/{}", case.file)).data[0];
        // One form computes in half precision.
        let off = if network.file.contains("half") { 2e-3 } else { 1e-5 };
        assert!((data[0] - right).abs() < off, "{}: {} in place of {right}", case.network, data[0]);
        forms += 1;
    }
    assert_eq!(forms, 4);
}

macro_rules! networks {
    ($($name:ident: $($check:ident)*;)*) => {
        $(mod $name {
            $(#[test]
            fn $check() {
                let Some(loaded) = super::Loaded::new(stringify!($name)) else { return };
                loaded.$check();
            })*
        })*
    };
}

networks! {
    silero_vad: probabilities_are_told gradients_agree integrated_gradients_agree segments_agree;
    silero_vad_16k_op15: probabilities_are_told gradients_agree integrated_gradients_agree segments_agree;
    magika: outputs_agree probabilities_are_told gradients_agree integrated_gradients_agree segments_agree;
    nudenet: outputs_agree gradients_agree integrated_gradients_agree segments_agree;
}
