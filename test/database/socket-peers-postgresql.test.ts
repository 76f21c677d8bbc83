/**
 * Tenants' use of a real PostgreSQL server, which has a process for each connection, by the sockets of their clients. See
 * `socket-peers.test.ts`.
 */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { formatProblem } from '../../packages/base/problem.ts';
import { findServerProcess } from '../../src/database/io/peers/server-process.ts';
import { SocketPeers } from '../../src/database/io/peers/socket-peers.ts';
import type { ServerProcess } from '../../src/database/core/peers/peer-maps.ts';
import { clockTicksPerSecond } from '../../src/sys/syscalls.ts';
import { eventually, patienceMilliseconds } from '../../testing/patience.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';

/** PostgreSQL wants an account with a name: "nobody". */
const [alice, owner] = [64_391, 65_534];
const [programs] = globSync('/usr/lib/postgresql/*/bin').toSorted().toReversed();
const seconds = 5;

const loaded =
  process.getuid?.() === 0 && programs !== undefined
    ? SocketPeers.load({ tenants: [alice], ranges: [] }, '/run')
    : undefined;
const skip =
  loaded === undefined
    ? 'it needs root and PostgreSQL'
    : loaded.ok
      ? false
      : formatProblem(loaded.error);
if (process.env['BULKHEAD_TRACING'] === 'required') assert.equal(skip, false);

describe("a real PostgreSQL server's clients are seen by their sockets", { skip }, () => {
  const peers = loaded?.ok === true ? loaded.value : undefined!;
  // Others can change /tmp, so no server there is trusted.
  const directory = suiteDirectory('database-peers-pg', '/var/lib', 0o755);
  const data = join(directory, 'data');
  let child: ChildProcess;
  let server: ServerProcess;

  const as = (uid: number, program: string, args: readonly string[]) =>
    ['--reuid', `${uid}`, '--regid', `${uid}`, '--clear-groups', `${programs}/${program}`].concat(
      args,
    );
  const run = (uid: number, program: string, args: readonly string[]) =>
    execFileSync('setpriv', as(uid, program, args), {
      cwd: directory,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: patienceMilliseconds,
    });
  const client = ['-h', directory, '-U', 'postgres'];

  before(async () => {
    chownSync(directory, owner, owner);
    const init = ['-D', data, '-U', 'postgres', '-A', 'trust', '--no-sync', '--no-instructions'];
    run(owner, 'initdb', init);
    const options = ['-D', data, '-k', directory, '-c', 'listen_addresses=', '-c', 'fsync=off'];
    child = spawn('setpriv', as(owner, 'postgres', options), { cwd: directory, stdio: 'ignore' });
    await eventually('the server answers', () => {
      try {
        return run(owner, 'psql', [...client, '-c', 'SELECT 1', 'postgres']);
      } catch {
        return undefined;
      }
    });
    run(owner, 'pgbench', [...client, '-i', '-q', '-s', '1', 'postgres']);
    const found = findServerProcess(child.pid, owner);
    assert.equal(found?.forks, true);
    server = found;
    peers.watch([server]);
  });
  after(async () => {
    peers[Symbol.dispose]();
    const exited = once(child, 'exit');
    child.kill('SIGQUIT');
    await exited;
  });

  /** Returns the CPU time of the server's children that have ended, in microseconds. */
  function ofEnded(): number {
    const stat = readFileSync(`/proc/${server.pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return ((Number(fields[13]) + Number(fields[14])) / clockTicksPerSecond()) * 1e6;
  }

  const used = () => peers.read(server)?.tenants.get(alice) ?? 0;

  for (const [name, args] of [
    ['kept connections', []],
    ['a connection for each statement', ['-C']],
    ['prepared statements', ['-M', 'prepared']],
  ] as const)
    test(`${name} count for the tenant that connected`, async (context) => {
      const [before, endedBefore] = [used(), ofEnded()];
      run(alice, 'pgbench', [
        ...client,
        '-S',
        '-n',
        '-c',
        '2',
        '-T',
        `${seconds}`,
        ...args,
        'postgres',
      ]);
      await eventually(
        'the connections have ended',
        () =>
          run(owner, 'psql', [
            ...client,
            '-Atc',
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgbench'",
            'postgres',
          ]).trim() === '0',
      );
      const part = (used() - before) / (ofEnded() - endedBefore);
      context.diagnostic(`${part}`);
      assert.ok(part >= 0.9, `${part}`);
      // Both are of all of their lives, in ticks of 10 ms here.
      assert.ok(part <= 1.02, `${part}`);
    });
});
