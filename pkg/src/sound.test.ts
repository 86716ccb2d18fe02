import assert from "node:assert/strict";
import test from "node:test";

import type { AdversightError } from "./errors.js";
import {
  attackLimit,
  isSound,
  readSound,
  signalToNoise,
  soundData,
  soundFile,
  soundKind,
  soundLevel,
} from "./sound.js";
import {
  pitchAt,
  pitchHeight,
  pitchTicks,
  placeWords,
  soundPlace,
  spectrogram,
  timeTicks,
  timeWeights,
} from "./sound-view.js";

const bytes = (text: string) => Uint8Array.from(text, (letter) => letter.charCodeAt(0));

test("a file is a sound by its first bytes, and pictures in the same container are none", () => {
  for (const [start, kind] of [
    ["RIFF\0\0\0\0WAVEfmt ", "engine"],
    ["fLaC\0", "engine"],
    ["OggS\0\x02" + "\0".repeat(22) + "\x01\x1e\x01vorbis", "engine"],
    ["OggS\0\x02" + "\0".repeat(22) + "\x01\x13OpusHead", "browser"],
    ["ID3\x04\0", "engine"],
    ["\xff\xfb\x90\0", "engine"],
    ["\0\0\0\x20ftypM4A ", "browser"],
    ["\x1a\x45\xdf\xa3", "browser"],
    ["\xff\xf1\x50", "browser"],
    ["\0\0\0\x20ftypavif", null],
    ["\0\0\0\x18ftypheic", null],
    ["\xff\xd8\xff\xe0", null],
    ["RIFF\0\0\0\0WEBPVP8 ", null],
    ["\x89PNG\r\n", null],
  ] as const) {
    assert.equal(soundKind(bytes(start)), kind, JSON.stringify(start));
  }
});

test("files that the engine decodes are sent as they are, and what is no sound is left to others", async () => {
  const wav = await readSound(new Blob([bytes("RIFF\0\0\0\0WAVEfmt ")]));
  assert.ok(wav && "encoded" in wav && wav.encoded.length === 16);
  assert.equal(await readSound(new Blob([bytes("\x89PNG\r\n")])), null);
});

test("samples, channels and an AudioBuffer are the same sound", () => {
  const samples = Float32Array.of(0.5, -0.5);
  const audio = {
    sampleRate: 8000,
    numberOfChannels: 1,
    getChannelData: () => samples,
  } as unknown as AudioBuffer;
  for (const sound of [{ samples, sampleRate: 8000 }, { samples: [samples], sampleRate: 8000 }, audio]) {
    assert.ok(isSound(sound));
    assert.deepEqual(soundData(sound), { channels: [samples], sampleRate: 8000 });
  }
  assert.ok(!isSound({ data: samples, shape: [2] }));
  assert.throws(
    () => soundData({ samples: [1, 2] as unknown as Float32Array[], sampleRate: 8000 }),
    (error: AdversightError) => error.code === "input_invalid",
  );
});

test("a saved sound is a WAV file of 16 bits", async () => {
  const file = soundFile({ channels: [Float32Array.of(0, 0.5, -1, 2)], sampleRate: 16_000 });
  const view = new DataView(await file.arrayBuffer());
  assert.equal(view.byteLength, 52);
  assert.equal(view.getUint32(24, true), 16_000);
  assert.deepEqual(
    [44, 46, 48, 50].map((at) => view.getInt16(at, true)),
    [0, 16_384, -32_768, 32_767],
  );
});

test("a change is told in decibels below the sound", () => {
  const before = { channels: [Float32Array.of(1, -1, 1, -1)], sampleRate: 8000 };
  const after = { channels: [Float32Array.of(1.1, -1, 1, -1)], sampleRate: 8000 };
  assert.ok(Math.abs(signalToNoise(before, after) - 26.02) < 0.01);
  assert.equal(soundLevel(Float32Array.of(3, 4)), Math.sqrt(12.5));
  assert.ok(Math.abs(attackLimit({ data: Float32Array.of(3, 4), shape: [1, 2] }, 20) - 0.5) < 1e-6);
});

test("cells become decibels below the loudest, and axes are those of an ear", () => {
  const cells = { data: Float32Array.of(1, 0.1, 0, 0, 0, 0, 0, 0), shape: [1, 2, 2, 2] };
  const found = spectrogram(cells);
  assert.deepEqual(found.shape, [2, 2]);
  assert.deepEqual(
    [...found.decibels].map((value) => Math.round(value)),
    [0, -20, -80, -80],
  );
  for (const hertz of [0, 100, 1000, 8000])
    assert.ok(Math.abs(pitchAt(pitchHeight(hertz, 16_000), 16_000) - hertz) < 1e-6);
  assert.equal(pitchHeight(8000, 16_000), 1);
  assert.deepEqual(pitchTicks(8000), [100, 250, 500, 1000, 2000, 4000]);
  assert.deepEqual(timeTicks(1).length, 6);
  assert.deepEqual([...timeWeights({ data: Float32Array.of(1, 0, 1, 1), shape: [2, 2] })], [1, 0.5]);
});

test("a place says its time, its pitch and its share", () => {
  const part = (start: number, low: number, score: number) => ({
    name: "part", source: 0, start, end: start + 0.5, bytes: null, low, high: low + 4000, score, special: false, places: [],
  }); // prettier-ignore
  const sound = {
    rate: 16_000,
    length: 16_000,
    view: "cells" as const,
    cells: [257, 126] as [number, number],
    hop: 128,
    window: 512,
  };
  const explanation = { parts: [part(0, 0, 3), part(0.5, 0, 1), part(0, 4000, -1)], sound };
  const place = soundPlace(explanation, 0.25, pitchHeight(1000, 16_000));
  assert.ok(place);
  assert.equal(place.share, 0.75);
  assert.equal(placeWords(place), "0.25 s, 1.0 kHz: 75.0% of what counts");
  assert.equal(soundPlace(explanation, 0.25, 0.999)?.share, -0.25);
  assert.equal(soundPlace({ parts: [] }, 0, 0), null);
});
