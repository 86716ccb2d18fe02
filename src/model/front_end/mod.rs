//! What stands in front of a network that hears: from the cells of a sound's spectrum to its samples, and from these to the network's
//! features, written as ONNX nodes before the file's own. They run and are differentiated as the rest of the graph, so that every
//! method explains what a person can hear.

mod micro_front_end;

use onnx_ir::{AttributeProto, AttributeType, NodeProto, TensorProto, ValueInfoProto};

use super::{ModelOptions, ValueInfo, file, file::Parsed, inputs};
use crate::{
    Error, Result,
    input::{
        layout::Layout,
        sound::{
            Features, SoundPreparation, SoundView, Spectrum,
            filter_bank::{Compression, FilterBank, Normalisation},
        },
    },
};

/// A front end for sounds of one length.
#[derive(Debug, Clone, PartialEq)]
pub struct FrontEnd {
    /// How they are prepared.
    pub preparation: SoundPreparation,
    /// Their samples, at the network's rate.
    pub length: usize,
}

/// The input of a file that takes sounds: the named one, or the first of real numbers that no rule fills.
fn listens(parsed: &Parsed, options: &ModelOptions) -> Result<(String, ValueInfo)> {
    let infos: Vec<ValueInfo> = parsed.inputs().map(file::value_info).collect();
    let found = match &options.input {
        Some(name) => infos.iter().find(|info| &info.name == name),
        None => {
            infos.iter().find(|info| info.element_type.contains("float") && inputs::filled(info).is_none())
        }
    };
    let mut info = found.cloned().ok_or_else(|| {
        let names: Vec<&str> = infos.iter().map(|info| info.name.as_str()).collect();
        Error::invalid_model(format!(
            "none of its inputs ({}) takes a sound; name the one that does (`input`)",
            names.join(", ")
        ))
    })?;
    for (axis, (size, symbol)) in info.shape.iter_mut().zip(&info.symbols).enumerate() {
        let placed = options.sizes.get(&format!("{}:{axis}", info.name));
        let named = symbol.as_ref().and_then(|name| options.sizes.get(name));
        *size = placed.or(named).copied().or(*size);
    }
    Ok((info.name.clone(), info))
}

/// What the network's own input says of the length of its sounds, where the preparation leaves it open.
///
/// # Errors
/// [`Error::ModelMalformed`] for bytes that are no ONNX file, [`Error::ModelInvalid`] where no input takes a sound.
pub(crate) fn fitted(
    onnx: &[u8],
    options: &ModelOptions,
    preparation: &SoundPreparation,
) -> Result<SoundPreparation> {
    let mut fitted = preparation.clone();
    if fitted.length.is_some() {
        return Ok(fitted);
    }
    let parsed = Parsed::read(onnx)?;
    let (name, info) = listens(&parsed, options)?;
    let sizes: Vec<usize> = info.shape.iter().skip(1).flatten().copied().filter(|&size| size > 2).collect();
    fitted.length = match &fitted.features {
        // The one size above two (channels) is the time.
        Features::Samples => match (info.shape.as_slice(), sizes.as_slice()) {
            (_, &[length]) => Some(length),
            (&[Some(length)], _) => Some(length),
            _ => None,
        },
        Features::FilterBank(bank) if bank.frames.is_none() && bank.stacked == 1 => {
            // Bands, and the time.
            let others: Vec<usize> = match sizes.iter().position(|&size| size == bank.height()) {
                Some(at) => sizes
                    .iter()
                    .enumerate()
                    .filter(|(index, _)| *index != at)
                    .map(|(_, &size)| size)
                    .collect(),
                None => Vec::new(),
            };
            match others.as_slice() {
                &[frames] => Some(bank.length_for(frames)),
                _ => None,
            }
        }
        Features::FilterBank(_) | Features::MicroFrontEnd(_) => None,
    };
    if let Some(length) = fitted.length {
        fitted.notes.push(format!(
            "Its input \"{name}\" of a fixed size takes {length} samples of a sound ({:.2} s at {} a second).",
            length as f64 / f64::from(fitted.rate),
            fitted.rate
        ));
    }
    Ok(fitted)
}

/// Puts a front end before a file's graph; the new input is `sound`, of cells `[batch, 2, bins, frames]` or samples `[batch, length]`. The
/// options that belong to it are returned.
pub(super) fn put_before(
    parsed: &mut Parsed,
    end: &FrontEnd,
    options: &ModelOptions,
) -> Result<ModelOptions> {
    let (name, info) = listens(parsed, options)?;
    let fresh = parsed.free_name("sound");
    let mut chain = Chain { nodes: Vec::new(), weights: Vec::new(), opset: parsed.opset, at: fresh.clone() };
    let FrontEnd { preparation, length } = end;
    let cells = preparation.view == SoundView::Cells;
    let spectrum = preparation.spectrum(*length);
    if cells {
        chain.samples_of(&spectrum);
    }
    if preparation.normalised {
        chain.standardised(1e-7);
    }
    let length = preparation.length.unwrap_or(*length).max(*length);
    chain.padded(1, 2, 0, length - end.length);
    match &preparation.features {
        Features::Samples => chain.shaped_as_samples(&info, length)?,
        Features::FilterBank(bank) => chain.features(bank, &info, length)?,
        Features::MicroFrontEnd(end) => chain.micro_features(end, &info, length)?,
    }
    chain.cast(parsed, &name);
    chain.named(&name);
    let batch = info.shape.first().copied().flatten().filter(|_| info.shape.len() > 1);
    let sizes: Vec<usize> = match cells {
        true => vec![2, spectrum.bins(), spectrum.frames()],
        false => vec![end.length],
    };
    let graph = parsed.proto.graph.mut_or_insert_default();
    graph.input.retain(|input| input.name != name);
    graph.input.insert(0, declared(&fresh, batch, &sizes));
    graph.initializer.extend(chain.weights);
    let own = std::mem::take(&mut parsed.nodes);
    parsed.nodes = chain.nodes.into_iter().chain(own).collect();
    Ok(ModelOptions {
        input: Some(fresh),
        layout: match &options.at {
            // Inside of the network it is what it is.
            Some(_) => options.layout,
            None => Some(if cells { Layout::Spectrum } else { Layout::Sound }),
        },
        explained_shape: None,
        front_end: None,
        ..options.clone()
    })
}

/// An input of real numbers.
fn declared(name: &str, batch: Option<usize>, sizes: &[usize]) -> ValueInfoProto {
    let mut info = ValueInfoProto { name: name.to_owned(), ..Default::default() };
    let kind = info.type_.mut_or_insert_default().mut_tensor_type();
    kind.elem_type = 1;
    let shape = kind.shape.mut_or_insert_default();
    for size in std::iter::once(batch).chain(sizes.iter().map(|&size| Some(size))) {
        shape.dim.push(Default::default());
        if let Some(dim) = shape.dim.last_mut() {
            match size {
                Some(size) => dim.set_dim_value(size as i64),
                None => dim.set_dim_param("batch".to_owned()),
            }
        }
    }
    info
}

/// Nodes one after the other.
struct Chain {
    nodes: Vec<NodeProto>,
    weights: Vec<TensorProto>,
    opset: i64,
    /// The name of the value so far.
    at: String,
}

impl Chain {
    /// A node on the value so far, and on others.
    fn then(&mut self, operator: &str, others: &[String], attributes: Vec<AttributeProto>) {
        let output = format!("sound/{}", self.nodes.len());
        let input = std::iter::once(self.at.clone()).chain(others.iter().cloned()).collect();
        self.nodes.push(NodeProto {
            name: output.clone(),
            op_type: operator.to_owned(),
            input,
            output: vec![output.clone()],
            attribute: attributes,
            ..Default::default()
        });
        self.at = output;
    }

    /// Gives the value so far its name.
    fn named(&mut self, name: &str) {
        self.then("Identity", &[], Vec::new());
        if let Some(last) = self.nodes.last_mut() {
            last.output = vec![name.to_owned()];
        }
        self.at = name.to_owned();
    }

    fn weight(&mut self, tensor: TensorProto) -> String {
        let name = format!("sound/weight {}", self.weights.len());
        self.weights.push(TensorProto { name: name.clone(), ..tensor });
        name
    }

    fn numbers(&mut self, dims: &[usize], values: impl IntoIterator<Item = f64>) -> String {
        let dims = dims.iter().map(|&size| size as i64).collect();
        let float_data = values.into_iter().map(|value| value as f32).collect();
        self.weight(TensorProto { data_type: 1, dims, float_data, ..Default::default() })
    }

    fn number(&mut self, value: f64) -> String {
        self.numbers(&[1], [value])
    }

    fn whole(&mut self, values: &[i64]) -> String {
        let dims = vec![values.len() as i64];
        self.weight(TensorProto { data_type: 7, dims, int64_data: values.to_vec(), ..Default::default() })
    }

    fn with_number(&mut self, operator: &str, value: f64) {
        let value = self.number(value);
        self.then(operator, &[value], Vec::new());
    }

    /// 0 keeps a size.
    fn reshaped(&mut self, sizes: &[i64]) {
        let sizes = self.whole(sizes);
        self.then("Reshape", &[sizes], Vec::new());
    }

    fn turned(&mut self, order: &[i64]) {
        self.then("Transpose", &[], vec![ints("perm", order)]);
    }

    fn sliced(&mut self, axis: i64, start: usize, end: usize) {
        if self.opset < 10 {
            let attributes =
                vec![ints("starts", &[start as i64]), ints("ends", &[end as i64]), ints("axes", &[axis])];
            return self.then("Slice", &[], attributes);
        }
        let given = [start as i64, end as i64, axis].map(|value| self.whole(&[value]));
        self.then("Slice", &given, Vec::new());
    }

    /// Zeros before and after, along an axis of a value of so many.
    fn padded(&mut self, axis: usize, rank: usize, before: usize, after: usize) {
        if (before, after) == (0, 0) {
            return;
        }
        let mut pads = vec![0; 2 * rank];
        pads[axis] = before as i64;
        pads[rank + axis] = after as i64;
        if self.opset < 11 {
            return self.then("Pad", &[], vec![ints("pads", &pads)]);
        }
        let pads = self.whole(&pads);
        self.then("Pad", &[pads], Vec::new());
    }

    /// A reduction that keeps the axes.
    fn reduced(&mut self, operator: &str, axes: &[i64]) {
        let since = if operator == "ReduceSum" { 13 } else { 18 };
        if self.opset < since {
            return self.then(operator, &[], vec![ints("axes", axes)]);
        }
        let axes = self.whole(axes);
        self.then(operator, &[axes], Vec::new());
    }

    /// `[N, 2, bins, frames]` to `[N, length]`: the inverse transform of each frame, weighed by the window, added up.
    fn samples_of(&mut self, spectrum: &Spectrum) {
        let (window, bins, frames, hop) =
            (spectrum.window, spectrum.bins(), spectrum.frames(), spectrum.hop());
        self.turned(&[0, 3, 1, 2]);
        self.reshaped(&[0, frames as i64, 2 * bins as i64]);
        let hann = spectrum.hann();
        let weights = (0..2 * bins).flat_map(|row| {
            let (bin, imaginary) = (row % bins, row >= bins);
            let both = if bin == 0 || bin == window / 2 { 1.0 } else { 2.0 };
            let hann = &hann;
            (0..window).map(move |n| {
                let turn = 2.0 * std::f64::consts::PI * (bin * n % window) as f64 / window as f64;
                let wave = if imaginary { -turn.sin() } else { turn.cos() };
                both * wave * hann[n] / window as f64
            })
        });
        let weights: Vec<f64> = weights.collect();
        let inverse = self.numbers(&[2 * bins, window], weights);
        self.then("MatMul", &[inverse], Vec::new());
        // A frame is four steps long: its quarters, each moved by a step, are added.
        let whole = self.at.clone();
        let quarters = window / hop;
        let mut sum: Option<String> = None;
        for quarter in 0..quarters {
            self.at = whole.clone();
            self.sliced(2, quarter * hop, (quarter + 1) * hop);
            self.reshaped(&[0, (frames * hop) as i64]);
            self.padded(1, 2, quarter * hop, (quarters - 1 - quarter) * hop);
            if let Some(sum) = sum {
                self.then("Add", &[sum], Vec::new());
            }
            sum = Some(self.at.clone());
        }
        let scale = spectrum.scale();
        let (start, end) = (window / 2, window / 2 + spectrum.length);
        self.sliced(1, start, end);
        let scale = self.numbers(&[1, spectrum.length], scale[start..end].iter().copied());
        self.then("Mul", &[scale], Vec::new());
    }

    /// Samples minus their mean, divided by the root of their variance and a little more.
    fn standardised(&mut self, little: f64) {
        let before = self.at.clone();
        self.reduced("ReduceMean", &[1]);
        let mean = std::mem::replace(&mut self.at, before);
        self.then("Sub", &[mean], Vec::new());
        let centred = self.at.clone();
        self.then("Mul", std::slice::from_ref(&centred), Vec::new());
        self.reduced("ReduceMean", &[1]);
        self.with_number("Add", little);
        self.then("Sqrt", &[], Vec::new());
        let deviation = std::mem::replace(&mut self.at, centred);
        self.then("Div", &[deviation], Vec::new());
    }

    /// `[N, length]` in the form of the network's input.
    fn shaped_as_samples(&mut self, info: &ValueInfo, length: usize) -> Result<()> {
        let fits = |size: Option<usize>| size.is_none_or(|size| size == length);
        match *info.shape.as_slice() {
            [size] if fits(size) => self.reshaped(&[length as i64]),
            [_, size] if fits(size) => (),
            [_, channels, size] if fits(size) && channels.is_none_or(|count| count == 1) => {
                self.reshaped(&[0, 1, length as i64]);
            }
            [_, size, Some(1)] if fits(size) => self.reshaped(&[0, length as i64, 1]),
            // One sound in all of its channels.
            [_, Some(channels), size] if fits(size) && channels <= 8 => {
                self.reshaped(&[0, 1, length as i64]);
                let others = vec![self.at.clone(); channels - 1];
                self.then("Concat", &others, vec![int("axis", 1)]);
            }
            _ => return Err(unfit(info, &format!("{length} samples"))),
        }
        Ok(())
    }

    /// `[N, length]` to the features that the network takes.
    fn features(&mut self, bank: &FilterBank, info: &ValueInfo, length: usize) -> Result<()> {
        let found = bank.frames_of(length);
        if found == 0 || (bank.centred && bank.mirrored && length <= bank.frame / 2) {
            return Err(too_short(length, bank.frame));
        }
        self.reshaped(&[0, 1, length as i64]);
        let half = bank.frame / 2;
        match (bank.centred, bank.mirrored) {
            (true, true) => {
                let mirrored = (1..=half).rev().chain(0..length).chain((0..half).map(|n| length - 2 - n));
                let places: Vec<i64> = mirrored.map(|at| at as i64).collect();
                let places = self.whole(&places);
                self.then("Gather", &[places], vec![int("axis", 2)]);
            }
            (true, false) => self.padded(2, 3, half, half),
            _ => (),
        }
        let (bins, bands) = (bank.bins(), bank.height());
        let matrix = bank.matrix();
        self.energies(&matrix, bank.frame, bank.hop, bins);
        let mut frames = found + usize::from(bank.drop_last);
        if bank.drop_last {
            self.sliced(2, 0, found);
            frames = found;
        }
        if !bank.power {
            // A root has no slope at 0.
            self.with_number("Max", 1e-20);
            self.then("Sqrt", &[], Vec::new());
        }
        if let Some(given) = bank.bands {
            let weights = given.weights(bank.transform, bank.rate);
            self.banded(&weights, bands, bins);
        }
        self.compressed(bank);
        if let Some(range) = bank.range {
            let values = self.at.clone();
            self.reduced("ReduceMax", &[1, 2]);
            self.with_number("Sub", range);
            self.then("Max", &[values], Vec::new());
        }
        // AST pads before it normalises, SeamlessM4T after.
        let wanted = match (bank.frames, bank.stacked) {
            (Some(frames), _) => frames,
            (None, 1) => frames,
            // To a multiple of two, of which what does not fill a stack is cut off.
            (None, stacked) => frames.next_multiple_of(2) / stacked * stacked,
        };
        if bank.normalisation == Some(Normalisation::EachBand) {
            self.each_band(frames);
        }
        match wanted > frames {
            true => self.padded(2, 3, 0, wanted - frames),
            false if wanted < frames => self.sliced(2, 0, wanted),
            false => (),
        }
        if let Some(Normalisation::Fixed { mean, deviation }) = bank.normalisation {
            if mean != 0.0 {
                self.with_number("Sub", mean);
            }
            if deviation != 1.0 {
                self.with_number("Div", deviation);
            }
        }
        let (mut height, mut steps) = (bands, wanted);
        if bank.stacked > 1 {
            if wanted == 0 {
                return Err(unfit(info, "a sound of fewer frames than are joined"));
            }
            self.turned(&[0, 2, 1]);
            (height, steps) = (bands * bank.stacked, wanted / bank.stacked);
            self.reshaped(&[0, steps as i64, height as i64]);
            self.turned(&[0, 2, 1]);
        }
        self.shaped_as_features(info, bank.frames_first, height, steps)
    }

    /// `[N, 1, length]` to the powers of frequencies, `[N, bins, frames]`, by what turns a frame into real and imaginary parts.
    fn energies(&mut self, matrix: &[f64], frame: usize, hop: usize, bins: usize) {
        let matrix = self.numbers(&[2 * bins, 1, frame], matrix.iter().copied());
        self.then("Conv", &[matrix], vec![ints("strides", &[hop as i64])]);
        let parts = self.at.clone();
        self.then("Mul", &[parts], Vec::new());
        let squares = self.at.clone();
        self.sliced(1, 0, bins);
        let real = std::mem::replace(&mut self.at, squares);
        self.sliced(1, bins, 2 * bins);
        self.then("Add", &[real], Vec::new());
    }

    /// `[N, bins, frames]` to `[N, bands, frames]`.
    fn banded(&mut self, weights: &[f64], bands: usize, bins: usize) {
        let transposed = (0..bins).flat_map(|bin| (0..bands).map(move |band| (band, bin)));
        let transposed: Vec<f64> = transposed.map(|(band, bin)| weights[band * bins + bin]).collect();
        self.turned(&[0, 2, 1]);
        let weights = self.numbers(&[bins, bands], transposed);
        self.then("MatMul", &[weights], Vec::new());
        self.turned(&[0, 2, 1]);
    }

    fn compressed(&mut self, bank: &FilterBank) {
        if bank.floor > 0.0 {
            self.with_number("Max", bank.floor);
        }
        if bank.offset != 0.0 {
            self.with_number("Add", bank.offset);
        }
        let factor = match bank.compression {
            Compression::None => return,
            Compression::Natural => 1.0,
            Compression::Log10 => std::f64::consts::LOG10_E,
            Compression::Db => std::f64::consts::LOG10_E * if bank.power { 10.0 } else { 20.0 },
        };
        self.then("Log", &[], Vec::new());
        if factor != 1.0 {
            self.with_number("Mul", factor);
        }
    }

    /// Each band minus its mean over the frames, divided by its deviation.
    fn each_band(&mut self, frames: usize) {
        let before = self.at.clone();
        self.reduced("ReduceMean", &[2]);
        let mean = std::mem::replace(&mut self.at, before);
        self.then("Sub", &[mean], Vec::new());
        let centred = self.at.clone();
        self.then("Mul", std::slice::from_ref(&centred), Vec::new());
        self.reduced("ReduceSum", &[2]);
        self.with_number("Div", frames.saturating_sub(1).max(1) as f64);
        self.with_number("Add", 1e-7);
        self.then("Sqrt", &[], Vec::new());
        let deviation = std::mem::replace(&mut self.at, centred);
        self.then("Div", &[deviation], Vec::new());
    }

    /// `[N, bands, frames]` in the form of the network's input: in the order that its sizes tell, else in the bank's own.
    fn shaped_as_features(
        &mut self,
        info: &ValueInfo,
        own_order: bool,
        bands: usize,
        frames: usize,
    ) -> Result<()> {
        let is = |size: &Option<usize>, wanted: usize| size.is_none_or(|size| size == wanted);
        let [height, width] = [bands as i64, frames as i64];
        let sizes: Vec<Option<usize>> = info.shape.iter().skip(1).copied().collect();
        let one = |size: &Option<usize>| *size == Some(1);
        // Where the time and the bands are, and an axis of one channel around them.
        let (before, inner, after) = match sizes.as_slice() {
            [a, b] => (false, [a, b], false),
            [first, a, b] if is(first, 1) => (true, [a, b], false),
            [a, b, last] if one(last) => (false, [a, b], true),
            // A row of features, where the file says how long it is: one that is open is of samples.
            [Some(size)] if *size == bands * frames => {
                if own_order {
                    self.turned(&[0, 2, 1]);
                }
                self.reshaped(&[0, height * width]);
                return Ok(());
            }
            [] => (false, [&None, &None], false),
            _ => return Err(unfit(info, &format!("{bands} bands and {frames} frames"))),
        };
        let bands_first = is(inner[0], bands) && is(inner[1], frames);
        let frames_first = is(inner[0], frames) && is(inner[1], bands);
        let turn = match (bands_first, frames_first) {
            (true, true) => own_order,
            (true, false) => false,
            (false, true) => true,
            (false, false) => return Err(unfit(info, &format!("{bands} bands and {frames} frames"))),
        };
        let mut shape = if turn { vec![width, height] } else { vec![height, width] };
        if turn {
            self.turned(&[0, 2, 1]);
        }
        if before {
            shape.insert(0, 1);
        }
        if after {
            shape.push(1);
        }
        if before || after {
            shape.insert(0, 0);
            self.reshaped(&shape);
        }
        Ok(())
    }

    /// Brings the value to the type of the network's input.
    fn cast(&mut self, parsed: &Parsed, name: &str) {
        let of = parsed.graph().input.iter().find(|input| input.name == name);
        match of.map(|input| input.type_.tensor_type().elem_type) {
            None | Some(0 | 1) => (),
            Some(other) => self.then("Cast", &[], vec![int("to", other.into())]),
        }
    }
}

/// The error for a sound that is shorter than a frame.
fn too_short(length: usize, frame: usize) -> Error {
    Error::InputInvalid(format!(
        "The sound has {length} samples, and one frame of the network\u{2019}s features takes {frame}: it is too short to be heard."
    ))
}

fn unfit(info: &ValueInfo, found: &str) -> Error {
    Error::PreprocessingInvalid(format!(
        "it gives {found}, and the network\u{2019}s input \"{}\" takes {}; another length, rate or preparation fits (docs/sound.md)",
        info.name,
        inputs::written_shape(info)
    ))
}

fn ints(name: &str, values: &[i64]) -> AttributeProto {
    AttributeProto {
        name: name.to_owned(),
        type_: AttributeType::INTS.into(),
        ints: values.to_vec(),
        ..Default::default()
    }
}

fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto { name: name.to_owned(), type_: AttributeType::INT.into(), i: value, ..Default::default() }
}
