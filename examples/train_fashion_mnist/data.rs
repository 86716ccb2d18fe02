//! Fashion-MNIST (Xiao, Rasul, Vollgraf 2017): 28 x 28 grey pictures of ten kinds of clothes.

use std::{fs, path::Path};

use burn::tensor::{Device, Tensor, TensorData};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardUniform};

pub const SIDE: usize = 28;
pub const PIXELS: usize = SIDE * SIDE;
pub const CLASSES: usize = 10;
pub const NAMES: [&str; CLASSES] = [
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
];

/// Pictures with their classes.
pub struct Pictures {
    /// One byte a pixel, picture after picture.
    pub pixels: Vec<u8>,
    pub labels: Vec<usize>,
}

impl Pictures {
    /// Reads `{part}-images-idx3-ubyte` and `{part}-labels-idx1-ubyte` of a folder.
    pub fn read(folder: &Path, part: &str) -> Result<Self, String> {
        let images = body(&folder.join(format!("{part}-images-idx3-ubyte")), 0x0803, 16)?;
        let labels = body(&folder.join(format!("{part}-labels-idx1-ubyte")), 0x0801, 8)?;
        let labels: Vec<usize> = labels.into_iter().map(usize::from).collect();
        if images.len() != labels.len() * PIXELS || labels.iter().any(|&label| label >= CLASSES) {
            return Err(format!("{}: pictures and labels do not belong together.", folder.display()));
        }
        Ok(Self { pixels: images, labels })
    }

    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// The first `count` pictures.
    pub fn first(mut self, count: usize) -> Self {
        self.labels.truncate(count);
        self.pixels.truncate(count * PIXELS);
        self
    }

    /// The same pictures with labels drawn evenly from all classes (Adebayo et al. 2018).
    pub fn with_random_labels(mut self, random: &mut ChaCha8Rng) -> Self {
        for label in &mut self.labels {
            *label = below(CLASSES, random);
        }
        self
    }

    /// Pictures as rows of pixels from 0 to 1, `[N, 784]`, and their labels.
    pub fn batch(&self, chosen: &[usize], device: &Device) -> (Tensor<2>, Vec<usize>) {
        let pixels = chosen.iter().flat_map(|&i| &self.pixels[i * PIXELS..(i + 1) * PIXELS]);
        let values: Vec<f32> = pixels.map(|&pixel| f32::from(pixel) / 255.0).collect();
        let rows = Tensor::from_data(TensorData::new(values, [chosen.len(), PIXELS]), device);
        (rows, chosen.iter().map(|&i| self.labels[i]).collect())
    }

    /// The numbers of all pictures in a drawn order.
    pub fn shuffled(&self, random: &mut ChaCha8Rng) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.len()).collect();
        for last in (1..order.len()).rev() {
            order.swap(last, below(last + 1, random));
        }
        order
    }
}

/// A whole number from 0 to `count - 1`.
pub fn below(count: usize, random: &mut ChaCha8Rng) -> usize {
    let part: f64 = StandardUniform.sample(random);
    (part * count as f64) as usize
}

/// 1 at each row's class, `[N, 10]`.
pub fn one_hot(classes: &[usize], device: &Device) -> Tensor<2> {
    let mut values = vec![0.0f32; classes.len() * CLASSES];
    for (row, &class) in classes.iter().enumerate() {
        values[row * CLASSES + class] = 1.0;
    }
    Tensor::from_data(TensorData::new(values, [classes.len(), CLASSES]), device)
}

/// What follows the header of an idx file.
fn body(path: &Path, magic: u32, header: usize) -> Result<Vec<u8>, String> {
    let mut bytes = fs::read(path)
        .map_err(|error| format!("{} cannot be read ({error}); unpack it with gunzip.", path.display()))?;
    if bytes.get(..4) != Some(&magic.to_be_bytes()) || bytes.len() < header {
        return Err(format!("{} is no idx file of the expected kind.", path.display()));
    }
    Ok(bytes.split_off(header))
}
