/** PHP-FPM services of several builds of PHP, as files; no systemd is told. */
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { distributionProblem } from '../../../src/web/io/fpm/services/distribution.ts';
import { readFpm } from '../../../src/web/io/servers.ts';
import { FpmStage, fpm, skip, tenants } from './stage.ts';

const ids = [
  '8.4',
  'ea-php84',
  'plesk-8.4',
  'el',
  'remi-php84',
  'rh-php84',
  'da-php84',
  'alt-php84',
];
const uid = tenants.alice;

for (const id of ids)
  test(
    `the services of PHP ${id} have its name, and its unit reads the rest`,
    { skip },
    async () => {
      using stage = new FpmStage(id);
      stage.write('a', stage.pool('a', uid));
      stage.write('www', stage.pool('www', 33));
      const { units, refused, services } = await stage.divide();
      assert.deepEqual(refused, []);
      assert.equal(services.length, 1);
      const stem = id === '8.4' ? 'bulkhead-fpm84' : `bulkhead-fpm-${id}`;
      assert.deepEqual(units, [`${stem}@${uid}.service`, `${stem}@${uid}:a.socket`]);
      const { layout } = stage.context();
      assert.equal(layout.directory, `${stage.at}/etc/bulkhead/fpm/${id}`);
      const dropIn = readFileSync(layout.dropIn, 'utf8');
      assert.ok(
        dropIn.includes(`ExecStart=${fpm.program} --nodaemonize --fpm-config ${layout.main}\n`),
      );
      assert.match(
        dropIn,
        new RegExp(`bulkhead-fpm-sync bulkhead ${id.replace('.', '\\.')} start\n`),
      );
      const socket = readFileSync(`${layout.units}/${stem}@${uid}:a.socket`, 'utf8');
      assert.ok(socket.includes(`Service=${stem}@${uid}.service\n`));
      assert.match(readFileSync(layout.main, 'utf8'), /\[bulkhead-none\]/);
    },
  );

test(
  'a socket that another PHP has a pool for is refused there, and a service goes on and can change',
  { skip },
  async () => {
    using first = new FpmStage('ea-php84');
    using second = new FpmStage('el');
    first.write('a', first.pool('a', uid));
    const before = await first.divide();
    assert.equal(before.services.length, 1);
    second.write('a', first.pool('a', tenants.bob));
    first.others = [second.context().fpm];
    second.others = [first.context().fpm];
    const here = await first.divide();
    assert.deepEqual([here.units, here.refused], [before.units, []]);
    const there = await second.divide();
    assert.deepEqual(there.units, []);
    assert.match(
      there.split.kept[0]?.reason ?? '',
      /a pool of PHP ea-php84 listens at .*a\.sock, too/,
    );
    // The stale pool pins no other pool of the tenant's, either.
    first.write('b', first.pool('b', uid));
    assert.deepEqual((await first.divide()).refused, []);
    assert.ok((await first.divide()).units.some((each) => each.endsWith(':b.socket')));
    // A pool that has no service yet gets none while the other build has one there.
    first.write('c', first.pool('c', tenants.bob));
    second.write('c', first.pool('c', tenants.bob));
    const later = await first.divide();
    assert.match(later.split.kept[0]?.reason ?? '', /a pool of PHP el listens at .*c\.sock, too/);
    second.remove('c');
    const { split, units } = await first.divide();
    assert.deepEqual(split.kept, []);
    assert.ok(units.some((each) => each.endsWith(':c.socket')));
  },
);

test(
  'a build without pools has no problem, and a service ends with the last pool of its build',
  { skip },
  async () => {
    using stage = new FpmStage('plesk-8.4');
    assert.deepEqual((await readFpm(stage.context().fpm)).problems, []);
    stage.write('a', stage.pool('a', uid));
    assert.equal((await stage.divide()).units.length, 2);
    stage.remove('a');
    const empty = await stage.divide();
    assert.deepEqual([empty.units, empty.refused], [[], []]);
    assert.match(readFileSync(stage.context().layout.main, 'utf8'), /\[bulkhead-none\]/);
    // Nothing else is passed over.
    stage.write('a', 'nonsense\n');
    assert.equal((await readFpm(stage.context().fpm)).problems.length, 1);
    assert.ok(!(await stage.inputs()).ok);
  },
);

test('a plan for a unit that starts another program, or forks, is refused before anything is written', () => {
  const program = '/usr/sbin/php-fpm8.4';
  const unit = (type: string, path: string, state = 'loaded') =>
    new Map([
      ['LoadState', state],
      ['Type', type],
      ['ExecStart', `{ path=${path} ; argv[]=${path} --nodaemonize ; }`],
    ]);
  const reasonOf = (properties: ReadonlyMap<string, string>, isDivided = false) =>
    distributionProblem({ php: '8.4', program }, properties, isDivided)?.reason;
  assert.equal(reasonOf(unit('notify', program)), undefined);
  assert.match(reasonOf(unit('forking', program)) ?? '', /Type=forking/);
  assert.match(reasonOf(unit('notify', '/bin/true')) ?? '', /starts \/bin\/true/);
  assert.equal(reasonOf(unit('notify', '/bin/true'), true), undefined);
  assert.equal(reasonOf(unit('notify', program, 'not-found')), 'systemd does not have it');
});
