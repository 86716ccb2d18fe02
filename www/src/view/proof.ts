// "Is it true?" under the explanation: four tests, of which one is open at a time, with what it costs, how far it is, and a way to end it.

import { t } from "../strings/strings.js";
import type { App } from "../app.js";
import { find, make } from "../dom.js";
import { roughly, whole } from "../format.js";
import type { OwnNetwork } from "../own.js";
import { Attack } from "../proof/attack.js";
import { Bench, proofs, tests, type ProofName } from "../proof/bench.js";
import { Compare } from "../proof/compare.js";
import { Forget } from "../proof/forget.js";
import { Prove } from "../proof/prove.js";
import { mountAttack } from "./proof-attack.js";
import { mountCompare } from "./proof-compare.js";
import { mountForget } from "./proof-forget.js";
import { verdictWords } from "../proof/verdict.js";
import { mountProve, verdictOf } from "./proof-prove.js";

const titles: Record<ProofName, string> = {
  prove: t`Prove it`,
  compare: t`Compare the evidence`,
  attack: t`Attack it`,
  edges: t`Is it just edges?`,
};

export function mountProof(app: App, own: OwnNetwork): void {
  const bench = new Bench(app);
  const prove = new Prove(bench);
  const tabs = find("proof-tabs", HTMLElement);
  const panel = find("proof-panel", HTMLElement);
  const parts: Record<ProofName, HTMLElement> = {
    prove: mountProve(bench, prove),
    compare: mountCompare(bench, new Compare(bench, prove)),
    attack: mountAttack(bench, new Attack(bench)),
    edges: mountForget(bench, new Forget(bench)),
  };
  const buttons = proofs.map((name) =>
    make("button", {
      text: titles[name],
      testid: `proof-${name}`,
      attributes: {
        type: "button",
        "aria-controls": "proof-panel",
        "aria-expanded": "false",
        "data-proof": name,
      },
      onclick: () => {
        const open = bench.state.open === name ? null : name;
        bench.open(open);
        if (open === null) bench.cancel();
        // What was asked for is seen at once, where it fits into the window.
        else panel.scrollIntoView({ block: "nearest" });
      },
    }),
  );
  tabs.append(...buttons);
  const note = make("p", { class: "proof-note", testid: "proof-note", attributes: { role: "status" } });
  const heading = make("h3", { class: "hidden" });
  panel.append(heading, ...Object.values(parts), note);
  mountTask(bench, parts);

  bench.store.watch(["open"], ({ open }) => {
    panel.hidden = open === null;
    heading.textContent = open === null ? "" : titles[open];
    for (const button of buttons) button.setAttribute("aria-expanded", String(button.dataset.proof === open));
    for (const name of proofs) parts[name].hidden = name !== open;
  });
  // What was found stays in sight on its button.
  prove.store.watch(["games"], (state) => {
    const [button] = buttons;
    const verdict = verdictOf(state);
    if (!button) return;
    button.replaceChildren(
      titles.prove,
      ...(verdict
        ? [make("span", { class: "light", text: verdictWords[verdict].toLowerCase(), testid: "prove-light" })]
        : []),
    );
    if (verdict) button.dataset.verdict = verdict;
    else delete button.dataset.verdict;
  });
  app.store.watch(["given"], ({ given }) => {
    for (const button of buttons)
      button.hidden = given !== null && !tests(given, button.dataset.proof as ProofName);
  });
  bench.store.watch(["subject", "running", "task"], ({ subject, running }) => {
    const sentence = subject ? "" : t`There is something to prove as soon as there is an explanation.`;
    if (note.textContent !== sentence) note.textContent = sentence;
    note.hidden = sentence === "";
    panel.dataset.state = running ? "busy" : "ready"; // for tests to wait for
  });
  // The dialog needs the engine.
  own.store.watch(["open"], ({ open }) => {
    if (open) bench.cancel();
  });
  document.addEventListener(
    "keydown",
    (event) => {
      if (event.key !== "Escape" || event.defaultPrevented || document.querySelector("dialog[open]")) return;
      if (!bench.state.running) return;
      event.preventDefault();
      bench.cancel();
    },
    true,
  );
}

/** What a test is at, and its end; it stands where the test was begun. */
function mountTask(bench: Bench, parts: Record<ProofName, HTMLElement>): void {
  const label = make("p", { testid: "proof-status", attributes: { role: "status", id: "proof-status" } });
  const bar = make("progress", {
    testid: "proof-progress",
    attributes: { "aria-labelledby": "proof-status" },
  });
  const cancel = make(
    "button",
    {
      testid: "proof-cancel",
      attributes: { type: "button" },
      onclick: () => {
        bench.cancel();
      },
    },
    "Cancel ",
    make("kbd", { text: "Esc" }),
  );
  const row = make("div", { class: "work proof-work" }, label, bar, cancel);
  bench.store.watch(["running"], ({ running }) => {
    if (running) parts[running].querySelector(".starter")?.append(row);
  });
  bench.store.watch(["task"], ({ task }) => {
    row.hidden = task === null;
    const sentence = task ? `${task.label}…` : "";
    if (label.textContent !== sentence) label.textContent = sentence;
    if (task && task.total > 0) {
      bar.max = task.total;
      bar.value = task.done;
    } else {
      bar.removeAttribute("value");
    }
  });
}

/** The button that begins a test, with what it costs beside it; while the test runs, its progress takes their place. */
export function starter(
  bench: Bench,
  name: ProofName,
  text: string,
  onclick: () => void,
): {
  element: HTMLElement;
  /** Shows what the test costs; null where there is nothing to begin. */
  setCost: (cost: { passes: number; milliseconds: number | null } | null) => void;
} {
  const button = make("button", {
    class: "primary",
    text,
    testid: `${name}-start`,
    attributes: { type: "button", "aria-describedby": `${name}-cost` },
    onclick,
  });
  const cost = make("span", { class: "hint", testid: `${name}-cost`, attributes: { id: `${name}-cost` } });
  const buttons = make("p", { class: "buttons" }, button, cost);
  let offered = false;
  const show = () => {
    const { ready, running } = bench.state;
    buttons.hidden = !offered || running === name;
    button.disabled = !ready || running !== null;
  };
  bench.store.watch(["ready", "running"], show);
  return {
    element: make("div", { class: "starter" }, buttons),
    setCost(found) {
      offered = found !== null;
      cost.textContent = found ? costText(bench, found) : "";
      show();
    },
  };
}

function costText(
  bench: Bench,
  { passes, milliseconds }: { passes: number; milliseconds: number | null },
): string {
  const where = bench.app.state.engine?.device.kind === "webgpu" ? "GPU" : "processor";
  const time = milliseconds === null ? "" : t`, ${roughly(milliseconds)} on your ${where}`;
  return t`${whole(passes)} passes through the network at most${time}.`;
}

/** Boxes to tick, one for each choice, behind a line that says how many are. */
export function tickList(
  testid: string,
  summary: (chosen: number) => string,
  onchange: (chosen: string[]) => void,
): {
  element: HTMLDetailsElement;
  show: (choices: { value: string; label: string; note: string }[], chosen: readonly string[]) => void;
} {
  const title = make("summary");
  const list = make("ul", { class: "ticks" });
  const element = make("details", { class: "tick-list", testid }, title, list);
  const chosen = () =>
    [...list.querySelectorAll("input")].filter((box) => box.checked).map((box) => box.value);
  list.addEventListener("change", () => {
    title.textContent = summary(chosen().length);
    onchange(chosen());
  });
  let made = "";
  return {
    element,
    show(choices, ticked) {
      title.textContent = summary(ticked.length);
      const key = JSON.stringify(choices);
      if (key !== made) {
        made = key;
        list.replaceChildren(
          ...choices.map(({ value, label, note }) => {
            const box = make("input", {
              testid: `${testid}-${value}`,
              attributes: { type: "checkbox", value },
            });
            return make(
              "li",
              {},
              make(
                "label",
                { class: "tick" },
                box,
                make("span", { text: label }),
                make("small", { text: note }),
              ),
            );
          }),
        );
      }
      for (const box of list.querySelectorAll("input")) box.checked = ticked.includes(box.value);
    },
  };
}
