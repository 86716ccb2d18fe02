//! Numbers read back from the device.

use burn::tensor::{Tensor, TensorData};

use crate::{Error, Result};

/// Reads a row of numbers back from the device.
pub(crate) async fn read(tensor: Tensor<1>) -> Result<Vec<f32>> {
    floats(tensor.into_data_async().await.map_err(lost)?)
}

pub(crate) fn floats(data: TensorData) -> Result<Vec<f32>> {
    data.try_into_vec::<f32>().map_err(|error| Error::Internal(format!("{error:?}")))
}

pub(crate) fn lost(error: impl std::fmt::Debug) -> Error {
    Error::DeviceLost(format!("{error:?}"))
}
