#!/usr/bin/python3
"""domain.py make: makes the domain that smb.conf tells of, with users, services and a group.
domain.py groups: prints the domain's groups in the form of group(5), for gssocks' groups.file.

`samba-tool domain provision` does the same, but wants to give the policies' files away, which takes root."""

import logging
import secrets
import sys

import ldb
from samba.auth import system_session
from samba.param import LoadParm
from samba.provision import provision
from samba.samdb import SamDB

SMB_CONF = "/opt/ad/smb.conf"
REALM = "EXAMPLE.TEST"
USERS = {"alice": "alice-password", "bob": "bob-password"}
SERVICES = {
    "proxy": ["rcmd/proxy.example.test", "rcmd/socks.example.test"],
    "origin": ["host/origin.example.test"],
}
GROUPS = {"shell-users": ["alice"]}
# In msDS-SupportedEncryptionTypes: AES and nothing else. An account with services that says nothing gets RC4.
AES = str(0x08 | 0x10)

parameters = LoadParm()
parameters.load(SMB_CONF)


def database():
    return SamDB(session_info=system_session(), lp=parameters)


def account(samdb, name):
    found = samdb.search(expression=f"(sAMAccountName={name})", attrs=["member"])
    return found[0]


def make():
    logging.basicConfig(level=logging.WARNING)
    provision(
        logging.getLogger("provision"),
        system_session(),
        smbconf=SMB_CONF,
        lp=parameters,
        realm=REALM,
        domain="EXAMPLE",
        hostname="kdc",
        hostip="127.0.0.1",
        serverrole="active directory domain controller",
        dns_backend="NONE",
        adminpass=secrets.token_urlsafe(24) + "aA1!",
        root="kdc",
        skip_sysvolacl=True,
        # What later versions of Windows add to the schema: nothing that tickets or groups need.
        adprep_level=None,
    )
    samdb = database()
    # The passwords of these users are known to everybody anyway.
    samdb.set_pwdProperties("0")
    samdb.set_minPwdLength("1")
    for name, password in USERS.items():
        samdb.newuser(name, password)
    for name, principals in SERVICES.items():
        samdb.newuser(name, secrets.token_urlsafe(24))
        change = ldb.Message(account(samdb, name).dn)
        change["spn"] = ldb.MessageElement(principals, ldb.FLAG_MOD_ADD, "servicePrincipalName")
        change["aes"] = ldb.MessageElement(AES, ldb.FLAG_MOD_REPLACE, "msDS-SupportedEncryptionTypes")
        samdb.modify(change)
    for name, members in GROUPS.items():
        samdb.newgroup(name)
        samdb.add_remove_group_members(name, members)


def groups():
    samdb = database()
    for name in GROUPS:
        members = []
        for dn in account(samdb, name).get("member", []):
            [member] = samdb.search(base=str(dn), scope=ldb.SCOPE_BASE, attrs=["sAMAccountName"])
            members.append(f"{member['sAMAccountName']}@{REALM}")
        print(f"{name}:::{','.join(sorted(members))}")


{"make": make, "groups": groups}[sys.argv[1]]()
