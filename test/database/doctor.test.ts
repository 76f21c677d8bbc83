/** The text of `doctor` about database servers. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  doctorText,
  type DoctorAccount,
  type DoctorServer,
  type LimitNames,
} from '../../src/database/core/doctor.ts';

const socket = '/run/mysqld/mysqld.sock';
const limits = new Set(['connections', 'statementMilliseconds'] as const);

const account = (given: Partial<DoctorAccount>): DoctorAccount => ({
  account: 'alice_1',
  host: 'localhost',
  connections: 0,
  isRole: false,
  privileges: [],
  createsEvents: false,
  grants: false,
  isTenants: true,
  ...given,
});

const server = (given: Partial<DoctorServer>): DoctorServer => ({
  socket,
  isEnabled: true,
  version: '11.8.6-MariaDB-0+deb13u1',
  ...given,
});

test('a server that has everything is one line', () => {
  assert.deepEqual(doctorText([server({ accounts: [account({})] })], limits), {
    text: `MariaDB 11.8.6 at ${socket}: connections, statement enforced`,
    remarks: [],
  });
});

test('a server that nothing is asked of says so', () => {
  assert.deepEqual(doctorText([{ socket, isEnabled: false }], new Set()), {
    text: `${socket}: no limits are set`,
    remarks: [],
  });
});

test('a server that is not enabled, and one that does not answer, enforce nothing', () => {
  const off = doctorText([{ socket, isEnabled: false }], limits);
  assert.match(off.text, /no limit is enforced/);
  assert.match(off.remarks.join('\n'), /bulkhead db enable/);
  const hung = doctorText([{ socket, isEnabled: true, problem: 'it does not answer' }], limits);
  assert.match(hung.text, /unknown/);
  assert.deepEqual(hung.remarks, [`${socket}: it does not answer`]);
});

test('a server with an account without a name enforces only connections', () => {
  const { text, remarks } = doctorText(
    [server({ accounts: [account({ account: '', isTenants: false })] })],
    limits,
  );
  assert.equal(text, `MariaDB 11.8.6 at ${socket}: connections enforced`);
  assert.match(remarks.join('\n'), /only connections are limited, since an account without a name/);
});

test('a read-only server cannot be told numbers of connections', () => {
  const { text, remarks } = doctorText([server({ isReadOnly: true })], limits);
  assert.equal(text, `MariaDB 11.8.6 at ${socket}: statement enforced`);
  assert.match(remarks.join('\n'), /read-only/);
});

test('what gets around limits is named, and hostile names stay on their line', () => {
  const accounts = [
    account({ account: 'root', privileges: ['SUPER'], isTenants: false }),
    account({ account: 'bulkhead-db', privileges: ['PROCESS'], isTenants: false }),
    account({ account: 'a_role', privileges: ['SUPER'], isRole: true }),
    account({ account: 'alice\n\u001b[31m', privileges: ['SUPER', 'FILE'] }),
    account({ account: 'alice_odd', privileges: undefined }),
    account({ account: 'alice_2', createsEvents: true, grants: true }),
    account({ account: 'app', createsEvents: true, isTenants: false }),
  ];
  const { remarks } = doctorText([server({ runsEvents: true, accounts })], limits);
  assert.equal(remarks.length, 5);
  assert.match(
    remarks[0] ?? '',
    /event_scheduler is on: no account is charged for what an event uses after it was last seen/,
  );
  assert.match(remarks[1] ?? '', /1 account with global privileges.*\(SUPER, FILE\)/);
  assert.match(remarks[2] ?? '', /alice_odd@localhost/);
  assert.match(remarks[3] ?? '', /1 account of tenants that may create events.*alice_2/);
  assert.match(remarks[4] ?? '', /GRANT OPTION.*alice_2/);
  for (const odd of ['\n', '\u001b']) assert.ok(!remarks.join('').includes(odd));
});

test('PostgreSQL enforces the limit of CPU time in part, and lines with trust are named', () => {
  const at = '/run/postgresql/.s.PGSQL.5432';
  const version = 'PostgreSQL 17.2 (Debian 17.2-1)';
  const missing = ['the CPU time of connections that end within a second'];
  const own = { socket: at, version, missing };
  const cpu: LimitNames = new Set(['cpu', 'connections']);
  const { text, remarks } = doctorText([server(own)], cpu);
  assert.equal(text, `PostgreSQL 17.2 at ${at}: cpu of kept connections, connections enforced`);
  assert.match(remarks.join('\n'), /does not show the CPU time of connections that end within/);
  const anybody = account({ account: '', host: '', isTenants: false });
  const open = doctorText([server({ ...own, accounts: [anybody] })], cpu);
  assert.match(open.remarks.join('\n'), /only connections are limited, since pg_hba\.conf/);
});
