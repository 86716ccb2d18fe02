//! Networks whose right explanation is known: two scores that are weighted sums of an input's values.

use adversight::{Control, ExplainOptions, Explainer, Explanation, HostTensor, Input, model::ModelOptions};
use onnx_ir::NodeProto;
use serde_json::Value;

use super::{
    draws::Given,
    generated,
    operators::{self, FLOAT, declared, initializer, reals},
};

fn node(operator: &str, inputs: &[&str], output: &str) -> NodeProto {
    NodeProto {
        name: format!("{operator}_{output}"),
        op_type: operator.into(),
        input: inputs.iter().map(|&input| input.into()).collect(),
        output: vec![output.into()],
        ..Default::default()
    }
}

fn noise(seed: u64, count: usize) -> Vec<f32> {
    generated::noise(seed, 1.0, 0.0).take(count).collect()
}

/// `scores = x W + bias`; a sound's values pass a convolution that changes nothing.
pub struct Linear {
    pub explainer: Explainer,
    pub input: HostTensor,
    /// A pair for each value of the input.
    pub weights: Vec<f32>,
}

impl Linear {
    /// Of random weights.
    pub fn new(shape: &[usize], convolved: bool) -> Self {
        let features: usize = shape.iter().product();
        Self::of(shape, convolved, noise(7, 2 * features), [0.0; 2])
    }

    pub fn of(shape: &[usize], convolved: bool, weights: Vec<f32>, bias: [f32; 2]) -> Self {
        let features: usize = shape.iter().product();
        let (mut nodes, mut constants) = (Vec::new(), Vec::new());
        if convolved {
            let channels = shape[1];
            let one = |i: usize| f32::from(i / channels == i % channels);
            let kernel = reals((0..channels * channels).map(one).collect(), &[channels, channels, 1]);
            constants.push(initializer("kernel", &kernel));
            nodes.push(node("Conv", &["x", "kernel"], "same"));
        }
        constants.push(initializer("weights", &reals(weights.clone(), &[features, 2])));
        constants.push(initializer("bias", &reals(bias.to_vec(), &[2])));
        nodes.push(node("Flatten", &[if convolved { "same" } else { "x" }], "flat"));
        nodes.push(node("Gemm", &["flat", "weights", "bias"], "scores"));
        let onnx = operators::model(
            13,
            nodes,
            constants,
            vec![declared("x", FLOAT, Some(shape))],
            vec![declared("scores", FLOAT, Some(&[1, 2]))],
        );
        // What a sum of two says is no logit of theirs: scores stay what they are.
        let explainer =
            Explainer::load_with(&onnx.as_slice().into(), &ModelOptions::default(), &super::cpu()).unwrap();
        Self { explainer, input: HostTensor::new(noise(8, features), shape.to_vec()).unwrap(), weights }
    }

    pub fn explain(&self, method: &str, params: Value, given: Given) -> adversight::Result<Explanation> {
        self.explain_at(&self.input, method, params, given)
    }

    /// Explains the score of class 1.
    pub fn explain_at(
        &self,
        input: &HostTensor,
        method: &str,
        params: Value,
        given: Given,
    ) -> adversight::Result<Explanation> {
        let params = params.as_object().unwrap().clone();
        let options = ExplainOptions {
            method: method.into(),
            target: Some(1.into()),
            params,
            given,
            seed: 3,
            stop: None,
        };
        Ok(pollster::block_on(self.explainer.explain(&Input::Tensor(input), &options, &Control::default()))?
            .0)
    }

    /// What each value adds to the score of class 1.
    pub fn parts(&self) -> Vec<f32> {
        self.parts_from(&vec![0.0; self.input.data.len()])
    }

    /// The same with a baseline that adds nothing.
    pub fn parts_from(&self, baseline: &[f32]) -> Vec<f32> {
        let differences = self.input.data.iter().zip(baseline).map(|(x, b)| x - b);
        differences.zip(self.weights.chunks(2)).map(|(difference, w)| difference * w[1]).collect()
    }
}
