//! The bare runtime: any graph on any inputs, without a class to explain.

use std::collections::BTreeMap;

use super::{
    HostValue, ModelFile, ValueInfo,
    file::{self, Parsed},
    graph::{Graph, Slot},
    inputs::{check_dims, named},
    passes,
};
use crate::{Device, Error, Result};

/// A graph that is run as it is: every input in, every output out.
pub struct Runner {
    graph: Graph,
    inputs: Vec<(Slot, ValueInfo)>,
    outputs: Vec<(Slot, String)>,
}

impl Runner {
    /// Reads an ONNX file and puts its weights on `device`.
    ///
    /// # Errors
    /// Those of [`super::Model::load`] that concern the graph.
    pub fn load(file: &ModelFile<'_>, device: &Device) -> Result<Self> {
        let parsed = Parsed::read(file.bytes)?;
        let mut graph = Graph::read(file, &parsed, None, device)?;
        let inputs: Vec<(Slot, ValueInfo)> =
            parsed.inputs().map(|input| (graph.slot(&input.name), file::value_info(input))).collect();
        let outputs: Vec<(Slot, String)> = parsed
            .graph()
            .output
            .iter()
            .map(|output| (graph.slot(&output.name), output.name.clone()))
            .collect();
        passes::keep_only(&mut graph, &outputs.iter().map(|(slot, _)| *slot).collect::<Vec<_>>(), &[]);
        graph.upload();
        Ok(Self { graph, inputs, outputs })
    }

    /// The inputs that have no value in the file, in its order.
    pub fn inputs(&self) -> Vec<ValueInfo> {
        self.inputs.iter().map(|(_, info)| info.clone()).collect()
    }

    /// Computes every output, in the file's order.
    ///
    /// # Errors
    /// [`Error::InputInvalid`] for an unknown name and for an input without a value, [`Error::InputShape`],
    /// [`Error::ModelInvalid`] where a node cannot compute.
    pub async fn run(&self, values: BTreeMap<String, HostValue>) -> Result<Vec<(String, HostValue)>> {
        let mut given = Vec::with_capacity(values.len());
        for (name, value) in values {
            let (slot, info) = named(&self.inputs, &name)?;
            let value = value.for_input(info)?;
            if !info.shape.is_empty() {
                check_dims(value.shape(), info)?;
            }
            given.push((*slot, value.upload(&name, &self.graph.device)?));
        }
        let is_given = |slot: Slot| given.iter().any(|(other, _)| *other == slot);
        let is_read = |slot: Slot| self.graph.steps.iter().any(|step| step.inputs.contains(&Some(slot)));
        if let Some((_, info)) = self.inputs.iter().find(|(slot, _)| !is_given(*slot) && is_read(*slot)) {
            return Err(Error::InputInvalid(format!("The input \"{}\" has no value.", info.name)));
        }
        let wanted: Vec<Slot> = self.outputs.iter().map(|(slot, _)| *slot).collect();
        let found = self.graph.run(given, &wanted)?;
        let mut results = Vec::with_capacity(found.len());
        for ((_, name), value) in self.outputs.iter().zip(found) {
            results.push((name.clone(), HostValue::read(value).await?));
        }
        Ok(results)
    }
}
