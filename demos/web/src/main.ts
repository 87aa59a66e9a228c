// The page: puts its parts together.

import type { Backend, Energy, LinearSolver, Precision } from "isograd";
import "./style.css";
import { Benchmark } from "./benchmark.ts";
import { showDevice } from "./device-panel.ts";
import { chosen, element } from "./dom.ts";
import type { Stated } from "./messages.ts";
import { ProblemForm } from "./problem.ts";
import { Run } from "./run.ts";
import { View } from "./scene.ts";
import { Solver } from "./solver.ts";
import { theme } from "./theme.ts";

const solver = new Solver();
const view = makeView();
const precision = element("precision", HTMLSelectElement);
const linearSolver = element("linear-solver", HTMLSelectElement);
const backend = element("backend", HTMLFieldSetElement);
let hasGpu = false;

const run = new Run(solver, view, () => ({
  backend: chosen(backend) as Backend,
  precision: precision.value as Precision,
  linearSolver: linearSolver.value as LinearSolver,
}));
const benchmark = new Benchmark(
  solver,
  () => precision.value as Precision,
  () => hasGpu,
  async (busy) => {
    // Whatever else the worker or the processor does would be in the times.
    if (busy) await run.pause();
    run.allowed = !busy;
    element("controls", HTMLFormElement).inert = busy;
  },
);
const problem = new ProblemForm(solver, view, (stated, energy) => {
  suggestLinearSolver(stated, energy);
  run.set(stated);
});

theme((dark) => {
  view?.paint(dark);
  run.paint();
  benchmark.paint();
});

const looks = {
  edges: element("edges", HTMLInputElement),
  smooth: element("smooth", HTMLInputElement),
  colors: element("colors", HTMLInputElement),
};
for (const box of Object.values(looks)) {
  box.addEventListener("change", () => {
    view?.dress({ edges: looks.edges.checked, smooth: looks.smooth.checked, colors: looks.colors.checked });
    element("legend", HTMLElement).hidden = !looks.colors.checked;
  });
}

// The first call also tells whether the module is there at all.
solver.call("device", null).then(
  (device) => {
    hasGpu = device.found;
    showDevice(device);
    problem.icosphere();
  },
  (error: unknown) => {
    element("fatal", HTMLElement).textContent =
      `The solver's module could not be loaded: ${error instanceof Error ? error.message : String(error)}. It needs a browser with WebAssembly; if the page was built without it, build it by scripts/web.`;
  },
);

/** Residuals from which factors are slow to compute in WebAssembly, on one thread. */
const MANY = 40_000;
let suggests = true;
linearSolver.addEventListener("change", () => (suggests = false));

/**
 * Until somebody chooses a linear solver, the form shows the one that keeps large meshes lively: level 5 takes seconds to factorise.
 * The other energies are too stiff for conjugate gradients.
 */
function suggestLinearSolver({ residuals }: Stated, energy: Energy) {
  if (!suggests) return;
  const easy = energy === "smooth" || energy === "stretch" || energy === "sphere";
  linearSolver.value = easy && residuals > MANY ? "pcg" : "auto";
}

/** The view; without WebGL the page does everything but draw. */
function makeView(): View | undefined {
  try {
    return new View(element("view", HTMLElement), (buffer) => solver.recycle(buffer));
  } catch (error) {
    const note = element("no-webgl", HTMLElement);
    note.textContent = `There is no picture, as this browser has no WebGL (${error instanceof Error ? error.message : String(error)}). The solver works all the same.`;
    note.hidden = false;
    return undefined;
  }
}
