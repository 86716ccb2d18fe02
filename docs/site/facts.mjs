// What the registry does not hold of a method: its definition as one line, and when not to trust it. A method without an entry fails tests/browser/docs.test.mjs.
//
// x is the input, x′ what stands for nothing, f the explained score, z a hidden value, A_k the k-th feature map of a layer, ⊙ the product value by value,
// m a mask from 0 to 1, E a mean.

const integrated =
  "The baseline decides much: what equals it gets nothing, so that on a black baseline black things never count. Look at info.completenessGap; a large one asks for more steps.";
const cam =
  "It is as coarse as the layer that it looks at, and says nothing about details within one of its cells. Thin or small things are missed.";
const shares =
  "Segments that are hidden make pictures that no network has seen, and the answer to those counts too. Too few samples show in two runs with other seeds that differ.";

/** @type {Record<string, { formula: string, caution: string }>} */
export const facts = {
  saliency: {
    formula: "M = |∂f/∂x|",
    caution:
      "It is noisy, and tells how the score would react to tiny changes, not what the answer rests on. Where the network is saturated it is next to nothing for what matters most.",
  },
  input_x_gradient: {
    formula: "M = x ⊙ ∂f/∂x",
    caution:
      "It is exact for linear networks alone. Dark things count little, whatever they mean, since their values are near zero.",
  },
  guided_backprop: {
    formula: "M = ∂f/∂x, where each ReLU hands back R ⊙ [R > 0] ⊙ [z > 0]",
    caution:
      "It hardly depends on the class or on the last layers: it shows edges, also of a network with random weights (Adebayo et al. 2018). Do not take it as evidence for a class.",
  },
  deconvnet: {
    formula: "M = ∂f/∂x, where each ReLU hands back R ⊙ [R > 0]",
    caution:
      "It fails the same sanity checks as guided backpropagation, and shows structures that a layer reacts to, not what the class rests on.",
  },
  deep_lift: {
    formula:
      "M = Δx ⊙ Π m, with the slope m = Δy/Δz of each nonlinearity; ΣM = f(x) − f(x′)",
    caution: `${integrated} Its rescale rule can give a wrong sign where two values cancel.`,
  },
  deep_lift_shap: {
    formula: "M = E over x′ of DeepLIFT(x, x′)",
    caution:
      "The background decides: a few pictures that are like the input make everything small. It approximates Shapley values; it does not compute them.",
  },
  lrp: {
    formula:
      "R_i = Σ_j (z_ij / Σ_i z_ij) R_j, with ε, γ or z⁺ in the denominators",
    caution:
      "The rule decides: z⁺ shows hardly anything class-specific in the lower layers. Compare two classes, and two rules, before you believe a detail.",
  },
  attn_lrp: {
    formula:
      "R_i = Σ_j (z_ij / Σ_i z_ij) R_j, a softmax by its Taylor expansion, a product by halves",
    caution:
      "Sums of relevance drift at normalisations. A network whose attention is not recognised in the file is explained by the rules of other layers.",
  },
  grad_cam: {
    formula: "M = ReLU(Σ_k α_k A_k),  α_k = mean over places of ∂f/∂A_k",
    caution: `${cam} Averaging the gradient can show places that did not raise the score; HiResCAM does not.`,
  },
  grad_cam_plus_plus: {
    formula: "M = ReLU(Σ_k w_k A_k),  w_k = Σ α_k ⊙ ReLU(∂f/∂A_k)",
    caution: cam,
  },
  hires_cam: {
    formula: "M = ReLU(Σ_k A_k ⊙ ∂f/∂A_k)",
    caution: `${cam} It is faithful at the last layer of networks that end in one linear layer; elsewhere it is not proven to be.`,
  },
  layer_cam: {
    formula: "M = ReLU(Σ_k ReLU(∂f/∂A_k) ⊙ A_k)",
    caution: `${cam} In early layers it is close to a saliency map, with its noise.`,
  },
  x_grad_cam: {
    formula: "M = ReLU(Σ_k α_k A_k),  α_k = Σ (A_k / ΣA_k) ⊙ ∂f/∂A_k",
    caution: cam,
  },
  grad_cam_element_wise: {
    formula: "M = Σ_k ReLU(A_k ⊙ ∂f/∂A_k)",
    caution: cam,
  },
  eigen_cam: {
    formula: "M = first principal component of A over its channels",
    caution:
      "It asks for no class at all: it shows what the layer sees most of, whatever the answer. Never use it to explain why one class and not another.",
  },
  eigen_grad_cam: {
    formula: "M = first principal component of A ⊙ ∂f/∂A over its channels",
    caution: `${cam} The sign of a principal component is a choice.`,
  },
  full_grad: {
    formula: "M = ψ(x ⊙ ∂f/∂x) + Σ_layers ψ(b ⊙ ∂f/∂b)",
    caution:
      "The post-processing ψ takes absolute values and scales each layer: what is drawn is no longer a share of the score.",
  },
  guided_grad_cam: {
    formula: "M = guided backpropagation ⊙ Grad-CAM",
    caution:
      "The fine lines are guided backpropagation's and hardly depend on the class; only the coarse outline does.",
  },
  finer_cam: {
    formula: "M = Grad-CAM of f_c − γ · mean of f over the classes most like c",
    caution: `${cam} It depends on which classes are compared; name them where you know better.`,
  },
  shapley_cam: {
    formula:
      "M = ReLU(Σ_k α_k A_k), α_k with the gradient and a Hessian-vector product",
    caution: cam,
  },
  attention_rollout: {
    formula: "M = Π_layers (½ A + ½ I), A the mean over heads",
    caution:
      "It asks for no class, and takes attention for explanation: a token that is attended to need not change the answer.",
  },
  generic_attention: {
    formula: "M = Π_layers (I + E_heads[ReLU(A ⊙ ∂f/∂A)])",
    caution:
      "It follows attention alone; what multilayer perceptrons and normalisations do is left out.",
  },
  legrad: {
    formula: "M = Σ_layers E_heads[ReLU(∂f_l/∂A_l)]",
    caution:
      "It looks at gradients of attention, not at what is attended to. Fine-grained differences within an object are beyond it.",
  },
  rt_sal: {
    formula: "M = g(x, c), g a network trained beside f",
    caution:
      "It is as good as the masking network that was trained: what g learned to hide is shown, and a g of another classifier says nothing about this one.",
  },
  smoothgrad: {
    formula: "M = E over noise ε of |∂f/∂x (x + ε)|",
    caution:
      "It is a mean of gradients, with their weakness: saturated evidence is missed. Noise that is too strong explains other pictures than yours.",
  },
  vargrad: {
    formula: "M = Var over noise ε of ∂f/∂x (x + ε)",
    caution:
      "A variance has no sign and tells no direction: a large value may speak for the class or against it.",
  },
  integrated_gradients: {
    formula: "M = (x − x′) ⊙ ∫₀¹ ∂f/∂x (x′ + t(x − x′)) dt; ΣM = f(x) − f(x′)",
    caution: integrated,
  },
  mfaba: {
    formula: "M = Σ_i (x_i − x_{i−1}) ⊙ ∂f/∂x, along an attack on the input",
    caution:
      "It ends where the first attack crosses a boundary: another boundary may be as near, and another map as true.",
  },
  idgi: {
    formula: "M = Σ_i (f_i − f_{i−1}) · g_i ⊙ g_i / ‖g_i‖²",
    caution:
      "Shares are squared gradients: within a step nothing speaks against the class. The baseline decides as in integrated gradients.",
  },
  blur_ig: {
    formula: "M = ∫ ∂f/∂x ⊙ ∂x_σ/∂σ dσ, x_σ the picture blurred by σ",
    caution:
      "It needs a picture. What has no detail at any scale, as an even background, gets nothing.",
  },
  expected_gradients: {
    formula: "M = E over x′ and t of (x − x′) ⊙ ∂f/∂x (x′ + t(x − x′))",
    caution:
      "The background decides, and few samples are noise: two seeds must agree before a detail counts.",
  },
  guided_ig: {
    formula:
      "M as integrated gradients, along the path that moves where |∂f/∂x| is small first",
    caution:
      "The path depends on the network, so that two networks cannot be compared value by value.",
  },
  agi: {
    formula:
      "M = Σ over other classes c′ of −∫ ∂f_{c′}/∂x ⊙ ∂f_c/∂x, along steepest ascent to c′",
    caution:
      "It depends on which false classes are drawn; the seed chooses them. Its sum has no fixed meaning, so that two pictures cannot be compared.",
  },
  ablation_cam: {
    formula: "M = ReLU(Σ_k w_k A_k),  w_k = (f − f without A_k) / f",
    caution: cam,
  },
  score_cam: {
    formula: "M = ReLU(Σ_k w_k A_k),  w = softmax of f(x ⊙ A_k scaled to 0…1)",
    caution: `${cam} Pictures behind masks are ones that no network has seen.`,
  },
  relex: {
    formula:
      "min over m of −log p(x ⊙ m) + log p(x ⊙ (1 − m)) + λ‖m‖₁, on average over noise",
    caution:
      "It is an optimisation: it may end in a poor minimum, and finds one sufficient region where there may be several.",
  },
  axai: {
    formula: "segments in which |x_adv − x| is densest",
    caution:
      "It tells where an attack puts its changes. A segment may be attacked because it is easy to change, not because the class rests on it.",
  },
  xrai: {
    formula: "regions, joined in the order of their mean integrated gradients",
    caution: `${integrated} A region is shown as a whole, also where a part of it counted.`,
  },
  occlusion: {
    formula: "M(window) = f(x) − f(x with the window hidden)",
    caution:
      "It sees one window at a time: evidence that is there twice is missed, as either suffices. The window's size decides what is found.",
  },
  mask: {
    formula: "min over m of p(x blurred by m) + λ₁‖1 − m‖₁ + λ₂ TV(m)",
    caution:
      "It is an optimisation with weights that balance it; other weights find other regions, and a mask may act as an attack.",
  },
  lime: {
    formula: "min over w of Σ π(s) (f(x_s) − w·s)² + α‖w‖²",
    caution: `${shares} A linear model may fit badly.`,
  },
  kernel_shap: {
    formula:
      "min over φ of Σ k(s) (f(x_s) − φ₀ − φ·s)², k Shapley's kernel; Σφ = f(x) − f(x′)",
    caution: shares,
  },
  permutation_shap: {
    formula:
      "φ_i = E over orders of f(with i and those before) − f(with those before)",
    caution: shares,
  },
  odam: {
    formula: "M = ReLU(Σ_k A_k ⊙ smooth(∂f/∂A_k)), f a score of one box",
    caution:
      "It shows where the features of one box lie, at the resolution of one layer, and says nothing of what would remove the box.",
  },
  d_rise: {
    formula:
      "M = Σ_masks max_d [IoU(box_d, box) · cos(class_d, class) · objectness_d] · mask",
    caution:
      "A box that moves under a mask counts as gone in part. With few masks the map is noise: look at the same seed with more.",
  },
  partition_shap: {
    formula:
      "φ = Owen values of f on the tree of halves: each half shares with its sibling, φ_{left} + φ_{right} = φ_{both}",
    caution:
      "The tree decides: halves are cut by place and not by content, and within a half that was not divided any further all pixels share alike. Other trees give other values.",
  },
  hsic: {
    formula: "M_i = HSIC(mask of i, f)",
    caution: `${shares} It tells that the score depends on a part, not in which direction.`,
  },
  sobol: {
    formula: "S_i = E[Var(f | all but i)] / Var(f)",
    caution: `${shares} A share of a variance has no sign.`,
  },
  rise: {
    formula: "M = E over random masks m of f(x ⊙ m) · m / E[m]",
    caution:
      "Random masks leave grain: with few of them the map is noise. The coarse grid blurs small things.",
  },
};
