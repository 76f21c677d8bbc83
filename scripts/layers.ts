/**
 * Checks every import of packages/ and src/ against the table of ARCHITECTURE.md: which layer may use which. Static
 * imports, lazy ones and imports of types count alike, and none of them may close a cycle. It also
 * checks that no directory has grown beyond what a reader takes in at a glance, and that something uses
 * each exported function and constant.
 *
 *     node scripts/layers.ts
 */
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { root } from './steps.ts';

interface Layer {
  /** Layers and capabilities' parts below it, besides itself. */
  readonly uses: readonly string[];
  /** Packages, also for types; `node:` is all of Node's own. */
  readonly packages: readonly string[];
}

const pure = ['packages/base', 'limits', 'policy', 'plan', 'usage', 'layouts'];
/** Files of the host, read and written safely as root. */
const files = 'packages/base/io';
/** The kernel-module library, as those see it that may do I/O. */
const modules = ['packages/modules/core', 'packages/modules/io'];
const system = ['node:', 'koffi'];
const engine = [...pure, files, 'sys', 'host', 'store', 'apply', 'agent', 'cli'];

const layers: Readonly<Record<string, Layer>> = {
  'packages/base': { uses: [], packages: [] },
  [files]: { uses: ['packages/base'], packages: ['node:'] },
  // A product of its own, which never uses the engine.
  'packages/modules/core': { uses: ['packages/base'], packages: [] },
  'packages/modules/io': {
    uses: ['packages/base', files, 'packages/modules/core', 'packages/modules'],
    packages: system,
  },
  'packages/modules': {
    uses: ['packages/base', files, 'packages/modules/core', 'packages/modules/io'],
    packages: ['node:'],
  },
  limits: { uses: ['packages/base'], packages: [] },
  // The policy names trust levels.
  policy: { uses: ['packages/base', 'packages/modules/core', 'limits'], packages: ['saxes'] },
  plan: { uses: ['packages/base', 'limits', 'policy'], packages: [] },
  usage: { uses: ['packages/base', 'limits', 'policy'], packages: [] },
  layouts: { uses: [], packages: [] },
  sys: { uses: ['packages/base', files], packages: system },
  host: { uses: [...pure, files, 'sys'], packages: system },
  store: { uses: [...pure, files, 'sys'], packages: ['node:'] },
  apply: { uses: [...pure, files, 'sys', 'host', 'store'], packages: ['node:'] },
  agent: {
    uses: [...pure, files, 'sys', 'host', 'store', 'apply'],
    packages: ['node:', 'hono', '@hono/node-server', 'pino', 'nodemailer'],
  },
  cli: {
    uses: [...pure, files, 'sys', 'host', 'apply', 'agent'],
    packages: ['node:', 'commander', '@resvg/resvg-wasm'],
  },
  ...capability('modules', modules),
  ...capability('cloudlinux'),
  ...capability('web'),
  // LiteSpeed's configuration can be XML.
  'web/core': { uses: [...pure, 'type apply', 'type agent'], packages: ['saxes'] },
  ...capability('app'),
  ...capability('pam'),
  ...capability('placement'),
  ...capability('symlinks'),
  ...capability('jail'),
  ...capability('harden'),
  ...capability('confine'),
  ...capability('prove'),
  ...capability('stop'),
  ...capability('panel'),
  ...capability('digest'),
  ...capability('database'),
  ...capability('network'),
  ...capability('fleet'),
  // Only what the courier and the centre load uses NATS.
  'fleet/io': {
    uses: [...pure, files, 'sys', 'host', 'store', 'type agent', 'fleet/core'],
    packages: [...system, '@nats-io/jetstream', '@nats-io/nkeys', '@nats-io/transport-node'],
  },
  ...capability('history'),
  ...capability('setup'),
  ...capability('console'),
  // It runs in browsers. Types of the agent tell it what answers have.
  'console/page': {
    uses: ['packages/base', 'limits', 'policy', 'usage', 'type agent'],
    packages: ['preact', '@preact/signals'],
  },
  // It edits the policy as commands do.
  'setup/io': {
    uses: [...pure, files, 'sys', 'host', 'apply', 'setup/core'],
    packages: system,
  },
  'prove/attacks': { uses: [...pure, 'prove/core'], packages: [] },
  // It applies a policy of its own to an instance of its own.
  'prove/io': {
    uses: [...pure, files, 'sys', 'host', 'apply', 'prove/core', 'prove/attacks'],
    packages: system,
  },
  'prove/commands': {
    uses: [...engine, 'prove/core', 'prove/io', 'prove/attacks'],
    packages: ['node:', 'commander'],
  },
  // The program, and the process that applies a policy for the agent: they compose.
  'main.ts': { uses: ['cli', 'capabilities.ts'], packages: ['node:', 'commander'] },
  'apply-child.ts': { uses: ['sys', 'apply', 'capabilities.ts'], packages: ['node:'] },
  'policy-child.ts': { uses: ['sys', 'agent', 'capabilities.ts'], packages: ['node:'] },
  'capabilities.ts': {
    uses: [
      'cli',
      'modules/io',
      'modules/commands',
      'cloudlinux/core',
      'cloudlinux/io',
      'cloudlinux/commands',
      'web/core',
      'web/io',
      'web/commands',
      'app/io',
      'app/commands',
      'pam/io',
      'pam/commands',
      'placement/io',
      'placement/commands',
      'symlinks/core',
      'symlinks/io',
      'symlinks/commands',
      'jail/core',
      'jail/io',
      'jail/commands',
      'harden/commands',
      'confine/commands',
      'prove/commands',
      'stop/core',
      'stop/io',
      'stop/commands',
      'panel/io',
      'panel/commands',
      'digest/io',
      'digest/commands',
      'database/core',
      'database/io',
      'database/commands',
      'network/core',
      'network/io',
      'network/commands',
      'fleet/core',
      'fleet/io',
      'fleet/commands',
      'history/commands',
      'setup/commands',
      'console/io',
      'console/commands',
    ],
    packages: [],
  },
};

/**
 * Returns the layers of a capability, which uses the engine, its own parts, `more` if it is built on
 * a package, and no other capability.
 */
function capability(name: string, more: readonly string[] = []): Record<string, Layer> {
  const [core, io, commands] = ['core', 'io', 'commands'].map((part) => `${name}/${part}`) as [
    string,
    string,
    string,
  ];
  return {
    // A core uses only types of the rest of the engine, which cost nothing and do nothing.
    [core]: { uses: [...pure, ...more, 'type apply', 'type agent'], packages: [] },
    [io]: { uses: [...pure, files, 'sys', 'host', 'type agent', core, ...more], packages: system },
    [commands]: { uses: [...engine, core, io, ...more], packages: ['node:', 'commander'] },
  };
}

const filesMax = 20;

/** Returns the layer of a file: the longest of its directories that has one, without `src/`. */
function layerOf(path: string): string {
  const own = path.replace(/^src\//, '');
  for (let at = own; at !== '.'; at = dirname(at)) if (layers[at] !== undefined) return at;
  return dirname(own);
}

const imports =
  /^(?:import|export)(?<type> type)?\b[^'"();=]*?from '(?<from>[^']+)'|\bimport\('(?<lazy>[^']+)'\)|^import '(?<effect>[^']+)'/gm;

interface Import {
  readonly path: string;
  readonly isType: boolean;
}

interface Source {
  readonly file: string;
  readonly text: string;
  readonly imports: readonly Import[];
}

function readSource(file: string): Source {
  const text = readFileSync(join(root, file), 'utf8');
  const found = [...text.matchAll(imports)].map(
    ({ groups: { type, from, lazy, effect } = {} }): Import => ({
      path: from ?? lazy ?? effect ?? '',
      isType: type !== undefined,
    }),
  );
  return { file, text, imports: found };
}

const target = (file: string, path: string) => relative('.', join(dirname(file), path));

function problemsOf({ file, imports }: Source): readonly string[] {
  const name = layerOf(file);
  const layer = layers[name];
  if (layer === undefined) return [`${file}: no layer of scripts/layers.ts has this directory`];
  return imports.flatMap(({ path, isType }) => {
    if (!path.startsWith('.')) {
      const allowed = layer.packages.some((each) =>
        each.endsWith(':') ? path.startsWith(each) : path === each || path.startsWith(`${each}/`),
      );
      return allowed || isType ? [] : [`${file}: ${name} must not use "${path}"`];
    }
    const used = layerOf(target(file, path));
    const allowed =
      used === name || layer.uses.includes(used) || (isType && layer.uses.includes(`type ${used}`));
    return allowed ? [] : [`${file}: ${name} must not use ${used} (${path})`];
  });
}

/** Returns the files of each cycle of imports: Tarjan's strongly connected components. */
function cycles(sources: readonly Source[]): readonly (readonly string[])[] {
  const known = new Map(sources.map((each) => [each.file, each.imports]));
  const order = new Map<string, number>();
  const open: string[] = [];
  const found: (readonly string[])[] = [];
  const visit = (file: string): number => {
    const index = order.size;
    order.set(file, index);
    open.push(file);
    let lowest = index;
    for (const { path } of known.get(file) ?? []) {
      const next = target(file, path);
      if (!path.startsWith('.') || !known.has(next)) continue;
      if (!order.has(next)) lowest = Math.min(lowest, visit(next));
      else if (open.includes(next)) lowest = Math.min(lowest, order.get(next) ?? index);
    }
    if (lowest < index) return lowest;
    const cycle = open.splice(open.indexOf(file));
    if (cycle.length > 1) found.push(cycle);
    return lowest;
  };
  for (const { file } of sources) if (!order.has(file)) visit(file);
  return found;
}

function crowded(sources: readonly Source[]): readonly string[] {
  const counts = new Map<string, number>();
  for (const { file } of sources) counts.set(dirname(file), (counts.get(dirname(file)) ?? 0) + 1);
  return [...counts].flatMap(([directory, count]) =>
    count > filesMax ? [`${directory}: ${count} files side by side; ${filesMax} are the most`] : [],
  );
}

/**
 * Returns exported functions and constants that the product names only once, where they are defined: nothing calls
 * them, or a merge has lost the call. Tests may be the only users of a name in `forTests`.
 */
function unused(sources: readonly Source[]): readonly string[] {
  const counts = new Map<string, number>();
  const defined: (readonly [name: string, file: string])[] = [];
  for (const { file, text } of sources) {
    const code = text.replaceAll(comments, '');
    for (const [word] of code.matchAll(/[A-Za-z_$][\w$]*/g))
      counts.set(word, (counts.get(word) ?? 0) + 1);
    for (const { groups: { name = '' } = {} } of code.matchAll(exported))
      defined.push([name, file]);
  }
  return defined.flatMap(([name, file]) =>
    counts.get(name) === 1 && !forTests.has(name) ? [`${file}: nothing uses ${name}`] : [],
  );
}

const comments = /\/\*[^]*?\*\/|^\s*\/\/.*$/gm;
const exported = /^export (?:async )?(?:function|const|class) (?<name>[\w$]+)/gm;
const forTests: ReadonlySet<string> = new Set(['callNames', 'unpackWithProgram']);

const product = globSync(['src/**/*.{ts,tsx}', 'packages/*/{*.ts,{core,io}/**/*.ts}'], {
  cwd: root,
})
  .filter((file) => !file.endsWith('/build.ts'))
  .sort()
  .map(readSource);
const problems = [
  ...product.flatMap(problemsOf),
  ...cycles(product).map((cycle) => `these files import each other: ${cycle.join(', ')}`),
  ...crowded(product),
  ...unused(product),
];
for (const problem of problems) process.stderr.write(`${problem}\n`);
process.exitCode = problems.length === 0 ? 0 : 1;
