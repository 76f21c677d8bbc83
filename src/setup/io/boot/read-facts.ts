/** Reads the facts that decide which boot options a host lacks. It starts no program. */
import { dirname } from 'node:path';
import { namesIn, readText } from '../../../../packages/base/io/read.ts';
import { readHostFacts, readUidRange } from '../../../host/accounts/accounts.ts';
import {
  findHierarchies1,
  findUnified,
  wantedControllers,
} from '../../../host/cgroups/hierarchies.ts';
import { runsSystemd } from '../../../host/cgroups/systemd-delegation.ts';
import { readFileSystems } from '../../../host/disks/file-systems.ts';
import { userQuotaCounted } from '../../../host/disks/quotas.ts';
import type { Paths } from '../../../host/paths.ts';
import { parseLsmList } from '../../../sys/bpf/lsm.ts';
import { readKernelConfig } from '../../../sys/kernel-config.ts';
import type { BootFacts, HomeFileSystem } from '../../core/boot/facts.ts';

export function readBootFacts(paths: Paths): BootFacts {
  const { proc, sys } = paths;
  const unified = findUnified(paths);
  // On hybrid hosts, v2 has only controllers that limit nothing.
  const hasV2 =
    unified !== undefined && wantedControllers.some((each) => unified.controllers.has(each));
  const v1 = findHierarchies1(paths);
  const lsm = readText(`${sys}/kernel/security/lsm`);
  return {
    kernel: kernelOf(readText(`${proc}/sys/kernel/osrelease`) ?? ''),
    config: readKernelConfig(paths),
    commandLine: readText(`${proc}/cmdline`)?.trim() ?? '',
    lsm: lsm === undefined ? undefined : parseLsmList(lsm),
    // Some kernels show the file and refuse to read it.
    hasPressure: readText(`${proc}/pressure/cpu`) !== undefined,
    memory: memoryOf(readText(`${proc}/cgroups`) ?? ''),
    countsSwap: countsSwap(hasV2 ? unified.mountPoint : undefined, v1),
    cgroups: hasV2 ? 'v2' : v1.length > 0 ? 'v1' : undefined,
    cgroupMount: hasV2
      ? { path: unified.mountPoint, isFavored: unified.options.includes('favordynmods') }
      : undefined,
    hasSystemd: runsSystemd(),
    homes: homesOf(paths),
  };
}

function kernelOf(release: string): BootFacts['kernel'] {
  const [, major = '0', minor = '0'] = /^(\d+)\.(\d+)/.exec(release) ?? [];
  return [Number(major), Number(minor)];
}

/** Parses `memory  0  137  1` of /proc/cgroups; the last number is 0 if it was turned off at boot. */
export function memoryOf(text: string): BootFacts['memory'] {
  const [, enabled] = /^memory\s+\d+\s+\d+\s+([01])$/m.exec(text) ?? [];
  if (enabled === undefined) return undefined;
  return enabled === '1' ? 'on' : 'off';
}

/** The root of v2 has no such file, and every cgroup below it that has memory does. */
function countsSwap(
  mountPoint: string | undefined,
  v1: ReturnType<typeof findHierarchies1>,
): boolean | undefined {
  if (mountPoint === undefined) {
    const memory = v1.find((each) => each.controllers.has('memory'));
    return memory?.files.topFileNames().has('memory.memsw.limit_in_bytes');
  }
  for (const each of namesIn(mountPoint)) {
    const names = namesIn(`${mountPoint}/${each}`);
    if (names.includes('memory.max')) return names.includes('memory.swap.max');
  }
  return undefined;
}

/** More directories of homes than any host has. */
const directoriesMax = 1000;

function homesOf(paths: Paths): readonly HomeFileSystem[] {
  const { accounts, uidMin } = readHostFacts(paths, []);
  const { last } = readUidRange(paths);
  const homes = accounts
    .filter(({ uid, home }) => uid >= uidMin && uid <= last && home.startsWith('/'))
    .map(({ home }) => dirname(home));
  const directories = [...new Set(homes.length === 0 ? ['/home'] : homes)];
  const systems = readFileSystems(paths);
  const found = directories.slice(0, directoriesMax).flatMap((each) => systems.of(each) ?? []);
  return [...new Set(found)].map(({ mountPoint, type, node, userQuota }) => ({
    mountPoint,
    type,
    node,
    userQuota,
    isCounted: node !== undefined && userQuotaCounted(node),
  }));
}
