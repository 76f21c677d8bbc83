/** `bulkhead fleet rollout` as people run it on a published directory, and what a host would make of each record. */
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import type {
  FleetRolloutBackJson,
  FleetRolloutNextJson,
  FleetRolloutPauseJson,
  FleetRolloutRenewJson,
  FleetRolloutResumeJson,
  FleetRolloutStartJson,
  FleetRolloutStatusJson,
  FleetTrustAddJson,
  FleetTrustRemoveJson,
} from '../../../src/fleet/commands/json.ts';
import type { FleetState } from '../../../src/agent/api/fleet-api.ts';
import { documentText } from '../../../src/fleet/core/parse.ts';
import { recordFileText } from '../../../src/fleet/core/rollout/parse-record.ts';
import type { RolloutRecord } from '../../../src/fleet/core/rollout/record.ts';
import { statusText } from '../../../src/fleet/core/told/status.ts';
import { readControllerKey } from '../../../src/fleet/io/rollout/controller-key.ts';
import { writeMemory } from '../../../src/fleet/io/rollout/memory.ts';
import { CentreStore } from '../../../src/fleet/io/server/centre-store.ts';
import { readTrustFile } from '../../../src/fleet/io/given-trust.ts';
import { verifyRecord } from '../../../src/fleet/io/verify/verify-record.ts';
import { jsonOf } from '../../../testing/json-output.ts';
import { mainFile } from '../../../testing/program.ts';
import { makeDesk } from '../desk.ts';

/** Lets a centre know what a host has told just now. */
function tell(
  directory: string,
  host: string,
  state: FleetState,
  { generation, root }: RolloutRecord['release'],
): void {
  using store = new CentreStore(directory);
  const now = Date.now();
  const about = { format: 1, fleet: 'example', host, at: new Date(now).toISOString() } as const;
  const release = { generation, newest: generation, root, confirmed: null };
  const counts = { tenants: 3, faults24h: 0, outside: 0 };
  const unknown = { why: null, room: null, events: null };
  store.pinned(host, 'a key');
  store.status(host, statusText({ ...about, state, ...release, ...counts, ...unknown }), now);
}

suite('bulkhead fleet rollout', () => {
  const { home, at, out, key, env, run, done, refused } = makeDesk('fleet-rollout', [
    'alice',
    'centre',
    'mallory',
  ]);
  const file = join(out, 'rollout.json');
  const printed = (word: string, ...args: readonly string[]) =>
    done('rollout', word, out, '--json', '--key', key('centre'), ...args);
  const words = {
    start: () => jsonOf<FleetRolloutStartJson>('fleet rollout start', printed('start')),
    next: () => jsonOf<FleetRolloutNextJson>('fleet rollout next', printed('next')),
    pause: (reason: string) =>
      jsonOf<FleetRolloutPauseJson>('fleet rollout pause', printed('pause', '--reason', reason)),
    resume: () => jsonOf<FleetRolloutResumeJson>('fleet rollout resume', printed('resume')),
    back: (reason: string) =>
      jsonOf<FleetRolloutBackJson>('fleet rollout back', printed('back', '--reason', reason)),
    renew: () => jsonOf<FleetRolloutRenewJson>('fleet rollout renew', printed('renew')),
  };
  const refusedTo = (word: string, who = 'centre') =>
    refused('rollout', word, out, '--key', key(who));
  const release = (...args: readonly string[]) => {
    done('sign', '-C', at, '--key', key('alice'), ...args);
    done('publish', out, '-C', at);
  };
  const status = () =>
    jsonOf<FleetRolloutStatusJson>(
      'fleet rollout status',
      done('rollout', 'status', out, '--json'),
    );

  /** Verifies the record as a host does. */
  function atHost() {
    const trust = readTrustFile(join(out, 'trust.json'));
    assert.ok(trust.ok);
    const known = { fleet: 'example', trust: trust.value.trust, newest: undefined };
    const verified = verifyRecord(
      readFileSync(file, 'utf8'),
      { ...known, record: undefined },
      Date.now(),
    );
    assert.ok(verified.ok, verified.ok ? '' : verified.error.reason);
    return verified.value;
  }

  test('needs a controller, which people add to the trust', () => {
    done('init', at, '--name', 'example', '--person', `alice=${key('alice')}.pub`);
    release();
    assert.match(refusedTo('start'), /lists no controllers.*trust add --controller/);
    const by = ['-C', at, '--json', '--key', key('alice')];
    const args = ['trust', 'add', '--controller', 'centre', `${key('centre')}.pub`, ...by];
    const added = jsonOf<FleetTrustAddJson>('fleet trust add', done(...args));
    assert.deepEqual([added.controllers.length, added.people.length], [1, 1]);
    assert.match(refused(...args), /the key is the one of centre/);
    const person = ['trust', 'add', 'centre', `${key('mallory')}.pub`, ...by];
    assert.match(refused(...person), /centre is already listed/);
    assert.match(done('trust', 'show', '-C', at), /controllers, which lead rollouts:\n {2}centre/);
    // A controller signs no policy.
    assert.match(
      refused('sign', '-C', at, '--again', '--key', key('centre')),
      /is not one of alice/,
    );
    release('--again');
  });

  test('opens one wave after the other, and lets all hosts confirm it', () => {
    assert.equal(status().record, null);
    assert.match(refusedTo('next'), /has not begun; run "bulkhead fleet rollout start"/);
    assert.match(refusedTo('start', 'mallory'), /mallory is not one of centre/);
    assert.match(refusedTo('start', 'alice'), /alice is not one of centre/);
    const started = words.start();
    assert.deepEqual(
      started.waves.map(({ isOpen }) => isOpen),
      [true, false, false],
    );
    const first = atHost();
    assert.deepEqual([first.verdict, first.wave, first.release.generation], ['go', 1, 2]);
    assert.match(refusedTo('start'), /has begun already/);
    const second = words.next();
    assert.equal(second.record?.wave, 2);
    assert.equal(atHost().sequence > first.sequence, true);
    words.next();
    const kept = words.next();
    assert.deepEqual([kept.record?.verdict, kept.record?.wave], ['keep', 3]);
    assert.match(refusedTo('next'), /is in "keep", wave 3/);
    assert.match(refusedTo('back'), /go back from it no more; sign the policy of before/);
    assert.match(done('rollout', 'status', out), /^generation 2: complete: hosts confirm it\n/);
  });

  test('pauses, resumes, goes back for good, and says the same again', () => {
    release('--again');
    assert.match(
      done('rollout', 'status', out),
      /^generation 3: not begun\ngeneration 2: complete/,
    );
    const renewed = words.renew();
    assert.deepEqual([renewed.record?.generation, renewed.record?.verdict], [2, 'keep']);
    words.start();
    const paused = words.pause('alice looks');
    assert.deepEqual([paused.record?.verdict, paused.record?.reason], ['hold', 'alice looks']);
    assert.equal(
      paused.waves.some(({ isOpen }) => isOpen),
      false,
    );
    assert.match(refusedTo('next'), /is in "hold", wave 1/);
    assert.equal(words.renew().record?.reason, 'alice looks');
    assert.equal(words.resume().record?.verdict, 'go');
    assert.equal(words.back('mail fails').record?.verdict, 'back');
    assert.equal(atHost().reason, 'mail fails');
    for (const word of ['next', 'resume', 'pause']) assert.match(refusedTo(word), /is in "back"/);
    assert.match(refusedTo('start'), /went back from generation 3; run "bulkhead fleet sign"/);
    release('--again');
    assert.equal(words.start().record?.generation, 4);
  });

  test('a record that was lost, or that somebody else has put there, does not lead back', () => {
    const before = atHost();
    rmSync(file);
    words.start();
    assert.equal(atHost().sequence > before.sequence, true);
    for (const text of ['', '{"format":1,"record":{}}', 'x'.repeat(1000)]) {
      writeFileSync(file, text);
      assert.match(status().problems.join(), /does not count/);
      words.start();
      assert.equal(status().problems.length, 0);
    }
  });

  test('of two commands at the same time, one puts its record', async () => {
    const both = await Promise.all(
      [0, 1, 2].map(
        () =>
          new Promise<string>((resolve) => {
            const args = [mainFile, 'fleet', 'rollout', 'next', out, '--key', key('centre')];
            const child = spawn(process.execPath, args, { cwd: home, env });
            let text = '';
            child.stderr.on('data', (each) => (text += String(each)));
            child.on('close', (code) => resolve(`${code} ${text}`));
          }),
      ),
    );
    const isDone = both.filter((each) => each.startsWith('0'));
    const { record } = status();
    const steps = record?.verdict === 'keep' ? 3 : (record?.wave ?? 0) - 1;
    // Those that began later may have found the next wave: but none was lost.
    assert.equal(isDone.length, steps, both.join('\n'));
    for (const each of both) assert.match(each, /^0 |another record came at the same time/);
  });

  test('follows the centre here, and shows what it knows', () => {
    release('--again');
    words.start();
    const centre = join(home, 'centre-directory');
    mkdirSync(centre);
    const controller = readControllerKey(centre);
    assert.ok(controller.ok);
    const by = ['-C', at, '--key', key('alice')];
    done('trust', 'add', '--controller', 'here', join(centre, 'controller.pub'), ...by);
    done('sign', '--again', ...by);
    done('publish', out, '-C', at);
    const at1 = words.start();
    const shownHere = (...args: readonly string[]) =>
      run('rollout', 'status', out, '--centre', centre, ...args);
    const begun = shownHere();
    assert.equal(begun.status, 0, begun.stderr);
    assert.match(begun.stdout, /hosts of the open waves take it\nled by here, the centre here\n/);
    assert.doesNotMatch(begun.stdout, /healthy|silent/);
    // The first host may still speak: nothing is unclear yet.
    tell(centre, 'web-003', 'healthy', atHost().release);
    assert.match(shownHere().stdout, /\n {2}wave 1 +1 host {2}open {2}watching {2}1 silent\n/);
    // The centre has paused it in its second wave, and knows two hosts.
    const { generation } = at1;
    const last = atHost();
    const next = { ...last, sequence: last.sequence + 1, verdict: 'hold', wave: 2, reason: 'why' };
    const document = documentText(next as RolloutRecord);
    const text = recordFileText({ document, signatures: [controller.value.sign(document)] });
    assert.ok(writeMemory(centre, { format: 1, last: text, heard: null }).ok);
    tell(centre, 'web-001', 'healthy', last.release);
    tell(centre, 'web-002', 'rolled back', last.release);
    const stopped = shownHere();
    assert.equal(stopped.status, 3, stopped.stderr);
    assert.match(stopped.stdout, new RegExp(`^generation ${generation}: paused.* \\(why\\)\n`));
    assert.match(stopped.stdout, /\n {2}wave 1 +1 host {2}passed {2}1 healthy\n/);
    assert.match(
      stopped.stdout,
      /\n {2}wave 2 +1 host {2}failed {2}1 failed\n {2}wave 3 +1 host\n$/,
    );
    const json = jsonOf<FleetRolloutStatusJson>('fleet rollout status', shownHere('--json').stdout);
    assert.equal(json.leader, 'here');
    assert.deepEqual(json.waves[1], {
      wave: 2,
      hosts: 1,
      isOpen: false,
      counts: { healthy: 0, failed: 1, silent: 0, undecided: 0 },
      verdict: 'failed',
    });
    // People go on from there, and not from the record in the directory.
    done('rollout', 'resume', out, '--centre', centre, '--key', key('centre'));
    assert.deepEqual([atHost().verdict, atHost().wave], ['go', 2]);
    // A centre whose record cannot be read hides nothing, and a rollout can be stopped all the same.
    writeFileSync(join(centre, 'rollout.json'), 'damaged');
    assert.match(shownHere().stdout, /\nproblem +Cannot read .*rollout\.json/);
    const args = ['rollout', 'next', out, '--centre', centre, '--key', key('centre')];
    assert.match(refused(...args), /Cannot read .*rollout\.json/);
    done('rollout', 'back', out, '--centre', centre, '--key', key('centre'));
    assert.equal(atHost().verdict, 'back');
    done('trust', 'remove', '--controller', 'here', ...by);
    done('publish', out, '-C', at);
  });

  test("what is published only in part, or is another host's, is not rolled out", () => {
    const host = join(out, 'hosts', 'web-001.json');
    const text = readFileSync(host, 'utf8');
    rmSync(host);
    assert.match(refusedTo('pause'), /it has 2 of 3 hosts; run "bulkhead fleet publish"/);
    writeFileSync(host, readFileSync(join(out, 'hosts', 'web-002.json'), 'utf8'));
    assert.match(refusedTo('pause'), /for the host "web-002", not "web-001"/);
    writeFileSync(host, text.replace(/"generation\\":\d+/, '"generation\\":99'));
    assert.match(refusedTo('pause'), /signed|same release/);
    writeFileSync(host, text);
    const by = ['-C', at, '--json', '--key', key('alice')];
    const removed = done('trust', 'remove', '--controller', 'centre', ...by);
    assert.deepEqual(jsonOf<FleetTrustRemoveJson>('fleet trust remove', removed).controllers, []);
    assert.match(
      refused('trust', 'remove', '--controller', 'centre', ...by),
      /not listed as a contr/,
    );
    done('publish', out, '-C', at);
    assert.match(refusedTo('pause'), /lists no controllers/);
  });
});
