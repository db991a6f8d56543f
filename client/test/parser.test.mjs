// The parser: what each field, line end and odd byte means, whatever the pieces in which the bytes come.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { createParser, LIMIT } from '../src/parser.js';

const bytesOf = (input) => (typeof input === 'string' ? new TextEncoder().encode(input) : Uint8Array.from(input));

/** What a page would hear: {type, data, id} of each block with data; `positions`: the ids of those without. */
function dispatched(pieces) {
  const events = [];
  const parse = createParser(({ event, data, id, retry }) => {
    const heard = { ...(data !== undefined && { type: event || 'message', data }), ...(id !== undefined && { id }), ...(/^\d+$/.test(retry) && { retry }) };
    if (Object.keys(heard).length) events.push(heard);
  });
  pieces.forEach((piece) => assert.equal(parse(piece), true));
  return events;
}

const m = (data, more) => ({ type: 'message', data, ...more });
const vectors = {
  'one event': ['data: a\n\n', [m('a')]],
  'carriage returns': ['data: a\r\rdata: b\r\r', [m('a'), m('b')]],
  'CRLF': ['data: a\r\n\r\ndata: b\r\n\r\n', [m('a'), m('b')]],
  'CRLF within an event': ['id: 1-0\r\ndata: a\r\ndata: b\r\n\r\n', [m('a\nb', { id: '1-0' })]],
  'line ends mixed': ['data: a\r\n\ndata: b\n\rdata: c\r\r\ndata: d\n\n', [m('a'), m('b'), m('c'), m('d')]],
  'a byte order mark at the start': [[0xef, 0xbb, 0xbf, ...bytesOf('data: a\n\n')], [m('a')]],
  'a second byte order mark is part of the name': [[0xef, 0xbb, 0xbf, 0xef, 0xbb, 0xbf, ...bytesOf('data: a\n\n')], []],
  'several lines of data': ['data: a\ndata\ndata:\ndata: b\n\n', [m('a\n\n\nb')]],
  'data without a colon': ['data\n\n', [m('')]],
  'data that is empty': ['data:\n\n', [m('')]],
  'one space after the colon is no part of it': ['data:a\n\ndata: a\n\ndata:  a\n\ndata:\ta\n\n', [m('a'), m('a'), m(' a'), m('\ta')]],
  'colons in the value': ['data: a:b: c\n\ndata::\n\n', [m('a:b: c'), m(':')]],
  'a type': ['event: token\ndata: a\n\n', [{ type: 'token', data: 'a' }]],
  'the last type counts': ['event: a\nevent: b\ndata: x\n\n', [{ type: 'b', data: 'x' }]],
  'an empty type is message': ['event: a\nevent:\ndata: x\n\n', [m('x')]],
  'a type is for one event': ['event: a\ndata: x\n\ndata: y\n\n', [{ type: 'a', data: 'x' }, m('y')]],
  'a type alone is no event': ['event: a\n\ndata: x\n\n', [m('x')]],
  'comments': [': a\n:\n:data: no\ndata: a\n: b\n\n', [m('a')]],
  'fields nobody knows': ['foo: a\nDATA: no\n data: no\ndata : no\ndatax: no\ndata: a\n\n', [m('a')]],
  'a field named like what objects have': ['__proto__: a\nconstructor: b\ntoString\ndata: a\n\n', [m('a')]],
  'an id': ['id: 1-0\ndata: a\n\n', [m('a', { id: '1-0' })]],
  'an id without data': ['id: 1-0\n\n', [{ id: '1-0' }]],
  'an id that is empty': ['id\ndata: a\n\n', [m('a', { id: '' })]],
  'an id with NUL does not count': ['id: 1-0\nid: 2\0-0\ndata: a\n\n', [m('a', { id: '1-0' })]],
  'retry': ['retry: 50\n\nretry: 5x\n\nretry: -5\n\nretry\n\n', [{ retry: '50' }]],
  'what is cut off is no event': ['data: a\n\ndata: b\nid: 2-0\n', [m('a')]],
  'a guard after a torn line': ['data: a\n\n:\nevent: sse-reset\nretry: 2000\nid: 1-0\n\nid: 1-1\ndata: b\n\n', [m('a'), { id: '1-0', retry: '2000' }, m('b', { id: '1-1' })]],
  'characters of two, three and four bytes': ['data: äé\u4e2d\u{1f600}\n\n', [m('äé\u4e2d\u{1f600}')]],
  'bytes that are no UTF-8': [[...bytesOf('data: a'), 0xff, ...bytesOf('b\n\n')], [m('a\ufffdb')]],
  'NUL in data': ['data: a\0b\n\n', [m('a\0b')]],
  'other separators end no line': ['data: a\u2028b\u2029c\u0085d\x0b\x0c\n\n', [m('a\u2028b\u2029c\u0085d\x0b\x0c')]],
  'blank lines': ['\n\r\n\n\ndata: a\n\n\n\n', [m('a')]],
};

for (const [name, [input, expected]] of Object.entries(vectors)) {
  test(`parser: ${name}, whole, split at each byte, byte by byte`, () => {
    const bytes = bytesOf(input);
    assert.deepEqual(dispatched([bytes]), expected, 'whole');
    for (let at = 0; at <= bytes.length; at++) assert.deepEqual(dispatched([bytes.subarray(0, at), bytes.subarray(at)]), expected, `split at ${at}`);
    assert.deepEqual(dispatched([...bytes].map((byte) => Uint8Array.of(byte))), expected, 'byte by byte');
    assert.deepEqual(dispatched([...bytes].flatMap((byte) => [Uint8Array.of(byte), new Uint8Array()])), expected, 'with empty pieces between');
  });
}

test('parser: an event that never ends is refused, many that end are not', () => {
  const parse = createParser(() => {}), piece = bytesOf(`data: ${'x'.repeat(1 << 20)}\n`);
  let pieces = 0;
  while (parse(piece)) assert.ok(++pieces < 20, 'no bound');
  assert.ok(pieces >= LIMIT / (1 << 20) - 2, `refused after ${pieces} MiB`);
  const patient = createParser(() => {}), whole = bytesOf(`data: ${'x'.repeat(1 << 20)}\n\n`);
  for (let i = 0; i < 40; i++) assert.equal(patient(whole), true);
});

test('parser: a long line in small pieces is not looked at again and again', () => {
  const piece = bytesOf('x'.repeat(64)), parse = createParser(() => {});
  parse(bytesOf('data: '));
  const start = process.cpuUsage().user;
  for (let i = 0; i < 60000; i++) parse(piece);
  assert.ok(process.cpuUsage().user - start < 10e6, 'a quadratic parser takes minutes');
});
