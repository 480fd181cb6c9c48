// Run by npm when it has unpacked the package: takes the addon that came with it where that loads here, else builds one.
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

const require = createRequire(import.meta.url);
const root = fileURLToPath(new URL(".", import.meta.url));

/** Null where it loads; else why not. In a process of its own: what is wrong with it may end that. */
function fault(addon) {
  if (addon === null) return "none came along";
  const { status, signal, stderr } = spawnSync(process.execPath, ["-e", "require(process.argv[1])", addon], {
    encoding: "utf8",
  });
  if (status === 0) return null;
  return /^Error: (.*)$/m.exec(stderr)?.[1] ?? `ended by ${signal ?? `status ${status}`}`;
}

const prebuilt = require("pkg-prebuilds").resolve(root, require("./binding-options.cjs"), true, false);
const reason = fault(prebuilt);
if (reason !== null) {
  console.log(`gssocks: no prebuilt addon for ${process.platform}-${process.arch}: ${reason}. Building one.`);
  const { status } = spawnSync(process.execPath, [require.resolve("cmake-js/bin/cmake-js"), "compile"], {
    cwd: root,
    stdio: "inherit",
  });
  if (status !== 0) {
    console.error(
      "gssocks: the addon could not be built. It needs a C++ compiler, make, CMake, pkg-config and MIT Kerberos with its " +
        "headers (Debian and Ubuntu: apt install g++ make cmake pkg-config libkrb5-dev).",
    );
    process.exitCode = 1;
  }
}
