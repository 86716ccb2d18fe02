//! What a method works on: one input, one class, and the model's gradients.

use std::{
    borrow::Cow,
    cell::{Cell, RefCell},
    collections::BTreeSet,
    future::Future,
    pin::Pin,
    time::Duration,
};

use burn::tensor::{Float, Tensor, TensorData};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    Batches, ExplainOptions, Masker, Tabled, Written,
    anytime::{Partial, Stopped, Watch},
    display::{self, Display},
    in_order,
    method::End,
    read,
    registry::Entry,
    rows_to, to_rows,
};
use crate::{
    Device, DeviceKind, Error, Explainer, Memory, Model, Preprocessing, Result,
    attack::Network,
    device::memory,
    input::{HostTensor, check_finite, layout::Places, preprocessing::ChannelOrder},
    model::{self, Attended, Gradient, Score, Seed, TokenAxis, View, backward::Rule, value::Ranked},
    narrate::Names,
    segment::Picture,
};

/// How far a method is.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub struct Progress {
    /// Steps that are done.
    pub done: usize,
    /// Steps in all; a method may end before.
    pub total: usize,
    /// What is being done, in words.
    pub stage: String,
}

type Pause<'a> = dyn Fn() -> Pin<Box<dyn Future<Output = ()>>> + 'a;

/// How a caller watches and stops a method.
pub struct Control<'a> {
    /// Called between steps.
    pub on_progress: Box<dyn Fn(Progress) + 'a>,
    /// Asked between steps; `true` ends the method with [`Error::Cancelled`].
    pub is_cancelled: Box<dyn Fn() -> bool + 'a>,
    /// Awaited between steps, so that a host with one thread can look after its events.
    pub pause: Box<Pause<'a>>,
    /// Called with the map so far while a long method runs, where someone wants to see it.
    pub on_partial: Option<Box<dyn Fn(Partial) + 'a>>,
    /// Time from one map so far to the next, at least; on a GPU it doubles with each.
    pub between_partials: Duration,
}

impl Default for Control<'_> {
    /// Watches nothing and never stops.
    fn default() -> Self {
        Self {
            on_progress: Box::new(|_| ()),
            is_cancelled: Box::new(|| false),
            pause: Box::new(|| Box::pin(std::future::ready(()))),
            on_partial: None,
            between_partials: Duration::from_millis(500),
        }
    }
}

impl Control<'_> {
    /// Between two steps of what runs on `device`: reports progress, lets the host breathe and a GPU catch up, and ends the
    /// calculation where it was cancelled.
    pub(crate) async fn checkpoint(
        &self,
        device: &Device,
        done: usize,
        total: usize,
        stage: &str,
    ) -> Result<()> {
        device.catch_up().await?;
        (self.on_progress)(Progress { done, total, stage: stage.to_owned() });
        (self.pause)().await;
        if (self.is_cancelled)() { Err(Error::Cancelled) } else { Ok(()) }
    }
}

/// One input and one class to explain. Inputs and gradients are rows of features, `[N, features]`, channel after channel
/// whatever the order in which the model takes them ([`Places`]).
pub struct Subject<'a> {
    explainer: &'a Explainer,
    control: &'a Control<'a>,
    sample: Vec<usize>,
    places: Places,
    values: Cow<'a, [f32]>,
    input: Tensor<2>,
    range: (f32, f32),
    /// The logits of the input, `[1, classes]`.
    clean: Tensor<2>,
    /// Their pass, where the method goes back from it first.
    kept: &'a dyn FirstGradient,
    target: usize,
    options: &'a ExplainOptions,
    forward: Cell<usize>,
    backward: Cell<usize>,
    /// Samples of the largest batch so far.
    largest: Cell<usize>,
    watch: Watch,
    /// The method's name, and how its values become a picture.
    method: &'static str,
    display: Display,
    told: Told,
}

/// What a method tells of its way beside its map.
#[derive(Default)]
struct Told {
    /// Values of parameters that were left to the input.
    decisions: RefCell<Map<String, Value>>,
    /// What stood for nothing.
    baseline: RefCell<Option<String>>,
    notes: RefCell<Vec<String>>,
    /// Names of the given tensors that were looked at.
    used: RefCell<BTreeSet<String>>,
}

/// The pass of the explained input, as long as it is kept, and where the walk back for which it is kept ends.
pub(super) type Kept<'a> = RefCell<Option<(End, model::Pass<'a>)>>;

/// The first walk back from the explained input. (A trait, for a cell's lifetime could not shrink with the subject's.)
pub(super) trait FirstGradient {
    /// The gradient of the score of `class`, once, where the pass was kept for a walk back to there.
    fn take(&self, end: &End, class: usize, score: Score) -> Option<Result<Gradient>>;
}

impl FirstGradient for Kept<'_> {
    fn take(&self, end: &End, class: usize, score: Score) -> Option<Result<Gradient>> {
        let (_, mut pass) = self.borrow_mut().take_if(|(to, _)| to == end)?;
        Some(pass.gradient(&[class], score))
    }
}

/// Gradients of a batch.
pub struct Gradients {
    /// `[N, features]`.
    pub gradient: Tensor<2>,
    /// `[N, classes]`.
    pub logits: Tensor<2>,
}

/// Rows of features that have gone through the network.
pub(super) struct Pass<'a> {
    subject: &'a Subject<'a>,
    pass: model::Pass<'a>,
    rows: usize,
}

impl Pass<'_> {
    /// `[rows, classes]`.
    pub fn logits(&self) -> Tensor<2> {
        self.pass.logits()
    }

    /// The gradient of each row's score of its class in `targets`, `[rows, features]`.
    pub fn gradient(&mut self, targets: &[usize], score: Score) -> Result<Tensor<2>> {
        let again = usize::from(self.pass.is_used_up());
        let found = self.pass.gradient(targets, score)?;
        self.subject.count(self.rows, again, 1);
        Ok(self.subject.places.planes_on_device(to_rows(found.gradient)?))
    }
}

/// What a walk back with rules found.
pub(super) struct Relevance {
    /// What arrived at the input, `[1, features]`.
    pub arrived: Tensor<2>,
    /// The explained class's logit, `[1]`.
    pub score: Tensor<1>,
    /// The same at the reference, where there is one.
    pub reference_score: Option<Tensor<1>>,
}

/// The affine map from model space to pixels from 0 to 1, one factor and one offset a feature: `[1, features]`.
pub(super) struct PixelSpace {
    factor: Tensor<2>,
    offset: Tensor<2>,
    /// A black picture in model space. Mapping zeros there would round otherwise than the input was rounded, and
    /// leave a difference where there is none.
    pub black: Tensor<2>,
    /// A white picture in model space.
    pub white: Tensor<2>,
}

impl PixelSpace {
    /// Pixels, from model space.
    pub fn pixels(&self, model: Tensor<2>) -> Tensor<2> {
        model * self.factor.clone() + self.offset.clone()
    }

    /// Model space, from pixels.
    pub fn model(&self, pixels: Tensor<2>) -> Tensor<2> {
        (pixels - self.offset.clone()) / self.factor.clone()
    }

    /// A gradient with respect to pixels, from one with respect to model space.
    pub fn gradient(&self, model: Tensor<2>) -> Tensor<2> {
        model / self.factor.clone()
    }
}

/// Rows of standard normal noise, one after the other, whatever the chunks in which they are asked for.
pub struct NoiseSource<'a> {
    subject: &'a Subject<'a>,
    given: Option<Cow<'a, [f32]>>,
    done: usize,
    random: ChaCha8Rng,
}

impl NoiseSource<'_> {
    /// The next rows.
    pub fn next(&mut self, rows: usize) -> Tensor<2> {
        match &mut self.given {
            None => self.subject.noise(rows, &mut self.random),
            Some(given) => {
                let features = self.subject.features();
                let now = given[self.done * features..(self.done + rows) * features].to_vec();
                self.done += rows;
                self.subject.tensor(now, [rows, features])
            }
        }
    }
}

impl<'a> Subject<'a> {
    pub(super) fn new(
        explainer: &'a Explainer,
        entry: &Entry,
        input: &'a HostTensor,
        (clean, kept): (Tensor<2>, &'a dyn FirstGradient),
        target: usize,
        options: &'a ExplainOptions,
        control: &'a Control<'a>,
    ) -> Result<Self> {
        let range = input.data.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), &value| {
            (low.min(value), high.max(value))
        });
        let sample = &input.shape[1..];
        let places = explainer.model().places()?;
        Ok(Self {
            explainer,
            control,
            sample: sample.to_vec(),
            values: places.planes(&input.data),
            input: places.planes_on_device(to_rows(explainer.upload(input)?)?),
            places,
            range,
            clean,
            kept,
            target,
            options,
            // The clean pass.
            forward: Cell::new(1),
            backward: Cell::new(0),
            largest: Cell::new(1),
            watch: Watch::new(control.between_partials),
            method: entry.name(),
            display: entry.display(),
            told: Told::default(),
        })
    }

    /// Notes the value of a parameter that was left to the input; the explanation tells it as the one in force.
    pub fn decided(&self, name: &str, value: impl Serialize) {
        if let Ok(value) = serde_json::to_value(value) {
            self.told.decisions.borrow_mut().insert(name.to_owned(), value);
        }
    }

    pub(super) fn decisions(&self) -> Map<String, Value> {
        self.told.decisions.borrow().clone()
    }

    /// Notes a sentence that belongs to the explanation.
    pub fn note(&self, sentence: String) {
        self.told.notes.borrow_mut().push(sentence);
    }

    pub(super) fn notes(&self) -> Vec<String> {
        self.told.notes.borrow().clone()
    }

    /// Notes what stands for nothing in this method, as it is called in a sentence.
    pub fn compared_with(&self, baseline: String) {
        *self.told.baseline.borrow_mut() = Some(baseline);
    }

    pub(super) fn baseline(&self) -> Option<String> {
        self.told.baseline.borrow().clone()
    }

    /// The given tensors that the method did not look at.
    pub(super) fn unused(&self) -> Vec<String> {
        let used = self.told.used.borrow();
        self.options.given.keys().filter(|name| !used.contains(*name)).cloned().collect()
    }

    /// The error for a value of a parameter that this input does not go with; `reason` is the end of a sentence.
    pub fn parameter_invalid(&self, name: &str, reason: &str) -> Error {
        Error::ParameterInvalid { method: self.method.into(), name: name.into(), reason: reason.into() }
    }

    /// The numbers of `total` samples, batch by batch; `stage` says what is done with them.
    pub fn batches(&self, total: usize, stage: &'static str) -> Batches<'_> {
        Batches::new(self, total, stage)
    }

    /// The explained input, `[1, features]`, in model space.
    pub fn input(&self) -> Tensor<2> {
        self.input.clone()
    }

    /// The logits of the explained input, `[1, classes]`, which every explanation begins with.
    pub fn clean(&self) -> Tensor<2> {
        self.clean.clone()
    }

    /// The values of the explained input, in model space.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The explained class.
    pub fn target(&self) -> usize {
        self.target
    }

    /// Number of the model's classes.
    pub fn classes(&self) -> usize {
        self.explainer.model().classes()
    }

    /// Smallest and largest value of the input.
    pub fn range(&self) -> (f32, f32) {
        self.range
    }

    /// The pixels, samples, tokens or features of the input.
    pub fn places(&self) -> &Places {
        &self.places
    }

    /// The words that the input is made of, where it is a text.
    pub(super) fn written(&self) -> Option<&'a Written> {
        self.explainer.written()
    }

    /// The row of a table that it is, or the series.
    pub(super) fn tabled(&self) -> Option<&'a Tabled> {
        self.explainer.tabled()
    }

    /// What they are called, and the whole of them.
    pub(super) fn names(&self) -> Names {
        Names::of(self.explainer, &self.places)
    }

    /// Channels, height and width of the input.
    ///
    /// # Errors
    /// [`Error::MethodUnsuited`] where the input is no picture.
    pub fn image(&self) -> Result<[usize; 3]> {
        let Places { layout, channels, height, width, .. } = self.places;
        if layout.is_picture() {
            return Ok([channels, height, width]);
        }
        Err(self.unsuited("it works on pictures, [channels, height, width] or [height, width, channels]"))
    }

    /// Whether the input was prepared from a photograph, or has its three colours.
    pub(super) fn is_photograph(&self) -> bool {
        let Places { layout, channels, .. } = self.places;
        let prepared = self.preprocessing().is_some() && channels == 1;
        layout.is_picture() && (channels == 3 || prepared)
    }

    /// Whether a preprocessing is declared for the explained value.
    pub(super) fn is_prepared(&self) -> bool {
        self.preprocessing().is_some()
    }

    /// The preprocessing that the explained value came out of; none at a node.
    fn preprocessing(&self) -> Option<&Preprocessing> {
        self.explainer.preprocessing().filter(|_| !self.model().explains_a_node())
    }

    /// The error for a model or an input that the method cannot work on.
    pub fn unsuited(&self, reason: &str) -> Error {
        Error::MethodUnsuited { method: self.method.into(), reason: reason.to_owned() }
    }

    /// What the caller gave in place of what the method would draw or compute.
    pub fn given(&self, name: &str) -> Option<&'a HostTensor> {
        let given = self.options.given.get(name)?;
        self.told.used.borrow_mut().insert(name.to_owned());
        Some(given)
    }

    /// Rows of features that the caller gave under `name`.
    ///
    /// # Errors
    /// [`Error::InputInvalid`] where they are not `rows` rows of finite numbers.
    pub fn given_rows(&self, name: &str, rows: usize) -> Result<Option<Cow<'a, [f32]>>> {
        Ok(self.given_values(name, rows * self.features())?.map(|values| self.places.planes(values)))
    }

    /// The `count` numbers that the caller gave under `name`.
    ///
    /// # Errors
    /// [`Error::InputInvalid`] where they are not so many, or not finite.
    pub fn given_values(&self, name: &str, count: usize) -> Result<Option<&'a [f32]>> {
        let Some(given) = self.given(name) else { return Ok(None) };
        if given.data.len() != count {
            return Err(Error::InputInvalid(format!(
                "The given \"{name}\" holds {} values (shape {:?}), and {} with these parameters takes {count}.",
                given.data.len(),
                given.shape,
                self.method
            )));
        }
        check_finite(&given.data)?;
        Ok(Some(&given.data))
    }

    /// `rows` rows of standard normal noise in all, drawn or given under the name "noise".
    ///
    /// # Errors
    /// Those of [`Subject::given_rows`].
    pub fn noise_source(&self, rows: usize, random: ChaCha8Rng) -> Result<NoiseSource<'_>> {
        Ok(NoiseSource { subject: self, given: self.given_rows("noise", rows)?, done: 0, random })
    }

    /// The model, for its nodes.
    pub(super) fn model(&self) -> &Model {
        self.explainer.model()
    }

    /// The masking network, where one is attached.
    pub(super) fn masker(&self) -> Option<&Masker> {
        self.explainer.masker()
    }

    /// Number of values of the input.
    pub fn features(&self) -> usize {
        self.sample.iter().product()
    }

    /// How many samples to work on at once.
    pub fn batch_limit(&self) -> usize {
        self.explainer.model().batch_limit()
    }

    /// Samples that went through the network so far.
    pub(super) fn forward_passes(&self) -> usize {
        self.forward.get()
    }

    /// Samples that a gradient was taken of so far.
    pub(super) fn backward_passes(&self) -> usize {
        self.backward.get()
    }

    /// Counts samples that go through the network, and gradients that are taken.
    fn count(&self, rows: usize, forward: usize, backward: usize) {
        self.forward.set(self.forward.get() + rows * forward);
        self.backward.set(self.backward.get() + rows * backward);
        self.largest.set(self.largest.get().max(rows.min(self.batch_limit())));
    }

    /// The memory that was taken so far.
    pub(super) fn memory(&self) -> Memory {
        let info = self.model().info();
        let values = self.largest.get() * info.bytes_per_sample;
        let own = memory::own().filter(|_| self.model().device().kind() == DeviceKind::Cpu);
        Memory {
            budget: self.model().device().batch_budget(),
            peak: own.unwrap_or(info.weight_bytes + values),
            measured: own.is_some(),
        }
    }

    /// Checks that `class` is one of the model's.
    pub fn check_target(&self, class: usize) -> Result<()> {
        self.explainer.model().check_target(class)
    }

    /// A generator for everything random in this explanation; the same on every device.
    pub fn random(&self) -> ChaCha8Rng {
        ChaCha8Rng::seed_from_u64(u64::from(self.options.seed))
    }

    /// Rows of standard normal noise.
    pub fn noise(&self, rows: usize, random: &mut ChaCha8Rng) -> Tensor<2> {
        let values: Vec<f32> = StandardNormal.sample_iter(random).take(rows * self.features()).collect();
        self.tensor(values, [rows, self.features()])
    }

    /// A tensor on the model's device.
    pub fn tensor(&self, values: Vec<f32>, dims: [usize; 2]) -> Tensor<2> {
        Tensor::from_data(TensorData::new(values, dims), self.explainer.model().device().burn())
    }

    /// The gradient of each row's score of its class in `targets`, in chunks that fit the memory.
    pub fn gradients(&self, points: Tensor<2>, targets: &[usize], score: Score) -> Result<Gradients> {
        let rows = points.dims()[0];
        let points = self.places.in_order_on_device(points);
        let Gradients { gradient, logits } = gradients(self.model(), &self.sample, points, targets, score)?;
        self.count(rows, 1, 1);
        Ok(Gradients { gradient: self.places.planes_on_device(gradient), logits })
    }

    /// The gradient of the score of `class` at the explained input, `[1, features]`.
    pub fn gradient_here(&self, class: usize, score: Score) -> Result<Tensor<2>> {
        match self.kept.take(&End::Input, class, score) {
            Some(found) => {
                self.count(1, 0, 1);
                Ok(self.places.planes_on_device(to_rows(found?.gradient)?))
            }
            None => Ok(self.gradients(self.input(), &[class], score)?.gradient),
        }
    }

    /// The output of the node called `node` for the explained input, and the gradient of the score of `class` with respect to it.
    pub(super) fn gradient_at_here(&self, node: &str, class: usize, score: Score) -> Result<Gradient> {
        match self.kept.take(&End::Node(node.to_owned()), class, score) {
            Some(found) => {
                self.count(1, 0, 1);
                found
            }
            None => self.gradient_at(node, self.input(), &[class], score),
        }
    }

    /// Runs the network on rows of features, few enough for one batch, for gradients of whichever scores.
    pub(super) fn pass(&self, points: Tensor<2>) -> Result<Pass<'_>> {
        let rows = points.dims()[0];
        let pass = self.model().pass(self.shaped(points)?)?;
        self.count(rows, 1, 0);
        Ok(Pass { subject: self, pass, rows })
    }

    /// Walks back from the explained class's logit to the input with `rule` at the nodes; a rule that compares with a
    /// reference, `[1, features]`, finds its values there.
    pub(super) fn walk(
        &self,
        reference: Option<Tensor<2>>,
        seed: Seed,
        rule: &Rule<'_>,
    ) -> Result<Relevance> {
        let passes = 1 + usize::from(reference.is_some());
        let reference = reference.map(|row| self.shaped(row)).transpose()?;
        let input = self.shaped(self.input())?;
        let found = self.model().walk(input, reference, &[self.target], seed, rule)?;
        self.count(1, passes, 1);
        let score = |logits| self.scores(logits, Score::Logit);
        Ok(Relevance {
            arrived: self.places.planes_on_device(to_rows(found.arrived)?),
            score: score(found.logits),
            reference_score: found.reference_logits.map(score),
        })
    }

    /// The logits of each row, `[N, classes]`, in chunks that fit the memory. Nothing is kept for a gradient.
    pub fn logits(&self, points: Tensor<2>) -> Result<Tensor<2>> {
        let rows = points.dims()[0];
        let logits = self.model().logits(self.shaped(points)?)?;
        self.count(rows, 1, 0);
        Ok(logits)
    }

    /// The score of the explained class for each row of logits, `[N]`.
    pub fn scores(&self, logits: Tensor<2>, score: Score) -> Tensor<1> {
        self.model().class_score(logits, self.target, score)
    }

    /// The output of the node called `node` for the rows `points` (few enough for one batch), the gradient of each
    /// row's score with respect to it, and the logits.
    pub(super) fn gradient_at(
        &self,
        node: &str,
        points: Tensor<2>,
        targets: &[usize],
        score: Score,
    ) -> Result<Gradient> {
        let rows = points.dims()[0];
        let found = self.model().gradient_at(node, self.shaped(points)?, targets, score)?;
        self.count(rows, 1, 1);
        Ok(found)
    }

    /// The logits of the explained input where the output of `node` is each of the rows of `value`, few enough for one
    /// batch; `[N, classes]`.
    pub(super) fn logits_with(&self, node: &str, value: Ranked<Float>) -> Result<Tensor<2>> {
        let rows = value.dims()[0];
        let input = self.shaped(self.input().repeat_dim(0, rows))?;
        let logits = self.model().logits_with(node, value, input)?;
        self.count(rows, 1, 0);
        Ok(logits)
    }

    /// The gradient of the explained class's score with respect to the output of `node`, where that is `value`, on the pieces
    /// on which `around` puts what is linear piece by piece.
    pub(super) fn gradient_with(
        &self,
        node: &str,
        value: Ranked<Float>,
        around: Ranked<Float>,
        score: Score,
    ) -> Result<Ranked<Float>> {
        let input = self.shaped(self.input())?;
        let found = self.model().gradient_with(node, [value, around], input, self.target, score)?;
        self.count(1, 2, 1);
        Ok(found)
    }

    /// The attention of the input's pass with the gradients of the explained class's logit, and what its tokens are.
    pub(super) fn attended(&self) -> Result<(Attended, &TokenAxis)> {
        let transformer = self.model().transformer().map_err(|reason| self.unsuited(reason))?;
        let found = self.model().attended(self.shaped(self.input())?, self.target)?;
        self.count(1, 1, 1);
        Ok((found, &transformer.tokens))
    }

    /// The gradient of each block's own score with respect to its own attention, and what its tokens are.
    pub(super) fn attended_by_block(&self) -> Result<(Vec<Tensor<3>>, &TokenAxis)> {
        let transformer = self.model().transformer().map_err(|reason| self.unsuited(reason))?;
        let found = self.model().attended_by_block(self.shaped(self.input())?, self.target)?;
        self.count(1, 1, 1);
        Ok((found, &transformer.tokens))
    }

    /// Whether a box of a detector is explained.
    pub(super) fn explains_a_box(&self) -> bool {
        matches!(self.model().view(), Some(View::Box(_)))
    }

    /// D-RISE's likeness of what the detector finds in each row to the explained box, `[N]`.
    pub(super) fn box_likeness(&self, points: Tensor<2>) -> Result<Tensor<1>> {
        let rows = points.dims()[0];
        let found = self.model().box_likeness(self.shaped(points)?)?;
        self.count(rows, 1, 0);
        Ok(found)
    }

    /// Number of axes of the input, the samples' among them.
    pub(super) fn rank(&self) -> usize {
        self.sample.len() + 1
    }

    /// Rows of features as the model takes them.
    fn shaped(&self, rows: Tensor<2>) -> Result<Ranked<Float>> {
        rows_to(self.places.in_order_on_device(rows), &self.sample)
    }

    /// The masking network's mask for the explained class, `[1, pixels]`.
    pub(super) fn mask(&self, masker: &Masker) -> Result<Tensor<2>> {
        masker.mask(self.shaped(self.input())?, self.target)
    }

    /// The space of pixels from 0 to 1: as the preprocessing declares it, or else the input's own range.
    pub(super) fn pixel_space(&self) -> Result<PixelSpace> {
        let features = self.features();
        let row = |values: Vec<f32>| self.tensor(values, [1, features]);
        let Some(preprocessing) = self.preprocessing() else {
            let (low, high) = self.range;
            let width = if high > low { high - low } else { 1.0 };
            let same = |value| row(vec![value; features]);
            return Ok(PixelSpace {
                factor: same(1.0 / width),
                offset: same(-low / width),
                black: same(low),
                white: same(high),
            });
        };
        // The explainer has checked that the preprocessing declares as many.
        let channels = self.places.channels;
        let spread = |value: &dyn Fn(usize) -> f32| {
            row((0..features).map(|i| value(i * channels / features)).collect())
        };
        Ok(PixelSpace {
            factor: spread(&|channel| preprocessing.to_pixel(channel).0),
            offset: spread(&|channel| preprocessing.to_pixel(channel).1),
            black: spread(&|channel| preprocessing.to_model(channel, 0.0)),
            white: spread(&|channel| preprocessing.to_model(channel, 255.0)),
        })
    }

    /// The input as a picture of red, green and blue, or of grey, from 0 to 1.
    ///
    /// # Errors
    /// [`Error::MethodUnsuited`] where the input is no picture of one or three channels.
    pub(super) fn picture(&self) -> Result<Picture> {
        let [channels, height, width] = self.image()?;
        if !matches!(channels, 1 | 3) {
            return Err(self.unsuited("it follows the colours of pictures of one or three channels"));
        }
        let (low, high) = self.range;
        let width_of_range = if high > low { high - low } else { 1.0 };
        let preprocessing = self.preprocessing();
        let pixels = height * width;
        let mut data = vec![0.0; channels * pixels];
        for (channel, plane) in self.values.chunks_exact(pixels).enumerate() {
            let (factor, offset) = preprocessing
                .map_or((1.0 / width_of_range, -low / width_of_range), |known| known.to_pixel(channel));
            let blue_first = preprocessing.is_some_and(|known| known.channel_order == ChannelOrder::Bgr);
            let colour = if blue_first { channels - 1 - channel } else { channel };
            for (pixel, &value) in plane.iter().enumerate() {
                data[pixel * channels + colour] = f64::from(value) * f64::from(factor) + f64::from(offset);
            }
        }
        Ok(Picture { data, height, width, channels })
    }

    /// Whether [`Self::peek`] finds values: on the CPU.
    pub(super) fn may_peek(&self) -> bool {
        self.model().device().kind() == DeviceKind::Cpu
    }

    /// The values of a column where reading them costs nothing. A GPU would have to be waited for.
    pub(super) async fn peek(&self, column: &Tensor<2>) -> Result<Option<Vec<f32>>> {
        if !self.may_peek() {
            return Ok(None);
        }
        let rows = column.dims()[0];
        read(column.clone().reshape([rows])).await.map(Some)
    }

    /// `Control::checkpoint`.
    pub async fn checkpoint(&self, done: usize, total: usize, stage: &str) -> Result<()> {
        self.control.checkpoint(self.model().device(), done, total, stage).await
    }

    /// How many of `total` steps to work on at once: few enough for the rule by which the method ends early, if there is
    /// one.
    pub(super) fn chunk(&self, total: usize) -> usize {
        let limit = self.batch_limit();
        self.options.stop.map_or(limit, |stop| limit.min(stop.interval(total)))
    }

    /// Hands over the map as it would be if the method ended after `done` of `total` steps; says whether it should. `map`
    /// is asked only where someone wants to see it, or judge it.
    pub(super) async fn so_far(
        &self,
        done: usize,
        total: usize,
        map: impl Fn() -> Tensor<2>,
    ) -> Result<bool> {
        if let Some(on_partial) = self.control.on_partial.as_ref().filter(|_| self.watch.is_due()) {
            let map = map();
            let values = map.dims()[1];
            let values = read(map.reshape([values])).await?;
            self.show(on_partial, done, total, values)?;
            self.watch.shown(self.model().device().kind());
        }
        match &self.options.stop {
            Some(stop) => self.watch.settled(stop, done, total, &map).await,
            None => Ok(false),
        }
    }

    /// How the method came to end early.
    pub(super) fn stopped(&self) -> Option<Stopped> {
        self.watch.stopped()
    }

    /// Shows the values of a map so far, channel after channel, if they can be shown.
    fn show(&self, on_partial: &dyn Fn(Partial), done: usize, total: usize, values: Vec<f32>) -> Result<()> {
        let shape: Vec<usize> = std::iter::once(1).chain(self.sample.iter().copied()).collect();
        let attribution = in_order(&self.places, &shape, values)?;
        if attribution.data.iter().all(|value| value.is_finite()) {
            let heatmap = display::heatmap(&attribution, &self.places, self.display);
            on_partial(Partial { attribution, heatmap, done, total, region: None });
        }
        Ok(())
    }
}

impl Network for Subject<'_> {
    fn gradients(&self, points: Tensor<2>, targets: &[usize], score: Score) -> Result<Gradients> {
        self.gradients(points, targets, score)
    }

    async fn checkpoint(&self, done: usize, total: usize, stage: &str) -> Result<()> {
        self.checkpoint(done, total, stage).await
    }
}

/// The gradient of each row's score of its class in `targets`, in chunks that fit the memory.
pub(crate) fn gradients(
    model: &Model,
    sample: &[usize],
    points: Tensor<2>,
    targets: &[usize],
    score: Score,
) -> Result<Gradients> {
    let found = model.gradient(rows_to(points, sample)?, targets, score)?;
    Ok(Gradients { gradient: to_rows(found.gradient)?, logits: found.logits })
}
