/**
 * Tenants' use of a real MariaDB server by the sockets of their clients, on Debian's kernel, which takes the programs: its
 * suites run inside the guest. Then the agent's own service does the same.
 */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { longPatienceMilliseconds } from '../../../testing/patience.ts';
import { startGuest, type Guest } from '../../../testing/vm/guest.ts';
import { buildBesideSources } from '../../../testing/vm/installed.ts';
import { passInside, prepareGuests } from '../../../testing/vm/suite.ts';
import { copyPackages, installCopied } from '../jails/packages.ts';

const guests = await prepareGuests(import.meta.filename, 'bpf');
const patient = { timeout: longPatienceMilliseconds };
const slow = { timeoutMs: longPatienceMilliseconds };

suite('database servers and the sockets of tenants', { skip: guests.skip }, () => {
  let guest: Guest;
  before(async () => {
    guest = await startGuest(guests.image, 1);
    await guest.copyProject();
    await buildBesideSources(guest);
    await copyPackages(guest, ['mariadb-server-core']);
    await guest.succeed(installCopied('mariadb-server-core'), slow);
  }, patient);
  after(() => guest?.[Symbol.asyncDispose]());

  for (const file of ['socket-peers', 'peers-agent'])
    test(`test/database/${file}.test.ts passes`, patient, () =>
      passInside(guest, `test/database/${file}.test.ts`, {
        environment: { BULKHEAD_TRACING: 'required' },
      }),
    );

  test('the service of the agent sees a server by its sockets', patient, async () => {
    const succeed = (command: string, input = '') => guest.succeed(command, { ...slow, input });
    await succeed(
      `useradd -r mysql; useradd -u 4301 -m alice; ln -sf /opt/bulkhead/bulkhead /usr/bin/bulkhead
install -d -o mysql /var/lib/mysql /run/mysqld && mkdir -p /etc/bulkhead /etc/mysql/conf.d && cat > /etc/bulkhead/policy.xml
cd /usr/share/mariadb && { cat <<'SQL'; cat mariadb_system_tables.sql mariadb_performance_tables.sql mariadb_system_tables_data.sql; } | mariadbd --no-defaults --user=mysql --bootstrap --datadir=/var/lib/mysql
CREATE DATABASE mysql;
USE mysql;
SET @auth_root_socket='root';
SET @skip_auth_anonymous=1;
SQL
systemd-run --quiet --unit=mariadb mariadbd --no-defaults --user=mysql --datadir=/var/lib/mysql --socket=/run/mysqld/mysqld.sock --skip-networking
cp /opt/bulkhead/packaging/bulkhead.service /etc/systemd/system/ && systemctl daemon-reload`,
      '<bulkhead version="1"><tenant user="alice"><database cpu="50%"/></tenant></bulkhead>\n',
    );
    await guest.until('bulkhead db enable');
    await succeed('systemctl start bulkhead');
    await guest.until(
      "bulkhead db status | grep -q 'seen by their sockets'",
      'bulkhead db status; journalctl -u bulkhead -n 30 --no-pager',
    );
    assert.match(
      await succeed('bulkhead doctor'),
      /cpu enforced, tenants are\s+seen\s+by\s+their\s+sockets/,
    );
    await succeed('systemctl kill -s KILL bulkhead && systemctl stop bulkhead');
    assert.doesNotMatch(await succeed('bulkhead db status'), /by their sockets/);
    assert.equal(await succeed('ls /sys/fs/bpf'), '');
  });
});
