//! Several inputs explained at once: as one row that holds their values one after the other.
//!
//! The graph is given one new input, `[N, features of all]`, of which each of the joined inputs is a part. A method then meets
//! one input: a path leads through all of them at once, and what sums does so over all of them.

use std::{collections::BTreeMap, ops::Range};

use super::{
    ValueInfo,
    graph::{Graph, Slot},
    inputs::{self, check_dims, named},
    operators,
};
use crate::{Error, HostTensor, Result};

/// One of the inputs that are explained at once.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub info: ValueInfo,
    slot: Slot,
    /// Its features among those of all.
    pub range: Range<usize>,
    /// The shape of one sample.
    sample: Vec<usize>,
}

/// The inputs that are explained at once, in the order in which they were named.
#[derive(Debug, Clone)]
pub(crate) struct Joint(Vec<Part>);

impl Joint {
    /// The inputs called `names`.
    ///
    /// # Errors
    /// [`Error::InputInvalid`] for a name that is no input, [`Error::ModelInvalid`] for inputs that cannot be joined.
    pub(super) fn new(all: &[(Slot, ValueInfo)], names: &[String]) -> Result<Self> {
        let mut parts: Vec<Part> = Vec::new();
        let mut end = 0;
        for name in names {
            let (slot, info) = named(all, name)?;
            let cannot = |why: &str| {
                Error::invalid_model(format!(
                    "its input \"{name}\" cannot be explained together with others: {why}"
                ))
            };
            if parts.iter().any(|part| part.slot == *slot) {
                return Err(cannot("it is named twice"));
            }
            if !info.element_type.contains("float") {
                return Err(cannot("it holds integers; name a node to explain instead, an embedding (`at`)"));
            }
            if info.shape.first().is_none_or(|rows| rows.is_some_and(|rows| rows > 1)) {
                return Err(cannot("its first axis does not hold the samples"));
            }
            let sample = inputs::sizes(info, None)?[1..].to_vec();
            let start = end;
            end += sample.iter().product::<usize>();
            parts.push(Part { info: info.clone(), slot: *slot, range: start..end, sample });
        }
        Ok(Self(parts))
    }

    /// Puts the row in front of the graph; returns its slot.
    pub(super) fn join(&self, graph: &mut Graph) -> Slot {
        let row = graph.fresh();
        for part in &self.0 {
            let operator = operators::part_of_row(part.range.clone(), part.sample.clone());
            graph.prepend(&format!("the part {}", part.info.name), operator, row, part.slot);
        }
        row
    }

    /// What is told of the row as an input.
    pub fn info(&self) -> ValueInfo {
        let rows = self.0.iter().find_map(|part| part.info.shape[0]);
        ValueInfo {
            name: self.names().collect::<Vec<_>>().join(" + "),
            shape: vec![rows, Some(self.features())],
            symbols: vec![None, None],
            element_type: "float32".into(),
        }
    }

    pub(super) fn contains(&self, slot: Slot) -> bool {
        self.0.iter().any(|part| part.slot == slot)
    }

    /// The inputs' names, and where their features lie in the row.
    pub fn ranges(&self) -> impl Iterator<Item = (&str, Range<usize>)> {
        self.0.iter().map(|part| (part.info.name.as_str(), part.range.clone()))
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|part| part.info.name.as_str())
    }

    fn features(&self) -> usize {
        self.0.last().map_or(0, |part| part.range.end)
    }

    /// The row of values that were given by their inputs' names.
    ///
    /// # Errors
    /// [`Error::InputInvalid`] where one is missing, [`Error::InputShape`].
    pub fn row(&self, values: &BTreeMap<String, HostTensor>) -> Result<HostTensor> {
        let own: Vec<_> = self.names().collect();
        if let Some(other) = values.keys().find(|name| !own.contains(&name.as_str())) {
            return Err(Error::InputInvalid(format!(
                "\"{other}\" is none of the inputs that are explained at once: {}.",
                own.join(", ")
            )));
        }
        let mut data = Vec::with_capacity(self.features());
        for part in &self.0 {
            let name = &part.info.name;
            let value = values.get(name).ok_or_else(|| {
                Error::InputInvalid(format!(
                    "The input \"{name}\" has no value; these are explained at once: {}.",
                    own.join(", ")
                ))
            })?;
            check_dims(&value.shape, &part.info)?;
            if value.shape[0] != 1 {
                return Err(Error::InputInvalid(format!(
                    "One sample is explained at a time, but the input \"{name}\" holds {}.",
                    value.shape[0]
                )));
            }
            data.extend_from_slice(&value.data);
        }
        HostTensor::new(data, vec![1, self.features()])
    }

    /// A map of the row, `[1, features]`, by inputs, each in its own shape.
    pub fn split(&self, map: &HostTensor) -> Vec<(String, HostTensor)> {
        let cut = |part: &Part| {
            let shape = std::iter::once(1).chain(part.sample.iter().copied()).collect();
            let data = map.data.get(part.range.clone()).unwrap_or_default().to_vec();
            (part.info.name.clone(), HostTensor { data, shape })
        };
        self.0.iter().map(cut).collect()
    }
}
