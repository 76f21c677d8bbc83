/** A total of reads and writes, against those who would have both, on the kernel of this machine. */
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { after, before, suite, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Driver } from '../../src/host/driver.ts';
import { ioFilesOf, type IoNumbers } from '../../src/limits/io-caps.ts';
import { program, RunningAgent } from '../agent/running-agent.ts';
import { hostHere } from '../conformance/host-here.ts';

const instance = 'bulkhead-io-test';
const here = hostHere(instance);
const skip = 'skip' in here ? here.skip : false;
const uid = 884_001;
const total = 8 * 2 ** 20;
const fileBytes = 64 * 2 ** 20;

suite('io total under attack', { skip }, () => {
  if ('skip' in here) return;
  const { host, version } = here;
  // Beneath /var, which is on a disk where /tmp is not.
  const directory = `/var/tmp/${instance}`;
  const attack = `${directory}/io-alternate`;
  const file = `${directory}/file`;
  let agent: RunningAgent;
  let driver: Driver;
  const started: ChildProcess[] = [];

  before(async () => {
    rmSync(directory, { recursive: true, force: true });
    mkdirSync(directory, { mode: 0o755 });
    const source = fileURLToPath(new URL('io-alternate.c', import.meta.url));
    execFileSync('gcc', ['-O2', '-o', attack, source], { stdio: ['ignore', 'ignore', 'inherit'] });
    writeFileSync(file, Buffer.alloc(fileBytes, 1), { flush: true });
    chmodSync(directory, 0o755);
    chownSync(file, uid, uid);
    agent = new RunningAgent(host);
    agent.writePolicy(
      `<agent interval="1s"/><tenant uid="${uid}"><io total="${total / 2 ** 20}MiB/s"/></tenant>`,
    );
    await agent.start();
    await agent.until('the policy is in force', async () => {
      return (await agent.status()).policy.state === 'in force';
    });
    const probed = host.probe();
    assert.ok(probed.ok);
    driver = probed.value;
  });
  after(async () => {
    for (const child of started) endGroup(child);
    await agent[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true, force: true });
  });

  const caps = (): IoNumbers => {
    const files = driver.tree.hierarchies.find(({ controllers }) => controllers.has('io'))?.files;
    const read = (name: string) => files?.read(`u${uid}`, name);
    const found = ioFilesOf(version).caps(read, driver.capabilities.devices);
    assert.ok(found !== undefined, 'the cgroup has no caps');
    return found;
  };
  const run = (...args: (string | number)[]) => {
    const words = ['--instance', instance, 'exec', `${uid}`, '--', ...args.map(String)];
    const child = spawn(program, words, { stdio: ['ignore', 'pipe', 'inherit'], detached: true });
    started.push(child);
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
    return { child, done: once(child, 'close').then(() => said) };
  };
  const max = (numbers: readonly number[]) => Math.max(...numbers);
  const verify = () =>
    spawnSync(program, ['--instance', instance, 'verify', '--policy', agent.policyFile], {
      encoding: 'utf8',
    });

  for (const period of [0, 500, 1000, 2000]) {
    const how = period === 0 ? 'at once' : `by turns of ${period} ms`;
    test(`io total is not exceeded when reading and writing ${how}`, async (context) => {
      const seconds = 10;
      const begin = performance.now();
      const [read = 0, written = 0] = (await run(attack, file, seconds, period, 65_536).done)
        .split(' ')
        .map(Number);
      const elapsed = (performance.now() - begin) / 1000;
      const rate = (read + written) / seconds / total;
      context.diagnostic(
        `v${version}, ${how}: ${(100 * rate).toFixed(0)} % of the total; read ${read}, written ${written}`,
      );
      assert.ok(read + written > 0);
      // Half of what a tick allows may be ahead, and ticks are late on a machine that is busy.
      assert.ok(read + written <= total * (elapsed + 2), `${read} + ${written} in ${elapsed} s`);
    });
  }

  test('io total goes to one direction that is busy alone, without drift', async () => {
    for (const [direction, other] of [
      ['read', 'write'],
      ['write', 'read'],
    ] as const) {
      const words =
        direction === 'read'
          ? `while :; do dd if=${file} of=/dev/null bs=64k iflag=direct 2>/dev/null; done`
          : `while :; do dd if=/dev/zero of=${file} bs=64k count=1024 conv=notrunc oflag=direct 2>/dev/null; done`;
      const { child, done } = run('sh', '-c', words);
      await agent.until(
        `${direction} has the total`,
        () => max(caps()[direction]) >= 0.9 * total && max(caps()[other]) <= total / 8,
      );
      const verified = verify();
      assert.equal(verified.status, 0, verified.stdout);
      endGroup(child);
      await done;
    }
    await agent.until('caps are equal again', () => new Set(lanes(caps())).size === 1);
    assert.equal(verify().status, 0);
  });

  test('io total has equal caps without the agent, and others are drift', async () => {
    const { done } = run('sh', '-c', `dd if=${file} of=/dev/null bs=64k iflag=direct count=400`);
    await agent.until('caps have moved', () => new Set(lanes(caps())).size > 1);
    await agent.stop('SIGKILL');
    await done;
    const killed = verify();
    assert.equal(killed.status, 3, killed.stdout);
    assert.match(killed.stdout, /its share of total 8MiB\/s/);
    await agent.start();
    await agent.until('caps are equal again', () => new Set(lanes(caps())).size === 1);
    await agent.stop();
    assert.equal(verify().status, 0);
  });
});

/** Ends the command and its children: each is a process group of its own. */
function endGroup({ pid, exitCode, signalCode }: ChildProcess): void {
  if (pid === undefined || exitCode !== null || signalCode !== null) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // The process has already ended.
  }
}

const lanes = ({ read, write }: IoNumbers) => [...read, ...write];
