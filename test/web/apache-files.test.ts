/** The files of a running Apache: where its master's process id is, and which files it includes. */
import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseApacheDump } from '../../src/web/core/apache/dump.ts';
import { pidFilesOf } from '../../src/web/core/apache/pid-file.ts';
import { isAmong, namesFile } from '../../src/web/io/entries/domain-includes.ts';
import { temporaryDirectory } from '../../testing/temporary-directory.ts';

test('pidFilesOf() takes the last PidFile, and knows what a relative one is relative to', () => {
  const found = (...lines: readonly string[]) =>
    pidFilesOf(parseApacheDump(lines.join('\n')).directives, '/etc/httpd');
  assert.deepEqual(found('ServerRoot /srv'), []);
  assert.deepEqual(found('PidFile /run/a.pid', 'PidFile "/run/b.pid"'), ['/run/b.pid']);
  assert.deepEqual(found('PidFile run/httpd.pid'), ['/etc/httpd/run/httpd.pid']);
  assert.deepEqual(found('PidFile x.pid', 'ServerRoot "/srv/www"'), [
    '/srv/www/x.pid',
    '/etc/httpd/x.pid',
  ]);
  assert.deepEqual(found('DefaultRuntimeDir run', 'ServerRoot /srv', 'PidFile x.pid'), [
    '/srv/run/x.pid',
    '/srv/x.pid',
    '/etc/httpd/x.pid',
  ]);
});

test('isAmong() compares files, and not their names', () => {
  using scratch = temporaryDirectory('apache-files');
  const at = (name: string) => join(scratch.path, name);
  mkdirSync(at('available'));
  writeFileSync(at('available/bulkhead.conf'), '');
  symlinkSync('available', at('enabled'));
  symlinkSync('../available/bulkhead.conf', at('available/other.conf'));
  for (const name of ['available/bulkhead.conf', 'enabled/bulkhead.conf', 'available/other.conf'])
    assert.ok(isAmong(at('available/bulkhead.conf'), new Set(['/none', at(name)])), name);
  assert.ok(!isAmong(at('available/bulkhead.conf'), new Set([at('available'), at('gone')])));
  assert.ok(!isAmong(at('gone'), new Set([at('lost')])));
  assert.ok(isAmong(at('gone'), new Set([at('gone')])));
  assert.ok(!isAmong(at('gone')));
});

test('namesFile() finds a directive, in quotes or not, and no comment', () => {
  using scratch = temporaryDirectory('apache-includes');
  const file = join(scratch.path, 'vhost.conf');
  const path = '/etc/apache2/bulkhead/1001.conf';
  const names = (line: string) => {
    writeFileSync(file, `<VirtualHost *>\n${line}\n</VirtualHost>\n`);
    return namesFile(file, path);
  };
  for (const line of [
    `IncludeOptional ${path}`,
    `\tincludeoptional "${path}"  `,
    `Include\t${path}`,
  ])
    assert.ok(names(line), line);
  for (const line of [
    `# IncludeOptional ${path}`,
    `#IncludeOptional ${path}`,
    `Define own ${path}`,
    `IncludeOptional ${path}x`,
    `IncludeOptional /srv${path}`,
    `IncludeOptional "${path}`,
  ])
    assert.ok(!names(line), line);
});
