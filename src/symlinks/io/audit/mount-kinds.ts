/**
 * The kind of server behind a mount: a disk, the kernel, or a program that may never answer. Anyone may mount a FUSE
 * file system on a directory of its own, and a network file system waits for its server.
 */
import type { Cause } from '../../../../packages/base/problem.ts';
import { readMounts, servedByProgram, type Mount } from '../../../sys/files/mounts.ts';

export type MountKind = 'local' | 'kernel' | 'program' | 'network' | 'automount';

const ofKernel =
  /^(proc|sysfs|cgroup2?|devpts|debugfs|tracefs|securityfs|configfs|bpf|pstore|efivarfs|mqueue|binfmt_misc|nsfs|selinuxfs|rpc_pipefs)$/;
const ofNetwork =
  /^(nfs4?|cifs|smb3|smbfs|9p|virtiofs|ceph|afs|coda|lustre|gfs2|ocfs2|glusterfs|beegfs|orangefs)$/;

export function kindOfMount({ type }: Pick<Mount, 'type'>): MountKind {
  if (servedByProgram.test(type)) return 'program';
  if (type === 'autofs') return 'automount';
  if (ofNetwork.test(type)) return 'network';
  return ofKernel.test(type) ? 'kernel' : 'local';
}

/** Returns why the mount cannot be read without waiting, if it cannot. */
export function blockerOf(kind: MountKind): Cause | undefined {
  if (kind === 'program') return { reason: 'a file system that a program serves (FUSE)' };
  if (kind === 'network') return { reason: 'a file system on the network' };
  return kind === 'automount' ? { reason: 'a file system that is mounted on demand' } : undefined;
}

/** The kinds by the number of the mount. Mounts that come later are found when they are first asked for. */
export class MountKinds {
  readonly #proc: string;
  #kinds: ReadonlyMap<string, MountKind> = new Map();

  constructor(proc: string) {
    this.#proc = proc;
  }

  of(mount: string): MountKind {
    const known = this.#kinds.get(mount);
    if (known !== undefined) return known;
    const mounts = readMounts({ proc: this.#proc });
    this.#kinds = new Map(mounts.map((each) => [each.id, kindOfMount(each)]));
    // The mount has vanished again: it is treated as one that may never answer.
    return this.#kinds.get(mount) ?? 'program';
  }
}
