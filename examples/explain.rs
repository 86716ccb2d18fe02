//! Explains a picture: which class, which pixels, how sure one can be.
//!
//! cargo run --release --example explain -- www/public/models/squeezenet1_1 www/public/photos/chelsea.jpg agi
//!
//! Reads MODEL.onnx and the preprocessing that is declared in MODEL.json, and writes `explanation.png`.

use std::{error::Error, fs};

use adversight::{
    Control, Device, DeviceChoice, ExplainOptions, Explainer, Input, Photograph, Preprocessing,
    metric::{self, Assessment},
    render::{ColourMap, overlay},
};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, picture, method] = &arguments[..] else {
        return Err("usage: explain MODEL PICTURE METHOD (MODEL.onnx and MODEL.json are read)".into());
    };
    pollster::block_on(explain(model, picture, method))
}

async fn explain(model: &str, picture: &str, method: &str) -> Result<(), Box<dyn Error>> {
    // First: a device, and a network on it that knows how its pictures are prepared.
    let device = Device::open(DeviceChoice::Auto).await?;
    let declared: serde_json::Value = serde_json::from_str(&fs::read_to_string(format!("{model}.json"))?)?;
    let preprocessing =
        Preprocessing::from_json(&declared.get("preprocessing").unwrap_or(&declared).to_string())?;
    let explainer =
        Explainer::load(&fs::read(format!("{model}.onnx"))?, &device)?.with_preprocessing(preprocessing)?;

    // Second: a picture, and why the network says what it says.
    let photograph = Photograph::decode(&fs::read(picture)?)?;
    let options = ExplainOptions { method: method.into(), ..Default::default() };
    let control = Control::default();
    let (explanation, region) =
        explainer.explain(&Input::Photograph(&photograph), &options, &control).await?;
    println!("{}", explanation.words.join(" "));
    println!(
        "{:?} on {}, {:.0} ms",
        explanation.info.params,
        device.report().name,
        explanation.info.milliseconds
    );

    // Third: how much of it is true. Insertion shows the network the most important pixels first.
    let (tensor, _) = explainer.prepare(&Input::Photograph(&photograph))?;
    let assessment = Assessment::of(&explainer, &tensor, &explanation, &options, &control)?;
    let insertion = metric::measure(&assessment, "insertion", &Default::default()).await?;
    println!("insertion {:.3}", insertion.finding.value);

    if let Some(region) = region {
        overlay(photograph.rgb(), &explanation.heatmap, region, ColourMap::Magma, 0.8)
            .save("explanation.png")?;
        println!("written: explanation.png");
    }
    Ok(())
}
