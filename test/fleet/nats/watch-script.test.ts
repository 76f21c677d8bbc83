/** The script that watches a server: it ends when the server has been unhealthy again and again, and never before. */
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { skipWithoutNats, startServers } from './servers.ts';

test('watch.sh ends when the server does not answer', { skip: skipWithoutNats }, async () => {
  await using fleet = await startServers(1);
  const [server] = fleet.servers;
  assert.ok(server !== undefined);
  const { name, monitorPort } = server.place;
  const script = join(fleet.directory, 'servers', name, 'watch.sh');
  const watch = spawn('bash', [script, String(monitorPort), '0.2', '3'], { stdio: 'ignore' });
  const ended = once(watch, 'exit');
  try {
    // Some looks at a healthy server.
    await sleep(healthyMs);
    assert.equal(watch.exitCode, null);
    await server.kill();
    assert.deepEqual(await ended, [1, null]);
  } finally {
    watch.kill('SIGKILL');
  }
});

const healthyMs = 3000;
