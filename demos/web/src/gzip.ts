// Files that may be gzipped.

/** The bytes of a file, unpacked where they are gzip; the first two tell, not the name. */
export async function unpacked(file: File): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(await file.arrayBuffer());
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  try {
    return new Uint8Array(await new Response(stream).arrayBuffer());
  } catch {
    // What browsers say of it differs, and none says more.
    throw new Error("it is gzipped, but was cut or damaged");
  }
}
