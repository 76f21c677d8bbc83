/** Names of builds of PHP: in units, files and the table of layouts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  distributionUnit,
  filledIn,
  layouts,
  phpBuild,
  phpUnits,
  settingsOf,
  socketsOf,
} from '../../../src/layouts/layouts.ts';
import { isPhpId, phpOfUnit, serviceStem } from '../../../src/layouts/service-names.ts';
import { isUnitOf } from '../../../src/stop/io/tenant-units.ts';
import { parseUnitName, unitStem } from '../../../src/web/core/fpm/service/units.ts';

/** Each build, and the unit that starts it. */
const builds = [
  ['8.4', 'php8.4-fpm.service'],
  ['el', 'php-fpm.service'],
  ['remi-php83', 'php83-php-fpm.service'],
  ['rh-php73', 'rh-php73-php-fpm.service'],
  ['ea-php83', 'ea-php83-php-fpm.service'],
  ['plesk-8.3', 'plesk-php83-fpm.service'],
  ['da-php83', 'php-fpm83.service'],
  ['alt-php83', 'alt-php83-fpm.service'],
] as const;

test('every layout of PHP has a build of its own name and unit', () => {
  assert.equal(layouts.flatMap(({ php }) => php ?? []).length, builds.length);
  for (const [id, unit] of builds) {
    assert.ok(isPhpId(id), id);
    const build = phpBuild(id);
    assert.ok(build, id);
    assert.equal(filledIn(build.layout.id, build.version), id);
    assert.equal(distributionUnit(id), unit);
    assert.match(unit.replace('.service', ''), phpUnits);
    assert.ok(settingsOf(id).every((each) => each.startsWith('/') && !each.includes('{')));
  }
  assert.doesNotMatch('php-fpm-exporter', phpUnits);
  for (const id of ['ea-php', 'ea-php83x', 'plesk-83', 'el9', '', '../8.4'])
    assert.equal(phpBuild(id), undefined, id);
});

test("a service's name has the build and the tenant, and Debian's is as it was", () => {
  const stems = builds.map(([id]) => serviceStem('bulkhead', id));
  assert.equal(new Set(stems).size, stems.length);
  assert.equal(stems[0], 'bulkhead-fpm84');
  for (const [php] of builds) {
    const named = { instance: 'bulkhead', php };
    const stem = unitStem(named);
    for (const rest of ['@1001.service', '@1001:shop.example.service', '@1001:shop.socket']) {
      const unit = `${stem}${rest}`;
      assert.match(unit, /^[A-Za-z0-9:_.@-]{1,255}$/);
      assert.deepEqual(phpOfUnit('bulkhead', unit), { php, uid: 1001 });
      assert.equal(parseUnitName(named, unit)?.uid, 1001, unit);
      assert.ok(isUnitOf({ uid: 1001, user: 'alice' }, 'bulkhead', unit), unit);
      assert.ok(!isUnitOf({ uid: 1002, user: 'bob' }, 'bulkhead', unit), unit);
    }
    for (const [other] of builds)
      if (other !== php)
        assert.equal(parseUnitName({ ...named, php: other }, `${stem}@1001.service`), undefined);
  }
  assert.equal(phpOfUnit('bulkhead', 'php8.4-fpm.service'), undefined);
  // A service of the instance "bulkhead-fpm-x" is none of the instance "bulkhead".
  for (const kind of [
    'bulkhead-fpm-x-fpm84',
    'bulkhead-fpm-x-fpm-el',
    'bulkhead-fpm-ea-php83-fpm84',
  ])
    for (const unit of [`${kind}@1001.service`, `${kind}@1001:www.socket`]) {
      assert.ok(!isUnitOf({ uid: 1001, user: 'alice' }, 'bulkhead', unit), unit);
      assert.equal(phpOfUnit('bulkhead', unit), undefined, unit);
    }
  assert.ok(
    isUnitOf({ uid: 1001, user: 'alice' }, 'bulkhead-fpm-x', 'bulkhead-fpm-x-fpm-el@1001.service'),
  );
  assert.equal(phpOfUnit('bulkhead', 'bulkhead-fpm-x@1001.service'), undefined);
  assert.equal(phpOfUnit('bulkhead', 'bulkhead-fpm84@alice.service'), undefined);
});

test('a name that could leave its directory is none', () => {
  for (const id of [
    '..',
    '../8.4',
    'a/b',
    'A',
    'a b',
    'a..b',
    '-a',
    'a-',
    'a@1',
    'a:b',
    '',
    '8.4.',
  ])
    assert.ok(!isPhpId(id), id);
});

test("Bulkhead's own sockets are in a directory that is there before the unit starts", () => {
  assert.deepEqual(
    builds.map(([id]) => socketsOf(id)),
    ['/run/php', ...builds.slice(1).map(() => '/run')],
  );
});
