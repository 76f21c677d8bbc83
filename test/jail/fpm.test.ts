// The real php-fpm in a jail: started as its unit starts it, with a socket of the test's.
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { logToStderr } from '../../testing/progress.ts';
import { parseStateFile } from '../../src/jail/core/state-file.ts';
import { canFilter } from '../../src/jail/io/seccomp.ts';
import { packageFile } from '../../src/sys/package-files.ts';
import { compileFpm } from '../../scripts/entry.ts';
import { ensurePrerequisites } from '../../testing/prerequisites.ts';
import { eventually } from '../../testing/patience.ts';
import { serviceConfig } from '../../src/web/core/fpm/service/config.ts';
import type { SplitService } from '../../src/web/core/fpm/service/split.ts';
import { checkService } from '../../src/web/io/fpm/check/check.ts';
import { fpmLayoutOf } from '../../src/web/io/fpm/layout.ts';
import { findWebPrograms } from '../../src/web/io/servers.ts';
import { pathsOf } from '../../src/host/paths.ts';
import { parseFpmSections } from '../../src/web/core/fpm/dump.ts';
import { askFastCgi, type Reply } from './fastcgi.ts';
import { reasonToSkip } from './stage.ts';

const web = await ensurePrerequisites('web', logToStderr);
const ready = web.ok ? await ensurePrerequisites('broker', logToStderr) : web;
const skip = reasonToSkip() || (ready.ok ? false : ready.reason);
const program = packageFile('bulkhead');
const launcher = compileFpm();
const instance = 'bulkhead-jail-fpm-test';
const users = { alice: 'bhjailfpma', bob: 'bhjailfpmb' } as const;
const homes = '/srv/bulkhead-jail-fpm-test';
const policy = `${homes}/policy.xml`;
const directory = `${homes}/fpm/8.4`;
const socket = `${homes}/alice.sock`;
const uids = { alice: 0, bob: 0 };
const fpm = findWebPrograms().fpm[0];

const bulkhead = (...args: readonly string[]) =>
  spawnSync(program, ['--instance', instance, ...args], { encoding: 'utf8' });

function mustApply(jail = '<jail profile="web"/>', ofSite = ''): void {
  const tenants = `<tenant uid="${uids.alice}">${jail}${ofSite}</tenant><tenant uid="${uids.bob}"/>`;
  writeFileSync(policy, `<bulkhead version="1">${tenants}</bulkhead>\n`);
  const { status, stderr } = bulkhead('apply', policy);
  assert.equal(status, 0, stderr);
}

const pool = (more = '') => `[alice]
user = ${users.alice}
group = ${users.alice}
listen = ${socket}
listen.owner = www-data
pm = static
pm.max_children = 2
catch_workers_output = yes
${more}`;

function serviceOf(text: string): SplitService {
  const tenant = { uid: uids.alice, gid: uids.alice, user: users.alice, hasOwnGroup: true };
  const file = { path: '/pools/alice.conf', text, isPublic: true, sections: [], includes: [] };
  return { tenant, pools: [], files: [file] };
}

/** Its name in configurations, and its directory. */
interface OfSite {
  readonly site: string;
  readonly home: string;
}
const shop: OfSite = { site: 'shop.example', home: `${homes}/alice/shop` };

const configOf = (of?: OfSite) =>
  `${directory}/${uids.alice}${of === undefined ? '' : `-${of.site}`}.conf`;

function writeConfig(more = '', of?: OfSite): string {
  const path = configOf(of);
  const text = serviceConfig(serviceOf(pool(more)), '8.4').replace(
    'error_log = syslog',
    `error_log = ${of?.home ?? `${homes}/alice`}/fpm.log`,
  );
  writeFileSync(path, text);
  chownSync(path, 0, uids.alice);
  chmodSync(path, 0o640);
  return path;
}

/** A program that starts another as systemd does: with a socket at that path as descriptor 3. */
const listening = String.raw`use Socket; use POSIX; $^F = 9;
my ($s, $path, @command) = (undef, @ARGV); unlink $path;
socket($s, PF_UNIX, SOCK_STREAM, 0) && bind($s, sockaddr_un($path)) && listen($s, 64) or die $!;
POSIX::dup2(fileno($s), 3); exec @command; die $!`;

const words = (how: string, of?: OfSite) => [
  launcher,
  how,
  instance,
  `${uids.alice}`,
  fpm?.program ?? '',
  configOf(of),
  ...(of === undefined ? [] : [of.site]),
];

let master: ChildProcess | undefined;
let errors = '';
function start(environment: Readonly<Record<string, string>> = {}, of?: OfSite): ChildProcess {
  errors = '';
  const env = { PATH: '/usr/bin:/bin', LISTEN_FDS: '1', LISTEN_FDNAMES: socket, ...environment };
  const child = spawn('perl', ['-e', listening, socket, ...words('tenant', of)], {
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  master = child;
  return child;
}

async function stop(): Promise<void> {
  if (master === undefined || master.exitCode !== null || master.signalCode !== null) return;
  master.kill('SIGQUIT');
  await once(master, 'exit');
}

let scripts = 0;
/** Runs it as a script of the site. */
async function php(
  code: string,
  more: Readonly<Record<string, string>> = {},
  body?: Buffer<ArrayBuffer>,
  of?: OfSite,
) {
  const path = `${of?.home ?? `${homes}/alice`}/s${++scripts}.php`;
  writeFileSync(path, `<?php ${code}`);
  // One that has just been written is not cached.
  utimesSync(path, 1, 1);
  const parameters = {
    SCRIPT_FILENAME: path,
    REQUEST_METHOD: body === undefined ? 'GET' : 'POST',
    CONTENT_LENGTH: `${body?.length ?? 0}`,
    ...more,
  };
  return eventually('php-fpm answers', () => {
    if (master?.exitCode !== null) throw new Error(errors);
    return askFastCgi(socket, parameters, body).catch((error: NodeJS.ErrnoException) => {
      // It has not begun to listen.
      if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') return undefined;
      throw error;
    });
  });
}

const bodyOf = ({ stdout }: Reply) => stdout.slice(stdout.indexOf('\r\n\r\n') + 4);

function removeAccounts(): void {
  for (const user of Object.values(users)) spawnSync('userdel', [user], { stdio: 'ignore' });
}

before(() => {
  if (skip !== false) return;
  bulkhead('release', '--kill');
  removeAccounts();
  rmSync(homes, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  for (const [name, user] of Object.entries(users)) {
    execFileSync('useradd', ['--no-log-init', '-U', '-m', '-d', `${homes}/${name}`, user]);
    uids[name as keyof typeof users] = Number(execFileSync('id', ['-u', user]));
  }
  writeFileSync(`${homes}/bob/secret.php`, "<?php $password = 'of bob';\n");
  chmodSync(`${homes}/bob`, 0o755);
  mustApply();
  writeConfig();
});
after(async () => {
  if (skip !== false) return;
  await stop();
  bulkhead('release', '--kill');
  removeAccounts();
  rmSync(homes, { recursive: true, force: true });
  rmSync(`/var/lib/${instance}`, { recursive: true, force: true });
});

const stateFile = () =>
  parseStateFile(readFileSync(`/run/${instance}/jail/tenants/${uids.alice}`, 'utf8'));
const namespaceOf = (pid: number) => Number(/\d+/.exec(readlinkSync(`/proc/${pid}/ns/mnt`))?.[0]);

describe('php-fpm in a jail', { skip }, () => {
  test('runs as the tenant, in its cgroup, with the seccomp filter', async () => {
    const child = start();
    const status = bodyOf(await php("echo file_get_contents('/proc/self/status');"));
    assert.match(status, new RegExp(`^Uid:\\s+${uids.alice}\\b`, 'm'), errors);
    assert.match(status, /^NoNewPrivs:\s+1$/m);
    assert.match(status, /^CapBnd:\s+0+$/m);
    if (canFilter()) assert.match(status, /^Seccomp:\s+2$/m);
    const pid = Number(/^Pid:\s+(\d+)/m.exec(status)?.[1]);
    assert.equal(namespaceOf(pid), stateFile().namespace);
    assert.equal(namespaceOf(child.pid ?? 0), stateFile().namespace);
    const cgroup = readFileSync(`/proc/${child.pid}/cgroup`, 'utf8');
    assert.match(cgroup, new RegExp(`/u${uids.alice}$`, 'm'));
    const { jails } = JSON.parse(bulkhead('jail', 'status', '--json').stdout);
    assert.deepEqual([jails[0].outside, jails[0].stale], [[], []]);
    assert.ok(jails[0].inside.includes(child.pid), JSON.stringify(jails[0]));
  });

  test('shows a script only its own home, and no other tenants, server files or passwords', async () => {
    const text = bodyOf(
      await php(`
        foreach (['${homes}', '/home', '/etc', '/run', '/sys', '/var/lib/php'] as $at)
          echo $at, ': ', implode(' ', array_diff(@scandir($at) ?: [], ['.', '..'])), "\\n";
        foreach (['${homes}/bob/secret.php', '/etc/shadow', '/etc/nginx/nginx.conf', '/etc/bulkhead/policy.xml',
          '${directory}/${uids.alice}.conf', '${policy}', '/proc/1/environ', '/etc/php/8.4/fpm/pool.d/www.conf',
          '/proc/1/root/etc/shadow', '/proc/self/root/../../etc/shadow', 'glob://${homes}/*/secret.php'] as $path)
          echo (@file_get_contents($path) === false && !@copy($path, '/tmp/x')) ? 'blocked' : 'NOT BLOCKED', " $path\\n";
        echo count(array_filter(glob('/proc/[0-9]*'), fn($p) => fileowner($p) !== posix_geteuid())), " of others\\n";
        exec('ls ${homes} /etc; cat /etc/passwd', $lines); echo implode(' ', $lines), "\\n";
      `),
    );
    assert.doesNotMatch(text, /NOT BLOCKED/);
    assert.equal(text.match(/^blocked /gm)?.length, 11, text);
    assert.match(text, new RegExp(`^${homes}: alice$`, 'm'));
    assert.match(text, /^\/sys: $/m);
    assert.match(text, /^0 of others$/m);
    assert.doesNotMatch(text, new RegExp(users.bob));
    assert.match(text, new RegExp(users.alice));
    // Outside it is readable, so the jail is what holds.
    assert.match(readFileSync(`${homes}/bob/secret.php`, 'utf8'), /of bob/);
    assert.equal(
      spawnSync('setpriv', [
        `--reuid=${uids.alice}`,
        '--clear-groups',
        'cat',
        `${homes}/bob/secret.php`,
      ]).status,
      0,
    );
  });

  test('keeps a PHP session between requests', async () => {
    const code =
      "session_id('abcdefghijklmnopqrstuvwxyz'); session_start(); echo ++$_SESSION['n'];";
    const [first, second] = [await php(code), await php(code)];
    assert.deepEqual([bodyOf(first), bodyOf(second)], ['1', '2'], first.stderr + bodyOf(first));
    const place = "echo session_save_path(), ' ', ini_get('session.gc_probability');";
    assert.match(bodyOf(await php(place)), / 1$/);
    const mine = '/var/lib/php/sessions/sess_abcdefghijklmnopqrstuvwxyz';
    assert.equal(
      bodyOf(await php(`echo file_exists('${mine}') ? 'there' : 'not there';`)),
      'there',
    );
    assert.ok(!existsSync(mine));
  });

  test('delivers mail() through the broker', async () => {
    const broker = spawn(packageFile('libexec/bulkhead-broker'), [instance, '--listen'], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const mailbox = `/var/mail/${users.alice}`;
    try {
      await eventually('it listens', () => existsSync(`/run/${instance}/broker/socket`));
      const code = `var_export(mail('${users.alice}', 'of a script', "hello", '', '-fme@example.org'));`;
      assert.equal(bodyOf(await php(code)), 'true');
      await eventually(
        'it is in the mailbox',
        () => existsSync(mailbox) && /of a script/.test(readFileSync(mailbox, 'latin1')),
      );
      assert.match(readFileSync(mailbox, 'latin1'), /^From me@example\.org/m);
    } finally {
      broker.kill();
      await once(broker, 'exit');
      const sockets = ['broker', 'broker-sites'].map((each) => `/run/${instance}/${each}/socket`);
      for (const each of [mailbox, ...sockets]) rmSync(each, { force: true });
    }
  });

  test('accepts an upload', async () => {
    const boundary = 'bulkhead-boundary';
    const content = 'x'.repeat(40_000);
    const form = `--${boundary}\r\nContent-Disposition: form-data; name="f"; filename="a.txt"\r\nContent-Type: text/plain\r\n\r\n${content}\r\n--${boundary}--\r\n`;
    const type = { CONTENT_TYPE: `multipart/form-data; boundary=${boundary}` };
    const code = `$f = $_FILES['f']; echo $f['error'], ' ', dirname($f['tmp_name']), ' ';
      move_uploaded_file($f['tmp_name'], __DIR__ . '/a.txt'); echo filesize(__DIR__ . '/a.txt');`;
    assert.equal(bodyOf(await php(code, type, Buffer.from(form))), '0 /tmp 40000');
    assert.equal(readFileSync(`${homes}/alice/a.txt`, 'utf8'), content);
  });

  test('uses the opcode cache', async () => {
    const loaded = bodyOf(await php("echo extension_loaded('Zend OPcache') ? 'yes' : 'no';"));
    if (loaded === 'no') return;
    const code =
      "$s = opcache_get_status(); echo json_encode([$s['opcache_enabled'], count($s['scripts']) > 0]);";
    assert.equal(bodyOf(await php(code)), '[true,true]');
  });

  test('reads a changed configuration inside, with the same master', async () => {
    writeConfig('env[ANSWER] = forty-two\n');
    assert.equal(bodyOf(await php("echo getenv('ANSWER') ?: 'none';")), 'none');
    const [script = '', ...rest] = words('copy');
    const copied = spawnSync(script, rest, { encoding: 'utf8' });
    assert.equal(copied.status, 0, copied.stderr);
    master?.kill('SIGUSR2');
    await eventually(
      'the new configuration is used',
      async () => bodyOf(await php("echo getenv('ANSWER') ?: 'none';")) === 'forty-two',
    );
    assert.equal(namespaceOf(master?.pid ?? 0), stateFile().namespace);
    // Nobody but root can change it, and others cannot read it.
    const path = `/.bulkhead/fpm/8.4/${uids.alice}.conf`;
    const code = `$f = '${path}'; echo json_encode([fileowner($f), decoct(fileperms($f) & 0777), @file_put_contents($f, ''), @unlink($f)]);`;
    assert.equal(bodyOf(await php(code)), '[0,"640",false,false]');
  });

  test('is stale after a policy change until it restarts', async () => {
    mkdirSync(`${homes}/media`, { recursive: true });
    mustApply(`<jail profile="strict"/>`);
    const state = () => JSON.parse(bulkhead('jail', 'status', '--json').stdout).jails[0];
    assert.ok(state().stale.includes(master?.pid));
    await stop();
    start();
    assert.equal(
      bodyOf(await php("echo trim(file_get_contents('/run/bulkhead/profile'));")),
      'strict',
    );
    assert.deepEqual(state().stale, []);
    mustApply();
    await stop();
  });

  test('does not start when the jail cannot be entered, and prints why', async () => {
    const path = `/run/${instance}/jail/tenants/${uids.alice}`;
    const text = readFileSync(path, 'utf8');
    const refused = async (state: string, reason: RegExp) => {
      writeFileSync(path, text.replace(/^state .*$/m, state));
      const child = start();
      const [status] = (await once(child, 'exit')) as [number];
      assert.equal(status, 1, errors);
      assert.match(errors, reason);
    };
    await refused('state failed the home is a link', /could not be built: the home is a link/);
    await refused('state waiting', /is not built yet; run bulkhead apply/);
    writeFileSync(path, text);
    spawnSync('umount', [`/run/${instance}/jail/vault`]);
    await refused('state ready', /Cannot copy .* into the jail of uid \d+, which is ready/);
    mustApply();
    for (const how of ['root', 'slice-root']) {
      const [script = '', ...rest] = words(how);
      const env = { LISTEN_FDNAMES: socket };
      const ran = spawnSync(script, rest, { encoding: 'utf8', env });
      assert.equal(ran.status, 1);
      assert.match(ran.stderr, /the policy gives it a jail, and this unit starts it outside/);
    }
  });

  test("runs a site's pool in the site's jail, or not at all", async () => {
    await stop();
    mkdirSync(shop.home, { recursive: true });
    chownSync(shop.home, uids.alice, uids.alice);
    writeFileSync(`${homes}/alice/wp-config.php`, '<?php $password = 1;');
    const ofSite = (jail: string) => `<site name="${shop.site}">${jail}</site>`;
    const own = ofSite(`<jail profile="strict" home="${shop.home}"/>`);
    mustApply(undefined, own);
    writeConfig('', shop);
    start({}, shop);
    const look = `echo implode(' ', array_diff(scandir('${homes}/alice'), ['.', '..'])), ' ',
      var_export(@file_get_contents('${homes}/alice/wp-config.php'), true), ' ',
      trim(file_get_contents('/run/bulkhead/profile'));`;
    assert.equal(bodyOf(await php(look, {}, undefined, shop)), 'shop false strict', errors);
    const siteFile = `/run/${instance}/jail/tenants/${uids.alice}-${shop.site}`;
    const text = readFileSync(siteFile, 'utf8');
    assert.equal(namespaceOf(master?.pid ?? 0), parseStateFile(text).namespace);
    const cgroup = readFileSync(`/proc/${master?.pid}/cgroup`, 'utf8');
    assert.match(cgroup, new RegExp(`/u${uids.alice}/s-${shop.site}$`, 'm'));
    // Read again, inside.
    writeConfig('env[ANSWER] = forty-two\n', shop);
    const [script = '', ...rest] = words('copy', shop);
    assert.equal(spawnSync(script, rest).status, 0);
    master?.kill('SIGUSR2');
    const answer = "echo getenv('ANSWER') ?: 'none';";
    await eventually(
      'the new configuration is used',
      async () => bodyOf(await php(answer, {}, undefined, shop)) === 'forty-two',
    );
    await stop();
    const refused = async (reason: RegExp) => {
      const [status] = (await once(start({}, shop), 'exit')) as [number];
      assert.equal(status, 1, errors);
      assert.match(errors, reason);
    };
    writeFileSync(siteFile, text.replace(/^state .*$/m, 'state failed its home is a link'));
    await refused(/could not be built: its home is a link/);
    writeFileSync(siteFile, text);
    // It has no cgroup, and still does not start in the jail of its tenant.
    mustApply();
    writeFileSync(siteFile, text);
    await refused(/Cannot copy .* into the jail/);
    // As if the tenant itself had never had a jail.
    rmSync(`/run/${instance}/jail/tenants/${uids.alice}`);
    rmSync(`/var/lib/${instance}/jailed`);
    for (const [site, status, said] of [
      [shop.site, 1, /the policy gives it a jail, and this unit starts it outside/],
      ['blog.example', 0, /^$/],
    ] as const) {
      const asked = ['slice-root', instance, `${uids.alice}`, '/bin/true', configOf(shop), site];
      const ran = spawnSync(launcher, asked, { encoding: 'utf8', env: { LISTEN_FDNAMES: socket } });
      assert.equal(ran.status, status, site);
      assert.match(ran.stderr, said);
    }
    // A site without an element of its own is in its tenant's jail.
    mustApply(undefined, ofSite(''));
    writeConfig('', shop);
    start({}, shop);
    assert.match(bodyOf(await php(look, {}, undefined, shop)), / web$/);
    assert.equal(namespaceOf(master?.pid ?? 0), stateFile().namespace);
    await stop();
    mustApply();
  });

  test('checks a configuration before it is used, and its directories inside the jail', async () => {
    assert.ok(fpm !== undefined);
    const paths = pathsOf(instance);
    const layout = fpmLayoutOf(paths, fpm, true);
    const entry = { kind: 'launcher', instance, isJailed: true } as const;
    const check = async (text: string, more: Partial<SplitService> = {}) => {
      const scratch = `${homes}/check`;
      rmSync(scratch, { recursive: true, force: true });
      mkdirSync(scratch);
      const service = { ...serviceOf(text), pools: poolsOf(text), ...more };
      const made = serviceConfig(service, '8.4');
      const found = await checkService(layout, service, made, entry, {
        scratch,
        timeoutMs: 60_000,
      });
      return found?.reason;
    };
    assert.equal(await check(pool()), undefined);
    assert.equal(await check(pool(`chdir = ${homes}/alice\n`)), undefined);
    assert.match((await check(pool('chdir = /srv/other\n'))) ?? '', /chdir path '\/srv\/other'/);
    // It is there on the host, and everybody may enter it.
    assert.match(
      (await check(pool(`chdir = ${homes}/bob\n`))) ?? '',
      /chdir path '.*\/bob' cannot be entered by .*: No such file/,
    );
    assert.match((await check(pool('listen.group = nogroupofthehost\n'))) ?? '', /./);
    assert.match(
      (await check(pool(), { asRoot: 'pool alice has chroot' })) ?? '',
      /pool alice has chroot, .* in a jail that is not possible/,
    );
  });
});

/** Returns pools as php-fpm itself understands them. */
function poolsOf(text: string): SplitService['pools'] {
  const path = `${homes}/dump.conf`;
  writeFileSync(path, text);
  const { stderr } = spawnSync(fpm?.program ?? '', ['-tt', '--fpm-config', path], {
    encoding: 'utf8',
  });
  const [section] = parseFpmSections(stderr);
  return [{ name: 'alice', ...(section && { section }) }] as unknown as SplitService['pools'];
}

test('bulkhead release leaves nothing of the instance', { skip }, async () => {
  await stop();
  assert.equal(bulkhead('release', '--kill').status, 0);
  assert.ok(!readdirSync('/run').includes(instance));
});
