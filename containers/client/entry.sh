#!/bin/bash
# The client's container: `demo` shows the whole path; `test [TEXT]...` tests it, by the files whose name holds a TEXT, or
# all; anything else is run as it is.
set -euo pipefail
chosen() { # PATH [TEXT]...
  local text
  if [[ $# -eq 1 ]]; then return; fi
  for text in "${@:2}"; do if [[ $1 == *"$text"* ]]; then return; fi; done
  return 1
}
case ${1:-} in
  demo) exec /opt/client/demo.sh ;;
  test)
    shift
    # Those of the project first, then of the integration tests those that need a realm of their own and nothing else.
    files=() integration=()
    for file in /opt/client/test/*.test.mjs; do if chosen "$file" "$@"; then files+=("$file"); fi; done
    while read -r name; do
      if chosen "integration/$name.test" "$@"; then integration+=("integration/$name.test"); fi
    done </opt/client/integration
    status=0
    if [[ ${#files[@]} -gt 0 ]]; then node --test --test-reporter=spec "${files[@]}" || status=$?; fi
    if [[ ${#integration[@]} -gt 0 ]]; then
      printf '\nThe integration tests, with a KDC here for each (%d files of all; the others need root, networks, or more programs):\n' \
        "${#integration[@]}"
      CI=true node /opt/suite/scripts/run-tests.mjs "${integration[@]}" || status=$?
    fi
    exit "$status"
    ;;
  "") exec bash ;;
  *) exec "$@" ;;
esac
