/**
 * Inspects processes, in a process of its own: one line of JSON in, several out. A hostile process may
 * make it hang; the supervisor then kills it and starts another.
 */
import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { requireSameBuild } from '../../sys/processes/same-build.ts';
import { gatherEvidence, type EvidenceRequest } from './gather.ts';

requireSameBuild();
const proc = process.argv[2] ?? '/proc';

for await (const line of createInterface({ input: process.stdin })) {
  for (const reply of gatherEvidence(JSON.parse(line) as EvidenceRequest, proc)) {
    // At once: what comes next may hang.
    writeAll(`${JSON.stringify(reply)}\n`);
  }
}

function writeAll(text: string): void {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += writeSync(1, bytes, at));
}
