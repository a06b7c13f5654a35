// From a file to its metrics: what was found in it, the way it is read, progress, result.
import { ask, assetPath, get, may, problemOf, query, root, send, session, toLogin } from "./api.js";
import { $, badge, h, message, show, table, text } from "./dom.js";
import { diagnosisView, mappingOf } from "./diagnosis.js";
import { say } from "./live.js";
import { count, loadCatalogue, short, time, whyNull, labelOf, metricCell, quantity, describe, describeBriefly } from "./quantities.js";
import { Timeline } from "./timeline.js";

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

const READING = { waiting: "Waiting for its turn", checking: "Checking the file", sending: "Sending its rows", sent: "", failed: "Failed" };
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
    const reading = status.progress?.reading;
    if (reading && reading.phase !== "sent") {
      bar.max = 100;
      bar.value = reading.percent;
      text(said, `${READING[reading.phase]}: ${reading.percent.toFixed(0)} %${reading.rows_published ? `, ${count(reading.rows_published)} rows sent` : ""}${rate > 0 ? `, ${short(rate)} rows/s` : ""}`);
    } else if (sent) {
      bar.max = sent;
      bar.value = rows;
      text(said, `${count(rows)} of ${count(sent)} rows applied${rate > 0 ? `, ${short(rate)} rows/s` : ""}`);
    }
    if (status.state === "SUCCESS" || status.state === "FAILURE") {
      show(work, result(task, name, status, warnings));
      past().catch(() => {}); // the list of the moment before stays
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
    if (asset && part.data) plots(box.lastChild, asset);
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
      asset ? h("a", { class: "button", href: `${root}/api/v1/assets/${asset}/report${query({ title: part.asset_id })}` }, "Report to print") : null,
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

async function plots(box, asset) {
  const [soc, power] = [h("div", { class: "plot" }), h("div", { class: "plot" })];
  box.append(h("div", { class: "grid" }, h("figure", {}, h("figcaption", { class: "soft small" }, "State of charge by the hour"), soc), h("figure", {}, h("figcaption", { class: "soft small" }, "Power by the hour: above zero it charges"), power)));
  const page = await get(`${assetPath(asset)}/windows/1h?limit=400`);
  new Timeline(soc, power).set(page.windows, "1h");
}

function figure(name, metric) {
  const shown = metric ? quantity(metric.value, metric.unit, { sigma: metric.sigma ?? null, name }) : null;
  return h("div", { class: "figure" }, h("dt", {}, labelOf(name)), ...(shown ? [h("dd", { class: "big" }, shown.value, shown.sigma === null ? "" : h("span", { class: "unit" }, ` ± ${shown.sigma}`), h("span", { class: "unit" }, ` ${shown.unit}`)), h("dd", { class: "note" }, describeBriefly(name) === labelOf(name) ? "" : describeBriefly(name))] : [h("dd", { class: "big na" }, "n/a"), h("dd", { class: "note" }, `because ${whyNull(metric?.reason)}`)]));
}

function csv(metrics) {
  const cell = (value) => (value === null || value === undefined ? "" : Array.isArray(value) ? `"${value.join(";")}"` : String(value));
  const lines = Object.entries(metrics).map(([name, metric]) => [name, cell(metric.value), metric.unit, cell(metric.sigma), cell(metric.reason), cell(metric.coverage)].join(","));
  return ["metric,value,unit,sigma,reason,coverage", ...lines, ""].join("\r\n");
}

const save = (name, type, content, label) => h("a", { class: "button", download: name, href: URL.createObjectURL(new Blob([content], { type })) }, label);

const STATES = { PENDING: ["idle", "waiting"], STARTED: ["idle", "computing"], SUCCESS: ["good", "done"], FAILURE: ["bad", "failed"] };

async function past() {
  const [page, isAdmin, isWriter] = [await get("/api/v1/metrics?limit=200"), await may("admin"), await may("write")];
  if (!page.tasks.length) return show($("past"), h("p", { class: "empty" }, "None yet."));
  const newest = [...page.tasks].sort((a, b) => (b.ended ?? "9").localeCompare(a.ended ?? "9"));
  return show($("past"), table([
    { name: "Upload", cell: (task) => h("a", { href: `#${task.task_id}`, onclick: () => follow(task.task_id, task.task_id.slice(0, 8), []) }, task.task_id.slice(0, 8)) },
    { name: "State", cell: (task) => badge(...STATES[task.state]) },
    { name: "Rows", num: true, cell: (task) => `${count(task.rows_applied)}${task.rows_rejected ? `, ${count(task.rows_rejected)} left out` : ""}` },
    { name: "Finished", cell: (task) => (task.ended ? time(task.ended) : "not yet") },
    { name: "What can be done", cell: (task) => actions(task, isAdmin, isWriter) },
  ], newest, { label: "Past uploads" }));
}

function actions(task, isAdmin, isWriter) {
  const named = (label) => [label, h("span", { class: "sr" }, ` of ${task.task_id.slice(0, 8)}`)];
  const act = (method, path) => async () => {
    try {
      await send(method, path);
      await past().catch((error) => show($("past"), message("bad", error.message)));
    } catch (error) {
      show(work, message("bad", error.message));
    }
  };
  const path = `/api/v1/metrics/${task.task_id}`;
  return h("span", { class: "row" },
    task.state === "SUCCESS" ? h("a", { href: `${root}/assets/upload-${task.task_id}` }, named("plots")) : null,
    task.state === "SUCCESS" ? h("a", { href: `${root}/api/v1/assets/upload-${task.task_id}/report` }, named("report")) : null,
    task.ended === null && isWriter ? h("button", { type: "button", onclick: act("POST", `${path}/cancel`) }, named("Cancel")) : null,
    task.ended !== null && isAdmin ? h("button", { type: "button", onclick: act("DELETE", path) }, named("Forget")) : null,
    task.error ? h("span", { class: "small soft" }, task.error) : null,
  );
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
await past().catch((error) => show($("past"), message("bad", error.message)));
say("on");
const task = location.hash.slice(1);
if (/^[0-9a-f-]{36}$/.test(task)) await follow(task, "the file", []);
