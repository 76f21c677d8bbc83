/** The placing part of the PAM module refuses sessions of tenants that are stopped. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { patienceMilliseconds } from '../../testing/patience.ts';
import {
  assertOutcome,
  configuration,
  elsewhere,
  everywhere,
  open,
  opener,
  refused,
  runtime,
  scratch,
  skip,
  uid,
  user,
  useTenant,
  whileStopped,
} from './step-stage.ts';

describe('pam_bulkhead.so place with stopped tenants', { skip }, () => {
  useTenant();

  test('acts by the effective uid, while su still has the real one of its caller', async () => {
    const around = ['setpriv', '--ruid', `${uid + 2}`];
    fs.chmodSync(runtime, 0o700);
    await whileStopped(uid + 1, async () =>
      assertOutcome(await open(user, 'login', around), everywhere),
    );
    await whileStopped(uid, async () => assertOutcome(await open(user, 'login', around), refused));
    fs.chmodSync(runtime, 0o755);
  });

  test('ends the connection of a stopped tenant, which sshd would keep', async () => {
    const sshd = join(scratch, 'sshd-session');
    fs.copyFileSync(opener, sshd);
    fs.chmodSync(sshd, 0o755);
    await whileStopped(uid, async () => {
      const words = [configuration, 'login', user, '/bin/true'];
      const child = spawn(sshd, words, { stdio: 'ignore', timeout: patienceMilliseconds });
      const [, signal] = (await once(child, 'close')) as [number | null, string | null];
      assert.equal(signal, 'SIGKILL');
    });
  });

  test('opens no session for a stopped tenant, and for others as before', async () => {
    await whileStopped(uid, async () => {
      const session = await open();
      assertOutcome(session, refused);
      assert.match(session.log, /no session for nobody, who is stopped; bulkhead start nobody/);
      assert.match(session.log, /to the user: No session can be opened .*: it is stopped/);
      for (const account of ['root', 'daemon']) assertOutcome(await open(account), elsewhere);
      // Since the machine was started nobody has applied a policy.
      fs.renameSync(`${runtime}/launch`, `${runtime}/launch.aside`);
      assertOutcome(await open(), refused);
      fs.renameSync(`${runtime}/launch.aside`, `${runtime}/launch`);
    });
    await whileStopped(uid + 1, async () => assertOutcome(await open(), everywhere));
  });
});
