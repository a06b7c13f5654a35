// Efficiency and capacity per day with their intervals, and what their slope says.
import { text } from "./dom.js";
import { Lines } from "./lines.js";
import { day, whyNull, written } from "./quantities.js";

const DAY_S = 86_400;
const at = (update) => Date.parse(update.window.start) / 1000;

// Weighted straight line through (x, y ± sigma): value at x = 0, slope, and the slope's own uncertainty.
export function line(points) {
  const known = points.filter((point) => point.y !== null);
  if (known.length < 3) return null;
  const floor = Math.max(...known.map((point) => point.sigma ?? 0), 1e-9) / 100;
  let [s, sx, sy, sxx, sxy] = [0, 0, 0, 0, 0];
  for (const { x, y, sigma } of known) {
    const weight = 1 / Math.max(sigma ?? 0, floor) ** 2;
    s += weight;
    sx += weight * x;
    sy += weight * y;
    sxx += weight * x * x;
    sxy += weight * x * y;
  }
  const d = s * sxx - sx * sx;
  if (!(d > 0)) return null;
  const slope = (s * sxy - sx * sy) / d;
  const start = (sxx * sy - sx * sxy) / d;
  const chi2 = known.reduce((sum, { x, y, sigma }) => sum + ((y - start - slope * x) / Math.max(sigma ?? 0, floor)) ** 2, 0);
  // Days that scatter more than they say widen the interval (Birge's ratio).
  const scatter = Math.sqrt(Math.max(1, chi2 / (known.length - 2)));
  return { start, slope, sigma: Math.sqrt(s / d) * scatter, days: known.length };
}

function columns(windows, pick) {
  const points = windows.map((update) => ({ x: at(update), ...pick(update.metrics) }));
  return [
    points,
    [points.map((p) => p.x), points.map((p) => p.y), points.map((p) => (p.y === null || p.sigma === null ? null : p.y + p.sigma)), points.map((p) => (p.y === null || p.sigma === null ? null : p.y - p.sigma))],
  ];
}

const plot = (place, colour, alt) => {
  const percent = (v) => `${v.toFixed(2)} %`;
  return new Lines(place, [
    { label: "Value", colour, written: percent, tick: (v) => `${+v.toFixed(2)} %`, band: [2, 3], points: true },
    { label: "+ 1 sigma", colour, hidden: true, written: percent },
    { label: "− 1 sigma", colour, hidden: true, written: percent },
  ], { alt });
};

export class Trends {
  constructor(rtePlace, rteText, sohPlace, sohText) {
    this.rte = plot(rtePlace, "accent", "Efficiency per day");
    this.soh = plot(sohPlace, "good", "State of health per day");
    [this.rteText, this.sohText] = [rteText, sohText];
  }

  set(windows, size) {
    const sorted = [...windows].sort((a, b) => at(a) - at(b));
    const [rtePoints, rteColumns] = columns(sorted, (metrics) => {
      // A day has too few trips for rte_level at times: rte_slope follows it, as docs/metrics.md says.
      const found = [metrics.rte_level, metrics.rte_slope].find((metric) => metric?.value !== null && metric?.value !== undefined);
      return { y: found ? 100 * found.value : null, sigma: found?.sigma === undefined ? null : 100 * found.sigma };
    });
    const [sohPoints, sohColumns] = columns(sorted, ({ soh_capacity: soh }) => ({ y: soh?.value ?? null, sigma: soh?.sigma ?? null }));
    const why = (name) => `No ${size} window has a value yet: n/a because ${whyNull(sorted.at(-1)?.metrics[name]?.reason)}.`;
    this.rte.set(rteColumns, why("rte_level"));
    this.soh.set(sohColumns, why("soh_capacity"));
    text(this.rteText, slopeInWords(line(rtePoints), size));
    text(this.sohText, healthInWords(line(sohPoints), size));
  }
}

function slopeInWords(fit, size) {
  if (!fit) return "A trend needs three windows with a value.";
  const [perMonth, sigma] = [fit.slope * DAY_S * 30, fit.sigma * DAY_S * 30];
  if (Math.abs(perMonth) < 2 * sigma) return `No trend yet: ${written(perMonth, "", { sigma })} percentage points a month over ${fit.days} windows of ${size}.`;
  return `${perMonth < 0 ? "Falls" : "Rises"} by ${written(Math.abs(perMonth), "", { sigma })} percentage points a month, over ${fit.days} windows of ${size}.`;
}

function healthInWords(fit, size) {
  if (!fit) return "A trend, and the dates of 80 % and 70 %, need three windows with a value.";
  const perYear = fit.slope * DAY_S * 365;
  const sigma = fit.sigma * DAY_S * 365;
  if (perYear >= 0 || -perYear < 2 * sigma) {
    return `No ageing can be told from noise yet: ${written(perYear, "", { sigma })} percentage points a year over ${fit.days} windows of ${size}; so there is no date of 80 % or 70 % yet.`;
  }
  const date = (level, slope) => day(1000 * ((level - fit.start) / slope));
  const span = (level) => `${date(level, fit.slope)} (${date(level, fit.slope - fit.sigma)} to ${date(level, fit.slope + fit.sigma)})`;
  return `Loses ${written(-perYear, "", { sigma })} percentage points a year: 80 % on ${span(80)}, 70 % on ${span(70)}.`;
}
