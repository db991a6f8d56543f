# fill.awk - fill a manual's template from what the programs say of themselves, so that neither can disagree.
#
#   awk -v build=build -f fill.awk TEMPLATE
#
#   @OPTIONS@          every option, as items of a list
#   @FLAGS PROGRAM@    the flags that PROGRAM --help lists
#   @COMMANDS@         the commands of ssectl, each with its help and flags
#   @EXIT@             the exit codes that ssectl --help lists

function fail(why) { print "fill.awk: " FILENAME ": " why >"/dev/stderr"; failed = 1; exit 1 }

# Text that roff leaves alone, and a line of its own for each sentence.
function roff(text) {
	gsub(/\\/, "\\e", text)
	gsub(/-/, "\\-", text)
	gsub(/\. /, ".\n", text)
	gsub(/\n[.']/, "\n\\\\\\&&", text)
	sub(/^[.']/, "\\\\\\&&", text)
	gsub(/\n\\\\&/, "\n\\\\\\&", text)
	return text
}
# What one types, with the words in capitals as the names of values.
function typed(text,    out) {
	gsub(/\\/, "\\e", text)
	gsub(/-/, "\\-", text)
	while (match(text, /[A-Z][A-Z0-9]*/)) {
		out = out substr(text, 1, RSTART - 1) "\\fI" substr(text, RSTART, RLENGTH) "\\fR"
		text = substr(text, RSTART + RLENGTH)
	}
	return out text
}
function run(command,    line, n) {
	delete lines
	while ((command | getline line) > 0) lines[++n] = line
	if (close(command) != 0 || n == 0) fail("cannot run " command)
	return n
}
function item(flag, help,    at) {
	at = index(flag, "=")
	if (at) printf ".It Fl \\-%s Ns = Ns Ar %s\n", roff(substr(flag, 3, at - 3)), substr(flag, at + 1)
	else printf ".It Fl \\-%s\n", roff(substr(flag, 3))
	print roff(help)
}
# "  --name=VALUE   help" on one line, or the help on the lines below, further in.
function flags(program,    n, i, inside, flag, help, at) {
	n = run(build "/" program " --help")
	for (i = 1; i <= n; i++) {
		if (lines[i] == "Flags:") { inside = 1; continue }
		if (inside && lines[i] == "") break
		if (!inside || lines[i] !~ /^  (--|      )/) continue
		if (lines[i] ~ /^  --/) {
			if (flag) item(flag, help)
			flag = substr(lines[i], 3); help = ""
			at = match(flag, /  +/)
			if (at) { help = substr(flag, at + RLENGTH); flag = substr(flag, 1, at - 1) }
			else if (flag ~ / / ) { at = index(flag, " "); help = substr(flag, at + 1); flag = substr(flag, 1, at - 1) }
			if (flag ~ /,/) { flag = ""; print ".It Fl \\-help , Fl \\-version"; print roff(help) }
		} else {
			sub(/^ +/, "", lines[i])
			help = help (help == "" ? "" : " ") lines[i]
		}
	}
	if (flag) item(flag, help)
	if (!inside) fail(program " --help has no Flags:")
}
# The help of one command: paragraphs, examples, flags.
function describe(name,    n, i, paragraph, literal, table, first) {
	n = run(build "/ssectl help " name)
	sub(/^Usage: ssectl [a-z]+ ?/, "", lines[1])
	printf ".It Ic %s%s\n", name, lines[1] == "" ? "" : " No " typed(lines[1])
	first = 1
	for (i = 3; i <= n + 1; i++) {
		if (lines[i] == "Examples:") { print ".Bd -literal"; literal = 1; continue }
		if (lines[i] ~ /^  / && !literal) { # a table amid the text
			if (paragraph != "" && !first) print ".Pp"
			if (paragraph != "") print roff(paragraph)
			paragraph = ""; first = 0; table = 1
			print ".Bd -literal"
			literal = 1
		}
		if (literal && table && lines[i] != "" && lines[i] !~ /^  /) { print ".Ed"; literal = table = 0; first = 1 }
		if (literal) {
			if (lines[i] == "") { print ".Ed"; literal = table = 0 }
			else { sub(/^  /, "", lines[i]); print roff_literal(lines[i]) }
		} else if (lines[i] == "" || i > n) {
			if (paragraph == "") continue
			if (!first) print ".Pp"
			if (paragraph ~ /^Flags:/) sub(/; ssectl --help explains them/, "", paragraph)
			print roff(paragraph); paragraph = ""; first = 0
		} else paragraph = paragraph (paragraph == "" ? "" : " ") lines[i]
	}
	if (literal) print ".Ed"
}
function roff_literal(text) {
	gsub(/\\/, "\\e", text)
	gsub(/-/, "\\-", text)
	if (text ~ /^[.']/) text = "\\&" text
	return text
}
function commands(    n, i, inside, count, names, words) {
	n = run(build "/ssectl --help")
	for (i = 1; i <= n; i++) {
		if (lines[i] == "Commands:") { inside = 1; continue }
		if (inside && lines[i] == "") break
		if (inside && split(lines[i], words, " ") && words[1] != "help") names[++count] = words[1]
	}
	if (!count) fail("ssectl --help has no Commands:")
	for (i = 1; i <= count; i++) describe(names[i])
}
function codes(    n, i, text, count, part, at) {
	n = run(build "/ssectl --help")
	for (i = 1; i <= n; i++)
		if (lines[i] ~ /^Exit codes:/ || text) text = text (text ? " " : "") lines[i]
	if (!sub(/^Exit codes: /, "", text)) fail("ssectl --help has no Exit codes:")
	sub(/\.$/, "", text)
	count = split(text, part, /; /)
	for (i = 1; i <= count; i++) {
		at = index(part[i], " ")
		printf ".It %s\n%s.\n", substr(part[i], 1, at - 1), roff(substr(part[i], at + 1))
	}
}

/^@OPTIONS@$/ { n = run(build "/options mdoc"); for (i = 1; i <= n; i++) print lines[i]; next }
/^@FLAGS [a-z-]+@$/ { sub(/@$/, "", $2); flags($2); next }
/^@COMMANDS@$/ { commands(); next }
/^@EXIT@$/ { codes(); next }
/^@[A-Z]+/ { fail("unknown " $0) }
{ print }
