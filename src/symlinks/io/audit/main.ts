/**
 * Reads homes, in a separate process: a line of JSON in, lines out (protocol.ts). A disk that no longer answers, or a
 * tenant's trick, may make it hang; it is then killed, and another process goes on with the next home.
 */
import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { requireSameBuild } from '../../../sys/processes/same-build.ts';
import { HomeReader } from './home-reader.ts';
import type { AuditReply, AuditRequest } from './protocol.ts';

requireSameBuild();
let reader: HomeReader | undefined;

function tell(reply: AuditReply): void {
  const bytes = Buffer.from(`${JSON.stringify(reply)}\n`);
  for (let at = 0; at < bytes.length; at += writeSync(1, bytes, at));
}

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line) as AuditRequest;
  if (request.kind === 'accounts') reader = new HomeReader(request.accounts, tell);
  else if (request.kind === 'home') reader?.read(request.index);
  else tell({ kind: 'names', names: reader?.namesOf(request.files) ?? [] });
}
