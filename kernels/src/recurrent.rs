//! Recurrent layers, step by step over the sequence: LSTM, GRU and the plain network, with the gradient of what they read.
//!
//! What all steps read goes through one product; a step then multiplies the states of a few samples, and its functions are bounded
//! polynomials that the compiler turns into vectors. A walk back runs the steps again rather than keeping them.

use crate::{
    Dense, Place,
    curves::{sigmoid, tanh},
    elementwise::add,
    threads,
};

/// What a step does. Gates lie one after the other, in ONNX's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cell {
    /// Gates input, output, forget, cell.
    Lstm,
    /// Gates update, reset, hidden.
    Gru {
        /// Whether the reset gate is applied to the product of the old state, and not before it.
        reset_after: bool,
    },
    /// `tanh(W x + R h + b)`.
    Tanh,
    /// `max(W x + R h + b, 0)`.
    Relu,
}

impl Cell {
    /// Numbers of a unit's gates.
    pub fn gates(self) -> usize {
        match self {
            Self::Lstm => 4,
            Self::Gru { .. } => 3,
            Self::Tanh | Self::Relu => 1,
        }
    }
}

/// The steps and samples of an input, and which of these axes is first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sequence {
    /// Steps.
    pub length: usize,
    /// Samples.
    pub batch: usize,
    /// Whether the samples are the first axis, and not the steps.
    pub batch_first: bool,
}

impl Sequence {
    fn row(self, step: usize, sample: usize) -> usize {
        if self.batch_first { sample * self.length + step } else { step * self.batch + sample }
    }

    fn rows(self) -> usize {
        self.length * self.batch
    }
}

/// What is read of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// The state after each step: `[steps, directions, samples, hidden]`, or `[samples, steps, directions, hidden]`.
    Each,
    /// The state after the last step: `[directions, samples, hidden]`, or `[samples, directions, hidden]`.
    Last,
}

/// A layer whose weights are known when the model is loaded, and whose states are zero at first.
pub struct Recurrent {
    cell: Cell,
    inputs: usize,
    hidden: usize,
    directions: Vec<Direction>,
}

struct Direction {
    reversed: bool,
    /// What the gates take from the input, their bias added.
    driven: Dense,
    /// `[gates, hidden]`, and turned.
    recurrent: Vec<f32>,
    turned: Vec<f32>,
    /// What is added to the product with the old state alone, before the reset gate: a bias of `[hidden]`.
    inner: Vec<f32>,
}

/// Samples of one direction, which one thread computes.
struct Part<'a> {
    direction: usize,
    first: usize,
    count: usize,
    /// What the gates take from the input, of all samples.
    driven: &'a [f32],
    /// After all steps: the states, `[steps, samples, hidden]`.
    states: Vec<f32>,
    /// For a walk back: the gates as they acted, `[steps, samples, gates * hidden]`, and an LSTM's cells, or a GRU's products with the
    /// state that the reset gate closes.
    gates: Vec<f32>,
    cells: Vec<f32>,
}

impl Recurrent {
    /// A layer with the weights `[directions, gates * hidden, inputs]` of what it reads, those `[directions, gates * hidden, hidden]` of
    /// its states, and both biases after each other, `[directions, 2 * gates * hidden]`. A direction that is reversed begins at the
    /// last step.
    pub fn new(
        cell: Cell,
        reversed: &[bool],
        [inputs, hidden]: [usize; 2],
        [weights, recurrent]: [&[f32]; 2],
        bias: Option<&[f32]>,
    ) -> Self {
        let rows = cell.gates() * hidden;
        let direction = |(index, &reversed): (usize, &bool)| {
            let weights = &weights[index * rows * inputs..][..rows * inputs];
            let recurrent = recurrent[index * rows * hidden..][..rows * hidden].to_vec();
            let mut sum = vec![0.0; rows];
            let mut inner = Vec::new();
            if let Some(bias) = bias {
                let (own, other) = bias[index * 2 * rows..][..2 * rows].split_at(rows);
                for (sum, (own, other)) in sum.iter_mut().zip(own.iter().zip(other)) {
                    *sum = own + other;
                }
                if cell == (Cell::Gru { reset_after: true }) {
                    sum[2 * hidden..].copy_from_slice(&own[2 * hidden..]);
                    inner = other[2 * hidden..].to_vec();
                }
            }
            let mut turned = vec![0.0; rows * hidden];
            for (row, values) in recurrent.chunks_exact(hidden).enumerate() {
                for (column, value) in values.iter().enumerate() {
                    turned[column * rows + row] = *value;
                }
            }
            inner.resize(hidden, 0.0);
            let driven = Dense::new(weights, [rows, inputs, 1, 1], 1, [1; 2], [1; 2], Some(sum));
            Direction { reversed, driven, recurrent, turned, inner }
        };
        Self { cell, inputs, hidden, directions: reversed.iter().enumerate().map(direction).collect() }
    }

    /// Numbers of a step that are read.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// The shape of what is read of it.
    pub fn shape(&self, Sequence { length, batch, batch_first }: Sequence, output: Output) -> Vec<usize> {
        let (directions, hidden) = (self.directions.len(), self.hidden);
        match (output, batch_first) {
            (Output::Each, false) => vec![length, directions, batch, hidden],
            (Output::Each, true) => vec![batch, length, directions, hidden],
            (Output::Last, false) => vec![directions, batch, hidden],
            (Output::Last, true) => vec![batch, directions, hidden],
        }
    }

    /// Where a state begins in what is read.
    fn place(&self, sequence: Sequence, output: Output, [direction, step, sample]: [usize; 3]) -> usize {
        let directions = self.directions.len();
        let Sequence { length, batch, batch_first } = sequence;
        let row = match (output, batch_first) {
            (Output::Each, false) => (step * directions + direction) * batch + sample,
            (Output::Each, true) => (sample * length + step) * directions + direction,
            (Output::Last, false) => direction * batch + sample,
            (Output::Last, true) => sample * directions + direction,
        };
        row * self.hidden
    }

    /// The steps of a direction in their order.
    fn order(&self, direction: usize, length: usize) -> impl DoubleEndedIterator<Item = usize> + use<> {
        let reversed = self.directions[direction].reversed;
        (0..length).map(move |step| if reversed { length - 1 - step } else { step })
    }

    /// Runs the layer on `x`, `[steps, samples, inputs]` or `[samples, steps, inputs]`.
    pub fn forward(&self, x: &[f32], sequence: Sequence, output: Output, out: &mut [f32]) {
        let driven = self.drive(x, sequence);
        let parts = self.run(&driven, sequence, false);
        for part in &parts {
            let last = self.order(part.direction, sequence.length).next_back();
            for step in (0..sequence.length).filter(|&step| output == Output::Each || Some(step) == last) {
                for sample in 0..part.count {
                    let to = self.place(sequence, output, [part.direction, step, part.first + sample]);
                    let from = (step * part.count + sample) * self.hidden;
                    out[to..to + self.hidden].copy_from_slice(&part.states[from..from + self.hidden]);
                }
            }
        }
    }

    /// The gradient of `x` from that of what is read.
    pub fn backward(
        &self,
        x: &[f32],
        gradient: &[f32],
        sequence: Sequence,
        output: Output,
        found: &mut [f32],
    ) {
        let rows = self.cell.gates() * self.hidden;
        let driven = self.drive(x, sequence);
        let mut parts = self.run(&driven, sequence, true);
        let work = sequence.rows() * rows * self.hidden * self.directions.len();
        threads::each(&mut parts, 1, work, |_, parts| {
            for part in parts {
                self.walk(part, gradient, sequence, output);
            }
        });
        let mut gates = vec![0.0; sequence.rows() * rows];
        let mut one = vec![0.0; found.len()];
        for (index, direction) in self.directions.iter().enumerate() {
            for part in parts.iter().filter(|part| part.direction == index) {
                for (at, from) in part.gates.chunks_exact(rows).enumerate() {
                    let row = sequence.row(at / part.count, part.first + at % part.count);
                    gates[row * rows..][..rows].copy_from_slice(from);
                }
            }
            let to = if index == 0 { &mut *found } else { &mut one[..] };
            direction.driven.backward(&points(&direction.driven), sequence.rows(), &gates, None, to);
            if index > 0 {
                add(found, &one);
            }
        }
    }

    /// What the gates of each direction take from the input, row by row.
    fn drive(&self, x: &[f32], sequence: Sequence) -> Vec<Vec<f32>> {
        let rows = self.cell.gates() * self.hidden;
        let of = |direction: &Direction| {
            let mut driven = vec![0.0; sequence.rows() * rows];
            direction.driven.forward(&points(&direction.driven), sequence.rows(), x, None, &mut driven);
            driven
        };
        self.directions.iter().map(of).collect()
    }

    /// Runs all steps of all samples, and keeps what a walk back needs where it is told so.
    fn run<'a>(&self, driven: &'a [Vec<f32>], sequence: Sequence, keep: bool) -> Vec<Part<'a>> {
        let rows = self.cell.gates() * self.hidden;
        let Sequence { length, batch, .. } = sequence;
        let work = length * batch * rows * self.hidden * self.directions.len();
        // Samples that go together read the weights of the states once.
        let each = batch.div_ceil(threads::count(work).div_ceil(self.directions.len())).max(1);
        let mut parts = Vec::new();
        for (direction, driven) in driven.iter().enumerate() {
            for first in (0..batch).step_by(each) {
                let count = each.min(batch - first);
                let room = |width: usize| vec![0.0; if keep { length * count * width } else { 0 }];
                let states = vec![0.0; length * count * self.hidden];
                let (gates, cells) = (room(rows), room(self.hidden));
                parts.push(Part { direction, first, count, driven, states, gates, cells });
            }
        }
        threads::each(&mut parts, 1, work, |_, parts| {
            for part in parts {
                self.step_through(part, sequence, keep);
            }
        });
        parts
    }

    fn step_through(&self, part: &mut Part<'_>, sequence: Sequence, keep: bool) {
        let (hidden, rows) = (self.hidden, self.cell.gates() * self.hidden);
        let direction = &self.directions[part.direction];
        let mut gates = vec![0.0; part.count * rows];
        let mut state = vec![0.0; part.count * hidden];
        let mut cell = vec![0.0; part.count * hidden];
        let mut product = vec![0.0; part.count * hidden];
        for step in self.order(part.direction, sequence.length) {
            for (sample, gates) in gates.chunks_exact_mut(rows).enumerate() {
                let row = sequence.row(step, part.first + sample);
                gates.copy_from_slice(&part.driven[row * rows..][..rows]);
            }
            match self.cell {
                Cell::Lstm => {
                    accumulate(&direction.turned, rows, 0..rows, &state, &mut gates);
                    for ((gates, cell), state) in chunks(&mut gates, rows)
                        .zip(chunks(&mut cell, hidden))
                        .zip(chunks(&mut state, hidden))
                    {
                        lstm(gates, cell, state);
                    }
                }
                Cell::Gru { reset_after } => {
                    accumulate(&direction.turned, rows, 0..2 * hidden, &state, &mut gates);
                    for (gates, (product, state)) in chunks(&mut gates, rows)
                        .zip(product.chunks_exact_mut(hidden).zip(state.chunks_exact(hidden)))
                    {
                        let reset = &mut gates[..2 * hidden];
                        sigmoid(reset);
                        let reset = &reset[hidden..];
                        if reset_after {
                            product.copy_from_slice(&direction.inner);
                        } else {
                            times(product, reset, state);
                        }
                    }
                    if reset_after {
                        // The product with the old state, then the reset gate.
                        accumulate_into(
                            &direction.turned,
                            rows,
                            2 * hidden..rows,
                            &state,
                            &mut product,
                            hidden,
                        );
                        for (gates, product) in chunks(&mut gates, rows).zip(product.chunks_exact(hidden)) {
                            let (both, candidate) = gates.split_at_mut(2 * hidden);
                            for (value, (reset, product)) in
                                candidate.iter_mut().zip(both[hidden..].iter().zip(product))
                            {
                                *value += reset * product;
                            }
                        }
                    } else {
                        accumulate(&direction.turned, rows, 2 * hidden..rows, &product, &mut gates);
                    }
                    for (gates, state) in chunks(&mut gates, rows).zip(chunks(&mut state, hidden)) {
                        let (both, candidate) = gates.split_at_mut(2 * hidden);
                        tanh(candidate);
                        for (state, (update, new)) in state.iter_mut().zip(both.iter().zip(&*candidate)) {
                            *state = (1.0 - update) * new + update * *state;
                        }
                    }
                    if keep && reset_after {
                        cell.copy_from_slice(&product);
                    }
                }
                Cell::Tanh | Cell::Relu => {
                    accumulate(&direction.turned, rows, 0..rows, &state, &mut gates);
                    match self.cell {
                        Cell::Relu => gates.iter_mut().for_each(|value| *value = value.max(0.0)),
                        _ => tanh(&mut gates),
                    }
                    state.copy_from_slice(&gates);
                }
            }
            let at = step * part.count;
            part.states[at * hidden..][..state.len()].copy_from_slice(&state);
            if keep {
                part.gates[at * rows..][..gates.len()].copy_from_slice(&gates);
                part.cells[at * hidden..][..cell.len()].copy_from_slice(&cell);
            }
        }
    }

    /// Walks back through the steps; the gates that were kept become their gradients, before their functions.
    fn walk(&self, part: &mut Part<'_>, gradient: &[f32], sequence: Sequence, output: Output) {
        let (hidden, rows) = (self.hidden, self.cell.gates() * self.hidden);
        let direction = &self.directions[part.direction];
        let count = part.count;
        let mut of_state = vec![0.0; count * hidden];
        let mut of_cell = vec![0.0; count * hidden];
        let mut of_product = vec![0.0; count * hidden];
        let none = vec![0.0; count * hidden];
        let order: Vec<usize> = self.order(part.direction, sequence.length).collect();
        for (place, &step) in order.iter().enumerate().rev() {
            if output == Output::Each || place + 1 == order.len() {
                for (sample, of_state) in of_state.chunks_exact_mut(hidden).enumerate() {
                    let from = self.place(sequence, output, [part.direction, step, part.first + sample]);
                    for (sum, more) in of_state.iter_mut().zip(&gradient[from..]) {
                        *sum += more;
                    }
                }
            }
            let at = |step: usize, width: usize| step * count * width..(step + 1) * count * width;
            let before = place.checked_sub(1).map(|place| order[place]);
            let old_state = before.map_or(&none[..], |before| &part.states[at(before, hidden)]);
            let gates = &mut part.gates[at(step, rows)];
            match self.cell {
                Cell::Lstm => {
                    let old_cell = before.map_or(&none[..], |before| &part.cells[at(before, hidden)]);
                    let cell = &part.cells[at(step, hidden)];
                    for sample in 0..count {
                        let own = sample * hidden..(sample + 1) * hidden;
                        lstm_back(
                            &mut gates[sample * rows..][..rows],
                            [&cell[own.clone()], &old_cell[own.clone()]],
                            &of_state[own.clone()],
                            &mut of_cell[own],
                        );
                    }
                    of_state.fill(0.0);
                }
                Cell::Gru { reset_after } => {
                    let product = &part.cells[at(step, hidden)];
                    of_product.fill(0.0);
                    for sample in 0..count {
                        let own = sample * hidden..(sample + 1) * hidden;
                        let (both, candidate) = gates[sample * rows..][..rows].split_at_mut(2 * hidden);
                        let (update, reset) = both.split_at_mut(hidden);
                        for unit in 0..hidden {
                            let (g, z, n) = (of_state[own.start + unit], update[unit], candidate[unit]);
                            let old = old_state[own.start + unit];
                            let of_candidate = g * (1.0 - z) * (1.0 - n * n);
                            candidate[unit] = of_candidate;
                            update[unit] = g * (old - n) * z * (1.0 - z);
                            of_state[own.start + unit] = g * z;
                            if reset_after {
                                let r = reset[unit];
                                of_product[own.start + unit] = of_candidate * r;
                                reset[unit] = of_candidate * product[own.start + unit] * r * (1.0 - r);
                            }
                        }
                    }
                    let hidden_rows = 2 * hidden..rows;
                    if reset_after {
                        accumulate_from(
                            &direction.recurrent,
                            hidden,
                            hidden_rows,
                            &of_product,
                            hidden,
                            &mut of_state,
                        );
                    } else {
                        let candidates: Vec<f32> = gates
                            .chunks_exact(rows)
                            .flat_map(|gates| &gates[2 * hidden..])
                            .copied()
                            .collect();
                        accumulate_from(
                            &direction.recurrent,
                            hidden,
                            hidden_rows,
                            &candidates,
                            hidden,
                            &mut of_product,
                        );
                        for sample in 0..count {
                            let reset = &mut gates[sample * rows + hidden..][..hidden];
                            for (unit, reset) in reset.iter_mut().enumerate() {
                                let (g, r) = (of_product[sample * hidden + unit], *reset);
                                of_state[sample * hidden + unit] += g * r;
                                *reset = g * old_state[sample * hidden + unit] * r * (1.0 - r);
                            }
                        }
                    }
                    accumulate_from(&direction.recurrent, hidden, 0..2 * hidden, gates, rows, &mut of_state);
                    continue;
                }
                Cell::Tanh => {
                    for (gate, g) in gates.iter_mut().zip(&mut of_state) {
                        *gate = *g * (1.0 - *gate * *gate);
                        *g = 0.0;
                    }
                }
                Cell::Relu => {
                    for (gate, g) in gates.iter_mut().zip(&mut of_state) {
                        *gate = if *gate > 0.0 { *g } else { 0.0 };
                        *g = 0.0;
                    }
                }
            }
            accumulate_from(&direction.recurrent, hidden, 0..rows, gates, rows, &mut of_state);
        }
    }
}

fn chunks(values: &mut [f32], size: usize) -> std::slice::ChunksExactMut<'_, f32> {
    values.chunks_exact_mut(size)
}

fn times(to: &mut [f32], a: &[f32], b: &[f32]) {
    for (to, (a, b)) in to.iter_mut().zip(a.iter().zip(b)) {
        *to = a * b;
    }
}

/// A product on planes of one place.
fn points(weights: &Dense) -> Place {
    weights.on([0; 2], [1; 2], [1; 2])
}

/// A step of an LSTM from what its gates were given; they become what they act as.
fn lstm(gates: &mut [f32], cell: &mut [f32], state: &mut [f32]) {
    let hidden = state.len();
    let (open, new) = gates.split_at_mut(3 * hidden);
    sigmoid(open);
    tanh(new);
    let (input, rest) = open.split_at(hidden);
    let (output, forget) = rest.split_at(hidden);
    for unit in 0..hidden {
        cell[unit] = forget[unit] * cell[unit] + input[unit] * new[unit];
    }
    state.copy_from_slice(cell);
    tanh(state);
    for (state, output) in state.iter_mut().zip(output) {
        *state *= output;
    }
}

/// The way back through a step of an LSTM: gates become their gradients, `of_cell` that of the old cell.
fn lstm_back(gates: &mut [f32], [cell, old_cell]: [&[f32]; 2], of_state: &[f32], of_cell: &mut [f32]) {
    let hidden = of_state.len();
    let (input, rest) = gates.split_at_mut(hidden);
    let (output, rest) = rest.split_at_mut(hidden);
    let (forget, new) = rest.split_at_mut(hidden);
    let mut shown = cell.to_vec();
    tanh(&mut shown);
    for unit in 0..hidden {
        let (i, o, f, n) = (input[unit], output[unit], forget[unit], new[unit]);
        let (g, t) = (of_state[unit], shown[unit]);
        let of = of_cell[unit] + g * o * (1.0 - t * t);
        input[unit] = of * n * i * (1.0 - i);
        output[unit] = g * t * o * (1.0 - o);
        forget[unit] = of * old_cell[unit] * f * (1.0 - f);
        new[unit] = of * i * (1.0 - n * n);
        of_cell[unit] = of * f;
    }
}

/// Adds the products of `values`, `[samples, depth]`, with some columns of `matrix`, `[depth, width]`, to the same columns of `sums`,
/// `[samples, width]`.
fn accumulate(
    matrix: &[f32],
    width: usize,
    columns: std::ops::Range<usize>,
    values: &[f32],
    sums: &mut [f32],
) {
    let depth = matrix.len() / width;
    let samples = sums.len() / width;
    product(matrix, width, columns.clone(), (values, depth, 0), depth, (sums, width, columns.start), samples);
}

/// The same where `sums` is as wide as the columns.
fn accumulate_into(
    matrix: &[f32],
    width: usize,
    columns: std::ops::Range<usize>,
    values: &[f32],
    sums: &mut [f32],
    hidden: usize,
) {
    let depth = matrix.len() / width;
    let samples = sums.len() / hidden;
    product(matrix, width, columns, (values, depth, 0), depth, (sums, hidden, 0), samples);
}

/// Adds the products of some rows of `matrix`, `[rows, width]`, with as many of `values`, `stride` of each sample, to `sums`, `[samples, width]`.
/// Where `values` are fewer than the matrix has rows, they are those of the rows.
fn accumulate_from(
    matrix: &[f32],
    width: usize,
    rows: std::ops::Range<usize>,
    values: &[f32],
    stride: usize,
    sums: &mut [f32],
) {
    let samples = sums.len() / width;
    let first = if stride == rows.len() { 0 } else { rows.start };
    let depth = rows.len();
    let part = &matrix[rows.start * width..rows.end * width];
    product(part, width, 0..width, (values, stride, first), depth, (sums, width, 0), samples);
}

/// Adds the products of each sample's `depth` values with the rows of a matrix, some of its columns, to its sums. Values and sums are given
/// with how far the samples are apart and where the first begins.
fn product(
    matrix: &[f32],
    width: usize,
    columns: std::ops::Range<usize>,
    (values, apart, from): (&[f32], usize, usize),
    depth: usize,
    (sums, wide, to): (&mut [f32], usize, usize),
    samples: usize,
) {
    /// Rows at once: a sum is read and written once for all of them.
    const AT_ONCE: usize = 4;
    let row = |index: usize| &matrix[index * width + columns.start..index * width + columns.end];
    let mut index = 0;
    while index + AT_ONCE <= depth {
        let [a, b, c, d] = [row(index), row(index + 1), row(index + 2), row(index + 3)];
        for sample in 0..samples {
            let v = &values[sample * apart + from + index..][..AT_ONCE];
            let [p, q, r, s] = [v[0], v[1], v[2], v[3]];
            let sums = &mut sums[sample * wide + to..][..a.len()];
            for ((((sum, a), b), c), d) in sums.iter_mut().zip(a).zip(b).zip(c).zip(d) {
                *sum += p * a + q * b + r * c + s * d;
            }
        }
        index += AT_ONCE;
    }
    for index in index..depth {
        let row = row(index);
        for sample in 0..samples {
            let value = values[sample * apart + from + index];
            let sums = &mut sums[sample * wide + to..][..row.len()];
            for (sum, weight) in sums.iter_mut().zip(row) {
                *sum += value * weight;
            }
        }
    }
}
