/**
 * The cgroup hierarchies of this host, and their controllers.
 *
 * v1 has one hierarchy per controller (or several in one, such as `cpu,cpuacct`); v2 has one for all.
 * A hybrid host has both; what counts is where the controllers are.
 */
import type { Controller } from '../../limits/limit.ts';
import { LinuxCgroupFiles, type CgroupFiles, type Elsewhere } from './cgroup-files.ts';
import { isInside } from '../../plan/wanted.ts';
import { type Mount, readMounts } from '../../sys/files/mounts.ts';
import type { Paths } from '../paths.ts';
import { readText } from '../../../packages/base/io/read.ts';

export type HierarchyController = Controller | 'cpuacct' | 'freezer';

export interface Hierarchy {
  /** Name for display: `cpu`, `cpu,cpuacct`, or `unified`. */
  readonly name: string;
  readonly controllers: ReadonlySet<HierarchyController>;
  readonly mountPoint: string;
  /** Bulkhead's root cgroup as an absolute path. */
  readonly rootPath: string;
  readonly files: CgroupFiles;
}

/** v1 names → v2 names; the others are the same. */
const names1: Readonly<Record<string, HierarchyController>> = {
  cpu: 'cpu',
  cpuacct: 'cpuacct',
  memory: 'memory',
  blkio: 'io',
  pids: 'pids',
  freezer: 'freezer',
};
export const wantedControllers: readonly Controller[] = ['cpu', 'io', 'memory', 'pids'];

/**
 * Returns hierarchies at their standard mount points; a container may have host hierarchies mounted elsewhere. A
 * container sees its own cgroup as the root, which is fine.
 */
function cgroupMounts(paths: Paths, type: 'cgroup' | 'cgroup2'): readonly Mount[] {
  const standardRoot = `${paths.sys}/fs/cgroup`;
  return readMounts(paths).filter(
    ({ mountPoint, readOnly, ...mount }) =>
      mount.type === type &&
      !readOnly &&
      (mountPoint === standardRoot || isInside(mountPoint, standardRoot)),
  );
}

/** `opened` closes the mounts; without it they stay open as long as the process runs. */
export function findHierarchies1(
  paths: Paths,
  opened = new DisposableStack(),
): readonly Hierarchy[] {
  const seen = new Set<string>();
  return cgroupMounts(paths, 'cgroup').flatMap((mount): Hierarchy[] => {
    const controllers = mount.superOptions.flatMap((option) =>
      Object.hasOwn(names1, option) ? (names1[option] ?? []) : [],
    );
    const name = controllers.join(',');
    if (controllers.length === 0 || seen.has(name)) return [];
    seen.add(name);
    const { mountPoint } = mount;
    const files = opened.use(new LinuxCgroupFiles(mountPoint, paths.instance));
    return [hierarchy(name, controllers, files)];
  });
}

/** The v2 mount, its controllers, and whether it is the only hierarchy. */
export interface Unified {
  readonly mountPoint: string;
  readonly controllers: ReadonlySet<string>;
  /** Mount options of the hierarchy. */
  readonly options: readonly string[];
}

export function findUnified(paths: Paths): Unified | undefined {
  const [mount] = cgroupMounts(paths, 'cgroup2');
  if (mount === undefined) return undefined;
  const text = readText(`${mount.mountPoint}/cgroup.controllers`) ?? '';
  return {
    mountPoint: mount.mountPoint,
    controllers: new Set(text.split(/\s+/).filter(Boolean)),
    options: mount.superOptions,
  };
}

/** `opened` closes the mount; without it it stays open as long as the process runs. */
export function hierarchy2(
  { controllers, mountPoint }: Unified,
  rootCgroup: string,
  opened = new DisposableStack(),
  elsewhere?: Elsewhere,
): Hierarchy {
  const found = wantedControllers.filter((each) => controllers.has(each));
  const files = opened.use(new LinuxCgroupFiles(mountPoint, rootCgroup, elsewhere));
  return hierarchy('unified', found, files);
}

function hierarchy(
  name: string,
  controllers: readonly HierarchyController[],
  files: LinuxCgroupFiles,
): Hierarchy {
  const { mountPoint, rootCgroup } = files;
  const rootPath = `${mountPoint}/${rootCgroup}`;
  return { name, controllers: new Set(controllers), mountPoint, rootPath, files };
}

/**
 * Reads v1's `memory.use_hierarchy`: whether memory includes descendants' memory. Source: cgroup-v1/memory.rst, section
 * 6.
 */
export function useHierarchyOf(hierarchies: readonly Hierarchy[]): string | undefined {
  const memory = hierarchies.find((each) => each.controllers.has('memory'));
  return memory?.files.readTop('memory.use_hierarchy')?.trim();
}

export function controllersOf(hierarchies: readonly Hierarchy[]): ReadonlySet<Controller> {
  const all = new Set(hierarchies.flatMap((each) => [...each.controllers]));
  return new Set(wantedControllers.filter((each) => all.has(each)));
}
