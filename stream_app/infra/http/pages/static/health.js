// What the data say of the sensors, in words: warnings first, then what is in order.
import { badge, h, show } from "./dom.js";
import { count, duration, ofMetric, time, warningOf, written } from "./quantities.js";

const known = (metric) => metric?.value !== null && metric?.value !== undefined;

export function findings(answer) {
  const life = answer.lifetime?.metrics ?? {};
  const found = [];
  const reasons = new Set(Object.values(life).map((metric) => metric.reason).filter(Boolean));
  for (const reason of reasons) if (warningOf(reason)) found.push(["bad", warningOf(reason)]);
  if (answer.rejected) {
    found.push(["warn", `${count(answer.rejected.rows)} rows (${written(100 * answer.rejected.share, "%")}) were refused since ${time(answer.rejected.since)}: ${answer.rejected.reason}`]);
  } else if (answer.rows_rejected) {
    found.push(["warn", `${count(answer.rows_rejected)} rows came too late, or had stamps that are not plausible.`]);
  }
  if (life.coverage?.value < 0.98) found.push(["warn", `Only ${ofMetric("coverage", life.coverage)} of the time is covered by data: ${count(life.gap_count?.value ?? 0)} gaps, the longest of ${duration(life.gap_longest_s?.value ?? 0)}.`]);
  if (life.frozen_s?.value > 0) found.push(["warn", `Current and voltage stood still together for ${duration(life.frozen_s.value)} under load: the source repeated old readings.`]);
  if (life.incomplete_rows?.value > 0) found.push([life.incomplete_rows.value > 0.05 * answer.rows ? "warn" : "good", `${count(life.incomplete_rows.value)} of ${count(answer.rows)} rows lack a power or a state of charge.`]);
  if (answer.rows_held) found.push(["warn", `${count(answer.rows_held)} rows leapt ahead and wait until a later row confirms them.`]);
  const offset = life.current_offset_est_a;
  if (known(offset)) {
    const largest = Math.max(Math.abs(life.current_max_a?.value ?? 0), Math.abs(life.current_min_a?.value ?? 0));
    const isLarge = Math.abs(offset.value) > 0.005 * largest;
    found.push([isLarge ? "warn" : "good", `The current sensor's offset is about ${ofMetric("current_offset_est_a", offset)}${isLarge ? ": check that it reads 0 at rest" : ", which is small"}.`]);
  }
  if (known(life.voltage_current_correlation)) {
    const good = life.voltage_current_correlation.value > 0.7;
    found.push([good ? "good" : "warn", `The voltage follows the current ${good ? "well" : "badly"} (correlation ${written(life.voltage_current_correlation.value, "1")}).`]);
  }
  if (known(life.soc_error_1h_percent)) {
    const good = life.soc_error_1h_percent.value < 2;
    found.push([good ? "good" : "warn", `The state of charge agrees with the charge that flowed within ${ofMetric("soc_error_1h_percent", life.soc_error_1h_percent)} an hour.`]);
  }
  if (known(life.current_aliasing) && life.current_aliasing.value > 0.5) found.push(["warn", "The current changes faster than rows come: energies may be off by 1 %. Send rows more often."]);
  if (life.coverage?.value >= 0.98) found.push(["good", `${ofMetric("coverage", life.coverage)} of the time is covered by data.`]);
  const order = { bad: 0, warn: 1, good: 2 };
  return found.sort((a, b) => order[a[0]] - order[b[0]]);
}

const NAMES = { bad: "wrong", warn: "look", good: "fine" };
let shown = "";

export function health(place, answer) {
  const found = findings(answer);
  const key = JSON.stringify(found);
  if (key === shown) return;
  shown = key;
  show(
    place,
    found.length
      ? h("ul", { class: "list small" }, found.map(([kind, sentence]) => h("li", {}, badge(kind, NAMES[kind]), h("span", {}, sentence))))
      : h("p", { class: "soft" }, "Too little data yet to tell."),
  );
}
