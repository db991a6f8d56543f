#!/bin/sh
# away.cgi - what lighttpd answers below the mount point when it has no answer from sse-fcgi: see server.error-handler in
# deploy/snippets/lighttpd.conf.in. mod_cgi runs it with /bin/sh, as .../retry for a stream and .../away for anything else; the
# status that lighttpd was about to send is in REDIRECT_STATUS. Nothing of the request goes into an answer. Behind .../retry-cgi and
# .../away-cgi (lighttpd-cgi.conf.in) lighttpd starts sse-fcgi itself, and 404 is what it says when that program is not there.
#
# The stream has no blank line: WebKit keeps a half-received event over a reconnect, and a blank line would dispatch it.
# The first colon spoils a torn line, and `retry:` counts as soon as its line is whole. See deploy/README.md.
case ${REDIRECT_STATUS:-}-${REDIRECT_URI:-} in
50[0234]-*/retry | 50[0234]-*/retry-cgi | 404-*/retry-cgi)
	# Process ids are neighbours, their multiples are spread.
	printf 'Status: 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache, no-transform\r\n\r\n'
	printf ':\nretry: %d\n: sse-fcgi does not answer\n' $((2000 + $$ * 7919 % 2000)) ;;
50[0234]-* | 404-*/away-cgi)
	printf 'Status: 503 Service Unavailable\r\nContent-Type: application/json\r\nCache-Control: no-store\r\nRetry-After: 3\r\n\r\n'
	printf '{"error":"sse-fcgi does not answer"}\n' ;;
4[0-9][0-9]-* | 50[0-9]-*) # lighttpd's own refusal, as 401 without a password: it stays
	printf 'Status: %s\r\nContent-Type: application/json\r\nCache-Control: no-store\r\n\r\n{"error":"refused by the web server"}\n' "$REDIRECT_STATUS" ;;
*) # somebody asks for this page itself
	printf 'Status: 404 Not Found\r\nContent-Type: application/json\r\n\r\n{"error":"no such page"}\n' ;;
esac
