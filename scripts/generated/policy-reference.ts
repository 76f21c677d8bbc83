/** The reference page of the policy language, generated from its tables: `docs/policy.md`. */
import { limits } from '../../src/limits/limits.ts';
import type { Attribute, Limit } from '../../src/limits/limit.ts';
import { valueKinds } from '../../src/policy/value-kinds.ts';
import { formatQuantity, quantityKinds, type QuantityKind } from '../../packages/base/quantity.ts';
import { elements, type ElementAttribute, type ElementSpec } from '../../src/policy/vocabulary.ts';

/** A complete policy; the schema, the parser and the page share it. */
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

const introduction = `<!-- Generated from the tables in src/ by "npm run generate"; change it there. -->

# The policy

A host has one policy, \`/etc/bulkhead/policy.xml\`. It defines who is a tenant and what each tenant may use. It is an
XML file in UTF-8; comments are allowed wherever XML allows them, and commands that edit the file keep them.
Elements may be in any order.

Numbers have units. A name that does not exist, a number without a unit, an element without limits: each is
an error with its line and column. All errors are reported at once, and a file with errors is not applied.
\`bulkhead check\` reports them.

A complete policy:`;

const inheritance = `## Who is a tenant, and what it inherits

Every account with a uid in a range of \`<tenants>\` is a tenant, and so is every \`<tenant>\`. Root, nobody and
accounts below \`UID_MIN\` of \`/etc/login.defs\` never are.

Each limit is taken from the first of these that sets it:

1. the tenant's own element;
2. its package: the one named in its element, otherwise the one named in its range;
3. the package of its reseller;
4. \`<defaults>\`.

A range's package is not used for a tenant whose reseller has one. If none of them sets a limit, the default in the
tables below applies. So write only what differs. \`bulkhead explain TENANT\` shows each limit with its value
and the line that set it.

The limits in a \`<reseller>\` are not inherited. They apply to the sum of its tenants: each tenant may use up to its
own limit, and all of them together no more than the reseller's.`;

function quantities(): string {
  const rows = Object.entries(quantityNames).map(([kind, name]) => {
    const { form, examples } = quantityKinds[kind as QuantityKind];
    return [name, form, examples.map(code).join(', ')];
  });
  return [
    '## Values',
    table(['kind', 'format', 'examples'], rows),
    '`KiB`, `MiB`, `GiB` and `TiB` are powers of 1024; `kB`, `MB`, `GB` and `TB` are powers of 1000. Case matters. `100%` of CPU is one core kept busy, so a host with 8 cores has `800%`. If the table of a limit allows it, `unlimited` may be written instead of a value; it removes a limit that would be inherited.',
  ].join('\n\n');
}

const quantityNames: Readonly<Record<QuantityKind, string>> = {
  cpu: 'CPU',
  weight: 'weight',
  bytes: 'size',
  bytesPerSecond: 'bytes per second',
  perSecond: 'operations per second',
  count: 'number',
  duration: 'time',
};

function elementOverview(): string {
  const rows = Object.entries(elements).map(([name, spec]) => [
    `[\`<${name}>\`](#${name})`,
    parentsOf(name),
    spec.repeats ? 'any number' : 'once',
    spec.holdsLimits ? 'yes' : '',
  ]);
  return table(['element', 'parent', 'occurs', 'takes limits'], rows);
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
  if (rows.length > 0) parts.push(table(['attribute', 'value', 'required', 'meaning'], rows));
  const note = elementNotes[name];
  if (note !== undefined) parts.push(note);
  // The complete policy above is the example of the root element.
  if (name !== 'bulkhead') parts.push('```xml\n' + spec.example + '\n```');
  return parts.join('\n\n');
}

function valueText({ kind }: ElementAttribute): string {
  return typeof kind === 'string' ? valueKinds[kind].form : kind.map(code).join(', ');
}

const elementNotes: Readonly<Record<string, string>> = {
  tenants:
    'Ranges must not overlap or include uids below `UID_MIN`. Accounts created later become tenants when the policy is applied again.',
  reseller:
    "The reseller's own account counts towards its sum if it is in a range of `<tenants>`. One of `user` and `uid` is required.",
  reach:
    'This host itself is always reached, except the ports of other tenants. `<host limits="observe"/>` changes nothing here; `mode="watch"` does. [network.md](network.md#policy) shows how rules are decided.',
  listen:
    'Two tenants cannot have one port: `<tenant user="alice"><listen ports="7001-7010" public="yes"/></tenant>`.',
  tenant:
    'A tenant is listed once: either at the top level, or inside its reseller. One of `user` and `uid` is required.',
};

const limitsIntroduction =
  'These elements are children of `<defaults>`, `<package>`, `<reseller>` and `<tenant>`, each at most once. [limits.md](limits.md) describes how the kernel enforces them; `bulkhead doctor` shows what it can enforce on your host.';

function limitSection({ name, summary, attributes, words = {} }: Limit): string {
  const rows = Object.entries(attributes).map(([key, attribute]) => [
    code(key),
    quantityNames[attribute.kind] + (attribute.unlimited ? ' or `unlimited`' : ''),
    fallbackText(name, key, attribute),
    textMin(attribute),
    attribute.summary,
  ]);
  const others = Object.entries(words).map(([key, each]) => [
    code(key),
    each.words.map(code).join(', '),
    code(each.words[0] ?? ''),
    '',
    each.summary,
  ]);
  return [
    `### ${name}`,
    summary,
    table(['attribute', 'value', 'default', 'minimum', 'meaning'], [...rows, ...others]),
    reached[name] ?? '',
    '```xml\n' + limitExample(name, attributes) + '\n```',
  ].join('\n\n');
}

/** Returns the default in words; the default of the swap limit depends on another limit. */
function fallbackText(limit: string, key: string, { kind, fallback }: Attribute): string {
  if (limit === 'memory' && key === 'swap') return 'none, if memory is limited';
  return fallback === 0 ? 'none' : code(formatQuantity(kind, fallback));
}

function textMin({ kind, min }: Attribute): string {
  return code(quantityKinds[kind].format(min));
}

function limitExample(name: string, attributes: Limit['attributes']): string {
  const parts = Object.entries(attributes).map(([key, { kind }]) => {
    const [value = ''] = examplesOf[`${name}.${key}`] ?? quantityKinds[kind].examples;
    return ` ${key}="${value}"`;
  });
  return `<${name}${parts.join('')}/>`;
}

/** Examples for limits that the example of their kind does not fit. */
const examplesOf: Readonly<Record<string, readonly string[]>> = {
  'cpu.burst': ['50%'],
  'memory.limit': ['4GiB'],
  'memory.soft': ['3GiB'],
  'memory.swap': ['512MiB'],
  'memory.guaranteed': ['1GiB'],
  'disk.space': ['50GiB'],
  'disk.files': ['500000'],
  'entries.limit': ['20'],
  'network.connections': ['50/s'],
  'database.cpu': ['50%'],
  'database.connections': ['20'],
  'database.transaction': ['5min'],
};

/** The effect of reaching a limit, as tenant and administrator see it. */
export const reached: Readonly<Record<string, string>> = {
  cpu: 'At the limit the processes of the tenant wait for the rest of each tenth of a second; nothing fails, everything takes longer. The weight matters only while the cores are busy: of two tenants that compete for them, one with weight 200 gets twice as much as one with weight 100.',
  memory:
    'Page cache counts as memory, since the tenant fills it. At the limit the kernel first reclaims page cache; if that is not enough, it kills the process of the tenant that uses the most memory, which a visitor sees as an error from the web server. At the soft limit nothing is killed; allocation becomes slow. Set a soft limit only together with a limit, and not far below it. The guaranteed memory is not a limit: [limits.md](limits.md#guarantee-memory).',
  io: 'Reads and writes above the rate wait; nothing fails. Only I/O that reaches a disk counts: reads from the page cache are free. Reads and writes, bytes and operations, are limited separately, and on each disk separately.',
  processes:
    'Threads count as processes. At the limit nothing new can be started: shells print "Resource temporarily unavailable", web servers respond with an error. Running processes continue. Allow at least 15 more than entries, for shells, cron and mail.',
  entries:
    "Enforced by the web servers, since no cgroup counts requests: [entries.md](entries.md). A visitor above it gets the status 508 and a page that explains it. A site can have its own number within the tenant's. A reseller's number is for all its tenants together.",
  disk: 'At the limit writing fails with "Disk quota exceeded"; reading and deleting still work. Every file that the tenant owns on the file system of its home directory counts, wherever it is on that file system, which needs user quotas. Existing files above a new limit stay.',
  network:
    'Enforced by BPF programs, by the uid that owns the socket, since no cgroup limits traffic: [network.md](network.md). Packets sent above the rate wait; packets received above it are acknowledged later, and dropped if that does not help. A connection above the number is refused. Pages that a web server sends are its own traffic, not that of a tenant. Sites have no such limits. Versions that did not enforce it allowed rates from 1KiB/s on: in a policy they are read as 16KiB/s, with a warning.',
  database:
    "Enforced by the agent and the database servers, since no cgroup divides a server's work: [database.md](database.md). Until one of these is set, no server is asked anything. Above the CPU limit the tenant's own processes are paused, for at most a second at a time; the server's threads are never slowed down. A new connection above the number is refused. Sites have no such limits: an account of a database server belongs to a tenant.",
};

const checks = `## Errors and warnings

A policy with one of these errors is not applied:

- an element, an attribute, a unit, a user or a package that does not exist;
- a number without a unit, below the minimum, negative, or larger than any host;
- guaranteed memory above the memory limit;
- an element that may occur only once and occurs twice; a tenant, reseller or package that is listed twice;
- a tenant that is root, nobody or a system user, or that is also listed in \`except\`;
- ranges that overlap;
- an address with bits beyond its prefix, port 0, a port that is kept for two tenants, the name of a host in place of an
  address;
- text outside attributes, and a document type declaration (\`<!DOCTYPE\`).

Warnings, for what is valid but probably not intended:

- a memory limit below 64MiB;
- a soft memory limit above the limit;
- guarantees that add up to more than the reseller's, the tenant's or the host's memory;
- a burst above the CPU limit;
- fewer processes than entries + 15;
- a tenant limit above its reseller's, which then applies;
- a network rate below 16KiB/s, which is then 16KiB/s; \`<network>\` in a site, which has no effect.

A file of more than 16 MiB, with more than 500000 elements or more than 16 levels is refused.`;

const editing = `## Editing it

You can edit the policy by hand, with any editor. \`schema/bulkhead.xsd\` gives editors completion and validation. Many editors find it by a second line such as:

\`\`\`xml
<?xml-model href="/path/to/bulkhead.xsd" type="application/xml" schematypens="http://www.w3.org/2001/XMLSchema"?>
\`\`\`

Commands change only what you name, check the result before they write it, and apply it:

\`\`\`console
bulkhead set alice cpu=150% memory=2GiB package=business
bulkhead unset alice cpu
bulkhead defaults set processes=150 io.read=20MiB/s
bulkhead package set business memory.soft=3GiB
bulkhead reseller set acme cpu="4 cores"
\`\`\`

\`cpu=150%\` is short for \`cpu.limit=150%\`, and likewise for each limit with an attribute \`limit\`. \`--dry-run\` prints what would change;
\`--no-apply\` writes the file without applying it. Concurrent commands wait for each other, and a
file that an editor saved meanwhile is not overwritten.

The file must belong to root, must not be writable by others, and must not be a symbolic link. See [security.md](security.md).`;

const code = (text: string) => `\`${text}\``;

/** Formats a table with columns padded to their widest cell, like the formatter's. */
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
