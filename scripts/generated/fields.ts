/**
 * Facts about the fields of JSON values that follow from their names, so that no type has to repeat them: which numbers
 * are integers, and what a field means that has no doc comment.
 */
import { metricWords } from '../../src/usage/chart/metric-words.ts';
import { metricKeys } from '../../src/usage/metrics.ts';

/** Fields whose numbers are ids, positions, counts or bytes; with the type's name if other types have fractions. */
const integers: ReadonlySet<string> = new Set(
  `uid uids id pid parent port owner targetOwner namespace trusted targets tenant KeptStrictEvent.from KeptStrictEvent.to
   line column offset errno kernelTaint kernelTaintUnlessTrusted systemd
   bytes memoryBytes cacheBytes readBytes writeBytes spaceBytes
   accepted built childrenMax cores denied dropped entries events faults files followed forksRefused found
   furtherDifferences homes hostMounts idle inMakefile inModule inside kept killed left links listed load logins
   masters mastersInside memoryHits migrated modules modulesAsked mounts namespaces namespacesMax noMemory notEnforced
   oomKills others outside overruns problems processCount processes reads references refuse refused rejected
   relocations resellers restarts same sections slices snapshots spdx stale tainting taintingUnlessTrusted tenants
   threads throttledPeriods ticks tooDeep total trustLevels undecided unlimitedTenants unreported watched workers
   workersInside writes Bound.limit EntriesSite.limit reported LayerCounts.enforced LayerCounts.partly
   LayerCounts.open LayerCounts.unavailable LayerCounts.unknown
   ended expiresInSeconds idleSecondsLeft secondsLeft ConsoleSessionResponse.startedAt ConsoleStatusJson.sessions`.split(
    /\s+/,
  ),
);

/** Records of averages and rates, whatever their keys are. */
const ofFractions: ReadonlySet<string | undefined> = new Set([
  'Usage',
  'usage',
  'metrics',
  'series',
]);

/** The type, and the fields that lead to a field in it: `['JailsApart', 'refused', 'process']`. */
export type Path = readonly string[];

/** Whether the numbers of a field are integers: by its own name, or as a key of a record of integers. */
export function isInteger(path: Path): boolean {
  const [type = '', ...fields] = path;
  const [parent, field = ''] = [fields.at(-2), fields.at(-1)];
  if (ofFractions.has(parent ?? type)) return false;
  if (parent !== undefined && parent in byKey) return true;
  return integers.has(field) || integers.has(`${type}.${field}`);
}

/** Descriptions of fields, by their names. */
const byName: Readonly<Record<string, string>> = {
  access: 'Whether programs inside may only read it, or also write.',
  address: 'The address; absent if a variable names it.',
  all: 'The value for all of them together.',
  by: 'The kind of setting that names it.',
  column: 'The column in the line, counted from 1.',
  command: 'The name of the program.',
  dryRun: 'Whether nothing was changed, because of `--dry-run`.',
  file: 'The path of the file.',
  host: 'The host name or IP address.',
  item: 'The name for people.',
  kind: 'The kind, on which the other fields depend.',
  label: 'The tenant, site or reseller, for people.',
  line: 'The line in the file, counted from 1.',
  listen: 'The socket or address.',
  message: 'A sentence for people.',
  notes: 'Notes for people.',
  path: 'The path.',
  pid: 'The process id.',
  port: 'The TCP port.',
  problem: 'The reason for the failure.',
  problems: 'Failures; empty if there are none.',
  reason: 'The reason, for people.',
  text: 'The description for people.',
  uid: 'The uid of the account.',
  user: 'The account.',
  verdict: 'The judgement.',
  version: 'The version of this format.',
};

/** Keys of records, by the name of the field that has the record. */
const byKey: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  Usage: metricSummaries(),
  usage: metricSummaries(),
  metrics: metricSummaries(),
  series: metricSummaries(),
  found: {
    high: 'Findings of high severity.',
    medium: 'Findings of medium severity.',
    low: 'Findings of low severity.',
  },
  trustLevels: {
    reproduced: 'Modules that a rebuild from the offered source reproduces.',
    signed: 'Modules that a known key signed.',
    consistent: 'Modules that the offered source matches.',
    unsupported: 'Modules that nothing contradicts or supports.',
    contradicted: 'Modules with at least one refuted claim.',
  },
  refused: {
    process: 'Attempts to look into a process.',
    socket: 'Attempts to connect to an abstract socket.',
    descriptor: 'Attempts to pass a file or directory in or out.',
    namespace: 'Attempts to make a user namespace.',
    program: 'Attempts to start a program outside the jail.',
  },
  uids: {
    attacker: 'The tenant that runs the attacks.',
    neighbour: 'The tenant that is attacked.',
    control: 'The tenant with limits that the attacks do not reach.',
    server: 'A user that reads files for others, as a web server does; not a tenant.',
  },
};

function metricSummaries(): Readonly<Record<string, string>> {
  return Object.fromEntries(metricKeys.map((key) => [key, metricWords[key].summary]));
}

/** Returns the description of a field without a doc comment, if its name has one. */
export function descriptionOf(path: Path): string | undefined {
  const [parent = '', field = ''] = path.slice(-2);
  return byKey[parent]?.[field] ?? byName[field];
}
