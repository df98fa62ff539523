// Calls every ready-made function at APP_URL as a Flex plugin of the template
// does, and compares the resources in the answers with what Twilio's own
// library returns for the fake at FAKE_URL. It exits with 1 if anything differs from
// what is expected.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
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

// What a function of the template would send for a resource.
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

  // Checks that apply to all of them.
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

// The features.
const feature = (path) => `/features/${path}`;
const kd = { flexInteractionSid: `KD${n}`, flexInteractionChannelSid: `UO${n}` };
const task = async (sid) => {
  const t = await workspace.tasks(sid).fetch();
  return { ...t, attributes: JSON.parse(t.attributes) };
};
const talk = async () => JSON.parse((await c.conversations.v1.conversations(`CH${n}`).fetch()).attributes);
const waiting = 'WT00000000000000000000000000000003';
const callback = 'WT00000000000000000000000000000004';
const inside = 'WT00000000000000000000000000000005';

// Calls as Twilio does, with its signature: a form, or JSON.
async function signed(path, params, { json = false } = {}) {
  let address = APP_URL + path;
  let body = new URLSearchParams(params);
  let signature;
  if (json) {
    body = JSON.stringify(params);
    address += `?bodySHA256=${createHash('sha256').update(body).digest('hex')}`;
    signature = twilio.getExpectedTwilioSignature(AUTH_TOKEN, address, {});
  } else {
    signature = twilio.getExpectedTwilioSignature(AUTH_TOKEN, address, params);
  }
  const answer = await fetch(address, {
    method: 'POST', body, headers: { 'X-Twilio-Signature': signature, 'Content-Type': json ? 'application/json' : 'application/x-www-form-urlencoded' },
  });
  const text = await answer.text();
  if ((answer.headers.get('content-type') ?? '').startsWith('application/json')) return { status: answer.status, ...JSON.parse(text) };
  return { status: answer.status, text };
}

// Calls as schedule-manager does: JSON, the token in it.
async function callJSON(path, params, token = 'dev-admin') {
  const answer = await fetch(APP_URL + path, {
    method: 'POST', body: JSON.stringify({ ...params, Token: token }), headers: { 'Content-Type': 'application/json', Origin: 'https://flex.twilio.com' },
  });
  const body = await answer.json();
  if (!answer.ok) throw { status: answer.status, ...body };
  return body;
}

async function outage(path, ...attempt) {
  await faults({ path, status: 500 });
  const e = await refused(call(...attempt), 500, 20500);
  await faults();
  return e;
}

const recordings = { call: `/2010-04-01/Accounts/*/Calls/*/Recordings/**`, conference: `/2010-04-01/Accounts/*/Conferences/*/Recordings/**` };
Object.assign(checks, {
  async [feature('pause-recording/flex/pause-call-recording')](path) {
    for (const absent of ['', 'undefined', 'null']) { // a recording that the plugin does not know is the current one
      const { recording } = await call(path, { callSid: `CA${n}`, recordingSid: absent, pauseBehavior: absent });
      assert.equal(recording.sid, `RE${n}`);
      assert.equal(recording.status, 'paused');
    }
    await faults({ path: recordings.call, status: 400, code: 21220 }); // nothing to pause
    await refused(call(path, { callSid: `CA${n}` }), 400, 21220);
    await outage(recordings.call, path, { callSid: `CA${n}` });
  },
  async [feature('pause-recording/flex/pause-conference-recording')](path) {
    const { recording } = await call(path, { conferenceSid: `CF${n}`, recordingSid: `RE${n}`, pauseBehavior: 'skip' });
    assert.equal(recording.status, 'paused');
    await refused(call(path, { conferenceSid: `CF${gone}` }), 404, 20404);
    await refused(call(path, { conferenceSid: 'undefined' }), 400);
  },
  async [feature('pause-recording/flex/resume-call-recording')](path) {
    await call(feature('pause-recording/flex/pause-call-recording'), { callSid: `CA${n}` });
    assert.equal((await call(path, { callSid: `CA${n}`, recordingSid: `RE${n}` })).recording.status, 'in-progress');
    await refused(call(path, { callSid: `CA${n}`, recordingSid: 'undefined' }), 400);
    await refused(call(path, { callSid: `CA${n}`, recordingSid: `RE${gone}` }), 404, 20404);
  },
  async [feature('pause-recording/flex/resume-conference-recording')](path) {
    await call(feature('pause-recording/flex/pause-conference-recording'), { conferenceSid: `CF${n}` });
    assert.equal((await call(path, { conferenceSid: `CF${n}`, recordingSid: `RE${n}` })).recording.status, 'in-progress');
    await refused(call(path, { conferenceSid: `CF${n}`, recordingSid: `RE${gone}` }), 404, 20404);
  },
  async [feature('dual-channel-recording/flex/create-recording')](path) {
    const { recording } = await call(path, { callSid: `CA${n}` });
    assert.equal(recording.channels, 2);
    await refused(call(path, { callSid: `CA${gone}` }), 404, 20404);
    await refused(call(path, { callSid: 'undefined' }), 400);
  },
  async [feature('hang-up-by/flex/fetch-conference-participant')](path) {
    const { participantsResponse } = await call(path, who);
    assert.equal(participantsResponse.status, 'connected');
    same(participantsResponse, await participant());
    await refused(call(path, nobody), 404, 20404);
  },
  async [feature('supervisor-barge-coach/flex/participant-mute-and-coach')](path) {
    const params = { conferenceSid: `CF${n}`, participantSid: `CA${n}`, muted: 'false', coaching: 'true' };
    const agentSid = 'CA00000000000000000000000000000002';
    assert.deepEqual(await call(path, { ...params, agentSid }, 'dev-supervisor'), { success: true });
    assert.equal((await participant()).callSidToCoach, agentSid);
    for (const absent of ['', 'undefined']) {
      assert.deepEqual(await call(path, { ...params, muted: 'true', agentSid: absent }, 'dev-supervisor'), { success: true });
      assert.equal((await participant()).muted, true);
    }
    await refused(call(path, { ...params, agentSid }), 403);
    await refused(call(path, { ...params, muted: 'undefined' }, 'dev-supervisor'), 400);
    await refused(call(path, { ...params, participantSid: `CA${gone}` }, 'dev-supervisor'), 404, 20404);
  },
  async [feature('supervisor-complete-reservation/flex/update-reservation')](path) {
    const params = { taskSid: `WT${n}`, reservationSid: `WR${n}`, status: 'completed' };
    assert.equal((await call(path, params, 'dev-supervisor')).reservation.reservationStatus, 'completed');
    assert.equal(typeof (await call(path, params, 'dev-supervisor')).reservation, 'string'); // 20001: done already
    await refused(call(path, params), 403);
    await refused(call(path, { ...params, status: 'rejected' }, 'dev-supervisor'), 400);
    await outage('/v1/Workspaces/*/Tasks/*/Reservations/*', path, params, 'dev-supervisor');
  },
  async [feature('callback-and-voicemail/flex/fetch-voicemail')](path) {
    const { recording, type } = await call(path, { recordingSid: 'RE00000000000000000000000000000002' });
    assert.equal(type, 'audio/mpeg');
    assert.ok(Buffer.from(recording, 'base64').length > 1000);
    await refused(call(path, { recordingSid: `RE${gone}` }), 404);
    await refused(call(path, { recordingSid: `../../${ACCOUNT_SID}.json?` }), 400);
  },
  async [feature('callback-and-voicemail/flex/requeue-callback')](path) {
    const { taskSid, success } = await call(path, { taskSid: callback });
    assert.equal(success, true);
    const { callBackData, taskType } = (await task(taskSid)).attributes;
    assert.equal(taskType, 'callback');
    assert.equal(callBackData.attempts, 1);
    assert.equal(callBackData.numberToCall, '+15550001114');
    await refused(call(path, { taskSid: `WT${gone}` }), 404, 20404);
    await outage('/v1/Workspaces/*/Tasks/*', path, { taskSid: callback });
  },
  async [feature('callback-and-voicemail/studio/create-callback')](path) {
    const params = { numberToCall: '+15550001111', numberToCallFrom: '+15550002222', priority: '5', isDeleted: 'undefined', recordingSid: 'undefined', timeout: 'null' };
    for (const json of [false, true]) {
      const { taskSid, success } = await signed(path, params, { json });
      assert.equal(success, true);
      const made = await task(taskSid);
      assert.equal(made.priority, 5);
      assert.equal(made.attributes.taskType, 'callback');
      assert.equal(made.attributes.callBackData.isDeleted, false);
    }
    assert.match((await signed(path, {})).message, /Missing numberToCall: the number of the customer to call/);
    await faults({ method: 'POST', path: '/v1/Workspaces/*/Tasks', action: 'reset-after', apply: true });
    const lost = await signed(path, params);
    assert.deepEqual([lost.status, lost.outcomeUnknown], [502, true]);
    assert.equal((await workspace.tasks.list({ evaluateTaskAttributes: 'taskType == "callback"' })).length, 4); // the demo's, and each once
    await refused(call(path, params), 403);
  },
  async [feature('callback-and-voicemail/studio/wait-experience')](path) {
    const params = { CallSid: 'CA00000000000000000000000000000003', QueueSid: `QU${n}`, Caller: '+15550001113', Called: '+15550002222' };
    assert.match((await signed(path, params)).text, new RegExp(`<Redirect>[^<]*enqueuedTaskSid=${waiting}[^<]*mode=main-wait-loop`));
    const asked = await signed(path, { ...params, mode: 'submit-callback', enqueuedTaskSid: waiting, to: '+15550001113' });
    assert.match(asked.text, /<Hangup/);
    assert.equal((await task(waiting)).assignmentStatus, 'canceled');
    await faults({ status: 500 });
    for (const mode of ['', 'main-wait-loop', 'submit-callback', 'handle-callback-or-voicemail-choice', 'nonsense', 'undefined']) {
      const { status, text } = await signed(path, { ...params, mode, Digits: '2', enqueuedTaskSid: 'undefined', to: '+15550001113' });
      assert.equal(status, 200);
      assert.match(text, /<Redirect|<Gather/);
    }
  },
  async [feature('chat-to-video-escalation/flex/generate-unique-code')](path) {
    const { roomName, roomSid } = await call(path, { taskSid: `WT${n}` });
    assert.equal((await task(`WT${n}`)).attributes.videoRoom, roomName);
    assert.equal((await c.video.v1.rooms(roomSid).fetch()).status, 'in-progress');
    await refused(call(path, { taskSid: `WT${gone}` }), 404, 20404);
    assert.equal((await c.video.v1.rooms.list({ status: 'in-progress' })).length, 2); // the demo's, and that one
    await outage('/v1/Rooms', path, { taskSid: `WT${n}` });
  },
  async [feature('chat-to-video-escalation/common/client-get-token')](path) {
    const { token } = await call(path, { identity: 'Customer', roomName: 'abc1234' }, '');
    const claims = JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));
    assert.deepEqual(claims.grants, { identity: 'Customer', video: { room: 'abc1234' } });
    assert.equal((await refused(call(path, { identity: 'Customer', roomName: 'unknown' }, ''), 404)).message, 'Room not found');
    await refused(call(path, { identity: 'Customer' }, ''), 400);
    await faults({ path: '/v1/Rooms', status: 500 });
    await refused(call(path, { identity: 'Customer', roomName: 'abc1234' }, ''), 503);
  },
  async [feature('chat-to-video-escalation/flex/complete-room')](path) {
    for (const twice of [1, 2]) assert.deepEqual(await call(path, { roomSid: `RM${n}` }), { success: true }, `${twice}`);
    await refused(call(path, { roomSid: 'undefined' }), 400);
    await refused(call(path, { roomSid: `RM${gone}` }), 404, 20404);
  },
  async [feature('admin-ui/flex/fetch-config')](path) {
    assert.equal((await call(path, {}, 'dev-admin')).configuration.custom_data.serverless_functions_domain, 'localhost');
    await refused(call(path), 403);
    await outage('/v1/Configuration', path, {}, 'dev-admin');
  },
  async [feature('admin-ui/flex/update-config')](path) {
    const update = JSON.stringify({ custom_data: { features: { x: { enabled: true } } } });
    assert.equal((await call(path, { attributesUpdate: update, mergeFeature: 'undefined' }, 'dev-admin')).configuration.custom_data.features.x.enabled, true);
    const replaced = await call(path, { attributesUpdate: JSON.stringify({ custom_data: { features: { x: { y: 1 } } } }), mergeFeature: 'false' }, 'dev-admin');
    assert.deepEqual(replaced.configuration.custom_data.features.x, { y: 1 });
    await refused(call(path, { attributesUpdate: update }, 'dev-supervisor'), 403);
    await refused(call(path, { attributesUpdate: 'undefined' }, 'dev-admin'), 400);
    await outage('/v1/Configuration', path, { attributesUpdate: update }, 'dev-admin');
  },
  async [feature('chat-transfer/flex/create-transfer-task')](path) {
    const params = {
      conversationId: `WT${n}`, jsonAttributes: JSON.stringify({ channelSid: `CH${n}`, name: 'Ann' }), transferTargetSid: `WK${n}`,
      transferQueueName: '', ignoreWorkerContactUri: 'client:agent', workflowSid: 'undefined', timeout: 'undefined', priority: 'undefined',
    };
    const { taskSid } = await call(path, params);
    const { attributes } = await task(taskSid);
    assert.equal(attributes.transferTargetType, 'worker');
    assert.equal(attributes.name, 'Ann');
    const mark = JSON.parse((await c.chat.v2.services(`IS${n}`).channels(`CH${n}`).fetch()).attributes);
    assert.equal(mark.associatedTasks[taskSid], 'inflight');
    await refused(call(path, { ...params, jsonAttributes: '{}' }), 400);
    await refused(call(path, { ...params, workflowSid: `WW${gone}` }), 400);
  },
  async [feature('chat-transfer/flex/complete-task-for-transfer')](path) {
    const params = { taskSid: `WT${n}`, transferType: 'COLD', channelSid: `CH${n}` };
    for (const twice of [1, 2]) assert.deepEqual(await call(path, params), { success: true }, `${twice}`);
    assert.equal((await task(`WT${n}`)).assignmentStatus, 'completed');
    assert.deepEqual(await call(path, { ...params, channelSid: 'undefined' }), { success: true });
    await refused(call(path, { ...params, transferType: 'LUKEWARM' }), 400);
    await outage('/v1/Workspaces/*/Tasks/*', path, params);
  },
  async [feature('chat-transfer/studio/add-task-to-chat-channel-data')](path) {
    for (const json of [false, true]) assert.deepEqual(await signed(path, { taskSid: `WT${n}`, channelSid: `CH${n}` }, { json }), { status: 200, success: true });
    const lost = await signed(path, { taskSid: `WT${n}`, channelSid: `CH${gone}` });
    assert.equal(lost.status, 404);
    assert.equal(lost.success, false);
  },
  async [feature('conversation-transfer/flex/invite-participant')](path) {
    const params = {
      ...kd, taskSid: `WT${n}`, conversationId: `WT${n}`, jsonAttributes: '{"from":"web"}', transferTargetSid: `WQ${n}`,
      workersToIgnore: '{"workersToIgnore":["Bob"]}', taskChannelUniqueName: 'chat', conversationSid: `CH${n}`, transferQueueName: 'Everyone',
      transferWorkerName: 'undefined', removeFlexInteractionParticipantSid: '',
    };
    const warm = await call(path, params);
    assert.equal((await talk()).invites[warm.invitesTaskSid].inviteTargetType, 'Queue');
    assert.deepEqual((await task(warm.invitesTaskSid)).attributes.workersToIgnore, ['Bob']);
    const cold = await call(path, { ...params, transferTargetSid: `WK${n}`, transferWorkerName: 'Ada', removeFlexInteractionParticipantSid: `UT${n}` });
    assert.equal(Object.keys((await talk()).invites).length, 2);
    assert.equal((await talk()).invites[cold.invitesTaskSid].targetName, 'Ada');
    await refused(call(path, { ...params, jsonAttributes: 'undefined' }), 400);
    await refused(call(path, { ...params, flexInteractionChannelSid: `UO${gone}` }), 404, 20404);
  },
  async [feature('conversation-transfer/flex/remove-participant')](path) {
    const params = { ...kd, flexInteractionParticipantSid: `UT${n}`, conversationSid: `CH${n}` };
    assert.deepEqual(await call(path, params), { success: true });
    assert.equal((await c.flexApi.v1.interaction(`KD${n}`).channels(`UO${n}`).fetch()).status, 'closed'); // only the customer was left
    await refused(call(path, { ...params, flexInteractionParticipantSid: `UT${gone}` }), 404, 20404);
    await refused(call(path, { ...params, flexInteractionParticipantSid: 'undefined' }), 400);
  },
  async [feature('internal-call/common/agent-join-conference')](path) {
    assert.match((await signed(path, { conferenceName: inside })).text, new RegExp(`<Dial><Conference[^>]*>${inside}</Conference></Dial>`));
    assert.match((await signed(path, { conferenceName: '<Hangup/>' })).text, /&lt;Hangup\/&gt;/);
    assert.match((await signed(path, {})).text, /<Hangup\/>/);
  },
  async [feature('internal-call/common/agent-outbound-join')](path) {
    assert.match((await signed(path, { taskSid: inside })).text, /statusCallback="call-outbound-join" statusCallbackEvent="join end"/);
  },
  async [feature('internal-call/common/call-outbound-join')](path) {
    const params = { FriendlyName: inside, ConferenceSid: 'CF00000000000000000000000000000005', CallSid: 'CA00000000000000000000000000000002', StatusCallbackEvent: 'participant-join' };
    for (const twice of [1, 2]) assert.equal((await signed(path, params)).status, 200, `${twice}`);
    const { conference } = (await task(inside)).attributes;
    assert.equal((await task(conference.participants.taskSid)).attributes.targetWorker, 'client:colleague');
    assert.equal((await workspace.tasks.list({ evaluateTaskAttributes: 'internal == "true"' })).length, 1);
    assert.equal((await signed(path, { ...params, StatusCallbackEvent: 'conference-end' })).status, 200);
    assert.equal((await task(inside)).assignmentStatus, 'wrapping');
    assert.equal((await task(conference.participants.taskSid)).assignmentStatus, 'canceled');
    assert.equal((await signed(path, { ...params, CallSid: 'undefined' })).status, 400);
  },
  async [feature('internal-call/flex/cleanup-rejected-task')](path) {
    assert.deepEqual(await call(path, { taskSid: waiting, conferenceSid: 'undefined' }), { success: true });
    assert.equal((await task(waiting)).assignmentStatus, 'canceled');
    assert.deepEqual(await call(path, { taskSid: waiting, conferenceSid: 'CF00000000000000000000000000000005' }), { success: true });
    await refused(call(path, { taskSid: waiting, conferenceSid: `CF${gone}` }), 404, 20404);
  },
  async [feature('canned-responses/flex/chat-responses')](path) {
    const { data } = await call(path);
    assert.ok(data.categories.every(({ section, responses }) => section && responses.every(({ label, text }) => label && text)));
    await refused(call(path, {}, 'dev-guest'), 403);
  },
  async [feature('park-interaction/flex/park-interaction')](path) {
    const { webhook } = await call(path, parking);
    assert.match(webhook.sid, /^WH[0-9a-f]{32}$/);
    assert.equal((await talk()).webhookSid, webhook.sid);
    assert.equal((await c.sync.v1.services(`IS${n}`).syncMaps(`ParkedInteractions_WK${n}`).syncMapItems(`CH${n}`).fetch()).data.webhookSid, webhook.sid);
    await refused(call(path, { ...parking, taskAttributes: 'undefined' }), 400);
    await faults({ path: '/v1/Conversations/*/Webhooks', status: 400, code: 50388 });
    assert.equal((await refused(call(path, parking), 400, 50388)).twilioErrorCode, 50388);
  },
  async [feature('park-interaction/flex/unpark-interaction')](path) {
    await call(feature('park-interaction/flex/park-interaction'), parking);
    const { webhookSid } = await talk();
    const { participantInvite } = await call(path, { ConversationSid: `CH${n}`, WebhookSid: webhookSid, RouteToSameWorker: 'true' });
    assert.match(participantInvite.sid, /^KG/);
    assert.equal((await talk()).webhookSid, undefined);
    await refused(call(path, { ConversationSid: `CH${gone}`, WebhookSid: 'undefined' }), 404, 20404);
    await refused(call(path, { ConversationSid: 'undefined' }), 400);
  },
  async [feature('park-interaction/common/unpark-interaction')](path) {
    await call(feature('park-interaction/flex/park-interaction'), { ...parking, createUpdateSyncMapItem: 'false' });
    const { webhookSid } = await talk();
    assert.match((await signed(path, { ConversationSid: `CH${n}`, WebhookSid: webhookSid })).participantInvite.sid, /^KG/);
    assert.equal((await signed(path, { ConversationSid: `CH${n}`, WebhookSid: webhookSid })).status, 200); // a second message
    assert.equal((await signed(path, { ConversationSid: `CH${gone}` })).status, 404);
  },
  async '/admin/list'(path) {
    const { data, version, versionIsDeployed } = await callJSON(path, {}, 'dev-agent');
    assert.equal(versionIsDeployed, true);
    assert.ok(typeof version === 'string' && Array.isArray(data.schedules) && Array.isArray(data.rules));
    await refused(callJSON(path, {}, 'dev-guest'), 403);
  },
  async '/admin/update'(path) {
    const { version } = await callJSON('/admin/list', {});
    const data = { rules: [{ id: 'a', name: 'always', isOpen: true }], schedules: [{ name: 'Support', timeZone: 'Europe/Berlin', manualClose: false, rules: ['a'] }] };
    const { buildSid, success } = await callJSON(path, { data, version });
    assert.equal(success, true);
    assert.deepEqual((await callJSON('/admin/list', {})).data.schedules[0].status, { isOpen: true, closedReason: '' });
    await refused(callJSON(path, { data, version }), 409); // stale
    await refused(callJSON(path, { data, version: buildSid }, 'dev-supervisor'), 403);
    await refused(callJSON(path, { data: { rules: [], schedules: [{ name: 'x', timeZone: 'Nowhere' }] }, version: buildSid }), 400);
  },
  async '/admin/update-status'(path) {
    const { version } = await callJSON('/admin/list', {});
    assert.equal((await callJSON(path, { buildSid: version })).buildStatus, 'completed');
    assert.equal((await callJSON(path, { buildSid: 'other' })).buildStatus, 'failed');
  },
  async '/admin/publish'(path) {
    const { version } = await callJSON('/admin/list', {});
    assert.ok((await callJSON(path, { buildSid: version })).deploymentSid);
    await refused(callJSON(path, { buildSid: 'other' }), 409);
  },
  async '/check-schedule'(path) {
    assert.deepEqual(await signed(path, { name: 'Support' }), { status: 200, isOpen: true, closedReason: '', success: true });
    assert.equal((await signed(path, { name: 'Support', simulate: '2026-12-24T12:00' }, { json: true })).isOpen, true);
    const unknown = await signed(path, { name: 'unknown' });
    assert.deepEqual([unknown.status, unknown.isOpen, unknown.closedReason], [404, true, 'error']);
  },
});

const parking = {
  channelSid: `UO${n}`, interactionSid: `KD${n}`, participantSid: `UT${n}`, conversationSid: `CH${n}`, channelType: 'web', taskSid: `WT${n}`,
  workflowSid: `WW${n}`, taskChannelUniqueName: 'chat', queueName: 'Everyone', queueSid: `WQ${n}`, taskAttributes: '{"from":"web"}', workerSid: `WK${n}`,
  createUpdateSyncMapItem: 'true',
};

// Every function must have been called, and each refuses a call without a credential in a
// way that the plugin can read.
const paths = JSON.parse(process.env.PATHS);
for (const path of paths) assert.ok(path in checks, `${path} has no check`);
checks['features without a credential'] = async () => {
  const features = paths.filter((path) => !path.startsWith('/common/') && !path.endsWith('/client-get-token'));
  assert.ok(features.length > 30, `${features.length} features`);
  for (const path of features) await refused(call(path, {}, ''), 403);
};
// The plugin calls again after 429 and after a lost connection.
checks['retries of each feature'] = async () => {
  for (const path of paths.filter((path) => path.includes('/flex/') && path.startsWith('/features/'))) {
    calls = 0;
    await call(`/lost${path}`, {}, 'dev-guest').catch((e) => assert.equal(e.status, 403, path));
    assert.equal(calls, 2, path);
  }
};

const begin = await (await fetch(`${FAKE_URL}/__twiliofake/state`)).text();
let failed = 0;
for (const [name, check] of Object.entries(checks)) {
  try {
    await fetch(`${FAKE_URL}/__twiliofake/state`, { method: 'PUT', body: begin });
    await faults();
    await check(name);
    console.log(`ok ${name}`);
  } catch (e) {
    failed++;
    console.log(`not ok ${name}\n${e.stack ?? JSON.stringify(e)}`);
  }
}
process.exit(failed ? 1 : 0);
