/** Tests when the agent has entries written again, and what it keeps of refused requests. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { beforeEach, test } from 'node:test';
import { makeLog } from '../../src/agent/log.ts';
import { failed, formatProblem, type Problem } from '../../packages/base/problem.ts';
import { ok, type Result } from '../../packages/base/result.ts';
import { pathsOf, type Paths } from '../../src/host/paths.ts';
import { entryLimitsOf, limitsText } from '../../src/web/core/entries/limits.ts';
import { parseEntryRefusal } from '../../src/web/core/entries/refusal.ts';
import { EntryRefusalTally, requestsMax } from '../../src/web/core/entries/refusal-tally.ts';
import { EntriesPart } from '../../src/web/io/entries/entries-part.ts';
import { FileTransaction } from '../../src/sys/files/file-transaction.ts';
import {
  readEntriesRecord,
  fileStateKey,
  recordPath,
  writeRecord,
} from '../../src/web/io/entries/record.ts';
import { undoWeb } from '../../src/web/commands/undo.ts';
import {
  applyServerChanges,
  hasKilledEntries,
  undoKilledEntries,
} from '../../src/web/io/entries/server-entries.ts';
import type { Member } from '../../src/usage/member.ts';
import { mustEnd } from '../../testing/patience.ts';
import { testDirectory } from '../../testing/temporary-directory.ts';
import { policyOf } from '../conformance/suite.ts';

let directory: string;
let paths: Paths;
beforeEach((t) => {
  directory = testDirectory(t, 'entries-part');
  paths = { ...pathsOf(), runtime: `${directory}/run`, state: `${directory}/state` };
  mkdirSync(paths.runtime);
});

const policy = (limit: number) =>
  policyOf(`<tenant uid="64420"><entries limit="${limit}"/></tenant>`);

test('EntriesPart syncs when a file or a limit has changed, and retries after ten minutes', async () => {
  mkdirSync(`${directory}/sites`);
  const file = `${directory}/sites/site.conf`;
  writeFileSync(file, 'one');
  const limits = limitsText(entryLimitsOf(policy(5)));
  const files = [file];
  const sender = process.getuid?.() ?? 0;
  writeRecord(paths, { sender, files, state: fileStateKey(files), limits, apacheOwners: {} });
  let now = 0;
  let answer: Result<void, Problem> = ok(undefined);
  let asked = 0;
  const refresh = () => {
    asked++;
    return Promise.resolve(answer);
  };
  const log = makeLog('human', {});
  log.level = 'silent';
  await using part = new EntriesPart(paths, log, refresh, () => now);
  const tick = async () => {
    now += 60_000;
    part.afterTick();
    await nextTurn();
    return asked;
  };
  const begun = Date.now();
  assert.equal(part.entriesCountedSince(), undefined, 'the record is not read yet');
  assert.equal(await tick(), 0, 'no policy has been applied');
  const since = part.entriesCountedSince() ?? 0;
  assert.ok(begun <= since && since <= Date.now());
  part.adopt(policy(5));
  assert.equal(await tick(), 0);
  answer = failed({ action: 'write', reason: 'nginx does not accept it' });
  writeFileSync(file, 'two two');
  assert.equal(await tick(), 1);
  assert.equal(await tick(), 1, 'the same state is not tried again at once');
  writeFileSync(`${directory}/sites/new.conf`, '');
  assert.equal(await tick(), 2, 'a new file beside it');
  for (let minute = 0; minute < 9; minute++) await tick();
  assert.equal(asked, 2);
  await tick();
  assert.equal(asked, 3, 'after ten minutes');
  answer = ok(undefined);
  part.adopt(policy(6));
  assert.equal(await tick(), 4);
  const text = limitsText(entryLimitsOf(policy(6)));
  writeRecord(paths, { sender, files, state: fileStateKey(files), limits: text, apacheOwners: {} });
  assert.equal(await tick(), 4);
  assert.equal(part.entriesCountedSince(), since, 'it stayed open');
  rmSync(recordPath(paths));
  await tick();
  assert.equal(part.entriesCountedSince(), undefined, 'entries were disabled');
});

test('applyServerChanges() restores files that the server refuses, and reloads after a killed run', async () => {
  const path = `${directory}/conf.d/bulkhead.conf`;
  const changes = [{ path, before: undefined, after: 'limit 5;\n' }];
  const begun = FileTransaction.begin(`${paths.state}/web-entries-nginx.journal`, changes);
  assert.ok(begun.ok);
  assert.ok(begun.value.write().ok);
  // A killed run leaves its lock like this.
  begun.value[Symbol.dispose]();
  assert.ok(hasKilledEntries(paths));
  assert.ok(undoWeb(paths).some(({ command }) => command?.join(' ') === 'web entries disable'));
  const undone = undoKilledEntries(paths);
  assert.equal(hasKilledEntries(paths), false);
  assert.ok(undone.ok);
  assert.deepEqual([...undone.value], ['nginx']);
  assert.equal(existsSync(path), false);

  let reloads = 0;
  let problem: Problem | undefined = { action: 'use nginx', reason: 'it is not accepted' };
  const steps = {
    problem: () => Promise.resolve(problem),
    reload: () => {
      reloads++;
      return Promise.resolve(ok('reloaded' as const));
    },
  };
  const run = { paths, undone: undone.value };
  const refused = await applyServerChanges({ server: 'nginx', changes }, run, steps);
  assert.match(refused.ok ? '' : formatProblem(refused.error), /not accepted.*is as before/);
  assert.deepEqual([existsSync(path), reloads], [false, 0]);
  problem = undefined;
  const none = { server: 'nginx', changes: [] } as const;
  assert.deepEqual(await applyServerChanges(none, run, steps), ok('reloaded'));
  const other = { ...run, undone: new Set<never>() };
  assert.deepEqual(await applyServerChanges(none, other, steps), ok('unchanged'));
  assert.deepEqual(
    await applyServerChanges({ server: 'nginx', changes }, other, steps),
    ok('reloaded'),
  );
  assert.deepEqual([readFileSync(path, 'utf8'), reloads], ['limit 5;\n', 2]);
  assert.deepEqual(readdirSync(paths.state), []);
});

test('readEntriesRecord() returns undefined when the record is missing or damaged', () => {
  assert.equal(readEntriesRecord(paths), undefined);
  mkdirSync(paths.state);
  for (const text of ['', '{', 'null', '[]', '{"sender":"0"}', '{"sender":0,"files":[1]}']) {
    writeFileSync(`${paths.state}/web-entries.json`, text);
    assert.equal(readEntriesRecord(paths), undefined, text);
  }
});

test('readEntriesRecord() returns what writeRecord() wrote, and reads the earlier format', () => {
  const record = { sender: 33, files: ['/a'], state: '1', limits: 'x', apacheOwners: {} };
  writeRecord(paths, { ...record, strict: true, apacheOwners: { 'a.example': 'u7/a.example' } });
  assert.equal(readEntriesRecord(paths)?.strict, true);
  assert.deepEqual(readEntriesRecord(paths)?.apacheOwners, { 'a.example': 'u7/a.example' });
  const earlier = {
    ...record,
    apacheOwners: { 'a.example': 7, 'b.example': -1, 'c.example': 'x' },
  };
  writeFileSync(`${paths.state}/web-entries.json`, JSON.stringify(earlier));
  assert.deepEqual(readEntriesRecord(paths), { ...record, apacheOwners: { 'a.example': 'u7' } });
});

test('parseEntryRefusal() reads the member only from the start of a datagram', () => {
  const text = (of: string, url = '/') =>
    parseEntryRefusal(`{"owner":"1001","of":"${of}","site":"a.example","url":"${url}"}`)?.member;
  assert.equal(text('u1001/shop.example'), 'u1001/shop.example');
  assert.equal(text('r1000'), 'r1000');
  for (const none of ['u1001/', 'u1001/a/b', 'x1', 'r1/a', '../r1', 'u12345678901', 'r'])
    assert.equal(text(none), undefined, none);
  assert.equal(parseEntryRefusal('{"owner":"1001","of":"u1001/shop')?.member, 'u1001');
  assert.equal(text('u1001', String.raw`\",\"of\":\"r1000`), 'u1001');
});

test('parseEntryRefusal() parses datagrams of nginx and Apache, and refuses forged ones', () => {
  const sent =
    '<190>Nov 26 04:48:24 bulkhead: {"owner":"1001","site":"a.example","client":"::1","method":"GET","url":"/x?\\"|"}';
  const refusal = {
    member: 'u1001',
    site: 'a.example',
    client: '::1',
    method: 'GET',
    url: '/x?"|',
  };
  assert.deepEqual(parseEntryRefusal(sent), refusal);
  const nothing = { site: '', client: '', method: '', url: '' };
  assert.deepEqual(parseEntryRefusal(sent.slice(0, 80)), { member: 'u1001', ...nothing });
  const owners = new Map<string, Member>([['a.example', 'u7']]);
  const at = '<13>Nov 26 05:34:31 bulkhead: ';
  const line = 'bulkhead-apache A.example 192.0.2.1 D; GET /p?q=a b HTTP/1.1';
  assert.deepEqual(parseEntryRefusal(at + line, owners), {
    member: 'u7',
    site: 'A.example',
    client: '192.0.2.1',
    method: 'GET',
    url: '/p?q=a b',
  });
  for (const other of [line.replace('A.example', 'b.example'), line.replace(' D; ', ' - ')])
    assert.equal(parseEntryRefusal(at + other, owners), undefined, other);
  const forged = line.replace('/p', '/{"owner":"1002","site":"x"}');
  assert.equal(parseEntryRefusal(at + forged, owners)?.member, 'u7');
  assert.equal(parseEntryRefusal(at + forged)?.member, undefined);
  mustEnd(() => parseEntryRefusal(`${at}bulkhead-apache ${' HTTP/1'.repeat(9_000)}`, owners));
  mustEnd(() =>
    parseEntryRefusal(`${at}bulkhead-apache a b D; ${' HTTP/1'.repeat(9_000)}`, owners),
  );
  for (const text of [
    '',
    'x',
    '{"owner":"a"}',
    '{"site":"x","owner":"1"}',
    '{"owner":"12345678901"}',
  ])
    assert.equal(parseEntryRefusal(text), undefined, text);
  const long = parseEntryRefusal(`{"owner":"1","url":"${'\\u001b'.repeat(10_000)}"}`);
  assert.ok((long?.url.length ?? 0) <= 500 * '\\u{1b}'.length);
  assert.match(long?.url ?? '', /^(?:\\u\{1b\})+$/);
});

test('EntryRefusalTally counts all refusals, keeps a few requests of each tenant, and forgets both', () => {
  const tally = new EntryRefusalTally();
  const refusal = { site: '', client: '', method: '', url: '' };
  for (let index = 0; index < 1_000; index++) tally.add({ member: 'u1', ...refusal }, index);
  tally.addAll([{ member: 'u2', count: 7, requests: [] }]);
  const [first, second] = tally.take();
  assert.deepEqual([first?.count, first?.requests.length], [1_000, requestsMax]);
  assert.deepEqual([second?.member, second?.count], ['u2', 7]);
  assert.deepEqual(tally.take(), []);
  for (let owner = 0; owner < 20_000; owner++) tally.add({ member: `u${owner}`, ...refusal }, 0);
  const many = tally.take();
  assert.ok(many.length <= 10_000);
  assert.ok(many.flatMap(({ requests }) => requests).length <= 2_000);
});
