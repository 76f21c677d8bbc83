/** The time zone of this host, as `Intl` takes it; `UTC` where it is set to something odd. */
export function hostTimeZone(): string {
  const { timeZone }: { timeZone?: string } = Intl.DateTimeFormat().resolvedOptions();
  if (timeZone === undefined) return 'UTC';
  try {
    // With TZ="" it calls itself "Etc/Unknown", and does not know itself.
    return new Intl.DateTimeFormat('en', { timeZone }).resolvedOptions().timeZone;
  } catch {
    return 'UTC';
  }
}
