#!/bin/sh
# examples.sh FILE ... - the recipes parse, in the languages of Debian's own packages, and can be read as documentation: at most 80 lines.
set -u
bad=0
for file in "$@"; do
	case $file in
	*.php) php -l "$file" >/dev/null || bad=1 ;;
	*.pl) perl -c "$file" 2>/dev/null || { perl -c "$file"; bad=1; } ;;
	*.py) /usr/bin/python3 -c 'import ast, sys; ast.parse(open(sys.argv[1]).read(), sys.argv[1])' "$file" || bad=1 ;;
	*.rb) ruby -c "$file" >/dev/null || bad=1 ;;
	*.sh) sh -n "$file" || bad=1 ;;
	*.md | *.example) continue ;;
	*) echo "examples: nothing checks $file" >&2; bad=1 ;;
	esac
	[ "$(wc -l <"$file")" -le 80 ] || { echo "examples: $file has more than 80 lines" >&2; bad=1; }
done
[ "$bad" -eq 0 ] && echo "examples: $# ok"
exit "$bad"
