import assert from "node:assert/strict";
import test from "node:test";

import { attackVerdict, edgesVerdict, gameVerdict, halfWay } from "./verdict.js";

const game = (area: number, ...y: number[]) => ({
  area,
  curve: { x: y.map((_, i) => i / (y.length - 1)), y },
});
const score = (index: number, label: string, probability = 0.9) => ({ index, label, probability, logit: 1 });

test("half of the way is where the score first comes to the middle of its ends", () => {
  assert.equal(halfWay(game(0, 0.8, 0.5, 0.3, 0.1, 0)), 0.5);
  assert.equal(halfWay(game(0, 0, 0.1, 0.3, 0.35, 0.4)), 0.5);
  assert.equal(halfWay(game(0, 0.4, 0.2, 0.41)), null, "it ends where it began");
});

test("a map is told from chance by the area", () => {
  const map = game(0.2, 0.8, 0.3, 0.1, 0, 0);
  const random = game(0.5, 0.8, 0.7, 0.5, 0.3, 0);
  const better = gameVerdict("deletion", "cat", map, random);
  assert.match(
    better,
    /lost half of its score when 25% .*; in random order it takes 75%\. .*better than chance/,
  );
  assert.match(better, /area 0\.200, at random 0\.500/);
  assert.match(gameVerdict("deletion", "cat", random, map), /fails this test/);
  assert.match(
    gameVerdict("deletion", "cat", map, { ...map, area: 0.21 }),
    /as many.* no better than chance/,
  );
  assert.match(
    gameVerdict("insertion", "cat", game(0.5, 0, 0.7, 0.8), game(0.2, 0, 0.1, 0.8)),
    /better than chance/,
  );
  assert.match(gameVerdict("deletion", "cat", game(0.1, 0.1, 0.1, 0.1), null), /nothing can be told/);
  assert.match(gameVerdict("deletion", "cat", map, null), /first\.$/);
});

test("an explanation survives where the network finds the class again", () => {
  const cat = score(1, "cat");
  const dog = score(2, "dog");
  const [a, b] = [
    { title: "A", rank: 0.9, finds: dog },
    { title: "B", rank: 0.1, finds: cat },
  ];
  assert.match(
    attackVerdict(cat, dog, [a, b]),
    /now says “dog” .* B survived: in what it marks .*; A did not\.$/,
  );
  assert.match(attackVerdict(cat, dog, [b, { ...b, title: "C" }]), /B and C survived: in what they mark/);
  assert.match(
    attackVerdict(cat, dog, [a, { ...a, title: "D", rank: 0.2 }]),
    /No explanation .* A changed least .*0\.90/,
  );
  assert.match(attackVerdict(cat, cat, [b]), /attack fails.* still says “cat”/);
  assert.match(attackVerdict(cat, dog, []), /instead of “cat”\.$/);
});

test("a map that random weights leave alone fails, and one like the edges is told", () => {
  assert.match(edgesVerdict("A", 0.1, 0.1), /^A passes: .*0\.10.* no drawing/);
  assert.match(edgesVerdict("A", -0.2, null), /passes: .*−0\.20\)\.$/);
  assert.match(edgesVerdict("A", 0.45, 0.45), /in part.* something of a plain drawing/);
  assert.match(edgesVerdict("A", 0.9, 0.7), /fails.* much like a plain drawing/);
});
