# The image of gssocks, the last stage, and those of client and origin that docker-compose.yml has.
#
#   docker build --tag gssocks .
#
# No line knows a processor: it builds for amd64 and arm64. Where no registry can be reached, give other base images:
#   --build-arg DEBIAN_IMAGE=... --build-arg NODE_IMAGE=...    the second needs Node and npm in /usr/local
# Where TLS is intercepted, give npm the authority:
#   --secret id=ca,src=/etc/ssl/certs/ca-certificates.crt
ARG NODE_IMAGE=node:24-trixie-slim
ARG DEBIAN_IMAGE=debian:trixie-slim

FROM ${NODE_IMAGE} AS node

# --- the addon and the TypeScript; a compiler is in this stage alone
FROM ${DEBIAN_IMAGE} AS build
ARG DEBIAN_FRONTEND=noninteractive
# libipsec-mb is not there for every processor.
RUN apt-get update \
  && apt-get install --yes --no-install-recommends ca-certificates g++ make cmake pkg-config libkrb5-dev \
    $(apt-cache --names-only search '^libipsec-mb-dev$' | cut -d ' ' -f 1) \
  && rm -rf /var/lib/apt/lists/* /var/cache/apt/*
COPY --from=node /usr/local /usr/local
WORKDIR /src
COPY package.json package-lock.json binding-options.cjs ./
RUN --mount=type=secret,id=ca \
  if [ -e /run/secrets/ca ]; then export NODE_EXTRA_CA_CERTS=/run/secrets/ca; fi; \
  npm ci --ignore-scripts --no-audit --no-fund
COPY CMakeLists.txt ./
COPY native native
RUN CMAKE_BUILD_PARALLEL_LEVEL=$(nproc) node_modules/.bin/cmake-js compile && strip build/Release/gssocks.node
COPY tsconfig.json ./
COPY scripts/clean.mjs scripts/write-schema.mjs scripts/
COPY src src
RUN npm run build:ts && find dist -name '*.map' -delete
# What it needs of Debian to run: the libraries that the addon is linked with, and the one that it opens itself.
RUN { ldd build/Release/gssocks.node | sed -n 's/.* => \([^ ]*\) .*/\1/p' | xargs -n 1 realpath | xargs dpkg-query -S | cut -d : -f 1; \
    dpkg-query -W -f '${binary:Package} ${db:Status-Status}\n' 'libipsec-mb[0-9]*' 2>/dev/null | sed -n 's/ installed$//p'; } \
  | sed 's/:.*//' | sort -u >runtime-packages

# --- for docker-compose.yml: the integration tests
FROM build AS suite
COPY krb5-testenv krb5-testenv
COPY test test
COPY scripts/run-tests.mjs scripts/
RUN node_modules/.bin/tsc && find dist -name '*.map' -delete \
  && rm -rf build node_modules/@biomejs node_modules/typescript node_modules/@typescript node_modules/@types \
  && mkdir /opt/suite && mv package.json binding-options.cjs node_modules dist krb5-testenv scripts test /opt/suite/ \
  && ln -s /opt/gssocks/build /opt/suite/build

# --- what gssocks is: of npm not what built it
FROM build AS product
RUN npm uninstall --ignore-scripts --no-audit --no-fund cmake-js node-addon-api \
  && npm prune --omit=dev --ignore-scripts --no-audit --no-fund \
  && mkdir -p /opt/gssocks/build/Release \
  && mv build/Release/gssocks.node /opt/gssocks/build/Release/ \
  && mv package.json binding-options.cjs node_modules /opt/gssocks/ \
  && chmod 755 dist/src/cli/main.js \
  && mkdir /opt/gssocks/dist && mv dist/src dist/gssocks.schema.json /opt/gssocks/dist/

# --- what runs
FROM ${DEBIAN_IMAGE} AS runtime
ARG DEBIAN_FRONTEND=noninteractive
COPY --from=build /src/runtime-packages /tmp/
RUN apt-get update \
  && xargs apt-get install --yes --no-install-recommends </tmp/runtime-packages \
  && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /tmp/runtime-packages \
  && useradd --uid 10001 --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin gssocks \
  && install -d -o gssocks -g gssocks -m 700 /run/gssocks
COPY --from=node /usr/local/bin/node /usr/local/bin/node
COPY --from=product /opt/gssocks /opt/gssocks
RUN ln -s /opt/gssocks/dist/src/cli/main.js /usr/local/bin/gssocks && gssocks mechs

# --- for docker-compose.yml: who has tickets
FROM runtime AS client
# Of the backports, for curl: the release's own can't do SOCKS5 with GSS-API.
RUN sed -i 's/^Suites: trixie trixie-updates$/& trixie-backports/' /etc/apt/sources.list.d/*debian.sources \
  && apt-get update \
  && apt-get install --yes --no-install-recommends krb5-user krb5-kdc krb5-admin-server openssh-client \
  && apt-get install --yes --no-install-recommends --target-release trixie-backports curl \
  && rm -rf /var/lib/apt/lists/* /var/cache/apt/* \
  && usermod --login alice --home /home/alice --shell /bin/bash gssocks \
  && mkdir -p /opt/client/node_modules && ln -s /opt/gssocks /opt/client/node_modules/gssocks
COPY --from=suite /opt/suite /opt/suite
COPY containers/client /opt/client
COPY test/containers/inside /opt/client/test
ENV KRB5_CONFIG=/realm/krb5.conf KRB5CCNAME=FILE:/tmp/ticket HOME=/tmp
WORKDIR /tmp
USER 10001:10001
ENTRYPOINT ["/opt/client/entry.sh"]

# --- for docker-compose.yml: where the client wants to go
FROM ${DEBIAN_IMAGE} AS origin
ARG DEBIAN_FRONTEND=noninteractive
RUN apt-get update \
  && apt-get install --yes --no-install-recommends openssh-server libgssapi-krb5-2 \
  && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /etc/ssh/ssh_host_* \
  && useradd --uid 10001 --user-group --no-create-home --home-dir /tmp --shell /bin/bash alice
COPY --from=node /usr/local/bin/node /usr/local/bin/node
COPY containers/origin /opt/origin
ENV KRB5_CONFIG=/realm/krb5.conf KRB5_KTNAME=FILE:/keytab/krb5.keytab KRB5RCACHEDIR=/tmp
USER 10001:10001
ENTRYPOINT ["node", "/opt/origin/main.mjs"]

# --- the image of gssocks
FROM runtime AS gssocks
# The Kerberos library's replay cache and the control socket: with a read-only root both directories want a tmpfs.
ENV NODE_ENV=production KRB5RCACHEDIR=/tmp RUNTIME_DIRECTORY=/run/gssocks
USER 10001:10001
EXPOSE 1080 9464
# The metrics listener answers it: the configuration needs `metrics: {}`.
HEALTHCHECK --interval=10s --timeout=6s --start-period=30s --start-interval=1s CMD ["node", "-e", \
  "fetch('http://127.0.0.1:9464/healthz').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["gssocks"]
CMD ["serve", "--config", "/etc/gssocks/config.yaml"]
