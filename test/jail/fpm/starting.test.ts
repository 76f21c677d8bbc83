// The real php-fpm in a jail before it serves: its configuration is checked, and it starts inside or not at all.
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { parseFpmSections } from '../../../src/web/core/fpm/dump.ts';
import { serviceConfig } from '../../../src/web/core/fpm/service/config.ts';
import type { SplitService } from '../../../src/web/core/fpm/service/split.ts';
import { checkService } from '../../../src/web/io/fpm/check/check.ts';
import { fpmLayoutOf } from '../../../src/web/io/fpm/layout.ts';
import { pathsOf } from '../../../src/host/paths.ts';
import { fpm, FpmJailStage, skip } from './stage.ts';

const stage = new FpmJailStage('starting');
stage.register();

describe('php-fpm in a jail before it serves', { skip }, () => {
  test('does not start when the jail cannot be entered, and prints why', async () => {
    const path = `/run/${stage.instance}/jail/tenants/${stage.uids.alice}`;
    const text = readFileSync(path, 'utf8');
    const refused = async (state: string, reason: RegExp) => {
      writeFileSync(path, text.replace(/^state .*$/m, state));
      const child = stage.start();
      const [status] = (await once(child, 'exit')) as [number];
      assert.equal(status, 1, stage.errors);
      assert.match(stage.errors, reason);
    };
    await refused('state failed the home is a link', /could not be built: the home is a link/);
    await refused('state waiting', /is not built yet; run bulkhead apply/);
    writeFileSync(path, text);
    spawnSync('umount', [`/run/${stage.instance}/jail/vault`]);
    await refused('state ready', /Cannot copy .* into the jail of uid \d+, which is ready/);
    stage.mustApply();
    for (const how of ['root', 'slice-root']) {
      const [script, ...rest] = stage.words(how);
      const env = { LISTEN_FDNAMES: stage.socket };
      const ran = spawnSync(script, rest, { encoding: 'utf8', env });
      assert.equal(ran.status, 1);
      assert.match(ran.stderr, /the policy gives it a jail, and this unit starts it outside/);
    }
  });

  test('checks a configuration before it is used, and its directories inside the jail', async () => {
    assert.ok(fpm !== undefined);
    const paths = pathsOf(stage.instance);
    const layout = fpmLayoutOf(paths, fpm, true);
    const entry = { kind: 'launcher', instance: stage.instance, isJailed: true } as const;
    const check = async (text: string, more: Partial<SplitService> = {}) => {
      const scratch = `${stage.homes}/check`;
      rmSync(scratch, { recursive: true, force: true });
      mkdirSync(scratch);
      const service = { ...stage.serviceOf(text), pools: poolsOf(text), ...more };
      const made = serviceConfig(service, '8.4');
      const found = await checkService(layout, service, made, entry, {
        scratch,
        timeoutMs: 60_000,
      });
      return found?.reason;
    };
    assert.equal(await check(stage.pool()), undefined);
    assert.equal(await check(stage.pool(`chdir = ${stage.homes}/alice\n`)), undefined);
    assert.match(
      (await check(stage.pool('chdir = /srv/other\n'))) ?? '',
      /chdir path '\/srv\/other'/,
    );
    // It is there on the host, and everybody may enter it.
    assert.match(
      (await check(stage.pool(`chdir = ${stage.homes}/bob\n`))) ?? '',
      /chdir path '.*\/bob' cannot be entered by .*: No such file/,
    );
    assert.match((await check(stage.pool('listen.group = nogroupofthehost\n'))) ?? '', /./);
    assert.match(
      (await check(stage.pool(), { asRoot: 'pool alice has chroot' })) ?? '',
      /pool alice has chroot, .* in a jail that is not possible/,
    );
  });
});

/** Returns pools as php-fpm itself understands them. */
function poolsOf(text: string): SplitService['pools'] {
  const path = `${stage.homes}/dump.conf`;
  writeFileSync(path, text);
  const { stderr } = spawnSync(fpm?.program ?? '', ['-tt', '--fpm-config', path], {
    encoding: 'utf8',
  });
  const [section] = parseFpmSections(stderr);
  return [{ name: 'alice', ...(section && { section }) }] as unknown as SplitService['pools'];
}

test('bulkhead release leaves nothing of the instance', { skip }, async () => {
  await stage.stop();
  const { status, stderr } = stage.bulkhead('release', '--kill');
  assert.equal(status, 0, stderr);
  assert.ok(!readdirSync('/run').includes(stage.instance));
});
