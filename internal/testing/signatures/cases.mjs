// The cases of ../../../signature/testdata/signatures.json, before they are signed. A case
// says what Twilio signs and what reaches the server; vectors.mjs signs it with
// Twilio's own library.
import querystring from "node:querystring";

const TOKEN = "5ce1d3b8f2a94c7e8d6f0b1a2c3d4e5f";
const OTHER = "0f9e8d7c6b5a49382716059483726150";
const ACCOUNT = "AC" + "a".repeat(32);
const SUBACCOUNT = "AC" + "b".repeat(32);

const docs = "Twilio's documentation, usage/webhooks/webhooks-security";
const rule = "the signing rule of twilio-node 6.2.0";
const issue = (repository, number) => `github.com/twilio/${repository} issue or pull request ${number}`;

export const FORM = "application/x-www-form-urlencoded";
export const encode = (params) => params.map(([k, v]) => `${querystring.escape(k)}=${querystring.escape(v)}`).join("&");
const plus = (params) => encode(params).replaceAll("%20", "+");

const sms = [
  ["ToCountry", "US"], ["MessageSid", "SM" + "c".repeat(32)], ["NumMedia", "0"], ["FromCity", "NEW YORK"],
  ["From", "+15005550006"], ["SmsStatus", "received"], ["Body", "Hello there"], ["To", "+15005550001"],
  ["NumSegments", "1"], ["AccountSid", ACCOUNT], ["ApiVersion", "2010-04-01"], ["FromZip", ""],
];
const call = [["CallSid", "CA" + "d".repeat(32)], ["Caller", "+14158675309"], ["Digits", "1234"], ["From", "+14158675309"], ["To", "+18005551212"]];
const base = "https://functions.example.com/studio/create-task";
const json = '{"conversationSid":"CH' + "e".repeat(32) + '","note":"call me back"}';

export const cases = [];
function add(c) {
  cases.push({ method: "POST", authToken: TOKEN, accept: true, provenance: rule, differs: {}, ...c });
}
const get = (id, url, more) => add({ id, url, method: "GET", ...more });
const form = (id, url, params, more) => add({ id, url, contentType: FORM, body: encode(params), ...more });
const text = (id, url, body, more) => add({ id, url, contentType: "application/json", body, hashed: true, ...more });

// ---- URLs, each with a GET, a form and a JSON body -----------------------
const urls = [
  ["plain", base],
  ["http", "http://functions.example.com/studio/create-task"],
  ["root", "https://functions.example.com/"],
  ["query", base + "?step=1&flow=main", { provenance: docs }],
  ["query-unsorted", base + "?zulu=1&alpha=2&mike=3", { provenance: "a query is signed in the order in which it was written; frameworks that sort it break the signature" }],
  ["query-repeated-key", base + "?tag=b&tag=a&tag=b"],
  ["query-empty-value", base + "?empty=&next=1"],
  ["query-no-equals", base + "?flag&next=1"],
  ["query-empty", base + "?"],
  ["query-double-ampersand", base + "?a=1&&b=2&"],
  ["query-second-question-mark", base + "?what=why?&a=1"],
  ["query-plus", base + "?name=Jo+Ann", { provenance: "+ and %20 are different bytes; only the ones that were sent are signed" }],
  ["query-percent-20", base + "?name=Jo%20Ann", { provenance: "+ and %20 are different bytes; only the ones that were sent are signed" }],
  ["query-percent-2b", base + "?number=%2B15005550006"],
  ["query-lower-hex", base + "?name=%c3%a9t%c3%a9"],
  ["query-upper-hex", base + "?name=%C3%89T%C3%89"],
  ["query-apostrophe", base + "?name=O'Neil", { provenance: issue("twilio-node", 1059) + " and " + issue("twilio-ruby", 528) }],
  ["query-apostrophe-escaped", base + "?name=O%27Neil", { provenance: issue("twilio-node", 1183) }],
  ["query-quotes", base + "?say=%22hi%22&tick=%60"],
  ["query-at-and-colon", base + "?caller=sip:12345@192.0.2.1", { provenance: issue("twilio-node", 621) }],
  ["query-at-and-colon-escaped", base + "?caller=sip%3A12345%40192.0.2.1", { provenance: issue("twilio-node", 621) }],
  ["query-unreserved", base + "?x=-_.!~*()"],
  ["query-brackets", base + "?a[b]=c&list[]=1"],
  ["query-semicolon-and-comma", base + "?a=1;b=2,3"],
  ["query-slash", base + "?next=https://example.org/a/b"],
  ["query-pipe", base + "?a=1|2"],
  ["query-needless-escape", base + "?%61=%62"],
  ["path-escaped-space", "https://functions.example.com/my%20function"],
  ["path-escaped-slash", "https://functions.example.com/a%2Fb"],
  ["path-double-slash", "https://functions.example.com//a//b"],
  ["path-trailing-slash", base + "/"],
  ["path-unicode-escaped", "https://functions.example.com/%E3%82%BF%E3%82%B9%E3%82%AF"],
  ["path-semicolon", "https://functions.example.com/a;v=1/b"],
  ["path-at-and-colon", "https://functions.example.com/@team:one"],
  ["path-tilde-and-parentheses", "https://functions.example.com/~me/(x)"],
  ["path-plus", "https://functions.example.com/a+b"],
  ["host-upper-case", "https://Functions.Example.com/studio/create-task", { provenance: "the host is signed as written in Twilio" }],
  ["host-punycode", "https://xn--bcher-kva.example/studio/create-task"],
  ["host-single-label", "http://localhost/studio/create-task"],
  ["host-ipv4", "http://192.0.2.7/studio/create-task"],
  ["host-ipv6", "https://[2001:db8::7]/studio/create-task", { provenance: "twilio-node 6.2.0's splitUrl; older versions and others cut an IPv6 host at its first colon" }],
  ["port-nonstandard", "https://functions.example.com:8443/studio/create-task", { provenance: docs }],
  ["port-nonstandard-http", "http://functions.example.com:3000/studio/create-task"],
  ["port-nonstandard-query", "https://functions.example.com:8443/studio/create-task?b=2&a=1"],
  ["port-nonstandard-ipv4", "http://192.0.2.7:8080/studio/create-task"],
  ["port-nonstandard-ipv6", "https://[2001:db8::7]:8443/studio/create-task"],
  ["port-443-written", "https://functions.example.com:443/studio/create-task"],
  ["port-80-written", "http://functions.example.com:80/studio/create-task"],
];
for (const [name, url, more] of urls) {
  get(`get-${name}`, url, more);
  form(`form-${name}`, url, call, more);
  text(`json-${name}`, url, json, more);
}

// ---- what is signed and what is called differ ---------------------------
const ports = "twilio-node 6.2.0 tries each URL with and without port, since Twilio's services differ";
get("port-signed-443-called-without", "https://functions.example.com:443/studio/create-task", { called: base, provenance: ports });
form("port-signed-443-called-without-form", "https://functions.example.com:443/studio/create-task", call, { called: base, provenance: ports });
text("port-signed-443-called-without-json", "https://functions.example.com:443/studio/create-task", json, { called: base, provenance: ports });
get("port-signed-80-called-without", "http://functions.example.com:80/x?b=1&a=2", { called: "http://functions.example.com/x?b=1&a=2", provenance: ports });
get("port-signed-without-called-443", base, { called: "https://functions.example.com:443/studio/create-task", provenance: ports });
form("port-signed-without-called-8443", base, call, { called: "https://functions.example.com:8443/studio/create-task", provenance: ports + "; " + issue("twilio-python", 392) });
text("port-signed-without-called-8443-json", base, json, { called: "https://functions.example.com:8443/studio/create-task", provenance: ports });
get("port-signed-without-called-ipv6-8443", "https://[2001:db8::7]/x", { called: "https://[2001:db8::7]:8443/x", provenance: ports, differs: { "twilio-go": "cuts an IPv6 host at its first colon" } });
get("port-signed-443-called-ipv6-without", "https://[2001:db8::7]:443/x", { called: "https://[2001:db8::7]/x", provenance: ports });

// ---- forms --------------------------------------------------------------
// Signatures that Twilio itself published: they do not depend on any library.
const published = "published by Twilio: documentation of webhooks security, and the tests of its libraries in several languages";
const company = "https://mycompany.com/myapp.php?foo=1&bar=2";
const example = [["CallSid", "CA1234567890ABCDE"], ["Caller", "+14158675309"], ["Digits", "1234"], ["From", "+14158675309"], ["To", "+18005551212"]];
const publishedAs = (signature, more) => ({ authToken: "12345", provenance: published, published: signature, ...more });
form("published-form", company, example, publishedAs("RSOYDt4T1cUTdK1PDd93/VVr8B8="));
form("published-form-repeated-keys", company, [["Sid", "CA123"], ["SidAccount", "AC123"], ["Digits", "5678"], ["Digits", "1234"], ["Digits", "1234"]],
  publishedAs("IK+Dwps556ElfBT0I3Rgjkr1wJU=", { differs: { "twilio-go": "takes only the first of repeated keys" } }));
form("published-form-port-443", company.replace(".com", ".com:443"), example, publishedAs("kvajT1Ptam85bY51eRf/AJRuM3w=", { called: company }));
form("published-form-port-80", company.replace("https", "http").replace(".com", ".com:80"), example, publishedAs("0ZXoZLH/DfblKGATFgpif+LLRf4=", { called: company.replace("https", "http") }));
text("published-json", company, '{"property": "value", "boolean": true}', publishedAs("a9nBmqA0ju/hNViExpshrM61xv4="));
text("published-json-only-hash", "https://mycompany.com/myapp.php", '{"property": "value", "boolean": true}', publishedAs("y77kIzt2vzLz71DgmJGsen2scGs="));
form("form-sms-12-parameters", base, sms);
const forms = {
  "repeated-key": [["Tag", "b"], ["Tag", "a"]],
  "repeated-key-same-value": [["Tag", "a"], ["Tag", "a"]],
  "repeated-key-mixed": [["MediaUrl", "https://x.example/2"], ["Body", "x"], ["MediaUrl", "https://x.example/1"], ["MediaUrl", "https://x.example/2"]],
  "repeated-key-empty-value": [["Tag", ""], ["Tag", "a"], ["Tag", ""]],
  "repeated-key-three-sorted": [["K", "a"], ["K", "b"], ["K", "c"]],
  "empty-value": [["Body", ""], ["From", "+15005550006"]],
  "empty-key": [["", "v"], ["a", "b"]],
  "keys-by-case": [["body", "1"], ["Body", "2"], ["BODY", "3"]],
  "keys-with-common-prefix": [["From", "1"], ["FromCity", "2"], ["FromC", "3"]],
  "keys-that-are-numbers": [["10", "a"], ["9", "b"], ["1", "c"]],
  "key-with-brackets": [["a[b]", "c"], ["a[]", "1"], ["a[]", "2"]],
  "key-with-space-and-equals": [["a key", "1"], ["b=c", "2"]],
  "value-with-separators": [["Body", "a=b&c=d;e+f%20g"]],
  "value-with-quotes": [["Body", `O'Neil said "hi" \`there\``]],
  "value-with-newlines": [["Body", "line 1\r\nline 2\n\tend"]],
  "value-with-outer-spaces": [["Body", "  two before, two after  "]],
  "value-with-null-byte": [["Body", "a\0b"]],
  "value-is-json": [["AddOns", '{"status":"successful","results":{"a":[1,2]}}']],
  "value-accents": [["Body", "Déjà vu, Überraschung, señor"]],
  "value-emoji": [["Body", "👋🏽 ok 👩‍👩‍👧"]],
  "value-cjk": [["Body", "お電話ありがとう"], ["City", "東京"]],
  "value-right-to-left": [["Body", "مرحبا שלום"]],
  "value-combining": [["Body", "e\u0301"], ["Other", "\u00e9"]],
  "key-unicode": [["ключ", "1"], ["キー", "2"], ["é", "3"], ["z", "4"]],
  "keys-beyond-bmp": [["\uFB01", "ligature"], ["\u{1F600}", "emoji"], ["\uE000", "private"]],
  "values-beyond-bmp": [["K", "\uFB01"], ["K", "\u{1F600}"]],
  "value-unreserved": [["Body", "-_.!~*'()"]],
  "value-plus-and-percent": [["Body", "100% + 20%25"]],
  "value-phone-number": [["To", "+15005550006"], ["From", "whatsapp:+15005550001"]],
  "value-sip": [["From", "sip:alice@example.com;transport=tls"]],
};
const first = { "twilio-go": "takes only the first of repeated keys" };
const formDiffers = {
  "repeated-key": first, "repeated-key-mixed": first, "repeated-key-empty-value": first, "repeated-key-three-sorted": first,
  "key-with-brackets": first, "values-beyond-bmp": first,
  "keys-beyond-bmp": { "twilio-go": "sorts by bytes where JavaScript and Java sort by UTF-16 code units" },
};
for (const [name, params] of Object.entries(forms)) form(`form-${name}`, base, params, { differs: formDiffers[name] });
const raw = (id, body, more) => add({ id, url: base, contentType: FORM, body, ...more });
raw("form-spaces-as-plus", plus([["Body", "a b  c"], ["x y", "1"]]));
raw("form-key-without-equals", "flag&Body=x");
raw("form-empty-segments", "&a=1&&b=2&");
raw("form-lower-hex", "Body=%c3%a9&To=%2b15005550006");
raw("form-needless-escapes", "%42ody=%78");
raw("form-equals-in-value", "Body=a=b==c");
raw("form-raw-unicode", "Body=é");
raw("form-empty-body", "");
raw("form-charset", encode(call), { contentType: FORM + "; charset=UTF-8" });
raw("form-type-in-capitals", encode(call), { contentType: "Application/X-WWW-Form-URLencoded" });
form("form-one-hundred-parameters", base, Array.from({ length: 100 }, (_, i) => [`Key${(i * 37) % 100}`, `value ${i}`]));
form("form-long-value", base, [["Body", "long ".repeat(4000)]]);
form("form-with-body-hash", base, call, {
  hashed: true, signParams: true, provenance: "a form whose query also vouches for the bytes: both must hold",
  differs: {
    "twilio-node": "takes any request with bodySHA256 for one without form parameters",
    "twilio-go": "takes any request with bodySHA256 for one without form parameters",
  },
});

// ---- other bodies -------------------------------------------------------
const jsons = {
  "empty-object": "{}",
  "array": "[1,2,3]",
  "spaces-kept": '{ "a" : 1 ,\n  "b" : [ ] }\n',
  "unicode": '{"name":"Zoë 👋"}',
  "escapes": '{"name":"Zo\\u00eb","quote":"\\""}',
  "big-number": '{"n":12345678901234567890.000}',
  "duplicate-key": '{"a":1,"a":2}',
  "long": JSON.stringify({ text: "x".repeat(50000) }),
  "looks-like-a-form": '{"message":"&workflowSid=forged&"}',
  "not-json": "{broken",
};
for (const [name, body] of Object.entries(jsons)) text(`json-body-${name}`, base, body);
text("json-charset", base, json, { contentType: "application/json; charset=utf-8" });
text("json-query-with-quotes", base + "?name=O'Neil&x=%27", json);
text("body-xml", base, "<a>b</a>", { contentType: "application/xml" });
text("body-plain-text", base, "hello", { contentType: "text/plain" });
text("body-no-content-type", base, "hello", { contentType: undefined });
text("body-cloudevents", base, '[{"specversion":"1.0"}]', { contentType: "application/cloudevents-batch+json" });
add({ id: "body-binary", url: base, contentType: "application/octet-stream", bodyBase64: Buffer.from([0, 255, 128, 10, 13, 0, 254]).toString("base64"), hashed: true });
add({ id: "body-invalid-utf-8", url: base, contentType: "application/json", bodyBase64: Buffer.from([123, 34, 97, 34, 58, 34, 0xff, 34, 125]).toString("base64"), hashed: true });
text("body-empty-hashed", base, "", {
  differs: { "twilio-node": "its middleware hashes {} where the body is empty" },
});
text("json-put", base, json, { method: "PUT" });
get("get-hashed-empty-body", base, { hashed: true, body: "", differs: { "twilio-node": "its middleware hashes {} where the body is empty" } });

// ---- how the request reaches the server ---------------------------------
const naive = {
  "signature.Valid": "is given the URL that the server sees, which is not the one that was called",
  "twilio-node": "is given the URL that the server sees, which is not the one that was called",
  "twilio-go": "is given the URL that the server sees, which is not the one that was called",
};
const seen = (id, url, called, server, more) => form(`server-${id}`, url, call, { called, server, differs: naive, ...more });
const inside = "http://10.0.0.5:8080/studio/create-task";
const proxied = (headers, trust) => ({ remoteAddr: "10.0.0.1:41000", trust, headers });
seen("public-url", base, inside, { publicUrl: "https://functions.example.com" });
seen("public-url-trailing-slash", base, inside, { publicUrl: "https://functions.example.com/" });
seen("public-url-path-stripped", "https://functions.example.com/prod/studio/create-task", inside, { publicUrl: "https://functions.example.com/prod" });
seen("public-url-path-kept", "https://functions.example.com/prod/studio/create-task", "http://10.0.0.5:8080/prod/studio/create-task", { publicUrl: "https://functions.example.com/prod" });
seen("public-url-path-added", base, "http://10.0.0.5:8080/internal/studio/create-task", { publicUrl: "https://functions.example.com", addedPathPrefix: "/internal" });
seen("public-url-path-added-and-stripped", "https://functions.example.com/prod/studio/create-task", "http://10.0.0.5:8080/internal/studio/create-task", { publicUrl: "https://functions.example.com/prod", addedPathPrefix: "/internal/" });
seen("public-url-port", "https://functions.example.com:8443/studio/create-task", inside, { publicUrl: "https://functions.example.com:8443" });
seen("public-url-port-not-signed", base, inside, { publicUrl: "https://functions.example.com:8443" });
seen("public-url-ipv6", "https://[2001:db8::7]/studio/create-task", inside, { publicUrl: "https://[2001:db8::7]" });
seen("public-url-user-signed", "https://user:p%40ss@functions.example.com/studio/create-task", inside, { publicUrl: "https://user:p%40ss@functions.example.com" }, { provenance: issue("twilio-php", 448) + ": services differ in whether user and password are signed" });
seen("public-url-user-not-signed", base, inside, { publicUrl: "https://user:p%40ss@functions.example.com" }, { provenance: issue("twilio-php", 448) });
seen("public-url-user-and-port-signed", "https://user:pass@functions.example.com:443/studio/create-task", inside, { publicUrl: "https://user:pass@functions.example.com" });
seen("public-url-fragment-not-signed", base, inside, { publicUrl: "https://functions.example.com#rc=2&ct=1000" }, { provenance: "Twilio's connection overrides: the fragment never reaches the server" });
seen("public-url-fragment-signed", base + "#rc=2&ct=1000", inside, { publicUrl: "https://functions.example.com#rc=2&ct=1000" }, { provenance: "Twilio's connection overrides, should a service sign them" });
seen("public-url-query-raw", base + "?name=O'Neil&b=%7e&a=Jo+Ann", inside + "?name=O'Neil&b=%7e&a=Jo+Ann", { publicUrl: "https://functions.example.com" });
seen("tls-ends-at-proxy", base, "http://functions.example.com/studio/create-task", {}, { provenance: "a proxy that keeps the host and ends TLS: the scheme that the server sees is http" });
const https = { "X-Forwarded-Proto": "https", "X-Forwarded-Host": "functions.example.com" };
seen("x-forwarded", base, inside, proxied(https, { xForwarded: ["10.0.0.0/8"] }));
seen("x-forwarded-anyone", base, inside, { remoteAddr: "203.0.113.9:1", trust: { xForwardedAnyone: true }, headers: https });
seen("x-forwarded-single-address", base, inside, proxied(https, { xForwarded: ["10.0.0.1"] }));
seen("x-forwarded-ipv6-peer", base, inside, { remoteAddr: "[fd00::1]:41000", trust: { xForwarded: ["fd00::/8"] }, headers: https });
seen("x-forwarded-mapped-peer", base, inside, { remoteAddr: "[::ffff:10.0.0.1]:41000", trust: { xForwarded: ["10.0.0.0/8"] }, headers: https });
seen("x-forwarded-proto-only", base, "http://functions.example.com/studio/create-task", proxied({ "X-Forwarded-Proto": "https" }, { xForwarded: ["10.0.0.0/8"] }));
seen("x-forwarded-port", "https://functions.example.com:8443/studio/create-task", inside, proxied({ ...https, "X-Forwarded-Port": "8443" }, { xForwarded: ["10.0.0.0/8"] }));
seen("x-forwarded-port-443", base, inside, proxied({ ...https, "X-Forwarded-Port": "443" }, { xForwarded: ["10.0.0.0/8"] }));
seen("x-forwarded-last-value-counts", base, inside, proxied({ "X-Forwarded-Proto": "http, https", "X-Forwarded-Host": "forged.example, functions.example.com" }, { xForwarded: ["10.0.0.0/8"] }));
seen("forwarded", base, inside, proxied({ Forwarded: 'for=192.0.2.1;host=forged.example, for=192.0.2.60;proto=https;host="functions.example.com"' }, { forwarded: ["10.0.0.0/8"] }), { provenance: "RFC 7239, section 4" });
seen("forwarded-port", "https://functions.example.com:8443/studio/create-task", inside, proxied({ Forwarded: 'proto=https;host="functions.example.com:8443"' }, { forwarded: ["10.0.0.0/8"] }), { provenance: "RFC 7239, section 5.3" });
seen("public-url-then-x-forwarded", "https://other.example.com/studio/create-task", inside, { ...proxied({ ...https, "X-Forwarded-Host": "other.example.com" }, { xForwarded: ["10.0.0.0/8"] }), publicUrl: "https://functions.example.com" });
Object.assign(cases.at(-1), { accept: false, differs: {} }); // a public URL is the only candidate
seen("previous-auth-token", base, base, { previousAuthTokens: [TOKEN], authToken: OTHER }, { differs: {}, provenance: "rotation: the account's token has changed, this request was signed with the one before" });
form("server-subaccount", base, [...call, ["AccountSid", SUBACCOUNT]], { server: { authToken: OTHER, subaccounts: { [SUBACCOUNT]: [TOKEN] } }, provenance: "a sub-account signs with its own auth token" });
get("server-subaccount-get", base + `?AccountSid=${SUBACCOUNT}`, { server: { authToken: OTHER, subaccounts: { [SUBACCOUNT]: [TOKEN] } } });
text("server-subaccount-json", base, `{"AccountSid":"${SUBACCOUNT}"}`, { server: { authToken: OTHER, subaccounts: { [SUBACCOUNT]: [TOKEN] } } });
const ws = { "twilio-node": "is given the URL that the server sees, whose scheme is not wss", "twilio-go": "is given the URL that the server sees, whose scheme is not wss", "signature.Valid": "is given the URL that the server sees, whose scheme is not wss" };
const upgrade = { Upgrade: "websocket", Connection: "Upgrade" };
const relay = "github.com/twilio-labs/twilio-aspnet issue 162: ConversationRelay signs the wss URL";
get("websocket", "wss://functions.example.com/relay", { called: "https://functions.example.com/relay", server: { headers: upgrade }, differs: ws, provenance: relay });
get("websocket-public-url", "wss://functions.example.com/relay", { called: "http://10.0.0.5:8080/relay", server: { publicUrl: "https://functions.example.com", headers: upgrade }, differs: ws, provenance: relay });
get("websocket-port", "wss://functions.example.com:443/relay?a=1", { called: "https://functions.example.com/relay?a=1", server: { headers: upgrade }, differs: ws, provenance: relay });
get("websocket-signed-as-https", base, { server: { headers: upgrade } });
get("websocket-url", "wss://functions.example.com/relay", { provenance: relay });
get("websocket-url-port-443-signed", "wss://functions.example.com:443/relay", {
  called: "wss://functions.example.com/relay", provenance: ports,
  differs: { "twilio-node": "takes 80 for the standard port of wss", "twilio-go": "takes 80 for the standard port of wss" },
});
get("user-signed", "https://user:pass@functions.example.com/x", { server: { publicUrl: "https://user:pass@functions.example.com" } });
form("user-signed-form", "https://user:pass@functions.example.com/x", call, { server: { publicUrl: "https://user:pass@functions.example.com" } });
get("user-not-signed", "https://functions.example.com/x", {
  called: "https://user:pass@functions.example.com/x", server: { publicUrl: "https://user:pass@functions.example.com" }, provenance: issue("twilio-php", 448),
  differs: { "twilio-node": "tries only the URL with user and password", "twilio-go": "tries only the URL with user and password" },
});
get("fragment-not-signed", base, {
  called: base + "#rc=2", server: { publicUrl: "https://functions.example.com#rc=2" }, provenance: "Twilio's connection overrides",
  differs: { "twilio-node": "signs the fragment of the URL that it is given", "twilio-go": "signs the fragment of the URL that it is given" },
});

// ---- refused ------------------------------------------------------------
const no = (c) => add({ ...c, accept: false });
const ok = { url: base, contentType: FORM, body: encode(call) };
const okJSON = { url: base, contentType: "application/json", body: json, hashed: true };
no({ ...ok, id: "refused-other-auth-token", signWith: OTHER });
no({ ...ok, id: "refused-signature-missing", signature: "" });
no({ ...ok, id: "refused-signature-garbage", signature: "not a signature" });
no({ ...ok, id: "refused-signature-of-zeros", signature: "AAAAAAAAAAAAAAAAAAAAAAAAAAA=" });
no({ ...ok, id: "refused-signature-lower-case", alter: (s) => s.toLowerCase() });
no({ ...ok, id: "refused-signature-url-alphabet-and-cut", alter: (s) => s.replaceAll("+", "-").replaceAll("/", "_").slice(0, -1) });
no({ ...ok, id: "refused-signature-with-space", alter: (s) => s + " " });
no({ ...ok, id: "refused-signature-sha256", hmac: "sha256" });
no({ ...ok, id: "refused-signature-spare-bits", alter: spareBits });
no({ ...ok, id: "refused-value-changed", seenBody: encode(call).replace("1234", "1235") });
no({ ...ok, id: "refused-key-changed", seenBody: encode(call).replace("Digits", "Digitz") });
no({ ...ok, id: "refused-parameter-added", seenBody: encode([...call, ["Extra", "1"]]) });
no({ ...ok, id: "refused-parameter-removed", seenBody: encode(call.slice(1)) });
no({ ...ok, id: "refused-parameter-repeated-with-other-value", seenBody: encode([...call, ["Digits", "9999"]]), differs: { "twilio-go": "takes only the first of repeated keys, so that more can be added" } });
no({ ...ok, id: "refused-parameter-repeated-before", seenBody: encode([["Digits", "9999"], ...call]) });
no({ ...ok, id: "refused-value-trimmed", body: encode([["Body", " hi "]]), seenBody: encode([["Body", "hi"]]) });
add({ ...ok, id: "form-broken-escape", body: "Body=%zz", signParamsOf: [["Body", "%zz"]], provenance: "twilio-node 6.2.0 takes a broken percent escape literally, as every parser that follows the WHATWG URL standard does", differs: { "twilio-go": "refuses a broken percent escape" } });
no({ ...ok, id: "refused-form-sent-as-json", contentType: FORM, seenContentType: "application/json", differs: { "twilio-go": "does not look at the content type, which the application does" } });
no({ ...ok, id: "refused-form-sent-as-multipart", seenContentType: "multipart/form-data; boundary=x", differs: { "twilio-go": "does not look at the content type, which the application does" } });
no({ ...ok, id: "refused-form-without-content-type", seenContentType: null, differs: { "twilio-go": "does not look at the content type, which the application does" } });
no({ ...ok, id: "refused-form-removed", seenBody: "", seenMethod: "GET" });
no({ url: base, method: "GET", id: "refused-form-put-on-a-get", seenMethod: "POST", seenContentType: FORM, seenBody: encode(call) });
no({ url: base, method: "GET", id: "refused-json-put-on-a-get", seenMethod: "POST", seenContentType: "application/json", seenBody: json });
no({ url: base, method: "GET", id: "refused-text-put-on-a-get", seenMethod: "POST", seenContentType: "text/plain", seenBody: "x",
  differs: { "twilio-node": "its middleware leaves a body that Express does not parse unchecked" } });
no({ ...okJSON, id: "refused-json-byte-changed", seenBody: json.replace("back", "bakc") });
no({ ...okJSON, id: "refused-json-reformatted", seenBody: JSON.stringify(JSON.parse(json), null, 2) });
no({ ...okJSON, id: "refused-json-cut", seenBody: json.slice(0, -1) });
no({ ...okJSON, id: "refused-json-removed", seenBody: "" });
no({ ...okJSON, id: "refused-json-removed-and-called-form", seenBody: "", seenContentType: FORM });
no({ ...okJSON, id: "refused-json-called-form", body: jsons["looks-like-a-form"], seenContentType: FORM, differs: {
  "twilio-node": "does not look at the content type, so that text inside a signed body can become form parameters",
  "twilio-go": "does not look at the content type, so that text inside a signed body can become form parameters" } });
no({ ...okJSON, id: "refused-json-replaced-by-empty-form", seenBody: "&", seenContentType: FORM });
no({ ...okJSON, id: "refused-json-hash-removed", called: base });
no({ ...okJSON, id: "refused-json-signed-without-hash", hashed: false });
no({ ...okJSON, id: "refused-json-hash-of-other-body", hashOf: "{}" });
no({ ...okJSON, id: "refused-json-hash-in-capitals", capitals: true, provenance: "Twilio writes the hash in lower case, and its libraries take nothing else" });
no({ ...okJSON, id: "refused-json-hash-first-of-two", url: base + "?bodySHA256=" + "0".repeat(64), provenance: "the first bodySHA256 counts, as in twilio-node" });
const respelled = (id, signed, called, differs) => no({ ...ok, id: `refused-${id}`, url: base + signed, called: base + called, differs, provenance: "only the bytes that came are what was signed; a query written again differently is another one" });
respelled("query-sorted-on-the-way", "?b=2&a=1", "?a=1&b=2");
respelled("query-value-changed", "?b=2&a=1", "?b=3&a=1");
respelled("query-parameter-added", "?b=2", "?b=2&c=3");
respelled("query-removed", "?b=2", "");
respelled("query-added", "", "?b=2");
respelled("query-plus-became-percent-20", "?n=Jo+Ann", "?n=Jo%20Ann");
respelled("query-percent-20-became-plus", "?n=Jo%20Ann", "?n=Jo+Ann", { "twilio-node": "also tries the query as Node's querystring would write it" });
for (const [id, signed, called] of [["query-apostrophe-became-escaped", "?n=O'Neil", "?n=O%27Neil"], ["query-escape-became-apostrophe", "?n=O%27Neil", "?n=O'Neil"]])
  add({ ...ok, id, url: base + signed, called: base + called, differs: { "twilio-go": "tries the query only as it came" }, provenance: "both spellings name the same query, and clients differ in which they send; " + issue("twilio-node", 1059) });
respelled("query-colon-became-escaped", "?n=a:b", "?n=a%3Ab");
respelled("query-hex-case", "?n=%c3%a9", "?n=%C3%A9");
respelled("query-empty-value-dropped", "?a=&b=1", "?b=1");
respelled("query-equals-added", "?flag", "?flag=", {});
no({ ...ok, id: "refused-path-changed", called: "https://functions.example.com/studio/delete-task" });
no({ ...ok, id: "refused-path-unescaped", url: "https://functions.example.com/a%2Fb", called: "https://functions.example.com/a/b" });
no({ ...ok, id: "refused-path-slash-added", called: base + "/" });
no({ ...ok, id: "refused-path-dot-segments", called: "https://functions.example.com/x/../studio/create-task", differs: { "twilio-node": "also tries the URL as a browser would write it" } });
no({ ...ok, id: "refused-other-host", called: "https://forged.example/studio/create-task" });
no({ ...ok, id: "refused-other-port", url: "https://functions.example.com:8443/x", called: "https://functions.example.com:9443/x" });
no({ ...ok, id: "refused-signed-for-port-called-without", url: "https://functions.example.com:8443/x", called: "https://functions.example.com/x" });
no({ ...ok, id: "refused-server-host-is-not-public-url", server: { publicUrl: "https://elsewhere.example.com" }, called: base, differs: {
  "twilio-node": "is given the URL of the Host header, which a stranger chooses", "twilio-go": "is given the URL of the Host header, which a stranger chooses", "signature.Valid": "is given the URL of the Host header, which a stranger chooses" } });
no({ ...ok, id: "refused-server-x-forwarded-not-trusted", called: inside, server: { remoteAddr: "10.0.0.1:41000", headers: https } });
no({ ...ok, id: "refused-server-x-forwarded-from-stranger", called: inside, server: { remoteAddr: "203.0.113.9:41000", headers: https, trust: { xForwarded: ["10.0.0.0/8"] } } });
no({ ...ok, id: "refused-server-x-forwarded-first-value", called: inside, server: proxied({ "X-Forwarded-Proto": "https", "X-Forwarded-Host": "functions.example.com, forged.example" }, { xForwarded: ["10.0.0.0/8"] }) });
no({ ...ok, id: "refused-server-forwarded-not-the-trusted-header", called: inside, server: proxied(https, { forwarded: ["10.0.0.0/8"] }) });
no({ ...ok, id: "refused-server-path-in-forwarded-host", url: "https://functions.example.com/studio/create-task", called: "http://10.0.0.5:8080/create-task", server: proxied({ "X-Forwarded-Proto": "https", "X-Forwarded-Host": "functions.example.com/studio" }, { xForwarded: ["10.0.0.0/8"] }), provenance: "a host that brings a piece of the path would let a signed URL stand for another function" });
no({ ...ok, id: "refused-server-stripped-path-not-whole-segment", url: "https://functions.example.com/production/x", called: "http://10.0.0.5:8080/uction/x", server: { publicUrl: "https://functions.example.com/prod" } });
form("refused-server-subaccount-unknown", base, [...call, ["AccountSid", "AC" + "f".repeat(32)]], { accept: false, server: { authToken: OTHER, subaccounts: { [SUBACCOUNT]: [TOKEN] } }, differs: Object.fromEntries(["signature.Valid", "twilio-node", "twilio-go"].map((who) => [who, "is given the token that signed, which the server does not know"])) });
form("refused-server-subaccount-with-empty-token", base, [...call, ["AccountSid", SUBACCOUNT]], { accept: false, signWith: "", server: { authToken: OTHER, subaccounts: { [SUBACCOUNT]: [""] } }, provenance: "an empty key would let anyone sign" });

// spareBits changes the bits of the last character that base64 does not use.
function spareBits(s) {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  return s.slice(0, 26) + alphabet[alphabet.indexOf(s[26]) ^ 1] + "=";
}
