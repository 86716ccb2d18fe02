//! Runs a network natively whenever a line of the standard input asks for it, and says how many milliseconds it took: the side of this
//! project in `tests/bench/native.py`.
//!
//! `speed MODEL.onnx BATCH`; a line is `forward` or `gradient`.

use std::{
    error::Error,
    io::{self, BufRead, Write},
    time::Instant,
};

use adversight::{Device, DeviceChoice, Explainer, HostTensor, Score};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, model, batch] = &arguments[..] else { return Err("usage: speed MODEL.onnx BATCH".into()) };
    pollster::block_on(async {
        let device = Device::open(DeviceChoice::Cpu).await?;
        let explainer = Explainer::load(&std::fs::read(model)?, &device)?;
        let mut shape: Vec<usize> =
            explainer.info().graph.input.shape.iter().map(|size| size.unwrap_or(1)).collect();
        shape[0] = batch.parse()?;
        let numbers: usize = shape.iter().product();
        let input = HostTensor::new((0..numbers).map(|i| (i as f32 * 0.37).sin()).collect(), shape)?;
        println!("ready");
        for line in io::stdin().lock().lines() {
            let begin = Instant::now();
            match line?.as_str() {
                "forward" => drop(explainer.logits(&input).await?),
                "gradient" => drop(explainer.input_gradient(&input, 0, Score::Logit).await?),
                other => return Err(format!("{other} is neither forward nor gradient").into()),
            }
            println!("{}", begin.elapsed().as_secs_f64() * 1e3);
            io::stdout().flush()?;
        }
        Ok(())
    })
}
