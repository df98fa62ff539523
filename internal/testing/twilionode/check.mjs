// Makes, with Twilio's own library, the calls that Flex functions make, against
// the fake at FAKE_URL. It exits with 1 if anything differs from what is expected.
import assert from 'node:assert/strict';
import twilio from 'twilio';
import { client, FakeClient, refused, run } from './client.mjs';

const { ACCOUNT_SID, WORKSPACE_SID } = process.env;
const n = '00000000000000000000000000000001';

const c = client();
const conference = c.conferences(`CF${n}`);
const workspace = c.taskrouter.v1.workspaces(WORKSPACE_SID);

const checks = {
  async participants() {
    const held = await conference.participants(`CA${n}`).update({ hold: true, holdUrl: 'https://example.com/hold.xml' });
    assert.equal(held.hold, true);
    assert.equal(held.callSid, `CA${n}`);
    assert.ok(held.dateCreated instanceof Date && held.dateCreated.getUTCFullYear() === 2024);
    const muted = await conference.participants(`CA${n}`).update({ muted: true });
    assert.equal(muted.muted, true);
    const added = await conference.participants.create({ from: '+15550002222', to: '+15550007777', earlyMedia: true, endConferenceOnExit: false });
    assert.match(added.callSid, /^CA[0-9a-f]{32}$/);
    assert.equal((await conference.participants.list()).length, 4);
    assert.equal(await conference.participants(added.callSid).remove(), true);
    await refused(conference.participants('CAmissing').update({ hold: true }), 404, 20404);
    await refused(conference.participants.create({ from: '+15550002222', to: 'x' }), 400, 13223);
  },
  async calls() {
    const call = await c.calls(`CA${n}`).fetch();
    assert.equal(call.status, 'in-progress');
    assert.equal(call.from, '+15550001111');
    await c.calls(`CA${n}`).update({ twiml: '<Response><Dial>+15550003333</Dial></Response>' });
    const recordings = await c.calls(`CA${n}`).recordings.list();
    assert.equal(recordings.length, 1);
    const paused = await c.calls(`CA${n}`).recordings('Twilio.CURRENT').update({ status: 'paused', pauseBehavior: 'skip' });
    assert.equal(paused.status, 'paused');
    await c.calls(`CA${n}`).update({ status: 'completed' });
    await refused(c.calls(`CA${n}`).update({ twiml: '<Response/>' }), 400, 21220);
  },
  async tasks() {
    const task = await workspace.tasks(`WT${n}`).fetch();
    assert.equal(task.assignmentStatus, 'assigned');
    assert.equal(typeof task.age, 'number');
    const updated = await workspace.tasks(`WT${n}`).update({ ifMatch: '"0"', attributes: '{"a":1}' });
    assert.equal(updated.attributes, '{"a":1}');
    await refused(workspace.tasks(`WT${n}`).update({ ifMatch: '"0"', attributes: '{"b":1}' }), 412, 20412);
    const created = await workspace.tasks.create({ workflowSid: `WW${n}`, taskChannel: 'voice', attributes: '{"a":1}', priority: 0, timeout: 86400 });
    assert.equal(created.assignmentStatus, 'pending');
    assert.equal((await workspace.tasks(`WT${n}`).reservations.list()).length, 1);
    await workspace.tasks(`WT${n}`).update({ assignmentStatus: 'completed', reason: 'done' });
    await refused(workspace.tasks(`WT${n}`).update({ assignmentStatus: 'completed' }), 400, 20001);
  },
  async workers() {
    const worker = await workspace.workers(`WK${n}`).fetch();
    assert.equal(worker.available, true);
    await workspace.workers(`WK${n}`).update({ attributes: '{"x":1}' });
    const channels = await workspace.workers(`WK${n}`).workerChannels.list();
    assert.deepEqual(channels.map((ch) => ch.taskChannelUniqueName), ['voice', 'chat', 'sms', 'default']);
    const channel = await workspace.workers(`WK${n}`).workerChannels(channels[0].sid).update({ capacity: 4, available: false });
    assert.equal(channel.configuredCapacity, 4);
    assert.equal(channel.available, false);
  },
  async lists() {
    for (let i = 0; i < 57; i++) {
      await workspace.taskQueues.create({ friendlyName: `Queue ${i}` });
    }
    for (const pageSize of [7, 50, 1000]) {
      const queues = await workspace.taskQueues.list({ pageSize });
      assert.equal(queues.length, 60);
      assert.equal(new Set(queues.map((q) => q.sid)).size, 60);
    }
    assert.equal((await c.incomingPhoneNumbers.list({ pageSize: 1 })).length, 2);
    assert.equal((await c.outgoingCallerIds.list()).length, 1);
    assert.equal((await workspace.workers.list({ available: 'true' })).length, 2);
  },
  async chatAndConversations() {
    const conversation = await c.conversations.v1.conversations(`CH${n}`).update({ attributes: '{"a":1}' });
    assert.equal(conversation.attributes, '{"a":1}');
    await c.conversations.v1.conversations(`CH${n}`).messages.create({ author: 'x', body: 'y' });
    const channel = await c.chat.v2.services(`IS${n}`).channels(`CH${n}`).update({ attributes: '{"b":1}' });
    assert.equal(channel.attributes, '{"b":1}');
  },
  async numbers() {
    const good = await c.lookups.v2.phoneNumbers('+15550001111').fetch();
    assert.equal(good.valid, true);
    const bad = await c.lookups.v2.phoneNumbers('+1555').fetch();
    assert.deepEqual(bad.validationErrors, ['TOO_SHORT']);
    const countries = await c.voice.v1.dialingPermissions.countries.list({ countryCode: '44' });
    assert.deepEqual(countries.map((x) => x.isoCode), ['GB']);
    const prefixes = await c.voice.v1.dialingPermissions.countries('GB').highriskSpecialPrefixes.list();
    assert.deepEqual(prefixes.map((p) => p.prefix), ['+44870', '+44871']);
  },
  async buyingNumbers() {
    const [local] = await c.availablePhoneNumbers('US').local.list({ areaCode: 510, limit: 1 });
    const bought = await c.incomingPhoneNumbers.create({ phoneNumber: local.phoneNumber, voiceUrl: 'https://example.com/voice' });
    assert.equal(bought.phoneNumber, local.phoneNumber);
    await refused(c.incomingPhoneNumbers.create({ phoneNumber: local.phoneNumber }), 400, 21422);
    assert.equal((await c.incomingPhoneNumbers.local.list()).length, 3);
    assert.equal(await c.incomingPhoneNumbers(bought.sid).remove(), true);
  },
  async plugins() {
    const service = c.flexApi.v1;
    await service.plugins.create({ uniqueName: 'plugin-sample' });
    const version = await service.plugins('plugin-sample').pluginVersions.create({ version: '1.0.0', pluginUrl: 'https://example.com/bundle.js' });
    const configured = await service.pluginConfigurations.create({ name: 'one', plugins: [{ plugin_version: version.sid }] });
    await service.pluginReleases.create({ configurationId: configured.sid });
    assert.equal((await service.pluginReleases('Active').fetch()).configurationSid, configured.sid);
    const [plugin] = await service.pluginConfigurations(configured.sid).plugins.list();
    assert.equal(plugin.version, '1.0.0');
    assert.equal(plugin.phase, 3);
    await refused(service.pluginArchive('plugin-sample').update(), 400, 20001);
  },
  async configuration() {
    const configuration = await c.flexApi.v1.configuration().fetch();
    assert.equal(configuration.taskrouterWorkspaceSid, WORKSPACE_SID);
  },
  async regions() {
    const regional = client({ region: 'ie1', edge: 'dublin' });
    const queues = await regional.taskrouter.v1.workspaces(WORKSPACE_SID).taskQueues.list({ pageSize: 7 });
    assert.equal(queues.length, 60);
  },
  async credentials() {
    const stranger = twilio(ACCOUNT_SID, 'wrong', { httpClient: new FakeClient() });
    await refused(stranger.calls(`CA${n}`).fetch(), 401, 20003);
  },
};

await run(checks);
