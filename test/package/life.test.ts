/** The life of the packages on this kernel: installed, used, upgraded, removed and purged. */
import { build } from './packages.ts';
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { before, after, describe, test } from 'node:test';
import { ensurePrerequisites } from '../../testing/prerequisites.ts';
import { longPatienceMilliseconds } from '../../testing/patience.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';
import { treeElement } from '../../testing/tree-host.ts';
import { pathsOf } from '../../src/host/paths.ts';
import type { UsageResponse } from '../../src/agent/api/usage-api.ts';
import { RunningAgent } from '../agent/running-agent.ts';
import { hostHere } from '../conformance/host-here.ts';
import { LayeredRoot } from './layered-root.ts';

const ready = await ensurePrerequisites('package', (line) => process.stdout.write(`${line}\n`));
const isRoot = process.getuid?.() === 0;
const skip = !ready.ok ? ready.reason : isRoot ? false : 'only root can install packages';

const instance = 'bulkhead-package-life';
const here = hostHere(instance);
const tenant = 880_202;

describe('the packages', { skip, timeout: longPatienceMilliseconds }, () => {
  const directory = suiteDirectory('package-life');
  const layer = suiteDirectory('package-layer');
  let host: LayeredRoot;
  let deb = '';
  let newer = '';
  let rpm = '';

  before(async () => {
    [deb = '', rpm = ''] = await build(directory, '--arch', process.arch);
    const higher = ['--arch', process.arch, '--format', 'deb', '--version', '0.2.0'];
    [newer = ''] = await build(`${directory}/newer`, ...higher);
    host = await LayeredRoot.make(layer);
    host.put(deb, 'bulkhead.deb');
    host.put(newer, 'newer.deb');
    host.put(rpm, 'bulkhead.rpm');
  });
  after(() => host[Symbol.dispose]());

  const run = (...command: readonly string[]) => {
    const { status, stdout, stderr } = host.run(...command);
    assert.equal(status, 0, `${command.join(' ')}\n${stdout}${stderr}`);
    return stdout;
  };
  const exists = (path: string) => host.run('test', '-e', path).status === 0;
  const namesOfBulkhead = () =>
    host.changed().filter((path) => /^\/(usr|etc|var)\/.*bulkhead[^/]*$/i.test(path));
  const install = () =>
    run('dpkg', '--install', '--force-depends', '--force-unsafe-io', '/mnt/bulkhead.deb');

  let names: readonly string[] = [];

  test('is enabled nowhere after it is installed, and says what to do', () => {
    names = namesOfBulkhead();
    const said = install();
    assert.match(said, /nothing is limited yet.*: bulkhead setup\n.*bulkhead setup --dry-run/);
    for (const path of ['/etc/bulkhead', '/var/lib/bulkhead', '/run/bulkhead'])
      assert.ok(!exists(path), path);
    assert.equal(run('find', '/etc/systemd/system', '-name', 'bulkhead*'), '');
    // What the unit files run is there.
    run('mkdir', '-p', '/run/systemd/system');
    const status = host.run('bulkhead', 'units', 'status').stdout;
    assert.match(status, /^bulkhead\.service +packaged +no +no$/m);
    assert.doesNotMatch(status, /absent|old|foreign/);
    run('rmdir', '/run/systemd/system');
    const units = run('sh', '-c', 'cat /usr/lib/systemd/system/bulkhead*');
    assert.doesNotMatch(units, /env bulkhead|command -v/);
    assert.match(units, /^ExecStart=\/usr\/bin\/bulkhead agent$/m);
    run('test', '-x', /exec (\S+bulkhead-broker)/.exec(units)?.[1] ?? '');
  });

  test('runs with its own Node.js, and finds all of its files', () => {
    assert.match(run('bulkhead', '--version'), /^\d+\.\d+\.\d+\n$/);
    assert.match(run('bulkhead', 'check', '/usr/share/doc/bulkhead/examples/demo.xml'), /tenants?/);
    assert.match(run('bulkhead', 'doctor'), /\/usr\/share\/doc\/bulkhead\/agent\.md/);
    const planned = host.run('bulkhead', 'pam', 'enable', '--dry-run');
    assert.equal(planned.status, 0, planned.stderr);
    assert.match(planned.stdout, /common-session/);
    assert.match(host.run('bulkhead', 'pam', 'status').stdout, /off|not/);
    run('bash', '-n', '/usr/share/bash-completion/completions/bulkhead');
  });

  test(
    'applies a policy, and runs commands in it',
    { skip: 'skip' in here ? here.skip : false },
    () => {
      const policy = `<bulkhead version="1">${treeElement(pathsOf(instance))}<tenant uid="${tenant}"><processes limit="30"/></tenant></bulkhead>`;
      run('sh', '-c', `echo '${policy}' >/tmp/policy.xml`);
      const bulkhead = (...args: readonly string[]) =>
        run('bulkhead', '--instance', instance, ...args);
      try {
        bulkhead('apply', '/tmp/policy.xml');
        const cgroups = bulkhead('exec', `${tenant}`, '--', 'cat', '/proc/self/cgroup');
        assert.match(cgroups, new RegExp(`/u${tenant}$`, 'm'));
      } finally {
        bulkhead('release', '--all', '--yes');
      }
    },
  );

  test(
    'runs an agent with all its processes and threads',
    { skip: 'skip' in here ? here.skip : false },
    async () => {
      if ('skip' in here) return;
      const unpacked = `${directory}/unpacked`;
      spawnSync('dpkg-deb', ['--extract', deb, unpacked]);
      // A link to the program, as the package has it.
      await using agent = new RunningAgent(here.host, `${unpacked}/usr/bin/bulkhead`);
      agent.writePolicy(
        `<agent interval="1s"/><tenant uid="${tenant}"><cpu limit="50%"/></tenant>`,
      );
      await agent.start();
      const ids = ['--reuid', `${tenant}`, '--regid', `${tenant}`, '--clear-groups'];
      const child = spawn('setpriv', [...ids, 'sleep', '3600'], { stdio: 'ignore' });
      try {
        await agent.until('it places', () =>
          readFileSync(`/proc/${child.pid}/cgroup`, 'utf8').includes(`/u${tenant}\n`),
        );
        await agent.until('it shows the arguments of a process', async () =>
          (await agent.ask(`/v1/tenants/${tenant}/processes`)).text.includes('sleep 3600'),
        );
        await agent.until('it answers from its history', async () => {
          const usage = await agent.ask(`/v1/usage?tenant=${tenant}`);
          return usage.status === 200 && usage.json<UsageResponse>().measuredSeconds > 0;
        });
      } finally {
        child.kill('SIGKILL');
      }
    },
  );

  test(
    'starts nothing of a newer package from an agent of the older one, which ends',
    { skip: 'skip' in here ? here.skip : false },
    async () => {
      if ('skip' in here) return;
      const unpacked = `${directory}/replaced`;
      spawnSync('dpkg-deb', ['--extract', deb, unpacked]);
      await using agent = new RunningAgent(here.host, `${unpacked}/usr/bin/bulkhead`);
      const policyOf = (limit: number) =>
        `<tenant uid="${tenant}"><processes limit="${limit}"/></tenant>`;
      agent.writePolicy(policyOf(30));
      await agent.start();
      rmSync(unpacked, { recursive: true });
      spawnSync('dpkg-deb', ['--extract', newer, unpacked]);
      agent.writePolicy(policyOf(40));
      const { pid } = agent;
      await agent.until('it has ended', () => !existsSync(`/proc/${pid}`));
      assert.equal(await agent.stop(), 1);
      assert.match(agent.log, /The files of another version were installed/);
      await agent.start();
      await agent.until('the newer one applies it', async () => {
        const { version, policy } = await agent.status();
        return version === '0.2.0' && policy.state === 'in force';
      });
    },
  );

  test('stays the older one on a full disk, and is the newer one after that', () => {
    const home = '/usr/libexec/bulkhead';
    const unsafe = ['--force-depends', '--force-unsafe-io', '--install', '/mnt/newer.deb'];
    install();
    // A disk with space for the package and a little more, but not for two of Node.js.
    const size = '$(($(du -sm . | cut -f1) + 30))m';
    const steps = [
      `cd ${home} && mkdir /tmp/disk && mount -t tmpfs -o size=${size} none /tmp/disk`,
      `cp -a . /tmp/disk && cd / && mount --move /tmp/disk ${home}`,
    ];
    run('sh', '-c', steps.join(' && '));
    const failed = host.run('dpkg', ...unsafe);
    assert.notEqual(failed.status, 0);
    assert.match(failed.stderr, /No space left on device/);
    assert.equal(run('bulkhead', '--version'), '0.1.0\n');
    assert.match(
      run('dpkg-query', '-W', '-f', '${db:Status-Abbrev} ${Version}', 'bulkhead'),
      /^ii +0\.1\.0-1$/,
    );
    run('mount', '-o', 'remount,size=2g', home);
    run('dpkg', ...unsafe);
    assert.equal(run('bulkhead', '--version'), '0.2.0\n');
    run('umount', home);
    install();
  });

  test('takes entries out of web servers when it is removed', () => {
    const filesOf = () => run('find', '/etc/nginx');
    const before = filesOf();
    const policy = `<bulkhead version="1"><tenant uid="${tenant}"><entries limit="5"/></tenant></bulkhead>`;
    run('sh', '-c', `mkdir -p /etc/bulkhead && echo '${policy}' >/etc/bulkhead/policy.xml`);
    run('bulkhead', 'web', 'entries', 'enable');
    assert.match(filesOf(), /nginx\/conf\.d\/bulkhead\.conf/);
    run('dpkg', '--remove', 'bulkhead');
    assert.equal(filesOf(), before);
    run('rm', '-r', '/etc/bulkhead', '/var/lib/bulkhead');
    install();
  });

  const bootRecord = '/var/lib/bulkhead/setup-boot.json';
  const bootFile = '/etc/default/grub.d/90-bulkhead.cfg';
  /** Puts a boot option's file and its record there, as `setup boot` does. */
  const putBootOption = (state = 'written') => {
    const after = { base64: Buffer.from('# ours\n').toString('base64'), mode: 0o644 };
    const files = [{ path: bootFile.slice(1), role: 'own', before: null, after }];
    const facts = { state, at: '2026-11-29T12:00:00Z', bootId: '', loader: null };
    const record = { version: 1, ...facts, options: [], words: [], fstab: [], files };
    writeFileSync(`${directory}/record`, JSON.stringify(record));
    host.put(`${directory}/record`, 'record');
    run('mkdir', '-p', '/etc/default/grub.d', '/var/lib/bulkhead');
    run('sh', '-c', `cp /mnt/record ${bootRecord} && echo '# ours' >${bootFile}`);
  };

  test('undoes boot options when it is removed, and keeps their record if it cannot', () => {
    putBootOption();
    assert.match(run('dpkg', '--remove', 'bulkhead'), /boot options are as before/);
    assert.ok(!exists(bootRecord) && !exists(bootFile));
    install();
    putBootOption('of another version');
    run('mkdir', '-p', '/var/lib/bulkhead/history');
    const { status, stderr } = host.run('dpkg', '--purge', 'bulkhead');
    assert.equal(status, 0, stderr);
    assert.match(
      stderr,
      /it is damaged[^]*boot options stay, see above\n[^]*setup-boot\.json stays/,
    );
    assert.equal(run('find', '/var/lib/bulkhead', '-mindepth', '1'), `${bootRecord}\n`);
    putBootOption();
    install();
    run('bulkhead', 'setup', 'boot', 'undo', '--yes');
    assert.ok(!exists(bootRecord) && !exists(bootFile));
    run('rmdir', '/var/lib/bulkhead');
  });

  test('goes without the program, and later without its state; the policy stays', () => {
    run('mkdir', '-p', '/etc/bulkhead', '/var/lib/bulkhead/history');
    run('sh', '-c', 'echo "<bulkhead version=\\"1\\"/>" >/etc/bulkhead/policy.xml');
    assert.doesNotMatch(install(), /nothing is limited/);
    const systemctl = (...args: readonly string[]) =>
      host.run('env', 'SYSTEMD_OFFLINE=1', 'systemctl', ...args).stdout;
    const hasSystemd = exists('/usr/bin/systemctl');
    if (hasSystemd) {
      run('systemd-analyze', 'verify', '/usr/lib/systemd/system/bulkhead.service');
      systemctl('preset', 'bulkhead.service');
      assert.equal(systemctl('is-enabled', 'bulkhead.service'), 'disabled\n');
      systemctl('enable', 'bulkhead.service');
    }
    assert.match(run('dpkg', '--remove', 'bulkhead'), /stay in force\n.*bulkhead release --all/);
    assert.ok(!exists('/usr/libexec/bulkhead') && !exists('/usr/bin/bulkhead'));
    assert.ok(exists('/var/lib/bulkhead/history'));
    install();
    if (hasSystemd) assert.equal(systemctl('is-enabled', 'bulkhead.service'), 'enabled\n');
    run('mkdir', '-p', '/var/cache/bulkhead');
    const written = [
      '/etc/sysctl.d/90-bulkhead.conf',
      '/etc/modprobe.d/bulkhead.conf',
      '/etc/systemd/system/nginx.service.d/50-bulkhead.conf',
      '/etc/systemd/system/user@.service.d/90-bulkhead.conf',
      '/etc/systemd/system/user-1001.slice.d/90-bulkhead.conf',
      '/etc/systemd/system/user-1002.slice.d/91-bulkhead.conf',
      '/etc/systemd/system/bulkhead-app@1001:blog.socket',
      '/etc/systemd/system/sockets.target.wants/bulkhead-app@1001:blog.socket',
    ];
    for (const each of written) run('sh', '-c', `mkdir -p "$(dirname ${each})" && touch ${each}`);
    run('dpkg', '--purge', 'bulkhead');
    assert.ok(!exists('/var/lib/bulkhead'));
    assert.ok(exists('/etc/bulkhead/policy.xml'));
    assert.deepEqual(namesOfBulkhead(), [...names, '/etc/bulkhead'].sort());
  });

  test('keeps what is mounted below /run/bulkhead from a purge', () => {
    install();
    run('mkdir', '-p', '/run/bulkhead/vault', '/tmp/home');
    run('touch', '/tmp/home/letter');
    run('mount', '--bind', '/tmp/home', '/run/bulkhead/vault');
    const { stderr } = host.run('dpkg', '--purge', 'bulkhead');
    assert.match(stderr, /\/run\/bulkhead stays, since something is mounted there/);
    assert.ok(exists('/tmp/home/letter'));
    run('umount', '/run/bulkhead/vault');
    run('rm', '-r', '/run/bulkhead');
  });

  test('runs from the .rpm as well, which verifies and erases itself', () => {
    const rpmCommand = (...args: readonly string[]) => run('rpm', '--nodeps', ...args);
    assert.match(rpmCommand('--install', '/mnt/bulkhead.rpm'), /nothing is limited yet/);
    assert.match(run('bulkhead', '--version'), /^\d+\.\d+\.\d+\n$/);
    assert.match(run('bulkhead', 'doctor'), /\/usr\/share\/doc\/bulkhead\/agent\.md/);
    run('rpm', '--verify', '--nodeps', 'bulkhead');
  });

  test('makes an authselect profile with the PAM step, and stays while that is in use', () => {
    const profile = '/usr/libexec/bulkhead/libexec/bulkhead-authselect';
    // As on Enterprise Linux; Debian's authselect has no directory for what it writes.
    run('rm', '/usr/sbin/pam-auth-update');
    run('mkdir', '-p', '/etc/authselect/custom');
    assert.match(host.run(profile).stderr, /none is in use; name one/);
    run('authselect', 'select', 'local', 'with-faillock', '--force');
    assert.match(host.run('bulkhead', 'pam', 'enable').stderr, new RegExp(`run ${profile}`));
    const said = run(profile);
    assert.match(said, /^ {2}authselect select custom\/bulkhead with-faillock --backup/m);
    run('authselect', 'select', 'custom/bulkhead', 'with-faillock', 'with-bulkhead-jail');
    // After an upgrade it is made again, out of the same profile.
    run('sed', '-i', 's/ place$/ former/', '/etc/authselect/custom/bulkhead/system-auth');
    assert.match(run(profile), /is made of local\. To use it:\n {2}authselect apply-changes --/);
    run('authselect', 'apply-changes');
    assert.doesNotMatch(run('cat', '/etc/pam.d/system-auth'), /former/);
    assert.equal(run('ls', '/etc/authselect/custom'), 'bulkhead\n');
    assert.match(run('authselect', 'check'), /configuration is valid/);
    const includes = 'account sufficient pam_rootok.so\nsession include system-auth\n';
    run('sh', '-c', `printf 'auth sufficient pam_rootok.so\n${includes}' >/etc/pam.d/su`);
    assert.equal(run('su', 'root', '-c', 'echo a session'), 'a session\n');
    assert.match(
      host.run('bulkhead', 'pam', 'status').stdout,
      /^su +placed at login, without pam_systemd$/m,
    );
    assert.match(run('cat', '/etc/pam.d/password-auth'), /pam_bulkhead\.so jail\n.*jailed\n/);
    putBootOption();
    const kept = host.run('rpm', '--nodeps', '--erase', 'bulkhead');
    assert.notEqual(kept.status, 0);
    assert.match(kept.stderr, /select another authselect profile/);
    assert.ok(exists(bootRecord) && exists(bootFile));
    run('authselect', 'select', 'local', 'with-faillock');
    run('rpm', '--nodeps', '--erase', 'bulkhead');
    assert.ok(!exists('/usr/libexec/bulkhead') && !exists('/usr/share/doc/bulkhead'));
    assert.ok(!exists(bootRecord) && !exists(bootFile));
  });

  test('has nothing that lintian or rpmlint reports, except for reasons that are written down', () => {
    const check = (program: string, ...args: readonly string[]) => {
      const { stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' });
      return `${stdout}${stderr}`;
    };
    assert.equal(check('lintian', '--pedantic', '--allow-root', deb), '');
    const reasons = new URL('../../scripts/package/rpm/rpmlint.toml', import.meta.url).pathname;
    assert.match(readFileSync(reasons, 'utf8'), /^# /m);
    assert.match(check('rpmlint', '--config', reasons, rpm), / 0 errors, 0 warnings/);
  });
});
