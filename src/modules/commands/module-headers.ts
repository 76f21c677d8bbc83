/**
 * The headers that modules were built against: for each module, the headers of the kernel named in
 * its vermagic. The kernel that runs here is seldom the one that a module was built for.
 */
import type { Problem } from '../../../packages/base/problem.ts';
import type { Result } from '../../../packages/base/result.ts';
import type { KernelModule } from '../../../packages/modules/core/record/module.ts';
import {
  findKernelBuild,
  type KernelBuild,
} from '../../../packages/modules/io/kernel/kernel-build.ts';
import {
  filesIn,
  hostRoots,
  runningRelease,
} from '../../../packages/modules/io/kernel/kernel-files.ts';
import { builtFor } from '../../../packages/modules/io/kernel/module-sample.ts';

interface HeadersOptions {
  readonly headers?: string;
  /** Directories of a kernel, which may have its headers below usr/src. */
  readonly kernel?: readonly string[];
}

export class ModuleHeaders {
  readonly #directories: readonly string[] | undefined;
  readonly #mayBeInstalled: boolean;
  readonly #otherwise: string;
  readonly #known = new Map<string, Result<KernelBuild, Problem>>();

  constructor({ headers, kernel }: HeadersOptions) {
    this.#directories = headers === undefined ? kernel : [headers];
    this.#mayBeInstalled = headers === undefined;
    const files = kernel === undefined ? undefined : filesIn(kernel);
    const given = files?.ok === true ? files.value.release : undefined;
    this.#otherwise = given ?? runningRelease(hostRoots) ?? '';
  }

  /**
   * Returns the module's kernel release. A module that names no kernel counts as built for the
   * given kernel or the running one.
   */
  releaseFor(module: KernelModule): string {
    return builtFor(module) ?? this.#otherwise;
  }

  of(release: string): Result<KernelBuild, Problem> {
    const found = this.#known.get(release) ?? this.#find(release);
    this.#known.set(release, found);
    return found;
  }

  /** Finds the headers. A kernel may be given without headers; the installed ones are used then. */
  #find(release: string): Result<KernelBuild, Problem> {
    const given = findKernelBuild(release, this.#directories);
    if (given.ok || !this.#mayBeInstalled) return given;
    const installed = findKernelBuild(release);
    return installed.ok ? installed : given;
  }
}
