/**
 * An agent that starts, hangs while it starts, or does not answer: the answers that each client gets, on this machine's
 * kernel.
 */
import assert from 'node:assert/strict';
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import type { StatusResponse } from '../../src/agent/api/status-response.ts';
import { lockFile } from '../../src/sys/files/flock.ts';
import { readText } from '../../packages/base/io/read.ts';
import { eventually, longPatienceMilliseconds } from '../../testing/patience.ts';
import '../../testing/guard/here.ts';
import { hostHere } from '../conformance/host-here.ts';
import { program, RunningAgent } from './running-agent.ts';

const instance = 'bulkhead-start-test';
const here = hostHere(instance);
const skip = 'skip' in here ? here.skip : false;
const alice = 881_001;
const policy = `<agent interval="1s"/><tenant uid="${alice}"/>`;

interface Said {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

describe('the agent while it starts or hangs', { skip, timeout: longPatienceMilliseconds }, () => {
  let agent: RunningAgent;
  const others: ChildProcess[] = [];

  before(() => {
    if ('skip' in here) return;
    agent = new RunningAgent(here.host);
    agent.writePolicy(policy);
  });
  after(async () => {
    for (const each of others) each.kill('SIGKILL');
    await agent[Symbol.asyncDispose]();
  });

  const run = (...args: readonly string[]): Promise<Said> =>
    new Promise((resolve) => {
      execFile(program, ['--instance', instance, ...args], (error, stdout, stderr) =>
        resolve({ status: Number(error?.code ?? 0), stdout, stderr }),
      );
    });
  const childOf = (pid: number, script: string): number | undefined =>
    (readText(`/proc/${pid}/task/${pid}/children`) ?? '')
      .split(' ')
      .filter((each) => each !== '')
      .map(Number)
      .find((each) => readText(`/proc/${each}/cmdline`)?.includes(script) === true);
  /** Starts a service manager, and returns what it is told. */
  async function manager(): Promise<{ readonly path: string; readonly said: () => string }> {
    const path = `${agent.directory}/notify`;
    const listener = spawn(
      'perl',
      [
        '-MIO::Socket::UNIX',
        '-e',
        '$|=1; unlink $ARGV[0]; my $s = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => $ARGV[0]) or die; print "ready\\n"; while (defined $s->recv(my $m, 4096)) { print "$m\\n" }',
        path,
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    others.push(listener);
    let said = '';
    listener.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
    await eventually('somebody listens', () => said.includes('ready') && existsSync(path));
    return { path, said: () => said };
  }

  test('reports "applying the policy" to every client until the policy is applied', async () => {
    if ('skip' in here) return;
    const { paths } = here.host;
    const { path, said } = await manager();
    agent.makeRuntime();
    const lock = lockFile(`${paths.runtime}/lock`, { waitMs: 10_000 });
    assert.ok(lock.ok);
    const started = agent.start({ NOTIFY_SOCKET: path });
    let applying: number | undefined;
    await agent.until('it applies', () => {
      applying = childOf(agent.pid, 'apply-child');
      return applying !== undefined;
    });
    // It hangs.
    process.kill(applying ?? 0, 'SIGSTOP');
    lock.value.release();
    await agent.until('it answers', async () => (await agent.ask('/v1/status')).status === 200);
    assert.equal((await agent.status()).starting?.doing, 'applying the policy');
    await agent.until('the service manager is told', () => /EXTEND_TIMEOUT_USEC=\d/.test(said()));
    assert.match(said(), /STATUS=Starting: applying the policy/);
    assert.doesNotMatch(said(), /READY=1/);
    const refused = await agent.ask('/v1/top');
    assert.equal(refused.status, 503);
    assert.match(refused.text, /the agent is starting: applying the policy/);
    const policyFile = ['--policy', agent.policyFile];
    const [status, top, usage, faults] = await Promise.all([
      run('status', ...policyFile),
      run('top', '--once'),
      run('usage'),
      run('faults'),
    ]);
    assert.equal(status.status, 0, status.stderr);
    assert.match(status.stdout, /^Agent \d+, since .*, is starting: applying the policy$/m);
    for (const { stderr } of [top, usage, faults])
      assert.match(stderr, /the agent is starting: applying the policy/);
    process.kill(applying ?? 0, 'SIGCONT');
    await started;
    await agent.until('it is ready', () => said().includes('READY=1'));
    const { starting, policy: inForce } = await agent.status();
    assert.equal(starting, undefined);
    assert.equal(inForce.state, 'in force', inForce.problems.join('\n'));
  });

  test('reports "scanning all processes" until the first scan is complete', async () => {
    let seen: StatusResponse['starting'];
    // It may be faster than we look.
    await agent.until('it is caught while it scans', async () => {
      await agent.stop('SIGKILL');
      const started = agent.start();
      let placer: number | undefined;
      for (;;) {
        placer = childOf(agent.pid, 'placer/main');
        if (placer !== undefined) break;
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
      process.kill(placer ?? 0, 'SIGSTOP');
      await started;
      seen = (await agent.status()).starting;
      return seen !== undefined;
    });
    assert.equal(seen?.doing, 'scanning all processes');
    // It answers what it knows.
    assert.equal((await agent.ask('/v1/top')).status, 200);
    const said = await run('status', '--policy', agent.policyFile);
    assert.match(said.stdout, /The agent is starting: scanning all processes/);
    process.kill(childOf(agent.pid, 'placer/main') ?? 0, 'SIGCONT');
    await agent.until('it has started', async () => (await agent.status()).starting === undefined);
  });

  test('status and top read the kernel when the agent is stopped by a signal', async () => {
    const tenant = spawn('setpriv', ['--reuid', `${alice}`, '--clear-groups', 'sleep', '3600']);
    others.push(tenant);
    await once(tenant, 'spawn');
    await agent.until('its process is placed', async () => {
      const { stdout } = await run('top', '--once');
      return stdout.includes(`uid ${alice}`);
    });
    process.kill(agent.pid, 'SIGSTOP');
    try {
      const [status, top] = await Promise.all([
        run('status', '--policy', agent.policyFile),
        run('top', '--once'),
      ]);
      for (const { stderr } of [status, top]) assert.match(stderr, /waiting for the agent/);
      assert.equal(status.status, 0, status.stderr);
      assert.match(status.stdout, /The agent is not working: it did not respond within 5 s/);
      assert.match(status.stdout, new RegExp(`${alice}`));
      assert.equal(top.status, 0, top.stderr);
      assert.match(top.stderr, /showing what the kernel counts/);
      assert.match(top.stdout, new RegExp(`uid ${alice}`));
    } finally {
      process.kill(agent.pid, 'SIGCONT');
    }
    await agent.until('it answers again', async () => (await agent.ask('/v1/top')).status === 200);
  });
});
