/** The agent's part for the programs that isolate jails: their refusals become faults of the tenants. */
import type { Log } from '../../agent/log.ts';
import type { AgentPart, ReportedFault } from '../../agent/part.ts';
import { reportOnce } from '../../host/reconcile/report-once.ts';
import type { Paths } from '../../host/paths.ts';
import { ProgramEvents } from '../../sys/bpf/program-events.ts';
import { evidenceOf } from '../../usage/evidence.ts';
import { tenantMember } from '../../usage/member.ts';
import { RefusalTally } from '../../usage/refusal-tally.ts';
import { jailIncidents, tryEvidence, type TryEvidence } from '../core/jail-incidents.ts';
import { parseJailRefusal, formatJailRefusal } from '../core/refusal.ts';
import { jailGuard } from './programs.ts';

/** The limit of records for one tick. The programs report a few a second for each tenant. */
const recordsMax = 2000;

export function refusalsPart(paths: Paths, log: Log): AgentPart {
  const tally = new RefusalTally<TryEvidence>();
  const events = new ProgramEvents(jailGuard(paths), (totals) => tally.restart(totals));
  const report = reportOnce((text) => log.error(text));
  let refused = 0;
  return {
    protection() {
      const isOn = jailGuard(paths).areInForce();
      return { name: 'jails', state: isOn ? 'on' : 'off', refused };
    },
    takeFaults() {
      const taken = events.take(recordsMax);
      report(taken);
      if (!taken.ok || taken.value === undefined) return [];
      for (const record of taken.value.records) {
        const refusal = parseJailRefusal(record);
        if (refusal === undefined) continue;
        const { tenant: uid, total, program } = refusal;
        const evidence = () => ({ at: Date.now(), program, tried: formatJailRefusal(refusal) });
        tally.add({ uid, total, watched: false, evidence });
      }
      const faults = [...tally.take()].map(([uid, each]) => faultOf(uid, each));
      for (const { count } of faults) refused += count;
      return faults;
    },
    [Symbol.asyncDispose]() {
      events[Symbol.dispose]();
      return Promise.resolve();
    },
  };
}

const faultOf = (
  uid: number,
  { count, evidence }: { readonly count: number; readonly evidence: readonly TryEvidence[] },
): ReportedFault => ({
  member: tenantMember(uid),
  limit: jailIncidents.limit,
  severity: 'refused',
  count,
  inferred: false,
  evidence: evidenceOf(tryEvidence, evidence),
});
