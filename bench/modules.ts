/**
 * A whole scan of a kernel's modules, with verdicts, beside what unpacking the same files costs on all cores, and
 * beside the tools of kmod. The kernels are Debian's packages, unpacked, not installed.
 */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { behindMetaPackage, unpackPackage, updateLists } from '../src/testing/vm/apt.ts';
import type { Bench } from './bench.ts';
import { runOnce } from './floor.ts';
import { compare, inTurn, spreadOf, type Row, type Section } from './samples.ts';
import { entry } from './start.ts';

interface Flavour {
  readonly label: string;
  readonly metaPackages: readonly string[];
}

const cloud: Flavour = {
  label: 'cloud',
  metaPackages: ['linux-image-cloud-amd64', 'linux-headers-cloud-amd64'],
};
const full: Flavour = {
  label: 'full',
  metaPackages: ['linux-image-amd64', 'linux-headers-amd64'],
};

export const benchModules = (bench: Bench): Promise<Section> => scanSection(bench, cloud);
export const benchAllModules = (bench: Bench): Promise<Section> => scanSection(bench, full);

async function scanSection(bench: Bench, flavour: Flavour): Promise<Section> {
  const kernel = join(bench.directory, flavour.label);
  await fetchKernel(flavour, bench.directory, kernel);
  const { tree, release, files } = modulesOf(kernel);
  const list = join(bench.directory, `${flavour.label}.list`);
  writeFileSync(list, files.map((file) => `${file}\n`).join(''));
  const scan = ['modules', 'scan', '--kernel', kernel, '--json', tree];
  const ways = waysOf(bench, scan, list, { kernel, release, count: files.length });
  const peaks: number[][] = ways.map(() => []);
  const samples = await inTurn(
    bench.quick ? 2 : 7,
    ways.map(([, command], index) => () => {
      const { milliseconds, peakMiB } = runOnce(bench.floor, command);
      peaks[index]?.push(peakMiB);
      return milliseconds;
    }),
    bench.signal,
  );
  const rows = ways.map(([label, , goal], index): Row => {
    const row = compare(label, samples[index] ?? [], samples[0] ?? [], goal);
    const perSecond = Math.round(files.length / (row.ours.p50 / 1000));
    return { ...row, peakMiB: spreadOf(peaks[index] ?? []).p50, note: `${perSecond} a second` };
  });
  return {
    name: flavour === cloud ? 'modules' : 'all-modules',
    title: `Scan ${files.length} modules of ${release}, start to exit`,
    beside: 'xz -dc',
    rows,
    notes: ['peaks are of the first process alone'],
  };
}

interface Measured {
  readonly kernel: string;
  readonly release: string;
  readonly count: number;
}

type Way = readonly [label: string, command: readonly string[], goal?: number];

function waysOf(
  { built }: Bench,
  scan: readonly string[],
  list: string,
  { kernel, release, count }: Measured,
): readonly Way[] {
  const cores = availableParallelism();
  const share = Math.ceil(count / cores);
  const shell = (script: string): readonly string[] => ['sh', '-c', `${script} >/dev/null`];
  const program = built.command ?? [entry];
  // Without the image of the kernel there is no key to verify signatures with.
  const unverified = [
    ...['modules', 'scan', '--kernel', `${kernel}/usr/lib/modules/${release}`],
    ...['--kernel', `${kernel}/usr/src/linux-headers-${release}`, '--json', '--no-cache'],
    `${kernel}/usr/lib/modules/${release}`,
  ];
  const quiet = (words: readonly string[]) => ['sh', '-c', 'exec "$0" "$@" >/dev/null', ...words];
  return [
    [`xz -dc, ${cores} processes`, shell(`xargs -P ${cores} -n ${share} xz -dc <${list}`)],
    ['bulkhead modules scan --no-cache', quiet([...program, ...scan, '--no-cache']), 1.3],
    ['bulkhead modules scan, signatures not verified', quiet([...program, ...unverified])],
    ['bulkhead modules scan, unchanged', quiet([...program, ...scan])],
    ['modinfo, one process', shell(`xargs -n 100000 /usr/sbin/modinfo <${list}`)],
    ['modinfo, a process a module', shell(`xargs -n 1 /usr/sbin/modinfo <${list}`)],
    ['depmod -n -e', shell(depmod(kernel, release))],
  ];
}

const depmod = (kernel: string, release: string) =>
  `/usr/sbin/depmod -n -a -e -E "$(find ${kernel} -name Module.symvers)" -b ${kernel}/usr ${release} 2>/dev/null`;

async function fetchKernel(
  { metaPackages }: Flavour,
  scratch: string,
  into: string,
): Promise<void> {
  mkdirSync(into);
  await updateLists();
  for (const each of metaPackages) {
    const found = await behindMetaPackage(each);
    if (found === undefined) throw new Error(`apt knows no package ${each}`);
    await unpackPackage(found, scratch, into);
  }
}

function modulesOf(kernel: string) {
  const base = join(kernel, 'usr/lib/modules');
  const [release = ''] = readdirSync(base);
  const tree = join(base, release);
  const files = readdirSync(tree, { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.ko(\.xz)?$/.test(file))
    .map((file) => join(tree, file));
  return { tree, release, files };
}
