/**
 * Loads an object of BPF programs, fills its maps, attaches all programs and pins them: all of it, or nothing.
 *
 * Older generations end only when the new one is complete, so that at no moment fewer programs decide than before.
 */
import type { MapEntry } from '../../../packages/base/map-entry.ts';
import { failed, type Cause, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { causeOf, formatErrno } from '../../../packages/base/io/errno.ts';
import type { PinnedDirectory } from '../../../packages/base/io/pinned-directory.ts';
import { errnoOfAnswer, libbpf, type Handle, type Libbpf } from './libbpf.ts';
import { beginGeneration, linkPrefix, removeGenerations } from './pins.ts';

export interface BpfObject {
  readonly file: string;
  /** The name of the pins: `symlinks`. */
  readonly name: string;
  readonly generation: string;
  readonly entries: readonly MapEntry[];
  /** Programs that are left out if the kernel lacks their hook. */
  readonly optional?: readonly string[];
  /** Checks, once everything is attached, that it works; returns why not. */
  readonly prove: () => Cause | undefined;
}

export interface LoadedObject {
  readonly programs: readonly string[];
  /** The programs left out because this kernel lacks their hook. */
  readonly leftOut: readonly string[];
}

type Loading<T> = Result<T, Cause>;
const because = (cause: Cause): Loading<never> => ({ ok: false, error: cause });

/** Loads the object. Throws only on defects. */
export function loadObject(
  object: BpfObject,
  pins: PinnedDirectory,
): Result<LoadedObject, Problem> {
  const library = libbpf();
  if (!library.ok) return library;
  const cannot = (cause: Cause) =>
    failed({ ...cause, action: 'load the BPF programs', object: object.name });
  const handle = library.value.bpf_object__open_file(object.file, null);
  if (handle === null)
    return cannot({
      reason: `cannot open ${object.file}: ${formatErrno(errnoOfAnswer())}`,
      hint: 'install the package again; in a clone run: node scripts/bpf.ts',
    });
  try {
    const done = new Loader(library.value, handle, object).run(pins);
    return done.ok ? done : cannot(done.error);
  } finally {
    library.value.bpf_object__close(handle);
  }
}

interface Program {
  readonly handle: Handle;
  readonly name: string;
  readonly log: Uint8Array;
}

/** The verifier's log buffer; the last lines of the log have the reason. */
const logBytes = 256 * 1024;
const logLinesShown = 4;

class Loader {
  readonly #lib: Libbpf;
  readonly #handle: Handle;
  readonly #object: BpfObject;

  constructor(lib: Libbpf, handle: Handle, object: BpfObject) {
    this.#lib = lib;
    this.#handle = handle;
    this.#object = object;
  }

  run(pins: PinnedDirectory): Loading<LoadedObject> {
    const chosen = this.#choosePrograms();
    if (!chosen.ok) return chosen;
    const { programs, leftOut } = chosen.value;
    const loaded = this.#lib.bpf_object__load(this.#handle);
    if (loaded < 0) return because(refusal(programs, loaded));
    const filled = this.#fill();
    if (filled !== undefined) return because(filled);
    const links: Handle[] = [];
    try {
      const problem = this.#attach(programs, links) ?? this.#object.prove();
      if (problem !== undefined) return because(problem);
      const pinned = this.#pin(programs, links, pins);
      if (pinned !== undefined) return because(pinned);
    } finally {
      // Pinned programs stay attached.
      for (const link of links) this.#lib.bpf_link__destroy(link);
    }
    return ok({ programs: programs.map(({ name }) => name), leftOut });
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
        const isThere = lib.btf__find_by_name_kind(types, functionOf(section), functionKind) > 0;
        if (!isThere && this.#object.optional?.includes(name) !== true)
          return because({
            reason: `this kernel has no hook "${section}" for BPF programs`,
            hint: 'use a kernel that has CONFIG_BPF_LSM and is not older than 5.15',
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
    const log = new Uint8Array(logBytes);
    this.#lib.bpf_program__set_log_buf(handle, log, log.length);
    return log;
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

  #attach(programs: readonly Program[], links: Handle[]): Cause | undefined {
    for (const { handle, name } of programs) {
      const link = this.#lib.bpf_program__attach(handle);
      if (link === null)
        return { reason: `cannot attach ${name}: ${formatErrno(errnoOfAnswer())}` };
      links.push(link);
    }
    return undefined;
  }

  #pin(
    programs: readonly Program[],
    links: readonly Handle[],
    pins: PinnedDirectory,
  ): Cause | undefined {
    const { name, generation } = this.#object;
    try {
      using directory = beginGeneration(pins, name, generation);
      const problem =
        this.#pinMaps(directory.path) ?? this.#pinLinks(programs, links, directory.path);
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

  #pinLinks(
    programs: readonly Program[],
    links: readonly Handle[],
    path: string,
  ): Cause | undefined {
    for (const [index, { name }] of programs.entries()) {
      const link = links[index];
      if (link === undefined) throw new Error(`No link of ${name}`);
      const done = this.#lib.bpf_link__pin(link, `${path}/${linkPrefix}${name}`);
      if (done < 0) return cannotPin(name, done);
    }
    return undefined;
  }
}

/** Source: linux/btf.h, `BTF_KIND_FUNC`. */
const functionKind = 12;

/** Returns the kernel function at which a section's programs are called. */
const functionOf = (section: string) =>
  section.replace(/^lsm(\.s)?\//, 'bpf_lsm_').replace(/^fentry\//, '');

const cannotPin = (what: string, answer: number): Cause => ({
  reason: `cannot pin ${what}: ${formatErrno(errnoOfAnswer(answer))}`,
});

function each(of: Handle, next: (of: Handle, last: Handle | null) => Handle | null): Handle[] {
  const all: Handle[] = [];
  for (let one = next(of, null); one !== null; one = next(of, one)) all.push(one);
  return all;
}

/** Returns why the kernel did not accept a program, with the last lines of the verifier's log, if any. */
export function refusal(programs: readonly Pick<Program, 'name' | 'log'>[], answer: number): Cause {
  const errno = errnoOfAnswer(answer);
  const refused = programs
    .map(({ name, log }) => ({ name, said: lastLines(log) }))
    .findLast(({ said }) => said !== '');
  if (refused === undefined)
    return {
      reason: `the kernel does not take them: ${formatErrno(errno)}`,
      errno,
      ...(errno === 'EPERM' ? { hint: 'run it as root, and not in a container' } : {}),
    };
  return {
    reason: `the kernel's verifier refuses ${refused.name}: ${refused.said}`,
    errno,
    hint: 'report it with the release of the kernel (uname -r)',
  };
}

function lastLines(log: Uint8Array): string {
  const end = log.indexOf(0);
  const lines = Buffer.from(log.subarray(0, end < 0 ? log.length : end))
    .toString('latin1')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !/^(processed \d|verification time|stack depth)/.test(line));
  return lines.slice(-logLinesShown).join(' | ');
}
