// Errors in words: what happened, and what to do about it.

import { t } from "./strings/strings.js";
import { AdversightError, type ErrorCode } from "adversight";
import { capitalised } from "./format.js";
import { kinds, type Kind } from "./kinds.js";

/** What the banner's button does. */
export type Remedy = "restart" | "retry";

export interface Problem {
  title: string;
  message: string;
  remedy: Remedy | null;
  /** Lines of code that do what the page does not. */
  snippet?: string;
}

const advice: Record<ErrorCode, { title: string; remedy?: Remedy }> = {
  device_unavailable: { title: t`This device cannot be used here.` },
  device_lost: { title: t`The GPU stopped answering.`, remedy: "restart" },
  model_malformed: { title: t`This network’s file cannot be read.`, remedy: "retry" },
  model_unsupported: { title: t`This network needs something that is not supported yet.` },
  model_invalid: { title: t`This network contradicts itself.` },
  model_too_large: { title: t`This network is too large for the device.` },
  input_invalid: { title: kinds.image.refused },
  input_shape: { title: t`The network does not take an input of this shape.` },
  input_too_large: { title: t`This is too large.` },
  input_not_finite: { title: t`The input holds values that are not numbers.` },
  preprocessing_invalid: { title: t`It is not known how to prepare the input for this network.` },
  tokenizer_invalid: { title: t`It is not known how to read texts for this network.` },
  labels_invalid: { title: t`These names do not fit the network’s classes.` },
  target_out_of_range: { title: t`The network has no such class.` },
  target_invalid: { title: t`This cannot be explained here.` },
  detector_unknown: { title: t`It is not known how this network tells its boxes.` },
  method_unknown: { title: t`There is no such method.` },
  method_unsuited: { title: t`This method does not suit the network.` },
  map_not_finite: { title: t`This map holds values that are not numbers.` },
  map_shape: { title: t`This map belongs to another picture.` },
  metric_unknown: { title: t`There is no such metric.` },
  metric_unsuited: { title: t`This cannot be measured here.` },
  parameter_invalid: { title: t`A setting does not fit.` },
  out_of_memory: { title: t`There is not enough memory.`, remedy: "restart" },
  cancelled: { title: t`Cancelled.` },
  internal: { title: t`Something went wrong inside the engine.`, remedy: "retry" },
  download_failed: { title: t`The network could not be loaded.`, remedy: "retry" },
  engine_failed: { title: t`The engine needs a new start.`, remedy: "restart" },
  engine_closed: { title: t`The engine was closed.`, remedy: "restart" },
};

/** An error that came of something of this kind. */
export function problemOf(error: unknown, kind: Kind = "image"): Problem {
  if (error instanceof AdversightError) {
    const { title: usual, remedy = null } = advice[error.code];
    const title = error.code === "input_invalid" ? kinds[kind].refused : usual;
    return { title, message: capitalised(error.message), remedy };
  }
  if (error instanceof DOMException && error.name === "TimeoutError") {
    return {
      title: t`The time limit was reached.`,
      message: t`The method was stopped. Raise the limit, or choose quicker settings or a quicker method.`,
      remedy: null,
    };
  }
  const message = error instanceof Error ? error.message : String(error);
  return { title: t`That did not work.`, message, remedy: "retry" };
}

/** Why the microphone gave no sound. */
export function microphoneProblem(error: unknown): Problem {
  const messages: Record<string, string> = {
    NotAllowedError: t`It was not allowed for this page. Allow it in the browser’s settings for this address, or choose a file.`,
    NotFoundError: t`No microphone was found. Choose a file instead.`,
    NotReadableError: t`Another program is using it. Close that program, or choose a file.`,
    EncodingError: t`Nothing was recorded: speak before you stop.`,
  };
  const name = error instanceof Error ? error.name : "";
  return {
    title: t`The microphone cannot be used.`,
    message: messages[name] ?? t`Choose a file instead.`,
    remedy: null,
  };
}

/** Why the camera gave no picture. */
export function cameraProblem(error: unknown): Problem {
  const messages: Record<string, string> = {
    NotAllowedError: t`It was not allowed for this page. Allow it in the browser’s settings for this address, or choose a file.`,
    NotFoundError: t`No camera was found. Choose a file instead.`,
    NotReadableError: t`Another program is using it. Close that program, or choose a file.`,
  };
  const name = error instanceof Error ? error.name : "";
  return {
    title: t`The camera cannot be used.`,
    message: messages[name] ?? t`Choose a file instead.`,
    remedy: null,
  };
}
