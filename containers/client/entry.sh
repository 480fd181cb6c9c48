#!/bin/bash
# The client's container: `demo` shows the whole path; `test [TEXT]...` tests it, by the files whose name holds a TEXT, or
# all; anything else is run as it is.
set -euo pipefail
case ${1:-} in
  demo) exec /opt/client/demo.sh ;;
  test)
    shift
    files=()
    for file in /opt/client/test/*.test.mjs; do
      if [[ $# -eq 0 ]]; then files+=("$file"); fi
      for text in "$@"; do if [[ $file == *"$text"* ]]; then files+=("$file"); fi; done
    done
    exec node --test --test-reporter=spec "${files[@]}"
    ;;
  "") exec bash ;;
  *) exec "$@" ;;
esac
