/** The package as users get it: packed, installed elsewhere, and run. */
import '../../src/testing/guard/here.ts';
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { patienceMilliseconds } from '../../src/testing/patience.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

test('npm pack gives a package that installs and runs', { timeout: patienceMilliseconds }, () => {
  const directory = mkdtempSync(join(tmpdir(), 'bulkhead-package-'));
  try {
    execFileSync('npm', ['run', '--silent', 'build'], { cwd: root });
    execFileSync('npm', ['pack', '--silent', '--pack-destination', directory], { cwd: root });
    const [tarball = ''] = readdirSync(directory);
    const installed = join(directory, 'prefix');
    mkdirSync(installed);
    execFileSync(
      'npm',
      [
        'install',
        '--silent',
        '--no-audit',
        '--no-fund',
        '--ignore-scripts',
        '--prefix',
        installed,
        join(directory, tarball),
      ],
      {
        cwd: installed,
        stdio: ['ignore', 'inherit', 'inherit'],
      },
    );
    const program = join(installed, 'node_modules', '.bin', 'bulkhead');
    const run = (...words: string[]) =>
      spawnSync(program, words, { encoding: 'utf8', env: { PATH: '/usr/bin:/bin' } });
    assert.match(run('--version').stdout, /^\d+\.\d+\.\d+\n$/);
    assert.match(run('--help').stdout, /Usage: bulkhead/);
    const packaged = join(installed, 'node_modules', 'bulkhead');
    for (const path of [
      'libexec/bulkhead-exec',
      'schema/bulkhead.xsd',
      'man/bulkhead.8',
      'LICENSE',
      'examples/demo.xml',
    ]) {
      assert.ok(existsSync(join(packaged, path)), `${path} is missing from the package`);
    }
    assert.ok(!existsSync(join(packaged, 'src')), 'sources are in the package');
    const doctor = run('doctor');
    if (process.getuid?.() === 0) assert.match(doctor.stdout + doctor.stderr, /Driver|Cannot find/);
    assert.match(run('exec').stderr, /Usage|bulkhead/);
    const library = `import { readModule, loaderVerdict, standings } from 'bulkhead/modules';
      const read = readModule('x.ko', new Uint8Array(8));
      console.log(typeof loaderVerdict, standings.length, read.ok, read.error.kind);`;
    writeFileSync(join(installed, 'use.mjs'), library);
    writeFileSync(join(installed, 'use.mts'), library.replace('read.error', '(read as any).error'));
    const used = spawnSync(process.execPath, ['use.mjs'], { cwd: installed, encoding: 'utf8' });
    assert.equal(used.stdout, 'function 5 false not elf\n', used.stderr);
    const typed = spawnSync(
      join(root, 'node_modules/.bin/tsc'),
      ['--noEmit', '--strict', '--module', 'nodenext', '--types', '', 'use.mts'],
      { cwd: installed, encoding: 'utf8' },
    );
    assert.doesNotMatch(typed.stdout, /bulkhead\/modules/, typed.stdout);
    // A link in a directory of PATH, as "npm install -g" makes it.
    symlinkSync(program, join(directory, 'bulkhead'));
    assert.equal(
      spawnSync(join(directory, 'bulkhead'), ['--version'], { encoding: 'utf8' }).status,
      0,
    );
  } finally {
    rmSync(directory, { recursive: true });
  }
});
