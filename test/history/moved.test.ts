/** `bulkhead history export` and `import`: a tenant's history goes to another host, and stays apart there. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, suite, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { MovedPruner } from '../../src/agent/history/moved-pruner.ts';
import { hostSeal } from '../../src/fleet/commands/host/host-seal.ts';
import type { HistoryExportJson, HistoryImportJson } from '../../src/history/commands/json.ts';
import { historyFileText, parseHistoryFile } from '../../src/history/commands/history-file.ts';
import { whyNotTrusted } from '../../src/history/commands/trusted.ts';
import {
  readHistoryFile,
  readRecords,
  sealState,
} from '../../src/history/commands/read-history-file.ts';
import { History } from '../../src/store/history/history.ts';
import {
  movedLock,
  pack,
  readMoved,
  unpack,
  writeMoved,
} from '../../src/store/moved/moved-file.ts';
import { MovedReader } from '../../src/store/moved/moved-query.ts';
import {
  mergeRecords,
  movedBytesMax,
  type MovedRecord,
} from '../../src/store/moved/moved-record.ts';
import { parseMovedRecords } from '../../src/store/moved/parse-moved.ts';
import { pruneMoved } from '../../src/store/moved/prune-moved.ts';
import { lockFile } from '../../src/sys/files/flock.ts';
import { formatProblem } from '../../packages/base/problem.ts';
import { IncidentKinds } from '../../src/usage/incident-kinds.ts';
import { eventually } from '../../testing/patience.ts';
import { jsonOf } from '../../testing/json-output.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';
import { hour, settings as storeSettings, value } from '../store/samples.ts';
import { begin, end, hoursOfUse, MovedHost } from './moved-host.ts';

const skip = process.geteuid?.() === 0 ? false : 'only root has a history';
const writer = fileURLToPath(new URL('moved-writer.ts', import.meta.url));
const kinds = new IncidentKinds();

suite('the history of a tenant that moves', { skip }, () => {
  const scratch = suiteDirectory('moved');
  const source = new MovedHost('bulkhead-moved-source');
  const target = new MovedHost('bulkhead-moved-target');
  const file = join(scratch, 'alice.history');
  let exported: HistoryExportJson;

  before(() => {
    source.join('example', 'web-017');
    target.join('example', 'web-101');
    source.record(1001, 'alice');
    target.know(2002, 'alice');
    const printed = source.done('history', 'export', 'alice', '--to', file, '--json');
    exported = jsonOf<HistoryExportJson>('history export', printed);
  });

  /** Writes another file: with other records, signed by the host itself, and other fields. */
  function written(name: string, records: unknown, fields: object = {}, json?: string): string {
    const text = json ?? JSON.stringify(records);
    const head = JSON.stringify({
      ...value(parseHistoryFile(readFileSync(file, 'utf8'))).head,
      sha256: createHash('sha256').update(text).digest('hex'),
      bytes: Buffer.byteLength(text),
      ...fields,
    });
    const { key, signature } = value(hostSeal.seal(source.paths, head));
    const packed = Buffer.from(pack(text)).toString('base64');
    const path = join(scratch, name);
    writeFileSync(path, historyFileText({ headText: head, seal: { key, signature }, packed }));
    return path;
  }

  const recordsOf = (path: string): readonly MovedRecord[] =>
    value(readRecords(value(readHistoryFile(path)), { kinds, now: Date.now() }));
  /** Returns why a file is not taken, whoever has signed it. */
  const whyNot = (path: string): string => {
    const file = readHistoryFile(path);
    if (!file.ok) return formatProblem(file.error);
    const records = readRecords(file.value, { kinds, now: Date.now() });
    return records.ok ? '' : records.error.reason;
  };
  const record = () => recordsOf(file)[0] as MovedRecord;

  test('goes along whole, once, and under the uid of its tenant here', () => {
    assert.deepEqual([exported.hours, exported.incidents], [hoursOfUse, 2]);
    assert.equal(statSync(file).mode & 0o777, 0o600);
    const key = exported.fingerprint ?? '';
    const take = () =>
      jsonOf<HistoryImportJson>(
        'history import',
        target.done('history', 'import', file, '--as', 'alice', '--key', key, '--json'),
      );
    assert.deepEqual(take(), { tenant: 'alice', origins: ['web-017'], hours: 5, incidents: 2 });
    const kept = readFileSync(`${target.history}/moved/u2002.zst`);
    assert.deepEqual(take(), { tenant: 'alice', origins: [], hours: 0, incidents: 0 });
    assert.deepEqual(readFileSync(`${target.history}/moved/u2002.zst`), kept);
    assert.equal(statSync(`${target.history}/moved/u2002.zst`).mode & 0o777, 0o600);
    const { since, records } = target.moved(2002) ?? {};
    assert.equal(since, end);
    assert.deepEqual(records, [record()]);
    const { hours, faults, incidents, ...account } = record();
    assert.deepEqual([account.host, account.uid, account.name], ['web-017', 1001, 'alice']);
    assert.deepEqual(
      [hours.starts[0], hours.seconds[0], hours.metrics.cpu?.averages[0]],
      [begin, 3600, 0.625],
    );
    assert.deepEqual(faults, [[begin + hour, 'cpu.limit', 7]]);
    assert.equal(incidents[0]?.evidence[0]?.processes[0]?.command, 'php secret.php');
  });

  test('answers with what was measured there', () => {
    const reader = new MovedReader(target.history);
    const query = { member: 'u2002', metrics: ['cpu', 'sent'], points: 2, count: 1 } as const;
    const [part, ...more] = value(
      reader.parts({ ...query, since: end, from: begin + hour, to: begin + 3 * hour }),
    );
    assert.deepEqual(more, []);
    assert.equal(part?.measuredSeconds, 7200);
    assert.ok(Math.abs((part?.usage.cpu?.average ?? 0) - 2.125) < 0.01);
    assert.deepEqual([part?.usage.sent, part?.seconds], [undefined, [3600, 3600]]);
    assert.deepEqual(
      [part?.faults, part?.incidents.length, part?.total],
      [{ 'cpu.limit': 7 }, 1, 2],
    );
    // A later owner of the uid does not see it.
    const later = { ...query, since: end + 1, from: begin, to: end };
    assert.deepEqual(value(reader.parts(later)), []);
    const id = part?.incidents[0]?.id ?? 0;
    const asked = { member: 'u2002', host: 'web-017', id } as const;
    assert.equal(value(reader.incident({ ...asked, since: end }))?.name, 'alice');
    assert.equal(value(reader.incident({ ...asked, since: end + 1 })), undefined);
    assert.equal(value(reader.incident({ ...asked, since: end, host: 'web-018' })), undefined);
  });

  test('says when the account is not known, and takes another name', () => {
    const key = exported.fingerprint ?? '';
    assert.match(
      target.refused('history', 'import', file, '--key', key, '--as', 'nobody'),
      /"nobody": the agent knows no tenant of that name.*bulkhead apply/,
    );
    target.know(2003, 'alice2');
    assert.match(
      target.done('history', 'import', file, '--key', key, '--as', 'alice2'),
      /^alice2: 5 hours and 2 incidents from web-017, where it was alice\n$/,
    );
    assert.match(source.refused('history', 'export', 'bob', '--to', join(scratch, 'x')), /bob/);
    assert.match(source.refused('history', 'export', 'alice', '--to', file), /it exists already/);
  });

  test('a newer export takes the place of an older one, and goes on to the next host', () => {
    const newer = written('newer', [{ ...record(), until: record().until + 1000 }]);
    const key = exported.fingerprint ?? '';
    target.done('history', 'import', newer, '--as', 'alice', '--key', key);
    assert.equal(target.moved(2002)?.records.length, 1);
    assert.match(
      target.done('history', 'import', file, '--as', 'alice', '--key', key),
      /nothing new/,
    );
    const next = join(scratch, 'next.history');
    const printed = target.done('history', 'export', 'alice', '--to', next, '--json');
    const { origins } = jsonOf<HistoryExportJson>('history export', printed);
    assert.deepEqual(origins, ['web-101', 'web-017']);
    // Back where it came from: its own part is there already.
    assert.match(
      source.done('history', 'import', next, '--as', 'alice', '--unverified'),
      /alice: 0 hours and 0 incidents from web-101/,
    );
    assert.deepEqual(
      source.moved(1001)?.records.map(({ host }) => host),
      ['web-101'],
    );
  });

  test('refuses what nobody vouches for', () => {
    const take = (path: string, ...more: readonly string[]) =>
      target.refused('history', 'import', path, '--as', 'alice', ...more);
    const key = exported.fingerprint ?? '';
    assert.match(take(file), /SHA256:.* has signed it, and nobody has compared it; pass --key/);
    assert.match(take(file, '--key', 'SHA256:other'), /has signed it, not SHA256:other/);
    const other = written('other', [record()], { fleet: 'another' });
    assert.match(take(other, '--key', key), /from the fleet "another".*"example"; .*--other-fleet/);
    target.done('history', 'import', other, '--as', 'alice', '--key', key, '--other-fleet');
    const alone = new MovedHost('bulkhead-moved-alone');
    alone.record(1001, 'alice');
    const unsigned = join(scratch, 'unsigned');
    assert.match(alone.done('history', 'export', 'alice', '--to', unsigned), /not signed/);
    assert.match(take(unsigned, '--key', key), /nobody has signed it; .*--unverified/);
    assert.match(
      alone.refused('history', 'import', file, '--as', 'alice', '--key', key),
      /this host is in none/,
    );
    const changed = JSON.parse(readFileSync(file, 'utf8')) as { head: string };
    changed.head = changed.head.replace('web-017', 'web-018');
    const forged = join(scratch, 'forged');
    writeFileSync(forged, JSON.stringify(changed));
    assert.match(take(forged, '--unverified'), /its signature is wrong/);
    assert.match(target.run('history', 'import', file, '--key', key).stderr, /--as/);
  });

  test('is pruned by the age of hours and of incidents, to its last row', () => {
    target.know(2009, 'prunes');
    const moved = { since: end, records: [record()] };
    assert.ok(writeMoved(target.history, 'u2009', moved).ok);
    const ages = { summaryMilliseconds: 30 * hour, incidentsMilliseconds: 10 * hour };
    const pruned = (now: number) => pruneMoved(target.history, { member: 'u2009', now, ...ages });
    const left = () =>
      target
        .moved(2009)
        ?.records.map((each) => [
          each.hours.starts.length,
          each.hours.metrics.cpu?.averages.length,
          each.faults.length,
          each.incidents.length,
        ]);
    assert.equal(value(pruned(end)), false);
    assert.deepEqual(target.moved(2009), moved);
    // The faults and both incidents are of the second hour.
    assert.equal(value(pruned(begin + 13 * hour)), true);
    assert.deepEqual(left(), [[5, 5, 0, 0]]);
    assert.equal(value(pruned(begin + 33 * hour)), true);
    assert.deepEqual(left(), [[2, 2, 0, 0]]);
    {
      const lock = value(lockFile(movedLock(target.history), { waitMs: 0 }));
      const refused = pruned(end + 99 * hour);
      assert.match(refused.ok ? '' : formatProblem(refused.error), /lock .*moved\.lock/);
      lock.release();
    }
    assert.equal(value(pruned(end + 99 * hour)), true);
    assert.equal(existsSync(`${target.history}/moved/u2009.zst`), false);
    assert.equal(value(pruned(end + 99 * hour)), false);
  });

  test('the agent has it pruned, once a day, when its clock can be trusted', async () => {
    const there = new MovedHost('bulkhead-moved-pruned');
    there.know(2010, 'old');
    assert.ok(writeMoved(there.history, 'u2010', { since: end, records: [record()] }).ok);
    writeFileSync(`${there.history}/moved/u2011.zst`, 'damaged');
    await using history = new History(there.history);
    const warnings: string[] = [];
    using pruner = new MovedPruner({
      directory: there.history,
      history: () => history.askedBy('administrator'),
      log: { warn: (line: string) => warnings.push(line) },
    });
    const path = `${there.history}/moved/u2010.zst`;
    const settings = { ...storeSettings, summaryMilliseconds: 1, incidentsMilliseconds: 1 };
    // A clock that has just been set to another year deletes nothing.
    const far = end + 99 * hour;
    for (let tick = 0; tick < 359; tick++)
      pruner.look({ at: far + tick * 5_000, monotonic: tick * 5_000 }, settings);
    await history.askedBy('administrator').pruneMoved({ member: 'u2099', now: 0, ...settings });
    assert.ok(existsSync(path));
    pruner.look({ at: far + 361 * 5_000, monotonic: 361 * 5_000 }, settings);
    await eventually('it is pruned', () => !existsSync(path));
    await eventually('the other one is named', () => warnings.length > 0);
    assert.match(warnings.join('\n'), /^[^\n]*u2011\.zst[^\n]*damaged[^\n]*$/);
  });

  test('a host speaks for itself first, whatever another one hands on', () => {
    const own = { ...record(), host: 'web-055' };
    const handed = { ...own, until: own.until + 1000, via: 'web-017' };
    const merged = (...all: readonly MovedRecord[]) =>
      all.reduce<readonly MovedRecord[]>((known, each) => mergeRecords(known, [each]).records, []);
    assert.deepEqual(merged(own, handed), [own]);
    assert.deepEqual(merged(handed, own), [own]);
    const told = recordsOf(written('handed', [record(), { ...own, via: 'web-001' }]));
    assert.deepEqual(
      told.map(({ host, via }) => [host, via]),
      [
        ['web-017', undefined],
        ['web-055', 'web-017'],
      ],
    );
    const many = Array.from({ length: 40 }, (_, each) => ({ ...own, host: `web-${each}` }));
    assert.equal(mergeRecords([], many).records.length, 15);
  });

  test('refuses hostile contents, and says what', () => {
    const before = readFileSync(`${target.history}/moved/u2002.zst`);
    const [own] = record().incidents;
    const far = Date.now() + 1000 * 86_400_000;
    const cases: readonly (readonly [what: RegExp, records: unknown, fields?: object])[] = [
      [/"records" is not a list/, 'alice'],
      [/"records" has 17 items; 16 at most/, Array(17).fill(record())],
      [/"name" is .*which cannot be one/, [{ ...record(), name: 'a\u001b[2Jb' }]],
      [/"name" is/, [{ ...record(), name: '../../etc' }]],
      [/"host" is/, [{ ...record(), host: 'web\u202e017' }]],
      [/"until" is 20.*later than it can be/, [{ ...record(), until: far }]],
      [/"since" is/, [{ ...record(), since: record().until + 1 }]],
      [/"uid" is 1e\+300/, [{ ...record(), uid: 1e300 }]],
      [/"hours" is not an object/, [{ ...record(), hours: [] }]],
      [/metric that is not known here: "constructor"/, [hours({ constructor: column(5) })]],
      [/a value for each hour/, [hours({ cpu: column(4) })]],
      [/"value" is -1/, [hours({ cpu: column(5, -1) })]],
      [/"value" is "1"/, [hours({ cpu: column(5, '1') })]],
      [
        /limit that is not known here: "__proto__"/,
        [{ ...record(), faults: [[begin, '__proto__', 1]] }],
      ],
      [/does not begin an hour/, [{ ...record(), faults: [[begin + 1, 'cpu.limit', 1]] }]],
      [/"value" is .*not a text of one line/, [incidents({ value: '1\u001b]0;x\u0007' })]],
      [/severity/, [incidents({ severity: 'deadly' })]],
      [/"end" is 20/, [incidents({ end: far })]],
      [/nested too deeply/, [incidents({ evidence: [{ at: 1, usage: nested(20) }] })]],
      [/text that is too long/, [incidents({ evidence: [{ at: 1, x: 'x'.repeat(5000) }] })]],
      [/unpacks to 999999999 bytes/, [record()], { bytes: 999_999_999 }],
      [/its records are not those of its head/, [record()], { bytes: 10 }],
      [/its records are not those of its head/, [record()], { sha256: '0'.repeat(64) }],
      [/format is not known/, [record()], { format: 2 }],
      [/values that cannot be right/, [record()], { tenant: '\u001b[31m' }],
    ];
    for (const [what, records, fields] of cases) {
      const path = written('hostile', records, fields);
      assert.match(whyNot(path), what);
    }
    const stderr = target.refused(
      'history',
      'import',
      written('hostile', [{ ...record(), name: 'a\u001b[2Jb' }]),
      '--as',
      'alice',
      '--unverified',
    );
    assert.match(stderr, /"name" is "a\\u001b\[2Jb", which cannot be one/);
    assert.doesNotMatch(stderr, /\p{Cc}(?!$)/u);
    assert.deepEqual(readFileSync(`${target.history}/moved/u2002.zst`), before);

    function hours(metrics: object) {
      return { ...record(), hours: { ...record().hours, metrics } };
    }
    function column(length: number, each: unknown = 1) {
      return { averages: Array(length).fill(each), maxima: Array(length).fill(each) };
    }
    function incidents(change: object) {
      return { ...record(), incidents: [{ ...own, ...change }] };
    }
    function nested(depth: number): unknown {
      return depth === 0 ? 1 : [nested(depth - 1)];
    }
  });

  test('unpacks no more than the head says, at most 16 MiB', () => {
    const bomb = pack('0'.repeat(64 * 2 ** 20));
    assert.ok(bomb.length < 10_000);
    assert.equal(unpack(bomb, movedBytesMax), undefined);
    assert.equal(unpack(bomb, 0), undefined);
    const path = written('bomb', [], { bytes: 100 }, '0'.repeat(2 ** 20));
    assert.match(whyNot(path), /not those of its head/);
    const lists = '['.repeat(2 ** 20);
    assert.match(whyNot(written('deep', [], {}, lists)), /too many lists/);
    const outer = join(scratch, 'outer');
    writeFileSync(outer, lists);
    assert.match(whyNot(outer), /too many lists/);
  });

  test('takes none of 1,500 mutated files for anything else', () => {
    const whole = readFileSync(file);
    const path = join(scratch, 'mutated');
    let random = 12_345;
    const next = (below: number) => (random = (random * 48_271) % 2_147_483_647) % below;
    for (let round = 0; round < 1500; round++) {
      const bytes = Buffer.from(whole);
      for (let each = 0; each <= round % 3; each++) bytes[next(bytes.length)] = next(256);
      const cut = round % 5 === 0 ? bytes.subarray(0, next(bytes.length)) : bytes;
      writeFileSync(path, cut);
      const read = readHistoryFile(path);
      if (!read.ok) continue;
      const distrust = whyNotTrusted(
        read.value,
        'example',
        sealState(read.value, hostSeal),
        exported.fingerprint === undefined ? {} : { key: exported.fingerprint },
      );
      // The bytes that no signature covers mean nothing, such as spaces between the fields.
      if (distrust !== undefined) continue;
      const records = readRecords(read.value, { kinds, now: Date.now() });
      if (records.ok) assert.deepEqual(records.value, recordsOf(file));
    }
  });

  test('takes 1,500 mutated records whole or not at all, even if a host signs them', () => {
    const text = JSON.stringify([record()]);
    const options = { kinds, now: Date.now() };
    let random = 54_321;
    let taken = 0;
    const next = (below: number) => (random = (random * 48_271) % 2_147_483_647) % below;
    const pieces = ['null', '-1', '1e999', '"x"', '[]', '{}', '"\u202e"', '1e17', 'true', '', ','];
    for (let round = 0; round < 1500; round++) {
      const at = next(text.length);
      const mutated = text.slice(0, at) + pieces[next(pieces.length)] + text.slice(at + next(9));
      let parsed: unknown;
      try {
        parsed = JSON.parse(mutated);
      } catch {
        continue;
      }
      const records = parseMovedRecords(parsed, options);
      if (!records.ok) continue;
      taken++;
      // What is taken is taken again: nothing in it is worse than before.
      assert.deepEqual(parseMovedRecords(records.value, options), records);
    }
    assert.ok(taken < 1500);
  });

  test('is there whole or not at all whenever an import is killed', async () => {
    const history = join(scratch, 'killed');
    for (let round = 0; round < 8; round++) {
      const child = spawn(process.execPath, [writer, history], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      await once(child.stdout, 'data');
      await sleep(Math.random() * 30);
      child.kill('SIGKILL');
      await once(child, 'exit');
      const { since = 0, records = [] } = value(readMoved(history, 'u1')) ?? {};
      assert.equal(records.length, (since % 7) * 3000);
    }
    value(writeMoved(history, 'u1', { since: 1, records: [] }));
  });

  test('ends with its account', () => {
    target.know(2003, 'another', end + hour);
    assert.ok(!existsSync(`${target.history}/moved/u2003.zst`));
    assert.ok(existsSync(`${target.history}/moved/u2002.zst`));
  });
});
