/**
 * The memory of tenants' processes. The kernel adds it up while it holds a lock of the process, which a tenant can keep
 * for long, and reads the longer the more memory a process has mapped. So other processes read it, which are killed if it
 * takes long, and the size of those is unknown.
 */
import { readText } from '../../../packages/base/io/read.ts';
import type { Paths } from '../../host/paths.ts';
import { runBounded } from '../../sys/processes/run-bounded.ts';

/** A server is a launcher with one child, and a few more while it starts. */
const processesMax = 16;
const readMilliseconds = 2_000;
const allMilliseconds = 10_000;
const atOnce = 8;
const bytesMax = 2 ** 16;

export interface MemoryOptions {
  /** The program that prints files. */
  readonly reader?: string;
}

/** Returns the bytes by main process, shared pages divided, of it and its children; without those that are unknown. */
export async function memoryOf(
  pids: readonly string[],
  { proc }: Pick<Paths, 'proc'>,
  { reader = 'cat' }: MemoryOptions = {},
): Promise<ReadonlyMap<string, number>> {
  const found = new Map<string, number>();
  const left = pids.filter((each) => /^[1-9]\d*$/.test(each));
  const until = performance.now() + allMilliseconds;
  const readNext = async (): Promise<void> => {
    for (let pid = left.pop(); pid !== undefined; pid = left.pop()) {
      if (performance.now() > until) return;
      const bytes = await bytesOf(processesOf(pid, proc), proc, reader);
      if (bytes !== undefined) found.set(pid, bytes);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, readNext));
  return found;
}

function processesOf(pid: string, proc: string): readonly string[] {
  const children = readText(`${proc}/${pid}/task/${pid}/children`) ?? '';
  return [pid, ...children.split(' ').filter((each) => /^[1-9]\d*$/.test(each))];
}

async function bytesOf(
  pids: readonly string[],
  proc: string,
  reader: string,
): Promise<number | undefined> {
  if (pids.length > processesMax) return undefined;
  const files = pids.map((each) => `${proc}/${each}/smaps_rollup`);
  const read = await runBounded(reader, files, { timeoutMs: readMilliseconds, bytesMax });
  if (!read.ok || read.value.status !== 0) return undefined;
  const sizes = [
    ...Buffer.from(read.value.stdout)
      .toString('latin1')
      .matchAll(/^Pss:\s+(\d+) kB$/gm),
  ];
  if (sizes.length !== pids.length) return undefined;
  return sizes.reduce((sum, [, kibibytes]) => sum + Number(kibibytes) * 1024, 0);
}
