// The method and its settings, both made from the engine's registry.

import type { App } from "../app.js";
import { fill, find } from "../dom.js";
import { isPaper, isQuick, paperCost, paperParams, quickParams, sameQuestion } from "../settings.js";
import type { State } from "../state.js";
import { paramControl, type Control } from "./params.js";

export function mountMethod(app: App): void {
  const form = find("method-form", HTMLFormElement);
  const select = find("method", HTMLSelectElement);
  const summary = find("method-summary", HTMLElement);
  const params = find("params", HTMLElement);
  const note = find("quick", HTMLElement);
  const noteText = find("quick-text", HTMLElement);
  const noteButton = find("defaults", HTMLButtonElement);
  const explain = find("explain", HTMLButtonElement);
  let controls: Control[] = [];

  app.store.watch(["methods"], ({ methods, method }) => {
    fill(
      select,
      methods.map(({ name, title }) => ({ value: name, label: title })),
      method,
    );
    select.disabled = methods.length === 0;
  });
  select.addEventListener("change", () => void app.chooseMethod(select.value));

  app.store.watch(["methods", "method", "labels"], (state) => {
    select.value = state.method;
    const method = current(state);
    summary.textContent = method?.summary ?? "";
    controls = (method?.params ?? []).map((param) =>
      paramControl(param, state.labels, (value) => {
        app.changeParams({ [param.name]: value });
      }),
    );
    params.replaceChildren(...controls.map(({ element }) => element));
  });

  app.store.watch(["methods", "method", "labels", "params"], (state) => {
    for (const { name, show } of controls) show(state.params[state.method]?.[name]);
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
      noteText.textContent = `These are the paper’s settings.${slow ? " On a processor they take a while." : ""}`;
      noteButton.textContent = "Use quick settings";
      noteButton.onclick = () => void app.explainWith(quick);
      return;
    }
    const differing = method.params.filter(
      ({ name, kind }) => kind !== "classes" && JSON.stringify(set[name]) !== JSON.stringify(paper[name]),
    );
    const values = differing.map(({ name, title }) => `${title.toLowerCase()} ${String(paper[name])}`);
    const cost = Math.round(paperCost(method, set));
    noteText.textContent =
      `${isQuick(method, set) ? "Quick settings, for a first answer." : "Your own settings."} The paper’s: ${values.join(", ")}` +
      (cost > 1 ? `; up to ${cost} times as long.` : ".");
    noteButton.textContent = "Use the paper’s settings";
    noteButton.onclick = () => void app.explainWith(paper);
  });

  app.store.watch(["params", "method", "target", "answered", "firstLook", "photo", "task"], (state) => {
    const { method, target, answered, firstLook, photo, task } = state;
    const question = { method, target, params: state.params[method] ?? {} };
    const changed = !answered || firstLook || !sameQuestion(question, answered);
    explain.classList.toggle("primary", changed && !task);
    explain.disabled = photo === null;
  });

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void app.explain();
  });
}

const current = ({ methods, method }: State) => methods.find(({ name }) => name === method);
