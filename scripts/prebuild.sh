#!/bin/bash
# prebuild.sh [--here] [x64] [arm64]: puts addons for Linux into prebuilds/, which the npm package holds, so that who installs it
# needs no compiler: this machine's own is build/Release's without its symbols, the other is cross-built with Debian's
# g++-aarch64-linux-gnu over arm64's GSS-API library. Both by default. What it makes runs on older systems than this one, or
# it fails; with --here, on this one. Needs scripts/setup.sh to have run.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
  echo "prebuild: $*" >&2
  exit 1
}

# Whoever has an older C or C++ library builds: this is what RHEL 9, Ubuntu 22.04 and Debian 12 have, all with MIT krb5 1.19 or later.
oldest='GLIBC_2.34 GLIBCXX_3.4.29 CXXABI_1.3.13'
check() {
  [[ -z $here ]] || return 0
  local needed name version
  needed=$("$2objdump" -T "$1" | grep -oE '(GLIBC|GLIBCXX|CXXABI)_[0-9.]+' | sort -u)
  for version in $oldest; do
    name=${version%_*}
    [[ $(grep "^${name}_" <<<"$needed"$'\n'"$version" | sort -V | tail -n 1) == "$version" ]] ||
      fail "$1 needs more than $version: $(grep "^${name}_" <<<"$needed" | sort -V | tail -n 1)"
  done
}

# place ADDON ARCH TOOLS: TOOLS is the prefix of the tools' names.
place() {
  local target=prebuilds/gssocks-linux-$2/node-napi-v8.node
  mkdir -p "${target%/*}"
  "$3strip" --strip-unneeded -o "$target.new" "$1"
  check "$target.new" "$3"
  mv "$target.new" "$target"
  echo "prebuild: $target"
}

cross() {
  command -v aarch64-linux-gnu-g++ >/dev/null || fail "needs the package g++-aarch64-linux-gnu"
  local codename root=$PWD/.cache/arm64
  codename=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
  mkdir -p .cache
  [[ -d $root ]] || scripts/unpack-debian.sh --architecture arm64 "$root" "$codename" \
    krb5-multidev comerr-dev libgssapi-krb5-2 libkrb5-3 libk5crypto3 libkrb5support0 libcom-err2 libkeyutils1
  # Its libraries need each other, which the linker looks for where it is told.
  local libraries=$root/usr/lib/aarch64-linux-gnu
  PKG_CONFIG_LIBDIR=$libraries/pkgconfig PKG_CONFIG_SYSROOT_DIR=$root \
    node_modules/.bin/cmake-js compile --arch arm64 -O build-arm64 \
    --CDCMAKE_SYSTEM_NAME=Linux --CDCMAKE_SYSTEM_PROCESSOR=aarch64 --CDCMAKE_CXX_COMPILER=aarch64-linux-gnu-g++ \
    --CDCMAKE_MODULE_LINKER_FLAGS="-L$libraries -Wl,-rpath-link,$libraries:$root/lib/aarch64-linux-gnu" \
    --CDGSSOCKS_HAVE_IPSEC_MB=OFF
  place build-arm64/Release/gssocks.node arm64 aarch64-linux-gnu-
}

here=''
if [[ ${1:-} == --here ]]; then here=$1 && shift; fi
[[ $# -gt 0 ]] || set -- x64 arm64
for arch in "$@"; do
  if [[ $arch == "$(node -p process.arch)" ]]; then
    place build/Release/gssocks.node "$arch" ""
  elif [[ $arch == arm64 ]]; then
    cross
  else
    fail "this machine can't build for $arch"
  fi
done
