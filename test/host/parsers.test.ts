import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseMemoryBytes, parsePasswd, parseUidRange } from '../../src/host/accounts/accounts.ts';
import { parseMemory, parsePressure } from '../../src/host/host-figures.ts';
import { parseMountInfo } from '../../src/sys/files/mounts.ts';

test('parsePasswd() parses accounts and skips lines that are not accounts', () => {
  assert.deepEqual(
    parsePasswd(
      'root:x:0:0:root:/root:/bin/bash\n\nbroken\n:x:1:1::/:\na:x:12x:1::/h:\nal:x:7:8::/h:',
    ),
    [
      { user: 'root', uid: 0, gid: 0, home: '/root' },
      { user: 'al', uid: 7, gid: 8, home: '/h' },
    ],
  );
});

test('parseMemoryBytes() parses meminfo, and returns undefined without a MemTotal line', () => {
  assert.equal(parseMemoryBytes('MemTotal:        2013400 kB\nMemFree: 1 kB\n'), 2_061_721_600);
  for (const other of ['', 'MemFree: 1 kB\n', 'MemTotal: x kB\n', 'XMemTotal: 1 kB\n'])
    assert.equal(parseMemoryBytes(other), undefined);
});

test('parseUidRange() parses login.defs, and returns the default for an empty file', () => {
  const text = '# UID_MIN 1\nUID_MIN\t\t  500\n#UID_MAX 5\n UID_MAX 40000\n';
  assert.deepEqual(parseUidRange(text), { first: 500, last: 40_000 });
  assert.deepEqual(parseUidRange(''), { first: 1000, last: 60_000 });
});

test('parseMountInfo() parses mounts, even with spaces in names, and skips other lines', () => {
  const [mount] = parseMountInfo(
    String.raw`27 1 254:0 / /mnt/a\040b ro,relatime shared:1 - ext4 /dev/vda rw,usrquota` + '\n',
  );
  assert.deepEqual(mount, {
    id: '27',
    device: '254:0',
    root: '/',
    mountPoint: '/mnt/a b',
    type: 'ext4',
    source: '/dev/vda',
    readOnly: true,
    noSetuid: false,
    superOptions: ['rw', 'usrquota'],
  });
  assert.deepEqual(parseMountInfo('garbage\n'), []);
});

test('parseMemory() parses a line of meminfo, and returns undefined without it', () => {
  const text = 'MemTotal:  2013400 kB\nMemAvailable:   1000 kB\n';
  assert.equal(parseMemory(text, 'MemAvailable'), 1_024_000);
  for (const other of ['', 'MemAvailable: much kB\n', 'XMemAvailable: 1 kB\n'])
    assert.equal(parseMemory(other, 'MemAvailable'), undefined);
});

test('parsePressure() parses both totals, and returns undefined for other text', () => {
  const some = 'some avg10=0.00 avg60=0.10 avg300=2.50 total=12345\n';
  const full = 'full avg10=0.00 avg60=0.00 avg300=0.00 total=45\n';
  const known = { someMicroseconds: 12_345, somePart300: 0.025 };
  assert.deepEqual(parsePressure(some), known);
  assert.deepEqual(parsePressure(some + full), { ...known, fullMicroseconds: 45 });
  assert.deepEqual(parsePressure('some avg10=0.00 total=1\n'), { someMicroseconds: 1 });
  for (const other of ['', 'some avg10=0.00\n', full])
    assert.equal(parsePressure(other), undefined);
});
