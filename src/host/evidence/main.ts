/**
 * Looks at processes, in a process of its own: one line of JSON in, one line out. It may hang at a
 * process that wants it to; whoever asked ends it then and starts another.
 */
import { createInterface } from 'node:readline';
import { gatherEvidence, type EvidenceRequest } from './gather.ts';

const proc = process.argv[2] ?? '/proc';

for await (const line of createInterface({ input: process.stdin })) {
  const reply = gatherEvidence(JSON.parse(line) as EvidenceRequest, proc);
  process.stdout.write(`${JSON.stringify(reply)}\n`);
}
