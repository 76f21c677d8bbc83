/** The layers that the engine itself enforces: the policy, each limit, the agent, and the entry paths. */
import { planPolicy } from '../../apply/apply.ts';
import type { StatusResponse } from '../../agent/api/status-response.ts';
import type { Problem } from '../../../packages/base/problem.ts';
import type { Result } from '../../../packages/base/result.ts';
import type { Driver } from '../../host/driver.ts';
import {
  isOutsideJail,
  type Enforced,
  type EntryPathReport,
} from '../../host/entry-paths/entry-paths.ts';
import { runsSystemd } from '../../host/cgroups/systemd-delegation.ts';
import { readLaunch } from '../../host/cgroups/launch-file.ts';
import { agentLock, type Paths } from '../../host/paths.ts';
import { isLocked } from '../../sys/files/flock.ts';
import { agentUnit } from '../../host/systemd/own-units.ts';
import { systemctl } from '../../host/systemd/systemctl.ts';
import { limits } from '../../limits/limits.ts';
import type { Limit, LimitKey } from '../../limits/limit.ts';
import type { Help, Support, Weakness } from '../../limits/support.ts';
import { givenLimits, observesLimits, onlyObserved, type Policy } from '../../policy/policy.ts';
import { comparable } from '../../usage/detect.ts';
import type { Layer, LayerState } from '../../../packages/base/layer.ts';
import {
  because,
  improvedBy,
  joined,
  type LayerPart,
  type LayerReason,
} from '../../../packages/base/layer-texts.ts';

/** Web servers enforce entries, so a capability reports them. */
const reportedElsewhere = 'entries';

interface Applied {
  /** Whether a policy of this instance is in force at all. */
  readonly any: boolean;
  readonly differences: number;
}

/** `problem` is why there is a policy that cannot be used; what is in force is unknown then. */
export function policyLayers(
  policy: Policy | undefined,
  problem: string | undefined,
  driver: Driver,
  paths: Paths,
): readonly Layer[] {
  const supports = driver.capabilities.limits;
  if (policy === undefined)
    return [
      withoutPolicy('policy', problem, { improve: setup }),
      ...limitsHere.map(
        (limit) =>
          impossibleLayer(limit, keysOf(limit), supports) ??
          withoutPolicy(keyOf(limit), problem, firstStep(limit)),
      ),
    ];
  const applied = {
    any: readLaunch(paths.runtime) !== undefined,
    differences: planPolicy(policy, driver).operations.length,
  };
  return [
    appliedLayer(policy, applied),
    ...limitsHere.map((limit) => limitLayer(limit, policy, supports, applied)),
  ];
}

const limitsHere = limits.filter(({ name }) => name !== reportedElsewhere);

const apply = 'bulkhead apply';
const setup = 'bulkhead setup';

const keyOf = ({ name }: Limit) => `limit ${name}`;
const keysOf = ({ name, attributes }: Limit) =>
  Object.keys(attributes).map((each): LimitKey => `${name}.${each}`);

const withoutPolicy = (key: string, problem: string | undefined, step: Improvement): Layer =>
  problem === undefined
    ? { key, state: 'open', ...because('no policy'), ...step }
    : { key, state: 'unknown', reason: problem, improve: 'bulkhead check' };

/** The limits that `setup` sets; the others wait for somebody who knows how much each tenant needs. */
const setBySetup: readonly string[] = ['cpu', 'memory', 'io', 'processes'];

type Improvement = Pick<Layer, 'improve' | 'improves'>;

const firstStep = (limit: Limit): Improvement =>
  setBySetup.includes(limit.name)
    ? { improve: setup }
    : improvedBy('first and next', setup, setCommand(limit));

/** The command that sets the limit for all tenants. */
const setCommand = (limit: Limit) => `bulkhead defaults set ${keysOf(limit)[0]}=VALUE`;

/** Returns the layer of a limit that this host cannot enforce; undefined if it can enforce one of the keys. */
function impossibleLayer(
  limit: Limit,
  keys: readonly LimitKey[],
  supports: ReadonlyMap<LimitKey, Support>,
): Layer | undefined {
  const considered = keys.flatMap((each) => supports.get(each) ?? []);
  const [first] = considered;
  if (first === undefined || considered.some(({ level }) => level !== 'none')) return undefined;
  return { key: keyOf(limit), state: 'unavailable', ...reasonOf(first) };
}

function appliedLayer({ tenants }: Policy, { any, differences }: Applied): Layer {
  const key = 'policy';
  if (!any) return { key, state: 'open', ...because('not applied'), improve: apply };
  if (differences > 0)
    return {
      key,
      state: 'partly',
      ...because('differences', differences),
      improve: 'bulkhead verify',
    };
  return { key, state: 'enforced', ...because('in force', tenants.length) };
}

function limitLayer(
  limit: Limit,
  policy: Policy,
  supports: ReadonlyMap<LimitKey, Support>,
  { any, differences }: Applied,
): Layer {
  const { tenants, defaults, observedDefaults } = policy;
  const isObserved = observesLimits(policy);
  const key = keyOf(limit);
  const keys = keysOf(limit);
  const isSet = (tenant: Policy['tenants'][number]) =>
    keys.some((each) => givenLimits(tenant)[each] !== undefined);
  const limited = tenants.filter(isSet);
  const used = keys.filter((each) =>
    tenants.some((tenant) => givenLimits(tenant)[each] !== undefined),
  );
  const considered = used.length === 0 ? keys : used;
  const impossible = impossibleLayer(limit, considered, supports);
  if (impossible !== undefined) return impossible;
  const given = observedDefaults ?? defaults;
  const forLater = keys.filter((each) => given[each] !== undefined);
  if (tenants.length === 0 && forLater.length > 0)
    return isObserved
      ? observedLayer(key, forLater)
      : { key, state: 'enforced', ...because('for later') };
  if (limited.length === 0)
    return { key, state: 'open', ...because('no tenant has it'), improve: setCommand(limit) };
  if (!any) return { key, state: 'open', ...because('not applied'), improve: apply };
  if (isObserved) return observedLayer(key, used);
  const who =
    limited.length === tenants.length
      ? because('all tenants', limited.length)
      : because('some tenants', limited.length, tenants.length);
  const weak = considered
    .flatMap((each) => supports.get(each) ?? [])
    .find(({ level }) => level !== 'full');
  if (weak !== undefined) return { key, state: 'partly', ...reasonOf(weak, who) };
  if (differences > 0)
    return { key, state: 'partly', ...joined(who, because('not fully applied')) };
  return { key, state: limited.length === tenants.length ? 'enforced' : 'partly', ...who };
}

/** A limit that is only observed: usage is compared with some, and nothing shows what would have hit the others. */
function observedLayer(key: string, used: readonly LimitKey[]): Layer {
  const isCompared = used.some((each) => comparable.some(([limit]) => limit === each));
  return {
    key,
    state: isCompared ? 'watched' : 'open',
    ...onlyObserved,
  };
}

function reasonOf(support: Support, who?: LayerReason) {
  const { help, helps = [] } = support;
  const weak = whyWeak(support);
  return {
    ...(who === undefined ? weak : joined(who, weak)),
    ...(help !== undefined && { improve: help, improves: helps.map(partOf) }),
  };
}

function whyWeak({ reason, weaknesses }: Support): LayerReason {
  if (reason === undefined) return because('host cannot');
  return weaknesses === undefined
    ? because('english', reason)
    : { reason, reasons: weaknesses.map(partOf) };
}

const partOf = ({ code, value }: Weakness | Help): LayerPart => ({
  code,
  ...(value !== undefined && { values: [value] }),
});

/** The agent moves what starts elsewhere, measures, and keeps history. */
export async function agentLayer(
  agent: Result<StatusResponse, Problem>,
  paths: Paths,
): Promise<Layer> {
  const key = 'agent';
  const improve = runsSystemd() ? 'bulkhead units enable' : 'bulkhead agent';
  if (!agent.ok) {
    const state = isLocked(agentLock(paths)) ? 'unknown' : 'open';
    return { key, state, reason: agent.error.reason, improve };
  }
  const { starting, history, policy, placement } = agent.value;
  if (starting !== undefined) return { key, state: 'partly', ...because('starting') };
  if (policy.state !== 'in force')
    return {
      key,
      state: 'partly',
      ...because('policy state', policy.state),
      improve: 'bulkhead check',
    };
  if (placement.state === 'off')
    return { key, state: 'partly', ...joined(because('polls'), placement.problem ?? '', ': ') };
  if (history.state === 'off')
    return { key, state: 'partly', ...joined(because('no history'), history.problem ?? '', ': ') };
  const isOwn = paths.instance === 'bulkhead' && runsSystemd();
  if (isOwn && !(await systemctl('is-enabled', '--quiet', agentUnit)).ok)
    return { key, state: 'partly', ...because('not at boot'), improve };
  return { key, state: 'enforced', ...because('agent works') };
}

const ofEntryPath: Readonly<Record<Enforced, LayerState>> = {
  'at source': 'enforced',
  'at login': 'enforced',
  caught: 'partly',
  'not covered': 'open',
};

/** Returns a layer for each entry path of this server through which tenants' processes start. */
export const entryPathLayers = (reports: readonly EntryPathReport[]): readonly Layer[] =>
  reports.flatMap((each): readonly Layer[] => {
    if (each.enforced === undefined) return [];
    const outside = isOutsideJail(each.jail);
    const state = ofEntryPath[each.enforced];
    const { jail } = each;
    if (jail?.unknown === true && state === 'enforced') {
      const reason = joined(because(each.enforced), jail.reason ?? because('jail unknown'));
      return [{ key: `entry ${each.entryPath}`, state: 'unknown', ...reason }];
    }
    return [
      {
        key: `entry ${each.entryPath}`,
        state: outside && state === 'enforced' ? 'partly' : state,
        ...(outside
          ? joined(because(each.enforced), because('outside the jail'), ', ')
          : joined(because(each.enforced), each.reason, ': ')),
        ...(each.improve === undefined ? {} : { improve: each.improve }),
      },
    ];
  });
