// The method and its settings, both made from the engine's registry.

import { t } from "../strings/strings.js";
import type { MethodDescription } from "adversight";
import type { App } from "../app.js";
import { find, make } from "../dom.js";
import { capitalised, roughly, whole } from "../format.js";
import { groupMethods, passes, unsuited } from "../methods.js";
import { isPaper, isQuick, paperCost, paperParams, quickParams, sameQuestion } from "../settings.js";
import { estimate, type Speed } from "../speed.js";
import type { State } from "../state.js";
import { paramControl, type Control } from "./params.js";

export function mountMethod(app: App): void {
  const form = find("method-form", HTMLFormElement);
  const select = find("method", HTMLSelectElement);
  const summary = find("method-summary", HTMLElement);
  const cost = find("method-cost", HTMLElement);
  const params = find("params", HTMLElement);
  const note = find("quick", HTMLElement);
  const noteText = find("quick-text", HTMLElement);
  const noteButton = find("defaults", HTMLButtonElement);
  const explain = find("explain", HTMLButtonElement);
  const limit = find("limit", HTMLSelectElement);
  const settings = find("settings", HTMLDetailsElement);
  let controls: Control[] = [];

  // They are folded away until they are asked for; whoever has unfolded them finds them so the next time.
  settings.open = recalled() === "open";
  settings.addEventListener("toggle", () => {
    remember(settings.open ? "open" : "folded");
  });

  app.store.watch(["methods", "model"], (state) => {
    fillMethods(select, state, state.method);
    select.disabled = state.methods.length === 0;
  });
  select.addEventListener("change", () => void app.chooseMethod(select.value));

  app.store.watch(["methods", "method", "labels", "model"], (state) => {
    select.value = state.method;
    const method = current(state);
    summary.textContent = method?.summary ?? "";
    controls = (method?.params ?? []).map((param) =>
      paramControl(param, state.labels, state.model?.info, (value) => {
        app.changeParams({ [param.name]: value });
      }),
    );
    params.replaceChildren(...controls.map(({ element }) => element));
  });

  app.store.watch(["methods", "method", "labels", "model", "params"], (state) => {
    for (const { name, show } of controls) show(state.params[state.method]?.[name]);
  });

  app.store.watch(["methods", "method", "params", "speed", "engine"], (state) => {
    const method = current(state);
    cost.textContent = method ? `${capitalised(costText(state, method, state.params[method.name]))}.` : "";
  });

  app.store.watch(["methods", "method", "params", "engine"], (state) => {
    const method = current(state);
    const quick = method && quickParams(method);
    note.hidden = !method || !quick;
    if (!method || !quick) return;
    const set = state.params[state.method] ?? {};
    const slow = state.engine?.device.kind === "cpu";
    const paper = paperParams(method);
    if (isPaper(method, set)) {
      noteText.textContent = t`These are the paper’s settings.${slow ? t` On a processor they take a while.` : ""}`;
      noteButton.textContent = t`Use quick settings`;
      noteButton.onclick = () => void app.explainWith(quick);
      return;
    }
    const differing = method.params.filter(
      ({ name, kind }) => kind !== "classes" && JSON.stringify(set[name]) !== JSON.stringify(paper[name]),
    );
    const values = differing.map(({ name, title }) => `${title.toLowerCase()} ${String(paper[name])}`);
    const times = Math.round(paperCost(method, set));
    noteText.textContent =
      t`${isQuick(method, set) ? t`Quick settings, for a first answer.` : t`Your own settings.`} The paper’s: ${values.join(", ")}` +
      (times > 1 ? t`; up to ${times} times as long.` : ".");
    noteButton.textContent = t`Use the paper’s settings`;
    noteButton.onclick = () => void app.explainWith(paper);
  });

  app.store.watch(["params", "method", "target", "answered", "firstLook", "given", "task"], (state) => {
    const { method, target, answered, firstLook, given, task } = state;
    const question = { method, target, params: state.params[method] ?? {} };
    const changed = !answered || firstLook || !sameQuestion(question, answered);
    explain.classList.toggle("primary", changed && !task);
    explain.disabled = given === null;
  });

  limit.addEventListener("change", () => {
    app.setLimit(limit.value === "" ? null : Number(limit.value));
  });

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void app.explain();
  });

  mountCatalogue(app);
}

const current = ({ methods, method }: State) => methods.find(({ name }) => name === method);

/** Fills a list of methods, by groups; what does not apply to the network cannot be chosen. `without` is left out. */
export function fillMethods(
  select: HTMLSelectElement,
  { methods, model }: Pick<State, "methods" | "model">,
  value: string,
  { first = [], without }: { first?: HTMLOptionElement[]; without?: string } = {},
): void {
  const groups = groupMethods(methods).map(({ title, methods: members }) =>
    make(
      "optgroup",
      { attributes: { label: title } },
      ...members
        .filter(({ name }) => name !== without)
        .map(({ name, title: label }) => {
          const reason = unsuited(model?.info, name);
          const option = make("option", { text: reason ? t`${label} (does not apply)` : label });
          option.value = name;
          option.disabled = reason !== null;
          return option;
        }),
    ),
  );
  select.replaceChildren(...first, ...groups.filter((group) => group.children.length > 0));
  select.value = value;
}

const timeOf = (speed: Speed, { name, cost }: MethodDescription, passes: number): number | null =>
  estimate(speed, { method: name, gradients: cost.backward > 0, passes });

/** "1,000 passes, about 12 s". */
function costText({ speed, engine }: State, method: MethodDescription, params = paperParams(method)): string {
  const count = passes(method, params);
  const time = timeOf(speed, method, count);
  const where = engine?.device.kind === "webgpu" ? "GPU" : "processor";
  const counted = count === 1 ? "1 pass" : t`${whole(count)} passes`;
  return t`${counted} through the network at most${time === null ? "" : t`, ${roughly(time)} on your ${where}`}`;
}

/** Every method with what it needs and costs, and why some do not apply. */
function mountCatalogue(app: App): void {
  const title = find("catalogue-title", HTMLElement);
  const list = find("catalogue-list", HTMLElement);

  app.store.watch(["methods", "model"], ({ methods, model }) => {
    title.textContent = t`All ${methods.length} methods, by what they need and cost`;
    list.replaceChildren(
      ...groupMethods(methods).map((group) =>
        make(
          "section",
          {},
          make("h3", { text: group.title }),
          make("p", { class: "hint", text: group.about }),
          make(
            "ul",
            {},
            ...group.methods.map((method) => entry(app, method, unsuited(model?.info, method.name))),
          ),
        ),
      ),
    );
  });
  app.store.watch(["methods", "model", "method", "speed", "params"], (state) => {
    for (const method of state.methods) {
      const button = list.querySelector<HTMLElement>(`[data-method="${method.name}"]`);
      button?.setAttribute("aria-pressed", String(method.name === state.method));
      const cost = button?.querySelector(".cost");
      if (!cost) continue;
      const count = passes(method, state.params[method.name] ?? paperParams(method));
      const time = timeOf(state.speed, method, count);
      cost.textContent = `${whole(count)} ${count === 1 ? "pass" : "passes"}${time === null ? "" : `, ${roughly(time)}`}`;
    }
  });
}

function entry(app: App, { name, title, paper }: MethodDescription, reason: string | null): HTMLLIElement {
  const id = `catalogue-${name}-reason`;
  const button = make(
    "button",
    {
      class: "entry",
      testid: `catalogue-${name}`,
      // It stays in the order of Tab, so that its reason is read too.
      attributes: {
        type: "button",
        "data-method": name,
        ...(reason ? { "aria-disabled": "true", "aria-describedby": id } : {}),
      },
      onclick: () => {
        if (!reason) void app.chooseMethod(name);
      },
    },
    make("span", { class: "label", text: title }),
    make("span", { class: "cost" }),
    make("small", { text: paper }),
  );
  const note = reason
    ? [
        make("small", {
          class: "reason",
          text: `${capitalised(reason)}.`.replace("..", "."),
          attributes: { id },
        }),
      ]
    : [];
  return make("li", {}, button, ...note);
}

function recalled(): string | null {
  try {
    return localStorage.getItem("settings");
  } catch {
    return null;
  }
}

function remember(state: string): void {
  try {
    localStorage.setItem("settings", state);
  } catch {
    // A browser may refuse to store anything.
  }
}
