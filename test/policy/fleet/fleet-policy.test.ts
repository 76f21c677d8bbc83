import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { formatDiagnostic } from '../../../src/policy/diagnostic.ts';
import { parseFleet, type FleetPolicy } from '../../../src/policy/fleet/fleet-policy.ts';
import { hostsOf } from '../../../src/policy/fleet/host-set.ts';
import { FleetRenderer } from '../../../src/policy/fleet/render.ts';
import { parsePolicy } from '../../../src/policy/parse.ts';
import { anyLayer } from './any-layer.ts';
import { layerPolicies } from './layer-policies.ts';

const policy = (inside: string) => `<bulkhead version="1">\n${inside}\n</bulkhead>`;
const hosts = (inside: string, attributes = '') =>
  `<hosts fleet="example"${attributes}>${inside}</hosts>`;

function fleetOf(text: string): FleetPolicy {
  const { fleet, diagnostics } = parseFleet('fleet.xml', text);
  assert.ok(fleet, diagnostics.list.map(formatDiagnostic).join('\n'));
  return fleet;
}

const example = policy(`<hosts fleet="example" local="tenants">
    <group name="shared" hosts="web-001..web-300"/>
    <group name="reseller" hosts="rs-01..rs-12"/>
    <group name="canary" hosts="web-001 web-150 rs-01"/>
    <waves watch="20min" failed="2%" silent="10%">
      <wave group="canary"/> <wave hosts="10%"/> <wave hosts="100%"/>
    </waves>
  </hosts>
  <defaults><memory limit="1GiB"/></defaults>
  <package name="business"><cpu limit="200%"/></package>
  <on group="reseller"><defaults><memory limit="2GiB"/></defaults></on>
  <on host="web-017">
    <package name="business"><cpu limit="150%"/></package>
    <tenant user="alice" package="business"/>
  </on>`);

suite('parseFleet()', () => {
  test('reads hosts, groups and waves', () => {
    const fleet = fleetOf(example);
    const { name, watchSeconds, failed, silent } = fleet;
    assert.deepEqual(
      { name, watchSeconds, failed, silent },
      { name: 'example', watchSeconds: 1200, failed: 0.02, silent: 0.1 },
    );
    assert.equal(fleet.hosts.length, 312);
    assert.deepEqual(
      fleet.waves.map((each) => each.length),
      [3, 31, 278],
    );
    assert.deepEqual(fleet.waves[0], ['web-001', 'web-150', 'rs-01']);
    assert.ok(fleet.waves[1]?.some((each) => each.startsWith('rs-')));
    assert.equal(fleet.hosts.find((each) => each.name === 'rs-01')?.wave, 1);
    assert.deepEqual(fleetOf(example).waves, fleet.waves);
  });

  test('has one wave without <waves>, and hosts in no group', () => {
    const fleet = fleetOf(policy(hosts('', ' hosts="db-1..db-12"')));
    assert.deepEqual(
      fleet.waves.map((each) => each.length),
      [12],
    );
    assert.deepEqual([fleet.watchSeconds, fleet.failed, fleet.silent], [1800, 0, 0.1]);
  });

  const mistakes: Readonly<Record<string, readonly [inside: string, at: string, error: string]>> = {
    'an unknown group': [
      `${hosts('<group name="shared" hosts="a"/>')}<on group="sharde"/>`,
      'sharde"',
      'There is no group "sharde"; did you mean "shared"?',
    ],
    'an unknown host': [
      `${hosts('', ' hosts="web-1..web-9"')}<on host="web-1 web-10"/>`,
      'web-10"',
      'The fleet has no host "web-10"; did you mean "web-1"?',
    ],
    'a host that is listed twice': [
      hosts('', ' hosts="web-1 web-1..web-3"'),
      'web-1..',
      'The host "web-1" is listed twice; remove one of them',
    ],
    'a reversed range': [
      hosts('', ' hosts="web-9..web-1"'),
      'web-9..',
      'The range "web-9..web-1" is reversed; write "web-1..web-9"',
    ],
    'half a range': [
      hosts('', ' hosts="web-1.."'),
      'web-1..',
      '"web-1.." is not a range: it needs a first and a last host; write for example "web-001..web-300"',
    ],
    'a range over names': [
      hosts('', ' hosts="web-1..rs-2"'),
      'web-1..',
      '"web-1..rs-2" is not a range: both hosts must be the same but for the number at their end; write for example "web-001..web-300"',
    ],
    'an empty group': [
      hosts('<group name="g" hosts=" "/>', ' hosts="a"'),
      ' "/>',
      'hosts names no host; write at least one',
    ],
    'a group that is defined twice': [
      hosts('<group name="g" hosts="a"/><group name="g" hosts="b"/>'),
      'g" hosts="b"',
      'The group "g" is defined twice',
    ],
    'waves without all hosts': [
      hosts('<waves><wave hosts="a-1 a-3"/></waves>', ' hosts="a-1..a-4"'),
      '<waves>',
      'The host "a-2" and 1 more host is in no wave; end with <wave hosts="100%"/>, which has all that are left',
    ],
    'a wave that is empty': [
      hosts('<waves><wave hosts="100%"/><wave hosts="a"/></waves>', ' hosts="a b"'),
      '<wave hosts="a"',
      'This <wave> has no hosts: all of them are in earlier waves; remove it',
    ],
    'a wave of both kinds': [
      hosts('<waves><wave hosts="100%" group="g"/></waves>', ' hosts="a b"'),
      '<wave hosts',
      '<wave> has both "group" and "hosts"; write two elements',
    ],
    'no hosts': [
      hosts(''),
      '<hosts',
      'The fleet has no hosts; write for example <group name="shared" hosts="web-001..web-300"/>',
    ],
    'too many hosts': [
      hosts('', ' hosts="a-1..a-6000 b-1..b-6000"'),
      '<hosts',
      'The fleet has 12000 hosts; 10000 are the most',
    ],
    'too many hosts in a range': [
      hosts('', ' hosts="a-1..a-999999999"'),
      'a-1..',
      'The range "a-1..a-999999999" has 999999999 hosts; a fleet has at most 10000',
    ],
    'the name of a host with a dot': [
      hosts('', ' hosts="web-1.example"'),
      'web-1.',
      '"web-1.example" is not the name of a host; write lower-case letters, digits and "-", at most 63',
    ],
    '<on> for nobody': [
      `${hosts('', ' hosts="a"')}<on><tenant user="a"/></on>`,
      '<on>',
      '<on> needs the attribute "group" or "host"',
    ],
    '<on> in <on>': [
      `${hosts('', ' hosts="a"')}<on host="a"><on host="a"/></on>`,
      '<on host="a"/>',
      '<on> is not known inside <on>',
    ],
    '<fleet>': [
      `${hosts('', ' hosts="a"')}<fleet name="example"/>`,
      '<fleet ',
      "<fleet> belongs into a host's own policy, which names the fleet and the host",
    ],
    'a policy without <hosts>': [
      '<defaults/>',
      '<bulkhead',
      'This is not the policy of a fleet: it has no <hosts>; write for example <hosts fleet="example"><group name="shared" hosts="web-001..web-300"/></hosts>',
    ],
  };
  for (const [name, [inside, at, error]] of Object.entries(mistakes))
    test(`refuses ${name}`, () => {
      const text = policy(inside);
      const [found, ...others] = parseFleet('fleet.xml', text).diagnostics.list;
      assert.ok(found);
      const { file, line, column, severity, message } = found;
      assert.deepEqual(
        { file, severity, message },
        { file: 'fleet.xml', severity: 'error', message: error },
      );
      assert.deepEqual(others, []);
      const there = text.split('\n')[line - 1]?.slice(column - 1) ?? '';
      assert.ok(there.startsWith(at), there);
    });

  test('is refused as the policy of a host', () => {
    const { diagnostics } = parsePolicy('policy.xml', example);
    assert.ok(diagnostics.failed);
    assert.match(diagnostics.list[0]?.message ?? '', /bulkhead fleet check/);
  });
});

suite('hostsOf()', () => {
  test('keeps leading zeros, and needs none', () => {
    assert.deepEqual(hostsOf('w-08..w-11'), { ok: true, value: ['w-08', 'w-09', 'w-10', 'w-11'] });
    assert.deepEqual(hostsOf('w8..w11'), { ok: true, value: ['w8', 'w9', 'w10', 'w11'] });
    assert.equal(hostsOf('w-08..w-100').ok, false);
    assert.deepEqual(hostsOf('w-3..w-3'), { ok: true, value: ['w-3'] });
  });
});

suite('FleetRenderer', () => {
  test('renders what a host gets, and shares what hosts have in common', () => {
    const renderer = new FleetRenderer(fleetOf(example));
    assert.equal(
      renderer.textOf('web-017'),
      `<bulkhead version="1">
  <fleet name="example" local="tenants"/>
  <defaults>
    <memory limit="1GiB"/>
  </defaults>
  <package name="business">
    <cpu limit="150%"/>
  </package>
  <tenant user="alice" package="business"/>
</bulkhead>
`,
    );
    assert.equal(renderer.textOf('nobody'), undefined);
    assert.deepEqual(
      renderer.groups().map((each) => each.length),
      [299, 1, 12],
    );
    assert.equal(renderer.textOf('web-001'), renderer.textOf('web-150'));
  });

  test('names the lines of the policy of the fleet', () => {
    const renderer = new FleetRenderer(
      fleetOf(
        policy(`${hosts('', ' hosts="a b"')}
<on host="b"><defaults><cpu limit="much"/></defaults></on>`),
      ),
    );
    assert.deepEqual(renderer.parsed('a', new Map())?.diagnostics.list, []);
    assert.deepEqual(
      renderer
        .parsed('b', new Map())
        ?.diagnostics.list.map(({ file, line, column }) => [file, line, column]),
      [['fleet.xml', 3, 36]],
    );
  });

  test('is the merge of the layers, in any order of hosts', () => {
    const inside = (text: string) => text.replace(/^<bulkhead version="1">|<\/bulkhead>$/g, '');
    fc.assert(
      fc.property(anyLayer, anyLayer, anyLayer, fc.boolean(), (base, one, two, isReversed) => {
        const renderer = new FleetRenderer(
          fleetOf(
            policy(`${hosts('<group name="g" hosts="a b"/>', ' hosts="c"')}${inside(base)}
              <on group="g">${inside(one)}</on><on host="b c">${inside(two)}</on>`),
          ),
        );
        const layers = { a: [base, one], b: [base, one, two], c: [base, two] };
        const all = Object.entries(layers);
        for (const [host, texts] of isReversed ? all.toReversed() : all) {
          const merged = layerPolicies(texts.map((text) => ({ file: '', text })));
          assert.equal(renderer.textOf(host), merged.ok && merged.value.text);
        }
      }),
    );
  });
});
