//! Convolution over two spatial dimensions.

use burn::tensor::{module, ops::ConvOptions};
use onnx_ir::node::conv2d::Conv2dNode;

use super::{Plan, check_window, one, padding2d};

/// `Conv`: input `[N, C, H, W]`, weights `[O, C / groups, h, w]`, bias `[O]`.
pub(super) fn conv2d(node: &Conv2dNode) -> Plan {
    let config = node.config.clone();
    if config.groups == 0 || config.stride.contains(&0) || config.dilation.contains(&0) {
        return Err("its group count, strides and dilations must be positive".into());
    }
    Ok(Box::new(move |inputs| {
        let (x, weight) = (inputs.tensor::<4>(0)?, inputs.tensor::<4>(1)?);
        let bias = inputs.optional::<1>(2)?;
        let [_, channels, height, width] = x.dims();
        let [filters, filter_channels, h, w] = weight.dims();
        if filter_channels * config.groups != channels || filters % config.groups != 0 {
            return Err(format!(
                "its weights {:?} in {} group(s) do not fit an input of {channels} channels",
                weight.dims(),
                config.groups
            ));
        }
        if let Some(bias) = &bias
            && bias.dims() != [filters]
        {
            return Err(format!("its bias has {:?} values for {filters} filters", bias.dims()));
        }
        let padding = padding2d(
            &config.auto_pad,
            &config.padding,
            [height, width],
            [h, w],
            config.stride,
            config.dilation,
        );
        check_window([height, width], padding, [h, w], config.dilation)?;
        let options =
            ConvOptions::new_with_padding(config.stride, padding.pairs(), config.dilation, config.groups);
        one(module::conv2d(x, weight, bias, options))
    }))
}
