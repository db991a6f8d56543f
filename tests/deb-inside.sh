#!/bin/sh
# deb-inside.sh - the part of tests/deb.sh that runs in the Debian of its own. Never run it elsewhere.
set -eu
export LC_ALL=C DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin:/sbin:/bin
[ -d /deb ] && [ ! -e /sys/class ] || { echo "deb-inside.sh: only inside tests/deb.sh" >&2; exit 64; }
step() { printf '\n== %s\n' "$*"; }
die() { printf 'deb-inside.sh: FAILED: %s\n' "$*" >&2; exit 1; }
quietly() { "$@" >/tmp/said 2>&1 || { cat /tmp/said >&2; die "$*"; }; }
install() { quietly apt-get -y "$@"; }
within() { # SECONDS COMMAND ...
	tries=$(($1 * 10))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$((tries -= 1))" -gt 0 ] || die "not in time: $*"
		sleep 0.1
	done
}
files() { find / -xdev \( -path /proc -o -path /run -o -path /tmp -o -path /dev -o -path /var/lib/dpkg -o -path /var/lib/apt -o -path /var/cache -o -path /var/log/apt -o -path /deb \) -prune \
	-o \( ! -path '/var/log/*' -o -path '*sse*' \) -print | sort; }

# A stream from its opening to its end, for ada, through whatever web server there is.
stream() { # ID
	ssectl open "$1" --user ada
	curl -sS -N -m 20 -u ada:secret "http://127.0.0.1/api/stream/$1" >"/tmp/$1.out" &
	reader=$!
	within 10 grep -q '"connected"' "/tmp/$1.out"
	ssectl emit "$1" progress '{"percent":40}' >/dev/null
	within 10 grep -q '"percent":40' "/tmp/$1.out"
	ssectl complete "$1" '{"rows":7}' >/dev/null
	wait "$reader" || die "the stream of $1 did not end: $(cat "/tmp/$1.out")"
	grep -q '"completed"' "/tmp/$1.out" || die "no completed: $(cat "/tmp/$1.out")"
	[ "$(curl -sS -o /dev/null -w '%{http_code}' "http://127.0.0.1/api/stream/$1")" = 401 ] || die "a stream without a user is not 401"
}

step "a web server and Redis are there already, and files are counted"
install install systemd lighttpd redis-server openssl curl spawn-fcgi multiwatch
systemd-tmpfiles --create >/dev/null 2>&1 || :
quietly service redis-server start || :
files >/tmp/before

step "first command: apt install"
install install /deb/*.deb
[ "$(stat -c '%U %a' /run/sse-resilience/fcgi.sock)" = 'www-data 600' ] || die "the socket is $(stat -c '%U %a' /run/sse-resilience/fcgi.sock)"
[ "$(ps -o user:20= -C sse-fcgi | sort | uniq -c | tr -s ' ')" = ' 2 sse-resilience' ] || die "not two responders of sse-resilience: $(ps aux)"
[ "$(ps -o user:20= -C sse-guardian | tr -d ' ')" = sse-resilience ] || die "no guardian of sse-resilience"
quietly service sse-fcgi status
quietly service sse-guardian status
quietly sse-fcgi --check-config
within 10 ssectl status
ssectl status | sed 's/^/   /'

step "second command: a user"
echo "ada:$(openssl passwd -6 secret)" >/etc/sse-resilience/htpasswd

step "third command: lighty-enable-mod"
quietly lighty-enable-mod sse-resilience
quietly lighttpd -tt -f /etc/lighttpd/lighttpd.conf
quietly service lighttpd restart
within 10 curl -sS -o /dev/null http://127.0.0.1/
stream behind-lighttpd

step "a restart, one after the other"
old=$(pgrep -x sse-fcgi | sort | tr '\n' ' ')
quietly service sse-fcgi rolling
[ "$(pgrep -x sse-fcgi | wc -l)" = 2 ] && [ "$(pgrep -x sse-fcgi | sort | tr '\n' ' ')" != "$old" ] || die "not two new responders"
stream after-rolling

step "an upgrade keeps the configuration"
echo 'heartbeat_interval = 14s' >>/etc/sse-resilience/sse-resilience.conf
install install --reinstall /deb/*.deb
grep -qx 'heartbeat_interval = 14s' /etc/sse-resilience/sse-resilience.conf || die "the configuration was overwritten"
stream after-upgrade

step "the same behind Apache"
quietly service lighttpd stop
install install apache2
quietly a2enmod proxy proxy_fcgi headers setenvif asis auth_basic authn_file authz_user alias
quietly a2enconf sse-resilience
quietly apache2ctl configtest
quietly service apache2 restart
within 10 curl -sS -o /dev/null http://127.0.0.1/
stream behind-apache
quietly service apache2 stop
quietly service lighttpd start

step "everything is in its place, and what it says of itself agrees"
doc=/usr/share/doc/sse-resilience
for file in /usr/share/man/man1/ssectl.1.gz /usr/share/man/man5/sse-resilience.conf.5.gz /usr/share/man/man7/sse-resilience.7.gz /usr/share/man/man7/sse-resilience-redis.7.gz \
	/usr/share/man/man8/sse-fcgi.8.gz /usr/share/man/man8/sse-guardian.8.gz /usr/share/bash-completion/completions/ssectl /usr/share/zsh/vendor-completions/_ssectl \
	/usr/share/fish/vendor_completions.d/ssectl.fish /etc/logrotate.d/sse-resilience /usr/lib/tmpfiles.d/sse-resilience.conf /usr/lib/sysusers.d/sse-resilience.conf \
	/etc/init.d/sse-fcgi /etc/init.d/sse-guardian $doc/examples/nginx.conf $doc/examples/cron.d/sse-guardian $doc/examples/recipes/shell-ssectl.sh $doc/README.Debian; do
	[ -s "$file" ] || [ -s "$file.gz" ] || die "$file is missing"
done
sse-fcgi --config=/dev/null --dump-config | sed 's/ =.*//' | while read -r option; do
	grep -q "^#$option =" $doc/examples/sse-resilience.conf || die "sse-resilience.conf has no #$option"
done
for pair in lighttpd:/etc/lighttpd/conf-available/50-sse-resilience.conf apache:/etc/apache2/conf-available/sse-resilience.conf sysv:/etc/init.d/sse-fcgi logrotate:/etc/logrotate.d/sse-resilience; do
	ssectl snippet "${pair%%:*}" >/tmp/snippet
	cmp /tmp/snippet "${pair#*:}" || die "ssectl snippet ${pair%%:*} is not ${pair#*:}"
done
units=$(dpkg -L sse-resilience | grep -E '/systemd/system/.*\.(service|socket|timer)$')
[ "$(echo "$units" | wc -l)" = 6 ] || die "not six units: $units"
# shellcheck disable=SC2046 # names of files
quietly systemd-analyze verify --man=no $(echo "$units" | sed 's/@\./@1./')
[ ! -s /tmp/said ] || die "systemd-analyze verify: $(cat /tmp/said)"
for unit in $(echo "$units" | grep service); do
	systemd-analyze security --no-pager --offline=true "$unit" 2>&1 | sed -n 's/^.*Overall exposure level for \(.*\)$/   \1/p'
done
[ -e /etc/systemd/system/multi-user.target.wants/sse-fcgi.service ] && [ -e /etc/systemd/system/sockets.target.wants/sse-fcgi.socket ] || die "the units are not enabled"
[ ! -e /etc/systemd/system/timers.target.wants/sse-guardian.timer ] || die "the timer is enabled, though the guardian runs"

step "remove: nothing runs, the web server goes on, the configuration stays"
install remove sse-resilience
for name in sse-fcgi sse-guardian multiwatch; do
	! pgrep -x "$name" >/dev/null || die "$name still runs"
done
quietly lighttpd -tt -f /etc/lighttpd/lighttpd.conf
quietly service lighttpd restart
within 10 curl -sS -o /dev/null http://127.0.0.1/
[ -s /etc/sse-resilience/sse-resilience.conf ] || die "remove took the configuration"
[ -z "$(find /etc/*/conf-enabled -name '*sse-resilience*')" ] || die "a web server still uses it: $(find /etc/*/conf-enabled -name '*sse-resilience*')"
quietly apache2ctl configtest

step "purge: nothing is left"
# shellcheck disable=SC2046 # names of packages
install purge sse-resilience $(dpkg-query -W -f '${Package} ' 'libsse-resilience*' 2>/dev/null || :)
[ -z "$(find /etc /var/lib/apache2 -name '*sse-resilience*' -o -name 'sse-*')" ] || die "left behind: $(find /etc /var/lib/apache2 -name '*sse-resilience*' -o -name 'sse-*')"
install purge apache2 apache2-bin apache2-data apache2-utils
install autoremove --purge
files >/tmp/after
# What other packages left, and what Apache made, is not ours.
comm -13 /tmp/before /tmp/after | grep -vE '^/(etc|var/(lib|cache|log|www))/apache2|^/var/www|^/etc/(ssl|rc|ld\.so\.cache)|^/var/lib/(systemd|redis)|^/etc/mime' >/tmp/left || :
grep -E '/(lib)?sse[-_]|ssectl' /tmp/after >>/tmp/left || :
[ ! -s /tmp/left ] || die "left behind: $(cat /tmp/left)"
! getent passwd sse-resilience >/dev/null || die "the user is left behind"
[ ! -e /run/sse-resilience ] || die "/run/sse-resilience is left behind"
quietly service lighttpd restart
within 10 curl -sS -o /dev/null http://127.0.0.1/
printf '\ndeb: all is well\n'
