/** The main domain of each account, from the panel's own files. */
import type { MainDomains } from '../../cli/capability.ts';
import type { Paths } from '../../host/paths.ts';
import { keptDomains, mainDomainsIn } from '../io/domain-cache.ts';
import { readPanel, sourcesOf } from '../io/read-panel.ts';
import { cpapi } from '../io/sources/cpapi.ts';

/** Starts no program: scripts of CPAPI take seconds, and some change accounts. */
export async function panelDomains(paths: Paths, root = ''): Promise<MainDomains> {
  const [source] = sourcesOf({ paths, root });
  if (source === undefined || source === cpapi) return new Map();
  const kept = keptDomains(paths, Date.now());
  if (kept !== undefined) return new Map(kept);
  const data = await readPanel({ paths, root });
  return new Map(data === undefined ? [] : mainDomainsIn(data));
}
