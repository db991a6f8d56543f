import type { Options, SSEvent, State } from './index.js';

export interface HookOptions<Data> extends Options {
  /** Default: `/api/stream/${id}`. */
  url?: (id: string) => string;
  /** Called with each event; `data` is what it returned last. Must not change what it is given. */
  reduce?: (data: Data, event: SSEvent) => Data;
  /** `data` before the first event. Default null. */
  initial?: Data;
}

export interface HookState<Data, Result> extends State<Result> {
  /** What `reduce` made of the events; without it the last {type, data}, and at the end the result. */
  readonly data: Data;
  reconnect(): void;
  close(): void;
}

/** A stream as state. It begins anew with another id; null: none. Renders at most once a frame. Options are read when the stream begins. */
export function useResilientSSE<Data = any, Result = any>(streamId: string | null | undefined, options?: HookOptions<Data>): HookState<Data, Result>;
