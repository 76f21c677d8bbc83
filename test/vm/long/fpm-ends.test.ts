/**
 * PHP of an account that was removed on a host where no agent runs, and what checks start, in cgroups of version 2: with the
 * php-fpm and systemd of Debian.
 */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { projectDirectory } from '../../../testing/vm/project.ts';
import { longPatienceMilliseconds } from '../../../testing/patience.ts';
import { withPatientFpm } from '../../../testing/vm/installed.ts';
import { guestOfSuite, passInside, prepareGuests } from '../../../testing/vm/suite.ts';

const guests = await prepareGuests(import.meta.filename);
const patient = { timeout: longPatienceMilliseconds };

suite('checks and ends of PHP-FPM services', { skip: guests.skip }, () => {
  const host = guestOfSuite(guests, async (guest) => {
    await withPatientFpm(guest);
    await succeed('useradd -m -u 3105 -s /bin/sh erin; rm -f /etc/nginx/sites-enabled/default');
    await write(
      '/etc/php/8.4/fpm/pool.d/erin.conf',
      '[erin]\nuser = erin\ngroup = erin\nlisten = /run/php/erin.sock\nlisten.group = www-data\npm = static\npm.max_children = 2\n',
    );
    await write(
      '/etc/bulkhead/policy.xml',
      '<bulkhead version="1"><host driver="cgroup2"/><tenants uids="3100-3199"/><defaults><processes limit="80"/></defaults></bulkhead>\n',
    );
    await succeed('bulkhead apply && systemctl start php8.4-fpm');
  });
  const { run, succeed, write } = host;

  test('apply ends the PHP of a removed account, without an agent', patient, async () => {
    await succeed('bulkhead web fpm enable --all');
    await succeed('systemctl start bulkhead-fpm84@3105.service');
    const units = 'bulkhead-fpm84@3105.service bulkhead-fpm84@3105:erin.socket';
    assert.equal((await run(`systemctl is-active ${units}`)).stdout, 'active\nactive\n');
    // It warns of the processes.
    await run('userdel -f erin');
    await succeed('! getent passwd erin');
    const planned = await succeed('bulkhead plan');
    assert.match(
      planned,
      /end bulkhead-fpm84@3105:erin\.socket, bulkhead-fpm84@3105\.service: the account of uid 3105 was removed/,
    );
    const applied = await run('bulkhead apply');
    assert.equal(applied.status, 0, applied.stderr);
    assert.equal((await run(`systemctl is-active ${units}`)).stdout, 'inactive\ninactive\n');
    assert.equal(await succeed('pgrep -u 3105 || true'), '');
    assert.equal(
      await succeed('ls -d /sys/fs/cgroup/bulkhead-tenants.service/u3105 2>/dev/null || true'),
      '',
    );
    assert.equal(await succeed('ls -d /sys/fs/cgroup/bulkhead-check* 2>/dev/null || true'), '');
    await succeed('systemctl reload php8.4-fpm');
    const doctor = (await succeed('bulkhead doctor')).replaceAll(/\s+/g, ' ');
    assert.match(doctor, /PHP-FPM the pools of erin \(PHP 8\.4\) are not as their files say: /);
  });

  test('check-cgroup.test.ts and strangers.test.ts pass on cgroup v2', patient, async () => {
    await host.guest.copyIn(`${projectDirectory}/src`, '/opt/bulkhead/src');
    await succeed('rm /opt/bulkhead/src/main.ts');
    await passInside(host.guest, 'test/web/fpm/check-cgroup.test.ts');
    await passInside(host.guest, 'test/web/fpm/strangers.test.ts');
  });
});
