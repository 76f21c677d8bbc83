/** Choices that the browser keeps, for example the theme. In a frame it may refuse to keep anything. */

export function kept(key: string): string | undefined {
  try {
    return localStorage.getItem(`bulkhead-${key}`) ?? undefined;
  } catch {
    return undefined;
  }
}

export function keep(key: string, value: string): void {
  try {
    localStorage.setItem(`bulkhead-${key}`, value);
  } catch {
    // The choice lasts as long as the page.
  }
}
