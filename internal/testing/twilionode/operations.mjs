// Takes an item of each of many collections, in both layers of the fake, through
// all five operations with Twilio's own library.
import assert from 'node:assert/strict';
import { client, refused, run } from './client.mjs';

const c = client();
const workspace = c.taskrouter.v1.workspaces(process.env.WORKSPACE_SID);
const fake = await Promise.all([
  c.sync.v1.services.create({ friendlyName: 's' }), c.verify.v2.services.create({ friendlyName: 'v' }),
  c.serverless.v1.services.create({ uniqueName: 'u', friendlyName: 'f' }), c.trunking.v1.trunks.create({}),
]);
const [sync, verify, serverless, trunk] = fake.map((item) => item.sid);
const flow = { states: [], initial_state: 'Trigger', description: 'd', flags: {} };
const address = { customerName: 'a', street: 's', city: 'c', region: 'r', postalCode: 'p', isoCountry: 'US' };

// For each: the collection, the parameters that make an item, and those that change it.
const collections = {
  applications: [c.applications, { friendlyName: 'a' }, { friendlyName: 'b' }],
  addresses: [c.addresses, address, { city: 'd' }],
  queues: [c.queues, { friendlyName: 'a', maxSize: 5 }, { maxSize: 6 }],
  credentials: [c.accounts.v1.credentials.aws, { credentials: 'x:y', friendlyName: 'a' }, { friendlyName: 'b' }],
  taskQueues: [workspace.taskQueues, { friendlyName: 'a', targetWorkers: '1==1' }, { friendlyName: 'b' }],
  workflows: [workspace.workflows, { friendlyName: 'a', configuration: '{"task_routing":{}}' }, { friendlyName: 'b' }],
  activities: [workspace.activities, { friendlyName: 'a', available: false }, { friendlyName: 'b' }],
  documents: [c.sync.v1.services(sync).documents, { uniqueName: 'd', data: { a: 1 } }, { data: { b: [2] } }],
  syncLists: [c.sync.v1.services(sync).syncLists, { uniqueName: 'l' }, { ttl: 60 }],
  verifyServices: [c.verify.v2.services, { friendlyName: 'a', codeLength: 4 }, { codeLength: 8 }],
  rateLimits: [c.verify.v2.services(verify).rateLimits, { uniqueName: 'r', description: 'a' }, { description: 'b' }],
  messagingServices: [c.messaging.v1.services, { friendlyName: 'a', stickySender: false }, { friendlyName: 'b' }],
  functions: [c.serverless.v1.services(serverless).functions, { friendlyName: 'a' }, { friendlyName: 'b' }],
  assets: [c.serverless.v1.services(serverless).assets, { friendlyName: 'a' }, { friendlyName: 'b' }],
  flows: [c.studio.v2.flows, { friendlyName: 'a', status: 'draft', definition: flow }, { status: 'published' }],
  trunks: [c.trunking.v1.trunks, { friendlyName: 'a', secure: true }, { friendlyName: 'b' }],
  originationUrls: [c.trunking.v1.trunks(trunk).originationUrls,
    { friendlyName: 'a', weight: 1, priority: 2, enabled: true, sipUrl: 'sip:a@example.com' }, { weight: 3 }],
  proxyServices: [c.proxy.v1.services, { uniqueName: 'p', defaultTtl: 5 }, { defaultTtl: 6 }],
  endUsers: [c.trusthub.v1.endUsers, { friendlyName: 'a', type: 'customer_profile' }, { friendlyName: 'b' }],
  flexFlows: [c.flexApi.v1.flexFlow, { friendlyName: 'a', chatServiceSid: `IS${'1'.padStart(32, '0')}`, channelType: 'web' }, { enabled: false }],
  bundles: [c.numbers.v2.regulatoryCompliance.bundles, { friendlyName: 'a', email: 'a@example.com' }, { friendlyName: 'b' }],
};

const did = new Set();
const checks = Object.fromEntries(Object.entries(collections).map(([name, [collection, create, change]]) => [name, async () => {
  const same = (item, want) => {
    for (const [key, value] of Object.entries(want)) assert.deepEqual(item[key], key === 'ttl' ? undefined : value, key);
  };
  const made = await collection.create(create);
  same(made, create.credentials ? { friendlyName: create.friendlyName } : create);
  assert.match(made.sid, /^[A-Z]{2}[0-9a-f]{32}$/);
  assert.ok(made.dateCreated instanceof Date && !Number.isNaN(made.dateCreated.getTime()));
  did.add(`${name} create`);
  const fetched = await collection(made.sid).fetch();
  assert.deepEqual(fetched.toJSON(), made.toJSON());
  did.add(`${name} fetch`);
  same(await collection(made.sid).update(change), change);
  did.add(`${name} update`);
  const listed = await collection.list({ pageSize: 2 });
  assert.equal(listed.filter((item) => item.sid === made.sid).length, 1);
  did.add(`${name} list`);
  assert.equal(await collection(made.sid).remove(), true);
  await refused(collection(made.sid).fetch(), 404, 20404);
  did.add(`${name} remove`);
}]));
checks.count = () => assert.ok(did.size >= 60, `only ${did.size} operations succeeded`);

await run(checks);
