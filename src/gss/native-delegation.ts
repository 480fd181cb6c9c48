/** The addon's calls for acting in somebody's place: a part of native.ts's surface, and types alone. */
import type { CredentialHandle, NameHandle, NativeAcquired, StoreElement } from "./native.js";

export interface NativeDelegation {
  /** gss_acquire_cred_impersonate_name (S4U2Self): asks the KDC for a ticket to ourselves in the name's place. */
  acquireCredImpersonateName(
    impersonator: CredentialHandle,
    name: NameHandle,
    lifetime: number,
    mechanisms: readonly string[] | null,
    usage: number,
  ): Promise<NativeAcquired>;
  /** gss_store_cred_into: `store` names a ccache; nothing process-wide is touched. */
  storeCredInto(
    credential: CredentialHandle,
    usage: number,
    mechanism: string | null,
    overwrite: boolean,
    asDefault: boolean,
    store: StoreElement[],
  ): Promise<void>;
}
