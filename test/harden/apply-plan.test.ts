/** All or nothing, killed at any step, and against others who write there. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { formatProblem } from '../../packages/base/problem.ts';
import { recordOf, sysctlFile } from '../../src/harden/io/places.ts';
import { closed, open, run, Stage } from './stage.ts';

const needsRoot = process.geteuid?.() === 0 ? false : 'files have to be of root';
const options = { skip: needsRoot };
const script = fileURLToPath(new URL('stage.ts', import.meta.url));

const killedAt = (stage: Stage, what: 'harden' | 'undo', step: number) =>
  spawnSync(process.execPath, [script, stage.root, what, String(step)]).signal === 'SIGKILL';

function isHardened(stage: Stage): void {
  assert.deepEqual(stage.values(), closed);
  const text = readFileSync(stage.places.file, 'utf8');
  for (const key of [
    'fs.protected_symlinks = 1',
    'fs.protected_fifos = 2',
    'kernel.dmesg_restrict = 1',
  ])
    assert.ok(text.includes(`\n${key}\n`), text);
  assert.doesNotMatch(text, /hardlinks/);
  assert.equal(statSync(stage.places.file).mode & 0o777, 0o644);
}

function isAsBefore(stage: Stage): void {
  assert.deepEqual(stage.values(), open);
  assert.ok(!stage.hasFile());
  assert.ok(!stage.hasRecord());
  assert.deepEqual(readdirSync(stage.places.state), []);
}

test('harden enable writes all it should, and disable restores everything', options, () => {
  using stage = new Stage();
  assert.ok(run(stage.places, false).ok);
  isHardened(stage);
  assert.ok(run(stage.places, false).ok);
  isHardened(stage);
  assert.ok(run(stage.places, true).ok);
  isAsBefore(stage);
});

test('harden enable completes a run that was killed at any step', options, () => {
  let steps = 0;
  for (let step = 1; ; step++) {
    using stage = new Stage();
    if (!killedAt(stage, 'harden', step)) break;
    steps++;
    assert.ok(run(stage.places, false).ok);
    isHardened(stage);
    assert.ok(run(stage.places, true).ok);
    isAsBefore(stage);
  }
  assert.ok(steps >= 5);
});

test('harden disable restores everything after enable was killed at any step', options, () => {
  for (let step = 1; ; step++) {
    using stage = new Stage();
    if (!killedAt(stage, 'harden', step)) break;
    assert.ok(run(stage.places, true).ok);
    isAsBefore(stage);
  }
});

test('harden enable or disable completes a disable that was killed at any step', options, () => {
  let steps = 0;
  for (const undo of [false, true])
    for (let step = 1; ; step++) {
      using stage = new Stage();
      assert.ok(run(stage.places, false).ok);
      if (!killedAt(stage, 'undo', step)) break;
      steps++;
      assert.ok(run(stage.places, undo).ok);
      isAsBefore(stage);
    }
  assert.ok(steps >= 8);
});

test('harden enable restores everything when the kernel refuses a value', options, () => {
  using stage = new Stage();
  // A directory cannot be written; it stands for a value that is refused, as the last of three.
  const refused = sysctlFile(stage.places, 'kernel.dmesg_restrict');
  let steps = 0;
  const done = run(stage.places, false, () => {
    if (++steps !== 4) return;
    rmSync(refused);
    mkdirSync(refused);
  });
  assert.ok(!done.ok);
  assert.match(formatProblem(done.error), /set kernel\.dmesg_restrict to "1".*nothing was changed/);
  rmSync(refused, { recursive: true });
  stage.write('kernel.dmesg_restrict', '0');
  isAsBefore(stage);
});

test('harden enable refuses a foreign file, a link and an unsafe directory', options, () => {
  using stage = new Stage();
  const { file } = stage.places;
  mkdirSync(dirname(file));
  writeFileSync(file, 'kernel.dmesg_restrict = 0\n');
  const foreign = run(stage.places, false);
  assert.ok(!foreign.ok);
  assert.match(formatProblem(foreign.error), /it was not written by Bulkhead; rename it/);
  rmSync(file);
  symlinkSync(join(stage.root, 'elsewhere'), file);
  assert.ok(!run(stage.places, false).ok);
  rmSync(file);
  chmodSync(dirname(file), 0o777);
  const unsafe = run(stage.places, false);
  assert.ok(!unsafe.ok);
  chmodSync(dirname(file), 0o755);
  assert.deepEqual(stage.values(), open);
  assert.ok(run(stage.places, false).ok);
  isHardened(stage);
});

test('harden changes nothing when its record is damaged', options, () => {
  using stage = new Stage();
  assert.ok(run(stage.places, false).ok);
  writeFileSync(recordOf(stage.places), '{"version":1,"values":[{"key":"kernel.core_pattern"');
  for (const undo of [false, true]) {
    const done = run(stage.places, undo);
    assert.ok(!done.ok);
    assert.match(formatProblem(done.error), /it is damaged; set the values by hand/);
  }
  isHardened(stage);
});
