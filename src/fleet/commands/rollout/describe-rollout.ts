/** A rollout as commands show it. */
import { count } from '../../../../packages/base/list.ts';
import { printable } from '../../../../packages/base/printable.ts';
import { isWaveOpen } from '../../core/rollout/open-waves.ts';
import type { RolloutRecord } from '../../core/rollout/record.ts';
import type { PublishedFleet } from '../../io/rollout/published.ts';
import type { FleetRolloutJson, FleetRolloutWaveJson } from '../json.ts';

/** `now` is in milliseconds since 1970. */
export function rolloutJson(
  { trust, plan }: PublishedFleet,
  record: RolloutRecord | undefined,
  problem: string | undefined,
  now: number,
): FleetRolloutJson {
  return {
    fleet: trust.fleet,
    generation: plan.head.generation,
    waves: plan.waves.map((hosts, index) => ({
      wave: index + 1,
      hosts: hosts.length,
      isOpen: isWaveOpen(plan, record, index + 1),
    })),
    record:
      (record && {
        generation: record.release.generation,
        verdict: record.verdict,
        wave: record.wave,
        issued: record.issued,
        expires: record.expires,
        isFresh: now < Date.parse(record.expires),
        reason: record.reason,
      }) ||
      null,
    problems: problem === undefined ? [] : [`The last record does not count: ${problem}`],
  };
}

export function describeRollout({ generation, waves, record, problems }: FleetRolloutJson): string {
  return [
    stateOf(generation, record),
    ...waves.map(waveText),
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

const waveText = ({ wave, hosts, isOpen }: FleetRolloutWaveJson) =>
  `  wave ${wave}  ${count(hosts, 'host').padStart(12)}${isOpen ? '  open' : ''}`;
