#!/bin/bash
# container.sh [OPTION]...: the KDC in a container. Makes the realm with provision.sh (the options are its own) in
# /var/lib/realm where that is empty, publishes krb5.conf in /realm, the proxies' keytab in /keytab/proxy and the origin's
# in /keytab/origin, and becomes the KDC. container.sh --check says whether it signs people in.
set -euo pipefail
realm=EXAMPLE.TEST
dir=/var/lib/realm/realm
export KRB5_CONFIG=$dir/krb5.conf KRB5_KDC_PROFILE=$dir/kdc.conf

if [[ ${1:-} == --check ]]; then exec kinit -c MEMORY: -k -t "$dir/users.keytab" alice; fi

if [[ ! -e $dir/made ]]; then
  rm -rf "$dir"
  "$(dirname "$0")/provision.sh" --realm "$realm" --at kdc.example.test:88 --service rcmd/socks.example.test \
    --service host/origin.example.test "$@" "$dir"
  touch "$dir/made"
fi
publish() { # FILE SERVICE...: a keytab with the keys of these, and no others
  local file=$1 service
  shift
  rm -f "$file.new"
  for service in "$@"; do echo "ktadd -norandkey -k $file.new $service"; done | kadmin.local -r "$realm" >/dev/null
  mv "$file.new" "$file"
}
publish /keytab/proxy/krb5.keytab rcmd/proxy.example.test rcmd/socks.example.test
publish /keytab/origin/krb5.keytab host/origin.example.test
install -m 644 "$KRB5_CONFIG" /realm/krb5.conf

exec krb5kdc -r "$realm" -n
