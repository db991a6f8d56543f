/** One stream of server-sent events: every event once, in order, and always an ending. */

export interface SSEvent<T = any> {
  /** The server's id; '' when the event has none. */
  readonly id: string;
  /** The `type` of a {"type","data"} message, else the name of its `event:` line, else `message`. `gap`: events before it are no longer there. */
  readonly type: string;
  readonly data: T;
}

/**
 * connecting, recovering (asking what became of it), connected, stalled (silent for longer than it should be), reconnecting, offline (the browser says
 * so), polling (something between here and the server holds the stream back), orphaned (connected, but nobody produces).
 * The end: completed, failed, cancelled; expired (it ended, the result is no longer kept); closed (by you, or the server has nothing more).
 * error: given up, until reconnect(), or until the browser is online again or the page is looked at again.
 */
export type Status =
  | 'idle' | 'connecting' | 'recovering' | 'connected' | 'stalled' | 'reconnecting' | 'offline' | 'polling' | 'orphaned'
  | 'completed' | 'failed' | 'cancelled' | 'expired' | 'closed' | 'error';

export interface StreamError {
  /**
   * http: `status` says which. network: `cause` is what fetch threw. silence: nothing came for too long. end: the response ended before the stream.
   * format: no event stream. closed: EventSource gave up. gave-up: `cause` is the StreamError of the last attempt.
   */
  readonly code: 'http' | 'network' | 'silence' | 'end' | 'format' | 'closed' | 'gave-up';
  readonly status?: number;
  readonly cause?: unknown;
}

export interface State<Result = any> {
  readonly status: Status;
  /** Where a new connection would go on. */
  readonly lastEventId: string;
  /** Attempts since the last event, or since a connection that lived for 10 s. */
  readonly attempt: number;
  /** While waiting: when the next attempt begins, as of Date.now(). */
  readonly nextRetryAt: number | null;
  /** Why there is no connection. */
  readonly error: StreamError | null;
  /** The data of the terminal event, once there is one. */
  readonly result: Result | null;
}

/** A way to listen: see resilient-sse/eventsource. Resolves when the response has ended. */
export interface Transport {
  (options: Options, signal: AbortSignal, url: string, lastEventId: string, onBytes: () => void,
    onBlock: (block: { event?: string; data?: string; id?: string; retry?: string }) => void): Promise<{ code: StreamError['code']; status?: number }>;
  /** Multiplies `silence`, for a transport that does not hear comments. */
  patience?: number;
}

export interface Options {
  /** Begin after this event, instead of at the start. */
  lastEventId?: string;
  /** What became of the stream, and what came after an event. Default: the URL with /recover after its path. */
  recoverUrl?: string;
  /** How to listen. Default: fetch; and `poll` when that is held back by something in between. */
  transport?: 'poll' | Transport;
  /** Sent with each request, or what returns them. */
  headers?: Record<string, string> | (() => Record<string, string> | Promise<Record<string, string>>);
  /** As of fetch. */
  credentials?: RequestCredentials;
  /** EventSource only: names of `event:` lines beside completed, failed, cancelled, gap and orphaned. */
  types?: string[];
  /** What a message says; nothing: not an event. Default: JSON, and text when it is none. Must not throw. `type` is '' without an `event:` line. */
  parse?: (data: string, type: string) => { type: string; data: unknown } | null | undefined;
  /** Milliseconds without a byte (comments count) after which a connection is dead; three heartbeats. Default 45000. */
  silence?: number;
  /** Milliseconds without a byte, while visible and online, after which to give up. Default 600000. */
  giveUpAfter?: number;
  /** A key of sessionStorage: after a reload go on where this page was. Only for pages that keep what they had, too. */
  persist?: string;
  /** 401 or 403: make it right (and try once more), or reject. */
  onAuth?: (error: StreamError) => unknown;
  /** Closes the stream. */
  signal?: AbortSignal;
  /** Instead of the global one. */
  fetch?: typeof fetch;
  /** Instead of the global one, for resilient-sse/eventsource. */
  EventSource?: any;
}

export interface ResilientStream<Result = any> extends AsyncIterable<SSEvent> {
  readonly state: State<Result>;
  /** Called now, and at each change of the state; returns what ends that. lastEventId alone is no change. */
  subscribe(observer: (state: State<Result>) => void): () => void;
  /**
   * Called with each event of this type, '*' for all; returns what ends that. Who listens at once, before the first await,
   * misses nothing, even when others of this page have listened for long. What a listener throws is reported, and harms nobody else.
   */
  on(type: string, listener: (event: SSEvent) => void): () => void;
  /** The state at the end. Never rejects. */
  readonly done: Promise<State<Result>>;
  /** Try now; also after `error`. */
  reconnect(): void;
  /** For good. The connection ends with the last handle. */
  close(): void;
}

/**
 * Opens a stream; the handles of a page that ask for the same (URL and options) share one connection (functions among the options are not compared). A URL that is a function is
 * called before each attempt, and not shared. The id goes as Last-Event-ID to a relative URL, as ?lastEventId= to an absolute one.
 * Reading it with `for await` ends with the stream (state and done tell how), and leaving the loop closes it.
 */
export function openStream<Result = any>(
  url: string | ((about: { attempt: number; lastEventId: string }) => string | Promise<string>),
  options?: Options,
): ResilientStream<Result>;
