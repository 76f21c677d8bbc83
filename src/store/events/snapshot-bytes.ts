/**
 * A snapshot as bytes: JSON, deflated, at most 64 KiB.
 *
 * A tenant chooses the names of its processes, and so the size. A snapshot that would be too large
 * loses the ends of its command lines, and then its smaller processes.
 */
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import type { Snapshot } from '../../usage/incident.ts';

export const evidenceBytesMax = 64 * 2 ** 10;
const textBytesMax = 4 * 2 ** 20;
const level = 1;

export function encodeEvidence(snapshot: Snapshot): Uint8Array {
  let { processes } = snapshot;
  for (let length = 4_096; ; length = Math.floor(length / 4)) {
    processes = processes.map((each) => ({ ...each, command: each.command.slice(0, length) }));
    if (length < 256) processes = processes.slice(0, Math.floor(processes.length / 2));
    const bytes = deflateRawSync(JSON.stringify({ ...snapshot, processes }), { level });
    if (bytes.byteLength <= evidenceBytesMax || processes.length === 0) return bytes;
  }
}

/** Decodes a snapshot; returns `undefined` if the bytes are corrupt. */
export function decodeEvidence(bytes: Uint8Array): Snapshot | undefined {
  try {
    const text = inflateRawSync(bytes, { maxOutputLength: textBytesMax }).toString();
    return JSON.parse(text) as Snapshot;
  } catch (error) {
    const isDamage =
      error instanceof SyntaxError || (error as NodeJS.ErrnoException).code !== undefined;
    if (!isDamage) throw error;
    return undefined;
  }
}
