//! Segmentation: pictures cut into parts that belong together, by scikit-image's definitions.
//!
//! The functions work on the host, on a [`Picture`] of numbers from 0 to 1, and need nothing of the rest of the
//! engine; QuickShift, which takes longest, also works on a GPU. Everything is computed in 64 bits, as scikit-image does; where less is enough, the function says why.

mod colour;
mod felzenszwalb;
mod grid;
mod quickshift;
mod slic;

pub use felzenszwalb::{Felzenszwalb, felzenszwalb};
pub use grid::{grid, time_frequency};
pub use quickshift::{QuickShift, quickshift, quickshift_on};
pub use slic::{Slic, slic};

/// A picture on the host.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    /// Row by row, the channels of a pixel side by side: red, green, blue from 0 to 1, or one grey value.
    pub data: Vec<f64>,
    /// Rows.
    pub height: usize,
    /// Pixels in a row.
    pub width: usize,
    /// Values of a pixel.
    pub channels: usize,
}

impl Picture {
    /// The values of pixel number `index`, counted row by row.
    fn pixel(&self, index: usize) -> &[f64] {
        &self.data[index * self.channels..(index + 1) * self.channels]
    }

    fn pixels(&self) -> usize {
        self.height * self.width
    }

    fn map(&self, change: impl Fn(f64) -> f64) -> Self {
        Self { data: self.data.iter().map(|&value| change(value)).collect(), ..*self }
    }
}

/// A partition of the pixels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segments {
    /// The segment of every pixel, row by row, numbered from 0 without a gap.
    pub labels: Vec<u32>,
    /// Number of segments.
    pub count: usize,
}

impl Segments {
    /// Numbers the segments from 0 without a gap, in the order of the numbers that they had.
    pub fn new(labels: &[usize]) -> Self {
        let mut names: Vec<usize> = labels.to_vec();
        names.sort_unstable();
        names.dedup();
        let number = |label: &usize| names.partition_point(|name| name < label) as u32;
        Self { labels: labels.iter().map(number).collect(), count: names.len() }
    }

    /// Pixels of each segment.
    pub fn sizes(&self) -> Vec<usize> {
        let mut sizes = vec![0; self.count];
        for &label in &self.labels {
            sizes[label as usize] += 1;
        }
        sizes
    }
}

/// The root of `node` in a forest of parents, which is flattened on the way.
fn root(parents: &mut [usize], mut node: usize) -> usize {
    while parents[node] != node {
        parents[node] = parents[parents[node]];
        node = parents[node];
    }
    node
}
