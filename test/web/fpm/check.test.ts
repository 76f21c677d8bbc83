/**
 * The verdicts of the real php-fpm on configurations that a split makes from others; none is
 * started.
 */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { serviceConfig } from '../../../src/web/core/fpm/service/config.ts';
import { splitPools, type SplitFacts } from '../../../src/web/core/fpm/service/split.ts';
import { checkService } from '../../../src/web/io/fpm/check/check.ts';
import { dumpAccepted } from '../../../src/web/io/fpm/check/left-out.ts';
import type { FpmInputs } from '../../../src/web/io/fpm/inputs.ts';
import { compileFpm } from '../../../scripts/entry.ts';
import { fpm, FpmStage, skip, tenants } from './stage.ts';

if (skip === false) compileFpm();

const uid = tenants.alice;
const facts: SplitFacts = {
  tenantOf: (user) =>
    user === String(uid)
      ? { uid, gid: uid, user: 'alice', hasOwnGroup: true, entries: 5 }
      : undefined,
  isChosen: () => true,
  gidOf: Number,
  unsafeFile: () => undefined,
  unsafeDirectory: () => undefined,
  isPinned: () => false,
  siteOf: () => undefined,
};

async function inputsOf(stage: FpmStage): Promise<FpmInputs> {
  const inputs = await stage.inputs();
  assert.ok(inputs.ok, inputs.ok ? '' : inputs.error.reason);
  return inputs.value;
}

test(
  'splitPools() keeps every pool with every value, once, as the real php-fpm reads them',
  { skip },
  async () => {
    using stage = new FpmStage();
    stage.write(
      'a',
      stage.pool('a', uid, 'env[SECRET] = "x"\nphp_admin_value[memory_limit] = 64M\n'),
    );
    stage.write('b', stage.pool('b', uid));
    stage.write('www', stage.pool('www', 64_439));
    const { main, includes, files, sections } = await inputsOf(stage);
    const split = splitPools(sections, files, facts);
    const [service] = split.services;
    assert.ok(service);
    assert.deepEqual(
      service.pools.map(({ name }) => name),
      ['a', 'b'],
    );
    const context = stage.context();
    const rest = { main, includes, files: split.keptFiles };
    const run = stage.check();
    const kept = await dumpAccepted(context, rest, run, new Map());
    assert.ok(kept.ok);
    assert.deepEqual(
      kept.value.sections,
      sections.filter(({ name }) => name === 'www'),
    );
    const none = { main, includes, files: [] };
    // One run checks the pools that it reads and those that it leaves, in the same directory.
    const empty = await dumpAccepted(context, none, run, new Map());
    assert.ok(empty.ok, empty.ok ? '' : empty.error.message);

    const check = async (text: string) => {
      const { scratch } = stage.check();
      const entry = context.entryOf(service);
      const found = await checkService(context.layout, service, text, entry, {
        scratch,
        timeoutMs: 100_000,
      });
      return found?.reason;
    };
    const text = serviceConfig(service, fpm.php);
    assert.equal(await check(text), undefined);
    assert.match(
      (await check(text.replace('64M', '65M'))) ?? '',
      /understands the pool a in another way/,
    );
    assert.match(
      (await check(text.replace('[b]', '[c]'))) ?? '',
      /understands the pool b in another way/,
    );
    assert.match(
      (await check(text.replace('pm = ondemand', 'pm = never'))) ?? '',
      /pools\/a\.conf:\d+: /,
    );
  },
);

test('web fpm refuses a chdir that the tenant cannot enter', { skip }, async () => {
  using stage = new FpmStage();
  mkdirSync(`${stage.at}/closed`, { mode: 0o700 });
  mkdirSync(`${stage.home(uid)}/mine`, { mode: 0o700 });
  stage.write('a', stage.pool('a', uid, `chdir = ${stage.at}/closed\n`));
  const [first] = (await stage.divide()).refused;
  assert.match(
    first?.reason ?? '',
    /pools\/a\.conf:1: \[pool a\] the chdir path '.*\/closed' cannot be entered by alice: Permission denied/,
  );
  stage.write('a', stage.pool('a', uid, `chdir = ${stage.home(uid)}\n`));
  assert.deepEqual((await stage.divide()).refused, []);
});

test(
  'readFpmInputs() reports the file and line of an entry that php-fpm refuses',
  { skip },
  async () => {
    using stage = new FpmStage();
    stage.write('a', stage.pool('a', uid));
    stage.write('b', `${stage.pool('b', 0)}nothing = 1\n`);
    const inputs = await stage.inputs();
    assert.ok(!inputs.ok);
    assert.match(inputs.error.reason, /pools\/b\.conf:\d+: unknown entry 'nothing'/);
  },
);

test(
  'readFpmInputs() refuses a file that is included twice, or by a relative path',
  { skip },
  async () => {
    using stage = new FpmStage();
    stage.write('a', stage.pool('a', uid));
    const pools = `${stage.at}/pools`;
    writeFileSync(stage.main, `[global]\ninclude=${pools}/*.conf\ninclude=${pools}/a.conf\n`);
    const twice = await stage.inputs();
    assert.match(twice.ok ? '' : twice.error.reason, /a\.conf twice/);
    writeFileSync(stage.main, '[global]\ninclude=pools/*.conf\n');
    const relative = await stage.inputs();
    assert.match(relative.ok ? '' : relative.error.reason, /not an absolute path/);
  },
);
