/** Two contexts of one process, established with each other. */
import { Credential } from "../../../src/gss/credential.js";
import { Name } from "../../../src/gss/name.js";
import { type InitiatorContextOptions, SecurityContext } from "../../../src/gss/security-context.js";

/** The realms every test that seals runs in. */
export const ENCTYPES = ["aes256-cts-hmac-sha1-96", "aes256-cts-hmac-sha384-192"] as const;

export interface Pair {
  initiator: SecurityContext;
  acceptor: SecurityContext;
  /** Tokens that were sent, in both directions. */
  tokens: number;
  /** The acceptor's last step gave no token. */
  acceptorEndedSilently: boolean;
  close(): void;
}

/** Carries tokens between the two until both are established. */
export async function establish(initiator: SecurityContext, acceptor: SecurityContext): Promise<Pair> {
  let tokens = 0;
  let acceptorEndedSilently = false;
  let { token } = await initiator.init(null);
  while (token !== null) {
    tokens++;
    const accepted = await acceptor.accept(token);
    acceptorEndedSilently = accepted.token === null;
    if (accepted.token === null) break;
    tokens++;
    if (initiator.established) throw new Error("the acceptor sent a token too many");
    ({ token } = await initiator.init(accepted.token));
  }
  if (!initiator.established || !acceptor.established) throw new Error("not established");
  const close = () => {
    initiator.close();
    acceptor.close();
  };
  return { initiator, acceptor, tokens, acceptorEndedSilently, close };
}

export interface PairOptions extends Partial<Omit<InitiatorContextOptions, "target">> {
  target?: string;
  acceptorCredential?: Credential;
  acceptorBindings?: Uint8Array;
}

/** A pair in the realm that this process has entered. */
export async function newPair(options: PairOptions = {}): Promise<Pair> {
  const target = Name.import(options.target ?? "rcmd@localhost");
  const credential = options.acceptorCredential ?? (await Credential.acceptor());
  try {
    return await establish(
      SecurityContext.initiator({ ...options, target }),
      SecurityContext.acceptor({ credential, channelBindings: options.acceptorBindings }),
    );
  } finally {
    target.close();
    if (credential !== options.acceptorCredential) credential.close();
  }
}
