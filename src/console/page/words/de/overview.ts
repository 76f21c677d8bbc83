import { numbersOf } from '../numbers.ts';
import type { overview as english } from '../en/overview.ts';
import type { Catalogue } from '../words.ts';

const { count, number } = numbersOf('de');

export const overview: Catalogue<typeof english> = {
  allEnforced: 'Alle Grenzen werden durchgesetzt.',
  notAllEnforced: 'Nicht alles wird durchgesetzt.',
  starting: (percent) =>
    percent === undefined ? 'Der Agent startet.' : `Der Agent startet: ${percent} %.`,
  state: (tenants, since) =>
    `${count(tenants, { one: 'Kunde', other: 'Kunden' })}, Richtlinie in Kraft seit ${since}.`,
  outside: (value) =>
    `${count(value, { one: 'Prozess ist', other: 'Prozesse sind' })} außerhalb der eigenen Cgroup.`,
  noneOutside: 'Kein Prozess ist außerhalb seiner Cgroup.',
  drift: (value, time) =>
    value === 0
      ? `Keine Abweichung (${time}).`
      : `${count(value, { one: 'Abweichung', other: 'Abweichungen' })} von der Richtlinie (${time}). Abhilfe: bulkhead apply.`,
  driftUnknown: 'Abweichungen: noch nicht geprüft.',
  cpu: 'CPU aller Kunden',
  memory: 'Speicher aller Kunden',
  ownCpu: 'CPU Ihrer Kunden',
  ownMemory: 'Speicher Ihrer Kunden',
  promised: (times, unlimited) =>
    unlimited === 0
      ? `${number(times, 1)}-mal zugesagt`
      : `${number(times, 1)}-mal zugesagt, ${number(unlimited)} ohne Grenze`,
  atLimit: 'Jetzt an einer Grenze',
  nearLimit: (value) => `${number(value)} weitere über 90 %`,
  incidents: 'Vorfälle, 24 h',
  latest: (name, limit, time) => `zuletzt: ${name}, ${limit}, ${time}`,
  noIncidents: 'keine',
  ended: (value) => `${number(value)} beendet`,
  refused: (value) => `${number(value)} abgelehnt`,
  slowed: (value) => `${number(value)} gebremst`,
  nobodyAtLimit: 'Kein Kunde hat in der letzten Minute eine Grenze erreicht.',
  worst: 'Das Schlimmste der letzten 24 Stunden',
  nothingHappened: 'In den letzten 24 Stunden wurde keine Grenze erreicht.',
  allTenants: 'Alle Kunden nach Verbrauch',
  allIncidents: 'Alle Vorfälle',
  changes: 'Letzte Änderungen der Richtlinie',
  allChanges: 'Alle Änderungen',
  byHand: 'im Editor',
};
