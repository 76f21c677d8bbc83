/** `bulkhead fleet check`, `render`, `explain` and `plan` as people run them. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, suite, test } from 'node:test';
import type {
  FleetCheckJson,
  FleetExplainJson,
  FleetPlanJson,
  FleetRenderJson,
} from '../../src/fleet/commands/json.ts';
import { jsonOf } from '../../testing/json-output.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';
import { mainFile } from '../../testing/program.ts';

const example = `<bulkhead version="1">
  <hosts fleet="example" local="tenants">
    <group name="shared" hosts="web-001..web-300"/>
    <group name="reseller" hosts="rs-01..rs-12"/>
    <waves><wave hosts="web-001 rs-01"/><wave hosts="100%"/></waves>
  </hosts>
  <defaults><memory limit="1GiB"/></defaults>
  <package name="business"><cpu limit="200%"/></package>
  <tenant user="carol"><site name="shop.example"/></tenant>
  <on group="reseller"><defaults><memory limit="2GiB"/></defaults></on>
  <on host="web-017">
    <package name="business"><cpu limit="150%"/></package>
    <tenant user="alice" package="business"/>
    <tenant uid="1007" package="business"/>
  </on>
</bulkhead>
`;

suite('bulkhead fleet, the policy', () => {
  const home = suiteDirectory('fleet-policy-commands');
  const key = join(home, 'alice');
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'alice', '-f', key]);
  const env = { ...process.env, HOME: home, SSH_AUTH_SOCK: '', NO_COLOR: '1' };
  const file = join(home, 'fleet.xml');
  const run = (...args: readonly string[]) =>
    spawnSync(process.execPath, [mainFile, 'fleet', ...args], { cwd: home, encoding: 'utf8', env });
  function done(...args: readonly string[]): string {
    const { status, stdout, stderr } = run(...args);
    assert.deepEqual([status, stderr], [0, '']);
    return stdout;
  }
  function refused(...args: readonly string[]): string {
    const { status, stderr } = run(...args);
    assert.equal(status, 1);
    assert.doesNotMatch(stderr, /^\s+at /m);
    return stderr;
  }
  const edit = (from: string, to: string) => {
    const text = readFileSync(file, 'utf8');
    assert.ok(text.includes(from), from);
    writeFileSync(file, text.replace(from, to));
  };
  const plan = () => jsonOf<FleetPlanJson>('fleet plan', done('plan', '--json'));

  beforeEach(() => writeFileSync(file, example));

  test('check reports a mistake in any host, with its line and its hosts', () => {
    assert.equal(
      done('check'),
      'fleet.xml is correct: 312 hosts, 2 groups, 2 waves, 3 different policies\n',
    );
    edit('<memory limit="2GiB"/>', '<memory limit="much"/>');
    edit('uid="1007" package="business"', 'uid="1007" package="busines"');
    const { status, stdout } = run('check', '--json');
    assert.equal(status, 1);
    const { ok, diagnostics, policies } = jsonOf<FleetCheckJson>('fleet check', stdout);
    assert.deepEqual([ok, policies], [false, 3]);
    const found = diagnostics.map(
      ({ file: where, line, message }) => `${where}:${line}: ${message}`,
    );
    assert.match(found[0] ?? '', /^fleet\.xml:10: .*"much".* \(on rs-01 and 11 more hosts\)$/);
    assert.match(found[1] ?? '', /^fleet\.xml:14: There is no package "busines".* \(on web-017\)$/);
    assert.equal(found.length, 2);
    assert.match(refused('sign', '--key', key), /fleet|trust/);
    edit('<group name="reseller"', '<gruop name="reseller"');
    assert.match(refused('check'), /fleet\.xml:4:5: error: <gruop> is not known inside <hosts>/);
  });

  test('render prints what a host gets', () => {
    const text = done('render', 'rs-07');
    assert.match(text, /<defaults>\n {4}<memory limit="2GiB"\/>\n {2}<\/defaults>/);
    assert.doesNotMatch(text, /<hosts|<on|alice/);
    const json = jsonOf<FleetRenderJson>('fleet render', done('render', 'rs-07', '--json'));
    assert.deepEqual(json, { fleet: 'example', host: 'rs-07', wave: 2, text });
    assert.match(
      refused('render', 'web-17'),
      /"web-17": it is not a host .*did you mean "web-017"/,
    );
  });

  test('explain names the line of fleet.xml', () => {
    const explained = jsonOf<FleetExplainJson>(
      'fleet explain',
      done('explain', 'web-017', 'alice', '--json'),
    );
    const lineOf = (limit: string) => explained.limits.find((each) => each.limit === limit);
    assert.deepEqual([explained.uid, explained.file], [undefined, 'fleet.xml']);
    assert.deepEqual([lineOf('cpu limit')?.value, lineOf('cpu limit')?.line], ['150%', 12]);
    assert.deepEqual([lineOf('memory limit')?.value, lineOf('memory limit')?.line], ['1GiB', 7]);
    assert.match(done('explain', 'web-017', '1007'), /fleet\.xml:12/);
    assert.match(done('explain', 'rs-01', 'carol'), /memory limit +2GiB +defaults +fleet\.xml:10/);
    assert.match(done('explain', 'rs-01', 'carol/shop.example'), /carol\/shop\.example/);
    assert.match(refused('explain', 'rs-01', 'alice'), /not a tenant .*explained there/);
  });

  test('plan compares with the last signed release', () => {
    execFileSync(
      process.execPath,
      [mainFile, 'fleet', 'init', 'new', '--name', 'example', '--person', `alice=${key}.pub`],
      { cwd: home, env },
    );
    writeFileSync(join(home, 'trust.json'), readFileSync(join(home, 'new', 'trust.json')));
    const first = plan();
    assert.deepEqual([first.generation, first.changing.length, first.new.length], [1, 0, 312]);
    done('sign', '--key', key);
    const none = plan();
    assert.deepEqual([none.generation, none.changing, none.same, none.changes], [2, [], 312, []]);

    edit('<memory limit="1GiB"/>', '<memory limit="768MiB"/>');
    edit('<cpu limit="150%"/>', '<cpu limit="175%"/>');
    const next = plan();
    assert.equal(next.changing.length, 300);
    assert.equal(next.same, 12);
    assert.deepEqual(
      next.changes.map(({ element, setting, from, to, hosts, tenants }) => [
        element,
        setting,
        from,
        to,
        hosts,
        tenants,
      ]),
      [
        // carol on 300 hosts, alice and uid 1007 on one.
        ['the defaults', 'memory.limit', '1GiB', '768MiB', 300, 302],
        ['package "business"', 'cpu.limit', '150%', '175%', 1, 2],
      ],
    );
    assert.match(
      done('plan'),
      /^generation 2: 300 of 312 hosts change; 12 have the same policy\n {2}the defaults: memory\.limit 1GiB → 768MiB {2}\(300 hosts; 302 tenants that fleet\.xml names\)\n/,
    );
  });

  test('plan shows hosts that come and go, and large changes', () => {
    edit('rs-01..rs-12', 'rs-01..rs-11 rs-20');
    edit('    <tenant user="alice" package="business"/>\n', '');
    const { new: added, leaving, large } = plan();
    assert.deepEqual([added, leaving], [['rs-20'], ['rs-12']]);
    assert.deepEqual(large, [{ host: 'web-017', reasons: ['1 of 3 tenants leave'] }]);
    const release = join(home, 'release.json');
    const text = readFileSync(release, 'utf8');
    writeFileSync(release, text.replace(/("[0-9a-f]{64}": ")../g, '$1AA'));
    assert.match(refused('plan'), /does not have the policy that people signed for/);
    writeFileSync(release, text);
  });

  test('plan compares with nothing that people have not signed', () => {
    edit('<memory limit="1GiB"/>', '<memory limit="64MiB"/>');
    const release = join(home, 'release.json');
    const signed = readFileSync(release, 'utf8');
    // What somebody without a key would write, so that the change does not show: the new policies, under the old head.
    done('sign', '--key', key);
    const other = JSON.parse(readFileSync(release, 'utf8')) as Record<string, unknown>;
    const { head } = JSON.parse(signed) as { head: { signatures: string[] } };
    writeFileSync(release, JSON.stringify({ ...other, head }));
    assert.match(refused('plan'), /release\.json does not have the hosts that people signed/);
    writeFileSync(release, JSON.stringify({ ...other, head: { ...head, signatures: [] } }));
    assert.match(refused('plan'), /not signed by anybody of trust version 1/);
    writeFileSync(release, signed);
    assert.equal(plan().changing.length, 300);
  });
});
