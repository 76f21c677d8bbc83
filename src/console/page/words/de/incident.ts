import { numbersOf } from '../numbers.ts';
import type { Catalogue } from '../words.ts';
import type { incident as english } from '../en/incident.ts';

const { count, number } = numbersOf('de');
const times = (value: number) => (value === 1 ? 'einmal' : `${number(value)}-mal`);

export const incident: Catalogue<typeof english> = {
  title: (id) => `Vorfall ${id}`,
  allOf: (name) => `die Kunden von ${name} zusammen`,
  be: (isSum) => (isSum ? 'wurden' : 'wurde'),
  happened: {
    throttled: (who, be, faults, limit) =>
      `${who} ${be} ${times(faults)} gebremst: Grenze für ${limit}`,
    refused: (who, be, faults, limit) =>
      `${who} ${be} ${times(faults)} abgelehnt: Grenze für ${limit}`,
    killed: (who, _be, _faults, limit) => `Programme wurden beendet (${who}): Grenze für ${limit}`,
    observed: (who, _be, faults, limit) =>
      `${who} lag ${times(faults)} über der nur beobachteten Grenze für ${limit}`,
  },
  other: {
    refused: (who, faults, what) => `${who} wurde ${times(faults)} abgelehnt: ${what}`,
    killed: (who, _faults, what) => `Programme wurden beendet (${who}): ${what}`,
    observed: (who, faults, what) =>
      `${who} wäre ${times(faults)} abgelehnt worden, doch die Richtlinie beobachtet nur: ${what}`,
  },
  on: (moment) => `am ${moment}`,
  during: (day, from, to) => `am ${day} zwischen ${from} und ${to}`,
  between: (from, to) => `zwischen ${from} und ${to}`,
  sentence: (what, when) => `${what}, ${when}.`,
  limitWas: (value) => `Die Grenze war ${value}.`,
  limitWasFrom: (value, from) => `Die Grenze war ${value}, aus ${from}.`,
  shared: (servers, programs) =>
    `Die Arbeit der Datenbankserver zählt mit: Sie hatte im Mittel ${servers} der Grenze, und Programmen blieben ${programs}.`,
  inferred: 'Der Kernel zählt das nicht: es ist aus dem Verbrauch an der Grenze geschlossen.',
  effects: {
    throttled: 'Seiten und Skripte dauerten länger; nichts ist fehlgeschlagen.',
    refused: 'Besucher haben vielleicht einen Fehler gesehen; was lief, lief weiter.',
    killed:
      'Besucher haben vielleicht einen Fehler gesehen, und eine laufende Aufgabe ist vielleicht unvollständig.',
    observed: 'Nichts wurde aufgehalten.',
  },
  processesRefused:
    'Neue Prozesse konnten nicht starten: Besucher haben vielleicht einen Fehler gesehen. Was lief, lief weiter.',
  heaviest: 'Was am meisten brauchte',
  amounts: {
    cpu: (amount) => `${amount} CPU-Zeit`,
    memory: (amount) => amount,
    read: (amount) => `${amount} gelesen`,
    write: (amount) => `${amount} geschrieben`,
    disk: (amount) => `${amount} gelesen und geschrieben`,
    processes: (amount) => `${amount} Threads`,
    other: (amount) => amount,
  },
  processes: (value) => count(value, { one: 'Prozess', other: 'Prozesse' }),
  noUsers: 'Keiner der aufgenommenen Prozesse fällt auf, oder keiner wurde aufgenommen.',
  ended: 'Beendet',
  endedOne: (name, pid) => `${name} (Prozess ${pid})`,
  endedWith: (name, pid, memory) => `${name} (Prozess ${pid}), mit ${memory}`,
  served: 'Was PHP gerade bediente',
  seen: (value) => `${times(value)} gesehen`,
  longest: (time) => `bis zu ${time}`,
  turnedAway: 'Was abgelehnt wurde',
  site: 'Website',
  request: 'Anfrage',
  script: 'Skript',
  client: 'Von',
  whatToDo: 'Was zu tun ist',
  advice: {
    cpu: 'Zuerst ansehen, was am meisten brauchte: ein Skript in einer Schleife, eine Seite, die zwischengespeichert werden könnte, ein Crawler mit zu vielen Anfragen, eine Aufgabe, die nachts laufen könnte.',
    memory:
      'Weniger Prozesse zugleich brauchen weniger Speicher (pm.max_children von php-fpm, die Worker der Anwendung), ebenso Prozesse mit kleinerem Bedarf (memory_limit von PHP).',
    read: 'Nach Sicherungen, Skripten, die alle Dateien durchsuchen, und Datenbankabfragen ohne Index suchen.',
    write:
      'Nach ausführlichen Logs, Sicherungen und Caches oder Sitzungen auf Platte suchen, die jede Anfrage neu schreibt.',
    disk: 'Nach Sicherungen, Skripten, die alle Dateien durchsuchen, und Datenbankabfragen ohne Index suchen.',
    processes:
      'Nach Aufgaben suchen, die sich stauen, weil jede startet, bevor die vorige fertig ist, und nach Workern, die nie enden.',
    other: '',
  },
  raise: 'Wenn mehr nötig ist, die Grenze erhöhen:',
  askForMore: (value) =>
    `Wenn mehr nötig ist: den Administrator dieses Servers um eine höhere Grenze bitten, zum Beispiel ${value}.`,
  looks: 'Aufnahmen der Prozesse',
  looksHint: (amount) => `${amount}; ← → oder klicken`,
  look: (time) => `Aufnahme von ${time}`,
  noLooks: 'Es gibt keine Aufnahme der Prozesse.',
  lookLine: (cpu, memory, processes) => `${cpu} CPU · ${memory} · ${processes}`,
  columns: {
    pid: 'pid',
    program: 'Programm',
    command: 'Befehl',
    cpu: 'CPU seit der vorigen',
    memory: 'Speicher',
    read: 'Gelesen',
    age: 'Alter',
  },
  shownOf: (shown, all) => `${shown} von ${all} Prozessen`,
  inFull: 'Die ganze Erklärung, auf Englisch',
  copyText: 'Text kopieren',
  asPage: 'Als Seite öffnen',
  openTenant: (name) => `Alles von ${name}`,
};
