// Numbers as text.

/** A count with separators. */
export function count(value: number): string {
  return value.toLocaleString("en");
}

/** A quantity with some significant digits; very large and very small ones with a power of ten. */
export function quantity(value: number, digits = 5): string {
  if (!Number.isFinite(value)) return "–";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e-3 && size < 1e6)
    return Number(value.toPrecision(digits)).toLocaleString("en", { maximumSignificantDigits: digits });
  const [mantissa, exponent] = value.toExponential(Math.min(digits, 3) - 1).split("e");
  return `${mantissa}·10${superscript(Number(exponent))}`;
}

/** A whole number, raised. */
export function superscript(value: number): string {
  return String(value).replace(/[-\d]/g, (digit) => (digit === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(digit)]!));
}

/** Seconds as ms or s. */
export function duration(seconds: number): string {
  if (seconds < 1) return `${(1000 * seconds).toPrecision(3)} ms`.replace(/^0\.00 ms$/, "0 ms");
  return `${seconds.toPrecision(3)} s`;
}

/** Bytes with a unit. */
export function bytes(value: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const power = Math.min(units.length - 1, value > 0 ? Math.floor(Math.log2(value) / 10) : 0);
  return `${Number((value / 1024 ** power).toPrecision(3))} ${units[power]}`;
}
