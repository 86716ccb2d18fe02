//! Tensors whose rank is known only when a graph is loaded.
//!
//! Burn fixes a tensor's rank in its type; an ONNX graph fixes it in the file. [`Ranked`] bridges the two:
//! operators that do not care about the rank call its functions (those of `functions.rs` have Burn's names), the
//! others ask for the rank they need.

use std::any::Any;

use burn::tensor::{Bool, Float, Int, Tensor, TensorData, kind::Basic};

/// The highest rank that operators compute with. A value of more axes can be reshaped, transposed and cast, as networks do
/// that cut a volume into windows.
pub const MAX_RANK: usize = 6;

/// The highest rank of all.
const MOST_AXES: usize = 32;

/// A tensor of kind `K` and of any rank.
#[derive(Debug, Clone)]
pub enum Ranked<K: Basic> {
    /// A scalar, held as a tensor of one element.
    D0(Tensor<1, K>),
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
    /// Higher ranks: the elements in a row, and the sizes of the dimensions. A variant of Burn's for each rank would make
    /// every function larger for the few that such values meet.
    Wide(Tensor<1, K>, Box<[usize]>),
}

/// Applies an expression to the tensor inside a [`Ranked`], whatever its rank.
macro_rules! with_ranked {
    ($value:expr, $tensor:pat => $body:expr) => {
        match $value {
            $crate::model::value::Ranked::D0($tensor) => $body,
            $crate::model::value::Ranked::D1($tensor) => $body,
            $crate::model::value::Ranked::D2($tensor) => $body,
            $crate::model::value::Ranked::D3($tensor) => $body,
            $crate::model::value::Ranked::D4($tensor) => $body,
            $crate::model::value::Ranked::D5($tensor) => $body,
            $crate::model::value::Ranked::D6($tensor) => $body,
            $crate::model::value::Ranked::Wide($tensor, _) => $body,
        }
    };
}

/// Like `with_ranked!`, where the expression's result is a tensor of the same rank.
macro_rules! map_ranked {
    ($value:expr, $tensor:pat => $body:expr) => {
        match $value {
            $crate::model::value::Ranked::D0($tensor) => $crate::model::value::Ranked::D0($body),
            $crate::model::value::Ranked::D1($tensor) => $crate::model::value::Ranked::D1($body),
            $crate::model::value::Ranked::D2($tensor) => $crate::model::value::Ranked::D2($body),
            $crate::model::value::Ranked::D3($tensor) => $crate::model::value::Ranked::D3($body),
            $crate::model::value::Ranked::D4($tensor) => $crate::model::value::Ranked::D4($body),
            $crate::model::value::Ranked::D5($tensor) => $crate::model::value::Ranked::D5($body),
            $crate::model::value::Ranked::D6($tensor) => $crate::model::value::Ranked::D6($body),
            $crate::model::value::Ranked::Wide($tensor, dims) => {
                $crate::model::value::Ranked::Wide($body, dims.clone())
            }
        }
    };
}

/// Like `map_ranked!` for two values, which are brought to one rank first.
macro_rules! zip_ranked {
    ($left:expr, $right:expr, ($a:pat, $b:pat) => $body:expr) => {
        match $crate::model::value::same_rank($left, $right) {
            ($crate::model::value::Ranked::D0($a), $crate::model::value::Ranked::D0($b)) => {
                $crate::model::value::Ranked::D0($body)
            }
            ($crate::model::value::Ranked::D1($a), $crate::model::value::Ranked::D1($b)) => {
                $crate::model::value::Ranked::D1($body)
            }
            ($crate::model::value::Ranked::D2($a), $crate::model::value::Ranked::D2($b)) => {
                $crate::model::value::Ranked::D2($body)
            }
            ($crate::model::value::Ranked::D3($a), $crate::model::value::Ranked::D3($b)) => {
                $crate::model::value::Ranked::D3($body)
            }
            ($crate::model::value::Ranked::D4($a), $crate::model::value::Ranked::D4($b)) => {
                $crate::model::value::Ranked::D4($body)
            }
            ($crate::model::value::Ranked::D5($a), $crate::model::value::Ranked::D5($b)) => {
                $crate::model::value::Ranked::D5($body)
            }
            ($crate::model::value::Ranked::D6($a), $crate::model::value::Ranked::D6($b)) => {
                $crate::model::value::Ranked::D6($body)
            }
            // Nothing broadcasts here: operators do not get such values, and what is added up has one shape.
            ($crate::model::value::Ranked::Wide($a, dims), $crate::model::value::Ranked::Wide($b, _)) => {
                $crate::model::value::Ranked::Wide($body, dims)
            }
            _ => unreachable!("both values have been brought to one rank"),
        }
    };
}

pub(crate) use {map_ranked, with_ranked, zip_ranked};

impl<K: Basic + 'static> Ranked<K> {
    /// The sizes of all dimensions.
    pub fn dims(&self) -> Vec<usize> {
        match self {
            Self::D0(_) => Vec::new(),
            Self::Wide(_, dims) => dims.to_vec(),
            other => with_ranked!(other, tensor => tensor.dims().to_vec()),
        }
    }

    /// The number of dimensions.
    pub fn rank(&self) -> usize {
        match self {
            Self::D0(_) => 0,
            Self::Wide(_, dims) => dims.len(),
            other => with_ranked!(other, tensor => tensor.rank()),
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

    /// The tensor as one of rank `D`, or `None` where its rank is another; a scalar counts as rank 1.
    pub fn get<const D: usize>(&self) -> Option<Tensor<D, K>> {
        if let Self::Wide(..) = self {
            return None;
        }
        let any: &dyn Any = with_ranked!(self, tensor => tensor);
        any.downcast_ref::<Tensor<D, K>>().cloned()
    }

    /// The device that holds the elements.
    pub fn device(&self) -> burn::tensor::Device {
        with_ranked!(self, tensor => tensor.device())
    }

    /// The same elements in another shape of the same number of elements.
    pub fn reshape(self, dims: &[usize]) -> Option<Self> {
        fn to<const A: usize, const D: usize, K: Basic>(
            tensor: Tensor<A, K>,
            dims: [usize; D],
        ) -> Option<Tensor<D, K>> {
            (tensor.dims().iter().product::<usize>() == dims.iter().product::<usize>())
                .then(|| tensor.reshape(dims))
        }
        let before = self.dims();
        if before == dims {
            return Some(self);
        }
        dims.iter().try_fold(1usize, |count, &size| count.checked_mul(size))?;
        if before.contains(&0) {
            // Burn's reshape takes a size of 0 for "as it was".
            let empty = dims.iter().product::<usize>() == 0;
            return empty.then(|| self.emptied(dims)).flatten();
        }
        with_ranked!(self, tensor => match *dims {
            [] => to(tensor, [1]).map(Self::D0),
            [a] => to(tensor, [a]).map(Self::D1),
            [a, b] => to(tensor, [a, b]).map(Self::D2),
            [a, b, c] => to(tensor, [a, b, c]).map(Self::D3),
            [a, b, c, d] => to(tensor, [a, b, c, d]).map(Self::D4),
            [a, b, c, d, e] => to(tensor, [a, b, c, d, e]).map(Self::D5),
            [a, b, c, d, e, f] => to(tensor, [a, b, c, d, e, f]).map(Self::D6),
            _ if dims.len() > MOST_AXES => None,
            _ => to(tensor, [dims.iter().product()]).map(|row| Self::Wide(row, dims.into())),
        })
    }

    /// No element in the shape `dims`, one of whose sizes is 0.
    fn emptied(self, dims: &[usize]) -> Option<Self> {
        let device = self.device();
        let dtype = with_ranked!(&self, tensor => tensor.dtype());
        let dims = dims.to_vec();
        let nothing = match dtype {
            dtype if dtype.is_float() => TensorData::new(Vec::<f32>::new(), dims),
            dtype if dtype.is_bool() => TensorData::new(Vec::<bool>::new(), dims),
            _ => TensorData::new(Vec::<i64>::new(), dims),
        };
        Self::from_data(nothing, &device)
    }

    /// Leading dimensions of size 1 added until the rank is `rank`, as ONNX broadcasts do.
    pub fn with_rank(self, rank: usize) -> Option<Self> {
        let dims = self.dims();
        let missing = rank.checked_sub(dims.len())?;
        let dims: Vec<usize> = std::iter::repeat_n(1, missing).chain(dims).collect();
        self.reshape(&dims)
    }

    /// The value repeated along its dimensions of size 1 until it has the shape `dims`.
    pub fn expand(self, dims: &[usize]) -> Option<Self> {
        let value = self.with_rank(dims.len())?;
        if value.dims() == dims {
            return Some(value);
        }
        if value.dims().iter().zip(dims).any(|(&have, &want)| have != want && have != 1) {
            return None;
        }
        if dims.contains(&0) {
            return value.emptied(dims);
        }
        fn array<const D: usize>(dims: &[usize]) -> Option<[usize; D]> {
            dims.try_into().ok()
        }
        Some(map_ranked!(value, tensor => expand(tensor, array(dims)?)))
    }

    /// A value with the contents of `data`.
    pub(crate) fn from_data(data: TensorData, device: &burn::tensor::Device) -> Option<Self> {
        Some(match data.shape().len() {
            0 => {
                let (bytes, _, dtype) = data.into_parts();
                Self::D0(Tensor::from_data(TensorData::from_bytes(bytes, [1], dtype), device))
            }
            1 => Self::D1(Tensor::from_data(data, device)),
            2 => Self::D2(Tensor::from_data(data, device)),
            3 => Self::D3(Tensor::from_data(data, device)),
            4 => Self::D4(Tensor::from_data(data, device)),
            5 => Self::D5(Tensor::from_data(data, device)),
            6 => Self::D6(Tensor::from_data(data, device)),
            rank if rank > MOST_AXES => return None,
            _ => {
                let dims: Vec<usize> = data.shape().iter().copied().collect();
                let (bytes, _, dtype) = data.into_parts();
                let row = TensorData::from_bytes(bytes, [dims.iter().product::<usize>()], dtype);
                Self::Wide(Tensor::from_data(row, device), dims.into())
            }
        })
    }

    /// All elements in a row.
    pub(crate) fn flat(self) -> Tensor<1, K> {
        let count = self.len();
        if let (0, Some(Self::D1(nothing))) = (count, self.clone().emptied(&[0])) {
            return nothing;
        }
        with_ranked!(self, tensor => tensor.reshape([count]))
    }
}

/// Two values with the rank of the larger, as ONNX broadcasts them.
pub(crate) fn same_rank<A: Basic + 'static, B: Basic + 'static>(
    left: Ranked<A>,
    right: Ranked<B>,
) -> (Ranked<A>, Ranked<B>) {
    fn lifted<K: Basic + 'static>(value: Ranked<K>, rank: usize) -> Ranked<K> {
        if value.rank() == rank { value } else { value.clone().with_rank(rank).unwrap_or(value) }
    }
    let rank = left.rank().max(right.rank());
    (lifted(left, rank), lifted(right, rank))
}

fn expand<const D: usize, K: Basic>(tensor: Tensor<D, K>, dims: [usize; D]) -> Tensor<D, K> {
    tensor.expand(dims)
}

macro_rules! from_tensor {
    ($($variant:ident = $rank:literal),*) => {
        $(impl<K: Basic> From<Tensor<$rank, K>> for Ranked<K> {
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

/// Whole numbers in the range of Burn's, which have 32 bits: files write the largest of 64 for "up to the end".
pub(crate) fn whole(data: TensorData) -> TensorData {
    let fits = |value: &i64| i32::try_from(*value).is_ok();
    match data.as_slice::<i64>() {
        Ok(values) if !values.iter().all(fits) => {
            let (low, high) = (i64::from(i32::MIN), i64::from(i32::MAX));
            let kept: Vec<i64> = values.iter().map(|&value| value.clamp(low, high)).collect();
            TensorData::new(kept, data.shape().clone())
        }
        _ => data,
    }
}

/// Applies an expression to the [`Ranked`] inside a [`Value`], whatever its kind.
macro_rules! with_value {
    ($value:expr, $ranked:pat => $body:expr) => {
        match $value {
            $crate::model::value::Value::Float($ranked) => $body,
            $crate::model::value::Value::Int($ranked) => $body,
            $crate::model::value::Value::Bool($ranked) => $body,
        }
    };
}

/// Like `with_value!`, where the expression's result is a [`Ranked`] of the same kind.
macro_rules! map_value {
    ($value:expr, $ranked:pat => $body:expr) => {
        match $value {
            $crate::model::value::Value::Float($ranked) => $crate::model::value::Value::Float($body),
            $crate::model::value::Value::Int($ranked) => $crate::model::value::Value::Int($body),
            $crate::model::value::Value::Bool($ranked) => $crate::model::value::Value::Bool($body),
        }
    };
}

/// Like `map_value!` for operations that only move elements: Burn moves truth values as whole numbers, because some
/// of its kernels lose what they are.
macro_rules! move_elements {
    ($value:expr, $tensor:pat => $body:expr) => {
        match $value {
            $crate::model::value::Value::Float(ranked) => {
                $crate::model::value::Value::Float($crate::model::value::map_ranked!(ranked, $tensor => $body))
            }
            $crate::model::value::Value::Int(ranked) => {
                $crate::model::value::Value::Int($crate::model::value::map_ranked!(ranked, $tensor => $body))
            }
            $crate::model::value::Value::Bool(ranked) => {
                let ranked = $crate::model::value::map_ranked!(ranked, x => x.int());
                let moved: $crate::model::value::Ranked<burn::tensor::Int> =
                    $crate::model::value::map_ranked!(ranked, $tensor => $body);
                $crate::model::value::Value::Bool(
                    $crate::model::value::map_ranked!(moved, x => x.not_equal_elem(0)),
                )
            }
        }
    };
}

pub(crate) use {map_value, move_elements};

impl Value {
    /// The sizes of all dimensions.
    pub fn dims(&self) -> Vec<usize> {
        with_value!(self, ranked => ranked.dims())
    }

    /// The number of dimensions.
    pub fn rank(&self) -> usize {
        with_value!(self, ranked => ranked.rank())
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.dims().iter().product()
    }

    /// Whether there is no element at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The device that holds the elements.
    pub fn device(&self) -> burn::tensor::Device {
        with_value!(self, ranked => ranked.device())
    }

    /// The same elements in another shape.
    pub(crate) fn reshape(self, dims: &[usize]) -> Result<Self, String> {
        let before = self.dims();
        let reason = || format!("its {before:?} elements do not fill the shape {dims:?}");
        Ok(map_value!(self, ranked => ranked.reshape(dims).ok_or_else(reason)?))
    }

    /// The contents of `data` on a device: f16 and f64 as f32, every integer type as Burn's own.
    pub(crate) fn from_data(data: TensorData, device: &burn::tensor::Device) -> Option<Self> {
        let dtype = data.dtype();
        if dtype.is_float() {
            Ranked::from_data(data.convert::<f32>(), device).map(Self::Float)
        } else if dtype.is_bool() {
            Ranked::from_data(data, device).map(Self::Bool)
        } else if dtype.is_int() || dtype.is_uint() {
            Ranked::from_data(whole(data.convert::<i64>()), device).map(Self::Int)
        } else {
            None
        }
    }

    /// A copy on another device of what lies on the host; `None` for what does not: nothing is read back from a GPU.
    pub(crate) fn uploaded(&self, device: &burn::tensor::Device) -> Option<Self> {
        if self.device() != burn::tensor::Device::flex() {
            return None;
        }
        Some(map_value!(self, ranked => {
            let dims = ranked.dims();
            Ranked::from_data(ranked.clone().flat().into_data(), device)?.reshape(&dims)?
        }))
    }
}

macro_rules! from_ranked {
    ($($kind:ident),*) => {
        $(
            impl From<Ranked<$kind>> for Value {
                fn from(ranked: Ranked<$kind>) -> Self {
                    Self::$kind(ranked)
                }
            }

            impl<const D: usize> From<Tensor<D, $kind>> for Value
            where
                Ranked<$kind>: From<Tensor<D, $kind>>,
            {
                fn from(tensor: Tensor<D, $kind>) -> Self {
                    Self::$kind(tensor.into())
                }
            }
        )*
    };
}

from_ranked!(Float, Int, Bool);
