/** Incidents in the words of the page's language, made of what the agent's answer says in fields. */
import type { IncidentResponse, IncidentRow, Who } from '../../../agent/api/api.ts';
import { higherValue } from '../../../usage/higher-value.ts';
import { serversPart } from '../../../usage/causes/servers-part.ts';
import type { Resource } from '../../../usage/causes/incident-topics.ts';
import type { QuantityKind } from '../../../../packages/base/quantity.ts';
import { limitWords, numbers } from './language.ts';
import { isRule, shownSeverity } from './incidents.ts';
import { words } from '../member/words.ts';
import { role } from './live.ts';

export const nameOf = (who: Who): string => {
  const name = inOneDirection(who.name);
  return who.kind === 'reseller' ? words.value.incident.allOf(name) : name;
};

/** Replaces characters that turn the direction of the text after them. */
const inOneDirection = (text: string) => text.replaceAll(/[\u202a-\u202e\u2066-\u2069]/g, '\ufffd');

/** Returns what happened, without the time: `alice was slowed down 3,127 times at the CPU limit`. */
export function whatHappened(row: IncidentRow): string {
  const { who, limit, faults } = row;
  const { incident } = words.value;
  const name = nameOf(who);
  const severity = shownSeverity(row);
  if (isRule(row) && severity !== 'throttled')
    return incident.other[severity](name, faults, limitWords(limit));
  const be = incident.be(who.kind === 'reseller');
  return incident.happened[severity](name, be, faults, limitWords(limit));
}

function whenWas({ begin, end }: IncidentRow): string {
  const { incident } = words.value;
  const { moment, sameDay, day, time } = numbers.value;
  if (end - begin < 60_000) return incident.on(moment(begin));
  return sameDay(begin, end)
    ? incident.during(day(begin), time(begin), time(end))
    : incident.between(moment(begin), moment(end));
}

/** Returns the sentences that say what happened, and what came of it. */
export function sentencesOf(row: IncidentResponse): readonly string[] {
  const { incident } = words.value;
  const { value, from, inferred, limit } = row;
  const severity = shownSeverity(row);
  const what = whatHappened(row);
  const opening = row.who.kind === 'reseller' ? capitalized(what) : what;
  return [
    incident.sentence(opening, whenWas(row)),
    ...(isRule(row)
      ? []
      : [
          from === '' || role.value !== 'root'
            ? incident.limitWas(value)
            : incident.limitWasFrom(value, from),
        ]),
    ...sharedText(row),
    severity === 'refused' && limit === 'processes.limit'
      ? incident.processesRefused
      : incident.effects[severity],
    ...(inferred ? [incident.inferred] : []),
  ];
}

/** Returns how programs and database servers shared the CPU limit, if they did. */
function sharedText(row: IncidentResponse): readonly string[] {
  const part = serversPart(row, row.evidence);
  if (part === undefined) return [];
  const { percent } = numbers.value;
  const servers = Math.round(part * 100) / 100;
  return [words.value.incident.shared(percent(servers), percent(1 - servers))];
}

const capitalized = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);

/** Returns an amount of what the resource counts. */
export function amountText(resource: Resource, amount: number): string {
  const { duration, bytes, number } = numbers.value;
  const texts: Readonly<Record<Resource, string>> = {
    cpu: duration(amount),
    memory: bytes(amount),
    read: bytes(amount),
    write: bytes(amount),
    disk: bytes(amount),
    processes: number(amount),
    other: number(amount),
  };
  return words.value.incident.amounts[resource](texts[resource]);
}

/** Returns a higher limit to propose; undefined if there is none. */
export const proposalFor = ({ value }: Pick<IncidentRow, 'value'>) =>
  kinds.map((kind) => higherValue(kind, value)).find((each) => each !== undefined);

/** The kinds of limits that can be hit. No text is a value of two of them. */
const kinds: readonly QuantityKind[] = [
  'cpu',
  'bytes',
  'bytesPerSecond',
  'perSecond',
  'count',
  'duration',
];

/** Returns the incident as text, for a ticket. */
export function textOf(incident: IncidentResponse): string {
  const { title, heaviest, served } = words.value.incident;
  const users = incident.users.map(
    ({ title: user, amount }) => `- ${user}: ${amountText(incident.resource, amount)}`,
  );
  const requests = incident.requests.map(
    ({ method, path, script }) => `- ${method} ${path} (${script})`,
  );
  return [
    title(String(incident.id)),
    ...sentencesOf(incident),
    ...(users.length > 0 ? [`${heaviest}:`, ...users] : []),
    ...(requests.length > 0 ? [`${served}:`, ...requests] : []),
  ].join('\n');
}
