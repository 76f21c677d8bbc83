/** Chooses this host's driver, and reports what it can enforce and why not more. Changes nothing. */
import { release } from 'node:os';
import { attributes, limits } from '../limits/limits.ts';
import type { LimitKey, SupportContext } from '../limits/limit.ts';
import type { Support } from '../limits/support.ts';
import type { DriverName } from '../policy/document.ts';
import { failed, type Problem } from '../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../packages/base/result.ts';
import { CgroupDriver, type CgroupDriverParts, type Delegation } from './cgroups/cgroup-driver.ts';
import type { Driver } from './driver.ts';
import { isLocked } from '../sys/files/flock.ts';
import { disksUnder, readFileSystems } from './disks/file-systems.ts';
import {
  controllersOf,
  findHierarchies1,
  findUnified,
  type Unified,
  hierarchy2,
  useHierarchyOf,
  type Hierarchy,
} from './cgroups/hierarchies.ts';
import { noDelegation, enableControllers } from './cgroups/enable-controllers.ts';
import { agentLock, type Paths } from './paths.ts';
import { QuotaStore } from './disks/quota-store.ts';
import { readText } from '../../packages/base/io/read.ts';
import { pageBytes } from '../sys/syscalls.ts';
import { sliceFor, sliceSupport, userSlice } from '../plan/slice.ts';
import { SystemdDriver } from './systemd/systemd-driver.ts';
import { sliceFilePath } from './systemd/slice-files.ts';
import { sliceParts, withoutSlices, type SliceParts } from './systemd/slice-parts.ts';
import {
  runsSystemd,
  delegatedTo,
  delegateFromSystemd,
  unitOf,
} from './cgroups/systemd-delegation.ts';

interface Found {
  readonly name: DriverName;
  readonly reason: string;
  readonly hierarchies: readonly Hierarchy[];
  readonly delegation: Delegation;
  readonly remarks: readonly string[];
  readonly isProtectionRecursive: boolean;
  readonly kept?: string;
  /** The slices, if tenants are slices. */
  readonly inSlices?: SliceParts;
}

/**
 * Probes the driver. `asked` is the policy's choice; without it the current driver stays, or else the best available is
 * chosen. The driver keeps mounts open until it is disposed.
 */
export function probeDriver(paths: Paths, asked?: DriverName): Result<Driver, Problem> {
  if (process.getuid?.() !== 0) {
    return failed({
      action: 'inspect this host',
      reason: 'only root may read and set limits',
      hint: 'run as root',
    });
  }
  using opened = new DisposableStack();
  const found = asked === undefined ? findDefault(paths, opened) : findAsked(paths, asked, opened);
  if (found === undefined) return fail(nothingFound(asked));
  return ok(makeDriver(found, paths, opened.move()));
}

function findDefault(paths: Paths, opened: DisposableStack): Found | undefined {
  const systemd = findSystemd(paths, opened);
  if (systemd === undefined) return find2(paths, opened) ?? find1(paths, opened);
  return isTreeInForce(systemd, paths) ? keepTree(paths, opened) : systemd;
}

/** Whether the tree is in force. An interrupted apply from one driver to the other is completed. */
const isTreeInForce = ({ inSlices }: Found, { instance }: Paths) =>
  delegatedTo(instance) === 'tenants' && inSlices?.slices.owners.length === 0;

/** Keeps a driver chosen before `systemd` became the default: only the administrator changes it. */
function keepTree(paths: Paths, opened: DisposableStack): Found | undefined {
  const found = find2(paths, opened);
  if (found === undefined) return undefined;
  return {
    ...found,
    reason:
      'tenants are in cgroups of Bulkhead here already, and the policy does not say otherwise',
    kept: 'The policy names no driver, so the one in force stays, "cgroup2"; a new host gets "systemd". <host driver="systemd"/> moves tenants and what they run into slices of systemd, where the kernel counts from zero and does not charge the memory that is in use already; <host driver="cgroup2"/> leaves them here',
  };
}

function findAsked(paths: Paths, asked: DriverName, opened: DisposableStack): Found | undefined {
  if (asked === 'cgroup1') return find1(paths, opened);
  return asked === 'cgroup2' ? find2(paths, opened) : findSystemd(paths, opened);
}

function nothingFound(asked: DriverName | undefined): Problem {
  if (asked === 'systemd') {
    return {
      action: 'use the driver',
      object: asked,
      reason: 'systemd does not run here with the controllers of cgroup v2',
      hint: 'take the attribute "driver" out of the policy',
    };
  }
  const which = asked === undefined ? 'a cgroup hierarchy' : `what the driver "${asked}" needs`;
  return {
    action: `find ${which} on this host`,
    reason:
      'no cgroup file system with the controllers cpu, io, memory or pids is mounted writable',
    hint: 'in a container, run privileged or on the host',
  };
}

/** Finds v2, which counts only if it has the controllers: on hybrid hosts they are in v1. */
function find2(paths: Paths, opened: DisposableStack): Found | undefined {
  const unified = findUnified(paths);
  if (unified === undefined) return undefined;
  const systemd = runsSystemd();
  const rootCgroup = systemd ? unitOf(paths.instance) : paths.instance;
  const hierarchy = hierarchy2(unified, rootCgroup, opened);
  if (hierarchy.controllers.size === 0) return undefined;
  const controllers = [...controllersOf([hierarchy])];
  return {
    name: 'cgroup2',
    reason: systemd
      ? 'cgroup v2 has the controllers; systemd delegates a cgroup to Bulkhead'
      : 'cgroup v2 has the controllers, and no systemd owns the tree',
    hierarchies: [hierarchy],
    delegation: systemd
      ? withoutSlices(
          delegateFromSystemd(paths.instance, 'tenants', () => hierarchy.files.exists('')),
          sliceParts(unified, paths, opened).slices,
        )
      : enableControllers(unified.mountPoint, controllers),
    remarks: systemd
      ? [
          'A tenant\'s systemd user manager ("user@UID.service") and what it runs are not limited; "systemctl mask user@UID.service" keeps it from starting',
          ...slowMoves(unified),
        ]
      : slowMoves(unified),
    isProtectionRecursive: unified.options.includes('memory_recursiveprot'),
  };
}

/** Finds systemd. Tenants are systemd slices; their resellers need the tree of `cgroup2`. */
function findSystemd(paths: Paths, opened: DisposableStack): Found | undefined {
  const unified = findUnified(paths);
  if (unified === undefined || !runsSystemd()) return undefined;
  const found = find2(paths, opened);
  if (found === undefined) return undefined;
  const [tree] = found.hierarchies;
  return {
    ...found,
    name: 'systemd',
    reason: 'systemd runs here and makes the slices of accounts, in cgroup v2',
    delegation: delegateFromSystemd(
      paths.instance,
      'resellers',
      () => tree?.files.exists('') === true,
    ),
    inSlices: sliceParts(unified, paths, opened),
    remarks: [
      'The systemd user manager ("user@UID.service") of a tenant with a reseller, and what it runs, is not limited; "systemctl mask user@UID.service" keeps it from starting',
      ...slowMoves(unified),
    ],
  };
}

/** Returns a remark if moves are slow. Source: cgroup-v2.rst, mount option favordynmods. */
function slowMoves({ mountPoint, options }: Unified): readonly string[] {
  if (options.includes('favordynmods')) return [];
  return [
    `Moving a process into its cgroup takes about 10 ms after a pause; "mount -o remount,favordynmods ${mountPoint}" (Linux 6.0), or cgroup_favordynmods=true on the kernel's command line (Linux 6.7), avoids that, but makes each fork slightly slower`,
  ];
}

function find1(paths: Paths, opened: DisposableStack): Found | undefined {
  const hierarchies = findHierarchies1(paths, opened);
  if (controllersOf(hierarchies).size === 0) return undefined;
  const hybrid = findUnified(paths) !== undefined;
  return {
    name: 'cgroup1',
    reason: hybrid
      ? 'this is a hybrid host: the controllers are in cgroup v1, not in v2'
      : 'this host has cgroup v1 only',
    hierarchies,
    delegation: noDelegation,
    isProtectionRecursive: false,
    remarks: ['cgroup v1 is deprecated; booting with systemd.unified_cgroup_hierarchy=1 gives v2'],
  };
}

function makeDriver(found: Found, paths: Paths, opened: Disposable): Driver {
  const fileSystems = readFileSystems(paths);
  const devices = disksUnder(fileSystems.all);
  const quotas = new QuotaStore(paths.state, fileSystems);
  const version = found.name === 'cgroup1' ? 1 : 2;
  const context: SupportContext = {
    pageBytes: pageBytes(),
    devices,
    files: filesOf(found.hierarchies, version),
    controllers: controllersOf(found.hierarchies),
    fileSystems: fileSystems.all,
    isProtectionRecursive: found.isProtectionRecursive,
    usesMultiGenLru: usesMultiGenLru(paths),
    shifted: isLocked(agentLock(paths)),
  };
  const parts: CgroupDriverParts = {
    version,
    hierarchies: found.hierarchies,
    delegation: found.delegation,
    quotas,
    paths,
    opened,
    context: {
      ...context,
      version,
      quota: quotas.context,
      useHierarchy: useHierarchyOf(found.hierarchies),
    },
    capabilities: {
      driver: found.name,
      reason: found.reason,
      devices,
      ...(found.kept === undefined ? {} : { kept: found.kept }),
      remarks: [...found.remarks, ...terminalRemark(paths)],
      limits: supportOf(context, found.name),
    },
  };
  return found.inSlices === undefined
    ? new CgroupDriver(parts)
    : systemdDriver(parts, found.inSlices);
}

/** Reads whether the multi-gen LRU is on: the lowest bit of `0x0007`. Source: multigen_lru.rst. */
const usesMultiGenLru = ({ sys }: Paths): boolean =>
  (Number(readText(`${sys}/kernel/mm/lru_gen/enabled`) ?? 0) & 1) === 1;

function systemdDriver(parts: CgroupDriverParts, inSlices: SliceParts): SystemdDriver {
  const { hierarchy } = inSlices;
  return new SystemdDriver({
    ...inSlices,
    paths: parts.paths,
    opened: parts.opened,
    capabilities: parts.capabilities,
    below: new CgroupDriver({
      ...parts,
      context: {
        ...parts.context,
        unitPath: (cgroup) => sliceFilePath(parts.paths, sliceFor(cgroup)),
      },
      slicesPath: `${hierarchy.mountPoint}/${userSlice}`,
    }),
    reader: new CgroupDriver({ ...parts, hierarchies: [hierarchy] }),
  });
}

/** Returns a remark on TIOCSTI, which lets a program inject input into its controlling terminal. */
function terminalRemark({ proc }: Paths): readonly string[] {
  if (readText(`${proc}/sys/dev/tty/legacy_tiocsti`)?.trim() === '0') return [];
  return [
    'A command that root starts with "bulkhead exec" on a terminal can inject input into that terminal; sysctl dev.tty.legacy_tiocsti=0 (Linux 6.2 and newer) prevents it',
  ];
}

function supportOf(context: SupportContext, driver: DriverName): ReadonlyMap<LimitKey, Support> {
  const side = driver === 'cgroup1' ? 'cgroup1' : 'cgroup2';
  return new Map(
    [...attributes].map(([key, attribute]) => {
      const kernel = attribute.limit[side].support(attribute.name, context);
      return [key, driver === 'systemd' ? sliceSupport(attribute, kernel, context) : kernel];
    }),
  );
}

/**
 * Returns the files that a cgroup has on this kernel: our own cgroup's files, if it exists. Before that, the files that
 * the kernel's release should have; apply probes again once it has created its root cgroup.
 */
function filesOf(hierarchies: readonly Hierarchy[], version: 1 | 2): ReadonlySet<string> {
  const [major = 0, minor = 0] = release().split('.').map(Number);
  const now = major * 100 + minor;
  const expected = limits.flatMap((each) => {
    const { since } = version === 2 ? each.cgroup2 : each.cgroup1;
    return Object.entries(since).flatMap(([file, from]) =>
      from !== 'configured' && from <= now ? [file] : [],
    );
  });
  const seen = hierarchies.map((each) => each.files.fileNames());
  if (seen.includes(undefined)) return new Set([...expected, ...hierarchies.flatMap(topFiles)]);
  return new Set(seen.flatMap((names) => [...(names ?? [])]));
}

/** Returns the files in the root of the hierarchy, where v1 shows most files, too. */
const topFiles = (hierarchy: Hierarchy) => [...hierarchy.files.topFileNames()];
