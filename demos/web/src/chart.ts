// Charts with logarithmic scales, in the colours of the style sheet.

import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { superscript } from "./format.ts";

/** Numbers of a chart: x, then y of each series; `null` is a gap. */
export type Columns = [number[], ...(number | null)[][]];

export interface ChartOptions {
  /** Names of the axes, where the caption does not tell. */
  x: string;
  y?: string;
  /** Whether x is logarithmic; y always is. */
  logarithmic: boolean;
  /** Name and colour, a custom property, of each series. */
  series: { name: string; color: string }[];
}

export class Chart {
  readonly #plot: uPlot;

  constructor(
    readonly host: HTMLElement,
    options: ChartOptions,
  ) {
    const color = (name: string) => () => getComputedStyle(host).getPropertyValue(name).trim();
    const font = `12px ${getComputedStyle(host).fontFamily}`;
    const axis: uPlot.Axis = {
      stroke: color("--muted"),
      grid: { stroke: color("--line"), width: 1 },
      ticks: { stroke: color("--line"), width: 1, size: 4 },
      font,
      labelFont: font,
      labelSize: 18,
      gap: 4,
    };
    const filter = (_plot: uPlot, splits: number[]) =>
      splits.map((value) => (exponentOf(value) === undefined ? null : value));
    const logarithmic: uPlot.Axis = {
      values: powers,
      filter,
      grid: { ...axis.grid, filter },
      ticks: { ...axis.ticks, filter },
    };
    this.#plot = new uPlot(
      {
        ...sizeOf(host),
        padding: [8, 20, 0, 0],
        legend: { show: false },
        cursor: { show: false },
        scales: {
          x: options.logarithmic
            ? { time: false, distr: 3 }
            : { time: false, range: (_, least, most) => [least, Math.max(most, least + 5)] },
          y: { distr: 3 },
        },
        axes: [
          {
            ...axis,
            label: options.x,
            size: 26,
            ...(options.logarithmic ? logarithmic : { incrs: [1, 2, 5, 10, 20, 50, 100, 200] }),
          },
          { ...axis, ...(options.y && { label: options.y }), size: 44, ...logarithmic },
        ],
        series: [
          {},
          ...options.series.map(({ name, color: property }) => ({
            label: name,
            stroke: color(property),
            width: 2,
            spanGaps: true,
            points: { show: true, size: 6, fill: color(property), stroke: color(property) },
          })),
        ],
      },
      [[], ...options.series.map(() => [])],
      host,
    );
    new ResizeObserver(() => this.#plot.setSize(sizeOf(host))).observe(host);
  }

  /** Shows other numbers. */
  set(columns: Columns) {
    this.#plot.setData(columns);
  }

  /** Draws again, in the colours of today. */
  paint() {
    this.#plot.redraw(false, true);
  }

  /** What the picture says, for those who do not see it. */
  describe(text: string) {
    this.host.setAttribute("aria-label", text);
  }
}

function sizeOf(host: HTMLElement) {
  return { width: Math.max(120, host.clientWidth), height: Math.max(120, host.clientHeight) };
}

/** The exponent of a power of ten; other numbers have none. */
function exponentOf(value: number | null): number | undefined {
  if (!value) return undefined;
  const exponent = Math.round(Math.log10(value));
  return Math.abs(value / 10 ** exponent - 1) < 1e-9 ? exponent : undefined;
}

/** Powers of ten with a label, what is between them without. */
function powers(_plot: uPlot, splits: number[]): string[] {
  return splits.map((value) => {
    const exponent = exponentOf(value);
    if (exponent === undefined) return "";
    return exponent >= 0 && exponent <= 3 ? String(value) : `10${superscript(exponent)}`;
  });
}
