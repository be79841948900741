/** What a route answers: a status and a JSON text. Texts, because most of them are spliced from texts. */
export interface Answer {
  readonly status: number;
  readonly body: string;
  /** Where the text is no JSON. */
  readonly contentType?: string;
  /** Headers that this answer has and others do not. */
  readonly headers?: { readonly [name: string]: string };
}

/** Chroma's clients parse every body, so "nothing to say" is an object. */
export const NOTHING: Answer = { status: 200, body: '{}' };

/** An answer with status 200. `body` is a JSON text. */
export function ok(body: string): Answer {
  return { status: 200, body };
}
