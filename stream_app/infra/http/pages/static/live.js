// Server-sent events that come back: after a lost connection, and after an answer that ends an EventSource for good
// (503 while the worker starts), it is made anew, ever more slowly up to ten seconds.
import { root, toLogin } from "./api.js";
import { $, text } from "./dom.js";

const SLOWEST_MS = 10_000;

export function say(state) {
  const sign = $("live");
  sign.dataset.live = state;
  text(sign, state === "on" ? "live" : state === "off" ? "reconnecting" : "loading");
  document.body.classList.toggle("stale-values", state === "off");
}

export function follow(path, handlers) {
  let source;
  let wait = 500;
  let ended = false;
  const open = () => {
    source = new EventSource(root + path);
    source.onopen = () => {
      wait = 500;
      say("on");
    };
    source.onerror = async () => {
      say("off");
      if (source.readyState !== EventSource.CLOSED || ended) return;
      if ((await fetch(`${root}/api/v1/session`).catch(() => null))?.status === 401) toLogin();
      setTimeout(() => !ended && open(), wait);
      wait = Math.min(SLOWEST_MS, wait * 2);
    };
    for (const [name, handle] of Object.entries(handlers)) {
      source.addEventListener(name, (event) => {
        say("on");
        handle(JSON.parse(event.data), event);
      });
    }
  };
  const close = () => {
    ended = true;
    source.close();
  };
  open();
  addEventListener("pagehide", close, { once: true });
  return close;
}

// Where there are no events: ask again and again, and say so when nobody answers.
export function poll(work, periodMs) {
  const turn = async () => {
    if (!document.hidden) {
      try {
        await work();
        say("on");
      } catch (error) {
        say("off");
        if (!error.status && error.code === undefined) console.error(error);
      }
    }
    setTimeout(turn, periodMs);
  };
  return turn();
}
