//! A short comparison of a GPU with the CPU: a shader that fails to compile is only logged by the driver and
//! leaves stale numbers behind, so a device is trusted after it has computed, not before.

use burn::tensor::{
    Device, Tensor, TensorData, Transaction, activation, module,
    ops::{ConvOptions, MaxPoolOptions},
};
use rand::SeedableRng;
use rand_distr::{Distribution, StandardNormal};

/// Largest relative difference that a device may show; rounding alone stays two orders below.
pub(super) const TOLERANCE: f32 = 1e-3;

/// Runs the kernels that an explanation needs, forward and backward, on both devices; the largest relative
/// difference.
pub(super) async fn run(gpu: &Device) -> Result<f32, String> {
    let expected = compute(&Device::flex()).await?;
    let actual = compute(gpu).await?;
    let mut worst = 0.0f32;
    for (expected, actual) in expected.iter().zip(&actual) {
        let scale = expected.iter().fold(1e-6f32, |scale, value| scale.max(value.abs()));
        for (e, a) in expected.iter().zip(actual) {
            let difference = (e - a).abs() / scale;
            worst = if difference.is_finite() { worst.max(difference) } else { f32::INFINITY };
        }
    }
    Ok(worst)
}

/// The gradient of a small network's winning probability, and its logits.
async fn compute(device: &Device) -> Result<Vec<Vec<f32>>, String> {
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
    let x = Tensor::<4>::from_data(random(&[2, 3, 16, 16]), device).autodiff().require_grad();
    let full = Tensor::<4>::from_data(random(&[8, 3, 3, 3]), device);
    let depthwise = Tensor::<4>::from_data(random(&[8, 1, 3, 3]), device);
    let pointwise = Tensor::<4>::from_data(random(&[16, 8, 1, 1]), device);
    let last = Tensor::<2>::from_data(random(&[16, 5]), device);

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
    let data = Transaction::default()
        .register(logits.inner())
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
