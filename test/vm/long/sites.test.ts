/**
 * Sites that only the web server has, on a server as hosters run it: nginx and the agent as services of systemd, tenants and
 * a reseller on shells of their own, and the unit that asks nginx for the agent.
 */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { longPatienceMilliseconds } from '../../../testing/patience.ts';
import { guestOfSuite, prepareGuests } from '../../../testing/vm/suite.ts';

const guests = await prepareGuests(import.meta.filename);
const timeout = longPatienceMilliseconds;

const policy = `<bulkhead version="1">
  <agent interval="2s"/>
  <defaults><cpu limit="100%"/><memory limit="256MiB"/><sites limits="reseller tenant"/></defaults>
  <reseller user="acme"><tenant user="carl"/></reseller>
  <tenant user="ann"/>
  <tenant user="ben"/>
</bulkhead>
`;

const setUp = `set -e
uid=3001
for user in ann ben carl acme; do
  useradd -m -u $uid -s /bin/sh $user; chmod 755 /home/$user; uid=$((uid + 1))
  cat > /etc/nginx/sites-enabled/$user <<SITE
server { listen 127.0.0.1:8080; server_name $user.example www.$user.example; root /home/$user; }
SITE
done
rm -f /etc/nginx/sites-enabled/default; mkdir -p /etc/bulkhead
# Processors are emulated, and the machine may be busy.
for unit in bulkhead bulkhead-sites; do
  cp /opt/bulkhead/packaging/$unit.service /etc/systemd/system/
  mkdir -p /etc/systemd/system/$unit.service.d
  printf '[Service]\\nTimeoutStartSec=infinity\\n' > /etc/systemd/system/$unit.service.d/patient.conf
done
systemctl daemon-reload
`;

suite('sites that only the web server has', { skip: guests.skip }, () => {
  const as = (user: string, words: string) => `su ${user} -c "bulkhead ${words}"`;
  const until = (what: string) =>
    host.until(`${what} > /tmp/said 2>&1`, 'cat /tmp/said; journalctl -n 40 --no-pager');
  /**
   * Waits until a command is refused for the reason `why`. Earlier answers may be that web servers have not answered
   * yet, or that there were too many changes.
   */
  const refused = async (command: string, why: string): Promise<void> => {
    await until(`! ${command} 2> /tmp/why && grep -Eq '${why}' /tmp/why`);
  };
  const lineOf = (of: string, name: string) =>
    of
      .split('\n')
      .find((line) => line.startsWith(`${name} `))
      ?.trimEnd() ?? '';

  const host = guestOfSuite(guests, async () => {
    await succeed(setUp);
    await host.write('/etc/bulkhead/policy.xml', policy);
    await succeed('systemctl start nginx bulkhead');
  });
  const { succeed } = host;

  test('a tenant sets limits of its own sites, and of no others', { timeout }, async () => {
    await until(as('ann', 'set ann.example cpu=50%'));
    const file = '/etc/systemd/system/user-3001-ann.example.slice.d/90-bulkhead.conf';
    await until(`grep -q CPUQuota=50 ${file}`);
    assert.match(await succeed(as('ann', 'explain ann.example')), /^cpu limit +50% +set by ann/m);
    await refused(as('ben', 'set ann.example cpu=10%'), 'served: ben.example, www.ben.example');
    await refused(as('ben', 'set ann/ann.example cpu=10%'), 'none with that name');
    assert.doesNotMatch(await succeed('ls /etc/systemd/system'), /user-3002-/);
  });

  test('a reseller sets limits that its tenants cannot lift', { timeout }, async () => {
    await until(as('acme', 'set carl/carl.example memory=64MiB'));
    await refused(
      as('carl', 'set carl.example memory=128MiB'),
      'your reseller acme has set memory',
    );
    await refused(as('carl', 'unset carl.example memory'), 'reseller acme has set memory');
    await refused(as('acme', 'set ann/ann.example cpu=10%'), 'none with that name');
    assert.match(
      await succeed('bulkhead explain carl/carl.example'),
      /^memory limit +64MiB +set by reseller acme/m,
    );
  });

  test('web status shows limits of sites, and limits that are not used', { timeout }, async () => {
    const status = await succeed('bulkhead web status');
    assert.match(lineOf(status, 'ann.example'), / cpu 50%$/);
    assert.match(lineOf(status, 'carl.example'), / memory 64MiB$/);
    assert.match(lineOf(status, 'ben.example'), / -$/);
    assert.doesNotMatch(status, /not used/);
    await succeed('rm /etc/nginx/sites-enabled/ann && systemctl reload nginx');
    const gone = await succeed('bulkhead web status');
    assert.match(gone.replace(/\s+/g, ' '), /Limits that are not used: .*: ann\/ann\.example/);
    assert.match(await succeed(as('ann', 'explain ann.example')), /^cpu limit +50% +set by ann/m);
    await until(as('ann', 'unset ann.example cpu'));
    await until(`! ${as('ann', 'explain ann.example')}`);
    assert.doesNotMatch(await succeed('bulkhead web status'), /not used/);
  });

  test(
    'set as root writes to the policy, and warns when no web server serves the site',
    { timeout },
    async () => {
      const served = await host.guest.run('bulkhead set ben/ben.example cpu=20%', {
        timeoutMs: timeout,
      });
      assert.equal(served.status, 0, served.stderr);
      assert.doesNotMatch(served.stderr, /No web server/);
      const other = await host.guest.run('bulkhead set ben/typo.example cpu=20%', {
        timeoutMs: timeout,
      });
      assert.equal(other.status, 0, other.stderr);
      assert.match(
        other.stderr,
        /No web server serves "ben\/typo\.example".*"bulkhead web status"/,
      );
      assert.match(await succeed('cat /etc/bulkhead/policy.xml'), /<site name="typo\.example">/);
      await refused(as('ben', 'set ben.example cpu=10%'), 'the administrator has set cpu limit');
    },
  );

  test(
    'set still works for known sites when nginx refuses its configuration',
    { timeout },
    async () => {
      await succeed('echo "nonsense on;" > /etc/nginx/conf.d/broken.conf');
      await refused(as('ben', 'set new.example cpu=10%'), 'the web servers could not be asked');
      await until(as('ben', 'set www.ben.example cpu=10%'));
      await succeed('rm /etc/nginx/conf.d/broken.conf');
    },
  );

  test('release leaves no site limits', { timeout }, async () => {
    await succeed('systemctl stop bulkhead && bulkhead release');
    assert.equal(
      await succeed('ls /var/lib/bulkhead | grep -E "web-sites|site-limits" || true'),
      '',
    );
  });
});
