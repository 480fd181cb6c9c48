import { closeSync, constants, openSync, statSync } from "node:fs";
import type { Cause } from "./gss-cause.js";

/**
 * MIT says the same of a keytab that is missing, unreadable, empty or no keytab: look for ourselves.
 * @param named what it is called in the text
 */
export function keytabCause(keytab: string | undefined, named: string): Cause {
  const type = /^([A-Z]\w+):/.exec(keytab ?? "")?.[1];
  if (keytab === undefined || (type !== undefined && !/^(WR)?FILE$/.test(type))) {
    return { code: "KEYTAB_MISSING", text: `the keytab ${named} can't be used: check its name and type` };
  }
  const path = keytab.slice(type === undefined ? 0 : type.length + 1);
  switch (lookAt(path)) {
    case "missing":
      return {
        code: "KEYTAB_MISSING",
        text: `the keytab ${named} does not exist: write it (ktadd), or correct its path`,
      };
    case "unreadable":
      return {
        code: "KEYTAB_UNREADABLE",
        text: `the keytab ${named} can't be read by this user (uid ${process.geteuid?.()}): give it to that user (chown) with mode 600`,
      };
    case "readable":
      return {
        code: "KEYTAB_MISSING",
        text: `the keytab ${named} has no key in it, or is no keytab: write it (ktadd), then look with klist -k`,
      };
  }
}

function lookAt(path: string): "missing" | "unreadable" | "readable" {
  try {
    // A FIFO would block.
    if (!statSync(path).isFile()) return "readable";
    closeSync(openSync(path, constants.O_RDONLY));
    return "readable";
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT" ? "missing" : "unreadable";
  }
}
