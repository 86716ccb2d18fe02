//! Real numbers in the computer's own memory, and the memory that they leave.

use std::{
    collections::{HashMap, VecDeque},
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
    rooms: VecDeque<Room>,
    elements: usize,
    /// How many arrays of a size are in use. What has come from elsewhere, as an input, is not kept: each run would bring one more.
    lent: HashMap<usize, usize>,
    runs: usize,
}

struct Room {
    data: Vec<f32>,
    /// The run that left it.
    run: usize,
}

/// Elements that are kept between runs at most.
const KEPT: usize = 1 << 24;

/// For how many runs nobody has to ask for an array until it is given back to the system.
const IDLE: usize = 64;

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
    /// Tells that a run begins: what none of the last ones has asked for goes.
    pub fn begin(&self) {
        if let Ok(mut free) = self.0.lock() {
            free.runs += 1;
            while free.rooms.front().is_some_and(|room| room.run + IDLE < free.runs) {
                free.drop_oldest();
            }
        }
    }

    /// Room for so many elements, which may hold anything. Runs ask for the same sizes again and again, so that what is larger is left for
    /// those who ask for it.
    pub fn take(&self, count: usize) -> Vec<f32> {
        self.0.lock().ok().and_then(|mut free| free.take(count)).unwrap_or_else(|| vec![0.0; count])
    }

    /// Takes back what no one else holds, in the place of what nobody has asked for the longest.
    pub fn give(&self, numbers: Arc<Numbers>) {
        if let Some(Numbers { data, .. }) = Arc::into_inner(numbers)
            && let Ok(mut free) = self.0.lock()
        {
            free.give(data);
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

impl Free {
    fn take(&mut self, count: usize) -> Option<Vec<f32>> {
        *self.lent.entry(count).or_default() += 1;
        // What was left last may still lie in the processor's cache.
        let found = self.rooms.iter().rposition(|room| room.data.len() == count)?;
        self.elements -= count;
        Some(self.rooms.remove(found)?.data)
    }

    fn give(&mut self, data: Vec<f32>) {
        let Some(lent) = self.lent.get_mut(&data.len()).filter(|lent| **lent > 0) else { return };
        *lent -= 1;
        self.elements += data.len();
        self.rooms.push_back(Room { data, run: self.runs });
        while self.elements > KEPT || self.rooms.len() > ROOMS {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        self.elements -= self.rooms.pop_front().map_or(0, |room| room.data.len());
    }
}
