// Texts: what a user writes, and the tokenizers that make numbers of it. These are a WebAssembly file of their own, which is fetched when
// the first model with a tokenizer is loaded.

import type { WasmSource } from "./choice.js";
import { AdversightError, asAdversightError, isFatal } from "./errors.js";
import { unmoved } from "./spawn.js";
import type { TextTokenizer, TokenizerOptions } from "./wasm/adversight_text.js";
import type { Tokens } from "./wasm/adversight.js";

export type { TextTokenizer, TokenizerOptions };

/** A text, or a pair of texts for networks that take two. */
export type TextInput = string | readonly [string, string];

/** The token that is asked about, of a network that gives each a class: its number, from 0 and with what the tokenizer adds, or its word. */
export type TokenChoice = number | string;

/** The form in which a text travels to the engine's side; a file's bytes are read as UTF-8, or are the network's own tokens. */
export type SentText = ({ text: string; pair?: string } | { file: Uint8Array }) & { token?: TokenChoice };

/** The module of the tokenizers (wasm-bindgen, target web), and where its WebAssembly lies. */
export interface TextBuild {
  module: Pick<typeof import("./wasm/adversight_text.js"), "readTokenizer"> & {
    default: (options: { module_or_path: WasmSource }) => Promise<unknown>;
  };
  url: () => URL;
}

/** A tokenizer's file, or null for the tokenizer of bytes, and what the file does not say. */
export interface SentTokenizer {
  file: Uint8Array | null;
  options?: TokenizerOptions;
}

const fetched = new WeakMap<TextBuild, Promise<unknown>>();

/** Reads a tokenizer; the first call fetches the WebAssembly. */
export async function tokenizerOf(
  build: TextBuild | undefined,
  { file, options }: SentTokenizer,
  moved?: WasmSource,
): Promise<TextTokenizer> {
  if (!build)
    throw new AdversightError("engine_failed", "This entry of the package has no tokenizers for texts.");
  const place = moved ?? unmoved(build.url());
  const loading = fetched.get(build) ?? build.module.default({ module_or_path: place });
  fetched.set(build, loading);
  try {
    await loading;
  } catch (cause) {
    fetched.delete(build); // it may come another time
    if (isFatal(cause)) throw cause;
    const where = place instanceof URL || typeof place === "string" ? ` from ${String(place)}` : "";
    throw new AdversightError(
      "engine_failed",
      `The tokenizers for texts could not be loaded${where} (${asAdversightError(cause).message}).`,
      { cause },
    );
  }
  return build.module.readTokenizer(file ?? undefined, options ?? null);
}

/** Whether a value is a text, or a pair of texts. */
export function isText(source: unknown): source is TextInput {
  if (typeof source === "string") return true;
  return (
    Array.isArray(source) && source.length === 2 && source.every((text: unknown) => typeof text === "string")
  );
}

/** A text ready to be sent. */
export function sentText(source: TextInput): SentText {
  return typeof source === "string" ? { text: source } : { text: source[0], pair: source[1] };
}

/** Whether what was sent is a text. */
export function isSentText(input: object | null): input is SentText {
  return input !== null && ("text" in input || "file" in input);
}

/** A text that was sent, as a network's tokens. */
export function tokensOf(tokenizer: TextTokenizer | undefined, input: SentText): Tokens {
  if (!tokenizer) {
    throw new AdversightError(
      "input_invalid",
      "A text was given, and the model was loaded without what makes tokens of it: load it with a tokenizer (`tokenizer`).",
    );
  }
  const tokens =
    "file" in input ? tokenizer.encodeBytes(input.file) : tokenizer.encode(input.text, input.pair);
  return input.token === undefined ? tokens : { ...tokens, token: input.token };
}
