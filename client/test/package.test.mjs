// What is shipped: its size, its manifest, its types, and that a stranger can install and use it.
import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createContext, runInContext } from 'node:vm';
import { gzipSync } from 'node:zlib';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';

const root = fileURLToPath(new URL('..', import.meta.url)), run = promisify(execFile), require = createRequire(import.meta.url);
const manifest = require('../package.json'), dist = (name) => readFileSync(join(root, 'dist', name), 'utf8');
const zipped = (name) => gzipSync(dist(name).replace(/\n?\/\/# sourceMappingURL.*\n?/, ''), { level: 9 }).length;

const folder = mkdtempSync(join(tmpdir(), 'sr-package-')), installed = join(folder, 'node_modules/resilient-sse');
after(() => rmSync(folder, { recursive: true, force: true }));

/** A fresh folder with the package as `npm pack` makes it, React beside it, and nothing else. */
const installing = (async () => {
  const { stdout } = await run('npm', ['pack', '--silent', '--pack-destination', folder], { cwd: root });
  await run('tar', ['-xzf', join(folder, stdout.trim()), '-C', folder]);
  mkdirSync(join(folder, 'node_modules/@types'), { recursive: true });
  renameSync(join(folder, 'package'), installed);
  for (const [name, from] of Object.entries({ react: 'react-18', '@types/react': '@types/react', csstype: 'csstype', 'loose-envify': 'loose-envify', 'js-tokens': 'js-tokens' })) {
    symlinkSync(join(root, 'node_modules', from), join(folder, 'node_modules', name));
  }
})();

test('the core is at most 3.0 kB, the hook adds at most 0.7', () => {
  assert.ok(zipped('index.js') <= 3000, `${zipped('index.js')} bytes`);
  assert.ok(zipped('react.js') <= 700, `${zipped('react.js')} bytes`);
});

test('publint has nothing to say', async () => {
  const { messages } = await publint({ pkgDir: root, strict: true, pack: 'npm' });
  assert.deepEqual(messages.map((message) => formatMessage(message, manifest)), []);
});

test('the tarball holds what exports names, no source of tests, no install script', async () => {
  await installing;
  const paths = Object.values(manifest.exports).flatMap((entry) => (typeof entry === 'string' ? entry : Object.values(entry).flatMap(Object.values)));
  paths.forEach((path) => assert.ok(readFileSync(join(installed, path)).length, path));
  assert.deepEqual(readdirSync(installed).sort(), ['README.md', 'dist', 'package.json']);
  assert.deepEqual(Object.keys(manifest.scripts).filter((name) => /install|prepare/.test(name)), []);
  assert.equal(manifest.dependencies, undefined);
});

const use = `
if (typeof openStream !== 'function' || typeof eventSource !== 'function' || typeof anywhere !== 'function' || typeof useResilientSSE !== 'function') throw new Error('not there');
const bytes = new TextEncoder().encode('id: 1-0\\ndata: {"type":"completed","data":5}\\n\\n');
const fetch = async () => new Response(bytes, { headers: { 'content-type': 'text/event-stream' } });
openStream('/s', { fetch }).done.then(({ status, result }) => console.log(status, result));
`;
for (const [name, head] of Object.entries({
  'use.mjs': `import { openStream } from 'resilient-sse'; import { openStream as anywhere, eventSource } from 'resilient-sse/eventsource'; import { useResilientSSE } from 'resilient-sse/react';`,
  'use.cjs': `const { openStream } = require('resilient-sse'), { openStream: anywhere, eventSource } = require('resilient-sse/eventsource'), { useResilientSSE } = require('resilient-sse/react');`,
})) {
  test(`used from ${name}`, async () => {
    await installing;
    writeFileSync(join(folder, name), head + use);
    const { stdout } = await run(process.execPath, [name], { cwd: folder });
    assert.equal(stdout, 'completed 5\n');
  });
}

test('by <script>: one global, nothing else', () => {
  const page = createContext({ TextDecoder, AbortController, setTimeout, clearTimeout, Response, ReadableStream }), before = Object.keys(page);
  runInContext(dist('min.js'), page);
  assert.deepEqual(Object.keys(page).filter((name) => !before.includes(name)), ['SSEResilience']);
  assert.deepEqual(Object.keys(page.SSEResilience).sort(), ['eventSource', 'openStream']);
});

test('no syntax later than ES2018', () => {
  const acorn = require('acorn');
  for (const name of ['index.js', 'eventsource.js', 'react.js', 'min.js']) acorn.parse(dist(name), { ecmaVersion: 2018, sourceType: name === 'min.js' ? 'script' : 'module' });
});

/** Compile a program against the installed package; resolves with what tsc complains of. */
async function compile(name, text, options) {
  await installing;
  writeFileSync(join(folder, name), text);
  const args = [join(root, 'node_modules/typescript/lib/tsc.js'), '--noEmit', '--strict', '--target', 'es2020', '--lib', 'es2020,dom', '--types', 'react', ...options, name];
  return run(process.execPath, args, { cwd: folder }).then(() => '', ({ stdout }) => stdout);
}
const program = `
import { openStream, type Options, type SSEvent, type Status } from 'resilient-sse';
import { eventSource, openStream as anywhere } from 'resilient-sse/eventsource';
import { useResilientSSE } from 'resilient-sse/react';

const options: Options = { headers: async () => ({ a: 'b' }), transport: eventSource, parse: (raw, type) => ({ type, data: raw }), signal: new AbortController().signal };
const stream = openStream<{ n: number }>(({ attempt, lastEventId }) => '/s?' + attempt.toFixed() + lastEventId.length, options);
const off: () => void = stream.on('*', (event: SSEvent) => event.data.anything);
anywhere('/s', { transport: 'poll' }).subscribe(({ status, error }) => { const is: Status = status; error?.status?.toFixed(); is; off(); });
async function read() {
  for await (const { id, type, data } of stream) console.log(id.length, type.length, data);
  const { result, nextRetryAt } = await stream.done;
  return (result?.n ?? 0) + (nextRetryAt ?? 0);
}
export function Part({ id }: { id: string | null }) {
  const { data, status, reconnect } = useResilientSSE<string[]>(id, { url: (one) => '/x/' + one, reduce: (all, event) => [...all, event.type], initial: [] });
  read().then(reconnect);
  return data.length + status.length;
}
// @ts-expect-error no such option
openStream('/s', { retires: 1 });
// @ts-expect-error no such status
const wrong: Status = 'done';
wrong;
`;
for (const [name, options] of Object.entries({
  'node16.mts': ['--module', 'node16', '--moduleResolution', 'node16'], 'node16.cts': ['--module', 'node16', '--moduleResolution', 'node16'],
  'bundler.ts': ['--module', 'esnext', '--moduleResolution', 'bundler'],
})) {
  test(`types: ${name}`, async () => assert.equal(await compile(name, program, options), ''));
}

test('the README names each option and each status of the types, and no other', () => {
  const types = ['index', 'react'].map((name) => readFileSync(join(root, `types/${name}.d.ts`), 'utf8')).join('\n'), readme = readFileSync(join(root, 'README.md'), 'utf8');
  const members = (name) => [...new RegExp(`interface ${name}\\b[^{]*\\{([^]*?)\\n\\}`).exec(types)[1].matchAll(/^ {2}(\w+)\?:/gm)].map(([, option]) => option);
  const rows = (title) => [...readme.slice(readme.indexOf(title)).split(/\n\n/)[1].matchAll(/^\| `(\w+)`/gm)].map(([, first]) => first);
  assert.deepEqual(rows('## Options').sort(), [...members('Options'), ...members('HookOptions')].sort());
  const statuses = [.../type Status =([^;]*);/.exec(types)[1].matchAll(/'(\w+)'/g)].map(([, status]) => status);
  assert.deepEqual(rows('## Statuses').sort(), statuses.sort());
});
