// The workers: what each does, how far behind its partitions are, and how that was in the last hour.
import { get } from "./api.js";
import { $, badge, h, message, show, table, text } from "./dom.js";
import { Lines } from "./lines.js";
import { poll } from "./live.js";
import { age, count, phaseWords, short, time } from "./quantities.js";

const PERIOD_MS = 2000;
const HOUR_S = 3600;
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

// The messages that were applied since the look before, by partition, tell the rate where no worker does.
let before = null;
function messagesPerS(partitions) {
  const now = { at: performance.now(), position: new Map(partitions.map((each) => [each.partition, each.position])) };
  let rateNow = null;
  if (before) {
    let applied = 0;
    for (const [partition, position] of now.position) applied += Math.max(0, position - (before.position.get(partition) ?? position));
    rateNow = (applied / (now.at - before.at)) * 1000;
  }
  before = now;
  return rateNow;
}

function render(answer) {
  const partitions = answer.workers.flatMap((worker) => worker.partitions.map((each) => ({ ...each, owner: worker }))).sort((a, b) => a.partition - b.partition);
  const total = sum(partitions.map((each) => each.lag));
  const workerRates = answer.workers.map((worker) => worker.rows_per_s);
  const hasRates = workerRates.length && workerRates.every((each) => each !== undefined && each !== null);
  const perS = hasRates ? sum(workerRates) : messagesPerS(partitions);
  const ready = answer.workers.filter((worker) => worker.phase === "ready").length;
  figure("Workers", `${ready} of ${answer.workers.length + answer.unreachable.length}`, "ready");
  figure("Messages behind", total === null ? "n/a" : count(total), total === null ? "because a partition's end is not known yet" : "over all partitions", total === null ? "na" : "");
  figure(hasRates ? "Rows" : "Messages", perS === null ? "n/a" : `${short(Math.round(perS))}/s`, perS === null ? "because two looks are needed" : hasRates ? "applied, all workers" : "applied, all workers", perS === null ? "na" : "");
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
    ...(hasRates ? [{ name: "Rows/s", num: true, cell: (worker) => short(Math.round(worker.rows_per_s)) }] : []),
    ...(answer.workers.some((worker) => worker.version) ? [{ name: "Version", cell: (worker) => worker.version ?? "–" }] : []),
    ...(answer.workers.some((worker) => worker.checkpoint_time) ? [{ name: "Last checkpoint", cell: (worker) => (worker.checkpoint_time ? `${time(worker.checkpoint_time)} (${age(worker.checkpoint_time)})` : "–") }] : []),
  ], answer.workers, { label: "Workers" }));

  show($("partitions"), table([
    { name: "Partition", cell: (each) => String(each.partition) },
    { name: "Owner", cell: (each) => h("code", {}, each.owner.url) },
    { name: "Next offset", num: true, cell: (each) => count(each.position) },
    { name: "Behind", num: true, cell: (each) => lagText(each.lag) },
  ], partitions, { label: "Partitions" }));
  remember(answer, total, perS);
}

const lagText = (value) => (value === null ? "n/a" : count(value));

function remember(answer, total, perS) {
  const now = Date.now() / 1000;
  points.at.push(now);
  points.lag.push(total);
  points.rate.push(perS);
  while (points.at.length && points.at[0] < now - HOUR_S) for (const column of Object.values(points)) column.shift();
  const told = past(answer);
  lag.set(told ? [told.at, told.lag] : [points.at, points.lag], "Lag is not known yet.");
  rate.set(told ? [told.at, told.rate] : [points.at, points.rate], "Two looks are needed: a moment.");
}

// What the workers themselves remember of the last hour, where they do.
function past(answer) {
  const histories = answer.workers.map((worker) => worker.history).filter((each) => each?.length);
  if (!histories.length) return null;
  const at = new Map();
  for (const history of histories) {
    for (const point of history) {
      const t = Math.round(Date.parse(point.time) / 10_000) * 10;
      const known = at.get(t) ?? { lag: 0, rate: 0 };
      at.set(t, { lag: point.lag === null || known.lag === null ? null : known.lag + point.lag, rate: known.rate + (point.rows_per_s ?? 0) });
    }
  }
  const sorted = [...at.entries()].sort((a, b) => a[0] - b[0]);
  return { at: sorted.map(([t]) => t), lag: sorted.map(([, each]) => each.lag), rate: sorted.map(([, each]) => each.rate) };
}

let hasAnswer = false;
await poll(async () => {
  try {
    render(await get("/api/v1/system"));
    hasAnswer = true;
  } catch (error) {
    if (!hasAnswer) show($("note"), message("bad", error.message));
    throw error;
  }
}, PERIOD_MS);
