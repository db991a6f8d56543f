#!/bin/sh
# with-sanitizer.sh FOLDER COMMAND ... - run a command whose programs write sanitizer reports to FOLDER, and fail on any report:
# a leak found at exit would otherwise pass, since neither Criterion nor a stopped daemon's parent looks at it.
set -u
reports=$1
shift
rm -rf "$reports"
mkdir -p "$reports"
reports=$(cd "$reports" && pwd)
SR_SANITIZER_LOG=$reports/report
ASAN_OPTIONS=abort_on_error=1:detect_leaks=1:log_path=$SR_SANITIZER_LOG
UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1:log_path=$SR_SANITIZER_LOG
TSAN_OPTIONS=halt_on_error=0:second_deadlock_stack=1:log_path=$SR_SANITIZER_LOG
export SR_SANITIZER_LOG ASAN_OPTIONS UBSAN_OPTIONS TSAN_OPTIONS
"$@"
status=$?
found=$(find "$reports" -type f -size +0 | wc -l)
if [ "$found" -gt 0 ]; then
	find "$reports" -type f -size +0 | head -n 5 | while read -r file; do
		printf -- '--- %s\n' "$file"
		head -n 60 "$file"
	done
	echo "with-sanitizer: $found reports in $reports" >&2
	exit 1
fi
echo "with-sanitizer: no report"
exit "$status"
