// In the header: what this browser keeps of the page, so that it works without a network, and how to be rid of it.

import { t } from "../strings/strings.js";
import type { App } from "../app.js";
import { find } from "../dom.js";
import { bytes, percent } from "../format.js";
import { Offline, type OfflineState } from "../offline/offline.js";
import type { Wanted } from "../offline/files.js";
import type { State } from "../state.js";

export function mountKept(app: App): void {
  const offline = new Offline();
  const title = find("kept-title", HTMLElement);
  const line = find("kept", HTMLElement);
  const forget = find("forget", HTMLButtonElement);
  const keep = find("keep", HTMLButtonElement);
  let begun = !import.meta.env.PROD; // while the page is worked on, it is not kept

  offline.store.watch(["ready", "keeping", "page", "networks", "problem"], (state) => {
    const all = state.page + state.networks;
    title.textContent = state.keeping
      ? t`Keeping ${percent(state.keeping.total > 0 ? state.keeping.done / state.keeping.total : 0)}`
      : state.ready
        ? t`Works offline: ${bytes(all)}`
        : all > 0
          ? t`Kept: ${bytes(all)}`
          : t`Nothing kept`;
    line.textContent = sentence(state);
    forget.hidden = all === 0;
    keep.hidden = state.ready || state.keeping !== null || !("serviceWorker" in navigator);
  });
  // What is fetched for another day comes after what is wanted now.
  app.store.watch(["explanation", "firstLook"], (state) => {
    if (begun || !state.explanation || state.firstLook) return;
    begun = true;
    void offline.begin(wanted(state));
  });
  app.store.watch(["model"], () => void offline.look());
  keep.addEventListener("click", () => void offline.keep(wanted(app.state)));
  forget.addEventListener("click", () => void offline.clear());
}

/** The engine's build in use, and of each kind the network that it starts with. */
function wanted({ engine, networks }: State): Wanted {
  const { kind, threads = 1 } = engine?.device ?? { kind: "cpu" };
  const firsts = networks.filter(
    (network, at) => !network.own && networks.findIndex((other) => other.kind === network.kind) === at,
  );
  return {
    engines: [kind === "webgpu" ? "adversight" : threads > 1 ? "adversight_cpu_threads" : "adversight_cpu"],
    networks: firsts.map(({ kind: of, name }) => `models/${of === "image" ? name : `${name}/model`}.onnx`),
  };
}

function sentence({ page, networks, ready, problem }: OfflineState): string {
  if (problem !== null) return t`The page could not be kept: ${problem}`;
  const parts = [
    ...(page > 0 ? [t`${bytes(page)} of the page`] : []),
    ...(networks > 0 ? [t`${bytes(networks)} of networks`] : []),
  ];
  if (parts.length === 0) return t`Nothing is kept in this browser.`;
  const why = ready ? t`so that it works without a network` : t`so that it need not be fetched again`;
  return t`Kept in this browser, ${why}: ${parts.join(" and ")}, and nothing of yours.`;
}
