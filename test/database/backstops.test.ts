/** Which sessions are ended, and why: pure decisions, and the division of a tenant's number of connections. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  decideEndings,
  heaviest,
  noAttempts,
  type BackstopLimits,
  type BackstopRules,
} from '../../src/database/core/backstops.ts';
import {
  connectionNumbers,
  keyOf,
  type ServerAccount,
} from '../../src/database/core/connection-numbers.ts';
import type { Session } from '../../src/database/core/look.ts';
import { accessOf, privilegesOf } from '../../src/database/core/rights/privileges.ts';

const session = (given: Partial<Session>): Session => ({
  id: 1,
  account: 'alice_1',
  isLocal: true,
  isRunning: true,
  statementMilliseconds: 100,
  transactionMilliseconds: undefined,
  threadCpuMicroseconds: undefined,
  statement: 'SELECT 1',
  ...given,
});

const rules = (limits: BackstopLimits, more: Partial<BackstopRules> = {}): BackstopRules => ({
  owners: new Map([
    ['alice_1', 1001],
    ['alice_2', 1001],
    ['bob_1', 1002],
  ]),
  limits: new Map([[1001, limits]]),
  privileged: new Set(),
  ...more,
});

const limited = rules({ statementMilliseconds: 1000, transactionMilliseconds: 2000 });
const endings = (sessions: readonly Session[], by = limited) =>
  decideEndings({ sessions }, by, noAttempts).endings.map(({ id, what, why }) =>
    [id, what, why].join(' '),
  );

test('a statement that takes longer than allowed is ended, and no other', () => {
  assert.deepEqual(
    endings([
      session({ id: 1, statementMilliseconds: 1001 }),
      session({ id: 2, statementMilliseconds: 1000 }),
      session({ id: 3, statementMilliseconds: undefined }),
      session({ id: 4, statementMilliseconds: 9000, isRunning: false }),
      session({ id: 5, statementMilliseconds: 9000, account: 'bob_1' }),
    ]),
    ['1 statement statement'],
  );
});

test('nobody, servers, exempt and privileged accounts are never ended', () => {
  const late = { statementMilliseconds: 1e9, transactionMilliseconds: 1e9 };
  const accounts = [
    '',
    'root',
    'mysql',
    'mariadb.sys',
    'bulkhead-db',
    'system user',
    'carol',
    'alice_2',
  ];
  const named = rules(
    { statementMilliseconds: 1, transactionMilliseconds: 1, connections: 0 },
    {
      owners: new Map(accounts.filter((each) => each !== 'carol').map((each) => [each, 1001])),
      privileged: new Set(['alice_2', 'system user']),
    },
  );
  const sessions = accounts.map((account, id) => session({ id: id + 1, account, ...late }));
  assert.deepEqual(endings(sessions, named), []);
});

test('a statement that goes on after three attempts loses its connection', () => {
  let attempts = noAttempts;
  const whats: string[] = [];
  for (const time of [1100, 2100, 3100, 4100, 5100]) {
    const found = decideEndings(
      { sessions: [session({ statementMilliseconds: time })] },
      limited,
      attempts,
    );
    attempts = found.attempts;
    whats.push(...found.endings.map(({ what }) => what));
  }
  assert.deepEqual(whats, ['statement', 'statement', 'statement', 'connection', 'connection']);
});

test('the next statement of a connection gets its own attempts', () => {
  let attempts = noAttempts;
  const whats: string[] = [];
  for (const time of [1100, 2100, 3100, 1050, 20, 1060, 2060]) {
    const found = decideEndings(
      { sessions: [session({ statementMilliseconds: time })] },
      limited,
      attempts,
    );
    attempts = found.attempts;
    whats.push(...found.endings.map(({ what }) => what));
  }
  assert.deepEqual(whats, Array<string>(6).fill('statement'));
});

test('an idle transaction loses its connection, and a busy one does not', () => {
  assert.deepEqual(
    endings([
      session({ id: 1, isRunning: false, transactionMilliseconds: 2001 }),
      session({ id: 2, isRunning: false, transactionMilliseconds: 2000 }),
      session({ id: 3, isRunning: true, transactionMilliseconds: 9000 }),
      session({ id: 4, isRunning: false, transactionMilliseconds: undefined }),
    ]),
    ['1 connection transaction'],
  );
});

test('connections above the number are ended, idle ones first, of all accounts together', () => {
  const sessions = [
    session({ id: 1, isRunning: true }),
    session({ id: 2, isRunning: false, account: 'alice_2' }),
    session({ id: 3, isRunning: false }),
    session({ id: 4, isRunning: true, account: 'alice_2' }),
    session({ id: 5, account: 'bob_1' }),
  ];
  const to = (connections: number) => endings(sessions, rules({ connections }));
  assert.deepEqual(to(4), []);
  assert.deepEqual(to(3), ['3 connection connections']);
  assert.deepEqual(to(1), [
    '3 connection connections',
    '2 connection connections',
    '4 connection connections',
  ]);
});

test('without a number, only idle connections above a part of them are ended', () => {
  const sessions = [1, 2, 3, 4, 5, 6].map((id) => session({ id, isRunning: id > 4 }));
  const to = (idleConnections: number) => endings(sessions, rules({ idleConnections }));
  assert.deepEqual(to(6), []);
  assert.deepEqual(to(4), ['4 connection connections', '3 connection connections']);
  assert.equal(to(1).length, 4, 'those that work stay');
  assert.deepEqual(endings(sessions, rules({ idleConnections: 1, connections: 6 })), []);
});

test('the statements that have used most are ended first, and then the oldest', () => {
  const sessions = [
    session({ id: 1, statementMilliseconds: 9000 }),
    session({ id: 2, statementMilliseconds: 300, runningCpuMicroseconds: 200_000 }),
    session({ id: 3, statementMilliseconds: 100, runningCpuMicroseconds: 300_000 }),
    session({ id: 4, statementMilliseconds: 9500 }),
    session({ id: 5, isRunning: false }),
    session({ id: 6, account: 'alice_super', runningCpuMicroseconds: 900_000 }),
    session({ id: 7, account: 'root', runningCpuMicroseconds: 900_000 }),
  ];
  const ids = (count: number) =>
    heaviest(sessions, 1001, new Set(['alice_super']), count).map(({ id }) => id);
  assert.deepEqual(ids(0), []);
  assert.deepEqual(ids(3), [3, 2, 4]);
  assert.deepEqual(ids(64), [3, 2, 4, 1]);
});

const account = (given: Partial<ServerAccount>): ServerAccount => ({
  account: 'alice_1',
  host: 'localhost',
  connections: 0,
  isRole: false,
  privileges: [],
  createsEvents: false,
  grants: false,
  ...given,
});

test('the numbers of a tenant add up to its limit, and each account has one', () => {
  const input = fc.record({
    count: fc.integer({ min: 1, max: 60 }),
    limit: fc.integer({ min: 1, max: 200 }),
  });
  fc.assert(
    fc.property(input, ({ count, limit }) => {
      const accounts = Array.from({ length: count }, (_, index) =>
        account({ account: `alice_${index}` }),
      );
      const owners = new Map(accounts.map((each) => [each.account, 1001]));
      const { wanted, exceeded } = connectionNumbers({
        accounts,
        owners,
        limits: new Map([[1001, limit]]),
      });
      const sum = wanted.reduce((total, { connections }) => total + connections, 0);
      assert.equal(wanted.length, count);
      assert.ok(wanted.every(({ connections }) => connections >= 1));
      assert.equal(sum, Math.max(limit, count));
      assert.deepEqual(exceeded, count > limit ? [1001] : []);
    }),
  );
});

test('accounts of nobody, roles, and accounts with global or unknown privileges get no number', () => {
  const accounts = [
    account({ account: 'carol' }),
    account({ account: 'a_role', isRole: true }),
    account({ account: 'a_super', privileges: ['SUPER'] }),
    account({ account: 'a_unknown', privileges: undefined }),
    account({ account: 'root' }),
    account({ account: '' }),
    account({ account: 'bob_1' }),
  ];
  const owners = new Map(
    accounts.filter((each) => each.account !== 'carol').map((each) => [each.account, 1001]),
  );
  owners.set('bob_1', 1002);
  const limits = new Map([[1001, 5]]);
  assert.deepEqual(connectionNumbers({ accounts, owners, limits }).wanted, []);
});

test('no two accounts have the same key', () => {
  assert.notEqual(keyOf({ account: 'a@b', host: 'c' }), keyOf({ account: 'a', host: 'b@c' }));
});

test('privileges are read from the number of the server', () => {
  assert.deepEqual(privilegesOf('0'), []);
  assert.deepEqual(privilegesOf('4294967552'), ['PROCESS', 'CONNECTION ADMIN']);
  assert.deepEqual(privilegesOf('1'), ['others']);
  assert.equal(privilegesOf('18446744073709551615')?.includes('SUPER'), true);
  for (const odd of ['', '-1', '0x1', '1e3', 'null', '999999999999999999999'])
    assert.equal(privilegesOf(odd), undefined);
  assert.equal(accessOf('SUPER'), 1n << 15n);
});
