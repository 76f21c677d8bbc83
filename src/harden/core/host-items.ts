/** Other facts about a host that matter if users do not trust each other: facts in, items of the report out. */
import { count, listSome } from '../../../packages/base/list.ts';
import type {
  SecurityItem as Item,
  SecurityVerdict as Verdict,
} from '../../../packages/base/security-item.ts';

export interface HomeMode {
  readonly user: string;
  readonly path: string;
  readonly permissions: number;
}

export interface HardenFacts {
  /** Options of the mount of /proc; undefined if it is not mounted there. */
  readonly procOptions: readonly string[] | undefined;
  readonly hasLogind: boolean;
  readonly hasPolkit: boolean;
  /** Accounts of tenants with ranges in /etc/subuid. */
  readonly subordinate: readonly string[];
  readonly homes: readonly HomeMode[];
  /** Mount points with homes of tenants on which setuid bits count. */
  readonly setuidHomes: readonly string[];
  /** Texts of files; undefined where the kernel has none. */
  readonly signatures: string | undefined;
  readonly modulesDisabled: string | undefined;
  readonly lockdown: string | undefined;
  /** Programs with a set-id bit, in the directories of programs. */
  readonly setIdPrograms: readonly string[];
}

type Rest = Omit<Item, 'item' | 'key' | 'why'>;

const item = (name: string, key: string, why: string, rest: Rest): Item => ({
  item: name,
  key,
  why,
  ...rest,
});

const neither = { wanted: undefined, breaks: undefined, since: undefined, remark: undefined };

export const hostItems = (facts: HardenFacts): readonly Item[] => [
  hidepid(facts),
  subordinateUids(facts),
  homes(facts),
  setuidHomes(facts),
  signatures(facts),
  modulesDisabled(facts),
  lockdown(facts),
  setIdPrograms(facts),
];

function hidepid({ procOptions, hasLogind, hasPolkit }: HardenFacts): Item {
  const why = 'command lines and what runs for others are shown to every tenant';
  const now = procOptions?.find((each) => each.startsWith('hidepid='))?.slice('hidepid='.length);
  const isOn = now !== undefined && !['0', 'off'].includes(now);
  const rest = {
    now: now ?? 'off',
    wanted: 'invisible (2)',
    breaks:
      'daemons that look at processes of others without root, such as polkit and systemd-logind',
    since: 'Linux 3.3',
  };
  if (procOptions === undefined)
    return item('hidepid', 'hidepid of /proc', why, {
      ...rest,
      verdict: 'unavailable',
      remark: 'it is not mounted',
    });
  if (isOn)
    return item('hidepid', 'hidepid of /proc', why, {
      ...rest,
      verdict: 'good',
      remark: undefined,
    });
  const users = [...(hasLogind ? ['systemd-logind'] : []), ...(hasPolkit ? ['polkit'] : [])];
  if (users.length > 0) {
    const remark = `not safe on this host: ${users.join(' and ')} would no longer see the processes of others`;
    return item('hidepid', 'hidepid of /proc', why, { ...rest, verdict: 'state', remark });
  }
  const remark =
    'run: mount -o remount,hidepid=invisible /proc; for the next boot, in /etc/fstab: proc /proc proc hidepid=invisible 0 0';
  return item('hidepid', 'hidepid of /proc', why, { ...rest, verdict: 'lacking', remark });
}

function subordinateUids({ subordinate }: HardenFacts): Item {
  const has = subordinate.length > 0;
  return item(
    'subordinate-uids',
    '/etc/subuid',
    'with them a tenant has thousands of uids more, whose files and processes carry other numbers',
    {
      verdict: has ? 'lacking' : 'good',
      now: has ? `${count(subordinate.length, 'tenant')}: ${listSome(subordinate)}` : 'no tenant',
      wanted: 'no tenant',
      breaks: 'containers without root (podman, docker rootless) of these tenants',
      since: undefined,
      remark: has
        ? 'run: usermod --del-subuids FIRST-LAST ACCOUNT, with the numbers of /etc/subuid'
        : undefined,
    },
  );
}

const readOrWrite = 0o006;

function homes({ homes: all }: HardenFacts): Item {
  const open = all.filter(({ permissions }) => (permissions & readOrWrite) !== 0);
  const shown = open.map(({ path, permissions }) => `${path} (${permissions.toString(8)})`);
  return item(
    'homes',
    'home directories',
    "every tenant can list another's home, and reads what is readable in it",
    {
      verdict: open.length > 0 ? 'lacking' : 'good',
      now: open.length > 0 ? `open to everyone: ${listSome(shown)}` : 'not readable by everyone',
      wanted: '711 or stricter',
      breaks:
        'servers that list a home as another user; 711 lets them reach what they know the name of',
      since: undefined,
      remark: open.length > 0 ? 'run: chmod o-rw DIRECTORY' : undefined,
    },
  );
}

function setuidHomes({ setuidHomes: mountPoints }: HardenFacts): Item {
  const own = mountPoints.filter((each) => each !== '/');
  const verdict: Verdict = mountPoints.length === 0 ? 'good' : own.length > 0 ? 'lacking' : 'state';
  const remark =
    own.length > 0
      ? `run: mount -o remount,nosuid ${own[0]}; for the next boot, add nosuid to its options in /etc/fstab`
      : 'homes are on the root file system, which needs setuid programs; give them a file system of their own';
  return item(
    'nosuid-homes',
    'nosuid of homes',
    'a setuid program in a home runs as its tenant for whoever starts it, and outside its limits unless placement is strict',
    {
      verdict,
      now: mountPoints.length === 0 ? 'nosuid' : `setuid on ${listSome(mountPoints)}`,
      wanted: 'nosuid',
      breaks: 'setuid and setgid programs in homes',
      since: undefined,
      remark: verdict === 'good' ? undefined : remark,
    },
  );
}

function signatures({ signatures: text }: HardenFacts): Item {
  const why = 'whoever became root cannot load a module that nobody signed';
  const on = text?.trim() === 'Y';
  const rest = { now: text?.trim(), wanted: 'Y', since: 'Linux 3.7' };
  const breaks = 'modules built here (DKMS) that are not signed; it stays on until the next boot';
  const verdict: Verdict = text === undefined ? 'unavailable' : on ? 'good' : 'state';
  const remark =
    verdict === 'state'
      ? 'to switch it on: echo Y > /sys/module/module/parameters/sig_enforce'
      : verdict === 'unavailable'
        ? 'this kernel does not check signatures of modules'
        : undefined;
  return item('sig-enforce', 'module.sig_enforce', why, { ...rest, breaks, verdict, remark });
}

function modulesDisabled({ modulesDisabled: text }: HardenFacts): Item {
  const why = 'no module is loaded any more, by whomever';
  const breaks =
    'everything that loads a module later: firewalls, disks, containers; until the next boot';
  const now = text?.trim();
  const verdict: Verdict = now === undefined ? 'unavailable' : now === '1' ? 'good' : 'state';
  const remark = now === undefined ? 'not available on this kernel' : undefined;
  const rest = { ...neither, now, wanted: '1 on hosts that never change', breaks, verdict, remark };
  return item('modules-disabled', 'kernel.modules_disabled', why, rest);
}

function lockdown({ lockdown: text }: HardenFacts): Item {
  const why = 'whoever became root cannot change the running kernel by its own interfaces';
  const now = text === undefined ? undefined : (/\[(\w+)\]/.exec(text)?.[1] ?? text.trim());
  const verdict: Verdict = now === undefined ? 'unavailable' : now === 'none' ? 'state' : 'good';
  const remark = now === undefined ? 'not available on this kernel' : undefined;
  const breaks = 'hibernation, kexec, unsigned modules, tools that read kernel memory';
  const rest = {
    ...neither,
    now,
    wanted: 'integrity',
    breaks,
    since: 'Linux 5.4',
    verdict,
    remark,
  };
  return item('lockdown', 'lockdown', why, rest);
}

function setIdPrograms({ setIdPrograms: programs }: HardenFacts): Item {
  const why =
    'each runs with the rights of its owner for whoever starts it, and a hole in one is a hole in the host';
  const now = programs.length === 0 ? 'none' : `${programs.length}: ${programs.join(' ')}`;
  const rest = { ...neither, now, verdict: 'state' as const, wanted: 'those that are needed' };
  return item('set-id-programs', 'set-id programs', why, rest);
}
