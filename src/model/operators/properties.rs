//! What holds of an operator, for whoever has to know more of a node than how to compute it.
//!
//! The rules of DeepLIFT, LRP, guided backpropagation and DeconvNet, the choice of Grad-CAM's layer, the randomisation of
//! weights, the fused kernels and the search for the last activation read it from here.

use std::ops::Range;

use super::{Inputs, Kernel, Window};
use crate::model::{element::Element, value::Value};

/// What an operator does with the values that it reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Kind {
    /// A function of one number, value by value; further inputs are its parameters.
    Function,
    /// The same, and one that networks have as the activation of a neuron.
    Activation,
    /// The sum of its inputs, value by value.
    Sum,
    /// The first input minus the second, value by value.
    Difference,
    /// The mean of its inputs, value by value.
    Mean,
    /// The product of its inputs, value by value.
    Product,
    /// The quotient of its inputs, value by value.
    Quotient,
    /// Linear in its first input, of which each output reads several values or one.
    Linear,
    /// The mean of several values of the first input.
    Average,
    /// The sum of values of the first input along axes.
    AxisSum,
    /// A scale and a shift a channel, from statistics that the file holds.
    BatchNormalization,
    /// The largest of several values of the first input.
    Maximum,
    /// A convolution of input 0 with the weights of input 1.
    Convolution,
    /// A product of matrices.
    Matmul,
    /// A sum of products over named axes.
    Einsum,
    /// A recurrent layer.
    Recurrent,
    /// Values are moved to other places, left out, repeated or joined.
    Move,
    /// The values of the first input in their order, in another shape or type.
    Reshape,
    /// From real numbers to integers and back.
    Quantization,
    /// Probabilities along an axis.
    Softmax,
    /// The logarithms of probabilities along an axis.
    LogSoftmax,
    /// No gradient passes: comparisons, indices, shapes, rounding.
    Stop,
    /// Anything else through which a gradient passes.
    #[default]
    Other,
}

/// What operators are of which files write a rectifier, a clip, a softmax or a sigmoid in their own ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Between bounds that are inputs 1 and 2.
    Clip,
    /// The larger of its inputs.
    Max,
    /// The smaller of its inputs.
    Min,
    /// Input 1 where input 0 holds, else input 2.
    Where,
    /// Whether input 0 is larger than input 1, or as large.
    Above,
    /// Whether input 0 is smaller than input 1, or as large.
    Below,
    /// Its input repeated to another shape.
    Expand,
    /// Input 1 times input 0 where that is below zero.
    Slope,
    /// The logarithm of a sum of exponentials along axes.
    LogSumExp,
    /// e to the power of its input.
    Exp,
    /// The natural logarithm of its input.
    Log,
    /// Minus its input.
    Neg,
    /// One over its input.
    Reciprocal,
}

/// What holds of an operator whatever its inputs are.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Properties {
    /// What it does with the values that it reads.
    pub kind: Kind,
    /// The bounds between which it keeps its first input, where it does nothing else.
    pub clamp: Option<(f32, f32)>,
    /// Whether it is linear piece by piece, beside what `clamp` and `kind` say.
    pub bends: bool,
    /// Whether it is the sigmoid.
    pub sigmoid: bool,
    /// Whether its outputs lie between 0 and 1 and gate what they are multiplied with.
    pub gates: bool,
    /// The inputs that are learned, where the file holds them. A batch normalisation's mean and variance are statistics.
    pub weights: Range<usize>,
    /// As what it may be a part of something that files write in several ways.
    pub form: Option<Form>,
    /// The bounds between which its real outputs lie, whatever the inputs are.
    pub range: Option<(f32, f32)>,
    /// Whether it works on windows of `[samples, channels, positions …]`.
    pub pools: bool,
    /// The axes of a reduction, where they are an attribute; input 1 holds them where it is there.
    pub axes: Option<Vec<i64>>,
    /// The order of the axes of a transposition; empty where they are reversed.
    pub permutation: Option<Vec<i64>>,
    /// Whether each sample's result depends on the others of its batch, as in training.
    pub mixes_samples: bool,
    /// Whether a recurrent layer has the batch first.
    pub batch_first: bool,
    /// The axis along which a softmax adds up, and whether all axes after it are taken as one, as ONNX has it before opset 13.
    pub axis: Option<(i64, bool)>,
}

impl Properties {
    /// Whether a gradient can pass.
    pub fn is_differentiable(&self) -> bool {
        self.kind != Kind::Stop
    }

    /// Whether it is a ReLU, with or without an upper bound.
    pub fn is_rectifier(&self) -> bool {
        self.clamp.is_some_and(|(low, high)| low == 0.0 && high > 0.0)
    }

    /// Whether it is linear piece by piece, and on which piece depends on the input.
    pub fn is_piecewise_linear(&self) -> bool {
        self.bends || self.clamp.is_some() || self.kind == Kind::Maximum
    }

    /// Whether every value stays in its place.
    pub fn keeps_places(&self) -> bool {
        use Kind::{
            Activation, BatchNormalization, Difference, Function, Mean, Product, Quantization, Quotient, Sum,
        };
        matches!(
            self.kind,
            Activation
                | BatchNormalization
                | Difference
                | Function
                | Mean
                | Product
                | Quantization
                | Quotient
                | Sum
        )
    }

    /// Whether it takes the time of a run.
    pub fn is_heavy(&self) -> bool {
        matches!(self.kind, Kind::Convolution | Kind::Matmul | Kind::Einsum | Kind::Recurrent)
    }
}

/// What the kernels of a device may run an operator as.
#[derive(Debug, Clone)]
pub(in crate::model) enum Lowering {
    /// A convolution with the weights of input 1 and the bias of input 2.
    Convolution {
        groups: usize,
        window: Window,
    },
    MaxPool(Window),
    AveragePool {
        window: Window,
        with_padding: bool,
    },
    GlobalAverage,
    /// A value kept between bounds, those of [`Properties::clamp`].
    Clamp,
    Add,
    Concat {
        axis: i64,
    },
    /// A recurrent layer with the functions that are usual, on all steps of all samples.
    Recurrent {
        cell: adversight_kernels::Cell,
        reversed: Vec<bool>,
        batch_first: bool,
    },
    /// The input in another shape.
    Reshape,
    /// `alpha x' W + beta b` with the matrix of input 1, or its transpose.
    Matmul {
        transposed: bool,
        alpha: f32,
        beta: f32,
    },
}

/// One of the operators that do together what a fused one does.
pub(in crate::model) struct Part {
    /// Its ONNX name, for people.
    pub name: &'static str,
    /// An operator of one output.
    pub operator: Operator,
    /// What it reads.
    pub inputs: Vec<Wire>,
}

/// What a part reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::model) enum Wire {
    /// An input of the fused node.
    Given(usize),
    /// The output of a part before it.
    Made(usize),
}

/// A node's operator with its attributes.
pub(in crate::model) struct Operator {
    kernel: Kernel,
    /// The same with the deviation that it divides by cut off from the gradient.
    held: Option<Kernel>,
    /// What does the same in several nodes, for a fused operator: attention, whose probabilities are looked at. The last makes the
    /// first output, and is all that is read of it.
    pub parts: Vec<Part>,
    /// What holds of it.
    pub properties: Properties,
    /// As what a device's own kernels may run it.
    pub lowering: Option<Lowering>,
    /// The type of the first output's elements; that of the first input where nothing is said.
    pub element: Option<Option<Element>>,
}

impl From<Kernel> for Operator {
    fn from(kernel: Kernel) -> Self {
        Self {
            kernel,
            held: None,
            parts: Vec::new(),
            properties: Properties::default(),
            lowering: None,
            element: None,
        }
    }
}

impl Operator {
    pub fn new(
        kind: Kind,
        forward: impl Fn(&Inputs) -> Result<Vec<Value>, String> + Send + Sync + 'static,
    ) -> Self {
        Self::of(kind, Box::new(forward))
    }

    pub fn of(kind: Kind, kernel: Kernel) -> Self {
        let mut operator = Self::from(kernel);
        operator.properties.kind = kind;
        operator
    }

    /// The outputs of a node on its inputs; an error is a sentence without the node's name.
    pub fn forward(&self, inputs: &Inputs) -> Result<Vec<Value>, String> {
        use Kind::{Activation, Difference, Function, Mean, Product, Quotient, Sum};
        if matches!(
            self.properties.kind,
            Activation | Difference | Function | Mean | Product | Quotient | Sum
        ) && let Some(results) = inputs.merged(|inputs| (self.kernel)(inputs))
        {
            return results;
        }
        (self.kernel)(inputs)
    }

    /// Says what does the same in several nodes.
    pub fn written_out(mut self, parts: Vec<Part>) -> Self {
        self.parts = parts;
        self
    }

    /// A normalisation whose deviation may be held on the way back, by `kernel`.
    pub fn holding(mut self, kernel: Kernel) -> Self {
        self.held = Some(kernel);
        self
    }

    /// Whether it is such a normalisation.
    pub fn is_held(&self) -> bool {
        self.held.is_some()
    }

    /// Like [`Operator::forward`] with the deviation held.
    pub fn forward_held(&self, inputs: &Inputs) -> Result<Vec<Value>, String> {
        (self.held.as_ref().unwrap_or(&self.kernel))(inputs)
    }

    pub fn clamps(mut self, low: f32, high: f32) -> Self {
        self.properties.clamp = Some((low, high));
        self.lowers(Lowering::Clamp)
    }

    pub fn gates(mut self) -> Self {
        self.properties.gates = true;
        self
    }

    pub fn formed(mut self, form: Form) -> Self {
        self.properties.form = Some(form);
        self
    }

    pub fn reduces(mut self, axes: Option<Vec<i64>>) -> Self {
        self.properties.axes = axes;
        self
    }

    pub fn within(mut self, range: Option<(f32, f32)>) -> Self {
        self.properties.range = range;
        self
    }

    pub fn bends(mut self) -> Self {
        self.properties.bends = true;
        self
    }

    pub fn pools(mut self) -> Self {
        self.properties.pools = true;
        self
    }

    pub fn mixes_samples(mut self, mixes: bool) -> Self {
        self.properties.mixes_samples = mixes;
        self
    }

    pub fn permutes(mut self, order: Vec<i64>) -> Self {
        self.properties.permutation = Some(order);
        self
    }

    pub fn batch_first(mut self, batch_first: bool) -> Self {
        self.properties.batch_first = batch_first;
        self
    }

    pub fn learns(mut self, weights: Range<usize>) -> Self {
        self.properties.weights = weights;
        self
    }

    pub fn along(mut self, axis: i64, with_rest: bool) -> Self {
        self.properties.axis = Some((axis, with_rest));
        self
    }

    pub fn lowers(mut self, lowering: Lowering) -> Self {
        self.lowering = Some(lowering);
        self
    }

    pub fn may_lower(mut self, lowering: Option<Lowering>) -> Self {
        self.lowering = lowering;
        self
    }

    /// Says the type of the first output's elements, as far as it is known.
    pub fn gives(mut self, element: Option<Element>) -> Self {
        self.element = Some(element);
        self
    }
}
