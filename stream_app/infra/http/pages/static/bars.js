// Bars, heat maps and shares as SVG: each has its numbers in it or beside it.
import { h, svg } from "./dom.js";

// [{label, value, written, fill}] as columns.
export function columns(bars, { height = 170, width = 460, alt, axis }) {
  const [left, bottom, top] = [8, 34, 18];
  const most = Math.max(...bars.map((bar) => bar.value), 1e-12);
  const step = (width - 2 * left) / bars.length;
  const drawing = svg("svg", { class: "chart", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${alt}: ${bars.filter((bar) => bar.value).map((bar) => `${bar.label} ${bar.written}`).join(", ") || "nothing yet"}` });
  bars.forEach((bar, i) => {
    const size = ((height - bottom - top) * bar.value) / most;
    const x = left + i * step;
    if (bar.value) drawing.append(svg("rect", { x: x + step * 0.12, y: height - bottom - size, width: step * 0.76, height: Math.max(size, 1.5), rx: 2, class: bar.fill ?? "f-accent" }, svg("title", {}, `${bar.label}: ${bar.written}`)));
    if (bar.value && bars.length <= 12) drawing.append(svg("text", { x: x + step / 2, y: height - bottom - size - 4, "text-anchor": "middle", class: "value" }, bar.inBar ?? bar.written));
    if (bar.tick ?? true) drawing.append(svg("text", { x: x + step / 2, y: height - bottom + 14, "text-anchor": "middle" }, bar.label));
  });
  drawing.append(
    svg("line", { x1: left, x2: width - left, y1: height - bottom, y2: height - bottom, class: "axis" }),
    svg("text", { x: width / 2, y: height - 4, "text-anchor": "middle" }, axis),
  );
  return drawing;
}

// rows: [{label, cells: [share 0..1 or null]}], columns named below.
export function heat(rows, names, { alt, written, axis }) {
  const [left, cell, bottom] = [74, 24, 36];
  const width = 460;
  const step = (width - left - 4) / names.length;
  const height = rows.length * cell + bottom;
  const drawing = svg("svg", { class: "chart", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": alt });
  rows.forEach((row, y) => {
    drawing.append(svg("text", { x: left - 8, y: y * cell + cell / 2 + 4, "text-anchor": "end" }, row.label));
    row.cells.forEach((share, x) => {
      const level = share === null ? 0 : Math.min(5, Math.ceil(share * 5));
      drawing.append(svg("rect", { x: left + x * step + 1, y: y * cell + 1, width: step - 2, height: cell - 2, rx: 3, class: `f-h${level}` }, svg("title", {}, `${row.label}, ${names[x]}: ${written(y, x)}`)));
    });
  });
  names.forEach((name, x) => drawing.append(svg("text", { x: left + (x + 0.5) * step, y: height - bottom + 14, "text-anchor": "middle" }, name)));
  drawing.append(svg("text", { x: left + (width - left) / 2, y: height - 4, "text-anchor": "middle" }, axis));
  return drawing;
}

// Parts of a whole, with a legend that has the numbers.
export function shares(parts, { alt }) {
  const whole = parts.reduce((sum, part) => sum + Math.max(0, part.value), 0) || 1;
  const width = 460;
  let x = 0;
  const drawing = svg("svg", { class: "chart", viewBox: `0 0 ${width} 28`, role: "img", "aria-label": `${alt}: ${parts.map((part) => `${part.label} ${part.written}`).join(", ")}` });
  for (const part of parts) {
    const size = (width * Math.max(0, part.value)) / whole;
    if (size) drawing.append(svg("rect", { x: x + 1, y: 2, width: Math.max(1, size - 2), height: 24, rx: 3, class: part.fill }));
    x += size;
  }
  const legend = h("ul", { class: "legend" }, parts.map((part) => h("li", {}, svg("svg", { viewBox: "0 0 10 10", "aria-hidden": "true" }, svg("rect", { width: 10, height: 10, rx: 2, class: part.fill })), `${part.label} `, h("b", {}, part.written), ` (${((100 * Math.max(0, part.value)) / whole).toFixed(0)} %)`)));
  return [drawing, legend];
}

export function bar(share, { label, warn = false }) {
  const inner = h("i", { class: warn ? "warn" : null });
  inner.style.width = `${Math.min(100, Math.max(0, 100 * share))}%`;
  // Without a label the number stands beside it.
  return h("span", label ? { class: "bar", role: "img", "aria-label": label } : { class: "bar", "aria-hidden": "true" }, inner);
}
