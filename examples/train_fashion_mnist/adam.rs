//! Adam (Kingma and Ba 2014) with its published constants.

use burn::tensor::{Gradients, Tensor};

use super::network::Network;

pub struct Adam {
    means: Vec<Tensor<1>>,
    squares: Vec<Tensor<1>>,
    steps: i32,
}

impl Adam {
    pub fn new(network: &Network) -> Self {
        let zeros = || network.weights.iter().map(|weight| weight.values.zeros_like()).collect();
        Self { means: zeros(), squares: zeros(), steps: 0 }
    }

    /// Moves the weights against the gradients of `watched`, which [`Network::watched`] made of them.
    pub fn step(&mut self, network: &mut Network, watched: &[Tensor<1>], gradients: &Gradients, rate: f32) {
        const KEEP_MEAN: f64 = 0.9;
        const KEEP_SQUARE: f64 = 0.999;
        const GUARD: f64 = 1e-8;
        self.steps += 1;
        for (index, weight) in network.weights.iter_mut().enumerate() {
            let Some(gradient) = watched[index].grad(gradients).filter(|_| weight.learns) else { continue };
            let (mean, square) = (&mut self.means[index], &mut self.squares[index]);
            *mean = mean.clone() * KEEP_MEAN + gradient.clone() * (1.0 - KEEP_MEAN);
            *square = square.clone() * KEEP_SQUARE + gradient.clone() * gradient * (1.0 - KEEP_SQUARE);
            let mean = mean.clone() / (1.0 - KEEP_MEAN.powi(self.steps));
            let deviation = (square.clone() / (1.0 - KEEP_SQUARE.powi(self.steps))).sqrt();
            weight.values = weight.values.clone() - mean / (deviation + GUARD) * rate;
        }
    }
}
