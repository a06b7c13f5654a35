// How an asset was used, and what that cost: losses, cycles, dwell times, warranty.
import { bar, columns, heat, shares } from "./bars.js";
import { h, show } from "./dom.js";
import { count, day, duration, labelOf, ofMetric, whyNull, written } from "./quantities.js";

const because = (metric) => h("p", { class: "soft" }, h("b", { class: "na" }, "n/a"), ` because ${whyNull(metric?.reason)}.`);
const isKnown = (metric) => metric?.value !== null && metric?.value !== undefined;

// Draws again only where the values differ: a text that somebody selects, or a plot under a cursor, stays.
const drawn = new WeakMap();
function once(place, values, draw) {
  const key = JSON.stringify(values);
  if (drawn.get(place) === key) return;
  drawn.set(place, key);
  show(place, draw());
}

export function losses(place, life, spec) {
  const { loss_kwh: loss, ohmic_loss_kwh: ohmic, standby_energy_kwh: standby, loss_cost: cost } = life;
  once(place, [loss, ohmic, standby, cost], () => {
    if (!isKnown(loss)) return [because(loss)];
    const heatKwh = isKnown(ohmic) ? Math.min(ohmic.value, loss.value) : 0;
    const restKwh = Math.max(0, loss.value - heatKwh);
    const parts = [
      isKnown(ohmic) && { label: "Heat in the resistance", value: heatKwh, written: written(heatKwh, "kWh"), fill: "f-discharge" },
      { label: isKnown(ohmic) ? "All else in the battery" : "In the battery", value: restKwh, written: written(restKwh, "kWh"), fill: "f-accent" },
      { label: "Standby", value: Math.max(0, standby?.value ?? 0), written: ofMetric("standby_energy_kwh", standby), fill: "f-idle" },
    ].filter(Boolean);
    const price = isKnown(cost) ? `It cost ${cost.value.toFixed(2)} at ${spec.energy_price_per_kwh} per kWh.` : `Its cost is n/a because ${whyNull(cost?.reason)}.`;
    return [
      h("p", {}, "Lost in round trips: ", h("b", {}, ofMetric("loss_kwh", loss)), "."),
      ...shares(parts, { alt: "Energy lost" }),
      h("p", { class: "soft small" }, isKnown(ohmic) ? price : `The part of the resistance is n/a because ${whyNull(ohmic?.reason)}. ${price}`),
    ];
  });
}

export function cycles(place, life) {
  const metric = life.rainflow_cycles;
  once(place, metric, () => {
    if (!isKnown(metric)) return [because(metric)];
    const counts = metric.value;
    const whole = counts.reduce((sum, each) => sum + each, 0);
    const bars = counts.map((value, i) => ({ label: `${5 * i}`, tick: i % 2 === 0, value, written: `${count(value)} cycles`, fill: "f-accent" }));
    const deep = counts.slice(10).reduce((sum, each) => sum + each, 0);
    return [
      columns(bars, { alt: "Cycles by depth of discharge", axis: "Depth of discharge, % (bins of 5)" }),
      h("p", { class: "soft small" }, `${written(whole, "1")} cycles (rainflow), ${written(deep, "1")} of them deeper than 50 %; ${ofMetric("equivalent_full_cycles", life.equivalent_full_cycles)} equivalent full cycles.`),
    ];
  });
}

const SOC_BINS = Array.from({ length: 10 }, (_, i) => `${10 * i}`);

// `found`: the answer to /temperatures, whose bins have the time by state of charge. The hottest stands on top.
export function dwell(place, found, days, lifetime) {
  const known = (found?.bins ?? []).filter(({ update }) => isKnown(update.metrics.soc_dwell_s));
  if (!known.length) return dwellByDay(place, days, lifetime);
  return once(place, known, () => {
    const [step, lowest, highest] = [known[0].to_c - known[0].from_c, known[0].from_c, known.at(-1).from_c];
    const rows = Array.from({ length: (highest - lowest) / step + 1 }, (_, i) => {
      const from = highest - step * i;
      const bin = known.find(({ from_c: low }) => low === from);
      return { label: `${from} °C`, seconds: bin ? bin.update.metrics.soc_dwell_s.value : SOC_BINS.map(() => 0) };
    });
    const all = rows.flatMap((row) => row.seconds);
    const [whole, most] = [all.reduce((sum, each) => sum + each, 0) || 1, Math.max(...all) || 1];
    const scaled = rows.map(({ label, seconds }) => ({ label, cells: seconds.map((each) => each / most) }));
    const longest = all.indexOf(Math.max(...all));
    const [y, x] = [Math.floor(longest / SOC_BINS.length), longest % SOC_BINS.length];
    const said = (row, bin) => `${duration(rows[row].seconds[bin])} (${((100 * rows[row].seconds[bin]) / whole).toFixed(0)} %)`;
    return [
      heat(scaled, SOC_BINS, { alt: `Time by state of charge and temperature, ${rows.length} rows of ${step} K`, axis: "State of charge from, %; rows: temperature from", written: said }),
      h("p", { class: "soft small" }, `Most of it, ${said(y, x)}, at ${10 * x} to ${10 * x + 10} % of charge and from ${rows[y].label} on. By the windows of ${found.size} that are kept, each at its mean temperature.`),
    ];
  });
}

// Where no temperature is measured.
function dwellByDay(place, windows, lifetime) {
  const rows = windows
    .filter((update) => isKnown(update.metrics.soc_dwell_s))
    .slice(-7)
    .map((update) => ({ label: day(Date.parse(update.window.start)), seconds: update.metrics.soc_dwell_s.value }));
  const all = lifetime?.metrics.soc_dwell_s;
  if (isKnown(all)) rows.push({ label: "Lifetime", seconds: all.value });
  once(place, rows, () => {
    if (!rows.length) return [because(all)];
    const cells = rows.map(({ label, seconds }) => {
      const sum = seconds.reduce((a, b) => a + b, 0) || 1;
      return { label, cells: seconds.map((each) => each / sum) };
    });
    const most = Math.max(...cells.flatMap((row) => row.cells));
    const scaled = cells.map((row) => ({ ...row, cells: row.cells.map((each) => each / most) }));
    return [
      heat(scaled, SOC_BINS, { alt: `Share of the time by state of charge, ${rows.length} rows`, axis: "State of charge from, % (bins of 10); stronger: longer", written: (y, x) => `${duration(rows[y].seconds[x])} (${(100 * cells[y].cells[x]).toFixed(0)} %)` }),
      h("p", { class: "soft small" }, mostTime(cells.at(-1).cells)),
    ];
  });
}

function mostTime(parts) {
  const i = parts.indexOf(Math.max(...parts));
  return `${(100 * parts[i]).toFixed(0)} % of the time of the last row is between ${10 * i} and ${10 * i + 10} % of charge.`;
}

export function temperature(place, life) {
  const metric = life.temperature_dwell_s;
  once(place, [metric, life.temperature_max_c, life.thermal_acceleration], () => {
    if (!isKnown(metric)) return [because(isKnown(life.temperature_mean_c) ? metric : { reason: "no_readings" })];
    const seconds = metric.value;
    const bars = seconds.map((value, i) => ({ label: `${-30 + 5 * i}`, tick: i % 2 === 0, value, written: duration(value), fill: -30 + 5 * i >= 40 ? "f-discharge" : "f-charge" }));
    return [
      columns(bars, { alt: "Time by temperature", axis: "Temperature from, °C (bins of 5)" }),
      h("p", { class: "soft small" }, `From ${ofMetric("temperature_min_c", life.temperature_min_c)} to ${ofMetric("temperature_max_c", life.temperature_max_c)}; by its temperature it ages ${ofMetric("thermal_acceleration", life.thermal_acceleration)} times as fast as at 25 °C.`),
    ];
  });
}

const LIMITS = ["time_hot_s", "time_hot_charging_s", "time_cold_s", "time_cold_charging_s", "time_soc_high_s", "time_soc_low_s"];

// In the order of limit_event_count: the limit's field of the spec, what an event is, and the unit of its excess.
const EVENTS = [
  ["voltage_high_v", "Voltage too high", "V"],
  ["voltage_low_v", "Voltage too low", "V"],
  ["temperature_high_c", "Too hot", "K"],
  ["temperature_low_c", "Too cold", "K"],
  ["soc_high_percent", "Overcharged", "%"],
  ["soc_low_percent", "Deeply discharged", "%"],
  ["c_rate_high", "Current too high", "A"],
  ["cell_spread_high_v", "Cells too far apart", "V"],
];

function events(life, spec) {
  const of = (name, i) => life[`limit_event_${name}`].value[i];
  return EVENTS.flatMap(([field, label, unit], i) => {
    if (spec[field] === null || spec[field] === undefined) return [];
    const number = of("count", i);
    const open = of("open_s", i) > 0 ? `, the last for ${duration(of("open_s", i))} now` : "";
    const said = number ? `${number} ×, ${duration(of("s", i))} in all, by up to ${written(of("excess", i), unit)}${open}` : "never";
    return [h("dt", {}, label), h("dd", {}, said)];
  });
}

export function warranty(place, life, spec) {
  const budgets = [
    ["warranty_cycles_used_percent", spec.warranty_full_cycles && `of ${count(spec.warranty_full_cycles)} full cycles`],
    ["warranty_energy_used_percent", spec.warranty_throughput_kwh && `of ${written(spec.warranty_throughput_kwh, "kWh")} discharged`],
  ];
  const limits = LIMITS.filter((name) => isKnown(life[name]));
  const hasEvents = isKnown(life.limit_event_count);
  const seen = ["count", "s", "open_s", "excess"].map((name) => life[`limit_event_${name}`]);
  once(place, [budgets.map(([name]) => life[name]), life.warranty_days_left, limits.map((name) => life[name]), seen], () => [
    ...budgets.map(([name, of]) => {
      const metric = life[name];
      if (!isKnown(metric)) return h("p", { class: "small" }, `${labelOf(name)}: `, h("b", { class: "na" }, "n/a"), ` because ${whyNull(metric?.reason)}.`);
      const said = `${written(metric.value, "%")} ${of ?? ""}`;
      return h("div", {}, h("p", { class: "small" }, `${labelOf(name)}: `, h("b", {}, said)), bar(metric.value / 100, { label: `${labelOf(name)}: ${said}`, warn: metric.value >= 80 }));
    }),
    isKnown(life.warranty_days_left)
      ? h("p", {}, "At the rate so far it lasts until ", h("b", {}, day(Date.now() + 86_400_000 * life.warranty_days_left.value)), ` (${written(life.warranty_days_left.value, "d")}).`)
      : h("p", { class: "small soft" }, `How long it lasts is n/a because ${whyNull(life.warranty_days_left?.reason)}.`),
    limits.length ? h("dl", { class: "kv small" }, limits.flatMap((name) => [h("dt", {}, labelOf(name)), h("dd", {}, duration(life[name].value))])) : null,
    hasEvents ? h("h3", {}, "Events beyond a limit") : null,
    hasEvents ? h("dl", { class: "kv small" }, events(life, spec)) : null,
  ]);
}
