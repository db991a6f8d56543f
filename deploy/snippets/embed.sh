#!/bin/sh
# Turn templates into C: embed.sh FILE ... >snippets.inc
# deploy/snippets/lighttpd.conf.in becomes the string `snippets_lighttpd_conf`: folder and name, without .in.
set -eu
for file in "$@"; do
	path=${file%.in}
	folder=${path%/*}
	printf 'static const char %s[] =\n' "$(printf '%s' "${folder##*/}/${path##*/}" | LC_ALL=C tr -c 'A-Za-z0-9' '_')"
	sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/"/' -e 's/$/\\n"/' "$file"
	printf ';\n'
done
