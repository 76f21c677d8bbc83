/** The placing part of the PAM module on this kernel, cgroup v1 or v2: whom it moves, and by which lines of PAM. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import {
  assertOutcome,
  elsewhere,
  everywhere,
  instance,
  launch,
  linesOf,
  module,
  open,
  placesIn,
  runtime,
  scratch,
  skip,
  useTenant,
  user,
  withPamFiles,
  writeService,
} from './step-stage.ts';

describe('pam_bulkhead.so place', { skip }, () => {
  useTenant();

  test('moves all threads of the process in every hierarchy', async () => {
    assertOutcome(await open(), everywhere);
  });

  test('does not move other accounts, or the user manager', async () => {
    for (const account of ['root', 'daemon', 'games'])
      assertOutcome(await open(account), elsewhere, account);
    assertOutcome(await open(user, 'systemd-user'), elsewhere);
  });

  test('needs no variable of the environment, and heeds none', async () => {
    const variables = ['PAM_USER=root', 'PAM_TYPE=close_session', 'PATH=/nowhere', 'IFS=/'];
    assertOutcome(await open(user, 'login', ['/usr/bin/env', '-i', ...variables]), everywhere);
  });

  test('moves nobody, and says why, when the launch file is damaged or another version', async () => {
    const damaged = [
      '',
      'launch 1\njoin tasks\nend\n',
      launch.replaceAll('/sys/fs/cgroup', scratch),
      launch.replace(/^root (.*)$/m, 'root $1/../..'),
      launch.replace('join', 'joins'),
      launch.replace(/join .*\n/, 'join notify_on_release\n'),
      launch.replace('launch 1', 'launch 2'),
      launch.replace('end\n', ''),
      `adopt\n${launch}`,
      '\0'.repeat(1000),
    ];
    try {
      for (const each of damaged) {
        fs.writeFileSync(`${runtime}/launch`, each);
        const session = await open();
        assertOutcome(session, elsewhere, JSON.stringify(each));
        assert.match(session.log, /nobody is not placed: Cannot use .*; run bulkhead apply/);
      }
      fs.rmSync(`${runtime}/launch`);
      execFileSync('mkfifo', [`${runtime}/launch`]);
      assertOutcome(await open(), elsewhere);
      fs.rmSync(`${runtime}/launch`);
      const without = await open();
      assertOutcome(without, elsewhere);
      assert.doesNotMatch(without.log, /not placed/);
    } finally {
      fs.rmSync(`${runtime}/launch`, { force: true });
      fs.writeFileSync(`${runtime}/launch`, launch);
    }
  });

  test('leaves a line with an unknown word to the next line, and says so', async () => {
    const session = (...words: readonly string[]) => {
      writeService('odd', `session optional ${module} ${words.join(' ')}`);
      return open(user, 'odd');
    };
    const odd = [['place', 'quiet'], ['place', 'jail'], [], ['place', 'instance=../x']];
    for (const words of odd) {
      const { places, log } = await session(...words);
      assert.deepEqual(places, [], words.join(' '));
      assert.match(log, /run bulkhead pam enable/);
    }
    assertOutcome(await session('place', `instance=${instance}`), everywhere);
  });

  test('jumps over pam_systemd only with a session that it has placed', async () => {
    const mark = join(scratch, 'mark');
    const [jumping = '', plain = ''] = linesOf(true);
    const touch = `session optional pam_exec.so quiet type=open_session /usr/bin/touch ${mark}`;
    writeService('jumping', jumping, plain, touch);
    const marked = async (account: string) => {
      fs.rmSync(mark, { force: true });
      const session = await open(account, 'jumping');
      return { ...session, touched: fs.existsSync(mark) };
    };
    const tenant = await marked(user);
    assertOutcome(tenant, everywhere);
    assert.equal(tenant.touched, false);
    for (const account of ['root', 'daemon']) assert.equal((await marked(account)).touched, true);
    // Without pam_systemd, the jump ends at the line that is there for it.
    const [, , landing = ''] = linesOf(true);
    writeService('without', jumping, plain, landing);
    for (const account of [user, 'root', 'daemon'])
      assert.equal((await open(account, 'without')).opened, true, account);
    writeService('twice', plain, plain);
    assertOutcome(await open(user, 'twice'), everywhere);
  });

  test('su runs it in a real session, for tenants only', () => {
    const files = join(scratch, 'pam.d');
    fs.mkdirSync(files);
    const common = ['auth sufficient pam_rootok.so', 'account required pam_permit.so'];
    const lines = [...common, 'session required pam_permit.so', ...linesOf(false), ''];
    fs.writeFileSync(join(files, 'su'), lines.join('\n'));
    fs.writeFileSync(join(files, 'other'), 'session required pam_deny.so\n');
    const su = (account: string) =>
      withPamFiles(files, 'su', '-s', '/bin/cat', account, '/proc/self/cgroup');
    assert.deepEqual(placesIn(su(user)), everywhere.places);
    for (const account of ['root', 'daemon']) assert.deepEqual(placesIn(su(account)), []);
  });

  test('loginWatch() warns once when a module comes between the step and pam_systemd', () => {
    const files = join(scratch, 'watched');
    fs.mkdirSync(files);
    const [jumping = '', plain = '', landing = ''] = linesOf(true);
    const systemd = 'session optional pam_systemd.so';
    const session = (...more: readonly string[]) =>
      [jumping, plain, ...more, systemd, landing, ''].join('\n');
    fs.writeFileSync(join(files, 'sshd'), '@include common-session\n');
    fs.writeFileSync(join(files, 'common-session'), session());
    fs.writeFileSync(join(files, 'common-session.new'), session('session required pam_limits.so'));
    const script = `
      import { renameSync } from 'node:fs';
      import { pathsOf } from '${new URL('../../src/host/paths.ts', import.meta.url).pathname}';
      import { loginWatch } from '${new URL('../../src/pam/io/watch.ts', import.meta.url).pathname}';
      const lines = [];
      const part = loginWatch(pathsOf('${instance}'), { warn: (line) => lines.push(line) });
      part.afterTick();
      const before = lines.length;
      renameSync('/etc/pam.d/common-session.new', '/etc/pam.d/common-session');
      part.afterTick();
      part.afterTick();
      console.log(JSON.stringify({ before, lines }));`;
    const { before, lines: logged } = JSON.parse(
      withPamFiles(files, process.execPath, '--input-type=module', '-e', script),
    ) as { before: number; lines: string[] };
    const about = logged.filter((line) => line.includes('pam_limits.so'));
    assert.equal(before, 0);
    assert.equal(about.length, 1);
    assert.match(about[0] ?? '', /do not get pam_limits\.so.*sshd/);
  });
});
