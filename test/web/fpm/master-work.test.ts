/** What the kernel counts of a real master, without a request, during one, and after it. */
import '../../../src/testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { eventually } from '../../../src/testing/patience.ts';
import { workOf } from '../../../src/web/io/fpm/idle/master-work.ts';
import { askFastCgi } from '../../jail/fastcgi.ts';
import { fpm, skip } from './stage.ts';

for (const [manager, more] of [
  ['static', ''],
  ['ondemand', 'pm.process_idle_timeout = 1s\n'],
] as const)
  test(`a master is quiet until a request comes, with pm = ${manager}`, { skip }, async () => {
    const at = mkdtempSync(join(tmpdir(), 'bulkhead-fpm-work-'));
    chmodSync(at, 0o755);
    const socket = `${at}/socket`;
    const pool = `[a]\nuser = 64430\ngroup = 64430\nlisten = ${socket}\npm = ${manager}\npm.max_children = 2\n${more}`;
    writeFileSync(`${at}/conf`, `[global]\nerror_log = ${at}/log\n${pool}`);
    writeFileSync(
      `${at}/a.php`,
      `<?php for (; isset($_GET['wait']) && !file_exists('${at}/open'); clearstatcache()) usleep(50000);`,
    );
    const master = spawn(fpm.program, ['--nodaemonize', '--fpm-config', `${at}/conf`], {
      stdio: 'ignore',
    });
    const ask = (query: string) =>
      askFastCgi(socket, {
        SCRIPT_FILENAME: `${at}/a.php`,
        REQUEST_METHOD: 'GET',
        QUERY_STRING: query,
      });
    const quiet = () => eventually('it is quiet', () => workOf(master.pid ?? 0));
    try {
      await eventually('it listens', () => existsSync(socket));
      await ask('');
      if (manager === 'ondemand')
        await eventually(
          'its worker has ended',
          () => !(workOf(master.pid ?? 0) ?? ' ').includes(' '),
        );
      const before = await quiet();
      assert.equal(workOf(master.pid ?? 0), before);
      const asked = ask('wait=1');
      await eventually('a worker is busy', () => workOf(master.pid ?? 0) === undefined);
      writeFileSync(`${at}/open`, '');
      await asked;
      assert.notEqual(await quiet(), before);
      if (manager === 'ondemand') {
        await eventually(
          'its worker has ended',
          () => !(workOf(master.pid ?? 0) ?? ' ').includes(' '),
        );
        assert.notEqual(workOf(master.pid ?? 0), before);
      }
    } finally {
      // Its workers end with it.
      master.kill('SIGTERM');
      await once(master, 'exit');
      rmSync(at, { recursive: true, force: true });
    }
  });
