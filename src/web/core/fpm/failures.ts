/** Present failures of tenants' PHP-FPM services, for `doctor`. The agent reports each one once. */
import type { Alarm } from '../../../agent/part.ts';
import { listSome } from '../../../../packages/base/list.ts';
import { printable } from '../../../../packages/base/printable.ts';
import { distributionUnit } from '../../../layouts/layouts.ts';

export type FpmFailure =
  /** The last division changed nothing. */
  | { readonly kind: 'division'; readonly php: string; readonly reason: string }
  /** A tenant's pools are not as its files say. */
  | {
      readonly kind: 'refused';
      readonly php: string;
      readonly user: string;
      readonly reason: string;
    }
  /** systemd lists a unit as failed. */
  | {
      readonly kind: 'unit';
      readonly php: string;
      readonly user: string;
      readonly unit: string;
    };

/** Returns a key that is the same while a failure lasts, even if its reason is worded differently. */
const keyOf = (failure: FpmFailure): string =>
  failure.kind === 'division'
    ? `PHP-FPM ${failure.php}`
    : `PHP-FPM ${failure.php} ${failure.kind === 'unit' ? failure.unit : failure.user}`;

/** Returns a clause that describes the failure. */
export function failureText(failure: FpmFailure): string {
  switch (failure.kind) {
    case 'division':
      return `the pools of PHP ${failure.php} could not be divided: ${failure.reason}`;
    case 'refused':
      return `the pools of ${failure.user} (PHP ${failure.php}) are not as their files say: ${failure.reason}`;
    case 'unit':
      return `${failure.unit} of ${failure.user} failed; see journalctl -u ${failure.unit}`;
  }
}

/** The number of alarms at once. Further failures are only counted. */
const alarmsMax = 20;

/**
 * Reports each failure once, when two checks in a row find it: during a single check, a command may be between two
 * steps.
 */
export class FailureAlarms {
  #before: ReadonlySet<string> = new Set();
  #told: ReadonlySet<string> = new Set();

  take(failures: readonly FpmFailure[]): readonly Alarm[] {
    const now = new Set(failures.map(keyOf));
    const lasting = failures.filter((each) => this.#before.has(keyOf(each)));
    const fresh = lasting.filter((each) => !this.#told.has(keyOf(each)));
    this.#told = new Set([...this.#told, ...fresh.map(keyOf)].filter((each) => now.has(each)));
    this.#before = now;
    const rest = fresh.slice(alarmsMax);
    return [
      ...fresh.slice(0, alarmsMax).map(alarmOf),
      ...(rest.length === 0 ? [] : [others(rest)]),
    ];
  }
}

const alarmOf = (failure: FpmFailure): Alarm => ({
  about: printable(keyOf(failure)),
  title: printable(titleOf(failure)),
  text: printable(`${capital(failureText(failure))}. ${adviceOf(failure)}`),
});

function titleOf(failure: FpmFailure): string {
  switch (failure.kind) {
    case 'division':
      return `the pools of PHP ${failure.php} could not be divided`;
    case 'refused':
      return `the PHP ${failure.php} pools of ${failure.user} are not as their files say`;
    case 'unit':
      return `a PHP ${failure.php} service of ${failure.user} failed`;
  }
}

function adviceOf({ kind, php }: FpmFailure): string {
  const reload = `then run: systemctl reload ${distributionUnit(php)}`;
  switch (kind) {
    case 'division':
      return `New pools stay with ${distributionUnit(php)}, and changes of pool files may not be in force. See bulkhead web fpm status; ${reload}`;
    case 'refused':
      return `What was in force stays so, or nobody serves them. Repair the files; ${reload}`;
    case 'unit':
      return 'Requests wait, or get an error, until it starts.';
  }
}

function others(failures: readonly FpmFailure[]): Alarm {
  const texts = failures.map((each) => titleOf(each));
  return {
    about: 'PHP-FPM of others',
    title: `PHP-FPM failed for ${failures.length} more tenants`,
    text: printable(`${listSome(texts)}. See bulkhead web fpm status.`),
  };
}

const capital = (text: string) => text.slice(0, 1).toUpperCase() + text.slice(1);
