/**
 * A service, its drop-in, the drop-in that it should have on this host, and whether it is in force.
 */
import type { Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { dropInText, dropInState, type DropInState } from '../core/drop-in.ts';
import { isSandboxInForce } from '../core/in-force.ts';
import { sandboxOf } from '../core/profiles.ts';
import type { Line } from '../core/line.ts';
import { readDropIn } from './drop-in-file.ts';
import { exposureWith } from './exposure.ts';
import { digest, dropInOf, type ConfinePaths, type ConfinedService } from './places.ts';
import { readServiceFacts, type Asked } from './read-facts.ts';
import { readUnit, statusOf, type UnitNow } from './unit.ts';

export interface SurveyedService {
  readonly service: ConfinedService;
  readonly now: UnitNow;
  readonly file: string;
  /** The text of the drop-in, as it is. */
  readonly text: string | undefined;
  readonly state: DropInState;
  /** The text that `confine` would write. */
  readonly wanted: string;
  /** Lines that are left out, since this systemd does not know them. */
  readonly unknown: readonly Line[];
  /** Whether the main process has the sandbox of the file, according to the kernel. */
  readonly inForce: boolean;
}

export async function survey(
  places: ConfinePaths,
  asked: Asked,
  service: ConfinedService,
): Promise<Result<SurveyedService, Problem>> {
  const unit = await readUnit(service);
  if (!unit.ok) return unit;
  const now = unit.value;
  const file = dropInOf(places, service);
  const read = readDropIn(file);
  if (!read.ok) return read;
  const { lines, unknown } = sandboxOf(
    service.name,
    service.profile,
    readServiceFacts(asked, now.mainPid),
  );
  const text = read.value;
  return ok({
    service,
    now,
    file,
    text,
    state: dropInState(text, digest),
    wanted: dropInText(service.name, lines, digest),
    unknown,
    inForce: text !== undefined && isSandboxInForce(text, statusOf(places, now)),
  });
}

export interface Exposures {
  /** The score without our drop-in. */
  readonly before: number | undefined;
  /** The score with the drop-in that exists or, if there is none, that `confine` would write. */
  readonly after: number | undefined;
}

export async function exposuresOf(
  places: ConfinePaths,
  { service, now, text, wanted }: SurveyedService,
  version: number,
): Promise<Exposures> {
  const judge = (drop: string | undefined) =>
    exposureWith(places, service, now, { text: drop, version });
  const [before, after] = await Promise.all([judge(undefined), judge(text ?? wanted)]);
  return { before, after };
}

/** Describes the state in a word or two, for the tables. */
export function formatServiceState({ state, inForce, now }: SurveyedService): string {
  if (state === 'absent') return 'not confined';
  if (state === 'foreign') return 'file of another';
  const edited = state === 'changed' ? ', edited' : '';
  if (now.mainPid === 0) return `confined when it starts${edited}`;
  return inForce ? `confined${edited}` : `after a restart${edited}`;
}
