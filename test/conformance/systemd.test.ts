/** The conformance suite with tenants in systemd's slices, where systemd runs: in the virtual machine. */
import { releaseAll } from '../../src/apply/apply.ts';
import { printProblem } from '../../src/base/problem.ts';
import { linuxHost, type Host } from '../../src/host/host.ts';
import { pathsOf } from '../../src/host/paths.ts';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { conformance } from './suite.ts';

const paths = pathsOf('bulkhead-systemd-test');
const real = linuxHost(paths);
const host: Host = { paths, probe: (asked = 'systemd') => real.probe(asked) };
const driver = host.probe();

if (driver.ok) {
  // What a run that was killed has left.
  assert.deepEqual(releaseAll(host, { kill: true }), { ok: true, value: undefined });
  conformance('slices of systemd', () => host);
} else {
  test('slices of systemd', { skip: printProblem(driver.error) }, () => {});
}
