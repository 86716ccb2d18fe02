import assert from "node:assert/strict";
import test from "node:test";

import { initialState, type Given } from "../state.js";
import { fromHash, linked, toHash } from "./link.js";

test("a link says the same when it is read", () => {
  const asked = {
    example: "it's a “film” & more",
    network: "kim",
    method: "agi",
    params: { steps: 3 },
    target: 2,
  };
  assert.deepEqual(fromHash(toHash(asked)), asked);
  assert.equal(fromHash(""), null);
  assert.equal(fromHash("#answer"), null);
  assert.deepEqual(fromHash("#method=agi&params=[1&target=-3"), {
    example: null,
    network: null,
    method: "agi",
    params: {},
    target: null,
  });
});

test("nothing of the person's own is in it", () => {
  const given: Given = { kind: "text", input: "my secret", title: "my secret", credit: "", example: null };
  const network = { name: "secret.onnx", title: "secret", kind: "text", own: true, sha256: null } as const;
  const hash = toHash(
    linked({ ...initialState, given, network: { ...network, source: () => Promise.reject(new Error()) } }),
  );
  assert.ok(!hash.includes("secret"), hash);
});
