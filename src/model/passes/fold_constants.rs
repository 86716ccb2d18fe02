//! What follows from constants alone, computed once: casts of f16 weights, above all.

use crate::{
    Result,
    model::{
        graph::{Graph, Slot},
        value::Value,
    },
};

/// Runs the steps that read constants alone, whose outputs are constants then, and takes them away.
pub(in crate::model) fn fold_constants(graph: &mut Graph) -> Result<()> {
    let host = burn::tensor::Device::flex();
    let mut kept = Vec::with_capacity(graph.steps.len());
    for step in std::mem::take(&mut graph.steps) {
        let value = |slot: &Slot| graph.constants[*slot].value.as_ref();
        let inputs: Vec<Option<&Value>> =
            step.inputs.iter().map(|slot| slot.as_ref().and_then(value)).collect();
        if step.inputs.iter().zip(&inputs).any(|(slot, value)| slot.is_some() && value.is_none()) {
            kept.push(step);
            continue;
        }
        let values = step.compute(&inputs, &[], &host)?;
        for (slot, value) in step.outputs.iter().zip(values) {
            if let Some(slot) = *slot {
                graph.constants[slot] = value.into();
            }
        }
    }
    graph.steps = kept;
    Ok(())
}

#[cfg(test)]
mod tests {
    use onnx_ir::{NodeProto, TensorProto};

    use super::*;
    use crate::model::element;

    /// `a + a`, and that plus `x`.
    #[test]
    fn only_what_follows_from_constants_is_computed() {
        let node = |inputs: [&str; 2], output: &str| NodeProto {
            op_type: "Add".into(),
            input: inputs.iter().map(|&name| name.to_owned()).collect(),
            output: vec![output.into()],
            ..Default::default()
        };
        let mut graph = Graph::empty(&burn::tensor::Device::flex());
        let weight =
            TensorProto { data_type: 1, dims: vec![2], float_data: vec![1.0, 2.5], ..Default::default() };
        let a = graph.slot("a");
        let data = element::read(&weight, None).unwrap();
        graph.constants[a] = Value::from_data(data, &burn::tensor::Device::flex()).unwrap().into();
        graph.add(&[node(["a", "a"], "b"), node(["b", "x"], "y")], 17, Default::default()).unwrap();
        assert_eq!(graph.steps.len(), 1);
        let b = graph.slot("b");
        let Some(Value::Float(b)) = graph.constant(b) else { panic!("b is known") };
        assert_eq!(b.clone().flat().into_data().try_into_vec::<f32>().unwrap(), [2.0, 5.0]);
        let y = graph.slot("y");
        assert!(graph.constant(y).is_none());
    }
}
