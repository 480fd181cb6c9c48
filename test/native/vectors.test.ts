/**
 * The fast path's keys, AES-CTS and HMAC against the vectors of RFC 3962 (appendix B) and RFC 8009 (appendix A), one at a
 * time and in lanes. Of RFC 8009's sample encryptions that of no octets is left out: a Wrap token has two blocks at least.
 */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { run } from "../support/processes.js";

const root = fileURLToPath(new URL("../../../", import.meta.url));
/** What fills the lanes of every processor, with one more, and what leaves some empty. */
const COUNTS = [0, 1, 2, 3, 7, 8, 16, 17, 33];

let dir: string;
before(async () => {
  dir = await mkdtemp(path.join(tmpdir(), "vectors-"));
  const sources = ["krb5_keys", "ciphers", "cts", "lanes", "openssl"].map(
    (name) => `${root}native/${name}.cc`,
  );
  const header = await run("c++", ["-E", "-x", "c++", "-"], { input: "#include <intel-ipsec-mb.h>\n" }).then(
    () => ["-DGSSOCKS_IPSEC_MB"],
    () => [],
  );
  await run("c++", [
    ...["-std=c++17", "-O1", `-I${root}native`, ...header, "-o", `${dir}/vectors`],
    ...[`${root}test/native/vectors.cc`, ...sources, "-ldl"],
  ]);
});
after(() => rm(dir, { recursive: true }));

type Call = [call: string, enctype: number, key: string, text: string, result: string];

async function hold(calls: readonly Call[]): Promise<void> {
  for (const count of COUNTS) {
    const lines = calls.map(
      ([call, enctype, key, text]) => `${call} ${enctype} ${count} ${hex(key)} ${hex(text)}\n`,
    );
    const { stdout } = await run(`${dir}/vectors`, [], { input: lines.join("") });
    const results = stdout.trimEnd().split("\n");
    assert.deepEqual(
      results,
      calls.map((call) => hex(call[4])),
      `${count} side by side`,
    );
  }
}

function hex(text: string): string {
  return text.replace(/\s/g, "").toLowerCase();
}

const BASE_128 = "3705D96080C17728A0E800EAB6E0D23C";
const BASE_256 = "6D404D37FAF79F9DF0D33568D3206698 00EB4836472EA8A026D16B7182460C52";
const KE_128 = "9B197DD1E8C5609D6E67C3E37C62C72E";
const KI_128 = "9FDA0E56AB2D85E1569A688696C26A6C";
const KC_128 = "B31A018A48F54776F403E9A396325DC3";
const KE_256 = "56AB22BEE63D82D7BC5227F6773F8EA7 A5EB1C825160C38312980C442E5C7E49";
const KI_256 = "69B16514E3CD8E56B82010D5C73012B6 22C4D00FFC23ED1F";
const KC_256 = "EF5718BE86CC84963D8BBB5031E9F5C4 BA41F28FAF69E73D";

test("RFC 8009: Ke, Ki and Kc of key usage 2", () =>
  hold([
    ["derive", 19, BASE_128, "0000000299", KC_128],
    ["derive", 19, BASE_128, "00000002AA", KE_128],
    ["derive", 19, BASE_128, "0000000255", KI_128],
    ["derive", 20, BASE_256, "0000000299", KC_256],
    ["derive", 20, BASE_256, "00000002AA", KE_256],
    ["derive", 20, BASE_256, "0000000255", KI_256],
  ]));

test("RFC 8009: sample checksums", () => {
  const plain = "000102030405060708090A0B0C0D0E0F 1011121314";
  return hold([
    ["mac", 19, KC_128, plain, "D78367186643D67B411CBA9139FC1DEE"],
    ["mac", 20, KC_256, plain, "45EE791567EEFCA37F4AC1E0222DE80D 43C3BFA06699672A"],
  ]);
});

test("RFC 8009: sample encryptions", () => {
  const table: [enctype: number, ke: string, ki: string, plain: string, cipher: string, mac: string][] = [
    [
      19,
      KE_128,
      KI_128,
      "7BCA285E2FD4130FB55B1A5C83BC5B24 000102030405",
      "84D7F30754ED987BAB0BF3506BEB09CF B55402CEF7E6",
      "877CE99E247E52D16ED4421DFDF8976C",
    ],
    [
      19,
      KE_128,
      KI_128,
      "56AB21713FF62C0A1457200F6FA9948F 000102030405060708090A0B0C0D0E0F",
      "3517D640F50DDC8AD3628722B3569D2A E07493FA8263254080EA65C1008E8FC2",
      "95FB4852E7D83E1E7C48C37EEBE6B0D3",
    ],
    [
      19,
      KE_128,
      KI_128,
      "A7A4E29A4728CE10664FB64E49AD3FAC 000102030405060708090A0B0C0D0E0F 1011121314",
      "720F73B18D9859CD6CCB4346115CD336 C70F58EDC0C4437C5573544C31C813BC E1E6D072C1",
      "86B39A413C2F92CA9B8334A287FFCBFC",
    ],
    [
      20,
      KE_256,
      KI_256,
      "B80D3251C1F6471494256FFE712D0B9A 000102030405",
      "4ED7B37C2BCAC8F74F23C1CF07E62BC7 B75FB3F637B9",
      "F559C7F664F69EAB7B6092237526EA0D 1F61CB20D69D10F2",
    ],
    [
      20,
      KE_256,
      KI_256,
      "53BF8A0D105265D4E276428624CE5E63 000102030405060708090A0B0C0D0E0F",
      "BC47FFEC7998EB91E8115CF8D19DAC4B BBE2E163E87DD37F49BECA92027764F6",
      "8CF51F14D798C2273F35DF574D1F932E 40C4FF255B36A266",
    ],
    [
      20,
      KE_256,
      KI_256,
      "763E65367E864F02F55153C7E3B58AF1 000102030405060708090A0B0C0D0E0F 1011121314",
      "40013E2DF58E8751957D2878BCD2D6FE 101CCFD556CB1EAE79DB3C3EE86429F2 B2A602AC86",
      "FEF6ECB647D6295FAE077A1FEB517508 D2C16B4192E01F62",
    ],
  ];
  const zero = "00".repeat(16);
  return hold(
    table.flatMap(([enctype, ke, ki, plain, cipher, mac]): Call[] => [
      ["encrypt", enctype, ke, plain, cipher],
      ["decrypt", enctype, ke, cipher, plain],
      ["mac", enctype, ki, zero + cipher, mac],
    ]),
  );
});

test("RFC 3962: CBC with ciphertext stealing", () => {
  const key = "636869636b656e207465726979616b69";
  const input =
    "4920776f756c64206c696b6520746865 2047656e6572616c2047617527732043 6869636b656e2c20706c656173652c20".replaceAll(
      " ",
      "",
    );
  const table: [octets: number, cipher: string][] = [
    [17, "c6353568f2bf8cb4d8a580362da7ff7f 97"],
    [31, "fc00783e0efdb2c1d445d4c8eff7ed22 97687268d6ecccc0c07b25e25ecfe5"],
    [32, "39312523a78662d5be7fcbcc98ebf5a8 97687268d6ecccc0c07b25e25ecfe584"],
    [47, "97687268d6ecccc0c07b25e25ecfe584 b3fffd940c16a18c1b5549d2f838029e 39312523a78662d5be7fcbcc98ebf5"],
    [
      48,
      "97687268d6ecccc0c07b25e25ecfe584 9dad8bbb96c4cdc03bc103e1a194bbd8 39312523a78662d5be7fcbcc98ebf5a8",
    ],
  ];
  return hold(
    table.flatMap(([octets, cipher]): Call[] => [
      ["encrypt", 17, key, input.slice(0, 2 * octets), cipher],
      ["decrypt", 17, key, cipher, input.slice(0, 2 * octets)],
    ]),
  );
});

test("keys are zeroed where they were held", () =>
  hold([
    ["zero", 17, BASE_128, "", "zeroed"],
    ["zero", 20, BASE_256, "", "zeroed"],
  ]));
