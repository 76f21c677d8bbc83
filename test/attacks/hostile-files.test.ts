/**
 * Packages and modules that are small and ask for much: time by patterns that look back, memory by bombs.
 *
 * No time is measured: an attack that succeeds takes more than an hour, and the limit here is against that.
 * Memory is what the kernel says the scan had at most.
 */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { buildModule } from '../../packages/modules/test/core/elf-builder.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';
import { mainFile } from '../../testing/program.ts';

const root = suiteDirectory('attack-files');

function put(path: string, contents: string | Uint8Array): string {
  const file = join(root, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, contents);
  return file;
}

const release = '6.12.118';
const headers = `kernel/usr/src/linux-headers-${release}`;
put(`${headers}/Module.symvers`, '0x00000001\tprintk\tvmlinux\tEXPORT_SYMBOL\t\n');
put(`${headers}/include/config/kernel.release`, `${release}\n`);
put(`kernel/boot/config-${release}`, 'CONFIG_MODVERSIONS=y\n');

const peakFile = join(root, 'peak');
/** Writes the most memory that it had when it ends. (What getrusage says counts the parent's before exec.) */
const meter = put(
  'meter.mjs',
  `import { readFileSync, writeFileSync } from 'node:fs';
   process.on('exit', () => writeFileSync(
     ${JSON.stringify(peakFile)},
     /^VmHWM:\\s*(\\d+) kB/m.exec(readFileSync('/proc/self/status', 'latin1'))[1],
   ));`,
);

interface Scan {
  readonly modules: readonly { readonly evidence: readonly object[] }[];
  readonly problems: readonly { readonly file: string; readonly message: string }[];
  readonly peakKib: number;
}

function scan(path: string): Scan {
  const kernel = ['--kernel', join(root, 'kernel'), '--no-cache', '--json'];
  const args = ['--import', meter, mainFile, 'modules', 'scan', ...kernel, path];
  const { stdout, signal } = spawnSync(process.execPath, args, {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'] ?? '', HOME: root },
    maxBuffer: 256 * 2 ** 20,
    timeout: 300_000,
    killSignal: 'SIGKILL',
  });
  assert.equal(signal, null, 'the scan came to no end');
  const report = JSON.parse(stdout) as Omit<Scan, 'peakKib'>;
  return { ...report, peakKib: Number(readFileSync(peakFile, 'utf8')) };
}

const noDpkg =
  spawnSync('dpkg-deb', ['--version']).status !== 0 && 'the program "dpkg-deb" is not installed';

/**
 * Writes a package with `count` licenses whose words are 1,000 blanks apart, and as many modules as somebody
 * would install.
 */
function packageWith(name: string, count: number): string {
  const licenses = Array.from(
    { length: count },
    (_, index) => `Files: f${index}\nLicense: GPL-3${' '.repeat(1000)}or GPL-${index + 4}\n`,
  );
  const format = 'https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/';
  put(`${name}/usr/share/doc/evil/copyright`, `Format: ${format}\n\n${licenses.join('\n')}`);
  put(
    `${name}/DEBIAN/control`,
    'Package: evil\nVersion: 1\nArchitecture: all\nMaintainer: A <a@b.c>\nDescription: x\n',
  );
  for (let index = 0; index < 60; index++) {
    const module = buildModule({ name: `m${index}`, modinfo: ['license=GPL', `name=m${index}`] });
    put(`${name}/lib/modules/${release}/m${index}.ko`, module);
  }
  const file = join(root, `${name}.deb`);
  execFileSync('dpkg-deb', ['--root-owner-group', '-b', join(root, name), file]);
  return file;
}

test('modules scan finishes despite a copyright of blanks', { skip: noDpkg }, () => {
  for (const count of [100, 7500]) {
    const { modules, problems } = scan(packageWith(`blanks${count}`, count));
    assert.equal(modules.length, 60);
    assert.deepEqual(problems, []);
  }
});

/** Makes so many files that threads read them. */
function bombs(name: string, bomb: Uint8Array, suffix: string): string {
  for (let index = 0; index < 18; index++) put(`${name}/b${index}.ko${suffix}`, bomb);
  return join(root, name);
}

const zeros = Buffer.alloc(500 * 2 ** 20);
const elf = Buffer.from(zeros);
elf.write('\u007fELF', 'latin1');
const xz = (bytes: Uint8Array) =>
  spawnSync('xz', ['-0', '-c'], { input: bytes, maxBuffer: 2 ** 28 }).stdout;
/** The limit for threads that unpack nothing: they need some 150 MiB. */
const fewKib = 350 * 1024;
/** The limit for one unpacked file at a time and its window, with nothing kept. */
const oneKib = 1000 * 1024;

for (const [suffix, pack] of [
  ['.gz', (bytes: Uint8Array) => gzipSync(bytes, { level: 9 })],
  ['.zst', (bytes: Uint8Array) => zstdCompressSync(bytes)],
  ['.xz', xz],
] as const) {
  test(`modules scan does not unpack all of a .ko${suffix} that holds only zeros`, () => {
    const { modules, problems, peakKib } = scan(bombs(`zeros${suffix}`, pack(zeros), suffix));
    assert.equal(modules.length, 0);
    assert.deepEqual([...new Set(problems.map((each) => each.message))], ['is not an ELF file']);
    assert.equal(problems.length, 18);
    assert.ok(peakKib < fewKib, `${peakKib} KiB`);
  });

  test(`modules scan bounds the memory of all threads that unpack .ko${suffix}`, () => {
    const { problems, peakKib } = scan(bombs(`elf${suffix}`, pack(elf), suffix));
    assert.equal(problems.length, 18);
    assert.ok(peakKib < oneKib, `${peakKib} KiB`);
  });
}

test('modules scan bounds the memory for a .ko.gz that states too small a size', () => {
  const lying = gzipSync(elf);
  lying.writeUInt32LE(4, lying.length - 4);
  const { problems, peakKib } = scan(bombs('lying', lying, '.gz'));
  assert.equal(problems.length, 18);
  assert.ok(peakKib < oneKib, `${peakKib} KiB`);
});
