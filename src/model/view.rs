//! What of the network's output is explained where that is more than one of its elements: a box, a part of a map, a comparison.
//!
//! The output of a sample is a line of numbers; a view makes scores of them by tensors, so that every method meets a network with these
//! scores and no other. A walk back begins with the gradient of the view.

use burn::tensor::{Tensor, TensorData};

use super::{
    Activation, HostValue, Model, OutputKind, backward,
    detect::{BoxView, Draft},
    exec::{ByBurn, Keep, Rules},
    layers,
    passes::Groups,
    value::{Ranked, Value},
};
use crate::{Error, Result};

/// What is explained of a network's output.
#[derive(Debug, Clone)]
pub(crate) enum View {
    /// A box of a detector.
    Box(BoxView),
    /// The mean of each class's scores over some places: the classes lie along the first of three axes of a sample, or the last.
    Region {
        /// Classes, and places of the map.
        classes: usize,
        places: usize,
        classes_last: bool,
        /// What each place counts, adding up to 1.
        weights: Vec<f32>,
    },
    /// How much more one score is than another.
    Against {
        /// The first.
        class: usize,
        /// The one that it is compared with.
        against: usize,
    },
    /// The cosine of the angle to an embedding.
    Like(Vec<f32>),
}

impl View {
    /// The scores `[N, classes]` of the output `[N, values]`.
    pub fn scores(&self, raw: Tensor<2>) -> Result<Tensor<2>> {
        let ([rows, values], device) = (raw.dims(), raw.device());
        let known = |numbers: &[f32], dims: [usize; 2]| {
            Tensor::<2>::from_data(TensorData::new(numbers.to_vec(), dims), &device)
        };
        let other = || Error::Internal(format!("an output of {values} values is not what is explained"));
        Ok(match self {
            Self::Box(view) => view.scores(raw)?,
            Self::Region { classes, places, classes_last, weights } => {
                if values != classes * places {
                    return Err(other());
                }
                let maps = match classes_last {
                    true => raw.reshape([rows, *places, *classes]).swap_dims(1, 2),
                    false => raw.reshape([rows, *classes, *places]),
                };
                let weights = known(weights, [*places, 1]);
                maps.reshape([rows * classes, *places]).matmul(weights).reshape([rows, *classes])
            }
            Self::Against { class, against } => {
                let score = |class: usize| raw.clone().slice_dim(1, class as i64..class as i64 + 1);
                score(*class) - score(*against)
            }
            Self::Like(embedding) => {
                if values != embedding.len() {
                    return Err(other());
                }
                let length =
                    embedding.iter().map(|&value| f64::from(value) * f64::from(value)).sum::<f64>().sqrt();
                let unit: Vec<f32> = embedding
                    .iter()
                    .map(|&value| (f64::from(value) / length.max(f64::MIN_POSITIVE)) as f32)
                    .collect();
                let own = (raw.clone() * raw.clone()).sum_dim(1).sqrt().clamp_min(f32::MIN_POSITIVE);
                raw.matmul(known(&unit, [values, 1])) / own
            }
        })
    }

    /// The way back: what `gradient` of the scores is of the output.
    pub fn back(&self, raw: Tensor<2>, gradient: Tensor<2>) -> Result<Tensor<2>> {
        let leaf = raw.inner().autodiff().require_grad();
        let mut found = (self.scores(leaf.clone())? * gradient).sum().backward();
        leaf.grad_remove(&mut found).ok_or_else(|| Error::Internal("the view left no gradient".into()))
    }
}

/// What is told of a network that is seen through a view.
pub(crate) struct Seen {
    /// Number of scores.
    pub classes: usize,
    pub kind: OutputKind,
    pub activation: Activation,
    /// What one score is called.
    pub name: String,
}

impl Model {
    /// The same network with the scores of a view for its own.
    pub(crate) fn seen(&self, view: View, seen: Seen) -> Self {
        let mut model = self.unseen();
        model.groups = Groups { outer: 1, classes: seen.classes, inner: 1 };
        model.info.classes = seen.classes;
        model.info.output_kind = seen.kind;
        model.info.activation = seen.activation;
        model.info.probabilities = seen.activation != Activation::None;
        model.info.output.name = seen.name;
        model.view = Some(std::sync::Arc::new(view));
        model
    }

    /// The same where its scores are told as probabilities, or not.
    pub(crate) fn told_as(mut self, probabilities: bool) -> Self {
        self.info.probabilities = probabilities;
        self
    }

    /// The head of a detector, or why it is none.
    pub(crate) fn detector(&self) -> Result<&Draft, &str> {
        self.detector.as_ref().as_ref().map_err(String::as_str)
    }

    /// Classes, height and width of an output that is a map of them, and whether the classes lie last; of one class the axis may be missing.
    pub(crate) fn dense(&self) -> Option<(usize, [usize; 2], bool)> {
        if self.labelled.is_some() || self.view.is_some() || self.detector.is_ok() {
            return None;
        }
        match *self.rehearsed_output.as_slice() {
            [_, rows, columns] if rows > 1 && columns > 1 && self.info.layout.is_picture() => {
                Some((1, [rows, columns], false))
            }
            [_, a, b, c] if b > 1 => {
                // Where the picture's channels lie last, so do the classes.
                let last = self.info.layout == super::Layout::PictureChannelsLast && a > 1;
                let map = if last { (c, [a, b], true) } else { (a, [b, c], false) };
                (map.1[0] > 1 && map.1[1] > 1).then_some(map)
            }
            _ => None,
        }
    }

    /// The number of classes of such a map.
    pub(crate) fn dense_classes(&self) -> Option<usize> {
        self.dense().map(|(classes, ..)| classes)
    }

    /// The network with its own scores.
    pub(crate) fn unseen(&self) -> Self {
        Self { view: None, ..self.clone() }
    }

    pub(crate) fn view(&self) -> Option<&View> {
        self.view.as_deref()
    }

    /// The same where class activation mappings look at this layer.
    pub(crate) fn looking_at(mut self, layer: Option<String>) -> Self {
        if layer.is_some() {
            self.info.layer = layer;
        }
        self
    }

    /// The last map with weights behind it that a box's row of the output depends on in whatever it says: what comes before its head, of the
    /// size of cell that found it.
    ///
    /// # Errors
    /// Those of a pass.
    pub(crate) async fn layer_of(
        &self,
        input: Ranked<burn::tensor::Float>,
        view: &BoxView,
    ) -> Result<Option<String>> {
        use std::{cell::RefCell, collections::HashMap};
        if self.holds_integers || self.maps.is_empty() {
            return Ok(None);
        }
        let way = backward::way(&self.graph, self.source, self.output);
        let program = ByBurn::by_burn();
        let given = self.given(self.filled_up(input))?;
        let mut passed = program.forward(&self.graph, given, &[self.output], Keep::Values(&way))?;
        let output = passed.wanted.remove(0);
        let dims = output.dims();
        let raw = super::as_logits(output, self.batch.fixed.unwrap_or(1))?;
        let leaf = raw.inner().autodiff().require_grad();
        let mut gradients = view.head.traced(&leaf, view.row).backward();
        let seed = leaf
            .grad_remove(&mut gradients)
            .ok_or_else(|| Error::Internal("the view left no gradient".into()))?;
        let seed =
            Ranked::from(seed).reshape(&dims).ok_or_else(|| Error::Internal("a seed does not fit".into()))?;
        let sizes: RefCell<Vec<(String, Tensor<1>)>> = RefCell::default();
        let watch = |visit: &backward::Visit<'_>| {
            let size = visit.gradient()?.flat().abs().max();
            sizes.borrow_mut().push((visit.site.name.clone(), size));
            Ok(None)
        };
        let rules = Some(Rules { rule: &watch, reference: None });
        program.backward(&self.graph, &way, &mut passed.tape, (self.source, self.output), seed, rules)?;
        let sizes = sizes.into_inner();
        if sizes.is_empty() {
            return Ok(None);
        }
        let (names, values): (Vec<String>, Vec<Tensor<1>>) = sizes.into_iter().unzip();
        let HostValue::Float { data: values, .. } =
            HostValue::read(Value::Float(Tensor::cat(values, 0).into())).await?
        else {
            return Err(Error::Internal("sizes of gradients are real numbers".into()));
        };
        let reached: HashMap<String, bool> =
            names.into_iter().zip(values.into_iter().map(|value| value > 0.0)).collect();
        let way = way
            .into_iter()
            .map(|site| site.filter(|site| reached.get(&site.name).copied().unwrap_or(false)))
            .collect::<Vec<_>>();
        let names: Vec<&str> = self.maps.iter().map(|map| map.layer.name.as_str()).collect();
        Ok(layers::last_shared(&self.graph, &way, self.source, self.output, &names))
    }

    /// D-RISE's likeness of what is found in each sample to the explained box, `[N]`.
    ///
    /// # Errors
    /// [`Error::Internal`] where no box is explained, those of [`Model::logits`].
    pub(crate) fn box_likeness(&self, input: Ranked<burn::tensor::Float>) -> Result<Tensor<1>> {
        match self.view() {
            Some(View::Box(view)) => Ok(view.likeness(&self.unseen().logits(input)?)),
            _ => Err(Error::Internal("no box is explained".into())),
        }
    }
}

/// What arrives at the output of a walk back from the scores: of a view their gradient, and where a score is to be distributed, what each
/// value of the output gave to it.
pub(super) fn back(view: Option<&View>, output: &Value, rows: usize, scores: Tensor<2>) -> Result<Tensor<2>> {
    let Some(view) = view else { return Ok(scores) };
    let raw = super::as_logits(output.clone(), rows)?;
    view.back(raw, scores)
}
