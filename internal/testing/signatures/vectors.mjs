// Signs the cases with Twilio's Node library and compares the result with
// ../../../signature/testdata/signatures.json; asks that library and, through `go test`,
// twilio-go's validator and ours about every vector, and prints who accepts
// and refuses what. It fails if the file does not follow from the cases, or
// if a verdict differs from the file's.
//
//   node vectors.mjs           check and print the table
//   node vectors.mjs --write   write the file first
import { spawnSync } from "node:child_process";
import crypto from "node:crypto";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import querystring from "node:querystring";
import { fileURLToPath } from "node:url";
import { cases, FORM } from "./cases.mjs";

const { getExpectedTwilioSignature, getExpectedBodyHash, validateIncomingRequest } =
  await import("twilio/lib/webhooks/webhooks.js").then((m) => m.default ?? m);

const here = dirname(fileURLToPath(import.meta.url));
const file = join(here, "../../../signature/testdata/signatures.json");

const parseForm = (body) => ({ ...querystring.parse(body, "&", "=", { maxKeys: 0 }) });
const isForm = (type) => (type ?? "").split(";")[0].trim().toLowerCase() === FORM;
const withHash = (url, hash) => {
  const [front, fragment] = url.split("#");
  return front + (front.includes("?") ? "&" : "?") + "bodySHA256=" + hash + (fragment === undefined ? "" : "#" + fragment);
};

function vector(c) {
  const body = c.bodyBase64 !== undefined ? Buffer.from(c.bodyBase64, "base64") : Buffer.from(c.body ?? "");
  let { url, called = url } = c;
  if (c.hashed) {
    let hash = getExpectedBodyHash(c.hashOf ?? body);
    if (c.capitals) hash = hash.toUpperCase();
    url = withHash(url, hash);
    if (c.called === undefined || c.accept) called = withHash(called, hash);
  }
  let params = {};
  if (c.signParamsOf) params = Object.fromEntries(c.signParamsOf);
  else if (isForm(c.contentType)) params = parseForm(body.toString());
  const key = c.signWith ?? c.authToken;
  let signature = c.signature ?? getExpectedTwilioSignature(key, url, params);
  if (c.published && signature !== c.published) throw new Error(`${c.id}: the library signs ${signature}, Twilio published ${c.published}`);
  if (c.hmac) {
    signature = crypto.createHmac(c.hmac, key).update(url + Object.keys(params).sort().map((k) => k + params[k]).join("")).digest("base64");
  }
  if (c.alter) signature = c.alter(signature);

  const contentType = c.seenContentType === undefined ? c.contentType : (c.seenContentType ?? undefined);
  const headers = { ...(contentType ? { "Content-Type": contentType } : {}), ...c.server?.headers };
  const request = { method: c.seenMethod ?? c.method, url: called, headers };
  if (c.seenBody !== undefined) request.body = c.seenBody;
  else if (c.bodyBase64 !== undefined) request.bodyBase64 = c.bodyBase64;
  else request.body = c.body ?? "";
  if (c.server?.remoteAddr) request.remoteAddr = c.server.remoteAddr;
  const v = { id: c.id, provenance: c.provenance, authToken: c.authToken, url, signature, request };
  if (c.server) {
    const { headers: _h, remoteAddr: _r, ...server } = c.server;
    if (Object.keys(server).length) v.server = server;
  }
  v.expected = c.accept ? "accept" : "refuse";
  if (c.differs && Object.keys(c.differs).length) v.differs = c.differs;
  return v;
}

// askTwilioNode gives the library's middleware the request as Express would.
function askTwilioNode(v) {
  const { headers, url } = v.request;
  const body = v.request.bodyBase64 !== undefined ? Buffer.from(v.request.bodyBase64, "base64") : Buffer.from(v.request.body);
  const type = headers["Content-Type"];
  let parsed = {};
  if (isForm(type)) parsed = parseForm(body.toString());
  else if ((type ?? "").startsWith("application/json")) {
    try { parsed = JSON.parse(body.toString()); } catch { parsed = {}; }
  }
  const all = { ...headers, "X-Twilio-Signature": v.signature };
  const request = { header: (name) => all[name], headers: {}, originalUrl: url, rawBody: body.length ? body : undefined, body: parsed };
  try {
    return validateIncomingRequest(request, v.authToken, { url }) ? "accept" : "refuse";
  } catch {
    return "refuse";
  }
}

const ids = new Set(cases.map((c) => c.id));
if (ids.size !== cases.length) throw new Error("two cases have one id");
const version = JSON.parse(readFileSync(join(here, "node_modules/twilio/package.json"))).version;
const vectors = cases.map(vector);
const text = JSON.stringify({
  about: "Requests and Twilio's signatures for them, made by internal/testing/signatures with the npm package twilio " + version +
    ". url is what Twilio signed; request is what reaches the server, its url and body what a validator is given. server is configuration that the request needs." +
    " differs lists who gives another verdict than expected, and why.",
  vectors,
}, null, 1) + "\n";
if (process.argv.includes("--write")) writeFileSync(file, text);
let failed = false;
const fail = (s) => { failed = true; console.error("FAIL " + s); };
if (readFileSync(file, "utf8") !== text) fail("signature/testdata/signatures.json is not what the cases give: run node vectors.mjs --write and look at the difference");

const out = join(mkdtempSync(join(tmpdir(), "signatures-")), "verdicts.json");
const go = spawnSync("go", ["test", "-count=1", "-run=^TestVerdicts$", "."], { cwd: here, encoding: "utf8", env: { ...process.env, SIGNATURE_VERDICTS: out } });
if (go.status !== 0) fail("go test: " + go.stdout + go.stderr);
const verdicts = go.status === 0 ? JSON.parse(readFileSync(out)) : {};

const who = ["twilio-node", "twilio-go", "signature.Valid"];
const count = Object.fromEntries(who.map((w) => [w, 0]));
console.log(["request".padEnd(52), "expected", ...who].join("  "));
for (const v of vectors) {
  const got = { "twilio-node": askTwilioNode(v), ...verdicts[v.id] };
  for (const w of who) {
    const differs = v.differs?.[w] !== undefined;
    if (got[w] !== undefined && (got[w] !== v.expected) !== differs) fail(`${v.id}: ${w} says ${got[w]}, the file says ${differs ? "otherwise" : v.expected}`);
    if (differs) count[w]++;
  }
  console.log([v.id.padEnd(52), v.expected.padEnd(8), ...who.map((w) => ((got[w] ?? "?") + (v.differs?.[w] ? " *" : "")).padEnd(w.length))].join("  "));
}
console.log(`\n${vectors.length} requests. * is another verdict than the right one:`);
for (const w of who) {
  console.log(`\n${w}: ${count[w]}`);
  const reasons = new Map();
  for (const v of vectors) if (v.differs?.[w]) reasons.set(v.differs[w], [...(reasons.get(v.differs[w]) ?? []), v.id]);
  for (const [reason, list] of reasons) console.log(`  ${reason}: ${list.length > 6 ? list.length + " requests" : list.join(", ")}`);
}
process.exit(failed ? 1 : 0);
