//! Convolutions of two dimensions, and the gradients of their inputs.
//!
//! Both ways are one kernel: from a source (the input, or the output's gradient) to a target (the output, or the input's
//! gradient). A thread computes a few places of four or eight channels of the target, so that a weight is read once for
//! all places and a number once for all channels.

use adversight_kernels::Shape;
use cubecl::prelude::*;

use super::{
    buffer::{Buffer, GROUP, groups, optional},
    elementwise::{Finish, finish, finite, within},
};

/// The sizes of a window and of the planes it goes over.
#[derive(CubeLaunch, CubeType, Clone, Copy)]
pub(super) struct Planes {
    pub kernel_h: i32,
    pub kernel_w: i32,
    pub stride_h: i32,
    pub stride_w: i32,
    pub dilation_h: i32,
    pub dilation_w: i32,
    pub before_h: i32,
    pub before_w: i32,
    pub source_h: i32,
    pub source_w: i32,
    pub target_h: i32,
    pub target_w: i32,
}

pub(super) fn planes(shape: &Shape, back: bool) -> PlanesLaunch {
    let (source, target) = if back { (shape.output, shape.input) } else { (shape.input, shape.output) };
    let pair = |sizes: [usize; 2]| sizes.map(|size| size as i32);
    let [kernel, strides, dilations, before] =
        [shape.kernel, shape.strides, shape.dilations, shape.before].map(pair);
    let [source, target] = [source, target].map(pair);
    PlanesLaunch::new(
        kernel[0],
        kernel[1],
        strides[0],
        strides[1],
        dilations[0],
        dilations[1],
        before[0],
        before[1],
        source[0],
        source[1],
        target[0],
        target[1],
    )
}

/// Where along one axis the source lies that a place of the target sees through a tap; -1 where there is none.
#[cube]
fn seen(
    at: i32,
    tap: i32,
    stride: i32,
    dilation: i32,
    before: i32,
    size: i32,
    #[comptime] back: bool,
    #[comptime] strided: bool,
) -> i32 {
    if comptime!(!back) {
        let place = at * stride + tap * dilation - before;
        select(place >= 0i32 && place < size, place, -1i32)
    } else if comptime!(strided) {
        let far = at + before - tap * dilation;
        let place = far / stride;
        select(far >= 0i32 && place * stride == far && place < size, place, -1i32)
    } else {
        let place = at + before - tap * dilation;
        select(place >= 0i32 && place < size, place, -1i32)
    }
}

/// What a shader is compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Form {
    back: bool,
    strided: bool,
    /// Whether a window may reach beyond the plane.
    padded: bool,
    bounded: bool,
    /// Places that a thread computes.
    places: usize,
    /// Channels that it computes, in fours.
    fours: usize,
}

type Four = Vector<f32, Const<4>>;

#[cube(launch_unchecked)]
fn dense(
    source: &[f32],
    weights: &[Vector<f32, Const<4>>],
    bias: ComptimeOption<&[f32]>,
    plus: ComptimeOption<&[f32]>,
    kept: ComptimeOption<&[f32]>,
    target: &mut [f32],
    planes: Planes,
    samples: i32,
    groups: i32,
    inner: i32,
    outer: i32,
    low: f32,
    high: f32,
    #[comptime] form: Form,
) {
    let (back, strided) = comptime!((form.back, form.strided));
    let (padded, bounded) = comptime!((form.padded, form.bounded));
    let (places, fours) = comptime!((form.places, form.fours));
    let all = comptime!(places * fours);
    let width = comptime!(4i32 * fours as i32);
    let blocks = (outer + width - 1i32) / width;
    let group = CUBE_POS_Y as i32 / blocks;
    let block = CUBE_POS_Y as i32 - group * blocks;

    // Backward with strides, places that see the same taps are worked on together.
    let mut rows = planes.target_h;
    let mut columns = planes.target_w;
    let mut first_row = 0i32;
    let mut first_column = 0i32;
    let mut step_h = 1i32;
    let mut step_w = 1i32;
    if comptime!(back && strided) {
        step_h = planes.stride_h;
        step_w = planes.stride_w;
        rows = (rows + step_h - 1i32) / step_h;
        columns = (columns + step_w - 1i32) / step_w;
        first_row = CUBE_POS_Z as i32 / step_w;
        first_column = CUBE_POS_Z as i32 - first_row * step_w;
    }
    let plane = rows * columns;
    let source_plane = planes.source_h * planes.source_w;

    let mut sums = Array::<Four>::new(all);
    let mut row = Array::<i32>::new(places);
    let mut column = Array::<i32>::new(places);
    let mut sample = Array::<i32>::new(places);
    #[unroll]
    for i in 0..all {
        sums[i] = Four::new(0.0f32);
    }
    #[unroll]
    for i in 0..places {
        let at = (CUBE_POS_X * comptime!(places as u32) + comptime!(i as u32)) * CUBE_DIM_X + UNIT_POS_X;
        let at = at as i32;
        let n = at / plane;
        let rest = at - n * plane;
        let r = rest / columns;
        sample[i] = n;
        row[i] = r * step_h + first_row;
        column[i] = (rest - r * columns) * step_w + first_column;
    }

    for tap_h in 0..planes.kernel_h {
        let mut hit = true;
        if comptime!(back && strided) {
            hit = (first_row + planes.before_h - tap_h * planes.dilation_h) % planes.stride_h == 0i32;
        }
        if hit {
            for tap_w in 0..planes.kernel_w {
                let mut hit = true;
                if comptime!(back && strided) {
                    hit = (first_column + planes.before_w - tap_w * planes.dilation_w) % planes.stride_w
                        == 0i32;
                }
                if hit {
                    let mut from = Array::<i32>::new(places);
                    let mut there = Array::<bool>::new(places);
                    #[unroll]
                    for i in 0..places {
                        let y = seen(
                            row[i],
                            tap_h,
                            planes.stride_h,
                            planes.dilation_h,
                            planes.before_h,
                            planes.source_h,
                            back,
                            strided,
                        );
                        let x = seen(
                            column[i],
                            tap_w,
                            planes.stride_w,
                            planes.dilation_w,
                            planes.before_w,
                            planes.source_w,
                            back,
                            strided,
                        );
                        let seen = y >= 0i32 && x >= 0i32 && sample[i] < samples;
                        there[i] = seen;
                        let first = (sample[i] * groups + group) * inner * source_plane;
                        from[i] = select(seen, first + y * planes.source_w + x, 0i32);
                    }
                    let tap = tap_h * planes.kernel_w + tap_w;
                    let mut weight = ((group * planes.kernel_h * planes.kernel_w + tap) * inner * blocks
                        + block)
                        * comptime!(fours as i32);
                    let step = blocks * comptime!(fours as i32);
                    for _channel in 0..inner {
                        let mut w = Array::<Four>::new(fours);
                        #[unroll]
                        for j in 0..fours {
                            w[j] = weights[(weight + comptime!(j as i32)) as usize];
                        }
                        #[unroll]
                        for i in 0..places {
                            let mut value = source[from[i] as usize];
                            if comptime!(padded) {
                                value = select(there[i], value, 0.0f32);
                            }
                            #[unroll]
                            for j in 0..fours {
                                sums[comptime!(i * fours + j)] += Four::new(value) * w[j];
                            }
                            from[i] += select(there[i], source_plane, 0i32);
                        }
                        weight += step;
                    }
                }
            }
        }
    }

    let target_plane = planes.target_h * planes.target_w;
    #[unroll]
    for i in 0..places {
        if sample[i] < samples && row[i] < planes.target_h && column[i] < planes.target_w {
            #[unroll]
            for j in 0..fours {
                #[unroll]
                for k in 0..4usize {
                    let channel = block * width + comptime!((4 * j + k) as i32);
                    if channel < outer {
                        let channel = group * outer + channel;
                        let at = (sample[i] * groups * outer + channel) * target_plane
                            + row[i] * planes.target_w
                            + column[i];
                        let mut value = sums[comptime!(i * fours + j)].extract(k);
                        #[comptime]
                        if let ComptimeOption::Some(bias) = &bias {
                            value += bias[channel as usize];
                        }
                        if comptime!(bounded) {
                            value = within(value, low, high);
                            target[at as usize] = value;
                        } else {
                            target[at as usize] = finish(value, at as usize, &plus, &kept, low, high);
                        }
                    }
                }
            }
        }
    }
}

/// Lays weights `[groups * filters, channels, taps]` out as the kernel reads them: `[groups, taps, inner, outer]`, the
/// outer ones in whole blocks.
#[cube(launch)]
fn lay(
    weights: &[f32],
    laid: &mut [f32],
    groups: u32,
    filters: u32,
    channels: u32,
    taps: u32,
    padded: u32,
    #[comptime] back: bool,
) {
    let inner = if comptime!(back) { filters } else { channels };
    let at = ABSOLUTE_POS as u32;
    if at < groups * taps * inner * padded {
        let outside = at % padded;
        let rest = at / padded;
        let inside = rest % inner;
        let rest = rest / inner;
        let tap = rest % taps;
        let group = rest / taps;
        let mut filter = outside;
        let mut channel = inside;
        if comptime!(back) {
            filter = inside;
            channel = outside;
        }
        let mut value = 0.0f32;
        if filter < filters && channel < channels {
            value = weights[(((group * filters + filter) * channels + channel) * taps + tap) as usize];
        }
        laid[at as usize] = value;
    }
}

/// The target's channels that a thread may compute, in fours.
const FOURS: usize = 2;

/// Threads that a call should have before each of them takes more than one place.
const ENOUGH: usize = 512;

/// Kernels that go both ways: from an input to its output, and from the output's gradient to the input's.
pub(crate) trait BothWays {
    /// The target of `source`, kept between `bounds` or finished; nothing for shapes that are too large for one call.
    fn run(
        &self,
        shape: &Shape,
        source: &Buffer,
        back: bool,
        bounds: Option<(f32, f32)>,
        with: &Finish,
    ) -> Option<Buffer>;

    /// The output of `x`, kept between `bounds`.
    fn forward(&self, shape: &Shape, x: &Buffer, bounds: Option<(f32, f32)>) -> Option<Buffer> {
        self.run(shape, x, false, bounds, &Finish::default())
    }

    /// The gradient of the input.
    fn backward(&self, shape: &Shape, gradient: &Buffer, with: &Finish) -> Option<Buffer> {
        self.run(shape, gradient, true, None, with)
    }
}

/// A convolution's weights, laid out when they are first needed.
pub(crate) struct Convolution {
    weights: Buffer,
    bias: Option<Buffer>,
    groups: usize,
    filters: usize,
    channels: usize,
    forward: std::sync::OnceLock<Buffer>,
    backward: std::sync::OnceLock<Buffer>,
}

impl Convolution {
    /// Of weights `[filters, channels of a group, height, width]` in so many groups.
    pub fn new(weights: Buffer, groups: usize, bias: Option<Buffer>) -> Self {
        let (filters, channels) = (weights.dims[0] / groups, weights.dims[1]);
        let (forward, backward) = Default::default();
        Self { weights, bias, groups, filters, channels, forward, backward }
    }

    pub fn inputs(&self) -> usize {
        self.groups * self.channels
    }

    fn fours(outer: usize) -> usize {
        if outer > 4 { FOURS } else { 1 }
    }

    fn laid(&self, back: bool) -> &Buffer {
        let place = if back { &self.backward } else { &self.forward };
        place.get_or_init(|| {
            let Self { weights, groups: count, filters, channels, .. } = self;
            let (inner, outer) = if back { (filters, channels) } else { (channels, filters) };
            let padded = outer.next_multiple_of(4 * Self::fours(*outer));
            let taps = weights.dims[2] * weights.dims[3];
            let laid = weights.room(vec![count * taps * inner * padded]);
            lay::launch(
                weights.client(),
                groups(laid.len()),
                CubeDim::new_1d(GROUP),
                weights.arg(),
                laid.arg(),
                *count as u32,
                *filters as u32,
                *channels as u32,
                taps as u32,
                padded as u32,
                back,
            );
            laid
        })
    }
}

impl BothWays for Convolution {
    fn run(
        &self,
        shape: &Shape,
        source: &Buffer,
        back: bool,
        bounds: Option<(f32, f32)>,
        with: &Finish,
    ) -> Option<Buffer> {
        let (inner, outer) = if back { (self.filters, self.channels) } else { (self.channels, self.filters) };
        let size = if back { shape.input } else { shape.output };
        let samples = source.dims[0];
        let strided = shape.strides != [1, 1];
        let phases = if back && strided { shape.strides } else { [1, 1] };
        let places: usize = samples * (0..2).map(|i| size[i].div_ceil(phases[i])).product::<usize>();
        let target = source.room(vec![samples, self.groups * outer, size[0], size[1]]);
        let fours = Self::fours(outer);
        // Enough threads to share out come before fewer reads, and groups that are full before larger tiles.
        let threads = places * self.groups * outer.div_ceil(4 * fours) * phases[0] * phases[1];
        let fits = |each: &usize| threads / each >= ENOUGH && places >= GROUP as usize * each;
        let each = [4, 2].into_iter().find(fits).unwrap_or(1);
        let last =
            |i: usize| (shape.output[i] - 1) * shape.strides[i] + (shape.kernel[i] - 1) * shape.dilations[i];
        let within_plane = (0..2).all(|i| shape.before[i] == 0 && last(i) < shape.input[i]);
        let form = Form {
            back,
            strided,
            padded: !within_plane
                || (back
                    && (strided || shape.kernel != [1, 1] || last(0) + 1 < size[0] || last(1) + 1 < size[1])),
            bounded: bounds.is_some(),
            places: each,
            fours,
        };
        let count = [
            places.div_ceil(GROUP as usize * each),
            self.groups * outer.div_ceil(4 * fours),
            phases[0] * phases[1],
        ];
        if count.iter().any(|&count| count > 65_535) || target.len().max(source.len()) > i32::MAX as usize {
            return None;
        }
        let (low, high) = bounds.map_or(with.bounds(), finite);
        let bias = self.bias.as_ref().filter(|_| !back);
        let [x, y, z] = count.map(|count| count as u32);
        // Every index is checked by the kernel itself.
        unsafe {
            dense::launch_unchecked(
                source.client(),
                CubeCount::Static(x, y, z),
                CubeDim::new_1d(GROUP),
                source.arg(),
                self.laid(back).arg(),
                optional(bias),
                optional(with.plus.as_ref()),
                optional(with.kept()),
                target.arg(),
                planes(shape, back),
                samples as i32,
                self.groups as i32,
                inner as i32,
                outer as i32,
                low,
                high,
                form,
            );
        }
        Some(target)
    }
}

#[cube(launch_unchecked)]
fn depthwise(
    source: &[f32],
    weights: &[f32],
    bias: ComptimeOption<&[f32]>,
    plus: ComptimeOption<&[f32]>,
    kept: ComptimeOption<&[f32]>,
    target: &mut [f32],
    planes: Planes,
    count: i32,
    channels: i32,
    // From one channel's weights to the next one's; 0 where all have the same.
    stride: i32,
    low: f32,
    high: f32,
    #[comptime] back: bool,
    #[comptime] strided: bool,
    #[comptime] bounded: bool,
) {
    let at = ABSOLUTE_POS as i32;
    if at < count {
        let column = at % planes.target_w;
        let rest = at / planes.target_w;
        let row = rest % planes.target_h;
        let plane = rest / planes.target_h;
        let channel = plane % channels;
        let mut sum = 0.0f32;
        for tap_h in 0..planes.kernel_h {
            let y = seen(
                row,
                tap_h,
                planes.stride_h,
                planes.dilation_h,
                planes.before_h,
                planes.source_h,
                back,
                strided,
            );
            if y >= 0i32 {
                let line = (plane * planes.source_h + y) * planes.source_w;
                for tap_w in 0..planes.kernel_w {
                    let x = seen(
                        column,
                        tap_w,
                        planes.stride_w,
                        planes.dilation_w,
                        planes.before_w,
                        planes.source_w,
                        back,
                        strided,
                    );
                    if x >= 0i32 {
                        let weight = channel * stride + tap_h * planes.kernel_w + tap_w;
                        sum += weights[weight as usize] * source[(line + x) as usize];
                    }
                }
            }
        }
        #[comptime]
        if let ComptimeOption::Some(bias) = bias {
            sum += bias[channel as usize];
        }
        if comptime!(bounded) {
            target[at as usize] = within(sum, low, high);
        } else {
            target[at as usize] = finish(sum, at as usize, &plus, &kept, low, high);
        }
    }
}

/// Convolutions of each channel by itself, or the same one of all channels.
pub(crate) struct Depthwise {
    /// `[channels, taps]`, or `[1, taps]`.
    weights: Buffer,
    bias: Option<Buffer>,
}

impl Depthwise {
    pub fn new(weights: Buffer, bias: Option<Buffer>) -> Self {
        Self { weights, bias }
    }

    pub fn channels(&self) -> usize {
        self.weights.dims[0]
    }
}

impl BothWays for Depthwise {
    fn run(
        &self,
        shape: &Shape,
        source: &Buffer,
        back: bool,
        bounds: Option<(f32, f32)>,
        with: &Finish,
    ) -> Option<Buffer> {
        let size = if back { shape.input } else { shape.output };
        let (samples, channels) = (source.dims[0], source.dims[1]);
        let target = source.room(vec![samples, channels, size[0], size[1]]);
        if target.len().max(source.len()) > i32::MAX as usize {
            return None;
        }
        let (low, high) = bounds.map_or(with.bounds(), finite);
        let taps = shape.kernel[0] * shape.kernel[1];
        let bias = self.bias.as_ref().filter(|_| !back);
        // Every index is checked by the kernel itself.
        unsafe {
            depthwise::launch_unchecked(
                source.client(),
                groups(target.len()),
                CubeDim::new_1d(GROUP),
                source.arg(),
                self.weights.arg(),
                optional(bias),
                optional(with.plus.as_ref()),
                optional(with.kept()),
                target.arg(),
                planes(shape, back),
                target.len() as i32,
                channels as i32,
                if self.weights.dims[0] == 1 { 0 } else { taps as i32 },
                low,
                high,
                back,
                shape.strides != [1, 1],
                bounds.is_some(),
            );
        }
        Some(target)
    }
}
