/** Octets as hex digits; white space is free, and `#` begins a comment that ends with the line. */
export function hex(text: string): Buffer {
  const digits = text.replace(/#.*/g, "").replace(/\s/g, "");
  if (!/^([0-9a-f]{2})*$/.test(digits)) throw new Error(`not hex: ${digits}`);
  return Buffer.from(digits, "hex");
}
