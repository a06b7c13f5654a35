// The past beyond the windows that a worker keeps, where there is a history store.
import { assetPath, get, query } from "./api.js";

export const hasHistory = document.documentElement.dataset.history === "on";

const DAY_MS = 86_400_000;
const POINTS = 600;
const HOUR_S = 3600;
const SECONDS = { s: 1, m: 60, h: 3600, d: 86_400 };

export const PAST = { year: 365 * DAY_MS, month: 30 * DAY_MS };

export const seconds = (size) => Number.parseInt(size, 10) * SECONDS[size.at(-1)];

// Columns of a span that ends with the newest row.
export async function past(id, span, sizes, lastTime) {
  // Windows of an hour, or the next finer ones: a year of them is put together to a few hundred points.
  const size = sizes.filter((each) => seconds(each) <= HOUR_S).at(-1) ?? sizes[0];
  const from = new Date(Date.parse(lastTime) - PAST[span]).toISOString();
  const ask = (metric) => get(`${assetPath(id)}/history${query({ metric, size, from, points: POINTS })}`);
  const [soc, power] = await Promise.all([ask("soc_mean_percent"), ask("power_mean_w")]);
  const start = Date.parse(soc.start) / 1000;
  // What comes before the first window is not a gap. Two columns stay: an axis of one would be of years.
  const first = Math.max(0, Math.min(soc.values.findIndex((value) => value !== null), soc.values.length - 2));
  const cut = (column) => column.slice(first);
  return {
    at: cut(soc.values.map((_, i) => start + i * soc.step_s)),
    soc: cut(soc.values),
    low: cut(soc.low ?? soc.values.map(() => null)),
    high: cut(soc.high ?? soc.values.map(() => null)),
    power: cut(power.values),
  };
}
