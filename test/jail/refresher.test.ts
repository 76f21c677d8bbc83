import assert from 'node:assert/strict';
import { linkSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Log } from '../../src/agent/log.ts';
import { JailRefresher } from '../../src/jail/io/jail-refresher.ts';
import { failed, type Problem } from '../../packages/base/problem.ts';
import { ok, type Result } from '../../packages/base/result.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import { resolvePolicy } from '../../src/policy/resolve.ts';
import { temporaryDirectory } from '../../testing/temporary-directory.ts';

function policyOf(body: string) {
  const { document } = parsePolicy('p.xml', `<bulkhead version="1">${body}</bulkhead>`);
  assert.ok(document);
  return resolvePolicy(document, { accounts: [], uidMin: 1000 });
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

test('JailRefresher builds on a change, at most once a minute, and reports a failure once', async () => {
  using scratch = temporaryDirectory('jail-refresher');
  const root = scratch.path;
  for (const each of ['etc', 'run/jail/tenants', 'lib', 'proc']) {
    mkdirSync(join(root, each), { recursive: true });
  }
  const paths = {
    instance: 'x',
    proc: join(root, 'proc'),
    sys: join(root, 'sys'),
    etc: join(root, 'etc'),
    runtime: join(root, 'run'),
    state: join(root, 'lib'),
    cache: join(root, 'cache'),
  };
  let built = 0;
  let now = 0;
  const errors: unknown[] = [];
  const log = { error: (text: unknown) => errors.push(text) } as unknown as Log;
  let answer: Result<void, Problem> = ok(undefined);
  const build = async () => {
    built++;
    return answer;
  };
  const refresher = new JailRefresher(paths, log, build, () => now);
  const tick = async (milliseconds: number) => {
    now += milliseconds;
    refresher.afterTick();
    await turn();
    return built;
  };
  assert.equal(await tick(0), 0, 'without a policy');
  refresher.adopt(policyOf('<tenant uid="5001"><jail profile="web"/></tenant>'));
  assert.equal(await tick(0), 1);
  const stateFile =
    'jail 1\nprofile web\nstate ready\nfilter yes\ncommands sendmail crontab\nnamespace 4026532000\nprint x\nend\n';
  writeFileSync(join(paths.runtime, 'jail/tenants/5001'), stateFile);
  assert.equal(await tick(60_000), 1, 'nothing has changed');
  writeFileSync(join(paths.etc, 'resolv.conf'), 'nameserver 192.0.2.1\n');
  assert.equal(await tick(30_000), 1, 'too early');
  assert.equal(await tick(30_000), 2);
  writeFileSync(join(paths.runtime, 'jail/tenants/5001'), stateFile.replace('ready', 'failed why'));
  answer = failed({ action: 'mount the home of', object: 'a', reason: 'it is a link' });
  assert.equal(await tick(60_000), 3);
  assert.equal(await tick(540_000), 3, 'the same is not tried again at once');
  assert.equal(await tick(60_000), 4, 'after ten minutes');
  assert.deepEqual(errors, ['Cannot mount the home of "a": it is a link']);
  const alarms = refresher.takeAlarms();
  assert.deepEqual(
    alarms.map(({ about }) => about),
    ['jails', 'jails'],
  );
  assert.match(alarms[0]?.text ?? '', /Cannot mount the home of "a": it is a link/);
  assert.deepEqual(refresher.takeAlarms(), []);
  // This is process 1's view: a file that differs from the one below it is a pin.
  const jail = join(root, 'proc/1/root', paths.runtime, 'jail');
  mkdirSync(jail, { recursive: true });
  answer = ok(undefined);
  writeFileSync(join(paths.runtime, 'jail/tenants/5001'), stateFile);
  for (const name of ['vault', 'below']) writeFileSync(join(jail, name), '');
  await tick(60_000);
  const before = built;
  assert.equal(await tick(60_000), before, 'it is there');
  rmSync(join(jail, 'vault'));
  linkSync(join(jail, 'below'), join(jail, 'vault'));
  assert.equal(await tick(60_000), before + 1);
  assert.match(refresher.takeAlarms()[0]?.title ?? '', /^the way into jails was removed$/);
  assert.equal(await tick(60_000), before + 1, 'once');
});

test('JailRefresher does nothing when no tenant has a jail and none is left', async () => {
  let built = 0;
  const build = async () => {
    built++;
    return ok(undefined);
  };
  const paths = {
    instance: 'x',
    proc: '/proc',
    sys: '/sys',
    etc: '/etc',
    runtime: '/nowhere',
    state: '/nowhere',
    cache: '/nowhere',
  };
  const refresher = new JailRefresher(paths, { error: () => {} } as unknown as Log, build);
  refresher.adopt(policyOf('<tenant uid="5001"/>'));
  refresher.afterTick();
  await turn();
  assert.equal(built, 0);
});
