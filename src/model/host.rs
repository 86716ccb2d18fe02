//! Values on the host: what goes into a graph and what comes out of it.

use burn::tensor::{Device, TensorData};
use serde::{Deserialize, Serialize};

use super::{
    ValueInfo,
    value::{Value, with_ranked},
};
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

    /// The value in the type that an input declares, where nothing is lost by it: a file of real numbers may hold the
    /// integers of an input, or its truth values.
    ///
    /// # Errors
    /// [`Error::InputInvalid`] for numbers that the type does not have.
    pub(super) fn for_input(self, info: &ValueInfo) -> Result<Self> {
        let (is_real, is_bool) = (info.element_type.contains("float"), info.element_type == "bool");
        let wrong = |what: &str| {
            Err(Error::InputInvalid(format!(
                "Input \"{}\" holds {}, and {what} was given.",
                info.name, info.element_type
            )))
        };
        let fitting = match self {
            Self::Float { data, shape } if is_bool => {
                if let Some(other) = data.iter().find(|&&value| value != 0.0 && value != 1.0) {
                    return wrong(&other.to_string());
                }
                Self::Bool { data: data.iter().map(|&value| value != 0.0).collect(), shape }
            }
            Self::Float { data, shape } if !is_real => {
                if let Some(other) = data.iter().find(|value| value.fract() != 0.0) {
                    return wrong(&other.to_string());
                }
                Self::Int { data: data.iter().map(|&value| value as i64).collect(), shape }
            }
            Self::Int { data, shape } if is_real => {
                Self::Float { data: data.iter().map(|&value| value as f32).collect(), shape }
            }
            Self::Int { data, shape } if is_bool => {
                if let Some(other) = data.iter().find(|&&value| value != 0 && value != 1) {
                    return wrong(&other.to_string());
                }
                Self::Bool { data: data.iter().map(|&value| value != 0).collect(), shape }
            }
            Self::Bool { data, shape } if is_real => {
                Self::Float { data: data.iter().map(|&value| f32::from(u8::from(value))).collect(), shape }
            }
            Self::Bool { data, shape } if !is_bool => {
                Self::Int { data: data.iter().map(|&value| i64::from(value)).collect(), shape }
            }
            fitting => fitting,
        };
        if let Self::Int { data, .. } = &fitting
            && let Some(other) = data.iter().find(|&&number| !in_range(number, &info.element_type))
        {
            return wrong(&other.to_string());
        }
        Ok(fitting)
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

    /// Its numbers as real ones.
    ///
    /// # Errors
    /// [`Error::InputShape`] or [`Error::InputInvalid`] where its shape does not hold them.
    pub fn into_real(self) -> Result<HostTensor> {
        let (data, shape) = match self {
            Self::Float { data, shape } => (data, shape),
            Self::Int { data, shape } => (data.into_iter().map(|value| value as f32).collect(), shape),
            Self::Bool { data, shape } => {
                (data.into_iter().map(|value| f32::from(u8::from(value))).collect(), shape)
            }
        };
        HostTensor::new(data, shape)
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

/// Whether an element type of whole numbers holds this one: 0 to 255 for `uint8`. Types of 64 bits hold every number there is here,
/// but no negative one where they have no sign.
fn in_range(number: i64, element_type: &str) -> bool {
    let bits: Option<u32> = element_type.trim_start_matches(|c: char| !c.is_ascii_digit()).parse().ok();
    match (element_type.starts_with("uint"), bits) {
        (true, Some(bits)) if bits < 64 => (0..1i64 << bits).contains(&number),
        (true, _) => number >= 0,
        (false, Some(bits)) if (1..64).contains(&bits) => {
            (-(1i64 << (bits - 1))..1i64 << (bits - 1)).contains(&number)
        }
        (false, _) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_lie_in_the_range_of_their_type() {
        for (element_type, least, greatest) in [
            ("uint8", 0, 255),
            ("int8", -128, 127),
            ("uint16", 0, 65_535),
            ("int32", -(1 << 31), (1 << 31) - 1),
        ] {
            assert!(in_range(least, element_type) && in_range(greatest, element_type), "{element_type}");
            assert!(
                !in_range(least - 1, element_type) && !in_range(greatest + 1, element_type),
                "{element_type}"
            );
        }
        assert!(in_range(i64::MIN, "int64") && in_range(i64::MAX, "uint64") && !in_range(-1, "uint64"));
    }

    #[test]
    fn numbers_that_a_type_does_not_have_are_refused() {
        let info = |element_type: &str| ValueInfo {
            name: "x".into(),
            shape: vec![Some(2)],
            symbols: vec![None],
            element_type: element_type.into(),
        };
        let pixels = || HostValue::Int { data: vec![0, 255], shape: vec![2] };
        assert_eq!(pixels().for_input(&info("uint8")), Ok(pixels()));
        assert!(pixels().for_input(&info("int8")).is_err());
        assert!(pixels().for_input(&info("bool")).is_err());
        let real = HostValue::Float { data: vec![0.0, 256.0], shape: vec![2] };
        assert!(real.for_input(&info("uint8")).is_err());
    }
}
