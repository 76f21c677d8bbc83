/**
 * PHP-FPM in the cgroups of tenants, with the real nginx, php-fpm and systemd of Debian, asked over loopback all the
 * time that sockets change hands.
 */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { projectDirectory } from '../../../testing/vm/project.ts';
import { longPatienceMilliseconds } from '../../../testing/patience.ts';
import { withPatientFpm } from '../../../testing/vm/installed.ts';
import { guestOfSuite, prepareGuests } from '../../../testing/vm/suite.ts';
import { jsonOf } from '../../../testing/json-output.ts';
import type { WebFpmEnableJson } from '../../../src/web/commands/json.ts';

const guests = await prepareGuests(import.meta.filename);

const tenants = { alice: 3101, bob: 3102, carol: 3103 } as const;
type Name = keyof typeof tenants;

const pools = '/etc/php/8.4/fpm/pool.d';
const socketOf = (pool: string) => `/run/php/php8.4-fpm-${pool}.sock`;

const pool = (name: string, user: string, more = '') => `[${name}]
user = ${user}
group = ${user}
listen = ${socketOf(name)}
listen.owner = ${user}
listen.group = www-data
pm = dynamic
pm.max_children = 10
pm.start_servers = 5
pm.min_spare_servers = 5
pm.max_spare_servers = 10
php_admin_value[memory_limit] = -1
${more}`;

const vhost = (name: string, to = `unix:${socketOf(name)}`) => `server {
  listen 127.0.0.1:80;
  server_name ${name}.example;
  location / {
    include fastcgi_params;
    fastcgi_param SCRIPT_FILENAME /srv/www/index.php;
    fastcgi_pass ${to};
    fastcgi_read_timeout 1h;
  }
}
`;

/** Workers that wait tell of themselves in it, until there is a file `open`. */
const gate = '/srv/gate';

const script = `<?php
$cgroup = trim(substr(file_get_contents('/proc/self/cgroup'), 3));
if (isset($_GET['hog'])) str_repeat('x', 400 << 20);
if (isset($_GET['busy'])) for (; !file_exists('${gate}/open'); clearstatcache()) sqrt(2);
if (isset($_GET['ms'])) usleep(1000 * (int) $_GET['ms']);
if (isset($_GET['gate'])) {
  touch('${gate}/' . getmypid());
  for (; !file_exists('${gate}/open'); clearstatcache()) usleep(50000);
}
echo json_encode(['cgroup' => $cgroup, 'uid' => posix_geteuid(), 'gid' => posix_getegid(), 'pid' => getmypid(), 'agent' => ini_get('user_agent')]);
`;

/** `ask HOST [PATH]` prints the status and the body; `ask --until FILE PAUSE HOST` asks until it is there, and counts. */
const client = String.raw`#!/usr/bin/perl
use strict; use IO::Socket::INET;
my ($until, $pause); if ($ARGV[0] eq '--until') { shift; $until = shift; $pause = shift }
my ($host, $path) = (@ARGV, '/');
sub ask {
  my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1:80') or return 'none';
  print $s "GET $path HTTP/1.0\r\nHost: $host.example\r\n\r\n";
  local $/; my $r = <$s> // ''; my ($head, $body) = split /\r\n\r\n/, $r, 2;
  my ($code) = ($head // '') =~ m{^HTTP/\S+ (\d+)}; return ($code // 'none') . ' ' . ($body // '');
}
if (!$until) { print ask(); exit }
my ($all, %bad) = (0);
until (-e $until) { my ($code) = split / /, ask(); $all++; $bad{$code}++ if $code ne '200'; select undef, undef, undef, $pause; }
print "$all", map { " $_=$bad{$_}" } sort keys %bad;
`;

/** Signals every check that it may, as fast as it can. */
const killer = String.raw`for (;;) { for my $at (glob '/proc/[0-9]*') {
  open my $f, '<', "$at/cmdline" or next; my $args = <$f> // ''; $args =~ tr/\0/ /;
  kill 'KILL', substr $at, 6 if $args =~ /php-fpm\S* -tt/ } }`;

interface Answer {
  readonly cgroup: string;
  readonly uid: number;
  readonly gid: number;
  readonly pid: number;
  readonly agent: string;
}

const policyOf = (more: string) => `<bulkhead version="1"><host driver="cgroup2"/>
  <tenants uids="3100-3199"/>
  <defaults><memory limit="200MiB"/><processes limit="80"/><entries limit="12"/></defaults>
${more}</bulkhead>
`;
const policy = policyOf('');

/** Bob has this site. */
const policyWith = (site: string) =>
  policyOf(
    `  <tenant uid="${tenants.bob}"><site name="${site}"><entries limit="2"/></site></tenant>\n`,
  );

const patient = { timeout: longPatienceMilliseconds };

suite('PHP-FPM in the cgroups of tenants', { skip: guests.skip }, () => {
  const until = (what: string) => host.until(what);
  const ask = async (name: string, path = '/'): Promise<Answer> => {
    const text = await succeed(`ask ${name} '${path}'`);
    assert.match(text, /^200 \{/, text);
    return JSON.parse(text.slice(4)) as Answer;
  };
  const cgroup = (name: Name) => `/bulkhead-tenants.service/u${tenants[name]}`;
  const service = (name: Name) => `bulkhead-fpm84@${tenants[name]}.service`;
  /** Asks each of them all the time that the command runs: the result, and what was lost. */
  const whileAsked = async (names: readonly string[], command: string, pause = 0.05) => {
    const loops = names.map(
      (each) => `ask --until /run/asked ${pause} ${each} > /run/lost.${each} &`,
    );
    const result = await run(
      `rm -f /run/asked; ${loops.join(' ')} ${command}; status=$?; touch /run/asked; wait; exit $status`,
    );
    const counts = await succeed(
      `cd /run && grep . ${names.map((each) => `lost.${each}`).join(' ')} /dev/null`,
    );
    return { ...result, lost: counts.split('\n').filter((line) => / \w+=/.test(line)), counts };
  };
  const everything = () =>
    succeed(
      `cd /etc && find . -path ./mtab -prune -o -printf '%p %y %m %U %G %l\\n' | sort && find . -type f -print0 | sort -z | xargs -0 sha256sum`,
    );

  let original: string;

  const host = guestOfSuite(guests, async (guest) => {
    for (const each of ['src', 'packages'])
      await guest.copyIn(`${projectDirectory}/${each}`, `/opt/bulkhead/sources/${each}`);
    await withPatientFpm(guest);
    for (const [name, uid] of Object.entries(tenants)) {
      await succeed(`useradd -m -u ${uid} -s /bin/sh ${name}`);
      await write(`${pools}/${name}.conf`, pool(name, name));
      await write(`/etc/nginx/sites-enabled/${name}.conf`, vhost(name));
    }
    await succeed('mkdir -p /srv/www /etc/bulkhead && rm -f /etc/nginx/sites-enabled/default');
    await write('/srv/www/index.php', script);
    await write('/usr/local/bin/ask', client);
    await write('/etc/bulkhead/policy.xml', policy);
    await succeed(
      'chmod 755 /usr/local/bin/ask && bulkhead apply && systemctl start nginx php8.4-fpm',
    );
    original = await everything();
  });
  const { run, succeed, write } = host;

  test('requests are served outside before web fpm enable', patient, async () => {
    assert.equal((await ask('alice')).cgroup, '/system.slice/php8.4-fpm.service');
  });

  test('web fpm enable refuses a configuration that php-fpm does not accept', patient, async () => {
    // If the file were a tenant's, only that file would be left out.
    await write(`${pools}/broken.conf`, pool('broken', 'www-data', 'unknown_entry = 1\n'));
    const { status, stderr } = await run('bulkhead web fpm enable --all');
    assert.equal(status, 1);
    assert.match(stderr, /pool\.d\/broken\.conf:\d+: unknown entry/);
    // A directory that only the tenant cannot use is found by a check as the tenant.
    await succeed('mkdir -p -m 700 /root/private');
    await write(`${pools}/broken.conf`, pool('broken', 'carol', 'chdir = /root/private\n'));
    const one = await run('bulkhead web fpm enable carol');
    assert.equal(one.status, 1);
    assert.match(
      one.stderr,
      /Cannot give a service to "carol": \/etc\/php\/8\.4\/fpm\/pool\.d\/.*chdir/,
    );
    await succeed(`rm ${pools}/broken.conf`);
    assert.equal(await everything(), original);
  });

  test('web fpm enable --dry-run writes nothing', patient, async () => {
    const text = await succeed('bulkhead web fpm enable --all --dry-run');
    assert.match(text, /write \/etc\/systemd\/system\/bulkhead-fpm84@3101:alice\.socket/);
    assert.match(text, /systemctl restart php8\.4-fpm\.service/);
    const json = await succeed('bulkhead web fpm enable --all --dry-run --json');
    assert.equal(jsonOf<WebFpmEnableJson>('web fpm enable', json).versions[0]?.php, '8.4');
    assert.equal(await everything(), original);
  });

  test('web fpm enable restores everything when it fails half way', patient, async () => {
    const dropIn = '/etc/systemd/system/php8.4-fpm.service.d/refuses.conf';
    await succeed(`mkdir -p ${dropIn.slice(0, dropIn.lastIndexOf('/'))}`);
    await write(
      dropIn,
      `[Service]\nExecStartPre=/usr/bin/test ! -e ${dropIn.replace('refuses', 'bulkhead')}\n`,
    );
    await succeed('systemctl daemon-reload');
    const before = await everything();
    const { status, stderr } = await run('bulkhead web fpm enable --all');
    assert.equal(status, 1);
    assert.match(
      stderr,
      /systemctl restart of "php8\.4-fpm\.service".*everything is as it was before/,
    );
    assert.equal(await everything(), before);
    assert.equal((await ask('alice')).cgroup, '/system.slice/php8.4-fpm.service');
    assert.equal(await succeed('ls /run/php | grep -c bulkhead || true'), '0\n');
    await succeed(`rm -r ${dropIn.slice(0, dropIn.lastIndexOf('/'))}; systemctl daemon-reload`);
  });

  test('web fpm enable takes every socket over, and no request is lost', patient, async () => {
    const names = Object.keys(tenants);
    const { status, stderr, lost } = await whileAsked(names, 'bulkhead web fpm enable --all');
    assert.equal(status, 0, stderr);
    assert.deepEqual(lost, []);
    for (const name of names as readonly Name[]) {
      const answer = await ask(name);
      assert.deepEqual([answer.cgroup, answer.uid], [cgroup(name), tenants[name]]);
      const main = (await succeed(`systemctl show -P MainPID ${service(name)}`)).trim();
      assert.equal(await succeed(`cat /proc/${main}/cgroup`), `0::${cgroup(name)}\n`);
    }
    assert.equal(await succeed('grep -c php /proc/self/mountinfo || true'), '0\n');
    for (const name of names)
      assert.equal(
        await succeed(`cmp - ${pools}/${name}.conf && echo same`, pool(name, name)),
        'same\n',
      );
    assert.match(
      await succeed('bulkhead web fpm status'),
      /alice +alice +\S+ +dynamic +tenant +running/,
    );
  });

  test("a tenant cannot change its master's configuration or its socket", patient, async () => {
    const as = (command: string) => host.guest.run(command, { user: 'alice' });
    const config = `/etc/bulkhead/fpm/8.4/${tenants.alice}.conf`;
    for (const command of [
      `rm -f ${socketOf('alice')}; test -e ${socketOf('alice')} && exit 1`,
      `mv ${socketOf('alice')} /tmp/mine`,
      `ln -sfT ${socketOf('bob')} ${socketOf('alice')}`,
      `ln -fT ${socketOf('bob')} ${socketOf('alice')}.bulkhead`,
      `sed -i s/alice/bob/ ${config}`,
      `echo 'user = bob' >> ${config}`,
      `mv ${config} ${config}.old`,
      `cat /etc/bulkhead/fpm/8.4/${tenants.bob}.conf`,
      `echo '[Service]' > /etc/systemd/system/${service('alice')}`,
      `ln -s /etc/passwd /etc/bulkhead/fpm/8.4/pools/1/mine.conf`,
      `systemctl stop ${service('bob')}`,
    ])
      assert.notEqual((await as(command)).status, 0, command);
    // A pool file that she may write would name anybody: her service stays as it was, and says so.
    await succeed(`chown alice ${pools}/alice.conf`);
    await host.guest.run(
      `sed -i 's/^user = .*/user = bob/; s/^group = .*/group = bob/' ${pools}/alice.conf; true`,
      { user: 'alice' },
    );
    await write(`${pools}/alice.conf`, pool('alice', 'bob'));
    const unsafe = await run('bulkhead web fpm status');
    assert.match(
      unsafe.stdout,
      /alice is not accepted: .*alice\.conf:1: pool alice: its file .* can be changed by alice/,
    );
    await succeed('systemctl reload php8.4-fpm');
    assert.equal((await ask('alice')).uid, tenants.alice);
    assert.equal((await ask('bob')).uid, tenants.bob);
    await succeed(`chown root ${pools}/alice.conf`);
    await write(`${pools}/alice.conf`, pool('alice', 'alice'));
    assert.doesNotMatch(await succeed('bulkhead web fpm status'), /not accepted/);
  });

  test(
    "a tenant that kills checks and breaks pools cannot stop root's changes",
    patient,
    async () => {
      await write('/opt/bulkhead/killer.pl', killer);
      await succeed(
        `install -d -o carol -g carol /home/carol/app; systemd-run --quiet --unit=killer --uid=alice perl /opt/bulkhead/killer.pl`,
      );
      await write(`${pools}/carol.conf`, pool('carol', 'carol', 'chdir = /home/carol/app\n'));
      await write(`${pools}/shop.conf`, pool('shop', 'alice'));
      await write('/etc/nginx/sites-enabled/shop.conf', vhost('shop'));
      await succeed('nginx -s reload 2>/dev/null; systemctl reload php8.4-fpm');
      assert.equal((await ask('shop')).uid, tenants.alice);
      assert.equal((await ask('carol')).uid, tenants.carol);
      // Root gives the pool to bob, and carol breaks hers.
      await succeed('rmdir /home/carol/app');
      await write(`${pools}/shop.conf`, pool('shop', 'bob'));
      await succeed('systemctl reload php8.4-fpm');
      assert.equal((await ask('shop')).uid, tenants.bob);
      assert.match(
        (await run('bulkhead web fpm status')).stdout,
        /The configuration of carol is not accepted: .*carol\.conf:?.*chdir/,
      );
      await succeed(`rm ${pools}/shop.conf; systemctl reload php8.4-fpm`);
      assert.equal(await succeed('ls /etc/systemd/system | grep -c :shop || true'), '0\n');
      await write(`${pools}/carol.conf`, pool('carol', 'carol'));
      await succeed(
        'systemctl stop killer; rm /etc/nginx/sites-enabled/shop.conf; nginx -s reload 2>/dev/null; systemctl reload php8.4-fpm',
      );
    },
  );

  test('a tenant cannot delay the end of its service', patient, async () => {
    await ask('alice');
    const main = (await succeed(`systemctl show -P MainPID ${service('alice')}`)).trim();
    assert.doesNotMatch(await succeed(`tr '\\0' '\\n' < /proc/${main}/environ`), /NOTIFY_SOCKET/);
    assert.equal(await succeed(`systemctl show -P NotifyAccess ${service('alice')}`), 'none\n');
    jsonOf('web fpm status', await succeed('bulkhead web fpm status --json'));
    // A master that is stopped takes no signal but the last one.
    await host.guest.run(`kill -STOP ${main}`, { user: 'alice' });
    jsonOf('web fpm disable', await succeed('bulkhead web fpm disable alice --json'));
    assert.equal(await succeed(`test ! -e /proc/${main} && echo gone`), 'gone\n');
    assert.equal((await ask('alice')).cgroup, '/system.slice/php8.4-fpm.service');
    await succeed('bulkhead web fpm enable --all');
    assert.equal((await ask('alice')).cgroup, cgroup('alice'));
  });

  test('a memory hog is killed, and the neighbour is served', patient, async () => {
    const { lost, stdout } = await whileAsked(['bob'], 'ask alice "/?hog=1"');
    assert.doesNotMatch(stdout, /^200/);
    assert.deepEqual(lost, []);
    assert.match(
      await succeed(`cat /sys/fs/cgroup${cgroup('alice')}/memory.events`),
      /oom_kill [1-9]/,
    );
    assert.equal((await ask('alice')).cgroup, cgroup('alice'));
  });

  test('a busy script is throttled, and the neighbour is served', patient, async () => {
    await write(
      '/etc/bulkhead/policy.xml',
      policyOf(`  <tenant uid="${tenants.alice}"><cpu limit="50%"/></tenant>\n`),
    );
    await succeed(`bulkhead apply; mkdir -m 777 ${gate}`);
    const throttled = `sed -n s/^nr_throttled.//p /sys/fs/cgroup${cgroup('alice')}/cpu.stat`;
    const { status, stderr, lost } = await whileAsked(
      ['bob'],
      `sh -c 'first=$(${throttled}); ask alice "/?busy=1" > /run/busy & until [ $(${throttled}) -ge $((first + 10)) ]; do sleep 0.2; done; touch ${gate}/open; wait'`,
    );
    assert.equal(status, 0, stderr);
    assert.deepEqual(lost, []);
    assert.match(await succeed('cat /run/busy'), /^200 /);
    await write('/etc/bulkhead/policy.xml', policy);
    await succeed(`rm -r ${gate}; bulkhead apply`);
  });

  test('idle masters are stopped under load, and no request is lost', patient, async () => {
    await write(
      '/opt/bulkhead/sources/idle.ts',
      `import { idleStopper } from './src/web/io/fpm/idle/idle-stopper.ts';
import { pathsOf } from './src/host/paths.ts';
const log = { warn: (text: string) => console.error(text) };
const part = idleStopper(pathsOf(), log as never, { idleMs: 500, everyMs: 100 });
setInterval(() => part.afterTick(() => [], {} as never), 100);
`,
    );
    const stops = `journalctl -o cat -u ${service('bob')} | grep -c ^Stopped`;
    const { status, stdout, stderr, lost } = await whileAsked(
      ['bob'],
      `sh -c 'first=$(${stops}); node /opt/bulkhead/sources/idle.ts & until [ $(${stops}) -ge $((first + 3)) ]; do kill -0 $! || exit 1; sleep 0.5; done; kill $!'`,
      // Longer than a master may be idle, so that requests come in while masters are stopped.
      0.7,
    );
    assert.equal(status, 0, stdout + stderr);
    assert.equal(stderr, '');
    assert.deepEqual(lost, []);
  });

  test('idle tenants have no process, and are placed all the same', patient, async () => {
    await succeed(
      `systemctl stop ${Object.keys(tenants)
        .map((each) => service(each as Name))
        .join(' ')} 2>/dev/null`,
    );
    for (const uid of Object.values(tenants))
      assert.equal((await run(`pgrep -U ${uid}`)).stdout, '');
    const { sites } = JSON.parse((await run('bulkhead web status --json')).stdout) as {
      readonly sites: readonly {
        readonly names: readonly string[];
        readonly placed: { readonly kind: string };
      }[];
    };
    const carol = sites.find(({ names }) => names.includes('carol.example'));
    assert.equal(carol?.placed.kind, 'at source');
  });

  test('ten requests to a cold socket are served by several workers', patient, async () => {
    // Each stays with its request until the gate is opened, however long the others take to start.
    await succeed(
      `mkdir -m 777 ${gate}; for i in 1 2 3 4 5 6 7 8 9 10; do ask carol '/?gate=1' > /run/ten.$i & done 2>/dev/null >/dev/null`,
    );
    await until(`[ $(ls ${gate} | wc -l) -ge 4 ]`);
    await succeed(`touch ${gate}/open`);
    await until('[ $(grep -l ^200 /run/ten.* | wc -l) = 10 ]');
    await succeed(`rm -r ${gate}`);
  });

  test(
    'a pool that a panel adds is placed after its reload, and no request is lost',
    patient,
    async () => {
      await write(`${pools}/alice2.conf`, pool('alice2', 'alice'));
      await write('/etc/nginx/sites-enabled/alice2.conf', vhost('alice2'));
      await succeed('nginx -s reload 2>/dev/null');
      const { status, stderr, lost } = await whileAsked(
        ['alice', 'bob'],
        'systemctl reload php8.4-fpm',
      );
      assert.equal(status, 0, stderr);
      assert.deepEqual(lost, []);
      assert.equal((await ask('alice2')).cgroup, cgroup('alice'));
      await succeed(
        `rm ${pools}/alice2.conf /etc/nginx/sites-enabled/alice2.conf && systemctl reload php8.4-fpm`,
      );
      assert.equal(await succeed('ls /etc/systemd/system | grep -c alice2 || true'), '0\n');
    },
  );

  test(
    'a new php.ini and a new PHP are used after a reload or restart, without lost requests',
    patient,
    async () => {
      const ini = '/etc/php/8.4/fpm/conf.d/99-test.ini';
      await write(ini, 'user_agent = anew\n');
      const names = ['alice', 'bob'];
      const read = await whileAsked(
        names,
        `systemctl reload php8.4-fpm && until ask alice | grep -q anew && ask bob | grep -q anew; do sleep 0.2; done`,
      );
      assert.equal(read.status, 0, read.stderr);
      assert.deepEqual(read.lost, []);
      // The package's own script restarts the service, as with dpkg.
      const program = '/usr/sbin/php-fpm8.4';
      const main = `/proc/$(systemctl show -P MainPID ${service('alice')})/exe`;
      const upgraded = await whileAsked(
        names,
        `cp -p ${program} ${program}.new && mv ${program}.new ${program} && DEBIAN_FRONTEND=noninteractive dpkg-reconfigure php8.4-fpm && until [ ${main} -ef ${program} ]; do sleep 0.2; done`,
      );
      assert.equal(upgraded.status, 0, upgraded.stdout + upgraded.stderr);
      assert.deepEqual(upgraded.lost, []);
      await succeed(
        `rm ${ini}; systemctl reload php8.4-fpm; until ! ask bob | grep -q anew; do sleep 0.2; done`,
      );
    },
  );

  test(
    'a pool on a port stays with php-fpm, and one that needs a root master is placed',
    patient,
    async () => {
      await write(
        `${pools}/port.conf`,
        pool('port', 'bob').replace(/listen = .*/, 'listen = 127.0.0.1:9017'),
      );
      await write('/etc/nginx/sites-enabled/port.conf', vhost('port', '127.0.0.1:9017'));
      await write(
        `${pools}/carol.conf`,
        pool('carol', 'carol').replace('group = carol', 'group = www-data'),
      );
      await succeed('nginx -s reload 2>/dev/null; systemctl reload php8.4-fpm');
      assert.equal((await ask('port')).uid, tenants.bob);
      assert.match(
        await succeed('bulkhead web fpm status'),
        /Pool port .* stays with php-fpm: .* any account could take a port/,
      );
      assert.equal(await succeed('ls /etc/systemd/system | grep -c :port || true'), '0\n');
      // Nobody waits for the end of the master that ran until now.
      await until(`ask carol | grep -q '"gid":33,'`);
      assert.equal((await ask('carol')).cgroup, cgroup('carol'));
      assert.match(
        await succeed('bulkhead web fpm status'),
        /carol +carol .*root \(pool carol has group www-data\)/,
      );
      // A root master would remove its socket when it ends.
      await succeed(`systemctl stop ${service('carol')} 2>/dev/null`);
      assert.equal((await ask('carol')).cgroup, cgroup('carol'));
      await write(`${pools}/carol.conf`, pool('carol', 'carol'));
      await succeed(
        `rm ${pools}/port.conf /etc/nginx/sites-enabled/port.conf; nginx -s reload 2>/dev/null; systemctl reload php8.4-fpm`,
      );
    },
  );

  test(
    'a service that cannot start is tried slowly, and serves once it is repaired',
    patient,
    async () => {
      const config = `/etc/bulkhead/fpm/8.4/${tenants.bob}.conf`;
      await succeed(
        `systemctl stop ${service('bob')} 2>/dev/null; cp -p ${config} /root/good; echo broken >> ${config}`,
      );
      await succeed('ask bob > /run/late 2>&1 &');
      // journald does not assign PHP-FPM's own messages to the unit, whose cgroup it has left.
      const starts = `journalctl -o short-unix -u ${service('bob')} | grep 'Main process exited'`;
      await until(`[ $(${starts} | wc -l) -ge 8 ]`);
      const seconds = (await succeed(starts))
        .trim()
        .split('\n')
        .map((line) => Number(line.split(' ')[0]));
      const most = Math.max(
        ...seconds.map(
          (from) => seconds.filter((each) => each >= from && each < from + 9.5).length,
        ),
      );
      assert.ok(most <= 6, `${most} in ten seconds`);
      await succeed(`cp -p /root/good ${config}`);
      await until(`grep -q ^200 /run/late || { ask bob > /run/late; false; }`);
      assert.equal((await ask('bob')).cgroup, cgroup('bob'));
    },
  );

  test('web fpm enable gives a pool to a tenant without one', patient, async () => {
    await succeed('useradd -m -u 3104 dave && bulkhead apply');
    assert.match(
      await succeed('bulkhead web fpm enable dave'),
      /dave +bulkhead-dave +\/run\/php\/php8\.4-fpm-bulkhead-dave\.sock/,
    );
    await write(
      '/etc/nginx/sites-enabled/dave.conf',
      vhost('dave', 'unix:/run/php/php8.4-fpm-bulkhead-dave.sock'),
    );
    await succeed('nginx -s reload 2>/dev/null');
    assert.equal((await ask('dave')).cgroup, '/bulkhead-tenants.service/u3104');
    await succeed('rm /etc/nginx/sites-enabled/dave.conf && bulkhead web fpm disable dave');
    assert.equal(await succeed('ls /run/php | grep -c dave || true'), '0\n');
    await succeed('userdel -r dave 2>/dev/null; bulkhead apply');
  });

  test("pools of a site are served in the site's cgroup", patient, async () => {
    await write(`${pools}/shop.conf`, pool('shop', 'bob'));
    await write('/etc/nginx/sites-enabled/shop.conf', vhost('shop'));
    await write('/etc/bulkhead/policy.xml', policyWith('shop.example'));
    await succeed('bulkhead apply; nginx -s reload 2>/dev/null');
    const { status, stderr, lost } = await whileAsked(
      ['bob', 'alice'],
      'systemctl reload php8.4-fpm',
    );
    assert.equal(status, 0, stderr);
    assert.deepEqual(lost, []);
    const root = '/bulkhead-tenants.service/u3102';
    const service = 'bulkhead-fpm84@3102:shop.example.service';
    const { cgroup: place, uid } = await ask('shop');
    assert.deepEqual([place, uid], [`${root}/s-shop.example`, tenants.bob]);
    assert.equal((await ask('bob')).cgroup, `${root}/main`);
    assert.match(
      await succeed('bulkhead web fpm status'),
      /bob\/shop\.example +shop +\S+ .*running/,
    );
    // Six at once, with two entries: no more than two workers serve them.
    const text = await succeed(`for i in 1 2 3 4 5 6; do ask shop '/?ms=1000' & done; wait`);
    const pids = new Set([...text.matchAll(/"pid":(\d+)/g)].map(([, pid]) => pid));
    assert.ok(pids.size <= 2, text);
    // A vhost of something else that passes to it makes it the tenant's again.
    await write('/etc/nginx/sites-enabled/other.conf', vhost('other', `unix:${socketOf('shop')}`));
    await succeed('nginx -s reload 2>/dev/null; systemctl reload php8.4-fpm');
    assert.equal((await ask('shop')).cgroup, `${root}/main`);
    // If nginx does not accept its files, everything stays as it is.
    await write('/etc/nginx/sites-enabled/other.conf', 'nonsense');
    await succeed('systemctl reload php8.4-fpm');
    assert.equal((await ask('shop')).cgroup, `${root}/main`);
    await succeed('rm /etc/nginx/sites-enabled/other.conf; systemctl reload php8.4-fpm');
    assert.equal((await ask('shop')).cgroup, `${root}/s-shop.example`);
    await write('/etc/nginx/sites-enabled/other.conf', 'nonsense');
    await succeed('systemctl reload php8.4-fpm');
    assert.equal((await ask('shop')).cgroup, `${root}/s-shop.example`);
    await succeed('rm /etc/nginx/sites-enabled/other.conf');
    // A site that leaves the policy: its pools run in the rest of the tenant, before anything is divided again.
    await write('/etc/bulkhead/policy.xml', policy);
    await succeed(`bulkhead apply; systemctl stop ${service} 2>/dev/null`);
    assert.equal((await ask('shop')).cgroup, root);
    await succeed('systemctl reload php8.4-fpm');
    assert.equal((await ask('shop')).cgroup, root);
    assert.equal((await run(`systemctl is-active ${service}`)).stdout, 'inactive\n');
    assert.equal(
      await succeed('ls /etc/systemd/system /etc/bulkhead/fpm/8.4 | grep -c shop.example || true'),
      '0\n',
    );
    await succeed(
      `rm ${pools}/shop.conf /etc/nginx/sites-enabled/shop.conf; nginx -s reload 2>/dev/null; systemctl reload php8.4-fpm`,
    );
  });

  test("the distribution's php-fpm starts without Bulkhead's files", patient, async () => {
    await write(`${pools}/late.conf`, pool('late', 'alice'));
    await write('/etc/nginx/sites-enabled/late.conf', vhost('late'));
    await succeed(
      'nginx -s reload 2>/dev/null; mv /opt/bulkhead/dist /opt/bulkhead/away; systemctl restart php8.4-fpm',
    );
    assert.equal((await ask('late')).cgroup, '/system.slice/php8.4-fpm.service');
    assert.equal((await ask('alice')).cgroup, cgroup('alice'));
    await succeed('mv /opt/bulkhead/libexec /opt/bulkhead/gone; systemctl restart php8.4-fpm');
    assert.equal((await ask('late')).cgroup, '/system.slice/php8.4-fpm.service');
    await succeed(
      'mv /opt/bulkhead/gone /opt/bulkhead/libexec; mv /opt/bulkhead/away /opt/bulkhead/dist; systemctl reload php8.4-fpm',
    );
    assert.equal((await ask('late')).cgroup, cgroup('alice'));
    await succeed(
      `rm ${pools}/late.conf /etc/nginx/sites-enabled/late.conf; nginx -s reload 2>/dev/null; systemctl reload php8.4-fpm`,
    );
  });

  test('web fpm disable restores everything', patient, async () => {
    const early = await run('bulkhead release');
    assert.equal(early.status, 1);
    assert.match(early.stderr, /run bulkhead web fpm disable --all first/);
    const { status, stderr, lost } = await whileAsked(
      Object.keys(tenants),
      'bulkhead web fpm disable --all',
    );
    assert.equal(status, 0, stderr);
    assert.deepEqual(lost, []);
    assert.equal((await ask('alice')).cgroup, '/system.slice/php8.4-fpm.service');
    assert.equal((await ask('carol')).uid, tenants.carol);
    assert.equal(
      await succeed("systemctl list-units --all --no-legend '*bulkhead*fpm*'"),
      '',
      'neither a failed unit nor a slice is left',
    );
    assert.equal(await succeed('ls /run/php | grep -c bulkhead || true'), '0\n');
    const now = await everything();
    // Accounts came and went: their files have backups by now.
    const others = (text: string) =>
      text
        .split('\n')
        .filter((line) => line.includes('fpm') || line.includes('systemd'))
        .join('\n');
    assert.equal(others(now), others(original));
  });

  test('services are in slices with the systemd driver', patient, async () => {
    await succeed('bulkhead web fpm enable alice');
    assert.equal((await ask('alice')).cgroup, cgroup('alice'));
    await write('/etc/bulkhead/policy.xml', policy.replace('cgroup2', 'systemd'));
    await succeed('bulkhead apply && bulkhead web fpm enable bob');
    for (const name of ['alice', 'bob'] as const) {
      const { cgroup: place, uid } = await ask(name);
      const slice = `/user.slice/user-${tenants[name]}.slice`;
      assert.deepEqual([place, uid], [`${slice}/${service(name)}`, tenants[name]]);
      assert.equal(await succeed(`cat /sys/fs/cgroup${slice}/pids.max`), '80\n');
    }
    await succeed('bulkhead web fpm disable --all');
    assert.equal((await ask('alice')).cgroup, '/system.slice/php8.4-fpm.service');
  });
});
