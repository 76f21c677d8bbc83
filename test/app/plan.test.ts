/** The comparison of units with the policy: sockets that are refused, stopped tenants, disabled applications, groups. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { test } from 'node:test';
import { directoriesLeft } from '../../src/app/core/names.ts';
import { appLayout, type AppLayout } from '../../src/app/io/layout.ts';
import { keepDisabled, readDisabled } from '../../src/app/io/disabled-file.ts';
import { planApps } from '../../src/app/io/plan.ts';
import { isAbsent } from '../../src/app/io/read-log.ts';
import { reconcileApps, removeApps } from '../../src/app/io/reconcile.ts';
import { pathsOf } from '../../src/host/paths.ts';
import { runningWebGroups } from '../../src/host/servers/web-groups.ts';
import { parseUnitStates } from '../../src/host/systemd/systemctl.ts';
import { runsSystemd } from '../../src/host/cgroups/systemd-delegation.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import { resolvePolicy } from '../../src/policy/resolve.ts';
import { unitsToStart } from '../../src/stop/io/tenant-units.ts';
import { temporaryDirectory } from '../../testing/temporary-directory.ts';

const accounts = [1001, 1002].map((uid) => {
  const user = `u${uid}`;
  return { user, uid, gid: uid, home: `/home/${user}` };
});

function policyOf(first: string, second = '') {
  const text = `<bulkhead version="1"><tenant user="u1001">${first}</tenant><tenant user="u1002">${second}</tenant></bulkhead>`;
  const { document } = parsePolicy('p.xml', text);
  assert.ok(document);
  return resolvePolicy(document, { accounts, uidMin: 1000 });
}
const app = (name: string, more = '') => `<app name="${name}" command="x" ${more}/>`;

function stage() {
  const scratch = temporaryDirectory('app-plan');
  const at = (name: string) => `${scratch.path}/${name}`;
  const paths = {
    ...pathsOf('bulkhead'),
    etc: at('etc'),
    state: at('state'),
    runtime: at('run'),
    proc: at('proc'),
  };
  const write = (path: string, text: string) => {
    mkdirSync(dirname(at(path)), { recursive: true });
    writeFileSync(at(path), text);
  };
  const layout = () => appLayout(paths, true);
  const plan = (policy: ReturnType<typeof policyOf>, only?: Parameters<typeof planApps>[2]) => {
    const planned = planApps(policy, layout(), only);
    assert.ok(planned.ok);
    return planned.value;
  };
  /** Writes what a plan says. */
  const install = (policy: ReturnType<typeof policyOf>) => {
    for (const { path, to } of plan(policy).changes)
      if (to?.kind === 'file') write(path.slice(scratch.path.length + 1), to.text);
  };
  return {
    scratch,
    at,
    paths,
    write,
    layout,
    plan,
    install,
    [Symbol.dispose]: () => scratch.remove(),
  };
}

const names = (changes: readonly { readonly path: string }[]) =>
  changes.map(({ path }) => path.replace(/^.*@/, '')).sort();

test('a change can be limited to one application', () => {
  using s = stage();
  s.install(policyOf(app('a') + app('b')));
  const edited = policyOf(app('a', 'starts="9"') + app('c'));
  assert.deepEqual(names(s.plan(edited).changes), [
    '1001:a.service',
    '1001:b.service',
    '1001:b.socket',
    '1001:c.service',
    '1001:c.socket',
  ]);
  assert.deepEqual(names(s.plan(edited, { uid: 1001, name: 'a' }).changes), ['1001:a.service']);
  assert.deepEqual(s.plan(edited, { uid: 1001, name: 'a' }).leaving, []);
});

test('nothing of a frozen tenant changes, and of others it does', () => {
  using s = stage();
  s.install(policyOf(app('a') + app('b'), app('a')));
  s.write('state/stopped/1001', '{"uid":1001,"frozen":true}');
  const edited = policyOf(app('a', 'starts="9"') + app('c'), app('a', 'starts="9"'));
  assert.deepEqual(names(s.plan(edited).changes), ['1002:a.service']);
  assert.deepEqual(s.plan(edited).leaving, []);
  // One that is not in the policy any more is not stopped either.
  assert.equal(s.plan({ ...edited, tenants: [] }).leaving.length, 6);
  s.write('state/stopped/1001', '{"uid":1001,"frozen":false}');
  assert.equal(s.plan(edited).leaving.length, 2);
});

test('a socket is not made where Bulkhead or somebody else has something', () => {
  using s = stage();
  const reason = (socket: string) =>
    s.plan(policyOf(app('a', `socket="${socket}"`))).refused[0]?.problem.reason;
  for (const socket of [
    '/run/bulkhead-app/1002/a.sock',
    '/run/bulkhead/a.sock',
    '/run/bulkhead-fpm84/a',
  ])
    assert.match(reason(socket) ?? '', /is Bulkhead's own/);
  assert.equal(reason('/run/bulkhead2/a.sock'), undefined);
  const there = `/run/app-plan-test-${process.pid}`;
  writeFileSync(there, '');
  using _file = { [Symbol.dispose]: () => rmSync(there) };
  assert.match(reason(there) ?? '', /is there already/);
  s.write('etc/systemd/system/bulkhead-app@1001:a.socket', `ListenStream=${there}\n`);
  assert.equal(reason(there), undefined);
});

test('disabled applications are forgotten with their applications, and a damaged list keeps nothing', async () => {
  using s = stage();
  s.write('etc/bulkhead/app/disabled', '1001 a\n1001 old\n1005 a\n');
  const { disabled } = s.layout();
  assert.ok(keepDisabled(disabled, (key) => key === '1001 a').ok);
  assert.deepEqual(readDisabled(disabled), { ok: true, value: new Set(['1001 a']) });
  s.write('etc/bulkhead/app/disabled', 'damaged\n');
  assert.equal(planApps(policyOf(app('a')), s.layout()).ok, false);
  assert.deepEqual(await removeApps(s.paths), []);
  assert.ok(!existsSync(disabled));
});

test(
  'without systemd, units and their links are removed once none is wanted',
  { skip: runsSystemd() ? 'systemd is the init here' : false },
  async () => {
    using s = stage();
    s.install(policyOf(app('a')));
    const units = s.at('etc/systemd/system');
    mkdirSync(`${units}/sockets.target.wants`);
    symlinkSync('../x', `${units}/sockets.target.wants/bulkhead-app@1001:a.socket`);
    s.write('etc/systemd/system/other@1001:a.socket', '');
    const [problem] = await reconcileApps(policyOf(app('a')), s.paths);
    assert.match(problem?.reason ?? '', /systemd is not the init/);
    assert.equal(readdirSync(units).length, 4);
    assert.deepEqual(await reconcileApps(policyOf(''), s.paths), []);
    assert.deepEqual(readdirSync(units), ['other@1001:a.socket', 'sockets.target.wants']);
    assert.deepEqual(readdirSync(`${units}/sockets.target.wants`), []);
  },
);

test('a start begins what starts at boot, and nothing that has gone', () => {
  using s = stage();
  s.install(policyOf(app('a') + app('always', 'idle="never"')));
  const unit = (name: string) => `bulkhead-app@1001:${name}`;
  s.write(`etc/systemd/system/sockets.target.wants/${unit('a.socket')}`, '');
  s.write(`etc/systemd/system/multi-user.target.wants/${unit('always.service')}`, '');
  const units = ['a.service', 'gone.socket', 'gone.service', 'always.service', 'always.socket'];
  const stop = { uid: 1001, user: 'u1001', by: '', at: 0, frozen: false, units: units.map(unit) };
  assert.deepEqual(unitsToStart(stop, s.paths), {
    sockets: [unit('always.socket'), unit('a.socket')],
    services: [unit('always.service')],
    others: [unit('a.service')],
  });
});

test('sockets belong to the group of the web server that runs, or keep the one they have', () => {
  using s = stage();
  let pid = 100;
  const run = (program: string, uids: string, gids: string, parent = 1, groups = '') => {
    pid++;
    s.write(
      `proc/${pid}/status`,
      `Name:\tx\nPPid:\t${parent}\nUid:\t${uids}\nGid:\t${gids}\nGroups:\t${groups}\n`,
    );
    symlinkSync(program, s.at(`proc/${pid}/exe`));
    return pid;
  };
  const all = (id: number) => Array.from({ length: 4 }, () => id).join('\t');
  s.write('etc/group', 'root:x:0:\nwww-data:x:33:\nnginx:x:995:\napache:x:48:\n');
  const group = (by?: 'agent') => {
    const { webGroup, webServes }: AppLayout = appLayout(s.paths, true, by && new Map());
    return [webGroup, webServes];
  };
  s.write('proc/1/status', '');
  assert.deepEqual(group(), ['www-data', undefined]);
  // A tenant's own server, a set-user-ID program, and a worker that has become a tenant.
  run('/usr/sbin/nginx', all(1001), all(1001));
  run('/usr/bin/su', '1001\t0\t0\t0', all(48));
  run('/usr/sbin/httpd', all(1001), all(1001), run('/usr/sbin/httpd', all(0), all(0)));
  assert.deepEqual(group(), ['www-data', undefined]);
  run('/usr/sbin/httpd', all(48), all(48), pid - 1);
  assert.deepEqual(group(), ['apache', true]);
  const master = run('/usr/sbin/nginx', all(0), all(0));
  run('/usr/sbin/nginx (deleted)', all(994), all(995), master, '33 100 1002');
  assert.deepEqual(runningWebGroups(s.paths.proc, 1000), {
    main: [995, 48],
    all: new Set([995, 48, 33]),
  });
  assert.deepEqual(group(), ['nginx', true]);
  s.write('etc/systemd/system/bulkhead-app@1001:a.socket', 'SocketGroup=www-data\n');
  assert.deepEqual(group(), ['www-data', true]);
  s.write('etc/systemd/system/bulkhead-app@1001:a.socket', 'SocketGroup=root\n');
  assert.deepEqual(group('agent'), ['nginx', true]);
  // A database server's socket may come first.
  s.write('etc/systemd/system/bulkhead-app@1001:z.socket', 'SocketGroup=apache\n');
  assert.deepEqual(group('agent'), ['apache', undefined]);
  s.write('etc/systemd/system/bulkhead-app@1001:a.socket', 'SocketGroup=games\n');
  assert.deepEqual(group(), ['nginx', true]);
  s.write('etc/group', 'root:x:0:\nwww-data:x:33:\nnginx:x:995:\ngames:x:5:\n');
  assert.deepEqual(
    [group('agent'), group()],
    [
      ['games', undefined],
      ['nginx', true],
    ],
  );
});

test('states of units are read as every version of systemctl prints them', () => {
  const unit = 'bulkhead-app@1001:blog.socket';
  const text = `${unit} loaded active listening Socket of a\n● b@1:c.service loaded failed failed X\n* d@1:e.service not-found inactive dead d\n\n0 loaded units listed.\n`;
  const states = parseUnitStates(text);
  assert.deepEqual([...states.keys()], [unit, 'b@1:c.service', 'd@1:e.service']);
  assert.deepEqual(states.get(unit), { unit, active: 'active', sub: 'listening' });
  assert.equal(states.get('b@1:c.service')?.active, 'failed');
});

test('a log is empty only if tail found none', () => {
  assert.ok(
    isAbsent("tail: cannot open '.bulkhead/a.log' for reading: No such file or directory\n"),
  );
  assert.ok(!isAbsent('Cannot execute "tail": No such file or directory\n'));
  assert.ok(!isAbsent("tail: cannot open '.bulkhead/a.log' for reading: Permission denied\n"));
});

test('the directory of database sockets goes with the last one, unless a jail has it mounted', () => {
  const left = (hasJails: boolean) => directoriesLeft('bulkhead', [1001, 1001, 1002], hasJails);
  assert.deepEqual(left(false), [
    '/run/bulkhead-app/1001',
    '/run/bulkhead/databases/1001',
    '/run/bulkhead-app/1002',
    '/run/bulkhead/databases/1002',
    '/run/bulkhead-app',
    '/run/bulkhead/databases',
  ]);
  assert.deepEqual(left(true), left(false).slice(0, -1));
});

test('another script of ours ends no database server, and other changes do', () => {
  using s = stage();
  const policy = policyOf('<database instance="own"/>' + app('a'));
  s.install(policy);
  const other = { ...s.layout(), databaseScript: 'exec mariadbd "$@" -- /bin/sh -c x' };
  const planned = planApps(policy, other);
  assert.ok(planned.ok);
  const { changes, changed, updated, leaving } = planned.value;
  assert.deepEqual(names(changes), ['1001:mariadb.service']);
  assert.deepEqual([changed, leaving], [[], []]);
  assert.deepEqual(
    updated.map(({ id }) => id),
    [{ uid: 1001, name: 'mariadb' }],
  );
  const launched = planApps(policy, { ...other, launcher: '/elsewhere/bulkhead-exec' });
  assert.ok(launched.ok);
  assert.deepEqual(
    [launched.value.changed.length, launched.value.updated.length],
    [2, 0],
    'the launcher is another one',
  );
});
