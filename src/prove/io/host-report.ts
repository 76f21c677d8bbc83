/** The facts about this host, reported before the attacks. */
import { release } from 'node:os';
import { formatProblem, type Problem } from '../../../packages/base/problem.ts';
import type { Policy } from '../../policy/policy.ts';
import { existingPins } from '../../sys/bpf/pins.ts';
import { readdirSync } from 'node:fs';
import { networkDemands } from '../core/demands.ts';
import { jailProfileOf } from '../core/scratch-policy.ts';
import type { ProveScratch } from './scratch.ts';
import { agentLock, type Paths } from '../../host/paths.ts';
import { isLocked } from '../../sys/files/flock.ts';
import { readText } from '../../../packages/base/io/read.ts';

export interface ProvedHost {
  /** The kernel's release. */
  readonly kernel: string;
  /** The version of cgroups. */
  readonly cgroups: 'v1' | 'v2';
  /** The driver that enforces limits. */
  readonly driver: string;
  /** The reason for this driver. */
  readonly reason: string;
  /** The kernel's security modules, in their order; absent if it does not report them. */
  readonly securityModules: readonly string[] | undefined;
  /** The values by the name of the sysctl; undefined if this kernel has none. */
  readonly settings: Readonly<Record<string, string | undefined>>;
  /** Limits that this host enforces only in part, or not at all, and why. */
  readonly weakLimits: readonly string[];
  /** Protections other than limits. */
  readonly defences: readonly Defence[];
}

/** A protection of Bulkhead other than limits, and whether it is in force. */
export interface Defence {
  /** The protection's name. */
  readonly name: string;
  /** Whether it is in force. */
  readonly on: boolean;
  /** Details for people. */
  readonly detail: string;
}

/** The limits that are attacked. */
const attacked: readonly string[] = [
  'cpu.limit',
  'memory.limit',
  'processes.limit',
  'io.write',
  'disk.space',
  'disk.files',
  'network.send',
  'network.connections',
];

/** The sysctls on which a verdict below depends. */
const settings = [
  'fs.protected_symlinks',
  'fs.protected_hardlinks',
  'fs.protected_regular',
  'kernel.yama.ptrace_scope',
  'kernel.dmesg_restrict',
  'kernel.unprivileged_bpf_disabled',
  'kernel.perf_event_paranoid',
  'kernel.io_uring_disabled',
  'vm.unprivileged_userfaultfd',
  'user.max_user_namespaces',
  'kernel.unprivileged_userns_clone',
  'kernel.apparmor_restrict_unprivileged_userns',
  'kernel.modules_disabled',
  'dev.tty.legacy_tiocsti',
] as const;

export function reportHost(
  paths: Paths,
  { driver: { capabilities, tree }, problems }: Pick<ProveScratch, 'driver' | 'problems'>,
  policy: Policy | undefined,
): ProvedHost {
  const lsm = readText(`${paths.sys}/kernel/security/lsm`)?.trim();
  return {
    kernel: release(),
    cgroups: tree.version === 2 ? 'v2' : 'v1',
    driver: capabilities.driver,
    reason: capabilities.reason,
    securityModules: lsm === undefined ? undefined : lsm.split(',').filter(Boolean),
    settings: Object.fromEntries(settings.map((name) => [name, settingOf(paths, name)])),
    weakLimits: [...capabilities.limits].flatMap(([key, { level, reason }]) =>
      level === 'full' || !attacked.includes(key)
        ? []
        : [`${key.replace('.', ' ')}: ${reason ?? level}`],
    ),
    defences: defencesOf(paths, policy, problems),
  };
}

const settingOf = ({ proc }: Paths, name: string) =>
  readText(`${proc}/sys/${name.replaceAll('.', '/')}`)?.trim();

function defencesOf(
  paths: Paths,
  policy: Policy | undefined,
  problems: readonly Problem[],
): readonly Defence[] {
  const agent = isLocked(agentLock(paths));
  const profile = policy && jailProfileOf(policy);
  const strict = policy?.strict?.placement === 'on';
  const programs = programsIn(paths);
  return [
    {
      name: 'Agent',
      on: agent,
      detail: agent
        ? 'it places what tenants start themselves'
        : 'not running: only what "bulkhead exec", PAM and units start is in its cgroup',
    },
    {
      name: 'Jails',
      on: profile !== undefined,
      detail:
        profile === undefined
          ? 'no tenant of the policy has one, and the attacker has none'
          : `the attacker is in one of the profile "${profile}", as tenants of the policy are`,
    },
    {
      name: 'Placement',
      on: strict,
      detail: strict ? 'strict for the attacker, too' : 'not strict in the policy',
    },
    networkDefence(policy, problems),
    {
      name: 'Programs',
      on: programs.length > 0,
      detail:
        programs.length === 0
          ? 'no BPF programs of Bulkhead are in the kernel'
          : `BPF programs of Bulkhead in the kernel: ${programs.join(', ')}`,
    },
  ];
}

function networkDefence(policy: Policy | undefined, problems: readonly Problem[]): Defence {
  const name = 'Network';
  const [problem] = problems;
  if (problem !== undefined) return { name, on: false, detail: formatProblem(problem) };
  const on = policy?.tenants.some((each) => networkDemands(each).length > 0) === true;
  const detail = on
    ? 'the attacker has a rule of each kind that the policy has'
    : 'no tenant of the policy has rules that refuse anything, and the attacker has none';
  return { name, on, detail };
}

/** Returns the loaded programs of the policy in force, by their names: `jails`, `symlinks`. */
function programsIn(paths: Paths): readonly string[] {
  const found = existingPins(paths);
  if (found === undefined) return [];
  using pins = found;
  return [...new Set(readdirSync(pins.at('.')).map((each) => each.split('-')[0] ?? ''))].toSorted();
}
