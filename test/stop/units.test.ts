/** `stop` finds the systemd units of a tenant by name. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isUnitOfStopped } from '../../src/host/stops.ts';
import { isUnitOf } from '../../src/stop/io/tenant-units.ts';

test('isUnitOf() accepts only units of the tenant', () => {
  const stop = { uid: 1004, user: 'erin' };
  for (const unit of [
    'bulkhead-fpm84@1004.service',
    'bulkhead-fpm84@1004:shop.socket',
    'bulkhead-fpm84@1004:shop.example.service',
    'bulkhead-cgi@erin.socket',
    'bulkhead-cgi@1004.service',
  ])
    assert.ok(isUnitOf(stop, 'bulkhead', unit), unit);
  for (const unit of [
    'bulkhead-fpm84@10041.service',
    'bulkhead-fpm84@100.service',
    'bulkhead-fpm84@1001:1004.socket',
    'bulkhead-cgi@erin2.socket',
    'bulkhead-broker@1004.service',
    'user@1004.service',
    'other-fpm84@1004.service',
    'php8.4-fpm.service',
  ])
    assert.ok(!isUnitOf(stop, 'bulkhead', unit), unit);
  assert.ok(!isUnitOf({ uid: 1004, user: '' }, 'bulkhead', 'bulkhead-cgi@.service'));
});

test('isUnitOfStopped() accepts only units of stopped tenants', () => {
  const stop = { uid: 1004, user: 'erin', by: 'root', at: 0, frozen: true, units: [] };
  const stops = new Map([[1004, stop]]);
  for (const [unit, expected] of [
    ['bulkhead-fpm84@1004.service', true],
    ['bulkhead-fpm84@1004:shop.example.service', true],
    ['bulkhead-fpm84@1001:1004.socket', false],
    ['bulkhead-fpm84@10041.service', false],
    ['php8.4-fpm.service', false],
  ] as const)
    assert.equal(isUnitOfStopped(stops, unit), expected, unit);
});
