//! Recurrent networks: LSTM, GRU and the plain RNN, step by step over the sequence.

use adversight_kernels::Cell as Kernel;
use burn::tensor::{Tensor, activation};

use super::{Described, Inputs, Kind, Lowering, Node, Operator, shape::permuted};
use crate::model::value::Value;

/// An activation with its two numbers.
type Activation = Box<dyn Fn(Tensor<2>) -> Tensor<2> + Send + Sync>;

fn activation(name: &str, alpha: Option<f32>, beta: Option<f32>) -> Result<Activation, String> {
    let a = |default: f32| alpha.unwrap_or(default);
    let b = |default: f32| beta.unwrap_or(default);
    Ok(match name.to_ascii_lowercase().as_str() {
        "sigmoid" => Box::new(activation::sigmoid),
        "tanh" => Box::new(Tensor::tanh),
        "relu" => Box::new(activation::relu),
        "affine" => {
            let (alpha, beta) = (a(1.0), b(0.0));
            Box::new(move |x| x * alpha + beta)
        }
        "leakyrelu" => {
            let alpha = f64::from(a(0.01));
            Box::new(move |x| activation::leaky_relu(x, alpha))
        }
        "thresholdedrelu" => {
            let alpha = a(1.0);
            Box::new(move |x| x.clone() * x.greater_elem(alpha).float())
        }
        "scaledtanh" => {
            let (alpha, beta) = (a(1.0), b(1.0));
            Box::new(move |x| (x * beta).tanh() * alpha)
        }
        "hardsigmoid" => {
            let (alpha, beta) = (a(0.2), b(0.5));
            Box::new(move |x| (x * alpha + beta).clamp(0.0, 1.0))
        }
        "elu" => {
            let alpha = f64::from(a(1.0));
            Box::new(move |x| activation::elu(x, alpha))
        }
        "softsign" => Box::new(activation::softsign),
        "softplus" => Box::new(|x| activation::softplus(x, 1.0)),
        _ => return Err(format!("its activation \"{name}\" is unknown")),
    })
}

/// One network: what it keeps from step to step, and a step.
struct Cell {
    gates: usize,
    activations: Vec<Activation>,
    clip: Option<f32>,
}

/// What all three operators have in common.
struct Recurrence {
    hidden: usize,
    reversed: Vec<bool>,
    cells: Vec<Cell>,
    batch_first: bool,
}

impl Recurrence {
    fn of(node: &Node, gates: usize, defaults: &[&str]) -> Result<Self, String> {
        let reversed = match node.text("direction", "forward")?.as_str() {
            "forward" => vec![false],
            "reverse" => vec![true],
            "bidirectional" => vec![false, true],
            other => return Err(format!("its direction \"{other}\" is unknown")),
        };
        let names = node.texts("activations")?.unwrap_or_default();
        let (alphas, betas) = (
            node.floats("activation_alpha")?.unwrap_or_default(),
            node.floats("activation_beta")?.unwrap_or_default(),
        );
        let each = defaults.len();
        if !names.is_empty() && names.len() != each * reversed.len() {
            return Err(format!("it has {} activations and needs {}", names.len(), each * reversed.len()));
        }
        // The numbers belong to those of the functions that take some, in their order.
        let (mut alphas, mut betas) = (alphas.into_iter(), betas.into_iter());
        let clip = if node.has("clip") { Some(node.float("clip", 0.0)?) } else { None };
        if let Some(clip) = clip.filter(|clip| clip.is_nan() || *clip < 0.0) {
            return Err(format!("its clip is {clip}"));
        }
        let mut cells = Vec::new();
        for direction in 0..reversed.len() {
            let mut activations = Vec::new();
            for (index, default) in defaults.iter().enumerate() {
                let name = names.get(direction * each + index).map_or(*default, String::as_str);
                let takes_alpha = !["sigmoid", "tanh", "relu", "softsign", "softplus"]
                    .contains(&name.to_ascii_lowercase().as_str());
                let takes_beta =
                    ["affine", "scaledtanh", "hardsigmoid"].contains(&name.to_ascii_lowercase().as_str());
                let alpha = if takes_alpha { alphas.next() } else { None };
                let beta = if takes_beta { betas.next() } else { None };
                activations.push(activation(name, alpha, beta)?);
            }
            cells.push(Cell { gates, activations, clip });
        }
        Ok(Self {
            hidden: node.positive("hidden_size", 0)?,
            reversed,
            cells,
            batch_first: node.flag("layout", false)?,
        })
    }

    /// What the processor's kernels may run it as: with the functions that are usual, and nothing clipped.
    fn lowered(&self, cell: Kernel, node: &Node) -> Result<Option<Lowering>, String> {
        let names = node.texts("activations")?.unwrap_or_default();
        let usual: &[&str] = match cell {
            Kernel::Lstm => &["sigmoid", "tanh", "tanh"],
            Kernel::Gru { .. } => &["sigmoid", "tanh"],
            Kernel::Tanh => &["tanh"],
            Kernel::Relu => &["relu"],
        };
        let is_usual = match names.is_empty() {
            true => cell != Kernel::Relu,
            false => {
                names.iter().zip(usual.iter().cycle()).all(|(name, usual)| name.eq_ignore_ascii_case(usual))
            }
        };
        let plain = is_usual && self.cells.iter().all(|cell| cell.clip.is_none());
        let lowering =
            || Lowering::Recurrent { cell, reversed: self.reversed.clone(), batch_first: self.batch_first };
        Ok(plain.then(lowering))
    }

    /// Runs every direction; `step` computes the new states from the gates' inputs `[batch, gates * hidden]`, the
    /// recurrent weights, their bias and the old states.
    fn run(&self, inputs: &Inputs, states: &[usize], step: &StepFunction) -> Result<Vec<Value>, String> {
        let weights = [inputs.tensor::<3>(1)?, inputs.tensor::<3>(2)?];
        self.run_with(inputs, weights, states, &Ok, step)
    }

    /// Like [`Recurrence::run`] with the weights `[directions, gates * hidden, …]` of inputs and states, and with what is
    /// done to the inputs before their product.
    fn run_with(
        &self,
        inputs: &Inputs,
        [weights, recurrent]: [Tensor<3>; 2],
        states: &[usize],
        prepared: &dyn Fn(Tensor<2>) -> Result<Tensor<2>, String>,
        step: &StepFunction,
    ) -> Result<Vec<Value>, String> {
        let turn =
            |value: Value, order: &[usize]| if self.batch_first { permuted(value, order) } else { Ok(value) };
        let real = |value: Value| match value {
            Value::Float(value) => {
                value.get::<3>().ok_or_else(|| "its input must have 3 dimensions".to_owned())
            }
            _ => Err("its input must be real".to_owned()),
        };
        let x = real(turn(inputs.value(0)?, &[1, 0, 2])?)?;
        let [length, batch, features] = x.dims();
        let directions = self.reversed.len();
        let gates = self.cells[0].gates;
        let hidden = recurrent.dims()[2];
        if weights.dims() != [directions, gates * hidden, features]
            || recurrent.dims() != [directions, gates * hidden, hidden]
            || (self.hidden != 0 && self.hidden != hidden)
            || [length, batch, features, hidden].contains(&0)
        {
            return Err(format!(
                "its weights {:?} and {:?} do not fit an input of shape {:?}",
                weights.dims(),
                recurrent.dims(),
                [length, batch, features]
            ));
        }
        let bias = inputs.optional::<2>(3)?;
        if bias.as_ref().is_some_and(|bias| bias.dims() != [directions, 2 * gates * hidden]) {
            return Err("its bias does not fit its weights".into());
        }
        let lengths = if inputs.has(4) { Some(inputs.ints(4)?) } else { None };
        if lengths.as_ref().is_some_and(|lengths| lengths.len() != batch) {
            return Err("its sequence lengths do not fit the batch".into());
        }
        let (mut sequences, mut finals) = (Vec::new(), vec![Vec::new(); states.len()]);
        for (direction, &reversed) in self.reversed.iter().enumerate() {
            let part = |tensor: &Tensor<3>| -> Tensor<2> {
                let [_, rows, columns] = tensor.dims();
                tensor.clone().slice_dim(0, direction as i64..direction as i64 + 1).reshape([rows, columns])
            };
            let half = |bias: &Tensor<2>, which: usize| -> Tensor<2> {
                let size = gates * hidden;
                bias.clone()
                    .slice_dim(0, direction as i64..direction as i64 + 1)
                    .slice_dim(1, (which * size) as i64..((which + 1) * size) as i64)
            };
            let (w, r) = (part(&weights).transpose(), part(&recurrent).transpose());
            // All steps' inputs by one product.
            let mut driven = prepared(x.clone().reshape([length * batch, features]))?.matmul(w);
            if let Some(bias) = &bias {
                driven = driven + half(bias, 0);
            }
            let driven = driven.reshape([length, batch, gates * hidden]);
            let recurrent_bias = bias.as_ref().map(|bias| half(bias, 1));
            let mut state: Vec<Tensor<2>> = Vec::new();
            for &index in states {
                state.push(match inputs.has(index) {
                    false => Tensor::zeros([batch, hidden], &inputs.device().clone().inner()),
                    true => {
                        let initial = real(turn(inputs.value(index)?, &[1, 0, 2])?)?;
                        if initial.dims() != [directions, batch, hidden] {
                            return Err("its initial state does not fit".into());
                        }
                        initial.slice_dim(0, direction as i64..direction as i64 + 1).reshape([batch, hidden])
                    }
                });
            }
            let mut outputs: Vec<Option<Tensor<2>>> = vec![None; length];
            let order: Vec<usize> =
                if reversed { (0..length).rev().collect() } else { (0..length).collect() };
            for at in order {
                let input =
                    driven.clone().slice_dim(0, at as i64..at as i64 + 1).reshape([batch, gates * hidden]);
                let cell = &self.cells[direction];
                let new = step(cell, input, &r, recurrent_bias.as_ref(), &state, direction)?;
                // A sequence that has ended keeps its state and gives zeros.
                let alive = lengths.as_ref().map(|lengths| -> Tensor<2> {
                    let alive: Vec<f32> =
                        lengths.iter().map(|&length| f32::from(u8::from((at as i64) < length))).collect();
                    Tensor::<1>::from_data(alive.as_slice(), &inputs.device().clone().inner())
                        .reshape([batch, 1])
                });
                let mut output = new[0].clone();
                state = match alive {
                    None => new,
                    Some(alive) => {
                        output = output * alive.clone();
                        let blend =
                            |(new, old): (Tensor<2>, Tensor<2>)| old.clone() + (new - old) * alive.clone();
                        new.into_iter().zip(state).map(blend).collect()
                    }
                };
                outputs[at] = Some(output);
            }
            let steps: Vec<Tensor<3>> =
                outputs.into_iter().flatten().map(|step| step.reshape([1, batch, hidden])).collect();
            sequences.push(Tensor::cat(steps, 0).reshape([length, 1, batch, hidden]));
            for (kept, state) in finals.iter_mut().zip(state) {
                kept.push(state.reshape([1, batch, hidden]));
            }
        }
        let mut results = vec![turn(Value::from(Tensor::cat(sequences, 1)), &[2, 0, 1, 3])?];
        for state in finals {
            results.push(turn(Value::from(Tensor::cat(state, 0)), &[1, 0, 2])?);
        }
        Ok(results)
    }
}

/// The new states, the output first: from the cell, the driven gates, the recurrent weights and bias, the old states
/// and the direction.
type StepFunction<'a> = dyn Fn(
        &Cell,
        Tensor<2>,
        &Tensor<2>,
        Option<&Tensor<2>>,
        &[Tensor<2>],
        usize,
    ) -> Result<Vec<Tensor<2>>, String>
    + 'a;

impl Cell {
    fn clipped(&self, x: Tensor<2>) -> Tensor<2> {
        match self.clip {
            Some(clip) => x.clamp(-clip, clip),
            None => x,
        }
    }

    fn apply(&self, which: usize, x: Tensor<2>) -> Tensor<2> {
        self.activations[which](self.clipped(x))
    }
}

fn gate(gates: &Tensor<2>, index: usize, hidden: usize) -> Tensor<2> {
    gates.clone().slice_dim(1, (index * hidden) as i64..((index + 1) * hidden) as i64)
}

fn with_bias(x: Tensor<2>, bias: Option<&Tensor<2>>) -> Tensor<2> {
    match bias {
        Some(bias) => x + bias.clone(),
        None => x,
    }
}

/// An `LSTM` with gates in the order input, output, forget, cell; peepholes where they are given.
pub(super) struct Lstm {
    recurrence: Recurrence,
    coupled: bool,
}

impl Lstm {
    pub fn of(node: &Node) -> Result<Self, String> {
        let recurrence = Recurrence::of(node, 4, &["Sigmoid", "Tanh", "Tanh"])?;
        Ok(Self { recurrence, coupled: node.flag("input_forget", false)? })
    }

    /// Whether its input and its result have the batch first.
    pub fn is_batch_first(&self) -> bool {
        self.recurrence.batch_first
    }

    /// Runs it with its weights; `prepared` is done to the inputs and to the states before their products.
    pub fn run(
        &self,
        inputs: &Inputs,
        weights: [Tensor<3>; 2],
        prepared: &dyn Fn(Tensor<2>) -> Result<Tensor<2>, String>,
    ) -> Result<Vec<Value>, String> {
        let peepholes = inputs.optional::<2>(7)?;
        self.recurrence.run_with(
            inputs,
            weights,
            &[5, 6],
            prepared,
            &|cell, driven, r, bias, state, direction| {
                let hidden = r.dims()[0];
                let (h, c) = (state[0].clone(), state[1].clone());
                let gates = with_bias(driven + prepared(h)?.matmul(r.clone()), bias);
                let peek = |gates: Tensor<2>, which: usize, c: &Tensor<2>| match &peepholes {
                    None => Ok(gates),
                    Some(peepholes)
                        if peepholes.dims()[1] == 3 * hidden && direction < peepholes.dims()[0] =>
                    {
                        let row = peepholes.clone().slice_dim(0, direction as i64..direction as i64 + 1);
                        Ok(gates + gate(&row, which, hidden) * c.clone())
                    }
                    Some(_) => Err("its peepholes do not fit".to_owned()),
                };
                let i = cell.apply(0, peek(gate(&gates, 0, hidden), 0, &c)?);
                let f = match self.coupled {
                    true => i.clone().neg() + 1.0,
                    false => cell.apply(0, peek(gate(&gates, 2, hidden), 2, &c)?),
                };
                let new_c = f * c + i * cell.apply(1, gate(&gates, 3, hidden));
                let o = cell.apply(0, peek(gate(&gates, 1, hidden), 1, &new_c)?);
                let new_h = o * cell.activations[2](new_c.clone());
                Ok(vec![new_h, new_c])
            },
        )
    }
}

/// `LSTM`.
pub(super) fn lstm(node: &Node) -> Described {
    let lstm = Lstm::of(node)?;
    let batch_first = lstm.is_batch_first();
    let lowering = lstm.recurrence.lowered(Kernel::Lstm, node)?.filter(|_| !lstm.coupled);
    let lstm = Operator::new(Kind::Recurrent, move |inputs| {
        lstm.run(inputs, [inputs.tensor::<3>(1)?, inputs.tensor::<3>(2)?], &Ok)
    });
    Ok(lstm.learns(1..4).batch_first(batch_first).may_lower(lowering))
}

/// `GRU` with gates in the order update, reset, hidden.
pub(super) fn gru(node: &Node) -> Described {
    let recurrence = Recurrence::of(node, 3, &["Sigmoid", "Tanh"])?;
    let batch_first = recurrence.batch_first;
    let reset_after = node.flag("linear_before_reset", false)?;
    let lowering = recurrence.lowered(Kernel::Gru { reset_after }, node)?;
    Ok(Operator::new(Kind::Recurrent, move |inputs| {
        recurrence.run(inputs, &[5], &|cell, driven, r, bias, state, _| {
            let hidden = r.dims()[0];
            let h = state[0].clone();
            let part = |tensor: &Tensor<2>, from: usize, to: usize| {
                tensor.clone().slice_dim(1, (from * hidden) as i64..(to * hidden) as i64)
            };
            let bias_of = |from: usize, to: usize| bias.map(|bias| part(bias, from, to));
            let both = part(&driven, 0, 2) + h.clone().matmul(part(r, 0, 2));
            let both = cell.apply(0, with_bias(both, bias_of(0, 2).as_ref()));
            let (z, reset) = (gate(&both, 0, hidden), gate(&both, 1, hidden));
            let recurrent = match reset_after {
                true => reset * with_bias(h.clone().matmul(part(r, 2, 3)), bias_of(2, 3).as_ref()),
                false => with_bias((reset * h.clone()).matmul(part(r, 2, 3)), bias_of(2, 3).as_ref()),
            };
            let candidate = cell.apply(1, part(&driven, 2, 3) + recurrent);
            Ok(vec![(z.clone().neg() + 1.0) * candidate + z * h])
        })
    })
    .learns(1..4)
    .batch_first(batch_first)
    .may_lower(lowering))
}

/// `RNN`: `h = f(W x + R h + b)`.
pub(super) fn rnn(node: &Node) -> Described {
    let recurrence = Recurrence::of(node, 1, &["Tanh"])?;
    let batch_first = recurrence.batch_first;
    let lowering = match recurrence.lowered(Kernel::Tanh, node)? {
        None => recurrence.lowered(Kernel::Relu, node)?,
        lowering => lowering,
    };
    Ok(Operator::new(Kind::Recurrent, move |inputs| {
        recurrence.run(inputs, &[5], &|cell, driven, r, bias, state, _| {
            Ok(vec![cell.apply(0, with_bias(driven + state[0].clone().matmul(r.clone()), bias))])
        })
    })
    .learns(1..4)
    .batch_first(batch_first)
    .may_lower(lowering))
}
