//! From what a user has to what a network takes.

mod declared;
#[cfg(feature = "cli")]
mod files;
pub mod image;
pub mod labels;
pub mod layout;
pub mod parts;
pub mod picture;
pub mod preprocessing;
mod resample;
pub mod sound;
pub mod table;
pub mod text;

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
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
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

    /// The same tensor with one axis at another place.
    pub(crate) fn moved_axis(&self, from: usize, to: usize) -> Self {
        let rank = self.shape.len();
        let mut order: Vec<usize> = (0..rank).collect();
        let axis = order.remove(from);
        order.insert(to, axis);
        let mut steps = vec![1; rank];
        for axis in (0..rank.saturating_sub(1)).rev() {
            steps[axis] = steps[axis + 1] * self.shape[axis + 1];
        }
        let shape: Vec<usize> = order.iter().map(|&axis| self.shape[axis]).collect();
        let mut data = Vec::with_capacity(self.data.len());
        let mut at = vec![0; rank];
        for _ in 0..self.data.len() {
            let index: usize = order.iter().zip(&at).map(|(&axis, &place)| steps[axis] * place).sum();
            data.push(self.data[index]);
            for axis in (0..rank).rev() {
                at[axis] += 1;
                if at[axis] < shape[axis] {
                    break;
                }
                at[axis] = 0;
            }
        }
        Self { data, shape }
    }
}
