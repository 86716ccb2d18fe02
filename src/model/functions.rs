//! Burn's functions for values of any rank, under Burn's own names.
//!
//! Only what stands here is compiled once for each rank. An operator that is written with these functions is
//! compiled once, and reads like its formula.

use std::ops::{Add, Div, Mul, Sub};

use burn::tensor::{Bool, Float, Int, TensorData, activation, kind::Basic};

use super::value::{Ranked, map_ranked, with_ranked, zip_ranked};

/// Functions of one value, by the kinds that they take and give.
macro_rules! functions {
    ($($from:ident => $to:ident: $($name:ident($($argument:ident: $type:ty),*)),*;)*) => {
        // The names are Burn's, also where Rust would have `is_` and `into_` mean something else.
        $(#[allow(clippy::wrong_self_convention)]
        impl Ranked<$from> {
            $(pub(crate) fn $name(self, $($argument: $type),*) -> Ranked<$to> {
                map_ranked!(self, x => x.$name($($argument),*))
            })*
        })*
    };
}

functions! {
    Float => Float:
        abs(), acos(), acosh(), asin(), asinh(), atan(), atanh(), ceil(), cos(), cosh(), erf(), exp(), floor(), log(),
        neg(), recip(), round(), sign(), sin(), sinh(), sqrt(), tan(), tanh(),
        clamp(low: f32, high: f32), clamp_max(high: f32), clamp_min(low: f32), powf_scalar(exponent: f32),
        powi_scalar(exponent: i32),
        cumprod(axis: usize), cumsum(axis: usize), max_dim(axis: usize), mean_dim(axis: usize), min_dim(axis: usize), prod_dim(axis: usize),
        sum_dim(axis: usize), detach(), inner();
    Float => Int:
        argmax(axis: usize), argmin(axis: usize), int();
    Float => Bool:
        equal_elem(to: f32), greater_elem(than: f32), greater_equal_elem(than: f32), is_inf(), is_nan(),
        lower_elem(than: f32), lower_equal_elem(than: f32), not_equal_elem(to: f32);
    Int => Int:
        abs(), neg(), sign(), clamp(low: i64, high: i64), clamp_max(high: i64), clamp_min(low: i64),
        remainder_scalar(divisor: i64),
        cumprod(axis: usize), cumsum(axis: usize), max_dim(axis: usize), min_dim(axis: usize), prod_dim(axis: usize),
        sum_dim(axis: usize);
    Int => Float: float();
    Int => Bool: greater_equal_elem(than: i64), lower_elem(than: i64), not_equal_elem(to: i64);
    Bool => Bool: bool_not();
    Bool => Float: float();
    Bool => Int: int();
}

/// Functions of Burn's `activation` module.
macro_rules! activations {
    ($($name:ident($($argument:ident: $type:ty),*)),*) => {
        impl Ranked<Float> {
            $(pub(crate) fn $name(self, $($argument: $type),*) -> Self {
                map_ranked!(self, x => activation::$name(x, $($argument),*))
            })*
        }
    };
}

activations!(
    celu(alpha: f64),
    elu(alpha: f64),
    gelu(),
    leaky_relu(slope: f64),
    log_softmax(axis: usize),
    mish(),
    relu(),
    sigmoid(),
    softmax(axis: usize),
    softplus(beta: f64),
    softsign()
);

/// Functions of two values of one rank, whose sizes of 1 broadcast.
macro_rules! pairs {
    ($($from:ident, $with:ident => $to:ident: $($name:ident($($argument:ident: $type:ty),*)),*;)*) => {
        $(impl Ranked<$from> {
            $(pub(crate) fn $name(self, $($argument: $type,)* other: Ranked<$with>) -> Ranked<$to> {
                zip_ranked!(self, other, (a, b) => a.$name($($argument,)* b))
            })*
        })*
    };
}

pairs! {
    Float, Float => Float: fmod(), max_pair(), min_pair(), powf(), remainder();
    Float, Float => Bool: equal(), greater(), greater_equal(), lower(), lower_equal(), not_equal();
    Float, Int => Float: gather(axis: usize);
    Int, Int => Int:
        bitwise_and(), bitwise_left_shift(), bitwise_or(), bitwise_right_shift(), bitwise_xor(), gather(axis: usize),
        max_pair(), min_pair(), remainder();
    Int, Int => Bool: equal(), greater(), greater_equal(), lower(), lower_equal();
    Bool, Bool => Bool: bool_and(), bool_or(), equal(), not_equal();
}

/// The four operations, of two values and of a value and a number.
macro_rules! operations {
    ($($kind:ident, $number:ident: $($trait:ident $name:ident),*;)*) => {
        $($(impl $trait for Ranked<$kind> {
            type Output = Self;

            fn $name(self, other: Self) -> Self {
                zip_ranked!(self, other, (a, b) => $trait::$name(a, b))
            }
        }

        impl $trait<$number> for Ranked<$kind> {
            type Output = Self;

            fn $name(self, number: $number) -> Self {
                map_ranked!(self, x => $trait::$name(x, number))
            }
        })*)*
    };
}

operations! {
    Float, f32: Add add, Sub sub, Mul mul, Div div;
    Int, i64: Add add, Sub sub, Mul mul, Div div;
}

impl Ranked<Float> {
    /// Zeros in the same shape.
    pub(crate) fn zeros_like(&self) -> Self {
        map_ranked!(self, x => x.zeros_like())
    }

    /// `fill` where `mask`, of the same rank, holds.
    pub(crate) fn mask_fill(self, mask: Ranked<Bool>, fill: f32) -> Self {
        zip_ranked!(self, mask, (x, mask) => x.mask_fill(mask, fill))
    }
}

impl Ranked<Int> {
    /// `fill` where `mask`, of the same rank, holds.
    pub(crate) fn mask_fill(self, mask: Ranked<Bool>, fill: i64) -> Self {
        zip_ranked!(self, mask, (x, mask) => x.mask_fill(mask, fill))
    }
}

impl<K: Basic + 'static> Ranked<K> {
    /// The opposite order along an axis.
    pub(crate) fn flip(self, axis: usize) -> Self {
        map_ranked!(self, x => x.flip([axis]))
    }

    /// `source` where `mask` holds; all three are of one rank.
    pub(crate) fn mask_where(self, mask: Ranked<Bool>, source: Self) -> Self {
        zip_ranked!(self, mask, (x, mask) => match source.get() {
            Some(source) => x.mask_where(mask, source),
            None => unreachable!("the elements to write have another rank"),
        })
    }

    /// The elements, read back from the device.
    pub(crate) fn into_data(self) -> TensorData {
        with_ranked!(self, x => x.into_data())
    }
}
