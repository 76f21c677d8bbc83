/** The English texts. A text that another language lacks is taken from here. */
export const english = `# The texts of digests. Lines are "name = text"; words in braces are replaced.
# The subject of mail about one account, and about several.
subject = Your account {accounts} on {host}
subjectMany = {count} accounts on {host}

intro = This is about {host}, from {from} to {to}. You get this message only if there is something to report.
# The heading of the sum of a reseller's accounts.
sum = All accounts of {account}

reached = {limit}: the limit of {value} was reached. Times: {times}.
busy = {limit}: for a twentieth of the time, more than {used} was in use. That is {percent} of the limit of {value}.
disk = {limit}: {used} of {value} are in use ({percent}).
full = If it grows as in the last days, disk space will be full on {date}.
more = Further accounts with something to report: {count}.

advice = Delete what is no longer needed, or ask for a larger plan if this happens often.
footer = This message was sent automatically by {host}. To stop such messages, ask the administrator of that server.

limit cpu = CPU
limit memory = Memory
limit processes = Processes
limit entries = Requests at once
limit io read = Reading from disk
limit io write = Writing to disk
limit io reads = Read operations
limit io total = Reading and writing
limit io writes = Write operations
limit io operations = Disk operations
limit disk space = Disk space
limit disk files = Files
limit network send = Sending to the network
limit network receive = Receiving from the network
limit network connections = New network connections
limit memory swap = Swap
limit database cpu = Database CPU
limit database connections = Database connections
limit database statement = Time of a database statement
limit database transaction = Idle time in a database transaction
`;
