#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Unpacks Debian packages into a folder, which is not to install them: tests/unpack-packages.sh FOLDER PACKAGE...
# For servers that would take the place of the machine's own, and of each other.
set -eu

folder=$1
shift
mkdir -p "$folder"
for package in "$@"; do
	[ ! -e "$folder/$package.unpacked" ] || continue
	echo "unpacking $package" >&2
	fetched=$(mktemp -d)
	chmod 755 "$fetched"
	(cd "$fetched" && (apt-get download -qq "$package" || { apt-get update -qq && apt-get download -qq "$package"; }) >&2)
	dpkg -x "$fetched"/*.deb "$folder"
	rm -r "$fetched"
	touch "$folder/$package.unpacked"
done
