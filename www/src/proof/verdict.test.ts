import assert from "node:assert/strict";
import test from "node:test";

import { attackVerdict, edgesVerdict, gameSentence, halfWay, judged, together } from "./verdict.js";

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

test("a map passes where it does better than every random order, whatever the height of the score", () => {
  const map = game(0.2, 0.8, 0.3, 0.1, 0, 0);
  const chance = [0.5, 0.45, 0.55].map((area) => game(area, 0.8, 0.7, 0.5, 0.3, 0));
  assert.equal(judged("deletion", map, chance), "passed");
  const back = (area: number) => game(area, 0, 0.1, 0.3, 0.7, 0.8);
  assert.equal(judged("insertion", back(0.2), [0.5, 0.45, 0.55].map(back)), "failed");
  assert.equal(judged("deletion", { ...map, area: 0.5 }, chance), "open");
  const low = game(0.01, 0.015, 0.01, 0);
  assert.equal(
    judged("deletion", low, [game(0.02, 0.015, 0.01, 0)]),
    null,
    "a score that is next to nothing tells nothing",
  );
  assert.equal(judged("deletion", game(0.02, 0.08, 0.01, 0), [game(0.03, 0.08, 0.04, 0)]), "passed");
  assert.equal(judged("deletion", map, []), null);
  assert.equal(judged("deletion", game(0.1, 0.1, 0.1, 0.1), chance), null);
});

test("two games have one verdict", () => {
  assert.equal(together([null, null]), null);
  assert.equal(together(["passed", null]), "passed");
  assert.equal(together(["passed", "passed"]), "passed");
  assert.equal(together(["passed", "open"]), "mixed");
  assert.equal(together(["passed", "failed"]), "mixed");
  assert.equal(together(["open", "failed"]), "failed");
});

test("what was found is told in the input's own units", () => {
  const map = game(0.2, 0.8, 0.3, 0.1, 0, 0);
  const chance = [game(0.5, 0.8, 0.5, 0), game(0.45, 0.8, 0.5, 0)];
  assert.match(
    gameSentence("deletion", "text", "cat", map, chance),
    /lost half of its score when 25% of the words are gone.*\(area 0\.200, in 2 random orders 0\.450 to 0\.500\)\.$/,
  );
  assert.match(
    gameSentence("insertion", "image", "cat", game(0.5, 0, 0.7, 0.8), []),
    /half of its score back with 50% of the pixels, the most important first\.$/,
  );
  assert.match(gameSentence("deletion", "audio", "cat", game(0.1, 0.1, 0.1, 0.1), []), /nothing can be told/);
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
