import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { formatProblemOrCause } from '../../packages/base/problem.ts';
import { parseAssignments } from '../../src/policy/assignment.ts';
import type { LimitBlock, TenantElement, TenantName } from '../../src/policy/document.ts';
import { addTenant, removeTarget, setLimits, type EditTarget } from '../../src/policy/edit.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import { xmlAttribute, type XmlElement } from '../../src/policy/xml.ts';

const tenant = (user: string): EditTarget & { kind: 'tenant' | 'reseller' } => ({
  kind: 'tenant',
  name: { kind: 'user', user },
});
const reseller = (user: string): EditTarget => ({ kind: 'reseller', name: { kind: 'user', user } });
const defaults: EditTarget = { kind: 'defaults' };
const site = (user: string, name: string): EditTarget => ({
  kind: 'site',
  name,
  tenant: tenant(user),
});
const pack = (name: string): EditTarget => ({ kind: 'package', name });

function assignments(words: string) {
  const parsed = parseAssignments(words.split(' ').filter((word) => word !== ''));
  if (!parsed.ok) assert.fail(parsed.error.map(formatProblemOrCause).join('\n'));
  return parsed.value;
}

function set(text: string, target: EditTarget, words: string): string {
  const edited = setLimits(text, target, assignments(words));
  if (!edited.ok) assert.fail(edited.error.map(formatProblemOrCause).join('\n'));
  return edited.value;
}

function errorsOf(edited: ReturnType<typeof setLimits>): string {
  return edited.ok ? assert.fail('no error') : edited.error.map(formatProblemOrCause).join('\n');
}

const lines = (...each: string[]) => each.join('\n') + '\n';
const policy = (...inside: string[]) => lines('<bulkhead version="1">', ...inside, '</bulkhead>');

describe('setLimits() with a value', () => {
  const rows: readonly (readonly [string, EditTarget, string, string, string])[] = [
    [
      'a value in place, whatever its quotes',
      tenant('a'),
      'cpu=150%',
      policy(`<tenant user='a'><cpu weight="5"  limit = '1 core' /></tenant>`),
      policy(`<tenant user='a'><cpu weight="5"  limit = '150%' /></tenant>`),
    ],
    [
      'an attribute after the others',
      tenant('a'),
      'memory.soft=3GiB',
      policy('  <tenant user="a"><memory limit="4GiB"/></tenant>'),
      policy('  <tenant user="a"><memory limit="4GiB" soft="3GiB"/></tenant>'),
    ],
    [
      'an attribute in its own line, where the others have theirs',
      tenant('a'),
      'io.writes=5/s',
      policy('  <tenant user="a">', '    <io', '      read="1MiB/s"', '    />', '  </tenant>'),
      policy(
        '  <tenant user="a">',
        '    <io',
        '      read="1MiB/s"',
        '      writes="5/s"',
        '    />',
        '  </tenant>',
      ),
    ],
    [
      'into a self-closing element',
      tenant('a'),
      'cpu=150% memory=2GiB package=p',
      policy('    <package name="p"/>', '    <tenant user="a" />'),
      policy(
        '    <package name="p"/>',
        '    <tenant user="a" package="p">',
        '        <cpu limit="150%"/>',
        '        <memory limit="2GiB"/>',
        '    </tenant>',
      ),
    ],
    [
      'a limit in the order of the table, after the comment of the one before',
      defaults,
      'memory=1GiB',
      policy(
        '\t<defaults>',
        '\t\t<cpu limit="1%"/> <!-- c -->',
        '\t\t<io read="1MiB/s"/>',
        '\t</defaults>',
      ),
      policy(
        '\t<defaults>',
        '\t\t<cpu limit="1%"/> <!-- c -->',
        '\t\t<memory limit="1GiB"/>',
        '\t\t<io read="1MiB/s"/>',
        '\t</defaults>',
      ),
    ],
    [
      'not between a comment and what it is about',
      defaults,
      'cpu=5%',
      policy('  <defaults>', '    <!-- m -->', '    <memory limit="1GiB"/>', '  </defaults>'),
      policy(
        '  <defaults>',
        '    <!-- m -->',
        '    <memory limit="1GiB"/>',
        '    <cpu limit="5%"/>',
        '  </defaults>',
      ),
    ],
    [
      'a limit of a reseller before its tenants',
      reseller('r'),
      'cpu=5%',
      policy('  <reseller user="r"> <!-- r -->', '    <tenant user="a"/>', '  </reseller>'),
      policy(
        '  <reseller user="r"> <!-- r -->',
        '    <cpu limit="5%"/>',
        '    <tenant user="a"/>',
        '  </reseller>',
      ),
    ],
    [
      'a tenant inside a reseller',
      tenant('a'),
      'cpu=5%',
      policy('  <reseller user="r">', '    <tenant user="a"/>', '  </reseller>'),
      policy(
        '  <reseller user="r">',
        '    <tenant user="a">',
        '      <cpu limit="5%"/>',
        '    </tenant>',
        '  </reseller>',
      ),
    ],
    [
      'a new tenant after the others, as they are spaced',
      tenant('b'),
      'cpu=5%',
      policy(
        '  <defaults/>',
        '',
        '  <tenant user="a"/>',
        '',
        '  <symlinks follow="owner-match" by="w"/>',
      ),
      policy(
        '  <defaults/>',
        '',
        '  <tenant user="a"/>',
        '',
        '  <tenant user="b">',
        '    <cpu limit="5%"/>',
        '  </tenant>',
        '',
        '  <symlinks follow="owner-match" by="w"/>',
      ),
    ],
    [
      'new elements into an empty policy',
      pack('p'),
      'entries=5',
      '<bulkhead version="1"/>',
      '<bulkhead version="1">\n  <package name="p">\n    <entries limit="5"/>\n  </package>\n</bulkhead>',
    ],
    [
      'new defaults after the tenants',
      defaults,
      'cpu=5%',
      policy('  <tenants uids="1000-2000"/>', '  <tenant user="a"/>'),
      policy(
        '  <tenants uids="1000-2000"/>',
        '  <defaults>',
        '    <cpu limit="5%"/>',
        '  </defaults>',
        '  <tenant user="a"/>',
      ),
    ],
    [
      'in one line, where all is in one line',
      tenant('a'),
      'memory=1GiB',
      '<bulkhead version="1"> <tenant user="a"> <cpu limit="1%"/> </tenant> </bulkhead>',
      '<bulkhead version="1"> <tenant user="a"> <cpu limit="1%"/> <memory limit="1GiB"/> </tenant> </bulkhead>',
    ],
    [
      'over a value that is wrong',
      tenant('a'),
      'cpu=5%',
      policy(
        '<tenant user="a"><cpu limit="lots"/></tenant>',
        '<tenant user="b"><cpu limit="x"/></tenant>',
      ),
      policy(
        '<tenant user="a"><cpu limit="5%"/></tenant>',
        '<tenant user="b"><cpu limit="x"/></tenant>',
      ),
    ],
  ];
  for (const [name, target, words, before, after] of rows) {
    test(`setLimits() writes ${name}`, () => {
      assert.equal(set(before, target, words), after);
      const crlf = (text: string) => text.replaceAll('\n', '\r\n');
      if (before.includes('\n')) assert.equal(set(crlf(before), target, words), crlf(after));
      if (before.includes('\n'))
        assert.equal(set('\uFEFF' + before, target, words), '\uFEFF' + after);
    });
  }
});

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
      /^A package cannot be set for the defaults/,
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

/** A policy in some layout, and what it says. */
const comment = fc.constantFrom(
  '<!-- <tenant user="t1"> -->',
  '<!-- it\'s > "5" & more -->',
  '<!---->',
  '<!-- one\n  two -->',
);
const style = fc.record({
  lineEnd: fc.constantFrom('\n', '\r\n'),
  step: fc.constantFrom('\t', '  ', '    ', ''),
  oneLine: fc.boolean(),
  start: fc.constantFrom('', '\uFEFF', '<?xml version="1.0" encoding="UTF-8"?>\n', '<!-- > -->\n'),
  end: fc.constantFrom('', '\n', '\n<!-- end -->\n'),
});
const gaps = fc.array(fc.oneof({ weight: 3, arbitrary: fc.constant('') }, comment), {
  minLength: 40,
  maxLength: 40,
});
const quotes = fc.array(fc.constantFrom('"', "'"), { minLength: 40, maxLength: 40 });
const spaces = fc.array(fc.constantFrom('', '', ' '), { minLength: 40, maxLength: 40 });
const limitText = fc.constantFrom(
  ['cpu', 'limit', '150%'],
  ['memory', 'limit', '1GiB'],
  ['io', 'read', '5MiB/s'],
  ['processes', 'limit', '&#49;00'],
  ['memory', 'soft', '512MiB'],
);
const block = fc.uniqueArray(limitText, { maxLength: 4, selector: ([name]) => name });

const anyPolicy = fc
  .record({
    style,
    gaps,
    quotes,
    spaces,
    blocks: fc.array(block, { minLength: 5, maxLength: 5 }),
    hasDefaults: fc.boolean(),
    selfClose: fc.boolean(),
  })
  .map((parts) => new Writer(parts).text());

interface Parts {
  style: { lineEnd: string; step: string; oneLine: boolean; start: string; end: string };
  gaps: string[];
  quotes: string[];
  spaces: string[];
  blocks: (readonly string[])[][];
  hasDefaults: boolean;
  selfClose: boolean;
}

class Writer {
  readonly #parts: Parts;
  #used = 0;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  text(): string {
    const { style, blocks, hasDefaults } = this.#parts;
    const [inDefaults = [], inPackage = [], inReseller = [], inNested = [], inTenant = []] = blocks;
    const body = this.#element(
      0,
      'bulkhead',
      [['version', '1']],
      [
        ...(hasDefaults ? [() => this.#block(1, 'defaults', [], inDefaults)] : []),
        () => this.#block(1, 'package', [['name', 'p&#49;']], inPackage),
        () =>
          this.#block(1, 'reseller', [['user', 'r1']], inReseller, [
            () => this.#block(2, 'tenant', [['user', 't1']], inNested),
          ]),
        () =>
          this.#block(
            1,
            'tenant',
            [
              ['uid', '1005'],
              ['package', 'p1'],
            ],
            inTenant,
          ),
        () =>
          this.#element(
            1,
            'modules',
            [],
            [
              () =>
                this.#element(
                  2,
                  'deny',
                  [
                    ['name', 'lve'],
                    ['reason', 'a > b &amp; c/>'],
                  ],
                  [],
                ),
            ],
          ),
      ],
    );
    const text = style.start + body + style.end;
    return text.replace(/\r?\n/g, style.lineEnd);
  }

  #next<T>(list: readonly T[]): T {
    return list[this.#used++ % list.length] as T;
  }

  #block(
    depth: number,
    name: string,
    attributes: string[][],
    block: readonly (readonly string[])[],
    more: (() => string)[] = [],
  ) {
    const children = block.map(
      ([limit = '', attribute = '', value = '']) =>
        () =>
          this.#element(depth + 1, limit, [[attribute, value]], []),
    );
    return this.#element(depth, name, attributes, [...children, ...more]);
  }

  #element(
    depth: number,
    name: string,
    attributes: string[][],
    children: (() => string)[],
  ): string {
    const { style, gaps, quotes, spaces, selfClose } = this.#parts;
    const head = attributes.map(([key, value]) => {
      const quote = this.#next(quotes);
      const space = this.#next(spaces);
      return ` ${key}${space}=${space}${quote}${value}${quote}`;
    });
    const start = `<${name}${head.join('')}${this.#next(spaces)}`;
    if (children.length === 0 && selfClose) return `${start}/>`;
    const line = style.oneLine ? '' : `\n${style.step.repeat(depth + 1)}`;
    const inside = children.map((child) => {
      const before = this.#next(gaps);
      const after = this.#next(gaps);
      return `${line}${before}${before === '' ? '' : line}${child()}${after}`;
    });
    const last = style.oneLine ? '' : `\n${style.step.repeat(depth)}`;
    return `${start}>${inside.join('')}${children.length === 0 ? this.#next(gaps) : last}</${name}>`;
  }
}

/** Returns the meaning of a policy, regardless of how it is written. */
function meaning(text: string) {
  const { document, diagnostics } = parsePolicy('', text);
  assert.ok(document !== undefined && !diagnostics.failed, JSON.stringify(diagnostics.list));
  const values = ({ values }: LimitBlock) =>
    Object.fromEntries([...values].map(([key, { value }]) => [key, value] as const).sort());
  const one = (each: TenantElement) => ({
    name: each.name.value,
    package: each.package?.value,
    values: values(each),
  });
  return {
    defaults: document.defaults && values(document.defaults),
    packages: document.packages.map((each) => [each.name.value, values(each)]),
    tenants: document.tenants.map(one),
    resellers: document.resellers.map((each) => ({
      name: each.name.value,
      package: each.package?.value,
      values: values(each),
      tenants: each.tenants.map(one),
    })),
    deny: document.modules?.deny.map((each) => each.reason),
  };
}

const comments = (text: string) => text.match(/<!--[\s\S]*?-->/g) ?? [];

/** Returns the first element of the text that the target could be. */
function elementOf(text: string, target: EditTarget): XmlElement | undefined {
  const root = parsePolicy('', text).document?.root;
  const all = root?.children.flatMap((each) => [each, ...each.children]) ?? [];
  return all.find((each) => {
    if (each.name !== target.kind) return false;
    if (target.kind === 'defaults') return true;
    if (target.kind === 'package' || target.kind === 'site')
      return xmlAttribute(each, 'name')?.value === target.name;
    return target.name.kind === 'user'
      ? xmlAttribute(each, 'user')?.value === target.name.user
      : xmlAttribute(each, 'uid')?.value === String(target.name.uid);
  });
}

const anyTarget = fc.constantFrom<EditTarget>(
  defaults,
  pack('p1'),
  pack('new'),
  reseller('r1'),
  reseller('r2'),
  tenant('t1'),
  tenant('t2'),
  { kind: 'tenant', name: { kind: 'uid', uid: 1005 } },
);
const anyWords = fc.uniqueArray(
  fc.constantFrom(
    'cpu=77%',
    'cpu.weight=7',
    'memory=7GiB',
    'memory.soft=6GiB',
    'io.read=7MiB/s',
    'entries=7',
    'disk.files=7',
  ),
  { minLength: 1, maxLength: 4 },
);

function assertSameOutside(before: string, after: string, target: EditTarget): void {
  const element = elementOf(before, target);
  if (element === undefined) return assertInserted(before, after);
  assert.equal(after.slice(0, element.start), before.slice(0, element.start));
  assert.ok(after.endsWith(before.slice(element.end)));
}

/** Checks that `after` is `before` with an insertion at one place. */
function assertInserted(before: string, after: string): void {
  let same = 0;
  while (same < before.length && before[same] === after[same]) same++;
  assert.ok(after.endsWith(before.slice(same)) && after.length >= before.length);
}

test('setLimits() changes the given values and not a byte elsewhere', () => {
  fc.assert(
    fc.property(anyPolicy, anyTarget, anyWords, (text, target, words) => {
      const after = set(text, target, words.join(' '));
      assertSameOutside(text, after, target);
      assert.deepEqual(comments(after), comments(text));
      const edited = elementOf(after, target);
      for (const word of words) {
        const [key = '', value] = word.split('=');
        const [limit, attribute = 'limit'] = key.split('.');
        const element = edited?.children.find((each) => each.name === limit);
        assert.equal(element && xmlAttribute(element, attribute)?.value, value);
      }
      assert.equal(set(after, target, words.join(' ')), after);
      if (!text.replaceAll('\r\n', '').includes('\n')) {
        if (text.includes('\r\n')) assert.ok(!after.replaceAll('\r\n', '').includes('\n'));
      }
    }),
    { numRuns: 1500 },
  );
});

test('setLimits() leaves the meaning unchanged when it sets and then removes a limit', () => {
  fc.assert(
    fc.property(anyPolicy, anyTarget, anyWords, (text, target, words) => {
      const before = meaning(text);
      const keys = words.map((word) => word.split('=')[0] ?? '');
      const existing = elementOf(text, target);
      const fresh = keys.filter((key) => {
        const [limit, attribute = 'limit'] = key.split('.');
        const element = existing?.children.find((each) => each.name === limit);
        return element === undefined || xmlAttribute(element, attribute) === undefined;
      });
      fc.pre(existing !== undefined && fresh.length > 0);
      const changed = set(text, target, fresh.map((key) => words[keys.indexOf(key)]).join(' '));
      const restored = set(changed, target, fresh.map((key) => `${key}=`).join(' '));
      assert.deepEqual(meaning(restored), before);
      assert.deepEqual(comments(restored), comments(text));
      assertSameOutside(text, restored, target);
    }),
    { numRuns: 1500 },
  );
});

test('setLimits() replaces only the text between the quotes when there is a value', () => {
  fc.assert(
    fc.property(anyPolicy, anyTarget, (text, target) => {
      const limit = elementOf(text, target)?.children.find((each) => each.name === 'processes');
      const at = limit && xmlAttribute(limit, 'limit');
      fc.pre(at !== undefined);
      const after = set(text, target, 'processes=4242');
      assert.equal(after, `${text.slice(0, at.start)}4242${text.slice(at.end)}`);
    }),
  );
});

test('removeTarget() keeps every other element, and every comment outside it', () => {
  fc.assert(
    fc.property(anyPolicy, anyTarget, (text, target) => {
      const element = elementOf(text, target);
      fc.pre(element !== undefined && target.kind !== 'package');
      const edited = removeTarget(text, target, { withTenants: true });
      const after = edited.ok
        ? edited.value
        : assert.fail(edited.error.map(formatProblemOrCause).join());
      assert.equal(elementOf(after, target), undefined);
      const outside = text.slice(0, element.start) + text.slice(element.end);
      assert.deepEqual(comments(after), comments(outside));
      assert.deepEqual(meaning(after), meaning(outside));
    }),
    { numRuns: 500 },
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
    assert.match(tried('a.example', 'package=p'), /package cannot be set for site "a\.example" of/);
    assert.match(tried('../x', 'cpu=5%'), /"\.\.\/x" is not a host name/);
    assert.match(tried('b.example', 'cpu='), /no element for site "b\.example" of tenant "a"/);
    assert.match(errorsOf(removeTarget(text, site('b', 'a.example'))), /no element for site/);
  });
});
