/**
 * Finds who can change what is at a path: the owner of it, of a directory above it, or of a link on the way. A
 * tenant's own FUSE mount belongs to whoever mounted it; it is not touched, since its program may never answer.
 */
import { lstatSync, type Stats } from 'node:fs';
import type { PathOwners } from '../core/facts.ts';
import { linkAt } from '../../../packages/base/io/read.ts';
import { readMounts, servedByProgram, type Mount } from '../../sys/files/mounts.ts';

/** A directory, link or file on the way to a path, or the path itself. */
export interface PathStep {
  readonly kind: 'directory' | 'link' | 'mount' | 'other';
  readonly uid: number;
  readonly writableByOthers: boolean;
}

/**
 * The steps from `/` on; undefined where nothing is there. A tenant's mount ends them. A step is looked at when it is
 * taken, so whoever stops at a tenant's directory touches nothing in it.
 */
type PathSteps = Iterable<PathStep | undefined>;

/** Returns a reader that looks at each path once: a thousand sites are below the same few directories. */
export function pathStepsReader(): (path: string) => PathSteps {
  const mounters = new Map(readMounts({ proc: '/proc' }).map(mounterOf));
  const known = new Map<string, PathStep | undefined>();
  const stepAt = (path: string): PathStep | undefined => {
    if (!known.has(path)) known.set(path, readStep(path, mounters.get(path)));
    return known.get(path);
  };
  return (path) => stepsTo(path, stepAt);
}

export function pathOwnersReader(
  stepsOf = pathStepsReader(),
): (path: string) => PathOwners | undefined {
  return (path) => {
    const steps: PathStep[] = [];
    for (const step of stepsOf(path)) {
      if (step === undefined) return undefined;
      steps.push(step);
    }
    return {
      uids: steps.map(({ uid }) => uid),
      writableByOthers: steps.some((each) => each.writableByOthers),
    };
  };
}

/** Returns the account that mounted a FUSE file system; undefined for root and for all others. */
function mounterOf({ mountPoint, type, superOptions }: Mount): [string, number | undefined] {
  const option = superOptions.find((each) => each.startsWith('user_id='));
  const uid = Number(option?.slice('user_id='.length) ?? 0);
  return [mountPoint, servedByProgram.test(type) && uid !== 0 ? uid : undefined];
}

function readStep(path: string, mounter: number | undefined): PathStep | undefined {
  if (mounter !== undefined) return { kind: 'mount', uid: mounter, writableByOthers: false };
  const stat = readStat(path);
  return stat && { kind: kindOf(stat), uid: stat.uid, writableByOthers: canBeWritten(stat) };
}

function kindOf(stat: Stats): PathStep['kind'] {
  if (stat.isDirectory()) return 'directory';
  return stat.isSymbolicLink() ? 'link' : 'other';
}

function readStat(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

/** The kernel follows no more. Source: path_resolution(7). */
const linksMax = 40;

/**
 * Takes every step that the kernel takes: `/`, `/home`, `/home/alice`. A link leads through the directories above its
 * target, also if that is a link itself and ends elsewhere.
 */
function* stepsTo(
  path: string,
  stepAt: (path: string) => PathStep | undefined,
): Generator<PathStep | undefined, void, void> {
  yield stepAt('/');
  const waiting = path.split('/').toReversed();
  let at = '';
  let links = 0;
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    if (name === '' || name === '.') continue;
    if (name === '..') {
      at = at.slice(0, Math.max(0, at.lastIndexOf('/')));
      continue;
    }
    const next = `${at}/${name}`;
    const step = stepAt(next);
    const isEndless = step?.kind === 'link' && links++ === linksMax;
    yield isEndless ? undefined : step;
    if (step === undefined || isEndless || step.kind === 'mount') return;
    if (step.kind !== 'link') {
      at = next;
      continue;
    }
    const target = linkAt(next);
    if (target.startsWith('/')) at = '';
    waiting.push(...target.split('/').toReversed());
  }
}

/**
 * Whether others can write to it. A sticky directory protects others' files in it, and a link has no mode of its
 * own.
 */
function canBeWritten(stat: Stats): boolean {
  if (stat.isSymbolicLink() || (stat.isDirectory() && (stat.mode & 0o1000) !== 0)) return false;
  return (stat.mode & 0o002) !== 0 || ((stat.mode & 0o020) !== 0 && stat.gid !== 0);
}
