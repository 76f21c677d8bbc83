/** Ways out of a tenant's cgroup that were tried with a shell account; none may last, and none go unseen. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { after, afterEach, before, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseSubordinateUids } from '../../src/host/accounts/subordinate-uids.ts';
import { HaltRecord } from '../../src/host/placer/halt-record.ts';
import { Halt } from '../../src/host/placer/halt.ts';
import { findOutside } from '../../src/agent/placer/outside.ts';
import { PidHistory } from '../../src/host/placer/pid-history.ts';
import { Placer } from '../../src/host/placer/placer.ts';
import { Resume } from '../../src/host/placer/resume.ts';
import { hostHere } from '../conformance/host-here.ts';
import { main, RawPlacer } from '../placer/raw-placer.ts';
import { buildProgram, programsReady } from '../placer/programs.ts';
import { mustApply } from '../conformance/suite.ts';
import { body, instance, kill, read, Stage, uids } from '../placer/stage.ts';
import type { PlacerHierarchy } from '../../src/host/placer/protocol.ts';
import { patienceMilliseconds } from '../../testing/patience.ts';
import { temporaryDirectory } from '../../testing/temporary-directory.ts';

const here = hostHere(instance);
const ready = await programsReady();
const reason = 'skip' in here ? here.skip : ready.ok ? undefined : ready.reason;

if ('skip' in here || reason !== undefined)
  test('attacks on the placer', { skip: reason ?? true }, () => {});
else suite(here.version);

function suite(version: 1 | 2): void {
  const { first, second, third, account } = uids;
  const slowed = body.replace(
    `<tenant uid="${third}"/>`,
    `<tenant uid="${third}"><cpu limit="20%"/></tenant>`,
  );
  const name = 'bh-attack';
  /** The account's gid, which newuidmap checks: useradd's default if it makes no group. */
  const gid = '100';
  /** A range of subordinate ids that no file of this machine gives to anybody. */
  const range = { first: 1_600_000_000, count: 65_536 };
  let stage: Stage;
  const programs = new Map<string, string>();
  const program = (of: string) => programs.get(of) ?? assert.fail(of);

  /** Removes our account, or one of a run that was killed. */
  const removeAccount = () => spawnSync('userdel', ['--force', name]);

  before(() => {
    stage = new Stage(version);
    for (const each of ['chains', 'subordinate', 'old-kernel', 'slow-fork']) {
      const source = fileURLToPath(new URL(`${each}.c`, import.meta.url));
      programs.set(each, buildProgram(source, stage.directory));
    }
    chmodSync(stage.directory, 0o711);
    removeAccount();
    const useradd = [
      '-u',
      String(account),
      '-g',
      gid,
      '-M',
      '-N',
      '-d',
      '/',
      '-s',
      '/bin/sh',
      '-p',
      '*',
    ];
    execFileSync('useradd', [...useradd, name]);
    const last = range.first + range.count - 1;
    for (const option of ['--add-subuids', '--add-subgids']) {
      execFileSync('usermod', [option, `${range.first}-${last}`, name]);
    }
  });
  afterEach(async () => {
    endAll();
    await stage.quiet();
  });
  after(async () => {
    await stage[Symbol.asyncDispose]();
    removeAccount();
  });

  /** Processes of the attack, by the name of its program: their uids may be any. */
  const attackers = (of: string) =>
    execFileSync('ps', ['-e', '-o', 'pid=,stat=,uid=,comm='], { encoding: 'utf8' })
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .filter(([, stat = 'Z', uid, comm]) => comm === of && !stat.startsWith('Z') && uid !== '0')
      .map(([pid]) => Number(pid));
  const endAll = () => {
    for (const of of programs.keys()) for (const pid of attackers(of)) kill(pid);
  };
  const isInside = (pid: number, uid: number) => {
    const cgroups = stage.cgroupsOf(pid);
    return (
      cgroups === undefined ||
      cgroups.every((each, index) => each === `${stage.hierarchies[index]?.path}/u${uid}`)
    );
  };
  const allInside = (of: string, uid: number, count: number) =>
    stage.until(`${count} are inside`, () => {
      const pids = attackers(of);
      return pids.length === count && pids.every((pid) => isInside(pid, uid));
    });
  const subordinate = () =>
    parseSubordinateUids(readFileSync('/etc/subuid', 'utf8'), new Set([account]), [
      { user: name, uid: account, gid: account, home: '/' },
    ]);

  let storms = 0;
  /** Chains that go on until they are told to end, and tell when they find themselves inside. */
  const endlessStorm = (uid: number, chains: number, ...how: readonly string[]) => {
    const [on, told] = ['on', 'told'].map((each) => `${stage.directory}/${each}-${++storms}`);
    assert.ok(on !== undefined && told !== undefined);
    for (const each of [on, told]) writeFileSync(each, '');
    const [{ path }] = stage.hierarchies as [PlacerHierarchy];
    const witness = ['witness', `${path}/u${uid}`, String(stage.hierarchies.length), 'tell', told];
    const args = [String(uid), String(chains), String(patienceMilliseconds), 'while', on];
    const child = stage.run(program('chains'), ...args, ...witness, ...how);
    return {
      child,
      inside: () => statSync(told).size,
      end: async () => {
        rmSync(on);
        await stage.until('the storm is over', () => child.exitCode !== null);
      },
    };
  };

  test('a namespace of newuidmap leads nowhere outside, with /etc/subuid', async () => {
    await stage.place();
    stage.placement.setTargets({ ...stage.targets(), subordinate: subordinate() });
    const args = ['namespace', String(account), gid, String(range.first), '12'];
    stage.run(program('subordinate'), ...args);
    await allInside('subordinate', account, 24);
    const { outside } = await stage.scanned();
    assert.deepEqual(outside, []);
  });

  test('a namespace of newuidmap leads nowhere outside, without /etc/subuid', async () => {
    await stage.place();
    const args = ['namespace', String(account), gid, String(range.first), '12'];
    stage.run(program('subordinate'), ...args);
    await allInside('subordinate', account, 24);
  });

  test('findOutside() finds subordinate uids without a placer', async () => {
    await stage.rest();
    const args = ['namespace', String(account), gid, String(range.first), '3'];
    stage.run(program('subordinate'), ...args);
    await stage.until('all have left', () => attackers('subordinate').length === 6);
    const pids = attackers('subordinate');
    for (const ranges of [[], subordinate()]) {
      const { outside } = findOutside({ ...stage.targets(), subordinate: ranges });
      const found = outside.filter(({ uid }) => uid === account).map(({ pid }) => pid);
      assert.deepEqual(found.sort(), pids.sort());
    }
  });

  test('the placer catches a setuid program that a subordinate uid owns', async () => {
    // Setuid has no effect in /tmp if systemd mounts a tmpfs there.
    using directory = temporaryDirectory('attack', '/var/tmp', 0o711);
    const copy = `${directory.path}/setuid`;
    execFileSync('cp', [program('subordinate'), copy]);
    chownSync(copy, range.first + 7, range.first + 7);
    chmodSync(copy, 0o4755);
    programs.set('setuid', copy);
    await stage.place();
    stage.placement.setTargets({ ...stage.targets(), subordinate: subordinate() });
    const who = [`--reuid=${account}`, `--regid=${account}`, '--clear-groups'];
    stage.run('setpriv', ...who, copy, 'setuid', String(account));
    await allInside('setuid', account, 2);
    assert.deepEqual((await stage.scanned()).outside, []);
  });

  test('the placer catches a process with 4,000 groups and an exited first thread', async () => {
    await stage.place();
    const child = stage.run(
      program('subordinate'),
      'groups',
      String(account),
      gid,
      String(range.first),
    );
    await stage.until('it has so many groups', () => {
      const status = read(`/proc/${child.pid}/status`) ?? '';
      return status.length > 16_384 && /^State:\tZ/m.test(status);
    });
    const thread = () => read(`/proc/${child.pid}/task/${child.pid}/children`);
    assert.notEqual(thread(), undefined);
    await stage.until('its living thread is inside', () => isThreadInside(child.pid));
    assert.deepEqual((await stage.scanned()).outside, []);
  });
  const isThreadInside = (pid: number) => {
    const tasks = execFileSync('ls', [`/proc/${pid}/task`], { encoding: 'utf8' }).split('\n');
    const other = tasks.find((each) => each !== '' && each !== String(pid));
    const cgroups = other === undefined ? undefined : stage.cgroupsOf(pid, `${pid}/task/${other}`);
    return (
      cgroups?.every((each, index) => each === `${stage.hierarchies[index]?.path}/u${account}`) ??
      false
    );
  };

  for (const [what, ...args] of [
    ['16 chains', '16', '3000'],
    ['64 chains', '64', '2000'],
    ['16 chains that have themselves continued', '16', '3000', 'continue'],
    ['16 chains in a flood of changes of uid', '16', '2000', 'switch'],
  ] as const) {
    test(`the placer catches processes that fork and exit: ${what}`, async () => {
      await stage.place();
      const [code] = await once(stage.run(program('chains'), String(first), ...args), 'exit');
      assert.equal(code, 0);
      await stage.until('nobody is outside', () => stage.outside(first).length === 0);
      const { outside } = await stage.scanned();
      assert.deepEqual(outside, []);
      assert.ok(stage.processesOf(first).length > 0, 'nobody lived to be placed');
      await stage.until('nobody is left stopped', () => stopped(first).length === 0);
      console.log(`# ${stage.lines.splice(0).join('\n# ')}`);
    });
  }

  for (const [what, chains, ...how] of [
    ['16 chains that do not end', 16],
    ['16 chains that do not end and have themselves continued', 16, 'continue'],
    ['a chain that does not end', 1],
  ] as const)
    test(`a placer with a fifth of a core catches ${what}, next to others`, async () => {
      mustApply(slowed, stage.host);
      try {
        await stage.place();
        // It is root's, and so stays where it is put.
        stage.join(stage.placement.pid ?? 0, `u${third}`);
        const beside = endlessStorm(second, 16);
        await stage.until('they are inside', () => beside.inside() === 16);
        const storm = endlessStorm(first, chains, ...how);
        await stage.until('all are inside', () => storm.inside() === chains);
        assert.equal(storm.child.exitCode, null, 'it ended before');
        for (const each of [storm, beside]) await each.end();
        // While they fork it may be unknown for as long as the machine is slow.
        assert.deepEqual((await stage.scanned()).outside, []);
        await stage.until('nobody is outside', () => stage.outside(first, second).length === 0);
        await stage.until('nobody is left stopped', () => stopped(first).length === 0);
        assert.ok(stage.processesOf(first).length >= chains, 'nobody lived to be placed');
        console.log(`# ${stage.lines.splice(0).join('\n# ')}`);
      } finally {
        mustApply(body, stage.host);
      }
    });

  const stateOf = (pid: number) => /^State:\t(\w)/m.exec(read(`/proc/${pid}/status`) ?? '')?.[1];
  const stopped = (uid: number) => stage.processesOf(uid).filter((pid) => stateOf(pid) === 'T');
  const stop = async (pid: number) => {
    kill(pid, 'SIGSTOP');
    await stage.until('it has stopped', () => stateOf(pid) === 'T');
  };

  test('Halt continues a stopped tenant, except for processes it had stopped itself', async () => {
    await stage.rest();
    const [before, going, other] = [
      stage.sleepAs(first),
      stage.sleepAs(first),
      stage.sleepAs(second),
    ];
    const asleep = [before, going, other];
    await stage.until('they are', () => asleep.every(({ pid }) => stateOf(pid) === 'S'));
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
    await stage.until('it is stopped', () => stateOf(going.pid) === 'T');
    assert.equal(stateOf(other.pid), 'S');
    assert.deepEqual(JSON.parse(read(file) ?? ''), { uids: [first] });
    const result = halt.step(Infinity);
    assert.equal(result?.settled, true);
    await stage.until('it goes on', () => stateOf(going.pid) === 'S');
    assert.equal(stateOf(before.pid), 'T');
    for (const { pid } of [before, going]) assert.ok(isInside(pid, first));
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
      const child = stage.run(program('slow-fork'), '20', ...args);
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
    await stage.until('it goes on', () => stateOf(going.pid) === 'S');
    // Only while it is looked for those that were being forked.
    await stop(going.pid);
    resume.step(Infinity);
    for (const { pid } of [before, going]) assert.equal(stateOf(pid), 'T');
    writeFileSync(stage.haltFile, '{"uids":[');
    await stage.place();
  });

  test('a placer that is killed over and over leaves nobody stopped', async () => {
    await stage.place();
    const storm = stage.run(program('chains'), String(first), '16', '4000');
    let kills = 0;
    const isOver = () => storm.exitCode !== null;
    while (!isOver()) {
      const { pid } = stage.placement;
      if (pid !== undefined) kill(pid);
      kills++;
      await stage.until('another one is there', () => isOver() || stage.placement.pid !== pid);
    }
    assert.ok(kills > 0);
    await stage.until('nobody is outside', () => stage.outside(first).length === 0);
    await stage.until('nobody is left stopped', () => stopped(first).length === 0);
  });

  for (const [kernel, call] of [
    ['4.18', 335],
    ['5.14', 449],
  ] as const) {
    test(`the placer needs no newer system calls than Linux ${kernel}`, async () => {
      await stage.rest();
      const node = [process.execPath, main, ''];
      await using placer = new RawPlacer(program('old-kernel'), String(call), ...node);
      placer.say({ kind: 'targets', ...stage.targets() });
      const child = stage.sleepAs(first);
      await stage.until('it is inside', () => stage.isIn(child.pid, `u${first}`));
      const status = await placer.status((each) => each.migrated >= 1);
      assert.deepEqual(status.unknown, []);
    });
  }

  test('a placer with few file descriptors places all processes', async () => {
    await stage.rest();
    const script = 'ulimit -n 40; exec "$@"';
    await using placer = new RawPlacer('sh', '-c', script, 'sh', process.execPath, main, '');
    placer.say({ kind: 'targets', ...stage.targets() });
    const many = Object.values(uids).flatMap((uid) =>
      uid === uids.reseller ? [] : Array.from({ length: 10 }, () => [uid, stage.sleepAs(uid).pid]),
    );
    await stage.until('all are inside', () =>
      many.every(([uid = 0, pid = 0]) =>
        stage.isIn(pid, uid === uids.fourth ? `r${uids.reseller}/u${uid}` : `u${uid}`),
      ),
    );
    const status = await placer.status((each) => each.migrated >= many.length);
    assert.deepEqual(status.unknown, []);
  });
}
