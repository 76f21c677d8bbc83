/** `GET /v1/advise`: which limits would fit what was used, and how far the host is oversold. */
import { availableParallelism, totalmem } from 'node:os';
import type { LimitKey } from '../../limits/limit.ts';
import { unlimited } from '../../units/quantity.ts';
import { advised, printLimit, propose, type Seen } from '../../usage/advise.ts';
import type { Member } from '../../usage/member.ts';
import type { MetricKey } from '../../usage/metrics.ts';
import type { Advice, AdviseAnswer } from '../api.ts';
import type { FaultCounts } from '../live.ts';
import type { Entry } from '../roster.ts';
import { isAdministrator } from '../viewer.ts';
import { orRefuse, type Question } from './context.ts';
import { askedEntries, visibleParts, type Part } from './members.ts';

const week = 7 * 86_400_000;

interface Measured {
  readonly limit: LimitKey;
  readonly seen: ReadonlyMap<Member, Seen>;
}

export async function answerAdvise(question: Question): Promise<AdviseAnswer> {
  const { agent, query, viewer } = question;
  const { from, to } = query.period(Date.now(), week);
  const period = { from, to };
  const entries = askedEntries(question).filter((each) => each.who.kind === 'tenant');
  const parts = visibleParts(question, entries, period);
  const measured = await readSeen(question, parts);
  const usage = await agent.history.usage({ ...period, metrics: ['cpu'], members: [] });
  const faults = new Map(parts.flatMap((part) => [...orRefuse(agent.events.faultCounts(part))]));
  const tenants = measured.flatMap((each) =>
    entries.flatMap((entry) => adviceFor(entry, each, faults)),
  );
  return {
    from,
    to,
    measuredSeconds: usage.ok ? usage.value.measuredSeconds : 0,
    tenants,
    packages: isAdministrator(viewer) ? packagesOf(entries, measured, faults) : [],
    host: isAdministrator(viewer) ? await hostOf(question, period) : [],
  };
}

async function readSeen({ agent }: Question, parts: readonly Part[]): Promise<readonly Measured[]> {
  const all: Measured[] = [];
  for (const [limit, metric] of advised) {
    const seen = new Map<Member, Seen>();
    for (const part of parts) {
      const found = await agent.history.quantiles({ ...part, metric, fractions: [0.99, 1] });
      for (const [member, [p99 = 0, max = 0]] of orRefuse(found)) seen.set(member, { p99, max });
    }
    all.push({ limit, seen });
  }
  return all;
}

type Faults = ReadonlyMap<Member, FaultCounts>;

function adviceFor(entry: Entry, { limit, seen }: Measured, faults: Faults): readonly Advice[] {
  const mine = seen.get(entry.who.member);
  if (mine === undefined) return [];
  const proposal = propose(limit, mine, entry.limits[limit]);
  return [
    {
      ...entry.who,
      limit,
      current: entry.limitTexts[limit] ?? unlimited,
      never: printLimit(limit, proposal.never),
      onePercent: printLimit(limit, proposal.onePercent),
      faults: faults.get(entry.who.member)?.[limit] ?? 0,
    },
  ];
}

/** The largest of what its tenants need. */
function packagesOf(
  entries: readonly Entry[],
  measured: readonly Measured[],
  faults: Faults,
): AdviseAnswer['packages'] {
  const members = Map.groupBy(
    entries.filter((each) => each.who.package !== undefined),
    (each) => each.who.package ?? '',
  );
  return [...members].flatMap(([name, tenants]) =>
    measured.flatMap((each) => packageAdvice(name, tenants, each, faults)),
  );
}

function packageAdvice(
  name: string,
  tenants: readonly Entry[],
  { limit, seen }: Measured,
  faults: Faults,
): AdviseAnswer['packages'] {
  const found = tenants.flatMap((each) => {
    const mine = seen.get(each.who.member);
    return mine === undefined ? [] : [propose(limit, mine, each.limits[limit])];
  });
  if (found.length === 0) return [];
  const own = tenants.find((each) => !ownValue(each, limit)) ?? tenants[0];
  const struck = tenants.map((each) => faults.get(each.who.member)?.[limit] ?? 0);
  return [
    {
      package: name,
      tenants: tenants.length,
      limit,
      current: own?.limitTexts[limit] ?? unlimited,
      never: printLimit(limit, Math.max(...found.map((each) => each.never))),
      onePercent: printLimit(limit, Math.max(...found.map((each) => each.onePercent))),
      faults: struck.reduce((sum, each) => sum + each, 0),
    },
  ];
}

const ownValue = ({ source }: Entry, limit: LimitKey) =>
  source.chain[0]?.kind === 'tenant' && source.chain[0].block.values.has(limit);

/** What is promised to all together beside what the host has. */
async function hostOf(
  { agent }: Question,
  period: { readonly from: number; readonly to: number },
): Promise<AdviseAnswer['host']> {
  const available: readonly (readonly [LimitKey, MetricKey, number])[] = [
    ['cpu.limit', 'cpu', availableParallelism()],
    ['memory.limit', 'anonymous', totalmem()],
  ];
  const tenants = [...agent.roster.entries.values()].filter((each) => each.who.kind === 'tenant');
  const rows: AdviseAnswer['host'][number][] = [];
  for (const [limit, metric, amount] of available) {
    const limited = tenants.flatMap((each) => each.limits[limit] ?? []);
    const promised = limited.reduce((sum, each) => sum + each, 0);
    const peak = await agent.history.peakTotal({ ...period, metric });
    rows.push({
      limit,
      promised: printLimit(limit, promised),
      unlimitedTenants: tenants.length - limited.length,
      available: limit === 'memory.limit' ? gibibytes(amount) : printLimit(limit, amount),
      oversold: promised / amount,
      peak: printLimit(limit, peak.ok ? roundedPeak(limit, peak.value) : 0),
    });
  }
  return rows;
}

const gibibytes = (bytes: number) => `${(bytes / 2 ** 30).toFixed(1)}GiB`;

const roundedPeak = (limit: LimitKey, value: number) =>
  limit === 'cpu.limit' ? Number(value.toFixed(2)) : Math.ceil(value / 2 ** 20) * 2 ** 20;
