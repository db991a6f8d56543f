#!/bin/sh
# deb.sh DIRECTORY - build the Debian packages from a copy of the tree; `make deb`. The packages end up in DIRECTORY.
set -eu
cd "$(dirname "$0")/.."
die() { printf 'deb.sh: %s\n' "$*" >&2; exit 1; }
into=$1
version=$(sed -n 's/^#define SR_VERSION "\(.*\)"/\1/p' common/conf.h)
[ -n "$version" ] || die "common/conf.h has no SR_VERSION"
sed -n 1p deploy/debian/changelog | grep -q "($version)" || die "deploy/debian/changelog does not begin with version $version"

tree=$into/sse-resilience-$version
rm -rf "$into"
mkdir -p "$tree"
# What is known to git, as it is now; without git everything but what was built.
if [ -e .git ] && command -v git >/dev/null; then
	git ls-files --cached --others --exclude-standard -z | xargs -0 sh -c 'for f; do [ ! -e "$f" ] || printf "%s\0" "$f"; done' list
else
	find . -type f ! -path './.git' ! -path './.git/*' ! -path './build/*' ! -path './run*' ! -path '*/node_modules/*' -print0
fi | tar -c --null -T - -f - | tar -x -C "$tree" -f -
cp -R deploy/debian "$tree/debian"
[ ! -f common/lib/sse_resilience.c ] || cat "$tree/debian/control.library" >>"$tree/debian/control"
rm "$tree/debian/control.library"
(cd "$tree" && dpkg-buildpackage --no-sign --build=full) >"$into/build.log" 2>&1 || { tail -n 40 "$into/build.log" >&2; die "dpkg-buildpackage failed: $into/build.log"; }
rm -rf "$tree"
lintian --fail-on error,warning --allow-root --tag-display-limit 0 "$into"/*.changes || die "lintian complains"
ls "$into"/*.deb
