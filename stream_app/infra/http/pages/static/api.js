// The HTTP API as the pages use it. An error is a Problem: its message tells what happened and the cure.
export const root = document.documentElement.dataset.root ?? "";

export class Problem extends Error {
  constructor(status, body) {
    super(body.detail ?? `the server answered ${status}`);
    this.status = status;
    this.code = body.code ?? "unknown";
    this.body = body;
  }
}

export function toLogin() {
  if (document.body.dataset.page === "login") return;
  location.assign(`${root}/login?next=${encodeURIComponent(location.pathname + location.search)}`);
}

export async function problemOf(response) {
  try {
    return new Problem(response.status, await response.json());
  } catch {
    return new Problem(response.status, {});
  }
}

export async function ask(path, options = {}) {
  let response;
  try {
    response = await fetch(root + path, { credentials: "same-origin", ...options });
  } catch {
    throw new Problem(0, { code: "no_answer", detail: "the worker does not answer: it restarts, or the network is down" });
  }
  if (response.status === 401) toLogin();
  if (!response.ok) throw await problemOf(response);
  return response;
}

export const get = async (path) => (await ask(path)).json();

export async function send(method, path, body, headers = {}) {
  const response = await ask(path, {
    method,
    headers: { ...(body === undefined ? {} : { "Content-Type": "application/json" }), ...headers },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  return response.status === 204 ? null : response.json();
}

export const query = (values) => {
  const given = Object.entries(values).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  return given.length ? `?${new URLSearchParams(given)}` : "";
};

export const assetPath = (id) => `/api/v1/assets/${encodeURIComponent(id)}`;

// Who is logged in, and what the key may do; a worker without access control lets everybody do everything.
let known;
export function session() {
  known ??= fetch(`${root}/api/v1/session`, { credentials: "same-origin" }).then(async (response) =>
    response.ok ? response.json() : { needs_key: true, subject: null, scopes: [] },
  );
  return known;
}

export const may = async (scope) => (await session()).scopes.includes(scope);
