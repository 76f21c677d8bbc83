/** The reasons why a limit is not enforced, or not fully, and advice. */
import type { helpTexts, weaknessTexts } from '../../../../limits/support.ts';
import type { Catalogue } from '../words.ts';

export const reasons: Catalogue<typeof weaknessTexts> = {
  'no controller': (controller) =>
    `der Controller ${controller} steht Bulkhead nicht zur Verfügung`,
  'no kernel file': (file) => `dieser Kernel hat kein ${file}`,
  'no disk': () =>
    'kein eingehängtes Dateisystem liegt auf einem Datenträger, den der Kernel drosseln kann',
  'disks apart': (count) =>
    `jeder der ${count} Datenträger wird für sich begrenzt, nicht ihre Summe`,
  'sum by the agent': () =>
    'der Kernel kann keine Summe begrenzen; der Agent passt seine Grenzen bei jeder Messung an',
  'sum without the agent': (parts) =>
    `der Kernel kann keine Summe begrenzen, und kein Agent läuft, der seine Grenzen anpasst: jede Richtung jedes Datenträgers bekommt 1/${parts} davon`,
  'buffered writes': (places) =>
    `gepuffertes Schreiben auf ${places} wird dem Kunden nicht angerechnet`,
  'writes through the cache': () =>
    'cgroup v1 drosselt direktes und synchrones Schreiben, nicht das Schreiben durch den Seitencache',
  'no sums': () =>
    'unter cgroup v1 ist die Summe der Kunden eines Resellers oder der Sites eines Kunden nicht begrenzt',
  'guarantee spent once': () =>
    'der Multi-Gen-LRU des Kernels lässt garantierten Speicher einmal aus und nimmt ihn beim zweiten Versuch',
  'guarantee not passed on': () =>
    'das Cgroup-Dateisystem ist ohne memory_recursiveprot eingehängt: der Kernel schützt die Cgroups in einem Kunden nicht, also seine Sites und unter systemd seine Anmeldungen und Dienste',
  'soft if the host is short': () =>
    'cgroup v1 gibt nur dann Speicher bis zur weichen Grenze frei, wenn er auf dem ganzen Host knapp ist',
  'no guarantee': () =>
    'cgroup v1 kann Speicher nicht vor dem Freigeben schützen; seine weiche Grenze bestimmt nur, welche Cgroups zuerst Speicher verlieren',
  'no swap accounting': () => 'dieser Kernel zählt Swap nicht je Cgroup',
  'no block device': () => 'kein Dateisystem hat ein Blockgerät',
  'no user quotas': (places) => `keine Benutzerquotas auf ${places}`,
  'web servers': () =>
    'die Webserver setzen es durch, nicht der Kernel, und nur die, in denen es eingeschaltet ist',
  'database clients paused': () =>
    'der Agent setzt es durch, über einige Sekunden, für Clients auf diesem Host',
  'database accounts': () => 'die Server setzen es durch, für jedes Konto',
  'a second late': () => 'der Agent setzt es durch, bis zu einer Sekunde später',
  'enabled servers': () => 'nur auf Servern, in denen es eingeschaltet ist',
  'network programs': () => 'BPF-Programme setzen es durch, wo sie geladen sind',
  'roughly without fq': () => 'nur ungefähr auf Geräten, die nicht die Warteschlange fq haben',
  'has used the line': () =>
    'was ungefragt ankommt, hat die Leitung schon benutzt, bevor es verworfen wird',
  'only below resellers': () =>
    'systemd hat keine Einstellung dafür: es wirkt nur bei Kunden von Resellern',
};

export const helps: Catalogue<typeof helpTexts> = {
  run: (command) => `Abhilfe: „${command}“ ausführen`,
  'run on Linux 5.7': (command) => `Abhilfe ab Linux 5.7: „${command}“ ausführen`,
  'newer kernel': (version) => `Abhilfe: Linux ${version} oder neuer`,
  'kernel option': (option) => `Abhilfe: ein Kernel, der mit ${option} gebaut ist`,
  'enable controller': (controller) =>
    `Abhilfe: den Cgroup-Controller ${controller} einhängen oder einschalten (Kernelzeile: kein cgroup_disable=${controller})`,
  'swap accounting': () => 'Abhilfe: mit swapaccount=1 starten; „bulkhead setup boot“ trägt es ein',
  'user quotas': () => 'Abhilfe: dort Benutzerquotas einschalten; „bulkhead setup boot“ zeigt wie',
  'v2 counts writes': () => 'cgroup v2 zählt alles, was geschrieben wird',
  'v2 enforces it': () => 'cgroup v2 setzt es ganz durch',
  'v2 always enforces it': () => 'cgroup v2 setzt es immer durch',
  'use v2': () => 'Abhilfe: cgroup v2',
  'use the driver': (driver) => `Abhilfe: der Treiber „${driver}“`,
  'enable entries': () =>
    'Abhilfe: „bulkhead web entries enable“; „bulkhead web entries status“ zeigt, wo sie durchgesetzt werden',
  'enable databases': () =>
    'Abhilfe: „bulkhead db enable“; „bulkhead db status“ zeigt die Server und was dort durchgesetzt wird',
  'network status': () => '„bulkhead network status“ zeigt, was durchgesetzt wird',
};
