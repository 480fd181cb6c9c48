#!/bin/bash
# base-images.sh DEBIAN_IMAGE NODE_IMAGE: makes both in the engine that `docker` speaks to, for where no registry of images
# can be reached: Debian 13 with apt and little more, from Debian's mirror, and Node with npm in /usr/local (and nothing
# else), from npm's registry. They are kept in .cache/. Needs root.
set -euo pipefail
cd "$(dirname "$0")/.."
cache=$PWD/.cache
mkdir -p "$cache"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
quietly() {
  "$@" >"$work/log" 2>&1 </dev/null || {
    cat "$work/log" >&2
    echo "base-images: this failed: $*" >&2
    exit 1
  }
}

# Not anew without need: an image that is imported again is another one to the cache of builds.
provide() { # IMAGE TAR
  local id
  id=$(stat -c %Y.%s "$2")
  [[ $(docker image inspect --format '{{.Comment}}' "$1" 2>/dev/null) == "$id" ]] ||
    docker import --message "$id" - "$1" <"$2" >/dev/null
}

debian() {
  if [[ ! -e $cache/debian.tar ]]; then
    scripts/unpack-debian.sh "$work/tools" trixie mmdebstrap
    # As in the official images: this machine's mirror, in the newer form.
    cat >"$work/debian.sources" <<SOURCES
Types: deb
URIs: $(apt-get indextargets --format "\$(COMPONENT) \$(REPO_URI)" 'Created-By: Packages' | sed -n 's/^main //p' | head -n 1)
Suites: trixie trixie-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
SOURCES
    # In memory, and as in the official images without waiting for disks: a container's build starts anew where it is cut off.
    # shellcheck disable=SC2016
    PATH=$work/tools/usr/bin:$PATH TMPDIR=$work/memory quietly unshare --mount bash -euc '
      mkdir "$TMPDIR" && mount -t tmpfs tmpfs "$TMPDIR" && exec "$@"' - \
      mmdebstrap --mode=root --variant=minbase --dpkgopt=force-unsafe-io \
      --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
      --dpkgopt='path-exclude=/usr/share/locale/*' trixie "$work/debian.tar" "$work/debian.sources"
    mv "$work/debian.tar" "$cache/debian.tar"
  fi
  provide "$1" "$cache/debian.tar"
}

node_and_npm() {
  if [[ ! -e $cache/node.tar ]]; then
    local root=$work/node/usr/local kind
    kind=$(node -p 'process.arch')
    mkdir -p "$root/bin" "$root/lib/node_modules" "$work/npm"
    npm install --prefix "$work/npm" --no-save --ignore-scripts --no-audit --no-fund --silent "node-linux-$kind@24" npm@11
    mv "$work/npm/node_modules/node-linux-$kind/bin/node" "$root/bin/"
    mv "$work/npm/node_modules/npm" "$root/lib/node_modules/"
    ln -s ../lib/node_modules/npm/bin/npm-cli.js "$root/bin/npm"
    ln -s ../lib/node_modules/npm/bin/npx-cli.js "$root/bin/npx"
    tar -C "$work/node" --owner=0 --group=0 -cf "$work/node.tar" usr
    mv "$work/node.tar" "$cache/node.tar"
  fi
  provide "$1" "$cache/node.tar"
}

debian "$1" &
first=$!
node_and_npm "$2"
wait "$first"
