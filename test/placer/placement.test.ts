/** Processes of tenants are put into their cgroups, whoever starts them and however they fork. */
import assert from 'node:assert/strict';
import { execFile, execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import { once } from 'node:events';
import { dirname } from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { ConnectorPlacement } from '../../src/agent/placer/placement.ts';
import { patienceMilliseconds } from '../../testing/patience.ts';
import { freePort } from '../../testing/free-port.ts';
import { findUnified } from '../../src/host/cgroups/hierarchies.ts';
import { ensurePrerequisites } from '../../testing/prerequisites.ts';
import { hostHere } from '../conformance/host-here.ts';
import { mustApply } from '../conformance/suite.ts';
import { body, buildStorm, instance, kill, read, Stage, uids } from './stage.ts';

const run = promisify(execFile);
const here = hostHere(instance);
const ready = await ensurePrerequisites('placement', (line) => console.log(`# ${line}`));
const reason = 'skip' in here ? here.skip : ready.ok ? undefined : ready.reason;

if ('skip' in here || reason !== undefined) test('placer', { skip: reason ?? true }, () => {});
else suite(here.version);

function suite(version: 1 | 2): void {
  const { first, second, third, fourth, reseller, bomber, account } = uids;
  const name = 'bh-place-test';
  let stage: Stage;
  let storm: string;

  before(() => {
    stage = new Stage(version);
    storm = buildStorm(stage.directory);
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

  const cgroup = (uid: number) => `u${uid}`;
  const placed = (pid: number, uid: number, path = cgroup(uid)) =>
    stage.until(`process ${pid} of uid ${uid} is in ${path}`, () => stage.isIn(pid, path));
  const notPlaced = (pid: number) =>
    stage
      .cgroupsOf(pid)
      ?.every((each, index) => !each.startsWith(`${stage.hierarchies[index]?.path}`));

  test('the placer finds a process that is older than itself in its first scan', async () => {
    await stage.rest();
    const child = stage.sleepAs(first);
    await stage.until('it has changed its uid', () => stage.processesOf(first).length === 1);
    await stage.place();
    assert.ok(stage.isIn(child.pid, cgroup(first)));
    assert.deepEqual(stage.placement.status().outside, []);
  });

  test('the placer moves processes of setpriv, also to a tenant of a reseller', async () => {
    await stage.place();
    await placed(stage.sleepAs(first).pid, first);
    await placed(stage.sleepAs(fourth).pid, fourth, `r${reseller}/u${fourth}`);
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
    await placed(child.pid, first);
    writeFileSync(now, '');
    await placed(child.pid, second);
  });

  test('the placer moves the shell of su', async () => {
    stage.run('su', name, '-c', 'sleep 3600; true');
    await stage.until('su has started a shell and it is inside', () => {
      const pids = stage.processesOf(account);
      return pids.length === 2 && pids.every((pid) => stage.isIn(pid, cgroup(account)));
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
      return pids.length > 0 && pids.every((pid) => stage.isIn(pid, cgroup(account)));
    });
    assert.ok(notPlaced(cron.pid), 'cron itself was moved');
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
      assert.ok(notPlaced(sshd.pid), 'sshd itself was moved');
    } finally {
      if (made) rmdirSync('/run/sshd');
    }
  });

  /** Runs the storm and waits until nobody is outside, with nobody's help but the events'. */
  const stormAt = async (
    what: string,
    of: readonly number[],
    /** How many live on, where that is known. */
    expected: number | undefined,
    ...args: readonly (string | number)[]
  ) => {
    await stage.place();
    const looked = stage.placement.status().scannedAt;
    const [code] = await once(stage.run(storm, ...args.map(String)), 'exit');
    assert.equal(code, 0);
    const living = () => of.flatMap((uid) => stage.processesOf(uid)).length;
    if (expected !== undefined) {
      await stage.until(`${expected} live on`, () => living() === expected);
    }
    const took = await stage.until('nobody is outside', () => stage.outside(...of).length === 0);
    const alive = living();
    const scanned = stage.placement.status().scannedAt !== looked;
    console.log(
      `# ${what}: ${alive} alive, all inside after at most ${took.toFixed(0)} ms${scanned ? ', with a full scan' : ''}`,
    );
    assert.ok(alive > 0, 'nobody lived to be placed');
    await sleep(200);
    assert.deepEqual(stage.outside(...of), [], 'somebody escaped later');
    assert.deepEqual((await stage.scanned()).outside, []);
  };

  test('the placer catches children that are forked right after setuid', async () => {
    for (let round = 0; round < 5; round++) {
      await stormAt('storm', [first, second, third], 60 * 5 - 20, 'storm', first, 3, 60, 4);
      await stage.quiet();
    }
  });

  test('the placer catches a process that forks and exits, over and over', async () => {
    await stormAt('comet', [first], 1, 'comet', first, 1_000);
  });

  test('the placer moves threads when the first thread has exited', async () => {
    await stage.place();
    const { pid } = stage.run(storm, 'headless', String(second));
    const path = () => readdirSync(`/proc/${pid}/task`).findLast((each) => each !== String(pid));
    await stage.until('the thread that is alive is inside', () => {
      const cgroups = stage.cgroupsOf(pid, `${pid}/task/${path()}`);
      return (
        cgroups?.every((each, index) => each === `${stage.hierarchies[index]?.path}/u${second}`) ??
        false
      );
    });
    assert.match(read(`/proc/${pid}/status`) ?? '', /^State:\tZ/m);
    assert.deepEqual((await stage.scanned()).outside, []);
  });

  test('the placer catches a fork bomb, and the processes limit refuses its forks', async () => {
    await stormAt('bomb', [bomber], undefined, 'bomb', bomber, 1_000);
    const pids =
      stage.hierarchies.find((each) => each.controller === 'pids') ?? stage.hierarchies[0];
    const file = `${pids?.mountPoint}/${pids?.rootCgroup}/${cgroup(bomber)}/pids.events`;
    // The bomb may have met the bound of its own first; this one has none.
    const script = 'sleep 0.5; sleep 3600 & sleep 3600';
    const who = [`--reuid=${bomber}`, '--clear-groups', 'sh', '-c', script];
    const one = stage.run('setpriv', ...who);
    await placed(one.pid, bomber);
    await stage.until('a fork is refused', () => /^max [1-9]/m.test(read(file) ?? ''));
  });

  test('the placer catches a storm of forks on cgroup v2', async (context) => {
    const unified = findUnified(stage.host.paths);
    if (unified === undefined) return context.skip('there is no cgroup v2 mount');
    const { mountPoint } = unified;
    const rootCgroup = 'bulkhead-place-v2';
    const path = `${mountPoint}/${rootCgroup}/${cgroup(first)}`;
    await stage.rest();
    mkdirSync(path, { recursive: true });
    try {
      await using placement = new ConnectorPlacement({
        log: (line) => stage.lines.push(line),
        haltFile: stage.haltFile,
      });
      placement.start();
      const hierarchies = [
        { name: 'unified', controller: '', mountPoint, rootCgroup, path: `/${rootCgroup}` },
      ];
      const targets = [[first, cgroup(first)]] as const;
      const tree = { version: 2, hierarchies } as const;
      placement.setTargets({ tree, targets, subordinate: [], containers: 'leave' });
      await placement.rescan();
      await once(stage.run(storm, 'storm', String(first), '1', '30', '4'), 'exit');
      const inside = `0::/${rootCgroup}/${cgroup(first)}\n`;
      await stage.until('nobody is outside', () => {
        const pids = stage.processesOf(first);
        return (
          pids.length === 140 && pids.every((pid) => read(`/proc/${pid}/cgroup`)?.endsWith(inside))
        );
      });
      assert.deepEqual((await placement.rescan()).outside, []);
    } finally {
      await stage.quiet();
      await stage.until('the cgroup is removed', () => removeV2(path));
    }
  });

  test('the placer scans all processes when it has lost events', async () => {
    await stage.place({ receiveBytes: 1 });
    const placer = stage.placement.pid;
    assert.ok(placer !== undefined);
    kill(placer, 'SIGSTOP');
    const children = Array.from({ length: 30 }, () => stage.sleepAs(second));
    await stage.until(
      'all have changed their uid',
      () => stage.processesOf(second).length === children.length,
    );
    kill(placer, 'SIGCONT');
    await stage.until('nobody is outside', () => stage.outside(second).length === 0);
    await stage.until('the loss is counted', () => stage.placement.status().overruns > 0);
    assert.ok(stage.placement.status().events < children.length, 'nothing was lost');
  });

  test('the placer is started again after it was killed, and catches up', async () => {
    await stage.place();
    await placed(stage.sleepAs(first).pid, first);
    await stage.until('it is counted', () => stage.placement.status().migrated >= 1);
    const { pid } = stage.placement;
    assert.ok(pid !== undefined);
    kill(pid, 'SIGTERM');
    kill(pid);
    const child = stage.sleepAs(second);
    await placed(child.pid, second);
    await stage.until('it is on again', () => stage.placement.status().state === 'on');
    const status = await stage.scanned();
    assert.equal(status.restarts, 1);
    assert.ok(status.migrated >= 1, 'the counters were forgotten');
    assert.notEqual(stage.placement.pid, pid);
    assert.match(stage.lines.join('\n'), /The placer exited \(SIGKILL\)/);
  });

  test('the placer is killed and started again when it hangs', async () => {
    await stage.place({ pingMilliseconds: 200 });
    const { pid } = stage.placement;
    assert.ok(pid !== undefined);
    kill(pid, 'SIGSTOP');
    const child = stage.sleepAs(first);
    await placed(child.pid, first);
    assert.notEqual(stage.placement.pid, pid);
    await stage.until('it is counted', () => stage.placement.status().restarts >= 1);
  });

  test('the placer ends with its supervisor, however that ends', async () => {
    await stage.place();
    const { pid } = stage.placement;
    await stage.rest();
    await stage.until(
      'it has ended',
      () => pid !== undefined && (read(`/proc/${pid}/stat`) ?? ' Z ').includes(' Z '),
    );
    const script = `import { ConnectorPlacement } from '${new URL('../../src/agent/placer/placement.ts', import.meta.url).href}';
      const placement = new ConnectorPlacement({ log: () => {}, haltFile: '${stage.haltFile}' });
      placement.start();
      console.log(placement.pid);
      setInterval(() => {}, 1000);`;
    const child = execFile(process.execPath, ['--input-type=module-typescript', '-e', script]);
    const orphan = await new Promise<number>((resolve) =>
      child.stdout?.once('data', (text) => resolve(Number(text))),
    );
    await stage.until('it is at work', () => read(`/proc/${orphan}/comm`) === 'bulkhead-placer\n');
    child.kill('SIGKILL');
    await stage.until('it has ended too', () =>
      (read(`/proc/${orphan}/stat`) ?? ' Z ').includes(' Z '),
    );
  });

  test('the placer reports a removed cgroup, and fills it once it is back', async () => {
    const missing: string[] = [];
    await stage.place({ onMissingCgroup: (cgroups) => missing.push(...cgroups) });
    // Its descriptors are kept from here on.
    const before = stage.sleepAs(third);
    await placed(before.pid, third);
    before.kill('SIGKILL');
    await stage.until('the cgroup is empty and removed', () => removeCgroup(stage, cgroup(third)));
    const child = stage.sleepAs(third);
    await stage.until('it is reported', () => missing.includes(cgroup(third)));
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
    await placed(child.pid, third);
    assert.deepEqual((await stage.scanned()).outside, []);
  });

  test('the placer moves containers if configured, and no user manager', async () => {
    await stage.place();
    await using container = stage.otherCgroup(`docker/${'a'.repeat(64)}`);
    await using manager = stage.otherCgroup(
      `user.slice/user-${second}.slice/user@${second}.service/docker`,
    );
    const [contained, managed] = [stage.sleepAs(first), stage.sleepAs(second)];
    await placed(contained.pid, first);
    await placed(managed.pid, second);
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
    await placed(contained.pid, first);
    await stage.scanned();
    assert.ok(notPlaced(managed.pid));
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
    await placed(witness.pid, first);
    stage.placement.setTargets({
      ...stage.targets(),
      targets: [...stage.targets().targets, [0, cgroup(first)]],
    });
    await stage.scanned();
    for (const { pid } of [...others, daemon, process])
      assert.ok(notPlaced(pid), `${pid} was moved`);
  });

  test('the placer counts a setuid program for its owner, whoever runs it', async () => {
    const program = `${stage.directory}/sleep`;
    execFileSync('cp', ['/bin/sleep', program]);
    chownSync(program, first, first);
    chmodSync(program, 0o4755);
    chmodSync(stage.directory, 0o711);
    await stage.place();
    const child = stage.run('setpriv', '--reuid=33', '--clear-groups', program, '60');
    await placed(child.pid, first);
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

function removeV2(path: string): boolean {
  try {
    rmdirSync(path);
    rmdirSync(dirname(path));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EBUSY') throw error;
    return false;
  }
}
