//! Text for Adversight.
