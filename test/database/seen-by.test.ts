/** How commands learn how the agent sees tenants. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { formatSeenBy } from '../../src/database/core/peers/seen-by.ts';
import { findServerProcess, startTicks } from '../../src/database/io/peers/server-process.ts';
import { seenBy, writePeersRecord } from '../../src/database/io/peers/record.ts';
import { agentLock, pathsOf } from '../../src/host/paths.ts';
import { lockFile } from '../../src/sys/files/flock.ts';
import { testDirectory } from '../../testing/temporary-directory.ts';

test('seenBy() counts only while the agent runs, and only for processes that it knows', (context) => {
  const directory = testDirectory(context, 'seen-by');
  const runtime = join(directory, 'run');
  mkdirSync(runtime);
  const paths = { ...pathsOf('bulkhead-seen-by'), runtime };
  writePeersRecord(paths, { reason: null, pids: [812] });
  assert.equal(seenBy(paths, 812).by, 'accounts');
  const lock = lockFile(agentLock(paths), { waitMs: 0 });
  assert.ok(lock.ok);
  using _running = lock.value;
  assert.deepEqual(seenBy(paths, 812), { by: 'socket' });
  assert.equal(formatSeenBy(seenBy(paths, 812)), 'tenants are seen by their sockets');
  assert.equal(seenBy(paths, 813).by, 'accounts');
  assert.equal(seenBy(paths, undefined).by, 'accounts');
  writePeersRecord(paths, { reason: 'this kernel refuses tracing programs', pids: [] });
  assert.equal(
    formatSeenBy(seenBy(paths, 812)),
    'tenants are seen by their accounts: this kernel refuses tracing programs',
  );
  for (const text of ['', 'null', '{"reason":1,"pids":[]}', '{"reason":null,"pids":812}']) {
    writeFileSync(join(runtime, 'database-peers'), text);
    assert.equal(seenBy(paths, 812).by, 'accounts', text);
  }
  writePeersRecord(paths, undefined);
  writePeersRecord(paths, undefined);
});

test('findServerProcess() takes only a database server that runs as its account', () => {
  const uid = process.getuid?.() ?? 0;
  // This process is none.
  assert.equal(findServerProcess(process.pid, uid), undefined);
  assert.equal(findServerProcess(undefined, uid), undefined);
  assert.equal(findServerProcess(4_194_303, uid), undefined);
  assert.ok((startTicks(process.pid) ?? 0n) >= (startTicks(1) ?? 0n));
});
