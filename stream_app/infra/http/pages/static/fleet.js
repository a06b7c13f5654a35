// The fleet: a strip of its sums, and a page of its assets as the server sorts and filters them. Rows are mended in
// place as values come, so that nothing jumps; their order changes when the list is asked for again.
import { get, query, root } from "./api.js";
import { bar } from "./bars.js";
import { $, badge, h, message, show, text } from "./dom.js";
import { follow, poll } from "./live.js";
import { age, count, labelOf, loadCatalogue, metricCell, quantity, short, time, whyNull, written } from "./quantities.js";

const PAGE = 50;
const LIST_MS = 10_000;
const STRIP_MS = 2_000;
const STALE_MS = 60_000;
const STATES = { charging: "charging", discharging: "discharging", idle: "idle", silent: "silent", unknown: "no power known", upload: "upload" };

const COLUMNS = [
  { key: "asset", name: "Asset" },
  { key: null, name: "State" },
  { key: "soc_percent", name: "SoC", num: true },
  { key: "power_w", name: "Power", num: true },
  { key: "rte_level", name: "Efficiency", num: true },
  { key: "soh_capacity", name: "State of health", num: true },
  { key: "coverage", name: "Data", num: true },
  { key: "last_time", name: "Newest row", num: true },
];

const view = { search: "", state: "", sort: "asset", order: "asc", worst: "", cursors: [""] };
const rows = new Map();
let asked = 0;

// --- the strip ---------------------------------------------------------------------------------------------------

const figures = new Map();
function figure(key, label, shown, note) {
  if (!figures.has(key)) {
    const place = { big: h("dd", { class: "big live-value" }), note: h("dd", { class: "note" }) };
    $("strip").append(h("div", { class: "figure" }, h("dt", {}, label), place.big, place.note));
    figures.set(key, place);
  }
  const place = figures.get(key);
  const isMissing = shown === null;
  place.big.classList.toggle("na", isMissing);
  const key2 = JSON.stringify([shown, note]);
  if (place.shown === key2) return;
  place.shown = key2;
  show(place.big, isMissing ? "n/a" : shown.value, shown?.unit ? h("span", { class: "unit" }, ` ${shown.unit}`) : "");
  text(place.note, note);
}

const sumOf = (sum) => quantity(sum.value, sum.unit);
const because = (sum, known) => (sum.value === null ? `because ${whyNull(sum.reason)}` : known);

let before = null;
async function strip() {
  const fleet = await get("/api/v1/fleet/summary");
  const now = performance.now();
  const perS = before && fleet.rows >= before.rows ? ((fleet.rows - before.rows) / (now - before.at)) * 1000 : null;
  before = { rows: fleet.rows, at: now };
  const states = fleet.by_state;
  figure("assets", "Assets", { value: count(fleet.assets), unit: "" }, ["charging", "discharging", "idle"].map((state) => `${count(states[state] ?? 0)} ${state}`).join(", "));
  figure("silent", "Silent", { value: count(states.silent ?? 0), unit: "" }, states.silent ? "no row for longer than a gap may be" : "every asset sends");
  figure("power", "Power now", sumOf(fleet.power_w), because(fleet.power_w, fleet.power_w.value > 0 ? "into the batteries" : fleet.power_w.value < 0 ? "out of the batteries" : "at rest"));
  const isToday = Date.now() - Date.parse(fleet.day_start) < 86_400_000;
  const [when, since] = isToday
    ? [" today", `since ${time(fleet.day_start).slice(0, 16)}`]
    : ["", `on ${fleet.day_start.slice(0, 10)} (UTC), where most assets are`];
  figure("in", `Charged${when}`, sumOf(fleet.energy_in_today_kwh), because(fleet.energy_in_today_kwh, since));
  figure("out", `Discharged${when}`, sumOf(fleet.energy_out_today_kwh), because(fleet.energy_out_today_kwh, since));
  figure("rate", "Rows", perS === null ? null : { value: short(Math.round(perS)), unit: "/s" }, perS === null ? "because two looks are needed" : `${short(fleet.rows)} so far`);
  figure("lag", "Behind", fleet.meta.lag === null ? null : { value: count(fleet.meta.lag), unit: "messages" }, fleet.meta.lag === null ? "because a partition's end is not known yet" : fleet.meta.lag ? "not processed yet" : "everything is processed");
}

// --- the table ---------------------------------------------------------------------------------------------------

function heads() {
  show($("heads"), COLUMNS.map(({ key, name, num }) => {
    const isSorted = key !== null && view.sort === key;
    const sorted = isSorted ? (view.order === "asc" ? "ascending" : "descending") : null;
    return h("th", { scope: "col", class: num ? "num" : null, "aria-sort": sorted }, key === null ? name : h("button", { type: "button", onclick: () => sortBy(key) }, name));
  }), extra() ? h("th", { scope: "col", class: "num", "aria-sort": view.order === "asc" ? "ascending" : "descending" }, labelOf(extra())) : null);
}

// A metric that orders the list and has no column of its own.
const extra = () => (view.worst && !COLUMNS.some(({ key }) => key === view.worst) ? view.worst : "");

function sortBy(key) {
  view.order = view.sort === key && view.order === "asc" ? "desc" : "asc";
  view.sort = key;
  view.worst = "";
  $("worst").value = "";
  fromStart();
}

function soc(item) {
  if (item.soc_percent === null || item.soc_percent === undefined) return metricCell("soc", { value: null, reason: "soc_missing" });
  const said = written(item.soc_percent, "%");
  return h("span", { class: "soc live-value" }, bar(item.soc_percent / 100, { label: "" }), h("span", { class: "num" }, said));
}

function state(item) {
  const label = STATES[item.state] ?? item.state;
  return badge(item.state, item.state === "silent" && item.received_time ? `silent for ${age(item.received_time).replace(" ago", "")}` : label);
}

function cellsOf(item) {
  const isOld = item.state === "silent" || (item.received_time && Date.now() - Date.parse(item.received_time) > STALE_MS && item.state !== "upload");
  const power = item.power_w === null || item.power_w === undefined ? metricCell("power", { value: null, reason: "power_missing" }) : h("span", { class: isOld ? "is-stale" : "live-value" }, written(item.power_w, "W"));
  return [
    h("a", { href: `${root}/assets/${encodeURIComponent(item.asset_id)}` }, item.asset_id),
    state(item),
    soc(item),
    power,
    metricCell("rte_level", item.efficiency),
    metricCell("soh_capacity", item.soh),
    quality(item),
    h("span", { class: isOld ? "is-stale" : null }, item.last_time ? time(item.last_time) : "no row yet"),
    ...(extra() ? [metricCell(extra(), item.metrics?.[extra()])] : []),
  ];
}

function quality(item) {
  const share = item.coverage?.value;
  if (share === null || share === undefined) return metricCell("coverage", item.coverage);
  const refused = item.rows_rejected ? `, ${count(item.rows_rejected)} refused` : "";
  const kind = share >= 0.98 && !item.rows_rejected ? "good" : "warn";
  return badge(kind, `${written(share, "1", { name: "coverage" })}${refused}`);
}

function put(item) {
  let row = rows.get(item.asset_id);
  const key = JSON.stringify([item, extra(), item.state === "silent" ? Math.floor(Date.now() / 10_000) : 0]);
  if (row?.shown === key) return row.element;
  const cells = cellsOf(item);
  if (!row) {
    const columns = [...COLUMNS, ...(extra() ? [{ name: labelOf(extra()), num: true }] : [])];
    row = { element: h("tr", {}, columns.map(({ name, num }, i) => h(i ? "td" : "th", { scope: i ? null : "row", class: num ? "num" : null, "data-label": name }))), cells: [] };
    rows.set(item.asset_id, row);
  }
  row.shown = key;
  row.item = item;
  cells.forEach((cell, i) => {
    const place = row.element.children[i];
    // The link stays the same element: somebody may have it under the pointer or in focus.
    if (i === 0 && place.firstChild) return;
    if (place.firstChild && place.firstChild.isEqualNode?.(cell)) return;
    place.replaceChildren(cell);
  });
  return row.element;
}

// Events of the assets that are shown, and of no others.
let close = null;
let followed = "";
function followShown() {
  const ids = [...rows.keys()];
  const key = ids.join("/");
  if (key === followed) return;
  followed = key;
  close?.();
  close = ids.length ? follow(`/api/v1/events?${new URLSearchParams(ids.map((id) => ["asset", id]))}`, { update, deleted }) : null;
}

function update(item) {
  const row = rows.get(item.asset_id);
  // An event has none of the metrics that the list was asked for.
  if (row) put({ ...item, metrics: row.item.metrics });
}

function deleted({ asset_id: id }) {
  rows.get(id)?.element.remove();
  rows.delete(id);
}

function ask() {
  const values = { limit: PAGE, cursor: view.cursors.at(-1), q: view.search, state: view.state, uploads: "false" };
  if (view.worst) Object.assign(values, { sort: view.worst, order: view.order, metrics: extra() || "" });
  else if (view.sort !== "asset" || view.order !== "asc") Object.assign(values, { sort: view.sort, order: view.order });
  return get(`/api/v1/assets${query(values)}`);
}

async function list() {
  asked += 1;
  const turn = asked;
  const page = await ask();
  if (turn !== asked) return; // another question was asked meanwhile
  const wanted = page.assets.map(put);
  const present = [...$("rows").children];
  if (wanted.length !== present.length || wanted.some((element, i) => element !== present[i])) $("rows").replaceChildren(...wanted);
  for (const [id, row] of rows) if (!wanted.includes(row.element)) rows.delete(id);
  followShown();
  text($("total"), page.total !== undefined ? `(${count(page.total)})` : "");
  $("first").disabled = view.cursors.length === 1;
  $("next").disabled = !page.next_cursor;
  $("next").dataset.cursor = page.next_cursor ?? "";
  const from = (view.cursors.length - 1) * PAGE;
  text($("page"), page.assets.length ? `${count(from + 1)} to ${count(from + page.assets.length)}` : "");
  show($("empty"), page.assets.length ? null : h("p", { class: "empty" }, view.search || view.state ? "No asset is like that." : "No asset yet. As soon as a row comes, its asset is here: see the API document for how to send rows, or upload a file."));
}

async function renew() {
  try {
    heads();
    await list();
    $("note").replaceChildren();
  } catch (error) {
    show($("note"), message("bad", error.message));
  }
}

function fromStart() {
  view.cursors = [""];
  rows.clear();
  return renew();
}

// --- what people do --------------------------------------------------------------------------------------------------

let typing;
$("search").addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(() => {
    view.search = $("search").value.trim();
    fromStart();
  }, 200);
});
$("state").addEventListener("change", () => {
  view.state = $("state").value;
  fromStart();
});
$("worst").addEventListener("change", () => {
  const chosen = $("worst").selectedOptions[0];
  view.worst = chosen.value;
  view.order = chosen.dataset.order ?? "asc";
  view.sort = view.worst || "asset";
  fromStart();
});
$("next").addEventListener("click", () => {
  view.cursors.push($("next").dataset.cursor);
  renew();
});
$("first").addEventListener("click", fromStart);

// By which metrics an asset may be worst, and whether little or much is bad.
const WORST = [
  ["rte_level", "asc"], ["soh_capacity", "asc"], ["coverage", "asc"], ["loss_kwh", "desc"], ["self_discharge", "desc"], ["r_step", "desc"],
  ["temperature_max_c", "desc"], ["cell_spread_rest_v", "desc"], ["equivalent_full_cycles", "desc"], ["warranty_cycles_used_percent", "desc"],
  ["gap_s", "desc"], ["soc_error_1h_percent", "desc"], ["standby_power_w", "desc"],
];
const known = await loadCatalogue();
const others = [...known.values()].map(({ name }) => name).filter((name) => !WORST.some(([each]) => each === name));
const option = ([name, order], i) => h("option", { value: name, "data-order": order }, i === undefined || labelOf(name) !== name ? labelOf(name) : name);
$("worst").append(
  h("optgroup", { label: "Usual" }, WORST.filter(([name]) => known.has(name)).map(option)),
  h("optgroup", { label: "Largest" }, others.map((name) => option([name, "desc"]))),
  h("optgroup", { label: "Smallest" }, others.map((name) => option([name, "asc"]))),
);

const gone = new URLSearchParams(location.search).get("forgotten");
await renew();
if (gone) show($("note"), message("good", `${gone} is forgotten.`));
poll(strip, STRIP_MS);
poll(list, LIST_MS);
