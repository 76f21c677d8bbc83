/** php-fpm's dump and pool files. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseFpmDump } from '../../src/web/core/fpm/dump.ts';
import { parseFpmFile } from '../../src/web/core/fpm/file.ts';

const fpm = (lines: readonly string[]) =>
  parseFpmDump(lines.map((each) => `[26-Nov-2026 01:15:08] NOTICE: ${each}\n`).join(''));

test('parseFpmDump() returns the values of pools, without undefined ones', () => {
  const pools = fpm([
    '[global]',
    '\tpid = /run/x.pid',
    ' ',
    '[shop]',
    '\tuser = alice',
    '\tgroup = client3',
    '\tlisten = 127.0.0.1:9001',
    '\tpm = ondemand',
    '\tpm.max_children = 8',
    '\tchroot = undefined',
    '\tenv[X] = a = b',
    '[a]b]',
    '\tlisten = /run/a.sock',
    '\tchroot = /srv',
    'configuration file /etc/php/8.4/fpm/php-fpm.conf test is successful',
  ]);
  assert.deepEqual(pools, [
    {
      name: 'shop',
      user: 'alice',
      group: 'client3',
      listen: '127.0.0.1:9001',
      address: { kind: 'tcp', host: '127.0.0.1', port: 9001 },
      pm: 'ondemand',
      childrenMax: 8,
    },
    {
      name: 'a]b',
      user: '',
      listen: '/run/a.sock',
      address: { kind: 'unix', path: '/run/a.sock' },
      pm: '',
      childrenMax: 0,
      chroot: '/srv',
    },
  ]);
});

test('parseFpmFile() returns the lines of sections, and the includes', () => {
  const text = `; [no]\n[shop]\nuser = a\n  [two]; x\ninclude=/etc/php/8.4/fpm/pool.d/*.conf\ninclude = "a b" ; y\n`;
  assert.deepEqual(parseFpmFile(text), {
    sections: [
      { name: 'shop', line: 2 },
      { name: 'two', line: 4 },
    ],
    includes: ['/etc/php/8.4/fpm/pool.d/*.conf', 'a b'],
  });
});
