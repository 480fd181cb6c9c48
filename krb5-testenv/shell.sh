#!/bin/bash
# shell.sh [COMMAND [ARGUMENT]...]: runs $SHELL, or COMMAND, in a realm of its own with a ticket for alice (`npm run realm`).
# When that ends, the KDC is stopped and everything is removed.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
dir=$(mktemp -d)
kdc=
cleanup() {
  if [[ -n $kdc ]]; then
    kill "$kdc" 2>/dev/null || true
    wait "$kdc" || true
  fi
  rm -rf "$dir"
}
trap cleanup EXIT
# An interrupt is for the program in the foreground, not for the realm around it.
trap : INT

# What it writes goes to files: it must not end up between the lines of a shell, or stop for a pipe nobody reads.
touch "$dir/errors"
setsid "$here/provision.sh" "$dir/realm" >"$dir/env" 2>"$dir/errors" &
kdc=$!
exec {log}< <(exec tail -n +1 -f --pid="$kdc" "$dir/errors")
tail=$!
if ! grep -q -m 1 "commencing operation" <&"$log"; then
  cat "$dir/errors" >&2
  exit 1
fi
kill "$tail"
wait "$tail" || true
exec {log}<&-
set -a
# shellcheck disable=SC1091
. "$dir/env"
set +a
kinit -k -t "$dir/realm/users.keytab" alice

if [[ $# -gt 0 ]]; then
  status=0
  "$@" || status=$?
  exit "$status"
fi
cat <<WELCOME
A realm of your own, EXAMPLE.TEST, and a ticket for alice in $KRB5CCNAME.
  users      alice (password: alice-password), bob (bob-password); keys in $dir/realm/users.keytab
  services   rcmd, socks and host at localhost, rcmd at 127.0.0.1 and proxy.example.test; keys in ${KRB5_KTNAME#FILE:}
  to look    klist, klist -k, kvno rcmd/localhost; the KDC's log is $dir/realm/kdc.log
  to change  kadmin.local -r EXAMPLE.TEST
Leave with exit: the KDC stops and all of it is removed.
WELCOME
status=0
"${SHELL:-/bin/bash}" || status=$?
exit "$status"
