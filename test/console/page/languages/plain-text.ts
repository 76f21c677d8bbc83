/** The texts of a page that are not in the language for tests, and are not marked as English. */
import { patienceMilliseconds } from '../../../../testing/patience.ts';
import type { View } from '../browser.ts';

/** Somewhere in each text of the language for tests. */
const translated = /[áéíóúÁÉÍÓÚñç~]/;

/** Fails if something takes longer than a page may: a test that hangs shows nothing. */
export async function bounded<T>(what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      () => reject(new Error(`Never came true within a minute: ${what}`)),
      patienceMilliseconds / 10,
    );
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Returns the texts without a translation: text nodes, and attributes that are read aloud. Commands, file names and remarks
 * that somebody typed are in elements of their own, and whatever else is English on purpose says so by `lang`.
 */
export async function plainTexts(view: View): Promise<readonly string[]> {
  const found = await view.page.evaluate(() => {
    const isExempt = (element: Element | null) =>
      element?.closest('noscript, script, style, code, textarea, q, body [lang]') !== null;
    const texts: string[] = [document.title];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode() !== null) {
      const { parentElement, textContent } = walker.currentNode;
      if (!isExempt(parentElement)) texts.push(textContent ?? '');
    }
    for (const element of document.querySelectorAll('[aria-label], [title], [alt]'))
      for (const name of ['aria-label', 'title', 'alt'])
        if (!isExempt(element)) texts.push(element.getAttribute(name) ?? '');
    return texts.map((each) => each.trim()).filter((each) => each !== '');
  });
  return [...new Set(found.filter((each) => !translated.test(each)))];
}
