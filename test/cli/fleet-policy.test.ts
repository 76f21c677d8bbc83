/** A host in a fleet: every command reads the release's policy below the host's own file, and changes only that file. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, suite, test } from 'node:test';
import { pathsOf } from '../../src/host/paths.ts';
import { fleetPolicyFile } from '../../src/host/fleet/fleet-policy.ts';
import type { Explanation } from '../../src/policy/explain.ts';
import { policyReader } from '../../src/apply/load-policy.ts';
import { capabilities } from '../../src/capabilities.ts';
import type { CheckJson } from '../../src/cli/commands/json.ts';
import { bulkhead as run, directory, file, now, usePolicy } from './edit-stage.ts';

const skip = process.geteuid?.() === 0 ? false : 'needs root';
const instance = `fleet-policy-${process.pid}`;
const paths = pathsOf(instance);
const release = fleetPolicyFile(paths);

const bulkhead = (...args: readonly string[]) => run('--instance', instance, ...args, '-p', file);

const own = `<bulkhead version="1">
  <fleet name="example" host="web-017" accept="limits packages tenants sites jail"/>
  <!-- the panel's -->
  <tenant uid="61001" package="business"/>
</bulkhead>
`;
const fleets = `<bulkhead version="1">
  <defaults>
    <memory limit="1GiB"/>
  </defaults>
  <package name="business">
    <cpu limit="200%"/>
    <memory soft="512MiB"/>
  </package>
  <tenant uid="61002" package="business">
    <cpu limit="150%"/>
  </tenant>
</bulkhead>
`;

function setRelease(text: string): void {
  mkdirSync(`${paths.state}/fleet`, { recursive: true, mode: 0o700 });
  writeFileSync(release, text, { mode: 0o600 });
}

function limitOf(tenant: string, limit: string) {
  const { out, err } = bulkhead('explain', tenant, '--json');
  const explained = JSON.parse(out || '{}') as Explanation;
  assert.deepEqual([err, explained.file], ['', file]);
  const { value, line, file: where } = explained.limits.find((each) => each.limit === limit) ?? {};
  return { value, line, file: where };
}

suite('a host in a fleet', { skip }, () => {
  usePolicy();
  beforeEach(() => {
    setRelease(fleets);
    writeFileSync(file, own);
  });
  afterEach(() => {
    for (const each of [paths.state, paths.runtime, paths.cache])
      rmSync(each, { recursive: true, force: true });
  });

  test('refuses another name of a fleet while a release of the first one is in force', () => {
    setRelease(fleets.replace('\n', '\n  <fleet name="example"/>\n'));
    assert.match(bulkhead('check').out, /is correct/);
    writeFileSync(file, own.replace('name="example"', 'name="other"'));
    const { status, err } = bulkhead('check');
    assert.equal(status, 1);
    assert.match(err, /:2:3: error: This host has a release of the fleet "example" in force/);
  });

  test('has what its own file and the release say, with the file of each line', () => {
    assert.match(bulkhead('check').out, /is correct: 2 tenants/);
    assert.deepEqual(limitOf('61001', 'cpu limit'), { value: '200%', line: 6, file: release });
    assert.deepEqual(limitOf('61001', 'memory limit'), { value: '1GiB', line: 3, file: release });
    const { out } = bulkhead('explain', '61002');
    assert.ok(out.includes(`${release}:10`), out);
  });

  test('has only its own file before the first release', () => {
    rmSync(release);
    writeFileSync(file, own.replace(' package="business"', ''));
    assert.match(bulkhead('check').out, /is correct: 1 tenant,/);
  });

  test('lets root set limits of a tenant that only the release names, in the own file', () => {
    const { status, err } = bulkhead('set', '61002', 'memory=2GiB', '--no-apply');
    assert.deepEqual([status, err], [0, '']);
    assert.match(now(), /<!-- the panel's -->/);
    assert.match(now(), /<tenant uid="61002">\n {4}<memory limit="2GiB"\/>\n {2}<\/tenant>/);
    assert.equal(readFileSync(release, 'utf8'), fleets);
    assert.deepEqual(limitOf('61002', 'memory limit'), { value: '2GiB', line: 6, file: undefined });
    assert.deepEqual(limitOf('61002', 'cpu limit'), { value: '150%', line: 10, file: release });
  });

  test('knows packages of the release when a package is set, and refuses others', () => {
    assert.equal(bulkhead('set', '61003', 'package=business', '--no-apply').status, 0);
    const wrong = bulkhead('set', '61003', 'package=busines', '--no-apply');
    assert.equal(wrong.status, 1);
    assert.match(wrong.err, /There is no package "busines"; did you mean "business"\?/);
    assert.equal(bulkhead('package', 'set', 'business', 'cpu=300%', '--no-apply').status, 0);
    assert.deepEqual(limitOf('61001', 'cpu limit').value, '300%');
  });

  test('refuses a package that the release no longer has, at the line of the own file', () => {
    setRelease('<bulkhead version="1"><defaults><cpu limit="1 cores"/></defaults></bulkhead>');
    const { status, err } = bulkhead('check');
    assert.equal(status, 1);
    assert.ok(err.includes(`${file}:4:32: error: There is no package "business"`), err);
  });

  test('reports mistakes of the release with its file, and applies neither', () => {
    setRelease('<bulkhead version="1">\n<defaults><cpu limit="much"/></defaults></bulkhead>');
    const { status, err } = bulkhead('check');
    assert.equal(status, 1);
    assert.ok(err.includes(`${release}:2:23: error: `), err);
    assert.equal(bulkhead('plan').status, 1);
  });

  test('refuses a release that says what "accept" does not name, and one that others can write', () => {
    setRelease('<bulkhead version="1">\n<agent listen="127.0.0.1:1" token="/x"/></bulkhead>');
    const { status, out } = bulkhead('check', '--json');
    const { diagnostics } = JSON.parse(out) as CheckJson;
    assert.equal(status, 1);
    assert.deepEqual(
      diagnostics.map(({ line, message }) => [line, message]),
      [
        [
          2,
          `The fleet's policy says <agent> (line 2 of ${release}), which this host does not accept: add "agent" to "accept", or publish a release without it`,
        ],
      ],
    );
    setRelease(fleets);
    chmodSync(release, 0o666);
    const writable = bulkhead('check');
    assert.equal(writable.status, 1);
    assert.ok(writable.err.includes(release), writable.err);
  });

  test('takes no new release that brings a tenant of the own file to a reseller, unless root says so', async () => {
    const eve = '<reseller uid="61005" may="limits"/>';
    const bob = '<tenant uid="61001"/>';
    const text = own.replace('<tenant uid="61001" package="business"/>', eve + bob);
    const candidate = `<bulkhead version="1">\n<reseller uid="61005">${bob}</reseller></bulkhead>`;
    const reader = await policyReader(capabilities);
    const problemsOf = (policy: string) => {
      writeFileSync(file, policy);
      const { diagnostics } = reader.load(file, paths, candidate);
      return diagnostics.filter(({ severity }) => severity === 'error').map((each) => each.message);
    };
    assert.deepEqual(problemsOf(text), [
      `The fleet's policy says <tenant uid="61001"> inside <reseller> (line 2 of ${release}), which this host does not accept: add "rights" to "accept", or publish a release without it`,
    ]);
    assert.deepEqual(problemsOf(text.replace('accept="', 'accept="rights ')), []);
    setRelease(candidate);
    assert.deepEqual(problemsOf(text), []);
  });

  test('leaves to the fleet what "local" does not name, unless root says otherwise', () => {
    setRelease(fleets.replace('>\n', '>\n<fleet name="example" local="tenants"/>\n'));
    assert.equal(bulkhead('check').status, 0);
    const refused = bulkhead('defaults', 'set', 'cpu=100%', '--no-apply');
    assert.equal(refused.status, 1);
    assert.match(refused.err, /<defaults> is left to the fleet's policy/);
    assert.equal(now(), own);
    writeFileSync(
      file,
      own
        .replace('accept=', 'local="tenants limits" accept=')
        .replace('</bulkhead>', '<defaults><cpu limit="100%"/></defaults></bulkhead>'),
    );
    assert.equal(bulkhead('check').status, 0);
  });

  test('warns of accounts that only the release names and that do not exist yet', () => {
    setRelease(fleets.replace('uid="61002"', 'user="nobody-of-this-name"'));
    const { status, out, err } = bulkhead('check');
    assert.equal(status, 0);
    assert.match(out, /is correct: 1 tenant,/);
    assert.ok(
      err.includes(`${release}:9:17: warning: There is no user "nobody-of-this-name"`),
      err,
    );
    writeFileSync(file, own.replace('uid="61001"', 'user="nobody-of-this-name"'));
    assert.equal(bulkhead('check').status, 1);
  });

  test('says what the policy of a fleet is, and which command reads it', () => {
    writeFileSync(
      file,
      '<bulkhead version="1"><hosts fleet="a" hosts="b"/><tenant user="nobody-of-this-name"/></bulkhead>',
    );
    const { status, err } = bulkhead('check');
    assert.equal(status, 1);
    assert.match(err, /the policy of a fleet.*"bulkhead fleet check"/);
    assert.doesNotMatch(err, /There is no user/);
  });

  test('is not a host of a fleet without a name of its own', () => {
    writeFileSync(file, own.replace(' host="web-017"', ''));
    assert.match(bulkhead('check').err, /<fleet> needs "host"/);
    writeFileSync(
      `${directory}/rendered.xml`,
      fleets.replace('>\n', '>\n<fleet name="example"/>\n'),
    );
    assert.match(
      run('--instance', instance, 'check', `${directory}/rendered.xml`).out,
      /is correct: 1 tenant/,
    );
  });

  test('is checked without the release by whoever may not read that, with a warning', async () => {
    const reader = await policyReader(capabilities);
    process.seteuid?.(65_534);
    try {
      const { policy, diagnostics } = reader.resolve(
        file,
        own.replace(' package="business"', ''),
        paths,
      );
      assert.deepEqual(
        diagnostics.map(({ severity, message }) => `${severity}: ${message}`),
        ["warning: Only root can read the fleet's policy: this is without it"],
      );
      assert.equal(policy?.tenants.length, 1);
    } finally {
      process.seteuid?.(0);
    }
  });

  test('is not without the release that is in force: its limits would drop', () => {
    rmSync(release);
    writeFileSync(file, own.replace(' package="business"', ''));
    assert.equal(bulkhead('check').status, 0);
    const inPhase = (phase: string) => {
      const current = { phase, release: { trust: 1, generation: 7 } };
      writeFileSync(`${paths.state}/fleet/state.json`, JSON.stringify({ current }));
    };
    inPhase('confirmed');
    const { status, err } = bulkhead('check');
    assert.equal(status, 1);
    assert.match(err, /policy\.xml.*it is missing, and generation 7 is in force/);
    for (const phase of ['applying', 'going back']) {
      inPhase(phase);
      assert.equal(bulkhead('check').status, 0, phase);
    }
  });
});
