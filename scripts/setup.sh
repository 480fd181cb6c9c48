#!/bin/bash
# Makes a clean checkout ready: Debian packages, npm packages, the addon, the compiled TypeScript.
# Runs before `npm start`, with --test before `npm test`, with --bench before `npm run bench`. Does only what is missing;
# when nothing is, it takes the second or so that TypeScript needs. Needs root, or sudo, for Debian packages only.
set -euo pipefail
cd "$(dirname "$0")/.."

# What each package is for, which is also what is said when it is installed. Base: to build and to run with a realm of
# one's own.
base=$(
  cat <<'PACKAGES'
  g++ make cmake    # to build the addon
  pkg-config        # finds the GSS-API library for it
  libkrb5-dev       # the GSS-API library
  krb5-kdc          # the realm: krb5kdc, kdb5_util
  krb5-admin-server # the realm: kadmin.local
  krb5-user         # kinit, klist, kvno
PACKAGES
)
# Better with, but not needed, and not there for every processor and distribution.
optional=$(
  cat <<'PACKAGES'
  libipsec-mb-dev # AES and SHA of many messages side by side (gssapi.fastPath)
PACKAGES
)
tests=$(
  cat <<'PACKAGES'
  python3-gssapi         # an independent GSS initiator and acceptor
  openssh-client         # ssh through `gssocks connect` ...
  openssh-server         # ... to an sshd the test starts
  netcat-openbsd ncat    # clients of SOCKS without GSS-API ...
  curl socat             # ... and the same
  wget                   # a client of HTTP proxies ...
  chromium               # ... and the same, a browser that has tickets
  proxychains4           # ... and the same, in front of a program that knows no proxy
  python3-socks          # ... and the same, UDP too (PySocks) ...
  python3-requests python3-dnspython # ... and by what builds on it
  git                    # ... and the same
  default-jdk-headless   # ... and the same, in Java
  tnftp                  # BIND, by an ftp client in active mode (and Dante's library, which is fetched) ...
  python3-pyftpdlib      # ... and the server for it
  python3-prometheus-client # an independent reader of our metrics
  systemd                # journald, alone, for audit records
  stunnel4               # TLS in front of a client that has none
  iproute2               # addresses and routes in a test's network namespace ...
  mount                  # ... and its host names
  slapd                  # a directory for passwords ...
  openssl                # ... and its certificates; TLS; lines of a users file
  apache2-utils          # htpasswd: lines of a users file
  whois                  # mkpasswd: the same ...
  argon2                 # ... and the same
  oidentd                # an Ident server that others wrote
  dnsmasq-base           # DNS over UDP through the proxy (the program alone, no service)
  squid tinyproxy        # HTTP proxies that our client goes through
  postgresql mariadb-server # databases, by their drivers through the proxy ...
  redis-server           # ... and another ...
  python3-aiosmtpd       # ... and mail
  clang-format           # npm run lint
  debian-archive-keyring # to check the signatures of what is fetched of other Debian releases
  man-db mandoc          # man pages ...
  zsh fish               # ... and completion, beside bash's
  tcsh                   # gssocks env, for csh
  tmux                   # a terminal that tests can look at
  libpacparser1          # pactester, a reader of PAC files that others wrote
  logrotate              # files of log and audit trail
  g++-aarch64-linux-gnu  # the npm package's addon for arm64
  debootstrap            # a Debian of its own for the package (scripts/test-packages.sh)
  krb5-kdc-ldap          # a KDC that knows constrained delegation
  krb5-pkinit            # anonymous tickets (kinit -n)
  gss-ntlmssp            # NTLMSSP, a mechanism that is a plugin of the GSS-API library
PACKAGES
)

say() { echo "setup: $*"; }
fail() {
  echo "setup: $*" >&2
  exit 1
}

# Runs a command whose output is of interest only if it fails.
quietly() {
  local output
  output=$("$@" 2>&1 </dev/null) || {
    printf '%s\n' "$output" >&2
    fail "this failed: $*"
  }
}

# Names what is missing of the packages in lines of the form above, as such lines.
missing_packages() {
  local installed names reason package lacking
  installed=$(dpkg-query -W -f '${binary:Package} ${db:Status-Status}\n' 2>/dev/null | sed -n 's/^\([^ :]*\).* installed$/\1/p')
  while IFS='#' read -r names reason; do
    lacking=()
    for package in $names; do grep -Fqx "$package" <<<"$installed" || lacking+=("$package"); done
    if [[ ${#lacking[@]} -gt 0 ]]; then printf '    %-22s #%s\n' "${lacking[*]}" "$reason"; fi
  done
}

# Those of $could that exist come along.
# A subshell of its own, whose end takes policy-rc.d away, however it ends.
install_packages() (
  root=()
  if [[ $(id -u) != 0 ]]; then
    by_hand="As root, once: apt-get install --no-install-recommends $*"
    command -v sudo >/dev/null || fail "that needs root, and there is no sudo. $by_hand"
    root=(sudo)
    sudo true || fail "that needs root, and sudo refused. $by_hand"
  fi
  # The daemons among them are for tests to start: policy-rc.d (101: not allowed) keeps the packages from starting
  # them now, and `systemctl disable` from starting at boot. Without a system manager neither does anything.
  policy=/usr/sbin/policy-rc.d daemons=()
  if [[ ! -e $policy ]]; then
    # shellcheck disable=SC2064
    trap "${root[*]} rm -f $policy" EXIT
    printf '#!/bin/sh\nexit 101\n' | "${root[@]}" tee $policy >/dev/null
    "${root[@]}" chmod 755 $policy
  fi
  for package in "$@"; do
    case $package in
      krb5-kdc | krb5-admin-server) daemons+=("$package.service") ;;
      openssh-server) daemons+=(ssh.service ssh.socket) ;;
      slapd) daemons+=(slapd.service) ;;
      squid) daemons+=(squid.service) ;;
      tinyproxy) daemons+=(tinyproxy.service) ;;
      oidentd) daemons+=(oidentd.service oidentd.socket) ;;
      postgresql) daemons+=(postgresql.service) ;;
      mariadb-server) daemons+=(mariadb.service) ;;
      redis-server) daemons+=(redis-server.service) ;;
      stunnel4) daemons+=(stunnel4.service stunnel.target) ;;
    esac
  done
  quietly "${root[@]}" apt-get update
  for package in $could; do if apt-cache show "$package" >/dev/null 2>&1; then set -- "$@" "$package"; fi; done
  # A fresh machine may be installing its updates: wait for that. A container's image may leave documentation out, and a
  # directory's schema is among it.
  quietly "${root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get -o DPkg::Lock::Timeout=300 -o "DPkg::Options::=--path-include=/usr/share/doc/krb5-kdc-ldap/*" \
    install -y --no-install-recommends "$@"
  if [[ ${#daemons[@]} -gt 0 ]] && command -v systemctl >/dev/null; then
    "${root[@]}" systemctl disable "${daemons[@]}" >/dev/null 2>&1 || true
  fi
)

# True if FILE is missing or older than one of the others (files, or directories for all in them).
older_than() {
  local file=$1
  shift
  [[ ! -e $file || -n $(find "$@" -type f -newer "$file" -print -quit) ]]
}

node -e '
  const [major, minor] = process.versions.node.split(".").map(Number);
  process.exit(major > 20 || (major === 20 && minor >= 19) ? 0 : 1);
' || fail "Node $(node --version) is too old: 20.19 or later is needed"

wanted=$base
if [[ ${1:-} == --test ]]; then wanted+=$'\n'$tests; fi
if command -v dpkg-query >/dev/null; then
  missing=$(missing_packages <<<"$wanted")
  could=$(missing_packages <<<"$optional" | cut -d '#' -f 1)
  if [[ -n $missing ]]; then
    say "installing Debian packages:"
    echo "$missing"
    # shellcheck disable=SC2046
    install_packages $(cut -d '#' -f 1 <<<"$missing")
  elif [[ -n $could ]] && xargs apt-cache show <<<"$could" >/dev/null 2>&1 &&
    { [[ $(id -u) == 0 ]] || sudo -n true 2>/dev/null; }; then
    say "installing Debian packages that are optional:"
    missing_packages <<<"$optional"
    if (install_packages); then
      # What was built without them looks again.
      node scripts/clean.mjs build
    else
      say "going on without"
    fi
  fi
else
  say "not a Debian: it is for you to provide what these packages hold:"
  echo "$wanted"
fi

# Install scripts stay off: one package would download a binary, and the addon is built below.
if older_than node_modules/.package-lock.json package-lock.json; then
  say "installing npm packages"
  quietly npm ci --ignore-scripts --include=dev --no-audit --no-fund
  touch node_modules/.package-lock.json
fi

if older_than build/Release/gssocks.node native CMakeLists.txt package-lock.json; then
  say "building the addon"
  # From the beginning where the build directory was configured in another place (a moved or copied checkout).
  if [[ -e build/CMakeCache.txt ]] && ! grep -Fqx "CMAKE_HOME_DIRECTORY:INTERNAL=$PWD" build/CMakeCache.txt; then
    node scripts/clean.mjs build
  fi
  quietly node_modules/.bin/cmake-js compile
  touch build/Release/gssocks.node
fi

# What the npm package has for this machine, to be tested as its users have it.
arch=$(node -p process.arch)
if [[ ${1:-} == --test ]] && older_than "prebuilds/gssocks-linux-$arch/node-napi-v8.node" build/Release/gssocks.node; then
  quietly scripts/prebuild.sh --here "$arch"
fi

# The npm package `kerberos` is a peer in tests. Its own install script wants to download; its sources are enough.
if [[ ${1:-} == --test ]] && older_than node_modules/kerberos/build/Release/kerberos.node node_modules/kerberos/package.json; then
  say "building the npm package kerberos"
  mkdir -p node_modules/kerberos/build/Release
  quietly g++ -std=c++17 -O1 -fPIC -shared -fvisibility=hidden \
    -DKERBEROS_USE_RTLD=1 -DNODE_GYP_MODULE_NAME=kerberos -DBUILDING_NODE_EXTENSION \
    -Inode_modules/node-addon-api -Inode_modules/node-api-headers/include \
    node_modules/kerberos/src/kerberos.cc node_modules/kerberos/src/unix/*.cc -ldl \
    -o node_modules/kerberos/build/Release/kerberos.node
fi

# Client, origin and yardsticks of the benchmarks.
if [[ ${1:-} == --test || ${1:-} == --bench ]] && older_than build/bench-peer test/bench/native; then
  say "building the benchmarks' client"
  read -ra krb5 < <(pkg-config --cflags --libs mit-krb5-gssapi mit-krb5)
  quietly cc -std=c11 -D_DEFAULT_SOURCE -O2 -g -Wall -Wextra -Wshadow -Wconversion -pthread \
    test/bench/native/*.c "${krb5[@]}" -o build/bench-peer
fi

node scripts/clean.mjs dist
node_modules/.bin/tsc
node scripts/write-schema.mjs
node scripts/write-manual.mjs
