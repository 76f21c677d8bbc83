/**
 * Notices a guest that has locked up, while somebody waits for a command in it.
 *
 * It is asked every minute whether it answers at all. How long an answer takes on the clock shows nothing, as the machine
 * may be busy. What counts is how often the guest had its chance: each second of processor time that QEMU has got since the
 * question, and each look a second after the last at which all of QEMU slept, although the question was open.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { clockTicksPerSecond } from '../../src/sys/syscalls.ts';

/** A guest of which a command is awaited. */
export interface Watched {
  /** QEMU's process. */
  readonly pid: number;
  /** Runs the smallest command; resolves once it has been answered. */
  readonly ask: (signal: AbortSignal) => Promise<unknown>;
  /** Called once, with how many chances it did not take. */
  readonly lockedUp: (chances: number) => Promise<void>;
}

export interface Patience {
  /** How long to wait for the command itself before it is asked, each time. */
  readonly pauseMs: number;
  readonly chancesMax: number;
}

const usual: Patience = { pauseMs: 60_000, chancesMax: 300 };
const lookMs = 1_000;

/** Watches a guest until the signal, or until it has locked up; resolves then. */
export async function watch(
  guest: Watched,
  until: AbortSignal,
  { pauseMs, chancesMax }: Patience = usual,
): Promise<void> {
  while (await passes(pauseMs, until)) {
    const chances = await chancesLeftOut(guest, until, chancesMax);
    if (chances > chancesMax) return guest.lockedUp(Math.floor(chances));
  }
}

/** Asks once; returns the chances that went by, in seconds, until the answer, the signal or too many. */
async function chancesLeftOut(
  { pid, ask }: Watched,
  until: AbortSignal,
  most: number,
): Promise<number> {
  const question = { isOpen: true };
  // A connection that breaks is found by whoever waits for the command.
  const settle = () => (question.isOpen = false);
  void ask(until).then(settle, settle);
  let before = processorSeconds(pid);
  let chances = 0;
  while (question.isOpen && chances <= most && (await passes(lookMs, until))) {
    const now = processorSeconds(pid);
    chances += Math.max(now - before, isAsleep(pid) ? lookMs / 1_000 : 0);
    before = now;
  }
  return question.isOpen && !until.aborted ? chances : 0;
}

/** Waits for a while, and tells whether the signal has left it that long. */
const passes = (ms: number, until: AbortSignal): Promise<boolean> =>
  sleep(ms, true, { signal: until, ref: false }).catch(() => false);

/** Returns the processor time of a process in seconds; 0 once it is gone. */
function processorSeconds(pid: number): number {
  const fields = statOf(`/proc/${pid}/stat`);
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) / clockTicksPerSecond();
}

/** Whether no thread of a process runs, wants to run or waits for a disk. */
function isAsleep(pid: number): boolean {
  try {
    const threads = readdirSync(`/proc/${pid}/task`);
    return threads.every((thread) => statOf(`/proc/${pid}/task/${thread}/stat`)[0] === 'S');
  } catch {
    return false; // It is gone.
  }
}

/** Returns the fields of a stat file after the name: the state is the first. */
function statOf(path: string): string[] {
  try {
    return readFileSync(path, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
  } catch {
    return []; // It is gone.
  }
}
