import {
  GSS_S_BAD_BINDINGS,
  GSS_S_BAD_MECH,
  GSS_S_BAD_NAME,
  GSS_S_BAD_SIG,
  GSS_S_CONTEXT_EXPIRED,
  GSS_S_CREDENTIALS_EXPIRED,
  GSS_S_DEFECTIVE_TOKEN,
  GSS_S_DUPLICATE_ELEMENT,
  GSS_S_FAILURE,
  GSS_S_NO_CONTEXT,
  GSS_S_NO_CRED,
  routineError,
} from "./flags.js";
import { keytabCause } from "./keytab-cause.js";
import type { NativeFailure } from "./native.js";
import { GSS_MECH_SPNEGO, holdsIakerb, holdsNtlmssp, mechanismName, tokenMechanism } from "./oids.js";

/** With what a service acts in a client's place (constrained delegation, S4U2Proxy: MS-SFU §3.1.5.2). */
export interface Impersonation {
  /** The service's own principal, which the KDC has to allow it. */
  readonly impersonator: string;
  /** Of the client's ticket: most KDCs take no other as evidence. */
  readonly forwardable: boolean;
}

/** What the caller knows of a call: it goes into the error's text. */
export interface FailureContext {
  role?: "initiator" | "acceptor" | undefined;
  /** The name asked for. */
  target?: string | undefined;
  /** The user. */
  principal?: string | undefined;
  keytab?: string | undefined;
  clientKeytab?: string | undefined;
  /** OIDs of those asked for. */
  mechanisms?: readonly string[] | undefined;
  ccache?: string | undefined;
  impersonation?: Impersonation | undefined;
  /** The peer's, where the call took one; null where it was the first call, before the peer had sent any. */
  token?: Uint8Array | null | undefined;
}

export interface Cause {
  code: string;
  /** What is the matter, and what to do about it. */
  text: string;
}

/** The number of an error in libkrb5's table, as krb5.h counts: RFC 4120 §7.5.9 up to 127, the library's own above. */
const KRB5_TABLE = -1765328384;
/** The table of the krb5 mechanism. */
const KG_CCACHE_NOMATCH = 39756032;
const KG_KEYTAB_NOMATCH = 39756033;

const KDC_WILL_NOT = /^KDC can't fulfill requested option/;

type Row = readonly [
  code: string,
  matches: (failure: Facts, context: FailureContext) => boolean,
  text: (context: FailureContext, failure: Facts) => string,
];

class Facts {
  readonly krb5: number;
  readonly minor: number;
  readonly routine: number;
  readonly call: string;
  readonly accepting: boolean;
  readonly text: string;

  constructor(failure: NativeFailure, context: FailureContext) {
    this.minor = failure.minor;
    this.krb5 = (failure.minor | 0) - KRB5_TABLE;
    this.routine = routineError(failure.major);
    this.call = failure.call;
    this.accepting = context.role === "acceptor";
    this.text = failure.minorText;
  }

  /** By number; by text where the mechanism glue gave the minor status another number, as it does under SPNEGO. */
  is(krb5: readonly number[], text?: RegExp): boolean {
    return krb5.includes(this.krb5) || (text?.test(this.text) ?? false);
  }

  find(text: RegExp): string {
    return text.exec(this.text)?.[1] ?? "";
  }
}

// What MIT krb5 1.20 returns was tried for each row; the first row that matches wins.
const ROWS: readonly Row[] = [
  [
    "CONTEXT_EXPIRED",
    (f) => f.routine === GSS_S_CONTEXT_EXPIRED,
    () => "the security context is as old as its ticket allows: connect again with a fresh ticket (kinit)",
  ],
  [
    "CHANNEL_BINDINGS",
    (f) => f.routine === GSS_S_BAD_BINDINGS,
    () =>
      "the channel bindings of the two ends differ: something between them ends the TLS connection, or only one of them is configured for channel bindings",
  ],
  [
    "NO_CONTEXT",
    (f) => f.routine === GSS_S_NO_CONTEXT,
    () => "the security context is not established yet, or has failed",
  ],

  [
    "CCACHE_TAKEN",
    (f) => f.routine === GSS_S_DUPLICATE_ELEMENT,
    (c) => `${ccacheOf(c)} holds tickets already: name another, or overwrite them`,
  ],

  // Tickets and the KDC.
  [
    "REALM_UNKNOWN",
    (f) => /Server krbtgt\/\S+ not found/.test(f.text),
    (c, f) => {
      const [from, to] = [f.find(/krbtgt\/[^@]+@(\S+)/), f.find(/krbtgt\/([^@]+)@/)];
      return `${quoted(c.target, "the target")} is taken to be in realm ${to}, to which realm ${from} knows no way: map the host to its realm in [domain_realm] of krb5.conf, or set up trust between the two realms`;
    },
  ],
  [
    "SERVER_UNKNOWN",
    (f) => f.is([7], /^Server \S+ not found/),
    (c, f) =>
      `the KDC does not know the service ${f.find(/^Server (\S+) not found/) || quoted(c.target, "asked for")}: check the host name and the service name that were asked for (${quoted(c.target, "unknown")}), or create the principal on the KDC and put its key into the server's keytab`,
  ],
  [
    "CLIENT_UNKNOWN",
    (f) => f.is([6], /^Client '?\S+ not found/),
    (c, f) =>
      `the KDC does not know the user ${f.find(/^Client '([^']+)'/) || quoted(c.principal, "")}: check the spelling and the realm`,
  ],
  [
    "PASSWORD_WRONG",
    (f) => f.is([24, 210], /^(Preauthentication failed|Password incorrect)/),
    (c) =>
      c.clientKeytab === undefined
        ? `the password${of(c.principal)} is wrong`
        : `the key${of(c.principal)} in the client keytab ${c.clientKeytab} is not the one the KDC has: its password was changed since, write the keytab anew (ktadd)`,
  ],
  [
    "PASSWORD_EXPIRED",
    (f) => f.is([23], /^Password has expired/),
    (c) => `the password${of(c.principal)} has expired: change it with kpasswd`,
  ],
  [
    "CLIENT_LOCKED",
    (f) => f.is([1, 18], /credentials have been revoked/),
    (c) => `the account${of(c.principal)} is locked or has expired: ask the administrator of the realm`,
  ],
  [
    "TICKET_EXPIRED",
    (f) => f.routine === GSS_S_CREDENTIALS_EXPIRED || f.is([32], /^Ticket expired/),
    (c, f) =>
      c.impersonation !== undefined
        ? `the user's ticket, or that of ${c.impersonation.impersonator} that acts in the user's place, has expired: the user connects again, with a new ticket (kinit) where it is the user's`
        : f.accepting
          ? "the initiator's ticket has expired: its user gets a new one with kinit; if it is new, compare the clocks"
          : `the ticket in ${ccacheOf(c)} has expired: get a new one with kinit`,
  ],
  [
    "CLOCK_SKEW",
    (f) => f.is([33, 37], /^(Clock skew too great|Ticket not yet valid)/),
    () =>
      "the clocks of the machines differ by more than Kerberos allows (5 minutes): synchronise them (NTP)",
  ],
  [
    "REALM_UNKNOWN",
    (f) => f.is([154, 217, 220], /^Cannot find KDC for/),
    (_c, f) =>
      `no KDC is known for realm ${f.find(/realm "?([^"]+)"?/) || "of that name"}: check the realm's spelling, and [realms] in krb5.conf or the realm's DNS SRV records`,
  ],
  [
    "REALM_UNKNOWN",
    (f) => f.is([224], /default realm/),
    () => "no default realm is set: set default_realm in [libdefaults] of krb5.conf (is KRB5_CONFIG right?)",
  ],
  [
    "KDC_UNREACHABLE",
    (f) => f.is([156], /^Cannot contact any KDC/),
    (_c, f) =>
      `no KDC of realm ${f.find(/realm '([^']+)'/)} answers: check the network, the firewall (port 88) and [realms] in krb5.conf`,
  ],
  [
    // MIT means to tell the initiator, and fails in making that message.
    "KDC_UNREACHABLE",
    (f, c) =>
      c.token instanceof Uint8Array &&
      holdsIakerb(c.token) &&
      /^ASN\.1 structure is missing a required field/.test(f.text),
    () =>
      "this server reaches no KDC of the realm that the initiator named, as it must for IAKERB: check the network, the firewall (port 88) and [realms] in krb5.conf; if it does, the initiator's token is malformed",
  ],
  [
    "KRB5_CONF_INVALID",
    (f) => f.is([135, 136], /Kerberos configuration file/),
    () => "krb5.conf (or the file KRB5_CONFIG names) can't be read or is malformed: correct it",
  ],
  [
    "ENCTYPE_UNSUPPORTED",
    (f) => f.is([14, 150, 236, 237], /enc(ryption )?type/i) && !/cannot decrypt/.test(f.text),
    () =>
      "the two ends and the KDC have no encryption type in common: compare permitted_enctypes in krb5.conf with the keys of the service (klist -ke)",
  ],

  [
    "KDC_REFUSED_TICKET",
    (f, c) => c.token === null && f.is([31], /^KDC returned error string: PROCESS_TGS/),
    (c) =>
      `a KDC could not read the ticket it was shown: get a new one with kinit; if ${quoted(c.target, "the target")} is in another realm, the KDCs of the two realms must have the same key, with the same version, for the trust between them (krbtgt/REALM@REALM), and the KDC's log says what it lacks`,
  ],

  [
    "TICKET_NOT_FORWARDABLE",
    (f, c) => c.impersonation?.forwardable === false && f.is([13], KDC_WILL_NOT),
    (c) =>
      `the KDC does not let ${c.impersonation?.impersonator} act in the user's place towards ${quoted(c.target, "the target")}, for the user's ticket is not forwardable: the user gets one that is (kinit -f); where kinit -f gives none, the KDC bars this user from delegation (kadmin: -allow_forwardable; Active Directory: a sensitive account, or one of Protected Users)`,
  ],
  [
    "DELEGATION_REFUSED",
    (f) => f.is([13], KDC_WILL_NOT),
    (c) =>
      `the KDC does not let ${c.impersonation?.impersonator ?? "this service"} act in the user's place towards ${quoted(c.target, "the target")}: allow it constrained delegation to that service, or let the user delegate the ticket`,
  ],

  // The keytab. MIT gives the next two one number: the text alone says which of them is older.
  [
    "TICKET_OLD_KVNO",
    (f) => /ticket is likely out of date/.test(f.text),
    (c, f) =>
      `the keytab ${keytabOf(c)} no longer has the key (kvno ${f.find(/kvno (\d+)/)}) of the ticket for ${f.find(/ticket server (\S+)/)}, it has newer ones: the initiator's user gets a new ticket with kinit; keep an old key in the keytab for as long as tickets live`,
  ],
  [
    "KEYTAB_OLD_KVNO",
    (f) => f.is([44, 230], /keytab is likely out of date/),
    (c, f) =>
      `the keytab ${keytabOf(c)} is older than the ticket for ${f.find(/ticket server (\S+)/) || "this service"} (kvno ${f.find(/kvno (\d+)/) || "unknown"}): the service's key was changed since, write the keytab anew (ktadd)`,
  ],
  [
    "KEYTAB_WRONG_KEY",
    (f) => /found in keytab but cannot decrypt ticket/.test(f.text),
    (c, f) =>
      `the key of ${f.find(/ticket server (\S+)/)} in the keytab ${keytabOf(c)} has the ticket's kvno but is not the KDC's key: write the keytab anew (ktadd); if other clients get in, this ticket was damaged on its way`,
  ],
  [
    "TARGET_NOT_ACCEPTED",
    (f) => /does not match server principal/.test(f.text),
    (c, f) =>
      `the initiator's ticket is for ${f.find(/ticket server (\S+)/)} and this acceptor takes tickets for ${quoted(c.target, "another name")} only: ask for that name, or let the acceptor use any key of its keytab`,
  ],
  [
    "KEYTAB_NO_KEY",
    (f) => f.minor === KG_KEYTAB_NOMATCH || /not found in keytab/.test(f.text),
    (c, f) =>
      `the keytab ${keytabOf(c)} has no key for ${f.find(/(?:ticket server|matching) (\S+)/) || quoted(c.target, "this service")}: add it (ktadd), or ask for a name that is in it (klist -k)`,
  ],
  [
    "CCACHE_OTHER_PRINCIPAL",
    (f) => f.minor === KG_CCACHE_NOMATCH,
    (c) =>
      `${ccacheOf(c)} holds the ticket of another user than ${quoted(c.principal, "asked for")}: run kinit${c.principal === undefined ? "" : ` ${c.principal}`} or name another ccache (klist -l)`,
  ],
  [
    "CCACHE_UNREADABLE",
    (f) =>
      f.is(
        [140, 190 + 3, 194, 199, 212],
        /credentials? cache (permissions|format|type)|in credentials cache/i,
      ),
    (c) => `${ccacheOf(c)} can't be read: check who owns it, or get a new one with kinit`,
  ],
  [
    "NO_TICKET",
    (f) =>
      !f.accepting &&
      f.is([141, 143, 195], /No (Kerberos credentials available|credentials cache)|SPNEGO cannot find mech/),
    (c) =>
      c.clientKeytab === undefined
        ? `there is no ticket${of(c.principal)} in ${ccacheOf(c)}: get one with kinit (klist shows what is there)`
        : `there is no ticket${of(c.principal)} in ${ccacheOf(c)}, and the client keytab ${c.clientKeytab} gave none: check that it can be read and holds the key${of(c.principal)} (klist -k)`,
  ],

  // The mechanism plugin gss-ntlmssp, whose minor codes are other libraries' (errno).
  [
    "KEYTAB_NOT_TAKEN",
    (f) => f.accepting && f.text === "Not a server credential type",
    (c) =>
      `the mechanism plugin can't accept with a credential that names a keytab (${keytabOf(c)}): let KRB5_KTNAME name it instead`,
  ],
  [
    "CLIENT_UNKNOWN",
    (f, c) => f.accepting && f.text === "Permission denied" && holdsNtlmssp(c.token),
    () =>
      "the NTLM user is not one of NTLM_USER_FILE (DOMAIN:user:password), nor known to winbind, or this user can't read that file",
  ],
  [
    "PASSWORD_WRONG",
    (f, c) => f.accepting && f.text === "Invalid argument" && holdsNtlmssp(c.token),
    () => "the NTLM user's password is another one here, or the token is damaged",
  ],

  // Tokens.
  [
    "REPLAY",
    (f) => f.is([34], /^Request is a replay/),
    () =>
      "this token was used before: somebody sent a copy of it, or the initiator sent it twice; it has to make a new one",
  ],
  [
    "RCACHE_UNUSABLE",
    (f) => (f.accepting && /\(filename: /.test(f.text)) || f.is([161], /[Rr]eplay cache/),
    (_c, f) =>
      `the replay cache ${f.find(/filename: ([^)]+)/)} can't be used: let the server write there, or set KRB5RCACHEDIR or the rcache setting`,
  ],
  [
    "BAD_TOKEN",
    (f) =>
      f.routine === GSS_S_DEFECTIVE_TOKEN ||
      f.routine === GSS_S_BAD_SIG ||
      f.is([31, 39, 40, 41], /^(Decrypt integrity check|Message stream modified)/) ||
      // MIT's answer to an AP-REQ that is cut off: no minor status at all.
      (f.accepting && f.routine === GSS_S_FAILURE && /^(Success|Unknown error)?$/.test(f.text)),
    () => "the peer's token is damaged, incomplete, or no token of this security context",
  ],
  [
    "MECHANISM_NOT_ACCEPTED",
    (f) =>
      f.call === "gss_accept_sec_context" &&
      ((f.routine === GSS_S_NO_CRED && f.minor === 0) ||
        f.routine === GSS_S_BAD_MECH ||
        /^SPNEGO cannot find mech/.test(f.text)),
    (c, f) =>
      `the initiator ${usedMechanism(c.token, f)}, which this acceptor does not take: add the mechanism to those it accepts, or let the initiator use another`,
  ],
  [
    "MECHANISM_UNAVAILABLE",
    (f) => f.routine === GSS_S_BAD_MECH,
    (c) =>
      `the GSS-API library has no mechanism ${c.mechanisms?.map(mechanismName).join(" or ") ?? "as asked for"}: check its OID (gssocks mechs lists what there is), and /etc/gss/mech.d and GSS_MECH_CONFIG for plugins`,
  ],
  [
    "BAD_NAME",
    (f) => f.routine === GSS_S_BAD_NAME,
    (c) =>
      `${quoted(c.target ?? c.principal, "the name")} is not a name of that type: a service is written service@host`,
  ],
];

/** The likely cause of a failure; undefined where we know none. */
export function likelyCause(failure: NativeFailure, context: FailureContext): Cause | undefined {
  const facts = new Facts(failure, context);
  for (const [code, matches, text] of ROWS) {
    if (matches(facts, context)) return { code, text: text(context, facts) };
  }
  const aboutKeytab = facts.is([45, 179, 180, 181, 184, 235], /key ?tab(le)?\b/i);
  if (!aboutKeytab) return undefined;
  const keytab = context.keytab ?? (facts.find(/(?:Keytab|file) '?(\S+?)'? (?:is|not)/) || undefined);
  return keytabCause(keytab, keytabOf({ keytab }));
}

function keytabOf(context: FailureContext): string {
  return context.keytab ?? "(the default one: KRB5_KTNAME, or default_keytab_name in krb5.conf)";
}

function usedMechanism(token: Uint8Array | null | undefined, failure: Facts): string {
  const oid = token ? tokenMechanism(token) : undefined;
  if (oid === undefined) return "sent an empty token, or one of an unknown mechanism";
  const inside = oid === GSS_MECH_SPNEGO && failure.routine !== GSS_S_NO_CRED;
  return inside ? "offers only mechanisms inside SPNEGO" : `uses the mechanism ${mechanismName(oid)}`;
}

function ccacheOf(context: FailureContext): string {
  return context.ccache === undefined ? "the default ccache (KRB5CCNAME)" : `the ccache ${context.ccache}`;
}

function quoted(name: string | undefined, otherwise: string): string {
  return name === undefined ? otherwise : `"${name}"`;
}

function of(principal: string | undefined): string {
  return principal === undefined ? "" : ` of ${principal}`;
}
