/** Runs the command of a step that only reports. */
import { setTimeout as wait } from 'node:timers/promises';
import { formatProblem } from '../../../packages/base/problem.ts';
import type { Paths } from '../../host/paths.ts';
import type { Report, ReportResult } from '../core/reports.ts';
import type { Words } from '../core/words.ts';
import { runForOutput } from './run-command.ts';

/** An agent reads a new policy within seconds. */
const tries = 10;
const pauseMs = 1_000;

/** Returns the result. Why there is none is a result, too. */
export async function runReport(
  { read }: Pick<Report, 'read'>,
  words: Words,
  paths: Pick<Paths, 'instance'>,
): Promise<ReportResult> {
  let said = '';
  for (let left = tries; left > 0; left--) {
    const ran = await runForOutput(words, paths);
    if (!ran.ok) return { isGood: false, text: formatProblem(ran.error) };
    const result = read(parsed(ran.value.stdout));
    if (result !== undefined) return result;
    said = ran.value.said;
    if (ran.value.status !== 0) break;
    if (left > 1) await wait(pauseMs);
  }
  return { isGood: false, text: said === '' ? 'it could not be tried: no result' : said };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
