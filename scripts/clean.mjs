// clean.mjs DIRECTORY...: removes what a build made, so that no compiled file outlives its source.
import { rmSync } from "node:fs";

for (const directory of process.argv.slice(2)) rmSync(directory, { recursive: true, force: true });
