#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What of the style a program can check; see CONTRIBUTING.md.
set -u
cd "$(dirname "$0")/.."

# result NAME COMPLAINTS
result() {
	if [ -z "$2" ]; then
		echo "ok - $1"
	else
		echo "not ok - $1"
		printf '%s\n' "$2"
	fi
}

mapfile -t code < <(git ls-files -- '*.c' '*.h')
mapfile -t scripts < <(git ls-files -- '*.sh' '*.py' .ci/run Makefile)

result "clang-format agrees" "$(clang-format --dry-run -Werror "${code[@]}" 2>&1 | grep -E 'error:' | head -20)"

result "files: 1000 lines, headers: 200" "$(wc -l "${code[@]}" | awk '
	$2 != "total" && ($1 > 1000 || ($2 ~ /\.h$/ && $1 > 200)) { print $2 ": " $1 " lines" }')"

# As clang-format leaves it, a function begins at a "{" in the first column and ends at a "}" there.
result "functions: 100 lines" "$(awk '
	FNR == 1 { start = 0 }
	/^\{/ { start = FNR }
	/^\}/ && start {
		if (FNR - start - 1 > 100)
			print FILENAME ":" start ": " FNR - start - 1 " lines"
		start = 0
	}
	' "${code[@]}")"

banned='strcpy|strcat|sprintf|vsprintf|strncpy|strncat|atoi|atol|gets|alloca|strtok'
result "no banned calls" "$(grep -nE "\b($banned)\(" "${code[@]}")"

result "one SPDX line, at the top" "$(for file in "${code[@]}" "${scripts[@]}"; do
	[ "$(grep -c 'SPDX-License-Identifier:' "$file")" -eq 1 ] &&
		head -2 "$file" | grep -q 'SPDX-License-Identifier: GPL-2.0' || echo "$file"
done | grep -vE '^tests/style\.sh$')"

result "lines: 120 columns in scripts" "$(awk 'length($0) > 120 { print FILENAME ":" FNR }' "${scripts[@]}")"

result "no trailing blanks" "$(grep -nE '[[:blank:]]+$' "${code[@]}" "${scripts[@]}" | head)"

result "nothing left open" "$(grep -nE '\b(TODO|FIXME|XXX)\b' "${code[@]}" "${scripts[@]}" |
	grep -v '^tests/style\.sh:')"
