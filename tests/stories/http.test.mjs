// Publishing over HTTP: PUT, POST and DELETE, through lighttpd and straight at the FastCGI socket.
import assert from 'node:assert/strict';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { assertDelivered, assertKeys, readLog } from '../support/checker.mjs';
import { story } from '../support/world.mjs';

const TOKEN = 'first-token-of-the-story', OTHER = 'second-token-of-the-story';

/** A story in a world that publishes; `at` says where the token file is. */
function publishing(name, options, body) {
  story(name, { guardian: false, ...options, responders: false, lighttpd: false }, async (world, t) => {
    writeTokens(world, TOKEN, OTHER);
    world.configure({ publish_token_file: join(world.dir, 'tokens') });
    await world.start({ redis: false, guardian: false, ...options });
    await body(world, t);
  });
}

function writeTokens(world, ...tokens) {
  writeFileSync(join(world.dir, 'tokens'), `# tokens of a story\n\n${tokens.map((token) => `${token}\n`).join('')}`);
  chmodSync(join(world.dir, 'tokens'), 0o600);
}

const authorized = (token) => (token ? { authorization: `Bearer ${token}` } : {});

/** One request through lighttpd. A body that is no text or Buffer is sent as JSON. */
async function send(world, method, path, body, { token = TOKEN, type, headers = {}, ...rest } = {}) {
  const bytes = body === undefined || typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
  return world.get(`/api/stream/${path}`, { method, user: '', body: bytes, ...rest,
    headers: { ...(bytes !== undefined && { 'content-type': type ?? 'application/json', 'content-length': Buffer.byteLength(bytes) }), ...authorized(token), ...headers } });
}
const post = (world, path, body, options) => send(world, 'POST', path, body, options);
const lines = (events) => events.map((event) => `${JSON.stringify(event)}\n`).join('');
const LINES = 'application/x-ndjson', FORM = 'application/x-www-form-urlencoded';

publishing('each content type reaches a viewer live', {}, async (world) => {
  const opened = await send(world, 'PUT', 'job', { type: 'export', user: 'u1', metadata: { pages: 3 }, lease: true });
  assert.deepEqual([opened.status, opened.json], [201, { streamId: 'job', result: 'created', lease: 1 }], opened.text);
  const viewer = await world.viewer('job');
  const one = await post(world, 'job', { type: 'token', data: { text: 'één' } });
  assert.equal(one.status, 201, one.text);
  assert.deepEqual(Object.keys(one.json), ['streamId', 'stored', 'ids', 'lastId']);
  assert.equal((await viewer.until('token')).id, one.json.lastId);
  const many = await post(world, 'job', lines([{ type: 'a', data: 1 }, { type: 'b' }, { type: 'c', data: null }]), { type: LINES });
  assert.deepEqual([many.status, many.json.stored, many.json.ids.length], [201, 3, 3], many.text);
  await viewer.until('c');
  const form = await post(world, 'job', 'type=progress&text=50+%25+%C3%A9', { type: FORM });
  assert.equal(form.status, 201, form.text);
  assert.deepEqual((await viewer.until('progress')).json.data, { text: '50 % é' });
  assert.equal((await post(world, 'job', 'type=p2&data=%7B%22a%22%3A1%7D', { type: FORM })).status, 201);
  assert.deepEqual((await viewer.until('p2')).json.data, { a: 1 });
  const ended = await post(world, 'job', lines([{ type: 'last', data: 1 }, { type: 'completed', data: { ok: true } }]), { type: 'application/jsonl; charset=UTF-8' });
  assert.equal(ended.status, 201, ended.text);
  await viewer.until('completed');
  await viewer.end();
  assertDelivered({ who: 'the viewer', events: viewer.events, log: await readLog(world.redis, 'job') });
  await assertKeys(world.redis);
});
