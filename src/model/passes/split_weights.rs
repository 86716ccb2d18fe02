//! Products whose weights exceed what one binding of the device holds.

use std::{collections::HashSet, sync::Arc};

use crate::{
    Error, Result,
    model::{
        graph::{Graph, Slot, Step},
        operators::{self, Lowering},
        value::Value,
    },
};

/// Splits the products whose weights exceed what one binding of the device holds: by columns, joined again after.
///
/// # Errors
/// [`Error::ModelTooLarge`] for any other weight that is too large.
pub(in crate::model) fn split_weights(graph: &mut Graph, limit: usize) -> Result<()> {
    let bytes = |value: &Value| value.len() * size_of::<f32>();
    let large: HashSet<Slot> = graph
        .constants
        .iter()
        .enumerate()
        .filter(|(_, constant)| constant.value.as_ref().is_some_and(|value| bytes(value) > limit))
        .map(|(slot, _)| slot)
        .collect();
    if large.is_empty() {
        return Ok(());
    }
    let mut steps = Vec::with_capacity(graph.steps.len());
    for step in std::mem::take(&mut graph.steps) {
        let Some(&weight) = step.inputs.iter().flatten().find(|slot| large.contains(slot)) else {
            steps.push(step);
            continue;
        };
        let parts = split(graph, step, weight, limit)?;
        steps.extend(parts);
    }
    graph.steps = steps;
    for slot in large {
        graph.constants[slot] = Default::default();
    }
    Ok(())
}

fn split(graph: &mut Graph, step: Step, weight: Slot, limit: usize) -> Result<Vec<Step>> {
    let too_large = |size: usize| Error::ModelTooLarge {
        node: step.names[0].clone(),
        bytes: size * size_of::<f32>(),
        limit,
    };
    let Some(Value::Float(values)) = graph.constants[weight].value.clone() else {
        return Err(too_large(0));
    };
    let count = values.len();
    let transposed = match step.operator.lowering {
        Some(Lowering::Matmul { transposed, .. }) if step.inputs.get(1) == Some(&Some(weight)) => transposed,
        _ => return Err(too_large(count)),
    };
    let Some(matrix) = values.get::<2>().filter(|_| values.rank() == 2) else {
        return Err(too_large(count));
    };
    let [rows, columns] = matrix.dims();
    let bias = step.inputs.get(2).copied().flatten();
    let outputs = if transposed { rows } else { columns };
    let each = (limit / size_of::<f32>() / (count / outputs)).max(1);
    if (count / outputs) * size_of::<f32>() > limit {
        return Err(too_large(count));
    }
    let axis = usize::from(!transposed);
    let operator = step.operator;
    let mut made = Vec::new();
    let mut joined = Vec::new();
    for start in (0..outputs).step_by(each) {
        let end = (start + each).min(outputs);
        let range = start as i64..end as i64;
        let mut inputs = vec![step.inputs[0], Some(graph.fresh())];
        if let Some(slot) = inputs[1] {
            graph.constants[slot] = Value::from(matrix.clone().slice_dim(axis, range.clone())).into();
        }
        if let Some(bias) = bias {
            let part = match &graph.constants[bias].value {
                Some(Value::Float(values)) if values.dims().last() == Some(&outputs) => {
                    let last = values.rank() - 1;
                    let part = crate::model::value::map_ranked!(values.clone(), x => x.slice_dim(last, range.clone()));
                    let slot = graph.fresh();
                    graph.constants[slot] = Value::Float(part).into();
                    slot
                }
                _ => return Err(too_large(count)),
            };
            inputs.push(Some(part));
        }
        let output = graph.fresh();
        joined.push(Some(output));
        made.push(Step {
            names: vec![format!("{}[{start}..{end}]", step.names[0])],
            op_type: step.op_type.clone(),
            operator: operator.clone(),
            inputs,
            outputs: vec![Some(output)],
            dead_after: Vec::new(),
        });
    }
    made.push(Step {
        names: step.names,
        op_type: "Concat".into(),
        operator: Arc::new(operators::joined_last()),
        inputs: joined,
        outputs: step.outputs,
        dead_after: Vec::new(),
    });
    Ok(made)
}

#[cfg(test)]
mod tests {
    use onnx_ir::{AttributeProto, Message, ModelProto, NodeProto, TensorProto};

    use super::*;
    use burn::tensor::Tensor;

    use crate::{Device, model::file::Parsed};

    fn weight(name: &str, dims: &[i64]) -> TensorProto {
        let count: i64 = dims.iter().product();
        TensorProto {
            name: name.into(),
            data_type: 1,
            dims: dims.to_vec(),
            float_data: (0..count).map(|at| ((at * 37) % 19) as f32 / 19.0 - 0.5).collect(),
            ..Default::default()
        }
    }

    fn node(operator: &str, inputs: &[&str], output: &str) -> NodeProto {
        NodeProto {
            name: format!("{operator} of {}", inputs[1]),
            op_type: operator.into(),
            input: inputs.iter().map(|&name| name.to_owned()).collect(),
            output: vec![output.into()],
            ..Default::default()
        }
    }

    /// `x -> x W -> V (x W) + b`, the second product with its weights turned.
    fn graph() -> (Graph, Slot, Slot) {
        let mut model = ModelProto::new();
        model.opset_import.push(Default::default());
        model.opset_import[0].version = 13;
        let mut gemm = node("Gemm", &["h", "v", "b"], "y");
        gemm.attribute.push(AttributeProto { name: "transB".into(), i: 1, ..Default::default() });
        let file = model.graph.mut_or_insert_default();
        file.node = vec![node("MatMul", &["x", "w"], "h"), gemm];
        file.initializer = vec![weight("w", &[8, 10]), weight("v", &[6, 10]), weight("b", &[6])];
        for (names, ends) in [("x", &mut file.input), ("y", &mut file.output)] {
            ends.push(Default::default());
            ends[0].name = names.into();
        }
        let bytes = model.write_to_bytes().unwrap();
        let parsed = Parsed::read(&bytes).unwrap();
        let mut graph = Graph::read(&bytes[..].into(), &parsed, None, &Device::cpu("test")).unwrap();
        let (x, y) = (graph.slot("x"), graph.slot("y"));
        (graph, x, y)
    }

    fn run(graph: &Graph, x: Slot, y: Slot) -> Vec<f32> {
        let rows = Tensor::<2>::from_data([[1.0, -2.0, 0.5, 3.0, 0.0, 1.5, -1.0, 2.0]], &graph.device);
        match graph.run([(x, Value::from(rows))], &[y]).unwrap().remove(0) {
            Value::Float(y) => y.flat().into_data().try_into_vec().unwrap(),
            _ => panic!("the output is real"),
        }
    }

    #[test]
    fn a_product_in_parts_is_the_product() {
        let (whole, x, y) = graph();
        let (mut split, ..) = graph();
        // Three columns of W and two rows of V at a time.
        split_weights(&mut split, 100).unwrap();
        assert_eq!(split.steps.len(), 4 + 1 + 3 + 1);
        let largest =
            split.constants.iter().filter_map(|constant| constant.value.as_ref()).map(Value::len).max();
        assert!(largest.is_some_and(|count| count * size_of::<f32>() <= 100));
        let (expected, ours) = (run(&whole, x, y), run(&split, x, y));
        assert!(
            expected.iter().zip(&ours).all(|(a, b)| (a - b).abs() < 1e-6),
            "{ours:?} instead of {expected:?}"
        );
    }

    #[test]
    fn weights_that_cannot_be_split_are_refused_by_the_nodes_name() {
        let (mut graph, ..) = graph();
        // Not even one row of V fits.
        let error = split_weights(&mut graph, 30).unwrap_err();
        assert_eq!((error.code(), error.node()), ("model_too_large", Some("MatMul of w")));
    }
}
