#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The one-way rule: a module includes from core/, identity/ and the modules to its left, and no other.
# Checked on the tree, and then on a copy of it with a wrong include in each module, which must be found.
set -u
cd "$(dirname "$0")/.."

allowed() {
	case $1 in
	core) echo 'core/' ;;
	identity) echo 'core/|identity/' ;;
	capture) echo 'core/|identity/|capture/|bpf/(event|cookie|state|ends)\.h|bpf/tlslens\.skel\.h' ;;
	flow) echo 'core/|identity/|capture/|flow/|bpf/(event|cookie)\.h' ;;
	parsers) echo 'core/|parsers/' ;;
	select) echo 'core/|identity/|capture/|flow/|parsers/|select/' ;;
	writer) echo 'core/|identity/|capture/|flow/|parsers/|select/|writer/' ;;
	cli) echo 'core/|identity/|capture/|flow/|parsers/|select/|writer/|cli/|bpf/(event|cookie)\.h' ;;
	bpf) echo 'bpf/' ;;
	esac
}
modules="core identity capture flow parsers select writer cli bpf"

# check TREE: prints the lines that break the rule
check() {
	local module
	for module in $modules; do
		grep -rnE --include='*.[ch]' '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' "$1/$module" |
			grep -vE "\"($(allowed "$module"))"
	done
	return 0
}

wrong=$(check .)
if [ -z "$wrong" ]; then
	echo "ok - includes go one way"
else
	echo "not ok - includes go one way"
	echo "$wrong"
fi

# capture/ and identity/ are where the system is asked; the rest lives on records.
wrong=$(grep -nE '"/proc|clock_gettime|gethostname|[^a-z_]time\(' {flow,parsers,select,writer}/*.[ch])
if [ -z "$wrong" ]; then
	echo "ok - no clock and no /proc to the right of capture"
else
	echo "not ok - no clock and no /proc to the right of capture"
	echo "$wrong"
fi

copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
for module in $modules; do
	mkdir -p "$copy/$module"
	echo '#include "nowhere/right.h"' >"$copy/$module/a.c"
	case $module in
	cli | bpf) ;;
	writer) echo '#include "cli/config.h"' >"$copy/$module/b.h" ;;
	*) echo ' # include "writer/out.h"' >"$copy/$module/b.h" ;;
	esac
done
found=$(check "$copy" | wc -l)
if [ "$found" -eq 16 ]; then
	echo "ok - a wrong include is found in every module"
else
	echo "not ok - a wrong include is found in every module: $found of 16"
fi
