//! Sums, bounds, and the passing of gradients through bounds.

use crate::threads::{self, MOVE};

/// Elements that a thread changes at once.
const CHUNK: usize = 1 << 14;

/// Calls `change` with parts of `values` that together are all of them, and with where they begin.
fn parts(values: &mut [f32], change: impl Fn(usize, &mut [f32]) + Sync) {
    let work = values.len() * MOVE;
    threads::each(values, CHUNK, work, |index, part| change(index * CHUNK, part));
}

/// Copies `values`.
pub fn copy(to: &mut [f32], values: &[f32]) {
    parts(to, |start, to| to.copy_from_slice(&values[start..start + to.len()]));
}

/// Adds `values` to `sum`.
pub fn add(sum: &mut [f32], values: &[f32]) {
    parts(sum, |start, sum| {
        for (sum, value) in sum.iter_mut().zip(&values[start..]) {
            *sum += value;
        }
    });
}

/// Keeps values between two bounds.
pub fn bound(values: &mut [f32], low: f32, high: f32) {
    parts(values, |_, values| bound_here(values, low, high));
}

/// The same on this thread.
#[inline(always)]
pub fn bound_here(values: &mut [f32], low: f32, high: f32) {
    for value in values {
        *value = bounded(*value, low, high);
    }
}

/// A value between two bounds; written so that it is one instruction each in every instruction set.
#[inline(always)]
pub fn bounded(value: f32, low: f32, high: f32) -> f32 {
    let above = if value < low { low } else { value };
    if high < above { high } else { above }
}

/// Where a gradient passes: where a value lies between the two bounds that it was kept in.
#[derive(Clone, Copy)]
pub struct Gate<'a> {
    /// The values, in the order of the gradient.
    pub values: &'a [f32],
    /// The lower bound.
    pub low: f32,
    /// The upper bound.
    pub high: f32,
}

impl<'a> Gate<'a> {
    /// Of the values from this one on.
    pub(crate) fn from(self, start: usize) -> Self {
        Self { values: &self.values[start..], ..self }
    }

    /// Lets a gradient of as many values through, on this thread.
    pub(crate) fn close(self, gradient: &mut [f32]) {
        let Self { low, high, .. } = self;
        pass(gradient, self.values, move |y| between(y, low, high));
    }
}

/// Whether a value lies between two bounds and not on them.
#[inline(always)]
pub(crate) fn between(value: f32, low: f32, high: f32) -> bool {
    (value > low) & (value < high)
}

/// Lets a gradient pass through a gate.
pub fn pass_between(gradient: &mut [f32], gate: Gate<'_>) {
    parts(gradient, move |start, gradient| gate.from(start).close(gradient));
}

/// What decides must hold its bounds itself: behind a reference they might change with the gradient, and the compiler would make no vectors.
fn pass(gradient: &mut [f32], values: &[f32], passes: impl Fn(f32) -> bool) {
    for (g, &value) in gradient.iter_mut().zip(values) {
        *g = if passes(value) { *g } else { 0.0 };
    }
}
