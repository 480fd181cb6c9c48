/**
 * What a proxy takes out of the header fields of a message before it passes it on, and what it puts in (RFC 9110 §7.6).
 * Fields are names and values in turn, as they came: none is joined, none is reordered.
 */
export type Fields = readonly string[];

/** By which we know ourselves in Via (RFC 9110 §7.6.3). */
const PSEUDONYM = "gssocks";

/** Of one connection alone (RFC 9110 §7.6.1), and what says how long a message is, which is said anew. */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "keep-alive",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** All values of a field, in their order. @param name in lower case */
export function valuesOf(fields: Fields, name: string): string[] {
  return fields.filter((_, index) => index % 2 === 1 && fields[index - 1]?.toLowerCase() === name);
}

/** The members of a field whose value is a list (RFC 9110 §5.6.1). */
function listOf(fields: Fields, name: string): string[] {
  return valuesOf(fields, name)
    .flatMap((value) => value.split(","))
    .map((member) => member.trim())
    .filter((member) => member !== "");
}

/**
 * Without those of this connection, those for proxies, and those that say how long the message is.
 * @param without others to be left out, in lower case
 */
export function endToEnd(fields: Fields, without: readonly string[] = []): string[] {
  const named = new Set([...listOf(fields, "connection").map((name) => name.toLowerCase()), ...without]);
  const kept: string[] = [];
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const [name = "", value = ""] = [fields[index], fields[index + 1]];
    const lower = name.toLowerCase();
    if (!named.has(lower) && !HOP_BY_HOP.has(lower) && !lower.startsWith("proxy-")) kept.push(name, value);
  }
  return kept;
}

/** What may be said behind the body (RFC 9110 §6.5): where it goes has been decided by then. Names and values in pairs. */
export function trailers(fields: Fields): [name: string, value: string][] {
  const kept = endToEnd(fields, ["host"]);
  return kept.flatMap((name, index) => (index % 2 === 0 ? [[name, kept[index + 1] ?? ""]] : []));
}

/** RFC 9110 §10.1.4. */
export function takesTrailers(fields: Fields): boolean {
  return listOf(fields, "te").some((member) => member.toLowerCase() === "trailers");
}

/** Our mark on what is passed on; what others have put there stands before it. */
export function via(httpVersion: string): [name: string, value: string] {
  return ["Via", `${httpVersion} ${PSEUDONYM}`];
}

/** How often one of our kind has passed it on. */
export function timesThroughUs(fields: Fields): number {
  return listOf(fields, "via").filter((member) => member.split(/\s+/)[1]?.toLowerCase() === PSEUDONYM).length;
}
