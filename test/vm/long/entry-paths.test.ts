/**
 * All entry paths at once on a hosting server, while processes fork and end as fast as they can. At the end, no
 * process of a tenant is outside its cgroups, according to the agent and to a scan of our own. Processes by an entry
 * path that is placed at its source have never been outside.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { StatusJson } from '../../../src/cli/commands/json.ts';
import { jsonOf } from '../../../testing/json-output.ts';
import { eventually, longPatienceMilliseconds } from '../../../testing/patience.ts';
import { withPatientFpm } from '../../../testing/vm/installed.ts';
import { guestOfSuite, prepareGuests } from '../../../testing/vm/suite.ts';
import { temporaryDirectory } from '../../../testing/temporary-directory.ts';
import { compile } from '../../placer/programs.ts';

const guests = await prepareGuests(import.meta.filename);

const timeout = longPatienceMilliseconds;

/** Everything of alice and bob is enforced at its source, nothing of carol. Bob has a site. */
const uids = { alice: 3001, bob: 3002, carol: 3003 } as const;
type Account = keyof typeof uids;
const drivers = ['cgroup2', 'systemd'] as const;
type Driver = (typeof drivers)[number];

const insideOf: Readonly<Record<Driver, (account: Account) => string>> = {
  cgroup2: (account) => `/bulkhead-tenants.service/u${uids[account]}`,
  systemd: (account) => `/user.slice/user-${uids[account]}.slice`,
};

const policy = (driver: Driver) => `<bulkhead version="1"><host driver="${driver}"/>
  <defaults><cpu limit="50%"/><memory limit="400MiB"/><processes limit="200"/></defaults>
  <tenant user="alice"/><tenant user="carol"/>
  <tenant user="bob"><site name="shop.example"/></tenant></bulkhead>
`;

/** There as long as the storm goes on. */
const on = '/srv/storm/on';

/**
 * `storm WAY UID` records where it begins, and forks until the storm is over. cron starts it again each minute.
 * Other processes are not kept waiting; storms at full speed are in test/attacks/placement/.
 */
const storm = `#!/bin/sh
read -r cgroup </proc/self/cgroup
told=/srv/storm/$2.$1
[ -e "$told" ] && exit
echo "$cgroup" >"$told"
read -r path </srv/storm/$2.path
exec nice -n 10 /opt/programs/chains "$2" 1 0 while ${on} witness "$path" 1 >"$told.outside"
`;
const begin = (way: string, account: Account) => `/usr/local/bin/storm ${way} ${uids[account]}`;

const page = `<?php
foreach (['way', 'uid'] as $each) if (!ctype_alnum($_GET[$each])) exit;
exec("setsid /usr/local/bin/storm {$_GET['way']} {$_GET['uid']} </dev/null >/dev/null 2>&1 &");
echo 'begun';
`;
const cgi = `#!/bin/sh
setsid /usr/local/bin/storm "\${QUERY_STRING%-*}" "\${QUERY_STRING#*-}" </dev/null >/dev/null 2>&1 &
printf 'Content-Type: text/plain\\n\\nbegun'
`;

const socketOf = (pool: string) => `/run/php/${pool}.sock`;
const pool = (name: string, user: Account) => `[${name}]
user = ${user}
group = ${user}
listen = ${socketOf(name)}
listen.owner = www-data
pm = static
pm.max_children = 1
`;
const pools = { alice: 'alice', bob: 'bob', shop: 'bob', carol: 'carol' } as const;

const nginx = Object.keys(pools)
  .map(
    (name) => `server { listen 127.0.0.1:8080; server_name ${name}.example;
  fastcgi_read_timeout 1h;
  location / { include fastcgi_params; fastcgi_param SCRIPT_FILENAME /srv/www/index.php; fastcgi_pass unix:${socketOf(name)}; }
  location /cgi { include fastcgi_params; fastcgi_param SCRIPT_FILENAME /srv/www/cgi; fastcgi_pass unix:/run/bulkhead-cgi/${name}.sock; } }`,
  )
  .join('\n');
const apache = `<VirtualHost 127.0.0.1:8081>
  ServerName bob.example
  DocumentRoot /srv/www
  <Directory /srv/www>
    Require all granted
  </Directory>
  <FilesMatch "\\.php$">
    SetHandler "proxy:unix:${socketOf('bob')}|fcgi://localhost"
  </FilesMatch>
</VirtualHost>
`;

/** PORT HOST PATH: the body of the answer. */
const ask = `#!/bin/bash
exec 3<>/dev/tcp/127.0.0.1/$1
printf 'GET %s HTTP/1.0\\r\\nHost: %s.example\\r\\n\\r\\n' "$3" "$2" >&3
tail -n 1 <&3
`;

/** Every process that runs and has one of the uids in any way: uid, cgroup, pid. */
const look = String.raw`#!/usr/bin/perl
my %wanted = map { $_ => 1 } @ARGV;
sub text { open my $f, '<', $_[0] or return ''; local $/; readline($f) // '' }
for my $pid (map { m{/(\d+)$} } glob '/proc/[0-9]*') {
  my $status = text("/proc/$pid/status");
  next if $status =~ /^State:\t[ZX]/m;
  my ($uid) = grep { $wanted{$_} } split /\t/, ($status =~ /^Uid:\t(.*)/m)[0] // '' or next;
  print "$uid $1 $pid\n" if text("/proc/$pid/cgroup") =~ /^0::(.*)$/m;
}
`;

const ssh =
  'ssh -F none -i /root/keys/id -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o BatchMode=yes';
const away = '</dev/null >/dev/null 2>&1 &';

interface Way {
  readonly name: string;
  readonly account: Account;
  /** The shell line that starts it; a no-op for cron, which starts it on its own. */
  readonly start: string;
}
const way = (account: Account, name: string, start: (begins: string) => string): Way => ({
  name,
  account,
  start: start(begin(name, account)),
});

const cron = (account: Account) => way(account, 'cron', () => ':');
const asked = (account: Account, name: string, port: number, host: string, path: string) =>
  way(account, name, () => `ask ${port} ${host} '${path}' ${away}`);
const fpm = (account: Account, name: string, port: number, host: string = account) =>
  asked(account, name, port, host, `/index.php?way=${name}&uid=${uids[account]}`);
const common = (account: Account): readonly Way[] => [
  way(account, 'ssh', (begins) => `setsid ${ssh} ${account}@127.0.0.1 '${begins}' ${away}`),
  cron(account),
  way(account, 'at', (begins) => `echo '${begins}' | su ${account} -c 'at now' 2>/dev/null`),
  asked(account, 'cgi', 8080, account, `/cgi?cgi-${uids[account]}`),
];

/** Ways that place a tenant's process before its first instruction. The first one makes the scope of a slice. */
const first = (['alice', 'bob'] as const).map((account) =>
  way(account, 'exec', (begins) => `setsid bulkhead exec ${account} -- ${begins} ${away}`),
);
const atSource: readonly Way[] = [
  ...common('alice'),
  ...common('bob'),
  way('alice', 'su', (begins) => `setsid su alice -c '${begins}' ${away}`),
  way(
    'bob',
    'su',
    (begins) =>
      `echo 'echo pass-bob | setsid su bob -c "${begins}"' | ${ssh} alice@127.0.0.1 sh >/dev/null 2>&1 &`,
  ),
  fpm('alice', 'fpm', 8080),
  fpm('bob', 'fpm', 8081),
  fpm('bob', 'site', 8080, 'shop'),
  way(
    'bob',
    'execsite',
    (begins) => `setsid bulkhead exec --site shop.example bob -- ${begins} ${away}`,
  ),
];

const setpriv = (account: Account) =>
  way(
    account,
    'setpriv',
    (begins) =>
      `setsid setpriv --reuid ${uids[account]} --regid ${uids[account]} --clear-groups ${begins} ${away}`,
  );
/** Ways of which only the agent knows. */
const caught: readonly Way[] = [
  ...Object.keys(uids).map((account) => setpriv(account as Account)),
  fpm('carol', 'fpm', 8080),
  way('carol', 'unit', (begins) => `systemd-run -q --uid=carol -p KillMode=process ${begins}`),
];

for (const driver of drivers)
  suite(
    `all entry paths at once, with the driver ${driver}`,
    { skip: guests.skip, timeout },
    () => {
      const inside = insideOf[driver];
      const sh = async (command: string) => (await host.succeed(command)).trim();

      const fileOf = ({ name, account }: Way) => `/srv/storm/${uids[account]}.${name}`;
      const begun = async (ways: readonly Way[]) => {
        await sh(ways.map(({ start }) => start).join('\n'));
        for (const each of ways)
          await eventually(
            `${each.account} has come by ${each.name}`,
            async () => (await sh(`cat ${fileOf(each)} 2>/dev/null || true`)) !== '',
            () => sh('journalctl -n 60 --no-pager; ls /srv/storm'),
          );
      };

      const status = async () => {
        const text = await sh('bulkhead status --json');
        return jsonOf<StatusJson>('status', text);
      };
      /** Counts, on our own, all processes, and those outside. */
      const seen = async () => {
        const text = await sh(`look ${Object.values(uids).join(' ')}`);
        const all = text.split('\n').filter((line) => line !== '');
        const isInside = (line: string) => {
          const [uid, cgroup = ''] = line.split(' ');
          const account = (Object.keys(uids) as Account[]).find(
            (each) => String(uids[each]) === uid,
          );
          return account !== undefined && `${cgroup}/`.startsWith(`${inside(account)}/`);
        };
        return { all, outside: all.filter((line) => !isInside(line)) };
      };

      const host = guestOfSuite(guests, async (guest) => {
        await withPatientFpm(guest);
        using directory = temporaryDirectory('ways');
        const scratch = directory.path;
        const source = fileURLToPath(new URL('../../attacks/chains.c', import.meta.url));
        compile(source, join(scratch, 'chains'));
        await guest.copyIn(scratch, '/opt/programs');
        for (const [name, text] of Object.entries({ storm, ask, look }))
          await write(`/usr/local/bin/${name}`, text);
        await write('/srv/www/index.php', page);
        await write('/srv/www/cgi', cgi);
        for (const [name, user] of Object.entries(pools))
          await write(`/etc/php/8.4/fpm/pool.d/${name}.conf`, pool(name, user));
        await write('/etc/nginx/conf.d/tenants.conf', nginx);
        await write('/etc/apache2/sites-enabled/tenants.conf', apache);
        await write('/etc/apache2/ports.conf', 'Listen 127.0.0.1:8081\n');
        await write('/etc/bulkhead/policy.xml', policy(driver));
        // Processors are emulated, and the storm goes on meanwhile.
        await write(
          '/etc/systemd/system/bulkhead.service.d/patient.conf',
          '[Service]\nTimeoutStartSec=infinity\nWatchdogSec=0\n',
        );
        await sh(
          [
            'set -e',
            'chmod 755 /opt/programs/chains /usr/local/bin/* /srv/www/cgi',
            'rm -f /etc/nginx/sites-enabled/default /etc/apache2/sites-enabled/000-default.conf',
            `mkdir -m 1777 /srv/storm && touch ${on}`,
            ...Object.entries(uids).flatMap(([name, uid]) => [
              `useradd -m -u ${uid} -s /bin/sh ${name} && echo '${name}:pass-${name}' | chpasswd`,
              `echo ${inside(name as Account)} > /srv/storm/${uid}.path`,
            ]),
            'mkdir /root/keys && ssh-keygen -q -t ed25519 -N "" -f /root/keys/id',
            'for home in /home/alice /home/bob; do mkdir -m 700 $home/.ssh; cp /root/keys/id.pub $home/.ssh/authorized_keys; chown -R ${home#/home/}: $home/.ssh; done',
            // The manager of each user that pam_systemd starts takes seconds here, and is not what is tested.
            'systemctl mask user@.service',
            'cp /opt/bulkhead/packaging/bulkhead.service /opt/bulkhead/packaging/bulkhead-cgi@.* /etc/systemd/system/',
            'systemctl daemon-reload',
            'a2enmod -q proxy_fcgi',
            'bulkhead apply',
            'systemctl start ssh cron atd nginx apache2 php8.4-fpm bulkhead-cgi@alice.socket bulkhead-cgi@bob.socket',
            'bulkhead pam enable',
            'bulkhead web fpm enable alice',
            'bulkhead web fpm enable bob',
          ].join('\n'),
        );
      });
      const { write } = host;

      test(
        'entry paths place every process that they cover, without an agent',
        { timeout },
        async () => {
          await begun(first);
          await write(
            '/etc/cron.d/storm',
            atSource
              .filter(({ name }) => name === 'cron')
              .map(({ account }) => `* * * * * ${account} ${begin('cron', account)}\n`)
              .join(''),
          );
          await begun(atSource);
          for (const each of [...first, ...atSource]) {
            const where = await sh(`cat ${fileOf(each)}`);
            const is = `${where}/`.startsWith(`0::${inside(each.account)}/`);
            assert.ok(is, `${each.account} by ${each.name}: ${where}`);
          }
          // Nothing places the worker of carol's pool. And su, whose real uid is alice's, counts as bob's until it
          // ends.
          const { outside } = await status();
          const worker = await sh(`pgrep -u carol -f '^php-fpm: pool carol'`);
          const su = await sh('pgrep -U alice -u root -x su');
          const expected = [
            [Number(worker), 'PHP-FPM', 'pool carol'],
            [Number(su), 'ssh', undefined],
          ];
          assert.deepEqual(
            outside.map(({ pid, entryPath, origin }) => [pid, entryPath, origin]).sort(),
            expected.sort(),
          );
          const mine = (await seen()).outside.map((line) => line.split(' ').at(-1));
          assert.deepEqual(mine.sort(), [worker, su].sort());
        },
      );

      test(
        'the agent moves what no entry path has placed, while the storm goes on',
        { timeout },
        async () => {
          await sh('systemctl start bulkhead');
          await begun(caught);
        },
      );

      test(
        'nothing is outside after the storm, and all entry paths count to the same limits',
        { timeout },
        async () => {
          await sh(`rm ${on}`);
          const ways = [...first, ...atSource, ...caught];
          for (const each of ways)
            await sh(`until [ -s ${fileOf(each)}.outside ]; do sleep 0.2; done`);
          for (const each of [...first, ...atSource])
            assert.equal(
              await sh(`cat ${fileOf(each)}.outside`),
              '0',
              `microseconds outside: ${each.account} by ${each.name}`,
            );
          await eventually(
            'the agent finds nothing outside',
            async () => {
              const { outside, unknown } = await status();
              return outside.length === 0 && unknown.length === 0;
            },
            () => sh('bulkhead status'),
          );
          const { all, outside } = await seen();
          assert.deepEqual(outside, []);
          for (const account of Object.keys(uids) as Account[]) {
            // The last process of each chain stays.
            const count = ways.filter((each) => each.account === account).length;
            assert.equal(await sh(`pgrep -c -u ${account} -x chains`), String(count), account);
            const counted = Number(await sh(`cat /sys/fs/cgroup${inside(account)}/pids.current`));
            assert.ok(counted >= count, `${counted} of ${count} count`);
            assert.ok(all.filter((line) => line.startsWith(`${uids[account]} `)).length >= count);
          }
          await sh('bulkhead verify');
        },
      );
    },
  );
