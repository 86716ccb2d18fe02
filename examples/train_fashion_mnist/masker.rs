//! RT-Sal's masking network (Dabkowski and Gal 2017): a U-Net on the classifier's own features that gives, in one pass,
//! the mask of what decides for a class.
//!
//! Architecture and loss are those of the authors' program (saliency_model.py, mask.py): first the class embeddings
//! learn to tell whether a class is in the picture, then the decoder learns masks. A class that is not in the picture
//! shall get an empty mask. docs/models.md says which constants differ, and why.

use std::path::Path;

use adversight::Device;
use burn::tensor::{Tensor, TensorData, activation, module::conv2d, ops::ConvOptions};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal, StandardUniform};
use serde_json::{Value, json};

use super::{
    adam::Adam,
    classifier::{classifier, encoder, predicted},
    data::{CLASSES, PIXELS, Pictures, SIDE, below, one_hot},
    network::{Network, Operator, pictures},
    onnx,
};

/// The loss `D + preserver·P + area·mean((m + 0.0005)^area_power) + smoothness·TV(m)` of a mask `m`, of what it does to
/// what it hides (D) and to what it keeps (P), and the rest of the training's constants.
#[derive(Debug, Clone, Copy, serde::Serialize)]
struct Loss {
    area: f32,
    area_power: f32,
    smoothness: f32,
    /// What a mask at the picture's border costs, in parts of the roughness.
    border: f32,
    preserver: f32,
    /// By how much the class shall lead where the mask keeps it.
    preserver_lead: f32,
    /// By how much another class shall lead where the mask takes it away.
    destroyer_lead: f32,
    /// The part of pictures that are asked for a class which they do not show, while the classes are learned.
    absent_first: f64,
    /// The same while masks are learned.
    absent: f64,
    learning_rate: f32,
    batch: usize,
    /// How often the classes see each picture before masks are learned, and at which step size.
    class_epochs: usize,
    class_learning_rate: f32,
    /// Deviation of the noise over what stands in for hidden pixels, and over the picture.
    noise: [f32; 2],
    /// Deviation of the blur that stands in for hidden pixels in one half of the pictures; in the other half it is
    /// one grey from 0 to `grey`.
    blur: f32,
    grey: f32,
}

impl Default for Loss {
    fn default() -> Self {
        Self {
            area: 3.0,
            area_power: 0.3,
            smoothness: 0.005,
            border: 0.3,
            preserver: 1.0,
            preserver_lead: 1.0,
            destroyer_lead: 5.0,
            absent_first: 0.5,
            absent: 0.3,
            learning_rate: 3e-3,
            batch: 50,
            class_epochs: 4,
            class_learning_rate: 3e-3,
            noise: [0.05, 0.015],
            blur: 3.0,
            grey: 0.1,
        }
    }
}

/// A masker with its values on the way.
struct Masker {
    network: Network,
    /// How well each place fits the class.
    fit: usize,
}

/// The classifier's convolutions, which stay as they are, one more that learns to know the classes, the choice of a class,
/// and a decoder that takes up each scale.
fn masker(classifier: &Path, random: &mut ChaCha8Rng) -> Result<Masker, String> {
    let device = Device::cpu("training");
    let inputs = [("image", [1, SIDE, SIDE]), ("class", [CLASSES, 1, 1])];
    let mut network = Network::new(&inputs, "mask", device.burn());
    // As `encoder` and `conv` count them, the picture is value 0 and the class value 1.
    let [fine, coarse, deep] = encoder(&mut network, random);
    onnx::read_weights(&mut network, classifier)?;
    for weight in &mut network.weights {
        weight.learns = false;
    }
    let deep = network.conv("conv3", [32, 64, 3], deep, random);
    let deep = network.add(Operator::Relu, &[deep]);
    let embedding = network.weight("class.embedding", &[CLASSES, 64], (1.0f32 / 64.0).sqrt(), random);
    let fit = network.add(Operator::Match { embedding }, &[deep, 1]);
    let chosen = network.add(Operator::Gate, &[deep, fit]);
    let up = network.add(Operator::Upsample, &[chosen]);
    let joined = network.add(Operator::Concat, &[up, coarse]);
    let middle = network.conv("decoder1", [96, 16, 3], joined, random);
    let middle = network.add(Operator::Relu, &[middle]);
    let up = network.add(Operator::Upsample, &[middle]);
    let joined = network.add(Operator::Concat, &[up, fine]);
    let last = network.conv("decoder2", [32, 8, 3], joined, random);
    let last = network.add(Operator::Relu, &[last]);
    let score = network.conv("mask", [8, 1, 1], last, random);
    network.add(Operator::Sigmoid, &[score]);
    Ok(Masker { network, fit })
}

/// Trains a masker for `natural.onnx` of `folder`; also returns its entry in the report.
pub fn trained(
    folder: &Path,
    train: &Pictures,
    test: &Pictures,
    epochs: usize,
    seed: u64,
) -> Result<(Network, Value), String> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let path = folder.join("natural.onnx");
    let mut judge = classifier(Device::cpu("training").burn(), &mut random);
    onnx::read_weights(&mut judge, &path)?;
    let mut masker = masker(&path, &mut random)?;
    let loss = Loss::default();
    let told_apart = learn_classes(&mut masker, train, &loss, &mut random);
    learn_masks(&mut masker, &judge, train, epochs, &loss, &mut random);
    let mut entry = measure(&masker.network, &judge, test);
    entry["loss"] = serde_json::to_value(loss).map_err(|error| error.to_string())?;
    entry["epochs"] = epochs.into();
    entry["present_told_from_absent"] = told_apart.into();
    Ok((masker.network, entry))
}

/// The classes to ask a masker for, 1 where the picture shows them and -1 elsewhere.
fn ask(labels: &[usize], absent: f64, random: &mut ChaCha8Rng) -> (Vec<usize>, Vec<f32>) {
    let mut draw = |label: usize| {
        let part: f64 = StandardUniform.sample(random);
        if part < absent { ((label + 1 + below(CLASSES - 1, random)) % CLASSES, -1.0) } else { (label, 1.0) }
    };
    labels.iter().map(|&label| draw(label)).unzip()
}

fn row(values: Vec<f32>, network: &Network) -> Tensor<2> {
    let count = values.len();
    Tensor::from_data(TensorData::new(values, [count, 1]), &network.device)
}

fn asked(classes: &[usize], network: &Network) -> Tensor<4> {
    one_hot(classes, &network.device).reshape([classes.len(), CLASSES, 1, 1])
}

/// Learns the class embeddings: the mean fit over all places is the logit of "the picture shows the class". Returns how
/// often that came out right in the last epoch.
fn learn_classes(masker: &mut Masker, train: &Pictures, loss: &Loss, random: &mut ChaCha8Rng) -> f64 {
    let network = &mut masker.network;
    let (mut adam, mut right) = (Adam::new(network), 0.0);
    let order: Vec<usize> = (0..loss.class_epochs).flat_map(|_| train.shuffled(random)).collect();
    let batches = order.chunks(loss.batch);
    let last_epoch = batches.len() - batches.len() / loss.class_epochs;
    for (number, chosen) in batches.enumerate() {
        let (x, labels) = train.batch(chosen, &network.device);
        let (classes, present) = ask(&labels, loss.absent_first, random);
        let weights = network.watched();
        let fits = network.value(masker.fit, &weights, vec![pictures(x), asked(&classes, network)]);
        let [count, _, height, width] = fits.dims();
        let logits = fits.reshape([count, height * width]).mean_dim(1);
        let signed = logits * row(present, network);
        if number >= last_epoch {
            right += f64::from(signed.clone().inner().greater_elem(0.0).float().mean().into_scalar::<f32>());
        }
        let gradients = (activation::log_sigmoid(signed).mean() * -1.0).backward();
        adam.step(network, &weights, &gradients, loss.class_learning_rate);
    }
    right / (order.len().div_ceil(loss.batch) - last_epoch) as f64
}

fn learn_masks(
    masker: &mut Masker,
    judge: &Network,
    train: &Pictures,
    epochs: usize,
    loss: &Loss,
    random: &mut ChaCha8Rng,
) {
    let network = &mut masker.network;
    let (mut adam, blur) = (Adam::new(network), Blur::new(loss.blur, network));
    for epoch in 0..epochs {
        let (order, mut sum) = (train.shuffled(random), 0.0);
        let batches = order.chunks(loss.batch).len();
        for (batch, chosen) in order.chunks(loss.batch).enumerate() {
            let (x, labels) = train.batch(chosen, &network.device);
            let (classes, present) = ask(&labels, loss.absent, random);
            let weights = network.watched();
            let mask = network.output(&weights, vec![pictures(x.clone()), asked(&classes, network)]);
            let value = loss.of(&mask, x, &labels, present, judge, &blur, random);
            let done = (epoch * batches + batch) as f32 / (epochs * batches) as f32;
            adam.step(network, &weights, &value.backward(), loss.learning_rate * (1.0 - 0.9 * done));
            sum += value.into_scalar::<f32>();
        }
        eprintln!("epoch {}: loss {:.4}", epoch + 1, sum / batches as f32);
    }
}

impl Loss {
    /// The loss of the masks `[N, 784]` of the pictures `x`. Where the class is not in the picture (`present` is -1),
    /// preserver and destroyer change sides: nothing shall be kept, and all shall be left.
    #[expect(clippy::too_many_arguments, reason = "the quantities of the formula")]
    fn of(
        &self,
        mask: &Tensor<2>,
        x: Tensor<2>,
        labels: &[usize],
        present: Vec<f32>,
        judge: &Network,
        blur: &Blur,
        random: &mut ChaCha8Rng,
    ) -> Tensor<1> {
        let kept = self.hide(x.clone(), mask.clone(), blur, random);
        let destroyed = self.hide(x, mask.clone() * -1.0 + 1.0, blur, random);
        let lead = |x: Tensor<2>| {
            let logits = judge.output(&judge.fixed(), vec![pictures(x)]);
            let label = one_hot(labels, &judge.device);
            let other = (logits.clone() - label.clone() * 1e4).max_dim(1);
            (logits * label).sum_dim(1) - other
        };
        let shows = row(present.iter().map(|&sign| if sign > 0.0 { 1.0 } else { 0.0 }).collect(), judge);
        let not = shows.clone() * -1.0 + 1.0;
        let (kept, destroyed) = (lead(kept), lead(destroyed));
        let at_least = |lead: &Tensor<2>, by: f32| activation::relu(lead.clone() * -1.0 + by);
        let at_most = |lead: &Tensor<2>, by: f32| activation::relu(lead.clone() + by);
        let preserver =
            at_least(&kept, self.preserver_lead) * shows.clone() + at_most(&kept, 1.0) * not.clone();
        let destroyer = at_most(&destroyed, self.destroyer_lead) * shows + at_least(&destroyed, 1.0) * not;
        let area = (mask.clone() + 0.0005).powf_scalar(self.area_power).mean();
        preserver.mean() * self.preserver
            + destroyer.mean()
            + area * self.area
            + self.roughness(mask) * self.smoothness
    }

    /// Half the sum of the squared differences of neighbours, and of what stands at the border, a sample.
    fn roughness(&self, mask: &Tensor<2>) -> Tensor<1> {
        let samples = mask.dims()[0];
        let m = mask.clone().reshape([samples, SIDE, SIDE]);
        let part = |rows: std::ops::Range<usize>, columns: std::ops::Range<usize>| {
            m.clone().slice([0..samples, rows, columns])
        };
        let square = |x: Tensor<3>| (x.clone() * x).sum();
        let (all, end) = (0..SIDE, SIDE - 1);
        let down = square(part(1..SIDE, all.clone()) - part(0..end, all.clone()));
        let right = square(part(all.clone(), 1..SIDE) - part(all.clone(), 0..end));
        let border = square(part(0..1, all.clone()))
            + square(part(end..SIDE, all.clone()))
            + square(part(all.clone(), 0..1))
            + square(part(all, end..SIDE));
        (down + right + border * self.border) / (2.0 * samples as f32)
    }

    /// `x·mask + other·(1 - mask)`, where `other` is a blur of the picture or one noisy grey.
    fn hide(&self, x: Tensor<2>, mask: Tensor<2>, blur: &Blur, random: &mut ChaCha8Rng) -> Tensor<2> {
        let [rows, pixels] = x.dims();
        let device = x.device();
        let [over_grey, over_picture] = self.noise;
        let mut noise = |deviation: f32| {
            let drawn = StandardNormal.sample_iter(&mut *random).take(rows * pixels);
            let values: Vec<f32> = drawn.map(|z: f32| z * deviation).collect();
            Tensor::<2>::from_data(TensorData::new(values, [rows, pixels]), &device)
        };
        let (on_grey, on_picture) = (noise(over_grey), noise(over_picture));
        let mut uniform = || -> Vec<f32> { StandardUniform.sample_iter(&mut *random).take(rows).collect() };
        let column = |values: Vec<f32>| Tensor::<2>::from_data(TensorData::new(values, [rows, 1]), &device);
        let grey = column(uniform().into_iter().map(|part| part * self.grey).collect());
        let blurs = column(uniform().into_iter().map(|part| if part < 0.5 { 1.0 } else { 0.0 }).collect());
        let x = x + on_picture;
        let grey = on_grey + grey;
        let other = grey.clone() + (blur.of(x.clone()) - grey) * blurs;
        other.clone() + (x - other) * mask
    }
}

/// A Gaussian blur of rows of pixels.
struct Blur {
    kernel: Tensor<4>,
    radius: usize,
}

impl Blur {
    fn new(deviation: f32, network: &Network) -> Self {
        let radius = (2.0 * deviation).ceil() as usize;
        let side = 2 * radius + 1;
        let one = |i: usize| (-(i as f32 - radius as f32).powi(2) / (2.0 * deviation * deviation)).exp();
        let mut values: Vec<f32> = (0..side * side).map(|i| one(i / side) * one(i % side)).collect();
        let sum: f32 = values.iter().sum();
        values.iter_mut().for_each(|value| *value /= sum);
        let kernel = Tensor::from_data(TensorData::new(values, [1, 1, side, side]), &network.device);
        Self { kernel, radius }
    }

    fn of(&self, x: Tensor<2>) -> Tensor<2> {
        let rows = x.dims()[0];
        let options = ConvOptions::new([1, 1], [self.radius; 2], [1, 1], 1);
        conv2d(pictures(x), self.kernel.clone(), None, options).reshape([rows, PIXELS])
    }
}

/// What the masks of the classes that the judge predicts do to the first 1,000 test pictures, hidden pixels black.
fn measure(network: &Network, judge: &Network, test: &Pictures) -> Value {
    let (mut kept, mut lost, mut area, mut absent_area, mut count) = (0, 0, 0.0, 0.0, 0);
    let all: Vec<usize> = (0..test.len().min(1000)).collect();
    for chosen in all.chunks(250) {
        let (x, _) = test.batch(chosen, &network.device);
        let classes = predicted(judge, x.clone());
        let mask_of = |classes: &[usize]| {
            network.output(&network.fixed(), vec![pictures(x.clone()), asked(classes, network)])
        };
        let mask = mask_of(&classes);
        let others: Vec<usize> = classes.iter().map(|class| (class + 5) % CLASSES).collect();
        let sum =
            |mask: &Tensor<2>| f64::from(mask.clone().mean().into_scalar::<f32>()) * chosen.len() as f64;
        area += sum(&mask);
        absent_area += sum(&mask_of(&others));
        let same = |x: Tensor<2>| predicted(judge, x).iter().zip(&classes).filter(|(a, b)| a == b).count();
        kept += same(x.clone() * mask.clone());
        lost += chosen.len() - same(x.clone() * (mask * -1.0 + 1.0));
        count += chosen.len();
    }
    let part = |of: f64| of / count as f64;
    json!({
        "class_kept_by_mask": part(kept as f64),
        "class_lost_without_mask": part(lost as f64),
        "mean_mask": part(area),
        "mean_mask_of_an_absent_class": part(absent_area),
    })
}
