#!/bin/sh
# install.sh - put files where a list says, or take them away again. For `make install` and `make uninstall`.
#
#   deploy/install.sh install   DESTDIR MODE:FILE:TARGET ...
#   deploy/install.sh uninstall DESTDIR MODE:FILE:TARGET ... -- DIRECTORY ...
#
# MODE is octal; or `link`, and FILE is the text of the link; or `conf`, a file that an administrator may have changed.
set -eu
action=$1 root=$2
shift 2
install=${INSTALL:-install}
die() { printf 'install.sh: %s\n' "$*" >&2; exit 1; }

put() { # MODE FILE TARGET
	mkdir -p "$(dirname "$root$3")" || die "cannot make $(dirname "$root$3")"
	case $1 in
	link) ln -sf "$2" "$root$3" ;;
	conf)
		if [ -e "$root$3" ] || [ -L "$root$3" ]; then
			cmp -s "$2" "$root$3" || echo "kept: $root$3; the new example is $2"
		else
			install -m 644 "$2" "$root$3"
		fi ;;
	755) $install -m 755 "$2" "$root$3" ;; # INSTALL may strip: only programs
	*) install -m "$1" "$2" "$root$3" ;;
	esac || die "cannot install $root$3"
}
take() { # MODE FILE TARGET
	if [ "$1" = conf ] && [ -e "$root$3" ] && ! cmp -s "$2" "$root$3"; then
		echo "kept: $root$3, which was changed"
	else
		rm -f "$root$3" || die "cannot remove $root$3"
	fi
}

while [ $# -gt 0 ] && [ "$1" != -- ]; do
	rest=${1#*:}
	case $action in
	install) put "${1%%:*}" "${rest%%:*}" "${rest#*:}" ;;
	uninstall) take "${1%%:*}" "${rest%%:*}" "${rest#*:}" ;;
	*) die "install or uninstall?" ;;
	esac
	shift
done
[ $# -eq 0 ] || shift
for directory; do
	[ ! -d "$root$directory" ] || find "$root$directory" -depth -type d -empty -delete
done
