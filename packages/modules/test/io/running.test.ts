import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import { buildIdOfNotes, parseProcModules, readRunningModules } from '../../io/kernel/running.ts';
import { elfFile } from '../core/kernel/elf-file.ts';
import { temporaryDirectory } from '../../../../testing/temporary-directory.ts';

function inTree(files: Readonly<Record<string, string | Uint8Array>>, run: (root: string) => void) {
  using scratch = temporaryDirectory('running');
  const root = scratch.path;
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  }
  run(root);
}

const note = (id: string): Uint8Array =>
  Buffer.concat([
    Buffer.from(Uint32Array.of(4, id.length / 2, 3).buffer),
    Buffer.from('GNU\0'),
    Buffer.from(id, 'hex'),
  ]);
const module = (id: string | undefined) =>
  elfFile(id === undefined ? [] : [{ name: '.note.gnu.build-id', bytes: note(id), type: 7 }], 1);

const [idA, idB] = ['aa'.repeat(20), 'bb'.repeat(20)];

test('parseProcModules() reads names, users and taints', () => {
  assert.deepEqual(
    parseProcModules(
      [
        'nf_tables 376832 2 nft_chain_nat,nft_ct, Live 0x0000000000000000 (OE)',
        'dm_mod 200704 0 - Loading 0xffffffffc0301000 (P+)',
        'loop 45056 1 [permanent], Live 0x0000000000000000',
        '../etc 1 0 - Live 0x0',
        '',
      ].join('\n'),
    ),
    [
      {
        name: 'nf_tables',
        bytes: 376832,
        state: 'Live',
        taints: 'OE',
        usedBy: ['nft_chain_nat', 'nft_ct'],
      },
      { name: 'dm_mod', bytes: 200704, state: 'Loading', taints: 'P', usedBy: [] },
      { name: 'loop', bytes: 45056, state: 'Live', taints: '', usedBy: [] },
    ],
  );
});

test('readRunningModules() finds the file of each module by name and build id', () => {
  const names = ['dm_mod', 'replaced', 'gone', 'plain', 'broken', 'twice'];
  const files = {
    'proc/modules': names.map((name) => `${name} 1 0 - Live 0x0 (O)`).join('\n'),
    'sys/module/dm_mod/notes/.note.gnu.build-id': note(idA),
    'sys/module/dm_mod/taint': 'OE\n',
    'sys/module/dm_mod/srcversion': '0123456789ABCDEF0123456\n',
    'sys/module/dm_mod/version': '1.2\n',
    'sys/module/replaced/notes/.note.gnu.build-id': note(idA),
    'sys/module/twice/notes/.note.gnu.build-id': note(idB),
    'sys/module/broken/notes/.note.gnu.build-id': note(idB),
    'tree/kernel/dm-mod.ko.zst': zstdCompressSync(module(idA)),
    'tree/kernel/replaced.ko': module(idB),
    'tree/extra/plain.ko': module(undefined),
    'tree/kernel/broken.ko.zst': 'no module',
    'tree/kernel/twice.ko': module(idA),
    'tree/updates/twice.ko': module(idB),
  };
  inTree(files, (root) => {
    symlinkSync(join(root, 'tree'), join(root, 'tree', 'loop'));
    symlinkSync(join(root, 'tree/extra/plain.ko'), join(root, 'tree', 'gone.ko'));
    const place = {
      proc: join(root, 'proc'),
      sys: join(root, 'sys'),
      moduleDirectory: join(root, 'tree'),
    };
    const read = readRunningModules(place);
    assert.ok(read.ok);
    const origin = Object.fromEntries(read.value.map((each) => [each.name, each.origin]));
    const file = (path: string) => join(root, 'tree', path);
    assert.deepEqual(origin, {
      dm_mod: { kind: 'same build', file: file('kernel/dm-mod.ko.zst') },
      replaced: { kind: 'other build', file: file('kernel/replaced.ko'), buildId: idB },
      gone: { kind: 'no file' },
      plain: { kind: 'same name', file: file('extra/plain.ko') },
      broken: {
        kind: 'unreadable',
        file: file('kernel/broken.ko.zst'),
        why: 'it is not an ELF file, at offset 0',
      },
      twice: { kind: 'same build', file: file('updates/twice.ko') },
    });
    const [first, second] = read.value;
    assert.deepEqual(
      [first?.taints, first?.buildId, first?.srcversion, first?.version],
      ['OE', idA, '0123456789ABCDEF0123456', '1.2'],
    );
    assert.deepEqual([second?.taints, second?.srcversion], ['O', undefined]);
  });
});

test('readRunningModules() fails when /proc/modules does not exist', () => {
  const read = readRunningModules({
    proc: '/nonexistent',
    sys: '/nonexistent',
    moduleDirectory: undefined,
  });
  assert.ok(!read.ok && read.error.object === '/nonexistent/modules');
});

test('buildIdOfNotes() skips other notes, and returns undefined when a note is cut off', () => {
  const other = Buffer.concat([
    Buffer.from(Uint32Array.of(6, 3, 1).buffer),
    Buffer.from('Linux\0\0\0abc\0'),
  ]);
  assert.equal(buildIdOfNotes(Buffer.concat([other, note(idA)]), true), idA);
  for (let length = 0; length < 36; length++) {
    assert.equal(buildIdOfNotes(note(idA).subarray(0, length), true), undefined);
  }
  assert.equal(buildIdOfNotes(Buffer.alloc(64, 0xff), true), undefined);
});
