/** Archives are read and unpacked within limits, also when they are damaged or hostile. */
import '../../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import {
  type Archive,
  archiveLimits,
  type ArchiveItem,
  type ArchiveLimits,
  openArchive,
  readArchive,
} from '../../io/inputs/archives.ts';
import { privateDirectory } from '../../../base/io/private-directory.ts';
import { unpackInto } from '../../io/inputs/unpack-into.ts';
import { cpio, rpm, tar } from '../core/packages/builders.ts';
import { eventually } from '../../../../testing/patience.ts';
import { formatProblem } from '../../../base/problem.ts';
import { suiteDirectory } from '../../../../testing/temporary-directory.ts';
import { has, skipWithout } from './programs.ts';

const scratch = suiteDirectory('test-archives');

let files = 0;
function fileOf(bytes: Uint8Array, name = 'x.tar'): string {
  const directory = join(scratch, `${files++}`);
  mkdirSync(directory);
  writeFileSync(join(directory, name), bytes);
  return join(directory, name);
}

async function opened(path: string): Promise<Archive> {
  const archive = await openArchive(path);
  assert.ok(archive.ok, archive.ok ? '' : formatProblem(archive.error));
  assert.ok(archive.value !== 'not an archive', `${path} is not an archive`);
  return archive.value;
}

async function itemsOf(path: string, limits: ArchiveLimits = archiveLimits) {
  using archive = await opened(path);
  const items: ArchiveItem[] = [];
  for await (const item of readArchive(archive, (name) => name.includes('.ko'), limits))
    items.push(item);
  return items;
}

const lines = (items: readonly ArchiveItem[]) =>
  items.map((each) =>
    each.kind === 'file'
      ? `${each.path}: ${Buffer.from(each.contents).toString()}`
      : `${each.path}! ${each.why}`,
  );

test(
  'readArchive() reads a package that dpkg-deb made, in every compression',
  skipWithout('dpkg-deb'),
  async () => {
    const root = join(scratch, 'deb');
    mkdirSync(join(root, 'DEBIAN'), { recursive: true });
    mkdirSync(join(root, 'lib/modules/1'), { recursive: true });
    writeFileSync(join(root, 'lib/modules/1/a.ko'), 'module');
    writeFileSync(join(root, 'lib/modules/1/README'), 'no module');
    writeFileSync(
      join(root, 'DEBIAN/control'),
      'Package: x-modules\nSource: x\nVersion: 1:2-3\nArchitecture: amd64\nMaintainer: A <a@b.c>\nDescription: x\n',
    );
    for (const how of ['xz', 'gzip', 'zstd', 'none']) {
      const path = join(scratch, `${how}.deb`);
      execFileSync('dpkg-deb', ['--root-owner-group', `-Z${how}`, '-b', root, path], {
        stdio: 'ignore',
      });
      assert.deepEqual(lines(await itemsOf(path)), ['lib/modules/1/a.ko: module'], how);
      using archive = await opened(path);
      assert.equal(archive.package?.version, '1:2-3');
      assert.equal(archive.package?.name, 'x-modules');
    }
  },
);

test('readArchive() reads tarballs that tar made', skipWithout('tar'), async (t) => {
  const directory = join(scratch, 'tree');
  const deep = join(directory, 'd'.repeat(90), 'e'.repeat(90));
  mkdirSync(deep, { recursive: true });
  writeFileSync(join(deep, 'a.ko'), 'module');
  const expected = [`${'d'.repeat(90)}/${'e'.repeat(90)}/a.ko: module`];
  for (const form of ['gnu', 'pax', 'ustar']) {
    const path = join(scratch, `${form}.tar`);
    execFileSync('tar', ['-C', directory, `--format=${form}`, '-cf', path, '.']);
    assert.deepEqual(lines(await itemsOf(path)), expected, form);
    for (const [program, ending] of [
      ['xz', 'xz'],
      ['bzip2', 'bz2'],
      ['zstd', 'zst'],
      ['gzip', 'gz'],
    ] as const) {
      if (!has(program)) t.diagnostic(`${program} is not installed: not tried`);
      else {
        execFileSync(program, ['-kqf', path]);
        assert.deepEqual(lines(await itemsOf(`${path}.${ending}`)), expected, `${form} ${program}`);
      }
    }
  }
});

test('readArchive() reads an rpm with its license', async () => {
  const payload = cpio({ name: './lib/modules/1/a.ko', contents: 'module' }, { name: './README' });
  const tags = { 1000: 'kmod-x', 1001: '1', 1002: '2', 1014: 'GPLv3', 1022: 'x86_64' };
  for (const packed of [gzipSync(payload), zstdCompressSync(payload), payload]) {
    const path = fileOf(rpm(tags, packed), 'x.rpm');
    assert.deepEqual(lines(await itemsOf(path)), ['lib/modules/1/a.ko: module']);
    using archive = await opened(path);
    assert.deepEqual(archive.package, {
      name: 'kmod-x',
      version: '1-2',
      architecture: 'x86_64',
      license: { kind: 'stated', licenses: ['GPLv3'], more: false },
    });
  }
});

test('readArchive() reports links and names that lead outside, and reads the rest', async () => {
  const path = fileOf(
    tar(
      { name: '../../etc/a.ko', contents: 'evil' },
      { name: '/etc/b.ko', contents: 'evil' },
      { name: 'l.ko', type: '2', target: '/etc/shadow' },
      { name: 'h.ko', type: '1', target: '../../etc/shadow' },
      { name: 'p.ko', type: '6' },
      { name: 'good.ko', contents: 'good' },
    ),
  );
  assert.deepEqual(lines(await itemsOf(path)), [
    'good.ko: good',
    '../../etc/a.ko! its name leads out of the archive with ".."',
    '/etc/b.ko! its name is an absolute path',
    'l.ko! it is a link; links in archives are not followed',
    'h.ko! it is a link; links in archives are not followed',
    'p.ko! it is not a regular file',
  ]);
});

test('readArchive() names the limit that was reached, and yields what came before', async () => {
  const path = fileOf(
    gzipSync(tar({ name: 'a.ko', contents: 'a' }, { name: 'b.ko', contents: Buffer.alloc(5e6) })),
    'x.tar.gz',
  );
  const few = await itemsOf(path, { ...archiveLimits, entries: 1 });
  assert.deepEqual(lines(few), ['a.ko: a', '! it has more than 1 entries; the rest is not read']);
  const small = await itemsOf(path, { ...archiveLimits, fileBytes: 1000 });
  assert.match(lines(small).join(), /^a.ko: a,b.ko! it has 5000000 bytes; files of more than 1000/);
  const bomb = await itemsOf(path, { ...archiveLimits, bytes: 1_000_000 });
  assert.match(lines(bomb).at(-1) ?? '', /unpacks to more than 1000000 bytes/);
});

test('readArchive() reports data that is cut short or damaged', async () => {
  const bytes = tar(
    { name: 'a.ko', contents: 'a' },
    { name: 'b.ko', contents: Buffer.alloc(9000, 'b') },
  );
  for (const [name, broken] of [
    ['x.tar', bytes.subarray(0, 4000)],
    ['x.tar.gz', gzipSync(bytes).subarray(0, -20)],
    ['x.tar.zst', zstdCompressSync(bytes).subarray(0, -20)],
    ['x.tar.gz', gzipSync(bytes.subarray(0, 4000))],
  ] as const) {
    const archive = await openArchive(fileOf(broken, name));
    const logged = archive.ok
      ? lines(await itemsOf(join(scratch, `${files - 1}`, name))).at(-1)
      : formatProblem(archive.error);
    assert.match(logged ?? '', /cut short|damaged|middle of the archive/, name);
  }
});

test(
  'readArchive() kills its unpacker when the caller stops early',
  skipWithout('xz'),
  async () => {
    const path = fileOf(tar({ name: 'a.ko' }, { name: 'b', contents: Buffer.alloc(3e7, 'xyz') }));
    execFileSync('xz', ['-0q', path]);
    using archive = await opened(`${path}.xz`);
    for await (const item of readArchive(archive, () => true)) {
      assert.equal(item.path, 'a.ko');
      break;
    }
    const children = `/proc/self/task/${process.pid}/children`;
    await eventually('its program has ended', () => readFileSync(children, 'utf8').trim() === '');
  },
);

test('openArchive() distinguishes modules from archives, and refuses damaged packages', async () => {
  const module = await openArchive(fileOf(Buffer.from('\x7fELF'.padEnd(2000, 'x')), 'a.ko'));
  assert.deepEqual(module, { ok: true, value: 'not an archive' });
  const packed = await openArchive(fileOf(gzipSync(Buffer.from('ELF')), 'a.ko.gz'));
  assert.deepEqual(packed, { ok: true, value: 'not an archive' });
  for (const [bytes, message] of [
    ['!<arch>\n', /not a Debian package/],
    ['!<arch>\nx', /damaged header/],
    ['\xed\xab\xee\xdb', /no header of an rpm/],
  ] as const) {
    const archive = await openArchive(fileOf(Buffer.from(bytes, 'latin1'), 'x.deb'));
    assert.match(archive.ok ? '' : formatProblem(archive.error), message);
  }
});

test('unpackInto() writes only inside its directory, and creates no symlinks', async () => {
  const path = fileOf(
    tar(
      { name: 'd/real.c', contents: 'real', mode: 0o4755 },
      { name: 'd/same.c', type: '2', target: 'real.c' },
      { name: 'twice.c', type: '1', target: 'd/real.c' },
      { name: 'out', type: '2', target: '..' },
      { name: 'out/evil', contents: 'evil' },
      { name: 'abs', type: '2', target: scratch },
      { name: 'abs/evil', contents: 'evil' },
      { name: 'd/real.c/below', contents: 'x' },
      { name: '../evil', contents: 'evil' },
      { name: 'hard', type: '1', target: '../../../../etc/passwd' },
      { name: 'loop1', type: '2', target: 'loop2' },
      { name: 'loop2', type: '2', target: 'loop1' },
    ),
  );
  using directory = privateDirectory(scratch);
  using archive = await opened(path);
  const result = await unpackInto(archive, directory.path);
  assert.ok(result.ok, result.ok ? '' : formatProblem(result.error));
  const names = readdirSync(directory.path, { recursive: true }).map(String).sort();
  assert.deepEqual(names, [
    'abs',
    'abs/evil',
    'd',
    'd/real.c',
    'd/same.c',
    'out',
    'out/evil',
    'twice.c',
  ]);
  for (const name of names)
    assert.ok(!lstatSync(join(directory.path, name)).isSymbolicLink(), name);
  assert.equal(readFileSync(join(directory.path, 'd/same.c'), 'utf8'), 'real');
  assert.equal(lstatSync(join(directory.path, 'd/real.c')).mode & 0o7777, 0o700);
  assert.deepEqual(result.value.skipped.map((each) => each.path).sort(), [
    '../evil',
    'abs',
    'd/real.c',
    'hard',
    'loop1',
    'loop2',
    'out',
  ]);
  assert.ok(!existsSync(join(scratch, 'evil')));
});

test('unpackInto() requires an empty 0700 directory, and empties it when it fails', async () => {
  const path = fileOf(
    tar({ name: 'a/b', contents: 'x' }, { name: 'c', contents: Buffer.alloc(9000) }).subarray(
      0,
      4000,
    ),
  );
  using directory = privateDirectory(scratch);
  using archive = await opened(path);
  const result = await unpackInto(archive, directory.path);
  assert.match(result.ok ? '' : formatProblem(result.error), /middle of the archive/);
  assert.deepEqual(readdirSync(directory.path), []);
  writeFileSync(join(directory.path, 'mine'), '');
  const full = await unpackInto(archive, directory.path);
  assert.match(full.ok ? '' : formatProblem(full.error), /not empty/);
  const open = join(scratch, 'open');
  mkdirSync(open, { mode: 0o755 });
  const shared = await unpackInto(archive, open);
  assert.match(shared.ok ? '' : formatProblem(shared.error), /0700/);
});

test('privateDirectory() is removed when the process is interrupted', async () => {
  const script = `import { privateDirectory } from ${JSON.stringify(join(import.meta.dirname, '../../../base/io/private-directory.ts'))};
    import { writeFileSync } from 'node:fs';
    const directory = privateDirectory(${JSON.stringify(scratch)});
    writeFileSync(directory.path + '/x', '');
    console.log(directory.path);
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', script]);
  const path = await new Promise<string>((resolve) => {
    child.stdout.once('data', (text: Buffer) => resolve(text.toString().trim()));
  });
  assert.ok(existsSync(join(path, 'x')));
  const ended = new Promise((resolve) => child.once('exit', (_, signal) => resolve(signal)));
  child.kill('SIGTERM');
  assert.equal(await ended, 'SIGTERM');
  assert.ok(!existsSync(path));
});
