/** Where the functions are, and whose token they are called with. It is a plain object: make one and pass it to every call. */
export interface Client {
  /** The URL that the functions' paths are added to, such as "https://functions.example.com". */
  baseUrl: string;
  /** Returns the Flex token. It is called before every attempt, so a renewed token is used at once. */
  token?: () => string | Promise<string>;
  /** How long a call may take with all its attempts, in milliseconds. The default is 30000; Infinity sets no limit. */
  timeoutMs?: number;
  /** How many times a call may be repeated. The default is 4; 0 means never. */
  retries?: number;
  /**
   * Whether to repeat a call that got no answer, although the first attempt may have done its work.
   * A 502, 503 or 504 from a proxy counts as no answer.
   * By default only calls of functions that are defined to run once per key are repeated; every
   * attempt then carries the same key. A 429 is always repeated, since nothing was done, and so is a
   * 503 with Retry-After that answers a call with a key, unless its outcome is unknown.
   */
  retryUnanswered?: boolean;
  /** Sends the requests. The default is the global fetch. */
  fetch?: typeof globalThis.fetch;
}

/**
 * A 64-bit integer. JavaScript's numbers are exact up to 2^53 (Number.MAX_SAFE_INTEGER) and are rounded
 * beyond that: if a value can be larger, have the function return a string.
 */
export type Int64 = number;

/** The part of Flex's manager, Flex.Manager.getInstance(), that fromFlex reads. */
export interface FlexManager {
  readonly store: { getState(): unknown };
  readonly configuration?: unknown;
  readonly serviceConfiguration?: unknown;
}

/**
 * Makes a client for a Flex plugin. It finds the functions as Twilio's Flex project template does, by the settings
 * serverless_functions_protocol, serverless_functions_domain and serverless_functions_port under custom_data,
 * and calls them as the worker who is logged in. It throws if the domain is not set. Call it once and keep the client.
 */
export function fromFlex(manager: FlexManager, options: Omit<Client, "baseUrl" | "token"> = {}): Client {
  const setting = (name: string) =>
    at(manager.configuration, "custom_data", name) ?? at(manager.serviceConfiguration, "ui_attributes", "custom_data", name);
  const domain = setting("serverless_functions_domain");
  if (typeof domain !== "string" || domain === "") {
    throw new Error("Flex's configuration has no serverless_functions_domain: set it in ui_attributes.custom_data");
  }
  const protocol = String(setting("serverless_functions_protocol") ?? "https").replace(/:?\/*$/, "");
  const port = String(setting("serverless_functions_port") ?? "");
  return {
    ...options,
    baseUrl: `${protocol}://${domain}${port === "" ? "" : ":" + port}`,
    token: () => String(at(manager.store.getState(), "flex", "session", "ssoTokenPayload", "token") ?? ""),
  };
}

/** Returns the value at keys within value, or undefined. It also reads what older versions of TypeScript have no type for. */
function at(value: unknown, ...keys: string[]): unknown {
  return keys.reduce<unknown>((v, k) => (typeof v === "object" && v !== null ? (v as Record<string, unknown>)[k] : undefined), value);
}

/** Options of one call. They override those of the client. */
export interface CallOptions {
  /** Ends the call, which then rejects with the signal's reason. */
  signal?: AbortSignal;
  timeoutMs?: number;
  retries?: number;
  retryUnanswered?: boolean;
  /** The key under which a function that is defined to run once does so. The default is a new random key. */
  idempotencyKey?: string;
}

/** The error of a call that was refused, that failed, or that got no answer. */
export class FunctionError extends Error {
  override readonly name = "FunctionError";
  /** The HTTP status; 0 if there was no answer. */
  readonly status: number;
  /** Whether the function itself answered. A 502, 503 or 504 may come from a proxy instead. */
  readonly answered: boolean;
  /** Twilio's error code, if Twilio refused. */
  readonly twilioErrorCode: number | undefined;
  /** The page that explains twilioErrorCode. */
  readonly twilioDocPage: string | undefined;
  /** True if it is unknown whether the change happened. */
  readonly outcomeUnknown: boolean;
  /** The id under which the server's log has the details. */
  readonly requestId: string | undefined;
  /** Required parameters that were missing. */
  readonly missing: NonNullable<Failure["missing"]>;
  /** Parameters whose values do not fit. */
  readonly invalid: NonNullable<Failure["invalid"]>;
  /** How long the server asked to wait, in milliseconds. */
  readonly retryAfterMs: number | undefined;
  /** How many times the function was called. */
  readonly attempts: number;

  constructor(status: number, body: Partial<Failure>, attempts: number, retryAfterMs?: number, cause?: unknown) {
    // The function's own failures say success: false.
    const fromProxy = status >= 502 && status <= 504 && body.success !== false;
    super(body.message ?? `${fromProxy ? "A proxy, not the function," : "The function"} answered with status ${status}`, { cause } as ErrorOptions);
    this.status = status;
    this.answered = status !== 0 && !fromProxy;
    this.twilioErrorCode = body.twilioErrorCode;
    this.twilioDocPage = body.twilioDocPage;
    this.outcomeUnknown = body.outcomeUnknown ?? fromProxy;
    this.requestId = body.requestId;
    this.missing = body.missing ?? [];
    this.invalid = body.invalid ?? [];
    this.retryAfterMs = retryAfterMs;
    this.attempts = attempts;
  }
}

async function call(
  client: Client,
  path: string,
  input: object,
  options: CallOptions,
  asJson: readonly string[],
  once = false,
): Promise<unknown> {
  const { signal } = options;
  const timeoutMs = options.timeoutMs ?? client.timeoutMs ?? 30_000;
  const retries = options.retries ?? client.retries ?? 4;
  const retryUnanswered = options.retryUnanswered ?? client.retryUnanswered ?? once;
  const key = once ? (options.idempotencyKey ?? newKey()) : undefined;
  const deadline = Date.now() + timeoutMs;
  const form = encode(input, asJson);
  const ending = new AbortController();
  const abort = () => ending.abort(at(signal, "reason"));
  // setTimeout treats a longer delay as none at all.
  const timer = timeoutMs <= longestTimer ? setTimeout(() => ending.abort(), timeoutMs) : undefined;
  signal?.addEventListener("abort", abort);
  if (signal?.aborted) abort();
  try {
    for (let attempt = 1; ; attempt++) {
      let failure: FunctionError;
      try {
        return await attemptOnce(client, path, form, key, ending.signal, attempt);
      } catch (e) {
        if (signal?.aborted) throw at(signal, "reason");
        if (ending.signal.aborted) {
          throw new FunctionError(0, { message: `No answer within ${timeoutMs} ms`, outcomeUnknown: true }, attempt, undefined, e);
        }
        if (!(e instanceof FunctionError)) throw e;
        failure = e;
      }
      // The key keeps a repeated call from doing its work twice.
      const unavailable = failure.status === 503 && failure.retryAfterMs !== undefined && !failure.outcomeUnknown;
      const again = failure.status === 429 || (!failure.answered && retryUnanswered) || (unavailable && key !== undefined);
      const wait = Math.max(Math.random() * Math.min(3000, 200 * 2 ** (attempt - 1)), failure.retryAfterMs ?? 0);
      if (!again || attempt > retries || Date.now() + wait >= deadline) throw failure;
      await pause(wait, ending.signal);
      if (signal?.aborted) throw at(signal, "reason");
    }
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", abort);
  }
}

async function attemptOnce(
  client: Client,
  path: string,
  form: URLSearchParams,
  key: string | undefined,
  signal: AbortSignal,
  attempt: number,
): Promise<unknown> {
  if (client.token) form.set("Token", await orAborted(client.token(), signal));
  if (signal.aborted) throw at(signal, "reason");
  const send = client.fetch ?? globalThis.fetch;
  let response: Response;
  let text: string;
  try {
    // Browsers send a form without extra headers without a preflight. A key costs one.
    const headers = key === undefined ? {} : { "Idempotency-Key": key };
    response = await send(client.baseUrl.replace(/\/$/, "") + path, { method: "POST", headers, body: form, credentials: "omit", signal });
    text = await response.text();
  } catch (e) {
    throw new FunctionError(0, { message: "The function gave no answer", outcomeUnknown: true }, attempt, undefined, e);
  }
  let body: unknown = text;
  try {
    body = JSON.parse(text);
  } catch {
    // Not JSON: it stays a string.
  }
  if (response.ok) return body;
  const failure: Partial<Failure> = typeof body === "object" && body !== null ? body : {};
  throw new FunctionError(response.status, failure, attempt, retryAfter(response.headers.get("Retry-After")));
}

const longestTimer = 2 ** 31 - 1;

/** Returns a key that no other call has. crypto.randomUUID works in secure contexts only. */
function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
}

/** Encodes parameters as a form. Undefined and null are left out. */
function encode(input: object, asJson: readonly string[]): URLSearchParams {
  const form = new URLSearchParams();
  for (const [name, value] of Object.entries<unknown>({ ...input })) {
    if (value === undefined || value === null) continue;
    form.set(name, encodeValue(value, asJson.includes(name)));
  }
  return form;
}

function encodeValue(value: unknown, asJson: boolean): string {
  if (typeof value === "bigint") return value.toString();
  if (typeof value === "string" && !asJson) return value;
  if (value instanceof Date) return asJson ? JSON.stringify(value) : value.toISOString();
  return JSON.stringify(value);
}

/** Returns the milliseconds until Retry-After, which is a number of seconds or a date (RFC 9110, section 10.2.3). */
function retryAfter(header: string | null): number | undefined {
  if (header === null) return undefined;
  const seconds = /^\s*\d+(\.\d+)?\s*$/.test(header); // the RFC does not allow a fraction, but some services send one
  const ms = seconds ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.max(ms, 0);
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, Math.min(ms, longestTimer));
    signal.addEventListener("abort", done);
  });
}

function orAborted<T>(value: T | Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const aborted = () => reject(at(signal, "reason"));
    signal.addEventListener("abort", aborted, { once: true });
    Promise.resolve(value).then(resolve, reject).finally(() => signal.removeEventListener("abort", aborted));
  });
}

function answered(body: unknown): unknown {
  if (typeof body === "object" && body !== null && !Array.isArray(body)) return body;
  throw new FunctionError(200, { message: "The function's answer is not a JSON object" }, 1);
}
