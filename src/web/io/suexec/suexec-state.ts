/**
 * Whether Apache calls bulkhead-suexec, by the link that Debian's Apache calls and by the files of ours:
 *
 *     /usr/lib/apache2/suexec -> /etc/alternatives/suexec -> /usr/lib/bulkhead-suexec/suexec
 *     /usr/lib/bulkhead-suexec/suexec         setuid root; only the web server's group can execute it
 *     /usr/lib/bulkhead-suexec/suexec.conf    its settings
 *     /usr/lib/bulkhead-suexec/selected       what an administrator had chosen before, if anything
 */
import { existsSync, lstatSync } from 'node:fs';
import { readBounded } from '../../../../packages/base/io/regular-file.ts';
import { readText, realPathOf } from '../../../../packages/base/io/read.ts';
import type { Paths } from '../../../host/paths.ts';
import { entryFile } from '../../../sys/package-files.ts';
import { parseSettings, type SuexecSettings } from '../../core/suexec/settings-file.ts';
import { pathOwnersReader } from '../path-owners.ts';

/** The path that is compiled into Debian's Apache. */
export const suexecLink = '/usr/lib/apache2/suexec';
/** The path that is compiled into the Apache of other distributions, and of panels. */
const otherLink = '/usr/sbin/suexec';
export const wrapperMode = 0o4750;
const bytesMax = 2 ** 20;

export interface SuexecFiles {
  readonly directory: string;
  /** The program that Apache calls. */
  readonly wrapper: string;
  readonly settings: string;
  readonly selected: string;
}

export function suexecFiles({ instance }: Pick<Paths, 'instance'>): SuexecFiles {
  const directory = `/usr/lib/${instance}-suexec`;
  return {
    directory,
    wrapper: `${directory}/suexec`,
    settings: `${directory}/suexec.conf`,
    selected: `${directory}/selected`,
  };
}

export interface SuexecState {
  /**
   *     enabled      programs start in their tenants' cgroups and jails
   *     damaged      Apache calls ours, and it does not work as it should; or something of ours is left
   *     disabled     Apache calls the distribution's suexec
   *     unavailable  there is no suexec here, or none that can be replaced in a way that lasts
   */
  readonly state: 'enabled' | 'damaged' | 'disabled' | 'unavailable';
  /** The reason, if it is damaged or unavailable. */
  readonly reason?: string;
  /** The distribution's suexec, which makes its checks as before. */
  readonly program?: string;
  /** The uid of the web server. */
  readonly caller?: number;
}

export function readSuexecState(paths: Pick<Paths, 'etc' | 'instance'>): SuexecState {
  const files = suexecFiles(paths);
  const target = realPathOf(suexecLink);
  if (target !== files.wrapper) {
    const reason = 'files of an earlier "enable" are there, and Apache calls another suexec';
    if (existsSync(files.directory)) return { state: 'damaged', reason };
    return target === undefined
      ? { state: 'unavailable', reason: whyNone() }
      : { state: 'disabled', program: target };
  }
  const settings = parseSettings(readText(files.settings) ?? '');
  const reason = whyConfined(paths) ?? damageOf(files, settings, paths.instance);
  return {
    state: reason === undefined ? 'enabled' : 'damaged',
    ...(reason === undefined ? {} : { reason }),
    ...(settings === undefined ? {} : { program: settings.program, caller: settings.caller }),
  };
}

const whyNone = (): string =>
  existsSync(otherLink)
    ? `${otherLink} is not managed by update-alternatives: the next update of Apache would put its own suexec back`
    : 'no suexec is installed; on Debian: apt-get install apache2-suexec-pristine';

/** Returns the reason if Apache is confined: its sandbox keeps programs from joining a cgroup, and from entering a jail. */
export function whyConfined({
  etc,
  instance,
}: Pick<Paths, 'etc' | 'instance'>): string | undefined {
  const dropIn = `${etc}/systemd/system/apache2.service.d/50-${instance}.conf`;
  return existsSync(dropIn)
    ? `Apache is confined (${dropIn}), so its programs cannot join a cgroup`
    : undefined;
}

/** Returns why bulkhead-suexec cannot work, or is not the one of this version. */
function damageOf(
  { wrapper, settings: file }: SuexecFiles,
  settings: SuexecSettings | undefined,
  instance: string,
): string | undefined {
  const stat = lstatSync(wrapper, { throwIfNoEntry: false });
  if (stat?.isFile() !== true || stat.uid !== 0 || (stat.mode & 0o7777) !== wrapperMode)
    return `${wrapper} is not setuid root with the mode 4750`;
  if (settings?.instance !== instance) return `${file} is damaged`;
  const unsafe = unsafeProgram(settings.program);
  if (unsafe !== undefined) return unsafe;
  const [own, installed] = [entryFile('bulkhead-suexec'), wrapper].map((path) =>
    readBounded(path, bytesMax, { links: 'refuse' }),
  );
  const isSame = own?.ok === true && installed?.ok === true && same(own.value, installed.value);
  return isSame ? undefined : `${wrapper} is of another version of Bulkhead`;
}

const same = (one: Uint8Array, other: Uint8Array) => Buffer.compare(one, other) === 0;

/** Returns why a suexec must not be executed as root, if so. */
export function unsafeProgram(program: string): string | undefined {
  const owners = pathOwnersReader()(program);
  if (owners === undefined) return `${program} does not exist any more`;
  const isRoots = owners.uids.every((uid) => uid === 0) && !owners.writableByOthers;
  return isRoots ? undefined : `others than root can change ${program}`;
}
