//! From a file to a model: which values are explained, what their axes are, and what the scores mean.

use std::sync::Arc;

use super::{
    Activation, Batch, GraphInfo, HostValue, Labelled, Layout, Model, ModelFile, ModelOptions, OutputKind,
    PictureInput, Prepared, Score, ValueInfo,
    axes::{Axes, Roles, Shapes},
    backward, count_names, detect,
    embedding::{self, Embedding, TextNetwork},
    exec::{Keep, Passed},
    file::{self, Parsed},
    front_end,
    graph::{Graph, Slot},
    inputs::{self, Fed, open_size},
    joint, layers, operators,
    passes::{self, FinalActivation, Found, Groups},
    token_axes::{self, Arrangement},
    transformer::Transformer,
    value::{Ranked, Value},
    with_program,
};
use crate::{Device, Error, Result, device::DeviceKind};

/// What a run on blank samples found.
struct Rehearsal {
    output: Vec<usize>,
    shapes: Shapes,
    elements: usize,
}

impl Model {
    /// Reads an ONNX file and puts its weights on `device`.
    ///
    /// # Errors
    /// [`Error::ModelMalformed`] for bytes that are not an ONNX model, [`Error::UnsupportedOperator`] for an
    /// operator that the engine lacks, [`Error::ModelInvalid`] for a graph that contradicts itself,
    /// [`Error::ModelTooLarge`] for weights that the device cannot bind.
    pub fn load(onnx: &[u8], device: &Device) -> Result<Self> {
        Self::load_with(&onnx.into(), &ModelOptions::default(), device)
    }

    /// Like [`Model::load`], with what the caller knows about the file.
    ///
    /// # Errors
    /// Those of [`Model::load`], and [`Error::ModelInvalid`] for names that the file does not have.
    pub fn load_with(file: &ModelFile<'_>, options: &ModelOptions, device: &Device) -> Result<Self> {
        match options.text {
            true => token_axes::load(file, options, device),
            false => Self::load_as(file, options, Arrangement::default(), device),
        }
    }

    /// The same for tokens that are arranged as is said.
    pub(super) fn load_as(
        file: &ModelFile<'_>,
        options: &ModelOptions,
        arrangement: Arrangement,
        device: &Device,
    ) -> Result<Self> {
        let mut parsed = Parsed::read(file.bytes)?;
        let turned = match options.text {
            true => token_axes::arrange(&mut parsed, options, arrangement)?,
            false => None,
        };
        let heard;
        let options = match &options.front_end {
            Some(end) => {
                heard = front_end::put_before(&mut parsed, end, options)?;
                &heard
            }
            None => options,
        };
        let mut notes = Vec::new();
        let read_by = match options.text {
            true => Some(Embedding::find(&parsed, options)?.found_at(turned)),
            false => None,
        };
        let asked = options;
        let of_text = read_by.as_ref().map(|embedding| embedding.options(&parsed, options));
        let options = of_text.as_ref().unwrap_or(options);
        let outputs: Vec<ValueInfo> = parsed.graph().output.iter().map(file::value_info).collect();
        let plan = match options.text || options.front_end.is_some() || options.at.is_some() {
            true => None,
            false => {
                detect::arrange(&mut parsed, &outputs, options.detector.as_ref(), options.output.as_deref())?
            }
        };
        let hint = plan.is_none() && options.detector.is_none() && detect::looks_like_one(&parsed, &outputs);
        let head = match &plan {
            Some(plan) => plan.output.clone(),
            None => inputs::choose_output(&outputs, options.output.as_deref())?,
        };
        if outputs.len() > 1 && options.output.is_none() && plan.is_none() {
            notes.push(format!(
                "It has {} outputs, and \"{}\" is explained; the option `output` names another.",
                outputs.len(),
                head.name
            ));
        }
        let mut graph = Graph::read(file, &parsed, Some(std::slice::from_ref(&head.name)), device)?;
        let unsized_inputs = inputs::inputs(&parsed, &mut graph, asked)?;
        let inputs = match &read_by {
            Some(_) => inputs::sized(unsized_inputs.clone(), &options.values),
            None => unsized_inputs.clone(),
        };
        let output = graph.slot(&head.name);
        let mut before = None;
        let joint = match options.joint.as_slice() {
            [] | [_] => None,
            _ if options.at.is_some() => {
                return Err(Error::invalid_model(
                    "either several inputs are explained at once (`input`), or the output of a node (`at`)",
                ));
            }
            names => Some(joint::Joint::new(&inputs, names)?),
        };
        let (source, input) = match &options.at {
            None if let Some(joint) = &joint => (joint.join(&mut graph), joint.info()),
            None => {
                let input = inputs::choose_input(
                    &graph,
                    &inputs,
                    options.input.as_deref().or(options.joint.first().map(String::as_str)),
                )?;
                (graph.slot(&input.name), input)
            }
            Some(at) => {
                let slot = graph.output_of(at).filter(|&slot| graph.constants[slot].value.is_none());
                let slot = slot.ok_or_else(|| {
                    Error::invalid_model(format!("it has no node called \"{at}\" that depends on an input"))
                })?;
                let mut first = Graph::read(file, &parsed, Some(std::slice::from_ref(&head.name)), device)?;
                let same = first.output_of(at).ok_or(Error::Internal("a node was lost".into()))?;
                passes::keep_only(&mut first, &[same], &[]);
                first.upload();
                before = Some((first, same));
                let info = ValueInfo {
                    name: at.clone(),
                    shape: Vec::new(),
                    symbols: Vec::new(),
                    element_type: "float32".into(),
                };
                (slot, info)
            }
        };
        passes::keep_only(&mut graph, &[output], &[source]);
        if !graph.steps.iter().any(|step| step.inputs.contains(&Some(source))) && output != source {
            return Err(Error::invalid_model(format!("its output does not depend on \"{}\"", input.name)));
        }
        // Where another activation is declared than the graph's own, the graph is left as it is.
        let found = passes::final_activation(&graph, output);
        let last = match (&found, options.activation) {
            // A detector's numbers are read as the file has them.
            _ if plan.is_some() => None,
            (Found::Ends(last), None) => Some(last.clone()),
            (Found::Ends(last), Some(declared)) if declared == last.kind => Some(last.clone()),
            _ => None,
        };
        if let Some(last) = &last {
            last.strip(&mut graph);
            passes::keep_only(&mut graph, &[output], &[source]);
        }
        if let Some(limit) = device.binding_limit() {
            passes::split_weights(&mut graph, limit)?;
            passes::keep_only(&mut graph, &[output], &[source]);
        }
        graph.upload();
        let (parameters, weight_bytes) = parsed.weights();
        let mut model = Self {
            source,
            output,
            before: None,
            device: device.clone(),
            fed: Vec::new(),
            batch: Batch { axis: Some(0), fixed: None, largest: usize::MAX, mixes: false },
            groups: Groups { outer: 1, classes: 1, inner: 1 },
            maps: Vec::new(),
            transformer: Arc::new(Err(String::new())),
            holds_integers: false,
            input: input.clone(),
            info: GraphInfo {
                layout: Layout::Values,
                input,
                output: head,
                inputs: inputs::infos(&unsized_inputs),
                outputs,
                classes: 0,
                output_kind: OutputKind::Classes,
                activation: Activation::None,
                probabilities: false,
                parameters,
                weight_bytes,
                bytes_per_sample: 0,
                nodes: graph.steps.len(),
                operators: count_names(parsed.nodes.iter().map(|node| node.op_type.as_str())),
                layers: Vec::new(),
                layer: None,
                tokens: None,
                detector: None,
                notes,
            },
            text: None,
            rehearsed_rows: None,
            rehearsed_output: Vec::new(),
            labelled: None,
            view: None,
            detector: Arc::new(Err(String::new())),
            inputs,
            joint,
            graph: Arc::new(graph),
            program: Arc::default(),
        };
        if let Some((first, slot)) = before {
            model.before = Some(Arc::new(first));
            model.find_source_shape(slot)?;
        }
        if let Some(embedding) = read_by {
            let infos = inputs::infos(&unsized_inputs);
            let info =
                embedding::TokensInfo { batch_axis: arrangement.texts, ..embedding.info(&infos, asked) };
            model.info.notes.extend(embedding.notes(asked));
            model.info.notes.extend(arrangement.note(&info, asked));
            model.info.notes.extend(embedding::filled(&infos, &info.input, asked));
            model.info.tokens = Some(info.clone());
            model.text = Some(Arc::new(TextNetwork {
                info,
                inputs: unsized_inputs,
                found: found.clone(),
                last: last.clone(),
                options: ModelOptions { values: asked.values.clone(), ..options.clone() },
                notes: model.info.notes.clone(),
            }));
        }
        model.feed(options)?;
        model.holds_integers = model.before.is_none()
            && !model.info.input.element_type.contains("float")
            && !model.graph.reads_as_real(source);
        if model.holds_integers {
            model.info.notes.push(
                "Its input holds integers, and no gradient passes: methods of predictions alone apply, and those of \
                 gradients at a node (`at`), an embedding above all."
                    .into(),
            );
        }
        model.finish(&found, last, options)?;
        model.find_labels()?;
        model.find_detector(plan.as_ref(), hint, options)?;
        Ok(model)
    }

    /// Reads the detector's head out of the shapes of its outputs.
    ///
    /// # Errors
    /// [`Error::DetectorUnknown`] where the caller says that it is one, and the shapes are none of it.
    fn find_detector(
        &mut self,
        plan: Option<&detect::Plan>,
        hint: bool,
        options: &ModelOptions,
    ) -> Result<()> {
        let told = options.detector.clone().unwrap_or_default();
        let input = (self.info.layout.is_picture()).then(|| self.picture_input()).flatten();
        let found = match (plan, input) {
            (None, _) if hint => Err(
                "boxes and scores lie in several values, which are read together where the model is loaded with the option `detector` ({} where it is to \
                 find out by itself what they are)"
                    .to_owned(),
            ),
            (None, _) => {
                let grids = self.info.outputs.iter().filter(|info| info.shape.len() >= 4).count();
                Err(match grids {
                    0 => "none of its outputs are seen to be boxes".to_owned(),
                    _ => "its outputs may be raw grids as YOLOv3 gives them, whose anchors are in no file ({\"style\": \"yolov3\", \"anchors\": [[[width, \
                          height], …], …]}, a list for each output)"
                        .to_owned(),
                })
            }
            (Some(_), None) => Err("its input is no picture".to_owned()),
            (Some(plan), Some(PictureInput { height: Some(height), width: Some(width), .. })) => {
                self.shapes_of(&plan.values).and_then(|shapes| detect::Draft::new(plan, &shapes, [height, width], &told))
            }
            (Some(_), Some(_)) => Err("the size of its input is open: give it (`sizes`, on the command line `--size`)".to_owned()),
        };
        match &found {
            Ok(draft) => {
                self.info.detector = Some(draft.info());
                // What is explained of it are its boxes, and what their numbers are is found with the first input.
                self.info.notes.retain(|note| {
                    !note.contains("holds scores at several positions") && !note.contains("`activation`")
                });
                self.info.output_kind = OutputKind::Positions;
                self.info.activation = options.activation.unwrap_or(Activation::None);
            }
            Err(reason) if options.detector.as_ref().is_some_and(|told| told.style.is_some()) => {
                return Err(Error::DetectorUnknown(reason.clone()));
            }
            Err(_) => {}
        }
        self.detector = Arc::new(found);
        Ok(())
    }

    /// The shapes of one sample's values of these names, as the graph makes them.
    fn shapes_of(&self, names: &[String]) -> Result<Vec<Vec<usize>>, String> {
        let fault = |error: Error| error.to_string();
        let dims = inputs::sizes(&self.input, None).map_err(fault)?;
        let found = self.rehearse(&dims, true).map_err(fault)?;
        let shape = |name: &String| {
            let lost = || format!("its value \"{name}\" was lost");
            let slot = self.graph.slots.get(name).ok_or_else(lost)?;
            let dims = match names.len() {
                1 => &found.output,
                _ => found.shapes.get(slot).ok_or_else(lost)?,
            };
            match dims.first() {
                Some(1) => Ok(dims[1..].to_vec()),
                _ => Err(format!("its value \"{name}\" of shape {dims:?} is not of one sample")),
            }
        };
        names.iter().map(shape).collect()
    }

    /// Finds the shape of the explained node's output by a run on blank inputs.
    pub(super) fn find_source_shape(&mut self, slot: Slot) -> Result<()> {
        let Some(before) = &self.before else { return Ok(()) };
        let mut given = Vec::new();
        for (slot, info) in &self.inputs {
            given.push((*slot, inputs::blank(info)?.upload(&info.name, self.device.burn())?));
        }
        let found = before.run(given, &[slot])?.remove(0);
        let Value::Float(found) = found else {
            return Err(Error::invalid_model("the explained node holds no real numbers"));
        };
        let mut shape: Vec<Option<usize>> = found.dims().into_iter().map(Some).collect();
        if shape.is_empty() {
            return Err(Error::invalid_model("the explained node holds one number, without a batch"));
        }
        self.rehearsed_rows = Some(shape.iter().flatten().copied().collect());
        shape[0] = None;
        self.info.input.symbols = vec![None; shape.len()];
        self.info.input.shape = shape;
        self.input = self.info.input.clone();
        Ok(())
    }

    /// Fills the inputs that are not explained, by a rule where there is one.
    pub(super) fn feed(&mut self, options: &ModelOptions) -> Result<()> {
        let read = |slot: Slot| {
            let graphs = [Some(&self.graph), self.before.as_ref()];
            graphs
                .into_iter()
                .flatten()
                .any(|graph| graph.steps.iter().any(|step| step.inputs.contains(&Some(slot))))
        };
        for (slot, info) in &self.inputs.clone() {
            if *slot == self.source || self.joint.as_ref().is_some_and(|joint| joint.contains(*slot)) {
                continue;
            }
            if let Some(value) = options.values.get(&info.name) {
                let fed = self.fed_with(*slot, info, value.clone())?;
                self.fed.push(fed);
                continue;
            }
            let rule = inputs::filled(info);
            let is_missing = rule.is_none() && read(*slot);
            let note = rule.as_ref().filter(|_| read(*slot)).map(|(_, what)| {
                format!(
                    "Its input \"{}\" is filled with {what}, where no other value is given for it.",
                    info.name
                )
            });
            self.info.notes.extend(note.clone());
            let value = match rule {
                Some((value, _)) => value,
                None => inputs::blank(info)?,
            };
            let value = value.upload(&info.name, self.device.burn())?;
            self.fed.push(Fed { slot: *slot, name: info.name.clone(), value, is_missing, note });
        }
        Ok(())
    }

    /// An error of a run on blank samples: what has no value may be the reason.
    fn without_values(&self, error: Error) -> Error {
        let missing: Vec<&str> =
            self.fed.iter().filter(|fed| fed.is_missing).map(|fed| fed.name.as_str()).collect();
        match (missing.as_slice(), error) {
            ([], error) => error,
            (names, Error::ModelInvalid { node, reason }) => Error::ModelInvalid {
                node,
                reason: format!(
                    "{reason}; it was tried with zeros for {}, whose values may decide what is computed: give them when \
                     the model is loaded (`inputs`, on the command line `--also`)",
                    names.join(", ")
                ),
            },
            (_, error) => error,
        }
    }

    /// Passes blank samples through the graph, so that what does not fit is said at load time, so that the axes and the
    /// memory of a sample are known, and so that a batch that does not work is never tried.
    pub(super) fn finish(
        &mut self,
        found: &Found,
        last: Option<FinalActivation>,
        options: &ModelOptions,
    ) -> Result<()> {
        // Shapes first: as the file has them, and then with the samples in front.
        let at_hand = options.explained_shape.as_deref();
        let declared = inputs::sizes(&self.info.input, at_hand)?;
        if declared.is_empty() {
            return Err(Error::invalid_model(format!(
                "its input \"{}\" is one number, without a batch",
                self.info.input.name
            )));
        }
        let mut rehearsal = self.rehearse(&declared, false).map_err(|error| self.without_values(error))?;
        let mut roles = Axes::follow(&self.graph, self.source, self.output, &rehearsal.shapes).roles;
        if self.before.is_none() {
            self.batch.axis = batch_axis(&roles, &declared, &rehearsal.output);
        }
        let declared = self.fix_open_sizes(declared, at_hand)?;
        let mut sizes = declared.clone();
        if self.batch.axis != Some(0) {
            self.put_samples_first(&declared)?;
            sizes = inputs::sizes(&self.input, None)?;
            rehearsal = self.rehearse(&sizes, true)?;
            roles = Axes::follow(&self.graph, self.source, self.output, &rehearsal.shapes).roles;
        }
        if let Some(axis) = roles.output_batch.filter(|&axis| axis > 0) {
            self.put_scores_first(axis, rehearsal.output.len());
            rehearsal = self.rehearse(&sizes, true)?;
        }
        let rows = sizes.first().copied().unwrap_or(1);
        let scores = scores_of(&rehearsal.output, rows).ok_or_else(|| {
            Error::invalid_model(format!(
                "its output of shape {:?} has no row of scores for each of {rows} samples",
                rehearsal.output
            ))
        })?;
        self.rehearsed_output.clone_from(&rehearsal.output);
        let scores = self.find_labelled(&rehearsal.output, scores);
        self.find_batch(rows, scores, &roles);
        self.info.layout = self.find_layout(&roles, options.layout)?;

        let sample = sizes[1..].to_vec();
        self.find_scores(found, last.as_ref(), options, &rehearsal, (rows, scores));
        let axes = Axes::follow(&self.graph, self.source, self.output, &rehearsal.shapes);
        let way = backward::way(&self.graph, self.source, self.output);
        let positions = match (self.info.layout, sample.len()) {
            (Layout::Picture, 3) => [0, 2, 3],
            (Layout::Picture | Layout::PictureChannelsLast, _) => [0, 1, 2],
            _ => [0, usize::MAX, usize::MAX],
        };
        let ends = (self.source, self.output);
        let attention = passes::attention(&self.graph, &way, &rehearsal.shapes, rows);
        let (maps, default) = layers::map_layers(&self.graph, &axes, &way, ends, positions, &attention);
        self.info.layers = maps.iter().map(|map| map.layer.clone()).collect();
        self.info.layer = default.map(|at| self.info.layers[at].name.clone());
        self.maps = maps;
        let found = Transformer::find(&self.graph, &axes, &way, ends, &rehearsal.shapes, attention);
        self.transformer = Arc::new(found);
        let elements = rehearsal.elements.div_ceil(rows) + sample.iter().product::<usize>();
        // Forward values, their gradients, and as much again for what kernels need while they run.
        self.info.bytes_per_sample = 3 * elements * size_of::<f32>();
        // What fails here fails again, and is told, when it is asked for.
        let _ = self.warm_up(sample);
        Ok(())
    }

    /// Takes the sizes that the file leaves open from the shape at hand, but for the number of samples.
    fn fix_open_sizes(&mut self, mut sizes: Vec<usize>, at_hand: Option<&[usize]>) -> Result<Vec<usize>> {
        let open = open_size(&self.info.input);
        for (axis, size) in self.info.input.shape.iter_mut().enumerate() {
            if size.is_some() || self.batch.axis == Some(axis) {
                continue;
            }
            if axis == 0 {
                // It was taken for the samples so far.
                let first =
                    at_hand.filter(|shape| shape.len() == sizes.len()).and_then(|shape| shape.first());
                sizes[0] = *first.ok_or_else(|| open.clone())?;
            }
            *size = Some(sizes[axis]);
        }
        if let Some(axis) =
            self.batch.axis.filter(|&axis| self.info.input.shape.get(axis).is_some_and(Option::is_none))
        {
            sizes[axis] = 1;
        }
        self.input = self.info.input.clone();
        Ok(sizes)
    }

    /// The shapes of all values for an input of this shape. Other inputs are repeated to as many samples where these are known
    /// to lie in front.
    fn rehearse(&self, dims: &[usize], samples_known: bool) -> Result<Rehearsal> {
        let count = dims.iter().try_fold(1usize, |count, &size| count.checked_mul(size));
        if count.is_none_or(|count| count > 1 << 28) {
            return Err(Error::invalid_model(format!("its input of shape {dims:?} is too large")));
        }
        let blank =
            HostValue::blank(true, dims.to_vec()).upload(&self.info.input.name, self.device.burn())?;
        let Value::Float(blank) = blank else { return Err(Error::Internal("a blank input".into())) };
        let rows = if samples_known { dims.first().copied().unwrap_or(1) } else { 1 };
        let given = self.given_rows(blank, rows)?;
        let (output, shapes, elements) = with_program!(self.program(), program => {
            let Passed { mut wanted, tape } = program.forward(&self.graph, given, &[self.output], Keep::Shapes)?;
            let slots = self.graph.steps.iter().flat_map(|step| step.outputs.iter().flatten());
            let shapes: Shapes = slots
                .chain([&self.source])
                .map(|&slot| (slot, tape.dims(slot).to_vec()))
                .collect();
            (wanted.remove(0), shapes, tape.elements)
        });
        if !matches!(output, Value::Float(_)) {
            return Err(Error::invalid_model("its output does not hold floating-point numbers"));
        }
        Ok(Rehearsal { output: output.dims(), shapes, elements })
    }

    /// Makes a graph whose samples lie along another axis, or that takes one sample without such an axis, take them in front.
    fn put_samples_first(&mut self, declared: &[usize]) -> Result<()> {
        let own = &self.info.input;
        let first = |values: &[Option<usize>]| -> Vec<Option<usize>> {
            match self.batch.axis {
                None => std::iter::once(Some(1)).chain(values.iter().copied()).collect(),
                Some(axis) => moved(values, axis, 0),
            }
        };
        let symbols = match self.batch.axis {
            None => std::iter::once(None).chain(own.symbols.iter().cloned()).collect(),
            Some(axis) => moved(&own.symbols, axis, 0),
        };
        let shape = first(&own.shape);
        let rank = declared.len();
        let operator = match self.batch.axis {
            None => operators::reshape_to(declared.to_vec()),
            Some(axis) => operators::permute(moved(&(0..rank).collect::<Vec<_>>(), 0, axis)),
        };
        self.input = ValueInfo { shape, symbols, ..own.clone() };
        self.info.notes.push(match self.batch.axis {
            None => format!("Its input of shape {declared:?} is one sample, without an axis of samples."),
            Some(axis) => {
                format!("Axis {axis} of its input holds the samples: the first layer reads it so.")
            }
        });
        let (old, output) = (self.source, self.output);
        let graph = self.own_graph()?;
        let source = graph.fresh();
        graph.prepend("the file's order of axes", operator, source, old);
        passes::keep_only(graph, &[output], &[source]);
        self.source = source;
        Ok(())
    }

    /// Brings the scores' axis of samples to the front.
    fn put_scores_first(&mut self, axis: usize, rank: usize) {
        let order = moved(&(0..rank).collect::<Vec<_>>(), axis, 0);
        let (output, source) = (self.output, self.source);
        if let Ok(graph) = self.own_graph() {
            let first = graph.fresh();
            graph.append("the samples first", operators::permute(order), output, first);
            passes::keep_only(graph, &[first], &[source]);
            self.output = first;
        }
    }

    /// The graph for changes; what was prepared of it is made anew.
    fn own_graph(&mut self) -> Result<&mut Graph> {
        self.program = Arc::default();
        Arc::get_mut(&mut self.graph).ok_or_else(|| Error::Internal("the graph is shared".into()))
    }

    /// How many samples the graph takes at once: some exporters write the batch into it, and statistics of a batch mix its
    /// samples.
    fn find_batch(&mut self, rows: usize, scores: usize, roles: &Roles) {
        let works = |rows: usize| {
            let mut dims = vec![rows];
            dims.extend(self.input.shape.iter().skip(1).map(|size| size.unwrap_or(1)));
            let tokens = self.labelled.map_or(1, |labelled| labelled.tokens);
            self.rehearse(&dims, true)
                .is_ok_and(|found| scores_of(&found.output, rows) == Some(scores * tokens))
        };
        let is_open = self.input.shape.first().is_some_and(Option::is_none);
        let fed = self.fed.iter().any(|fed| fed.value.rank() > 0);
        let (mut largest, mut fixed) = (usize::MAX, None);
        let one_alone = || rows == 1 && (!is_open || fed) && !works(2);
        if self.batch.axis.is_none() || one_alone() {
            largest = 1;
        } else if rows > 1 && !works(1) {
            (largest, fixed) = (rows, Some(rows));
        }
        self.batch.mixes = roles.mixes_samples && largest > 1 && fixed.is_none();
        if self.batch.mixes {
            self.info.notes.push(
                "Its result for a sample depends on the others of a batch: what is given together is run together, and a \
                 method\u{2019}s samples one by one."
                    .into(),
            );
        }
        if let Some(rows) = fixed {
            self.info.notes.push(format!(
                "The file fixes the batch to {rows}: fewer samples are filled up with copies of the last."
            ));
        }
        self.batch.largest = largest;
        self.batch.fixed = fixed;
    }

    /// Takes the scores of one token apart, where each has its own; the number of them.
    fn find_labelled(&mut self, output: &[usize], scores: usize) -> usize {
        let says = self.tokens().is_some_and(|info| info.labels_tokens);
        self.labelled = match *output {
            [_, tokens, _] if says && Some(tokens) == self.text_length() => Some(Labelled { tokens, at: 0 }),
            _ => None,
        };
        self.labelled.map_or(scores, |labelled| scores / labelled.tokens.max(1))
    }

    /// What the axes of the explained value mean.
    fn find_layout(&mut self, roles: &Roles, declared: Option<Layout>) -> Result<Layout> {
        let sample = self.sample_shape()?;
        if let Some(layout) = declared {
            return match layout.fits(&sample) {
                true => Ok(layout),
                false => Err(Error::invalid_model(format!(
                    "its input \"{}\" of {} cannot have the layout {layout:?}",
                    self.info.input.name,
                    inputs::written_shape(&self.info.input)
                ))),
            };
        }
        let inner = |axis: usize| axis.checked_sub(1);
        let channels = roles.channels.map(|channels| channels.and_then(inner));
        let positions: Vec<usize> = roles.positions.iter().copied().filter_map(inner).collect();
        let (layout, guessed) = Layout::of(&sample, channels, &positions);
        if guessed && sample.iter().filter(|&&size| size > 1).count() > 1 {
            self.info.notes.push(format!(
                "Its axes {sample:?} are taken for {}, by their sizes alone; the option `layout` says otherwise.",
                layout.axes()
            ));
        }
        Ok(layout)
    }

    /// What the scores are, and how they become probabilities.
    fn find_scores(
        &mut self,
        found: &Found,
        last: Option<&FinalActivation>,
        options: &ModelOptions,
        rehearsal: &Rehearsal,
        (rows, scores): (usize, usize),
    ) {
        self.info.classes = scores;
        let wide = rehearsal.output.iter().skip(1).filter(|&&size| size > 1).count();
        let wide = if self.labelled.is_some() { 1 } else { wide };
        let tokens = self.labelled.map_or(1, |labelled| labelled.tokens);
        let groups = last.and_then(|last| {
            let groups = last.axes.groups(rehearsal.shapes.get(&last.slot)?)?;
            let outer = groups.outer / (rows * tokens).min(groups.outer.max(1));
            (outer * groups.classes * groups.inner == scores).then_some(Groups { outer, ..groups })
        });
        self.groups = groups.unwrap_or(Groups { outer: 1, classes: scores, inner: 1 });
        let several = wide > 1 && (self.groups.classes != scores || groups.is_none());
        self.info.output_kind = match scores {
            1 => OutputKind::Single,
            _ if several => OutputKind::Positions,
            _ => OutputKind::Classes,
        };
        let shape = &rehearsal.output;
        let (activation, note) = match (options.activation, found, self.info.output_kind) {
            (Some(declared), ..) => (declared, None),
            (None, Found::Ends(last), _) => (last.kind, None),
            (None, Found::Probabilities, kind) => (
                Activation::None,
                Some(match kind {
                    OutputKind::Single => "Its output lies between 0 and 1 as it is, and is told so.".to_owned(),
                    _ => "Its outputs lie between 0 and 1 as they are, and are told as probabilities; the option \
                          `activation` says otherwise."
                        .to_owned(),
                }),
            ),
            (None, Found::Nothing, OutputKind::Classes) => (
                Activation::Softmax,
                Some(
                    "Nothing in the file says how its scores become probabilities, and a softmax is assumed; the \
                     option `activation` says otherwise."
                        .to_owned(),
                ),
            ),
            (None, Found::Nothing, _) => (Activation::None, None),
        };
        self.info.activation = activation;
        self.info.probabilities = match found {
            Found::Ends(last) => activation != Activation::None || last.kind != Activation::None,
            Found::Probabilities => true,
            Found::Nothing => activation != Activation::None,
        };
        self.info.notes.extend(note);
        if self.info.output_kind == OutputKind::Positions {
            self.info.notes.push(format!(
                "Its output of shape {shape:?} holds scores at several positions; what is explained is one of its {scores} \
                 elements, by its number."
            ));
        }
    }

    /// Has a GPU compile what a gradient needs, so that the first explanation does not wait for it.
    fn warm_up(&self, sample: Vec<usize>) -> Result<()> {
        if self.device.kind() == DeviceKind::WebGpu && self.is_differentiable() {
            let dims: Vec<usize> = std::iter::once(1).chain(sample).collect();
            let blank = HostValue::blank(true, dims).upload(&self.info.input.name, self.device.burn())?;
            let Value::Float(blank) = blank else { return Err(Error::Internal("a blank input".into())) };
            let mut model = self.clone();
            model.fed.iter_mut().for_each(|fed| fed.is_missing = false);
            model.gradient(blank, &[0], Score::Logit)?;
        }
        Ok(())
    }

    /// The graph lowered for its device.
    pub(super) fn program(&self) -> &Prepared {
        self.program.get_or_init(|| Prepared::new(&self.graph, self.device.kind()))
    }
}

/// The axis that holds the samples, by what the first readers say; the first where they say nothing.
fn batch_axis(roles: &Roles, declared: &[usize], output: &[usize]) -> Option<usize> {
    let size = |axis: usize| declared.get(axis).copied().unwrap_or(1);
    match roles.batch {
        Some(Some(0)) => Some(0),
        // Another axis than the first: one sample beside an axis of several, or samples that are seen to reach the scores.
        Some(Some(axis)) if roles.output_batch.is_some() || (size(axis) == 1 && size(0) > 1) => Some(axis),
        // An axis of size 1 in front is the samples' whatever else it may be taken for.
        Some(None) if size(0) > 1 && (roles.channels == Some(Some(0)) || roles.positions.contains(&0)) => {
            None
        }
        // A size that the file fixes and that the scores do not have is no number of samples.
        _ => match (declared.first(), output) {
            (Some(&rows), [first, ..]) if rows > 1 && *first != rows => None,
            (Some(&rows), []) if rows > 1 => None,
            _ => Some(0),
        },
    }
}

/// Number of scores of one sample in an output of this shape for so many samples.
pub(super) fn scores_of(output: &[usize], rows: usize) -> Option<usize> {
    match output {
        [first, scores @ ..] if *first == rows => Some(scores.iter().product()),
        scores if rows == 1 => Some(scores.iter().product()),
        _ => None,
    }
    .filter(|&scores| scores > 0)
}

/// A list with one element at another place.
pub(super) fn moved<T: Clone>(values: &[T], from: usize, to: usize) -> Vec<T> {
    let mut values = values.to_vec();
    if from < values.len() && to < values.len() {
        let value = values.remove(from);
        values.insert(to, value);
    }
    values
}

/// An input as the graph takes it.
pub(super) type Given = Vec<(Slot, Value)>;

/// Rows of a value.
pub(super) fn rows_of(
    value: &Ranked<burn::tensor::Float>,
    rows: std::ops::Range<usize>,
) -> Ranked<burn::tensor::Float> {
    let range = rows.start as i64..rows.end as i64;
    super::value::map_ranked!(value.clone(), x => x.slice_dim(0, range))
}
