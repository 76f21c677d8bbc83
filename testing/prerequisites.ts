/**
 * The Debian packages that each suite needs, and how to get them.
 *
 * A developer, or a container in CI, should be able to run any suite on a bare Debian machine. Root
 * on Debian or Ubuntu gets the missing packages installed; everyone else gets their names, and the
 * suite is skipped. Kernel packages are never installed on the host.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

export type Suite = keyof typeof suites;
export type LogLine = (line: string) => void;
/** Whether a suite can run here, and if not, the reason to print when it is skipped. */
export type Readiness = { readonly ok: true } | { readonly ok: false; readonly reason: string };

interface Needs {
  /** The purpose of the packages; completes "installs … for …". */
  readonly purpose: string;
  readonly packages: readonly string[];
  /** The packages that start a daemon if systemd runs, which nobody has asked for. */
  readonly daemons?: readonly string[];
}

const suites = {
  vm: {
    purpose: 'the virtual-machine tests (build a Debian guest and run it in QEMU)',
    packages: [
      'qemu-system-x86', // the machine
      'qemu-utils', // qemu-img, for throw-away overlays
      'seabios', // its firmware, only recommended by qemu-system-x86
      'mmdebstrap', // builds the guest's file system
      'debian-archive-keyring',
      'e2fsprogs', // mke2fs -d
      'cpio', // the initrd
      'busybox-static', // what runs in the initrd
      'xz-utils', // modules in the kernel package are .ko.xz
      'openssh-client',
      'util-linux', // flock, setpriv, unshare
      'git', // says which files the project has
      'tar',
    ],
  },
  modules: {
    purpose: 'the tests of kernel modules (build modules, and load them in QEMU)',
    packages: [
      'qemu-system-x86', // the machine
      'seabios', // its firmware, only recommended by qemu-system-x86
      'gcc-14', // the compiler that Debian's kernel headers ask for; brings the linker
      'libc6-dev', // the guest's static loader
      'make',
      'patch', // dkms.conf may name patches
      'bubblewrap', // the jail in which modules are built again
      'libelf1t64', // what the headers' objtool and modpost are linked with
      'busybox-static', // insmod in the guest
      'xz-utils', // modules in the kernel package are .ko.xz
      'util-linux', // flock, setpriv
      'dwarves', // pahole, which the configure script of zfs-dkms runs
    ],
  },
  web: {
    purpose:
      'the tests of web servers (nginx, Apache and PHP-FPM with configurations of their own)',
    packages: [
      'nginx',
      'apache2-bin', // the server alone, without what starts it
      'libapache2-mod-qos', // counts requests of a vhost
      'php-fpm',
      'passwd', // useradd
      'util-linux', // setpriv
      'login',
    ],
    daemons: ['nginx', 'php-fpm'],
  },
  broker: {
    purpose: 'the tests of commands outside jails (a mail that is delivered, a crontab)',
    packages: [
      'dma', // sendmail, without a daemon
      'cron', // crontab
      'perl-base',
      'passwd', // useradd
      'util-linux', // setpriv, nsenter
      'procps', // pgrep, pkill
    ],
    daemons: ['cron'],
  },
  databases: {
    purpose: 'the tests of database sockets in jails (a MariaDB of their own)',
    packages: ['mariadb-server-core'], // the server alone, without what starts it
  },
  postgresql: {
    purpose: 'the tests of limits on PostgreSQL (servers of their own)',
    packages: ['postgresql'],
    daemons: ['postgresql'],
  },
  nats: {
    purpose: 'the tests of a fleet over NATS (servers of their own)',
    packages: ['nats-server', 'openssl'],
    daemons: ['nats-server'],
  },
  bpf: {
    purpose: 'the BPF programs (compiled once, for the package and the tests)',
    packages: [
      'clang',
      'libbpf-dev',
      'gcc', // the program of an attacker
      'libc6-dev',
    ],
  },
  'network-bench': {
    purpose: 'the benchmark of the network (programs that send, and rules to compare with)',
    packages: [
      'clang',
      'libbpf-dev',
      'gcc',
      'libc6-dev',
      'iproute2', // ip, tc
      'nftables', // nft
      'util-linux', // unshare
    ],
  },
  pam: {
    purpose: 'the PAM module (compiled for the package and the tests)',
    packages: ['gcc', 'libc6-dev', 'libpam0g-dev'],
  },
  package: {
    purpose:
      'the packages for distributions (built, checked, installed in a layer above this host)',
    packages: [
      'gcc',
      'libc6-dev',
      'libpam0g-dev',
      'clang',
      'libbpf-dev',
      'binutils', // strip
      'gcc-aarch64-linux-gnu',
      'libc6-dev-arm64-cross',
      'binutils-aarch64-linux-gnu',
      'rpm',
      'gnupg',
      'apt-utils', // apt-ftparchive
      'createrepo-c',
      'dnf', // installs from the repository
      'authselect', // manages PAM on enterprise Linux
      'nginx',
      'lintian',
      'rpmlint',
      'util-linux', // unshare, nsenter
    ],
    daemons: ['nginx'],
  },
  image: {
    purpose: 'the tests of the disk image (build it, and start it in QEMU)',
    packages: [
      'mkosi',
      'systemd-repart', // makes the partitions
      'reprepro', // offers the package to mkosi
      'dosfstools',
      'mtools',
      'e2fsprogs', // tune2fs
      'fdisk', // sfdisk
      'debian-archive-keyring',
      'qemu-system-x86',
      'qemu-utils',
      'seabios', // firmware: BIOS
      'ovmf', // and UEFI
      'openssh-client',
      'util-linux', // flock, setpriv
    ],
  },
  entry: {
    purpose: 'the tests of the launcher (sanitizers, fuzzing)',
    packages: ['gcc', 'libc6-dev', 'clang', 'libclang-rt-dev'],
  },
  portability: {
    purpose: 'the tests of programs for other processors and with another libc',
    packages: [
      'gcc',
      'libc6-dev',
      'libpam0g-dev',
      'gcc-aarch64-linux-gnu',
      'libc6-dev-arm64-cross',
      'qemu-user', // runs programs of another processor
      'musl-tools',
    ],
  },
  exec: {
    purpose: 'the attacks on the launcher (traces of its system calls)',
    packages: ['gcc', 'libc6-dev', 'strace'],
  },
  demo: { purpose: 'the demo (compiles the launcher)', packages: ['gcc', 'libc6-dev'] },
  privileged: {
    purpose: 'the checks of what runs as root and is not TypeScript',
    packages: [
      'shellcheck',
      'perl',
      'libperl-critic-perl',
      'gcc',
      'libc6-dev',
      'libpam0g-dev',
      'clang',
      'libbpf-dev',
      'dwarves', // pahole prints structures from BTF
    ],
  },
  'console-page': {
    purpose: "the tests of the console's page (a browser)",
    packages: ['chromium'],
  },
  schema: { purpose: 'the schema tests (xmllint)', packages: ['libxml2-utils'] },
  metrics: {
    purpose: 'the tests of the metrics page and the alert rules (promtool)',
    // Nothing else brings promtool.
    packages: ['prometheus'],
    daemons: ['prometheus'],
  },
  history: {
    purpose: 'the tests of the pushed history (VictoriaMetrics and Prometheus of their own)',
    packages: ['victoria-metrics', 'prometheus'],
    daemons: ['victoria-metrics', 'prometheus'],
  },
  ansible: {
    purpose: 'the tests of the Ansible role (ansible-lint, and the role run in a guest)',
    packages: ['ansible-core', 'ansible-lint', 'openssh-client', 'python3-apt'],
  },
  'cloud-init': {
    purpose: 'the tests of the user-data for cloud images (cloud-init schema)',
    packages: ['cloud-init'],
    // It would take over the next boot.
    daemons: ['cloud-init'],
  },
  bench: {
    purpose: 'the benchmarks (small C programs, jails, the tools of kmod)',
    packages: ['gcc', 'libc6-dev', 'libpam0g-dev', 'bubblewrap', 'crun', 'kmod', 'xz-utils', 'wrk'],
  },
  bus: {
    purpose: 'the tests of the client of a message bus (a bus of their own)',
    packages: ['dbus-daemon'],
  },
  accounts: {
    purpose: 'the tests that create and remove accounts',
    packages: ['passwd', 'util-linux', 'login'],
  },
  placement: {
    purpose: 'the placement tests (cron, sshd and su start programs of tenants)',
    packages: [
      'cron',
      'openssh-server',
      'openssh-client',
      'login', // su
      'passwd', // useradd
      'uidmap', // newuidmap, newgidmap: subordinate uids
      'util-linux', // setpriv, unshare
      'gcc', // the programs of attackers
      'libc6-dev',
      'cgroup-tools', // cgrulesengd, for the benchmark
    ],
    daemons: ['cron', 'openssh-server'],
  },
} as const satisfies Record<string, Needs>;

const run = promisify(execFile);
const aptOptions = ['-y', '-q', '--no-install-recommends', '-o', 'DPkg::Lock::Timeout=120'];
const aptTimeoutMs = 15 * 60_000;

/**
 * Makes sure that the packages of a suite are installed, and logs in one line what it installs and
 * why. Never throws if the machine lacks something: that is a reason to skip.
 */
export async function ensurePrerequisites(suite: Suite, log: LogLine): Promise<Readiness> {
  const { purpose, packages, daemons = [] }: Needs = suites[suite];
  if (!(await isDebianFamily())) {
    return skip(`${purpose}: this is not a Debian or Ubuntu system, whose packages they use`);
  }
  const missing = await notInstalled(packages);
  if (missing.length === 0) return { ok: true };
  const names = missing.join(' ');
  if (process.getuid?.() !== 0) {
    return skip(`${purpose}: missing ${names}; run as root, or first "apt-get install ${names}"`);
  }
  const starting = daemons.filter((each) => missing.includes(each));
  if (starting.length > 0 && existsSync('/run/systemd/system')) {
    return skip(
      `${purpose}: missing ${names}, of which systemd would start ${starting.join(' ')}; "apt-get install ${names}" if that is fine`,
    );
  }
  log(`Installing ${names} for ${purpose}`);
  return install(missing, purpose);
}

const skip = (reason: string): Readiness => ({ ok: false, reason });

async function isDebianFamily(): Promise<boolean> {
  const text = await readFile('/etc/os-release', 'utf8').catch(() => '');
  const ids = [...text.matchAll(/^ID(?:_LIKE)?="?([^"\n]*)"?$/gm)].flatMap(([, value = '']) =>
    value.split(' '),
  );
  return ids.includes('debian') || ids.includes('ubuntu');
}

async function notInstalled(packages: readonly string[]): Promise<string[]> {
  const query = ['-W', '-f', '${Package} ${db:Status-Status}\n', ...packages];
  // dpkg-query fails when one of them is unknown, and still prints the others.
  const { stdout } = await run('dpkg-query', query).catch((error: { stdout?: string }) => ({
    stdout: error.stdout ?? '',
  }));
  const installed = new Set(stdout.split('\n'));
  return packages.filter((name) => !installed.has(`${name} installed`));
}

/** Tries twice: lists may be missing or stale, and mirrors drop old versions of a package. */
async function install(packages: readonly string[], purpose: string): Promise<Readiness> {
  const aptGet = (...args: string[]) =>
    run('apt-get', [...aptOptions, ...args], {
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
      timeout: aptTimeoutMs,
      maxBuffer: 64 * 2 ** 20,
    });
  try {
    if (!(await haveCandidates(packages))) await aptGet('update');
    await aptGet('install', ...packages).catch(async () => {
      await aptGet('update');
      await aptGet('install', ...packages);
    });
    return { ok: true };
  } catch (error) {
    return skip(`${purpose}: cannot install ${packages.join(' ')}: ${lastErrorLine(error)}`);
  }
}

async function haveCandidates(packages: readonly string[]): Promise<boolean> {
  const { stdout } = await run('apt-cache', ['policy', ...packages]);
  const candidates = stdout.match(/^ {2}Candidate: (?!\(none\))/gm) ?? [];
  return candidates.length === packages.length;
}

function lastErrorLine(error: unknown): string {
  const { stderr = '', message = '' } = error as { stderr?: string; message?: string };
  const lines = stderr.trim().split('\n');
  return lines.findLast((line) => line.startsWith('E:')) ?? lines.at(-1) ?? message;
}
