/** The placer stops a tenant that forks faster than it is moved, and leaves nobody stopped afterwards. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { HaltRecord } from '../../../src/host/placer/halt-record.ts';
import { Halt } from '../../../src/host/placer/halt.ts';
import { PidHistory } from '../../../src/host/placer/pid-history.ts';
import { Placer } from '../../../src/host/placer/placer.ts';
import { Resume } from '../../../src/host/placer/resume.ts';
import { kill, read, uids } from '../../placer/stage.ts';
import { attackSuite, type AttackStage } from './stage.ts';

const { first, second } = uids;

attackSuite('bulkhead-attack-halt', ['slow-fork'], suite);

function suite(stage: AttackStage): void {
  const stop = async (pid: number) => {
    kill(pid, 'SIGSTOP');
    await stage.until('it has stopped', () => stage.stateOf(pid) === 'T');
  };

  test('Halt continues a stopped tenant, except for processes it had stopped itself', async () => {
    await stage.rest();
    const [before, going, other] = [
      stage.sleepAs(first),
      stage.sleepAs(first),
      stage.sleepAs(second),
    ];
    const asleep = [before, going, other];
    await stage.until('they are', () => asleep.every(({ pid }) => stage.stateOf(pid) === 'S'));
    const file = `${stage.directory}/stopped.json`;
    const record = new HaltRecord(file);
    const resume = new Resume(record);
    // A halt may not be long ago.
    resume.watch([first], []);
    await setTimeout(20);
    resume.step(Infinity);
    await stop(before.pid);
    let halt: Halt | undefined;
    const placer = new Placer(
      {
        missing: () => undefined,
        seen: (pid, tenant, uid) => halt?.seen(pid, tenant, uid),
        outside: (tenant) => halt?.outside(tenant),
      },
      { moves: true },
    );
    placer.use({ kind: 'targets', ...stage.targets() });
    halt = new Halt(new Set([first]), { placer, clock: new PidHistory(), record, resume });
    assert.equal(halt.step(0), undefined);
    await stage.until('it is stopped', () => stage.stateOf(going.pid) === 'T');
    assert.equal(stage.stateOf(other.pid), 'S');
    assert.deepEqual(JSON.parse(read(file) ?? ''), { uids: [first] });
    const result = halt.step(Infinity);
    assert.equal(result?.settled, true);
    await stage.until('it goes on', () => stage.stateOf(going.pid) === 'S');
    assert.equal(stage.stateOf(before.pid), 'T');
    for (const { pid } of [before, going]) assert.ok(stage.isInside(pid, first));
  });

  /** Stops and continues all of the tenant's processes over and over, for as long as a program of its runs. */
  const haltWhile = async (runs: () => boolean) => {
    const record = new HaltRecord(`${stage.directory}/stopped.json`);
    const [resume, clock] = [new Resume(record), new PidHistory()];
    let halt: Halt | undefined;
    const placer = new Placer(
      { missing: () => undefined, seen: (pid, tenant, uid) => halt?.seen(pid, tenant, uid) },
      { moves: true },
    );
    placer.use({ kind: 'targets', ...stage.targets() });
    await stage.until('it ends', async () => {
      halt = new Halt(new Set([first, second]), { placer, clock, record, resume });
      assert.equal(halt.step(Infinity)?.problem, undefined);
      await setTimeout(20);
      resume.step(Infinity);
      return !runs();
    });
  };

  for (const [what, ...args] of [
    ['is just being forked', String(first)],
    ['is just being forked, of two tenants', String(first), String(second)],
  ] as const) {
    test(`Halt continues a process that ${what} while all are stopped`, async () => {
      await stage.rest();
      const child = stage.run(stage.program('slow-fork'), '20', ...args);
      await haltWhile(() => child.exitCode === null);
      assert.equal(child.exitCode, 0);
    });
  }

  test('Resume continues processes that a killed placer had stopped', async () => {
    await stage.rest();
    const [before, going] = [stage.sleepAs(first), stage.sleepAs(first)];
    await stage.until('they are', () => stage.processesOf(first).length === 2);
    await stop(before.pid);
    kill(before.pid, 'SIGSTOP');
    await stop(going.pid);
    writeFileSync(stage.haltFile, JSON.stringify({ uids: [first] }));
    const resume = new Resume(new HaltRecord(stage.haltFile));
    resume.step(Infinity);
    await stage.until('it goes on', () => stage.stateOf(going.pid) === 'S');
    // Only while it is looked for those that were being forked.
    await stop(going.pid);
    resume.step(Infinity);
    for (const { pid } of [before, going]) assert.equal(stage.stateOf(pid), 'T');
    writeFileSync(stage.haltFile, '{"uids":[');
    await stage.place();
  });
}
