//! The methods, each a file and a line here.

use super::registry::Entry;
// What methods are made of.
use super::{
    Attribution, Batches, Completeness, JUMP_PASSES, Segmentation, Subject, anytime, baseline, cam, display,
    hidden, method, partition, predicts, read, regression, scaled, subject, tokens, upsample,
};

/// Declares the module of each method and lists the methods in the order in which they are told, cheapest first.
macro_rules! methods {
    ($($module:ident::$method:ident),* $(,)?) => {
        $(pub mod $module;)*

        pub(super) static METHODS: &[Entry] = &[$(Entry::of::<$module::$method>()),*];
    };
}

methods! {
    saliency::Saliency,
    input_x_gradient::InputXGradient,
    guided_backprop::GuidedBackprop,
    deconvnet::Deconvnet,
    deep_lift::DeepLift,
    deep_lift_shap::DeepLiftShap,
    lrp::Lrp,
    attn_lrp::AttnLrp,
    grad_cam::GradCam,
    grad_cam_plus_plus::GradCamPlusPlus,
    hires_cam::HiResCam,
    layer_cam::LayerCam,
    x_grad_cam::XGradCam,
    grad_cam_element_wise::GradCamElementWise,
    eigen_cam::EigenCam,
    eigen_grad_cam::EigenGradCam,
    full_grad::FullGrad,
    guided_grad_cam::GuidedGradCam,
    finer_cam::FinerCam,
    shapley_cam::ShapleyCam,
    odam::Odam,
    attention_rollout::AttentionRollout,
    generic_attention::GenericAttention,
    legrad::LeGrad,
    rt_sal::RtSal,
    smoothgrad::SmoothGrad,
    vargrad::VarGrad,
    integrated_gradients::IntegratedGradients,
    mfaba::Mfaba,
    idgi::Idgi,
    blur_ig::BlurIg,
    expected_gradients::ExpectedGradients,
    guided_ig::GuidedIg,
    agi::Agi,
    ablation_cam::AblationCam,
    score_cam::ScoreCam,
    relex::RelEx,
    axai::Axai,
    xrai::Xrai,
    occlusion::Occlusion,
    mask::Mask,
    lime::Lime,
    kernel_shap::KernelShap,
    permutation_shap::PermutationShap,
    partition_shap::PartitionShap,
    hsic::Hsic,
    sobol::Sobol,
    rise::Rise,
    d_rise::DRise,
}
