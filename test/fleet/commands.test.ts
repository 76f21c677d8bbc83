/** `bulkhead fleet` as people run it: they begin a fleet, sign one after the other, publish, and change who may sign. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import type {
  FleetInitJson,
  FleetPublishJson,
  FleetSignJson,
  FleetTrustAddJson,
  FleetTrustRemoveJson,
  FleetTrustRenewJson,
  FleetTrustSignJson,
  FleetTrustThresholdJson,
  FleetTrustShowJson,
} from '../../src/fleet/commands/json.ts';
import { parseTrustFile } from '../../src/fleet/core/fleet-files.ts';
import { parseTrust } from '../../src/fleet/core/parse.ts';
import { verifyBundle } from '../../src/fleet/io/verify/verify-bundle.ts';
import { jsonOf } from '../../testing/json-output.ts';
import { makeDesk } from './desk.ts';

suite('bulkhead fleet', () => {
  const { home, at, out, key, env, run, done, refused } = makeDesk('fleet-commands', [
    'alice',
    'bob',
    'mallory',
  ]);
  const sign = (who: string, ...args: readonly string[]) =>
    jsonOf<FleetSignJson>(
      'fleet sign',
      done('sign', '-C', at, '--key', key(who), '--json', ...args),
    );
  const publish = () =>
    jsonOf<FleetPublishJson>('fleet publish', done('publish', out, '-C', at, '--json'));
  const trust = () =>
    jsonOf<FleetTrustShowJson>('fleet trust show', done('trust', 'show', '-C', at, '--json'));
  const edit = (from: string, to: string) => {
    const file = join(at, 'fleet.xml');
    writeFileSync(file, readFileSync(file, 'utf8').replace(from, to));
  };

  /** Verifies the published files as a host does that joined with the first trust. */
  function policyAt(host: string): string {
    const chain = parseTrustFile(readFileSync(join(out, 'trust.json'), 'utf8'));
    assert.ok(chain.ok);
    const first = parseTrust(chain.value[0]?.document ?? '');
    assert.ok(first.ok);
    const known = { fleet: 'example', host, trust: first.value, newest: undefined };
    const bundle = readFileSync(join(out, 'hosts', `${host}.json`), 'utf8');
    const verified = verifyBundle(bundle, known, Date.now());
    assert.ok(verified.ok, verified.ok ? '' : verified.error.reason);
    return verified.value.policy;
  }

  test('init makes a policy that can be signed, and refuses to overwrite one', () => {
    const person = ['--person', `alice=${key('alice')}.pub`];
    const made = jsonOf<FleetInitJson>(
      'fleet init',
      done('init', join(home, 'x'), '--json', ...person),
    );
    assert.deepEqual([made.fleet, made.people.length], ['example', 1]);
    const shown = done('init', at, '--name', 'example', ...person);
    assert.match(shown, /alice {2}ssh-ed25519 AAAA/);
    assert.match(refused('init', at), /it already has a fleet\.xml/);
    assert.match(refused('init', join(home, 'other'), '--name', 'A b'), /lower case letters/);
    assert.match(refused('init', join(home, 'other')), /you have no SSH key/);
    assert.match(refused('init', join(home, 'other'), '--person', 'alice'), /NAME=FILE|alice\.pub/);
    assert.deepEqual(readdirSync(at).sort(), ['fleet.xml', 'trust.json']);
  });

  test('nothing is published before it is signed', () => {
    assert.match(
      refused('publish', out, '-C', at),
      /no release was signed; run "bulkhead fleet sign"/,
    );
  });

  test('sign and publish: each host verifies its own plain policy', () => {
    const signed = sign('alice');
    assert.deepEqual(
      [signed.generation, signed.hosts, signed.waves, signed.changed, signed.missing],
      [1, 3, 3, null, 0],
    );
    assert.deepEqual(signed.signed, ['alice']);
    assert.equal(publish().written, 3);
    assert.match(policyAt('web-001'), /<memory limit="1GiB"\/>/);
    assert.match(policyAt('web-003'), /150%/);
    assert.doesNotMatch(policyAt('web-001'), /150%|<hosts|<on/);
    assert.equal(statSync(join(out, 'hosts', 'web-001.json')).mode & 0o777, 0o644);
  });

  test('the same policy is neither signed nor written again', () => {
    assert.equal(sign('alice').isNew, false);
    assert.equal(publish().written, 0);
    const again = sign('alice', '--again');
    assert.deepEqual([again.generation, again.isNew, again.changed], [2, true, 0]);
  });

  test('a change says how many hosts it is for', () => {
    edit('150%', '175%');
    const signed = sign('alice');
    assert.deepEqual([signed.generation, signed.changed], [3, 1]);
    edit('web-001..web-003', 'web-001..web-004');
    assert.deepEqual([sign('alice').changed, sign('alice').hosts], [1, 4]);
    const large = sign('alice', '--large');
    assert.deepEqual([large.large, large.generation], [true, 5]);
  });

  test('mistakes of the policy, also of one host, are not signed', () => {
    edit('175%', '175x');
    assert.match(refused('sign', '-C', at, '--key', key('alice')), /fleet\.xml:\d+.*175x/s);
    edit('175x', '175%');
    edit('fleet="example"', 'fleet="other"');
    assert.match(refused('sign', '-C', at, '--key', key('alice')), /fleet "other".*"example"/);
    edit('fleet="other"', 'fleet="example"');
  });

  test('keys that the fleet does not list sign nothing', () => {
    const said = refused('sign', '-C', at, '--again', '--key', key('mallory'));
    assert.match(said, /mallory is not one of alice/);
    assert.match(refused('sign', '-C', at, '--again'), /none of your keys.* is one of alice/);
    assert.match(refused('sign', '-C', at, '--again', '--key', 'nowhere'), /nowhere\.pub/);
  });

  test('a key of the agent signs', () => {
    const socket = join(home, 'agent');
    const agent = execFileSync('ssh-agent', ['-a', socket, '-s'], { encoding: 'utf8' });
    const pid = /SSH_AGENT_PID=(\d+)/.exec(agent)?.[1];
    try {
      env.SSH_AUTH_SOCK = socket;
      execFileSync('ssh-add', ['-q', key('alice')], { env, stdio: 'ignore' });
      const signed = jsonOf<FleetSignJson>(
        'fleet sign',
        done('sign', '-C', at, '--again', '--json'),
      );
      assert.deepEqual(signed.signed, ['alice']);
    } finally {
      env.SSH_AUTH_SOCK = '';
      process.kill(Number(pid));
    }
  });

  test('trust: a second person is added, and from then on two must sign', () => {
    const by = ['-C', at, '--json', '--key', key('alice')];
    const added = done('trust', 'add', 'bob', `${key('bob')}.pub`, ...by);
    assert.equal(jsonOf<FleetTrustAddJson>('fleet trust add', added).people.length, 2);
    const two = done('trust', 'threshold', '2', ...by);
    const waiting = jsonOf<FleetTrustThresholdJson>('fleet trust threshold', two);
    assert.deepEqual(
      [waiting.version, waiting.next?.version, waiting.next?.signed, waiting.next?.missing],
      [2, 3, ['alice'], 1],
    );
    // It is not in force: alice alone still signs.
    assert.equal(sign('alice', '--again').missing, 0);
    assert.match(done('trust', 'show', '-C', at), /signed by alice; 1 more person must sign/);
    const signed = done('trust', 'sign', '-C', at, '--json', '--key', key('bob'));
    assert.equal(jsonOf<FleetTrustSignJson>('fleet trust sign', signed).next, null);
    assert.deepEqual([trust().version, trust().threshold, trust().next], [3, 2, null]);
    const nothing = refused('trust', 'sign', '-C', at, '--key', key('bob'));
    assert.match(nothing, /nothing waits for signatures/);
  });

  test('people sign one after the other, and hosts verify it from the first trust on', () => {
    edit('175%', '180%');
    const first = sign('alice');
    assert.deepEqual([first.signed, first.missing], [['alice'], 1]);
    assert.match(refused('publish', out, '-C', at), /signed by 1 person.* and 2 must sign/);
    // The same person again does not help.
    assert.equal(sign('alice').missing, 1);
    const second = sign('bob');
    assert.deepEqual([second.generation, second.missing], [first.generation, 0]);
    assert.equal(publish().written, 4);
    assert.match(policyAt('web-003'), /180%/);
  });

  test('whoever adds a signature agrees to a large change, and to how long it is good', () => {
    edit('180%', '185%');
    sign('alice', '--large', '--expires', '200 days');
    const by = ['sign', '-C', at, '--key', key('bob')];
    assert.match(refused(...by), /agrees to a large change; pass "--large" if you agree as well/);
    assert.match(refused(...by, '--large'), /expires only at .*; pass a longer "--expires"/);
    assert.equal(sign('bob', '--large', '--expires', '201 days').missing, 0);
    edit('185%', '180%');
  });

  test('nothing is published below a directory that is not there', () => {
    for (const directory of ['/proc/nowhere', join(home, 'no', 'where')])
      assert.match(refused('publish', directory, '-C', at), /Cannot create the directory/);
  });

  test('a change of what too few have signed keeps its number, and drops their signatures', () => {
    edit('180%', '190%');
    const first = sign('alice');
    edit('190%', '195%');
    const said = run('sign', '-C', at, '--key', key('bob'), '--json');
    assert.match(said.stderr, /another policy when alice signed it; they must sign it again/);
    const other = jsonOf<FleetSignJson>('fleet sign', said.stdout);
    assert.deepEqual([other.generation, other.signed], [first.generation, ['bob']]);
    assert.deepEqual(sign('alice').missing, 0);
  });

  test('trust: nobody is removed below the threshold, nor twice the same added', () => {
    const by = ['-C', at, '--key', key('alice')];
    assert.match(
      refused('trust', 'remove', 'bob', ...by),
      /2 people must sign, and 1 would be left/,
    );
    assert.match(refused('trust', 'remove', 'carol', ...by), /carol is not listed/);
    assert.match(refused('trust', 'add', 'carol', `${key('bob')}.pub`, ...by), /the one of bob/);
    assert.match(refused('trust', 'threshold', '0', ...by), /"threshold"/);
    assert.match(refused('trust', 'threshold', '3', ...by), /wants 3 people/);
    assert.match(refused('trust', 'add', 'a b', `${key('mallory')}.pub`, ...by), /"people"/);
    const outsider = ['-C', at, '--key', key('mallory')];
    assert.match(refused('trust', 'renew', ...outsider), /mallory is not one of alice, bob/);
    assert.equal(trust().next, null);
    const renewed = done('trust', 'renew', '--expires', '400 days', '--json', ...by);
    const later = jsonOf<FleetTrustRenewJson>('fleet trust renew', renewed).next?.expires ?? '';
    assert.ok(later > trust().expires);
    const one = done('trust', 'threshold', '1', '--json', ...by);
    assert.equal(jsonOf<FleetTrustShowJson>('fleet trust show', one).next?.threshold, 1);
    const removed = done('trust', 'remove', 'bob', '--json', ...by);
    assert.equal(
      jsonOf<FleetTrustRemoveJson>('fleet trust remove', removed).next?.people.length,
      1,
    );
    // Bob signs that he goes, since two of the version before must.
    done('trust', 'sign', '-C', at, '--key', key('bob'));
    assert.deepEqual([trust().version, trust().threshold, trust().people.length], [4, 1, 1]);
    done('trust', 'add', 'bob', `${key('bob')}.pub`, ...by);
  });

  test('a host that left the fleet loses its file, and other files stay', () => {
    mkdirSync(join(out, 'hosts', 'kept.json.d'));
    writeFileSync(join(out, 'hosts', 'README'), 'mine');
    edit('web-001..web-004', 'web-001..web-003');
    sign('alice');
    sign('bob');
    assert.equal(publish().removed, 1);
    assert.deepEqual(readdirSync(join(out, 'hosts')).sort(), [
      'README',
      'kept.json.d',
      'web-001.json',
      'web-002.json',
      'web-003.json',
    ]);
  });

  test('files that somebody changed are refused', () => {
    const file = join(at, 'trust.json');
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, text.replace(String.raw`\"threshold\":2`, String.raw`\"threshold\":1`));
    assert.match(refused('trust', 'show', '-C', at), /trust\.json.*trust version 3: .*0 people/);
    writeFileSync(file, text.slice(0, 300));
    assert.match(refused('publish', out, '-C', at), /not a JSON object/);
    writeFileSync(file, text);
    const release = readFileSync(join(at, 'release.json'), 'utf8');
    const signed = JSON.parse(release) as { hosts: string[]; policies: Record<string, string> };
    const changed = (change: (file: typeof signed) => void) => {
      const file = structuredClone(signed);
      change(file);
      writeFileSync(join(at, 'release.json'), JSON.stringify(file));
      return refused('publish', out, '-C', at);
    };
    const [document = ''] = signed.hosts;
    const outside = document.replace('web-001', '../../etc/web-001');
    for (const hosts of [[outside, ...signed.hosts.slice(1)], [], ['x'], signed.hosts.slice(1)])
      assert.match(
        changed((file) => (file.hosts = hosts)),
        /the hosts that people signed|1 to 100000 entries/,
      );
    assert.match(
      changed((file) => (file.policies = {})),
      /does not have the policy that people signed for "web-001"/,
    );
    const signing = ['sign', '-C', at, '--key', key('alice')];
    const forge = (from: string | RegExp, to: string) => {
      writeFileSync(join(at, 'release.json'), release.replace(from, to));
      return refused(...signing);
    };
    const nobody = /release\.json is not signed by anybody of trust version/;
    assert.match(forge(/generation\\":\d+/, String.raw`generation\":9007199254740991`), nobody);
    assert.match(forge(/"trust\\":\d+/, String.raw`"trust\":99`), nobody);
    writeFileSync(join(at, 'release.json'), '{"format":2}');
    assert.match(refused('publish', out, '-C', at), /update Bulkhead/);
  });
});
