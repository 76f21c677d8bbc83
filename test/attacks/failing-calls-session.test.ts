/** Each system call of a login made to fail in turn: a tenant's session is opened in its jail, or not at all. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { after, before, suite, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { compilePam } from '../../scripts/entry.ts';
import { addJailed, jailedFile } from '../../src/host/cgroups/launch-jailed.ts';
import { pathsOf } from '../../src/host/paths.ts';
import { profilesOf, sessionLines } from '../../src/pam/core/profiles.ts';
import { patienceMilliseconds } from '../../testing/patience.ts';
import { ensurePrerequisites } from '../../testing/prerequisites.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';
import { compileSessionOpener } from '../jail/session-opener.ts';
import { JailStage, reasonToSkip } from '../jail/stage.ts';
import { systemCalls } from './system-calls.ts';

const ready = await ensurePrerequisites('pam', (line) => console.log(`# ${line}`));
const skip = reasonToSkip() || (ready.ok ? false : ready.reason);
/** Accounts that every Debian has, and that nobody logs in as. */
const [tenant, uid, other] = ['nobody', 65_534, 'games'] as const;

suite('pam_bulkhead.so with failing system calls', { skip }, () => {
  const scratch = suiteDirectory('failing-session', '/var/tmp', 0o755);
  let stage: JailStage;
  let hostMounts = '';

  before(async () => {
    stage = new JailStage('failing-session');
    await stage.release();
    const paths = pathsOf(stage.instance);
    const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));
    execFileSync('gcc', ['-O2', '-static', '-o', `${scratch}/failing`, here('old-kernel.c')]);
    compileSessionOpener(scratch);
    fs.mkdirSync(`${scratch}/pam.d`);
    const { instance } = stage;
    const step = { module: compilePam(), instance, jailed: jailedFile(paths.state) };
    const lines = profilesOf(step, false).flatMap(sessionLines);
    const text = ['session required pam_permit.so', ...lines, ''].join('\n');
    for (const name of ['login', 'other']) fs.writeFileSync(`${scratch}/pam.d/${name}`, text);
    assert.ok(addJailed(paths, [{ uid, user: tenant }]).ok);
    const { account, ...rest } = stage.tenant(uid, {});
    const built = await stage.build({ ...rest, account: account && { ...account, user: tenant } });
    assert.deepEqual(built.problems, []);
    hostMounts = fs.readFileSync('/proc/self/mountinfo', 'utf8').split('\n')[0] ?? '';
  });
  after(() => stage[Symbol.asyncDispose]());

  /** Returns the output of a command in the session, or undefined if none was opened. */
  function openedWithout(call: number, user: string): string | undefined {
    const files = ['status', 'mountinfo'].map((each) => `/proc/self/${each}`);
    const words = [`${scratch}/pam.d`, 'login', user, '/bin/cat', ...files];
    const ran = spawnSync(`${scratch}/failing`, [`=${call}`, `${scratch}/session`, ...words], {
      encoding: 'utf8',
      timeout: patienceMilliseconds,
    });
    return ran.stdout.includes('Uid:') ? ran.stdout : undefined;
  }

  test('a session of a tenant with a jail is opened inside, whichever call fails', () => {
    let opened = 0;
    for (const call of systemCalls) {
      const text = openedWithout(call, tenant);
      if (text === undefined) continue;
      opened++;
      const label = `call ${call}:\n${text}`;
      assert.equal(text.includes(hostMounts), false, label);
      for (const set of ['Inh', 'Prm', 'Eff', 'Bnd', 'Amb'])
        assert.match(text, new RegExp(`^Cap${set}:\\t0+$`, 'm'), label);
      assert.match(text, /^NoNewPrivs:\t1$/m, label);
      assert.match(text, /^Seccomp:\t2$/m, label);
    }
    assert.ok(opened > 200, `${opened}`);
  });

  test('a session of another account is opened whenever it would be without the module', () => {
    // The calls of the program itself, of libpam and of the C library have to succeed.
    const needed = systemCalls.filter((call) => openedWithout(call, other) === undefined);
    fs.writeFileSync(`${scratch}/pam.d/login`, 'session required pam_permit.so\n');
    const plain = systemCalls.filter((call) => openedWithout(call, other) === undefined);
    assert.deepEqual(needed, plain);
  });
});
