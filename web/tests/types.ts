// Not run: compiled against the package's types, whose names and shapes it uses as a program would.
import init, { Gpu, Mesh, Problem } from "isograd";
import type { Backend, DeviceInfo, Energy, IsogradError, Progress, Report, SolveOptions, Template } from "isograd";

export async function all(signal: AbortSignal): Promise<number> {
  await init();
  const gpu: Gpu = await Gpu.request();
  const info: DeviceInfo = gpu.info;
  const backend: Backend = info.kind === "software" ? "cpu" : "gpu";
  const energy: Energy = "smooth";
  const mesh = Mesh.icosphere(3).problem(energy);
  const onProgress = async ({ iteration, parameters }: Progress): Promise<boolean> => iteration < parameters.length;
  const options: SolveOptions = { backend, gpu, precision: "double-f32", onProgress, signal };
  const report: Report = await mesh.solve(options);
  mesh.setPositions(mesh.positions());
  const template: Template = { residuals: ["x - 1"], blocks: [{ name: "x" }], indices: new Uint32Array([0]), loss: { name: "huber", width: 2 } };
  const problem = new Problem();
  const first: number = problem.addBlocks(1, new Float64Array([0]));
  const residuals: number = problem.addTemplate(template);
  problem.fix(first);
  try {
    await problem.solve();
  } catch (error) {
    const code: IsogradError["code"] = (error as IsogradError).code;
    if (code === "invalid-problem") return residuals;
  }
  // @ts-expect-error: there is no such backend.
  await problem.solve({ backend: "tpu" });
  const view: Float64Array = problem.parameters();
  return report.finalCost + report.iterations[0].cost + view.length;
}
