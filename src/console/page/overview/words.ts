/** The words of this part and of the whole page. */
import { computed } from '@preact/signals';
import { words as common, wordsOfPart } from '../state/language.ts';
import { overview } from '../words/en/overview.ts';

const own = wordsOfPart({ overview }, { de: () => import('../words/de/overview.ts') });

export const words = computed(() => ({ ...common.value, ...own.value }));
