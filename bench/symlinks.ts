/**
 * The time that the symlink guard adds to an open and a close, through a link and without one. The
 * guard is off, on for other tasks, or on for the task that opens. It runs in the virtual machine,
 * since the kernel must run BPF programs; its processor is emulated, so only the ratios mean
 * something.
 */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import type { Guest } from '../testing/vm/guest.ts';
import type { Bench } from './bench.ts';
import { startBpfGuest } from './bpf-guest.ts';
import { compare, type Section } from './samples.ts';

const policy = '<bulkhead version="1"><symlinks follow="owner-match" by="www-data"/></bulkhead>';
const roundsEach = 10;
const paths = ['file', 'link', 'directory-link/file'] as const;

export async function benchSymlinks({ directory, quick, signal }: Bench): Promise<Section> {
  const title = 'Open and close with the symlink guard (virtual machine, emulated processor)';
  const section = { name: 'symlinks', title, beside: 'off', unit: 'µs' } as const;
  const started = await startBpfGuest(directory);
  if (!started.ok) return { ...section, rows: [], notes: [`skipped: ${started.error.reason}`] };
  await using guest = started.value;
  await prepare(guest, directory);
  const measured = { off: noSamples(), restricted: noSamples(), others: noSamples() };
  for (let turn = 0; turn < (quick ? 1 : 4); turn++) {
    signal.throwIfAborted();
    await guest.succeed('/opt/bulkhead/bulkhead symlinks guard disable');
    await measure(guest, 'www-data', measured.off);
    await guest.succeed('/opt/bulkhead/bulkhead symlinks guard enable');
    await measure(guest, 'www-data', measured.restricted);
    await measure(guest, 'games', measured.others);
  }
  const { off, restricted, others } = measured;
  const rows = paths.flatMap((path, index) => [
    compare(`${path}, restricted`, restricted[index] ?? [], off[index] ?? []),
    compare(`${path}, not restricted`, others[index] ?? [], off[index] ?? []),
  ]);
  return { ...section, rows, notes: [] };
}

async function prepare(guest: Guest, directory: string): Promise<void> {
  const program = join(directory, 'open-close');
  const source = new URL('open-close.c', import.meta.url).pathname;
  execFileSync('gcc', ['-O2', '-static', '-o', program, source]);
  await guest.copyIn(program, '/usr/local/bin/open-close');
  await guest.succeed(`chmod 755 /usr/local/bin/open-close
mkdir -p /etc/bulkhead /srv/links/directory && cd /srv/links && echo x | tee file directory/file > /dev/null
ln -s file link && ln -s directory directory-link && chown -R -h nobody . && chmod 755 . directory
echo '${policy}' > /etc/bulkhead/policy.xml`);
}

/** Microseconds of an open and a close, a list for each path. */
type Samples = readonly number[][];

const noSamples = (): Samples => paths.map(() => []);

async function measure(guest: Guest, user: string, into: Samples): Promise<void> {
  const text = await guest.succeed(
    `cd /srv/links && setpriv --reuid ${user} --regid ${user} --clear-groups open-close ${roundsEach} ${paths.join(' ')}`,
  );
  const lines = text.trim().split('\n');
  for (const [line, sample] of lines.entries()) into[line % paths.length]?.push(Number(sample));
}
