#!/bin/sh
# install-deps.sh - install the Debian packages that are missing, and nothing else.
#
#   deploy/install-deps.sh build|run|test|browser|lint|deb ...      DEPS=skip: do nothing (another system, or packages made elsewhere)
#
# Debian 12 and 13. Silent when nothing is missing. Needs root or sudo only when something is.
set -u
LC_ALL=C
export LC_ALL

die() { printf 'install-deps: %s\n' "$*" >&2; exit 1; }

wanted=
want() { wanted="$wanted $*"; }
# Install PACKAGE only if a library is not there, under whatever package's name.
want_library() { ls /usr/lib/*/"$1" >/dev/null 2>&1 || want "$2"; }
# Install PACKAGE only if COMMAND is not there from elsewhere.
want_command() { command -v "$1" >/dev/null 2>&1 || want "$2"; }

node_is_new_enough() {
	version=$(node --version 2>/dev/null) || return 1
	version=${version#v}
	[ "${version%%.*}" -ge 18 ] 2>/dev/null
}

bad_usage() { printf '%s\n' "usage: deploy/install-deps.sh build|run|test|browser|lint|deb ..." >&2; exit 64; }
[ $# -gt 0 ] || bad_usage
for group in "$@"; do
	case $group in
	build) # libc6-dev: gcc only recommends it
		want gcc libc6-dev libfcgi-dev libhiredis-dev libjson-c-dev libev-dev libcurl4-openssl-dev
		want_command make make
		want_command pkg-config pkgconf ;;
	run)
		want redis-server lighttpd spawn-fcgi
		want_library libcurl.so.4 libcurl4 ;;
	test) # apache2-bin is the server without a service of the system's; systemd is for systemd-analyze, which needs none running,
	     # and procps for the /bin/kill of the units;
	     # php-cli to ruby-redis: the recipes of deploy/examples run in the tests; promtool is in Debian's prometheus
		want libcriterion-dev curl php-cli php-redis libredis-perl python3-redis ruby ruby-redis
		want apache2-bin nginx libfcgi-bin lighttpd-mod-openssl openssl systemd procps multiwatch logrotate
		node_is_new_enough || want nodejs
		want_command npm npm
		want_command promtool prometheus ;;
	browser) # three engines; webkit2gtk-driver has MiniBrowser, which like Firefox gets a screen from Xvfb
		want chromium firefox-esr webkit2gtk-driver xvfb xauth fonts-dejavu-core ;;
	lint) # libclang-rt-dev: the sanitizers' and libFuzzer's runtime for clang; mandoc checks the manual pages
		want clang clang-tidy cppcheck lua5.1 libclang-rt-dev valgrind shellcheck mandoc zsh fish ;;
	deb)
		want build-essential debhelper dpkg-dev fakeroot lintian mmdebstrap ;;
	*)
		bad_usage ;;
	esac
done
[ -n "$wanted" ] || exit 0
[ "${DEPS:-}" != skip ] || exit 0

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
	die "this is not Debian; install what these packages hold, then set DEPS=skip:$wanted"
fi

# One dpkg-query for all. A package it does not know is on stderr, and so in no list.
# shellcheck disable=SC2086 # a list of names
present=" $(dpkg-query -W -f '${Package}:${db:Status-Status} ' $wanted 2>/dev/null)"
missing=
for package in $wanted; do
	case $present in
	*" $package:installed "*) ;;
	*) missing="$missing $package" ;;
	esac
done
[ -n "$missing" ] || exit 0

printf 'installing:%s\n' "$missing"
if [ "$(id -u)" -eq 0 ]; then
	as_root=
elif command -v sudo >/dev/null; then
	as_root=sudo
else
	die "needs root to install packages: run 'apt-get install$missing' as root, or install sudo"
fi

# Debian starts a package's service as soon as it is installed: a Redis on 6379 and a web server on port 80 that nobody
# asked for. The documented switch is /usr/sbin/policy-rc.d (both invoke-rc.d and deb-systemd-invoke ask it, so it
# also works without systemd, where masking a unit would not). Ours denies these services only and is there only
# while apt-get runs; one that the administrator or a container image put there is left alone.
services=
for package in redis-server lighttpd nginx prometheus; do
	case "$missing " in *" $package "*) services="$services $package" ;; esac
done
policy=/usr/sbin/policy-rc.d
our_policy=

remove_policy() {
	[ -z "$our_policy" ] || $as_root rm -f "$policy"
	our_policy=
}
deny_start() {
	[ -n "$services" ] && [ ! -e "$policy" ] || return 0
	our_policy=yes
	$as_root tee "$policy" >/dev/null <<-'END' || die "cannot write $policy"
		#!/bin/sh
		# of sse-resilience/deploy/install-deps.sh, for one apt-get run; remove it if that was killed
		case $1 in redis-server* | lighttpd* | nginx* | prometheus*) exit 101 ;; esac
	END
	$as_root chmod 755 "$policy" || die "cannot write $policy"
}
trap remove_policy EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

apt() { # waits for another apt that holds the lock
	$as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=120 "$@"
}
all_have_candidates() {
	for package in $missing; do
		apt-cache policy "$package" 2>/dev/null | grep -q 'Candidate: [^(]' || return 1
	done
}
install() {
	# shellcheck disable=SC2086 # a list of names
	apt install -y --no-install-recommends $missing
}

deny_start
updated=
all_have_candidates || { apt update || die "apt-get update failed"; updated=yes; }
# Old package lists name files that the mirror no longer has: refresh them, once.
install || { [ -z "$updated" ] && apt update && install; } || die "apt-get could not install:$missing"
remove_policy

# Nor at the next boot. (update-rc.d tells systemd too.)
for service in $services; do
	$as_root update-rc.d "$service" disable >/dev/null 2>&1 || :
	echo "the system's own $service stays off; to have it: update-rc.d $service enable && service $service start"
done
