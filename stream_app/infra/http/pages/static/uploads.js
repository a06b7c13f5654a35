// From a file to its metrics: what was found in it, the way it is read, progress, result.
import { ask, get, may, problemOf, root, session, toLogin } from "./api.js";
import { $, badge, h, message, show, table, text } from "./dom.js";
import { diagnosisView, mappingOf } from "./diagnosis.js";
import { say } from "./live.js";
import { count, loadCatalogue, short, time, whyNull, labelOf, metricCell, quantity, describe, describeBriefly } from "./quantities.js";

const FIRST_BYTES = 1 << 20;
const POLL_MS = 400;
const HEADLINES = ["rte_level", "soh_capacity", "capacity_est", "energy_in_kwh", "energy_out_kwh", "equivalent_full_cycles", "loss_kwh", "r_step"];

const work = $("work");
let file;

async function diagnose(spec = {}) {
  show(work, h("div", { class: "card" }, h("p", {}, `Looking at ${file.name} …`), h("progress", { "aria-label": "Looking at the file" })));
  const form = new FormData();
  // The doctor looks at the first MB of a text; workbooks and the like are read as a whole.
  const isText = /\.(csv|tsv|txt|json|jsonl|ndjson|log)$/i.test(file.name);
  form.append("data", isText ? file.slice(0, FIRST_BYTES) : file, file.name);
  if (Object.keys(spec).length) form.append("spec", JSON.stringify(spec));
  try {
    const found = await (await ask("/api/v1/doctor", { method: "POST", body: form })).json();
    show(work, await findings(found, spec));
  } catch (error) {
    show(work, await refusal(error, spec));
  }
}

function where(problem) {
  const parts = [problem.row !== undefined ? `row ${count(problem.row)}` : "", problem.column ? `column ${problem.column}` : ""].filter(Boolean);
  return parts.length ? ` (${parts.join(", ")})` : "";
}

async function refusal(error, spec) {
  const box = h(
    "div",
    { class: "card stack" },
    h("h2", {}, `${file.name} cannot be read`),
    message("bad", h("b", {}, error.message), where(error.body ?? {})),
    error.body?.errors?.length > 1 ? h("ul", { class: "small" }, error.body.errors.slice(0, 10).map((each) => h("li", {}, `${each.row === undefined ? "" : `row ${each.row}: `}${each.field ? `${each.field}: ` : ""}${each.message}`))) : null,
    h("p", { class: "soft small" }, "Correct the file, or say by hand how it is to be read:"),
    mappingOf([], [], spec, diagnose),
  );
  return box;
}

async function findings(found, spec) {
  const isAllowed = await may("write");
  const capacity = h("input", { id: "capacity", type: "text", inputmode: "decimal", autocomplete: "off", required: true, "aria-describedby": "capacity-error" });
  const error = h("span", { class: "error", id: "capacity-error", role: "alert" });
  const submit = (event) => {
    event.preventDefault();
    const value = Number(capacity.value.replace(",", "."));
    const isGood = value > 0 && value <= 1e9;
    capacity.setAttribute("aria-invalid", String(!isGood));
    text(error, isGood ? "" : "Enter the capacity that the nameplate says, in Ah.");
    if (isGood) upload(value, spec);
    else capacity.focus();
  };
  return h(
    "div",
    { class: "card stack" },
    h("div", { class: "head" }, h("h2", { class: "grow" }, `What was found in ${file.name}`), badge(found.warnings.length ? "warn" : "good", found.warnings.length ? `${found.warnings.length} to look at` : "nothing odd")),
    ...diagnosisView(found),
    mappingOf(found.columns, found.not_read, spec, diagnose),
    isAllowed
      ? h("form", { class: "row", novalidate: true, onsubmit: submit }, h("div", { class: "field" }, h("label", { for: "capacity" }, "Nominal capacity [Ah]"), capacity, error), h("button", { type: "submit", class: "main" }, "Compute the metrics"))
      : message("warn", "Your key may look at files, not upload them."),
  );
}

function upload(capacityAh, spec) {
  const bar = h("progress", { max: "1", value: "0", "aria-label": "Upload" });
  const said = h("p", { class: "num", role: "status" }, "");
  const box = h("div", { class: "card stack" }, h("h2", {}, `Uploading ${file.name}`), bar, said);
  show(work, box);
  const form = new FormData();
  form.append("data", file, file.name);
  form.append("nominal_capacity", String(capacityAh));
  if (Object.keys(spec).length) form.append("spec", JSON.stringify(spec));
  const request = new XMLHttpRequest(); // fetch does not tell how much has been sent
  request.open("POST", `${root}/api/v1/metrics`);
  request.upload.onprogress = (event) => {
    bar.value = event.loaded / event.total;
    text(said, event.loaded < event.total ? `${short(event.loaded / 1000)} of ${short(event.total / 1000)} kB sent` : "The file is checked and written to Kafka …");
  };
  request.onerror = () => show(work, message("bad", "The worker does not answer: it restarts, or the network is down. Try again."));
  request.onload = async () => {
    if (request.status === 401) toLogin();
    if (request.status >= 400) {
      const error = await problemOf(new Response(request.responseText, { status: request.status }));
      show(work, await refusal(error, spec));
      return;
    }
    const accepted = JSON.parse(request.responseText);
    history.replaceState(null, "", `#${accepted.task_id}`);
    await follow(accepted.task_id, file.name, accepted.warnings ?? []);
  };
  request.send(form);
}

const wait = (ms) => new Promise((done) => setTimeout(done, ms));

async function follow(task, name, warnings) {
  const bar = h("progress", { "aria-label": "Rows applied" });
  const said = h("p", { class: "num", role: "status" }, "");
  show(work, h("div", { class: "card stack" }, h("h2", {}, `Computing the metrics of ${name}`), bar, said));
  let [applied, at] = [0, performance.now()];
  for (;;) {
    let status;
    try {
      status = await get(`/api/v1/metrics/${task}`);
      say("on");
    } catch (error) {
      if (error.status && error.status !== 503) {
        show(work, message("bad", error.message));
        return;
      }
      say("off");
      await wait(4 * POLL_MS);
      continue;
    }
    const rows = (status.assets ?? [status]).reduce((sum, each) => sum + (each.progress?.rows_applied ?? 0), 0);
    const sent = (status.assets ?? [status]).reduce((sum, each) => sum + (each.progress?.rows_sent ?? 0), 0);
    const rate = ((rows - applied) / (performance.now() - at)) * 1000;
    [applied, at] = [rows, performance.now()];
    if (sent) {
      bar.max = sent;
      bar.value = rows;
      text(said, `${count(rows)} of ${count(sent)} rows applied${rate > 0 ? `, ${short(rate)} rows/s` : ""}`);
    }
    if (status.state === "SUCCESS" || status.state === "FAILURE") {
      show(work, result(task, name, status, warnings));
      past();
      work.querySelector("h2").focus();
      return;
    }
    await wait(POLL_MS);
  }
}

function result(task, name, status, warnings) {
  const parts = status.assets ?? [{ asset_id: name, ...status }];
  const box = h("div", { class: "stack" });
  for (const part of parts) {
    const asset = status.assets ? null : `upload-${task}`;
    box.append(h("div", { class: "card stack" }, h("h2", { tabindex: "-1" }, `Result of ${part.asset_id}`), ...body(part, asset, warnings)));
  }
  return box;
}

function body(part, asset, warnings) {
  if (!part.data) return [message("bad", part.error ?? "There is no result.")];
  const { metrics } = part.data;
  return [
    ...warnings.map((each) => message("warn", each)),
    h("dl", { class: "figures" }, HEADLINES.map((name) => figure(name, metrics[name]))),
    h(
      "div",
      { class: "row" },
      asset ? h("a", { class: "button main", href: `${root}/assets/${asset}` }, "Plots and all figures") : null,
      asset ? h("a", { class: "button", href: `${root}/api/v1/assets/${asset}/report` }, "Report to print") : null,
      save(`${part.asset_id}.csv`, "text/csv", csv(metrics), "Download CSV"),
      save(`${part.asset_id}.json`, "application/json", JSON.stringify(part.data, null, 1), "Download JSON"),
    ),
    h("details", {}, h("summary", {}, "All metrics"), table([
      { name: "Metric", cell: ([name]) => h("span", {}, labelOf(name) === name ? "" : `${labelOf(name)} `, h("code", { class: "soft small" }, name)) },
      { name: "Value", num: true, cell: ([name, metric]) => (Array.isArray(metric.value) ? `${metric.value.length} bins` : metricCell(name, metric)) },
      { name: "What it is, or why it is not there", cell: ([name, metric]) => (metric.value === null ? `n/a because ${whyNull(metric.reason)}` : describe(name)) },
    ], Object.entries(metrics), { label: "All metrics" })),
  ];
}

function figure(name, metric) {
  const shown = metric ? quantity(metric.value, metric.unit, { sigma: metric.sigma ?? null, name }) : null;
  return h("div", { class: "figure" }, h("dt", {}, labelOf(name)), ...(shown ? [h("dd", { class: "big" }, shown.value, shown.sigma === null ? "" : h("span", { class: "unit" }, ` ± ${shown.sigma}`), h("span", { class: "unit" }, ` ${shown.unit}`)), h("dd", { class: "note" }, describeBriefly(name))] : [h("dd", { class: "big na" }, "n/a"), h("dd", { class: "note" }, `because ${whyNull(metric?.reason)}`)]));
}

function csv(metrics) {
  const cell = (value) => (value === null || value === undefined ? "" : Array.isArray(value) ? `"${value.join(";")}"` : String(value));
  const lines = Object.entries(metrics).map(([name, metric]) => [name, cell(metric.value), metric.unit, cell(metric.sigma), cell(metric.reason), cell(metric.coverage)].join(","));
  return ["metric,value,unit,sigma,reason,coverage", ...lines, ""].join("\r\n");
}

const save = (name, type, content, label) => h("a", { class: "button", download: name, href: URL.createObjectURL(new Blob([content], { type })) }, label);

async function past() {
  try {
    const page = await get("/api/v1/assets?prefix=upload-&limit=100");
    if (!page.assets.length) return show($("past"), h("p", { class: "empty" }, "None yet."));
    const newest = [...page.assets].sort((a, b) => (b.last_time ?? "").localeCompare(a.last_time ?? ""));
    return show($("past"), table([
      { name: "Upload", cell: (item) => h("a", { href: `${root}/assets/${item.asset_id}` }, item.asset_id.slice(7, 15)) },
      { name: "Rows", num: true, cell: (item) => count(item.rows) },
      { name: "Newest row", cell: (item) => time(item.last_time) },
      { name: "Report", cell: (item) => h("a", { href: `${root}/api/v1/assets/${item.asset_id}/report` }, "report", h("span", { class: "sr" }, ` of ${item.asset_id.slice(7, 15)}`)) },
    ], newest, { label: "Past uploads" }));
  } catch (error) {
    return show($("past"), message("bad", error.message));
  }
}

function take(chosen) {
  if (!chosen) return;
  file = chosen;
  diagnose();
}

const drop = $("drop");
$("file").addEventListener("change", (event) => {
  take(event.target.files[0]);
  event.target.value = "";
});
for (const name of ["dragenter", "dragover"]) drop.addEventListener(name, (event) => { event.preventDefault(); drop.classList.add("over"); });
drop.addEventListener("dragleave", () => drop.classList.remove("over"));
drop.addEventListener("drop", (event) => {
  event.preventDefault();
  drop.classList.remove("over");
  take(event.dataTransfer.files[0]);
});

await Promise.all([loadCatalogue(), session()]);
await past();
say("on");
const task = location.hash.slice(1);
if (/^[0-9a-f-]{36}$/.test(task)) await follow(task, "the file", []);
