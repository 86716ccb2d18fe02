//! Convolutions in which every channel has a filter of its own: sums of shifted planes.

use crate::{
    elementwise::bound_here,
    grid::Grid,
    scratch::Scratch,
    taps::{self, Tap},
    threads,
};

/// The weights `[channels, taps]` of a convolution of each channel by itself.
pub struct Depthwise {
    weights: Vec<f32>,
    bias: Option<Vec<f32>>,
}

impl Depthwise {
    /// A convolution with these weights, channel by channel.
    pub fn new(weights: Vec<f32>, bias: Option<Vec<f32>>) -> Self {
        Self { weights, bias }
    }

    /// The same weights everywhere, for an average.
    pub fn uniform(channels: usize, taps: usize, weight: f32) -> Self {
        Self { weights: vec![weight; channels * taps], bias: None }
    }

    /// Number of channels, of weights with so many taps each.
    pub fn channels(&self, taps: usize) -> usize {
        self.weights.len() / taps
    }

    fn filter(&self, plane: usize, taps: usize) -> (&[f32], f32) {
        let channel = plane % (self.weights.len() / taps);
        let bias = self.bias.as_ref().map_or(0.0, |bias| bias[channel]);
        (&self.weights[channel * taps..][..taps], bias)
    }

    /// The convolution of planes, kept between two bounds where there are any.
    pub fn forward(&self, grid: &Grid, x: &[f32], bounds: Option<(f32, f32)>, out: &mut [f32]) {
        self.planes(grid, out, grid.outputs(), |planes, out| {
            let mut spread = Scratch::new(grid.spread_plane());
            spread.fill(0.0);
            let mut rows = Scratch::new(grid.reach());
            let mut taps: Vec<Tap> = Vec::with_capacity(grid.taps.len());
            for (plane, out) in (planes..).zip(out.chunks_exact_mut(grid.outputs())) {
                grid.lay(&x[plane * grid.plane()..][..grid.plane()], &mut spread);
                let (filter, bias) = self.filter(plane, grid.taps.len());
                taps.clear();
                taps.extend(grid.taps.iter().copied().zip(filter.iter().copied()));
                taps::sum(&mut rows, &spread, &taps, bias);
                grid.together(&rows, out);
                if let Some((low, high)) = bounds {
                    bound_here(out, low, high);
                }
            }
        });
    }

    /// The gradient of planes from that of their convolution.
    pub fn backward(&self, grid: &Grid, gradient: &[f32], out: &mut [f32]) {
        let phase = grid.phase();
        let margin = grid.taps.iter().map(|tap| tap % phase).max().unwrap_or(0);
        // The taps that meet each phase: where their copies begin, and which of the weights is theirs.
        let mut meeting = vec![Vec::new(); grid.spread_plane() / phase];
        for (index, tap) in grid.taps.iter().enumerate() {
            meeting[tap / phase].push((margin - tap % phase, index));
        }
        self.planes(grid, out, grid.plane(), |planes, out| {
            let mut rows = Scratch::new(margin + phase);
            rows.fill(0.0);
            let mut spread = Scratch::new(grid.spread_plane());
            let mut taps: Vec<Tap> = Vec::with_capacity(grid.taps.len());
            for (plane, out) in (planes..).zip(out.chunks_exact_mut(grid.plane())) {
                grid.apart(&gradient[plane * grid.outputs()..][..grid.outputs()], &mut rows[margin..]);
                let (filter, _) = self.filter(plane, grid.taps.len());
                for (spread, meeting) in spread.chunks_exact_mut(phase).zip(&meeting) {
                    taps.clear();
                    taps.extend(meeting.iter().map(|&(begin, index)| (begin, filter[index])));
                    taps::sum(spread, &rows, &taps, 0.0);
                }
                grid.gather(&spread, out);
            }
        });
    }

    /// Calls `task` with the first plane and the place of each thread's share of them.
    fn planes(&self, grid: &Grid, out: &mut [f32], plane: usize, task: impl Fn(usize, &mut [f32]) + Sync) {
        let count = out.len() / plane;
        threads::shares(out, plane, count * grid.reach() * grid.taps.len(), task);
    }
}
