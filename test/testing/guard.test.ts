/** Guarded commands: none of their processes outlives them, whatever ends them. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { guarded } from '../../testing/guard/argv.ts';
import { findAllProcesses } from '../../testing/guard/process-tree.ts';
import { eventually } from '../../testing/patience.ts';

const seconds = 1_000_000 + process.pid;
const commandOf = (pid: number) => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
};
const sleepers = () =>
  findAllProcesses().filter(
    ({ pid, state }) => state !== 'Z' && commandOf(pid) === `sleep\0${seconds}\0`,
  );

/**
 * A script that starts a process in a session of its own, one whose parent has ended, one that ignores
 * SIGTERM, and a child.
 */
const script = `trap '' TERM; setsid -f sleep ${seconds}; (sleep ${seconds} &); sleep ${seconds} & sleep ${seconds}`;

async function start() {
  const [program = '', ...args] = guarded(['sh', '-c', script]);
  const guard = spawn(program, args, { stdio: ['pipe', 'ignore', 'inherit'] });
  await eventually('all four run', () => sleepers().length === 4);
  return guard;
}

const ends = {
  'the end of its standard input': ({ stdin }: Awaited<ReturnType<typeof start>>) => stdin.end(),
  SIGTERM: (guard: Awaited<ReturnType<typeof start>>) => void guard.kill('SIGTERM'),
};
for (const [what, end] of Object.entries(ends)) {
  test(`a guard ends everything after ${what}`, async () => {
    const guard = await start();
    const ended = once(guard, 'exit');
    end(guard);
    await ended;
    assert.deepEqual(sleepers(), []);
  });
}

test('a guard exits with the status of its command, and ends what that left', async () => {
  const [program = '', ...args] = guarded(['sh', '-c', `setsid -f sleep ${seconds}; exit 7`]);
  const guard = spawn(program, args, { stdio: ['pipe', 'ignore', 'inherit'] });
  assert.deepEqual(await once(guard, 'exit'), [7, null]);
  assert.deepEqual(sleepers(), []);
});

test('a guard reaps the processes that it has adopted, as init does', async () => {
  // A hundred whose parents end first: the limit of processes counts them until then.
  const orphans = 'for i in $(seq 100); do (sleep 0 &); done; exec sleep 3600';
  const [program = '', ...args] = guarded(['sh', '-c', orphans]);
  const guard = spawn(program, args, { stdio: ['pipe', 'ignore', 'inherit'] });
  const ended = once(guard, 'exit');
  const children = () => findAllProcesses().filter(({ parent }) => parent === guard.pid);
  await eventually('it runs the last', () =>
    children().some(({ pid }) => commandOf(pid) === ['sleep', '3600', ''].join('\0')),
  );
  await eventually('one child is left', () => children().length === 1);
  guard.stdin.end();
  await ended;
});
