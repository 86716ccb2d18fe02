import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import test from "node:test";
import { Shared } from "./shared.js";

test("a value is made once, counted, freed when nobody needs it, and made again when it is dead", async () => {
  const freed: { dead: boolean }[] = [];
  const shared = new Shared<{ dead: boolean }>(
    ({ dead }) => dead,
    (value) => freed.push(value),
  );
  let made = 0;
  const make = () => Promise.resolve({ dead: false, number: made++ });
  const [first, second] = await Promise.all([shared.take("a", make), shared.take("a", make)]);
  assert.equal(made, 1);
  first.release();
  first.release();
  await sleep(1100);
  assert.equal(freed.length, 0, "the second one still needs it");
  second.release();
  const again = await shared.take("a", make); // within the grace
  assert.equal(again.value, first.value);
  again.value.dead = true;
  const other = await shared.take("a", make);
  assert.notEqual(other.value, first.value);
  other.release();
  await sleep(1100);
  assert.ok(freed.includes(other.value));
  await assert.rejects(shared.take("b", () => Promise.reject(new Error("no"))));
  assert.equal((await shared.take("b", make)).value.dead, false);
});
