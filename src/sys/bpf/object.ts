/**
 * Loads an object of BPF programs, fills its maps, and attaches all programs: all of it, or nothing.
 *
 * Guards pin their programs. Older generations end only when the new one is complete, so that at no moment fewer programs
 * decide than before. Programs that only observe are held instead: they end with the process that holds them.
 */
import type { MapEntry } from '../../../packages/base/map-entry.ts';
import { failed, type Cause, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { causeOf, formatErrno } from '../../../packages/base/io/errno.ts';
import type { PinnedDirectory } from '../../../packages/base/io/pinned-directory.ts';
import { errnoOfAnswer, libbpf, type Handle, type Libbpf } from './libbpf.ts';
import { BpfMap } from './maps.ts';
import { beginGeneration, linkPrefix, removeGenerations } from './pins.ts';
import { refusal, verifierLogBytes, type VerifiedProgram } from './verifier-log.ts';

/** Returns a map of the object. */
export type MapOf = (name: string) => BpfMap;

export interface BpfObject {
  readonly file: string;
  /** The name of the object, and of the pins: `symlinks`. */
  readonly name: string;
  readonly entries: readonly MapEntry[];
  /** Programs that are left out if the kernel lacks their hook. */
  readonly optional?: readonly string[];
  /** Programs that are not loaded. */
  readonly omitted?: readonly string[];
  /** The descriptor of the cgroup whose processes the programs of sections `cgroup…` are asked about. */
  readonly cgroup?: number;
  /** The numbers of entries of maps that the object does not fix. */
  readonly sizes?: ReadonlyMap<string, number>;
  /** Checks, once everything is attached, that it works; returns why not. */
  readonly prove: (mapOf: MapOf) => Cause | undefined;
}

export interface PinnedObject extends BpfObject {
  readonly generation: string;
}

export interface LoadedObject {
  readonly programs: readonly string[];
  /** The programs left out because this kernel lacks their hook. */
  readonly leftOut: readonly string[];
}

type Loading<T> = Result<T, Cause>;
const because = (cause: Cause): Loading<never> => ({ ok: false, error: cause });

/** Loads the object and pins it. Throws only on defects. */
export function loadObject(
  object: PinnedObject,
  pins: PinnedDirectory,
): Result<LoadedObject, Problem> {
  const opened = openObject(object);
  if (!opened.ok) return opened;
  using loader = opened.value;
  const { generation } = object;
  const done = loader.run(() => loader.pin(pins, generation));
  return done.ok ? done : cannotLoad(object, done.error);
}

/** The programs of an object, attached until it is disposed of. */
export interface HeldObject extends Disposable {
  readonly mapOf: MapOf;
}

/** Loads the object and holds it. Throws only on defects. */
export function holdObject(object: BpfObject): Result<HeldObject, Problem> {
  const opened = openObject(object);
  if (!opened.ok) return opened;
  const loader = opened.value;
  const done = loader.run(() => undefined);
  if (done.ok) return ok(loader);
  loader[Symbol.dispose]();
  return cannotLoad(object, done.error);
}

/** The action of a problem with the programs themselves. */
export const loadAction = 'load the BPF programs';

const cannotLoad = ({ name }: BpfObject, cause: Cause) =>
  failed({ ...cause, action: loadAction, object: name });

function openObject(object: BpfObject): Result<Loader, Problem> {
  const library = libbpf();
  if (!library.ok) return library;
  const handle = library.value.bpf_object__open_file(object.file, null);
  if (handle !== null) return ok(new Loader(library.value, handle, object));
  return cannotLoad(object, {
    reason: `cannot open ${object.file}: ${formatErrno(errnoOfAnswer())}`,
    hint: 'install the package again; in a clone run: node scripts/bpf.ts',
  });
}

interface Program extends VerifiedProgram {
  readonly handle: Handle;
}

class Loader implements HeldObject {
  readonly #lib: Libbpf;
  readonly #handle: Handle;
  readonly #object: BpfObject;
  readonly #links: { readonly name: string; readonly handle: Handle }[] = [];

  constructor(lib: Libbpf, handle: Handle, object: BpfObject) {
    this.#lib = lib;
    this.#handle = handle;
    this.#object = object;
  }

  /** Loads and attaches the programs, and has `finish` complete that. */
  run(finish: () => Cause | undefined): Loading<LoadedObject> {
    const chosen = this.#choosePrograms();
    if (!chosen.ok) return chosen;
    const { programs, leftOut } = chosen.value;
    this.#resize();
    const loaded = this.#lib.bpf_object__load(this.#handle);
    if (loaded < 0) return because(refusal(programs, loaded));
    const problem =
      this.#fill() ?? this.#attach(programs) ?? this.#object.prove(this.mapOf) ?? finish();
    return problem === undefined
      ? ok({ programs: programs.map(({ name }) => name), leftOut })
      : because(problem);
  }

  /** The map is valid until the object is disposed of. */
  readonly mapOf: MapOf = (name) => {
    const map = each(this.#handle, this.#lib.bpf_object__next_map).find(
      (one) => this.#lib.bpf_map__name(one) === name,
    );
    if (map === undefined) throw new Error(`The object has no map "${name}"`);
    return BpfMap.ofObject(this.#lib, this.#lib.bpf_map__fd(map));
  };

  /** Pinned programs stay attached. */
  [Symbol.dispose](): void {
    for (const { handle } of this.#links.splice(0)) this.#lib.bpf_link__destroy(handle);
    this.#lib.bpf_object__close(this.#handle);
  }

  #choosePrograms(): Loading<{ programs: readonly Program[]; leftOut: readonly string[] }> {
    const lib = this.#lib;
    const types = lib.btf__load_vmlinux_btf();
    if (types === null)
      return because({
        reason: `cannot read the kernel's types: ${formatErrno(errnoOfAnswer())}`,
      });
    const programs: Program[] = [];
    const leftOut: string[] = [];
    try {
      for (const handle of each(this.#handle, lib.bpf_object__next_program)) {
        const name = lib.bpf_program__name(handle);
        const section = lib.bpf_program__section_name(handle);
        if (this.#object.omitted?.includes(name) === true) {
          lib.bpf_program__set_autoload(handle, false);
          continue;
        }
        const isThere =
          isOfCgroup(section) || lib.btf__find_by_name_kind(types, ...hookOf(section)) > 0;
        if (!isThere && this.#object.optional?.includes(name) !== true)
          return because({
            reason: `this kernel has no hook "${section}" for BPF programs`,
            hint: hookHint(section),
          });
        if (!isThere) lib.bpf_program__set_autoload(handle, false);
        if (!isThere) leftOut.push(name);
        else programs.push({ handle, name, log: this.#logOf(handle) });
      }
    } finally {
      lib.btf__free(types);
    }
    return ok({ programs, leftOut });
  }

  #logOf(handle: Handle): Uint8Array {
    const log = new Uint8Array(verifierLogBytes);
    this.#lib.bpf_program__set_log_buf(handle, log, log.length);
    return log;
  }

  /** Sets the sizes of maps; loading fails if the kernel cannot make them. */
  #resize(): void {
    const sizes = new Map(this.#object.sizes);
    if (sizes.size === 0) return;
    for (const map of each(this.#handle, this.#lib.bpf_object__next_map)) {
      const size = sizes.get(this.#lib.bpf_map__name(map));
      if (size !== undefined) this.#lib.bpf_map__set_max_entries(map, size);
    }
  }

  #fill(): Cause | undefined {
    const lib = this.#lib;
    const maps = new Map(
      each(this.#handle, lib.bpf_object__next_map).map((map) => [lib.bpf_map__name(map), map]),
    );
    for (const { map, key, value } of this.#object.entries) {
      const handle = maps.get(map);
      if (handle === undefined) throw new Error(`The object has no map "${map}"`);
      const done = lib.bpf_map__update_elem(handle, key, key.length, value, value.length, 0);
      if (done < 0)
        return { reason: `cannot fill the map ${map}: ${formatErrno(errnoOfAnswer(done))}` };
    }
    return undefined;
  }

  #attach(programs: readonly Program[]): Cause | undefined {
    for (const { handle, name } of programs) {
      const link = this.#attachOne(handle);
      if (link === null) {
        const errno = errnoOfAnswer();
        return { reason: `cannot attach ${name}: ${formatErrno(errno)}`, errno };
      }
      this.#links.push({ name, handle: link });
    }
    return undefined;
  }

  #attachOne(program: Handle): Handle | null {
    const { cgroup } = this.#object;
    if (!isOfCgroup(this.#lib.bpf_program__section_name(program)))
      return this.#lib.bpf_program__attach(program);
    if (cgroup === undefined) throw new Error('The programs need a cgroup');
    return this.#lib.bpf_program__attach_cgroup(program, cgroup);
  }

  /** Pins everything as a new generation, and ends the older ones. */
  pin(pins: PinnedDirectory, generation: string): Cause | undefined {
    const { name } = this.#object;
    try {
      using directory = beginGeneration(pins, name, generation);
      const problem = this.#pinMaps(directory.path) ?? this.#pinLinks(directory.path);
      if (problem !== undefined) return problem;
      directory.finish();
      removeGenerations(pins, name, generation);
      return undefined;
    } catch (error) {
      return causeOf(error);
    }
  }

  #pinMaps(path: string): Cause | undefined {
    const lib = this.#lib;
    for (const map of each(this.#handle, lib.bpf_object__next_map)) {
      const name = lib.bpf_map__name(map);
      // Maps that the compiler made: .rodata and the like.
      if (name.includes('.')) continue;
      const done = lib.bpf_map__pin(map, `${path}/map_${name}`);
      if (done < 0) return cannotPin(`the map ${name}`, done);
    }
    return undefined;
  }

  #pinLinks(path: string): Cause | undefined {
    for (const { name, handle } of this.#links) {
      const done = this.#lib.bpf_link__pin(handle, `${path}/${linkPrefix}${name}`);
      if (done < 0) return cannotPin(name, done);
    }
    return undefined;
  }
}

/** Source: linux/btf.h, `BTF_KIND_FUNC` and `BTF_KIND_TYPEDEF`. */
const functionKind = 12;
const typedefKind = 8;

/** Whether programs of the section are attached to a cgroup. Every kernel that has such links has these hooks. */
const isOfCgroup = (section: string): boolean => /^cgroup(?:_skb)?\//.test(section);

/** Returns the name and the kind of what a section's programs are called at, in the kernel's types. */
function hookOf(section: string): readonly [name: string, kind: number] {
  const [type = '', name = ''] = section.split('/', 2);
  if (type === 'tp_btf') return [`btf_trace_${name}`, typedefKind];
  return [type.startsWith('lsm') ? `bpf_lsm_${name}` : name, functionKind];
}

/** Returns what makes a kernel have a section's hook. */
const hookHint = (section: string) =>
  section.startsWith('lsm')
    ? 'use a kernel that has CONFIG_BPF_LSM and is not older than 5.15'
    : 'use a kernel that is not older than 5.15, as those of the distributions';

const cannotPin = (what: string, answer: number): Cause => ({
  reason: `cannot pin ${what}: ${formatErrno(errnoOfAnswer(answer))}`,
});

function each(of: Handle, next: (of: Handle, last: Handle | null) => Handle | null): Handle[] {
  const all: Handle[] = [];
  for (let one = next(of, null); one !== null; one = next(of, one)) all.push(one);
  return all;
}
