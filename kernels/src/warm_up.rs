//! Running the kernels on next to nothing, before there is anything to compute.

use crate::{Dense, Depthwise, Gate, Shape, maximum, maximum_backward};

/// Side of the planes, and their number.
const SIDE: usize = 24;
const PLANES: usize = 16;

/// Runs the kernels for a few milliseconds. A browser compiles a function well only after it has run for a while, and does
/// so in the background: what is run before the network is there has been compiled when the network comes.
pub fn warm_up() {
    let shape = Shape {
        kernel: [3, 3],
        strides: [1, 1],
        dilations: [1, 1],
        before: [1, 1],
        input: [SIDE, SIDE],
        output: [SIDE, SIDE],
    };
    let taps = 9;
    let mut planes = vec![1.0; PLANES * SIDE * SIDE];
    let mut other = planes.clone();
    let weights = vec![0.1; PLANES * PLANES * taps];
    let dense = Dense::new(&weights, [PLANES, PLANES, 3, 3], 1, [1, 1], [1, 1], None);
    let depthwise = Depthwise::new(&weights[..PLANES * taps], taps, None);
    let place = dense.on(shape.before, shape.input, shape.output);
    // Tiles of which no row, some and all are open.
    let open: Vec<f32> =
        (0..planes.len()).map(|index| if index / 8 * 7 % 5 < 2 { 0.5 } else { 0.0 }).collect();
    let gate = Gate { values: &open, low: 0.0, high: 1.0 };
    for _ in 0..4 {
        dense.forward(&place, 1, &planes, Some((0.0, 1.0)), &mut other);
        dense.backward(&place, 1, &other, Some(gate), &mut planes);
        depthwise.forward(&shape, &planes, Some((0.0, 1.0)), &mut other);
        depthwise.backward(&shape, &other, &mut planes);
    }
    // Maxima are mostly those of every second place.
    let halves = Shape { strides: [2, 2], output: [SIDE / 2, SIDE / 2], ..shape };
    let mut maxima = vec![0.0; planes.len() / 4];
    for _ in 0..8 {
        maximum(&halves, &planes, &mut maxima);
        maximum_backward(&halves, &planes, &maxima, &mut other);
    }
    std::hint::black_box(other);
}
