/**
 * The placement of each entry path, from facts; the facts of a server; and the entry path of a
 * process.
 */
import assert from 'node:assert/strict';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeEach, describe, test } from 'node:test';
import { pathsOf, type Paths } from '../../src/host/paths.ts';
import { readEntryPathFacts } from '../../src/host/entry-paths/read-entry-paths.ts';
import {
  entryPathOfProcess,
  findEntryPaths,
} from '../../src/host/entry-paths/entry-path-of-process.ts';
import {
  reportEntryPaths,
  entryPaths,
  type EntryPathFacts,
  type EntryPathReport,
} from '../../src/host/entry-paths/entry-paths.ts';
import { testDirectory } from '../../testing/temporary-directory.ts';

const facts: EntryPathFacts = {
  programs: (entryPath) => entryPath.programs.slice(0, 1),
  services: new Set(['sshd', 'su', 'su-l', 'cron', 'atd']),
  withoutSession: () => undefined,
  agentRuns: true,
  sessions: [],
  counts: {},
};
const placed = (...services: readonly string[]) =>
  services.map((service) => ({ service, placed: true }));

const told = ({ enforced, reason, improve }: EntryPathReport) =>
  [enforced ?? '-', reason, ...(improve === undefined ? [] : [improve])].join(' | ');
function report(entryPath: string, given: Partial<EntryPathFacts> = {}): string {
  const found = reportEntryPaths({ ...facts, ...given }).find(
    (each) => each.entryPath === entryPath,
  );
  assert.ok(found);
  return told(found);
}

describe('reportEntryPaths()', () => {
  test('reports one line for each entry path, "not installed" where there is no program', () => {
    const names = entryPaths.map(({ name }) => name);
    assert.deepEqual(
      reportEntryPaths({ ...facts, programs: () => [] }).map((each) => [
        each.entryPath,
        told(each),
      ]),
      names.map((name) => [name, '- | not installed']),
    );
  });

  test('reports "at login" for a session that the login step places', () => {
    const sessions = placed('sshd', 'su', 'su-l', 'cron');
    for (const entryPath of ['ssh', 'su', 'cron'])
      assert.equal(report(entryPath, { sessions }), 'at login | placed when the session is opened');
    // The same holds with or without an agent.
    assert.match(report('ssh', { sessions, agentRuns: false }), /^at login/);
    assert.equal(
      report('at', { sessions }),
      'caught | the login step does not run for atd; the agent moves it | run "bulkhead pam enable"',
    );
  });

  test('reports the worst service when an entry path has several', () => {
    const sessions = [
      ...placed('su'),
      { service: 'su-l', placed: false, reason: 'pam_systemd takes it back in su-l' },
    ];
    assert.match(report('su', { sessions }), /^caught \| pam_systemd takes it back in su-l; /);
  });

  test('reports whether sessions start in the jail where tenants have jails', () => {
    const none = { entered: false, reason: 'no step of su-l enters the jail' };
    const sessions = placed('sshd', 'su', 'su-l').map((each) => ({
      ...each,
      jail: each.service === 'su-l' ? none : { entered: true },
    }));
    const found = (given: Partial<EntryPathFacts>) =>
      Object.fromEntries(
        reportEntryPaths({ ...facts, sessions, ...given }).map(({ entryPath, jail }) => [
          entryPath,
          jail,
        ]),
      );
    const { ssh, su, cron, 'PHP-FPM': fpm } = found({});
    assert.deepEqual([ssh, su, cron, fpm], [{ entered: true }, none, undefined, undefined]);
    assert.match(report('su', { sessions }), /^at login .*\| run "bulkhead pam enable"$/);
    const withoutPam = found({ withoutSession: () => ({ reason: 'UsePAM no' }) });
    assert.deepEqual(withoutPam['ssh'], { entered: false, reason: 'UsePAM no' });
    assert.equal(found({ programs: () => [] })['ssh'], undefined);
  });

  test('reports a service that opens no session as not placed, whatever its PAM file says', () => {
    const withoutSession = (service: string) =>
      service === 'sshd' ? { reason: '/etc/ssh/sshd_config says UsePAM no' } : undefined;
    assert.equal(
      report('ssh', { sessions: placed('sshd'), withoutSession, agentRuns: false }),
      'not covered | /etc/ssh/sshd_config says UsePAM no; no agent runs | start the agent, and run "bulkhead pam enable"',
    );
  });

  test('reports a service without a PAM file as not placed', () => {
    assert.match(
      report('cron', { services: new Set(), sessions: placed('cron') }),
      /^caught \| nothing places it when it starts; the agent moves it/,
    );
  });

  test('reports "caught" when only the agent places it, "not covered" when no agent runs', () => {
    assert.equal(report('FTP'), 'caught | nothing places it when it starts; the agent moves it');
    assert.equal(
      report('mail delivery', { agentRuns: false }),
      'not covered | nothing places it when it starts; no agent runs | start the agent',
    );
  });

  test('reports the worst placement of all sites, and counts each placement', () => {
    const counts = { 'PHP-FPM': { 'at source': 3, caught: 1, 'not covered': 2 } };
    assert.equal(
      report('PHP-FPM', { counts }),
      'not covered | 2 sites not covered, 1 site caught, 3 sites at source | run "bulkhead web fpm enable --all"',
    );
    assert.equal(
      report('PHP-FPM', { counts: { 'PHP-FPM': { 'at source': 1 } } }),
      'at source | 1 site at source',
    );
    assert.equal(report('CGI', { counts: { CGI: {} } }), '- | no site of a tenant uses it');
  });

  test('leaves out the entry paths of sites when no web server was asked', () => {
    const names = reportEntryPaths(facts, false).map(({ entryPath }) => entryPath);
    assert.deepEqual(names, ['ssh', 'su', 'cron', 'at', 'mail delivery', 'FTP']);
  });
});

let root = '';
const write = (path: string, text = '') => {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
};
beforeEach((t) => {
  root = testDirectory(t, 'entry-paths');
});

describe('readEntryPathFacts()', () => {
  const paths = (): Paths => ({ ...pathsOf(), etc: join(root, 'etc'), runtime: join(root, 'run') });
  const read = () => readEntryPathFacts(paths(), [], root);
  const find = (name: string) => entryPaths.find((each) => each.name === name)!;

  test('finds programs by name, and by name prefix', () => {
    write('usr/sbin/php-fpm8.4');
    write('usr/sbin/php-fpm7.4');
    write('usr/sbin/cron');
    const { programs } = read();
    assert.deepEqual(programs(find('PHP-FPM')), ['/usr/sbin/php-fpm7.4', '/usr/sbin/php-fpm8.4']);
    assert.deepEqual(programs(find('cron')), ['/usr/sbin/cron']);
    assert.deepEqual(programs(find('CGI')), []);
  });

  test('finds services by their PAM files, and no agent when no process holds the lock', () => {
    write('etc/pam.d/su');
    write('etc/pam.d/other');
    assert.deepEqual([...read().services], ['su']);
    assert.equal(read().agentRuns, false);
  });

  for (const [files, reason] of [
    [{}, /sshd_config does not say UsePAM yes/],
    [{ sshd_config: 'UsePAM yes\n' }, undefined],
    [{ sshd_config: '#UsePAM yes\nusepam  No\n' }, /sshd_config says UsePAM No/],
    [{ sshd_config: 'UsePAM=yes\n' }, undefined],
    [{ sshd_config: 'UsePAM yes\n', 'sshd_config.d/10.conf': 'UsePAM no\n' }, /10\.conf says/],
    [{ sshd_config: 'UsePAM no\n', 'sshd_config.d/10.conf': 'UsePAM yes\n' }, undefined],
    [{ sshd_config: 'UsePAM yes\n', 'sshd_config.d/10.bak': 'UsePAM no\n' }, undefined],
  ] as const) {
    test(`reads UsePAM from sshd_config when the files are ${JSON.stringify(files)}`, () => {
      for (const [name, text] of Object.entries(files)) write(`etc/ssh/${name}`, text);
      const found = read().withoutSession('sshd');
      if (reason === undefined) assert.equal(found, undefined);
      else assert.match(found?.reason ?? '', reason);
    });
  }

  test('merges the facts of all capabilities', () => {
    const known = [{ sessions: placed('sshd') }, { counts: { CGI: { caught: 1 } } }, {}];
    const { sessions, counts } = readEntryPathFacts(paths(), known, root);
    assert.deepEqual(
      { sessions, counts },
      { sessions: placed('sshd'), counts: { CGI: { caught: 1 } } },
    );
  });
});

describe('entryPathOfProcess()', () => {
  const tenant = 1001;
  const process = (pid: number, ppid: number, name: string, uid = 0, cgroup = '0::/\n') => {
    const uids = [uid, uid, uid, uid].join('\t');
    write(
      `proc/${pid}/status`,
      `Name:\t${name}\nState:\tS (sleeping)\nPPid:\t${ppid}\nUid:\t${uids}\n`,
    );
    write(`proc/${pid}/cgroup`, cgroup);
  };
  const entryPath = (pid: number) =>
    entryPathOfProcess(
      { pid, uid: tenant },
      { proc: join(root, 'proc'), sessions: join(root, 'sessions') },
    );

  test('reads each ancestor once for many processes', () => {
    process(10, 1, 'sshd');
    const pids = Array.from({ length: 60 }, (_, index) => 11 + index);
    for (const pid of pids) process(pid, pid - 1, 'sh', tenant);
    const find = findEntryPaths(tenant, {
      proc: join(root, 'proc'),
      sessions: join(root, 'sessions'),
    });
    assert.equal(find(70), 'ssh');
    rmSync(join(root, 'proc'), { recursive: true });
    assert.ok(pids.every((pid) => find(pid) === 'ssh'));
  });

  test('returns the entry path of the ancestor that started the process', () => {
    process(1, 0, 'systemd');
    process(10, 1, 'cron');
    process(11, 10, 'cron');
    process(12, 11, 'sh', tenant);
    process(13, 12, 'backup', tenant);
    process(20, 1, 'php-fpm8.4');
    process(21, 20, 'php-fpm8.4', tenant);
    process(30, 1, 'sshd');
    process(31, 30, 'sshd-session');
    process(32, 31, 'sshd-session', tenant);
    process(40, 1, 'master');
    process(41, 40, 'local');
    process(42, 41, 'procmail', tenant);
    assert.deepEqual([13, 21, 32, 42].map(entryPath), ['cron', 'PHP-FPM', 'ssh', 'mail delivery']);
  });

  test('ignores the name of a process that the tenant owns', () => {
    process(1, 0, 'systemd');
    process(10, 1, 'cron', tenant);
    process(11, 10, 'sh', tenant);
    assert.equal(entryPath(11), undefined);
    // Both forms are tried: it cannot forge a line either.
    process(12, 1, 'x\\nPPid:\t30', tenant);
    process(30, 1, 'sshd');
    assert.equal(entryPath(12), undefined);
  });

  test('returns the entry path of the service cgroup when the parent has ended', () => {
    process(1, 0, 'systemd');
    for (const [pid, unit, expected] of [
      [10, 'cron.service', 'cron'],
      [11, 'atd.service', 'at'],
      [12, 'ssh.service', 'ssh'],
      [13, 'php8.4-fpm.service', 'PHP-FPM'],
      [14, 'system-ssh.slice/ssh@3-127.0.0.1:22.service', 'ssh'],
      [15, 'fcgiwrap.service', 'CGI'],
      [16, 'apache2.service', 'CGI'],
      [17, 'system-postfix.slice/postfix@-.service', 'mail delivery'],
      [18, 'vsftpd.service', 'FTP'],
      [19, 'other.service', undefined],
    ] as const) {
      process(pid, 1, 'sh', tenant, `0::/system.slice/${unit}\n`);
      assert.equal(entryPath(pid), expected, unit);
    }
  });

  test('returns the entry path of the logind session whose scope the process is in', () => {
    process(1, 0, 'systemd');
    const session = (id: string) => `0::/user.slice/user-1001.slice/session-${id}.scope\n`;
    write('sessions/3', 'UID=1001\nSERVICE=sshd\nCLASS=user\n');
    write('sessions/c4', 'UID=1001\nSERVICE=su-l\n');
    write('sessions/5', 'UID=1001\nSERVICE=login\n');
    process(10, 1, 'bash', tenant, session('3'));
    process(11, 1, 'bash', tenant, `1:name=systemd:${session('c4').slice(3)}`);
    process(12, 1, 'bash', tenant, session('5'));
    process(13, 1, 'bash', tenant, session('6'));
    assert.deepEqual([10, 11, 12, 13].map(entryPath), ['ssh', 'su', undefined, undefined]);
  });

  test("returns su when su changed to the tenant in another user's session", () => {
    process(1, 0, 'systemd');
    write('sessions/1', 'UID=0\nSERVICE=sshd\n');
    process(10, 1, 'su');
    process(11, 10, 'sh', tenant, '0::/user.slice/user-0.slice/session-1.scope\n');
    assert.equal(entryPath(11), 'su');
  });

  test('ignores a cgroup that the tenant made below its user manager', () => {
    process(1, 0, 'systemd');
    const manager = '/user.slice/user-1001.slice/user@1001.service';
    for (const path of [
      `${manager}/system.slice/cron.service`,
      `${manager}:/system.slice/cron.service`,
    ])
      process(10, 1, 'sh', tenant, `0::${path}\n`);
    assert.equal(entryPath(10), undefined);
  });

  test('returns undefined when the process is gone, and when ancestors form a cycle', () => {
    assert.equal(entryPath(99), undefined);
    process(10, 11, 'a', tenant);
    process(11, 10, 'b', tenant);
    assert.equal(entryPath(10), undefined);
  });
});
