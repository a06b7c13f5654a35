// Numbers as people read them: SI units by size, digits by the uncertainty, local time, "n/a because …".
import { h } from "./dom.js";
import { root } from "./api.js";

const words = await (await fetch(new URL("./words.json", import.meta.url))).json();
const catalogue = new Map();

export async function loadCatalogue() {
  if (!catalogue.size) {
    const answer = await fetch(`${root}/api/v1/catalogue`, { credentials: "same-origin" });
    if (answer.ok) for (const entry of (await answer.json()).metrics) catalogue.set(entry.name, entry);
  }
  return catalogue;
}

export const labelOf = (name) => words.labels[name] ?? name;
export const describe = (name) => catalogue.get(name)?.description ?? "";
// The same in a few words: without its unit and what follows a colon.
export const describeBriefly = (name) => describe(name).split(":")[0].replace(/ \[[^\]]*\]/, "").replace(/\.$/, "");
export const whyNull = (reason) => words.reasons[reason] ?? reason?.replaceAll("_", " ") ?? "no row has come yet";
export const phaseWords = (phase) => words.phases[phase] ?? phase;
export const warningOf = (name) => words.warnings[name];

// Ratios of the catalogue that people read as percentages.
const PERCENT = new Set(words.percentages);

const PREFIXES = {
  W: [[1e9, "GW"], [1e6, "MW"], [1e3, "kW"], [1, "W"]],
  kWh: [[1e6, "GWh"], [1e3, "MWh"], [1, "kWh"], [1e-3, "Wh"]],
  Ah: [[1e3, "kAh"], [1, "Ah"], [1e-3, "mAh"]],
  A: [[1e3, "kA"], [1, "A"], [1e-3, "mA"]],
  V: [[1e3, "kV"], [1, "V"], [1e-3, "mV"]],
  Ohm: [[1, "Ω"], [1e-3, "mΩ"], [1e-6, "µΩ"]],
  "V/%": [[1, "V/%"], [1e-3, "mV/%"]],
  "kW/s": [[1e3, "MW/s"], [1, "kW/s"], [1e-3, "W/s"]],
  "kWh/a": [[1e3, "MWh/a"], [1, "kWh/a"]],
};
const PLAIN = { degC: "°C", 1: "", currency: "" };
const MINUS = "−";

const grouped = new Map();
function fixed(value, digits) {
  if (!grouped.has(digits)) grouped.set(digits, new Intl.NumberFormat("en", { minimumFractionDigits: digits, maximumFractionDigits: digits }));
  const shown = grouped.get(digits).format(value === 0 ? 0 : value);
  return shown.replace("-", MINUS).replace(/^−(0(\.0+)?)$/, "$1");
}

// Digits after the point: one of the uncertainty, two where it begins with 1; or four in all.
function digitsFor(value, sigma) {
  if (sigma > 0) {
    const power = Math.floor(Math.log10(sigma));
    return Math.min(6, Math.max(0, (sigma / 10 ** power < 1.95 ? 1 : 0) - power));
  }
  if (Number.isInteger(value) && Math.abs(value) < 1e15) return 0;
  const size = Math.abs(value);
  return size === 0 ? 0 : Math.min(6, Math.max(0, 3 - Math.floor(Math.log10(size))));
}

export function count(value) {
  return value === null || value === undefined ? "–" : fixed(Math.round(value), 0);
}

export function short(value) {
  if (value < 10000) return count(value);
  return value < 1e6 ? `${fixed(value / 1e3, 1)} k` : `${fixed(value / 1e6, 2)} M`;
}

export function duration(seconds) {
  if (seconds === 0) return "0 s";
  const units = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  const size = Math.abs(seconds);
  if (size < 1) return `${fixed(seconds * 1000, 0)} ms`;
  const i = units.findIndex(([length]) => size >= length);
  const [length, name] = units[i];
  const whole = Math.floor(size / length);
  const rest = i < 3 && whole < 10 ? Math.floor((size - whole * length) / units[i + 1][0]) : 0;
  return `${seconds < 0 ? MINUS : ""}${count(whole)} ${name}${rest ? ` ${rest} ${units[i + 1][1]}` : ""}`;
}

// {value, unit, sigma} in the unit that suits the size.
export function quantity(value, unit, { sigma = null, name = "" } = {}) {
  if (value === null || value === undefined || !Number.isFinite(value)) return null;
  if (PERCENT.has(name)) [value, sigma, unit] = [value * 100, sigma === null ? null : sigma * 100, "%"];
  if (unit === "s" && sigma === null) {
    const parts = duration(value).split(" ");
    return { value: parts.length > 2 ? duration(value) : parts[0], unit: parts.length > 2 ? "" : parts[1], sigma: null };
  }
  const steps = PREFIXES[unit] ?? [[1, PLAIN[unit] ?? unit]];
  const size = Math.max(Math.abs(value), sigma ?? 0);
  const [scale, shown] = (size === 0 ? steps.find(([s]) => s === 1) : steps.find(([s]) => size >= s * 0.9995)) ?? steps.at(-1);
  const scaled = value / scale;
  const spread = sigma === null ? null : sigma / scale;
  const digits = spread > 0 ? digitsFor(scaled, spread) : unit === "%" ? 1 : digitsFor(scaled, null);
  return { value: fixed(scaled, digits), unit: shown, sigma: spread > 0 ? fixed(spread, digits) : null };
}

export function written(value, unit, options) {
  const shown = quantity(value, unit, options);
  if (shown === null) return "n/a";
  return `${shown.value}${shown.sigma === null ? "" : ` ± ${shown.sigma}`}${shown.unit ? ` ${shown.unit}` : ""}`;
}

export function ofMetric(name, metric) {
  return metric === undefined ? "n/a" : written(metric.value, metric.unit, { sigma: metric.sigma ?? null, name });
}

// A cell: the number, or n/a whose reason is its description.
export function metricCell(name, metric) {
  if (metric?.value !== null && metric?.value !== undefined) return h("span", { class: "live-value" }, ofMetric(name, metric));
  const why = `because ${whyNull(metric?.reason)}`;
  return h("span", { class: "na", title: `n/a ${why}` }, "n/a", h("span", { class: "sr" }, ` ${why}`));
}

const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
export const zoneName = zone;
const stamp = new Intl.DateTimeFormat("sv-SE", { year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit" });
const minute = new Intl.DateTimeFormat("sv-SE", { year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit" });

export const time = (iso) => (iso ? stamp.format(new Date(iso)) : "–");
export const timeToMinute = (iso) => (iso ? minute.format(new Date(iso)) : "–");
export const day = (ms) => minute.format(new Date(ms)).slice(0, 10);

export function age(iso, now = Date.now()) {
  const seconds = (now - Date.parse(iso)) / 1000;
  return seconds < 0 ? "ahead of this clock" : seconds < 2 ? "just now" : `${duration(seconds)} ago`;
}
