// One error type for everything that can go wrong, with a stable code for programs and a sentence for people.
// Errors cross the worker boundary as plain records, because structured cloning drops an Error's own fields.

/** The engine's codes (src/error.rs), then three that only the package around it can give. */
export const errorCodes = [
  "device_unavailable",
  "device_lost",
  "model_malformed",
  "model_unsupported",
  "model_invalid",
  /** A weight is larger than the GPU can bind at once. */
  "model_too_large",
  "input_invalid",
  "input_shape",
  "input_too_large",
  "input_not_finite",
  "preprocessing_invalid",
  /** The names of the classes cannot be read, or are not as many as the classes. */
  "labels_invalid",
  "target_out_of_range",
  /** What is to be explained is not there, or cannot be asked of this network. */
  "target_invalid",
  /** What a detector's outputs hold is not known; the message says what to give. */
  "detector_unknown",
  "method_unknown",
  /** The method cannot work on this model or this input; the message says what it would need (see `ModelInfo.methods`). */
  "method_unsuited",
  "parameter_invalid",
  /** The map that is to be judged holds values that are not finite, or does not belong to the input. */
  "map_not_finite",
  "map_shape",
  "metric_unknown",
  /** The metric lacks something that it needs; the message says what. */
  "metric_unsuited",
  /** A tokenizer's file cannot be read, or lacks a token that is asked for by name. */
  "tokenizer_invalid",
  "out_of_memory",
  "cancelled",
  "internal",
  /** A model, its labels or its preprocessing could not be fetched. */
  "download_failed",
  /** The engine stopped for good, or could not be started: create a new one. */
  "engine_failed",
  /** The engine or the model was closed by its owner. */
  "engine_closed",
] as const;

export type ErrorCode = (typeof errorCodes)[number];

export class AdversightError extends Error {
  override readonly name = "AdversightError";
  /** Stable: what programs match on. */
  readonly code: ErrorCode;
  /** The graph node at fault, where there is one. */
  readonly node: string | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    details: { node?: string | undefined; cause?: unknown } = {},
  ) {
    super(message, "cause" in details ? { cause: details.cause } : undefined);
    this.code = code;
    this.node = details.node;
  }
}

/** An error in a form that structured cloning keeps whole. */
export interface ErrorRecord {
  code: ErrorCode;
  message: string;
  node?: string;
  stack?: string;
}

function isErrorCode(code: unknown): code is ErrorCode {
  return (errorCodes as readonly unknown[]).includes(code);
}

/** Any thrown value as an AdversightError; what carries no known code is "internal". */
export function asAdversightError(thrown: unknown): AdversightError {
  if (thrown instanceof AdversightError) return thrown;
  if (!(thrown instanceof Error)) return new AdversightError("internal", String(thrown), { cause: thrown });
  const { code, node } = thrown as { code?: unknown; node?: unknown };
  return new AdversightError(isErrorCode(code) ? code : "internal", thrown.message, {
    node: typeof node === "string" ? node : undefined,
    cause: thrown,
  });
}

export function toRecord(thrown: unknown): ErrorRecord {
  const error = asAdversightError(thrown);
  const origin = error.cause instanceof Error ? error.cause : error;
  return {
    code: error.code,
    message: error.message,
    ...(error.node === undefined ? {} : { node: error.node }),
    ...(origin.stack === undefined ? {} : { stack: origin.stack }),
  };
}

/** The error on this side; the other side's stack becomes its cause, so that no trace is lost. */
export function fromRecord(record: ErrorRecord): AdversightError {
  return new AdversightError(record.code, record.message, {
    node: record.node,
    ...(record.stack === undefined ? {} : { cause: record.stack }),
  });
}

/**
 * Whether the error leaves the WebAssembly instance unusable: a trap (a panic, an abort, memory that could not
 * grow) or an overflown stack. Nothing may be called on such an instance any more.
 */
export function isFatal(thrown: unknown): boolean {
  if (thrown instanceof WebAssembly.RuntimeError) return true;
  if (!(thrown instanceof Error)) return false;
  return /maximum call stack|too much recursion/i.test(thrown.message);
}

export function engineFailure(thrown: unknown): AdversightError {
  if (thrown instanceof AdversightError) return thrown;
  const reason = thrown instanceof Error ? thrown.message : String(thrown);
  return new AdversightError(
    "engine_failed",
    `The engine stopped after a failure inside it (${reason}) and has to be created anew. ` +
      "If it happens again, try a smaller picture, fewer samples or the other device.",
    { cause: thrown },
  );
}
