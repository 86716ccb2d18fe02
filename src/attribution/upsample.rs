//! Maps enlarged to the size of the input.

use burn::tensor::{
    Tensor,
    module::interpolate,
    ops::{InterpolateMode, InterpolateOptions},
};

/// Bilinear interpolation of `[N, C, h, w]` to `size`, pixels counted by their centres (PyTorch's
/// `align_corners=False`).
pub(super) fn bilinear(maps: Tensor<4>, size: [usize; 2]) -> Tensor<4> {
    let options = InterpolateOptions::new(InterpolateMode::Bilinear);
    interpolate(maps, options.with_align_corners(false).with_output_size(size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_are_counted_by_their_centres() {
        let device = crate::Device::cpu("test");
        let map = Tensor::<4>::from_data([[[[0.0, 1.0], [2.0, 3.0]]]], device.burn());
        // torch.nn.functional.interpolate(..., size=(4, 4), mode="bilinear", align_corners=False)
        let expected =
            [0.0, 0.25, 0.75, 1.0, 0.5, 0.75, 1.25, 1.5, 1.5, 1.75, 2.25, 2.5, 2.0, 2.25, 2.75, 3.0];
        let larger = bilinear(map, [4, 4]).into_data().try_into_vec::<f32>().unwrap();
        assert_eq!(larger, expected);
    }
}
