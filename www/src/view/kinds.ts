// The kinds that can be given: an example of each, and what stands on the page for the one at hand.

import type { App } from "../app.js";
import { find, make } from "../dom.js";
import { kinds, shows, type Kind, type KindView } from "../kinds.js";
import { photoUrl } from "../library.js";
import type { State } from "../state.js";

export function mountKinds(app: App): void {
  const row = find("kinds", HTMLElement);

  app.store.watch(["networks", "samples", "examples"], (state) => {
    const offered = (Object.keys(kinds) as Kind[]).filter((kind) => app.takes(kind));
    row.hidden = offered.length < 2;
    row.replaceChildren(...offered.map((kind) => button(app, state, kind)));
  });
  app.store.watch(["networks", "samples", "examples", "given"], ({ given }) => {
    for (const one of row.querySelectorAll<HTMLElement>("[data-kind]")) {
      one.setAttribute("aria-pressed", String(one.dataset.kind === given?.kind));
    }
  });

  app.store.watch(["given"], ({ given }) => {
    const kind = given?.kind ?? "image";
    for (const part of document.querySelectorAll<HTMLElement>("[data-view]")) {
      part.classList.toggle("elsewhere", !shows(kind, part.dataset.view as KindView));
    }
    find("app", HTMLElement).dataset.kind = kind; // for the style, and for tests
    const choose = find("choose", HTMLButtonElement);
    choose.textContent = kinds[kind].choose;
    choose.dataset.kind = kind;
    find("file", HTMLInputElement).accept = kinds[kind].accept;
    find("sentences", HTMLElement).setAttribute("aria-label", kinds[kind].examples);
  });
}

function button(app: App, { samples, examples }: State, kind: Kind): HTMLButtonElement {
  const example = examples.find((candidate) => candidate.kind === kind);
  const [sample] = samples;
  const taste =
    kind === "image" && sample
      ? make("img", { attributes: { src: photoUrl(sample.file).href, alt: "", width: "40", height: "40" } })
      : make("span", { class: "taste", text: example?.taste ?? "", attributes: { "aria-hidden": "true" } });
  const { title } = kinds[kind];
  return make(
    "button",
    {
      testid: "example",
      attributes: { type: "button", "data-kind": kind },
      onclick: () => void app.chooseKind(kind),
    },
    taste,
    make("span", { text: title }),
  );
}
