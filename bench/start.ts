/** Starting the program, from source and as built, beside a Node.js that does nothing. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { Bench } from './bench.ts';
import { runOnce } from './floor.ts';
import { compare, inTurn, spreadOf, type Row, type Section } from './samples.ts';
import { Scratch } from './scratch.ts';

const tenants = 10_000;
const root = new URL('..', import.meta.url).pathname;
export const entry = `${root}bulkhead`;
const builtEntry = `${root}dist/cli/main.js`;

/** The command line as it is published, or why there is none. */
export type Built =
  { readonly command: readonly string[] } | { readonly command: undefined; readonly why: string };

/** Compiles it anew; an old one would be measured as if it were this one. */
export function build(): Built {
  const tsc = `${root}node_modules/.bin/tsc`;
  try {
    execFileSync(tsc, ['-p', `${root}tsconfig.build.json`], { encoding: 'utf8', stdio: 'pipe' });
  } catch (error) {
    const { stdout = '' } = error as { stdout?: string };
    const why = `the built package is not measured: npm run build fails: ${stdout.split('\n')[0]}`;
    return { command: undefined, why };
  }
  if (existsSync(builtEntry)) return { command: [process.execPath, builtEntry] };
  return {
    command: undefined,
    why: `the built package is not measured: there is no ${builtEntry}`,
  };
}

export async function benchStart(bench: Bench): Promise<Section> {
  using scratch = new Scratch(bench.directory, tenants);
  const check = ['check', '--policy', scratch.policyFile];
  const { built } = bench;
  const ways: (readonly [label: string, command: readonly string[]])[] = [
    ['node -e 0', [process.execPath, '-e', '0']],
    ['bulkhead --version, from source', [entry, '--version']],
    ['bulkhead check, from source', [entry, ...check]],
  ];
  if (built.command !== undefined) {
    ways.push(['bulkhead --version, built', [...built.command, '--version']]);
    ways.push(['bulkhead check, built', [...built.command, ...check]]);
  }
  const peaks: number[][] = ways.map(() => []);
  const samples = await inTurn(
    bench.quick ? 7 : 21,
    ways.map(([, command], index) => () => {
      const { milliseconds, peakMiB } = runOnce(bench.floor, command);
      peaks[index]?.push(peakMiB);
      return milliseconds;
    }),
    bench.signal,
  );
  const rows = ways.map(([label], index): Row => ({
    ...compare(label, samples[index] ?? [], samples[0] ?? []),
    peakMiB: spreadOf(peaks[index] ?? []).p50,
  }));
  return {
    name: 'start',
    title: `Start to exit; check reads a policy of ${tenants} tenants`,
    beside: 'node -e 0',
    rows,
    notes: built.command === undefined ? [built.why] : [],
  };
}
