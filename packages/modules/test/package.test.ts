/** The package that is built from this workspace: it works without the engine and without the sources. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import '../../../testing/guard/here.ts';
import { putLibraryFiles } from './library-files.ts';
import { suiteDirectory } from '../../../testing/temporary-directory.ts';

const workspace = resolve(import.meta.dirname, '..');
const root = resolve(workspace, '../..');
const directory = suiteDirectory('modules-package');

test('build.ts makes a package that reads modules, also in threads, and has types', () => {
  const packaged = join(directory, 'node_modules/@bulkhead/modules');
  mkdirSync(packaged, { recursive: true });
  execFileSync(process.execPath, [join(workspace, 'build.ts'), join(packaged, 'dist')]);
  copyFileSync(join(workspace, 'package.json'), join(packaged, 'package.json'));
  symlinkSync(join(root, 'node_modules/koffi'), join(directory, 'node_modules/koffi'));
  putLibraryFiles(directory);
  // More files than are read without threads.
  mkdirSync(join(directory, 'many'));
  for (let index = 0; index < 40; index++)
    copyFileSync(join(directory, 'driver.ko'), join(directory, `many/driver-${index}.ko`));
  writeFileSync(
    join(directory, 'use.mjs'),
    `import { readModule, scan } from '@bulkhead/modules';
     const read = readModule('x.ko', new Uint8Array(8));
     const report = await scan(['many'], { kernel: ['kernel'] });
     console.log(read.ok, read.error.kind, report.ok && report.value.modules.length);`,
  );
  const used = spawnSync(process.execPath, ['use.mjs'], { cwd: directory, encoding: 'utf8' });
  assert.equal(used.stdout, 'false not elf 40\n', used.stderr);
  writeFileSync(
    join(directory, 'use.mts'),
    `import { readModule } from '@bulkhead/modules';
     // @ts-expect-error -- a name comes first
     readModule(8);\n`,
  );
  const flags = ['--noEmit', '--strict', '--skipLibCheck', '--module', 'nodenext', '--types', ''];
  const checked = spawnSync(join(root, 'node_modules/.bin/tsc'), [...flags, 'use.mts'], {
    cwd: directory,
    encoding: 'utf8',
  });
  assert.equal(checked.stdout, '');
});
