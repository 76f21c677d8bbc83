/** `bulkhead exec` runs through the `bulkhead` script, and refuses wrong usage. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { launcher } from '../../testing/launcher.ts';
import { instance, account, skip, scratch, uid, assertRefused, useTenant } from './exec-stage.ts';

const entry = new URL('../../bulkhead', import.meta.url).pathname;

describe('the command line of bulkhead exec', { skip }, () => {
  useTenant();

  test('runs through the bulkhead script, a link to it, and with --instance first', () => {
    const link = join(scratch, 'link');
    fs.symlinkSync(entry, link);
    const rest = [account, '--', 'id', '-u'];
    for (const command of [
      [entry, 'exec', '--instance', instance, ...rest],
      [link, '--instance', instance, 'exec', ...rest],
      [link, `--instance=${instance}`, 'exec', ...rest],
    ] as [string, ...string[]][]) {
      const [program, ...args] = command;
      const result = spawnSync(program, args, { encoding: 'utf8' });
      assert.equal(result.stdout, `${uid}\n`, result.stderr);
    }
  });

  test("keeps variables that have names of the script's own with --keep-env", () => {
    const names = ['path', 'self', 'dir', 'verb', 'flags', 'instance', 'main'];
    const kept = Object.fromEntries(names.map((name) => [name, `the ${name}`]));
    const options = names.flatMap((name) => ['--keep-env', name]);
    for (const env of [kept, {}]) {
      const args = ['exec', '--instance', instance, ...options, account, '--', 'env'];
      const result = spawnSync(entry, args, { encoding: 'utf8', env });
      assert.equal(result.status, 0, result.stderr);
      const given = result.stdout.split('\n').filter((line) => names.includes(line.split('=')[0]!));
      assert.deepEqual(
        given.sort(),
        Object.keys(env)
          .map((name) => `${name}=the ${name}`)
          .sort(),
      );
    }
  });

  test('needs no readlink when npm or a package of the distribution installed it', () => {
    for (const directory of ['lib/node_modules', 'libexec']) {
      const bin = join(scratch, directory, 'bin');
      const packages = join(scratch, directory, directory);
      for (const each of [bin, packages]) fs.mkdirSync(each, { recursive: true });
      fs.symlinkSync(join(entry, '..'), join(packages, 'bulkhead'));
      fs.symlinkSync(`../${directory}/bulkhead/bulkhead`, join(bin, 'bulkhead'));
      const script = 'mount --bind /usr/bin/false /usr/bin/readlink && exec "$@"';
      const args = ['--mount', 'sh', '-c', script, 'sh', join(bin, 'bulkhead'), 'exec'];
      const rest = ['--instance', instance, account, '--', 'id', '-u'];
      const result = spawnSync('unshare', [...args, ...rest], { encoding: 'utf8' });
      assert.equal(result.stdout, `${uid}\n`, result.stderr);
    }
  });

  test('exits with 2 when the usage is wrong', () => {
    const run = (...args: string[]) => spawnSync(launcher, args, { encoding: 'utf8' });
    assertRefused(run(), /TENANT is missing/, 2);
    assertRefused(run(account), /there must be --/, 2);
    assertRefused(run(account, 'id'), /there must be --/, 2);
    assertRefused(run(account, '--'), /COMMAND is missing/, 2);
    assertRefused(run(account, '--', '-c'), /begins with a dash/, 2);
    assertRefused(run('--chdir', 'etc', account, '--', 'id'), /not absolute/, 2);
    assertRefused(run('--instance', '../x', account, '--', 'id'), /not the name of an instance/, 2);
    assertRefused(run('--instance', '', account, '--', 'id'), /not the name of an instance/, 2);
    assertRefused(run('--keep-env', 'A;id', account, '--', 'id'), /not the name of a variable/, 2);
    assertRefused(run('--keep-env', 'PATH', account, '--', 'id'), /cannot be kept/, 2);
    assert.match(run('--help').stdout, /^Usage: bulkhead-exec/);
  });

  test('refuses to run for anybody but root', () => {
    // The directories above the launcher may be closed to others.
    const copy = join(scratch, 'bulkhead-exec');
    fs.copyFileSync(launcher, copy);
    const prefix = ['--reuid', 'nobody', '--regid', 'nogroup', '--clear-groups', copy];
    const args = [...prefix, '--instance', instance, account, '--', 'id'];
    assertRefused(spawnSync('setpriv', args, { encoding: 'utf8', cwd: '/' }), /only root can/);
  });
});
