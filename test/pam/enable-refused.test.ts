/** Enabling and disabling the PAM step where that is refused or fails: all files, which are copies, stay as before. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import {
  type Instead,
  copyOf,
  disable,
  enable,
  files,
  module,
  program,
  read,
  run,
  scratch,
  session,
  skip,
  succeed,
  useCopies,
  write,
} from './enable-stage.ts';

describe('pam enable and disable that are refused', { skip }, () => {
  useCopies();

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
    // With authselect, a program makes the profile; otherwise the lines are printed.
    const line = '"session \\[success=ok perm_denied=die default=ignore\\]';
    refuses(new RegExp(`no pam-auth-update.*(?:${line}|run .*/bulkhead-authselect)`, 's'), {
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
});
