/** A file of tests that runs inside a guest, with what it prints as it comes. */
import assert from 'node:assert/strict';
import { longPatienceMilliseconds } from '../patience.ts';
import type { Guest } from './guest.ts';

/** Rejects unless the file passes. `buildBesideSources` comes first. */
export async function passInside(guest: Guest, file: string): Promise<void> {
  const { status } = await guest.run(
    `cd /opt/bulkhead && node --test --test-concurrency=1 ${file}`,
    {
      timeoutMs: longPatienceMilliseconds,
      onOutput: (text) => process.stderr.write(text.replaceAll(/^/gm, 'guest: ')),
    },
  );
  assert.equal(status, 0, `${file} fails in the guest`);
}
