#!/bin/sh
# includes.sh - who may include whom: the programs include common/ and themselves, never each other; each library is known by the
# files named here and by no other.
set -u
bad=0
complain() { printf 'includes: %s\n' "$1" >&2; bad=1; }

# only PATTERN FILES: the pattern occurs in no source file but these.
only() {
	pattern=$1
	allowed=" $2 "
	for file in $(grep -lE "$pattern" common/*.[ch] common/lib/*.[ch] fcgi/*.[ch] guardian/*.[ch] cli/*.[ch]); do
		case $allowed in *" $file "*) ;; *) complain "$file must not include $pattern" ;; esac
	done
}
only '#include <fcgiapp\.h>' 'fcgi/parse.c'
only '#include <fastcgi\.h>' 'fcgi/inspect.c fcgi/record.c'
only '#include <hiredis/' 'common/redis.c common/redis_commands.c common/reply.c'
only '#include <curl/' 'cli/web.c'
only '#include <json-c/|#include <json\.h>' 'common/json.c'

for folder in common common/lib fcgi guardian cli; do
	for other in fcgi guardian cli tests; do
		[ "$folder" = "$other" ] && continue
		for file in $(grep -lE "#include \"$other/" "$folder"/*.[ch] 2>/dev/null); do
			complain "$file includes from $other/"
		done
	done
	for file in $(grep -lE '#include "[^/"]+\.h"' "$folder"/*.[ch] 2>/dev/null); do
		complain "$file includes a header without its folder"
	done
	for file in "$folder"/*.c; do
		own=${file%.c}.h
		[ -f "$own" ] || continue
		[ "$(grep -m1 '^#include' "$file")" = "#include \"$own\"" ] || complain "$file does not include its own header first"
	done
done
for file in $(grep -lE '[^_a-z](strcpy|strcat|sprintf|vsprintf|strtok|atoi|atol|gets) ?\(' common/*.c common/lib/*.c fcgi/*.c guardian/*.c cli/*.c); do
	complain "$file calls an unbounded or unchecked function"
done
[ "$bad" -eq 0 ] && echo 'includes: ok'
exit "$bad"
