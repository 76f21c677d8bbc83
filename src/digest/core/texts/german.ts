/** The German texts. */
export const german = `# Die Texte der Berichte. Zeilen sind "Name = Text"; Wörter in Klammern werden ersetzt.
# Der Betreff einer Nachricht über ein Konto, und über mehrere.
subject = Ihr Konto {accounts} auf {host}
subjectMany = {count} Konten auf {host}

intro = Es geht um {host}, vom {from} bis zum {to}. Sie erhalten diese Nachricht nur, wenn es etwas zu berichten gibt.
# Die Überschrift der Summe aller Konten eines Wiederverkäufers.
sum = Alle Konten von {account}

reached = {limit}: Die Grenze von {value} wurde erreicht. Anzahl: {times}.
busy = {limit}: In einem Zwanzigstel der Zeit war mehr als {used} belegt. Das sind {percent} der Grenze von {value}.
disk = {limit}: {used} von {value} sind belegt ({percent}).
full = Wenn es weiter wächst wie in den letzten Tagen, ist der Speicherplatz am {date} voll.
more = Weitere Konten, zu denen es etwas zu berichten gibt: {count}.

advice = Löschen Sie, was Sie nicht mehr brauchen, oder fragen Sie nach einem größeren Paket, wenn das oft vorkommt.
footer = Diese Nachricht wurde automatisch von {host} verschickt. Wenn Sie keine weiteren möchten, wenden Sie sich an den Administrator dieses Servers.

limit cpu = CPU
limit memory = Arbeitsspeicher
limit processes = Prozesse
limit entries = Gleichzeitige Anfragen
limit io read = Lesen von der Festplatte
limit io write = Schreiben auf die Festplatte
limit io reads = Lesevorgänge
limit io total = Lesen und Schreiben
limit io writes = Schreibvorgänge
limit io operations = Festplattenzugriffe
limit disk space = Speicherplatz
limit disk files = Dateien
limit network send = Senden ins Netz
limit network receive = Empfangen aus dem Netz
limit network connections = Neue Netzwerkverbindungen
limit memory swap = Auslagerungsspeicher
limit database cpu = CPU der Datenbank
limit database connections = Datenbankverbindungen
limit database statement = Dauer einer Datenbankanweisung
limit database transaction = Wartezeit in einer Datenbanktransaktion
`;
