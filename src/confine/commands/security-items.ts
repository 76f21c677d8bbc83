/** The items of `doctor --security` about daemons: from their files only, since it asks no other program. */
import { count, listSome } from '../../../packages/base/list.ts';
import type { SecurityItem } from '../../../packages/base/security-item.ts';
import { runsSystemd } from '../../host/cgroups/systemd-delegation.ts';
import type { Paths } from '../../host/paths.ts';
import { readText } from '../../../packages/base/io/read.ts';
import { dropInOf, installedServices, confinePathsOf } from '../io/places.ts';

/** Returns the item; nothing if none of the daemons is installed, or no systemd runs that could confine them. */
export function daemonItems(paths: Paths): readonly SecurityItem[] {
  const places = confinePathsOf(paths);
  const services = runsSystemd() ? installedServices(places) : [];
  if (services.length === 0) return [];
  const open = services.filter((each) => readText(dropInOf(places, each)) === undefined);
  const names = listSome(open.map(({ name }) => name));
  return [
    {
      item: 'daemons',
      key: 'daemons that can be confined',
      verdict: open.length === 0 ? 'good' : 'state',
      now:
        open.length === 0 ? 'all are confined' : `${count(open.length, 'is', 'are')} not: ${names}`,
      wanted: 'all are confined',
      why: 'whoever breaks into one reaches what its user or root reaches on this host',
      breaks: 'what "bulkhead confine enable SERVICE --dry-run" names',
      since: undefined,
      remark: 'see bulkhead confine list',
    },
  ];
}
