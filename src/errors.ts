/**
 * Every error of gssocks says in its type who is at fault:
 *
 * - PeerError: the other end of a connection broke a protocol or a limit.
 * - GssError: the GSS-API library refused (a ticket, a keytab, a token).
 * - PolicyError: we refuse, because the configuration says so.
 * - NetworkError: a host could not be resolved or reached.
 * - ConfigError: the configuration file is wrong.
 * - UsageError: the program that calls us is wrong (closed handle, bad argument).
 *
 * `code` is stable and for programs; `message` is for people. `rep` is the SOCKS5 reply code (RFC 1928 §6) that
 * a server sends where it can still send one.
 */
export abstract class GssocksError extends Error {
  readonly code: string;
  readonly rep: number;

  constructor(code: string, message: string, options: { rep?: number; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = code;
    this.rep = options.rep ?? 0x01;
  }
}

/** The peer sent what it must not, or did not send what it must in time. */
export class PeerError extends GssocksError {}

/** We refuse: a rule, a limit, a level or a mechanism that is not allowed. */
export class PolicyError extends GssocksError {}

/** A name did not resolve or an address could not be reached. */
export class NetworkError extends GssocksError {}

/** Our caller is wrong: a closed handle, overlapping calls, an argument out of range. */
export class UsageError extends GssocksError {}

/** One thing wrong in a configuration file. */
export interface ConfigProblem {
  /** The key's path, as `listeners[0].address`; empty for the file itself. */
  path: string;
  /** 1-based line, where it is known. */
  line?: number;
  /** What was found and what was expected. */
  message: string;
}

/** The configuration is wrong; all that is wrong with it, at once. */
export class ConfigError extends GssocksError {
  readonly problems: readonly ConfigProblem[];

  constructor(file: string, problems: readonly ConfigProblem[]) {
    const lines = problems.map((problem) => {
      const place = problem.line === undefined ? file : `${file}:${problem.line}`;
      return problem.path === ""
        ? `${place}: ${problem.message}`
        : `${place}: ${problem.path}: ${problem.message}`;
    });
    super("CONFIG_INVALID", lines.join("\n"));
    this.problems = problems;
  }
}

/** What is known of a failed GSS-API call. */
export interface GssFailure {
  /** The C function that failed, as `gss_accept_sec_context`. */
  call: string;
  /** Major status, RFC 2744 §3.9.1. */
  major: number;
  majorText: string;
  /** Minor status of the mechanism. */
  minor: number;
  minorText: string;
  /** The mechanism's OID in dots, where one was known. */
  mechanism?: string | undefined;
  /** A token to send to the peer in spite of the failure (RFC 2744 §5.1, §5.19). */
  outputToken?: Buffer | undefined;
}

/** A GSS-API call failed. The message holds both status texts and, where we know them, the cause and its remedy. */
export class GssError extends GssocksError implements GssFailure {
  readonly call: string;
  readonly major: number;
  readonly majorText: string;
  readonly minor: number;
  readonly minorText: string;
  readonly mechanism: string | undefined;
  readonly outputToken: Buffer | undefined;

  constructor(code: string, message: string, failure: GssFailure, cause?: unknown) {
    super(code, message, { cause });
    this.call = failure.call;
    this.major = failure.major;
    this.majorText = failure.majorText;
    this.minor = failure.minor;
    this.minorText = failure.minorText;
    this.mechanism = failure.mechanism;
    this.outputToken = failure.outputToken;
  }
}
