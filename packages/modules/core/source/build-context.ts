/**
 * The parts of a build besides the source: the kernel's configuration, the headers that its build
 * generated, and the macros that its compiler predefines.
 */
import { parseMacro, type Macro } from '../preprocessor/macros.ts';
import type { SourceTree } from './source-tree.ts';

/** A kernel's headers as a package installs them, or the tree it was built in. */
export interface BuildContext {
  /** `uname -r`. */
  readonly release: string;
  /** Options from include/config/auto.conf. */
  readonly config: ReadonlyMap<string, string>;
  /** Options that .config has as `# CONFIG_FOO is not set`. */
  readonly unset: ReadonlySet<string>;
  /** The tree that holds include/generated and arch/…/include/generated. */
  readonly objectTree: SourceTree;
  /** The tree that holds include/linux; undefined when only the generated headers are at hand. */
  readonly kernelTree: SourceTree | undefined;
  /** Generated files that somebody kept; named as in the source. */
  readonly generated: SourceTree | undefined;
}

/**
 * Parses lines `CONFIG_FOO=m`; strings lose their quotes, comments and unset options are left out.
 */
export function parseAutoConf(text: string): ReadonlyMap<string, string> {
  const config = new Map<string, string>();
  for (const [, name, value] of text.matchAll(/^(CONFIG_\w+)=(.*)$/gm)) {
    config.set(name!, value!.replace(/^"(.*)"$/, '$1'));
  }
  return config;
}

/** Parses lines `# CONFIG_FOO is not set`. */
export const parseUnset = (text: string): ReadonlySet<string> =>
  new Set([...text.matchAll(/^# (CONFIG_\w+) is not set$/gm)].map(([, name = '']) => name));

const architectures: readonly (readonly [setting: string, directory: string, defines: string])[] = [
  ['CONFIG_X86', 'x86', '__x86_64__ __linux__'],
  ['CONFIG_ARM64', 'arm64', '__aarch64__ __linux__'],
  ['CONFIG_ARM', 'arm', '__arm__ __linux__'],
  ['CONFIG_RISCV', 'riscv', '__riscv __linux__'],
  ['CONFIG_PPC', 'powerpc', '__powerpc__ __linux__'],
  ['CONFIG_S390', 's390', '__s390__ __s390x__ __linux__'],
  ['CONFIG_LOONGARCH', 'loongarch', '__loongarch__ __linux__'],
  ['CONFIG_MIPS', 'mips', '__mips__ __linux__'],
];

const architectureIn = (config: ReadonlyMap<string, string>) =>
  architectures.find(([setting]) => config.get(setting) === 'y') ?? architectures[0]!;

/** Returns the directory below arch/; x86 by default. */
export const architectureOf = (config: ReadonlyMap<string, string>): string =>
  architectureIn(config)[1];

/** Returns the compiler's own macros that the kernel's headers test. */
export function predefinedMacros(config: ReadonlyMap<string, string>): readonly [string, Macro][] {
  const wide = config.get('CONFIG_64BIT') === 'y';
  const clang = Number(config.get('CONFIG_CLANG_VERSION') ?? 0);
  const gcc = clang > 0 ? 40201 : Number(config.get('CONFIG_GCC_VERSION') ?? 140200);
  const word = wide ? 8 : 4;
  let named = architectureIn(config)[2].split(' ');
  if (!wide) named = named.map((name) => (name === '__x86_64__' ? '__i386__' : name));
  const definitions = [
    ...named.map((name) => `${name} 1`),
    `__GNUC__ ${Math.floor(gcc / 10000)}`,
    `__GNUC_MINOR__ ${Math.floor(gcc / 100) % 100}`,
    `__GNUC_PATCHLEVEL__ ${gcc % 100}`,
    ...(clang > 0
      ? [
          '__clang__ 1',
          `__clang_major__ ${Math.floor(clang / 10000)}`,
          `__clang_minor__ ${Math.floor(clang / 100) % 100}`,
        ]
      : []),
    ...(wide ? ['__LP64__ 1', '_LP64 1', '__SIZEOF_INT128__ 16'] : []),
    `__SIZEOF_POINTER__ ${word}`,
    `__SIZEOF_LONG__ ${word}`,
    '__SIZEOF_LONG_LONG__ 8',
    '__SIZEOF_INT__ 4',
    '__CHAR_BIT__ 8',
    '__OPTIMIZE__ 1',
    '__STDC__ 1',
    '__STDC_VERSION__ 201112L',
    '__GCC_ASM_FLAG_OUTPUTS__ 1',
    '__ORDER_LITTLE_ENDIAN__ 1234',
    '__ORDER_BIG_ENDIAN__ 4321',
    `__BYTE_ORDER__ ${config.has('CONFIG_CPU_BIG_ENDIAN') ? 4321 : 1234}`,
    '__KERNEL__ 1',
    'MODULE 1',
    'CC_USING_FENTRY 1',
    'CC_USING_NOP_MCOUNT 1',
    'KBUILD_MODNAME "module"',
    'KBUILD_BASENAME "object"',
    'KBUILD_MODFILE "module"',
  ];
  return definitions.map((text) => {
    const { name, macro } = parseMacro(text)!;
    return [name, macro];
  });
}
