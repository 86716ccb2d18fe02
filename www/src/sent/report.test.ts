import assert from "node:assert/strict";
import test from "node:test";

import { reportHtml } from "./html.js";
import { differences, fromBase64, isReport, mapBytes, readReport, toBase64, type Report } from "./report.js";

const map = Float32Array.of(0, 0.5, 1);
const report: Report = {
  adversight: 1,
  engine: "0.1.0",
  device: "cpu",
  date: "2026-01-02T03:04:05.000Z",
  kind: "text",
  title: "a <b>film</b>",
  input: { texts: ["a </script><script>alert(1)</script> film"] },
  network: { name: "kim", title: "Kim & co", sha256: "ab" },
  method: "saliency",
  methodTitle: "Saliency",
  params: { steps: 3 },
  seed: 1,
  target: { index: 1, label: "good", probability: 0.9 },
  answers: [{ label: "good", probability: 0.9 }],
  words: ["It says “good”."],
  map: { base64: toBase64(mapBytes(map)), shape: [1, 3] },
  parts: [{ name: "film", score: 1, special: false }],
  notes: [],
};

test("a report is read as it was written, and what is given runs nothing", () => {
  const html = reportHtml(report, "<p>shown</p>");
  assert.ok(isReport(html));
  assert.deepEqual(readReport(html), report);
  assert.ok(!html.includes("<script>alert"));
  assert.ok(html.includes("a &lt;b&gt;film&lt;/b&gt;"));
  assert.match(html, /Content-Security-Policy/);
  assert.throws(() => readReport(html.replace('"adversight":1', '"adversight":7')), /no report of this page/);
  assert.ok(!isReport("<html></html>"));
});

test("bytes survive base64", () => {
  const bytes = Uint8Array.from({ length: 70_000 }, (_, i) => i % 251);
  assert.deepEqual(fromBase64(toBase64(bytes)), bytes);
});

test("the same is the same, and what differs is named", () => {
  const again = { engine: "0.1.0", network: "ab", target: report.target, parts: report.parts, map };
  assert.deepEqual(differences(report, again), []);
  assert.deepEqual(differences(report, { ...again, map: Float32Array.of(0, 0.51, 1) }), []);
  assert.match(
    differences(report, { ...again, map: Float32Array.of(0, 0.8, 1) }).join(),
    /map differs by 30%/,
  );
  assert.match(differences(report, { ...again, map: Float32Array.of(0, NaN, 1) }).join(), /map differs/);
  assert.match(differences(report, { ...again, map: Float32Array.of(0) }).join(), /another size/);
  assert.match(
    differences(report, { ...again, target: { ...report.target, probability: 0.8 } }).join(),
    /with 80\.0%, and not with 90\.0%/,
  );
  assert.match(
    differences(report, { ...again, target: { index: 0, label: "bad", probability: 0.9 } }).join(),
    /explains “bad” and not “good”/,
  );
  assert.match(differences(report, { ...again, network: "cd" }).join(), /another one/);
});
