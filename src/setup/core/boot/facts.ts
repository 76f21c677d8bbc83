/** The facts that decide which boot options a host lacks. Whatever could not be established is undefined. */
export interface BootFacts {
  /** The kernel's release, as numbers: 6.12 is `[6, 12]`. */
  readonly kernel: readonly [number, number];
  /** The options that the kernel was built with, without `CONFIG_`. */
  readonly config: ReadonlyMap<string, string> | undefined;
  /** The command line of the running kernel. */
  readonly commandLine: string;
  /** The security modules in force, in the kernel's order. */
  readonly lsm: readonly string[] | undefined;
  readonly hasPressure: boolean;
  readonly memory: 'on' | 'off' | undefined;
  readonly countsSwap: boolean | undefined;
  readonly cgroups: 'v2' | 'v1' | undefined;
  /** The mount of cgroup v2, if it has the controllers. */
  readonly cgroupMount: { readonly path: string; readonly isFavored: boolean } | undefined;
  readonly hasSystemd: boolean;
  /** The file systems of the tenants' homes. */
  readonly homes: readonly HomeFileSystem[];
}

export interface HomeFileSystem {
  readonly mountPoint: string;
  readonly type: string;
  /** The device file; undefined if it has none, and so cannot have quotas. */
  readonly node: string | undefined;
  readonly userQuota: boolean;
  /** Whether it counts what users have, enforced or not. */
  readonly isCounted: boolean;
}

/** The value of each `KEY=VALUE` of a command line with this key, in order. */
export const valuesOf = (commandLine: string, key: string): readonly string[] =>
  commandLine
    .split(/\s+/)
    .flatMap((each) => (each.startsWith(`${key}=`) ? [each.slice(key.length + 1)] : []));

export const isSince = (
  [major, minor]: BootFacts['kernel'],
  [wantedMajor, wantedMinor]: BootFacts['kernel'],
): boolean => major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
