import assert from "node:assert/strict";
import test from "node:test";

import { add, format } from "./index.js";

test("a sum of prices is exact", () => {
  assert.equal(add(10, 20, 1290), 1320);
});

test("a fraction of a cent is refused", () => {
  assert.throws(() => add(0.5), TypeError);
});

test("an amount is written as the reader writes it", () => {
  assert.equal(format(1290, "EUR", "en"), "€12.90");
});
