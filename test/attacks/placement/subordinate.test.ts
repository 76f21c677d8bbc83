/** Ways out of a tenant's cgroup by subordinate uids and groups: newuidmap, a setuid file, thousands of groups. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { parseSubordinateUids } from '../../../src/host/accounts/subordinate-uids.ts';
import { findOutside } from '../../../src/agent/placer/outside.ts';
import { temporaryDirectory } from '../../../testing/temporary-directory.ts';
import { read, uids } from '../../placer/stage.ts';
import { attackSuite, type AttackStage } from './stage.ts';

const { account } = uids;

const name = 'bh-attack';
/** The account's gid, which newuidmap checks: useradd's default if it makes no group. */
const gid = '100';
/** A range of subordinate ids that no file of this machine gives to anybody. */
const range = { first: 1_600_000_000, count: 65_536 };

/** Removes our account, or one of a run that was killed. */
const removeAccount = () => spawnSync('userdel', ['--force', name]);

after(removeAccount);
attackSuite('bulkhead-attack-subordinate', ['subordinate'], suite);

function suite(stage: AttackStage): void {
  before(() => {
    removeAccount();
    const who = [
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
    execFileSync('useradd', [...who, name]);
    const last = range.first + range.count - 1;
    for (const option of ['--add-subuids', '--add-subgids']) {
      execFileSync('usermod', [option, `${range.first}-${last}`, name]);
    }
  });

  const allInside = (of: string, uid: number, count: number) =>
    stage.until(`${count} are inside`, () => {
      const pids = stage.attackers(of);
      return pids.length === count && pids.every((pid) => stage.isInside(pid, uid));
    });
  const subordinate = () =>
    parseSubordinateUids(readFileSync('/etc/subuid', 'utf8'), new Set([account]), [
      { user: name, uid: account, gid: account, home: '/' },
    ]);

  test('a namespace of newuidmap leads nowhere outside, with /etc/subuid', async () => {
    await stage.place();
    stage.placement.setTargets({ ...stage.targets(), subordinate: subordinate() });
    const args = ['namespace', String(account), gid, String(range.first), '12'];
    stage.run(stage.program('subordinate'), ...args);
    await allInside('subordinate', account, 24);
    const { outside } = await stage.scanned();
    assert.deepEqual(outside, []);
  });

  test('a namespace of newuidmap leads nowhere outside, without /etc/subuid', async () => {
    await stage.place();
    const args = ['namespace', String(account), gid, String(range.first), '12'];
    stage.run(stage.program('subordinate'), ...args);
    await allInside('subordinate', account, 24);
  });

  test('findOutside() finds subordinate uids without a placer', async () => {
    await stage.rest();
    const args = ['namespace', String(account), gid, String(range.first), '3'];
    stage.run(stage.program('subordinate'), ...args);
    // While they leave, some of the six have not begun yet, and others are about to end.
    for (const ranges of [[], subordinate()])
      await stage.until('all six are found, and nobody else', () => {
        const { outside } = findOutside({ ...stage.targets(), subordinate: ranges });
        const found = outside.filter(({ uid }) => uid === account).map(({ pid }) => pid);
        const pids = stage.attackers('subordinate');
        return pids.length === 6 && isDeepStrictEqual(found.toSorted(), pids.toSorted());
      });
  });

  test('the placer catches a setuid program that a subordinate uid owns', async () => {
    // Setuid has no effect in /tmp if systemd mounts a tmpfs there.
    using directory = temporaryDirectory('attack', '/var/tmp', 0o711);
    const copy = `${directory.path}/setuid`;
    execFileSync('cp', [stage.program('subordinate'), copy]);
    chownSync(copy, range.first + 7, range.first + 7);
    chmodSync(copy, 0o4755);
    stage.addProgram('setuid', copy);
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
      stage.program('subordinate'),
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
}
