/** Guests that have locked up: they count as such by their chances to answer, whatever the clock says. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../../testing/patience.ts';
import { watch } from '../../testing/vm/watch.ts';

/** Watches a process in the place of QEMU's; `answers` are those to the questions, in order. */
function watched(
  t: TestContext,
  script: string,
  answers: readonly (() => Promise<unknown>)[] = [],
) {
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', 'sh', '-c', script], { stdio: 'ignore' });
  const end = new AbortController();
  // The connection to a real guest keeps the process; a watch does not.
  const stay = setInterval(() => {}, 1_000);
  t.after(() => {
    clearInterval(stay);
    end.abort();
    child.kill('SIGKILL');
  });
  const pid = child.pid ?? 0;
  const seen = { asked: 0, chances: 0 };
  const ask = () => answers[seen.asked++]?.() ?? new Promise(() => {});
  const lockedUp = async (chances: number) => void (seen.chances = chances);
  const over = watch({ pid, ask, lockedUp }, end.signal, { pauseMs: 1, chancesMax: 2 });
  return { pid, seen, over, stop: () => end.abort() };
}

for (const [what, script] of [
  ['computes', 'while :; do :; done'],
  ['sleeps', 'exec sleep 1000000'],
] as const)
  test(`a guest that ${what} and does not answer has locked up`, async (t) => {
    const { over, seen } = watched(t, script);
    await over;
    assert.ok(seen.chances >= 2, String(seen.chances));
  });

test('a guest that answers is asked again, and one that gets no processor has no chance', async (t) => {
  const broken = () => Promise.reject(new Error('broken'));
  const answers = [() => Promise.resolve(), broken, () => Promise.resolve()];
  const { pid, over, seen } = watched(t, 'kill -STOP $$; exec sleep 1000000', answers);
  await eventually('it was asked for the last time', () => seen.asked === 4);
  // As long as it would take one that sleeps, and longer on a busy machine.
  await sleep(5_000);
  assert.equal(seen.chances, 0);
  process.kill(pid, 'SIGCONT');
  await over;
  assert.ok(seen.chances >= 2, String(seen.chances));
});

test('nobody watches once the command has ended', async (t) => {
  const { over, stop, seen } = watched(t, 'exec sleep 1000000');
  await eventually('it was asked', () => seen.asked === 1);
  stop();
  await over;
  assert.equal(seen.chances, 0);
});
