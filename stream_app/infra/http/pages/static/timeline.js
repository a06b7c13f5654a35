// State of charge and power over the windows of one size; the open one moves as rows come.
import { Lines } from "./lines.js";
import { written } from "./quantities.js";

const at = (update) => Date.parse(update.window.start) / 1000;
const value = (update, name) => update.metrics[name]?.value ?? null;

export class Timeline {
  constructor(socPlace, powerPlace) {
    const percent = (v) => written(v, "%");
    this.soc = new Lines(socPlace, [
      { label: "Mean", colour: "accent", written: percent, tick: (v) => `${v} %`, band: [2, 3], range: [0, 100] },
      { label: "Highest", colour: "accent", hidden: true, written: percent },
      { label: "Lowest", colour: "accent", hidden: true, written: percent },
    ], { alt: "State of charge over time" });
    this.power = new Lines(powerPlace, [{ label: "Mean", colour: "charge", written: (v) => written(v, "W"), tick: (v) => written(v, "W").replace(/(\.\d*?)0+ /, "$1 ").replace(". ", " "), fill: true }], { alt: "Power over time" });
    this.windows = [];
  }

  set(windows, size) {
    this.size = size;
    this.windows = [...windows].sort((a, b) => at(a) - at(b));
    this.draw();
  }

  // From the history store: {at, soc, low, high, power}.
  past({ at: times, soc, low, high, power }) {
    this.size = null;
    const none = "The history store has no windows of this time.";
    this.soc.set([times, soc, high, low], none);
    this.power.set([times, power], none);
  }

  open(update) {
    if (!update || update.window.size !== this.size) return;
    const last = this.windows.at(-1);
    if (last?.window.start === update.window.start) this.windows[this.windows.length - 1] = update;
    else this.windows.push(update);
    this.draw();
  }

  draw() {
    const times = this.windows.map(at);
    const column = (name) => this.windows.map((update) => value(update, name));
    this.soc.set([times, column("soc_mean_percent"), column("soc_max_percent"), column("soc_min_percent")]);
    this.power.set([times, column("power_mean_w")]);
  }
}
