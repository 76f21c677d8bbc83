/**
 * Somebody who uses the page. Clicks and keys are counted; typing is not. Every wait has an end, and a failure shows what
 * the page showed then.
 */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Locator } from 'playwright-core';
import type { View } from './browser.ts';

/** Only prevents hanging: nothing is concluded from how long something takes. */
const waitMilliseconds = 60_000;
const pollMilliseconds = 50;
const shownCharactersMax = 4000;

export class Person {
  readonly view: View;
  readonly #actions: string[] = [];

  constructor(view: View) {
    this.view = view;
    view.page.setDefaultTimeout(waitMilliseconds);
  }

  /** Clicks on an element, or on the button or link of this name. */
  async click(target: string | Locator): Promise<void> {
    const { page } = this.view;
    const element =
      typeof target === 'string'
        ? page
            .getByRole('button', { name: target, exact: true })
            .or(page.getByRole('link', { name: target, exact: true }))
        : target;
    this.#actions.push(`click ${String(target)}`);
    await this.#tried(`click on ${String(target)}`, element.click());
  }

  /** Goes to a page by the navigation. */
  go(title: string): Promise<void> {
    return this.click(this.view.page.locator('nav a', { hasText: title }));
  }

  async press(key: string): Promise<void> {
    this.#actions.push(`press ${key}`);
    await this.#tried(`press ${key}`, this.view.page.keyboard.press(key));
  }

  async type(text: string): Promise<void> {
    await this.#tried(`type ${text}`, this.view.page.keyboard.type(text));
  }

  /** Types into a field that must have the focus already, in place of what it has. */
  async typeInto(label: string, text: string): Promise<void> {
    await this.until(`the focus is in ${label}`, async () => (await this.#focused()) === label);
    await this.type(text);
  }

  /** Writes into a field wherever the focus is. This is not counted. */
  async fill(label: string, text: string): Promise<void> {
    const field = this.view.page.getByLabel(label, { exact: true });
    await this.#tried(`fill ${label}`, field.fill(text));
  }

  /** Waits until the first element that matches the selector shows a text. */
  sees(text: string | RegExp, selector = 'body'): Promise<void> {
    return this.until(`${selector} shows ${text}`, async () => {
      const shown = await this.text(selector);
      return typeof text === 'string' ? shown.includes(text) : text.test(shown);
    });
  }

  /** Waits until an element matches the selector. */
  appears(selector: string): Promise<void> {
    return this.until(`find ${selector}`, async () => (await this.#count(selector)) > 0);
  }

  /** Waits until no element matches the selector. */
  misses(selector: string): Promise<void> {
    return this.until(`${selector} is gone`, async () => (await this.#count(selector)) === 0);
  }

  #count(selector: string): Promise<number> {
    return this.view.page.locator(selector).count();
  }

  async until(what: string, state: () => Promise<boolean>): Promise<void> {
    const end = performance.now() + waitMilliseconds;
    const wait = async () => {
      while (!(await bounded(state()))) {
        if (performance.now() > end) throw new Error('it never came true');
        await sleep(pollMilliseconds);
      }
    };
    await this.#tried(what, wait());
  }

  /** Returns the visible text of the first element that matches; empty if none does. */
  text(selector = 'body'): Promise<string> {
    return this.view.page.evaluate(
      (found) => document.querySelector<HTMLElement>(found)?.innerText ?? '',
      selector,
    );
  }

  /** Fails if there were more clicks and keys than this. */
  neededAtMost(max: number): void {
    assert.ok(this.#actions.length <= max, `more than ${max}: ${this.#actions.join(', ')}`);
  }

  /** Returns the label of the field that has the focus. */
  #focused(): Promise<string | undefined> {
    return this.view.page.evaluate(() => {
      const { activeElement: field } = document;
      return field instanceof HTMLInputElement ? field.labels?.[0]?.innerText : undefined;
    });
  }

  async #tried(what: string, action: Promise<void>): Promise<void> {
    try {
      await action;
    } catch (error) {
      const shown = await bounded(this.text()).catch(() => 'nothing: it does not answer');
      const page = shown.slice(0, shownCharactersMax);
      throw new Error(`Cannot ${what}. The page shows:\n${page}`, { cause: error });
    }
  }
}

/** Has the page believe that its tab is hidden, or shown again. */
export const setHidden = ({ page }: View, isHidden: boolean): Promise<void> =>
  page.evaluate((value) => {
    Object.defineProperty(document, 'hidden', { configurable: true, get: () => value });
    document.dispatchEvent(new Event('visibilitychange'));
  }, isHidden);

/** Fails if a promise stays open: the page of a browser that hangs answers nothing. */
async function bounded<T>(promise: Promise<T>): Promise<T> {
  const over = new AbortController();
  const late = sleep(waitMilliseconds, undefined, { signal: over.signal }).then(() => {
    throw new Error('the page does not answer');
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    late.catch(() => undefined);
    over.abort();
  }
}
