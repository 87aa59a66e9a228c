// The page in a browser, for a file of tests: opened for each test, and watched for errors.

import assert from "node:assert/strict";
import { after, before } from "node:test";
import { launch } from "./browser.mjs";
import { serve } from "./server.mjs";

/** Longest wait for anything that computes in software. */
export const LONG = 240_000;

/** Starts server and browser round the tests of a file; what is returned opens the page. */
export function browser({ webgpu }) {
  let site;
  let chromium;
  before(async () => {
    site = await serve();
    chromium = await launch({ webgpu });
  });
  after(async () => {
    await chromium?.close();
    await site?.close();
  });

  /** Opens the page and runs a test on it. No test passes in which the console shows an error. */
  return async (test, options = {}) => {
    const context = await chromium.newContext({ viewport: { width: 1280, height: 800 }, ...options });
    context.setDefaultTimeout(30_000);
    const page = await context.newPage();
    const errors = [];
    page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
    page.on("pageerror", (error) => errors.push(error.message));
    try {
      await page.goto(site.address);
      await state(page, "ready");
      await test(page);
      assert.deepEqual(errors, [], "errors in the console");
    } finally {
      await context.close();
    }
  };
}

/** Waits until the solve is in a state. */
export function state(page, name, timeout = 30_000) {
  return page.waitForSelector(`#start[data-state="${name}"]`, { timeout });
}

/** The number that a field shows, unrounded. */
export async function number(page, id) {
  return Number(await page.getAttribute(`#${id}`, "data-value"));
}

/** Chooses a radio button by its visible label. */
export function choose(page, group, label) {
  return page.locator(`#${group} label`, { hasText: label }).click();
}

/** Does something that states another problem, and waits until it is there. */
export async function restate(page, action) {
  await page.evaluate(() => (document.getElementById("start").dataset.state = ""));
  await action();
  await state(page, "ready");
}

/** Sets the level as the slider would. */
export function level(page, value) {
  return restate(page, () =>
    page.evaluate((value) => {
      const slider = document.getElementById("level");
      slider.value = value;
      for (const type of ["input", "change"]) slider.dispatchEvent(new Event(type, { bubbles: true }));
    }, String(value)),
  );
}
