/** The package as users get it: packed, installed elsewhere, and run. */
import '../../src/testing/guard/here.ts';
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { patienceMilliseconds } from '../../src/testing/patience.ts';
import { buildModule, sampleModinfo } from '../kernel-modules/core/elf-builder.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

const release = '6.12.118';

/** A small kernel, and a module that it does not know, as docs/library.md has them. */
function putLibraryFiles(directory: string): void {
  const put = (path: string, content: string | Uint8Array) => {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), content);
  };
  const headers = `kernel/usr/src/linux-headers-${release}`;
  const exported = ['module_layout', 'printk'].map(
    (name) => `0x00000001\t${name}\tvmlinux\tEXPORT_SYMBOL\t\n`,
  );
  put(`${headers}/Module.symvers`, exported.join(''));
  put(`${headers}/include/config/kernel.release`, `${release}\n`);
  put(`kernel/boot/config-${release}`, 'CONFIG_MODVERSIONS=y\nCONFIG_MODULE_SIG=y\n');
  const built = { layoutCrc: 1, imports: [{ name: 'printk', crc: 1 }] };
  const own = buildModule({ ...built, name: 'own' });
  put(`kernel/lib/modules/${release}/kernel/own.ko`, own);
  const modinfo = sampleModinfo('driver').filter((each) => each !== 'intree=Y');
  put('driver.ko', buildModule({ ...built, name: 'driver', modinfo }));
}

/** Every example of the documentation, run by a program that has the package installed. */
function tryLibrary(installed: string, program: string): void {
  putLibraryFiles(installed);
  const page = readFileSync(join(root, 'docs/library.md'), 'utf8');
  const examples = [...page.matchAll(/^```js\n([\s\S]*?)^```/gm)].map(([, code = '']) => code);
  assert.ok(examples.length > 5);
  const runProgram = (code: string) => {
    writeFileSync(join(installed, 'example.mjs'), code);
    const ran = spawnSync(process.execPath, ['example.mjs'], { cwd: installed, encoding: 'utf8' });
    assert.equal(ran.status, 0, `${ran.stderr}\n${code}`);
    return ran.stdout;
  };
  for (const code of examples) {
    const expected = [...code.matchAll(/^\/\/=> (.*)$/gm)].map(([, line]) => `${line}\n`).join('');
    assert.equal(runProgram(code), expected, code);
  }
  const words = ['modules', 'scan', '--json', '--no-cache', '--kernel', 'kernel', 'driver.ko'];
  const env = { PATH: '/usr/bin:/bin' };
  const command = spawnSync(program, words, { cwd: installed, encoding: 'utf8', env });
  const report = runProgram(`import { scan } from 'bulkhead/modules';
    const report = await scan(['driver.ko'], { kernel: ['kernel'] });
    console.log(JSON.stringify(report.value));`);
  assert.deepEqual(JSON.parse(report), JSON.parse(command.stdout), 'not what the command prints');
}

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
    tryLibrary(installed, program);
    const library = `import { readModule, loaderVerdict, trustLevels } from 'bulkhead/modules';
      const read = readModule('x.ko', new Uint8Array(8));
      console.log(typeof loaderVerdict, trustLevels.length, read.ok, read.error.kind);`;
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
