import type { Transport } from './index.js';

export * from './index.js';

/** Listens by EventSource: `openStream(url, { transport: eventSource })`. The openStream of this module does so where fetch cannot stream. */
export const eventSource: Transport;
