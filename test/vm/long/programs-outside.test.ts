/**
 * Daemons of the host that become a tenant and start programs, on a server where nothing was enabled for them: they
 * start none for a tenant in a jail, and all for another.
 */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { eventually, longPatienceMilliseconds } from '../../../testing/patience.ts';
import { guestOfSuite, prepareGuests } from '../../../testing/vm/suite.ts';
import { copyPackages, installCopied } from '../jails/packages.ts';

const guests = await prepareGuests(import.meta.filename, 'bpf');
const patient = { timeout: longPatienceMilliseconds };

/** Alice has a jail. */
const users = ['alice', 'bob'] as const;
type User = (typeof users)[number];
const forBoth = (command: (user: User) => string): string => users.map(command).join('\n');

const ran = (user: User) => `/home/${user}/ran`;
const touch = (user: User) => `/usr/bin/touch ${ran(user)}`;
const ssh =
  'ssh -F none -i /root/keys/id -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o BatchMode=yes';
/** PORT HOST: the body of the answer. */
const ask = `#!/bin/bash
exec 3<>/dev/tcp/127.0.0.1/$1
printf 'GET /%s HTTP/1.0\\r\\nHost: %s.example\\r\\n\\r\\n' "$3" "$2" >&3
tail -n 1 <&3
`;
const page = `<?php exec('/usr/bin/touch /home/' . posix_getpwuid(posix_geteuid())['name'] . '/ran'); echo "served\\n";`;
const pool = (user: User) => `[${user}]
user = ${user}
group = ${user}
listen = /run/php/${user}.sock
listen.owner = www-data
pm = static
pm.max_children = 1
`;
const nginx = (user: User) => `server { listen 127.0.0.1:8080; server_name ${user}.example;
  fastcgi_read_timeout 1h;
  location / { include fastcgi_params; fastcgi_param SCRIPT_FILENAME /var/www/${user}/index.php; fastcgi_pass unix:/run/php/${user}.sock; } }
`;
const apache = (more: (user: User) => string) => `Listen 127.0.0.1:8081
${forBoth(
  (user) => `<VirtualHost 127.0.0.1:8081>
  ServerName ${user}.example
  DocumentRoot /var/www/${user}
  ${more(user)}
  <Directory /var/www/${user}>
    Require all granted
    Options +ExecCGI
    AddHandler cgi-script .cgi
  </Directory>
</VirtualHost>`,
)}
`;

interface Way {
  readonly what: string;
  /** Starts it for one of the two users; `both` starts it for both at once. */
  readonly start?: (user: User) => string;
  readonly both?: string;
  /** Also of the one that is refused. */
  readonly answers?: string;
}

const ways: readonly Way[] = [
  { what: 'su', start: (user) => `su -s /bin/sh ${user} -c '${touch(user)}'` },
  { what: 'runuser', start: (user) => `runuser -u ${user} -- ${touch(user)}` },
  {
    what: 'setpriv',
    start: (user) => `setpriv --reuid ${user} --regid ${user} --init-groups ${touch(user)}`,
  },
  { what: 'ssh', start: (user) => `${ssh} ${user}@127.0.0.1 '${touch(user)}'` },
  {
    what: 'a unit with User=',
    start: (user) => `systemd-run --quiet --wait -p User=${user} ${touch(user)}`,
  },
  { what: 'cron', both: 'systemctl start cron' },
  { what: 'at', both: 'systemctl start atd' },
  {
    what: 'a session that was open before the jail was there',
    start: (user) => `echo > /home/${user}/go; until [ -e /home/${user}/went ]; do sleep 0.2; done`,
  },
  {
    what: "a pool of the distribution's PHP-FPM",
    start: (user) => `ask 8080 ${user}`,
    answers: 'served\n',
  },
];

suite('Programs outside jails', { skip: guests.skip }, () => {
  const { run, succeed, until, write } = guestOfSuite(guests, async (guest) => {
    await succeed(
      [
        'set -e',
        'systemctl stop cron atd; mkdir /root/keys; ssh-keygen -q -t ed25519 -N "" -f /root/keys/id',
        forBoth(
          (user) =>
            `useradd -m -s /bin/sh ${user}; chmod 755 /home/${user}; install -d -m 700 -o ${user} /home/${user}/.ssh; install -m 600 -o ${user} /root/keys/id.pub /home/${user}/.ssh/authorized_keys`,
        ),
        forBoth(
          (user) =>
            `echo '* * * * * ${touch(user)}' | crontab -u ${user} -; echo '${touch(user)}' | su -s /bin/sh ${user} -c 'at now' 2>&1`,
        ),
        forBoth(
          (user) =>
            `mkfifo -m 666 /home/${user}/go; setsid su -s /bin/sh ${user} -c 'echo on > open; read x < go; ${touch(user)}; echo on > went' --login > /dev/null 2>&1 < /dev/null &`,
        ),
        forBoth((user) => `until [ -e /home/${user}/open ]; do sleep 0.2; done`),
        'rm -f /etc/nginx/sites-enabled/default; systemctl start ssh',
      ].join('\n'),
    );
    for (const user of users) {
      await write(`/etc/php/8.4/fpm/pool.d/${user}.conf`, pool(user));
      await write(`/etc/nginx/sites-enabled/${user}.conf`, nginx(user));
      await write(`/var/www/${user}/index.php`, page);
      await write(
        `/var/www/${user}/run.cgi`,
        `#!/bin/sh\n${touch(user)}\nprintf 'Content-Type: text/plain\\n\\nserved\\n'\n`,
      );
      await succeed(`chown -R ${user}: /var/www/${user}; chmod 755 /var/www/${user}/run.cgi`);
    }
    await write('/usr/local/bin/ask', ask);
    await write(
      '/etc/bulkhead/policy.xml',
      '<bulkhead version="1"><tenant user="alice"><jail profile="web"/></tenant><tenant user="bob"/></bulkhead>\n',
    );
    await succeed(
      'chmod 755 /usr/local/bin/ask; systemctl start nginx php8.4-fpm && bulkhead apply --quiet',
    );
    await copyPackages(guest, [
      'apache2-suexec-pristine',
      'libapache2-mpm-itk',
      'libapache2-mod-php',
    ]);
  });
  const refused = async () => {
    const { apart } = JSON.parse(await succeed('bulkhead jail status --json')) as {
      readonly apart: { readonly refused: { readonly program: number } };
    };
    return apart.refused.program;
  };
  const check = async ({ start, both, answers }: Way) => {
    const before = await refused();
    const answer = async (user: User) =>
      start === undefined ? '' : (await run(start(user))).stdout;
    if (both !== undefined) await succeed(both);
    const [ofAlice, ofBob] = [await answer('alice'), await answer('bob')];
    await until(`[ -e ${ran('bob')} ]`);
    await eventually('it is refused', async () => (await refused()) > before);
    assert.notEqual((await run(`ls ${ran('alice')}`)).status, 0);
    if (answers !== undefined) assert.deepEqual([ofAlice, ofBob], [answers, answers]);
    await succeed(`rm ${ran('bob')}; systemctl stop cron atd`);
  };

  for (const way of ways)
    test(`${way.what} starts no program for a tenant in a jail`, patient, () => check(way));

  test('suexec starts no program for a tenant in a jail', patient, async () => {
    await succeed(installCopied('apache2-suexec-pristine'));
    await write(
      '/etc/apache2/sites-available/000-default.conf',
      apache((user) => `SuexecUserGroup ${user} ${user}`),
    );
    await succeed(
      "echo 'ServerName localhost' > /etc/apache2/ports.conf; a2enmod -q suexec cgid && systemctl restart apache2",
    );
    await check({ what: 'suexec', start: (user) => `ask 8081 ${user} run.cgi` });
  });

  test('mpm-itk serves PHP that starts no program, and runs no CGI', patient, async () => {
    for (const each of ['libapache2-mod-php', 'libapache2-mpm-itk'])
      await succeed(installCopied(each));
    await write(
      '/etc/apache2/sites-available/000-default.conf',
      apache((user) => `AssignUserID ${user} ${user}`),
    );
    await succeed(
      'a2dismod -q -f suexec cgid mpm_event mpm_worker; a2enmod -q mpm_prefork cgi mpm_itk php8.4 && systemctl restart apache2',
    );
    await check({
      what: 'PHP',
      start: (user) => `ask 8081 ${user} index.php`,
      answers: 'served\n',
    });
    await check({ what: 'CGI', start: (user) => `ask 8081 ${user} run.cgi` });
  });
});
