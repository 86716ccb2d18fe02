//! The statistics with which AXAI (section 3.2, appendix C) describes attack magnitudes, and the correlations that
//! compare maps. Plain numbers in, plain numbers out: nothing here knows a network.
//!
//! A sample that is too small or constant has no value for some of these; the functions then return `None`, never
//! a NaN.

mod beta;
mod correlation;
mod hypothesis;
mod moments;
mod quantiles;

pub use beta::{BetaFit, fit_beta};
pub use correlation::{pearson, ranks, spearman};
pub use hypothesis::{Pair, TestResult, anova, mann_whitney, pairwise, t_test};
pub use moments::{Interval, mean, mean_interval, skewness, variance};
pub(crate) use quantiles::percentile;
pub use quantiles::{QqPoint, qq_normal, quantile, quantile_interval};
