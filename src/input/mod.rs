//! From what a user has to what a network takes.

mod declared;
#[cfg(feature = "cli")]
mod files;
pub mod image;
pub mod labels;
pub mod layout;
pub mod picture;
pub mod preprocessing;
mod resample;

use crate::{Error, Result};

/// Refuses NaN and infinities, which would spread through every layer and leave an empty picture.
///
/// # Errors
/// [`Error::InputNotFinite`] with the first offender's index.
pub fn check_finite(values: &[f32]) -> Result<()> {
    match values.iter().position(|value| !value.is_finite()) {
        None => Ok(()),
        Some(index) => Err(Error::InputNotFinite {
            count: values.iter().filter(|value| !value.is_finite()).count(),
            index,
        }),
    }
}

/// A tensor on the host: model space, `[N, C, H, W]` for images.
#[derive(Debug, Clone, PartialEq, serde::Deserialize)]
pub struct HostTensor {
    /// The values, last dimension fastest.
    pub data: Vec<f32>,
    /// Sizes of the dimensions.
    pub shape: Vec<usize>,
}

impl HostTensor {
    /// A tensor of `shape`.
    ///
    /// # Errors
    /// [`Error::InputInvalid`] where the number of values does not fit the shape,
    /// [`Error::InputNotFinite`] for NaN and infinities.
    pub fn new(data: Vec<f32>, shape: Vec<usize>) -> Result<Self> {
        let count = shape.iter().try_fold(1usize, |count, &size| count.checked_mul(size));
        if shape.is_empty() || count != Some(data.len()) || data.is_empty() {
            return Err(Error::InputInvalid(format!(
                "The tensor's shape {shape:?} does not hold its {} values.",
                data.len()
            )));
        }
        check_finite(&data)?;
        Ok(Self { data, shape })
    }
}
