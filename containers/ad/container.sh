#!/bin/bash
# container.sh: the domain controller in a container. Makes the domain with domain.py in /var/lib/realm where that is empty,
# publishes krb5.conf and the groups in /realm, the proxy's keytab in /keytab/proxy and the origin's in /keytab/origin, and
# becomes the domain controller. container.sh --check says whether it signs people in; container.sh --groups publishes the
# groups anew, as it does each minute by itself.
set -euo pipefail
here=$(dirname "$0") dir=/var/lib/realm/ad

publish_groups() {
  "$here/domain.py" groups >/realm/groups.new 2>/dev/null && mv /realm/groups.new /realm/groups
}
case ${1:-} in
  --check) exec kinit -c MEMORY: -k -t "$dir/users.keytab" alice ;;
  --groups) publish_groups && exit ;;
esac

publish() { # FILE PRINCIPAL...: a keytab with the keys of these, and no others
  local file=$1 principal
  shift
  rm -f "$file.new"
  for principal in "$@"; do
    samba-tool domain exportkeytab --debuglevel=0 --principal="$principal" "$file.new" >/dev/null 2>"$dir/export.log" || {
      cat "$dir/export.log" >&2
      exit 1
    }
  done
  mv "$file.new" "$file"
}
if [[ ! -e $dir/made ]]; then
  rm -rf "$dir"
  mkdir -p "$dir"
  "$here/domain.py" make >"$dir/make.log" 2>&1 || {
    cat "$dir/make.log" >&2
    exit 1
  }
  touch "$dir/made"
fi
sed -e 's/@REALM@/EXAMPLE.TEST/g' -e 's/@DOMAIN@/example.test/g' -e 's/@KDC@/kdc.example.test:88/' -e 's/@LIFETIME@/36000/' \
  -e 's/@ENCTYPES@/aes256-cts-hmac-sha1-96/' "$here/krb5.conf.in" >"$KRB5_CONFIG.new"
mv "$KRB5_CONFIG.new" "$KRB5_CONFIG"
publish "$dir/users.keytab" alice
publish /keytab/proxy/krb5.keytab rcmd/proxy.example.test rcmd/socks.example.test
publish /keytab/origin/krb5.keytab host/origin.example.test
publish_groups
while sleep 60; do publish_groups || true; done &

exec samba --foreground --model=single --no-process-group --debug-stdout
