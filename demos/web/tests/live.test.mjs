// The live solve: frames, pause, reset, and the costs that it ends with.

import assert from "node:assert/strict";
import { test } from "node:test";
import { browser, choose, level, LONG, number, restate, state } from "./browser/page.mjs";

/** Optimal costs of icosphere 3 by Ceres 2.1 with tolerances 1e-12 ("icosphere:3#smooth" and "#stretch" of the project's reference costs). */
const REFERENCE = { smooth: 0.6879858339611243, stretch: 0.10336395684093033 };
/** Costs at the start that these energies state, from the same source. */
const INITIAL = { smooth: 90.51735940080431, stretch: 130.22541609396106 };

const open = browser({ webgpu: true });

/** Icosphere 3 with an energy, at the start that the energy states. */
async function prepare(page, energy, backend) {
  await level(page, 3);
  await restate(page, () => page.selectOption("#deformation", "stated"));
  if (energy !== "smooth") await restate(page, () => page.selectOption("#energy", energy));
  await choose(page, "backend", backend);
  await choose(page, "pace", "Full speed");
}

/** A small problem of many iterations, at the pace to watch. */
async function slowly(page) {
  await level(page, 3);
  await restate(page, () => page.selectOption("#energy", "sphere"));
  await choose(page, "backend", "CPU");
}

function near(actual, expected, tolerance) {
  assert.ok(Math.abs(actual - expected) <= tolerance * expected, `${actual} instead of ${expected}`);
}

for (const [backend, energy] of [
  ["CPU", "smooth"],
  ["CPU", "stretch"],
  ["GPU", "smooth"],
]) {
  test(`${energy} on the ${backend} ends at the reference cost`, { timeout: LONG }, () =>
    open(async (page) => {
      await prepare(page, energy, backend);
      near(await number(page, "cost"), INITIAL[energy], 1e-12);
      await page.click("#start");
      await state(page, "done", LONG);
      near(await number(page, "cost"), REFERENCE[energy], 1e-6);
      assert.match(await page.textContent("#backend-used"), new RegExp(`^Solved on: ${backend}`));
    }),
  );
}

test("frames follow the iterations, one by one", { timeout: LONG }, () =>
  open(async (page) => {
    await slowly(page);
    // What the page shows at each repaint, and the picture.
    await page.evaluate(() => {
      window.shown = [];
      new MutationObserver(() => window.shown.push(Number(document.getElementById("iteration").dataset.value))).observe(
        document.getElementById("iteration"),
        { attributes: true },
      );
    });
    const picture = () => page.locator("#view canvas").screenshot();
    const pictures = [await picture()];
    await page.click("#start");
    await page.waitForFunction(() => window.shown.at(-1) === 1);
    pictures.push(await picture());
    await state(page, "done", LONG);
    await page.waitForTimeout(500);
    pictures.push(await picture());
    const shown = [...new Set(await page.evaluate(() => window.shown))];
    // A machine that draws slowly may skip some, but never goes back.
    assert.ok(shown.length > 10, `only ${shown.length} iterations were shown`);
    assert.ok(
      shown.every((iteration, index) => index === 0 || iteration > shown[index - 1]),
      String(shown),
    );
    assert.ok(!pictures[0].equals(pictures[1]) && !pictures[1].equals(pictures[2]), "the picture does not move");
    await page.click("summary");
    await page.waitForSelector("#iterations tbody tr");
    assert.equal(await page.locator("#iterations tbody tr").count(), shown.at(-1) + 1, "the table has all of them");
  }),
);

test("large meshes get the solver that is fast in a browser, unless one was chosen", { timeout: LONG }, () =>
  open(async (page) => {
    assert.equal(await page.inputValue("#linear-solver"), "auto");
    await level(page, 5);
    assert.equal(await page.inputValue("#linear-solver"), "pcg");
    await page.selectOption("#linear-solver", "sparse-cholesky");
    await level(page, 4);
    assert.equal(await page.inputValue("#linear-solver"), "sparse-cholesky");
  }),
);

test("pause holds the solve, and it goes on from there", { timeout: LONG }, () =>
  open(async (page) => {
    await slowly(page);
    const start = await number(page, "cost");
    await page.click("#start");
    await page.waitForFunction(() => Number(document.getElementById("iteration").dataset.value) >= 1);
    await page.click("#start");
    await state(page, "paused");
    await page.waitForTimeout(300);
    const [held, cost] = [await number(page, "iteration"), await number(page, "cost")];
    await page.waitForTimeout(1000);
    assert.equal(await number(page, "iteration"), held);
    assert.ok(cost < start);
    await choose(page, "pace", "Full speed");
    await page.click("#start");
    await state(page, "done", LONG);
    assert.ok((await number(page, "iteration")) > held);
    assert.ok((await number(page, "cost")) < cost);
  }),
);

test("reset ends a running solve and goes back to the start", { timeout: LONG }, () =>
  open(async (page) => {
    await slowly(page);
    const start = await number(page, "cost");
    await page.click("#start");
    await page.waitForFunction(() => Number(document.getElementById("iteration").dataset.value) >= 1);
    await page.click("#reset");
    await state(page, "ready");
    assert.equal(await number(page, "cost"), start);
    assert.equal(await number(page, "iteration"), 0);
    await choose(page, "pace", "Full speed");
    await page.click("#start");
    await state(page, "done", LONG);
    assert.ok((await number(page, "cost")) < start);
  }),
);

test("the developable energy bends an icosphere", { timeout: LONG }, () =>
  open(async (page) => {
    await level(page, 2);
    await restate(page, () => page.selectOption("#energy", "developable"));
    await choose(page, "backend", "CPU");
    await choose(page, "pace", "Full speed");
    await page.click("#start");
    await state(page, "done", LONG);
    const status = await page.textContent("#status");
    const [, before, after] = /Energy ([\d.]+) → ([\d.]+)/.exec(status) ?? assert.fail(status);
    assert.ok(Number(after) < 0.3 * Number(before), status);
  }),
);
