#!/bin/bash
# build.sh TARBALL DIRECTORY [ARCH]: makes a Debian package of the npm package's tarball, DIRECTORY/gssocks_VERSION_ARCH.deb,
# for this machine's processor or for ARCH (amd64, arm64): the tarball has the addon for it. Brings the npm packages along
# that gssocks runs with; Node and the GSS-API library are Debian's. Needs dpkg-deb and npm; no root.
set -euo pipefail

fail() {
  echo "build: $*" >&2
  exit 1
}
[[ $# -ge 2 ]] || fail "usage: build.sh TARBALL DIRECTORY [ARCH]"
here=$(cd "$(dirname "$0")" && pwd)
tarball=$1 target=$(cd "$2" && pwd) arch=${3:-$(dpkg --print-architecture)}
case $arch in
  amd64) node_arch=x64 ;;
  arm64) node_arch=arm64 ;;
  *) fail "no addon for $arch" ;;
esac

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
umask 022
tar -xzf "$tarball" -C "$work"
package=$work/package root=$work/root
version=$(node -p 'require(process.argv[1]).version' "$package/package.json")
addon=prebuilds/gssocks-linux-$node_arch/node-napi-v8.node
[[ -e $package/$addon ]] || fail "the tarball has no $addon: scripts/prebuild.sh makes it"
# The pages were made from the tarball's own sources, so its age is theirs.
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(stat -c %Y "$tarball")}

put() { # MODE DIRECTORY FILE...: into a directory of the package
  local mode=$1 directory=$root/$2
  shift 2
  mkdir -p "$directory"
  install -m "$mode" "$@" "$directory/"
}
compressed() { # FILE TARGET
  mkdir -p "$(dirname "$root/$2")"
  gzip -9nc "$1" >"$root/$2"
}

# The program. What the addon is built with stays out.
lib=$root/usr/lib/gssocks
mkdir -p "$lib/dist" "$lib/${addon%/*}"
cp -R "$package/dist/src" "$package/dist/gssocks.schema.json" "$lib/dist/"
cp "$package/package.json" "$package/binding-options.cjs" "$lib/"
install -m 644 "$package/$addon" "$lib/$addon"
cp "$here/../../package-lock.json" "$lib/"
(cd "$lib" && npm pkg delete scripts devDependencies dependencies.cmake-js dependencies.node-addon-api &&
  npm install --omit=dev --ignore-scripts --no-audit --no-fund --prefer-offline --silent)
# Of the packages, what runs, and its licences.
find "$lib" -type f ! \( -name '*.js' -o -name '*.cjs' -o -name '*.mjs' -o -name '*.json' -o -name '*.node' -o -iname 'licen[cs]e*' \) -delete
find "$lib" -type d -name '.*' -prune -exec rm -rf {} +
find "$lib/node_modules" -type f ! -iname 'licen[cs]e*' -exec sh -c 'case $(head -c 2 "$1") in "#!") rm "$1" ;; esac' sh {} \;
rm "$lib/package-lock.json" "$lib/node_modules/.package-lock.json"
find "$lib" -type d -empty -delete
find "$lib" -type f -exec chmod 644 {} +
sed -i '1s|^#!.*|#!/usr/bin/node|' "$lib/dist/src/cli/main.js"
chmod 755 "$lib/dist/src/cli/main.js"
mkdir -p "$root/usr/bin"
ln -s ../lib/gssocks/dist/src/cli/main.js "$root/usr/bin/gssocks"

# What belongs to it elsewhere.
for page in "$package"/dist/man/man*/*; do
  compressed "$page" "usr/share/man/man${page##*.}/${page##*/}.gz"
done
put 644 usr/share/bash-completion/completions "$package/dist/completions/gssocks.bash"
mv "$root"/usr/share/bash-completion/completions/gssocks{.bash,}
put 644 usr/share/zsh/vendor-completions "$package/dist/completions/_gssocks"
put 644 usr/share/fish/vendor_completions.d "$package/dist/completions/gssocks.fish"
put 644 usr/lib/systemd/system "$here"/../systemd/gssocks.{service,socket}
put 644 usr/lib/systemd/user "$here"/../systemd/user/*
put 644 usr/lib/sysusers.d "$here/../systemd/gssocks.sysusers"
mv "$root"/usr/lib/sysusers.d/gssocks.{sysusers,conf}
put 644 etc/logrotate.d "$here/../logrotate/gssocks"
put 644 etc/gssocks "$here/gssocks.yaml"
doc=usr/share/doc/gssocks
put 644 $doc "$here/copyright" "$package"/{README,CHANGELOG}.md
put 644 $doc/docs "$package"/docs/*
changelog=$work/changelog
printf 'gssocks (%s) unstable; urgency=medium\n\n  * CHANGELOG.md beside this file tells what is new.\n\n -- %s  %s\n' \
  "$version" "$(sed -n 's/^Maintainer: //p' "$here/control.in")" "$(date -R -u -d "@$SOURCE_DATE_EPOCH")" >"$changelog"
compressed "$changelog" $doc/changelog.gz

# The package itself.
control=$root/DEBIAN
mkdir "$control"
install -m 755 "$here"/{postinst,prerm,postrm} "$control/"
(cd "$root" && find etc -type f -printf '/%p\n' | sort) >"$control/conffiles"
(cd "$root" && find usr -type f -print0 | sort -z | xargs -0 md5sum) >"$control/md5sums"
size=$(du -k -s --apparent-size --exclude=DEBIAN "$root" | cut -f 1)
sed -e "s/@VERSION@/$version/; s/@ARCH@/$arch/; s/@SIZE@/$size/" "$here/control.in" >"$control/control"
find "$root" -newermt "@$SOURCE_DATE_EPOCH" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
dpkg-deb --root-owner-group -Zxz --build "$root" "$target/gssocks_${version}_$arch.deb" >/dev/null
echo "$target/gssocks_${version}_$arch.deb"
