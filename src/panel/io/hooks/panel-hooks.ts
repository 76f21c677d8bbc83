/** The hooks of the panel that this host has. Files change all at once or not at all. */
import { failed, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import { changeFiles, undoUnfinished } from '../../../sys/files/file-transaction.ts';
import { packageFile } from '../../../sys/package-files.ts';
import { canQuote } from '../../core/hook-text.ts';
import { sourcesOf } from '../read-panel.ts';
import type { PanelSource, Place } from '../sources/source.ts';
import {
  changeRegistry,
  hasRegistry,
  registeredCount,
  registeredEvents,
} from './cpanel-registry.ts';
import {
  disableChanges,
  enableChanges,
  hookFilesOf,
  isHooked,
  readHooks,
  type HookState,
} from './hook-files.ts';

/** The program that hooks call. */
export const hookProgram = (): string => packageFile('libexec/bulkhead-panel-hook');

const journalOf = ({ paths }: Place): string => `${paths.state}/panel-hooks.journal`;

export interface Hook {
  /** The file, or the event of cPanel's registry. */
  readonly where: string;
  readonly isEnabled: boolean;
}

export interface PanelHooks {
  /** The panel's name. */
  readonly panel: string;
  readonly hooks: readonly Hook[];
  readonly problems: readonly Problem[];
}

/** Returns the hooks of each panel of this host. */
export async function surveyHooks(place: Place): Promise<readonly PanelHooks[]> {
  return Promise.all(sourcesOf(place).map((source) => surveyOne(place, source)));
}

async function surveyOne({ root }: Place, { name, panel }: PanelSource): Promise<PanelHooks> {
  const problems: Problem[] = [];
  const files = readHooks(hookFilesOf(name, root), problems);
  const hooks = files.map((each) => ({ where: each.path, isEnabled: isHooked(each) }));
  if (name !== 'cpanel' || !hasRegistry(root)) return { panel, hooks, problems };
  const count = await registeredCount(root, hookProgram());
  if (!count.ok) return { panel, hooks, problems: [count.error] };
  const isEnabled = count.value >= registeredEvents.length;
  return { panel, hooks: registeredEvents.map((where) => ({ where, isEnabled })), problems };
}

/** Whether any hook calls Bulkhead; starts no program, so cPanel's are not among them. */
export const hasHookFiles = (place: Place): boolean =>
  sourcesOf(place).some(({ name }) => readHooks(hookFilesOf(name, place.root), []).some(isHooked));

/** Adds the calls. Returns the problems with hooks that stay as they are. */
export async function enableHooks(place: Place): Promise<Result<readonly Problem[], Problem>> {
  const program = hookProgram();
  const action = 'add hooks to the panel';
  if (!canQuote(program))
    return failed({ action, reason: `the path ${program} needs quoting in scripts` });
  const problems: Problem[] = [];
  const done = await change(place, problems, (files) => enableChanges(files, program, problems));
  if (!done.ok) return done;
  const registered = await forCpanel(place, 'add');
  return registered.ok ? ok(problems) : registered;
}

/** Takes the calls out of all hooks. */
export async function disableHooks(place: Place): Promise<Result<readonly Problem[], Problem>> {
  const problems: Problem[] = [];
  const done = await change(place, problems, (files) => disableChanges(files, problems));
  if (!done.ok) return done;
  const removed = await forCpanel(place, 'delete');
  return removed.ok ? ok(problems) : removed;
}

async function change(
  place: Place,
  problems: Problem[],
  changesOf: (files: readonly HookState[]) => Parameters<typeof changeFiles>[1],
): Promise<Result<void, Problem>> {
  const journal = journalOf(place);
  const undone = undoUnfinished(journal);
  if (!undone.ok) return undone;
  const files = sourcesOf(place).flatMap(({ name }) => hookFilesOf(name, place.root));
  const changes = changesOf(readHooks(files, problems));
  if (changes.length === 0) return ok(undefined);
  return changeFiles(journal, changes, () => Promise.resolve(ok(undefined)));
}

async function forCpanel(
  { root, paths }: Place,
  action: 'add' | 'delete',
): Promise<Result<void, Problem>> {
  const isHere = sourcesOf({ root, paths }).some(({ name }) => name === 'cpanel');
  if (!isHere || !hasRegistry(root)) return ok(undefined);
  const program = hookProgram();
  const count = await registeredCount(root, program);
  if (!count.ok) return count;
  const isDone = action === 'add' ? count.value >= registeredEvents.length : count.value === 0;
  if (isDone) return ok(undefined);
  // Some of them are registered: none shall be there twice.
  const cleared =
    action === 'add' && count.value > 0
      ? await changeRegistry(root, program, 'delete')
      : ok(undefined);
  return cleared.ok ? changeRegistry(root, program, action) : cleared;
}
