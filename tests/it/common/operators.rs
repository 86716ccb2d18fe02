//! Graphs of one node, for every operator of the engine: random shapes, attributes and values that the operator
//! accepts.

use adversight::model::HostValue;
use onnx_ir::{
    AttributeProto, AttributeType, GraphProto, Message, ModelProto, NodeProto, TensorProto, ValueInfoProto,
};
use rand::{RngExt, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;

pub const FLOAT: i32 = 1;
pub const INT64: i32 = 7;
pub const BOOL: i32 = 9;

fn attribute(name: &str, kind: AttributeType) -> AttributeProto {
    AttributeProto { name: name.into(), type_: kind.into(), ..Default::default() }
}

pub fn int(name: &str, i: i64) -> AttributeProto {
    AttributeProto { i, ..attribute(name, AttributeType::INT) }
}

pub fn ints(name: &str, ints: &[i64]) -> AttributeProto {
    AttributeProto { ints: ints.to_vec(), ..attribute(name, AttributeType::INTS) }
}

pub fn float(name: &str, f: f32) -> AttributeProto {
    AttributeProto { f, ..attribute(name, AttributeType::FLOAT) }
}

pub fn floats(name: &str, floats: &[f32]) -> AttributeProto {
    AttributeProto { floats: floats.to_vec(), ..attribute(name, AttributeType::FLOATS) }
}

pub fn text(name: &str, s: &str) -> AttributeProto {
    AttributeProto { s: s.as_bytes().to_vec().into(), ..attribute(name, AttributeType::STRING) }
}

pub fn texts(name: &str, list: &[&str]) -> AttributeProto {
    AttributeProto {
        strings: list.iter().map(|s| s.as_bytes().to_vec().into()).collect(),
        ..attribute(name, AttributeType::STRINGS)
    }
}

fn tensor_of(name: &str, tensor: TensorProto) -> AttributeProto {
    AttributeProto { t: Some(tensor).into(), ..attribute(name, AttributeType::TENSOR) }
}

/// A graph inside of a node, whose values are all real unless they are the numbers or conditions of a loop.
pub fn body(
    name: &str,
    inputs: &[&str],
    nodes: &[(&str, &[&str], &str)],
    outputs: &[&str],
) -> AttributeProto {
    let element = |name: &str| match name {
        "number" => INT64,
        "goes on" | "still" => BOOL,
        _ => FLOAT,
    };
    let declare = |names: &[&str]| names.iter().map(|name| declared(name, element(name), None)).collect();
    let nodes = nodes.iter().map(|(operator, inputs, output)| NodeProto {
        name: format!("inner {operator}"),
        op_type: (*operator).into(),
        input: inputs.iter().map(|&name| name.to_owned()).collect(),
        output: vec![(*output).into()],
        ..Default::default()
    });
    let graph = GraphProto {
        name: name.into(),
        node: nodes.collect(),
        input: declare(inputs),
        output: declare(outputs),
        ..Default::default()
    };
    AttributeProto { g: Some(graph).into(), ..attribute(name, AttributeType::GRAPH) }
}

/// A weight of the file.
pub fn initializer(name: &str, value: &HostValue) -> TensorProto {
    let mut tensor = TensorProto {
        name: name.into(),
        dims: value.shape().iter().map(|&size| size as i64).collect(),
        ..Default::default()
    };
    match value {
        HostValue::Float { data, .. } => {
            (tensor.data_type, tensor.float_data) = (FLOAT, data.clone());
        }
        HostValue::Int { data, .. } => (tensor.data_type, tensor.int64_data) = (INT64, data.clone()),
        HostValue::Bool { data, .. } => {
            tensor.data_type = BOOL;
            tensor.int32_data = data.iter().map(|&value| i32::from(value)).collect();
        }
    }
    tensor
}

/// The declaration of an input or output.
pub fn declared(name: &str, element: i32, shape: Option<&[usize]>) -> ValueInfoProto {
    let mut info = ValueInfoProto { name: name.into(), ..Default::default() };
    let tensor = info.type_.mut_or_insert_default().mut_tensor_type();
    tensor.elem_type = element;
    if let Some(shape) = shape {
        let dims = tensor.shape.mut_or_insert_default();
        for &size in shape {
            dims.dim.push(Default::default());
            dims.dim.last_mut().unwrap().set_dim_value(size as i64);
        }
    }
    info
}

pub fn element(value: &HostValue) -> i32 {
    match value {
        HostValue::Float { .. } => FLOAT,
        HostValue::Int { .. } => INT64,
        HostValue::Bool { .. } => BOOL,
    }
}

/// The bytes of a model.
pub fn model(
    opset: i64,
    nodes: Vec<NodeProto>,
    weights: Vec<TensorProto>,
    inputs: Vec<ValueInfoProto>,
    outputs: Vec<ValueInfoProto>,
) -> Vec<u8> {
    let mut model = ModelProto { ir_version: 8, ..Default::default() };
    model.opset_import.push(Default::default());
    model.opset_import[0].version = opset;
    let graph = model.graph.mut_or_insert_default();
    graph.name = "operator".into();
    (graph.node, graph.initializer, graph.input, graph.output) = (nodes, weights, inputs, outputs);
    model.write_to_bytes().unwrap()
}

pub fn reals(data: Vec<f32>, shape: &[usize]) -> HostValue {
    assert_eq!(data.len(), shape.iter().product::<usize>());
    HostValue::Float { data, shape: shape.to_vec() }
}

pub fn whole(data: &[i64], shape: &[usize]) -> HostValue {
    assert_eq!(data.len(), shape.iter().product::<usize>());
    HostValue::Int { data: data.to_vec(), shape: shape.to_vec() }
}

/// A list of whole numbers.
fn list(data: &[i64]) -> HostValue {
    whole(data, &[data.len()])
}

fn sizes(dims: &[usize]) -> HostValue {
    list(&dims.iter().map(|&size| size as i64).collect::<Vec<_>>())
}

/// One node on inputs that it accepts.
#[derive(Debug, Clone)]
pub struct Case {
    /// The operator, with its domain where that is not ONNX's own.
    pub operator: &'static str,
    pub opset: i64,
    pub attributes: Vec<AttributeProto>,
    /// `None` for an input that is left out.
    pub inputs: Vec<Option<HostValue>>,
    /// The inputs that the output depends on differentiably at these values.
    pub wrt: Vec<usize>,
    /// How many outputs the node names.
    pub outputs: usize,
    /// The output that is looked at.
    pub read: usize,
}

impl Case {
    pub fn node(&self) -> NodeProto {
        let (domain, operator) = self.operator.split_once("::").unwrap_or(("", self.operator));
        let name = |(index, input): (usize, &Option<HostValue>)| match input {
            Some(_) => format!("in{index}"),
            None => String::new(),
        };
        NodeProto {
            name: "node".into(),
            domain: domain.into(),
            op_type: operator.into(),
            input: self.inputs.iter().enumerate().map(name).collect(),
            output: (0..self.outputs).map(|index| format!("out{index}")).collect(),
            attribute: self.attributes.clone(),
            ..Default::default()
        }
    }

    /// The inputs as weights of the file, but for those in `open`.
    pub fn weights(&self, open: &[usize]) -> Vec<TensorProto> {
        let given = self.inputs.iter().enumerate().filter(|(index, _)| !open.contains(index));
        given.filter_map(|(index, input)| Some(initializer(&format!("in{index}"), input.as_ref()?))).collect()
    }

    fn with(mut self, attributes: impl IntoIterator<Item = AttributeProto>) -> Self {
        self.attributes.extend(attributes);
        self
    }

    fn wrt(mut self, wrt: &[usize]) -> Self {
        self.wrt = wrt.to_vec();
        self
    }

    fn opset(mut self, opset: i64) -> Self {
        self.opset = opset;
        self
    }

    /// Names so many outputs and looks at one of them.
    fn outputs(mut self, outputs: usize, read: usize) -> Self {
        (self.outputs, self.read) = (outputs, read);
        self
    }
}

fn case(operator: &'static str, inputs: Vec<HostValue>) -> Case {
    Case {
        operator,
        opset: 21,
        attributes: Vec::new(),
        inputs: inputs.into_iter().map(Some).collect(),
        wrt: Vec::new(),
        outputs: 1,
        read: 0,
    }
}

/// Like `case`, with inputs that may be left out.
fn sparse(operator: &'static str, inputs: Vec<Option<HostValue>>) -> Case {
    Case { inputs, ..case(operator, Vec::new()) }
}

/// Values nearer than this to a kink would be taken across it by the steps of a difference.
const CLEAR: f32 = 0.04;

/// Where the random shapes and values come from.
pub struct Draw(pub ChaCha8Rng);

impl Draw {
    pub fn seeded(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// From `low` to `high`, both included.
    pub fn size(&mut self, low: usize, high: usize) -> usize {
        self.0.random_range(low..=high)
    }

    pub fn coin(&mut self) -> bool {
        self.0.random()
    }

    pub fn of<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.size(0, choices.len() - 1)].clone()
    }

    fn dims(&mut self, rank: usize) -> Vec<usize> {
        (0..rank).map(|_| self.size(1, 4 - rank.min(6) / 3)).collect()
    }

    fn any_dims(&mut self, most: usize) -> Vec<usize> {
        let rank = self.size(0, most);
        self.dims(rank)
    }

    /// Uniform between `low` and `high`, away from the kinks; multiples of 1/1024, so that steps of a power of two
    /// are exact.
    fn away(&mut self, dims: &[usize], low: f32, high: f32, kinks: &[f32]) -> HostValue {
        let mut values = Vec::new();
        while values.len() < dims.iter().product() {
            let value = (self.0.random_range(low..high) * 1024.0).round() / 1024.0;
            if kinks.iter().all(|kink| (value - kink).abs() > CLEAR) {
                values.push(value);
            }
        }
        reals(values, dims)
    }

    fn within(&mut self, dims: &[usize], low: f32, high: f32) -> HostValue {
        self.away(dims, low, high, &[])
    }

    fn real(&mut self, dims: &[usize]) -> HostValue {
        self.within(dims, -1.0, 1.0)
    }

    /// Values around zero, none of them within two steps of zero or of another.
    fn spread(&mut self, dims: &[usize]) -> HostValue {
        let count = dims.iter().product::<usize>();
        let mut values: Vec<f32> =
            (0..count).map(|k| (k as f32 - (count / 2) as f32 + 0.5) * 0.078_125).collect();
        values.shuffle(&mut self.0);
        reals(values, dims)
    }

    fn whole(&mut self, dims: &[usize], low: i64, high: i64) -> HostValue {
        let data: Vec<i64> = (0..dims.iter().product()).map(|_| self.0.random_range(low..=high)).collect();
        whole(&data, dims)
    }

    /// Ones and zeros; the first of each row is one, so that no row is without any.
    fn mask(&mut self, dims: &[usize]) -> HostValue {
        let width = dims[dims.len() - 1];
        let one = |at: usize| i64::from(at.is_multiple_of(width) || self.coin());
        whole(&(0..dims.iter().product()).map(one).collect::<Vec<_>>(), dims)
    }

    fn truth(&mut self, dims: &[usize]) -> HostValue {
        let data = (0..dims.iter().product()).map(|_| self.coin()).collect();
        HostValue::Bool { data, shape: dims.to_vec() }
    }

    /// Two shapes that broadcast.
    fn pair(&mut self) -> (Vec<usize>, Vec<usize>) {
        let dims = self.any_dims(4);
        let mut small: Vec<usize> =
            dims.iter().map(|&size| if self.size(0, 3) == 0 { 1 } else { size }).collect();
        if self.coin() {
            small.drain(..self.0.random_range(0..=small.len()));
        }
        if self.coin() { (dims, small) } else { (small, dims) }
    }

    /// An axis of a value, counted from either end.
    fn axis(&mut self, rank: usize) -> i64 {
        self.0.random_range(-(rank as i64)..rank as i64)
    }
}

fn dims_of(value: &HostValue) -> Vec<usize> {
    value.shape().to_vec()
}

/// Functions of one number with the range of the values and the kinks, those of the second derivative included.
const FUNCTIONS: [(&str, f32, f32, &[f32]); 32] = [
    ("Abs", -3.0, 3.0, &[0.0]),
    ("Acos", -0.8, 0.8, &[]),
    ("Acosh", 1.3, 3.0, &[]),
    ("Asin", -0.8, 0.8, &[]),
    ("Asinh", -3.0, 3.0, &[]),
    ("Atan", -3.0, 3.0, &[]),
    ("Atanh", -0.8, 0.8, &[]),
    ("Cos", -3.0, 3.0, &[]),
    ("Cosh", -2.0, 2.0, &[]),
    ("Erf", -2.0, 2.0, &[]),
    ("Exp", -2.0, 2.0, &[]),
    ("Gelu", -3.0, 3.0, &[]),
    ("com.microsoft::Gelu", -3.0, 3.0, &[]),
    ("HardSwish", -5.0, 5.0, &[-3.0, 3.0]),
    ("Identity", -3.0, 3.0, &[]),
    ("Log", 0.3, 3.0, &[]),
    ("Mish", -3.0, 3.0, &[]),
    ("Neg", -3.0, 3.0, &[]),
    ("Reciprocal", 0.4, 2.0, &[]),
    ("Relu", -3.0, 3.0, &[0.0]),
    ("Sigmoid", -3.0, 3.0, &[]),
    ("Sin", -3.0, 3.0, &[]),
    ("Sinh", -2.0, 2.0, &[]),
    ("Softplus", -3.0, 3.0, &[]),
    ("Softsign", -3.0, 3.0, &[0.0]),
    ("Sqrt", 0.3, 3.0, &[]),
    ("Tan", -1.1, 1.1, &[]),
    ("Tanh", -2.0, 2.0, &[]),
    ("Celu", -2.0, 2.0, &[0.0]),
    ("Elu", -2.0, 2.0, &[0.0]),
    ("LeakyRelu", -2.0, 2.0, &[0.0]),
    ("Selu", -2.0, 2.0, &[0.0]),
];

/// Functions whose results are steps, truths or whole numbers.
const STEPS: [&str; 7] = ["Ceil", "Floor", "Round", "Sign", "Hardmax", "IsNaN", "IsInf"];

fn functions(draw: &mut Draw) -> Vec<Case> {
    let mut cases = Vec::new();
    for (operator, low, high, kinks) in FUNCTIONS {
        let dims = draw.any_dims(5);
        let x = draw.away(&dims, low, high, kinks);
        let attributes = match operator {
            "Gelu" => vec![text("approximate", draw.of(&["none", "tanh"]))],
            "Celu" | "Elu" | "LeakyRelu" => vec![float("alpha", draw.of(&[0.1, 0.7, 1.5]))],
            "Selu" => vec![float("alpha", 1.4), float("gamma", 0.8)],
            _ => Vec::new(),
        };
        cases.push(case(operator, vec![x]).wrt(&[0]).with(attributes));
    }
    for operator in STEPS {
        let dims = draw.dims(3);
        cases.push(case(operator, vec![draw.spread(&dims)]));
    }
    let dims = draw.any_dims(4);
    let x = |draw: &mut Draw, kinks: &[f32]| vec![draw.away(&dims, -3.0, 3.0, kinks)];
    cases.extend([
        case("HardSigmoid", x(draw, &[-2.0, 2.0])).with([float("alpha", 0.25), float("beta", 0.5)]).wrt(&[0]),
        case("Shrink", x(draw, &[-0.7, 0.7])).with([float("bias", 0.3), float("lambd", 0.7)]).wrt(&[0]),
        case("Swish", x(draw, &[])).with([float("alpha", 1.5)]).wrt(&[0]),
        case("ThresholdedRelu", x(draw, &[0.6])).with([float("alpha", 0.6)]).wrt(&[0]),
        case("Clip", [x(draw, &[-1.0, 0.5]), vec![reals(vec![-1.0], &[]), reals(vec![0.5], &[])]].concat())
            .wrt(&[0]),
        case("Clip", x(draw, &[-1.0, 0.5])).with([float("min", -1.0), float("max", 0.5)]).opset(6).wrt(&[0]),
        case("Cast", x(draw, &[])).with([int("to", draw.of(&[1, 10, 11]))]).wrt(&[0]),
        case("CastLike", [x(draw, &[]), vec![reals(vec![0.0], &[])]].concat()).wrt(&[0]),
        case("Dropout", x(draw, &[])).wrt(&[0]),
        case("Dropout", x(draw, &[])).outputs(2, 0).wrt(&[0]),
        case("Not", vec![draw.truth(&dims)]),
        case("BitwiseNot", vec![draw.whole(&dims, -9, 9)]),
    ]);
    for operator in ["Softmax", "LogSoftmax"] {
        let rank = draw.size(1, 4);
        let dims = draw.dims(rank);
        let axis = int("axis", draw.axis(rank));
        cases.push(case(operator, vec![draw.real(&dims)]).with([axis]).opset(draw.of(&[11, 13])).wrt(&[0]));
    }
    cases
}

fn arithmetic(draw: &mut Draw) -> Vec<Case> {
    let mut cases = Vec::new();
    for operator in ["Add", "Sub", "Mul", "Div", "Pow"] {
        let (left, right) = draw.pair();
        let (a, b) = match operator {
            "Div" => (draw.real(&left), draw.within(&right, 0.5, 2.0)),
            "Pow" => (draw.within(&left, 0.4, 2.0), draw.within(&right, -1.0, 3.0)),
            _ => (draw.real(&left), draw.real(&right)),
        };
        cases.push(case(operator, vec![a, b]).wrt(&[0, 1]));
    }
    let dims = draw.any_dims(3);
    for exponent in [0.5, 1.0, 2.0, 2.5, 3.0, -1.0] {
        let inputs = vec![draw.within(&dims, 0.4, 2.0), reals(vec![exponent], &[])];
        cases.push(case("Pow", inputs).wrt(&[0]));
    }
    let inputs = vec![draw.within(&dims, 0.4, 2.0), reals(vec![1.25], &[])];
    cases.push(case("Pow", inputs).wrt(&[1]));
    let whole_exponents = vec![draw.away(&dims, -2.0, 2.0, &[]), whole(&[3], &[])];
    cases.push(case("Pow", whole_exponents).wrt(&[0]));
    // a / b stays between two whole numbers.
    let inputs = vec![draw.within(&dims, 2.3, 2.6), draw.within(&dims, 0.95, 1.05)];
    cases.push(case("Mod", inputs).with([int("fmod", 1)]).wrt(&[0, 1]));
    for operator in ["Max", "Min", "Sum", "Mean"] {
        let dims = draw.any_dims(3);
        let HostValue::Float { data, .. } = draw.spread(&[&[3], &dims[..]].concat()) else { continue };
        let count = data.len() / 3;
        let part = |at: usize| reals(data[at * count..(at + 1) * count].to_vec(), &dims);
        cases.push(case(operator, vec![part(0), part(1), part(2)]).wrt(&[0, 1, 2]));
    }
    let mut dims = draw.dims(4);
    dims[1] += 1;
    let slopes = draw.of(&[vec![dims[1], 1, 1], vec![1], dims.clone()]);
    cases.push(case("PRelu", vec![draw.away(&dims, -2.0, 2.0, &[0.0]), draw.real(&slopes)]).wrt(&[0, 1]));
    let (left, right) = draw.pair();
    let chosen = draw.of(&[left.clone(), right.clone()]);
    let condition = draw.truth(&chosen);
    cases.push(case("Where", vec![condition, draw.real(&left), draw.real(&right)]));
    // Both sides are taken somewhere.
    let condition = HostValue::Bool { data: vec![true, false], shape: vec![2, 1] };
    let inputs = vec![condition, draw.real(&[2, 3]), draw.real(&[1, 3])];
    cases.push(case("Where", inputs).wrt(&[1, 2]));
    for operator in ["Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"] {
        let (left, right) = draw.pair();
        cases.push(case(operator, vec![draw.spread(&left), draw.spread(&right)]));
    }
    for operator in ["And", "Or", "Xor"] {
        let (left, right) = draw.pair();
        cases.push(case(operator, vec![draw.truth(&left), draw.truth(&right)]));
    }
    for operator in ["BitwiseAnd", "BitwiseOr", "BitwiseXor", "BitShift"] {
        let (left, right) = draw.pair();
        let inputs = vec![draw.whole(&left, 0, 99), draw.whole(&right, 0, 5)];
        let direction = (operator == "BitShift").then(|| text("direction", draw.of(&["LEFT", "RIGHT"])));
        cases.push(case(operator, inputs).with(direction));
    }
    cases
}

fn linear(draw: &mut Draw) -> Vec<Case> {
    let mut cases = Vec::new();
    let (m, k, n, b) = (draw.size(1, 4), draw.size(1, 4), draw.size(1, 4), draw.size(2, 3));
    for (left, right) in [
        (vec![m, k], vec![k, n]),
        (vec![b, m, k], vec![k, n]),
        (vec![2, 1, m, k], vec![b, k, n]),
        (vec![k], vec![b, k, n]),
        (vec![b, m, k], vec![k]),
    ] {
        cases.push(case("MatMul", vec![draw.real(&left), draw.real(&right)]).wrt(&[0, 1]));
    }
    for _ in 0..2 {
        let (turn_a, turn_b) = (draw.coin(), draw.coin());
        let turned = |dims: [usize; 2], turn: bool| if turn { [dims[1], dims[0]] } else { dims };
        let c = draw.of(&[vec![n], vec![m, n], vec![1, n], vec![m, 1], vec![]]);
        let inputs =
            vec![draw.real(&turned([m, k], turn_a)), draw.real(&turned([k, n], turn_b)), draw.real(&c)];
        let attributes = [
            int("transA", i64::from(turn_a)),
            int("transB", i64::from(turn_b)),
            float("alpha", draw.of(&[1.0, 0.5])),
            float("beta", draw.of(&[1.0, -1.5])),
        ];
        cases.push(case("Gemm", inputs).with(attributes).wrt(&[0, 1, 2]));
    }
    for (equation, left, right) in [
        ("ij,jk->ik", vec![m, k], vec![k, n]),
        ("bhid,bhjd->bhij", vec![b, 2, m, k], vec![b, 2, n, k]),
        ("...ij,jk->...ik", vec![b, m, k], vec![k, n]),
        ("i,j", vec![m], vec![n]),
        ("bij,bk->", vec![b, m, k], vec![b, n]),
    ] {
        let inputs = vec![draw.real(&left), draw.real(&right)];
        cases.push(case("Einsum", inputs).with([text("equation", equation)]).wrt(&[0, 1]));
    }
    cases.push(case("Einsum", vec![draw.real(&[m, m, b])]).with([text("equation", "iij->ji")]).wrt(&[0]));
    let bytes = |draw: &mut Draw, dims: &[usize]| draw.whole(dims, 0, 20);
    let zero = || whole(&[3], &[]);
    let scale = || reals(vec![0.5], &[]);
    cases.push(case("MatMulInteger", vec![bytes(draw, &[m, k]), bytes(draw, &[k, n]), zero(), zero()]));
    cases.push(case(
        "QLinearMatMul",
        vec![bytes(draw, &[m, k]), scale(), zero(), bytes(draw, &[k, n]), scale(), zero(), scale(), zero()],
    ));
    let (image, filters) = ([2, 2, 4, 4], [3, 2, 3, 3]);
    cases.push(case("ConvInteger", vec![bytes(draw, &image), bytes(draw, &filters), zero(), zero()]));
    cases.push(case(
        "QLinearConv",
        vec![
            bytes(draw, &image),
            scale(),
            zero(),
            bytes(draw, &filters),
            scale(),
            zero(),
            scale(),
            zero(),
            bytes(draw, &[3]),
        ],
    ));
    cases
}

/// Strides, dilations and pads of a window, one entry a spatial dimension.
fn window(draw: &mut Draw, kernel: &[usize]) -> Vec<AttributeProto> {
    let rank = kernel.len();
    let mut few = |low: i64, high: i64, count: usize| -> Vec<i64> {
        (0..count).map(|_| draw.0.random_range(low..=high)).collect()
    };
    let mut attributes = vec![ints("strides", &few(1, 2, rank)), ints("dilations", &few(1, 2, rank))];
    match draw.size(0, 3) {
        0 => attributes.push(text("auto_pad", draw.of(&["SAME_UPPER", "SAME_LOWER", "VALID"]))),
        1 => {}
        _ => {
            let pads: Vec<i64> = kernel.iter().chain(kernel).map(|&k| draw.size(0, k - 1) as i64).collect();
            attributes.push(ints("pads", &pads));
        }
    }
    attributes
}

fn windows(draw: &mut Draw) -> Vec<Case> {
    let mut cases = Vec::new();
    for rank in 1..=3 {
        let kernel: Vec<usize> = (0..rank).map(|_| draw.size(1, if rank == 3 { 2 } else { 3 })).collect();
        let spatial: Vec<usize> = (0..rank)
            .map(|_| draw.size(if rank == 3 { 3 } else { 5 }, if rank == 3 { 4 } else { 6 }))
            .collect();
        let shape = |lead: [usize; 2], rest: &[usize]| [&lead[..], rest].concat();
        let (groups, inside, outside) = (draw.size(1, 2), draw.size(1, 2), draw.size(1, 2));
        let batch = draw.size(1, 2);
        let x = draw.real(&shape([batch, groups * inside], &spatial));
        let weights = draw.real(&shape([groups * outside, inside], &kernel));
        let bias = draw.real(&[groups * outside]);
        let attributes = window(draw, &kernel);
        cases.push(
            case("Conv", vec![x.clone(), weights, bias.clone()])
                .with(attributes)
                .with([int("group", groups as i64)])
                .wrt(&[0, 1, 2]),
        );
        let weights = draw.real(&shape([groups * inside, outside], &kernel));
        let stride: Vec<i64> = (0..rank).map(|_| draw.size(1, 2) as i64).collect();
        let mut attributes = vec![
            int("group", groups as i64),
            ints("strides", &stride),
            ints("dilations", &(0..rank).map(|_| draw.size(1, 2) as i64).collect::<Vec<_>>()),
        ];
        match draw.size(0, 2) {
            0 => attributes.push(text("auto_pad", draw.of(&["SAME_UPPER", "SAME_LOWER"]))),
            1 => attributes.push(ints("pads", &vec![1; 2 * rank])),
            _ => attributes.push(ints("output_padding", &stride.iter().map(|s| s - 1).collect::<Vec<_>>())),
        }
        cases.push(case("ConvTranspose", vec![x.clone(), weights, bias]).with(attributes).wrt(&[0, 1, 2]));
        let kernel_shape = ints("kernel_shape", &kernel.iter().map(|&k| k as i64).collect::<Vec<_>>());
        for operator in ["AveragePool", "MaxPool", "LpPool"] {
            let dims = shape([batch, 2], &spatial);
            let mut attributes = window(draw, &kernel);
            attributes.push(kernel_shape.clone());
            attributes.push(int("ceil_mode", i64::from(draw.coin())));
            let (x, more) = match operator {
                "AveragePool" => (draw.real(&dims), int("count_include_pad", i64::from(draw.coin()))),
                "MaxPool" => (draw.spread(&dims), int("storage_order", 0)),
                _ => (draw.away(&dims, -1.0, 1.0, &[0.0]), int("p", draw.size(1, 3) as i64)),
            };
            let outputs = if operator == "MaxPool" && draw.coin() { 2 } else { 1 };
            cases.push(case(operator, vec![x]).with(attributes).with([more]).outputs(outputs, 0).wrt(&[0]));
        }
        let x = draw.spread(&shape([batch, 2], &spatial));
        cases.push(case("GlobalAveragePool", vec![x.clone()]).wrt(&[0]));
        cases.push(case("GlobalMaxPool", vec![x.clone()]).wrt(&[0]));
        cases.push(case("GlobalLpPool", vec![x]).with([int("p", draw.size(1, 3) as i64)]).wrt(&[0]));
        let (image, block): (Vec<usize>, Vec<usize>) =
            ((0..rank).map(|_| draw.size(2, 4)).collect(), (0..rank).map(|_| draw.size(1, 2)).collect());
        let blocks: usize = image.iter().zip(&block).map(|(image, block)| image - block + 1).product();
        let columns = draw.real(&[batch, 2 * block.iter().product::<usize>(), blocks]);
        cases.push(case("Col2Im", vec![columns, sizes(&image), sizes(&block)]).wrt(&[0]));
    }
    // Both forms of the maximum, whatever the coins say.
    let square = || [ints("kernel_shape", &[2, 2]), ints("strides", &[2, 2])];
    cases.push(case("MaxPool", vec![draw.spread(&[1, 2, 4, 4])]).with(square()).wrt(&[0]));
    cases.push(case("MaxPool", vec![draw.spread(&[1, 2, 4, 4])]).with(square()).outputs(2, 0).wrt(&[0]));
    cases
}

fn normalizations(draw: &mut Draw) -> Vec<Case> {
    let mut cases = Vec::new();
    for rank in 2..=5 {
        let mut dims = draw.dims(rank);
        dims[1] = 4;
        let channels = |draw: &mut Draw| draw.real(&[4]);
        let x = draw.within(&dims, -2.0, 2.0);
        let (scale, shift, mean) = (channels(draw), channels(draw), channels(draw));
        let variance = draw.within(&[4], 0.5, 2.0);
        let inputs = vec![x.clone(), scale.clone(), shift.clone(), mean, variance];
        cases.push(case("BatchNormalization", inputs).wrt(&[0, 1, 2, 3, 4]));
        let axis = draw.axis(rank);
        let from = if axis < 0 { axis + rank as i64 } else { axis } as usize;
        let mut wide = dims.clone();
        // A row of one element is normalised to zero, whatever it is.
        wide[rank - 1] = 3;
        let rows = draw.within(&wide, -2.0, 2.0);
        let (gain, offset) = (draw.real(&wide[from..]), draw.real(&wide[from..]));
        for operator in ["LayerNormalization", "com.microsoft::LayerNormalization"] {
            let inputs = vec![rows.clone(), gain.clone(), offset.clone()];
            cases.push(
                case(operator, inputs).with([int("axis", axis), float("epsilon", 0.01)]).wrt(&[0, 1, 2]),
            );
        }
        let inputs = vec![rows.clone(), gain];
        cases.push(case("RMSNormalization", inputs).with([int("axis", axis)]).opset(23).wrt(&[0, 1]));
        let lrn = [
            int("size", draw.size(1, 4) as i64),
            float("alpha", 0.5),
            float("beta", 0.6),
            float("bias", 1.5),
        ];
        cases.push(case("LRN", vec![x.clone()]).with(lrn).wrt(&[0]));
        let last = [int("axis", -1), int("p", draw.of(&[1, 2]))];
        let clear = draw.away(&wide, -2.0, 2.0, &[0.0]);
        cases.push(case("LpNormalization", vec![clear]).with(last).wrt(&[0]));
        let axes = if rank == 4 { vec![] } else { vec![ints("axes", &[0, rank as i64 - 1])] };
        if rank != 4 || wide[0] * wide[2] * wide[3] > 1 {
            cases.push(case("MeanVarianceNormalization", vec![rows.clone()]).with(axes).wrt(&[0]));
        }
        if rank > 2 {
            wide[1] = 4;
            let x = draw.within(&wide, -2.0, 2.0);
            let inputs = vec![x.clone(), scale.clone(), shift.clone()];
            cases.push(case("InstanceNormalization", inputs).with([float("epsilon", 0.01)]).wrt(&[0, 1, 2]));
            let groups = draw.of(&[1i64, 2]);
            let inputs = vec![x, scale, shift];
            cases.push(case("GroupNormalization", inputs).with([int("num_groups", groups)]).wrt(&[0, 1, 2]));
        }
    }
    cases
}

fn reductions(draw: &mut Draw) -> Vec<Case> {
    let mut cases = Vec::new();
    for operator in [
        "ReduceL1",
        "ReduceL2",
        "ReduceLogSum",
        "ReduceLogSumExp",
        "ReduceMax",
        "ReduceMean",
        "ReduceMin",
        "ReduceProd",
        "ReduceSum",
        "ReduceSumSquare",
    ] {
        let rank = draw.size(1, 4);
        let dims = draw.dims(rank);
        let x = match operator {
            "ReduceLogSum" | "ReduceProd" => draw.within(&dims, 0.5, 1.5),
            "ReduceLogSumExp" | "ReduceMean" | "ReduceSum" | "ReduceSumSquare" => draw.real(&dims),
            _ => draw.spread(&dims),
        };
        let keep = int("keepdims", i64::from(draw.coin()));
        cases.push(case(operator, vec![x.clone()]).with([keep.clone()]).wrt(&[0]));
        let axes = [draw.axis(rank)];
        cases.push(case(operator, vec![x.clone(), list(&axes)]).with([keep.clone()]).wrt(&[0]));
        cases.push(case(operator, vec![x]).with([keep, ints("axes", &axes)]).opset(11).wrt(&[0]));
    }
    // A product with a zero still depends on it.
    let zero = reals(vec![0.0, 1.5, -0.5, 2.0], &[2, 2]);
    cases.push(case("ReduceProd", vec![zero, list(&[1])]).wrt(&[0]));
    for operator in ["ArgMax", "ArgMin"] {
        let dims = draw.dims(3);
        let attributes = [int("axis", draw.axis(3)), int("select_last_index", i64::from(draw.coin()))];
        cases.push(case(operator, vec![draw.spread(&dims)]).with(attributes));
    }
    let rank = draw.size(1, 4);
    let dims = draw.dims(rank);
    let flags = [int("exclusive", i64::from(draw.coin())), int("reverse", i64::from(draw.coin()))];
    let mut long = dims.clone();
    long[rank - 1] = 3;
    cases.push(case("CumSum", vec![draw.real(&long), whole(&[-1], &[])]).with(flags.clone()).wrt(&[0]));
    cases.push(case("CumProd", vec![draw.real(&long), whole(&[-1], &[])]).with(flags).opset(26).wrt(&[0]));
    let axis = draw.axis(rank);
    let size = dims[if axis < 0 { axis + rank as i64 } else { axis } as usize];
    let attributes = [int("axis", axis), int("largest", i64::from(draw.coin()))];
    let k = draw.size(1, size) as i64;
    cases.push(case("TopK", vec![draw.spread(&dims), list(&[k])]).with(attributes).outputs(2, 0).wrt(&[0]));
    cases
}

fn shapes(draw: &mut Draw) -> Vec<Case> {
    let rank = draw.size(1, 4);
    let dims = draw.dims(rank);
    let count = dims.iter().product::<usize>() as i64;
    let axis = draw.axis(rank);
    let at = if axis < 0 { axis + rank as i64 } else { axis } as usize;
    let size = dims[at];
    let x = draw.real(&dims);
    let mut other = dims.clone();
    other[at] = draw.size(1, 3);
    let mut order: Vec<i64> = (0..rank as i64).collect();
    order.shuffle(&mut draw.0);
    let mut cases = vec![
        case("Concat", vec![x.clone(), draw.real(&other), draw.real(&dims)])
            .with([int("axis", axis)])
            .wrt(&[0, 1, 2]),
        case("Reshape", vec![x.clone(), list(&[1, -1])]).wrt(&[0]),
        case("Flatten", vec![x.clone()]).with([int("axis", axis)]).wrt(&[0]),
        case("Transpose", vec![x.clone()]).with([ints("perm", &order)]).wrt(&[0]),
        case("Squeeze", vec![draw.real(&[1, 3, 1, 2]), list(&[0, -2])]).wrt(&[0]),
        case("Squeeze", vec![draw.real(&[1, 3, 1, 2])]).wrt(&[0]),
        case("Unsqueeze", vec![x.clone(), list(&[0, -1])]).wrt(&[0]),
        case("Tile", vec![x.clone(), list(&vec![2; rank])]).wrt(&[0]),
        case("Split", vec![draw.real(&[5, 3]), list(&[2, 3])]).outputs(2, draw.size(0, 1)).wrt(&[0]),
        // Parts whose sizes multiply to more than any value may hold.
        case("Split", vec![draw.real(&[1, 512]), list(&[64; 8])])
            .with([int("axis", 1)])
            .outputs(8, 3)
            .wrt(&[0]),
        case("Split", vec![draw.real(&[5, 3]), list(&[2, 3])]).opset(1).outputs(2, 1).wrt(&[0]),
        case("Split", vec![draw.real(&[5, 3])])
            .with([ints("split", &[4, 1])])
            .opset(11)
            .outputs(2, 1)
            .wrt(&[0]),
        case("Split", vec![draw.real(&[4, 3])]).opset(draw.of(&[2, 11, 13])).outputs(2, 1).wrt(&[0]),
        case("Split", vec![draw.real(&[2, 5])])
            .with([int("axis", 1), int("num_outputs", 2)])
            .outputs(2, draw.size(0, 1))
            .wrt(&[0]),
        case("Slice", vec![x.clone(), list(&[0]), list(&[i64::MAX]), list(&[axis])]).wrt(&[0]),
        case(
            "Slice",
            vec![draw.real(&[5, 4]), list(&[-1, 1]), list(&[i64::MIN, 3]), list(&[0, 1]), list(&[-2, 1])],
        )
        .wrt(&[0]),
        case("Slice", vec![draw.real(&[5, 4])])
            .with([ints("starts", &[1]), ints("ends", &[4]), ints("axes", &[0])])
            .opset(9)
            .wrt(&[0]),
        case("Trilu", vec![draw.real(&[2, 3, 4]), whole(&[draw.of(&[-1, 0, 1])], &[])])
            .with([int("upper", i64::from(draw.coin()))])
            .wrt(&[0]),
        case("SpaceToDepth", vec![draw.real(&[1, 2, 4, 6])]).with([int("blocksize", 2)]).wrt(&[0]),
        case("DepthToSpace", vec![draw.real(&[1, 8, 2, 3])])
            .with([int("blocksize", 2), text("mode", draw.of(&["DCR", "CRD"]))])
            .wrt(&[0]),
        case("CenterCropPad", vec![draw.real(&[3, 5, 2]), list(&[5, 2])])
            .with([ints("axes", &[0, 1])])
            .wrt(&[0]),
        case("Shape", vec![x.clone()]),
        case("Size", vec![x.clone()]),
        case("Constant", vec![]).with([draw.of(&[float("value_float", 0.5), ints("value_ints", &[1, 2])])]),
        case("ConstantOfShape", vec![sizes(&dims)])
            .with([tensor_of("value", initializer("", &reals(vec![0.5], &[1])))]),
        case("Range", vec![reals(vec![0.0], &[]), reals(vec![3.0], &[]), reals(vec![0.5], &[])]),
        case("Range", vec![whole(&[7], &[]), whole(&[-3], &[]), whole(&[-2], &[])]),
        case("EyeLike", vec![draw.real(&[3, 4])]).with([int("k", draw.of(&[-1, 0, 1]))]),
    ];
    let mut small = dims.clone();
    small[at] = 1;
    cases.push(case("Expand", vec![draw.real(&small), sizes(&[&[2], &dims[..]].concat())]).wrt(&[0]));
    let pads: Vec<i64> = (0..2 * rank).map(|_| draw.size(0, 2) as i64).collect();
    let fill = reals(vec![0.5], &[]);
    cases.push(case("Pad", vec![x.clone(), list(&pads), fill]).wrt(&[0]));
    for mode in ["reflect", "edge", "wrap"] {
        let inputs = vec![draw.real(&[3, 4]), list(&[1, -1, 2, 2])];
        cases.push(case("Pad", inputs).with([text("mode", mode)]).wrt(&[0]));
    }
    // Indices.
    let index = |draw: &mut Draw, dims: &[usize]| draw.whole(dims, -(size as i64), size as i64 - 1);
    let indices = draw.any_dims(2);
    let chosen = index(draw, &indices);
    cases.push(case("Gather", vec![x.clone(), chosen]).with([int("axis", axis)]).wrt(&[0]));
    let chosen = index(draw, &dims);
    cases.push(case("GatherElements", vec![x.clone(), chosen]).with([int("axis", axis)]).wrt(&[0]));
    let table = draw.real(&[3, 4, 2]);
    cases.push(case("GatherND", vec![table.clone(), draw.whole(&[4, 2], -3, 2)]).wrt(&[0]));
    let inputs = vec![table.clone(), draw.whole(&[3, 2, 1], -4, 3)];
    cases.push(case("GatherND", inputs).with([int("batch_dims", 1)]).wrt(&[0]));
    for operator in ["ScatterElements", "Scatter"] {
        // Each place once, because which of two writes wins is not defined.
        let inputs = vec![draw.spread(&[3, 4]), whole(&[2, 0, -2, 1], &[1, 4]), draw.spread(&[1, 4])];
        cases.push(case(operator, inputs).with([int("axis", 0)]).wrt(&[0, 2]));
    }
    for reduction in ["none", "add", "mul", "max", "min"] {
        let places = match reduction {
            "none" => whole(&[2, 0, 1, 2, 0, 1, -3, 1], &[2, 4]),
            _ => draw.whole(&[2, 4], 0, 2),
        };
        let values = draw.spread(&[20]);
        let HostValue::Float { data, .. } = &values else { continue };
        let places = match (reduction, &places) {
            // No place twice.
            ("none", _) => whole(&[2, 0, 1, 2, 0, 1, -1, 1], &[2, 4]),
            _ => places,
        };
        let inputs = vec![reals(data[..12].to_vec(), &[3, 4]), places, reals(data[12..].to_vec(), &[2, 4])];
        cases.push(
            case("ScatterElements", inputs).with([int("axis", 0), text("reduction", reduction)]).wrt(&[0, 2]),
        );
        let rows = if reduction == "none" { whole(&[2, 0], &[2, 1]) } else { draw.whole(&[2, 1], 0, 2) };
        let inputs = vec![reals(data[..12].to_vec(), &[3, 4]), rows, reals(data[12..].to_vec(), &[2, 4])];
        cases.push(case("ScatterND", inputs).with([text("reduction", reduction)]).wrt(&[0, 2]));
    }
    let keep = HostValue::Bool { data: vec![true, false, true], shape: vec![3] };
    cases.push(case("Compress", vec![table.clone(), keep.clone()]).with([int("axis", 0)]).wrt(&[0]));
    cases.push(case("Compress", vec![table, keep]).wrt(&[0]));
    let inputs = vec![draw.real(&[4, 3, 2]), list(&[1, 4, 3])];
    cases.push(case("ReverseSequence", inputs).wrt(&[0]));
    let sorted = int("sorted", i64::from(draw.coin()));
    cases.push(case("Unique", vec![draw.spread(&dims)]).with([sorted]).outputs(4, 0));
    cases.push(case("NonZero", vec![draw.spread(&dims)]));
    let inputs = vec![draw.whole(&[2, 3], -4, 3), whole(&[4], &[]), reals(vec![0.0, 1.0], &[2])];
    cases.push(case("OneHot", inputs).with([int("axis", draw.axis(3))]));
    assert!(count > 0);
    cases
}

fn pictures(draw: &mut Draw) -> Vec<Case> {
    let mut cases = Vec::new();
    for mode in ["nearest", "linear", "cubic"] {
        for place in ["half_pixel", "align_corners", "asymmetric", "pytorch_half_pixel"] {
            let height = draw.size(2, 4);
            let x = draw.real(&[1, 2, height, 4]);
            let attributes = [text("mode", mode), text("coordinate_transformation_mode", place)];
            let antialias = int("antialias", i64::from(mode != "nearest" && draw.coin()));
            let none = || Some(reals(vec![], &[0]));
            let inputs = match draw.coin() {
                true => {
                    let scales = [1.0, 1.0, draw.of(&[0.6, 1.5, 2.0]), draw.of(&[0.75, 1.0, 2.5])];
                    vec![Some(x), none(), Some(reals(scales.to_vec(), &[4]))]
                }
                false => {
                    let (height, width) = (draw.size(1, 6), draw.size(1, 6));
                    vec![Some(x), None, None, Some(sizes(&[1, 2, height, width]))]
                }
            };
            cases.push(sparse("Resize", inputs).with(attributes).with([antialias]).wrt(&[0]));
        }
        let x = draw.real(&[1, 2, 4, 5]);
        let region = reals(vec![0.0, 0.0, 0.2, -0.2, 1.0, 1.0, 0.8, 1.2], &[8]);
        let inputs = vec![Some(x), Some(region), None, Some(list(&[1, 2, 3, 3]))];
        let attributes = [text("mode", mode), text("coordinate_transformation_mode", "tf_crop_and_resize")];
        cases.push(sparse("Resize", inputs).with(attributes).wrt(&[0]));
        if mode != "cubic" {
            let inputs = vec![draw.real(&[1, 2, 3, 3]), reals(vec![1.0, 1.0, 2.0, 1.5], &[4])];
            cases.push(case("Upsample", inputs).with([text("mode", mode)]).opset(9).wrt(&[0]));
        }
        for padding in ["zeros", "border", "reflection"] {
            let corners = draw.coin();
            let spatial = [draw.size(3, 5), draw.size(3, 5)];
            let x = draw.real(&[2, 2, spatial[0], spatial[1]]);
            let mut grid = Vec::new();
            for _ in 0..2 * 2 * 3 {
                // x comes first. Between two pixels, or beyond the border.
                for size in [spatial[1], spatial[0]] {
                    let size = size as f32;
                    let at = draw.size(0, 6) as f32 - 1.0 + draw.0.random_range(0.2..0.4);
                    let at = at.min(size + 0.3);
                    let place =
                        if corners { 2.0 * at / (size - 1.0) - 1.0 } else { (2.0 * at + 1.0) / size - 1.0 };
                    grid.push((place * 1024.0).round() / 1024.0);
                }
            }
            let attributes =
                [text("mode", mode), text("padding_mode", padding), int("align_corners", i64::from(corners))];
            let grid = reals(grid, &[2, 2, 3, 2]);
            let wrt: &[usize] = if mode == "nearest" { &[0] } else { &[0, 1] };
            cases.push(case("GridSample", vec![x, grid]).with(attributes).wrt(wrt));
        }
    }
    let x = draw.real(&[1, 2, 2, 3, 2]);
    let grid = draw.real(&[1, 2, 1, 2, 3]);
    cases.push(case("GridSample", vec![x, grid]).wrt(&[0]));
    let corners = int("align_corners", i64::from(draw.coin()));
    let inputs = vec![draw.real(&[2, 2, 3]), list(&[2, 1, 3, 4])];
    cases.push(case("AffineGrid", inputs).with([corners.clone()]).wrt(&[0]));
    let inputs = vec![draw.real(&[1, 3, 4]), list(&[1, 1, 2, 3, 2])];
    cases.push(case("AffineGrid", inputs).with([corners]).wrt(&[0]));
    let boxes = draw.within(&[1, 4, 4], 0.0, 1.0);
    let inputs = vec![boxes, draw.within(&[1, 2, 4], 0.0, 1.0), list(&[2]), reals(vec![0.5], &[1])];
    cases.push(case("NonMaxSuppression", inputs));
    cases
}

fn sequences(draw: &mut Draw) -> Vec<Case> {
    let mut cases = Vec::new();
    for (operator, gates) in [("LSTM", 4), ("GRU", 3), ("RNN", 1)] {
        for direction in ["forward", "reverse", "bidirectional"] {
            let (length, batch, features, hidden) =
                (draw.size(1, 3), draw.size(1, 2), draw.size(1, 3), draw.size(1, 3));
            let directions = if direction == "bidirectional" { 2 } else { 1 };
            let lengths: Vec<i64> = (0..batch).map(|_| draw.size(1, length) as i64).collect();
            let first = draw.coin();
            let turned = |dims: [usize; 3]| if first { [dims[1], dims[0], dims[2]] } else { dims };
            let state = turned([directions, batch, hidden]);
            let mut inputs = vec![
                Some(draw.real(&turned([length, batch, features]))),
                Some(draw.real(&[directions, gates * hidden, features])),
                Some(draw.real(&[directions, gates * hidden, hidden])),
                Some(draw.real(&[directions, 2 * gates * hidden])),
                draw.coin().then(|| list(&lengths)),
                Some(draw.real(&state)),
            ];
            let mut wrt = vec![0, 1, 2, 3, 5];
            if operator == "LSTM" {
                inputs.push(Some(draw.real(&state)));
                inputs.push(Some(draw.real(&[directions, 3 * hidden])));
                wrt.extend([6, 7]);
            }
            let mut attributes = vec![
                text("direction", direction),
                int("hidden_size", hidden as i64),
                int("layout", i64::from(first)),
            ];
            if operator == "GRU" {
                attributes.push(int("linear_before_reset", i64::from(draw.coin())));
            }
            let outputs = if operator == "LSTM" { 3 } else { 2 };
            let read = draw.size(0, outputs - 1);
            cases.push(sparse(operator, inputs).with(attributes).outputs(outputs, read).wrt(&wrt));
        }
    }
    cases.push(
        sparse(
            "RNN",
            vec![Some(draw.real(&[2, 1, 2])), Some(draw.real(&[2, 2, 2])), Some(draw.real(&[2, 2, 2]))],
        )
        .with([
            text("direction", "bidirectional"),
            int("hidden_size", 2),
            texts("activations", &["Affine", "ScaledTanh"]),
            floats("activation_alpha", &[0.5, 1.5]),
            floats("activation_beta", &[0.1, 0.7]),
        ])
        .wrt(&[0, 1, 2]),
    );
    // Fourier.
    for parts in [1, 2] {
        let (inverse, half) = draw.of(&[(0, 0), (0, 1), (1, 0)]);
        let half = if parts == 2 { 0 } else { half };
        let length = draw.size(3, 5);
        let inputs = vec![Some(draw.real(&[2, length, parts])), None, Some(whole(&[1], &[]))];
        let attributes = [int("inverse", inverse), int("onesided", half)];
        cases.push(sparse("DFT", inputs).with(attributes).opset(20).wrt(&[0]));
        let inputs =
            vec![draw.real(&[2, 9, parts]), whole(&[2], &[]), draw.within(&[4], 0.2, 1.0), whole(&[4], &[])];
        let attributes = [int("onesided", i64::from(parts == 1))];
        cases.push(case("STFT", inputs).with(attributes).opset(17).wrt(&[0, 2]));
    }
    for operator in ["BlackmanWindow", "HammingWindow", "HannWindow"] {
        cases.push(case(operator, vec![whole(&[draw.size(1, 9) as i64], &[])]).opset(17));
    }
    // Losses.
    for reduction in ["none", "sum", "mean"] {
        let (batch, classes, plane) = (draw.size(1, 3), 4, draw.size(1, 3));
        let x = draw.real(&[batch, classes, plane]);
        let target = draw.whole(&[batch, plane], 0, 3);
        let weights = draw.within(&[classes], 0.5, 2.0);
        let attributes = || [text("reduction", reduction)];
        let inputs = vec![x.clone(), target.clone(), weights];
        cases.push(case("NegativeLogLikelihoodLoss", inputs.clone()).with(attributes()).wrt(&[0]));
        cases.push(case("SoftmaxCrossEntropyLoss", inputs).with(attributes()).wrt(&[0]));
        let both = case("SoftmaxCrossEntropyLoss", vec![x, target]).with(attributes());
        cases.push(both.outputs(2, 1).wrt(&[0]));
    }
    // Quantities with a scale.
    let bytes = draw.whole(&[2, 3, 2], 0, 20);
    let scales = draw.within(&[3], 0.5, 1.5);
    let inputs = vec![bytes, scales.clone(), whole(&[1, 2, 3], &[3])];
    cases.push(case("DequantizeLinear", inputs).wrt(&[1]));
    cases.push(case("QuantizeLinear", vec![draw.real(&[2, 3, 2]), scales, whole(&[1, 2, 3], &[3])]));
    cases.push(case("DynamicQuantizeLinear", vec![draw.real(&[2, 3])]).outputs(3, 0));
    cases
}

/// Attention, and what goes with it.
fn attention(draw: &mut Draw) -> Vec<Case> {
    let mut cases = Vec::new();
    for flat in [false, true] {
        let (batch, keys, queries, each, past) =
            (draw.size(1, 2), draw.size(2, 3), draw.size(1, 3), draw.size(1, 2), draw.size(1, 2));
        let (heads, size, wide) = (2 * each, 2, 3);
        let shaped = |heads: usize, length: usize, size: usize| match flat {
            true => vec![batch, length, heads * size],
            false => vec![batch, heads, length, size],
        };
        let mut attributes = vec![
            int("is_causal", i64::from(draw.coin())),
            float("softcap", draw.of(&[0.0, 2.0])),
            int("qk_matmul_output_mode", draw.of(&[0, 1, 3])),
            int("left_window_size", draw.of(&[-1, 3])),
        ];
        if flat {
            attributes.extend([int("q_num_heads", heads as i64), int("kv_num_heads", each as i64)]);
        }
        let inputs = vec![
            Some(draw.real(&shaped(heads, queries, size))),
            Some(draw.real(&shaped(each, keys, size))),
            Some(draw.real(&shaped(each, keys, wide))),
            Some(draw.real(&[heads, queries, past + keys])),
            Some(draw.real(&[batch, each, past, size])),
            Some(draw.real(&[batch, each, past, wide])),
        ];
        let all = sparse("Attention", inputs.clone()).with(attributes.clone()).opset(25).outputs(4, 0);
        cases.push(all.wrt(&[0, 1, 2, 3, 4, 5]));
        // The samples are of different lengths, and a mask says which keys take part.
        let lengths: Vec<i64> = (0..batch).map(|_| draw.size(queries.min(keys), keys) as i64).collect();
        let first = inputs[..3].iter().cloned();
        let rest = [Some(draw.truth(&[queries, keys])), None, None, Some(list(&lengths))];
        let case = sparse("Attention", first.chain(rest).collect()).with(attributes).opset(25);
        cases.push(case.outputs(4, 3).wrt(&[0, 1]));
    }
    for interleaved in [0, 1] {
        let (batch, length, heads, turned) = (draw.size(1, 2), draw.size(1, 3), 2, 4);
        let attributes = [int("interleaved", interleaved), int("rotary_embedding_dim", turned as i64)];
        let inputs = vec![
            draw.real(&[batch, heads, length, turned + 1]),
            draw.real(&[5, turned / 2]),
            draw.real(&[5, turned / 2]),
            draw.whole(&[batch, length], 0, 4),
        ];
        cases.push(case("RotaryEmbedding", inputs).with(attributes).opset(23).wrt(&[0, 1, 2]));
        let inputs = vec![
            draw.real(&[batch, length, heads * turned]),
            draw.real(&[batch, length, turned / 2]),
            draw.real(&[batch, length, turned / 2]),
        ];
        let attributes = [int("interleaved", interleaved), int("num_heads", heads as i64)];
        cases.push(case("RotaryEmbedding", inputs).with(attributes).opset(23).wrt(&[0, 1, 2]));
    }
    for (mode, starts) in [("linear", [0, 2]), ("circular", [3, 1])] {
        let inputs = vec![draw.real(&[2, 1, 4, 2]), draw.real(&[2, 1, 2, 2]), list(&starts)];
        cases.push(case("TensorScatter", inputs).with([text("mode", mode)]).opset(24).wrt(&[0, 1]));
    }
    for (rule, gated, delta) in [
        ("linear", false, false),
        ("gated", true, false),
        ("delta", false, true),
        ("gated_delta", true, true),
    ] {
        let (batch, length, each, key, value) = (draw.size(1, 2), draw.size(1, 3), draw.size(1, 2), 2, 3);
        let decays = draw.of(&[each, each * key]);
        let inputs = vec![
            Some(draw.real(&[batch, length, 2 * each * key])),
            Some(draw.real(&[batch, length, each * key])),
            Some(draw.real(&[batch, length, each * value])),
            Some(draw.real(&[batch, each, key, value])),
            gated.then(|| draw.real(&[batch, length, decays])),
            delta.then(|| draw.within(&[batch, length, each], 0.0, 1.0)),
        ];
        let there: Vec<usize> = (1..6).filter(|&index| inputs[index].is_some()).collect();
        let heads = [int("q_num_heads", 2 * each as i64), int("kv_num_heads", each as i64)];
        let all = sparse("LinearAttention", inputs).with(heads).with([text("update_rule", rule)]).opset(27);
        // The state does not depend on the query.
        cases.push(all.clone().outputs(2, 1).wrt(&there));
        cases.push(all.outputs(2, 0).wrt(&[&[0], &there[..]].concat()));
    }
    let (batch, channels, length, reach) =
        (draw.size(1, 2), draw.size(1, 3), draw.size(1, 3), draw.size(2, 3));
    let inputs = vec![
        draw.real(&[batch, channels, length]),
        draw.real(&[channels, 1, reach]),
        draw.real(&[channels]),
        draw.real(&[batch, channels, reach - 1]),
    ];
    let activation = text("activation", draw.of(&["none", "silu"]));
    let convolution = case("CausalConvWithState", inputs).with([activation]).opset(27);
    cases.push(convolution.outputs(2, 0).wrt(&[0, 1, 2, 3]));
    let dims = draw.any_dims(4);
    let inputs = vec![draw.real(&dims), draw.real(&dims)];
    cases.push(case("SwiGLU", inputs).with([float("alpha", 1.3)]).opset(28).wrt(&[0, 1]));
    cases
}

/// Nodes with graphs inside; the last inputs of some are values around them that these read.
fn control(draw: &mut Draw) -> Vec<Case> {
    let mut cases = Vec::new();
    let truth = |data: bool| HostValue::Bool { data: vec![data], shape: Vec::new() };
    for condition in [true, false] {
        let branches = [
            body("then_branch", &[], &[("Tanh", &["in1"], "t"), ("Mul", &["t", "in2"], "then")], &["then"]),
            body("else_branch", &[], &[("Add", &["in1", "in2"], "else")], &["else"]),
        ];
        let dims = draw.any_dims(3);
        let inputs = vec![truth(condition), draw.real(&dims), draw.real(&dims)];
        cases.push(case("If", inputs).with(branches).opset(25).wrt(&[1, 2]));
    }
    for read in [0, 1] {
        let nodes: &[(&str, &[&str], &str)] = &[
            ("Mul", &["x", "in3"], "scaled"),
            ("Tanh", &["scaled"], "next"),
            ("Neg", &["next"], "seen"),
            ("Identity", &["goes on"], "still"),
        ];
        let body = body("body", &["number", "goes on", "x"], nodes, &["still", "next", "seen"]);
        let dims = draw.any_dims(2);
        let count = whole(&[draw.size(1, 3) as i64], &[]);
        let inputs = vec![count, truth(true), draw.real(&dims), draw.real(&dims)];
        cases.push(case("Loop", inputs).with([body]).opset(25).outputs(2, read).wrt(&[2, 3]));
        let nodes: &[(&str, &[&str], &str)] = &[
            ("Mul", &["state", "row"], "product"),
            ("Add", &["product", "in2"], "next"),
            ("Sin", &["next"], "seen"),
        ];
        let body = self::body("body", &["state", "row"], nodes, &["next", "seen"]);
        let (length, width) = (draw.size(1, 3), draw.size(1, 2));
        let inputs = vec![draw.real(&[width]), draw.real(&[width, length]), draw.real(&[width])];
        let attributes = [
            int("num_scan_inputs", 1),
            ints("scan_input_axes", &[1]),
            ints("scan_input_directions", &[i64::from(draw.coin())]),
            ints("scan_output_axes", &[draw.of(&[0, 1, -1])]),
            ints("scan_output_directions", &[i64::from(draw.coin())]),
        ];
        let scan = case("Scan", inputs).with([body]).with(attributes).opset(25);
        cases.push(scan.outputs(2, read).wrt(&[0, 1, 2]));
    }
    cases
}

/// Normalisations by the statistics of the batch at hand, in each form that operator sets have had.
fn statistics(draw: &mut Draw) -> Vec<Case> {
    let mut cases = Vec::new();
    for (opset, outputs, attributes) in [
        (15, 3, vec![int("training_mode", 1), float("momentum", 0.75)]),
        (14, 1, vec![int("training_mode", 1)]),
        (9, 5, vec![]),
        (7, 5, vec![int("spatial", 0)]),
        (6, 5, vec![int("is_test", 0)]),
    ] {
        let rank = draw.size(2, 4);
        let mut dims = draw.dims(rank);
        (dims[0], dims[1]) = (3, 2);
        let placewise = attributes.iter().any(|attribute| attribute.name == "spatial");
        let small = if placewise { dims[1..].to_vec() } else { vec![2] };
        let x = draw.within(&dims, -2.0, 2.0);
        let mut inputs = vec![x];
        inputs.extend((0..3).map(|_| draw.real(&small)));
        inputs.push(draw.within(&small, 0.5, 2.0));
        let node =
            case("BatchNormalization", inputs).with(attributes).with([float("epsilon", 0.25)]).opset(opset);
        cases.push(node.clone().outputs(outputs, 0).wrt(&[0, 1, 2]));
        if outputs > 1 {
            cases.push(node.clone().outputs(outputs, 1).wrt(&[0, 3]));
            cases.push(node.outputs(outputs, 2).wrt(&[0, 4]));
        }
    }
    cases
}

/// Quantised operators of onnxruntime. Their gradients pass the rounding; those by scales and by real inputs are exact.
fn quantized(draw: &mut Draw) -> Vec<Case> {
    let zero = || whole(&[3], &[]);
    let scale = |draw: &mut Draw| draw.within(&[], 0.25, 0.75);
    let bytes = |draw: &mut Draw, dims: &[usize]| draw.whole(dims, 0, 20);
    let mut cases = Vec::new();
    let (m, k, n) = (draw.size(1, 3), draw.size(1, 3), draw.size(1, 3));
    let (turn_a, turn_b) = (draw.coin(), draw.coin());
    let turned = |dims: [usize; 2], turn: bool| if turn { [dims[1], dims[0]] } else { dims };
    let attributes = [
        int("transA", i64::from(turn_a)),
        int("transB", i64::from(turn_b)),
        float("alpha", draw.of(&[1.0, 0.5])),
    ];
    let mut inputs = vec![
        bytes(draw, &turned([m, k], turn_a)),
        scale(draw),
        zero(),
        bytes(draw, &turned([k, n], turn_b)),
        draw.within(&[n], 0.25, 0.75),
        whole(&vec![2; n], &[n]),
        draw.whole(&[n], -9, 9),
    ];
    cases.push(case("com.microsoft::QGemm", inputs.clone()).with(attributes.clone()).wrt(&[1, 4]));
    inputs.extend([scale(draw), zero()]);
    cases.push(case("com.microsoft::QGemm", inputs).with(attributes));
    let inputs = vec![
        draw.real(&[2, m, k]),
        bytes(draw, &[k, n]),
        draw.within(&[n], 0.25, 0.75),
        whole(&vec![2; n], &[n]),
        draw.real(&[n]),
    ];
    cases.push(case("com.microsoft::DynamicQuantizeMatMul", inputs).wrt(&[2, 4]));
    let inputs = vec![
        bytes(draw, &[2, m, k]),
        bytes(draw, &[k, n]),
        scale(draw),
        scale(draw),
        zero(),
        zero(),
        draw.real(&[n]),
    ];
    cases.push(case("com.microsoft::MatMulIntegerToFloat", inputs).wrt(&[2, 3, 6]));
    for (bits, block, wide) in [(4, 16, 20), (8, 16, 16), (2, 16, 33)] {
        let blocks = usize::div_ceil(wide, block);
        let inputs = vec![
            Some(draw.real(&[m, wide])),
            Some(draw.whole(&[n, blocks, block * bits / 8], 0, 255)),
            Some(draw.within(&[n * blocks], 0.25, 0.75)),
            draw.coin().then(|| draw.whole(&[n * usize::div_ceil(blocks * bits, 8)], 0, 255)),
            None,
            Some(draw.real(&[n])),
        ];
        let attributes = [
            int("K", wide as i64),
            int("N", n as i64),
            int("bits", bits as i64),
            int("block_size", block as i64),
        ];
        cases.push(sparse("com.microsoft::MatMulNBits", inputs).with(attributes).wrt(&[0, 2, 5]));
    }
    let dims = draw.dims(4);
    for operator in ["com.microsoft::QLinearAdd", "com.microsoft::QLinearMul"] {
        let other = draw.of(&[dims.clone(), dims[1..].to_vec(), vec![1]]);
        let inputs = vec![
            bytes(draw, &dims),
            scale(draw),
            zero(),
            bytes(draw, &other),
            scale(draw),
            zero(),
            scale(draw),
            zero(),
        ];
        cases.push(case(operator, inputs));
    }
    let inputs = vec![
        draw.truth(&dims),
        bytes(draw, &dims),
        scale(draw),
        zero(),
        bytes(draw, &[1]),
        scale(draw),
        zero(),
        scale(draw),
        zero(),
    ];
    cases.push(case("com.microsoft::QLinearWhere", inputs));
    let one = |draw: &mut Draw, operator: &'static str| {
        let dims = [2, 3, 4, 4];
        case(operator, vec![bytes(draw, &dims), scale(draw), zero(), scale(draw), zero()])
    };
    let last = int("channels_last", i64::from(draw.coin()));
    let square = [ints("kernel_shape", &[2, 2]), ints("pads", &[0, 1, 1, 0])];
    cases.extend([
        one(draw, "com.microsoft::QLinearSigmoid"),
        one(draw, "com.microsoft::QLinearLeakyRelu").with([float("alpha", 0.25)]),
        one(draw, "com.microsoft::QLinearSoftmax").with([int("axis", 1), int("opset", draw.of(&[11, 13]))]),
        one(draw, "com.microsoft::QLinearGlobalAveragePool").with([last.clone()]),
        one(draw, "com.microsoft::QLinearAveragePool").with(square).with([last]),
    ]);
    let (axis, other) = (int("axis", 0), [&[3], &dims[1..]].concat());
    let inputs = vec![
        scale(draw),
        zero(),
        bytes(draw, &dims),
        scale(draw),
        zero(),
        bytes(draw, &other),
        scale(draw),
        zero(),
    ];
    cases.push(case("com.microsoft::QLinearConcat", inputs).with([axis]));
    let scales = draw.within(&[3], 0.5, 1.5);
    let inputs = vec![bytes(draw, &[2, 3, 2]), scales.clone(), whole(&[1, 2, 3], &[3])];
    cases.push(case("com.microsoft::DequantizeLinear", inputs).wrt(&[1]));
    let inputs = vec![draw.real(&[2, 3, 2]), scales, whole(&[1, 2, 3], &[3])];
    cases.push(case("com.microsoft::QuantizeLinear", inputs));
    let (length, batch, features, hidden) =
        (draw.size(1, 3), draw.size(1, 2), draw.size(1, 3), draw.size(1, 2));
    let inputs = vec![
        Some(draw.real(&[length, batch, features])),
        Some(bytes(draw, &[1, features, 4 * hidden])),
        Some(bytes(draw, &[1, hidden, 4 * hidden])),
        Some(draw.real(&[1, 8 * hidden])),
        None,
        Some(draw.real(&[1, batch, hidden])),
        Some(draw.real(&[1, batch, hidden])),
        None,
        Some(draw.within(&[1], 0.01, 0.02)),
        Some(whole(&[3], &[1])),
        Some(draw.within(&[1, 4 * hidden], 0.01, 0.02)),
        Some(whole(&vec![4; 4 * hidden], &[1, 4 * hidden])),
    ];
    let hidden = int("hidden_size", hidden as i64);
    cases.push(sparse("com.microsoft::DynamicQuantizeLSTM", inputs).with([hidden]).outputs(3, 0));
    cases
}

/// Several operators in one, as onnxruntime's optimiser writes them.
fn fused(draw: &mut Draw) -> Vec<Case> {
    let mut cases = Vec::new();
    let (batch, length, heads) = (draw.size(1, 2), draw.size(2, 3), 2);
    let (size, width) = (draw.size(1, 2), 3);
    let dims = [batch, length, width];
    cases.push(case("com.microsoft::BiasGelu", vec![draw.real(&dims), draw.real(&[width])]).wrt(&[0, 1]));
    cases.push(case("com.microsoft::FastGelu", vec![draw.real(&dims), draw.real(&[width])]).wrt(&[0, 1]));
    cases
        .push(case("com.microsoft::QuickGelu", vec![draw.real(&dims)]).with([float("alpha", 1.5)]).wrt(&[0]));
    let smooth = || float("epsilon", 0.25);
    let skip = draw.of(&[vec![batch, length, width], vec![1, length, width], vec![length, width]]);
    let inputs = vec![
        draw.within(&dims, -2.0, 2.0),
        draw.real(&skip),
        draw.real(&[width]),
        draw.real(&[width]),
        draw.real(&[width]),
    ];
    for read in [0, 3] {
        let all = case("com.microsoft::SkipLayerNormalization", inputs.clone()).with([smooth()]);
        let wrt: &[usize] = if read == 0 { &[0, 1, 2, 3, 4] } else { &[0, 1, 4] };
        cases.push(all.outputs(4, read).wrt(wrt));
    }
    let simple = case("com.microsoft::SkipSimplifiedLayerNormalization", inputs[..4].to_vec());
    cases.push(simple.with([smooth()]).wrt(&[0, 1, 2, 3]));
    let inputs = vec![draw.within(&dims, -2.0, 2.0), draw.real(&[width])];
    cases.push(case("SimplifiedLayerNormalization", inputs).with([smooth()]).opset(17).wrt(&[0, 1]));
    let inputs = vec![
        draw.whole(&[batch, length], 0, 3),
        draw.whole(&[batch, length], 0, 1),
        draw.real(&[4, width]),
        draw.real(&[length, width]),
        draw.real(&[2, width]),
        draw.real(&[width]),
        draw.real(&[width]),
        draw.whole(&[batch, length], 0, 1),
    ];
    let embedded = case("com.microsoft::EmbedLayerNormalization", inputs).with([smooth()]);
    cases.push(embedded.outputs(3, 0).wrt(&[2, 3, 4, 5, 6]));
    let inputs =
        vec![draw.real(&[1, 2, 4, 4]), draw.real(&[3, 2, 2, 2]), draw.real(&[3]), draw.real(&[1, 3, 3, 3])];
    let activation = text("activation", draw.of(&["Tanh", "Sigmoid"]));
    cases
        .push(case("com.microsoft::FusedConv", inputs.clone()).with([activation.clone()]).wrt(&[0, 1, 2, 3]));
    for (name, numbers) in
        [("LeakyRelu", vec![0.25]), ("HardSigmoid", vec![0.25, 0.5]), ("Clip", vec![-1.0, 1.0])]
    {
        let attributes = [text("activation", name), floats("activation_params", &numbers)];
        cases.push(case("com.microsoft::FusedConv", inputs[..3].to_vec()).with(attributes));
    }
    let inputs = vec![draw.real(&[2, 3]), draw.real(&[4, 3]), draw.real(&[4])];
    let gemm = case("com.microsoft::FusedGemm", inputs).with([int("transB", 1), activation]);
    cases.push(gemm.wrt(&[0, 1, 2]));
    for (attributes, left, right) in [
        (vec![int("transA", 1), float("alpha", 0.5)], vec![2, 3, 4], vec![2, 3, 5]),
        (vec![int("transB", 1)], vec![4, 3], vec![2, 5, 3]),
        (vec![int("transBatchA", 1), int("transBatchB", 1)], vec![4, 2, 3], vec![3, 2, 5]),
        (vec![int("transBatchA", 1), int("transA", 1)], vec![3, 2, 4], vec![2, 3, 5]),
    ] {
        let inputs = vec![draw.real(&left), draw.real(&right)];
        cases.push(case("com.microsoft::FusedMatMul", inputs).with(attributes).wrt(&[0, 1]));
    }
    for metric in ["euclidean", "sqeuclidean"] {
        let inputs = vec![draw.within(&[2, 3], 1.0, 2.0), draw.real(&[4, 3])];
        cases.push(case("com.microsoft::CDist", inputs).with([text("metric", metric)]).wrt(&[0, 1]));
    }
    let wide = heads * size;
    let masks = [
        None,
        Some(draw.whole(&[batch], 1, length as i64)),
        Some(draw.mask(&[batch, length])),
        Some(draw.mask(&[batch, length, length])),
    ];
    let attributes = [int("num_heads", heads as i64), int("unidirectional", i64::from(draw.coin()))];
    let inputs = vec![
        Some(draw.real(&dims)),
        Some(draw.real(&[width, 3 * wide])),
        Some(draw.real(&[3 * wide])),
        draw.of(&masks),
        None,
        draw.coin().then(|| draw.real(&[1, heads, length, length])),
    ];
    let attention = sparse("com.microsoft::Attention", inputs).with(attributes);
    cases.push(attention.wrt(&[0, 1, 2]));
    let keys = draw.size(2, 3);
    let inputs = vec![
        Some(draw.real(&[batch, length, wide])),
        Some(draw.real(&[batch, keys, wide])),
        Some(draw.real(&[batch, keys, wide])),
        Some(draw.real(&[3 * wide])),
        draw.coin().then(|| draw.mask(&[batch, keys])),
        Some(draw.real(&[batch, heads, length, keys])),
    ];
    let attributes = [int("num_heads", heads as i64), float("scale", 0.75)];
    cases.push(sparse("com.microsoft::MultiHeadAttention", inputs).with(attributes).wrt(&[0, 1, 2, 5]));
    cases
}

/// What detectors cut out, and what bends their windows.
fn regions(draw: &mut Draw) -> Vec<Case> {
    let mut cases = Vec::new();
    for (mode, opset, ratio) in [("avg", 16, 2), ("avg", 10, 0), ("max", 16, 1)] {
        let x = draw.spread(&[2, 2, 5, 6]);
        let regions = reals(vec![0.5, 0.25, 4.5, 3.75, -1.0, 1.0, 3.0, 9.0, 2.0, 2.0, 2.5, 2.25], &[3, 4]);
        let attributes = [
            text("mode", mode),
            int("output_height", 2),
            int("output_width", 3),
            int("sampling_ratio", ratio),
            float("spatial_scale", 0.75),
        ];
        let aligned = case("RoiAlign", vec![x, regions, list(&[0, 1, 1])]).with(attributes).opset(opset);
        // The largest of several may be another one a step on.
        cases.push(if mode == "max" { aligned } else { aligned.wrt(&[0]) });
    }
    let regions = reals(vec![0.0, 0.0, 0.0, 3.0, 2.0, 1.0, 1.0, 2.0, 9.0, 9.0], &[2, 5]);
    let pooled = case("MaxRoiPool", vec![draw.spread(&[2, 2, 5, 5]), regions]);
    cases.push(pooled.with([ints("pooled_shape", &[2, 3])]).wrt(&[0]));
    let places = list(&[5, 7, 13, 8]);
    let HostValue::Int { data, .. } = places else { return cases };
    let unpool = vec![draw.spread(&[1, 1, 2, 2]), whole(&data, &[1, 1, 2, 2])];
    let kernel = || [ints("kernel_shape", &[2, 2]), ints("strides", &[2, 2])];
    cases.push(case("MaxUnpool", unpool.clone()).with(kernel()).wrt(&[0]));
    let larger = [unpool, vec![list(&[1, 1, 5, 5])]].concat();
    cases.push(case("MaxUnpool", larger).with(kernel()).wrt(&[0]));
    for rows in 1..=5 {
        let lead = draw.any_dims(2);
        let dims = [&lead[..], &[rows, rows]].concat();
        cases.push(case("Det", vec![draw.real(&dims)]).wrt(&[0]));
    }
    let mel = vec![
        whole(&[4], &[]),
        whole(&[32], &[]),
        whole(&[8000], &[]),
        reals(vec![0.0], &[]),
        reals(vec![3500.0], &[]),
    ];
    cases.push(case("MelWeightMatrix", mel).opset(17));
    let (groups, parts) = draw.of(&[(1, 1), (2, 1), (1, 2)]);
    // Between two pixels, so that no step crosses one.
    let inputs = vec![
        draw.real(&[2, 4, 4, 5]),
        draw.real(&[2, 4 / groups, 2, 2]),
        draw.within(&[2, parts * 8, 3, 3], 0.2, 0.4),
        draw.real(&[2]),
        draw.within(&[2, parts * 4, 3, 3], 0.5, 1.0),
    ];
    let attributes = [
        int("group", groups as i64),
        int("offset_group", parts as i64),
        ints("pads", &[1, 0, 0, 1]),
        ints("strides", &[1, 2]),
        ints("dilations", &[2, 1]),
    ];
    cases.push(case("DeformConv", inputs).with(attributes).opset(19).wrt(&[0, 1, 2, 3, 4]));
    cases
}

/// Models of scikit-learn.
fn classical(draw: &mut Draw) -> Vec<Case> {
    let mut cases = Vec::new();
    let (samples, features) = (draw.size(1, 3), 3);
    let x = draw.real(&[samples, features]);
    let apart = draw.spread(&[samples, features]);
    let transform = draw.of(&["NONE", "LOGISTIC", "SOFTMAX"]);
    let transformed = || text("post_transform", transform);
    let scaler = [floats("offset", &[0.5, -0.25, 1.0]), floats("scale", &[2.0])];
    cases.push(case("ai.onnx.ml::Scaler", vec![x.clone()]).with(scaler).wrt(&[0]));
    for norm in ["MAX", "L1", "L2"] {
        let clear = if norm == "MAX" { apart.clone() } else { draw.away(&[samples, 3], -1.0, 1.0, &[0.0]) };
        let positive = match clear {
            HostValue::Float { data, shape } if norm == "MAX" => {
                reals(data.into_iter().map(|x| x + 2.0).collect(), &shape)
            }
            other => other,
        };
        cases.push(case("ai.onnx.ml::Normalizer", vec![positive]).with([text("norm", norm)]).wrt(&[0]));
    }
    let coefficients: Vec<f32> = (0..9).map(|at| ((at * 7) % 5) as f32 / 4.0 - 0.5).collect();
    let targets = draw.of(&[1usize, 3]);
    let linear = [
        floats("coefficients", &coefficients[..3 * targets]),
        floats("intercepts", &[0.1, -0.2, 0.3][..targets]),
    ];
    let regressor = case("ai.onnx.ml::LinearRegressor", vec![x.clone()]).with(linear.clone());
    cases.push(regressor.with([int("targets", targets as i64), transformed()]).wrt(&[0]));
    let labels = if targets == 1 { vec![4, 7] } else { vec![1, 2, 5] };
    let classifier = case("ai.onnx.ml::LinearClassifier", vec![x.clone()]).with(linear);
    let named = match draw.coin() {
        true => ints("classlabels_ints", &labels),
        false => texts("classlabels_strings", &["a", "b", "c"][..labels.len()]),
    };
    cases.push(classifier.with([named, transformed()]).outputs(2, 1).wrt(&[0]));
    let missing = reals(vec![0.5, f32::NAN, -0.25, f32::NAN, 1.0, 2.0], &[2, 3]);
    let imputer = [floats("imputed_value_floats", &[1.0, 2.0, 3.0]), float("replaced_value_float", f32::NAN)];
    cases.push(case("ai.onnx.ml::Imputer", vec![missing]).with(imputer));
    let imputer = [floats("imputed_value_floats", &[1.5]), float("replaced_value_float", 5.0)];
    cases.push(case("ai.onnx.ml::Imputer", vec![x.clone()]).with(imputer).wrt(&[0]));
    let imputer = [ints("imputed_value_int64s", &[7]), int("replaced_value_int64", 2)];
    cases.push(case("ai.onnx.ml::Imputer", vec![draw.whole(&[2, 3], 0, 3)]).with(imputer));
    cases.push(case("ai.onnx.ml::Binarizer", vec![apart.clone()]).with([float("threshold", 0.1)]));
    let chosen = vec![draw.real(&[2, 2, 3]), list(&[2, 0, 2])];
    cases.push(case("ai.onnx.ml::ArrayFeatureExtractor", chosen).wrt(&[0]));
    let joined = vec![x.clone(), draw.real(&[samples, 2])];
    let sizes = ints("inputdimensions", &[2, 4]);
    cases.push(case("ai.onnx.ml::FeatureVectorizer", joined).with([sizes]).wrt(&[0, 1]));
    cases.push(
        case("ai.onnx.ml::ZipMap", vec![x.clone()]).with([ints("classlabels_int64s", &[0, 1, 2])]).wrt(&[0]),
    );
    let codes = draw.whole(&[2, 3], 0, 4);
    let categories = ints("cats_int64s", &[0, 2, 3]);
    cases.push(case("ai.onnx.ml::OneHotEncoder", vec![codes.clone()]).with([categories]));
    for (keys, values) in [
        (ints("keys_int64s", &[1, 3]), floats("values_floats", &[0.5, 2.5])),
        (ints("keys_int64s", &[1, 3]), ints("values_int64s", &[10, 30])),
    ] {
        let defaults = [float("default_float", -1.0), int("default_int64", 9)];
        cases.push(case("ai.onnx.ml::LabelEncoder", vec![codes.clone()]).with([keys, values]).with(defaults));
    }
    // Two stumps and a leaf that stands alone.
    let modes = [
        "BRANCH_LEQ",
        "LEAF",
        "LEAF",
        draw.of(&["BRANCH_LEQ", "BRANCH_GT", "BRANCH_LT"]),
        "LEAF",
        "LEAF",
        "LEAF",
    ];
    let trees = [
        ints("nodes_treeids", &[0, 0, 0, 1, 1, 1, 2]),
        ints("nodes_nodeids", &[0, 1, 2, 0, 1, 2, 0]),
        ints("nodes_featureids", &[0, 0, 0, 2, 0, 0, 0]),
        floats("nodes_values", &[0.0, 0.0, 0.0, 0.05, 0.0, 0.0, 0.0]),
        texts("nodes_modes", &modes),
        ints("nodes_truenodeids", &[1, 0, 0, 1, 0, 0, 0]),
        ints("nodes_falsenodeids", &[2, 0, 0, 2, 0, 0, 0]),
        ints("nodes_missing_value_tracks_true", &[1, 0, 0, 0, 0, 0, 0]),
    ];
    let leaves = |prefix: &str, ids: &str, of: &[i64]| {
        [
            ints(&format!("{prefix}_treeids"), &[0, 0, 1, 1, 2]),
            ints(&format!("{prefix}_nodeids"), &[1, 2, 1, 2, 0]),
            ints(ids, of),
            floats(&format!("{prefix}_weights"), &[0.25, 0.5, -0.25, 1.0, 0.125]),
        ]
    };
    let aggregate = text("aggregate_function", draw.of(&["SUM", "AVERAGE", "MIN", "MAX"]));
    let regressor = case("ai.onnx.ml::TreeEnsembleRegressor", vec![apart.clone()]).with(trees.clone());
    let regressor = regressor.with(leaves("target", "target_ids", &[0, 1, 0, 0, 1]));
    cases.push(regressor.with([int("n_targets", 2), aggregate, floats("base_values", &[0.5, 0.25])]));
    let (of, labels) = draw.of(&[(vec![0, 0, 0, 0, 0], vec![3, 4]), (vec![0, 1, 2, 1, 0], vec![3, 4, 5])]);
    let classifier = case("ai.onnx.ml::TreeEnsembleClassifier", vec![apart.clone()]).with(trees);
    let classifier = classifier.with(leaves("class", "class_ids", &of));
    cases.push(classifier.with([ints("classlabels_int64s", &labels), transformed()]).outputs(2, 1));
    let ensemble = [
        ints("nodes_featureids", &[0, 2]),
        tensor_of("nodes_modes", initializer("", &whole(&[0, 6], &[2]))),
        tensor_of("nodes_splits", initializer("", &reals(vec![0.0, 0.0], &[2]))),
        ints("nodes_truenodeids", &[1, 0]),
        ints("nodes_trueleafs", &[0, 1]),
        ints("nodes_falsenodeids", &[2, 1]),
        ints("nodes_falseleafs", &[1, 1]),
        ints("leaf_targetids", &[0, 1, 0]),
        tensor_of("leaf_weights", initializer("", &reals(vec![0.5, 1.5, -1.0], &[3]))),
        ints("tree_roots", &[0]),
        tensor_of("membership_values", initializer("", &reals(vec![0.5, 1.0, f32::NAN], &[3]))),
        int("n_targets", 2),
        int("post_transform", draw.of(&[0, 1, 2])),
    ];
    cases.push(case("ai.onnx.ml::TreeEnsemble", vec![apart]).with(ensemble));
    let kernel = draw.of(&["LINEAR", "POLY", "RBF", "SIGMOID"]);
    let machine = [
        text("kernel_type", kernel),
        floats("kernel_params", &[0.5, 0.25, 2.0]),
        floats("support_vectors", &[1.0, 0.0, 0.5, 0.0, 1.0, -0.5, 0.5, 0.5, 1.0]),
    ];
    let regressor = case("ai.onnx.ml::SVMRegressor", vec![x.clone()]).with(machine.clone());
    let numbers = [floats("coefficients", &[0.5, -1.0, 0.75]), floats("rho", &[0.1]), int("n_supports", 3)];
    cases.push(regressor.with(numbers).wrt(&[0]));
    let classifier = case("ai.onnx.ml::SVMClassifier", vec![x]).with(machine).with([
        floats("coefficients", &[0.5, -0.75, 0.25, 0.125, 0.5, -0.75]),
        floats("rho", &[0.1, 0.2, -0.3]),
        ints("vectors_per_class", &[1, 1, 1]),
        ints("classlabels_ints", &[2, 4, 8]),
        transformed(),
    ]);
    cases.push(classifier.clone().outputs(2, 1).wrt(&[0]));
    let probable = [floats("prob_a", &[-1.5, -1.0, -2.0]), floats("prob_b", &[0.2, 0.1, 0.0])];
    cases.push(classifier.with(probable).outputs(2, 1));
    cases
}

/// Values of more axes than are computed with.
fn many_axes(draw: &mut Draw) -> Vec<Case> {
    let dims = [1, 2, 1, 3, 1, 2, 1, 2];
    let mut order: Vec<i64> = (0..8).collect();
    order.shuffle(&mut draw.0);
    let turned = case("Transpose", vec![draw.real(&dims)]).with([ints("perm", &order)]);
    // No two of these axes stay neighbours.
    let apart = case("Transpose", vec![draw.real(&[2; 7])]).with([ints("perm", &[6, 4, 2, 0, 5, 3, 1])]);
    let sizes: Vec<i64> = dims.iter().map(|&size| size as i64).collect();
    vec![
        case("Reshape", vec![draw.real(&[4, 6]), list(&sizes)]).wrt(&[0]),
        turned.wrt(&[0]),
        apart.wrt(&[0]),
        case("Squeeze", vec![draw.real(&dims)]).wrt(&[0]),
        case("Tanh", vec![draw.real(&dims)]).wrt(&[0]),
        case("Mul", vec![draw.real(&[2, 1, 2, 2, 1, 2, 2, 2]), draw.real(&[2, 1, 2, 1, 2])]).wrt(&[0, 1]),
        case(
            "Clip",
            vec![draw.away(&dims, -1.0, 1.0, &[-0.5, 0.5]), reals(vec![-0.5], &[]), reals(vec![0.5], &[])],
        )
        .wrt(&[0]),
        case("ReduceMean", vec![draw.real(&[2, 2, 2, 1, 2, 2, 2]), list(&[1, 3, -1])])
            .with([int("keepdims", i64::from(draw.coin()))])
            .wrt(&[0]),
        case("ReduceMax", vec![draw.spread(&[2, 2, 2, 1, 2, 2, 2]), list(&[2, 4, 6])])
            .with([int("keepdims", 0)])
            .wrt(&[0]),
        case("Softmax", vec![draw.real(&[2, 1, 2, 3, 1, 2, 1])]).with([int("axis", 3)]).wrt(&[0]),
        case(
            "Slice",
            vec![
                draw.real(&[1, 2, 3, 1, 4, 1, 2]),
                list(&[1, -1]),
                list(&[3, -9]),
                list(&[2, 4]),
                list(&[1, -2]),
            ],
        )
        .wrt(&[0]),
        case("Split", vec![draw.real(&[1, 2, 3, 1, 4, 1, 2]), list(&[1, 3])])
            .with([int("axis", 4)])
            .outputs(2, 1)
            .wrt(&[0]),
        case("Concat", vec![draw.real(&[1, 2, 1, 1, 2, 1, 2]), draw.real(&[1, 2, 3, 1, 2, 1, 2])])
            .with([int("axis", 2)])
            .wrt(&[0, 1]),
    ]
}

/// Random cases of every operator that the engine has.
pub fn cases(draw: &mut Draw) -> Vec<Case> {
    let families = [
        functions,
        arithmetic,
        linear,
        windows,
        normalizations,
        reductions,
        shapes,
        pictures,
        sequences,
        attention,
        control,
        statistics,
        quantized,
        fused,
        regions,
        classical,
        many_axes,
    ];
    families.into_iter().flat_map(|family| family(draw)).collect()
}

/// A node of two inputs.
pub fn node(operator: &str, inputs: [&str; 2], output: &str) -> NodeProto {
    NodeProto {
        name: operator.into(),
        op_type: operator.into(),
        input: inputs.map(str::to_owned).to_vec(),
        output: vec![output.into()],
        ..Default::default()
    }
}

/// A model from a row of numbers, which are input `wrt` of the node, to two scores: the sums of the output that is
/// looked at, weighted with `weights`, and as they are.
pub fn scores(case: &Case, wrt: usize, weights: &[f32]) -> Vec<u8> {
    let read = format!("out{}", case.read);
    let shape = shape_of(case, wrt);
    let columns = weights.iter().flat_map(|&weight| [weight, 1.0]).collect();
    let mut fixed = case.weights(&[wrt]);
    fixed.extend([
        initializer("dims", &sizes(&shape)),
        initializer("flat", &sizes(&[1, weights.len()])),
        initializer("columns", &reals(columns, &[weights.len(), 2])),
    ]);
    let real = NodeProto {
        name: "real".into(),
        op_type: "Cast".into(),
        input: vec![read],
        output: vec!["real".into()],
        attribute: vec![int("to", i64::from(FLOAT))],
        ..Default::default()
    };
    let nodes = vec![
        node("Reshape", ["x", "dims"], &format!("in{wrt}")),
        case.node(),
        real,
        node("Reshape", ["real", "flat"], "row"),
        node("MatMul", ["row", "columns"], "scores"),
    ];
    let count = shape.iter().product();
    let input = declared("x", FLOAT, Some(&[1, count]));
    model(case.opset, nodes, fixed, vec![input], vec![declared("scores", FLOAT, Some(&[1, 2]))])
}

/// The shape of an input that is there.
pub fn shape_of(case: &Case, index: usize) -> Vec<usize> {
    case.inputs[index].as_ref().map(dims_of).unwrap_or_default()
}
