#!/bin/sh
# Builds the addon with AddressSanitizer in build-asan and runs test/native and test/unit/gss with it. The normal build
# is not touched: the tests run in a copy of the package, whose build/Release holds the other addon.
# Needs TypeScript built (npm run build:ts). Arguments: compiled tests to run instead, as test/native/exit.test.js
set -eu
cd "$(dirname "$0")/.."
root=$PWD
tree=$root/build-asan/tree

npx cmake-js compile -O build-asan --CDGSSOCKS_SANITIZE=address --CDGSSOCKS_DEV=ON
rm -rf "$tree"
mkdir -p "$tree/build/Release"
cp build-asan/Release/gssocks.node "$tree/build/Release/"
cp -R dist package.json binding-options.cjs krb5-testenv native "$tree/"
mkdir -p "$tree/test/native"
cp test/native/vectors.cc "$tree/test/native/"
ln -s "$root/node_modules" "$tree/node_modules"

# Leaks of MIT krb5 1.20 itself: gss_unwrap of an empty message, and gss_acquire_cred with a client keytab that fails.
# Of the plugin gss-ntlmssp, which SPNEGO asks too where it is installed.
# Node frees a promise's resolver when it is settled only, which it can't be once its worker is being terminated.
cat > "$tree/leaks.supp" <<'SUPPRESSIONS'
leak:gss_krb5int_unseal_token_v3
leak:krb5_build_principal
leak:napi_create_promise
leak:gssntlmssp.so
leak:pkinit.so
SUPPRESSIONS

cd "$tree/dist"
# Child processes inherit the library; of them only Node (%b is the program's name) is to account for its memory.
echo detect_leaks=1 > "$tree/asan.node"
export LSAN_OPTIONS="suppressions=$tree/leaks.supp:print_suppressions=0:exitcode=23"
asan=$(c++ -print-file-name=libasan.so)
run() { # ASAN_OPTION TEST...
  options="detect_leaks=0:quarantine_size_mb=1:exitcode=99:$1"
  shift
  ASAN_OPTIONS=$options LD_PRELOAD=$asan node --test --enable-source-maps --test-concurrency=1 "$@"
}

status=0
if [ $# -eq 0 ]; then
  # process.exit() leaves V8's own memory behind: no leaks are looked for where it is what is tested.
  run verbosity=0 test/native/*exit.test.js || status=1
  for file in test/native/*.test.js test/unit/gss/*.test.js; do
    case $file in *exit.test.js) ;; *) set -- "$@" "$file" ;; esac
  done
fi
run "include_if_exists=$tree/asan.%b" "$@" || status=1
exit $status
