#!/bin/bash
# Makes a Kerberos realm in a directory, prints its environment as KEY=VALUE lines, and becomes its KDC: the process
# you started is the KDC, SIGTERM stops it, and nothing outside the directory is touched. Needs no root.
# The KDC is ready when it writes "commencing operation" (to standard error and to DIR/kdc.log).
set -euo pipefail

usage() {
  cat <<'USAGE'
Usage: provision.sh [OPTION]... DIR
  DIR                         the realm's directory: empty, or not there yet
  --realm NAME                default EXAMPLE.TEST; its hosts are those of the domain in lower case, and localhost
  --enctypes LIST             of keys and tickets, comma-separated, default aes256-cts-hmac-sha1-96
  --lifetime SECONDS          the longest life of a ticket, default 36000
  --principal NAME:PASSWORD   one more user, repeatable (alice:alice-password and bob:bob-password are always there)
  --service NAME              one more service, repeatable (rcmd, socks and host of localhost, rcmd/127.0.0.1 and
                              rcmd/proxy.DOMAIN are always there)
  --at HOST:PORT              only make the realm: of a KDC that will listen on every address, and that krb5.conf calls so
  --ldap URL                  keep the database in this directory (ldapi://%2Fdir%2Fsocket/dc=example,dc=test), where we are
                              allowed everything (SASL EXTERNAL): only so does MIT's KDC know constrained delegation
  --trust DIR                 trust the realm in DIR, and be trusted by it; it must have the same enctypes
USAGE
}

fail() {
  echo "provision.sh: $*" >&2
  exit 1
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PATH=$PATH:/usr/sbin:/sbin

# Start again as the holder of a port; krb5kdc will inherit the reservation.
if [[ ${KRB5_TESTENV_PORT_HELD:-} != "$$" && " $* " != *" --at "* ]]; then
  unset KDC_PORT
  KRB5_TESTENV_PORT_HELD=$$ exec perl "$here/reserve-port.pl" "${BASH_SOURCE[0]}" "$@"
fi

realm=EXAMPLE.TEST enctypes=aes256-cts-hmac-sha1-96 lifetime=36000 trust= at= ldap=
users=(alice:alice-password bob:bob-password)
extra_services=()
while [[ ${1:-} == --* ]]; do
  [[ $1 == --help ]] && { usage; exit 0; }
  [[ $# -ge 2 ]] || fail "$1 needs a value"
  case $1 in
    --realm) realm=$2 ;;
    --enctypes) enctypes=$2 ;;
    --lifetime) lifetime=$2 ;;
    --principal) users+=("$2") ;;
    --service) extra_services+=("$2") ;;
    --at) at=$2 ;;
    --ldap) ldap=$2 ;;
    --trust) trust=$2 ;;
    *) usage >&2; exit 2 ;;
  esac
  shift 2
done
[[ $# -eq 1 ]] || { usage >&2; exit 2; }
[[ $realm =~ ^[A-Z0-9.-]+$ ]] || fail "not a realm name: $realm"
[[ $lifetime =~ ^[0-9]+$ ]] || fail "not a number of seconds: $lifetime"
[[ $enctypes =~ ^[a-z0-9,-]+$ ]] || fail "not a list of enctypes: $enctypes"
listen=127.0.0.1:${KDC_PORT:-} kdc=$listen
if [[ -n $at ]]; then
  [[ $at =~ ^[a-z0-9.-]+:([0-9]+)$ ]] || fail "not HOST:PORT: $at"
  export KDC_PORT=${BASH_REMATCH[1]}
  listen=0.0.0.0:$KDC_PORT kdc=$at
fi
[[ -z $ldap || $ldap =~ ^(ldapi://[^/]+)/(dc=[a-z0-9=,]+)$ ]] || fail "not an LDAP URL: $ldap"
ldap_server=${BASH_REMATCH[1]:-} suffix=${BASH_REMATCH[2]:-}

umask 077
mkdir -p "$1"
dir=$(cd "$1" && pwd)
[[ -z $(ls -A "$dir") ]] || fail "not empty: $dir"
domain=${realm,,}
services=(rcmd/localhost socks/localhost host/localhost rcmd/127.0.0.1 "rcmd/proxy.$domain" "${extra_services[@]}")

unset KRB5_TRACE KRB5_KTNAME KRB5_CLIENT_KTNAME KRB5CCNAME
export KRB5_CONFIG=$dir/krb5.conf KRB5_KDC_PROFILE=$dir/kdc.conf KRB5RCACHEDIR=$dir/rcache

fill() {
  sed -e "s|@REALM@|$realm|g" -e "s|@DOMAIN@|$domain|g" -e "s|@DIR@|$dir|g" -e "s|@LISTEN@|$listen|g" -e "s|@KDC@|$kdc|g" \
    -e "s|@ENCTYPES@|$enctypes|g" -e "s|@MASTER_ENCTYPE@|${enctypes%%,*}|g" -e "s|@LIFETIME@|$lifetime|g" "$1"
}
fill "$here/krb5.conf.in" >"$KRB5_CONFIG"
fill "$here/kdc.conf.in" >"$KRB5_KDC_PROFILE"
mkdir "$KRB5RCACHEDIR"

# Runs kadmin.local on the lines of standard input. It exits 0 whatever happens: what it writes to standard error counts.
administer() {
  local complaint
  complaint=$(kadmin.local -r "$1" 2>&1 >/dev/null) || true
  [[ -z $complaint ]] || fail "kadmin.local: $complaint"
}

if [[ -z $ldap ]]; then
  kdb5_util -r "$realm" create -s -W -P master >/dev/null
else
  cat >>"$KRB5_KDC_PROFILE" <<CONF

[realms]
  $realm = {
    database_module = ldap
  }
[dbmodules]
  ldap = {
    db_library = kldap
    ldap_servers = $ldap_server
    ldap_kerberos_container_dn = cn=krb,$suffix
    ldap_kdc_sasl_mech = EXTERNAL
    ldap_kadmind_sasl_mech = EXTERNAL
    disable_last_success = true
    disable_lockout = true
  }
CONF
  kdb5_ldap_util -H "$ldap_server" -r "$realm" create -subtrees "$suffix" -s -P master >/dev/null
fi
{
  for user in "${users[@]}"; do
    echo "addprinc -clearpolicy -pw \"${user#*:}\" \"${user%%:*}\""
    echo "ktadd -norandkey -k $dir/users.keytab \"${user%%:*}\""
  done
  for service in "${services[@]}"; do
    echo "addprinc -clearpolicy -randkey \"$service\""
    echo "ktadd -k $dir/service.keytab \"$service\""
  done
} | administer "$realm"

if [[ -n $trust ]]; then
  trust=$(cd "$trust" && pwd)
  other=$(sed -n 's/^ *default_realm = //p' "$trust/krb5.conf")
  # Either direction has one key, which both KDCs must know under the same key version.
  password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
  both=$(printf 'addprinc -clearpolicy -pw %s krbtgt/%s@%s\n' "$password" "$realm" "$other" "$password" "$other" "$realm")
  administer "$realm" <<<"$both"
  KRB5_CONFIG=$trust/krb5.conf KRB5_KDC_PROFILE=$trust/kdc.conf administer "$other" <<<"$both"
  introduce() { # REALM KRB5.CONF TO: lets the realm of one krb5.conf be known in another
    printf '\n[realms]\n  %s = {\n    %s\n  }\n[domain_realm]\n  .%s = %s\n  %s = %s\n' "$1" \
      "$(sed -n 's/^ *\(kdc = .*\)/\1/p' "$2" | head -n 1)" "${1,,}" "$1" "${1,,}" "$1"
  }
  addition=$(introduce "$other" "$trust/krb5.conf")
  introduce "$realm" "$dir/krb5.conf" >>"$trust/krb5.conf"
  echo "$addition" >>"$dir/krb5.conf"
fi

if [[ -n $at ]]; then exit; fi
cat <<ENV
KRB5_CONFIG=$KRB5_CONFIG
KRB5_KDC_PROFILE=$KRB5_KDC_PROFILE
KRB5CCNAME=FILE:$dir/ccache
KRB5_KTNAME=FILE:$dir/service.keytab
KRB5_CLIENT_KTNAME=FILE:$dir/client.keytab
KRB5RCACHEDIR=$KRB5RCACHEDIR
KRB5_TRACE=$dir/trace
KDC_PORT=$KDC_PORT
KDC_PID=$$
ENV

exec krb5kdc -r "$realm" -n -P "$dir/kdc.pid"
