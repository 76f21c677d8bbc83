// Landlock, where the kernel asks no BPF programs: what a tenant has of descriptors and processes outside, and what works inside.
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  chownSync,
  closeSync,
  copyFileSync,
  mkdirSync,
  openSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:net';
import { fileURLToPath } from 'node:url';
import { after, before, describe, test } from 'node:test';
import { parseStateFile } from '../../../src/jail/core/state-file.ts';
import { findLandlock } from '../../../src/jail/io/landlock.ts';
import { eventually, patienceMilliseconds } from '../../../testing/patience.ts';
import { JailStage, landlockObstacle, reasonToSkip, withoutLandlock } from '../stage.ts';

const skip = reasonToSkip() || landlockObstacle() || hasScopes();
const mallory = 620_400;
const abstractName = 'bulkhead-landlock-test';

function hasScopes(): string | false {
  const landlock = findLandlock();
  if (landlock.ok && landlock.value >= 6) return false;
  return 'this version of Landlock has no scopes';
}

describe('Landlock', { skip }, () => {
  let stage: JailStage;
  let outside: ChildProcess;
  const servers: Server[] = [];
  const leaked = () => `${stage.homes}/leaked`;
  const home = () => `${stage.homes}/u${mallory}`;
  const ids = ['--reuid', `${mallory}`, '--regid', `${mallory}`, '--clear-groups'] as const;

  function fill(): void {
    rmSync(leaked(), { recursive: true, force: true });
    mkdirSync(`${leaked()}/below`, { recursive: true });
    for (const name of ['file', 'removable']) writeFileSync(`${leaked()}/${name}`, 'outside');
    copyFileSync('/usr/bin/true', `${leaked()}/program`);
    for (const name of ['', 'below', 'file', 'removable', 'program'])
      chownSync(`${leaked()}/${name}`, mallory, mallory);
  }

  async function listen(at: string): Promise<void> {
    const server = createServer((connection) => connection.destroy());
    servers.push(server.listen(at));
    await once(server, 'listening');
  }

  /** Attacks with descriptors of a directory and of a file outside, as 20 and 21. */
  async function attack(command: (...args: readonly string[]) => readonly string[]) {
    fill();
    await listen(`${leaked()}/socket`);
    chownSync(`${leaked()}/socket`, mallory, mallory);
    const descriptors = [leaked(), `${leaked()}/file`].map((path) => openSync(path, 'r'));
    const words = ['20', '21', `${outside.pid}`, abstractName];
    const [program = '', ...args] = command(`${home()}/by-way`, ...words);
    const none = Array.from({ length: 17 }, () => 'ignore' as const);
    const { status, stdout, stderr } = spawnSync(program, args, {
      encoding: 'utf8',
      timeout: patienceMilliseconds,
      stdio: ['ignore', 'pipe', 'pipe', ...none, ...descriptors],
    });
    for (const fd of descriptors) closeSync(fd);
    assert.equal(status, 0, stderr);
    const [results = '', left = ''] = stdout.split('--\n');
    return { results: results.trim().split('\n'), left: left.trim().split('\n') };
  }

  const entering = (...args: readonly string[]) => stage.enterCommand(mallory, ...args);
  const without = (...args: readonly string[]) => stage.enterWithoutLandlock(mallory, ...args);
  const isOpen = (line: string) => line.startsWith('NOT BLOCKED');

  before(async () => {
    stage = new JailStage('landlock');
    await stage.release();
    // Its filter lets processes trace each other, so that this is Landlock's to refuse.
    await stage.build(stage.tenant(mallory, { profile: 'shell' }));
    for (const name of ['by-way', 'everyday']) {
      const source = fileURLToPath(new URL(`${name}.c`, import.meta.url));
      execFileSync('gcc', ['-O2', '-Wall', '-o', `${home()}/${name}`, source]);
    }
    outside = spawn('setpriv', [...ids, 'sleep', '3600'], { stdio: 'ignore' });
    await eventually('it sleeps', () => readlinkSync(`/proc/${outside.pid}/exe`).endsWith('sleep'));
    await listen(`\0${abstractName}`);
  });
  after(async () => {
    for (const server of servers) server.close();
    await end(outside);
    await stage[Symbol.asyncDispose]();
  });

  test('sets landlock in the state file of the jail', () => {
    assert.equal(parseStateFile(stage.stateText(mallory)).landlock, true);
  });

  test('blocks descriptors from outside, and access to processes outside', async () => {
    const { results, left } = await attack(entering);
    assert.ok(results.length > 28, results.join('\n'));
    assert.deepEqual(results.filter(isOpen), []);
    // No more is said of it than this.
    assert.deepEqual(
      left.filter((line) => !isOpen(line)),
      [],
    );
  });

  test('blocks nothing when the command enters without it', async () => {
    const { results } = await attack(without);
    assert.deepEqual(
      results.filter((line) => !isOpen(line)),
      [],
    );
  });

  test('leaves everyday programs working', () => {
    const script = `mkdir ${home()}/every && cd ${home()}/every && exec ../everyday`;
    const { stdout, stderr } = stage.run(mallory, '/bin/sh', '-c', script);
    const lines = stdout.trim().split('\n');
    assert.ok(lines.length > 30, stdout + stderr);
    assert.deepEqual(
      lines.filter((line) => !line.startsWith('works ')),
      [],
    );
  });

  test('allows reading a file that was opened outside, but not opening it by its name in /proc', () => {
    const read = (name: string) => {
      const file = openSync(`${leaked()}/file`, 'r');
      const [program = '', ...args] = entering('/bin/cat', name);
      const { stdout, stderr } = spawnSync(program, args, {
        encoding: 'utf8',
        stdio: [file, 'pipe', 'pipe'],
      });
      closeSync(file);
      return stdout + stderr;
    };
    fill();
    assert.equal(read('-'), 'outside');
    assert.match(read('/dev/stdin'), /Permission denied/);
  });

  test('does not stop a process of the same uid outside from reading the jail', async () => {
    const [program = '', ...args] = entering('/bin/sleep', '3600');
    const inside = spawn(program, args, { stdio: 'ignore' });
    try {
      await eventually('it sleeps', () =>
        readlinkSync(`/proc/${inside.pid}/exe`).endsWith('sleep'),
      );
      const path = `/proc/${inside.pid}/root/run/bulkhead/profile`;
      const seen = spawnSync('setpriv', [...ids, 'cat', path], { encoding: 'utf8' });
      assert.equal(seen.stdout, 'shell\n');
    } finally {
      await end(inside);
    }
  });

  test('hides sessions of a tenant from each other, but lets them send signals', async () => {
    const [program = '', ...args] = entering('/bin/sleep', '3600');
    const other = spawn(program, args, { stdio: 'ignore' });
    await eventually('it sleeps', () => readlinkSync(`/proc/${other.pid}/exe`).endsWith('sleep'));
    const ended = once(other, 'exit');
    assert.equal(stage.see(mallory, `test -e /proc/${other.pid} || echo unseen`), 'unseen');
    stage.see(mallory, `kill ${other.pid}`);
    assert.deepEqual(await ended, [null, 'SIGTERM']);
  });

  test('lets nothing start when it cannot be applied', () => {
    const [program = '', ...args] = [
      ...withoutLandlock(stage.homes),
      ...entering('/bin/echo', 'ran'),
    ];
    const refused = spawnSync(program, args, { encoding: 'utf8' });
    assert.deepEqual([refused.status, refused.stdout], [1, '']);
    assert.match(refused.stderr, /Landlock cannot be applied: Function not implemented/);
  });
});

async function end(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}
