/** The script that watches a server: it ends when the server has been unhealthy again and again, and never before. */
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { suiteDirectory } from '../../../testing/temporary-directory.ts';
import { skipWithoutNats, startServers, type TestServers } from './servers.ts';

/** A time in which it looks several times. */
const looksMs = 3000;
const pauseSeconds = 3600;

suite('watch.sh', { skip: skipWithoutNats }, () => {
  const directory = suiteDirectory('fleet-watch-script');
  const noted = join(directory, 'asked');

  const started = (fleet: TestServers): ChildProcess => {
    const [server] = fleet.servers;
    assert.ok(server !== undefined);
    const { name, monitorPort } = server.place;
    const script = join(fleet.directory, 'servers', name, 'watch.sh');
    return spawn('bash', [script, String(monitorPort), '0.2', '3', String(pauseSeconds)], {
      stdio: ['ignore', 'inherit', 'inherit'],
      env: { ...process.env, RUNTIME_DIRECTORY: directory },
    });
  };

  test('ends when the server does not answer, and not again within the pause', async () => {
    await using fleet = await startServers(1);
    const watch = started(fleet);
    const ended = once(watch, 'exit');
    try {
      await sleep(looksMs);
      assert.equal(watch.exitCode, null);
      await fleet.servers[0]?.kill();
      assert.deepEqual(await ended, [1, null]);
    } finally {
      watch.kill('SIGKILL');
    }
    const at = Number(readFileSync(noted, 'utf8'));
    assert.ok(at > 0, `${at}`);

    const again = started(fleet);
    const endedAgain = once(again, 'exit');
    try {
      await sleep(looksMs);
      assert.equal(again.exitCode, null);
      // The pause is over.
      writeFileSync(noted, `${at - pauseSeconds}\n`);
      assert.deepEqual(await endedAgain, [1, null]);
    } finally {
      again.kill('SIGKILL');
    }
  });
});
