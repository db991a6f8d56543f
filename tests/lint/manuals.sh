#!/bin/sh
# manuals.sh BUILD - the manuals are clean mdoc; --help, manual, example file and table of options say the same.
set -u
build=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bad=0
complain() { printf 'manuals: %s\n' "$1" >&2; bad=1; }
same() { # WHAT FILE FILE
	diff -u "$2" "$3" >"$work/diff" && return
	complain "$1 differ:"
	sed 1,2d "$work/diff" | grep '^[-+]' >&2
}

# ---- mdoc ----

for page in "$build"/man/*.[1-8]; do
	mkdir -p "$work/man/man${page##*.}"
	cp "$page" "$work/man/man${page##*.}/"
done
# Xr: ours are in that tree; these are other packages', which need not be here.
others='spawn-fcgi 1|multiwatch 1|crontab 5|systemd\.socket 5|sd_notify 3|sysexits 3|redis-server 1|redis-cli 1|lighttpd 8|pkg-config 1'
MANPATH=$work/man mandoc -Tlint -W style "$work"/man/man?/* >"$work/lint" 2>&1
grep -vE "referenced manual not found: Xr ($others)( |\$)|mandoc\.db" "$work/lint" >"$work/left" && {
	complain 'mandoc finds:'
	cat "$work/left" >&2
}
for page in ssectl.1 sse-resilience.conf.5 sse-resilience.7 sse-fcgi.8 sse-guardian.8; do
	for section in EXAMPLES 'EXIT STATUS' FILES ENVIRONMENT SIGNALS 'SEE ALSO'; do
		grep -qxF ".Sh $section" "$build/man/$page" || complain "$page has no section $section"
	done
	! grep -n '@[A-Za-z]*@' "$build/man/$page" >&2 || complain "$page has a place that was not filled"
done

# ---- options: name, default, bounds, help; one a line ----

"$build/sse-fcgi" --help | awk '
	/^  --/ && options { show(); sub(/^  --/, ""); sub(/=.*/, ""); gsub(/-/, "_"); name = $0; help = ""; next }
	/^Options\./ { options = 1 }
	options && /^        Default: / { sub(/^ *Default: /, ""); sub(/^empty$/, ""); values = $0; next }
	options && /^        / { sub(/^ +/, ""); help = help " " $0 }
	function show() { if (name) print name "|" values "|" help }
	END { show() }' >"$work/help"
awk '
	function show() { if (name) print name "|" values "|" help }
	{ gsub(/\\-/, "-"); gsub(/\\e/, "\\"); gsub(/\\&/, "") }
	/^\.Sh/ { options = /OPTIONS/; next }
	!options { next }
	/^\.It Cm/ { show(); name = $3; help = values = ""; default_next = 0; next }
	/^Default:/ { default_next = /empty/ ? 0 : 1; next }
	/^\.Ql/ && default_next { sub(/^\.Ql /, ""); sub(/ \.$/, ""); bounded = sub(/ ;$/, ""); values = $0; next }
	/^from / && bounded { sub(/\.$/, ""); values = values "; " $0; bounded = 0; next }
	/^\./ { next }
	{ help = help " " $0 }
	END { show() }' "$build/man/sse-resilience.conf.5" >"$work/manual"
awk '
	function show() { if (name) print name "|" values (bounds ? "; " bounds : "") "|" help; help = bounds = name = "" }
	/^# From .* to / { sub(/^# F/, "f"); sub(/\.$/, ""); bounds = $0; next }
	/^# One of / { next }
	/^# / { if (begun) help = help " " substr($0, 3) }
	/^#[a-z]/ { name = $1; sub(/^#/, "", name); sub(/^[^=]*= ?/, ""); values = $0; show() }
	/^$/ { begun = 1 }' "$build/sse-resilience.conf" >"$work/example"
for source in help manual example; do
	[ -s "$work/$source" ] || complain "no options found in $source"
	cut -d'|' -f1 "$work/$source" >"$work/$source.names"
done
"$build/options" names >"$work/names"
same 'the table and the options of --help' "$work/names" "$work/help.names"
same '--help and sse-resilience.conf(5)' "$work/help" "$work/manual"
same '--help and the example sse-resilience.conf' "$work/help" "$work/example"

# ---- the example is a configuration, and its values are the defaults ----

check() { # FILE: the values that count
	env -i "$build/sse-fcgi" --config="$1" --check-config >/dev/null || complain "$1 is refused"
	env -i "$build/sse-fcgi" --config="$1" --dump-config | sed 's/  *#.*//'
}
sed 's/^#\([a-z]\)/\1/' "$build/sse-resilience.conf" >"$work/all.conf"
: >"$work/none.conf"
check "$build/sse-resilience.conf" >/dev/null
check "$work/all.conf" >"$work/all"
check "$work/none.conf" >"$work/none"
same 'the defaults and the values of the example' "$work/none" "$work/all"

# ---- flags and commands ----

flags_of() { # PROGRAM [TOPIC]
	sed -n '/^Flags:/,/^$/s/^  \(--[a-z-]*\).*/\1/p'
}
for page in sse-fcgi.8 sse-guardian.8 ssectl.1; do
	for flag in $("$build/${page%.?}" --help | flags_of); do
		grep -qE "^\.It Fl (\\\\-[a-z]+ , Fl )?\\\\-$(printf '%s' "${flag#--}" | sed 's/-/\\\\-/g')( |\$)" "$build/man/$page" || complain "$page does not have $flag"
	done
done
for shell in bash zsh fish; do
	"$shell" -n "$build/completion/ssectl.$shell" || complain "completion/ssectl.$shell does not parse"
done
shellcheck --shell=bash --severity=warning "$build/completion/ssectl.bash" || bad=1
commands=$("$build/ssectl" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p')
[ -n "$commands" ] || complain 'ssectl --help lists no commands'
for command in $commands; do
	grep -qE "^\.It Ic $command( |\$)" "$build/man/ssectl.1" || [ "$command" = help ] || complain "ssectl.1 does not have $command"
	for shell in bash zsh fish; do
		grep -qw -e "$command" "$build/completion/ssectl.$shell" || complain "completion/ssectl.$shell does not have $command"
	done
done
[ "$bad" -eq 0 ] && echo 'manuals: ok'
exit "$bad"
