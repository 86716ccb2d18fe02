//! Graphs inside of nodes: which of them run, how often, and what they see.

use crate::common;

use std::collections::BTreeMap;

use crate::common::operators::{BOOL, FLOAT, body, declared, initializer, int, model, node, reals, whole};
use adversight::{
    Device, Error, Model,
    model::{HostValue, ModelFile, Runner, inspect},
};
use onnx_ir::{AttributeProto, Message, ModelProto, NodeProto, TensorProto, ValueInfoProto};

fn truth(data: bool) -> HostValue {
    HostValue::Bool { data: vec![data], shape: Vec::new() }
}

/// A node with graphs inside, called "outer".
fn outer(operator: &str, inputs: &[&str], outputs: &[&str], graphs: &[AttributeProto]) -> NodeProto {
    NodeProto {
        name: "outer".into(),
        op_type: operator.into(),
        input: inputs.iter().map(|&name| name.to_owned()).collect(),
        output: outputs.iter().map(|&name| name.to_owned()).collect(),
        attribute: graphs.to_vec(),
        ..Default::default()
    }
}

/// A model with one real input "x" of rank 1 and such outputs.
fn of(nodes: Vec<NodeProto>, weights: Vec<TensorProto>, outputs: &[&str]) -> Vec<u8> {
    let outputs = outputs.iter().map(|name| declared(name, FLOAT, None)).collect();
    model(21, nodes, weights, vec![declared("x", FLOAT, None)], outputs)
}

fn run_on(device: &Device, bytes: &[u8], x: &[f32]) -> Result<Vec<HostValue>, Error> {
    let runner = Runner::load(&ModelFile::from(bytes), device)?;
    let inputs = BTreeMap::from([("x".to_owned(), reals(x.to_vec(), &[x.len()]))]);
    Ok(pollster::block_on(runner.run(inputs))?.into_iter().map(|(_, value)| value).collect())
}

fn run(bytes: &[u8], x: &[f32]) -> Result<Vec<HostValue>, Error> {
    run_on(&common::cpu(), bytes, x)
}

/// The branches `x * x` and `x + x`.
fn branches() -> [AttributeProto; 2] {
    [
        body("then_branch", &[], &[("Mul", &["x", "x"], "square")], &["square"]),
        body("else_branch", &[], &[("Add", &["x", "x"], "double")], &["double"]),
    ]
}

#[test]
fn a_fixed_condition_leaves_only_its_branch() {
    let device = common::cpu();
    let odd = body("then_branch", &[], &[("Twirl", &["x"], "odd")], &["odd"]);
    let [_, sound] = branches();
    for condition in [vec![initializer("c", &truth(false))], Vec::new()] {
        let mut nodes = vec![outer("If", &["c"], &["y"], &[odd.clone(), sound.clone()])];
        if condition.is_empty() {
            let value = initializer("", &truth(false));
            let value = AttributeProto { name: "value".into(), t: Some(value).into(), ..Default::default() };
            nodes.insert(0, outer("Constant", &[], &["c"], &[value]));
        }
        let mut bytes = of(nodes, condition, &["y"]);
        assert_eq!(run(&bytes, &[1.0, 2.0]).unwrap(), [reals(vec![2.0, 4.0], &[2])]);
        assert!(inspect(&bytes).unwrap().problems.is_empty());
        let mut proto = ModelProto::parse_from_bytes(&bytes).unwrap();
        proto.graph.mut_or_insert_default().input = vec![declared("x", FLOAT, Some(&[1, 2]))];
        bytes = proto.write_to_bytes().unwrap();
        let model = Model::load(&bytes, &device).unwrap();
        let operators: Vec<String> = model.nodes().into_iter().map(|node| node.operator).collect();
        assert_eq!(operators, ["Add", "Identity"]);
    }
}

#[test]
fn a_condition_on_the_shape_chooses_a_branch_on_each_run() {
    let long = initializer("limit", &whole(&[2], &[]));
    let nodes = vec![
        outer("Size", &["x"], &["size"], &[]),
        node("Greater", ["size", "limit"], "c"),
        outer("If", &["c"], &["y"], &branches()),
    ];
    let bytes = of(nodes, vec![long], &["y"]);
    assert_eq!(run(&bytes, &[3.0, 4.0]).unwrap(), [reals(vec![6.0, 8.0], &[2])]);
    assert_eq!(run(&bytes, &[3.0, 4.0, 5.0]).unwrap(), [reals(vec![9.0, 16.0, 25.0], &[3])]);
    // A size is known on the host even where the numbers are not.
    if let Some(gpu) = common::gpu() {
        assert_eq!(run_on(&gpu, &bytes, &[3.0, 4.0, 5.0]).unwrap(), [reals(vec![9.0, 16.0, 25.0], &[3])]);
    }
}

#[test]
fn a_condition_that_a_gpu_computes_is_refused() {
    let zero = initializer("zero", &reals(vec![0.0], &[1]));
    let nodes = vec![node("Greater", ["x", "zero"], "c"), outer("If", &["c"], &["y"], &branches())];
    let bytes = of(nodes, vec![zero], &["y"]);
    assert_eq!(run(&bytes, &[3.0]).unwrap(), [reals(vec![9.0], &[1])]);
    assert_eq!(run(&bytes, &[-3.0]).unwrap(), [reals(vec![-6.0], &[1])]);
    let Some(gpu) = common::gpu() else { return };
    let error = run_on(&gpu, &bytes, &[3.0]).unwrap_err();
    assert_eq!((error.code(), error.node()), ("model_invalid", Some("outer")));
    assert!(error.to_string().ends_with("run this model on the CPU."), "{error}");
}

/// Weights inside of a branch are weights of the file, and names of one branch mean nothing in the other.
#[test]
fn branches_have_weights_and_names_of_their_own() {
    let mut branches = [
        body("then_branch", &[], &[("Mul", &["x", "w"], "r"), ("Neg", &["r"], "end")], &["end"]),
        body("else_branch", &[], &[("Add", &["x", "w"], "r"), ("Abs", &["r"], "end")], &["end"]),
    ];
    for (branch, weight) in branches.iter_mut().zip([3.0, 5.0]) {
        branch.g.mut_or_insert_default().initializer = vec![initializer("w", &reals(vec![weight], &[1]))];
    }
    let zero = initializer("zero", &reals(vec![0.0], &[1]));
    let nodes = vec![
        node("Greater", ["x", "zero"], "c"),
        outer("If", &["c"], &["y"], &branches),
        node("Mul", ["y", "y"], "r"),
    ];
    let bytes = of(nodes, vec![zero], &["r"]);
    assert_eq!(run(&bytes, &[2.0]).unwrap(), [reals(vec![36.0], &[1])]);
    assert_eq!(run(&bytes, &[-7.0]).unwrap(), [reals(vec![4.0], &[1])]);
    assert_eq!(inspect(&bytes).unwrap().parameters, 3);
}

/// A function of the file whose body chooses: its names are its own on each call.
#[test]
fn functions_may_choose() {
    let nodes = vec![
        NodeProto { domain: "own".into(), ..outer("Choose", &["x"], &["once"], &[]) },
        NodeProto { domain: "own".into(), ..outer("Choose", &["once"], &["y"], &[]) },
    ];
    let mut proto = ModelProto::parse_from_bytes(&of(nodes, Vec::new(), &["y"])).unwrap();
    proto.functions.push(Default::default());
    let function = &mut proto.functions[0];
    (function.name, function.domain) = ("Choose".into(), "own".into());
    (function.input, function.output) = (vec!["x".into()], vec!["r".into()]);
    let sign = [outer("Sign", &["x"], &["s"], &[]), outer("Cast", &["s"], &["c"], &[int("to", BOOL.into())])];
    function.node = sign.into_iter().chain([outer("If", &["c"], &["r"], &branches())]).collect();
    let bytes = proto.write_to_bytes().unwrap();
    assert_eq!(run(&bytes, &[3.0]).unwrap(), [reals(vec![81.0], &[1])]);
}

/// Doubles "x" while a sum stays under a limit, and keeps what it saw.
fn doubling(count: Option<i64>, limit: f32) -> Vec<u8> {
    let nodes: &[(&str, &[&str], &str)] =
        &[("Add", &["v", "v"], "next"), ("Identity", &["v"], "seen"), ("Less", &["next", "limit"], "still")];
    let body = body("body", &["number", "goes on", "v"], nodes, &["still", "next", "seen"]);
    let mut weights = vec![initializer("limit", &reals(vec![limit], &[1])), initializer("go", &truth(true))];
    weights.extend(count.map(|count| initializer("count", &whole(&[count], &[]))));
    let inputs = [if count.is_some() { "count" } else { "" }, "go", "x"];
    of(vec![outer("Loop", &inputs, &["y", "all"], &[body])], weights, &["y", "all"])
}

#[test]
fn a_loop_ends_by_its_count_or_its_condition() {
    let values = |y: f32, all: &[f32]| [reals(vec![y], &[1]), reals(all.to_vec(), &[all.len(), 1])];
    assert_eq!(run(&doubling(Some(3), 1e9), &[1.0]).unwrap(), values(8.0, &[1.0, 2.0, 4.0]));
    assert_eq!(run(&doubling(Some(99), 5.0), &[1.0]).unwrap(), values(8.0, &[1.0, 2.0, 4.0]));
    assert_eq!(run(&doubling(None, 3.0), &[1.0]).unwrap(), values(4.0, &[1.0, 2.0]));
    // Zero never grows.
    let error = run(&doubling(None, f32::INFINITY), &[0.0]).unwrap_err();
    assert_eq!(error.node(), Some("outer"));
    assert!(error.to_string().contains("more than"), "{error}");
    let never = run(&doubling(Some(0), 1e9), &[1.0]).unwrap_err();
    assert!(never.to_string().contains("never runs"), "{never}");
}

fn refused(what: &str, nodes: Vec<NodeProto>, node: &str) {
    let weights = vec![initializer("c", &whole(&[1], &[])), initializer("n", &whole(&[2], &[]))];
    let error = run(&of(nodes, weights, &["y"]), &[1.0]).unwrap_err();
    println!("{what}: {error}");
    assert!(["model_invalid", "model_unsupported"].contains(&error.code()), "{what}: {error}");
    assert_eq!(error.node(), Some(node), "{what}: {error}");
}

#[test]
fn broken_graphs_inside_of_nodes_are_refused_at_the_node() {
    let [yes, no] = branches();
    let body_of = |inputs: &[&str], nodes: &[(&str, &[&str], &str)], outputs: &[&str]| {
        body("body", inputs, nodes, outputs)
    };
    let of_if = |graphs: &[AttributeProto]| vec![outer("If", &["c"], &["y"], graphs)];
    refused("no else", of_if(std::slice::from_ref(&yes)), "outer");
    refused("a number decides", of_if(&[yes.clone(), no.clone()]), "outer");
    let lost = body("then_branch", &[], &[("Neg", &["nowhere"], "t")], &["t"]);
    refused("a value that is nowhere defined", of_if(&[lost, no.clone()]), "outer");
    let cycle = body("then_branch", &[], &[("Neg", &["b"], "a"), ("Neg", &["a"], "b")], &["b"]);
    refused("a cycle", of_if(&[cycle, no.clone()]), "outer");
    let odd = body("then_branch", &[], &[("Twirl", &["x"], "t")], &["t"]);
    refused("an unknown operator", of_if(&[odd, no.clone()]), "outer");
    refused("too many outputs", vec![outer("If", &["c"], &["y", "z"], &[yes, no])], "outer");
    let of_loop = |body: AttributeProto| vec![outer("Loop", &["n", "", "x"], &["y"], &[body])];
    refused("no condition", of_loop(body_of(&["number"], &[("Neg", &["x"], "t")], &["t"])), "outer");
    let same: &[(&str, &[&str], &str)] = &[("Neg", &["v"], "t")];
    let inputs = ["number", "goes on", "v"];
    refused("no outputs", of_loop(body_of(&inputs, same, &["goes on"])), "outer");
    let inner = body_of(&inputs, &[("MatMul", &["v", "n"], "t")], &["goes on", "t"]);
    refused("a node inside that cannot compute", of_loop(inner), "outer");
    let scan = |count: i64| {
        let body = body_of(&["s", "v"], &[("Add", &["s", "v"], "t")], &["t"]);
        vec![outer("Scan", &["x", "x"], &["y"], &[body, int("num_scan_inputs", count)])]
    };
    refused("more scanned than there is", scan(3), "outer");
    refused("nothing scanned", scan(0), "outer");
}

/// A report tells what the file calls its open sizes, and so does an error.
#[test]
fn open_sizes_keep_their_names() {
    let named = |name: &str, sizes: &[Result<i64, &str>]| {
        let mut info = ValueInfoProto { name: name.into(), ..Default::default() };
        let tensor = info.type_.mut_or_insert_default().mut_tensor_type();
        tensor.elem_type = FLOAT;
        let shape = tensor.shape.mut_or_insert_default();
        for size in sizes {
            shape.dim.push(Default::default());
            let dim = shape.dim.last_mut().unwrap();
            match size {
                Ok(size) => dim.set_dim_value(*size),
                Err(symbol) => dim.set_dim_param((*symbol).into()),
            }
        }
        info
    };
    let input = named("x", &[Err("batch"), Ok(3), Err("height"), Err("")]);
    let bytes = model(
        21,
        vec![outer("Relu", &["x"], &["y"], &[])],
        vec![],
        vec![input],
        vec![declared("y", FLOAT, None)],
    );
    let report = inspect(&bytes).unwrap();
    assert_eq!(report.inputs[0].shape, [None, Some(3), None, None]);
    assert_eq!(report.inputs[0].symbols, [Some("batch".into()), None, Some("height".into()), None]);
    assert!(report.outputs[0].symbols.is_empty());
    let runner = Runner::load(&ModelFile::from(&bytes[..]), &common::cpu()).unwrap();
    let wrong = BTreeMap::from([("x".to_owned(), reals(vec![0.0; 16], &[1, 4, 2, 2]))]);
    let error = pollster::block_on(runner.run(wrong)).unwrap_err();
    assert!(error.to_string().contains("[batch, 3, height, any]"), "{error}");
    let ids = BTreeMap::from([("ids".to_owned(), whole(&[1], &[1]))]);
    let error = pollster::block_on(runner.run(ids)).unwrap_err();
    assert_eq!(error.code(), "input_invalid", "{error}");
    let error = pollster::block_on(runner.run(BTreeMap::new())).unwrap_err();
    assert!(error.to_string().contains("\"x\" has no value"), "{error}");
}
