// Where photographs come from: the samples, a file, a drop, the clipboard. (The camera is in camera.ts.) And which network looks at them;
// one that is dropped goes to own.ts.

import type { App } from "../app.js";
import { fill, find, make } from "../dom.js";
import { concernNetwork, refusalProblem, sortFiles, type Sorted } from "../files.js";
import { photoUrl } from "../library.js";
import type { OwnNetwork } from "../own.js";

export function mountSources(app: App, own: OwnNetwork): void {
  mountModels(app);
  mountSamples(app);
  mountFile((files) => take(app, own, files));
  mountDrop(app, (files) => take(app, own, files));
  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    const [file] = files;
    if (!file) return; // text into a field
    event.preventDefault();
    const pasted = files.map((one) => new File([one], "Pasted picture", { type: one.type }));
    void take(app, own, files.length === 1 && file.type.startsWith("image/") ? pasted : files);
  });
}

/** Whatever files there are: a photograph, a network, both, or what belongs to the network that is being set up. */
async function take(app: App, own: OwnNetwork, files: File[]): Promise<void> {
  const sorted = await sortFiles(files);
  const { photo, refused } = sorted;
  if (concernNetwork(sorted) && (own.draft.open || own.knows(app.state.network) || !onlyUnknown(sorted))) {
    void own.take(sorted);
  } else if (own.draft.open && refused.length > 0) {
    for (const { file, reason } of refused) own.refuse(file, reason);
  } else if (photo === null) {
    const [unknown] = sorted.companions.weights;
    const problem = refusalProblem(refused);
    if (problem) app.report(problem);
    else if (unknown) await app.choosePhoto(unknown, unknown.name); // which says why it is none
    return;
  }
  if (photo) await app.choosePhoto(photo, photo.name);
}

/** Whether the files are of a kind that nobody knows: without a network, they are not taken for its weights. */
function onlyUnknown({ onnx, companions }: Sorted): boolean {
  const { preprocessing, labels, arrays } = companions;
  return onnx === null && !preprocessing && !labels && arrays.length === 0;
}

function mountModels(app: App): void {
  const select = find("model", HTMLSelectElement);
  app.store.watch(["networks", "network"], ({ networks, network }) => {
    fill(
      select,
      networks.map(({ name, title, own }) => ({ value: name, label: own ? `Yours: ${title}` : title })),
      network?.name ?? "",
    );
    select.disabled = networks.length === 0;
  });
  select.addEventListener("change", () => {
    const network = app.state.networks.find(({ name }) => name === select.value);
    if (network) void app.chooseNetwork(network);
  });
}

function mountSamples(app: App): void {
  const list = find("samples", HTMLUListElement);
  app.store.watch(["samples"], ({ samples }) => {
    list.replaceChildren(
      ...samples.map((sample) => {
        const { file, title } = sample;
        const image = make("img", {
          attributes: {
            src: photoUrl(file).href,
            alt: title,
            title,
            decoding: "async",
            width: "72",
            height: "72",
          },
        });
        const button = make(
          "button",
          {
            testid: `sample-${file.replace(/\.\w+$/, "")}`,
            attributes: { type: "button", "data-file": file },
            onclick: () => void app.chooseSample(sample),
          },
          image,
        );
        return make("li", {}, button);
      }),
    );
  });
  app.store.watch(["samples", "photo"], ({ photo }) => {
    for (const button of list.querySelectorAll("button")) {
      button.setAttribute("aria-pressed", String(button.dataset.file === photo?.sample));
    }
  });
}

function mountFile(onChoose: (files: File[]) => Promise<void>): void {
  const input = find("file", HTMLInputElement);
  find("choose", HTMLButtonElement).addEventListener("click", () => {
    input.click();
  });
  input.addEventListener("change", () => {
    const files = [...(input.files ?? [])];
    input.value = ""; // the same file may be chosen again
    if (files.length > 0) void onChoose(files);
  });
}

function mountDrop(app: App, onDrop: (files: File[]) => Promise<void>): void {
  const drop = find("drop", HTMLElement);
  const carriesFile = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false;
  const show = (on: boolean) => {
    drop.classList.toggle("on", on);
    find("own-dialog", HTMLDialogElement).classList.toggle("dropping", on); // it lies over the rest
  };
  window.addEventListener("dragover", (event) => {
    event.preventDefault(); // else the browser leaves the page for what is dropped
    if (carriesFile(event)) show(true);
  });
  window.addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) show(false);
  });
  window.addEventListener("drop", (event) => {
    event.preventDefault();
    show(false);
    const files = [...(event.dataTransfer?.files ?? [])];
    if (files.length > 0) {
      void onDrop(files);
    } else {
      app.report({
        title: "That was no file.",
        message: "Pictures on other sites cannot be read from here. Save the picture, and drop the file.",
        remedy: null,
      });
    }
  });
}
