// The spec as a form: only what was changed is sent, and only if nobody else changed it meanwhile.
import { ask, assetPath, send } from "./api.js";
import { $, h, message, show } from "./dom.js";

const FIELDS = [
  ["nominal_capacity_ah", "Nominal capacity", "Ah", { min: 0, max: 1e9, above: true }],
  ["nominal_energy_kwh", "Nominal energy", "kWh", { min: 0, max: 1e12, above: true }],
  ["energy_price_per_kwh", "Energy price", "per kWh", { min: 0, max: 1e6 }],
  ["warranty_full_cycles", "Warranted full cycles", "", { min: 0, max: 1e9, above: true }],
  ["warranty_throughput_kwh", "Warranted discharge", "kWh", { min: 0, max: 1e15, above: true }],
  ["temperature_low_c", "Lowest temperature allowed", "°C", { min: -25, max: 20, step: 5 }],
  ["temperature_high_c", "Highest temperature allowed", "°C", { min: 25, max: 65, step: 5 }],
  ["soc_low_percent", "Lowest SoC allowed", "%", { min: 10, max: 50, step: 10 }],
  ["soc_high_percent", "Highest SoC allowed", "%", { min: 50, max: 90, step: 10 }],
  ["voltage_low_v", "Lowest voltage allowed", "V", { min: 0, max: 1e6 }],
  ["voltage_high_v", "Highest voltage allowed", "V", { min: 0, max: 1e6, above: true }],
  ["c_rate_high", "Highest C-rate allowed", "1/h", { min: 0, max: 1000, above: true }],
  ["cell_spread_high_v", "Largest cell spread allowed", "V", { min: 0, max: 1000, above: true }],
  ["sampling_period_s", "Time between rows", "s", { min: 0, max: 86400, above: true }],
  ["max_gap_s", "A longer step is a gap", "s", { min: 0, max: 31536000, above: true }],
  ["current_sign", "Current's sign", "", { options: { charge_positive: "positive charges", discharge_positive: "positive discharges" } }],
  ["soc_scale", "Scale of the SoC", "", { options: { percent: "0 to 100", fraction: "0 to 1" } }],
  ["reporting", "Rows come", "", { options: { periodic: "periodically", on_change: "on change" } }],
];

function problemOf(rule, typed) {
  if (typed === "") return "";
  const value = Number(typed);
  if (!Number.isFinite(value)) return "Enter a number, or leave it empty.";
  if (rule.above && value <= rule.min) return `Enter more than ${rule.min}.`;
  if (value < rule.min) return `Enter ${rule.min} or more.`;
  if (value > rule.max) return `Enter ${rule.max} or less.`;
  if (rule.step && value % rule.step) return `Enter a multiple of ${rule.step}.`;
  return "";
}

function control(name, label, unit, rule, value, isAllowed) {
  const shared = { id: `spec-${name}`, name, disabled: !isAllowed, "aria-describedby": `spec-${name}-error` };
  const input = rule.options
    ? h("select", shared, Object.entries(rule.options).map(([key, words]) => h("option", { value: key, selected: key === (value ?? "") }, words)))
    : h("input", { ...shared, type: "text", inputmode: "decimal", autocomplete: "off", value: value ?? "", placeholder: "not set" });
  const error = h("span", { class: "error", id: `spec-${name}-error` });
  if (!rule.options) {
    input.addEventListener("input", () => {
      const problem = problemOf(rule, input.value.trim());
      error.textContent = problem;
      input.setAttribute("aria-invalid", String(problem !== ""));
    });
  }
  return h("div", { class: "field" }, h("label", { for: shared.id }, unit ? `${label} [${unit}]` : label), input, error);
}

export async function specForm(place, id, isAllowed) {
  const path = `${assetPath(id)}/spec`;
  let tag;
  let spec;
  const load = async () => {
    const response = await ask(path);
    tag = response.headers.get("ETag");
    ({ spec } = await response.json());
    draw();
  };
  const told = h("div", { role: "status" });

  const save = async (event) => {
    event.preventDefault();
    const form = event.target;
    if (form.querySelector('[aria-invalid="true"]')) {
      form.querySelector('[aria-invalid="true"]').focus();
      return;
    }
    const changes = {};
    for (const [name, , , rule] of FIELDS) {
      const typed = form.elements[name].value.trim();
      const value = typed === "" ? null : rule.options ? typed : Number(typed);
      if (value !== (spec[name] ?? null)) changes[name] = value;
    }
    if (!Object.keys(changes).length) {
      show(told, message("", "Nothing was changed."));
      return;
    }
    try {
      const accepted = await send("PATCH", path, changes, { "If-Match": tag });
      const response = await ask(`${path}?min_offset=${accepted.offset}`);
      tag = response.headers.get("ETag");
      ({ spec } = await response.json());
      draw();
      show(told, message("good", "Saved: it holds for all values from now on."));
    } catch (error) {
      if (error.status === 412) {
        await load();
        show(told, message("warn", "Somebody else changed the spec meanwhile: this is the present one. Enter your change again."));
      } else {
        show(told, message("bad", error.message));
        $(`spec-${error.body?.column}`)?.setAttribute("aria-invalid", "true");
      }
    }
  };

  // A profile has a sign of its own, above which only a sign that somebody set stands.
  const ruleOf = (name, rule) =>
    name === "current_sign" && spec.profile ? { options: { "": "as the profile says", ...rule.options } } : rule;

  const draw = () => {
    show(
      place,
      h(
        "form",
        { class: "stack", novalidate: true, onsubmit: save },
        h("div", { class: "fields" }, FIELDS.map(([name, label, unit, rule]) => control(name, label, unit, ruleOf(name, rule), spec[name], isAllowed))),
        isAllowed
          ? h("div", { class: "row" }, h("button", { type: "submit", class: "main" }, "Save the spec"), h("span", { class: "hint" }, "An empty field is not set. The spec holds for the whole past too, but for sign and scale, which hold from here on, and events beyond a limit, which count from here on."))
          : h("p", { class: "hint" }, "Your key may read the spec, not change it."),
        told,
      ),
    );
  };

  try {
    await load();
  } catch (error) {
    show(place, message("bad", error.message));
  }
}
