/**
 * Attempts by a tenant with a shell to make an audit, which runs as root, read elsewhere, hang, or report
 * nonsense.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import '../../testing/guard/here.ts';
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

test(
  'walk() reads a tree deeper than a path to its end, and leaves no directory open',
  options,
  () => {
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
  },
);

test(
  'auditHomes() reports the link at the end of a deep tree, with a path of bounded length',
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

test('walk() never reads elsewhere when a directory is swapped for a link', options, async () => {
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
    let byPath = 0;
    // Goes on until it was seen in both of its forms, and a reader that uses paths would have been
    // misled.
    const isSeen = () => shapes.has('own') && shapes.has('') && byPath > 0;
    for (let round = 0; round < 2000 || !isSeen(); round++) {
      assert.ok(round < 2_000_000);
      const { names } = walk(stage.alice, { heldMax: 1, openat2: round % 2 === 0 });
      assert.ok(!names.some((each) => each.endsWith('secret')), names.join(', '));
      shapes.add(names.some((each) => each.endsWith('/own')) ? 'own' : '');
      if (namesAt(join(stage.alice, 'd', 'below')).includes('secret')) byPath++;
    }
  } finally {
    swapper.kill('SIGKILL');
    await once(swapper, 'exit');
  }
});

function namesAt(path: string): readonly string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

/** Moves the lower half of a deep tree next to it, and back. */
const move = `
  const { renameSync, writeSync } = require('node:fs');
  const [, from, to] = process.argv;
  for (let round = 0; ; round++) {
    renameSync(from, to);
    if (round === 1) writeSync(1, 'begun');
    renameSync(to, from);
  }
`;

test('walk() reads a tree that is moved meanwhile as far as it can', options, async () => {
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
    for (let round = 0; round < 500 || whole === 0; round++) {
      assert.ok(round < 2_000_000);
      const { names, problems } = walk(stage.alice, { heldMax: 1 });
      for (const name of names)
        assert.ok(name.startsWith(`${stage.alice}/`) && name.endsWith('/f'));
      // openat2 says EXDEV of what has moved from below the home's path, as of a mount.
      for (const problem of problems)
        assert.match(
          problem,
          /it was moved while it was read|another file system is mounted there/,
        );
      if (problems.length === 0 && names.length >= 12) whole++;
    }
  } finally {
    mover.kill('SIGKILL');
    await once(mover, 'exit');
  }
  assert.equal(walk(stage.alice).names.length, 12);
});

test(
  'auditHomes() reports a link that takes thousands of steps, without following it',
  options,
  async () => {
    using stage = new Stage();
    stage.directory(join(stage.alice, 'd'), alice);
    const far = `${'d/../'.repeat(700)}../bob`;
    stage.link(far, join(stage.alice, 'far'), alice);
    let before = '../bob';
    for (let index = 0; index < 30; index++) {
      const name = `link${index}`;
      stage.link(`${'d/../'.repeat(100)}${before}`, join(stage.alice, name), alice);
      before = name;
    }
    const { findings } = await stage.audit();
    const far30 = findings.filter((each) => /(far|link29)$/.test(each.path));
    assert.deepEqual(
      far30.map(({ severity, reason }) => [severity, reason]),
      [1, 2].map(() => [
        'medium',
        'it leads to a place behind more than 1000 names, which was not read',
      ]),
    );
    assert.equal(findings.find((each) => each.path.endsWith('/link0'))?.severity, 'high');
  },
);

test('walk() stops at namesMax names', options, () => {
  using stage = new Stage();
  for (let index = 0; index < 300; index++) stage.file(join(stage.alice, `f${index}`), alice);
  stage.directory(join(stage.alice, 'below'), alice);
  const { problems } = walk(stage.alice, { namesMax: 100 });
  assert.deepEqual(problems, [`${stage.alice}: it has more than 100 names; the rest was not read`]);
});

test('auditHomes() kills a reader that hangs, and reports its homes', options, async () => {
  using stage = new Stage();
  // A reader of the mounts there waits for ever.
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

test('auditHomes() reports a reader that cannot start', options, async () => {
  using stage = new Stage();
  const homes = stage.accounts().homes.map((each) => ({ ...each, ranges: null as never }));
  const { problems } = await stage.audit({ homes });
  assert.equal(problems.length, 2);
  for (const { cause } of problems) assert.match(cause.reason, /ended early/);
});
