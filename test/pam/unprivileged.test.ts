/** Reports for somebody who cannot read files that only root can read: unknown, and not that there is nothing. */
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { unreadable } from '../../packages/base/io/read.ts';
import { pathsOf } from '../../src/host/paths.ts';
import { jailPathsOf } from '../../src/jail/io/jail-paths.ts';
import { entryPathLayers } from '../../src/cli/layers/engine-layers.ts';
import { entryPathsLine, entryPathsText } from '../../src/cli/shared/entry-paths.ts';
import { jailLayers } from '../../src/jail/commands/layers.ts';
import { loginNotes } from '../../src/pam/core/notes.ts';
import { proftpdSetting, vsftpdSetting } from '../../src/pam/core/daemons.ts';
import { stepOf } from '../../src/pam/io/step.ts';
import { jailFacts, surveyLogin } from '../../src/pam/io/survey.ts';
import { stopDoctor } from '../../src/stop/commands/doctor.ts';
import { temporaryDirectory } from '../../testing/temporary-directory.ts';
import { policyOf } from '../conformance/suite.ts';

const skip = process.geteuid?.() === 0 ? false : 'needs root, to be somebody else';
const nobody = 65534;

/** Runs `act` with the rights of nobody. */
function asNobody<T>(act: () => T): T {
  process.seteuid?.(nobody);
  try {
    return act();
  } finally {
    process.seteuid?.(0);
  }
}

function stage() {
  const directory = temporaryDirectory('unprivileged');
  const [runtime, state] = [join(directory.path, 'run'), join(directory.path, 'lib')];
  for (const each of [runtime, state]) mkdirSync(each);
  chmodSync(directory.path, 0o755);
  const paths = { ...pathsOf('bulkhead'), runtime, state };
  return { paths, [Symbol.dispose]: () => directory[Symbol.dispose]() };
}

describe('for somebody who is not root', { skip }, () => {
  test('unreadable() distinguishes what is missing from what cannot be read', () => {
    using staged = stage();
    const { state } = staged.paths;
    const path = `${state}/jailed`;
    assert.equal(
      asNobody(() => unreadable(path)),
      undefined,
    );
    writeFileSync(path, '1001\nann\n', { mode: 0o600 });
    const problem = asNobody(() => unreadable(path));
    assert.deepEqual([problem?.errno, problem?.hint], ['EACCES', 'run it as root']);
    assert.equal(unreadable(path), undefined);
    // Its directory may be closed, too.
    chmodSync(state, 0o700);
    assert.equal(asNobody(() => unreadable(`${state}/none`))?.errno, 'EACCES');
  });

  test('the number of tenants with a jail is unknown to pam status', () => {
    using staged = stage();
    const { paths } = staged;
    writeFileSync(`${paths.state}/jailed`, '1001\nann\n', { mode: 0o600 });
    const survey = () => surveyLogin(stepOf(paths), paths);
    assert.deepEqual(survey().jail, { tenants: 1 });
    for (const mode of [0o755, 0o700]) {
      chmodSync(paths.state, mode);
      const view = asNobody(survey);
      assert.deepEqual(view.jail, { tenants: 'unknown' });
      assert.match(loginNotes(view).join(), /Only root can read which tenants have jails/);
    }
  });

  test('jails and stopped tenants are unknown to doctor and to layers', async () => {
    using staged = stage();
    const { paths } = staged;
    const policy = policyOf('<tenant uid="1001"><jail profile="web"/></tenant>');
    const context = { paths, policy, driver: 'cgroup2' } as const;
    mkdirSync(jailPathsOf(paths).tenants, { recursive: true });
    mkdirSync(`${paths.state}/stopped`);
    const stopped = async () => (await asNobody(() => stopDoctor(context))).text;
    const jails = () => asNobody(() => jailLayers(context)).find(({ key }) => key === 'jails');
    assert.match(await stopped(), /^no tenant is stopped/);
    assert.equal(jails()?.state, 'open');
    chmodSync(jailPathsOf(paths).base, 0o700);
    chmodSync(`${paths.state}/stopped`, 0o700);
    assert.match(await stopped(), /^unknown: .*run it as root/);
    assert.equal(jails()?.state, 'unknown');
  });
});

test('an entry path whose jail is unknown is not reported as outside', () => {
  const report = {
    entryPath: 'FTP',
    programs: [],
    enforced: 'at login',
    reason: 'x',
    jail: { entered: false, unknown: true, reason: 'only root can read it' },
  } as const;
  assert.doesNotMatch(entryPathsLine([report]), /outside/);
  assert.match(entryPathsText([report]), /unknown/);
  assert.deepEqual(
    entryPathLayers([report]).map(({ state, reason }) => [state, reason]),
    [['unknown', 'at login; only root can read it']],
  );
});

test('settings of FTP daemons are unknown as far as they depend on which accounts have jails', () => {
  const unknown = () => 'unknown' as const;
  const vsftpd = (text: string) => vsftpdSetting('/etc/vsftpd.conf', text, unknown);
  assert.equal(vsftpd('session_support=YES\n').jailsUnknown, true);
  assert.equal(vsftpd('session_support=YES\nanonymous_enable=NO\n').jailsUnknown, undefined);
  const proftpd = (text: string) => proftpdSetting('/etc/proftpd.conf', text, unknown);
  const order = 'AuthOrder mod_auth_pam.c* mod_auth_unix.c\n';
  assert.equal(proftpd(order).jailsUnknown, undefined);
  assert.equal(proftpd(`${order}<Anonymous ~ftp>\nUser ftp\n</Anonymous>\n`).jailsUnknown, true);
  // Whoever has a jail, this one is outside.
  const withoutPam = proftpd('AuthPAM off\n<Anonymous ~ftp>\nUser ftp\n</Anonymous>\n');
  assert.equal(withoutPam.jailsUnknown, undefined);
  assert.match(withoutPam.outsideJails ?? '', /AuthPAM/);
  // It asks PAM, which refuses tenants with a jail; guests it does not ask.
  assert.equal(vsftpd('guest_enable=YES\nguest_username=ann\n').jailsUnknown, true);
  const open = proftpd(`${order}<Anonymous ~ftp>\nUser ftp\n</Anonymous>\n`);
  assert.deepEqual(jailFacts([open, withoutPam], true), {
    outsideJails: withoutPam.outsideJails,
    refusesJailed: false,
  });
  assert.deepEqual(jailFacts([open], true), { jailsUnknown: true });
});
