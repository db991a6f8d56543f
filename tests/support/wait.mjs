// Waiting: until a condition holds, or while it must go on holding. Nothing here sleeps for a guessed time.
import { setTimeout as delay } from 'node:timers/promises';
import assert from 'node:assert/strict';

// Slow builds (sanitizers, valgrind) get more patience and smaller crowds.
const patience = Number(process.env.SR_PATIENCE ?? 1);
const scale = Number(process.env.SR_SCALE ?? 1);
assert.ok(patience >= 1 && scale >= 1, 'SR_PATIENCE and SR_SCALE are numbers from 1 up');

const TICK_MS = 15;

/** A crowd of `n`, divided by SR_SCALE, but never smaller than `least`. */
export const crowd = (n, least = 10) => Math.max(Math.min(n, least), Math.round(n / scale));

/** A deadline in ms, stretched by SR_PATIENCE. */
export const within = (ms) => ms * patience;

/**
 * `work`, which promises to take less than `ms`: what else the machine does can only make it longer, so one time in `tries` is enough.
 * Each time it must succeed. before: what is not measured; it gets the number of the try, and `work` what it returned.
 * Returns what `work` returned at last.
 */
export async function quickly(work, { ms, tries = 4, before = (turn) => turn, what }) {
  const took = [];
  for (;;) {
    const prepared = await before(took.length);
    const start = performance.now();
    const result = await work(prepared);
    took.push(Math.round(performance.now() - start));
    if (took.at(-1) < ms) return result;
    assert.ok(took.length < tries, `${described(what)} in less than ${ms} ms; it took ${took.join(', ')} ms`);
  }
}

const described = (what) => (typeof what === 'function' ? what() : what);

/**
 * Poll `condition` until it returns something truthy, and return that. What it throws is thrown at once.
 * what: names what is awaited, for the error; a function is asked only then.
 */
export async function until(condition, { deadline = 10000, what }) {
  assert.ok(what, 'until() needs the name of what it waits for');
  const end = performance.now() + within(deadline);
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (performance.now() > end) throw new Error(`not within ${within(deadline)} ms: ${described(what)}`);
    await delay(TICK_MS);
  }
}

/** Poll `condition` for `during` ms; it must be truthy each time. */
export async function stays(condition, { during, what }) {
  const end = performance.now() + during;
  while (performance.now() < end) {
    assert.ok(await condition(), `no longer true: ${described(what)}`);
    await delay(TICK_MS);
  }
}

/** `promise`, or an error that names `what` when it has not settled within `deadline` ms. */
export async function settled(promise, { deadline = 10000, what }) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${within(deadline)} ms: ${described(what)}`)), within(deadline));
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Call `fn` again and again, `every` ms apart, until `stop()` is called on the result; stop() returns the last error, if any. */
export function repeatedly(fn, every) {
  let running = true;
  const loop = (async () => {
    for (let turn = 0; running; turn++) {
      await fn(turn);
      await delay(every);
    }
  })();
  loop.catch(() => {}); // reported by stop()
  return { stop: () => { running = false; return loop; } };
}

/** Run `work(item, i)` for all items, at most `width` at a time. */
export async function each(items, width, work) {
  const results = new Array(items.length);
  let next = 0;
  const lane = async () => {
    while (next < items.length) {
      const i = next++;
      results[i] = await work(items[i], i);
    }
  };
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, lane));
  return results;
}
