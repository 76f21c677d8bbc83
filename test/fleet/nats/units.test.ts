/** The unit of a fleet's NATS: systemd stops it so that it does not count as failed. */
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { natsUnit, natsUnits } from '../../../src/fleet/io/server/nats-units.ts';
import { freePort } from '../../../testing/free-port.ts';
import { eventually } from '../../../testing/patience.ts';
import { suiteDirectory } from '../../../testing/temporary-directory.ts';
import { skipWithoutNats } from './servers.ts';

const directory = suiteDirectory('fleet-nats-units');

test('the signal of systemd ends the server with 0', { skip: skipWithoutNats }, async () => {
  const unit = natsUnits({ files: directory, monitorPort: 8222 })[natsUnit] ?? '';
  const signal = /^KillSignal=(SIG[A-Z]+)$/m.exec(unit)?.[1] ?? 'SIGTERM';
  const [port, monitor] = [await freePort(), await freePort()];
  const args = ['-a', '127.0.0.1', '-p', String(port), '-m', String(monitor)];
  const server = spawn('nats-server', [...args, '-sd', join(directory, 'data')], {
    stdio: 'ignore',
  });
  const ended = once(server, 'exit');
  try {
    await eventually('it answers', async () => {
      const answer = await fetch(`http://127.0.0.1:${monitor}/healthz`).catch(() => undefined);
      return answer?.status === 200;
    });
    server.kill(signal as NodeJS.Signals);
    assert.deepEqual(await ended, [0, null]);
  } finally {
    server.kill('SIGKILL');
  }
});
