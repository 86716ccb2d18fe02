//! The classifier and its training, with or without an adversary.

use adversight::{
    Result, Score,
    attack::{Attack, Gradients, Network as Attackable, Norm, Within},
};
use burn::tensor::{Device, Tensor, TensorData, activation};
use rand_chacha::ChaCha8Rng;

use super::{
    adam::Adam,
    data::{CLASSES, PIXELS, Pictures, one_hot},
    network::{Network, Operator, pictures},
};

/// Two convolutions, each with ReLU and pooling, and a dense layer.
pub fn classifier(device: &Device, random: &mut ChaCha8Rng) -> Network {
    let mut network = Network::new(&[("image", [1, 28, 28])], "logits", device);
    let features = encoder(&mut network, random)[2];
    network.dense("dense", [32 * 7 * 7, CLASSES], features, random);
    network
}

/// The convolutions: their outputs at 28 x 28 and at 14 x 14 pixels, and what is pooled of them at 7 x 7.
pub fn encoder(network: &mut Network, random: &mut ChaCha8Rng) -> [usize; 3] {
    let fine = network.conv("conv1", [1, 16, 3], 0, random);
    let fine = network.add(Operator::Relu, &[fine]);
    let pooled = network.add(Operator::MaxPool, &[fine]);
    let coarse = network.conv("conv2", [16, 32, 3], pooled, random);
    let coarse = network.add(Operator::Relu, &[coarse]);
    [fine, coarse, network.add(Operator::MaxPool, &[coarse])]
}

/// How a classifier is trained.
#[derive(Debug, Clone, Copy, serde::Serialize)]
pub struct Training {
    pub epochs: usize,
    pub batch: usize,
    /// Adam's step size; it falls to zero along half a cosine.
    pub learning_rate: f32,
    /// The largest change of a pixel by the adversary (Madry et al. 2017); 0 for natural training.
    pub epsilon: f32,
    pub attack_step: f32,
    pub attack_steps: usize,
}

/// Trains on `data`; after each epoch `report` hears its number and its mean loss.
pub fn train(
    network: &mut Network,
    data: &Pictures,
    training: &Training,
    random: &mut ChaCha8Rng,
    mut report: impl FnMut(usize, f32),
) -> Result<()> {
    let mut adam = Adam::new(network);
    let batches = data.len().div_ceil(training.batch);
    let adversary = Attack::pgd(Norm::Linf, training.attack_step, training.epsilon, training.attack_steps);
    for epoch in 0..training.epochs {
        let (order, mut sum) = (data.shuffled(random), 0.0);
        for (batch, chosen) in order.chunks(training.batch).enumerate() {
            let (mut x, labels) = data.batch(chosen, &network.device);
            if training.epsilon > 0.0 {
                x = attacked(network, x, &labels, &adversary, random)?;
            }
            let weights = network.watched();
            let logits = network.output(&weights, vec![pictures(x)]);
            let chosen = activation::log_softmax(logits, 1) * one_hot(&labels, &network.device);
            let loss = chosen.sum() / -(labels.len() as f32);
            let done = (epoch * batches + batch) as f32 / (training.epochs * batches) as f32;
            let rate = training.learning_rate * 0.5 * (1.0 + (std::f32::consts::PI * done).cos());
            adam.step(network, &weights, &loss.backward(), rate);
            sum += loss.into_scalar::<f32>();
        }
        report(epoch, sum / batches as f32);
    }
    Ok(())
}

/// The rows `x` after an attack from a random start, still from 0 to 1.
pub fn attacked(
    network: &Network,
    x: Tensor<2>,
    labels: &[usize],
    attack: &Attack,
    random: &mut ChaCha8Rng,
) -> Result<Tensor<2>> {
    let rows = x.dims()[0];
    let start = TensorData::new(attack.random_start(rows, PIXELS, random), [rows, PIXELS]);
    let pixel = |value: f32| Tensor::<2>::full([1, PIXELS], value, &network.device);
    let within = Within {
        range: Some((pixel(0.0), pixel(1.0))),
        start: Some(Tensor::from_data(start, &network.device)),
        ..Default::default()
    };
    let delta = pollster::block_on(attack.run(network, x.clone(), labels, &within))?;
    Ok(x + delta)
}

impl Attackable for Network {
    fn gradients(&self, points: Tensor<2>, targets: &[usize], _: Score) -> Result<Gradients> {
        let x = points.autodiff().require_grad();
        let logits = self.output(&self.fixed(), vec![pictures(x.clone())]);
        let chosen = activation::log_softmax(logits.clone(), 1) * one_hot(targets, &self.device);
        let gradient = x
            .grad(&chosen.sum().backward())
            .ok_or_else(|| adversight::Error::Internal("the backward pass left no gradient".into()))?;
        Ok(Gradients { gradient, logits: logits.inner() })
    }

    async fn checkpoint(&self, _: usize, _: usize, _: &str) -> Result<()> {
        Ok(())
    }
}

/// The class of each row.
pub fn predicted(network: &Network, x: Tensor<2>) -> Vec<usize> {
    let logits = network.output(&network.fixed(), vec![pictures(x)]).into_data();
    let logits = logits.try_into_vec::<f32>().expect("logits are 32-bit floats");
    let best = |row: &[f32]| (0..CLASSES).rev().max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap_or(0);
    logits.chunks_exact(CLASSES).map(best).collect()
}

/// The part of `data` that is classified as labelled, after `attack` where there is one.
pub fn accuracy(
    network: &Network,
    data: &Pictures,
    attack: Option<&Attack>,
    random: &mut ChaCha8Rng,
) -> Result<f64> {
    let all: Vec<usize> = (0..data.len()).collect();
    let mut right = 0;
    for chosen in all.chunks(250) {
        let (mut x, labels) = data.batch(chosen, &network.device);
        if let Some(attack) = attack {
            x = attacked(network, x, &labels, attack, random)?;
        }
        right += predicted(network, x).iter().zip(&labels).filter(|(a, b)| a == b).count();
    }
    Ok(right as f64 / data.len() as f64)
}
