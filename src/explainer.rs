//! A model with what is known about its input and its classes: what a user loads and asks.

mod aim;

use std::{collections::BTreeMap, sync::Arc};

use burn::tensor::{Float, Tensor, TensorData};
use serde::Serialize;
use web_time::Instant;

use crate::{
    ClassScore, Control, Device, Error, ExplainOptions, Explanation, HostTensor, Model, Photograph,
    Preprocessing, Result, Score,
    attribution::{
        self, Masker, Segmentation, Tabled, Written,
        anytime::Partial,
        read,
        registry::{self, Entry, MethodSupport},
    },
    input::{
        check_finite,
        image::Region,
        labels::Labels,
        layout::{Layout, Places},
        parts::Part,
        preprocessing::Size,
        sound::{Heard, Ruler, SoundPreparation, SoundView, Waveform},
        table::{TableKind, TableRow},
        text::{AskedToken, Reading, Tokens},
    },
    model::{
        self, FrontEnd, GraphInfo, HostValue, ModelFile, ModelOptions, OutputKind, PictureInput, Target,
        ValueInfo, View, front_end, value::Ranked,
    },
    narrate,
    segment::{self, Segments},
};

pub use aim::{Aim, Aimed, Detected, Detections};

/// What a user has: pixels, or a tensor that goes into the network as it is.
#[derive(Debug, Clone, Copy)]
pub enum Input<'a> {
    /// Rows of red, green, blue, alpha bytes.
    Pixels {
        /// Four bytes a pixel.
        rgba: &'a [u8],
        /// Pixels in a row.
        width: usize,
        /// Rows.
        height: usize,
    },
    /// A decoded photograph.
    Photograph(&'a Photograph),
    /// A sound, for a network that was loaded by [`Explainer::load_for_sound`].
    Sound(&'a Waveform),
    /// Model space, `[N, …]`.
    Tensor(&'a HostTensor),
    /// The inputs that are explained at once, by name, each `[1, …]` as the file has it; for a model that was loaded with
    /// [`ModelOptions::joint`].
    Named(&'a BTreeMap<String, HostTensor>),
    /// A text, or a pair of texts, for a model that was loaded as one of text ([`ModelOptions::text`]).
    Tokens(&'a Tokens),
    /// A row of a table, or a series of its rows.
    Table(&'a TableRow),
    /// The inputs that [`Explainer::with_inputs`] has set, for a model that is explained at a node.
    Bound,
}

/// The classes of an input, best first.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
#[cfg_attr(target_family = "wasm", tsify(missing_as_null))]
pub struct Classification {
    /// The most probable classes.
    pub top: Vec<ClassScore>,
    /// The part of the photograph that the network saw; `null` for tensors.
    pub region: Option<Region>,
    /// The token whose classes they are; `null` where the network has one answer for the whole input.
    pub token: Option<AskedToken>,
    /// What was left out of the input, or guessed of it, in sentences.
    pub notes: Vec<String>,
    /// Wall time.
    pub milliseconds: f64,
}

/// What a network that gives each token a class says of one.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub struct TokenLabel {
    /// The token.
    pub token: AskedToken,
    /// Its most probable class.
    pub class: ClassScore,
}

/// What a loaded model is made of, and what is known about it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub struct ModelInfo {
    /// The name it was loaded under.
    pub name: String,
    /// The graph.
    #[serde(flatten)]
    pub graph: GraphInfo,
    /// Whether a preprocessing is declared; without one only tensors are accepted.
    pub has_preprocessing: bool,
    /// What of the preprocessing was assumed, or left out of account; a sentence each.
    pub preprocessing_notes: Vec<String>,
    /// How it hears, where it was loaded for sounds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(target_family = "wasm", tsify(optional))]
    pub sound: Option<SoundInfo>,
    /// Whether the classes have names.
    pub has_labels: bool,
    /// Which methods apply, and why others do not.
    pub methods: Vec<MethodSupport>,
}

/// How a network hears.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(target_family = "wasm", derive(tsify::Tsify))]
pub struct SoundInfo {
    /// Samples a second.
    pub rate: u32,
    /// Samples of the sounds that it was loaded for.
    pub length: usize,
    /// What of them is explained.
    pub view: SoundView,
    /// Frequencies and steps in time of their short-time spectrum: the height and width of a map of cells.
    pub cells: [usize; 2],
    /// Samples from one step to the next.
    pub hop: usize,
    /// Samples of a frame.
    pub window: usize,
}

/// A model that classifies and is explained. Cloning is cheap but for the labels.
#[derive(Clone)]
pub struct Explainer {
    model: Model,
    name: String,
    preprocessing: Option<Preprocessing>,
    labels: Option<Vec<String>>,
    masker: Option<Masker>,
    /// The text that is in the model's inputs.
    written: Option<Arc<Written>>,
    /// The row of a table, or the series, that is in them.
    tabled: Option<Arc<Tabled>>,
    /// What stands before it, where it was loaded for sounds.
    sound: Option<Arc<FrontEnd>>,
}

impl Explainer {
    /// Loads an ONNX classifier; see [`Model::load`].
    ///
    /// # Errors
    /// Those of [`Model::load`].
    pub fn load(onnx: &[u8], device: &Device) -> Result<Self> {
        Self::load_with(&onnx.into(), &ModelOptions::default(), device)
    }

    /// Loads an ONNX model of which the caller knows more than the file says; see [`Model::load_with`].
    ///
    /// # Errors
    /// Those of [`Model::load_with`].
    pub fn load_with(file: &ModelFile<'_>, options: &ModelOptions, device: &Device) -> Result<Self> {
        let model = Model::load_with(file, options, device)?;
        Ok(Self {
            model,
            name: "model".into(),
            preprocessing: None,
            labels: None,
            masker: None,
            written: None,
            tabled: None,
            sound: None,
        })
    }

    /// Loads a network that hears, for sounds as long as this one; see [`Explainer::load_to_hear`].
    ///
    /// # Errors
    /// Those of [`Explainer::load_to_hear`].
    pub fn load_for_sound(
        file: &ModelFile<'_>,
        options: &ModelOptions,
        preparation: &SoundPreparation,
        sound: &Waveform,
        device: &Device,
    ) -> Result<Self> {
        let fitted = front_end::fitted(file.bytes, options, preparation)?;
        let length = fitted.length_of(sound.length(), sound.rate());
        Self::load_to_hear(file, options, &fitted, Some(length), device)
    }

    /// Loads a network that hears, for sounds of `length` samples at its rate (a second, or what it takes, where that is left out): what
    /// prepares them becomes a part of the graph, so that their samples or the cells of their short-time spectrum are explained. The length of
    /// the network's own input, where the file fixes it, is that of its sounds if the preparation names no other.
    ///
    /// # Errors
    /// Those of [`Explainer::load_with`], and [`Error::PreprocessingInvalid`] where the preparation does not fit the network.
    pub fn load_to_hear(
        file: &ModelFile<'_>,
        options: &ModelOptions,
        preparation: &SoundPreparation,
        length: Option<usize>,
        device: &Device,
    ) -> Result<Self> {
        let preparation = front_end::fitted(file.bytes, options, preparation)?;
        let length = length.or(preparation.length).unwrap_or(preparation.rate as usize);
        if length < 2 {
            return Err(adversight_sound::Error::OneSample.into());
        }
        let end = FrontEnd { preparation, length };
        let options = ModelOptions { front_end: Some(end.clone()), ..options.clone() };
        Ok(Self { sound: Some(Arc::new(end)), ..Self::load_with(file, &options, device)? })
    }

    /// Loads a network for a row of a table, or for a series of rows: a network with an input for each column is asked about all of them at
    /// once, and sizes that the file leaves open are those of the row or the series.
    ///
    /// # Errors
    /// Those of [`Explainer::load_with`] and of the table.
    pub fn load_for_table(
        file: &ModelFile<'_>,
        options: &ModelOptions,
        row: &TableRow,
        device: &Device,
    ) -> Result<Self> {
        row.check()?;
        let mut options = options.clone();
        let inputs = model::file_inputs(file.bytes)?;
        let real: Vec<&ValueInfo> =
            inputs.iter().filter(|info| info.element_type.contains("float")).collect();
        if options.at.is_none() && options.input.is_none() && options.joint.is_empty() && real.len() > 1 {
            let columns = row.columns.as_ref().map(|columns| columns.inputs()).unwrap_or_default();
            let filled = |info: &&&ValueInfo| {
                columns.contains(&info.name.as_str()) || row.table.column(&info.name).is_some()
            };
            let filled: Vec<String> = real.iter().filter(filled).map(|info| info.name.clone()).collect();
            match <[String; 1]>::try_from(filled) {
                Ok([one]) => options.input = Some(one),
                Err(several) => options.joint = several,
            }
        }
        let explained = match (&options.input, real.as_slice()) {
            (Some(name), _) => inputs.iter().find(|info| info.name == *name),
            (None, &[one]) => Some(one),
            _ => None,
        };
        if let Some(info) = explained {
            let count = match &row.columns {
                Some(columns) => columns.width(),
                None => row.table.names().len(),
            };
            let rows = row.table.len() - row.row;
            match *info.shape.as_slice() {
                [_, None] if options.explained_shape.is_none() => {
                    options.explained_shape = Some(vec![1, count])
                }
                [_, first, last] => {
                    // Which of the axes holds the channels is known by their number, where only one has as many.
                    let layout = match (first == Some(count), last == Some(count)) {
                        (true, false) => Some(Layout::Sound),
                        (false, true) => Some(Layout::Sequence),
                        _ => options.layout,
                    };
                    let is_row = row.kind == Some(TableKind::Row);
                    if !is_row {
                        options.layout = options.layout.or(layout);
                    }
                    if options.explained_shape.is_none() && (first.is_none() || last.is_none()) {
                        let channels_last = options.layout == Some(Layout::Sequence);
                        let (own_first, own_last) = if channels_last { (rows, count) } else { (count, rows) };
                        options.explained_shape =
                            Some(vec![1, first.unwrap_or(own_first), last.unwrap_or(own_last)]);
                    }
                }
                _ => (),
            }
            let apart = info.shape.iter().skip(1).filter(|size| **size != Some(1)).count();
            if info.shape.len() > 2 && apart == 1 && row.kind != Some(TableKind::Series) {
                options.layout = options.layout.or(Some(Layout::Values));
            }
        }
        Self::load_with(file, &options, device)
    }

    /// The same with values for the inputs that are not explained: token numbers, masks.
    ///
    /// # Errors
    /// Those of [`Model::with_inputs`].
    pub fn with_inputs(&self, values: BTreeMap<String, HostValue>) -> Result<Self> {
        // Whoever sets an input by hand no longer has the text in it that was there.
        Ok(Self { written: None, tabled: None, model: self.model.with_inputs(values)?, ..self.clone() })
    }

    /// Declares the way from pixels to the network's input.
    ///
    /// # Errors
    /// [`Error::PreprocessingInvalid`] where its channels are not the model's.
    pub fn with_preprocessing(mut self, preprocessing: Preprocessing) -> Result<Self> {
        let Some(PictureInput { channels, height, width, .. }) = self.model.picture_input() else {
            return Err(Error::PreprocessingInvalid(
                "the model takes no pictures, [batch, channels, height, width] or [batch, height, width, channels]"
                    .into(),
            ));
        };
        let mut preprocessing = preprocessing.for_channels(channels)?;
        if let (Some(height), Some(width)) = (height, width) {
            preprocessing.note_size(Size { height, width });
        }
        self.preprocessing = Some(preprocessing);
        Ok(self)
    }

    /// Names the classes, in their order; see [`Labels::fit`].
    ///
    /// # Errors
    /// [`Error::LabelsInvalid`] where their number is not the model's.
    pub fn with_labels(self, labels: Vec<String>) -> Result<Self> {
        self.with_names(Labels::new(labels))
    }

    /// Names the classes as a file does; see [`Labels::fit`].
    ///
    /// # Errors
    /// [`Error::LabelsInvalid`] where their number is not the model's.
    pub fn with_names(mut self, labels: Labels) -> Result<Self> {
        // Names may also be those of what boxes or places are.
        let count = labels.count();
        let classes = if self.names_fit(count) { count } else { self.model.classes() };
        self.labels = Some(labels.fit(classes)?);
        Ok(self)
    }

    /// Attaches a masking network that was trained for this model, which RT-Sal needs: an ONNX model that takes the
    /// same pictures, `[N, C, H, W]` or as the model does, and, optionally, a one for the explained class `[N, classes]`, and gives one mask
    /// `[N, 1, H, W]` or one for each class, of values from 0 to 1.
    ///
    /// # Errors
    /// Those of [`Model::load`], and [`Error::ModelInvalid`] for a model with other ends.
    pub fn with_masker(mut self, file: &ModelFile<'_>) -> Result<Self> {
        self.masker = Some(Masker::load(file, &self.model)?);
        Ok(self)
    }

    /// Names the model.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// The network.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The declared preprocessing.
    pub fn preprocessing(&self) -> Option<&Preprocessing> {
        self.preprocessing.as_ref()
    }

    /// The attached masking network.
    pub(crate) fn masker(&self) -> Option<&Masker> {
        self.masker.as_ref()
    }

    /// The text that is in the model's inputs.
    pub(crate) fn written(&self) -> Option<&Written> {
        self.written.as_deref()
    }

    /// The row of a table, or the series, that is in the model's inputs.
    pub(crate) fn tabled(&self) -> Option<&Tabled> {
        self.tabled.as_deref()
    }

    /// The model with a row or a series in its inputs, and the value that is explained.
    fn with_row(&self, row: &TableRow) -> Result<(Self, HostTensor)> {
        let (tabled, others, source) = Tabled::new(&self.model, row)?;
        let bound = if others.is_empty() { self.clone() } else { self.with_inputs(others)? };
        Ok((Self { tabled: Some(Arc::new(tabled)), ..bound }, source))
    }

    /// The model with a text in its inputs, and what its tokens are looked up as.
    async fn reading(&self, text: &Tokens, wants_mean: bool) -> Result<(Self, HostTensor)> {
        let (tokens, model) = self.model.with_text(text)?;
        let source = model.source().await?;
        let mut written = Written::new(&model, tokens, &source, wants_mean).await?;
        let model = match written.reading.asked()? {
            Some(token) => {
                let model = model.about_token(token.number)?;
                written.asked = Some(token);
                model
            }
            None if model.labels_tokens() => return Err(self.unasked(text).await?),
            None => model,
        };
        Ok((Self { model, written: Some(Arc::new(written)), ..self.clone() }, source))
    }

    /// That a token has to be chosen, with what the network says of each word.
    async fn unasked(&self, text: &Tokens) -> Result<Error> {
        let labels = self.token_labels(text).await?;
        let told = |label: &TokenLabel| {
            format!("{} \u{201c}{}\u{201d}: {}", label.token.number, label.token.name, label.class.label)
        };
        let words: Vec<String> =
            labels.iter().filter(|label| !label.token.special).take(40).map(told).collect();
        Ok(Error::InputInvalid(format!(
            "The network gives each token a class: name the one that is asked about, by its number or its word (`token`, on the command line \
             `--token`). It says {}.",
            words.join(", ")
        )))
    }

    /// The first choice for each token of a text, by a network that gives each a class ([`crate::model::TokensInfo::labels_tokens`]).
    ///
    /// # Errors
    /// Those of the text, and [`Error::InputInvalid`] for a network that has one answer for the whole text.
    pub async fn token_labels(&self, text: &Tokens) -> Result<Vec<TokenLabel>> {
        let (tokens, model) = self.model.with_text(text)?;
        let source = model.source().await?;
        let reading = Reading::new(tokens);
        let about = Self { model: model.about_token(0)?, ..self.clone() };
        let every = Self { model: about.model.about_all_tokens(), ..about.clone() };
        let logits = every.logits(&source).await?.data;
        let mut found = Vec::new();
        for (number, logits) in logits.chunks_exact(about.model.classes().max(1)).enumerate() {
            let part = reading.parts.iter().find(|part| part.places.contains(&number));
            let token = AskedToken {
                number,
                name: part.map(|part| part.name.clone()).unwrap_or_default(),
                special: part.is_none_or(|part| part.special),
            };
            found.extend(
                about.ranked(logits, 1).into_iter().map(|class| TokenLabel { token: token.clone(), class }),
            );
        }
        Ok(found)
    }

    /// What the model is made of, and what is known about it.
    pub fn info(&self) -> ModelInfo {
        ModelInfo {
            name: self.name.clone(),
            graph: self.model.info().clone(),
            has_preprocessing: self.preprocessing.is_some(),
            preprocessing_notes: self
                .preprocessing
                .as_ref()
                .map(|known| known.notes.clone())
                .or(self.sound.as_ref().map(|end| end.preparation.notes.clone()))
                .unwrap_or_default(),
            sound: self.sound_info(),
            has_labels: self.labels.is_some(),
            methods: registry::support(&self.model, self.masker.is_some()),
        }
    }

    /// The `top` most probable classes of one input.
    ///
    /// # Errors
    /// Those of the input.
    pub async fn classify(&self, input: &Input<'_>, top: usize) -> Result<Classification> {
        let started = Instant::now();
        let (bound, tensor, region) = self.locate(input).await?;
        let this = bound.as_ref().unwrap_or(self);
        if tensor.shape[0] != 1 {
            return Err(Error::InputInvalid(format!(
                "One input is classified at a time, but the batch holds {}.",
                tensor.shape[0]
            )));
        }
        Ok(Classification {
            top: self.ranked(&this.logits(&tensor).await?.data, top),
            region,
            token: this.written().and_then(|written| written.asked.clone()),
            notes: match (this.written(), this.tabled()) {
                (Some(written), _) => written.reading.tokens.notes.clone(),
                (None, Some(tabled)) => tabled.notes.clone(),
                (None, None) => Vec::new(),
            },
            milliseconds: started.elapsed().as_secs_f64() * 1e3,
        })
    }

    /// Explains one input; also returns the part of the photograph that the network saw.
    ///
    /// # Errors
    /// Those of the input and of the method's parameters, and [`Error::Cancelled`].
    pub async fn explain(
        &self,
        input: &Input<'_>,
        options: &ExplainOptions,
        control: &Control<'_>,
    ) -> Result<(Explanation, Option<Region>)> {
        self.explain_by(registry::find(&options.method)?, input, options, control).await
    }

    /// Explains one input by a method that need not be registered; `options.method` is left aside.
    ///
    /// # Errors
    /// Those of [`Explainer::explain`].
    pub async fn explain_by(
        &self,
        method: &Entry,
        input: &Input<'_>,
        options: &ExplainOptions,
        control: &Control<'_>,
    ) -> Result<(Explanation, Option<Region>)> {
        let (bound, tensor, region) = match input {
            Input::Tokens(text) => {
                // The mean of a large table takes a while, and few ask for it.
                let means =
                    |value: &serde_json::Value| matches!(value.as_str(), Some("mean" | "training_mean"));
                let asked;
                let text = match &options.target {
                    Some(Target::Token { token, .. }) => {
                        asked = Tokens { token: Some(token.clone()), ..(*text).clone() };
                        &asked
                    }
                    _ => *text,
                };
                let (bound, source) = self.reading(text, options.params.values().any(means)).await?;
                (Some(bound), source, None)
            }
            _ => self.locate(input).await?,
        };
        let this = bound.as_ref().unwrap_or(self);
        let on_partial = control
            .on_partial
            .as_ref()
            .map(|hook| Box::new(move |partial| hook(Partial { region, ..partial })) as Box<dyn Fn(Partial)>);
        let control = Control {
            on_progress: Box::new(|progress| (control.on_progress)(progress)),
            is_cancelled: Box::new(|| (control.is_cancelled)()),
            pause: Box::new(|| (control.pause)()),
            on_partial,
            between_partials: control.between_partials,
        };
        let mut options = options.clone();
        for given in options.given.values_mut() {
            // Those of the input's shape have the file's order of axes, as the input has.
            if this.model.has_files_order(&given.shape) {
                *given = this.model.samples_first(given.clone())?;
            }
        }
        let mut explanation = attribution::explain(this, method, &tensor, region, &options, &control).await?;
        if let Some(joint) = this.model.joint() {
            explanation.inputs = joint.split(&explanation.attribution);
            explanation.words.extend(narrate::shares(&explanation.inputs));
        }
        if let Input::Sound(sound) = input {
            explanation.parts = this.sound_parts(&explanation, method)?.1;
            explanation.words.extend(self.sound_end()?.preparation.samples(sound)?.1);
        }
        explanation.attribution = this.model.as_in_file(explanation.attribution);
        for map in &mut explanation.individual {
            *map = this.model.as_in_file(map.clone());
        }
        Ok((explanation, region))
    }

    /// The network with an input in it, and the value that is explained of it: what metrics and attacks work on.
    ///
    /// # Errors
    /// Those of the input.
    pub async fn bound(&self, input: &Input<'_>) -> Result<(Self, HostTensor)> {
        let (bound, value, _) = self.locate(input).await?;
        Ok((bound.unwrap_or_else(|| self.clone()), value))
    }

    /// The explained value of an input. Where that is the output of a node, also the explainer with the input bound.
    pub(crate) async fn locate(
        &self,
        input: &Input<'_>,
    ) -> Result<(Option<Self>, HostTensor, Option<Region>)> {
        if let Input::Bound = input {
            return Ok((None, self.model.source().await?, None));
        }
        if let Input::Tokens(text) = input {
            let (bound, source) = self.reading(text, false).await?;
            return Ok((Some(bound), source, None));
        }
        if let Input::Table(row) = input {
            let (bound, source) = self.with_row(row)?;
            return Ok((Some(bound), source, None));
        }
        let (tensor, region) = self.prepare(input)?;
        if let (Input::Sound(_), true, Some(sound)) =
            (input, self.model.explains_a_node(), self.model.info().inputs.first())
        {
            // The front end's input comes first.
            let bound = self.with_inputs(BTreeMap::from([(sound.name.clone(), tensor.into())]))?;
            let source = bound.model.source().await?;
            return Ok((Some(bound), source, None));
        }
        let explained = self.model.check_shape(&tensor.shape).is_ok();
        match self.model.picture_input() {
            Some(picture) if self.model.explains_a_node() && !explained => {
                let bound = self.with_inputs(BTreeMap::from([(picture.name.to_owned(), tensor.into())]))?;
                let source = bound.model.source().await?;
                Ok((Some(bound), source, region))
            }
            _ => Ok((None, tensor, region)),
        }
    }

    /// How it hears, where it was loaded for sounds.
    pub fn sound_info(&self) -> Option<SoundInfo> {
        let FrontEnd { preparation, length } = self.sound.as_deref()?;
        let spectrum = preparation.spectrum(*length);
        Some(SoundInfo {
            rate: preparation.rate,
            length: *length,
            view: preparation.view,
            cells: [spectrum.bins(), spectrum.frames()],
            hop: spectrum.hop(),
            window: spectrum.window,
        })
    }

    /// How many samples at its rate the network hears of a sound of so many at `rate`: what it has to be loaded for.
    ///
    /// # Errors
    /// [`Error::PreprocessingInvalid`] where it was not loaded for sounds.
    pub fn sound_length(&self, samples: usize, rate: u32) -> Result<usize> {
        Ok(self.sound_end()?.preparation.length_of(samples, rate))
    }

    /// The sound of an input in model space, `[1, 2, frequencies, steps]` or `[1, samples]`: what an attack has made of it, above all.
    ///
    /// # Errors
    /// [`Error::InputShape`], and [`Error::PreprocessingInvalid`] where the network was not loaded for sounds.
    pub fn sound_of(&self, input: &HostTensor) -> Result<Waveform> {
        let FrontEnd { preparation, length } = self.sound_end()?;
        self.model.check_shape(&input.shape)?;
        let samples = match preparation.view {
            SoundView::Samples => input.data.clone(),
            SoundView::Cells => preparation.spectrum(*length).sound(&input.data),
        };
        Ok(Waveform::mono(samples, preparation.rate)?)
    }

    /// What stands before a network that hears.
    fn sound_end(&self) -> Result<&FrontEnd> {
        self.sound.as_deref().ok_or_else(|| {
            Error::PreprocessingInvalid(
                "the network was not loaded for sounds, so it takes none (`Explainer::load_for_sound`)"
                    .into(),
            )
        })
    }

    /// What the places of a sound are in seconds and hertz.
    pub(crate) fn ruler(&self) -> Option<Ruler> {
        let end = self.sound.as_ref().filter(|_| !self.model.explains_a_node())?;
        let FrontEnd { preparation, length } = end.as_ref();
        let cells = preparation.view == SoundView::Cells;
        Some(Ruler { spectrum: preparation.spectrum(*length), rate: preparation.rate, cells })
    }

    /// The parts of a sound: the segments of an explanation, or where it has none a grid; the number of the part of each place, and what each
    /// part counted for.
    fn sound_parts(&self, explanation: &Explanation, method: &Entry) -> Result<(Vec<u32>, Vec<Part>)> {
        let (Some(ruler), places) = (self.ruler(), self.model.places()?) else {
            return Ok(Default::default());
        };
        let (labels, scores) = match &explanation.segments {
            Some(cut) => (cut.labels.clone(), cut.values.clone()),
            None => {
                let (labels, joined) = (sound_grid(&places).labels, method.joined());
                let planes = places.planes(&explanation.attribution.data);
                let mut values = vec![Vec::new(); labels.iter().max().map_or(0, |&most| most as usize + 1)];
                for plane in planes.chunks_exact(places.count()) {
                    labels.iter().zip(plane).for_each(|(&label, &value)| values[label as usize].push(value));
                }
                (labels, values.into_iter().map(|values| joined.join(values.into_iter())).collect())
            }
        };
        let mut boxes = vec![[usize::MAX, 0, usize::MAX, 0]; scores.len()];
        for (place, &label) in labels.iter().enumerate() {
            let (row, step) = (place / places.width, place % places.width);
            let [first, last, low, high] = &mut boxes[label as usize];
            (*first, *last) = ((*first).min(step), (*last).max(step));
            (*low, *high) = ((*low).min(row), (*high).max(row));
        }
        let part = |([first, last, low, high], score): ([usize; 4], f32)| {
            let (time, band) = (ruler.time(first, last), ruler.band(low, high));
            let name = format!("{}, {}", ruler.span(time), ruler.pitch(band));
            Part {
                name,
                value: None,
                source: 0,
                start: time.0,
                end: time.1,
                bytes: None,
                low: Some(band.0),
                high: Some(band.1),
                score,
                special: false,
                // Thousands of cells, which the segments or the grid tell.
                places: Vec::new(),
            }
        };
        let parts = boxes.into_iter().zip(scores).map(part).collect();
        Ok((labels, parts))
    }

    /// A sound taken apart by its explanation: only what mattered, and only what is left. `scores` are those of the explanation's parts. What
    /// matters are the segments that a method has chosen, or else the parts that count most for the class and together half as much as
    /// all that do.
    ///
    /// # Errors
    /// Those of the sound, and [`Error::InputInvalid`] for a network that is explained inside.
    pub fn heard(&self, sound: &Waveform, segments: Option<&Segmentation>, scores: &[f32]) -> Result<Heard> {
        let kept = most_important(scores, segments.map_or(&[][..], |cut| &cut.chosen));
        self.heard_of(sound, segments, &kept)
    }

    /// The same where `kept` are the parts that matter, by their numbers.
    ///
    /// # Errors
    /// Those of [`Explainer::heard`].
    pub fn heard_of(
        &self,
        sound: &Waveform,
        segments: Option<&Segmentation>,
        kept: &[usize],
    ) -> Result<Heard> {
        let end = self.sound_end()?;
        let ruler = self.ruler().ok_or_else(|| {
            Error::InputInvalid(
                "Of a node inside of the network nothing can be heard: explain the sound itself.".into(),
            )
        })?;
        let (samples, _) = end.preparation.samples(sound)?;
        let labels = match segments {
            Some(cut) => cut.labels.clone(),
            None => sound_grid(&self.model.places()?).labels,
        };
        let is_kept = |place: usize| labels.get(place).is_some_and(|&label| kept.contains(&(label as usize)));
        let spectrum = ruler.spectrum;
        let mask: Vec<f32> = (0..spectrum.cells())
            .map(|cell| {
                let time = (cell % spectrum.frames() * spectrum.hop()).min(spectrum.length - 1);
                f32::from(u8::from(is_kept(if ruler.cells { cell } else { time })))
            })
            .collect();
        Heard::new(&samples, ruler.rate, &spectrum, &mask)
    }

    /// The logits `[N, classes]` of a batch in model space, as [`Explainer::prepare`] gives it: the samples in front.
    ///
    /// # Errors
    /// [`Error::InputShape`], [`Error::InputNotFinite`], [`Error::DeviceLost`].
    pub async fn logits(&self, input: &HostTensor) -> Result<HostTensor> {
        let logits = self.model.logits(self.upload(input)?)?;
        let [batch, classes] = logits.dims();
        let data = read(logits.reshape([batch * classes])).await?;
        Ok(HostTensor { data, shape: vec![batch, classes] })
    }

    /// The gradient of a score of class `target`, for each input of a batch, in the batch's shape.
    ///
    /// # Errors
    /// Those of [`Explainer::logits`], and [`Error::TargetOutOfRange`].
    pub async fn input_gradient(
        &self,
        input: &HostTensor,
        target: usize,
        score: Score,
    ) -> Result<HostTensor> {
        let targets = vec![target; input.shape.first().copied().unwrap_or(0)];
        let found = self.model.gradient(self.upload(input)?, &targets, score)?;
        let flat = found
            .gradient
            .reshape(&[input.data.len()])
            .and_then(|flat| flat.get::<1>())
            .ok_or_else(|| Error::Internal("the gradient does not flatten".into()))?;
        Ok(self.model.as_in_file(HostTensor { data: read(flat).await?, shape: input.shape.clone() }))
    }

    /// The input in model space, and the part of the photograph that it shows.
    ///
    /// # Errors
    /// [`Error::PreprocessingInvalid`] for pixels without a declared preprocessing, and those of the input.
    pub fn prepare(&self, input: &Input<'_>) -> Result<(HostTensor, Option<Region>)> {
        let decoded;
        let photograph = match input {
            Input::Tensor(tensor) => return Ok((self.model.samples_first((*tensor).clone())?, None)),
            Input::Named(values) => return Ok((self.named(values)?, None)),
            Input::Tokens(_) => {
                return Err(Error::InputInvalid(
                    "What a text\u{2019}s tokens are looked up as depends on the network; ask about the text itself.".into(),
                ));
            }
            Input::Bound => {
                return Err(Error::InputInvalid(
                    "The bound inputs are no picture that could be prepared.".into(),
                ));
            }
            Input::Table(row) => return Ok((self.with_row(row)?.1, None)),
            Input::Sound(sound) => return Ok((self.prepare_sound(sound)?, None)),
            Input::Photograph(photograph) => *photograph,
            Input::Pixels { rgba, width, height } => {
                decoded = Photograph::from_rgba(rgba, *width, *height)?;
                &decoded
            }
        };
        let preprocessing = self.preprocessing.as_ref().ok_or_else(|| {
            Error::PreprocessingInvalid(
                "none is declared for this model, so it takes tensors but no photographs".into(),
            )
        })?;
        let picture = self.model.picture_input();
        let network = match &picture {
            Some(PictureInput { height: Some(height), width: Some(width), .. }) => {
                Some(Size { height: *height, width: *width })
            }
            _ => None,
        };
        let (mut tensor, region) = photograph.prepare(preprocessing, network)?;
        if let (&[1, 1, height, width], 3) = (tensor.shape.as_slice(), self.model.sample_shape()?.len() + 1) {
            tensor.shape = vec![1, height, width];
        }
        if picture.is_some_and(|picture| picture.channels_last)
            && let &[1, channels, height, width] = tensor.shape.as_slice()
        {
            let shape = [height, width, channels];
            tensor.data =
                Places::new(Layout::PictureChannelsLast, &shape).in_order(&tensor.data).into_owned();
            tensor.shape = vec![1, height, width, channels];
        }
        Ok((tensor, Some(region)))
    }

    /// The values of the explained inputs, by name.
    fn named(&self, values: &BTreeMap<String, HostTensor>) -> Result<HostTensor> {
        if let Some(joint) = self.model.joint() {
            return joint.row(values);
        }
        let own = &self.model.info().input.name;
        match values.get(own) {
            Some(value) if values.len() == 1 => self.model.samples_first(value.clone()),
            _ => Err(Error::InputInvalid(format!(
                "One input is explained, \"{own}\": give its value alone, or name several inputs when the model is loaded \
                 (`input`)."
            ))),
        }
    }

    /// The cells or samples of a sound, in model space.
    fn prepare_sound(&self, sound: &Waveform) -> Result<HostTensor> {
        let FrontEnd { preparation, length } = self.sound_end()?;
        let (samples, _) = preparation.samples(sound)?;
        if samples.len() != *length {
            return Err(Error::InputInvalid(format!(
                "The network was loaded for sounds of {length} samples, and this one has {} at its rate: load it for this one.",
                samples.len()
            )));
        }
        Ok(match preparation.view {
            SoundView::Samples => HostTensor { data: samples, shape: vec![1, *length] },
            SoundView::Cells => {
                let spectrum = preparation.spectrum(*length);
                let shape = vec![1, 2, spectrum.bins(), spectrum.frames()];
                HostTensor { data: spectrum.of(&samples), shape }
            }
        })
    }

    /// Puts an input on the model's device.
    pub(crate) fn upload(&self, input: &HostTensor) -> Result<Ranked<Float>> {
        self.model.check_shape(&input.shape)?;
        check_finite(&input.data)?;
        let device = self.model.device().burn();
        let flat = Tensor::<1>::from_data(TensorData::new(input.data.clone(), [input.data.len()]), device);
        Ranked::D1(flat)
            .reshape(&input.shape)
            .ok_or_else(|| Error::Internal("the input does not fill its shape".into()))
    }

    /// The `top` classes with the highest logits, with their names and scores.
    pub(crate) fn ranked(&self, logits: &[f32], top: usize) -> Vec<ClassScore> {
        let probabilities = self.model.probabilities(logits);
        let mut order: Vec<usize> = (0..logits.len()).collect();
        order.sort_by(|&a, &b| {
            let by_probability = probabilities[b].total_cmp(&probabilities[a]);
            by_probability.then(logits[b].total_cmp(&logits[a])).then(a.cmp(&b))
        });
        order.truncate(top.max(1));
        order.into_iter().map(|class| self.class_score(class, logits, &probabilities)).collect()
    }

    /// The name of a class, or its number in words.
    pub(crate) fn class_name(&self, class: usize) -> String {
        let name = self.labels.as_ref().and_then(|labels| labels.get(class)).cloned();
        name.unwrap_or_else(|| format!("class {class}"))
    }

    /// The same with another network in its place.
    pub(crate) fn with_model(&self, model: Model) -> Self {
        Self { model, ..self.clone() }
    }

    /// A class with its name and scores.
    pub(crate) fn class_score(&self, class: usize, logits: &[f32], probabilities: &[f32]) -> ClassScore {
        let is_whole = self.model.view().is_some()
            || self.labels.as_ref().is_some_and(|labels| labels.len() == self.model.classes());
        let name = match (self.model.info().output_kind, self.model.view()) {
            (OutputKind::Single, Some(_)) => None,
            (_, Some(View::Box(view))) if class == view.head.classes() => Some("nothing".to_owned()),
            _ => self.labels.as_ref().filter(|_| is_whole).and_then(|labels| labels.get(class)).cloned(),
        };
        ClassScore {
            index: class,
            label: name.unwrap_or_else(|| match self.model.info().output_kind {
                OutputKind::Classes => format!("class {class}"),
                OutputKind::Single => self.model.info().output.name.clone(),
                OutputKind::Positions => format!("element {class}"),
            }),
            probability: probabilities[class],
            logit: logits[class],
        }
    }
}

/// How finely a sound is told where a method has no segments of its own.
const TOLD: usize = 100;

/// The parts of a sound that a map without segments is told by.
fn sound_grid(places: &Places) -> Segments {
    match places.layout {
        Layout::Spectrum => segment::time_frequency(places.height, places.width, TOLD),
        _ => segment::grid(1, places.count(), TOLD),
    }
}

/// The parts that matter: those that a method has chosen, or else those with the highest scores above 0 that hold half of the sum of all
/// of them.
fn most_important(scores: &[f32], chosen: &[u32]) -> Vec<usize> {
    if !chosen.is_empty() {
        return chosen.iter().map(|&part| part as usize).collect();
    }
    let mut order: Vec<usize> = (0..scores.len()).filter(|&part| scores[part] > 0.0).collect();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    let half = order.iter().map(|&part| f64::from(scores[part])).sum::<f64>() / 2.0;
    let mut held = 0.0;
    order.retain(|&part| {
        let more = held < half;
        held += f64::from(scores[part]);
        more
    });
    order
}
