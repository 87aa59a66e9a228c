// The worker: owns the module, the mesh, the problem and the GPU, and answers calls of the page one by one.

import init from "isograd";
import { device } from "./device.ts";
import { failureOf } from "./failure.ts";
import { Live } from "./live.ts";
import type { CallName, Calls, ToPage, ToWorker } from "./messages.ts";
import { Timing } from "./timing.ts";

/** The part of a worker's scope that is used here; the types of pages and workers do not go together in one program. */
interface WorkerScope {
  onmessage: ((event: MessageEvent<ToWorker>) => void) | null;
  postMessage(message: ToPage, transfer: Transferable[]): void;
}

const scope = self as unknown as WorkerScope;
const ready = init();
const live = new Live((frame, transfer) => scope.postMessage({ type: "frame", frame }, transfer));
const timing = new Timing();

const answers: { [K in CallName]: (value: Calls[K]["in"]) => Calls[K]["out"] | Promise<Calls[K]["out"]> } = {
  device: async () => (await device()).device,
  state: ({ source, energy, start }) => live.state(energy, start, source),
  solve: (request) => live.solve(request),
  pace: (interval) => (live.gate.pace(interval), null),
  pause: () => (live.gate.pause(), null),
  resume: () => (live.gate.resume(), null),
  stop: async () => (await live.stop(), null),
  measure: (request) => timing.measure(request),
  stopMeasuring: () => (timing.stop(), null),
};

async function answer<K extends CallName>(id: number, name: K, value: Calls[K]["in"]) {
  try {
    await ready;
    const answer = await answers[name](value);
    scope.postMessage({ type: "answer", id, value: answer }, buffersOf(answer));
  } catch (error) {
    scope.postMessage({ type: "failure", id, failure: failureOf(error) }, []);
  }
}

/** The buffers of an answer's arrays, which move to the page instead of being copied. */
function buffersOf(answer: object | null): Transferable[] {
  return Object.values(answer ?? {}).flatMap((field: unknown) =>
    ArrayBuffer.isView(field) ? [field.buffer as ArrayBuffer] : [],
  );
}

scope.onmessage = ({ data }) => {
  if (data.type === "recycle") live.recycle(data.buffer);
  else void answer(data.id, data.name, data.value);
};
