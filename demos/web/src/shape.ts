// The shape of a mesh as its energies see it: no unused vertices, centred, mean edge length 1.

/** The shape of a mesh: the vertices that triangles use, about their mean, divided by the mean length of the triangles' edges. */
export function shapeOf(positions: Float64Array, triangles: Uint32Array): Float64Array {
  const used = new Uint8Array(positions.length / 3);
  for (const vertex of triangles) used[vertex] = 1;
  const vertices = used.reduce((sum, use) => sum + use, 0);
  const mean = [0, 0, 0];
  for (let i = 0; i < positions.length; i++) mean[i % 3]! += (used[Math.floor(i / 3)]! * positions[i]!) / vertices;
  const lengths = edgeLengths(edgesOf(triangles), positions);
  const scale = lengths.reduce((sum, length) => sum + length, 0) / lengths.length;
  const shape = new Float64Array(3 * vertices);
  let length = 0;
  for (let i = 0; i < positions.length; i++) {
    if (used[Math.floor(i / 3)]) shape[length++] = (positions[i]! - mean[i % 3]!) / scale;
  }
  return shape;
}

/** The edges of triangles, two vertices each, every edge once. */
export function edgesOf(triangles: Uint32Array): Uint32Array<ArrayBuffer> {
  // An edge as one number: vertices count to less than 2³², their pairs only to 2⁵³ where there are less than 94 million.
  const count = triangles.length;
  const keys = new Float64Array(count);
  const most = triangles.reduce((most, vertex) => Math.max(most, vertex), 0) + 1;
  for (let corner = 0; corner < count; corner++) {
    const next = corner % 3 === 2 ? corner - 2 : corner + 1;
    const a = triangles[corner]!;
    const b = triangles[next]!;
    keys[corner] = a < b ? a * most + b : b * most + a;
  }
  keys.sort();
  const edges = new Uint32Array(2 * count);
  let length = 0;
  for (let i = 0; i < count; i++) {
    const key = keys[i]!;
    if (i > 0 && key === keys[i - 1]) continue;
    edges[length++] = Math.floor(key / most);
    edges[length++] = key % most;
  }
  return edges.slice(0, length);
}

/** Length of each edge. */
export function edgeLengths(edges: Uint32Array, positions: ArrayLike<number>): Float64Array {
  const lengths = new Float64Array(edges.length / 2);
  for (let e = 0; e < lengths.length; e++) {
    const a = 3 * edges[2 * e]!;
    const b = 3 * edges[2 * e + 1]!;
    const x = positions[a]! - positions[b]!;
    const y = positions[a + 1]! - positions[b + 1]!;
    const z = positions[a + 2]! - positions[b + 2]!;
    lengths[e] = Math.sqrt(x * x + y * y + z * z);
  }
  return lengths;
}

/** Where a shape lies. */
export interface Extent {
  /** Middle of the box about it. */
  centre: [number, number, number];
  /** Largest distance of a vertex from the middle. */
  radius: number;
  /** How far below the middle it reaches. */
  depth: number;
}

export function extentOf(positions: ArrayLike<number>): Extent {
  const low = [Infinity, Infinity, Infinity];
  const high = [-Infinity, -Infinity, -Infinity];
  for (let i = 0; i < positions.length; i++) {
    low[i % 3] = Math.min(low[i % 3]!, positions[i]!);
    high[i % 3] = Math.max(high[i % 3]!, positions[i]!);
  }
  const centre = low.map((least, k) => (least + high[k]!) / 2) as Extent["centre"];
  return {
    centre,
    radius: radiusOf(Array.from(positions, (x, i) => x - centre[i % 3]!)) || 1,
    depth: centre[1] - low[1]!,
  };
}

/** Largest distance of a vertex from the origin. */
export function radiusOf(positions: ArrayLike<number>): number {
  let most = 0;
  for (let i = 0; i < positions.length; i += 3) {
    most = Math.max(most, positions[i]! ** 2 + positions[i + 1]! ** 2 + positions[i + 2]! ** 2);
  }
  return Math.sqrt(most);
}
