/** Enabling and disabling the PAM step with Debian's own pam-auth-update and su, on copies of this machine's files. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { once } from 'node:events';
import { describe, test } from 'node:test';
import { addJailed, jailedFile } from '../../src/host/cgroups/launch-jailed.ts';
import { pathsOf } from '../../src/host/paths.ts';
import { eventually } from '../../testing/patience.ts';
import { jsonOf } from '../../testing/json-output.ts';
import type { PamEnableJson } from '../../src/pam/commands/json.ts';
import {
  bulkhead,
  copyOf,
  disable,
  enable,
  files,
  module,
  pristine,
  read,
  session,
  skip,
  succeed,
  update,
  useCopies,
  words,
  write,
} from './enable-stage.ts';

describe('pam enable and disable on copies of the PAM files', { skip }, () => {
  useCopies();

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
      const account = read('/etc/pam.d/common-account');
      const admitting = String.raw`^account\t\[success=1 .*default=die\]\t${module} account instance=${jailing}\naccount\trequisite\tpam_listfile\.so`;
      assert.match(account, new RegExp(admitting, 'm'));
      assert.match(succeed(statusHere), /^su +.* entered$/m);
      assert.match(succeed(`su -s /bin/sh -c 'echo in' games`), /in/);
      fs.rmSync(jailedFile(state));
      assert.doesNotMatch(succeed(statusHere), /not as this installation|JAIL/);
      assert.match(succeed(enableHere), /is on/);
      assert.doesNotMatch(read(session), /pam_bulkhead\.so jail/);
      assert.doesNotMatch(read('/etc/pam.d/common-account'), /pam_bulkhead|jailed/);
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

  test('enable finishes before it ends on Ctrl-C', async () => {
    // The shell would end at the signal, while the program goes on.
    const [file, args] = words(`exec ${enable}`);
    const child = spawn(file, args, { detached: true, stdio: 'ignore' });
    const ended = once(child, 'exit');
    // The file itself may be from an earlier run; whoever holds its lock has begun.
    const lock = '/run/bulkhead-pam.lock';
    const isHeld = () =>
      fs.existsSync(lock) && spawnSync('flock', ['--nonblock', lock, 'true']).status === 1;
    await eventually('it has begun', isHeld);
    process.kill(-(child.pid ?? 0), 'SIGINT');
    await ended;
    assert.match(succeed(enable), /on already/);
  });
});
