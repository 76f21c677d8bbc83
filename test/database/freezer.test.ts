/** Cgroups that are frozen on this machine's kernel are thawed, whoever is killed at whatever instant. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { suite, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { compileThaw } from '../../scripts/entry.ts';
import { leftoversPolicy } from '../../src/database/io/hold/leftovers.ts';
import { pathsOf } from '../../src/host/paths.ts';
import { policyOf } from '../conformance/suite.ts';
import { Freezer } from '../../src/database/io/hold/freezer.ts';
import {
  frozenOf,
  readRecord,
  recordFile,
  thawRecorded,
  writeRecord,
} from '../../src/database/io/hold/record.ts';
import { eventually } from '../../testing/patience.ts';
import { FreezerStage, freezers } from './freezer-stage.ts';

const isRoot = process.getuid?.() === 0;
const found = isRoot ? freezers() : {};
if (isRoot) compileThaw();
/** A thousand take some minutes. */
const kills = Number(process.env['KILLS'] ?? 40);

for (const version of ['v1', 'v2'] as const) {
  const mountPoint = found[version];
  const skip = mountPoint === undefined && `needs root and a freezer of cgroup ${version}`;
  const stageHere = () => new FreezerStage(version, mountPoint ?? '');

  suite(`freezing with cgroup ${version}`, { skip }, () => {
    test('all is thawed after the agent was killed at any instant', async (t) => {
      await using stage = stageHere();
      stage.start();
      const milliseconds: number[] = [];
      for (let each = 0; each < kills; each++) {
        const agent = stage.agent();
        await agent.until('frozen');
        await sleep(Math.random() * 20);
        await agent.end('SIGKILL');
        milliseconds.push(await stage.thawedAfter(agent.watchdog));
        // Nothing freezes it again.
        assert.ok(stage.areThawed);
      }
      milliseconds.sort((a, b) => a - b);
      const at = (part: number) => milliseconds[Math.floor((kills - 1) * part)]?.toFixed(1);
      t.diagnostic(
        `${kills} kills; thawed after ms: p50 ${at(0.5)}, p99 ${at(0.99)}, max ${at(1)}`,
      );
    });

    test('all is thawed while the agent is stopped, and once more after it', async (t) => {
      await using stage = stageHere();
      stage.start();
      const agent = stage.agent();
      await agent.until('frozen', 5);
      agent.signal('SIGSTOP');
      const milliseconds = await stage.thawedAfter(agent.watchdog);
      t.diagnostic(`thawed after ${milliseconds.toFixed(0)} ms of silence`);
      const before = agent.count('frozen');
      agent.signal('SIGCONT');
      await agent.until('frozen', before + 5);
      await agent.end('SIGKILL');
      await eventually('all is thawed', () => stage.areThawed);
    });

    test('nothing is frozen without a watchdog, and the agent starts a new one', async () => {
      await using stage = stageHere();
      stage.start();
      const agent = stage.agent();
      await agent.until('frozen');
      for (let each = 1; each <= 3; each++) {
        const frozen = agent.count('frozen');
        process.kill(agent.watchdog, 'SIGKILL');
        await agent.until('lost', each);
        await agent.until('watched', each + 1);
        await agent.until('frozen', frozen + 1);
      }
      await agent.end('SIGTERM');
      assert.ok(stage.areThawed, 'at its own end the agent thaws all itself');
    });

    test('the watchdog thaws all when it is told to end', async () => {
      await using stage = stageHere();
      stage.start();
      const agent = stage.agent();
      await agent.until('frozen', 3);
      agent.signal('SIGSTOP');
      process.kill(agent.watchdog, 'SIGTERM');
      await eventually('all is thawed', () => stage.areThawed);
      await agent.end('SIGKILL');
    });

    test('a cgroup that goes does not count as a failure', async () => {
      await using stage = stageHere();
      const freezer = new Freezer(stage.paths);
      const [one = '', two = ''] = stage.cgroups;
      const files = [one, two].map((each) => ({ path: stage.fileOf(each) }));
      for (const each of files)
        assert.deepEqual(freezer.freeze(1, each), { ok: true, value: true });
      rmdirSync(one);
      assert.deepEqual(freezer.thaw(files), []);
      assert.deepEqual(freezer.freeze(1, files[0]!), { ok: true, value: false });
      assert.deepEqual(freezer.releaseAll(), []);
      assert.deepEqual(readRecord(stage.paths), []);
    });

    test('processes that fork are all frozen', async () => {
      await using stage = stageHere();
      stage.start();
      const freezer = new Freezer(stage.paths);
      for (let round = 0; round < 20; round++) {
        await stage.untilFrozen(() => {
          for (const each of stage.cgroups) freezer.freeze(1, { path: stage.fileOf(each) });
        });
        assert.deepEqual(freezer.releaseAll(), []);
        assert.ok(stage.areThawed);
      }
    });

    test('a later agent, an apply and a release thaw what is recorded, and a plan shows it', async () => {
      await using stage = stageHere();
      const freezer = new Freezer(stage.paths);
      const files = stage.cgroups.map((each) => ({ path: stage.fileOf(each) }));
      for (const each of files) freezer.freeze(1, each);
      assert.deepEqual(frozenOf(stage.paths), stage.cgroups);
      const paths = { ...pathsOf(), ...stage.paths };
      const policy = policyOf('');
      assert.equal(leftoversPolicy.plan(policy, paths).length, stage.cgroups.length);
      assert.deepEqual(await leftoversPolicy.apply(policy, paths), { ok: true, value: [] });
      assert.ok(stage.areThawed);
      assert.deepEqual(leftoversPolicy.plan(policy, paths), []);
      for (const each of stage.cgroups) stage.writeFrozen(each, true);
      writeRecord(paths, files);
      assert.deepEqual(await leftoversPolicy.release(paths), []);
      assert.ok(stage.areThawed);
      for (const each of stage.cgroups) stage.writeFrozen(each, true);
      writeRecord(paths, files);
      assert.deepEqual(new Freezer(stage.paths).begin(), []);
      assert.ok(stage.areThawed);
      assert.equal(existsSync(recordFile(stage.paths)), false);
    });

    test('a tenant that was stopped with --freeze stays frozen', async () => {
      await using stage = stageHere();
      stage.start();
      const agent = stage.agent();
      await agent.until('frozen', 3);
      stage.stopTenant(true);
      for (const each of stage.cgroups) stage.writeFrozen(each, true);
      // An agent that was about to thaw one does so before it sees the stop.
      await sleep(50);
      for (const each of stage.cgroups) stage.writeFrozen(each, true);
      await agent.end('SIGKILL');
      await eventually('the watchdog has ended', () => !existsSync(`/proc/${agent.watchdog}`));
      const isKept = () => stage.cgroups.every((each) => !stage.isThawed(each));
      assert.ok(isKept());
      thawRecorded(stage.paths);
      assert.ok(isKept());
      const freezer = new Freezer(stage.paths);
      const file = { path: stage.fileOf(stage.cgroups[0]!) };
      assert.deepEqual(freezer.freeze(stage.uid, file), { ok: true, value: false });
      stage.startTenant();
      for (const each of stage.cgroups) stage.writeFrozen(each, false);
    });

    test('a tenant that was stopped without --freeze is thawed', async () => {
      await using stage = stageHere();
      const freezer = new Freezer(stage.paths);
      const stop = `${stage.paths.state}/stopped/${stage.uid}`;
      for (const each of stage.cgroups) freezer.freeze(1, { path: stage.fileOf(each), stop });
      stage.stopTenant(false);
      assert.deepEqual(freezer.releaseAll(), []);
      assert.ok(stage.areThawed);
    });
  });
}

suite('the record', { skip: !isRoot && 'needs root' }, () => {
  test('a damaged record harms no file, and what can be read of it counts', async () => {
    const version = found.v2 === undefined ? 'v1' : 'v2';
    await using stage = new FreezerStage(version, found[version] ?? '');
    const victim = `${stage.paths.runtime}/victim`;
    writeRecord(stage.paths, []);
    writeFileSync(victim, 'text');
    stage.writeFrozen(stage.cgroups[0]!, true);
    const lines = [
      victim,
      'x',
      '',
      '\t',
      '/etc/passwd/cgroup.freeze',
      stage.fileOf(stage.cgroups[0]!),
    ];
    writeFileSync(recordFile(stage.paths), lines.join('\n'));
    assert.deepEqual(frozenOf(stage.paths), [stage.cgroups[0]]);
    thawRecorded(stage.paths);
    assert.ok(stage.areThawed);
    assert.equal(readFileSync(victim, 'utf8'), 'text');
  });
});
