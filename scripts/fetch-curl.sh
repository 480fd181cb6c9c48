#!/bin/bash
# Prints the path of a curl that can do SOCKS5 with GSS-API (8.20 or later; Debian 12 and 13 have older ones that fail
# with every server), fetching it on first use into .cache/: the packages of Debian 13 and its backports, checked by
# apt with Debian's archive keys and unpacked, not installed. The machine's mirror and proxy settings are used; its apt
# state is not touched. Needs no root.
set -euo pipefail
cd "$(dirname "$0")/.."

cache=$PWD/.cache
curl=$cache/curl/run-curl
mkdir -p "$cache"
# Test files run side by side: one fetches, the others wait.
exec {lock}>"$cache/curl.lock"
flock "$lock"
if [[ -x $curl ]]; then
  echo "$curl"
  exit
fi

fail() {
  echo "fetch-curl: $*" >&2
  exit 1
}
command -v apt-get >/dev/null || fail "needs apt-get"
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
[[ -e $keyring ]] || fail "needs the package debian-archive-keyring"

# Where this machine gets its own release's main component from.
codename=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
mirror=$(apt-get indextargets --format "\$(RELEASE) \$(COMPONENT) \$(REPO_URI)" 'Created-By: Packages' |
  awk -v codename="$codename" '$1 == codename && $2 == "main" { print $3; exit }')
[[ -n $mirror ]] || fail "no mirror for $codename main in this machine's apt sources"

work=$cache/curl.new
rm -rf "$work"
mkdir -p "$work"/{lists/partial,archives/partial,root}
touch "$work/status"
cat >"$work/sources.list" <<SOURCES
deb [signed-by=$keyring] $mirror trixie main
deb [signed-by=$keyring] $mirror trixie-backports main
SOURCES
# Of the machine's settings only how to fetch (proxies and the like); an empty status makes apt resolve the whole closure.
{
  apt-config dump | grep '^Acquire::'
  cat <<CONFIG
Dir::Etc::parts "/dev/null";
Dir::Etc::main "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::Etc::sourcelist "$work/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::State "$work";
Dir::State::status "$work/status";
Dir::Cache "$work";
Dir::Cache::archives "$work/archives";
APT::Sandbox::User "";
APT::Get::List-Cleanup "false";
Acquire::Languages "none";
CONFIG
} >"$work/apt.conf"

log=$work/log
if ! { APT_CONFIG=$work/apt.conf apt-get update && APT_CONFIG=$work/apt.conf \
  apt-get install -y --download-only --no-install-recommends -t trixie-backports curl; } >"$log" 2>&1 </dev/null; then
  cat "$log" >&2
  fail "apt could not fetch curl and what it needs"
fi
for package in "$work"/archives/*.deb; do dpkg-deb -x "$package" "$work/root"; done

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

rm -rf "$work"/{lists,archives,status,sources.list,apt.conf,log,pkgcache.bin,srcpkgcache.bin} "$cache/curl"
mv "$work" "$cache/curl"
echo "$curl"
