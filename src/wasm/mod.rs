//! The boundary to JavaScript, and the only place that knows it.
//!
//! Values cross as plain objects whose TypeScript types are made from the Rust definitions; arrays of numbers
//! cross as `Float32Array`. Errors cross as `Error` objects with a `code` (see [`crate::Error::code`]) and,
//! where a node of the graph is at fault, a `node`.

mod convert;
mod proof;
#[cfg(feature = "threads")]
mod threads;
mod types;

use std::rc::Rc;

use js_sys::{Function, Object, Promise, Reflect};
use wasm_bindgen::{JsCast, prelude::*};
use wasm_bindgen_futures::JsFuture;

use crate::{
    Control, DetectOptions, Device, DeviceChoice, DeviceKind, Error, ExplainOptions, Explainer, Partial,
    Preprocessing, Progress,
    attribution::registry,
    input::labels::Labels,
    model::{self, ModelFile, Runner},
    render::ColourMap,
};
use convert::{OwnedInput, from_js, js_error, optional, tensor_from_js, tensor_to_js, to_js};

type JsResult<T = JsValue> = Result<T, JsValue>;

/// What is to run before anything else: CubeCL's compiler registers its thousands of operations so.
#[cfg(feature = "webgpu")]
#[expect(unsafe_code, reason = "the linker's function can be named in no other way")]
mod constructors {
    unsafe extern "C" {
        fn __wasm_call_ctors();
    }

    /// Runs it, once for all. Were the function called nowhere, the linker would put it before every call from JavaScript, each of which
    /// would take a millisecond (docs/upstream.md).
    pub fn run() {
        // The linker has written it, and nothing else runs yet.
        unsafe { __wasm_call_ctors() }
    }
}

/// Makes panics readable in the browser's console.
#[wasm_bindgen(start)]
pub fn start() {
    #[cfg(feature = "webgpu")]
    constructors::run();
    console_error_panic_hook::set_once();
}

/// Opens a device; `options.device` is `"auto"`, `"webgpu"` or `"cpu"`, `options.reason` says why it is the CPU where
/// it was not asked for, and `options.batchMemory` how many bytes the values of one batch may take.
#[wasm_bindgen(js_name = createEngine)]
pub async fn create_engine(
    #[wasm_bindgen(unchecked_param_type = "EngineOptions")] options: JsValue,
) -> JsResult<Engine> {
    let choice: DeviceChoice = match convert::field(&options, "device")? {
        Some(choice) => from_js(choice)?,
        None => DeviceChoice::Auto,
    };
    let memory = convert::field(&options, "batchMemory")?.and_then(|bytes| bytes.as_f64());
    let mut device = match (choice, convert::field(&options, "reason")?.and_then(|reason| reason.as_string()))
    {
        (DeviceChoice::Cpu, Some(reason)) => Device::cpu(&reason),
        (choice, _) => Device::open(choice).await.map_err(js_error)?,
    };
    if let Some(bytes) = memory {
        device = device.with_batch_budget(bytes as usize);
    }
    if device.kind() == DeviceKind::Cpu {
        adversight_kernels::warm_up();
    }
    Ok(Engine { device })
}

/// Every registered method with its parameters.
#[wasm_bindgen(unchecked_return_type = "MethodDescription[]")]
pub fn methods() -> JsResult {
    to_js(&registry::methods())
}

/// 256 colours of a scale: red, green and blue bytes.
#[wasm_bindgen(js_name = colourMap)]
pub fn colour_map(#[wasm_bindgen(unchecked_param_type = "ColourMap")] name: JsValue) -> JsResult<Vec<u8>> {
    Ok(from_js::<ColourMap>(name)?.table())
}

/// The names of so many classes, from the text of a file: JSON or one name a line. Refuses what does not fit.
#[wasm_bindgen(js_name = readLabels)]
pub fn read_labels(text: &str, classes: usize) -> JsResult<Vec<String>> {
    Labels::from_text(text).and_then(|labels| labels.fit(classes)).map_err(js_error)
}

/// An open device, which loads models.
#[wasm_bindgen]
pub struct Engine {
    device: Device,
}

#[wasm_bindgen]
impl Engine {
    /// The device in use, and why.
    #[wasm_bindgen(getter, unchecked_return_type = "DeviceReport")]
    pub fn device(&self) -> JsResult {
        to_js(self.device.report())
    }

    /// Says what an ONNX file holds and whether it can be loaded; puts nothing on the device.
    #[wasm_bindgen(unchecked_return_type = "ModelReport")]
    pub fn inspect(&self, onnx: Vec<u8>) -> JsResult {
        to_js(&model::inspect(&onnx).map_err(js_error)?)
    }

    /// Runs an ONNX graph as it is: a value for each of its inputs gives each of its outputs.
    #[wasm_bindgen(unchecked_return_type = "Record<string, GraphOutput>")]
    pub async fn run(
        &self,
        onnx: Vec<u8>,
        #[wasm_bindgen(unchecked_param_type = "Record<string, ModelInput>")] inputs: JsValue,
        #[wasm_bindgen(unchecked_param_type = "Pick<ModelOptions, \"external\">")] options: JsValue,
    ) -> JsResult {
        let options = types::ModelOptions::from_js(options)?;
        let load = || {
            let external = options.external()?;
            let external =
                |location: &str, offset: u64, length: Option<u64>| external.read(location, offset, length);
            Runner::load(&ModelFile { bytes: &onnx, external: Some(&external) }, &self.device)
        };
        let runner = load().map_err(js_error)?;
        let inputs = convert::values_from_js(&inputs, &runner.inputs())?;
        let outputs = runner.run(inputs).await.map_err(js_error)?;
        convert::values_to_js(outputs)
    }

    /// Loads an ONNX classifier.
    #[wasm_bindgen(js_name = loadModel)]
    pub async fn load_model(
        &self,
        onnx: Vec<u8>,
        #[wasm_bindgen(unchecked_param_type = "ModelOptions")] options: JsValue,
    ) -> JsResult<Model> {
        let options = types::ModelOptions::from_js(options)?;
        let graph = options.of_graph(&onnx)?;
        let load = || {
            let external = options.external()?;
            let external =
                |location: &str, offset: u64, length: Option<u64>| external.read(location, offset, length);
            let file = ModelFile { bytes: &onnx, external: Some(&external) };
            let hears = options.listening()?;
            let mut explainer = match &hears {
                Some(preparation) => {
                    let length = options.sound.as_ref().and_then(|sound| sound.length);
                    Explainer::load_to_hear(&file, &graph, preparation, length, &self.device)?
                }
                None => Explainer::load_with(&file, &graph, &self.device)?,
            };
            if let Some(declared) = options.preprocessing.as_ref().filter(|_| hears.is_none()) {
                explainer = explainer.with_preprocessing(Preprocessing::from_json(&declared.to_string())?)?;
            }
            let labels = match (&options.labels, &options.config) {
                (Some(labels), _) => Some(Labels::new(labels.clone())),
                (None, Some(config)) => Some(Labels::from_json(config)?),
                (None, None) => None,
            };
            if let Some(labels) = labels {
                explainer = explainer.with_names(labels)?;
            }
            if let Some(masker) = options.masker()? {
                explainer = explainer.with_masker(&ModelFile { bytes: &masker, external: None })?;
            }
            Ok(explainer.with_name(options.name.clone().unwrap_or_else(|| "model".into())))
        };
        Ok(Model { explainer: Rc::new(load().map_err(js_error)?) })
    }
}

/// A loaded classifier.
#[wasm_bindgen]
pub struct Model {
    explainer: Rc<Explainer>,
}

#[wasm_bindgen]
impl Model {
    /// What it is made of, and what is known about it.
    #[wasm_bindgen(getter, unchecked_return_type = "ModelInfo")]
    pub fn info(&self) -> JsResult {
        to_js(&self.explainer.info())
    }

    /// The same model with values for the inputs that are not explained.
    #[wasm_bindgen(js_name = withInputs)]
    pub fn with_inputs(
        &self,
        #[wasm_bindgen(unchecked_param_type = "Record<string, ModelInput>")] inputs: JsValue,
    ) -> JsResult<Model> {
        let values = convert::values_from_js(&inputs, &self.explainer.model().info().inputs)?;
        Ok(Model { explainer: Rc::new(self.explainer.with_inputs(values).map_err(js_error)?) })
    }

    /// The tensor that the network sees of one input.
    #[wasm_bindgen(unchecked_return_type = "TensorData")]
    pub fn prepare(&self, #[wasm_bindgen(unchecked_param_type = "WasmInput")] input: JsValue) -> JsResult {
        let input = OwnedInput::from_js(&input)?;
        tensor_to_js(&self.explainer.prepare(&input.borrow()).map_err(js_error)?.0)
    }

    /// The most probable classes of one input.
    #[wasm_bindgen(unchecked_return_type = "Classification")]
    pub async fn classify(
        &self,
        #[wasm_bindgen(unchecked_param_type = "WasmInput")] input: JsValue,
        top: usize,
    ) -> JsResult {
        let input = OwnedInput::from_js(&input)?;
        to_js(&self.explainer.classify(&input.borrow(), top).await.map_err(js_error)?)
    }

    /// The boxes that a detector finds in one input.
    #[wasm_bindgen(unchecked_return_type = "Detections")]
    pub async fn detect(
        &self,
        #[wasm_bindgen(unchecked_param_type = "WasmInput")] input: JsValue,
        #[wasm_bindgen(unchecked_param_type = "DetectOptions")] options: JsValue,
    ) -> JsResult {
        let (input, options): (_, DetectOptions) = (OwnedInput::from_js(&input)?, optional(options)?);
        to_js(&self.explainer.detect(&input.borrow(), &options).await.map_err(js_error)?)
    }

    /// Explains one input.
    #[wasm_bindgen(unchecked_return_type = "Explanation")]
    pub async fn explain(
        &self,
        #[wasm_bindgen(unchecked_param_type = "WasmInput")] input: JsValue,
        #[wasm_bindgen(unchecked_param_type = "ExplainOptions")] options: JsValue,
        #[wasm_bindgen(unchecked_param_type = "ExplainHooks")] hooks: JsValue,
    ) -> JsResult {
        let input = OwnedInput::from_js(&input)?;
        // Serde would call a negative class a wrong type.
        if let Some(target) =
            get(&options, "target")?.and_then(|target| target.as_f64()).filter(|target| *target < 0.0)
        {
            let classes = self.explainer.model().classes();
            return Err(js_error(Error::TargetOutOfRange { target: target as i64, classes }));
        }
        let options: ExplainOptions = from_js(options)?;
        let control = control(&hooks)?;
        let (explanation, region) =
            self.explainer.explain(&input.borrow(), &options, &control).await.map_err(js_error)?;
        let object = convert::explanation_to_js(&explanation, region)?;
        if let (OwnedInput::Sound(_), Some(info)) = (&input, self.explainer.sound_info()) {
            Reflect::set(&object, &"sound".into(), &to_js(&info)?)?;
        }
        Ok(object)
    }

    /// How many samples at its rate the network hears of a sound; refuses what is none.
    #[wasm_bindgen(js_name = soundLength)]
    pub fn sound_length(
        &self,
        #[wasm_bindgen(unchecked_param_type = "SoundData")] input: JsValue,
    ) -> JsResult<usize> {
        let OwnedInput::Sound(sound) = OwnedInput::from_js(&input)? else {
            return Err(js_error(Error::InputInvalid("Only a sound can be heard.".into())));
        };
        self.explainer.sound_length(sound.length(), sound.rate()).map_err(js_error)
    }

    /// A sound taken apart by its explanation.
    #[wasm_bindgen(unchecked_return_type = "Heard")]
    pub fn heard(
        &self,
        #[wasm_bindgen(unchecked_param_type = "SoundData")] input: JsValue,
        #[wasm_bindgen(unchecked_param_type = "Pick<Explanation, \"segments\" | \"parts\">")]
        explanation: JsValue,
    ) -> JsResult {
        let OwnedInput::Sound(sound) = OwnedInput::from_js(&input)? else {
            return Err(js_error(Error::InputInvalid("Only a sound can be heard.".into())));
        };
        let segments = get(&explanation, "segments")?;
        let segments = segments.as_ref().map(proof::segmentation).transpose()?;
        let scores = convert::scores_from_js(&explanation)?;
        let heard = self.explainer.heard(&sound, segments.as_ref(), &scores).map_err(js_error)?;
        let object = Object::new();
        for (name, sound) in [("sound", &heard.sound), ("only", &heard.only), ("left", &heard.left)] {
            Reflect::set(&object, &name.into(), convert::sound_to_js(sound)?.as_ref())?;
        }
        Reflect::set(&object, &"onlyGain".into(), &heard.only_gain.into())?;
        Reflect::set(&object, &"leftGain".into(), &heard.left_gain.into())?;
        Ok(object.into())
    }

    /// The sound of a tensor in model space, as of an attacked one.
    #[wasm_bindgen(js_name = soundOf, unchecked_return_type = "SoundData")]
    pub fn sound_of(&self, #[wasm_bindgen(unchecked_param_type = "TensorData")] input: JsValue) -> JsResult {
        let sound = self.explainer.sound_of(&tensor_from_js(&input)?).map_err(js_error)?;
        Ok(convert::sound_to_js(&sound)?.into())
    }

    /// The logits of a batch in model space.
    #[wasm_bindgen(unchecked_return_type = "TensorData")]
    pub async fn logits(
        &self,
        #[wasm_bindgen(unchecked_param_type = "TensorData")] input: JsValue,
    ) -> JsResult {
        let input = tensor_from_js(&input)?;
        tensor_to_js(&self.explainer.logits(&input).await.map_err(js_error)?)
    }

    /// The gradient of a score of class `target` with respect to a batch in model space.
    #[wasm_bindgen(js_name = inputGradient, unchecked_return_type = "TensorData")]
    pub async fn input_gradient(
        &self,
        #[wasm_bindgen(unchecked_param_type = "TensorData")] input: JsValue,
        target: usize,
        #[wasm_bindgen(unchecked_param_type = "Score | undefined")] score: JsValue,
    ) -> JsResult {
        let (input, score) = (tensor_from_js(&input)?, optional(score)?);
        tensor_to_js(&self.explainer.input_gradient(&input, target, score).await.map_err(js_error)?)
    }
}

/// The caller's hooks as the engine's control.
fn control(hooks: &JsValue) -> JsResult<Control<'static>> {
    let hook = |name: &str| {
        Ok::<_, JsValue>(convert::field(hooks, name)?.and_then(|hook| hook.dyn_into::<Function>().ok()))
    };
    let (on_progress, is_cancelled, on_partial) =
        (hook("onProgress")?, hook("isCancelled")?, hook("onPartial")?);
    Ok(Control {
        on_progress: Box::new(move |progress: Progress| {
            if let (Some(hook), Ok(progress)) = (&on_progress, to_js(&progress)) {
                // A hook that throws must not end the explanation.
                let _ = hook.call1(&JsValue::NULL, &progress);
            }
        }),
        on_partial: on_partial.map(|hook| {
            Box::new(move |partial: Partial| {
                if let Ok(partial) = convert::partial_to_js(&partial) {
                    let _ = hook.call1(&JsValue::NULL, &partial);
                }
            }) as Box<dyn Fn(Partial)>
        }),
        is_cancelled: Box::new(move || {
            is_cancelled
                .as_ref()
                .is_some_and(|hook| hook.call0(&JsValue::NULL).is_ok_and(|answer| answer.is_truthy()))
        }),
        pause: Box::new(|| Box::pin(next_task())),
        ..Control::default()
    })
}

/// Lets the event loop run once. A resolved promise would not: it runs before any message is looked at.
async fn next_task() {
    let promise = Promise::new(&mut |resolve, _| {
        let posted = web_sys::MessageChannel::new().and_then(|channel| {
            channel.port1().set_onmessage(Some(&resolve));
            channel.port2().post_message(&JsValue::NULL)
        });
        if posted.is_err() {
            let _ = resolve.call0(&JsValue::NULL);
        }
    });
    let _ = JsFuture::from(promise).await;
}

/// Reads a property that may be missing.
fn get(object: &JsValue, name: &str) -> JsResult<Option<JsValue>> {
    if !object.is_object() {
        return Ok(None);
    }
    let value = Reflect::get(object, &JsValue::from_str(name))?;
    Ok((!value.is_undefined() && !value.is_null()).then_some(value))
}
