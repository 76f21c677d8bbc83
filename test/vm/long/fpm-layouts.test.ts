/**
 * PHP-FPM at the paths of cPanel, Enterprise Linux and DirectAdmin, with units of their names: Debian's php-fpm, copied
 * there, with its nginx and systemd.
 */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { WebFpmStatusJson, WebStatusJson } from '../../../src/web/commands/json.ts';
import { jsonOf } from '../../../testing/json-output.ts';
import { longPatienceMilliseconds } from '../../../testing/patience.ts';
import { withPatientFpm } from '../../../testing/vm/installed.ts';
import { guestOfSuite, prepareGuests } from '../../../testing/vm/suite.ts';

const guests = await prepareGuests(import.meta.filename);
const patient = { timeout: longPatienceMilliseconds };

interface Build {
  readonly php: string;
  readonly unit: string;
  readonly user: string;
  readonly uid: number;
  readonly program: string;
  readonly main: string;
  readonly include: string;
  readonly pool: string;
  readonly socket: string;
}

const builds: readonly Build[] = [
  {
    php: 'ea-php84',
    unit: 'ea-php84-php-fpm.service',
    user: 'alice',
    uid: 3101,
    program: '/opt/cpanel/ea-php84/root/usr/sbin/php-fpm',
    main: '/opt/cpanel/ea-php84/root/etc/php-fpm.conf',
    include: '/opt/cpanel/ea-php84/root/etc/php-fpm.d/*.conf',
    pool: '/opt/cpanel/ea-php84/root/etc/php-fpm.d/alice.example.conf',
    socket: `/opt/cpanel/ea-php84/root/usr/var/run/php-fpm/${'0123abcd'.repeat(5)}.sock`,
  },
  {
    php: 'el',
    unit: 'php-fpm.service',
    user: 'bob',
    uid: 3102,
    program: '/usr/sbin/php-fpm',
    main: '/etc/php-fpm.conf',
    include: '/etc/php-fpm.d/*.conf',
    pool: '/etc/php-fpm.d/bob.conf',
    socket: '/run/php-fpm/bob.sock',
  },
  {
    php: 'da-php84',
    unit: 'php-fpm84.service',
    user: 'carol',
    uid: 3103,
    program: '/usr/local/php84/sbin/php-fpm84',
    main: '/usr/local/php84/etc/php-fpm.conf',
    include: '/usr/local/directadmin/data/users/*/php/php-fpm84.conf',
    pool: '/usr/local/directadmin/data/users/carol/php/php-fpm84.conf',
    socket: '/usr/local/php84/sockets/carol.sock',
  },
];

const unitText = ({ program, main }: Build) => `[Service]
Type=notify
RuntimeDirectory=php-fpm
ExecStart=${program} --nodaemonize --fpm-config ${main}
ExecReload=/bin/kill -USR2 $MAINPID
[Install]
WantedBy=multi-user.target
`;

const poolText = ({ user, socket }: Pick<Build, 'user' | 'socket'>) => `[${user}]
user = ${user}
group = ${user}
listen = ${socket}
listen.owner = ${user}
listen.group = www-data
pm = ondemand
pm.max_children = 5
`;

const vhost = ({ user, socket }: Build) => `server {
  listen 127.0.0.1:80;
  server_name ${user}.example;
  location / {
    include fastcgi_params;
    fastcgi_param SCRIPT_FILENAME /srv/www/index.php;
    fastcgi_pass unix:${socket};
    fastcgi_read_timeout 1h;
  }
}
`;

const script =
  "<?php echo trim(substr(file_get_contents('/proc/self/cgroup'), 3)), ' ', posix_geteuid();\n";

const policy = `<bulkhead version="1"><host driver="cgroup2"/>
  <tenants uids="3100-3199"/>
  <defaults><processes limit="80"/><entries limit="5"/></defaults>
</bulkhead>
`;

const directoryOf = (path: string) => path.slice(0, path.lastIndexOf('/'));

suite("PHP-FPM at other distributions' and panels' paths", { skip: guests.skip }, () => {
  const host = guestOfSuite(guests, async (guest) => {
    await withPatientFpm(guest);
    await succeed('rm -f /etc/nginx/sites-enabled/default; useradd -r diradmin');
    for (const each of builds) {
      await succeed(`useradd -m -u ${each.uid} -s /bin/sh ${each.user}`);
      await succeed(
        `mkdir -p ${directoryOf(each.program)} ${directoryOf(each.socket)} && cp /usr/sbin/php-fpm8.4 ${each.program}`,
      );
      await write(each.main, `[global]\nerror_log = syslog\ninclude=${each.include}\n`);
      await write(each.pool, poolText(each));
      await write(`/etc/systemd/system/${each.unit}`, unitText(each));
      await write(`/etc/nginx/sites-enabled/${each.user}.conf`, vhost(each));
    }
    await succeed('chown -R diradmin:diradmin /usr/local/directadmin');
    await write('/srv/www/index.php', script);
    await write('/etc/bulkhead/policy.xml', policy);
    const units = builds.map(({ unit }) => unit).join(' ');
    await succeed(
      `bulkhead apply && systemctl daemon-reload && systemctl start ${units} && systemctl restart nginx`,
    );
  });
  const { run, succeed, write } = host;

  const ask = (user: string) =>
    succeed(
      `perl -MIO::Socket::INET -e '$s = IO::Socket::INET->new("127.0.0.1:80") or die; print $s "GET / HTTP/1.0\\r\\nHost: ${user}.example\\r\\n\\r\\n"; local $/; $_ = <$s>; s/.*\\r\\n\\r\\n//s; print'`,
    );
  const inside = ({ uid }: Build) => `/bulkhead-tenants.service/u${uid} ${uid}`;
  const outside = ({ unit, uid }: Build) => `/system.slice/${unit} ${uid}`;
  const versions = async () => {
    const { stdout } = await run('bulkhead web fpm status --json');
    return jsonOf<WebFpmStatusJson>('web fpm status', stdout).versions;
  };

  test(
    'web status reads the pools of all of them, and misses none that runs',
    patient,
    async () => {
      for (const each of builds) assert.equal(await ask(each.user), outside(each));
      const { stdout } = await run('bulkhead web status --json');
      const status = jsonOf<WebStatusJson>('web status', stdout);
      assert.deepEqual(status.notServed, []);
      for (const { php, user } of builds) {
        const found = status.pools.find(({ name }) => name === user);
        assert.equal(found?.php, php);
        const site = status.sites.find(({ names }) => names.includes(`${user}.example`));
        assert.deepEqual([site?.owner?.name, site?.handledBy], [user, [`FPM ${php} ${user}`]]);
      }
      assert.deepEqual(
        status.poolFindings.filter(({ pool }) => builds.some(({ user }) => user === pool)),
        [],
      );
    },
  );

  test('web fpm enable gives each tenant a service of its own PHP', patient, async () => {
    const { status, stderr } = await run('bulkhead web fpm enable --all');
    assert.equal(status, 0, stderr);
    for (const each of builds) {
      assert.equal(await ask(each.user), inside(each));
      await succeed(`systemctl is-active bulkhead-fpm-${each.php}@${each.uid}.service`);
      assert.match(
        await succeed(`cat /etc/systemd/system/${each.unit}.d/bulkhead.conf`),
        new RegExp(`--fpm-config /etc/bulkhead/fpm/${each.php}/php-fpm\\.conf`),
      );
    }
  });

  test("a reload of the panel's own unit brings a changed pool into force", patient, async () => {
    for (const each of builds) {
      await write(each.pool, `${poolText(each)}request_terminate_timeout = 77\n`);
      await succeed(`systemctl reload ${each.unit}`);
      const config = `/etc/bulkhead/fpm/${each.php}/${each.uid}.conf`;
      assert.match(await succeed(`cat ${config}`), /request_terminate_timeout = 77/);
      assert.equal(await ask(each.user), inside(each));
    }
  });

  test(
    'a pool of two PHPs is named at both, and its service goes on as it is',
    patient,
    async () => {
      const [first, second] = builds;
      assert.ok(first !== undefined && second !== undefined);
      await write('/etc/php-fpm.d/alice.conf', poolText(first));
      const found = await versions();
      const refusedOf = (php: string) => found.find((each) => each.php === php);
      assert.match(
        refusedOf('ea-php84')?.refused[0]?.reason ?? '',
        /a pool of PHP el listens at .*, too/,
      );
      const kept = refusedOf('el')?.kept.find(({ pool }) => pool === 'alice');
      assert.match(kept?.reason ?? '', /a pool of PHP ea-php84 listens at .*, too/);
      await succeed('rm /etc/php-fpm.d/alice.conf');
      assert.equal(await ask('alice'), inside(first));
    },
  );

  test('a PHP-FPM that runs, and is in no layout, is named', patient, async () => {
    await succeed('mkdir -p /opt/own && cp /usr/sbin/php-fpm8.4 /opt/own/php-fpm');
    await write(
      '/opt/own/fpm.conf',
      '[global]\nerror_log = /run/own.log\npid = /run/own.pid\n[own]\nuser = www-data\nlisten = /run/own.sock\npm = ondemand\npm.max_children = 1\n',
    );
    await succeed('/opt/own/php-fpm --daemonize --fpm-config /opt/own/fpm.conf');
    const { stdout } = await run('bulkhead web status');
    assert.match(
      stdout.replaceAll(/\s+/g, ' '),
      /PHP-FPM \/opt\/own\/php-fpm \(\/opt\/own\/fpm\.conf\) is not served/,
    );
    await succeed('kill $(cat /run/own.pid)');
  });

  test('web fpm disable gives everything back', patient, async () => {
    const { status, stderr } = await run('bulkhead web fpm disable --all');
    assert.equal(status, 0, stderr);
    for (const each of builds) assert.equal(await ask(each.user), outside(each));
    assert.equal(await succeed('ls /etc/systemd/system | grep -c bulkhead-fpm || true'), '0\n');
    assert.equal(await succeed('ls /etc/bulkhead'), 'policy.xml\n');
  });
});
