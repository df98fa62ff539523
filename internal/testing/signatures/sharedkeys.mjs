// Signs requests with SharedKeys as Twilio's Node library does, compares the
// result with ../../../signature/testdata/sharedkeys.json, and asks the library
// about each request as its middleware does.
//
//   node sharedkeys.mjs           check
//   node sharedkeys.mjs --write   write the file first
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import querystring from "node:querystring";
import { fileURLToPath } from "node:url";

const { getExpectedBodyHash, getExpectedTwilioSignature, getSignatureAlgorithm, validateIncomingRequest } =
  await import("twilio/lib/webhooks/webhooks.js").then((m) => m.default ?? m);

const here = dirname(fileURLToPath(import.meta.url));
const file = join(here, "../../../signature/testdata/sharedkeys.json");
const version = JSON.parse(readFileSync(join(here, "node_modules/twilio/package.json"))).version;

const FORM = "application/x-www-form-urlencoded", JSONTYPE = "application/json";
const MAIN = "AC" + "a".repeat(32), SUB = "AC" + "b".repeat(32);
const base = "https://functions.example.com";
const authToken = "0123456789abcdef0123456789abcdef";
// By id; those of a sub-account are configured under account/id.
const sharedKeys = {
  webhooks_sharedkey_one: { account: MAIN, secret: "c2VjcmV0LW9uZQ==" },
  webhooks_sharedkey_two: { account: MAIN, secret: "sëcret two, with ü" },
  webhooks_sharedkey_sub: { account: SUB, secret: "the sub-account's own" },
};
const settings = (id, algorithm = "HMAC_SHA256") => `key=webhooks_sharedkey_${id},algorithm=${algorithm}`;
const form = "Body=Zo%C3%AB+100%25&From=%2B15005550006";
const json = '{"flow":"opening-hours"}';
const hashed = (url, body) => url + "?bodySHA256=" + getExpectedBodyHash(body);

const cases = [
  { id: "form", settings: settings("one"), contentType: FORM, body: form },
  { id: "form-other-key", settings: settings("two"), contentType: FORM, body: form },
  { id: "form-repeated-parameter", settings: settings("one"), contentType: FORM, body: "b=2&a=1&b=1&b=2" },
  { id: "query", method: "GET", url: base + "/studio/x?q=O%27Neil&z=1", settings: settings("one") },
  { id: "json", url: hashed(base + "/studio/x", json), settings: settings("one"), contentType: JSONTYPE, body: json },
  { id: "settings-with-spaces", settings: " key=webhooks_sharedkey_one , algorithm=HMAC_SHA256 ", contentType: FORM, body: form },
  { id: "settings-in-other-order", settings: "algorithm=HMAC_SHA256,key=webhooks_sharedkey_one", contentType: FORM, body: form },
  { id: "settings-with-more", settings: settings("one") + ",version=2", contentType: FORM, body: form },
  { id: "no-settings", contentType: FORM, body: form },
  { id: "sub-account", account: SUB, settings: settings("sub"), contentType: FORM, body: "AccountSid=" + SUB + "&" + form },
  { id: "sub-account-json", account: SUB, url: hashed(base + "/studio/x", `{"AccountSid":"${SUB}"}`), settings: settings("sub"), contentType: JSONTYPE, body: `{"AccountSid":"${SUB}"}` },
  { id: "refused-body-changed", settings: settings("one"), contentType: FORM, body: form, sentBody: form + "&Admin=1", refuse: true },
  { id: "refused-json-changed", url: hashed(base + "/studio/x", json), settings: settings("one"), contentType: JSONTYPE, body: json, sentBody: "{}", refuse: true },
  { id: "refused-path-changed", url: base + "/studio/x", sentURL: base + "/studio/y", settings: settings("one"), contentType: FORM, body: form, refuse: true },
  { id: "refused-secret-of-another-key", settings: settings("one"), signWith: "two", contentType: FORM, body: form, refuse: true },
  { id: "refused-unknown-key", settings: settings("three"), signWith: "one", contentType: FORM, body: form, refuse: true,
    node: "is given the secret by the application, which then has to know the key" },
  { id: "refused-unknown-algorithm", settings: settings("one", "HMAC_SHA512"), signAlgorithm: "HMAC_SHA256", contentType: FORM, body: form, refuse: true },
  { id: "refused-downgrade", settings: settings("one"), signAlgorithm: "HMAC_SHA1", contentType: FORM, body: form, refuse: true },
  { id: "refused-downgrade-by-name", settings: settings("one", "HMAC_SHA1"), contentType: FORM, body: form, refuse: true,
    node: "takes the SharedKey's secret for SHA-1, which Twilio signs with the auth token" },
  { id: "refused-without-settings", settings: settings("one"), sentSettings: null, contentType: FORM, body: form, refuse: true },
  { id: "refused-key-of-the-main-account-for-a-sub-account", settings: settings("one"), contentType: FORM, body: "AccountSid=" + SUB + "&" + form, refuse: true,
    node: "is given the secret by the application, which then has to know the account" },
  { id: "refused-key-of-a-sub-account-for-the-main-account", settings: settings("sub"), contentType: FORM, body: form, refuse: true,
    node: "is given the secret by the application, which then has to know the account" },
];

const parse = (c, body) => (c.contentType === FORM ? { ...querystring.parse(body) } : {});
const keyOf = (s) => /key=webhooks_sharedkey_(\w+)/.exec(s ?? "")?.[1];
const secretOf = (id) => sharedKeys["webhooks_sharedkey_" + id]?.secret;

let failed = false;
const fail = (s) => { failed = true; console.error("FAIL " + s); };

const vectors = cases.map((c) => {
  const { url = base + "/studio/x", body = "" } = c;
  const algorithm = c.signAlgorithm ?? getSignatureAlgorithm(c.settings);
  const secret = c.settings ? secretOf(c.signWith ?? keyOf(c.settings)) : authToken;
  const signature = getExpectedTwilioSignature(secret, url, parse(c, body), algorithm);
  const v = {
    id: c.id, method: c.method ?? "POST", url: c.sentURL ?? url, settings: c.sentSettings === undefined ? c.settings : c.sentSettings ?? undefined,
    contentType: c.contentType, body: c.sentBody ?? body, signature, account: c.account ?? MAIN, expected: c.refuse ? "refuse" : "accept", node: c.node,
  };
  const headers = { "X-Twilio-Signature": signature, "X-Twilio-Webhooks-Signature-Settings": v.settings };
  const request = { header: (name) => headers[name], headers: {}, originalUrl: v.url, rawBody: v.body || undefined, body: parse(c, v.body) };
  // An application that looks its secrets up takes the only one for a key that it does not know.
  const known = v.settings ? secretOf(keyOf(v.settings)) ?? secretOf("one") : authToken;
  const verdict = validateIncomingRequest(request, known, { url: v.url, algorithm: getSignatureAlgorithm(v.settings) }) ? "accept" : "refuse";
  if ((verdict !== v.expected) !== (c.node !== undefined)) fail(`${c.id}: the library says ${verdict}, the file says ${c.node ? "otherwise" : v.expected}`);
  return v;
});
const text = JSON.stringify({
  about: "Requests signed with SharedKeys by the npm package twilio " + version + " (internal/testing/signatures). node says why that library's verdict is another.",
  accountSid: MAIN, authToken, sharedKeys, vectors,
}, null, 1) + "\n";
if (process.argv.includes("--write")) writeFileSync(file, text);
if (readFileSync(file, "utf8") !== text) fail("signature/testdata/sharedkeys.json is not what the cases give: run node sharedkeys.mjs --write and look at the difference");
console.log(`${vectors.length} requests signed with SharedKeys`);
process.exit(failed ? 1 : 0);
