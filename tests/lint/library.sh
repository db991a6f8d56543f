#!/bin/sh
# library.sh BUILD CC - what the C library shows of itself: the names of its header, versioned, and no others; no data that calls
# could share; no way to print, to end the program, or to touch its signals; and a header that C11 and C++ read alone.
set -u
build=$1
cc=$2
header=common/lib/sse_resilience.h
bad=0
complain() { printf 'library: %s\n' "$1" >&2; bad=1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# differ WHAT: the names on stdin are not those of the header.
differ() {
	sort -u >"$work/found"
	diff "$work/declared" "$work/found" >"$work/diff" || complain "$1: < declared, > found: $(tr '\n' ' ' <"$work/diff")"
}
$cc -E -P $header | grep -oE 'sse_[a-z_]+ *\(' | tr -d ' (' | sort -u >"$work/declared"
[ "$(wc -l <"$work/declared")" -ge 16 ] || complain "only $(wc -l <"$work/declared") functions found in $header"
nm -D --defined-only "$build/libsse-resilience.so" | awk '$2 != "A" {print $3}' | sed 's/@@SSE_RESILIENCE_0\.1$//' | differ "$build/libsse-resilience.so"
nm -P -g --defined-only "$build/libsse-resilience.a" | awk 'NF > 2 {print $1}' | differ "$build/libsse-resilience.a"

# Writable data. fail_countdown: of mem.c, its only writer is not in the library. state: of clock.c, one a thread.
objdump -t "$build/libsse-resilience.a" | grep -E '[[:space:]]\.(t?data|t?bss)(\.|[[:space:]])' | grep -vF .data.rel.ro |
	awk '{print $NF}' | grep -vE '^(\.t?(data|bss).*|fail_countdown|state(\.[0-9]+)?|next_random\.state)$' >"$work/data"
[ -s "$work/data" ] && complain "writable data: $(tr '\n' ' ' <"$work/data")"

nm -D --undefined-only "$build/libsse-resilience.so" | awk '{print $2}' | sed 's/@.*//' |
	grep -xE '_*(v?[fd]?printf|f?puts|f?putc|putchar|perror|f?write|fopen|stdout|stderr|stdin|v?syslog|_?exit|signal|sigaction|sigprocmask|fork|setenv|setlocale)(_chk|64|_unlocked)?' |
	grep -vx write >"$work/calls" # write: to the pipe of a lookup, whose both ends are its own
[ -s "$work/calls" ] && complain "it must not use: $(tr '\n' ' ' <"$work/calls")"

readelf -d "$build/libsse-resilience.so" | grep -q 'SONAME.*\[libsse-resilience\.so\.0\]' || complain 'the soname is not libsse-resilience.so.0'
grep -nE '[^_]send(to|msg)?\(r?->?fd|[^a-z_]send\(.*fd' common/redis*.c | grep -vF MSG_NOSIGNAL >"$work/sends"
[ -s "$work/sends" ] && complain "a send() without MSG_NOSIGNAL: $(cat "$work/sends")"

version_in() { sed -n "s/^#define $2 \"\(.*\)\"/\1/p" "$1"; }
[ "$(version_in $header SSE_RESILIENCE_VERSION)" = "$(version_in common/conf.h SR_VERSION)" ] || complain 'the header has another version than conf.h'

printf '#include <sse_resilience.h>\nsse_options o = SSE_OPTIONS_INIT;\nsse_stream s = SSE_STREAM_INIT;\n' >"$work/alone.c"
$cc -std=c11 -pedantic -Wall -Wextra -Werror -fsyntax-only -Icommon/lib "$work/alone.c" || complain 'the header does not compile as C11'
clang -x c++ -std=c++11 -pedantic -Wall -Wextra -Werror -fsyntax-only -Icommon/lib "$work/alone.c" || complain 'the header does not compile as C++'
[ "$bad" -eq 0 ] && echo "library: $(wc -l <"$work/declared") functions ok"
exit "$bad"
