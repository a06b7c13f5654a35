// The workers: what each does, how far behind its partitions are, and how that was in the last hour.
import { get } from "./api.js";
import { $, badge, h, message, show, table, text } from "./dom.js";
import { Lines } from "./lines.js";
import { poll } from "./live.js";
import { age, count, phaseWords, short } from "./quantities.js";

const PERIOD_MS = 2000;
const HOUR_MS = 10_000;
const points = { at: [], lag: [], rate: [] };

const sum = (values) => (values.some((value) => value === null || value === undefined) ? null : values.reduce((a, b) => a + b, 0));

// From zero, so that a small change looks small.
const fromZero = (_, __, most) => [0, Math.max(1, (most ?? 0) * 1.1)];
const lag = new Lines($("p-lag"), [{ label: "Messages", colour: "accent", written: count, tick: short, fill: true, range: fromZero }], { alt: "Messages not processed yet", height: 200 });
const rate = new Lines($("p-rate"), [{ label: "Rows/s", colour: "charge", written: (v) => short(v), tick: short, fill: true, range: fromZero }], { alt: "Rows per second", height: 200 });

const figures = new Map();
function figure(name, value, note, kind) {
  if (!figures.has(name)) {
    const big = h("dd", { class: "big live-value" });
    const said = h("dd", { class: "note" });
    $("figures").append(h("div", { class: "figure" }, h("dt", {}, name), big, said));
    figures.set(name, { big, said });
  }
  const place = figures.get(name);
  text(place.big, value);
  place.big.classList.toggle("na", kind === "na");
  text(place.said, note);
}

function render(answer) {
  const partitions = answer.workers.flatMap((worker) => worker.partitions.map((each) => ({ ...each, owner: worker }))).sort((a, b) => a.partition - b.partition);
  const total = sum(partitions.map((each) => each.lag));
  const perS = sum(answer.workers.map((worker) => worker.rows_per_s));
  const ready = answer.workers.filter((worker) => worker.phase === "ready").length;
  figure("Workers", `${ready} of ${answer.workers.length + answer.unreachable.length}`, "ready");
  figure("Messages behind", total === null ? "n/a" : count(total), total === null ? "because a partition's end is not known yet" : "over all partitions", total === null ? "na" : "");
  figure("Rows", perS === null ? "n/a" : `${short(Math.round(perS))}/s`, perS === null ? "because a worker has not counted for ten seconds yet" : "applied, all workers", perS === null ? "na" : "");
  figure("Partitions", count(partitions.length), answer.without_owner.length ? `${answer.without_owner.length} more have no owner` : "each has an owner");

  show($("note"), [
    answer.unreachable.length ? message("bad", `${answer.unreachable.length} workers do not answer: ${answer.unreachable.join(", ")}. Look at their logs; their partitions move to the others.`) : null,
    answer.without_owner.length ? message("bad", `No worker that answers has the partitions ${answer.without_owner.join(", ")}: their assets cannot be looked up. A rebalance takes seconds; if it lasts, look at the workers' logs.`) : null,
    ...answer.workers.filter((worker) => worker.detail).map((worker) => message("warn", `${worker.url}: ${worker.detail}`)),
  ]);

  show($("workers"), table([
    { name: "Worker", cell: (worker) => h("code", {}, worker.url) },
    { name: "State", cell: (worker) => badge(worker.phase === "ready" ? "good" : "warn", phaseWords(worker.phase)) },
    { name: "Kafka", cell: (worker) => (worker.connected ? "connected" : badge("bad", "not connected")) },
    { name: "Partitions", cell: (worker) => worker.partitions.map((each) => each.partition).sort((a, b) => a - b).join(", ") || "none" },
    { name: "Behind", num: true, cell: (worker) => lagText(sum(worker.partitions.map((each) => each.lag))) },
    { name: "Rows/s", num: true, cell: (worker) => (worker.rows_per_s === null ? "n/a" : short(Math.round(worker.rows_per_s))) },
  ], answer.workers, { label: "Workers" }));

  show($("partitions"), table([
    { name: "Partition", cell: (each) => String(each.partition) },
    { name: "Owner", cell: (each) => h("code", {}, each.owner.url) },
    { name: "Next offset", num: true, cell: (each) => count(each.position) },
    { name: "Messages/s", num: true, cell: (each) => (each.messages_per_s === null ? "n/a" : short(Math.round(each.messages_per_s))) },
    { name: "Behind", num: true, cell: (each) => lagText(each.lag) },
    { name: "Most in the last hour", num: true, cell: (each) => (mostBehind.has(each.partition) ? count(mostBehind.get(each.partition)) : "–") },
    { name: "Last checkpoint", num: true, cell: (each) => (each.checkpoint_time ? age(each.checkpoint_time) : "none yet") },
  ], partitions, { label: "Partitions" }));
  remember(total, perS);
}

const lagText = (value) => (value === null ? "n/a" : count(value));

// --- the last hour, as the workers remember it; and the seconds since, as this page saw them ------------------------------

let hour = { at: [], lag: [], rate: [] };
const mostBehind = new Map();

async function loadHour() {
  const answer = await get("/api/v1/system/history");
  const at = new Map();
  mostBehind.clear();
  for (const { steps, step_s: stepS } of answer.workers) {
    for (const step of steps) {
      const t = Math.floor(Date.parse(step.time) / 1000 / stepS) * stepS; // one line of all workers
      const seen = at.get(t) ?? { lag: 0, rate: 0 };
      const lags = Object.entries(step.lag);
      for (const [partition, each] of lags) mostBehind.set(Number(partition), Math.max(each ?? 0, mostBehind.get(Number(partition)) ?? 0));
      const behind = sum(lags.map(([, each]) => each));
      at.set(t, { lag: behind === null || seen.lag === null ? null : seen.lag + behind, rate: seen.rate + step.rows_per_s });
    }
  }
  const sorted = [...at.entries()].sort((one, other) => one[0] - other[0]);
  hour = { at: sorted.map(([t]) => t), lag: sorted.map(([, each]) => each.lag), rate: sorted.map(([, each]) => each.rate) };
  const newest = hour.at.at(-1) ?? 0;
  while (points.at.length && points.at[0] <= newest) for (const column of Object.values(points)) column.shift();
}

function remember(total, perS) {
  const now = Date.now() / 1000;
  if (now > (hour.at.at(-1) ?? 0)) { // a line never goes back, whatever this clock says
    points.at.push(now);
    points.lag.push(total);
    points.rate.push(perS);
  }
  const at = [...hour.at, ...points.at];
  lag.set([at, [...hour.lag, ...points.lag]], "How far behind it is, is not known yet.");
  rate.set([at, [...hour.rate, ...points.rate]], "Two looks are needed: a moment.");
}

let hasAnswer = false;
let hourAt = -HOUR_MS;
await poll(async () => {
  try {
    if (performance.now() - hourAt >= HOUR_MS) {
      hourAt = performance.now();
      await loadHour();
    }
    render(await get("/api/v1/system"));
    hasAnswer = true;
  } catch (error) {
    if (!hasAnswer) show($("note"), message("bad", error.message));
    throw error;
  }
}, PERIOD_MS);
