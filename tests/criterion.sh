#!/bin/sh
# criterion.sh PROGRAM [ARG ...] - run a Criterion program, or one under valgrind, and remove the socket that Criterion leaves behind: it is in
# /tmp, whatever TMPDIR is, and named after the process.
set -u
pid=$(mktemp) || exit 1
trap 'rm -f "/tmp/criterion_$(cat "$pid").sock" "$pid"' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
# shellcheck disable=SC2016 # for the inner shell, which becomes the program
sh -c 'echo $$ >"$0"; exec "$@"' "$pid" "$@"
