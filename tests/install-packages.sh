#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Installs the Debian packages named; quick when all are there. A server that a package starts by
# itself is stopped again: tests and demo run private ones.
set -eu

missing=()
for package in "$@"; do
	state=$(dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null || true)
	[[ $state == ?i* ]] || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

root=()
if [ "$(id -u)" -ne 0 ]; then
	command -v sudo >/dev/null || { echo "run as root, or install sudo: ${missing[*]}" >&2; exit 1; }
	root=(sudo)
fi
install=("${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq
	--no-install-recommends -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300)

echo "installing ${missing[*]}" >&2
# The package lists of a machine may be missing or too old to fetch by.
if ! "${install[@]}" "${missing[@]}" >&2; then
	"${root[@]}" apt-get update -qq >&2
	"${install[@]}" "${missing[@]}" >&2
fi

for package in "${missing[@]}"; do
	case $package in
	nginx | haproxy | unbound | caddy | stubby) service=$package ;;
	nghttp2-proxy) service=nghttpx ;;
	*) continue ;;
	esac
	"${root[@]}" service "$service" stop >/dev/null 2>&1 || true
done
