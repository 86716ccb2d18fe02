//! Convolutions in which every channel has a filter of its own.

use crate::{across::Across, grid::Shape, sweep::Sweep, tile::LANES, windows::slide};

/// The weights of a convolution of each channel by itself.
pub struct Depthwise {
    taps: usize,
    /// Those of some planes side by side, tap by tap; then of the next ones, until they begin with the first channel again.
    weights: Vec<Across>,
    bias: Vec<Across>,
}

impl Depthwise {
    /// A convolution with the weights `[channels, taps]`.
    pub fn new(weights: &[f32], taps: usize, bias: Option<&[f32]>) -> Self {
        let channels = weights.len() / taps;
        let rounds = (1..LANES).find(|rounds| (rounds * channels).is_multiple_of(LANES)).unwrap_or(LANES);
        let across = |group: usize, of: &dyn Fn(usize) -> f32| {
            std::array::from_fn(|lane| of((group * LANES + lane) % channels))
        };
        let groups = || 0..rounds * channels / LANES;
        let tap = |(group, tap)| across(group, &|channel| weights[channel * taps + tap]);
        let start = |group| across(group, &|channel| bias.map_or(0.0, |bias| bias[channel]));
        Self {
            taps,
            weights: groups().flat_map(|group| (0..taps).map(move |tap| (group, tap))).map(tap).collect(),
            bias: groups().map(start).collect(),
        }
    }

    /// The same weights everywhere, for an average of any number of channels.
    pub fn uniform(taps: usize, weight: f32) -> Self {
        Self { taps, weights: vec![[weight; LANES]; taps], bias: vec![[0.0; LANES]] }
    }

    /// The convolution of planes, kept between two bounds where there are any.
    pub fn forward(&self, shape: &Shape, x: &[f32], bounds: Option<(f32, f32)>, out: &mut [f32]) {
        let sweep = Sweep::forward(shape);
        let lay = |group: usize, weights: &mut [Across]| {
            self.lay(group, &sweep, weights);
            self.bias[group % self.bias.len()]
        };
        slide::<false>(&sweep, x, bounds, &lay, out);
    }

    /// The gradient of planes from that of their convolution.
    pub fn backward(&self, shape: &Shape, gradient: &[f32], out: &mut [f32]) {
        let sweep = Sweep::backward(shape);
        let lay = |group: usize, weights: &mut [Across]| {
            self.lay(group, &sweep, weights);
            [0.0; LANES]
        };
        slide::<false>(&sweep, gradient, None, &lay, out);
    }

    /// Lays out the weights of some planes in the order in which they are needed.
    fn lay(&self, group: usize, sweep: &Sweep, weights: &mut [Across]) {
        let known = &self.weights[group % self.bias.len() * self.taps..][..self.taps];
        for (weight, &tap) in weights.iter_mut().zip(&sweep.order) {
            *weight = known[tap];
        }
    }
}
