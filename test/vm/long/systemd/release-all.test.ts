/**
 * `release --all` on a host with systemd on which everything is enabled that can be: it lists what it will undo, undoes
 * it while visitors are served, and leaves the host as it was, also after a reboot.
 */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { settings } from '../../../../src/harden/core/settings.ts';
import { longPatienceMilliseconds } from '../../../../testing/patience.ts';
import { withPatientFpm } from '../../../../testing/vm/installed.ts';
import { guestOfSuite, prepareGuests } from '../../../../testing/vm/suite.ts';

const guests = await prepareGuests(import.meta.filename, 'pam');
const timeout = longPatienceMilliseconds;

/** ann has a jail and a site at nginx, ben a vhost at Apache, dan is a reseller's; cat will be frozen. */
const policy = (
  placement: string,
) => `<bulkhead version="1"><host driver="systemd"/><agent interval="2s"/>
  ${placement}<symlinks follow="owner-match" by="www-data"/><modules autoload="no"/>
  <defaults><memory limit="300MiB"/><processes limit="70"/><cpu limit="90%"/></defaults>
  <tenant user="ann"><entries limit="5"/><jail profile="web"/><site name="shop.example"><entries limit="4"/></site></tenant>
  <tenant user="ben"><entries limit="5"/></tenant>
  <tenant user="cat"/>
  <reseller user="acme"><processes limit="200"/><tenant user="dan"/></reseller>
</bulkhead>
`;

const strictPolicy = policy('<placement strict="yes"/>');

/** `ask NAME` prints the status and the text; `ask --until FILE NAME` asks until the file exists, and counts. */
const client = String.raw`#!/usr/bin/perl
use strict; use IO::Socket::INET;
my $until; if ($ARGV[0] eq '--until') { shift; $until = shift }
my ($name) = @ARGV; my $port = $name eq 'ben' ? 8081 : 8080;
sub ask {
  my $s = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port") or return 'none';
  print $s "GET /index.php HTTP/1.0\r\nHost: $name.example\r\n\r\n";
  local $/; my $r = <$s> // ''; my ($head, $body) = split /\r\n\r\n/, $r, 2;
  my ($code) = ($head // '') =~ m{^HTTP/\S+ (\d+)}; return ($code // 'none') . ' ' . ($body // '');
}
if (!$until) { print ask(); exit }
my ($all, %bad) = (0);
until (-e $until) { my ($code) = split / /, ask(); $all++; $bad{$code}++ if $code ne '200'; select undef, undef, undef, 0.1; }
print "$all", map { " $_=$bad{$_}" } sort keys %bad;
`;

const setUp = `set -e
uid=3001
for user in ann ben cat acme dan; do
  useradd -m -u $uid -s /bin/sh $user; chmod 755 /home/$user; uid=$((uid + 1)); mkdir /home/$user/www
  echo '<?php echo posix_geteuid(), " ", trim(file_get_contents("/proc/self/cgroup"));' > /home/$user/www/index.php
done
pool() {
  cat > /etc/php/8.4/fpm/pool.d/$1.conf <<POOL
[$1]
user = $2
group = $2
listen = /run/php/$1.sock
listen.group = www-data
pm = static
pm.max_children = 2
POOL
}
vhost() {
  cat > /etc/nginx/sites-enabled/$1 <<SITE
server {
  listen 127.0.0.1:8080;
  server_name $1.example;
  root /home/$2/www;
  location / { include fastcgi_params; fastcgi_param SCRIPT_FILENAME /home/$2/www/index.php; fastcgi_pass unix:/run/php/$1.sock; fastcgi_read_timeout 1h; }
}
SITE
}
pool ann ann; pool shop ann; pool ben ben; vhost ann ann; vhost shop ann
cat > /etc/apache2/sites-enabled/ben.conf <<'SITE'
ProxyTimeout 36000
<VirtualHost 127.0.0.1:8081>
  ServerName ben.example
  DocumentRoot /home/ben/www
  <Directory /home/ben/www>
    Require all granted
  </Directory>
  <FilesMatch "\\.php$">
    SetHandler "proxy:unix:/run/php/ben.sock|fcgi://localhost"
  </FilesMatch>
</VirtualHost>
SITE
rm -f /etc/apache2/sites-enabled/000-default.conf /etc/nginx/sites-enabled/default
echo 'Listen 127.0.0.1:8081' > /etc/apache2/ports.conf
a2enmod -q proxy_fcgi setenvif qos
for unit in bulkhead bulkhead-entries bulkhead-placement bulkhead-jail bulkhead-symlinks; do
  mkdir -p /etc/systemd/system/$unit.service.d
  printf '[Service]\\nTimeoutStartSec=infinity\\nWatchdogSec=0\\n' > /etc/systemd/system/$unit.service.d/patient.conf
done
chmod 755 /usr/local/bin/ask
# The manager of each user that pam_systemd starts takes seconds here, and is not what is tested.
systemctl mask -q user@.service
systemctl enable -q --now php8.4-fpm nginx apache2 ssh cron
`;

/** Everything on the host that could be ours, a line each. */
const inventory = `cd /
find etc usr/lib/systemd usr/local usr/sbin usr/share/pam-configs var/lib/pam boot -path etc/mtab -prune -o -printf '%p %y %m %U %G %l\\n' | sort
find etc usr/lib/systemd usr/share/pam-configs var/lib/pam -type f -print0 | sort -z | xargs -0 sha256sum
find run/systemd -iname '*bulkhead*' | sort
find run/systemd/system.control 2>/dev/null | sort
ls -d run/bulkhead* var/lib/bulkhead* var/lve 2>/dev/null
ls -l run/php | awk '{ print "run/php", $1, $3, $4, $9 }' | grep -v '\\.pid$'
find sys/fs/bpf | sort
findmnt -rno TARGET,FSTYPE,OPTIONS | grep -v ^/run/user | sort
find sys/fs/cgroup -type d -name '*bulkhead*' | sort
systemctl list-units --all --no-legend --plain '*bulkhead*'
systemctl list-unit-files --no-legend '*bulkhead*'
sysctl -e ${settings.map(({ key }) => key).join(' ')}
cat proc/sys/kernel/modprobe
exit 0
`;

suite('release --all where everything is enabled', { skip: guests.skip }, () => {
  const said = async (command: string) => (await succeed(command)).trim();
  const inventoried = async () =>
    (await succeed('sh /srv/inventory')).split('\n').filter((line) => line !== '');
  let before: readonly string[] = [];
  const sameAsBefore = async () => {
    const now = await inventoried();
    assert.deepEqual(
      {
        more: now.filter((line) => !before.includes(line)),
        less: before.filter((line) => !now.includes(line)),
      },
      { more: [], less: [] },
    );
  };
  const names = { ann: 3001, shop: 3001, ben: 3002 } as const;
  const servedIn = async (place: (uid: number) => RegExp) => {
    for (const [name, uid] of Object.entries(names))
      assert.match(await said(`ask ${name}`), place(uid), name);
  };
  const outside = (uid: number) =>
    new RegExp(String.raw`^200 ${uid} 0::/system\.slice/php8\.4-fpm\.service$`);

  const host = guestOfSuite(guests, async (guest) => {
    await withPatientFpm(guest);
    await write('/usr/local/bin/ask', client);
    await write('/srv/inventory', inventory);
    // The policy that will be in force in the end: it stays.
    await write('/etc/bulkhead/policy.xml', strictPolicy);
    await succeed(setUp);
    await servedIn(outside);
    before = await inventoried();
  });
  const { run, succeed, until, write } = host;

  /** The steps that it lists. */
  const steps = [
    'the agent and its units',
    'strict placement',
    'the stop of cat',
    'the gate for kernel modules',
    'the denied kernel modules',
    "CloudLinux's commands",
    "tenants' PHP-FPM services",
    'entries at the web servers',
    'the login step of PAM',
    'the symlink guard',
    'hardened settings',
    'the sandbox of apache2',
    'limits, jails, cgroups and quotas',
  ];
  const missing = (text: string) =>
    steps.filter((each) => !new RegExp(`^(?:  |Undone: )${each}$`, 'm').test(text));

  test('everything can be enabled on one host', { timeout }, async () => {
    const enable = async (...commands: readonly string[]) => {
      for (const command of commands) await succeed(`bulkhead ${command}`);
    };
    await write('/etc/bulkhead/policy.xml', policy(''));
    await Promise.all([
      // It reads all modules, which takes as long as the rest.
      enable(
        'modules gate enable --watch',
        'modules deny dummy',
        'harden enable --yes',
        'confine enable apache2 --yes',
      ),
      enable(
        'apply',
        'pam enable',
        'web fpm enable --all',
        'web entries enable --strict --edit-vhosts',
        'cloudlinux enable',
        'units enable',
      ),
    ]);
    await until('[ -s /var/lve/info ]');
    await write('/etc/bulkhead/policy.xml', strictPolicy);
    await succeed('bulkhead apply');
    await until(`bulkhead status --json | grep -q '"state": *"in force"'`);
    await servedIn(
      (uid) => new RegExp(String.raw`^200 ${uid} 0::/user\.slice/user-${uid}\.slice/`),
    );
    const foreign = await run('setpriv --reuid dan --clear-groups id -un');
    assert.match(foreign.stderr, /not permitted/, 'strict placement refuses it');
    assert.match(await said('su ann -c "cat /run/bulkhead/profile"'), /^web$/);
    await succeed("setsid su ann -c 'exec sleep 3600' >/dev/null 2>&1 </dev/null & :");
    // A session of su has a process of root, which is not frozen.
    for (const name of ['cat', 'dan'])
      await succeed(`setsid bulkhead exec ${name} -- sleep 3600 >/dev/null 2>&1 </dev/null & :`);
    for (const name of ['ann', 'cat', 'dan']) await until(`pgrep -u ${name} -fx "sleep 3600"`);
    await succeed('bulkhead stop cat --freeze');
    await until('grep -qx "frozen 1" /sys/fs/cgroup/user.slice/user-3003.slice/cgroup.events');
  });

  test(
    'release --all lists its steps, and changes nothing without a yes',
    { timeout },
    async () => {
      const listed = await succeed('bulkhead release --all --dry-run');
      assert.deepEqual(missing(listed), [], listed);
      assert.doesNotMatch(listed, /has to be stopped/, 'that step stops the agent');
      assert.match(listed, /^ {2}\/run\/bulkhead\n {2}\/var\/lib\/bulkhead$/m);
      const now = await inventoried();
      const unasked = await run('bulkhead release --all </dev/null');
      assert.equal(unasked.status, 2, unasked.stderr);
      const refused = await run(answer('no'));
      assert.equal(refused.status, 1, refused.stdout);
      assert.deepEqual(missing(refused.stdout.replaceAll('\r', '')), [], refused.stdout);
      assert.deepEqual(await inventoried(), now);
    },
  );

  /** Answers at a terminal once it asks. */
  const answer = (word: string) =>
    `rm -f /run/asked; { until grep -qs 'Go on' /run/asked; do sleep 0.2; done; echo ${word}; } | script -qefc 'bulkhead release --all' /run/asked`;

  test('release --all undoes every step while visitors are served', { timeout }, async () => {
    // dan's cgroup is in Bulkhead's own tree, where processes keep it.
    await succeed('pkill -u dan -fx "sleep 3600"');
    // ben's requests wait in vain while Apache is restarted without its sandbox.
    const asked = ['ann', 'shop'];
    const loops = asked.map((each) => `ask --until /run/done ${each} > /run/lost.${each} &`);
    const { status, stdout } = await run(
      `rm -f /run/done; ${loops.join(' ')} { ${answer('y')}; }; status=$?; touch /run/done; wait; exit $status`,
    );
    assert.equal(status, 0, stdout);
    const text = stdout.replaceAll('\r', '');
    for (const step of steps) assert.ok(text.includes(`Undone: ${step}\n`), `${step}: ${text}`);
    assert.match(
      text,
      /^Nothing of Bulkhead is left on this host but its policy in \/etc\/bulkhead$/m,
    );
    assert.equal(await said('cut -s -d" " -f2- /run/lost.*'), '', text);
    await servedIn(outside);
    await succeed('rm -f /run/asked /run/done /run/lost.*');
  });

  test('release --all leaves the host as it was', { timeout }, async () => {
    // What tenants ran goes on, without limits.
    assert.equal(await said('pgrep -u ann -fxc "sleep 3600"'), '1');
    assert.match(
      await said('cat /proc/$(pgrep -u cat -fx "sleep 3600")/cgroup'),
      /user-3003\.slice/,
    );
    assert.equal(
      await said(
        'cd /sys/fs/cgroup/user.slice && cat user-3001.slice/memory.max user-3003.slice/memory.max; grep frozen user-3003.slice/cgroup.events',
      ),
      'max\nmax\nfrozen 0',
    );
    assert.equal(await said('su ann -c "ls /home" | tr "\\n" " "'), 'acme ann ben cat dan');
    assert.equal(await said('setpriv --reuid dan --clear-groups id -un'), 'dan');
    // Their scopes end with them.
    for (const name of ['ann', 'cat']) await succeed(`pkill -u ${name} -fx "sleep 3600"`);
    await until("! systemctl list-units --all --no-legend 'bulkhead-*.scope' | grep -q .");
    for (const uid of [3001, 3003])
      await until(`! [ -e /sys/fs/cgroup/user.slice/user-${uid}.slice/bulkhead-${uid}.scope ]`);
    await sameAsBefore();
  });

  test('release --all has nothing to do on its second run', { timeout }, async () => {
    for (const words of ['--dry-run', '--yes', ''])
      assert.equal(await succeed(`bulkhead release --all ${words}`), 'There is nothing to undo\n');
    await sameAsBefore();
  });

  test('a reboot after release --all brings nothing back', { timeout }, async () => {
    await host.guest.reboot();
    await until('systemctl is-active -q nginx apache2 php8.4-fpm ssh cron');
    await servedIn(outside);
    await sameAsBefore();
    assert.equal(await said('systemctl --failed --no-legend --plain || true'), '');
    assert.equal(await succeed('bulkhead release --all --dry-run'), 'There is nothing to undo\n');
  });
});
