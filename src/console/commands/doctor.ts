/** Reports the console in `doctor`: whether browsers can reach it, and what of the policy is not in force. */
import { formatProblem } from '../../../packages/base/problem.ts';
import type { DoctorReport } from '../../cli/doctor-report.ts';
import { consoleSocketOf, type Paths } from '../../host/paths.ts';
import type { EntryPathContext } from '../../host/entry-paths/entry-paths.ts';
import type { ConsoleSettings } from '../../policy/elements/console-settings.ts';
import { listensAt } from '../core/addresses.ts';
import { readCertificate } from '../io/certificate.ts';
import { isCurrent } from '../io/console-units.ts';
import { isListening } from '../io/listening.ts';

export function consoleDoctor({
  paths,
  policy,
}: EntryPathContext): Promise<DoctorReport | undefined> {
  const settings = policy?.console;
  const isOn = isListening(paths);
  if (!isOn && settings === undefined) return Promise.resolve(undefined);
  const network = isOn && isCurrent(paths, settings) ? listensAt(settings) : [];
  return Promise.resolve({
    label: 'Console',
    text: isOn
      ? `on ${[consoleSocketOf(paths), ...network].join(', ')}`
      : 'off; enable it: bulkhead console enable',
    remarks: isOn ? settingsProblems(paths, settings) : [],
  });
}

/** Returns what of `<console>` is not in force, though the console is. */
export function settingsProblems(
  paths: Paths,
  settings: ConsoleSettings | undefined,
): readonly string[] {
  const moved = isCurrent(paths, settings)
    ? []
    : ['The console does not listen where the policy says: run bulkhead console enable'];
  const read = settings?.tls && readCertificate(settings.tls);
  return read?.ok === false ? [...moved, formatProblem(read.error)] : moved;
}
