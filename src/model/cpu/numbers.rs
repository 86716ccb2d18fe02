//! Real numbers in the computer's own memory, and the memory that they leave.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use adversight_kernels as kernels;
use burn::tensor::{DType, Float, TensorData};

use crate::model::{
    exec::Array,
    value::{Ranked, with_ranked},
};

/// An array of real numbers.
pub struct Numbers {
    pub dims: Vec<usize>,
    pub data: Vec<f32>,
}

impl Array for Arc<Numbers> {
    fn of(value: Ranked<Float>) -> Result<Self, Ranked<Float>> {
        let flex = burn::tensor::Device::flex();
        let single = with_ranked!(&value, x => x.dtype() == DType::F32);
        if value.device() != flex || !single {
            return Err(value);
        }
        let dims = value.dims();
        // What has just been asked for cannot fail; were it to, the numbers would be missed at the next kernel.
        let data = value.flat().into_data().try_into_vec().unwrap_or_default();
        Ok(Self::new(Numbers { dims, data }))
    }

    fn into_ranked(self) -> Option<Ranked<Float>> {
        let (dims, data) = match Arc::try_unwrap(self) {
            Ok(numbers) => (numbers.dims, numbers.data),
            Err(shared) => (shared.dims.clone(), shared.data.clone()),
        };
        Ranked::from_data(TensorData::new(data, dims), &burn::tensor::Device::flex())
    }

    fn dims(&self) -> Vec<usize> {
        self.dims.clone()
    }
}

/// Memory that values have left, for the next ones: asking the system for it, and clearing it, would take a good part
/// of a run.
#[derive(Default)]
pub struct Pool(Mutex<Free>);

/// What was left last stands at the end.
#[derive(Default)]
struct Free {
    rooms: VecDeque<Vec<f32>>,
    elements: usize,
}

/// Elements that are kept between runs at most.
const KEPT: usize = 1 << 24;

/// How many samples of so many values to work on at once, `limit` at most: as many as one thread's caches hold well, and one at least, for
/// each thread, or for all of them where there is no memory for more. Two samples of EfficientNet-Lite0 at once take a thread a tenth
/// longer than one after the other.
pub fn at_once(values: usize, limit: usize) -> usize {
    const EACH: usize = 1 << 22;
    let each = (EACH / values.max(1)).max(1);
    let all = each * kernels::threads();
    if all <= limit { all } else { each.min(limit) }
}

/// Arrays that are kept between runs at most.
const ROOMS: usize = 512;

impl Pool {
    /// Room for so many elements, which may hold anything. Runs ask for the same sizes again and again, so that what is larger is left for
    /// those who ask for it.
    pub fn take(&self, count: usize) -> Vec<f32> {
        let left = |free: &mut Free| {
            // What was left last may still lie in the processor's cache.
            let found = free.rooms.iter().rposition(|room| room.len() == count)?;
            free.elements -= count;
            free.rooms.remove(found)
        };
        self.0.lock().ok().and_then(|mut free| left(&mut free)).unwrap_or_else(|| vec![0.0; count])
    }

    /// Takes back what no one else holds, in the place of what nobody has asked for the longest.
    pub fn give(&self, numbers: Arc<Numbers>) {
        if let Some(numbers) = Arc::into_inner(numbers)
            && let Ok(mut free) = self.0.lock()
        {
            free.elements += numbers.data.len();
            free.rooms.push_back(numbers.data);
            while free.elements > KEPT || free.rooms.len() > ROOMS {
                free.elements -= free.rooms.pop_front().map_or(0, |room| room.len());
            }
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
