/** What a tenant with a shell does so that an audit, which is root, reads elsewhere, hangs, or tells nonsense. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import '../../src/testing/guard/here.ts';
import { alice, bob, needsRoot, Stage, walk } from './stage.ts';

const options = { skip: needsRoot };

const openFiles = () => readdirSync('/proc/self/fd').length;

/** A tree whose paths are longer than the kernel takes: two directories and a file on each level. */
const dig = `
  const { lchownSync, mkdirSync, writeFileSync, symlinkSync } = require('node:fs');
  process.chdir(process.argv[1]);
  for (let depth = 0; depth < Number(process.argv[2]); depth++) {
    const name = 'd'.repeat(40) + depth;
    for (const beside of ['a', 'z']) mkdirSync(beside);
    writeFileSync('a/file', '');
    writeFileSync('z/file', '');
    mkdirSync(name);
    process.chdir(name);
  }
  symlinkSync(process.argv[3], 'link');
  lchownSync('link', ${alice}, ${alice});
`;

test('a tree deeper than a path is read to its end, with few directories open', options, () => {
  using stage = new Stage();
  execFileSync(process.execPath, ['-e', dig, stage.alice, '1000', stage.bob]);
  const before = openFiles();
  for (const more of [{}, { heldMax: 1 }, { heldMax: 7, openat2: false }]) {
    const { names, problems } = walk(stage.alice, more);
    assert.deepEqual(problems, []);
    assert.equal(names.filter((each) => each.endsWith('/file')).length, 2000);
    assert.equal(names.filter((each) => each.endsWith('/link')).length, 1);
  }
  assert.equal(openFiles(), before);
  const { problems } = walk(stage.alice, { depthMax: 50 });
  assert.equal(problems.length, 3);
});

test(
  'the link at the end of a deep tree is told, with a path that one can read',
  options,
  async () => {
    using stage = new Stage();
    execFileSync(process.execPath, ['-e', dig, stage.alice, '600', stage.bob]);
    const { findings, problems } = await stage.audit();
    assert.deepEqual(problems, []);
    assert.equal(findings.length, 1);
    assert.equal(findings[0]?.severity, 'high');
    assert.ok((findings[0]?.path.length ?? 0) < 20_000);
  },
);

/** Puts a link to the neighbour in the place of a directory, and back, as fast as it can. */
const swap = `
  const { renameSync, symlinkSync, unlinkSync, writeSync } = require('node:fs');
  const [, home, other] = process.argv;
  for (let round = 0; ; round++) {
    renameSync(home + '/d', home + '/hidden/d');
    symlinkSync(other, home + '/d');
    if (round === 1) writeSync(1, 'begun');
    unlinkSync(home + '/d');
    renameSync(home + '/hidden/d', home + '/d');
  }
`;

test('a directory that is swapped for a link leads nowhere else', options, async () => {
  using stage = new Stage();
  const d = stage.directory(join(stage.alice, 'd'), alice);
  stage.directory(join(stage.alice, 'hidden'), alice);
  stage.directory(join(d, 'below'), alice);
  stage.file(join(d, 'below', 'own'), alice);
  stage.directory(join(stage.bob, 'below'), bob);
  stage.file(join(stage.bob, 'below', 'secret'), bob);
  const swapper = spawn(process.execPath, ['-e', swap, stage.alice, stage.bob]);
  try {
    await once(swapper.stdout, 'data');
    const shapes = new Set<string>();
    let naive = 0;
    for (let round = 0; round < 4000; round++) {
      const { names } = walk(stage.alice, { heldMax: 1, openat2: round % 2 === 0 });
      shapes.add(names.map((each) => each.split('/').at(-1)).join(' '));
      assert.ok(!names.some((each) => each.endsWith('secret')), names.join(', '));
      naive += naiveWalk(stage.alice).some((each) => each === 'secret') ? 1 : 0;
    }
    // It was there in both of its forms, and whoever goes by paths fell for it.
    assert.ok([...shapes].some((each) => each.includes('own')));
    assert.ok(shapes.size > 1);
    assert.ok(naive > 0);
  } finally {
    swapper.kill('SIGKILL');
    await once(swapper, 'exit');
  }
});

/** By paths, and looking before each step. */
function naiveWalk(home: string): readonly string[] {
  return listed(() => readdirSync(home, { withFileTypes: true }))
    .filter((each) => each.isDirectory())
    .flatMap((each) => listed(() => readdirSync(join(home, each.name, 'below'))));
}

function listed<T>(list: () => readonly T[]): readonly T[] {
  try {
    return list();
  } catch {
    return [];
  }
}

/** Moves the lower half of a deep tree beside it, and back. */
const move = `
  const { renameSync, writeSync } = require('node:fs');
  const [, from, to] = process.argv;
  for (let round = 0; ; round++) {
    renameSync(from, to);
    if (round === 1) writeSync(1, 'begun');
    renameSync(to, from);
  }
`;

test('a tree that is moved while it is read is read as far as it can be', options, async () => {
  using stage = new Stage();
  const levels = ['1', '2', '3', '4', '5', '6'];
  let at = stage.alice;
  for (const level of levels) {
    at = stage.directory(join(at, level), alice);
    for (const name of ['a', 'z'])
      stage.file(join(stage.directory(join(at, name), alice), 'f'), alice);
  }
  const from = join(stage.alice, '1', '2', '3', '4');
  const mover = spawn(process.execPath, ['-e', move, from, join(stage.alice, '1', '4')]);
  try {
    await once(mover.stdout, 'data');
    let whole = 0;
    for (let round = 0; round < 500; round++) {
      const { names, problems } = walk(stage.alice, { heldMax: 1 });
      for (const name of names)
        assert.ok(name.startsWith(`${stage.alice}/`) && name.endsWith('/f'));
      for (const problem of problems) assert.match(problem, /it was moved while it was read/);
      if (problems.length === 0 && names.length >= 12) whole++;
    }
    assert.ok(whole > 0);
  } finally {
    mover.kill('SIGKILL');
    await once(mover, 'exit');
  }
  assert.equal(walk(stage.alice).names.length, 12);
});

test('a reader that hangs is ended, and its home is told', options, async () => {
  using stage = new Stage();
  // Whoever reads the mounts there waits for ever.
  const proc = join(stage.root, 'proc');
  mkdirSync(join(proc, 'self'), { recursive: true });
  execFileSync('mkfifo', [join(proc, 'self', 'mountinfo')]);
  const { problems, findings } = await stage.audit({ proc }, { silenceMs: 500 });
  assert.deepEqual(findings, []);
  assert.deepEqual(
    problems.map(({ kind, path, cause }) => [kind, path, cause.reason]).sort(),
    [stage.alice, stage.bob].map((path) => ['unread', path, 'nothing could be read for 0.5 s']),
  );
});

test('a reader that cannot be started is told', options, async () => {
  using stage = new Stage();
  const homes = stage.accounts().homes.map((each) => ({ ...each, ranges: null as never }));
  const { problems } = await stage.audit({ homes });
  assert.equal(problems.length, 2);
  for (const { cause } of problems) assert.match(cause.reason, /ended early/);
});
