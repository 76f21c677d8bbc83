/** The search for clients: several looks before there are none, and a bounded program that lists open files. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { processesWith } from '../../src/database/io/hold/client-processes.ts';
import { ClientSearch } from '../../src/database/io/hold/client-search.ts';
import { testDirectory } from '../../testing/temporary-directory.ts';

const one = { path: '/sys/fs/cgroup/bulkhead/u1001/s-one/cgroup.freeze' };
const two = { path: '/sys/fs/cgroup/bulkhead/u1001/s-two/cgroup.freeze' };
const nothing = { freezable: [], refused: [], likely: [] };
const second = 1_000_000;

suite('ClientSearch', () => {
  /** Adds looks, a fifth of a second apart. */
  function searched(...looks: readonly Parameters<ClientSearch['add']>[0][]): ClientSearch {
    const search = new ClientSearch();
    for (const [index, each] of looks.entries()) search.add(each, index * 0.2 * second);
    return search;
  }
  const times = <T>(count: number, each: T) => Array.from({ length: count }, () => each);

  test('says that there are none after ten looks, and not at once', () => {
    for (let looks = 0; looks < 10; looks += 1)
      assert.equal(searched(...times(looks, nothing)).canFreeze, undefined);
    assert.equal(searched(...times(10, nothing)).canFreeze, false);
    assert.equal(searched(...times(20, undefined)).canFreeze, undefined, 'they failed');
    assert.equal(searched({ ...nothing, refused: ['somebody is logged in'] }).canFreeze, false);
  });

  test('looks again soon while it is not known, and then every 2 s', () => {
    const unknown = searched(nothing);
    assert.ok(!unknown.isDue(0.1 * second) && unknown.isDue(0.2 * second));
    const known = searched({ ...nothing, freezable: [one] });
    assert.ok(!known.isDue(1.9 * second) && known.isDue(2 * second));
    const failed = searched(undefined);
    assert.ok(!failed.isDue(1.9 * second) && failed.isDue(2 * second));
  });

  test('keeps for 10 s where clients were', () => {
    const search = searched(
      { ...nothing, freezable: [one] },
      nothing,
      { ...nothing, freezable: [two] },
      nothing,
    );
    assert.deepEqual(search.freezable, [one, two]);
    search.add(nothing, 10.1 * second);
    assert.deepEqual(search.freezable, [two]);
    search.add(nothing, 11 * second);
    assert.deepEqual([search.freezable, search.canFreeze], [[], undefined]);
    search.add({ ...nothing, freezable: [one] }, 12 * second);
    search.forget();
    assert.deepEqual([search.freezable, search.canFreeze], [[], undefined]);
  });

  test('takes where the processes of a tenant are if no look finds its clients', () => {
    const likely = { ...nothing, likely: [one, two] };
    assert.equal(searched(...times(9, likely)).canFreeze, undefined);
    const search = searched(...times(10, likely));
    assert.deepEqual(search.freezable, [one, two]);
    for (let at = 3; at < 30; at += 2) search.add(likely, at * second);
    assert.deepEqual(search.freezable, [one, two], 'it stays so');
    search.add(nothing, 41 * second);
    assert.deepEqual(search.freezable, []);
  });
});

suite('processesWith()', () => {
  test('returns the processes that have one of the sockets', async (t) => {
    const socket = join(testDirectory(t, 'processes'), 'a.sock');
    const server = createServer().listen(socket);
    t.after(() => server.close());
    await once(server, 'listening');
    const child = spawn('sleep', ['600'], { stdio: ['pipe', 'ignore', 'ignore'] });
    t.after(() => child.kill('SIGKILL'));
    assert.ok(child.pid !== undefined);
    // Its standard input is a socket of Node's.
    const inode = statSync(`/proc/${child.pid}/fd/0`).ino;
    const found = await processesWith(
      '/proc',
      [process.pid, child.pid, 2 ** 22 + 1],
      new Set([inode]),
    );
    assert.deepEqual([...found], [child.pid]);
  });

  const sockets = new Set([7]);
  const pids = [1, 2, 3];
  function program(t: Parameters<typeof testDirectory>[0], text: string): string {
    const file = join(testDirectory(t, 'find'), 'find');
    writeFileSync(file, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
    return file;
  }

  test('keeps nothing of a list of 40 MiB but what is found', async (t) => {
    const find = program(
      t,
      'yes "/proc/1/fd socket:[8]" | head -c 41943040; echo; echo "/proc/2/fd socket:[7]"; exit 1',
    );
    const before = process.memoryUsage().rss;
    const found = await processesWith('/proc', pids, sockets, { find, milliseconds: 600_000 });
    assert.deepEqual([...found], [2]);
    assert.ok(process.memoryUsage().rss - before < 2 ** 26);
  });

  test('takes all for clients if the list does not end, or is none', async (t) => {
    const all = new Set(pids);
    const ending = { milliseconds: 50 };
    for (const text of ['exec sleep 600', 'exec yes', 'sleep 1 & exec sleep 600'])
      assert.deepEqual(
        await processesWith('/proc', pids, sockets, { find: program(t, text), ...ending }),
        all,
      );
    assert.deepEqual(await processesWith('/proc', pids, sockets, { find: '/none' }), all);
    const line = program(t, 'head -c 1000000 /dev/zero; exec sleep 600');
    assert.deepEqual(
      await processesWith('/proc', pids, sockets, { find: line, milliseconds: 600_000 }),
      all,
    );
  });
});
