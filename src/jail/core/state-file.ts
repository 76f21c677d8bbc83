/**
 * The state file of a jail: `/run/INSTANCE/jail/tenants/UID`, or `UID-SITE` for a site. The launcher reads it: if the
 * file exists, nothing runs as the tenant, or as the site, outside the jail. entry/parse.c reads it, too.
 *
 *     jail 1                      the version of this format
 *     profile web
 *     state ready                 or: waiting, failed REASON
 *     filter yes                  processes get the seccomp filter
 *     landlock yes                entered only under Landlock
 *     commands sendmail crontab   commands that the broker runs outside
 *     namespace 4026532444        inode of the mount namespace
 *     earlier 4026532301          earlier ones, in which processes may still be; the newest first
 *     home /home/alice/shop       a site's home inside
 *     print 8f0c…                 fingerprint of what it was built from
 *     end
 */
import { printable } from '../../../packages/base/printable.ts';
import { jailCommands, jailProfiles, type Jail, type JailCommand } from '../../policy/jail.ts';

export type JailState = 'waiting' | 'ready' | 'failed';

export interface JailStateFile {
  /** The jail's profile. */
  readonly profile: Jail['profile'];
  /** Whether the jail is ready. */
  readonly state: JailState;
  /** The reason for the failure. */
  readonly reason?: string;
  /** Whether processes in it get the seccomp filter. */
  readonly filter: boolean;
  /** Whether the jail is entered under Landlock. */
  readonly landlock: boolean;
  readonly commands: readonly JailCommand[];
  /** The inode of its mount namespace; absent if there is none. */
  readonly namespace?: number;
  readonly earlier: readonly number[];
  readonly home?: string;
  readonly print: string;
}

const earlierMax = 32;
const reasonMax = 500;
const first = 'jail 1';
const last = 'end';

export function formatStateFile(stateFile: JailStateFile): string {
  const reason = printable(stateFile.reason ?? '').slice(0, reasonMax);
  const lines = [
    first,
    `profile ${stateFile.profile}`,
    `state ${stateFile.state}${reason === '' ? '' : ` ${reason}`}`,
    `filter ${stateFile.filter ? 'yes' : 'no'}`,
    `landlock ${stateFile.landlock ? 'yes' : 'no'}`,
    `commands ${stateFile.commands.join(' ')}`,
    ...(stateFile.namespace === undefined ? [] : [`namespace ${stateFile.namespace}`]),
    ...(stateFile.earlier.length === 0
      ? []
      : [`earlier ${stateFile.earlier.slice(0, earlierMax).join(' ')}`]),
    ...(stateFile.home === undefined ? [] : [`home ${stateFile.home}`]),
    `print ${stateFile.print}`,
    last,
  ];
  return lines.map((line) => `${line}\n`).join('');
}

export function parseStateFile(text: string): JailStateFile {
  const value = (word: string) => new RegExp(`^${word} (.*)$`, 'm').exec(text)?.[1] ?? '';
  const [state = '', ...reason] = value('state').split(' ');
  const profile = jailProfiles.find((each) => each === value('profile'));
  const namespace = Number(value('namespace'));
  const commands = value('commands').split(' ');
  const home = value('home');
  // A file of another version, or one that is cut off, is written again.
  const isWhole = text.startsWith(`${first}\n`) && text.endsWith(`\n${last}\n`);
  return {
    profile: profile === undefined || profile === 'none' ? 'strict' : profile,
    state: isWhole && (state === 'ready' || state === 'failed') ? state : 'waiting',
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

/** Returns the namespaces that were in use before a jail is built again. */
export const earlierNamespaces = (stateFile: JailStateFile | undefined): readonly number[] =>
  stateFile === undefined
    ? []
    : [
        ...(stateFile.namespace === undefined ? [] : [stateFile.namespace]),
        ...stateFile.earlier,
      ].slice(0, earlierMax);
