// The page's copy of the dev server's state, and the requests to it.

export const state = {
  base: '', live: false, account: '', hasToken: false, connected: false,
  status: { state: 'building' },
  functions: [], people: [], presets: [], requests: [], seconds: [], faults: [],
};

const changes = new EventTarget();

// on calls listener whenever the named part of the state changes, until the
// signal is aborted.
export function on(part, listener, signal) {
  changes.addEventListener(part, listener, { signal });
}

function changed(...parts) {
  for (const part of parts) changes.dispatchEvent(new Event(part));
}

async function ask(method, path, body) {
  const answer = await fetch(path, {
    method,
    headers: body === undefined ? {} : { 'Content-Type': 'application/json' },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const value = await answer.json();
  if (!answer.ok) throw new Error(value.error ?? `${answer.status}`);
  return value;
}

const api = '/__flexfn/api/';
const control = '/__twiliofake/';

export const call = (order) => ask('POST', `${api}call`, order);
export const replay = (id) => ask('POST', `${api}replay/${encodeURIComponent(id)}`, {});
export const request = (id) => ask('GET', `${api}requests/${encodeURIComponent(id)}`);
export const trigger = (order) => ask('POST', `${api}trigger`, order);
export const eventTypes = () => ask('GET', `${api}eventtypes`);
export const ledger = () => ask('GET', `${api}deliveries`);
export const deadLetter = (method, id) => ask(method, `${api}letters/${encodeURIComponent(id)}`);
export const clearRequests = () => ask('DELETE', `${api}requests`);

let kinds = null; // they never change

// The fake's own control API.
export const twilioState = () => ask('GET', `${control}state`);
export const twilioKinds = () => (kinds ??= ask('GET', `${control}kinds`));
export const twilioRequests = () => (state.live ? Promise.resolve([]) : ask('GET', `${control}requests`));
export const clearTwilioRequests = () => ask('DELETE', `${control}requests`);

// setFaults replaces the rules in force. Rules that were in force already keep
// their counts.
export async function setFaults(rules) {
  await ask('PUT', `${control}faults`, rules);
  await loadFaults();
}

export async function loadFaults() {
  if (state.live) return;
  state.faults = await ask('GET', `${control}faults`);
  changed('faults');
}

// spent reports whether a rule has struck as often as it may.
export const spent = (rule) => Boolean(rule.times) && (rule.struck ?? 0) >= rule.times;

// countStrikes refreshes how often the faults struck: at most a few times a
// second, and only if there are faults.
let counting = null;
function countStrikes() {
  if (!state.faults.length) return;
  counting ??= setTimeout(() => {
    counting = null;
    loadFaults().catch(() => {});
  }, 300);
}

async function load() {
  Object.assign(state, await ask('GET', `${api}state`));
  await loadFaults();
  state.connected = true;
  changed('status', 'functions', 'requests', 'seconds', 'all');
}

const maxRequests = 500;

// listen follows the server's events, and reconnects when the server restarts.
export function listen() {
  const source = new EventSource(`${api}events`);
  // Events that arrive while the whole state is being loaded are newer than it
  // or part of it, so they wait until it has arrived.
  let loading = Promise.resolve();
  const loadAll = () => { loading = load().catch(() => {}); };
  const handle = (kind, use) => source.addEventListener(kind, async (e) => {
    await loading;
    use(JSON.parse(e.data));
  });
  source.addEventListener('open', loadAll);
  source.addEventListener('error', () => {
    state.connected = false;
    changed('status');
  });
  handle('lost', loadAll);
  handle('status', (status) => {
    state.status = status;
    changed('status');
  });
  handle('functions', (functions) => {
    state.functions = functions;
    changed('functions');
  });
  handle('request', (summary) => {
    const i = state.requests.findIndex((r) => r.id === summary.id);
    if (i >= 0) state.requests[i] = summary; // it was under way
    else state.requests.unshift(summary);
    state.requests.length = Math.min(state.requests.length, maxRequests);
    changed('requests');
    countStrikes();
  });
  handle('seconds', (seconds) => {
    for (const second of seconds) {
      const i = state.seconds.findIndex((s) => s.time === second.time);
      if (i < 0) state.seconds.push(second);
      else state.seconds[i] = second;
    }
    const oldest = Date.now() / 1000 - 300;
    state.seconds = state.seconds.filter((s) => s.time >= oldest);
    changed('seconds');
  });
}
