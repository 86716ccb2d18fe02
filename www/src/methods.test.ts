import assert from "node:assert/strict";
import test from "node:test";

import type { MethodDescription, ModelInfo } from "adversight";
import { groupMethods, passes, passesOf, suitedMethod, unsuited } from "./methods.js";

const method = (
  name: string,
  needs: MethodDescription["needs"],
  forward: number,
  backward: number,
  params: MethodDescription["params"] = [],
): MethodDescription => ({
  name,
  title: name,
  summary: "",
  paper: "",
  needs,
  display: "",
  anytime: "no",
  cost: { forward, backward },
  params,
});
const steps = { name: "steps", title: "Steps", description: "", kind: "integer", default: 50 } as const;
const all = [
  {
    ...method("integrated_gradients", ["gradient", "pixel_space"], 50, 50, [steps]),
    quick: { steps: 15 },
    quick_cost: { forward: 15, backward: 15 },
  },
  method("lrp", ["backward_rule", "gradient"], 1, 1),
  method("rise", ["predictions", "image"], 6000, 0),
  method("grad_cam", ["activations", "gradient", "image"], 1, 1),
  method("saliency", ["gradient"], 1, 1),
  method("occlusion", ["predictions"], 196, 0),
];

test("methods go by what most sets them apart, and in a group from the cheapest to the dearest", () => {
  assert.deepEqual(
    groupMethods(all).map(({ name, methods }) => [name, methods.map((each) => each.name)]),
    [
      ["gradient", ["saliency", "integrated_gradients"]],
      ["activations", ["grad_cam"]],
      ["backward_rule", ["lrp"]],
      ["predictions", ["occlusion", "rise"]],
    ],
  );
  assert.deepEqual(groupMethods(all.slice(0, 1)).length, 1, "a group without methods is left out");
});

test("a gradient counts as two passes, and quick settings make fewer", () => {
  assert.equal(passesOf({ forward: 3, backward: 5 }), 13);
  const [integrated] = all;
  assert.ok(integrated);
  assert.equal(passes(integrated), 150);
  assert.equal(passes(integrated, { steps: 15 }), 45);
});

test("a method that does not apply has a reason, and another takes its place", () => {
  const info: Pick<ModelInfo, "methods"> = {
    methods: [
      { name: "grad_cam", applies: false, reason: "there is no convolution" },
      { name: "saliency", applies: false },
      { name: "lrp", applies: true },
    ],
  };
  assert.equal(unsuited(info, "grad_cam"), "there is no convolution");
  assert.ok(unsuited(info, "saliency"));
  assert.equal(unsuited(info, "lrp"), null);
  assert.equal(unsuited(undefined, "grad_cam"), null, "before a network is loaded, all may apply");
  assert.equal(suitedMethod(info, all, "occlusion"), "occlusion");
  assert.equal(suitedMethod(info, all, "grad_cam"), "lrp", "the cheapest that applies");
});
