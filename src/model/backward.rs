//! A walk back through the graph with rules of one's own at its nodes.
//!
//! The forward pass keeps the values of the nodes on the way from the explained value to the scores. Then something
//! travels back: what reaches a node's outputs is handed to its inputs, and what several readers of a value hand to it adds
//! up. A node whose rule says nothing hands on the plain vector-Jacobian product, so that without rules the walk ends
//! in the gradient.

use std::collections::{HashMap, HashSet};

use burn::tensor::{Float, Tensor};

use super::{
    graph::{self, Graph, Slot, Step},
    node::Node,
    value::{Ranked, Value, map_ranked, with_ranked},
};
use crate::{Error, Result};

/// The operators through which no gradient passes.
const STOPS: [&str; 32] = [
    "ArgMax",
    "ArgMin",
    "NonZero",
    "NonMaxSuppression",
    "Shape",
    "Size",
    "Equal",
    "Greater",
    "GreaterOrEqual",
    "Less",
    "LessOrEqual",
    "And",
    "Or",
    "Xor",
    "Not",
    "IsNaN",
    "IsInf",
    "OneHot",
    "Unique",
    "Sign",
    "Floor",
    "Ceil",
    "Round",
    "Hardmax",
    "EyeLike",
    "Range",
    "ai.onnx.ml::Binarizer",
    "ai.onnx.ml::LabelEncoder",
    "ai.onnx.ml::OneHotEncoder",
    "ai.onnx.ml::TreeEnsemble",
    "ai.onnx.ml::TreeEnsembleClassifier",
    "ai.onnx.ml::TreeEnsembleRegressor",
];

/// A node on the way from the explained value to the scores, as far as it is known without a run.
pub(crate) struct Site {
    /// The node's name.
    pub name: String,
    /// Its operator's ONNX name.
    pub operator: String,
    /// For each input the operator that computes it, empty for the explained value itself; nothing for inputs that do
    /// not follow from the explained value.
    pub computed: Vec<Option<String>>,
    /// Whether the node is a ReLU, with or without an upper bound: `Relu`, or `Clip` from 0 on.
    pub rectifies: bool,
}

impl Site {
    /// The places of the inputs that follow from the explained value.
    pub fn followers(&self) -> Vec<usize> {
        (0..self.computed.len()).filter(|&index| self.computed[index].is_some()).collect()
    }
}

/// The nodes on the way from `source` to `output`, one place for every step.
pub(super) fn way(graph: &Graph, source: Slot, output: Slot) -> Vec<Option<Site>> {
    let mut computed_by = HashMap::from([(source, "")]);
    for step in &graph.steps {
        let follows = step.inputs.iter().flatten().any(|slot| computed_by.contains_key(slot));
        if follows && !STOPS.contains(&step.operator.as_str()) {
            for slot in step.outputs.iter().flatten() {
                computed_by.entry(*slot).or_insert(&step.operator);
            }
        }
    }
    let mut leads = HashSet::from([output]);
    let mut sites: Vec<Option<Site>> = graph
        .steps
        .iter()
        .rev()
        .map(|step| {
            let on_the_way = |slot: &Slot| leads.contains(slot) && computed_by.contains_key(slot);
            let passes = step.outputs.iter().flatten().any(on_the_way);
            let computed: Vec<Option<String>> = step
                .inputs
                .iter()
                .map(|slot| slot.and_then(|slot| computed_by.get(&slot)).map(|&operator| operator.to_owned()))
                .collect();
            if !passes || computed.iter().all(Option::is_none) {
                return None;
            }
            leads.extend(step.inputs.iter().flatten());
            Some(Site {
                name: step.names[0].clone(),
                operator: step.operator.clone(),
                computed,
                rectifies: rectifies(graph, step),
            })
        })
        .collect();
    sites.reverse();
    sites
}

fn rectifies(graph: &Graph, step: &Step) -> bool {
    let node = Node { proto: &step.proto, opset: 0, types: Vec::new() };
    match step.operator.as_str() {
        "Relu" => true,
        "Clip" if node.has("min") => node.float("min", f32::MIN) == Ok(0.0),
        "Clip" => match step.inputs.get(1).copied().flatten().and_then(|slot| graph.constant(slot)) {
            Some(Value::Float(low)) if low.len() == 1 && low.device() == burn::tensor::Device::flex() => {
                low.clone().flat().into_data().iter::<f32>().eq([0.0])
            }
            _ => false,
        },
        _ => false,
    }
}

/// What travels back to each input of a node; nothing for inputs that do not follow from the explained value.
pub(crate) type Flow = Vec<Option<Ranked<Float>>>;

/// What a node hands to its inputs, or `None` for the plain vector-Jacobian product.
pub(crate) type Rule<'r> = dyn Fn(&Visit<'_>) -> Result<Option<Flow>> + 'r;

/// A node's values in a forward pass.
pub(crate) struct Values {
    /// One for each input that the node has.
    pub inputs: Vec<Option<Value>>,
    outputs: Vec<Option<Value>>,
}

impl Values {
    /// Input `index`, which must hold real numbers.
    pub fn input(&self, index: usize) -> Result<Ranked<Float>> {
        real(self.inputs.get(index))
    }

    /// The first output, which must hold real numbers.
    pub fn output(&self) -> Result<Ranked<Float>> {
        real(self.outputs.first())
    }
}

fn real(value: Option<&Option<Value>>) -> Result<Ranked<Float>> {
    match value {
        Some(Some(Value::Float(value))) => Ok(value.clone()),
        _ => Err(Error::Internal("a rule asked for a value that is not there".into())),
    }
}

/// A node during the walk.
pub(crate) struct Visit<'w> {
    graph: &'w Graph,
    step: &'w Step,
    /// The node.
    pub site: &'w Site,
    /// Its values at the explained input.
    pub here: Values,
    there: Option<Values>,
    gradients: Flow,
}

impl Visit<'_> {
    /// Its values at the reference input.
    pub fn there(&self) -> Result<&Values> {
        self.there.as_ref().ok_or_else(|| Error::Internal("the walk has no reference".into()))
    }

    /// What has reached the node's first output.
    pub fn gradient(&self) -> Result<Ranked<Float>> {
        let first = self.gradients.first().cloned().flatten();
        first.ok_or_else(|| Error::Internal(format!("nothing reached node \"{}\"", self.site.name)))
    }

    /// The plain vector-Jacobian product.
    pub fn plain(&self) -> Result<Flow> {
        self.product_of(&self.here.inputs, &self.gradients)
    }

    /// The vector-Jacobian product at other inputs, with `gradient` at the first output.
    pub fn product(&self, inputs: &[Option<Value>], gradient: Ranked<Float>) -> Result<Flow> {
        self.product_of(inputs, &[Some(gradient)])
    }

    /// The node's first output at other inputs.
    pub fn forward(&self, inputs: &[Option<Value>]) -> Result<Ranked<Float>> {
        let outputs: Vec<Option<Value>> =
            self.graph.apply(self.step, inputs)?.into_iter().map(Some).collect();
        real(outputs.first())
    }

    /// A flow to one input.
    pub fn only(&self, index: usize, to: Ranked<Float>) -> Flow {
        let mut flow = vec![None; self.step.inputs.len()];
        flow[index] = Some(to);
        flow
    }

    fn product_of(&self, inputs: &[Option<Value>], gradients: &[Option<Ranked<Float>>]) -> Result<Flow> {
        let mut inputs = inputs.to_vec();
        let mut leaves: Flow = vec![None; inputs.len()];
        for index in self.site.followers() {
            if let Some(Value::Float(value)) = &inputs[index] {
                let leaf = graph::leaf(value.clone());
                inputs[index] = Some(leaf.clone().into());
                leaves[index] = Some(leaf);
            }
        }
        let mut sum: Option<Tensor<1>> = None;
        for (output, gradient) in self.graph.apply(self.step, &inputs)?.into_iter().zip(gradients) {
            let (Value::Float(output), Some(gradient)) = (output, gradient) else { continue };
            if !with_ranked!(&output, output => output.is_tracked()) {
                continue;
            }
            let part = with_ranked!(output * gradient.clone(), product => product.sum());
            sum = Some(match sum {
                Some(sum) => sum + part,
                None => part,
            });
        }
        let Some(sum) = sum else { return Ok(vec![None; leaves.len()]) };
        let mut found = sum.backward();
        let mut gradient = |leaf: Ranked<Float>| {
            Some(map_ranked!(leaf, leaf => match leaf.grad_remove(&mut found) {
                Some(gradient) => gradient,
                None => return None,
            }))
        };
        Ok(leaves.into_iter().map(|leaf| leaf.and_then(&mut gradient)).collect())
    }
}

/// The plain vector-Jacobian product of one node, differentiated by Burn.
pub(super) fn product(
    graph: &Graph,
    step: &Step,
    site: &Site,
    inputs: Vec<Option<Value>>,
    gradients: Flow,
) -> Result<Flow> {
    let here = Values { inputs, outputs: Vec::new() };
    Visit { graph, step, site, here, there: None, gradients }.plain()
}

/// A graph with the way through it.
pub(super) struct Walk<'g> {
    graph: &'g Graph,
    sites: Vec<Option<Site>>,
    source: Slot,
    output: Slot,
}

/// The values of a forward pass, by slot.
pub(super) struct Passed(Vec<Option<Value>>);

impl<'g> Walk<'g> {
    pub fn new(graph: &'g Graph, source: Slot, output: Slot) -> Self {
        Self { sites: way(graph, source, output), graph, source, output }
    }

    /// The values at the nodes on the way, and the output.
    pub fn forward(&self, given: Vec<(Slot, Value)>) -> Result<(Passed, Value)> {
        let on_the_way = self.graph.steps.iter().zip(&self.sites).filter(|(_, site)| site.is_some());
        let kept: HashSet<Slot> = on_the_way
            .flat_map(|(step, _)| step.inputs.iter().chain(&step.outputs).flatten().copied())
            .chain([self.output])
            .collect();
        let mut values = vec![None; self.graph.constants.len()];
        let fixed: HashSet<Slot> = given.iter().map(|(slot, _)| *slot).collect();
        for (slot, value) in given {
            values[slot] = Some(value);
        }
        for step in &self.graph.steps {
            for (slot, value) in step.outputs.iter().zip(self.graph.advance(step, &values)?) {
                if let Some(slot) = slot.filter(|slot| !fixed.contains(slot)) {
                    values[slot] = Some(value);
                }
            }
            for &slot in step.dead_after.iter().filter(|slot| !kept.contains(slot)) {
                values[slot] = None;
            }
        }
        let output = values[self.output].clone();
        Ok((Passed(values), output.ok_or_else(|| Error::invalid_model("no node computes its output"))?))
    }

    /// Walks back from `seed` at the output; what arrives at the explained value.
    pub fn backward(
        &self,
        mut here: Passed,
        mut there: Option<Passed>,
        seed: Ranked<Float>,
        rule: &Rule<'_>,
    ) -> Result<Ranked<Float>> {
        let mut gradients = HashMap::from([(self.output, seed)]);
        for (step, site) in self.graph.steps.iter().zip(&self.sites).rev() {
            let Some(site) = site else { continue };
            let reached: Flow =
                step.outputs.iter().map(|slot| slot.and_then(|slot| gradients.remove(&slot))).collect();
            if reached.iter().any(Option::is_some) {
                let visit = Visit {
                    graph: self.graph,
                    step,
                    site,
                    here: self.values(step, &here),
                    there: there.as_ref().map(|there| self.values(step, there)),
                    gradients: reached,
                };
                let flow = match rule(&visit)? {
                    Some(flow) => flow,
                    None => visit.plain()?,
                };
                for (index, arrived) in flow.into_iter().enumerate() {
                    let (Some(slot), Some(Some(_)), Some(arrived)) =
                        (step.inputs[index], site.computed.get(index), arrived)
                    else {
                        continue;
                    };
                    let sum = match gradients.remove(&slot) {
                        Some(before) => before + arrived,
                        None => arrived,
                    };
                    gradients.insert(slot, sum);
                }
            }
            // Whoever reads these values has been visited.
            for passed in std::iter::once(&mut here).chain(there.as_mut()) {
                for slot in step.outputs.iter().flatten() {
                    passed.0[*slot] = None;
                }
            }
        }
        gradients.remove(&self.source).ok_or_else(|| {
            Error::invalid_model("its logits do not depend on the value that is differentiated")
        })
    }

    fn values(&self, step: &Step, passed: &Passed) -> Values {
        let value = |slot: &Option<Slot>| {
            slot.and_then(|slot| passed.0[slot].as_ref().or_else(|| self.graph.constant(slot)).cloned())
        };
        Values {
            inputs: step.inputs.iter().map(value).collect(),
            outputs: step.outputs.iter().map(value).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use burn::tensor::TensorData;
    use rand::{Rng, RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::{
        Device,
        model::{HostValue, Model, ModelFile, ModelOptions, Score, Seed},
    };

    fn fixture(path: &str) -> Vec<u8> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Weights of the scale that a skeleton's location names.
    fn generated(location: &str, offset: u64, length: Option<u64>) -> Result<Vec<u8>, String> {
        let mut parts = location.strip_prefix("generated:").ok_or("it lies beside the model")?.split(':');
        let mut number = || parts.next().and_then(|part| part.parse::<f32>().ok()).ok_or("no number");
        let (seed, scale, shift) = (number()?, number()?, number()?);
        let mut random = ChaCha8Rng::seed_from_u64(seed.to_bits().into());
        let count = (offset + length.ok_or("no length")?) / 4;
        let bytes = (0..count).flat_map(|_| (random.random_range(-scale..=scale) + shift).to_le_bytes());
        Ok(bytes.skip(offset as usize).collect())
    }

    fn load(path: &str, options: &ModelOptions) -> crate::Result<Model> {
        let bytes = fixture(path);
        let file = ModelFile { bytes: &bytes, external: Some(&generated) };
        Model::load_with(&file, options, &Device::cpu("test"))
    }

    fn read(value: Ranked<Float>) -> Vec<f32> {
        value.flat().into_data().try_into_vec().unwrap()
    }

    /// How far the walk without rules is from the gradient, over the gradient's size.
    fn distance(model: &Model, data: Vec<f32>, shape: &[usize]) -> f64 {
        let input = Ranked::from_data(TensorData::new(data, shape.to_vec()), model.device().burn()).unwrap();
        let targets: Vec<usize> = (0..shape[0]).map(|row| (row + 1) % model.classes()).collect();
        let gradient = model.gradient(input.clone(), &targets, Score::Logit).unwrap();
        let walked = model.walk(input, None, &targets, Seed::One, &|_| Ok(None)).unwrap();
        let logits = (read(walked.logits.into()), read(gradient.logits.into()));
        assert!(apart(&logits.0, &logits.1) < 1e-5, "{logits:?}");
        apart(&read(walked.arrived), &read(gradient.gradient))
    }

    /// The norm of the difference over the norm.
    fn apart(ours: &[f32], expected: &[f32]) -> f64 {
        let square = |x: f32| f64::from(x).powi(2);
        let apart: f64 = ours.iter().zip(expected).map(|(a, b)| square(a - b)).sum();
        let size: f64 = expected.iter().map(|&x| square(x)).sum();
        assert!(size > 0.0);
        (apart / size).sqrt()
    }

    fn noise(random: &mut impl Rng, shape: &[usize]) -> Vec<f32> {
        (0..shape.iter().product()).map(|_| random.random_range(-1.0..1.0)).collect()
    }

    #[test]
    fn without_rules_the_walk_is_the_gradient() {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        for path in [
            "tests/fixtures/tiny.onnx",
            "www/public/models/squeezenet1_1.onnx",
            "www/public/models/efficientnet_lite0.onnx",
            "tests/fixtures/zoo/mobilenet_v3_small.onnx",
            "tests/fixtures/zoo/shufflenet_v2_x1_0_dynamo.onnx",
        ] {
            let model = load(path, &ModelOptions::default()).unwrap();
            let mut shape = model.sample_shape().unwrap();
            shape.insert(0, 2);
            let distance = distance(&model, noise(&mut random, &shape), &shape);
            println!("{path}: {distance:.1e}");
            assert!(distance < 1e-5, "{path}: {distance}");
        }
    }

    /// Words, sounds, recurrent networks, detectors, int8: operators with several inputs and outputs.
    #[test]
    fn without_rules_the_walk_is_the_gradient_in_every_family() {
        let index: serde_json::Value =
            serde_json::from_slice(&fixture("tests/fixtures/families/index.json")).unwrap();
        let mut random = ChaCha8Rng::seed_from_u64(2);
        let (mut checked, mut far) = (0, Vec::new());
        for case in index["cases"].as_array().unwrap() {
            let name = case["name"].as_str().unwrap();
            let options = serde_json::from_value(case["explained"]["options"].clone()).unwrap();
            let path = format!("tests/fixtures/families/{}", case["file"].as_str().unwrap());
            // One lies in two files.
            let Ok(mut model) = load(&path, &options) else { continue };
            let inputs: Vec<(String, HostValue)> = case["inputs"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|input| input["ints"].is_array())
                .map(|input| {
                    let data = serde_json::from_value(input["ints"].clone()).unwrap();
                    let shape = serde_json::from_value(input["shape"].clone()).unwrap();
                    (input["name"].as_str().unwrap().to_owned(), HostValue::Int { data, shape })
                })
                .collect();
            let (data, shape) = if inputs.is_empty() {
                let shape: Vec<usize> = serde_json::from_value(case["inputs"][0]["shape"].clone()).unwrap();
                (noise(&mut random, &shape), shape)
            } else {
                model = model.with_inputs(inputs.into_iter().collect()).unwrap();
                let vectors = pollster::block_on(model.source()).unwrap();
                (vectors.data, vectors.shape)
            };
            let distance = distance(&model, data, &shape);
            println!("{name}: {distance:.1e}");
            if distance > 1e-5 {
                far.push(format!("{name}: {distance:.1e}"));
            }
            checked += 1;
        }
        assert!(far.is_empty(), "{far:?}");
        assert!(checked > 30, "{checked}");
    }
}
