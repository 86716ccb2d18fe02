//! Real numbers in a GPU's memory.

use burn::tensor::{DType, Float, Int, Tensor};
use burn_cubecl::{
    CubeBackend, kernel::into_contiguous, ops::numeric::empty_device_contiguous_dtype, tensor::CubeTensor,
};
use cubecl::{client::Client, prelude::*};

use crate::model::value::{Ranked, with_ranked};

/// An array of 32-bit numbers, row by row. Cloning shares the memory.
#[derive(Clone)]
pub(crate) struct Buffer {
    pub dims: Vec<usize>,
    cube: CubeTensor,
}

/// Threads of a group, in a row: a multiple of what any GPU runs in step, and no more than every browser allows.
pub(super) const GROUP: u32 = 64;

/// Groups that a call may have along one axis.
const MOST_GROUPS: u32 = 65_535;

impl Buffer {
    /// The numbers of a tensor, or nothing where it lies on another device or holds something else.
    pub fn of(value: &Ranked<Float>) -> Option<Self> {
        let dims = value.dims();
        let cube = with_ranked!(value, x => {
            let x = if x.is_autodiff() { x.clone().inner() } else { x.clone() };
            x.try_into_primitive::<CubeBackend>().ok()?
        });
        (cube.dtype == DType::F32 && cube.qparams.is_none() && !dims.contains(&0))
            .then(|| Self { dims, cube: into_contiguous(cube) })
    }

    /// Whole numbers, which a kernel reads as words.
    pub fn whole(values: Tensor<1, Int>) -> Option<Self> {
        let dims = values.dims().to_vec();
        let cube = values.try_into_primitive::<CubeBackend>().ok()?;
        (cube.dtype == DType::I32).then(|| Self { dims, cube: into_contiguous(cube) })
    }

    /// The numbers as a tensor; nothing is copied.
    pub fn into_ranked(self) -> Option<Ranked<Float>> {
        let flat = Tensor::<1>::from_primitive::<CubeBackend>(self.shaped(&[self.len()]).cube);
        Ranked::from(flat).reshape(&self.dims)
    }

    /// Room for an array on the device of this one; it may hold anything.
    pub fn room(&self, dims: Vec<usize>) -> Self {
        let shape = dims.clone().into();
        let (client, device) = (self.cube.client.clone(), self.cube.device.clone());
        Self { cube: empty_device_contiguous_dtype(client, device, shape, DType::F32), dims }
    }

    /// The same numbers in another shape.
    pub fn shaped(&self, dims: &[usize]) -> Self {
        let Self { cube, .. } = self.clone();
        let (client, device, handle) = (cube.client, cube.device, cube.handle);
        let cube = CubeTensor::new_contiguous(client, device, dims.to_vec().into(), handle, DType::F32);
        Self { dims: dims.to_vec(), cube }
    }

    pub fn len(&self) -> usize {
        self.dims.iter().product()
    }

    /// As an argument of a kernel.
    pub(super) fn arg(&self) -> BufferArg {
        self.cube.clone().into_buffer_arg()
    }

    pub fn client(&self) -> &Client {
        &self.cube.client
    }
}

/// An argument that may be left out; the kernel is then compiled without it.
pub(super) fn optional(array: Option<&Buffer>) -> ComptimeOptionArgs<&'static [f32]> {
    array.map(Buffer::arg).into()
}

/// The groups that are needed for one thread each of `count`.
pub(super) fn groups(count: usize) -> CubeCount {
    let all = count.div_ceil(GROUP as usize) as u32;
    let rows = all.div_ceil(MOST_GROUPS);
    CubeCount::Static(all.div_ceil(rows.max(1)), rows.max(1), 1)
}
