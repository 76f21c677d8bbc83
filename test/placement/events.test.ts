/** Events of strict placement are parsed from the bytes of the BPF programs. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import {
  parseStrictEvent,
  strictEventStruct,
  type StrictEvent,
} from '../../src/placement/core/strict-event.ts';

/** `struct event` of bpf/placement.bpf.c: 2 × 8 bytes, 8 × 4, then `char[16]`, `char[32]` and `char[4][64]`. */
const size = 352;

interface Raw {
  readonly numbers?: Readonly<Record<number, number>>;
  readonly command?: string;
  readonly name?: string;
  readonly groups?: readonly string[];
}

/** The offsets of the 32-bit numbers. */
const at = { pid: 16, from: 20, to: 24, tenant: 28, what: 32, mode: 36, parent: 40 } as const;

function bytesOf({ numbers = {}, command = '', name = '', groups = [] }: Raw): Uint8Array {
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, 0x1_0000_0000n, true);
  view.setBigUint64(8, 0xffff_ffff_ffff_ffffn, true);
  for (const [offset, value] of Object.entries(numbers))
    view.setUint32(Number(offset), value, true);
  const put = (text: string, offset: number, length: number) =>
    bytes.set(new TextEncoder().encode(text).subarray(0, length), offset);
  put(command, 48, 16);
  put(name, 64, 32);
  for (const [index, group] of groups.entries()) put(group, 96 + 64 * index, 64);
  return bytes;
}

suite('parseStrictEvent()', () => {
  test('reads each field at its offset', () => {
    assert.equal(strictEventStruct.size, size);
    const numbers = {
      [at.pid]: 12,
      [at.from]: 1,
      [at.to]: 100_000,
      [at.tenant]: 1001,
      [at.what]: 2,
      [at.mode]: 2,
      [at.parent]: 11,
    };
    const groups = ['cron.service', 'system.slice'];
    assert.deepEqual(
      parseStrictEvent(bytesOf({ numbers, command: 'cron', name: 'tool', groups })),
      {
        nanoseconds: 0x1_0000_0000n,
        cgroup: 0xffff_ffff_ffff_ffffn,
        pid: 12,
        parent: 11,
        from: 1,
        to: 100_000,
        tenant: 1001,
        what: 'setuid',
        passed: true,
        command: 'cron',
        name: 'tool',
        unit: 'cron.service',
      } satisfies StrictEvent,
    );
  });

  test('parses the three kinds, and rejects others', () => {
    const kind = (what: number) =>
      parseStrictEvent(bytesOf({ numbers: { [at.what]: what } }))?.what;
    assert.deepEqual([0, 1, 2, 3, 0xffff_ffff].map(kind), [
      'uid',
      'module',
      'setuid',
      undefined,
      undefined,
    ]);
  });

  test('counts an event as passed only in mode "watch"', () => {
    const passed = (mode: number) =>
      parseStrictEvent(bytesOf({ numbers: { [at.mode]: mode } }))?.passed;
    assert.deepEqual([0, 1, 2, 3].map(passed), [false, false, true, false]);
  });

  test('rejects fewer bytes than the structure has, and ignores more', () => {
    const bytes = bytesOf({ command: 'cron' });
    assert.equal(parseStrictEvent(new Uint8Array()), undefined);
    assert.equal(parseStrictEvent(bytes.subarray(0, size - 1)), undefined);
    const longer = new Uint8Array(size + 8);
    longer.set(bytes);
    assert.equal(parseStrictEvent(longer)?.command, 'cron');
  });

  test('reads names without a NUL up to their end, and not into the next field', () => {
    const event = parseStrictEvent(
      bytesOf({ command: 'c'.repeat(16), name: 'n'.repeat(32), groups: ['g'.repeat(64), 'above'] }),
    );
    assert.equal(event?.command, 'c'.repeat(16));
    assert.equal(event?.name, 'n'.repeat(32));
    assert.equal(event?.unit, 'g'.repeat(64));
  });

  test('makes the names that a tenant chose printable', () => {
    const event = parseStrictEvent(
      bytesOf({ command: 'a\u001b[2J', name: 'b\nc', groups: ['\u202egnp'] }),
    );
    assert.equal(event?.command, 'a\\u{1b}[2J');
    assert.equal(event?.name, 'b\\u{a}c');
    assert.equal(event?.unit, '\\u{202e}gnp');
  });

  test('finds the innermost service or scope, else the innermost cgroup', () => {
    const unit = (...groups: readonly string[]) => parseStrictEvent(bytesOf({ groups }))?.unit;
    assert.equal(unit('app', 'payload', 'docker.service', 'system.slice'), 'docker.service');
    assert.equal(unit('session-3.scope', 'user-0.slice'), 'session-3.scope');
    assert.equal(unit('x.servicex', 'cron.service'), 'cron.service');
    assert.equal(unit('', 'cron.service'), 'cron.service');
    assert.equal(unit(), '');
  });
});
