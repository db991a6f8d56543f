// The other implementation: a registry, completion store, guardian and client written afresh here, which issue the Redis
// commands and HTTP requests of the TypeScript pattern that this project shares its keys with.
import { exchange, HttpStream } from './sse.mjs';

const STREAM = 'sse:stream:', ACTIVE = 'sse:active', COMPLETION = 'sse:completion:';

export class SeedRegistry {
  constructor(redis) { this.redis = redis; }

  async register({ streamId, userId, streamType = 'generation', metadata = {}, at = new Date(), state = 'active' }) {
    const key = STREAM + streamId;
    if (await this.redis.exists(key)) return false;
    const when = at.toISOString();
    await this.redis.pipeline()
      .hset(key, { streamId, streamType, userId, startedAt: when, lastHeartbeat: when, state, metadata: JSON.stringify(metadata) })
      .expire(key, 3600)
      .zadd(ACTIVE, at.getTime(), streamId)
      .exec();
    return true;
  }

  async heartbeat(streamId) {
    const key = STREAM + streamId;
    if (!await this.redis.exists(key)) return false;
    const now = new Date();
    await this.redis.pipeline().hset(key, 'lastHeartbeat', now.toISOString()).zadd(ACTIVE, now.getTime(), streamId).exec();
    return true;
  }

  async unregister(streamId) {
    const key = STREAM + streamId;
    if (!await this.redis.hget(key, 'userId')) return false;
    await this.redis.pipeline().del(key).zrem(ACTIVE, streamId).exec();
    return true;
  }

  async getStream(streamId) {
    const record = await this.redis.hgetall(STREAM + streamId);
    if (!record.streamId) return null;
    return {
      ...record, startedAt: new Date(record.startedAt), lastHeartbeat: new Date(record.lastHeartbeat), metadata: JSON.parse(record.metadata),
    };
  }

  async getStaleStreams(thresholdSeconds = 30) {
    const stale = [];
    for (const id of await this.redis.zrangebyscore(ACTIVE, 0, Date.now() - thresholdSeconds * 1000)) {
      const stream = await this.getStream(id);
      if (stream?.state === 'active') stale.push(stream);
    }
    return stale;
  }

  async updateState(streamId, state) {
    const key = STREAM + streamId;
    if (!await this.redis.exists(key)) return false;
    await this.redis.hset(key, 'state', state);
    return true;
  }
}

export class SeedCompletionStore {
  constructor(redis) { this.redis = redis; }

  async storeCompletion({ streamId, type = 'completed', data = {}, at = new Date() }) {
    const key = COMPLETION + streamId;
    await this.redis.hset(key, { streamId, terminalEventType: type, terminalEventData: JSON.stringify(data), completedAt: at.toISOString() });
    await this.redis.expire(key, 300);
  }

  async getCompletion(streamId) {
    const stored = await this.redis.hgetall(COMPLETION + streamId);
    if (!stored.streamId) return null;
    return { ...stored, terminalEventData: JSON.parse(stored.terminalEventData || '{}'), completedAt: new Date(stored.completedAt) };
  }
}

/** One check of the guardian: what looks stale is marked. Returns the ids. */
export async function seedGuardianCheck(registry, thresholdSeconds) {
  const stale = await registry.getStaleStreams(thresholdSeconds);
  for (const stream of stale) await registry.updateState(stream.streamId, 'orphaned');
  return stale.map((stream) => stream.streamId);
}

/**
 * The page's hook: ask /recover first, then listen; only onmessage, told apart by the JSON type; after an error start over, at most three times.
 * Resolves to {status, data, messages}.
 */
export async function seedHook(base, id, { user = 'u1', pause = 20 } = {}) {
  const headers = { 'x-user-id': user };
  const messages = [];
  for (let attempt = 0; attempt < 4; attempt++) {
    if (attempt) await new Promise((resolve) => { setTimeout(resolve, pause * attempt); });
    const found = await exchange(`${base}/${id}/recover`, { headers }).then((answer) => JSON.parse(answer.text)).catch(() => ({}));
    if (found.status === 'completed') return { status: 'completed', data: found.terminalEventData, messages };
    const stream = new HttpStream(`${base}/${id}`, {
      headers,
      onEvent: (event) => {
        if (event.event !== 'message') return;
        messages.push(event.json);
        if (['completed', 'failed'].includes(event.json.type)) stream.close();
      },
    });
    await stream.closed;
    const last = messages.at(-1);
    if (['completed', 'failed'].includes(last?.type)) return { status: 'completed', data: last.data, messages };
  }
  return { status: 'error', messages };
}
