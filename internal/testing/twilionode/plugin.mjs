// Calls every ready-made function at APP_URL as a Flex plugin of the template
// does, and compares the resources in the answers with what Twilio's own
// library makes of the fake at FAKE_URL. It exits with 1 if anything differs from
// what is expected.
import assert from 'node:assert/strict';
import twilio from 'twilio';

const { APP_URL, FAKE_URL, ACCOUNT_SID, AUTH_TOKEN, WORKSPACE_SID } = process.env;
const n = '00000000000000000000000000000001';
const gone = '000000000000000000000000deadbeef';

// Calls as the plugin does: a form that carries the token, an answer that must
// be JSON, and up to ten more calls after 429 or a failure of the network. A
// refusal is thrown as the answer's keys with the HTTP status. Only the
// waits are shorter than the plugin's.
let calls = 0;
async function call(path, params = {}, token = 'dev-agent', retries = 10) {
  const body = Object.entries({ ...params, Token: token })
    .map(([k, v]) => `${encodeURIComponent(k)}=${encodeURIComponent(v)}`).join('&');
  for (let attempt = 0; ; attempt++) {
    calls++;
    try {
      const answer = await fetch(APP_URL + path, {
        method: 'POST', body, headers: { 'Content-Type': 'application/x-www-form-urlencoded', Origin: 'https://flex.twilio.com' },
      });
      // Without this header a browser would show a failure of the network.
      assert.equal(answer.headers.get('access-control-allow-origin'), '*', path);
      if (answer.status === 429 && attempt < retries) continue;
      const json = await answer.json();
      if (!answer.ok) throw { status: answer.status, ...json };
      return json;
    } catch (e) {
      if (!(e instanceof TypeError && e.message === 'fetch failed') || attempt >= retries) throw e;
    }
    await new Promise((done) => setTimeout(done, Math.random() * Math.min(10, 2 ** attempt)));
  }
}

async function refused(promise, status, code) {
  let e;
  try {
    assert.fail(`a success: ${JSON.stringify(await promise)}`);
  } catch (thrown) {
    if (thrown instanceof Error) throw thrown;
    e = thrown;
  }
  assert.equal(e.status, status, JSON.stringify(e));
  assert.equal(e.success, false);
  assert.ok(typeof e.message === 'string' && e.message !== '');
  if (code !== undefined) {
    assert.strictEqual(e.twilioErrorCode, code);
    assert.match(e.twilioDocPage, /^https:\/\/www\.twilio\.com\/docs\/errors\//);
  }
  return e;
}

async function faults(...rules) {
  const answer = await fetch(`${FAKE_URL}/__twiliofake/faults`, { method: 'PUT', body: JSON.stringify(rules) });
  assert.equal(answer.status, 200, await answer.text());
}

// Sends every request to the fake and keeps the Host header.
class FakeClient extends twilio.RequestClient {
  request(options) {
    const url = new URL(options.uri);
    return super.request({ ...options, uri: FAKE_URL + url.pathname + url.search, headers: { ...options.headers, Host: url.host } });
  }
}
const c = twilio(ACCOUNT_SID, AUTH_TOKEN, { httpClient: new FakeClient() });
const workspace = c.taskrouter.v1.workspaces(WORKSPACE_SID);

// What a function of the template would send of a resource.
const asJSON = (resource) => JSON.parse(JSON.stringify(resource));
function same(got, resource, except = []) {
  const want = asJSON(resource);
  for (const key of except) {
    assert.ok(key in got && key in want, key);
    delete want[key];
    got = { ...got };
    delete got[key];
  }
  assert.deepEqual(got, want);
}

const voice = '/common/flex/programmable-voice/';
const router = '/common/flex/taskrouter/';
const who = { conference: `CF${n}`, participant: `CA${n}` };
const nobody = { conference: `CF${n}`, participant: `CA${gone}` };
const participant = () => c.conferences(`CF${n}`).participants(`CA${n}`).fetch();

const checks = {
  async [`${voice}hold-participant`](path) {
    const held = await call(path, { ...who, hold: 'true', holdUrl: 'https://example.com/hold.xml' });
    assert.equal(held.success, true);
    assert.equal(held.participantsResponse.callSid, `CA${n}`);
    same(held.participantsResponse, await participant());
    assert.equal((await call(path, { ...who, hold: 'false' })).participantsResponse.hold, false);
    await refused(call(path, { ...nobody, hold: 'true' }), 404, 20404);
    assert.match((await refused(call(path, who), 400)).message, /Missing hold: whether to hold/);
  },
  async [`${voice}mute-participant`](path) {
    const muted = await call(path, { ...who, muted: 'true' });
    assert.equal(muted.participantsResponse.muted, true);
    same(muted.participantsResponse, await participant());
    await refused(call(path, { ...nobody, muted: 'true' }), 404, 20404);
  },
  async [`${voice}update-participant`](path) {
    const updated = await call(path, { ...who, endConferenceOnExit: 'false' });
    same(updated.participantsResponse, await participant());
    await refused(call(path, { ...nobody, endConferenceOnExit: 'false' }), 404, 20404);
  },
  async [`${voice}add-participant`](path) {
    const added = await call(path, { taskSid: `CF${n}`, to: '+15550007777', from: '+15550002222' });
    const { callSid } = added.participantsResponse;
    same(added.participantsResponse, await c.conferences(`CF${n}`).participants(callSid).fetch());
    await refused(call(path, { taskSid: `CF${n}`, to: 'x', from: '+15550002222' }), 400, 13223);
  },
  async [`${voice}get-call-properties`](path) {
    const { callProperties } = await call(path, { callSid: `CA${n}` });
    assert.equal(callProperties.status, 'in-progress');
    same(callProperties, await c.calls(`CA${n}`).fetch());
    await refused(call(path, { callSid: `CA${gone}` }), 404, 20404);
  },
  async [`${voice}cold-transfer`](path) {
    assert.deepEqual(await call(path, { callSid: `CA${n}`, to: '+15550003333', from: '' }), { success: true });
    await refused(call(path, { callSid: `CA${gone}`, to: '+15550003333' }), 404, 20404);
  },
  async [`${voice}remove-participant`](path) {
    const { callSid } = await c.conferences(`CF${n}`).participants.create({ from: '+15550002222', to: '+15550008888' });
    const params = { conference: `CF${n}`, participant: callSid };
    assert.deepEqual(await call(path, params), { participantsResponse: true, success: true });
    await refused(call(path, params), 404, 20404);
  },
  async [`${router}get-queues`](path) {
    const { queues, success } = await call(path);
    assert.equal(success, true);
    const want = (await workspace.taskQueues.list()).map(({ targetWorkers, friendlyName, sid }) => ({ targetWorkers, friendlyName, sid }));
    assert.ok(want.length > 0);
    assert.deepEqual(queues, want);
    await faults({ path: '/v1/Workspaces/*/TaskQueues', status: 500 });
    await refused(call(path), 500, 20500);
  },
  async [`${router}get-worker-channels`](path) {
    const { workerChannels } = await call(path, { workerSid: `WK${n}` });
    const want = await workspace.workers(`WK${n}`).workerChannels.list();
    assert.ok(want.length > 0 && workerChannels.length === want.length);
    workerChannels.forEach((channel, i) => same(channel, want[i]));
    await refused(call(path, { workerSid: `WK${gone}` }), 404, 20404);
  },
  async [`${router}update-task-attributes`](path) {
    const update = { note: 'é😀 +&=', nested: { list: [1] } };
    assert.deepEqual(await call(path, { taskSid: `WT${n}`, attributesUpdate: JSON.stringify(update) }), { success: true });
    const attributes = JSON.parse((await workspace.tasks(`WT${n}`).fetch()).attributes);
    assert.equal(attributes.note, update.note);
    await refused(call(path, { taskSid: `WT${gone}`, attributesUpdate: '{}' }), 404, 20404);
    await refused(call(path, { taskSid: `WT${n}`, attributesUpdate: 'undefined' }), 400);
  },
  async [`${router}update-task-assignment-status`](path) {
    assert.deepEqual(await call(path, { taskSid: `WT${n}`, assignmentStatus: 'wrapping' }), { success: true });
    assert.deepEqual(await call(path, { taskSid: `WT${n}`, assignmentStatus: 'pending' }), { success: true }); // 20001
    assert.deepEqual(await call(path, { taskSid: `WT${gone}`, assignmentStatus: 'completed' }), { success: true }); // 20404
    await faults({ path: '/v1/Workspaces/*/Tasks/*', status: 500 });
    await refused(call(path, { taskSid: `WT${n}`, assignmentStatus: 'completed' }), 500, 20500);
  },
  async [`${router}update-worker-attributes`](path) {
    const params = { workerSid: `WK${n}`, attributesUpdate: '{"languages":["en"]}' };
    const { worker } = await call(path, params, 'dev-supervisor');
    assert.equal(JSON.parse(worker.attributes).languages[0], 'en');
    same(worker, await workspace.workers(`WK${n}`).fetch());
    await refused(call(path, params), 403);
    await refused(call(path, { ...params, workerSid: `WK${gone}` }, 'dev-admin'), 404, 20404);
  },
  async [`${router}update-worker-channel`](path) {
    const params = { workerChannelSid: `WC${n}`, capacity: '3', available: 'true' };
    const { workerChannelCapacity } = await call(path, params);
    assert.equal(workerChannelCapacity.configuredCapacity, 3);
    same(workerChannelCapacity, await workspace.workers(`WK${n}`).workerChannels(`WC${n}`).fetch());
    await refused(call(path, { ...params, workerSid: 'WK00000000000000000000000000000002' }), 403);
    await refused(call(path, { ...params, capacity: 'NaN' }), 400);
    await refused(call(path, { ...params, workerChannelSid: `WC${gone}` }), 404, 20404);
  },
  async '/common/flex/conversations/update-attributes'(path) {
    assert.deepEqual(await call(path, { conversationSid: `CH${n}`, attributes: '{"a":1}' }), { success: true });
    assert.equal((await c.conversations.v1.conversations(`CH${n}`).fetch()).attributes, '{"a":1}');
    await refused(call(path, { conversationSid: `CH${gone}`, attributes: '{}' }), 404, 20404);
  },
  async '/common/flex/programmable-chat/update-channel-attributes'(path) {
    assert.deepEqual(await call(path, { channelSid: `CH${n}`, attributes: '{"b":1}' }), { success: true });
    assert.equal((await c.chat.v2.services(`IS${n}`).channels(`CH${n}`).fetch()).attributes, '{"b":1}');
    await refused(call(path, { channelSid: `CH${gone}`, attributes: '{}' }), 404);
  },
  async '/common/flex/phone-numbers/list-phone-numbers'(path) {
    const pick = ({ friendlyName, phoneNumber }) => ({ friendlyName, phoneNumber });
    const incoming = (await c.incomingPhoneNumbers.list()).map(pick);
    const outgoing = (await c.outgoingCallerIds.list()).map(pick);
    assert.ok(incoming.length > 0 && outgoing.length > 0);
    assert.deepEqual(await call(path), { phoneNumbers: incoming, success: true });
    assert.deepEqual((await call(path, { IncludeOutgoing: 'true' })).phoneNumbers, [...incoming, ...outgoing]);
    await faults({ path: '/2010-04-01/Accounts/*/OutgoingCallerIds.json', status: 500 });
    await refused(call(path, { IncludeOutgoing: 'true' }), 500, 20500); // and nothing is cached
  },
  async '/common/flex/phone-numbers/validate-phone-number'(path) {
    assert.deepEqual(await call(path, { phoneNumber: '+15550001111' }), { valid: true, invalidReason: null, success: true });
    assert.equal((await call(path, { phoneNumber: '+1555' })).invalidReason, 'TOO_SHORT');
    assert.equal((await call(path, { phoneNumber: '+448701234567' })).invalidReason, 'HIGH_RISK_SPECIAL_NUMBER_DISABLED');
    await faults({ path: '/v1/DialingPermissions/**', status: 500 });
    await refused(call(path, { phoneNumber: '+15550001111' }), 500, 20500);
  },
  // Called by Studio, with Twilio's signature.
  async '/common/studio/taskrouter/create-task'(path) {
    const params = { workflowSid: `WW${n}`, taskChannel: 'voice', attributes: '{"name":"Ann","n":[1]}' };
    const signature = twilio.getExpectedTwilioSignature(AUTH_TOKEN, APP_URL + path, params);
    const post = (headers) => fetch(APP_URL + path, { method: 'POST', body: new URLSearchParams(params), headers });
    const answer = await post({ 'X-Twilio-Signature': signature });
    assert.equal(answer.headers.get('content-type'), 'application/json');
    const { task, taskSid, success } = await answer.json();
    assert.equal(success, true);
    assert.deepEqual(task.attributes, { name: 'Ann', n: [1] });
    same(task, await workspace.tasks(taskSid).fetch(), ['attributes', 'age']);
    assert.equal((await post({})).status, 403);
    await refused(call(path, params), 403);
    const missing = await fetch(`${APP_URL}${path}`, {
      method: 'POST', headers: { 'X-Twilio-Signature': twilio.getExpectedTwilioSignature(AUTH_TOKEN, APP_URL + path, {}) },
    });
    assert.equal(missing.status, 400);
    assert.equal((await missing.json()).data, null);
  },

  // What holds for all of them.
  async 'tokens'() {
    const path = `${router}get-queues`;
    for (const token of ['', 'dev-guest', 'dev-expired', 'dev-invalid', 'unknown']) {
      await refused(call(path, {}, token), 403);
    }
    await refused(call(path, {}, 'dev-outage'), 503);
  },
  async 'retries of the plugin'() {
    await faults({ path: '/v1/Workspaces/*/TaskQueues', status: 429, times: 2 });
    calls = 0;
    assert.equal((await call(`${router}get-queues`)).success, true);
    assert.equal(calls, 3);
    calls = 0;
    assert.equal((await call(`/flaky${router}get-queues`)).success, true); // two connections are lost
    assert.equal(calls, 3);
  },
  async 'strangers'() {
    await refused(call('/common/flex/nothing'), 404);
    const answer = await fetch(`${APP_URL}${router}get-queues`, { method: 'OPTIONS', headers: { Origin: 'https://flex.twilio.com' } });
    assert.equal(answer.status, 204);
    assert.equal(answer.headers.get('access-control-allow-origin'), '*');
  },
};

// Every common function must have been called. Of the features, each refuses a call without
// a credential in a way that the plugin can read; what they do is replayed
// from recordings in package functions.
const paths = JSON.parse(process.env.PATHS);
for (const path of paths) assert.ok(path in checks || !path.startsWith('/common/'), `${path} has no check`);
checks['features without a credential'] = async () => {
  const features = paths.filter((path) => !path.startsWith('/common/') && !path.endsWith('/client-get-token'));
  assert.ok(features.length > 30, `${features.length} features`);
  for (const path of features) await refused(call(path, {}, ''), 403);
};
checks['canned responses'] = async () => {
  const { data } = await call('/features/canned-responses/flex/chat-responses', {});
  assert.ok(data.categories.every(({ section, responses }) => section && responses.every(({ label, text }) => label && text)));
};

let failed = 0;
for (const [name, check] of Object.entries(checks)) {
  try {
    await faults();
    await check(name);
    console.log(`ok ${name}`);
  } catch (e) {
    failed++;
    console.log(`not ok ${name}\n${e.stack ?? JSON.stringify(e)}`);
  }
}
process.exit(failed ? 1 : 0);
