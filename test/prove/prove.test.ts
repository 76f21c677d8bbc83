/** `prove()` on this kernel gives true verdicts, also without limits, and leaves nothing behind. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { join } from 'node:path';
import { attacks } from '../../src/prove/attacks/attacks.ts';
import { attackerLimits } from '../../src/prove/core/scratch-policy.ts';
import { broken, type ProofEntry } from '../../src/prove/core/verdict.ts';
import { prove, type Proof } from '../../src/prove/io/prove.ts';
import { makeProveScratch } from '../../src/prove/io/scratch.ts';
import { eventually } from '../../testing/patience.ts';
import { capabilities } from '../../src/capabilities.ts';
import { temporaryDirectory } from '../../testing/temporary-directory.ts';
import { noNetwork } from './no-network.ts';
import { uidsFrom, limited, chosen, ProveStage, processesOf } from './prove-stage.ts';

const { paths, root, skip, cleanUp, proveHere, leftovers, assertNothingLeft } = new ProveStage(
  'bulkhead-provetest',
);

const becoming = (uid: number) => [`--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', '--'];

const asUid = (uid: number, script: string, words: readonly string[]) =>
  spawnSync('setpriv', [...becoming(uid), 'sh', '-c', script, 'sh', ...words], {
    encoding: 'utf8',
    cwd: '/',
  });

describe('prove()', { skip }, () => {
  before(async () => void (await cleanUp()));
  after(async () => void (await cleanUp()));

  describe('with all attacks', () => {
    let proof: Proof;
    const entry = (name: string): ProofEntry => {
      const found = proof.entries.find(({ attack }) => attack === name);
      assert.ok(found, name);
      return found;
    };
    const is = (name: string, verdict: ProofEntry['verdict']) =>
      assert.equal(entry(name).verdict, verdict, `${name}: ${entry(name).detail}`);

    before(async () => {
      if (skip === false) proof = await proveHere();
    });

    test('gives each a verdict, and leaves nothing behind', () => {
      assert.equal(proof.entries.length, attacks.length);
      assertNothingLeft();
      for (const uid of Object.values(proof.uids)) assert.deepEqual(processesOf(uid), []);
    });

    test('uses four unused uids of the given range', () => {
      assert.deepEqual(Object.values(proof.uids), [630_000, 630_001, 630_002, 630_003]);
    });

    test('shows that limits block memory, process and descriptor attacks', () => {
      for (const name of ['memory-hog', 'oom-score', 'fork-storm', 'thread-storm'])
        is(name, 'blocked');
      is('descriptor-flood', 'blocked');
      // These may not reach their limit if others keep the host busy.
      for (const name of ['busy-loop', 'fork-chains'])
        assert.notEqual(entry(name).verdict, 'not blocked', entry(name).detail);
    });

    test('blocks what the kernel isolates by default', () => {
      const names = ['cgroup-move', 'cgroup-limits', 'cgroup-namespace', 'home', 'environment'];
      const more = ['memory-map', 'ptrace', 'kill', 'leaked-descriptor', 'leaked-cwd', 'priority'];
      const root = ['device-node', 'devices', 'mount', 'mount-new', 'subordinate-uid'];
      for (const name of [...names, ...more, ...root]) is(name, 'blocked');
    });

    test('blocks symlink-shared, hard-link, tiocsti and kernel-log by sysctl', () => {
      const settings = {
        'symlink-shared': ['fs.protected_symlinks', '1'],
        'hard-link': ['fs.protected_hardlinks', '1'],
        tiocsti: ['dev.tty.legacy_tiocsti', '0'],
        'kernel-log': ['kernel.dmesg_restrict', '1'],
      } as const;
      for (const [name, [setting, good]] of Object.entries(settings))
        is(name, proof.host.settings[setting] === good ? 'blocked' : 'not blocked');
    });

    test('reports disk-flood as not blocked, and not demanded, without quotas', () => {
      const hasQuotas = !proof.host.weakLimits.some((each) => each.startsWith('disk space'));
      for (const name of ['disk-flood', 'file-flood'])
        is(name, hasQuotas ? 'blocked' : 'not blocked');
      assert.equal(entry('disk-flood').demanded, false);
    });

    test('reports symlink-server, abstract-socket and setuid as not blocked', () => {
      for (const name of ['symlink-server', 'abstract-socket', 'setuid']) is(name, 'not blocked');
    });

    test('does not run module-autoload, which would change the host', () =>
      is('module-autoload', 'not available'));

    test('finds nothing broken of what the policy demands', () => {
      const open = broken(proof.entries).map(({ attack, detail }) => `${attack}: ${detail}`);
      assert.deepEqual(open, []);
      assert.equal(entry('memory-hog').demanded, true);
      assert.equal(entry('disk-bandwidth').demanded, false);
    });
  });

  test('reports a broken policy when the attacker has no limits', async () => {
    const none = { ...attackerLimits, cpu: undefined, memory: undefined, processes: undefined };
    const names = ['memory-hog', 'fork-storm', 'thread-storm'];
    const { entries } = await proveHere(chosen(names), none);
    assert.deepEqual(
      broken(entries).map(({ attack }) => attack),
      names,
      JSON.stringify(entries, null, 2),
    );
    assertNothingLeft();
  });

  test('runs the attacker in a jail when the policy has one', async () => {
    const names = ['cgroup-move', 'home', 'processes', 'hard-link', 'setuid', 'devices', 'fuse'];
    const jailed = limited.replace('</defaults>', '<jail profile="web"/></defaults>');
    const { host, entries } = await proveHere(chosen(names), attackerLimits, jailed);
    assert.ok(host.defences.some(({ name, on }) => name === 'Jails' && on));
    for (const { attack, verdict, detail, demanded } of entries) {
      assert.equal(verdict, 'blocked', `${attack}: ${detail}`);
      assert.equal(demanded, attack !== 'hard-link', attack);
    }
    const [move] = entries;
    assert.match(move?.detail ?? '', /ENOENT no cgroup is seen/);
    assertNothingLeft();
  });

  test('demands nothing without a policy', async () => {
    const { entries } = await proveHere(chosen(['kill', 'disk-flood']), attackerLimits, '');
    assert.ok(entries.every(({ demanded }) => !demanded));
  });

  test('removes what a killed run left, with its processes', async () => {
    const made = await makeProveScratch(paths, {
      capabilities,
      inForce: undefined,
      limits: attackerLimits,
      network: noNetwork,
      uidsFrom,
    });
    assert.ok(made.ok);
    assert.notDeepEqual(leftovers(), []);
    const uid = made.value.uids.attacker;
    const child = spawn('setpriv', [...becoming(uid), 'sleep', '3600'], { stdio: 'ignore' });
    await eventually('it runs', () => processesOf(uid).length > 0);
    const { entries } = await proveHere(chosen(['kill']));
    assert.equal(entries[0]?.verdict, 'blocked');
    assertNothingLeft();
    await eventually('what it ran is killed', () => child.signalCode === 'SIGKILL');
  });

  test('removes homes that an earlier run left before a reboot', async () => {
    mkdirSync(join(root, 'attacker'), { recursive: true });
    writeFileSync(join(root, 'attacker/flood'), 'x');
    await proveHere(chosen(['kill']));
    assertNothingLeft();
  });

  test('removes all that a tenant leaves, and nothing that links point to', async () => {
    const made = await makeProveScratch(paths, {
      capabilities,
      inForce: undefined,
      limits: attackerLimits,
      network: noNetwork,
      uidsFrom,
    });
    assert.ok(made.ok);
    using scratch = temporaryDirectory('provetest', '/var/tmp');
    const elsewhere = scratch.path;
    writeFileSync(join(elsewhere, 'mine'), 'x');
    const script = `cd "$1" && ln -s "$2" link && ln -s "$2/mine" file && mkdir -- -rf "$(printf 'a\\nb')" &&
      mkfifo pipe && mkdir closed && touch closed/in && chmod 0 closed &&
      for i in $(seq 300); do mkdir directory && cd directory || exit 1; done; ln -s "$2" link`;
    try {
      const left = asUid(made.value.uids.attacker, script, [made.value.homes.attacker, elsewhere]);
      assert.equal(left.status, 0, left.stderr);
      assert.ok((await cleanUp()).ok);
      assertNothingLeft();
      assert.ok(existsSync(join(elsewhere, 'mine')));
    } finally {
      await cleanUp();
    }
  });

  test('lets only the scratch tenants write in the scratch directory', async () => {
    const made = await makeProveScratch(paths, {
      capabilities,
      inForce: undefined,
      limits: attackerLimits,
      network: noNetwork,
      uidsFrom,
    });
    assert.ok(made.ok);
    const { homes, sites, shared, hidden } = made.value;
    const places = [root, ...Object.values(homes), ...Object.values(sites), shared, hidden];
    const script = 'for each; do test -w "$each" && echo "$each"; done; :';
    try {
      assert.equal(asUid(630_500, script, places).stdout, '');
      assert.equal(
        asUid(made.value.uids.attacker, script, places).stdout.trim().split('\n').length,
        3,
      );
    } finally {
      await cleanUp();
    }
  });

  test('skips a uid that a process has', async () => {
    const child = spawn('setpriv', [...becoming(630_001), 'sleep', '3600'], { stdio: 'ignore' });
    try {
      await eventually('it runs', () => processesOf(630_001).length > 0);
      const { uids } = await proveHere(chosen(['kill']));
      assert.equal(uids.attacker, 630_002);
      assert.equal(processesOf(630_001).length, 1, 'it was left alone');
    } finally {
      child.kill('SIGKILL');
    }
  });

  test('refuses a symlink in place of the scratch directory', async () => {
    using scratch = temporaryDirectory('provetest', '/var/tmp');
    const elsewhere = scratch.path;
    writeFileSync(join(elsewhere, 'mine'), 'x');
    symlinkSync(elsewhere, root);
    try {
      const proof = await prove({
        capabilities,
        paths,
        inForce: undefined,
        attacks: chosen(['kill']),
        signal: new AbortController().signal,
        uidsFrom,
      });
      assert.ok(!proof.ok);
      assert.equal(proof.error.object, root);
      assert.ok(existsSync(join(elsewhere, 'mine')));
      assert.ok(lstatSync(root).isSymbolicLink());
    } finally {
      unlinkSync(root);
      await cleanUp();
    }
    assertNothingLeft();
  });
});
