#!/bin/sh
# run-units.sh PROGRAM ... - run Criterion programs one after the other; fail if one fails, crashes, or runs no test.
set -u
[ -n "${SR_TIDY:-}" ] || exec bash "$(dirname "$0")/tidily.sh" sh "$0" "$@"
here=$(dirname "$0")
failed=0
total=0
for program in "$@"; do
	output=$(sh "$here/criterion.sh" "$program" -j2 --short-filename 2>&1)
	status=$?
	line=$(printf '%s\n' "$output" | grep -o 'Synthesis: .*' | tail -n 1)
	tested=$(printf '%s' "$line" | sed -n 's/.*Tested: [^0-9]*\([0-9]*\).*/\1/p')
	# Criterion colours its numbers only on a terminal.
	printf '%-24s %s\n' "$(basename "$program")" "${line:-no synthesis}"
	if [ "$status" -ne 0 ] || [ "${tested:-0}" -eq 0 ]; then
		printf '%s\n' "$output"
		failed=$((failed + 1))
	fi
	total=$((total + ${tested:-0}))
done
printf '%s Criterion tests in %s programs, %s programs failed\n' "$total" "$#" "$failed"
[ "$failed" -eq 0 ] && [ "$total" -gt 0 ]
