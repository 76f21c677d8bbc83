/** The decisive comparison: rebuilding each module from the offered source. */
import { formatProblem } from '../../../packages/base/problem.ts';
import { kernelEncoding, readElf } from '../../../packages/modules/core/elf/read-elf.ts';
import { readAgain } from '../../../packages/modules/io/inputs/read-again.ts';
import { undecided, rebuild, type Rebuilt } from '../../../packages/modules/io/rebuild/rebuild.ts';
import { showProgress } from '../../cli/shared/progress.ts';
import type { Matched } from './matched.ts';
import type { ModuleHeaders } from './module-headers.ts';
import { makeJailCgroup } from '../io/sandbox-cgroup.ts';

export async function rebuildEach(
  matched: readonly Matched[],
  source: string,
  headers: ModuleHeaders,
): Promise<readonly Matched[]> {
  const interruption = new AbortController();
  const stop = () => interruption.abort();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, stop);
  const progress = showProgress('Building');
  const results: Matched[] = [];
  try {
    for (const [index, each] of matched.entries()) {
      progress.update(index, matched.length);
      const rebuilt = await rebuildOne(each, source, headers, interruption.signal);
      results.push({ ...each, rebuilt });
      if (interruption.signal.aborted) break;
    }
    return results;
  } finally {
    progress.done();
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.off(name, stop);
  }
}

async function rebuildOne(
  { entry }: Matched,
  source: string,
  headers: ModuleHeaders,
  signal: AbortSignal,
): Promise<Rebuilt> {
  const build = headers.of(headers.releaseFor(entry.module));
  if (!build.ok) return undecided(formatProblem(build.error));
  const bytes = await readAgain(entry);
  if (!bytes.ok)
    return undecided(formatProblem({ ...bytes.error, action: 'read', object: entry.file }));
  const elf = readElf(bytes.value, kernelEncoding(bytes.value));
  if (!elf.ok) return undecided(`${elf.error.message} (at byte ${elf.error.offset})`);
  return rebuild(entry.module, elf.value, source, build.value, {
    signal,
    makeCgroup: makeJailCgroup,
  });
}
