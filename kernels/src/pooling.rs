//! Maxima of windows, and means of planes.

use macerator::{AutoArch, Simd, WithSimd};

use crate::{
    grid::Grid,
    scratch::Scratch,
    taps::{self, Tap},
    threads::{self, MOVE},
};

fn unweighted(grid: &Grid) -> Vec<Tap> {
    grid.taps.iter().map(|&tap| (tap, 1.0)).collect()
}

/// The maxima of the windows of each plane.
pub fn maximum(grid: &Grid, x: &[f32], out: &mut [f32]) {
    let taps = unweighted(grid);
    threads::shares(out, grid.outputs(), work(grid, x), |first, out| {
        let mut spread = Scratch::new(grid.spread_plane());
        spread.fill(f32::NEG_INFINITY);
        let mut rows = Scratch::new(grid.reach());
        let planes = x.chunks_exact(grid.plane()).skip(first);
        for (x, out) in planes.zip(out.chunks_exact_mut(grid.outputs())) {
            grid.lay(x, &mut spread);
            taps::maximum(&mut rows, &spread, &taps);
            grid.together(&rows, out);
        }
    });
}

/// The work of looking at every window.
fn work(grid: &Grid, x: &[f32]) -> usize {
    x.len() * MOVE + x.len() / grid.plane() * grid.reach() * grid.taps.len()
}

/// The gradient of planes from that of their maxima: the first of the largest values gets it.
pub fn maximum_backward(grid: &Grid, x: &[f32], gradient: &[f32], out: &mut [f32]) {
    let taps = unweighted(grid);
    threads::shares(out, grid.plane(), 2 * work(grid, x), |first, out| {
        let mut spread = Scratch::new(grid.spread_plane());
        spread.fill(f32::NEG_INFINITY);
        let mut found = Scratch::new(grid.spread_plane());
        let (mut rows, mut left) = (Scratch::new(grid.reach()), Scratch::new(grid.reach()));
        // Between the rows it stays so.
        left.fill(0.0);
        let planes = x.chunks_exact(grid.plane()).zip(gradient.chunks_exact(grid.outputs())).skip(first);
        for ((x, gradient), out) in planes.zip(out.chunks_exact_mut(grid.plane())) {
            grid.lay(x, &mut spread);
            taps::maximum(&mut rows, &spread, &taps);
            grid.apart(gradient, &mut left);
            found.fill(0.0);
            for &tap in &grid.taps {
                let found = &mut found[tap..][..rows.len()];
                let values = &spread[tap..][..rows.len()];
                AutoArch::new().dispatch(Hand { values, maxima: &rows, left: &mut left, found });
            }
            grid.gather(&found, out);
        }
    });
}

/// Hands the gradient that is left to the values that are the maxima.
struct Hand<'a> {
    values: &'a [f32],
    maxima: &'a [f32],
    left: &'a mut [f32],
    found: &'a mut [f32],
}

impl WithSimd for Hand<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self) {
        const N: usize = 8;
        let ((values, value), (maxima, maximum)) =
            (self.values.as_chunks::<N>(), self.maxima.as_chunks::<N>());
        let ((lefts, left), (founds, found)) =
            (self.left.as_chunks_mut::<N>(), self.found.as_chunks_mut::<N>());
        for (((value, maximum), left), found) in values.iter().zip(maxima).zip(lefts).zip(founds) {
            hand(value, maximum, left, found);
        }
        hand(value, maximum, left, found);
    }
}

#[inline(always)]
fn hand(values: &[f32], maxima: &[f32], left: &mut [f32], found: &mut [f32]) {
    for i in 0..values.len() {
        let taken = if values[i] == maxima[i] { left[i] } else { 0.0 };
        found[i] += taken;
        left[i] -= taken;
    }
}

/// The mean of each plane of `size` elements.
pub fn mean(x: &[f32], size: usize, out: &mut [f32]) {
    threads::shares(out, 1, x.len() * MOVE, |first, out| {
        for (x, out) in x.chunks_exact(size).skip(first).zip(out) {
            // Several sums at once are as fast as the memory, and rounded less than one.
            let (eights, rest) = x.as_chunks::<8>();
            let mut sums = [0.0; 8];
            for eight in eights {
                for (sum, value) in sums.iter_mut().zip(eight) {
                    *sum += value;
                }
            }
            *out = (sums.iter().sum::<f32>() + rest.iter().sum::<f32>()) / size as f32;
        }
    });
}
