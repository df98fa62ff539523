// Opens the console in Chromium as a developer does, in both themes, and
// calls functions from a page of another origin. See browser_test.go.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const { BASE: base, OTHER: other, CHROMIUM, SCREENSHOTS: pictures } = process.env;
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const profile = mkdtempSync(join(tmpdir(), 'flexfn-chromium-'));
const browser = await chromium.launchPersistentContext(profile, {
  executablePath: CHROMIUM,
  viewport: { width: 1360, height: 900 },
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync'],
});
browser.setDefaultTimeout(20_000);

// step runs one check and says how long it took.
async function step(name, check) {
  const start = Date.now();
  await check();
  console.log(`ok   ${name} (${Date.now() - start} ms)`);
}

// newPage opens a page. Console messages, failed requests and requests to other
// hosts fail the test.
const complaints = [];
async function newPage(theme) {
  const page = await browser.newPage();
  await page.emulateMedia({ colorScheme: theme });
  page.on('console', (m) => { if (['error', 'warning'].includes(m.type())) complaints.push(m.text()); });
  page.on('pageerror', (e) => complaints.push(e.message));
  page.on('requestfailed', (r) => { if (!r.url().endsWith('/events')) complaints.push(`${r.url()}: ${r.failure()?.errorText}`); });
  page.on('request', (r) => { if (!r.url().startsWith(base) && !r.url().startsWith('data:')) complaints.push(`the page asked for ${r.url()}`); });
  return page;
}

// accessible asserts that axe-core finds nothing serious. The policy of the
// page keeps scripts of others out, so axe is evaluated from outside.
async function accessible(page, what) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
  const serious = violations.filter((v) => ['serious', 'critical'].includes(v.impact));
  assert.deepEqual(serious.map((v) => `${v.id}: ${v.nodes.map((n) => n.html).slice(0, 3).join(' | ')}`), [], `${what}: axe-core`);
  const rest = violations.filter((v) => !serious.includes(v));
  if (rest.length) console.log(`     ${what}: minor findings: ${rest.map((v) => `${v.id} (${v.impact})`).join(', ')}`);
}

// picture takes a screenshot of the page, and one on a narrow screen.
async function picture(page, name) {
  if (!pictures) return;
  const wide = page.viewportSize();
  for (const width of [wide.width, 420]) {
    await page.setViewportSize({ ...wide, width });
    await page.waitForTimeout(300); // for the charts to be redrawn
    await page.screenshot({ path: join(pictures, `${name}-${width}.png`), fullPage: width === 420 });
  }
  await page.setViewportSize(wide);
}

const go = (page, hash) => page.goto(`${base}/__flexfn/#${hash}`);
const toggle = (page, name) => page.getByRole('switch', { name });

for (const theme of ['light', 'dark']) {
  const page = await newPage(theme);
  await step(`${theme}: the page opens and lists the functions`, async () => {
    await page.goto(`${base}/__flexfn/`);
    await page.getByRole('link', { name: '/demo/greet Flex' }).waitFor();
    // The first function is shown, even if the page was open before it existed.
    await page.getByRole('button', { name: 'Call', exact: true }).waitFor();
    assert.equal(await page.locator('#build').textContent(), 'Ready');
    const ground = await page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
    assert.equal(ground, theme === 'light' ? 'rgb(255, 255, 255)' : 'rgb(20, 23, 28)');
    await accessible(page, 'functions');
    await picture(page, `functions-${theme}`);
  });

  await step(`${theme}: a 400 says why, and marks the fields`, async () => {
    await go(page, '/functions/demo/greet');
    const [name, times] = [page.getByLabel('name required'), page.getByLabel('times')];
    await name.fill('');
    await times.fill('often');
    await page.getByRole('button', { name: 'Call', exact: true }).click();
    await page.locator('p.fault', { hasText: 'Missing name' }).waitFor();
    assert.deepEqual(await Promise.all([name, times].map((f) => f.getAttribute('aria-invalid'))), ['true', 'true']);
    assert.equal(await page.locator('.timeline .bar.failed').count(), 0, 'a bar is red although nothing ran');
    await accessible(page, 'a 400');
    await picture(page, `refused-${theme}`);
    await name.fill('Grace');
    await times.fill('2');
    await page.getByRole('button', { name: 'Call', exact: true }).click();
    await page.getByRole('group', { name: 'Answer body' }).getByText('Hello Grace!').waitFor();
    assert.equal(await page.locator('[aria-invalid]').count(), 0);
  });

  await step(`${theme}: a function is tried, with the keyboard`, async () => {
    await go(page, '/functions/demo/greet');
    await page.getByLabel('name required').fill('Grace');
    await page.getByLabel('name required').press('Enter');
    await page.getByRole('group', { name: 'Answer body' }).getByText('Hello Grace! Hello Grace!').waitFor();
    const sent = await page.getByRole('group', { name: 'Request body' }).textContent();
    assert.match(sent, /Token = \(masked\)/);
    assert.doesNotMatch(await page.content(), /dev-agent/);
    await page.getByLabel('Call as').selectOption('guest');
    await page.getByRole('button', { name: 'Call', exact: true }).click();
    await page.locator('.result').getByText('403').first().waitFor();
  });

  await step(`${theme}: an attempt at a URL without a host`, async () => {
    await go(page, '/functions/test/hostless');
    await page.getByRole('button', { name: 'Call', exact: true }).click();
    await page.locator('.timeline tr.attempt', { hasText: '/contacts' }).waitFor();
    assert.doesNotMatch(await page.locator('.timeline').textContent(), /undefined/);
    assert.equal(await page.locator('.timeline tr.span .bar.failed').count(), 1, 'the handler ran and failed');
  });

  await step(`${theme}: a Studio function is signed, as a form and as JSON`, async () => {
    await go(page, '/functions/demo/studio/opening-hours');
    for (const encoding of ['form', 'JSON']) {
      await page.getByLabel('Send as').selectOption({ label: encoding });
      await page.getByRole('button', { name: 'Call', exact: true }).click();
      await page.getByRole('group', { name: 'Answer body' }).getByText('"open": true').waitFor();
      await page.locator('.timeline').getByText('signature check').waitFor();
    }
    await page.getByLabel('Call as').selectOption('nobody');
    await page.getByRole('button', { name: 'Call', exact: true }).click();
    await page.locator('.result').getByText('403').first().waitFor();
    await page.getByRole('button', { name: 'Copy as curl' }).click();
    await page.getByRole('group', { name: 'curl command' }).getByText('curl -s -X POST').waitFor();
  });

  await step(`${theme}: a fault is switched on, and its 429 and the wait are in the timeline`, async () => {
    await go(page, '/twilio');
    const fault = toggle(page, 'The next request answers 429');
    await fault.click();
    await page.locator('[role=switch][aria-checked=true]').waitFor();
    await page.getByRole('link', { name: '1 fault on' }).waitFor();
    await accessible(page, 'twilio');
    await picture(page, `twilio-${theme}`);

    await go(page, '/functions/common/flex/taskrouter/update-task-attributes');
    await page.getByLabel('attributesUpdate').fill('{"colour": "green"}');
    await page.getByLabel('Call as').selectOption(theme === 'light' ? 'agent' : 'supervisor');
    await page.getByRole('button', { name: 'Call', exact: true }).click();
    const row = page.locator('.timeline tr.attempt', { hasText: '429' });
    await row.getByText('then waited 1.00 s').waitFor();
    await row.getByText('fault: The next request answers 429').waitFor();
    // To scale: the wait is about a second of the whole.
    const [wait, track] = await Promise.all([row.locator('.bar.wait').boundingBox(), row.locator('td.track').boundingBox()]);
    const caption = await page.locator('.timeline caption').textContent();
    const total = Number(/([\d.]+) s/.exec(caption)[1]);
    assert.ok(Math.abs(wait.width / track.width - 1 / total) < 0.05, `the wait is ${wait.width} of ${track.width} px, ${caption}`);
    await row.getByRole('button').click();
    await page.getByRole('group', { name: 'What Twilio answered' }).first().getByText('20429').waitFor();
    await accessible(page, 'a result');
    await picture(page, `timeline-${theme}`);

    // The fault has struck as often as it may. It is shown as off, and can be
    // switched on again and off.
    await go(page, '/twilio');
    await page.getByText('Spent: it struck 1 time.').waitFor();
    assert.equal(await page.locator('[role=switch][aria-checked=true]').count(), 0);
    await fault.click();
    await page.getByText('Struck 0 times, 1 left.').waitFor();
    await fault.click();
    await page.locator('[role=switch][aria-checked=true]').waitFor({ state: 'detached' });
  });

  await step(`${theme}: three conflicts, then IAM down`, async () => {
    await go(page, '/twilio');
    await toggle(page, 'The next 3 task updates answer 412').press('Enter');
    await page.locator('[role=switch][aria-checked=true]').waitFor();
    await go(page, '/functions/common/flex/taskrouter/update-task-attributes');
    await page.getByLabel('attributesUpdate').fill('{"size": 3}');
    await page.getByRole('button', { name: 'Call', exact: true }).click();
    await page.locator('.timeline').waitFor();
    assert.equal(await page.locator('.timeline tr.attempt', { hasText: '412' }).count(), 3);
    await page.locator('.timeline tr.attempt', { hasText: 'attempt 4' }).waitFor(); // all of one call
    assert.match(await page.getByRole('group', { name: 'Answer body' }).textContent(), /"success": true/);

    await go(page, '/twilio');
    await page.getByRole('button', { name: 'All off' }).click();
    await toggle(page, 'IAM is down').click();
    await page.locator('[role=switch][aria-checked=true]').waitFor();
    await go(page, '/functions/demo/announce');
    await page.getByLabel('Call as').selectOption('admin');
    if (theme === 'light') { // in the second round the token is still believed
      await page.getByRole('button', { name: 'Call', exact: true }).click();
      await page.locator('.result').getByText('503').first().waitFor();
      await page.locator('.timeline').getByText('token check').waitFor();
    }
    await go(page, '/twilio');
    await page.getByRole('button', { name: 'All off' }).click();
    await page.locator('[role=switch][aria-checked=true]').waitFor({ state: 'detached' });
    if (theme === 'light') {
      await go(page, '/functions/demo/announce');
      await page.getByLabel('Call as').selectOption('admin');
      await page.getByRole('button', { name: 'Call', exact: true }).click();
      await page.locator('.result').getByText('200').first().waitFor();
    }
  });

  await step(`${theme}: the list is live; a request is replayed and edited`, async () => {
    await go(page, '/requests');
    const rows = page.locator('table.requests tbody tr');
    const before = await rows.count();
    const answer = await fetch(`${base}/demo/greet`, { method: 'POST', body: new URLSearchParams({ Token: 'dev-agent', name: 'Live' }) });
    assert.equal(answer.status, 200);
    await page.waitForFunction((n) => document.querySelectorAll('table.requests tbody tr').length === n, before + 1);
    await rows.first().getByRole('link').click();
    await page.getByRole('group', { name: 'Answer body' }).getByText('Hello Live!').waitFor();
    await accessible(page, 'requests');
    await picture(page, `requests-${theme}`);
    await page.getByRole('button', { name: 'Replay' }).click();
    await page.waitForFunction((n) => document.querySelectorAll('table.requests tbody tr').length === n, before + 2);
    await page.getByRole('group', { name: 'Answer body' }).getByText('Hello Live!').waitFor();
    await page.getByRole('button', { name: 'Edit and call' }).click();
    await page.waitForFunction(() => document.querySelector('#p-name')?.value === 'Live');
    await page.getByLabel('name required').fill('Edited');
    await page.getByRole('button', { name: 'Call', exact: true }).click();
    await page.getByRole('group', { name: 'Answer body' }).getByText('Hello Edited!').waitFor();
    // The form has the parameters that were sent and the chosen person, not the sample.
    await page.getByLabel('Call as').selectOption('guest');
    await page.getByLabel('Send as').selectOption('json');
    await page.getByRole('button', { name: 'Call', exact: true }).click();
    await page.locator('.result').getByText('403').first().waitFor();
    await page.getByRole('button', { name: 'Edit and call' }).click();
    await page.locator('.result').getByText('403').first().waitFor({ state: 'detached' });
    assert.deepEqual(await page.evaluate(() => ['p-name', 'person', 'encoding'].map((id) => document.getElementById(id).value)), ['Edited', 'guest', 'json']);
    assert.equal(await page.evaluate(() => document.activeElement.id), 'p-name');
  });

  await step(`${theme}: a request under way is listed, and shown once it is answered`, async () => {
    await go(page, '/twilio');
    await toggle(page, 'Twilio is slow').click();
    await page.locator('[role=switch][aria-checked=true]').waitFor();
    await go(page, '/requests');
    const answered = fetch(`${base}/common/flex/taskrouter/update-task-attributes`, {
      method: 'POST', body: new URLSearchParams({ Token: 'dev-agent', taskSid: 'WT00000000000000000000000000000001', attributesUpdate: '{"slow": true}' }),
    });
    const row = page.locator('table.requests tbody tr', { hasText: 'under way' });
    await row.getByRole('link').click();
    await page.locator('h2', { hasText: 'under way' }).waitFor();
    assert.equal((await answered).status, 200);
    await page.locator('h2', { hasText: '200' }).waitFor();
    await page.locator('.timeline').waitFor();
    await row.waitFor({ state: 'detached' });
    await go(page, '/twilio');
    await page.getByRole('button', { name: 'All off' }).click();
    await page.locator('[role=switch][aria-checked=true]').waitFor({ state: 'detached' });
  });

  await step(`${theme}: the state has all products, and the log says which layer answered`, async () => {
    if (theme === 'light') {
      const whole = await fetch(`${base}/__twiliofake/state`).then((answer) => answer.json());
      whole.resources['trunking/v1/Trunks'] = [{ sid: 'TK00000000000000000000000000000001', friendly_name: 'My trunk' }];
      assert.equal((await fetch(`${base}/__twiliofake/state`, { method: 'PUT', body: JSON.stringify(whole) })).status, 200);
    }
    await go(page, '/functions');
    await go(page, '/twilio');
    const products = () => page.locator('#kind optgroup').evaluateAll((groups) => groups.map((g) => g.label));
    await page.getByLabel('Kind').selectOption('trunking/v1/Trunks');
    await page.locator('summary', { hasText: 'My trunk' }).waitFor();
    const filled = await products();
    assert.ok(filled.includes('taskrouter') && filled.includes('trunking') && !filled.some((p) => p.includes('empty')), `products ${filled}`);
    await page.getByLabel('every product').check();
    await page.locator('#kind optgroup[label="supersim (empty)"]').waitFor({ state: 'attached' });
    const all = await products();
    assert.ok(all.length >= 35, `products ${all}`);
    assert.deepEqual(all.slice(0, filled.length), filled);
    assert.equal(await page.locator('#kind option[value="trunking/v1/Trunks"]').textContent(), 'trunking/v1/Trunks (1), generic');
    await page.locator('section[aria-labelledby=log-title] summary .chip', { hasText: 'modelled' }).first().waitFor();
    await accessible(page, 'the state');
    await picture(page, `state-${theme}`);
    await page.getByLabel('every product').uncheck();
    await page.locator('#kind optgroup[label="supersim (empty)"]').waitFor({ state: 'detached' });
  });

  await step(`${theme}: the events`, async () => {
    await go(page, '/events');
    await page.getByRole('heading', { name: 'Send an event' }).waitFor();
    await accessible(page, 'events');
    await picture(page, `events-${theme}`);
  });

  await step(`${theme}: the charts`, async () => {
    await go(page, '/charts');
    await page.locator('.u-over').nth(2).waitFor();
    await page.getByText(/\d+ requests: [1-9]\d* refused/).waitFor();
    await accessible(page, 'charts');
    // The legend stays where it is when it shows values.
    const places = () => page.locator('.u-legend .u-label').evaluateAll((all) => all.map((l) => l.getBoundingClientRect().x));
    const before = await places();
    await page.locator('.u-over').first().hover();
    await page.locator('.u-legend').first().getByText(/\d\d:\d\d/).waitFor();
    assert.deepEqual(await places(), before, 'the legend jumps');
    await page.mouse.move(0, 0);
    await picture(page, `charts-${theme}`);
  });

  await step(`${theme}: a theme of one's own`, async () => {
    await page.getByRole('button', { name: 'Theme: system' }).click();
    await page.getByRole('button', { name: 'Theme: light' }).click();
    await page.getByRole('button', { name: 'Theme: dark' }).waitFor();
    assert.equal(await page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor), 'rgb(20, 23, 28)');
    await page.getByRole('button', { name: 'Theme: dark' }).click();
  });

  await step(`${theme}: nothing was complained about`, async () => assert.deepEqual(complaints, []));
  await page.close();
}

// A Flex plugin's page: what it can read of each answer.
const plugin = await browser.newPage();
await plugin.goto(other);
const call = (path, options) => plugin.evaluate(async ([url, o]) => {
  try {
    const answer = await fetch(url, { method: 'POST', ...o, body: o.form ? new URLSearchParams(o.form) : o.body });
    return { status: answer.status, body: await answer.json() };
  } catch (error) {
    return { error: String(error) };
  }
}, [base + path, options]);
const token = { Token: 'dev-agent' };

await step('another origin: a success', async () => {
  const { status, body } = await call('/demo/greet', { form: { ...token, name: 'Ada' } });
  assert.equal(status, 200);
  assert.equal(body.greeting, 'Hello Ada!');
});
await step('another origin: a preflight, for a header and a JSON body', async () => {
  const asked = [];
  const session = await browser.newCDPSession(plugin);
  await session.send('Network.enable');
  session.on('Network.requestWillBeSent', (e) => asked.push(e.request.method));
  const { status, body } = await call('/demo/greet', {
    headers: { Authorization: 'Bearer dev-agent', 'Content-Type': 'application/json' }, body: JSON.stringify({ name: 'Bearer' }),
  });
  assert.equal(status, 200, JSON.stringify(body));
  assert.equal(body.greeting, 'Hello Bearer!');
  assert.ok(asked.includes('OPTIONS'), `the browser sent ${asked}`);
});
for (const [what, path, options, status, message] of [
  ['403', '/demo/greet', { form: { name: 'Ada' } }, 403, /Token was not provided/],
  ['400', '/demo/greet', { form: token }, 400, /Missing name/],
  ['404', '/demo/none', { form: token }, 404, /no function/],
  ['413', '/demo/greet', { form: { ...token, name: 'x'.repeat(5000) } }, 413, /2000 bytes/],
  ['500', '/test/fail', { form: token }, 500, /the test wants it so/],
]) {
  await step(`another origin: ${what} can be read`, async () => {
    const got = await call(path, options);
    assert.equal(got.status, status, JSON.stringify(got));
    assert.equal(got.body.success, false);
    assert.match(got.body.message, message);
  });
}
await step('another origin: the console and the control API stay closed', async () => {
  for (const [path, options] of [
    ['/__flexfn/api/state', { method: 'GET' }],
    ['/__flexfn/api/call', { body: '{"path":"/demo/greet"}' }],
    ['/__flexfn/api/requests', { method: 'DELETE' }],
    ['/__twiliofake/faults', { body: '{"host":"iam"}' }],
  ]) {
    assert.match((await call(path, options)).error ?? 'it answered', /Failed to fetch/, path);
  }
  const rules = await (await fetch(`${base}/__twiliofake/faults`)).json();
  assert.deepEqual(rules, []);
});

await browser.close();
rmSync(profile, { recursive: true, force: true });
console.log('all checks passed');
process.exit(0);
