// A word from the microphone, which is on only while its dialogue is open.

import { t } from "../strings/strings.js";
import { soundFile } from "adversight";
import { microphoneProblem } from "../advice.js";
import type { App } from "../app.js";
import { find } from "../dom.js";
import { loudest } from "../recording.js";

/** How long is recorded at most, in milliseconds. */
const longest = 4000;

export function mountMicrophone(app: App): void {
  const open = find("microphone", HTMLButtonElement);
  const dialog = find("microphone-dialog", HTMLDialogElement);
  const level = find("microphone-level", HTMLMeterElement);
  const done = find("microphone-done", HTMLButtonElement);
  let end: () => void = () => undefined;

  // There is none where the page is not served securely.
  open.hidden = !("mediaDevices" in navigator) || typeof MediaRecorder === "undefined";

  const record = async () => {
    done.disabled = true;
    level.value = 0;
    dialog.showModal();
    let stream: MediaStream | null = null;
    const context = new AudioContext();
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio: true });
      if (!dialog.open) return;
      const parts: Blob[] = [];
      const recorder = new MediaRecorder(stream);
      recorder.addEventListener("dataavailable", ({ data }) => parts.push(data));
      const meter = context.createAnalyser();
      context.createMediaStreamSource(stream).connect(meter);
      const samples = new Float32Array(meter.fftSize);
      const timer = setInterval(() => {
        meter.getFloatTimeDomainData(samples);
        level.value = samples.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      }, 50);
      done.disabled = false;
      await new Promise<void>((resolve) => {
        recorder.addEventListener("stop", () => {
          resolve();
        });
        end = () => {
          if (recorder.state !== "inactive") recorder.stop();
        };
        recorder.start();
        setTimeout(end, longest);
      });
      clearInterval(timer);
      if (!done.matches("dialog[open] *")) return; // closed without the button
      dialog.close();
      const { channels, rate } = await decoded(context, new Blob(parts, { type: recorder.mimeType }));
      const { explanation } = app.state;
      const seconds = explanation?.sound ? explanation.sound.length / explanation.sound.rate : 1;
      const word = loudest(channels, Math.round(seconds * rate));
      await app.chooseFile(
        "audio",
        soundFile({ channels: [word], sampleRate: rate }),
        t`From the microphone`,
      );
    } catch (error) {
      if (dialog.open) dialog.close();
      app.report(microphoneProblem(error));
    } finally {
      for (const track of stream?.getTracks() ?? []) track.stop();
      void context.close();
    }
  };

  open.addEventListener("click", () => void record());
  done.addEventListener("click", () => {
    end();
  });
  find("microphone-close", HTMLButtonElement).addEventListener("click", () => {
    dialog.close();
  });
  dialog.addEventListener("close", () => {
    end();
  });
}

async function decoded(
  context: AudioContext,
  recording: Blob,
): Promise<{ channels: Float32Array; rate: number }> {
  const buffer = await context.decodeAudioData(await recording.arrayBuffer());
  return { channels: buffer.getChannelData(0), rate: buffer.sampleRate };
}
