/** A service, its drop-in, what that should be on this host, and what is in force. */
import type { Problem } from '../../base/problem.ts';
import { ok, type Result } from '../../base/result.ts';
import { dropInText, stateOf, type DropInState } from '../core/drop-in.ts';
import { isInForce } from '../core/in-force.ts';
import { sandboxOf } from '../core/profiles.ts';
import type { Line } from '../core/line.ts';
import { readDropIn } from './drop-in-file.ts';
import { exposureWith } from './exposure.ts';
import { digest, dropInOf, type Places, type Service } from './places.ts';
import { readFacts, type Asked } from './read-facts.ts';
import { readUnit, statusOf, type UnitNow } from './unit.ts';

export interface Surveyed {
  readonly service: Service;
  readonly now: UnitNow;
  readonly file: string;
  /** Of the drop-in, as it is. */
  readonly text: string | undefined;
  readonly state: DropInState;
  /** What `confine` would write. */
  readonly wanted: string;
  /** Left out, since this systemd does not know them. */
  readonly unknown: readonly Line[];
  /** The kernel has the sandbox of the file for the main process. */
  readonly inForce: boolean;
}

export async function survey(
  places: Places,
  asked: Asked,
  service: Service,
): Promise<Result<Surveyed, Problem>> {
  const unit = await readUnit(service);
  if (!unit.ok) return unit;
  const now = unit.value;
  const file = dropInOf(places, service);
  const read = readDropIn(file);
  if (!read.ok) return read;
  const { lines, unknown } = sandboxOf(
    service.name,
    service.profile,
    readFacts(asked, now.mainPid),
  );
  const text = read.value;
  return ok({
    service,
    now,
    file,
    text,
    state: stateOf(text, digest),
    wanted: dropInText(service.name, lines, digest),
    unknown,
    inForce: text !== undefined && isInForce(text, statusOf(places, now)),
  });
}

export interface Exposures {
  /** Without our drop-in. */
  readonly before: number | undefined;
  /** With the one that is there or, where there is none, that `confine` would write. */
  readonly after: number | undefined;
}

export async function exposuresOf(
  places: Places,
  { service, now, text, wanted }: Surveyed,
  version: number,
): Promise<Exposures> {
  const judge = (drop: string | undefined) =>
    exposureWith(places, service, now, { text: drop, version });
  const [before, after] = await Promise.all([judge(undefined), judge(text ?? wanted)]);
  return { before, after };
}

/** In a word or two, for the tables. */
export function stateText({ state, inForce, now }: Surveyed): string {
  if (state === 'absent') return 'not confined';
  if (state === 'foreign') return 'file of another';
  const edited = state === 'changed' ? ', edited' : '';
  if (now.mainPid === 0) return `confined when it starts${edited}`;
  return inForce ? `confined${edited}` : `after a restart${edited}`;
}
