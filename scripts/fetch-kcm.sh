#!/bin/bash
# Prints the directory of SSSD's KCM, the daemon that keeps tickets for the ccache type KCM:, with all it needs down to the C
# library, for a chroot; fetches it on first use into .cache/. As a package it would rewrite nsswitch.conf and PAM's files.
set -euo pipefail
. "$(dirname "$0")/cache.sh" kcm

if [[ ! -d $cache/kcm ]]; then
  codename=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
  rm -rf "$cache/kcm.new"
  scripts/unpack-debian.sh --closure "$cache/kcm.new" "$codename" sssd-kcm
  rm -rf "$cache/kcm.new/usr/share"
  mkdir -p "$cache/kcm.new/var/run"
  # It wants to know whom it runs as.
  echo 'root:x:0:0:root:/:/bin/sh' >"$cache/kcm.new/etc/passwd"
  mv "$cache/kcm.new" "$cache/kcm"
fi
echo "$cache/kcm"
