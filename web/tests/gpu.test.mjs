// Solves on WebGPU, on Chromium's software device: the same costs as natively, in single precision and in pairs.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { launch, open, serve } from "./harness.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));
let server, browser, page, errors;

before(async () => {
  server = await serve({ pkg: `${here}../pkg`, "": here });
  browser = await launch();
  ({ page, errors } = await open(browser, `${server.address}/blank.html`));
  await page.evaluate(async () => {
    globalThis.isograd = await import("/pkg/isograd.js");
    await isograd.default();
    globalThis.gpu = await isograd.Gpu.request();
  });
});

after(async () => {
  await browser?.close();
  await server?.close();
});

test("a device says what it is", async () => {
  const info = await page.evaluate(() => gpu.info);
  assert.ok(info.name.length > 0 && info.limits.maxBufferSize > 0 && info.precisions.includes("f32"), JSON.stringify(info));
});

for (const [precision, tolerance] of [["f32", 1e-6], ["double-f32", 1e-9]]) {
  test(`smooth in ${precision} ends at the native cost`, async () => {
    // What `isograd-demos icosphere --level 3` finds.
    const cost = 0.6879858339611;
    const { report, cost: after } = await page.evaluate(async (precision) => {
      const problem = isograd.Mesh.icosphere(3).problem("smooth");
      const options = { backend: "gpu", gpu, precision, functionTolerance: precision === "f32" ? 1e-8 : 1e-10, maxIterations: 100 };
      const report = await problem.solve(options);
      return { report, cost: problem.cost() };
    }, precision);
    assert.equal(report.backend.backend, "gpu", `${report.backend.reason} ${report.notes}`);
    assert.match(report.backend.device, /./);
    assert.equal(report.precision, precision, `${report.notes}`);
    assert.ok(Math.abs(report.finalCost - cost) <= tolerance * cost, `${report.finalCost}`);
    assert.ok(Math.abs(after - report.finalCost) <= 1e-12 * cost);
    assert.ok(report.device.dispatches > 0 && report.device.kernelsCompiled > 0);
  });
}

test("turns of a mesh's vertices are solved for on the device", async () => {
  const [report, judge] = await page.evaluate(async () => {
    const solved = (options) => isograd.Mesh.icosphere(1).problem("arap").solve({ functionTolerance: 1e-4, maxIterations: 30, ...options });
    return [await solved({ backend: "gpu", gpu, precision: "f32" }), await solved({ backend: "cpu" })];
  });
  assert.equal(report.backend.backend, "gpu", report.backend.reason);
  assert.ok(Math.abs(report.finalCost - judge.finalCost) <= 1e-3 * judge.finalCost, `${report.finalCost} ${judge.finalCost}`);
});

test("a template runs on the device, with a loss, and tells of its progress", async () => {
  const found = await page.evaluate(async () => {
    const points = 500;
    const build = () => {
      const problem = new isograd.Problem();
      const start = Float64Array.from({ length: 2 * points }, (_, k) => (k % 2 ? 0.3 * Math.sin(k) : 0.7 * (k / 2)));
      problem.addBlocks(2, start);
      const pairs = new Uint32Array(2 * (points - 1));
      for (let k = 0; k + 1 < points; k += 1) pairs.set([k, k + 1], 2 * k);
      const blocks = [{ name: "p", size: 2 }, { name: "q", size: 2 }];
      problem.addTemplate({ residuals: "hypot(p[0]-q[0], p[1]-q[1]) - 1", blocks, indices: pairs, loss: { name: "cauchy", width: 0.5 } });
      problem.addTemplate({ residuals: ["0.1*(p[0]-q[0]-1)", "p[1]-q[1]"], blocks, indices: pairs });
      return problem;
    };
    const costs = [];
    const problem = build();
    const options = { functionTolerance: 1e-6, maxIterations: 50 };
    const report = await problem.solve({ ...options, backend: "gpu", gpu, precision: "f32", onProgress: ({ cost, parameters }) => { costs.push([cost, parameters.length]); } });
    const judge = await build().solve({ ...options, backend: "cpu" });
    return { report, costs, judge };
  });
  const { report, costs, judge } = found;
  assert.equal(report.backend.backend, "gpu", report.backend.reason);
  assert.ok(Math.abs(report.finalCost - judge.finalCost) <= 1e-4 * judge.finalCost + 1e-6 * judge.initialCost, `${report.finalCost} ${judge.finalCost}`);
  assert.equal(costs.length, report.iterations.length);
  assert.ok(costs.every(([, length]) => length === 1000));
});

test("a solve on the device is stopped by a signal", async () => {
  const found = await page.evaluate(async () => {
    const problem = isograd.Mesh.icosphere(2).problem("sphere");
    const controller = new AbortController();
    const onProgress = ({ iteration }) => { if (iteration === 2) controller.abort(); };
    const report = await problem.solve({ backend: "gpu", gpu, precision: "f32", functionTolerance: 0, maxIterations: 1000, signal: controller.signal, onProgress });
    return [report.termination, report.iterations.length, problem.cost() < report.initialCost];
  });
  assert.deepEqual([found[0], found[2]], ["cancelled", true]);
  assert.ok(found[1] <= 5);
});

test("auto leaves a software device alone, and a small problem to the processor", async () => {
  const reports = await page.evaluate(async () => {
    const small = await isograd.Mesh.icosphere(1).problem("smooth").solve({ backend: "auto" });
    const large = await isograd.Mesh.icosphere(4).problem("smooth").solve({ backend: "auto", fallbackThreshold: 0 });
    return [small.backend, large.backend, gpu.info.kind];
  });
  const [small, large, kind] = reports;
  assert.equal(small.backend, "cpu");
  assert.equal(large.backend, kind === "software" ? "cpu" : "gpu", large.reason);
});

test("nothing was said on the console", () => assert.deepEqual(errors, []));
