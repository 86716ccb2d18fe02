//! Gaussian blurs of pictures on the host: small, the same on every device, and done once a segmentation or a metric.

/// What lies beyond the picture's edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Edge {
    /// Zeros.
    Zero,
    /// The picture in a mirror, the last pixel repeated (scipy's `reflect`).
    Mirror,
}

/// Weights at the distances `-radius..=radius`, with sum 1.
pub(crate) fn gaussian(radius: usize, sigma: f64) -> Vec<f64> {
    let weight = |distance: f64| (-0.5 * (distance / sigma).powi(2)).exp();
    let raw: Vec<f64> = (0..=2 * radius).map(|i| weight(i as f64 - radius as f64)).collect();
    let sum: f64 = raw.iter().sum();
    raw.into_iter().map(|weight| weight / sum).collect()
}

/// The kernel of RISE's `gkern`: a point in the middle of `length` pixels, blurred by a Gaussian cut off at 4 sigma,
/// mirrored at the ends. It is much flatter than a Gaussian that is merely cut off to `length`.
pub(crate) fn folded_gaussian(length: usize, sigma: f64) -> Vec<f64> {
    let radius = (4.0 * sigma + 0.5) as usize;
    let weights = gaussian(radius, sigma);
    let middle = length / 2;
    (0..length)
        .map(|at| {
            let hit = |i: &usize| mirrored((at + i) as isize - radius as isize, length) == middle;
            (0..weights.len()).filter(hit).map(|i| weights[i]).sum()
        })
        .collect()
}

/// The place inside `0..length` that a mirror shows at `at`.
fn mirrored(at: isize, length: usize) -> usize {
    let period = 2 * length as isize;
    let inside = at.rem_euclid(period);
    (if inside < length as isize { inside } else { period - 1 - inside }) as usize
}

/// Every plane of `[channels, height, width]` blurred along its rows and its columns.
pub(crate) fn blur(values: &[f32], [_, height, width]: [usize; 3], kernel: &[f64], edge: Edge) -> Vec<f32> {
    let mut blurred = Vec::with_capacity(values.len());
    for plane in values.chunks_exact(height * width) {
        let plane: Vec<f64> = plane.iter().map(|&x| f64::from(x)).collect();
        blurred.extend(blur_plane(&plane, height, width, kernel, edge).into_iter().map(|x| x as f32));
    }
    blurred
}

/// One plane blurred along its rows and its columns.
pub(crate) fn blur_plane(plane: &[f64], height: usize, width: usize, kernel: &[f64], edge: Edge) -> Vec<f64> {
    let rows = along(plane, width, 1, kernel, edge);
    along(&rows, height, width, kernel, edge)
}

/// Values blurred along one axis of `length` places that lie `stride` apart.
pub(crate) fn along(values: &[f64], length: usize, stride: usize, kernel: &[f64], edge: Edge) -> Vec<f64> {
    let radius = (kernel.len() / 2) as isize;
    (0..values.len())
        .map(|index| {
            let at = index / stride % length;
            let start = index - at * stride;
            let weighted = kernel.iter().enumerate().map(|(i, weight)| {
                let from = (at + i) as isize - radius;
                match edge {
                    Edge::Zero if !(0..length as isize).contains(&from) => 0.0,
                    _ => weight * values[start + mirrored(from, length) * stride],
                }
            });
            weighted.sum()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_have_sum_1_and_keep_a_plain_picture() {
        for kernel in [gaussian(3, 1.5), folded_gaussian(11, 5.0)] {
            assert!((kernel.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            let blurred = blur(&[2.0; 30], [1, 5, 6], &kernel, Edge::Mirror);
            assert!(blurred.iter().all(|x| (x - 2.0).abs() < 1e-6), "{blurred:?}");
        }
    }

    #[test]
    fn an_axis_is_blurred_whatever_lies_between_its_places() {
        // scipy.ndimage.gaussian_filter1d([1, 2, 4, 8], 0.5, mode=...), of radius 2
        let kernel = gaussian(2, 0.5);
        for (edge, expected) in [
            (Edge::Mirror, [1.1075062323045408, 2.107770097387278, 4.21316540902992, 7.57155826127826]),
            (Edge::Zero, [1.0005277301654747, 2.107506232304541, 4.211054488368021, 6.718896625158578]),
        ] {
            let planes: Vec<f64> = [1.0, 2.0, 4.0, 8.0].into_iter().flat_map(|x| [x, 0.0, -x]).collect();
            let blurred = along(&planes, 4, 3, &kernel, edge);
            for (found, expected) in blurred.chunks(3).zip(expected) {
                assert!((found[0] - expected).abs() < 1e-12, "{edge:?}: {blurred:?}");
                assert_eq!([found[1], found[2]], [0.0, -found[0]]);
            }
        }
    }

    #[test]
    fn mirrors_repeat_the_edge() {
        let shown: Vec<usize> = (-3..6).map(|at| mirrored(at, 3)).collect();
        assert_eq!(shown, [2, 1, 0, 0, 1, 2, 2, 1, 0]);
    }
}
