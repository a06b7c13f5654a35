// Opens a session with a key: a cookie that scripts cannot read, which event streams send by themselves.
import { root } from "./api.js";
import { $, text } from "./dom.js";

text($("live"), "");
$("live").hidden = true;
$("key").focus();
$("login").addEventListener("submit", async (event) => {
  event.preventDefault();
  let answer;
  try {
    answer = await fetch(`${root}/api/v1/session`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ key: $("key").value.trim() }) });
  } catch {
    return text($("error"), "The worker does not answer: it restarts, or the network is down.");
  }
  if (answer.ok) {
    const next = new URLSearchParams(location.search).get("next") ?? "";
    // A path of this server alone: "//host" would lead elsewhere.
    return location.assign(next.startsWith("/") && !/^\/[/\\]/.test(next) ? next : `${root}/`);
  }
  const problem = await answer.json().catch(() => ({}));
  $("key").setAttribute("aria-invalid", "true");
  return text($("error"), answer.status === 401 ? "This key is not valid, or no longer." : (problem.detail ?? `The server answered ${answer.status}.`));
});
