// Opens the video page in Chromium with Twilio's own library. Twilio's signaling
// is played here, over the WebSocket that the library opens: enough of it to join
// an empty room, to be refused, and to see the room end. See video_test.go.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const { BASE: base, BARE: bare, ROOM: room, CHROMIUM } = process.env;
const profile = mkdtempSync(join(tmpdir(), 'flexfn-video-'));
const browser = await chromium.launchPersistentContext(profile, {
  executablePath: CHROMIUM,
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync', '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'],
});
browser.setDefaultTimeout(30_000);

// signaling plays Twilio's side. It returns the token and the room that the page
// came with, and end, which ends the room.
async function signaling(page, refusal) {
  const seen = {};
  await page.routeWebSocket(/twilio\.com/, (socket) => {
    if (!socket.url().endsWith('/signaling')) return; // reports to Twilio
    let id = 0;
    const tell = (body) => socket.send(JSON.stringify({ type: 'msg', id: String(++id), body: { version: 2, ...body } }));
    socket.onMessage((text) => {
      const { type, body } = JSON.parse(text);
      if (type === 'hello') {
        seen.token = body.token;
        socket.send(JSON.stringify({ type: 'welcome', negotiatedTimeout: 60_000 }));
        tell({ type: 'iced', version: 1, ice_servers: [] });
      }
      if (body?.type !== 'connect') return;
      seen.room = body.name;
      if (refusal) return tell({ type: 'error', ...refusal });
      const me = { sid: 'PA1', identity: 'Ada', state: 'connected', revision: 1 };
      tell({
        type: 'connected', session: 'session', sid: 'RM1', name: body.name, participant: me, peer_connections: [],
        participants: [{ sid: 'PA2', identity: 'Bob', state: 'connected', revision: 1, tracks: [] }],
        options: { session_timeout: 30, media_region: 'us1', signaling_region: 'us1' },
        published: { revision: 1, tracks: body.participant.tracks.map((t, i) => ({ id: t.id, sid: `MT${i}`, state: 'ready' })) },
        subscribed: { revision: 0, tracks: [] },
      });
      seen.end = () => tell({ type: 'disconnected', sid: 'RM1', name: body.name, status: 'completed', participants: [], participant: { ...me, state: 'disconnected' } });
    });
  });
  return seen;
}

// open opens the page, and waits until it says text.
async function open(url, text, refusal) {
  const page = await browser.newPage();
  await page.route(/twilio\.com/, (route) => route.abort());
  const seen = await signaling(page, refusal);
  await page.goto(url);
  await page.getByRole('status').filter({ hasText: text }).waitFor();
  console.log(`ok   ${text}`);
  return { page, seen };
}

const path = '/features/chat-to-video-escalation/index.html';
const link = `${base}${path}?identity=Ada&roomName=${room}`;
try {
  const { page, seen } = await open(link, 'You are in the call.');
  assert.equal(seen.room, room);
  const { grants } = JSON.parse(Buffer.from(seen.token.split('.')[1], 'base64url'));
  assert.deepEqual(grants, { identity: 'Ada', video: { room } });
  await page.locator('video').waitFor(); // one's own
  seen.end();
  await page.getByRole('status').filter({ hasText: 'The call has ended' }).waitFor();
  assert.equal(await page.locator('video').count(), 0);

  await open(link, 'The video call could not be joined. Please reload this page.', { code: 53106, message: 'Room not found' });
  await open(`${base}${path}?identity=Ada&roomName=none`, 'This video call is over, or has not begun.');
  await open(`${base}${path}`, 'This link is incomplete. Please ask for a new one.');
  await open(`${bare}${path}?roomName=${room}`, 'Video calls are not set up on this server yet');
  console.log('all checks passed');
} finally {
  await browser.close();
  rmSync(profile, { recursive: true, force: true });
}
