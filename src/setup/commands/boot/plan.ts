/** The plan of `setup boot`: the options that are chosen, and the change of files. */
import { decodeText } from '../../../../packages/base/io/regular-file.ts';
import { failed, type Problem } from '../../../../packages/base/problem.ts';
import type { Result } from '../../../../packages/base/result.ts';
import type { BootHost } from '../../../host/boot/boot-host.ts';
import type { BootOptionName } from '../../core/boot/option.ts';
import type { BootRecord, LoaderName } from '../../core/boot/record.ts';
import { keyOf } from '../../core/boot/words.ts';
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

/** Joins the options with what the record has: the earlier change is undone first, and stays part of this one. */
export function changeOf(
  options: readonly OptionState[],
  record: BootRecord | undefined,
): BootChange {
  const lacking = options.flatMap(({ need }) => (need.kind === 'lacking' ? [need] : []));
  const words = lacking.flatMap((each) => each.words);
  const keys = new Set(words.map(keyOf));
  const earlier = (record?.words ?? []).flatMap(({ word }) =>
    keys.has(keyOf(word)) ? [] : [word],
  );
  const fstab = lacking.flatMap((each) => each.fstab ?? []);
  const isNew = (mountPoint: string) => fstab.every((each) => each.mountPoint !== mountPoint);
  return {
    options: [
      ...new Set([...(record?.options ?? []), ...options.map(({ option }) => option.name)]),
    ],
    words: [...earlier, ...words],
    fstab: [...(record?.fstab ?? []).filter((each) => isNew(each.mountPoint)), ...fstab],
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
  // What an earlier change of ours replaced was there before this boot.
  const running = [
    facts.commandLine,
    ...(record?.words ?? []).flatMap((each) => each.instead ?? []),
  ];
  const planned = { ...host, earlier: record };
  if (change.words.length === 0) return planBoot(planned, undefined, change, running.join(' '));
  const loader = findLoader(host, name ?? record?.loader ?? undefined);
  if (!loader.ok)
    return failed({ action: 'add the words to the kernel command line', ...loader.error });
  return planBoot(planned, loader.value, change, running.join(' '));
}

export const shownFiles = (plan: BootPlan) =>
  plan.edits.flatMap(({ path, before, after }) =>
    after === undefined
      ? []
      : [{ path: `/${path}`, before: before === undefined ? '' : decodeText(before.bytes), after }],
  );

export const optionJson = ({ option, need, state }: OptionState): BootOptionJson => ({
  name: option.name,
  brings: option.brings,
  cost: option.cost,
  state,
  reason: 'reason' in need ? need.reason : (reasonOf(state) ?? null),
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
