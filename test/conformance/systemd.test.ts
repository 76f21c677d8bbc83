/** The conformance suite with tenants in systemd's slices, the default where systemd runs: in the virtual machine. */
import { releaseAll } from '../../src/apply/apply.ts';
import { formatProblem } from '../../packages/base/problem.ts';
import { linuxHost } from '../../src/host/host.ts';
import { pathsOf } from '../../src/host/paths.ts';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { conformance } from './suite.ts';

const host = linuxHost(pathsOf('bulkhead-systemd-test'));
const possible = host.probe('systemd');

if (possible.ok) {
  // Removes what a killed run has left.
  assert.deepEqual(releaseAll(host, { kill: true }), { ok: true, value: undefined });
  const usual = host.probe();
  assert.equal(usual.ok && usual.value.capabilities.driver, 'systemd');
  conformance('systemd slices', () => host);
} else {
  test('systemd slices', { skip: formatProblem(possible.error) }, () => {});
}
