// A browser without WebGPU.

import assert from "node:assert/strict";
import { test } from "node:test";
import { browser, choose, LONG, state } from "./browser/page.mjs";

const open = browser({ webgpu: false });

test("the page says what is missing and what to do, and the CPU solves", { timeout: LONG }, () =>
  open(async (page) => {
    const text = await page.locator("#device-content").innerText();
    for (const part of ["There is no WebGPU here", "Chrome", "Safari", "Firefox", "the CPU solves"])
      assert.ok(text.includes(part), `${part} is missing in: ${text}`);
    assert.equal(await page.locator("#backend [value=gpu]").isDisabled(), true);
    assert.equal(await page.getAttribute("#backend-note a", "href"), "#device");
    await choose(page, "pace", "Full speed");
    await page.click("#start");
    await state(page, "done", LONG);
    assert.match(await page.textContent("#backend-used"), /^Solved on: CPU/);
  }),
);

test("the benchmark runs on the CPU alone", { timeout: LONG }, () =>
  open(async (page) => {
    await page.selectOption("#benchmark-level", "2");
    await page.selectOption("#benchmark-repeats", "1");
    await page.click("#benchmark-start");
    const status = page.locator("#benchmark-status");
    await status.filter({ hasText: /^Done, on the CPU alone/ }).waitFor({ timeout: LONG });
    assert.equal(await page.locator("#benchmark-table tbody tr").count(), 2);
  }),
);
