// One asset: its answer comes by events whenever it has changed; windows are asked for when one has closed.
import { assetPath, get, may, query, root } from "./api.js";
import { $, badge, h, message, show, text } from "./dom.js";
import { follow, say } from "./live.js";
import { age, count, describe, describeBriefly, labelOf, loadCatalogue, quantity, time, whyNull } from "./quantities.js";
import { forgetting } from "./forget.js";
import { health } from "./health.js";
import { losses, cycles, dwell, temperature, warranty } from "./usage.js";
import { specForm } from "./spec.js";
import { Trends } from "./trends.js";
import { hasHistory, PAST, past, seconds } from "./history.js";
import { Timeline } from "./timeline.js";
import { allMetrics, windowTable } from "./tables.js";

const id = $("asset").dataset.asset;
const HEADLINES = [
  "rte_level", "soh_capacity", "capacity_est", "remaining_energy_kwh", "energy_in_kwh", "energy_out_kwh",
  "equivalent_full_cycles", "loss_kwh", "r_step", "coverage",
];

const figures = new Map();
function figure(name, label, explained) {
  if (!figures.has(name)) {
    const big = h("dd", { class: "big live-value" });
    const note = h("dd", { class: "note" });
    $("figures").append(h("div", { class: "figure", title: explained }, h("dt", {}, label), big, note));
    figures.set(name, { big, note, shown: "" });
  }
  return figures.get(name);
}

function put(name, label, metric, note = "") {
  const place = figure(name, label, describe(name));
  const shown = metric ? quantity(metric.value, metric.unit, { sigma: metric.sigma ?? null, name }) : null;
  const key = JSON.stringify([shown, note, metric?.reason]);
  if (place.shown === key) return;
  place.shown = key;
  place.big.classList.toggle("na", shown === null);
  if (shown === null) {
    show(place.big, "n/a");
    text(place.note, `because ${whyNull(metric?.reason)}`);
  } else {
    show(place.big, shown.value, shown.sigma === null ? "" : h("span", { class: "unit" }, ` ± ${shown.sigma}`), shown.unit ? h("span", { class: "unit" }, ` ${shown.unit}`) : "");
    text(place.note, note);
  }
}

// What the newest row says, which may still wait for its place in the order, is in the fleet's list alone.
async function newest() {
  const page = await get(`/api/v1/assets${query({ prefix: id, limit: 1 })}`);
  const item = page.assets[0];
  if (item?.asset_id !== id) return;
  show($("state"), latest.ended ? badge("good", "complete") : badge(item.state, item.state === "unknown" ? "no power known" : item.state));
  put("soc_percent", "State of charge", { value: item.soc_percent, unit: "%", reason: "soc_missing" }, "newest row");
  const doing = item.power_w > 0 ? "into the battery, " : item.power_w < 0 ? "out of the battery, " : "";
  put("power_w", "Power", { value: item.power_w, unit: "W", reason: "power_missing" }, `${doing}newest row`);
}

let shownSize;
let timeline;
let trends;
let latest;
let closed = {};

async function loadWindows() {
  const sizes = latest.open_windows.map((update) => update.window.size);
  shownSize ??= firstSize(sizes, latest);
  const wanted = new Set([shownSize in PAST ? null : shownSize, sizes.at(-1), ...sizes.filter((size) => size === "1h")]);
  await Promise.all(
    [...wanted].filter(Boolean).map(async (size) => {
      const page = await get(`${assetPath(id)}/windows/${size}?limit=400`);
      closed[size] = page.windows;
    }),
  );
  if (!$("sizes").childElementCount) {
    show($("sizes"), Object.keys(hasHistory ? PAST : {}).map((span) => h("button", { type: "button", "data-size": span, onclick: () => choose(span) }, span)), sizes.map((size) => h("button", { type: "button", "data-size": size, onclick: () => choose(size) }, size)));
  }
  for (const button of $("sizes").children) button.setAttribute("aria-pressed", String(button.dataset.size === shownSize));
  if (shownSize in PAST) await showPast(sizes);
  else timeline.set(closed[shownSize] ?? [], shownSize);
  trends.set(closed[sizes.at(-1)] ?? [], sizes.at(-1));
  const listed = shownSize in PAST ? sizes.at(-1) : shownSize;
  windowTable($("windows"), closed[listed] ?? []);
  text($("windows-note"), `${count((closed[listed] ?? []).length)} of ${listed}, newest first`);
  const hours = sizes.includes("1h") ? "1h" : sizes.at(-1);
  const found = hours && (await get(`${assetPath(id)}/temperatures${query({ size: hours, metrics: "soc_dwell_s" })}`));
  dwell($("dwell"), found, closed[sizes.at(-1)] ?? [], latest.lifetime);
}

// The second size, or the smallest while the asset is too young for a line of it.
function firstSize(sizes, { first_time: first, last_time: last }) {
  const second = sizes[Math.min(1, sizes.length - 1)];
  return (Date.parse(last) - Date.parse(first)) / 1000 > 4 * seconds(second ?? "1d") ? second : sizes[0];
}

async function showPast(sizes) {
  try {
    text($("past-note"), "Asking the history store …");
    timeline.past(await past(id, shownSize, sizes, latest.last_time));
    text($("past-note"), "");
  } catch (error) {
    text($("past-note"), `The past cannot be shown: ${error.message}.`);
  }
}

// One load at a time: where event time runs fast, windows close while the last ones are on their way.
let loading = null;
function renewWindows() {
  loading ??= loadWindows()
    .catch((error) => show($("note"), message("bad", error.message)))
    .finally(() => {
      loading = null;
    });
  return loading;
}

async function choose(size) {
  shownSize = size;
  for (const button of $("sizes").children) button.setAttribute("aria-pressed", String(button.dataset.size === size));
  await loading;
  await renewWindows();
}

function render(answer) {
  const before = latest;
  latest = answer;
  const life = answer.lifetime?.metrics ?? {};
  text($("fresh"), freshness());
  if (!before) {
    put("soc_percent", "State of charge", undefined);
    put("power_w", "Power", undefined);
  }
  newest().catch(() => {}); // with the next event again
  for (const name of HEADLINES) put(name, labelOf(name), life[name], describeBriefly(name) === labelOf(name) ? "" : describeBriefly(name));
  losses($("loss"), life, answer.spec);
  cycles($("cycles"), life);
  temperature($("temperature"), life);
  warranty($("warranty"), life, answer.spec);
  health($("health"), answer);
  allMetrics($("all"), life, $("find"));
  if (!answer.lifetime) show($("note"), message("warn", "No row of this asset has come yet: only its spec is known."));
  else $("note").replaceChildren();
  const starts = (each) => each?.open_windows.map((update) => update.window.start).join();
  if (starts(before) !== starts(answer)) renewWindows();
  else timeline.open(answer.open_windows.find((update) => update.window.size === shownSize));
}

// An asset whose rows are of another year is replayed: how long ago that was says nothing.
const recently = (iso) => (Math.abs(Date.now() - Date.parse(iso)) < 2 * 86_400_000 ? ` (${age(iso)})` : "");

function freshness() {
  if (!latest?.last_time) return "";
  const behind = latest.meta.lag ? `, ${count(latest.meta.lag)} messages behind` : latest.meta.stale ? ", may be out of date" : "";
  return `${count(latest.rows)} rows, newest ${time(latest.last_time)}${recently(latest.last_time)}${behind}`;
}

async function start() {
  await loadCatalogue();
  timeline = new Timeline($("p-soc"), $("p-power"));
  trends = new Trends($("p-rte"), $("rte-trend"), $("p-soh"), $("soh-trend"));
  try {
    render(await get(assetPath(id)));
  } catch (error) {
    show($("note"), message("bad", error.message, " ", h("a", { href: `${root}/` }, "Back to the fleet")));
    if (error.status === 404) {
      say("off");
      for (const section of document.querySelectorAll("main > .card, main > .grid, main > .grid-3")) section.hidden = true;
      return;
    }
  }
  specForm($("spec"), id, await may("write"));
  if (await may("admin")) forgetting(id);
  setInterval(() => text($("fresh"), freshness()), 5000);
  follow(`${assetPath(id)}/events`, {
    update: render,
    deleted: () => {
      show($("note"), message("warn", "This asset has been forgotten. ", h("a", { href: `${root}/` }, "Back to the fleet")));
    },
  });
}

await start();
