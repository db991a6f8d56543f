#!/bin/sh
# sse.cgi - plain CGI in front of running sse-fcgi processes, for sites that may only write .htaccess files. One small process a
# request: this shell becomes cgi-fcgi (Debian: libfcgi-bin), which copies what the responder sends.
#
# `ssectl snippet sse.cgi` prints it. Copy it into the site under the name that is the mount point's last part, e.g. to
# DOCROOT/api/stream for /api/stream, make it executable, and put what `ssectl snippet htaccess` prints beside it.
# SSE_FCGI_SOCKET (SetEnv) names another socket.
#
# The .htaccess names this script as the page for status 500, which is what becomes of a request when no responder answers. It
# then runs a second time, and says `retry:` to a stream, as any status but 200 stops an EventSource for good. No blank
# line: WebKit keeps a half-received event over a reconnect, and a blank line would dispatch it.
if [ "${REDIRECT_STATUS:-200}" -ge 500 ]; then
	case ${REDIRECT_REQUEST_METHOD:-GET}-${REDIRECT_URL#"$SCRIPT_NAME"} in
	*-/*/recover | *-/-/* | [!GH]*)
		printf 'Status: 503 Service Unavailable\r\nContent-Type: application/json\r\nCache-Control: no-store\r\nRetry-After: 3\r\n\r\n'
		printf '{"error":"sse-fcgi does not answer"}\n' ;;
	*)
		printf 'Status: 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache, no-transform\r\n\r\n'
		printf ':\nretry: %d\n: sse-fcgi does not answer\n' $((2000 + $$ * 7919 % 2000)) ;;
	esac
	exit
fi
case ${PATH_INFO:-}-${REMOTE_ADDR:-} in
/-/*-127.0.0.1 | /-/*-::1) ;;
/-/*) # health and metrics are for this machine only
	printf 'Status: 403 Forbidden\r\nContent-Type: application/json\r\n\r\n{"error":"only from this machine"}\n'
	exit ;;
esac
exec cgi-fcgi -bind -connect "${SSE_FCGI_SOCKET:-@SOCKET@}"
