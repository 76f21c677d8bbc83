/** `network status --wait` with a real agent, which puts rules in force some time after they are written. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { NetworkStatusJson } from '../../src/network/commands/json.ts';
import { agentLock, pathsOf } from '../../src/host/paths.ts';
import { isLocked } from '../../src/sys/files/flock.ts';
import { compileBpf } from '../../scripts/bpf.ts';
import { jsonOf } from '../../testing/json-output.ts';
import { eventually } from '../../testing/patience.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';
import { mainFile } from '../../testing/program.ts';
import { hostHere } from '../conformance/host-here.ts';
import { noStage } from './stage.ts';

const instance = 'bulkhead-network-wait';
const here = hostHere(instance);
const skip = 'skip' in here ? here.skip : await noStage();

describe('bulkhead network status --wait', { skip }, () => {
  const directory = suiteDirectory('network-wait', '/var/tmp');
  const file = join(directory, 'policy.xml');
  /** Pins need a file system of BPF, which this machine may not have mounted: all commands share a mount namespace. */
  let holder: ChildProcess;
  let agent: ChildProcess;

  const inside = (...words: readonly string[]) => {
    const namespace = ['--target', String(holder.pid), '--mount', '--'];
    const program = [process.execPath, ...process.execArgv, mainFile, '--instance', instance];
    return [...namespace, ...program, ...words];
  };

  async function run(...words: readonly string[]) {
    const child = spawn('nsenter', inside(...words), { stdio: ['ignore', 'pipe', 'inherit'] });
    let stdout = '';
    child.stdout.on('data', (part: Buffer) => (stdout += part.toString()));
    const [status] = (await once(child, 'close')) as [number];
    return { status, stdout };
  }

  async function apply(body: string): Promise<void> {
    const text = `<bulkhead version="1">${body}<tenant uid="630911"/></bulkhead>`;
    writeFileSync(file, text, { mode: 0o600 });
    assert.equal((await run('apply', file)).status, 0);
  }

  before(async () => {
    compileBpf();
    const script = 'mount -t bpf bpf /sys/fs/bpf && echo ready && exec sleep 3600';
    const words = ['--mount', '--propagation', 'private', '--', 'sh', '-c', script];
    holder = spawn('unshare', words, { stdio: ['ignore', 'pipe', 'inherit'] });
    assert.ok(holder.stdout);
    await once(holder.stdout, 'data');
    await apply('');
    agent = spawn('nsenter', inside('agent', '-p', file), { stdio: 'ignore' });
    await eventually('the agent runs', () => isLocked(agentLock(pathsOf(instance))));
  });
  after(async () => {
    agent.kill();
    if (agent.exitCode === null && agent.signalCode === null) await once(agent, 'exit');
    await run('release', '--kill');
    holder.kill('SIGKILL');
    const { runtime, state } = pathsOf(instance);
    for (const each of [runtime, state]) rmSync(each, { recursive: true, force: true });
  });

  test('succeeds once the agent has put new rules in force', async () => {
    for (const mode of ['watch', 'refuse']) {
      await apply(`<defaults><reach mode="${mode}"/></defaults>`);
      const { status, stdout } = await run('network', 'status', '--wait', '--json', '-p', file);
      assert.equal(status, 0, stdout);
      const { problem, isLoaded } = jsonOf<NetworkStatusJson>('network status', stdout);
      assert.deepEqual([problem, isLoaded], [null, true], mode);
    }
  });

  test('succeeds for a policy without rules', async () => {
    await apply('');
    assert.equal((await run('network', 'status', '--wait', '-p', file)).status, 0);
  });
});
