#!/bin/sh
# Turn the scripts into C: embed.sh FILE.lua ... >scripts.inc
# A script says its counts in a line "-- keys: 2 args: 3" ("3+" = at least 3) and what it builds on in "-- include: clock event".
# A script that producers may call directly says the version of its interface in "-- contract: 1"; the others are internal.
# The libraries stand before the script's own text; a shebang stays the first line. Comments and indentation are not sent to Redis.
set -eu
dir=$(dirname "$0")

assemble() {
	sed -n '1{/^#!/p;}' "$1"
	for lib in $(sed -n 's/^-- include: //p' "$1"); do
		[ -f "$dir/lib/$lib.lua" ] || { echo "embed.sh: $1 includes $lib, which is not in $dir/lib" >&2; exit 1; }
		cat "$dir/lib/$lib.lua"
	done
	sed '1{/^#!/d;}' "$1"
}

open_ended() {
	case $1 in *+) echo 1 ;; *) echo 0 ;; esac
}

for file in "$@"; do
	name=$(basename "$file" .lua)
	counts=$(sed -n 's/^-- keys: \([0-9]*+\{0,1\}\) args: \([0-9]*+\{0,1\}\)$/\1 \2/p' "$file")
	[ -n "$counts" ] || { echo "embed.sh: $file has no line '-- keys: N args: N'" >&2; exit 1; }
	contract=$(sed -n 's/^-- contract: \([1-9][0-9]*\)$/\1/p' "$file")
	text=$(assemble "$file" | sed -e '/^ *--/d' -e 's/^ *//' -e '/^$/d')
	sha=$(printf '%s\n' "$text" | sha1sum | cut -d' ' -f1)
	keys=${counts% *} args=${counts#* }
	upper=$(printf '%s' "$name" | tr '[:lower:]' '[:upper:]')
	printf '[SR_SCRIPT_%s] = {"%s", %d, %d, %d, %d, %d, "%s",\n' "$upper" "$name" "${keys%+}" "$(open_ended "$keys")" \
		"${args%+}" "$(open_ended "$args")" "${contract:-0}" "$sha"
	printf '%s\n' "$text" | sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/"/' -e 's/$/\\n"/'
	printf '},\n'
done
