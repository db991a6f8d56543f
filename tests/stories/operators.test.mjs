// The operators' view: the live picture of the streams, the orphans, and what other people's bytes do to a terminal.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { program, story } from '../support/world.mjs';
import { Terminal } from '../support/terminal.mjs';
import { repeatedly, stays, until, within } from '../support/wait.mjs';

const calm = { responders: false, lighttpd: false, guardian: false, conf: { stale_threshold: '60s', beat_interval: '10s' } };
const line = (world, ...args) => `${program('ssectl')} --config ${world.configFile} ${args.join(' ')}`;
const top = (world, options, ...args) => world.keep(new Terminal(`exec ${line(world, 'top', '--interval', '200ms', ...args)}`, { lines: 20, columns: 100, ...options }));
const rows = (screen) => screen.rows.slice(5).map((row) => (row ?? '').trim().split(/ +/)).filter(([id]) => id);
const ids = (screen) => rows(screen).map(([id]) => id);

/** Nothing on the way to the terminal that it would obey, but our own sequences. */
function assertHarmless(terminal) {
  assert.deepEqual(terminal.screen.unknown.map((s) => JSON.stringify(s)), []);
}

story('top in a terminal: draws, sorts, pauses, fits its size, and gives the terminal back', calm, async (world) => {
  for (const id of ['quiet', 'busy', 'loud']) await world.ctl('open', id, '--user', 'u1', '--lease');
  for (let i = 0; i < 5; i++) await world.ctl('emit', 'loud', 'token');
  writeFileSync(join(world.dir, 'shell.sh'), `stty rows 20 cols 100; stty -g; ${line(world, 'top', '--interval', '200ms')}; echo "status $?"; stty -g\n`);
  const terminal = world.keep(new Terminal(`bash ${world.dir}/shell.sh`));
  await terminal.until((screen) => ids(screen).length === 3, 'three streams');
  assert.ok(terminal.screen.alternate && !terminal.screen.cursor);
  assert.equal(ids(terminal.screen)[0], 'loud', 'without rates, viewers count, then events');
  assert.match(terminal.screen.text, /streams 3 active, 0 orphaned {2}viewers 0/);
  assert.match(terminal.screen.text, /memory [0-9.]+ MiB/);

  const producer = world.producer('busy');
  const emitting = repeatedly(async () => producer.emit('token', 1), 20);
  try {
    await terminal.until((screen) => ids(screen)[0] === 'busy' && Number(rows(screen)[0].at(-1)) > 0, 'the busy one first, and its rate');
    assert.match(terminal.screen.text, /events\/s [1-9]/);
    terminal.type('s');
    await terminal.shows(/by viewers/);
    terminal.type('ssss');
    await terminal.shows(/by id/);
    assert.deepEqual(ids(terminal.screen), ['busy', 'loud', 'quiet']);
    terminal.type('?');
    await terminal.shows(/q {2}quit/);
    terminal.type('\x1b[A'); // an arrow is no key of ours
    terminal.type('p');
    await terminal.shows(/paused/);
    const events = rows(terminal.screen)[0];
    await stays(() => rows(terminal.screen)[0].join() === events.join(), { during: 500, what: 'the paused picture' });
    terminal.type('p');
    await terminal.until((screen) => rows(screen)[0].join() !== events.join(), 'another picture');
  } finally {
    await emitting.stop();
  }
  await producer.finish();

  terminal.type('p'); // and so it draws only when it must
  await terminal.shows(/paused/);
  await terminal.resize(7, 44);
  await terminal.until((screen) => screen.rows.length === 7 && screen.rows.every((row) => [...(row ?? '')].length <= 44), 'seven short lines');
  assert.deepEqual(ids(terminal.screen), ['busy', 'loud']);
  assert.match(terminal.screen.rows[4], /^ID +SILENT VIEWERS {2}EVENTS EVENTS\/S *$/, 'what it is about stays');
  await terminal.resize(3, 10);
  await terminal.until((screen) => screen.rows.length === 3, 'three lines');
  await terminal.resize(30, 150);
  await terminal.until((screen) => ids(screen).length === 3, 'all of them again');

  terminal.type('q');
  assert.equal(await terminal.ended(), 0);
  assert.ok(!terminal.screen.alternate && terminal.screen.cursor);
  assertHarmless(terminal);
  const [before, after] = terminal.screen.rows.filter((row) => /^[0-9a-f]+:[0-9a-f:]+$/.test(row ?? ''));
  assert.ok(before && before === after, `the terminal's modes:\n${terminal.screen.text}`);
  assert.match(terminal.screen.text, /^status 0$/m);
});

story('top gives the terminal back on every signal, and takes it again behind a stop', calm, async (world) => {
  await world.ctl('open', 'a', '--user', 'u1');
  const script = join(world.dir, 'shell.sh');
  writeFileSync(script, `stty rows 20 cols 100; stty -g; ${line(world, 'top', '--interval', '200ms')}; echo "status $?"; stty -g\n`);
  for (const [signal, code] of [['SIGINT', 130], ['SIGTERM', 143], ['SIGHUP', 129], ['SIGQUIT', 131]]) {
    const terminal = world.keep(new Terminal(`bash ${script}`));
    await terminal.until((screen) => screen.alternate && ids(screen).length === 1, 'a picture');
    process.kill(await terminal.pid('ssectl'), signal);
    await terminal.shows(new RegExp(`status ${code}`));
    await terminal.ended();
    assert.ok(!terminal.screen.alternate && terminal.screen.cursor, signal);
    const modes = terminal.screen.rows.filter((row) => /^[0-9a-f]+:[0-9a-f:]+$/.test(row ?? ''));
    assert.ok(modes.length === 2 && modes[0] === modes[1], `${signal}: ${modes}`);
  }
  const denied = world.keep(new Terminal(`bash ${script}`));
  await denied.until((screen) => screen.alternate && ids(screen).length === 1, 'a picture');
  await world.redis.acl('SETUSER', 'default', '-zcard');
  await denied.shows(/ssectl: top: Redis at .* denies access: NOPERM[^]*status 77/);
  assert.ok(!denied.screen.alternate, 'said where it can be read');
  await world.redis.acl('SETUSER', 'default', '+zcard');
  const typed = world.keep(new Terminal(`bash ${script}`));
  await typed.until((screen) => screen.alternate && ids(screen).length === 1, 'a picture');
  typed.type('\x03');
  await typed.ended();
  assert.ok(!typed.screen.alternate);

  writeFileSync(script, `${line(world, 'top', '--interval', '200ms')}\necho "stopped $?"\nstty -a | grep -ow -e -*icanon -e -*echo | xargs\nbg\nwhile jobs -r | grep -q .; do sleep 0.1; done\necho "background $(stty -a | grep -ow -e -*icanon -e -*echo | xargs)"\nfg\necho "again $?"\nfg\necho "status $?"\n`);
  const terminal = world.keep(new Terminal(`bash --norc -i ${script}`, { lines: 20, columns: 100 }));
  await terminal.until((screen) => screen.alternate && ids(screen).length === 1, 'a picture');
  terminal.type('\x1a');
  await until(() => /\x1b\[\?1049l[^]*stopped 148[^]*\bicanon echo/.test(terminal.shown), { what: () => `a usable shell: ${terminal.shown}` });
  await until(() => /background icanon echo/.test(terminal.shown), { what: () => `one that is still usable behind bg: ${terminal.shown}` });
  assert.doesNotMatch(terminal.shown.match(/stopped 148([^]*)background/)[1], /\x1b\[\?1049h/, 'the screen stays the shell\'s');
  await terminal.until((screen) => screen.alternate && ids(screen).length === 1, 'the picture again');
  const shown = terminal.shown.length;
  process.kill(await terminal.pid('ssectl'), 'SIGSTOP'); // which it cannot answer
  await until(() => /again \d+[^]*\x1b\[\?1049h/.test(terminal.shown.slice(shown)), { what: () => `the screen taken again: ${terminal.shown.slice(shown)}` });
  terminal.type('q');
  await terminal.shows(/status 0/);
  await terminal.ended();
  assertHarmless(terminal);
});

story('top while Redis is killed, hangs, and comes back', { ...calm, timeout: 60000 }, async (world) => {
  await world.ctl('open', 'a', '--user', 'u1');
  const terminal = top(world);
  const pipe = world.command('top', '--interval', '200ms', '--json', '--deadline', '300ms');
  const mail = world.command('top', '--interval', '200ms', '--deadline', '300ms', '--rounds', '1000');
  await terminal.until((screen) => ids(screen).length === 1, 'a picture');
  await until(() => pipe.lines.length > 1, { what: 'objects' });
  await world.killRedis();
  await terminal.shows(/Redis has been away for /);
  assert.deepEqual(ids(terminal.screen), ['a'], 'the last picture stays');
  terminal.type('?');
  await terminal.shows(/q {2}quit/);
  terminal.type('?');
  await until(() => JSON.parse(pipe.lines.at(-1)).redis.available === false, { what: 'an object that says so' });
  await until(() => /Redis is away/.test(mail.stderr), { what: 'a note' });
  await world.startRedis();
  await terminal.until((screen) => !/away/.test(screen.text), 'the note gone', 20000);
  await until(() => JSON.parse(pipe.lines.at(-1)).redis.available, { deadline: 20000, what: 'an object of a Redis that answers' });
  await until(() => /answers again/.test(mail.stderr), { deadline: 20000, what: 'a second note' });
  await pipe.kill('SIGTERM');
  await mail.kill('SIGTERM');
  await world.server.process.freeze();
  await terminal.shows(/Redis has been away for /, 15000);
  process.kill(await terminal.pid('ssectl'), 'SIGTERM');
  assert.equal(await terminal.ended(within(2000)), 143, 'at once, although a call waits');
  assert.ok(!terminal.screen.alternate);
  world.server.process.signal('SIGCONT');
  assertHarmless(terminal);
});

story('top in a pipe: plain pictures or objects, as many as asked for', calm, async (world) => {
  for (let i = 0; i < 12; i++) await world.ctl('open', `s-${i}`, '--user', 'ada', '--type', 'export', '--lease');
  await world.ctl('emit', 's-7', 'token');
  const one = await world.ssectl(['top', '--rounds', '1']);
  assert.equal(one.code, 0, one.stderr);
  assert.doesNotMatch(one.stdout, /[\0-\x09\x0b-\x1f\x7f]/);
  assert.equal(one.stdout.split('\n').length, 4 + 1 + 12 + 1);
  assert.match(one.stdout.split('\n')[5], /^s-7 +active +ada +export .* 1 +-$/);
  const few = await world.ssectl(['top', '--rounds', '2', '--interval', '100ms'], { env: { LINES: '8', COLUMNS: '60' } });
  assert.equal(few.stdout.split('\n\nsse-resilience').length, 2, few.stdout);
  assert.ok(few.stdout.split('\n').every((text) => text.length <= 60) && few.stdout.split('\n').length === 2 * 8 + 2);
  const counted = world.keep(new Terminal(`exec ${line(world, 'top', '--rounds', '2', '--interval', '200ms')}`, { lines: 30, columns: 100 }));
  assert.equal(await counted.ended(), 0);
  assert.ok(!counted.screen.alternate && ids(counted.screen).length === 12, 'of counted rounds the last picture stays');
  const objects = (await world.ctl('top', '--rounds', '3', '--interval', '100ms', '--json')).split('\n').map((text) => JSON.parse(text));
  assert.equal(objects.length, 3);
  assert.equal(objects[0].eventsPerSecond, null);
  assert.equal(objects[2].eventsPerSecond, 0);
  assert.deepEqual(objects[2].streams.map(({ streamId }) => streamId)[0], 's-7');
  const { streams: [{ ageMs, silentMs, lastEventId, ...rest }], active, orphaned, partial } = objects[2];
  assert.ok(ageMs >= silentMs && silentMs >= 0 && /^\d+-0$/.test(lastEventId));
  assert.deepEqual(rest, { streamId: 's-7', state: 'active', streamType: 'export', userId: 'ada', leased: true, viewers: 0, logLength: 1, events: 1, eventsPerSecond: 0 });
  assert.deepEqual([active, orphaned, partial], [12, 0, false]);
  assert.equal((await world.json('top', '--rounds', '1', '--state', 'orphaned')).streams.length, 0);
  for (const [args, complaint] of [[['--state', 'failed'], /ssectl list/], [['--interval', '1'], /--interval/], [['--rounds', '0'], /--rounds/]]) {
    const { code, stderr } = await world.ssectl(['top', ...args]);
    assert.equal(code, 64, stderr);
    assert.match(stderr, complaint);
  }
  await world.redis.acl('SETUSER', 'default', '-info');
  assert.deepEqual((await world.json('top', '--rounds', '1')).redis, { available: true }, 'memory is left out where INFO is denied');
  await world.redis.acl('SETUSER', 'default', '+info');
  const { code } = await world.ssectl(['top', '--rounds', '1', '--redis-url', 'unix:///nowhere', '--deadline', '200ms']);
  assert.equal(code, 69);
});

story('more streams than a round looks at: the latest are looked at, and that is said; list has them all', calm, async (world) => {
  const fill = world.redis.pipeline();
  for (let i = 0; i < 10100; i++) {
    const id = `s-${String(i).padStart(5, '0')}`;
    fill.hset(`sse:stream:${id}`, 'streamId', id, 'streamType', 'export', 'userId', 'ada', 'state', 'active', 'startedAt', '2026-01-01T00:00:00.000Z');
    fill.expire(`sse:stream:${id}`, 1000).zadd('sse:active', 1e12 + i, id);
  }
  await fill.exec();
  const picture = await world.json('top', '--rounds', '1');
  assert.deepEqual([picture.active, picture.partial, picture.streams.length], [10100, true, 9000]);
  assert.deepEqual([picture.streams[0].streamId, picture.streams.at(-1).streamId], ['s-01100', 's-10099'], 'heard of last');
  assert.equal((await world.json('top', '--rounds', '1', '--state', 'active')).streams.length, 10000);
  const { stdout } = await world.ssectl(['top', '--rounds', '1'], { env: { LINES: '6' } });
  assert.match(stdout, /^only the 9000 streams that were heard of last were looked at$/m);
  assert.equal((await world.ctl('list')).split('\n').length, 1 + 10100);
});

story('top counts what streams got that ended meanwhile, and viewers', { guardian: false, conf: { stale_threshold: '30s', beat_interval: '5s' } }, async (world) => {
  await world.ctl('open', 'watched', '--user', 'u1', '--lease');
  const viewers = [await world.viewer('watched'), await world.viewer('watched')];
  const pipe = world.command('top', '--interval', '1s', '--json');
  const pictures = () => pipe.lines.map((text) => JSON.parse(text));
  await until(() => pipe.lines.length, { what: 'a picture' });
  assert.equal(pictures()[0].viewers, 2);
  assert.equal(pictures()[0].streams[0].viewers, 2);
  await until(() => pictures().some(({ responders }) => responders === 1), { what: 'the responder' });
  await world.ctl('emit', 'watched', 'token');
  await world.ctl('complete', 'watched');
  await until(() => pictures().some(({ active }) => active === 0), { what: 'a picture without it' });
  const seen = pictures().reduce((sum, { eventsPerSecond }, i) => sum + eventsPerSecond * (i ? (Date.parse(pictures()[i].at) - Date.parse(pictures()[i - 1].at)) / 1000 : 0), 0);
  assert.ok(Math.abs(seen - 2) < 0.2, `the last events count: ${seen}`);
  viewers.forEach((viewer) => viewer.close());
});

story('orphans: none, waited for with their due time, and lost', { lighttpd: false, conf: { orphan_grace: '4s' }, timeout: 60000 }, async (world) => {
  assert.equal(await world.ctl('orphans'), 'no orphans');
  assert.equal(await world.ctl('orphans', '--json'), '');
  const objects = async () => (await world.ctl('orphans', '--json')).split('\n').filter(Boolean).map((text) => JSON.parse(text));
  await world.ctl('open', 'job', '--user', 'ada', '--type', 'export', '--lease');
  const last = await world.ctl('emit', 'job', 'token');
  await world.ctl('open', 'ended', '--user', 'ada', '--lease');
  await world.ctl('fail', 'ended', '{"reason":"other"}');
  const [waiting] = await until(async () => { const list = await objects(); return list.length && list; }, { deadline: 15000, what: 'an orphan' });
  assert.deepEqual([waiting.streamId, waiting.state, waiting.streamType, waiting.userId, waiting.leased, waiting.viewers],
    ['job', 'orphaned', 'export', 'ada', true, 0]);
  assert.equal(Date.parse(waiting.failsAt) - Date.parse(waiting.orphanedAt), 4000);
  assert.notEqual(waiting.lastEventId, last, 'the orphaned event');
  assert.match(await world.ctl('orphans'), /^ID +STATE.*\njob +(orphaned +export +ada +yes +[0-9.]+s +[0-9.]+s +0 \d+-\d+|failed .*)$/);
  const [lost] = await until(async () => { const list = await objects(); return list[0].state === 'failed' && list; }, { deadline: 15000, what: 'its end' });
  assert.deepEqual([lost.streamId, lost.userId, lost.streamType, lost.failsAt], ['job', 'ada', 'export', undefined]);
  assert.ok(Date.parse(lost.failedAt) - Date.parse(waiting.orphanedAt) >= 4000);
  assert.match(await world.ctl('orphans'), /^ID .*\njob +failed +export +ada +yes +[0-9.]+s +- +0 \d+-\d+$/, 'the other failure is none of these');
});

story('other people\'s bytes never command a terminal', calm, async (world) => {
  const evil = '\x1b[31mred\x1b]0;title\x07\r\n\x9b2J\u009b2J\u202eback\u2066\x08\x7f';
  await world.ctl('open', 'evil', '--user', 'u1', '--lease');
  await world.ctl('emit', 'evil', 'token', JSON.stringify({ text: evil }));
  await world.redis.hset('sse:stream:evil', 'userId', evil, 'streamType', evil, 'metadata', JSON.stringify({ evil }), 'lastEventId', '1-1', evil, evil);
  await world.redis.hset('sse:viewers:evil', evil, '1 1');
  await world.redis.expire('sse:viewers:evil', 100);
  await world.redis.xadd('sse:events:evil', '*', 'type', evil, 'data', JSON.stringify({ evil }));
  await world.redis.xadd('sse:events:evil', '*', 'type', 'plain', 'data', evil);
  await world.redis.hset('sse:completion:evil', 'streamId', 'evil', 'terminalEventType', 'failed', 'terminalEventData', '{"reason":"orphaned"}', 'userId', evil, 'completedAt', evil, 'eventId', evil);
  await world.redis.expire('sse:completion:evil', 100);
  for (const command of ['list', 'show evil', 'top --rounds 1', 'orphans', 'list --json', 'show evil --json', 'top --rounds 1 --json', 'orphans --json', 'recover evil']) {
    const terminal = world.keep(new Terminal(`exec ${line(world, command)}`, { lines: 40, columns: 300 }));
    await terminal.ended();
    assertHarmless(terminal);
    assert.doesNotMatch(terminal.shown, /\x1b\[31mred/, `${command}: nor their colours`);
    assert.match(terminal.shown, /evil/, command);
    const first = terminal.shown.indexOf('\\u001b[31mred');
    assert.ok(first >= 0 || command.startsWith('top') || command === 'recover evil', `${command}: ${terminal.shown}`);
  }
  await world.redis.del('sse:completion:evil');
  await world.redis.hset('sse:stream:evil', 'lastEventId', '99999999999999-1');
  const live = top(world, { columns: 200 });
  await live.until((screen) => ids(screen)[0] === 'evil', 'the picture');
  assert.match(live.screen.text, /\\u001b\[/);
  live.type('q');
  assert.equal(await live.ended(), 0);
  assertHarmless(live);
  assert.doesNotMatch(live.shown, /\x1b\[31mred/);
  const watch = world.keep(new Terminal(`exec ${line(world, 'watch', 'evil')}`, { lines: 40, columns: 300 }));
  await watch.shows(/plain/);
  watch.type('\x03');
  await watch.ended();
  assertHarmless(watch);
  assert.doesNotMatch(watch.shown, /\x1b\[31mred/);
  assert.match(watch.shown, /\\u001b\[31mred/);
  const plain = world.keep(new Terminal(`exec ${line(world, 'list')}`, { env: { NO_COLOR: '1' } }));
  await plain.ended();
  assert.doesNotMatch(plain.shown, /\x1b/);
  const piped = await world.ssectl(['list']);
  assert.doesNotMatch(piped.stdout, /[\0-\x09\x0b-\x1f\x7f-\x9f\u202e]/u);
});
