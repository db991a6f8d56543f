# fill.awk - fill the template of a shell completion from what ssectl says of itself.
#
#   awk -v build=build -f fill.awk TEMPLATE
#
#   @COMMANDS@ @FLAGS@ @VALUED@   in a line: all commands, all flags, the flags that take a value
#   @SNIPPETS@                    in a line: what ssectl snippet prints
#   @CASES@ @WORDS@               lines of case: a command's own flags; the words that an option takes
#   @ZSH_COMMANDS@ @FISH@         lines of these shells
function fail(why) { print "fill.awk: " why >"/dev/stderr"; exit 1 }
function run(command,    line, n) {
	delete lines
	while ((command | getline line) > 0) lines[++n] = line
	if (close(command) != 0 || n == 0) fail("cannot run " command)
	return n
}
function quoted(text) { gsub(/'/, "'\\''", text); return "'" text "'" }
# One flag: "--name" or "--name=VALUE".
function add_flag(text, help,    at) {
	at = index(text, "=")
	flag[++flags] = at ? substr(text, 1, at - 1) : text
	value[flags] = at ? substr(text, at + 1) : ""
	helped[flags] = help
	all = all (all ? " " : "") flag[flags]
	if (at) valued = valued (valued ? "|" : "") flag[flags]
}
function own_flags(name,    n, list) {
	n = run(build "/ssectl help " name)
	list = lines[n]
	if (!sub(/^Flags: /, "", list)) fail("ssectl help " name " has no Flags:")
	sub(/;.*/, "", list)
	return list
}
BEGIN {
	n = run(build "/ssectl --help")
	for (i = 1; i <= n; i++) {
		if (lines[i] ~ /^[A-Z][a-z ]*:/) section = lines[i]
		if (section == "Commands:" && lines[i] ~ /^  [a-z]/) {
			split(lines[i], part, " ")
			name[++count] = part[1]
			line = lines[i]
			sub(/^ +[a-z]+ +/, "", line)
			title[count] = line
			commands = commands (commands ? " " : "") part[1]
		}
		if (section == "Flags:" && lines[i] ~ /^  --/) {
			line = lines[i]
			sub(/^ +/, "", line)
			help = line
			if (!match(line, /  +/)) { sub(/ .*/, "", line); sub(/^[^ ]+ /, "", help) }
			else { help = substr(line, RSTART + RLENGTH); line = substr(line, 1, RSTART - 1) }
			if (line ~ /,/) { add_flag("--help", "Print help."); add_flag("--version", "Print the version.") }
			else add_flag(line, help)
		}
	}
	if (!count || !flags) fail("ssectl --help lists no commands, or no flags")
	own = flags
	n = run(build "/ssectl help options")
	for (i = 1; i <= n; i++) {
		if (lines[i] ~ /^Options\./) section = "options"
		if (section != "options" || lines[i] !~ /^  --/) continue
		line = lines[i]
		sub(/^ +/, "", line)
		help = lines[i + 1]
		sub(/^ +/, "", help)
		add_flag(line, help)
	}
	add_flag("--check-config", "Check the configuration.")
	add_flag("--dump-config", "Print the configuration.")
	for (i = 1; i <= count; i++) if (name[i] != "help") list[i] = own_flags(name[i])
	snippets = "list"
	n = run(build "/ssectl --config=/dev/null snippet list")
	for (i = 1; i <= n; i++) { split(lines[i], part, " "); snippets = snippets " " part[1] }
}
/^@CASES@$/ {
	for (i = 1; i <= count; i++) if (list[i]) printf "\t%s) own=\"%s\" ;;\n", name[i], list[i]
	next
}
/^@WORDS@$/ {
	for (i = 1; i <= flags; i++) if (value[i] ~ /\|/) { words = value[i]; gsub(/\|/, " ", words); printf "\t%s) choice=\"%s\" ;;\n", flag[i], words }
	print "\t--state) choice=\"active orphaned completed failed cancelled\" ;;"
	print "\t--map) choice=\"lines json progress raw\" ;;"
	next
}
/^@ZSH_COMMANDS@$/ {
	for (i = 1; i <= count; i++) print "\t\t" quoted(name[i] ":" title[i])
	next
}
/^@FISH@$/ {
	for (i = 1; i <= count; i++) print "complete -c ssectl -n __fish_use_subcommand -a " name[i] " -d " quoted(title[i])
	for (i = 1; i <= flags; i++) {
		seen = ""
		for (k = 1; k <= count; k++) if (index(" " list[k] " ", " " flag[i] " ")) seen = seen " " name[k]
		words = value[i]
		gsub(/\|/, " ", words)
		if (flag[i] == "--state") words = "active orphaned completed failed cancelled"
		if (flag[i] == "--map") words = "lines json progress raw"
		printf "complete -c ssectl%s -l %s%s -d %s\n", seen ? " -n '__fish_seen_subcommand_from" seen "'" : "", substr(flag[i], 3),
			!value[i] ? "" : value[i] == "FILE" ? " -r -F" : words ~ / / ? " -x -a '" words "'" : " -x", quoted(helped[i])
	}
	print "complete -c ssectl -n '__fish_seen_subcommand_from snippet' -a '" snippets "'"
	print "complete -c ssectl -n '__fish_seen_subcommand_from help' -a '" commands " options'"
	next
}
{ gsub(/@COMMANDS@/, commands); gsub(/@FLAGS@/, all); gsub(/@VALUED@/, valued); gsub(/@SNIPPETS@/, snippets); print }
