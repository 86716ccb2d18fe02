//! Felzenszwalb and Huttenlocher's graph-based segmentation (2004), as scikit-image defines it: the cheapest edges of
//! the grid join their ends first, as long as an edge costs no more than the parts that it joins differ inside.

use super::{Picture, Segments, colour::blur, root};

/// Parameters of the graph-based segmentation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Felzenszwalb {
    /// How much small parts may differ and still be joined. Larger: larger segments.
    pub scale: f64,
    /// Deviation of the blur that comes first; 0 for none.
    pub sigma: f64,
    /// Smaller segments join a neighbour, in pixels.
    pub min_size: usize,
}

/// Cuts a picture into segments.
pub fn felzenszwalb(picture: &Picture, settings: Felzenszwalb) -> Segments {
    // The published values of the scale are for pixels from 0 to 255.
    let scale = settings.scale / 255.0;
    let blurred = if settings.sigma > 0.0 { blur(picture, settings.sigma) } else { picture.clone() };
    let edges = edges(&blurred);
    let mut parents: Vec<usize> = (0..picture.pixels()).collect();
    let mut size = vec![1usize; parents.len()];
    let mut inner = vec![0.0f64; parents.len()];
    for &(cost, a, b) in &edges {
        let (a, b) = (root(&mut parents, a), root(&mut parents, b));
        if a == b {
            continue;
        }
        // scikit-image rounds this sum to 32 bits, and not the cost that it is compared with.
        let bound = |part: usize| f64::from((inner[part] + scale / size[part] as f64) as f32);
        if cost < bound(a).min(bound(b)) {
            let joined = join(&mut parents, &mut size, a, b);
            inner[joined] = cost;
        }
    }
    for &(_, a, b) in &edges {
        let (a, b) = (root(&mut parents, a), root(&mut parents, b));
        if a != b && size[a].min(size[b]) < settings.min_size {
            join(&mut parents, &mut size, a, b);
        }
    }
    let roots: Vec<usize> = (0..parents.len()).map(|pixel| root(&mut parents, pixel)).collect();
    Segments::new(&roots)
}

/// Puts two trees under the lower of their roots.
fn join(parents: &mut [usize], size: &mut [usize], a: usize, b: usize) -> usize {
    let (low, high) = (a.min(b), a.max(b));
    parents[high] = low;
    size[low] += size[high];
    low
}

/// Every pair of neighbours, diagonal ones included, with the distance of their colours; the nearest first.
fn edges(picture: &Picture) -> Vec<(f64, usize, usize)> {
    let Picture { height, width, .. } = *picture;
    let mut edges = Vec::with_capacity(4 * height * width);
    for (down, right) in [(0, 1), (1, 0), (1, 1), (1, -1)] {
        for row in 0..height - down.min(height) {
            for column in 0..width {
                let Some(other) = column.checked_add_signed(right).filter(|&other| other < width) else {
                    continue;
                };
                let (a, b) = (row * width + column, (row + down) * width + other);
                let squares = picture.pixel(a).iter().zip(picture.pixel(b)).map(|(a, b)| (a - b) * (a - b));
                edges.push((squares.sum::<f64>().sqrt(), a, b));
            }
        }
    }
    edges.sort_by(|a, b| a.0.total_cmp(&b.0));
    edges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn even_areas_are_segments_and_specks_are_swallowed() {
        let (height, width) = (10, 12);
        let data = (0..height * width)
            .map(|i| match (i / width, i % width) {
                (4, 2) => 0.5,
                (_, column) if column < 6 => 0.0,
                _ => 1.0,
            })
            .collect();
        let picture = Picture { data, height, width, channels: 1 };
        let settings = Felzenszwalb { scale: 1.0, sigma: 0.0, min_size: 4 };
        let segments = felzenszwalb(&picture, settings);
        assert_eq!(segments.sizes(), [60, 60]);
        assert_eq!(felzenszwalb(&picture, Felzenszwalb { min_size: 1, ..settings }).count, 3);
    }
}
