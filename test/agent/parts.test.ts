/** Parts of the agent by themselves. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { InFlight } from '../../src/agent/api/in-flight.ts';
import { type HttpResult } from '../../src/agent/api/http-result.ts';
import { QueryReader } from '../../src/agent/api/query-reader.ts';
import { alertMail } from '../../src/agent/alerts/message.ts';
import { withoutCommands } from '../../src/agent/responses/incidents.ts';
import { errorBody, problemIn } from '../../src/agent/api/error-body.ts';
import { Ticker } from '../../src/agent/ticker.ts';
import { followFiles } from '../../src/agent/watch.ts';
import { EvidenceReader, type ProcessSet } from '../../src/host/evidence/evidence-reader.ts';
import { commandText, parseStat, parseStatus } from '../../src/host/evidence/process-evidence.ts';
import { oomKillsIn, parseOomKill } from '../../src/host/kernel-log.ts';
import { readText } from '../../packages/base/io/read.ts';
import { serviceNotifier } from '../../src/sys/sockets/systemd-notify.ts';
import { eventually } from '../../testing/patience.ts';
import { formatProblem } from '../../packages/base/problem.ts';
import { jailIncidents, tryEvidence } from '../../src/jail/core/jail-incidents.ts';
import { linkEvidence, linkIncidents } from '../../src/symlinks/core/guard/link-incidents.ts';
import { evidenceOf } from '../../src/usage/evidence.ts';
import type { Incident } from '../../src/usage/incident.ts';
import { IncidentKinds } from '../../src/usage/incident-kinds.ts';
import { metricKeys, type MetricKey } from '../../src/usage/metrics.ts';
import { readSecret } from '../../src/sys/files/secret-file.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';

const directory = suiteDirectory('parts');

test('withoutCommands() removes command lines and PHP requests', () => {
  const request = { method: 'GET', path: '/secret.php', script: '/srv/secret.php', seconds: 1 };
  const facts = { pid: 7, name: 'php-fpm8.4', state: 'R', threads: 1, memoryBytes: 1 };
  const usage = Object.fromEntries(metricKeys.map((key) => [key, 0])) as Record<MetricKey, number>;
  const processes = [{ ...facts, command: 'php-fpm: pool secret', request }];
  const shown = withoutCommands({ at: 1, processes, processCount: 1, usage }, new IncidentKinds());
  assert.deepEqual(shown.processes, [{ ...facts, command: '[php-fpm8.4]' }]);
  assert.doesNotMatch(JSON.stringify(shown), /secret/);
});

test('withoutCommands() removes evidence that only root and the tenant may see', () => {
  const usage = Object.fromEntries(metricKeys.map((key) => [key, 0])) as Record<MetricKey, number>;
  const snapshot = { at: 1, processes: [], processCount: 0, usage };
  const link = { at: 1, program: 'nginx', link: '/secret', target: '/secret', targetOwner: 'ben' };
  const evidence = evidenceOf(linkEvidence, [link]);
  const shown = withoutCommands({ ...snapshot, evidence }, new IncidentKinds([linkIncidents]));
  assert.deepEqual(shown.evidence?.items, [{ ...link, link: '', target: '' }]);
  const unknown = withoutCommands({ ...snapshot, evidence }, new IncidentKinds());
  assert.deepEqual(unknown.evidence?.items, []);
});

test('alertMail() shows evidence to administrators and tenants, not to resellers', () => {
  const usage = Object.fromEntries(metricKeys.map((key) => [key, 0])) as Record<MetricKey, number>;
  const tried = { at: 1, program: 'nosy', tried: 'tried to make a user namespace' };
  const evidence = evidenceOf(tryEvidence, [tried]);
  const incident: Incident = {
    id: 1,
    member: 'u1001',
    name: 'ann',
    limit: 'jail.isolation',
    severity: 'refused',
    inferred: false,
    begin: 1,
    end: 2,
    faults: 2,
    value: 'apart',
    from: '<jail> of the policy',
    snapshots: 1,
  };
  const mailTo = (to: 'administrator' | 'reseller' | 'tenant') => {
    const who = { member: 'u1001', uid: 1001, name: 'ann', account: 'ann' } as const;
    const alert = {
      keys: [],
      who: { ...who, reseller: 'acme', package: undefined },
      incident,
      evidence: () => [{ at: 1, processes: [], processCount: 0, usage, evidence }],
      everyMilliseconds: 60_000,
      at: 2,
    };
    const batch = { alerts: [alert], alarms: [], notices: [], id: '1', test: false };
    const kinds = new IncidentKinds([jailIncidents]);
    const receiver = { by: 'mail', to, address: 'x' } as const;
    return alertMail({ ...batch, receiver }, { kinds, host: 'web1', timeZone: 'UTC' });
  };
  for (const to of ['administrator', 'tenant'] as const)
    assert.match(mailTo(to).text.replaceAll('\n', ' '), /nosy tried to make a user namespace/);
  const { subject, text } = mailTo('reseller');
  assert.equal(subject, 'Bulkhead on web1: ann was refused twice what leads past its jail');
  assert.match(text, /Tried by nosy\./);
  assert.doesNotMatch(text, /tried to make/);
});

describe('oomKillsIn()', () => {
  const kill = (name: string, pid = 4711) =>
    `3,1204,4951206311,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/bulkhead/u1001,task_memcg=/bulkhead/u1001,task=${name},pid=${pid},uid=1001`;
  const end = (name: string, pid = 4711) =>
    `3,1205,4951206390,-;Memory cgroup out of memory: Killed process ${pid} (${name}) total-vm:157464kB, anon-rss:120000kB, file-rss:880kB, shmem-rss:0kB, UID:1001 pgtables:344kB oom_score_adj:0`;
  const memoryBytes = 120_880 * 1024;

  test('takes the memory of a kill from the record after it', () => {
    const other = '4,1,2,-;Tasks state (memory values in pages):';
    const found = oomKillsIn([other, kill('php'), other, end('php'), kill('sh', 5), end('sh', 6)]);
    assert.deepEqual(found, [
      { pid: 4711, name: 'php', cgroup: '/bulkhead/u1001', memoryBytes },
      { pid: 5, name: 'sh', cgroup: '/bulkhead/u1001' },
    ]);
  });

  test('reads the right fields whatever the process is called', () => {
    for (const name of [
      ') total-vm:1kB, ',
      'x, anon-rss:1kB',
      '(4712) (',
      'Killed process ',
      '\\x0a3,1,1,-;',
    ]) {
      const [found, ...more] = oomKillsIn([kill(name), end(name)]);
      assert.deepEqual(found, { pid: 4711, name, cgroup: '/bulkhead/u1001', memoryBytes });
      assert.deepEqual(more, []);
    }
  });

  test('ignores records that are not from the kernel', () => {
    const forged = [kill('php'), end('php')].map((each) => each.replace(/^3,/, '11,'));
    assert.deepEqual(oomKillsIn(forged), []);
    assert.deepEqual(oomKillsIn([end('php')]), []);
    assert.equal(oomKillsIn([kill('php'), forged[1] ?? ''])[0]?.memoryBytes, undefined);
  });
});

describe('parseOomKill()', () => {
  const record = (task: string, cgroup = '/bulkhead/u1001', cpuset = '/') =>
    `3,1204,4951206311,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=${cpuset},mems_allowed=0,oom_memcg=${cgroup},task_memcg=${cgroup},task=${task},pid=4711,uid=1001\n SUBSYSTEM=x`;

  test('reads the process and the cgroup', () => {
    assert.deepEqual(parseOomKill(record('php')), {
      pid: 4711,
      name: 'php',
      cgroup: '/bulkhead/u1001',
    });
  });

  test('reads the right fields whatever the process is called', () => {
    const found = parseOomKill(record('x,pid=1,uid=0'));
    assert.equal(found?.pid, 4711);
    assert.equal(found?.name, 'x,pid=1,uid=0');
    assert.equal(
      parseOomKill(record('x,oom_memcg=/a,task_memcg=/a,task=y'))?.cgroup,
      '/bulkhead/u1001',
    );
    assert.equal(
      parseOomKill('6,1,2,-;php: oom-kill:constraint=CONSTRAINT_MEMCG,pid=1,uid=0'),
      undefined,
    );
    assert.equal(parseOomKill(''), undefined);
  });

  test('reads the right cgroup whatever the cpuset is called', () => {
    for (const cpuset of [
      'x,mems_allowed=0,oom_memcg=u1002,task_memcg=u1002,task=y',
      'x,oom_memcg=',
      'x,oom_memcg=,task_memcg=,task=y,pid=1,uid=0',
    ]) {
      assert.deepEqual(parseOomKill(record('php', '/bulkhead/u1001', cpuset)), {
        pid: 4711,
        name: 'php',
        cgroup: '/bulkhead/u1001',
      });
    }
  });

  test('returns the full path of a cgroup that a tenant named like one of ours', () => {
    const own = '/user.slice/user@1001.service/bulkhead/u1002,task_memcg=/bulkhead/u1002,task=x';
    assert.equal(
      parseOomKill(record('php', own))?.cgroup,
      '/user.slice/user@1001.service/bulkhead/u1002',
    );
  });
});

test('parseStat() reads times, also when the name has brackets', () => {
  const clock = { ticksPerSecond: 100, uptimeSeconds: 100 };
  const rest = `S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20 0 3 0 5000 1 25 0`;
  const times = { cpuSeconds: 2, ageSeconds: 50 };
  assert.deepEqual(parseStat(`42 (php-fpm) ${rest}`, clock), times);
  assert.deepEqual(parseStat(`42 (a) R 9 1 1 1 1 1) ${rest}`, clock), times);
  assert.equal(parseStat('nothing', clock), undefined);
  assert.equal(parseStat('42 (php) S 1', clock), undefined);
});

test('parseStatus() reads a process, and escapes its name', () => {
  const text = (name: string) =>
    `Name:\t${name}\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t42\nVmRSS:\t     100 kB\nThreads:\t3\n`;
  assert.deepEqual(parseStatus(text('php-fpm')), {
    name: 'php-fpm',
    command: '[php-fpm]',
    state: 'S',
    threads: 3,
    memoryBytes: 100 * 1024,
  });
  assert.equal(parseStatus(text('a\\nState:\\\\\u001b'))?.name, 'a\\u{a}State:\\\\u{1b}');
  assert.equal(parseStatus(text('\rState:\tZ'))?.state, 'S');
  assert.equal(parseStatus('nothing'), undefined);
});

test('commandText() joins arguments to one line, and escapes them', () => {
  assert.equal(
    commandText(Buffer.from('sh\0-c\0a\nb\u001b]0;x\u0007\0')),
    'sh -c a\\u{a}b\\u{1b}]0;x\\u{7}',
  );
  assert.equal(commandText(Buffer.from('\0\0')), undefined);
});

/** Returns children of this process that are alive and have this in their arguments. */
function childrenThat(word: string): readonly number[] {
  return readdirSync('/proc').flatMap((name) => {
    const stat = readText(`/proc/${name}/stat`) ?? '';
    const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const isOurs = Number(parent) === process.pid && state !== 'Z';
    return isOurs && (readText(`/proc/${name}/cmdline`) ?? '').includes(word) ? [Number(name)] : [];
  });
}

const setOf = (...pids: readonly number[]): readonly ProcessSet[] => [{ member: 'u1', pids }];

describe('EvidenceReader', () => {
  test('read() returns the use and the command line of processes', async () => {
    using reader = new EvidenceReader('/proc');
    const child = spawn('sleep', ['3600'], { stdio: 'ignore' });
    try {
      await once(child, 'spawn');
      // It is another program until it has called execve.
      await eventually('it runs sleep', () =>
        (readText(`/proc/${child.pid}/cmdline`) ?? '').startsWith('sleep'),
      );
      const found = await reader.read(setOf(child.pid ?? 0, process.pid, 999_999_999), 10);
      assert.deepEqual(found.map((each) => each.pid).sort(), [child.pid, process.pid].sort());
      assert.equal(found.find((each) => each.pid === child.pid)?.command, 'sleep 3600');
      const own = found.find((each) => each.pid === process.pid);
      assert.ok((own?.memoryBytes ?? 0) > 2 ** 20 && (own?.ageSeconds ?? 0) > 0);
    } finally {
      child.kill('SIGKILL');
    }
  });

  test('read() starts another child process when the first one hangs', async () => {
    using reader = new EvidenceReader('/proc');
    const command = async () => (await reader.read(setOf(process.pid), 1))[0]?.command ?? '';
    assert.match(await command(), /parts\.test/);
    const [child] = childrenThat('evidence/main');
    assert.ok(child !== undefined);
    process.kill(child, 'SIGSTOP');
    assert.match(await command(), /parts\.test/);
    assert.ok(!childrenThat('evidence/main').includes(child));
  });

  test('read() returns the largest processes', async () => {
    using reader = new EvidenceReader('/proc');
    assert.equal((await reader.read(setOf(1, process.pid), 1)).length, 1);
    assert.deepEqual(await reader.read([], 10), []);
  });
});

describe('readSecret()', () => {
  const path = join(directory, 'token');
  const error = () => {
    const read = readSecret(path);
    return read.ok ? 'none' : formatProblem(read.error);
  };

  test('returns a secret that only root can read', () => {
    writeFileSync(path, 'a-secret-of-some-length\n', { mode: 0o600 });
    assert.deepEqual(readSecret(path), { ok: true, value: 'a-secret-of-some-length' });
  });

  test('refuses a secret that others can read, that is short, missing or a link', () => {
    chmodSync(path, 0o644);
    assert.match(error(), /others can read it; chmod 600 it/);
    rmSync(path);
    assert.match(error(), /does not exist; make one: /);
    writeFileSync(path, 'short', { mode: 0o600 });
    assert.match(error(), /shorter than 16 characters/);
    rmSync(path);
    symlinkSync('/etc/shadow', path);
    assert.match(error(), /symbolic link/);
  });
});

test('problemIn() returns the problem that errorBody() wrote, and nothing else', () => {
  const problem = { action: 'show tenant', object: 'bob\u001b', reason: 'there is none' };
  const error = { ...problem, status: 404 as const, retryAfterSeconds: 3 };
  const body = errorBody(error);
  const message = 'Cannot show tenant "bob\\u{1b}": there is none';
  assert.deepEqual(body, { error: message, ...problem });
  assert.deepEqual(problemIn(JSON.parse(JSON.stringify(body))), problem);
  for (const other of [undefined, null, 'text', {}, { error: message }, { action: 1, reason: 2 }]) {
    assert.equal(problemIn(other), undefined);
  }
});

describe('QueryReader', () => {
  const reader = (query: string) => new QueryReader(new URLSearchParams(query));
  const refused = (result: HttpResult<unknown>, reason: RegExp, object?: string) => {
    assert.ok(!result.ok);
    assert.equal(result.error.status, 400);
    assert.equal(result.error.object, object);
    assert.match(result.error.reason, reason);
  };

  test('names() takes a repeated parameter, at most 2,000 times', () => {
    assert.deepEqual(reader('tenant=a&tenant=b').names('tenant'), { ok: true, value: ['a', 'b'] });
    refused(reader('tenant=a&'.repeat(2001)).names('tenant'), /more than 2000 times/, 'tenant');
  });

  test('whole() takes only digits, and caps them at the maximum', () => {
    assert.deepEqual(reader('').whole('count', 7, 10), { ok: true, value: 7 });
    assert.deepEqual(reader('count=99').whole('count', 7, 10), { ok: true, value: 10 });
    for (const text of ['', '-1', '1.5', '1e3', '0x10', 'x'])
      refused(reader(`count=${text}`).whole('count', 7, 10), /must be a whole number/, 'count');
  });

  test('choice() takes only known values', () => {
    assert.deepEqual(reader('').choice('metric', ['cpu']), { ok: true, value: undefined });
    assert.deepEqual(reader('metric=cpu').choice('metric', ['cpu']), { ok: true, value: 'cpu' });
    refused(reader('metric=x').choice('metric', ['cpu', 'io']), /one of cpu, io/, 'metric');
  });

  test('period() is the last hour by default, and never empty', () => {
    assert.deepEqual(reader('').period(7_200_000), {
      ok: true,
      value: { from: 3_600_000, to: 7_200_000 },
    });
    refused(reader('from=5&to=5').period(9), /ends before it begins/);
    refused(reader('from=y').period(9), /must be a whole number/, 'from');
  });
});

describe('InFlight', () => {
  const leave = (turn: HttpResult<Disposable>) => {
    assert.ok(turn.ok);
    turn.value[Symbol.dispose]();
  };

  test('enter() admits two requests of a tenant, queues 16, and never limits root', async () => {
    const inFlight = new InFlight();
    const caller = { kind: 'uid', uid: 1001 } as const;
    const turns = [await inFlight.enter(caller), await inFlight.enter(caller)];
    const waiting = Array.from({ length: 16 }, () => inFlight.enter(caller));
    const refused = await inFlight.enter(caller);
    assert.ok(!refused.ok);
    assert.equal(refused.error.status, 429);
    assert.match(refused.error.reason, /are waiting/);
    for (let index = 0; index < 100; index++) leave(await inFlight.enter({ kind: 'uid', uid: 0 }));
    leave(await inFlight.enter({ kind: 'uid', uid: 1002 }));
    for (const turn of turns) leave(turn);
    for (const each of waiting) leave(await each);
    leave(await inFlight.enter(caller));
  });
});

test('Ticker ticks at its interval, also after setInterval()', async () => {
  let ticks = 0;
  using ticker = new Ticker(() => ticks++);
  ticker.start(3_600_000);
  assert.equal(ticks, 1);
  ticker.setInterval(10);
  await eventually('five ticks', () => ticks > 5);
});

test('followFiles() calls back when a file was written, replaced or removed', async () => {
  const path = join(directory, 'followed');
  let changes = 0;
  using _follower = followFiles([path], () => changes++);
  writeFileSync(path, 'one');
  await eventually('it is written', () => changes === 1);
  writeFileSync(path, 'two two');
  await eventually('it is written again', () => changes === 2);
  writeFileSync(join(directory, 'another'), 'x');
  rmSync(path);
  await eventually('it is removed', () => changes === 3);
});

test('serviceNotifier() notifies systemd, and hides its address from children', async () => {
  const path = join(directory, 'notify');
  // Node.js has no datagrams on paths, so another program listens.
  const listener = spawn(
    'perl',
    [
      '-MSocket',
      '-e',
      `socket(S,AF_UNIX,SOCK_DGRAM,0);bind(S,sockaddr_un($ARGV[0]));$|=1;print "ready\\n";recv(S,$m,999,0);print $m`,
      path,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let said = '';
  listener.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
  await eventually('somebody listens', () => said.includes('ready'));
  const environment = { NOTIFY_SOCKET: path, WATCHDOG_USEC: '30000000' };
  using notifier = serviceNotifier(environment);
  assert.equal(notifier.watchdogMilliseconds, 30_000);
  assert.ok(!('NOTIFY_SOCKET' in environment));
  notifier.notify('READY=1', 'STATUS=3 tenants');
  await eventually('it is told', () => said.includes('READY=1\nSTATUS=3 tenants'));
  using none = serviceNotifier({});
  none.notify('READY=1');
});
