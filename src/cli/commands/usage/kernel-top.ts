/**
 * `top` while no agent answers: the kernel's own counters, read twice a second apart, for the policy that was in force.
 * Nothing is reset, and faults are unknown.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { availableParallelism, totalmem } from 'node:os';
import type { TopResponse } from '../../../agent/api/api.ts';
import { topRows } from '../../../agent/responses/top.ts';
import { LatestSample } from '../../../agent/sampling/latest-sample.ts';
import { MemberIndex } from '../../../agent/sampling/member-index.ts';
import type { PolicyReader } from '../../../apply/load-policy.ts';
import type { Paths } from '../../../host/paths.ts';
import { probeDriver } from '../../../host/probe.ts';
import { measure } from '../../../usage/measure.ts';
import { defaultPolicy } from '../../shared/policy-option.ts';

const pauseMilliseconds = 1_000;

/**
 * Computes the rows from two readings of the kernel's counters. Undefined if the policy or the kernel's files cannot be
 * read.
 */
export async function topFromKernel(
  reader: PolicyReader,
  paths: Paths,
  all: boolean,
): Promise<TopResponse | undefined> {
  const kept = reader.load(`${paths.state}/policy-in-force.xml`, paths).policy;
  const policy = kept ?? reader.load(defaultPolicy, paths).policy;
  if (policy === undefined) return undefined;
  const driver = probeDriver(paths, policy.driver);
  if (!driver.ok) return undefined;
  const entries = [...new MemberIndex(policy).entries.values()];
  const read = () => entries.map(({ cgroup }) => driver.value.counters(cgroup));
  const first = read();
  const began = performance.now();
  await wait(pauseMilliseconds);
  const second = read();
  const monotonic = performance.now();
  const readings = entries.flatMap(({ who: { member } }, index) => {
    const now = second[index];
    return now === undefined ? [] : [{ member, before: first[index], now }];
  });
  const at = Date.now();
  const tick = measure(readings, at, (monotonic - began) / 1000);
  const latest = new LatestSample();
  latest.update(tick, readings, [], { at, monotonic });
  const runs = ({ who }: (typeof entries)[number]) => latest.usage(who.member).threads > 0;
  const shown = all ? entries : entries.filter(runs);
  return {
    at,
    durationSeconds: tick.seconds,
    host: { cores: availableParallelism(), memoryBytes: totalmem() },
    rows: topRows(shown, latest, monotonic),
    idle: entries.filter((each) => each.who.kind !== 'site' && !runs(each)).length,
  };
}
