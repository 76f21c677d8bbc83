/** The program that thaws does not take a shortage for a cgroup that has gone. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { suite, test } from 'node:test';
import { compileThaw } from '../../scripts/entry.ts';
import { stopFile } from '../../src/host/stops.ts';
import { recordFile, writeRecord } from '../../src/database/io/hold/record.ts';
import { eventually } from '../../testing/patience.ts';
import { FreezerStage, freezers } from './freezer-stage.ts';

const isRoot = process.getuid?.() === 0;
const [version, mountPoint] = Object.entries(isRoot ? freezers() : {})[0] ?? [];
const skip = mountPoint === undefined && 'needs root and a freezer';

suite('bulkhead-thaw without descriptors', { skip }, () => {
  const program = skip === false ? compileThaw() : '';
  const stageHere = () => new FreezerStage(version as 'v1' | 'v2', mountPoint ?? '');

  /** Lets the program end while it may have so many descriptors open, and gives it more when it has reported that. */
  async function endWith(stage: FreezerStage, descriptors: number): Promise<string> {
    const child = spawn(program, [recordFile(stage.paths)]);
    const ended = once(child, 'exit');
    let text = '';
    child.stderr.on('data', (chunk: Buffer) => (text += chunk.toString()));
    const allow = (count: number) =>
      execFileSync('prlimit', ['--pid', String(child.pid), `--nofile=${count}:64`]);
    child.stdin.write('.');
    await once(child.stdout, 'data');
    allow(descriptors);
    child.stdin.end();
    await eventually(
      'it reports that, or has ended',
      () => text !== '' || child.exitCode !== null || child.signalCode !== null,
    );
    assert.ok(stage.cgroups.every((each) => !stage.isThawed(each)));
    if (child.exitCode === null) allow(64);
    assert.deepEqual(await ended, [0, null]);
    return text;
  }

  for (const [what, descriptors] of [
    ['the record', 3],
    ['a cgroup', 4],
  ] as const)
    test(`it thaws when it can open ${what} again`, async () => {
      await using stage = stageHere();
      const files = stage.cgroups.map((each) => ({ path: stage.fileOf(each) }));
      writeRecord(stage.paths, files);
      for (const each of stage.cgroups) stage.writeFrozen(each, true);
      assert.match(await endWith(stage, descriptors), /Too many open files/);
      assert.ok(stage.areThawed);
    });

  test('it thaws no tenant while it cannot read whether that one is stopped', async () => {
    await using stage = stageHere();
    const stop = stopFile(stage.paths, stage.uid);
    stage.stopTenant(true);
    writeRecord(
      stage.paths,
      stage.cgroups.map((each) => ({ path: stage.fileOf(each), stop })),
    );
    for (const each of stage.cgroups) stage.writeFrozen(each, true);
    assert.match(await endWith(stage, 5), /stopped\/\d+: Too many open files/);
    assert.ok(stage.cgroups.every((each) => !stage.isThawed(each)));
  });
});
