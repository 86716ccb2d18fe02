//! What a call leaves behind: nothing. Counted in the bytes that are not given back, which in a browser pile up until the page is closed.

// A program of its own: it counts what the whole process allocates.
#[path = "it/common/mod.rs"]
mod common;
mod counting;

use std::cell::Cell;

use adversight::{Control, Error, ExplainOptions, Explainer, Input};

/// By how many bytes a call adds to what is held, once `warm` of them have made what is made once: memory that values have left for the next
/// ones is given back only after some runs without a use for it.
fn left_by(warm: usize, times: usize, mut call: impl FnMut()) -> f64 {
    (0..warm).for_each(|_| call());
    let before = counting::held();
    (0..times).for_each(|_| call());
    counting::held().wrapping_sub(before) as isize as f64 / times as f64
}

fn run(explainer: &Explainer, method: &str, stops: Option<usize>) -> Result<(), Error> {
    let input = common::npy("tests/fixtures/tiny/a.model.npy");
    let mut options = ExplainOptions { method: method.into(), ..Default::default() };
    if method == "rise" {
        options.params.insert("samples".into(), 100.into());
    }
    let asked = Cell::new(0);
    let control = Control {
        is_cancelled: Box::new(|| {
            asked.set(asked.get() + 1);
            stops.is_some_and(|stops| asked.get() > stops)
        }),
        ..Control::default()
    };
    pollster::block_on(explainer.explain(&Input::Tensor(&input), &options, &control)).map(drop)
}

// One test: whatever ran beside it would be counted too.
#[test]
fn what_a_call_has_taken_is_given_back() {
    let explainer = common::tiny(&common::cpu());
    for (what, method, stops) in [
        ("saliency", "saliency", None),
        ("integrated gradients", "integrated_gradients", None),
        ("guided backpropagation", "guided_backprop", None),
        ("Grad-CAM", "grad_cam", None),
        ("LRP", "lrp", None),
        ("AGI", "agi", None),
        ("RISE", "rise", None),
        ("RISE, stopped at once", "rise", Some(0)),
        ("AGI, stopped in its midst", "agi", Some(3)),
    ] {
        let left = left_by(100, 20, || match run(&explainer, method, stops) {
            Ok(()) => assert!(stops.is_none(), "{what}"),
            Err(error) => assert!(stops.is_some() && matches!(error, Error::Cancelled), "{what}: {error}"),
        });
        println!("{what}: {left:.0} bytes a call");
        assert!(left < 64.0, "{what} leaves {left:.0} bytes a call");
    }
    let left = left_by(5, 20, || drop(common::tiny(&common::cpu())));
    println!("loading: {left:.0} bytes a call");
    assert!(left < 64.0, "loading leaves {left:.0} bytes a call");
}
