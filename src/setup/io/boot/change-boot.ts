/**
 * Changes how the host boots.
 *
 *     record "started"    with the contents of before
 *     files, commands, check
 *     record "written"
 *
 * A run that was killed has left a record "started", and the next one undoes it first (`undoBoot`).
 */
import { failed, formatProblem, type Problem } from '../../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../../packages/base/result.ts';
import { at, type BootHost } from '../../../host/boot/boot-host.ts';
import type { Paths } from '../../../host/paths.ts';
import {
  contentAfter,
  putHostFile,
  readHostFile,
  sameBytes,
} from '../../../sys/files/host-file.ts';
import { addOptions } from '../../core/boot/fstab.ts';
import type { BootOptionName, FstabOption } from '../../core/boot/option.ts';
import type { BootRecord, RecordedFile } from '../../core/boot/record.ts';
import { placeWords, type BootWord } from '../../core/boot/words.ts';
import { readBootFile, type BootEdit, type PlannedHost } from './boot-file.ts';
import { stored } from './stored-content.ts';
import { readBootId, writeBootRecord } from './boot-record-file.ts';
import type { BootLoader, Commands } from './loaders/loader.ts';
import { runAll, undoBoot } from './undo-boot.ts';

/** The change that is wanted. */
export interface BootChange {
  readonly options: readonly BootOptionName[];
  readonly words: readonly string[];
  readonly fstab: readonly FstabOption[];
  /** Commands that bring it now, until the next boot. */
  readonly now: Commands;
}

export interface BootPlan extends Pick<BootChange, 'options' | 'fstab'> {
  /** Undefined if no word is to be added. */
  readonly loader: BootLoader | undefined;
  /** The words to add. */
  readonly words: readonly BootWord[];
  /** The words that the boot loader has to have afterwards: some may be there already. */
  readonly wanted: readonly string[];
  /** The change that is written already, which this one is added to. */
  readonly earlier: BootRecord | undefined;
  readonly edits: readonly BootEdit[];
  readonly commands: Commands;
}

const fstabFile = 'etc/fstab';

/** Plans the change. `running` is the command line of this boot. */
export function planBoot(
  host: PlannedHost,
  loader: BootLoader | undefined,
  change: BootChange,
  running: string,
): Result<BootPlan, Problem> {
  const { options, fstab, now } = change;
  const inFstab = planFstab(host, fstab);
  if (!inFstab.ok) return inFstab;
  const { earlier } = host;
  const wanted = change.words;
  const edits = inFstab.value;
  const plan = { options, fstab, loader, words: [], wanted, earlier, edits, commands: now };
  if (loader === undefined || wanted.length === 0) return ok(plan);
  const texts = loader.read(host);
  if (!texts.ok) return texts;
  const words = placeWords(wanted, texts.value, running);
  if (!words.ok)
    return failed({ ...words.error, action: `change the command line of ${loader.title}` });
  const planned = loader.plan(host, words.value);
  if (!planned.ok) return planned;
  return ok({
    ...plan,
    words: words.value,
    edits: [...edits, ...planned.value.edits],
    commands: [...planned.value.commands, ...now],
  });
}

function planFstab(
  host: PlannedHost,
  wanted: readonly FstabOption[],
): Result<readonly BootEdit[], Problem> {
  if (wanted.length === 0) return ok([]);
  const read = readBootFile(host, fstabFile);
  if (!read.ok) return read;
  const after = addOptions(read.value?.text ?? '', wanted);
  if (!after.ok) return failed({ ...after.error, action: 'edit', object: at(host, fstabFile) });
  if (after.value === read.value?.text) return ok([]);
  return ok([{ path: fstabFile, role: 'fstab', before: read.value?.content, after: after.value }]);
}

/** Does it, or nothing; returns remarks. */
export function changeBoot(
  host: BootHost,
  paths: Pick<Paths, 'proc' | 'state'>,
  plan: BootPlan,
): Result<readonly string[], Problem> {
  const record: BootRecord = {
    state: 'started',
    at: new Date().toISOString(),
    bootId: readBootId(paths),
    loader: plan.loader?.name ?? null,
    options: plan.options,
    words: plan.words,
    fstab: plan.fstab,
    files: plan.edits.map(recorded),
    ...(plan.earlier === undefined ? {} : { earlier: plan.earlier }),
  };
  const same = areUnchanged(host, plan);
  if (!same.ok) return same;
  const begun = writeBootRecord(paths, record);
  if (!begun.ok) return begun;
  const done = carryOut(host, plan);
  if (!done.ok) return rollBack(host, paths, record, done.error);
  const files = afterwards(host, plan);
  if (!files.ok) return rollBack(host, paths, record, files.error);
  const ended = writeBootRecord(paths, { ...record, state: 'written', files: files.value });
  return ended.ok ? done : rollBack(host, paths, record, ended.error);
}

/** Somebody may have edited a file while the question was open. */
function areUnchanged(host: BootHost, { edits }: BootPlan): Result<void, Problem> {
  for (const { path, before } of edits) {
    const read = readHostFile({ path: at(host, path) });
    if (!read.ok) return read;
    if (sameBytes(read.value, before)) continue;
    const reason = 'another program changed it meanwhile';
    return failed({ action: 'change', object: at(host, path), reason, hint: 'try again' });
  }
  return ok(undefined);
}

const recorded = ({ path, role, before, after }: BootEdit): RecordedFile => ({
  path,
  role,
  before: stored(before),
  after: after === undefined ? null : stored(contentAfter(before, after)),
});

function carryOut(host: BootHost, plan: BootPlan): Result<readonly string[], Problem> {
  for (const { path, before, after } of plan.edits) {
    if (after === undefined) continue;
    const put = putHostFile({ path: at(host, path) }, contentAfter(before, after));
    if (!put.ok) return put;
  }
  const ran = runAll(host, plan.commands);
  if (!ran.ok) return ran;
  const isChecked = plan.loader !== undefined && plan.wanted.length > 0;
  return isChecked ? plan.loader.check(host, plan.wanted) : ok([]);
}

/** Programs of the boot loader may have written the files again. */
function afterwards(host: BootHost, plan: BootPlan): Result<readonly RecordedFile[], Problem> {
  const files: RecordedFile[] = [];
  for (const { path, role, before } of plan.edits) {
    const read = readHostFile({ path: at(host, path) });
    if (!read.ok) return read;
    files.push({ path, role, before: stored(before), after: stored(read.value) });
  }
  return ok(files);
}

function rollBack(
  host: BootHost,
  paths: Pick<Paths, 'state'>,
  record: BootRecord,
  problem: Problem,
): Result<never, Problem> {
  const undone = undoBoot(host, paths, record);
  if (undone.ok) return fail({ ...problem, reason: `${problem.reason}; all is as before` });
  const reason = `${problem.reason}; undoing it failed as well: ${formatProblem(undone.error)}`;
  return fail({ ...problem, reason, hint: 'correct that, and run: bulkhead setup boot undo' });
}
