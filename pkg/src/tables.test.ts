import assert from "node:assert/strict";
import test from "node:test";

import { prepareInput } from "./input.js";
import { tableData } from "./tables.js";

test("rows become the text of a CSV file", async () => {
  const { table } = await tableData({
    table: [
      { age: 3, name: 'a "b", c' },
      { age: null, sex: true },
    ],
    row: 1,
  });
  assert.equal(table.csv, 'age,name,sex\n3,"a ""b"", c",""\n"","",true');
  assert.equal(table.row, 1);
});

test("texts and files are given as they are, with what is changed", async () => {
  const csv = "a;b\n1,5;2\n";
  const { input } = await prepareInput({
    table: csv,
    background: new Blob(["\u{feff}a,b\n1,2\n"]),
    changes: { a: 2.5, b: null },
    kind: "row",
  });
  assert.deepEqual(input, {
    table: { csv, background: "a,b\n1,2\n", changes: { a: "2.5", b: "" }, kind: "row" },
  });
});

test("what is no table is refused", async () => {
  await assert.rejects(tableData({ table: [] }), { code: "input_invalid" });
  await assert.rejects(tableData({ table: "a\n1\n", row: -1 }), /whole number from 0 on/);
  await assert.rejects(tableData({ table: new Blob([new Uint8Array([97, 0xff])]) }), /UTF-8/);
});
