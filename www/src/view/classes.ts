// The five best classes as bars. Choosing one explains it; each that did not win can be set against the winner.

import { t } from "../strings/strings.js";
import type { ClassScore } from "adversight";
import type { App } from "../app.js";
import { find, make } from "../dom.js";
import { figure, percent } from "../format.js";
import { findClass } from "../settings.js";
import type { State } from "../state.js";
import { isSingle } from "../told.js";

const places = 5;

export function mountClasses(app: App): void {
  const list = find("classes", HTMLOListElement);

  app.store.watch(["classification", "methods", "model"], (state) => {
    const top = state.classification?.top ?? [];
    list.replaceChildren(...top.map((score, rank) => row(app, score, rank)));
    // Places for what is still to come, so that nothing jumps.
    const all = Math.min(places, state.model?.info.classes ?? places);
    for (let rank = top.length; rank < all; rank++) {
      list.append(make("li", { class: "empty", attributes: { "aria-hidden": "true" } }));
    }
  });

  mountAnother(app);

  app.store.watch(["classification", "target", "explanation", "methods"], (state) => {
    for (const item of list.querySelectorAll<HTMLElement>("[data-class]")) {
      const index = Number(item.dataset.class);
      item.querySelector(".name")?.setAttribute("aria-pressed", String(index === explained(state)));
      item.querySelector(".why")?.setAttribute("aria-pressed", String(rival(state) === index));
    }
  });
}

/** Any class by its name or number, beyond those that are listed. */
function mountAnother(app: App): void {
  const form = find("another", HTMLFormElement);
  const input = find("another-class", HTMLInputElement);
  const names = find("another-names", HTMLDataListElement);
  app.store.watch(["labels", "model"], ({ labels, model }) => {
    form.classList.toggle("off", (model?.info.classes ?? 0) <= places);
    names.replaceChildren(...labels.map((label) => make("option", { attributes: { value: label } })));
    input.value = "";
  });
  const ask = () => {
    if (input.value.trim() === "") return;
    const index = findClass(input.value, app.state.labels);
    input.setCustomValidity(index === null ? t`There is no answer of this name or number.` : "");
    if (index === null) input.reportValidity();
    else if (index !== explained(app.state)) void app.explainClass(index);
  };
  input.addEventListener("change", ask);
  input.addEventListener("input", () => {
    input.setCustomValidity("");
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    ask();
  });
}

function explained({ target, classification }: State): number | undefined {
  return target ?? classification?.top[0]?.index;
}

function rival({ explanation }: State): number | undefined {
  const against = explanation?.info.against ?? [];
  return against.length === 1 ? against[0]?.index : undefined;
}

function row(app: App, { index, label, probability, logit }: ClassScore, rank: number): HTMLLIElement {
  const { model } = app.state;
  // One number is no share of anything.
  const single = model !== null && isSingle(model.info);
  const bar = make("span", { class: "bar", attributes: { "aria-hidden": "true" } });
  bar.style.setProperty("--share", String(probability));
  const name = make(
    "button",
    {
      class: "name",
      testid: `class-${index}`,
      attributes: { type: "button", "data-rank": String(rank) },
      onclick: () => void app.explainClass(index),
    },
    make("span", { class: "label", text: label }),
    make("span", { class: "share", text: single ? figure(logit) : percent(probability) }),
    ...(single ? [] : [bar]),
  );
  const item = make("li", { attributes: { "data-class": String(index) } }, name);
  if (rank > 0 && app.whyNotMethod()) {
    item.append(
      make("button", {
        class: "why quiet",
        text: t`Why not?`,
        testid: `why-not-${index}`,
        attributes: { type: "button", "aria-label": t`Why not ${label}?` },
        onclick: () => void app.whyNot(index),
      }),
    );
  }
  return item;
}
