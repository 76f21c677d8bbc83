/**
 * A whole scan of a kernel's modules, with verdicts. It is compared with unpacking the same files
 * on all cores, and with the tools of kmod. The kernels are Debian's packages, unpacked, not
 * installed.
 */
import { execFileSync } from 'node:child_process';
import { verify } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { readModule } from '../packages/modules/core/record/read-module.ts';
import {
  behindMetaPackage,
  downloadPackage,
  newestOf,
  unpackPackage,
  updateLists,
} from '../testing/vm/apt.ts';
import { decompressed } from '../packages/modules/io/inputs/decompress.ts';
import { readKernel, runningKernel } from '../packages/modules/io/kernel/read-kernel.ts';
import { readCertificate, verifies } from '../packages/modules/io/scan/signatures.ts';
import type { Bench } from './bench.ts';
import { runOnce } from './floor.ts';
import { compare, inTurn, milliseconds, spreadOf, type Row, type Section } from './samples.ts';
import { entry } from './start.ts';
import { formatCause, formatProblem } from '../packages/base/problem.ts';

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

/**
 * The largest ratios. The first two compare scans with `xz -dc` of the same files: a first scan
 * without signatures, and a later one. The third compares a package's scan with unpacking it.
 */
const goals = { first: 2.7, again: 0.8, package: 2 } as const;

export const benchModules = (bench: Bench): Promise<Section> => scanSection(bench, cloud);
export const benchAllModules = (bench: Bench): Promise<Section> => scanSection(bench, full);

async function scanSection(bench: Bench, flavour: Flavour): Promise<Section> {
  const kernel = join(bench.directory, flavour.label);
  await fetchKernel(flavour, bench.directory, kernel);
  const { tree, release, files } = modulesOf(kernel);
  const list = join(bench.directory, `${flavour.label}.list`);
  writeFileSync(list, files.map((file) => `${file}\n`).join(''));
  const ways = entryPathsOf(bench, list, { kernel, tree, release, count: files.length });
  const verifying = verificationOf(kernel, files);
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
  const verificationShare = (verifying.scan * files.length) / availableParallelism();
  const unverified = (samples[firstScan] ?? []).map((each) => each - verificationShare);
  rows.splice(
    firstScan + 1,
    0,
    compare('  verification taken off', unverified, samples[0] ?? [], goals.first),
  );
  return {
    name: flavour === cloud ? 'modules' : 'all-modules',
    title: `Scan ${files.length} modules of ${release}, start to exit`,
    beside: 'xz -dc',
    rows,
    notes: [
      'peaks are of the first process alone',
      `to hash and verify one signature on one core: ${verifying.scan.toFixed(2)} ms as a scan does, ${verifying.node.toFixed(2)} ms by Node alone`,
    ],
  };
}

const verified = 200;

interface Verification {
  readonly scan: number;
  readonly node: number;
}

/**
 * Measures the milliseconds to verify one signature, apart from everything else: as a scan does it,
 * by the system's library, and only by Node.
 */
function verificationOf(kernel: string, files: readonly string[]): Verification {
  const read = readKernel({
    ...runningKernel,
    directories: [kernel, imageOf(kernel)],
    cmdline: '',
  });
  if (!read.ok) throw new Error(formatProblem(read.error));
  const keys = read.value.certificates.flatMap((der) => {
    const certificate = readCertificate(der, 'kernel');
    return certificate.ok ? [certificate.value.key] : [];
  });
  const signed = files.slice(0, verified).flatMap((file) => signedOf(file));
  const timeOf = (way: typeof verifies): number => {
    const good = () =>
      signed.filter(({ digest, content, signature }) =>
        keys.some((key) => way(digest, content, key, signature)),
      ).length;
    if (good() !== signed.length) throw new Error('a signature of the kernel is not good');
    return milliseconds(good) / signed.length;
  };
  return { scan: timeOf(verifies), node: timeOf(verify) };
}

function signedOf(file: string) {
  const bytes = decompressed(readFileSync(file), 64 * 2 ** 20);
  if (!bytes.ok) throw new Error(`${file}: ${formatCause(bytes.error)}`);
  const module = readModule(file, bytes.value);
  if (!module.ok || module.value.signature?.kind !== 'pkcs7') return [];
  const content = bytes.value.subarray(0, module.value.bytes);
  return module.value.signature.signers.map(({ digest, signature }) => ({
    digest,
    content,
    signature,
  }));
}

/**
 * Scans a package as it is downloaded, compared with unpacking all of it: the package, and its
 * modules on all cores.
 */
export async function benchPackage(bench: Bench): Promise<Section> {
  await updateLists();
  const found = await behindMetaPackage('linux-image-amd64');
  if (found === undefined) throw new Error('apt knows no package linux-image-amd64');
  const file = await downloadPackage(found, bench.directory);
  const program = bench.built.command ?? [entry];
  const scan = ['modules', 'scan', '--json', '--no-cache', `--kernel=${file}.kernel`, file];
  execFileSync('dpkg-deb', ['-x', file, `${file}.kernel`]);
  const ways: readonly Way[] = [
    ['dpkg-deb -x, xz -dc of its modules', ['sh', '-c', unpackWhole, file, `${file}.unpacked`]],
    ['dpkg-deb alone', ['sh', '-c', 'dpkg-deb --fsys-tarfile "$0" >/dev/null', file]],
    [
      'bulkhead modules scan PACKAGE',
      ['sh', '-c', 'exec "$0" "$@" >/dev/null', ...program, ...scan],
      goals.package,
    ],
  ];
  const samples = await inTurn(
    bench.quick ? 1 : 5,
    ways.map(
      ([, command]) =>
        () =>
          runOnce(bench.floor, command).milliseconds,
    ),
    bench.signal,
  );
  const mebibytes = Math.round(statSync(file).size / 2 ** 20);
  return {
    name: 'package',
    title: `Scan ${found.name} ${found.version}, ${mebibytes} MiB as it is downloaded`,
    beside: 'unpacking',
    rows: ways.map(([label, , goal], index) =>
      compare(label, samples[index] ?? [], samples[0] ?? [], goal),
    ),
    notes: ['dpkg-deb leaves the modules in the package compressed as they are'],
  };
}

const unpackWhole = `rm -rf "$1" && dpkg-deb -x "$0" "$1" &&
  find "$1" -name "*.ko.xz" -print0 | xargs -0 -P ${availableParallelism()} -n 256 xz -dc >/dev/null`;

/**
 * Matches the source of every module of the full kernel, compared with a digest of the same source.
 */
export async function benchSource(bench: Bench): Promise<Section> {
  const kernel = join(bench.directory, full.label);
  if (!existsSync(kernel)) await fetchKernel(full, bench.directory, kernel);
  const { release, files } = modulesOf(kernel);
  const source = await fetchSource(bench.directory);
  const program = bench.built.command ?? [entry];
  const match = ['modules', 'match', '--all', '--json', '--source', source];
  const places = [`--kernel=${kernel}`, `--kernel=${imageOf(kernel)}`, `--headers=${kernel}`];
  const ways: readonly Way[] = [
    [
      'md5sum of its *.c and *.h',
      ['sh', '-c', 'find "$0" -name "*.[ch]" -print0 | xargs -0 md5sum >/dev/null', source],
    ],
    [
      'bulkhead modules match --all',
      ['sh', '-c', 'exec "$0" "$@" >/dev/null', ...program, ...match, ...places],
    ],
  ];
  const samples = await inTurn(
    bench.quick ? 1 : 3,
    ways.map(
      ([, command]) =>
        () =>
          runOnce(bench.floor, command).milliseconds,
    ),
    bench.signal,
  );
  return {
    name: 'source',
    title: `Compare ${files.length} modules of ${release} with the kernel's source, unpacked`,
    beside: 'md5sum',
    rows: ways.map(([label], index) => compare(label, samples[index] ?? [], samples[0] ?? [])),
    notes: ['the modules are remembered from the scan before; their source is read anew'],
  };
}

async function fetchSource(scratch: string): Promise<string> {
  const name = 'linux-source-6.12';
  const found = await newestOf(name);
  if (found === undefined) throw new Error(`apt knows no package ${name}`);
  await unpackPackage(found, scratch, join(scratch, 'source'));
  const tarball = join(scratch, 'source/usr/src', `${name}.tar.xz`);
  execFileSync('tar', ['-C', scratch, '-xf', tarball]);
  return join(scratch, name);
}

interface Measured {
  readonly kernel: string;
  readonly tree: string;
  readonly release: string;
  readonly count: number;
}

/** The index of the first scan among the ways. */
const firstScan = 1;

type Way = readonly [label: string, command: readonly string[], goal?: number];

function entryPathsOf(
  { built }: Bench,
  list: string,
  { kernel, tree, release, count }: Measured,
): readonly Way[] {
  const cores = availableParallelism();
  const share = Math.ceil(count / cores);
  const shell = (script: string): readonly string[] => ['sh', '-c', `${script} >/dev/null`];
  const program = built.command ?? [entry];
  // The image has the keys; without it there is nothing to verify signatures by.
  const image = `--kernel=${imageOf(kernel)}`;
  const quiet = (args: readonly string[]) => ['sh', '-c', 'exec "$0" "$@" >/dev/null', ...args];
  const scan = (...args: readonly string[]) =>
    quiet([...program, 'modules', 'scan', '--json', `--kernel=${kernel}`, ...args, tree]);
  return [
    [`xz -dc, ${cores} processes`, shell(`xargs -P ${cores} -n ${share} xz -dc <${list}`)],
    ['bulkhead modules scan --no-cache', scan(image, '--no-cache')],
    ['  without the image: no key, no signature verified', scan('--no-cache')],
    ['bulkhead modules scan, unchanged since', scan(image), goals.again],
    ['modinfo, one process', shell(`xargs -n 100000 /usr/sbin/modinfo <${list}`)],
    ['modinfo, a process a module', shell(`xargs -n 1 /usr/sbin/modinfo <${list}`)],
    ['depmod -n -e', shell(depmod(kernel, release))],
  ];
}

const imageOf = (kernel: string) => `${kernel}-image`;

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
    // The headers that all flavours share.
    const [, base] = /^linux-headers-(\d[^-]*)-/.exec(found.name) ?? [];
    if (base === undefined) continue;
    for (const name of [`linux-headers-${base}-common`, `linux-kbuild-${base}`]) {
      await unpackPackage({ name, version: found.version }, scratch, into);
    }
  }
  mkdirSync(imageOf(into));
  renameSync(join(into, 'boot'), join(imageOf(into), 'boot'));
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
