/**
 * A snapshot as bytes: JSON, deflated, at most 64 KiB.
 *
 * A tenant chooses the names of its processes, and so the size. A snapshot that would be too large
 * loses the ends of its command lines, then its smaller processes, and then the later items of evidence.
 */
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import type { Evidence } from '../../usage/evidence.ts';
import type { IncidentKinds } from '../../usage/incident-kinds.ts';
import type { Snapshot } from '../../usage/incident.ts';
import { parseSnapshot } from './read-snapshot.ts';

export const evidenceBytesMax = 64 * 2 ** 10;
const textBytesMax = 4 * 2 ** 20;
const level = 1;

export function encodeEvidence(snapshot: Snapshot): Uint8Array {
  let { processes, evidence } = snapshot;
  for (let length = 4_096; ; length = Math.floor(length / 4)) {
    processes = processes.map((each) => ({ ...each, command: each.command.slice(0, length) }));
    if (length < 256) processes = processes.slice(0, Math.floor(processes.length / 2));
    const bytes = deflateRawSync(JSON.stringify({ ...snapshot, processes, evidence }), { level });
    const isBare = processes.length === 0;
    if (bytes.byteLength <= evidenceBytesMax || (isBare && evidence === undefined)) return bytes;
    if (isBare) evidence = evidence && firstHalf(evidence);
  }
}

function firstHalf({ kind, items }: Evidence): Evidence | undefined {
  const half = items.slice(0, Math.floor(items.length / 2));
  return half.length === 0 ? undefined : { kind, items: half };
}

/** Decodes a snapshot; returns `undefined` if the bytes are corrupt, or no snapshot. */
export function decodeEvidence(bytes: Uint8Array, kinds: IncidentKinds): Snapshot | undefined {
  try {
    const text = inflateRawSync(bytes, { maxOutputLength: textBytesMax }).toString();
    return parseSnapshot(JSON.parse(text), kinds);
  } catch (error) {
    const isDamage =
      error instanceof SyntaxError || (error as NodeJS.ErrnoException).code !== undefined;
    if (!isDamage) throw error;
    return undefined;
  }
}
