#!/bin/bash
# container.sh: Heimdal's KDC in a container, with the realm that krb5-testenv/container.sh makes with MIT's: the same users
# and services, published in the same places. container.sh --check says whether it signs people in.
set -euo pipefail
realm=EXAMPLE.TEST dir=/var/lib/realm/heimdal conf=/realm/krb5.conf
# The KDC's own settings, and over them what its clients know.
export KRB5_CONFIG=$dir/kdc.conf:$conf

if [[ ${1:-} == --check ]]; then exec kinit.heimdal --cache=MEMORY: --keytab="$dir/users.keytab" alice true; fi

administer() { kadmin.heimdal --local --config-file="$dir/kdc.conf" --realm="$realm" "$@" >/dev/null; }
add() { administer add --use-defaults "$@"; }

sed -e "s/@REALM@/$realm/g" -e 's/@DOMAIN@/example.test/g' -e 's/@KDC@/kdc.example.test:88/' -e 's/@LIFETIME@/36000/' \
  -e 's/@ENCTYPES@/aes256-cts-hmac-sha1-96/' "$(dirname "$0")/krb5.conf.in" >"$conf.new"
mv "$conf.new" "$conf"
if [[ ! -e $dir/made ]]; then
  rm -rf "$dir"
  mkdir -p "$dir"
  cat >"$dir/kdc.conf" <<CONF
[libdefaults]
  default_realm = $realm
[kdc]
  database = {
    realm = $realm
    dbname = $dir/principal
    mkey_file = $dir/master
    acl_file = $dir/acl
    log_file = $dir/changes
  }
[kadmin]
  default_keys = aes256-cts-hmac-sha1-96:pw-salt
[logging]
  kdc = STDERR
  kadmin = FILE:$dir/kadmin.log
CONF
  kstash --random-key --key-file="$dir/master" >/dev/null
  administer init --realm-max-ticket-life=10h --realm-max-renewable-life=7d "$realm"
  add --password=alice-password alice
  add --password=bob-password bob
  for service in rcmd/proxy.example.test rcmd/socks.example.test host/origin.example.test; do add --random-key "$service"; done
  administer ext_keytab --keytab="$dir/users.keytab" alice
  touch "$dir/made"
fi
publish() { # FILE PRINCIPAL...: a keytab with the keys of these, and no others
  local file=$1
  shift
  rm -f "$file.new"
  administer ext_keytab --keytab="$file.new" "$@"
  mv "$file.new" "$file"
}
publish /keytab/proxy/krb5.keytab rcmd/proxy.example.test rcmd/socks.example.test
publish /keytab/origin/krb5.keytab host/origin.example.test

exec /usr/lib/heimdal-servers/kdc --config-file="$dir/kdc.conf" --addresses=0.0.0.0 --ports=88
