#!/bin/bash
# tidily.sh COMMAND ... - run a command that tests, in a TMPDIR of its own which is gone at the end, however it ends (SR_KEEP=1 keeps it),
# and fail if it leaves a process running, or a file outside that folder. Within another tidily.sh it only runs the command.
#
# A process is the command's if it, or who started it, has that TMPDIR. Nothing tells whose a file is: one that is new in a common folder
# fails the run if it has a name that our programs and tests use and nobody uses it any more; others are only shown, but with SR_ALONE=1,
# on a machine where nobody else works, they fail it, too.
set -u
if [ -n "${SR_TIDY:-}" ]; then
	exec "$@"
fi
shared=(/tmp /var/tmp /dev/shm)
ours='^(sr-|sse-|test_)'

base=${TMPDIR:-/tmp}
base=${base%/}
[ "${#base}" -le 40 ] || base=/tmp # or the path of a Unix socket in it would be too long
SR_TIDY=$(mktemp -d "$base/sr.XXXXXX") || exit 1
export SR_TIDY TMPDIR=$SR_TIDY
chmod 711 "$SR_TIDY" # a web server's workers are not always root
here=$(cd "$(dirname "$0")/.." && pwd)

files() { # of the common folders, and of the source tree but for what is built
	find "${shared[@]}" -mindepth 1 -maxdepth 1 -user "$(id -u)" ! -path "$SR_TIDY" 2>/dev/null
	find "$here" \( -name .git -o -name node_modules -o -path "$here/build" -o -path "$here/run*" \) -prune -o -type f -print -o -type s -print 2>/dev/null
}

mentioned() { # TEXT: pids of those whose environment, command line or working folder has it
	local all=(/proc/[0-9]*) # before what looks at them is there
	{
		grep -lsF -e "$1" "${all[@]/%//environ}" "${all[@]/%//cmdline}"
		find "${all[@]}" -maxdepth 1 -name cwd -lname "$1*" 2>/dev/null
	} | cut -d/ -f3 | grep -vx $$ | sort -u
}

unused() { # FILE: it is there, has a name of ours, and nobody works with it
	[ -e "$1" ] && [[ ${1##*/} =~ $ours ]] && [ -z "$(mentioned "$1")" ]
}

gone() { # all that the command has started; in a moment, for what is killed may need one
	local try
	for try in 1 2 3 4 5 6 7 8 9 10 11 12; do
		[ -n "$(mentioned "$SR_TIDY")" ] || return 0
		[ "$try" -eq 12 ] || sleep 0.3
	done
	return 1
}

finish() {
	local status=$1 left='' new pid file bad=0
	trap '' INT TERM HUP
	gone || left=$(mentioned "$SR_TIDY")
	for pid in $left; do
		echo "tidily: left running: $pid $(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null)" >&2
		kill -KILL "$pid" 2>/dev/null
		bad=1
	done
	if [ "${SR_KEEP:-}" = 1 ] && [ -n "$(ls -A "$SR_TIDY")" ]; then
		echo "tidily: kept: $SR_TIDY" >&2
	else
		rm -rf "$SR_TIDY"
	fi
	mapfile -t new < <(files | sort | comm -13 <(echo "$before") -)
	for file in "${new[@]}"; do
		[ -e "$file" ] || continue
		if [ -n "${SR_ALONE:-}" ] || { unused "$file" && sleep 2 && unused "$file"; }; then
			echo "tidily: left behind: $file" >&2
			bad=1
		else
			echo "tidily: new meanwhile, ours or not: $file" >&2
		fi
	done
	[ "$bad" -eq 0 ] || [ "$status" -ne 0 ] || status=1
	exit "$status"
}

before=$(files | sort)
interrupted() {
	trap '' INT TERM HUP
	# shellcheck disable=SC2046 # pids
	kill -TERM $(mentioned "$SR_TIDY") 2>/dev/null
	finish "$1"
}
trap 'interrupted 130' INT
trap 'interrupted 143' TERM
trap 'interrupted 129' HUP
set -m # or the command would ignore SIGINT
"$@" <&0 &
set +m
wait "$!"
finish "$?"
