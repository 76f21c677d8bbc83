/**
 * Attacks on bulkhead-suexec: by other callers, with forged words, descriptors and limits, and by a tenant that disturbs the
 * check of its own program. Nothing may start outside the tenant's cgroup and jail, and nothing that suexec refuses.
 */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { before, suite, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../../testing/patience.ts';
import {
  inDirectoryAs,
  server,
  showSelf,
  skip,
  SuexecStage,
  type Tenant,
} from '../web/suexec/stage.ts';
import { findTree } from '../cli/launch-stage.ts';
import { kill } from '../placer/stage.ts';

const tenants = ['alice', 'bob'] as const;

suite('attacks on bulkhead-suexec', { skip }, () => {
  const stage = new SuexecStage('attack');
  stage.register('<entries limit="5"/>');
  const { roots } = findTree(stage.instance);
  before(() => {
    if (skip !== false) return;
    stage.installWrapper();
    for (const tenant of tenants) stage.write(tenant, 'a.cgi', showSelf);
  });

  const words = (tenant: Tenant, command = 'a.cgi', ...more: readonly string[]) => [
    stage.wrapper,
    `${stage.uids[tenant]}`,
    `${stage.gids[tenant]}`,
    command,
    ...more,
  ];
  const start = (tenant: Tenant, command?: string, ...more: readonly string[]) =>
    stage.callAsServer(stage.directoryOf(tenant), ...words(tenant, command, ...more));
  const refused = (
    { status, stdout, stderr }: ReturnType<SuexecStage['call']>,
    reason: RegExp,
  ): void => {
    assert.notEqual(status, 0, stdout);
    assert.equal(stdout, '');
    assert.match(stderr, reason);
  };
  const placed = (text: string, tenant: Tenant) => {
    const uid = stage.uids[tenant];
    const places = text.match(new RegExp(`:/${stage.instance}/u${uid}$`, 'gm')) ?? [];
    assert.equal(places.length, roots.length, text);
    assert.match(text, new RegExp(`^Uid:\\t${uid}\\t${uid}\\t${uid}\\t${uid}$`, 'm'));
  };

  test('only the web server can call it', () => {
    for (const tenant of tenants) {
      placed(start(tenant).stdout, tenant);
      for (const caller of [0, stage.uids.alice, stage.uids.bob, 65_534]) {
        // Even if everybody may execute it.
        stage.mustCall('chmod', '4755', stage.wrapper);
        const command = inDirectoryAs(caller, stage.directoryOf(tenant), ...words(tenant));
        const result = stage.call(...command);
        refused(result, /only the web server, uid 33, can/);
      }
      stage.mustCall('chmod', '4750', stage.wrapper);
      // setpriv itself keeps root's capabilities until the shell starts.
      const others = ['setpriv', `--reuid=${stage.uids.bob}`, '--clear-groups', 'sh', '-c'];
      refused(stage.call(...others, 'exec "$@"', 'sh', ...words(tenant)), /Permission denied/);
    }
  });

  test('other words than those of Apache are refused', () => {
    const uid = stage.uids.alice;
    for (const forged of [
      `${uid + 2 ** 32}`,
      `0${uid}`,
      `+${uid}`,
      ` ${uid}`,
      `${uid}x`,
      '0',
      '-1',
      '4294967295',
      '',
      '~',
      '~~1',
      stage.users.alice,
      `~${stage.users.alice}`,
    ])
      for (const [first, second] of [
        [forged, `${stage.gids.alice}`],
        [`${uid}`, forged.replace(/^~/, 'x')],
      ] as const)
        refused(
          stage.callAsServer(stage.directoryOf('alice'), stage.wrapper, first, second, 'a.cgi'),
          /wrong usage/,
        );
    for (const few of [[], ['1000'], ['1000', '1000'], ['1000', '1000', '']])
      refused(stage.callAsServer('/', stage.wrapper, ...few), /wrong usage/);
  });

  test("suexec's own checks stay: of the command, its directory and its owner", () => {
    for (const tenant of tenants) {
      const other = tenant === 'alice' ? 'bob' : 'alice';
      for (const command of [
        '/bin/id',
        '../web/a.cgi',
        `x/../../../${other}/web/a.cgi`,
        'none.cgi',
      ])
        assert.equal(start(tenant, command).stdout, '', command);
      const inOther = stage.callAsServer(stage.directoryOf(other), ...words(tenant));
      assert.equal(inOther.stdout, '');
      assert.equal(stage.callAsServer('/usr/bin', ...words(tenant, 'id')).stdout, '');
      const path = `${stage.directoryOf(tenant)}/link.cgi`;
      symlinkSync('/usr/bin/id', path);
      assert.equal(start(tenant, 'link.cgi').stdout, '');
      rmSync(path);
      // Another group than the account's: suexec compares it with the owner of the file.
      const gid = [stage.wrapper, `${stage.uids[tenant]}`, `${stage.gids[other]}`, 'a.cgi'];
      assert.equal(stage.callAsServer(stage.directoryOf(tenant), ...gid).stdout, '');
      stage.write(tenant, 'setuid.cgi', showSelf, 0o4755);
      chmodSync(`${stage.directoryOf(tenant)}/setuid.cgi`, 0o4755);
      assert.equal(start(tenant, 'setuid.cgi').stdout, '');
    }
    refused(stage.callAsServer('/', stage.wrapper, '7000007', '7000007', 'a.cgi'), /./);
    refused(stage.callAsServer('/usr/bin', stage.wrapper, `${server}`, `${server}`, 'id'), /./);
  });

  test('settings that others can change are not used', () => {
    const directory = stage.wrapper.replace(/\/suexec$/, '');
    const settings = `${directory}/suexec.conf`;
    const text = stage.mustCall('cat', settings);
    const put = (content: string) =>
      stage.mustCall('sh', '-c', 'printf %s "$0" > "$1"', content, settings);
    for (const [change, back] of [
      [`chmod 666 ${settings}`, `chmod 644 ${settings}`],
      [`chown ${server} ${settings}`, `chown 0 ${settings}`],
      [`chmod 777 ${directory}`, `chmod 755 ${directory}`],
      [`chown ${server} ${directory}`, `chown 0 ${directory}`],
      [
        `mv ${settings} ${settings}.1; ln -s suexec.conf.1 ${settings}`,
        `mv ${settings}.1 ${settings}`,
      ],
    ] as const) {
      stage.mustCall('sh', '-c', change);
      refused(start('bob'), /Cannot read suexec\.conf/);
      stage.mustCall('sh', '-c', back);
      placed(start('bob').stdout, 'bob');
    }
    for (const damaged of [
      '',
      text.slice(0, -2),
      text.replace('suexec 1', 'suexec 2'),
      text.replace('caller 33', 'caller 0'),
      text.replace('program /', 'program '),
      text.replace('instance b', 'instance ../b'),
    ]) {
      put(damaged);
      refused(start('bob'), /Cannot use suexec\.conf/);
    }
    put(text);
  });

  test('variables of visitors and of .htaccess neither load code nor name another instance', () => {
    for (const tenant of tenants) {
      const { stdout } = stage.callAsServer(
        stage.directoryOf(tenant),
        'env',
        'LD_PRELOAD=/x.so',
        'LD_LIBRARY_PATH=/x',
        'BASH_ENV=/x',
        'PERL5OPT=-Mx',
        'HTTP_A=1',
        'INSTANCE=x',
        'PATH=/x',
        'HOME=/x',
        'IFS=x',
        'GLIBC_TUNABLES=x',
        ...words(tenant),
      );
      placed(stdout, tenant);
      assert.match(stdout, /^HTTP_A=1$/m);
      assert.doesNotMatch(
        stdout,
        /^(?:LD_|BASH_ENV|PERL5OPT|INSTANCE|GLIBC|IFS=x|PATH=\/x|HOME=\/x)/m,
      );
    }
  });

  test('no descriptor of the web server comes along, and missing ones are replaced', () => {
    const show = `#!/bin/sh\nls -l /proc/$$/fd | sed 's/.* \\([0-9]* ->\\)/\\1/'\n`;
    for (const tenant of tenants) {
      stage.write(tenant, 'fds.cgi', show);
      const open = stage.callAsServer(
        stage.directoryOf(tenant),
        'sh',
        '-c',
        'exec 7</ 8</etc/shadow-none 2>/dev/null; exec 5>/dev/null 6<. "$@"',
        'sh',
        'sh',
        '-c',
        'exec 5>/dev/null 6<. ; exec "$@"',
        'sh',
        ...words(tenant, 'fds.cgi'),
      );
      assert.doesNotMatch(open.stdout, /^[5678] ->/m);
      const inDirectory = stage.callAsServer(
        stage.directoryOf(tenant),
        'sh',
        '-c',
        'exec <. ; exec "$@"',
        'sh',
        ...words(tenant, 'fds.cgi'),
      );
      if (tenant === 'alice') assert.match(inDirectory.stdout, /^0 -> \/dev\/null$/m);
      stage.write(tenant, 'out.cgi', `#!/bin/sh\ncat /proc/self/status /proc/self/cgroup > out\n`);
      stage.callAsServer(
        stage.directoryOf(tenant),
        'sh',
        '-c',
        'exec <&- >&- 2>&-; exec "$@"',
        'sh',
        ...words(tenant, 'out.cgi'),
      );
      placed(readFileSync(`${stage.directoryOf(tenant)}/out`, 'utf8'), tenant);
    }
  });

  test('limits of the caller lead to nothing that starts outside', () => {
    const script = `#!/bin/sh
for file in status cgroup; do while read -r line; do echo "$line"; done </proc/$$/$file; done\n`;
    for (const tenant of tenants) stage.write(tenant, 'self.cgi', script);
    let started = 0;
    for (const tenant of tenants)
      for (const limit of [
        '-f 0',
        '-n 3',
        '-n 4',
        '-n 6',
        '-u 0',
        '-s 64',
        '-v 20000',
        '-t 1',
        '-i 0',
        '-c unlimited',
      ]) {
        const { stdout } = stage.callAsServer(
          stage.directoryOf(tenant),
          'bash',
          '-c',
          `ulimit ${limit}; exec "$@"`,
          'sh',
          ...words(tenant, 'self.cgi'),
        );
        if (stdout === '') continue;
        placed(stdout, tenant);
        started++;
      }
    assert.ok(started >= 8, `${started}`);
  });

  test('a tenant that kills or stops the check starts its program in its jail or not at all', async () => {
    const pause = `import os,signal,sys,time
end=time.time()+float(sys.argv[2])
os.setgid(int(sys.argv[3])); os.setuid(int(sys.argv[4]))
while time.time()<end:
  for each in os.listdir('/proc'):
    try:
      if each.isdigit() and 'suexec' in open('/proc/%s/comm'%each).read(): os.kill(int(each),int(sys.argv[1]))
    except Exception: pass
`;
    const disturb = `${stage.homes}/disturb.py`;
    writeFileSync(disturb, pause);
    for (const signal of [31, 9, 18, 15]) {
      const attacker = spawn(
        'python3',
        [disturb, `${signal}`, '1', `${stage.gids.alice}`, `${stage.uids.alice}`],
        { stdio: 'inherit' },
      );
      while (attacker.exitCode === null) {
        const { stdout } = start('alice');
        if (stdout !== '') placed(stdout, 'alice');
        if (stdout !== '') assert.match(stdout, /^NoNewPrivs:\t1$/m);
        await sleep(1);
      }
    }
  });

  test('without its jail, or without a policy, a tenant that has had one starts nothing', () => {
    const state = `/run/${stage.instance}/jail/tenants/${stage.uids.alice}`;
    const text = readFileSync(state, 'utf8');
    for (const damaged of [
      '',
      text.slice(0, -2),
      text.replace('state ready', 'state failed x'),
      text.replace('jail 1', 'jail 2'),
    ]) {
      writeFileSync(state, damaged);
      refused(start('alice'), /in the jail of uid/);
    }
    rmSync(state);
    refused(start('alice'), /its jail is not there any more/);
    mkdirSync(state);
    refused(start('alice'), /in the jail of uid/);
    rmSync(state, { recursive: true });
    writeFileSync(state, text);
    placed(start('alice').stdout, 'alice');
    const launch = readFileSync(`/run/${stage.instance}/launch`, 'utf8');
    rmSync(`/run/${stage.instance}/launch`);
    refused(start('alice'), /No policy is in force/);
    rmSync(state);
    refused(start('alice'), /its jail is not there any more/);
    // An account that has no limits now starts as it would without Bulkhead.
    assert.match(start('bob').stdout, new RegExp(`^Uid:\\t${stage.uids.bob}\\t`, 'm'));
    writeFileSync(`/run/${stage.instance}/launch`, launch.slice(0, -2));
    refused(start('bob'), /Cannot use .*launch/);
    writeFileSync(`/run/${stage.instance}/launch`, launch);
    writeFileSync(state, text);
    assert.ok(existsSync(state));
    for (const tenant of tenants) placed(start(tenant).stdout, tenant);
  });

  // The last one, since its limit stays.
  test('a tenant at its limit of processes starts nothing outside', async () => {
    stage.mustApply('<processes limit="3"/>', '<processes limit="3"/>');
    const pids = roots.find((each) => each.includes('/pids/')) ?? roots[0];
    const of = (tenant: Tenant, file: string) => `${pids}/u${stage.uids[tenant]}/${file}`;
    for (const tenant of tenants) {
      stage.write(tenant, 'hold.cgi', '#!/bin/sh\necho; sleep 600 & sleep 600 & wait\n');
      const hold = words(tenant, 'hold.cgi');
      const [file = '', ...args] = stage.inside(
        ...inDirectoryAs(server, stage.directoryOf(tenant), ...hold),
      );
      const held = spawn(file, args, { stdio: 'ignore' });
      await eventually(
        'it is at its limit',
        () => readFileSync(of(tenant, 'pids.current'), 'utf8') === '3\n',
      );
      const { stdout, stderr } = start(tenant);
      if (tenant === 'alice') assert.match(stderr, /as many processes as it may have/);
      else assert.doesNotMatch(stdout, /:\/$/m);
      // The shell ends by itself once its children are gone.
      for (const [pid] of readFileSync(of(tenant, 'cgroup.procs'), 'utf8').matchAll(/\d+/g))
        kill(Number(pid));
      held.kill();
    }
  });
});
