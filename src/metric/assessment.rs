//! What a metric works on: a map, the input that it explains, the network, and what else is known.

use std::{
    borrow::Cow,
    cell::{Cell, RefCell},
    cmp::Ordering,
    collections::BTreeMap,
    ops::Range,
};

use burn::tensor::{Tensor, TensorData};
use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;

use super::{Finding, chance, curve::Ranking, hiding::Parts, share, similarity, ssim};
use crate::{
    Control, Error, ExplainOptions, Explainer, Explanation, HostTensor, Result, Score,
    attribution::{
        self, Baseline, Segmentation, Tabled,
        display::{self, Channels},
        read, registry, rows_to, to_rows,
    },
    input::{
        check_finite,
        layout::{Layout, Places},
        parts::Joined,
        table::TableKind,
    },
    segment,
};

/// One explanation under judgement.
///
/// A map has the input's shape, or one value a pixel (`[1, 1, H, W]` for an input `[1, C, H, W]`). Whatever ranks or
/// compares pixels works on the map with its channels aggregated, by default as the method shows it. What is no picture
/// has its samples, tokens or features in the place of pixels ([`Places`]).
pub struct Assessment<'a> {
    pub(super) explainer: &'a Explainer,
    places: Places,
    /// Its values lie channel after channel, whatever the order in which the model takes them; as those of the maps do.
    pub(super) input: Cow<'a, HostTensor>,
    pub(super) map: Cow<'a, HostTensor>,
    pub(super) target: usize,
    control: &'a Control<'a>,
    channels: Channels,
    seed: u32,
    options: Option<&'a ExplainOptions>,
    segments: Option<&'a Segmentation>,
    reference: Option<Cow<'a, HostTensor>>,
    object: Option<&'a [bool]>,
    randomised: Option<&'a Explainer>,
    given: BTreeMap<String, HostTensor>,
    metric: RefCell<String>,
    forward: Cell<usize>,
    /// How many random maps each metric is measured on beside the judged one.
    beside: usize,
    /// Where the judged map is a random one itself: its number, and how many maps were made again in its stead.
    random_map: Option<(usize, Cell<usize>)>,
}

impl<'a> Assessment<'a> {
    /// Judges `map` as an explanation of why the network of `explainer` gives class `target` to `input`, `[1, …]` in
    /// model space.
    ///
    /// # Errors
    /// [`Error::MapNotFinite`], [`Error::MapShape`], [`Error::TargetOutOfRange`], and those of the input.
    pub fn new(
        explainer: &'a Explainer,
        input: &'a HostTensor,
        map: &'a HostTensor,
        target: usize,
        control: &'a Control<'a>,
    ) -> Result<Self> {
        explainer.model().check_shape(&input.shape)?;
        explainer.model().check_target(target)?;
        check_finite(&input.data)?;
        if input.shape[0] != 1 {
            return Err(Error::InputInvalid(format!(
                "One explanation is judged at a time, but the batch holds {}.",
                input.shape[0]
            )));
        }
        let places = explainer.model().places()?;
        check_map(map, input, &places)?;
        Ok(Self {
            explainer,
            input: planes(input, &places),
            map: planes(map, &places),
            places,
            target,
            control,
            channels: Channels::SumAbs,
            seed: 0,
            options: None,
            segments: None,
            reference: None,
            object: None,
            randomised: None,
            given: BTreeMap::new(),
            metric: RefCell::default(),
            forward: Cell::new(0),
            beside: 0,
            random_map: None,
        })
    }

    /// Judges a finished explanation: its map and segments, with the channels aggregated as its method shows them, and
    /// explained again with `options` by the metrics that ask for it.
    ///
    /// # Errors
    /// Those of [`Assessment::new`].
    pub fn of(
        explainer: &'a Explainer,
        input: &'a HostTensor,
        explanation: &'a Explanation,
        options: &'a ExplainOptions,
        control: &'a Control<'a>,
    ) -> Result<Self> {
        if explanation.info.aim.is_some() && explainer.model().view().is_none() {
            return Err(Error::TargetInvalid(
                "the explanation is of more than a class: judge it on the network that `Explainer::aimed` gives for its target".into(),
            ));
        }
        let target = explanation.info.target.index;
        let mut assessment = Self::new(explainer, input, &explanation.attribution, target, control)?;
        assessment.segments = explanation.segments.as_ref();
        assessment.with_method(options)
    }

    /// How the map was made, for metrics that make it again: its method, parameters and seed.
    ///
    /// # Errors
    /// [`Error::MethodUnknown`].
    pub fn with_method(mut self, options: &'a ExplainOptions) -> Result<Self> {
        self.channels = registry::find(&options.method)?.display().channels;
        self.seed = options.seed;
        self.options = Some(options);
        Ok(self)
    }

    /// How the channels of a pixel become one value; by default the sum of magnitudes, or what the method shows.
    #[must_use]
    pub fn with_channels(mut self, channels: Channels) -> Self {
        self.channels = channels;
        self
    }

    /// Seed of everything random.
    #[must_use]
    pub fn with_seed(mut self, seed: u32) -> Self {
        self.seed = seed;
        self
    }

    /// The segments of the picture, for metrics that work on them.
    #[must_use]
    pub fn with_segments(mut self, segments: &'a Segmentation) -> Self {
        self.segments = Some(segments);
        self
    }

    /// A second map of the same shape, for metrics that compare.
    ///
    /// # Errors
    /// [`Error::MapNotFinite`], [`Error::MapShape`].
    pub fn with_reference(mut self, reference: &'a HostTensor) -> Result<Self> {
        check_map(reference, &self.input, &self.places)?;
        self.reference = Some(planes(reference, &self.places));
        Ok(self)
    }

    /// The pixels of the object that the class names, row by row.
    ///
    /// # Errors
    /// [`Error::InputInvalid`] where there is not one truth value a pixel.
    pub fn with_object(mut self, object: &'a [bool]) -> Result<Self> {
        let pixels = self.positions();
        if object.len() != pixels {
            return Err(Error::InputInvalid(format!(
                "The object's mask has {} values for {pixels} pixels.",
                object.len()
            )));
        }
        self.object = Some(object);
        Ok(self)
    }

    /// The same network with random weights, for sanity checks; see [`super::randomise`].
    #[must_use]
    pub fn with_randomised(mut self, randomised: &'a Explainer) -> Self {
        self.randomised = Some(randomised);
        self
    }

    /// A tensor that stands in for what a metric would draw; each metric documents the names that it knows.
    #[must_use]
    pub fn with_given(mut self, name: impl Into<String>, tensor: HostTensor) -> Self {
        self.given.insert(name.into(), tensor);
        self
    }

    /// Measures each metric on `maps` random maps, too, so that a value that noise reaches is known as one: maps of the same values at
    /// random places. A metric that makes the map again is given another random map each time. 0, the default, is for none.
    ///
    /// # Errors
    /// [`Error::ParameterInvalid`] for fewer than [`chance::FEWEST`], of which no range could be told, or more than
    /// [`chance::MOST`].
    pub fn with_chance(mut self, maps: usize) -> Result<Self> {
        if maps != 0 && !(chance::FEWEST..=chance::MOST).contains(&maps) {
            return Err(Error::ParameterInvalid {
                method: "measure".into(),
                name: "chance".into(),
                reason: format!("it must be from {} to {}, or 0 for none", chance::FEWEST, chance::MOST),
            });
        }
        self.beside = maps;
        Ok(self)
    }

    /// How many random maps are measured, too.
    pub(super) fn beside(&self) -> usize {
        self.beside
    }

    /// The same assessment of a random map.
    pub(super) fn by_chance<'b>(
        &'b self,
        map: HostTensor,
        segments: Option<&'b Segmentation>,
        number: usize,
    ) -> Assessment<'b> {
        Assessment {
            explainer: self.explainer,
            places: self.places.clone(),
            input: Cow::Borrowed(&self.input),
            map: Cow::Owned(map),
            target: self.target,
            control: self.control,
            channels: self.channels,
            seed: self.seed,
            options: self.options,
            segments,
            reference: self.reference.as_ref().map(|map| Cow::Borrowed(map.as_ref())),
            object: self.object,
            randomised: self.randomised,
            given: self.given.clone(),
            metric: RefCell::new(self.metric.borrow().clone()),
            forward: Cell::new(0),
            beside: 0,
            random_map: Some((number, Cell::new(0))),
        }
    }

    /// The segments, where there are some.
    pub(super) fn cut(&self) -> Option<&'a Segmentation> {
        self.segments
    }

    pub(super) fn begin(&self, metric: &str) {
        *self.metric.borrow_mut() = metric.to_owned();
        self.forward.set(0);
    }

    pub(super) fn forward_passes(&self) -> usize {
        self.forward.get()
    }

    /// The error for what the metric needs and the assessment lacks.
    pub(super) fn unsuited(&self, reason: &str) -> Error {
        Error::MetricUnsuited { metric: self.metric.borrow().clone(), reason: reason.to_owned() }
    }

    /// The second map.
    pub(super) fn reference(&self) -> Result<&HostTensor> {
        self.reference
            .as_deref()
            .ok_or_else(|| self.unsuited("it compares with a second map, and none was given"))
    }

    /// The pixels of the object.
    pub(super) fn object(&self) -> Result<&'a [bool]> {
        self.object.ok_or_else(|| self.unsuited("it needs the object's box or mask, and none was given"))
    }

    /// The segments that the method worked on.
    pub(super) fn segments(&self) -> Result<&'a Segmentation> {
        self.segments.ok_or_else(|| {
            self.unsuited("it needs segments, and this method makes none; choose one that does, such as axai")
        })
    }

    /// The network with random weights.
    pub(super) fn randomised(&self) -> Result<&'a Explainer> {
        self.randomised
            .ok_or_else(|| self.unsuited("it needs the same network with random weights, and none was given"))
    }

    /// How the map was made.
    pub(super) fn method(&self) -> Result<&'a ExplainOptions> {
        self.options.ok_or_else(|| self.unsuited("it makes the map again, and the method was not given"))
    }

    /// A tensor that the caller gave in place of what would be drawn: rows of features.
    pub(super) fn given_rows(&self, name: &str) -> Result<Option<Vec<Vec<f32>>>> {
        let rows = self.given_lists(name, self.input.data.len())?;
        Ok(rows.map(|rows| rows.iter().map(|row| self.places.planes(row).into_owned()).collect()))
    }

    /// The same: lists of `length` numbers.
    pub(super) fn given_lists(&self, name: &str, length: usize) -> Result<Option<Vec<Vec<f32>>>> {
        let Some(given) = self.given.get(name) else { return Ok(None) };
        if given.data.is_empty() || length == 0 || !given.data.len().is_multiple_of(length) {
            return Err(self.unsuited(&format!(
                "the given \"{name}\" holds {} values, which are no rows of {length}",
                given.data.len()
            )));
        }
        check_finite(&given.data)?;
        Ok(Some(given.data.chunks_exact(length).map(<[f32]>::to_vec).collect()))
    }

    /// A generator for everything random; the same on every device.
    pub(super) fn random(&self) -> ChaCha8Rng {
        ChaCha8Rng::seed_from_u64(u64::from(self.seed))
    }

    /// A generator for the sample numbered `number`, so that a sample can be drawn again instead of being kept.
    pub(super) fn random_of(&self, number: usize) -> ChaCha8Rng {
        let mut random = self.random();
        random.set_stream(number as u64 + 1);
        random
    }

    /// Seed of everything random.
    pub(super) fn seed(&self) -> u32 {
        self.seed
    }

    /// Channels, height and width of the input.
    pub(super) fn image(&self) -> Result<[usize; 3]> {
        let Places { layout, channels, height, width, .. } = self.places;
        match layout.is_picture() {
            true => Ok([channels, height, width]),
            false => Err(self.unsuited("it works on pictures")),
        }
    }

    /// Height and width of the input.
    pub(super) fn size(&self) -> [usize; 2] {
        [self.places.height, self.places.width]
    }

    /// Whether the input has rows and columns of pixels.
    pub(super) fn is_picture(&self) -> bool {
        self.places.layout.is_picture()
    }

    /// Whether it is the short-time spectrum of a sound.
    pub(super) fn is_spectrum(&self) -> bool {
        self.places.layout == Layout::Spectrum
    }

    /// Values of a pixel, a sample, a token or a feature of the input.
    pub(super) fn input_channels(&self) -> usize {
        self.places.channels
    }

    /// Pixels, samples, tokens or features of the input.
    pub(super) fn positions(&self) -> usize {
        self.places.count()
    }

    /// Smallest and largest value of the input, and how far they are apart (1 for a constant input).
    pub(super) fn width_of_range(&self) -> f32 {
        let (low, high) = self
            .input
            .data
            .iter()
            .fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), &x| (low.min(x), high.max(x)));
        if high > low { high - low } else { 1.0 }
    }

    /// The map with its channels aggregated: one value a pixel.
    pub(super) fn pixels(&self) -> Vec<f64> {
        self.aggregate(&self.map)
    }

    /// What the pixels are ranked by.
    pub(super) fn ranked(&self, ranking: Ranking) -> Vec<f64> {
        self.aggregated(&self.map, ranking.channels().unwrap_or(self.channels))
    }

    /// Whose turn is when in a game that goes by the judged map: pixels one by one, or the words of a text, all pieces at once.
    pub(super) fn turns(&self, ranking: Ranking, first: First) -> Result<Turns> {
        let parts = self.parts(ranking)?;
        let order = first.order(&parts.values);
        Ok(match self.explainer.written().is_some() || self.row().is_some() {
            true => Turns::of_words(&order, &parts.labels),
            false => Turns::of_pixels(&order),
        })
    }

    /// The row of a table, where the input is one. A series is gone through step by step.
    fn row(&self) -> Option<&'a Tabled> {
        self.explainer.tabled().filter(|tabled| tabled.kind == TableKind::Row)
    }

    /// The smallest parts that are hidden or shown as one, each with what the judged map says of it: pixels, the words of a text, or the
    /// columns of a table.
    pub(super) fn parts(&self, ranking: Ranking) -> Result<Parts> {
        let (written, row) = (self.explainer.written(), self.row());
        if written.is_none() && row.is_none() {
            let labels = (0..self.positions() as u32).collect();
            return Ok(Parts { labels, values: self.ranked(ranking) });
        }
        let joined = match ranking.channels() {
            None => self.joined()?,
            Some(Channels::Mean) => Joined::Sum,
            Some(Channels::SumAbs | Channels::MaxAbs) => Joined::Magnitudes,
        };
        let map = if self.map.data.len() == self.input.data.len() {
            self.in_order(&self.map.data)
        } else {
            self.map.as_ref().clone()
        };
        let (parts, count, labels) = match (written, row) {
            (Some(written), _) => {
                let parts = written.parts(&map, &self.places, self.segments, joined);
                (parts, written.reading.words, &written.reading.labels)
            }
            (None, Some(row)) => {
                (row.parts(&map, &self.places, self.segments, joined), row.count(), &row.labels)
            }
            (None, None) => return Err(Error::Internal("an input lost its parts".into())),
        };
        let values = parts.iter().take(count).map(|part| part.score.into()).collect();
        Ok(Parts { labels: labels.clone(), values })
    }

    /// The segments of the method, or else those that SLIC makes of a picture, each with the mean of the map's values in it; of what is
    /// no picture the smallest parts.
    pub(super) fn segmented(&self, ranking: Ranking) -> Result<Parts> {
        let pixels = self.positions();
        let labels = match self.segments.filter(|cut| cut.labels.len() == pixels) {
            Some(cut) => {
                let labels: Vec<usize> = cut.labels.iter().map(|&label| label as usize).collect();
                segment::Segments::new(&labels).labels
            }
            None if !self.is_picture() => return self.parts(ranking),
            None => {
                let [channels, height, width] = self.image()?;
                if !matches!(channels, 1 | 3) {
                    return Err(self.unsuited(
                        "it cuts pictures of one or three channels; choose a method that makes segments, such as axai",
                    ));
                }
                let at = |i: usize| f64::from(self.input.data[i % channels * pixels + i / channels]);
                let data = (0..channels * pixels).map(at).collect();
                segment::slic(&segment::Picture { data, height, width, channels }, segment::Slic::default())
                    .labels
            }
        };
        let sizes = Parts::sums(labels.clone(), &vec![1.0; pixels]).values;
        let mut parts = Parts::sums(labels, &self.ranked(ranking));
        parts.values.iter_mut().zip(sizes).for_each(|(value, size)| *value = share(*value, size));
        Ok(parts)
    }

    /// The same in an order that knows nothing of the map.
    pub(super) fn random_turns(&self) -> Turns {
        let words = match (self.explainer.written(), self.explainer.tabled()) {
            (Some(written), _) => Some((written.reading.words, &written.reading.labels)),
            (None, Some(tabled)) if tabled.kind == TableKind::Row => Some((tabled.count(), &tabled.labels)),
            _ => None,
        };
        let mut order: Vec<usize> = (0..words.map_or(self.positions(), |(words, _)| words)).collect();
        order.shuffle(&mut self.random());
        match words {
            Some((_, labels)) => Turns::of_words(&order, labels),
            None => Turns::of_pixels(&order),
        }
    }

    /// How the method's values become one for a word; the sum where the method is not known.
    fn joined(&self) -> Result<Joined> {
        let method = self.options.map(|options| registry::find(&options.method)).transpose()?;
        Ok(method.map_or(Joined::Sum, registry::Entry::joined))
    }

    /// A text with the mask token in place of each word, or the padding token; zeros where there is neither. Nothing for what is no
    /// text, but the mean of the rows to compare with for a row of a table.
    pub(super) fn without_words(&self) -> Option<Vec<f32>> {
        if let Some(rows) = self.explainer.tabled().and_then(|tabled| tabled.background.as_ref()) {
            return Some(self.places.planes(&rows.mean.data).into_owned());
        }
        let written = self.explainer.written()?;
        let cover =
            [Baseline::MaskToken, Baseline::PadToken].into_iter().find_map(|token| written.cover(token));
        Some(cover.map_or_else(
            || vec![0.0; self.input.data.len()],
            |cover| self.places.planes(&cover.data).into_owned(),
        ))
    }

    /// Any map of this input with its channels aggregated as the judged one.
    pub(super) fn aggregate(&self, map: &HostTensor) -> Vec<f64> {
        self.aggregated(map, self.channels)
    }

    fn aggregated(&self, map: &HostTensor, rule: Channels) -> Vec<f64> {
        let aggregated = display::planes_aggregated(&map.data, self.positions(), rule);
        aggregated.into_iter().map(f64::from).collect()
    }

    /// How alike two maps of this input are, channels aggregated: the rank correlation, the correlation, and of pictures that are
    /// large enough the structural similarity.
    pub(super) fn compared(&self, map: &HostTensor, other: &HostTensor, magnitudes: bool) -> Finding {
        let values = |map: &HostTensor| -> Vec<f64> {
            let values = self.aggregate(map).into_iter();
            if magnitudes { values.map(f64::abs).collect() } else { values.collect() }
        };
        let (map, other) = (values(map), values(other));
        let finding = Finding::new(similarity::spearman(&map, &other))
            .with("pearson", similarity::pearson(&map, &other));
        match self.image() {
            Ok([_, height, width]) if height.min(width) > ssim::WINDOW => {
                finding.with("ssim", ssim::similarity(&map, &other, height, width))
            }
            _ => finding,
        }
    }

    /// What an inner node holds for an input whose values lie channel after channel.
    pub(super) async fn held_by(&self, node: &str, planes: Vec<f32>) -> Result<Vec<f32>> {
        let row = self.places.in_order_on_device(self.tensor(planes, [1, self.input.data.len()]));
        let input = rows_to(row, &self.input.shape[1..])?;
        let held = self.explainer.model().gradient_at(node, input, &[self.target], Score::Logit)?.value;
        self.forward.set(self.forward.get() + 1);
        let held = to_rows(held)?;
        let values = held.dims().iter().product::<usize>();
        read(held.reshape([values])).await
    }

    /// The judged map with one value for each of the input's; a value a pixel is spread over its channels, so that
    /// its sum stays.
    pub(super) fn spread_map(&self) -> Vec<f32> {
        if self.map.data.len() == self.input.data.len() {
            return self.map.data.clone();
        }
        let channels = self.input_channels();
        self.map.data.iter().map(|value| value / channels as f32).collect::<Vec<_>>().repeat(channels)
    }

    /// The input on the device, `[1, features]`.
    pub(super) fn input_row(&self) -> Tensor<2> {
        self.tensor(self.input.data.clone(), [1, self.input.data.len()])
    }

    /// A tensor on the model's device.
    pub(super) fn tensor<const D: usize>(&self, values: Vec<f32>, dims: [usize; D]) -> Tensor<D> {
        Tensor::from_data(TensorData::new(values, dims), self.explainer.model().device().burn())
    }

    /// Values of the input's size that lie channel after channel, as the model takes them.
    pub(super) fn in_order(&self, planes: &[f32]) -> HostTensor {
        HostTensor { data: self.places.in_order(planes).into_owned(), shape: self.input.shape.clone() }
    }

    /// The target's score for `rows` samples, which `make` builds `[n, features]` at a time; read back once.
    pub(super) async fn scores(
        &self,
        rows: usize,
        score: Score,
        stage: &str,
        make: impl Fn(Range<usize>) -> Tensor<2>,
    ) -> Result<Vec<f64>> {
        let chunks = self
            .run(rows, stage, make, |logits| self.explainer.model().class_score(logits, self.target, score))
            .await?;
        Ok(read(Tensor::cat(chunks, 0)).await?.into_iter().map(f64::from).collect())
    }

    /// The logits of `rows` samples, one vector each; read back once.
    pub(super) async fn logits(
        &self,
        rows: usize,
        stage: &str,
        make: impl Fn(Range<usize>) -> Tensor<2>,
    ) -> Result<Vec<Vec<f32>>> {
        let classes = self.explainer.model().classes();
        let flat = |logits: Tensor<2>| {
            let values = logits.dims().iter().product::<usize>();
            logits.reshape([values])
        };
        let chunks = self.run(rows, stage, make, flat).await?;
        Ok(read(Tensor::cat(chunks, 0)).await?.chunks_exact(classes).map(<[f32]>::to_vec).collect())
    }

    /// The logits of samples that are on the host.
    pub(super) async fn logits_of(&self, samples: &[Vec<f32>], stage: &str) -> Result<Vec<Vec<f32>>> {
        self.logits(samples.len(), stage, |rows| self.upload(&samples[rows])).await
    }

    /// Rows of features that are on the host, on the device.
    pub(super) fn upload(&self, samples: &[Vec<f32>]) -> Tensor<2> {
        self.tensor(samples.concat(), [samples.len(), self.input.data.len()])
    }

    /// Sends `rows` samples through the network in chunks that fit the memory, and keeps of each chunk's logits what
    /// `keep` makes of them.
    async fn run(
        &self,
        rows: usize,
        stage: &str,
        make: impl Fn(Range<usize>) -> Tensor<2>,
        keep: impl Fn(Tensor<2>) -> Tensor<1>,
    ) -> Result<Vec<Tensor<1>>> {
        let model = self.explainer.model();
        let limit = model.batch_limit();
        let sample = &self.input.shape[1..];
        let mut kept = Vec::new();
        for start in (0..rows).step_by(limit) {
            self.checkpoint(start, rows, stage).await?;
            let chunk = make(start..(start + limit).min(rows));
            let chunk = self.places.in_order_on_device(chunk);
            kept.push(keep(model.logits(rows_to(chunk, sample)?)?));
        }
        self.forward.set(self.forward.get() + rows);
        Ok(kept)
    }

    /// The map of `input` (channel after channel, as the map is then) by the method of the judged one, for the same class;
    /// `change` may alter its options.
    pub(super) async fn explain(
        &self,
        explainer: &Explainer,
        input: &HostTensor,
        change: impl FnOnce(&mut ExplainOptions),
    ) -> Result<HostTensor> {
        if let Some((number, made)) = &self.random_map {
            made.set(made.get() + 1);
            let mut random = self.random_of((number + 2) * chance::RANDOM_MAPS + made.get());
            return Ok(chance::strewn(&self.map, self.positions(), self.segments, &mut random));
        }
        let mut options = self.method()?.clone();
        options.target = Some(self.target.into());
        change(&mut options);
        // Its own progress would run from start to end for every map.
        let control = Control {
            is_cancelled: Box::new(|| (self.control.is_cancelled)()),
            pause: Box::new(|| (self.control.pause)()),
            ..Control::default()
        };
        let input = self.in_order(&input.data);
        let method = registry::find(&options.method)?;
        let found =
            attribution::explain(explainer, method, &input, None, &options, &control).await?.attribution;
        Ok(planes(&found, &self.places).into_owned())
    }

    /// [`Control::checkpoint`].
    pub(super) async fn checkpoint(&self, done: usize, total: usize, stage: &str) -> Result<()> {
        self.control.checkpoint(self.explainer.model().device(), done, total, stage).await
    }
}

/// The values of an input, or of a map of it, channel after channel.
fn planes<'t>(tensor: &'t HostTensor, places: &Places) -> Cow<'t, HostTensor> {
    // One value a place has no channels.
    if tensor.data.len() == places.count() {
        return Cow::Borrowed(tensor);
    }
    match places.planes(&tensor.data) {
        Cow::Borrowed(_) => Cow::Borrowed(tensor),
        Cow::Owned(data) => Cow::Owned(HostTensor { data, shape: tensor.shape.clone() }),
    }
}

/// Checks that a map is finite and belongs to the input.
fn check_map(map: &HostTensor, input: &HostTensor, places: &Places) -> Result<()> {
    let fits = map.shape == input.shape || map.shape == places.map_shape(&input.shape);
    if !fits || map.data.len() != map.shape.iter().product::<usize>() {
        return Err(Error::MapShape { map: map.shape.clone(), input: input.shape.clone() });
    }
    check_finite(&map.data).map_err(|error| match error {
        Error::InputNotFinite { count, index } => Error::MapNotFinite { count, index },
        other => other,
    })
}

/// Who goes first in a game.
#[derive(Debug, Clone, Copy)]
pub(super) enum First {
    /// The most important.
    Most,
    /// The least important.
    Least,
}

impl First {
    pub(super) fn order(self, values: &[f64]) -> Vec<usize> {
        match self {
            Self::Most => descending(values),
            Self::Least => ascending(values),
        }
    }
}

/// Whose turn is when: pixels, or the words of a text.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Turns {
    /// The turn of each place, from 0. What is no word has the turn after the last, and does not change.
    pub ranks: Vec<u32>,
    /// How many there are.
    pub count: usize,
    /// How many of them change at a step where nobody says it.
    usual: usize,
}

impl Turns {
    fn of_pixels(order: &[usize]) -> Self {
        Self { ranks: ranks(order), count: order.len(), usual: PIXELS_A_STEP }
    }

    fn of_words(order: &[usize], labels: &[u32]) -> Self {
        let ranks = ranks(order);
        let last = ranks.len() as u32;
        let rank = |&label: &u32| ranks.get(label as usize).copied().unwrap_or(last);
        Self { ranks: labels.iter().map(rank).collect(), count: order.len(), usual: 1 }
    }

    /// How many change at a step.
    pub fn step(&self, wanted: Option<usize>) -> usize {
        wanted.unwrap_or(self.usual).max(1)
    }
}

/// Pixels that change at a step, as in RISE's code.
const PIXELS_A_STEP: usize = 224;

/// The place of each in an order.
fn ranks(order: &[usize]) -> Vec<u32> {
    let mut ranks = vec![0; order.len()];
    for (rank, &at) in order.iter().enumerate() {
        ranks[at] = rank as u32;
    }
    ranks
}

/// The pixels from the highest value to the lowest; equal ones in their own order.
pub(super) fn descending(values: &[f64]) -> Vec<usize> {
    ordered(values, |a, b| b.partial_cmp(&a).unwrap_or(Ordering::Equal))
}

/// The pixels from the lowest value to the highest; equal ones in their own order.
pub(super) fn ascending(values: &[f64]) -> Vec<usize> {
    ordered(values, |a, b| a.partial_cmp(&b).unwrap_or(Ordering::Equal))
}

fn ordered(values: &[f64], compare: impl Fn(f64, f64) -> Ordering) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| compare(values[a], values[b]));
    order
}
