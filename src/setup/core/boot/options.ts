/** All changes of how a host boots, in the order in which they are shown. */
import { quotaNeed } from './quota.ts';
import { isSince, valuesOf, type BootFacts } from './facts.ts';
import { lsmList, remarkOnList } from './lsm-list.ts';
import {
  impossible,
  noConfig,
  there,
  unknown,
  type BootOption,
  type BootOptionName,
  type Need,
} from './option.ts';

const lsm: BootOption = {
  name: 'lsm',
  brings: 'the kernel asks BPF programs: symlink guard, strict placement, module gate, jails',
  cost: 'nothing until a guard is enabled, and then its checks',
  layers: ['symlinks guard', 'strict placement', 'module autoload', 'modules gate', 'jails apart'],
  need({ lsm: inForce, config, commandLine }) {
    if (inForce === undefined)
      return unknown(
        'there is no /sys/kernel/security/lsm; mount -t securityfs securityfs /sys/kernel/security',
      );
    if (inForce.includes('bpf')) return there;
    if (config === undefined) return noConfig;
    if (config.get('BPF_LSM') !== 'y')
      return impossible('this kernel was built without CONFIG_BPF_LSM');
    if (config.get('DEBUG_INFO_BTF') !== 'y')
      return impossible('this kernel was built without CONFIG_DEBUG_INFO_BTF, which guards need');
    const remark = remarkOnList(commandLine);
    return {
      kind: 'lacking',
      words: [`lsm=${lsmList(inForce, config).join(',')}`],
      ...(remark === undefined ? {} : { remark }),
    };
  },
};

const quota: BootOption = {
  name: 'quota',
  brings: 'user quotas on the file systems of homes: the limits of disk space and files',
  cost: 'at the first mount the file system counts all files, which can take minutes',
  layers: ['limit disk'],
  need: quotaNeed,
};

const pressure: BootOption = {
  name: 'pressure',
  brings: 'pressure figures (PSI): how long tenants wait for CPU, memory and disks',
  cost: 'the kernel counts whenever a task waits, and when it goes on',
  layers: [],
  need({ hasPressure, config, commandLine }) {
    if (hasPressure) return there;
    if (config === undefined) return noConfig;
    if (config.get('PSI') !== 'y') return impossible('this kernel was built without CONFIG_PSI');
    return unlessSet(commandLine, 'psi', '1');
  },
};

const memory: BootOption = {
  name: 'memory',
  brings: 'the memory controller of cgroups: memory limits',
  cost: 'the kernel counts each page of memory for its cgroup',
  layers: ['limit memory'],
  need({ memory: state, commandLine }) {
    if (state === undefined) return impossible('this kernel has no memory controller');
    if (state === 'on') return there;
    if (valuesOf(commandLine, 'cgroup_disable').some((each) => each.split(',').includes('memory')))
      return impossible(
        'the kernel was booted with cgroup_disable=memory; take that out of the boot options first',
      );
    return lacking('cgroup_enable=memory');
  },
};

const swap: BootOption = {
  name: 'swap',
  brings: 'swap is counted for each cgroup: limits of swap',
  cost: 'the kernel keeps the cgroup of each page of swap, in memory',
  layers: ['limit memory'],
  need({ countsSwap, memory: state, config, commandLine }) {
    if (countsSwap === true) return there;
    if (countsSwap === undefined && state !== 'off')
      return unknown('no cgroup shows whether swap is counted');
    if (config === undefined) return noConfig;
    if (config.get('MEMCG_SWAP') !== 'y')
      return impossible('this kernel was built without CONFIG_MEMCG_SWAP');
    return unlessSet(commandLine, 'swapaccount', '1');
  },
};

const cgroup2: BootOption = {
  name: 'cgroup2',
  brings: 'cgroup v2: strict placement, guaranteed memory, systemd slices for tenants',
  cost: 'software that knows only cgroup v1 stops working: old Docker, Java and panels; check them first',
  onlyIfNamed: true,
  layers: ['strict placement'],
  need({ cgroups, hasSystemd, kernel }) {
    if (cgroups === undefined) return unknown('no cgroup file system is mounted');
    if (cgroups === 'v2') return there;
    if (!hasSystemd)
      return impossible('systemd is not the init of this host, and mounts no cgroups');
    // The CPU controller came with 4.15; systemd of Enterprise Linux 7 does not know the option.
    if (!isSince(kernel, [4, 15])) return impossible('it needs Linux 4.15');
    return lacking('systemd.unified_cgroup_hierarchy=1');
  },
};

const favordynmods: BootOption = {
  name: 'favordynmods',
  brings: 'a process moves into its cgroup at once, and not after 10 ms',
  cost: 'each fork and exit becomes slightly slower',
  onlyIfNamed: true,
  layers: [],
  need({ cgroupMount, kernel }) {
    if (cgroupMount === undefined) return impossible('it needs cgroup v2');
    if (cgroupMount.isFavored) return there;
    if (!isSince(kernel, [6, 0])) return impossible('it needs Linux 6.0');
    return {
      kind: 'lacking',
      words: isSince(kernel, [6, 7]) ? ['cgroup_favordynmods=true'] : [],
      now: ['mount', '-o', 'remount,favordynmods', cgroupMount.path],
    };
  },
};

const lacking = (word: string): Need => ({ kind: 'lacking', words: [word] });

/** An administrator who has turned it off means it. */
function unlessSet(commandLine: string, key: string, value: string): Need {
  const set = valuesOf(commandLine, key).at(-1);
  if (set === undefined) return lacking(`${key}=${value}`);
  return impossible(
    set === value
      ? `the kernel was booted with ${key}=${value}, and has it not`
      : `the kernel was booted with ${key}=${set}; take that out of the boot options first`,
  );
}

export const bootOptions: readonly BootOption[] = [
  lsm,
  quota,
  pressure,
  memory,
  swap,
  cgroup2,
  favordynmods,
];

/** The options that are only written if they are named. */
export const namedOptions: readonly BootOptionName[] = bootOptions.flatMap((each) =>
  each.onlyIfNamed === true ? [each.name] : [],
);

export interface JudgedOption {
  readonly option: BootOption;
  readonly need: Need;
}

export const judge = (facts: BootFacts): readonly JudgedOption[] =>
  bootOptions.map((option) => ({ option, need: option.need(facts) }));
