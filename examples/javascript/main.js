import { createEngine, drawExplanation } from "adversight";

const [file, progress, canvas, words, proof] = ["file", "progress", "canvas", "words", "proof"].map((id) =>
  document.getElementById(id),
);

try {
  // First: an engine, in a worker of its own, and a network that knows how its pictures are prepared.
  const engine = await createEngine({ device: "auto" });
  words.textContent = engine.device.reason;
  const models = new URL("../../www/public/models/", import.meta.url);
  const about = await fetch(new URL("squeezenet1_1.json", models));
  const { preprocessing } = await about.json();
  const model = await engine.loadModel({
    onnx: new URL("squeezenet1_1.onnx", models),
    preprocessing,
    labels: new URL("imagenet.json", models),
  });
  const colours = engine.colourMap("magma");

  file.addEventListener("change", () => void show(model, file.files[0], colours));
  const photograph = await fetch(new URL("../../www/public/photos/chelsea.jpg", import.meta.url));
  await show(model, await photograph.blob(), colours);
} catch (error) {
  fail(error);
}

async function show(model, picture, colours) {
  try {
    const bitmap = await createImageBitmap(picture);
    // Second: why does it say so?
    const explanation = await model.explain(bitmap, {
      method: "integrated_gradients",
      params: { steps: 20 },
      onProgress: ({ done, total }) => Object.assign(progress, { value: done, max: total }),
    });
    drawExplanation(canvas, bitmap, explanation, { colours });
    words.textContent = explanation.words.join(" ");
    // Third: how much of it is true? Insertion shows the network the most important pixels first.
    const [insertion] = await model.measure(bitmap, explanation, { metrics: [{ name: "insertion" }] });
    proof.textContent = `Insertion ${insertion.value.toFixed(3)}: the area under the class's probability, 1 at best.`;
  } catch (error) {
    fail(error);
  }
}

/** Every error has a stable `code` and a sentence. */
function fail({ code, message }) {
  words.textContent = `${message} (${code})`;
}
