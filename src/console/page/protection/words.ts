/** The words of this part. */
import { wordsOfPart } from '../state/language.ts';
import { protection as german } from '../words/de/protection.ts';
import { protection as english } from '../words/en/protection.ts';

export const protectionWords = wordsOfPart(english, german);
