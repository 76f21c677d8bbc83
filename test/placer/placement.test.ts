/** The placer moves processes of tenants into their cgroups, whoever starts them, and no others. */
import assert from 'node:assert/strict';
import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { after, afterEach, before, test } from 'node:test';
import { promisify } from 'node:util';
import { patienceMilliseconds } from '../../testing/patience.ts';
import { freePort } from '../../testing/free-port.ts';
import { mustApply } from '../conformance/suite.ts';
import { body, read, Stage, uids, cgroupOf } from './stage.ts';
import { placerSuite } from './suite.ts';

const run = promisify(execFile);
const instance = 'bulkhead-place-test';

placerSuite(instance, suite);

function suite(version: 1 | 2): void {
  const { first, second, third, fourth, reseller, account } = uids;
  const name = 'bh-place-test';
  let stage: Stage;

  before(() => {
    stage = new Stage(version, instance);
    removeAccount(name); // A run that was killed may have left it.
    execFileSync('useradd', [
      '-u',
      String(account),
      '-M',
      '-N',
      '-d',
      '/',
      '-s',
      '/bin/sh',
      '-p',
      '*',
      name,
    ]);
  });
  afterEach(() => stage.quiet());
  after(async () => {
    await stage[Symbol.asyncDispose]();
    removeAccount(name);
  });

  test('the placer finds a process that is older than itself in its first scan', async () => {
    await stage.rest();
    const child = stage.sleepAs(first);
    await stage.until('it has changed its uid', () => stage.processesOf(first).length === 1);
    await stage.place();
    assert.ok(stage.isIn(child.pid, cgroupOf(first)));
    assert.deepEqual(stage.placement.status().outside, []);
  });

  test('the placer moves processes of setpriv, also to a tenant of a reseller', async () => {
    await stage.place();
    await stage.placed(stage.sleepAs(first).pid, first);
    await stage.placed(stage.sleepAs(fourth).pid, fourth, `r${reseller}/u${fourth}`);
    await stage.until('it is counted', () => stage.placement.status().migrated >= 2);
  });

  test('the placer moves a process again when it becomes another tenant', async () => {
    const now = `${stage.directory}/now`;
    const child = stage.run(
      'setpriv',
      `--ruid=${first}`,
      '--euid=0',
      'sh',
      '-pc',
      `until [ -e ${now} ]; do sleep 0.1; done; exec setpriv --reuid=${second} --clear-groups sleep 3600`,
    );
    await stage.placed(child.pid, first);
    writeFileSync(now, '');
    await stage.placed(child.pid, second);
  });

  test('the placer moves the shell of su', async () => {
    stage.run('su', name, '-c', 'sleep 3600; true');
    await stage.until('su has started a shell and it is inside', () => {
      const pids = stage.processesOf(account);
      return pids.length === 2 && pids.every((pid) => stage.isIn(pid, cgroupOf(account)));
    });
  });

  test('the placer moves jobs of cron, and not cron itself', async () => {
    const spool = `${stage.directory}/crontabs`;
    const empty = `${stage.directory}/cron.d`;
    for (const each of [spool, empty]) mkdirSync(each);
    writeFileSync(`${empty}/crontab`, '');
    writeFileSync(`${spool}/${name}`, '@reboot sleep 3600\n', { mode: 0o600 });
    chownSync(`${spool}/${name}`, account, 0);
    chmodSync(empty, 0o755);
    // The host's crontabs are not seen, nor its lock against a second cron.
    const hide = [
      'mount -t tmpfs none /run',
      `mount --bind ${empty}/crontab /etc/crontab`,
      `mount --bind ${empty} /etc/cron.d`,
      `mount --bind ${spool} /var/spool/cron/crontabs`,
      'exec /usr/sbin/cron -f',
    ];
    const cron = stage.run('unshare', '--mount', 'sh', '-c', hide.join(' && '));
    await stage.until('the job runs inside', () => {
      const pids = stage.processesOf(account);
      return pids.length > 0 && pids.every((pid) => stage.isIn(pid, cgroupOf(account)));
    });
    assert.ok(stage.isNotPlaced(cron.pid), 'cron itself was moved');
  });

  test('the placer moves commands of sshd, and not sshd itself', async () => {
    const { directory } = stage;
    const port = await freePort();
    for (const key of ['host', 'user'])
      execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', `${directory}/${key}`]);
    const lines = [
      `Port ${port}`,
      'ListenAddress 127.0.0.1',
      `HostKey ${directory}/host`,
      `AuthorizedKeysFile ${directory}/user.pub`,
      'StrictModes no',
      'UsePAM no',
      'PidFile none',
    ];
    writeFileSync(`${directory}/sshd_config`, `${lines.join('\n')}\n`);
    chmodSync(directory, 0o711);
    chmodSync(`${directory}/user.pub`, 0o644);
    const made = !existsSync('/run/sshd');
    if (made) mkdirSync('/run/sshd', { mode: 0o755 });
    try {
      const sshd = stage.run('/usr/sbin/sshd', '-D', '-f', `${directory}/sshd_config`);
      const known = [
        'StrictHostKeyChecking=no',
        'UserKnownHostsFile=/dev/null',
        'BatchMode=yes',
        'LogLevel=ERROR',
        `ConnectionAttempts=${patienceMilliseconds / 1000}`,
      ];
      const options = known.flatMap((each) => ['-o', each]);
      const command = 'sleep 0.5; cat /proc/self/cgroup';
      const { stdout } = await run(
        'ssh',
        [
          '-F',
          'none',
          '-p',
          String(port),
          '-i',
          `${directory}/user`,
          ...options,
          `${name}@127.0.0.1`,
          command,
        ],
        { timeout: patienceMilliseconds },
      );
      for (const { path } of stage.hierarchies)
        assert.match(stdout, new RegExp(`:${path}/u${account}$`, 'm'));
      assert.ok(stage.isNotPlaced(sshd.pid), 'sshd itself was moved');
    } finally {
      if (made) rmdirSync('/run/sshd');
    }
  });

  test('the placer reports a removed cgroup, and fills it once it is back', async () => {
    const missing: string[] = [];
    await stage.place({ onMissingCgroup: (cgroups) => missing.push(...cgroups) });
    // Its descriptors are kept from here on.
    const before = stage.sleepAs(third);
    await stage.placed(before.pid, third);
    before.kill('SIGKILL');
    await stage.until('the cgroup is empty and removed', () =>
      removeCgroup(stage, cgroupOf(third)),
    );
    const child = stage.sleepAs(third);
    await stage.until('it is reported', () => missing.includes(cgroupOf(third)));
    const status = await stage.scanned();
    assert.deepEqual(status.outside, [
      {
        pid: child.pid,
        uid: third,
        reason: `Cannot move it into the cgroup "u${third}": it does not exist`,
      },
    ]);
    mustApply(body, stage.host);
    stage.placement.setTargets(stage.targets());
    await stage.placed(child.pid, third);
    assert.deepEqual((await stage.scanned()).outside, []);
  });

  test('the placer moves containers if configured, and no user manager', async () => {
    await stage.place();
    await using container = stage.otherCgroup(`docker/${'a'.repeat(64)}`);
    await using manager = stage.otherCgroup(
      `user.slice/user-${second}.slice/user@${second}.service/docker`,
    );
    const [contained, managed] = [stage.sleepAs(first), stage.sleepAs(second)];
    await stage.placed(contained.pid, first);
    await stage.placed(managed.pid, second);
    container.join(contained.pid);
    manager.join(managed.pid);
    const { outside } = await stage.scanned();
    assert.deepEqual(
      outside.map(({ pid, uid }) => [pid, uid]).sort(),
      [
        [contained.pid, first],
        [managed.pid, second],
      ].sort(),
    );
    assert.match(
      outside.find((each) => each.pid === contained.pid)?.reason ?? '',
      /container's cgroup: ".*\/docker\/a+"/,
    );
    assert.match(
      outside.find((each) => each.pid === managed.pid)?.reason ?? '',
      /systemd user manager/,
    );
    stage.placement.setTargets(stage.targets('move'));
    await stage.placed(contained.pid, first);
    await stage.scanned();
    assert.ok(stage.isNotPlaced(managed.pid));
    await stage.quiet();
  });

  test('the placer never moves root or uids that are not tenants', async () => {
    await stage.place();
    const others = [stage.run('sleep', '3600'), stage.sleepAs(65_000), stage.sleepAs(33)];
    // A daemon that acts as a tenant for a moment, as sshd does.
    const daemon = stage.run('setpriv', `--euid=${first}`, 'sleep', '3600');
    await stage.until('it acts as the tenant', () =>
      /^Uid:\t0\t64301\t/m.test(read(`/proc/${daemon.pid}/status`) ?? ''),
    );
    const witness = stage.sleepAs(first);
    await stage.placed(witness.pid, first);
    stage.placement.setTargets({
      ...stage.targets(),
      targets: [...stage.targets().targets, [0, cgroupOf(first)]],
    });
    await stage.scanned();
    for (const { pid } of [...others, daemon, process])
      assert.ok(stage.isNotPlaced(pid), `${pid} was moved`);
  });

  test('the placer counts a setuid program for its owner, whoever runs it', async () => {
    const program = `${stage.directory}/sleep`;
    execFileSync('cp', ['/bin/sleep', program]);
    chownSync(program, first, first);
    chmodSync(program, 0o4755);
    chmodSync(stage.directory, 0o711);
    await stage.place();
    const child = stage.run('setpriv', '--reuid=33', '--clear-groups', program, '60');
    await stage.placed(child.pid, first);
  });
}

function removeAccount(name: string): void {
  spawnSync('userdel', [name], { stdio: 'ignore' });
}

function removeCgroup(stage: Stage, cgroup: string): boolean {
  for (const { mountPoint, rootCgroup } of stage.hierarchies) {
    try {
      rmdirSync(`${mountPoint}/${rootCgroup}/${cgroup}`);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') return false;
    }
  }
  return true;
}
