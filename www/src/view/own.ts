// The dialogue of a network of the user's own: its files, what is in them, how pictures are prepared for it, and what comes of that.

import { t } from "../strings/strings.js";
import type { App } from "../app.js";
import { find, make } from "../dom.js";
import { sortFiles } from "../files.js";
import { whole } from "../format.js";
import type { Draft, OwnNetwork } from "../own.js";
import { otherKind } from "../report.js";
import { assumptions } from "../told.js";
import { mountOwnForm } from "./own-form.js";
import { mountOwnPreview } from "./own-preview.js";
import { reportView } from "./own-report.js";

export function mountOwn(app: App, own: OwnNetwork): void {
  const dialog = find("own-dialog", HTMLDialogElement);
  const input = find("own-files", HTMLInputElement);
  const settings = find("own-settings", HTMLButtonElement);
  const accept = find("own-accept", HTMLButtonElement);
  const retry = find("own-retry", HTMLButtonElement);
  const problem = find("own-problem", HTMLElement);

  const choose = () => {
    input.click();
  };
  find("own", HTMLButtonElement).addEventListener("click", choose);
  find("own-add", HTMLButtonElement).addEventListener("click", choose);
  input.addEventListener("change", () => {
    const files = [...(input.files ?? [])];
    input.value = ""; // the same files may be chosen again
    if (files.length > 0) void sortFiles(files).then((sorted) => own.take(sorted));
  });
  const masker = find("own-masker", HTMLInputElement);
  find("own-add-masker", HTMLButtonElement).addEventListener("click", () => {
    masker.click();
  });
  masker.addEventListener("change", () => {
    const [file] = masker.files ?? [];
    masker.value = "";
    if (file) void own.takeMasker(file);
  });
  settings.addEventListener("click", () => {
    if (app.state.network) void own.reopen(app.state.network);
  });
  app.store.watch(["network", "model"], ({ network }) => {
    settings.hidden = !own.knows(network);
  });

  accept.addEventListener("click", () => void own.accept());
  retry.addEventListener("click", () => void own.retry());
  find("own-cancel", HTMLButtonElement).addEventListener("click", () => {
    dialog.close();
  });
  dialog.addEventListener("close", () => void own.cancel());

  own.store.watch(["open", "onnx"], ({ open, onnx }) => {
    find("own-title", HTMLElement).textContent = onnx?.name ?? t`A network of your own`;
    if (open && !dialog.open) {
      dialog.showModal();
      dialog.scrollTop = 0;
    } else if (!open && dialog.open) {
      dialog.close();
    }
  });
  own.store.watch(["busy", "model", "problem", "report", "preview"], (draft) => {
    dialog.dataset.state = draft.busy ? "busy" : draft.model ? "ready" : "stopped"; // for tests to wait for
    const line = find("own-status", HTMLElement);
    if (line.textContent !== status(draft)) line.textContent = status(draft);
    line.classList.toggle("doubt", doubtful(draft));
    accept.textContent = doubtful(draft) ? t`Use it all the same` : t`Use this network`;
    accept.disabled = draft.model === null;
  });
  const notes = find("own-notes", HTMLElement);
  own.store.watch(["model"], ({ model }) => {
    const all = model ? assumptions(model.info) : [];
    notes.hidden = all.length === 0;
    find("own-notes-list", HTMLUListElement).replaceChildren(...all.map((text) => make("li", { text })));
  });
  own.store.watch(["problem", "report"], ({ problem: found, report }) => {
    const stopped = report !== null && report.problems.length > 0;
    problem.hidden = !found && !stopped;
    retry.hidden = found?.remedy !== "restart"; // trying again mends no file
    problem.replaceChildren();
    if (found) {
      problem.append(make("strong", { text: found.title }), ` ${found.message}`);
      if (found.snippet !== undefined) problem.append(...snippetView(found.snippet));
    } else if (stopped) {
      const kind = otherKind(report);
      const what = kind
        ? t`This is a network of ${kind}, and it cannot run here yet.`
        : t`This network cannot run here yet.`;
      problem.append(make("strong", { text: what }));
      problem.append(make("ul", {}, ...report.problems.map((text) => make("li", { text }))));
    }
  });
  own.store.watch(["report", "bytesPerSample"], ({ report, bytesPerSample }) => {
    find("own-report", HTMLElement).replaceChildren(...(report ? reportView(report, bytesPerSample) : []));
  });
  own.store.watch(["onnx", "companions", "names", "refused", "report", "output", "model"], (draft) => {
    find("own-list", HTMLElement).replaceChildren(...fileRows(own, draft));
  });
  mountOwnForm(own);
  mountOwnPreview(own);
}

/** Lines of code with a button that copies them. */
function snippetView(snippet: string): HTMLElement[] {
  const code = make("pre", {
    testid: "own-snippet",
    attributes: { tabindex: "0", "aria-label": t`Lines for the npm package` },
  });
  code.append(make("code", { text: snippet }));
  const copy = make("button", {
    class: "small",
    text: t`Copy the lines`,
    testid: "own-copy",
    attributes: { type: "button" },
    onclick: () => {
      void navigator.clipboard.writeText(snippet).then(
        () => {
          copy.textContent = t`Copied`;
        },
        () => {
          getSelection()?.selectAllChildren(code);
        },
      );
    },
  });
  return [code, make("p", { class: "buttons" }, copy)];
}

const doubtful = ({ busy, model, preview }: Draft) =>
  busy === null && model !== null && preview !== null && preview.doubt !== null;

function status(draft: Draft): string {
  const { busy, model, problem, report } = draft;
  if (busy) return `${busy}…`;
  if (doubtful(draft)) return t`Its answers look like noise. ${draft.preview?.doubt ?? ""}`;
  if (model) return t`Ready to be used.`;
  return problem || report?.problems.length ? t`The network in use stays as it is.` : "";
}

/** Each file with what it is taken for. */
function fileRows(own: OwnNetwork, draft: Draft): HTMLElement[] {
  const { onnx, companions, names, refused, report } = draft;
  const row = (file: string, role: string, warn = false) =>
    make("li", { class: warn ? "warn" : "" }, make("span", { text: file }), make("small", { text: role }));
  const rows = onnx ? [row(onnx.name, t`the network`)] : [];
  const { preprocessing, labels, weights, masker } = companions;
  if (preprocessing) rows.push(row(preprocessing.file, t`how pictures are prepared`));
  if (labels) {
    const refusal = names && "refusal" in names ? names.refusal : null;
    const fitting =
      names && "list" in names ? t`${whole(names.list.length)} names of classes` : t`names of classes`;
    rows.push(row(labels.file, refusal === null ? fitting : t`not used. ${refusal}`, refusal !== null));
  }
  if (masker) {
    const remove = make("button", {
      class: "quiet",
      text: t`Remove`,
      testid: "own-masker-remove",
      attributes: { type: "button" },
      onclick: () => void own.takeMasker(null),
    });
    const entry = row(masker.name, t`the masker, for RT-Sal`);
    entry.append(remove);
    rows.push(entry);
  }
  for (const { name } of weights) rows.push(row(name, "weights"));
  for (const name of report ? own.missing(report) : []) rows.push(row(name, t`weights: still missing`, true));
  for (const { file, reason } of refused) rows.push(row(file, t`not used. ${reason}`, true));
  if (!report || report.problems.length > 0 || otherKind(report)) return rows;
  if (!preprocessing)
    rows.push(row("preprocessor_config.json", t`not given: choose below how pictures are prepared`));
  if (!labels) rows.push(row(t`labels (.txt or .json)`, t`not given: classes go by their numbers`));
  return rows;
}
