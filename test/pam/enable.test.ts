/**
 * Turning the step on and off with Debian's own pam-auth-update and su, on copies of this machine's files of PAM that
 * only the commands see, each in a mount namespace of its own.
 */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { compilePam } from '../../scripts/entry.ts';
import { addJailed, jailedFile } from '../../src/host/cgroups/launch-jailed.ts';
import { pathsOf } from '../../src/host/paths.ts';
import { ensurePrerequisites } from '../../testing/prerequisites.ts';
import { eventually, patienceMilliseconds } from '../../testing/patience.ts';
import { jsonOf } from '../../testing/json-output.ts';
import type { PamEnableJson } from '../../src/pam/commands/json.ts';

const compiler = await ensurePrerequisites('pam', (line) => console.log(`# ${line}`));
const module = compiler.ok ? compilePam() : '';
const bulkhead = new URL('../../bulkhead', import.meta.url).pathname;
const program = '/usr/sbin/pam-auth-update';
const scratch = join(tmpdir(), `bulkhead-logintest-${process.pid}`);
const directories = ['/etc/pam.d', '/var/lib/pam', '/usr/share/pam-configs', '/var/cache/debconf'];

const copyOf = (path: string) => join(scratch, 'root', path);
const read = (path: string) => fs.readFileSync(copyOf(path), 'utf8');
const write = (path: string, text: string) => fs.writeFileSync(copyOf(path), text);

/** Files and directories that replace others, in addition to the copies. */
type Instead = Readonly<Record<string, string>>;

function words(command: string, instead: Instead = {}): readonly [string, string[]] {
  const mounts = [
    ...directories.map((each) => [copyOf(each), each] as const),
    ...Object.entries(instead).map(([path, by]) => [by, path] as const),
  ];
  const lines = mounts.map(([from, to]) => `mount --bind '${from}' '${to}'`);
  return ['unshare', ['-m', 'sh', '-c', [...lines, command].join(' && ')]];
}

interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function run(command: string, instead: Instead = {}): Ran {
  const [file, args] = words(command, instead);
  return spawnSync(file, args, { encoding: 'utf8', timeout: patienceMilliseconds });
}

function succeed(command: string, instead: Instead = {}): string {
  const { status, stdout, stderr } = run(command, instead);
  assert.equal(status, 0, `${command}: ${stderr}`);
  return stdout;
}

/** Returns all files that PAM and pam-auth-update use. */
const files = () =>
  directories
    .filter((each) => each !== '/var/cache/debconf')
    .flatMap((directory) =>
      fs.readdirSync(copyOf(directory)).map((name) => {
        const path = `${directory}/${name}`;
        const { mode, uid } = fs.statSync(copyOf(path));
        const bytes = fs.readFileSync(copyOf(path));
        const hash = createHash('sha256').update(bytes).digest('hex').slice(0, 16);
        return `${path} ${(mode & 0o7777).toString(8)} ${uid} ${hash}`;
      }),
    )
    .sort();

const enable = `'${bulkhead}' pam enable`;
const disable = `'${bulkhead}' pam disable`;
const update = `DEBIAN_FRONTEND=noninteractive ${program} --package`;
const session = '/etc/pam.d/common-session';

const obstacle = () => {
  if (process.getuid?.() !== 0) return 'needs root';
  if (!compiler.ok) return compiler.reason;
  if (!fs.existsSync(program)) return `needs ${program}`;
  return spawnSync('unshare', ['-m', 'true']).status === 0 ? false : 'needs mount namespaces';
};
const skip = obstacle();

describe('pam enable and disable on copies of the PAM files', { skip }, () => {
  let pristine: ReturnType<typeof files> = [];

  before(() => {
    for (const each of directories)
      fs.cpSync(each, copyOf(each), { recursive: true, dereference: true });
    // Profiles that packages have left pending, and pam_systemd's, even if this machine has no systemd.
    write(
      '/usr/share/pam-configs/systemd',
      'Name: systemd\nDefault: yes\nPriority: 0\nSession-Interactive-Only: yes\nSession-Type: Additional\nSession:\n\toptional\tpam_systemd.so\n',
    );
    succeed(update);
    pristine = files();
  });
  after(() => fs.rmSync(scratch, { recursive: true }));
  afterEach(() => {
    succeed(disable);
    assert.deepEqual(files(), pristine);
  });

  function refuses(message: RegExp, instead: Instead = {}, command = enable): void {
    const earlier = files();
    const { status, stderr } = run(command, instead);
    assert.match(stderr, message);
    assert.equal(status, 1);
    assert.deepEqual(files(), earlier);
  }

  function withText(path: string, edit: (text: string) => string, body: () => void): void {
    const text = read(path);
    write(path, edit(text));
    try {
      body();
    } finally {
      write(path, text);
    }
  }

  test('enable prints a diff with --dry-run, then writes it, then reports "on already"', () => {
    const shown = succeed(`${enable} --dry-run`);
    assert.match(
      shown,
      /^\+session\t\[success=2 perm_denied=die default=ignore\]\t.*\/pam_bulkhead\.so place systemd$/m,
    );
    assert.deepEqual(files(), pristine);
    const wanted = jsonOf<PamEnableJson>('pam enable', succeed(`${enable} --dry-run --json`));
    assert.ok(wanted.changed.some(({ path }) => path.endsWith('/common-session')));
    assert.match(succeed(enable), /shows how/);
    assert.match(read(session), /place systemd\n.*place\nsession\toptional\tpam_systemd/);
    assert.match(succeed(enable), /on already/);
    const json = jsonOf<PamEnableJson>('pam disable', succeed(`${disable} --dry-run --json`));
    assert.equal(json.changed.length, 5);
  });

  test('enable replaces the lines of another instance, and status reports them', () => {
    succeed(enable);
    succeed(`'${bulkhead}' --instance other pam enable`);
    assert.match(read(session), /pam_bulkhead\.so place instance=other$/m);
    assert.match(succeed(`'${bulkhead}' pam status`), /not as this installation writes/);
    assert.match(succeed(enable), /is on/);
    assert.doesNotMatch(read(session), /=other/);
  });

  test('enable adds jail lines last, and removes them without a jail', () => {
    const jailing = `bulkhead-logintest-${process.pid}`;
    const { state } = pathsOf(jailing);
    const enableHere = `'${bulkhead}' --instance ${jailing} pam enable`;
    const statusHere = `'${bulkhead}' --instance ${jailing} pam status`;
    try {
      assert.ok(addJailed(pathsOf(jailing), [{ uid: 65_534 }]).ok);
      assert.match(succeed(statusHere), /outside it; run "bulkhead pam enable" again/);
      succeed(enableHere);
      for (const each of [session, `${session}-noninteractive`]) {
        const lines = read(each)
          .split('\n')
          .filter((line) => line.startsWith('session'));
        assert.equal(
          lines.at(-2),
          `session\t[success=1 ignore=1 module_unknown=ignore default=die]\t${module} jail instance=${jailing}`,
        );
        assert.match(lines.at(-1) ?? '', /requisite\tpam_listfile\.so.*sense=deny.*\/jailed$/);
      }
      assert.match(succeed(statusHere), /^su +.* entered$/m);
      assert.match(succeed(`su -s /bin/sh -c 'echo in' games`), /in/);
      fs.rmSync(jailedFile(state));
      assert.doesNotMatch(succeed(statusHere), /not as this installation|JAIL/);
      assert.match(succeed(enableHere), /is on/);
      assert.doesNotMatch(read(session), /pam_bulkhead\.so jail/);
    } finally {
      fs.rmSync(state, { recursive: true, force: true });
    }
  });

  test('enable writes one profile without pam_systemd, and both when it is back', () => {
    const path = '/usr/share/pam-configs/systemd';
    const text = read(path);
    fs.rmSync(copyOf(path));
    succeed(`${update} --remove systemd`);
    assert.match(succeed(enable), /The login step is on\n/);
    assert.equal(fs.existsSync(copyOf('/usr/share/pam-configs/bulkhead')), false);
    assert.equal(read(session).match(/pam_bulkhead/g)?.length, 1);
    write(path, text);
    succeed(update);
    const wanted = jsonOf<PamEnableJson>('pam enable', succeed(`${enable} --dry-run --json`));
    assert.ok(wanted.changed.some(({ path }) => path.endsWith('/common-session')));
    assert.match(succeed(enable), /shows how/);
  });

  test("enable reports changes by other packages' pending profiles", () => {
    const path = '/usr/share/pam-configs/zz-pending';
    write(
      path,
      'Name: Pending\nDefault: yes\nPriority: 512\nSession-Type: Additional\nSession:\n\toptional pam_echo.so\n',
    );
    assert.match(succeed(`${enable} --dry-run`), /other packages.*common-session/s);
    assert.match(succeed(enable), /other packages.*common-session/s);
    fs.rmSync(copyOf(path));
    succeed(`${update} --remove zz-pending`);
  });

  test('enable leaves the jump out when another module comes in between', () => {
    const path = '/usr/share/pam-configs/zz-between';
    write(
      path,
      'Name: Between\nDefault: yes\nPriority: 0\nSession-Type: Additional\nSession:\n\toptional pam_echo.so\n',
    );
    assert.match(succeed(enable), /pam_echo\.so comes between/);
    assert.doesNotMatch(read(session), /success=2/);
    fs.rmSync(copyOf(path));
    succeed(`${update} --remove zz-between`);
    const wanted = jsonOf<PamEnableJson>('pam enable', succeed(`${enable} --dry-run --json`));
    assert.ok(wanted.changed.some(({ path }) => path.endsWith('/common-session')));
    assert.match(succeed(enable), /shows how/);
  });

  test('enable and disable refuse files changed by hand', () => {
    const edit = (text: string) =>
      text.replace(/^session.*pam_unix.*$/m, '$&\nsession optional pam_echo.so');
    withText(session, edit, () => refuses(/changed by hand/));
    succeed(enable);
    withText(session, edit, () => refuses(/changed by hand/, {}, disable));
    const byHand = `session optional ${module} place\n`;
    withText(
      '/etc/pam.d/su',
      (text) => text + byHand,
      () => refuses(/common-session has it|\/su has it in line/, {}, disable),
    );
  });

  test('enable refuses a module that others own or can write, or that is missing', () => {
    const copy = join(scratch, 'module');
    const withModule = (mode: number, uid: number, message: RegExp) => {
      fs.copyFileSync(module, copy);
      fs.chmodSync(copy, mode);
      fs.chownSync(copy, uid, 0);
      refuses(message, { [module]: copy });
    };
    withModule(0o644, 65_534, /belongs to uid 65534/);
    withModule(0o664, 0, /can be written by others/);
    const empty = join(scratch, 'no-modules');
    fs.mkdirSync(empty);
    refuses(/there is no .*pam_bulkhead\.so: it was not compiled/, { [dirname(module)]: empty });
  });

  test("enable refuses a profile that is not Bulkhead's, and files that are not UTF-8", () => {
    const path = '/usr/share/pam-configs/bulkhead';
    write(path, 'Name: Mine\n');
    refuses(/not Bulkhead's/);
    refuses(/not Bulkhead's/, {}, disable);
    fs.rmSync(copyOf(path));
    const text = fs.readFileSync(copyOf(session));
    fs.appendFileSync(copyOf(session), Buffer.from([0x23, 0xff, 0x0a]));
    const { status, stderr } = run(enable);
    assert.deepEqual([status, /not UTF-8/.test(stderr)], [1, true]);
    fs.writeFileSync(copyOf(session), text);
  });

  test('enable asks for pam-auth-update, and for root, when either is missing', () => {
    const empty = join(scratch, 'empty');
    fs.mkdirSync(empty);
    refuses(/no pam-auth-update.*"session \[success=ok perm_denied=die default=ignore\]/s, {
      '/usr/sbin': empty,
    });
    refuses(/run it as root/, {}, `setpriv --reuid 65534 --clear-groups ${enable}`);
  });

  test('enable restores all files when pam-auth-update fails half-way', () => {
    const real = join(scratch, 'real');
    fs.copyFileSync(program, real);
    fs.chmodSync(real, 0o755);
    const goesWrong = (text: string) => {
      const instead = join(scratch, 'instead');
      fs.writeFileSync(instead, `#!/bin/sh\n# '--root' '--enable'\n${text}\n`, { mode: 0o755 });
      refuses(/all is as it was before/, { [program]: instead });
    };
    const onCopies = `case "$*" in *--root*) exec '${real}' "$@" ;; esac`;
    goesWrong(`${onCopies}; echo garbage > ${session}; echo broken >&2; exit 1`);
    goesWrong(`${onCopies}; '${real}' "$@"; echo '# more' >> ${session}`);
    goesWrong(`${onCopies}; '${real}' "$@"; rm ${session}; kill -KILL $$`);
    // This passes on the copies, but then nobody could open a session any more.
    goesWrong(
      `'${real}' "$@"; [ "$1" = --root ] || set -- --root ''; echo 'session requisite pam_deny.so' >> "$2${session}"`,
    );
  });

  test('enable finishes before it ends on Ctrl-C', async () => {
    // The shell would end at the signal, while the program goes on.
    const [file, args] = words(`exec ${enable}`);
    const child = spawn(file, args, { detached: true, stdio: 'ignore' });
    const ended = once(child, 'exit');
    await eventually('it has begun', () => fs.existsSync('/run/bulkhead-pam.lock'));
    process.kill(-(child.pid ?? 0), 'SIGINT');
    await ended;
    assert.match(succeed(enable), /on already/);
  });
});
