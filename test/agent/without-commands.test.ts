/** The parts of evidence that each caller may see. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { alertMail } from '../../src/agent/alerts/message.ts';
import { withoutCommands } from '../../src/agent/responses/incidents.ts';
import { jailIncidents, tryEvidence } from '../../src/jail/core/jail-incidents.ts';
import { linkEvidence, linkIncidents } from '../../src/symlinks/core/guard/link-incidents.ts';
import { evidenceOf } from '../../src/usage/evidence.ts';
import type { Incident } from '../../src/usage/incident.ts';
import { IncidentKinds } from '../../src/usage/incident-kinds.ts';
import { metricKeys, type MetricKey } from '../../src/usage/metrics.ts';

test('withoutCommands() removes command lines and PHP requests', () => {
  const request = { method: 'GET', path: '/secret.php', script: '/srv/secret.php', seconds: 1 };
  const facts = { pid: 7, name: 'php-fpm8.4', state: 'R', threads: 1, memoryBytes: 1 };
  const usage = Object.fromEntries(metricKeys.map((key) => [key, 0])) as Record<MetricKey, number>;
  const processes = [{ ...facts, command: 'php-fpm: pool secret', request }];
  const shown = withoutCommands({ at: 1, processes, processCount: 1, usage }, new IncidentKinds());
  assert.deepEqual(shown.processes, [{ ...facts, command: '[php-fpm8.4]' }]);
  assert.doesNotMatch(JSON.stringify(shown), /secret/);
});

test('withoutCommands() removes evidence that only root and the tenant may see', () => {
  const usage = Object.fromEntries(metricKeys.map((key) => [key, 0])) as Record<MetricKey, number>;
  const snapshot = { at: 1, processes: [], processCount: 0, usage };
  const link = { at: 1, program: 'nginx', link: '/secret', target: '/secret', targetOwner: 'ben' };
  const evidence = evidenceOf(linkEvidence, [link]);
  const shown = withoutCommands({ ...snapshot, evidence }, new IncidentKinds([linkIncidents]));
  assert.deepEqual(shown.evidence?.items, [{ ...link, link: '', target: '' }]);
  const unknown = withoutCommands({ ...snapshot, evidence }, new IncidentKinds());
  assert.deepEqual(unknown.evidence?.items, []);
});

test('alertMail() shows evidence to administrators and tenants, not to resellers', () => {
  const usage = Object.fromEntries(metricKeys.map((key) => [key, 0])) as Record<MetricKey, number>;
  const tried = { at: 1, program: 'nosy', tried: 'tried to make a user namespace' };
  const evidence = evidenceOf(tryEvidence, [tried]);
  const incident: Incident = {
    id: 1,
    member: 'u1001',
    name: 'ann',
    limit: 'jail.isolation',
    severity: 'refused',
    inferred: false,
    begin: 1,
    end: 2,
    faults: 2,
    value: 'apart',
    from: '<jail> of the policy',
    snapshots: 1,
  };
  const mailTo = (to: 'administrator' | 'reseller' | 'tenant') => {
    const who = { member: 'u1001', uid: 1001, name: 'ann', account: 'ann' } as const;
    const alert = {
      keys: [],
      who: { ...who, reseller: 'acme', package: undefined },
      incident,
      evidence: () => [{ at: 1, processes: [], processCount: 0, usage, evidence }],
      everyMilliseconds: 60_000,
      at: 2,
    };
    const batch = { alerts: [alert], alarms: [], notices: [], id: '1', test: false };
    const kinds = new IncidentKinds([jailIncidents]);
    const receiver = { by: 'mail', to, address: 'x' } as const;
    return alertMail({ ...batch, receiver }, { kinds, host: 'web1', timeZone: 'UTC' });
  };
  for (const to of ['administrator', 'tenant'] as const)
    assert.match(mailTo(to).text.replaceAll('\n', ' '), /nosy tried to make a user namespace/);
  const { subject, text } = mailTo('reseller');
  assert.equal(subject, 'Bulkhead on web1: ann was refused twice what leads past its jail');
  assert.match(text, /Tried by nosy\./);
  assert.doesNotMatch(text, /tried to make/);
});
