//! Equal rectangles: for what is no photograph (a spectrogram), and where segments should not follow the picture.

use super::Segments;

/// About `segments` rectangles, as square as the picture allows.
pub fn grid(height: usize, width: usize, segments: usize) -> Segments {
    let wanted = segments.max(1) as f64;
    let rows = ((wanted * height as f64 / width as f64).sqrt().round() as usize).clamp(1, height);
    let columns = ((wanted / rows as f64).round() as usize).clamp(1, width);
    let labels: Vec<usize> = (0..height * width)
        .map(|pixel| (pixel / width * rows / height) * columns + pixel % width * columns / width)
        .collect();
    Segments::new(&labels)
}

/// How many times wider the highest band of a spectrum is than the lowest, about: as the mel scale has it up to 8000 Hz.
const BEND: f64 = 11.0;

/// About `segments` cells of a short-time spectrum of `height` frequencies and `width` steps in time: bands that grow wider as the ear's
/// do, by steps of equal length. A band has about two thirds of what a square would give it, so that time is told more finely than pitch.
pub fn time_frequency(height: usize, width: usize, segments: usize) -> Segments {
    let wanted = segments.max(1) as f64;
    let bands = ((wanted * 0.64).sqrt().round() as usize).clamp(1, height);
    let columns = ((wanted / bands as f64).round() as usize).clamp(1, width);
    // Where each band ends, on a scale that is linear below and logarithmic above; none is narrower than a frequency.
    let mut ends = Vec::with_capacity(bands);
    for band in 1..=bands {
        let part = ((1.0 + BEND).powf(band as f64 / bands as f64) - 1.0) / BEND;
        let least = ends.last().map_or(1, |end| end + 1);
        ends.push(((part * height as f64).round() as usize).clamp(least, height - (bands - band)));
    }
    let labels: Vec<usize> = (0..height * width)
        .map(|cell| {
            ends.partition_point(|&end| end <= cell / width) * columns + cell % width * columns / width
        })
        .collect();
    Segments::new(&labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_of_a_spectrum_grow_wider_and_steps_are_equal() {
        let cells = time_frequency(256, 130, 100);
        assert_eq!(cells.count, 104);
        let sizes: Vec<usize> = (0..8).map(|band| cells.sizes()[band * 13] / 10).collect();
        assert!(sizes.windows(2).all(|pair| pair[0] <= pair[1]), "{sizes:?}");
        assert_eq!(sizes.iter().sum::<usize>(), 256);
        assert!((7..10).contains(&sizes[0]) && sizes[7] > 60, "{sizes:?}");
        assert_eq!(time_frequency(3, 2, 1000).count, 6);
    }

    #[test]
    fn cells_are_of_equal_size() {
        let cells = grid(20, 40, 8);
        assert_eq!(cells.sizes(), [100; 8]);
        assert_eq!(cells.labels[0], 0);
        assert_eq!(cells.labels[19 * 40 + 39], 7);
    }

    #[test]
    fn no_cell_is_smaller_than_a_pixel() {
        assert_eq!(grid(3, 2, 1000).count, 6);
    }
}
