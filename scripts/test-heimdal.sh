#!/bin/bash
# Builds the addon over Heimdal's library in build-heimdal and tests it: its own tests, and against the addon over MIT's
# through to relayed data; and the one over MIT's in a realm whose KDC is Heimdal's. The normal build is not touched. Debian's packages are unpacked, not installed: their headers
# can't be installed beside MIT's. Needs `scripts/setup.sh --test` to have run, and on the first run Debian's mirror.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD/build-heimdal/root tree=$PWD/build-heimdal/tree

packages=(heimdal-multidev libgssapi3-heimdal libkrb5-26-heimdal libheimntlm0-heimdal libhx509-5-heimdal libwind0-heimdal
  libhcrypto5-heimdal libheimbase1-heimdal libasn1-8-heimdal libroken19-heimdal
  heimdal-kdc heimdal-clients libkdc2-heimdal libhdb9-heimdal libkadm5srv8-heimdal libkadm5clnt7-heimdal libsl0-heimdal
  libkafs0-heimdal)
if [[ ! -e $root/usr/lib/heimdal-servers/kdc ]]; then
  new=build-heimdal/new
  rm -rf "$new"
  mkdir -p "$new/root"
  (cd "$new" && apt-get -qq -o APT::Sandbox::User=root download "${packages[@]}")
  for package in "$new"/*.deb; do dpkg -x "$package" "$new/root"; done
  rm -rf "$root"
  mv "$new/root" "$root"
  rm -rf "$new"
fi
libraries=$(dirname "$(find "$root" -name libgssapi.so.3)")

PKG_CONFIG_LIBDIR=$libraries/pkgconfig PKG_CONFIG_SYSROOT_DIR=$root \
  npx cmake-js compile -O build-heimdal --CDGSSOCKS_HEIMDAL=ON --CDGSSOCKS_DEV=ON
rm -rf "$tree"
mkdir -p "$tree/build/Release"
cp build-heimdal/Release/gssocks.node "$tree/build/Release/"
cp -R dist package.json binding-options.cjs krb5-testenv "$tree/"
ln -s "$PWD/node_modules" "$tree/node_modules"

export HEIMDAL_CLI=$tree/dist/src/cli/main.js HEIMDAL_LIBRARIES=$libraries HEIMDAL_ROOT=$root
run() { node --test --enable-source-maps --expose-gc --test-concurrency=1 "$@"; }

# Not run, because Heimdal differs (docs/decisions, "Heimdal"): tests of MIT's error texts, tests that enter a second
# realm (it reads krb5.conf once a thread), and exit.test.js (it asks a silent KDC for minutes).
status=0
(cd "$tree/dist/test" && LD_LIBRARY_PATH=$libraries run native/{collect,handle-objects,per-message,workers}.test.js \
  unit/gss/{call-queue,oids}.test.js) || status=1
run dist/test/heimdal/interop.js dist/test/heimdal/kdc.js || status=1
exit $status
