/**
 * Confined daemons: Debian's real packages do their work, are reloaded and restarted, and have their logs rotated.
 * Attacks from inside a daemon are blocked.
 */
import assert from 'node:assert/strict';
import { before, suite, test } from 'node:test';
import { installFromPool } from '../../../testing/package-pool.ts';
import { longPatienceMilliseconds } from '../../../testing/patience.ts';
import { guestOfSuite, prepareGuests } from '../../../testing/vm/suite.ts';
import { jsonOf } from '../../../testing/json-output.ts';
import type {
  ConfineEnableJson,
  ConfineListJson,
  ConfineStatusJson,
} from '../../../src/confine/commands/json.ts';

const guests = await prepareGuests(import.meta.filename);

const patient = { timeout: longPatienceMilliseconds };
const scripts = '/opt/bulkhead/test/vm/confine';

interface Daemon {
  readonly service: string;
  /** A directory in which it may write. */
  readonly own: string;
  readonly reloads: boolean;
  /** The attacks of the list below that must succeed, since the daemon's work needs them. */
  readonly through: readonly string[];
  readonly rotation?: readonly [configuration: string, log: string];
}

/** Root of a daemon that serves homes can read them. */
const homes = ['list /home', 'read of a home'];

const first: readonly Daemon[] = [
  {
    service: 'nginx',
    own: '/var/log/nginx',
    reloads: true,
    through: homes,
    rotation: ['nginx', '/var/log/nginx/access.log'],
  },
  {
    service: 'apache2',
    own: '/var/log/apache2',
    reloads: true,
    through: homes,
    rotation: ['apache2', '/var/log/apache2/access.log'],
  },
  { service: 'php8.4-fpm', own: '/var/log', reloads: true, through: homes },
  {
    service: 'exim4',
    own: '/var/spool/exim4',
    reloads: true,
    through: homes,
    rotation: ['exim4-base', '/var/log/exim4/mainlog'],
  },
  { service: 'dovecot', own: '/var/log', reloads: true, through: homes },
  { service: 'mariadb', own: '/var/lib/mysql', reloads: false, through: [] },
  { service: 'named', own: '/var/cache/bind', reloads: true, through: [] },
  {
    service: 'vsftpd',
    own: '/var/log',
    reloads: true,
    through: homes,
    rotation: ['vsftpd', '/var/log/vsftpd.log'],
  },
];
const second: readonly Daemon[] = [
  { service: 'postfix', own: '/var/spool/postfix', reloads: true, through: homes },
  {
    service: 'proftpd',
    own: '/var/log/proftpd',
    reloads: true,
    through: homes,
    rotation: ['proftpd-core', '/var/log/proftpd/xferlog'],
  },
];
const packages = [
  'exim4-daemon-light dovecot-imapd mariadb-server bind9 bind9-dnsutils vsftpd curl logrotate',
  'postfix proftpd-core libapache2-mod-php',
];

/** Returns the attacks that succeeded. A root process outside every sandbox shows first that each one works. */
function throughOf(report: string): readonly string[] {
  const lines = report.trim().split('\n');
  assert.ok(lines.length > 30, report);
  return lines.flatMap((line) => (line.endsWith(' through') ? [line.slice(0, -8)] : []));
}

suite('confine in the virtual machine', { skip: guests.skip }, () => {
  const job = (service: string) => succeed(`. ${scripts}/jobs.sh && job ${service}`);
  const dropIns = '/etc/systemd/system';
  const ours = (service: string) => `${dropIns}/${service}.service.d/50-bulkhead.conf`;

  const install = async (names: string) => {
    const installed = await installFromPool(host.guest, names.split(' '));
    assert.ok(installed.ok, installed.ok ? '' : installed.error.reason);
    await succeed(`sh ${scripts}/setup.sh`);
  };

  const host = guestOfSuite(guests, async () => {
    await install(packages[0] ?? '');
    await succeed(`systemctl restart ${first.map(({ service }) => service).join(' ')}`);
  });
  const { run, succeed, write } = host;

  test('every attack gets through as root outside a sandbox', patient, async () => {
    await succeed(`mkdir -p /var/lib/bulkhead && perl ${scripts}/attack.pl /run/control`);
    const report = await succeed('cat /run/control; rm /run/control');
    assert.deepEqual(
      report.split('\n').filter((line) => line !== '' && !line.endsWith(' through')),
      [],
    );
  });

  test('confine enable --dry-run shows reasons, and changes nothing', patient, async () => {
    const text = await succeed('bulkhead confine enable nginx --dry-run');
    assert.match(text, /# it loads no kernel modules\nProtectKernelModules=yes\n/);
    assert.match(text, /Exposure by systemd-analyze security: 9\.\d -> 2\.\d/);
    await succeed(`! test -e ${dropIns}/nginx.service.d`);
    const list = await succeed('bulkhead confine list --json');
    const { services } = jsonOf<ConfineListJson>('confine list', list);
    assert.equal(services.find(({ service }) => service === 'nginx')?.dropIn, 'absent');
  });

  const confined = ({ service, own, reloads, through, rotation }: Daemon) =>
    test(`confine keeps ${service} working, and blocks attacks from it`, patient, async () => {
      await job(service);
      const before = await succeed(`cd ${dropIns} && find . | sort`);
      const json = await succeed(`bulkhead confine enable ${service} --yes --json`);
      const { exposure, exposureConfined } = jsonOf<ConfineEnableJson>('confine enable', json);
      assert.ok(exposure !== null && exposureConfined !== null);
      assert.ok(exposureConfined < exposure && exposureConfined <= 3.5, json);
      await job(service);
      if (reloads) {
        await succeed(`systemctl reload ${service}`);
        await job(service);
      }
      if (rotation !== undefined)
        await succeed(`. ${scripts}/jobs.sh && rotated ${service} ${rotation.join(' ')}`);
      const status = await succeed('bulkhead confine status --json');
      const { services } = jsonOf<ConfineStatusJson>('confine status', status);
      assert.deepEqual(
        services.map((each) => each.service),
        [service],
      );
      await attack(service, own, through);
      await job(service);
      jsonOf('confine disable', await succeed(`bulkhead confine disable ${service} --yes --json`));
      assert.equal(await succeed(`cd ${dropIns} && find . | sort`), before);
      await job(service);
    });

  /**
   * Attacks as a process of the service that its own program has not started: in the same sandbox, with all its rights.
   */
  const attack = async (service: string, own: string, through: readonly string[]) => {
    const dropIn = `${dropIns}/${service}.service.d/60-attack.conf`;
    const report = `${own}/attack-report`;
    await write(
      dropIn,
      `[Service]\nExecStartPost=/usr/bin/perl /usr/local/lib/attack.pl ${report}\n`,
    );
    await succeed(`cp ${scripts}/attack.pl /usr/local/lib/ && systemctl daemon-reload`);
    await succeed(`systemctl restart ${service}`);
    const text = await succeed(`cat ${report} && rm ${report} ${dropIn}`);
    assert.deepEqual(throughOf(text), through, text);
    await succeed(`systemctl daemon-reload && systemctl restart ${service}`);
  };

  for (const daemon of first) confined(daemon);

  test('confine lets PHP send mail, and shows a tenant nothing of others', patient, async () => {
    await succeed('bulkhead confine enable php8.4-fpm --yes');
    await succeed(
      `. ${scripts}/jobs.sh && php mail.php | grep -q accepted && patience has from-php`,
    );
    const text = await succeed(`. ${scripts}/jobs.sh && php attack.php`);
    assert.match(text, /\r\n\r\nend/);
    await succeed('bulkhead confine disable php8.4-fpm --yes');
  });

  test(
    'confine keeps open files and homes elsewhere writable for those who need them',
    patient,
    async () => {
      await succeed(
        'mkdir -p /data/logs /data/customers && useradd -u 3103 -m -d /data/customers/carol carol',
      );
      await write('/etc/nginx/conf.d/log.conf', 'access_log /data/logs/all.log;\n');
      await succeed('systemctl restart nginx && bulkhead confine enable nginx --yes');
      await job('nginx');
      await succeed(
        `grep -q '^ReadWritePaths=-/data/logs$' ${ours('nginx')} && test -s /data/logs/all.log`,
      );
      await succeed('bulkhead confine disable nginx --yes');
      const fpm = await succeed('bulkhead confine enable php8.4-fpm --dry-run');
      assert.match(fpm, /ReadWritePaths=-\/data\/customers -\/home/);
      const database = await succeed('bulkhead confine enable mariadb --dry-run');
      assert.match(database, /InaccessiblePaths=-\/data\/customers\n/);
      await succeed('rm /etc/nginx/conf.d/log.conf && userdel -r carol && systemctl restart nginx');
    },
  );

  test('confine enable restores a service that fails in its sandbox', patient, async () => {
    const local = `${dropIns}/nginx.service.d/60-local.conf`;
    await write(local, '[Service]\nExecStartPre=/usr/bin/touch /opt/started\n');
    await succeed('systemctl daemon-reload && systemctl restart nginx && rm /opt/started');
    const { status, stderr } = await run('bulkhead confine enable nginx --yes');
    assert.equal(status, 1);
    assert.match(stderr, /the change was undone, and the service runs as before/);
    await succeed(`! test -e ${ours('nginx')} && test -e /opt/started`);
    await job('nginx');
    await succeed(`rm ${local} /opt/started && systemctl daemon-reload`);
  });

  test('confine enable refuses a service whose configuration is broken', patient, async () => {
    await write('/etc/nginx/conf.d/broken.conf', 'no_such_directive;\n');
    const { status, stderr } = await run('bulkhead confine enable nginx --yes');
    assert.equal(status, 1);
    assert.match(
      stderr,
      /its configuration is not accepted by \/usr\/sbin\/nginx: .*no_such_directive/,
    );
    await succeed(`rm /etc/nginx/conf.d/broken.conf && ! test -e ${ours('nginx')}`);
    await job('nginx');
  });

  test('confine replaces no foreign drop-in, and no edited one', patient, async () => {
    await write(ours('nginx'), '[Service]\nNice=5\n');
    const foreign = await run('bulkhead confine enable nginx --yes --force');
    assert.equal(foreign.status, 1);
    assert.match(foreign.stderr, /it was not written by Bulkhead/);
    await succeed(
      `rm ${ours('nginx')} && systemctl daemon-reload && bulkhead confine enable nginx --yes`,
    );
    await succeed(`sed -i s/=strict/=full/ ${ours('nginx')}`);
    for (const verb of ['enable', 'disable']) {
      const edited = await run(`bulkhead confine ${verb} nginx --yes`);
      assert.equal(edited.status, 1);
      assert.match(edited.stderr, /it was edited since Bulkhead wrote it/);
    }
    assert.equal((await run('bulkhead confine status')).status, 3);
    await succeed(`grep -q =full ${ours('nginx')} && bulkhead confine enable nginx --yes --force`);
    assert.equal((await run('bulkhead confine status')).status, 0);
    await succeed(`grep -q =strict ${ours('nginx')} && bulkhead confine disable nginx --yes`);
  });

  test('confine leaves a whole drop-in or none when it is killed', patient, async () => {
    for (const seconds of [1, 2, 3, 5, 8, 12, 17]) {
      for (const verb of ['enable', 'disable']) {
        await run(`timeout -s KILL ${seconds} bulkhead confine ${verb} nginx --yes`);
        await succeed(`! test -e ${ours('nginx')} || tail -1 ${ours('nginx')} | grep -q =EPERM`);
        await job('nginx');
      }
    }
    await succeed('bulkhead confine enable nginx --yes && bulkhead confine status');
    await job('nginx');
    await succeed('bulkhead confine disable nginx --yes');
    assert.equal(await succeed(`find ${dropIns} -name '*nginx.service.d*' -o -name '.50*'`), '');
  });

  suite('confine with the other mail and FTP servers', () => {
    before(async () => {
      await install(packages[1] ?? '');
      await succeed(`systemctl restart ${second.map(({ service }) => service).join(' ')}`);
    }, patient);
    for (const daemon of second) confined(daemon);

    test('confine lets PHP inside Apache write files and send mail', patient, async () => {
      await succeed(
        'a2dismod -qf mpm_event && a2enmod -q mpm_prefork php8.4 && chmod 777 /home/alice/www && systemctl restart apache2 && bulkhead confine enable apache2 --yes',
      );
      await succeed(
        `. ${scripts}/jobs.sh && rm -f /home/alice/www/written /var/mail/alice && page 8080 t.php | grep -q 42b && page 8080 mail.php | grep -q accepted && patience has from-php`,
      );
      await succeed('bulkhead confine disable apache2 --yes');
    });
  });

  test('confine list shows all installed daemons', patient, async () => {
    const text = await succeed('bulkhead confine list');
    process.stderr.write(text);
    const rows = text.trim().split('\n').slice(1);
    assert.deepEqual(
      rows.map((row) => row.split(' ')[0]),
      ['apache2', 'nginx', 'php8.4-fpm', 'postfix', 'dovecot', 'mariadb', 'named', 'proftpd'],
    );
  });
});
