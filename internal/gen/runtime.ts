/** Where the functions answer, and who calls them. A plain object; make one and give it to every call. */
export interface Client {
  /** Where the paths begin, such as "https://functions.example.com". */
  baseUrl: string;
  /** Gives the Flex token. It is asked before every attempt, so that a renewed token is used at once. */
  token?: () => string | Promise<string>;
  /** Milliseconds that a call may take with all its attempts. 30000 when absent; Infinity for no bound. */
  timeoutMs?: number;
  /** How often a call is repeated at the most. 4 when absent, 0 for never. */
  retries?: number;
  /**
   * Whether a call is repeated when no answer came: the first attempt may have done its work. When
   * absent, only functions that are defined to run once for a key are; a key of the call's own
   * travels with each attempt. A 429 is repeated in any case, as nothing was done then.
   */
  retryUnanswered?: boolean;
  /** Sends the requests. The global fetch when absent. */
  fetch?: typeof globalThis.fetch;
}

/**
 * A whole number of 64 bits. JavaScript's numbers hold it to the digit up to 2^53 (Number.MAX_SAFE_INTEGER)
 * and round beyond: have the function answer with a string where it can be longer.
 */
export type Int64 = number;

/** What fromFlex reads of Flex's manager, Flex.Manager.getInstance(). */
export interface FlexManager {
  readonly store: { getState(): unknown };
  readonly configuration?: unknown;
  readonly serviceConfiguration?: unknown;
}

/**
 * A client for a Flex plugin. It finds the functions as Twilio's Flex project template does, in the settings
 * serverless_functions_protocol, serverless_functions_domain and serverless_functions_port under custom_data,
 * and calls as the worker who is logged in. Without the domain it throws. Make one and keep it.
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

/** The value below value at keys; undefined where there is none, or no type for it in older TypeScript. */
function at(value: unknown, ...keys: string[]): unknown {
  return keys.reduce<unknown>((v, k) => (typeof v === "object" && v !== null ? (v as Record<string, unknown>)[k] : undefined), value);
}

/** What one call does differently from its client. */
export interface CallOptions {
  /** Ends the call: it rejects with the signal's reason. */
  signal?: AbortSignal;
  timeoutMs?: number;
  retries?: number;
  retryUnanswered?: boolean;
  /** The key under which a function that is defined so runs once. A new one when absent. */
  idempotencyKey?: string;
}

/** A call failed: the function refused or failed, or gave no answer. */
export class FunctionError extends Error {
  override readonly name = "FunctionError";
  /** The HTTP status; 0 when no answer came. */
  readonly status: number;
  /** Twilio's error code, when Twilio refused. */
  readonly twilioErrorCode: number | undefined;
  /** The page that explains twilioErrorCode. */
  readonly twilioDocPage: string | undefined;
  /** True when a change may or may not have happened. */
  readonly outcomeUnknown: boolean;
  /** Under this id the server's log has the details. */
  readonly requestId: string | undefined;
  /** Required parameters that were not given. */
  readonly missing: NonNullable<Failure["missing"]>;
  /** Parameters that do not fit. */
  readonly invalid: NonNullable<Failure["invalid"]>;
  /** How long the server asked to be left alone, in milliseconds. */
  readonly retryAfterMs: number | undefined;
  /** How often the function was called. */
  readonly attempts: number;

  constructor(status: number, body: Partial<Failure>, attempts: number, retryAfterMs?: number, cause?: unknown) {
    super(body.message ?? `The function answered with status ${status}`, { cause } as ErrorOptions);
    this.status = status;
    this.twilioErrorCode = body.twilioErrorCode;
    this.twilioDocPage = body.twilioDocPage;
    this.outcomeUnknown = body.outcomeUnknown ?? false;
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
  // setTimeout takes longer times for none at all.
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
      const again = failure.status === 429 || (failure.status === 0 && retryUnanswered);
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
    // A form with no header of its own: browsers send it without a preflight. A key costs one.
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

/** A key that no other call has. crypto.randomUUID is for secure contexts only. */
function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
}

/** Parameters as a form. What is undefined or null is left out. */
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

/** Retry-After is a number of seconds or a date (RFC 9110, section 10.2.3). */
function retryAfter(header: string | null): number | undefined {
  if (header === null) return undefined;
  const seconds = /^\s*\d+(\.\d+)?\s*$/.test(header); // a fraction is not in the RFC, and is sent
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
