// The PAM module with a jail that cannot be entered: its tenant gets no session, and others do as before.
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { describe, test } from 'node:test';
import {
  inVault,
  inside,
  instead,
  jailOf,
  mkfifo,
  refused,
  runtime,
  scratch,
  session,
  skip,
  stage,
  stateFile,
  tenant,
  uid,
  useJail,
  while_,
} from './stage.ts';

describe('pam_bulkhead.so with a jail that cannot be entered', { skip }, () => {
  useJail('session-refused');

  test('refuses a jail that is not ready, and logs the reason', () => {
    const text = fs.readFileSync(stateFile(), 'utf8');
    const states = [
      ['state failed its home is a link', /cannot be entered: its home is a link; run/],
      ['state waiting', /it is not built yet/],
      ['state readyish', /it is not built yet/],
      ['', /it is not built yet/],
    ] as const;
    for (const [state, reason] of states)
      while_(
        () => fs.writeFileSync(stateFile(), text.replace(/^state .*$/m, state)),
        () => refused(reason),
        () => fs.writeFileSync(stateFile(), text),
      );
    for (const [content, reason] of [
      ['', /it is cut off/],
      [text.slice(0, -1), /it is cut off/],
      [text.replace('jail 1', 'jail 2'), /version "2" is not known here/],
      [text.replace('jail 1\n', ''), /not a file of the kind "jail"/],
      ['\0'.repeat(5000), /its state cannot be read/],
      ['state'.repeat(1000), /its state cannot be read/],
      ['x state ready\n', /it is cut off/],
    ] as const)
      while_(
        () => fs.writeFileSync(stateFile(), content),
        () => refused(reason),
        () => fs.writeFileSync(stateFile(), text),
      );
  });

  test('refuses links, pipes, and files that others own or can change', () => {
    const owned = /others than root can change it/;
    instead(
      stateFile(),
      (path) => fs.symlinkSync(`${path}.aside`, path),
      () => refused(/a link is in its place/),
    );
    instead(stateFile(), mkfifo, () => refused(owned));
    instead(
      stateFile(),
      (path) => fs.mkdirSync(path),
      () => refused(owned),
    );
    for (const path of [stateFile(), `${runtime()}/jail/tenants`, `${runtime()}/jail`, runtime()]) {
      const { uid: owner, gid, mode } = fs.statSync(path);
      while_(
        () => fs.chownSync(path, uid, gid),
        () => refused(owned),
        () => fs.chownSync(path, owner, gid),
      );
      while_(
        () => fs.chmodSync(path, 0o777),
        () => refused(owned),
        () => fs.chmodSync(path, mode & 0o7777),
      );
    }
    const { vault } = stage.paths;
    while_(
      () => fs.symlinkSync(vault, `${vault}.link`),
      () => assert.equal(session(tenant).status, 0),
      () => fs.rmSync(`${vault}.link`),
    );
  });

  test('refuses a session without the vault, the pin, or the files in /run', async () => {
    execFileSync('umount', [stage.paths.vault]);
    refused(/it is not there any more/);
    await stage.build(jailOf());
    inside();
    inVault(`umount -l ${stage.paths.inside}/ns/${uid}`);
    refused(/its namespaces are not in the vault/);
    await stage.build(jailOf());
    inside();
    const link = `${stage.paths.inside}/ns/${uid}`;
    inVault(`mv ${link} ${link}.x; ln -s ../../../../../proc/1/ns/mnt ${link}`);
    refused(/a link is in its place/);
    inVault(`mv ${link}.x ${link}`);
    inVault(`umount -l ${stage.paths.inside}/ipc/${uid}`);
    refused(/its namespaces are not in the vault/);
    fs.renameSync(stateFile(), `${stateFile()}.aside`);
    refused(/not there any more, or not yet/);
    fs.renameSync(`${stateFile()}.aside`, stateFile());
    await stage.release();
    refused(/not there any more, or not yet/);
    assert.ok(!fs.existsSync(`${runtime()}/jail`));
    const built = await stage.build(jailOf());
    assert.deepEqual(built.problems, []);
    inside();
  });

  test('loads the seccomp filter, or refuses the session', () => {
    const file = `${stage.paths.inside}/root/web/run/bulkhead/seccomp`;
    inVault(`cp ${file} ${scratch}/filter`);
    for (const broken of [
      `rm ${file}`,
      `: > ${file}`,
      `echo x > ${file}`,
      `head -c 9000 /dev/zero > ${file}`,
      `head -c 800 /dev/zero > ${file}`,
    ]) {
      inVault(broken);
      refused(/its seccomp filter cannot be (?:read|loaded)/);
    }
    inVault(`cp ${scratch}/filter ${file}`);
    inside();
  });
});
