//! Colours as the eye sees them, and smoothing.

use super::Picture;
use crate::filter::{Edge, along, gaussian};

/// CIE-Lab of an sRGB picture: illuminant D65, observer 2°, as scikit-image's `rgb2lab`. Grey stays grey.
pub(super) fn lab(picture: &Picture) -> Picture {
    if picture.channels != 3 {
        return picture.clone();
    }
    let data = picture.data.chunks_exact(3).flat_map(|rgb| lab_of([rgb[0], rgb[1], rgb[2]])).collect();
    Picture { data, ..*picture }
}

fn lab_of(rgb: [f64; 3]) -> [f64; 3] {
    const TO_XYZ: [[f64; 3]; 3] =
        [[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]];
    const WHITE: [f64; 3] = [0.95047, 1.0, 1.08883];
    let linear =
        rgb.map(|value| if value > 0.04045 { ((value + 0.055) / 1.055).powf(2.4) } else { value / 12.92 });
    let mut xyz = [0.0; 3];
    for (value, (row, white)) in xyz.iter_mut().zip(TO_XYZ.iter().zip(WHITE)) {
        *value = (row[0] * linear[0] + row[1] * linear[1] + row[2] * linear[2]) / white;
    }
    let [x, y, z] =
        xyz.map(|value| if value > 0.008856 { value.cbrt() } else { 7.787 * value + 16.0 / 116.0 });
    [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
}

/// A Gaussian blur of every channel, cut off at four deviations, mirrored at the edges.
pub(super) fn blur(picture: &Picture, sigma: f64) -> Picture {
    let kernel = gaussian((4.0 * sigma + 0.5) as usize, sigma);
    let Picture { height, width, channels, .. } = *picture;
    let columns = along(&picture.data, height, width * channels, &kernel, Edge::Mirror);
    Picture { data: along(&columns, width, channels, &kernel, Edge::Mirror), ..*picture }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn primaries_have_their_published_lab_values() {
        // skimage.color.rgb2lab
        let close = |rgb, lab: [f64; 3]| {
            let ours = lab_of(rgb);
            for (a, b) in ours.iter().zip(lab) {
                assert!((a - b).abs() < 1e-3, "{ours:?} {lab:?}");
            }
        };
        close([1.0, 0.0, 0.0], [53.2406, 80.0923, 67.2032]);
        close([0.0, 0.0, 1.0], [32.2957, 79.1856, -107.8573]);
        close([1.0, 1.0, 1.0], [100.0, -0.0025, 0.0047]);
        close([0.0, 0.0, 0.0], [0.0, 0.0, 0.0]);
    }

    #[test]
    fn a_blur_keeps_the_sum() {
        let mut data = vec![0.0; 7 * 9];
        data[0] = 1.0;
        data[30] = 2.0;
        let picture = Picture { data, height: 7, width: 9, channels: 1 };
        let sum: f64 = blur(&picture, 1.3).data.iter().sum();
        assert!((sum - 3.0).abs() < 1e-12);
    }
}
