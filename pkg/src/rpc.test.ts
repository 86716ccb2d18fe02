import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import test, { afterEach } from "node:test";

import { AdversightError } from "./errors.js";
import { Caller, serve, type Handlers } from "./rpc.js";

interface Sums {
  sum: { send: number[]; reply: number };
  count: { send: { to: number }; reply: number };
  buffer: { send: undefined; reply: Float32Array };
  fail: { send: unknown; reply: never };
}

let open: MessagePort[] = [];
afterEach(() => {
  for (const port of open) port.close();
  open = [];
});

function connect(handlers: Partial<Handlers<Sums>>, onDeath?: () => void) {
  const { port1, port2 } = new MessageChannel();
  open.push(port1, port2);
  const die = serve<Sums>(port2, handlers as Handlers<Sums>);
  return { caller: new Caller<Sums>(port1, onDeath), die };
}

const sum: Handlers<Sums>["sum"] = (numbers) =>
  Promise.resolve({ value: numbers.reduce((total, number) => total + number, 0) });

/** Counts to a number, yielding to the event loop at every step as the engine does. */
const counted: number[] = [];
const count: Handlers<Sums>["count"] = async ({ to }, { onProgress, isCancelled }) => {
  counted.length = 0;
  for (let done = 1; done <= to; done++) {
    await sleep(1);
    if (isCancelled()) throw Object.assign(new Error("Cancelled."), { code: "cancelled" });
    counted.push(done);
    onProgress({ done, total: to, stage: "count" });
  }
  return { value: to };
};

test("a call is answered", async () => {
  const { caller } = connect({ sum });
  assert.equal(await caller.call("sum", [1, 2, 3]), 6);
});

test("progress is told in order, before the answer", async () => {
  const { caller } = connect({ count });
  const told: number[] = [];
  await caller.call("count", { to: 3 }, { onProgress: ({ done }) => told.push(done) });
  assert.deepEqual(told, [1, 2, 3]);
});

test("cancelling rejects with the signal's reason, stops the work, and the next call is answered", async () => {
  const { caller } = connect({ count, sum });
  const controller = new AbortController();
  const running = caller.call(
    "count",
    { to: 1000 },
    {
      signal: controller.signal,
      onProgress: ({ done }) => {
        if (done === 3) controller.abort();
      },
    },
  );
  await assert.rejects(
    running,
    (error) => error === controller.signal.reason && (error as Error).name === "AbortError",
  );
  assert.equal(await caller.call("sum", [1]), 1);
  assert.ok(counted.length < 10, `it counted on to ${counted.length}`);
});

test("a reason of the user's own is given back as it is", async () => {
  const { caller } = connect({ count });
  const controller = new AbortController();
  const reason = new Error("changed my mind");
  const running = caller.call("count", { to: 1000 }, { signal: controller.signal });
  controller.abort(reason);
  await assert.rejects(running, (error) => error === reason);
});

test("what was aborted before is not even sent", async () => {
  let calls = 0;
  const { caller } = connect({
    sum: (numbers, hooks) => {
      calls += 1;
      return sum(numbers, hooks);
    },
  });
  await assert.rejects(caller.call("sum", [1], { signal: AbortSignal.abort() }), { name: "AbortError" });
  await caller.call("sum", [2]);
  assert.equal(calls, 1);
});

test("calls run one after the other, and one that is cancelled while it waits never starts", async () => {
  let running = 0;
  const started: number[] = [];
  const { caller } = connect({
    count: async ({ to }) => {
      started.push(to);
      running += 1;
      assert.equal(running, 1);
      await sleep(5);
      running -= 1;
      return { value: to };
    },
  });
  const controller = new AbortController();
  const first = caller.call("count", { to: 1 });
  const second = caller.call("count", { to: 2 }, { signal: controller.signal });
  const third = caller.call("count", { to: 3 });
  controller.abort();
  await assert.rejects(second, { name: "AbortError" });
  assert.deepEqual(await Promise.all([first, third]), [1, 3]);
  assert.deepEqual(started, [1, 3]);
});

test("an error arrives with its code and node", async () => {
  const { caller } = connect({
    fail: () => Promise.reject(Object.assign(new Error("No."), { code: "model_invalid", node: "conv_3" })),
  });
  await assert.rejects(caller.call("fail", null), (error) => {
    assert.ok(error instanceof AdversightError);
    assert.deepEqual([error.code, error.node, error.message], ["model_invalid", "conv_3", "No."]);
    return true;
  });
  assert.ok(!caller.ended);
});

test("a buffer that is handed over is moved, not copied", async () => {
  const made = new Float32Array([1, 2]);
  const { caller } = connect({
    buffer: () => Promise.resolve({ value: made, transfer: [made.buffer] }),
  });
  assert.deepEqual(await caller.call("buffer", undefined), new Float32Array([1, 2]));
  assert.equal(made.byteLength, 0);
});

test("a message that cannot be sent rejects its call only", async () => {
  const { caller } = connect({ sum, fail: () => Promise.reject(new Error()) });
  await assert.rejects(
    caller.call("fail", () => "a function"),
    { name: "DataCloneError" },
  );
  assert.equal(await caller.call("sum", [4]), 4);
});

test("a trap ends the engine: every waiting and every later call is told so", async () => {
  let deaths = 0;
  const { caller } = connect(
    { sum, fail: () => Promise.reject(new WebAssembly.RuntimeError("unreachable")) },
    () => {
      deaths += 1;
    },
  );
  const failing = caller.call("fail", null);
  const waiting = caller.call("sum", [1]);
  await assert.rejects(failing, { code: "engine_failed", message: /unreachable/ });
  await assert.rejects(waiting, { code: "engine_failed" });
  await assert.rejects(caller.call("sum", [1]), { code: "engine_failed" });
  assert.ok(caller.ended);
  assert.equal(deaths, 1);
});

test("a trap outside any call ends the engine under a call that would never be answered", async () => {
  const { caller, die } = connect({ count: () => new Promise(() => undefined) });
  const hanging = caller.call("count", { to: 1 });
  await sleep(5);
  die(new WebAssembly.RuntimeError("memory access out of bounds"));
  await assert.rejects(hanging, { code: "engine_failed", message: /memory access out of bounds/ });
});

test("an engine that has lost its device is of no more use, as after a trap", async () => {
  const deaths: string[] = [];
  const lost = () => Promise.reject(new AdversightError("device_lost", "The GPU was lost."));
  const { caller } = connect({ fail: lost, sum }, () => deaths.push("dead"));
  await assert.rejects(caller.call("fail", null), { code: "device_lost" });
  assert.equal(caller.ended, true);
  assert.deepEqual(deaths, ["dead"]);
  await assert.rejects(caller.call("sum", [1]), { code: "device_lost" });
});
