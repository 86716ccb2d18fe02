//! What a forward pass keeps for walks back.

use std::ops::Range;

use burn::tensor::Float;

use super::Array;
use crate::{
    Error, Result,
    model::{
        graph::Slot,
        value::{Ranked, Value},
    },
};

/// A value during a run: as its last reader or writer had it.
#[derive(Clone)]
pub(in crate::model) enum Held<A> {
    Numbers(A),
    Value(Box<Value>),
    /// Real numbers of which a rehearsal knows the shape alone.
    Blank(Vec<usize>),
}

impl<A> From<Value> for Held<A> {
    fn from(value: Value) -> Self {
        Self::Value(Box::new(value))
    }
}

impl<A: Array> Held<A> {
    /// The sizes of all dimensions.
    pub fn dims(&self) -> Vec<usize> {
        match self {
            Self::Numbers(numbers) => numbers.dims(),
            Self::Value(value) => value.dims(),
            Self::Blank(dims) => dims.clone(),
        }
    }

    /// Whether it holds real numbers.
    pub fn is_real(&self) -> bool {
        match self {
            Self::Numbers(_) | Self::Blank(_) => true,
            Self::Value(value) => matches!(**value, Value::Float(_)),
        }
    }

    /// As numbers, or as it is where they cannot be had.
    pub fn numbers(self) -> std::result::Result<A, Self> {
        match self {
            Self::Numbers(numbers) => Ok(numbers),
            Self::Value(value) => match *value {
                Value::Float(value) => A::of(value).map_err(|value| Value::from(value).into()),
                other => Err(other.into()),
            },
            Self::Blank(_) => Err(self),
        }
    }

    /// As a tensor. Nothing is copied where no one else holds it.
    pub fn value(self) -> Result<Value> {
        match self {
            Self::Value(value) => Ok(*value),
            Self::Numbers(numbers) => {
                let lost = || Error::Internal("an array has too many dimensions".into());
                Ok(Value::Float(numbers.into_ranked().ok_or_else(lost)?))
            }
            Self::Blank(_) => Err(Error::Internal("a value was never computed".into())),
        }
    }

    /// As a tensor of real numbers.
    pub fn real(self) -> Result<Ranked<Float>> {
        match self.value()? {
            Value::Float(value) => Ok(value),
            _ => Err(Error::Internal("a gradient holds no real numbers".into())),
        }
    }
}

/// How a step can be walked back.
#[derive(Clone, Default)]
pub(super) enum Record<A> {
    /// It cannot: it does not lie on the way, or has not run.
    #[default]
    Nothing,
    /// By its kernel. What that needs besides shapes: the input of a maximum, the output of what keeps its input between bounds.
    Kernel(Option<A>),
    /// By Burn, as the last of a stretch of steps.
    Stretch(usize),
    /// With the last of its stretch.
    Inside,
}

/// Consecutive steps that Burn has run, and differentiates as one.
pub(super) struct Stretch {
    pub steps: Range<usize>,
    /// The values that they read, as they came.
    pub reads: Vec<(Slot, Value)>,
    /// Those of them that follow from the explained value.
    pub leaves: Vec<Slot>,
    /// What they computed and others read.
    pub exits: Vec<Slot>,
    /// Burn's graph of the run. A walk back uses it up; another one has the steps run again.
    pub tracked: Option<Tracked>,
    /// Whether running the steps again takes the time of a pass.
    pub is_heavy: bool,
}

/// Burn's graph of a stretch.
pub(super) struct Tracked {
    /// One for every leaf of the stretch.
    pub leaves: Vec<Ranked<Float>>,
    /// One for every exit, as it follows from the leaves.
    pub exits: Vec<Ranked<Float>>,
}

/// What a forward pass has kept.
pub(in crate::model) struct Tape<A> {
    /// One for every step.
    pub(super) records: Vec<Record<A>>,
    pub(super) stretches: Vec<Stretch>,
    /// The shapes of all values, by slot.
    pub(super) dims: Vec<Vec<usize>>,
    /// Values of the nodes on the way, by slot.
    pub(super) values: Vec<Option<Value>>,
    /// How many numbers the steps have computed.
    pub elements: usize,
}

impl<A> Default for Tape<A> {
    fn default() -> Self {
        Self { records: Vec::new(), stretches: Vec::new(), dims: Vec::new(), values: Vec::new(), elements: 0 }
    }
}

impl<A> Tape<A> {
    /// The values of the nodes on the way, by slot, where all of them were kept.
    pub fn values(&self) -> &[Option<Value>] {
        &self.values
    }

    /// The shape of a value that was computed.
    pub fn dims(&self, slot: Slot) -> &[usize] {
        &self.dims[slot]
    }

    /// Whether the next walk back costs a forward pass of its own.
    pub fn is_used_up(&self) -> bool {
        self.stretches.iter().any(|stretch| stretch.is_heavy && stretch.tracked.is_none())
    }

    /// The arrays that were kept.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = A> {
        self.records.drain(..).filter_map(|record| match record {
            Record::Kernel(kept) => kept,
            _ => None,
        })
    }
}
