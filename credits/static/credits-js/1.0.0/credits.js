/**
 * Spend credits in a web page, and say kindly when they run out.
 *
 * credits.d.ts beside this file explains each name; the guide is /docs/javascript/ of the server.
 */

const MAX_ATTEMPTS = 5;
const ATTEMPT_MS = 10_000;
const TOTAL_MS = 30_000;
const FIRST_PAUSE_MS = 500;
const TOKEN_MARGIN_MS = 30_000;
const PASSING_STATUSES = [429, 500, 502, 503, 504];

export class CreditsError extends Error {
  constructor(problem, { status = 0, cause, retryAfterSeconds = null } = {}) {
    super(problem.detail ?? `Credits answered with status ${status}.`, { cause });
    this.name = new.target.name;
    this.detail = this.message;
    this.code = problem.code ?? "unknown";
    Object.assign(this, { status, problem, retryAfterSeconds });
  }
}

export class OutOfCredits extends CreditsError {
  required = this.problem.required;
  nextRefill = this.problem.nextRefill ?? null;
  topUpUrl = this.problem.topUpUrl;
}

export class InvalidRequest extends CreditsError {
  errors = this.problem.errors ?? [];
}

export class Unauthorized extends CreditsError {}
export class Forbidden extends CreditsError {}
export class SpendLimitReached extends Forbidden {}
export class NotFound extends CreditsError {}
export class Conflict extends CreditsError {}
export class IdempotencyConflict extends CreditsError {}
export class RateLimited extends CreditsError {}
export class ServerError extends CreditsError {}

export class Unreachable extends CreditsError {
  constructor(cause) {
    const detail = "Credits cannot be reached. Check the connection and try again.";
    super({ code: "unreachable", detail }, { cause });
  }
}

/** By their codes: `not_found` is NotFound. */
const ERRORS = {
  Conflict, Forbidden, IdempotencyConflict, InvalidRequest, NotFound, OutOfCredits, RateLimited,
  SpendLimitReached, Unauthorized,
};

function errorOf({ status, headers }, problem) {
  const Other = status === 429 ? RateLimited : status < 500 ? CreditsError : ServerError;
  const Kind = ERRORS[camel(`_${problem.code}`)] ?? Other;
  return new Kind(problem, { status, retryAfterSeconds: parseInt(headers.get("Retry-After")) || null });
}

const camel = (name) => name.replace(/_(.)/g, (_, letter) => letter.toUpperCase());

/** JSON of the API in the ways of JavaScript: `created_at: "2026-…"` is `createdAt: Date`. */
function revive(name, value) {
  if (/(^|_)at$/.test(name)) return value && new Date(value);
  if (value?.constructor !== Object) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [camel(key), item]));
}

/** `randomUUID` is missing on pages without https. */
function newKey() {
  return crypto.randomUUID?.() ?? crypto.getRandomValues(new Uint32Array(4)).join("-");
}

/** Some time, or less when the browser comes online. */
function pause(milliseconds) {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
    globalThis.addEventListener?.("online", resolve, { once: true });
  });
}

/** What the promise gives, or the signal's reason if it is aborted before. */
function before(signal, promise) {
  return new Promise((resolve, reject) => {
    signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
    promise.then(resolve, reject);
  });
}

/** How long to wait before trying again what failed with this error; Infinity for never. */
function pauseAfter(error, attempt) {
  const mayPass = error instanceof Unreachable || PASSING_STATUSES.includes(error.status);
  if (!mayPass || attempt === MAX_ATTEMPTS) return Infinity;
  const pauseMs = FIRST_PAUSE_MS * 2 ** (attempt - 1) * (0.5 + Math.random() / 2);
  return Math.max(pauseMs, error.retryAfterSeconds * 1000);
}

/** The token to send: asked for once for all who wait, and kept until it is known to end. */
class TokenSource {
  #give;
  #asked;
  #token;
  #staleAt;

  constructor(token) {
    this.isRenewable = typeof token === "function";
    this.#give = this.isRenewable ? token : () => token;
  }

  get() {
    if (Date.now() > this.#staleAt) this.#asked = null;
    this.#asked ??= this.#ask();
    return this.#asked;
  }

  /** Ask again next time, unless another token has taken the place of this one. */
  drop(token) {
    if (token === this.#token) this.#asked = null;
  }

  async #ask() {
    this.#token = this.#staleAt = undefined;
    try {
      const given = await this.#give();
      this.#staleAt = Date.parse(given?.expires_at) - TOKEN_MARGIN_MS;
      return (this.#token = given?.token ?? given);
    } catch (cause) {
      this.#asked = null;
      // What fetch throws without a network.
      if (cause instanceof TypeError) throw new Unreachable(cause);
      throw new Unauthorized({ code: "no_token", detail: "The page got no token." }, { cause });
    }
  }
}

/** Hears of every instance, for the notices that were not told whose to show. */
const everyone = new EventTarget();

export class Credits extends EventTarget {
  #tokens;
  #base;
  #refused = {};

  constructor({ token, baseUrl = new URL(import.meta.url).origin }) {
    super();
    this.#tokens = new TokenSource(token);
    this.#base = `${baseUrl.replace(/\/$/, "")}/api/v1/`;
  }

  spend(action, options) {
    return this.#order("spends", action, options);
  }

  async hold(action, options) {
    const hold = await this.#order("holds", action, options);
    const settle = (verb) => ({ credits, signal } = {}) =>
      this.#call(`holds/${hold.id}/${verb}`, { key: newKey(), body: { credits }, signal });
    return { ...hold, capture: settle("capture"), release: settle("release") };
  }

  async check(action, { quantity = 1, signal } = {}) {
    const query = new URLSearchParams({ action, quantity });
    const answer = await this.#call(`check?${query}`, { signal });
    if (answer.allowed) this.#enough(action, quantity);
    return answer;
  }

  async actions({ signal } = {}) {
    return (await this.#call("actions", { signal })).actions;
  }

  async #order(path, action, options = {}) {
    const { quantity = 1, reference, idempotencyKey: key = newKey(), signal } = options;
    const body = { action, quantity, reference, expires_in_seconds: options.expiresInSeconds };
    try {
      const made = await this.#call(path, { key, body, signal });
      this.#enough(action, quantity);
      return made;
    } catch (error) {
      if (error instanceof CreditsError) error.idempotencyKey = key;
      if (error instanceof OutOfCredits) {
        this.#tell("outofcredits", (this.#refused = { error, action, quantity }));
      }
      throw error;
    }
  }

  #enough(action, quantity) {
    if (action !== this.#refused.action || quantity < this.#refused.quantity) return;
    this.#refused = {};
    this.#tell("refilled", { action, quantity });
  }

  #tell(type, about) {
    for (const target of [this, everyone]) {
      target.dispatchEvent(new CustomEvent(type, { detail: { ...about, credits: this } }));
    }
  }

  /** GET, or POST with an idempotency key: nothing that changes something goes without one. */
  async #call(path, request) {
    const deadline = Date.now() + TOTAL_MS;
    let mayRenew = this.#tokens.isRenewable;
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#attempt(path, request, deadline);
      } catch (error) {
        if (request.signal?.aborted) throw error;
        const isRenewing = mayRenew && error.status === 401;
        const wait = isRenewing ? 0 : pauseAfter(error, attempt);
        if (Date.now() + wait >= deadline) throw error;
        mayRenew &&= !isRenewing;
        await before(request.signal, pause(wait));
      }
    }
  }

  async #attempt(path, request, deadline) {
    const timeout = new AbortController();
    const timer = setTimeout(() => timeout.abort(), Math.min(ATTEMPT_MS, deadline - Date.now()));
    const signal = AbortSignal.any([timeout.signal, request.signal ?? timeout.signal]);
    let token;
    try {
      token = await before(signal, this.#tokens.get());
      return await this.#send(path, { ...request, token, signal });
    } catch (error) {
      if (request.signal?.aborted) throw error;
      const isSpent = error.status === 401 || error instanceof SpendLimitReached;
      if (isSpent || !token) this.#tokens.drop(token);
      throw error instanceof CreditsError ? error : new Unreachable(error);
    } finally {
      clearTimeout(timer);
    }
  }

  async #send(path, { token, key, body, signal }) {
    const posted = key && { "Content-Type": "application/json", "Idempotency-Key": key };
    const response = await fetch(this.#base + path, {
      method: key ? "POST" : "GET",
      headers: { Authorization: `Bearer ${token}`, ...posted },
      body: key && JSON.stringify(body),
      credentials: "omit",
      cache: "no-store",
      signal,
    });
    const answer = response.text().then((text) => JSON.parse(text, revive));
    if (response.ok) return await answer;
    throw errorOf(response, await answer.catch(() => ({})));
  }
}

const FIRST_CHECK_MS = 15_000;
const RETURN_CHECK_MS = 3_000;
const MAX_CHECK_MS = 240_000;
const THANKS_MS = 6_000;

/** What the notice says; `text-link="Aufladen"` on the element says it otherwise. */
const TEXTS = {
  refill: "Free credits come back {time} your time.",
  link: "Top up",
  blocked: "If no page opened, use this address:",
  copy: "Copy",
  copied: "Copied",
  refilled: "Your credits are back.",
  dismiss: "Dismiss",
};

const STYLE = `
:host { display: block }
:host([state]) [part=notice] {
  --paper: var(--credits-notice-background, light-dark(#fff, #14171e));
  --go: var(--credits-notice-accent, light-dark(#4f46e5, #a5a1ff));
  display: grid; grid: auto / 1fr auto; gap: 8px; padding: 12px 16px;
  border: 1px solid var(--credits-notice-border, light-dark(#c9ceda, #3a4150));
  border-radius: var(--credits-notice-radius, 12px);
  background: var(--paper); color: var(--credits-notice-color, light-dark(#12151c, #f1f3f7));
  font: 15px/1.5 system-ui; font-family: var(--credits-notice-font, inherit);
  overflow-wrap: anywhere;
}
a, button, input { font: inherit; color: inherit; background: none; padding: 4px 12px;
  border: 1px solid; border-radius: 8px }
a { justify-self: start; background: var(--go); color: var(--paper); text-decoration: none }
[part=address] { grid-column: 1 / 3; display: flex; gap: 8px }
p { margin: 2px 0 }
input { flex: 1; min-width: 0 }
[part=dismiss] { grid-area: 1 / 2; align-self: start; border: 0 }
:focus-visible { outline: 2px solid var(--go); outline-offset: 2px }
:host(:not([state=out])) a, :host(:not([state])) button, p:empty, [hidden] { display: none !important }`;

/** A moment in the page's language, or in the reader's where it has none. */
function spoken(at, options) {
  const clock = { weekday: "long", hour: "2-digit", minute: "2-digit", hourCycle: "h23", ...options };
  try {
    return at.toLocaleString(document.documentElement.lang || [], clock);
  } catch {
    return at.toLocaleString([], clock);
  }
}

export class CreditsNotice extends (globalThis.HTMLElement ?? Object) {
  #parts = {};
  #source = everyone;
  #refusal;
  #timer;
  #cameFrom;

  constructor() {
    super();
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    const root = this.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [sheet];
    root.append(this.#build());
    this.addEventListener("focusin", (event) => (this.#cameFrom ??= event.relatedTarget));
    this.addEventListener("keydown", (event) => this.#escape(event));
  }

  set credits(credits) {
    this.disconnectedCallback();
    this.#source = credits ?? everyone;
    if (this.isConnected) this.connectedCallback();
  }

  connectedCallback() {
    this.#listen("addEventListener");
  }

  disconnectedCallback() {
    this.#listen("removeEventListener");
    this.dismiss();
  }

  dismiss() {
    this.#turn("");
  }

  handleEvent({ type, detail }) {
    if (type === "outofcredits") this.#show(detail);
    else if (type !== "refilled") this.#check(RETURN_CHECK_MS);
    else if (detail.credits === this.#refusal?.credits) this.#thank();
  }

  #listen(method) {
    for (const type of ["outofcredits", "refilled"]) this.#source[method](type, this);
    globalThis[method]("focus", this);
    document[method]("visibilitychange", this);
  }

  /** Element by element: a page may forbid HTML from strings (Trusted Types). */
  #build() {
    const part = (name, tag, properties, ...children) => {
      const element = Object.assign(document.createElement(tag), { part: name, ...properties });
      element.append(...children);
      return (this.#parts[name] = element);
    };
    const said = ["message", "refill", "blocked"].map((name) => part(name, "p"));
    const url = part("url", "input", { readOnly: true });
    const copy = part("copy", "button", { onclick: () => this.#copy() });
    return part("notice", "div", {},
      part("status", "div", { role: "status" }, ...said),
      part("link", "a", { target: "_blank", onclick: (event) => this.#open(event) }),
      part("address", "div", { hidden: true }, url, copy),
      part("dismiss", "button", { textContent: "✕", onclick: () => this.dismiss() }));
  }

  #text(name) {
    return this.getAttribute(`text-${name}`) ?? TEXTS[name];
  }

  /** Show a message in a state: `out` for a refusal, `refilled`, or in none nothing. */
  #turn(message, state, refusal) {
    clearTimeout(this.#timer);
    this.#refusal = refusal;
    // Rather than lose the focus with the part that has it.
    if (!refusal && this.shadowRoot.activeElement) this.#cameFrom?.focus();
    for (const name of ["message", "refill", "blocked"]) this.#parts[name].textContent = "";
    this.#parts.message.textContent = message;
    this.#parts.address.hidden = true;
    if (state) this.setAttribute("state", state);
    else this.removeAttribute("state");
  }

  #show(refusal) {
    const { message, nextRefill, topUpUrl } = refusal.error;
    const { refill, link, url, copy, dismiss } = this.#parts;
    this.#turn(this.#text("message") ?? message, "out", refusal);
    if (nextRefill) {
      const options = { month: "long", day: "numeric", timeZone: "UTC", timeZoneName: "short" };
      refill.textContent = this.#text("refill").replace("{time}", spoken(nextRefill.at));
      refill.title = spoken(nextRefill.at, options);
    }
    link.href = url.value = topUpUrl;
    link.textContent = this.#text("link");
    copy.textContent = this.#text("copy");
    dismiss.ariaLabel = this.#text("dismiss");
    url.ariaLabel = this.#text("blocked");
    this.#wait(FIRST_CHECK_MS);
  }

  #thank() {
    this.#turn(this.#text("refilled"), "refilled");
    this.#timer = setTimeout(() => this.dismiss(), THANKS_MS);
  }

  /** Look again after a while or when free credits come, not all pages of the world at once. */
  #wait(pauseMs) {
    const refillMs = this.#refusal.error.nextRefill?.at - Date.now() + Math.random() * 5_000;
    const waitMs = refillMs > 0 ? Math.min(pauseMs, refillMs) : pauseMs;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#check(Math.min(pauseMs * 2, MAX_CHECK_MS)), waitMs);
  }

  /** Ask whether it would work now, if anybody looks; `refilled` follows when it would. */
  async #check(pauseMs) {
    const refusal = this.#refusal;
    if (!refusal || document.hidden) return;
    clearTimeout(this.#timer);
    await refusal.credits.check(refusal.action, refusal).catch(() => {});
    if (refusal === this.#refusal) this.#wait(pauseMs);
  }

  /** A sandboxed frame may open nothing, or a page as powerless: show the address to copy too. */
  #open(event) {
    const { url, address, blocked } = this.#parts;
    event.preventDefault();
    address.hidden = open(url.value) && origin !== "null";
    blocked.textContent = address.hidden ? "" : url.ariaLabel;
  }

  #escape(event) {
    if (event.key !== "Escape") return;
    event.preventDefault();
    this.dismiss();
  }

  #copy() {
    const { url, copy } = this.#parts;
    url.select();
    // The way that works in frames, where the clipboard is closed to scripts.
    if (document.execCommand("copy")) copy.textContent = this.#text("copied");
  }
}

const registry = globalThis.customElements;
if (registry && !registry.get("credits-notice")) registry.define("credits-notice", CreditsNotice);
