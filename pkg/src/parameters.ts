// Made from the registries by `UPDATE_DOCS=1 cargo test --test it docs::`; do not edit by hand.

/** The parameters of each attribution method. */
export interface MethodParams {
  /** How strongly the score reacts to a small change of each pixel. The quickest method, and the noisiest. */
  saliency: {
    /** The score whose gradient is taken. (default "logit") */
    score?: "logit" | "probability" | "log_probability" | undefined;
  };
  /** The gradient times the network's input, in which 0 is the mean of the training pictures: what each value adds, were the network linear. */
  input_x_gradient: {
    /** The score whose gradient is taken. (default "logit") */
    score?: "logit" | "probability" | "log_probability" | undefined;
  };
  /** The gradient, except that at every ReLU only what is positive goes back. Crisp, but it hardly depends on the class or the weights: it fails the sanity checks. */
  guided_backprop: Record<string, never>;
  /** Projects the class back to the pixels through the network's layers in reverse, with a ReLU on the way back in place of the gradient's. */
  deconvnet: Record<string, never>;
  /** Follows the difference from an empty input (black for pictures, zero for all else) through every layer, by slopes between the two instead of gradients; the parts sum to the change of the score. */
  deep_lift: {
    /** The reference input. (default "auto") */
    baseline?: "auto" | "zero" | "black" | "white" | "mean" | "pad_token" | "mask_token" | "given" | undefined;
  };
  /** DeepLIFT on average over several empty pictures, so that none of them decides (SHAP's DeepExplainer); the parts sum to the change of the score. */
  deep_lift_shap: Record<string, never>;
  /** Distributes the score from layer to layer down to the pixels, in proportion to what each value added to the next layer. LRP is patented; its authors let it be used freely for personal and scientific purposes. */
  lrp: {
    /** How layers with weights distribute relevance; sums, pooling and normalisation always do by epsilon. (default "epsilon_plus") */
    rule?: "epsilon_plus" | "epsilon" | "gamma" | "z_plus" | undefined;
    /** What is added to the size of a denominator. (0.000000000001 to 1000, default 1e-6) */
    epsilon?: number | undefined;
    /** How much more contributions of the output's sign count under gamma. (0 to 1000, default 0.25) */
    gamma?: number | undefined;
  };
  /** Distributes the score from layer to layer down to pixels or words, with rules for a transformer's attention and normalisations. LRP is patented; its authors let it be used freely for personal and scientific purposes. */
  attn_lrp: Record<string, never>;
  /** Weighs the last feature maps by how much the score depends on each. Coarse, quick and steady. */
  grad_cam: {
    /** Name of the node whose output is looked at, or of that output; where none is named, the last convolution with its activation. Of several names with commas between them the maps are averaged, each from 0 to 1. (default "") */
    layer?: string | undefined;
    /** The score whose gradient is taken. (default "logit") */
    score?: "logit" | "probability" | "log_probability" | undefined;
  };
  /** Grad-CAM with weights that also do justice to several objects of a class and to small ones. */
  grad_cam_plus_plus: {
    /** Name of the node whose output is looked at, or of that output; where none is named, the last convolution with its activation. Of several names with commas between them the maps are averaged, each from 0 to 1. (default "") */
    layer?: string | undefined;
    /** The score whose gradient is taken. (default "logit") */
    score?: "logit" | "probability" | "log_probability" | undefined;
  };
  /** Shows the places of a layer that raised the score, without averaging the gradient over places first. */
  hires_cam: {
    /** Name of the node whose output is looked at, or of that output; where none is named, the last convolution with its activation. Of several names with commas between them the maps are averaged, each from 0 to 1. (default "") */
    layer?: string | undefined;
    /** The score whose gradient is taken. (default "logit") */
    score?: "logit" | "probability" | "log_probability" | undefined;
  };
  /** Weighs every position of the feature maps by itself; fit for earlier, finer layers too. */
  layer_cam: {
    /** Name of the node whose output is looked at, or of that output; where none is named, the last convolution with its activation. Of several names with commas between them the maps are averaged, each from 0 to 1. (default "") */
    layer?: string | undefined;
    /** The score whose gradient is taken. (default "logit") */
    score?: "logit" | "probability" | "log_probability" | undefined;
  };
  /** Grad-CAM whose weights count the gradient where a feature map is active, so that they add up to the score. */
  x_grad_cam: {
    /** Name of the node whose output is looked at, or of that output; where none is named, the last convolution with its activation. Of several names with commas between them the maps are averaged, each from 0 to 1. (default "") */
    layer?: string | undefined;
    /** The score whose gradient is taken. (default "logit") */
    score?: "logit" | "probability" | "log_probability" | undefined;
  };
  /** Shows where a layer raised the score, and leaves out where it lowered it, before channels are added up. */
  grad_cam_element_wise: {
    /** Name of the node whose output is looked at, or of that output; where none is named, the last convolution with its activation. Of several names with commas between them the maps are averaged, each from 0 to 1. (default "") */
    layer?: string | undefined;
    /** The score whose gradient is taken. (default "logit") */
    score?: "logit" | "probability" | "log_probability" | undefined;
  };
  /** Shows what most of the last feature maps have in common. It is the same for every class: it says what the network looks at, not for what. */
  eigen_cam: {
    /** Name of the node whose output is looked at, or of that output; where none is named, the last convolution with its activation. Of several names with commas between them the maps are averaged, each from 0 to 1. (default "") */
    layer?: string | undefined;
    /** Takes the mean off each channel first, as pytorch-grad-cam does; the paper does not. (default true) */
    centred?: boolean | undefined;
  };
  /** Shows what the feature maps times their gradients have most in common. Smoother than their sum. */
  eigen_grad_cam: {
    /** Name of the node whose output is looked at, or of that output; where none is named, the last convolution with its activation. Of several names with commas between them the maps are averaged, each from 0 to 1. (default "") */
    layer?: string | undefined;
    /** The score whose gradient is taken. (default "logit") */
    score?: "logit" | "probability" | "log_probability" | undefined;
    /** Takes the mean off each channel first, as pytorch-grad-cam does. (default true) */
    centred?: boolean | undefined;
  };
  /** Adds the gradient at the picture and at the biases of every layer: together they are the whole score, so that no layer is left out. */
  full_grad: Record<string, never>;
  /** Guided backpropagation's fine lines where Grad-CAM looks. Crisp, but within the area it draws edges whatever the weights are. */
  guided_grad_cam: {
    /** Name of the node whose output Grad-CAM looks at, or of that output; where none is named, the last convolution with its activation. Of several names with commas between them the maps are averaged, each from 0 to 1. (default "") */
    layer?: string | undefined;
  };
  /** Grad-CAM of the difference between the class and those most like it: the traits that tell them apart. */
  finer_cam: {
    /** Name of the node whose output is looked at, or of that output; where none is named, the last convolution with its activation. Of several names with commas between them the maps are averaged, each from 0 to 1. (default "") */
    layer?: string | undefined;
    /** The classes that the explained one is told from; where none is given, as many as `comparisons` says, those with the logits nearest to its own. (default []) */
    classes?: number[] | undefined;
    /** Classes to compare with. (1 to 100, default 3) */
    comparisons?: number | undefined;
    /** How much of the other classes is taken off: 0 is Grad-CAM. (0 to 10, default 1.0) */
    alpha?: number | undefined;
  };
  /** Grad-CAM with weights that come closer to shares of a game: the gradient less half of what its bend adds. Behind ReLUs alone it is Grad-CAM. */
  shapley_cam: {
    /** Name of the node whose output is looked at, or of that output; where none is named, the last convolution with its activation. Of several names with commas between them the maps are averaged, each from 0 to 1. (default "") */
    layer?: string | undefined;
    /** The score whose gradient is taken. (default "logit") */
    score?: "logit" | "probability" | "log_probability" | undefined;
  };
  /** Explains one box of a detector: where a layer before its head raised the score, place by place, so that other objects of the class stay dark. One gradient. */
  odam: {
    /** The name of a node, or the names of several between commas. For a box, what comes before its head is taken where it is empty: the last map that its class and its edges both come from. Otherwise the layer that Grad-CAM takes. (default "") */
    layer?: string | undefined;
    /** The score whose gradient is taken; the authors' is the probability. (default "probability") */
    score?: "logit" | "probability" | "log_probability" | undefined;
    /** The width of the Gaussian that the gradient is smoothed with, as its deviation in cells of the layer. The authors smooth the gradients of two-stage detectors, whose regions leave a grid on them; those of one-stage detectors they leave as they are, at 0. (0 to 10, default 0.0) */
    smoothing?: number | undefined;
  };
  /** Follows a transformer's attention through all its blocks back to the patches or words. It tells where the network looks, whatever the class. */
  attention_rollout: Record<string, never>;
  /** Follows the part of a transformer's attention that raised the score through all its blocks back to the patches or words. */
  generic_attention: Record<string, never>;
  /** Asks at every block of a transformer how the score of what this block leaves depends on its attention, and takes the mean over blocks. */
  legrad: Record<string, never>;
  /** Asks a second network, trained beside this one, which pixels it takes to keep the class and to lose it. */
  rt_sal: Record<string, never>;
  /** The mean gradient of many noisy copies of the picture; steadier than a single one. */
  smoothgrad: {
    /** Noisy copies of the input. (1 to 1000, default 25) */
    samples?: number | undefined;
    /** Standard deviation of the noise, as a part of the input's range. (0 to 1, default 0.15) */
    noise_level?: number | undefined;
    /** Average the squares of the gradients instead of the gradients. (default false) */
    squared?: boolean | undefined;
    /** The score whose gradient is taken. (default "logit") */
    score?: "logit" | "probability" | "log_probability" | undefined;
  };
  /** How much the gradient varies among noisy copies of the picture; what stays equal drops out. */
  vargrad: {
    /** Noisy copies of the input. (2 to 1000, default 25) */
    samples?: number | undefined;
    /** Standard deviation of the noise, as a part of the input's range. (0 to 1, default 0.15) */
    noise_level?: number | undefined;
    /** The score whose gradient is taken. (default "logit") */
    score?: "logit" | "probability" | "log_probability" | undefined;
  };
  /** Adds up the gradient on the way from an empty input (black for pictures, zero for all else) to this one; the parts sum to the change of the score. */
  integrated_gradients: {
    /** Points on the line from the baseline to the input, both ends included. (2 to 1000, default 50) */
    steps?: number | undefined;
    /** Where the line starts. (default "auto") */
    baseline?: "auto" | "zero" | "black" | "white" | "mean" | "pad_token" | "mask_token" | "given" | undefined;
    /** The score whose gradient is taken. (default "logit") */
    score?: "logit" | "probability" | "log_probability" | undefined;
  };
  /** Walks the picture across the nearest boundary to another class and adds up what the class's probability gives up on the way. One gradient a step, and no baseline. */
  mfaba: {
    /** How a step is made. (default "sharp") */
    mode?: "sharp" | "smooth" | undefined;
    /** Steps at most; it ends where another class is predicted. (1 to 1000, default 50) */
    steps?: number | undefined;
    /** Length of a step of mode sharp in all pixels together (l2), where black is 0 and white is 1. (0 to 100, default 0.1) */
    step_length?: number | undefined;
    /** Length of a step of mode smooth in every pixel. (0 to 1, default 0.001) */
    step_size?: number | undefined;
    /** How far mode smooth may go in every pixel. (0 to 1, default 0.3) */
    epsilon?: number | undefined;
  };
  /** Integrated gradients with less noise: what the score changes at each step is shared out by the squared gradient there, whichever way the line runs. */
  idgi: {
    /** Points on the line from the baseline to the input, both ends included. (2 to 1000, default 200) */
    steps?: number | undefined;
    /** Where the line starts. (default "auto") */
    baseline?: "auto" | "zero" | "black" | "white" | "mean" | "pad_token" | "mask_token" | "given" | undefined;
    /** The score whose change is shared out. (default "probability") */
    score?: "logit" | "probability" | "log_probability" | undefined;
  };
  /** Adds up the gradient while the picture comes into focus; no foreign colour serves as a baseline. */
  blur_ig: {
    /** Blurred pictures on the way. (1 to 1000, default 100) */
    steps?: number | undefined;
    /** Standard deviation of the strongest blur, in pixels. (0 to 1000, default 50.0) */
    max_sigma?: number | undefined;
    /** The difference of standard deviations over which the change of the picture is measured, in pixels. (0.001 to 1, default 0.01) */
    grad_step?: number | undefined;
    /** Let the standard deviations grow as square roots instead of evenly. (default false) */
    sqrt?: boolean | undefined;
    /** The score whose gradient is taken. (default "logit") */
    score?: "logit" | "probability" | "log_probability" | undefined;
  };
  /** Integrated gradients on average over many empty pictures, so that none of them decides (SHAP's GradientExplainer). */
  expected_gradients: {
    /** Draws of a background and of a point between it and the input. (1 to 5000, default 200) */
    samples?: number | undefined;
    /** The score whose gradient is taken. (default "logit") */
    score?: "logit" | "probability" | "log_probability" | undefined;
  };
  /** Integrated gradients along a path that avoids what makes the network's gradient noisy. */
  guided_ig: {
    /** Steps from the baseline to the input. (2 to 1000, default 200) */
    steps?: number | undefined;
    /** Where the path starts. (default "auto") */
    baseline?: "auto" | "zero" | "black" | "white" | "mean" | "pad_token" | "mask_token" | "given" | undefined;
    /** Part of the features that move at a time, those of the smallest gradients. (0.05 to 1, default 0.25) */
    fraction?: number | undefined;
    /** How far from the straight line a feature may be, as a part of its way; at 0 the path is the line. (0 to 1, default 0.02) */
    max_dist?: number | undefined;
    /** The score whose gradient is taken. (default "logit") */
    score?: "logit" | "probability" | "log_probability" | undefined;
  };
  /** Pushes the picture towards other classes and adds up what the network gives up on the way. No baseline is needed. */
  agi: {
    /** The curve along which the gradient is integrated. (default "path") */
    mode?: "path" | "reference" | "straight" | undefined;
    /** The false classes; where none is given, as many as `samples` says are chosen as `sampling` says. (default []) */
    classes?: number[] | undefined;
    /** False classes to choose. (1 to 1000, default 20) */
    samples?: number | undefined;
    /** How they are chosen. (default "random") */
    sampling?: "random" | "spread" | "probable" | undefined;
    /** Steps towards a false class at most; on the straight line, also the points on it. (1 to 1000, default 20) */
    steps?: number | undefined;
    /** Length of a step in every pixel, where black is 0 and white is 1. (0 to 1, default 0.05) */
    step_size?: number | undefined;
    /** Also return each false class's own map: what tells the class from that one. (default false) */
    individual?: boolean | undefined;
  };
  /** Takes the feature maps of a layer away one by one, and weighs each by what the score loses without it. */
  ablation_cam: {
    /** Name of the node whose output is looked at, or of that output; where none is named, the last convolution with its activation. (default "") */
    layer?: string | undefined;
    /** The score that is compared. (default "logit") */
    score?: "logit" | "probability" | "log_probability" | undefined;
    /** Feature maps to take away one by one, at most; where the layer has more, those that vary most. The others weigh nothing. (1 to 4096, default 2048) */
    channels?: number | undefined;
  };
  /** Lets through only what a feature map lets through, and weighs the map by what the picture then scores. */
  score_cam: {
    /** Name of the node whose output is looked at, or of that output; where none is named, the last convolution with its activation. (default "") */
    layer?: string | undefined;
    /** The score that a masked picture gets. (default "logit") */
    score?: "logit" | "probability" | "log_probability" | undefined;
    /** Feature maps to work with at most; where the layer has more, those that vary most (Faster Score-CAM). (1 to 4096, default 2048) */
    channels?: number | undefined;
  };
  /** Learns the smallest mask that keeps the class while the rest of the picture loses it, also under noise. Robust against attacks, and costly. */
  relex: {
    /** Steps of gradient descent; the paper also takes 100. (1 to 1000, default 50) */
    iterations?: number | undefined;
    /** Noisy copies of the input, drawn anew in each step. (1 to 1000, default 50) */
    samples?: number | undefined;
    /** Standard deviation of the noise, as a part of the input's range. (0 to 1, default 0.1) */
    noise_level?: number | undefined;
    /** Weight of the mask's l1 norm (lambda 1). (0 to 1, default 0.0001) */
    sparsity?: number | undefined;
    /** Weight of what the rest of the picture must lose (lambda 2). (0 to 100, default 1.0) */
    deletion?: number | undefined;
    /** Length of a step. (0 to 10, default 0.1) */
    learning_rate?: number | undefined;
    /** Part of the last step that is made again. (0 to 1, default 0.99) */
    momentum?: number | undefined;
    /** End as soon as the mask does its work: on average the masked copies have at least this probability of the class, and the rest of them at most what is missing to 1. At 1 all steps are made. (0.5 to 1, default 1.0) */
    stop_at?: number | undefined;
  };
  /** Attacks the network and shows the parts of the picture in which the attack gathers. How many parts are shown can be changed at no cost. */
  axai: {
    /** Length of the explanation: the number of segments that are shown; of equally dense ones all. (1 to 1000, default 5) */
    k?: number | undefined;
    /** The attack. (default "pgd") */
    attack?: "pgd" | "fgm" | undefined;
    /** Steps of PGD. (1 to 1000, default 20) */
    steps?: number | undefined;
    /** Euclidean length of a step of PGD, in model space. (0 to 100, default 0.001) */
    alpha?: number | undefined;
    /** Euclidean length of the whole change at most, in model space. (0 to 1000, default 0.2) */
    epsilon?: number | undefined;
    /** Changes of a channel below this percentile count. (0 to 50, default 15.0) */
    lower_percentile?: number | undefined;
    /** Changes of a channel from this percentile on count. (50 to 100, default 85.0) */
    upper_percentile?: number | undefined;
    /** How the input is cut into segments. auto: a photograph by QuickShift; a spectrogram (one channel and no preprocessing), a picture of other channels, or one whose shorter side is no more than 8 kernel sizes, by a grid; a sound into windows of equal length, its spectrum by a grid of steps in time and of bands that grow wider; a text into its words; a row of a table into its columns, a series into at most 20 windows; other tokens (padding too), steps and features one by one, where they are no more than 1000, else into windows. Segments that are given come before all of this. (default "auto") */
    segmentation?: "auto" | "quickshift" | "slic" | "grid" | "words" | "columns" | undefined;
    /** QuickShift: width of the density's Gaussian in pixels; larger: fewer segments. About 1 for pictures of 32 pixels a side. (1 to 50, default 8.0) */
    kernel_size?: number | undefined;
    /** QuickShift: the longest link between pixels; larger: fewer segments. (0 to 1000, default 10.0) */
    max_dist?: number | undefined;
    /** QuickShift: weight of colour against position. (0 to 10, default 0.1) */
    ratio?: number | undefined;
    /** SLIC, grid and windows: about how many segments to make. (1 to 10000, default 100) */
    segments?: number | undefined;
    /** SLIC: weight of position against colour. (0.001 to 1000, default 10.0) */
    compactness?: number | undefined;
  };
  /** Sums up integrated gradients over regions of the picture and ranks the regions. */
  xrai: {
    /** Points of integrated gradients from each of the baselines: black and white for pictures, zero for all else, or those that are given. (2 to 1000, default 100) */
    steps?: number | undefined;
    /** Pixels by which every region of a picture grows, so that it holds its edges. Left out: 5 for pictures of 224 pixels a side and more, in proportion for smaller ones. (0 to 50, default null) */
    dilation?: number | null | undefined;
    /** Regions of a picture that would add fewer pixels are left out. Left out itself: 50 for pictures of 224 pixels a side and more, the same part of a smaller one. (1 to 10000, default null) */
    min_pixels?: number | null | undefined;
    /** The score whose gradient is taken. (default "logit") */
    score?: "logit" | "probability" | "log_probability" | undefined;
  };
  /** Slides a blank window over the picture and shows where the score drops when it is covered. */
  occlusion: {
    /** Side of the window in pixels. Left out: 15 for pictures of 224 pixels a side and more, in proportion for smaller ones. Sounds, tokens and tables are covered a segment at a time instead, as AXAI's `segmentation` auto cuts them; and so is whatever segments are given for. (1 to 1000, default null) */
    window?: number | null | undefined;
    /** Pixels from one window to the next, no more than the window's side. Left out: half of that; where the window is left out too, 8 for pictures of 224 pixels a side and more, and no more windows along a smaller side. Where the window alone is left out, any larger number sets the windows side by side. (1 to 1000, default null) */
    stride?: number | null | undefined;
    /** What is shown in the window, or in place of the covered segment. (default "auto") */
    hidden?: "auto" | "zero" | "training_mean" | "black" | "white" | "pad_token" | "mask_token" | "given" | undefined;
    /** The score whose drop is measured. (default "probability") */
    score?: "logit" | "probability" | "log_probability" | undefined;
  };
  /** Looks for the smallest region that must be blurred for the class to vanish. */
  mask: {
    /** gentle: 300 iterations, l1 0.0001, tv 0.01; sparse: 500 iterations, l1 0.01, tv 0.2; own: the three parameters below. (default "gentle") */
    setting?: "gentle" | "sparse" | "own" | undefined;
    /** With the setting own: steps of the optimiser. (1 to 10000, default 300) */
    iterations?: number | undefined;
    /** With the setting own: weight of the region's size. (0 to 100, default 0.0001) */
    l1?: number | undefined;
    /** With the setting own: weight of the region's roughness. (0 to 100, default 0.01) */
    tv?: number | undefined;
    /** Power of the differences in the roughness. (1 to 10, default 3.0) */
    tv_beta?: number | undefined;
    /** Step size of the optimiser (Adam). (0 to 10, default 0.1) */
    learning_rate?: number | undefined;
    /** Side of the coarse mask. Left out: 28 for pictures of 224 pixels a side and more; an eighth of a smaller one's shorter side, but no coarser than 8 cells where there are as many pixels. (2 to 1000, default null) */
    mask_size?: number | null | undefined;
    /** Deviation of the blur, in pixels; its kernel is 11 pixels wide. (0.1 to 100, default 5.0) */
    blur?: number | undefined;
  };
  /** Hides parts of the picture at random and fits a simple model to what the network then says. It needs the network's answers alone. */
  lime: {
    /** Pictures that the network is asked about. (2 to 100000, default 1000) */
    samples?: number | undefined;
    /** Width of the kernel that weighs a sample by its cosine distance from the whole picture. (0.01 to 100, default 0.25) */
    kernel_width?: number | undefined;
    /** Strength of the ridge that keeps the weights small. (0 to 1000, default 1.0) */
    ridge?: number | undefined;
    /** What is shown in place of a hidden segment. (default "auto") */
    hidden?: "auto" | "segment_mean" | "zero" | "training_mean" | "background" | "black" | "white" | "pad_token" | "mask_token" | "given" | undefined;
    /** Segments that make up the explanation: the highest positive weights. (1 to 1000, default 5) */
    k?: number | undefined;
    /** The score that is modelled. (default "probability") */
    score?: "logit" | "probability" | "log_probability" | undefined;
    /** How the input is cut into segments. auto: a photograph by QuickShift; a spectrogram (one channel and no preprocessing), a picture of other channels, or one whose shorter side is no more than 8 kernel sizes, by a grid; a sound into windows of equal length, its spectrum by a grid of steps in time and of bands that grow wider; a text into its words; a row of a table into its columns, a series into at most 20 windows; other tokens (padding too), steps and features one by one, where they are no more than 1000, else into windows. Segments that are given come before all of this. (default "auto") */
    segmentation?: "auto" | "quickshift" | "slic" | "grid" | "words" | "columns" | undefined;
    /** QuickShift: width of the density's Gaussian in pixels; larger: fewer segments. About 1 for pictures of 32 pixels a side. (1 to 50, default 4.0) */
    kernel_size?: number | undefined;
    /** QuickShift: the longest link between pixels; larger: fewer segments. (0 to 1000, default 200.0) */
    max_dist?: number | undefined;
    /** QuickShift: weight of colour against position. (0 to 10, default 0.2) */
    ratio?: number | undefined;
    /** SLIC, grid and windows: about how many segments to make. (1 to 10000, default 100) */
    segments?: number | undefined;
    /** SLIC: weight of position against colour. (0.001 to 1000, default 10.0) */
    compactness?: number | undefined;
  };
  /** Shares the score out among the parts of the picture, as the players of a game share a win. The shares add up to the score. */
  kernel_shap: {
    /** Pictures that the network is asked about; where there are no more ways to hide segments, all of them are taken, and the values are exact. (2 to 100000, default 1000) */
    samples?: number | undefined;
    /** What is shown in place of a hidden segment. (default "auto") */
    hidden?: "auto" | "segment_mean" | "zero" | "training_mean" | "background" | "black" | "white" | "pad_token" | "mask_token" | "given" | undefined;
    /** Segments that make up the explanation: the highest positive values. (1 to 1000, default 5) */
    k?: number | undefined;
    /** The score that is shared out. (default "probability") */
    score?: "logit" | "probability" | "log_probability" | undefined;
    /** How the input is cut into segments. auto: a photograph by QuickShift; a spectrogram (one channel and no preprocessing), a picture of other channels, or one whose shorter side is no more than 8 kernel sizes, by a grid; a sound into windows of equal length, its spectrum by a grid of steps in time and of bands that grow wider; a text into its words; a row of a table into its columns, a series into at most 20 windows; other tokens (padding too), steps and features one by one, where they are no more than 1000, else into windows. Segments that are given come before all of this. (default "auto") */
    segmentation?: "auto" | "quickshift" | "slic" | "grid" | "words" | "columns" | undefined;
    /** QuickShift: width of the density's Gaussian in pixels; larger: fewer segments. About 1 for pictures of 32 pixels a side. (1 to 50, default 4.0) */
    kernel_size?: number | undefined;
    /** QuickShift: the longest link between pixels; larger: fewer segments. (0 to 1000, default 200.0) */
    max_dist?: number | undefined;
    /** QuickShift: weight of colour against position. (0 to 10, default 0.2) */
    ratio?: number | undefined;
    /** SLIC, grid and windows: about how many segments to make. (1 to 10000, default 100) */
    segments?: number | undefined;
    /** SLIC: weight of position against colour. (0.001 to 1000, default 10.0) */
    compactness?: number | undefined;
  };
  /** Shows the parts of the picture one after the other, in several orders and back, and shares the score out by what each adds. The shares add up to the score. */
  permutation_shap: {
    /** Pictures that the network is asked about, at most. An order of n segments takes 2 n - 2 of them. (4 to 100000, default 500) */
    samples?: number | undefined;
    /** What is shown in place of a hidden segment. (default "auto") */
    hidden?: "auto" | "segment_mean" | "zero" | "training_mean" | "background" | "black" | "white" | "pad_token" | "mask_token" | "given" | undefined;
    /** Segments that make up the explanation: the highest positive values. (1 to 1000, default 5) */
    k?: number | undefined;
    /** The score that is shared out. (default "probability") */
    score?: "logit" | "probability" | "log_probability" | undefined;
    /** How the input is cut into segments. auto: a photograph by QuickShift; a spectrogram (one channel and no preprocessing), a picture of other channels, or one whose shorter side is no more than 8 kernel sizes, by a grid; a sound into windows of equal length, its spectrum by a grid of steps in time and of bands that grow wider; a text into its words; a row of a table into its columns, a series into at most 20 windows; other tokens (padding too), steps and features one by one, where they are no more than 1000, else into windows. Segments that are given come before all of this. (default "auto") */
    segmentation?: "auto" | "quickshift" | "slic" | "grid" | "words" | "columns" | undefined;
    /** QuickShift: width of the density's Gaussian in pixels; larger: fewer segments. About 1 for pictures of 32 pixels a side. (1 to 50, default 4.0) */
    kernel_size?: number | undefined;
    /** QuickShift: the longest link between pixels; larger: fewer segments. (0 to 1000, default 200.0) */
    max_dist?: number | undefined;
    /** QuickShift: weight of colour against position. (0 to 10, default 0.2) */
    ratio?: number | undefined;
    /** SLIC, grid and windows: about how many segments to make. (1 to 10000, default 100) */
    segments?: number | undefined;
    /** SLIC: weight of position against colour. (0.001 to 1000, default 10.0) */
    compactness?: number | undefined;
  };
  /** Halves the picture again and again where the score changes most, and shares the score out fairly between the halves. The shares add up to the score. */
  partition_shap: {
    /** Inputs that the network is asked about, at most. Each split of a group takes two. (4 to 100000, default 500) */
    samples?: number | undefined;
    /** Inputs that are asked about at once; which groups are split next is decided from one such batch to the next. (2 to 1000, default 10) */
    batch?: number | undefined;
    /** What is shown in place of a hidden part. (default "auto") */
    hidden?: "auto" | "segment_mean" | "zero" | "training_mean" | "background" | "black" | "white" | "pad_token" | "mask_token" | "given" | undefined;
    /** Segments that make up the explanation, where there are any: the highest positive values. (1 to 1000, default 5) */
    k?: number | undefined;
    /** The score that is shared out. (default "probability") */
    score?: "logit" | "probability" | "log_probability" | undefined;
    /** How the input is cut into segments. auto: a photograph by QuickShift; a spectrogram (one channel and no preprocessing), a picture of other channels, or one whose shorter side is no more than 8 kernel sizes, by a grid; a sound into windows of equal length, its spectrum by a grid of steps in time and of bands that grow wider; a text into its words; a row of a table into its columns, a series into at most 20 windows; other tokens (padding too), steps and features one by one, where they are no more than 1000, else into windows. Segments that are given come before all of this. (default "auto") */
    segmentation?: "auto" | "quickshift" | "slic" | "grid" | "words" | "columns" | undefined;
    /** QuickShift: width of the density's Gaussian in pixels; larger: fewer segments. About 1 for pictures of 32 pixels a side. (1 to 50, default 4.0) */
    kernel_size?: number | undefined;
    /** QuickShift: the longest link between pixels; larger: fewer segments. (0 to 1000, default 200.0) */
    max_dist?: number | undefined;
    /** QuickShift: weight of colour against position. (0 to 10, default 0.2) */
    ratio?: number | undefined;
    /** SLIC, grid and windows: about how many segments to make. (1 to 10000, default 100) */
    segments?: number | undefined;
    /** SLIC: weight of position against colour. (0.001 to 1000, default 10.0) */
    compactness?: number | undefined;
  };
  /** Hides parts of the picture at random and measures how much the score depends on each part, in whichever way. It needs the network's answers alone. */
  hsic: {
    /** Pictures with parts hidden that the network is asked about. (4 to 4000, default 1500) */
    samples?: number | undefined;
    /** Cells along each side of a picture. The cells of sounds, tokens and tables are their segments as AXAI's `segmentation` auto cuts them; and so are segments that are given. (2 to 30, default 7) */
    grid?: number | undefined;
    /** The score whose dependence is measured. (default "probability") */
    score?: "logit" | "probability" | "log_probability" | undefined;
    /** Segments that make up the explanation: those on which most depends. (1 to 1000, default 5) */
    k?: number | undefined;
  };
  /** Dims parts of the picture at random and shares the score's variance out among them, what parts do together included. It needs the network's answers alone, and time. */
  sobol: {
    /** Samples of each of the two designs, drawn at random (the paper draws them by a Sobol sequence, which is more even). The network is asked `designs` times as often as there are segments, and twice more. (2 to 1024, default 32) */
    designs?: number | undefined;
    /** Cells along each side of a picture. The cells of sounds, tokens and tables are their segments as AXAI's `segmentation` auto cuts them; and so are segments that are given. (2 to 30, default 11) */
    grid?: number | undefined;
    /** The score whose variance is shared out. (default "probability") */
    score?: "logit" | "probability" | "log_probability" | undefined;
    /** Segments that make up the explanation: those with the largest part. (1 to 1000, default 5) */
    k?: number | undefined;
  };
  /** Shows the network thousands of randomly masked copies and averages the masks by its answers. It needs the answers alone, and time. */
  rise: {
    /** Random masks. (1 to 100000, default 6000) */
    samples?: number | undefined;
    /** Cells of a mask along each side of a picture. The cells of sounds, tokens and tables, which have no neighbours to shade off to, are their segments as AXAI's `segmentation` auto cuts them; and so are segments that are given. (2 to 100, default 8) */
    grid?: number | undefined;
    /** Probability that a cell is shown. (0.001 to 1, default 0.1) */
    probability?: number | undefined;
  };
  /** Shows a detector thousands of randomly masked copies and averages the masks by how like the explained box the best is that it finds: overlap times likeness of the classes times objectness. It needs the answers alone, and time. */
  d_rise: {
    /** Random masks. (1 to 100000, default 5000) */
    samples?: number | undefined;
    /** Cells of a mask along each side of the picture. (2 to 100, default 16) */
    grid?: number | undefined;
    /** Probability that a cell is shown. (0.001 to 1, default 0.5) */
    probability?: number | undefined;
  };
}

/** The parameters of each metric. */
export interface MetricParams {
  /** The area under the class's probability while the pixels are put into an empty picture, the most important first. */
  insertion: {
    /** Pixels that are put in at a step, or words of a text. Left out: RISE's 224 pixels, and one word. (1 to 1000000, default null) */
    step?: number | null | undefined;
    /** The picture that the pixels are put into: blurred as in RISE, or blank as in the AGI paper. (default "blur") */
    substrate?: "blank" | "blur" | undefined;
    /** How the channels of a pixel become the value that it is ranked by. (default "as_shown") */
    ranking?: "as_shown" | "mean" | "sum_abs" | "max_abs" | undefined;
  };
  /** The area under the class's probability while the pixels are taken out, the most important first. Very low values say little: they come from pictures that no network has seen. */
  deletion: {
    /** Pixels that are taken out at a step, or words of a text. Left out: RISE's 224 pixels, and one word. (1 to 1000000, default null) */
    step?: number | null | undefined;
    /** What takes the place of a pixel. (default "blank") */
    substrate?: "blank" | "blur" | undefined;
    /** How the channels of a pixel become the value that it is ranked by. (default "as_shown") */
    ranking?: "as_shown" | "mean" | "sum_abs" | "max_abs" | undefined;
  };
  /** The area under the class's probability while pixels are put in, less that while they are taken out, the most important first in both. */
  diff_id: {
    /** Pixels that are taken out at a step, or words of a text. Left out: RISE's 224 pixels, and one word. (1 to 1000000, default null) */
    step?: number | null | undefined;
    /** What takes the place of a pixel. (default "blank") */
    substrate?: "blank" | "blur" | undefined;
    /** How the channels of a pixel become the value that it is ranked by. (default "as_shown") */
    ranking?: "as_shown" | "mean" | "sum_abs" | "max_abs" | undefined;
  };
  /** The area under the class's probability while the pixels are taken out, the least important first: how long what matters alone keeps the class. */
  preservation: {
    /** Pixels that are taken out at a step, or words of a text. Left out: RISE's 224 pixels, and one word. (1 to 1000000, default null) */
    step?: number | null | undefined;
    /** What takes the place of a pixel. (default "blank") */
    substrate?: "blank" | "blur" | undefined;
    /** How the channels of a pixel become the value that it is ranked by. (default "as_shown") */
    ranking?: "as_shown" | "mean" | "sum_abs" | "max_abs" | undefined;
  };
  /** High where the important pixels alone keep the class and their loss takes it away: the harmonic mean of preservation and 1 - deletion. */
  feature_relevance: {
    /** Pixels that are taken out at a step, or words of a text. Left out: RISE's 224 pixels, and one word. (1 to 1000000, default null) */
    step?: number | null | undefined;
    /** What takes the place of a pixel. (default "blank") */
    substrate?: "blank" | "blur" | undefined;
    /** How the channels of a pixel become the value that it is ranked by. (default "as_shown") */
    ranking?: "as_shown" | "mean" | "sum_abs" | "max_abs" | undefined;
  };
  /** 1 where the network finds the class in the picture multiplied with the map, else 0. For an attacked picture, the class is that of the clean one. */
  class_retrieval: {
    /** How the map becomes a mask: its magnitudes scaled, or its values as they are. (default "scaled") */
    mask?: "scaled" | "raw" | undefined;
  };
  /** The part of the class's probability that is lost where the input is multiplied with the map's magnitudes, from 0 to 1; 0 where it rises. Beside it whether it rises (increase) and by which part of what was left to 1 (gain). */
  average_drop: {
    /** What shows where the map hides. (default "blank") */
    substrate?: "blank" | "blur" | undefined;
  };
  /** The class's mean probability while important pixels are replaced by what their neighbours suggest, so that the hole itself tells the network nothing. */
  road: {
    /** How many parts of the pixels are removed, evenly between none and all: 9 removes 10 %, 20 %, … 90 %. (1 to 99, default 9) */
    steps?: number | undefined;
    /** Which pixels go first; with the least relevant a high value is good. (default "most_relevant") */
    first?: "most_relevant" | "least_relevant" | undefined;
    /** Standard deviation of the noise on imputed pixels, as a part of the input's range. (0 to 1, default 0.01) */
    noise_level?: number | undefined;
  };
  /** How much of the class's probability is lost when the top five segments are blurred. Beside it, whether the class stays the predicted one, and both for the sixth to tenth. */
  ablation: {
    /** How many of the most important segments are blurred first, and how many of those after them then. The method must explain with as many as both together: K = 10 in the paper. (1 to 100, default 5) */
    first?: number | undefined;
    /** Standard deviation of the blur in pixels; the paper names none. (0.5 to 100, default 10.0) */
    sigma?: number | undefined;
  };
  /** How much of the score is lost on average while the segments of the picture are hidden one after the other, the most important first. */
  irof: {
    /** What takes the place of a pixel. (default "blank") */
    substrate?: "blank" | "blur" | undefined;
    /** How the channels of a pixel become its value. (default "as_shown") */
    ranking?: "as_shown" | "mean" | "sum_abs" | "max_abs" | undefined;
    /** The score that is followed. One that can be negative has no parts that are lost. (default "probability") */
    score?: "probability" | "logit" | undefined;
  };
  /** How far the score falls on average while squares of the picture are hidden one after the other, the most important first (AOPC); the curve shows each fall. */
  region_perturbation: {
    /** Side of a square in pixels. What is no picture is hidden pixel by pixel, a text word by word. (1 to 1000, default 8) */
    side?: number | undefined;
    /** How many squares are hidden at most. (1 to 1000000, default 100) */
    regions?: number | undefined;
    /** What takes the place of a pixel. (default "blank") */
    substrate?: "blank" | "blur" | undefined;
    /** How the channels of a pixel become the value that it is ranked by. (default "as_shown") */
    ranking?: "as_shown" | "mean" | "sum_abs" | "max_abs" | undefined;
    /** The score that is followed. (default "probability") */
    score?: "logit" | "probability" | "log_probability" | undefined;
  };
  /** The area under the score while squares of the picture are hidden one after the other, the most important first. */
  selectivity: {
    /** Side of a square in pixels. What is no picture is hidden pixel by pixel, a text word by word. (1 to 1000, default 8) */
    side?: number | undefined;
    /** How many squares are hidden at most. (1 to 1000000, default 100) */
    regions?: number | undefined;
    /** What takes the place of a pixel. (default "blank") */
    substrate?: "blank" | "blur" | undefined;
    /** How the channels of a pixel become the value that it is ranked by. (default "as_shown") */
    ranking?: "as_shown" | "mean" | "sum_abs" | "max_abs" | undefined;
    /** The score that is followed. (default "probability") */
    score?: "logit" | "probability" | "log_probability" | undefined;
  };
  /** Over all pairs of groups of pixels: the difference of what the map says of them, counted for the map where hiding the one that it puts above costs at least as much, and against it elsewhere; as a part of all differences. */
  saco: {
    /** Into how many groups of equal size the pixels, or the words of a text, are cut. (2 to 1000, default 10) */
    groups?: number | undefined;
    /** What takes the place of a pixel. (default "blank") */
    substrate?: "blank" | "blur" | undefined;
    /** How the channels of a pixel become its value. (default "as_shown") */
    ranking?: "as_shown" | "mean" | "sum_abs" | "max_abs" | undefined;
    /** The score whose fall is looked at. (default "probability") */
    score?: "logit" | "probability" | "log_probability" | undefined;
  };
  /** The correlation between what the map says of a random choice of pixels, summed, and how much the score falls where they are hidden. */
  faithfulness_correlation: {
    /** How often pixels are chosen. (2 to 100000, default 100) */
    samples?: number | undefined;
    /** How many pixels are hidden at once, or words of a text. Left out: 224 as in Quantus, and half of them where there are fewer. (1 to 1000000, default null) */
    subset?: number | null | undefined;
    /** What takes the place of a pixel. (default "blank") */
    substrate?: "blank" | "blur" | undefined;
    /** How the channels of a pixel become its value; the mean keeps the sign. (default "mean") */
    ranking?: "as_shown" | "mean" | "sum_abs" | "max_abs" | undefined;
    /** The score whose fall is looked at. (default "logit") */
    score?: "logit" | "probability" | "log_probability" | undefined;
  };
  /** The rank correlation between what the map says of random cells of a coarse grid, summed, and how much the score falls where they are hidden. */
  mu_fidelity: {
    /** How often cells are chosen. (2 to 100000, default 200) */
    samples?: number | undefined;
    /** Cells along each side of a picture. What is no picture has no grid: each place, or word, is chosen by itself. (2 to 1000, default 9) */
    grid?: number | undefined;
    /** The part of the cells that is hidden, on average. (0.01 to 0.99, default 0.2) */
    part?: number | undefined;
    /** What takes the place of a pixel. (default "blank") */
    substrate?: "blank" | "blur" | undefined;
    /** How the channels of a pixel become its value; the mean keeps the sign. (default "mean") */
    ranking?: "as_shown" | "mean" | "sum_abs" | "max_abs" | undefined;
    /** The score whose fall is looked at. (default "logit") */
    score?: "logit" | "probability" | "log_probability" | undefined;
  };
  /** The correlation between what the map says of n random pixels, summed, and how much the score falls where they are hidden, as a mean over n; the curve shows it for each n. */
  sensitivity_n: {
    /** How many numbers n are tried, from 1 to 80 % of the pixels, each about as many times the last. (1 to 100, default 8) */
    sizes?: number | undefined;
    /** How often pixels are chosen for each n. (2 to 10000, default 100) */
    samples?: number | undefined;
    /** What takes the place of a pixel. (default "blank") */
    substrate?: "blank" | "blur" | undefined;
    /** How the channels of a pixel become its value; the mean keeps the sign. (default "mean") */
    ranking?: "as_shown" | "mean" | "sum_abs" | "max_abs" | undefined;
    /** The score whose fall is looked at. (default "logit") */
    score?: "logit" | "probability" | "log_probability" | undefined;
  };
  /** The correlation between what the map says of a group of pixels and how much the score falls where that group alone is hidden; the groups follow the map's order. */
  faithfulness_estimate: {
    /** Into how many groups of equal size the pixels, or the words of a text, are cut. (2 to 1000000, default 50) */
    groups?: number | undefined;
    /** What takes the place of a pixel. (default "blank") */
    substrate?: "blank" | "blur" | undefined;
    /** How the channels of a pixel become its value; the mean keeps the sign. (default "mean") */
    ranking?: "as_shown" | "mean" | "sum_abs" | "max_abs" | undefined;
    /** The score that is followed. (default "logit") */
    score?: "logit" | "probability" | "log_probability" | undefined;
  };
  /** 1 where the score never falls while groups of pixels are put into an empty input, the least important first, else 0. Beside it the part of the steps at which it does not fall. */
  monotonicity: {
    /** Into how many groups of equal size the pixels, or the words of a text, are cut. (2 to 1000000, default 50) */
    groups?: number | undefined;
    /** What takes the place of a pixel. (default "blank") */
    substrate?: "blank" | "blur" | undefined;
    /** How the channels of a pixel become its value; the mean keeps the sign. (default "mean") */
    ranking?: "as_shown" | "mean" | "sum_abs" | "max_abs" | undefined;
    /** The score that is followed. (default "logit") */
    score?: "logit" | "probability" | "log_probability" | undefined;
  };
  /** The rank correlation between what the map says of a group of pixels and the mean squared change of the score where random values stand in their place. */
  monotonicity_correlation: {
    /** Into how many groups of equal size the pixels, or the words of a text, are cut, in the map's order. (2 to 1000000, default 20) */
    groups?: number | undefined;
    /** How often random values, evenly from the input's range, stand in the place of a group. (1 to 1000, default 10) */
    samples?: number | undefined;
    /** How the channels of a pixel become its value. (default "as_shown") */
    ranking?: "as_shown" | "mean" | "sum_abs" | "max_abs" | undefined;
    /** The score whose change is looked at. (default "logit") */
    score?: "logit" | "probability" | "log_probability" | undefined;
  };
  /** The mean squared difference between what the map predicts for a disturbance of the input and how much the score really falls. */
  infidelity: {
    /** How the input is disturbed: by noise, by noise in place of the input, or by removing a square. (default "noise") */
    perturbation?: "noise" | "noisy_baseline" | "square" | undefined;
    /** How often. (1 to 10000, default 100) */
    samples?: number | undefined;
    /** Standard deviation of the noise, as a part of the input's range. (0 to 10, default 0.05) */
    noise_level?: number | undefined;
    /** The longest side of a removed square, as a part of the picture's shorter side. (0 to 1, default 0.25) */
    square?: number | undefined;
    /** Scale the map first by the factor that fits it best, as the paper's comparisons between methods do. (default false) */
    normalise?: boolean | undefined;
    /** The score that the map accounts for. (default "logit") */
    score?: "logit" | "probability" | "log_probability" | undefined;
  };
  /** How far the map's sum is from the change of the score between the baseline and the input; beside it, the same as a part of that change. */
  completeness: {
    /** The input against which the score is lost: the one that the method started from. (default "auto") */
    baseline?: "auto" | "zero" | "black" | undefined;
    /** The score that the map accounts for. (default "logit") */
    score?: "logit" | "probability" | "log_probability" | undefined;
  };
  /** The part of the groups of pixels of which the map says nothing although the score changes where they are hidden, or something although it does not. */
  non_sensitivity: {
    /** Into how many groups of equal size the pixels, or the words of a text, are cut, in the order of their magnitudes. (2 to 1000000, default 100) */
    groups?: number | undefined;
    /** Below what a change of the score is none, and below which part of the largest value of a group the map says nothing of one. (0 to 1, default 0.00001) */
    least?: number | undefined;
    /** What takes the place of a pixel. (default "blank") */
    substrate?: "blank" | "blur" | undefined;
    /** The score whose change is looked at. (default "logit") */
    score?: "logit" | "probability" | "log_probability" | undefined;
  };
  /** The largest distance between the map and that of a nearby input, as a part of the map's own length. */
  max_sensitivity: {
    /** How many neighbours of the input are explained. (1 to 1000, default 10) */
    samples?: number | undefined;
    /** How far each value of a neighbour may be from the input's, as a part of the input's range. (0 to 1, default 0.02) */
    radius?: number | undefined;
  };
  /** The mean distance between the map and that of a nearby input, as a part of the map's own length. */
  average_sensitivity: {
    /** How many neighbours of the input are explained. (1 to 1000, default 10) */
    samples?: number | undefined;
    /** How far each value of a neighbour may be from the input's, as a part of the input's range. (0 to 1, default 0.02) */
    radius?: number | undefined;
  };
  /** The largest distance between the map and that of a nearby input over the distance of the two inputs, in the map's units over the input's. */
  local_lipschitz: {
    /** How many neighbours of the input are explained. (1 to 1000, default 10) */
    samples?: number | undefined;
    /** How far each value of a neighbour may be from the input's, as a part of the input's range. (0 to 1, default 0.02) */
    radius?: number | undefined;
  };
  /** The largest relative change of the map near the input over the relative change of the input. Neighbours of another class are left out. */
  relative_input_stability: {
    /** How many neighbours of the input are explained. (1 to 1000, default 10) */
    samples?: number | undefined;
    /** How far each value of a neighbour may be from the input's, as a part of the input's range. (0 to 1, default 0.02) */
    radius?: number | undefined;
  };
  /** The largest relative change of the map near the input over the distance of the logits. Neighbours of another class are left out. */
  relative_output_stability: {
    /** How many neighbours of the input are explained. (1 to 1000, default 10) */
    samples?: number | undefined;
    /** How far each value of a neighbour may be from the input's, as a part of the input's range. (0 to 1, default 0.02) */
    radius?: number | undefined;
  };
  /** The largest relative change of the map near the input over the relative change of what an inner layer holds. Neighbours of another class are left out. */
  relative_representation_stability: {
    /** How many neighbours of the input are explained. (1 to 1000, default 10) */
    samples?: number | undefined;
    /** How far each value of a neighbour may be from the input's, as a part of the input's range. (0 to 1, default 0.02) */
    radius?: number | undefined;
    /** The layer, by the name of its node; where it is empty, the one that Grad-CAM takes. (default "") */
    layer?: string | undefined;
  };
  /** The mean rank correlation between maps made with different seeds: 1 where chance has no part. */
  stability: {
    /** How many maps are made, with the judged map's seed and those after it. (2 to 100, default 5) */
    seeds?: number | undefined;
    /** How many of the most important pixels are compared. (1 to 1000000, default 1000) */
    k?: number | undefined;
  };
  /** The rank correlation of the map with one from half the steps; the curve shows an eighth, a quarter, a half and all of them. */
  convergence: {
    /** The method's parameter that is varied; where it is empty, the first of steps, iterations, samples and masks that the method has. (default "") */
    parameter?: string | undefined;
  };
  /** The rank correlation between the map and that of the same network with random weights. A method whose map hardly changes does not explain the network. */
  randomisation: {
    /** Compare magnitudes instead of signed values: random weights turn signs around by chance. (default true) */
    magnitudes?: boolean | undefined;
  };
  /** The rank correlation between the mean of maps of noisy inputs and the same of a network with random weights. A method whose map hardly changes does not explain the network. */
  smooth_randomisation: {
    /** How many inputs are explained by each of the networks. (1 to 1000, default 50) */
    samples?: number | undefined;
    /** Standard deviation of the noise, as a part of the input's range. (0 to 10, default 0.1) */
    noise_level?: number | undefined;
    /** Compare magnitudes instead of signed values: random weights turn signs around by chance. (default true) */
    magnitudes?: boolean | undefined;
  };
  /** How much the entropy of the map's histogram rises where the network has random weights, as a part of the map's own. */
  efficient_randomisation: {
    /** Bins of the histogram, of equal width from the smallest to the largest value. (2 to 10000, default 100) */
    bins?: number | undefined;
  };
  /** The rank correlation between the map and that of another class, drawn from the seed. A method whose map hardly changes does not explain the class. */
  random_logit: {
    /** The other class. Left out: any, drawn from the seed. (0 to 1000000, default null) */
    other?: number | null | undefined;
    /** Compare magnitudes instead of signed values. (default false) */
    magnitudes?: boolean | undefined;
  };
  /** Whether two maps put the pixels in the same order: 1 the same, 0 unrelated, -1 reversed. A constant map agrees with nothing but itself. */
  spearman: {
    /** Compare magnitudes instead of signed values, as the check by weight randomisation does. (default false) */
    magnitudes?: boolean | undefined;
  };
  /** The part of one map's most important pixels that are among the other's, 0 to 1. */
  top_k_intersection: {
    /** How many pixels are compared; all of them where the map has fewer. (1 to 1000000, default 1000) */
    k?: number | undefined;
  };
  /** Whether two maps rise and fall together: 1 the same, 0 unrelated, -1 reversed. A constant map agrees with nothing but itself. */
  pearson: Record<string, never>;
  /** Whether two maps look alike, each brought to the range from 0 to 1 first: 1 the same. */
  ssim: Record<string, never>;
  /** 1 where the most important pixel lies on the object or beside it, else 0. A constant map points nowhere. */
  pointing_game: {
    /** How many pixels beside the object still count as a hit. (0 to 1000, default 15) */
    tolerance?: number | undefined;
  };
  /** With as many of the most important pixels as the object has: intersection over union with it. Beside it, the part of them on the object (relevance rank accuracy) and the part of the positive values there (relevance mass accuracy). */
  mask_overlap: Record<string, never>;
  /** How likely a pixel of the object has a higher value than one beside it: 1 where all have, 0.5 where the map does not know. */
  object_auc: {
    /** How the channels of a pixel become the value that it is ranked by. (default "as_shown") */
    ranking?: "as_shown" | "mean" | "sum_abs" | "max_abs" | undefined;
  };
  /** The Gini index of the pixels' magnitudes: 0 where all count the same, near 1 where one counts alone. */
  sparseness: Record<string, never>;
  /** The entropy in nats of the pixels' parts of all magnitudes: 0 where one counts alone, the logarithm of their number where all count the same. An empty map has 0. */
  complexity: Record<string, never>;
  /** How many pixels have a magnitude above a small part of the largest; beside it, the part of all pixels that they are. */
  effective_complexity: {
    /** The part of the largest magnitude that a pixel must be above. (0 to 1, default 0.00001) */
    least?: number | undefined;
  };
}

/** The parameters of each attack. */
export interface AttackParams {
  /** Steps along the gradient, each brought back within the bound; of a single step the fast gradient method. */
  pgd: Record<string, never>;
  /** Steps of equal size in each value along the running sum of the gradients, within a bound on the largest change. It carries over to other networks better than the last gradient alone. */
  mi_fgsm: {
    /** How much of the sum stays at each step. (0 to 10, default 1.0) */
    decay?: number | undefined;
  };
  /** Projected gradient descent with momentum, of which the steps become shorter and begin again at the best point where they no longer help: nothing is left to be tuned but the bound. Ends with the first change that turns the answer last seen, or with the largest loss. */
  apgd: {
    /** The part of the steps since the last look that must have raised the loss, or the steps become half as long. (0 to 1, default 0.75) */
    rho?: number | undefined;
  };
  /** Changes random squares of a picture to the edge of the bound, smaller and smaller ones, and keeps what brings the answer nearer to its turn. It needs no gradient, and ends where the answer turns. */
  square: {
    /** How often the network is asked at most: 5000 in the paper. (1 to 100000, default 1000) */
    queries?: number | undefined;
    /** The part of the pixels that the first squares cover. (0.0001 to 1, default 0.8) */
    part?: number | undefined;
  };
  /** A small change that turns the answer, found by steps to the nearest border between classes. It has no bound: the length of the change is what it finds. */
  deep_fool: {
    /** How many steps at most. (1 to 1000, default 50) */
    steps?: number | undefined;
    /** How many of the most probable classes are looked at, the answer itself included. (2 to 1000, default 10) */
    candidates?: number | undefined;
    /** How far beyond the border, as a part of the way. (0 to 1, default 0.02) */
    overshoot?: number | undefined;
  };
  /** The shortest change that turns the answer, found by optimisation. It has no bound: the length of the change is what it finds. Slow and strong; where nothing is found the input stays. */
  carlini_wagner: {
    /** How often the weight of the turn against the length is halved or raised. (1 to 20, default 9) */
    searches?: number | undefined;
    /** Steps of Adam for each weight at most: 10000 in the paper. (1 to 10000, default 100) */
    steps?: number | undefined;
    /** The length of Adam's steps. (0.00001 to 1, default 0.01) */
    step?: number | undefined;
    /** How far another logit must lie above. (0 to 1000, default 0.0) */
    confidence?: number | undefined;
    /** The weight to begin with. (0.000001 to 1000000, default 0.001) */
    weight?: number | undefined;
    /** End a search where a tenth of its steps brought nothing. (default true) */
    abort_early?: boolean | undefined;
  };
  /** The smallest bound within which a change leaves the answer and turns the map of the gradient: of its most important values at most half stay among them. `epsilon` is the largest bound that is tried; where it does not suffice the input stays. */
  explanation: {
    /** The part of the values that counts as the most important. (0.001 to 0.5, default 0.1) */
    top?: number | undefined;
    /** The explanation has turned where no more than this part of the most important values is still among them. (0 to 0.99, default 0.5) */
    kept?: number | undefined;
    /** Steps of each attack, each of which takes three gradients. (1 to 1000, default 20) */
    steps?: number | undefined;
    /** How often the bound is halved or raised between the smallest that turned the map and the largest that did not. (1 to 20, default 6) */
    searches?: number | undefined;
  };
}

/** Methods whose values only say how much a place counts, and nothing against the class. */
export const magnitudes: ReadonlySet<string> = new Set([
  "saliency",
  "guided_backprop",
  "deconvnet",
  "grad_cam",
  "grad_cam_plus_plus",
  "layer_cam",
  "x_grad_cam",
  "grad_cam_element_wise",
  "eigen_cam",
  "eigen_grad_cam",
  "full_grad",
  "guided_grad_cam",
  "finer_cam",
  "shapley_cam",
  "odam",
  "attention_rollout",
  "generic_attention",
  "legrad",
  "rt_sal",
  "smoothgrad",
  "vargrad",
  "ablation_cam",
  "score_cam",
  "relex",
  "axai",
  "mask",
  "hsic",
  "sobol",
  "rise",
  "d_rise",
]);
