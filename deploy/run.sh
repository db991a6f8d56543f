#!/bin/bash
# run.sh - the whole service on this machine, in the foreground: what `make run` calls once the programs are built.
#
#   PORT=8080   RUN_DIR=run   INPUT=file   INPUT_RATE=200   BUILD=build      deploy/run.sh
#
#   PORT        where lighttpd listens on 127.0.0.1
#   RUN_DIR     written anew at each start: configuration, logs, sockets, Redis data
#   INPUT       a file whose words are streamed as events under the id `demo`, INPUT_RATE words a second (0: no pause)
#   BUILD       where sse-fcgi, sse-guardian and ssectl are
#
# Starts a private redis-server, sse-guardian, two sse-fcgi that share one socket, and lighttpd. SIGINT (Ctrl-C), SIGTERM
# and SIGHUP stop them all, a second one without grace; status 0 if they were ready by then. Should one of them end by
# itself, the end of its log is printed, the others are stopped, and the status is 1.
#
# How no process stays behind: each runs in a session of its own, so that Ctrl-C reaches only this script, which then stops
# them in order. If this script is killed -9, the kernel sends them SIGTERM (setpriv --pdeathsig). What the page's start.cgi
# left running is found by a variable in its environment.
#
# Under make: a SIGTERM to make is passed on by make. A SIGINT or SIGHUP to make's process alone is not (a terminal sends
# them to the whole group): use SIGTERM, or signal the group.
set -u -o pipefail
umask 077
export LC_ALL=C
PATH=$PATH:/usr/sbin:/sbin

self=$(readlink -f "${BASH_SOURCE[0]}")
root=$(dirname "$(dirname "$self")")
grace_ms=4000
patience_ms=20000
responders=2

say() { printf '%s\n' "$*"; }
die() { printf 'run: %s\n' "$*" >&2; exit 1; }

now_ms() { printf '%s' "$((${EPOCHREALTIME/./} / 1000))"; }

# --- signals are only noted; the loops look at them -------------------------------------------------------------
signal=
first_signal_ms=
hurry=
note_signal() {
	local now=$((${EPOCHREALTIME/./} / 1000))
	signal=$1
	first_signal_ms=${first_signal_ms:-$now}
	# Both make and the terminal or the group may pass on one and the same stop; a person is slower.
	if [ $((now - first_signal_ms)) -ge 500 ]; then hurry=yes; fi
}
catch_signals() {
	local name
	for name in HUP INT TERM PIPE; do
		# shellcheck disable=SC2064 # the name of now
		trap "note_signal $name" "$name"
	done
}
# pause SECONDS: without a process, and without `wait`, in which bash can hang for ever when two signals come at once.
open_pause() {
	rm -f "$dir/pause"
	mkfifo "$dir/pause" && exec 8<>"$dir/pause" || exit 1
	rm -f "$dir/pause"
}
pause() { read -r -t "$1" -u 8; }

# A terminal that closes tells only its session's first process: with `ssh -t host make run` that is make, which keeps it.
terminal=
note_terminal() { for terminal in 0 1 2 ''; do [ -n "$terminal" ] && [ -t "$terminal" ] && break; done; }
note_hangup() { [ -z "$terminal" ] || [ -t "$terminal" ] || note_signal HUP; }
exit_if_signalled() { [ -z "$signal" ] || exit $((128 + $(kill -l "$signal"))); }

# --- processes --------------------------------------------------------------------------------------------------------
declare -A pid log ended
names=()

# start NAME COMMAND...: in the background, in its own session, with RUN_DIR/NAME.log for what it says.
start() {
	local name=$1
	shift
	log[$name]=$dir/$name.log
	: >"${log[$name]}"
	setsid setpriv --pdeathsig TERM -- "$@" </dev/null >>"${log[$name]}" 2>&1 8>&- 9>&- &
	pid[$name]=$!
	names+=("$name")
}
alive() { [ -n "${pid[$1]:-}" ] && kill -0 "${pid[$1]}" 2>/dev/null; }
send() { kill -s "$1" -- "-${pid[$2]}" 2>/dev/null || kill -s "$1" "${pid[$2]}" 2>/dev/null; }

# stop NAME: SIGTERM, and SIGKILL to what is left of its session after the grace.
stop() {
	local deadline
	[ -n "${pid[$1]:-}" ] || return 0
	send TERM "$1"
	deadline=$(($(now_ms) + grace_ms))
	while alive "$1" && [ "$(now_ms)" -lt "$deadline" ] && [ -z "$hurry" ]; do pause 0.02; done
	if alive "$1"; then say "run: $1 did not stop, killing it" >&2; fi
	send KILL "$1"
	wait "${pid[$1]}" 2>/dev/null
	unset "pid[$1]"
}

# The background jobs of start.cgi: they are no children of ours. /proc shows the environment of our own user's processes only.
stop_stray() {
	local sig file
	for sig in TERM KILL KILL; do
		# shellcheck disable=SC2013 # names without spaces
		for file in $(grep -lzFx "SSE_DEMO_RUN=$token" /proc/[0-9]*/environ 2>/dev/null); do
			file=${file#/proc/}
			kill -s "$sig" "${file%/environ}" 2>/dev/null
			pause 0.05
		done
	done
}

stop_all() {
	local status=$? name
	trap '' PIPE
	if [ ${#names[@]} -gt 0 ]; then
		if [ -n "$signal" ]; then say "stopping"; fi
		for name in input lighttpd sse-fcgi sse-guardian redis; do stop "$name"; done
		stop_stray
	fi
	[ -z "${socket_dir:-}" ] || [ "$socket_dir" = "$dir" ] || rm -rf "$socket_dir"
	if [ -n "$signal" ] && [ -n "${is_ready:-}" ]; then status=0; fi
	exit "$status"
}

# status_of NAME, which has ended: set `status`. (bash tells it once.)
status_of() {
	if [ -z "${ended[$1]:-}" ]; then
		wait "${pid[$1]}" 2>/dev/null
		ended[$1]=$?
	fi
	status=${ended[$1]}
}

# One of ours ended though nobody asked: say so with the end of its log. The EXIT trap stops the rest.
died() {
	local status
	status_of "$1"
	exit_if_signalled
	if [ "$status" -gt 128 ] && kill -l "$status" >/dev/null 2>&1; then
		status="by SIG$(kill -l "$status")"
	else
		status="with status $status"
	fi
	{
		if [ "$1" = lighttpd ] && grep -qi 'address already in use' "${log[$1]}"; then
			printf 'run: PORT=%s was taken in the meantime; choose another, e.g. PORT=%s\n' "$PORT" $((PORT + 1))
		else
			printf 'run: %s ended %s. The end of %s:\n' "$1" "$status" "${log[$1]}"
		fi
		tail -n 20 "${log[$1]}" | sed 's/^/    /'
	} >&2
	exit 1
}

# until_ok WHAT NAME COMMAND...: repeat COMMAND until it succeeds, while NAME lives and the time is not over.
until_ok() {
	local what=$1 name=$2 deadline
	shift 2
	deadline=$(($(now_ms) + patience_ms))
	until "$@" >/dev/null 2>&1; do
		exit_if_signalled
		alive "$name" || died "$name"
		if [ "$(now_ms)" -ge "$deadline" ]; then
			tail -n 20 "${log[$name]}" | sed 's/^/    /' >&2
			die "$what took more than $((patience_ms / 1000)) s; the log is ${log[$name]}"
		fi
		pause 0.05
	done
	exit_if_signalled
	alive "$name" || died "$name"
}

# --- what is checked before anything starts ---------------------------------------------------------------------------
check_port() {
	case $PORT in '' | *[!0-9]* | ??????*) die "PORT=$PORT is no port number" ;; esac
	PORT=$((10#$PORT))
	if [ "$PORT" -lt 1 ] || [ "$PORT" -gt 65535 ]; then die "PORT=$PORT is not in 1 to 65535"; fi
	local why
	# perl-base, which every Debian has, binds as lighttpd will; connecting would not see all that is in the way.
	why=$(perl -MSocket -e 'socket my $s, PF_INET, SOCK_STREAM, 0 or die; setsockopt $s, SOL_SOCKET, SO_REUSEADDR, 1;
		bind($s, sockaddr_in($ARGV[0], INADDR_LOOPBACK)) && listen($s, 1) or print "$!"' "$PORT")
	[ -z "$why" ] || die "PORT=$PORT cannot be used on 127.0.0.1 ($why); choose another, e.g. PORT=$((PORT < 1024 ? 8080 : PORT % 65535 + 1))"
}

check_path() { # PATH NAME: it goes into configuration files and a URL
	case $1 in *[\"\'\\%?#\$[:cntrl:]]*) die "$2: $1 has a character that the configuration files cannot hold" ;; esac
}

check_programs() {
	local program
	for program in sse-fcgi sse-guardian ssectl; do
		[ -x "$BUILD/$program" ] || die "$BUILD/$program is not there: run make first"
	done
	for program in redis-server redis-cli spawn-fcgi lighttpd; do
		command -v "$program" >/dev/null || die "$program is not installed: run deploy/install-deps.sh run"
	done
}

check_input() {
	[ -n "$INPUT" ] || return 0
	[ -e "$INPUT" ] || die "INPUT=$INPUT does not exist"
	if [ ! -f "$INPUT" ] || [ ! -r "$INPUT" ]; then die "INPUT=$INPUT is no file that can be read"; fi
	case $INPUT_RATE in '' | *[!0-9]*) die "INPUT_RATE=$INPUT_RATE is no number of words a second" ;; esac
}

# Make RUN_DIR ours: never a folder with other things in it, never one in use.
take_run_dir() {
	local mark=.sse-resilience.lock
	mkdir -p "$RUN_DIR" || die "RUN_DIR=$RUN_DIR cannot be made"
	dir=$(cd "$RUN_DIR" && pwd -P) || die "RUN_DIR=$RUN_DIR cannot be entered"
	check_path "$dir" RUN_DIR
	[ -e "$dir/$mark" ] || [ -z "$(ls -A "$dir")" ] || die "RUN_DIR=$RUN_DIR holds other files; name a new or empty folder"
	# shellcheck disable=SC2094 # only locked
	exec 9>>"$dir/$mark" || die "RUN_DIR=$RUN_DIR cannot be written"
	flock -n 9 || die "RUN_DIR=$RUN_DIR is in use by another run; name another, e.g. RUN_DIR=$RUN_DIR-2"
	rm -rf "$dir/data" "$dir"/*.sock "$dir"/*.log "$dir"/*.ndjson # a demo starts afresh
	mkdir "$dir/data" || exit 1
	open_pause
	socket_dir=$dir
	if [ $((${#dir} + 12)) -gt 107 ]; then # sizeof sun_path less its NUL, and what lighttpd and Redis take
		socket_dir=$(mktemp -d /tmp/sse-resilience.XXXXXX) || exit 1
		say "RUN_DIR is too deep for Unix sockets; they are in $socket_dir"
	fi
}

# --- what is written into RUN_DIR -------------------------------------------------------------------------------------
write_words() {
	local words=0
	if [ -n "$INPUT" ]; then
		perl "$root/deploy/demo/words.pl" <"$INPUT" >"$dir/words.ndjson" || die "INPUT=$INPUT cannot be read"
		words=$(wc -l <"$dir/words.ndjson")
		[ "$words" -le 999000 ] || die "INPUT=$INPUT has $words words; the log of a stream holds a million events"
	fi
	log_events=$((words < 900 ? 1000 : words + 100))
	[ -n "$INPUT" ] || words=null
	printf '{"words":%s,"run":"%s"}\n' "$words" "$token" >"$dir/demo.json" # for the page, and for site_is_ours
}

write_conf() {
	conf=$dir/sse-resilience.conf
	cat >"$conf" <<-END
		# Written by deploy/run.sh at each start. For the demonstration on 127.0.0.1 only.
		redis_url = unix://$socket_dir/redis.sock
		# The user is what the client says in its x-user-id header, so that curl can play several users. A real site
		# never does this: there the web server authenticates, and REMOTE_USER (the default) names the user.
		user_variable = HTTP_X_USER_ID
		# Without that header, as from the page, a stream belongs to whoever knows its id.
		anonymous = allow
		# Enough for every word of INPUT, so that who comes late still gets the first one.
		log_events = $log_events
		# Who may PUT, POST and DELETE: curl -H "Authorization: Bearer \$(cat publish-token)"
		publish_token_file = $dir/publish-token
		# Ctrl-C should not take long.
		drain_window = 1s
		log_target = stderr
	END
	od -An -N24 -tx1 /dev/urandom | tr -d ' \n' >"$dir/publish-token" # umask 077: nobody else's to read
	cat >"$dir/redis.conf" <<-END
		port 0
		unixsocket "$socket_dir/redis.sock"
		unixsocketperm 600
		dir "$dir/data"
		appendonly yes
		appendfsync everysec
		save ""
		maxmemory-policy noeviction
	END
	# What a real site would use, to the letter, but for a limit that this shell may not raise so far.
	"$BUILD/ssectl" --config "$conf" snippet lighttpd --socket "$socket_dir/fcgi.sock" --share "$root/deploy/cgi" >"$dir/streams.conf" ||
		die "the web server's configuration cannot be made"
	sed -i -e "s/^server.max-fds .*/server.max-fds = $max_fds/" -e "s/^server.max-connections .*/server.max-connections = $((max_fds / 2))/" "$dir/streams.conf"
	cat >"$dir/lighttpd.conf" <<-END
		# Written by deploy/run.sh: the demo's own parts. What a real site needs is in streams.conf.
		server.bind = "127.0.0.1"
		server.port = $PORT
		server.document-root = "$root/deploy/demo"
		server.modules = ( "mod_setenv", "mod_alias", "mod_access" )
		index-file.names = ( "index.html" )
		mimetype.assign = ( ".html" => "text/html; charset=utf-8", ".json" => "application/json" )
		setenv.set-response-header = ( "X-Content-Type-Options" => "nosniff" )
		\$HTTP["url"] =~ "\.(cgi|pl)\$" {
		    url.access-deny = ( "" )
		}
		include "$dir/streams.conf"
		# Nobody is asked for a password here: x-user-id is the user, so that curl can play several. (X_User_Id would become
		# the same variable, and must not be a second way.)
		\$HTTP["url"] =~ "^/api/stream/.*" {
		    auth.require = ()
		    setenv.set-request-header = ( "X_User_Id" => "" )
		}
		\$HTTP["url"] == "/start" {
		    alias.url = ( "/start" => "$root/deploy/demo/start.cgi" )
		    cgi.assign = ( "" => "/bin/sh" )
		    setenv.add-environment = (
		        "SSE_DEMO_RUN" => "$token",
		        "SSE_DEMO_LOG" => "$dir/start.log",
		        "SSE_DEMO_CTL" => "$BUILD/ssectl",
		        "SSE_CONFIG" => "$conf" )
		}
		\$HTTP["url"] == "/demo.json" {
		    alias.url = ( "/demo.json" => "$dir/demo.json" )
		}
	END
}

raise_fd_limit() { # two descriptors a stream in lighttpd; the usual soft limit of 1024 holds 341
	local hard
	hard=$(ulimit -H -n)
	if [ "$hard" = unlimited ] || [ "$hard" -gt 16384 ]; then hard=16384; fi
	ulimit -S -n "$hard"
	max_fds=$hard
}

# --- inner parts, each run by this script through start() -------------------------------------------------------------

# Under spawn-fcgi: fd 0 is the listening socket. (spawn-fcgi -F would do, but it leaves its children to init, with
# /dev/null for stderr, and a death among them would go unseen.) Ends when one of the responders ends.
inner_responders() {
	local i one status=0 pids=()
	catch_signals
	open_pause
	exec 3<&0 </dev/null
	for ((i = 0; i < responders; i++)); do
		setpriv --pdeathsig TERM -- "$BUILD/sse-fcgi" --config "$SSE_DEMO_CONF" <&3 3<&- 8>&- &
		pids+=($!)
	done
	exec 3<&-
	printf '%s\n' "${pids[@]}" >"$dir/sse-fcgi.pids"
	while [ -z "$signal" ] && [ "$status" -eq 0 ]; do
		pause 0.2
		for one in "${pids[@]}"; do
			kill -0 "$one" 2>/dev/null && continue
			wait "$one" 2>/dev/null
			say "run: sse-fcgi $one ended with status $?"
			status=1
		done
	done
	kill -s TERM "${pids[@]}" 2>/dev/null
	while kill -0 "${pids[@]}" 2>/dev/null; do pause 0.02; done # until none is left, or we are killed
	exit "$status"
}

# Stream the words as a producer would: one ssectl over one connection, then the end.
inner_input() {
	local ctl=("$BUILD/ssectl" --config "$SSE_DEMO_CONF") words
	words=$(wc -l <"$dir/words.ndjson")
	"${ctl[@]}" open demo --type words --lease &&
		perl "$root/deploy/demo/words.pl" --pace="$INPUT_RATE" <"$dir/words.ndjson" | "${ctl[@]}" emit demo - >/dev/null &&
		"${ctl[@]}" complete demo "{\"words\":$words}"
}

# --- the main part ----------------------------------------------------------------------------------------------------

http_get() { # PATH: print the answer of 127.0.0.1:PORT
	(
		exec 3<>"/dev/tcp/127.0.0.1/$PORT" || exit 1
		printf 'GET %s HTTP/1.0\r\nHost: 127.0.0.1:%s\r\n\r\n' "$1" "$PORT" >&3
		timeout 5 cat <&3
	) 2>/dev/null
}
redis_answers() { [ "$(timeout 5 redis-cli -s "$socket_dir/redis.sock" ping)" = PONG ]; }
site_is_ours() { [[ $(http_get /demo.json) == *"$token"* ]]; } # and not that of another run which was quicker
site_is_ready() { [[ $(http_get /api/stream/-/ready) == HTTP/1.?\ 200\ * ]]; }

short() { case $1 in "$PWD"/*) printf '%s' "${1#"$PWD"/}" ;; *) printf '%s' "$1" ;; esac }

print_ready() {
	local url=http://127.0.0.1:$PORT ctl
	ctl="$(short "$BUILD/ssectl") --config $(short "$conf")"
	cat <<-END
		ready $url/

		  a page that starts a stream and shows it: $url/
		  in another terminal:
		    curl -N -H 'x-user-id: u1' $url/api/stream/demo
	END
	[ -n "$INPUT" ] || cat <<-END
		    $ctl emit demo token '{"text":"hello"}'
		    $ctl complete demo '{"ok":true}'
	END
	cat <<-END
		    curl -H "Authorization: Bearer \$(cat $(short "$dir/publish-token"))" -d type=note -d text=hello "$url/api/stream/demo"
		    curl -H 'x-user-id: u1' $url/api/stream/demo/recover
		    $ctl list
		    $ctl watch demo
		    $ctl status

		Logs are in $(short "$dir")/. Ctrl-C stops everything.
	END
}

main() {
	local variable name status
	catch_signals
	note_terminal
	for variable in ${!SSE_@}; do unset "$variable"; done # the programs would take options from there
	PORT=${PORT:-8080} RUN_DIR=${RUN_DIR:-$root/run} INPUT=${INPUT:-} INPUT_RATE=${INPUT_RATE:-200} BUILD=${BUILD:-$root/build}
	check_programs
	BUILD=$(cd "$BUILD" && pwd -P)
	check_path "$BUILD" BUILD
	check_path "$root" "the project's folder"
	check_input
	check_port
	trap stop_all EXIT
	take_run_dir
	token=$dir:$$:$EPOCHREALTIME
	raise_fd_limit
	write_words
	write_conf
	"$BUILD/ssectl" --config "$conf" --check-config >/dev/null || die "the programs refuse $conf"
	export SSE_DEMO_RUN=$token SSE_DEMO_CONF=$conf SSE_DEMO_DIR=$dir BUILD INPUT_RATE
	exit_if_signalled

	start redis redis-server "$dir/redis.conf"
	until_ok "redis-server" redis redis_answers
	start sse-guardian "$BUILD/sse-guardian" --config "$conf"
	start sse-fcgi spawn-fcgi -n -s "$socket_dir/fcgi.sock" -M 0600 -b 1024 -- /bin/bash "$self" --responders
	until_ok "the socket of sse-fcgi" sse-fcgi test -S "$socket_dir/fcgi.sock"
	start lighttpd lighttpd -D -f "$dir/lighttpd.conf"
	until_ok "lighttpd" lighttpd site_is_ours
	until_ok "sse-fcgi" sse-fcgi site_is_ready
	for name in "${names[@]}"; do alive "$name" || died "$name"; done
	is_ready=yes
	print_ready
	if [ -n "$INPUT" ]; then
		start input /bin/bash "$self" --input
		say "streaming the words of $INPUT as \`demo\`"
	fi

	while :; do
		note_hangup
		exit_if_signalled
		for name in "${names[@]}"; do
			if alive "$name"; then continue; fi
			status_of "$name"
			if [ "$name" = input ] && [ "$status" -eq 0 ]; then
				say "streamed $(wc -l <"$dir/words.ndjson") words; \`demo\` is completed, and kept for five minutes"
				names=("${names[@]:0:${#names[@]}-1}") # it was the last to start
				unset "pid[input]"
				continue
			fi
			died "$name"
		done
		pause 0.2
	done
}

dir=${SSE_DEMO_DIR:-}
case ${1:-} in
'') main ;;
--responders) inner_responders ;;
--input) inner_input ;;
*) die "usage: [PORT=8080] [RUN_DIR=run] [INPUT=file] deploy/run.sh" ;;
esac
