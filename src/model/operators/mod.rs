//! The operators of ONNX, one file a family.
//!
//! An operator is one function: it reads a node's attributes when the model is loaded and gives back a
//! [`Kernel`], the closure that computes the node's outputs on every run. A further operator is that function
//! and one line in [`operators!`].
//!
//! Kernels check the shapes that they are given, because a shape error inside Burn is a panic, which ends a
//! wasm module.

mod activation;
mod arithmetic;
mod convolution;
mod linear;
mod pooling;
mod shape;

use burn::tensor::{Float, Tensor};
use onnx_ir::Node;

use super::value::{Ranked, Value};

/// Computes the outputs of one node from its inputs; an error is a sentence without the node's name.
pub(crate) type Kernel = Box<dyn Fn(&Inputs) -> Result<Vec<Value>, String> + Send + Sync>;

/// What an operator's function returns at load time.
pub(crate) type Plan = Result<Kernel, String>;

macro_rules! operators {
    ($($onnx:literal: $($variant:ident)|+ => $function:path;)*) => {
        /// The ONNX operators (default domain) that the interpreter runs.
        pub(crate) const SUPPORTED: &[&str] = &[$($onnx),*];

        /// Prepares a node; `None` where its operator is not supported.
        pub(crate) fn plan(node: &Node) -> Option<Plan> {
            match node {
                $($(Node::$variant(node) => Some($function(node)),)+)*
                _ => None,
            }
        }
    };
}

operators! {
    "Add": Add => arithmetic::add;
    "Cast": Cast => shape::cast;
    "Clip": Clip => activation::clip;
    "Concat": Concat => shape::concat;
    "Conv": Conv2d => convolution::conv2d;
    "Div": Div => arithmetic::div;
    "Dropout": Dropout => shape::identity;
    "Flatten": Flatten => shape::flatten;
    "Gemm": Gemm => linear::gemm;
    "GlobalAveragePool": GlobalAveragePool => pooling::global_average;
    "Identity": Identity => shape::identity;
    "MatMul": Linear => linear::linear;
    "MaxPool": MaxPool2d => pooling::max2d;
    "Mul": Mul => arithmetic::mul;
    "Relu": Relu => activation::relu;
    "Sigmoid": Sigmoid => activation::sigmoid;
    "Softmax": Softmax => activation::softmax;
    "Sub": Sub => arithmetic::sub;
}

/// The inputs of a node on one run; an optional input that is absent is `None`.
pub(crate) struct Inputs<'a>(pub(crate) &'a [Option<&'a Value>]);

impl Inputs<'_> {
    /// Input `index`, whatever it is.
    pub(crate) fn value(&self, index: usize) -> Result<&Value, String> {
        self.0.get(index).copied().flatten().ok_or_else(|| format!("its input {index} is missing"))
    }

    /// Input `index` as real numbers of any rank.
    pub(crate) fn float(&self, index: usize) -> Result<Ranked<Float>, String> {
        match self.value(index)? {
            Value::Float(tensor) => Ok(tensor.clone()),
            _ => Err(format!("its input {index} must hold floating-point numbers")),
        }
    }

    /// Input `index` as real numbers of rank `D`.
    pub(crate) fn tensor<const D: usize>(&self, index: usize) -> Result<Tensor<D>, String> {
        let value = self.float(index)?;
        value.get().ok_or_else(|| format!("its input {index} must have {D} dimensions, not {}", value.rank()))
    }

    /// Input `index` of rank `D`, or `None` where the node leaves it out.
    pub(crate) fn optional<const D: usize>(&self, index: usize) -> Result<Option<Tensor<D>>, String> {
        match self.0.get(index).copied().flatten() {
            Some(_) => self.tensor(index).map(Some),
            None => Ok(None),
        }
    }

    /// How many inputs the node lists.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

/// The one output of most kernels.
fn one(value: impl Into<Value>) -> Result<Vec<Value>, String> {
    Ok(vec![value.into()])
}

impl From<Ranked<Float>> for Value {
    fn from(tensor: Ranked<Float>) -> Self {
        Self::Float(tensor)
    }
}

/// Padding of two spatial dimensions: before and after, height and width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Padding2d {
    begin: [usize; 2],
    end: [usize; 2],
}

impl Padding2d {
    fn pairs(self) -> [(usize, usize); 2] {
        std::array::from_fn(|i| (self.begin[i], self.end[i]))
    }
}

/// The padding of a window operator, from its attributes and, for `auto_pad`, from the size of its input.
fn padding2d(
    auto_pad: &onnx_ir::padding::AutoPad,
    explicit: &onnx_ir::padding::PaddingConfig2d,
    input: [usize; 2],
    kernel: [usize; 2],
    stride: [usize; 2],
    dilation: [usize; 2],
) -> Padding2d {
    use onnx_ir::padding::{AutoPad, PaddingConfig2d};
    let same = |upper: bool| {
        let mut padding = Padding2d { begin: [0; 2], end: [0; 2] };
        for i in 0..2 {
            let output = input[i].div_ceil(stride[i]);
            let window = dilation[i] * (kernel[i] - 1) + 1;
            let total = ((output.max(1) - 1) * stride[i] + window).saturating_sub(input[i]);
            // The odd pixel goes to the end for SAME_UPPER, to the beginning for SAME_LOWER.
            padding.begin[i] = if upper { total / 2 } else { total.div_ceil(2) };
            padding.end[i] = total - padding.begin[i];
        }
        padding
    };
    match (auto_pad, explicit) {
        (AutoPad::SameUpper, _) => same(true),
        (AutoPad::SameLower, _) => same(false),
        (AutoPad::NotSet, PaddingConfig2d::Explicit(top, left, bottom, right)) => {
            Padding2d { begin: [*top, *left], end: [*bottom, *right] }
        }
        (AutoPad::Valid, _) | (AutoPad::NotSet, PaddingConfig2d::Valid) => {
            Padding2d { begin: [0; 2], end: [0; 2] }
        }
    }
}

/// Checks that a window fits its padded input at least once.
fn check_window(
    input: [usize; 2],
    padding: Padding2d,
    kernel: [usize; 2],
    dilation: [usize; 2],
) -> Result<(), String> {
    for i in 0..2 {
        let padded = input[i] + padding.begin[i] + padding.end[i];
        let window = dilation[i] * (kernel[i].max(1) - 1) + 1;
        if kernel[i] == 0 || padded < window {
            return Err(format!(
                "its window of {window} pixels does not fit the padded input of {padded} pixels"
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use onnx_ir::padding::{AutoPad, PaddingConfig2d};

    #[test]
    fn same_padding_puts_the_odd_pixel_where_onnx_says() {
        let pad = |mode| padding2d(&mode, &PaddingConfig2d::Valid, [227, 224], [3, 3], [2, 2], [1, 1]);
        // 227 needs a total of 2, 224 of 1.
        assert_eq!(pad(AutoPad::SameUpper), Padding2d { begin: [1, 0], end: [1, 1] });
        assert_eq!(pad(AutoPad::SameLower), Padding2d { begin: [1, 1], end: [1, 0] });
    }

    #[test]
    fn a_window_larger_than_its_input_is_refused() {
        let none = Padding2d { begin: [0; 2], end: [0; 2] };
        assert!(check_window([2, 8], none, [3, 3], [1, 1]).is_err());
        assert!(check_window([3, 8], none, [3, 3], [1, 1]).is_ok());
        assert!(check_window([4, 8], none, [3, 3], [2, 1]).is_err());
    }
}
