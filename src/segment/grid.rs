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

#[cfg(test)]
mod tests {
    use super::*;

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
