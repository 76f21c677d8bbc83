/** Starting the program, from source and as built, compared with a Node.js that does nothing. */
import { execFileSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import type { Bench } from './bench.ts';
import { runOnce } from './floor.ts';
import { compare, inTurn, spreadOf, type Row, type Section } from './samples.ts';
import { policyText, Scratch } from './scratch.ts';

const tenants = 10_000;
const fewTenants = 10;
const root = new URL('..', import.meta.url).pathname;
export const entry = `${root}bulkhead`;
const builtEntry = `${root}dist/main.js`;

/** The command line as it is published, or why there is none. */
export type Built =
  | { readonly command: readonly string[] }
  | { readonly command: undefined; readonly why: string };

/** Builds the program anew; an old build would be measured as if it were this one. */
export function build(): Built {
  const script = `${root}scripts/build.ts`;
  try {
    execFileSync(process.execPath, [script], { encoding: 'utf8', stdio: 'pipe' });
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    const [first] = `${stdout}${stderr}`.trim().split('\n');
    const why = `the built package is not measured: npm run build fails: ${first}`;
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
  const { built } = bench;
  const few = `${bench.directory}/few.xml`;
  writeFileSync(few, policyText(fewTenants));
  const lines: (readonly [label: string, words: readonly string[]])[] = [
    ['bulkhead --version', ['--version']],
    ['bulkhead --help', ['--help']],
    [`bulkhead check, ${fewTenants} tenants`, ['check', '--policy', few]],
    [`bulkhead check, ${tenants} tenants`, ['check', '--policy', scratch.policyFile]],
  ];
  const by = (command: readonly string[], how: string) =>
    lines.map(([label, args]) => [`${label}, ${how}`, [...command, ...args]] as const);
  const ways: readonly (readonly [label: string, command: readonly string[]])[] = [
    ['node -e 0', [process.execPath, '-e', '0']],
    ...by([entry], 'from source'),
    ...(built.command === undefined ? [] : by(built.command, 'built')),
  ];
  const peaks: number[][] = ways.map(() => []);
  const cpu: number[][] = ways.map(() => []);
  const samples = await inTurn(
    bench.quick ? 7 : 21,
    ways.map(([, command], index) => () => {
      const { milliseconds, cpuMilliseconds, peakMiB } = runOnce(bench.floor, command);
      peaks[index]?.push(peakMiB);
      cpu[index]?.push(cpuMilliseconds);
      return milliseconds;
    }),
    bench.signal,
  );
  const rows = ways.map(([label], index): Row => ({
    ...compare(label, samples[index] ?? [], samples[0] ?? []),
    peakMiB: spreadOf(peaks[index] ?? []).p50,
    note: `CPU ${spreadOf(cpu[index] ?? []).p50.toFixed(0)} ms`,
  }));
  return {
    name: 'start',
    title: 'Start to exit',
    beside: 'node -e 0',
    rows,
    notes: built.command === undefined ? [built.why] : [],
  };
}
