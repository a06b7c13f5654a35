// Elements without a framework. Text is always set as text: nothing that comes from data is read as HTML.
export const $ = (id) => document.getElementById(id);

export function h(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

// Sets text only where it differs: screen readers and selections are left alone.
export function text(element, value) {
  if (element.textContent !== value) element.textContent = value;
}

export function message(kind, ...content) {
  return h("div", { class: `message ${kind}`, role: kind === "bad" ? "alert" : "status" }, ...content);
}

export function show(container, ...content) {
  container.replaceChildren(...content.flat().filter(Boolean));
}

const SHAPES = {
  charging: "M5 0 10 9H0Z",
  discharging: "M0 1H10L5 10Z",
  idle: "M1 1H9V9H1Z",
  silent: "M1 0 5 4 9 0 10 1 6 5 10 9 9 10 5 6 1 10 0 9 4 5 0 1Z",
  good: "M0 5 2 3 4 6 8 1 10 3 4 10Z",
  warn: "M5 0 10 10H0Z M4.4 3.4V7H5.6V3.4Z",
  bad: "M3 0H7L10 3V7L7 10H3L0 7V3Z",
};

export function badge(kind, label) {
  const shape = SHAPES[kind];
  return h(
    "span",
    { class: `badge ${kind}` },
    shape ? svg("svg", { viewBox: "0 0 10 10", "aria-hidden": "true" }, svg("path", { d: shape, fill: "currentColor" })) : null,
    h("span", {}, label),
  );
}

// A table whose cells know their column, which narrow screens show.
export function table(columns, rows, { caption, label } = {}) {
  return h(
    "table",
    { class: "stacked", "aria-label": label },
    caption ? h("caption", { class: "sr" }, caption) : null,
    h("thead", {}, h("tr", {}, columns.map((column) => h("th", { scope: "col", class: column.num ? "num" : null }, column.name)))),
    h(
      "tbody",
      {},
      rows.map((row) =>
        h(
          "tr",
          {},
          columns.map((column, i) =>
            h(i ? "td" : "th", { scope: i ? null : "row", class: column.num ? "num" : null, "data-label": column.name }, column.cell(row) ?? ""),
          ),
        ),
      ),
    ),
  );
}
