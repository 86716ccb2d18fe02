// What the page is at: a sentence, a bar, and a way to stop it.

import type { App } from "../app.js";
import { find } from "../dom.js";
import { seconds } from "../format.js";
import type { State } from "../state.js";

export function mountWork(app: App): void {
  const main = find("app", HTMLElement);
  const status = find("status", HTMLElement);
  const progress = find("progress", HTMLProgressElement);
  const cancel = find("cancel", HTMLButtonElement);

  app.store.watch(["task", "explanation", "answered", "firstLook"], (state) => {
    const { task, answered, firstLook } = state;
    const sentence = task ? `${task.label}…` : resultSentence(state);
    if (status.textContent !== sentence) status.textContent = sentence; // announced once, not at every step
    // For the style, and for tests to wait for.
    main.dataset.state = task ? "busy" : "ready";
    main.dataset.explained = answered && !firstLook ? answered.method : "";

    progress.hidden = cancel.hidden = task === null;
    if (task && task.total > 0) {
      progress.max = task.total;
      progress.value = task.done;
    } else {
      progress.removeAttribute("value");
    }
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

function resultSentence({ explanation, answered, methods, firstLook }: State): string {
  if (!explanation || !answered) return "Not explained yet.";
  const method = methods.find(({ name }) => name === answered.method);
  const { milliseconds, device } = explanation.info;
  const where = device === "cpu" ? "processor" : "GPU";
  const look = firstLook ? "A first look" : "Explained";
  return `${look} by ${method?.title ?? answered.method} in ${seconds(milliseconds)} on your ${where}.`;
}
