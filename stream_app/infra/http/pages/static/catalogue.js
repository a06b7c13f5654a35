// The metrics, as their docstrings describe them.
import { $, h, message, show, text } from "./dom.js";
import { formula } from "./formula.js";
import { say } from "./live.js";
import { labelOf, loadCatalogue, whyNull } from "./quantities.js";

const UNITS = { 1: "a ratio or count", degC: "°C" };
const plain = (words) => words.replaceAll("``", "").replaceAll("`", "").replace(/:(?:meth|class|mod|func|attr):/g, "").replace(/\s+/g, " ");

function entry(metric) {
  const label = labelOf(metric.name);
  const math = metric.formula ? formula(metric.formula) : null;
  return h("article", { class: "entry", id: metric.name },
    h("h3", {}, label === metric.name ? h("code", {}, metric.name) : [h("span", {}, label), h("code", { class: "soft small" }, metric.name)], h("span", { class: "soft small" }, UNITS[metric.unit] ?? metric.unit)),
    h("p", {}, plain(metric.description)),
    math ? h("div", { class: "formula", tabindex: "0", role: "group", "aria-label": `Formula of ${metric.name}` }, math) : null,
    ...metric.notes.map((note) => h("p", { class: "small soft" }, plain(note))),
    metric.reasons.length ? h("details", {}, h("summary", {}, `Why it may be n/a (${metric.reasons.length})`), h("ul", { class: "small" }, metric.reasons.map((reason) => h("li", {}, h("code", {}, reason), `: ${whyNull(reason)}`)))) : null,
    metric.reference ? h("p", { class: "small soft" }, `Source: ${plain(metric.reference)}`) : null,
  );
}

try {
  const metrics = [...(await loadCatalogue()).values()].sort((a, b) => a.name.localeCompare(b.name));
  const entries = metrics.map((metric) => [metric, entry(metric)]);
  show($("metrics"), entries.map(([, element]) => element));
  const filter = () => {
    const wanted = $("find").value.trim().toLowerCase();
    let n = 0;
    for (const [metric, element] of entries) {
      element.hidden = !`${metric.name} ${labelOf(metric.name)} ${metric.description}`.toLowerCase().includes(wanted);
      n += element.hidden ? 0 : 1;
    }
    text($("total"), `${n} of ${metrics.length} metrics`);
  };
  $("find").addEventListener("input", filter);
  filter();
  say("on");
  if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
} catch (error) {
  show($("metrics"), message("bad", error.message));
  say("off");
}
