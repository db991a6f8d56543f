// The hook in each version of React, under StrictMode, on a page of happy-dom with a scripted network.
import { after, afterEach, test } from 'node:test';
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { Window } from 'happy-dom';
import { Page, GUARD, connected, message, settle } from './support/page.mjs';

const here = fileURLToPath(new URL('.', import.meta.url)), require = createRequire(import.meta.url);
const folder = mkdtempSync(join(tmpdir(), 'sr-react-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const roots = []; // a story that failed leaves its own behind
afterEach(() => roots.splice(0).forEach((root) => root.unmount()));

const window = new Window({ url: 'http://page/' }), { document } = window;
for (const name of ['document', 'window', 'navigator', 'Node', 'HTMLElement', 'HTMLIFrameElement']) {
  Object.defineProperty(globalThis, name, { value: name === 'window' ? window : window[name], configurable: true, writable: true });
}
globalThis.MessageChannel = undefined; // React's would keep this process alive
globalThis.requestAnimationFrame = (act) => setTimeout(act, 16);
globalThis.cancelAnimationFrame = clearTimeout;

async function load(version) {
  const alias = { react: `react-${version}`, 'react-dom': `react-dom-${version}` };
  const contents = `export * from './support/react-page.mjs';${version >= 18 ? "import * as client from 'react-dom/client'; export { client };" : ''}`;
  const outfile = join(folder, `${version}.cjs`);
  await build({
    stdin: { contents, resolveDir: here }, bundle: true, outfile, format: 'cjs', platform: 'node', alias, logLevel: 'error',
    define: { 'process.env.NODE_ENV': '"development"' },
  });
  return require(outfile);
}

async function until(condition, what) {
  const end = Date.now() + 10000;
  while (!condition()) {
    assert.ok(Date.now() < end, `not within 10 s: ${what}`);
    await new Promise((resolve) => { setTimeout(resolve, 5); });
  }
}

for (const version of [16, 17, 18, 19]) {
  const loading = load(version);

  /** A root with StrictMode; `show(props)` renders a component with the hook, `views` are what it rendered. */
  const mount = async (options) => {
    const { React, makeRoot, client, useResilientSSE } = await loading;
    const page = new Page(document), views = [], complaints = [];
    console.error = (...words) => complaints.push(words.join(' '));
    const element = document.createElement('div'), root = makeRoot(element, client);
    roots.push(root);
    const Part = ({ id }) => {
      const view = useResilientSSE(id, options);
      views.push({ id, ...view });
      return React.createElement('p', null, `${view.status} ${JSON.stringify(view.data)}`);
    };
    const show = async (...ids) => {
      root.render(React.createElement(React.StrictMode, null, ids.map((id, i) => React.createElement(Part, { key: i, id }))));
      await until(() => ids.every((id) => views.some((view) => view.id === id)), 'the first render');
      await new Promise((resolve) => { setTimeout(resolve, 20); });
      await settle();
    };
    const leave = async () => {
      roots.pop().unmount();
      await until(() => !page.open.length, 'an end to each connection');
      const asked = page.requests.length;
      await new Promise((resolve) => { setTimeout(resolve, 20); });
      assert.equal(page.requests.length, asked);
      assert.deepEqual(complaints, [], 'React has no complaints (but for the old API)');
    };
    const text = (what) => until(() => element.textContent === what, `"${what}", it is "${element.textContent}"`);
    return { page, views, show, leave, text, element, view: () => views.at(-1) };
  };
  const named = (name, act) => test(`React ${version}: ${name}`, act);

  named('seed defects 1, 2, 6: status and data as they are; one connection under StrictMode; none afterwards', async () => {
    const { page, show, text, leave, view } = await mount();
    await show('a b');
    assert.equal(page.open.length, 1);
    assert.equal(page.last.url, '/api/stream/a%20b');
    await text('connecting null');
    await (await page.last.open()).send(GUARD(), connected());
    await text('connected null');
    await page.last.send(message('5-0', 'token', { t: 'Hel' }));
    await text('connected {"type":"token","data":{"t":"Hel"}}');
    assert.equal(view().lastEventId, '5-0');
    await page.last.send(message('6-0', 'failed', { why: 'quota' }));
    await text('failed {"why":"quota"}');
    assert.deepEqual(view().result, { why: 'quota' });
    await leave();
  });

  named('seed defect 8: reduce sees each of many events; they are rendered by the frame', async () => {
    const reduce = (all, event) => (event.type === 'token' ? all + event.data : all);
    const { page, show, text, leave, views } = await mount({ reduce, initial: '' });
    await show('s');
    await (await page.last.open()).send(GUARD());
    const before = views.length;
    let expected = '', block = '';
    for (let i = 1; i <= 300; i++) {
      expected += `${i} `;
      block += message(`${i}-0`, 'token', `${i} `);
      if (i % 3 === 0) {
        page.last.body.enqueue(new TextEncoder().encode(block));
        block = '';
      }
    }
    await page.last.send(message('900-0', 'completed', { n: 300 }));
    await text(`completed ${JSON.stringify(expected)}`);
    assert.ok(views.length - before < 60, `${views.length - before} renders for 300 events`);
    await leave();
  });

  named('seed defect 11: another id begins anew, and shows nothing of the one before; null is idle', async () => {
    const { page, show, text, leave, views } = await mount();
    await show('one');
    await (await page.last.open()).send(message('5-0', 'completed', 1));
    await text('completed 1');
    await show('two');
    assert.ok(views.filter((view) => view.id === 'two').every((view) => view.status === 'connecting' && view.data === null));
    await (await page.last.open()).send(GUARD(), message('7-0', 'a', 2));
    await text('connected {"type":"a","data":2}');
    const asked = page.requests.length;
    await show(null);
    await text('idle null');
    assert.equal(page.open.length, 0);
    await show(undefined);
    assert.equal(page.requests.length, asked);
    const from = views.length;
    await show('two');
    assert.ok(views.slice(from).every((view) => view.data === null), 'not what it was before, either');
    await leave();
  });

  named('seed defect 5: unmounted while it waits, it asks no more', async () => {
    const { page, show, text, leave } = await mount();
    await show('s');
    await page.last.cut();
    await text('reconnecting null');
    await leave();
  });

  named('two components, one connection; one that comes later misses nothing', async () => {
    const reduce = (all, event) => [...all, event.data];
    const { page, show, leave, element } = await mount({ reduce, initial: [] });
    await show('s', 's');
    assert.equal(page.open.length, 1);
    await (await page.last.open()).send(GUARD(), message('5-0', 'a', 1), message('6-0', 'a', 2));
    await until(() => element.textContent === 'connected [1,2]connected [1,2]', 'both');
    await show('s', 's', 's');
    await page.last.send(message('7-0', 'a', 3));
    await until(() => element.textContent === 'connected [1,2,3]'.repeat(3), `all three, not ${element.textContent}`);
    await show('s');
    assert.equal(page.open.length, 1);
    await leave();
  });

  named('reconnect and close', async () => {
    const { page, show, text, leave, view } = await mount();
    await show('s');
    await page.last.refuse(400);
    await text('error null');
    assert.equal(view().error.status, 400);
    const asked = page.requests.length;
    view().reconnect();
    await until(() => page.requests.length > asked, 'another request');
    await (await page.last.open()).send(GUARD());
    await text('connected null');
    view().close();
    await text('closed null');
    assert.equal(page.open.length, 0);
    await leave();
  });

  named('on a server: connecting, no request, no complaint', async () => {
    const { React, renderToString, useResilientSSE } = await loading;
    const page = new Page(document);
    const Part = ({ id }) => {
      const { status, data } = useResilientSSE(id, { initial: 'none' });
      return React.createElement('p', null, `${status}-${data}`);
    };
    assert.match(renderToString(React.createElement(Part, { id: 's' })), /connecting-none/);
    assert.match(renderToString(React.createElement(Part, { id: null })), /idle-none/);
    assert.equal(page.requests.length, 0);
  });
}
