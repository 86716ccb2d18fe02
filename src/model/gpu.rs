//! Networks on a GPU: the engine's own kernels ([`crate::gpu`]) for the operators that convolutional networks are made of.
//!
//! On a GPU a small step costs as much as a large one. So what belongs to a convolution is done as it writes (its bias, the
//! bounds of the rectifier after it), and what belongs to a gradient too: what other readers of the value have handed
//! back is added, and what the bounds did not let through is taken out.

use burn::tensor::Float;

use super::{
    exec::{self, Bias, Finish, Held, Node, placed, placed_average},
    operators::{Lowering, Window},
    value::{Ranked, Value},
};
use crate::{
    Error, Result,
    gpu::{self, BothWays, Buffer, Convolution, Depthwise, Linear},
};

impl exec::Array for Buffer {
    fn of(value: Ranked<Float>) -> std::result::Result<Self, Ranked<Float>> {
        Self::of(&value).ok_or(value)
    }

    fn into_ranked(self) -> Option<Ranked<Float>> {
        self.into_ranked()
    }

    fn dims(&self) -> Vec<usize> {
        self.dims.clone()
    }
}

/// A node whose constants lie on the GPU.
#[allow(clippy::large_enum_variant, reason = "a few hundred at most, which stay where they are")]
pub(super) enum Operation {
    Dense {
        weights: Convolution,
        window: Window,
    },
    Depthwise {
        weights: Depthwise,
        window: Window,
    },
    MaxPool(Window),
    /// The weights are equal ones, for every channel.
    AveragePool {
        weights: Depthwise,
        window: Window,
        with_padding: bool,
    },
    GlobalAverage,
    Bound {
        low: f32,
        high: f32,
    },
    Add,
    Concat {
        axis: i64,
    },
    Move,
    Linear {
        matrix: Linear,
        runs: bool,
    },
}

/// A constant on the GPU; small ones lie on the host.
fn there(value: Ranked<Float>, device: &burn::tensor::Device) -> Option<Buffer> {
    if value.device() != burn::tensor::Device::flex() {
        return Buffer::of(&value);
    }
    match Value::Float(value).uploaded(device)? {
        Value::Float(value) => Buffer::of(&value),
        _ => None,
    }
}

impl Operation {
    fn convolution(
        weights: Ranked<Float>,
        bias: Bias,
        groups: usize,
        window: Window,
        device: &burn::tensor::Device,
    ) -> Option<Self> {
        let bias = match bias {
            Bias::Nothing => None,
            Bias::Row(bias) => Some(there(bias, device)?),
            Bias::Other => return None,
        };
        let weights = there(weights, device)?;
        if weights.dims[1] == 1 && weights.dims[0] == groups && groups > 1 {
            return Some(Self::Depthwise { weights: Depthwise::new(weights, bias), window });
        }
        Some(Self::Dense { weights: Convolution::new(weights, groups, bias), window })
    }

    /// The window of a node of two spatial dimensions on an input of this shape.
    fn placed(&self, dims: &[usize]) -> Option<adversight_kernels::Shape> {
        let (window, channels) = match self {
            Self::Dense { weights, window } => (window, Some(weights.inputs())),
            Self::Depthwise { weights, window } => (window, Some(weights.channels())),
            Self::MaxPool(window) => (window, None),
            Self::AveragePool { window, with_padding, .. } => {
                return placed_average(window, *with_padding, dims);
            }
            _ => return None,
        };
        let (_, shape) = placed(window, dims)?;
        channels.is_none_or(|channels| channels == dims[1]).then_some(shape)
    }

    /// The weights of an average of so many values.
    fn uniform(taps: usize, device: &burn::tensor::Device) -> Option<Depthwise> {
        let weights = burn::tensor::Tensor::<2>::full([1, taps], 1.0 / taps as f32, device);
        Some(Depthwise::new(Buffer::of(&weights.into())?, None))
    }
}

impl exec::Operation for Operation {
    type Array = Buffer;
    type Pool = ();

    fn of(node: Node, device: &burn::tensor::Device) -> Option<Self> {
        let Node { operator, weights, bias, bounds, .. } = node;
        Some(match operator {
            // Burn runs them.
            Lowering::Recurrent { .. } => return None,
            Lowering::Convolution { window, .. }
            | Lowering::MaxPool(window)
            | Lowering::AveragePool { window, .. }
                if window.line =>
            {
                return None;
            }
            Lowering::Convolution { groups, window } => {
                return Self::convolution(weights?, bias, groups, window, device);
            }
            Lowering::MaxPool(window) => Self::MaxPool(window),
            Lowering::AveragePool { window, with_padding } => {
                let weights = Self::uniform(window.kernel.as_ref()?.iter().product(), device)?;
                Self::AveragePool { weights, window, with_padding }
            }
            Lowering::GlobalAverage => Self::GlobalAverage,
            Lowering::Clamp => {
                let (low, high) = bounds?;
                Self::Bound { low, high }
            }
            Lowering::Add => Self::Add,
            Lowering::Concat { axis } => Self::Concat { axis },
            Lowering::Reshape => Self::Move,
            Lowering::Matmul { transposed, alpha, .. } => {
                let (bias, runs) = match bias {
                    Bias::Nothing => (None, true),
                    Bias::Row(bias) => (Some(there(bias, device)?), true),
                    Bias::Other => (None, false),
                };
                Self::Linear { matrix: Linear::new(there(weights?, device)?, transposed, alpha, bias), runs }
            }
        })
    }

    fn takes_bounds(&self) -> bool {
        match self {
            Self::Dense { .. } | Self::Depthwise { .. } | Self::Add => true,
            Self::Linear { runs, .. } => *runs,
            _ => false,
        }
    }

    fn gains(node: &Node) -> bool {
        matches!(node.operator, Lowering::Convolution { .. } | Lowering::Matmul { .. })
    }

    fn runs(&self) -> bool {
        match self {
            Self::Move => false,
            Self::Linear { runs, .. } => *runs,
            _ => true,
        }
    }

    fn finishes(&self) -> bool {
        !matches!(self, Self::Add | Self::Move | Self::Bound { .. })
    }

    fn forward(&self, inputs: &mut Vec<Buffer>, bounds: Option<(f32, f32)>, _: &()) -> Option<Buffer> {
        let x = inputs.first()?;
        match self {
            Self::Bound { low, high } => Some(gpu::bounded(x, None, (*low, *high))),
            Self::Add => {
                let [a, b] = &inputs[..] else { return None };
                let bounds = bounds.unwrap_or((f32::NEG_INFINITY, f32::INFINITY));
                (a.dims == b.dims).then(|| gpu::bounded(a, Some(b), bounds))
            }
            Self::Concat { axis } => gpu::joined(inputs, *axis),
            Self::Dense { weights, .. } => weights.forward(&self.placed(&x.dims)?, x, bounds),
            Self::Depthwise { weights, .. } | Self::AveragePool { weights, .. } => {
                weights.forward(&self.placed(&x.dims)?, x, bounds)
            }
            Self::MaxPool(_) => Some(gpu::maximum(&self.placed(&x.dims)?, x)),
            Self::GlobalAverage => {
                let [samples, channels, spatial @ ..] = &x.dims[..] else { return None };
                let dims = [&[*samples, *channels][..], &vec![1; spatial.len()]].concat();
                (!spatial.is_empty()).then(|| gpu::mean(x, spatial.iter().product(), dims))
            }
            Self::Linear { matrix, .. } => {
                let (last, rest) = x.dims.split_last()?;
                let dims = [rest, &[matrix.outputs()]].concat();
                (*last == matrix.inputs()).then(|| matrix.forward(x, dims, bounds)).flatten()
            }
            Self::Move => None,
        }
    }

    fn backward(
        &self,
        kept: Option<&Buffer>,
        dims: &[Vec<usize>],
        gradient: Held<Buffer>,
        finish: &[Finish<Buffer>],
        _: &(),
    ) -> Result<Vec<Held<Buffer>>> {
        let lost = || Error::Internal("a gradient does not fit its node".into());
        let g = gradient.numbers().map_err(|_| lost())?;
        let (x, first) = (dims.first().ok_or_else(lost)?, finish.first().ok_or_else(lost)?);
        let shape = || self.placed(x).ok_or_else(lost);
        let found = match self {
            Self::Dense { weights, .. } => weights.backward(&shape()?, &g, first),
            Self::Depthwise { weights, .. } | Self::AveragePool { weights, .. } => {
                weights.backward(&shape()?, &g, first)
            }
            Self::MaxPool(_) => Some(gpu::maximum_backward(&shape()?, kept.ok_or_else(lost)?, &g, first)),
            Self::GlobalAverage => Some(gpu::mean_backward(&g, x.clone(), first)),
            Self::Bound { low, high } => {
                let between = Some((kept.ok_or_else(lost)?.clone(), (*low, *high)));
                Some(gpu::finished(&g, &Finish { plus: None, between }))
            }
            Self::Add => return Ok(vec![Held::Numbers(g.clone()), Held::Numbers(g)]),
            Self::Concat { axis } => {
                let parts = gpu::parted(&g, dims, *axis, finish).ok_or_else(lost)?;
                return Ok(parts.into_iter().map(Held::Numbers).collect());
            }
            Self::Move => Some(g.shaped(x)),
            Self::Linear { matrix, .. } => matrix.backward(&g, x.clone(), first),
        };
        Ok(vec![Held::Numbers(found.ok_or_else(lost)?)])
    }

    fn sum(before: Buffer, arrived: Buffer, _: &()) -> Buffer {
        gpu::finished(&before, &Finish { plus: Some(arrived), between: None })
    }
}
