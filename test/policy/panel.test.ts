/** A policy that follows the panel: who gets which package, reseller and address, and what is warned of. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { failed } from '../../packages/base/problem.ts';
import { fail, ok } from '../../packages/base/result.ts';
import {
  formatPanelRecord,
  parsePanelRecord,
  type PanelMember,
  type PanelRecord,
} from '../../src/policy/panel/panel-record.ts';
import { planPackages } from '../../src/host/keep-last-packages.ts';
import type { LastPackage } from '../../src/policy/panel/last-packages.ts';
import { LineIndex } from '../../src/policy/diagnostic.ts';
import { explain } from '../../src/policy/explain.ts';
import { listenOriginOf, reachOriginOf } from '../../src/policy/network/reach-origins.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import { jailOf, nameOf, ownAppsMaxOf, type HostFacts } from '../../src/policy/policy.ts';
import { resolvePolicy } from '../../src/policy/resolve.ts';

const accounts = ['ann', 'ben', 'cleo', 'dora'].map((user, index) => ({
  user,
  uid: 1001 + index,
  gid: 1001 + index,
  home: `/home/${user}`,
}));
const uidOf = (user: string) => accounts.find((each) => each.user === user)?.uid ?? 1999;

const record = (
  members: Readonly<Record<string, Partial<PanelMember>>>,
  changes: Partial<PanelRecord> = {},
): PanelRecord => ({
  source: 'hestia',
  panel: 'HestiaCP',
  from: '/usr/local/hestia',
  readAt: 1,
  members: Object.entries(members).map(([user, facts]) => ({ uid: uidOf(user), user, ...facts })),
  ...changes,
});

function resolve(
  body: string,
  panel: HostFacts['panel'],
  lastPackages?: HostFacts['lastPackages'],
) {
  const { document } = parsePolicy('p.xml', `<bulkhead version="1">${body}</bulkhead>`);
  assert.ok(document);
  const policy = resolvePolicy(document, { accounts, uidMin: 1000, panel, lastPackages });
  const tenants = new Map(policy.tenants.map((each) => [nameOf(each), each]));
  const packages = [...tenants].map(([name, each]) => `${name} ${each.package ?? '-'}`);
  return {
    document,
    policy,
    tenants,
    packages,
    said: document.diagnostics.list.map((each) => each.message),
  };
}

const packages = '<package name="basic"/><package name="gold"><cpu limit="200%"/></package>';
const range = '<tenants uids="1001-1099" package="basic"/>';
const follow = (plans = '') => `<panel source="auto">${plans}</panel>`;

suite('a policy with <panel>', () => {
  test('gives an account the package with the name of its plan; others have that of their range', () => {
    const panel = ok(record({ ann: { plan: { name: 'gold' } }, ben: {} }));
    const { packages: found, tenants, said } = resolve(follow() + packages + range, panel);
    assert.deepEqual(found, ['ann gold', 'ben basic', 'cleo basic', 'dora basic']);
    assert.equal(tenants.get('ann')?.values['cpu.limit'], 2);
    assert.deepEqual(said, []);
  });

  test('takes no notice of the panel without the element', () => {
    const panel = ok(record({ ann: { plan: { name: 'gold' } } }));
    assert.equal(resolve(packages + range, panel).packages[0], 'ann basic');
  });

  test('prefers what the policy says of a tenant, and <plan> to a package of the same name', () => {
    const plans = '<plan name="gold" package="basic"/><plan name="Gói &lt;x&gt;" package="gold"/>';
    const own = '<tenant user="cleo" package="gold"/><tenant user="dora"/>';
    const members = {
      ann: { plan: { name: 'gold' } },
      ben: { plan: { name: 'Gói <x>' } },
      cleo: { plan: { name: 'gold' } },
      dora: { plan: { name: 'Gói <x>' } },
    };
    const { packages: found, said } = resolve(
      follow(plans) + packages + range + own,
      ok(record(members)),
    );
    assert.deepEqual(found, ['ann basic', 'ben gold', 'cleo gold', 'dora gold']);
    assert.deepEqual(said, []);
  });

  test("gives nobody a package by a reseller's plan of that name", () => {
    const members = {
      ann: { plan: { name: 'gold', owner: 'dora' } },
      ben: { plan: { name: 'silver', owner: 'dora' } },
      cleo: { plan: { name: 'gold', owner: 'evil' } },
    };
    const plans = '<plan name="gold" owner="dora" package="basic"/>';
    const more = '<package name="silver@dora"/>';
    const { packages: found, said } = resolve(
      follow(plans) + packages + more + range,
      ok(record(members)),
    );
    assert.deepEqual(found, ['ann basic', 'ben silver@dora', 'cleo basic', 'dora basic']);
    assert.equal(said.length, 1);
    assert.match(said[0] ?? '', /^The policy has no package for .*: "gold@evil" \(1 account\);/);
  });

  test('gives nothing to another account that got the uid', () => {
    const panel = ok(
      record(
        {},
        { members: [{ uid: 1001, user: 'ada', plan: { name: 'gold' }, mail: 'ada@x.example' }] },
      ),
    );
    const { tenants, packages: found } = resolve(follow() + packages + range, panel);
    assert.equal(found[0], 'ann basic');
    assert.equal(tenants.get('ann')?.mail, undefined);
  });

  test('bounds accounts by a reseller of the policy, and has addresses', () => {
    const reseller = '<reseller user="dora" package="gold"><cpu limit="400%"/></reseller>';
    const members = {
      ann: { owner: 'dora', mail: 'ann@mail.example' },
      ben: { owner: 'dora', plan: { name: 'basic' } },
      cleo: { owner: 'nobody-here' },
      dora: { mail: 'dora@mail.example' },
    };
    const {
      tenants,
      packages: found,
      policy,
    } = resolve(follow() + packages + range + reseller, ok(record(members)));
    assert.deepEqual(
      [...tenants].map(([name, each]) => [name, each.reseller]),
      [
        ['ann', 1004],
        ['ben', 1004],
        ['cleo', undefined],
        ['dora', 1004],
      ],
    );
    assert.deepEqual(found, ['ann gold', 'ben basic', 'cleo basic', 'dora basic']);
    assert.equal(tenants.get('ann')?.mail, 'ann@mail.example');
    assert.equal(policy.resellers[0]?.mail, 'dora@mail.example');
  });

  test('keeps a tenant with limits of its own at its reseller in the panel', () => {
    const reseller = '<reseller user="dora" package="gold"><tenant user="cleo"/></reseller>';
    const own = '<tenant user="ann"><memory limit="1GiB"/></tenant><tenant user="dora"/>';
    const members = { ann: { owner: 'dora' }, cleo: { owner: 'ann' }, dora: { owner: 'dora' } };
    const { tenants, packages: found } = resolve(
      follow() + packages + range + own + reseller,
      ok(record(members)),
    );
    assert.deepEqual(
      [...tenants.values()].map((each) => each.reseller),
      [1004, undefined, 1004, undefined],
    );
    assert.deepEqual(found, ['ann gold', 'ben basic', 'cleo gold', 'dora basic']);
  });

  test("never takes a cut or similar name for a reseller's plan", () => {
    const long = 'x'.repeat(64);
    const members = {
      ann: { plan: { name: long, owner: 'acme' } },
      ben: { plan: { name: 'a', owner: 'b$' } },
    };
    const more = `<package name="${long}"/><package name="a@b_"/>`;
    const { packages: found } = resolve(follow() + packages + more + range, ok(record(members)));
    assert.deepEqual(found.slice(0, 2), ['ann basic', 'ben basic']);
  });

  test('says whether resellers are unknown, so that nobody forgets what they have set', () => {
    assert.equal(resolve(follow() + packages, undefined).policy.panelIsUnknown, true);
    assert.equal(resolve(follow() + packages, ok(record({}))).policy.panelIsUnknown, undefined);
    assert.equal(resolve(packages, undefined).policy.panelIsUnknown, undefined);
  });

  for (const [title, panel, source, expected] of [
    ['was never read', undefined, 'auto', /has not been read yet.*bulkhead panel sync/],
    ['has a damaged record', fail({ reason: 'it is damaged' }), 'auto', /not used: it is damaged/],
    [
      'is another one',
      ok(record({ ann: { plan: { name: 'gold' } } })),
      'cpapi',
      /The record is from HestiaCP, and the policy follows "cpapi"/,
    ],
  ] as const) {
    test(`applies as without a panel if the panel ${title}, and says so`, () => {
      const body = `<panel source="${source}"/>${packages}${range}`;
      const { said, packages: found } = resolve(body, panel);
      assert.match(said.join('\n'), expected);
      assert.equal(found[0], 'ann basic');
    });
  }

  for (const [body, expected] of [
    ['<panel source="ispconfig"/>', /"ispconfig" is not one of auto, hestia/],
    ['<panel/>', /needs the attribute "source"/],
    [`<panel source="auto"><plan name="a" package="none"/></panel>`, /There is no package "none"/],
    [
      '<panel source="auto"><plan name="a" package="basic"/><plan name="a" package="gold"/></panel>',
      /The plan "a" occurs twice/,
    ],
    [
      `<panel source="auto"><plan name="a" owner="-x" package="basic"/></panel>`,
      /cannot be the name of an account/,
    ],
  ] as const) {
    test(`refuses ${body}`, () => {
      const { said } = resolve(body + packages + range, ok(record({})));
      assert.equal(said.length, 1, said.join('\n'));
      assert.match(said[0] ?? '', expected);
    });
  }
});

suite('an account whose plan the policy does not have', () => {
  const last = (user: string, name: string) => ({ uid: uidOf(user), user, package: name });
  const lastPackages = (...all: readonly LastPackage[]) =>
    ok(new Map(all.map((each) => [each.uid, each])));
  const lost = { plan: { name: 'lost' } };

  test('keeps its last package, also without a plan and without a place in the panel', () => {
    const members = { ann: lost, ben: {}, dora: lost };
    const kept = lastPackages(last('ann', 'gold'), last('ben', 'gold'), last('cleo', 'gold'));
    const {
      packages: found,
      said,
      policy,
    } = resolve(follow() + packages + range, ok(record(members)), kept);
    assert.deepEqual(found, ['ann gold', 'ben gold', 'cleo gold', 'dora basic']);
    assert.equal(said.length, 1);
    assert.match(
      said[0] ?? '',
      /: "lost" \(2 accounts, 1 with the last package\), no plan \(2 accounts, 2 with the last/,
    );
    assert.deepEqual(
      planPackages(policy).map(({ user }) => user),
      ['ann', 'ben', 'cleo'],
    );
  });

  test('has the package of its plan as soon as the policy has one, or the one that the policy names', () => {
    const plans = '<plan name="lost" package="basic"/>';
    const own = '<tenant user="ben" package="basic"/>';
    const kept = lastPackages(last('ann', 'gold'), last('ben', 'gold'));
    const panel = ok(record({ ann: lost, ben: {} }));
    const { packages: found, policy } = resolve(
      follow(plans) + packages + range + own,
      panel,
      kept,
    );
    assert.deepEqual(found.slice(0, 2), ['ann basic', 'ben basic']);
    assert.deepEqual(planPackages(policy), [last('ann', 'basic')]);
  });

  test('keeps its last package while nothing is known of the panel', () => {
    const {
      packages: found,
      tenants,
      said,
    } = resolve(
      follow() + packages + range + '<defaults><cpu limit="50%"/></defaults>',
      undefined,
      lastPackages(last('ann', 'gold')),
    );
    assert.deepEqual(found.slice(0, 2), ['ann gold', 'ben basic']);
    assert.equal(tenants.get('ann')?.values['cpu.limit'], 2);
    assert.equal(said.length, 1);
  });

  test('has the lower of each limit of its last package and of what it had without it', () => {
    const both =
      '<package name="gold"><cpu limit="200%" weight="50"/><memory limit="4GiB" guaranteed="1GiB"/></package>' +
      '<package name="range"><cpu limit="100%" weight="200"/><memory limit="unlimited"/></package>' +
      '<defaults><processes limit="40"/></defaults><tenants uids="1001-1099" package="range"/>' +
      '<tenant user="ben"><memory limit="8GiB"/></tenant>';
    const kept = lastPackages(...['ann', 'ben'].map((user) => last(user, 'gold')));
    const { tenants, policy } = resolve(follow() + both, ok(record({ ann: lost })), kept);
    const expected = { 'cpu.limit': 1, 'cpu.weight': 50, 'processes.limit': 40 };
    assert.deepEqual(tenants.get('ann')?.values, { ...expected, 'memory.limit': 4 * 2 ** 30 });
    assert.deepEqual(tenants.get('ben')?.values, { ...expected, 'memory.limit': 8 * 2 ** 30 });
    assert.equal(tenants.get('ben')?.chain[0]?.kind, 'tenant');
    const [ann] = policy.tenants;
    assert.ok(ann);
    const { limits } = explain(
      { tenant: ann, site: undefined },
      policy,
      new LineIndex(policy.text),
    );
    const from = new Map(limits.map((each) => [each.limit, each.from]));
    assert.equal(from.get('cpu limit'), 'package "range"');
    assert.equal(from.get('cpu weight'), 'package "gold"');
    assert.equal(from.get('processes limit'), 'defaults');
    assert.equal(from.get('memory guaranteed'), 'not set; this is the default');
  });

  test('has the jail of its last package, or the one that it had without it', () => {
    const jail = (profile: string) => `<jail profile="${profile}"/>`;
    const body = (gold: string, others: string) =>
      `${follow()}<package name="gold">${gold}</package><defaults>${others}</defaults><tenants uids="1001-1099"/>`;
    const jailIn = (gold: string, others: string) => {
      const kept = lastPackages(last('ann', 'gold'));
      const ann = resolve(body(gold, others), ok(record({ ann: lost })), kept).tenants.get('ann');
      return ann && jailOf(ann)?.profile;
    };
    assert.equal(jailIn(jail('none'), jail('web')), 'web');
    assert.equal(jailIn(jail('strict'), jail('none')), 'strict');
    assert.equal(jailIn(jail('strict'), jail('web')), 'strict');
    assert.equal(jailIn('', ''), undefined);
  });

  test('reaches and opens no more than without its last package', () => {
    const body = (gold: string, others: string) =>
      `${follow()}<package name="gold">${gold}</package><defaults>${others}</defaults><tenants uids="1001-1099"/>`;
    const mailIn = (gold: string, others: string) => {
      const kept = lastPackages(last('ann', 'gold'));
      const { tenants } = resolve(body(gold, others), ok(record({ ann: lost })), kept);
      const chain = tenants.get('ann')?.chain ?? [];
      return [reachOriginOf(chain)?.at.mail.value, listenOriginOf(chain)?.at.public.value];
    };
    const open = '<reach mail="anywhere" tenants="yes" metadata="yes"/><listen public="yes"/>';
    const closed = '<reach mail="local"/><listen/>';
    assert.deepEqual(mailIn(open, closed), ['local', false]);
    assert.deepEqual(mailIn(closed, open), ['local', false]);
    assert.deepEqual(mailIn(open, ''), ['anywhere', true]);
    assert.deepEqual(mailIn('<reach mode="watch"/><listen mode="watch"/>', closed), [
      'local',
      false,
    ]);
    assert.deepEqual(mailIn('<reach mail="relay"/>', closed), ['relay', false]);
    assert.deepEqual(mailIn('', ''), [undefined, undefined]);
  });

  test('may define as many applications as both its last package and what it had without it allow', () => {
    const body = (gold: string, others: string) =>
      `${follow()}<package name="gold">${gold}</package><defaults>${others}</defaults><tenants uids="1001-1099"/>`;
    const maxIn = (gold: string, others: string) => {
      const kept = lastPackages(last('ann', 'gold'));
      const ann = resolve(body(gold, others), ok(record({ ann: lost })), kept).tenants.get('ann');
      return ann && ownAppsMaxOf(ann);
    };
    assert.equal(maxIn('<apps max="5"/>', '<apps max="2"/>'), 2);
    assert.equal(maxIn('<apps max="2"/>', '<apps max="5"/>'), 2);
    assert.equal(maxIn('<apps max="5"/>', ''), 0);
    assert.equal(maxIn('', '<apps max="3"/>'), 3);
  });

  test('has nothing from an earlier owner of its uid, nor a package that is gone', () => {
    const other = { uid: uidOf('ann'), user: 'ada', package: 'gold' };
    const { packages: found } = resolve(
      follow() + packages + range,
      ok(record({ ann: lost, ben: lost })),
      lastPackages(other, last('ben', 'silver')),
    );
    assert.deepEqual(found.slice(0, 2), ['ann basic', 'ben basic']);
  });

  test('makes the policy invalid if its last package is not known, and only then', () => {
    const unknown = failed({ action: 'read', object: '/x', reason: 'it is damaged' });
    const isRefused = (body: string, panel: HostFacts['panel']) => {
      const { document, said } = resolve(body, panel, unknown);
      assert.match(said.join('\n'), /Cannot read "?\/x"?: it is damaged/);
      return document.diagnostics.failed;
    };
    const all = (plan: string) =>
      ok(record(Object.fromEntries(accounts.map(({ user }) => [user, { plan: { name: plan } }]))));
    const body = follow() + packages + range;
    assert.equal(isRefused(body, all('gold')), false);
    assert.equal(isRefused(body, all('lost')), true);
    assert.equal(isRefused(body, ok(record({}))), true);
    assert.equal(isRefused(body, undefined), true);
    const named = accounts.map(({ user }) => `<tenant user="${user}" package="basic"/>`).join('');
    assert.equal(isRefused(follow() + packages + named, all('lost')), false);
  });
});

suite('explain() of a policy with <panel>', () => {
  const explained = (body: string, members: Readonly<Record<string, Partial<PanelMember>>>) => {
    const { policy, tenants } = resolve(body, ok(record(members)));
    return new Map(
      [...tenants].map(([name, tenant]) => {
        const lines = new LineIndex(policy.text);
        const { plan } = explain({ tenant, site: undefined }, policy, lines);
        return [name, plan && `${plan.panel} ${plan.plan} ${plan.by} ${plan.line}`] as const;
      }),
    );
  };

  test('states the panel, the plan, and the element that decides', () => {
    const plans =
      '\n<plan name="Gói" package="gold"/>\n<plan name="x" owner="acme" package="basic"/>';
    const found = explained(`${follow(plans)}${packages}${range}`, {
      ann: { plan: { name: 'Gói' } },
      ben: { plan: { name: 'gold' } },
      cleo: { plan: { name: 'x', owner: 'acme' } },
    });
    assert.deepEqual(Object.fromEntries(found), {
      ann: 'HestiaCP Gói plan 2',
      ben: 'HestiaCP gold panel 1',
      cleo: 'HestiaCP x@acme plan 3',
      dora: undefined,
    });
  });

  test('states why a plan decides nothing', () => {
    const own = '<tenant user="ann" package="basic"/>';
    const members = { ann: { plan: { name: 'gold' } }, ben: { plan: { name: 'lost' } } };
    const found = explained(`${follow()}${packages}${range}${own}`, members);
    assert.equal(found.get('ann'), 'HestiaCP gold overruled 1');
    assert.equal(found.get('ben'), 'HestiaCP lost no package 1');
  });
});

suite('parsePanelRecord()', () => {
  const whole = record({ ann: { plan: { name: 'gold', owner: 'acme' }, mail: 'a@b.example' } });
  test('reads what formatPanelRecord() has written', () => {
    assert.deepEqual(parsePanelRecord(formatPanelRecord(whole)), ok(whole));
  });

  test('refuses a record that was cut off, at whatever byte, and one that is wrong somewhere', () => {
    const text = formatPanelRecord(whole).trimEnd();
    for (let length = 0; length < text.length; length++)
      assert.ok(!parsePanelRecord(text.slice(0, length)).ok, String(length));
    const wrong = [
      { version: 2 },
      { source: 'ispconfig' },
      { members: [{ uid: '1001', user: 'ann' }] },
      { members: [{ uid: 1001, user: 'ann', plan: 'gold' }] },
      { members: [null] },
    ];
    for (const each of wrong)
      assert.ok(!parsePanelRecord(JSON.stringify({ ...JSON.parse(text), ...each })).ok);
  });
});
