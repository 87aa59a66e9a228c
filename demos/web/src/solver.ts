// The page's end of the worker: calls as promises, and frames of the solve that runs.

import type { CallName, Calls, Failure, Frame, ToPage, ToWorker } from "./messages.ts";

/** An error that came from the worker, with the code of the package. */
export class SolverError extends Error {
  readonly code: string | undefined;

  constructor(failure: Failure) {
    super(failure.message);
    this.name = "SolverError";
    this.code = failure.code;
  }
}

interface Waiting {
  resolve(value: Calls[CallName]["out"]): void;
  reject(error: unknown): void;
}

export class Solver {
  /** Called with each frame, before the answer of the solve. */
  onFrame: (frame: Frame) => void = () => {};
  readonly #worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module", name: "isograd" });
  readonly #waiting = new Map<number, Waiting>();
  #calls = 0;

  constructor() {
    this.#worker.onmessage = ({ data }: MessageEvent<ToPage>) => this.#hear(data);
    this.#worker.onerror = (event) => {
      // The script itself failed: no call will ever be answered.
      const error = new Error(event.message || "the worker could not be loaded");
      for (const { reject } of this.#waiting.values()) reject(error);
      this.#waiting.clear();
    };
  }

  /** Asks the worker; what `transfer` names moves there. */
  call<K extends CallName>(name: K, value: Calls[K]["in"], transfer: Transferable[] = []): Promise<Calls[K]["out"]> {
    const id = ++this.#calls;
    return new Promise<Calls[K]["out"]>((resolve, reject) => {
      this.#waiting.set(id, { resolve: resolve as Waiting["resolve"], reject });
      this.#worker.postMessage({ type: "call", id, name, value } as ToWorker, transfer);
    });
  }

  /** Gives a buffer of positions back, to be filled again. */
  recycle(buffer: Float32Array<ArrayBuffer>) {
    this.#worker.postMessage({ type: "recycle", buffer } satisfies ToWorker, [buffer.buffer]);
  }

  #hear(message: ToPage) {
    if (message.type === "frame") return this.onFrame(message.frame);
    const waiting = this.#waiting.get(message.id);
    this.#waiting.delete(message.id);
    if (message.type === "answer") waiting?.resolve(message.value);
    else waiting?.reject(new SolverError(message.failure));
  }
}
