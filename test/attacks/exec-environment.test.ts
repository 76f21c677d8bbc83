/** The launcher with arguments and variables that a user chose: large ones, odd ones, and those that libraries obey. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { after, before, suite, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { patienceMilliseconds } from '../../testing/patience.ts';
import { ensurePrerequisites } from '../../testing/prerequisites.ts';
import { reasonToSkip } from '../jail/stage.ts';
import { ExecStage, freshVariables, variablesIn } from './exec-stage.ts';

const [kibibytes, pieceKibibytes] = [2048, 64];

const ready = await ensurePrerequisites('exec', (line) => process.stdout.write(`${line}\n`));
const skip = reasonToSkip() || (ready.ok ? false : ready.reason);

suite('launcher with a hostile environment', { skip }, () => {
  let stage: ExecStage;
  let caller = '';
  let evil = '';
  let spied = '';
  let spy = '';

  before(() => {
    stage = new ExecStage('environment', 620_370);
    caller = stage.compile('exec-caller');
    evil = `${stage.scratch}/evil`;
    mkdirSync(evil);
    spied = `${stage.scratch}/spied`;
    spy = `${evil}/spy.so`;
    const source = fileURLToPath(new URL('exec-spy.c', import.meta.url));
    const options = ['-O2', '-Wall', '-Werror', '-shared', '-fPIC', `-DSPIED="${spied}"`];
    execFileSync('gcc', [...options, '-o', spy, source]);
  });
  after(() => stage[Symbol.dispose]());

  for (const who of ['jailed', 'plain'] as const) {
    test(`a ${who} tenant gets 2 MiB of arguments, and none of 2 MiB of variables`, () => {
      const prefix = [caller, 'large', `${kibibytes}`, `${kibibytes}`];
      const result = stage.start(stage[who], { prefix, options: ['--entry'] });
      assert.ok(stage.assertInsideOrRefused(stage[who], result, who), result.stderr);
      const [, count, bytes] = /^arguments (\d+) (\d+)$/m.exec(result.stdout) ?? [];
      assert.equal(Number(count), 1 + kibibytes / pieceKibibytes);
      assert.ok(Number(bytes) > kibibytes * 1024 - 100);
    });

    test(`a ${who} tenant gets one large variable with --keep-env`, () => {
      const prefix = [caller, 'large', `${kibibytes}`, '0'];
      const options = ['--keep-env', 'LARGE_7', '--keep-env', 'LARGE_99'];
      const { status, stdout, stderr } = stage.start(stage[who], { prefix, options });
      assert.equal(status, 0, stderr);
      stage.assertInside(stage[who], stdout, who);
      assert.deepEqual(variablesIn(stdout), ['LARGE_7', ...freshVariables].sort());
    });

    test(`a ${who} tenant starts inside whatever the launcher's own name is`, () => {
      const [, ...args] = stage.args(stage[who]);
      for (const argv0 of ['', '-sh', 'a\nb', '/proc/self/exe', '%s%n', 'x'.repeat(100_000)]) {
        const options = {
          argv0,
          encoding: 'utf8',
          env: {},
          timeout: patienceMilliseconds,
        } as const;
        const result = spawnSync(stage.launcher, [...args, stage.probe], options);
        assert.ok(stage.assertInsideOrRefused(stage[who], result, argv0), result.stderr);
      }
    });

    test(`libraries in the launcher obey no variable of a ${who} tenant's caller`, () => {
      const trace = `${stage.scratch}/trace`;
      rmSync(spied, { force: true });
      const tracing = ['-f', '-qq', '-e', 'trace=%file,%network', '-s', '4096', '-o', trace];
      const prefix = ['/usr/bin/strace', ...tracing];
      const given = { prefix, options: ['--entry'], env: libraryVariables() };
      const result = stage.start(stage[who], given);
      assert.ok(stage.assertInsideOrRefused(stage[who], result, who), result.stderr);
      const calls = readFileSync(trace, 'utf8');
      assert.match(calls, /passwd/);
      assert.ok(!calls.includes(evil), calls);
      assert.ok(!existsSync(spied));
    });

    test(`the loader obeys variables of a ${who} tenant's caller in the launcher only`, () => {
      for (const variables of loaderVariables()) {
        rmSync(spied, { force: true });
        // A program that the loader starts, unlike the probe.
        const command = ['cat', '/proc/self/status'];
        const result = stage.start(stage[who], { options: ['--entry'], env: variables, command });
        const label = JSON.stringify(variables);
        assert.equal(result.status, 0, `${label} ${result.stderr}`);
        assert.match(result.stdout, new RegExp(`^Uid:\\t${stage[who].uid}\\t`, 'm'));
        assert.equal(readFileSync(spied, 'utf8'), `0 ${stage.launcher}\n`, label);
      }
    });
  }

  test('the launcher refuses what it cannot use with a short message', () => {
    const long = 'x'.repeat(100_000);
    const { instance, launcher } = stage;
    const refusedAs = (status: number, message: RegExp, ...args: readonly string[]) => {
      const result = stage.run(launcher, ...args);
      assert.deepEqual([result.status, result.stdout], [status, '']);
      assert.match(result.stderr, message);
      assert.ok(result.stderr.length < 2000, `${result.stderr.length}`);
    };
    const own = ['--instance', instance];
    const command = ['--', stage.probe];
    refusedAs(2, /is not the name of an instance/, '--instance', long, 'x', ...command);
    refusedAs(2, /is not the name of a site/, ...own, '--site', long, 'x', ...command);
    refusedAs(
      2,
      /is not the name of a variable/,
      ...own,
      '--keep-env',
      `${long}-`,
      'x',
      ...command,
    );
    refusedAs(1, /is not a tenant/, ...own, long, ...command);
    refusedAs(2, /Unknown option/, `--${long}`);
    const plain = `${stage.plain.uid}`;
    refusedAs(
      127,
      /Cannot execute .*: No such file or directory$/m,
      ...own,
      plain,
      '--',
      `/nonexistent/${long.slice(0, 3000)}`,
    );
    refusedAs(1, /cd \/x+: File name too long$/m, ...own, '--chdir', `/${long}`, plain, ...command);
    const { status, stderr } = stage.run(caller, 'nameless', launcher);
    assert.deepEqual([status, /TENANT is missing/.test(stderr)], [2, true]);
  });

  /** Variables that the C library, modules of the name service and clients of a bus obey. */
  function libraryVariables(): Record<string, string> {
    writeFileSync(`${evil}/gconv-modules`, 'module X// INTERNAL spy 1\n');
    writeFileSync(`${evil}/hosts`, 'localhost evil\n');
    const directories = [
      'GCONV_PATH',
      'LOCPATH',
      'NLSPATH',
      'TZDIR',
      'TMPDIR',
      'GETCONF_DIR',
      'PATH',
    ];
    const files = [
      'HOSTALIASES',
      'MALLOC_TRACE',
      'GMON_OUT_PREFIX',
      'RESOLV_HOST_CONF',
      'LDAPCONF',
    ];
    const sockets = ['DBUS_SYSTEM_BUS_ADDRESS', 'DBUS_SESSION_BUS_ADDRESS', 'VARLINK_ADDRESS'];
    return {
      ...Object.fromEntries(directories.map((name) => [name, evil])),
      ...Object.fromEntries(files.map((name) => [name, `${evil}/hosts`])),
      ...Object.fromEntries(sockets.map((name) => [name, `unix:path=${evil}/bus`])),
      SYSTEMD_USERDB_PATH: evil,
      SYSTEMD_BYPASS_USERDB: '1',
      SYSTEMD_NSS_BYPASS_SYNTHETIC: '1',
      NSS_FILES_passwd: `${evil}/hosts`,
      NSS_WRAPPER_PASSWD: `${evil}/hosts`,
      GLIBC_TUNABLES:
        'glibc.malloc.check=3:glibc.malloc.perturb=85:glibc.rtld.optional_static_tls=1',
      MALLOC_CHECK_: '3',
      MALLOC_PERTURB_: '85',
      MALLOC_ARENA_MAX: '1',
      RES_OPTIONS: 'debug',
      LOCALDOMAIN: 'evil.example',
      TZ: `:${evil}/hosts`,
      LC_ALL: 'evil',
      LANGUAGE: 'evil',
    };
  }

  /**
   * Variables that the dynamic loader obeys before the launcher's first instruction, as in every program that is not
   * setuid: callers must not let others set them.
   */
  const loaderVariables = (): readonly Record<string, string>[] => [
    { LD_PRELOAD: spy },
    { LD_AUDIT: spy },
  ];
});
