/** Two commands that build jails at once: neither takes another's tenant off the list of who has a jail. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { test } from 'node:test';
import { addJailed, jailedFile } from '../../src/host/cgroups/launch-jailed.ts';
import { buildMilliseconds } from '../../src/jail/io/build-elsewhere.ts';
import { lockMilliseconds } from '../../src/jail/io/part.ts';
import { writeStateFile } from '../../src/jail/io/state-files.ts';
import { jailPathsOf } from '../../src/jail/io/jail-paths.ts';
import { lockFile } from '../../src/sys/files/flock.ts';
import { temporaryDirectory } from '../../testing/temporary-directory.ts';

const part = join(import.meta.dirname, '../../src/jail/io/part.ts');
/** No instance may have this name, so the process that would change the host's mounts ends at once. */
const instance = 'Not an instance';

const calls = {
  release: 'jailPart.release(paths)',
  // This policy has no jails.
  build: 'jailPart.apply({ tenants: [], resellers: [] }, paths, "command")',
};

test('a builder of jails waits as long as any other may take', () => {
  assert.ok(lockMilliseconds > buildMilliseconds);
});

for (const [what, call] of Object.entries(calls))
  test(`a ${what} of jails waits for a build, and keeps what that has added`, () => waits(call));

async function waits(call: string): Promise<void> {
  using scratch = temporaryDirectory('jail-lists');
  const at = (name: string) => join(scratch.path, name);
  for (const each of ['etc', 'run/jail/tenants', 'lib']) mkdirSync(at(each), { recursive: true });
  const paths = {
    instance,
    proc: '/proc',
    sys: at('sys'),
    etc: at('etc'),
    runtime: at('run'),
    state: at('lib'),
    cache: at('cache'),
  };
  assert.ok(addJailed(paths, [{ uid: 5001, user: 'ann' }]).ok);
  const lock = lockFile(at('run/jails.lock'), { waitMs: 0 });
  assert.ok(lock.ok);
  const script = `const { jailPart } = await import(${JSON.stringify(part)});
    const paths = JSON.parse(process.argv[1]);
    await ${call};`;
  const child = spawn(
    process.execPath,
    ['--input-type=module', '-e', script, JSON.stringify(paths)],
    { stdio: 'inherit' },
  );
  const ended = once(child, 'exit');
  // It waits once it has looked at the lock.
  while (child.exitCode === null && !hasOpen(child.pid, 'jails.lock')) await pause(1);
  // This is what a build does between the list and its jails.
  assert.ok(addJailed(paths, [{ uid: 5002, user: 'ben' }]).ok);
  const stateFile = {
    profile: 'web',
    state: 'waiting',
    filter: false,
    landlock: false,
    commands: [],
    earlier: [],
    print: '',
  } as const;
  assert.ok(writeStateFile(jailPathsOf(paths), '5002', stateFile).ok);
  assert.equal(child.exitCode, null, 'it has not waited');
  lock.value.release();
  assert.deepEqual(await ended, [0, null]);
  assert.equal(readFileSync(jailedFile(paths.state), 'utf8'), '5002\nben\n');
}

/** Whether a process has a file of that name open now. */
function hasOpen(pid: number | undefined, name: string): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => {
      try {
        return readlinkSync(`/proc/${pid}/fd/${fd}`).includes(name);
      } catch {
        return false;
      }
    });
  } catch {
    return false;
  }
}
