/** A reseller's changes of the policy: every edit that passes leaves everything of others as it is. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseAssignments } from '../../src/policy/assignment.ts';
import { removeTarget, setLimits, type EditTarget } from '../../src/policy/edit.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import { resolvePolicy } from '../../src/policy/resolve.ts';
import {
  mayEdit,
  type EditFacts,
  type PolicyEditor,
  type WrittenPolicy,
} from '../../src/policy/rights/may-edit.ts';

const uids = { acme: 4000, globex: 4001, alice: 5001, bob: 5002, carol: 5003, dave: 5004 };
const accounts = Object.entries(uids).map(([user, uid]) => ({
  user,
  uid,
  gid: uid,
  home: `/home/${user}`,
}));

const text = (may = ' may="limits packages"', more = '') => `<bulkhead version="1">
  <!-- root only -->
  <defaults><cpu limit="100%"/><memory limit="1GiB"/></defaults>
  <package name="small"><cpu limit="50%"/></package>
  <package name="big"><cpu limit="300%"/><disk space="40GiB"/></package>
  <package name="open"><jail profile="none"/><cpu limit="60%"/></package>
  <package name="ours" for="acme"><jail profile="shell"/><cpu limit="70%"/></package>
  <package name="theirs" for="globex"><cpu limit="80%"/></package>
  <reseller user="acme" package="small"${may}>
    <cpu limit="200%"/><disk space="50GiB"/>
    <!-- about alice -->
    <tenant user="alice"><jail profile="web"/><cpu limit="80%"/><disk space="20GiB"/></tenant>
    <tenant user="bob"><disk space="20GiB"/></tenant>
  </reseller>
  <reseller user="globex" may="limits packages"><cpu limit="100%"/><tenant user="carol"/></reseller>
  <tenant user="dave"/>${more}
</bulkhead>`;

function written(policy: string): WrittenPolicy {
  const { document } = parsePolicy('p.xml', policy);
  assert.ok(document);
  const resolved = resolvePolicy(document, { accounts, uidMin: 1000 });
  const errors = document.diagnostics.list.filter(({ severity }) => severity === 'error');
  assert.deepEqual(errors, []);
  return { document, policy: resolved };
}

const acme: PolicyEditor = { kind: 'reseller', uid: uids.acme };
const summed: EditFacts = { boundsSumOfIo: true };

function judge(before: string, after: string, editor = acme, facts = summed): string {
  const may = mayEdit(editor, written(before), written(after), facts);
  return may.ok ? 'may' : may.error.reason;
}

const tenant = (user: string): EditTarget => ({ kind: 'tenant', name: { kind: 'user', user } });
const reseller = (user: string): EditTarget => ({ kind: 'reseller', name: { kind: 'user', user } });

function edited(before: string, target: EditTarget, set: string[], unset: string[] = []): string {
  const parsed = parseAssignments(set, unset);
  assert.ok(parsed.ok, JSON.stringify(parsed));
  const done = setLimits(before, target, parsed.value);
  assert.ok(done.ok, JSON.stringify(done));
  return done.value;
}

const set = (target: EditTarget, words: string[], unset: string[] = [], before = text()) =>
  judge(before, edited(before, target, words, unset));

test('mayEdit() lets root change everything, and readers nothing', () => {
  const after = edited(text(), { kind: 'defaults' }, ['cpu=1000%']);
  assert.equal(judge(text(), after, { kind: 'administrator' }), 'may');
  assert.equal(judge(text(), after, { kind: 'reader', reason: 'it only reads' }), 'it only reads');
  assert.match(judge(text(), after), /not in your element/);
});

test('mayEdit() lets a reseller change limits of its tenants within its own', () => {
  assert.equal(set(tenant('alice'), ['cpu=200%']), 'may');
  assert.match(set(tenant('alice'), ['cpu=201%']), /cpu limit of alice .* above yours: 200%/);
  assert.match(set(tenant('alice'), ['cpu=unlimited']), /above yours/);
  assert.equal(set(tenant('alice'), ['memory=512MiB']), 'may');
  assert.match(set(tenant('alice'), ['memory=2GiB']), /above what it inherits: 1GiB/);
  assert.match(set(tenant('alice'), ['memory.guaranteed=1MiB']), /above what it inherits/);
  assert.equal(set(tenant('alice'), ['cpu.weight=10000']), 'may');
  assert.equal(set(tenant('alice'), [], ['cpu']), 'may');
});

test('mayEdit() lets a reseller give packages that are for it, or change limits only', () => {
  assert.equal(set(tenant('bob'), ['package=small']), 'may');
  assert.equal(set(tenant('bob'), ['package=ours']), 'may');
  assert.match(set(tenant('bob'), ['package=theirs']), /may not give/);
  assert.match(set(tenant('bob'), ['package=big']), /above yours: 200%/);
  const jailed = text().replace('<defaults>', '<defaults><jail profile="web"/>');
  assert.match(set(tenant('bob'), ['package=open'], [], jailed), /such as its jail/);
  assert.match(
    set(tenant('bob'), [], ['package'], edited(jailed, tenant('bob'), ['package=ours'])),
    /such as its jail/,
  );
});

test('mayEdit() keeps the sum of quotas, and of disk rates where the kernel has none', () => {
  assert.equal(set(tenant('bob'), ['disk.space=30GiB']), 'may');
  assert.match(set(tenant('bob'), ['disk.space=31GiB']), /together would be 51GiB/);
  assert.match(set(tenant('bob'), [], ['disk.space']), /together would be unlimited/);
  const before = text().replace(
    '<cpu limit="200%"/><disk space="50GiB"/>',
    '<io read="10MiB/s"/><disk space="30GiB"/>',
  );
  const both = edited(before, tenant('alice'), ['io.read=6MiB/s']);
  const after = edited(both, tenant('bob'), ['io.read=6MiB/s']);
  assert.equal(judge(both, after), 'may');
  assert.equal(judge(both, after, acme, { boundsSumOfIo: false }), 'may');
  const more = edited(after, tenant('bob'), ['io.read=7MiB/s']);
  assert.equal(judge(after, more), 'may');
  assert.match(judge(after, more, acme, { boundsSumOfIo: false }), /together would be 13MiB/);
  // Less than before passes, though the sum is above.
  assert.equal(judge(before, edited(before, tenant('alice'), ['disk.space=19GiB'])), 'may');
});

test('mayEdit() adds up CPU and connections of database servers, and compares times', () => {
  const before = text().replace(
    '<cpu limit="200%"/>',
    '<cpu limit="200%"/><database cpu="100%" connections="30" statement="60s"/>',
  );
  const after = edited(before, tenant('alice'), ['database.cpu=60%', 'database.connections=20']);
  const change = (...words: string[]) => set(tenant('bob'), words, [], bounded);
  const bounded = edited(after, tenant('bob'), ['database.cpu=1%', 'database.connections=1']);
  assert.equal(change('database.cpu=40%', 'database.connections=10'), 'may');
  assert.match(change('database.cpu=41%'), /database cpu of all your tenants together .* 101%/);
  assert.match(change('database.connections=11'), /together would be 31, which is above yours: 30/);
  const both = edited(bounded, tenant('alice'), ['database.statement=60s']);
  assert.equal(set(tenant('bob'), ['database.statement=60s'], [], both), 'may');
  assert.match(set(tenant('bob'), ['database.statement=61s'], [], both), /above yours: 1min/);
});

test('mayEdit() lets a reseller give no package that reaches or opens something else', () => {
  const packages = (inside: string) => text(undefined, `<package name="p">${inside}</package>`);
  for (const inside of ['<reach mail="anywhere"/>', '<listen public="yes"/>'])
    assert.match(set(tenant('bob'), ['package=p'], [], packages(inside)), /more than limits/);
  const [rules, others] = [
    '<reach><refuse address="10.0.0.0/8"/></reach>',
    '<reach><refuse address="10.0.0.0/9"/></reach>',
  ];
  const inherited = (of: string, given: string) =>
    packages(given).replace('<defaults>', `<defaults>${of}`);
  assert.equal(set(tenant('bob'), ['package=p'], [], inherited(rules, rules)), 'may');
  assert.match(set(tenant('bob'), ['package=p'], [], inherited(rules, others)), /more than limits/);
});

test('mayEdit() lets a reseller not change whether the use of database servers counts', () => {
  const counting = text().replace(
    '<tenant user="bob">',
    '<tenant user="bob"><database counts="yes"/>',
  );
  assert.match(judge(counting, text()), /whether the CPU time of database servers counts/);
  assert.match(judge(text(), counting), /whether the CPU time of database servers counts/);
});

test('mayEdit() lets a reseller give no database servers, except by a package for it', () => {
  const own = '<database instance="own"/>';
  const with_ = (before: string, user: string, element: string) =>
    before.replace(`<tenant user="${user}">`, `<tenant user="${user}">${element}`);
  assert.match(judge(text(), with_(text(), 'bob', own)), /which database server bob has/);
  const given = with_(text(), 'bob', own);
  assert.match(judge(given, text()), /which database server bob has/);
  assert.equal(judge(given, with_(text(), 'bob', own.replace('/', ' cpu="10%"/'))), 'may');
  const packages = (name: string, more = '') =>
    text(undefined, `<package name="${name}"${more}>${own}<cpu limit="50%"/></package>`);
  assert.match(set(tenant('bob'), ['package=db'], [], packages('db')), /more than limits/);
  assert.equal(set(tenant('bob'), ['package=db'], [], packages('db', ' for="acme"')), 'may');
});

test('mayEdit() asks for the right that a change needs', () => {
  const limits = text(' may="limits"');
  assert.equal(set(tenant('alice'), ['cpu=10%'], [], limits), 'may');
  assert.match(set(tenant('bob'), ['package=small'], [], limits), /change packages/);
  const packages = text(' may="packages"');
  assert.match(set(tenant('alice'), ['cpu=10%'], [], packages), /change limits/);
  assert.match(set(tenant('alice'), ['cpu=10%'], [], text('')), /does not let you/);
});

test('mayEdit() refuses everything else in the element of a reseller', () => {
  const refused: readonly (readonly [from: string, to: string])[] = [
    ['<cpu limit="200%"/>', '<cpu limit="300%"/>'],
    ['may="limits packages"', 'may="packages limits"'],
    ['<tenant user="bob">', '<tenant user="dave"/><tenant user="bob">'],
    ['<jail profile="web"/>', ''],
    ['<jail profile="web"/>', '<jail profile="strict"/>'],
    ['<jail profile="web"/>', '<jail profile="web"/><site name="a.example"/>'],
    ['<jail profile="web"/>', '<jail profile="web"/><sites limits="tenant"/>'],
    ['<jail profile="web"/>', '<jail profile="web"/><apps max="3"/>'],
    ['<jail profile="web"/>', '<jail profile="web"/><reach mail="anywhere"/>'],
    ['<jail profile="web"/>', '<jail profile="web"/><listen ports="7001"/>'],
  ];
  for (const [from, to] of refused) {
    const before = text().replace('<tenant user="dave"/>', '');
    const now = before.replace(from, to);
    assert.notEqual(now, before, from);
    assert.match(judge(before, now), /may only change limits/, to);
  }
  const gone = removeTarget(text(), tenant('bob'));
  assert.ok(gone.ok);
  assert.match(judge(text(), gone.value), /may only change limits/);
});

test('mayEdit() refuses a changed comment, space or declaration outside the element', () => {
  for (const [from, to] of [
    ['root only', 'anybody'],
    ['\n  <defaults>', '\n\n  <defaults>'],
    ['<bulkhead', '<?xml version="1.0"?><bulkhead'],
  ] as const)
    assert.match(judge(text(), text().replace(from, to)), /not in your element/);
});

const words = fc.constantFrom(
  'cpu=10%',
  'cpu=150%',
  'cpu=5000%',
  'cpu=unlimited',
  'memory=64MiB',
  'memory=8GiB',
  'memory.guaranteed=1GiB',
  'processes=1000000',
  'disk.space=1GiB',
  'disk.space=900GiB',
  'io.read=1MiB/s',
  'package=small',
  'package=big',
  'package=open',
  'package=ours',
  'package=theirs',
);
const removals = fc.constantFrom('cpu', 'memory', 'disk', 'io', 'package');
const targets: fc.Arbitrary<EditTarget> = fc.oneof(
  fc.constantFrom(...Object.keys(uids)).map(tenant),
  fc.constantFrom('acme', 'globex').map(reseller),
  fc.constantFrom('small', 'ours', 'new').map((name) => ({ kind: 'package' as const, name })),
  fc.constant<EditTarget>({ kind: 'defaults' }),
  fc
    .constantFrom('alice', 'carol')
    .map((user) => ({ kind: 'site' as const, name: 'a.example', tenant: tenant(user) as never })),
);
const edits = fc.array(
  fc.record({
    target: targets,
    set: fc.uniqueArray(words, { maxLength: 2, selector: (each) => each.split('=')[0] }),
    unset: fc.uniqueArray(removals, { maxLength: 1 }),
    remove: fc.boolean(),
  }),
  { minLength: 1, maxLength: 4 },
);

/** Everything of a policy that is not of acme's tenants, and what these may never change. */
function ofOthers({ document, policy }: WrittenPolicy) {
  const ofAcme = policy.tenants.filter(({ reseller: owner }) => owner === uids.acme);
  return {
    others: policy.tenants
      .filter((each) => !ofAcme.includes(each))
      .map(({ uid, reseller: owner, package: name, values, sites }) => ({
        uid,
        owner,
        name,
        values,
        sites: sites.length,
      })),
    resellers: policy.resellers.map(({ uid, package: name, values }) => ({ uid, name, values })),
    defaults: policy.defaults,
    packages: document.packages.map(({ name, values, xml }) => [
      name.value,
      [...values].map(([key, { value }]) => [key, value]),
      xml.children.length,
    ]),
    own: ofAcme.map(({ uid, sites }) => [uid, sites.length]),
  };
}

interface AnyEdit {
  readonly target: EditTarget;
  readonly set: readonly string[];
  readonly unset: readonly string[];
  readonly remove: boolean;
}

function withEdit(before: string, { target, set: wanted, unset, remove }: AnyEdit): string {
  const parsed = parseAssignments(wanted, unset);
  const isRemoved = remove && target.kind !== 'defaults';
  if (!isRemoved && !parsed.ok) return before;
  const done = isRemoved
    ? removeTarget(before, target, { withTenants: true })
    : setLimits(before, target, parsed.ok ? parsed.value : []);
  return done.ok ? done.value : before;
}

/** Returns the policy; undefined if it has errors. */
function validPolicy(policy: string): WrittenPolicy | undefined {
  const { document } = parsePolicy('p.xml', policy);
  if (document === undefined || document.diagnostics.failed) return undefined;
  const resolved = resolvePolicy(document, { accounts, uidMin: 1000 });
  return document.diagnostics.failed ? undefined : { document, policy: resolved };
}

function assertWithinBounds(before: WrittenPolicy, after: WrittenPolicy): void {
  const was = new Map(before.policy.tenants.map((each) => [each.uid, each]));
  for (const { uid, reseller: owner, values } of after.policy.tenants) {
    if (owner !== uids.acme) continue;
    const old = was.get(uid)?.values ?? {};
    for (const [key, bound] of [
      ['cpu.limit', 2],
      ['memory.limit', 2 ** 30],
    ] as const) {
      const value = values[key] ?? 0;
      if (value === old[key]) continue;
      assert.ok(value !== 'unlimited' && value <= bound, `${key} ${value}`);
    }
    assert.equal(values['memory.guaranteed'], old['memory.guaranteed']);
  }
}

test('no edit of a reseller that passes changes anything outside its own, or exceeds its bounds', () => {
  let passed = 0;
  const before = written(text());
  const editors = fc.constantFrom(acme, { kind: 'reseller' as const, uid: 9 });
  fc.assert(
    fc.property(edits, editors, (all, who) => {
      const after = validPolicy(all.reduce(withEdit, text()));
      fc.pre(after !== undefined);
      if (!mayEdit(who, before, after, summed).ok) return;
      assert.equal(who, acme);
      passed++;
      assert.deepEqual(ofOthers(after), ofOthers(before));
      assertWithinBounds(before, after);
    }),
    { numRuns: 3000 },
  );
  assert.ok(passed > 20, `only ${passed} edits passed`);
});
