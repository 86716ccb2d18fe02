//! SLIC (Achanta et al. 2012), as scikit-image defines it: k-means in the joint space of Lab colour and position, each
//! centre looking only at its neighbourhood; then parts that are cut off join a neighbour.

use super::{
    Picture, Segments,
    colour::{blur, lab},
};

/// Parameters of SLIC.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slic {
    /// About how many segments to make.
    pub segments: usize,
    /// Weighs position against colour. Larger: squarer segments.
    pub compactness: f64,
    /// Deviation of the blur that comes first; 0 for none.
    pub sigma: f64,
    /// Rounds of k-means at most.
    pub iterations: usize,
}

impl Default for Slic {
    fn default() -> Self {
        Self { segments: 100, compactness: 10.0, sigma: 0.0, iterations: 10 }
    }
}

/// Cuts a picture into segments.
pub fn slic(picture: &Picture, settings: Slic) -> Segments {
    let (low, high) = picture
        .data
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &value| (low.min(value), high.max(value)));
    let range = if high > low { high - low } else { 1.0 };
    let mut picture = lab(&picture.map(|value| (value - low) / range));
    if settings.sigma > 0.0 {
        picture = blur(&picture, settings.sigma);
    }
    let ratio = 1.0 / settings.compactness;
    let picture = picture.map(|value| value * ratio);
    let seeds = seeds(picture.height, picture.width, settings.segments);
    let nearest = k_means(&picture, &seeds, settings.iterations);
    let usual = picture.pixels() as f64 / seeds.centres.len() as f64;
    connected(&nearest, picture.height, picture.width, (0.5 * usual) as usize, (3.0 * usual) as usize)
}

/// Where the centres start, and how far they are apart in rows and columns.
struct Seeds {
    centres: Vec<[f64; 2]>,
    step: [usize; 2],
}

/// A regular grid of about `count` points.
fn seeds(height: usize, width: usize, count: usize) -> Seeds {
    let pixels = (height * width) as f64;
    let count = count.max(1) as f64;
    let (mut start, mut step) = ([0; 2], [1; 2]);
    if pixels > count {
        let (short, long) = (height.min(width) as f64, height.max(width) as f64);
        let even = (pixels / count).sqrt();
        // Where the shorter side is less than a step, it holds one point, and only the longer is divided.
        let (short, long) = if short < even { (short, (long / count).max(1.0)) } else { (even, even) };
        let steps = if height < width { [short, long] } else { [long, short] };
        start = steps.map(|step| (step / 2.0) as usize);
        step = steps.map(|step| step.round_ties_even() as usize);
    }
    let rows = (start[0]..height).step_by(step[0]);
    let centres = rows
        .flat_map(|row| (start[1]..width).step_by(step[1]).map(move |column| [row as f64, column as f64]))
        .collect();
    Seeds { centres, step }
}

/// The number of the nearest centre of every pixel.
fn k_means(picture: &Picture, seeds: &Seeds, iterations: usize) -> Vec<usize> {
    let Picture { height, width, channels, .. } = *picture;
    let pixels = picture.pixels();
    let spatial_weight = 1.0 / (seeds.step[0].max(seeds.step[1]) as f64).powi(2);
    // The window's size is that of a grid of as many points as there are, not as were asked for.
    let step = self::seeds(height, width, seeds.centres.len()).step;
    let mut positions = seeds.centres.clone();
    let mut colours = vec![0.0; positions.len() * channels];
    let mut nearest = vec![0; pixels];
    let mut distance = vec![0.0; pixels];
    for _ in 0..iterations {
        distance.fill(f64::MAX);
        for (k, [row, column]) in positions.iter().enumerate() {
            let colour = &colours[k * channels..(k + 1) * channels];
            let window = |centre: f64, step: usize, size: usize| {
                let reach = 2.0 * step as f64;
                ((centre - reach).max(0.0) as usize)..((centre + reach + 1.0).min(size as f64) as usize)
            };
            for y in window(*row, step[0], height) {
                let dy = row - y as f64;
                for x in window(*column, step[1], width) {
                    let dx = column - x as f64;
                    let pixel = y * width + x;
                    let far: f64 =
                        picture.pixel(pixel).iter().zip(colour).map(|(a, b)| (a - b) * (a - b)).sum();
                    let far = (dy * dy + dx * dx) * spatial_weight + far;
                    if distance[pixel] > far {
                        distance[pixel] = far;
                        nearest[pixel] = k;
                    }
                }
            }
        }
        let mut members = vec![0.0; positions.len()];
        positions.fill([0.0; 2]);
        colours.fill(0.0);
        for (pixel, &k) in nearest.iter().enumerate() {
            members[k] += 1.0;
            positions[k][0] += (pixel / width) as f64;
            positions[k][1] += (pixel % width) as f64;
            for (sum, value) in colours[k * channels..].iter_mut().zip(picture.pixel(pixel)) {
                *sum += value;
            }
        }
        // A centre without pixels becomes not a number, is nowhere and stays without.
        for (k, &members) in members.iter().enumerate() {
            positions[k] = positions[k].map(|sum| sum / members);
            colours[k * channels..(k + 1) * channels].iter_mut().for_each(|sum| *sum /= members);
        }
    }
    nearest
}

/// Connected parts of at least `min_size` pixels, each cut off at `max_size`; smaller ones join the neighbour that
/// the search met last.
fn connected(labels: &[usize], height: usize, width: usize, min_size: usize, max_size: usize) -> Segments {
    const OPEN: usize = usize::MAX;
    let mut parts = vec![OPEN; labels.len()];
    let mut next = 0;
    let mut part = Vec::new();
    for start in 0..labels.len() {
        if parts[start] != OPEN {
            continue;
        }
        let mut adjacent = next;
        parts[start] = next;
        part.clear();
        part.push(start);
        let mut visited = 0;
        while visited < part.len() && part.len() < max_size {
            let pixel = part[visited];
            let (y, x) = (pixel / width, pixel % width);
            let neighbours = [
                (x + 1 < width).then_some(pixel + 1),
                (x > 0).then(|| pixel - 1),
                (y + 1 < height).then_some(pixel + width),
                (y > 0).then(|| pixel.wrapping_sub(width)),
            ];
            for neighbour in neighbours.into_iter().flatten() {
                if labels[neighbour] == labels[start] && parts[neighbour] == OPEN {
                    parts[neighbour] = next;
                    part.push(neighbour);
                    if part.len() >= max_size {
                        break;
                    }
                } else if parts[neighbour] != OPEN && parts[neighbour] != next {
                    adjacent = parts[neighbour];
                }
            }
            visited += 1;
        }
        if part.len() < min_size {
            part.iter().for_each(|&pixel| parts[pixel] = adjacent);
        } else {
            next += 1;
        }
    }
    Segments::new(&parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_scikit_images_regular_grid() {
        // skimage.util.regular_grid((20, 40), 8): slices (5, None, 10) twice.
        let found = seeds(20, 40, 8);
        assert_eq!(found.step, [10, 10]);
        assert_eq!(found.centres.len(), 8);
        assert_eq!(found.centres[0], [5.0, 5.0]);
        // (3, 400), 4: the short side is taken as a whole, the long one in steps of 100.
        let found = seeds(3, 400, 4);
        assert_eq!(
            (found.step, found.centres.as_slice()),
            ([3, 100], [[1.0, 50.0], [1.0, 150.0], [1.0, 250.0], [1.0, 350.0]].as_slice())
        );
    }

    #[test]
    fn an_even_picture_is_cut_into_squares() {
        let picture = Picture { data: vec![0.5; 30 * 30 * 3], height: 30, width: 30, channels: 3 };
        let segments = slic(&picture, Slic { segments: 9, ..Slic::default() });
        assert_eq!(segments.count, 9);
        for (label, size) in segments.sizes().into_iter().enumerate() {
            let members = || (0..900).filter(|&i| segments.labels[i] as usize == label);
            let extent = |coordinate: fn(usize) -> usize| {
                let (low, high) = (members().map(coordinate).min(), members().map(coordinate).max());
                high.unwrap() - low.unwrap() + 1
            };
            let (rows, columns) = (extent(|i| i / 30), extent(|i| i % 30));
            assert_eq!(rows * columns, size, "segment {label} is a rectangle");
            assert!(rows.abs_diff(10) <= 2 && columns.abs_diff(10) <= 2, "{rows} x {columns}");
        }
    }
}
