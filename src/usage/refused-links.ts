/** Describes symbolic links that the symlink guard refused. */
import { count, listSome } from '../../packages/base/list.ts';
import type { LimitKey } from '../limits/limit.ts';
import { alertTopics } from '../limits/alert-topics.ts';
import type { RefusedLink, Snapshot } from './incident.ts';
import { cut } from './top-users.ts';

/** The key in place of a limit. */
export const linkFault: LimitKey = alertTopics.symlinks;

const shownMax = 5;
const pathMax = 200;

/** Describes the links. `showPaths`: only for root and the tenant. Empty if no link is known. */
export function refusedLinks(evidence: readonly Snapshot[], showPaths: boolean): string {
  const all = evidence.flatMap(({ links = [] }) => links);
  if (all.length === 0) return '';
  const programs = [...new Set(all.map(({ program }) => cut(program, 32)))];
  const asked = `Asked for by ${listSome(programs, shownMax)}`;
  if (!showPaths) return `${asked}.`;
  const texts = [...new Set(all.map(linkText))];
  return `${asked}. ${count(texts.length, 'link is', 'links are')} known: ${listSome(texts, shownMax)}.`;
}

export const linkText = ({ link, target, targetOwner }: RefusedLink): string =>
  `${cut(link, pathMax)} to ${target === '' ? 'a file' : cut(target, pathMax)}, which belongs to ${cut(targetOwner, 64)}`;
