/** A rollout as commands show it. */
import { count } from '../../../../packages/base/list.ts';
import { printable } from '../../../../packages/base/printable.ts';
import { isOver, judgedWaves, type Seen, type WaveVerdict } from '../../core/rollout/decide.ts';
import { isWaveOpen } from '../../core/rollout/open-waves.ts';
import { isAbout, type RolloutPlan } from '../../core/rollout/plan.ts';
import type { RolloutRecord } from '../../core/rollout/record.ts';
import type { PublishedFleet } from '../../io/rollout/published.ts';
import type { FleetRolloutJson, FleetRolloutWaveJson } from '../json.ts';

/** A rollout, as far as it is known. */
export interface ShownRollout {
  readonly fleet: PublishedFleet;
  readonly record: RolloutRecord | undefined;
  readonly leader?: string;
  /** Undefined: no centre is here. */
  readonly statuses?: Seen['statuses'];
  readonly problems?: readonly string[];
}

/** `seen` has the time. */
export function rolloutJson(
  { fleet: { trust, plan }, record, leader, statuses, problems = [] }: ShownRollout,
  time: Omit<Seen, 'statuses'>,
): FleetRolloutJson {
  const current = record !== undefined && isAbout(plan, record) ? record : undefined;
  const seen = statuses && { ...time, statuses };
  return {
    fleet: trust.fleet,
    generation: plan.head.generation,
    waves: wavesOf(plan, current, seen),
    record:
      (record && {
        generation: record.release.generation,
        verdict: record.verdict,
        wave: record.wave,
        issued: record.issued,
        expires: record.expires,
        isFresh: time.now < Date.parse(record.expires),
        reason: record.reason,
      }) ||
      null,
    leader: leader ?? null,
    problems,
  };
}

function wavesOf(
  plan: RolloutPlan,
  record: RolloutRecord | undefined,
  seen: Seen | undefined,
): readonly FleetRolloutWaveJson[] {
  const { verdict, wave: last = 0 } = record ?? {};
  const begun = verdict === 'keep' ? plan.waves.length : last;
  const judged = seen === undefined ? [] : judgedWaves(plan, begun, seen);
  const verdictOf = (found: WaveVerdict | undefined): WaveVerdict | null => {
    // While hosts go back, the counts say how far that is.
    if (found === undefined || seen === undefined || verdict === 'back') return null;
    // Hosts that are silent now may still speak in time.
    const isWaiting =
      verdict === 'go' && !isOver(plan, Date.parse(record?.opened ?? ''), found, seen);
    return found === 'unclear' && isWaiting ? 'watching' : found;
  };
  return plan.waves.map((hosts, index) => {
    const wave = index + 1;
    const found = judged.find(({ counted }) => counted.wave === wave);
    const { healthy, failed, silent, pending: undecided } = found?.counted ?? noCounts;
    return {
      wave,
      hosts: hosts.length,
      isOpen: isWaveOpen(plan, record, wave),
      counts: found === undefined ? null : { healthy, failed, silent, undecided },
      verdict: verdictOf(found?.verdict),
    };
  });
}

const noCounts = { healthy: 0, failed: 0, silent: 0, pending: 0 };

export function describeRollout(shown: FleetRolloutJson): string {
  const { generation, waves, record, leader, problems } = shown;
  return [
    stateOf(generation, record),
    ...(leader === null ? [] : [`led by ${printable(leader)}, the centre here`]),
    ...waves.map((wave) => waveText(wave, record?.verdict === 'back')),
    ...problems.map((each) => `problem    ${printable(each)}`),
  ].join('\n');
}

const meanings = {
  go: 'hosts of the open waves take it',
  hold: 'paused: no more hosts begin',
  back: 'hosts go back from it',
  keep: 'complete: hosts confirm it',
} as const;

function stateOf(generation: number, record: FleetRolloutJson['record']): string {
  if (record === null) return `generation ${generation}: not begun`;
  const { verdict, reason, isFresh, issued } = record;
  const why = reason === '' ? '' : ` (${printable(reason)})`;
  const old = isFresh
    ? ''
    : `; the record of ${issued} counts no more: "bulkhead fleet rollout renew"`;
  const text = `generation ${record.generation}: ${meanings[verdict]}${why}${old}`;
  return record.generation === generation ? text : `generation ${generation}: not begun\n${text}`;
}

function waveText(
  { wave, hosts, isOpen, counts, verdict }: FleetRolloutWaveJson,
  isBack: boolean,
): string {
  const counted = Object.entries(counts ?? {}).flatMap(([what, number]) =>
    number === 0 ? [] : [`${number} ${isBack && what === 'failed' ? 'back' : what}`],
  );
  const columns = [
    `  wave ${wave}  ${count(hosts, 'host').padStart(12)}`,
    isOpen ? 'open' : '',
    verdict ?? '',
    counted.join(', '),
  ];
  return columns.filter((each) => each !== '').join('  ');
}
