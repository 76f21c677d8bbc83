/** Choices of customers: what they make of a rule, what the agent accepts, and the file that keeps them. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import {
  closeSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { spawnSync } from 'node:child_process';
import { suite, test, type TestContext } from 'node:test';
import type { Caller } from '../../src/agent/api/caller.ts';
import { QueryReader } from '../../src/agent/api/query-reader.ts';
import type { RequestContext } from '../../src/agent/api/request-context.ts';
import { answerDigest, answerSetDigest } from '../../src/agent/responses/digest-choice.ts';
import { MemberIndex } from '../../src/agent/sampling/member-index.ts';
import { ChangePace } from '../../src/agent/changes/change-pace.ts';
import { digestText } from '../../src/digest/commands/set.ts';
import { chosenRule } from '../../src/digest/core/choice.ts';
import { DigestChoiceFile, readDigestChoices } from '../../src/host/digest-choices.ts';
import { parsePolicy } from '../../src/policy/parse.ts';
import { resolvePolicy } from '../../src/policy/resolve.ts';
import type { DigestSetJson } from '../../src/digest/commands/json.ts';
import { jsonOf, responseOf } from '../../testing/json-output.ts';
import { testDirectory } from '../../testing/temporary-directory.ts';
import { digestRule } from './rule.ts';

const accounts = ['ann', 'ben', 'acme'].map((user, index) => ({
  user,
  uid: 1001 + index,
  gid: 1001,
  home: `/home/${user}`,
}));

function memberIndex(digests: string, more: string): MemberIndex {
  const { document } = parsePolicy(
    'p.xml',
    `<bulkhead version="1"><agent><alerts>${digests}</alerts></agent>
     <reseller user="acme"/><tenant user="ann"/><tenant user="ben"/>${more}</bulkhead>`,
  );
  assert.ok(document);
  return new MemberIndex(resolvePolicy(document, { accounts, uidMin: 1000 }));
}

function stage(t: TestContext, digests: string, more = '') {
  const state = testDirectory(t, 'digest-choice');
  const agent = {
    state,
    digestChoices: new DigestChoiceFile({ state }),
    memberIndex: memberIndex(digests, more),
    digestPace: new ChangePace('change your digest'),
  };
  const request = (caller: Caller, query: string) =>
    // Fields that these answers do not use are missing.
    ({
      agent,
      caller,
      query: new QueryReader(new URLSearchParams(query)),
    }) as unknown as RequestContext;
  return {
    agent,
    get: (uid: number) => answerDigest(request({ kind: 'uid', uid }, '')),
    set: (uid: number, query: string) => answerSetDigest(request({ kind: 'uid', uid }, query)),
  };
}

const open = '<digest to="tenant" choose="50%"/><digest to="reseller"/>';

suite('answerSetDigest()', () => {
  test('keeps what a tenant chooses, for itself only', (t) => {
    const { agent, get, set } = stage(t, open);
    const chosen = set(1001, 'use=90%25&every=week');
    assert.ok(chosen.ok);
    assert.deepEqual(chosen.value, {
      use: '90%',
      every: 'week',
      digests: [{ to: 'tenant', every: 'week', use: '80%', useMin: '50%' }],
    });
    responseOf('POST /v1/digest', 200, JSON.stringify(chosen.value));
    // The command prints the same.
    jsonOf<DigestSetJson>('digest set', JSON.stringify(chosen.value));
    assert.deepEqual(get(1001), chosen);
    const other = get(1002);
    assert.deepEqual(other.ok && [other.value.use, other.value.every], [null, null]);
    assert.deepEqual(set(1001, 'use=default').ok && get(1001).ok, true);
    set(1001, 'every=default');
    assert.deepEqual(readDigestChoices(agent), { ok: true, value: new Map() });
  });

  for (const [query, status] of [
    ['use=49%25', 403],
    ['use=101%25', 400],
    ['use=NaN', 400],
    ['use=0.9', 400],
    ['every=day', 400],
    ['every=', 400],
  ] as const)
    test(`refuses ${query}`, (t) => {
      const { agent, set } = stage(t, open);
      const refused = set(1001, query);
      assert.equal(!refused.ok && refused.error.status, status);
      assert.deepEqual(readDigestChoices(agent), { ok: true, value: new Map() });
    });

  test('refuses whoever the policy does not allow it, root, and strangers', (t) => {
    const { set } = stage(t, open);
    const statusOf = (uid: number) => {
      const refused = set(uid, 'every=off');
      return refused.ok ? 200 : refused.error.status;
    };
    assert.deepEqual([1003, 0, 4000].map(statusOf), [403, 403, 403]);
    const closed = stage(t, '<digest to="tenant"/>').set(1001, 'every=off');
    assert.match(closed.ok ? '' : closed.error.reason, /the policy does not let you choose/);
  });

  test('has a pace', (t) => {
    const { set } = stage(t, open);
    const answers = Array.from({ length: 12 }, (_, n) => set(1001, `use=${60 + n}%25`));
    assert.deepEqual(
      answers.slice(0, 10).every((each) => each.ok),
      true,
    );
    const last = answers.at(-1);
    assert.equal(last?.ok === false && last.error.status, 429);
    assert.ok(set(1002, 'every=off').ok);
  });
});

suite('DigestChoiceFile', () => {
  test('forgets accounts that are no members any more, and follows no link', (t) => {
    const place = { state: testDirectory(t, 'digest-choice') };
    const kept = new DigestChoiceFile(place);
    const keep = (uid: number, members: readonly number[]) =>
      kept.keep({ uid, name: `u${uid}`, every: 'off' }, (each) => members.includes(each.uid));
    assert.ok(keep(1, [1, 2]).ok);
    assert.ok(keep(2, [1, 2]).ok);
    assert.ok(keep(3, [2, 3]).ok);
    const read = readDigestChoices(place);
    assert.deepEqual(read.ok && [...read.value.keys()], [2, 3]);
    const file = `${place.state}/digest-choices.json`;
    const text = readFileSync(file, 'utf8');
    for (const wrong of [text.slice(0, -3), '{}', text.replace('"off"', '"never"')]) {
      writeFileSync(file, wrong);
      assert.ok(!keep(2, [2]).ok, wrong);
      assert.equal(readFileSync(file, 'utf8'), wrong);
    }
    rmSync(file);
    symlinkSync('/etc/passwd', file);
    assert.ok(!keep(2, [2]).ok);
  });

  test('reads the file again only after it has changed, also when it is damaged', (t) => {
    const place = { state: testDirectory(t, 'digest-choice') };
    const path = `${place.state}/digest-choices.json`;
    const choices = new DigestChoiceFile(place);
    const uids = () => {
      const read = choices.read();
      return read.ok ? [...read.value.keys()] : read.error.reason;
    };
    assert.deepEqual(uids(), []);
    assert.ok(choices.keep({ uid: 1, name: 'u1', every: 'off' }, () => true).ok);
    assert.deepEqual(uids(), [1]);
    assert.equal(choices.read(), choices.read());
    const text = readFileSync(path, 'utf8');
    writeFileSync(path, text.slice(0, -3));
    assert.match(String(uids()), /damaged/);
    assert.equal(choices.read(), choices.read());
    // As an administrator puts a file there: under another name first.
    writeFileSync(`${path}.new`, text.replace('"uid":1,', '"uid":2,'));
    renameSync(`${path}.new`, path);
    assert.deepEqual(uids(), [2]);
    assert.ok(choices.keep({ uid: 3, name: 'u3', use: 0.9 }, () => true).ok);
    assert.deepEqual(uids(), [2, 3]);
    rmSync(path);
    assert.deepEqual(uids(), []);
  });

  test('reads the file again after a failure that has passed, such as too many open files', (t) => {
    const place = { state: testDirectory(t, 'digest-choice') };
    assert.ok(
      new DigestChoiceFile(place).keep({ uid: 1, name: 'u1', every: 'off' }, () => true).ok,
    );
    const choices = new DigestChoiceFile(place);
    const limitFiles = (soft: string) =>
      spawnSync('prlimit', ['--pid', String(process.pid), `--nofile=${soft}:`], {
        encoding: 'utf8',
      });
    const before = /open files\s+(\d+)/.exec(
      spawnSync('prlimit', ['--pid', String(process.pid)], { encoding: 'utf8' }).stdout,
    )?.[1];
    assert.ok(before !== undefined);
    assert.equal(limitFiles('256').status, 0);
    const opened: number[] = [];
    try {
      assert.throws(
        () => {
          for (;;) opened.push(openSync('/dev/null', 'r'));
        },
        { code: 'EMFILE' },
      );
      assert.ok(!choices.read().ok);
    } finally {
      for (const fd of opened) closeSync(fd);
      limitFiles(before);
    }
    const read = choices.read();
    assert.deepEqual(read.ok && [...read.value.keys()], [1]);
  });
});

test('a reseller that is a tenant makes one choice, and each digest keeps to its own bound', (t) => {
  const both = '<digest to="tenant" choose="50%"/><digest to="reseller" choose="70%"/>';
  const { get, set } = stage(t, both, '<tenant user="acme"/>');
  const shown = (answer: ReturnType<typeof get>) => {
    assert.ok(answer.ok, JSON.stringify(answer));
    return digestText(answer.value).split('\n');
  };
  assert.deepEqual(shown(set(1003, 'use=60%25')), [
    'Digest: every week, reports use of 60% of a limit or more; you may set 50% to 100%',
    'Digest of your customers: every week, reports use of 70% of a limit or more; you may set 70% to 100%',
  ]);
  assert.deepEqual(shown(set(1003, 'every=off')), ['Digest: off', 'Digest of your customers: off']);
  const refused = set(1003, 'use=40%25');
  assert.equal(!refused.ok && refused.error.hint, 'the policy allows 50% to 100%');
});

test('chosenRule() follows the policy when that has changed since', () => {
  const rule = digestRule({ useMin: 0.7, every: 'day' });
  assert.equal(chosenRule(rule, { use: 0.5 })?.useFraction, 0.7);
  assert.equal(chosenRule(rule, { use: 0.9 })?.useFraction, 0.9);
  assert.equal(chosenRule(rule, { every: 'week' })?.every, 'week');
  assert.equal(chosenRule(rule, { every: 'off' }), undefined);
  assert.equal(chosenRule(digestRule(), { every: 'off', use: 0.1 })?.useFraction, 0.8);
});
