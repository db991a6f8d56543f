# wrap.awk - break the text lines of a manual at 80 columns, as mandoc -Tlint wants them; literal displays stay.
/^\.Bd/ { literal = 1 }
/^\.Ed/ { literal = 0 }
literal || /^\./ || length <= 80 { print; next }
{
	column = 0
	for (i = 1; i <= NF; i++) {
		if (column && column + 1 + length($i) > 80) { printf "\n"; column = 0 }
		word = !column && $i ~ /^[.']/ ? "\\&" $i : $i
		printf "%s%s", column ? " " : "", word
		column += length(word) + (column ? 1 : 0)
	}
	print ""
}
