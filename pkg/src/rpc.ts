// Calls to the engine over a message port.
//
// Not comlink: a call must be rejected when the worker dies under it, must be cancellable while it runs, must
// report progress without leaking a port for each callback, and must run after the call before it has ended. Of these
// comlink has none, and the whole of it is shorter than the wrappers would be.
//
//   caller -> engine   { call, name, args } | { cancel }
//   engine -> caller   { here } | { progress } | { partial } | { done } | { failed } | { dead } | { event }

import { AdversightError, engineFailure, fromRecord, isFatal, toRecord, type ErrorRecord } from "./errors.js";
import type { PartialExplanation, Progress } from "./wasm/adversight.js";

/** The part of Worker, MessagePort and DedicatedWorkerGlobalScope that is used here. */
export interface Endpoint {
  postMessage(message: unknown, transfer: Transferable[]): void;
  addEventListener(type: "message", listener: (event: MessageEvent) => void): void;
  start?(): void;
}

type ToEngine =
  | { kind: "call"; id: number; name: string; args: unknown; partials: boolean }
  | { kind: "cancel"; id: number };

type FromEngine =
  /** The first answer of all: somebody listens. */
  | { kind: "here" }
  | { kind: "event"; event: unknown }
  | { kind: "progress"; id: number; progress: Progress }
  | { kind: "partial"; id: number; partial: PartialExplanation }
  | { kind: "done"; id: number; value: unknown }
  | { kind: "failed"; id: number; error: ErrorRecord }
  | { kind: "dead"; error: ErrorRecord };

/** What a handler gets to talk back while it runs. */
export interface Hooks {
  onProgress: (progress: Progress) => void;
  /** Where the caller wants to see maps of a method that is still at work; `transfer` as in a reply. */
  onPartial: ((partial: PartialExplanation, transfer?: Transferable[]) => void) | undefined;
  isCancelled: () => boolean;
}

/** A handler's result, with the buffers in it that are handed over instead of copied. */
export interface Reply<T> {
  value: T;
  transfer?: Transferable[];
}

export interface CallOptions {
  transfer?: Transferable[];
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: Progress) => void) | undefined;
  onPartial?: ((partial: PartialExplanation) => void) | undefined;
  /** Told of a result that comes although the call was aborted, so that what it holds can be freed. */
  onLate?: (value: unknown) => void;
}

/** Names of calls, with what each is sent and what it gives back. */
export type Protocol<P> = { [Name in keyof P]: { send: unknown; reply: unknown } };

export type Handlers<P extends Protocol<P>> = {
  [Name in keyof P]: (args: P[Name]["send"], hooks: Hooks) => Promise<Reply<P[Name]["reply"]>>;
};

interface Pending {
  resolve(value: unknown): void;
  reject(reason: Error): void;
  onProgress?: ((progress: Progress) => void) | undefined;
  onPartial?: ((partial: PartialExplanation) => void) | undefined;
}

/** The user's side of the port. */
export class Caller<P extends Protocol<P>> {
  readonly #endpoint: Endpoint;
  readonly #pending = new Map<number, Pending>();
  readonly #onDeath: (error: AdversightError) => void;
  readonly #onEvent: (event: unknown) => void;
  #next = 0;
  #ended: AdversightError | null = null;
  /** Resolves when the engine's side has been heard of. */
  readonly heard: Promise<void>;
  #hear: () => void = () => undefined;

  /** `onDeath` is told once, when the engine has stopped for good; `onEvent` of what it tells unasked. */
  constructor(
    endpoint: Endpoint,
    onDeath: (error: AdversightError) => void = () => undefined,
    onEvent: (event: unknown) => void = () => undefined,
  ) {
    this.#endpoint = endpoint;
    this.#onDeath = onDeath;
    this.#onEvent = onEvent;
    this.heard = new Promise((resolve) => (this.#hear = resolve));
    endpoint.addEventListener("message", (event) => {
      this.#receive(event.data as FromEngine);
    });
    endpoint.start?.();
  }

  get ended(): boolean {
    return this.#ended !== null;
  }

  /** Rejects with the signal's reason as soon as it is aborted; the engine stops at its next step. */
  call<Name extends keyof P & string>(
    name: Name,
    args: P[Name]["send"],
    { transfer = [], signal, onProgress, onPartial, onLate }: CallOptions = {},
  ): Promise<P[Name]["reply"]> {
    return new Promise<P[Name]["reply"]>((resolve, reject) => {
      if (this.#ended) throw this.#ended;
      signal?.throwIfAborted();

      const id = this.#next++;
      const abort = () => {
        if (onLate) this.#pending.set(id, { resolve: onLate, reject: () => undefined });
        else this.#pending.delete(id);
        this.#post({ kind: "cancel", id });
        reject(signal?.reason as Error);
      };
      const settled = () => signal?.removeEventListener("abort", abort);
      this.#post({ kind: "call", id, name, args, partials: onPartial !== undefined }, transfer);
      signal?.addEventListener("abort", abort, { once: true });
      this.#pending.set(id, {
        resolve(value) {
          settled();
          resolve(value);
        },
        reject(reason) {
          settled();
          reject(reason);
        },
        onProgress,
        onPartial,
      });
    });
  }

  /** Rejects every running and every later call with `error`. The engine is sent one last call, whose reply nobody awaits. */
  end(error: AdversightError, farewell?: keyof P & string): void {
    if (this.#ended) return;
    this.#ended = error;
    for (const [id, pending] of this.#pending) {
      this.#post({ kind: "cancel", id });
      pending.reject(error);
    }
    this.#pending.clear();
    if (farewell !== undefined) {
      this.#post({ kind: "call", id: this.#next++, name: farewell, args: undefined, partials: false });
    }
  }

  /** As `end`, for an engine that is beyond use: its owner is told too. */
  die(error: AdversightError): void {
    if (this.#ended) return;
    this.end(error);
    this.#onDeath(error);
  }

  #post(message: ToEngine, transfer: Transferable[] = []): void {
    this.#endpoint.postMessage(message, transfer);
  }

  #receive(message: FromEngine): void {
    this.#hear();
    if (message.kind === "here") return;
    if (message.kind === "event") {
      if (!this.#ended) this.#onEvent(message.event);
      return;
    }
    // Without its device an engine is of no more use, as after a trap.
    const lost = message.kind === "failed" && message.error.code === "device_lost";
    if (message.kind === "dead" || lost) {
      this.die(fromRecord(message.error));
      return;
    }
    const pending = this.#pending.get(message.id);
    if (!pending) return; // cancelled meanwhile
    if (message.kind === "progress") {
      pending.onProgress?.(message.progress);
      return;
    }
    if (message.kind === "partial") {
      pending.onPartial?.(message.partial);
      return;
    }
    this.#pending.delete(message.id);
    if (message.kind === "done") pending.resolve(message.value);
    else pending.reject(fromRecord(message.error));
  }
}

/**
 * The engine's side of the port. Calls run one after the other: they share one device, and the WebAssembly objects may not be
 * freed while a call on them runs. Gives back what to call when a trap is seen outside any call.
 */
export function serve<P extends Protocol<P>>(
  endpoint: Endpoint,
  handlers: Handlers<P>,
  /** Told of what was sent for a call that is not made, so that what it holds can be freed. */
  discard: (args: unknown) => void = () => undefined,
): (trap: unknown) => void {
  const open = new Set<number>();
  const cancelled = new Set<number>();
  let dead = false;
  let last: Promise<void> = Promise.resolve();

  const post = (message: FromEngine, transfer: Transferable[] = []) => {
    if (!dead) endpoint.postMessage(message, transfer);
  };
  const die = (trap: unknown) => {
    post({ kind: "dead", error: toRecord(engineFailure(trap)) });
    dead = true;
  };

  const run = async (id: number, name: keyof P, args: P[keyof P]["send"], partials: boolean) => {
    try {
      if (dead || cancelled.has(id)) discard(args);
      if (dead) return;
      if (cancelled.has(id)) throw new AdversightError("cancelled", "Cancelled.");
      const { value, transfer } = await handlers[name](args, {
        onProgress: (progress) => {
          post({ kind: "progress", id, progress });
        },
        onPartial: partials
          ? (partial, transfer) => {
              post({ kind: "partial", id, partial }, transfer);
            }
          : undefined,
        isCancelled: () => cancelled.has(id),
      });
      post({ kind: "done", id, value }, transfer);
    } catch (error) {
      if (isFatal(error)) die(error);
      else post({ kind: "failed", id, error: toRecord(error) });
    } finally {
      open.delete(id);
      cancelled.delete(id);
    }
  };

  let heard = false;
  endpoint.addEventListener("message", (event) => {
    const message = event.data as ToEngine;
    if (!heard) post({ kind: "here" });
    heard = true;
    if (message.kind === "cancel") {
      if (open.has(message.id)) cancelled.add(message.id);
      return;
    }
    open.add(message.id);
    last = last.then(() => run(message.id, message.name as keyof P, message.args, message.partials));
  });
  endpoint.start?.();
  return die;
}

/** What tells the other side something that it has not asked for. */
export const teller =
  (endpoint: Endpoint) =>
  (event: unknown): void => {
    endpoint.postMessage({ kind: "event", event } satisfies FromEngine, []);
  };
