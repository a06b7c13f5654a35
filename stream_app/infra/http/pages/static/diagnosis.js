// What the doctor found in a file, and the form that says by hand how it is read.
import { h, message, svg, table } from "./dom.js";
import { count, duration, time, written } from "./quantities.js";

const UNITS = { degC: "°C" };

export function diagnosisView(found) {
  return [
    h("dl", { class: "kv" },
      ...pair("File", `${found.kind}${found.profile ? `, as ${found.profile} writes it` : ""}${found.whole ? "" : " (its first MB was looked at)"}`),
      ...pair("Rows", `${count(found.rows)}${found.left_out ? `, ${count(found.left_out)} cannot be read` : ""}`),
      ...pair("Time stamps", found.stamps),
      ...pair("State of charge", found.soc_low === null ? "there is none" : `${written(found.soc_low, "%")} to ${written(found.soc_high, "%")}`),
      ...(found.assets.length ? pair("Assets", found.assets.slice(0, 12).join(", ")) : []),
    ),
    h("h3", {}, "Columns"),
    h("div", { class: "scroll" }, table([
      { name: "In the file", cell: (column) => h("code", {}, column.title) },
      { name: "Read as", cell: (column) => column.name },
      { name: "Unit", cell: (column) => UNITS[column.unit] ?? column.unit ?? "–" },
      { name: "Conversion", cell: (column) => (column.scale === 1 && column.offset === 0 ? "as it is" : `× ${column.scale}${column.offset ? ` + ${column.offset}` : ""}${column.scale < 0 ? " (the sign is turned)" : ""}`) },
      { name: "Not measured", num: true, cell: (column) => (column.missing === null ? "–" : written(100 * column.missing, "%")) },
    ], found.columns, { label: "Columns that are read" })),
    found.not_read.length ? h("p", { class: "soft small" }, `Not read: ${found.not_read.join(", ")}`) : null,
    found.times.length ? h("h3", {}, "Times and gaps") : null,
    ...found.times.slice(0, 8).map((times) => coverage(times)),
    ...found.warnings.map((each) => message("warn", each)),
    found.notes.length ? h("details", {}, h("summary", {}, `How it is read (${found.notes.length})`), h("ul", { class: "small" }, found.notes.map((note) => h("li", {}, note)))) : null,
  ].filter(Boolean);
}

const pair = (name, value) => [h("dt", {}, name), h("dd", {}, value)];

function coverage(times) {
  const share = times.coverage;
  return h("div", { class: "small" },
    times.asset_id ? h("b", {}, `${times.asset_id}: `) : null,
    `${time(times.first)} to ${time(times.last)}, ${count(times.rows)} rows, a row every ${duration(times.step_median_s)} (longest step ${duration(times.step_longest_s)}); ${written(100 * share, "%")} of the time is covered${times.repeats ? `, ${count(times.repeats)} stamps repeat` : ""}.`,
    svg("svg", { class: "chart", viewBox: "0 0 460 12", "aria-hidden": "true", preserveAspectRatio: "none" },
      svg("rect", { x: 0, y: 2, width: 460, height: 8, rx: 3, class: "f-h1" }),
      svg("rect", { x: 0, y: 2, width: 460 * share, height: 8, rx: 3, class: "f-accent" })),
  );
}

const OURS = [
  ["timestamp", "Time"], ["current", "Current [A]"], ["voltage", "Voltage [V]"], ["soc", "State of charge"], ["power", "Power [W]"], ["temperature", "Temperature [°C]"],
];
const MORE = [
  ["current_sign", "Current's sign", { "": "as the file says", charge_positive: "positive charges", discharge_positive: "positive discharges" }],
  ["soc_scale", "Scale of the SoC", { "": "by the file", percent: "0 to 100", fraction: "0 to 1" }],
  ["decimal", "Decimal mark", { "": "by the file", point: "point", comma: "comma" }],
];

// `again` gets the spec that the form says.
export function mappingOf(columns, others, spec, again) {
  const titles = [...new Set([...columns.map((column) => column.title), ...others])];
  const given = spec.columns ?? {};
  const select = (name, label) => {
    const present = given[name] ?? "";
    const input = titles.length
      ? h("select", { name: `c-${name}`, id: `map-${name}` }, h("option", { value: "" }, automatic(columns, name)), titles.map((title) => h("option", { value: title, selected: title === present }, title)))
      : h("input", { name: `c-${name}`, id: `map-${name}`, value: present, placeholder: "title, or #3", autocomplete: "off" });
    return h("div", { class: "field" }, h("label", { for: `map-${name}` }, label), input);
  };
  const submit = (event) => {
    event.preventDefault();
    const form = event.target;
    const next = {};
    const mapped = Object.fromEntries(OURS.map(([name]) => [name, form.elements[`c-${name}`].value.trim()]).filter(([, title]) => title));
    if (Object.keys(mapped).length) next.columns = mapped;
    for (const [name] of MORE) if (form.elements[name].value) next[name] = form.elements[name].value;
    if (form.elements.timezone.value.trim()) next.timezone = form.elements.timezone.value.trim();
    if (form.elements.allow_rejected.checked) next.allow_rejected = true;
    again(next);
  };
  return h("details", { open: Object.keys(spec).length > 0 }, h("summary", {}, "Change how it is read"),
    h("form", { class: "stack", onsubmit: submit },
      h("div", { class: "fields" },
        OURS.map(([name, label]) => select(name, label)),
        MORE.map(([name, label, options]) => h("div", { class: "field" }, h("label", { for: `map-${name}` }, label), h("select", { name, id: `map-${name}` }, Object.entries(options).map(([key, words]) => h("option", { value: key, selected: key === (spec[name] ?? "") }, words))))),
        h("div", { class: "field" }, h("label", { for: "map-timezone" }, "Zone of the times"), h("input", { name: "timezone", id: "map-timezone", value: spec.timezone ?? "", placeholder: "such as Europe/Berlin", autocomplete: "off" })),
      ),
      h("label", { class: "row small" }, h("input", { type: "checkbox", name: "allow_rejected", checked: spec.allow_rejected === true }), "Leave out rows that cannot be read, even if they are more than 1 %"),
      h("div", {}, h("button", { type: "submit" }, "Look again")),
    ));
}

function automatic(columns, name) {
  const found = columns.find((column) => column.name === (name === "timestamp" ? "time" : name));
  return found ? `by the title: ${found.title}` : "none";
}
