#!/bin/sh
# shell-ssectl.sh STREAM USER - progress of long work from a shell script, with ssectl, which retries and numbers by itself.
# Where the work is one command, `ssectl run` does all of this: see crontab.example.
set -eu
[ $# = 2 ] || { echo "usage: $0 STREAM USER" >&2; exit 64; }
id=$1 user=$2
: "${SSECTL:=ssectl}"
# Retries of this script's own would need --producer and --n, the same ones again.
producer=$(od -An -N8 -tx1 /dev/urandom | tr -d ' \n')
n=0
emit() { # TYPE JSON
	n=$((n + 1))
	"$SSECTL" emit "$id" "$1" "$2" --user "$user" --producer "$producer" --n "$n" --deadline 20s >/dev/null
}

opened='' beats=''
finish() { # however this script ends, but by kill -9: then the beats stop, and the guardian ends the stream
	status=$?
	trap - EXIT
	trap '' HUP INT TERM
	[ -z "$beats" ] || kill "$beats" 2>/dev/null || :
	[ -z "$opened" ] || emit failed "{\"reason\":\"exit code $status\"}" || echo "$id: its end could not be stored" >&2
	exit "$status"
}
trap finish EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

lease=$("$SSECTL" open "$id" --user "$user" --lease --deadline 20s --verbose) # says so while Redis is away
opened=yes
lease=${lease##* lease }
# Signs of life for as long as this script lives, while it is silent: $$ is this script.
(
	trap - EXIT HUP INT TERM
	while sleep "${SSE_BEAT:-10}" && kill -0 $$; do
		"$SSECTL" beat "$id" --epoch "$lease" || case $? in 69 | 75) ;; *) exit ;; esac # 69, 75: Redis is away, for now
	done
) >/dev/null 2>&1 &
beats=$!

for part in 1 2 3 4 5; do
	sleep "${PACE:-1}" # the work
	if [ "$part" = 3 ]; then
		case ${DIE:-} in
		exit) exit 3 ;;
		exception) ls /no/such/folder ;; # a command that fails: set -e ends the script
		esac
	fi
	emit progress "{\"part\":$part,\"of\":5}"
done
emit completed '{"rows":1200}'
opened=''
