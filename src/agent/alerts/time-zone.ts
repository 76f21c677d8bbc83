/**
 * Returns the time zone of this host, as `Intl` accepts it; `UTC` if it is set to something
 * invalid.
 */
export function hostTimeZone(): string {
  const { timeZone }: { timeZone?: string } = Intl.DateTimeFormat().resolvedOptions();
  if (timeZone === undefined) return 'UTC';
  try {
    // With TZ="" it is "Etc/Unknown", which Intl itself does not accept.
    return new Intl.DateTimeFormat('en', { timeZone }).resolvedOptions().timeZone;
  } catch {
    return 'UTC';
  }
}
