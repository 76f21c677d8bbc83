/** PHP-FPM services inside the jails of their tenants, with the real nginx, php-fpm and systemd of Debian. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { suite, test } from 'node:test';
import { projectDirectory } from '../../../testing/vm/project.ts';
import { longPatienceMilliseconds } from '../../../testing/patience.ts';
import { withPatientFpm } from '../../../testing/vm/installed.ts';
import { guestOfSuite, prepareGuests } from '../../../testing/vm/suite.ts';

const guests = await prepareGuests(import.meta.filename);

const tenants = { alice: 3101, bob: 3102 } as const;
type Name = keyof typeof tenants;

const pools = '/etc/php/8.4/fpm/pool.d';
const pool = (name: string, more = '', user = name) => `[${name}]
user = ${user}
group = ${user}
listen = /run/php/php8.4-fpm-${name}.sock
listen.group = www-data
pm = static
pm.max_children = 2
${more}`;

const vhost = (name: string, root = `/home/${name}`) => `server {
  listen 127.0.0.1:80;
  server_name ${name}.example;
  location / {
    include fastcgi_params;
    fastcgi_param SCRIPT_FILENAME ${root}/index.php;
    fastcgi_pass unix:/run/php/php8.4-fpm-${name}.sock;
    fastcgi_read_timeout 1h;
  }
}
`;

const script = `<?php
session_id('abcdefghijklmnopqrstuvwxyz');
session_start();
$reads = fn($path) => @file_get_contents($path) !== false;
echo json_encode([
  'uid' => posix_geteuid(),
  'cgroup' => trim(substr(file_get_contents('/proc/self/cgroup'), 3)),
  'homes' => array_values(array_diff(scandir('/home'), ['.', '..'])),
  'home' => array_values(array_diff(scandir('/home/alice'), ['.', '..'])),
  'read' => array_values(array_filter(['/home/bob/public', '/etc/nginx/nginx.conf', '/etc/bulkhead/policy.xml',
    '${pools}/bob.conf', '/etc/shadow', '/sys/kernel/mm/transparent_hugepage/enabled'], $reads)),
  'others' => count(array_filter(glob('/proc/[0-9]*'), fn($p) => fileowner($p) !== posix_geteuid())),
  'visits' => $_SESSION['n'] = ($_SESSION['n'] ?? 0) + 1,
  'answer' => getenv('ANSWER'),
  'master' => posix_getppid(),
]);
`;

/** `ask HOST` prints the status and the body. */
const client = String.raw`#!/usr/bin/perl
use strict; use IO::Socket::INET;
my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1:80') or die;
print $s "GET / HTTP/1.0\r\nHost: $ARGV[0].example\r\n\r\n";
local $/; my $r = <$s> // ''; my ($head, $body) = split /\r\n\r\n/, $r, 2;
my ($code) = $head =~ m{^HTTP/\S+ (\d+)}; print $code // 'none', ' ', $body // '';
`;

interface Answer {
  readonly uid: number;
  readonly cgroup: string;
  readonly homes: readonly string[];
  /** The names in alice's home. */
  readonly home: readonly string[];
  readonly read: readonly string[];
  readonly others: number;
  readonly visits: number;
  readonly answer: string | false;
  readonly master: number;
}

const policyOf = (driver: string, jail: string) =>
  `<bulkhead version="1"><host driver="${driver}"/><tenants uids="3100-3199"/>
  <tenant uid="${tenants.alice}">${jail}</tenant></bulkhead>\n`;
const jailed = '<jail profile="web" commands="sendmail crontab passwd"/>';
const patient = { timeout: longPatienceMilliseconds };
const service = `bulkhead-fpm84@${tenants.alice}.service`;

suite('PHP-FPM in the jails of tenants', { skip: guests.skip }, () => {
  const ask = async (name: string): Promise<Answer> => {
    const text = await succeed(`ask ${name}`);
    assert.match(text, /^200 \{/, text);
    return JSON.parse(text.slice(4)) as Answer;
  };
  const value = async (property: string) =>
    (await succeed(`systemctl show -P ${property} ${service}`)).trim();

  const host = guestOfSuite(guests, async (guest) => {
    await withPatientFpm(guest);
    for (const [name, uid] of Object.entries(tenants) as [Name, number][]) {
      await succeed(`useradd -m -u ${uid} -s /bin/sh ${name} && chmod 755 /home/${name}`);
      await write(`${pools}/${name}.conf`, pool(name));
      await write(`/etc/nginx/sites-enabled/${name}.conf`, vhost(name));
      await write(`/home/${name}/index.php`, script);
    }
    await succeed(
      'echo open > /home/bob/public; mkdir -p /etc/bulkhead; rm -f /etc/nginx/sites-enabled/default',
    );
    await write('/usr/local/bin/ask', client);
    await write('/etc/bulkhead/policy.xml', policyOf('cgroup2', jailed));
    await succeed(
      'chmod 755 /usr/local/bin/ask && bulkhead apply && systemctl start nginx php8.4-fpm && bulkhead web fpm enable --all',
    );
  });
  const { run, succeed, write } = host;

  test("a service starts in its tenant's jail, and sees nothing of others", patient, async () => {
    const answer = await ask('alice');
    assert.deepEqual([answer.uid, answer.homes], [tenants.alice, ['alice']]);
    assert.equal(answer.cgroup, `/bulkhead-tenants.service/u${tenants.alice}`);
    assert.deepEqual([answer.read, answer.others], [[], 0]);
    assert.equal((await ask('alice')).visits, answer.visits + 1);
    // A tenant without a jail sees what everybody does.
    const outside = await ask('bob');
    assert.ok(outside.read.includes('/etc/nginx/nginx.conf'));
    assert.ok(outside.homes.includes('alice'));
    const { jails } = JSON.parse(await succeed('bulkhead jail status --json'));
    assert.deepEqual([jails[0].outside, jails[0].stale], [[], []]);
    assert.ok(jails[0].inside.length >= 3);
    assert.match(await succeed('bulkhead web fpm status'), /alice .*tenant, in its jail +running/);
  });

  test(
    'systemd knows a jailed master, takes no message from it, and logs its messages',
    patient,
    async () => {
      assert.equal(Number(await value('MainPID')), (await ask('alice')).master);
      assert.equal(await value('NotifyAccess'), 'none');
      assert.match(
        await succeed('journalctl --no-pager -t php-fpm8.4-alice'),
        /ready to handle connections/,
      );
    },
  );

  test('the broker runs crontab and passwd for a tenant in a jail', patient, async () => {
    for (const name of ['bulkhead-broker.socket', 'bulkhead-broker@.service'])
      await write(
        `/etc/systemd/system/${name}`,
        readFileSync(`${projectDirectory}/packaging/${name}`, 'utf8'),
      );
    await succeed(
      'systemctl daemon-reload && systemctl start bulkhead-broker.socket && bulkhead jail sync',
    );
    const alice = (command: string) => `bulkhead exec alice -- /bin/sh -c '${command}'`;
    // She reads and removes what root has written for her, and writes none while cron would run it outside.
    await succeed('echo "1 2 3 4 5 true" | crontab -u alice -');
    const written = await run(alice('echo "5 4 3 2 1 true" | crontab -'));
    assert.deepEqual([written.status, written.stdout], [77, '']);
    assert.match(written.stderr, /would run outside the jail/);
    assert.equal(await succeed(alice('crontab -l')), '1 2 3 4 5 true\n');
    const refused = await run(alice('crontab -u bob -l'));
    assert.deepEqual([refused.status, refused.stdout], [77, '']);
    await succeed(alice('crontab -r'));
    await succeed('echo "alice:first of all words" | chpasswd');
    const change = (current: string) =>
      host.guest.run('bulkhead exec alice -- passwd', {
        timeoutMs: longPatienceMilliseconds,
        input: `${current}\nsecond of all words\nsecond of all words\n`,
      });
    const before = await succeed('grep ^alice: /etc/shadow');
    const changed = await change('first of all words');
    assert.equal(changed.status, 0, changed.stderr);
    assert.notEqual(await succeed('grep ^alice: /etc/shadow'), before);
    // The old one opens nothing any more.
    assert.equal((await change('first of all words')).status, 10);
    const messages = await succeed('journalctl --no-pager -u "bulkhead-broker@*"');
    assert.match(messages, /uid 3101: crontab -l: exit status 0/);
    assert.match(messages, /uid 3101: passwd: exit status 0$/m);
    assert.doesNotMatch(messages, /of all words/);
    assert.equal((await run('systemctl is-active bulkhead-broker.socket')).stdout, 'active\n');
    assert.doesNotMatch(await succeed('bulkhead doctor || true'), /nobody listens for them/);
  });

  test('a changed pool file is read by the same master', patient, async () => {
    const { master, answer } = await ask('alice');
    assert.equal(answer, false);
    await write(`${pools}/alice.conf`, pool('alice', 'env[ANSWER] = forty-two\n'));
    await succeed('systemctl reload php8.4-fpm');
    await host.until('ask alice | grep -q forty-two');
    assert.equal((await ask('alice')).master, master);
    await write(`${pools}/alice.conf`, pool('alice', 'chdir = /home/bob\n'));
    await succeed('systemctl reload php8.4-fpm');
    assert.equal((await ask('alice')).answer, 'forty-two');
    assert.match(await succeed('bulkhead web fpm status'), /alice is not accepted: .*chdir/);
    await write(`${pools}/alice.conf`, pool('alice'));
    await succeed('systemctl reload php8.4-fpm');
  });

  test('a stopped service starts in the jail again with the next request', patient, async () => {
    await succeed(`systemctl stop ${service}`);
    assert.deepEqual((await ask('alice')).homes, ['alice']);
  });

  test('a service does not start without its jail, and logs why', patient, async () => {
    const stateFile = `/run/bulkhead/jail/tenants/${tenants.alice}`;
    await succeed(
      `systemctl stop ${service}; cp ${stateFile} /run/saved; sed -i 's/^state .*/state failed the home is a link/' ${stateFile}`,
    );
    // It has started once its launcher runs, which then ends.
    await run(`systemctl start ${service}`);
    await succeed(`until systemctl is-failed --quiet ${service}; do sleep 0.2; done`);
    assert.match(
      await succeed(`journalctl --no-pager -u ${service}`),
      /in the jail of "3101": it could not be built: the home is a link/,
    );
    await succeed(
      `systemctl stop ${service}; systemctl reset-failed; cat /run/saved > ${stateFile}`,
    );
    assert.deepEqual((await ask('alice')).homes, ['alice']);
  });

  test('a pool that needs a root master is refused, with the reason', patient, async () => {
    await write(`${pools}/alice.conf`, pool('alice', 'rlimit_files = 2048\n'));
    await succeed('systemctl reload php8.4-fpm');
    assert.match(
      await succeed('bulkhead web fpm status'),
      /alice is not accepted: pool alice has rlimit_files, .*in a jail that is not possible/,
    );
    assert.deepEqual((await ask('alice')).homes, ['alice']);
    await write(`${pools}/alice.conf`, pool('alice'));
    await succeed('systemctl reload php8.4-fpm');
  });

  test("PHP leaves the jail with the policy's <jail>, and returns", patient, async () => {
    await write('/etc/bulkhead/policy.xml', policyOf('cgroup2', ''));
    await succeed('bulkhead apply; systemctl reload php8.4-fpm');
    assert.ok((await ask('alice')).homes.includes('bob'));
    await write('/etc/bulkhead/policy.xml', policyOf('cgroup2', jailed));
    await succeed('bulkhead apply; systemctl reload php8.4-fpm');
    assert.deepEqual((await ask('alice')).homes, ['alice']);
  });

  test('a service is in its slice and in its jail with the systemd driver', patient, async () => {
    await succeed('bulkhead web fpm disable --all && bulkhead release --kill');
    await write('/etc/bulkhead/policy.xml', policyOf('systemd', jailed));
    await succeed('bulkhead apply && bulkhead web fpm enable --all');
    const answer = await ask('alice');
    assert.deepEqual(answer.homes, ['alice']);
    assert.match(answer.cgroup, /^\/user\.slice\/user-3101\.slice\/bulkhead-fpm84@3101\.service$/);
    assert.equal(await value('NotifyAccess'), 'none');
    assert.match((await ask('bob')).cgroup, /^\/user\.slice\/user-3102\.slice\//);
    // A unit that was written before the tenant had a jail does not start outside.
    await succeed(
      `touch /run/bulkhead/jail/tenants/${tenants.bob}; systemctl stop bulkhead-fpm84@${tenants.bob}.service`,
    );
    // It has started once its launcher runs, which then ends.
    await run(`systemctl start bulkhead-fpm84@${tenants.bob}.service`);
    await host.until(`systemctl is-failed --quiet bulkhead-fpm84@${tenants.bob}.service`);
    assert.match(
      await succeed(`journalctl --no-pager -u bulkhead-fpm84@${tenants.bob}.service`),
      /in the jail of "3102": it is cut off/,
    );
    await succeed(`systemctl stop bulkhead-fpm84@${tenants.bob}.service`);
  });

  test('a site with a jail of its own sees only its directory', patient, async () => {
    const site = '/home/alice/shop';
    const siteJail = `<jail profile="strict" home="${site}"/>`;
    await succeed(`mkdir ${site} && cp /home/alice/index.php ${site} && chown -R alice: ${site}`);
    await write(`${pools}/shop.conf`, pool('shop', '', 'alice'));
    await write('/etc/nginx/sites-enabled/shop.conf', vhost('shop', site));
    const follow = async (jail: string) => {
      const of = `${jailed}<site name="shop.example">${jail}</site>`;
      await write('/etc/bulkhead/policy.xml', policyOf('systemd', of));
      await succeed('bulkhead apply; systemctl reload nginx php8.4-fpm');
    };
    await follow(siteJail);
    const { uid, cgroup, homes, home, read, others } = await ask('shop');
    assert.deepEqual([uid, homes, home], [tenants.alice, ['alice'], ['shop']]);
    assert.deepEqual([read, others], [[], 0]);
    assert.match(cgroup, /^\/user\.slice\/user-3101\.slice\/user-3101-shop\.example\.slice\//);
    assert.ok((await ask('alice')).home.includes('index.php'));
    const { jails } = JSON.parse(await succeed('bulkhead jail status --json'));
    assert.deepEqual(
      jails.map(({ site: name = '', stale }: { site?: string; stale: unknown[] }) => [name, stale]),
      [
        ['', []],
        ['shop.example', []],
      ],
    );
    await follow('');
    assert.ok((await ask('shop')).home.includes('index.php'));
  });
});
