/**
 * Checks every import of src/ against the table of ARCHITECTURE.md: which layer may use which. Static
 * imports, lazy ones and imports of types count alike, and none of them may close a cycle. It also
 * checks that no directory has grown beyond what a reader takes in at a glance.
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

const pure = ['base', 'limits', 'policy', 'plan', 'usage'];
const system = ['node:', 'koffi'];
const engine = [...pure, 'sys', 'host', 'store', 'apply', 'agent', 'cli'];

const layers: Readonly<Record<string, Layer>> = {
  base: { uses: [], packages: [] },
  limits: { uses: ['base'], packages: [] },
  policy: { uses: ['base', 'limits'], packages: ['saxes'] },
  plan: { uses: ['base', 'limits', 'policy'], packages: [] },
  usage: { uses: ['base', 'limits', 'policy'], packages: [] },
  sys: { uses: ['base'], packages: system },
  host: { uses: [...pure, 'sys'], packages: system },
  store: { uses: [...pure, 'sys'], packages: ['node:'] },
  apply: { uses: [...pure, 'sys', 'host'], packages: ['node:'] },
  agent: {
    uses: [...pure, 'sys', 'host', 'store', 'apply'],
    packages: ['node:', 'hono', '@hono/node-server', 'pino', 'nodemailer'],
  },
  cli: {
    uses: [...pure, 'sys', 'host', 'apply', 'agent'],
    packages: ['node:', 'commander', 'picocolors'],
  },
  'kernel-modules/library.ts': {
    uses: [...pure, 'kernel-modules/core', 'kernel-modules/io'],
    packages: [],
  },
  ...capability('kernel-modules'),
  ...capability('cloudlinux'),
  ...capability('web'),
  ...capability('pam'),
  ...capability('placement'),
  ...capability('symlinks'),
  ...capability('jail'),
  ...capability('harden'),
  ...capability('confine'),
  ...capability('prove'),
  ...capability('stop'),
  'prove/attacks': { uses: [...pure, 'prove/core'], packages: [] },
  // It applies a policy of its own to an instance of its own.
  'prove/io': {
    uses: [...pure, 'sys', 'host', 'apply', 'prove/core', 'prove/attacks'],
    packages: system,
  },
  'prove/commands': {
    uses: [...engine, 'prove/core', 'prove/io', 'prove/attacks'],
    packages: ['node:', 'commander'],
  },
  // The program, and the process that applies a policy for the agent: they compose.
  'main.ts': { uses: ['cli', 'capabilities.ts'], packages: ['node:', 'commander'] },
  'apply-child.ts': { uses: ['sys', 'apply', 'capabilities.ts'], packages: ['node:'] },
  'capabilities.ts': {
    uses: [
      'cli',
      'kernel-modules/io',
      'kernel-modules/commands',
      'cloudlinux/core',
      'cloudlinux/io',
      'cloudlinux/commands',
      'web/io',
      'web/commands',
      'pam/io',
      'pam/commands',
      'placement/io',
      'placement/commands',
      'symlinks/io',
      'symlinks/commands',
      'jail/io',
      'jail/commands',
      'harden/commands',
      'confine/commands',
      'prove/commands',
      'stop/io',
      'stop/commands',
    ],
    packages: [],
  },
};

/**
 * Returns the layers of a capability, which uses the engine, its own parts, and no other
 * capability.
 */
function capability(name: string): Record<string, Layer> {
  const [core, io, commands] = ['core', 'io', 'commands'].map((part) => `${name}/${part}`) as [
    string,
    string,
    string,
  ];
  return {
    // A core uses only types of the rest of the engine, which cost nothing and do nothing.
    [core]: { uses: [...pure, 'type apply', 'type agent'], packages: [] },
    [io]: { uses: [...pure, 'sys', 'host', 'type agent', core], packages: system },
    [commands]: { uses: [...engine, core, io], packages: ['node:', 'commander'] },
  };
}

const filesMax = 20;

function layerOf(path: string): string {
  const [first = '', second = ''] = path.split('/');
  return layers[first] === undefined ? `${first}${second === '' ? '' : `/${second}`}` : first;
}

const imports =
  /^(?:import|export)(?<type> type)?\b[^'"();=]*?from '(?<from>[^']+)'|\bimport\('(?<lazy>[^']+)'\)|^import '(?<effect>[^']+)'/gm;

interface Import {
  readonly path: string;
  readonly isType: boolean;
}

function importsOf(file: string): readonly Import[] {
  const text = readFileSync(join(root, 'src', file), 'utf8');
  return [...text.matchAll(imports)].map(({ groups: { type, from, lazy, effect } = {} }) => ({
    path: from ?? lazy ?? effect ?? '',
    isType: type !== undefined,
  }));
}

const target = (file: string, path: string) => relative('.', join(dirname(file), path));

function problemsOf(file: string): readonly string[] {
  const name = layerOf(file);
  const layer = layers[name];
  if (layer === undefined) return [`src/${file}: no layer of scripts/layers.ts has this directory`];
  return importsOf(file).flatMap(({ path, isType }) => {
    if (!path.startsWith('.')) {
      const allowed = layer.packages.some((each) =>
        each.endsWith(':') ? path.startsWith(each) : path === each || path.startsWith(`${each}/`),
      );
      return allowed || isType ? [] : [`src/${file}: ${name} must not use "${path}"`];
    }
    const used = layerOf(target(file, path));
    const allowed =
      used === name || layer.uses.includes(used) || (isType && layer.uses.includes(`type ${used}`));
    return allowed ? [] : [`src/${file}: ${name} must not use ${used} (${path})`];
  });
}

/** Returns the files of each cycle of imports: Tarjan's strongly connected components. */
function cycles(files: readonly string[]): readonly (readonly string[])[] {
  const known = new Set(files);
  const order = new Map<string, number>();
  const low = new Map<string, number>();
  const open: string[] = [];
  const found: (readonly string[])[] = [];
  const visit = (file: string): number => {
    const index = order.size;
    order.set(file, index);
    open.push(file);
    let lowest = index;
    for (const { path } of importsOf(file)) {
      const next = target(file, path);
      if (!path.startsWith('.') || !known.has(next)) continue;
      if (!order.has(next)) lowest = Math.min(lowest, visit(next));
      else if (open.includes(next)) lowest = Math.min(lowest, low.get(next) ?? index);
      low.set(file, lowest);
    }
    low.set(file, lowest);
    if (lowest < index) return lowest;
    const cycle = open.splice(open.indexOf(file));
    if (cycle.length > 1) found.push(cycle);
    return lowest;
  };
  for (const file of files) if (!order.has(file)) visit(file);
  return found;
}

function crowded(files: readonly string[]): readonly string[] {
  const counts = new Map<string, number>();
  for (const file of files) counts.set(dirname(file), (counts.get(dirname(file)) ?? 0) + 1);
  return [...counts].flatMap(([directory, count]) =>
    count > filesMax
      ? [`src/${directory}: ${count} files side by side; ${filesMax} are the most`]
      : [],
  );
}

const files = globSync('**/*.ts', { cwd: join(root, 'src') });
const product = files.filter((file) => !file.startsWith('testing/')).sort();
const problems = [
  ...product.flatMap(problemsOf),
  ...cycles(product).map((cycle) => `src/: these files import each other: ${cycle.join(', ')}`),
  ...crowded(files),
];
for (const problem of problems) process.stderr.write(`${problem}\n`);
process.exitCode = problems.length === 0 ? 0 : 1;
