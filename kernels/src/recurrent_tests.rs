//! Recurrent layers beside their definition (ONNX's LSTM, GRU and RNN), in 64 bits, and their gradients beside slopes.

use crate::{Cell, Output, Recurrent, Sequence, tests::noise};

const SEQUENCE: Sequence = Sequence { length: 5, batch: 3, batch_first: false };
const INPUTS: usize = 4;
const HIDDEN: usize = 6;

struct Weights {
    weights: Vec<f32>,
    recurrent: Vec<f32>,
    bias: Vec<f32>,
}

fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// The states after each step, `[directions, steps, samples, hidden]`; all steps of a direction in the order of time.
fn defined(cell: Cell, reversed: &[bool], given: &Weights, x: &[f64], sequence: Sequence) -> Vec<f64> {
    let Sequence { length, batch, batch_first } = sequence;
    let gates = cell.gates();
    let mut states = vec![0.0; reversed.len() * length * batch * HIDDEN];
    for (direction, &reversed) in reversed.iter().enumerate() {
        for sample in 0..batch {
            let (mut h, mut c) = (vec![0.0; HIDDEN], vec![0.0; HIDDEN]);
            for time in 0..length {
                let step = if reversed { length - 1 - time } else { time };
                let row = if batch_first { sample * length + step } else { step * batch + sample };
                let x = &x[row * INPUTS..][..INPUTS];
                // What a gate takes from the input, and from a state.
                let at = |gate: usize, unit: usize| (direction * gates + gate) * HIDDEN + unit;
                let bias = |half: usize, gate: usize, unit: usize| {
                    f64::from(given.bias[((direction * 2 + half) * gates + gate) * HIDDEN + unit])
                };
                let product = |matrix: &[f32], row: usize, values: &[f64]| -> f64 {
                    let row = &matrix[row * values.len()..][..values.len()];
                    row.iter().zip(values).map(|(w, v)| f64::from(*w) * v).sum()
                };
                let input = |gate, unit| product(&given.weights, at(gate, unit), x) + bias(0, gate, unit);
                let state = |gate, unit, h: &[f64]| {
                    product(&given.recurrent, at(gate, unit), h) + bias(1, gate, unit)
                };
                let whole = |gate, unit, h: &[f64]| input(gate, unit) + state(gate, unit, h);
                let new: Vec<f64> = match cell {
                    Cell::Lstm => (0..HIDDEN)
                        .map(|unit| {
                            let gate = |gate| whole(gate, unit, &h);
                            c[unit] = logistic(gate(2)) * c[unit] + logistic(gate(0)) * gate(3).tanh();
                            logistic(gate(1)) * c[unit].tanh()
                        })
                        .collect(),
                    Cell::Gru { reset_after } => {
                        let reset: Vec<f64> = (0..HIDDEN).map(|unit| logistic(whole(1, unit, &h))).collect();
                        let closed: Vec<f64> = reset.iter().zip(&h).map(|(r, h)| r * h).collect();
                        (0..HIDDEN)
                            .map(|unit| {
                                let z = logistic(whole(0, unit, &h));
                                let n = match reset_after {
                                    true => input(2, unit) + reset[unit] * state(2, unit, &h),
                                    false => input(2, unit) + state(2, unit, &closed),
                                };
                                (1.0 - z) * n.tanh() + z * h[unit]
                            })
                            .collect()
                    }
                    Cell::Tanh => (0..HIDDEN).map(|unit| whole(0, unit, &h).tanh()).collect(),
                    Cell::Relu => (0..HIDDEN).map(|unit| whole(0, unit, &h).max(0.0)).collect(),
                };
                h = new;
                let to = ((direction * length + step) * batch + sample) * HIDDEN;
                states[to..to + HIDDEN].copy_from_slice(&h);
            }
        }
    }
    states
}

/// Those states in the order in which the layer hands them on.
fn read(states: &[f64], reversed: &[bool], sequence: Sequence, output: Output) -> Vec<f64> {
    let Sequence { length, batch, batch_first } = sequence;
    let of = |direction: usize, step: usize, sample: usize| {
        states[((direction * length + step) * batch + sample) * HIDDEN..][..HIDDEN].to_vec()
    };
    let last = |direction: usize| if reversed[direction] { 0 } else { length - 1 };
    let (directions, samples, steps) = (0..reversed.len(), 0..batch, 0..length);
    let mut all = Vec::new();
    match (output, batch_first) {
        (Output::Each, false) => steps.for_each(|s| {
            directions.clone().for_each(|d| samples.clone().for_each(|b| all.extend(of(d, s, b))))
        }),
        (Output::Each, true) => samples.for_each(|b| {
            steps.clone().for_each(|s| directions.clone().for_each(|d| all.extend(of(d, s, b))))
        }),
        (Output::Last, false) => {
            directions.for_each(|d| samples.clone().for_each(|b| all.extend(of(d, last(d), b))))
        }
        (Output::Last, true) => {
            samples.for_each(|b| directions.clone().for_each(|d| all.extend(of(d, last(d), b))))
        }
    }
    all
}

#[test]
fn layers_and_their_gradients_are_those_of_their_definition() {
    let cells = [
        Cell::Lstm,
        Cell::Gru { reset_after: false },
        Cell::Gru { reset_after: true },
        Cell::Tanh,
        Cell::Relu,
    ];
    for cell in cells {
        for reversed in [&[false][..], &[true], &[false, true]] {
            for (batch_first, output) in
                [(false, Output::Each), (true, Output::Each), (false, Output::Last), (true, Output::Last)]
            {
                let sequence = Sequence { batch_first, ..SEQUENCE };
                let rows = reversed.len() * cell.gates() * HIDDEN;
                let given = Weights {
                    weights: noise(rows * INPUTS, 1),
                    recurrent: noise(rows * HIDDEN, 2),
                    bias: noise(rows * 2, 3),
                };
                let layer = Recurrent::new(
                    cell,
                    reversed,
                    [INPUTS, HIDDEN],
                    [&given.weights, &given.recurrent],
                    Some(&given.bias),
                );
                let x = noise(sequence.length * sequence.batch * INPUTS, 4);
                let wide: Vec<f64> = x.iter().map(|&x| f64::from(x)).collect();
                let exact = |x: &[f64]| {
                    read(&defined(cell, reversed, &given, x, sequence), reversed, sequence, output)
                };
                let right = exact(&wide);
                let dims = layer.shape(sequence, output);
                let mut y = vec![0.0; dims.iter().product()];
                layer.forward(&x, sequence, output, &mut y);
                let what = format!("{cell:?} {reversed:?} {output:?} {batch_first}");
                assert_eq!(y.len(), right.len(), "{what}");
                for (y, right) in y.iter().zip(&right) {
                    assert!((f64::from(*y) - right).abs() < 1e-5, "{what}: {y} and {right}");
                }
                let g = noise(y.len(), 5);
                let mut found = vec![0.0; x.len()];
                layer.backward(&x, &g, sequence, output, &mut found);
                let score =
                    |x: &[f64]| -> f64 { exact(x).iter().zip(&g).map(|(y, &g)| y * f64::from(g)).sum() };
                let step = 1e-5;
                for (index, found) in found.iter().enumerate() {
                    let moved = |by: f64| {
                        let mut x = wide.clone();
                        x[index] += by;
                        score(&x)
                    };
                    let slope = (moved(step) - moved(-step)) / (2.0 * step);
                    assert!((f64::from(*found) - slope).abs() < 1e-4, "{what}: {found} and {slope}");
                }
            }
        }
    }
}
