/**
 * Alerts about tenants' PHP-FPM by mail, with a real mail server and the agent as a service in its sandbox: pools that are
 * refused, a unit that fails, and a division that fails. Each is sent once, and again after it was repaired.
 */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { installFromPool } from '../../../../testing/package-pool.ts';
import { longPatienceMilliseconds } from '../../../../testing/patience.ts';
import { withPatientFpm } from '../../../../testing/vm/installed.ts';
import { guestOfSuite, prepareGuests } from '../../../../testing/vm/suite.ts';
import { formatCause } from '../../../../packages/base/problem.ts';

const guests = await prepareGuests(import.meta.filename);
const timeout = longPatienceMilliseconds;
const pools = '/etc/php/8.4/fpm/pool.d';
const inbox = '/var/mail/oncall';

const policy = `<bulkhead version="1"><host driver="systemd"/>
  <agent interval="2s"><alerts from="bulkhead@guest.example" smtp="127.0.0.1:25">
    <mail to="administrator" address="oncall@guest.example" limits="protection" every="1min"/>
  </alerts></agent>
  <tenants uids="3100-3199"/><defaults><processes limit="60"/></defaults></bulkhead>
`;

/** The mailbox, with long lines as they were before mail cut them. */
const mailsScript = `#!/bin/sh
perl -0pe 's/\\r//g; s/=\\n//g; s/\\n[ \\t]+/ /g' ${inbox}
`;

const setUp = `set -e
useradd -m oncall
uid=3101
for user in erin fay; do
  useradd -m -u $uid -s /bin/sh $user; chmod 755 /home/$user; uid=$((uid + 1))
  echo '<?php echo posix_geteuid();' > /home/$user/index.php
  cat > ${pools}/$user.conf <<POOL
[$user]
user = $user
group = $user
listen = /run/php/$user.sock
listen.group = www-data
pm = static
pm.max_children = 2
POOL
  cat > /etc/nginx/sites-enabled/$user <<SITE
server {
  listen 127.0.0.1:8080;
  server_name $user.example;
  location / { include fastcgi_params; fastcgi_param SCRIPT_FILENAME /home/$user/index.php; fastcgi_pass unix:/run/php/$user.sock; fastcgi_read_timeout 1h; }
}
SITE
done
rm -f /etc/nginx/sites-enabled/default
cat > /usr/local/bin/ask <<'ASK'
#!/bin/bash
# NAME: the status of the answer, and its text.
exec 3<>/dev/tcp/127.0.0.1/8080
printf 'GET / HTTP/1.0\\r\\nHost: %s\\r\\n\\r\\n' "$1.example" >&3
read -r _ status _ <&3; text=$(cat <&3 | tail -n 1); echo "$status $text"
ASK
chmod 755 /usr/local/bin/ask /usr/local/bin/mails
for unit in bulkhead bulkhead-placement bulkhead-jail bulkhead-symlinks; do
  mkdir -p /etc/systemd/system/$unit.service.d
  printf '[Service]\\nTimeoutStartSec=infinity\\nWatchdogSec=0\\n' > /etc/systemd/system/$unit.service.d/patient.conf
done
systemctl start nginx php8.4-fpm
bulkhead apply; bulkhead web fpm enable --all; bulkhead units enable
`;

suite('alerts about PHP-FPM', { skip: guests.skip }, () => {
  const said = async (command: string) => (await succeed(command)).trim();
  const isServed = async (name: string, uid: number) =>
    assert.equal(await said(`ask ${name}`), `200 ${uid}`);
  /** Waits for the mail with that number, and returns it. */
  const mails = async (title: string, count: number) => {
    await until(
      `[ "$(mails | grep -c '^Subject: .*${title}')" -ge ${count} ]`,
      'mails; tail -n 20 /var/log/exim4/mainlog; journalctl -n 40 --no-pager -u bulkhead',
    );
    const found = (await said('mails')).split(/^From /m).filter((each) => each.includes(title));
    assert.equal(found.length, count);
    return found.at(-1)?.replaceAll(/\s+/g, ' ') ?? '';
  };
  const doctor = async () => (await run('bulkhead doctor')).stdout.replaceAll(/\s+/g, ' ');
  /** Waits for so many checks of the agent, which reads that file once a minute. */
  const checks = async (count: number) => {
    for (let check = 0; check < count; check++)
      await until(
        `[ -e /run/reference ] || touch /run/reference; [ -n "$(find /run/bulkhead/fpm-8.4.outcome -anewer /run/reference)" ] && rm /run/reference`,
      );
  };

  const host = guestOfSuite(guests, async (guest) => {
    await withPatientFpm(guest);
    // No DNS answers here, and Exim waits for it each time that it starts.
    await succeed(
      `echo guest.example > /etc/mailname; printf '127.0.0.1 localhost\\n127.0.1.1 guest.example guest\\n' > /etc/hosts; sed -i 's/^hosts:.*/hosts: files/' /etc/nsswitch.conf`,
    );
    const installed = await installFromPool(guest, ['exim4-daemon-light']);
    assert.ok(installed.ok, installed.ok ? '' : formatCause(installed.error));
    await write('/etc/bulkhead/policy.xml', policy);
    await write('/usr/local/bin/mails', mailsScript);
    await succeed(setUp);
    await succeed('systemctl start exim4');
    await isServed('erin', 3101);
    await isServed('fay', 3102);
  });
  const { run, succeed, until, write } = host;

  const subject = 'the PHP 8.4 pools of erin are not as their files say';
  const sabotage = `echo 'chdir = /home/erin/none' >> ${pools}/erin.conf; systemctl reload php8.4-fpm`;
  const repair = `sed -i '/^chdir/d' ${pools}/erin.conf; systemctl reload php8.4-fpm`;

  test('alerts test sends a message', { timeout }, async () => {
    await succeed('bulkhead alerts test');
    await until(`grep -q '^Subject: ' ${inbox}`, `cat /var/log/exim4/mainlog`);
  });

  test(
    'a broken pool is reported once, and all tenants are still served',
    { timeout },
    async () => {
      await run(sabotage);
      const mail = await mails(subject, 1);
      assert.match(mail, / To: oncall@guest\.example /);
      assert.match(mail, /erin.*chdir.*\/home\/erin\/none/);
      assert.match(mail, /systemctl reload php8\.4-fpm/);
      assert.match(await doctor(), /the pools of erin \(PHP 8\.4\) are not as their files say/);
      assert.match(
        await said('journalctl -o cat --no-pager -u bulkhead'),
        /The pools of erin \(PHP 8\.4\)/,
      );
      // What was in force stays so.
      await isServed('erin', 3101);
      await isServed('fay', 3102);
      await checks(2);
      await mails(subject, 1);
    },
  );

  test(
    'a repaired pool is no longer reported, and is when it breaks again',
    { timeout },
    async () => {
      await succeed(repair);
      assert.doesNotMatch(await doctor(), /not as their files say/);
      await isServed('erin', 3101);
      await checks(1);
      await run(sabotage);
      await mails(subject, 2);
      await succeed(repair);
    },
  );

  test('a failed division of pools is reported, and all are served', { timeout }, async () => {
    await succeed(
      `cp /etc/php/8.4/fpm/php-fpm.conf /root/; echo 'unknown_entry = 1' >> /etc/php/8.4/fpm/php-fpm.conf`,
    );
    const reloaded = await run('systemctl reload php8.4-fpm');
    assert.notEqual(reloaded.status, 0);
    const mail = await mails('the pools of PHP 8.4 could not be divided', 1);
    assert.match(mail, /unknown entry 'unknown_entry'|unknown_entry/);
    await isServed('erin', 3101);
    await isServed('fay', 3102);
    await succeed(
      'cp /root/php-fpm.conf /etc/php/8.4/fpm/php-fpm.conf; systemctl reload php8.4-fpm',
    );
    assert.doesNotMatch(await doctor(), /could not be divided/);
  });

  test('a service that does not start is reported', { timeout }, async () => {
    const unit = 'bulkhead-fpm84@3101.service';
    // It is not tried again until somebody asks for a page.
    await succeed(
      `systemctl stop ${unit}; mv /etc/bulkhead/fpm/8.4/3101.conf /root/; systemctl start ${unit} || true`,
    );
    await until(`systemctl is-failed --quiet ${unit}`);
    const mail = await mails('a PHP 8.4 service of erin failed', 1);
    assert.match(mail, /journalctl -u bulkhead-fpm84@3101\.service/);
    await isServed('fay', 3102);
    await succeed(`mv /root/3101.conf /etc/bulkhead/fpm/8.4/; systemctl start ${unit}`);
    await isServed('erin', 3101);
    assert.doesNotMatch(await doctor(), /bulkhead-fpm84@3101\.service of erin failed/);
    await checks(1);
    assert.equal(await said("mails | grep -c '^Subject: '"), '5');
  });
});
