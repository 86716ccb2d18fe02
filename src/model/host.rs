//! Values on the host: what goes into a graph and what comes out of it.

use burn::tensor::{Device, TensorData};
use serde::{Deserialize, Serialize};

use super::value::{Value, with_ranked};
use crate::{Error, Result, input::HostTensor};

/// A tensor on the host, of any kind that a graph computes with; last dimension fastest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "kind")]
pub enum HostValue {
    /// Real numbers.
    Float {
        /// The values.
        data: Vec<f32>,
        /// Sizes of the dimensions; none for a scalar.
        shape: Vec<usize>,
    },
    /// Whole numbers.
    Int {
        /// The values.
        data: Vec<i64>,
        /// Sizes of the dimensions; none for a scalar.
        shape: Vec<usize>,
    },
    /// Truth values.
    Bool {
        /// The values.
        data: Vec<bool>,
        /// Sizes of the dimensions; none for a scalar.
        shape: Vec<usize>,
    },
}

impl From<HostTensor> for HostValue {
    fn from(tensor: HostTensor) -> Self {
        Self::Float { data: tensor.data, shape: tensor.shape }
    }
}

impl HostValue {
    /// Sizes of the dimensions.
    pub fn shape(&self) -> &[usize] {
        match self {
            Self::Float { shape, .. } | Self::Int { shape, .. } | Self::Bool { shape, .. } => shape,
        }
    }

    /// Number of values.
    pub fn len(&self) -> usize {
        match self {
            Self::Float { data, .. } => data.len(),
            Self::Int { data, .. } => data.len(),
            Self::Bool { data, .. } => data.len(),
        }
    }

    /// Whether there is no value at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value on a device; whole numbers and truth values stay on the host, where shapes are computed.
    pub(super) fn upload(self, name: &str, device: &Device) -> Result<Value> {
        let count = self.shape().iter().try_fold(1usize, |count, &size| count.checked_mul(size));
        if count != Some(self.len()) {
            return Err(Error::InputInvalid(format!(
                "The shape {:?} of input \"{name}\" does not hold its {} values.",
                self.shape(),
                self.len()
            )));
        }
        let host = Device::flex();
        let value = match self {
            Self::Float { data, shape } => Value::from_data(TensorData::new(data, shape), device),
            Self::Int { data, shape } => Value::from_data(TensorData::new(data, shape), &host),
            Self::Bool { data, shape } => Value::from_data(TensorData::new(data, shape), &host),
        };
        value.ok_or_else(|| Error::InputInvalid(format!("Input \"{name}\" has too many dimensions.")))
    }

    /// Reads a value back from its device.
    pub(super) async fn read(value: Value) -> Result<Self> {
        let shape = value.dims();
        let lost = |error: String| Error::DeviceLost(error);
        macro_rules! data {
            ($ranked:expr) => {
                with_ranked!($ranked, tensor => tensor.into_data_async().await).map_err(|error| lost(format!("{error:?}")))?
            };
        }
        let wrong = |error| Error::Internal(format!("{error:?}"));
        Ok(match value {
            Value::Float(ranked) => Self::Float { data: data!(ranked).try_into_vec().map_err(wrong)?, shape },
            Value::Int(ranked) => {
                Self::Int { data: data!(ranked).convert::<i64>().try_into_vec().map_err(wrong)?, shape }
            }
            Value::Bool(ranked) => Self::Bool { data: data!(ranked).iter::<bool>().collect(), shape },
        })
    }

    /// Zeros in place of an input that nobody gave.
    pub(super) fn blank(float: bool, shape: Vec<usize>) -> Self {
        let count = shape.iter().product();
        match float {
            true => Self::Float { data: vec![0.0; count], shape },
            false => Self::Int { data: vec![0; count], shape },
        }
    }
}
