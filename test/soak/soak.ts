/** A server under a mix of everything, looked at from outside as time goes by. */
import { setTimeout as delay } from "node:timers/promises";
import { Lab } from "../bench/support/lab.js";
import { ENCTYPES } from "../support/enctypes.js";
import { descriptors, residentMemory, sockets, threads, until } from "../support/kernel.js";
import { isSessionRecord } from "../support/proxy.js";
import { Mix } from "./mix.js";
import { type Finding, growth, type Sample, sampleLine } from "./verdict.js";

export interface SoakOptions {
  seconds: number;
  /** Seconds from one look to the next. */
  interval: number;
  seed: number;
  tell: (line: string) => void;
}

export interface Soaked {
  samples: readonly Sample[];
  findings: readonly Finding[];
}

/** Seconds of the mix before what the server keeps for good is looked at. */
const FIRST_ROUND = 3;

/** @throws Error where a load fails: octets that were not sent, a session that was refused, a broken connection */
export async function soak({ seconds, interval, seed, tell }: SoakOptions): Promise<Soaked> {
  const lab = await Lab.start({ workers: 1, dantes: [] }, ENCTYPES[0], { probed: true });
  const pid = lab.proxy.pid;
  // Traced, this process would write more than it carries.
  lab.realm.enter();
  delete process.env.KRB5_TRACE;
  let audited = 0;
  const count = () => {
    audited += lab.proxy.takeLog().filter(isSessionRecord).length;
    return audited;
  };
  try {
    const open = sockets(pid);
    const mix = new Mix(lab, seed);
    /** Runs the mix, and waits for the end of all that it began. */
    const round = async (length: number, look: () => Promise<void>) => {
      const began = performance.now();
      let over = false;
      const mixed = mix.run(() => !over && performance.now() - began < length * 1000);
      const looking = (async () => {
        while (!over) {
          await Promise.race([mixed, delay(interval * 1000)]);
          if (!over) await look();
        }
      })();
      try {
        await mixed;
      } finally {
        over = true;
        await looking;
      }
      await until("an audit record for each session", () => count() >= mix.begun);
      await until("all sockets are closed", () => sockets(pid) <= open);
      return { descriptors: descriptors(pid), threads: threads(pid) };
    };

    const before = await round(FIRST_ROUND, async () => void count());
    const samples: Sample[] = [];
    const began = performance.now();
    const after = await round(seconds, async () => {
      const { heap, external, delay: late } = await lab.probe();
      const sample: Sample = {
        ...{ seconds: (performance.now() - began) / 1000, memory: residentMemory(pid), heap, external },
        ...{ descriptors: descriptors(pid), threads: threads(pid), late: late.p99 },
        open: mix.begun - count(),
      };
      samples.push(sample);
      tell(`${sampleLine(sample)}  ${mix.done()}`);
    });
    const resting = { memory: residentMemory(pid), ...(await lab.probe()) };
    tell(
      `at rest: ${(resting.memory / 2 ** 20).toFixed(1)} MB, heap ${(resting.heap / 2 ** 20).toFixed(1)} MB`,
    );
    lab.proxy.signal("SIGTERM");
    const { code } = await lab.proxy.exited;
    count();
    return {
      samples,
      findings: [
        growth("memory", samples, ({ memory }) => memory),
        growth("heap", samples, ({ heap }) => heap),
        growth("external memory", samples, ({ external }) => external),
        {
          what: `${after.descriptors} descriptors at the end, ${before.descriptors} after the first round`,
          good: after.descriptors <= before.descriptors,
        },
        {
          what: `${after.threads} threads at the end, ${before.threads} after the first round`,
          good: after.threads <= before.threads,
        },
        { what: `${audited} audit records of ${mix.begun} sessions`, good: audited === mix.begun },
        { what: `the server ended with ${code}`, good: code === 0 },
        { what: `octets compared: ${mix.done()}`, good: mix.whole > 0 && mix.cut > 0 },
      ],
    };
  } finally {
    await lab.stop();
  }
}
