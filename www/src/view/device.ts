// The device in use, why it is that one, and a switch.

import { t } from "../strings/strings.js";
import type { DeviceChoice } from "adversight";
import type { App } from "../app.js";
import { find, segments } from "../dom.js";
import { capitalised } from "../format.js";

const choices: { value: DeviceChoice; label: string }[] = [
  { value: "auto", label: t`Automatic` },
  { value: "webgpu", label: "GPU" },
  { value: "cpu", label: t`Processor` },
];

export function mountDevice(app: App): void {
  const kind = find("device-kind", HTMLElement);
  const reason = find("device-reason", HTMLElement);
  const check = segments(find("device", HTMLElement), "device", choices, (value) => {
    void app.chooseDevice(value as DeviceChoice);
  });
  app.store.watch(["deviceChoice"], ({ deviceChoice }) => {
    check(deviceChoice);
  });
  app.store.watch(["engine"], ({ engine }) => {
    if (!engine) return;
    const { device } = engine;
    kind.textContent = device.kind === "webgpu" ? t`Your GPU (${device.name}).` : t`Your processor.`;
    kind.dataset.kind = device.kind;
    reason.textContent = capitalised(device.reason);
  });
}
