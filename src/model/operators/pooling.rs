//! Pooling over two spatial dimensions.

use burn::tensor::{module, ops::MaxPoolOptions};
use onnx_ir::node::{global_avg_pool::GlobalAveragePoolNode, max_pool2d::MaxPool2dNode};

use super::{Plan, check_window, one, padding2d};

/// `MaxPool` of `[N, C, H, W]` without the optional output of indices.
pub(super) fn max2d(node: &MaxPool2dNode) -> Plan {
    let config = node.config.clone();
    if node.outputs.len() > 1 {
        return Err("its second output, the indices, is not supported".into());
    }
    if config.strides.contains(&0) || config.dilation.contains(&0) {
        return Err("its strides and dilations must be positive".into());
    }
    Ok(Box::new(move |inputs| {
        let x = inputs.tensor::<4>(0)?;
        let [_, _, height, width] = x.dims();
        let padding = padding2d(
            &config.auto_pad,
            &config.padding,
            [height, width],
            config.kernel_size,
            config.strides,
            config.dilation,
        );
        check_window([height, width], padding, config.kernel_size, config.dilation)?;
        let options = MaxPoolOptions {
            kernel_size: config.kernel_size,
            stride: config.strides,
            padding: padding.pairs(),
            dilation: config.dilation,
            ceil_mode: config.ceil_mode,
        };
        one(module::max_pool2d(x, options))
    }))
}

/// `GlobalAveragePool` of `[N, C, H, W]` to `[N, C, 1, 1]`.
pub(super) fn global_average(_: &GlobalAveragePoolNode) -> Plan {
    Ok(Box::new(|inputs| {
        let x = inputs.tensor::<4>(0)?;
        one(x.mean_dim(3).mean_dim(2))
    }))
}
