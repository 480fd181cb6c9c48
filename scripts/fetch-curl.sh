#!/bin/bash
# Prints the path of a curl that can do SOCKS5 with GSS-API (8.20 or later; Debian 12 and 13 have older ones that fail
# with every server), fetching it on first use into .cache/: that of Debian 13's backports, with all it needs.
set -euo pipefail
. "$(dirname "$0")/cache.sh" curl

curl=$cache/curl/run-curl
if [[ -x $curl ]]; then
  echo "$curl"
  exit
fi

fail() {
  echo "fetch-curl: $*" >&2
  exit 1
}
work=$cache/curl.new
rm -rf "$work"
mkdir "$work"
scripts/unpack-debian.sh --closure "$work/root" trixie,trixie-backports curl

# Its C library is newer than the machine's: it is started through its own loader, with its own libraries.
loader=$(cd "$work/root" && find usr/lib* -name 'ld-linux*.so.*' | head -n 1)
libraries=$(cd "$work/root" && dirname "$(find usr/lib -name 'libcurl.so.4' | head -n 1)")
[[ -n $loader && -n $libraries ]] || fail "what was fetched holds no loader or no libcurl"
cat >"$work/run-curl" <<'WRAPPER'
#!/bin/sh
root=$(dirname "$(readlink -f "$0")")/root
WRAPPER
echo "exec \"\$root/$loader\" --library-path \"\$root/$libraries\" \"\$root/usr/bin/curl\" \"\$@\"" >>"$work/run-curl"
chmod +x "$work/run-curl"
version=$("$work/run-curl" --version)
grep -Eq '^curl (8\.[2-9][0-9]|9)\.' <<<"$version" || fail "too old: $version"
grep -Eq '^Features:.* GSS-API' <<<"$version" || fail "no GSS-API in: $version"

rm -rf "$cache/curl"
mv "$work" "$cache/curl"
echo "$curl"
