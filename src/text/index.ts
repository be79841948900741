/**
 * Documents: which of them contain a text or match an expression. A trigram index answers for substrings;
 * expressions and very short substrings are tested document by document.
 */
export { type DocumentOperator, documentMatcher } from './document-matcher.ts';
export { type CompiledRegex, compileRegex } from './regex.ts';
export { TextIndex } from './text-index.ts';
