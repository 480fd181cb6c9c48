#!/bin/bash
# The client's container: `demo` shows the whole path, `test` tests it, anything else is run as it is.
set -euo pipefail
case ${1:-} in
  demo) exec /opt/client/demo.sh ;;
  test)
    shift
    exec node --test --test-reporter=spec "${@:-/opt/client/test/*.test.mjs}"
    ;;
  "") exec bash ;;
  *) exec "$@" ;;
esac
