// What all pages share: who is logged in, and the zone of all times.
import { root, send, session } from "./api.js";
import { $, h, show } from "./dom.js";
import { zoneName } from "./quantities.js";

$("zone").textContent = `Times are in ${zoneName}`;

if (document.body.dataset.page !== "login") {
  const who = await session();
  if (who.needs_key && who.subject !== null) {
    const leave = async () => {
      await send("DELETE", "/api/v1/session");
      location.assign(`${root}/login`);
    };
    show($("session"), h("button", { type: "button", title: `Logged in as ${who.subject}`, onclick: leave }, "Log out"));
  }
}
