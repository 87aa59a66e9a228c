// The package in a headless Chromium, as scripts/web built it: solves on the processor, templates, progress, cancellation, errors.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { launch, open, serve } from "./harness.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));
let server, browser, page, errors;

before(async () => {
  server = await serve({ pkg: `${here}../pkg`, data: `${here}../../tests/data`, "": here });
  browser = await launch({ gpu: false });
  ({ page, errors } = await open(browser, `${server.address}/blank.html`));
  await page.evaluate(async () => {
    globalThis.isograd = await import("/pkg/isograd.js");
    await isograd.default();
    // What something throws or rejects with, as plain data.
    globalThis.caught = async (action) => {
      try {
        await action();
        return undefined;
      } catch (error) {
        return { isError: error instanceof Error, code: error.code, message: error.message };
      }
    };
  });
});

after(async () => {
  await browser?.close();
  await server?.close();
});

/** Costs that the native program finds, `isograd-demos icosphere --level 3`. */
const NATIVE = { smooth: 0.6879858339611, stretch: 0.1033639568409, sphere: 10.7470474509574, arap: 40.3721916222914 };

for (const [energy, cost] of Object.entries(NATIVE)) {
  test(`${energy} ends at the native cost`, async () => {
    const report = await page.evaluate(async (energy) => {
      const mesh = isograd.Mesh.icosphere(3);
      const problem = mesh.problem(energy);
      const before = problem.cost();
      const report = await problem.solve({ backend: "cpu", functionTolerance: 1e-12, maxIterations: 200 });
      return { ...report, before, after: problem.cost(), moved: problem.positions().length };
    }, energy);
    assert.ok(Math.abs(report.finalCost - cost) <= 1e-6 * cost, `${report.finalCost}`);
    assert.equal(report.before, report.initialCost);
    assert.ok(Math.abs(report.after - report.finalCost) <= 1e-12 * cost);
    assert.equal(report.moved, 3 * 642);
    assert.equal(report.backend.backend, "cpu");
    assert.match(report.termination, /tolerance$|precision-limit/);
    assert.match(report.text, /isograd solver report/);
  });
}

test("a mesh becomes developable, from coarse to fine", async () => {
  const { report, stages, lengths, cost } = await page.evaluate(async () => {
    const problem = isograd.Mesh.icosphere(2).problem("developable");
    const stages = new Set(), lengths = new Set();
    const onProgress = (progress) => {
      stages.add(progress.stage.level);
      lengths.add(progress.parameters.length);
    };
    const report = await problem.solve({ onProgress });
    return { report, stages: [...stages], lengths: [...lengths], cost: problem.cost() };
  });
  assert.deepEqual(stages, [0, 1]);
  assert.deepEqual(lengths, [3 * 162]);
  assert.ok(report.developable.energyAfter < 0.7 * report.developable.energyBefore, JSON.stringify(report.developable));
  assert.equal(cost, report.developable.energyAfter);
  assert.ok(report.iterations.every((record, k) => record.iteration === k));
});

test("a mesh file is read, and its faults are named", async () => {
  const { faces, errors } = await page.evaluate(async () => {
    const file = new Uint8Array(await (await fetch("/data/ripple.off")).arrayBuffer());
    const mesh = isograd.Mesh.parse(file, "ripple.off");
    const text = (text) => new TextEncoder().encode(text);
    return {
      faces: [mesh.faces, mesh.triangles().length, Math.max(...mesh.triangles()) < mesh.vertices, mesh.positions().length === 3 * mesh.vertices],
      errors: [
        await caught(() => isograd.Mesh.parse(file, "ripple.stl")),
        await caught(() => isograd.Mesh.parse(text("v 0 0 0\nv 1 0 zero\n"), "bad.obj")),
        await caught(() => isograd.Mesh.parse(text("v 0 0 0\nf 1 1 1\n"), "no-edges.obj").problem("smooth")),
        await caught(() => isograd.Mesh.icosphere(40)),
        await caught(() => isograd.Mesh.parse(new Uint8Array([0x1f, 0x8b, 8]), "packed.off.gz")),
      ],
    };
  });
  assert.ok(faces[0] > 0 && faces[1] >= 3 * faces[0] && faces[2] && faces[3]);
  assert.deepEqual(errors.map((error) => error.code), ["unknown-format", "unreadable-file", "invalid-mesh", "invalid-argument", "unreadable-file"]);
  assert.match(errors[4].message, /DecompressionStream/);
  assert.match(errors[1].message, /bad\.obj, line 2/);
});

test("a template of texts is fitted", async () => {
  const { residuals, rate, report, iterations, view } = await page.evaluate(async () => {
    // y = 2 exp(-0.7 x) over [0, 5), with one observation far off.
    const rows = 200;
    const values = new Float64Array(2 * rows);
    for (let row = 0; row < rows; row += 1) values.set([row / 40, 2 * Math.exp((-0.7 * row) / 40)], 2 * row);
    values[2 * 17 + 1] += 30;
    const problem = new isograd.Problem();
    const block = problem.addBlocks(2, new Float64Array([1, -0.1]));
    const residuals = problem.addTemplate({
      residuals: "b[0]*exp(b[1]*x) - y",
      blocks: [{ name: "b", size: 2 }],
      indices: new Uint32Array(rows).fill(block),
      data: { names: ["x", "y"], values },
      loss: { name: "geman-mcclure", width: 0.1 },
    });
    const iterations = [];
    const report = await problem.solve({
      backend: "auto",
      functionTolerance: 1e-15,
      onProgress: async (progress) => {
        iterations.push({ cost: progress.cost, rate: progress.parameters[1] });
        await new Promise((resolve) => setTimeout(resolve, 1));
      },
    });
    const view = problem.parameters();
    return { residuals, rate: [...view], report, iterations, view: view instanceof Float64Array };
  });
  assert.equal(residuals, 200);
  assert.ok(view);
  assert.ok(Math.abs(rate[0] - 2) < 1e-3 && Math.abs(rate[1] + 0.7) < 1e-3, `${rate}`);
  assert.equal(iterations.length, report.iterations.length);
  assert.deepEqual(iterations.map((i) => i.cost), report.iterations.map((i) => i.cost));
  assert.equal(iterations.at(-1).rate, rate[1]);
  assert.equal(iterations[0].rate, -0.1);
});

test("several blocks, fixed ones and bounds", async () => {
  const { found, cost, bounded } = await page.evaluate(async () => {
    // A chain of points 1 apart whose ends are held 3 apart.
    const problem = new isograd.Problem();
    problem.addBlocks(2, new Float64Array([0, 0, 1, 0.5, 2, 0.5, 3, 0]));
    problem.addTemplate({
      residuals: ["hypot(p[0]-q[0], p[1]-q[1]) - length"],
      blocks: [{ name: "p", size: 2 }, { name: "q", size: 2 }],
      indices: new Uint32Array([0, 1, 1, 2, 2, 3]),
      data: { names: ["length"], values: new Float64Array([1, 1, 1]) },
    });
    problem.fix(0);
    problem.fix(3);
    problem.setParameters(new Float64Array([0, 0, 1, 0.4, 2, 0.3, 3, 0]));
    await problem.solve();
    const scalar = new isograd.Problem();
    const x = scalar.addBlocks(1, new Float64Array([0.5]));
    scalar.addTemplate({ residuals: "x - 3", blocks: [{ name: "x" }], indices: new Uint32Array([x]) });
    scalar.setBounds(x, 0, -1, 1);
    const report = await scalar.solve();
    return { found: [...problem.parameters()], cost: problem.cost(), bounded: [scalar.parameters()[0], report.finalCost] };
  });
  assert.deepEqual(found.slice(0, 2), [0, 0]);
  assert.deepEqual(found.slice(6), [3, 0]);
  assert.ok(cost < 1e-6, `${cost}`);
  assert.deepEqual(bounded, [1, 2]);
});

test("errors have codes and say what is wrong", async () => {
  const found = await page.evaluate(async () => {
    const problem = new isograd.Problem();
    const empty = await caught(() => problem.solve());
    problem.addBlocks(2, new Float64Array([1, 2, 3, 4]));
    const template = { residuals: "p[0] - 1", blocks: [{ name: "p", size: 2 }], indices: new Uint32Array([0]) };
    const add = (change) => caught(() => problem.addTemplate({ ...template, ...change }));
    const errors = {
      empty,
      text: await add({ residuals: "p[0] -* 1" }),
      name: await add({ residuals: ["p[0]", "q"] }),
      twice: await add({ blocks: [{ name: "p", size: 2 }, { name: "p" }] }),
      block: await add({ indices: new Uint32Array([2]) }),
      ragged: await add({ data: { names: ["a", "b"], values: new Float64Array(3) } }),
      type: await add({ indices: [0] }),
      loss: await add({ loss: { name: "square" } }),
      size: await caught(() => problem.addBlocks(3, new Float64Array(4))),
      nan: await caught(() => problem.addBlocks(1, new Float64Array([NaN]))),
      fix: await caught(() => problem.fix(2)),
      set: await caught(() => problem.setParameters(new Float64Array(3))),
    };
    const before = [...problem.parameters()];
    errors.half = await caught(() => problem.setParameters(new Float64Array([9, 9, NaN, 9])));
    const kept = JSON.stringify(before) === JSON.stringify([...problem.parameters()]);
    problem.addTemplate({ ...template, residuals: "log(p[0] - 1)" });
    errors.infinite = await caught(() => problem.solve());
    errors.option = await caught(() => problem.solve({ functionTolerance: -1 }));
    errors.choice = await caught(() => problem.solve({ backend: "tpu" }));
    errors.count = await caught(() => problem.solve({ maxIterations: 1.5 }));
    errors.gpu = await caught(() => isograd.Gpu.request());
    errors.backend = await caught(() => problem.solve({ backend: "gpu" }));
    errors.energy = await caught(() => isograd.Mesh.icosphere(1).problem("flat"));
    return { errors, kept, again: problem.residuals };
  });
  assert.ok(found.kept);
  assert.equal(found.again, 1);
  const expected = {
    empty: ["empty-problem", /no parameters/], text: ["invalid-formula", /residual 0, line 1, column 7/],
    name: ["invalid-formula", /residual 1.*"q"/], twice: ["invalid-argument", /"p/], block: ["invalid-argument", /no block 2/],
    ragged: ["invalid-problem", /3 entries/], type: ["invalid-argument", /indices is no Uint32Array/], loss: ["invalid-argument", /"huber"/],
    size: ["invalid-problem", /4/], nan: ["invalid-problem", /NaN/], fix: ["invalid-argument", /block 2/], set: ["invalid-argument", /4 parameters/],
    half: ["invalid-problem", /NaN/], infinite: ["not-finite", /ln of 0/], option: ["invalid-option", /function_tolerance/],
    choice: ["invalid-argument", /"gpu"/], count: ["invalid-argument", /maxIterations/], gpu: ["no-gpu", /WebGPU/], backend: ["no-gpu", /./],
    energy: ["invalid-argument", /developable/],
  };
  for (const [name, [code, message]] of Object.entries(expected)) {
    const error = found.errors[name];
    assert.ok(error?.isError, `${name}: no error`);
    assert.equal(error.code, code, `${name}: ${error.message}`);
    assert.match(error.message, message, name);
  }
});

test("a solve is stopped by its callback, by a signal and by time", async () => {
  const found = await page.evaluate(async () => {
    const mesh = isograd.Mesh.icosphere(4);
    const stopped = async (options) => {
      const problem = mesh.problem("sphere");
      const report = await problem.solve({ backend: "cpu", functionTolerance: 0, parameterTolerance: 0, maxIterations: 1e4, ...options });
      return [report.termination, report.iterations.length, report.finalCost < report.initialCost, problem.cost() - report.finalCost];
    };
    // The timer goes off only if the solve lets the event loop turn.
    const controller = new AbortController();
    const abortSoon = ({ iteration }) => {
      if (iteration === 2) setTimeout(() => controller.abort(), 0);
    };
    const early = new AbortController();
    early.abort();
    return {
      callback: await stopped({ onProgress: ({ iteration }) => iteration < 3 }),
      promise: await stopped({ onProgress: async ({ iteration }) => iteration < 2 }),
      signal: await stopped({ signal: controller.signal, onProgress: abortSoon }),
      early: await stopped({ signal: early.signal }),
      time: await stopped({ maxTimeSeconds: 0.5 }),
    };
  });
  for (const name of ["callback", "promise", "signal"]) {
    assert.deepEqual([found[name][0], found[name][2]], ["cancelled", true], `${name}: ${found[name]}`);
    assert.ok(Math.abs(found[name][3]) < 1e-9);
  }
  assert.equal(found.callback[1], 4);
  assert.equal(found.promise[1], 3);
  assert.ok(found.signal[1] < 100, `${found.signal}`);
  assert.deepEqual(found.early.slice(0, 2), ["cancelled", 1]);
  assert.equal(found.time[0], "time-limit");
});

test("what a callback throws, the solve rejects with, and the problem stays usable", async () => {
  const found = await page.evaluate(async () => {
    const problem = isograd.Mesh.icosphere(2).problem("smooth");
    const thrown = await caught(() => problem.solve({ onProgress: () => { throw new RangeError("mine"); } }));
    const rejected = await caught(() => problem.solve({ onProgress: async () => { throw new Error("later"); } }));
    let during;
    const running = problem.solve({ backend: "cpu", onProgress: async () => { during ??= await caught(() => problem.cost()); } });
    const twice = await caught(() => problem.solve());
    const report = await running;
    problem.free();
    return { thrown, rejected, during, twice, termination: report.termination };
  });
  assert.equal(found.thrown.message, "mine");
  assert.equal(found.rejected.message, "later");
  assert.equal(found.during.code, "busy");
  assert.equal(found.twice.code, "busy");
  assert.match(found.termination, /tolerance$/);
});

test("a module worker can use it, and hears messages while it solves", async () => {
  const found = await page.evaluate(async () => {
    const text = `
      import init, { Mesh } from "${location.origin}/pkg/isograd.js";
      const controller = new AbortController();
      self.onmessage = () => controller.abort();
      await init();
      const problem = Mesh.icosphere(4).problem("sphere");
      const onProgress = ({ iteration }) => { if (iteration === 2) self.postMessage("two"); };
      const options = { backend: "cpu", functionTolerance: 0, parameterTolerance: 0, maxIterations: 1e4, onProgress, signal: controller.signal };
      const report = await problem.solve(options);
      self.postMessage({ termination: report.termination, iterations: report.iterations.length });`;
    const worker = new Worker(URL.createObjectURL(new Blob([text], { type: "text/javascript" })), { type: "module" });
    return new Promise((resolve, reject) => {
      worker.onerror = (event) => reject(new Error(event.message));
      worker.onmessage = ({ data }) => (data === "two" ? worker.postMessage("stop") : resolve(data));
    });
  });
  assert.equal(found.termination, "cancelled");
  assert.ok(found.iterations < 1000);
});

test("the README's example is what it says", async () => {
  const readme = await readFile(`${here}../README.md`, "utf8");
  const example = readme.match(/```js\n([^]*?)```/)[1].replace('from "isograd"', 'from "/pkg/isograd.js"');
  const logged = await page.evaluate(async (text) => {
    const lines = [];
    const own = console.log;
    console.log = (...words) => lines.push(words.join(" "));
    try {
      await import(URL.createObjectURL(new Blob([text.replace('"/pkg', `"${location.origin}/pkg`)], { type: "text/javascript" })));
    } finally {
      console.log = own;
    }
    return lines;
  }, example);
  for (const line of example.matchAll(/\/\/ prints (.*)/g)) assert.ok(logged.includes(line[1]), `${logged}`);
  assert.ok(logged.length > 0);
});

test("nothing was said on the console", () => assert.deepEqual(errors, []));
