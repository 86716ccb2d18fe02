//! The kernels beside the definitions of what they compute.

use super::*;

/// Numbers between -1 and 1, the same ones for the same seed.
pub fn noise(count: usize, seed: u32) -> Vec<f32> {
    let mut state = seed;
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / 8_388_608.0 - 1.0
    };
    (0..count).map(next).collect()
}

struct Case {
    samples: usize,
    channels: usize,
    filters: usize,
    groups: usize,
    kernel: [usize; 2],
    strides: [usize; 2],
    dilations: [usize; 2],
    before: [usize; 2],
    after: [usize; 2],
    input: [usize; 2],
}

const PLAIN: Case = Case {
    samples: 2,
    channels: 8,
    filters: 13,
    groups: 1,
    kernel: [3, 3],
    strides: [1, 1],
    dilations: [1, 1],
    before: [1, 1],
    after: [1, 1],
    input: [6, 17],
};

/// So many channels, each by itself.
const fn alone(channels: usize) -> Case {
    Case { channels, filters: channels, groups: channels, ..PLAIN }
}

fn cases() -> Vec<Case> {
    vec![
        PLAIN,
        Case { kernel: [1, 1], before: [0; 2], after: [0; 2], ..PLAIN },
        Case { kernel: [1, 1], before: [0; 2], after: [0; 2], strides: [2, 2], ..PLAIN },
        // Deeper than a block, and one sample with several blocks of columns.
        Case { kernel: [1, 1], before: [0; 2], after: [0; 2], channels: 600, ..PLAIN },
        Case { samples: 1, input: [90, 80], ..PLAIN },
        Case { strides: [2, 2], channels: 3, input: [15, 16], ..PLAIN },
        Case { strides: [2, 2], before: [0; 2], input: [16, 16], ..PLAIN },
        Case { kernel: [5, 3], strides: [1, 2], before: [2, 0], ..PLAIN },
        Case { dilations: [2, 3], before: [2, 3], after: [2, 3], ..PLAIN },
        Case { kernel: [7, 7], strides: [4, 4], before: [3, 3], after: [3, 3], input: [30, 27], ..PLAIN },
        // More padding than the kernel reaches, and windows that leave pixels out.
        Case { before: [3, 3], after: [3, 3], ..PLAIN },
        Case { kernel: [2, 2], strides: [3, 3], before: [0; 2], after: [0; 2], ..PLAIN },
        Case { groups: 4, filters: 12, ..PLAIN },
        alone(8),
        Case { kernel: [5, 5], strides: [2, 2], before: [2, 2], after: [2, 2], ..alone(8) },
        Case { dilations: [2, 1], strides: [1, 2], before: [1, 2], after: [3, 0], ..alone(8) },
        // Channels of a number that fills no vector, and planes of seven columns, of one, and of more than are put in their places at once.
        Case { kernel: [5, 5], before: [2; 2], after: [2; 2], input: [14, 7], ..alone(5) },
        Case { input: [9, 1], ..alone(3) },
        Case { samples: 1, input: [5, 300], ..alone(8) },
        Case { kernel: [7, 7], before: [3; 2], after: [3; 2], input: [11, 12], ..alone(8) },
        Case { kernel: [2, 4], strides: [3, 3], before: [0, 1], after: [1, 2], input: [10, 13], ..alone(8) },
        Case { kernel: [1, 2], strides: [2, 4], before: [0; 2], after: [0; 2], input: [9, 15], ..alone(8) },
        Case { dilations: [2, 3], before: [2, 3], after: [2, 3], ..alone(8) },
    ]
}

impl Case {
    fn output(&self) -> [usize; 2] {
        std::array::from_fn(|axis| {
            let reach = (self.kernel[axis] - 1) * self.dilations[axis] + 1;
            (self.before[axis] + self.input[axis] + self.after[axis] - reach) / self.strides[axis] + 1
        })
    }

    fn shape(&self) -> Shape {
        let Self { kernel, strides, dilations, before, input, .. } = *self;
        Shape { kernel, strides, dilations, before, input, output: self.output() }
    }

    /// Calls `visit` with the places of each output, of each of its inputs and of the weight between them.
    fn each(&self, mut visit: impl FnMut(usize, usize, usize)) {
        let (channels, filters) = (self.channels / self.groups, self.filters / self.groups);
        let ([height, width], [rows, columns]) = (self.output(), self.input);
        for sample in 0..self.samples {
            for filter in 0..self.filters {
                for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
                    let output = ((sample * self.filters + filter) * height + y) * width + x;
                    for channel in 0..channels {
                        for (i, j) in
                            (0..self.kernel[0]).flat_map(|i| (0..self.kernel[1]).map(move |j| (i, j)))
                        {
                            let row = y * self.strides[0] + i * self.dilations[0];
                            let column = x * self.strides[1] + j * self.dilations[1];
                            let (Some(row), Some(column)) =
                                (row.checked_sub(self.before[0]), column.checked_sub(self.before[1]))
                            else {
                                continue;
                            };
                            if row < rows && column < columns {
                                let plane = sample * self.channels + filter / filters * channels + channel;
                                let weight =
                                    ((filter * channels + channel) * self.kernel[0] + i) * self.kernel[1] + j;
                                visit(output, (plane * rows + row) * columns + column, weight);
                            }
                        }
                    }
                }
            }
        }
    }
}

fn check(ours: &[f32], expected: &[f32], what: &str) {
    let size = expected.iter().fold(1.0f32, |size, x| size.max(x.abs()));
    let apart = ours.iter().zip(expected).fold(0.0f32, |apart, (a, b)| apart.max((a - b).abs()));
    assert!(ours.len() == expected.len() && apart < 2e-5 * size, "{what}: {apart} of {size}");
}

#[test]
fn convolutions_and_their_gradients() {
    for (index, case) in cases().iter().enumerate() {
        let [height, width] = case.kernel;
        let weights = noise(case.filters * case.channels / case.groups * height * width, 1);
        let bias = noise(case.filters, 2);
        let x = noise(case.samples * case.channels * case.input[0] * case.input[1], 3);
        let [rows, columns] = case.output();
        let mut gradient = noise(case.samples * case.filters * rows * columns, 4);
        if index % 2 == 1 {
            // From one class, as a gradient begins: all other planes are zero.
            for (plane, values) in gradient.chunks_exact_mut(rows * columns).enumerate() {
                if plane % case.filters != 5 {
                    values.fill(0.0);
                }
            }
        }
        let mut expected: Vec<f32> = (0..case.samples)
            .flat_map(|_| bias.iter().flat_map(|&bias| std::iter::repeat_n(bias, rows * columns)))
            .collect();
        let mut expected_back = vec![0.0; x.len()];
        case.each(|output, input, weight| {
            expected[output] += weights[weight] * x[input];
            expected_back[input] += weights[weight] * gradient[output];
        });
        expected.iter_mut().for_each(|value| *value = value.clamp(-0.5, 1.5));

        let shape = [case.filters, case.channels / case.groups, height, width];
        let dense =
            Dense::new(&weights, shape, case.groups, case.strides, case.dilations, Some(bias.clone()));
        let place = dense.on(case.before, case.input, case.output());
        let (mut y, mut back) = (vec![f32::NAN; expected.len()], vec![f32::NAN; x.len()]);
        dense.forward(&place, case.samples, &x, Some((-0.5, 1.5)), &mut y);
        check(&y, &expected, &format!("case {index}"));
        dense.backward(&place, case.samples, &gradient, None, &mut back);
        check(&back, &expected_back, &format!("case {index}, gradient"));

        if case.groups == case.channels && case.groups == case.filters {
            let depthwise = Depthwise::new(&weights, height * width, Some(&bias));
            depthwise.forward(&case.shape(), &x, Some((-0.5, 1.5)), &mut y);
            check(&y, &expected, &format!("case {index}, channel by channel"));
            depthwise.backward(&case.shape(), &gradient, &mut back);
            check(&back, &expected_back, &format!("case {index}, channel by channel, gradient"));
        }
    }
}

#[test]
fn averages_are_convolutions_of_equal_weights() {
    for case in cases().iter().filter(|case| case.groups == case.channels) {
        let taps = case.kernel[0] * case.kernel[1];
        let weight = 1.0 / taps as f32;
        let [rows, columns] = case.output();
        let x = noise(case.samples * case.channels * case.input[0] * case.input[1], 1);
        let both = |averages: Depthwise| {
            let mut y = vec![f32::NAN; case.samples * case.channels * rows * columns];
            let mut back = vec![f32::NAN; x.len()];
            averages.forward(&case.shape(), &x, None, &mut y);
            averages.backward(&case.shape(), &y, &mut back);
            [y, back]
        };
        let equal = Depthwise::new(&vec![weight; case.channels * taps], taps, None);
        assert_eq!(both(Depthwise::uniform(taps, weight)), both(equal));
    }
}

#[test]
fn leaving_zeros_out_changes_no_bit() {
    const FILTERS: usize = 40;
    for case in [PLAIN, Case { kernel: [1, 1], before: [0; 2], after: [0; 2], channels: 600, ..PLAIN }] {
        let [height, width] = case.kernel;
        let depth = case.channels * height * width;
        let plane = case.input[0] * case.input[1];
        let mut x = noise(case.samples * case.channels * plane, 1);
        // What a rectifier leaves: patches of zeros, elsewhere some of both.
        for (index, value) in x.iter_mut().enumerate() {
            let patch = index / plane % 3 == 0 && index % plane > plane / 3;
            *value = if patch || index < plane { 0.0 } else { value.max(0.0) };
        }
        let mut weights = noise(FILTERS * depth, 2);
        let convolved = |weights: &[f32], filters: usize| {
            let shape = [filters, case.channels, height, width];
            let dense = Dense::new(weights, shape, 1, case.strides, case.dilations, None);
            let [rows, columns] = case.output();
            let mut y = vec![f32::NAN; case.samples * filters * rows * columns];
            let place = dense.on(case.before, case.input, case.output());
            dense.forward(&place, case.samples, &x, None, &mut y);
            y.iter().map(|value| value.to_bits()).collect::<Vec<_>>()
        };
        // So few filters that no zeros are looked for.
        let half = |weights: &[f32]| convolved(weights, FILTERS / 2);
        let together = convolved(&weights, FILTERS);
        let size = together.len() / case.samples;
        let halves = [half(&weights[..FILTERS / 2 * depth]), half(&weights[FILTERS / 2 * depth..])];
        for (sample, together) in together.chunks_exact(size).enumerate() {
            for (half, together) in halves.iter().zip(together.chunks_exact(size / 2)) {
                assert!(half[sample * size / 2..][..size / 2] == *together, "{:?}", case.kernel);
            }
        }
        weights[0] = f32::INFINITY;
        let lost = &convolved(&weights, FILTERS)[..size / FILTERS];
        let inner = lost.len() / 2;
        assert!(f32::from_bits(lost[inner]).is_nan(), "zero times infinity is no number");
    }
}

#[test]
fn maxima_and_their_gradients() {
    for case in cases().iter().filter(|case| case.groups == case.channels) {
        let [rows, columns] = case.output();
        // Few different values, so that maxima are shared.
        let x: Vec<f32> = noise(case.samples * case.channels * case.input[0] * case.input[1], 5)
            .into_iter()
            .map(|value| (value * 4.0).round())
            .collect();
        let gradient = noise(case.samples * case.channels * rows * columns, 6);
        let mut best: Vec<Option<usize>> = vec![None; gradient.len()];
        case.each(|output, input, _| {
            if best[output].is_none_or(|best| x[input] > x[best]) {
                best[output] = Some(input);
            }
        });
        if best.iter().any(Option::is_none) {
            continue;
        }
        let expected: Vec<f32> = best.iter().flatten().map(|&input| x[input]).collect();
        let mut expected_back = vec![0.0; x.len()];
        for (&input, gradient) in best.iter().flatten().zip(&gradient) {
            expected_back[input] += gradient;
        }
        let (mut y, mut back) = (vec![f32::NAN; gradient.len()], vec![f32::NAN; x.len()]);
        maximum(&case.shape(), &x, &mut y);
        assert_eq!(y, expected);
        maximum_backward(&case.shape(), &x, &gradient, &mut back);
        check(&back, &expected_back, "the gradient of maxima");
    }
}

#[test]
fn a_gate_inside_a_gradient_is_the_gate_behind_it() {
    let deep = Case { filters: 200, ..PLAIN };
    for (index, case) in cases().iter().chain([&deep]).enumerate() {
        let [height, width] = case.kernel;
        let [rows, columns] = case.output();
        let weights = noise(case.filters * case.channels / case.groups * height * width, 1);
        let shape = [case.filters, case.channels / case.groups, height, width];
        let dense = Dense::new(&weights, shape, case.groups, case.strides, case.dilations, None);
        let place = dense.on(case.before, case.input, case.output());
        let gradient = noise(case.samples * case.filters * rows * columns, 2);
        let mut values = noise(case.samples * case.channels * case.input[0] * case.input[1], 3);
        // From none of a tile's rows to all of them are open.
        let draws = noise(values.len().div_ceil(16), 4);
        for (values, draw) in values.chunks_mut(16).zip(draws) {
            match draw {
                ..-0.4 => values.fill(-0.5),
                ..0.2 => values.fill(0.8),
                _ => {}
            }
        }
        bound(&mut values, -0.5, 0.8);
        let gate = Gate { values: &values, low: -0.5, high: 0.8 };
        let (mut inside, mut behind) = (vec![f32::NAN; values.len()], vec![f32::NAN; values.len()]);
        dense.backward(&place, case.samples, &gradient, Some(gate), &mut inside);
        dense.backward(&place, case.samples, &gradient, None, &mut behind);
        pass_between(&mut behind, gate);
        assert!(inside.contains(&0.0) && inside.iter().any(|&value| value != 0.0));
        assert_eq!(inside, behind, "case {index}");
    }
}

/// What the kernels make of layers that are large enough for threads.
fn large_layers() -> Vec<Vec<f32>> {
    let case = Case { samples: 3, channels: 48, filters: 48, input: [40, 37], ..PLAIN };
    let strided = Case { strides: [2, 2], ..case };
    // Few columns, so that the rows are divided too.
    let small = Case { filters: 200, input: [7, 7], ..case };
    let mut found = Vec::new();
    for case in [case, strided, small] {
        let [height, width] = case.output();
        let x = noise(case.samples * case.channels * case.input[0] * case.input[1], 1);
        let weights = noise(case.filters * case.channels * 9, 2);
        let dense = Dense::new(&weights, [case.filters, case.channels, 3, 3], 1, case.strides, [1, 1], None);
        let place = dense.on(case.before, case.input, case.output());
        let mut y = vec![0.0; case.samples * case.filters * height * width];
        let mut back = vec![0.0; x.len()];
        dense.forward(&place, case.samples, &x, None, &mut y);
        dense.backward(&place, case.samples, &y, None, &mut back);
        found.extend([y.clone(), back.clone()]);
        let gate = Gate { values: &x, low: -0.2, high: 0.3 };
        dense.backward(&place, case.samples, &y, Some(gate), &mut back);
        found.push(back.clone());
        if case.filters != case.channels {
            continue;
        }
        let depthwise = Depthwise::new(&weights[..case.channels * 9], 9, None);
        depthwise.forward(&case.shape(), &x, None, &mut y);
        depthwise.backward(&case.shape(), &y, &mut back);
        found.extend([y.clone(), back.clone()]);
        maximum(&case.shape(), &x, &mut y);
        maximum_backward(&case.shape(), &x, &y, &mut back);
        found.extend([y, back.clone()]);
        add(&mut back, &x);
        bound(&mut back, -0.5, 0.5);
        found.push(back);
        let mut means = vec![0.0; case.samples * case.channels];
        mean(&x, case.input[0] * case.input[1], &mut means);
        found.push(means);
    }
    found
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let found = pool.install(large_layers);
        found.iter().flatten().map(|value| value.to_bits()).collect::<Vec<_>>()
    };
    let one = on(1);
    for threads in [2, 3, 5] {
        assert!(on(threads) == one, "{threads} threads");
    }
}

#[test]
fn bounds_let_gradients_pass_inside() {
    let values = [-1.0, 0.0, 0.5, 6.0, 7.0];
    let mut bounded = values;
    bound(&mut bounded, 0.0, 6.0);
    assert_eq!(bounded, [0.0, 0.0, 0.5, 6.0, 6.0]);
    let mut between = [1.0; 5];
    pass_between(&mut between, Gate { values: &bounded, low: 0.0, high: 6.0 });
    assert_eq!(between, [0.0, 0.0, 1.0, 0.0, 0.0]);
}
