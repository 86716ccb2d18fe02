// The kinds that can be given: an example of each, and what stands on the page for the one at hand.

import type { App } from "../app.js";
import { find, make } from "../dom.js";
import { kinds, shows, type Kind, type KindView } from "../kinds.js";
import { offeredKinds, photoUrl } from "../library.js";

export function mountKinds(app: App): void {
  const row = find("kinds", HTMLElement);
  row.append(...offeredKinds.map((kind) => button(app, kind)));

  app.store.watch(["samples"], ({ samples: [sample] }) => {
    const taste = row.querySelector<HTMLElement>('[data-given="image"] .taste');
    if (!sample || !taste) return;
    const src = photoUrl(sample.file).href;
    taste.replaceChildren(make("img", { attributes: { src, alt: "", width: "40", height: "40" } }));
  });
  app.store.watch(["given"], ({ given }) => {
    for (const one of row.querySelectorAll<HTMLElement>("[data-given]")) {
      one.setAttribute("aria-pressed", String(one.dataset.given === given?.kind));
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

function button(app: App, kind: Kind): HTMLButtonElement {
  const { title, taste, shownAs } = kinds[kind];
  return make(
    "button",
    {
      testid: "example",
      attributes: { type: "button", "data-kind": shownAs, "data-given": kind },
      onclick: () => void app.chooseKind(kind),
    },
    make("span", { class: "taste", text: taste, attributes: { "aria-hidden": "true" } }),
    make("span", { text: title }),
  );
}
