//! Sums and maxima of shifted copies of one row of numbers.

use macerator::{AutoArch, Simd, WithSimd};

/// Numbers that are worked on at once, so that they stay in the first cache from tap to tap.
const PIECE: usize = 2048;

/// One tap: where its copy begins, and its weight.
pub type Tap = (usize, f32);

/// `out[i] = start + sum of weight * source[begin + i]` over the taps.
pub fn sum(out: &mut [f32], source: &[f32], taps: &[Tap], start: f32) {
    AutoArch::new().dispatch(Taps::<false> { out, source, taps, start });
}

/// `out[i] = max of source[begin + i]` over the taps, of which there is at least one.
pub fn maximum(out: &mut [f32], source: &[f32], taps: &[Tap]) {
    AutoArch::new().dispatch(Taps::<true> { out, source, taps, start: f32::NEG_INFINITY });
}

struct Taps<'a, const MAXIMUM: bool> {
    out: &'a mut [f32],
    source: &'a [f32],
    taps: &'a [Tap],
    start: f32,
}

impl<const MAXIMUM: bool> WithSimd for Taps<'_, MAXIMUM> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self) {
        for (index, out) in self.out.chunks_mut(PIECE).enumerate() {
            let source = &self.source[index * PIECE..];
            out.fill(self.start);
            // As many at once as leave registers for the weights.
            for taps in self.taps.chunks(5) {
                match *taps {
                    [a, b, c, d, e] => pass::<5, MAXIMUM>(out, source, [a, b, c, d, e]),
                    [a, b, c, d] => pass::<4, MAXIMUM>(out, source, [a, b, c, d]),
                    [a, b, c] => pass::<3, MAXIMUM>(out, source, [a, b, c]),
                    [a, b] => pass::<2, MAXIMUM>(out, source, [a, b]),
                    [a] => pass::<1, MAXIMUM>(out, source, [a]),
                    _ => {}
                }
            }
        }
    }
}

#[inline(always)]
fn pass<const N: usize, const MAXIMUM: bool>(out: &mut [f32], source: &[f32], taps: [Tap; N]) {
    let count = out.len();
    let copies = taps.map(|(begin, _)| &source[begin..begin + count]);
    let weights = taps.map(|(_, weight)| weight);
    for i in 0..count {
        let mut found = out[i];
        for (copy, weight) in copies.iter().zip(weights) {
            let value = copy[i];
            found = match MAXIMUM {
                true if value > found => value,
                true => found,
                false => found + weight * value,
            };
        }
        out[i] = found;
    }
}
