// What a user may do wrong. Read by the test, which knows what to expect, and by the page, which does it.

/**
 * By name: what is called with the lab and with an engine, a model, a tensor and a picture that are well, and the code,
 * sentence and node of the error that comes of it.
 */
export const mistakes = {
  "a text file as an image": {
    call: (_, { model }) => model.classify(new Blob(["not a picture"], { type: "text/plain" })),
    code: "input_invalid",
    sentence: /text\/plain.* is not an image/,
  },
  "an empty file as an image": {
    call: (_, { model }) => model.classify(new Blob([])),
    code: "input_invalid",
    sentence: /empty/,
  },
  "a picture that ends too soon": {
    call: async (_, { model, picture }) => model.classify(picture.slice(0, 60)),
    code: "input_invalid",
    sentence: /PNG picture.*damaged/,
  },
  "an image file of 0 by 0 pixels": {
    call: (_, { model, empty }) => model.classify(empty),
    code: "input_invalid",
    sentence: /0 by 0 pixels/,
  },
  "a canvas of 0 by 0 pixels": {
    call: (_, { model }) => {
      const canvas = document.createElement("canvas");
      canvas.width = canvas.height = 0;
      return model.classify(canvas);
    },
    code: "input_invalid",
    sentence: /0 by 0 pixels/,
  },
  "an image of 100 megapixels": {
    call: (_, { model, huge }) => model.explain(huge, { method: "saliency" }),
    code: "input_too_large",
    sentence: /100 megapixels.*more than the 67/,
  },
  "something that is no image": {
    call: (_, { model }) => model.classify({ width: 3 }),
    code: "input_invalid",
    sentence: /not an image/,
  },
  "a NaN in the input": {
    call: (_, { model, tensor }) => {
      const data = tensor.data.slice();
      data[1234] = NaN;
      return model.classify({ data, shape: tensor.shape });
    },
    code: "input_not_finite",
    sentence: /not finite.*index 1234/,
  },
  "an infinity in the input": {
    call: (_, { model, tensor }) => {
      const data = tensor.data.slice();
      data[0] = -Infinity;
      return model.explain({ data, shape: tensor.shape }, { method: "saliency" });
    },
    code: "input_not_finite",
    sentence: /not finite.*index 0/,
  },
  "a shape that its data does not fill": {
    call: (_, { model, tensor }) => model.logits({ data: tensor.data, shape: [2, 3, 32, 32] }),
    code: "input_shape",
    sentence: /asks for 6144 values, but there are 3072/,
  },
  "an input of another shape": {
    call: (_, { model }) => model.logits({ data: new Float32Array(3 * 16 * 16), shape: [1, 3, 16, 16] }),
    code: "input_shape",
    sentence: /32, 32.*16, 16/,
  },
  "a class out of range": {
    call: (_, { model, tensor }) => model.explain(tensor, { method: "saliency", target: 10 }),
    code: "target_out_of_range",
    sentence: /Class 10 .*0 to 9/,
  },
  "a class out of range for a gradient": {
    call: (_, { model, tensor }) => model.inputGradient(tensor, 10),
    code: "target_out_of_range",
    sentence: /Class 10 .*0 to 9/,
  },
  "a false class out of range": {
    call: (_, { model, tensor }) => model.explain(tensor, { method: "agi", params: { classes: [99] } }),
    code: "target_out_of_range",
    sentence: /Class 99 .*0 to 9/,
  },
  "a class below zero": {
    call: (_, { model, tensor }) => model.explain(tensor, { method: "saliency", target: -1 }),
    code: "target_out_of_range",
    sentence: /Class -1 .*0 to 9/,
  },
  "an unknown method": {
    call: (_, { model, tensor }) => model.explain(tensor, { method: "guesswork" }),
    code: "method_unknown",
    sentence: /"guesswork".*saliency.*agi/,
  },
  "a parameter out of its range": {
    call: (_, { model, tensor }) =>
      model.explain(tensor, { method: "integrated_gradients", params: { steps: 0 } }),
    code: "parameter_invalid",
    sentence: /"steps" of integrated_gradients.*between/,
  },
  "a parameter of the wrong kind": {
    call: (_, { model, tensor }) => model.explain(tensor, { method: "agi", params: { mode: "sideways" } }),
    code: "parameter_invalid",
    sentence: /"mode" of agi.*path, reference, straight/,
  },
  "an unknown parameter": {
    call: (_, { model, tensor }) => model.explain(tensor, { method: "saliency", params: { stepsize: 1 } }),
    code: "parameter_invalid",
    sentence: /"stepsize" of saliency.*unknown/,
  },
  "a truncated model": {
    call: async (lab, { engine }) =>
      engine.loadModel({ onnx: (await lab.bytes("/fixtures/tiny.onnx")).slice(0, 9000) }),
    code: "model_malformed",
    sentence: /not a readable ONNX model/,
  },
  "bytes that are no model": {
    call: async (lab, { engine }) =>
      engine.loadModel({ onnx: await lab.bytes("/fixtures/broken/not_onnx.onnx") }),
    code: "model_malformed",
    sentence: /not a readable ONNX model/,
  },
  "no bytes at all": {
    call: (_, { engine }) => engine.loadModel({ onnx: new Uint8Array(0) }),
    code: "model_malformed",
    sentence: /not a readable ONNX model/,
  },
  "an unknown operator": {
    call: async (lab, { engine }) =>
      engine.loadModel({ onnx: await lab.bytes("/fixtures/broken/unknown_operator.onnx") }),
    code: "model_unsupported",
    sentence: /"odd_one".*not supported/,
    node: "odd_one",
  },
  "a model that contradicts itself": {
    call: async (lab, { engine }) =>
      engine.loadModel({ onnx: await lab.bytes("/fixtures/broken/wrong_shape.onnx") }),
    code: "model_invalid",
    sentence: /"odd_one"/,
    node: "odd_one",
  },
  "a model that is not there": {
    call: (_, { engine }) => engine.loadModel({ onnx: "/fixtures/nowhere.onnx" }),
    code: "download_failed",
    sentence: /nowhere\.onnx/,
  },
  "a graph that is run without its input": {
    call: async (lab, { engine }) => engine.run(await lab.bytes("/fixtures/tiny.onnx"), {}),
    code: "input_invalid",
    sentence: /"input" has no value/,
  },
  "a graph that is run on an input that it does not have": {
    call: async (lab, { engine, tensor }) =>
      engine.run(await lab.bytes("/fixtures/tiny.onnx"), { picture: tensor }),
    code: "input_invalid",
    sentence: /no input "picture"; the model has input/,
  },
  "a graph that is run on an array of its own kind": {
    call: async (lab, { engine }) =>
      engine.run(await lab.bytes("/fixtures/tiny.onnx"), { input: { data: [1, 2], shape: [2] } }),
    code: "input_invalid",
    sentence: /Float32Array.*Int32Array.*BigInt64Array.*Uint8Array/,
  },
  "a graph of pixels that is run on a number that no pixel has": {
    call: async (lab, { engine }) =>
      engine.run(await lab.bytes("/fixtures/cases/pixels-as-whole-numbers-2/model.onnx"), {
        image: { data: new Int32Array(192).fill(256), shape: [1, 3, 8, 8] },
      }),
    code: "input_invalid",
    sentence: /"image" holds uint8, and 256 was given/,
  },
  "a graph of pixels that is run on a part of a number": {
    call: async (lab, { engine }) =>
      engine.run(await lab.bytes("/fixtures/cases/pixels-as-whole-numbers-2/model.onnx"), {
        image: { data: new Float32Array(192).fill(0.5), shape: [1, 3, 8, 8] },
      }),
    code: "input_invalid",
    sentence: /"image" holds uint8, and 0.5 was given/,
  },
  "too few labels": {
    call: async (lab, { engine }) =>
      engine.loadModel({ onnx: await lab.bytes("/fixtures/tiny.onnx"), labels: ["one", "two"] }),
    code: "labels_invalid",
    sentence: /2 names for 10 classes/,
  },
  "pixels without a declared preprocessing": {
    call: async (lab, { engine, picture }) => {
      const bare = await engine.loadModel({ onnx: await lab.bytes("/fixtures/tiny.onnx") });
      try {
        return await bare.classify(picture);
      } finally {
        bare.close();
      }
    },
    code: "preprocessing_invalid",
    sentence: /none is declared/,
  },
};
