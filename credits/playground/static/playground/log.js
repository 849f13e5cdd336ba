/** What the page and the API say to each other, in a list with the newest first. */

const MOST_CALLS = 30;

/**
 * Show every call from now on. It listens at `fetch`, so that credits.js is seen as it is: with its
 * retries, its idempotency keys, and the questions of its notices.
 */
export function watch(list, template) {
  const send = globalThis.fetch;
  globalThis.fetch = async (address, options = {}) => {
    const call = { path: new URL(address, location).pathname, method: options.method ?? "GET", ...options };
    try {
      const response = await send(address, options);
      const answer = await response.clone().json().catch(() => null);
      note(list, template, { ...call, status: response.status, answer });
      return response;
    } catch (error) {
      if (!options.signal?.aborted) note(list, template, { ...call, status: 0, answer: null });
      throw error;
    }
  };
}

function note(list, template, call) {
  const entry = template.content.firstElementChild.cloneNode(true);
  const fill = (name, text) => { entry.querySelector(`[data-${name}]`).textContent = text; };
  fill("line", `${call.method} ${call.path}`);
  fill("status", call.status || "—");
  fill("words", inWords(call, list.dataset));
  fill("said", said(call));
  fill("answered", pretty(call.answer));
  entry.dataset.call = `${call.method} ${call.path} ${call.status}`;
  entry.querySelector("[data-status]").classList.add(call.status < 300 && call.status ? "success" : "warning");
  put(list, entry, call.method === "GET");
}

/** A question that is asked again takes the place of its last time. */
function put(list, entry, isQuestion) {
  const last = list.firstElementChild;
  if (isQuestion && last?.dataset.call === entry.dataset.call) last.remove();
  else if (!isQuestion) {
    for (const other of list.querySelectorAll("[open]")) other.open = false;
    entry.querySelector("details").open = entry.dataset.call.includes("/spends");
  }
  list.prepend(entry);
  if (list.children.length > MOST_CALLS) list.lastElementChild.remove();
}

function inWords({ path, status, answer }, texts) {
  if (!answer) return texts.unreachable;
  if (status >= 400) return answer.title;
  if (path.endsWith("/token")) return texts.token;
  if (path.endsWith("/actions")) return texts.actions;
  if (path.endsWith("/check")) return answer.allowed ? texts.allowed : texts.denied;
  return texts.spent.replace("{credits}", answer.credits);
}

/** The request, but for its secrets. */
function said({ method, path, headers = {}, body }) {
  const shown = Object.entries(headers).map(([name, value]) =>
    `${name}: ${value.replace(/(ct_.{6}).*/, "$1…")}`);
  const sent = typeof body === "string" ? ["", pretty(JSON.parse(body))] : [];
  return [`${method} ${path}`, ...shown, ...sent].join("\n");
}

function pretty(answer) {
  const hide = (name, value) => (name === "token" ? `${value.slice(0, 9)}…` : value);
  return JSON.stringify(answer, hide, 2);
}
