#!/usr/bin/python3
"""python-redis.py STREAM USER - progress of long work from Python, straight to Redis. Needs python3-redis and the scripts' texts:
     mkdir scripts; for s in open publish beat; do ssectl script show $s >scripts/$s.lua; done
Copy the class; how it is used stands below it. sse-resilience-redis(7) explains the calls."""
import hashlib, json, os, secrets, signal, sys, threading, time
import redis

POLICY = (1000, 3600000, 300000)  # log_events, stream_ttl, completion_ttl: as in sse-resilience.conf


class Stream:
    """with Stream(id, user) as stream: an exception, sys.exit() or SIGTERM inside ends the stream as failed."""

    def __init__(self, stream_id, user):
        self.id, self.user, self.n, self.lease, self.ended = stream_id, user, 0, "", False
        self.producer = secrets.token_hex(8)  # with n it tells Redis a repeat from something new
        self.closing = threading.Event()
        try:
            folder = os.environ.get("SSE_SCRIPTS", "scripts")
            self.texts = {name: open(f"{folder}/{name}.lua", encoding="utf-8").read() for name in ("open", "publish", "beat")}
        except OSError as error:
            sys.exit(f"{error.filename}: {error.strerror}")

    def __enter__(self):
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # which would end Python at once
        self.lease = self.call("open", self.id, f"sse:channel:{self.id}", "", self.user, "", 1, *POLICY)[1]
        threading.Thread(target=self.beat, daemon=True).start()
        return self

    def __exit__(self, kind, error, trace):
        self.closing.set()
        reason = f"exit {error.code}" if kind is SystemExit else getattr(error, "strerror", None) or str(error)  # an OSError without its path
        if not self.ended:
            self.emit("failed" if error else "completed", {"reason": reason} if error else {})

    def emit(self, kind, data):
        """Store one event. completed, failed and cancelled end the stream. Raises when somebody else has ended it."""
        self.n += 1
        self.call("publish", self.id, f"sse:channel:{self.id}", self.user, 1, self.producer, self.n, *POLICY, kind, json.dumps(data, allow_nan=False))
        self.ended = kind in ("completed", "failed", "cancelled")

    def beat(self):
        """A thread of its own, for long silence: without a sign of life the guardian takes this program for dead."""
        while not self.closing.wait(float(os.environ.get("SSE_BEAT", 10))):
            if self.call("beat", "", "sse:channel:", *POLICY, self.id, self.lease, "")[0] not in (1, -1):
                return  # it has ended, or another producer has taken it: the next emit says so

    def call(self, script, *args):
        """Call a script until Redis answers. An error never means "not stored": the same call again is harmless."""
        keys = ["sse:active", "sse:orphaned"] + [f"sse:{name}:{self.id}" for name in ("stream", "completion", "events", "viewers")]
        end = time.monotonic() + 20
        while True:
            try:  # on a connection of its own: one that a signal cut half-way would give the next call the last one's reply
                with redis.Redis(unix_socket_path=os.environ.get("SSE_REDIS", "/run/redis/redis-server.sock"), socket_timeout=4,
                                 socket_connect_timeout=2, decode_responses=True) as connection:
                    try:
                        reply = connection.evalsha(hashlib.sha1(self.texts[script].encode()).hexdigest(), 6, *keys, *args)
                    except redis.exceptions.NoScriptError:  # Redis lost its cache of scripts
                        reply = connection.eval(self.texts[script], 6, *keys, *args)
                break
            except redis.exceptions.RedisError:  # no connection, no answer in time, OOM, READONLY, LOADING ...
                if time.monotonic() > end and script != "beat":  # beats go on, however long Redis is away
                    raise
                time.sleep(0.2)
        self.ended = self.ended or reply[0] == -2  # by somebody else
        if reply[0] >= 0 or script == "beat":
            return reply
        raise RuntimeError(f"{script} of {self.id} was refused: {reply}")


if len(sys.argv) != 3:
    print("usage: python-redis.py STREAM USER", file=sys.stderr)
    sys.exit(64)
with Stream(sys.argv[1], sys.argv[2]) as stream:
    for part in range(1, 6):
        time.sleep(float(os.environ.get("PACE", 1)))  # the work
        if part == 3 and "DIE" in os.environ:
            raise {"exception": ValueError("no more rows"), "exit": SystemExit(3)}[os.environ["DIE"]]
        stream.emit("progress", {"part": part, "of": 5})
    stream.emit("completed", {"rows": 1200})
