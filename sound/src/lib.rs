//! Sounds for Adversight.
