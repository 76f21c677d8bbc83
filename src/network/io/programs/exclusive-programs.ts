/**
 * Programs of others that are attached to a cgroup alone, so that the kernel refuses ours there (EPERM). All of ours let
 * others run as well, as those of systemd do. Source: bpf(2), BPF_PROG_QUERY; linux/bpf.h.
 */
import { libbpf } from '../../../sys/bpf/libbpf.ts';

/** The types of our programs, by the kernel's names. Source: enum bpf_attach_type. */
const attachTypes = {
  cgroup_inet_ingress: 0,
  cgroup_inet_egress: 1,
  cgroup_inet4_bind: 8,
  cgroup_inet6_bind: 9,
  cgroup_inet4_connect: 10,
  cgroup_inet6_connect: 11,
  cgroup_udp4_sendmsg: 14,
  cgroup_udp6_sendmsg: 15,
} as const;
const BPF_F_ALLOW_MULTI = 2;
const programsMax = 64;

export interface ExclusiveProgram {
  readonly type: keyof typeof attachTypes;
  /** The id, as `bpftool prog show id` takes it. */
  readonly id: number;
}

/** Returns none if the kernel does not tell. */
export function exclusivePrograms(cgroup: number): readonly ExclusiveProgram[] {
  const library = libbpf();
  if (!library.ok) return [];
  return Object.entries(attachTypes).flatMap(([type, number]): ExclusiveProgram[] => {
    const flags = new Uint32Array(1);
    const ids = new Uint32Array(programsMax);
    const count = Uint32Array.of(programsMax);
    const failed = library.value.bpf_prog_query(cgroup, number, 0, flags, ids, count) < 0;
    const [id] = ids;
    if (failed || count[0] === 0 || id === undefined || (flags[0] ?? 0) & BPF_F_ALLOW_MULTI)
      return [];
    return [{ type: type as ExclusiveProgram['type'], id }];
  });
}
