/** The kernel settings that `harden enable` sets by default, as a layer of protection. */
import type { Layer } from '../../../packages/base/layer.ts';
import { because } from '../../../packages/base/layer-texts.ts';
import type { EntryPathContext } from '../../host/entry-paths/entry-paths.ts';
import { judgeSettings } from '../core/judge.ts';
import { settings } from '../core/settings.ts';
import { hardenPathsOf, sysctlReader } from '../io/places.ts';

export function hardenLayers({ paths }: EntryPathContext): readonly Layer[] {
  const key = 'kernel settings';
  const byDefault = new Set(settings.filter((each) => each.byDefault).map(({ item }) => item));
  const judged = judgeSettings(sysctlReader(hardenPathsOf(paths))).filter(({ item }) =>
    byDefault.has(item),
  );
  const lacking = judged.filter(({ verdict }) => verdict === 'lacking');
  const good = judged.filter(({ verdict }) => verdict === 'good' || verdict === 'covered');
  if (lacking.length === 0)
    return [{ key, state: 'enforced', ...because('settings good', good.length) }];
  return [
    {
      key,
      state: good.length === 0 ? 'open' : 'partly',
      ...because('settings lacking', ...lacking.map(({ item }) => item)),
      improve: 'bulkhead harden enable',
    },
  ];
}
