/** The agent reads nothing from its worker that has not the form and the bounds of an answer. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readAnswer } from '../../src/database/core/messages.ts';
import type { Look } from '../../src/database/core/look.ts';

const look: Look = {
  atMicroseconds: 5,
  accounts: [{ account: 'alice', cpuMicroseconds: 1, connections: 2, statements: 3 }],
  sessions: [
    {
      id: 7,
      account: 'alice',
      isLocal: true,
      isRunning: true,
      statementMilliseconds: 8,
      transactionMilliseconds: undefined,
      threadCpuMicroseconds: 9,
      statement: 'SELECT 1',
      runningCpuMicroseconds: 3,
      isEvent: true,
    },
  ],
  serverCpuMicroseconds: 10,
  backgroundCpuMicroseconds: undefined,
};

test('a look comes through as it was sent', () => {
  assert.deepEqual(readAnswer(JSON.stringify({ kind: 'look', look })), { kind: 'look', look });
});

test('no line makes the agent throw, and all numbers are amounts', () => {
  const property = fc.property(
    fc.json(),
    fc.constantFrom('look', 'ended', 'accounts'),
    (text, kind) => {
      readAnswer(text);
      const value: unknown = JSON.parse(text);
      const answer = readAnswer(JSON.stringify({ kind, look: value, ids: value, accounts: value }));
      if (answer?.kind === 'ended') assert.ok(answer.ids.every((each) => each >= 0));
    },
  );
  fc.assert(property);
});

test('hostile fields are dropped or cut', () => {
  const [session] = look.sessions;
  const sessions = [
    { ...session, id: '7; DROP USER root' },
    { ...session, id: 1.5 },
    { ...session, id: -1 },
    {
      ...session,
      statement: 'x'.repeat(5000),
      account: 'y'.repeat(5000),
      threadCpuMicroseconds: -3,
    },
  ];
  const answer = readAnswer(JSON.stringify({ kind: 'look', look: { ...look, sessions } }));
  assert.ok(answer?.kind === 'look');
  const [only, ...others] = answer.look.sessions;
  assert.equal(others.length, 0);
  assert.equal(only?.statement.length, 200);
  assert.equal(only.account.length, 128);
  assert.equal(only.threadCpuMicroseconds, undefined);
  const many = { ...look, accounts: Array.from({ length: 20_000 }, () => look.accounts[0]) };
  const cut = readAnswer(JSON.stringify({ kind: 'look', look: many }));
  assert.ok(cut?.kind === 'look' && cut.look.accounts.length === 10_000);
});

test('the privileges of an account stay unknown if they are', () => {
  const account = { account: 'a', host: '%', connections: 0, isRole: false, privileges: null };
  const answer = readAnswer(JSON.stringify({ kind: 'accounts', accounts: [account] }));
  assert.ok(answer?.kind === 'accounts');
  assert.equal(answer.accounts[0]?.privileges, undefined);
});

test('only a number that a process can have is the pid of a server', () => {
  const pidOf = (pid: unknown) => {
    const answer = readAnswer(
      JSON.stringify({ kind: 'connected', version: '1', missing: [], pid }),
    );
    return answer?.kind === 'connected' ? answer.pid : undefined;
  };
  assert.equal(pidOf(812), 812);
  for (const each of [-1, 1.5, 2 ** 22, '812', null, '../../self'])
    assert.equal(pidOf(each), undefined);
});
