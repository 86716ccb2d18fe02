//! Tensors whose rank is known only when a graph is loaded.
//!
//! Burn fixes a tensor's rank in its type; an ONNX graph fixes it in the file. [`Ranked`] bridges the two:
//! operators that do not care about the rank use [`map_ranked!`], the others ask for the rank they need.

use std::any::Any;

use burn::tensor::{Bool, Float, Int, Tensor, TensorData};

use crate::Device;

/// The highest rank that a value of the graph may have.
pub const MAX_RANK: usize = 6;

/// A tensor of kind `K` and of any rank from 1 to [`MAX_RANK`].
#[derive(Debug, Clone)]
pub enum Ranked<K: burn::tensor::kind::Basic> {
    /// Rank 1.
    D1(Tensor<1, K>),
    /// Rank 2.
    D2(Tensor<2, K>),
    /// Rank 3.
    D3(Tensor<3, K>),
    /// Rank 4.
    D4(Tensor<4, K>),
    /// Rank 5.
    D5(Tensor<5, K>),
    /// Rank 6.
    D6(Tensor<6, K>),
}

/// Applies an expression to the tensor inside a [`Ranked`], whatever its rank.
macro_rules! with_ranked {
    ($value:expr, $tensor:ident => $body:expr) => {
        match $value {
            $crate::model::value::Ranked::D1($tensor) => $body,
            $crate::model::value::Ranked::D2($tensor) => $body,
            $crate::model::value::Ranked::D3($tensor) => $body,
            $crate::model::value::Ranked::D4($tensor) => $body,
            $crate::model::value::Ranked::D5($tensor) => $body,
            $crate::model::value::Ranked::D6($tensor) => $body,
        }
    };
}

/// Like `with_ranked!`, where the expression's result is a tensor of the same rank.
macro_rules! map_ranked {
    ($value:expr, $tensor:ident => $body:expr) => {
        match $value {
            $crate::model::value::Ranked::D1($tensor) => $crate::model::value::Ranked::D1($body),
            $crate::model::value::Ranked::D2($tensor) => $crate::model::value::Ranked::D2($body),
            $crate::model::value::Ranked::D3($tensor) => $crate::model::value::Ranked::D3($body),
            $crate::model::value::Ranked::D4($tensor) => $crate::model::value::Ranked::D4($body),
            $crate::model::value::Ranked::D5($tensor) => $crate::model::value::Ranked::D5($body),
            $crate::model::value::Ranked::D6($tensor) => $crate::model::value::Ranked::D6($body),
        }
    };
}

pub(crate) use map_ranked;
#[cfg(test)]
pub(crate) use with_ranked;

impl<K: burn::tensor::kind::Basic + 'static> Ranked<K> {
    /// The sizes of all dimensions.
    pub fn dims(&self) -> Vec<usize> {
        with_ranked!(self, tensor => tensor.dims().to_vec())
    }

    /// The number of dimensions.
    pub fn rank(&self) -> usize {
        with_ranked!(self, tensor => tensor.rank())
    }

    /// The tensor as one of rank `D`, or `None` where its rank is another.
    pub fn get<const D: usize>(&self) -> Option<Tensor<D, K>> {
        let any: &dyn Any = with_ranked!(self, tensor => tensor);
        any.downcast_ref::<Tensor<D, K>>().cloned()
    }

    /// The same elements in another shape of 1 to [`MAX_RANK`] dimensions and the same number of elements.
    pub fn reshape(self, dims: &[usize]) -> Option<Self> {
        fn to<const A: usize, const D: usize, K: burn::tensor::kind::Basic>(
            tensor: Tensor<A, K>,
            dims: &[usize],
        ) -> Option<Tensor<D, K>> {
            let dims: [usize; D] = dims.try_into().ok()?;
            (tensor.dims().iter().product::<usize>() == dims.iter().product::<usize>())
                .then(|| tensor.reshape(dims))
        }
        with_ranked!(self, tensor => match dims.len() {
            1 => to(tensor, dims).map(Self::D1),
            2 => to(tensor, dims).map(Self::D2),
            3 => to(tensor, dims).map(Self::D3),
            4 => to(tensor, dims).map(Self::D4),
            5 => to(tensor, dims).map(Self::D5),
            6 => to(tensor, dims).map(Self::D6),
            _ => None,
        })
    }

    /// Leading dimensions of size 1 added until the rank is `rank`, as ONNX broadcasts do.
    pub fn with_rank(self, rank: usize) -> Option<Self> {
        let dims = self.dims();
        if dims.len() == rank {
            return Some(self);
        }
        let missing = rank.checked_sub(dims.len())?;
        let dims: Vec<usize> = std::iter::repeat_n(1, missing).chain(dims).collect();
        self.reshape(&dims)
    }

    /// A value with the contents of `data`; a scalar (rank 0) becomes a tensor of one element.
    pub(crate) fn from_data(data: TensorData, device: &burn::tensor::Device) -> Option<Self> {
        Some(match data.shape().len() {
            0 => {
                let (bytes, _, dtype) = data.into_parts();
                Self::D1(Tensor::from_data(TensorData::from_bytes(bytes, [1], dtype), device))
            }
            1 => Self::D1(Tensor::from_data(data, device)),
            2 => Self::D2(Tensor::from_data(data, device)),
            3 => Self::D3(Tensor::from_data(data, device)),
            4 => Self::D4(Tensor::from_data(data, device)),
            5 => Self::D5(Tensor::from_data(data, device)),
            6 => Self::D6(Tensor::from_data(data, device)),
            _ => return None,
        })
    }
}

macro_rules! from_tensor {
    ($($variant:ident = $rank:literal),*) => {
        $(impl<K: burn::tensor::kind::Basic> From<Tensor<$rank, K>> for Ranked<K> {
            fn from(tensor: Tensor<$rank, K>) -> Self {
                Self::$variant(tensor)
            }
        })*
    };
}

from_tensor!(D1 = 1, D2 = 2, D3 = 3, D4 = 4, D5 = 5, D6 = 6);

/// One value of a graph.
#[derive(Debug, Clone)]
pub enum Value {
    /// Real numbers; every floating-point type of the file is computed in 32 bits.
    Float(Ranked<Float>),
    /// Whole numbers.
    Int(Ranked<Int>),
    /// Truth values.
    Bool(Ranked<Bool>),
}

impl Value {
    /// The sizes of all dimensions.
    pub fn dims(&self) -> Vec<usize> {
        match self {
            Self::Float(tensor) => tensor.dims(),
            Self::Int(tensor) => tensor.dims(),
            Self::Bool(tensor) => tensor.dims(),
        }
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.dims().iter().product()
    }

    /// Whether there is no element at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A constant of the file on `device`, f16 and f64 converted to f32, every integer type to Burn's own.
    pub(crate) fn from_constant(data: TensorData, device: &Device) -> Option<Self> {
        let dtype = data.dtype();
        if dtype.is_float() {
            Ranked::from_data(data.convert::<f32>(), device.burn()).map(Self::Float)
        } else if dtype.is_bool() {
            Ranked::from_data(data, device.burn()).map(Self::Bool)
        } else if dtype.is_int() || dtype.is_uint() {
            Ranked::from_data(data.convert::<i64>(), device.burn()).map(Self::Int)
        } else {
            None
        }
    }
}

impl<const D: usize> From<Tensor<D>> for Value
where
    Ranked<Float>: From<Tensor<D>>,
{
    fn from(tensor: Tensor<D>) -> Self {
        Self::Float(tensor.into())
    }
}
