//! The way back from the scores to the explained value, and rules of one's own at its nodes.
//!
//! On the walk back ([`super::exec`]) a rule sees a node with the values that it had in the forward pass. A node whose rule
//! says nothing hands on the plain vector-Jacobian product, so that without rules the walk ends in the gradient.

use std::collections::{HashMap, HashSet};

use burn::tensor::{Float, Tensor};

use super::{
    graph::{self, Graph, Slot, Step},
    operators::Properties,
    value::{Ranked, Value, map_ranked, with_ranked},
};
use crate::{Error, Result};

/// A node on the way from the explained value to the scores, as far as it is known without a run.
pub(crate) struct Site {
    /// The node's name.
    pub name: String,
    /// Its operator's ONNX name, for people.
    pub op_type: String,
    /// What holds of its operator.
    pub properties: Properties,
    /// For each input whether a gate computes it, and nothing for inputs that do not follow from the explained value.
    pub computed: Vec<Option<Computed>>,
}

/// An input that follows from the explained value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Computed {
    /// Whether it lies between 0 and 1, to gate what it is multiplied with.
    pub gates: bool,
}

impl Site {
    /// The places of the inputs that follow from the explained value.
    pub fn followers(&self) -> Vec<usize> {
        (0..self.computed.len()).filter(|&index| self.computed[index].is_some()).collect()
    }
}

/// The nodes on the way from `source` to `output`, one place for every step.
pub(super) fn way(graph: &Graph, source: Slot, output: Slot) -> Vec<Option<Site>> {
    let mut computed_by = HashMap::from([(source, Computed { gates: false })]);
    for step in &graph.steps {
        let follows = step.inputs.iter().flatten().any(|slot| computed_by.contains_key(slot));
        let properties = &step.operator.properties;
        if follows && properties.is_differentiable() {
            for slot in step.outputs.iter().flatten() {
                computed_by.entry(*slot).or_insert(Computed { gates: properties.gates });
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
            let computed: Vec<Option<Computed>> =
                step.inputs.iter().map(|slot| computed_by.get(&(*slot)?).copied()).collect();
            if !passes || computed.iter().all(Option::is_none) {
                return None;
            }
            leads.extend(step.inputs.iter().flatten());
            Some(Site {
                name: step.names[0].clone(),
                op_type: step.op_type.clone(),
                properties: step.operator.properties.clone(),
                computed,
            })
        })
        .collect();
    sites.reverse();
    sites
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
    /// Those of a step among the values of a pass, or of the file.
    pub(super) fn of(graph: &Graph, step: &Step, values: &[Option<Value>]) -> Self {
        let value = |slot: &Option<Slot>| {
            slot.and_then(|slot| values[slot].as_ref().or_else(|| graph.constant(slot)).cloned())
        };
        Self {
            inputs: step.inputs.iter().map(value).collect(),
            outputs: step.outputs.iter().map(value).collect(),
        }
    }

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

impl<'w> Visit<'w> {
    pub(super) fn new(
        graph: &'w Graph,
        step: &'w Step,
        site: &'w Site,
        here: Values,
        there: Option<Values>,
        gradients: Flow,
    ) -> Self {
        Self { graph, step, site, here, there, gradients }
    }

    /// Its values at the reference input.
    pub fn there(&self) -> Result<&Values> {
        self.there.as_ref().ok_or_else(|| Error::Internal("the walk has no reference".into()))
    }

    /// Whether its first output is the value at `slot`.
    pub(super) fn makes(&self, slot: Slot) -> bool {
        self.output_slot() == Some(slot)
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

    /// The vector-Jacobian product with what normalises held: a deviation counts as a number.
    pub fn held(&self) -> Result<Flow> {
        self.product_by(&self.here.inputs, &self.gradients, Graph::apply_held)
    }

    /// The slot of the first output.
    pub fn output_slot(&self) -> Option<usize> {
        self.step.outputs.first().copied().flatten()
    }

    /// A flow to one input.
    pub fn only(&self, index: usize, to: Ranked<Float>) -> Flow {
        let mut flow = vec![None; self.step.inputs.len()];
        flow[index] = Some(to);
        flow
    }

    fn product_of(&self, inputs: &[Option<Value>], gradients: &[Option<Ranked<Float>>]) -> Result<Flow> {
        self.product_by(inputs, gradients, Graph::apply)
    }

    fn product_by(
        &self,
        inputs: &[Option<Value>],
        gradients: &[Option<Ranked<Float>>],
        apply: impl Fn(&Graph, &Step, &[Option<Value>]) -> Result<Vec<Value>>,
    ) -> Result<Flow> {
        let mut inputs = inputs.to_vec();
        let mut leaves: Flow = vec![None; inputs.len()];
        for index in self.site.followers() {
            if let Some(Value::Float(value)) = &inputs[index] {
                let leaf = graph::leaf(value.clone());
                inputs[index] = Some(leaf.clone().into());
                leaves[index] = Some(leaf);
            }
        }
        let outputs = apply(self.graph, self.step, &inputs)?.into_iter().zip(gradients.iter().cloned());
        let real = outputs.filter_map(|(output, gradient)| match output {
            Value::Float(output) => Some((output, gradient)),
            _ => None,
        });
        Ok(pulled_back(real, leaves))
    }
}

/// What leaves of Burn's graph get of the gradients at some of its values. The graph is used up.
pub(super) fn pulled_back(
    gradients: impl Iterator<Item = (Ranked<Float>, Option<Ranked<Float>>)>,
    leaves: Flow,
) -> Flow {
    let mut sum: Option<Tensor<1>> = None;
    for (value, gradient) in gradients {
        let Some(gradient) = gradient.filter(|_| with_ranked!(&value, value => value.is_tracked())) else {
            continue;
        };
        let part = with_ranked!(value * gradient, product => product.sum());
        sum = Some(match sum {
            Some(sum) => sum + part,
            None => part,
        });
    }
    let Some(sum) = sum else { return vec![None; leaves.len()] };
    let mut found = sum.backward();
    let mut gradient = |leaf: Ranked<Float>| {
        Some(map_ranked!(leaf, leaf => match leaf.grad_remove(&mut found) {
            Some(gradient) => gradient,
            None => return None,
        }))
    };
    leaves.into_iter().map(|leaf| leaf.and_then(&mut gradient)).collect()
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
