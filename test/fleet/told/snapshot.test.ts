/** The file of hosts that a centre writes, and root reads: whoever has the centre's account gains nothing by it. */
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chownSync,
  mkdirSync,
  readdirSync,
  renameSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { snapshotText } from '../../../src/fleet/core/told/snapshot.ts';
import { CentreStore } from '../../../src/fleet/io/server/centre-store.ts';
import { SnapshotReader } from '../../../src/fleet/io/server/snapshot-reader.ts';
import { SnapshotWriter } from '../../../src/fleet/io/server/snapshot-writer.ts';
import { suiteDirectory } from '../../../testing/temporary-directory.ts';
import { makeDesk } from '../desk.ts';
import { snapshotOf, snapshotPath, toldHost, writeSnapshot } from './snapshots.ts';

const noon = Date.parse('2027-01-31T12:00:00.000Z');

suite('the file of hosts', () => {
  const directory = suiteDirectory('fleet-snapshot');
  let centres = 0;
  const centre = () => {
    const path = join(directory, `centre-${centres++}`);
    mkdirSync(path, { mode: 0o700 });
    return path;
  };
  const read = (path: string, now = noon) => new SnapshotReader(path).hosts(now);
  const good = snapshotText(snapshotOf([toldHost('web-001', noon)], noon));

  /** Reads what `plant` left in the place of the file, and returns why it does not count. */
  function refused(plant: (file: string) => void): string {
    const path = centre();
    plant(snapshotPath(path));
    const { isCentre, hosts, count, problems } = read(path);
    assert.deepEqual([isCentre, hosts.length, count], [true, 0, 0]);
    assert.equal(problems.length, 1);
    return problems[0] ?? '';
  }
  const refusedText = (text: string | Uint8Array) => refused((file) => writeFileSync(file, text));

  test('links, pipes, directories and files of others are not read', () => {
    const secret = join(directory, 'secret');
    writeFileSync(secret, good, { mode: 0o600 });
    assert.match(
      refused((file) => symlinkSync(secret, file)),
      /symbolic link/,
    );
    assert.match(
      refused((file) => execFileSync('mkfifo', [file])),
      /a named pipe/,
    );
    assert.match(
      refused((file) => mkdirSync(file)),
      /a directory/,
    );
    assert.match(
      refused((file) => {
        writeFileSync(file, good);
        chownSync(file, 65_534, 65_534);
      }),
      /does not belong to the owner/,
    );
    const behind = join(directory, 'behind');
    symlinkSync(centre(), behind);
    assert.match(read(behind).problems[0] ?? '', /symbolic link/);
  });

  test('files that are too large, too deep or malformed are refused whole', () => {
    assert.match(
      refused((file) => {
        writeFileSync(file, good);
        truncateSync(file, 100 * 2 ** 20);
      }),
      /100 MiB|limit is/,
    );
    const [head = '', host = ''] = good.trimEnd().split('\n');
    const lines = (...all: readonly string[]) => refusedText(`${all.join('\n')}\n`);
    assert.match(refusedText('['.repeat(15 * 2 ** 20)), /longer than/);
    assert.match(refusedText('\n'.repeat(15 * 2 ** 20)), /more than 10000 hosts/);
    assert.match(lines(head, '{"a":'.repeat(10_000)), /not a JSON object/);
    assert.match(lines(head, host, host), /order of their names/);
    assert.match(lines(head, host.replace('web-001', '<b>web</b>')), /wrong "host"/);
    assert.match(lines(head, host.replace('web-001', '__proto__')), /wrong "host"/);
    assert.match(lines(head, host.slice(0, -5)), /not a JSON object/);
    assert.match(lines(head.replace('"format":1', '"format":2')), /format 2/);
    assert.match(lines(head.replace(/"at":\d+/, '"at":1e99')), /wrong "at"/);
    assert.match(lines(head, host.replace('"wave":1', '"wave":1e9')), /wrong "wave"/);
    assert.match(lines(head, host.replace('"wave":1', '"wave":1,"more":1')), /not known/);
    assert.match(refusedText(new Uint8Array(4096).fill(0xff)), /not a JSON object/);
    assert.match(refusedText(''), /not a JSON object/);
  });

  test('what a host says stays text, whatever is in it', () => {
    const path = centre();
    const why = '<img src=x onerror=alert(1)>\u001b[2J\u202e';
    writeSnapshot(path, snapshotOf([toldHost('web-001', noon, { state: 'refused', why })], noon));
    assert.equal(read(path).hosts[0]?.why, why);
  });

  test('a file that is replaced counts from then on, and one of before counts no more', () => {
    const path = centre();
    const reader = new SnapshotReader(path);
    writeSnapshot(path, snapshotOf([toldHost('a', noon)], noon));
    assert.deepEqual(reader.hosts(noon).count, 1);
    writeSnapshot(path, snapshotOf([toldHost('a', noon), toldHost('b', noon)], noon));
    assert.deepEqual(reader.hosts(noon).count, 2);
    renameSync(snapshotPath(path), join(path, 'elsewhere'));
    assert.match(reader.hosts(noon).problems[0] ?? '', /it does not exist/);
  });

  /** Publishes a release for three hosts in two waves, and returns the directory. */
  function publish() {
    const { at, out, key, done } = makeDesk('fleet-snapshot-desk', ['alice', 'centre']);
    done('init', at, '--name', 'example', '--person', `alice=${key('alice')}.pub`);
    writeFileSync(
      join(at, 'fleet.xml'),
      `<bulkhead version="1"><hosts fleet="example"><group name="all" hosts="web-001..web-003"/>
         <waves><wave hosts="web-001"/><wave hosts="100%"/></waves></hosts></bulkhead>`,
    );
    const by = ['-C', at, '--key', key('alice')];
    done('trust', 'add', '--controller', 'centre', `${key('centre')}.pub`, ...by);
    done('sign', ...by);
    done('publish', out, '-C', at);
    return { out, begin: () => done('rollout', 'start', out, '--key', key('centre')) };
  }

  function writing(release: string) {
    const path = centre();
    const store = new CentreStore(path);
    const now = Date.now();
    const said: string[] = [];
    const log = { warn: (text: string) => void said.push(text) };
    const parts = { directory: path, store, fleet: 'example', release, log };
    const write = async (writer: SnapshotWriter) => {
      assert.ok((await writer.write(now)).ok);
      return read(path, now);
    };
    return { path, store, now, said, parts, write };
  }

  test('the centre writes its hosts and those of the release, and leaves nothing behind', async () => {
    const { path, store, now, said, parts } = writing(join(directory, 'nothing'));
    using _store = store;
    writeFileSync(join(path, '.hosts.jsonl.0123456789abcdef.tmp'), 'of a killed writer');
    const { status } = toldHost('web-002', now);
    assert.ok(store.pinned('web-002', 'key').ok && store.status('web-002', status ?? '', now).ok);
    assert.ok(store.pinned('gone-1', 'key').ok && store.refuse('gone-1', 'its key').ok);
    const stop = new AbortController();
    const running = new SnapshotWriter(parts).run(stop.signal);
    stop.abort();
    await running;
    assert.deepEqual(said, []);
    const left = readdirSync(path).filter((name) => name.includes('jsonl'));
    assert.deepEqual(left, ['hosts.jsonl']);
    const { hosts, problems, rollout } = read(path, now);
    const states = hosts.map(({ host, state, why }) => [host, state, why]);
    assert.deepEqual(states, [
      ['gone-1', 'unknown', 'refused: its key'],
      ['web-002', 'confirmed', null],
    ]);
    assert.match(problems[0] ?? '', /nothing/);
    assert.equal(rollout, undefined);
  });

  test('a release that the centre may not read, or a failure nobody expected, ends nothing', async () => {
    const locked = join(directory, 'locked');
    mkdirSync(locked, { mode: 0o755 });
    symlinkSync('loop', join(locked, 'loop'));
    const { path, store, now, said, parts, write } = writing(join(locked, 'loop'));
    using _store = store;
    const { problems, rollout } = await write(new SnapshotWriter(parts));
    assert.match(problems[0] ?? '', /loop/);
    assert.equal(rollout, undefined);
    const broken = {
      hosts: () => {
        throw new Error('broken');
      },
    };
    const stop = new AbortController();
    const running = new SnapshotWriter({ ...parts, store: broken }).run(stop.signal);
    stop.abort();
    await running;
    assert.match(said[0] ?? '', /Cannot write the hosts of the fleet: broken/);
    assert.equal(read(path, now).problems.length, 1);
  });

  test('the waves of the published release come with it, and follow each record', async () => {
    const { out, begin } = publish();
    const { store, parts, write } = writing(out);
    using _store = store;
    const writer = new SnapshotWriter(parts);
    const first = await write(writer);
    assert.deepEqual([first.problems, first.rollout?.record], [[], undefined]);
    assert.deepEqual(
      first.hosts.map(({ host, state }) => `${host} ${state}`),
      ['web-001 unknown', 'web-002 unknown', 'web-003 unknown'],
    );
    const waves = first.rollout?.waves.map(({ hosts, isOpen, unknown }) => [
      hosts,
      isOpen,
      unknown,
    ]);
    assert.deepEqual(waves, [
      [1, false, 1],
      [2, false, 2],
    ]);
    begin();
    const { record, waves: open } = (await write(writer)).rollout ?? {};
    assert.deepEqual([record?.verdict, record?.wave, record?.isFresh], ['go', 1, true]);
    assert.deepEqual([open?.[0]?.isOpen, open?.[1]?.isOpen], [true, false]);
    const other = await write(new SnapshotWriter({ ...parts, fleet: 'another' }));
    assert.match(other.problems[0] ?? '', /is of another fleet/);
    writeFileSync(join(out, 'hosts', 'web-001.json'), '{}');
    const damaged = await write(new SnapshotWriter(parts));
    assert.match(damaged.problems[0] ?? '', /web-001\.json/);
    assert.deepEqual([damaged.count, damaged.rollout], [0, undefined]);
  });
});
