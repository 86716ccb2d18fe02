import assert from "node:assert/strict";
import test from "node:test";

import type { Explanation } from "adversight";
import { doubtsOf } from "./doubt.js";
import type { Network } from "./library.js";

const network: Network = {
  name: "own-1",
  title: "net.onnx",
  kind: "image",
  own: true,
  sha256: null,
  source: () => Promise.reject(new Error()),
};
const explanation = (doubt?: string | null) => ({ info: { doubt } }) as unknown as Explanation;

test("an answer that the network is sure of is not doubted", () => {
  assert.deepEqual(doubtsOf({ explanation: null, network, doubts: {} }), []);
  for (const doubt of [null, undefined, ""]) {
    assert.deepEqual(doubtsOf({ explanation: explanation(doubt), network, doubts: { other: "noise" } }), []);
  }
});

test("an answer that the network is not sure of is a guess", () => {
  const [doubt, ...others] = doubtsOf({
    explanation: explanation("The network is not sure: its best guess is “nematode” (2%)."),
    network,
    doubts: {},
  });
  assert.match(doubt?.title ?? "", /not sure/);
  assert.match(doubt?.text ?? "", /guess/);
  assert.deepEqual(others, []);
});

test("what was found when the network was set up stays with it", () => {
  const doubts = { "own-1": "Of 6 very different pictures, all get the answer “class 3”." };
  assert.deepEqual(
    doubtsOf({ explanation: explanation(null), network, doubts }).map(({ text }) => text),
    [doubts["own-1"]],
  );
  assert.equal(doubtsOf({ explanation: explanation("Odd."), network, doubts }).length, 2);
  assert.deepEqual(doubtsOf({ explanation: null, network: { ...network, name: "own-2" }, doubts }), []);
});
