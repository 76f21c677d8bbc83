/** What the real php-fpm says of configurations that a split makes of others; none is started. */
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { serviceConfig } from '../../../src/web/core/fpm/service/config.ts';
import { mainFile } from '../../../src/web/core/fpm/service/main-file.ts';
import { splitPools, type SplitFacts } from '../../../src/web/core/fpm/service/split.ts';
import { checkMain, checkService } from '../../../src/web/io/fpm/check.ts';
import { readFpmInputs, type FpmInputs } from '../../../src/web/io/fpm/inputs.ts';
import { layoutOf } from '../../../src/web/io/fpm/layout.ts';
import { findWebPrograms } from '../../../src/web/io/servers.ts';
import { pathsOf } from '../../../src/host/paths.ts';

const found = findWebPrograms().fpm[0];
const isRoot = process.getuid?.() === 0;
const skip = found === undefined ? 'php-fpm is not installed' : isRoot ? false : 'needs root';
const scratch = mkdtempSync(join(tmpdir(), 'bulkhead-fpm-check-'));
after(() => rmSync(scratch, { recursive: true }));

const uid = 64_430;
const facts: SplitFacts = {
  tenantOf: (user) =>
    user === String(uid)
      ? { uid, gid: uid, user: 'tenant', hasOwnGroup: true, entries: 5 }
      : undefined,
  isChosen: () => true,
  gidOf: Number,
  unsafeFile: () => undefined,
  unsafeDirectory: () => undefined,
  isPinned: () => false,
  siteOf: () => undefined,
};
let count = 0;

const pool = (name: string, user: string | number, more = '') =>
  `[${name}]\nuser = ${user}\ngroup = ${user}\nlisten = ${scratch}/${name}.sock\npm = ondemand\npm.max_children = 3\n${more}`;

/** A main file of its own with these pool files. */
function directory(pools: Readonly<Record<string, string>>): string {
  const at = join(scratch, String(++count));
  mkdirSync(`${at}/pools`, { recursive: true });
  mkdirSync(`${at}/check`);
  chmodSync(at, 0o755);
  for (const [name, text] of Object.entries(pools)) writeFileSync(`${at}/pools/${name}`, text);
  writeFileSync(
    `${at}/php-fpm.conf`,
    `[global]\nerror_log = ${at}/log\ninclude=${at}/pools/*.conf\n`,
  );
  return at;
}

const fpmAt = (at: string) => ({ ...found!, configuration: `${at}/php-fpm.conf` });

async function inputsAt(at: string): Promise<FpmInputs> {
  const inputs = await readFpmInputs(fpmAt(at));
  assert.ok(inputs.ok, inputs.ok ? '' : inputs.error.reason);
  return inputs.value;
}

test('a split has every pool of before, with every value, once', { skip }, async () => {
  const at = directory({
    'a.conf': pool('a', uid, 'env[SECRET] = "x"\nphp_admin_value[memory_limit] = 64M\n'),
    'b.conf': pool('b', uid),
    'www.conf': pool('www', 64_431),
  });
  const { main, includes, files, sections } = await inputsAt(at);
  const split = splitPools(sections, files, facts);
  const [service] = split.services;
  assert.ok(service);
  assert.deepEqual(
    service.pools.map(({ name }) => name),
    ['a', 'b'],
  );
  const layout = layoutOf(pathsOf('bulkhead-fpm-check'), fpmAt(at), true);
  const links = `${at}/check/pools`;
  const made = mainFile(main, includes, split.keptFiles, links, `${at}/none.sock`);
  const paths = new Map([...made.links].map(([name, to]) => [`${links}/${name}`, to]));
  const stay = sections.filter(({ name }) => name === 'www');
  assert.equal(await checkMain(layout, made.text, paths, stay, `${at}/check`), undefined);
  rmSync(`${at}/check`, { recursive: true });
  mkdirSync(`${at}/check`);
  assert.match(
    (await checkMain(layout, made.text, paths, sections, `${at}/check`)) ?? '',
    /finds 2 pools/,
  );

  const entry = { kind: 'launcher', instance: 'bulkhead-fpm-check', isJailed: false } as const;
  const asRoot = { ...service, asRoot: 'there is no cgroup here' };
  const check = (text: string) => {
    rmSync(`${at}/check/${uid}.conf`, { force: true });
    return checkService(layout, asRoot, text, entry, `${at}/check`);
  };
  const text = serviceConfig(service, found!.php);
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
});

test('what php-fpm does not accept is told with its place', { skip }, async () => {
  const at = directory({ 'a.conf': pool('a', uid), 'b.conf': `${pool('b', uid)}nothing = 1\n` });
  const inputs = await readFpmInputs(fpmAt(at));
  assert.ok(!inputs.ok);
  assert.match(inputs.error.reason, /pools\/b\.conf:\d+: unknown entry 'nothing'/);
});

test('a file that is included twice, or by a relative path, is left alone', { skip }, async () => {
  const at = directory({ 'a.conf': pool('a', uid) });
  writeFileSync(
    `${at}/php-fpm.conf`,
    `[global]\ninclude=${at}/pools/*.conf\ninclude=${at}/pools/a.conf\n`,
  );
  const twice = await readFpmInputs(fpmAt(at));
  assert.match(twice.ok ? '' : twice.error.reason, /a\.conf twice/);
});
