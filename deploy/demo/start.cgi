#!/bin/sh
# start.cgi - POST /start?id=ID of the demonstration page: opens a stream and lets a background job produce it.
# CGI (RFC 3875) under lighttpd, with the environment that deploy/run.sh sets:
#   SSE_CONFIG     the configuration, which ssectl finds by itself
#   SSE_DEMO_CTL   ssectl's path
#   SSE_DEMO_LOG   where the jobs' messages go
# Answers at once: 201, or 400, 403, 405, 409, 503 with {"error": ...}.
set -u
LC_ALL=C
PATH=/usr/local/bin:/usr/bin:/bin
export LC_ALL PATH

answer() { # STATUS JSON [HEADER]
	printf '%s\r\n' "Status: $1" 'Content-Type: application/json' 'Cache-Control: no-store' ${3:+"$3"} ''
	printf '%s\n' "$2"
	exit 0
}
refuse() { answer "$1" "{\"error\":\"$2\"}" "${3:-}"; }

# The job: about 40 tokens in six seconds over one connection, then the end. It begins again as `start.cgi --produce ID`
# because setsid takes a command.
tokens() {
	n=0
	for text in 'No ' 'stream ' 'lasts ' 'for ' 'ever: ' 'a ' 'train ' 'goes ' 'into ' 'a ' 'tunnel, ' 'a ' 'proxy ' 'loses ' \
		'patience, ' 'a ' 'worker ' 'is ' 'killed. ' 'What ' 'was ' 'sent ' 'meanwhile ' 'waits ' 'in ' 'the ' 'log; ' 'the ' \
		'browser ' 'says ' 'which ' 'event ' 'it ' 'saw ' 'last, ' 'and ' 'goes ' 'on ' 'from ' 'there.'; do
		n=$((n + 1))
		printf '{"type":"token","data":{"n":%d,"text":"%s"}}\n' "$n" "$text"
		sleep 0.15
	done
}
produce() {
	if tokens | "$SSE_DEMO_CTL" emit -- "$1" - >/dev/null; then
		"$SSE_DEMO_CTL" complete -- "$1" '{"tokens":40}'
	else
		"$SSE_DEMO_CTL" fail -- "$1" '{"reason":"the producer could not publish"}'
	fi
}
if [ "${1:-}" = --produce ]; then
	produce "$2"
	exit
fi

[ "${REQUEST_METHOD:-}" = POST ] || refuse '405 Method Not Allowed' 'use POST' 'Allow: POST'

# Another site's page may not start anything. Browsers send Origin with each POST; curl sends none, which is fine.
case ${HTTP_SEC_FETCH_SITE:-same-origin} in same-origin | none) ;; *) refuse '403 Forbidden' 'this is for its own page only' ;; esac
case ${HTTP_ORIGIN:-} in
'' | "http://${HTTP_HOST:-}" | "https://${HTTP_HOST:-}") ;;
*) refuse '403 Forbidden' 'this is for its own page only' ;;
esac

id=
query=${QUERY_STRING:-}
while [ -n "$query" ]; do
	case $query in id=*) id=${query%%&*} id=${id#id=} && break ;; esac
	case $query in *\&*) query=${query#*&} ;; *) query= ;; esac
done
# The only character of the grammar that form encoders escape.
while :; do
	case $id in
	*%3[Aa]*) id=${id%%%3[Aa]*}:${id#*%3[Aa]} ;;
	*) break ;;
	esac
done
case $id in
'' | - | *[!A-Za-z0-9._~:-]*) refuse '400 Bad Request' 'id must be 1 to 128 of A-Z a-z 0-9 . _ ~ : -' ;;
esac
[ ${#id} -le 128 ] || refuse '400 Bad Request' 'id is longer than 128'

set -- --type demo --lease
case ${HTTP_X_USER_ID:-} in
'') ;;
*[[:cntrl:]]*) refuse '400 Bad Request' 'x-user-id has a control character' ;;
*) set -- "$@" --user "$HTTP_X_USER_ID" ;;
esac

# Opening an id that is in use would take its lease over: ask first. 66: there is no such stream.
"$SSE_DEMO_CTL" recover -- "$id" </dev/null >/dev/null 2>&1
case $? in
66) ;;
0) refuse '409 Conflict' 'this id is in use' ;;
*) refuse '503 Service Unavailable' 'Redis does not answer' 'Retry-After: 2' ;;
esac
"$SSE_DEMO_CTL" open "$@" -- "$id" </dev/null >>"$SSE_DEMO_LOG" 2>&1 ||
	refuse '503 Service Unavailable' 'the stream could not be opened' 'Retry-After: 2'

# Nothing of the job may hold the CGI's output, or lighttpd would wait for its end.
setsid /bin/sh "$0" --produce "$id" </dev/null >>"$SSE_DEMO_LOG" 2>&1 &

answer '201 Created' "{\"streamId\":\"$id\"}" "Location: /api/stream/$id"
