// Twilio's own library, sending its requests to the fake at FAKE_URL.
import assert from 'node:assert/strict';
import twilio from 'twilio';

const { FAKE_URL, ACCOUNT_SID, AUTH_TOKEN } = process.env;

// Sends every request to the fake and keeps the Host header.
export class FakeClient extends twilio.RequestClient {
  request(options) {
    const url = new URL(options.uri);
    return super.request({
      ...options,
      uri: FAKE_URL + url.pathname + url.search,
      headers: { ...options.headers, Host: url.host },
    });
  }
}

export function client(options) {
  return twilio(ACCOUNT_SID, AUTH_TOKEN, { httpClient: new FakeClient(), ...options });
}

export async function refused(promise, status, code) {
  await assert.rejects(promise, (e) => {
    assert.equal(e.status, status);
    assert.equal(e.code, code);
    assert.equal(e.moreInfo, `https://www.twilio.com/docs/errors/${code}`);
    return true;
  });
}

// Runs the checks and ends the process: with 1 if one of them fails.
export async function run(checks) {
  let failed = 0;
  for (const [name, check] of Object.entries(checks)) {
    try {
      await check();
      console.log(`ok ${name}`);
    } catch (e) {
      failed++;
      console.log(`not ok ${name}\n${e.stack}`);
    }
  }
  process.exit(failed ? 1 : 0);
}
