#!/bin/bash
# `docker compose run client demo`: from a password to a page, by three programs, and a refusal.
set -euo pipefail
proxy=${PROXY:-proxy.example.test}

step() { printf '\n%s\n' "$1"; }
show() {
  printf '    $ %s\n' "$1"
  bash -o pipefail -c "$1" 2>&1 | sed 's/^/    /'
}

step "1. A ticket, with alice's password"
show "echo alice-password | kinit alice >/dev/null && klist | grep -E 'principal|krbtgt'"

step "2. Without the proxy there is no way to the origin: it is in another network"
if bash -c "exec 3<>/dev/tcp/origin.example.test/80" 2>/dev/null; then
  echo "    but there is one"
  exit 1
fi
echo "    origin.example.test: no such host from here"

step "3. Through the proxy, sealed with the ticket's keys (level confidentiality)"
show "printf 'GET / HTTP/1.0\r\n\r\n' | gssocks connect origin.example.test 80 --proxy $proxy:1080 | grep -aE '^HTTP|came through'"

step "4. The same with curl, which authenticates but can't seal (level none, a listener of its own)"
show "curl --silent --show-error --socks5-hostname $proxy:1081 --socks5-gssapi http://origin.example.test/ | grep 'came through'"

step "5. ssh, with gssocks as its ProxyCommand; the origin's sshd takes the same ticket"
show "ssh -F none -o ProxyCommand='gssocks connect %h %p --proxy $proxy:1080' -o GSSAPIAuthentication=yes -o GSSAPIKeyExchange=yes -o StrictHostKeyChecking=accept-new -o LogLevel=ERROR alice@origin.example.test 'echo I am \$(whoami) on \$(hostname)'"

step "6. What no rule allows is denied"
if show "gssocks connect origin.example.test 443 --proxy $proxy:1080 </dev/null"; then
  echo "    it was not"
  exit 1
fi

step "7. The tickets that this took"
show "klist | grep -E 'rcmd|host'"

printf '\ndemo: all of it worked: a ticket, a sealed connection, curl, ssh, and a refusal.\n'
