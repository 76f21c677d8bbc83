/** The attacks of `bulkhead prove` by name, and what blocks them. */
const kernelAsks = (right: string) => `nichts nötig: Der Kernel verlangt ${right}`;
const sameUid = 'nichts nötig: Der Kernel verlangt dieselbe uid';
const quotas =
  '<disk space="…" files="…"/> in der Richtlinie, und Quotas auf dem Dateisystem der Homes';
const cgroups =
  'nichts nötig: Cgroups gehören root; nach einem chmod oder chown auf /sys/fs/cgroup suchen';
const processes = '<processes limit="…"/> in der Richtlinie';
const namespaces =
  'sysctl user.max_user_namespaces=0 (oder kernel.unprivileged_userns_clone=0, oder AppArmor), wenn hier nichts sie braucht';
const pool = '<jail> in der Richtlinie; „bulkhead harden enable“ vergrößert den Vorrat';
const write =
  '<io write="…"/> in der Richtlinie; Schreiben durch den Seitencache braucht cgroup v2';

export const attacks: Readonly<
  Record<string, { readonly summary: string; readonly remedy: string }>
> = {
  'busy-loop': {
    summary: 'eine Endlosschleife auf jedem Prozessor',
    remedy: '<cpu limit="…"/> in der Richtlinie',
  },
  'memory-hog': {
    summary: 'den Speicher bis zum Doppelten der Grenze füllen',
    remedy: '<memory limit="…"/> in der Richtlinie',
  },
  'oom-score': {
    summary: 'sich selbst unbeendbar machen, wenn der Speicher aufgebraucht ist (oom_score_adj)',
    remedy: 'mit „bulkhead exec“ starten: Es setzt den niedrigsten erlaubten Wert',
  },
  'fork-storm': {
    summary: 'dreimal so viele Prozesse starten, wie die Grenze erlaubt',
    remedy: processes,
  },
  'thread-storm': {
    summary: 'dreimal so viele Threads starten, wie die Grenze Prozesse erlaubt',
    remedy: processes,
  },
  'fork-chains': {
    summary: 'Prozesse, die sich immer wieder verzweigen und sofort enden',
    remedy: 'was innen bleiben muss, mit „bulkhead exec“ oder „bulkhead pam enable“ starten',
  },
  'descriptor-flood': {
    summary: 'Dateien öffnen, bis etwas Nein sagt',
    remedy: '<memory limit="…"/> in der Richtlinie zählt sie mit; nofile in limits.conf',
  },
  'terminal-flood': {
    summary: 'Terminals nehmen (/dev/pts), von denen der Server einen Vorrat hat',
    remedy: pool,
  },
  'aio-flood': {
    summary:
      'Ereignisse asynchroner Ein- und Ausgabe nehmen (fs.aio-max-nr), die Datenbanken brauchen',
    remedy: pool,
  },
  'disk-flood': { summary: 'doppelt so viel schreiben, wie die Grenze erlaubt', remedy: quotas },
  'disk-flood-direct': {
    summary: 'dasselbe am Seitencache vorbei (O_DIRECT)',
    remedy: quotas,
  },
  'file-flood': {
    summary: 'doppelt so viele Dateien anlegen, wie die Grenze erlaubt',
    remedy: quotas,
  },
  'disk-bandwidth': {
    summary: 'so schnell wie möglich am Seitencache vorbei schreiben',
    remedy: write,
  },
  'disk-bandwidth-buffered': {
    summary: 'dasselbe durch den Seitencache (fsync)',
    remedy: write,
  },
  'cgroup-move': {
    summary: 'die Cgroup verlassen: nach ganz oben, oder zu einem anderen Kunden',
    remedy: cgroups,
  },
  'cgroup-limits': {
    summary: 'die eigenen Grenzen anheben, oder unter der eigenen eine Cgroup anlegen',
    remedy: cgroups,
  },
  'cgroup-namespace': {
    summary: 'die Cgroups in eigenen Namespaces noch einmal einhängen, als deren root',
    remedy:
      'sysctl user.max_user_namespaces=0, wenn auf diesem Server nichts User-Namespaces braucht',
  },
  placement: {
    summary: 'außerhalb der eigenen Cgroup laufen, gestartet vom Daemon eines anderen Kontos',
    remedy: '<placement strict="yes"/> in der Richtlinie, wo der Kernel BPF-Programme fragt',
  },
  'outside-jail': {
    summary:
      'einen Daemon das eigene Programm außerhalb des Jails starten lassen, wie ein Mailserver bei .forward',
    remedy:
      '<jail> in der Richtlinie, wo der Kernel BPF-Programme fragt; sonst im Mailserver Befehle in .forward und Filtern verbieten',
  },
  priority: {
    summary: 'vor allem anderen laufen (Echtzeit, nice -20)',
    remedy: 'rtprio und nice in limits.conf dürfen keine Kunden nennen',
  },
  home: {
    summary: 'eine Datei im Home eines anderen Kunden lesen',
    remedy: 'chmod 700 auf Homes (HOME_MODE 0700 in /etc/login.defs)',
  },
  'account-homes': {
    summary: 'die Homes der wirklichen Kunden dieses Servers auflisten',
    remedy: 'chmod 700 (oder 711, für einen Webserver) auf diese Homes',
  },
  processes: {
    summary: 'Prozesse und Befehlszeilen eines anderen Kunden sehen',
    remedy: '/proc mit hidepid=invisible einhängen',
  },
  environment: {
    summary: 'die Umgebung eines Prozesses eines anderen Kunden lesen, mit dessen Passwörtern',
    remedy: sameUid,
  },
  'memory-map': {
    summary: 'lesen, wo ein Prozess eines anderen Kunden was im Speicher hat',
    remedy: sameUid,
  },
  ptrace: {
    summary: 'sich als Debugger an den Prozess eines anderen Kunden hängen',
    remedy: sameUid,
  },
  kill: { summary: 'dem Prozess eines anderen Kunden ein Signal schicken', remedy: sameUid },
  'abstract-socket': {
    summary:
      'sich mit dem abstrakten Socket eines anderen Kunden verbinden, der keine Rechte kennt',
    remedy:
      '<jail> in der Richtlinie, wo der Kernel BPF-Programme fragt oder ab Linux 6.12 Landlock hat; Sockets in Verzeichnissen, die dem Kunden gehören',
  },
  'neighbour-port': {
    summary: 'sich mit einem Dienst eines anderen Kunden auf diesem Server verbinden',
    remedy: '<reach tenants="no"/> in der Richtlinie',
  },
  'kept-port': {
    summary: 'einen Port öffnen, der einem anderen Kunden gehört, während dessen Dienst aus ist',
    remedy: '<listen ports="…"/> für den Kunden in der Richtlinie',
  },
  'direct-mail': {
    summary: 'E-Mails am Mailserver vorbei senden, an Port 25 eines anderen Servers',
    remedy: '<reach mail="submission"/> in der Richtlinie',
  },
  'metadata-service': {
    summary:
      'sich mit den Metadaten-Adressen einer Cloud verbinden, die Geheimnisse des Servers ausgeben',
    remedy: '<reach metadata="no"/> in der Richtlinie',
  },
  'refused-address': {
    summary: 'sich mit einer Adresse verbinden, die die Richtlinie verbietet',
    remedy: '<reach> mit <refuse address="…"/> in der Richtlinie',
  },
  'public-port': {
    summary: 'anderen Servern an einem eigenen Port einen Dienst anbieten',
    remedy: '<listen public="no"/> in der Richtlinie',
  },
  'connection-storm': {
    summary: 'so schnell wie möglich Verbindungen öffnen, wie ein Portscan',
    remedy: '<network connections="…/s"/> in der Richtlinie',
  },
  'upload-flood': {
    summary: 'so schnell wie möglich senden und die Leitung aller füllen',
    remedy: '<network send="…"/> in der Richtlinie',
  },
  'symlink-server': {
    summary: 'ein Webserver folgt dem Link eines Kunden zur Datei eines anderen',
    remedy:
      'SymLinksIfOwnerMatch (Apache) oder disable_symlinks (nginx); jedem Kunden ein eigenes PHP-FPM',
  },
  'symlink-shared': {
    summary:
      'ein anderer Kunde folgt einem Link, der in einem Verzeichnis wie /tmp ausgelegt wurde',
    remedy: 'sysctl fs.protected_symlinks=1',
  },
  'planted-file': {
    summary:
      'ein anderer Kunde schreibt in eine Datei, die in einem Verzeichnis wie /tmp ausgelegt wurde',
    remedy: 'sysctl fs.protected_regular=2',
  },
  'hard-link': {
    summary:
      'ein harter Link auf die Datei eines anderen Kunden, die dann länger lebt als sie soll',
    remedy: 'sysctl fs.protected_hardlinks=1',
  },
  'leaked-descriptor': {
    summary: 'ein Verzeichnis benutzen, das root beim Start des Kunden offen ließ',
    remedy: '„bulkhead exec“ ohne --keep-fds',
  },
  'leaked-cwd': {
    summary: 'das Verzeichnis benutzen, in dem root beim Start des Kunden war',
    remedy: '„bulkhead exec“, das in das Home des Kunden wechselt',
  },
  tiocsti: {
    summary: 'in das Terminal tippen, von dem aus root den Kunden startete (TIOCSTI)',
    remedy: 'sysctl dev.tty.legacy_tiocsti=0 (ab Linux 6.2)',
  },
  setuid: {
    summary: 'ein Programm ausführen, das root wird (setuid)',
    remedy: '„bulkhead exec“ ohne --allow-setuid; no_new_privs',
  },
  'device-node': {
    summary: 'die Gerätedatei eines Datenträgers anlegen',
    remedy: kernelAsks('CAP_MKNOD'),
  },
  devices: {
    summary: 'über /dev die Datenträger und den Speicher des Servers lesen',
    remedy: 'Kunden dürfen nicht in den Gruppen „disk“ und „kmem“ sein; die Rechte in /dev ansehen',
  },
  mount: {
    summary: 'ein Dateisystem über ein eigenes Verzeichnis einhängen',
    remedy: kernelAsks('CAP_SYS_ADMIN'),
  },
  'mount-new': {
    summary: 'dasselbe mit den neueren Systemaufrufen (fsopen)',
    remedy: kernelAsks('CAP_SYS_ADMIN'),
  },
  'user-namespace': {
    summary: 'einen User-Namespace anlegen, in dem der Kunde alle Capabilities hat',
    remedy: namespaces,
  },
  clone3: {
    summary: 'dasselbe mit clone3, dessen Flags ein Seccomp-Filter nicht lesen kann',
    remedy: namespaces,
  },
  'subordinate-uid': {
    summary: 'in einem User-Namespace die uid eines anderen Kunden annehmen',
    remedy: kernelAsks('CAP_SETUID im Namespace darüber'),
  },
  fuse: {
    summary: 'ein Dateisystem einhängen, das der Kunde selbst bedient (FUSE)',
    remedy: 'chmod 660 /dev/fuse; ohne fusermount3 gehen nur noch User-Namespaces',
  },
  module: { summary: 'ein Kernelmodul laden', remedy: kernelAsks('CAP_SYS_MODULE') },
  'module-autoload': {
    summary:
      'den Kernel das Modul eines seltenen Protokolls laden lassen, durch Öffnen eines Sockets',
    remedy: '„bulkhead modules deny NAME“ für Protokolle, die niemand braucht',
  },
  'kernel-log': {
    summary: 'das Protokoll des Kernels lesen, mit Adressen und Programmen anderer Kunden',
    remedy: 'sysctl kernel.dmesg_restrict=1',
  },
  'kernel-calls': {
    summary:
      'Systemaufrufe, in denen viele Lücken gefunden wurden (bpf, io_uring, userfaultfd, perf, keys)',
    remedy:
      'sysctl kernel.io_uring_disabled=2, kernel.unprivileged_bpf_disabled=2, kernel.perf_event_paranoid=3',
  },
  'calls-32bit': {
    summary: 'Systemaufrufe mit 32 Bit, die ein Seccomp-Filter für 64 Bit nicht sieht',
    remedy: 'mit ia32_emulation=0 starten (ab Linux 6.7)',
  },
};
