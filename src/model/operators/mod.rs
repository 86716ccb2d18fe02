//! The operators of ONNX, one file a family.
//!
//! An operator is one function: it reads a node's attributes when the model is loaded and gives back an [`Operator`]:
//! the closure that computes the node's outputs on every run, and what holds of it ([`Properties`]). Nothing outside its
//! file asks for an operator by its name. A further operator is that function and one line in `operators!`.
//!
//! Kernels check the shapes that they are given, because a shape error inside Burn is a panic, which ends a
//! wasm module.

mod activation;
mod arithmetic;
mod attention;
mod classical;
mod control;
mod convolution;
mod deformable;
mod detection;
mod indexing;
mod linear;
mod loss;
mod microsoft;
mod normalization;
mod pooling;
mod properties;
mod quantization;
mod recurrent;
mod reduction;
mod regions;
mod resize;
mod shape;
mod signal;
mod support_vectors;
mod trees;

use burn::tensor::{Bool, Float, Int, Tensor, TensorData};

pub(super) use arithmetic::clamp;
pub(super) use convolution::{Placed, Window};
pub(crate) use properties::{Form, Kind, Properties};
pub(super) use properties::{Lowering, Operator, Part, Wire};

use super::{
    node::Node,
    value::{MAX_RANK, Ranked, Value},
};

/// Computes the outputs of one node from its inputs; an error is a sentence without the node's name.
pub(crate) type Kernel = Box<dyn Fn(&Inputs) -> Result<Vec<Value>, String> + Send + Sync>;

/// What an operator's function returns at load time where there is nothing to say of it but how it computes.
pub(crate) type Plan = Result<Kernel, String>;

/// What any other operator's function returns.
pub(super) type Described = Result<Operator, String>;

macro_rules! operators {
    ($($onnx:literal => $function:path;)*) => {
        /// The ONNX operators that the interpreter runs; those outside ONNX's own domain with it.
        pub(crate) const SUPPORTED: &[&str] = &[$($onnx),*];

        /// The operator of a node of this name.
        fn read(operator: &str, node: &Node) -> Described {
            match operator {
                $($onnx => $function(node).map(Operator::from),)*
                _ => Err("it is not implemented".into()),
            }
        }
    };
}

operators! {
    "Abs" => arithmetic::abs;
    "Acos" => activation::acos;
    "Acosh" => activation::acosh;
    "Add" => arithmetic::add;
    "AffineGrid" => resize::affine_grid;
    "And" => arithmetic::and;
    "ArgMax" => reduction::arg_max;
    "ArgMin" => reduction::arg_min;
    "Asin" => activation::asin;
    "Asinh" => activation::asinh;
    "Atan" => activation::atan;
    "Atanh" => activation::atanh;
    "Attention" => attention::attention;
    "AveragePool" => pooling::average;
    "BatchNormalization" => normalization::batch;
    "BitShift" => arithmetic::bit_shift;
    "BitwiseAnd" => arithmetic::bitwise_and;
    "BitwiseNot" => arithmetic::bitwise_not;
    "BitwiseOr" => arithmetic::bitwise_or;
    "BitwiseXor" => arithmetic::bitwise_xor;
    "BlackmanWindow" => signal::blackman_window;
    "Cast" => shape::cast;
    "CastLike" => shape::cast_like;
    "CausalConvWithState" => attention::causal_convolution;
    "Ceil" => activation::ceil;
    "Celu" => activation::celu;
    "CenterCropPad" => shape::center_crop_pad;
    "Clip" => arithmetic::clip;
    "Col2Im" => convolution::col2im;
    "Compress" => indexing::compress;
    "Concat" => shape::concat;
    "Constant" => shape::constant;
    "ConstantOfShape" => shape::constant_of_shape;
    "Conv" => convolution::conv;
    "ConvInteger" => convolution::conv_integer;
    "ConvTranspose" => convolution::conv_transpose;
    "Cos" => activation::cos;
    "Cosh" => activation::cosh;
    "CumProd" => reduction::cumulative_product;
    "CumSum" => reduction::cumulative_sum;
    "DFT" => signal::dft;
    "DepthToSpace" => shape::depth_to_space;
    "DequantizeLinear" => quantization::dequantize;
    "Div" => arithmetic::div;
    "Dropout" => shape::dropout;
    "DynamicQuantizeLinear" => quantization::dynamic_quantize;
    "Einsum" => linear::einsum;
    "Elu" => activation::elu;
    "Equal" => arithmetic::equal;
    "Erf" => activation::erf;
    "Exp" => activation::exp;
    "Expand" => shape::expand;
    "EyeLike" => shape::eye_like;
    "Flatten" => shape::flatten;
    "Floor" => activation::floor;
    "GRU" => recurrent::gru;
    "Gather" => indexing::gather;
    "GatherElements" => indexing::gather_elements;
    "GatherND" => indexing::gather_nd;
    "Gelu" => activation::gelu;
    "Gemm" => linear::gemm;
    "GlobalAveragePool" => pooling::global_average;
    "GlobalLpPool" => pooling::global_lp;
    "GlobalMaxPool" => pooling::global_max;
    "Greater" => arithmetic::greater;
    "GreaterOrEqual" => arithmetic::greater_or_equal;
    "GridSample" => resize::grid_sample;
    "GroupNormalization" => normalization::group;
    "HammingWindow" => signal::hamming_window;
    "HannWindow" => signal::hann_window;
    "HardSigmoid" => activation::hard_sigmoid;
    "HardSwish" => activation::hard_swish;
    "Hardmax" => activation::hardmax;
    "Identity" => shape::identity;
    "If" => control::choose;
    "InstanceNormalization" => normalization::instance;
    "IsInf" => activation::is_inf;
    "IsNaN" => activation::is_nan;
    "LRN" => normalization::local_response;
    "LSTM" => recurrent::lstm;
    "LayerNormalization" => normalization::layer;
    "LeakyRelu" => activation::leaky_relu;
    "Less" => arithmetic::less;
    "LessOrEqual" => arithmetic::less_or_equal;
    "LinearAttention" => attention::linear_attention;
    "Log" => activation::log;
    "LogSoftmax" => activation::log_softmax;
    "Loop" => control::repeat;
    "LpNormalization" => normalization::lp;
    "LpPool" => pooling::lp;
    "MatMul" => linear::matmul;
    "MatMulInteger" => linear::matmul_integer;
    "Max" => arithmetic::max;
    "MaxPool" => pooling::max;
    "Mean" => arithmetic::mean;
    "MeanVarianceNormalization" => normalization::mean_variance;
    "Min" => arithmetic::min;
    "Mish" => activation::mish;
    "Mod" => arithmetic::modulo;
    "Mul" => arithmetic::mul;
    "Neg" => arithmetic::neg;
    "NegativeLogLikelihoodLoss" => loss::negative_log_likelihood;
    "NonMaxSuppression" => detection::non_max_suppression;
    "NonZero" => indexing::non_zero;
    "Not" => arithmetic::not;
    "OneHot" => indexing::one_hot;
    "Or" => arithmetic::or;
    "PRelu" => arithmetic::prelu;
    "Pad" => shape::pad;
    "Pow" => arithmetic::pow;
    "QLinearConv" => convolution::qlinear_conv;
    "QLinearMatMul" => linear::qlinear_matmul;
    "QuantizeLinear" => quantization::quantize;
    "RMSNormalization" => normalization::root_mean_square;
    "RNN" => recurrent::rnn;
    "Range" => shape::range;
    "Reciprocal" => activation::reciprocal;
    "ReduceL1" => reduction::l1;
    "ReduceL2" => reduction::l2;
    "ReduceLogSum" => reduction::log_sum;
    "ReduceLogSumExp" => reduction::log_sum_exp;
    "ReduceMax" => reduction::max;
    "ReduceMean" => reduction::mean;
    "ReduceMin" => reduction::min;
    "ReduceProd" => reduction::product;
    "ReduceSum" => reduction::sum;
    "ReduceSumSquare" => reduction::sum_square;
    "Relu" => activation::relu;
    "Reshape" => shape::reshape;
    "Resize" => resize::resize;
    "ReverseSequence" => indexing::reverse_sequence;
    "RotaryEmbedding" => attention::rotary;
    "Round" => activation::round;
    "STFT" => signal::stft;
    "Scan" => control::scan;
    "Scatter" => indexing::scatter_elements;
    "ScatterElements" => indexing::scatter_elements;
    "ScatterND" => indexing::scatter_nd;
    "Selu" => activation::selu;
    "Shape" => shape::shape;
    "Shrink" => activation::shrink;
    "Sigmoid" => activation::sigmoid;
    "Sign" => arithmetic::sign;
    "Sin" => activation::sin;
    "Sinh" => activation::sinh;
    "Size" => shape::size;
    "Slice" => shape::slice;
    "Softmax" => activation::softmax;
    "SoftmaxCrossEntropyLoss" => loss::softmax_cross_entropy;
    "Softplus" => activation::softplus;
    "Softsign" => activation::softsign;
    "SpaceToDepth" => shape::space_to_depth;
    "Split" => shape::split;
    "Sqrt" => activation::sqrt;
    "Squeeze" => shape::squeeze;
    "Sub" => arithmetic::sub;
    "Sum" => arithmetic::sum;
    "SwiGLU" => activation::swiglu;
    "Swish" => activation::swish;
    "Tan" => activation::tan;
    "Tanh" => activation::tanh;
    "TensorScatter" => attention::tensor_scatter;
    "ThresholdedRelu" => activation::thresholded_relu;
    "Tile" => shape::tile;
    "TopK" => reduction::top_k;
    "Transpose" => shape::transpose;
    "Trilu" => shape::trilu;
    "Unique" => indexing::unique;
    "Unsqueeze" => shape::unsqueeze;
    "Upsample" => resize::upsample;
    "Where" => arithmetic::select;
    "Xor" => arithmetic::xor;
    "com.microsoft::Gelu" => activation::gelu;
    "com.microsoft::LayerNormalization" => normalization::layer;
    "DeformConv" => deformable::deform_conv;
    "Det" => linear::determinant;
    "MaxRoiPool" => regions::max_roi_pool;
    "MaxUnpool" => pooling::max_unpool;
    "MelWeightMatrix" => signal::mel_weight_matrix;
    "RoiAlign" => regions::roi_align;
    "SimplifiedLayerNormalization" => normalization::root_mean_square;
    "ai.onnx.ml::ArrayFeatureExtractor" => classical::array_feature_extractor;
    "ai.onnx.ml::Binarizer" => classical::binarizer;
    "ai.onnx.ml::FeatureVectorizer" => classical::feature_vectorizer;
    "ai.onnx.ml::Imputer" => classical::imputer;
    "ai.onnx.ml::LabelEncoder" => classical::label_encoder;
    "ai.onnx.ml::LinearClassifier" => classical::linear_classifier;
    "ai.onnx.ml::LinearRegressor" => classical::linear_regressor;
    "ai.onnx.ml::Normalizer" => classical::normalizer;
    "ai.onnx.ml::OneHotEncoder" => classical::one_hot_encoder;
    "ai.onnx.ml::SVMClassifier" => support_vectors::classifier;
    "ai.onnx.ml::SVMRegressor" => support_vectors::regressor;
    "ai.onnx.ml::Scaler" => classical::scaler;
    "ai.onnx.ml::TreeEnsemble" => trees::ensemble;
    "ai.onnx.ml::TreeEnsembleClassifier" => trees::classifier;
    "ai.onnx.ml::TreeEnsembleRegressor" => trees::regressor;
    "ai.onnx.ml::ZipMap" => classical::zip_map;
    "com.microsoft::Attention" => microsoft::attention;
    "com.microsoft::BiasGelu" => microsoft::bias_gelu;
    "com.microsoft::CDist" => support_vectors::distances;
    "com.microsoft::DequantizeLinear" => quantization::dequantize;
    "com.microsoft::DynamicQuantizeLSTM" => microsoft::dynamic_quantize_lstm;
    "com.microsoft::DynamicQuantizeMatMul" => microsoft::dynamic_quantize_matmul;
    "com.microsoft::EmbedLayerNormalization" => microsoft::embed_layer;
    "com.microsoft::FastGelu" => microsoft::fast_gelu;
    "com.microsoft::FusedConv" => microsoft::fused_conv;
    "com.microsoft::FusedGemm" => microsoft::fused_gemm;
    "com.microsoft::FusedMatMul" => microsoft::fused_matmul;
    "com.microsoft::MatMulIntegerToFloat" => microsoft::matmul_integer_to_float;
    "com.microsoft::MatMulNBits" => microsoft::matmul_n_bits;
    "com.microsoft::MultiHeadAttention" => microsoft::multi_head_attention;
    "com.microsoft::QGemm" => microsoft::qgemm;
    "com.microsoft::QLinearAdd" => microsoft::qlinear_add;
    "com.microsoft::QLinearAveragePool" => microsoft::qlinear_average;
    "com.microsoft::QLinearConcat" => microsoft::qlinear_concat;
    "com.microsoft::QLinearGlobalAveragePool" => microsoft::qlinear_global_average;
    "com.microsoft::QLinearLeakyRelu" => microsoft::qlinear_leaky_relu;
    "com.microsoft::QLinearMul" => microsoft::qlinear_mul;
    "com.microsoft::QLinearSigmoid" => microsoft::qlinear_sigmoid;
    "com.microsoft::QLinearSoftmax" => microsoft::qlinear_softmax;
    "com.microsoft::QLinearWhere" => microsoft::qlinear_where;
    "com.microsoft::QuantizeLinear" => quantization::quantize;
    "com.microsoft::QuickGelu" => microsoft::quick_gelu;
    "com.microsoft::SkipLayerNormalization" => microsoft::skip_layer;
    "com.microsoft::SkipSimplifiedLayerNormalization" => microsoft::skip_simplified_layer;
}

/// Prepares a node; an error is the reason why it cannot run.
pub(super) fn plan(operator: &str, node: &Node) -> Described {
    read(operator, node)
}

/// Hands on the logits of an activation along an axis that the input must have, as the activation would ask.
pub(super) fn logits_along(along: Option<(i64, bool)>) -> Operator {
    let logits = Operator::new(Kind::Reshape, move |inputs| {
        let value = inputs.any(0)?.clone();
        match along {
            Some((given, _)) if value.rank() > 0 => axis(given, value.rank()).map(|_| vec![value]),
            _ => Ok(vec![value]),
        }
    });
    logits.lowers(Lowering::Reshape)
}

/// Its input with its axes in another order.
pub(super) fn permute(order: Vec<usize>) -> Operator {
    let permutation = order.iter().map(|&axis| axis as i64).collect();
    let permute =
        Operator::new(Kind::Move, move |inputs| one(shape::permuted(inputs.any(0)?.clone(), &order)?));
    permute.permutes(permutation)
}

/// A part that puts the axes of another's output in another order.
fn permuting(order: [usize; 4], made: usize) -> Part {
    Part { name: "Transpose", operator: permute(order.to_vec()), inputs: vec![Wire::Made(made)] }
}

/// A part that makes heads, `[batch, length, heads, size]`, of `[batch, length, heads * size]`. Those that are apart already come as
/// `[batch, heads, length, size]`.
fn heads_apart(heads: usize, from: Wire) -> Part {
    let operator = Operator::new(Kind::Reshape, move |inputs| {
        let x = inputs.float(0)?;
        let dims = x.dims();
        match dims[..] {
            [_, apart, ..] if dims.len() == 4 && apart == heads => {
                one(shape::permuted(x.into(), &[0, 2, 1, 3])?)
            }
            [batch, length, width] if width > 0 && width.is_multiple_of(heads) => {
                let split = x.reshape(&[batch, length, heads, width / heads]);
                one(split.ok_or_else(|| too_many(&dims))?)
            }
            _ => Err(format!("its input of shape {dims:?} does not divide into {heads} heads")),
        }
    });
    Part { name: "Reshape", operator, inputs: vec![from] }
}

/// A part that lays heads, `[batch, length, heads, size]`, one after the other.
fn heads_joined(made: usize) -> Part {
    let operator = Operator::new(Kind::Reshape, |inputs| {
        let x = inputs.float(0)?;
        let dims = x.dims();
        let [batch, length, heads, size] = dims[..] else {
            return Err(format!("its heads of shape {dims:?} have another rank"));
        };
        one(x.reshape(&[batch, length, heads * size]).ok_or_else(|| too_many(&dims))?)
    });
    Part { name: "Reshape", operator, inputs: vec![Wire::Made(made)] }
}

/// Parts that make probabilities of scores and weigh values by them.
fn weighing(scores: usize, values: usize) -> [Part; 2] {
    // A query that may look at no key gets zeros.
    const BLOCKED: f32 = -1e29;
    let softmax = Operator::new(Kind::Softmax, |inputs| {
        let scores = inputs.float(0)?;
        let last = scores.rank().checked_sub(1).ok_or("its scores are one number")?;
        let looks = scores.clone().greater_elem(BLOCKED).float();
        one(scores.softmax(last) * looks)
    });
    let product =
        Operator::new(Kind::Matmul, |inputs| one(linear::product(inputs.float(0)?, inputs.float(1)?)?));
    [
        Part { name: "Softmax", operator: softmax.along(-1, false), inputs: vec![Wire::Made(scores)] },
        Part { name: "MatMul", operator: product, inputs: vec![Wire::Made(scores + 1), Wire::Made(values)] },
    ]
}

/// Its input in another shape.
pub(super) fn reshape_to(dims: Vec<usize>) -> Operator {
    Operator::new(Kind::Reshape, move |inputs| one(inputs.any(0)?.clone().reshape(&dims)?))
        .lowers(Lowering::Reshape)
}

/// Some columns of its input, `[N, features]`, as samples of a shape.
pub(super) fn part_of_row(columns: std::ops::Range<usize>, sample: Vec<usize>) -> Operator {
    Operator::new(Kind::Move, move |inputs| {
        let value = inputs.any(0)?.clone();
        let rows = value.dims().first().copied().ok_or("its input is one number")?;
        let dims: Vec<usize> = std::iter::once(rows).chain(sample.iter().copied()).collect();
        let range = columns.start as i64..columns.end as i64;
        let cut = super::value::map_value!(value, ranked => super::value::map_ranked!(ranked, x => x.slice_dim(1, range.clone())));
        one(cut.reshape(&dims)?)
    })
}

/// Joins all inputs along their last axis.
pub(super) fn joined_last() -> Operator {
    Operator::new(Kind::Move, |inputs| {
        let values = (0..inputs.len()).map(|index| inputs.value(index)).collect::<Result<Vec<_>, _>>()?;
        let last = values.first().map_or(0, Value::rank).checked_sub(1).ok_or("its inputs are scalars")?;
        one(shape::joined(values, last)?)
    })
}

/// The inputs of a node on one run; an optional input that is absent is `None`.
///
/// Whole numbers that describe shapes, and small constants, lie on the host even where the model runs on a GPU:
/// an operator that meets both kinds gets all of them on the GPU, and nothing is ever read back from there.
pub(crate) struct Inputs<'a> {
    values: &'a [Option<&'a Value>],
    /// Copies of host constants on the model's device, where there are any.
    copies: &'a [Option<&'a Value>],
    device: burn::tensor::Device,
    on_host: bool,
}

impl<'a> Inputs<'a> {
    pub(super) fn new(
        values: &'a [Option<&'a Value>],
        copies: &'a [Option<&'a Value>],
        device: &burn::tensor::Device,
    ) -> Self {
        let host = burn::tensor::Device::flex();
        let on_host = *device == host || values.iter().flatten().all(|value| value.device() == host);
        Self { values, copies, device: if on_host { host } else { device.clone() }, on_host }
    }

    /// Input `index`, whatever it is and wherever it lies; also of more dimensions than are computed with.
    pub(crate) fn any(&self, index: usize) -> Result<&'a Value, String> {
        self.values.get(index).copied().flatten().ok_or_else(|| format!("its input {index} is missing"))
    }

    /// Input `index`, whatever it is and wherever it lies.
    pub(crate) fn raw(&self, index: usize) -> Result<&'a Value, String> {
        let value = self.any(index)?;
        match value.rank() {
            rank if rank > MAX_RANK => Err(format!(
                "its input {index} of {rank} axes has too many dimensions: it computes with at most {MAX_RANK}"
            )),
            _ => Ok(value),
        }
    }

    /// Input `index` on the device that the node runs on.
    pub(crate) fn value(&self, index: usize) -> Result<Value, String> {
        self.raw(index)?;
        self.wide(index)
    }

    /// The same, also of more dimensions than are computed with.
    pub(crate) fn wide(&self, index: usize) -> Result<Value, String> {
        let value = self.any(index)?;
        if self.on_host || value.device() == self.device {
            return Ok(value.clone());
        }
        match self.copies.get(index).copied().flatten() {
            Some(copy) => Ok(copy.clone()),
            None => {
                value.uploaded(&self.device).ok_or_else(|| format!("its input {index} cannot be uploaded"))
            }
        }
    }

    /// Runs a function of values at the same places on inputs of more dimensions than are computed with: neighbours that
    /// broadcast alike are taken as one. Nothing where no input has so many.
    fn merged(
        &self,
        run: impl Fn(&Inputs) -> Result<Vec<Value>, String>,
    ) -> Option<Result<Vec<Value>, String>> {
        let many = self.values.iter().flatten().any(|value| value.rank() > MAX_RANK);
        many.then(|| {
            let value = |index: usize| if self.has(index) { self.wide(index).map(Some) } else { Ok(None) };
            let mut values = (0..self.len()).map(value).collect::<Result<Vec<_>, _>>()?;
            let shapes: Vec<Vec<usize>> =
                values.iter().map(|value| value.as_ref().map_or(Vec::new(), Value::dims)).collect();
            let whole = arithmetic::common_shape(&shapes)?;
            check_size(&whole)?;
            // Which inputs have a size of their own there, and the size.
            let mut groups: Vec<(Vec<bool>, usize)> = Vec::new();
            for (axis, &size) in whole.iter().enumerate().filter(|(_, size)| **size != 1) {
                let own = |dims: &Vec<usize>| {
                    (axis + dims.len()).checked_sub(whole.len()).is_some_and(|at| dims[at] != 1)
                };
                let own: Vec<bool> = shapes.iter().map(own).collect();
                match groups.last_mut() {
                    Some((before, product)) if *before == own => *product *= size,
                    _ => groups.push((own, size)),
                }
            }
            if groups.len() > MAX_RANK {
                return Err(too_many(&whole));
            }
            for (index, value) in values.iter_mut().enumerate() {
                let Some(full) = value.as_ref().filter(|value| value.len() != 1) else { continue };
                let dims: Vec<usize> =
                    groups.iter().map(|(own, size)| if own[index] { *size } else { 1 }).collect();
                *value = Some(full.clone().reshape(&dims)?);
            }
            let values: Vec<Option<&Value>> = values.iter().map(Option::as_ref).collect();
            let results = run(&Inputs::new(&values, &[], &self.device))?;
            results.into_iter().map(|result| result.reshape(&whole)).collect()
        })
    }

    /// Whether input `index` is there.
    pub(crate) fn has(&self, index: usize) -> bool {
        self.values.get(index).is_some_and(Option::is_some)
    }

    /// Input `index` as real numbers of any rank.
    pub(crate) fn float(&self, index: usize) -> Result<Ranked<Float>, String> {
        match self.value(index)? {
            Value::Float(tensor) => Ok(tensor),
            _ => Err(format!("its input {index} must hold floating-point numbers")),
        }
    }

    /// Input `index` as whole numbers of any rank.
    pub(crate) fn int(&self, index: usize) -> Result<Ranked<Int>, String> {
        match self.value(index)? {
            Value::Int(tensor) => Ok(tensor),
            _ => Err(format!("its input {index} must hold whole numbers")),
        }
    }

    /// Input `index` as truth values of any rank.
    pub(crate) fn bool(&self, index: usize) -> Result<Ranked<Bool>, String> {
        match self.value(index)? {
            Value::Bool(tensor) => Ok(tensor),
            _ => Err(format!("its input {index} must hold truth values")),
        }
    }

    /// Input `index` as real numbers of rank `D`.
    pub(crate) fn tensor<const D: usize>(&self, index: usize) -> Result<Tensor<D>, String> {
        let value = self.float(index)?;
        value.get().ok_or_else(|| format!("its input {index} must have {D} dimensions, not {}", value.rank()))
    }

    /// Input `index` of rank `D`, or `None` where the node leaves it out.
    pub(crate) fn optional<const D: usize>(&self, index: usize) -> Result<Option<Tensor<D>>, String> {
        if self.has(index) { self.tensor(index).map(Some) } else { Ok(None) }
    }

    fn on_gpu(index: usize) -> String {
        format!(
            "its input {index} is computed on the GPU and decides a shape, and reading it back would stop the run; \
             run this model on the CPU"
        )
    }

    /// The elements of input `index`, which must lie on the host: sizes, axes and the like.
    pub(crate) fn ints(&self, index: usize) -> Result<Vec<i64>, String> {
        let value = self.raw(index)?;
        let Value::Int(tensor) = value else {
            return Err(format!("its input {index} must hold whole numbers"));
        };
        if value.device() != burn::tensor::Device::flex() {
            return Err(Self::on_gpu(index));
        }
        let data = tensor.clone().flat().into_data().convert::<i64>();
        data.try_into_vec().map_err(|_| format!("its input {index} cannot be read"))
    }

    /// The elements of input `index`, which must lie on the host, as f32.
    pub(crate) fn floats(&self, index: usize) -> Result<Vec<f32>, String> {
        let value = self.raw(index)?;
        if value.device() != burn::tensor::Device::flex() {
            return Err(Self::on_gpu(index));
        }
        let data = match value {
            Value::Float(tensor) => match tensor.device().is_autodiff() {
                true => tensor.clone().inner().into_data(),
                false => tensor.clone().into_data(),
            },
            Value::Int(tensor) => tensor.clone().flat().into_data().convert::<f32>(),
            Value::Bool(_) => return Err(format!("its input {index} must hold numbers")),
        };
        data.try_into_vec().map_err(|_| format!("its input {index} cannot be read"))
    }

    /// The truth values of input `index`, which must lie on the host.
    pub(crate) fn bools(&self, index: usize) -> Result<Vec<bool>, String> {
        let value = self.raw(index)?;
        let Value::Bool(tensor) = value else {
            return Err(format!("its input {index} must hold truth values"));
        };
        if value.device() != burn::tensor::Device::flex() {
            return Err(Self::on_gpu(index));
        }
        Ok(tensor.clone().flat().into_data().iter::<bool>().collect())
    }

    /// The one element of input `index`, which must lie on the host.
    pub(crate) fn scalar(&self, index: usize) -> Result<f32, String> {
        match *self.floats(index)? {
            [value] => Ok(value),
            ref other => Err(format!("its input {index} must be one number, not {}", other.len())),
        }
    }

    /// How many inputs the node lists.
    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    /// The device that the node runs on.
    pub(crate) fn device(&self) -> &burn::tensor::Device {
        &self.device
    }
}

/// The one output of most kernels.
fn one<V: Into<Value>>(value: V) -> Result<Vec<Value>, String> {
    Ok(vec![value.into()])
}

/// Whole numbers on the host, where shapes are computed.
fn host_ints(values: Vec<i64>, dims: &[usize]) -> Result<Value, String> {
    int_tensor(values, dims, &burn::tensor::Device::flex()).map(Value::Int)
}

fn int_tensor(
    values: Vec<i64>,
    dims: &[usize],
    device: &burn::tensor::Device,
) -> Result<Ranked<Int>, String> {
    let data = crate::model::value::whole(TensorData::new(values, dims.to_vec()));
    Ranked::from_data(data, device).ok_or_else(|| too_many(dims))
}

fn float_tensor(
    values: Vec<f32>,
    dims: &[usize],
    device: &burn::tensor::Device,
) -> Result<Ranked<Float>, String> {
    Ranked::from_data(TensorData::new(values, dims.to_vec()), device).ok_or_else(|| too_many(dims))
}

fn too_many(dims: &[usize]) -> String {
    format!("its result of shape {dims:?} has too many dimensions")
}

/// An axis that may count from the end, of a value of rank `rank`.
fn axis(axis: i64, rank: usize) -> Result<usize, String> {
    let counted = if axis < 0 { axis + rank as i64 } else { axis };
    usize::try_from(counted)
        .ok()
        .filter(|&counted| counted < rank)
        .ok_or_else(|| format!("its axis {axis} is not one of the input's {rank} dimensions"))
}

/// Axes that may count from the end, each once.
fn axes(given: &[i64], rank: usize) -> Result<Vec<usize>, String> {
    let mut found = given.iter().map(|&each| axis(each, rank)).collect::<Result<Vec<_>, _>>()?;
    found.sort_unstable();
    let before = found.len();
    found.dedup();
    if found.len() == before { Ok(found) } else { Err(format!("its axes {given:?} name one axis twice")) }
}

/// A slice as an array, for Burn's functions that want one element a dimension.
fn array<T: Copy, const D: usize>(values: &[T]) -> Result<[T; D], String> {
    values.try_into().map_err(|_| format!("{} values do not fit {D} dimensions", values.len()))
}

/// Elements of one value: 1 GiB of real numbers, more than a GPU binds at once.
const MOST: usize = 1 << 28;

/// A size that no device computes with is refused before its memory is asked for. A size beside one of 0 counts too.
fn check_size(dims: &[usize]) -> Result<(), String> {
    let count = dims.iter().try_fold(1usize, |count, &dim| count.checked_mul(dim));
    match count {
        Some(count) if count <= MOST && dims.iter().all(|&dim| dim <= MOST) => Ok(()),
        _ => Err(format!("its result of shape {dims:?} is too large")),
    }
}

/// An input without elements, which most functions of Burn do not take.
fn check_filled(value: &Value) -> Result<(), String> {
    match value.is_empty() {
        true => Err(format!("its input of shape {:?} is empty", value.dims())),
        false => Ok(()),
    }
}
