/** The agent's count of what web servers send: by the record of `bulkhead web sync`, whoever has damaged it. */
import assert from 'node:assert/strict';
import { appendFileSync, chownSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { ok } from '../../../packages/base/result.ts';
import type { Log } from '../../../src/agent/log.ts';
import { formatSentByWeb } from '../../../src/cli/shared/format.ts';
import { pathsOf } from '../../../src/host/paths.ts';
import { nginxField } from '../../../src/web/core/access-logs/log-format.ts';
import {
  readWebLogs,
  webLogsPath,
  webLogsRelease,
  writeWebLogs,
} from '../../../src/web/io/access-logs/record.ts';
import { SentPart } from '../../../src/web/io/access-logs/sent-part.ts';
import { temporaryDirectory } from '../../../testing/temporary-directory.ts';

const skip = process.geteuid?.() === 0 ? false : 'it needs root';
const uid = 64_433;
const silent = { warn: () => {} } as unknown as Log;

describe('SentPart', { skip }, () => {
  test('tells what each tenant has; an account that has the uid later begins at zero', async () => {
    // Everybody can write to /tmp.
    using scratch = temporaryDirectory('access-logs', '/run', 0o755);
    const paths = { ...pathsOf('bulkhead'), state: `${scratch.path}/state`, etc: scratch.path };
    const field = nginxField(['$status $bytes_sent']);
    assert.ok(field.ok);
    const log = `${scratch.path}/a.log`;
    writeFileSync(log, '');
    await using part = new SentPart(paths, silent, () => Promise.resolve(ok(undefined)));
    await part.read();
    assert.equal(part.sentByWeb(uid, 0), undefined, 'there is no record');
    const logs = [{ path: log, ...field.value }];
    const gaps = ['shop.example does not log everything that it sends'];
    const written = writeWebLogs(paths, new Map([[uid, { logs, gaps }]]));
    assert.ok(written.ok);
    await part.read();
    appendFileSync(log, '200 2048\n');
    await part.read();
    assert.deepEqual(part.sentByWeb(uid, 0)?.gaps, gaps);
    assert.match(
      formatSentByWeb(part.sentByWeb(uid, 0)!),
      /^2\.00KiB sent by web servers since .* \(partial: shop\.example does not log/,
    );
    assert.equal(part.sentByWeb(uid, Date.now() + 1_000)?.bytes, 0);
    assert.equal(part.sentByWeb(uid + 1, 0), undefined);
    assert.deepEqual(await webLogsRelease.release(paths), []);
    await part.read();
    assert.equal(part.sentByWeb(uid, 0), undefined);
  });

  test('follows no log of an account that login.defs counts among people', async () => {
    using scratch = temporaryDirectory('access-logs', '/run', 0o755);
    const paths = { ...pathsOf('bulkhead'), state: `${scratch.path}/state`, etc: scratch.path };
    const field = nginxField(['$status $bytes_sent']);
    assert.ok(field.ok);
    const log = `${scratch.path}/a.log`;
    writeFileSync(log, '');
    chownSync(log, 700, 700);
    assert.ok(
      writeWebLogs(paths, new Map([[uid, { logs: [{ path: log, ...field.value }], gaps: [] }]])).ok,
    );
    for (const [uidMin, known] of [
      [500, undefined],
      [1000, 0],
    ] as const) {
      writeFileSync(`${scratch.path}/login.defs`, `UID_MIN ${uidMin}\n`);
      await using part = new SentPart(paths, silent, () => Promise.resolve(ok(undefined)));
      await part.read();
      assert.equal(part.sentByWeb(uid, 0)?.bytes, known);
    }
  });

  test('a record that is damaged, or is a link, names no log', () => {
    using scratch = temporaryDirectory('access-logs');
    const paths = { ...pathsOf('bulkhead'), state: scratch.path };
    const texts = ['', '{', '[]', '{"tenants":[]}', '{"tenants":{"-1":{"logs":[]}}}', 'null'];
    for (const text of texts) {
      writeFileSync(webLogsPath(paths), text);
      assert.equal(readWebLogs(paths).size, 0, text);
    }
    writeFileSync(webLogsPath(paths), '{"tenants":{"5":{"logs":[1,{"path":7}],"gaps":[3]}}}');
    assert.deepEqual([...readWebLogs(paths)], [[5, { logs: [], gaps: [] }]]);
    writeFileSync(`${scratch.path}/other`, '{"tenants":{"5":{}}}');
    unlinkSync(webLogsPath(paths));
    symlinkSync(`${scratch.path}/other`, webLogsPath(paths));
    assert.equal(readWebLogs(paths).size, 0);
  });
});
