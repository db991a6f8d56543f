#!/bin/sh
# run-valgrind.sh PROGRAM ... - Criterion programs under Valgrind. Criterion passes a test in which Valgrind found something, so
# its findings go to files, and a file with an error fails the run.
set -u
[ -n "${SR_TIDY:-}" ] || exec bash "$(dirname "$0")/tidily.sh" sh "$0" "$@"
here=$(dirname "$0")
logs=$(mktemp -d)
failed=0
for program in "$@"; do
	name=$(basename "$program")
	SR_SLOW=10 sh "$here/criterion.sh" valgrind --quiet --trace-children=yes --trace-children-skip='*redis-server*' --leak-check=full --show-leak-kinds=definite \
		--errors-for-leak-kinds=definite --log-file="$logs/$name.%p" "$program" -j1 --timeout 300 >"$logs/$name.out" 2>&1 || {
		cat "$logs/$name.out"
		failed=$((failed + 1))
	}
	printf '%-24s done\n' "$name"
done
found=$(grep -lE '(definitely lost|Invalid (read|write)|uninitialised)' "$logs"/*.[0-9]* 2>/dev/null | wc -l)
[ "$found" -eq 0 ] || grep -hE -A12 '(definitely lost|Invalid (read|write)|uninitialised)' "$logs"/*.[0-9]* | head -n 80
echo "valgrind: $# programs, $failed failed, $found reports"
[ "$failed" -eq 0 ] && [ "$found" -eq 0 ]
