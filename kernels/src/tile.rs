//! The innermost loop: a tile of a product, whose sums stay in registers.

use macerator::Simd;

use row::Column;
pub use row::{Lanes, Row};

/// Rows of a tile. In a browser five rows are more than the sixteen registers hold, and take twice the time.
pub const ROWS: usize = if cfg!(target_family = "wasm") { 4 } else { 6 };

/// Columns of a tile: two vectors, of the wider kind where processors have it.
pub const COLUMNS: usize = if cfg!(target_arch = "x86_64") { 16 } else { 8 };

/// Planes that are worked on side by side, a vector each.
pub const LANES: usize = if cfg!(target_arch = "x86_64") { 8 } else { 4 };

/// A step of a tile: the weights of its rows and the values of its columns.
pub type Step<'a> = (&'a [f32; ROWS], &'a [f32; COLUMNS]);

/// The sums of a tile's rows of these numbers: each row's weight times each column's value, step after step.
#[inline(always)]
pub fn tile<'a, S: Simd, const N: usize>(
    rows: [usize; N],
    steps: impl Iterator<Item = Step<'a>>,
) -> [Row; N] {
    let mut sums = [Row::splat(0.0); N];
    for (factors, values) in steps {
        let values = Row::of(values);
        for (sum, row) in sums.iter_mut().zip(rows) {
            *sum = sum.plus_product::<S>(factors[row % ROWS], values);
        }
    }
    sums
}

/// The sums of a tile's first column, for all rows at once.
#[inline(always)]
pub fn column<'a, S: Simd>(steps: impl Iterator<Item = Step<'a>>) -> [f32; ROWS] {
    let mut sums = Column::splat(0.0);
    for (factors, [value, ..]) in steps {
        sums = sums.plus_product::<S>(*value, Column::of(factors));
    }
    sums.values()
}

/// Rows in the instructions of WebAssembly: a compiler that leaves them out here makes a network four times slower.
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod row {
    use core::arch::wasm32::{
        f32x4, f32x4_add, f32x4_eq, f32x4_extract_lane as lane, f32x4_gt, f32x4_lt, f32x4_mul, f32x4_pmax,
        f32x4_pmin, f32x4_splat, i32x4_shuffle, u32x4_shl, v128, v128_and, v128_andnot, v128_any_true,
        v128_or,
    };

    use super::{COLUMNS, ROWS, Simd};

    /// A column of a tile.
    #[derive(Clone, Copy)]
    pub struct Column(v128);

    impl Column {
        #[inline(always)]
        pub fn splat(value: f32) -> Self {
            Self(f32x4_splat(value))
        }

        #[inline(always)]
        pub fn of(v: &[f32; ROWS]) -> Self {
            Self(f32x4(v[0], v[1], v[2], v[3]))
        }

        #[inline(always)]
        pub fn values(self) -> [f32; ROWS] {
            [lane::<0>(self.0), lane::<1>(self.0), lane::<2>(self.0), lane::<3>(self.0)]
        }

        #[inline(always)]
        #[expect(
            clippy::extra_unused_type_parameters,
            reason = "callers name the vectors that other forms are made of"
        )]
        pub fn plus_product<S: Simd>(self, factor: f32, values: Self) -> Self {
            Self(f32x4_add(self.0, f32x4_mul(f32x4_splat(factor), values.0)))
        }

        #[inline(always)]
        pub fn plus(self, other: Self) -> Self {
            Self(f32x4_add(self.0, other.0))
        }

        #[inline(always)]
        pub fn times_each(self, other: Self) -> Self {
            Self(f32x4_mul(self.0, other.0))
        }

        #[inline(always)]
        pub fn bound(self, low: f32, high: f32) -> Self {
            Self(f32x4_pmin(f32x4_pmax(self.0, f32x4_splat(low)), f32x4_splat(high)))
        }

        #[inline(always)]
        pub fn maximum(self, other: Self) -> Self {
            Self(f32x4_pmax(self.0, other.0))
        }

        /// These numbers where two others are equal, else zeros; and the other way round.
        #[inline(always)]
        pub fn split_where_equal(self, a: Self, b: Self) -> (Self, Self) {
            let equal = f32x4_eq(a.0, b.0);
            (Self(v128_and(self.0, equal)), Self(v128_andnot(self.0, equal)))
        }

        /// The columns of these rows.
        #[inline(always)]
        pub fn turned([a, b, c, d]: [Self; 4]) -> [Self; 4] {
            let (ab, cd) = (i32x4_shuffle::<0, 4, 1, 5>(a.0, b.0), i32x4_shuffle::<0, 4, 1, 5>(c.0, d.0));
            let (above, below) =
                (i32x4_shuffle::<2, 6, 3, 7>(a.0, b.0), i32x4_shuffle::<2, 6, 3, 7>(c.0, d.0));
            [
                Self(i32x4_shuffle::<0, 1, 4, 5>(ab, cd)),
                Self(i32x4_shuffle::<2, 3, 6, 7>(ab, cd)),
                Self(i32x4_shuffle::<0, 1, 4, 5>(above, below)),
                Self(i32x4_shuffle::<2, 3, 6, 7>(above, below)),
            ]
        }
    }

    /// Numbers of several planes.
    pub type Lanes = Column;

    /// A row of a tile.
    #[derive(Clone, Copy)]
    pub struct Row([v128; 2]);

    impl Row {
        #[inline(always)]
        pub fn splat(value: f32) -> Self {
            Self([f32x4_splat(value); 2])
        }

        #[inline(always)]
        pub fn of(v: &[f32; COLUMNS]) -> Self {
            Self([f32x4(v[0], v[1], v[2], v[3]), f32x4(v[4], v[5], v[6], v[7])])
        }

        #[inline(always)]
        pub fn values(self) -> [f32; COLUMNS] {
            let Self([a, b]) = self;
            let (a, b) = (
                [lane::<0>(a), lane::<1>(a), lane::<2>(a), lane::<3>(a)],
                [lane::<0>(b), lane::<1>(b), lane::<2>(b), lane::<3>(b)],
            );
            [a[0], a[1], a[2], a[3], b[0], b[1], b[2], b[3]]
        }

        #[inline(always)]
        pub fn plus(self, other: Self) -> Self {
            Self([f32x4_add(self.0[0], other.0[0]), f32x4_add(self.0[1], other.0[1])])
        }

        #[inline(always)]
        pub fn times(self, factor: f32) -> Self {
            let factor = f32x4_splat(factor);
            Self(self.0.map(|values| f32x4_mul(factor, values)))
        }

        #[inline(always)]
        #[expect(
            clippy::extra_unused_type_parameters,
            reason = "callers name the vectors that other forms are made of"
        )]
        pub fn plus_product<S: Simd>(self, factor: f32, values: Self) -> Self {
            self.plus(values.times(factor))
        }

        #[inline(always)]
        pub fn bound(self, low: f32, high: f32) -> Self {
            let (low, high) = (f32x4_splat(low), f32x4_splat(high));
            Self(self.0.map(|values| f32x4_pmin(f32x4_pmax(values, low), high)))
        }

        /// Whether any value is not zero.
        #[inline(always)]
        pub fn any(self) -> bool {
            // Without the sign.
            v128_any_true(u32x4_shl(v128_or(self.0[0], self.0[1]), 1))
        }

        /// Whether any value lies between two bounds.
        #[inline(always)]
        pub fn any_between(self, low: f32, high: f32) -> bool {
            let (low, high) = (f32x4_splat(low), f32x4_splat(high));
            let [a, b] = self.0.map(|values| v128_and(f32x4_gt(values, low), f32x4_lt(values, high)));
            v128_any_true(v128_or(a, b))
        }
    }
}

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
mod row {
    use super::{COLUMNS, LANES, ROWS, Simd};
    use crate::elementwise::{between, bounded};

    /// A column of a tile.
    pub type Column = Numbers<ROWS>;

    /// A row of a tile.
    pub type Row = Numbers<COLUMNS>;

    /// Numbers of several planes.
    pub type Lanes = Numbers<LANES>;

    /// Numbers that the compiler puts into vectors.
    #[derive(Clone, Copy)]
    pub struct Numbers<const N: usize>([f32; N]);

    impl<const N: usize> Numbers<N> {
        #[inline(always)]
        pub fn splat(value: f32) -> Self {
            Self([value; N])
        }

        #[inline(always)]
        pub fn of(values: &[f32; N]) -> Self {
            Self(*values)
        }

        #[inline(always)]
        pub fn values(self) -> [f32; N] {
            self.0
        }

        #[inline(always)]
        pub fn plus(mut self, other: Self) -> Self {
            for j in 0..N {
                self.0[j] += other.0[j];
            }
            self
        }

        #[inline(always)]
        pub fn plus_product<S: Simd>(mut self, factor: f32, values: Self) -> Self {
            // Wherever vectors are this wide, a product and a sum are one instruction.
            let fused = S::lanes32() > 4 || cfg!(target_arch = "aarch64");
            for j in 0..N {
                let (value, sum) = (values.0[j], self.0[j]);
                self.0[j] = if fused { factor.mul_add(value, sum) } else { factor * value + sum };
            }
            self
        }

        #[inline(always)]
        pub fn times_each(mut self, other: Self) -> Self {
            for j in 0..N {
                self.0[j] *= other.0[j];
            }
            self
        }

        /// These numbers where two others are equal, else zeros; and the other way round.
        #[inline(always)]
        pub fn split_where_equal(self, a: Self, b: Self) -> (Self, Self) {
            let (mut taken, mut rest) = (self, self);
            for j in 0..N {
                let equal = a.0[j] == b.0[j];
                taken.0[j] = if equal { self.0[j] } else { 0.0 };
                rest.0[j] = if equal { 0.0 } else { self.0[j] };
            }
            (taken, rest)
        }

        /// The columns of these rows.
        #[inline(always)]
        pub fn turned(rows: [Self; N]) -> [Self; N] {
            std::array::from_fn(|column| Self(std::array::from_fn(|row| rows[row].0[column])))
        }

        #[inline(always)]
        pub fn maximum(mut self, other: Self) -> Self {
            for (found, value) in self.0.iter_mut().zip(other.0) {
                *found = if *found < value { value } else { *found };
            }
            self
        }

        #[inline(always)]
        pub fn bound(mut self, low: f32, high: f32) -> Self {
            for value in &mut self.0 {
                *value = bounded(*value, low, high);
            }
            self
        }

        /// Whether any value is not zero.
        #[inline(always)]
        pub fn any(self) -> bool {
            // Without the sign.
            self.0.iter().fold(0, |bits, value| bits | value.to_bits() << 1) != 0
        }

        /// Whether any value lies between two bounds.
        #[inline(always)]
        pub fn any_between(self, low: f32, high: f32) -> bool {
            self.0.iter().fold(false, |any, &value| any | between(value, low, high))
        }
    }
}
