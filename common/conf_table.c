#include "common/conf_parts.h"

enum { MS = 1, SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE, KIB = 1024, MIB = 1024 * KIB };

#define OPTION(n, k) .name = #n, .kind = (k), .at = offsetof(struct sr_conf, n)
#define TEXT(n) OPTION(n, SR_KIND_TEXT)
#define WORD(n) OPTION(n, SR_KIND_WORD)
#define NUMBER(n, from, to) OPTION(n, SR_KIND_NUMBER), .low = (from), .high = (to)
#define DURATION(n, from, to) OPTION(n, SR_KIND_DURATION), .low = (from), .high = (to)
#define SIZE(n, from, to) OPTION(n, SR_KIND_SIZE), .low = (from), .high = (to)

const struct sr_option sr_options[SR_CONF_COUNT] = {
	{TEXT(redis_url), .initial = "unix:///run/redis/redis-server.sock", .check = sr_check_redis_url, .quiet = true,
	 .help = "Where Redis listens: unix:///path or redis://[user@]host[:port][/db]."},
	{TEXT(redis_password_file), .initial = "",
	 .help = "File whose first line is the Redis password; others must not be able to read it. Empty: no AUTH."},
	{TEXT(key_prefix), .initial = "sse:", .check = sr_check_key_prefix,
	 .help = "What every Redis key and channel begins with."},
	{TEXT(mount), .initial = "/api/stream", .check = sr_check_mount,
	 .help = "Path under which the web server hands requests to sse-fcgi."},
	{TEXT(user_variable), .initial = "REMOTE_USER", .check = sr_check_variable,
	 .help = "CGI variable that names the user. The web server must set it itself and never pass a client's."},
	{WORD(anonymous), .initial = "deny", .words = "deny|allow",
	 .help = "Requests without a user: deny answers 401; with allow the stream's id is its only secret."},
	{DURATION(heartbeat_interval, 100 * MS, 5 * MINUTE), .initial = "15s",
	 .help = "Time between two comments that keep a client's connection open."},
	{DURATION(beat_interval, 100 * MS, 5 * MINUTE), .initial = "10s",
	 .help = "Time between two heartbeats to the registry; at most half of stale_threshold."},
	{DURATION(stale_threshold, 300 * MS, HOUR), .initial = "30s",
	 .help = "A stream without a heartbeat for so long is orphaned."},
	{DURATION(check_interval, 100 * MS, HOUR), .initial = "30s",
	 .help = "Time between two rounds of the guardian."},
	{DURATION(proof_window, 200 * MS, HOUR), .initial = "20s",
	 .help = "The guardian orphans only when Redis was writable for so long without a break."},
	{DURATION(stream_ttl, SECOND, 168 * HOUR), .initial = "3600s",
	 .help = "Redis keeps a stream's record for so long after its last heartbeat; above stale_threshold."},
	{DURATION(completion_ttl, SECOND, 168 * HOUR), .initial = "300s",
	 .help = "Redis keeps the end of a stream and its events for so long; at most stream_ttl."},
	{DURATION(orphan_grace, 0, 24 * HOUR), .initial = "60s",
	 .help = "An orphaned stream whose producer does not come back within this time has failed."},
	{DURATION(pending_wait, 0, 5 * MINUTE), .initial = "30s",
	 .help = "How long a request is held for a stream that nobody knows yet, or while Redis is away."},
	{NUMBER(log_events, 10, 1000000), .initial = "1000",
	 .help = "Events kept for each stream; older ones are dropped, and who missed them is told so."},
	{SIZE(event_bytes, 256, MIB), .initial = "64k",
	 .help = "Bytes of one event's data."},
	{SIZE(client_buffer, 4 * KIB, 16 * MIB), .initial = "64k",
	 .help = "Bytes kept for one slow client; past that it is sent on from the log once it can read again."},
	{DURATION(max_connection_age, SECOND, 24 * HOUR), .initial = "1h",
	 .help = "A client's connection is ended after about this time, after a whole event; the browser resumes."},
	{NUMBER(max_streams, 1, 1000000), .initial = "10000",
	 .help = "Connections that one responder holds at a time."},
	{DURATION(drain_window, 0, 5 * MINUTE), .initial = "5s",
	 .help = "On SIGTERM, clients are told to come back at a time spread over this window."},
	{DURATION(retry_min, 500 * MS, MINUTE), .initial = "2000ms",
	 .help = "Shortest reconnect delay that a client is told."},
	{DURATION(retry_max, 500 * MS, MINUTE), .initial = "4000ms",
	 .help = "Longest reconnect delay that a client is told; at least retry_min."},
	{WORD(on_unknown), .initial = "register", .words = "register|wait",
	 .help = "A client asks for a stream that nobody knows: register it, or wait for a producer to open it."},
	{NUMBER(intake_threads, 1, 64), .initial = "2",
	 .help = "Threads that read requests from the web server."},
	{DURATION(receive_timeout, 100 * MS, MINUTE), .initial = "5s",
	 .help = "A whole FastCGI request must have come in by then."},
	{TEXT(publish_token_file), .initial = "",
	 .help = "Reserved for publishing over HTTP, which this version does not have."},
	{TEXT(cors_origins), .initial = "", .check = sr_check_origins,
	 .help = "Origins, separated by spaces, whose pages may read streams: https://app.example.org"},
	{TEXT(status_allow), .initial = "127.0.0.0/8 ::1 unix", .check = sr_check_addresses,
	 .help = "Who may read health and readiness: addresses, address/bits, and unix for a peer without one, "
	         "separated by spaces."},
	{WORD(log_level), .initial = "info", .words = "error|warn|info|debug",
	 .help = "error: someone must act. warn: degraded. info: life cycle. debug: all."},
	{TEXT(log_target), .initial = "stderr", .check = sr_check_log_target,
	 .help = "stderr, syslog, or the absolute path of a file, which SIGHUP reopens."},
};

