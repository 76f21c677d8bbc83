/**
 * The network of tenants: the cost of the programs on this machine, and how limits hold in a virtual machine. The kernel of
 * this machine needs not have fq, by which packets wait.
 */
import { execFile, execFileSync } from 'node:child_process';
import { chmodSync } from 'node:fs';
import { promisify } from 'node:util';
import { compileBpf } from '../../scripts/bpf.ts';
import { logToStderr } from '../../testing/progress.ts';
import { ensurePrerequisites } from '../../testing/prerequisites.ts';
import { startBpfGuest } from '../bpf-guest.ts';
import type { Bench } from '../bench.ts';
import type { Section } from '../samples.ts';
import { removeCgroup } from './stage.ts';

const inside = new URL('inside.ts', import.meta.url).pathname;
/** Everything that it starts, mounts and makes ends with it. */
const namespaces = ['--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];
const outputBytesMax = 2 ** 24;

const skipped = (name: string, reason: string): readonly Section[] => [
  { name, title: 'Network', beside: '', rows: [], notes: [`skipped: ${reason}`] },
];

export async function benchNetwork({
  directory,
  quick,
  signal,
}: Bench): Promise<readonly Section[]> {
  const ready = await ensurePrerequisites('network-bench', logToStderr);
  if (!ready.ok) return skipped('network', ready.reason);
  compileBpf();
  compileLoad(directory);
  // An earlier run may have been killed.
  await removeCgroup();
  const words = [...namespaces, process.execPath, inside, 'costs', directory];
  try {
    const { stdout } = await promisify(execFile)(
      'unshare',
      [...words, ...(quick ? ['quick'] : [])],
      {
        signal,
        maxBuffer: outputBytesMax,
      },
    );
    return JSON.parse(stdout) as readonly Section[];
  } finally {
    await removeCgroup();
  }
}

export async function benchNetworkGuest({
  directory,
  quick,
  signal,
}: Bench): Promise<readonly Section[]> {
  const ready = await ensurePrerequisites('network-bench', logToStderr);
  if (!ready.ok) return skipped('network-guest', ready.reason);
  const started = await startBpfGuest(directory, 'counted');
  if (!started.ok) return skipped('network-guest', started.error.reason);
  await using guest = started.value;
  compileLoad(directory);
  await guest.copyIn(`${directory}/load`, '/opt/bench/load');
  const command = `cd /opt/bulkhead && exec unshare ${namespaces.join(' ')} node bench/network/inside.ts rates /opt/bench ${quick ? 'quick' : ''}`;
  signal.throwIfAborted();
  const printed = guest.succeed(command, { timeoutMs: guestMilliseconds });
  return JSON.parse(await Promise.race([printed, aborted(signal)])) as readonly Section[];
}

const aborted = (signal: AbortSignal) =>
  new Promise<never>((_, reject) =>
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }),
  );

/** Time passes at once in the guest while it waits. */
const guestMilliseconds = 24 * 3_600_000;

function compileLoad(directory: string): void {
  const source = new URL('load.c', import.meta.url).pathname;
  execFileSync('gcc', ['-O2', '-static', '-o', `${directory}/load`, source]);
  // Users run it.
  chmodSync(directory, 0o711);
}
