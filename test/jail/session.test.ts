// The PAM module on this kernel, in sessions that a libpam program opens as sshd, su and cron do.
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { compilePam } from '../../scripts/entry.ts';
import { addJailed, jailedFile, settleJailed } from '../../src/host/cgroups/launch-jailed.ts';
import { pathsOf } from '../../src/host/paths.ts';
import { parseStateFile } from '../../src/jail/core/state-file.ts';
import type { Jail } from '../../src/policy/jail.ts';
import { profilesOf, sessionLines } from '../../src/pam/core/profiles.ts';
import { eventually, patienceMilliseconds } from '../../testing/patience.ts';
import { ensurePrerequisites } from '../../testing/prerequisites.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';
import { compileSessionOpener } from './session-opener.ts';
import { JailStage, landlockObstacle, reasonToSkip, withoutLandlock } from './stage.ts';

const ready = await ensurePrerequisites('pam', (line) => console.log(`# ${line}`));
const skip = reasonToSkip() || (ready.ok ? false : ready.reason);

/** Accounts that every Debian has, and that nobody logs in as. */
const [tenant, other] = ['nobody', 'games'] as const;
const uid = 65_534;

interface Session {
  readonly status: number | null;
  readonly stdout: string;
  readonly log: string;
}

describe('pam_bulkhead.so', { skip }, () => {
  let stage: JailStage;
  const scratch = suiteDirectory('session', '/var/tmp', 0o755);
  let program = '';
  let module = '';
  const configuration = () => `${scratch}/pam.d`;
  const runtime = () => `/run/${stage.instance}`;
  const stateFile = () => `${runtime()}/jail/tenants/${uid}`;
  const paths = () => pathsOf(stage.instance);
  const list = () => jailedFile(paths().state);
  const jailOf = (jail: Partial<Jail> = {}) => {
    const { account, ...rest } = stage.tenant(uid, jail);
    return { ...rest, account: account && { ...account, user: tenant } };
  };

  function writeService(name: string, at = module, times = 1): void {
    const step = { module: at, instance: stage.instance, jailed: list() };
    const lines = profilesOf(step, false).slice(-1).flatMap(sessionLines);
    const all = Array.from({ length: times }, () => lines).flat();
    const text = ['session required pam_permit.so', ...all, ''].join('\n');
    fs.writeFileSync(`${configuration()}/${name}`, text);
  }

  const words = (user: string, script: string, service = 'login') =>
    [configuration(), service, user, '/bin/sh', '-c', script] as const;

  function session(
    user: string,
    script = 'cat /run/bulkhead/profile 2>/dev/null || echo outside',
    service = 'login',
    options: readonly string[] = [],
  ): Session {
    const ran = spawnSync(program, [...options, ...words(user, script, service)], {
      encoding: 'utf8',
      timeout: patienceMilliseconds,
    });
    return { status: ran.status, stdout: ran.stdout.trim(), log: ran.stderr };
  }

  const inside = (profile = 'web') => {
    const { status, stdout, log } = session(tenant);
    assert.deepEqual([status, stdout], [0, profile], log);
  };

  /** Checks that the tenant gets no session, with the reason in the log, and others do as before. */
  function refused(reason: RegExp, ...more: Parameters<typeof session> | []): void {
    const { status, stdout, log } = more.length === 0 ? session(tenant) : session(...more);
    assert.deepEqual([status, stdout], [1, ''], log);
    assert.match(log, reason);
    assert.match(log, /no session for nobody, .*run bulkhead apply/);
    assert.match(log, /to the user: No session can be opened/);
    untouched();
  }

  function untouched(service = 'login'): void {
    for (const user of [other, 'root']) {
      const { status, stdout, log } = session(user, undefined, service);
      assert.deepEqual([status, stdout], [0, 'outside'], `${user}: ${log}`);
      assert.match(log, /opened: yes\nclosed: 0/);
    }
  }

  /** Breaks something, looks, and puts it right again. */
  function while_(broken: () => void, look: () => void, repair: () => void): void {
    broken();
    try {
      look();
    } finally {
      repair();
    }
    inside();
  }

  function instead(path: string, make: (path: string) => void, look: () => void): void {
    const aside = `${path}.aside`;
    while_(
      () => (fs.renameSync(path, aside), make(path)),
      look,
      () => (fs.rmSync(path, { recursive: true, force: true }), fs.renameSync(aside, path)),
    );
  }

  const inVault = (script: string) =>
    execFileSync('nsenter', [`--mount=${stage.paths.vault}`, 'sh', '-c', script]);
  const mkfifo = (path: string) => execFileSync('mkfifo', [path]);

  before(async () => {
    stage = new JailStage('session');
    await stage.release();
    fs.mkdirSync(configuration());
    module = compilePam(scratch);
    program = compileSessionOpener(scratch);
    for (const service of ['login', 'systemd-user', 'other']) writeService(service);
    writeService('twice', module, 2);
    writeService('missing', `${scratch}/none/pam_bulkhead.so`);
    fs.mkdirSync(`${scratch}/broken`);
    fs.writeFileSync(`${scratch}/broken/pam_bulkhead.so`, 'not a library');
    writeService('broken', `${scratch}/broken/pam_bulkhead.so`);
    assert.ok(addJailed(paths(), [{ uid, user: tenant }]).ok);
    const built = await stage.build(jailOf());
    assert.deepEqual(built.problems, []);
  });
  after(() => stage[Symbol.asyncDispose]());

  test("opens a tenant's session in its jail without privileges, and closes it without error", () => {
    const { status, stdout, log } = session(
      tenant,
      'cat /run/bulkhead/profile; grep -E "^(NoNewPrivs|CapBnd|Seccomp):" /proc/self/status; readlink /proc/self/ns/mnt; pwd; unshare -U true 2>&1; for fd in /proc/$$/fd/*; do test ! -d $fd || echo $fd; done',
    );
    assert.equal(status, 0, log);
    assert.match(stdout, /^web\n/);
    assert.match(stdout, /CapBnd:\t0+\n/);
    assert.match(stdout, /NoNewPrivs:\t1\n/);
    assert.match(stdout, /Seccomp:\t2\n/);
    const { namespace } = parseStateFile(fs.readFileSync(stateFile(), 'utf8'));
    assert.ok(stdout.includes(`mnt:[${namespace}]\n/\n`), stdout);
    assert.match(stdout, /unshare failed: Operation not permitted$/);
    assert.match(log, /^opened: yes\nclosed: 0\n$/);
    const shared = session(tenant, 'ipcmk -M 4096 >/dev/null; ipcs -m | grep -c 4096').stdout;
    assert.match(stage.see(uid, 'ipcs -m'), /4096/, shared);
  });

  test('leaves root and users without a jail alone', () => {
    untouched();
    const { log } = session(other);
    assert.doesNotMatch(log, /jail/);
  });

  test('enters once when a service runs it twice', () => {
    const { status, stdout, log } = session(tenant, 'cat /run/bulkhead/profile', 'twice');
    assert.deepEqual([status, stdout], [0, 'web'], log);
  });

  test('refuses a user manager, which would start programs outside', () => {
    const { status, log } = session(tenant, 'echo ran', 'systemd-user');
    assert.equal(status, 1);
    assert.match(log, /no user manager for nobody/);
    untouched('systemd-user');
  });

  test('refuses only users with a jail when the module is missing or broken', () => {
    for (const service of ['missing', 'broken']) {
      const { status, stdout, log } = session(tenant, 'echo ran', service);
      assert.deepEqual([status, stdout], [1, ''], log);
      assert.match(log, /Refused user nobody/);
      untouched(service);
    }
  });

  test('refuses a jail that is not ready, and logs the reason', () => {
    const text = fs.readFileSync(stateFile(), 'utf8');
    const states = [
      ['state failed its home is a link', /cannot be entered: its home is a link; run/],
      ['state waiting', /it is not built yet/],
      ['state readyish', /it is not built yet/],
      ['', /it is not built yet/],
    ] as const;
    for (const [state, reason] of states)
      while_(
        () => fs.writeFileSync(stateFile(), text.replace(/^state .*$/m, state)),
        () => refused(reason),
        () => fs.writeFileSync(stateFile(), text),
      );
    for (const [content, reason] of [
      ['', /it is cut off/],
      [text.slice(0, -1), /it is cut off/],
      [text.replace('jail 1', 'jail 2'), /version "2" is not known here/],
      [text.replace('jail 1\n', ''), /not a file of the kind "jail"/],
      ['\0'.repeat(5000), /its state cannot be read/],
      ['state'.repeat(1000), /its state cannot be read/],
      ['x state ready\n', /it is cut off/],
    ] as const)
      while_(
        () => fs.writeFileSync(stateFile(), content),
        () => refused(reason),
        () => fs.writeFileSync(stateFile(), text),
      );
  });

  test('refuses links, pipes, and files that others own or can change', () => {
    const owned = /others than root can change it/;
    instead(
      stateFile(),
      (path) => fs.symlinkSync(`${path}.aside`, path),
      () => refused(/a link is in its place/),
    );
    instead(stateFile(), mkfifo, () => refused(owned));
    instead(
      stateFile(),
      (path) => fs.mkdirSync(path),
      () => refused(owned),
    );
    for (const path of [stateFile(), `${runtime()}/jail/tenants`, `${runtime()}/jail`, runtime()]) {
      const { uid: owner, gid, mode } = fs.statSync(path);
      while_(
        () => fs.chownSync(path, uid, gid),
        () => refused(owned),
        () => fs.chownSync(path, owner, gid),
      );
      while_(
        () => fs.chmodSync(path, 0o777),
        () => refused(owned),
        () => fs.chmodSync(path, mode & 0o7777),
      );
    }
    const { vault } = stage.paths;
    while_(
      () => fs.symlinkSync(vault, `${vault}.link`),
      () => assert.equal(session(tenant).status, 0),
      () => fs.rmSync(`${vault}.link`),
    );
  });

  test('refuses a session without the vault, the pin, or the files in /run', async () => {
    execFileSync('umount', [stage.paths.vault]);
    refused(/it is not there any more/);
    await stage.build(jailOf());
    inside();
    inVault(`umount -l ${stage.paths.inside}/ns/${uid}`);
    refused(/its namespaces are not in the vault/);
    await stage.build(jailOf());
    inside();
    const link = `${stage.paths.inside}/ns/${uid}`;
    inVault(`mv ${link} ${link}.x; ln -s ../../../../../proc/1/ns/mnt ${link}`);
    refused(/a link is in its place/);
    inVault(`mv ${link}.x ${link}`);
    inVault(`umount -l ${stage.paths.inside}/ipc/${uid}`);
    refused(/its namespaces are not in the vault/);
    fs.renameSync(stateFile(), `${stateFile()}.aside`);
    refused(/not there any more, or not yet/);
    fs.renameSync(`${stateFile()}.aside`, stateFile());
    await stage.release();
    refused(/not there any more, or not yet/);
    assert.ok(!fs.existsSync(`${runtime()}/jail`));
    const built = await stage.build(jailOf());
    assert.deepEqual(built.problems, []);
    inside();
  });

  test('loads the seccomp filter, or refuses the session', () => {
    const file = `${stage.paths.inside}/root/web/run/bulkhead/seccomp`;
    inVault(`cp ${file} ${scratch}/filter`);
    for (const broken of [
      `rm ${file}`,
      `: > ${file}`,
      `echo x > ${file}`,
      `head -c 9000 /dev/zero > ${file}`,
      `head -c 800 /dev/zero > ${file}`,
    ]) {
      inVault(broken);
      refused(/its seccomp filter cannot be (?:read|loaded)/);
    }
    inVault(`cp ${scratch}/filter ${file}`);
    inside();
  });

  test(
    'applies Landlock when the state file has it, or refuses the session',
    { skip: landlockObstacle() },
    () => {
      const text = fs.readFileSync(stateFile(), 'utf8');
      assert.equal(parseStateFile(text).landlock, true);
      const file = fs.openSync('/etc/passwd', 'r');
      const leak = (before: readonly string[] = []) => {
        const [first, ...args] = [...before, program, ...words(tenant, 'cat /proc/self/fd/10')];
        const none = Array.from({ length: 7 }, () => 'ignore' as const);
        const stdio = ['ignore' as const, 'pipe' as const, 'pipe' as const, ...none, file];
        return spawnSync(first, args, { encoding: 'utf8', timeout: patienceMilliseconds, stdio });
      };
      assert.match(leak().stderr, /10: Permission denied/);
      while_(
        () => fs.writeFileSync(stateFile(), text.replace('landlock yes', 'landlock no')),
        () => assert.equal(leak().stdout, fs.readFileSync('/etc/passwd', 'utf8')),
        () => fs.writeFileSync(stateFile(), text),
      );
      const refusal = leak(withoutLandlock(scratch));
      assert.equal(refusal.stdout, '');
      assert.match(
        refusal.stderr,
        /no session for nobody, .*Landlock cannot be applied: Function not/,
      );
      fs.closeSync(file);
    },
  );

  test('passes no descriptor that leads out to programs of the session', () => {
    const names = ['/etc', '/', '/etc/hostname'] as const;
    const path = 0o10000000; // O_PATH
    const held = [
      fs.openSync(names[0], fs.constants.O_DIRECTORY),
      fs.openSync(names[1], path | fs.constants.O_DIRECTORY),
      fs.openSync(names[2], path),
    ];
    const file = fs.openSync(names[2], 'r');
    const none = Array.from({ length: 7 }, () => 'ignore' as const);
    const leak = (input: number | 'ignore', script: string, user: string = tenant) =>
      spawnSync(program, words(user, script), {
        encoding: 'utf8',
        timeout: patienceMilliseconds,
        stdio: [input, 'pipe', 'pipe', file, ...none, ...held],
      });
    try {
      const here = 'for n in 0 3 11 12 13; do test -e /proc/self/fd/$n && echo $n; done; true';
      const look = `${here}; stat -Lc %F /proc/self/fd/0; ls /proc/self/fd/0/ /proc/self/fd/11/ 2>/dev/null`;
      for (const input of ['ignore', ...held.slice(0, 2)] as const)
        assert.equal(leak(input, look).stdout, '0\n3\ncharacter special file\n');
      // An account without a jail gets what it got.
      const all = leak(held[0] ?? 'ignore', `${here}; ls /proc/self/fd/11/`, other).stdout;
      assert.match(all, /^0\n3\n11\n12\n13\n[^]*^passwd$/m);
    } finally {
      for (const each of [...held, file]) fs.closeSync(each);
    }
  });

  test('refuses a user whose account cannot be looked up while any tenant has a jail', () => {
    const services = `${scratch}/nsswitch.conf`;
    // A directory service that does not answer.
    const source = `#include <errno.h>\n#include <nss.h>
      enum nss_status _nss_gone_getpwnam_r(const char *name, void *account, char *text, unsigned long size, int *error) {
        (void)name; (void)account; (void)text; (void)size; *error = ECONNREFUSED; return NSS_STATUS_UNAVAIL; }\n`;
    const library = ['-xc', '-shared', '-fPIC', '-o', `${scratch}/libnss_gone.so.2`, '-'];
    execFileSync('gcc', library, { input: source });
    const broken = 'mount --bind "$0" /etc/nsswitch.conf && exec "$@"';
    const as = (user: string) =>
      spawnSync('unshare', ['-m', 'sh', '-c', broken, services, program, ...words(user, 'true')], {
        encoding: 'utf8',
        timeout: patienceMilliseconds,
        env: { ...process.env, LD_LIBRARY_PATH: scratch },
      }).stderr;
    fs.writeFileSync(services, 'passwd: files gone\n');
    // The tenant uses a second name that only the directory service has.
    assert.match(as('second'), /no session for second, .*while its account cannot be looked up/);
    for (const user of [other, 'root']) assert.match(as(user), /^opened: yes$/m, user);
    fs.writeFileSync(services, 'passwd: files\n');
    assert.match(as('second'), /^opened: yes$/m, 'a user that the service has by itself');
    const text = fs.readFileSync(list(), 'utf8');
    fs.writeFileSync(services, 'passwd: files gone\n');
    while_(
      () => fs.rmSync(list()),
      () => assert.match(as('second'), /^opened: yes$/m, 'nobody has a jail'),
      () => fs.writeFileSync(list(), text, { mode: 0o600 }),
    );
  });

  test('refuses only users who had a jail before when no policy is in force', () => {
    const text = fs.readFileSync(list(), 'utf8');
    assert.equal(text, `${uid}\n${tenant}\n`);
    const aside = `${runtime()}-aside`;
    const pins = fs.readFileSync('/proc/self/mountinfo', 'utf8');
    assert.ok(pins.includes(runtime()));
    while_(
      () => fs.renameSync(runtime(), aside),
      () => {
        refused(/not there any more, or not yet/);
        fs.rmSync(list());
        untouched();
        assert.equal(session(tenant).stdout, 'outside', 'nobody has a jail');
        fs.writeFileSync(list(), text, { mode: 0o600 });
      },
      () => fs.renameSync(aside, runtime()),
    );
  });

  test('refuses only users with a state file when the list is broken', () => {
    const broken: readonly ((path: string) => void)[] = [
      (path) => fs.symlinkSync('/etc/passwd', path),
      (path) => fs.mkdirSync(path),
      mkfifo,
      (path) => (fs.writeFileSync(path, `${other}\n`), fs.chmodSync(path, 0o666)),
      (path) => (fs.writeFileSync(path, `${other}\n`), fs.chownSync(path, uid, 0)),
      (path) => fs.writeFileSync(path, `${'games'.repeat(50_000)}\n\n\ngamesx\n5x\n15\n`),
    ];
    for (const make of broken)
      instead(list(), make, () => {
        untouched();
        inside();
      });
    instead(
      list(),
      (path) => fs.writeFileSync(path, `${'y'.repeat(5000)}\n5\n${other}`, { mode: 0o600 }),
      () => assert.equal(session(other).status, 1, 'listed by its uid'),
    );
  });

  test('leaves no session halfway when a thread stops it from entering a namespace', () => {
    const script = 'cat /run/bulkhead/profile 2>/dev/null; ls /home >/dev/null && echo went on';
    refused(/the vault cannot be entered/, tenant, script, 'login', ['-t']);
    inVault(`umount -l ${stage.paths.inside}/ipc/${uid}`);
    const went = session(tenant, 'readlink /proc/self/ns/mnt', 'login', ['-a']);
    assert.match(went.log, /opened: no/);
    assert.equal(went.stdout, fs.readlinkSync('/proc/self/ns/mnt'), 'neither the vault nor a jail');
  });

  test('enters the jail or refuses the session when descriptors are used up', async () => {
    assert.deepEqual((await stage.build(jailOf())).problems, []);
    const seen = new Set<string>();
    for (let limit = 4; limit < 24; limit++) {
      const shell = `ulimit -n ${limit}; exec "$0" "$@"`;
      const script = 'cat /run/bulkhead/profile 2>/dev/null || echo outside';
      const ran = spawnSync('/bin/sh', ['-c', shell, program, ...words(tenant, script)], {
        encoding: 'utf8',
        timeout: patienceMilliseconds,
      });
      seen.add(ran.stdout.trim());
    }
    assert.deepEqual([...seen].sort(), ['', 'web']);
  });

  test('enters a rebuilt jail in the next session, and keeps open sessions', async () => {
    const args = words(tenant, 'echo ready; read line; cat /run/bulkhead/profile');
    const open = spawn(program, args, { stdio: ['pipe', 'pipe', 'ignore'] });
    let said = '';
    open.stdout.on('data', (data) => (said += String(data)));
    await eventually('it is inside', () => said === 'ready\n' || open.exitCode !== null);
    assert.deepEqual((await stage.build(jailOf({ profile: 'shell' }))).problems, []);
    inside('shell');
    const ended = once(open, 'close');
    open.stdin.end('\n');
    await ended;
    assert.equal(said, 'ready\nweb\n');
    assert.deepEqual((await stage.build(jailOf())).problems, []);
  });

  test('enters the jail or refuses the session while jails are built', async () => {
    const built = new AbortController();
    const seen = new Map<string, number>();
    const login = async (): Promise<void> => {
      while (!built.signal.aborted) {
        const child = spawn(program, words(tenant, 'cat /run/bulkhead/profile || echo outside'), {
          stdio: ['ignore', 'pipe', 'ignore'],
        });
        let said = '';
        child.stdout.on('data', (data) => (said += String(data)));
        await once(child, 'close');
        seen.set(said.trim(), (seen.get(said.trim()) ?? 0) + 1);
      }
    };
    const logins = [login(), login(), login()];
    try {
      for (let round = 0; round < 8; round++) {
        const profile = round % 2 === 0 ? 'shell' : 'web';
        assert.deepEqual((await stage.build(jailOf({ profile }))).problems, []);
        if (round === 3) await stage.release();
      }
    } finally {
      built.abort();
      await Promise.all(logins);
    }
    assert.ok([...seen.values()].reduce((a, b) => a + b) > 10);
    for (const each of seen.keys()) assert.ok(['web', 'shell', ''].includes(each), each);
  });

  test('leaves no mount when it is killed at any moment', async () => {
    const mounts = () => fs.readFileSync('/proc/self/mountinfo', 'utf8').split('\n').sort();
    const earlier = mounts();
    for (let round = 0; round < 60; round++) {
      const child = spawn(program, words(tenant, 'sleep 3600'), { stdio: 'ignore' });
      const ended = once(child, 'exit');
      for (let spin = 0; spin < round * 2000; spin++) process.hrtime();
      child.kill('SIGKILL');
      await ended;
    }
    assert.deepEqual(mounts(), earlier);
    inside();
  });

  test('reads the list of addJailed() until settleJailed() removes the user', () => {
    const { state } = paths();
    const names = () => fs.readFileSync(jailedFile(state), 'utf8');
    assert.ok(addJailed(paths(), [{ uid: 5 }, { uid: 7, user: 'of-a-directory' }]).ok);
    assert.equal(names(), `5\n${other}\n7\nlp\nof-a-directory\n${uid}\n${tenant}\n`);
    assert.ok(settleJailed(paths(), [{ uid: 5, user: '77' }], (each) => each === uid).ok);
    assert.equal(names(), `5\n${other}\n${uid}\n${tenant}\n`);
    assert.ok(settleJailed(paths(), [], () => false).ok);
    assert.ok(!fs.existsSync(jailedFile(state)));
    assert.equal(session(tenant).stdout, 'web', 'only its state file counts');
  });
});
