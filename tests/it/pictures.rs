//! Picture files of every kind and their preparation, beside Pillow, LittleCMS and Hugging Face's classes
//! (tests/reference/pictures.py), and pictures of any shape within bounds of time and memory.

use std::{
    fs,
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use crate::common::{self, operators};
use adversight::{
    Explainer, HostTensor, Input, Photograph, Preprocessing,
    input::{labels::Labels, preprocessing::Size},
};
use image::{ImageEncoder, codecs::png::PngEncoder};
use onnx_ir::NodeProto;
use serde_json::{Value, json};

const FOLDER: &str = "tests/fixtures/pictures";

fn index() -> Value {
    common::json(&format!("{FOLDER}/index.json"))
}

fn bytes(hex: &Value) -> Vec<u8> {
    let hex = hex.as_str().unwrap().as_bytes();
    hex.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn decoded(file: &str) -> adversight::Result<Photograph> {
    Photograph::decode(&common::read(&format!("{FOLDER}/{file}")))
}

#[test]
fn files_of_every_kind_are_read_as_pillow_reads_them() {
    let index = index();
    let cases = index["files"].as_array().unwrap();
    assert!(cases.len() > 100);
    for case in cases {
        let file = case["file"].as_str().unwrap();
        let photograph = decoded(file).unwrap_or_else(|error| panic!("{file}: {error}"));
        let size = [photograph.height(), photograph.width()].map(|side| side as u64);
        assert_eq!(size, ["height", "width"].map(|side| case[side].as_u64().unwrap()), "{file}");
        let right = bytes(&case["rgb"]);
        let differences = photograph.rgb().iter().zip(&right).map(|(a, b)| a.abs_diff(*b));
        let largest = differences.max().unwrap();
        assert!(u64::from(largest) <= case["tolerance"].as_u64().unwrap(), "{file}: {largest}");
    }
}

#[test]
fn files_that_are_not_read_are_named_with_those_that_are() {
    let avif = b"\0\0\0\x20ftypavif\0\0\0\0avifmif1miaf".to_vec();
    let heic = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic".to_vec();
    for (name, file) in [
        ("AVIF", avif),
        ("HEIC", heic),
        ("JPEG XL", vec![0xff, 0x0a, 0, 0]),
        ("PDF", b"%PDF-1.7".to_vec()),
        ("known here", b"just a text".to_vec()),
        ("empty", Vec::new()),
    ] {
        let error = Photograph::decode(&file).unwrap_err();
        assert_eq!(error.code(), "input_invalid");
        let message = error.to_string();
        assert!(message.contains(name) && (file.is_empty() || message.contains("PNG, WebP")), "{message}");
    }
}

/// Decoders fill what is missing with grey: such a file has to be refused before.
#[test]
fn files_that_end_too_early_are_refused() {
    for file in [
        "rgb.png",
        "subsampling_2.jpg",
        "progressive.jpg",
        "ycck.jpg",
        "lossy.webp",
        "turned_6.webp",
        "rgb.bmp",
        "rgb.tif",
    ] {
        let whole = common::read(&format!("{FOLDER}/{file}"));
        for part in [30, 50, 70, 90] {
            let found = Photograph::decode(&whole[..whole.len() * part / 100]);
            assert_eq!(found.err().map(|error| error.code()), Some("input_invalid"), "{part} % of {file}");
        }
    }
}

/// Files that were cut off or scratched give an error or a picture, and never a panic.
#[test]
fn damaged_files_are_no_danger() {
    let index = index();
    let mut seed = 7u32;
    let mut draw = |below: usize| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 8) as usize % below
    };
    let started = Instant::now();
    for case in index["files"].as_array().unwrap() {
        let file = case["file"].as_str().unwrap();
        let whole = common::read(&format!("{FOLDER}/{file}"));
        let mut scratched = whole.clone();
        for _ in 0..3 {
            let at = draw(whole.len());
            scratched[at] = draw(256) as u8;
        }
        for damaged in [&whole[..draw(whole.len())], &scratched] {
            if let Err(error) = Photograph::decode(damaged) {
                assert!(["input_invalid", "input_too_large"].contains(&error.code()), "{file}: {error}");
            }
        }
    }
    assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
}

#[test]
fn pictures_are_prepared_as_pillow_and_hugging_face_do() {
    let index = index();
    let cases = index["preparations"].as_array().unwrap();
    assert!(cases.len() > 60);
    for case in cases {
        let config = &case["config"];
        let channels = case["channels"].as_u64().unwrap() as usize;
        let declared = Preprocessing::from_json(&config.to_string())
            .and_then(|declared| declared.for_channels(channels))
            .unwrap_or_else(|error| panic!("{config}: {error}"));
        let unknown = declared.notes.iter().any(|note| note.contains("not known"));
        assert!(!unknown, "{config}: {:?}", declared.notes);
        let photograph = decoded(case["file"].as_str().unwrap()).unwrap();
        let ours = photograph.prepare(&declared, None).unwrap().0;
        let shape: Vec<usize> = serde_json::from_value(case["shape"].clone()).unwrap();
        assert_eq!(ours.shape[1..], shape, "{config}");
        let right = match case["tensor"].as_str() {
            Some(file) => common::npy(&format!("{FOLDER}/{file}")).data,
            None => bytes(&case["bytes"]).into_iter().map(f32::from).collect(),
        };
        let largest = right.iter().fold(1.0f32, |most, value| most.max(value.abs()));
        let differences = ours.data.iter().zip(&right).map(|(a, b)| (a - b).abs());
        let worst = differences.fold(0.0, f32::max);
        assert!(worst <= 2e-5 * largest, "{config}: {worst}");
    }
}

/// The mean of each channel as a network of pictures of this size; of a single channel twice, for there are two classes.
fn means(channels: usize, height: usize, width: usize) -> Explainer {
    let node = |operator: &str, inputs: &[&str], output: &str| NodeProto {
        op_type: operator.into(),
        input: inputs.iter().map(|&input| input.into()).collect(),
        output: vec![output.into()],
        ..Default::default()
    };
    let mut scores = node("Concat", &["flat"], "y");
    scores.input.resize(if channels == 1 { 2 } else { 1 }, "flat".into());
    scores.attribute = vec![operators::int("axis", 1)];
    let onnx = operators::model(
        13,
        vec![node("GlobalAveragePool", &["x"], "pooled"), node("Flatten", &["pooled"], "flat"), scores],
        vec![],
        vec![operators::declared("x", operators::FLOAT, Some(&[1, channels, height, width]))],
        vec![operators::declared("y", operators::FLOAT, Some(&[1, channels.max(2)]))],
    );
    Explainer::load(&onnx, &common::cpu()).unwrap()
}

#[test]
fn files_and_pixels_give_the_same_numbers() {
    let declared = Preprocessing::from_json(r#"{"size": [8, 8], "resample": 3}"#).unwrap();
    let explainer = means(3, 8, 8).with_preprocessing(declared).unwrap();
    let file = common::read(&format!("{FOLDER}/rgba.png"));
    let rgba = image::load_from_memory(&file).unwrap().into_rgba8();
    assert!(rgba.pixels().any(|pixel| pixel.0[3] == 0), "some of it is quite transparent");
    let (width, height) = (rgba.width() as usize, rgba.height() as usize);
    let pixels = explainer.prepare(&Input::Pixels { rgba: rgba.as_raw(), width, height }).unwrap();
    let photograph = decoded("rgba.png").unwrap();
    assert_eq!(pixels, explainer.prepare(&Input::Photograph(&photograph)).unwrap());
    assert_eq!(photograph.rgb(), decoded("rgb.png").unwrap().rgb());
}

#[test]
fn one_mean_fits_grey_and_coloured_networks() {
    let photograph = decoded("rgb.png").unwrap();
    for (channels, config) in [
        (1, json!({ "image_mean": 0.5, "image_std": 0.5 })),
        (1, json!({ "image_mean": [0.5], "image_std": [0.5] })),
        (1, json!({ "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5] })),
        (1, json!({ "do_normalize": false, "do_rescale": true })),
        (3, json!({ "image_mean": 0.5, "image_std": 0.5 })),
        (3, json!({ "image_mean": 0.5, "image_std": 0.5, "do_convert_grayscale": true })),
    ] {
        let declared = Preprocessing::from_json(&config.to_string()).unwrap();
        let explainer = means(channels, 9, 14).with_preprocessing(declared).unwrap();
        let (tensor, _) = explainer.prepare(&Input::Photograph(&photograph)).unwrap();
        assert_eq!(tensor.shape, [1, channels, 9, 14], "{config}");
        if config["do_convert_grayscale"] == true {
            assert_eq!(tensor.data[..126], tensor.data[126..252]);
        }
    }
    let coloured = r#"{"image_mean": [0.1, 0.2, 0.3], "image_std": 1}"#;
    let refused = means(1, 9, 14).with_preprocessing(Preprocessing::from_json(coloured).unwrap());
    assert_eq!(refused.err().unwrap().code(), "preprocessing_invalid");
}

#[test]
fn what_is_assumed_is_told_with_the_model() {
    let notes = |config: Value| {
        let declared = Preprocessing::from_json(&config.to_string()).unwrap();
        means(3, 8, 8).with_preprocessing(declared).unwrap().info().preprocessing_notes
    };
    assert_eq!(notes(json!({ "size": [8, 8], "resample": 2 })), Vec::<String>::new());
    let kept = json!({ "size": { "longest_edge": 8 }, "resample": 2, "do_pad": true, "pad_size": [8, 8] });
    assert_eq!(notes(kept), Vec::<String>::new());
    let stretched = notes(json!({ "size": { "longest_edge": 8 }, "resample": 2 }));
    assert!(stretched[0].contains("proportions") && stretched[0].contains("8 x 8"), "{stretched:?}");
    let twice = notes(json!({ "size": [6, 6], "resample": 2, "do_sharpen": false, "sharpness": 3 }));
    assert!(twice[0].contains("sharpness") && twice[1].contains("6 x 6"), "{twice:?}");
    assert!(means(3, 8, 8).info().preprocessing_notes.is_empty());
}

/// What lies beside a padded picture is 0 to the network, and the region says where the picture ends.
#[test]
fn padding_is_zero_in_model_space() {
    let config = json!({
        "size": { "longest_edge": 8 }, "resample": 2, "do_pad": true, "pad_size": [8, 8],
        "image_mean": [0.4, 0.5, 0.6], "image_std": 0.3,
    });
    let declared = Preprocessing::from_json(&config.to_string()).unwrap();
    // 14 x 9 becomes 8 x 5.
    let (tensor, region) = decoded("rgb.png").unwrap().prepare(&declared, None).unwrap();
    assert_eq!(tensor.shape, [1, 3, 8, 8]);
    for plane in tensor.data.chunks(64) {
        assert!(
            plane[40..].iter().all(|&value| value == 0.0) && plane[..40].iter().any(|&value| value != 0.0)
        );
    }
    assert_eq!((region.x, region.y, region.width), (0.0, 0.0, 14.0));
    assert!((region.height - 8.0 * 9.0 / 5.0).abs() < 1e-9);
    // A network of another size gets the same picture scaled, its border as near to 0 as a byte can be.
    let network = Some(Size { height: 4, width: 4 });
    let (smaller, same) = decoded("rgb.png").unwrap().prepare(&declared, network).unwrap();
    assert_eq!((smaller.shape, same), (vec![1, 3, 4, 4], region));
    assert!(smaller.data[12..16].iter().all(|value| value.abs() < 0.01));
}

/// A PNG of so many pixels, written where this test run has its files.
fn long(width: u32, height: u32) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("long_{width}x{height}.png"));
    let pixels: Vec<u8> = (0..width * height).map(|i| (i * 7 % 251) as u8).collect();
    let mut png = Vec::new();
    PngEncoder::new(&mut png).write_image(&pixels, width, height, image::ExtendedColorType::L8).unwrap();
    fs::write(&path, png).unwrap();
    path
}

#[test]
fn pictures_of_any_shape_are_prepared_or_refused_at_once() {
    let started = Instant::now();
    for (width, height) in [(1, 16_000), (16_000, 1), (60_000, 1), (1, 60_000), (2, 12_000), (12_000, 2)] {
        let photograph = Photograph::decode(&fs::read(long(width, height)).unwrap()).unwrap();
        let network = Some(Size { height: 224, width: 224 });
        for (config, fits) in [
            (json!({ "size": 256, "crop_size": 224, "resample": 3 }), true),
            (json!({ "size": [224, 224], "resample": 1 }), true),
            (json!({ "size": { "longest_edge": 224 } }), true),
            (json!({ "size": { "shortest_edge": 20, "longest_edge": 224 } }), true),
            (json!({ "do_resize": false, "crop_size": 224 }), true),
            (json!({ "do_normalize": false }), true),
            (json!({ "input_size": [3, 224, 224], "crop_mode": "border" }), true),
            // A few thousand million pixels, of which no crop takes a part.
            (json!({ "size": { "shortest_edge": 256 } }), false),
        ] {
            let declared = Preprocessing::from_json(&config.to_string()).unwrap();
            match photograph.prepare(&declared, network) {
                Ok((tensor, _)) => assert!(fits && tensor.shape == [1, 3, 224, 224], "{config}"),
                Err(error) => {
                    assert!(!fits, "{config}: {error}");
                    assert_eq!(error.code(), "input_invalid");
                    assert!(error.to_string().contains(&format!("{width} x {height}")), "{error}");
                }
            }
        }
    }
    // Two seconds where nothing else runs; a single one of these took 28.
    assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
}

/// The same on the command line, whose memory is bounded: 2 GB of addresses, threads and all.
#[cfg(target_os = "linux")]
#[test]
fn a_long_picture_takes_no_memory_to_speak_of() {
    for (width, height) in [(1, 16_000), (60_000, 1), (2, 12_000)] {
        let out = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("long.npy");
        let command = "ulimit -v 2000000; exec \"$0\" \"$@\"";
        let output = Command::new("sh")
            .args(["-c", command, env!("CARGO_BIN_EXE_adversight"), "logits", "--model"])
            .arg(common::root().join("tests/fixtures/tiny.onnx"))
            .arg("--input")
            .arg(long(width, height))
            .arg("--preprocessing")
            .arg(common::root().join("tests/fixtures/tiny.json"))
            .arg("--out")
            .arg(out)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn names_that_do_not_fit_are_refused_with_both_numbers() {
    let named = |text: &str| Labels::from_text(text).and_then(|labels| means(3, 4, 4).with_names(labels));
    assert!(named("red\ngreen\nblue").unwrap().info().has_labels);
    let input = HostTensor::new(vec![1.0; 48], vec![1, 3, 4, 4]).unwrap();
    let counted = named("1: green\n2: blue").unwrap();
    let top = pollster::block_on(counted.classify(&Input::Tensor(&input), 3)).unwrap().top;
    assert_eq!(top.iter().find(|class| class.index == 1).unwrap().label, "green");
    for text in ["red\ngreen", "0 red\n1 green", "a\nb\nc\nd"] {
        let error = named(text).err().unwrap();
        assert_eq!(error.code(), "labels_invalid");
        let (names, message) = (text.lines().count(), error.to_string());
        assert!(message.contains(&format!("{names} names for 3 classes")), "{message}");
    }
}
