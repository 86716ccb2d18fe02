//! A window that slides over planes row by row, and the same window seen from its inputs.

use crate::{grid::Shape, windows::STEP};

/// How the rows that are written come from the rows that are read, of planes whose numbers lie side by side.
///
/// Rows that are read are kept for as long as one that is written needs them, in a ring, with zeros for what lies beside the plane. What lies
/// above and below it is left out.
pub struct Sweep {
    /// Height and width of the planes that are read.
    pub from: [usize; 2],
    /// Height and width of the planes that are written.
    pub to: [usize; 2],
    /// The rows that are written.
    pub rows: Vec<Reads>,
    /// The columns that are written.
    pub columns: Vec<Columns>,
    /// The taps of the kernel in the order in which their weights are needed.
    pub order: Vec<usize>,
    /// Where each row that is read is kept, from the plane's first column on.
    pub places: Vec<usize>,
    /// How many rows are kept at once, and the numbers of each.
    pub kept: usize,
    width: usize,
}

/// What a row that is written reads.
pub struct Reads {
    /// How many rows must have been read until then.
    pub reach: usize,
    /// Where each of the rows begins in the ring, and where its weights begin in their order.
    pub rows: Vec<(usize, usize)>,
}

/// Columns that see the same taps.
pub struct Columns {
    /// The first column that is written, the distance to the next, and how many there are.
    pub first: usize,
    pub step: usize,
    pub count: usize,
    /// How far what is read moves on from one column to the next.
    pub stride: usize,
    /// Where each tap of the first column lies in a row that is kept, in ascending order.
    pub taps: Vec<usize>,
    /// How many they are, where they lie side by side.
    pub side_by_side: Option<usize>,
    /// Where their weights begin among those of a row of the kernel.
    pub weights: usize,
}

impl Sweep {
    /// Room for the rows that are kept, and for what windows past the end of a row read.
    pub fn ring(&self) -> usize {
        self.kept * self.width + STEP * self.columns.iter().map(|columns| columns.stride).max().unwrap_or(0)
    }

    /// From inputs to outputs.
    pub fn forward(shape: &Shape) -> Self {
        Self::new(shape.input, shape.output, shape.kernel[1], [0, 1].map(|axis| forward(shape, axis)))
    }

    /// From the gradient of outputs to that of inputs.
    pub fn backward(shape: &Shape) -> Self {
        Self::new(shape.output, shape.input, shape.kernel[1], [0, 1].map(|axis| backward(shape, axis)))
    }

    fn new(from: [usize; 2], to: [usize; 2], across: usize, [down, right]: [Vec<Phase>; 2]) -> Self {
        let ends = right.iter().flat_map(|phase| {
            let last = ((phase.count - 1) * phase.stride) as isize;
            phase.taps.iter().map(move |&(offset, _)| (offset, offset + last))
        });
        // What the windows meet before the plane's first column and behind its last.
        let (before, behind) = ends.fold((0, 0), |(before, behind), (first, last)| {
            (before.max(-first), behind.max(last + 1 - from[1] as isize))
        });
        let (before, width) = (before as usize, before as usize + from[1] + behind as usize);

        let taps: Vec<usize> = right.iter().flat_map(|phase| phase.taps.iter().map(|tap| tap.1)).collect();
        let heights = down.iter().flat_map(|phase| phase.taps.iter().map(|tap| tap.1 + 1)).max().unwrap_or(0);
        let order = (0..heights).flat_map(|row| taps.iter().map(move |tap| row * across + tap)).collect();
        let mut weights = 0;
        let columns = right.into_iter().map(|Phase { first, step, count, stride, taps }| {
            let begin = weights;
            weights += taps.len();
            let taps: Vec<usize> = taps.iter().map(|tap| before.wrapping_add_signed(tap.0)).collect();
            let near = taps.windows(2).all(|pair| pair[0] + 1 == pair[1]);
            let side_by_side = near.then_some(taps.len());
            Columns { first, step, count, stride, taps, side_by_side, weights: begin }
        });
        let columns = columns.collect();

        let mut needs: Vec<Vec<(usize, usize)>> = vec![Vec::new(); to[0]];
        for phase in down {
            for index in 0..phase.count {
                let read = |&(offset, tap): &(isize, usize)| {
                    let row = (index * phase.stride).checked_add_signed(offset);
                    row.filter(|&row| row < from[0]).map(|row| (row, tap * weights))
                };
                needs[phase.first + index * phase.step] = phase.taps.iter().filter_map(read).collect();
            }
        }
        // Rows are read in their order, so that some may have been read before the first that is needed now.
        let (mut kept, mut reach) = (1, 0);
        let reach = |rows: &Vec<(usize, usize)>| {
            if let (Some(&(first, _)), Some(&(last, _))) = (rows.first(), rows.last()) {
                reach = reach.max(last + 1);
                kept = kept.max(reach - first);
            }
            reach
        };
        let reaches: Vec<usize> = needs.iter().map(reach).collect();
        let begin = |row: usize| row % kept * width;
        let place = |rows: Vec<(usize, usize)>| rows.into_iter().map(|(row, weights)| (begin(row), weights));
        let rows = needs.into_iter().zip(reaches);
        let rows = rows.map(|(rows, reach)| Reads { reach, rows: place(rows).collect() }).collect();
        let places = (0..from[0]).map(|row| begin(row) + before).collect();
        Self { from, to, rows, columns, order, places, kept, width }
    }
}

/// Places along an axis that see the same taps, each at the same distance.
struct Phase {
    first: usize,
    step: usize,
    count: usize,
    stride: usize,
    /// Where each tap reads, seen from where its place stands in what is read, in ascending order; and which of the kernel's it is.
    taps: Vec<(isize, usize)>,
}

/// What the outputs read of the inputs.
fn forward(shape: &Shape, axis: usize) -> Vec<Phase> {
    let reads = |tap: usize| (tap * shape.dilations[axis]) as isize - shape.before[axis] as isize;
    let taps = (0..shape.kernel[axis]).map(|tap| (reads(tap), tap)).collect();
    vec![Phase { first: 0, step: 1, count: shape.output[axis], stride: shape.strides[axis], taps }]
}

/// What the gradients of the inputs read of the outputs' gradients.
fn backward(shape: &Shape, axis: usize) -> Vec<Phase> {
    let (input, stride) = (shape.input[axis], shape.strides[axis]);
    let phase = |first: usize| {
        let reads = |tap: usize| {
            let distance = (first + shape.before[axis]) as isize - (tap * shape.dilations[axis]) as isize;
            let stride = stride as isize;
            (distance % stride == 0).then_some((distance / stride, tap))
        };
        let taps = (0..shape.kernel[axis]).rev().filter_map(reads).collect();
        Phase { first, step: stride, count: (input - first).div_ceil(stride), stride: 1, taps }
    };
    (0..stride.min(input)).map(phase).collect()
}
