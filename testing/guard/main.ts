/**
 * `node main.ts PROGRAM ARGUMENTS…`: runs a program, and ends everything that it has started. That happens when the
 * program ends, when the guard gets a signal to stop, or when the guard's parent ends, even by SIGKILL: then standard
 * input ends.
 *
 * Sessions, process groups, changes of uid and double forks are no escape: orphans become the guard's children. A
 * control group or a pid namespace would do it too, but the placer's tests need the host's.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { spawnBound } from '../vm/command.ts';
import { descendantsOf } from './process-tree.ts';
import { becomeSubreaper, reapAdopted } from './subreaper.ts';

/** The time that a program has to clean up after a signal; then it is killed. */
const graceMilliseconds = 10_000;
/** The number of scans after which a program that forks faster than it is stopped is hopeless. */
const roundsMax = 1000;

becomeSubreaper();
const child = spawnBound(process.argv.slice(2), { stdio: ['ignore', 'inherit', 'inherit'] });
const ended = new Promise<readonly [number | null, NodeJS.Signals | null]>((resolve, reject) => {
  child.on('exit', (status, signal) => resolve([status, signal]));
  child.on('error', reject);
});
process.on('SIGCHLD', () => reapAdopted(child.pid ?? 0));

let isStopping = false;
function stop(signal: NodeJS.Signals): void {
  child.kill(signal);
  if (isStopping) return;
  isStopping = true;
  setTimeout(() => child.kill('SIGKILL'), graceMilliseconds).unref();
}
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => stop(signal));
}
process.stdin.on('end', () => stop('SIGTERM')).on('error', () => stop('SIGTERM'));
process.stdin.on('close', () => stop('SIGTERM')).resume();
// The reader of the output may be gone.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});

/** Ends all descendants. It stops them first, since a stopped process starts nothing. */
async function endDescendants(): Promise<void> {
  const stopped = new Set<number>();
  for (let round = 0; round < roundsMax; round++) {
    const left = descendantsOf(process.pid);
    if (left.length === 0) return;
    const fresh = left.filter(({ pid }) => !stopped.has(pid));
    for (const { pid } of fresh) {
      send(pid, 'SIGSTOP');
      stopped.add(pid);
    }
    if (fresh.length > 0) continue;
    for (const { pid } of left) send(pid, 'SIGKILL');
    stopped.clear();
    await sleep(5);
    reapAdopted(child.pid ?? 0);
  }
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It is gone, or may not be killed.
  }
}

const [status, signal] = await ended;
await endDescendants();
if (signal !== null) {
  for (const each of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.removeAllListeners(each);
  process.kill(process.pid, signal);
}
process.exit(status ?? 1);
