/** Lines that inform someone who waits which step runs, and for how long already. */
import { setInterval } from 'node:timers';
import type { LogLine } from './prerequisites.ts';

const reminderEveryMs = 15_000;
/** Steps quicker than this are not worth a line. */
const mentionFromMs = 1_000;

export const logToStderr: LogLine = (line) => void process.stderr.write(`${line}\n`);

/** Runs one long step: prints when it takes long, and how long it took. */
export async function step<T>(log: LogLine, what: string, action: () => Promise<T>): Promise<T> {
  const started = performance.now();
  const elapsedMs = () => performance.now() - started;
  const elapsed = () => `${(elapsedMs() / 1000).toFixed(1)} s`;
  const reminder = setInterval(() => log(`vm: ${what} (${elapsed()} so far)`), reminderEveryMs);
  try {
    const result = await action();
    if (elapsedMs() >= mentionFromMs) log(`vm: ${what}: done in ${elapsed()}`);
    return result;
  } finally {
    clearInterval(reminder);
  }
}
