// What the page says of the GPU, where there is one.

import assert from "node:assert/strict";
import { test } from "node:test";
import { browser, LONG } from "./browser/page.mjs";

const open = browser({ webgpu: true });

test("name, features, limits and precisions are told", { timeout: LONG }, () =>
  open(async (page) => {
    const text = await page.locator("#device-content").innerText();
    for (const part of ["Name", "Features", "Limits", "max buffer size", "double-f32"])
      assert.ok(text.includes(part), `${part} is missing in: ${text}`);
    assert.equal(await page.locator("#backend [value=gpu]").isEnabled(), true);
    // WebGPU has no double precision, so that it cannot be chosen.
    assert.equal(await page.locator("#precision option[value=f64]").isDisabled(), true);
    assert.equal(await page.locator("#precision option[value=f32]").isDisabled(), false);
  }),
);

test("the benchmark draws both and finds that they agree", { timeout: LONG }, () =>
  open(async (page) => {
    await page.selectOption("#benchmark-level", "2");
    await page.selectOption("#benchmark-repeats", "1");
    await page.click("#benchmark-start");
    const status = page.locator("#benchmark-status");
    await status.filter({ hasText: /^(Done|The benchmark)/ }).waitFor({ timeout: LONG });
    assert.match(await status.textContent(), /The costs agree at every level/);
    const errors = await page.$$eval("#benchmark-table tbody tr", (rows) =>
      rows.map((row) => Number(row.dataset.relativeError)),
    );
    assert.equal(errors.length, 2);
    assert.ok(
      errors.every((error) => error <= 1e-6),
      String(errors),
    );
    assert.match(await page.getAttribute("#scaling", "aria-label"), /966 residuals: CPU [\d.]+ ms, GPU [\d.,]+ ms/);
    assert.equal(await page.isEnabled("#start"), true);
  }),
);

test("the benchmark can be stopped", { timeout: LONG }, () =>
  open(async (page) => {
    await page.click("#benchmark-start");
    await page.locator("#benchmark-status").filter({ hasText: "GPU" }).waitFor();
    assert.equal(await page.isEnabled("#start"), false);
    await page.click("#benchmark-start");
    await page.locator("#benchmark-status").filter({ hasText: "Stopped." }).waitFor({ timeout: LONG });
    assert.equal(await page.isEnabled("#start"), true);
  }),
);
