// Dead letters by code, each with what is wrong, where, and what to send instead.
import { get, query, root } from "./api.js";
import { $, badge, h, message, show, text } from "./dom.js";
import { poll } from "./live.js";
import { age, count, time } from "./quantities.js";

const words = (await (await fetch(new URL("./words.json", import.meta.url))).json()).letters;
const PERIOD_MS = 5000;
let shown = "";

const wanted = () => ({ code: $("code").value, asset_id: $("asset").value.trim(), limit: 50 });

function byCode(counts) {
  const sorted = Object.entries(counts).sort((a, b) => b[1] - a[1]);
  const total = sorted.reduce((sum, [, n]) => sum + n, 0);
  text($("total"), total ? `${count(total)} of the newest 1,000 of each partition` : "");
  show($("codes"), sorted.map(([code, n]) => h("div", { class: "figure" }, h("h2", { class: "small" }, h("code", {}, code)), h("p", { class: "big" }, count(n)), h("p", { class: "note" }, words[code] ?? ""))));
  const present = $("code").value;
  show($("code"), h("option", { value: "" }, "all"), [...new Set([...sorted.map(([code]) => code), present])].filter((code) => code && code !== "unknown").map((code) => h("option", { value: code, selected: code === present }, code)));
}

function letter(item) {
  const open = $("letters").querySelector(`[data-letter="${item.partition}-${item.offset}"] details`)?.open ?? false;
  return h("article", { class: "entry", "data-letter": `${item.partition}-${item.offset}` },
    h("h3", {}, badge("bad", item.code ?? "unknown"), item.key ? h("a", { href: `${root}/assets/${encodeURIComponent(item.key)}` }, item.key) : h("span", { class: "soft" }, "no key"), h("span", { class: "soft small" }, `${time(item.time)} (${age(item.time)})`)),
    h("p", {}, item.message || words[item.code] || ""),
    h("p", { class: "soft small" }, `${item.rows === null || item.rows === undefined ? "the whole message" : `rows ${item.rows}`} at offset ${item.source_offset ?? "–"} of partition ${item.source_partition ?? "–"}`),
    item.value === null ? null : h("details", { open }, h("summary", {}, "The message"), h("pre", { class: "code", tabindex: "0" }, item.value)),
  );
}

async function load() {
  const answer = await get(`/api/v1/dead-letters${query(wanted())}`);
  byCode(answer.by_code);
  const key = JSON.stringify([wanted(), answer.letters]);
  if (key === shown) return;
  shown = key;
  show($("letters"), answer.letters.length ? answer.letters.map(letter) : h("p", { class: "empty" }, "None: every row was applied."));
}

const now = () => load().catch((error) => show($("letters"), message("bad", error.message)));
$("code").addEventListener("change", now);
$("asset").addEventListener("change", now);
await poll(async () => {
  try {
    await load();
  } catch (error) {
    if (!shown) show($("letters"), message("bad", error.message));
    throw error;
  }
}, PERIOD_MS);
