// What a monitoring system makes of what it gets: Prometheus's text format, and the line of a monitoring plugin.
import assert from 'node:assert/strict';
import { run } from './proc.mjs';

/** {'name{labels}': number} of a page in text format 0.0.4. Strict: each family announced once, each sample once. */
export function parsePage(text) {
  const values = {}, types = {};
  let family;
  assert.ok(text.endsWith('\n'), 'the last line is whole');
  for (const line of text.slice(0, -1).split('\n')) {
    const head = line.match(/^# (HELP|TYPE) ([a-z_]+) (.+)$/);
    if (head?.[1] === 'HELP') {
      assert.ok(!(head[2] in types), `${head[2]} is announced once`);
      family = head[2];
      types[family] = undefined;
    } else if (head) {
      assert.equal(head[2], family, line);
      types[family] = head[3];
    } else {
      const sample = line.match(/^([a-z_]+)(\{(?:[a-z]+="[^"\\\n]*",?)+\})? (\d+(?:\.\d+)?)$/);
      assert.ok(sample, `a sample: ${line}`);
      assert.equal(sample[1], family, line);
      assert.equal(types[family], family.endsWith('_total') ? 'counter' : 'gauge', line);
      const name = sample[1] + (sample[2] ?? '');
      assert.ok(!(name in values), `${name} once`);
      values[name] = Number(sample[3]);
    }
  }
  return values;
}

/** promtool's opinion: no error, and nothing to improve. */
export async function assertLint(text) {
  const { code, stdout, stderr } = await run('promtool', ['check', 'metrics'], { input: text });
  assert.equal(code, 0, `promtool check metrics: ${stdout}${stderr}`);
  assert.equal(stdout + stderr, '', 'promtool has nothing to say');
}

const RANGE = /^(@?(~|-?\d+(\.\d+)?)?:?(-?\d+(\.\d+)?)?)?$/;

/** {state, text, data: {label: {value, unit, warning, critical, min}}} of a plugin's output (Development Guidelines, 2.6). */
export function parsePlugin(stdout) {
  assert.match(stdout, /^[^\n]+\n$/, 'one line');
  const [text, performance = '', ...more] = stdout.trimEnd().split('|');
  assert.deepEqual(more, [], 'one bar');
  const head = text.match(/^SSE (OK|WARNING|CRITICAL|UNKNOWN) - \S/);
  assert.ok(head, text);
  const data = {};
  for (const word of performance.split(' ').filter(Boolean)) {
    const parts = word.match(/^([^='|\s]+)=(U|-?\d+(?:\.\d+)?)(s|us|ms|%|B|KB|MB|TB|c)?(;.*)?$/);
    assert.ok(parts, `performance data: ${word}`);
    const [, label, value, unit = '', limits = ''] = parts;
    const [, warning = '', critical = '', min = '', max = '', ...rest] = limits.split(';');
    assert.deepEqual(rest, [], word);
    for (const range of [warning, critical]) assert.match(range, RANGE, word);
    for (const bound of [min, max]) assert.match(bound, /^(-?\d+(\.\d+)?)?$/, word);
    assert.ok(!(label in data), `${label} once`);
    data[label] = { value: value === 'U' ? undefined : Number(value), unit, warning, critical, min };
  }
  return { state: head[1], text: text.trim(), data };
}
