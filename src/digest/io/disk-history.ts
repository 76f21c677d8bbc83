/**
 * The disk use of tenants, a sample a day, in /var/lib/bulkhead/disk-history.json: the agent's history has no disk
 * space. Only tenants with a quota have samples. A uid that has another account begins anew.
 */
import { decodeText, readBounded } from '../../../packages/base/io/regular-file.ts';
import { replaceStateFile } from '../../../packages/base/io/replace-file.ts';
import { isObject, parseObject } from '../../../packages/base/json.ts';
import type { Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { nodeFinder } from '../../host/disks/file-systems.ts';
import { readQuota, readUsage } from '../../host/disks/quotas.ts';
import type { Paths } from '../../host/paths.ts';
import type { QuotaLimit } from '../../plan/quota.ts';
import type { Policy, Tenant } from '../../policy/policy.ts';
import type { DiskFacts } from '../core/findings.ts';
import { dayMilliseconds, samplesMax, type DiskSample } from '../core/forecast.ts';

export const diskHistoryPath = ({ state }: Pick<Paths, 'state'>): string =>
  `${state}/disk-history.json`;

const kind = 'bulkhead-disk-history';
const version = 1;
const bytesMax = 256 * 2 ** 20;

interface Samples {
  readonly user: string;
  readonly samples: readonly DiskSample[];
}

export type DiskHistory = ReadonlyMap<number, Samples>;

/** Returns the samples; none if the file is missing or damaged, since a forecast can wait some days. */
export function readDiskHistory(paths: Pick<Paths, 'state'>): DiskHistory {
  const read = readBounded(diskHistoryPath(paths), bytesMax, { links: 'refuse' });
  const found = read.ok ? parseObject(decodeText(read.value)) : undefined;
  const members = found?.['kind'] === kind && found['version'] === version ? found['members'] : [];
  if (!Array.isArray(members)) return new Map();
  return new Map(
    members.flatMap((each): [number, Samples][] => {
      if (!isObject(each)) return [];
      const { uid, user, samples } = each;
      return typeof uid === 'number' && typeof user === 'string' && areSamples(samples)
        ? [[uid, { user, samples: samples.slice(-samplesMax) }]]
        : [];
    }),
  );
}

const areSamples = (value: unknown): value is readonly DiskSample[] =>
  Array.isArray(value) &&
  value.every(
    (each) =>
      Array.isArray(each) && each.length === 2 && each.every((part) => Number.isSafeInteger(part)),
  );

function writeDiskHistory(
  paths: Pick<Paths, 'state'>,
  history: DiskHistory,
): Result<void, Problem> {
  const members = [...history].map(([uid, rest]) => ({ uid, ...rest }));
  const text = `${JSON.stringify({ kind, version, members })}\n`;
  return replaceStateFile(diskHistoryPath(paths), text);
}

export type DiskReader = (tenant: Tenant) => Promise<Omit<DiskFacts, 'samples'> | undefined>;

/** Returns what reads the disk of a tenant; nothing for one without a quota. */
export function diskReader(paths: Paths): DiskReader {
  const nodeOf = nodeFinder(paths);
  return async ({ uid, account }) => {
    const node = account && nodeOf(account.home);
    const used = node === undefined ? undefined : await readUsage(node, uid);
    if (node === undefined || used === undefined) return undefined;
    const quota = readQuota(node, uid);
    if (!quota.ok) return undefined;
    const { space, files } = quota.value;
    return { ...used, spaceLimit: limitOf(space), filesLimit: limitOf(files) };
  };
}

const limitOf = ({ hard, soft }: QuotaLimit): number | undefined => hard ?? soft;

/** Adds today's sample of each tenant with a quota, unless it is there; tenants that are gone lose theirs. */
export async function sampleDisks(
  paths: Paths,
  { tenants }: Pick<Policy, 'tenants'>,
  read: DiskReader,
  now: number,
): Promise<Result<DiskHistory, Problem>> {
  const before = readDiskHistory(paths);
  const today = Math.floor(now / dayMilliseconds);
  const after = new Map<number, Samples>();
  for (const tenant of tenants) {
    const user = tenant.account?.user;
    if (user === undefined) continue;
    const known = before.get(tenant.uid);
    const samples = known?.user === user ? known.samples : [];
    const isThere = samples.at(-1)?.[0] === today;
    const facts = isThere ? undefined : await read(tenant);
    const added: readonly DiskSample[] =
      facts?.spaceLimit === undefined ? [] : [[today, facts.spaceBytes]];
    const all = [...samples, ...added].slice(-samplesMax);
    if (all.length > 0) after.set(tenant.uid, { user, samples: all });
  }
  const isSame = JSON.stringify([...before]) === JSON.stringify([...after]);
  const written = isSame ? ok(undefined) : writeDiskHistory(paths, after);
  return written.ok ? ok(after) : written;
}
