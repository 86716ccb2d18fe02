//! Some planes side by side: their numbers of one place in a vector.

use crate::tile::{LANES, Lanes};

/// A number of each plane.
pub type Across = [f32; LANES];

/// Puts as many numbers of each plane side by side as there is room for: those of the first plane begin with `planes`, those of the next `plane`
/// numbers later. What planes are missing are zeros.
#[cfg_attr(not(target_family = "wasm"), inline(always))]
pub fn together(planes: &[f32], plane: usize, count: usize, across: &mut [Across]) {
    let numbers = across.len();
    if count < LANES || numbers < LANES {
        for (place, across) in across.iter_mut().enumerate() {
            *across = [0.0; LANES];
            for (lane, value) in across.iter_mut().enumerate().take(count) {
                *value = planes[lane * plane + place];
            }
        }
        return;
    }
    let mut at = 0;
    while let Some(across) = across[at..].first_chunk_mut::<LANES>() {
        let mut block = [Lanes::splat(0.0); LANES];
        for (lane, values) in block.iter_mut().enumerate() {
            if let Some(chunk) = planes[lane * plane + at..].first_chunk() {
                *values = Lanes::of(chunk);
            }
        }
        for (across, values) in across.iter_mut().zip(Lanes::turned(block)) {
            *across = values.values();
        }
        if at + LANES == numbers {
            return;
        }
        // The last ones overlap with those before.
        at = (at + LANES).min(numbers - LANES);
    }
}

/// The inverse of [`together`].
#[cfg_attr(not(target_family = "wasm"), inline(always))]
pub fn apart(across: &[Across], count: usize, planes: &mut [f32], plane: usize) {
    let numbers = across.len();
    if count < LANES || numbers < LANES {
        for lane in 0..count {
            for (value, across) in planes[lane * plane..].iter_mut().zip(across) {
                *value = across[lane];
            }
        }
        return;
    }
    let mut at = 0;
    while let Some(across) = across[at..].first_chunk::<LANES>() {
        let mut block = [Lanes::splat(0.0); LANES];
        for (values, across) in block.iter_mut().zip(across) {
            *values = Lanes::of(across);
        }
        for (lane, values) in Lanes::turned(block).into_iter().enumerate() {
            if let Some(place) = planes[lane * plane + at..].first_chunk_mut() {
                *place = values.values();
            }
        }
        if at + LANES == numbers {
            return;
        }
        at = (at + LANES).min(numbers - LANES);
    }
}
