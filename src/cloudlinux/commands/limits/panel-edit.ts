/** The edit that `set` of cloudlinux-limits and cloudlinux-packages makes: limits given, and limits inherited again. */
import type { Command } from 'commander';
import { capabilitiesOf, policyReaderOf } from '../../../cli/capability.ts';
import { failed, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import type { Paths } from '../../../host/paths.ts';
import type { LimitKey } from '../../../limits/limit.ts';
import { suggestion } from '../../../policy/diagnostic.ts';
import type { EditTarget } from '../../../policy/edit.ts';
import { lveKeys } from '../../core/lve-usage.ts';
import { clearLimits, settingEdit } from '../lve-edits.ts';
import type { LimitOptions } from '../limit-options.ts';
import { changePolicyAndApply, type EditablePolicy, type LveEdit } from '../lve-policy.ts';
import { policyKeys } from './limits-shape.ts';
import { failedReply, misusedReply, type PanelReply } from './panel-reply.ts';

export interface PanelEditOptions extends LimitOptions {
  /** `all`, or limits separated by commas. */
  readonly default?: string;
}

/** Returns the policy that the options name, for a command that may edit it. */
export const editablePolicy = async (
  command: Command,
  { policy: file, apply }: { readonly policy: string; readonly apply: boolean },
  paths: Paths,
): Promise<EditablePolicy> => ({
  file,
  apply,
  paths,
  capabilities: capabilitiesOf(command),
  reader: await policyReaderOf(command),
});

/** The options that are limits. */
const limitOptions = [
  'speed',
  'cpu',
  'ncpu',
  'pmem',
  'io',
  'iops',
  'nproc',
  'maxEntryProcs',
  'ep',
  'vmem',
  'mem',
  'unlimited',
] as const satisfies readonly (keyof LimitOptions)[];

/** Whether the options have limits to be set. */
export const setsLimits = (options: PanelEditOptions): boolean =>
  limitOptions.some((name) => options[name] !== undefined);

/** Whether the options change something: `set` with none of them succeeds, and scripts call it to test a name. */
export const changesLimits = (options: PanelEditOptions): boolean =>
  options.default !== undefined || setsLimits(options);

export async function changeLimits(
  policy: EditablePolicy,
  target: EditTarget,
  options: PanelEditOptions,
): Promise<PanelReply<never>> {
  const edit = editOf(target, options, policy.paths);
  if (!edit.ok) return misusedReply(edit.error);
  const edited = await changePolicyAndApply(policy, edit.value);
  if (!edited.ok) return failedReply(...edited.error);
  return { kind: 'changed', warnings: edited.value.warnings };
}

function editOf(
  target: EditTarget,
  options: PanelEditOptions,
  paths: Paths,
): Result<LveEdit, Problem> {
  const inherited = inheritedKeys(options.default);
  if (!inherited.ok) return inherited;
  const inherit = inheritEdit(target, inherited.value);
  if (!setsLimits(options)) return ok(inherit);
  const set = settingEdit(target, options, paths);
  return ok((text, now) => {
    const before = inherited.value === undefined ? ok(text) : inherit(text, now);
    return before.ok ? set(before.value, now) : before;
  });
}

/**
 * Returns the keys whose values are to be removed; undefined for none. `all` are only those that CloudLinux's command has
 * too: its callers do not know of disk quotas, weights and the network.
 */
function inheritedKeys(text: string | undefined): Result<readonly LimitKey[] | undefined, Problem> {
  if (text === undefined) return ok(text);
  if (text === 'all') return ok(Object.values(policyKeys).flat());
  const keys: LimitKey[] = [];
  for (const word of text.split(',')) {
    const known = [...lveKeys, ...aliases.keys()];
    const found = known.find((each) => each === word);
    if (found === undefined) {
      const reason = `there is no such limit${suggestion(word, known)}`;
      return failed({ action: 'use the default of', object: word, reason });
    }
    keys.push(...policyKeys[aliases.get(found) ?? (found as keyof typeof policyKeys)]);
  }
  return ok(keys);
}

/** Further names of limits, as the options have them. */
const aliases: ReadonlyMap<string, keyof typeof policyKeys> = new Map([
  ['speed', 'cpu'],
  ['maxEntryProcs', 'ep'],
  ['mem', 'vmem'],
]);

function inheritEdit(target: EditTarget, keys: readonly LimitKey[] | undefined): LveEdit {
  if (keys === undefined || keys.length === 0) return (text) => ok(text);
  return (text, now) => clearLimits(text, target, now, keys);
}
