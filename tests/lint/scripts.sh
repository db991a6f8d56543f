#!/bin/sh
# scripts.sh LUA ... - each Lua script, put together with its libraries, is Lua 5.1; shell scripts parse.
set -u
luac=$(command -v luac5.1 || command -v luac) || { echo "scripts: no luac" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for script in "$@"; do
	{
		for lib in $(sed -n 's/^-- include: //p' "$script"); do cat "$(dirname "$script")/lib/$lib.lua"; done
		sed '1{/^#!/d;}' "$script"
	} >"$work/whole.lua"
	"$luac" -p "$work/whole.lua" || { echo "scripts: $script" >&2; exit 1; }
	# A global is a bug: Redis refuses it at run time, and only on the branch that uses it.
	globals=$("$luac" -l -p "$work/whole.lua" | grep -oE '[GS]ETGLOBAL.*; .*' | sed 's/.*; //' |
		grep -vE '^(redis|KEYS|ARGV|tonumber|tostring|string|table|math|ipairs|pairs|unpack|cjson|type|pcall)$' | sort -u)
	[ -z "$globals" ] || { echo "scripts: $script uses globals: $globals" >&2; exit 1; }
done
for file in common/lua/*.sh deploy/*.sh tests/*.sh tests/lint/*.sh .ci/run; do
	case $(head -n 1 "$file") in
	*bash*) bash -n "$file" || exit 1 ;;
	*) sh -n "$file" || exit 1 ;;
	esac
done
echo "scripts: $# Lua scripts ok"
