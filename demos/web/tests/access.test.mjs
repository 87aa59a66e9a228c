// The page by keyboard, on a narrow screen, in the dark, and by assistive technology.

import assert from "node:assert/strict";
import { test } from "node:test";
import { browser, choose, LONG, restate, state } from "./browser/page.mjs";

const open = browser({ webgpu: false });
const picture = (page) => page.locator("#view canvas").screenshot();

test("everything can be done by keyboard", { timeout: LONG }, () =>
  open(async (page) => {
    // The page is walked through once by Tab; every stop shows where it is.
    const stops = [];
    for (let i = 0; i < 60; i++) {
      await page.keyboard.press("Tab");
      const stop = await page.evaluate(() => {
        const element = document.activeElement;
        if (!element || element === document.body) return null;
        const shown = element.matches("input[type=radio]") ? element.nextElementSibling : element;
        return {
          name: element.id || element.name || element.textContent,
          outline: getComputedStyle(shown).outlineStyle,
        };
      });
      if (!stop || stops.some(({ name }) => name === stop.name)) break;
      stops.push(stop);
    }
    const names = stops.map(({ name }) => name);
    for (const name of [
      "theme",
      "view",
      "edges",
      "start",
      "pace",
      "level",
      "file",
      "energy",
      "deformation",
      "backend",
      "linear-solver",
      "benchmark-start",
    ]) {
      assert.ok(names.includes(name), `${name} is not among ${names}`);
    }
    assert.deepEqual(
      stops.filter(({ outline }) => outline === "none"),
      [],
      "no stop without a visible focus",
    );

    await page.focus("#view");
    const before = await picture(page);
    for (let i = 0; i < 4; i++) await page.keyboard.press("ArrowRight");
    await page.waitForTimeout(300);
    const turned = await picture(page);
    assert.ok(!before.equals(turned), "the arrow keys do not turn the mesh");
    await page.keyboard.press("Home");
    await page.waitForTimeout(300);
    assert.ok(!turned.equals(await picture(page)), "Home does not bring the first view back");

    await page.focus("#level");
    await restate(page, () => page.keyboard.press("ArrowLeft"));
    assert.equal(await page.textContent("#title"), "Icosphere, level 3");
    await page.focus("input[name=pace]:checked");
    await page.keyboard.press("ArrowRight");
    await page.focus("#start");
    await page.keyboard.press("Enter");
    await state(page, "done", LONG);
    assert.match(await page.textContent("#status"), /^Done after \d+ iterations/);
  }),
);

test("the mouse turns the mesh, and a click lets the wheel zoom", { timeout: LONG }, () =>
  open(async (page) => {
    const box = await page.locator("#view").boundingBox();
    const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
    const before = await picture(page);
    await page.mouse.move(x, y);
    await page.mouse.wheel(0, -200);
    await page.waitForTimeout(500);
    assert.ok(before.equals(await picture(page)), "the wheel belongs to the page first");
    await page.mouse.down();
    await page.mouse.move(x + 120, y + 30, { steps: 5 });
    await page.mouse.up();
    await page.waitForTimeout(1500);
    const turned = await picture(page);
    assert.ok(!before.equals(turned), "dragging does not turn the mesh");
    await page.mouse.wheel(0, -200);
    await page.waitForTimeout(500);
    assert.ok(!turned.equals(await picture(page)), "the wheel does not zoom");
  }),
);

test("every field has a name", { timeout: LONG }, () =>
  open(async (page) => {
    const nameless = await page.$$eval("input, select, button", (fields) =>
      fields
        .filter((field) => !field.labels?.[0]?.textContent.trim() && !field.textContent.trim())
        .map((field) => field.outerHTML),
    );
    assert.deepEqual(nameless, []);
    assert.equal(await page.getAttribute("#status", "role"), "status");
  }),
);

test("a phone needs no sideways scroll", { timeout: LONG }, () =>
  open(
    async (page) => {
      await choose(page, "pace", "Full speed");
      await page.click("#start");
      await state(page, "done", LONG);
      await page.click("summary");
      const [content, screen] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
      assert.equal(screen, 360);
      assert.ok(content <= screen, `the content is ${content} wide`);
    },
    { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true },
  ),
);

test("dark and light follow the system, until one is chosen", { timeout: LONG }, () =>
  open(
    async (page) => {
      const brightness = () => page.evaluate(() => Number(/\d+/.exec(getComputedStyle(document.body).backgroundColor)));
      assert.ok((await brightness()) < 60);
      await page.emulateMedia({ colorScheme: "light" });
      await page.waitForSelector("[data-theme=light]");
      assert.ok((await brightness()) > 200);
      await page.click("#theme");
      await page.click("#theme");
      assert.equal(await page.textContent("#theme"), "Theme: dark");
      assert.ok((await brightness()) < 60);
      await page.reload();
      await state(page, "ready");
      assert.ok((await brightness()) < 60, "the choice is kept");
    },
    { colorScheme: "dark" },
  ),
);

/** Repaints that a solve asks for, and its iterations. */
async function repaints(page) {
  await page.evaluate(() => {
    const request = window.requestAnimationFrame.bind(window);
    window.asked = 0;
    window.requestAnimationFrame = (callback) => (window.asked++, request(callback));
  });
  await page.click("#start");
  await state(page, "done", LONG);
  await page.waitForTimeout(600);
  return page.evaluate(() => [window.asked, Number(document.getElementById("iteration").dataset.value)]);
}

test("with reduced motion the mesh steps instead of gliding", { timeout: LONG }, async () => {
  await open(
    async (page) => {
      // One for the numbers and one for the picture, for each point and for the start and the end.
      const [asked, iterations] = await repaints(page);
      assert.ok(asked <= 2 * (iterations + 3), `${asked} repaints for ${iterations} iterations`);
    },
    { reducedMotion: "reduce" },
  );
  // How often it is painted between two points depends on what else the machine has to do.
  for (let tries = 3; ; tries -= 1) {
    let asked, iterations;
    await open(async (page) => ([asked, iterations] = await repaints(page)));
    if (asked > 2 * (iterations + 3)) break;
    assert.ok(tries > 1, `${asked} repaints for ${iterations} iterations`);
  }
});
