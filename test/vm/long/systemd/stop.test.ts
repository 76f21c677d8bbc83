/**
 * Tenants that are stopped or frozen, with PHP-FPM services and logins of their own, on Debian with systemd and slices: nothing
 * of them comes back, over reloads and a reboot, until they are started. At first no agent runs, so that nothing else ends anything.
 */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { longPatienceMilliseconds } from '../../../../testing/patience.ts';
import { withPatientFpm } from '../../../../testing/vm/installed.ts';
import { guestOfSuite, prepareGuests } from '../../../../testing/vm/suite.ts';

const guests = await prepareGuests(import.meta.filename);
const timeout = longPatienceMilliseconds;

/** erin will be stopped, fay frozen; bob is a neighbour. */
const tenants = { erin: 3101, fay: 3102, bob: 3103 } as const;
type Name = keyof typeof tenants;

const policy = `<bulkhead version="1"><host driver="systemd"/><agent interval="2s"/><tenants uids="3100-3199"/>
  <defaults><memory limit="200MiB"/><processes limit="60"/></defaults></bulkhead>
`;

/** The script waits while there is a gate and it is asked to. */
const setUp = `set -e
mkdir -m 777 /srv/gate; mkdir /root/keys; ssh-keygen -q -t ed25519 -N '' -f /root/keys/id
uid=3101
for user in ${Object.keys(tenants).join(' ')}; do
  useradd -m -u $uid -s /bin/sh $user; chmod 755 /home/$user; uid=$((uid + 1))
  mkdir -m 700 /home/$user/.ssh; cp /root/keys/id.pub /home/$user/.ssh/authorized_keys; chown -R $user: /home/$user/.ssh
  cat > /home/$user/index.php <<'PHP'
<?php $me = "/srv/gate/" . posix_geteuid();
if (isset($_GET["wait"])) { touch($me); while (!file_exists("/srv/gate/open")) { usleep(50000); clearstatcache(); } }
echo trim(file_get_contents("/proc/self/cgroup"));
PHP
  cat > /etc/php/8.4/fpm/pool.d/$user.conf <<POOL
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
  root /home/$user;
  location / { include fastcgi_params; fastcgi_param SCRIPT_FILENAME /home/$user/index.php; fastcgi_pass unix:/run/php/$user.sock; fastcgi_read_timeout 1h; }
}
SITE
done
rm -f /etc/nginx/sites-enabled/default
cat > /usr/local/bin/ask <<'ASK'
#!/bin/bash
# NAME [PATH]: the status of the answer, and its text.
exec 3<>/dev/tcp/127.0.0.1/8080
printf 'GET %s HTTP/1.0\\r\\nHost: %s\\r\\n\\r\\n' "\${2-/}" "$1.example" >&3
read -r _ status _ <&3; text=$(cat <&3 | tail -n 1); echo "$status $text"
ASK
chmod 755 /usr/local/bin/ask
# The manager of each user that pam_systemd starts takes seconds here, and is not what is tested.
systemctl mask -q user@.service
systemctl enable -q --now nginx php8.4-fpm ssh cron atd
bulkhead apply && bulkhead pam enable && bulkhead web fpm enable --all
`;

const ssh = (name: Name) =>
  `ssh -F none -i /root/keys/id -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o BatchMode=yes ${name}@127.0.0.1`;

suite('stopped tenants on a host with systemd', { skip: guests.skip }, () => {
  const said = async (command: string) => (await succeed(command)).trim();
  const slice = (name: Name) => `/sys/fs/cgroup/user.slice/user-${tenants[name]}.slice`;
  const units = (name: Name) =>
    `bulkhead-fpm84@${tenants[name]}.service bulkhead-fpm84@${tenants[name]}:${name}.socket`;
  const isServed = async (name: Name) =>
    assert.match(
      await said(`ask ${name}`),
      new RegExp(`^200 0::/user\\.slice/user-${tenants[name]}\\.slice/`),
    );
  const isOut = async (name: Name) => {
    assert.match(await said(`ask ${name}`), /^502/);
    const states = await run(`systemctl is-active ${units(name)}`);
    assert.equal(states.stdout, 'inactive\ninactive\n');
  };
  /** The logins and jobs that came about, each by the file that its command makes. */
  const loginsOf = async (...who: readonly Name[]) => {
    await succeed(
      'rm -rf /srv/in; mkdir -m 1777 /srv/in; cd /; echo "* * * * * root touch /srv/minute" > /etc/cron.d/stop-test',
    );
    for (const name of who) {
      const made = (how: string) => `touch /srv/in/${name}-${how}`;
      await succeed(`echo '* * * * * ${name} ${made('cron')}' >> /etc/cron.d/stop-test`);
      await run(`${ssh(name)} ${made('ssh')} </dev/null`);
      await run(`su ${name} -c '${made('su')}' </dev/null`);
      await run(`su - ${name} -c '${made('su-l')}' </dev/null`);
      await run(`bulkhead exec ${name} -- ${made('exec')} </dev/null`);
      await run(
        `echo '${made('at')}' | setpriv --reuid ${name} --regid ${name} --init-groups at now`,
      );
    }
    // All jobs of one minute start together.
    await succeed('rm -f /srv/minute');
    await until('[ -e /srv/minute ]');
    await succeed('rm /etc/cron.d/stop-test');
    // Those of `at` have left the queue "a"; the file of one that was killed stays behind.
    await until('! atq | grep -q " a " && ! pgrep -P "$(pgrep -xo cron),$(pgrep -xo atd)"');
    return (await said('ls /srv/in')).split('\n').filter((each) => each !== '');
  };
  const allOf = (...who: readonly Name[]) =>
    who.flatMap((name) =>
      ['at', 'cron', 'exec', 'ssh', 'su', 'su-l'].map((how) => `${name}-${how}`),
    );

  const host = guestOfSuite(guests, async (guest) => {
    await withPatientFpm(guest);
    await write('/etc/bulkhead/policy.xml', policy);
    await succeed(setUp);
    for (const name of Object.keys(tenants) as Name[]) await isServed(name);
  });
  const { run, succeed, until, write } = host;

  test('tenants can log in before a stop', { timeout }, async () => {
    assert.deepEqual(await loginsOf('erin', 'fay'), allOf('erin', 'fay'));
  });

  test(
    "stop ends a tenant's PHP requests and sessions, and keeps new ones out",
    { timeout },
    async () => {
      await succeed(
        `setsid bulkhead exec erin -- sh -c 'exec sleep 3601 </dev/null >/dev/null 2>&1' & :
       setsid ${ssh('erin')} sleep 3602 </dev/null >/dev/null 2>&1 & :
       ask erin /?wait > /srv/asked 2>&1 & :`,
      );
      await until(
        '[ -e /srv/gate/3101 ] && pgrep -u erin -fx "sleep 3601" && pgrep -u erin -fx "sleep 3602"',
      );
      const text = await said('bulkhead stop erin --reason "ticket 4711"');
      assert.match(
        text,
        /^erin is stopped: .*2 services and sockets were stopped.*bulkhead start erin/,
      );
      assert.match(text, /No agent is running/);
      assert.equal(await said('pgrep -u erin || true'), '');
      await until('grep -q "^50[24]" /srv/asked');
      await isOut('erin');
      assert.deepEqual(await loginsOf('erin'), []);
      assert.equal(await said('pgrep -u erin || true'), '');
      await isServed('bob');
      assert.match(
        (await run('bulkhead exec erin -- true')).stderr,
        /"erin" is stopped; bulkhead start erin/,
      );
      assert.match(await said('bulkhead status'), /erin is stopped by root.*ticket 4711/);
    },
  );

  test('a reload, a pool and apply start nothing of a stopped tenant', { timeout }, async () => {
    await succeed('systemctl reload php8.4-fpm');
    await isOut('erin');
    await succeed(
      `cd /etc/php/8.4/fpm/pool.d && sed 's/\\[erin\\]/[more]/; s/erin.sock/more.sock/' erin.conf > more.conf
       sed 's/erin.example/more.example/; s/erin.sock/more.sock/' /etc/nginx/sites-enabled/erin > /etc/nginx/sites-enabled/more
       nginx -s reload; systemctl reload php8.4-fpm; bulkhead apply`,
    );
    await isOut('erin');
    assert.match(await said('ask more'), /^502/);
    assert.equal(await said('pgrep -u erin || true'), '');
    await isServed('bob');
  });

  test('stop --freeze suspends a request, and start lets it go on', { timeout }, async () => {
    await succeed(
      `setsid bulkhead exec fay -- sh -c 'exec sleep 3603 </dev/null >/dev/null 2>&1' & :
       ask fay /?wait > /srv/asked 2>&1 & :`,
    );
    await until('[ -e /srv/gate/3102 ] && pgrep -u fay -fx "sleep 3603"');
    assert.match(
      await said('bulkhead stop fay --freeze'),
      /^fay is stopped: its processes are frozen/,
    );
    await until(`grep -qx "frozen 1" ${slice('fay')}/cgroup.events`);
    await succeed('touch /srv/gate/open');
    assert.deepEqual(await loginsOf('fay'), []);
    const pids = await said('pgrep -u fay');
    await succeed(
      `sed -i 's/max_children = 2/max_children = 3/' /etc/php/8.4/fpm/pool.d/fay.conf; systemctl reload php8.4-fpm`,
    );
    assert.equal(await said('pgrep -u fay'), pids);
    assert.equal(await said('cat /srv/asked'), '');
    assert.match(await said('bulkhead start fay'), /^fay may run again; it was frozen by root/);
    await until(`grep -qx "frozen 0" ${slice('fay')}/cgroup.events`);
    await until('grep -q ^200 /srv/asked');
    await isServed('fay');
    assert.equal(await said(`systemctl is-active ${units('fay')}`), 'active\nactive');
    assert.equal(await said('pgrep -u fay -fxc "sleep 3603"'), '1');
    assert.equal(
      await said(
        'find /etc/systemd/system -name "*3102*stopped*" -o -path "*3102*" -name "*stopped*"',
      ),
      '',
    );
  });

  test('stopped and frozen tenants stay out after a reboot', { timeout }, async () => {
    await succeed('rm /srv/gate/*; ask fay /?wait > /srv/asked 2>&1 & :');
    await until('[ -e /srv/gate/3102 ]');
    await succeed('bulkhead stop fay --freeze');
    await succeed(`for unit in bulkhead bulkhead-placement bulkhead-jail bulkhead-symlinks; do mkdir -p /etc/systemd/system/$unit.service.d
printf '[Service]\\nTimeoutStartSec=infinity\\nWatchdogSec=0\\n' > /etc/systemd/system/$unit.service.d/patient.conf; done`);
    // What applies the policy at boot, without the agent.
    await succeed('bulkhead units enable; systemctl disable -q --now bulkhead');
    await host.guest.reboot();
    await until('systemctl is-active -q nginx php8.4-fpm ssh cron atd');
    assert.equal((await run('systemctl is-active bulkhead')).stdout, 'inactive\n');
    assert.equal(await said('pgrep -u erin,fay || true'), '');
    for (const name of ['erin', 'fay'] as const) await isOut(name);
    assert.deepEqual(await loginsOf('erin', 'fay'), []);
    assert.match(await said('ask more'), /^502/);
    await isServed('bob');
    await succeed('systemctl reload php8.4-fpm; bulkhead apply');
    for (const name of ['erin', 'fay'] as const) await isOut(name);
    assert.equal(await said('systemctl --failed --no-legend --plain || true'), '');
  });

  test('the agent ends or freezes what a stopped tenant starts', { timeout }, async () => {
    await succeed('systemctl start bulkhead');
    for (const name of ['erin', 'fay'] as const) {
      await succeed(`setpriv --reuid ${name} --clear-groups sleep 3604 >/dev/null 2>&1 & :`);
      await until(
        name === 'erin'
          ? '! pgrep -u erin'
          : `grep -qx "frozen 1" ${slice('fay')}/cgroup.events && grep -q user-3102.slice /proc/$(pgrep -u fay -fx "sleep 3604")/cgroup`,
      );
      await isOut(name);
    }
  });

  test(
    'start serves tenants in their slices again, with pools that were added meanwhile',
    { timeout },
    async () => {
      for (const name of ['erin', 'fay'] as const) {
        assert.match(await said(`bulkhead start ${name}`), new RegExp(`^${name} may run again`));
        await isServed(name);
      }
      assert.deepEqual(await loginsOf('erin', 'fay'), allOf('erin', 'fay'));
      await until('ask more | grep -q "^200 0::/user.slice/user-3101.slice/"');
      assert.equal(
        await said(
          'find /etc/systemd/system /var/lib/bulkhead -name "*stopped.conf" -o -name "*.starting"',
        ),
        '',
      );
      assert.equal(await said('systemctl --failed --no-legend --plain || true'), '');
      await succeed('bulkhead verify');
    },
  );
});
