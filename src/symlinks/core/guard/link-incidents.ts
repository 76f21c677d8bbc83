/** Incidents of symbolic links that the symlink guard refused, or would refuse. */
import { count, listSome } from '../../../../packages/base/list.ts';
import type { EvidenceKind } from '../../../usage/evidence.ts';
import type { IncidentKind } from '../../../usage/incident-kind.ts';
import { times } from '../../../usage/numbers.ts';
import { cut } from '../../../usage/causes/top-users.ts';

/** A symbolic link of the tenant that was not followed. Only root and the tenant see its path. */
export interface LinkEvidence {
  /** Milliseconds since 1970. */
  readonly at: number;
  /** The name of the program that followed it. */
  readonly program: string;
  /** Paths; empty if they are not shown. `target` is also empty if the kernel did not have it at hand. */
  readonly link: string;
  readonly target: string;
  /** The account that owns the link's target. */
  readonly targetOwner: string;
}

const shownMax = 5;
const pathMax = 200;

export const linkEvidence: EvidenceKind<LinkEvidence> = {
  kind: 'links',
  fields: { at: 'number', program: 16, link: 4096, target: 4096, targetOwner: 256 },
  describe(links, showAll) {
    const programs = [...new Set(links.map(({ program }) => cut(program, 32)))];
    const asked = `Asked for by ${listSome(programs, shownMax)}`;
    if (!showAll) return `${asked}.`;
    const texts = [...new Set(links.map(linkText))];
    return `${asked}. ${count(texts.length, 'link is', 'links are')} known: ${listSome(texts, shownMax)}.`;
  },
  line: (link) =>
    `${link.program} ${link.link === '' ? `a link to what ${link.targetOwner} owns` : linkText(link)}`,
  redact: (link) => ({ ...link, link: '', target: '' }),
};

export const linkText = ({ link, target, targetOwner }: LinkEvidence): string =>
  `${cut(link, pathMax)} to ${target === '' ? 'a file' : cut(target, pathMax)}, which belongs to ${cut(targetOwner, 64)}`;

export const linkIncidents: IncidentKind<LinkEvidence> = {
  limit: 'symlinks.guard',
  withoutLimit: {
    value: 'owner-match',
    from: '<symlinks> of the policy',
    because: 'because they lead to what others own',
  },
  topic: {
    noun: 'symbolic link',
    resource: 'other',
    effect: {
      refused:
        'The web server could not open what is behind these links, and answered with an error, such as "403 Forbidden". Nothing else was refused.',
      throttled:
        'The symlink guard only watches: the links were followed, and would have been refused if it were on.',
    },
    advice:
      'A link is followed if its owner also owns what it leads to. Look for links to files of the system or of other accounts, and for files that were copied as root; copying the file in place of the link helps, and so does a link that the administrator makes.',
  },
  evidence: linkEvidence,
  happened: ({ severity, faults }) =>
    severity === 'refused'
      ? `had symbolic links refused ${times(faults)}`
      : `had symbolic links followed ${times(faults)} that the guard would refuse`,
};
