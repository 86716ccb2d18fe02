//! Sums and maxima of shifted copies of one row of numbers.

use macerator::{AutoArch, Simd, WithSimd};

use crate::tile::{COLUMNS, Row};

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
    fn with_simd<S: Simd>(mut self) {
        /// Rows of numbers whose sums stay in registers while the taps pass by.
        const MANY: usize = if cfg!(target_family = "wasm") { 4 } else { 2 };
        let count = self.out.len();
        let mut at = 0;
        while at + MANY * COLUMNS <= count {
            self.rows::<MANY>(at);
            at += MANY * COLUMNS;
        }
        while at + COLUMNS <= count {
            self.rows::<1>(at);
            at += COLUMNS;
        }
        if at < count && count >= COLUMNS {
            // The last ones overlap with those before.
            self.rows::<1>(count - COLUMNS);
            return;
        }
        for i in at..count {
            let mut found = Row::splat(self.start);
            for &(begin, weight) in self.taps {
                found = step::<MAXIMUM>(found, weight, Row::splat(self.source[begin + i]));
            }
            self.out[i] = found.values()[0];
        }
    }
}

impl<const MAXIMUM: bool> Taps<'_, MAXIMUM> {
    /// `N` rows from this number on.
    #[inline(always)]
    fn rows<const N: usize>(&mut self, at: usize) {
        let mut found = [Row::splat(self.start); N];
        for &(begin, weight) in self.taps {
            let (rows, _) = self.source[begin + at..][..N * COLUMNS].as_chunks::<COLUMNS>();
            for (found, row) in found.iter_mut().zip(rows) {
                *found = step::<MAXIMUM>(*found, weight, Row::of(row));
            }
        }
        let (rows, _) = self.out[at..][..N * COLUMNS].as_chunks_mut::<COLUMNS>();
        for (row, found) in rows.iter_mut().zip(found) {
            *row = found.values();
        }
    }
}

/// A product and a sum are rounded each by itself, as Burn does: near the kinks of rectifiers gradients would differ from its else.
#[inline(always)]
fn step<const MAXIMUM: bool>(found: Row, weight: f32, values: Row) -> Row {
    if MAXIMUM { found.maximum(values) } else { found.plus(values.times(weight)) }
}
