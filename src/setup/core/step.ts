/** One step of a setup: what it changes, what customers notice, and how it is undone. */
import type { Cause, ProblemOrCause } from '../../../packages/base/problem.ts';
import type { Result } from '../../../packages/base/result.ts';
import type { Layer, LayerState } from '../../../packages/base/layer.ts';
import type { ImportedLimits } from '../../policy/elements/add-limits.ts';
import type { TenantAccount } from '../../policy/elements/edit-elements.ts';
import type { Answers } from './answers.ts';
import type { Level } from './levels.ts';
import type { HostLook } from './look.ts';
import type { Report } from './reports.ts';
import type { Words } from './words.ts';

export interface StepContext {
  readonly answers: Answers;
  readonly look: HostLook;
  /** The tenants for which the policy says nothing of a jail. */
  readonly unjailed: readonly TenantAccount[];
  /** The sites of tenants that web servers of this host serve, by the tenant's name. */
  readonly sites: ReadonlyMap<string, readonly string[]>;
  /** The tenant on which a change is tried first, one with a site; absent if there is none. */
  readonly canary?: string;
  /** The policy's path. */
  readonly file: string;
  /** The policy now; absent before there is one. */
  readonly text?: string;
  /** The limits of another program, if those are wanted; or why they cannot be read. */
  readonly imported?: Result<ImportedLimits, Cause>;
  /** The option that names the policy; empty for the default one. */
  readonly policy: readonly string[];
}

export interface Step {
  readonly key: string;
  /** The first level that includes it. */
  readonly level: Level;
  readonly title: string;
  /** The files, units and reloads. */
  readonly changes: string | ((context: StepContext) => string);
  readonly customers: string;
  /** Whether a higher level has another step in its place. */
  readonly onlyAtItsLevel?: true;
  /** Whether its layers must be enforced; otherwise it is enough that they are watched. */
  readonly enforces?: true;
  /** Whether it is only for a host that has nothing of it yet: what watches or refuses already stays as it is. */
  readonly startsOpen?: true;
  /** Whether it has more to do than its layers show, for tenants that are added later. */
  readonly runsOnce?: true;
  /** The step that must not have failed before it. */
  readonly needs?: string;
  /** Why it does not apply here; absent if it always does. */
  readonly obstacle?: (context: StepContext) => string | undefined;
  /** Commands that must come before the edit. */
  readonly before?: (context: StepContext) => readonly Words[];
  /** Edits the policy, which is applied then. */
  readonly edit?: (text: string, context: StepContext) => Result<string, readonly ProblemOrCause[]>;
  readonly commands: (context: StepContext) => readonly Words[];
  /** Units that are reloaded afterwards if they run. */
  readonly reloads?: (context: StepContext) => readonly string[];
  /** The commands that undo it; what it edits in the policy is taken out otherwise. */
  readonly undo: (context: StepContext) => readonly Words[];
  /** The keys of the layers that it raises. */
  readonly layers: readonly string[];
  /** Whether web servers change, so that sites are asked before and after. */
  readonly asksSites?: true;
  /** Whether it changes the canary alone. */
  readonly isForOne?: true;
  /** Its result, if it changes nothing and only reports: it never fails, and is never undone. */
  readonly report?: Report;
}

/** The layers of a step are beyond where it begins: something of it is in force, or its state is unknown. */
export const isBeyond = ({ layers: keys, startsOpen }: Step, layers: readonly Layer[]): boolean =>
  startsOpen === true && layers.some(({ key, state }) => keys.includes(key) && state !== 'open');

const reached: ReadonlySet<LayerState> = new Set(['enforced', 'watched']);

/** Returns whether the host has what the step would do: all of its layers that apply here are as far as they can be. */
export function isReached({ layers: keys, enforces }: Step, layers: readonly Layer[]): boolean {
  const own = layers.filter(({ key, state }) => keys.includes(key) && state !== 'unavailable');
  const isFar = (state: LayerState) =>
    enforces === true ? state === 'enforced' : reached.has(state);
  return own.length > 0 && own.every(({ state }) => isFar(state));
}

/** Why the step has not worked although its commands did: the first of its layers that is still open. */
export function problemAfter(
  { layers: keys, enforces }: Step,
  layers: readonly Layer[],
): string | undefined {
  const own = layers.filter(({ key }) => keys.includes(key));
  const watched = enforces === true ? own.find(({ state }) => state === 'watched') : undefined;
  if (watched !== undefined) return `${watched.key} is watched: ${watched.reason}`;
  const open = own.find(({ state }) => state === 'open' || state === 'unknown');
  const raised = own.some(({ state }) => reached.has(state) || state === 'partly');
  return open === undefined || raised ? undefined : `${open.key} is ${open.state}: ${open.reason}`;
}
