//! Fused attention as the nodes that it stands for: its probabilities are looked at, and what reaches them on the way back.

use std::sync::Arc;

use crate::model::{
    graph::{Graph, Step},
    operators::Wire,
};

/// Writes out every fused operator that says how.
pub(in crate::model) fn write_out(graph: &mut Graph) {
    for step in std::mem::take(&mut graph.steps) {
        let is_fused = !step.operator.parts.is_empty() && step.outputs.iter().skip(1).all(Option::is_none);
        // No one else holds the operator of a file that is read.
        let mut operator = match Arc::try_unwrap(step.operator) {
            Ok(operator) if is_fused => operator,
            Ok(operator) => {
                graph.steps.push(Step { operator: Arc::new(operator), ..step });
                continue;
            }
            Err(operator) => {
                graph.steps.push(Step { operator, ..step });
                continue;
            }
        };
        let parts = std::mem::take(&mut operator.parts);
        let last = parts.len() - 1;
        let mut made = Vec::with_capacity(parts.len());
        for (index, part) in parts.into_iter().enumerate() {
            let slot = match step.outputs.first().copied().flatten().filter(|_| index == last) {
                Some(output) => output,
                None => graph.fresh(),
            };
            let wire = |wire: &Wire| match *wire {
                Wire::Given(place) => step.inputs.get(place).copied().flatten(),
                Wire::Made(before) => made.get(before).copied(),
            };
            let inputs = part.inputs.iter().map(wire).collect();
            // The node's name is that of what it leaves.
            let names = match index == last {
                true => step.names.clone(),
                false => vec![format!("{} ({} {})", step.names[0], part.name, index + 1)],
            };
            graph.steps.push(Step {
                names,
                op_type: if index == last { step.op_type.clone() } else { part.name.into() },
                operator: Arc::new(part.operator),
                inputs,
                outputs: vec![Some(slot)],
                dead_after: Vec::new(),
            });
            made.push(slot);
        }
    }
}
