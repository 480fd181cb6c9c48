import { lookup } from "node:dns/promises";

/** The first address of `localhost`, where a test's server has to be found by that name: Debian's own /etc/hosts puts ::1 first. */
export const LOCALHOST: string = (await lookup("localhost")).address;
