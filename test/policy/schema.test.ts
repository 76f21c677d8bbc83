import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { attributes, limits } from '../../src/limits/limits.ts';
import { quantityKinds } from '../../packages/base/quantity.ts';
import { parseFleet } from '../../src/policy/fleet/fleet-policy.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import {
  examplePolicy,
  policyReference,
  reached,
} from '../../scripts/generated/policy-reference.ts';
import { resolvePolicy } from '../../src/policy/resolve.ts';
import { policySchema } from '../../scripts/generated/policy-schema.ts';
import { elements } from '../../src/policy/vocabulary.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';

const directory = suiteDirectory('schema');
const schema = join(directory, 'bulkhead.xsd');
writeFileSync(schema, policySchema());

const xmllint = spawnSync('xmllint', ['--version']).error === undefined;
const skip = xmllint ? false : 'needs xmllint (Debian: libxml2-utils)';

/** Returns xmllint's errors for a text; empty if it is valid. */
function problems(text: string): string {
  const { status, stderr } = spawnSync('xmllint', ['--noout', '--nonet', '--schema', schema, '-'], {
    input: text,
    encoding: 'utf8',
  });
  return status === 0 ? '' : stderr;
}

const root = new URL('../../', import.meta.url).pathname;
const policy = (inside: string) => `<bulkhead version="1">${inside}</bulkhead>`;

describe('policySchema() for valid policies', { skip }, () => {
  test('policySchema() accepts the example of the reference', () =>
    assert.equal(problems(examplePolicy), ''));

  for (const file of globSync('examples/*.xml', { cwd: root })) {
    test(`policySchema() accepts ${file}`, () =>
      assert.equal(problems(readFileSync(`${root}${file}`, 'utf8')), ''));
  }

  test('policySchema() accepts each limit with each example of its kind, and "unlimited"', () => {
    for (const { limit, name, kind, unlimited } of attributes.values()) {
      const values = [...quantityKinds[kind].examples, ...(unlimited ? ['unlimited'] : [])];
      for (const value of values) {
        const text = policy(`<defaults><${limit.name} ${name}="${value}"/></defaults>`);
        assert.equal(problems(text), '');
        assert.equal(parsePolicy('', text).diagnostics.failed, false);
      }
    }
  });

  test('policySchema() accepts each combination of who may set site limits', () => {
    for (const who of [
      'administrator',
      'reseller',
      'tenant',
      'reseller tenant',
      'tenant, reseller',
    ]) {
      const text = policy(`<defaults><sites limits="${who}"/></defaults>`);
      assert.equal(problems(text), '');
      assert.equal(parsePolicy('', text).diagnostics.failed, false);
    }
  });

  test('policySchema() accepts children in any order', () => {
    const text = policy(
      '<tenant uid="5"><memory limit="1GiB"/><cpu limit="5%"/></tenant><package name="p"/><defaults/>',
    );
    assert.equal(problems(text), '');
  });
});

/** Wrong to the schema and to the parser (with the accounts of nobody). */
const wrong: readonly (readonly [string, string])[] = [
  ['no version', '<bulkhead/>'],
  ['another version', '<bulkhead version="2"/>'],
  ['an unknown element', policy('<limits/>')],
  ['an unknown limit', policy('<defaults><cpus limit="5%"/></defaults>')],
  ['an unknown attribute', policy('<defaults><cpu limits="5%"/></defaults>')],
  ['limits of sites by nobody known', policy('<defaults><sites limits="own"/></defaults>')],
  [
    'limits of sites by some and nobody',
    policy('<defaults><sites limits="tenant administrator"/></defaults>'),
  ],
  ['a number without a unit', policy('<defaults><cpu limit="5"/></defaults>')],
  ['a wrong unit', policy('<defaults><memory limit="5Mb"/></defaults>')],
  ['a rate without its second', policy('<defaults><io read="5MiB"/></defaults>')],
  ['unlimited where it means nothing', policy('<defaults><cpu weight="unlimited"/></defaults>')],
  ['a negative number', policy('<defaults><processes limit="-5"/></defaults>')],
  ['a limit twice', policy('<defaults><cpu limit="5%"/><cpu limit="6%"/></defaults>')],
  ['a limit at the top', policy('<cpu limit="5%"/>')],
  ['text', policy('<defaults>5%</defaults>')],
  ['a tenant without a name', policy('<tenant/>')],
  ['a tenant with two names', policy('<tenant user="alice" uid="1001"/>')],
  [
    'a tenant twice',
    policy('<tenant uid="1001"/><reseller uid="1002"><tenant uid="1001"/></reseller>'),
  ],
  ['a reseller twice', policy('<reseller uid="1001"/><reseller uid="1001"/>')],
  ['a package twice', policy('<package name="p"/><package name="p"/>')],
  ['a package that is not there', policy('<tenant uid="1001" package="p"/>')],
  ['a package without a name', policy('<package/>')],
  ['a bad range', policy('<tenants uids="1000..2000"/>')],
  ['a bad name', policy('<package name="a/b"/>')],
  ['a bad user', policy('<tenant user="a b"/>')],
  ['an unknown driver', policy('<host driver="docker"/>')],
  ['an unknown trust level', policy('<modules require="good"/>')],
  ['symlinks without users', policy('<symlinks follow="owner-match"/>')],
];

describe('policySchema() for invalid policies', () => {
  for (const [name, text] of wrong) {
    test(`policySchema() refuses ${name}`, { skip }, () => {
      assert.notEqual(problems(text), '');
      const { document, diagnostics } = parsePolicy('', text);
      if (document !== undefined) resolvePolicy(document, { accounts: [], uidMin: 1000 });
      assert.ok(diagnostics.failed);
    });
  }
});

/** Puts an example inside the elements that it needs around it. */
function inPlace(block: string): string {
  const name = /^<([a-z]+)/.exec(block)?.[1] ?? '';
  if (limits.some((limit) => limit.name === name)) return `<defaults>${block}</defaults>`;
  const [parent] = Object.entries(elements).find(([, spec]) => spec.children.includes(name)) ?? [];
  if (parent === undefined || parent === 'bulkhead') return block;
  const needed: Record<string, string> = {
    tenant: ' uid="1001"',
    jail: ' profile="web"',
    panel: ' source="auto"',
    app: ' name="a" command="x"',
    hosts: ' fleet="example" hosts="web-017 web-018"',
  };
  const attributes = needed[parent] ?? '';
  return inPlace(`<${parent}${attributes}>${block}</${parent}>`);
}

describe('policyReference()', () => {
  const page = policyReference();

  test('policyReference() lists every element, limit and attribute', () => {
    for (const [name, spec] of Object.entries(elements)) {
      assert.ok(page.includes(`\n### ${name}\n`), name);
      for (const key of Object.keys(spec.attributes)) assert.ok(page.includes(`| \`${key}\``), key);
    }
    for (const limit of limits) {
      assert.ok(page.includes(`\n### ${limit.name}\n`), limit.name);
      assert.ok((reached[limit.name] ?? '').length > 0, limit.name);
      for (const key of Object.keys(limit.attributes))
        assert.ok(page.includes(`| \`${key}\``), key);
    }
  });

  test('policyReference() has only examples that parsePolicy() accepts', () => {
    const blocks = [...page.matchAll(/```xml\n([^]*?)```/g)].map((match) => match[1] ?? '');
    for (const block of blocks) {
      if (/^<\?xml-model|…/.test(block)) continue;
      const text = /<bulkhead/.test(block) ? block : policy(inPlace(block));
      const isFleets = /<(?:hosts|on|group|waves?)[ >]/.test(block);
      const whole = text.includes('<hosts')
        ? text
        : text.replace('>', '><hosts fleet="example" hosts="web-017"/>');
      const { diagnostics } = isFleets ? parseFleet('', whole) : parsePolicy('', text);
      assert.deepEqual(diagnostics.list, []);
    }
    assert.ok(blocks.length > limits.length);
  });

  test('policyReference() has no trailing white space and no empty section', () => {
    assert.ok(!/[ \t]$/m.test(page) && !/\n{3}/.test(page));
  });
});
