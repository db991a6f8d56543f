#!/bin/sh
# headers.sh CC HEADER ... - every header compiles alone.
set -u
cc=$1
shift
for header in "$@"; do
	printf '#include "%s"\nextern int sr_not_empty;\n' "$header" |
		$cc -std=c11 -D_GNU_SOURCE -I. -Wall -Wextra -Werror -fsyntax-only -x c - || exit 1
done
echo "headers: $# ok"
