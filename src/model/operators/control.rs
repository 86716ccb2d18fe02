//! Operators with graphs inside: `If`, `Loop`, `Scan`. What decides which graph runs, and how often, must be known on the
//! host: nothing is read back from a GPU.

use super::{Described, Inputs, Kind, Node, Operator, Plan, host_ints, shape::joined};
use crate::{
    Error,
    model::{
        bodies, file,
        graph::{self, Graph, Slot},
        passes,
        value::Value,
    },
};

/// The most runs of a body: a file must not be able to run for ever.
const MOST_RUNS: usize = 1 << 20;

/// A graph inside of a node.
struct Body {
    graph: Graph,
    inputs: Vec<Slot>,
    outputs: Vec<Slot>,
    /// The values around it, by their place among the node's inputs.
    captured: Vec<(Slot, usize)>,
}

impl Body {
    /// Reads the graph that `node` holds as `attribute`, which [`bodies::lift`] has brought to its form.
    fn of(node: &Node, attribute: &str) -> Result<Self, String> {
        let proto =
            bodies::graph(node.proto, attribute).ok_or_else(|| format!("its {attribute} is missing"))?;
        let inside = |error: Error| match error {
            Error::ModelInvalid { node: Some(node), reason } => {
                format!("node \"{node}\" of its {attribute}: {reason}")
            }
            Error::ModelInvalid { node: None, reason } => format!("its {attribute}: {reason}"),
            Error::UnsupportedOperator { node, operator, reason, .. } => {
                format!("node \"{node}\" of its {attribute} uses {operator}, and {reason}")
            }
            other => other.to_string(),
        };
        let nodes = file::in_order(proto.node.clone(), proto);
        let names = bodies::captured(proto);
        file::check_order(proto, &nodes, names.iter().map(String::as_str)).map_err(inside)?;
        graph::check_operators(&nodes).map_err(inside)?;
        let mut types = file::declared_types(proto);
        let mut captured = Vec::with_capacity(names.len());
        let mut body = Graph::empty(&burn::tensor::Device::flex());
        for name in names {
            let place = node.proto.input.iter().position(|input| *input == name);
            let place =
                place.ok_or_else(|| format!("its {attribute} reads \"{name}\", which is nowhere defined"))?;
            if let Some(element) = node.element(place) {
                types.insert(name.clone(), element);
            }
            captured.push((body.slot(&name), place));
        }
        body.add(&nodes, node.opset, types).map_err(inside)?;
        let inputs: Vec<Slot> = proto.input.iter().map(|input| body.slot(&input.name)).collect();
        let outputs: Vec<Slot> = proto.output.iter().map(|output| body.slot(&output.name)).collect();
        let given: Vec<Slot> = captured.iter().map(|(slot, _)| *slot).chain(inputs.iter().copied()).collect();
        passes::keep_only(&mut body, &outputs, &given);
        Ok(Self { graph: body, inputs, outputs, captured })
    }

    /// The outputs for values of the graph's own inputs.
    fn run(&self, inputs: &Inputs, own: Vec<Value>) -> Result<Vec<Value>, String> {
        let mut given = Vec::with_capacity(own.len() + self.captured.len());
        given.extend(self.inputs.iter().copied().zip(own));
        for &(slot, place) in &self.captured {
            given.push((slot, inputs.raw(place)?.clone()));
        }
        self.graph.run_on(inputs.device(), given, &self.outputs).map_err(|error| match error {
            Error::ModelInvalid { node: Some(node), reason } => {
                format!("node \"{node}\" inside of it: {reason}")
            }
            other => other.to_string(),
        })
    }
}

/// A truth value that decides what runs.
fn decided(value: &Value, what: &str) -> Result<bool, String> {
    let Value::Bool(truth) = value else { return Err(format!("{what} must be a truth value")) };
    if value.device() != burn::tensor::Device::flex() {
        return Err(format!(
            "{what} is computed on the GPU and decides what runs, and reading it back would stop the run; run this \
             model on the CPU"
        ));
    }
    let truths: Vec<bool> = truth.clone().flat().into_data().iter().collect();
    match *truths {
        [truth] => Ok(truth),
        _ => Err(format!("{what} must be one truth value")),
    }
}

/// `If`: the branch that its condition names. The other is never run.
pub(super) fn choose(node: &Node) -> Plan {
    let (yes, no) = (Body::of(node, "then_branch")?, Body::of(node, "else_branch")?);
    let outputs = node.proto.output.len();
    if [&yes, &no].iter().any(|body| body.outputs.len() != outputs || !body.inputs.is_empty()) {
        return Err(format!("its branches do not make its {outputs} outputs"));
    }
    Ok(Box::new(move |inputs| {
        let condition = decided(inputs.raw(0)?, "its condition")?;
        if condition { yes.run(inputs, Vec::new()) } else { no.run(inputs, Vec::new()) }
    }))
}

/// What a body gives on each of its runs, joined along a new first axis.
struct Stacks(Vec<Vec<Value>>);

impl Stacks {
    fn new(count: usize) -> Self {
        Self(vec![Vec::new(); count])
    }

    fn push(&mut self, values: impl IntoIterator<Item = Value>) -> Result<(), String> {
        for (stack, value) in self.0.iter_mut().zip(values) {
            let dims: Vec<usize> = std::iter::once(1).chain(value.dims()).collect();
            stack.push(value.reshape(&dims)?);
        }
        Ok(())
    }

    fn joined(self) -> impl Iterator<Item = Result<Value, String>> {
        self.0.into_iter().map(|stack| match stack.is_empty() {
            true => Err("it never runs its body, so that what would be collected has no shape".into()),
            false => joined(stack, 0),
        })
    }
}

/// `Loop`: its body for a number of times, or while a condition holds, each run on what the one before left.
pub(super) fn repeat(node: &Node) -> Described {
    let body = Body::of(node, "body")?;
    let carried = body.inputs.len().checked_sub(2).ok_or("its body has no iteration number and condition")?;
    let collected = body.outputs.len().checked_sub(1 + carried);
    let collected = collected.filter(|collected| carried + collected == node.proto.output.len());
    let collected = collected.ok_or("its body does not make its outputs")?;
    Ok(Operator::new(Kind::Other, move |inputs| {
        let count = if inputs.has(0) { Some(inputs.ints(0)?) } else { None };
        let count = match count.as_deref() {
            None => None,
            Some(&[count]) => Some(usize::try_from(count).unwrap_or(0)),
            Some(_) => return Err("its number of runs must be one number".into()),
        };
        let conditional = inputs.has(1);
        let mut goes_on = !conditional || decided(inputs.raw(1)?, "its condition")?;
        if count.is_none() && !conditional {
            return Err("neither a number of runs nor a condition ends it".into());
        }
        let mut values =
            (2..2 + carried).map(|index| inputs.raw(index).cloned()).collect::<Result<Vec<_>, _>>()?;
        let mut stacks = Stacks::new(collected);
        let mut runs = 0;
        while goes_on && count.is_none_or(|count| runs < count) {
            if runs == MOST_RUNS {
                return Err(format!("it runs more than {MOST_RUNS} times"));
            }
            let mut own = vec![host_ints(vec![runs as i64], &[])?, truth(true)?];
            own.append(&mut values);
            let mut made = body.run(inputs, own)?.into_iter();
            let condition = made.next().ok_or("its body makes no condition")?;
            values = made.by_ref().take(carried).collect();
            stacks.push(made)?;
            goes_on = !conditional || decided(&condition, "its condition")?;
            runs += 1;
        }
        values.into_iter().map(Ok).chain(stacks.joined()).collect()
    })
    .gives(None))
}

/// A truth value on the host.
fn truth(value: bool) -> Result<Value, String> {
    let data = burn::tensor::TensorData::new(vec![value], Vec::<usize>::new());
    Value::from_data(data, &burn::tensor::Device::flex()).ok_or_else(|| "a truth value has no form".into())
}

/// `Scan`: its body for each slice of some inputs, each run on the state that the one before left.
pub(super) fn scan(node: &Node) -> Described {
    if node.opset < 9 {
        return Err("its form before opset 9 has a batch and is not implemented".into());
    }
    let body = Body::of(node, "body")?;
    let scanned = node.positive("num_scan_inputs", 1)?;
    let states = body.inputs.len().checked_sub(scanned).ok_or("its body has too few inputs")?;
    let collected = body.outputs.len().checked_sub(states);
    let collected = collected.filter(|collected| states + collected == node.proto.output.len());
    let collected = collected.ok_or("its body does not make its outputs")?;
    let listed = |name: &str, count: usize| -> Result<Vec<i64>, String> {
        let values = node.ints(name)?.unwrap_or_else(|| vec![0; count]);
        if values.len() == count { Ok(values) } else { Err(format!("its {name} are not {count}")) }
    };
    let (axes_in, backwards_in) =
        (listed("scan_input_axes", scanned)?, listed("scan_input_directions", scanned)?);
    let axes_out = listed("scan_output_axes", collected)?;
    let backwards_out = listed("scan_output_directions", collected)?;
    Ok(Operator::new(Kind::Other, move |inputs| {
        let all = |range: std::ops::Range<usize>| {
            range.map(|index| inputs.raw(index).cloned()).collect::<Result<Vec<Value>, String>>()
        };
        let (mut values, sources) = (all(0..states)?, all(states..states + scanned)?);
        let axes = sources.iter().zip(&axes_in).map(|(source, &given)| super::axis(given, source.rank()));
        let axes = axes.collect::<Result<Vec<_>, String>>()?;
        let length = sources.first().map_or(0, |source| source.dims()[axes[0]]);
        if sources.iter().zip(&axes).any(|(source, &axis)| source.dims()[axis] != length) {
            return Err("its scanned inputs are not equally long".into());
        }
        let mut stacks = Stacks::new(collected);
        for run in 0..length {
            let mut own = std::mem::take(&mut values);
            for ((source, &axis), &backwards) in sources.iter().zip(&axes).zip(&backwards_in) {
                let at = if backwards != 0 { length - 1 - run } else { run };
                let mut dims = source.dims();
                dims.remove(axis);
                own.push(super::shape::narrowed(source.clone(), axis, at, at + 1).reshape(&dims)?);
            }
            let mut made = body.run(inputs, own)?.into_iter();
            values = made.by_ref().take(states).collect();
            stacks.push(made)?;
        }
        let ends = axes_out.iter().zip(&backwards_out);
        let collected = stacks.joined().zip(ends).map(|(stack, (&given, &backwards))| {
            let stack = stack?;
            let stack = match backwards {
                0 => stack,
                _ => super::shape::picked(stack, 0, &(0..length as i64).rev().collect::<Vec<_>>()),
            };
            let axis = super::axis(given, stack.rank())?;
            let mut order: Vec<usize> = (1..stack.rank()).collect();
            order.insert(axis, 0);
            super::shape::permuted(stack, &order)
        });
        values.into_iter().map(Ok).chain(collected).collect()
    })
    .gives(None))
}
