//! The innermost loop: a tile of a product, whose sums stay in registers.

use macerator::Simd;

/// Rows of a tile. In a browser five rows are more than the sixteen registers hold, and take twice the time.
pub const ROWS: usize = if cfg!(target_family = "wasm") { 4 } else { 6 };

/// Columns of a tile: two vectors, of the wider kind where processors have it.
pub const COLUMNS: usize = if cfg!(target_arch = "x86_64") { 16 } else { 8 };

/// A step of a tile: the weights of its rows and the values of its columns.
pub type Step<'a> = (&'a [f32; ROWS], &'a [f32; COLUMNS]);

/// The sums of a tile: each row's weight times each column's value, step after step.
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
#[inline(always)]
pub fn tile<'a, S: Simd>(steps: impl Iterator<Item = Step<'a>>) -> [[f32; COLUMNS]; ROWS] {
    // Wherever vectors are this wide, a product and a sum are one instruction.
    let fused = S::lanes32() > 4 || cfg!(target_arch = "aarch64");
    let mut sums = [[0.0; COLUMNS]; ROWS];
    for (factors, values) in steps {
        for i in 0..ROWS {
            for j in 0..COLUMNS {
                let sum = sums[i][j];
                sums[i][j] =
                    if fused { factors[i].mul_add(values[j], sum) } else { factors[i] * values[j] + sum };
            }
        }
    }
    sums
}

/// The same in the instructions of WebAssembly: a compiler that leaves them out here makes a network four times slower.
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
#[inline(always)]
pub fn tile<'a, S: Simd>(steps: impl Iterator<Item = Step<'a>>) -> [[f32; COLUMNS]; ROWS] {
    use core::arch::wasm32::{f32x4, f32x4_add, f32x4_extract_lane as lane, f32x4_mul, f32x4_splat};

    let mut sums = [[f32x4_splat(0.0); 2]; ROWS];
    for (factors, v) in steps {
        let values = [f32x4(v[0], v[1], v[2], v[3]), f32x4(v[4], v[5], v[6], v[7])];
        for (sums, &factor) in sums.iter_mut().zip(factors) {
            let factor = f32x4_splat(factor);
            for (sum, value) in sums.iter_mut().zip(values) {
                *sum = f32x4_add(*sum, f32x4_mul(factor, value));
            }
        }
    }
    sums.map(|[a, b]| {
        let (a, b) = (
            [lane::<0>(a), lane::<1>(a), lane::<2>(a), lane::<3>(a)],
            [lane::<0>(b), lane::<1>(b), lane::<2>(b), lane::<3>(b)],
        );
        [a[0], a[1], a[2], a[3], b[0], b[1], b[2], b[3]]
    })
}
