//! What detectors cut out of a map: regions, each brought to one size.

use burn::tensor::{Int, Tensor};

use super::{Inputs, Node, Plan, check_size, float_tensor, one};
use crate::model::value::Ranked;

/// The most samples along one side of a cell; a region that wants more is a fault.
const MOST_SAMPLES: f32 = 1024.0;

/// A map `[N, C, H, W]` as rows of pixels `[N * H * W, C]`, so that one index takes a pixel with all its channels.
struct Pixels {
    table: Tensor<2>,
    dims: [usize; 4],
}

impl Pixels {
    fn of(inputs: &Inputs) -> Result<Self, String> {
        let x = inputs.tensor::<4>(0)?;
        let dims @ [batch, channels, height, width] = x.dims();
        if dims.contains(&0) {
            return Err(format!("its input of shape {dims:?} is empty"));
        }
        let table = x.permute([0, 2, 3, 1]).reshape([batch * height * width, channels]);
        Ok(Self { table, dims })
    }

    /// Which sample a region lies in.
    fn sample(&self, number: i64) -> Result<usize, String> {
        let sample = usize::try_from(number).ok().filter(|&sample| sample < self.dims[0]);
        sample.ok_or_else(|| format!("its region is of sample {number}, of {}", self.dims[0]))
    }

    /// `[places, C]`.
    fn at(&self, places: &[i64]) -> Tensor<2> {
        self.table.clone().select(0, Tensor::<1, Int>::from_data(places, &self.table.device()))
    }

    /// The cells of all regions, each `[height * width, C]`, as `[regions, C, height, width]`.
    fn laid_out(
        &self,
        regions: Vec<Tensor<2>>,
        [height, width]: [usize; 2],
    ) -> Result<Ranked<burn::tensor::Float>, String> {
        let count = regions.len();
        if count == 0 {
            return float_tensor(Vec::new(), &[0, self.dims[1], height, width], &self.table.device().inner());
        }
        let all = Tensor::cat(regions, 0).reshape([count, height, width, self.dims[1]]);
        Ok(all.permute([0, 3, 1, 2]).into())
    }
}

/// Regions as rows of numbers.
fn rows(inputs: &Inputs, width: usize) -> Result<Vec<f32>, String> {
    let dims = inputs.raw(1)?.dims();
    match dims[..] {
        [_, columns] if columns == width => inputs.floats(1),
        _ => Err(format!("its regions of shape {dims:?} are not rows of {width} numbers")),
    }
}

/// One side of a region: for each cell, the two neighbours of each of its samples with their weights; nothing for samples
/// beyond the map.
struct Side(Vec<Vec<Option<Neighbours>>>);

/// Two places with their weights.
type Neighbours = [(usize, f32); 2];

impl Side {
    fn of(start: f32, length: f32, cells: usize, samples: usize, size: usize) -> Result<Self, String> {
        let cell = length / cells as f32;
        let count = match samples {
            0 => (length / cells as f32).ceil(),
            _ => samples as f32,
        };
        if !(start.is_finite() && count <= MOST_SAMPLES) {
            return Err(format!("one of its regions begins at {start} and is {length} long"));
        }
        let sample = |at: f32| {
            if !(-1.0..=size as f32).contains(&at) {
                return None;
            }
            let at = at.max(0.0);
            let low = at as usize;
            if low + 1 >= size {
                return Some([(size - 1, 1.0), (size - 1, 0.0)]);
            }
            let share = at - low as f32;
            Some([(low, 1.0 - share), (low + 1, share)])
        };
        // A region without extent has no samples.
        let each = count.max(0.0) as usize;
        let of_cell = |at: usize| {
            let first = start + at as f32 * cell;
            (0..each).map(|step| sample(first + (step as f32 + 0.5) * cell / count)).collect()
        };
        Ok(Self((0..cells).map(of_cell).collect()))
    }
}

/// `RoiAlign`: bilinear samples of each cell of a region, averaged, or the largest of their weighted neighbours
/// (He et al. 2017). The regions are read on the host; a gradient passes to the map.
pub(super) fn roi_align(node: &Node) -> Plan {
    let largest = match node.text("mode", "avg")?.as_str() {
        "avg" => false,
        "max" => true,
        other => return Err(format!("its mode \"{other}\" is unknown")),
    };
    let default = if node.opset < 16 { "output_half_pixel" } else { "half_pixel" };
    let half = match node.text("coordinate_transformation_mode", default)?.as_str() {
        "half_pixel" => true,
        "output_half_pixel" => false,
        other => return Err(format!("its coordinate_transformation_mode \"{other}\" is unknown")),
    };
    let cells = [node.positive("output_height", 1)?, node.positive("output_width", 1)?];
    let samples =
        usize::try_from(node.int("sampling_ratio", 0)?).map_err(|_| "its sampling_ratio is negative")?;
    let scale = node.float("spatial_scale", 1.0)?;
    check_size(&cells)?;
    Ok(Box::new(move |inputs| {
        let pixels = Pixels::of(inputs)?;
        let [_, channels, height, width] = pixels.dims;
        let (regions, of) = (rows(inputs, 4)?, inputs.ints(2)?);
        if of.len() * 4 != regions.len() {
            return Err(format!("it has {} regions and {} samples of them", regions.len() / 4, of.len()));
        }
        check_size(&[of.len(), channels, cells[0], cells[1]])?;
        let offset = if half { 0.5 } else { 0.0 };
        let mut found = Vec::with_capacity(of.len());
        for (region, &sample) in regions.chunks_exact(4).zip(&of) {
            let first = pixels.sample(sample)? * height * width;
            let [x1, y1, x2, y2] = std::array::from_fn(|at| region[at] * scale - offset);
            let length = |length: f32| if half { length } else { length.max(1.0) };
            let tall = Side::of(y1, length(y2 - y1), cells[0], samples, height)?;
            let wide = Side::of(x1, length(x2 - x1), cells[1], samples, width)?;
            let each = tall.0[0].len() * wide.0[0].len();
            check_size(&[cells[0], cells[1], each * 4, channels])?;
            if each == 0 {
                found.push(pixels.at(&vec![first as i64; cells[0] * cells[1]]) * 0.0);
                continue;
            }
            let count = cells[0] * cells[1] * each * 4;
            let (mut places, mut weights) = (Vec::with_capacity(count), Vec::with_capacity(count));
            for (rows, columns) in
                tall.0.iter().flat_map(|rows| wide.0.iter().map(move |columns| (rows, columns)))
            {
                for (row, column) in
                    rows.iter().flat_map(|row| columns.iter().map(move |column| (row, column)))
                {
                    match (row, column) {
                        (Some(row), Some(column)) => {
                            for (row, down) in row {
                                for (column, right) in column {
                                    places.push((first + row * width + column) as i64);
                                    weights.push(down * right);
                                }
                            }
                        }
                        _ => {
                            places.extend([first as i64; 4]);
                            weights.extend([0.0; 4]);
                        }
                    }
                }
            }
            let shape = [cells[0] * cells[1], each * 4, channels];
            let weights = float_tensor(weights, &[shape[0], shape[1], 1], inputs.device())?;
            let weights: Tensor<3> = weights.get().ok_or("its regions are empty")?;
            let parts = pixels.at(&places).reshape(shape) * weights;
            let cell = if largest { parts.max_dim(1) } else { parts.sum_dim(1) / each as f32 };
            found.push(cell.reshape([shape[0], channels]));
        }
        one(pixels.laid_out(found, cells)?)
    }))
}

/// `MaxRoiPool`: the largest value of each cell of a region (Girshick 2015).
pub(super) fn max_roi_pool(node: &Node) -> Plan {
    let cells = node.positives("pooled_shape")?.ok_or("its pooled_shape is missing")?;
    let [tall, wide] = cells[..] else { return Err(format!("its pooled_shape {cells:?} is not two sizes")) };
    let scale = node.float("spatial_scale", 1.0)?;
    // Each cell is pooled by itself.
    if tall.saturating_mul(wide) > 1 << 14 {
        return Err(format!("its pooled_shape {cells:?} is too large"));
    }
    Ok(Box::new(move |inputs| {
        let pixels = Pixels::of(inputs)?;
        let [_, channels, height, width] = pixels.dims;
        let regions = rows(inputs, 5)?;
        check_size(&[regions.len() / 5, channels, tall, wide])?;
        // The pixels of each cell along one side.
        let side = |from: f32, to: f32, cells: usize, size: usize| -> Vec<std::ops::Range<usize>> {
            let start = (from * scale).round();
            let cell = ((to * scale).round() - start + 1.0).max(1.0) / cells as f32;
            let place = |at: f32| (at + start).clamp(0.0, size as f32) as usize;
            (0..cells)
                .map(|at| place((at as f32 * cell).floor())..place(((at + 1) as f32 * cell).ceil()))
                .collect()
        };
        let mut found = Vec::with_capacity(regions.len() / 5);
        for region in regions.chunks_exact(5) {
            let first = pixels.sample(region[0] as i64)? * height * width;
            let columns = side(region[1], region[3], wide, width);
            let mut parts = Vec::with_capacity(tall * wide);
            for rows in side(region[2], region[4], tall, height) {
                for columns in &columns {
                    let places: Vec<i64> = rows
                        .clone()
                        .flat_map(|row| {
                            columns.clone().map(move |column| (first + row * width + column) as i64)
                        })
                        .collect();
                    // A cell without pixels is zero.
                    parts.push(match places.is_empty() {
                        true => pixels.at(&[first as i64]) * 0.0,
                        false => pixels.at(&places).max_dim(0),
                    });
                }
            }
            found.push(Tensor::cat(parts, 0));
        }
        one(pixels.laid_out(found, [tall, wide])?)
    }))
}
