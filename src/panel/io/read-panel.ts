/** Reads what the panel of this host knows. Nothing is written, and only scripts of CPAPI are run. */
import { existsSync } from 'node:fs';
import { readHostFacts } from '../../host/accounts/accounts.ts';
import type { FollowedSource } from '../../policy/panel/panel-element.ts';
import { userPattern } from '../../policy/value-kinds.ts';
import { checkData } from '../core/check.ts';
import type { PanelData } from '../core/panel-data.ts';
import { cPanel } from './sources/cpanel.ts';
import { cpapi } from './sources/cpapi.ts';
import { directAdmin } from './sources/directadmin.ts';
import { hestia } from './sources/hestia.ts';
import { plesk } from './sources/plesk.ts';
import type { PanelSource, Place } from './sources/source.ts';
import { virtualmin } from './sources/virtualmin.ts';

/** A panel's own files come first: they have more than CPAPI's scripts. */
const sources: readonly PanelSource[] = [hestia, directAdmin, cPanel, virtualmin, plesk, cpapi];

/** The panels whose data can be read, for people. */
export const readablePanels =
  'HestiaCP, DirectAdmin, cPanel, Virtualmin, Plesk, and panels with CPAPI';

/** Returns the sources that this host has; starts nothing. */
export const sourcesOf = ({ root }: Place): readonly PanelSource[] =>
  sources.filter(({ mark }) => existsSync(root + mark));

/**
 * Reads the source, or the first one if it is `auto`; undefined if the host does not have it. Others are named as a
 * problem then, since they may differ.
 */
export async function readPanel(
  place: Place,
  wanted: FollowedSource = 'auto',
): Promise<PanelData | undefined> {
  const [source, ...others] = sourcesOf(place).filter(
    ({ name }) => wanted === 'auto' || name === wanted,
  );
  if (source === undefined) return undefined;
  const stated = await source.read(place);
  const named = stated.accounts.map(({ user }) => user).filter((each) => userPattern.test(each));
  const data = checkData(stated, readHostFacts(place.paths, named));
  const unread = others.map(({ panel, mark }) => ({
    action: 'read',
    object: mark,
    reason: `${source.panel} was read, and this host has ${panel}, too`,
    hint: 'remove the files of a panel that is gone',
  }));
  return { ...data, problems: [...data.problems, ...unread] };
}
