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
cp -R dist package.json binding-options.cjs krb5-testenv "$tree/"
ln -s "$root/node_modules" "$tree/node_modules"

cat > "$tree/leaks.supp" <<'SUPPRESSIONS'
SUPPRESSIONS

cd "$tree/dist"
[ $# -gt 0 ] || set -- test/native/*.test.js test/unit/gss/*.test.js
asan=$(c++ -print-file-name=libasan.so)
# Child processes inherit the library; of them only Node (%b is the program's name) is to account for its memory.
echo detect_leaks=1 > "$tree/asan.node"
exec env ASAN_OPTIONS="detect_leaks=0:fast_unwind_on_malloc=0:quarantine_size_mb=1:exitcode=99:include_if_exists=$tree/asan.%b" \
  LSAN_OPTIONS="suppressions=$tree/leaks.supp:print_suppressions=0:exitcode=23" \
  LD_PRELOAD="$asan" node --test --enable-source-maps --test-concurrency=1 "$@"
