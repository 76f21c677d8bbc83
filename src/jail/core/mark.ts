/**
 * What is written down of a jail, `/run/INSTANCE/jail/tenants/UID`, of a site `UID-SITE`. The launcher reads it: where there
 * is such a file, nothing runs as the tenant, or as the site, outside of the jail.
 *
 *     profile web
 *     state ready                 or: waiting, failed REASON
 *     filter yes                  setpriv can load the filter of system calls
 *     landlock yes                entered under Landlock, or not at all
 *     commands sendmail crontab   what the broker runs outside
 *     namespace 4026532444        inode of the mount namespace
 *     earlier 4026532301          of those before, in which processes may still be; the newest first
 *     home /home/alice/shop       of a site: what is its home inside
 *     print 8f0c…                 what it was built of
 */
import { printable } from '../../base/printable.ts';
import { jailCommands, jailProfiles, type Jail, type JailCommand } from '../../policy/jail.ts';

export type JailState = 'waiting' | 'ready' | 'failed';

export interface Mark {
  readonly profile: Jail['profile'];
  readonly state: JailState;
  /** Why it failed. */
  readonly reason?: string;
  readonly filter: boolean;
  readonly landlock: boolean;
  readonly commands: readonly JailCommand[];
  readonly namespace?: number;
  readonly earlier: readonly number[];
  readonly home?: string;
  readonly print: string;
}

const earlierMax = 32;
const reasonMax = 500;

export function printMark(mark: Mark): string {
  const reason = printable(mark.reason ?? '').slice(0, reasonMax);
  const lines = [
    `profile ${mark.profile}`,
    `state ${mark.state}${reason === '' ? '' : ` ${reason}`}`,
    `filter ${mark.filter ? 'yes' : 'no'}`,
    `landlock ${mark.landlock ? 'yes' : 'no'}`,
    `commands ${mark.commands.join(' ')}`,
    ...(mark.namespace === undefined ? [] : [`namespace ${mark.namespace}`]),
    ...(mark.earlier.length === 0
      ? []
      : [`earlier ${mark.earlier.slice(0, earlierMax).join(' ')}`]),
    ...(mark.home === undefined ? [] : [`home ${mark.home}`]),
    `print ${mark.print}`,
  ];
  return lines.map((line) => `${line}\n`).join('');
}

export function parseMark(text: string): Mark {
  const value = (word: string) => new RegExp(`^${word} (.*)$`, 'm').exec(text)?.[1] ?? '';
  const [state = '', ...reason] = value('state').split(' ');
  const profile = jailProfiles.find((each) => each === value('profile'));
  const namespace = Number(value('namespace'));
  const commands = value('commands').split(' ');
  const home = value('home');
  return {
    profile: profile === undefined || profile === 'none' ? 'strict' : profile,
    state: state === 'ready' || state === 'failed' ? state : 'waiting',
    ...(reason.length === 0 ? {} : { reason: reason.join(' ') }),
    filter: value('filter') === 'yes',
    landlock: value('landlock') === 'yes',
    commands: jailCommands.filter((each) => commands.includes(each)),
    ...(namespace > 0 ? { namespace } : {}),
    earlier: value('earlier').split(' ').map(Number).filter(Boolean),
    ...(home === '' ? {} : { home }),
    print: value('print'),
  };
}

/** Those that were in use before a jail is built again. */
export const earlierOf = (mark: Mark | undefined): readonly number[] =>
  mark === undefined
    ? []
    : [...(mark.namespace === undefined ? [] : [mark.namespace]), ...mark.earlier].slice(
        0,
        earlierMax,
      );
