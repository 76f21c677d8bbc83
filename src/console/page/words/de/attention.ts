import type { attention as english } from '../en/attention.ts';
import { numbersOf } from '../numbers.ts';
import type { Catalogue } from '../words.ts';

const { count } = numbersOf('de');

export const attention: Catalogue<typeof english> = {
  title: 'Was Aufmerksamkeit braucht',
  policyProblems: {
    'in force': 'Die Richtlinie ist in Kraft, mit Warnungen.',
    refused: 'Die Datei der Richtlinie ist nicht in Kraft. Die vorige bleibt in Kraft.',
    failed: 'Die Richtlinie konnte nicht vollständig angewendet werden.',
    absent: 'Es gibt keine Richtlinie.',
  },
  notGoingBack: 'Änderungen der Richtlinie, die von selbst zurückgehen sollten, bleiben in Kraft.',
  placementOff: 'Der Kernel meldet hier keine neuen Prozesse. Der Agent sucht sie bei jedem Takt.',
  historyOff: 'Es werden keine Messwerte aufbewahrt.',
  unknownOutside: 'Vielleicht sind mehr Prozesse außerhalb.',
  process: (pid, uid) => `Prozess ${pid} von uid ${uid}`,
  notEnforced: (limit, tenants) =>
    `Die Grenze für ${limit} wird hier nicht durchgesetzt. ${count(tenants, { one: 'Kunde hat', other: 'Kunden haben' })} sie.`,
  partly: (limit, tenants) =>
    `Die Grenze für ${limit} wird nur teilweise durchgesetzt. ${count(tenants, { one: 'Kunde hat', other: 'Kunden haben' })} sie.`,
  reasons: (value) => count(value, { one: 'Grund', other: 'Gründe' }),
};
