// Calls the functions of package kinds at baseUrl and returns what went
// wrong. It runs in Node.js and in a browser.
import * as api from "./client.js";

export async function run(baseUrl: string): Promise<string[]> {
  const faults: string[] = [];
  const client: api.Client = { baseUrl, token: () => "dev-agent" };

  const same = (what: string, got: unknown, want: unknown) => {
    const [g, w] = [JSON.stringify(got), JSON.stringify(want)];
    if (g !== w) faults.push(`${what}: got ${g}, want ${w}`);
  };
  const fails = async (what: string, promise: Promise<unknown>, check: (e: api.FunctionError) => void) => {
    try {
      faults.push(`${what}: succeeded with ${JSON.stringify(await promise)}`);
    } catch (e) {
      if (e instanceof api.FunctionError) check(e);
      else faults.push(`${what}: failed with ${String(e)}`);
    }
  };

  // Success, with every kind of answer.
  const answers = await api.kindsAnswers(client);
  same("answers.level", answers.level, "high");
  same("answers.list", answers.list?.[0]?.x, 1);
  same("answers.quoted", answers.quoted, "0");
  same("answers.triple", answers.triple, [0, 0, 0]);
  same("answers.success", answers.success, true);
  same("list", (await api.kindsAnswersList(client)).data, ["a"]);
  same("text", (await api.kindsAnswersText(client)).data, "a");
  same("map", (await api.kindsAnswersMap(client))["a"], 1);
  same("pointer", await api.kindsAnswersPointer(client), { success: true });
  same("any", (await api.kindsAnswersAny(client))["a"], 1);
  same("nothing", await api.kindsAnswersNothing(client), { success: true });
  same("own", await api.kindsAnswersOwn(client), { success: false });
  same("response", await api.kindsAnswersResponse(client), "plain text");
  same("open", (await api.kindsOpen({ baseUrl }, { times: 3 })).times, 3);
  same("untyped", (await api.kindsUntyped(client, { name: "Ada", more: [1, 2], extra: 5 }))["event"], {
    extra: "5", more: "[1,2]", name: "Ada",
  });

  // A plugin's client: the template's settings, from where Flex has them, and the worker's current token.
  let token = "first";
  const store = { getState: () => ({ flex: { session: { ssoTokenPayload: { token } } } }) };
  const settings = (protocol: string | undefined, domain: string, port: string | number | undefined) => ({
    serverless_functions_protocol: protocol, serverless_functions_domain: domain, serverless_functions_port: port,
  });
  for (const [custom_data, url] of [
    [settings("https", "functions.example.com", "443"), "https://functions.example.com:443"],
    [settings("http", "localhost", 3001), "http://localhost:3001"],
    [settings(undefined, "functions.example.com", undefined), "https://functions.example.com"],
    [settings("https://", "functions.example.com", ""), "https://functions.example.com"],
  ] as const) {
    same("fromFlex, configuration", api.fromFlex({ store, configuration: { custom_data } }).baseUrl, url);
    same("fromFlex, service", api.fromFlex({ store, configuration: {}, serviceConfiguration: { ui_attributes: { custom_data } } }).baseUrl, url);
  }
  const flex = api.fromFlex({ store, configuration: { custom_data: settings("https", "a", "") } }, { retries: 1 });
  const before = flex.token?.();
  token = "second";
  same("fromFlex, token", [before, flex.token?.(), flex.retries], ["first", "second", 1]);
  try {
    api.fromFlex({ store });
    faults.push("fromFlex took a manager without settings");
  } catch (e) {
    if (!String(e).includes("serverless_functions_domain")) faults.push(`fromFlex: ${String(e)}`);
  }

  // 400 says which parameters.
  // @ts-expect-error text is required
  await fails("400", api.kindsEcho(client, { whole: 1.5 }), (e) => {
    same("400", [e.status, e.attempts, e.missing, e.invalid.map((i) => i.key)],
      [400, 1, [{ key: "text", purpose: "a required text" }], ["whole"]]);
    if (!e.message.includes("Missing text: a required text")) faults.push(`400: the message is ${e.message}`);
  });
  // 403: no token, a bad one, the wrong role.
  for (const token of ["", "dev-expired", "dev-guest"]) {
    await fails(`403 ${token}`, api.kindsOptional({ baseUrl, token: () => token }), (e) => same(`403 ${token}`, [e.status, e.attempts], [403, 1]));
  }
  await fails("403 role", api.kindsDelete(client), (e) => same("403 role", e.status, 403));
  same("supervisor", await api.kindsDelete({ baseUrl, token: async () => "dev-supervisor" }), { success: true });
  // 404, 409 with Twilio's code, 500, 503.
  await fails("404", api.kindsOptional({ ...client, baseUrl: baseUrl + "/nowhere/" }), (e) => same("404", e.status, 404));
  await fails("409", api.kindsFail(client, { status: 409, code: 50388 }), (e) =>
    same("409", [e.status, e.message, e.twilioErrorCode, e.attempts], [409, "It failed with 409", 50388, 1]));
  await fails("500", api.kindsFail(client, { status: 500 }), (e) => {
    same("500", [e.status, e.attempts, typeof e.requestId], [500, 1, "string"]);
    if (e.message.includes("secret")) faults.push(`500 tells ${e.message}`);
  });
  await fails("503", api.kindsOptional({ ...client, token: () => "dev-outage" }), (e) =>
    same("503", [e.status, e.attempts, (e.retryAfterMs ?? 0) > 0], [503, 1, true]));

  // 429, then success; Retry-After is honoured; a fresh token for each attempt.
  const key = `${Date.now()} ${Math.random()}`;
  let tokens = 0;
  const counting = { ...client, token: () => (tokens++, "dev-agent") };
  same("429 then success", (await api.kindsLimited(counting, { key, before: 2 })).calls, 3);
  same("tokens", tokens, 3);
  const start = Date.now();
  same("Retry-After", (await api.kindsLimited(client, { key: key + "w", before: 1, wait: 1 })).calls, 2);
  if (Date.now() - start < 990) faults.push(`Retry-After: 1 was waited for ${Date.now() - start} ms`);
  await fails("429 for good", api.kindsLimited(client, { key: key + "g", before: 9 }, { retries: 1 }), (e) =>
    same("429 for good", [e.status, e.attempts, e.message], [429, 2, "Too many very very requests"]));
  await fails("Retry-After beyond the timeout", api.kindsLimited(client, { key: key + "b", before: 1, wait: "1h" }), (e) =>
    same("Retry-After beyond the timeout", [e.status, e.attempts, e.retryAfterMs], [429, 1, 3600000]));

  // Abort: before, during a call, during a wait. Timeout.
  const reasons: unknown[] = [];
  for (const [ms, promise] of [
    [-1, (signal: AbortSignal) => api.kindsOptional(client, {}, { signal })],
    [50, (signal: AbortSignal) => api.kindsSlow(client, { for: 5 }, { signal })],
    [50, (signal: AbortSignal) => api.kindsLimited(client, { key: key + "a", before: 1, wait: 5 }, { signal })],
    [50, (signal: AbortSignal) => api.kindsOptional({ baseUrl, token: () => new Promise<string>(() => {}) }, {}, { signal })],
  ] as const) {
    const ending = new AbortController();
    const started = Date.now();
    if (ms < 0) ending.abort("enough");
    else setTimeout(() => ending.abort("enough"), ms);
    await promise(ending.signal).then((r) => reasons.push(r), (e: unknown) => reasons.push(e));
    if (Date.now() - started > 2000) faults.push(`abort took ${Date.now() - started} ms`);
  }
  same("abort", reasons, ["enough", "enough", "enough", "enough"]);
  await fails("timeout", api.kindsSlow(client, { for: "5s" }, { timeoutMs: 100 }), (e) =>
    same("timeout", [e.status, e.message, e.outcomeUnknown], [0, "No answer within 100 ms", true]));

  // No limit, and one that is longer than a timer allows.
  for (const timeoutMs of [Infinity, 2 ** 31, 1e15]) {
    same(`timeoutMs ${timeoutMs}`, await api.kindsOptional({ ...client, timeoutMs }, { times: 1 }), { times: 1, success: true });
  }
  // Retry-After with a fraction is a number of seconds, not a year.
  await fails("Retry-After: 3600.5", api.kindsOptional({
    ...client, fetch: async () => new Response("{}", { status: 429, headers: { "Retry-After": "3600.5" } }),
  }), (e) => same("Retry-After: 3600.5", [e.attempts, e.retryAfterMs], [1, 3600500]));

  // Network failures are repeated if the function runs once per key, which every attempt then carries, or if told to.
  let sent = 0;
  const flaky: api.Client = {
    ...client,
    fetch: (url, init) => (++sent < 3 ? Promise.reject(new TypeError("Failed to fetch")) : fetch(url, init)),
  };
  same("network failure", await api.kindsOptional(flaky, { times: 1 }, { retryUnanswered: true }), { times: 1, success: true });
  same("network failures", sent, 3);
  sent = 0;
  await fails("unanswered", api.kindsOptional(flaky, {}), (e) => same("unanswered", [e.status, e.attempts, sent], [0, 1, 1]));
  sent = 0;
  const keys: unknown[] = [];
  const lossy: api.Client = { // answers that are lost on the way
    ...client,
    fetch: async (url, init) => {
      keys.push(new Headers(init?.headers).get("Idempotency-Key"));
      const answer = await fetch(url, init);
      if (++sent < 3) throw new TypeError("Failed to fetch");
      return answer;
    },
  };
  const { runs } = await api.kindsOnce(lossy);
  same("lost answers of a function that runs once", [sent, (await api.kindsOnce(client)).runs - runs], [3, 1]);
  same("one key for a call", [new Set(keys).size, typeof keys[0], String(keys[0]).length], [1, "string", 32]);

  // So is a 503 with Retry-After, after that time and with the same key, but not one whose outcome is unknown.
  const refusal = '{"success":false}';
  const unavailable = (headers: Record<string, string>, body = refusal, status = 503): api.Client => ({
    ...client,
    fetch: async (url, init) => {
      keys.push(new Headers(init?.headers).get("Idempotency-Key"));
      return ++sent < 3 ? new Response(body, { status, headers }) : fetch(url, init);
    },
  });
  const patient = { "Retry-After": "0.2" };
  sent = keys.length = 0;
  const asked = Date.now();
  await api.kindsOnce(unavailable(patient));
  same("503 with Retry-After", [sent, new Set(keys).size, Date.now() - asked > 390], [3, 1, true]);
  for (const [what, answer] of [
    ["503 without Retry-After", () => api.kindsOnce(unavailable({}))],
    ["503 with an unknown outcome", () => api.kindsOnce(unavailable(patient, '{"success":false,"outcomeUnknown":true}'))],
    ["503 without a key", () => api.kindsOptional(unavailable(patient))],
    ["503 and no retries", () => api.kindsOnce(unavailable(patient), {}, { retries: 0 })],
  ] as const) {
    sent = 0;
    await fails(what, answer(), (e) => same(what, [e.status, e.attempts, sent], [503, 1, 1]));
  }

  // A proxy's answer, as when the instance that had the call was killed, is none of the function's.
  for (const [status, body] of [[502, "<html>"], [503, ""], [504, '{"message":"Endpoint request timed out"}']] as const) {
    sent = keys.length = 0;
    await api.kindsOnce(unavailable({}, body, status));
    same(`a proxy's ${status}`, [sent, new Set(keys).size], [3, 1]);
    sent = 0;
    await fails(`a proxy's ${status} without a key`, api.kindsOptional(unavailable({}, body, status)), (e) =>
      same(`a proxy's ${status} without a key`, [e.status, e.answered, e.outcomeUnknown, sent], [status, false, true, 1]));
  }
  sent = 0;
  await fails("the function's 502", api.kindsOnce(unavailable({}, refusal, 502)), (e) =>
    same("the function's 502", [e.status, e.answered, e.outcomeUnknown, sent], [502, true, false, 1]));
  await api.kindsProto(client);
  await fails("nobody there", api.kindsOptional({ ...client, baseUrl: "http://127.0.0.1:9", retries: 1, retryUnanswered: true }), (e) => same("nobody there", [e.status, e.attempts], [0, 2]));
  await fails("no JSON", api.kindsOptional({ ...client, fetch: async () => new Response("<html>") }), (e) => same("no JSON", e.status, 200));

  // The server gets exactly what was sent.
  const seed = Math.floor(Math.random() * 2 ** 31);
  const draw = new Draw(seed);
  for (let i = 0; i < 150; i++) {
    const [input, want] = draw.input();
    try {
      const { got } = await api.kindsEcho(client, input);
      for (const [name, value] of Object.entries(want)) {
        const have = normal((got as unknown as Record<string, unknown>)[name]);
        if (JSON.stringify(have) !== JSON.stringify(normal(value))) {
          faults.push(`seed ${seed}: ${name}: got ${JSON.stringify(have)}, sent ${JSON.stringify(normal(value))}`);
        }
      }
    } catch (e) {
      faults.push(`seed ${seed}: ${String(e)} for ${JSON.stringify(input, (_, v: unknown) => (typeof v === "bigint" ? v.toString() : v))}`);
    }
    if (faults.length > 20) break;
  }
  return faults;
}

/** Times are compared as instants, keys in order. */
function normal(v: unknown): unknown {
  if (v instanceof Date) return v.getTime();
  if (typeof v === "bigint") return Number(v);
  if (typeof v === "string" && /^\d{4}-\d\d-\d\dT.*Z$/.test(v)) return Date.parse(v);
  if (Array.isArray(v)) return v.map(normal);
  if (typeof v !== "object" || v === null) return v;
  return Object.fromEntries(Object.entries(v).sort(([a], [b]) => (a < b ? -1 : 1)).map(([k, x]) => [k, normal(x)]));
}

/** Draws inputs of every kind from a seed. */
class Draw {
  constructor(private seed: number) {}

  private next(n: number): number { // mulberry32
    let t = (this.seed += 0x6d2b79f5);
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % n;
  }

  private of<T>(values: readonly T[]): T {
    return values[this.next(values.length)] as T;
  }

  private list<T>(draw: () => T): T[] {
    return Array.from({ length: 1 + this.next(3) }, draw); // an empty list counts as missing
  }

  private text(): string { // an empty string counts as missing
    return this.of(["a", " ", "+", "a&b=c", "%zz", "%00", "é", "😀", "\r\n", "\u0000", "[", "{", "null", "undefined", "true", "1e3", "'\"\\", "</script>", "x".repeat(3000)]) + this.of(["", "", "!"]);
  }

  private int(bits: number): number {
    return this.of([0, 1, -1, 2 ** (bits - 1) - 1, -(2 ** (bits - 1)), this.next(100)]);
  }

  private float(): number {
    return this.of([0, 0.1, -2.5, 1e21, 1e-7, Number.MAX_VALUE, Number.MIN_VALUE, 12345.678]);
  }

  private time(): Date {
    return new Date(this.of([0, 1, Date.now(), -1, 253402300799999, this.next(2 ** 31)]));
  }

  private sid(prefix: string): string {
    return prefix + Array.from({ length: 32 }, () => this.of([..."0123456789abcdefABCDEF"])).join("");
  }

  private tree(depth: number): { name: string; children: { name: string }[] | null } {
    return { name: this.text(), children: depth > 2 || this.next(2) ? null : this.list(() => this.tree(depth + 1)) };
  }

  private point() {
    return { x: this.int(32), name: "n" + this.text(), far: this.int(53), when: this.time() };
  }

  private anything(): object | readonly unknown[] {
    return this.of([{}, { a: 1 }, [1, "a", null], { deep: [{ er: true }] }]);
  }

  private map<T>(draw: () => T): Record<string, T> {
    return Object.fromEntries(this.list(() => [this.text(), draw()] as const));
  }

  /** An input, and what the server should say that it got. */
  input(): [api.KindsEchoInput, Record<string, unknown>] {
    const all: Required<api.KindsEchoInput> = {
      base: this.text(), text: this.text(), flag: this.next(2) === 1,
      tiny: this.int(8), short: this.int(16), long: this.int(32), longest: this.of([this.int(53), -9223372036854775808n]),
      octet: this.of([0, 255]), port: this.of([0, 65535]), count: this.of([this.of([0, 1]), 18446744073709551615n]),
      whole: this.of([this.int(53), 9007199254740991n]), unsigned: this.of([0, 7, 4294967295]),
      huge: this.of([0, 5, 18446744073709551615n]), ratio: this.float(), single: this.of([0, 0.5, -1.25]),
      when: this.time(), span: this.of([0, 1, 90, 0.5]), number: this.float(),
      raw: this.of([0, "text", true, [1], { a: "b" }, "{", "1"]), anything: this.of([this.anything(), this.of(["plain", "5", "tr ue"])]),
      sid: this.sid(this.of(["CF", "WT"])), phone: "+1555010" + this.next(10), sids: this.list(() => this.sid("CA")),
      texts: this.list(() => this.text()), wholes: this.list(() => this.int(53)), times: this.list(() => this.time()),
      point: this.point(), points: this.list(() => this.point()), tree: this.tree(0),
      counts: this.map(() => this.int(32)), labels: this.map(() => this.text()), pair: [this.int(16), this.int(16)],
      maybe: this.text(), "maybe-int": this.int(32), level: this.of(["low", "high"]),
      self: this.of([1, "a", [], { a: [] }, false]), inline: { a: this.int(32) },
    };
    const some: Record<string, unknown> = { text: all.text };
    const want: Record<string, unknown> = { text: all.text };
    for (const [name, value] of Object.entries(all)) {
      if (name !== "text" && this.next(3) === 0) continue;
      some[name] = value;
      want[name] = name === "span" ? (value as number) * 1e9 : value;
    }
    return [some as unknown as api.KindsEchoInput, want];
  }
}
