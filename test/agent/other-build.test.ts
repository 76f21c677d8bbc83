/** The end of an agent whose files were replaced by another version's. */
import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, test } from 'node:test';
import { endForOtherBuild, isStartedByHand } from '../../src/agent/other-build.ts';

describe('endForOtherBuild()', () => {
  async function run(isByHand: boolean) {
    const said: string[] = [];
    const installed = Promise.withResolvers<void>();
    let hasEnded = false;
    void endForOtherBuild(
      installed.promise,
      { warn: (text: string) => void said.push(text) },
      isByHand,
    ).then(() => (hasEnded = true));
    await turn();
    assert.deepEqual([hasEnded, said], [false, []]);
    installed.resolve();
    await turn();
    return { hasEnded, said };
  }

  test('ends a supervised agent', async () => {
    const { hasEnded, said } = await run(false);
    assert.equal(hasEnded, true);
    assert.match(said.join('\n'), /^The files of another version were installed: stopping/);
  });

  test('lets one go on that was started by hand, and says once what to do', async () => {
    const { hasEnded, said } = await run(true);
    assert.equal(hasEnded, false);
    assert.equal(said.length, 1);
    assert.match(said[0] ?? '', /goes on measuring.*stop it with Ctrl-C, and start it again$/);
  });
});

test('isStartedByHand() needs a terminal that controls it, and no service manager', () => {
  const terminal = { isTTY: true };
  const stat = (tty: number) => `7 (a) b) S 1 7 7 ${tty} 7 4194560 0`;
  const controlled = stat(34_817);
  assert.equal(isStartedByHand({}, terminal, controlled), true);
  const service = { NOTIFY_SOCKET: '/run/systemd/notify' };
  assert.equal(isStartedByHand(service, terminal, controlled), false);
  assert.equal(isStartedByHand({}, {}, controlled), false);
  // A supervisor whose log goes to the console starts it again.
  for (const other of [stat(0), '']) assert.equal(isStartedByHand({}, terminal, other), false);
});
