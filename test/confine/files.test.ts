/** Files of a host in a directory: units, drop-ins, homes. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { exposureWith } from '../../src/confine/io/exposure.ts';
import { homeDirectories } from '../../src/confine/io/homes.ts';
import { dropInChange, readDropIn } from '../../src/confine/io/drop-in-file.ts';
import {
  dropInOf,
  findService,
  installedServices,
  confinePathsOf,
} from '../../src/confine/io/places.ts';
import { pathsOf } from '../../src/host/paths.ts';
import { FileTransaction } from '../../src/sys/files/file-transaction.ts';
import { eventually } from '../../testing/patience.ts';
import type { Account } from '../../src/policy/policy.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';
import { mainFile } from '../../testing/program.ts';

const root = suiteDirectory('confine', '/var/tmp');
const isRoot = process.geteuid?.() === 0 ? false : 'only root can give files to others';

const places = confinePathsOf(
  { ...pathsOf(), etc: `${root}/etc`, state: `${root}/state`, runtime: `${root}/run` },
  root,
);
const unit = (name: string, text = '[Service]\nType=forking\n') => {
  const path = `${root}/usr/lib/systemd/system/${name}.service`;
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
};

test('installedServices() finds units of all versions, but no masked ones', () => {
  unit('nginx');
  unit('php8.4-fpm');
  unit('php8.2-fpm');
  unit('named');
  unit('vsftpd');
  unit('postfix', '[Service]\nType=oneshot\n');
  mkdirSync(`${root}/etc/systemd/system`, { recursive: true });
  symlinkSync('/dev/null', `${root}/etc/systemd/system/vsftpd.service`);
  assert.deepEqual(
    installedServices(places).map(({ name, unit }) => [name, unit]),
    [
      ['nginx', 'nginx'],
      ['php8.2-fpm', 'php8.2-fpm'],
      ['php8.4-fpm', 'php8.4-fpm'],
      ['postfix', 'postfix@-'],
      ['named', 'named'],
    ],
  );
  assert.equal(findService(places, 'bind9')?.name, 'named');
  assert.equal(findService(places, 'apache2'), undefined);
});

/** Changes a drop-in as `confine` does. */
function putDropIn(path: string, text: string | undefined) {
  const before = readDropIn(path);
  if (!before.ok) return before;
  const edit = dropInChange(path, before.value, text);
  const begun = FileTransaction.begin(`${root}/nginx.journal`, [edit]);
  if (!begun.ok) return begun;
  using transaction = begun.value;
  const written = transaction.write();
  return written.ok ? transaction.commit() : written;
}

test('readDropIn() sees a whole drop-in or none, and an empty directory is removed', () => {
  const service = findService(places, 'nginx');
  assert.ok(service);
  const path = dropInOf(places, service);
  assert.deepEqual(readDropIn(path), { ok: true, value: undefined });
  assert.ok(putDropIn(path, 'one').ok);
  assert.ok(putDropIn(path, 'two').ok);
  assert.equal(readFileSync(path, 'utf8'), 'two');
  assert.deepEqual(readdirSync(dirname(path)), ['50-bulkhead.conf']);
  writeFileSync(`${dirname(path)}/60-local.conf`, 'mine');
  assert.ok(putDropIn(path, undefined).ok);
  assert.deepEqual(readdirSync(dirname(path)), ['60-local.conf']);
  rmSync(`${dirname(path)}/60-local.conf`);
  assert.ok(putDropIn(path, 'three').ok);
  assert.ok(putDropIn(path, undefined).ok);
  assert.equal(existsSync(dirname(path)), false);
  assert.ok(putDropIn(path, undefined).ok);
});

test('readDropIn() and FileTransaction write nothing through a symlinked directory', () => {
  const path = `${root}/etc/systemd/system/named.service.d/50-bulkhead.conf`;
  mkdirSync(`${root}/elsewhere`);
  symlinkSync(`${root}/elsewhere`, dirname(path));
  const put = putDropIn(path, 'text');
  assert.equal(put.ok, false);
  assert.deepEqual(readdirSync(`${root}/elsewhere`), []);
});

test('homeDirectories() returns parents that only root can exchange', { skip: isRoot }, () => {
  const account = (home: string): Account => ({ user: 'x', uid: 1, gid: 1, home });
  chmodSync(root, 0o755);
  for (const each of ['srv/customers/a', 'srv/reseller/users/b', 'srv/open/c'])
    mkdirSync(`${root}/${each}`, { recursive: true });
  chownSync(`${root}/srv/reseller`, 1234, 1234);
  chmodSync(`${root}/srv/open`, 0o777);
  const base = (home: string) => homeDirectories([account(`${root}/${home}`)]);
  assert.deepEqual(base('srv/customers/a'), ['/home', `${root}/srv/customers`]);
  // The reseller could put a link in the place of "users".
  assert.deepEqual(base('srv/reseller/users/b'), ['/home', `${root}/srv`]);
  assert.deepEqual(base('srv/open/c'), ['/home', `${root}/srv`]);
  for (const home of [
    '/var/lib/mysql',
    '/etc/x',
    '/x',
    '/usr/games/y',
    '/nonexistent',
    '',
    'relative/x',
    '/srv/../etc/x',
  ])
    assert.deepEqual(homeDirectories([account(home)]), ['/home'], home);
});

const confine = (...args: readonly string[]) =>
  spawnSync(process.execPath, [mainFile, 'confine', ...args], { encoding: 'utf8' });

test('confine enable refuses a missing or unknown service, and ssh', () => {
  const none = confine('enable');
  assert.equal(none.status, 2);
  assert.match(none.stderr, /missing required argument 'service'/);
  const unknown = confine('enable', 'world', '--dry-run');
  assert.equal(unknown.status, 2);
  assert.match(unknown.stderr, /there is no sandbox for it; use apache2, nginx/);
  const ssh = confine('enable', 'ssh.service', '--yes');
  assert.equal(ssh.status, 2);
  assert.match(ssh.stderr, /Cannot confine "ssh": every session and every job .* would inherit/);
});

const systemd = existsSync('/run/systemd/system') ? 'systemd runs this host' : false;

test('confine fails without systemd, in each command', { skip: systemd }, () => {
  for (const words of [
    ['list'],
    ['status', '--json'],
    ['enable', 'nginx', '--dry-run'],
    ['disable', 'nginx', '--yes'],
  ]) {
    const { status, stderr, stdout } = confine(...words);
    assert.equal(status, 1);
    assert.match(stderr, /systemd does not run this host/);
    assert.equal(stdout, '');
  }
});

const analyze = spawnSync('systemd-analyze', ['--version'], { encoding: 'utf8' });
const version = Number(/^systemd (\d+)/.exec(analyze.stdout ?? '')?.[1] ?? 0);
const noAnalyze = version >= 250 ? false : 'needs systemd-analyze of systemd 250';

test(
  'exposureWith() scores a unit, and removes what a killed run left',
  { skip: noAnalyze },
  async () => {
    unit('exim4', '[Service]\nExecStart=/usr/sbin/exim4\n');
    const service = findService(places, 'exim4');
    assert.ok(service);
    const fragment = `${root}/usr/lib/systemd/system/exim4.service`;
    const judge = (text?: string) =>
      exposureWith(
        places,
        service,
        { fragment, dropIns: [] },
        {
          text,
          version,
        },
      );
    const [before, after] = await Promise.all([
      judge(),
      judge('[Service]\nNoNewPrivileges=yes\nPrivateTmp=yes\n'),
    ]);
    assert.ok(before !== undefined && after !== undefined && after < before, `${before} ${after}`);
    assert.deepEqual(readdirSync(places.scratch), []);
    const path = fileURLToPath(new URL('../../src/confine/io/exposure.ts', import.meta.url));
    const script = `const { exposureWith } = await import(process.argv[1]);
    const [places, service, now, version] = JSON.parse(process.argv[2]);
    for (;;) await exposureWith(places, service, now, { text: undefined, version });`;
    const words = JSON.stringify([places, service, { fragment, dropIns: [] }, version]);
    await eventually('one is killed in the middle', async () => {
      const child = spawn(process.execPath, ['--input-type=module', '-e', script, path, words]);
      await eventually('it works', () => readdirSync(places.scratch).length > 0);
      child.kill('SIGKILL');
      await once(child, 'exit');
      return readdirSync(places.scratch).length > 0;
    });
    mkdirSync(`${places.scratch}/${process.pid}-before`);
    mkdirSync(`${places.scratch}/${process.ppid}-lives`);
    assert.equal(await judge(), before);
    assert.deepEqual(readdirSync(places.scratch), [`${process.ppid}-lives`]);
  },
);
