// Where photographs come from: the samples, a file, a drop, the clipboard. (The camera is in camera.ts.) And which network looks at them.

import type { App } from "../app.js";
import { fill, find, make } from "../dom.js";
import { photoUrl } from "../library.js";

export function mountSources(app: App): void {
  mountModels(app);
  mountSamples(app);
  mountFile(app);
  mountDrop(app);
  document.addEventListener("paste", (event) => {
    const file = event.clipboardData?.files[0];
    if (!file) return; // text into a field
    event.preventDefault();
    void app.choosePhoto(file, "Pasted picture");
  });
}

function mountModels(app: App): void {
  const select = find("model", HTMLSelectElement);
  app.store.watch(["cards", "card"], ({ cards, card }) => {
    fill(
      select,
      cards.map(({ name, title }) => ({ value: name, label: title })),
      card?.name ?? "",
    );
    select.disabled = cards.length === 0;
  });
  select.addEventListener("change", () => {
    const card = app.state.cards.find(({ name }) => name === select.value);
    if (card) void app.chooseModel(card);
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

function mountFile(app: App): void {
  const input = find("file", HTMLInputElement);
  find("choose", HTMLButtonElement).addEventListener("click", () => {
    input.click();
  });
  input.addEventListener("change", () => {
    const file = input.files?.[0];
    input.value = ""; // the same file may be chosen again
    if (file) void app.choosePhoto(file, file.name);
  });
}

function mountDrop(app: App): void {
  const drop = find("drop", HTMLElement);
  const carriesFile = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false;
  const show = (on: boolean) => {
    drop.classList.toggle("on", on);
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
    const file = event.dataTransfer?.files[0];
    if (file) {
      void app.choosePhoto(file, file.name);
    } else {
      app.report({
        title: "That was no file.",
        message: "Pictures on other sites cannot be read from here. Save the picture, and drop the file.",
        remedy: null,
      });
    }
  });
}
