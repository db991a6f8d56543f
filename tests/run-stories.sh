#!/bin/bash
# run-stories.sh [FILE ...] - run the stories (all of them by default) one file after the other; a skipped test is a failure.
set -u
[ -n "${SR_TIDY:-}" ] || exec bash "$(dirname "$0")/tidily.sh" bash "$0" "$@"
cd "$(dirname "$0")" || exit 1
# 5000 streams need as many descriptors here and in the responder.
ulimit -n 16384 2>/dev/null || ulimit -n "$(ulimit -Hn)"
if [ $# -eq 0 ]; then
	set -- support/*.test.mjs stories/*.test.mjs
else
	for file in "$@"; do
		shift
		set -- "$@" "${file#tests/}"
	done
fi
output=$(mktemp)
trap 'rm -f "$output" "$output.status"' EXIT
# Each story has its own deadline; this one is for a runner that hangs.
{ timeout --kill-after=10 "${STORY_TIMEOUT:-1500}" node --test --test-reporter=spec --test-concurrency=1 "$@" 2>&1; echo "$?" >"$output.status"; } | tee "$output"
status=$(cat "$output.status")
counted() { sed -n "s/^.* $1 \([0-9][0-9]*\)\$/\1/p" "$output" | tail -n 1; }
skipped=$(counted skipped)
todo=$(counted todo)
passed=$(counted pass)
if [ "${skipped:-1}" -ne 0 ] || [ "${todo:-1}" -ne 0 ] || [ "${passed:-0}" -eq 0 ]; then
	echo "run-stories: passed ${passed:-0}, skipped ${skipped:-?}, todo ${todo:-?}: a test that did not run is a failure" >&2
	exit 1
fi
exit "$status"
