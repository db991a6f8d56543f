#!/bin/sh
# manual.sh - sse-resilience-redis.7 says what the scripts say: for each public script its contract, the names of its keys and
# arguments in their order, and its return codes, as in the script's head comment; and the keys of common/keys.h, with their types.
# mandoc finds nothing to complain about in any page.
set -u
page=deploy/man/sse-resilience-redis.7
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bad=0
compare() { # WHAT: $work/script against $work/page
	diff -u --label "$2" --label "$page, $1" "$work/script" "$work/page" >&2 || bad=1
}

# names KEYS|ARGV FILE: "KEYS 1 active" a line. What is in parentheses or behind a comma explains, and is no name.
names() {
	awk -v what="$1" '
		!/^-- / { exit }
		$2 ~ /^(KEYS|ARGV|Returns)$/ { on = $2 == what }
		on { sub(/^-- +(KEYS|ARGV)?/, ""); text = text " " $0 }
		END {
			gsub(/\([^()]*\)/, "", text)
			while (match(text, /[0-9]+ [a-z_]+( [a-z]+)?/)) {
				print what, substr(text, RSTART, RLENGTH)
				text = substr(text, RSTART + RLENGTH)
			}
		}' "$2"
}
# codes FILE: "returns -1" a line, of "{-1, ..." in the comment behind Returns, or of a line that begins with the code.
codes() {
	awk '!/^-- / { exit } /^-- Returns/ { on = 1 } on' "$1" | grep -oE '(\{|^--   | {3})-?[0-9]+' | grep -oE -- '-?[0-9]+$' | sort -nu | sed 's/^/returns /'
}

for script in common/lua/*.lua; do
	contract=$(sed -n 's/^-- contract: //p' "$script")
	name=$(basename "$script" .lua)
	sed -n "/^\\.Ss $name\$/,/^\\.S[sh] /p" "$page" | sed '1d;$d' >"$work/section"
	if [ -z "$contract" ]; then
		[ ! -s "$work/section" ] || { echo "manual: $page describes $name, which is internal" >&2; bad=1; }
		continue
	fi
	[ -s "$work/section" ] || { echo "manual: $page does not describe $name, which is public" >&2; bad=1; }
	{
		echo "contract $contract"
		names KEYS "$script"
		names ARGV "$script"
		codes "$script"
	} >"$work/script"
	{
		sed -n 's/^Contract \([0-9]*\)\.$/contract \1/p' "$work/section"
		sed -n 's/^\.It \(KEYS\|ARGV\) \([0-9]*\) Ta \([^ ]*\( [a-z]*\)\{0,1\}\) Ta.*/\1 \2 \3/p' "$work/section"
		grep -oE '^\.It Li \{?-?[0-9]+' "$work/section" | grep -oE -- '-?[0-9]+$' | sort -nu | sed 's/^/returns /'
	} >"$work/page"
	compare "$name" "$script"
	# The numbers of names are those of the counts, which the build puts into the table of scripts.
	counts=$(sed -n 's/^-- keys: \([0-9]*\)+* args: \([0-9]*\)+*$/\1 \2/p' "$script")
	[ "$(grep -c ^KEYS "$work/page") $(grep -c ^ARGV "$work/page")" = "$counts" ] ||
		{ echo "manual: $page names another number of keys and arguments of $name than $script counts: $counts" >&2; bad=1; }
done

# keys.h: SR_KEY_X, /* {prefix}stem:{id} type: what */
sed -n -e 's#.*{prefix}\([^ ]*\) *\(hash\|zset\|stream\|string\): .*#sse:\1 \2#p' -e 's#.*{prefix}\([^ ]*\) *Pub/Sub channel.*#sse:\1 channel#p' common/keys.h |
	sed 's/{id}/ID/; s/{name}/NAME/' | sort >"$work/script"
sed -n 's/^\.It Li \(sse:[^ ]*\) Ta \([a-z]*\) Ta .*/\1 \2/p' "$page" | sort >"$work/page"
[ -s "$work/script" ] || bad=1
compare keys common/keys.h

for file in deploy/man/*.[1-8]; do
	mandoc -Tlint -Wstyle "$file" >&2 || bad=1
done
[ "$bad" -eq 0 ] && echo 'manual: ok'
exit "$bad"
