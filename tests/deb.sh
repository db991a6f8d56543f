#!/bin/sh
# deb.sh DIRECTORY - try the packages of DIRECTORY in a Debian of their own: install, three commands to a stream behind
# lighttpd, the same behind Apache, restart, upgrade, remove, purge. `make check-deb`. Takes some minutes.
#
# Needs root, mmdebstrap, and the Debian mirror of this machine. Everything runs in a folder, with its own processes and
# network: nothing of this machine is touched. SR_DEB_BASE=FILE keeps the bare Debian as a tar file for the next time.
set -eu
packages=$(cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
die() { printf 'deb.sh: %s\n' "$*" >&2; exit 1; }
[ "$(id -u)" -eq 0 ] || die "needs root"
command -v mmdebstrap >/dev/null && command -v unshare >/dev/null || die "needs mmdebstrap and unshare"
suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
sources=/etc/apt/sources.list.d/debian.sources
[ -r "$sources" ] || sources=/etc/apt/sources.list

work=$(mktemp -d)
root=$work/root
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

base=${SR_DEB_BASE:-$work/base.tar}
[ -s "$base" ] || mmdebstrap --quiet --variant=minbase --include=ca-certificates "$suite" "$base" "$sources"
mkdir "$root"
tar -x -C "$root" -f "$base"
mkdir "$root/deb"
cp "$packages"/*.deb "$here/deb-inside.sh" "$root/deb/"
rm -f "$root"/deb/*-dbgsym_*.deb
# Without an init, invoke-rc.d starts nothing unless it is told to.
printf '#!/bin/sh\nexit 0\n' >"$root/usr/sbin/policy-rc.d"
chmod 755 "$root/usr/sbin/policy-rc.d"
cp /etc/resolv.conf "$root/etc/resolv.conf"

# With the network: only fetch. The rest happens without one, in namespaces that end with the script, and all it started.
chroot "$root" sh -c 'apt-get -qq update && apt-get -qq install --download-only -y /deb/*.deb systemd redis-server lighttpd apache2 openssl curl' >"$work/fetch.log" 2>&1 ||
	{ cat "$work/fetch.log" >&2; die "cannot fetch the packages that ours need"; }
unshare --mount --net --pid --fork --kill-child --uts sh -c '
	mount -t proc proc "$1/proc" && mount -t tmpfs tmpfs "$1/run" && mkdir -p "$1/dev/pts" && mount -t devpts devpts "$1/dev/pts" && ip link set lo up && exec env -i PATH="$PATH" TERM=dumb chroot "$1" sh /deb/deb-inside.sh' sh "$root"
