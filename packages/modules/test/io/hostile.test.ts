/** Obstacles to a scan that can be made by somebody who is not the administrator. */
import '../../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { jailTools } from '../../io/rebuild/sandbox.ts';
import { directoryInTree, directoryOfExternal } from '../../io/source/module-directory.ts';
import { collectInputs } from '../../io/inputs/inputs.ts';
import { ModuleReader } from '../../io/scan/module-reader.ts';
import { privateDirectory } from '../../../base/io/private-directory.ts';
import { readAgain } from '../../io/inputs/read-again.ts';
import { readStored } from '../../io/scan/reading-pool.ts';
import { ScanCache } from '../../io/scan/scan-cache.ts';
import type { ReadResponse, ReaderSetup, StoredModule } from '../../io/scan/scan-protocol.ts';
import { readAll, type ScannedFile } from '../../io/scan/read-modules.ts';
import { UnpackBudget } from '../../io/inputs/unpack-budget.ts';
import { unpackedBytesMax } from '../../io/inputs/unpack-module.ts';
import { buildModule } from '../core/elf-builder.ts';
import { tar } from '../core/packages/builders.ts';
import { sampleRead } from './sample-read.ts';
import { ok } from '../../../base/result.ts';
import { mustEnd, patienceMilliseconds } from '../../../../testing/patience.ts';
import { formatCause, formatProblem } from '../../../base/problem.ts';
import { suiteDirectory } from '../../../../testing/temporary-directory.ts';

const root = suiteDirectory('test-hostile');

function put(path: string, contents: string | Uint8Array): string {
  const file = join(root, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, contents);
  return file;
}

const noKeys = { kernel: [], given: [] };
const reading = { cacheAs: undefined, deep: false, onRead: () => {} };
const readPaths = async (...paths: string[]) => readAll(collectInputs(paths), noKeys, reading);
const licenseOf = ({ module }: ScannedFile) =>
  module.modinfo.find((each) => each.tag === 'license')?.value;

describe('readAll() of collectInputs()', () => {
  test('lists a file once when it is named twice', async () => {
    const file = put('twice/a.ko', buildModule({ name: 'a' }));
    const { entries } = await readPaths(file, dirname(file), file);
    assert.deepEqual(
      entries.map((each) => each.file),
      [file],
    );
  });

  test('lists both modules when an archive has two with the same path', async () => {
    const honest = buildModule({ name: 'x' });
    const liar = buildModule({ name: 'x', modinfo: ['license=Proprietary', 'name=x'] });
    const name = 'lib/x.ko';
    const archive = put('two.tar', tar({ name, contents: honest }, { name, contents: liar }));
    const { entries } = await readPaths(archive);
    assert.deepEqual(
      entries.map((each) => [each.file.slice(archive.length), licenseOf(each)]),
      [
        ['!/lib/x.ko', 'GPL'],
        ['!/lib/x.ko (entry 2 of that path)', 'Proprietary'],
      ],
    );
  });

  test('finds no DKMS source or package for modules that only mimic their paths', async () => {
    const file = put('home/dkms/zfs/2.2/6.12/x86_64/module/zfs.ko', buildModule({ name: 'zfs' }));
    const places = {
      dpkg: join(root, 'dpkg'),
      documents: join(root, 'doc'),
      dkms: join(root, 'host/var/lib/dkms'),
      sources: join(root, 'host/usr/src'),
    };
    put('host/usr/src/zfs-2.2/dkms.conf', 'PACKAGE_NAME=zfs\nPACKAGE_VERSION=2.2\n');
    put('host/var/lib/dkms/zfs/2.2/6.12/x86_64/module/zfs.ko', 'built');
    const elsewhere = put('home/lib/modules/6.12/updates/dkms/zfs.ko', buildModule());
    put('dpkg/info/zfs-dkms.list', `${join(root, 'host/usr/src/zfs-2.2/dkms.conf')}\n`);
    for await (const each of collectInputs([file, elsewhere], { places })) {
      assert.ok(each.kind === 'module');
      assert.equal(each.origin.dkms?.source, undefined, each.label);
      assert.equal(each.origin.package, undefined, each.label);
    }
  });
});

const setup: ReaderSetup = {
  deep: false,
  budget: UnpackBudget.make(unpackedBytesMax),
};

const stored = (label: string, bytes: Uint8Array): StoredModule => ({ label, sha256: '', bytes });

describe('readStored() in threads', () => {
  test(
    'fails when a thread fails, instead of waiting for it',
    {
      timeout: patienceMilliseconds,
    },
    async () => {
      const broken = { kernel: 7 as unknown as readonly Uint8Array[], given: [] };
      async function* files(): AsyncGenerator<StoredModule> {
        for (let index = 0; index < 100; index++) yield stored(`m${index}.ko`, buildModule());
      }
      await assert.rejects(
        readStored(
          files(),
          setup,
          () => ok(broken),
          () => {},
        ),
        TypeError,
      );
    },
  );

  test('reads files one by one when they do not fit in memory together', async () => {
    const sizes = Array.from({ length: 24 }, (_, index) => (index < 20 ? 2 ** 10 : 130 * 2 ** 20));
    async function* files(): AsyncGenerator<StoredModule> {
      for (const [index, size] of sizes.entries()) {
        yield stored(`m${index}.ko`, new Uint8Array(size));
      }
    }
    const problems: string[] = [];
    const taken = (answers: readonly ReadResponse[]) => {
      problems.push(...answers.map((each) => each.problem?.message ?? ''));
    };
    await readStored(files(), setup, () => ok(noKeys), taken);
    assert.equal(problems.length, sizes.length);
    assert.ok(problems.every((each) => each === 'is not an ELF file'));
  });

  test('ModuleReader reports a failed allocation as a problem of the file', () => {
    const bytes = Uint8Array.from(buildModule());
    Object.defineProperty(bytes, 'length', {
      get: () => {
        throw new RangeError('Array buffer allocation failed');
      },
    });
    const reader = new ModuleReader(setup);
    const greedy = { label: 'greedy.ko', sha256: '', bytes };
    const begun = reader.begin(greedy);
    reader.trust(noKeys);
    for (const { problem } of [reader.read(greedy), begun()])
      assert.match(problem?.message ?? '', /cannot be read: Array buffer allocation failed/);
  });
});

describe('ScanCache', () => {
  const remembered = new Map([['a'.repeat(64), sampleRead()]]);
  const key = (text: string) => Buffer.from(text);

  test('keeps results for kernel keys and for given keys apart', () => {
    const directory = join(root, 'cache');
    const cache = (kernel: string[], given: string[]) =>
      new ScanCache(directory, ['x'], { kernel: kernel.map(key), given: given.map(key) });
    cache(['ab'], ['c']).write(remembered);
    assert.equal(cache(['ab'], ['c']).read().size, 1);
    assert.equal(cache([], ['ab', 'c']).read().size, 0);
    assert.equal(cache(['ab', 'c'], []).read().size, 0);
    assert.equal(cache(['a'], ['bc']).read().size, 0);
  });

  test('is neither written nor read in a directory that others can write to', () => {
    const directory = join(root, 'open-cache');
    const cache = new ScanCache(directory, ['x'], noKeys);
    cache.write(remembered);
    assert.equal(cache.read().size, 1);
    chmodSync(directory, 0o777);
    assert.equal(cache.read().size, 0);
    rmSync(directory, { recursive: true });
    mkdirSync(directory);
    chmodSync(directory, 0o777);
    cache.write(remembered);
    assert.deepEqual(readdirSync(directory), []);
  });

  test('removes only its own files', () => {
    const directory = join(root, 'full-cache');
    for (let index = 0; index < 40; index++) put(`full-cache/diary-${index}.jsonl`, 'mine');
    chmodSync(directory, 0o700);
    new ScanCache(directory, ['x'], noKeys).write(remembered);
    assert.equal(readdirSync(directory).length, 41);
  });
});

test('privateDirectory() avoids a TMPDIR that others can write to', () => {
  const before = process.env['TMPDIR'];
  const open = join(root, 'open-tmp');
  mkdirSync(open);
  chmodSync(open, 0o777);
  process.env['TMPDIR'] = open;
  try {
    using directory = privateDirectory();
    assert.ok(!directory.path.startsWith(open), directory.path);
    assert.ok(existsSync(directory.path));
  } finally {
    if (before === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = before;
  }
});

describe('readAgain()', () => {
  test('returns the same module again, from a file and from a package', async () => {
    const file = put('again/a.ko', buildModule({ name: 'a' }));
    const archive = put('again.tar', tar({ name: 'a.ko', contents: buildModule({ name: 'a' }) }));
    for (const path of [file, archive]) {
      const [entry] = (await readPaths(path)).entries;
      assert.ok(entry !== undefined);
      const again = await readAgain(entry);
      assert.ok(again.ok, again.ok ? '' : formatCause(again.error));
      assert.deepEqual(Buffer.from(again.value), Buffer.from(buildModule({ name: 'a' })));
    }
  });

  test('fails when the file was replaced or is gone', async () => {
    const file = put('swapped/a.ko', buildModule({ name: 'a' }));
    const [entry] = (await readPaths(file)).entries;
    assert.ok(entry !== undefined);
    writeFileSync(file, buildModule({ name: 'b' }));
    const swapped = await readAgain(entry);
    assert.match(swapped.ok ? '' : formatCause(swapped.error), /it was replaced/);
    rmSync(file);
    const gone = await readAgain(entry);
    assert.match(gone.ok ? '' : formatCause(gone.error), /does not exist/);
  });
});

describe('directoryOfExternal()', () => {
  test('finds a module in continued lines and behind CONFIG_ variables', () => {
    put('plain/Makefile', 'obj-m += \\\n  other.o \\\n  my-mod.o\n');
    assert.deepEqual(directoryOfExternal(join(root, 'plain'), 'my_mod'), { ok: true, value: '.' });
    put('set/Makefile', 'obj-$(CONFIG_X) := my_mod.o\n');
    assert.deepEqual(directoryOfExternal(join(root, 'set'), 'my-mod'), { ok: true, value: '.' });
  });

  test('takes linear time, as directoryInTree() does', () => {
    const megabyte = 2 ** 20 - 64;
    const repeated = (text: string) => text.repeat(Math.floor(megabyte / text.length));
    for (const [index, text] of ['\n', 'obj-m += \\\n', 'obj-m ', 'obj-m+=x '].entries()) {
      put(`slow${index}/Makefile`, repeated(text));
      mustEnd(() => {
        directoryOfExternal(join(root, `slow${index}`), 'module');
        directoryInTree(join(root, `slow${index}`), 'module.ko');
      });
    }
  });
});

const tools = jailTools();

test(
  'runInJail() passes no inherited file descriptor to the command',
  { skip: !tools.ok && formatProblem(tools.error), timeout: patienceMilliseconds },
  () => {
    const secret = put('secret', 'a secret of the host');
    const jail = new URL('../../io/rebuild/sandbox.ts', import.meta.url).href;
    const program = `
      const { runInJail } = await import(${JSON.stringify(jail)});
      const command = ['sh', '-c', 'cat <&7; echo ended'];
      const run = await runInJail({ command, writable: '/w', onLine: (line) => console.log(line) });
      console.log(run.ok ? run.value.end.kind : run.error);`;
    const { stdout } = spawnSync(
      'sh',
      [
        '-c',
        'exec 7<"$0"; exec "$@"',
        secret,
        process.execPath,
        '--input-type=module',
        '-e',
        program,
      ],
      { encoding: 'utf8' },
    );
    assert.match(stdout, /^ended$/m);
    assert.doesNotMatch(stdout, /a secret/);
  },
);

test('ScanCache.read() follows no symlinks', () => {
  const directory = join(root, 'linked-cache');
  const cache = new ScanCache(directory, ['x'], noKeys);
  const remembered = new Map([['b'.repeat(64), sampleRead()]]);
  cache.write(remembered);
  const [name = ''] = readdirSync(directory);
  const elsewhere = put('elsewhere', 'not mine');
  rmSync(join(directory, name));
  symlinkSync(elsewhere, join(directory, name));
  assert.equal(cache.read().size, 0);
});
