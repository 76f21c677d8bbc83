import assert from 'node:assert/strict';
import { test } from 'node:test';
import { attacks } from '../../src/prove/attacks/attacks.ts';
import { isAtLimit } from '../../src/prove/attacks/load.ts';
import type { Attack, AttackDemand } from '../../src/prove/core/attack.ts';
import { demandsOf } from '../../src/prove/core/demands.ts';
import {
  blocked,
  impossible,
  judgeSaid,
  parseSaid,
  permissionErrors,
  through,
  type AttackEvidence,
} from '../../src/prove/core/outcome.ts';
import {
  attackerLimits,
  jailProfileOf,
  scratchPolicy,
} from '../../src/prove/core/scratch-policy.ts';
import { firstUid, freeUids, idsIn, subordinateRanges } from '../../src/prove/core/uids.ts';
import { broken, entryOf, withControl } from '../../src/prove/core/verdict.ts';
import { noCounters } from '../../src/limits/limits.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import { jailOf } from '../../src/policy/policy.ts';
import { resolvePolicy } from '../../src/policy/resolve.ts';
import { otherHost } from '../../src/prove/core/other-host.ts';
import { noNetwork } from './no-network.ts';

const evidence = (more: Partial<AttackEvidence>): AttackEvidence => ({
  said: undefined,
  ended: 'exit status 0',
  seconds: 1,
  counters: noCounters,
  inside: 0,
  outside: [],
  survivors: 0,
  ...more,
});
const said = (text: string) => judgeSaid(evidence({ said: parseSaid(text) }), permissionErrors);

test('judgeSaid() treats only a permission error as a refusal', () => {
  assert.deepEqual(said('refused EACCES open\n'), blocked('refused: EACCES open'));
  assert.equal(said('refused ENOENT open\n').kind, 'impossible');
  assert.equal(said('refused EPERMX open\n').kind, 'impossible');
  assert.equal(said('cannot make a socket: EINVAL\n').kind, 'impossible');
  assert.deepEqual(said('through read it\n'), through('read it'));
});

test('judgeSaid() is impossible when a program reports nothing', () => {
  for (const ended of ['exit status 0', 'exit status 255', 'SIGKILL']) {
    assert.equal(judgeSaid(evidence({ ended }), permissionErrors).kind, 'impossible', ended);
  }
});

test('parseSaid() returns the first line that begins with one of the four words', () => {
  assert.equal(parseSaid('perl: warning: refused\nnot refused EPERM\n'), undefined);
  assert.deepEqual(parseSaid('warning\nthrough a\nrefused EPERM b\n'), {
    word: 'through',
    text: 'a',
  });
});

test('withControl() counts a refusal only if the control gets through', () => {
  assert.equal(withControl(blocked('EPERM'), blocked('EPERM')).kind, 'impossible');
  assert.equal(withControl(blocked('EPERM'), impossible('no disk')).kind, 'impossible');
  assert.equal(withControl(blocked('EPERM'), through('read it')).kind, 'blocked');
  assert.equal(withControl(blocked('EPERM'), undefined).kind, 'blocked');
  // A successful attack counts, whatever the control's result is.
  assert.equal(withControl(through('read it'), blocked('EPERM')).kind, 'through');
});

const byName = (name: string): Attack => {
  const found = attacks.find((each) => each.name === name);
  assert.ok(found);
  return found;
};
const limits = { ...attackerLimits };
const stage = { limits } as Parameters<NonNullable<Attack['judge']>>[1];
const judged = (name: string, more: Partial<AttackEvidence>, of = stage) =>
  byName(name).judge?.(evidence(more), of).kind;

test('judge() of busy-loop uses the processor time that the kernel counted', () => {
  const counters = (cpuMicroseconds: number, throttledPeriods: number) => ({
    seconds: 2,
    counters: { ...noCounters, cpuMicroseconds, throttledPeriods },
  });
  assert.equal(judged('busy-loop', counters(400_000, 20)), 'blocked');
  assert.equal(judged('busy-loop', counters(1_900_000, 20)), 'through');
  assert.equal(judged('busy-loop', counters(100_000, 0)), 'impossible', 'the host was busy');
  const unlimited = { ...stage, limits: { ...limits, cpu: undefined } };
  assert.equal(judged('busy-loop', counters(1_900_000, 0), unlimited), 'through');
});

test('isAtLimit() is false while the rate is above the limit or too few periods were seen', () => {
  const used = (cpuMicroseconds: number, throttledPeriods: number) => ({
    ...noCounters,
    cpuMicroseconds,
    throttledPeriods,
  });
  assert.equal(isAtLimit(used(400_000, 20), 2, 0.2), true);
  assert.equal(isAtLimit(used(700_000, 20), 2, 0.2), false);
  assert.equal(isAtLimit(used(900_000, 40), 4, 0.2), true);
  assert.equal(isAtLimit(used(400_000, 3), 2, 0.2), false);
});

test('judge() of memory-hog is blocked only when it was killed at the limit', () => {
  const killed = { ended: 'SIGKILL', counters: { ...noCounters, oomKills: 1 } };
  assert.equal(judged('memory-hog', killed), 'blocked');
  assert.equal(judged('memory-hog', { ended: 'SIGKILL' }), 'impossible');
  assert.equal(judged('memory-hog', { ...killed, said: parseSaid('through 128 MiB') }), 'through');
});

test('judge() of descriptor-flood is not blocked when the whole host lacks descriptors', () => {
  const ended = (text: string) => judged('descriptor-flood', { said: parseSaid(text) });
  assert.equal(ended('refused EMFILE after 1000'), 'blocked');
  assert.notEqual(ended('refused ENFILE after 100000'), 'blocked');
});

test('judge() of fork-chains is through when one process is outside or survives', () => {
  assert.equal(judged('fork-chains', { inside: 100 }), 'blocked');
  assert.equal(judged('fork-chains', { inside: 100, outside: ['/'] }), 'through');
  assert.equal(judged('fork-chains', { inside: 100, survivors: 1 }), 'through');
  assert.equal(judged('fork-chains', { inside: 3 }), 'impossible');
});

test('judge() of disk-bandwidth is through when the rate is above the limit', () => {
  const rate = (text: string) => judged('disk-bandwidth', { said: parseSaid(text) });
  assert.equal(rate(`measured ${2 * 2 ** 20}`), 'blocked');
  assert.equal(rate(`measured ${50 * 2 ** 20}`), 'through');
  assert.equal(rate('cannot measure dd: no space'), 'impossible');
});

test('attacks have distinct names that can be typed', () => {
  const names = attacks.map(({ name }) => name);
  assert.equal(new Set(names).size, names.length);
  for (const name of names) assert.match(name, /^[a-z0-9-]+$/);
});

test('freeUids() returns the first unused row of uids, also between ranges of /etc/subuid', () => {
  assert.equal(freeUids([], 4), firstUid);
  assert.ok(firstUid > 65_535 && firstUid + 4 < 100_000);
  assert.equal(freeUids([{ first: 65_602, last: 65_602 }], 4), 65_603);
  assert.equal(freeUids([{ first: 0, last: 70_000 }], 4), 70_001);
  assert.equal(
    freeUids(
      [
        { first: 1003, last: 1003 },
        { first: 1005, last: 2000 },
      ],
      2,
      1000,
    ),
    1000,
  );
  assert.equal(freeUids([{ first: 0, last: 4_294_967_294 }], 4), undefined);
  const ranges = subordinateRanges('alice:65600:100\n# no\nbad:x:1\n70000:70000:5\n');
  assert.deepEqual(ranges, [
    { first: 65_600, last: 65_699 },
    { first: 70_000, last: 70_004 },
  ]);
  assert.equal(freeUids(ranges, 4), 65_700);
  assert.deepEqual(idsIn('root:x:0:0::/root:/bin/sh\nbroken\n'), [{ first: 0, last: 0 }]);
});

const policyOf = (body: string) => {
  const { document } = parsePolicy('p.xml', `<bulkhead version="1">${body}</bulkhead>`);
  assert.ok(document && !document.diagnostics.failed);
  return { document, policy: resolvePolicy(document, { accounts: [], uidMin: 1000 }) };
};

test('demandsOf() returns the limits that at least one tenant has', () => {
  const { policy, document } = policyOf(
    '<defaults><memory limit="512MiB"/><cpu limit="unlimited"/></defaults><tenant uid="5000"/>',
  );
  const demands = demandsOf(policy, document);
  const demanded = attacks.filter((each) => demands.has(each.demandedBy)).map(({ name }) => name);
  for (const name of ['memory-hog', 'oom-score', 'cgroup-move', 'ptrace', 'home'])
    assert.ok(demanded.includes(name), name);
  for (const name of ['busy-loop', 'fork-storm', 'disk-flood', 'symlink-server', 'user-namespace'])
    assert.ok(!demanded.includes(name), name);
});

test('demandsOf() has jail and placement; jailProfileOf() returns the widest profile', () => {
  const { policy, document } = policyOf(
    '<defaults><jail profile="strict"/></defaults><tenant uid="5000"/><tenant uid="5001"><jail profile="web"/></tenant><placement strict="yes"/>',
  );
  const demands = demandsOf(policy, document);
  assert.ok(demands.has('jail') && demands.has('placement'));
  assert.equal(jailProfileOf(policy), 'web');
  const watched = policyOf('<tenant uid="5000"/><placement strict="watch"/>');
  assert.ok(!demandsOf(watched.policy, watched.document).has('placement'));
  assert.equal(jailProfileOf(watched.policy), undefined);
});

test('demandsOf() is empty for a policy without tenants', () => {
  const { policy, document } = policyOf('<defaults><memory limit="512MiB"/></defaults>');
  assert.equal(demandsOf(policy, document).size, 0);
});

test('broken() returns attacks that the policy demands to block and that got through', () => {
  const demands = new Set(['memory.limit', 'limits'] as const);
  const entries = [
    entryOf(byName('memory-hog'), through('128 MiB'), demands),
    entryOf(byName('busy-loop'), through('200%'), demands),
    entryOf(byName('cgroup-move'), blocked('EACCES'), demands),
    entryOf(byName('fork-chains'), impossible('no perl'), demands),
  ];
  assert.deepEqual(
    broken(entries).map(({ attack }) => attack),
    ['memory-hog'],
  );
});

test('scratchPolicy() writes a valid policy with the given limits', () => {
  const tenants = { attacker: 65_600, neighbour: 65_601, control: 65_602 };
  const text = scratchPolicy(
    tenants,
    { ...attackerLimits, memory: undefined },
    {
      driver: 'cgroup1',
      jail: 'web',
      strict: true,
      network: noNetwork,
    },
  );
  const { document } = parsePolicy('scratch', text);
  assert.ok(document && !document.diagnostics.failed, text);
  const { tenants: resolved } = resolvePolicy(document, { accounts: [], uidMin: 1000 });
  const [attacker, , control] = resolved;
  assert.equal(attacker?.values['memory.limit'], undefined);
  assert.equal(attacker?.values['processes.limit'], 40);
  assert.notEqual(control?.values['memory.limit'], undefined);
  assert.equal(document.driver?.value, 'cgroup1');
  assert.equal(document.strictPlacement, 'on');
  const jails = resolved.map((tenant) => jailOf(tenant)?.profile);
  assert.deepEqual(jails, ['web', 'web', undefined], 'the control shows what there is');
});

test('demandsOf() has the rules of <reach> and <listen> that refuse, and none that only watch', () => {
  const demanded = (body: string) => {
    const { document, policy } = policyOf(`<tenant uid="5000">${body}</tenant>`);
    return [...demandsOf(policy, document)].filter((each) => /^(reach|listen|network)/.test(each));
  };
  assert.deepEqual(demanded('<reach/><listen ports="7001"/>'), [
    'reach.mail',
    'reach.tenants',
    'reach.metadata',
    'listen.ports',
    'listen.public',
  ]);
  const open = 'mail="anywhere" tenants="yes" metadata="yes"';
  assert.deepEqual(demanded(`<reach ${open}/><listen public="yes"/>`), []);
  assert.deepEqual(demanded(`<reach ${open} others="refuse"/>`), ['reach.address']);
  assert.deepEqual(demanded(`<reach ${open}><refuse address="192.0.2.0/24"/></reach>`), [
    'reach.address',
  ]);
  assert.deepEqual(demanded('<reach mode="watch"/><listen public="no" mode="watch"/>'), []);
  assert.deepEqual(demanded('<network connections="5/s"/>'), ['network.connections']);
});

test('scratchPolicy() has a valid rule of each kind that the policy has, and no other', () => {
  const tenants = { attacker: 65_600, neighbour: 65_601, control: 65_602 };
  const holding = { driver: undefined, jail: undefined, strict: false };
  const rules = (has: readonly AttackDemand[]) => {
    const network = { has: new Set(has), other: otherHost(300), keptPort: 7001 };
    const text = scratchPolicy(tenants, attackerLimits, { ...holding, network });
    const { document } = parsePolicy('scratch', text);
    assert.ok(document && !document.diagnostics.failed, text);
    return text.match(/<(?:network|reach|refuse|listen) .*?>/g) ?? [];
  };
  assert.deepEqual(rules([]), []);
  assert.deepEqual(rules(['reach.mail']), [
    '<reach mail="submission" tenants="yes" metadata="yes">',
  ]);
  assert.deepEqual(
    rules([
      'network.send',
      'network.connections',
      'reach.address',
      'listen.ports',
      'listen.public',
    ]),
    [
      '<network send="2MiB/s" connections="20/s"/>',
      '<reach mail="anywhere" tenants="yes" metadata="yes">',
      '<refuse address="198.18.44.11"/>',
      '<refuse address="fd62:7668:12c::3"/>',
      '<listen public="no"/>',
      '<listen ports="7001" public="yes"/>',
    ],
  );
});
