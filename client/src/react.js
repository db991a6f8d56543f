/** useResilientSSE: see react.d.ts. React 16.8 and later, StrictMode, server rendering. */
import { useCallback, useEffect, useRef, useState } from 'react';
import { openStream } from './index.js';

const NONE = {};

/** At most one call a frame; a hidden page has no frames, so a timer runs beside. */
function perFrame(act) {
  let timer, frame;
  const stop = () => {
    clearTimeout(timer);
    if (frame) cancelAnimationFrame(frame);
    timer = frame = 0;
  };
  const go = () => {
    stop();
    act();
  };
  return [() => {
    if (timer) return;
    timer = setTimeout(go, 100);
    frame = globalThis.requestAnimationFrame && requestAnimationFrame(go);
  }, stop];
}

export function useResilientSSE(streamId, options = {}) {
  const { url = (id) => `/api/stream/${encodeURIComponent(id)}`, reduce, initial = null, ...rest } = options;
  const latest = useRef(), stream = useRef();
  const [view, setView] = useState(NONE);
  const isIdle = streamId === null || streamId === undefined;
  latest.current = { url, reduce, initial, rest };

  useEffect(() => {
    setView(NONE);
    if (isIdle) return undefined;
    const { current } = latest, handle = stream.current = openStream(current.url(streamId), current.rest);
    let data = current.initial;
    const [show, stop] = perFrame(() => setView({ ...handle.state, data, streamId }));
    const leave = [
      handle.on('*', (event) => {
        const fold = latest.current.reduce;
        data = fold ? fold(data, event) : { type: event.type, data: event.data };
        show();
      }),
      handle.subscribe(({ status, result }) => {
        if (/^(comple|fail|cancel)/.test(status) && !latest.current.reduce) data = result;
        if (status !== 'idle') show();
      }),
    ];
    return () => {
      stop();
      leave.forEach((act) => act());
      handle.close();
    };
  }, [streamId]);

  const reconnect = useCallback(() => stream.current && stream.current.reconnect(), []);
  const close = useCallback(() => stream.current && stream.current.close(), []);
  const { streamId: of, ...shown } = view;
  const state = of === streamId && !isIdle ? shown
    : { status: isIdle ? 'idle' : 'connecting', lastEventId: '', attempt: 0, nextRetryAt: null, error: null, result: null, data: initial };
  return { ...state, reconnect, close };
}
