// Tables of an asset: its windows, and every metric.
import { h, show, table } from "./dom.js";
import { describe, labelOf, metricCell, ofMetric, timeToMinute } from "./quantities.js";
import { whyNull } from "./quantities.js";

const SHOWN = ["soc_mean_percent", "power_mean_w", "energy_in_kwh", "energy_out_kwh", "rte_level", "soh_capacity", "coverage"];

export function windowTable(place, windows) {
  if (!windows.length) return show(place, h("p", { class: "empty" }, "No window is closed yet."));
  const newest = [...windows].sort((a, b) => Date.parse(b.window.start) - Date.parse(a.window.start)).slice(0, 100);
  return show(
    place,
    table(
      [
        { name: "From", cell: (update) => timeToMinute(update.window.start) },
        { name: "State", cell: (update) => h("span", { class: "whole" }, update.final ? "closed" : "open") },
        ...SHOWN.map((name) => ({ name: labelOf(name), num: true, cell: (update) => metricCell(name, update.metrics[name]) })),
      ],
      newest,
      { label: "Windows" },
    ),
  );
}

let rows;
export function allMetrics(place, life, find) {
  const names = Object.keys(life);
  if (!rows || rows.size !== names.length) {
    rows = new Map();
    const body = h("tbody");
    for (const name of names) {
      const value = h("td", { class: "num", "data-label": "Value" });
      const why = h("td", { "data-label": "What it is" });
      const row = h("tr", {}, h("th", { scope: "row" }, labelOf(name) === name ? "" : `${labelOf(name)} `, h("code", { class: "soft small" }, name)), value, why);
      rows.set(name, { row, value, why, shown: "" });
      body.append(row);
    }
    show(place, h("table", { class: "stacked" }, h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Metric"), h("th", { scope: "col", class: "num" }, "Value"), h("th", { scope: "col" }, "What it is, or why it is not there"))), body));
    const filter = () => {
      const wanted = find.value.trim().toLowerCase();
      for (const [name, { row }] of rows) row.hidden = !`${name} ${labelOf(name)} ${describe(name)}`.toLowerCase().includes(wanted);
    };
    find.addEventListener("input", filter);
  }
  for (const name of names) {
    const metric = life[name];
    const place = rows.get(name);
    const key = JSON.stringify(metric);
    if (place.shown === key) continue;
    place.shown = key;
    const isList = Array.isArray(metric.value);
    show(place.value, isList ? `${metric.value.length} bins` : metricCell(name, metric));
    const unchecked = metric.value_unchecked !== undefined && metric.value_unchecked !== null ? ` Unchecked it would be ${ofMetric(name, { ...metric, value: metric.value_unchecked, sigma: null })}.` : "";
    show(place.why, metric.value === null ? `n/a because ${whyNull(metric.reason)}.${unchecked}` : describe(name));
  }
}
