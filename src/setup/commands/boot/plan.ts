/** The plan of `setup boot`: the options that are chosen, and the change of files. */
import { decodeText } from '../../../../packages/base/io/regular-file.ts';
import { failed, type Problem } from '../../../../packages/base/problem.ts';
import type { Result } from '../../../../packages/base/result.ts';
import type { BootHost } from '../../../host/boot/boot-host.ts';
import type { BootOptionName } from '../../core/boot/option.ts';
import { changesOf, type LoaderName } from '../../core/boot/record.ts';
import type { OptionState } from '../../core/boot/state.ts';
import type { BootView } from '../../io/boot/boot-view.ts';
import { planBoot, type BootChange, type BootPlan } from '../../io/boot/change-boot.ts';
import { findLoader } from '../../io/boot/loaders/find-loader.ts';
import type { BootOptionJson } from '../json.ts';

/** Returns the options to write now: a reboot has shown that they are lacking, or they are named. */
export const toWrite = (
  { states }: Pick<BootView, 'states'>,
  named: readonly BootOptionName[],
): readonly OptionState[] =>
  states.filter(
    ({ option, state }) =>
      state === 'needs a reboot' ||
      state === 'without effect' ||
      (state === 'only if named' && named.includes(option.name)),
  );

export function changeOf(options: readonly OptionState[]): BootChange {
  const lacking = options.flatMap(({ need }) => (need.kind === 'lacking' ? [need] : []));
  return {
    options: options.map(({ option }) => option.name),
    words: lacking.flatMap((each) => each.words),
    fstab: lacking.flatMap((each) => each.fstab ?? []),
    now: lacking.flatMap(({ now }) => (now === undefined ? [] : [now])),
  };
}

/** Plans the change for the boot loader of this host. */
export function planFor(
  host: BootHost,
  change: BootChange,
  { facts, record }: BootView,
  name: LoaderName | undefined,
): Result<BootPlan, Problem> {
  const planned = { ...host, earlier: record };
  if (change.words.length === 0) return planBoot(planned, undefined, change, facts.commandLine);
  const known = changesOf(record).flatMap(({ loader }) => loader ?? [])[0];
  const loader = findLoader(host, name ?? known);
  if (!loader.ok)
    return failed({ action: 'add the words to the kernel command line', ...loader.error });
  return planBoot(planned, loader.value, change, facts.commandLine);
}

export const shownFiles = (plan: BootPlan) =>
  plan.edits.flatMap(({ path, before, after }) =>
    after === undefined
      ? []
      : [{ path: `/${path}`, before: before === undefined ? '' : decodeText(before.bytes), after }],
  );

/** Returns the files that are there and that programs of the boot loader write again. */
export const rewrittenFiles = (plan: BootPlan): readonly string[] =>
  plan.edits.flatMap(({ path, before, after }) =>
    before === undefined || after !== undefined ? [] : [`/${path}`],
  );

export const optionJson = ({ option, need, state }: OptionState): BootOptionJson => ({
  name: option.name,
  brings: option.brings,
  cost: option.cost,
  state,
  reason:
    'reason' in need
      ? need.reason
      : (reasonOf(state) ?? (need.kind === 'lacking' ? need.remark : undefined) ?? null),
  words:
    need.kind === 'lacking'
      ? [
          ...need.words,
          ...(need.fstab ?? []).map(
            (each) => `${each.option} for ${each.mountPoint} in /etc/fstab`,
          ),
        ]
      : [],
  byHand: need.kind === 'by hand' ? need.commands : [],
});

function reasonOf(state: OptionState['state']): string | undefined {
  if (state === 'at next reboot') return 'it is written, and in force from the next boot';
  if (state === 'without effect') return 'it was written, and this host was booted without it';
  return undefined;
}
