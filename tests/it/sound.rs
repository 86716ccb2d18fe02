//! Sounds: what transformers' feature extractors, soxr, onnxruntime and the making of a network say of them (tests/reference/sound.py).

use std::{f64::consts::PI, path::PathBuf, process::Command};

use adversight::{
    Classification, Control, ExplainOptions, Explainer, Explanation, HostTensor, Input, ModelOptions, Result,
    Score, SoundPreparation, SoundView, Waveform,
    attack::{AttackOptions, Norm, attack},
    attribution::display::Channels,
    input::{
        labels::Labels,
        parts::Part,
        sound::{Features, Heard},
    },
    metric::{Assessment, measure},
    model::Activation,
};
use adversight_sound::{decode, level, resample, wav};
use onnx_ir::{Message, ModelProto, NodeProto, TensorProto};
use serde_json::{Value, json};

use crate::common::{cpu, npy, read, root};

const FOLDER: &str = "tests/fixtures/sound";
/// The front ends, and how far features may lie from transformers'.
const FRONT_ENDS: [&str; 6] = ["ast", "whisper", "seamless", "wav2vec2", "decibels", "micro"];

fn clip(name: &str) -> Waveform {
    decode(&read(&format!("{FOLDER}/{name}"))).unwrap()
}

fn data(name: &str) -> Vec<f32> {
    npy(&format!("{FOLDER}/{name}.npy")).data
}

/// The word at the networks' rate, with a little noise.
fn word() -> Waveform {
    Waveform::mono(data("word"), 16_000).unwrap()
}

fn declared(name: &str, view: SoundView) -> SoundPreparation {
    let text = String::from_utf8(read(&format!("{FOLDER}/{name}.json"))).unwrap();
    SoundPreparation { view, ..SoundPreparation::from_json(&text).unwrap() }
}

fn load(network: &str, preparation: &SoundPreparation, sound: &Waveform) -> Result<Explainer> {
    let bytes = read(&format!("{FOLDER}/{network}.onnx"));
    Explainer::load_for_sound(&bytes[..].into(), &ModelOptions::default(), preparation, sound, &cpu())
}

/// The network of tones, and the sound of which the first half is low and the second high.
fn tones(view: SoundView) -> (Explainer, Waveform) {
    let sound = clip("tones.wav");
    let preparation = SoundPreparation { view, ..SoundPreparation::of_samples(Some(16_000)).unwrap() };
    let labels = Labels::from_json(&json!(["low", "high"])).unwrap();
    (load("tones", &preparation, &sound).unwrap().with_names(labels).unwrap(), sound)
}

fn explain(
    explainer: &Explainer,
    sound: &Waveform,
    method: &str,
    target: usize,
    params: Value,
) -> Explanation {
    let Value::Object(params) = params else { panic!("no object") };
    let options =
        ExplainOptions { method: method.into(), target: Some(target.into()), params, ..Default::default() };
    pollster::block_on(explainer.explain(&Input::Sound(sound), &options, &Default::default())).unwrap().0
}

fn heard(explainer: &Explainer, sound: &Waveform, found: &Explanation) -> Heard {
    let scores: Vec<f32> = found.parts.iter().map(|part| part.score).collect();
    explainer.heard(sound, found.segments.as_ref(), &scores).unwrap()
}

/// How far values are from what is right, as a part of the largest.
fn apart(found: &[f32], right: &[f32]) -> f32 {
    assert_eq!(found.len(), right.len());
    let most = right.iter().fold(0.0f32, |most, value| most.max(value.abs()));
    found.iter().zip(right).fold(0.0f32, |most, (a, b)| most.max((a - b).abs())) / most
}

/// How much louder what is right is than what is wrong, in decibels.
fn ratio(found: &[f32], right: &[f32]) -> f64 {
    let wrong: Vec<f32> = found.iter().zip(right).map(|(a, b)| a - b).collect();
    20.0 * (level(right) / level(&wrong)).log10()
}

#[test]
fn features_are_those_of_transformers_from_samples_and_from_cells() {
    let sound = word();
    for name in FRONT_ENDS {
        let right = data(name);
        for view in [SoundView::Samples, SoundView::Cells] {
            let explainer = load(name, &declared(name, view), &sound).unwrap();
            let (input, _) = explainer.prepare(&Input::Sound(&sound)).unwrap();
            let found = pollster::block_on(explainer.logits(&input)).unwrap().data;
            // Decibels are tens, the others ones.
            let wrong = apart(&found, &right);
            assert!(wrong < 1e-4, "{name}, {view:?}: {wrong}");
        }
    }
}

/// The features of a sound, as a network without layers gives them.
fn features(preparation: &SoundPreparation, sound: &Waveform) -> Vec<f32> {
    let network = if preparation.features == Features::Samples { "wav2vec2" } else { "open" };
    let explainer = load(network, preparation, sound).unwrap();
    let (input, _) = explainer.prepare(&Input::Sound(sound)).unwrap();
    pollster::block_on(explainer.logits(&input)).unwrap().data
}

/// What prepares a sound as a case of the features says; nothing for the one that no JSON of ours can say.
fn declaration(case: &Value) -> Option<String> {
    let name = case["name"].as_str()?;
    Some(match (case["config"].as_str(), name) {
        (Some(config), _) => String::from_utf8(read(&format!("{FOLDER}/features/{config}"))).unwrap(),
        // Edges that are mirrored, and a band of the frame's energy: what no JSON of ours says.
        (None, "kaldi_fbank_80") => return None,
        (None, _) => {
            let mut features = json!({
                "n_fft": 512, "win_length": 400, "hop_length": 160, "periodic": false, "center": false, "order": "time_mel",
                "preemphasis": 0.97, "remove_dc_offset": true, "floor": f32::EPSILON, "mel_scale": "kaldi", "f_min": 20,
                "n_mels": case["kaldi"]["num_mel_bins"], "gain": 32_768,
            });
            let more = match name {
                "kaldi_fbank" => json!({ "window": "povey" }),
                _ => json!({ "window": "hann", "log": "none", "power": 1, "floor": 0 }),
            };
            features.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            json!({ "sampling_rate": 16_000, "features": features }).to_string()
        }
    })
}

/// A network whose only score is the sum of all values that come in, each times the cosine of its number.
fn summed(sizes: &[usize]) -> Vec<u8> {
    let count: usize = sizes.iter().product();
    let node = |operator: &str, inputs: &[&str], output: &str| NodeProto {
        op_type: operator.into(),
        input: inputs.iter().map(|&name| name.to_owned()).collect(),
        output: vec![output.into()],
        ..Default::default()
    };
    let mut model = ModelProto::new();
    model.opset_import.push(Default::default());
    model.opset_import[0].version = 17;
    let graph = model.graph.mut_or_insert_default();
    graph.node = vec![node("Flatten", &["x"], "flat"), node("MatMul", &["flat", "weights"], "y")];
    graph.initializer = vec![TensorProto {
        name: "weights".into(),
        data_type: 1,
        dims: vec![count as i64, 1],
        float_data: (0..count).map(|k| (k as f64).cos() as f32).collect(),
        ..Default::default()
    }];
    for (name, ends) in [("x", &mut graph.input), ("y", &mut graph.output)] {
        ends.push(Default::default());
        ends[0].name = name.into();
        ends[0].type_.mut_or_insert_default().mut_tensor_type().elem_type = 1;
    }
    let shape = graph.input[0].type_.mut_or_insert_default().mut_tensor_type().shape.mut_or_insert_default();
    for size in std::iter::once(&0).chain(sizes) {
        shape.dim.push(Default::default());
        let dim = shape.dim.last_mut().unwrap();
        if *size > 0 { dim.set_dim_value(*size as i64) } else { dim.set_dim_param("batch".into()) }
    }
    model.write_to_bytes().unwrap()
}

/// The gradient of that sum by the samples.
fn summed_gradient(preparation: &SoundPreparation, sound: &Waveform, sizes: &[usize]) -> Vec<f32> {
    let bytes = summed(sizes);
    let options = ModelOptions { activation: Some(Activation::None), ..Default::default() };
    let explainer =
        Explainer::load_for_sound(&bytes[..].into(), &options, preparation, sound, &cpu()).unwrap();
    let (input, _) = explainer.prepare(&Input::Sound(sound)).unwrap();
    pollster::block_on(explainer.input_gradient(&input, 0, Score::Logit)).unwrap().data
}

#[test]
fn gradients_by_samples_are_pytorchs() {
    let index = crate::common::json(&format!("{FOLDER}/features/index.json"));
    let chord = decode(&read(&format!("{FOLDER}/features/chord.wav"))).unwrap();
    for case in index["cases"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let Some(declared) = declaration(case) else { continue };
        let mut preparation = SoundPreparation::from_json(&declared).unwrap();
        preparation.view = SoundView::Samples;
        let sizes: Vec<usize> = case["shapes"]["chord"]
            .as_array()
            .unwrap()
            .iter()
            .map(|size| size.as_u64().unwrap() as usize)
            .collect();
        let mut found = summed_gradient(&preparation, &chord, &sizes);
        let right = data(&format!("features/{name}_gradient"));
        // What lies beyond the frames that a network takes is left out before.
        found.resize(right.len(), 0.0);
        let wrong = apart(&found, &right);
        assert!(wrong < 1e-3, "{name}: {wrong}");
    }
}

#[test]
fn the_micro_front_end_in_real_numbers_and_its_gradient_are_pytorchs() {
    let index = crate::common::json(&format!("{FOLDER}/micro_front_end/index.json"));
    let sound = decode(&read(index["real"]["clip"].as_str().unwrap())).unwrap();
    for name in index["real"]["cases"].as_object().unwrap().keys() {
        let case =
            index["cases"].as_array().unwrap().iter().find(|case| case["name"] == name.as_str()).unwrap();
        let mut settings = case["settings"].clone();
        settings["feature_extractor_type"] = json!("MicroFrontEnd");
        settings["quantize_dynamic_scale_enable"] = json!(false);
        let preparation = SoundPreparation::from_json(&settings.to_string()).unwrap();
        let preparation = SoundPreparation { view: SoundView::Samples, ..preparation };
        let right = npy(&format!("{FOLDER}/micro_front_end/{name}_real.npy"));
        let wrong = apart(&features(&preparation, &sound), &right.data);
        assert!(wrong < 1e-4, "{name}: {wrong}");
        // There, samples are integers of 16 bits.
        let found: Vec<f32> = summed_gradient(&preparation, &sound, &right.shape)
            .into_iter()
            .map(|slope| slope / 32_768.0)
            .collect();
        let wrong = apart(&found, &data(&format!("micro_front_end/{name}_gradient")));
        assert!(wrong < 1e-3, "{name}, its gradient: {wrong}");
    }
}

/// What other programs made of three sounds: whose features each case's file holds one after the other.
#[test]
fn features_of_three_sounds_are_those_of_transformers_and_torchaudio() {
    let index = crate::common::json(&format!("{FOLDER}/features/index.json"));
    let mut seen = 0;
    for case in index["cases"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let Some(declared) = declaration(case) else { continue };
        let mut preparation = SoundPreparation::from_json(&declared).unwrap();
        preparation.view = SoundView::Samples;
        let all = npy(&format!("{FOLDER}/features/{name}.npy")).data;
        let mut start = 0;
        for sound in index["sounds"].as_array().unwrap() {
            let sound = sound.as_str().unwrap();
            let sizes = case["shapes"][sound].as_array().unwrap();
            let count = sizes.iter().map(|size| size.as_u64().unwrap() as usize).product::<usize>();
            let clip = decode(&read(&format!("{FOLDER}/features/{sound}.wav"))).unwrap();
            let wrong = apart(&features(&preparation, &clip), &all[start..start + count]);
            start += count;
            seen += 1;
            assert!(wrong < 1e-4, "{name} of {sound}: {wrong}");
        }
        assert_eq!(start, all.len(), "{name}");
    }
    assert!(seen >= 24, "{seen}");
}

/// The compiled front end computes with whole numbers, which are coarse where they are small: there, both may differ.
#[test]
fn the_micro_front_end_is_the_compiled_one_up_to_its_rounding() {
    let index = crate::common::json(&format!("{FOLDER}/micro_front_end/index.json"));
    let mut seen = 0;
    for case in index["cases"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        // A table of gains that overflows, of which nobody makes use.
        if name == "gain" {
            continue;
        }
        let mut settings = case["settings"].clone();
        settings["feature_extractor_type"] = json!("MicroFrontEnd");
        settings["quantize_dynamic_scale_enable"] = json!(false);
        let preparation = SoundPreparation::from_json(&settings.to_string()).unwrap();
        let preparation = SoundPreparation { view: SoundView::Samples, ..preparation };
        let bytes = read(&format!("{FOLDER}/micro_front_end/{name}_uint16.npy"));
        let file = npyz::NpyFile::new(&bytes[..]).unwrap();
        let all: Vec<f32> = file.into_vec::<u16>().unwrap().into_iter().map(f32::from).collect();
        let clips = case["clips"].as_array().unwrap();
        for (clip, right) in clips.iter().zip(all.chunks_exact(all.len() / clips.len())) {
            let clip = clip.as_str().unwrap();
            // Noise that is cut off at 16 bits overflows those of the filter against offsets.
            if clip == "noise" && settings["dc_notch_filter_enable"] == true {
                continue;
            }
            let sound = decode(&read(index["clips"][clip].as_str().unwrap())).unwrap();
            let sound = Waveform::mono(sound.mixed(), preparation.rate).unwrap();
            let found = features(&preparation, &sound);
            assert_eq!(found.len(), right.len(), "{name} of {clip}");
            // Of the larger half of the values that are there at all, most are right to a hundredth of the largest.
            let mut order: Vec<usize> = (0..right.len()).filter(|&at| right[at] > 0.0).collect();
            order.sort_by(|&a, &b| right[b].total_cmp(&right[a]));
            let most = right[order[0]];
            let high = &order[..order.len() / 2];
            let close = high.iter().filter(|&&at| (found[at] - right[at]).abs() <= 0.01 * most).count();
            let share = close as f32 / high.len() as f32;
            assert!(share > 0.85, "{name} of {clip}: {share}");
            seen += 1;
        }
    }
    assert!(seen >= 35, "{seen}");
}

#[test]
fn the_pages_network_hears_its_clips_and_says_when() {
    let folder = "www/public/models/tenet_keywords";
    let bytes = read(&format!("{folder}/model.onnx"));
    let declared = String::from_utf8(read(&format!("{folder}/preprocessor_config.json"))).unwrap();
    let preparation = SoundPreparation::from_json(&declared).unwrap();
    let examples = crate::common::json(&format!("{folder}/examples.json"));
    let labels = Labels::from_json(&crate::common::json(&format!("{folder}/labels.json"))).unwrap();
    let sound =
        |example: &Value| decode(&read(&format!("{folder}/{}", example["file"].as_str().unwrap()))).unwrap();
    let examples = examples.as_array().unwrap();
    let options = ModelOptions::default();
    let explainer =
        Explainer::load_for_sound(&bytes[..].into(), &options, &preparation, &sound(&examples[0]), &cpu());
    let explainer = explainer.unwrap().with_names(labels).unwrap();
    for example in examples {
        let found = pollster::block_on(explainer.classify(&Input::Sound(&sound(example)), 1)).unwrap();
        assert_eq!(found.top[0].label, example["label"].as_str().unwrap(), "{example}");
    }
    // The words stand in the middle of silence.
    let clip = sound(&examples[0]);
    let options = ExplainOptions { method: "integrated_gradients".into(), ..Default::default() };
    let (found, _) =
        pollster::block_on(explainer.explain(&Input::Sound(&clip), &options, &Default::default())).unwrap();
    assert!(inside(&found, (0.3, 0.7), (0.0, 8000.0)) > 0.8, "{:?}", found.words);
    // Its front end takes out how loud a sound is: a whisper of the clip is heard as the clip, and no steps find the slope in between.
    let told = |found: &Explanation, what: &str| found.words.iter().any(|word| word.contains(what));
    assert!(told(&found, "The score jumps at the baseline"), "{:?}", found.words);
    assert!(!told(&found, "More steps come closer"), "{:?}", found.words);
    // An attack gathers in some parts of the word more than in others.
    let options = ExplainOptions { method: "axai".into(), ..Default::default() };
    for example in examples.iter().step_by(9) {
        let (found, _) = pollster::block_on(explainer.explain(
            &Input::Sound(&sound(example)),
            &options,
            &Default::default(),
        ))
        .unwrap();
        let cut = found.segments.unwrap();
        let mut densities = cut.values.clone();
        densities.sort_unstable_by(|a, b| b.total_cmp(a));
        densities.dedup();
        let full = cut.values.iter().filter(|&&density| density == 1.0).count();
        assert!(full < 5 && densities.len() > 20, "{example}: {full} of {densities:?}");
    }
    // From noise on, the score changes little by little.
    let mut state = 1u32;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        0.1 * ((state >> 8) as f32 / (1 << 23) as f32 - 1.0)
    };
    let samples = (0..explainer.sound_info().unwrap().length).map(|_| noise()).collect();
    let noise = Waveform::mono(samples, explainer.sound_info().unwrap().rate).unwrap();
    let (baseline, _) = explainer.prepare(&Input::Sound(&noise)).unwrap();
    let options = ExplainOptions {
        method: "integrated_gradients".into(),
        given: [("baseline".to_owned(), baseline)].into(),
        ..Default::default()
    };
    let (found, _) =
        pollster::block_on(explainer.explain(&Input::Sound(&clip), &options, &Default::default())).unwrap();
    assert!(!told(&found, "jumps"), "{:?}", found.words);
}

#[test]
fn gradients_through_front_ends_are_finite_differences() {
    let sound = word();
    let places = data("gradient_places");
    for name in ["ast", "whisper", "seamless", "decibels", "micro"] {
        let explainer = load(&format!("{name}_sum"), &declared(name, SoundView::Samples), &sound).unwrap();
        let (input, _) = explainer.prepare(&Input::Sound(&sound)).unwrap();
        let all = pollster::block_on(explainer.input_gradient(&input, 1, Score::Logit)).unwrap();
        assert_eq!(all.data.len(), sound.length());
        let found: Vec<f32> = places.iter().map(|&place| all.data[place as usize]).collect();
        let wrong = apart(&found, &data(&format!("{name}_gradient")));
        assert!(wrong < 1e-3, "{name}: {wrong}");
    }
}

#[test]
fn several_sounds_at_once_are_heard_as_one_by_one() {
    let sound = word();
    let half =
        Waveform::mono(word().channels()[0].iter().map(|value| value / 2.0).collect(), 16_000).unwrap();
    for name in ["whisper_sum", "decibels_sum", "tones"] {
        let preparation = match name.strip_suffix("_sum") {
            Some(name) => declared(name, SoundView::Cells),
            None => SoundPreparation::of_samples(Some(16_000)).unwrap(),
        };
        let explainer = load(name, &preparation, &sound).unwrap();
        let rows = [&sound, &half].map(|sound| explainer.prepare(&Input::Sound(sound)).unwrap().0);
        let alone = rows.clone().map(|row| pollster::block_on(explainer.logits(&row)).unwrap().data).concat();
        let mut shape = rows[0].shape.clone();
        shape[0] = 2;
        let both = HostTensor::new(rows.map(|row| row.data).concat(), shape).unwrap();
        let together = pollster::block_on(explainer.logits(&both)).unwrap().data;
        assert!(apart(&together, &alone) < 1e-5, "{name}: {together:?}, {alone:?}");
    }
}

#[test]
fn files_of_every_kind_hold_the_word() {
    let right = clip("three.wav");
    assert_eq!(clip("three.flac"), right);
    for (name, least) in [("three.mp3", 20.0), ("three.ogg", 12.0)] {
        let found = clip(name);
        assert_eq!((found.rate(), found.channels().len()), (right.rate(), 1), "{name}");
        let [found, right] = [&found, &right].map(|sound| sound.channels()[0].clone());
        assert!(
            found.len().abs_diff(right.len()) < 1200,
            "{name}: {} of {} samples",
            found.len(),
            right.len()
        );
        let length = found.len().min(right.len());
        let ratio = ratio(&found[..length], &right[..length]);
        assert!(ratio > least, "{name}: {ratio} dB");
    }
}

#[test]
fn resampling_is_soxrs() {
    let word = clip("three.wav");
    let pairs = [
        (resample(&word.channels()[0], 22_050, 16_000), "three_16k"),
        (resample(&data("chirp"), 44_100, 16_000), "chirp_16k"),
        (resample(&data("chirp"), 44_100, 48_000), "chirp_48k"),
    ];
    for (found, name) in pairs {
        let right = data(name);
        assert!(found.len().abs_diff(right.len()) <= 1, "{name}");
        let length = found.len().min(right.len());
        // Away from the ends, where filters of other lengths see other parts of the silence around.
        let middle = 100..length - 100;
        let ratio = ratio(&found[middle.clone()], &right[middle]);
        assert!(ratio > 60.0, "{name}: {ratio} dB");
    }
}

/// A wave that rises to a frequency that the lower rate still holds, and soxr's of it.
#[test]
fn resampling_between_all_usual_rates_is_soxrs() {
    let index = crate::common::json(&format!("{FOLDER}/resampling/index.json"));
    for case in index["cases"].as_array().unwrap() {
        let number = |name: &str| case[name].as_f64().unwrap();
        let (name, from, to) = (case["name"].as_str().unwrap(), number("from"), number("to"));
        let last = (number("samples") - 1.0) / from;
        let wave = (0..number("samples") as usize).map(|n| {
            let t = n as f64 / from;
            let edge = (PI / 2.0 * (t.min(last - t) / 0.02).clamp(0.0, 1.0)).sin().powi(2);
            (0.5 * (PI * number("highest") * t * t / last).sin() * edge) as f32
        });
        let found = resample(&wave.collect::<Vec<_>>(), from as u32, to as u32);
        let right = data(&format!("resampling/{name}"));
        assert!(found.len().abs_diff(right.len()) <= 1, "{name}: {} of {}", found.len(), right.len());
        let length = found.len().min(right.len());
        let ratio = ratio(&found[..length], &right[..length]);
        assert!(ratio > 60.0, "{name}: {ratio} dB");
    }
}

#[test]
fn the_answer_is_onnxruntimes() {
    for view in [SoundView::Cells, SoundView::Samples] {
        let (explainer, sound) = tones(view);
        let found = pollster::block_on(explainer.classify(&Input::Sound(&sound), 2)).unwrap();
        assert_eq!(found.top[0].label, "low");
        let found = [found.top[0].probability, found.top[1].probability];
        assert!(apart(&found, &data("tones_answer")) < 1e-5, "{view:?}: {found:?}");
    }
}

/// The part of a map's weight above 0 that lies in these seconds and frequencies.
fn inside(explanation: &Explanation, seconds: (f64, f64), hertz: (f64, f64)) -> f64 {
    let weight = |part: &Part| f64::from(part.score.max(0.0));
    let total: f64 = explanation.parts.iter().map(weight).sum();
    let is_inside = |part: &&Part| {
        let (time, band) = ((part.start, part.end), (part.low.unwrap(), part.high.unwrap()));
        time.1 > seconds.0 && time.0 < seconds.1 && band.1 > hertz.0 && band.0 < hertz.1
    };
    explanation.parts.iter().filter(is_inside).map(weight).sum::<f64>() / total
}

#[test]
fn every_kind_of_method_finds_the_tone_that_the_answer_hangs_on() {
    let (explainer, sound) = tones(SoundView::Cells);
    for (method, least, params) in [
        ("saliency", 0.9, json!({})),
        ("integrated_gradients", 0.99, json!({ "steps": 20 })),
        ("input_x_gradient", 0.99, json!({})),
        ("smoothgrad", 0.5, json!({ "samples": 10 })),
        ("agi", 0.4, json!({})),
        ("lime", 0.9, json!({ "samples": 300 })),
        ("kernel_shap", 0.9, json!({})),
        ("occlusion", 0.99, json!({})),
    ] {
        for (target, seconds, hertz) in [(0, (0.1, 0.4), (450.0, 550.0)), (1, (0.6, 0.9), (1900.0, 2100.0))] {
            let found = explain(&explainer, &sound, method, target, params.clone());
            let share = inside(&found, seconds, hertz);
            // What tells the answer from others is asked of the answer.
            if method == "agi" && target == 1 {
                continue;
            }
            assert!(share > least, "{method}, class {target}: {share}");
            assert_eq!(found.heatmap.shape, [257, 126]);
            let words = found.words.join(" ");
            assert!(words.contains(" s, ") && words.contains("Hz"), "{words}");
        }
    }
}

#[test]
fn axais_densest_segments_lie_where_the_tone_is() {
    let (explainer, sound) = tones(SoundView::Cells);
    let found = explain(&explainer, &sound, "axai", 0, json!({}));
    let cut = found.segments.as_ref().unwrap();
    assert!((90..120).contains(&cut.values.len()), "{}", cut.values.len());
    let chosen: Vec<&Part> = cut.chosen.iter().map(|&part| &found.parts[part as usize]).collect();
    let near = chosen.iter().filter(|part| {
        part.end > 0.1 && part.start < 0.4 && part.high.unwrap() > 250.0 && part.low.unwrap() < 1000.0
    });
    assert!(near.count() >= 3, "{chosen:?}");
}

#[test]
fn attributions_of_cells_add_up_to_the_change_of_the_score() {
    let (explainer, sound) = tones(SoundView::Cells);
    let found =
        explain(&explainer, &sound, "integrated_gradients", 0, json!({ "steps": 100, "score": "logit" }));
    let sum: f32 = found.parts.iter().map(|part| part.score).sum();
    // Silence has a score of 0.
    assert!((sum - found.info.target.logit).abs() < 0.01 * sum.abs(), "{sum}, {}", found.info.target.logit);
    assert!(found.words.iter().any(|words| words.contains("silence")), "{:?}", found.words);
}

#[test]
fn windows_of_time_are_told_in_seconds() {
    let (explainer, sound) = tones(SoundView::Samples);
    for method in ["integrated_gradients", "lime"] {
        let found = explain(&explainer, &sound, method, 1, json!({}));
        assert!(inside(&found, (0.6, 0.9), (0.0, 8000.0)) > 0.95, "{method}");
        let heard = heard(&explainer, &sound, &found);
        assert!(level(&heard.only.channels()[0][1600..6400]) < 0.02, "{method}");
    }
}

#[test]
fn a_node_of_a_network_that_hears_is_explained_for_a_sound() {
    let sound = clip("tones.wav");
    let preparation = SoundPreparation::of_samples(Some(16_000)).unwrap();
    let options = ModelOptions { at: Some("heard".into()), ..Default::default() };
    let bytes = read(&format!("{FOLDER}/tones.onnx"));
    let explainer =
        Explainer::load_for_sound(&bytes[..].into(), &options, &preparation, &sound, &cpu()).unwrap();
    let found = explain(&explainer, &sound, "saliency", 0, json!({}));
    // Two filters for each tone, and a step each 64 samples.
    assert_eq!(found.attribution.shape, [1, 4, 247]);
    assert!(found.parts.is_empty());
    assert!(explainer.heard(&sound, None, &[]).is_err());
}

/// How loud a tone is in a part of a sound.
fn tone(samples: &[f32], hertz: f64, range: std::ops::Range<usize>) -> f64 {
    let wave = |shift: f64| {
        range
            .clone()
            .map(|n| f64::from(samples[n]) * (2.0 * PI * hertz * n as f64 / 16_000.0 + shift).sin())
            .sum::<f64>()
    };
    2.0 * wave(0.0).hypot(wave(PI / 2.0)) / range.len() as f64
}

#[test]
fn only_what_mattered_is_heard_and_what_is_left_is_the_rest() {
    let (explainer, sound) = tones(SoundView::Cells);
    let (low, high) = (2400..5600, 10_400..13_600);
    for (method, params) in [("integrated_gradients", json!({})), ("lime", json!({ "k": 8 }))] {
        let found = explain(&explainer, &sound, method, 1, params);
        let Heard { sound: whole, only, left, only_gain, left_gain } = heard(&explainer, &sound, &found);
        let [whole, only, left] = [&whole, &only, &left].map(|sound| sound.channels()[0].clone());
        assert_eq!((whole.len(), only.len()), (16_000, 16_000));
        let (kept, gone) = (tone(&only, 2000.0, high.clone()), tone(&only, 500.0, low.clone()));
        assert!(kept > 0.1 && gone < 0.01 * kept, "{method}: {kept}, {gone}");
        assert!(tone(&left, 500.0, low.clone()) > 0.2, "{method}");
        let loud = (level(&only) / level(&whole) - 1.0).abs();
        assert!(loud < 0.01 || only_gain >= 2.0, "{method}: {loud}, {only_gain}");
        for at in (0..whole.len()).step_by(7) {
            let sum = f64::from(only[at]) / only_gain + f64::from(left[at]) / left_gain;
            assert!((sum - f64::from(whole[at])).abs() < 1e-5);
        }
        // And the network agrees: what mattered for "high" alone is high.
        let only = Waveform::mono(only, 16_000).unwrap();
        let answer = pollster::block_on(explainer.classify(&Input::Sound(&only), 1)).unwrap();
        assert_eq!(answer.top[0].label, "high", "{method}");
    }
}

#[test]
fn an_attack_on_cells_can_be_heard() {
    let (explainer, sound) = tones(SoundView::Cells);
    let input = explainer.prepare(&Input::Sound(&sound)).unwrap().0;
    // Twenty decibels below the sound: changes of a spectrum that are those of no sound vanish on the way back.
    let whole_spectrum = input.data.iter().map(|value| value * value).sum::<f32>().sqrt();
    let options = AttackOptions {
        epsilon: 0.1 * whole_spectrum,
        norm: Norm::L2,
        towards: Some(1),
        ..Default::default()
    };
    let found = pollster::block_on(attack(&explainer, &input, &options, 2, &Default::default())).unwrap();
    let changed = explainer.sound_of(&found.input).unwrap();
    let whole = sound.mixed();
    assert_eq!(changed.length(), whole.len());
    let ratio = ratio(&changed.channels()[0], &whole);
    assert!((19.0..40.0).contains(&ratio), "{ratio} dB");
    let before = pollster::block_on(explainer.classify(&Input::Sound(&sound), 2)).unwrap();
    let after = pollster::block_on(explainer.classify(&Input::Sound(&changed), 2)).unwrap();
    let high = |found: &Classification| found.top.iter().find(|class| class.index == 1).unwrap().probability;
    assert!(high(&after) > high(&before) + 0.02, "{} {}", high(&before), high(&after));
}

#[test]
fn a_network_of_a_fixed_size_hears_so_much_and_says_so() {
    let sound = clip("tones.wav");
    let preparation = SoundPreparation::of_samples(Some(48_000)).unwrap();
    let explainer = load("tones_48k", &preparation, &sound).unwrap();
    let info = explainer.info();
    assert_eq!(info.sound.as_ref().unwrap().length, 24_000);
    assert!(info.preprocessing_notes.join(" ").contains("24000 samples"), "{:?}", info.preprocessing_notes);
    let answer = pollster::block_on(explainer.classify(&Input::Sound(&sound), 1)).unwrap();
    // The first half holds the low tone alone.
    assert!(answer.top[0].index == 0 && answer.top[0].probability > 0.6, "{answer:?}");
    let words = explain(&explainer, &sound, "saliency", 0, json!({})).words.join(" ");
    for says in
        ["mean of its 2 channels", "16000 samples a second", "0.50 s, and the rest of the 1.00 s is left out"]
    {
        assert!(words.contains(says), "{words}");
    }
    let short = Waveform::mono(sound.mixed()[..6400].to_vec(), 16_000).unwrap();
    let explainer = load("tones_48k", &preparation, &short).unwrap();
    let words = explain(&explainer, &short, "saliency", 0, json!({})).words.join(" ");
    assert!(words.contains("silence follows the 0.40 s"), "{words}");
    let other = Waveform::mono(sound.mixed()[..3200].to_vec(), 16_000).unwrap();
    let error = pollster::block_on(explainer.classify(&Input::Sound(&other), 1)).unwrap_err();
    assert_eq!(error.code(), "input_invalid");
}

#[test]
fn deletion_silences_cells_and_insertion_brings_them_back() {
    let (explainer, sound) = tones(SoundView::Cells);
    // The probability is what both games follow. The logit of the high tone does not depend on the low one, whose cells would be
    // ordered by rounding alone.
    let params = json!({ "steps": 20, "score": "probability" });
    let found = explain(&explainer, &sound, "integrated_gradients", 1, params);
    let random = HostTensor {
        data: (0..found.attribution.data.len()).map(|n| (n * 7919 % 104_729) as f32 / 104_729.0).collect(),
        shape: found.attribution.shape.clone(),
    };
    let input = explainer.prepare(&Input::Sound(&sound)).unwrap().0;
    let control = Control::default();
    let measure = |metric: &str, map: &HostTensor| {
        let judged =
            Assessment::new(&explainer, &input, map, 1, &control).unwrap().with_channels(Channels::Mean);
        let params = json!({ "step": 2000 });
        let Value::Object(params) = params else { panic!("no object") };
        pollster::block_on(measure(&judged, metric, &params)).unwrap().finding.value
    };
    assert!(measure("deletion", &found.attribution) < measure("deletion", &random) - 0.02);
    assert!(measure("insertion", &found.attribution) > measure("insertion", &random) + 0.02);
}

fn run(arguments: &[&str]) -> (bool, String, String) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_adversight")).args(arguments).current_dir(root()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.success(), text(&output.stdout), text(&output.stderr))
}

fn scratch(name: &str) -> (PathBuf, String) {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    (path.clone(), path.to_str().unwrap().to_owned())
}

#[test]
fn the_command_line_says_when_and_at_which_pitch_and_writes_what_mattered() {
    let network = format!("{FOLDER}/tones.onnx");
    let clip = format!("{FOLDER}/tones.wav");
    let common = ["explain", "--model", &network, "--input", &clip, "--method", "saliency", "--target", "1"];
    let (wav, wav_text) = scratch("only.wav");
    let (left, left_text) = scratch("left.wav");
    let (json, json_text) = scratch("sound.json");
    let (png, png_text) = scratch("sound.png");
    let (html, html_text) = scratch("sound.html");
    let more = [
        "--wav",
        &wav_text,
        "--left-wav",
        &left_text,
        "--json",
        &json_text,
        "--png",
        &png_text,
        "--html",
        &html_text,
    ];
    let (done, words, notes) = run(&[&common[..], &more].concat());
    assert!(done, "{notes}");
    assert!(words.contains("0.6") && words.contains("2000 Hz") || words.contains("2000"), "{words}");
    assert!(notes.contains("16000 are assumed; the option `rate`"), "{notes}");
    let only = decode(&std::fs::read(wav).unwrap()).unwrap();
    assert!(tone(&only.channels()[0], 2000.0, 10_400..13_600) > 0.1);
    assert!(tone(&only.channels()[0], 500.0, 2400..5600) < 0.02);
    assert!(image::open(png).unwrap().width() >= 800);
    let html = std::fs::read_to_string(html).unwrap();
    assert_eq!(html.matches("<audio controls src=\"data:audio/wav;base64,").count(), 3);
    assert!(html.contains("<img ") && !html.contains("http://") && !html.contains("https://"));
    let left = decode(&std::fs::read(left).unwrap()).unwrap();
    assert!(tone(&left.channels()[0], 500.0, 2400..5600) > 0.2);
    let report: Value = serde_json::from_slice(&std::fs::read(json).unwrap()).unwrap();
    assert!(report["parts"].as_array().unwrap().len() > 50);
    assert_eq!(report["model"]["sound"]["rate"], 16_000);
    let (done, words, _) = run(&[&common[..], &["--view", "samples", "--rate", "16000"]].concat());
    assert!(done && words.contains(" s: half of the weight"), "{words}");
    let (done, out, _) = run(&["classify", "--model", &network, "--input", &clip, "--top", "1"]);
    assert!(done && out.contains("61.61 %"), "{out}");
}

#[test]
fn what_cannot_be_heard_has_its_own_sentence() {
    let file = |name: &str, bytes: &[u8]| {
        let (path, text) = scratch(name);
        std::fs::write(path, bytes).unwrap();
        text
    };
    let sound = |samples: usize| wav(&Waveform::mono(vec![0.1; samples], 16_000).unwrap());
    let mut long = sound(100);
    let bytes = 16_000u32 * 2 * 36_000;
    long[4..8].copy_from_slice(&(bytes + 36).to_le_bytes());
    long[40..44].copy_from_slice(&bytes.to_le_bytes());
    let mut rate = sound(100);
    rate[24..28].copy_from_slice(&1u32.to_le_bytes());
    let mut none = sound(2);
    none[40..44].copy_from_slice(&0u32.to_le_bytes());
    none.truncate(44);
    let mut one = sound(2);
    one[40..44].copy_from_slice(&2u32.to_le_bytes());
    one.truncate(46);
    // 32-bit floats, of which one is NaN.
    let mut broken = sound(4);
    broken[20] = 3;
    broken[32..36].copy_from_slice(&[4, 0, 32, 0]);
    broken[28..32].copy_from_slice(&64_000u32.to_le_bytes());
    broken.truncate(44);
    for value in [0.0, f32::NAN, 0.5, 0.5] {
        broken.extend(value.to_le_bytes());
    }
    let size = (broken.len() as u32 - 44).to_le_bytes();
    broken[40..44].copy_from_slice(&size);
    let size = (broken.len() as u32 - 8).to_le_bytes();
    broken[4..8].copy_from_slice(&size);
    let network = format!("{FOLDER}/tones.onnx");
    for (name, bytes, says) in [
        ("none.wav", &none, "length of zero"),
        ("one.wav", &one, "a single sample"),
        ("long.wav", &long, "10 hours long, more than the 10 minutes"),
        ("nan.wav", &broken, "1 sample(s) that are no finite number, the first at 1"),
        ("rate.wav", &rate, "1 samples a second, which is no rate"),
        ("empty.wav", &Vec::new(), "The file is empty"),
        ("text.mp3", &b"this is a text, and not a sound".to_vec(), "no sound that can be read"),
        ("video.mp4", &[&[0, 0, 0, 24][..], b"ftypisom", &[0; 64]].concat(), "an MP4 file without sound"),
    ] {
        let path = file(name, bytes);
        let (done, _, error) = run(&["classify", "--model", &network, "--input", &path]);
        assert!(!done && error.contains(says) && !error.contains("panicked"), "{name}: {error}");
    }
    let clip = format!("{FOLDER}/tones.wav");
    for (arguments, says) in [
        (&["--model", "tests/fixtures/tiny.onnx", "--input", &clip][..], "preprocessing_invalid"),
        (&["--model", &network, "--input", &clip, "--rate", "5"], "a sampling rate of 5"),
        (
            &["--model", &network, "--input", &clip, "--preprocessing", "tests/fixtures/tiny.json"],
            "preparation of sounds",
        ),
        (
            &["--model", &network, "--input", &clip, "--preprocessing", "tests/fixtures/sound/whisper.json"],
            "80 bands and 100 frames",
        ),
        (
            &[
                "--model",
                &network,
                "--input",
                &clip,
                "--preprocessing",
                "tests/fixtures/sound/wav2vec2.json",
                "--rate",
                "8000",
            ],
            "leave one",
        ),
    ] {
        let (done, out, error) = run(&[&["classify"][..], arguments].concat());
        assert!(!done && error.contains(says) && !error.contains("panicked"), "{arguments:?}: {out}{error}");
    }
}
