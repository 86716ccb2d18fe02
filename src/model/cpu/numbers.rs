//! Real numbers in the computer's own memory, and the memory that they leave.

use std::sync::{Arc, Mutex};

use adversight_kernels as kernels;
use burn::tensor::TensorData;

use crate::{
    Error, Result,
    model::value::{Ranked, Value},
};

/// An array of real numbers.
pub struct Numbers {
    pub dims: Vec<usize>,
    pub data: Vec<f32>,
}

impl Numbers {
    fn zeros(dims: Vec<usize>) -> Self {
        Self { data: vec![0.0; dims.iter().product()], dims }
    }
}

/// A value during a run: as its last reader or writer had it.
#[derive(Clone)]
pub enum Held {
    Numbers(Arc<Numbers>),
    Value(Box<Value>),
    /// Real numbers of this shape that nobody has computed: zeros, where someone reads them.
    Blank(Vec<usize>),
}

impl From<Numbers> for Held {
    fn from(numbers: Numbers) -> Self {
        Self::Numbers(Arc::new(numbers))
    }
}

impl From<Value> for Held {
    fn from(value: Value) -> Self {
        Self::Value(Box::new(value))
    }
}

impl Held {
    /// The sizes of all dimensions.
    pub fn dims(&self) -> Vec<usize> {
        match self {
            Self::Numbers(numbers) => numbers.dims.clone(),
            Self::Value(value) => value.dims(),
            Self::Blank(dims) => dims.clone(),
        }
    }

    /// Whether it holds real numbers.
    pub fn is_real(&self) -> bool {
        match self {
            Self::Numbers(_) | Self::Blank(_) => true,
            Self::Value(value) => matches!(**value, Value::Float(_)),
        }
    }

    /// As numbers, or `None` where it holds something else. Nothing is copied where no one else holds it.
    pub fn numbers(self) -> Option<Arc<Numbers>> {
        match self {
            Self::Numbers(numbers) => Some(numbers),
            Self::Blank(dims) => Some(Arc::new(Numbers::zeros(dims))),
            Self::Value(value) => {
                let Value::Float(value) = *value else { return None };
                let dims = value.dims();
                let data = value.flat().into_data().try_into_vec().ok()?;
                Some(Arc::new(Numbers { dims, data }))
            }
        }
    }

    /// As a tensor. Nothing is copied where no one else holds it.
    pub fn value(self) -> Result<Value> {
        match self {
            Self::Value(value) => Ok(*value),
            Self::Blank(dims) => Self::from(Numbers::zeros(dims)).value(),
            Self::Numbers(numbers) => {
                let (dims, data) = match Arc::try_unwrap(numbers) {
                    Ok(numbers) => (numbers.dims, numbers.data),
                    Err(shared) => (shared.dims.clone(), shared.data.clone()),
                };
                let data = TensorData::new(data, dims);
                let value = Ranked::from_data(data, &burn::tensor::Device::flex());
                let lost = || Error::Internal("an array has too many dimensions".into());
                Ok(Value::Float(value.ok_or_else(lost)?))
            }
        }
    }
}

/// Memory that values have left, for the next ones: asking the system for it, and clearing it, would take a good part
/// of a run.
#[derive(Default)]
pub struct Pool(Mutex<Vec<Vec<f32>>>);

/// Elements that a run should compute at most, all values together, and that are kept between runs.
pub const AT_ONCE: usize = 1 << 24;

impl Pool {
    /// Room for so many elements, which may hold anything.
    pub fn take(&self, count: usize) -> Vec<f32> {
        let mut found = Vec::new();
        if let Ok(mut free) = self.0.lock() {
            let fits = |room: &Vec<f32>| (count..=2 * count + 1024).contains(&room.len());
            let best = (0..free.len()).filter(|&i| fits(&free[i])).min_by_key(|&i| free[i].len());
            if let Some(best) = best {
                found = free.swap_remove(best);
            }
        }
        if found.is_empty() {
            return vec![0.0; count];
        }
        found.truncate(count);
        found
    }

    /// Takes back what no one else holds.
    pub fn give(&self, held: Option<Held>) {
        if let Some(Held::Numbers(numbers)) = held
            && let Some(numbers) = Arc::into_inner(numbers)
            && let Ok(mut free) = self.0.lock()
            && free.iter().map(Vec::len).sum::<usize>() + numbers.data.len() <= AT_ONCE
        {
            free.push(numbers.data);
        }
    }

    /// The numbers to change in place: the same ones where no one else holds them, else a copy.
    pub fn own(&self, numbers: Arc<Numbers>) -> Numbers {
        Arc::try_unwrap(numbers).unwrap_or_else(|shared| {
            let mut data = self.take(shared.data.len());
            kernels::copy(&mut data, &shared.data);
            Numbers { dims: shared.dims.clone(), data }
        })
    }
}
