/** `apply`, `exec` and `release` with jails on this kernel, as an administrator runs them, one after another. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { PolicyReader } from '../../src/apply/load-policy.ts';
import { pathsOf } from '../../src/host/paths.ts';
import { jailDoctor } from '../../src/jail/commands/doctor.ts';
import { parseStateFile } from '../../src/jail/core/state-file.ts';
import { eventually } from '../../testing/patience.ts';
import { landlockObstacle, withoutLandlock } from './stage.ts';
import { jsonOf } from '../../testing/json-output.ts';
import type {
  JailDiffJson,
  JailShowJson,
  JailsPlanned,
  JailsRefreshed,
  JailStatusJson,
} from '../../src/jail/commands/json.ts';
import { program, launcher, jailed, plain, call, LauncherStage } from './launcher-stage.ts';

const stage = new LauncherStage('bulkhead-jail-launcher');
const { instance, skip, bulkhead, exec, writePolicy, mustApply } = stage;

test('plan prints which jails apply would build, and apply builds them', { skip }, () => {
  assert.match(
    bulkhead('plan', stage.policy).stdout,
    new RegExp(`build the jail of uid ${jailed}: web`),
  );
  assert.equal(bulkhead('verify', stage.policy).status, 3);
  mustApply();
  assert.equal(bulkhead('verify', stage.policy).status, 0);
  assert.doesNotMatch(bulkhead('plan', stage.policy).stdout, /jail/);
});

test('exec runs in the jail, and outside when the tenant has none', { skip }, () => {
  assert.equal(exec(jailed, 'cat', '/run/bulkhead/profile').stdout, 'web\n');
  assert.notEqual(exec(plain, 'cat', '/run/bulkhead/profile').status, 0);
  const status = exec(jailed, 'grep', '-E', '^(NoNewPrivs|Seccomp|CapBnd):', '/proc/self/status');
  assert.match(status.stdout, /NoNewPrivs:\t1/);
  assert.match(status.stdout, /CapBnd:\t0+$/m);
  assert.match(status.stdout, /Seccomp:\t2/);
  assert.match(exec(jailed, 'cat', '/proc/self/cgroup').stdout, new RegExp(`/u${jailed}$`, 'm'));
});

test(
  'exec applies Landlock when the state file has it, or starts nothing',
  { skip: skip || landlockObstacle() },
  async (t) => {
    const stateFile = `/run/${instance}/jail/tenants/${jailed}`;
    const text = readFileSync(stateFile, 'utf8');
    assert.equal(parseStateFile(text).landlock, true);
    const ids = ['--reuid', `${jailed}`, '--regid', `${jailed}`, '--clear-groups'];
    const outside = spawn('setpriv', [...ids, 'sleep', '3600'], { stdio: 'ignore' });
    t.after(async () => {
      const ended = once(outside, 'exit');
      outside.kill('SIGKILL');
      await ended;
    });
    const executable = `/proc/${outside.pid}/exe`;
    await eventually('it sleeps', () => readlinkSync(executable).endsWith('/sleep'));
    const lookOut = () => exec(jailed, 'cat', `/proc/${outside.pid}/root/etc/passwd`);
    assert.deepEqual([lookOut().stdout, lookOut().status], ['', 1]);
    writeFileSync(stateFile, text.replace('landlock yes', 'landlock no'));
    const seen = lookOut();
    assert.deepEqual([seen.stdout, seen.status], [readFileSync('/etc/passwd', 'utf8'), 0]);
    writeFileSync(stateFile, text);
    const words = ['--instance', instance, `${jailed}`];
    const [setpriv = '', ...hidden] = withoutLandlock(stage.scratch);
    const refused = call(setpriv, ...hidden, launcher, ...words, '--', 'echo', 'ran');
    assert.deepEqual([refused.status, refused.stdout], [1, '']);
    assert.match(refused.stderr, /Landlock cannot be applied/);
    const status = jsonOf<JailStatusJson>(
      'jail status',
      bulkhead('jail', 'status', '--json').stdout,
    );
    assert.equal(status.jails[0]?.landlock, true);
    assert.equal(status.apart.level, 'partial');
    assert.match(
      status.apart.reason ?? '',
      /Landlock holds what is inside, but a process of the same uid/,
    );
    const paths = pathsOf(instance);
    const loaded = new PolicyReader().load(stage.policy, paths);
    const doctor = await jailDoctor({ paths, policy: loaded.policy, driver: 'cgroup2' });
    assert.match(doctor.text, /kept apart by the kernel: partial$/);
    assert.match(doctor.remarks.join('\n'), /kept apart in part: .*Landlock holds what is inside/);
    const old = (...rest: readonly string[]) =>
      call(setpriv, ...hidden, program, '--instance', instance, ...rest);
    assert.equal(old('apply', stage.policy).status, 0);
    assert.equal(parseStateFile(readFileSync(stateFile, 'utf8')).landlock, false);
    assert.equal(exec(jailed, 'echo', 'ran').stdout, 'ran\n');
    const { apart } = jsonOf<JailStatusJson>('jail status', old('jail', 'status', '--json').stdout);
    assert.equal(apart.level, 'none');
    assert.match(apart.reason ?? '', /this kernel has no Landlock in force/);
    const { apart: before } = jsonOf<JailStatusJson>(
      'jail status',
      bulkhead('jail', 'status', '--json').stdout,
    );
    assert.deepEqual(before.level, 'none');
    assert.match(before.reason ?? '', /is not under Landlock yet; run: bulkhead apply/);
    mustApply();
    assert.equal(parseStateFile(readFileSync(stateFile, 'utf8')).landlock, true);
  },
);

test('exec --allow-setuid allows no setuid programs in a jail', { skip }, () => {
  const words = ['--instance', instance, '--allow-setuid', `${jailed}`, '--'];
  const ran = call(launcher, ...words, 'grep', '-E', '^(NoNewPrivs|CapBnd):', '/proc/self/status');
  assert.match(ran.stdout, /NoNewPrivs:\t1/);
  assert.match(ran.stdout, /CapBnd:\t0+$/m);
});

test('exec runs nothing when the jail cannot be entered, and prints why', { skip }, () => {
  const stateFile = `/run/${instance}/jail/tenants/${jailed}`;
  const text = readFileSync(stateFile, 'utf8');
  const refused = (state: string, reason: RegExp) => {
    writeFileSync(stateFile, text.replace(/^state .*$/m, state));
    const { status, stdout, stderr } = exec(jailed, 'echo', 'ran');
    assert.deepEqual([status, stdout], [1, ''], state);
    assert.match(stderr, reason);
  };
  refused('state failed the home is a link', /could not be built: the home is a link; .*apply/);
  refused('state waiting', /is not built yet; run bulkhead apply/);
  refused('', /is not built yet; run bulkhead apply/);
  writeFileSync(stateFile, text);
  assert.equal(exec(jailed, 'echo', 'ran').stdout, 'ran\n');
  spawnSync('umount', [`/run/${instance}/jail/vault`]);
  const gone = exec(jailed, 'echo', 'ran');
  assert.deepEqual([gone.status, gone.stdout], [1, '']);
  assert.match(gone.stderr, /is not there any more; run bulkhead apply/);
  assert.equal(exec(plain, 'echo', 'ran').stdout, 'ran\n');
  mustApply();
  assert.equal(exec(jailed, 'echo', 'ran').stdout, 'ran\n');
});

test("exec runs nothing when the jail's pin is gone from the vault", { skip }, () => {
  const base = `/run/${instance}/jail`;
  const within = [`--mount=${base}/vault`, '--', 'sh', '-c'];
  const away = `umount -l ${base}/in/ns/${jailed}`;
  assert.equal(spawnSync('nsenter', [...within, away]).status, 0);
  const { status, stdout } = exec(jailed, 'echo', 'ran');
  assert.deepEqual([status, stdout], [1, '']);
  mustApply();
  assert.equal(exec(jailed, 'echo', 'ran').stdout, 'ran\n');
});

test('jail show, diff, status, sync and enter report the state of the jail', { skip }, () => {
  const show = jsonOf<JailShowJson>(
    'jail show',
    bulkhead('jail', 'show', `${jailed}`, '-p', stage.policy, '--json').stdout,
  );
  assert.deepEqual([show.profile, show.state, show.line], ['web', 'ready', 1]);
  const diff = jsonOf<JailDiffJson>(
    'jail diff',
    bulkhead('jail', 'diff', `${jailed}`, '-p', stage.policy, '--json').stdout,
  );
  const sys = diff.directories.find((each) => each.directory === '/sys');
  assert.ok(sys?.hidden.includes('fs'));
  const status = jsonOf<JailStatusJson>('jail status', bulkhead('jail', 'status', '--json').stdout);
  assert.deepEqual(
    status.jails.map(({ uid, state }) => [uid, state]),
    [[jailed, 'ready']],
  );
  assert.equal(status.cost?.hostMounts, 2);
  const sync = (...args: readonly string[]) =>
    bulkhead('jail', 'sync', '-p', stage.policy, ...args, '--json').stdout;
  const planned = jsonOf<JailsPlanned>('jail sync', sync('--dry-run'));
  assert.deepEqual(planned.planned, []);
  const { kept, problems } = jsonOf<JailsRefreshed>('jail sync', sync());
  assert.deepEqual([kept, problems], [1, []]);
  const enter = bulkhead(
    'jail',
    'enter',
    `${jailed}`,
    '-p',
    stage.policy,
    '--',
    'sh',
    '-c',
    'exit 7',
  );
  assert.equal(enter.status, 7);
  const none = bulkhead('jail', 'enter', `${plain}`, '-p', stage.policy, '--', 'true');
  assert.equal(none.status, 1);
  assert.match(none.stderr, /gives it none/);
});

test(
  'apply removes the jail when the policy has none, and release removes the rest',
  { skip },
  () => {
    writePolicy('');
    mustApply();
    assert.ok(!existsSync(`/run/${instance}/jail`));
    assert.notEqual(exec(jailed, 'cat', '/run/bulkhead/profile').status, 0);
    writePolicy('<jail profile="shell"/>');
    mustApply();
    assert.equal(exec(jailed, 'cat', '/run/bulkhead/profile').stdout, 'shell\n');
    assert.equal(bulkhead('release', '--kill').status, 0);
    assert.ok(!existsSync(`/run/${instance}`));
    assert.doesNotMatch(readFileSync('/proc/self/mountinfo', 'utf8'), new RegExp(instance));
  },
);
