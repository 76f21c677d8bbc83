/** The package as users get it: packed, installed elsewhere, and run. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  realpathSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { UsageResponse } from '../../src/agent/api/usage-api.ts';
import { makeWholeProgram } from '../../src/cli/program.ts';
import { longPatienceMilliseconds } from '../../testing/patience.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';
import { projectFiles } from '../../testing/vm/project.ts';
import { RunningAgent } from '../agent/running-agent.ts';
import { hostHere } from '../conformance/host-here.ts';
import { putLibraryFiles } from '../../packages/modules/test/library-files.ts';
import { capabilities } from '../../src/capabilities.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Runs every example of the documentation with a program that has the package installed. */
function tryLibrary(installed: string, program: string): void {
  putLibraryFiles(installed);
  const page = readFileSync(join(root, 'docs/modules-library.md'), 'utf8');
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

/** The agent is started, and finds its files, only by means of the package. */
const instance = 'bulkhead-package-test';
const here = hostHere(instance);
const tenant = 880_101;

/** Returns a copy of the project, since a build takes away what other suites run at this time. */
async function copyOfProject(copy: string): Promise<string> {
  for (const file of await projectFiles())
    cpSync(join(root, file), join(copy, file), { verbatimSymlinks: true });
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  return copy;
}

describe('the package of npm pack', { timeout: longPatienceMilliseconds }, () => {
  const directory = suiteDirectory('package');
  let installed = '';
  let packaged = '';
  let program = '';
  const run = (...args: string[]) =>
    spawnSync(program, args, { encoding: 'utf8', env: { PATH: '/usr/bin:/bin' }, cwd: installed });

  before(async () => {
    const copy = await copyOfProject(join(directory, 'project'));
    execFileSync('npm', ['run', '--silent', 'build'], { cwd: copy });
    execFileSync('npm', ['pack', '--silent', '--pack-destination', directory], { cwd: copy });
    const tarball = readdirSync(directory).find((name) => name.endsWith('.tgz')) ?? '';
    installed = join(directory, 'prefix');
    mkdirSync(installed);
    const flags = ['--silent', '--no-audit', '--no-fund', '--ignore-scripts'];
    execFileSync('npm', ['install', ...flags, '--prefix', installed, join(directory, tarball)], {
      cwd: installed,
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    packaged = join(installed, 'node_modules', 'bulkhead');
    program = join(installed, 'node_modules', '.bin', 'bulkhead');
  });

  test('has all files that it needs, and no sources', () => {
    assert.match(run('--version').stdout, /^\d+\.\d+\.\d+\n$/);
    for (const path of [
      'schema/bulkhead.xsd',
      'man/bulkhead.8',
      'web/508.html',
      'packaging/bulkhead.service',
      'packaging/bulkhead.socket',
      'dist/web/io/entries/receiver-thread.js',
      'dist/bpf/symlinks.bpf.o',
      'dist/bpf/jail.bpf.o',
      'bpf/symlinks.bpf.c',
      `dist/entry/${process.arch}/bulkhead-exec`,
      `dist/entry/${process.arch}/bulkhead-fpm`,
      `dist/entry/${process.arch}/pam_bulkhead.so`,
      'entry/pam.c',
      'LICENSE',
      'examples/demo.xml',
    ]) {
      assert.ok(existsSync(join(packaged, path)), `${path} is missing from the package`);
    }
    for (const path of ['src', 'packaging/image'])
      assert.ok(!existsSync(join(packaged, path)), `${path} is in the package`);
    const doctor = run('doctor');
    if (process.getuid?.() === 0) assert.match(doctor.stdout + doctor.stderr, /Driver|Cannot find/);
  });

  test('has every command, with the same help as the sources', async () => {
    const sources = await makeWholeProgram(capabilities);
    assert.ok(run('--help').stdout.startsWith(sources.helpInformation()));
    for (const command of sources.commands) {
      // The launcher answers it, which has a help of its own.
      if (command.name() === 'exec') continue;
      const { stdout, stderr } = run(command.name(), '--help');
      assert.ok(stdout.startsWith(command.helpInformation()), `${command.name()}: ${stderr}`);
    }
  });

  test('runs its own launcher, and installs commands that run it', () => {
    const launcher = run('exec').stderr;
    assert.match(launcher, /Usage|bulkhead/);
    const main = join(packaged, 'dist/main.js');
    const byHand = spawnSync(process.execPath, [main, 'exec', '--no-such-option'], {
      encoding: 'utf8',
    });
    assert.equal(byHand.stderr, run('exec', '--no-such-option').stderr);
    const prefix = join(directory, 'lve');
    mkdirSync(join(prefix, 'usr/sbin'), { recursive: true });
    const made = run('cloudlinux', 'enable', '--prefix', prefix);
    assert.equal(made.status, 0, made.stderr);
    const wrapper = readFileSync(join(prefix, 'usr/sbin/lvectl'), 'utf8');
    assert.ok(wrapper.includes(join(realpathSync(packaged), 'bulkhead')), wrapper);
  });

  test('runs through a link in PATH, as "npm install -g" makes one', () => {
    const link = join(directory, 'bulkhead');
    symlinkSync(program, link);
    assert.equal(spawnSync(link, ['--version'], { encoding: 'utf8' }).status, 0);
  });

  test('exports bulkhead/modules, with types', () => {
    tryLibrary(installed, program);
    const library = `import { readModule, loaderVerdict, trustLevels } from 'bulkhead/modules';
      const read = readModule('x.ko', new Uint8Array(8));
      console.log(typeof loaderVerdict, trustLevels.length, read.ok, read.error.kind);`;
    writeFileSync(join(installed, 'use.mjs'), library);
    const used = spawnSync(process.execPath, ['use.mjs'], { cwd: installed, encoding: 'utf8' });
    assert.equal(used.stdout, 'function 5 false not elf\n', used.stderr);
    const typed = `import { readModule, trustLevels, type KernelModule } from 'bulkhead/modules';
      const read = readModule('x.ko', new Uint8Array(8));
      export const module: KernelModule | undefined = read.ok ? read.value : undefined;
      // @ts-expect-error -- where nothing were known of them, this would be right
      export const wrong: string = trustLevels.length;
      // @ts-expect-error -- and this
      readModule(8);\n`;
    writeFileSync(join(installed, 'use.mts'), typed);
    const flags = ['--noEmit', '--strict', '--skipLibCheck', '--module', 'nodenext'];
    const checked = spawnSync(
      join(root, 'node_modules/.bin/tsc'),
      [...flags, '--types', '', 'use.mts'],
      { cwd: installed, encoding: 'utf8' },
    );
    assert.equal(checked.stdout, '');
  });

  test('modules scan reads more files than one thread does', () => {
    putLibraryFiles(installed);
    // More than are read without one.
    const many = Array.from({ length: 40 }, (_, index) => `many/driver-${index}.ko`);
    mkdirSync(join(installed, 'many'), { recursive: true });
    for (const each of many) copyFileSync(join(installed, 'driver.ko'), join(installed, each));
    const words = ['modules', 'scan', '--json', '--no-cache', '--kernel', 'kernel', 'many'];
    const { stdout, stderr } = run(...words);
    const { modules } = JSON.parse(stdout || '{}') as { modules?: readonly unknown[] };
    assert.equal(modules?.length, many.length, stderr);
  });

  test(
    'runs an agent that applies, places, records and shows processes',
    { skip: 'skip' in here ? here.skip : false },
    async () => {
      if ('skip' in here) return;
      await using agent = new RunningAgent(here.host, program);
      agent.writePolicy(
        `<agent interval="1s"/><tenant uid="${tenant}"><cpu limit="50%"/></tenant>`,
      );
      await agent.start();
      await agent.until(
        'it applies',
        async () => (await agent.status()).policy.state === 'in force',
      );
      const ids = ['--reuid', `${tenant}`, '--regid', `${tenant}`, '--clear-groups'];
      const child = spawn('setpriv', [...ids, 'sleep', '3600'], { stdio: 'ignore' });
      try {
        await agent.until('it places', () => {
          const groups = readFileSync(`/proc/${child.pid}/cgroup`, 'utf8');
          return groups.includes(`/${instance}`) && groups.includes(`/u${tenant}\n`);
        });
        await agent.until('it shows the arguments of a process', async () =>
          (await agent.ask(`/v1/tenants/${tenant}/processes`)).text.includes('sleep 3600'),
        );
        await agent.until('it answers from its history', async () => {
          const usage = await agent.ask(`/v1/usage?tenant=${tenant}`);
          return usage.status === 200 && usage.json<UsageResponse>().measuredSeconds > 0;
        });
      } finally {
        child.kill('SIGKILL');
      }
    },
  );
});
