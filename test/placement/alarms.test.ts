/** Alarms about strict placement, and the parts of the agent and of the commands that need no kernel. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import type { Log } from '../../src/agent/log.ts';
import { pathsOf, type Paths } from '../../src/host/paths.ts';
import { strictDoctor } from '../../src/placement/commands/doctor.ts';
import { undoStrict } from '../../src/placement/commands/undo.ts';
import {
  alarmOfState,
  alarmOfTenants,
  placementAlarm,
} from '../../src/placement/core/strict-alarms.ts';
import type { KnownEvent } from '../../src/placement/core/event-text.ts';
import { placementReleaseBlocker } from '../../src/placement/io/reconcile.ts';
import { placementSelfTestProblem } from '../../src/placement/io/self-test.ts';
import { policyNotEnforced } from '../../src/placement/io/rule-of-policy.ts';
import {
  keptStrictEvents,
  notEnforced,
  placementGuard,
  strictState,
  takeStrictEvents,
} from '../../src/placement/io/strict.ts';
import { strictPart } from '../../src/placement/io/strict-part.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import { resolvePolicy } from '../../src/policy/resolve.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';

suite('alarmOfState()', () => {
  const title = (...[wanted, now]: Parameters<typeof alarmOfState>) =>
    alarmOfState(wanted, now)?.title;

  test('raises no alarm when the kernel enforces what the policy demands, or more', () => {
    assert.equal(alarmOfState(undefined, undefined), undefined);
    assert.equal(alarmOfState({}, undefined), undefined);
    assert.equal(alarmOfState({ placement: 'on' }, { placement: 'on', modules: null }), undefined);
    assert.equal(alarmOfState({ placement: 'watch' }, { placement: 'on' }), undefined);
    assert.equal(alarmOfState({ placement: 'watch' }, { placement: 'watch' }), undefined);
    assert.equal(alarmOfState(undefined, { placement: 'on', modules: 'on' }), undefined);
  });

  test('raises an alarm when nothing is loaded, or the kernel refuses nothing', () => {
    assert.equal(title({ placement: 'on' }, undefined), 'strict placement is not in force');
    assert.equal(
      title({ placement: 'watch' }, { placement: null }),
      'strict placement is not in force',
    );
    assert.equal(
      title({ placement: 'on' }, { placement: 'watch' }),
      'strict placement is not in force',
    );
  });

  test('names modules in the title only when placement is as it should be', () => {
    assert.equal(
      title({ placement: 'on', modules: 'on' }, { placement: 'on', modules: 'watch' }),
      'the refusal of kernel modules to tenants is not in force',
    );
    const both = alarmOfState({ placement: 'on', modules: 'on' }, undefined);
    assert.equal(both?.title, 'strict placement is not in force');
    assert.match(
      both?.text ?? '',
      /strict placement is "off", not "on"; the refusal of kernel modules to tenants is "off", not "on"\. .*bulkhead apply/,
    );
  });
});

suite('alarmOfTenants()', () => {
  test('raises no alarm for no tenants, and counts the tenants that the kernel lacks', () => {
    assert.equal(alarmOfTenants([]), undefined);
    assert.equal(alarmOfTenants([1001])?.title, 'strict placement is not in force for 1 tenant');
    const seven = alarmOfTenants([1, 2, 3, 4, 5, 6, 7]);
    assert.equal(seven?.title, 'strict placement is not in force for 7 tenants');
    assert.match(seven?.text ?? '', /for uid 1, 2, 3, 4, 5 and 2 more, as the policy says/);
  });
});

const event: KnownEvent = {
  pid: 12,
  parent: 11,
  from: 0,
  to: 1001,
  tenant: 1001,
  what: 'uid',
  passed: false,
  command: 'cron',
  name: '',
  unit: 'cron.service',
};

suite('placementAlarm()', () => {
  test('raises no alarm for attempts that were only logged', () => {
    assert.deepEqual(placementAlarm([]), []);
    assert.deepEqual(placementAlarm([{ ...event, passed: true }]), []);
  });

  test('counts refused attempts, and shows the last one with its account or uid', () => {
    const [alarm, ...more] = placementAlarm([
      { ...event, command: 'su' },
      { ...event, account: 'alice' },
      { ...event, command: 'at', passed: true },
    ]);
    assert.deepEqual(more, []);
    assert.equal(alarm?.title, 'strict placement refused cron of alice');
    assert.equal(alarm?.count, 2);
    assert.match(alarm?.text ?? '', /^The kernel refused 2 attempts .* refused uid 1001 \(alice\)/);
    assert.equal(placementAlarm([event])[0]?.title, 'strict placement refused cron of uid 1001');
    assert.match(placementAlarm([event])[0]?.text ?? '', /refused 1 attempt by/);
  });
});

suite('a host on which nothing was ever loaded', () => {
  const root = suiteDirectory('placement-alarms');
  const paths: Paths = {
    ...pathsOf(),
    proc: join(root, 'proc'),
    sys: join(root, 'sys'),
    etc: join(root, 'etc'),
    state: join(root, 'state'),
    runtime: join(root, 'run'),
  };
  const policyOf = (body: string) => {
    const { document } = parsePolicy('p.xml', `<bulkhead version="1">${body}</bulkhead>`);
    assert.ok(document);
    return resolvePolicy(document, { accounts: [], uidMin: 1000 });
  };
  const none = policyOf('<tenant uid="1001"/>');
  const wanted = policyOf('<placement strict="yes"/><tenant uid="1001"/>');
  const rule = { placement: 'on', modules: undefined, places: [], ranges: [] } as const;

  test('strictState(), notEnforced() and undoStrict() find nothing', () => {
    assert.equal(strictState(paths), undefined);
    assert.equal(notEnforced(rule, paths), undefined);
    assert.deepEqual(undoStrict(paths), []);
    assert.equal(placementReleaseBlocker(paths), undefined);
  });

  test('takeStrictEvents() and unload() succeed, and create no file', () => {
    assert.deepEqual(takeStrictEvents(paths), { ok: true, value: [] });
    assert.deepEqual(placementGuard(paths).unload(), { ok: true, value: false });
    assert.deepEqual(keptStrictEvents(paths), []);
  });

  test('keptStrictEvents() skips lines that are not JSON', () => {
    mkdirSync(paths.state, { recursive: true });
    const text = `${JSON.stringify({ ...event, at: '2026-01-01T00:00:00.000Z' })}\n{"pid":\n\n`;
    writeFileSync(join(paths.state, 'placement-events.jsonl'), text);
    assert.deepEqual(
      keptStrictEvents(paths).map(({ pid, at }) => [pid, at]),
      [[12, '2026-01-01T00:00:00.000Z']],
    );
  });

  test('policyNotEnforced() returns no tenant for a policy without strict placement', () => {
    assert.deepEqual(policyNotEnforced(none, paths), { ok: true, value: [] });
  });

  test('strictDoctor() names cgroup v1 or the kernel when placement cannot be strict', async () => {
    const old = await strictDoctor({ policy: wanted, paths, driver: 'cgroup1' });
    assert.equal(old.text, 'placement cannot be strict: that needs cgroup v2');
    const unknown = await strictDoctor({ policy: wanted, paths, driver: 'cgroup2' });
    assert.match(
      unknown.text,
      /^placement cannot be strict: it is unknown whether BPF is in force/,
    );
  });

  test('strictDoctor() reports a policy not applied, or what is possible', async () => {
    for (const each of ['kernel/security', 'kernel/btf'])
      mkdirSync(join(paths.sys, each), { recursive: true });
    writeFileSync(join(paths.sys, 'kernel/security/lsm'), 'capability,bpf\n');
    writeFileSync(join(paths.sys, 'kernel/btf/vmlinux'), '');
    const textOf = async (policy: typeof none | undefined) =>
      (await strictDoctor({ policy, paths, driver: 'systemd' })).text;
    assert.equal(
      await textOf(wanted),
      'placement is "off", not as the policy says; run bulkhead apply',
    );
    assert.match(
      await textOf(none),
      /^the kernel can refuse tenants .* if the policy has <placement>/,
    );
    assert.match(await textOf(undefined), /^the kernel can refuse tenants/);
  });

  test('strictPart() is off and raises no alarm when the policy has no strict placement', () => {
    const lines: string[] = [];
    const add = (line: string) => void lines.push(line);
    const part = strictPart(paths, { info: add, warn: add, error: add } as unknown as Log);
    part.adopt?.(none, new Map());
    part.afterTick?.(() => [], {});
    assert.deepEqual(part.protection?.(), { name: 'strict-placement', state: 'off' });
    assert.deepEqual(part.takeAlarms?.(), []);
    assert.deepEqual(lines, []);
  });
});

const isRoot = process.geteuid?.() === 0 ? false : 'only root can change its uid';

suite('placementSelfTestProblem()', () => {
  test('reports BPF programs that refuse nothing', { skip: isRoot }, () => {
    assert.deepEqual(placementSelfTestProblem(0xfff1_0000), {
      reason: 'the kernel took the programs and does not ask them: what should be refused was not',
      hint: 'see whether "bpf" is in /sys/kernel/security/lsm',
    });
  });

  test('quotes setpriv when it fails in any other way', () => {
    assert.match(
      placementSelfTestProblem(NaN)?.reason ?? '',
      /^what should be refused failed otherwise: setpriv: /,
    );
  });
});
