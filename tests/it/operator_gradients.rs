//! Gradients of every differentiable operator against finite differences, on random shapes and attributes.
//!
//! The engine computes in 32 bits, which naive differences drown in. So the steps are powers of two and the values
//! multiples of 1/1024 (no rounding of the input), away from kinks; the outputs are weighted and summed in 64 bits;
//! and Richardson's extrapolation of the steps 1/64 and 1/128 takes the error of the third derivative out. What is left
//! is the rounding of the outputs, `2^-24 |y| * 64` and a few of them, hence [`TOLERANCE`].

use crate::common;

use std::collections::{BTreeMap, BTreeSet};

use crate::common::operators::{
    Case, Draw, cases, declared, initializer, model, node, reals, scores, shape_of,
};
use adversight::{
    Device, Score,
    model::{HostValue, Model, ModelFile, Runner, supported_operators},
};
use burn::tensor::{Tensor, TensorData};
use onnx_ir::{AttributeProto, NodeProto};

/// Of the largest derivative of a case, and of 0.02 where all are small.
const TOLERANCE: f64 = 1e-3;
const STEP: f32 = 1.0 / 64.0;

const STEP_FUNCTION: &str = "its result is constant nearly everywhere";
const TRUTHS: &str = "its result is a truth value";
const WHOLE: &str = "it takes whole numbers or truth values";
const PLACES: &str = "its result is whole numbers";
const MADE: &str = "its result depends on no real number, or on one that is read as a size";
const SIZED: &str = "the size of its result depends on the values, so that no gradient of it has a shape";
const ROUNDED: &str = "it rounds; its gradient is the straight-through estimator, not its derivative";

/// The operators that have no derivative, and why.
const NOT_DIFFERENTIABLE: &[(&str, &str)] = &[
    ("And", WHOLE),
    ("ArgMax", PLACES),
    ("ArgMin", PLACES),
    ("BitShift", WHOLE),
    ("BitwiseAnd", WHOLE),
    ("BitwiseNot", WHOLE),
    ("BitwiseOr", WHOLE),
    ("BitwiseXor", WHOLE),
    ("BlackmanWindow", MADE),
    ("Ceil", STEP_FUNCTION),
    ("Constant", MADE),
    ("ConstantOfShape", MADE),
    ("ConvInteger", WHOLE),
    ("DynamicQuantizeLinear", ROUNDED),
    ("Equal", TRUTHS),
    ("EyeLike", MADE),
    ("Floor", STEP_FUNCTION),
    ("Greater", TRUTHS),
    ("GreaterOrEqual", TRUTHS),
    ("HammingWindow", MADE),
    ("HannWindow", MADE),
    ("Hardmax", STEP_FUNCTION),
    ("IsInf", TRUTHS),
    ("IsNaN", TRUTHS),
    ("Less", TRUTHS),
    ("LessOrEqual", TRUTHS),
    ("MatMulInteger", WHOLE),
    ("NonMaxSuppression", PLACES),
    ("NonZero", PLACES),
    ("Not", WHOLE),
    ("OneHot", MADE),
    ("Or", WHOLE),
    ("QLinearConv", ROUNDED),
    ("QLinearMatMul", ROUNDED),
    ("QuantizeLinear", ROUNDED),
    ("Range", MADE),
    ("Round", STEP_FUNCTION),
    ("Shape", PLACES),
    ("Sign", STEP_FUNCTION),
    ("Size", PLACES),
    ("Unique", SIZED),
    ("Xor", WHOLE),
    ("MelWeightMatrix", MADE),
    ("ai.onnx.ml::Binarizer", STEP_FUNCTION),
    ("ai.onnx.ml::LabelEncoder", WHOLE),
    ("ai.onnx.ml::OneHotEncoder", WHOLE),
    ("ai.onnx.ml::TreeEnsemble", STEP_FUNCTION),
    ("ai.onnx.ml::TreeEnsembleClassifier", STEP_FUNCTION),
    ("ai.onnx.ml::TreeEnsembleRegressor", STEP_FUNCTION),
    ("com.microsoft::DynamicQuantizeLSTM", ROUNDED),
    ("com.microsoft::QLinearAdd", ROUNDED),
    ("com.microsoft::QLinearAveragePool", ROUNDED),
    ("com.microsoft::QLinearConcat", ROUNDED),
    ("com.microsoft::QLinearGlobalAveragePool", ROUNDED),
    ("com.microsoft::QLinearLeakyRelu", ROUNDED),
    ("com.microsoft::QLinearMul", ROUNDED),
    ("com.microsoft::QLinearSigmoid", ROUNDED),
    ("com.microsoft::QLinearSoftmax", ROUNDED),
    ("com.microsoft::QLinearWhere", ROUNDED),
    ("com.microsoft::QuantizeLinear", ROUNDED),
];

/// The outputs of a case's node as a function of one of its inputs.
struct Forward {
    runner: Runner,
    name: String,
    shape: Vec<usize>,
}

impl Forward {
    fn of(case: &Case, wrt: usize, device: &Device) -> Result<Self, String> {
        let shape = shape_of(case, wrt);
        let name = format!("in{wrt}");
        let bytes = model(
            case.opset,
            vec![case.node()],
            case.weights(&[wrt]),
            vec![declared(&name, 1, Some(&shape))],
            vec![declared(&format!("out{}", case.read), 1, None)],
        );
        let runner = Runner::load(&ModelFile::from(&bytes[..]), device).map_err(|error| error.to_string())?;
        Ok(Self { runner, name, shape })
    }

    fn at(&self, x: Vec<f32>) -> Result<Vec<f32>, String> {
        let inputs = BTreeMap::from([(self.name.clone(), reals(x, &self.shape))]);
        let outputs = pollster::block_on(self.runner.run(inputs)).map_err(|error| error.to_string())?;
        match outputs.into_iter().next() {
            Some((_, HostValue::Float { data, .. })) => Ok(data),
            other => Err(format!("its output is {other:?}")),
        }
    }

    /// The derivative of the weighted sum of the outputs along `direction`, from central differences of two steps.
    fn slope(&self, x: &[f32], direction: &[f32], weights: &[f32]) -> Result<f64, String> {
        let difference = |step: f32| -> Result<f64, String> {
            let moved = |by: f32| x.iter().zip(direction).map(|(x, v)| x + by * v).collect();
            let (after, before) = (self.at(moved(step))?, self.at(moved(-step))?);
            let rise = after.iter().zip(before).zip(weights);
            let rise: f64 = rise.map(|((a, b), w)| f64::from(*w) * (f64::from(*a) - f64::from(b))).sum();
            Ok(rise / (2.0 * f64::from(step)))
        };
        Ok((4.0 * difference(STEP / 2.0)? - difference(STEP)?) / 3.0)
    }
}

/// The engine's gradient of the first score.
fn gradient(
    case: &Case,
    wrt: usize,
    weights: &[f32],
    x: &[f32],
    device: &Device,
) -> Result<Vec<f32>, String> {
    let model = Model::load(&scores(case, wrt, weights), device).map_err(|error| error.to_string())?;
    let input = Tensor::<2>::from_data(TensorData::new(x.to_vec(), [1, x.len()]), device.burn());
    let found = model.gradient(input.into(), &[0], Score::Logit).map_err(|error| error.to_string())?;
    let found = found.gradient.get::<2>().ok_or("the gradient has another shape")?;
    found.into_data().try_into_vec().map_err(|error| format!("{error:?}"))
}

/// Directions that differ from another in length are compared by their derivative per element.
fn directions(count: usize, draw: &mut Draw) -> Vec<Vec<f32>> {
    let mut found: Vec<Vec<f32>> =
        (0..2).map(|_| (0..count).map(|_| if draw.coin() { 1.0 } else { -1.0 }).collect()).collect();
    for _ in 0..count.min(8) {
        let mut one = vec![0.0; count];
        one[draw.size(0, count - 1)] = 1.0;
        found.push(one);
    }
    found
}

fn check(case: &Case, wrt: usize, draw: &mut Draw, device: &Device) -> Result<(), String> {
    let Some(Some(HostValue::Float { data: x, .. })) = case.inputs.get(wrt) else {
        return Err("its input is not real".into());
    };
    let forward = Forward::of(case, wrt, device)?;
    let outputs = forward.at(x.clone())?;
    let weights: Vec<f32> = outputs
        .iter()
        .map(|_| (draw.size(1, 16) as f32 / 8.0) * if draw.coin() { 1.0 } else { -1.0 })
        .collect();
    let ours = gradient(case, wrt, &weights, x, device)?;
    let mut pairs = Vec::new();
    for direction in directions(x.len(), draw) {
        let expected = forward.slope(x, &direction, &weights)?;
        let found: f64 = ours.iter().zip(&direction).map(|(g, v)| f64::from(*g) * f64::from(*v)).sum();
        pairs.push((expected, found));
    }
    let largest = pairs.iter().fold(0.02, |largest: f64, (expected, _)| largest.max(expected.abs()));
    let worst = pairs.iter().map(|(expected, found)| (expected - found).abs()).fold(0.0, f64::max);
    // A NaN must not pass.
    if worst.is_finite() && pairs.iter().all(|(_, f)| f.is_finite()) && worst <= TOLERANCE * largest {
        return Ok(());
    }
    let written: Vec<String> =
        pairs.iter().map(|(expected, found)| format!("{found:.5} instead of {expected:.5}")).collect();
    Err(written.join(", "))
}

fn written(attribute: &AttributeProto) -> String {
    let AttributeProto { name, i, f, ints, .. } = attribute;
    let text = String::from_utf8_lossy(&attribute.s);
    format!("{name} {i} {f} {ints:?} {text}")
}

fn described(case: &Case, wrt: usize) -> String {
    let shapes: Vec<String> = case
        .inputs
        .iter()
        .map(|input| input.as_ref().map_or("-".into(), |input| format!("{:?}", input.shape())))
        .collect();
    let attributes: Vec<String> = case.attributes.iter().map(written).collect();
    format!("{} of {}, d/d {wrt} [{}]", case.operator, shapes.join(" "), attributes.join("; "))
}

#[test]
fn every_operator_is_checked_or_has_a_reason_not_to_be() {
    let cases = cases(&mut Draw::seeded(0));
    let checked: BTreeSet<&str> =
        cases.iter().filter(|case| !case.wrt.is_empty()).map(|case| case.operator).collect();
    let excused: BTreeSet<&str> = NOT_DIFFERENTIABLE.iter().map(|(operator, _)| *operator).collect();
    let both: Vec<_> = checked.intersection(&excused).collect();
    assert!(both.is_empty(), "checked and said to have no derivative: {both:?}");
    let neither: Vec<_> = supported_operators()
        .iter()
        .filter(|operator| !checked.contains(*operator) && !excused.contains(*operator))
        .collect();
    assert!(neither.is_empty(), "add a case to common/operators.rs, or a reason here: {neither:?}");
}

#[test]
fn gradients_agree_with_finite_differences() {
    let device = common::cpu();
    let mut faults = Vec::new();
    let mut checks = 0;
    for seed in 0..4 {
        let mut draw = Draw::seeded(seed);
        for case in cases(&mut draw) {
            for &wrt in &case.wrt {
                checks += 1;
                let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                    check(&case, wrt, &mut draw, &device)
                }));
                let found = found.unwrap_or_else(|_| Err("a panic".into()));
                if let Err(reason) = found {
                    faults.push(format!("{}: {reason}", described(&case, wrt)));
                }
            }
        }
    }
    println!("{checks} gradients checked");
    assert!(faults.is_empty(), "{} of {checks} differ:\n{}", faults.len(), faults.join("\n"));
}

/// Zeros are what a relu leaves and what a blank picture holds: the gradient there is a subgradient, and a number.
#[test]
fn gradients_at_zero_are_numbers() {
    let device = common::cpu();
    // Those whose derivative at zero is infinite, or that are not defined there.
    const POLES: [&str; 8] =
        ["Log", "Sqrt", "Reciprocal", "Acosh", "ReduceLogSum", "Pow", "Mod", "BatchNormalization"];
    let mut faults = Vec::new();
    let mut draw = Draw::seeded(9);
    for mut case in cases(&mut draw) {
        if case.wrt.first() != Some(&0) || POLES.contains(&case.operator) {
            continue;
        }
        let Some(Some(HostValue::Float { data, .. })) = case.inputs.get_mut(0) else { continue };
        data.fill(0.0);
        let x = data.clone();
        let found = Forward::of(&case, 0, &device)
            .and_then(|forward| forward.at(x.clone()))
            .and_then(|outputs| gradient(&case, 0, &vec![1.0; outputs.len()], &x, &device));
        match found {
            Ok(found) if found.iter().all(|value| value.is_finite()) => {}
            Ok(found) => faults.push(format!("{}: {:?}", described(&case, 0), &found[..found.len().min(4)])),
            Err(reason) => faults.push(format!("{}: {reason}", described(&case, 0))),
        }
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

/// Between one and the slope there is only what lies between them.
#[test]
fn the_gradient_of_a_prelu_at_zero_is_one_of_its_slopes() {
    let device = common::cpu();
    let mut draw = Draw::seeded(1);
    let case = cases(&mut draw).into_iter().find(|case| case.operator == "PRelu").unwrap();
    let mut case = Case { inputs: vec![case.inputs[0].clone(), Some(reals(vec![0.25], &[1]))], ..case };
    let shape = shape_of(&case, 0);
    let count = shape.iter().product();
    case.inputs[0] = Some(reals(vec![0.0; count], &shape));
    let found = gradient(&case, 0, &vec![1.0; count], &vec![0.0; count], &device).unwrap();
    assert!(found.iter().all(|slope| (0.25..=1.0).contains(slope)), "{found:?}");
}

/// What such an operator hides from the scores is not called differentiable, so that no method runs on zeros.
#[test]
fn a_model_of_steps_is_not_called_differentiable() {
    let device = common::cpu();
    let mut seen = BTreeSet::new();
    for case in cases(&mut Draw::seeded(2)) {
        let step = NOT_DIFFERENTIABLE.iter().any(|(operator, reason)| {
            *operator == case.operator && [STEP_FUNCTION, TRUTHS, PLACES, MADE].contains(reason)
        });
        let real = matches!(case.inputs.first(), Some(Some(HostValue::Float { .. })));
        // The sizes of these follow from the values.
        if !step || !real || ["NonZero", "NonMaxSuppression", "Range"].contains(&case.operator) {
            continue;
        }
        let bytes = scores(&case, 0, &vec![1.0; count_of(&case, &device)]);
        let model = Model::load(&bytes, &device).unwrap_or_else(|error| panic!("{}: {error}", case.operator));
        assert!(!model.is_differentiable(), "{}", case.operator);
        seen.insert(case.operator);
    }
    assert!(seen.len() >= 15, "{seen:?}");
}

/// How many elements the output has that is looked at.
fn count_of(case: &Case, device: &Device) -> usize {
    let output = declared(&format!("out{}", case.read), 1, None);
    let bytes = model(
        case.opset,
        vec![case.node()],
        case.weights(&[0]),
        vec![declared("in0", 1, None)],
        vec![output],
    );
    let runner = Runner::load(&ModelFile::from(&bytes[..]), device).unwrap();
    let inputs = BTreeMap::from([("in0".to_owned(), case.inputs[0].clone().unwrap())]);
    pollster::block_on(runner.run(inputs)).unwrap()[0].1.len()
}

/// Quantised and taken back, a value keeps its gradient where it is in range, and loses it where it is cut off.
#[test]
fn the_gradient_passes_rounding() {
    let device = common::cpu();
    let quantize = NodeProto {
        name: "q".into(),
        op_type: "QuantizeLinear".into(),
        input: vec!["x".into(), "scale".into()],
        output: vec!["q".into()],
        ..Default::default()
    };
    let nodes =
        vec![quantize, node("DequantizeLinear", ["q", "scale"], "y"), node("MatMul", ["y", "w"], "scores")];
    let fixed = vec![
        initializer("scale", &reals(vec![0.5], &[])),
        initializer("w", &reals(vec![1.0, 0.0, 2.0, 0.0, 3.0, 0.0], &[3, 2])),
    ];
    let (inputs, outputs) = (vec![declared("x", 1, Some(&[1, 3]))], vec![declared("scores", 1, None)]);
    let model = Model::load(&model(21, nodes, fixed, inputs, outputs), &device).unwrap();
    // An unsigned byte holds 0 to 127.5 at this scale.
    let input = Tensor::<2>::from_data(TensorData::new(vec![3.3f32, -4.0, 200.0], [1, 3]), device.burn());
    let found = model.gradient(input.into(), &[0], Score::Logit).unwrap().gradient.get::<2>().unwrap();
    assert_eq!(found.into_data().try_into_vec::<f32>().unwrap(), [1.0, 0.0, 0.0]);
}
