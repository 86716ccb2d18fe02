// What went wrong and what to do about it. The photograph and the results before it stay as they are.

import { t } from "../strings/strings.js";
import type { Remedy } from "../advice.js";
import type { App } from "../app.js";
import { find, make } from "../dom.js";

const buttons: Record<Remedy, string> = { restart: t`Start the engine again`, retry: t`Try again` };

export function mountBanner(app: App): void {
  const banner = find("banner", HTMLElement);
  app.store.watch(["problem"], ({ problem }) => {
    banner.hidden = problem === null;
    banner.replaceChildren();
    if (!problem) return;
    const { title, message, remedy } = problem;
    banner.append(
      make(
        "p",
        {},
        make("strong", { text: title, testid: "banner-title" }),
        " ",
        make("span", { text: message, testid: "banner-message" }),
      ),
    );
    if (remedy) {
      const onclick = () => void app.retry();
      banner.append(
        make("button", {
          text: buttons[remedy],
          testid: "banner-action",
          attributes: { type: "button" },
          onclick,
        }),
      );
    }
    const dismiss = () => {
      app.report(null);
    };
    banner.append(
      make("button", {
        class: "quiet",
        text: t`Dismiss`,
        testid: "banner-dismiss",
        attributes: { type: "button" },
        onclick: dismiss,
      }),
    );
  });
}
