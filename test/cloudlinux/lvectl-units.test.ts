/** `lvectl` converts limits from CloudLinux's units, and to them. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseCpuinfoMegahertz, readCoreMegahertz } from '../../src/cloudlinux/io/core-clock.ts';
import { limitWords, type LimitOptions } from '../../src/cloudlinux/commands/limit-options.ts';
import { lveRow, lveTable } from '../../src/cloudlinux/commands/rows.ts';
import type { CpuFraction } from '../../packages/base/quantity.ts';
import { directory, usePolicy } from './lvectl-stage.ts';

usePolicy();

test('limitWords() converts as CloudLinux does', () => {
  const place = {
    cores: 4,
    coreMegahertz: 2500,
    values: { 'cpu.limit': 1.5 as CpuFraction },
    numbers: { 'cpu.limit': 1.5 },
  };
  const rows: readonly (readonly [options: LimitOptions, words: readonly string[]])[] = [
    [{ cpu: '25' }, ['cpu.limit=100%']],
    [{ cpu: '25%' }, ['cpu.limit=25%']],
    [{ speed: '150' }, ['cpu.limit=150%']],
    [{ speed: '1ghz' }, ['cpu.limit=40%']],
    [{ speed: '1250MHz' }, ['cpu.limit=50%']],
    [{ speed: '300%', ncpu: '2' }, ['cpu.limit=200%']],
    [{ speed: '100%', ncpu: '2' }, ['cpu.limit=100%']],
    [{ ncpu: '1' }, ['cpu.limit=100%']],
    [{ ncpu: '3' }, ['cpu.limit=150%']],
    [{ speed: '0' }, ['cpu.limit=unlimited']],
    [{ pmem: '1048576' }, ['memory.limit=1GiB']],
    [{ pmem: '1.5g' }, ['memory.limit=1536MiB']],
    [{ pmem: '512MB' }, ['memory.limit=512MiB']],
    [{ pmem: '0' }, ['memory.limit=unlimited']],
    [{ io: '2048KB/s' }, ['io.total=2MiB/s']],
    [{ iops: 'unlimited' }, ['io.operations=unlimited']],
    [{ ep: '7' }, ['entries.limit=7']],
  ];
  for (const [options, words] of rows) {
    assert.deepEqual(
      limitWords(options, place),
      { ok: true, value: words },
      JSON.stringify(options),
    );
  }
  const unknown = limitWords({ speed: '1ghz' }, { ...place, coreMegahertz: undefined });
  assert.ok(!unknown.ok);
  assert.match(unknown.error[0]?.reason ?? '', /clock rate of a core is not known/);
});

test('readCoreMegahertz() returns the maximum of cpufreq, else the rate of /proc/cpuinfo', () => {
  const cpufreq = join(directory, 'devices/system/cpu/cpu0/cpufreq');
  mkdirSync(cpufreq, { recursive: true });
  const paths = { proc: directory, sys: directory };
  assert.equal(readCoreMegahertz(paths), undefined);
  writeFileSync(
    join(directory, 'cpuinfo'),
    'model name\t: x\ncpu MHz\t\t: 2596.128\n\ncpu MHz\t\t: 1.0\n',
  );
  assert.equal(readCoreMegahertz(paths), 2596.128);
  writeFileSync(join(cpufreq, 'cpuinfo_max_freq'), '3500000\n');
  assert.equal(readCoreMegahertz(paths), 3500);
  for (const text of ['', 'cpu MHz\t\t: 0.000\n', 'cpu MHz: fast\n']) {
    assert.equal(parseCpuinfoMegahertz(text), undefined);
  }
});

test('lveRow() gives the larger of reads and writes, and 0 for no limit', () => {
  const row = lveRow('a\u001b[2J', { 'io.read': 100, 'io.write': 3 * 2 ** 20, 'io.reads': 5 }, 4);
  assert.deepEqual([row.ID, row.IO, row.IOPS, row.PMEM], ['a\\u{1b}[2J', '3072', '0', '0K']);
  assert.equal(lveRow('x', { 'cpu.limit': 0.001 }, 4).SPEED, '1');
  assert.equal(lveRow('x', { 'memory.limit': 1536 * 1024 }, 4).PMEM, '1536K');
  const table = lveTable([lveRow('a-long-name', { 'memory.limit': 2 ** 54 }, 4)]);
  const [header = '', line = ''] = table.split('\n');
  assert.equal(header.length, line.length);
  assert.match(line, /^a-long-name {7}0 17179869184M/);
});
