/**
 * One stream: attempts to hear it, one after the other, until it has ended.
 *
 *   connecting ──> connected <──> stalled            reconnecting, offline: waiting for the next attempt, or in it
 *       ^              │                             recovering: asking what became of it
 *       └─ reconnecting/recovering <─┘               polling: behind something that holds the stream back
 *                                                    orphaned: connected, but nobody produces at the moment
 *   completed failed cancelled expired closed: the end.  error: given up; reconnect() begins again
 *
 * What is asynchronous belongs to one attempt, `current`: `begin` ends the one before, and nothing of it is heard any more.
 * Each attempt has one timer. Time is Date.now(), which goes on while a machine sleeps.
 */
import { hear, recover, valueOf } from './transports.js';

const TERMINAL = ['completed', 'failed', 'cancelled'];
const RETRY_MS = 500, RETRY_MAX_MS = 30000, OPEN_MS = 20000, RECOVER_MS = 5000, POLL_MS = 3000, POLLS = 100, HEALTHY_MS = 10000, TICK_MS = 1000, LATE_MS = 5000, GRACE_MS = 2000, HIDDEN_MS = 75000;
const POLL = { code: 'http', status: 404 }; // why recover is asked when polling, and the error when nobody knows the stream

export const isOver = ({ status }) => [...TERMINAL, 'expired', 'closed', 'error'].includes(status);

/** Does id `a` come after `b`? Ids are `ms-seq`; of others only the same one is not new. */
export const isAfter = (a, b) => {
  const [x, y] = [a, b].map((id) => /^(\d+)-(\d+)$/.exec(id));
  return x && y ? (x[1] - y[1] || x[2] - y[2]) > 0 : a !== b;
};

/** Without an `event:` line {"type","data"} is an event of that type; all else is given as it is. */
const parseEvent = (data, type) => {
  try {
    data = JSON.parse(data);
    if (!type && typeof data.type === 'string') return data;
  } catch (plain) { /* text, or null */ }
  return { type, data };
};

/** onEvent({id, type, data}), onChange(state): see index.d.ts, also for url and options. Nothing happens before the caller is done. */
export function createStream(url, options, onEvent, onChange) {
  const { transport = hear, parse = parseEvent, persist, silence = 45000, giveUpAfter = 600000, onAuth } = options;
  const { document = {}, navigator = {} } = globalThis, watched = new AbortController();
  let base = RETRY_MS, attempt = 0, wrong = 0, held = 0, lostAt = 0, asked, orphaned, rewound;
  let current = new AbortController(), timer, heardAt, state = { status: 'idle', lastEventId: options.lastEventId || '', attempt, nextRetryAt: null, error: null, result: null };

  const later = (ms, act) => {
    clearTimeout(timer);
    timer = setTimeout(act, ms);
  };
  const begin = () => {
    current.abort();
    clearTimeout(timer);
    return current = new AbortController();
  };
  const change = (status, more) => {
    if (status !== state.status || attempt !== state.attempt || more) onChange(state = { ...state, error: null, nextRetryAt: null, ...more, status, attempt });
  };
  const finish = (status, more) => {
    begin();
    if (status !== 'error') watched.abort();
    change(status, more);
  };

  /* ---- what comes ---- */

  const heard = (status) => {
    lostAt = 0;
    change(orphaned ? 'orphaned' : status);
  };

  const store = (id) => {
    try {
      if (id) sessionStorage.setItem(persist, id);
      return sessionStorage.getItem(persist);
    } catch (denied) { /* after a reload: from the start, then */ }
  };
  const remember = (lastEventId) => {
    if (lastEventId) state = { ...state, lastEventId };
    if (persist) store(lastEventId);
  };

  /** Tell an event, once. Returns true when the stream is over. */
  const tell = (id, { type, data }) => {
    if (id && !rewound && !isAfter(id, state.lastEventId)) return;
    rewound = type === 'gap' && !id;
    attempt = wrong = 0;
    if (!rewound) orphaned = type === 'orphaned';
    onEvent({ id: id || '', type: type || 'message', data });
    remember(id);
    if (!isOver(state) && TERMINAL.includes(type)) finish(type, { result: data });
    return isOver(state);
  };

  /* The guard and `connected` say where the server goes on: that may be behind us, when Redis lost something. */
  const onBlock = ({ event: type, data, id, retry }) => {
    const event = data !== undefined && parse(data, type === 'message' ? '' : type);
    if (retry > 0) base = Math.max(100, retry);
    if (!event || event.type === 'connected') remember(id);
    else if (!tell(id, event)) heard('connected');
  };

  /* ---- attempts ---- */

  /** Begin an attempt: resolves with what the transport says at the end, unless another has begun. */
  const attend = async (through, ...on) => {
    const mine = begin(), cursor = state.lastEventId;
    const go = async () => through(options, mine.signal, await valueOf(url, { attempt, lastEventId: cursor }), cursor, ...on);
    const end = await go().catch((cause) => ({ code: 'network', cause }));
    return mine === current ? end : new Promise(() => {});
  };

  const retry = (error, wait = Math.max(error.after || 0, Math.random() * Math.min(RETRY_MAX_MS, base * 2 ** attempt))) => {
    const now = Date.now(), isOffline = navigator.onLine === false;
    begin();
    lostAt = lostAt || now;
    if (now - lostAt > giveUpAfter && !document.hidden && !isOffline) {
      ask({ code: 'gave-up', cause: error });
      return;
    }
    later(wait, connect);
    attempt++;
    change(isOffline ? 'offline' : 'reconnecting', { error, nextRetryAt: now + wait });
  };

  const refused = async (error) => {
    const isAgain = asked || !onAuth;
    asked = true;
    if (isAgain || await attend(async () => { await onAuth(error); })) finish('error', { error });
    else retry(error, 0);
  };

  const ended = (error, isExplained) => {
    const { code, status } = error;
    if (!isExplained && [204, 404, 410].includes(status)) ask(error);
    else if (/^40[13]$/.test(status)) refused(error);
    else if (status === 204) finish('closed');
    else if (status === 410) finish('expired');
    else if (code === 'format' ? ++wrong > 2 : code === 'http' && status < 500 && ![408, 425, 429].includes(status)) finish('error', { error });
    else retry(error);
  };

  /** Ask what became of the stream. `why`: POLL, or an end that was not explained; without one, before connecting. */
  const ask = async (why) => {
    const told = attend(recover);
    later(RECOVER_MS, () => current.abort());
    if (why !== POLL) change('recovering', { error: why || null });
    const answer = await told, { code, status, gap, events = [] } = answer;
    if (gap) tell('', { type: 'gap', data: gap });
    if (events.some((event) => tell(event.id, event))) return;
    if (answer.more) ask(why);
    else if (TERMINAL.includes(status)) tell('', { type: status, data: answer.terminalEventData });
    else if (status === 'expired') finish(status);
    else if (!why) connect();
    else if (why.code === 'gave-up') finish('error', { error: why });
    else if (!/^[ao]/.test(status)) { // neither active nor orphaned
      if (code) held = 0; // it is not the stream alone that does not come through
      ended(code ? answer : status && why.status === 404 ? POLL : why, true);
    } else if (why === POLL) {
      orphaned = status === 'orphaned';
      heard('polling');
      held -= 1 / POLLS; // after so many streaming gets another chance
      later(POLL_MS, connect);
    } else retry(why);
  };

  const listen = async () => {
    const since = heardAt = Date.now();
    let bytes;
    /* By time stamps. A timer that comes late (the machine slept, the tab is throttled) leaves time, once, to read what is queued. */
    const watch = (ms, isGrace) => {
      const due = Date.now() + ms + LATE_MS;
      later(ms, () => {
        const now = Date.now(), quiet = now - heardAt, limit = bytes ? Math.max(silence * (transport.patience || 1), document.hidden && HIDDEN_MS) : OPEN_MS;
        if (quiet < limit) {
          if (bytes && quiet > limit / 3 + 5000) change('stalled');
          watch(TICK_MS);
        } else if (now > due && !isGrace) watch(GRACE_MS, true);
        else {
          if (!bytes && transport === hear) held++;
          retry({ code: 'silence' });
        }
      });
    };
    const told = attend(transport, () => {
      bytes = true;
      asked = held = 0;
      heardAt = Date.now();
      if (heardAt - since > HEALTHY_MS) attempt = 0;
      heard('connected');
    }, onBlock);
    watch(TICK_MS);
    ended(await told);
  };

  const connect = () => {
    if (held > 1 || transport === 'poll') ask(POLL);
    else listen();
  };

  const reconnect = (wait) => {
    if (isOver(state) && state.status !== 'error') return;
    attempt = wrong = lostAt = asked = 0;
    retry(null, wait);
  };
  /* What was connected may be dead without knowing it after a time offline, or in the back/forward cache. */
  const wake = ({ type, persisted }) => {
    if (type === 'online' || persisted || (!document.hidden && (state.error || state.status === 'stalled'))) reconnect(Math.random() * 1000);
  };

  Promise.resolve().then(() => { // those who opened it listen by now, or have closed it
    if (isOver(state)) return;
    if (globalThis.addEventListener) ['online', 'pageshow', 'visibilitychange'].forEach((type) => addEventListener(type, wake, watched));
    remember(state.lastEventId || (persist && store()));
    change('connecting');
    if (state.lastEventId) ask();
    else connect();
  });
  return {
    get state() { return state; },
    reconnect: () => reconnect(0),
    close: () => (isOver(state) ? watched.abort() : finish('closed')),
  };
}
