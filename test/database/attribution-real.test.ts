/**
 * The part of a real server's CPU time that is attributed to the account that caused it, for several kinds of work.
 *
 * Each prints its part of what the server used without its background threads. A loaded machine changes it, so only a
 * gross mistake fails: to see nothing of connections or events, or to count twice.
 */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { attribute, Calibration } from '../../src/database/core/use/attribution.ts';
import type { Look } from '../../src/database/core/look.ts';
import type { DatabaseServer } from '../../src/database/io/server.ts';
import { openMariadb } from '../../src/database/io/mariadb/look.ts';
import { BackgroundThreads } from '../../src/database/io/mariadb/threads.ts';
import { mariadbMissing, startMariadb, type MariadbServer } from '../../testing/mariadb.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';

const client = fileURLToPath(new URL('load-client.ts', import.meta.url));
const seconds = 3;
/** Looks go on until what was begun is counted. */
const restMilliseconds = 1500;

describe(
  'the CPU time of a real server is attributed to who causes it',
  { skip: mariadbMissing },
  () => {
    const directory = suiteDirectory('database-attribution', undefined, 0o755);
    let server: MariadbServer;
    let watching: DatabaseServer;

    before(async () => {
      server = await startMariadb(directory, ['--userstat=1', '--event-scheduler=ON']);
      for (const each of [
        'CREATE DATABASE alice',
        'CREATE USER alice@localhost',
        'GRANT ALL ON alice.* TO alice@localhost',
        'CREATE TABLE alice.t (id INT PRIMARY KEY, k INT NOT NULL, c CHAR(120) NOT NULL, pad CHAR(60) NOT NULL) ENGINE=InnoDB',
        'CREATE TABLE alice.journal (id BIGINT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(2000)) ENGINE=InnoDB',
        'INSERT INTO alice.t SELECT seq, seq MOD 1000, REPEAT(MD5(seq), 3), MD5(seq + 1) FROM alice.seq_1_to_20000',
        `CREATE PROCEDURE alice.work() SQL SECURITY DEFINER BEGIN DECLARE i INT DEFAULT 0;
         WHILE i < 20 DO SELECT SUM(CRC32(CONCAT(c, pad))) INTO @x FROM alice.t; SET i = i + 1; END WHILE; END`,
      ])
        await server.sql(each);
      const opened = await openMariadb(await server.connect());
      assert.ok(opened.ok);
      watching = opened.value;
      assert.deepEqual(watching.sight.missing, []);
    });
    after(() => server.stop());

    async function look(): Promise<Look> {
      const seen = await watching.look();
      assert.ok(seen.ok, JSON.stringify(seen));
      return seen.value;
    }

    /** Looks each half second while `work` goes on, and returns the part that alice gets. */
    async function partOf(work: () => Promise<unknown>): Promise<number> {
      const calibration = new Calibration();
      const threads = new BackgroundThreads(server.pid);
      threads.read();
      const first = await look();
      let last = first;
      let used = 0;
      let isOver = false;
      let until = Infinity;
      const done = work().then(() => (until = performance.now() + restMilliseconds));
      while (!isOver) {
        await sleep(500);
        isOver = performance.now() > until;
        const now = await look();
        calibration.learn(last, now);
        used += attribute(last, now, calibration.constants).get('alice') ?? 0;
        last = now;
      }
      await done;
      const background = threads.read() ?? 0;
      const all = (last.serverCpuMicroseconds ?? 0) - (first.serverCpuMicroseconds ?? 0);
      assert.ok(all > background && used >= 0);
      return used / (all - background);
    }

    const clientOf = (work: string) => async () => {
      const args = [client, server.socket, 'alice', 'alice', work, '2', `${seconds}`, '0'];
      const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] });
      await once(child, 'exit');
    };

    const repeated = (statements: readonly string[]) => async () => {
      const connection = await server.connect('alice');
      const end = performance.now() + seconds * 1000;
      while (performance.now() < end)
        for (const each of statements) assert.ok((await connection.query(each)).ok, each);
      connection.close();
    };

    /** One that is long enough to be seen while it runs: the time of an event after it was seen last is lost. */
    async function events(): Promise<void> {
      const busy = `BEGIN DECLARE end DATETIME(6) DEFAULT SYSDATE(6) + INTERVAL ${seconds} SECOND;
        WHILE SYSDATE(6) < end DO SELECT BENCHMARK(10000, MD5(RAND())) INTO @y; END WHILE; END`;
      await server.sql(`CREATE EVENT alice.e ON SCHEDULE AT NOW() DO ${busy}`, 'alice');
      await sleep(seconds * 1000);
      await server.sql('DROP EVENT IF EXISTS alice.e', 'alice');
    }

    const works: readonly (readonly [name: string, work: () => Promise<unknown>, least: number])[] =
      [
        ['pages: connect, 21 statements, close', clientOf('page'), 0.5],
        ['point selects', clientOf('point'), 0.5],
        ['scans', clientOf('scan'), 0.5],
        ['inserts', clientOf('insert'), 0.5],
        ['CREATE and DROP TABLE', clientOf('ddl'), 0.5],
        ['a routine of another DEFINER', repeated(['CALL alice.work()']), 0.5],
        [
          'prepared statements',
          repeated(["PREPARE s FROM 'SELECT SUM(CRC32(c)) FROM alice.t'", 'EXECUTE s']),
          0.5,
        ],
        ['an event', events, 0.5],
      ];
    for (const [name, work, least] of works)
      test(name, async (t) => {
        const part = await partOf(work);
        const load = readFileSync('/proc/loadavg', 'utf8').split(' ')[0];
        t.diagnostic(`${name}: ${part.toFixed(2)} attributed; load ${load}`);
        assert.ok(part >= least && part <= 1.5, `${part}`);
      });
  },
);
