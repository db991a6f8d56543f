#!/bin/sh
# fill.sh - print a web server's configuration for sse-fcgi, filled in.
#
#   deploy/snippets/fill.sh lighttpd|apache|nginx|htaccess|sse.cgi|lighttpd-cgi|apache-cgi [MOUNT [SOCKET]]
#
#   MOUNT    sse-fcgi's option `mount`: where the streams are; /api/stream
#   SOCKET   of the responders: a path, or 127.0.0.1:PORT; /run/sse-resilience/fcgi.sock
#   SHARE    (environment) where the files of deploy/cgi are; /usr/share/sse-resilience
#   PROGRAM  (environment) what lighttpd-cgi and apache-cgi start for each request; /usr/sbin/sse-fcgi
#
# In the templates @MOUNT@ @SOCKET@ @SHARE@ @PROGRAM@ and @NAME@ (the last part of MOUNT) stand for values, lines that begin with @UNIX@ or @TCP@
# are for that kind of socket only, and @HOST@ and @PORT@ are the parts of a TCP one.
set -u
LC_ALL=C
export LC_ALL
die() { printf 'fill.sh: %s\n' "$*" >&2; exit 64; }

[ $# -ge 1 ] && [ $# -le 3 ] || die "usage: deploy/snippets/fill.sh lighttpd|apache|nginx|htaccess|sse.cgi|lighttpd-cgi|apache-cgi [MOUNT [SOCKET]]"
mount=${2:-/api/stream}
socket=${3:-/run/sse-resilience/fcgi.sock}
share=${SHARE:-/usr/share/sse-resilience}
program=${PROGRAM:-/usr/sbin/sse-fcgi}
folder=$(dirname "$0")
case $1 in
lighttpd | apache | nginx | lighttpd-cgi | apache-cgi) template=$folder/$1.conf.in ;;
htaccess) template=$folder/htaccess.in ;;
sse.cgi) template=$folder/../cgi/sse.cgi ;;
*) die "there is no snippet for $1: name lighttpd, apache, nginx, htaccess, sse.cgi, lighttpd-cgi or apache-cgi" ;;
esac

# These values go into quoted strings and regular expressions of four configuration languages, and through sed.
case $mount in
*//* | */ | *[!A-Za-z0-9._~/-]*) die "MOUNT=$mount must be a path of A-Z a-z 0-9 . _ ~ - / without // and without / at its end" ;;
/*) ;;
*) die "MOUNT=$mount must begin with /" ;;
esac
for path in "$socket" "$share" "$program"; do
	case $path in *[[:cntrl:]]* | *[\"\'\\\`\|\;\&\$%\#{}]*) die "$path has a character that the configuration files cannot hold" ;; esac
done
case $share in /*) ;; *) die "SHARE=$share must begin with /" ;; esac
case $program in /*) ;; *) die "PROGRAM=$program must begin with /" ;; esac
host=
port=
case $socket in
/*)
	kind=UNIX other=TCP ;;
*:*)
	kind=TCP other=UNIX host=${socket%:*} port=${socket##*:}
	case $port in '' | *[!0-9]*) die "SOCKET=$socket: $port is no port number" ;; esac ;;
*)
	die "SOCKET=$socket must be a path that begins with /, or HOST:PORT" ;;
esac

sed -e "/^@$other@/d" -e "s/^@$kind@//" -e "s|@MOUNT@|$mount|g" -e "s|@SOCKET@|$socket|g" -e "s|@SHARE@|$share|g" \
	-e "s|@PROGRAM@|$program|g" -e "s|@NAME@|${mount##*/}|g" -e "s|@HOST@|$host|g" -e "s|@PORT@|$port|g" "$template"
