/** The directories of the settings; tests use others. */
import { namesIn, readText } from '../../../packages/base/io/read.ts';
import { readBounded, decodeText } from '../../../packages/base/io/regular-file.ts';
import type { Paths } from '../../host/paths.ts';
import type { ReadSysctl } from '../core/judge.ts';
import type { SysctlFile } from '../core/sysctl-files.ts';

export interface HardenPaths {
  readonly proc: string;
  readonly sys: string;
  /** The directories of sysctl.d: a file in one hides files of the same name in the later ones. */
  readonly sysctlDirectories: readonly string[];
  /** Read last by procps. */
  readonly sysctlConf: string;
  /** Our file. */
  readonly file: string;
  /** Our directory, which only root can access. */
  readonly state: string;
}

export const hardenPathsOf = (
  { proc, sys, etc, state, instance }: Paths,
  root = '',
): HardenPaths => ({
  proc,
  sys,
  sysctlDirectories: [
    `${etc}/sysctl.d`,
    ...['/run', '/usr/local/lib', '/usr/lib'].map((each) => `${root}${each}/sysctl.d`),
  ],
  sysctlConf: `${etc}/sysctl.conf`,
  file: `${etc}/sysctl.d/90-${instance}.conf`,
  state: `${state}/hardening`,
});

export const recordOf = ({ state }: HardenPaths): string => `${state}/record.json`;

export const sysctlFile = ({ proc }: HardenPaths, key: string): string =>
  `${proc}/sys/${key.replaceAll('.', '/')}`;

/** Returns a reader that is called often: it reads each file once. */
export function sysctlReader(places: HardenPaths): ReadSysctl {
  const known = new Map<string, string | undefined>();
  return (key) => {
    if (!known.has(key)) known.set(key, readText(sysctlFile(places, key)));
    return known.get(key);
  };
}

const fileBytesMax = 1024 * 1024;

/** Returns the files in the order in which they are read at boot, without ours. */
export function readSysctlFiles(places: HardenPaths): readonly SysctlFile[] {
  const paths = new Map<string, string>();
  for (const directory of places.sysctlDirectories) {
    for (const name of namesIn(directory))
      if (name.endsWith('.conf') && !paths.has(name)) paths.set(name, `${directory}/${name}`);
  }
  const sorted = [...paths.values()].toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
  return [...sorted, places.sysctlConf]
    .filter((path) => path !== places.file)
    .flatMap((path): SysctlFile[] => {
      const read = readBounded(path, fileBytesMax);
      return read.ok ? [{ path, text: decodeText(read.value) }] : [];
    });
}

const nameOf = (path: string) => path.slice(path.lastIndexOf('/') + 1);
