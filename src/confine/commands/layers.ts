/** The sandboxes of daemons as a layer of protection. */
import type { Layer } from '../../../packages/base/layer.ts';
import { because } from '../../../packages/base/layer-texts.ts';
import { readText } from '../../../packages/base/io/read.ts';
import { runsSystemd } from '../../host/cgroups/systemd-delegation.ts';
import type { EntryPathContext } from '../../host/entry-paths/entry-paths.ts';
import { confinePathsOf, dropInOf, installedServices } from '../io/places.ts';

export function confineLayers({ paths }: EntryPathContext): readonly Layer[] {
  const key = 'daemons';
  if (!runsSystemd()) return [{ key, state: 'unavailable', ...because('no systemd') }];
  const places = confinePathsOf(paths);
  const services = installedServices(places);
  if (services.length === 0) return [];
  const open = services.filter((each) => readText(dropInOf(places, each)) === undefined);
  if (open.length === 0)
    return [
      {
        key,
        state: 'enforced',
        ...because('sandboxes', services.length),
      },
    ];
  return [
    {
      key,
      state: open.length === services.length ? 'open' : 'partly',
      ...because('not confined', ...open.map(({ name }) => name)),
      improve: 'bulkhead confine list',
    },
  ];
}
