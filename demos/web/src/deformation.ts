// Points to start from, other than the one that an energy states. They depend on the shape alone: the same every time.

import type { Start } from "./messages.ts";
import { radiusOf } from "./shape.ts";

/** The deformed shape. */
export function deform(shape: Float64Array, { deformation, strength }: Start): Float64Array<ArrayBuffer> {
  const positions = Float64Array.from(shape);
  switch (deformation) {
    case "waves":
      waves(positions, strength);
      break;
    case "noise":
      noise(positions, strength);
      break;
  }
  return positions;
}

/** Moves vertices outwards and inwards, by `strength` of their distance at most, in a few lobes. */
function waves(positions: Float64Array, strength: number) {
  const radius = radiusOf(positions) || 1;
  for (let i = 0; i < positions.length; i += 3) {
    const [x, y, z] = [positions[i]! / radius, positions[i + 1]! / radius, positions[i + 2]! / radius];
    const wave = Math.sin(5 * x + 1) * Math.sin(4 * y + 2) + Math.sin(6 * z) * Math.cos(3 * x);
    const factor = 1 + (strength * wave) / 2;
    for (let k = 0; k < 3; k++) positions[i + k]! *= factor;
  }
}

/** Moves each component by up to `strength`, evenly distributed. */
function noise(positions: Float64Array, strength: number) {
  // The generator "mulberry32", with a fixed seed.
  let state = 1;
  for (let i = 0; i < positions.length; i++) {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), 1 | state);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
    const uniform = ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 31 - 1;
    positions[i]! += strength * uniform;
  }
}
