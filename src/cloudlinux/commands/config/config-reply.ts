/**
 * `get` shows the alert rules of the policy. `set` succeeds only if it would change nothing: rules have addresses and
 * severities, which the data of CloudLinux's command lacks.
 */
import { isObject, parseObject } from '../../../../packages/base/json.ts';
import type { Problem } from '../../../../packages/base/problem.ts';
import { docPage } from '../../../sys/package-files.ts';
import { readPolicy, type EditablePolicy } from '../lve-policy.ts';
import { failedReply, misusedReply, type PanelReply } from '../limits/panel-reply.ts';
import { faultsNotification, type FaultsNotification } from './notifications.ts';

export interface PanelConfig {
  /** The settings that exist here. */
  readonly options: {
    /** The alert rules of the policy. */
    readonly faultsNotification: FaultsNotification;
  };
  /** Always `success`. */
  readonly result: 'success';
}

export interface ConfigOptions {
  readonly policy: string;
  readonly json?: boolean;
  readonly data?: string;
  readonly forReseller?: string;
  readonly resetInodesLimit?: boolean;
}

type Reply = PanelReply<PanelConfig>;
type Json = Readonly<Record<string, unknown>>;

export function configReply(
  [verb, ...rest]: readonly string[],
  options: ConfigOptions,
  policy: Pick<EditablePolicy, 'file' | 'paths' | 'reader'>,
): Reply {
  if (rest.length > 0 || (verb !== 'get' && verb !== 'set'))
    return misusedReply({ reason: 'Write "get" or "set", and options' });
  const { forReseller, resetInodesLimit } = options;
  if (forReseller !== undefined) {
    const reason = 'alert rules are for all resellers alike';
    return failedReply({ action: 'use settings of the reseller', object: forReseller, reason });
  }
  if (resetInodesLimit === true)
    return failedReply({ action: 'reset inode limits', reason: 'see "bulkhead apply"' });
  const read = readPolicy(policy.reader, policy.file, policy.paths);
  if (!read.ok) return failedReply(...read.error);
  const notification = faultsNotification(read.value.policy.agent.alerts.rules);
  const json = { options: { faultsNotification: notification }, result: 'success' } as const;
  return verb === 'get'
    ? { kind: 'shown', json, text: JSON.stringify(json.options, undefined, 2) }
    : set(options.data, json.options);
}

const dataBytesMax = 64 * 2 ** 10;

function set(data: string | undefined, current: PanelConfig['options']): Reply {
  if (data === undefined) return misusedReply({ reason: 'Give the settings: --data' });
  const wanted = optionsIn(data);
  if (wanted === undefined) {
    const hint = `write for example --data '{"options":{"faultsNotification":{"notifyAdmin":true}}}'`;
    return failedReply({ action: 'read --data', reason: 'it is not JSON with "options"', hint });
  }
  const changes = changesIn(wanted, current, []);
  return changes.length === 0 ? { kind: 'changed', warnings: [] } : failedReply(...changes);
}

function optionsIn(data: string): Json | undefined {
  if (data.length > dataBytesMax) return undefined;
  const options = parseObject(data)?.['options'];
  return isObject(options) ? options : undefined;
}

/** The shape is four levels deep. */
const depthMax = 4;
const changesMax = 20;

/** Returns a problem for each value that differs from the current one. */
function changesIn(wanted: Json, current: unknown, path: readonly string[]): readonly Problem[] {
  return Object.entries(wanted)
    .flatMap(([name, value]) => {
      const now = isObject(current) && Object.hasOwn(current, name) ? current[name] : undefined;
      const inner = [...path, name];
      const isKnown = isObject(now) || (isObject(value) && Object.keys(value).length > 0);
      if (isObject(value) && isKnown && inner.length < depthMax)
        return changesIn(value, now, inner);
      return value === now ? [] : [refusal(inner, now)];
    })
    .slice(0, changesMax);
}

const refusal = (path: readonly string[], now: unknown): Problem => ({
  action: 'set',
  object: path.join('.'),
  ...(now === undefined
    ? { reason: 'Bulkhead has no such setting' }
    : {
        reason: `it is ${JSON.stringify(now)} by the alert rules of the policy`,
        hint: `edit <alerts> in the policy; see ${docPage('alerts')}`,
      }),
});
