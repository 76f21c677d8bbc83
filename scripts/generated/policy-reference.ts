/** The reference page of the policy's language, made from its tables: `docs/policy.md`. */
import { limits } from '../../src/limits/limits.ts';
import type { Attribute, Limit } from '../../src/limits/limit.ts';
import { valueKinds } from '../../src/policy/value-kinds.ts';
import { printQuantity, quantityKinds, type QuantityKind } from '../../src/base/quantity.ts';
import { elements, type ElementAttribute, type ElementSpec } from '../../src/policy/vocabulary.ts';

/** A whole policy; the schema, the parser and the page share it. */
export const examplePolicy = `<?xml version="1.0" encoding="UTF-8"?>
<bulkhead version="1">
  <tenants uids="1000-59999" except="deploy backup" package="starter"/>

  <defaults>
    <cpu limit="100%" weight="100"/>
    <memory limit="1GiB"/>
    <io read="10MiB/s" write="10MiB/s" reads="1000/s" writes="1000/s"/>
    <processes limit="100"/>
    <entries limit="20"/>
  </defaults>

  <package name="starter">
    <disk space="10GiB" files="100000"/>
  </package>

  <package name="business">
    <cpu limit="200%"/>
    <memory limit="4GiB" soft="3GiB"/>
    <disk space="50GiB" files="500000"/>
  </package>

  <reseller user="acme" package="business">
    <cpu limit="400%"/>                      <!-- bounds the sum of acme's tenants -->
    <tenant user="bob"/>
  </reseller>

  <tenant user="alice" package="business">
    <cpu limit="300%"/>                      <!-- only what differs -->
  </tenant>

  <symlinks follow="owner-match" by="www-data"/>
  <modules require="consistent"><deny name="lve" reason="claims GPL, no source"/></modules>
</bulkhead>
`;

export function policyReference(): string {
  const names = Object.keys(elements);
  return [
    introduction,
    '```xml\n' + examplePolicy + '```',
    inheritance,
    quantities(),
    '## Elements',
    elementOverview(),
    ...names.map((name) => elementSection(name, elements[name] as ElementSpec)),
    '## Limits',
    limitsIntroduction,
    ...limits.map(limitSection),
    checks,
    editing,
    '',
  ]
    .join('\n\n')
    .replace(/\n+$/, '\n');
}

const introduction = `<!-- Made from the tables in src/ by "npm run generate"; change it there. -->

# The policy

A host has one policy, \`/etc/bulkhead/policy.xml\`. It says who is a tenant and what each tenant may use. It is an
XML file in UTF-8; comments may stand wherever XML allows them, and commands that edit the file keep them.
Elements may stand in any order.

Numbers carry their unit. A name that does not exist, a number without its unit, a limit of nothing: each is
an error with its line and column, all of them are reported at once, and nothing is applied from a file that has
one. \`bulkhead check\` tells.

A whole policy:`;

const inheritance = `## Who is a tenant, and what it inherits

Every account whose uid lies in a range of \`<tenants>\` is a tenant, and so is every \`<tenant>\`. Root, nobody and
accounts below \`UID_MIN\` of \`/etc/login.defs\` never are.

For each limit by itself, the nearest place that says something decides:

1. the tenant's own element;
2. its package: the one that its element names, else the one that its range names;
3. the package of its reseller;
4. \`<defaults>\`.

A range's package is not used for a tenant whose reseller has one. Where no place says anything, the value in the
column "if not written" below holds. Write only what differs, therefore. \`bulkhead explain TENANT\` shows each limit with its value
and the line that gave it.

The limits written in a \`<reseller>\` are not inherited. They bound the sum of its tenants: each tenant may use up to its
own limit, and all of them together no more than the reseller's.`;

function quantities(): string {
  const rows = Object.entries(quantityNames).map(([kind, name]) => {
    const { form, examples } = quantityKinds[kind as QuantityKind];
    return [name, form, examples.map(code).join(', ')];
  });
  return [
    '## Values',
    table(['kind', 'how it is written', 'examples'], rows),
    '`KiB`, `MiB`, `GiB` and `TiB` are powers of 1024; `kB`, `MB`, `GB` and `TB` are powers of 1000. Case matters. `100%` of CPU is one core kept busy, so a host with 8 cores has `800%`. Where the table of a limit allows it, the word `unlimited` stands in place of a value; it lifts a limit that would be inherited.',
  ].join('\n\n');
}

const quantityNames: Readonly<Record<QuantityKind, string>> = {
  cpu: 'CPU',
  weight: 'weight',
  bytes: 'size',
  bytesPerSecond: 'bytes a second',
  perSecond: 'operations a second',
  count: 'number',
};

function elementOverview(): string {
  const rows = Object.entries(elements).map(([name, spec]) => [
    `[\`<${name}>\`](#${name})`,
    parentsOf(name),
    spec.repeats ? 'any number' : 'once',
    spec.holdsLimits ? 'yes' : '',
  ]);
  return table(['element', 'stands in', 'how often', 'holds limits'], rows);
}

function parentsOf(name: string): string {
  const parents = Object.entries(elements).filter(([, spec]) => spec.children.includes(name));
  return parents.map(([parent]) => code(`<${parent}>`)).join(', ') || 'the file';
}

function elementSection(name: string, spec: ElementSpec): string {
  const rows = Object.entries(spec.attributes).map(([key, attribute]) => [
    code(key),
    valueText(attribute),
    attribute.required ? 'yes' : '',
    attribute.summary,
  ]);
  const parts = [`### ${name}`, spec.summary];
  if (rows.length > 0) parts.push(table(['attribute', 'value', 'needed', 'meaning'], rows));
  const note = elementNotes[name];
  if (note !== undefined) parts.push(note);
  // Of the root element the whole policy above is the example.
  if (name !== 'bulkhead') parts.push('```xml\n' + spec.example + '\n```');
  return parts.join('\n\n');
}

function valueText({ kind }: ElementAttribute): string {
  return typeof kind === 'string' ? valueKinds[kind].form : kind.map(code).join(', ');
}

const elementNotes: Readonly<Record<string, string>> = {
  tenants:
    'Ranges may not overlap, nor reach below `UID_MIN`. Accounts that are made later become tenants when the policy is applied again.',
  reseller:
    "The reseller's own account counts towards its sum if it lies in a range of `<tenants>`. One of `user` and `uid` is needed.",
  tenant:
    'A tenant is written once: either at the top, or inside its reseller. One of `user` and `uid` is needed.',
};

const limitsIntroduction =
  'These elements stand inside `<defaults>`, `<package>`, `<reseller>` and `<tenant>`, each at most once. How the kernel holds them is told in [limits.md](limits.md); what it can hold on your host, `bulkhead doctor` tells.';

function limitSection({ name, summary, attributes }: Limit): string {
  const rows = Object.entries(attributes).map(([key, attribute]) => [
    code(key),
    quantityNames[attribute.kind] + (attribute.unlimited ? ' or `unlimited`' : ''),
    fallbackText(name, key, attribute),
    textMin(attribute),
    attribute.summary,
  ]);
  return [
    `### ${name}`,
    summary,
    table(['attribute', 'value', 'if not written', 'least', 'meaning'], rows),
    reached[name] ?? '',
    '```xml\n' + limitExample(name, attributes) + '\n```',
  ].join('\n\n');
}

/** The swap limit depends on another; what holds is said in words. */
function fallbackText(limit: string, key: string, { kind, fallback }: Attribute): string {
  if (limit === 'memory' && key === 'swap') return 'none, if memory is limited';
  return fallback === 0 ? 'none' : code(printQuantity(kind, fallback));
}

function textMin({ kind, min }: Attribute): string {
  return code(quantityKinds[kind].print(min));
}

function limitExample(name: string, attributes: Limit['attributes']): string {
  const parts = Object.entries(attributes).map(([key, { kind }]) => {
    const [value = ''] = examplesOf[`${name}.${key}`] ?? quantityKinds[kind].examples;
    return ` ${key}="${value}"`;
  });
  return `<${name}${parts.join('')}/>`;
}

/** Where the usual example of the kind makes no sense. */
const examplesOf: Readonly<Record<string, readonly string[]>> = {
  'cpu.burst': ['50%'],
  'memory.limit': ['4GiB'],
  'memory.soft': ['3GiB'],
  'memory.swap': ['512MiB'],
  'disk.space': ['50GiB'],
  'disk.files': ['500000'],
  'entries.limit': ['20'],
};

/** What happens at the limit, as the tenant and the administrator see it. */
export const reached: Readonly<Record<string, string>> = {
  cpu: 'At the limit the processes of the tenant wait for the rest of each tenth of a second; nothing fails, everything takes longer. The weight matters only while the cores are busy: of two tenants that both want more than there is, one with weight 200 gets twice as much as one with weight 100.',
  memory:
    'Page cache counts as memory, since it is the tenant who fills it. At the limit the kernel first takes the cache back; if that is not enough, it ends the process of the tenant that uses most, which a visitor sees as an error of the web server. At the soft limit nothing is ended; allocating becomes slow. Set a soft limit only together with a limit, and not far below it.',
  io: 'Reads and writes above the rate wait; nothing fails. Only what reaches a disk counts: what is read from the page cache is free. Reads and writes, and bytes and operations, are bounded each by itself, and on each disk by itself.',
  processes:
    'Threads count as processes. At the limit nothing new can be started: shells say "Resource temporarily unavailable", web servers answer with an error. What runs goes on. Allow at least 15 more than entries, for shells, cron and mail.',
  entries:
    'Read and kept, and not held yet by this version. No cgroup counts requests; until then, bound them in the web server.',
  disk: 'At the limit writing fails with "Disk quota exceeded"; reading and deleting go on. It counts every file that belongs to the tenant on the file system of its home, wherever it lies there, and needs user quotas on that file system. What already lies above a new limit stays.',
  network: 'Read and kept, and not held yet by this version.',
};

const checks = `## What is refused, and what is warned about

Errors, from which nothing is applied:

- an element, an attribute, a unit, a user or a package that does not exist;
- a number without a unit, below the least value, negative, or larger than any host;
- an element that may stand once and stands twice; a tenant, reseller or package that is there twice;
- a tenant that is root, nobody or a system user, or that is also listed in \`except\`;
- ranges that overlap;
- text outside of attributes, and a document type declaration (\`<!DOCTYPE\`).

Warnings, for what is legal and probably not meant:

- a memory limit below 64MiB;
- a soft memory limit above the limit;
- a burst above the CPU limit;
- fewer processes than entries and 15 more;
- a tenant above its reseller, whose limit then holds.

A file of more than 16 MiB, of more than 500000 elements or with more than 16 levels is refused.`;

const editing = `## Editing it

By hand, with any editor; \`schema/bulkhead.xsd\` lets editors complete and check. Many find it by a line below the first:

\`\`\`xml
<?xml-model href="/path/to/bulkhead.xsd" type="application/xml" schematypens="http://www.w3.org/2001/XMLSchema"?>
\`\`\`

By command, which changes only what it is about, checks the outcome before it writes, and applies it:

\`\`\`console
bulkhead set alice cpu=150% memory=2GiB package=business
bulkhead unset alice cpu
bulkhead defaults set processes=150 io.read=20MiB/s
bulkhead package set business memory.soft=3GiB
bulkhead reseller set acme cpu="4 cores"
\`\`\`

\`cpu=150%\` is short for \`cpu.limit=150%\`, and so for each limit that has an attribute \`limit\`. \`--dry-run\` prints what would change;
\`--no-apply\` writes the file and leaves the kernel alone. Two commands at the same time wait for each other, and a
file that an editor saved meanwhile is not overwritten.

The file must belong to root, must not be writable by others, and must not be a symbolic link. See [security.md](security.md).`;

const code = (text: string) => `\`${text}\``;

/** Columns padded to their widest cell, as prettier would. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows].map((row) => row.map((cell) => cell.replaceAll('|', '\\|')));
  const widths = head.map((_, column) =>
    Math.max(3, ...all.map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  const [first = [], ...rest] = all;
  return [line(first), line(widths.map((width) => '-'.repeat(width))), ...rest.map(line)].join(
    '\n',
  );
}
