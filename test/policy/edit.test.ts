/** Edits of a policy: limits are set and removed, tenants are added and removed. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { formatProblemOrCause } from '../../packages/base/problem.ts';
import { parseAssignments } from '../../src/policy/assignment.ts';
import type { TenantName } from '../../src/policy/document.ts';
import { addTenant, removeTarget, setLimits, type EditTarget } from '../../src/policy/edit.ts';
import { assignments, defaults, pack, policy, reseller, set, tenant } from './edit-targets.ts';

const site = (user: string, name: string): EditTarget => ({
  kind: 'site',
  name,
  tenant: tenant(user),
});

function errorsOf(edited: ReturnType<typeof setLimits>): string {
  return edited.ok ? assert.fail('no error') : edited.error.map(formatProblemOrCause).join('\n');
}

describe('setLimits() without a value', () => {
  test('setLimits() removes a value, and the limit when it has no other', () => {
    const before = policy(
      '  <tenant user="a">',
      '    <cpu limit="5%" weight="3"/>',
      '    <memory limit="1GiB"/>',
      '  </tenant>',
    );
    const middle = set(before, tenant('a'), 'cpu=');
    assert.ok(middle.includes('<cpu weight="3"/>'));
    assert.equal(
      set(middle, tenant('a'), 'cpu.weight='),
      policy('  <tenant user="a">', '    <memory limit="1GiB"/>', '  </tenant>'),
    );
    assert.equal(
      set(before, tenant('a'), 'cpu= cpu.weight= memory='),
      policy('  <tenant user="a"/>'),
    );
  });

  test('setLimits() keeps comments when it removes what they are about', () => {
    const before = policy(
      '  <tenant user="a">',
      '    <cpu limit="5%"/>  <!-- slow -->',
      '    <memory limit="1GiB"><!-- big --></memory>',
      '  </tenant>',
    );
    assert.equal(
      set(before, tenant('a'), 'cpu= memory='),
      policy('  <tenant user="a">', '    <!-- slow -->', '    <!-- big -->', '  </tenant>'),
    );
  });

  test('setLimits() removes all values when the limit has no value of its own', () => {
    const before = policy('<tenant user="a"><io read="1MiB/s" writes="1/s"/></tenant>');
    assert.equal(set(before, tenant('a'), 'io='), policy('<tenant user="a"/>'));
  });

  test('setLimits() changes nothing when there is nothing to remove', () => {
    const before = policy('<tenant user="a"/>');
    assert.equal(set(before, tenant('a'), 'cpu= package='), before);
  });
});

describe('setLimits() with an impossible target or change', () => {
  const rows: readonly (readonly [string, EditTarget, string, string, RegExp])[] = [
    [
      'an unknown package',
      tenant('a'),
      'package=busines',
      '<package name="business"/>',
      /^There is no package "busines"; did you mean "business"\?$/,
    ],
    [
      'a package for the defaults',
      defaults,
      'package=b',
      '<package name="b"/>',
      /^"package" cannot be set for the defaults/,
    ],
    [
      'an account that cannot be',
      tenant('a b'),
      'cpu=5%',
      '',
      /^"a b" cannot be the name of an account$/,
    ],
    [
      'a tenant that is there twice',
      tenant('a'),
      'cpu=5%',
      '<tenant user="a"/>\n<tenant user="a"/>',
      /there 2 times, in lines 2 and 3; leave one/,
    ],
    [
      'to remove from what is not there',
      tenant('a'),
      'cpu=',
      '',
      /^The policy has no element for tenant "a"$/,
    ],
  ];
  for (const [name, target, words, inside, message] of rows) {
    test(`setLimits() refuses ${name}`, () => {
      const edited = setLimits(policy(inside), target, assignments(words));
      assert.match(errorsOf(edited), message);
    });
  }

  test('setLimits() refuses a file that is not a policy', () => {
    const edited = setLimits('<bulkhead version="1">', defaults, assignments('cpu=5%'));
    assert.match(errorsOf(edited), /^policy:1:1: error: <bulkhead> is not closed: end it with/);
  });
});

test('setLimits() finds a tenant by uid, also when the uid is only its alias', () => {
  const text = policy('<tenant uid="01001"/>');
  const uid: TenantName = { kind: 'uid', uid: 1001 };
  const after = policy('<tenant uid="01001">', '  <cpu limit="5%"/>', '</tenant>');
  assert.equal(set(text, { kind: 'tenant', name: uid }, 'cpu=5%'), after);
  assert.equal(set(text, { ...tenant('a'), alias: uid }, 'cpu=5%'), after);
});

describe('parseAssignments()', () => {
  const rows: readonly (readonly [string, RegExp])[] = [
    ['cpu', /^"cpu" has no value; write for example "cpu=150%"$/],
    ['cpus=5%', /^There is no limit "cpus"; did you mean "cpu"\?$/],
    [
      'io=5MiB/s',
      /^"io" has several values; write io\.read, io\.write, io\.total, io\.reads, io\.writes, io\.operations$/,
    ],
    ['cpu=5', /^The cpu limit "5" is not a share of a core; write "5%" or "5 cores"$/],
    ['cpu=5% cpu.limit=6%', /^"cpu\.limit" is given twice; write it once$/],
    ['=5', /has no value/],
    ['', /^There is nothing to change; /],
  ];
  for (const [words, message] of rows) {
    test(`parseAssignments() refuses "${words}"`, () => {
      const parsed = parseAssignments(words.split(' ').filter((word) => word !== ''));
      assert.match(parsed.ok ? '' : parsed.error.map(formatProblemOrCause).join('\n'), message);
    });
  }

  test('parseAssignments() reports every error at once', () => {
    const parsed = parseAssignments(['cpu=x', 'memory=y'], ['z']);
    assert.equal(parsed.ok ? 0 : parsed.error.length, 3);
  });
});

describe('removeTarget()', () => {
  const remove = (text: string, target: EditTarget, withTenants = false) => {
    const edited = removeTarget(text, target, { withTenants });
    return edited.ok
      ? edited.value
      : assert.fail(edited.error.map(formatProblemOrCause).join('\n'));
  };

  test('removeTarget() removes the line, and one of two empty lines', () => {
    const text = policy(
      '  <tenant user="a"/>',
      '',
      '  <tenant user="b">',
      '  </tenant>',
      '',
      '  <tenant user="c"/>',
    );
    assert.equal(
      remove(text, tenant('b')),
      policy('  <tenant user="a"/>', '', '  <tenant user="c"/>'),
    );
    assert.equal(remove(remove(text, tenant('b')), tenant('c')), policy('  <tenant user="a"/>'));
  });

  test('removeTarget() refuses a package that is in use, and a reseller that has tenants', () => {
    const text = policy(
      '  <package name="p"/>',
      '  <reseller user="r" package="p">',
      '    <tenant user="a"/>',
      '  </reseller>',
    );
    assert.match(errorsOf(removeTarget(text, pack('p'))), /it is inherited from in line 3$/);
    assert.match(
      errorsOf(removeTarget(text, reseller('r'))),
      /it has 1 tenant; pass --with-tenants/,
    );
    assert.equal(remove(text, reseller('r'), true), policy('  <package name="p"/>'));
    assert.match(errorsOf(removeTarget(text, tenant('z'))), /no element for tenant "z"$/);
  });
});

test('addTenant() puts a tenant after the other tenants of its reseller', () => {
  const text = policy('  <reseller user="r"/>', '  <tenant user="b"/>');
  const add = (before: string, user: string) => {
    const edited = addTenant(before, reseller('r'), tenant(user));
    return edited.ok
      ? edited.value
      : assert.fail(edited.error.map(formatProblemOrCause).join('\n'));
  };
  assert.equal(
    add(add(text, 'a'), 'c'),
    policy(
      '  <reseller user="r">',
      '    <tenant user="a"/>',
      '    <tenant user="c"/>',
      '  </reseller>',
      '  <tenant user="b"/>',
    ),
  );
  assert.match(
    errorsOf(addTenant(text, reseller('r'), tenant('b'))),
    /^Tenant "b" is already in the policy, in line 3$/,
  );
  assert.match(
    errorsOf(addTenant(text, reseller('x'), tenant('c'))),
    /no element for reseller "x"/,
  );
});

describe('setLimits() and removeTarget() for a site', () => {
  const rows: readonly (readonly [string, string, string, string])[] = [
    [
      'a limit of a site, however its name is written',
      'cpu=50%',
      policy('  <tenant user="a">', '    <site name="A.example"/> <!-- old -->', '  </tenant>'),
      policy(
        '  <tenant user="a">',
        '    <site name="A.example">',
        '      <cpu limit="50%"/>',
        '    </site> <!-- old -->',
        '  </tenant>',
      ),
    ],
    [
      'a new site after what its tenant has',
      'memory=1GiB',
      policy('  <tenant user="a">', '    <cpu limit="100%"/>', '  </tenant>'),
      policy(
        '  <tenant user="a">',
        '    <cpu limit="100%"/>',
        '    <site name="a.example">',
        '      <memory limit="1GiB"/>',
        '    </site>',
        '  </tenant>',
      ),
    ],
    [
      'a new site in a tenant of a reseller',
      'cpu=5%',
      policy('  <reseller user="r">', '    <tenant user="a"/>', '  </reseller>'),
      policy(
        '  <reseller user="r">',
        '    <tenant user="a">',
        '      <site name="a.example">',
        '        <cpu limit="5%"/>',
        '      </site>',
        '    </tenant>',
        '  </reseller>',
      ),
    ],
  ];
  for (const [title, words, before, after] of rows) {
    test(`setLimits() writes ${title}`, () => {
      assert.equal(set(before, site('a', 'a.example'), words), after);
    });
  }

  test('setLimits() adds an element for a tenant of a range when it gets its first site', () => {
    const after = set(policy('  <tenants uids="1000-1999"/>'), site('a', 'a.example'), 'cpu=5%');
    assert.match(after, /<tenant user="a">\s+<site name="a\.example">\s+<cpu limit="5%"\/>/);
    const removed = removeTarget(after, site('a', 'a.example'));
    assert.ok(removed.ok);
    assert.doesNotMatch(removed.value, /site/);
  });

  test('setLimits() refuses a disk limit, a package, a bad name and an unknown site', () => {
    const text = policy(
      '  <package name="p"/>',
      '  <tenant user="a"><site name="a.example"/></tenant>',
    );
    const tried = (name: string, words: string) =>
      errorsOf(setLimits(text, site('a', name), assignments(words)));
    assert.match(tried('a.example', 'disk.space=1GiB'), /<disk> cannot be inside <site>/);
    assert.match(
      tried('a.example', 'package=p'),
      /"package" cannot be set for site "a\.example" of/,
    );
    assert.match(tried('../x', 'cpu=5%'), /"\.\.\/x" is not a host name/);
    assert.match(tried('b.example', 'cpu='), /no element for site "b\.example" of tenant "a"/);
    assert.match(errorsOf(removeTarget(text, site('b', 'a.example'))), /no element for site/);
  });
});
