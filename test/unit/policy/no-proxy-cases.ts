/** What no_proxy leaves out of the proxy's way, by the forms that curl and Go know. */

const CASES: readonly [list: string, direct: readonly string[], through: readonly string[]][] = [
  ["", [], ["example.test:80", "127.0.0.1:80"]],
  ["*", ["example.test:80", "10.0.0.1:80", "[::1]:80"], []],
  [
    "example.test",
    ["example.test:80", "a.example.test:443", "EXAMPLE.test.:80"],
    ["notexample.test:80", "example.test.evil:80", "test:80"],
  ],
  [".example.test", ["a.example.test:80", "b.a.example.test:1"], ["example.test:80", "aexample.test:80"]],
  ["*.example.test", ["a.example.test:80"], ["example.test:80"]],
  [
    "10.0.0.0/8, 192.0.2.1 ::1,2001:db8::/32",
    ["10.1.2.3:80", "192.0.2.1:1", "[::1]:80", "[2001:db8:1::2]:443", "[::ffff:10.0.0.1]:80"],
    ["11.0.0.1:80", "192.0.2.2:80", "[::2]:80", "[2001:db9::]:80", "10.example.test:80"],
  ],
  ["[::1],[2001:db8::1]:8080", ["[::1]:80", "[2001:db8::1]:8080"], ["[2001:db8::1]:80"]],
  [
    "example.test:8080,192.0.2.1:443",
    ["example.test:8080", "a.example.test:8080", "192.0.2.1:443"],
    ["example.test:80", "192.0.2.1:80"],
  ],
  [
    "<local>",
    ["intranet:80"],
    ["intranet.example.test:80", "10.0.0.1:80", "[::1]:80", "2130706433:80", "0x7f000001:80"],
  ],
  ["<local>:8080", ["intranet:8080"], ["intranet:80"]],
];

export interface Asked {
  /** As a client asks for it, IPv6 with brackets. */
  host: string;
  port: number;
  /** Both of them. */
  destination: string;
  direct: boolean;
}

/** Each list with what is asked for under it. */
export const LISTS: readonly { list: string; asked: readonly Asked[] }[] = CASES.map(
  ([list, direct, through]) => ({
    list,
    asked: [
      ...direct.map((destination) => ({ ...split(destination), destination, direct: true })),
      ...through.map((destination) => ({ ...split(destination), destination, direct: false })),
    ],
  }),
);

export function split(destination: string): { host: string; port: number } {
  const at = destination.lastIndexOf(":");
  return { host: destination.slice(0, at), port: Number(destination.slice(at + 1)) };
}
