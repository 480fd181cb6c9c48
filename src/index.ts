/** What a program may import. The GSS-API alone is `gssocks/gss`, a Dispatcher for fetch `gssocks/undici`. */

export { HttpAgent, HttpsAgent } from "./client/agents.js";
export type { ClientMethod, HostPort, ProxyOptions, ProxySession } from "./client/proxy-options.js";
export { createSocket, ProxySocket, type SocketOptions } from "./client/proxy-socket.js";
export type { ProxyStream } from "./client/proxy-stream.js";
export type { ProxyTlsOptions } from "./client/proxy-tls.js";
export {
  type BindOptions,
  bind,
  type ConnectOptions,
  connect,
  type ProxyBinding,
  udpAssociate,
} from "./client/socks-client.js";
export type { UdpAssociation } from "./client/udp-association.js";
export {
  type CreateServerOptions,
  createServer,
  type EmbeddedServer,
  type EmbeddedServerEvents,
} from "./embed/create-server.js";
export type { VerifyPassword } from "./embed/own-passwords.js";
export * from "./errors.js";
export { Credential } from "./gss/credential.js";
export type {
  AuditDecision,
  AuditRecord,
  AuditSession,
  Observer,
  ServerEvent,
} from "./observability/events.js";
export type { AgreedLevel, ProtectionLevel } from "./protocol/protection-level.js";
export type { AuthorizeRequest, Authorizer } from "./server/authorizer.js";
export type { ReloadOutcome } from "./server/reload-outcome.js";
export type { SessionInfo } from "./server/session-info.js";
