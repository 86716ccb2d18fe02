// What the page is at: a sentence, a bar, and a way to stop it.

import { t } from "../strings/strings.js";
import type { App } from "../app.js";
import { find } from "../dom.js";
import { midSentence, seconds } from "../format.js";
import { isQuick, paperParams, sameParams } from "../settings.js";
import type { State } from "../state.js";

export function mountWork(app: App): void {
  const main = find("app", HTMLElement);
  const status = find("status", HTMLElement);
  const progress = find("progress", HTMLProgressElement);
  const paper = find("paper-now", HTMLButtonElement);
  const cancel = find("cancel", HTMLButtonElement);

  app.store.watch(["task", "explanation", "answered", "firstLook", "method", "params"], (state) => {
    const { task, answered, firstLook } = state;
    const sentence = task ? `${task.label}…` : resultSentence(state);
    if (status.textContent !== sentence) status.textContent = sentence; // announced once, not at every step
    // For the style, and for tests to wait for.
    main.dataset.state = task ? "busy" : "ready";
    main.dataset.explained = answered && !firstLook ? answered.method : "";

    progress.hidden = cancel.hidden = task === null;
    paper.hidden =
      task !== null || !madeQuickly(state) || state.method !== answered?.method || !stillPosed(state);
    if (task && task.total > 0) {
      progress.max = task.total;
      progress.value = task.done;
    } else {
      progress.removeAttribute("value");
    }
  });

  paper.addEventListener("click", () => {
    const method = app.state.methods.find(({ name }) => name === app.state.method);
    if (method) void app.explainWith(paperParams(method));
  });
  cancel.addEventListener("click", () => {
    app.cancel();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || event.defaultPrevented || document.querySelector("dialog[open]")) return;
    if (app.state.task) app.cancel();
    else app.report(null);
  });
}

/** Whether what is shown was made with quick settings. */
function madeQuickly({ answered, methods, firstLook }: State): boolean {
  const method = methods.find(({ name }) => name === answered?.method);
  return !firstLook && !!answered && !!method && isQuick(method, answered.params);
}

/** Whether the controls still show the settings of what is shown. */
function stillPosed({ answered, method, params }: State): boolean {
  return answered !== null && sameParams(answered.params, params[method] ?? {});
}

function resultSentence(state: State): string {
  const { explanation, answered, methods, firstLook } = state;
  if (!explanation || !answered) return t`Not explained yet.`;
  const method = methods.find(({ name }) => name === answered.method);
  const { milliseconds, device } = explanation.info;
  const where = device === "cpu" ? "processor" : "GPU";
  const look = firstLook ? t`A first look` : t`Explained`;
  const name = method ? midSentence(method.title) : answered.method;
  const how = madeQuickly(state) ? t`, with quick settings,` : "";
  return t`${look} by ${name}${how} in ${seconds(milliseconds)} on your ${where}.`;
}
