/** The log when its pipe is closed, and when its disk is full. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeLog } from '../../src/agent/log.ts';
import { testDirectory } from '../../testing/temporary-directory.ts';

const { O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;

function textIn(fd: number): string {
  const bytes = Buffer.alloc(65_536);
  return bytes.subarray(0, readSync(fd, bytes)).toString();
}

test('a log whose reader is gone loses lines, and goes on with the next reader', (t) => {
  const pipe = join(testDirectory(t, 'log'), 'pipe');
  execFileSync('mkfifo', [pipe]);
  const first = openSync(pipe, O_RDONLY | O_NONBLOCK);
  const fd = openSync(pipe, O_WRONLY);
  for (const format of ['human', 'json'] as const) {
    const log = makeLog(format, { JOURNAL_STREAM: '1:1' }, fd);
    const reader = format === 'human' ? first : openSync(pipe, O_RDONLY | O_NONBLOCK);
    log.info('one');
    assert.match(textIn(reader), /one/);
    closeSync(reader);
    log.info('two');
    log.error('three');
    const next = openSync(pipe, O_RDONLY | O_NONBLOCK);
    log.info('four');
    log.info('five');
    const text = textIn(next);
    assert.doesNotMatch(text, /two|three/);
    assert.match(text, /four.*\n.*The log lost 2 lines before the last one: EPIPE.*\n.*five/);
    if (format === 'json') for (const line of text.trim().split('\n')) JSON.parse(line);
    closeSync(next);
  }
  closeSync(fd);
});

test('a log on a full disk loses lines', () => {
  const fd = openSync('/dev/full', O_WRONLY);
  const log = makeLog('human', {}, fd);
  for (let line = 0; line < 1_000; line++) log.info('one');
  closeSync(fd);
});
