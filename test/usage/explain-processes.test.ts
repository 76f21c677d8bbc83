/** The part of an explanation about processes that ran. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { begin, incidentOf, plain, processOf, snapshotOf, textOf, whole } from './incidents.ts';

describe('explainIncident() on what ran', () => {
  test('explainIncident() ranks processes by CPU time between two snapshots', () => {
    const old = processOf({ pid: 1, name: 'mysqld', cpuSeconds: 9000, ageSeconds: 90_000 });
    const busy = processOf({ pid: 2, name: 'php', cpuSeconds: 5, ageSeconds: 20 });
    const later = begin + 30_000;
    const evidence = [
      snapshotOf([old, busy]),
      snapshotOf(
        [
          { ...old, cpuSeconds: 9001, ageSeconds: 90_030 },
          { ...busy, cpuSeconds: 34, ageSeconds: 50 },
          processOf({ pid: 3, name: 'convert', cpuSeconds: 12, ageSeconds: 15 }),
          processOf({ pid: 4, name: 'unseen', cpuSeconds: 500, ageSeconds: 4000 }),
        ],
        {},
        { at: later },
      ),
    ];
    const text = textOf(incidentOf(), evidence, 'alice', plain);
    assert.match(
      text,
      /php \(29 s of CPU time, 1 process\); convert \(12 s of CPU time, 1 process\); mysqld \(1\.0 s/,
    );
    assert.doesNotMatch(text, /unseen/);
  });

  test('explainIncident() counts both processes when a PID is reused', () => {
    const evidence = [
      snapshotOf([processOf({ pid: 2, name: 'php', cpuSeconds: 50, ageSeconds: 60 })]),
      snapshotOf(
        [processOf({ pid: 2, name: 'php', cpuSeconds: 3, ageSeconds: 4 })],
        {},
        { at: begin + 30_000 },
      ),
    ];
    assert.match(textOf(incidentOf(), evidence, 'alice', plain), /php \(3\.0 s of CPU time/);
  });

  test('explainIncident() skips a snapshot that lacks the counters of a process', () => {
    const whole = processOf({ pid: 2, name: 'php', cpuSeconds: 50, ageSeconds: 60 });
    const { cpuSeconds: _cpu, ageSeconds: _age, ...hung } = whole;
    const evidence = [
      snapshotOf([whole]),
      snapshotOf([hung], {}, { at: begin + 30_000 }),
      snapshotOf([{ ...whole, cpuSeconds: 53, ageSeconds: 120 }], {}, { at: begin + 60_000 }),
    ];
    assert.match(textOf(incidentOf(), evidence, 'alice', plain), /php \(3\.0 s of CPU time/);
    const never = evidence.map((each) => ({ ...each, processes: [hung] }));
    assert.doesNotMatch(textOf(incidentOf(), never, 'alice', plain), /of CPU time/);
  });

  test('explainIncident() adds up memory by program for the snapshot with the most memory', () => {
    const many = Array.from({ length: 6 }, (_, pid) => processOf({ pid }));
    const evidence = [
      snapshotOf([processOf({ name: 'early' })], { memory: 2 ** 20 }),
      snapshotOf(many, { memory: 320 * 2 ** 20, cache: 2 ** 20 }),
    ];
    const incident = incidentOf({
      limit: 'memory.limit',
      severity: 'killed',
      value: '320MiB',
      faults: 9,
    });
    const text = textOf(incident, evidence, 'alice', plain);
    assert.match(text, /alice ran out of memory on 24 November 2026/);
    assert.match(
      text,
      /Of those that were left, most memory was used by: php-fpm \(300MiB, 6 processes\)/,
    );
    assert.match(
      text,
      /There are 6 processes of php-fpm, with 50\.0MiB each: running fewer at once would need less/,
    );
    assert.match(text, /The memory in use peaked at 320MiB, and fell to 1\.00MiB after the kill/);
    assert.match(text, /It is unknown which process was killed/);
    assert.match(text, /bulkhead set alice memory=480MiB/);
  });

  test('explainIncident() names the killed process, and one that used most memory', () => {
    const killed = [{ pid: 55, name: 'node' }];
    const evidence = [
      snapshotOf(
        [processOf({ name: 'node', memoryBytes: 700 * 2 ** 20 })],
        { memory: 2 ** 30, cache: 2 ** 28 },
        { killed },
      ),
      snapshotOf([], { memory: 2 ** 29 }, { killed }),
    ];
    const incident = incidentOf({ limit: 'memory.limit', severity: 'killed', value: '1GiB' });
    const text = textOf(incident, evidence, 'alice', plain);
    assert.match(text, /The kernel killed node \(process 55\)\./);
    assert.match(text, /A single process of node used most of it: look there first/);
  });

  test('explainIncident() gives peak and size of the killed process when the sample is late', () => {
    const killed = [{ pid: 55, name: 'php-fpm8.4', memoryBytes: 118 * 2 ** 20 }];
    const after = { memory: 400 * 2 ** 10, memoryPeak: 128 * 2 ** 20 };
    const incident = incidentOf({ limit: 'memory.limit', severity: 'killed', value: '128MiB' });
    const text = textOf(incident, [snapshotOf([], after, { killed })], 'carol', plain);
    assert.match(text, /The kernel killed php-fpm8\.4 \(process 55, which used 118MiB\)\./);
    assert.match(text, /The memory in use peaked at 128MiB, and fell to 400KiB after the kill\./);
    assert.doesNotMatch(text, /stands out|page cache:|Otherwise/);
    const noPeak = textOf(incident, [snapshotOf([], { memory: 400 * 2 ** 10 })], 'carol', plain);
    assert.match(
      noPeak,
      /The most that was recorded is 400KiB; how much it was at the kill is unknown/,
    );
  });

  test('explainIncident() prints "bulkhead stop" for administrators when many forks failed', () => {
    const bomb = incidentOf({ limit: 'processes.limit', severity: 'refused', faults: 8_500 });
    const hint = /If it is a fork bomb, .*"bulkhead stop erin" ends all of them/;
    assert.match(textOf(bomb, [], 'erin', plain), hint);
    assert.doesNotMatch(textOf({ ...bomb, faults: 20 }, [], 'erin', plain), hint);
    assert.doesNotMatch(textOf(bomb, [], 'erin', { ...plain, reader: 'tenant' }), /bulkhead stop/);
  });

  test('explainIncident() gives the share of page cache when nothing was killed', () => {
    const incident = incidentOf({ limit: 'memory.limit', value: '1GiB' });
    const text = (cache: number) =>
      textOf(incident, [snapshotOf([], { memory: 2 ** 30, cache })], 'alice', plain);
    assert.match(text(2 ** 28), /Of the 1\.00GiB in use, 256MiB was page cache/);
    assert.match(text(2 ** 20), /Hardly any of the 1\.00GiB in use was page cache/);
  });

  test('explainIncident() suspects a loop when young processes of one name fill the limit', () => {
    const loop = Array.from({ length: 40 }, (_, pid) =>
      processOf({ pid, name: 'bash', ageSeconds: 3 }),
    );
    const incident = incidentOf({ limit: 'processes.limit', severity: 'refused', value: '100' });
    const text = textOf(incident, [snapshotOf(loop, { threads: 100 })], 'alice', plain);
    assert.match(text, /alice had too many processes 37 times/);
    assert.match(
      text,
      /Most of them are bash, and the youngest is less than a minute old: check whether it restarts itself/,
    );
    assert.match(text, /bulkhead set alice processes=150/);
  });

  test('explainIncident() prints command lines only when showCommands is set', () => {
    const evidence = [snapshotOf([processOf({ command: 'mysql -psecret' })])];
    assert.doesNotMatch(textOf(incidentOf(), evidence, 'alice', plain), /secret/);
    assert.match(textOf(incidentOf(), evidence, 'alice', whole), /mysql -psecret/);
  });

  test('explainIncident() says that nothing was recorded when there is no snapshot', () => {
    assert.match(
      textOf(incidentOf(), [], 'alice', plain),
      /The processes running at the time were not recorded/,
    );
    assert.match(
      textOf(incidentOf(), [snapshotOf([])], 'alice', plain),
      /None of the recorded processes stands out/,
    );
  });
});
