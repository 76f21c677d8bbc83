/** `WebCounts` follows access logs: it loses nothing that it can know of, and says what it cannot. */
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  copyFileSync,
  mkdirSync,
  renameSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { describe, test } from 'node:test';
import { nginxField } from '../../../src/web/core/access-logs/log-format.ts';
import type { LogsByTenant } from '../../../src/web/io/access-logs/record.ts';
import { WebCounts } from '../../../src/web/io/access-logs/web-counts.ts';
import { temporaryDirectory } from '../../../testing/temporary-directory.ts';

const skip = process.geteuid?.() === 0 ? false : 'it needs root';
const uid = 64_430;

class Place implements AsyncDisposable {
  // Everybody can write to /tmp.
  readonly #scratch = temporaryDirectory('access-logs', '/run', 0o755);
  readonly directory = this.#scratch.path;
  readonly log = this.at('a.log');
  readonly counts = new WebCounts({ groups: new Set(), peopleFrom: 1000 });

  at(name: string): string {
    return `${this.directory}/${name}`;
  }

  follow(...paths: readonly string[]): void {
    this.counts.follow(logsAt(...paths));
  }

  async sent(): Promise<number | undefined> {
    await this.counts.read();
    return this.counts.sent(uid, 0)?.bytes;
  }

  get gaps(): string {
    return this.counts.sent(uid, 0)?.gaps.join('; ') ?? 'unknown';
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.counts[Symbol.dispose]();
    this.#scratch.remove();
    return Promise.resolve();
  }
}

function logsAt(...paths: readonly string[]): LogsByTenant {
  const field = nginxField(['"$request" $status $bytes_sent']);
  assert.ok(field.ok);
  const logs = paths.map((path) => ({ path, ...field.value }));
  return new Map([[uid, { logs, gaps: [] }]]);
}

const line = (bytes: number) => `"GET / HTTP/1.1" 200 ${bytes}\n`;

describe('WebCounts', { skip }, () => {
  test('counts what comes after it began, and nothing is known without a log', async () => {
    await using place = new Place();
    place.follow(place.log);
    assert.equal(await place.sent(), undefined);
    writeFileSync(place.log, `${line(5)}"GET /`);
    assert.equal(await place.sent(), 0);
    appendFileSync(place.log, ` HTTP/1.1" 200 7\n${line(100)}"GET`);
    assert.equal(await place.sent(), 100);
    appendFileSync(place.log, ` /" 200 11\n`);
    assert.equal(await place.sent(), 111);
    assert.equal(place.gaps, '');
    assert.equal(place.counts.sent(uid, Date.now() + 1_000)?.bytes, 0);
    assert.equal(place.counts.sent(uid + 1, 0), undefined);
  });

  test('goes on after a rotation, also with what comes late to the renamed file', async () => {
    await using place = new Place();
    writeFileSync(place.log, '');
    place.follow(place.log);
    assert.equal(await place.sent(), 0);
    appendFileSync(place.log, line(1));
    renameSync(place.log, place.at('a.log.1'));
    appendFileSync(place.at('a.log.1'), line(2));
    assert.equal(await place.sent(), 3);
    writeFileSync(place.log, line(4));
    assert.equal(await place.sent(), 7);
    appendFileSync(place.at('a.log.1'), line(8));
    appendFileSync(place.log, line(16));
    assert.equal(await place.sent(), 31);
    assert.equal(place.gaps, '');
  });

  test('sees that a log was copied and cut, also if it has grown again, and says so', async () => {
    await using place = new Place();
    writeFileSync(place.log, '');
    place.follow(place.log);
    await place.sent();
    appendFileSync(place.log, line(1) + line(2));
    assert.equal(await place.sent(), 3);
    copyFileSync(place.log, place.at('a.log.1'));
    truncateSync(place.log, 0);
    appendFileSync(place.log, line(10) + line(20) + line(30));
    assert.equal(await place.sent(), 63);
    assert.match(place.gaps, /was cut while in use/);
  });

  test('leaves out lines that are no lines of the format, and says how many', async () => {
    await using place = new Place();
    writeFileSync(place.log, '');
    place.follow(place.log);
    await place.sent();
    const zeros = Buffer.alloc(200_000);
    appendFileSync(place.log, Buffer.concat([Buffer.from(line(1)), zeros, Buffer.from('\n')]));
    appendFileSync(place.log, `${line(2)}"a"b" 200 99\n\n"GET /" 200 -5\n${line(4)}`);
    assert.equal(await place.sent(), 7);
    assert.match(place.gaps, /^4 lines of/);
  });

  test('reads a large backlog in bounded rounds, and says that it is behind', async () => {
    await using place = new Place();
    writeFileSync(place.log, '');
    place.follow(place.log);
    await place.sent();
    const many = line(1).repeat(40_000);
    const times = Math.ceil((70 * 2 ** 20) / many.length);
    for (let time = 0; time < times; time++) appendFileSync(place.log, many);
    const first = (await place.sent()) ?? 0;
    assert.ok(first > 0 && first < times * 40_000, `${first}`);
    assert.match(place.gaps, /is being read/);
    assert.equal(await place.sent(), times * 40_000);
    assert.equal(place.gaps, '');
  });

  test('follows no link, directory or file of a tenant, and waits for no pipe', async () => {
    await using place = new Place();
    writeFileSync(place.log, '');
    mkdirSync(place.at('own'));
    writeFileSync(place.at('own/a.log'), '');
    symlinkSync(place.log, place.at('own/link.log'));
    chownSync(place.at('own'), uid, uid);
    mkdirSync(place.at('wide'));
    chmodSync(place.at('wide'), 0o777);
    symlinkSync(place.log, place.at('wide/a.log'));
    writeFileSync(place.at('given.log'), '');
    chownSync(place.at('given.log'), uid, uid);
    symlinkSync(place.at('own'), place.at('way'));
    mkdirSync(place.at('a-directory'));
    execFileSync('mkfifo', [place.at('pipe')]);
    const bad = ['own/a.log', 'own/link.log', 'wide/a.log', 'given.log', 'way/a.log'];
    for (const name of [...bad, 'a-directory', 'pipe']) {
      using counts = new WebCounts({ groups: new Set(), peopleFrom: 1000 });
      counts.follow(logsAt(place.log, place.at(name)));
      await counts.read();
      appendFileSync(place.log, line(1));
      await counts.read();
      const { bytes, gaps } = counts.sent(uid, 0) ?? { bytes: -1, gaps: [] };
      assert.equal(bytes, 1, name);
      assert.equal(gaps.length, 1, name);
      assert.match(`${gaps[0]}`, new RegExp(`/${name} cannot be followed: `));
    }
  });

  test('says since when a log counts that came later, and keeps what others counted', async () => {
    await using place = new Place();
    writeFileSync(place.log, '');
    writeFileSync(place.at('b.log'), line(50));
    place.follow(place.log);
    await place.sent();
    appendFileSync(place.log, line(3));
    assert.equal(await place.sent(), 3);
    place.follow(place.at('b.log'));
    await place.sent();
    appendFileSync(place.at('b.log'), line(4));
    assert.equal(await place.sent(), 7);
    assert.match(place.gaps, /b\.log is counted from a later time on/);
    place.counts.follow(new Map());
    assert.equal(await place.sent(), undefined);
  });

  test('follows a log in a directory of a group only if that is the group of the logger', async () => {
    await using place = new Place();
    writeFileSync(place.log, '');
    chownSync(place.directory, 0, 4321);
    chmodSync(place.directory, 0o775);
    for (const [groups, known] of [
      [[4321], 0],
      [[4322], undefined],
      [[], undefined],
    ] as const) {
      using counts = new WebCounts({ groups: new Set(groups), peopleFrom: 1000 });
      counts.follow(logsAt(place.log));
      await counts.read();
      assert.equal(counts.sent(uid, 0)?.bytes, known);
    }
  });

  test("follows root's own link to a directory of root's", async () => {
    await using place = new Place();
    mkdirSync(place.at('real'));
    symlinkSync('real', place.at('link'));
    writeFileSync(place.at('real/a.log'), '');
    place.follow(place.at('link/a.log'));
    await place.sent();
    appendFileSync(place.at('real/a.log'), line(9));
    assert.equal(await place.sent(), 9);
    assert.equal(place.gaps, '');
  });
});
