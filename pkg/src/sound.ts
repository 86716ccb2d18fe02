// Sounds: what a user has of one, made ready for the engine, and what comes back as a file or as numbers.

import { AdversightError } from "./errors.js";
import type { ModelInfo, SoundData, TensorData } from "./wasm/adversight.js";

/** Samples from -1 to 1, of one channel or of several. */
export interface Samples {
  samples: Float32Array | Float32Array[];
  sampleRate: number;
}

/** A sound that is decoded. Files (Blobs) are taken too, wherever an input is. */
export type SoundInput = AudioBuffer | Samples | SoundData;

/** The file of a sound, to be decoded where the engine is. */
export interface EncodedSound {
  encoded: Uint8Array;
}

/** The longest sound that is accepted, in seconds; the engine has the same limit. */
export const maxSeconds = 600;

/** Whether a network takes sounds: with a front end, or as samples. */
export const takesSound = ({ sound, layout }: Pick<ModelInfo, "sound" | "layout">): boolean =>
  sound !== undefined || layout === "sound";

/** Whether an input is a sound that is decoded already. */
export function isSound(source: object): source is SoundInput {
  return (
    "sampleRate" in source && ("samples" in source || "channels" in source || "getChannelData" in source)
  );
}

/** A sound as the engine takes it. Nothing is copied: the samples are the caller's. */
export function soundData(source: SoundInput): SoundData {
  const { sampleRate } = source;
  if ("getChannelData" in source) {
    const channels = Array.from({ length: source.numberOfChannels }, (_, channel) =>
      source.getChannelData(channel),
    );
    return { channels, sampleRate };
  }
  const given = "channels" in source ? source.channels : source.samples;
  const channels = Array.isArray(given) ? given : [given];
  if (!channels.every((channel) => channel instanceof Float32Array)) {
    throw new AdversightError(
      "input_invalid",
      "The samples of a sound are a Float32Array, or one for each channel, with numbers from -1 to 1.",
    );
  }
  return { channels, sampleRate };
}

/** What the engine decodes by itself, so that the samples are the same in every browser and on the command line. */
const decoded: readonly ((bytes: Uint8Array) => boolean)[] = [
  (bytes) => text(bytes, 0, 4) === "RIFF" && text(bytes, 8, 12) === "WAVE",
  (bytes) => text(bytes, 0, 4) === "fLaC",
  (bytes) => text(bytes, 0, 4) === "OggS" && !text(bytes, 0, 64).includes("OpusHead"),
  (bytes) => text(bytes, 0, 3) === "ID3",
  (bytes) => bytes[0] === 0xff && ((bytes[1] ?? 0) & 0xe6) === 0xe2,
];

/** What only the browser decodes, at a rate of its own. */
const browsers: readonly ((bytes: Uint8Array) => boolean)[] = [
  (bytes) =>
    text(bytes, 4, 8) === "ftyp" &&
    !/^(avi[fs]|mif1|msf1|hei[cfmsx]|hev[cmsx]|crx )/.test(text(bytes, 8, 12)),
  (bytes) => bytes[0] === 0x1a && bytes[1] === 0x45 && bytes[2] === 0xdf && bytes[3] === 0xa3,
  (bytes) => text(bytes, 0, 4) === "OggS",
  (bytes) => text(bytes, 0, 4) === "FORM" && text(bytes, 8, 11) === "AIF",
  (bytes) => bytes[0] === 0xff && ((bytes[1] ?? 0) & 0xf6) === 0xf0,
];

const text = (bytes: Uint8Array, start: number, end: number) =>
  String.fromCharCode(...bytes.subarray(start, end));

/** What a file is by its first bytes: a sound that the engine decodes, one that only the browser does, or no sound. */
export function soundKind(start: Uint8Array): "engine" | "browser" | null {
  if (decoded.some((is) => is(start))) return "engine";
  return browsers.some((is) => is(start)) ? "browser" : null;
}

/**
 * The file of a sound, ready to be sent, or null where it is none (and need not be one). MP4, WebM and Opus are decoded here, by the browser, whose samples may
 * differ a little from another one's.
 */
export async function readSound(file: Blob, expected = false): Promise<EncodedSound | SoundData | null> {
  const start = new Uint8Array(await file.slice(0, 64).arrayBuffer());
  const kind = soundKind(start) ?? (expected || file.type.startsWith("audio/") ? "engine" : null);
  if (kind === null) return null;
  const bytes = await file.arrayBuffer();
  if (kind === "engine") return { encoded: new Uint8Array(bytes) };
  try {
    // The rate is that of recordings: what a network takes is made of it by the engine, the same for all.
    const context = new OfflineAudioContext({ length: 1, sampleRate: 48_000 });
    return soundData(await context.decodeAudioData(bytes));
  } catch (cause) {
    throw new AdversightError(
      "input_invalid",
      "This browser finds no sound in the file: it is a video without sound, damaged, or of a kind that it does not know. Convert it to " +
        "WAV, FLAC, MP3 or Ogg Vorbis (ffmpeg -i FILE -vn sound.wav).",
      { cause },
    );
  }
}

/** The sound as a WAV file of 16 bits, to be saved. What is louder than 1 is cut off. */
export function soundFile({ channels, sampleRate }: SoundData): Blob {
  const length = channels[0]?.length ?? 0;
  const block = channels.length * 2;
  const view = new DataView(new ArrayBuffer(44 + length * block));
  const write = (at: number, letters: string) => {
    for (let i = 0; i < letters.length; i++) view.setUint8(at + i, letters.charCodeAt(i));
  };
  write(0, "RIFF");
  view.setUint32(4, 36 + length * block, true);
  write(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true); // numbers without compression
  view.setUint16(22, channels.length, true);
  view.setUint32(24, sampleRate, true);
  view.setUint32(28, sampleRate * block, true);
  view.setUint16(32, block, true);
  view.setUint16(34, 16, true);
  write(36, "data");
  view.setUint32(40, length * block, true);
  channels.forEach((channel, index) => {
    channel.forEach((value, at) => {
      const whole = Math.max(-32_768, Math.min(32_767, Math.round(value * 32_768)));
      view.setInt16(44 + at * block + index * 2, whole, true);
    });
  });
  return new Blob([view.buffer], { type: "audio/wav" });
}

/** How loud samples are: the root of their mean square. */
export function soundLevel(samples: Float32Array): number {
  let sum = 0;
  for (const value of samples) sum += value * value;
  return Math.sqrt(sum / Math.max(1, samples.length));
}

/** How far a change lies below a sound, in decibels; both are of one channel and as long as each other. */
export function signalToNoise(before: SoundData, after: SoundData): number {
  const [from, to] = [before.channels[0] ?? new Float32Array(), after.channels[0] ?? new Float32Array()];
  return 20 * Math.log10(soundLevel(from) / soundLevel(to.map((value, at) => value - (from[at] ?? 0))));
}

/**
 * The largest change in all (`epsilon`, with the norm "l2") of an attack that is to stay so many decibels below the sound, whose tensor
 * `Model.prepare` gives. What of a change of cells is that of no sound vanishes, so that it stays below by that or more.
 */
export function attackLimit({ data }: TensorData, decibels: number): number {
  let sum = 0;
  for (const value of data) sum += value * value;
  return Math.sqrt(sum) * 10 ** (-decibels / 20);
}

export interface RecordOptions {
  /** Seconds at most (10). */
  seconds?: number;
  /** Ends the recording; what was recorded is given. */
  signal?: AbortSignal | undefined;
  /** Called some twenty times a second with how loud it is (0 to 1) and the seconds so far. */
  onLevel?: ((level: number, seconds: number) => void) | undefined;
}

/** Records from the microphone. Rejects with "input_invalid" and what to do where it is refused, or where there is none. */
export async function recordSound({ seconds = 10, signal, onLevel }: RecordOptions = {}): Promise<SoundData> {
  const stream = await microphone();
  const context = new AudioContext();
  try {
    const parts: Float32Array[] = [];
    let count = 0;
    const source = context.createMediaStreamSource(stream);
    const worklet = `registerProcessor("adversight-recorder", class extends AudioWorkletProcessor {
      process([input]) { if (input[0]) this.port.postMessage(input[0].slice()); return true; }
    });`;
    const address = URL.createObjectURL(new Blob([worklet], { type: "text/javascript" }));
    await context.audioWorklet.addModule(address).finally(() => {
      URL.revokeObjectURL(address);
    });
    const recorder = new AudioWorkletNode(context, "adversight-recorder", { numberOfOutputs: 0 });
    await new Promise<void>((resolve) => {
      let told = 0;
      recorder.port.onmessage = ({ data }: MessageEvent<Float32Array>) => {
        parts.push(data);
        count += data.length;
        if (onLevel && count - told >= context.sampleRate / 20) {
          told = count;
          onLevel(Math.min(1, 3 * soundLevel(data)), count / context.sampleRate);
        }
        if (count >= Math.min(seconds, maxSeconds) * context.sampleRate) resolve();
      };
      signal?.addEventListener("abort", () => {
        resolve();
      });
      if (signal?.aborted) resolve();
      source.connect(recorder);
    });
    const samples = new Float32Array(count);
    let at = 0;
    for (const part of parts) {
      samples.set(part, at);
      at += part.length;
    }
    if (count < 2) throw new AdversightError("input_invalid", "Nothing was recorded: speak before you stop.");
    return { channels: [samples], sampleRate: context.sampleRate };
  } finally {
    for (const track of stream.getTracks()) track.stop();
    await context.close();
  }
}

async function microphone(): Promise<MediaStream> {
  const devices = globalThis.navigator.mediaDevices as MediaDevices | undefined;
  if (!devices) {
    throw new AdversightError(
      "input_invalid",
      "This page may not use a microphone: browsers allow it on pages by https alone. Record elsewhere and choose the file.",
    );
  }
  try {
    return await devices.getUserMedia({
      audio: { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false },
    });
  } catch (cause) {
    const name = cause instanceof DOMException ? cause.name : "";
    const why =
      name === "NotAllowedError"
        ? "The microphone was refused. Allow it in the browser's address bar, or choose a file; nothing that is recorded leaves this page."
        : name === "NotFoundError"
          ? "There is no microphone. Connect one, or choose a file."
          : "The microphone cannot be used: another program may have it. Close that, or choose a file.";
    throw new AdversightError("input_invalid", why, { cause });
  }
}
