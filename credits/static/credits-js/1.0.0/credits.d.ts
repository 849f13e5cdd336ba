/** Types of credits.js. */

/** A browser token, or what gives one: the answer of `POST /api/v1/tokens` as it is, or its `token`. */
export type Token = string | { token: string; expires_at?: string };

export interface CreditsOptions {
  /**
   * A token, or a function that gives one. The function is asked when the first token is needed, 30
   * seconds before `expires_at`, once for a call that the server answers with 401, and after
   * `SpendLimitReached`; calls at the same time share one asking.
   */
  token: string | (() => Token | Promise<Token>);
  /** Where Credits is; the origin that the module came from if absent. */
  baseUrl?: string;
}

export interface CallOptions {
  /** Ends the call; it then rejects with the signal's reason, and may have been made all the same. */
  signal?: AbortSignal;
}

export interface CheckOptions extends CallOptions {
  /** How many uses, 1 (the default) to 1,000,000. */
  quantity?: number;
}

export interface SpendOptions extends CheckOptions {
  /** Your own words to find the spend by, up to 255 characters. */
  reference?: string;
  /**
   * Names this one thing to spend on, so that it is spent once however often it is sent. A new UUID
   * if absent. To repeat a call that failed, send its `error.idempotencyKey`.
   */
  idempotencyKey?: string;
}

export interface HoldOptions extends SpendOptions {
  /** When the hold releases itself: 1 to 86,400 seconds, 900 if absent. */
  expiresInSeconds?: number;
}

export interface CaptureOptions extends CallOptions {
  /** How many of the credits to take; all if absent. The rest goes back. */
  credits?: number;
}

/** What a grant paid: the weekly bundle, credits given by staff, or bought ones. */
export interface Drawn {
  grant: string;
  kind: "weekly" | "staff" | "top_up";
  credits: number;
}

/** A spend as it was made. */
export interface Spend {
  id: string;
  organization: string;
  action: string;
  quantity: number;
  credits: number;
  status: "spent" | "held";
  reference: string;
  drawn: Drawn[];
  createdAt: Date;
  /** What is left; only where staff let the organization see it. */
  balance?: number;
}

/** A hold as it stands after `capture` or `release`. */
export interface SettledHold {
  id: string;
  organization: string;
  action: string;
  quantity: number;
  credits: number;
  released: number;
  refunded: number;
  status: "captured" | "released";
  reference: string;
  createdAt: Date;
}

/** Credits set aside. Nobody's `capture` releases it at `expiresAt`. */
export interface Hold extends Spend {
  expiresAt: Date;
  /** Takes all of it, or some; can be repeated. */
  capture(options?: CaptureOptions): Promise<SettledHold>;
  /** Gives all of it back; can be repeated. */
  release(options?: CallOptions): Promise<SettledHold>;
}

export interface Refill {
  at: Date;
  credits: number;
}

/** Whether a spend would be made now, and what to say if not. */
export type Check =
  | { allowed: true; required: number }
  | {
      allowed: false;
      required: number;
      detail: string;
      nextRefill: Refill | null;
      topUpUrl: string;
    };

export interface Action {
  code: string;
  service: string;
  name: string;
  /** The price of one use. */
  credits: number;
}

export interface OutOfCreditsDetail {
  credits: Credits;
  error: OutOfCredits;
  action: string;
  quantity: number;
}

export interface RefilledDetail {
  credits: Credits;
  action: string;
  quantity: number;
}

export interface CreditsEventMap {
  /** A spend or hold was refused for want of credits. */
  outofcredits: CustomEvent<OutOfCreditsDetail>;
  /** What was refused last was made, or would be now. */
  refilled: CustomEvent<RefilledDetail>;
}

/**
 * The credits of one token's organization.
 *
 * A call that fails in passing (no network, 429, 500, 502, 503, 504) is repeated up to four times
 * within 30 seconds, always with the same idempotency key. All calls reject with a `CreditsError`,
 * or with the reason of their `signal`.
 */
export class Credits extends EventTarget {
  constructor(options: CreditsOptions);
  /** Spends `quantity` times the action's price. Rejects with `OutOfCredits` when it is not there. */
  spend(action: string, options?: SpendOptions): Promise<Spend>;
  /** Sets credits aside, for work whose cost or success is not known yet. */
  hold(action: string, options?: HoldOptions): Promise<Hold>;
  /** Whether a spend would be made now; spends nothing. */
  check(action: string, options?: CheckOptions): Promise<Check>;
  /** The prices of the actions that the token may spend on. */
  actions(options?: CallOptions): Promise<Action[]>;

  addEventListener<K extends keyof CreditsEventMap>(
    type: K,
    listener: (event: CreditsEventMap[K]) => void,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | AddEventListenerOptions,
  ): void;
  removeEventListener<K extends keyof CreditsEventMap>(
    type: K,
    listener: (event: CreditsEventMap[K]) => void,
    options?: boolean | EventListenerOptions,
  ): void;
  removeEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | EventListenerOptions,
  ): void;
}

/** What went wrong. `message` can be shown to people; `code` is what programs go by. */
export class CreditsError extends Error {
  /** The server's code (see the API guide); `unreachable`, `no_token` or `unknown` if it gave none. */
  code: string;
  /** Of the answer; 0 where there was none. */
  status: number;
  /** The same as `message`. */
  detail: string;
  /** The server's problem document, its names in camelCase and its moments as dates. */
  problem: Record<string, unknown>;
  /** How long the server asked to wait; null if it did not. */
  retryAfterSeconds: number | null;
  /** Of a spend or hold that failed: send it again to repeat it safely. */
  idempotencyKey?: string;
}

/** 402: show `message` and a link to `topUpUrl`; `<credits-notice>` does. */
export class OutOfCredits extends CreditsError {
  required: number;
  /** When free credits come; null where none do. */
  nextRefill: Refill | null;
  topUpUrl: string;
}

/** 400: `errors` names each wrong field and what to do about it. */
export class InvalidRequest extends CreditsError {
  errors: { field: string; message: string }[];
}

/** 401, with a new token too, or the page's function gave none (`code` is `no_token`). */
export class Unauthorized extends CreditsError {}

/** 403: the token or key is good, but not for this; `message` says why. */
export class Forbidden extends CreditsError {}

/** 403: the token has spent what it may. The next call asks for a new one. */
export class SpendLimitReached extends Forbidden {}

/** 404: there is no such hold for this token. */
export class NotFound extends CreditsError {}

/** 409: the hold has ended otherwise. */
export class Conflict extends CreditsError {}

/** 422: the idempotency key was used for another request. */
export class IdempotencyConflict extends CreditsError {}

/** 429, for longer than it was sensible to wait; `retryAfterSeconds` says how long. */
export class RateLimited extends CreditsError {}

/** 5xx, each time. */
export class ServerError extends CreditsError {}

/** No answer: offline, too slow, or the key does not allow the page's origin; `cause` is why. */
export class Unreachable extends CreditsError {}

/**
 * `<credits-notice>` says that credits ran out, when free ones come back and where to top up, and
 * goes away by itself when there are enough again. Its attributes `text-message`, `text-refill`,
 * `text-link`, `text-blocked`, `text-copy`, `text-copied`, `text-refilled` and `text-dismiss`
 * replace what it says.
 */
export class CreditsNotice extends HTMLElement {
  /** Whose refusals to show; those of every `Credits` of the page if it was not set, or to null. */
  set credits(credits: Credits | null);
  /** Takes the notice away until credits run out once more. */
  dismiss(): void;
  connectedCallback(): void;
  disconnectedCallback(): void;
  handleEvent(event: Event): void;
}

declare global {
  interface HTMLElementTagNameMap {
    "credits-notice": CreditsNotice;
  }
}
