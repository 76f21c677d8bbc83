/** The agent against a worker that does not keep to question and answer. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, test } from 'node:test';
import { formatNumbers, parseNumbers } from '../../src/database/core/rights/record.ts';
import { readAnswer } from '../../src/database/core/messages.ts';
import { WatchedServer } from '../../src/database/io/worker/watched-server.ts';
import { eventually } from '../../testing/patience.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';

const connected = JSON.stringify({ kind: 'connected', version: '1', missing: [] });

describe('a worker', () => {
  const directory = suiteDirectory('hostile-worker');
  let watched: WatchedServer;
  afterEach(() => watched[Symbol.dispose]());

  /** A worker that writes these texts, one for each question. */
  function worker(name: string, ...answers: readonly string[]): WatchedServer {
    const script = join(directory, `${name}.mjs`);
    writeFileSync(
      script,
      `const answers = ${JSON.stringify(answers)};
       process.stdin.on('data', () => process.stdout.write(answers.shift() ?? ''));`,
    );
    const address = { at: '/run/none.sock', server: { uid: 1, gid: 1 } };
    const login = () => ({ user: 'nobody' });
    // Longer than the test may take.
    const answerMilliseconds = 3_600_000;
    watched = new WatchedServer({
      address,
      login,
      worker: { uid: 1, gid: 1 },
      script,
      answerMilliseconds,
    });
    return watched;
  }

  test('that sends something else than an answer is not waited for', async () => {
    assert.equal(await worker('broken', 'what?\n').look(), undefined);
    assert.equal(watched.state.kind, 'away');
    assert.equal(watched.pid, undefined);
  });

  test('that answers without a question is ended', async () => {
    const look = JSON.stringify({ kind: 'look', look: { atMicroseconds: 1 } });
    const looked = worker('chatty', `${connected}\n`, `${look}\n${look}\n`).look();
    assert.equal((await looked)?.atMicroseconds, 1);
    await eventually('it is ended', () => watched.pid === undefined);
  });
});

test('no text of a worker acts on the log', () => {
  const reason = 'a\n<0>b\u001b[2J';
  const answers = [
    { kind: 'failed', reason },
    { kind: 'capped', problems: [reason] },
    { kind: 'connected', version: '', missing: [reason] },
  ];
  for (const each of answers)
    assert.doesNotMatch(JSON.stringify(readAnswer(JSON.stringify(each))), /\\n|\\u001b/);
});

test('a number of connections that the record cannot have is not taken', () => {
  const account = { account: 'alice', host: 'localhost', privileges: [] };
  const taken = [-2, -1, 0, 1.5, 7, 1e300].flatMap((connections) => {
    const line = JSON.stringify({ kind: 'accounts', accounts: [{ ...account, connections }] });
    const answer = readAnswer(line);
    return answer?.kind === 'accounts' ? answer.accounts : [];
  });
  assert.deepEqual(
    taken.map(({ connections }) => connections),
    [-1, 0, 7],
  );
  const rows = taken.map(({ connections: before }) => ({
    socket: '/run/a.sock',
    account: 'alice',
    host: 'localhost',
    before,
    set: 5,
  }));
  assert.ok(parseNumbers(formatNumbers(rows)).ok);
});
