//! A short comparison of a GPU with the CPU: a shader that fails to compile is only logged by the driver and
//! leaves stale numbers behind, so a device is trusted after it has computed, not before.

use adversight_kernels::Shape;
use burn::tensor::{
    Device, Tensor, TensorData, Transaction, activation, module,
    ops::{ConvOptions, MaxPoolOptions},
};
use rand::SeedableRng;
use rand_distr::{Distribution, StandardNormal};

use crate::{
    gpu::{self, BothWays, Buffer, Convolution, Depthwise, Linear},
    model::Finish,
};

/// Largest relative difference that a device may show; rounding alone stays two orders below.
pub(super) const TOLERANCE: f32 = 1e-3;

/// Runs the kernels that an explanation needs, forward and backward, on both devices, and the engine's own beside them;
/// the largest relative difference.
pub(super) async fn run(gpu: &Device) -> Result<f32, String> {
    let expected = compute(&Device::flex()).await?;
    let lost = "the engine's kernels do not take the self-test's tensors.";
    let own = read(compute_by_own_kernels(gpu).ok_or(lost)?).await?;
    let actual = [compute(gpu).await?, own].concat();
    let mut worst = 0.0f32;
    for (expected, actual) in expected.iter().chain(&expected).zip(&actual) {
        let scale = expected.iter().fold(1e-6f32, |scale, value| scale.max(value.abs()));
        for (e, a) in expected.iter().zip(actual) {
            let difference = (e - a).abs() / scale;
            worst = if difference.is_finite() { worst.max(difference) } else { f32::INFINITY };
        }
    }
    Ok(worst)
}

/// A batch and the weights of a small network.
struct Network {
    x: Tensor<4>,
    full: Tensor<4>,
    depthwise: Tensor<4>,
    pointwise: Tensor<4>,
    last: Tensor<2>,
}

impl Network {
    fn new(device: &Device) -> Self {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
        let mut random = |dims: &[usize]| {
            let count = dims.iter().product();
            let values: Vec<f32> = (0..count)
                .map(|_| {
                    let value: f32 = StandardNormal.sample(&mut rng);
                    value / 2.0
                })
                .collect();
            TensorData::new(values, dims.to_vec())
        };
        Self {
            x: Tensor::from_data(random(&[2, 3, 16, 16]), device),
            full: Tensor::from_data(random(&[8, 3, 3, 3]), device),
            depthwise: Tensor::from_data(random(&[8, 1, 3, 3]), device),
            pointwise: Tensor::from_data(random(&[16, 8, 1, 1]), device),
            last: Tensor::from_data(random(&[16, 5]), device),
        }
    }
}

/// The gradient of a small network's winning probability, and its logits.
async fn compute(device: &Device) -> Result<Vec<Vec<f32>>, String> {
    let Network { x, full, depthwise, pointwise, last } = Network::new(device);
    let x = x.autodiff().require_grad();

    let y = module::conv2d(x.clone(), full, None, ConvOptions::new([2, 2], [1, 1], [1, 1], 1));
    let y = activation::relu(y);
    let y = module::conv2d(y, depthwise, None, ConvOptions::new([1, 1], [1, 1], [1, 1], 8)).clamp(-1.0, 1.0);
    let pooled = MaxPoolOptions { stride: [2, 2], ..MaxPoolOptions::new([3, 3]) };
    let y = module::max_pool2d(y, pooled);
    let y = module::conv2d(y, pointwise, None, ConvOptions::new([1, 1], [0, 0], [1, 1], 1));
    let logits = y.mean_dim(3).mean_dim(2).reshape([2, 16]).matmul(last);
    let score = activation::softmax(logits.clone(), 1).slice([0..2, 1..2]).sum();
    let gradients = score.backward();
    let gradient = x.grad(&gradients).ok_or("the self-test produced no gradient.")?;
    read([logits.inner().reshape([10]), gradient.reshape([2 * 3 * 16 * 16])]).await
}

/// The same by the engine's own kernels. The layer of 1 x 1 is two that are joined.
fn compute_by_own_kernels(device: &Device) -> Option<[Tensor<1>; 2]> {
    let network = Network::new(device);
    let buffer = |x: Tensor<4>| Buffer::of(&x.into());
    let plane = |kernel, strides, before, input, output| Shape {
        kernel: [kernel; 2],
        strides: [strides; 2],
        dilations: [1; 2],
        before: [before; 2],
        input: [input; 2],
        output: [output; 2],
    };
    let shapes = [plane(3, 2, 1, 16, 8), plane(3, 1, 1, 8, 8), plane(3, 2, 0, 8, 3), plane(1, 1, 0, 3, 3)];
    let [first, second, third, fourth] = &shapes;
    let full = Convolution::new(buffer(network.full)?, 1, None);
    let depthwise = Depthwise::new(buffer(network.depthwise)?, None);
    let half = |from: usize| buffer(network.pointwise.clone().narrow(0, from, 8));
    let [left, right] = [Convolution::new(half(0)?, 1, None), Convolution::new(half(8)?, 1, None)];
    let last = Linear::new(Buffer::of(&network.last.into())?, false, 1.0, None);

    let (rectified, clipped) = ((0.0, f32::INFINITY), (-1.0, 1.0));
    let a = full.forward(first, &buffer(network.x)?, Some(rectified))?;
    let b = depthwise.forward(second, &a, Some(clipped))?;
    let c = gpu::maximum(third, &b);
    let d = gpu::joined(&[left.forward(fourth, &c, None)?, right.forward(fourth, &c, None)?], 1)?;
    let logits = last.forward(&gpu::mean(&d, 9, vec![2, 16]), vec![2, 5], None)?.into_ranked()?.get::<2>()?;

    let p = activation::softmax(logits.clone(), 1);
    let winning = p.clone().slice([0..2, 1..2]);
    let chosen = Tensor::<2>::from_data([[0.0, 1.0, 0.0, 0.0, 0.0]], device);
    let seed = Buffer::of(&((chosen - p) * winning).into())?;

    let plain = Finish::default();
    let g = last.backward(&seed, vec![2, 16], &plain)?;
    let g = gpu::mean_backward(&g, vec![2, 16, 3, 3], &plain);
    let parts = gpu::parted(&g, &[vec![2, 8, 3, 3], vec![2, 8, 3, 3]], 1, &[plain.clone(), plain.clone()])?;
    let plus = Some(left.backward(fourth, &parts[0], &plain)?);
    let g = right.backward(fourth, &parts[1], &Finish { plus, between: None })?;
    let g = gpu::maximum_backward(third, &b, &g, &Finish { plus: None, between: Some((b.clone(), clipped)) });
    let g = depthwise.backward(second, &g, &Finish { plus: None, between: Some((a, rectified)) })?;
    let gradient = full.backward(first, &g, &plain)?.into_ranked()?.flat();
    Some([logits.reshape([10]), gradient])
}

/// Reads the results back at once.
async fn read([logits, gradient]: [Tensor<1>; 2]) -> Result<Vec<Vec<f32>>, String> {
    let data = Transaction::default()
        .register(logits)
        .register(gradient)
        .execute_async()
        .await
        .map_err(|error| format!("the GPU fails in a self-test ({error:?})."))?;
    data.into_iter()
        .map(|data| {
            data.try_into_vec::<f32>().map_err(|error| format!("the self-test cannot be read ({error:?})."))
        })
        .collect()
}
