//! Questions to the command line about networks of many kinds, with the answers that are right. A case is a folder of
//! `tests/fixtures/cases`; the README.md there says what its `case.json` holds.
//!
//! A case passes where the right answer is given, or where the command line refuses and the case holds that refusal for a fair one.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::common::root;
use serde::Deserialize;
use serde_json::Value;

const FOLDER: &str = "tests/fixtures/cases";

/// Nobody waits longer for networks this small.
const PATIENCE: Duration = Duration::from_secs(120);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    id: String,
    #[serde(rename = "kind")]
    _kind: String,
    expects: String,
    args: Vec<String>,
    checks: Vec<Check>,
    refusal: Refusal,
    #[serde(rename = "note")]
    _note: Option<String>,
}

/// What a message in place of an answer is worth: "fine", "poor", or fine where it holds one of these words.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Refusal {
    Always(Fair),
    Saying(Vec<String>),
}

#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Fair {
    Fine,
    Poor,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Check {
    read: String,
    right: Option<Value>,
    #[serde(default)]
    atol: f64,
    #[serde(default)]
    rtol: f64,
    like: Option<Vec<String>>,
    at_least: Option<f64>,
    above: Option<f64>,
    below: Option<f64>,
    peak: Option<Vec<usize>>,
    at: Option<Vec<usize>>,
    says: Option<Vec<String>>,
    or: Option<Box<Check>>,
}

/// An array of out.npy, or of a file of the case.
#[derive(Debug)]
struct Array {
    data: Vec<f64>,
    shape: Vec<usize>,
}

impl Array {
    fn read(path: &Path) -> Result<Self, String> {
        let bytes = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let file = npyz::NpyFile::new(&bytes[..]).map_err(|error| format!("{}: {error}", path.display()))?;
        let shape = file.shape().iter().map(|&size| size as usize).collect();
        let data: Vec<f32> =
            file.into_vec().map_err(|error| format!("{} is not of 32-bit reals: {error}", path.display()))?;
        Ok(Self { data: data.into_iter().map(f64::from).collect(), shape })
    }

    fn single(value: f64) -> Self {
        Self { data: vec![value], shape: Vec::new() }
    }

    /// The flat index of a place, which may leave out leading axes of size 1 or have some that the array leaves out.
    fn index(&self, place: &[usize]) -> Result<usize, String> {
        let fault = || format!("an array of shape {:?} has no place {place:?}", self.shape);
        let known = place.len().min(self.shape.len());
        let (spare, place) = place.split_at(place.len() - known);
        let (outer, shape) = self.shape.split_at(self.shape.len() - known);
        let inside = place.iter().zip(shape).all(|(at, size)| at < size);
        if !inside || spare.iter().any(|&at| at != 0) || outer.iter().any(|&size| size != 1) {
            return Err(fault());
        }
        Ok(place.iter().zip(shape).fold(0, |index, (at, size)| index * size + at))
    }
}

/// A line of `classify`.
#[derive(Debug)]
struct Line {
    class: usize,
    probability: Option<f64>,
    logit: Option<f64>,
}

impl Line {
    /// Reads "  43.10 %  label  (class 3, logit 1.2345)".
    fn parse(line: &str) -> Option<Self> {
        let after = |word: &str| line.rsplit_once(word).map(|(_, rest)| rest.trim_start());
        let number = |text: &str| -> Option<f64> {
            let end =
                text.find(|c: char| !(c.is_ascii_alphanumeric() || "+-.".contains(c))).unwrap_or(text.len());
            text[..end].parse().ok()
        };
        let class = number(after("class ")?)? as usize;
        let percent = line.split_once('%').and_then(|(before, _)| before.trim().parse::<f64>().ok());
        Some(Self {
            class,
            probability: percent.map(|percent| percent / 100.0),
            logit: after("logit ").and_then(number),
        })
    }

    fn field(&self, name: &str) -> Result<f64, String> {
        let value = match name {
            "class" => Some(self.class as f64),
            "probability" => self.probability,
            "logit" => self.logit,
            other => return Err(format!("a line of classify has no field \"{other}\"")),
        };
        value.ok_or_else(|| format!("the line of class {} tells no {name}", self.class))
    }
}

/// What the command line answered.
struct Answer {
    folder: PathBuf,
    text: String,
}

impl Answer {
    fn lines(&self) -> Vec<Line> {
        self.text.lines().filter_map(Line::parse).collect()
    }

    /// All that a check may look at; more than one array where any of them will do.
    fn read(&self, what: &str) -> Result<Vec<Array>, String> {
        if let Some(reduction) = what.strip_prefix("out") {
            let out = Array::read(&self.folder.join("out.npy"))?;
            let values = out.data.iter().copied();
            return Ok(vec![match reduction {
                "" => out,
                ".max" => Array::single(values.fold(f64::NEG_INFINITY, f64::max)),
                ".min" => Array::single(values.fold(f64::INFINITY, f64::min)),
                ".sum" => Array::single(values.sum()),
                other => return Err(format!("nobody reads \"out{other}\"")),
            }]);
        }
        if let Some(key) = what.strip_prefix("json:") {
            let bytes =
                fs::read(self.folder.join("out.json")).map_err(|error| format!("out.json: {error}"))?;
            let report: Value =
                serde_json::from_slice(&bytes).map_err(|error| format!("out.json: {error}"))?;
            let pointer = format!("/{}", key.replace('.', "/"));
            let value = report.pointer(&pointer).ok_or_else(|| format!("out.json has no {key}"))?;
            return Ok(vec![self.array(value)?]);
        }
        let (lines, (line, field)) =
            (self.lines(), what.split_once('.').ok_or_else(|| format!("nobody reads \"{what}\""))?);
        let chosen: Vec<&Line> = match line.strip_prefix("class:") {
            Some(class) => {
                let class: usize = class.parse().map_err(|error| format!("\"{what}\": {error}"))?;
                lines.iter().filter(|line| line.class == class).collect()
            }
            None if line == "top" => lines.iter().take(1).collect(),
            None if line == "any" => lines.iter().collect(),
            None => return Err(format!("nobody reads \"{what}\"")),
        };
        if chosen.is_empty() {
            return Err(format!("classify has no line \"{line}\""));
        }
        chosen.into_iter().map(|line| line.field(field).map(Array::single)).collect()
    }

    /// Numbers as JSON nests them, or those of a file beside the case.
    fn array(&self, value: &Value) -> Result<Array, String> {
        fn flatten(value: &Value, into: &mut Vec<f64>) -> bool {
            match value {
                Value::Array(values) => values.iter().all(|value| flatten(value, into)),
                other => other.as_f64().map(|value| into.push(value)).is_some(),
            }
        }
        if let Value::String(file) = value {
            return Array::read(&self.folder.join(file));
        }
        let mut data = Vec::new();
        match flatten(value, &mut data) {
            true => Ok(Array { shape: vec![data.len()], data }),
            false => Err(format!("{value} is not numbers alone")),
        }
    }

    fn hold(&self, check: &Check) -> Result<(), String> {
        self.looks_right(check).or_else(|fault| match &check.or {
            Some(other) => self.hold(other).map_err(|second| format!("{fault}; nor the other: {second}")),
            None => Err(fault),
        })
    }

    fn looks_right(&self, check: &Check) -> Result<(), String> {
        if let Some(words) = &check.says {
            return match words.iter().find(|word| !self.text.contains(*word)) {
                Some(word) => Err(format!("it does not say \"{word}\"")),
                None => Ok(()),
            };
        }
        let arrays = self.read(&check.read)?;
        let mut faults = Vec::new();
        for array in &arrays {
            match self.is_right(check, array) {
                Ok(()) => return Ok(()),
                Err(fault) => faults.push(format!("{}: {fault}", check.read)),
            }
        }
        Err(faults.join("; "))
    }

    fn is_right(&self, check: &Check, array: &Array) -> Result<(), String> {
        let mut asked = false;
        if let Some(right) = &check.right {
            asked = true;
            let right = self.array(right)?;
            if array.data.len() != right.data.len() {
                return Err(format!("shape {:?} in place of {} values", array.shape, right.data.len()));
            }
            for (at, (&ours, &theirs)) in array.data.iter().zip(&right.data).enumerate() {
                // Not a number is off too.
                let close = (ours - theirs).abs() <= check.atol + check.rtol * theirs.abs();
                if !close {
                    return Err(format!("value {at} is {ours} in place of {theirs}"));
                }
            }
        }
        if let Some(files) = &check.like {
            asked = true;
            let least = check.at_least.ok_or("\"like\" needs \"at_least\"")?;
            let mut best = f64::NEG_INFINITY;
            for file in files {
                let other = Array::read(&self.folder.join(file))?;
                if other.data.len() == array.data.len() {
                    let cosine = cosine(&array.data, &other.data);
                    best = best.max(if cosine.is_nan() { f64::NEG_INFINITY } else { cosine });
                }
            }
            if best < least {
                return Err(format!("shape {:?}, cosine {best} in place of {least} or more", array.shape));
            }
        }
        let mut values = array.data.clone();
        if let Some(place) = &check.peak {
            asked = true;
            let highest = array.data.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            // A segment's places share their value.
            let value = array.data[array.index(place)?];
            if value != highest {
                return Err(format!(
                    "{value} at {place:?}, and {highest} elsewhere in shape {:?}",
                    array.shape
                ));
            }
            values = vec![value];
        }
        if let Some(place) = &check.at {
            values = vec![array.data[array.index(place)?]];
        }
        for (bound, held, word) in [
            (check.above, values.iter().all(|&value| check.above.is_none_or(|bound| value > bound)), "above"),
            (check.below, values.iter().all(|&value| check.below.is_none_or(|bound| value < bound)), "below"),
        ] {
            asked |= bound.is_some();
            if let (Some(bound), false) = (bound, held) {
                return Err(format!("{:?} is not {word} {bound}", &values[..values.len().min(8)]));
            }
        }
        if asked { Ok(()) } else { Err("the check asks for nothing".into()) }
    }
}

fn cosine(a: &[f64], b: &[f64]) -> f64 {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    dot(a, b) / (dot(a, a).sqrt() * dot(b, b).sqrt())
}

/// Runs the command line in the folder; whether it succeeded, and all that it printed.
fn ask(folder: &Path, arguments: &[String]) -> (bool, String) {
    let printed = folder.join("printed.txt");
    let file = File::create(&printed).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_adversight"))
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(file.try_clone().unwrap())
        .stderr(file)
        .spawn()
        .unwrap();
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if started.elapsed() > PATIENCE {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("it took longer than {} s", PATIENCE.as_secs());
        }
        thread::sleep(Duration::from_millis(5));
    };
    let text = String::from_utf8_lossy(&fs::read(&printed).unwrap()).into_owned();
    assert!(!text.contains("panicked"), "{text}");
    (status.success(), text)
}

/// Tries the case of a folder.
fn run(id: &str) {
    let source = root().join(FOLDER).join(id);
    // Answers are written beside the files that they are compared with, so not into the project.
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("cases").join(id);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    for entry in fs::read_dir(&source).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, folder.join(path.file_name().unwrap())).unwrap();
    }
    let case: Case = serde_json::from_slice(&fs::read(folder.join("case.json")).unwrap()).unwrap();
    assert_eq!(case.id, id);
    assert!(!case.checks.is_empty());
    let (succeeded, text) = ask(&folder, &case.args);
    let answer = Answer { folder, text };
    if !succeeded {
        let fair = match &case.refusal {
            Refusal::Always(fair) => *fair == Fair::Fine,
            Refusal::Saying(words) => words.iter().any(|word| answer.text.contains(word)),
        };
        assert!(fair, "{}\nrefused: {}", case.expects, answer.text);
        return;
    }
    let faults: Vec<String> = case.checks.iter().filter_map(|check| answer.hold(check).err()).collect();
    assert!(faults.is_empty(), "{}\n{}\nprinted: {}", case.expects, faults.join("\n"), answer.text);
}

macro_rules! cases {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            run(&stringify!($name).replace('_', "-"));
        })*

        const CASES: &[&str] = &[$(stringify!($name)),*];
    };
}

/// A folder that no test names would never be tried.
#[test]
fn every_folder_is_a_test() {
    let named: BTreeSet<String> = CASES.iter().map(|name| name.replace('_', "-")).collect();
    let folders: BTreeSet<String> = fs::read_dir(root().join(FOLDER))
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_type().unwrap().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    assert_eq!(named, folders);
}

#[test]
fn lines_of_classify_are_read() {
    let line = Line::parse(" 43.10 %  a cat (class of its own)  (class 3, logit -1.2345)").unwrap();
    assert_eq!((line.class, line.probability, line.logit), (3, Some(0.431), Some(-1.2345)));
    assert!(Line::parse("adversight: something else").is_none());
}

#[test]
fn places_may_leave_out_axes_of_one() {
    let array = Array { data: vec![0.0; 12], shape: vec![1, 3, 4] };
    assert_eq!(array.index(&[2, 1]), Ok(9));
    assert_eq!(array.index(&[0, 0, 2, 1]), Ok(9));
    assert!(array.index(&[1, 0, 2, 1]).is_err());
    assert!(array.index(&[3, 0]).is_err());
}

cases! {
    activation_left_as_it_is_2
    activation_left_as_it_is_3
    bands_last_1
    bands_last_2
    bands_last_3
    bands_last_4
    bands_last_5
    batch_fixed_in_the_file_1
    batch_fixed_in_the_file_2
    batch_fixed_in_the_file_3
    batch_fixed_in_the_file_4
    batch_fixed_in_the_file_5
    batch_fixed_in_the_file_6
    batch_fixed_in_the_file_7
    behind_the_softmax_2
    behind_the_softmax_3
    behind_the_softmax_4
    behind_the_softmax_5
    behind_the_softmax_6
    channels_before_time_1
    channels_before_time_2
    channels_before_time_3
    channels_before_time_4
    channels_before_time_5
    detector_element_1
    detector_element_2
    detector_element_3
    detector_element_4
    detector_element_5
    four_colour_jpeg_1
    four_colour_jpeg_2
    four_colour_jpeg_3
    grey_with_alpha_1
    grey_with_alpha_2
    grey_with_alpha_3
    grey_with_alpha_4
    grey_with_alpha_5
    half_precision_input_1
    half_precision_input_2
    half_precision_input_3
    half_precision_input_4
    label_output_first_1
    label_output_first_2
    label_output_first_3
    label_output_first_4
    last_stage_of_several_branches_1
    last_stage_of_several_branches_2
    last_stage_of_several_branches_3
    last_stage_of_several_branches_4
    last_stage_of_several_branches_5
    last_stage_of_several_branches_6
    last_stage_of_several_branches_7
    map_with_channels_last_inside_1
    map_with_channels_last_inside_2
    map_with_channels_last_inside_3
    map_with_channels_last_inside_4
    more_than_six_axes_1
    more_than_six_axes_2
    more_than_six_axes_3
    more_than_six_axes_4
    other_inputs_1
    other_inputs_2
    other_inputs_3
    other_inputs_4
    other_inputs_5
    other_inputs_6
    other_inputs_7
    other_inputs_8
    other_inputs_9
    other_inputs_10
    other_inputs_11
    other_inputs_12
    other_picture_files_1
    other_picture_files_2
    other_picture_files_3
    other_picture_files_4
    other_picture_files_5
    other_picture_files_6
    other_picture_files_7
    parts_beside_the_explained_output_1
    parts_beside_the_explained_output_2
    parts_beside_the_explained_output_3
    parts_beside_the_explained_output_4
    parts_beside_the_explained_output_5
    picture_without_channel_axis_1
    picture_without_channel_axis_2
    picture_without_channel_axis_3
    picture_without_channel_axis_4
    pixels_as_whole_numbers_1
    pixels_as_whole_numbers_2
    pixels_as_whole_numbers_3
    pixels_as_whole_numbers_4
    pixels_as_whole_numbers_5
    pixels_as_whole_numbers_6
    pixels_as_whole_numbers_7
    pixels_as_whole_numbers_8
    preprocessing_of_grey_1
    preprocessing_of_grey_2
    preprocessing_of_grey_3
    preprocessing_of_grey_4
    preprocessing_of_grey_5
    probabilities_without_softmax_1
    probabilities_without_softmax_2
    probabilities_without_softmax_3
    probabilities_without_softmax_4
    probabilities_without_softmax_5
    probabilities_without_softmax_6
    probabilities_without_softmax_7
    probabilities_without_softmax_8
    probabilities_without_softmax_9
    probabilities_without_softmax_10
    probabilities_without_softmax_11
    probabilities_without_softmax_12
    probabilities_without_softmax_13
    rectifier_written_otherwise_1
    rectifier_written_otherwise_2
    rectifier_written_otherwise_3
    rectifier_written_otherwise_4
    rectifier_written_otherwise_5
    rectifier_written_otherwise_6
    rectifier_written_otherwise_7
    rectifier_written_otherwise_8
    rectifier_written_otherwise_9
    rectifier_written_otherwise_10
    rectifier_written_otherwise_11
    rectifier_written_otherwise_12
    rectifier_written_otherwise_13
    rectifier_written_otherwise_14
    reference_of_a_row_1
    reference_of_a_row_2
    reference_of_a_row_3
    reference_of_a_row_4
    reference_of_a_row_5
    reference_of_a_row_6
    reference_of_a_row_7
    reference_of_a_row_8
    reference_of_ones_own_1
    reference_of_ones_own_2
    reference_of_ones_own_3
    reference_of_ones_own_4
    reference_of_ones_own_5
    reference_of_ones_own_6
    reference_of_ones_own_7
    reference_of_ones_own_8
    scores_of_batch_before_time_2
    scores_of_batch_before_time_3
    scores_of_batch_before_time_4
    scores_of_batch_before_time_5
    scores_of_time_before_batch_1
    scores_of_time_before_batch_2
    scores_of_time_before_batch_3
    scores_of_time_before_batch_4
    scores_of_time_before_batch_5
    scores_of_time_before_batch_6
    scores_of_time_before_batch_7
    segments_of_small_pictures_1
    segments_of_small_pictures_2
    segments_of_small_pictures_3
    segments_of_small_pictures_4
    segments_of_small_pictures_5
    segments_of_small_pictures_6
    segments_of_small_pictures_7
    single_output_1
    single_output_2
    single_output_3
    single_output_4
    single_output_5
    single_output_6
    single_output_7
    single_output_8
    single_output_9
    single_output_10
    single_output_11
    sixteen_bits_1
    sixteen_bits_2
    sixteen_bits_3
    size_by_longest_edge_1
    size_by_longest_edge_2
    size_by_longest_edge_3
    size_by_longest_edge_4
    size_by_longest_edge_5
    size_by_longest_edge_6
    softmax_default_axis_1
    softmax_default_axis_2
    softmax_default_axis_3
    softmax_default_axis_4
    softmax_over_several_axes_1
    softmax_over_several_axes_2
    softmax_over_several_axes_3
    softmax_over_several_axes_4
    softmax_over_several_axes_5
    softmax_over_several_axes_6
    softmax_per_place_1
    softmax_per_place_2
    softmax_per_place_3
    softmax_per_place_4
    softmax_per_place_5
    softmax_per_place_6
    softmax_per_place_7
    softmax_written_out_2
    softmax_written_out_3
    softmax_written_out_4
    softmax_written_out_5
    softmax_written_out_6
    softmax_written_out_7
    softmax_written_out_8
    softmax_written_out_9
    softmax_written_out_10
    softmax_written_out_11
    softmax_written_out_12
    statistics_of_the_batch_1
    statistics_of_the_batch_2
    statistics_of_the_batch_3
    statistics_of_the_batch_4
    statistics_of_the_batch_5
    time_before_batch_1
    time_before_batch_2
    time_before_batch_3
    time_before_batch_4
    time_before_batch_5
    time_before_channels_2
    time_before_channels_3
    tokens_as_a_map_1
    tokens_as_a_map_2
    tokens_as_a_map_3
    tokens_as_a_map_4
    tokens_as_a_map_5
    tokens_as_a_map_6
    tokens_as_a_map_7
    transparency_1
    transparency_2
    transparency_3
    transparency_4
    turned_by_exif_1
    turned_by_exif_2
    turned_by_exif_3
    turned_by_exif_4
    turned_by_exif_5
    turned_by_exif_6
    turned_by_exif_7
    values_of_given_probabilities_1
    values_of_given_probabilities_2
    values_of_given_probabilities_3
    values_of_given_probabilities_4
    values_of_given_probabilities_5
    values_of_given_probabilities_6
    values_of_given_probabilities_7
    very_many_classes_1
    very_many_classes_2
    very_many_classes_3
    very_many_classes_4
    volume_1
    volume_2
    volume_3
    volume_4
    weights_normalised_in_the_file_1
    weights_normalised_in_the_file_2
    weights_normalised_in_the_file_3
    weights_normalised_in_the_file_4
    weights_normalised_in_the_file_5
    weights_normalised_in_the_file_6
    window_of_small_pictures_1
    window_of_small_pictures_2
    window_of_small_pictures_3
    window_of_small_pictures_4
}
