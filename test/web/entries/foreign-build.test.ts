/** A survey of web servers next to a divided build of PHP that others than root can change now. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathsOf } from '../../../src/host/paths.ts';
import { sessionOf } from '../../../src/web/commands/entries/session.ts';
import { temporaryDirectory } from '../../../testing/temporary-directory.ts';

test('sessionOf() runs no build of PHP that others can change, divided or not', async () => {
  using scratch = temporaryDirectory('foreign-build');
  const at = (name: string) => join(scratch.path, name);
  const script = (name: string) => {
    writeFileSync(at(name), `#!/bin/sh\ntouch ${at(`${name}-ran`)}\n`, { mode: 0o755 });
    return { php: name, program: at(name), configuration: at('php-fpm.conf') };
  };
  const [own, theirs] = [script('8.4'), script('ea-php83')];
  const reason = 'uid 1001 can change it, and it runs as root';
  const paths = { ...pathsOf('bulkhead'), etc: at('etc'), runtime: at('run'), state: at('lib') };
  for (const { php } of [own, theirs]) {
    mkdirSync(at(`etc/bulkhead/fpm/${php}`), { recursive: true });
    writeFileSync(at(`etc/bulkhead/fpm/${php}/tenants`), '');
  }
  const programs = { fpm: [own], notServed: [{ ...theirs, reason }] };
  const { survey } = await sessionOf(paths, undefined, programs);
  assert.deepEqual(
    survey.servers.map(({ program }) => program),
    [own.program],
  );
  assert.deepEqual(
    [own, theirs].map(({ program }) => existsSync(`${program}-ran`)),
    [true, false],
  );
});
