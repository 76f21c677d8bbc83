/** Answers of a PostgreSQL server at the edges: very many roles, and numbers of processes that are not this host's. */
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { copyFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ok } from '../../../packages/base/result.ts';
import { isAnonymous } from '../../../src/database/core/connection-numbers.ts';
import { readAnswer } from '../../../src/database/core/messages.ts';
import { rowsMax, type Rows } from '../../../src/database/core/protocol/reply.ts';
import type { DatabaseConnection } from '../../../src/database/io/client/connect.ts';
import { readAccounts } from '../../../src/database/io/postgresql/accounts.ts';
import { openPostgresql } from '../../../src/database/io/postgresql/look.ts';
import { eventually } from '../../../testing/patience.ts';
import { testDirectory } from '../../../testing/temporary-directory.ts';

const row = (fields: Readonly<Record<string, string>>) => new Map(Object.entries(fields));

/** A connection to a server of this pid that answers so. */
const answering = (answer: (sql: string) => Rows, pid?: number): DatabaseConnection => ({
  protocol: 'postgresql',
  version: 'PostgreSQL 15.0',
  pid,
  isOpen: true,
  query: (sql) => Promise.resolve(ok(answer(sql))),
  close: () => {},
});

test('the agent knows that anybody is let in also where a server has more roles than it lists', async () => {
  const roles = Array.from({ length: rowsMax }, (_, each) =>
    row({ account: `role_${each}`, connections: '-1', logs_in: 't' }),
  );
  const connection = answering((sql) =>
    sql.includes('trusts()') ? [row({ trusts: 't' })] : roles,
  );
  const read = await readAccounts(connection, 'worker');
  assert.ok(read.ok);
  const answer = readAnswer(JSON.stringify({ kind: 'accounts', accounts: read.value }));
  assert.ok(answer?.kind === 'accounts');
  assert.equal(answer.accounts.length, rowsMax);
  assert.ok(answer.accounts.some(isAnonymous));
});

test(
  'processes of a server in a container are not taken for those of this host with the same numbers',
  {
    skip:
      spawnSync('unshare', ['--pid', '--fork', 'true']).status === 0
        ? false
        : 'numbers of processes of their own need root',
  },
  async (context) => {
    const program = join(testDirectory(context, 'postgresql-container'), 'postgres');
    copyFileSync('/bin/sleep', program);
    const start = (command: string, ...args: readonly string[]) => {
      const child = spawn(command, args, { stdio: 'ignore' });
      context.after(() => child.kill('SIGKILL'));
      return child.pid ?? 0;
    };
    const isServer = (pid: number) => readFileSync(`/proc/${pid}/comm`, 'utf8') === 'postgres\n';
    const missing = async (pid: number) => {
      await eventually('the program', () => Promise.resolve(isServer(pid)));
      const answers = () => [row({ version: '150000', tracks: 'on', reads: 't' })];
      const opened = await openPostgresql(answering(answers, pid));
      assert.ok(opened.ok);
      const look = await opened.value.look();
      assert.ok(look.ok);
      return [opened.value.sight.missing.join(), look.value.accounts.length] as const;
    };
    const [ofHost, listed] = await missing(start(program, '600'));
    assert.match(ofHost, /connections that end within a second/);
    assert.equal(listed, 1);
    const above = start('unshare', '--pid', '--fork', '--kill-child', program, '600');
    const inside = await eventually('the process inside', () =>
      Promise.resolve(
        Number(readFileSync(`/proc/${above}/task/${above}/children`, 'utf8')) || undefined,
      ),
    );
    assert.deepEqual(await missing(inside), [
      'the CPU time of connections: the server is in a container, which numbers its processes itself',
      0,
    ]);
  },
);
