import type { change as english } from '../en/change.ts';
import type { Catalogue } from '../words.ts';

export const change: Catalogue<typeof english> = {
  somebody: 'unbekannt',
  loginBy: (user, by) => `${user}, angemeldet von ${by}`,
  ways: {
    console: 'in der Konsole',
    command: 'auf der Kommandozeile',
    hand: 'im Editor',
    itself: 'von selbst, weil niemand sie behielt',
  },
  kinds: { added: 'hinzugefügt', removed: 'entfernt', order: 'in anderer Reihenfolge' },
  valuesUnknown: 'Welche Werte sich änderten, ist nicht bekannt.',
};
