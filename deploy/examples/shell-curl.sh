#!/bin/sh
# shell-curl.sh STREAM USER - progress of long work from a shell script on a host that has curl and nothing of ours.
# The responder's option publish_token_file names the tokens that may publish; SSE_TOKEN_FILE holds one of them.
set -eu
[ $# = 2 ] || { echo "usage: $0 STREAM USER" >&2; exit 64; }
id=$1 user=$2 # without quotes and backslashes
producer=$(od -An -N8 -tx1 /dev/urandom | tr -d ' \n')
n=0 # with the producer's name it makes keys by which a repeat is known
token=${SSE_TOKEN_FILE:-/etc/sse-resilience/token}
[ -r "$token" ] && [ -s "$token" ] || { echo "$token: no token can be read" >&2; exit 66; }
answer=$(mktemp)

# request METHOD QUERY BODY [KEY]: until there is an answer. Without one it is not known what happened: the same again, under the same
# key, is harmless. The token comes by standard input, for arguments can be seen by every user of the host.
request() {
	for wait in 0 1 1 1 2 2 4 4 8; do
		sleep "$wait"
		http=$(printf 'header = "Authorization: Bearer %s"\n' "$(cat "$token")" |
			curl --config - --silent --max-time 10 --output "$answer" --write-out '%{http_code}' --request "$1" --data-binary "$3" \
				--header 'Content-Type: application/json' ${2:+--url-query "$2"} ${4:+--header "Idempotency-Key: $4"} \
				"${SSE_URL:-http://127.0.0.1/api/stream}/$id") || http=000
		case $http in
		2??) return 0 ;;
		408 | 429 | 5?? | 000) ;; # 503: Redis is away, or the responder is being restarted
		*) cat "$answer" >&2; return 1 ;; # 409: it has ended
		esac
	done
	echo "$id: no answer, the last status was $http" >&2
	return 1
}
emit() { # TYPE JSON
	n=$((n + 1))
	request POST "user=$user" "{\"type\":\"$1\",\"data\":$2}" "$producer-$n"
}

opened='' beats=''
finish() { # however this script ends, but by kill -9: then the beats stop, and the guardian ends the stream
	status=$?
	trap - EXIT
	trap '' HUP INT TERM
	[ -z "$beats" ] || kill "$beats" 2>/dev/null || :
	[ -z "$opened" ] || emit failed "{\"reason\":\"exit code $status\"}" || :
	rm -f "$answer"
	exit "$status"
}
trap finish EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

request PUT '' "{\"user\":\"$user\",\"lease\":true}"
opened=yes
lease=$(sed -n 's/.*"lease":\([0-9]*\).*/\1/p' "$answer")
# Signs of life for as long as this script lives, while it is silent: $$ is this script. An empty POST is one.
(
	trap - EXIT HUP INT TERM
	answer=/dev/null
	while sleep "${SSE_BEAT:-10}" && kill -0 $$; do
		request POST "lease=$lease" '' || case $http in 404 | 409) exit ;; esac # else nobody answers, for now
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
