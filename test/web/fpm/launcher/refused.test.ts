/** bulkhead-fpm without a jail starts nothing of tenants that are stopped, or that have or had a jail. */
import '../../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { chmodSync, chownSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { suite, test } from 'node:test';
import { type Mode, instance, launch, modes, skip, uid, useTenant } from './stage.ts';

suite('bulkhead-fpm of a tenant that may not start', { skip }, () => {
  useTenant();

  test('does not start php-fpm of a stopped tenant', () => {
    mkdirSync(`/var/lib/${instance}/stopped`, { recursive: true });
    writeFileSync(`/var/lib/${instance}/stopped/${uid}`, '{}');
    for (const mode of modes) {
      const { status, stdout, stderr } = launch(mode, 'echo ran');
      assert.deepEqual([status, stdout], [1, ''], mode);
      assert.match(stderr, new RegExp(`uid ${uid}: it is stopped; bulkhead start ${uid}`));
    }
    rmSync(`/var/lib/${instance}/stopped/${uid}`);
    assert.equal(launch('slice-root', 'true').status, 0);
  });

  test('starts nobody in a slice who had a jail before the machine was started', () => {
    const list = `/var/lib/${instance}/jailed`;
    mkdirSync(`/var/lib/${instance}`, { recursive: true });
    const refuse = (reason: RegExp) => {
      for (const mode of ['slice', 'slice-root'] as const) {
        const { status, stdout, stderr } = launch(mode, 'echo ran');
        assert.deepEqual([status, stdout], [1, ''], mode);
        assert.match(stderr, reason, mode);
      }
    };
    writeFileSync(list, `${uid}\n`);
    refuse(/its jail is not there any more, or not yet; run bulkhead apply/);
    chmodSync(list, 0o666);
    refuse(/whether it has a jail cannot be read: others than root can change it/);
    chmodSync(list, 0o644);
    writeFileSync(list, `${uid + 1}\n`);
    assert.equal(launch('slice-root', 'true').status, 0);
    rmSync(list);
    assert.equal(launch('slice-root', 'true').status, 0);
  });

  test('starts nothing when a state file of a jail is not what Bulkhead wrote', () => {
    const directory = `/run/${instance}/jail/tenants`;
    mkdirSync(directory, { recursive: true });
    const file = `${directory}/${uid}`;
    const whole = 'jail 1\nprofile web\nstate ready\nfilter no\nlandlock no\nend\n';
    const refuse = (reason: RegExp) => {
      for (const mode of [...modes, 'copy'] as readonly Mode[]) {
        const { status, stdout, stderr } = launch(mode, 'echo ran');
        assert.deepEqual([status, stdout], [1, ''], mode);
        assert.match(stderr, reason, mode);
      }
      rmSync(file, { force: true, recursive: true });
    };
    const reasons = { cut: /it is cut off/, others: /others than root can change it/ } as const;
    writeFileSync(file, '');
    refuse(reasons.cut);
    writeFileSync(file, whole.slice(0, -4));
    refuse(reasons.cut);
    writeFileSync(`${directory}/other`, whole);
    symlinkSync('other', file);
    refuse(/a link is in its place/);
    writeFileSync(file, whole);
    chmodSync(file, 0o666);
    refuse(reasons.others);
    writeFileSync(file, whole);
    chownSync(file, uid, uid);
    refuse(reasons.others);
    mkdirSync(file);
    refuse(reasons.others);
    chmodSync(directory, 0o777);
    writeFileSync(file, whole);
    refuse(reasons.others);
    chmodSync(directory, 0o755);
    assert.equal(launch('tenant', 'true').status, 0);
    assert.equal(launch('copy' as Mode, 'true').status, 0);
  });
});
