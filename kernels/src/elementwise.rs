//! Sums, bounds, and the passing of gradients through bounds.

/// Adds `values` to `sum`.
pub fn add(sum: &mut [f32], values: &[f32]) {
    for (sum, value) in sum.iter_mut().zip(values) {
        *sum += value;
    }
}

/// Keeps values between two bounds.
#[inline(always)]
pub fn bound(values: &mut [f32], low: f32, high: f32) {
    for value in values {
        // Written so that it is one instruction each in every instruction set.
        let above = if *value < low { low } else { *value };
        *value = if high < above { high } else { above };
    }
}

/// Lets a gradient pass where the bounded value `y` lies between its bounds.
pub fn pass_between(gradient: &mut [f32], y: &[f32], low: f32, high: f32) {
    for (g, &y) in gradient.iter_mut().zip(y) {
        *g = if y > low && y < high { *g } else { 0.0 };
    }
}

/// Lets a gradient pass where the value `x` that is bounded lies within its bounds, on them too.
pub fn pass_within(gradient: &mut [f32], x: &[f32], low: f32, high: f32) {
    for (g, &x) in gradient.iter_mut().zip(x) {
        *g = if x >= low && x <= high { *g } else { 0.0 };
    }
}
