#!/bin/bash
# test-containers.sh [TEXT]...: brings the project of docker-compose.yml up and runs test/containers against it, those
# whose name holds a TEXT, or all; then all of it is taken down (`npm run test:containers`). The engine is the one that
# answers, or one of its own (with-engine.sh); base images are Debian's and Node's official ones where the engine has a
# registry, and made here (base-images.sh) for an engine of its own. Where no engine can be had it says
# "containers: not run: REASON" and ends with status 77.
set -euo pipefail
cd "$(dirname "$0")/.."

if [[ ${GSSOCKS_CONTAINERS_STAGE:-} == "" ]]; then
  status=0
  errors=$(mktemp)
  trap 'rm -f "$errors"' EXIT
  GSSOCKS_CONTAINERS_STAGE=engine scripts/with-engine.sh "${BASH_SOURCE[0]}" "$@" 2> >(tee "$errors" >&2) || status=$?
  if [[ $status == 77 ]]; then
    echo "containers: not run: $(sed -n 's/^with-engine: //p' "$errors" | tail -n 1)"
  fi
  exit "$status"
fi

# A project, images and networks of its own, whatever else the engine does.
export COMPOSE_PROJECT_NAME=gssocks-test-$$ GSSOCKS_TAG=test-$$ COMPOSE_FILE=docker-compose.yml:test/containers/override.yaml
export COMPOSE_PROFILES=client,ad,ad-client,heimdal,heimdal-client,cluster,observe BUILDX_GIT_INFO=0
# One service for each image that is built.
built=(kdc proxy origin client ad-kdc heimdal-kdc socks prometheus)
work=$(mktemp -d)
clean_up() {
  {
    docker compose --progress quiet down --volumes --timeout 0
    docker images --format '{{.Repository}}:{{.Tag}}' --filter "reference=*:$GSSOCKS_TAG" | xargs --no-run-if-empty docker image rm
  } >"$work/down.log" 2>&1 || cat "$work/down.log" >&2
  rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

step() {
  echo "containers: $1 ($SECONDS s)"
}
tests=()
for file in test/containers/*.test.mjs; do
  if [[ $# -eq 0 ]]; then tests+=("$file"); fi
  for text in "$@"; do if [[ $file == *"$text"* ]]; then tests+=("$file"); fi; done
done
[[ ${#tests[@]} -gt 0 ]] || {
  echo "containers: no file of test/containers has a name with $*" >&2
  exit 2
}
if [[ -n ${GSSOCKS_ENGINE_WORK:-} ]]; then
  # Nobody else's are there.
  GSSOCKS_TAG="test"
  step "making base images"
  export DEBIAN_IMAGE=gssocks-base/debian NODE_IMAGE=gssocks-base/node
  scripts/base-images.sh "$DEBIAN_IMAGE" "$NODE_IMAGE"
fi
# npm in the image build has to trust whom npm here trusts.
authorities=${NODE_EXTRA_CA_CERTS:-/etc/ssl/certs/ca-certificates.crt}
if [[ -e $authorities ]]; then
  cp "$authorities" "$work/ca.crt"
  export BUILD_CA=$work/ca.crt
fi
step "building images"
docker compose --progress plain build "${built[@]}" >"$work/build.log" 2>&1 || {
  tail -n 60 "$work/build.log" >&2
  exit 1
}
step "bringing the project up"
docker compose --progress quiet up --wait --wait-timeout 300 kdc proxy origin || {
  docker compose ps --all
  docker compose logs --no-color --tail 40
  exit 1
}
step "testing"
status=0
# One file after the other: some of them stop what others need.
node --test --test-concurrency=1 --test-timeout=600000 --test-reporter=spec "${tests[@]}" || status=$?
if [[ $status != 0 ]]; then docker compose logs --no-color --tail 40 >&2; fi
step "done"
exit "$status"
