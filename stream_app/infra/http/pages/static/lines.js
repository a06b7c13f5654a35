// Lines over time, by uPlot. Points are columns: times [s], then values, null where there is none.
/* global uPlot */
import { h, show } from "./dom.js";
import { day, timeToMinute } from "./quantities.js";

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const drawn = new Set();
// So few points are marked, since a line hardly shows; one alone stands in the middle of as much time on both sides [s].
const FEW = 3;
const ALONE_S = 900;

addEventListener("theme", () => drawn.forEach((plot) => plot.redraw()));

const band = (hex, share) => `color-mix(in srgb, ${hex} ${share}%, transparent)`;

export class Lines {
  // series: [{label, colour, written, band: [lowIndex, highIndex]?, hidden?, dash?, points?, scale?}]
  constructor(container, series, { height = 240, range = null, alt, steps = false } = {}) {
    this.container = container;
    this.series = series;
    this.options = { height, range, alt, steps };
    this.plot = null;
    drawn.add(this);
    this.observer = new ResizeObserver(() => this.plot?.setSize({ width: this.width(), height }));
    this.observer.observe(container);
  }

  width() {
    return Math.max(240, Math.floor(this.container.clientWidth));
  }

  set(data, empty = "Nothing to draw yet: the first window is not closed.") {
    this.data = data;
    this.emptyText = empty;
    const hasPoints = data[0].length > 0 && data.slice(1).some((column) => column.some((value) => value !== null));
    if (!hasPoints) {
      this.plot?.destroy();
      this.plot = null;
      show(this.container, h("p", { class: "empty" }, empty));
    } else if (this.plot) {
      this.plot.setData(data);
      this.last();
    } else {
      this.draw();
    }
  }

  // Without a pointer over it, the legend shows the newest values.
  last() {
    if (!this.plot.over.matches(":hover")) this.plot.setLegend({ idx: this.data[0].length - 1 }, false);
  }

  redraw() {
    if (!this.plot) return;
    this.plot.destroy();
    this.plot = null;
    this.draw();
  }

  draw() {
    const { height, range, alt, steps } = this.options;
    this.container.replaceChildren();
    const axis = { stroke: colour("soft"), grid: { stroke: colour("line"), width: 1 }, ticks: { stroke: colour("line"), width: 1 }, font: "12px system-ui, sans-serif" };
    const scales = [...new Set(this.series.map((each) => each.scale ?? "y"))];
    const options = {
      width: this.width(),
      height,
      scales: { x: { time: true, range: (_, low, high) => (low === high ? [low - ALONE_S, high + ALONE_S] : [low, high]) }, ...Object.fromEntries(scales.map((name) => [name, { range: this.series.find((each) => (each.scale ?? "y") === name).range ?? range ?? undefined }])) },
      cursor: { drag: { x: true, y: false } },
      series: [
        { value: (_, s) => (s === null || s === undefined ? "–" : timeToMinute(s * 1000)) },
        ...this.series.map((each) => ({
          label: each.label,
          scale: each.scale ?? "y",
          stroke: each.hidden ? "transparent" : colour(each.colour),
          width: each.hidden ? 0 : 2,
          dash: each.dash,
          fill: each.fill ? band(colour(each.colour), 14) : undefined,
          points: { show: each.points ?? (each.hidden ? false : (plot) => plot.data[0].length < FEW), size: 6, fill: colour(each.colour) },
          paths: steps ? uPlot.paths.stepped({ align: 1 }) : undefined,
          spanGaps: false,
          value: (_, v) => (v === null || v === undefined ? "–" : each.written(v)),
        })),
      ],
      bands: this.series.flatMap((each) => (each.band ? [{ series: each.band, fill: band(colour(each.colour), 22) }] : [])),
      axes: [
        { ...axis, space: 90, values: [
          [86400 * 28, "{YYYY}-{MM}", null, null, null, null, null, null, 1],
          [86400, "{MM}-{DD}", "\n{YYYY}", null, null, null, null, null, 1],
          [60, "{HH}:{mm}", "\n{YYYY}-{MM}-{DD}", null, "\n{MM}-{DD}", null, null, null, 1],
          [1, "{HH}:{mm}:{ss}", "\n{YYYY}-{MM}-{DD}", null, "\n{MM}-{DD}", null, null, null, 1],
        ] },
        ...scales.map((name, i) => {
          const of = this.series.find((each) => (each.scale ?? "y") === name);
          return { ...axis, scale: name, side: i ? 1 : 3, grid: i ? { show: false } : axis.grid, size: 70, values: (_, ticks) => ticks.map((v) => of.tick(v)) };
        }),
      ],
      legend: { show: true, markers: { width: 2 } },
    };
    this.plot = new uPlot(options, this.data, this.container);
    this.last();
    this.plot.over.addEventListener("mouseleave", () => this.last());
    const canvas = this.plot.root.querySelector("canvas");
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `${alt}, ${this.data[0].length} points from ${day(this.data[0][0] * 1000)}`);
    // Series that only bound a band say nothing of their own.
    const rows = [...this.plot.root.querySelectorAll(".u-legend .u-series")];
    this.series.forEach((each, i) => each.hidden && rows[i + 1].remove());
  }
}
