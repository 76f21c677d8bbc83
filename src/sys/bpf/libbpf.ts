/**
 * The system's libbpf.so.1, by FFI: every host with iproute2 has it. It finds the kernel's structures by name and
 * returns the verifier's log. Only functions used here are declared. Each returns a negative error number, or no
 * pointer and errno, as in bpf/libbpf.h.
 */
import koffi from 'koffi';
import { failed, type Errno, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { errnoName } from '../../../packages/base/io/errno.ts';

/** A pointer of the library. */
export type Handle = bigint;
type MaybeHandle = Handle | null;

const prototypes = {
  libbpf_set_print: 'void *libbpf_set_print(void *print)',
  libbpf_num_possible_cpus: 'int libbpf_num_possible_cpus()',
  bpf_object__open_file: 'void *bpf_object__open_file(const char *path, const void *options)',
  bpf_object__load: 'int bpf_object__load(void *object)',
  bpf_object__close: 'void bpf_object__close(void *object)',
  bpf_object__next_program: 'void *bpf_object__next_program(void *object, void *program)',
  bpf_object__next_map: 'void *bpf_object__next_map(void *object, void *map)',
  bpf_program__name: 'const char *bpf_program__name(void *program)',
  bpf_program__section_name: 'const char *bpf_program__section_name(void *program)',
  bpf_program__set_autoload: 'int bpf_program__set_autoload(void *program, bool autoload)',
  bpf_program__set_log_buf: 'int bpf_program__set_log_buf(void *program, void *log, size_t bytes)',
  bpf_program__attach: 'void *bpf_program__attach(void *program)',
  bpf_program__attach_cgroup: 'void *bpf_program__attach_cgroup(void *program, int cgroup)',
  bpf_link__pin: 'int bpf_link__pin(void *link, const char *path)',
  bpf_link__destroy: 'int bpf_link__destroy(void *link)',
  bpf_map__name: 'const char *bpf_map__name(void *map)',
  bpf_map__fd: 'int bpf_map__fd(void *map)',
  bpf_map__pin: 'int bpf_map__pin(void *map, const char *path)',
  bpf_map__set_max_entries: 'int bpf_map__set_max_entries(void *map, uint32_t entries)',
  bpf_map__update_elem:
    'int bpf_map__update_elem(void *map, const void *key, size_t keyBytes, const void *value, size_t valueBytes, uint64_t flags)',
  bpf_obj_get: 'int bpf_obj_get(const char *path)',
  bpf_map_lookup_elem: 'int bpf_map_lookup_elem(int fd, const void *key, void *value)',
  bpf_map_update_elem:
    'int bpf_map_update_elem(int fd, const void *key, const void *value, uint64_t flags)',
  bpf_map_delete_elem: 'int bpf_map_delete_elem(int fd, const void *key)',
  bpf_map_get_next_key: 'int bpf_map_get_next_key(int fd, const void *key, void *next)',
  bpf_prog_query:
    'int bpf_prog_query(int target, int type, uint32_t flags, void *attachFlags, void *ids, void *count)',
  ring_buffer__new:
    'void *ring_buffer__new(int fd, void *take, void *context, const void *options)',
  ring_buffer__consume: 'int ring_buffer__consume(void *ring)',
  ring_buffer__free: 'void ring_buffer__free(void *ring)',
  btf__load_vmlinux_btf: 'void *btf__load_vmlinux_btf()',
  btf__find_by_name_kind:
    'int btf__find_by_name_kind(void *types, const char *name, uint32_t kind)',
  btf__free: 'void btf__free(void *types)',
} as const;

export interface Libbpf {
  readonly libbpf_set_print: (print: null) => MaybeHandle;
  readonly libbpf_num_possible_cpus: () => number;
  readonly bpf_object__open_file: (path: string, options: null) => MaybeHandle;
  readonly bpf_object__load: (object: Handle) => number;
  readonly bpf_object__close: (object: Handle) => void;
  readonly bpf_object__next_program: (object: Handle, program: MaybeHandle) => MaybeHandle;
  readonly bpf_object__next_map: (object: Handle, map: MaybeHandle) => MaybeHandle;
  readonly bpf_program__name: (program: Handle) => string;
  readonly bpf_program__section_name: (program: Handle) => string;
  readonly bpf_program__set_autoload: (program: Handle, autoload: boolean) => number;
  readonly bpf_program__set_log_buf: (program: Handle, log: Uint8Array, bytes: number) => number;
  readonly bpf_program__attach: (program: Handle) => MaybeHandle;
  readonly bpf_program__attach_cgroup: (program: Handle, cgroup: number) => MaybeHandle;
  readonly bpf_link__pin: (link: Handle, path: string) => number;
  readonly bpf_link__destroy: (link: Handle) => number;
  readonly bpf_map__name: (map: Handle) => string;
  readonly bpf_map__fd: (map: Handle) => number;
  readonly bpf_map__pin: (map: Handle, path: string) => number;
  readonly bpf_map__set_max_entries: (map: Handle, entries: number) => number;
  readonly bpf_map__update_elem: (
    map: Handle,
    key: Uint8Array,
    keyBytes: number,
    value: Uint8Array,
    valueBytes: number,
    flags: number,
  ) => number;
  readonly bpf_obj_get: (path: string) => number;
  readonly bpf_map_lookup_elem: (fd: number, key: Uint8Array, value: Uint8Array) => number;
  readonly bpf_map_update_elem: (
    fd: number,
    key: Uint8Array,
    value: Uint8Array,
    flags: number,
  ) => number;
  readonly bpf_map_delete_elem: (fd: number, key: Uint8Array) => number;
  readonly bpf_map_get_next_key: (fd: number, key: Uint8Array | null, next: Uint8Array) => number;
  readonly bpf_prog_query: (
    target: number,
    type: number,
    flags: number,
    attachFlags: Uint32Array,
    ids: Uint32Array,
    count: Uint32Array,
  ) => number;
  readonly ring_buffer__new: (
    fd: number,
    take: bigint,
    context: null,
    options: null,
  ) => MaybeHandle;
  readonly ring_buffer__consume: (ring: Handle) => number;
  readonly ring_buffer__free: (ring: Handle) => void;
  readonly btf__load_vmlinux_btf: () => MaybeHandle;
  readonly btf__find_by_name_kind: (types: Handle, name: string, kind: number) => number;
  readonly btf__free: (types: Handle) => void;
}

let loaded: Result<Libbpf, Problem> | undefined;

/** Returns the library, which is loaded at the first use. */
export function libbpf(): Result<Libbpf, Problem> {
  loaded ??= load();
  return loaded;
}

function load(): Result<Libbpf, Problem> {
  let library: ReturnType<typeof koffi.load>;
  try {
    library = koffi.load('libbpf.so.1');
  } catch {
    return failed({
      action: 'load BPF programs',
      reason: 'the library libbpf.so.1 is missing',
      hint: 'install libbpf1 (Debian, Ubuntu, SUSE) or libbpf (Fedora, Red Hat), version 1.0 or later',
    });
  }
  const functions = Object.fromEntries(
    Object.entries(prototypes).map(([name, prototype]) => [name, library.func(prototype)]),
  ) as unknown as Libbpf;
  // We report errors ourselves.
  functions.libbpf_set_print(null);
  return ok(functions);
}

/** Returns the error of a libbpf function that returned a negative number or no pointer. */
export const errnoOfAnswer = (answer?: number): Errno =>
  errnoName(answer === undefined ? koffi.errno() : -answer);

/** Returns the number of values that a map has of each key, where it has one for each processor; 0 without the library. */
export function possibleProcessors(): number {
  const library = libbpf();
  return library.ok ? library.value.libbpf_num_possible_cpus() : 0;
}
