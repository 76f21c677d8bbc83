/** The kernel log records of processes that were killed for memory. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { oomKillsIn, parseOomKill } from '../../src/host/kernel-log.ts';

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
