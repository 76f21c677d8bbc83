/**
 * The agent under everything at once for a while: nothing of it grows. `SOAK_SECONDS` makes it longer.
 *
 * Tenants fork, die, fault and rename themselves; accounts' limits change; cgroups vanish; clients come,
 * ask and break off; the disk of the history fills up and is emptied.
 */
import assert from 'node:assert/strict';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, rmdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { socketOf } from '../../src/agent/api/client.ts';
import { readText } from '../../packages/base/io/read.ts';
import { hostHere } from '../conformance/host-here.ts';
import { RunningAgent } from './running-agent.ts';

const instance = 'bulkhead-soak-test';
const here = hostHere(instance);
const skip = 'skip' in here ? here.skip : false;
/** A round takes a quarter of a second where nothing else runs. */
const rounds = Number(process.env['SOAK_SECONDS'] ?? 40) * 3;
const firstUid = 881_000;
const tenants = 50;

/** Returns private memory, which grows when something is kept, in KiB. */
function privateKiB(pid: number): number {
  return Number(/^RssAnon:\s+(\d+)/m.exec(readText(`/proc/${pid}/status`) ?? '')?.[1] ?? 0);
}

const openFiles = (pid: number) => readdirSync(`/proc/${pid}/fd`).length;

function policy(round: number): string {
  const list = Array.from({ length: tenants }, (_, index) => {
    const limit = index === round % tenants ? 30 : 20;
    return `  <tenant uid="${firstUid + index}"><processes limit="${limit}"/></tenant>`;
  });
  return `  <agent interval="1s"/>\n  <defaults><cpu limit="10%"/><memory limit="64MiB"/></defaults>\n${list.join('\n')}`;
}

describe('the agent under load', { skip }, () => {
  let agent: RunningAgent;
  const children = new Set<ChildProcess>();
  let isFull = false;

  before(async () => {
    if ('skip' in here) return;
    agent = new RunningAgent(here.host);
    const { state } = here.host.paths;
    spawnSync('umount', ['--lazy', state]); // A run that was killed may have left it.
    mkdirSync(state, { recursive: true });
    const { status } = spawnSync('mount', [
      '-t',
      'tmpfs',
      '-o',
      'size=24m,mode=755',
      'none',
      state,
    ]);
    isFull = status === 0;
    agent.writePolicy(policy(0));
    await agent.start();
  });

  after(async () => {
    for (const each of children) each.kill('SIGKILL');
    if ('skip' in here) return;
    await agent.stop('SIGKILL');
    if (isFull) spawnSync('umount', [here.host.paths.state]);
    await agent[Symbol.asyncDispose]();
  });

  function trouble(index: number): void {
    const uid = firstUid + (index % tenants);
    const script =
      index % 3 === 0
        ? 'for i in 1 2 3 4 5 6 7 8; do sh -c "exit 0" & done; wait'
        : index % 3 === 1
          ? 'for i in $(seq 40); do sleep 0.5 & done 2>/dev/null; wait'
          : 'i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done';
    const args = ['--reuid', `${uid}`, '--regid', `${uid}`, '--clear-groups', 'sh', '-c', script];
    const child = spawn('setpriv', args, { stdio: 'ignore' });
    children.add(child);
    child.on('exit', () => children.delete(child));
  }

  function breakOff(): void {
    const client = connect(socketOf(agent.host.paths));
    client.on('error', () => {});
    client.write('GET /v1/top?all=1 HTTP/1.1\r\nHost: x\r\n\r\n', () => client.destroy());
  }

  async function latest(round: number): Promise<void> {
    for (let index = 0; index < 6; index++) trouble(round * 6 + index);
    for (let index = 0; index < 5; index++) breakOff();
    for (const path of ['/v1/top?all=1', '/v1/usage', '/v1/incidents?count=1000', '/metrics']) {
      assert.equal((await agent.ask(path)).status, 200, `${path}\n${agent.log}`);
    }
    await agent.ask(`/v1/tenants/${firstUid + (round % tenants)}/processes`);
    if (round % 5 === 0) agent.writePolicy(policy(round));
    if (round % 7 === 0) removeCgroup(firstUid + tenants - 1);
    await sleep(250);
  }

  /** Removes the cgroup if nothing runs in it; otherwise it stays. */
  function removeCgroup(uid: number): void {
    const driver = agent.host.probe();
    if (!driver.ok) return;
    for (const { rootPath } of driver.value.tree.hierarchies) {
      try {
        rmdirSync(`${rootPath}/u${uid}`);
      } catch {
        // It is in use.
      }
    }
  }

  async function liveFor(wanted: number): Promise<void> {
    for (let round = 0; round < wanted; round++) await latest(round);
  }

  test('keeps its memory and descriptors within bounds', async () => {
    // The engine grows until it has seen everything once.
    await liveFor(rounds / 2);
    const before = { memory: privateKiB(agent.pid), files: openFiles(agent.pid) };
    await liveFor(rounds / 2);
    const { memory, files } = { memory: privateKiB(agent.pid), files: openFiles(agent.pid) };
    assert.ok(files <= before.files + 30, `${before.files} files, then ${files}`);
    assert.ok(memory <= before.memory * 1.3 + 8 * 1024, `${before.memory} KiB, then ${memory}`);
    const status = await agent.status();
    assert.equal(status.policy.state, 'in force', status.policy.problems.join('\n'));
  });

  test('reports a full disk, keeps ticking, and writes again later', async (context) => {
    if (!isFull) return context.skip('a small file system cannot be mounted here');
    const file = `${agent.host.paths.state}/filler`;
    await agent.until('the history cannot be written', async () => {
      const { status } = spawnSync(
        'dd',
        ['if=/dev/zero', `of=${file}`, 'bs=64k', 'oflag=append', 'conv=notrunc'],
        { stdio: 'ignore' },
      );
      trouble(1);
      return status !== 0 && (await agent.status()).history.state === 'off';
    });
    assert.match((await agent.status()).history.problem ?? '', /no space|full/i);
    const ticks = (await agent.status()).tick.ticks;
    agent.writePolicy(policy(3));
    await agent.until('it goes on', async () => (await agent.status()).tick.ticks > ticks + 2);
    rmSync(file);
    await agent.until('it writes again', async () => (await agent.status()).history.state === 'on');
    assert.match(agent.log, /limits stay in force/);
    assert.match(agent.log, /written again/);
  });

  test('sets a history of a newer version and a damaged one aside', async () => {
    await agent.stop();
    const directory = `${agent.host.paths.state}/history`;
    const { DatabaseSync } = await import('node:sqlite');
    const database = new DatabaseSync(`${directory}/metrics.db`);
    database.exec('PRAGMA user_version = 999');
    database.close();
    writeFileSync(
      `${directory}/events.db`,
      'no database at all, but long enough to be looked at\n'.repeat(99),
    );
    for (const end of ['-wal', '-shm']) rmSync(`${directory}/events.db${end}`, { force: true });
    agent.log = '';
    await agent.start();
    await agent.until('both are set aside', () =>
      ['metrics.db.version-999', 'events.db.damaged'].every((start) =>
        readdirSync(directory).some((name) => name.startsWith(start)),
      ),
    );
    assert.equal((await agent.status()).history.state, 'on');
    assert.match(agent.log, /newer/);
  });
});
