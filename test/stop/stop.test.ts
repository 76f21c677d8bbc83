/** `stop` and `start` on this kernel: a fork bomb, what tries to come back, and what is not the tenant's. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { kill } from 'node:process';
import { after, before, describe, test } from 'node:test';
import type { TopResponse } from '../../src/agent/api/api.ts';
import { readStops, stopDirectory, stopFile } from '../../src/host/stops.ts';
import { lockDescriptor } from '../../src/sys/syscalls.ts';
import { livingProcesses } from '../../testing/living-processes.ts';
import { eventually, longPatienceMilliseconds } from '../../testing/patience.ts';
import { program, RunningAgent } from '../agent/running-agent.ts';
import { hostHere } from '../conformance/host-here.ts';
import { jsonOf } from '../../testing/json-output.ts';
import type { StatusJson } from '../../src/cli/commands/json.ts';
import type { StopJson } from '../../src/stop/commands/json.ts';
import { launcher } from '../../testing/launcher.ts';

const instance = 'bulkhead-stop-test';
const here = hostHere(instance);
const skip = 'skip' in here ? here.skip : false;
const [erin, other] = [882_001, 882_002] as const;
/** Inside a limit of processes, and with one of its own that holds wherever it gets. */
const bomb = ['prlimit', '--nproc=200', 'perl', '-e', 'for (;;) { fork }'];
const policy = `<agent interval="1s"/><defaults><processes limit="60"/><entries limit="5"/></defaults><tenant uid="${erin}"/><tenant uid="${other}"/>`;

interface Said {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

describe('bulkhead stop', { skip, timeout: longPatienceMilliseconds }, () => {
  let agent: RunningAgent;
  const children: ChildProcess[] = [];

  before(async () => {
    if ('skip' in here) return;
    // Removes what a killed run has left.
    rmSync(here.host.paths.state, { recursive: true, force: true });
    agent = new RunningAgent(here.host);
    agent.writePolicy(policy);
    const applied = await run('apply', agent.policyFile);
    assert.equal(applied.status, 0, applied.stderr);
  });
  after(async () => {
    for (const each of children) each.kill('SIGKILL');
    await agent[Symbol.asyncDispose]();
  });

  const call = (file: string, args: readonly string[]): Promise<Said> =>
    new Promise((resolve) => {
      execFile(file, args, (error, stdout, stderr) =>
        resolve({ status: Number(error?.code ?? 0), stdout, stderr }),
      );
    });
  const run = (...args: readonly string[]) => call(program, ['--instance', instance, ...args]);
  const about = (...args: readonly string[]) => run(...args, '--policy', agent.policyFile);
  const inside = (uid: number, ...args: readonly string[]) => {
    const child = spawn(launcher, ['--instance', instance, String(uid), '--', ...args], {
      stdio: 'ignore',
    });
    children.push(child);
    return child;
  };
  /** Returns the processes with this real uid that have not ended. */
  const processesOf = (uid: number): readonly string[] =>
    livingProcesses()
      .filter((each) => each.uid === uid)
      .map(({ pid }) => String(pid));
  const pids = () => {
    if ('skip' in here) throw new Error(here.skip);
    const probed = here.host.probe();
    assert.ok(probed.ok);
    const found = probed.value.tree.hierarchies.find((each) => each.controllers.has('pids'));
    assert.ok(found !== undefined);
    return found;
  };
  const limitOf = (uid: number) => pids().files.read(`u${uid}`, 'pids.max')?.trim();

  test('ends a fork bomb and nothing else, without an agent, and keeps the tenant out', async () => {
    if ('skip' in here) return;
    inside(erin, ...bomb);
    await eventually('the bomb fills the limit', () => processesOf(erin).length >= 59);
    // A process that restarts itself at once outside the cgroup is found as well.
    const astray = spawn('setpriv', ['--reuid', `${erin}`, '--clear-groups', 'sleep', '3600']);
    const roots = spawn('sleep', ['3600']);
    const neighbour = inside(other, 'sleep', '3600');
    children.push(astray, roots);
    await Promise.all([astray, roots].map((each) => once(each, 'spawn')));
    assert.equal(pids().files.write(`u${erin}`, 'cgroup.procs', String(roots.pid)).ok, true);
    await eventually(
      'all run',
      () => processesOf(other).length > 0 && processesOf(erin).includes(String(astray.pid)),
    );

    const stopped = await about('stop', String(erin), '--reason', 'a bomb\u001b[2J');
    assert.equal(stopped.status, 0, stopped.stderr);
    assert.match(stopped.stdout, /is stopped: \d{2,} processes were ended/);
    assert.match(
      stopped.stdout,
      new RegExp(`Spared, since they are not the tenant's: ${roots.pid} `),
    );
    assert.match(stopped.stdout, /No agent is running/);
    assert.deepEqual(processesOf(erin), []);
    assert.equal(roots.exitCode ?? roots.signalCode, null);
    assert.equal(neighbour.exitCode ?? neighbour.signalCode, null);
    assert.equal(limitOf(erin), '60');

    const refused = await call(launcher, ['--instance', instance, String(erin), '--', 'true']);
    assert.equal(refused.status, 1);
    assert.match(
      refused.stderr,
      new RegExp(`Cannot start "true": "${erin}" is stopped; bulkhead start ${erin}`),
    );
    assert.equal(
      (await call(launcher, ['--instance', instance, String(other), '--', 'true'])).status,
      0,
    );
    roots.kill('SIGKILL');
  });

  test('refuses a command that the launcher had begun to start before', async () => {
    if ('skip' in here) return;
    assert.equal((await about('start', String(erin))).status, 0);
    // There it waits, after it has asked once whether the tenant is stopped.
    const gate = openSync(`${here.host.paths.runtime}/entries/${erin}/lock`, 'a');
    assert.equal(lockDescriptor(gate, 'exclusive'), undefined);
    const { ino } = fstatSync(gate);
    const args = ['--instance', instance, '--entry', String(erin), '--', 'true'];
    const begun = call(launcher, args);
    const waits = new RegExp(String.raw`-> FLOCK +ADVISORY +WRITE (\d+) \S+:${ino} `);
    const waiting = await eventually(
      'it has begun',
      () => waits.exec(readFileSync('/proc/locks', 'utf8')) ?? undefined,
    );
    kill(Number(waiting[1]), 'SIGSTOP');
    const stopped = await about('stop', String(erin), '--reason', 'a bomb\u001b[2J', '--json');
    assert.equal(stopped.status, 0, stopped.stderr);
    const { uid, left, problems } = jsonOf<StopJson>('stop', stopped.stdout);
    assert.deepEqual({ uid, left, problems }, { uid: erin, left: [], problems: [] });
    closeSync(gate);
    kill(Number(waiting[1]), 'SIGCONT');
    const { status, stderr } = await begun;
    assert.deepEqual(
      [status, stderr.trim()],
      [
        1,
        `bulkhead: Cannot start "true": "${erin}" is stopped; bulkhead start ${erin} lets it run again`,
      ],
    );
    assert.deepEqual(processesOf(erin), []);
  });

  test('is shown by status, explain and doctor, with who did it and why', async () => {
    const status = await about('status');
    assert.match(
      status.stdout,
      /^uid 882001 is stopped by \S+ on [\d -]+:\d\d UTC: a bomb\\u\{1b\}\[2J;/m,
    );
    const { tenants } = jsonOf<StatusJson>('status', (await about('status', '--json')).stdout);
    assert.notEqual(tenants.find(({ uid }) => uid === erin)?.stopped?.by, undefined);
    assert.equal(tenants.find(({ uid }) => uid === other)?.stopped, undefined);
    assert.match((await about('explain', String(erin))).stdout, /It is stopped by /);
    assert.match((await run('doctor')).stdout, /^Stopped +uid 882001;/m);
  });

  test('ends what starts otherwise while an agent runs, or runs again', async () => {
    await agent.start();
    const comesBack = async () => {
      // Bounded by the kernel: a stop that fails must not take the machine with it.
      const args = [
        '--nproc=200',
        'setpriv',
        '--reuid',
        `${erin}`,
        '--clear-groups',
        ...bomb.slice(2),
      ];
      const child = spawn('prlimit', args, { stdio: 'ignore' });
      children.push(child);
      await once(child, 'exit');
      await agent.until('all of it is gone', () => processesOf(erin).length === 0);
    };
    await comesBack();
    assert.match(agent.log, /uid 882001 is stopped by/);
    const { rows } = (await agent.ask('/v1/top')).json<TopResponse>();
    assert.equal(rows.find(({ uid }) => uid === erin)?.stopped, true);
    assert.match((await run('top', '--once')).stdout, /uid 882001 \(stopped\)/);
    await agent.stop('SIGKILL');
    await agent.start();
    await comesBack();
  });

  test('lasts until start, after which the tenant runs as before', async () => {
    if ('skip' in here) return;
    const { paths } = here.host;
    const started = await about('start', String(erin));
    assert.equal(started.status, 0, started.stderr);
    assert.match(started.stdout, /may run again; it was stopped by/);
    assert.deepEqual(readdirSync(stopDirectory(paths)), []);
    const child = inside(erin, 'sleep', '3600');
    await agent.until('the agent knows', () => /is not stopped any more/.test(agent.log));
    await agent.until('it runs', () => processesOf(erin).includes(String(child.pid)));
    assert.equal(limitOf(erin), '60');
    assert.match((await about('start', String(erin))).stdout, /is not stopped/);
    const nobody = await about('stop', 'nobody-of-that-name');
    assert.equal(nobody.status, 1);
    assert.match(nobody.stderr, /has none of that name/);
  });

  test('freezes on cgroup v2, and reports on v1 that it needs v2', async () => {
    if ('skip' in here) return;
    const frozen = await about('stop', String(erin), '--freeze');
    if (here.version === 1) {
      assert.equal(frozen.status, 1);
      assert.match(frozen.stderr, /that needs cgroup v2/);
      assert.equal(existsSync(stopFile(here.host.paths, erin)), false);
      return;
    }
    assert.equal(frozen.status, 0, frozen.stderr);
    await eventually('it is frozen', () =>
      /frozen 1/.test(pids().files.read(`u${erin}`, 'cgroup.events') ?? ''),
    );
    assert.equal((await about('start', String(erin))).status, 0);
    await eventually('it is not any more', () =>
      /frozen 0/.test(pids().files.read(`u${erin}`, 'cgroup.events') ?? ''),
    );
    assert.notDeepEqual(processesOf(erin), []);
  });

  test('ends with the tenant, and is in force even when its file cannot be read', async () => {
    if ('skip' in here) return;
    const { paths } = here.host;
    mkdirSync(stopDirectory(paths), { recursive: true });
    writeFileSync(stopFile(paths, erin), '{"uid":');
    writeFileSync(stopFile(paths, 4_000_000), '{}');
    assert.deepEqual([...readStops(paths).keys()].toSorted(), [4_000_000, erin].toSorted());
    assert.match(
      (await call(launcher, ['--instance', instance, String(erin), '--', 'true'])).stderr,
      /is stopped/,
    );
    assert.equal((await run('apply', agent.policyFile)).status, 0);
    assert.deepEqual([...readStops(paths).keys()], [erin]);
    assert.equal((await about('start', String(erin))).status, 0);
  });
});
